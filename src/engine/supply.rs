//! Mains and battery of a unit, and of the feeder it hangs on: who has mains, who has not, for how long, and what that
//! leaves of the battery. Load-shedding is normal; a unit alone in the dark is not. Never orders anything.
//!
//! ```text
//!   power message ──▶ power::battery (this unit) ──▶ runtime, health, charge, charger ─┐
//!         └─────────▶ Feeder (who else has mains) ──▶ schedule ──▶ expected time to mains ─▶ margin, local cut ──▶ sign
//! ```

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::message::Power;
use crate::domain::rule::CountedEvent;
use crate::domain::{Component, Fleet, GroupKind, GroupName, Metric, Reason, Timestamp, UnitId, UnitIx};

use super::Engine;
use super::baseline::Baselines;
use super::clock::Taken;
use super::power::battery::{Battery, Changed, PowerSample};
use super::schedule::Schedule;
use super::unit_state::Presence;

/// What is known of one unit's power.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Supply {
    pub battery: Battery,
    /// Without mains since then, while most of its feeder's others have it.
    pub local_since: Option<Timestamp>,
    /// How it counts for its feeder now: has it mains? None: not heard, or never said.
    counted: Option<bool>,
    /// The newest cut that emptied the battery.
    #[serde(default)]
    emptied: Option<Box<Emptied>>,
    /// Of its last power message.
    #[serde(default)]
    boot: Option<u32>,
    /// It fell silent on battery, and then the feeder's others had mains again for the first time.
    #[serde(default)]
    mains_back: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Emptied {
    cut_began: Timestamp,
    after: Duration,
    /// The unit started anew since.
    proven: bool,
}

/// Cuts of one feeder begin together; a unit says so at its next power message.
const SAME_CUT: Duration = Duration::from_secs(30 * 60);

impl Supply {
    pub(super) fn on_battery(&self) -> Option<bool> {
        self.battery.on_battery()
    }
    pub(super) fn cut_began(&self) -> Option<Timestamp> {
        self.battery.cut_began()
    }
    /// Since when the charger gives nothing to a battery that wants it.
    pub(super) fn idle_since(&self) -> Option<Timestamp> {
        self.battery.no_charge_since()
    }
    /// Could an emptied battery explain a silence that began by `at`?
    pub(super) fn is_nearly_empty(&self, at: Timestamp) -> bool {
        self.battery.is_nearly_empty(at)
    }

    fn emptied(&self) -> Option<Emptied> {
        self.emptied.as_deref().copied()
    }
    /// None: it is in another cut now.
    fn emptied_lately(&self) -> Option<Emptied> {
        self.emptied().filter(|e| self.cut_began().is_none_or(|began| began == e.cut_began))
    }

    /// Minutes that the battery carries or carried its unit in the cut that began about then. None: nothing tells.
    fn carries(&self, cut_began: Timestamp, now: Timestamp) -> Option<f64> {
        let same = |began: Timestamp| began.since(cut_began).max(cut_began.since(began)) <= SAME_CUT;
        if let Some(emptied) = self.emptied().filter(|e| same(e.cut_began)) {
            return Some(emptied.after.as_secs_f64() / 60.0);
        }
        let began = self.cut_began().filter(|began| same(*began))?;
        let known_at = self.battery.last_sample().map_or(now, |at| at.min(now));
        Some(known_at.since(began).as_secs_f64() / 60.0 + 60.0 * self.battery.runtime_h()?)
    }
}

/// Every power feeder of the fleet.
#[derive(Debug)]
pub(super) struct Feeders {
    list: Vec<Feeder>,
    /// Per unit. [`NO_FEEDER`]: it hangs on none that is known.
    of_unit: Vec<u32>,
}

const NO_FEEDER: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Feeder {
    pub name: GroupName,
    members: Arc<[UnitIx]>,
    /// Members that are heard and have mains, or have none.
    with: usize,
    without: usize,
    /// Most of them have been without mains since then.
    pub cut_since: Option<Timestamp>,
    /// When the last cut ended. None while one lasts.
    pub lit_since: Option<Timestamp>,
    pub schedule: Schedule,
    /// Somebody was heard, the last time that anything changed.
    pub sighted: bool,
}

