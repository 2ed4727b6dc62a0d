//! What stands ahead of the units: tests that are due, and what their trends say will fail. Reads the state and never
//! changes it.
//!
//! A trend takes tens of microseconds to look at, and a fleet has many: [`Engine::prospects`] copies what is needed, and
//! [`Prospects::outlook`] works it out on another thread, so that no unit waits for a report.

use std::time::Duration;

use crate::domain::explain::Says;
use crate::domain::metric::plain_number;
use crate::domain::outlook::{DrillRow, ForecastRow, Outlook};
use crate::domain::rule::{
    Condition, Distance, ForecastLimit, MetricRef, OverdueEvent, OverdueFrom, Side, in_service_since,
};
use crate::domain::{Component, Metric, OrderId, Reason, RuleId, Timestamp, UnitId, UnitIx};

use super::Engine;
use super::compiled::{Leaf, RuleIx};
use super::trend::{Forecast, Series};
use super::unit_state::Phase;

/// A condition's forecast, as the file has it.
#[derive(Debug, Clone, Copy)]
struct Asked {
    metric: Metric,
    side: Side,
    limit: ForecastLimit,
    watch: Duration,
}

/// The engine's state as far as an outlook needs it.
#[derive(Debug)]
pub struct Prospects {
    at: Timestamp,
    selftest_valid: Duration,
    drills: Vec<DrillRow>,
    trends: Vec<Trend>,
    cuts: Vec<ForecastRow>,
}

/// One rule's forecasts for one unit.
#[derive(Debug)]
struct Trend {
    unit: UnitId,
    component: Component,
    rule: RuleId,
    order: Option<OrderId>,
    /// Each with what the alert that fires says of it.
    series: Vec<(Asked, Option<Series>, Option<Forecast>)>,
}

impl Engine {
    pub fn prospects(&self) -> Prospects {
        let at = self.now.unwrap_or_default();
        let press_rules = self.press_rules();
        let trend_rules = self.rules_with(|c| matches!(c, Condition::Forecast { .. }));
        let stuck_rules = self
            .rules_with(|c| matches!(c, Condition::Threshold { metric: MetricRef::Known(Metric::ButtonStuck), .. }));
        let units = || self.fleet.units().map(|(unit, _)| unit);
        Prospects {
            at,
            selftest_valid: self.settings.selftest_valid,
            drills: units().map(|unit| self.drill_row(unit, &press_rules, &stuck_rules)).collect(),
            trends: units()
                .flat_map(|unit| trend_rules.iter().filter_map(move |rule| self.trend(at, unit, *rule)))
                .collect(),
            cuts: units().filter_map(|unit| self.runs_empty(at, unit)).collect(),
        }
    }

    /// Those that ask for test presses.
    pub(super) fn press_rules(&self) -> Vec<RuleIx> {
        self.rules_with(|c| matches!(c, Condition::Overdue { event: OverdueEvent::PressTest, .. }))
    }

    /// How often this unit's button should be pressed for a test, by the strictest of these rules. None: none asks.
    pub(super) fn press_tests_asked(&self, unit: UnitIx, press_rules: &[RuleIx]) -> Option<(Duration, OverdueFrom)> {
        let mut asked: Option<(Duration, OverdueFrom)> = None;
        for demand in press_rules.iter().filter_map(|rule| self.rules.demand(*rule, unit)) {
            for leaf in demand.condition.leaves() {
                if let Condition::Overdue { event: OverdueEvent::PressTest, every, from } = leaf
                    && asked.is_none_or(|(shortest, _)| *every < shortest)
                {
                    asked = Some((*every, *from));
                }
            }
        }
        asked
    }

    /// Rules that hold such a condition, for all units or for some.
    fn rules_with(&self, wanted: fn(&Condition) -> bool) -> Vec<RuleIx> {
        let has = |rule: &RuleIx| {
            let r = self.rules.rule(*rule);
            let conditions = std::iter::once(&r.condition).chain(r.overrides.iter().map(|o| &o.condition));
            conditions.flat_map(Condition::leaves).any(wanted)
        };
        (0..self.rules.set.rules.len()).map(|i| RuleIx(i as u16)).filter(has).collect()
    }

