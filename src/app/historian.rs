//! Writes down what happens, for a time series database. Owns when something is told: messages and changes at once, how things
//! stand again and again. What a point looks like is `render::points`'. Never waits, never sends.
//!
//! ```text
//!   message ──▶ engine ──▶ effects ──▶ Historian ──▶ points ──▶ io::influx
//!                 └────── how units, orders and feeders stand ──────▲ each tick, a few at a time
//! ```
//!
//! Design constraints
//! - The same messages give the same points with the same times: after a crash, what is judged again is told again, and
//!   overwrites itself.
//! - Two changes of one thing at one moment are two points: the later one gets the next millisecond.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{Datelike, Timelike};
use chrono_tz::Tz;

use crate::domain::effect::{AlertState, EffectKind, IncidentState};
use crate::domain::outlook::Outlook;
use crate::domain::view::{IncidentRow, OrderView};
use crate::domain::{
    Effect, Fleet, GroupKind, GroupName, Message, Order, OrderId, Readiness, Reason, RuleId, Subject, Timestamp,
    UnitId, UnitIx,
};
use crate::engine::Engine;
use crate::render::points::{self, OrderPoint, Points};

/// How often each unit, open order and open incident is told again (DESIGN §6).
const STANDING_EVERY: Duration = Duration::from_secs(300);
/// The first time after a start, so that a dashboard is not empty for long.
const STANDING_FIRST: Duration = Duration::from_secs(30);
const FEEDERS_EVERY: Duration = Duration::from_secs(86_400);
const OUTLOOK_EVERY: Duration = Duration::from_secs(3600);
/// After a start there are units to hear first.
const OUTLOOK_FIRST: Duration = Duration::from_secs(60);

pub struct Historian {
    /// For hours of the week.
    zone: Tz,
    points: Points,
    alerts: BTreeMap<(UnitId, RuleId), (AlertState, Timestamp)>,
    orders_changed: BTreeMap<OrderId, Timestamp>,
    incidents: BTreeMap<(GroupKind, GroupName), Timestamp>,
    units: Round,
    feeders: Round,
    orders: Round,
    outlook_due: Option<Timestamp>,
}

impl Historian {
    pub fn new(zone: Tz) -> Self {
        Historian {
            zone,
            points: Points::default(),
            alerts: BTreeMap::new(),
            orders_changed: BTreeMap::new(),
            incidents: BTreeMap::new(),
            units: Round::new(STANDING_FIRST, STANDING_EVERY),
            feeders: Round::new(STANDING_EVERY, FEEDERS_EVERY),
            orders: Round::new(STANDING_FIRST, STANDING_EVERY),
            outlook_due: None,
        }
    }

    /// What is going on already, so that its next change is told as one.
    pub fn begin(&mut self, engine: &Engine) {
        for row in engine.alert_rows() {
            self.alerts.insert((row.unit, row.rule), (row.state, row.since));
        }
        for row in engine.incident_rows() {
            self.incidents.insert((row.kind, row.name), row.since);
        }
    }

    /// Everything that was written down since the last time.
    pub fn take(&mut self) -> Points {
        std::mem::take(&mut self.points)
    }

    pub fn points(&self) -> u32 {
        self.points.raw.points() + self.points.events.points()
    }

    /// The message that `engine` has just handled.
    pub fn message(&mut self, engine: &Engine, unit: UnitIx, message: &Message) {
        if let Some(heard) = engine.heard_with(unit, message) {
            points::message(engine.fleet().unit(unit), message, &heard, &mut self.points);
        }
    }

    pub fn effects(&mut self, engine: &Engine, effects: &[Effect]) {
        let mut readiness = Vec::new();
        for effect in effects {
            match &effect.kind {
                EffectKind::Readiness { unit, to, reason, .. } => {
                    readiness.extend(engine.fleet().find(unit.as_str()).map(|ix| (ix, effect.at, *to, reason)));
                }
                EffectKind::Alert { .. } => self.alert(engine, effect),
                EffectKind::Incident { .. } => self.incident(engine, effect),
                EffectKind::Order(order) => self.order_effect(engine, order, OrderPoint::Changed, effect.at),
                EffectKind::OrderUpdated(order) => self.order_effect(engine, order, OrderPoint::Stands, effect.at),
                EffectKind::Mail(_)
                | EffectKind::Command { .. }
                | EffectKind::Reading { .. }
                | EffectKind::Refused { .. } => {}
            }
        }
        self.readiness(engine, &readiness);
    }

    /// What is told again and again.
    pub fn tick(&mut self, engine: &Engine, now: Timestamp) {
        let due: Vec<UnitIx> = self.units.due(now, engine.fleet().len()).map(|place| UnitIx(place as u32)).collect();
        if !due.is_empty() {
            for status in engine.unit_statuses(now, due.into_iter()) {
                points::status(&status, now, &mut self.points);
            }
        }
        let zone = self.zone;
        let local = |moment: Timestamp| {
            let time = moment.to_utc().with_timezone(&zone);
            (time.weekday().number_from_monday(), time.hour())
        };
        for place in self.feeders.due(now, engine.feeders()) {
            if let Some(week) = engine.feeder_week(now, place) {
                points::feeder_week(&week, now, local, &mut self.points);
            }
        }
        // Open orders and incidents are few: all at once.
        if self.orders.due(now, 1).next().is_some() {
            let open: Vec<OrderView> = engine.open_orders().map(OrderView::from).collect();
            for order in open {
                self.order(engine, &order, OrderPoint::Stands, now);
            }
            for row in engine.incident_rows() {
                points::incident(&row, now, &mut self.points);
            }
            self.alerts.retain(|_, (state, at)| *state != AlertState::Resolved || *at >= now);
            self.orders_changed.retain(|_, at| *at >= now);
        }
    }