impl Feeders {
    pub(super) fn new(fleet: &Fleet) -> Self {
        let mut of_unit = vec![NO_FEEDER; fleet.len()];
        let mut list = Vec::new();
        for ((kind, name), members) in fleet.groups() {
            if *kind != GroupKind::Feeder {
                continue;
            }
            for m in members.iter() {
                of_unit[m.index()] = list.len() as u32;
            }
            list.push(Feeder {
                name: name.clone(),
                members: members.clone(),
                with: 0,
                without: 0,
                cut_since: None,
                lit_since: None,
                schedule: Schedule::default(),
                sighted: false,
            });
        }
        list.shrink_to_fit();
        Feeders { list, of_unit }
    }

    fn index(&self, unit: UnitIx) -> Option<usize> {
        let feeder = self.of_unit[unit.index()];
        (feeder != NO_FEEDER).then_some(feeder as usize)
    }
    pub(super) fn of(&self, unit: UnitIx) -> Option<&Feeder> {
        self.index(unit).map(|i| &self.list[i])
    }
    pub(super) fn all(&self) -> &[Feeder] {
        &self.list
    }
    pub(super) fn find_mut(&mut self, name: &GroupName) -> Option<&mut Feeder> {
        self.list.iter_mut().find(|f| f.name == *name)
    }
}

impl Feeder {
    /// Most of those that we hear have no mains. None: we hear nobody.
    fn is_cut(&self) -> Option<bool> {
        (self.with + self.without > 0).then_some(self.without > self.with)
    }
}

impl Engine {
    pub(super) fn take_power(&mut self, now: Timestamp, unit: UnitIx, power: &Power) {
        let sample = PowerSample {
            at: now,
            mains: power.mains,
            volts: power.battery_v,
            amps: power.charge_a,
            celsius: power.battery_temp_c,
            load_w: power.load_w,
            charge_pct: power.battery_pct,
            rebooted: self.rebooted(unit),
            mains_back: self.units[unit.index()].supply.as_deref().and_then(|s| s.mains_back),
        };
        let boot = self.units[unit.index()].sequence.boot();
        let supply = self.state(unit).supply.get_or_insert_default();
        supply.boot = boot;
        supply.mains_back = None;
        let (cut_began, last) = (supply.cut_began(), supply.battery.last_sample());
        let changed = supply.battery.take(&sample, None);
        if let (true, Some(began), Some(last)) = (changed.ended_empty, cut_began, last) {
            // Heard again before it was missed, or its silence did not look like an empty battery at first.
            self.battery_emptied(now, unit, began, last);
        }
        match sample.rebooted {
            Some(true) => self.prove_emptied(unit),
            Some(false) => self.battery_held(now, unit),
            None => {}
        }
        self.feeder_changed(now, unit);
        self.judge_growing(now, unit, Metric::CutMinutes);
        self.judge_growing(now, unit, Metric::LocalCutMinutes);
        self.judge_growing(now, unit, Metric::NotCharging);
        self.judge_supply(now, unit, changed);
    }

    /// Since its last power message. None: it says no boot numbers.
    fn rebooted(&self, unit: UnitIx) -> Option<bool> {
        let state = &self.units[unit.index()];
        Some(state.sequence.boot()? != state.supply.as_deref()?.boot?)
    }

    /// The unit fell silent: with an empty battery?
    pub(super) fn silent_on_battery(&mut self, at: Timestamp, unit: UnitIx) {
        let Some(died) = self.died_by(unit) else { return };
        let Some(supply) = self.units[unit.index()].supply.as_deref() else { return };
        if let (true, Some(began)) = (supply.is_nearly_empty(died), supply.cut_began()) {
            let last = self.units[unit.index()].last_heard.unwrap_or(died);
            self.battery_emptied(at, unit, began, last);
        }
    }

    /// The first moment at which a silent unit's next heartbeat was missing.
    pub(super) fn died_by(&self, unit: UnitIx) -> Option<Timestamp> {
        self.units[unit.index()].last_heard.map(|last| last + self.heartbeat_interval(unit))
    }

