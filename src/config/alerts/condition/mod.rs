//! The conditions a rule can have: one row of [`KINDS`] and one function each. A new kind is one more of both.
//!
//! Limits are in `limit`, rates and forecasts in `trend`, `all` and `any` in `together`. Never evaluates a condition.

mod limit;
mod together;
mod trend;

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::document::{Block, Item};
use super::super::duration::{DAY, MINUTE, SECOND};
use super::super::spelling::nearest;
use super::{LONGEST_WINDOW, RULE_KEYS};
use crate::domain::Outcome;
use crate::domain::message::Kind as MessageKind;
use crate::domain::rule::{Condition, OverdueFrom};

pub use limit::{limits, unless};

/// One way to say when a rule applies.
struct Kind {
    /// Any of these keys makes the rule one of this kind.
    signs: &'static [&'static str],
    /// What may stand beside them.
    beside: &'static [&'static str],
    /// Inside its group: what it is about. An override changes limits, not this.
    about: Option<&'static str>,
    read: Reader,
}

enum Reader {
    Single(fn(&Block<'_>, Place) -> Option<Condition>),
    Together(fn(Vec<Condition>) -> Condition),
}

/// Where a condition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Rule,
    /// In `all`, `any` or `unless`.
    Part,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Place::Rule => "rule",
            Place::Part => "part",
        })
    }
}

const KINDS: &[Kind] = &[
    Kind { signs: &["silent"], beside: &[], about: None, read: Reader::Single(silent) },
    Kind {
        signs: &["below", "above"],
        beside: &["metric", "clear_above", "clear_below", "consecutive"],
        about: None,
        read: Reader::Single(limit::threshold),
    },
    Kind {
        signs: &["below_baseline", "above_baseline"],
        beside: &["metric", "clear_above_baseline", "clear_below_baseline", "consecutive"],
        about: None,
        read: Reader::Single(limit::baseline),
    },
    Kind { signs: &["rate"], beside: &["metric"], about: None, read: Reader::Single(trend::rate) },
    Kind { signs: &["forecast"], beside: &[], about: Some("metric"), read: Reader::Single(trend::forecast) },
    Kind { signs: &["result"], beside: &[], about: Some("test"), read: Reader::Single(result) },
    Kind { signs: &["count"], beside: &[], about: Some("event"), read: Reader::Single(count) },
    Kind { signs: &["overdue"], beside: &[], about: Some("event"), read: Reader::Single(overdue) },
    Kind { signs: &["all"], beside: &[], about: None, read: Reader::Together(Condition::All) },
    Kind { signs: &["any"], beside: &[], about: None, read: Reader::Together(Condition::Any) },
];

/// So many bad results or readings in a row; more is a rule that never fires.
const IN_A_ROW: RangeInclusive<u32> = 1..=1_000;
/// A window of so many events is kept per unit, so it must stay small.
const COUNTED: RangeInclusive<u32> = 1..=1_000;

fn kind_keys() -> impl Iterator<Item = &'static str> {
    KINDS.iter().flat_map(|k| k.signs.iter().chain(k.beside)).copied()
}

