//! What was expected against what came. Owns the words in which a miss is told.

use std::time::Duration;

use crate::config::duration_text;
use crate::config::rule_test::{Expect, Expected, NothingOf, RuleTest, StandsAs, When, WhichOrder};
use crate::domain::{AlertState, EffectKind, Fleet, IncidentState, Order, OrderState, Subject, Timestamp, UnitId};
use crate::render::rule_test::{Miss, Moment};

use super::log::{Log, Track, concerns, is_about, line, order_text};
use super::members;

/// Of the timeline around a miss.
const BEFORE: usize = 6;
const AFTER: usize = 3;

/// Where and what it was instead.
struct Got {
    at: Timestamp,
    text: String,
}

/// None: it came as expected.
pub(super) fn judge(expect: &Expect, test: &RuleTest, fleet: &Fleet, log: &Log) -> Option<Miss> {
    let start = test.start;
    let (from, to) = match expect.when {
        When::At(at) => (start + at, start + at),
        When::Within { from, to } => (start + from, start + to),
    };
    let ids: Vec<UnitId> = match &expect.units {
        None => Vec::new(),
        Some(units) => members(units, fleet).into_iter().map(|ix| fleet.unit(ix).unit.clone()).collect(),
    };
    let needle = expect.reason_contains.as_deref();
    let offset = |at: Timestamp| duration_text(at.since(start));
    let (expected, got) = match &expect.what {
        Expected::Alert { rule, state } => {
            let text = |s: StandsAs| s.as_str().to_owned();
            let got = first_of(&ids, |unit| {
                let track = log.alert(unit, rule);
                off_track(&track, (from, to), |s| s == *state, needle, text, offset)
            });
            (format!("{rule} {}", state.as_str()), got)
        }
        Expected::Readiness(words) => {
            let text = |r: crate::domain::Readiness| r.as_str().to_owned();
            let got = first_of(&ids, |unit| {
                off_track(&log.readiness(unit), (from, to), |r| words.contains(&r), needle, text, offset)
            });
            (words.iter().map(|w| w.as_str()).collect::<Vec<_>>().join(" or "), got)
        }
        Expected::Incident { kind, name, open } => {
            let text = |open: bool| if open { "open" } else { "not open" }.to_owned();
            let track = log.incident(*kind, name.as_deref());
            let got = off_track(&track, (from, to), |o| o == *open, needle, text, offset);
            let state = if *open { "open" } else { "closed" };
            (format!("{kind} incident {}{state}", name.as_ref().map(|n| format!("{n} ")).unwrap_or_default()), got)
        }
        Expected::Order { which, count } => {
            let all = log.orders_at(to);
            let standing = |o: &&Order| which.state.map_or(o.state.is_open(), |state| o.state == state);
            let got = off_count(all.into_iter().filter(standing), which, *count, &ids, needle, to);
            (order_words(which, *count), got)
        }
        Expected::Opened { which, count } => {
            let got = off_count(log.opened_within(from, to).into_iter(), which, *count, &ids, needle, to);
            (format!("{} opened", order_words(which, *count)), got)
        }
        Expected::Mails(count) => {
            let came = log.effects.iter().filter(|e| e.at >= from && e.at <= to).filter(|e| match &e.kind {
                EffectKind::Mail(m) => ids.is_empty() || m.orders.iter().any(|o| ids.iter().any(|u| is_about(o, u))),
                _ => false,
            });
            let n = came.count();
            let got = (n != *count as usize).then(|| Got { at: to, text: mails(n) });
            (mails(*count as usize), got)
        }
        Expected::Reading { metric, above, below } => {
            let got = first_of(&ids, |unit| match log.reading(unit, *metric, to) {
                None => Some(Got { at: to, text: "no such reading yet".to_owned() }),
                Some((at, value)) => {
                    let fits = above.is_none_or(|a| value > a) && below.is_none_or(|b| value < b);
                    (!fits).then(|| Got { at: to, text: format!("{} since {}", metric.figure(value), offset(at)) })
                }
            });
            let side = |word: &str, limit: &Option<f64>| limit.map(|l| format!(" {word} {}", metric.figure(l)));
            let sides = [side("above", above), side("below", below)].into_iter().flatten().collect::<String>();
            (format!("{metric}{sides}"), got)
        }
        Expected::None(what) => {
            let came =
                log.effects.iter().filter(|e| e.at >= from && e.at <= to && concerns(e, &ids)).find(|e| {
                    match &e.kind {
                        EffectKind::Alert { state, .. } => {
                            what.contains(&NothingOf::Alerts)
                                && matches!(state, AlertState::Firing | AlertState::Inhibited)
                        }
                        EffectKind::Incident { state, .. } => {
                            what.contains(&NothingOf::Incidents) && *state == IncidentState::Open
                        }
                        EffectKind::Order(order) => {
                            what.contains(&NothingOf::Orders)
                                && matches!(order.state, OrderState::Opened | OrderState::Reopened)
                        }
                        EffectKind::Mail(_) => what.contains(&NothingOf::Mails),
                        EffectKind::Readiness { .. }
                        | EffectKind::OrderUpdated(_)
                        | EffectKind::Command { .. }
                        | EffectKind::Reading { .. }
                        | EffectKind::Refused { .. } => false,
                    }
                });
            let got =
                came.map(|e| Got { at: e.at, text: format!("at {}: {}", offset(e.at), line(e).unwrap_or_default()) });
            let words: Vec<&str> = what.iter().map(|w| w.as_str()).collect();
            (format!("no {}", words.join(", no ")), got)
        }
    };
    let got = got?;
    let who = match ids.as_slice() {
        [] => String::new(),
        [one] => format!("{one} "),
        several => format!("{} and {} more: ", several[0], several.len() - 1),
    };
    let because = needle.map(|n| format!(", because of {n:?}")).unwrap_or_default();
    let when = match expect.when {
        When::At(at) => format!("at {}", duration_text(at)),
        When::Within { from, to } => format!("from {} to {}", duration_text(from), duration_text(to)),
    };
    Some(Miss {
        line: expect.line,
        expected: format!("{who}{expected}{because}, {when}"),
        got: got.text,
        around: around(log, &ids, got.at, start),
    })
}

