//! Alerts and incidents.

use crate::domain::view::{AlertRow, IncidentRow};
use crate::domain::{AlertState, IncidentState, Severity};

use super::Look;
use super::cell::Paint;
use super::grid::{Cell, Column, Grid, cell, painted};
use super::page::text_of;
use super::when::{age, in_local_time};

fn severity(severity: Severity) -> Cell {
    let paint = match severity {
        Severity::Critical => Paint::Bad,
        Severity::Major => Paint::Warn,
        Severity::Minor => Paint::Doubt,
        Severity::Warning => Paint::Faint,
    };
    painted(severity.as_str(), paint)
}

fn alert_state(row: &AlertRow) -> Cell {
    let paint = match row.state {
        AlertState::Firing => Paint::Strong,
        AlertState::Pending | AlertState::Inhibited | AlertState::Resolved => Paint::Faint,
    };
    let flapping = if row.flapping { " ~" } else { "" };
    painted(format!("{}{flapping}", row.state), paint)
}

pub fn alerts(rows: &[AlertRow], look: &Look) -> String {
    if rows.is_empty() {
        return "No alerts.\n".to_owned();
    }
    let mut grid = Grid::new([
        Column::cut("UNIT", 8),
        Column::whole("SEVERITY"),
        Column::whole("STATE"),
        Column::whole("SINCE"),
        Column::cut("RULE", 14),
        Column::whole("COMPONENT").spare(2),
        Column::cut("REASON", 18).wraps(),
        Column::whole("ORDER").spare(1),
    ]);
    for row in rows {
        grid.row([
            cell(row.unit.as_str()),
            severity(row.severity),
            alert_state(row),
            cell(age(look.now, row.since)),
            cell(row.rule.as_str()),
            cell(row.component.as_str()),
            cell(in_local_time(look, &row.reason)),
            cell(row.order.map(|o| o.to_string()).unwrap_or_default()),
        ]);
    }
    let mut lines = grid.lines(look);
    let counts: Vec<String> = AlertState::ALL
        .iter()
        .map(|state| (state, rows.iter().filter(|r| r.state == *state).count()))
        .filter(|(_, n)| *n > 0)
        .map(|(state, n)| format!("{n} {state}"))
        .collect();
    lines.push(String::new());
    lines.push(super::fit(&format!("{}: {}.", counted(rows.len(), "alert"), counts.join(", ")), look.width));
    if rows.iter().any(|r| r.flapping) {
        lines.push(super::fit("~ flapping: comes and goes, held open", look.width));
    }
    text_of(lines)
}

pub fn incidents(rows: &[IncidentRow], look: &Look) -> String {
    if rows.is_empty() {
        return "No incidents.\n".to_owned();
    }
    let mut grid = Grid::new([
        Column::whole("KIND"),
        Column::cut("NAME", 14),
        Column::whole("STATE"),
        Column::whole("SINCE"),
        Column::whole("UNITS").right(),
        Column::whole("ORDER"),
        Column::cut("REASON", 20).wraps(),
    ]);
    for row in rows {
        let paint = match row.state {
            IncidentState::Open => Paint::Bad,
            IncidentState::Closed => Paint::Faint,
        };
        grid.row([
            cell(row.kind.as_str()),
            cell(row.name.as_str()),
            painted(row.state.as_str(), paint),
            cell(age(look.now, row.since)),
            cell(row.units.len().to_string()),
            cell(row.order.map(|o| o.to_string()).unwrap_or_default()),
            cell(in_local_time(look, &row.reason)),
        ]);
    }
    text_of(grid.lines(look))
}

/// `1 unit`, `2 units`.
pub fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
