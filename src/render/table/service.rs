//! What the service says of itself: refused input, the outbox, the catalogue of metrics.

use crate::domain::AddressState;
use crate::domain::metric::{MetricFacts, plain_number};
use crate::domain::view::{MailView, OutboxRow, RefusalRow};

use super::Look;
use super::cell::{Pad, Paint, lay, show, wrap};
use super::grid::{Column, Grid, cell, painted};
use super::page::{Page, text_of};
use super::trouble::counted;
use super::when::{age, in_local_time, local_and_age};

/// Each kind with its newest example below it.
pub fn refusals(rows: &[RefusalRow], look: &Look) -> String {
    if rows.is_empty() {
        return "Nothing has been refused.\n".to_owned();
    }
    let mut grid = Grid::new([
        Column::whole("KIND"),
        Column::whole("COUNT").right(),
        Column::whole("LAST"),
        Column::cut("UNIT", 10),
        Column::cut("WHY", 24).wraps(),
    ]);
    for row in rows {
        grid.row([
            painted(row.kind.as_str(), Paint::Strong),
            cell(row.count.to_string()),
            cell(age(look.now, row.last_at)),
            cell(row.unit.as_deref().unwrap_or_default()),
            cell(in_local_time(look, &row.why)),
        ]);
    }
    let mut lines = Vec::new();
    for (i, line) in grid.lines(look).into_iter().enumerate() {
        lines.push(line);
        let Some(row) = i.checked_sub(1).and_then(|i| rows.get(i)) else { continue };
        let example = format!("  {} {}", row.topic, row.example);
        if !example.trim().is_empty() {
            lines.push(lay(&example, Paint::Faint, look.width, Pad::None, look));
        }
    }
    text_of(lines)
}

pub fn outbox(rows: &[OutboxRow], look: &Look) -> String {
    if rows.is_empty() {
        return "No mails.\n".to_owned();
    }
    let mut grid = Grid::new([
        Column::whole("STATE"),
        Column::whole("KIND"),
        Column::cut("TO", 10),
        Column::cut("ORDERS", 9),
        Column::whole("DECIDED"),
        Column::whole("TRIES").right(),
        Column::whole("NEXT TRY").spare(1),
    ]);
    for row in rows {
        let paint = state_paint(&row.state);
        let orders: Vec<String> = row.orders.iter().map(|o| o.to_string()).collect();
        grid.row([
            painted(row.state.as_str(), paint),
            cell(row.kind.as_str()),
            cell(row.to.as_str()),
            cell(orders.join(" ")),
            cell(age(look.now, row.decided_at)),
            cell(row.tries.to_string()),
            cell(row.next_try_at.map(|at| age(look.now, at)).unwrap_or_default()),
        ]);
    }
    let mut lines = Vec::new();
    for (i, line) in grid.lines(look).into_iter().enumerate() {
        lines.push(line);
        let Some(row) = i.checked_sub(1).and_then(|i| rows.get(i)) else { continue };
        let below = |text: &str| lay(&format!("  {text}"), Paint::Faint, look.width, Pad::None, look);
        lines.push(below(bare_id(&row.message_id)));
        lines.extend(reached_some(row).map(|text| below(&text)));
        // Whole: what a mail server said is the only clue there is.
        let error = row.last_error.iter().flat_map(|error| wrap(error, look.width.saturating_sub(2).max(20)));
        lines.extend(error.map(|line| below(&line)));
    }
    let not_sent = rows.iter().filter(|r| r.sent_at.is_none()).count();
    let in_part = match rows.iter().filter(|r| r.state == "partly-sent").count() {
        0 => String::new(),
        n => format!(", {n} sent in part"),
    };
    lines.push(String::new());
    lines.push(super::fit(&format!("{}{in_part}, {not_sent} not sent.", counted(rows.len(), "mail")), look.width));
    text_of(lines)
}

/// The store's words; a word of a newer service is shown as it is.
fn state_paint(state: &str) -> Paint {
    match state {
        "waiting" => Paint::Warn,
        "partly-sent" | "refused" => Paint::Bad,
        "dropped" => Paint::Faint,
        _ => Paint::Plain,
    }
}

/// None: all of its addresses have the mail, or none has.
fn reached_some(row: &OutboxRow) -> Option<String> {
    let (has, all) = (row.addresses.iter().filter(|a| a.state == AddressState::Delivered).count(), row.addresses.len());
    (has > 0 && has < all).then(|| format!("reached {has} of {all} addresses"))
}

/// As it is typed: without `< >`, which a shell would take for itself.
fn bare_id(message_id: &str) -> &str {
    message_id.trim_matches(['<', '>'])
}

/// One mail: what became of it, then its text as the reader gets it.
pub fn mail(mail: &MailView, look: &Look) -> String {
    let row = &mail.row;
    let mut page = Page::new(look);
    page.title(bare_id(&row.message_id), &row.state, state_paint(&row.state));
    page.field("To", &format!("{}, {}", row.to, mail.to_address));
    page.field("Why", &in_local_time(look, &mail.reason));
    page.field("Decided", &local_and_age(look, row.decided_at));
    if let Some(sent) = row.sent_at {
        page.field("Sent", &local_and_age(look, sent));
    }
    let tries = match row.next_try_at {
        Some(next) => format!("{}, the next {}", row.tries, age(look.now, next)),
        None => row.tries.to_string(),
    };
    page.field("Tries", &tries);
    page.field("Last error", row.last_error.as_deref().unwrap_or_default());
    page.field("Subject", &mail.subject);
    if !row.addresses.is_empty() {
        page.section("ADDRESSES");
        const WIDEST: usize = "delivered".len();
        for one in &row.addresses {
            let paint = match one.state {
                AddressState::Waiting => Paint::Warn,
                AddressState::Delivered => Paint::Plain,
                AddressState::Refused => Paint::Bad,
            };
            let when = one.at.map(|at| format!(", {}", age(look.now, at))).unwrap_or_default();
            let said = Some(one.said()).filter(|said| !said.is_empty()).map(|said| format!(": {said}"));
            let lead = lay(one.state.as_str(), paint, WIDEST, Pad::Right, look);
            page.hang(&lead, WIDEST, &format!("{}{when}{}", one.address, said.unwrap_or_default()));
        }
    }
    page.section("TEXT");
    for line in mail.text.lines() {
        page.line(show(line, Paint::Plain, look));
    }
    page.end()
}

/// Every metric that a rule may name, its meaning below it: a name that is cut cannot be copied into a rule.
pub fn metrics(facts: &[MetricFacts], look: &Look) -> String {
    let mut grid = Grid::new([
        Column::whole("METRIC"),
        Column::whole("UNIT"),
        Column::whole("FROM").right(),
        Column::whole("TO").right(),
        Column::whole("KIND"),
    ]);
    for f in facts {
        grid.row([
            painted(f.name, Paint::Strong),
            cell(f.unit),
            cell(plain_number(f.min)),
            cell(plain_number(f.max)),
            cell(f.origin().as_str()),
        ]);
    }
    let mut lines = Vec::new();
    for (i, line) in grid.lines(look).into_iter().enumerate() {
        lines.push(line);
        if let Some(f) = i.checked_sub(1).and_then(|i| facts.get(i)) {
            lines.extend(super::wrapped("  ", f.meaning, look));
        }
    }
    lines.push(String::new());
    let kinds = "sent: a field of a message. derived: worked out from what was sent. grows: worked out, and grows by \
                 itself while nothing is heard. x.NAME: a vendor's own figure, without unit and range.";
    lines.extend(super::wrapped("", kinds, look));
    text_of(lines)
}