fn mails(n: usize) -> String {
    if n == 1 { "1 mail".to_owned() } else { format!("{n} mails") }
}

fn first_of(ids: &[UnitId], mut off: impl FnMut(&UnitId) -> Option<Got>) -> Option<Got> {
    let many = ids.len() > 1;
    ids.iter().find_map(|id| {
        let got = off(id)?;
        Some(if many { Got { text: format!("{id}: {}", got.text), ..got } } else { got })
    })
}

/// The first moment of the span at which the state is another, or has another reason.
fn off_track<S: Copy>(
    track: &Track<S>,
    (from, to): (Timestamp, Timestamp),
    fits: impl Fn(S) -> bool,
    needle: Option<&str>,
    text: impl Fn(S) -> String,
    offset: impl Fn(Timestamp) -> String,
) -> Option<Got> {
    let inside = track.changes.iter().map(|(t, _, _)| *t).filter(|t| *t > from && *t <= to);
    std::iter::once(from).chain(inside).find_map(|at| {
        let (since, state, reason) = track.at(at);
        if fits(state) && needle.is_none_or(|n| reason.contains(n)) {
            return None;
        }
        let since = match since {
            Some(since) => format!(" since {}: {reason}", offset(since)),
            None => " from the start".to_owned(),
        };
        Some(Got { at, text: format!("{}{since}", text(state)) })
    })
}

fn off_count<'o>(
    orders: impl Iterator<Item = &'o Order>,
    which: &WhichOrder,
    count: u32,
    ids: &[UnitId],
    needle: Option<&str>,
    at: Timestamp,
) -> Option<Got> {
    let about = |o: &&Order| match (&o.subject, &which.incident) {
        (Subject::Incident { name, .. }, Some(wanted)) => name.as_str() == wanted,
        (Subject::Unit { .. }, Some(_)) => false,
        (_, None) => ids.is_empty() || ids.iter().any(|u| is_about(o, u)),
    };
    let (fit, other): (Vec<&Order>, Vec<&Order>) =
        orders.filter(about).partition(|o| is_such(o, which) && needle.is_none_or(|n| says(o, n)));
    if fit.len() == count as usize {
        return None;
    }
    let list = |orders: &[&Order]| orders.iter().map(|o| order_text(o)).collect::<Vec<_>>().join("; ");
    let text = match (fit.is_empty(), other.is_empty()) {
        (true, true) => "no order".to_owned(),
        (false, _) => format!("{}: {}", fit.len(), list(&fit)),
        (true, false) => format!("none such, but {}", list(&other)),
    };
    Some(Got { at, text })
}

fn is_such(order: &Order, which: &WhichOrder) -> bool {
    let component = match &order.subject {
        Subject::Unit { component, .. } => Some(*component),
        Subject::Incident { .. } => None,
    };
    let surest = order.suspects.iter().max_by_key(|s| s.certainty).map(|s| s.component);
    which.component.is_none_or(|c| component == Some(c))
        && which.priority.is_none_or(|p| order.priority == p)
        && which.suspect.is_none_or(|c| surest == Some(c))
}

fn says(order: &Order, needle: &str) -> bool {
    order.summary.contains(needle)
        || order.evidence.iter().any(|e| e.to_string().contains(needle))
        || order.history.iter().any(|c| c.why.to_string().contains(needle))
}

fn order_words(which: &WhichOrder, count: u32) -> String {
    let mut words = Vec::new();
    words.extend(which.state.map(|s| s.to_string()));
    words.extend(which.priority.map(|p| p.to_string()));
    words.extend(which.component.map(|c| c.to_string()));
    words.extend(which.incident.as_ref().map(|i| format!("{i} incident")));
    words.push(if count == 1 { "order" } else { "orders" }.to_owned());
    words.extend(which.suspect.map(|c| format!("that suspects the {c}")));
    format!("{count} {}", words.join(" "))
}

fn around(log: &Log, ids: &[UnitId], at: Timestamp, start: Timestamp) -> Vec<Moment> {
    let lines: Vec<(Timestamp, String)> =
        log.effects.iter().filter(|e| concerns(e, ids)).filter_map(|e| Some((e.at, line(e)?))).collect();
    let split = lines.partition_point(|(t, _)| *t <= at);
    let shown = &lines[split.saturating_sub(BEFORE)..(split + AFTER).min(lines.len())];
    let moment = |(t, text): &(Timestamp, String)| {
        let after: Duration = t.since(start);
        Moment { at: *t, after_ms: after.as_millis() as u64, text: text.clone() }
    };
    shown.iter().map(moment).collect()
}