    fn battery_emptied(&mut self, at: Timestamp, unit: UnitIx, cut_began: Timestamp, last: Timestamp) {
        let Some(supply) = &mut self.state(unit).supply else { return };
        if supply.emptied().is_some_and(|e| e.cut_began == cut_began) {
            return;
        }
        supply.emptied = Some(Box::new(Emptied { cut_began, after: last.since(cut_began), proven: false }));
        self.judge_wanted(at, unit, &[Metric::BatteryCarried, Metric::CarriedRatio, Metric::CarriedShare]);
        self.count_event(at, unit, CountedEvent::BatteryEmpty);
    }

    /// Its battery lasts less than half as long as those of its feeder's others in the same cut.
    pub(super) fn is_worse_than_its_feeder(&self, unit: UnitIx) -> bool {
        const HALF: f64 = 50.0;
        const FULL: f64 = 75.0;
        let Some(now) = self.now else { return false };
        let start = self.derived(now, unit, Metric::BatteryStart);
        start.is_none_or(|pct| pct >= FULL)
            && self.derived(now, unit, Metric::CarriedShare).is_some_and(|share| share < HALF)
    }

    fn prove_emptied(&mut self, unit: UnitIx) {
        if let Some(Emptied { proven, .. }) = self.state(unit).supply.as_mut().and_then(|s| s.emptied.as_deref_mut()) {
            *proven = true;
        }
    }

    /// It is the same start of the unit as before: its battery never gave out, whatever its silence looked like.
    fn battery_held(&mut self, at: Timestamp, unit: UnitIx) {
        let emptied = self.units[unit.index()].supply.as_deref().and_then(|s| s.emptied());
        if emptied.is_some_and(|e| !e.proven) {
            self.state(unit).supply.as_mut().expect("just seen").emptied = None;
            self.uncount_event(at, unit, CountedEvent::BatteryEmpty);
        }
    }

    /// What the feeder's other batteries carry in the cut that emptied this one: the median, in minutes.
    fn others_carry(&self, now: Timestamp, unit: UnitIx, cut_began: Timestamp) -> Option<f64> {
        let members = &self.feeders.of(unit)?.members;
        let others = members.iter().filter(|m| **m != unit);
        let mut carry: Vec<f64> =
            others.filter_map(|m| self.units[m.index()].supply.as_deref()?.carries(cut_began, now)).collect();
        carry.sort_unstable_by(f64::total_cmp);
        carry.get(carry.len() / 2).copied()
    }

    fn judge_supply(&mut self, now: Timestamp, unit: UnitIx, changed: Changed) {
        let due = [
            (Metric::BatteryRuntime, true),
            (Metric::BatteryEstimate, true),
            (Metric::BatteryMargin, true),
            (Metric::CutRatio, true),
            (Metric::CarriedShare, true),
            (Metric::BatteryStart, changed.start_charge),
            (Metric::BatteryHealth, changed.health),
        ];
        for (metric, _) in due.into_iter().filter(|(_, due)| *due) {
            self.judge_wanted(now, unit, &[metric]);
        }
    }

    /// Those that some rule reads or somebody wants to see.
    fn judge_wanted(&mut self, now: Timestamp, unit: UnitIx, metrics: &[Metric]) {
        for metric in metrics.iter().copied() {
            let wanted = !self.rules.for_metric(metric).is_empty() || self.settings.readings.contains(&metric);
            if wanted && let Some(value) = self.derived(now, unit, metric) {
                self.judge_derived(now, unit, metric, value);
            }
        }
    }

