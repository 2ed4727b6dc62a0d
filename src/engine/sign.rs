//! Decides of each single sign of a rule's condition whether it holds: readings against limits, baselines and trends,
//! test results, counted events, things overdue. Combined conditions are put together here. What an alert makes of it
//! is `alert`'s.
//!
//! ```text
//!   reading, test, event, time ──▶ one sign: Holds | Between | Gone ──▶ all / any ──▶ alert
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thin_vec::ThinVec;

use crate::domain::message::{CameraMode, Outcome};
use crate::domain::rule::{
    Condition, CountedEvent, ForecastLimit, Limit, MetricRef, OverdueEvent, OverdueFrom, Side, in_service_since,
};
use crate::domain::{Metric, Reason, Timestamp, UnitIx};

use super::Engine;
use super::compiled::{Leaf, RuleIx};
use super::timer::Timer;
use super::trend::Series;
use super::unit_state::{Presence, UnitState};

/// A rate is a slope over so many points at most: enough to outvote an odd one.
const RATE_POINTS: u32 = 12;
/// What is foreseen moves over days; four points a day show a night apart from a day.
const TREND_SPACING: Duration = Duration::from_secs(6 * 3600);
/// So many points at least in the time that is watched: seven are needed, and some never come.
const POINTS_WATCHED: u32 = 20;
/// A lens that was clean half a year ago says nothing of this month's dust.
const TREND_KEEP: Duration = Duration::from_secs(180 * 86_400);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Verdict {
    Holds,
    /// Not bad enough to begin, not good enough to end.
    Between,
    Gone,
}

/// What a combined condition knows of one of its signs. Signs that are gone or were never seen are not kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SignState {
    pub leaf: Leaf,
    pub verdict: Verdict,
    pub reason: Reason,
}

/// A metric's name and unit as reasons carry them.
fn named(metric: &MetricRef) -> (String, String) {
    match metric {
        MetricRef::Known(m) => (m.name().to_owned(), m.facts().unit.to_owned()),
        MetricRef::Vendor(name) => (format!("x.{name}"), String::new()),
    }
}

