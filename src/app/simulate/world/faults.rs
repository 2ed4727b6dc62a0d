//! What scripted faults do to the world: whom they strike, how they begin, pulse and end. Never speaks for a unit.

use crate::domain::message::PressKind;
use crate::domain::{Component, GroupKind, GroupName, Timestamp, UnitIx};

use super::{Action, Leaving, What, World};
use crate::app::simulate::fault::{Circuit, Fault, FaultKind, Struck, Target};
use crate::app::simulate::unit::{Charger, Effects};
use crate::app::simulate::weather::{MINUTE, SECOND};

impl World {
    /// Whom a fault strikes: a circuit once, everything else unit by unit.
    pub(super) fn resolve(&mut self, fault: &Fault) -> Vec<(Struck, Vec<UnitIx>)> {
        let circuit = fault.kind.circuit();
        let group = |world: &World, kind: GroupKind, name: &str| -> Vec<UnitIx> {
            let name = GroupName::parse(name).expect("names of groups obey the rule of group names");
            world.fleet.groups().get(&(kind, name)).map(|members| members.to_vec()).unwrap_or_default()
        };
        if let Some(circuit) = circuit {
            let names = match circuit {
                Circuit::Uplink => &self.uplink_names,
                Circuit::Feeder => &self.feeder_names,
            };
            let mut names: Vec<GroupName> = names.keys().cloned().collect();
            match &fault.target {
                Target::All => {}
                Target::Random(count) => {
                    while names.len() > *count as usize {
                        names.remove(self.chance.below(names.len()));
                    }
                }
                Target::Uplink(id) => names.retain(|n| n.as_str() == id.as_str() && circuit == Circuit::Uplink),
                Target::Feeder(id) => names.retain(|n| n.as_str() == id.as_str() && circuit == Circuit::Feeder),
                Target::Unit(_) | Target::Site(_) | Target::City(_) => names.clear(),
            }
            return names
                .into_iter()
                .map(|name| match circuit {
                    Circuit::Uplink => {
                        let units = group(self, GroupKind::Uplink, name.as_str());
                        (Struck::Uplink(name), units)
                    }
                    Circuit::Feeder => {
                        let units = group(self, GroupKind::Feeder, name.as_str());
                        (Struck::Feeder(name), units)
                    }
                })
                .collect();
        }
        let units = match &fault.target {
            Target::Unit(id) => self.fleet.find(id.as_str()).into_iter().collect(),
            Target::Uplink(id) => group(self, GroupKind::Uplink, id.as_str()),
            Target::Feeder(id) => group(self, GroupKind::Feeder, id.as_str()),
            Target::Site(id) => group(self, GroupKind::Site, id.as_str()),
            Target::City(id) => group(self, GroupKind::City, id.as_str()),
            Target::All => self.fleet.units().map(|(ix, _)| ix).collect(),
            Target::Random(count) => self.draw_units(*count as usize),
        };
        units.into_iter().map(|u| (Struck::Unit(u), vec![u])).collect()
    }

    pub(super) fn draw_units(&mut self, count: usize) -> Vec<UnitIx> {
        let count = count.min(self.units.len());
        let mut drawn = Vec::with_capacity(count);
        let mut fresh: Vec<usize> = (0..self.units.len()).filter(|i| !self.struck[*i]).collect();
        while drawn.len() < count {
            if fresh.is_empty() {
                self.struck.fill(false);
                fresh = (0..self.units.len()).filter(|i| !drawn.contains(&UnitIx(*i as u32))).collect();
            }
            let i = fresh.swap_remove(self.chance.below(fresh.len()));
            self.struck[i] = true;
            drawn.push(UnitIx(i as u32));
        }
        drawn.sort_unstable();
        drawn
    }