    /// What nobody sent: the engine's own reading of the unit. None: not derived, or not known.
    pub(super) fn derived(&self, now: Timestamp, unit: UnitIx, metric: Metric) -> Option<f64> {
        let state = &self.units[unit.index()];
        let battery = || state.supply.as_deref().map(|s| &s.battery);
        match metric {
            Metric::LinkLoss => state.sequence.loss_pct(),
            Metric::ClockSkew => state.clock.skew_s(),
            Metric::BatteryRuntime => battery()?.runtime_h(),
            Metric::BatteryEstimate => battery()?.charge_pct(),
            Metric::BatteryStart => battery()?.start_charge_pct(),
            Metric::BatteryHealth => battery()?.health_pct(),
            Metric::BatteryCarried => {
                let emptied = state.supply.as_deref()?.emptied_lately()?;
                Some(emptied.after.as_secs_f64() / 60.0)
            }
            Metric::CarriedRatio => {
                let longest = self.feeders.of(unit)?.schedule.longest_usual()?.as_secs_f64();
                let emptied = state.supply.as_deref()?.emptied_lately()?;
                Some(emptied.after.as_secs_f64() / longest.max(60.0))
            }
            Metric::CarriedShare => {
                let supply = state.supply.as_deref()?;
                let began = supply.cut_began().or(supply.emptied().map(|e| e.cut_began))?;
                let others = self.others_carry(now, unit, began)?;
                Some(100.0 * supply.carries(began, now)? / others.max(1.0))
            }
            Metric::FeederLit => {
                let since = self.feeders.of(unit)?.lit_since?;
                Some(now.since(since).as_secs_f64() / 60.0)
            }
            Metric::CutRatio => {
                let longest = self.feeders.of(unit)?.schedule.longest_usual()?.as_secs_f64();
                let began = state.supply.as_deref()?.cut_began();
                Some(began.map_or(0.0, |since| now.since(since).as_secs_f64() / longest.max(60.0)))
            }
            Metric::BatteryMargin => {
                let battery = battery()?;
                if battery.on_battery()? {
                    let began = self.feeders.of(unit)?.cut_since?;
                    let left = self.feeders.of(unit)?.schedule.expected_left(now, began)?;
                    Some(battery.runtime_h()? - left.expected.as_secs_f64() / 3600.0)
                } else {
                    // With mains it is no longer a question: what it could carry is left over.
                    Some(battery.runtime_h().unwrap_or(0.0))
                }
            }
            _ => None,
        }
    }

    pub(super) fn judge_derived(&mut self, now: Timestamp, unit: UnitIx, metric: Metric, value: f64) {
        self.show_reading(now, unit, metric, value);
        self.judge_metric(now, unit, metric, value, None);
    }

    /// Is this the cut that it is in, or was in when it was last heard?
    pub(super) fn is_in_cut(&self, unit: UnitIx, cut_since: Timestamp) -> bool {
        let began = self.units[unit.index()].supply.as_deref().and_then(Supply::cut_began);
        began.is_some_and(|began| began + SAME_CUT >= cut_since)
    }

    pub(super) fn is_on_battery(&self, unit: UnitIx) -> bool {
        self.units[unit.index()].supply.as_deref().and_then(Supply::on_battery) == Some(true)
    }

    /// The unit spoke of its mains, fell silent or came back: what does that say about its feeder?
    pub(super) fn feeder_changed(&mut self, at: Timestamp, unit: UnitIx) {
        let Some(index) = self.feeders.index(unit) else { return };
        let state = &mut self.units[unit.index()];
        let present = state.presence == Presence::Present;
        let Some(supply) = &mut state.supply else { return };
        let now_counted = supply.on_battery().filter(|_| present).map(|on_battery| !on_battery);
        if supply.counted == now_counted {
            return;
        }
        let before = std::mem::replace(&mut supply.counted, now_counted);
        let feeder = &mut self.feeders.list[index];
        match before {
            Some(true) => feeder.with -= 1,
            Some(false) => feeder.without -= 1,
            None => {}
        }
        match now_counted {
            Some(true) => feeder.with += 1,
            Some(false) => feeder.without += 1,
            None => {}
        }
        let is_cut = feeder.is_cut();
        match is_cut {
            // The first that is heard after a time of hearing nobody tells how it stands, not when it changed.
            Some(cut) if feeder.sighted => match (feeder.cut_since, cut) {
                (None, true) => feeder.schedule.cut_began(at),
                (Some(_), false) => feeder.schedule.cut_ended(at),
                (None, false) | (Some(_), true) => {}
            },
            Some(cut) => feeder.schedule.in_sight(at, cut),
            None => feeder.schedule.lost_sight(at),
        }
        feeder.sighted = is_cut.is_some();
        let mut mains_back = false;
        match is_cut {
            Some(true) => {
                feeder.cut_since = feeder.cut_since.or(Some(at));
                feeder.lit_since = None;
            }
            Some(false) => {
                mains_back = feeder.cut_since.take().is_some();
                if mains_back {
                    feeder.lit_since = Some(at);
                }
            }
            // Whether the cut goes on is not known.
            None => {}
        }
        if mains_back {
            self.await_lit(at, unit);
        }
        let _ = self.state(unit);
        for n in 0..self.feeders.list[index].members.len() {
            let member = self.feeders.list[index].members[n];
            if mains_back {
                self.note_mains_back(at, member);
            }
            self.judge_local_cut(at, member, index);
        }
    }