impl Engine {
    /// One new value of a metric that `leaf` reads. `mode`: of a camera test.
    pub(super) fn judge_reading(
        &mut self,
        at: Timestamp,
        unit: UnitIx,
        leaf: Leaf,
        value: f64,
        mode: Option<CameraMode>,
    ) {
        let state = &self.units[unit.index()];
        let Some(sign) = self.rules.sign(leaf, unit) else { return };
        // The common case first, and cheaply: good, and never anything else.
        if let Condition::Threshold { side, limit, consecutive: 1, .. } = sign
            && !side.beyond(value, *limit)
            && !state.knows(leaf)
        {
            return;
        }
        let rules = self.rules.clone();
        let Some(sign) = rules.sign(leaf, unit) else { return };
        let excused = self.is_excused(at, unit, leaf.rule);
        match sign {
            Condition::Threshold { metric, side, limit, clear, consecutive } => {
                let (beyond, good) = (side.beyond(value, *limit), !side.beyond(value, *clear));
                if excused && !good {
                    return;
                }
                let Some((verdict, times)) = self.count_limit(unit, leaf, beyond, good, *consecutive) else { return };
                let (metric, unit_text) = named(metric);
                let reason = match verdict {
                    Verdict::Holds => Reason::Beyond {
                        metric,
                        value,
                        unit: unit_text,
                        side: *side,
                        limit: *limit,
                        consecutive: times,
                    },
                    Verdict::Between | Verdict::Gone => {
                        Reason::Within { metric, value, unit: unit_text, side: *side, clear: *clear }
                    }
                };
                self.take_verdict(at, unit, leaf, verdict, reason);
            }
            Condition::Baseline { metric, side, limit, clear, consecutive } => {
                let Some(baseline) = self.units[unit.index()].baseline(*metric, mode) else { return };
                let (limit, clear) = (limit.of(baseline, *side), clear.of(baseline, *side));
                let (beyond, good) = (side.beyond(value, limit), !side.beyond(value, clear));
                if excused && !good {
                    return;
                }
                let Some((verdict, times)) = self.count_limit(unit, leaf, beyond, good, *consecutive) else { return };
                let facts = metric.facts();
                let (metric, unit_text) = (facts.name.to_owned(), facts.unit.to_owned());
                let reason = match verdict {
                    Verdict::Holds => Reason::AgainstBaseline {
                        metric,
                        value,
                        unit: unit_text,
                        side: *side,
                        limit,
                        baseline,
                        mode,
                        consecutive: times,
                    },
                    Verdict::Between | Verdict::Gone => {
                        Reason::Within { metric, value, unit: unit_text, side: *side, clear }
                    }
                };
                self.take_verdict(at, unit, leaf, verdict, reason);
            }
            Condition::Rate { .. } | Condition::Forecast { .. } if excused => {}
            Condition::Rate { metric, side, limit, per, over } => {
                let series = self.state(unit).series_mut(leaf, || Series::new(*over / RATE_POINTS, *over * 2));
                series.push(at, value);
                let Some(slope) = series.slope(*over, at) else { return };
                let change = slope * per.as_secs_f64();
                let verdict = if side.beyond(change, *limit) { Verdict::Holds } else { Verdict::Gone };
                let (metric, unit_text) = named(metric);
                let reason =
                    Reason::Changing { metric, change, unit: unit_text, side: *side, limit: *limit, per: *per };
                self.take_verdict(at, unit, leaf, verdict, reason);
            }
            Condition::Forecast { metric, side, limit, within, watch } => {
                self.judge_forecast(at, unit, leaf, (*metric, value, mode), *side, *limit, (*within, *watch))
            }
            Condition::Silent { .. }
            | Condition::Result { .. }
            | Condition::Count { .. }
            | Condition::Overdue { .. }
            | Condition::All(_)
            | Condition::Any(_) => unreachable!("rules by metric read a metric"),
        }
    }

    /// None: so often in a row is not reached yet, and nothing is known that could end.
    fn count_limit(
        &mut self,
        unit: UnitIx,
        leaf: Leaf,
        beyond: bool,
        good: bool,
        consecutive: u32,
    ) -> Option<(Verdict, u32)> {
        let consecutive = consecutive.max(1);
        let in_a_row = if consecutive > 1 { self.state(unit).count_in_a_row(leaf, beyond) } else { u32::from(beyond) };
        let known = self.units[unit.index()].knows(leaf);
        if beyond && (known || in_a_row >= consecutive) {
            return Some((Verdict::Holds, in_a_row.max(1)));
        }
        known.then_some((if good { Verdict::Gone } else { Verdict::Between }, 0))
    }

