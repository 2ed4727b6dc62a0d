//! Units around a place, nearest first.

use serde::Serialize;

use crate::domain::position::compass;
use crate::domain::view::UnitRow;

use super::Look;
use super::fleet::readiness_paint;
use super::grid::{Column, Grid, cell, painted};
use super::page::text_of;
use super::record::Record;
use super::trouble::counted;
use super::when::in_local_time;

/// One unit as seen from the place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NearRow {
    /// Great circle.
    pub distance_m: f64,
    /// Where to go: 0 north, 90 east.
    pub bearing_deg: f64,
    /// `north-east`.
    pub direction: &'static str,
    #[serde(flatten)]
    pub row: UnitRow,
}

impl NearRow {
    pub fn new(row: UnitRow, distance_m: f64, bearing_deg: f64) -> Self {
        NearRow {
            distance_m: distance_m.round(),
            bearing_deg: bearing_deg.round(),
            direction: compass(bearing_deg),
            row,
        }
    }
}

impl Record for NearRow {
    const FIELDS: &'static [&'static str] = &[
        "distance_m",
        "bearing_deg",
        "direction",
        "unit",
        "name",
        "site",
        "site_type",
        "city",
        "crew",
        "uplink",
        "feeder",
        "model",
        "lat",
        "lon",
        "readiness",
        "reason",
        "since",
        "last_heard",
        "open_alerts",
        "open_orders",
    ];
    fn values(&self) -> Vec<String> {
        let own = [self.distance_m.to_string(), self.bearing_deg.to_string(), self.direction.to_owned()];
        own.into_iter().chain(self.row.values()).collect()
    }
}

/// `840 m`, `2.4 km`, `31 km`.
fn distance_text(meters: f64) -> String {
    match meters {
        m if m < 1_000.0 => format!("{m:.0} m"),
        m if m < 10_000.0 => format!("{:.1} km", m / 1_000.0),
        m => format!("{:.0} km", m / 1_000.0),
    }
}

/// `unplaced`: units that nobody can go to, because the fleet file has no coordinates for them.
pub fn near(rows: &[NearRow], unplaced: usize, look: &Look) -> String {
    let mut lines = Vec::new();
    if rows.is_empty() {
        lines.push("No unit that fits is that near.".to_owned());
    } else {
        let mut grid = Grid::new([
            Column::whole("DISTANCE").right(),
            Column::whole("DIRECTION").spare(1),
            Column::cut("UNIT", 8),
            Column::whole("READINESS"),
            Column::cut("NAME", 18).wraps(),
            Column::cut("REASON", 16).wraps(),
        ]);
        for near in rows {
            let row = &near.row;
            grid.row([
                cell(distance_text(near.distance_m)),
                cell(near.direction),
                cell(row.unit.as_str()),
                painted(row.readiness.as_str(), readiness_paint(row.readiness)),
                cell(row.name.as_str()),
                cell(in_local_time(look, &row.reason)),
            ]);
        }
        lines = grid.lines(look);
    }
    if unplaced > 0 {
        lines.push(String::new());
        let text = format!("{} without lat and lon in the fleet file: not looked at.", counted(unplaced, "unit"));
        lines.extend(super::cell::wrap(&text, look.width));
    }
    text_of(lines)
}
