//! How ready units were: one unit's history, and the availability of many. Never adds up time itself.

use std::time::Duration;

use crate::domain::availability::Times;
use crate::domain::view::{GroupAvailability, UnitHistory};
use crate::domain::{Readiness, span_text};

use super::Look;
use super::cell::{Paint, wrap};
use super::fleet::readiness_paint;
use super::grid::{Cell, Column, Grid, cell, painted};
use super::page::text_of;
use super::trouble::counted;
use super::when::{in_local_time, local};

/// Its changes, newest last, and what they add up to.
pub fn unit_history(history: &UnitHistory, look: &Look) -> String {
    let mut grid = Grid::new([
        Column::whole("FROM"),
        Column::whole("READINESS"),
        Column::whole("LASTED").right(),
        Column::cut("REASON", 20).wraps(),
    ]);
    for stretch in &history.stretches {
        // What came over HTTP as a number may be none that is a span.
        let lasted = Duration::try_from_secs_f64(stretch.lasted_s).unwrap_or_default();
        grid.row([
            cell(local(look, stretch.from)),
            painted(stretch.readiness.as_str(), readiness_paint(stretch.readiness)),
            cell(span_text(lasted)),
            cell(in_local_time(look, &stretch.reason)),
        ]);
    }
    let mut lines = if history.stretches.is_empty() { Vec::new() } else { grid.lines(look) };
    lines.push(String::new());
    let span = span_text(history.to.since(history.from));
    lines.extend(wrap(&format!("{}, the last {span}: {}", history.unit, told(&history.seconds)), look.width));
    text_of(lines)
}

/// `title`: by what they are grouped.
pub fn availability(title: &'static str, groups: &[GroupAvailability], since: Duration, look: &Look) -> String {
    if groups.is_empty() {
        return "No units.\n".to_owned();
    }
    let mut grid = Grid::new([
        Column::cut(title, 8),
        Column::whole("UNITS").right(),
        Column::whole("AVAILABLE").right(),
        Column::whole("READY").right().spare(4),
        Column::whole("IMPAIRED").right().spare(3),
        Column::whole("NOT-READY").right().spare(2),
        Column::whole("SILENT").right().spare(1),
        Column::whole("UNKNOWN").right(),
        Column::whole("UNPROVEN").right(),
        Column::whole("MAINTENANCE").right(),
    ]);
    let (mut units, mut sum) = (0, Times::default());
    for group in groups {
        units += group.units;
        sum += &group.seconds;
        let name = if group.name.is_empty() { painted("none", Paint::Faint) } else { cell(group.name.as_str()) };
        let share = group.available_pct.map_or_else(|| painted("-", Paint::Faint), |pct| cell(percent(pct)));
        let mut row = vec![name, cell(group.units.to_string()), share];
        row.extend(Readiness::ALL.iter().map(|r| time_cell(group.seconds.of(*r))));
        grid.row(row);
    }
    let mut lines = grid.lines(look);
    lines.push(String::new());
    let text = format!("{}, the last {}: {}", counted(units, "unit"), span_text(since), told(&sum));
    lines.extend(wrap(&text, look.width));
    text_of(lines)
}

fn time_cell(span: Duration) -> Cell {
    cell(if span.is_zero() { String::new() } else { span_text(span) })
}

/// `available 99.52 % of 6 d 20 h; not counted: unknown 3 h, maintenance 1 h.`
fn told(times: &Times) -> String {
    let share = match times.availability_pct() {
        Some(pct) => format!("available {} of {}", percent(pct), span_text(times.counted())),
        None => "no availability, because no time counts".to_owned(),
    };
    let apart = [Readiness::Unknown, Readiness::Unproven, Readiness::Maintenance];
    let apart: Vec<String> =
        apart.iter().filter(|r| !times.of(**r).is_zero()).map(|r| format!("{r} {}", span_text(times.of(*r)))).collect();
    if apart.is_empty() { format!("{share}.") } else { format!("{share}; not counted: {}.", apart.join(", ")) }
}

/// A minute's failure in a year is not perfection: only all of the time is 100 %.
pub(in crate::render) fn percent(pct: f64) -> String {
    let text = format!("{pct:.2} %");
    if pct < 100.0 && text == "100.00 %" { "99.99 %".to_owned() } else { text }
}