    /// Day and infrared pictures, as parts of their own baselines, make one series.
    #[expect(clippy::too_many_arguments, reason = "the reading is one thing, the condition's parts are another")]
    fn judge_forecast(
        &mut self,
        at: Timestamp,
        unit: UnitIx,
        leaf: Leaf,
        (metric, value, mode): (Metric, f64, Option<CameraMode>),
        side: Side,
        limit: ForecastLimit,
        (within, watch): (Duration, Duration),
    ) {
        use crate::domain::rule::Distance;
        let facts = metric.facts();
        let baseline = self.units[unit.index()].baseline(metric, mode);
        // The series' value, its limit, and back: what a figure of it means for people.
        let (point, line, unit_text) = match (limit, baseline) {
            (ForecastLimit::Fixed(limit), _) => (value, limit, facts.unit),
            (ForecastLimit::Baseline(_), None) => return,
            (ForecastLimit::Baseline(Distance::Share(share)), Some(b)) if b > 0.0 => {
                (value / b * 100.0, share * 100.0, "% of its commissioning value")
            }
            (ForecastLimit::Baseline(Distance::Share(_)), Some(_)) => return,
            (ForecastLimit::Baseline(gap @ Distance::Gap(_)), Some(b)) => (value - b, gap.of(0.0, side), facts.unit),
        };
        let series =
            self.state(unit).series_mut(leaf, || Series::new(TREND_SPACING.min(watch / POINTS_WATCHED), TREND_KEEP));
        series.push(at, point);
        let found = series.forecast(line, side, at, watch).filter(|f| f.at.since(at) <= within);
        let (verdict, reason) = match found {
            Some(f) => (
                Verdict::Holds,
                Reason::Foreseen {
                    metric: facts.name.to_owned(),
                    level: f.level,
                    unit: unit_text.to_owned(),
                    side,
                    limit: line,
                    at: f.at.max(at),
                    earliest: f.earliest.max(at),
                    latest: f.latest.max(at),
                    confidence: f.confidence_pct,
                },
            ),
            // A trend that wavers for a day is no recovery; one that is back on the safe side is.
            None if side.beyond(point, line) => return,
            None => (Verdict::Gone, Reason::NotForeseen { metric: facts.name.to_owned() }),
        };
        if verdict == Verdict::Gone && !self.units[unit.index()].knows(leaf) {
            return;
        }
        self.take_verdict(at, unit, leaf, verdict, reason);
    }

    /// Something else explains a bad reading, a failed test or an event: it says nothing. A good one always counts.
    pub(super) fn is_excused(&self, at: Timestamp, unit: UnitIx, rule: RuleIx) -> bool {
        self.is_any_beyond(at, unit, &self.rules.rule(rule).unless)
    }

    pub(super) fn is_any_beyond(&self, at: Timestamp, unit: UnitIx, limits: &[Limit]) -> bool {
        limits.iter().any(|l| self.is_beyond(at, unit, l))
    }
    pub(super) fn are_all_beyond(&self, at: Timestamp, unit: UnitIx, limits: &[Limit]) -> bool {
        limits.iter().all(|l| self.is_beyond(at, unit, l))
    }
    fn is_beyond(&self, at: Timestamp, unit: UnitIx, limit: &Limit) -> bool {
        match &limit.metric {
            MetricRef::Known(m) => self.present_value(at, unit, *m).is_some_and(|v| limit.side.beyond(v, limit.limit)),
            MetricRef::Vendor(name) => {
                let vendor = &self.units[unit.index()].seldom().vendor;
                vendor.iter().any(|(n, v, _)| n == name && limit.side.beyond(*v, limit.limit))
            }
        }
    }

    /// The newest value, of what grows by itself as of `at`.
    pub(super) fn present_value(&self, at: Timestamp, unit: UnitIx, metric: Metric) -> Option<f64> {
        match growth(metric) {
            Some(growth) => self.grown(at, unit, metric, growth),
            None => self
                .derived(at, unit, metric)
                .or_else(|| self.units[unit.index()].measured.reading(metric).map(|r| r.value)),
        }
    }

    // ---- what grows by itself ----

    fn grown(&self, at: Timestamp, unit: UnitIx, metric: Metric, growth: Growth) -> Option<f64> {
        let at = self.grown_until(at, unit, growth);
        match self.grows_since(unit, metric) {
            Some(since) => Some(at.since(since).as_secs_f64() / growth.unit_s),
            None => growth.zero_when_none.then_some(0.0),
        }
    }

    /// What a unit says of its power holds until it last said it: it may have changed since.
    fn grown_until(&self, at: Timestamp, unit: UnitIx, growth: Growth) -> Timestamp {
        if !growth.zero_when_none {
            return at;
        }
        let sample = self.units[unit.index()].supply.as_ref().and_then(|s| s.battery.last_sample());
        sample.map_or(at, |sample| sample.min(at))
    }

