//! The demo's story: who plays which part, what is told of each effect, and whether it came true. Pure: effects in, lines
//! and a verdict out.

use std::collections::BTreeSet;

use crate::domain::effect::{AlertState, IncidentState};
use crate::domain::{
    Component, Effect, EffectKind, FeederId, Fleet, GroupKind, OrderId, OrderState, Readiness, Subject, UnitId,
    UplinkId,
};

/// Who plays which part. No two on one uplink, so that no part spoils another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cast {
    pub dead: UnitId,
    pub blocked_camera: UnitId,
    pub deaf_microphone: UnitId,
    pub weak_battery: UnitId,
    pub cut_feeder: FeederId,
    pub dead_uplink: UplinkId,
    pub uplink_units: Vec<UnitId>,
}

impl Cast {
    /// None: the fleet is too small to play it.
    pub fn choose(fleet: &Fleet) -> Option<Cast> {
        let mut uplinks: Vec<(&UplinkId, Vec<UnitId>)> = Vec::new();
        for (_, unit) in fleet.units() {
            let Some(uplink) = &unit.uplink else { continue };
            match uplinks.iter_mut().find(|(u, _)| *u == uplink) {
                Some((_, units)) => units.push(unit.unit.clone()),
                None => uplinks.push((uplink, vec![unit.unit.clone()])),
            }
        }
        uplinks.retain(|(_, units)| units.len() >= 3);
        let first = |n: usize| uplinks.get(n).and_then(|(_, units)| units.get(1)).cloned();
        let weak_battery = first(3)?;
        let feeder_of = |id: &UnitId| fleet.find(id.as_str()).and_then(|ix| fleet.unit(ix).feeder.clone());
        let (dead_uplink, uplink_units) = uplinks.get(4)?.clone();
        Some(Cast {
            dead: first(0)?,
            blocked_camera: first(1)?,
            deaf_microphone: first(2)?,
            cut_feeder: feeder_of(&weak_battery)?,
            weak_battery,
            dead_uplink: dead_uplink.clone(),
            uplink_units,
        })
    }
}

/// What the story promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    AllReady,
    DeadUnitOrdered,
    UplinkOrderedOnce,
    CameraOrdered,
    BatteryOrdered,
    RepairVerified,
}

impl Promise {
    pub const ALL: [Promise; 6] = [
        Promise::AllReady,
        Promise::DeadUnitOrdered,
        Promise::UplinkOrderedOnce,
        Promise::CameraOrdered,
        Promise::BatteryOrdered,
        Promise::RepairVerified,
    ];
}

#[derive(Debug)]
pub struct Story {
    pub cast: Cast,
    units: usize,
    ready: BTreeSet<UnitId>,
    kept: BTreeSet<Promise>,
    /// What should not have happened.
    pub surprises: Vec<String>,
    pub orders: BTreeSet<OrderId>,
    /// The order that the demo's crew repairs.
    pub repair_order: Option<OrderId>,
}

impl Story {
    pub fn new(cast: Cast, units: usize) -> Self {
        Story {
            cast,
            units,
            ready: BTreeSet::new(),
            kept: BTreeSet::new(),
            surprises: Vec::new(),
            orders: BTreeSet::new(),
            repair_order: None,
        }
    }

    pub fn ready(&self) -> usize {
        self.ready.len()
    }
    pub fn has(&self, promise: Promise) -> bool {
        self.kept.contains(&promise)
    }
    pub fn came_true(&self) -> bool {
        self.kept.len() == Promise::ALL.len() && self.surprises.is_empty()
    }

