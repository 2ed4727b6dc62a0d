//! What each fault should have led to, and what the engine made of it: matching of orders with faults.
//! Never looks into the engine: orders, incidents and alerts are all it knows.

use std::time::Duration;

use buttonwatch::app::simulate::FaultKind;
use buttonwatch::domain::{Component, OrderId, Timestamp, UnitIx};

use super::plan::{DAY, HOUR, MINUTE, WorldPlan};

/// What should come of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// One order on its unit, for one of these components.
    Order(&'static [Component]),
    /// One order on its uplink, none on its units.
    UplinkOrder,
    /// One incident on its feeder; at most one order on that, none on its units.
    FeederIncident,
    /// The press-flood alert, and no order.
    FloodAlert,
    /// No order. A common cause may be told as an incident.
    Nothing,
}

/// One fault that was really there, or one stretch in which something harmless happened.
#[derive(Debug, Clone)]
pub struct Case {
    /// As in the table of results.
    pub name: String,
    pub kind: Option<FaultKind>,
    pub expect: Expect,
    /// Sorted.
    pub units: Vec<UnitIx>,
    /// Of the uplink or feeder.
    pub circuit: Option<String>,
    /// The fault's number in its world.
    pub episode: Option<usize>,
    pub from: Timestamp,
    pub to: Option<Timestamp>,
    /// When the fault could first be seen in what the units say.
    pub visible: Option<Timestamp>,
    /// The order must be there so long after that.
    pub allowed: Duration,
    /// It must be there by then whatever `allowed` says: a battery's first death.
    pub by: Option<Timestamp>,
    pub found: Option<Found>,
    /// An order of its component that relapsed: it must be this one again.
    pub relapse_of: Option<OrderId>,
    pub relapsed_right: Option<bool>,
    pub closed_at: Option<Timestamp>,
    pub repaired_at: Option<Timestamp>,
    pub seen_flapping: bool,
    /// Looks that the runner keeps: failed tests in a row, and when the battery first died.
    pub fails: u32,
    pub died: Option<Timestamp>,
    /// Lateness that the units had no part in: uplink down, we deaf, no mains to miss.
    pub hidden: Duration,
    pub false_orders: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    pub at: Timestamp,
    pub order: Option<OrderId>,
    pub component: Option<Component>,
}

pub fn expect(kind: FaultKind) -> Expect {
    use Component as C;
    match kind {
        FaultKind::Dead => Expect::Order(&[C::Controller, C::Uplink, C::Firmware]),
        FaultKind::RebootLoop { .. } => Expect::Order(&[C::Controller, C::Firmware]),
        FaultKind::FlappingLink { .. } => Expect::Order(&[C::Uplink, C::Controller]),
        FaultKind::UplinkDown => Expect::UplinkOrder,
        FaultKind::FeederCut => Expect::FeederIncident,
        FaultKind::LocalMainsLost => Expect::Order(&[C::Mains]),
        FaultKind::CameraBlocked | FaultKind::CameraFrozen | FaultKind::CameraDirty { .. } => {
            Expect::Order(&[C::Camera])
        }
        FaultKind::MicrophoneDeaf { .. } => Expect::Order(&[C::Microphone]),
        FaultKind::SpeakerDead => Expect::Order(&[C::Speaker]),
        FaultKind::StreamBroken => Expect::Order(&[C::Stream]),
        FaultKind::ButtonStuck | FaultKind::NoTestPresses => Expect::Order(&[C::Button]),
        FaultKind::BatteryWeak { .. } => Expect::Order(&[C::Battery, C::Charger]),
        FaultKind::BatteryFading { .. } => Expect::Order(&[C::Battery]),
        FaultKind::ChargerDead { .. } => Expect::Order(&[C::Charger, C::Battery]),
        FaultKind::ClockOff { .. } => Expect::Order(&[C::Clock]),
        FaultKind::Tamper | FaultKind::Overheat { .. } => Expect::Order(&[C::Enclosure]),
        FaultKind::PressFlood { .. } => Expect::FloodAlert,
        FaultKind::CameraGlitch
        | FaultKind::Fog { .. }
        | FaultKind::Loud
        | FaultKind::LossyLink { .. }
        | FaultKind::ScrambledLink
        | FaultKind::BootReset => Expect::Nothing,
    }
}

