//! Every decision. Pure: no clock, no I/O, no async, no randomness, no HashMap iteration. Layer 1.
//!
//! ```text
//!   Event ──▶ handle ──▶ advance(now): deadlines in (deadline, key) order ─┐
//!                │                                                         ▼
//!                └─▶ message: sequence, clock, presence ──▶ alert ──▶ incident ──▶ work_order ──▶ dispatch ──▶ Effects
//!                                                             └──────────▶ readiness ──────────────┘
//! ```
//!
//! Four laws (DESIGN §3): `handle` first advances; effects carry the deadline, not the wake-up; time never goes back;
//! deafness and restarts are events.

mod alert;
mod arrivals;
mod baseline;
mod clock;
mod compiled;
mod diagnosis;
mod dispatch;
mod evidence;
mod explain;
mod history;
mod incident;
mod measured;
mod message;
mod notices;
mod outlook;
#[allow(dead_code, reason = "health_history and lengths of cuts are for screens that are not there yet")]
mod power;
mod presence;
mod query;
mod readiness;
mod route;
mod saved;
#[allow(dead_code, reason = "when the next cut comes is for a screen that is not there yet")]
mod schedule;
mod sentence;
mod sequence;
mod sign;
mod supply;
mod timer;
#[allow(dead_code, reason = "its tests look at lengths")]
mod trend;
mod unit_state;
mod view;
mod work_order;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::event::{Action, Event, Hearing, MaintenanceScope};
use crate::domain::text::Pool;
use crate::domain::{Effect, EffectKind, Fleet, OrderId, RuleSet, Settings, Timestamp, UnitIx};

use compiled::Compiled;
use dispatch::Desks;
use incident::Groups;
use supply::Feeders;
use timer::{Timer, Timers};
use unit_state::UnitState;
use work_order::{CaseKey, OrderRecord};

pub use arrivals::Arrivals;
pub use outlook::Prospects;
pub use saved::{Saved, SavedError};

/// The judge of one fleet. Give it events in, take effects out; nothing else happens.
#[derive(Debug)]
pub struct Engine {
    /// The latest moment it has seen. None: nothing has happened yet.
    now: Option<Timestamp>,
    hearing: HearingState,
    rules: Arc<Compiled>,
    fleet: Arc<Fleet>,
    settings: Settings,
    units: Vec<UnitState>,
    timers: Timers,
    groups: Groups,
    feeders: Feeders,
    /// Open ones, and closed ones that may still come back.
    orders: BTreeMap<OrderId, OrderRecord>,
    cases: BTreeMap<CaseKey, OrderId>,
    next_order: u32,
    /// Mails that are not written yet.
    desks: Desks,
    /// The program was off at the time that is looked at.
    asleep: bool,
    maintenance: BTreeMap<MaintenanceScope, Timestamp>,
    dirty: Vec<UnitIx>,
    /// Firmware and hardware, as units say them.
    versions: Pool,
    /// Of the message that was handled last. None: it had been heard before.
    taken: Option<clock::Taken>,
    out: Vec<Effect>,
}

/// Can we hear the units?
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum HearingState {
    /// Deadlines count from here at the earliest. None: since before the first event.
    Up { since: Option<Timestamp> },
    /// `heard_from`: since when we could hear before. A deadline is the same whether it is asked for now or was before.
    Down { since: Timestamp, heard_from: Option<Timestamp> },
}

impl Engine {
    pub fn new(rules: RuleSet, fleet: Fleet, settings: Settings) -> Self {
        let compiled = Compiled::new(rules, &fleet);
        let groups = Groups::new(&compiled, &fleet);
        let feeders = Feeders::new(&fleet);
        let mut units = Vec::new();
        units.resize_with(fleet.len(), UnitState::default);
        Engine {
            now: None,
            hearing: HearingState::Up { since: None },
            rules: Arc::new(compiled),
            fleet: Arc::new(fleet),
            settings,
            units,
            timers: Timers::default(),
            groups,
            feeders,
            orders: BTreeMap::new(),
            cases: BTreeMap::new(),
            next_order: 1,
            desks: Desks::new(),
            asleep: false,
            maintenance: BTreeMap::new(),
            dirty: Vec::new(),
            versions: Pool::default(),
            taken: None,
            out: Vec::new(),
        }
    }

