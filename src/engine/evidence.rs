//! What an order says beside its one sentence: the figures that bear on its component, what else is wrong with the unit,
//! and how those fare that share a circuit with it. Never decides.

use crate::domain::order::{Evidence, OrderReading};
use crate::domain::rule::{Condition, Distance, ForecastLimit, Side};
use crate::domain::series::SeriesLimit;
use crate::domain::{Component, GroupKind, Metric, Reason, SeriesName, Timestamp, UnitIx};

use super::Engine;
use super::compiled::RuleIx;
use super::sign::growth;
use super::unit_state::Presence;

impl Engine {
    /// The alert itself, and what else is known of the unit that bears on this component.
    pub(super) fn evidence(&self, at: Timestamp, unit: UnitIx, rule: RuleIx, what: &Reason) -> Vec<Evidence> {
        let state = &self.units[unit.index()];
        let fired = state.alert(rule).and_then(|a| a.fired_at).unwrap_or(at);
        let mut lines = vec![Evidence::Seen { at: fired, why: what.clone() }];
        let own = if let Reason::Beyond { metric, .. } = what { metric.as_str() } else { "" };
        for metric in bearing(self.rules.rule(rule).component).iter().filter(|m| m.name() != own) {
            let sent = state.measured.reading(*metric);
            let known_at = sent.map(|r| r.at).or(state.last_heard).unwrap_or(at);
            let Some(value) = self.present_value(known_at, unit, *metric) else { continue };
            if growth(*metric).is_some() && value == 0.0 {
                continue;
            }
            let mode = state.measured.test(Component::Camera).and_then(|t| t.mode);
            let mode = mode.filter(|_| metric.name().starts_with("camera."));
            let new = state.baseline(*metric, mode);
            lines.push(Evidence::Reading { at: known_at, metric: *metric, value, new });
        }
        for other in state.alerts.iter().filter(|a| a.rule != rule && a.is_active()) {
            let began = other.fired_at.unwrap_or(other.since);
            let (rule, why) = (self.rules.rule(other.rule).id.clone(), other.reason.clone());
            lines.push(Evidence::Also { at: began, rule, why });
        }
        lines.extend(self.others(at, unit, rule));
        lines
    }

    /// What the fault is seen in; of a part that is only suspected, what its state is seen in.
    pub(super) fn reading_that_matters(
        &self,
        unit: UnitIx,
        rule: RuleIx,
        component: Component,
    ) -> Option<OrderReading> {
        let condition = self.rules.demand(rule, unit)?.condition;
        let is_own = self.rules.rule(rule).component == component;
        let sign = condition.leaves().into_iter().find(|leaf| leaf.known_metric().and_then(SeriesName::sent).is_some());
        if let Some(sign) = sign.filter(|_| is_own) {
            let metric = sign.known_metric().expect("it was found by its metric");
            let limits = self.limits_of(unit, sign, metric);
            return Some(OrderReading { series: SeriesName::Metric(metric), limits });
        }
        let series = state_of(component)?;
        let limits = SeriesLimit::of(&self.rules.set, self.fleet.unit(unit), &series);
        let name = |limit: &SeriesLimit| (limit.rule.to_string(), limit.value);
        Some(OrderReading { limits: limits.iter().map(name).take(LIMITS_DRAWN).collect(), series })
    }

    fn limits_of(&self, unit: UnitIx, sign: &Condition, metric: Metric) -> Vec<(String, f64)> {
        let state = &self.units[unit.index()];
        let mode = state.measured.test(Component::Camera).and_then(|t| t.mode);
        let mode = mode.filter(|_| metric.name().starts_with("camera."));
        let new = state.baseline(metric, mode);
        let limit = limit_of(sign, new);
        let against_new =
            matches!(sign, Condition::Baseline { .. } | Condition::Forecast { limit: ForecastLimit::Baseline(_), .. });
        let limit = limit.map(|v| (format!("limit {}", metric.figure(v)), v));
        let new = new.filter(|_| against_new).map(|v| (format!("new {}", metric.figure(v)), v));
        limit.into_iter().chain(new).collect()
    }