/// How long after the fault can be seen its order may take.
pub fn allowed(kind: FaultKind, plan: &WorldPlan) -> Duration {
    let silence = plan.heartbeat.mul_f64(3.5) + MINUTE * 5;
    match kind {
        // The table's ten minutes; slower units need their three beats and the order its five minutes.
        FaultKind::Dead | FaultKind::UplinkDown => (MINUTE * 10).max(silence + plan.heartbeat + MINUTE),
        FaultKind::FlappingLink { .. } => HOUR * 3,
        FaultKind::FeederCut => HOUR,
        FaultKind::LocalMainsLost => HOUR + plan.power,
        // From the third failed test on.
        FaultKind::CameraBlocked
        | FaultKind::CameraFrozen
        | FaultKind::MicrophoneDeaf { .. }
        | FaultKind::SpeakerDead
        | FaultKind::StreamBroken => MINUTE * 10,
        FaultKind::ButtonStuck | FaultKind::Tamper => MINUTE * 20,
        FaultKind::CameraDirty { .. } => plan.selftest * 6 + DAY,
        FaultKind::NoTestPresses => DAY,
        // From its first death on: time enough to see who else goes dark.
        FaultKind::BatteryWeak { .. } => HOUR,
        FaultKind::BatteryFading { .. } => Duration::ZERO,
        FaultKind::ChargerDead { .. } => HOUR * 12,
        FaultKind::RebootLoop { .. } => MINUTE * 75,
        FaultKind::ClockOff { .. } => MINUTE * 75,
        FaultKind::Overheat { .. } => HOUR,
        FaultKind::PressFlood { .. } => HOUR,
        FaultKind::CameraGlitch
        | FaultKind::Fog { .. }
        | FaultKind::Loud
        | FaultKind::LossyLink { .. }
        | FaultKind::ScrambledLink
        | FaultKind::BootReset => Duration::ZERO,
    }
}

/// From the beginning on, or only when the runner has seen its signs?
pub fn is_visible_at_once(kind: FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::Dead
            | FaultKind::UplinkDown
            | FaultKind::FlappingLink { .. }
            | FaultKind::LocalMainsLost
            | FaultKind::ButtonStuck
            | FaultKind::Tamper
            | FaultKind::RebootLoop { .. }
            | FaultKind::ClockOff { .. }
            | FaultKind::Overheat { .. }
            | FaultKind::PressFlood { .. }
    )
}

/// Which test shows it by failing.
pub fn failing_test(kind: FaultKind) -> Option<Component> {
    let by_tests = matches!(
        kind,
        FaultKind::CameraBlocked
            | FaultKind::CameraFrozen
            | FaultKind::MicrophoneDeaf { .. }
            | FaultKind::SpeakerDead
            | FaultKind::StreamBroken
    );
    kind.component().filter(|_| by_tests)
}

impl Case {
    pub fn new(name: String, expect: Expect, units: Vec<UnitIx>, from: Timestamp) -> Case {
        Case {
            name,
            kind: None,
            expect,
            units,
            circuit: None,
            episode: None,
            from,
            to: None,
            visible: None,
            allowed: Duration::ZERO,
            by: None,
            found: None,
            relapse_of: None,
            relapsed_right: None,
            closed_at: None,
            repaired_at: None,
            seen_flapping: false,
            fails: 0,
            died: None,
            hidden: Duration::ZERO,
            false_orders: 0,
        }
    }

    /// Does it last, or was it over a moment ago? Orders that were due then may still come.
    pub fn is_recent(&self, at: Timestamp) -> bool {
        self.from <= at && self.to.is_none_or(|to| at <= to + HOUR)
    }

    pub fn strikes(&self, unit: UnitIx) -> bool {
        self.units.binary_search(&unit).is_ok()
    }

    pub fn is_fault(&self) -> bool {
        self.expect != Expect::Nothing
    }

    /// The latest moment at which its order is in time. None: it was never to be seen.
    pub fn deadline(&self) -> Option<Timestamp> {
        let ordinary = self.visible.map(|v| v + self.allowed + self.hidden);
        match (ordinary, self.by) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Does it count: was there something to see, and time to see it?
    pub fn counts(&self, end: Timestamp) -> bool {
        if !self.is_fault() {
            return false;
        }
        if self.found.is_some() {
            return true;
        }
        self.deadline().is_some_and(|d| d <= end && self.to.is_none_or(|to| to >= d))
    }

    pub fn is_found(&self) -> bool {
        match (self.found, self.deadline()) {
            (Some(found), Some(deadline)) => found.at <= deadline,
            // Before there was anything that this test knows how to see.
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// How long after it could be seen.
    pub fn delay(&self) -> Option<Duration> {
        let found = self.found?;
        Some(found.at.since(self.visible.unwrap_or(found.at)))
    }
}