    fn drill_row(&self, unit: UnitIx, press_rules: &[RuleIx], stuck_rules: &[RuleIx]) -> DrillRow {
        let row = self.fleet.unit(unit);
        let state = &self.units[unit.index()];
        let asked = self.press_tests_asked(unit, press_rules);
        let stuck = state.measured.reading(Metric::ButtonStuck).filter(|r| r.value >= 0.5);
        let told_since = stuck_rules.iter().filter_map(|rule| state.alert(*rule)).map(|a| a.began).min();
        DrillRow {
            unit: row.unit.clone(),
            all_passed: state.measured.tests().next().is_some()
                && state.measured.tests().all(|t| t.last_pass.is_some()),
            last_selftest: state.last_selftest,
            last_press_test: state.last_press_test,
            press_every_s: asked.map(|(every, _)| every.as_secs_f64()),
            in_service_since: match asked {
                Some((_, OverdueFrom::Service)) => in_service_since(row, state.first_heard),
                Some((_, OverdueFrom::Last)) | None => None,
            },
            stuck_since: stuck.map(|reading| told_since.unwrap_or(reading.at)),
        }
    }

    /// None: the rule is not for this unit, or what stands beside its forecast keeps it from speaking.
    fn trend(&self, at: Timestamp, unit: UnitIx, rule: RuleIx) -> Option<Trend> {
        let demand = self.rules.demand(rule, unit)?;
        let leaves = demand.condition.leaves();
        let state = &self.units[unit.index()];
        let alert = state.alert(rule);
        let fires = alert.filter(|a| a.phase == Phase::Firing);
        let is_held = fires.is_none()
            && matches!(demand.condition, Condition::All(_))
            && leaves.iter().enumerate().any(|(n, sign)| {
                let leaf = Leaf { rule, n: n as u8 };
                !matches!(sign, Condition::Forecast { .. })
                    && matches!(self.sign_view(at, unit, leaf, sign).says, Says::Not | Says::Unknown)
            });
        if is_held {
            return None;
        }
        let series = leaves.iter().enumerate().filter_map(|(n, sign)| {
            let Condition::Forecast { metric, side, limit, within: _, watch } = sign else { return None };
            let leaf = Leaf { rule, n: n as u8 };
            let series = state.series.iter().find(|(l, _)| *l == leaf).map(|(_, series)| series.clone());
            // A trend that wavers for a day still stands in the alert that fires for it.
            let told = fires.and_then(|a| told_forecast(&a.reason, *metric));
            let asked = Asked { metric: *metric, side: *side, limit: *limit, watch: *watch };
            (series.is_some() || told.is_some()).then_some((asked, series, told))
        });
        let series: Vec<_> = series.collect();
        let r = self.rules.rule(rule);
        (!series.is_empty()).then(|| Trend {
            unit: self.fleet.unit(unit).unit.clone(),
            component: r.component,
            rule: r.id.clone(),
            order: alert.and_then(|a| a.order),
            series,
        })
    }

    /// In a cut that will outlast its battery.
    fn runs_empty(&self, at: Timestamp, unit: UnitIx) -> Option<ForecastRow> {
        if !self.is_on_battery(unit) {
            return None;
        }
        let runtime = self.present_value(at, unit, Metric::BatteryRuntime)?;
        let margin = self.present_value(at, unit, Metric::BatteryMargin)?;
        let left = Duration::try_from_secs_f64(runtime * 3600.0).ok()?;
        (margin < 0.0).then(|| ForecastRow {
            unit: self.fleet.unit(unit).unit.clone(),
            component: Component::Battery,
            rule: None,
            what: "battery empty before the mains are back".to_owned(),
            at: at + left,
            earliest: None,
            latest: None,
            confidence_pct: None,
            from: format!(
                "{} {}, {} {}",
                Metric::BatteryRuntime,
                Metric::BatteryRuntime.figure(runtime),
                Metric::BatteryMargin,
                Metric::BatteryMargin.figure(margin)
            ),
            order: None,
        })
    }
}