    pub(super) fn begin(&mut self, e: usize) {
        let episode = &mut self.episodes[e];
        if episode.ended || episode.truth.units.is_empty() {
            return;
        }
        episode.began = true;
        episode.truth.from = Timestamp::from_millis(self.now);
        let (kind, units) = (episode.truth.kind, episode.truth.units.clone());
        let first = units[0].index();
        self.emit(first, What::FaultBegan(e));
        match kind.circuit() {
            Some(Circuit::Uplink) => {
                let uplink = self.units[first].uplink;
                self.uplinks[uplink].down += 1;
                self.each(&units, Self::link_changed);
                return;
            }
            Some(Circuit::Feeder) => {
                let feeder = self.units[first].feeder;
                self.feeders[feeder].cuts += 1;
                self.feeder_changed(feeder);
                return;
            }
            None => self.step_power(first),
        }
        if let FaultKind::BatteryWeak { capacity_pct, charge_pct } = kind {
            self.units[first].battery.set_health(capacity_pct / 100.0);
            if let Some(charge) = charge_pct {
                self.units[first].battery.set_charge(charge / 100.0);
            }
        }
        self.fold_effects(first);
        if self.units[first].effects.dead && self.units[first].on {
            self.stop(first, Leaving::PowerLost);
        }
        if kind == FaultKind::BootReset {
            self.units[first].boot = 0;
            self.restart(first);
        }
        if let Some(wait) = kind.first_pulse() {
            self.plan(self.now + wait.as_millis() as i64, first as u32, None, Action::Pulse(e));
        }
        self.mains_changed(first);
    }

    pub(super) fn end(&mut self, e: usize) {
        let episode = &mut self.episodes[e];
        if episode.ended {
            return;
        }
        episode.ended = true;
        if !episode.began {
            return;
        }
        episode.truth.to = Some(Timestamp::from_millis(self.now));
        let (kind, units) = (episode.truth.kind, episode.truth.units.clone());
        let first = units[0].index();
        match kind.circuit() {
            Some(Circuit::Uplink) => {
                let uplink = self.units[first].uplink;
                self.uplinks[uplink].down -= 1;
                self.each(&units, Self::link_changed);
            }
            Some(Circuit::Feeder) => {
                let feeder = self.units[first].feeder;
                self.feeders[feeder].cuts -= 1;
                self.feeder_changed(feeder);
            }
            None => {
                self.step_power(first);
                self.fold_effects(first);
                if kind.component() == Some(Component::Battery) {
                    // A new one, charged in the workshop and carried for a week.
                    self.units[first].battery.set_health(1.0);
                    self.units[first].battery.set_charge(0.92);
                    self.units[first].exhausted = false;
                }
                self.mains_changed(first);
                self.link_changed(first);
                self.wake_if_it_can(first);
            }
        }
        self.emit(first, What::FaultEnded(e));
    }

    pub(super) fn each(&mut self, units: &[UnitIx], change: fn(&mut World, usize)) {
        for unit in units {
            change(self, unit.index());
        }
    }

    /// A watchdog's or a firmware's restart: the connection breaks, memory is lost.
    pub(super) fn restart(&mut self, i: usize) {
        if self.units[i].on {
            self.stop(i, Leaving::PowerLost);
            let wait = self.units[i].paced(0.1, 0.3);
            self.plan(self.now + wait, i as u32, None, Action::Boot);
        }
    }

    /// What comes again and again while a fault lasts.
    pub(super) fn pulse(&mut self, e: usize) {
        let episode = &mut self.episodes[e];
        if episode.ended {
            return;
        }
        episode.pulses += 1;
        let (kind, pulses, since) = (episode.truth.kind, episode.pulses, episode.truth.from.as_millis());
        let i = episode.truth.units[0].index();
        let wait = if let FaultKind::RebootLoop { every } = kind {
            self.restart(i);
            (every.as_millis() as f64 * self.units[i].chance.between(0.9, 1.1)) as i64
        } else if let FaultKind::FlappingLink { every } = kind {
            let every = every.as_millis() as i64;
            self.fold_effects(i);
            self.link_changed(i);
            // Odd pulses take the link away.
            if pulses % 2 == 1 { every * 2 / 3 } else { every / 3 }
        } else if let FaultKind::PressFlood { count, within } = kind {
            self.press(i, PressKind::Real);
            let step = within.as_millis() as f64 / f64::from(count.max(1));
            (step * self.units[i].chance.between(0.8, 1.15)) as i64
        } else {
            if self.units[i].on {
                let letter = self.units[i].press(self.now, PressKind::Real, self.now - since);
                self.send(i, letter);
            }
            // A stuck button, "still held": after a minute, then every five.
            if pulses == 1 { MINUTE } else { 5 * MINUTE }
        };
        self.plan(self.now + wait.max(SECOND / 10), i as u32, None, Action::Pulse(e));
    }

