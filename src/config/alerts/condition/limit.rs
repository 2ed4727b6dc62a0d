//! Limits of one reading: what a metric allows, `below` and `above` with their way back, `unless`, and a self-test's
//! distance from its commissioning value. Never looks at a reading.

use super::super::super::document::{Block, Item};
use super::super::super::duration::parse_duration;
use super::super::super::spelling::{nearest, quoted};
use super::{IN_A_ROW, Place};
use crate::domain::Metric;
use crate::domain::metric::{MetricFacts, plain_number};
use crate::domain::rule::{Condition, Distance, Limit, MetricRef, Side};

/// Excuses of one rule: more than a handful and nobody can say any more when it speaks.
const EXCUSES: usize = 8;

/// What the limits of a metric must obey; a vendor's metric only has to be a number.
pub(super) struct Scale {
    pub name: String,
    pub facts: Option<&'static MetricFacts>,
}

impl Scale {
    pub fn of(metric: &MetricRef) -> Scale {
        match metric {
            MetricRef::Known(m) => Scale { name: m.name().to_owned(), facts: Some(m.facts()) },
            MetricRef::Vendor(name) => Scale { name: format!("x.{name}"), facts: None },
        }
    }
    pub fn figure(&self, value: f64) -> String {
        with_unit(value, self.unit())
    }
    pub fn unit(&self) -> &'static str {
        self.facts.map_or("", |f| f.unit)
    }
    /// Two levels in dBm are so many dB apart.
    pub fn unit_of_change(&self) -> &'static str {
        if self.unit().starts_with("dB") { "dB" } else { self.unit() }
    }
    /// How many of the metric's unit are one second. None: it is no time.
    fn per_second(&self) -> Option<f64> {
        match self.unit() {
            "ms" => Some(1000.0),
            "s" => Some(1.0),
            "min" => Some(1.0 / 60.0),
            "h" => Some(1.0 / 3600.0),
            _ => None,
        }
    }
    /// A number; or text with the metric's own unit (`"11.6 V"`), or a span where the metric is a time (`"36h"`).
    pub fn limit(&self, item: &Item<'_>) -> Option<f64> {
        let value = self.number(item, self.unit())?;
        match self.facts {
            Some(f) if value < f.min || value > f.max => {
                let range = format!("{} to {}", plain_number(f.min), self.figure(f.max));
                item.wrong(format_args!("must be within what {} can be, {range}{}", self.name, item.got()));
                None
            }
            Some(_) | None => Some(value),
        }
    }
    /// As a limit is written, but of a change: it may be as large as it likes.
    pub fn change(&self, item: &Item<'_>) -> Option<f64> {
        self.number(item, self.unit_of_change())
    }
    fn number(&self, item: &Item<'_>, unit: &str) -> Option<f64> {
        let value = match item.as_text() {
            Some(text) if text.trim().parse::<f64>().is_err() => match self.with_unit(text.trim(), unit) {
                Some(value) => value,
                None => {
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
        Some(value)
    }
    fn with_unit(&self, text: &str, unit: &str) -> Option<f64> {
        if let Some(per_second) = self.per_second() {
            let (sign, span) = text.strip_prefix('-').map_or((1.0, text), |rest| (-1.0, rest));
            return parse_duration(span).map(|span| sign * span.as_secs_f64() * per_second);
        }
        let text = text.to_lowercase();
        let ends = [unit, self.unit()].into_iter().filter(|unit| !unit.is_empty());
        let number = ends.filter_map(|unit| text.strip_suffix(&unit.to_lowercase())).next()?;
        number.trim_end().parse::<f64>().ok().filter(|n| n.is_finite())
    }
    /// How much the metric can change at all.
    pub fn range(&self) -> Option<f64> {
        self.facts.map(|f| f.max - f.min)
    }

    /// Notes a limit that no reading can pass.
    pub fn must_be_reachable(&self, item: &Item<'_>, side: Side, limit: f64) {
        let Some(facts) = self.facts else { return };
        let end = match side {
            Side::Below => facts.min,
            Side::Above => facts.max,
        };
        if limit == end {
            let figure = self.figure(limit);
            item.wrong(format_args!("can never be true: {} is never {side} {figure}; move the limit", self.name));
        }
    }
}

pub(super) fn with_unit(value: f64, unit: &str) -> String {
    if unit.is_empty() { plain_number(value) } else { format!("{} {unit}", plain_number(value)) }
}

pub(super) fn metric(item: &Item<'_>) -> Option<MetricRef> {
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

pub(super) fn consecutive(block: &Block<'_>) -> Option<u32> {
    match block.get("consecutive") {
        Some(item) => item.whole(IN_A_ROW),
        None => Some(1),
    }
}

/// The one of the two keys that stands there. None: both, which is noted; or neither.
pub(super) fn side<'a>(block: &Block<'a>, below: &str, above: &str, place: Place) -> Option<(Side, Item<'a>)> {
    match (block.get(below), block.get(above)) {
        (Some(below), Some(above)) => {
            let (item, other) = if above.line >= below.line { (above, below) } else { (below, above) };
            item.wrong(format_args!(
                "stands beside {} of line {}; a {place} has one limit: make a {place} of each",
                other.key, other.line
            ));
            None
        }
        (Some(below), None) => Some((Side::Below, below)),
        (None, Some(above)) => Some((Side::Above, above)),
        (None, None) => None,
    }
}

/// The key of the way back, and notes the one that goes with the other side.
fn clear_item<'a>(block: &Block<'a>, limit: &Item<'_>, key: &str, wrong_key: &str) -> Option<Item<'a>> {
    if let Some(item) = block.get(wrong_key) {
        item.wrong(format_args!("does not go with {}; write {key}", limit.key));
    }
    block.get(key)
}

pub(super) fn threshold(block: &Block<'_>, place: Place) -> Option<Condition> {
    let metric = block
        .need("metric", "say which reading is limited, such as metric = \"battery.voltage\"")
        .and_then(|i| metric(&i));
    let consecutive = consecutive(block);
    let (side, limit_item) = side(block, "below", "above", place)?;
    let (clear_key, wrong_key, good, farther) = match side {
        Side::Below => ("clear_above", "clear_below", "above", "raise"),
        Side::Above => ("clear_below", "clear_above", "below", "lower"),
    };
    let clear_item = clear_item(block, &limit_item, clear_key, wrong_key);
    // Without its metric a limit cannot be judged; the missing metric is noted already.
    let metric = metric?;
    let scale = Scale::of(&metric);
    let limit = scale.limit(&limit_item);
    if let Some(limit) = limit {
        scale.must_be_reachable(&limit_item, side, limit);
    }
    if matches!(metric, MetricRef::Known(m) if m.grows()) {
        for item in [clear_item, block.get("consecutive")].into_iter().flatten() {
            item.wrong(format_args!(
                "has no meaning for {}, which grows by itself and starts anew when it is over; drop it",
                scale.name
            ));
        }
        return Some(Condition::Threshold { metric, side, limit: limit?, clear: limit?, consecutive: 1 });
    }
    let clear = match clear_item {
        None => limit,
        Some(item) => {
            let clear = scale.limit(&item);
            // The clear limit must lie on the good side: a reading could be bad and good at once otherwise.
            if let (Some(limit), Some(clear)) = (limit, clear)
                && side.beyond(clear, limit)
            {
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

/// `unless = { metric = …, above = … }`, or a list of such. None: something was noted.
pub fn unless(block: &Block<'_>, condition: Option<&Condition>) -> Option<Vec<Limit>> {
    if let Some(item) = block.get("unless")
        && condition.is_some_and(|c| !c.leaves().into_iter().any(can_be_excused))
    {
        item.wrong("has no meaning here: readings, self-tests and counted events can be excused, not silence and overdue things; drop it");
    }
    limits(block, "unless", "microphone.ambient\", above = -38")
}

/// Plain limits under `key`, one or a list. Absent: none. None: something was noted.
pub fn limits(block: &Block<'_>, key: &str, such_as: &str) -> Option<Vec<Limit>> {
    let Some(item) = block.get(key) else { return Some(Vec::new()) };
    let parts = item.list();
    if parts.is_empty() {
        item.wrong(format_args!("is an empty list; name a reading, such as {{ metric = \"{such_as} }}, or drop it"));
        return None;
    }
    if parts.len() > EXCUSES {
        item.wrong(format_args!("has {} parts; at most {EXCUSES}", parts.len()));
    }
    let limits: Vec<Option<Limit>> = parts.iter().map(excuse).collect();
    limits.into_iter().collect()
}

fn can_be_excused(leaf: &Condition) -> bool {
    match leaf {
        Condition::Threshold { .. }
        | Condition::Baseline { .. }
        | Condition::Rate { .. }
        | Condition::Forecast { .. }
        | Condition::Result { .. }
        | Condition::Count { .. } => true,
        Condition::Silent { .. } | Condition::Overdue { .. } | Condition::All(_) | Condition::Any(_) => false,
    }
}

fn excuse(part: &Item<'_>) -> Option<Limit> {
    let inner = part.block()?;
    inner.only_keys(&["metric", "below", "above"], |key| match key {
        "clear_above" | "clear_below" | "consecutive" | "for" | "clear_for" => {
            Some("an excuse is one plain limit: metric with below or above".to_owned())
        }
        _ => None,
    });
    let metric = inner
        .need("metric", "say which reading excuses, such as metric = \"microphone.ambient\"")
        .and_then(|i| metric(&i));
    if !inner.has("below") && !inner.has("above") {
        part.wrong("has no limit; add below or above with a number");
    }
    let (side, limit_item) = side(&inner, "below", "above", Place::Part)?;
    let metric = metric?;
    let scale = Scale::of(&metric);
    let limit = scale.limit(&limit_item)?;
    scale.must_be_reachable(&limit_item, side, limit);
    Some(Limit { metric, side, limit })
}

// ---- against the commissioning value ----

/// Beyond a hundred times what it was, a zero too many was written.
const MOST_SHARE: f64 = 100.0;

/// A metric that has a commissioning value. None: it has none, which is noted.
pub(super) fn tested(metric: MetricRef, item: &Item<'_>) -> Option<Metric> {
    match metric {
        MetricRef::Known(m) if m.is_yes_no() => {
            item.wrong(format_args!("cannot be {m}, which is yes or no; write above = 0.5"));
            None
        }
        MetricRef::Known(m) if m.is_tested() => Some(m),
        MetricRef::Known(_) | MetricRef::Vendor(_) => {
            let known: Vec<&str> =
                Metric::ALL.iter().filter(|m| m.is_tested() && !m.is_yes_no()).map(|m| m.name()).collect();
            item.wrong(format_args!(
                "has no commissioning value{}: only self-tests' figures have; write below or above with a number, or one of {}",
                item.got(),
                known.join(", ")
            ));
            None
        }
    }
}

/// How a distance is written, for messages.
fn ways(scale: &Scale, side: Side) -> String {
    let unit = scale.unit_of_change();
    // "10 %" would be a part: points of percent stand as a plain number.
    let gap = if matches!(unit, "" | "%") { "10".to_owned() } else { format!("\"10 {unit}\"") };
    let direction = match side {
        Side::Below => "under",
        Side::Above => "over",
    };
    let share = match side {
        Side::Below => "\"40%\" for a part of it",
        Side::Above => "\"150%\" for half as much again",
    };
    if takes_shares(scale) {
        format!("write {share}, or {gap} for so much {direction} it")
    } else {
        format!("write {gap} for so much {direction} the commissioning value")
    }
}

/// A part of a value means something only where zero is where the scale begins.
fn takes_shares(scale: &Scale) -> bool {
    scale.facts.is_none_or(|f| f.min >= 0.0)
}

pub(super) fn distance_text(distance: Distance, unit: &str) -> String {
    match distance {
        Distance::Share(share) => with_unit(share * 100.0, "%"),
        Distance::Gap(gap) => with_unit(gap, if unit == "%" { "points" } else { unit }),
    }
}

/// What stands there, whatever its size.
fn written(scale: &Scale, side: Side, item: &Item<'_>) -> Option<Distance> {
    let unit = scale.unit_of_change();
    let found = match item.as_text().map(str::trim) {
        Some(text) => match text.strip_suffix('%') {
            Some(number) => number.trim_end().parse::<f64>().ok().map(|n| Distance::Share(n / 100.0)),
            None => scale.with_unit(text, unit).map(Distance::Gap),
        },
        None if item.is_number() => item.number().map(Distance::Gap),
        None => None,
    };
    let found = found.filter(|d| match d {
        Distance::Share(n) | Distance::Gap(n) => n.is_finite(),
    });
    match found {
        None => {
            item.wrong(format_args!(
                "is no distance from the commissioning value{}; {}",
                item.got(),
                ways(scale, side)
            ));
            None
        }
        Some(Distance::Share(_)) if !takes_shares(scale) => {
            item.wrong(format_args!(
                "cannot be a part: {} is counted in {}, where zero is not \"nothing\"; {}",
                scale.name,
                scale.unit(),
                ways(scale, side)
            ));
            None
        }
        // `0.4` was meant as a part far more often than as a gap that every test passes.
        Some(Distance::Gap(gap)) if item.is_number() && gap > 0.0 && gap < 1.0 && takes_shares(scale) => {
            let percent = plain_number(gap * 100.0);
            let gap =
                if matches!(unit, "" | "%") { String::new() } else { format!("; if a gap is meant, \"{gap} {unit}\"") };
            item.wrong(format_args!("is less than one{}; if a part is meant, write \"{percent}%\"{gap}", item.got()));
            None
        }
        Some(found) => Some(found),
    }
}

/// A limit's distance from the commissioning value.
pub(super) fn distance(scale: &Scale, side: Side, item: &Item<'_>) -> Option<Distance> {
    let found = written(scale, side, item)?;
    let wrong = match (found, side) {
        (Distance::Share(share), Side::Below) if !(0.01..=0.99).contains(&share) => {
            Some("must be from 1% to 99% of the commissioning value".to_owned())
        }
        (Distance::Share(share), Side::Above) if share <= 1.0 || share > MOST_SHARE => {
            Some(format!("must be above 100% of the commissioning value, and at most {}%", MOST_SHARE * 100.0))
        }
        (Distance::Gap(gap), _) if gap <= 0.0 => {
            Some("must be above 0: the key says which way, the figure how far".to_owned())
        }
        (Distance::Gap(gap), _) if scale.range().is_some_and(|range| gap >= range) => {
            let range = scale.range().map(|r| with_unit(r, scale.unit_of_change())).unwrap_or_default();
            Some(format!("must be less than {range}, all that {} can change", scale.name))
        }
        (Distance::Share(_) | Distance::Gap(_), _) => None,
    };
    match wrong {
        Some(wrong) => {
            item.wrong(format_args!("{wrong}{}; {}", item.got(), ways(scale, side)));
            None
        }
        None => Some(found),
    }
}

pub(super) fn baseline(block: &Block<'_>, place: Place) -> Option<Condition> {
    let metric = block
        .need("metric", "say which self-test's figure, such as metric = \"camera.sharpness\"")
        .and_then(|i| tested(metric(&i)?, &i));
    let consecutive = consecutive(block);
    let (side, limit_item) = side(block, "below_baseline", "above_baseline", place)?;
    let (clear_key, wrong_key) = match side {
        Side::Below => ("clear_above_baseline", "clear_below_baseline"),
        Side::Above => ("clear_below_baseline", "clear_above_baseline"),
    };
    let clear_item = clear_item(block, &limit_item, clear_key, wrong_key);
    let metric = metric?;
    let scale = Scale::of(&MetricRef::Known(metric));
    let limit = distance(&scale, side, &limit_item)?;
    let clear = match clear_item {
        Some(item) => clear_distance(&scale, side, limit, &limit_item, &item)?,
        None => way_back(limit),
    };
    Some(Condition::Baseline { metric, side, limit, clear, consecutive: consecutive? })
}

/// Where it is good again when the file does not say: a third of the way from the limit to the commissioning value, so
/// 40 % clears at 60 % and 9 dB at 6. Two tests of a healthy unit differ by a tenth, which a third is well beyond; a lens
/// that was only half wiped does not reach it.
fn way_back(limit: Distance) -> Distance {
    match limit {
        Distance::Share(share) => Distance::Share((1.0 + 2.0 * share) / 3.0),
        Distance::Gap(gap) => Distance::Gap(gap * 2.0 / 3.0),
    }
}

/// Between the limit and the commissioning value, and written as the limit is.
fn clear_distance(
    scale: &Scale,
    side: Side,
    limit: Distance,
    limit_item: &Item<'_>,
    item: &Item<'_>,
) -> Option<Distance> {
    let clear = written(scale, side, item)?;
    let (fits, new) = match (limit, clear, side) {
        (Distance::Share(limit), Distance::Share(clear), Side::Below) => {
            ((limit..=1.0).contains(&clear), Distance::Share(1.0))
        }
        (Distance::Share(limit), Distance::Share(clear), Side::Above) => {
            ((1.0..=limit).contains(&clear), Distance::Share(1.0))
        }
        (Distance::Gap(limit), Distance::Gap(clear), _) => ((0.0..=limit).contains(&clear), Distance::Gap(0.0)),
        (Distance::Share(_), Distance::Gap(_), _) | (Distance::Gap(_), Distance::Share(_), _) => {
            item.wrong(format_args!(
                "must be written as {} is{}: both as a part, or both as a gap; change it or drop it",
                limit_item.key,
                item.got()
            ));
            return None;
        }
    };
    if fits {
        return Some(clear);
    }
    let unit = scale.unit_of_change();
    let (from, to, got) = (distance_text(limit, unit), distance_text(new, unit), distance_text(clear, unit));
    if !item.stands_with(limit_item) && limit_item.line > item.line {
        limit_item.wrong(format_args!(
            "needs a {} beside it, between {from} and {to}: the rule's own is {got} (line {})",
            item.key, item.line
        ));
    } else {
        item.wrong(format_args!(
            "must be between {from}, the limit, and {to}, as it was when new (got {got}); change it or drop it"
        ));
    }
    None
}