    /// How those that share a circuit with it fare: what a crew would ask first.
    fn others(&self, at: Timestamp, unit: UnitIx, rule: RuleIx) -> Option<Evidence> {
        let kind = match self.rules.rule(rule).component {
            Component::Uplink => GroupKind::Uplink,
            Component::Battery | Component::Charger | Component::Mains => GroupKind::Feeder,
            Component::Controller
            | Component::Camera
            | Component::Microphone
            | Component::Speaker
            | Component::Button
            | Component::Stream
            | Component::Clock
            | Component::Firmware
            | Component::Enclosure => return None,
        };
        let name = self.fleet.unit(unit).group(kind)?;
        let members = self.fleet.groups().get(&(kind, name.clone()))?;
        let others: Vec<UnitIx> = members.iter().copied().filter(|m| *m != unit).collect();
        if others.is_empty() {
            return None;
        }
        let heard = others.iter().filter(|u| self.units[u.index()].presence == Presence::Present).count();
        let of = others.len();
        let dark = match kind {
            GroupKind::Feeder => Some(others.iter().filter(|u| self.is_on_battery(**u)).count()),
            GroupKind::Uplink | GroupKind::Site | GroupKind::City | GroupKind::Fleet => None,
        };
        Some(Evidence::Others { at, kind, name: name.clone(), of, heard, dark })
    }
}

/// What a condition holds a reading against. `new`: the commissioning value, if it is known.
pub(super) fn limit_of(sign: &Condition, new: Option<f64>) -> Option<f64> {
    let against = |distance: Distance, side: Side| new.map(|new| distance.of(new, side));
    match sign {
        Condition::Threshold { limit, .. } => Some(*limit),
        Condition::Baseline { limit, side, .. } => against(*limit, *side),
        Condition::Forecast { limit: ForecastLimit::Fixed(limit), .. } => Some(*limit),
        Condition::Forecast { limit: ForecastLimit::Baseline(distance), side, .. } => against(*distance, *side),
        Condition::Rate { .. }
        | Condition::Silent { .. }
        | Condition::Result { .. }
        | Condition::Count { .. }
        | Condition::Overdue { .. }
        | Condition::All(_)
        | Condition::Any(_) => None,
    }
}

/// More lines than these hide the readings.
const LIMITS_DRAWN: usize = 2;

/// Of the readings that units send, the one by which a component is known best.
fn state_of(component: Component) -> Option<SeriesName> {
    match component {
        Component::Uplink | Component::Controller | Component::Firmware => Some(SeriesName::Heartbeats),
        Component::Battery | Component::Charger | Component::Mains => Some(SeriesName::Metric(Metric::BatteryVoltage)),
        Component::Camera => Some(SeriesName::Metric(Metric::CameraSharpness)),
        Component::Microphone => Some(SeriesName::Metric(Metric::MicrophoneTone)),
        Component::Speaker => Some(SeriesName::Metric(Metric::SpeakerTone)),
        Component::Stream => Some(SeriesName::Metric(Metric::StreamConnect)),
        Component::Enclosure => Some(SeriesName::Metric(Metric::EnclosureTemperature)),
        Component::Button | Component::Clock => None,
    }
}

/// The figures that bear on a component.
fn bearing(component: Component) -> &'static [Metric] {
    use Metric::{
        BatteryCurrent, BatteryEstimate, BatteryHealth, BatteryRuntime, BatteryStart, BatteryTemperature,
        BatteryVoltage, ButtonContact, CameraLuma, CameraSharpness, ClockSkew, ControllerUptime, CutMinutes,
        EnclosureTemperature, LinkLoss, LinkRssi, MainsPresent, MicrophoneAmbient, MicrophoneTone, SpeakerTone,
        StreamConnect, StreamLoss, StreamRate,
    };
    match component {
        Component::Uplink => &[LinkRssi, LinkLoss, BatteryVoltage, MainsPresent],
        Component::Controller | Component::Firmware => &[ControllerUptime, BatteryVoltage, MainsPresent],
        Component::Battery | Component::Charger | Component::Mains => &[
            MainsPresent,
            CutMinutes,
            BatteryVoltage,
            BatteryCurrent,
            BatteryEstimate,
            BatteryRuntime,
            BatteryHealth,
            BatteryStart,
            BatteryTemperature,
        ],
        Component::Camera => &[CameraSharpness, CameraLuma],
        Component::Microphone => &[MicrophoneTone, MicrophoneAmbient],
        Component::Speaker => &[SpeakerTone, MicrophoneAmbient],
        Component::Button => &[ButtonContact],
        Component::Stream => &[StreamConnect, StreamRate, StreamLoss, LinkRssi, LinkLoss],
        Component::Clock => &[ClockSkew],
        Component::Enclosure => &[EnclosureTemperature],
    }
}
