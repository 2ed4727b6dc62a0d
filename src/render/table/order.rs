//! Work orders: the list, and one with its history.

use crate::domain::view::OrderView;
use crate::domain::{OrderState, Priority, Timestamp};

use super::Look;
use super::cell::{Pad, Paint, lay};
use super::grid::{Cell, Column, Grid, cell, painted};
use super::page::{Page, text_of};
use super::trouble::counted;
use super::when::{age, age_short, in_local_time, local, local_and_age, zone_text};

fn state_paint(state: OrderState) -> Paint {
    match state {
        OrderState::Opened | OrderState::Reopened => Paint::Bad,
        OrderState::Acknowledged | OrderState::EnRoute => Paint::Warn,
        OrderState::Repaired => Paint::Doubt,
        OrderState::Verified => Paint::Good,
        OrderState::Closed | OrderState::Cancelled => Paint::Faint,
    }
}

fn priority_paint(priority: Priority) -> Paint {
    match priority {
        Priority::P1 => Paint::Bad,
        Priority::P2 => Paint::Warn,
        Priority::P3 => Paint::Plain,
        Priority::P4 => Paint::Faint,
    }
}

/// Past its time and nobody has said that it is repaired.
fn is_overdue(order: &OrderView, now: Timestamp) -> bool {
    let waits_for_a_person = match order.state {
        OrderState::Opened | OrderState::Acknowledged | OrderState::EnRoute | OrderState::Reopened => true,
        OrderState::Repaired | OrderState::Verified | OrderState::Closed | OrderState::Cancelled => false,
    };
    waits_for_a_person && order.due_at.is_some_and(|due| due < now)
}

fn due(order: &OrderView, look: &Look) -> Cell {
    if !order.state.is_open() {
        return cell("");
    }
    match order.due_at {
        None => cell("next visit"),
        Some(due) if is_overdue(order, look.now) => painted(format!("{} late", age_short(look.now, due)), Paint::Bad),
        Some(due) => cell(age(look.now, due)),
    }
}

/// `PSH-001 battery`, `uplink ptcl-3`.
pub fn subject(order: &OrderView) -> String {
    match (&order.unit, &order.component, &order.incident) {
        (_, _, Some(incident)) => format!("{} {}", incident.kind, incident.name),
        (Some(unit), Some(component), None) => format!("{unit} {component}"),
        (Some(unit), None, None) => unit.to_string(),
        (None, _, None) => String::new(),
    }
}

pub fn order_list(orders: &[OrderView], look: &Look) -> String {
    if orders.is_empty() {
        return "No work orders.\n".to_owned();
    }
    let mut lines = order_grid(orders, look).lines(look);
    let open = orders.iter().filter(|o| o.state.is_open()).count();
    let late = orders.iter().filter(|o| is_overdue(o, look.now)).count();
    let mut sum = format!("{}, {open} open", counted(orders.len(), "order"));
    if late > 0 {
        sum.push_str(&format!(", {late} late"));
    }
    lines.push(String::new());
    lines.push(super::fit(&(sum + "."), look.width));
    text_of(lines)
}

pub fn order_grid(orders: &[OrderView], look: &Look) -> Grid {
    let mut grid = Grid::new([
        Column::whole("ORDER"),
        Column::whole("PR"),
        Column::whole("STATE"),
        Column::whole("DUE"),
        Column::cut("ABOUT", 18).wraps(),
        Column::cut("SITE", 12).spare(1),
        Column::whole("CREW").spare(2),
        Column::whole("AGE").right().spare(3),
        Column::cut("SUMMARY", 16).wraps(),
    ]);
    for order in orders {
        grid.row([
            cell(order.order.to_string()),
            painted(order.priority.as_str(), priority_paint(order.priority)),
            painted(order.state.as_str(), state_paint(order.state)),
            due(order, look),
            cell(subject(order)),
            cell(order.site.as_ref().map(|s| s.as_str()).unwrap_or_default()),
            cell(order.crew.as_str()),
            cell(age_short(look.now, order.opened_at)),
            cell(in_local_time(look, &order.summary)),
        ]);
    }
    grid
}

pub fn order_detail(order: &OrderView, look: &Look) -> String {
    let mut page = Page::new(look);
    let state = format!("{} {}", order.priority, order.state);
    page.title(&format!("{}  {}", order.order, subject(order)), &state, state_paint(order.state));
    page.text(&in_local_time(look, &order.summary));
    page.line(String::new());
    page.field("Do", &order.action);
    page.field("Bring", &order.parts.join(", "));
    let due = match order.due_at {
        None => "at the next visit".to_owned(),
        Some(due) if is_overdue(order, look.now) => {
            format!("{} ({} late)", local(look, due), age_short(look.now, due))
        }
        Some(due) => local_and_age(look, due),
    };
    if order.state.is_open() {
        page.field("Due", &due);
    }
    page.field("Site", order.site.as_ref().map(|s| s.as_str()).unwrap_or_default());
    page.field("Crew", order.crew.as_str());
    page.field("Opened", &local_and_age(look, order.opened_at));
    if let Some(closed) = order.closed_at {
        page.field("Closed", &local_and_age(look, closed));
    }
    let suspects: Vec<String> = order.suspects.iter().map(|s| format!("{} {} %", s.component, s.certainty)).collect();
    page.field("Suspects", &suspects.join(", "));
    let rules: Vec<&str> = order.rules.iter().map(|r| r.as_str()).collect();
    page.field("Rules", &rules.join(", "));
    let units: Vec<&str> = order.units.iter().map(|u| u.as_str()).collect();
    if !units.is_empty() {
        page.field("Units", &format!("{}: {}", units.len(), units.join(", ")));
    }
    if order.relapses > 0 {
        page.field("Came back", &counted(order.relapses as usize, "time"));
    }
    if order.flapping {
        page.field("Flapping", "comes and goes, held open");
    }
    if !order.evidence.is_empty() {
        page.section("EVIDENCE");
        for line in &order.evidence {
            page.hang("-", 1, &in_local_time(look, line));
        }
    }
    page.section(&format!("HISTORY ({})", zone_text(look)));
    let state_columns = order.history.iter().map(|c| c.state.as_str().len()).max().unwrap_or(0);
    for change in &order.history {
        let state = lay(change.state.as_str(), state_paint(change.state), state_columns, Pad::Right, look);
        let lead = format!("{}  {state} ", local(look, change.at));
        let text = format!("{}: {}", change.by, in_local_time(look, &change.why));
        page.hang(&lead, 16 + 2 + state_columns + 1, &text);
    }
    page.end()
}
