//! How each rule stands for one unit right now, with its figures. Reads the state and never changes it.

use std::time::Duration;

use crate::domain::explain::{
    Explained, Figure, OnlyFor, RuleState, Says, SignView, Standing, Together, Told, asks, figure_of, why_not,
};
use crate::domain::message::{CameraMode, Kind};
use crate::domain::rule::{Condition, Distance, ForecastLimit, MetricRef, OverdueFrom, Side, in_service_since};
use crate::domain::{Component, Metric, Timestamp, UnitId, UnitIx};

use super::compiled::{Leaf, RuleIx, silence_span};
use super::sign::{Verdict, growth};
use super::unit_state::Phase;
use super::{Engine, HearingState};

/// Self-tests are daily (DESIGN §5), as `presence` has it.
const SELFTEST_INTERVAL: Duration = Duration::from_secs(86_400);

impl Engine {
    /// None: not in the fleet.
    pub fn explain_unit(&self, id: &UnitId) -> Option<Explained> {
        let unit = self.fleet.find(id.as_str())?;
        let state = &self.units[unit.index()];
        let at = self.now.unwrap_or_default();
        let mut diagnoses = Vec::new();
        for alert in state.alerts.iter().filter(|a| a.is_active()) {
            if let Some(found) = self.diagnose(at, unit, alert.rule)
                && !diagnoses.contains(&found.id)
            {
                diagnoses.push(found.id.clone());
            }
        }
        Some(Explained {
            unit: id.clone(),
            at: self.now,
            readiness: state.readiness,
            reason: self.unit_reason(unit).to_string(),
            hearing: self.is_hearing(),
            maintenance_until: self.in_maintenance(unit),
            rules: self.explain(unit),
            diagnoses,
        })
    }

    /// Every rule of the file, in its order.
    pub fn explain(&self, unit: UnitIx) -> Vec<RuleState> {
        (0..self.rules.set.rules.len()).map(|i| self.rule_state(unit, RuleIx(i as u16))).collect()
    }

    fn rule_state(&self, unit: UnitIx, ix: RuleIx) -> RuleState {
        let rule = self.rules.rule(ix);
        let row = self.fleet.unit(unit);
        let state = &self.units[unit.index()];
        let demand = self.rules.demand(ix, unit);
        let alert = state.alert(ix);
        let at = self.now.unwrap_or_default();
        let standing = match (demand, alert.map(|a| (a.phase, a.held_by))) {
            (None, _) => Standing::NotSelected,
            (Some(_), None) => Standing::Inactive,
            (Some(_), Some((Phase::Pending, _))) => Standing::Pending,
            (Some(_), Some((Phase::Firing, Some(_)))) => Standing::Held,
            (Some(_), Some((Phase::Firing, None))) => Standing::Firing,
            (Some(_), Some((Phase::Clearing, _))) => Standing::Clearing,
        };
        let held_by = alert.and_then(|a| a.held_by);
        let incident = held_by.map(|(incident, group)| self.groups.name(&self.rules, incident, group));
        let only_for = why_not(&rule.only, row);
        let override_no = demand.and_then(|_| rule.overrides.iter().position(|o| o.only.selects(row))).map(|n| n + 1);
        let (for_, clear_for) = demand.map_or((rule.for_, rule.clear_for), |d| (d.for_, d.clear_for));
        let condition = demand.map_or(&rule.condition, |d| d.condition);
        RuleState {
            rule: rule.id.clone(),
            component: rule.component,
            severity: rule.severity,
            state: standing,
            not_for: only_for.as_ref().map(OnlyFor::to_string),
            only_for,
            override_no,
            for_s: for_.as_secs_f64(),
            clear_for_s: clear_for.as_secs_f64(),
            since: alert.map(|a| a.since),
            reason: alert.map(|a| a.reason.to_string()),
            because: alert.map(|a| a.reason.clone()),
            flapping: alert.is_some_and(|a| a.flapping),
            held_by: incident.as_ref().map(|(kind, name)| format!("{kind} {name}")),
            incident,
            due: alert.and_then(|a| a.deadline),
            order_due: alert.filter(|a| a.order.is_none()).and_then(|a| a.order_due),
            order: alert.and_then(|a| a.order),
            excused: demand.is_some() && self.is_excused(at, unit, ix),
            together: together(condition),
            signs: condition
                .leaves()
                .into_iter()
                .enumerate()
                .map(|(n, leaf)| self.sign_view(at, unit, Leaf { rule: ix, n: n as u8 }, leaf))
                .collect(),
        }
    }

