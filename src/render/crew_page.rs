//! The page behind the link in a crew's mail: one order, and the buttons that move it on. Works on a small screen, without
//! scripts, without anything fetched. Pure: the same order and moment give the same bytes.

use std::time::Duration;

use crate::domain::view::{OrderView, TestView, UnitCard};
use crate::domain::{OrderState, Outcome, Priority, Timestamp, span_text};

use super::mail::{LocalTime, contact, escaped, map_url};

/// While a test is awaited the page looks again so often, and for so long.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
const LOOK_FOR: Duration = Duration::from_secs(30 * 60);

/// What is shown above the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flash {
    /// The button that was pressed did what it says.
    Done,
    /// Somebody, or the program, moved the order on since the page was opened.
    ChangedMeanwhile,
}

/// `card`: of the order's unit. None: the order is on an incident, or the unit is gone.
pub fn order(
    order: &OrderView,
    card: Option<&UnitCard>,
    time: &LocalTime,
    now: Timestamp,
    flash: Option<Flash>,
) -> String {
    let repaired = repaired_at(order);
    let test = repaired.and_then(|at| test_after(order, card, at));
    let waits = repaired.is_some_and(|at| test.is_none() && is_tested(order, card) && now.since(at) < LOOK_FOR);
    let mut out = head(&format!("{} {}", order.order, subject(order)), waits.then_some(LOOK_AGAIN));
    let tone = if order.state.is_open() { priority_class(order.priority) } else { "over" };
    out.push_str(&format!(
        "<header class=\"{tone}\"><b>{}</b> {} <span>{}</span></header>\n",
        order.priority, order.order, order.state
    ));
    match flash {
        Some(Flash::Done) => out
            .push_str(&format!("<p class=\"good\" role=\"status\">Thank you. The order is now {}.</p>\n", order.state)),
        Some(Flash::ChangedMeanwhile) => out.push_str(
            "<p class=\"bad\" role=\"alert\">Nothing was changed: the order has moved on since you opened this page. \
             This is how it stands now.</p>\n",
        ),
        None => {}
    }
    out.push_str(&format!("<h1>{}</h1>\n", said(&title(order, card), time)));
    if let Some(at) = repaired {
        out.push_str(&after_repair(order, card, test, at, time, now));
    }
    if order.state.is_open() {
        out.push_str(&buttons(order));
    }
    out.push_str(&section("What to do", &format!("<p>{}</p>", said(&order.action, time))));
    if !order.parts.is_empty() {
        out.push_str(&section("Bring", &list(order.parts.iter().map(|p| said(p, time)))));
    }
    out.push_str(&section("Where", &place(order, card)));
    let causes = order.suspects.iter().map(|s| format!("{}: {} %", s.component, s.certainty));
    if !order.suspects.is_empty() {
        out.push_str(&section("Likely causes", &list(causes)));
    }
    if !order.evidence.is_empty() {
        out.push_str(&section("What was seen", &list(order.evidence.iter().map(|e| said(e, time)))));
    }
    let history = order.history.iter().rev().map(|change| {
        format!(
            "<b>{}</b> {}, {}: {}",
            change.state,
            escaped(&time.short(change.at)),
            escaped(&change.by),
            said(&change.why, time)
        )
    });
    out.push_str(&section("History", &list(history)));
    out.push_str(&format!("<footer>All times are {}.</footer>\n", escaped(&time.zone_text(now))));
    end(out)
}

/// A plain page that says why nothing was opened or changed.
pub fn refusal(title: &str, text: &str) -> String {
    let mut out = head(title, None);
    out.push_str(&format!("<header class=\"over\">Buttonwatch</header>\n<h1>{}</h1>\n", escaped(title)));
    out.push_str(&format!("<p>{}</p>\n", escaped(text)));
    end(out)
}

fn head(title: &str, look_again: Option<Duration>) -> String {
    let refresh = look_again
        .map_or(String::new(), |every| format!("<meta http-equiv=\"refresh\" content=\"{}\">\n", every.as_secs()));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex\">\n{refresh}<title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escaped(title)
    )
}

