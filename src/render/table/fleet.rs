//! Units: the list, one unit's card, the quarantine, and what an import would change.

use crate::domain::view::{ImportPlan, QuarantineRow, UnitRow};
use crate::domain::{Readiness, Timestamp};

use super::Look;
use super::cell::{Paint, show};
use super::grid::{Cell, Column, Grid, cell, painted};
use super::page::{Page, text_of};
use super::trouble::counted;
use super::when::{age, in_local_time};

pub(super) fn readiness_paint(readiness: Readiness) -> Paint {
    match readiness {
        Readiness::Ready => Paint::Good,
        Readiness::Impaired => Paint::Warn,
        Readiness::NotReady | Readiness::Silent => Paint::Bad,
        Readiness::Unknown | Readiness::Unproven => Paint::Doubt,
        Readiness::Maintenance => Paint::Faint,
    }
}

fn heard(look: &Look, at: Option<Timestamp>) -> Cell {
    match at {
        Some(at) => cell(age(look.now, at)),
        None => painted("never", Paint::Faint),
    }
}

/// Of the whole fleet.
pub fn all_units(rows: &[UnitRow], look: &Look) -> String {
    match rows {
        [] => "No units. `buttonwatch fleet import FILE` brings them in.\n".to_owned(),
        rows => unit_list(rows, look),
    }
}

/// A line each: what is looked over.
pub fn unit_list(rows: &[UnitRow], look: &Look) -> String {
    with_counts(rows, unit_grid(rows, look).flat(), look)
}

/// What was asked for, with all of its reasons.
pub fn found_units(rows: &[UnitRow], look: &Look) -> String {
    match rows {
        [] => "No units.\n".to_owned(),
        rows => with_counts(rows, unit_grid(rows, look), look),
    }
}

fn unit_grid(rows: &[UnitRow], look: &Look) -> Grid {
    let mut grid = Grid::new([
        Column::cut("UNIT", 8),
        Column::whole("READINESS"),
        Column::whole("HEARD").spare(1),
        Column::cut("NAME", 18).wraps(),
        Column::whole("CITY").spare(3),
        Column::whole("CREW").spare(2),
        Column::whole("ORDERS").right().spare(4),
        Column::cut("REASON", 20).wraps(),
    ]);
    for row in rows {
        grid.row([
            cell(row.unit.as_str()),
            painted(row.readiness.as_str(), readiness_paint(row.readiness)),
            heard(look, row.last_heard),
            cell(row.name.as_str()),
            cell(row.city.as_str()),
            cell(row.crew.as_str()),
            cell(if row.open_orders == 0 { String::new() } else { row.open_orders.to_string() }),
            cell(in_local_time(look, &row.reason)),
        ]);
    }
    grid
}

fn with_counts(rows: &[UnitRow], grid: Grid, look: &Look) -> String {
    let mut lines = grid.lines(look);
    let counts: Vec<String> = Readiness::ALL
        .iter()
        .map(|readiness| (readiness, rows.iter().filter(|r| r.readiness == *readiness).count()))
        .filter(|(_, n)| *n > 0)
        .map(|(readiness, n)| format!("{n} {readiness}"))
        .collect();
    lines.push(String::new());
    lines.push(super::fit(&format!("{}: {}.", counted(rows.len(), "unit"), counts.join(", ")), look.width));
    text_of(lines)
}

pub fn quarantine(rows: &[QuarantineRow], look: &Look) -> String {
    if rows.is_empty() {
        return "No unknown units have been heard.\n".to_owned();
    }
    let mut grid = Grid::new([
        Column::cut("UNIT", 12),
        Column::whole("MESSAGES").right(),
        Column::whole("FIRST"),
        Column::whole("LAST"),
        Column::cut("TOPIC", 20),
    ]);
    for row in rows {
        grid.row([
            cell(row.unit.as_str()),
            cell(row.messages.to_string()),
            cell(age(look.now, row.first_heard)),
            cell(age(look.now, row.last_heard)),
            cell(row.last_topic.as_str()),
        ]);
    }
    let mut lines = grid.lines(look);
    lines.push(String::new());
    lines.extend(super::cell::wrap(
        "Take one in: buttonwatch fleet accept UNIT --site SITE --crew CREW --city CITY",
        look.width,
    ));
    text_of(lines)
}

pub fn import_plan(plan: &ImportPlan, look: &Look) -> String {
    let mut page = Page::new(look);
    let mut mark = |mark: &str, paint: Paint, text: &str| {
        page.hang(&show(mark, paint, look), 1, text);
    };
    for unit in &plan.added {
        mark("+", Paint::Good, unit.as_str());
    }
    for unit in &plan.removed {
        mark("-", Paint::Bad, unit.as_str());
    }
    for c in &plan.changed {
        mark("~", Paint::Warn, &format!("{}  {}: {:?} -> {:?}", c.unit, c.field, c.from, c.to));
    }
    let mut units: Vec<&str> = plan.changed.iter().map(|c| c.unit.as_str()).collect();
    units.dedup();
    let end = if plan.dry_run { " Dry run: nothing was changed." } else { "" };
    for line in super::cell::wrap(
        &format!(
            "{} added, {} removed, {} changed, {} unchanged.{end}",
            plan.added.len(),
            plan.removed.len(),
            units.len(),
            plan.unchanged
        ),
        look.width,
    ) {
        page.line(line);
    }
    page.end()
}
