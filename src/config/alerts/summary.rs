//! The one sentence of a rule, with places for figures: `{value}`, `{limit}`, `{date}`, `{for}`, `{unit}`, `{name}`,
//! `{site}`. Never fills them in.

use super::super::document::Item;
use super::super::spelling::{nearest, quoted};
use crate::domain::message::Kind;
use crate::domain::metric::plain_number;
use crate::domain::rule::{Condition, Distance, ForecastLimit, MetricRef, Side};
use crate::domain::{Metric, span_text};

/// Everything that can stand in braces.
const PLACES: &[&str] = &["value", "limit", "date", "for", "unit", "name", "site"];
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
        } else if matches!(place, "value" | "limit") && condition.is_some_and(|c| !always(c, has_figures)) {
            wrong(match condition {
                Some(Condition::Any(_)) => {
                    format!("has {{{place}}}, but not every part of any has a figure; drop it")
                }
                Some(_) | None => format!("has {{{place}}}, but this rule's condition has no figure; drop it"),
            });
        } else if place == "date" && condition.is_some_and(|c| !always(c, is_foreseen)) {
            wrong("has {date}, but only a forecast has a date; drop it".to_owned());
        }
    }
    fine.then(|| text.to_owned())
}

/// Whenever the condition holds, one of the signs that hold is such a one.
fn always(condition: &Condition, is_such: fn(&Condition) -> bool) -> bool {
    match condition {
        Condition::All(parts) => parts.iter().any(|part| always(part, is_such)),
        Condition::Any(parts) => parts.iter().all(|part| always(part, is_such)),
        Condition::Silent { .. }
        | Condition::Threshold { .. }
        | Condition::Baseline { .. }
        | Condition::Rate { .. }
        | Condition::Forecast { .. }
        | Condition::Result { .. }
        | Condition::Count { .. }
        | Condition::Overdue { .. } => is_such(condition),
    }
}

fn has_figures(sign: &Condition) -> bool {
    match sign {
        Condition::Threshold { .. }
        | Condition::Baseline { .. }
        | Condition::Rate { .. }
        | Condition::Forecast { .. }
        | Condition::Count { .. } => true,
        Condition::Silent { .. }
        | Condition::Result { .. }
        | Condition::Overdue { .. }
        | Condition::All(_)
        | Condition::Any(_) => false,
    }
}

fn is_foreseen(sign: &Condition) -> bool {
    matches!(sign, Condition::Forecast { .. })
}

fn name(metric: &MetricRef) -> String {
    match metric {
        MetricRef::Known(m) => m.name().to_owned(),
        MetricRef::Vendor(name) => format!("x.{name}"),
    }
}

/// For a rule without a sentence of its own.
pub fn of(condition: &Condition) -> String {
    match condition {
        Condition::Silent { .. } => format!("{} for {{for}}", words(condition)),
        Condition::Threshold { metric, side, .. } => format!("{} is {{value}}, {side} {{limit}}", name(metric)),
        Condition::Baseline { metric, side, .. } => {
            format!("{metric} is {{value}}, {side} this unit's limit of {{limit}}")
        }
        Condition::Rate { metric, side, .. } => format!("{} changes by {{value}}, {side} {{limit}}", name(metric)),
        Condition::Forecast { metric, side, .. } => format!("{metric} will be {side} {{limit}} on {{date}}"),
        Condition::Result { .. } | Condition::Overdue { .. } => words(condition),
        Condition::Count { event, within, .. } => format!("{event} {{value}} times within {}", span_text(*within)),
        Condition::All(_) | Condition::Any(_) => {
            let all = words(condition);
            if all.chars().count() <= LONGEST {
                return all;
            }
            let leaves = condition.leaves();
            let first = leaves.first().map(|leaf| words(leaf)).unwrap_or_default();
            let others = leaves.len().saturating_sub(1);
            let or = if matches!(condition, Condition::Any(_)) { "or one of" } else { "with" };
            format!("{first}, {or} {others} other signs")
        }
    }
}

/// The condition itself, as a part of a sentence. Each part of several has figures of its own, so there are no places.
fn words(condition: &Condition) -> String {
    let joined = |parts: &[Condition], word: &str| {
        let part = |c: &Condition| if c.is_combined() { format!("({})", words(c)) } else { words(c) };
        parts.iter().map(part).collect::<Vec<_>>().join(word)
    };
    let figure = |metric: &MetricRef, value: f64| match metric {
        MetricRef::Known(m) if !m.facts().unit.is_empty() => format!("{} {}", plain_number(value), m.facts().unit),
        MetricRef::Known(_) | MetricRef::Vendor(_) => plain_number(value),
    };
    let of_its_own = |distance: Distance, side: Side, metric: Metric| match distance {
        Distance::Share(share) => format!("{side} {} % of its commissioning value", plain_number(share * 100.0)),
        Distance::Gap(gap) => format!("{} {side} its commissioning value", figure(&MetricRef::Known(metric), gap)),
    };
    match condition {
        Condition::Silent { kind, .. } => match kind {
            Kind::Power => "no power message".to_owned(),
            Kind::Heartbeat | Kind::Selftest | Kind::Press | Kind::Status | Kind::Reply => format!("no {kind}"),
        },
        Condition::Threshold { metric, side, limit, .. } => {
            format!("{} {side} {}", name(metric), figure(metric, *limit))
        }
        Condition::Baseline { metric, side, limit, .. } => format!("{metric} {}", of_its_own(*limit, *side, *metric)),
        Condition::Rate { metric, side, limit, per, .. } => {
            let way = match side {
                Side::Below => "falls",
                Side::Above => "rises",
            };
            format!("{} {way} by {} in {}", name(metric), figure(metric, limit.abs()), span_text(*per))
        }
        Condition::Forecast { metric, side, limit, .. } => match limit {
            ForecastLimit::Fixed(limit) => {
                format!("{metric} soon {side} {}", figure(&MetricRef::Known(*metric), *limit))
            }
            ForecastLimit::Baseline(distance) => format!("{metric} soon {}", of_its_own(*distance, *side, *metric)),
        },
        Condition::Result { test, is, consecutive } => {
            let times = if *consecutive > 1 { format!(", {consecutive} times in a row") } else { String::new() };
            format!("self-test of the {test}: {is}{times}")
        }
        Condition::Count { event, at_least, within } => {
            format!("{event} {at_least} times within {}", span_text(*within))
        }
        Condition::Overdue { event, every, .. } => format!("no {event} for {}", span_text(*every)),
        Condition::All(parts) => joined(parts, " and "),
        Condition::Any(parts) => joined(parts, " or "),
    }
}