fn end(mut out: String) -> String {
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

/// Colours pass 4.5 : 1 on white and, in the dark form, on black. Buttons are as tall as a thumb.
const STYLE: &str = "
:root{color-scheme:light dark;--line:rgba(128,128,128,.4);--shade:rgba(128,128,128,.14)}
body{margin:0;font:17px/1.5 -apple-system,'Segoe UI',Roboto,'Noto Sans',Arial,sans-serif}
main{max-width:600px;margin:0 auto;padding:12px;overflow-wrap:anywhere}
header{padding:10px 14px;border-radius:8px;color:#fff;background:#475467}
header span{float:right}
header.p1{background:#b42318}header.p2{background:#a8480b}header.p3{background:#175cd3}header.over{background:#067647}
h1{font-size:21px;line-height:1.35;margin:14px 0}
h2{font-size:15px;margin:20px 0 6px}
p{margin:0 0 8px}
ul{margin:0;padding:0 0 0 20px}
.good,.bad,.waiting{padding:10px 14px;border-radius:8px;margin:12px 0;border:2px solid}
.good{border-color:#067647}.bad{border-color:#b42318}.waiting{border-color:#175cd3}
form{margin:16px 0;padding:12px;border-radius:8px;background:var(--shade)}
label{display:block;font-size:15px;margin:0 0 4px}
textarea{box-sizing:border-box;width:100%;min-height:64px;font:inherit;padding:8px;border:1px solid var(--line);border-radius:6px}
button{display:block;width:100%;min-height:52px;margin:10px 0 0;font:inherit;font-weight:600;border:0;border-radius:8px;color:#fff;background:#175cd3}
button.last{background:#067647}
button:focus-visible,textarea:focus-visible{outline:3px solid #f79009;outline-offset:2px}
a{color:inherit;font-weight:600;display:inline-block;padding:6px 0}
footer{margin:24px 0 0;padding:12px 0;border-top:1px solid var(--line);font-size:14px}
";

fn priority_class(priority: Priority) -> &'static str {
    match priority {
        Priority::P1 => "p1",
        Priority::P2 => "p2",
        Priority::P3 => "p3",
        Priority::P4 => "p4",
    }
}

fn subject(order: &OrderView) -> String {
    match (&order.unit, &order.incident) {
        (Some(unit), _) => unit.to_string(),
        (None, Some(incident)) => format!("{} {}", incident.kind, incident.name),
        (None, None) => String::new(),
    }
}

fn title(order: &OrderView, card: Option<&UnitCard>) -> String {
    let name = card.map(|c| c.row.name.trim()).filter(|n| !n.is_empty()).map_or(String::new(), |n| format!(" {n}"));
    format!("{}{name}: {}", subject(order), order.summary)
}

/// Someone's words, with their own direction.
fn said(text: &str, time: &LocalTime) -> String {
    format!("<span dir=\"auto\">{}</span>", escaped(&time.localise(text)))
}

fn section(title: &str, html: &str) -> String {
    format!("<h2>{title}</h2>\n{html}\n")
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.map(|item| format!("<li>{item}</li>")).collect();
    format!("<ul>{}</ul>", items.join("\n"))
}

fn place(order: &OrderView, card: Option<&UnitCard>) -> String {
    let mut lines = Vec::new();
    let mut line = |label: &str, text: &str| {
        if !text.trim().is_empty() {
            lines.push(format!("{label}: <span dir=\"auto\">{}</span>", escaped(text.trim())));
        }
    };
    match card {
        Some(card) => {
            line("Site", card.row.site.as_str());
            line("Address", &card.address);
            line("City", card.row.city.as_str());
            if !card.contact.trim().is_empty() {
                lines.push(format!("Contact: {}", contact(&card.contact)));
            }
            if let Some(url) = card.row.position.and_then(map_url) {
                lines.push(format!("<a href=\"{}\">Open the map</a>", escaped(&url)));
            }
        }
        None => {
            line("Site", order.site.as_ref().map_or("", |s| s.as_str()));
            let units: Vec<&str> = order.units.iter().map(|u| u.as_str()).collect();
            line("Buttons", &units.join(", "));
        }
    }
    list(lines.into_iter())
}

/// None: nobody said that it is repaired, or it was undone since.
pub(super) fn repaired_at(order: &OrderView) -> Option<Timestamp> {
    let last = order.history.last()?;
    (last.state == OrderState::Repaired).then_some(last.at)
}

pub(super) fn is_tested(order: &OrderView, card: Option<&UnitCard>) -> bool {
    card.is_some_and(|card| card.tests.iter().any(|t| Some(t.component) == order.component))
}

pub(super) fn test_after<'a>(
    order: &OrderView,
    card: Option<&'a UnitCard>,
    repaired: Timestamp,
) -> Option<&'a TestView> {
    card?.tests.iter().find(|t| Some(t.component) == order.component && t.at >= repaired)
}

fn after_repair(
    order: &OrderView,
    card: Option<&UnitCard>,
    test: Option<&TestView>,
    repaired: Timestamp,
    time: &LocalTime,
    now: Timestamp,
) -> String {
    let hold = "The order closes by itself when the fault stays away.";
    match (test, is_tested(order, card)) {
        (Some(test), _) => {
            let at = escaped(&time.short(test.at));
            match test.result {
                Outcome::Pass => {
                    format!("<p class=\"good\" role=\"status\"><b>Test passed</b> at {at}. {hold}</p>\n")
                }
                Outcome::Fail => {
                    let code = test.code.as_deref().map_or(String::new(), |c| format!(" ({})", escaped(c)));
                    format!(
                        "<p class=\"bad\" role=\"alert\"><b>Test failed</b>{code} at {at}. It is not repaired yet.</p>\n"
                    )
                }
                Outcome::Inconclusive | Outcome::Skipped => format!(
                    "<p class=\"waiting\" role=\"status\">The test at {at} could not tell. The button tests itself again \
                     within a day. {hold}</p>\n"
                ),
            }
        }
        (None, true) => format!(
            "<p class=\"waiting\" role=\"status\"><b>Testing.</b> The button was asked to test itself {} ago. This page \
             looks for the answer by itself.</p>\n",
            span_text(Duration::from_secs(now.since(repaired).as_secs().max(1)))
        ),
        (None, false) => format!("<p class=\"waiting\" role=\"status\">Said to be repaired. {hold}</p>\n"),
    }
}

/// What a crew can say now. Each is a form of its own kind: a program that opens links presses no buttons.
fn buttons(order: &OrderView) -> String {
    let moves: &[(&str, &str)] = match order.state {
        OrderState::Opened | OrderState::Reopened => {
            &[("acknowledged", "I take it"), ("en-route", "On my way"), ("repaired", "Repaired")]
        }
        OrderState::Acknowledged => &[("en-route", "On my way"), ("repaired", "Repaired")],
        OrderState::EnRoute => &[("repaired", "Repaired")],
        OrderState::Repaired | OrderState::Verified | OrderState::Closed | OrderState::Cancelled => &[],
    };
    if moves.is_empty() {
        return String::new();
    }
    let buttons: Vec<String> = moves
        .iter()
        .map(|(word, label)| {
            let class = if *word == "repaired" { " class=\"last\"" } else { "" };
            format!("<button name=\"do\" value=\"{word}\"{class}>{label}</button>")
        })
        .collect();
    format!(
        "<form method=\"post\">\n<input type=\"hidden\" name=\"seen\" value=\"{}\">\n\
         <label for=\"note\">A note, if you like: what you found or did</label>\n\
         <textarea id=\"note\" name=\"note\" maxlength=\"2000\" dir=\"auto\"></textarea>\n{}\n</form>\n",
        order.history.len(),
        buttons.join("\n")
    )
}
