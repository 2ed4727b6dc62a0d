//! Units: the list, one unit's card, the quarantine, and what an import would change.

use std::collections::BTreeMap;

use crate::domain::view::{ImportPlan, QuarantineRow, ReadingView, SiblingView, TestView, UnitCard, UnitRow};
use crate::domain::{GroupKind, Readiness, Timestamp};

use super::Look;
use super::cell::{Pad, Paint, lay, show, width};
use super::command::{outcome_paint, outcome_text};
use super::grid::{Cell, Column, Grid, cell, painted};
use super::order::order_grid;
use super::page::{Page, text_of};
use super::trouble::counted;
use super::when::{age, age_short, in_local_time, local_and_age};

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

pub fn unit_list(rows: &[UnitRow], look: &Look) -> String {
    if rows.is_empty() {
        return "No units.\n".to_owned();
    }
    let mut grid = Grid::new([
        Column::cut("UNIT", 8),
        Column::whole("READINESS"),
        Column::whole("HEARD"),
        Column::cut("NAME", 18),
        Column::whole("CITY").spare(2),
        Column::whole("CREW").spare(1),
        Column::whole("ORDERS").right().spare(3),
        Column::cut("REASON", 20),
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

/// One unit on one screen: can it summon help, why not, what its figures say, what is being done, who shares its
/// circuits.
pub fn unit_card(card: &UnitCard, look: &Look) -> String {
    let row = &card.row;
    let mut page = Page::new(look);
    page.title(&format!("{}  {}", row.unit, row.name), row.readiness.as_str(), readiness_paint(row.readiness));
    page.text(&in_local_time(look, &row.reason));
    page.line(String::new());
    page.field("Since", &row.since.map(|at| local_and_age(look, at)).unwrap_or_default());
    let heard = match row.last_heard {
        None => "never".to_owned(),
        Some(at) => local_and_age(look, at),
    };
    let silent = match card.silent_at {
        Some(at) if at > look.now => format!("; silent {} if nothing comes", age(look.now, at)),
        Some(_) | None => String::new(),
    };
    page.field("Heard", &(heard + &silent));
    page.field("Site", &joined(&[row.site.as_str(), row.site_type.as_str(), row.city.as_str()]));
    page.field("Address", &card.address);
    page.field("Contact", &card.contact);
    page.field("Crew", row.crew.as_str());
    let uplink = row.uplink.as_ref().map(|u| format!("uplink {u}")).unwrap_or_default();
    let feeder = row.feeder.as_ref().map(|f| format!("feeder {f}")).unwrap_or_default();
    page.field("Circuits", &joined(&[&uplink, &feeder]));
    page.field("Device", &device(card));
    readings(&mut page, &card.readings);
    tests(&mut page, &card.tests);
    if !card.alerts.is_empty() {
        page.section("ALERTS");
        for alert in &card.alerts {
            let order = alert.order.map(|o| format!(" ({o})")).unwrap_or_default();
            let reason = in_local_time(look, &alert.reason);
            page.hang("-", 1, &format!("{} {} {}: {reason}{order}", alert.severity, alert.state, alert.rule));
        }
    }
    if !card.orders.is_empty() {
        page.section("ORDERS");
        let lines = order_grid(&card.orders, look).indented(2).lines(look);
        page.lines(lines.into_iter().skip(1));
    }
    siblings(&mut page, card);
    page.end()
}

fn joined(parts: &[&str]) -> String {
    parts.iter().copied().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(", ")
}

fn device(card: &UnitCard) -> String {
    let firmware = card.firmware.as_ref().map(|f| format!("firmware {f}")).unwrap_or_default();
    let hardware = card.hardware.as_ref().map(|h| format!("hardware {h}")).unwrap_or_default();
    let boot = card.boot.map(|b| format!("start no. {b}")).unwrap_or_default();
    let loss = card
        .loss_pct
        .map(|l| format!("{} % of messages lost", crate::domain::metric::plain_number(l)))
        .unwrap_or_default();
    joined(&[&card.row.model, &firmware, &hardware, &boot, &loss])
}

/// Two beside each other where the window allows it.
fn side_by_side(page: &mut Page<'_>, cells: &[String], cell_columns: usize) {
    let across = (page.look.width.saturating_sub(2) / (cell_columns + 2)).max(1);
    let down = cells.len().div_ceil(across);
    for line in 0..down {
        let mut text = String::from(" ");
        for cell in cells.iter().skip(line).step_by(down.max(1)) {
            text.push(' ');
            text.push_str(cell);
            text.push(' ');
        }
        page.line(text);
    }
}

fn readings(page: &mut Page<'_>, readings: &[ReadingView]) {
    if readings.is_empty() {
        return;
    }
    page.section("READINGS");
    let look = page.look;
    let widest = |texts: &mut dyn Iterator<Item = usize>, most: usize| texts.max().unwrap_or(0).min(most);
    let names = widest(&mut readings.iter().map(|r| width(&r.metric)), 22);
    let figures = widest(&mut readings.iter().map(|r| width(&r.text)), 12);
    let ages = widest(&mut readings.iter().map(|r| width(&age_short(look.now, r.at))), 8);
    let cells: Vec<String> = readings
        .iter()
        .map(|r| {
            let name = lay(&r.metric, Paint::Plain, names, Pad::Right, look);
            let figure = lay(&r.text, Paint::Strong, figures, Pad::Left, look);
            let age = lay(&age_short(look.now, r.at), Paint::Faint, ages, Pad::Left, look);
            format!("{name} {figure} {age}")
        })
        .collect();
    side_by_side(page, &cells, names + figures + ages + 2);
}

fn tests(page: &mut Page<'_>, tests: &[TestView]) {
    if tests.is_empty() {
        return;
    }
    page.section("TESTS");
    let look = page.look;
    let said = outcome_text;
    let names = tests.iter().map(|t| t.component.as_str().len()).max().unwrap_or(0);
    let results = tests.iter().map(|t| width(&said(t))).max().unwrap_or(0).min(20);
    let ages = tests.iter().map(|t| width(&age_short(look.now, t.at))).max().unwrap_or(0);
    let cells: Vec<String> = tests
        .iter()
        .map(|t| {
            let paint = outcome_paint(t.result);
            let name = lay(t.component.as_str(), Paint::Plain, names, Pad::Right, look);
            let result = lay(&said(t), paint, results, Pad::Right, look);
            let age = lay(&age_short(look.now, t.at), Paint::Faint, ages, Pad::Left, look);
            format!("{name} {result} {age}")
        })
        .collect();
    side_by_side(page, &cells, names + results + ages + 2);
}

/// By circuit: how many are ready, and which are not. That answers "is it only this one?".
fn siblings(page: &mut Page<'_>, card: &UnitCard) {
    let mut circuits: BTreeMap<GroupKind, Vec<&SiblingView>> = BTreeMap::new();
    for sibling in &card.siblings {
        circuits.entry(sibling.shares).or_default().push(sibling);
    }
    if circuits.is_empty() {
        return;
    }
    page.section("ON THE SAME CIRCUITS");
    for (kind, units) in circuits {
        let name = match kind {
            GroupKind::Uplink => card.row.uplink.as_ref().map(|u| u.as_str()).unwrap_or_default(),
            GroupKind::Feeder => card.row.feeder.as_ref().map(|f| f.as_str()).unwrap_or_default(),
            GroupKind::Site => card.row.site.as_str(),
            GroupKind::City => card.row.city.as_str(),
            GroupKind::Fleet => "",
        };
        let ready = units.iter().filter(|s| s.readiness == Readiness::Ready).count();
        let others: Vec<String> = units
            .iter()
            .filter(|s| s.readiness != Readiness::Ready)
            .map(|s| format!("{} {}", s.unit, s.readiness))
            .collect();
        let mut text = format!("{kind} {name}: {ready} of {} ready", units.len());
        if !others.is_empty() {
            text.push_str("; ");
            text.push_str(&others.join(", "));
        }
        page.hang("-", 1, &text);
    }
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