    pub(super) fn grows_since(&self, unit: UnitIx, metric: Metric) -> Option<Timestamp> {
        let state = &self.units[unit.index()];
        match metric {
            Metric::SelftestAge => state.last_selftest,
            Metric::PressAge => state.done_at(OverdueEvent::PressTest),
            Metric::CutMinutes => state.supply.as_ref().and_then(|s| s.cut_began()),
            Metric::LocalCutMinutes => state.supply.as_ref().and_then(|s| s.local_since),
            Metric::NotCharging => state.supply.as_ref().and_then(|s| s.idle_since()),
            _ => unreachable!("`growth` names the metrics that grow"),
        }
    }

    /// A metric that grows by itself began, ended or is looked at again.
    pub(super) fn judge_growing(&mut self, at: Timestamp, unit: UnitIx, metric: Metric) {
        let growth = growth(metric).expect("called for metrics that grow");
        let Some(value) = self.grown(at, unit, metric, growth) else { return };
        self.show_reading(at, unit, metric, value);
        if self.rules.for_metric(metric).is_empty() {
            return;
        }
        let rules = self.rules.clone();
        let since = self.grows_since(unit, metric);
        let until = self.grown_until(at, unit, growth);
        for leaf in rules.for_metric(metric) {
            let Some(Condition::Threshold { side, limit, .. }) = rules.sign(*leaf, unit) else { continue };
            let due = since.map(|s| s + Duration::from_secs_f64((limit.max(0.0) * growth.unit_s).min(1e10)));
            let reached = due.is_some_and(|due| due <= until);
            let verdict = match (side, since.is_some(), reached) {
                (Side::Above, _, true) => Verdict::Holds,
                (Side::Above, true, false) => Verdict::Between,
                (Side::Above, false, false) => Verdict::Gone,
                (Side::Below, _, true) => Verdict::Gone,
                (Side::Below, _, false) => Verdict::Holds,
            };
            if let Some(due) = due.filter(|due| *due > at) {
                self.timers.arm(due, Timer::Grown(unit, *leaf));
            }
            if verdict != Verdict::Holds && !self.units[unit.index()].knows(*leaf)
                || verdict != Verdict::Gone && self.is_excused(at, unit, leaf.rule)
            {
                continue;
            }
            let facts = metric.facts();
            let (metric, unit_text) = (facts.name.to_owned(), facts.unit.to_owned());
            let reason = match verdict {
                Verdict::Holds => {
                    Reason::Beyond { metric, value, unit: unit_text, side: *side, limit: *limit, consecutive: 1 }
                }
                Verdict::Between | Verdict::Gone => {
                    Reason::Within { metric, value, unit: unit_text, side: *side, clear: *limit }
                }
            };
            self.take_verdict(at, unit, *leaf, verdict, reason);
        }
    }

    pub(super) fn grown_due(&mut self, at: Timestamp, unit: UnitIx, leaf: Leaf) {
        // What we could not hear may have ended it: the next message judges.
        if !self.is_hearing() || self.units[unit.index()].presence != Presence::Present {
            return;
        }
        if let Some(Condition::Threshold { metric: MetricRef::Known(metric), .. }) = self.rules.sign(leaf, unit)
            && growth(*metric).is_some()
        {
            let metric = *metric;
            self.judge_growing(at, unit, metric);
        }
    }

    /// Every such metric that some rule reads: after a silence, and after a restart.
    pub(super) fn judge_all_growing(&mut self, at: Timestamp, unit: UnitIx) {
        for metric in Metric::GROWING {
            if !self.rules.for_metric(metric).is_empty() {
                self.judge_growing(at, unit, metric);
            }
        }
    }

    /// Puts the deadlines of what grows into the queue, and judges nothing.
    pub(super) fn arm_growing(&mut self, unit: UnitIx) {
        let rules = self.rules.clone();
        for metric in Metric::GROWING {
            let growth = growth(metric).expect("it grows");
            let Some(since) = self.grows_since(unit, metric) else { continue };
            for leaf in rules.for_metric(metric) {
                if let Some(Condition::Threshold { limit, .. }) = rules.sign(*leaf, unit) {
                    let due = since + Duration::from_secs_f64((limit.max(0.0) * growth.unit_s).min(1e10));
                    if self.now.is_none_or(|now| due > now) {
                        self.timers.arm(due, Timer::Grown(unit, *leaf));
                    }
                }
            }
        }
    }