    /// A glitch is over with the test that it spoiled.
    pub(super) fn settle_glitch(&mut self, i: usize) {
        if self.units[i].effects.glitch {
            return;
        }
        let over = self.episodes.iter().position(|e| {
            e.began && !e.ended && e.truth.kind == FaultKind::CameraGlitch && e.truth.units[0].index() == i
        });
        if let Some(e) = over {
            self.end(e);
        }
    }

    pub(super) fn repaired(&mut self, i: usize, component: Component) {
        let unit = UnitIx(i as u32);
        let over: Vec<usize> = (0..self.episodes.len())
            .filter(|e| {
                let episode = &self.episodes[*e];
                episode.began
                    && !episode.ended
                    && episode.truth.units.contains(&unit)
                    && episode.truth.kind.ends_with(component)
            })
            .collect();
        for e in over {
            self.end(e);
        }
        if component == Component::Button {
            // Nobody leaves a button without pressing it once.
            let wait = self.units[i].paced(0.5, 1.5);
            self.plan(self.now + wait, i as u32, None, Action::ExtraTestPress);
        }
    }

    /// The sum of a unit's present faults.
    pub(super) fn fold_effects(&mut self, i: usize) {
        let unit = UnitIx(i as u32);
        let mut effects = Effects::default();
        let was_fading = self.units[i].effects.fading;
        for episode in self.episodes.iter().filter(|e| e.began && !e.ended && e.truth.struck == Struck::Unit(unit)) {
            let since = episode.truth.from.as_millis();
            match episode.truth.kind {
                FaultKind::Dead => effects.dead = true,
                FaultKind::CameraBlocked => effects.blocked = true,
                FaultKind::CameraFrozen => effects.frozen = true,
                FaultKind::CameraGlitch => effects.glitch = true,
                FaultKind::CameraDirty { over, left_pct } => {
                    effects.dirty = Some((since, over.as_millis() as i64, left_pct / 100.0));
                }
                FaultKind::Fog { left_pct } => effects.fog = effects.fog.min(left_pct / 100.0),
                FaultKind::MicrophoneDeaf { db } => effects.deaf_db += db,
                FaultKind::Loud => effects.loud = true,
                FaultKind::SpeakerDead => effects.speaker_dead = true,
                FaultKind::StreamBroken => effects.stream_broken = true,
                FaultKind::ButtonStuck => effects.stuck_since = Some(since),
                FaultKind::NoTestPresses => effects.no_test_presses = true,
                FaultKind::BatteryFading { per_day_pct } => {
                    let health = self.units[i].battery.health();
                    effects.fading = was_fading.or(Some((self.now, health, per_day_pct / 100.0)));
                }
                FaultKind::ChargerDead { carries_load } => {
                    effects.charger = if carries_load { Charger::Idle } else { Charger::Dead };
                }
                FaultKind::LocalMainsLost => effects.local_mains_lost = true,
                FaultKind::ClockOff { by_ms } => effects.clock_ms += by_ms,
                FaultKind::Tamper => effects.tamper = true,
                FaultKind::Overheat { celsius } => effects.overheat = Some(celsius),
                FaultKind::LossyLink { loss_pct } => effects.loss = Some(loss_pct / 100.0),
                FaultKind::FlappingLink { .. } => effects.link_down |= episode.pulses % 2 == 1,
                FaultKind::ScrambledLink => effects.scrambled = true,
                FaultKind::UplinkDown
                | FaultKind::FeederCut
                | FaultKind::PressFlood { .. }
                | FaultKind::BatteryWeak { .. }
                | FaultKind::RebootLoop { .. }
                | FaultKind::BootReset => {}
            }
        }
        self.units[i].effects = effects;
    }
}