/// `RULE_KEYS` with those of the conditions, each once.
fn all_keys(others: &[&'static str]) -> Vec<&'static str> {
    let mut known = others.to_vec();
    for key in kind_keys() {
        if !known.contains(&key) {
            known.push(key);
        }
    }
    known
}

/// Notes keys that no rule has.
pub fn only_rule_keys(block: &Block<'_>) {
    let known = all_keys(RULE_KEYS);
    block.only_keys(&known, |key| match key {
        "overrides" => Some("write each as its own [[rule.override]] below the rule".to_owned()),
        "clear" | "hysteresis" => Some("write clear_above beside below, clear_below beside above".to_owned()),
        "name" => Some("a rule is named by its id".to_owned()),
        "priority" | "action" | "parts" | "suspects" | "crew" | "after" | "per_site" => {
            Some(format!("it belongs into the order: order = {{ {key} = … }}"))
        }
        "site_type" | "site" | "city" | "model" | "unit" => {
            Some(format!("it belongs into only = {{ {key} = [\"…\"] }}"))
        }
        _ if nearest(key, known.iter().copied()).is_none() => {
            Some(format!("the keys of a rule are: {}", known.join(", ")))
        }
        _ => None,
    });
}

/// Notes keys that an override cannot change.
pub fn only_override_keys(upper: &Block<'_>, base: &Block<'_>) {
    let own = present(base);
    let mut known = vec!["only", "for", "clear_for"];
    let single = own.iter().filter(|k| matches!(k.read, Reader::Single(_)));
    known.extend(single.flat_map(|k| k.signs.iter().chain(k.beside)).filter(|key| **key != "metric"));
    const TO_THE_RULE: &str =
        "belongs to the rule itself: move it above [[rule.override]], or make this a rule of its own";
    upper.only_keys(&known, |key| {
        if key == "metric" || RULE_KEYS.contains(&key) {
            Some(format!("it {TO_THE_RULE}"))
        } else if own.iter().any(|k| k.signs.contains(&key)) {
            Some(
                "the parts of a combined condition cannot be changed; make this a rule of its own, with only"
                    .to_owned(),
            )
        } else if kind_keys().any(|k| k == key) {
            Some("the rule has another condition; make this a rule of its own".to_owned())
        } else {
            None
        }
    });
    for item in abouts(upper) {
        item.wrong(TO_THE_RULE);
    }
}

/// Does the override keep to its rule's kind of condition? (If not, [`only_override_keys`] has noted it.)
pub fn fits(upper: &Block<'_>, base: &Block<'_>) -> bool {
    let own = present(base);
    let single = |kind: &&Kind| matches!(kind.read, Reader::Single(_));
    let kept = present(upper).iter().all(|kind| own.iter().any(|k| std::ptr::eq(*k, *kind)) && single(kind));
    !upper.has("metric") && kept && abouts(upper).is_empty()
}

/// What an override would change that its rule is about: `forecast.metric`, `result.test`.
fn abouts<'a>(upper: &Block<'a>) -> Vec<Item<'a>> {
    let about = |kind: &&Kind| {
        let group = kind.signs.iter().find_map(|sign| upper.get(sign)).filter(Item::is_group)?;
        group.block()?.get(kind.about?)
    };
    present(upper).iter().filter_map(about).collect()
}