impl Prospects {
    /// The dates, soonest first.
    pub fn outlook(self) -> Outlook {
        let Prospects { at, selftest_valid, drills, trends, cuts } = self;
        let mut forecasts: Vec<ForecastRow> = trends.into_iter().filter_map(|trend| trend.dated(at)).collect();
        forecasts.extend(cuts);
        // Two rules may watch one part at two limits: the first date is the one to go by.
        forecasts.sort_by(|a, b| (&a.unit, a.component, a.at).cmp(&(&b.unit, b.component, b.at)));
        forecasts.dedup_by(|later, first| later.unit == first.unit && later.component == first.component);
        forecasts.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.unit.cmp(&b.unit)));
        Outlook { selftest_valid_s: selftest_valid.as_secs_f64(), drills, forecasts }
    }
}

impl Trend {
    /// The soonest date. None: no trend that is more than noise.
    fn dated(self, at: Timestamp) -> Option<ForecastRow> {
        let found = |(asked, series, told): &(Asked, Option<Series>, Option<Forecast>)| {
            let seen = series.as_ref().and_then(|s| s.forecast(line(*asked), asked.side, at, asked.watch));
            Some((*asked, seen.or(*told)?))
        };
        let (asked, found) = self.series.iter().filter_map(found).min_by_key(|(_, found)| found.at)?;
        let (limit, unit_text) = limit_text(asked);
        let slope = format!("{}{}", if found.slope_per_day > 0.0 { "+" } else { "" }, plain_slope(found.slope_per_day));
        let pace = if found.slope_per_day == 0.0 { String::new() } else { format!(", {slope} {unit_text} a day") };
        Some(ForecastRow {
            unit: self.unit,
            component: self.component,
            rule: Some(self.rule),
            what: format!("{} {} {limit}", asked.metric, asked.side),
            at: found.at.max(at),
            earliest: Some(found.earliest.max(at)),
            latest: Some(found.latest.max(at)),
            confidence_pct: Some(found.confidence_pct),
            from: squeezed(&format!("{} {} {unit_text} now{pace}", asked.metric, plain_number(found.level)))
                .replace(" ,", ","),
            order: self.order,
        })
    }
}

/// The series' own limit, as the judge draws it: parts of the baseline, or distances from it.
fn line(asked: Asked) -> f64 {
    match asked.limit {
        ForecastLimit::Fixed(limit) => limit,
        ForecastLimit::Baseline(Distance::Share(share)) => share * 100.0,
        ForecastLimit::Baseline(gap @ Distance::Gap(_)) => gap.of(0.0, asked.side),
    }
}

/// The limit, and what a figure of the series is in.
fn limit_text(asked: Asked) -> (String, &'static str) {
    match asked.limit {
        ForecastLimit::Fixed(limit) => (asked.metric.figure(limit), asked.metric.facts().unit),
        ForecastLimit::Baseline(Distance::Share(share)) => {
            (format!("{} % of what it was when new", plain_number(share * 100.0)), "%")
        }
        ForecastLimit::Baseline(Distance::Gap(gap)) => {
            let unit = asked.metric.facts().unit;
            (format!("{} {unit} from what it was when new", plain_number(gap)), unit)
        }
    }
}

/// A slope of a hundredth a day is one; two decimals would make it none.
fn plain_slope(slope: f64) -> String {
    if slope.abs() < 0.1 { format!("{slope:.3}") } else { plain_number(slope) }
}

/// A metric without a unit leaves a gap.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The forecast that an alert fires for, wherever in its reason it stands.
fn told_forecast(reason: &Reason, wanted: Metric) -> Option<Forecast> {
    if let Reason::Foreseen { metric, level, at, earliest, latest, confidence, .. } = reason
        && metric == wanted.name()
    {
        let (at, earliest, latest) = (*at, *earliest, *latest);
        return Some(Forecast { at, earliest, latest, confidence_pct: *confidence, slope_per_day: 0.0, level: *level });
    }
    if let Reason::Together { reasons } = reason {
        return reasons.iter().find_map(|r| told_forecast(r, wanted));
    }
    if let Reason::HeldFor { what, .. } | Reason::Flapping { what, .. } = reason {
        return told_forecast(what, wanted);
    }
    None
}