    /// In virtual time: all that is to be told at `now`, what stands ahead included.
    pub fn at(&mut self, engine: &Engine, now: Timestamp, effects: &[Effect]) -> Points {
        self.effects(engine, effects);
        self.tick(engine, now);
        let mut points = self.take();
        if self.is_outlook_due(now) {
            outlook_points(engine.fleet(), &engine.prospects().outlook(), now, &mut points);
        }
        points
    }

    /// Every hour somebody works out what stands ahead, beside the engine.
    pub fn is_outlook_due(&mut self, now: Timestamp) -> bool {
        let due = *self.outlook_due.get_or_insert(now + OUTLOOK_FIRST);
        if due > now {
            return false;
        }
        self.outlook_due = Some(now + OUTLOOK_EVERY);
        true
    }

    fn readiness(&mut self, engine: &Engine, changes: &[(UnitIx, Timestamp, Readiness, &Reason)]) {
        let Some((_, newest, _, _)) = changes.last() else { return };
        let statuses = engine.unit_statuses(*newest, changes.iter().map(|(unit, ..)| *unit));
        for (mut status, (_, at, readiness, reason)) in statuses.into_iter().zip(changes) {
            status.row.readiness = *readiness;
            status.row.reason = reason.to_string();
            status.row.because = None;
            status.row.since = Some(*at);
            points::status(&status, *at, &mut self.points);
        }
    }

    fn alert(&mut self, engine: &Engine, effect: &Effect) {
        let EffectKind::Alert { unit, rule, component, severity, state, reason } = &effect.kind else { return };
        let Some(ix) = engine.fleet().find(unit.as_str()) else { return };
        let last = self.alerts.get(&(unit.clone(), rule.clone())).copied();
        let at = after(last.as_ref().map(|(_, at)| at), effect.at);
        let from = last.map(|(state, _)| state).filter(|state| *state != AlertState::Resolved);
        let unit_row = engine.fleet().unit(ix);
        points::alert(unit_row, rule, *component, *severity, from, *state, &reason.to_string(), at, &mut self.points);
        self.alerts.insert((unit.clone(), rule.clone()), (*state, at));
    }

    fn incident(&mut self, engine: &Engine, effect: &Effect) {
        let EffectKind::Incident { kind, name, state, units, reason } = &effect.kind else { return };
        let id = (*kind, name.clone());
        let since = *self.incidents.entry(id.clone()).or_insert(effect.at);
        let order = engine.open_orders().find(|o| o.subject == Subject::Incident { kind: *kind, name: name.clone() });
        let row = IncidentRow {
            kind: *kind,
            name: name.clone(),
            state: *state,
            since,
            units: units.clone(),
            reason: reason.to_string(),
            because: None,
            order: order.map(|o| o.id),
        };
        points::incident(&row, effect.at, &mut self.points);
        if *state == IncidentState::Closed {
            self.incidents.remove(&id);
        }
    }

    fn order_effect(&mut self, engine: &Engine, order: &Order, what: OrderPoint, at: Timestamp) {
        let at = after(self.orders_changed.get(&order.id), at);
        self.orders_changed.insert(order.id, at);
        self.order(engine, &OrderView::from(order), what, at);
    }

    fn order(&mut self, engine: &Engine, order: &OrderView, what: OrderPoint, at: Timestamp) {
        let fleet = engine.fleet();
        let unit = order.unit.as_ref().and_then(|unit| fleet.find(unit.as_str())).map(|ix| fleet.unit(ix));
        points::order(order, unit, what, at, &mut self.points);
    }
}

/// What was foreseen at `at`.
pub fn outlook_points(fleet: &Fleet, outlook: &Outlook, at: Timestamp, points: &mut Points) {
    for row in &outlook.forecasts {
        if let Some(ix) = fleet.find(row.unit.as_str()) {
            points::forecast(row, fleet.unit(ix), at, points);
        }
    }
}

/// `at`, but later than the last point of the same thing.
fn after(last: Option<&Timestamp>, at: Timestamp) -> Timestamp {
    let next = last.filter(|last| **last >= at).map(|last| *last + Duration::from_millis(1));
    // A clock that was set back would push all that follows ahead of it: only ties are parted.
    next.filter(|next| next.since(at) < Duration::from_secs(1)).unwrap_or(at)
}

/// Goes through a list again and again, a few places at a time, so that none is told late and nobody waits for all.
#[derive(Debug)]
struct Round {
    first: Duration,
    every: Duration,
    began: Option<Timestamp>,
    len: u64,
    /// Places that were told, counted since it began.
    told: u64,
}

impl Round {
    fn new(first: Duration, every: Duration) -> Self {
        Round { first, every, began: None, len: 0, told: 0 }
    }

    /// Each place of `len` at most once.
    fn due(&mut self, now: Timestamp, len: usize) -> impl Iterator<Item = usize> + use<> {
        let len = len as u64;
        if self.len != len {
            // Another fleet: from the beginning.
            *self = Round { len, ..Round::new(self.first, self.every) };
        }
        let began = *self.began.get_or_insert(now);
        let part = |of: Duration, whole: Duration| (of.as_millis() * u128::from(len) / whole.as_millis()) as u64;
        let since = now.since(began);
        let due = match since.checked_sub(self.first) {
            Some(later) => len + part(later, self.every),
            None => part(since, self.first),
        };
        let from = self.told.max(due.saturating_sub(len));
        self.told = due.max(self.told);
        (from..self.told).map(move |n| (n % len) as usize)
    }
}

#[cfg(test)]
mod tests;