fn present(block: &Block<'_>) -> Vec<&'static Kind> {
    KINDS.iter().filter(|k| k.signs.iter().any(|sign| block.has(sign))).collect()
}

/// The rule's one condition. None: something was noted.
pub fn read(block: &Block<'_>) -> Option<Condition> {
    read_at(block, Place::Rule, 1)
}

/// One part of `around`, which is `all` or `any`.
fn read_part(block: &Block<'_>, around: &str, depth: usize) -> Option<Condition> {
    block.only_keys(&all_keys(&[]), |key| {
        if matches!(key, "for" | "clear_for") {
            Some(format!("it counts for the whole rule; write it beside {around}"))
        } else if RULE_KEYS.contains(&key) {
            Some(format!("it belongs to the rule, not to a part of {around}"))
        } else {
            None
        }
    });
    read_at(block, Place::Part, depth)
}

fn read_at(block: &Block<'_>, place: Place, depth: usize) -> Option<Condition> {
    let kinds = present(block);
    let kind = match kinds.as_slice() {
        [kind] => kind,
        [] => {
            if block.has("metric") {
                block.wrong(
                    "metric has no limit; add below or above with a number, below_baseline or above_baseline, or rate",
                );
            } else {
                block.wrong(
                    "it has no condition; add one of: silent, metric with below or above, result, count, overdue, rate, forecast, all, any",
                );
            }
            return None;
        }
        several => {
            let keys: Vec<&str> =
                several.iter().flat_map(|k| k.signs).copied().filter(|sign| block.has(sign)).collect();
            let or = match several.iter().any(|k| matches!(k.read, Reader::Together(_))) {
                true => "or put one inside the other",
                false => "or put them into all = [ … ] or any = [ … ]",
            };
            block.wrong(format_args!(
                "it has several conditions ({}); a {place} has one: make a {place} of each, {or}",
                keys.join(", ")
            ));
            return None;
        }
    };
    for key in kind_keys() {
        if let Some(item) = block.get(key)
            && !kind.signs.contains(&key)
            && !kind.beside.contains(&key)
        {
            item.wrong(misplaced(key, kind));
        }
    }
    match kind.read {
        Reader::Single(read) => read(block, place),
        Reader::Together(make) => {
            let key = kind.signs.first().copied().expect("every kind has a sign");
            together::parts(block, key, depth).map(make)
        }
    }
}

fn misplaced(key: &str, kind: &Kind) -> String {
    let signs = kind.signs.join(" or ");
    let baseline = format!("{key}_baseline");
    match kind.about {
        Some(about) if about == key => format!("belongs into {signs}: {signs} = {{ {key} = …, … }}"),
        Some(_) | None if kind.beside.contains(&baseline.as_str()) => {
            format!("does not go with {signs}; write {baseline}")
        }
        Some(_) | None => match kind.read {
            Reader::Together(_) => format!("has no meaning beside {signs}; write it into a part, or drop it"),
            Reader::Single(_) => format!("has no meaning beside {signs}; drop it"),
        },
    }
}

fn silent(block: &Block<'_>, _: Place) -> Option<Condition> {
    let inner = block.sub("silent")?;
    inner.only_keys(&["kind", "missed", "slack"], |_| None);
    let kind = match inner.get("kind") {
        Some(item) => item.word().filter(|kind| is_periodic(*kind, &item)),
        None => Some(MessageKind::Heartbeat),
    };
    let missed =
        inner.need("missed", "say after how many missed intervals, such as missed = 3").and_then(|i| i.whole(IN_A_ROW));
    let slack = match inner.get("slack") {
        Some(item) => item.span_or_zero(SECOND..=DAY).map(Some),
        None => Some(None),
    };
    Some(Condition::Silent { kind: kind?, missed: missed?, slack: slack? })
}

/// Only what comes by itself at an interval can be missed.
fn is_periodic(kind: MessageKind, item: &Item<'_>) -> bool {
    match kind {
        MessageKind::Heartbeat | MessageKind::Power => true,
        MessageKind::Selftest => {
            item.wrong("cannot be \"selftest\": tests have no interval; write overdue = { event = \"selftest\", every = \"36h\" }");
            false
        }
        MessageKind::Press => {
            item.wrong("cannot be \"press\": nobody presses at an interval; write overdue = { event = \"press-test\", every = \"30d\" }");
            false
        }
        MessageKind::Status | MessageKind::Reply => {
            item.wrong(format_args!(
                "cannot be \"{kind}\": it is not sent at an interval; write \"heartbeat\" or \"power\""
            ));
            false
        }
    }
}

fn result(block: &Block<'_>, _: Place) -> Option<Condition> {
    let inner = block.sub("result")?;
    inner.only_keys(&["test", "is", "consecutive"], |_| None);
    let test = inner.need("test", "say which self-test, such as test = \"camera\"").and_then(|i| i.word());
    let is = match inner.get("is") {
        Some(item) => item.word::<Outcome>().filter(|is| {
            if *is == Outcome::Pass {
                item.wrong("cannot be \"pass\": a test that passes is no fault; write \"fail\"");
            }
            *is != Outcome::Pass
        }),
        None => Some(Outcome::Fail),
    };
    let consecutive = limit::consecutive(&inner);
    Some(Condition::Result { test: test?, is: is?, consecutive: consecutive? })
}

fn count(block: &Block<'_>, _: Place) -> Option<Condition> {
    let inner = block.sub("count")?;
    inner.only_keys(&["event", "at_least", "within"], |_| None);
    let event = inner.need("event", "say what is counted, such as event = \"boot\"").and_then(|i| i.word());
    let at_least = inner.need("at_least", "say how many, such as at_least = 3").and_then(|i| i.whole(COUNTED));
    let within = inner
        .need("within", "say in what time, such as within = \"1h\"")
        .and_then(|i| i.span(SECOND * 10..=LONGEST_WINDOW));
    Some(Condition::Count { event: event?, at_least: at_least?, within: within? })
}

fn overdue(block: &Block<'_>, _: Place) -> Option<Condition> {
    /// Nothing on a unit is tested more rarely than every few years.
    const RAREST: Duration = Duration::from_secs(5 * 366 * 86_400);
    let inner = block.sub("overdue")?;
    inner.only_keys(&["event", "every", "from"], |_| None);
    let event = inner.need("event", "say what must happen, such as event = \"press-test\"").and_then(|i| i.word());
    let every = inner.need("every", "say how often, such as every = \"30d\"").and_then(|i| i.span(MINUTE..=RAREST));
    let from = match inner.get("from") {
        Some(item) => item.word(),
        None => Some(OverdueFrom::Service),
    };
    Some(Condition::Overdue { event: event?, every: every?, from: from? })
}