    pub(super) fn sign_view(&self, at: Timestamp, unit: UnitIx, leaf: Leaf, sign: &Condition) -> SignView {
        let (asks, figures) = (asks(sign), Vec::new());
        let mut view = SignView { asks, sign: Some(sign.clone()), says: Says::Unknown, figures, due: None };
        match sign {
            Condition::Silent { kind, .. } => self.explain_silence(unit, *kind, sign, &mut view),
            Condition::Threshold { metric, side, limit, clear, consecutive } => {
                let value = self.value_of(at, unit, metric, &mut view);
                view.says = says(value, *side, *limit, *clear);
                self.explain_row(unit, leaf, *consecutive, &mut view);
                if let (MetricRef::Known(m), Some(value)) = (metric, value) {
                    view.due = grows_to(at, *m, value, *side, *limit);
                }
            }
            Condition::Baseline { metric, side, limit, clear, consecutive } => {
                let value = self.value_of(at, unit, &MetricRef::Known(*metric), &mut view);
                if let Some(baseline) = self.explain_baseline(unit, *metric, &mut view) {
                    let (limit, clear) = (limit.of(baseline, *side), clear.of(baseline, *side));
                    view.figures.push(Figure::new("limit", Told::Value { value: metric.figure(limit), at: None }));
                    view.says = says(value, *side, limit, clear);
                }
                self.explain_row(unit, leaf, *consecutive, &mut view);
            }
            Condition::Rate { metric, side, limit, per, over } => {
                self.value_of(at, unit, metric, &mut view);
                let series = self.units[unit.index()].series.iter().find(|(l, _)| *l == leaf);
                if let Some(slope) = series.and_then(|(_, s)| s.slope(*over, at)) {
                    let change = slope * per.as_secs_f64();
                    let told = Told::Change { by: figure_of(metric, change), within: *per };
                    view.figures.push(Figure::new("trend", told));
                    view.says = if side.beyond(change, *limit) { Says::Holds } else { Says::Not };
                }
            }
            Condition::Forecast { metric, side, limit, within, watch } => {
                self.explain_forecast((at, unit, leaf), *metric, *side, *limit, (*within, *watch), &mut view);
            }
            Condition::Result { test, is, consecutive } => {
                if let Some(last) = self.units[unit.index()].measured.test(*test) {
                    let code = self.units[unit.index()].code(*test).map(str::to_owned);
                    view.figures.push(Figure::new("last", Told::Tested { result: last.result, code, at: last.at }));
                    view.says = if last.result == *is { Says::Holds } else { Says::Not };
                }
                self.explain_row(unit, leaf, (*consecutive).max(1), &mut view);
            }
            Condition::Count { at_least, within, .. } => {
                let events = self.units[unit.index()].seldom().events.iter().find(|(l, _)| *l == leaf);
                let inside = events.map_or(0, |(_, times)| times.iter().filter(|t| at.since(**t) < *within).count());
                let counted = Told::OutOf { n: u32::try_from(inside).unwrap_or(u32::MAX), of: *at_least };
                view.figures.push(Figure::new("counted", counted));
                view.says = if inside >= *at_least as usize { Says::Holds } else { Says::Not };
            }
            Condition::Overdue { event, every, from } => {
                let state = &self.units[unit.index()];
                let done = state.done_at(*event);
                let service = match from {
                    OverdueFrom::Service => in_service_since(self.fleet.unit(unit), state.first_heard),
                    OverdueFrom::Last => None,
                };
                view.figures.push(Figure::new("last", done.map_or(Told::Never, Told::At)));
                if let Some(since) = done.or(service) {
                    let due = since + *every;
                    view.says = if due <= at { Says::Holds } else { Says::Not };
                    view.due = (due > at).then_some(due);
                }
            }
            Condition::All(_) | Condition::Any(_) => unreachable!("a leaf is not combined"),
        }
        // What the judge itself has noted counts more than what its figures look like.
        if let Some(known) = self.units[unit.index()].seldom().signs.iter().find(|s| s.leaf == leaf) {
            view.says = match known.verdict {
                Verdict::Holds => Says::Holds,
                Verdict::Between => Says::Between,
                Verdict::Gone => Says::Not,
            };
        }
        view
    }

    fn explain_silence(&self, unit: UnitIx, kind: Kind, sign: &Condition, view: &mut SignView) {
        let state = &self.units[unit.index()];
        let interval = match kind {
            Kind::Selftest => SELFTEST_INTERVAL,
            Kind::Heartbeat | Kind::Power | Kind::Press | Kind::Status | Kind::Reply => self.heartbeat_interval(unit),
        };
        let span = silence_span(Some(sign), interval);
        view.figures.push(Figure::new("allowed", Told::Span(span)));
        let last = match kind {
            Kind::Heartbeat => state.last_heard,
            Kind::Selftest | Kind::Power | Kind::Press | Kind::Status | Kind::Reply => {
                state.seldom().last_of_kind.iter().find(|(k, _)| *k == kind).map(|(_, at)| *at)
            }
        };
        let Some(last) = last else {
            view.figures.push(Figure::new("last", Told::Never));
            return;
        };
        view.figures.push(Figure::new("last", Told::At(last)));
        let (HearingState::Up { since: heard_from } | HearingState::Down { heard_from, .. }) = self.hearing;
        let due = heard_from.map_or(last, |since| last.max(since)) + span;
        let passed = self.now.is_some_and(|now| due <= now);
        view.says = match (passed, self.is_hearing()) {
            (false, _) => Says::Not,
            (true, true) => Says::Holds,
            (true, false) => Says::Unknown,
        };
        view.due = (!passed).then_some(due);
    }