    fn note_mains_back(&mut self, at: Timestamp, unit: UnitIx) {
        let state = &self.units[unit.index()];
        let waits = state.presence != Presence::Present
            && state.supply.as_ref().is_some_and(|s| s.on_battery() == Some(true) && s.mains_back.is_none());
        if waits && let Some(supply) = &mut self.state(unit).supply {
            supply.mains_back = Some(at);
        }
    }

    /// Alone in the dark: the feeder has mains for at least half of those that are heard.
    fn judge_local_cut(&mut self, at: Timestamp, unit: UnitIx, feeder: usize) {
        let feeder = &self.feeders.list[feeder];
        let (with, without) = (feeder.with, feeder.without);
        let Some(supply) = &self.units[unit.index()].supply else { return };
        // A unit that fell silent in the dark stays where it was: nothing was heard that could change it.
        let alone = match supply.counted {
            Some(true) => false,
            Some(false) => with > 0 && with >= without,
            None => return,
        };
        if alone == supply.local_since.is_some() {
            return;
        }
        let since = alone.then_some(at);
        self.state(unit).supply.as_mut().expect("just seen").local_since = since;
        self.judge_growing(at, unit, Metric::LocalCutMinutes);
    }

    /// After a restart: who counts how.
    pub(super) fn count_feeder_restored(&mut self, unit: UnitIx) {
        let Some(index) = self.feeders.index(unit) else { return };
        let feeder = &mut self.feeders.list[index];
        match self.units[unit.index()].supply.as_ref().and_then(|s| s.counted) {
            Some(true) => feeder.with += 1,
            Some(false) => feeder.without += 1,
            None => {}
        }
    }

    pub(super) fn rebaseline(&mut self, at: Timestamp, unit: &UnitId, component: Option<Component>) {
        let Some(ix) = self.fleet.find(unit.as_str()) else {
            let why = format!("there is no unit {unit} in the fleet; `fleet list` shows those there are");
            self.emit(at, crate::domain::EffectKind::Refused { order: None, why });
            return;
        };
        let rules = self.rules.clone();
        let is_meant = |c: Component| component.is_none_or(|only| only == c);
        let state = self.state(ix);
        match component {
            Some(component) => state.baselines.reset(component),
            None => state.baselines = Baselines::default(),
        }
        // A trend of the old part says nothing of the new one.
        state.series.retain(|(leaf, _)| !is_meant(rules.rule(leaf.rule).component));
        if is_meant(Component::Battery)
            && let Some(supply) = &mut state.supply
        {
            supply.battery.replaced();
        }
        let standing: Vec<_> = state.alerts.iter().map(|a| a.rule).collect();
        for rule in standing {
            let r = rules.rule(rule);
            let learned = r.condition.leaves().iter().any(|c| {
                use crate::domain::rule::Condition;
                matches!(c, Condition::Baseline { .. } | Condition::Forecast { .. })
            });
            if learned && is_meant(r.component) {
                self.condition_gone(at, ix, rule, Reason::Rebaselined);
            }
        }
    }

    /// Late or kept messages say nothing about now.
    pub(super) fn take_link_readings(&mut self, now: Timestamp, unit: UnitIx, taken: Taken) {
        let late = taken.late;
        self.judge_wanted(now, unit, if late { &[Metric::LinkLoss] } else { &[Metric::LinkLoss, Metric::ClockSkew] });
    }
}