    // ---- tests, events, things overdue ----

    pub(super) fn judge_result(
        &mut self,
        at: Timestamp,
        unit: UnitIx,
        leaf: Leaf,
        outcome: Outcome,
        code: Option<&str>,
    ) {
        let rules = self.rules.clone();
        let Some(Condition::Result { test, is, consecutive }) = rules.sign(leaf, unit) else { return };
        let says_nothing = match outcome {
            Outcome::Inconclusive | Outcome::Skipped => outcome != *is,
            Outcome::Pass | Outcome::Fail => false,
        };
        if says_nothing || outcome == *is && self.is_excused(at, unit, leaf.rule) {
            return;
        }
        let in_a_row = self.state(unit).count_in_a_row(leaf, outcome == *is);
        let reason = Reason::Tested {
            test: *test,
            result: outcome,
            code: code.map(str::to_owned),
            consecutive: in_a_row.max(1),
        };
        if in_a_row >= (*consecutive).max(1) {
            self.take_verdict(at, unit, leaf, Verdict::Holds, reason);
        } else if in_a_row == 0 {
            self.take_verdict(at, unit, leaf, Verdict::Gone, reason);
        }
    }

    pub(super) fn count_event(&mut self, at: Timestamp, unit: UnitIx, event: CountedEvent) {
        let rules = self.rules.clone();
        for leaf in rules.for_counted(event) {
            let Some(Condition::Count { at_least, within, .. }) = rules.sign(*leaf, unit) else { continue };
            if self.is_excused(at, unit, leaf.rule) {
                continue;
            }
            let wanted = (*at_least).max(1) as usize;
            let now = self.now.unwrap_or(at);
            let events = &mut self.state(unit).seldom_mut().events;
            let slot = match events.iter().position(|(l, _)| l == leaf) {
                Some(slot) => slot,
                None => {
                    events.push((*leaf, VecDeque::new()));
                    events.len() - 1
                }
            };
            let times = &mut events[slot].1;
            // Late events come out of order; the window is judged in the order they happened.
            let place = times.partition_point(|t| *t <= at);
            times.insert(place, at);
            while times.len() > wanted {
                times.pop_front();
            }
            let (oldest, newest) = (times[0], times[times.len() - 1]);
            if times.len() == wanted && newest.since(oldest) <= *within && now.since(oldest) <= *within {
                let reason = Reason::Counted { event, count: *at_least, within: *within };
                self.take_verdict(now, unit, *leaf, Verdict::Holds, reason);
                self.timers.arm(oldest + *within, Timer::Count(unit, *leaf));
            }
        }
    }

    /// The newest of these events did not happen after all.
    pub(super) fn uncount_event(&mut self, at: Timestamp, unit: UnitIx, event: CountedEvent) {
        let rules = self.rules.clone();
        for leaf in rules.for_counted(event) {
            if let Some((_, times)) = self.state(unit).seldom_mut().events.iter_mut().find(|(l, _)| l == leaf) {
                times.pop_back();
            }
            self.count_due(at, unit, *leaf);
        }
    }

    pub(super) fn count_due(&mut self, at: Timestamp, unit: UnitIx, leaf: Leaf) {
        let rules = self.rules.clone();
        let Some(Condition::Count { event, at_least, within }) = rules.sign(leaf, unit) else { return };
        let state = &self.units[unit.index()];
        let Some((_, times)) = state.seldom().events.iter().find(|(l, _)| *l == leaf) else { return };
        let inside = times.iter().filter(|t| at.since(**t) < *within).count();
        if inside < *at_least as usize && state.knows(leaf) {
            let reason = Reason::CountedFewer { event: *event, count: inside as u32, within: *within };
            self.take_verdict(at, unit, leaf, Verdict::Gone, reason);
        }
    }