    fn value_of(&self, at: Timestamp, unit: UnitIx, metric: &MetricRef, view: &mut SignView) -> Option<f64> {
        let state = &self.units[unit.index()];
        let (value, when) = match metric {
            MetricRef::Known(m) => (self.present_value(at, unit, *m), state.measured.reading(*m).map(|r| r.at)),
            MetricRef::Vendor(name) => {
                let found = state.seldom().vendor.iter().find(|(n, _, _)| n == name);
                (found.map(|(_, v, _)| *v), found.map(|(_, _, at)| *at))
            }
        };
        let told = value.map_or(Told::NotKnown, |value| Told::Value { value: figure_of(metric, value), at: when });
        view.figures.push(Figure::new("now", told));
        value
    }

    /// The mode of the newest camera test: day and infrared pictures have baselines of their own.
    fn mode_of(&self, unit: UnitIx, metric: Metric) -> Option<CameraMode> {
        let is_camera = metric.name().starts_with("camera.");
        self.units[unit.index()].measured.test(Component::Camera).filter(|_| is_camera).and_then(|t| t.mode)
    }

    fn explain_baseline(&self, unit: UnitIx, metric: Metric, view: &mut SignView) -> Option<f64> {
        let mode = self.mode_of(unit, metric);
        let baseline = self.units[unit.index()].baseline(metric, mode);
        let told = baseline.map_or(Told::NotLearned, |b| Told::Learned { value: metric.figure(b), mode });
        view.figures.push(Figure::new("baseline", told));
        baseline
    }

    fn explain_row(&self, unit: UnitIx, leaf: Leaf, consecutive: u32, view: &mut SignView) {
        if consecutive > 1 {
            let rows = &self.units[unit.index()].seldom().in_a_row;
            let n = rows.iter().find(|(l, _)| *l == leaf).map_or(0, |(_, n)| *n);
            view.figures.push(Figure::new("in a row", Told::OutOf { n, of: consecutive }));
        }
    }

    fn explain_forecast(
        &self,
        (at, unit, leaf): (Timestamp, UnitIx, Leaf),
        metric: Metric,
        side: Side,
        limit: ForecastLimit,
        (within, watch): (Duration, Duration),
        view: &mut SignView,
    ) {
        self.value_of(at, unit, &MetricRef::Known(metric), view);
        // The series' own limit, as the judge draws it: parts of the baseline, or distances from it.
        let line = match limit {
            ForecastLimit::Fixed(limit) => Some(limit),
            ForecastLimit::Baseline(distance) => {
                let baseline = self.explain_baseline(unit, metric, view);
                baseline.map(|_| match distance {
                    Distance::Share(share) => share * 100.0,
                    gap @ Distance::Gap(_) => gap.of(0.0, side),
                })
            }
        };
        let series = self.units[unit.index()].series.iter().find(|(l, _)| *l == leaf);
        let (Some(line), Some((_, series))) = (line, series) else { return };
        match series.forecast(line, side, at, watch) {
            None => {
                view.figures.push(Figure::new("trend", Told::NoTrend));
                view.says = Says::Not;
            }
            Some(found) => {
                let foreseen = Told::Foreseen {
                    at: found.at,
                    earliest: found.earliest,
                    latest: found.latest,
                    confidence: found.confidence_pct,
                };
                view.figures.push(Figure::new("reaches the limit", foreseen));
                view.says = if found.at.since(at) <= within { Says::Holds } else { Says::Not };
                view.due = (found.at.since(at) > within).then(|| found.at - within);
            }
        }
    }
}

fn together(condition: &Condition) -> Option<Together> {
    let (parts, word) = match condition {
        Condition::All(parts) => (parts, Together::All),
        Condition::Any(parts) => (parts, Together::Any),
        Condition::Silent { .. }
        | Condition::Threshold { .. }
        | Condition::Baseline { .. }
        | Condition::Rate { .. }
        | Condition::Forecast { .. }
        | Condition::Result { .. }
        | Condition::Count { .. }
        | Condition::Overdue { .. } => return None,
    };
    Some(if parts.iter().any(Condition::is_combined) { Together::Nested } else { word })
}

fn says(value: Option<f64>, side: Side, limit: f64, clear: f64) -> Says {
    match value {
        None => Says::Unknown,
        Some(value) if side.beyond(value, limit) => Says::Holds,
        Some(value) if side.beyond(value, clear) => Says::Between,
        Some(_) => Says::Not,
    }
}

/// When a value that grows by itself will be above the limit.
fn grows_to(at: Timestamp, metric: Metric, value: f64, side: Side, limit: f64) -> Option<Timestamp> {
    growth(metric)?;
    let unit_s = match metric.facts().unit {
        "h" => 3600.0,
        "min" => 60.0,
        _ => return None,
    };
    let left = (limit - value) * unit_s;
    // Zero has not begun to grow.
    (side == Side::Above && value > 0.0 && left > 0.0).then(|| at + Duration::from_secs_f64(left.min(1e10)))
}
