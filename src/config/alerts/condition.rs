//! The conditions a rule can have: one row of [`KINDS`] and one function each. A new kind is one more of both.
//! Never evaluates a condition.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::document::{Block, Item};
use super::super::duration::{DAY, MINUTE, SECOND, parse_duration};
use super::super::spelling::{nearest, quoted};
use super::{LONGEST_WINDOW, RULE_KEYS};
use crate::domain::message::Kind as MessageKind;
use crate::domain::metric::{MetricFacts, plain_number};
use crate::domain::rule::{Condition, MetricRef, OverdueFrom, Side};
use crate::domain::{Metric, Outcome};

/// One way to say when a rule applies.
struct Kind {
    /// Any of these keys makes the rule one of this kind.
    signs: &'static [&'static str],
    /// What may stand beside them.
    beside: &'static [&'static str],
    read: Reader,
}

enum Reader {
    Now(fn(&Block<'_>) -> Option<Condition>),
    /// Described in the design, not built yet.
    NotYet,
}

const KINDS: &[Kind] = &[
    Kind { signs: &["silent"], beside: &[], read: Reader::Now(silent) },
    Kind {
        signs: &["below", "above"],
        beside: &["metric", "clear_above", "clear_below", "consecutive"],
        read: Reader::Now(threshold),
    },
    Kind { signs: &["result"], beside: &[], read: Reader::Now(result) },
    Kind { signs: &["count"], beside: &[], read: Reader::Now(count) },
    Kind { signs: &["overdue"], beside: &[], read: Reader::Now(overdue) },
    Kind { signs: &["below_baseline", "above_baseline"], beside: &["metric", "consecutive"], read: Reader::NotYet },
    Kind { signs: &["forecast"], beside: &[], read: Reader::NotYet },
    Kind { signs: &["rate"], beside: &["metric"], read: Reader::NotYet },
    Kind { signs: &["all"], beside: &[], read: Reader::NotYet },
    Kind { signs: &["any"], beside: &[], read: Reader::NotYet },
];

/// So many bad results or readings in a row; more is a rule that never fires.
const IN_A_ROW: RangeInclusive<u32> = 1..=1_000;
/// A window of so many events is kept per unit, so it must stay small.
const COUNTED: RangeInclusive<u32> = 1..=1_000;

fn kind_keys() -> impl Iterator<Item = &'static str> {
    KINDS.iter().flat_map(|k| k.signs.iter().chain(k.beside)).copied()
}

/// Notes keys that no rule has.
pub fn only_rule_keys(block: &Block<'_>) {
    let mut known: Vec<&str> = RULE_KEYS.to_vec();
    for key in kind_keys() {
        if !known.contains(&key) {
            known.push(key);
        }
    }
    block.only_keys(&known, |key| match key {
        "overrides" => Some("write each as its own [[rule.override]] below the rule".to_owned()),
        "clear" | "hysteresis" => Some("write clear_above beside below, clear_below beside above".to_owned()),
        "name" => Some("a rule is named by its id".to_owned()),
        "priority" | "action" | "parts" | "suspects" | "crew" | "after" => {
            Some(format!("it belongs into the order: order = {{ {key} = … }}"))
        }
        "site_type" | "site" | "city" | "model" | "unit" => {
            Some(format!("it belongs into only = {{ {key} = [\"…\"] }}"))
        }
        _ if nearest(key, known.iter().copied()).is_none() => {
            let built = KINDS.iter().filter(|k| matches!(k.read, Reader::Now(_)));
            let mut keys: Vec<&str> = RULE_KEYS.to_vec();
            keys.extend(built.flat_map(|k| k.signs.iter().chain(k.beside)));
            Some(format!("the keys of a rule are: {}", keys.join(", ")))
        }
        _ => None,
    });
}

/// Notes keys that an override cannot change.
pub fn only_override_keys(upper: &Block<'_>, base: &Block<'_>) {
    let own = present(base);
    let mut known = vec!["only", "for", "clear_for"];
    known.extend(own.iter().flat_map(|k| k.signs.iter().chain(k.beside)).filter(|key| **key != "metric"));
    upper.only_keys(&known, |key| {
        if key == "metric" || RULE_KEYS.contains(&key) {
            Some(
                "it belongs to the rule itself: move it above [[rule.override]], or make this a rule of its own"
                    .to_owned(),
            )
        } else if kind_keys().any(|k| k == key) {
            Some("the rule has another condition; make this a rule of its own".to_owned())
        } else {
            None
        }
    });
}

/// Does the override keep to its rule's kind of condition? (If not, [`only_override_keys`] has noted it.)
pub fn fits(upper: &Block<'_>, base: &Block<'_>) -> bool {
    let own = present(base);
    !upper.has("metric") && present(upper).iter().all(|kind| own.iter().any(|k| std::ptr::eq(*k, *kind)))
}

fn present(block: &Block<'_>) -> Vec<&'static Kind> {
    KINDS.iter().filter(|k| k.signs.iter().any(|sign| block.has(sign))).collect()
}

/// The rule's one condition. None: something was noted.
pub fn read(block: &Block<'_>) -> Option<Condition> {
    let kinds = present(block);
    let kind = match kinds.as_slice() {
        [kind] => kind,
        [] => {
            if block.has("metric") {
                block.wrong("metric has no limit; add below or above with a number");
            } else {
                block.wrong(
                    "it has no condition; add one of: silent, metric with below or above, result, count, overdue",
                );
            }
            return None;
        }
        several => {
            let keys: Vec<&str> =
                several.iter().flat_map(|k| k.signs).copied().filter(|sign| block.has(sign)).collect();
            block.wrong(format_args!(
                "it has several conditions ({}); a rule has one: make a rule of each",
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
            item.wrong(format_args!("has no meaning beside {}; drop it", kind.signs.join(" or ")));
        }
    }
    match kind.read {
        Reader::Now(read) => read(block),
        Reader::NotYet => {
            for item in kind.signs.iter().filter_map(|sign| block.get(sign)) {
                item.wrong("is not supported yet; take this rule out for now");
            }
            None
        }
    }
}

fn silent(block: &Block<'_>) -> Option<Condition> {
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

/// What the limits of a metric must obey; a vendor's metric only has to be a number.
struct Scale {
    name: String,
    facts: Option<&'static MetricFacts>,
}

impl Scale {
    fn figure(&self, value: f64) -> String {
        let unit = self.unit();
        if unit.is_empty() { plain_number(value) } else { format!("{} {unit}", plain_number(value)) }
    }
    fn unit(&self) -> &'static str {
        self.facts.map_or("", |f| f.unit)
    }
    /// How many of the metric's unit are one second. None: it is no time.
    fn per_second(&self) -> Option<f64> {
        match self.unit() {
            "ms" => Some(1000.0),
            "s" => Some(1.0),
            "h" => Some(1.0 / 3600.0),
            _ => None,
        }
    }
    /// A number; or text with the metric's own unit (`"11.6 V"`), or a span where the metric is a time (`"36h"`).
    fn limit(&self, item: &Item<'_>) -> Option<f64> {
        let value = match item.as_text() {
            Some(text) if text.trim().parse::<f64>().is_err() => match self.with_unit(text.trim()) {
                Some(value) => value,
                None => {
                    let unit = self.unit();
                    let remedy = match (unit, self.per_second()) {
                        ("", _) => "write a plain number without quotes".to_owned(),
                        (_, Some(_)) => format!("write a number of {unit} without quotes, or a span such as \"36h\""),
                        (unit, None) => format!("write a number of {unit} without quotes"),
                    };
                    item.wrong(format_args!("is no limit for {}{}; {remedy}", self.name, item.got()));
                    return None;
                }
            },
            Some(_) | None => item.number()?,
        };
        match self.facts {
            Some(f) if value < f.min || value > f.max => {
                let range = format!("{} to {}", plain_number(f.min), self.figure(f.max));
                item.wrong(format_args!("must be within what {} can be, {range}{}", self.name, item.got()));
                None
            }
            Some(_) | None => Some(value),
        }
    }
    fn with_unit(&self, text: &str) -> Option<f64> {
        if let Some(per_second) = self.per_second() {
            let (sign, span) = text.strip_prefix('-').map_or((1.0, text), |rest| (-1.0, rest));
            return parse_duration(span).map(|span| sign * span.as_secs_f64() * per_second);
        }
        let number = text.to_lowercase();
        let number = number.strip_suffix(&self.unit().to_lowercase()).filter(|_| !self.unit().is_empty())?;
        number.trim_end().parse::<f64>().ok().filter(|n| n.is_finite())
    }
}

fn threshold(block: &Block<'_>) -> Option<Condition> {
    let metric = block
        .need("metric", "say which reading is limited, such as metric = \"battery.voltage\"")
        .and_then(|i| metric(&i));
    let consecutive = match block.get("consecutive") {
        Some(item) => item.whole(IN_A_ROW),
        None => Some(1),
    };
    if let (Some(below), Some(above)) = (block.get("below"), block.get("above")) {
        let (item, other) = if above.line >= below.line { (above, below) } else { (below, above) };
        item.wrong(format_args!(
            "stands beside {} of line {}; a rule has one limit: make a rule of each",
            other.key, other.line
        ));
        return None;
    }
    let side = if block.has("below") { Side::Below } else { Side::Above };
    let (limit_key, clear_key, wrong_key, farther) = match side {
        Side::Below => ("below", "clear_above", "clear_below", "raise"),
        Side::Above => ("above", "clear_below", "clear_above", "lower"),
    };
    if let Some(item) = block.get(wrong_key) {
        item.wrong(format_args!("does not go with {limit_key}; write {clear_key}"));
    }
    // Without its metric a limit cannot be judged; the missing metric is noted already.
    let metric = metric?;
    let scale = match &metric {
        MetricRef::Known(m) => Scale { name: m.name().to_owned(), facts: Some(m.facts()) },
        MetricRef::Vendor(name) => Scale { name: format!("x.{name}"), facts: None },
    };
    let limit_item = block.get(limit_key)?;
    let limit = scale.limit(&limit_item);
    if let (Some(limit), Some(facts)) = (limit, scale.facts) {
        let end = match side {
            Side::Below => facts.min,
            Side::Above => facts.max,
        };
        if limit == end {
            let figure = scale.figure(limit);
            limit_item
                .wrong(format_args!("can never be true: {} is never {side} {figure}; move the limit", scale.name));
        }
    }
    let clear = match block.get(clear_key) {
        None => limit,
        Some(item) => {
            let clear = scale.limit(&item);
            // The clear limit must lie on the good side: a reading could be bad and good at once otherwise.
            if let (Some(limit), Some(clear)) = (limit, clear)
                && side.beyond(clear, limit)
            {
                let good = match side {
                    Side::Below => "above",
                    Side::Above => "below",
                };
                let got = plain_number(clear);
                if !item.stands_with(&limit_item) && limit_item.line > item.line {
                    limit_item.wrong(format_args!(
                        "needs a {clear_key} beside it, {good} {}: the rule's own is {got} (line {})",
                        scale.figure(limit),
                        item.line
                    ));
                    return None;
                }
                item.wrong(format_args!("must be {good} {} (got {got}); {farther} it or drop it", scale.figure(limit)));
            }
            clear
        }
    };
    Some(Condition::Threshold { metric, side, limit: limit?, clear: clear?, consecutive: consecutive? })
}

fn metric(item: &Item<'_>) -> Option<MetricRef> {
    let text = item.words()?;
    if let Some(name) = text.strip_prefix("x.") {
        let fits = !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        if !fits {
            item.wrong(format_args!("cannot be {}; a vendor's metric is x. and letters, digits, _ - .", quoted(text)));
            return None;
        }
        return Some(MetricRef::Vendor(name.into()));
    }
    match text.parse::<Metric>() {
        Ok(metric) => Some(MetricRef::Known(metric)),
        Err(unknown) => {
            let remedy = match nearest(text, unknown.known.iter().copied()) {
                Some(word) => format!("did you mean \"{word}\"?"),
                None => format!("known are {}, and a vendor's own as x.<name>", unknown.known.join(", ")),
            };
            item.wrong(format_args!("cannot be {}; {remedy}", quoted(text)));
            None
        }
    }
}

fn result(block: &Block<'_>) -> Option<Condition> {
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
    let consecutive = match inner.get("consecutive") {
        Some(item) => item.whole(IN_A_ROW),
        None => Some(1),
    };
    Some(Condition::Result { test: test?, is: is?, consecutive: consecutive? })
}

fn count(block: &Block<'_>) -> Option<Condition> {
    let inner = block.sub("count")?;
    inner.only_keys(&["event", "at_least", "within"], |_| None);
    let event = inner.need("event", "say what is counted, such as event = \"boot\"").and_then(|i| i.word());
    let at_least = inner.need("at_least", "say how many, such as at_least = 3").and_then(|i| i.whole(COUNTED));
    let within = inner
        .need("within", "say in what time, such as within = \"1h\"")
        .and_then(|i| i.span(SECOND * 10..=LONGEST_WINDOW));
    Some(Condition::Count { event: event?, at_least: at_least?, within: within? })
}

fn overdue(block: &Block<'_>) -> Option<Condition> {
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