    /// Judges one event. What was due before it comes out first.
    #[must_use]
    pub fn handle(&mut self, now: Timestamp, event: Event) -> Vec<Effect> {
        let now = self.not_before_last(now);
        if let Event::Hearing(Hearing::Start) = event
            && let Some(last) = self.now
        {
            // We were off from our last event until now: deaf, so the deadlines in between prove nothing.
            self.lose_hearing(last);
            self.asleep = true;
        }
        self.advance_to(now);
        if self.asleep {
            self.wake_desks(now);
        }
        match event {
            Event::Message { unit, message, retained } => self.handle_message(now, unit, message, retained),
            Event::Hearing(Hearing::Down) => self.lose_hearing(now),
            Event::Hearing(Hearing::Up | Hearing::Start) => self.regain_hearing(now),
            Event::Do { action: Action::SetOrder { order, to, note }, by } => self.set_order(now, order, to, by, note),
            Event::Do { action: Action::Maintenance { scope, until }, by: _ } => {
                self.set_maintenance(now, scope, until)
            }
            Event::Do { action: Action::Rebaseline { unit, component }, by: _ } => {
                self.rebaseline(now, &unit, component)
            }
            // What became of a mail changes no judgement; the outbox keeps it.
            Event::Delivery { .. } => {}
        }
        // What the event made due at once belongs to its answer.
        self.advance_to(now);
        std::mem::take(&mut self.out)
    }

    /// Fires what is due at `now`, in (deadline, key) order.
    #[must_use]
    pub fn advance(&mut self, now: Timestamp) -> Vec<Effect> {
        let now = self.not_before_last(now);
        self.advance_to(now);
        std::mem::take(&mut self.out)
    }

    /// Nothing happens by time alone before this. May be early: then `advance` returns nothing.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    /// The latest moment it has seen.
    pub fn now(&self) -> Option<Timestamp> {
        self.now
    }
    pub fn fleet(&self) -> &Arc<Fleet> {
        &self.fleet
    }
    pub fn rules(&self) -> &RuleSet {
        &self.rules.set
    }
    pub fn is_hearing(&self) -> bool {
        matches!(self.hearing, HearingState::Up { .. })
    }

    fn not_before_last(&self, now: Timestamp) -> Timestamp {
        self.now.map_or(now, |last| last.max(now))
    }

    fn advance_to(&mut self, now: Timestamp) {
        while let Some((at, timer)) = self.timers.pop_due(now) {
            self.now = self.now.max(Some(at));
            match timer {
                Timer::MaintenanceEnd => self.end_maintenance(at),
                Timer::Silence(unit, leaf) => self.silence_due(at, unit, leaf),
                Timer::Phase(unit, rule) => self.phase_due(at, unit, rule),
                Timer::Count(unit, leaf) => self.count_due(at, unit, leaf),
                Timer::Overdue(unit, leaf) => self.overdue_due(at, unit, leaf),
                Timer::Grown(unit, leaf) => self.grown_due(at, unit, leaf),
                Timer::Proof(unit) => self.proof_due(at, unit),
                Timer::IncidentSettle(incident, group) => self.incident_settled(at, incident, group),
                Timer::FeederLit(incident, group) => self.feeder_lit(at, incident, group),
                Timer::IncidentOrder(incident, group) => self.incident_order_due(at, incident, group),
                Timer::OrderDue(unit, rule) => self.order_due(at, unit, rule),
                Timer::Hold(order) => self.hold_due(at, order),
                Timer::Notices => self.notices_due(at),
                Timer::Nudge(order) => self.nudge_due(at, order),
            }
        }
        self.now = Some(now);
    }

    fn emit(&mut self, at: Timestamp, kind: EffectKind) {
        self.out.push(Effect { at, kind });
    }

    fn state(&mut self, unit: UnitIx) -> &mut UnitState {
        let state = &mut self.units[unit.index()];
        if !state.dirty {
            state.dirty = true;
            self.dirty.push(unit);
        }
        state
    }
}
