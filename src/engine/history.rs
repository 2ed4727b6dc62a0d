//! What is told to those who keep the readings: what is known beside a message, how each unit stands, how its feeder usually
//! fares. Reads the state and never changes it.

use crate::domain::history::{FeederWeek, Heard, Leading, PowerEstimate, UnitStatus};
use crate::domain::message::{Body, Message, TestResult};
use crate::domain::rule::Condition;
use crate::domain::{Metric, Timestamp, UnitIx};

use super::Engine;
use super::evidence::limit_of;

impl Engine {
    /// What is known beside the message that was handled last, which came from `unit`. None: it had been heard before.
    pub fn heard_with(&self, unit: UnitIx, message: &Message) -> Option<Heard> {
        let taken = self.taken?;
        let state = &self.units[unit.index()];
        let leading = match &message.body {
            Body::Selftest(test) => test.results.iter().filter_map(|r| self.leading(unit, r)).collect(),
            Body::Heartbeat(_) | Body::Power(_) | Body::Press(_) | Body::Status(_) | Body::Reply(_) => Vec::new(),
        };
        let power = matches!(message.body, Body::Power(_)) && !taken.late;
        Some(Heard {
            at: taken.at,
            loss_pct: state.sequence.loss_pct().filter(|_| !taken.late),
            skew_s: state.clock.skew_s().filter(|_| !taken.late),
            power: power.then(|| self.power_estimate(taken.at, unit)),
            leading,
        })
    }

    fn power_estimate(&self, at: Timestamp, unit: UnitIx) -> PowerEstimate {
        let value = |metric| self.present_value(at, unit, metric);
        let longest = self.feeders.of(unit).and_then(|f| f.schedule.longest_usual());
        PowerEstimate {
            runtime_h: value(Metric::BatteryRuntime),
            margin_h: value(Metric::BatteryMargin),
            health_pct: value(Metric::BatteryHealth),
            charge_pct: value(Metric::BatteryEstimate),
            longest_cut_h: longest.map(|d| d.as_secs_f64() / 3600.0),
        }
    }

    /// The limit of the strictest rule: the first that would speak.
    fn leading(&self, unit: UnitIx, result: &TestResult) -> Option<Leading> {
        let metric = Metric::leading(result.component)?;
        let baseline = self.units[unit.index()].baseline(metric, result.mode);
        let limits = self.rules.for_metric(metric).iter().filter_map(|leaf| {
            let sign = self.rules.sign(*leaf, unit)?;
            let is_present = matches!(sign, Condition::Threshold { .. } | Condition::Baseline { .. });
            limit_of(sign, baseline).filter(|_| is_present)
        });
        Some(Leading { component: result.component, baseline, limit: limits.max_by(f64::total_cmp) })
    }

    pub fn unit_statuses(&self, at: Timestamp, units: impl Iterator<Item = UnitIx>) -> Vec<UnitStatus> {
        let open = self.open_orders_by_unit();
        let press_rules = self.press_rules();
        let status = |unit: UnitIx| {
            let orders = open.get(&self.fleet.unit(unit).unit).copied().unwrap_or(0);
            let every = self.press_tests_asked(unit, &press_rules).map(|(every, _)| every.as_secs_f64() / 3600.0);
            UnitStatus {
                row: self.unit_row(unit, orders),
                selftest_h: self.present_value(at, unit, Metric::SelftestAge),
                drill_h: self.present_value(at, unit, Metric::PressAge),
                drill_every_h: every,
            }
        };
        units.map(status).collect()
    }

    pub fn feeders(&self) -> usize {
        self.feeders.all().len()
    }

    /// By its place among the feeders.
    pub fn feeder_week(&self, at: Timestamp, place: usize) -> Option<FeederWeek> {
        let feeder = self.feeders.all().get(place)?;
        let hours = feeder.schedule.usual_week(at).map(|(hour, share)| (hour, 100.0 * share)).collect();
        Some(FeederWeek { feeder: feeder.name.clone(), hours })
    }
}