    /// From the first sign of life on, a unit owes its tests.
    pub(super) fn arm_overdue_rules(&mut self, at: Timestamp, unit: UnitIx) {
        let rules = self.rules.clone();
        for (_, leaf) in rules.overdue() {
            self.arm_overdue(at, unit, leaf);
        }
    }

    /// None: it is not owed yet.
    fn owed_since(&self, unit: UnitIx, event: OverdueEvent, from: OverdueFrom) -> Option<Timestamp> {
        let state = &self.units[unit.index()];
        let service = match from {
            OverdueFrom::Service => in_service_since(self.fleet.unit(unit), state.first_heard),
            OverdueFrom::Last => None,
        };
        state.done_at(event).or(service)
    }

    fn arm_overdue(&mut self, at: Timestamp, unit: UnitIx, leaf: Leaf) {
        let Some(Condition::Overdue { event, every, from }) = self.rules.sign(leaf, unit) else { return };
        let Some(since) = self.owed_since(unit, *event, *from) else { return };
        let due = since + *every;
        self.timers.arm(due.max(at), Timer::Overdue(unit, leaf));
    }

    pub(super) fn overdue_due(&mut self, at: Timestamp, unit: UnitIx, leaf: Leaf) {
        let rules = self.rules.clone();
        let Some(Condition::Overdue { event, every, from }) = rules.sign(leaf, unit) else { return };
        if self.units[unit.index()].holds(leaf) {
            return;
        }
        let Some(since) = self.owed_since(unit, *event, *from) else { return };
        if since + *every > at {
            self.timers.arm(since + *every, Timer::Overdue(unit, leaf));
            return;
        }
        let last = self.units[unit.index()].done_at(*event);
        let reason = Reason::Overdue { event: *event, last, every: *every };
        self.take_verdict(at, unit, leaf, Verdict::Holds, reason);
    }

    /// It happened at `done_at`, and we know it at `at`.
    pub(super) fn done(&mut self, at: Timestamp, unit: UnitIx, event: OverdueEvent, done_at: Timestamp) {
        let state = self.state(unit);
        let last = match event {
            OverdueEvent::Selftest => &mut state.last_selftest,
            OverdueEvent::PressTest => &mut state.last_press_test,
        };
        let first = last.is_none();
        *last = (*last).max(Some(done_at));
        let rules = self.rules.clone();
        for leaf in rules.for_overdue(event) {
            let Some(Condition::Overdue { every, from, .. }) = rules.sign(*leaf, unit) else { continue };
            if self.units[unit.index()].holds(*leaf) && at.since(done_at) < *every {
                self.take_verdict(at, unit, *leaf, Verdict::Gone, Reason::DoneAgain { event });
                self.arm_overdue(at, unit, *leaf);
            } else if first && *from == OverdueFrom::Last {
                self.arm_overdue(at, unit, *leaf);
            }
        }
    }

    // ---- together ----