    /// A line for people, when the effect is worth one.
    pub fn hear(&mut self, effect: &Effect) -> Option<String> {
        match &effect.kind {
            EffectKind::Readiness { unit, to, reason, .. } => self.readiness(unit, *to, &reason.to_string()),
            EffectKind::Alert { unit, rule, state: AlertState::Firing, reason, .. } => {
                Some(format!("alert     {unit} {rule}: {reason}"))
            }
            EffectKind::Alert { unit, rule, state: AlertState::Inhibited, reason, .. } => {
                Some(format!("held back {unit} {rule}: {reason}"))
            }
            EffectKind::Alert { state: AlertState::Pending | AlertState::Resolved, .. } => None,
            EffectKind::Incident { kind, name, state, units, reason } => {
                if *kind == GroupKind::Fleet && *state == IncidentState::Open {
                    self.surprises.push(format!("a fleet incident: {reason}"));
                }
                Some(format!("incident  {kind} {name} {state}, {} units: {reason}", units.len()))
            }
            EffectKind::Order(order) => {
                if order.state == OrderState::Opened {
                    self.opened(order.id, &order.subject, order.crew.as_str());
                }
                if order.state == OrderState::Closed && Some(order.id) == self.repair_order {
                    let verified = order.history.iter().any(|c| c.state == OrderState::Verified);
                    if verified {
                        self.kept.insert(Promise::RepairVerified);
                    }
                }
                let about = match &order.subject {
                    Subject::Unit { unit, component } => format!("{unit} {component}"),
                    Subject::Incident { kind, name } => format!("{kind} {name}"),
                };
                let why = order.history.last().map(|c| format!("{}: {}", c.by, c.why)).unwrap_or_default();
                Some(format!(
                    "order     {} {} {about} {} for {}, {why}",
                    order.id, order.priority, order.state, order.crew
                ))
            }
            EffectKind::Mail(notice) => Some(format!("mail      {} to {}", notice.kind, notice.to)),
            EffectKind::Command { unit, command } => Some(format!("command   {} sent to {unit}", command.act)),
            EffectKind::OrderUpdated(_) | EffectKind::Reading { .. } | EffectKind::Refused { .. } => None,
        }
    }

    fn readiness(&mut self, unit: &UnitId, to: Readiness, reason: &str) -> Option<String> {
        if to == Readiness::Ready {
            self.ready.insert(unit.clone());
            if self.ready.len() == self.units && self.kept.insert(Promise::AllReady) {
                return Some(format!("ready     all {} units: heard, and their tests passed", self.units));
            }
            return self.has(Promise::AllReady).then(|| format!("readiness {unit} is ready: {reason}"));
        }
        self.has(Promise::AllReady).then(|| format!("readiness {unit} is {to}: {reason}"))
    }

    fn opened(&mut self, id: OrderId, subject: &Subject, crew: &str) {
        self.orders.insert(id);
        let kept = match subject {
            Subject::Unit { unit, component: Component::Uplink } if *unit == self.cast.dead => Promise::DeadUnitOrdered,
            Subject::Unit { unit, component: Component::Camera } if *unit == self.cast.blocked_camera => {
                Promise::CameraOrdered
            }
            Subject::Unit { unit, component: Component::Battery } if *unit == self.cast.weak_battery => {
                Promise::BatteryOrdered
            }
            Subject::Unit { unit, component: Component::Microphone } if *unit == self.cast.deaf_microphone => {
                // Kept when it is verified.
                self.repair_order = Some(id);
                return;
            }
            Subject::Incident { kind: GroupKind::Uplink, name }
                if name.as_str() == self.cast.dead_uplink.as_str() && crew == "network" =>
            {
                Promise::UplinkOrderedOnce
            }
            Subject::Unit { .. } | Subject::Incident { .. } => {
                self.surprises.push(format!("{id} that no fault of the story explains: {subject:?}"));
                return;
            }
        };
        if !self.kept.insert(kept) {
            self.surprises.push(format!("{id} is a second order for one fault"));
        }
    }

    /// Each promise in words, and whether it was kept.
    pub fn verdict(&self) -> Vec<(bool, String)> {
        let c = &self.cast;
        let text = |p: Promise| match p {
            Promise::AllReady => format!("all {} units were heard, passed their tests and were ready", self.units),
            Promise::DeadUnitOrdered => format!("{} died: silent at its deadline, one order", c.dead),
            Promise::UplinkOrderedOnce => format!(
                "uplink {} went down: one order to the network crew, none for its {} units",
                c.dead_uplink,
                c.uplink_units.len()
            ),
            Promise::CameraOrdered => {
                format!("{}'s camera was blocked: one order after three failed tests", c.blocked_camera)
            }
            Promise::BatteryOrdered => {
                format!("{}'s battery was weak when feeder {} was cut: one order", c.weak_battery, c.cut_feeder)
            }
            Promise::RepairVerified => {
                format!("{}'s microphone was repaired, tested, and its order verified and closed", c.deaf_microphone)
            }
        };
        let mut lines: Vec<(bool, String)> = Promise::ALL.iter().map(|p| (self.has(*p), text(*p))).collect();
        lines.extend(self.surprises.iter().map(|s| (false, format!("unexpected: {s}"))));
        lines
    }
}
