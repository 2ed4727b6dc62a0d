//! The one sentence of a rule, with places for figures: `{value}`, `{limit}`, `{for}`, `{unit}`, `{name}`, `{site}`.
//! Never fills them in.

use super::super::document::Item;
use super::super::spelling::{nearest, quoted};
use crate::domain::message::Kind;
use crate::domain::rule::{Condition, MetricRef};
use crate::domain::span_text;

/// Everything that can stand in braces.
const PLACES: &[&str] = &["value", "limit", "for", "unit", "name", "site"];
/// It becomes the subject of a mail.
const LONGEST: usize = 200;

/// None: something was noted.
pub fn read(item: &Item<'_>, condition: Option<&Condition>) -> Option<String> {
    let text = item.words()?;
    let mut fine = true;
    let mut wrong = |what: String| {
        item.wrong(what);
        fine = false;
    };
    if text.chars().count() > LONGEST {
        wrong(format!("is longer than {LONGEST} characters; shorten it, details belong into the order's action"));
    }
    if text.chars().any(char::is_control) {
        wrong("must be one line without control characters".to_owned());
    }
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let opened = rest[at..].starts_with('{');
        rest = &rest[at + 1..];
        let Some(end) = rest.find(['{', '}']).filter(|end| opened && rest[*end..].starts_with('}')) else {
            wrong("has a brace without its partner; write {value}, or use round brackets".to_owned());
            break;
        };
        let place = &rest[..end];
        rest = &rest[end + 1..];
        if !PLACES.contains(&place) {
            let braced: Vec<String> = PLACES.iter().map(|p| format!("{{{p}}}")).collect();
            let remedy = match nearest(place, PLACES.iter().copied()) {
                Some(word) => format!("did you mean {{{word}}}?"),
                None => format!("known are {}", braced.join(" ")),
            };
            wrong(format!("has an unknown place {}; {remedy}", quoted(&format!("{{{place}}}"))));
        } else if matches!(place, "value" | "limit") && condition.is_some_and(|c| !has_figures(c)) {
            wrong(format!("has {{{place}}}, but this rule's condition has no figure; drop it"));
        }
    }
    fine.then(|| text.to_owned())
}

fn has_figures(condition: &Condition) -> bool {
    match condition {
        Condition::Threshold { .. }
        | Condition::Baseline { .. }
        | Condition::Rate { .. }
        | Condition::Forecast { .. }
        | Condition::Count { .. } => true,
        Condition::Silent { .. } | Condition::Result { .. } | Condition::Overdue { .. } => false,
        Condition::All(parts) | Condition::Any(parts) => parts.iter().any(has_figures),
    }
}

/// For a rule without a sentence of its own.
pub fn of(condition: &Condition) -> String {
    match condition {
        Condition::Silent { kind, .. } => match kind {
            Kind::Power => "no power message for {for}".to_owned(),
            Kind::Heartbeat | Kind::Selftest | Kind::Press | Kind::Status | Kind::Reply => {
                format!("no {kind} for {{for}}")
            }
        },
        Condition::Threshold { metric, side, .. } => {
            let name = match metric {
                MetricRef::Known(m) => m.name().to_owned(),
                MetricRef::Vendor(name) => format!("x.{name}"),
            };
            format!("{name} is {{value}}, {side} {{limit}}")
        }
        Condition::Result { test, is, consecutive } => {
            let times = if *consecutive > 1 { format!(", {consecutive} times in a row") } else { String::new() };
            format!("self-test of the {test}: {is}{times}")
        }
        Condition::Count { event, within, .. } => format!("{event} {{value}} times within {}", span_text(*within)),
        Condition::Baseline { metric, side, .. } => format!("{metric} is {{value}}, {side} {{limit}}"),
        Condition::Rate { metric: MetricRef::Known(m), .. } => format!("{m} changes fast: {{value}}"),
        Condition::Rate { metric: MetricRef::Vendor(name), .. } => format!("x.{name} changes fast: {{value}}"),
        Condition::Forecast { metric, .. } => format!("{metric} will reach {{limit}}"),
        Condition::All(parts) => parts.iter().map(of).collect::<Vec<_>>().join("; and "),
        Condition::Any(parts) => parts.iter().map(of).collect::<Vec<_>>().join("; or "),
        Condition::Overdue { event, every, .. } => format!("no {event} for {}", span_text(*every)),
    }
}