    /// What `leaf` says now. The rule's alert follows.
    pub(super) fn take_verdict(&mut self, at: Timestamp, unit: UnitIx, leaf: Leaf, verdict: Verdict, reason: Reason) {
        let rules = self.rules.clone();
        let Some(demand) = rules.demand(leaf.rule, unit) else { return };
        let (verdict, reason) = if demand.condition.is_combined() {
            let state = self.state(unit);
            let mut none = ThinVec::new();
            let signs = match (verdict, &state.seldom) {
                (Verdict::Gone, None) => &mut none,
                (_, _) => &mut state.seldom_mut().signs,
            };
            signs.retain(|s| s.leaf != leaf);
            if verdict != Verdict::Gone {
                signs.push(SignState { leaf, verdict, reason: reason.clone() });
                signs.sort_by_key(|s| s.leaf);
            }
            let all = combined(demand.condition, leaf.rule, &mut 0, signs);
            let held = signs.iter().filter(|s| s.leaf.rule == leaf.rule && s.verdict == Verdict::Holds);
            let mut held: Vec<Reason> = held.map(|s| s.reason.clone()).collect();
            match (all, held.len()) {
                (Verdict::Holds, 1) => (all, held.remove(0)),
                (Verdict::Holds, _) => (all, Reason::Together { reasons: held }),
                (Verdict::Between | Verdict::Gone, _) => (all, reason),
            }
        } else {
            (verdict, reason)
        };
        match verdict {
            Verdict::Holds => self.condition_holds(at, unit, leaf.rule, reason),
            Verdict::Between => self.condition_between(at, unit, leaf.rule, reason),
            Verdict::Gone => self.condition_gone(at, unit, leaf.rule, reason),
        }
    }
}

/// `n`: the number of the next leaf, counted from the left.
fn combined(condition: &Condition, rule: RuleIx, n: &mut u8, signs: &[SignState]) -> Verdict {
    match condition {
        Condition::All(parts) => {
            // Every part is walked: the leaves are numbered on the way.
            let verdicts: Vec<Verdict> = parts.iter().map(|p| combined(p, rule, n, signs)).collect();
            if verdicts.contains(&Verdict::Gone) {
                Verdict::Gone
            } else if verdicts.contains(&Verdict::Between) {
                Verdict::Between
            } else {
                Verdict::Holds
            }
        }
        Condition::Any(parts) => {
            let verdicts: Vec<Verdict> = parts.iter().map(|p| combined(p, rule, n, signs)).collect();
            if verdicts.contains(&Verdict::Holds) {
                Verdict::Holds
            } else if verdicts.contains(&Verdict::Between) {
                Verdict::Between
            } else {
                Verdict::Gone
            }
        }
        Condition::Silent { .. }
        | Condition::Threshold { .. }
        | Condition::Baseline { .. }
        | Condition::Rate { .. }
        | Condition::Forecast { .. }
        | Condition::Result { .. }
        | Condition::Count { .. }
        | Condition::Overdue { .. } => {
            let leaf = Leaf { rule, n: *n };
            *n += 1;
            signs.iter().find(|s| s.leaf == leaf).map_or(Verdict::Gone, |s| s.verdict)
        }
    }
}

/// A metric that grows by itself from a moment on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Growth {
    unit_s: f64,
    /// Not begun is zero; else it is not known.
    zero_when_none: bool,
}

pub(super) fn growth(metric: Metric) -> Option<Growth> {
    match metric {
        Metric::SelftestAge | Metric::PressAge => Some(Growth { unit_s: 3600.0, zero_when_none: false }),
        Metric::CutMinutes | Metric::LocalCutMinutes | Metric::NotCharging => {
            Some(Growth { unit_s: 60.0, zero_when_none: true })
        }
        _ => None,
    }
}

impl UnitState {
    /// Nothing could end, and no row of violations could be broken.
    pub(super) fn is_quiet(&self) -> bool {
        self.alerts.is_empty() && self.seldom.as_ref().is_none_or(|s| s.signs.is_empty() && s.in_a_row.is_empty())
    }
    /// Something could end: the rule's alert stands, or this sign of a combined condition was seen.
    pub(super) fn knows(&self, leaf: Leaf) -> bool {
        self.alert(leaf.rule).is_some() || self.seldom().signs.iter().any(|s| s.leaf == leaf)
    }
    fn holds(&self, leaf: Leaf) -> bool {
        // Of a condition that is not combined, the alert is the sign.
        self.seldom().signs.iter().any(|s| s.leaf == leaf && s.verdict == Verdict::Holds)
            || (leaf.n == 0
                && !self.seldom().signs.iter().any(|s| s.leaf.rule == leaf.rule)
                && self.alert(leaf.rule).is_some())
    }
}
