//! A unit's life: it starts, connects, speaks at its times, obeys, is pressed, stops. Never breaks anything by itself:
//! `faults` does.

use crate::domain::Component;
use crate::domain::message::{Command, Do, Kind, PressKind, Trigger};

use super::{Action, Leaving, WILL_AFTER, What, World};
use crate::app::simulate::unit::{BUFFER, Letter};
use crate::app::simulate::weather::{DAY, HOUR, MINUTE, PAKISTAN, SECOND};

impl World {
    pub(super) fn boot(&mut self, i: usize) {
        let _ = self.units[i].step_power(self.now, &self.weather);
        let unit = &mut self.units[i];
        if unit.on || unit.effects.dead || !unit.has_power() {
            return;
        }
        unit.on = true;
        unit.exhausted = false;
        unit.boot = unit.boot.saturating_add(1);
        unit.seq = 0;
        unit.booted_at = self.now;
        unit.life += 1;
        unit.lost_in_a_row = 0;
        // A modem needs seconds to find its network.
        let link = unit.paced(0.03, 0.3);
        let test = link + unit.paced(0.1, 0.3);
        let beat = link + unit.paced(0.0, 0.2);
        unit.beat_due = self.now + beat;
        let power = link + unit.chance.millis(0, unit.traits.power / 4);
        self.plan_for(i, link, Action::Link);
        self.plan_for(i, beat, Action::Beat);
        self.plan_for(i, power, Action::Power);
        self.plan_for(i, test, Action::Selftest(Trigger::Boot));
        self.plan_selftest(i);
    }

    /// The unit stops; what it had in memory is gone.
    pub(super) fn stop(&mut self, i: usize, leaving: Leaving) {
        let unit = &mut self.units[i];
        unit.on = false;
        unit.life += 1;
        unit.buffer.clear();
        unit.last_sent = None;
        unit.held_back = None;
        self.link_down(i, leaving);
    }

    pub(super) fn link_is_possible(&self, i: usize) -> bool {
        let unit = &self.units[i];
        unit.on && !unit.effects.link_down && self.uplinks[unit.uplink].down == 0
    }

    pub(super) fn link_up(&mut self, i: usize) {
        if self.units[i].linked || !self.link_is_possible(i) {
            return;
        }
        self.units[i].linked = true;
        self.units[i].link_life += 1;
        self.emit(i, What::Connect);
        self.say_online(i);
        // Its acknowledgement was lost with the link: it comes a second time.
        let repeated = self.units[i].last_sent.clone().filter(|_| self.units[i].chance.odds(0.33));
        for letter in repeated.into_iter().chain(std::mem::take(&mut self.units[i].buffer)) {
            self.deliver(i, letter);
        }
    }

    pub(super) fn link_down(&mut self, i: usize, leaving: Leaving) {
        if !self.units[i].linked {
            return;
        }
        self.units[i].linked = false;
        self.emit(i, What::Disconnect(leaving));
        if leaving != Leaving::Clean {
            let link_life = self.units[i].link_life;
            let wait = WILL_AFTER.min(self.units[i].traits.heartbeat * 3 / 2);
            self.plan(self.now + wait, i as u32, None, Action::Will(link_life));
        }
    }

    /// The link may have come back or gone.
    pub(super) fn link_changed(&mut self, i: usize) {
        if !self.link_is_possible(i) {
            self.link_down(i, Leaving::LinkLost);
        } else if !self.units[i].linked {
            let wait = self.units[i].paced(0.1, 0.9);
            self.plan_for(i, wait, Action::Link);
        }
    }

    pub(super) fn deliver(&mut self, i: usize, letter: Letter) {
        let Letter { kind, boot, seq, payload } = letter;
        self.emit(i, What::Say { kind, boot, seq, payload });
    }

    /// Out, or into the buffer, or lost.
    pub(super) fn send(&mut self, i: usize, letter: Letter) {
        let unit = &mut self.units[i];
        if !unit.linked {
            if unit.traits.buffers {
                if unit.buffer.len() >= BUFFER {
                    unit.buffer.pop_front();
                }
                unit.buffer.push_back(letter);
            }
            return;
        }
        // Tests, presses, status and replies are repeated by the unit until they arrive.
        if matches!(letter.kind, Kind::Heartbeat | Kind::Power) {
            let odds = unit.effects.loss.unwrap_or(unit.traits.loss);
            // Never three in a row: that would be silence, which is another fault.
            if odds > 0.0 && unit.lost_in_a_row < 2 && unit.chance.odds(odds) {
                unit.lost_in_a_row += 1;
                return;
            }
            if letter.kind == Kind::Heartbeat {
                unit.lost_in_a_row = 0;
            }
        }
        if unit.effects.scrambled && letter.kind != Kind::Status {
            // Held back behind the next one, or sent twice.
            if unit.held_back.is_none() && unit.chance.odds(0.25) {
                unit.held_back = Some(letter);
                let wait = unit.paced(0.5, 1.8);
                self.plan_for(i, wait, Action::Flush);
                return;
            }
            if unit.chance.odds(0.25) {
                self.deliver(i, letter.clone());
            }
        } else {
            unit.last_sent = Some(letter.clone());
        }
        self.deliver(i, letter);
    }

    pub(super) fn flush(&mut self, i: usize) {
        if let Some(letter) = self.units[i].held_back.take() {
            if self.units[i].linked {
                self.deliver(i, letter);
            } else if self.units[i].traits.buffers {
                self.units[i].buffer.push_back(letter);
            }
        }
    }

    pub(super) fn say_online(&mut self, i: usize) {
        if self.units[i].linked {
            let letter = self.units[i].status(self.now, true, None);
            self.deliver(i, letter);
        }
    }

    // ---- what it says by itself ----

    pub(super) fn beat(&mut self, i: usize) {
        let letter = self.units[i].heartbeat(self.now, &self.weather);
        self.send(i, letter);
        let unit = &mut self.units[i];
        // Due times stay even; the jitter of a busy processor does not add up.
        unit.beat_due += unit.traits.heartbeat;
        let jitter = unit.chance.millis(0, (unit.traits.heartbeat / 30).min(900));
        let wait = unit.beat_due + jitter - self.now;
        self.plan_for(i, wait, Action::Beat);
    }

    pub(super) fn power(&mut self, i: usize, regular: bool) {
        self.step_power(i);
        if !self.units[i].on {
            return;
        }
        let letter = self.units[i].power_report(self.now, &self.weather);
        self.send(i, letter);
        if regular {
            let unit = &mut self.units[i];
            let wait = unit.traits.power + unit.chance.millis(0, (unit.traits.power / 50).min(1_000));
            self.plan_for(i, wait, Action::Power);
        }
    }

    pub(super) fn plan_selftest(&mut self, i: usize) {
        let unit = &mut self.units[i];
        let wait = match self.scenario.cadence.selftest {
            Some(every) => {
                let every = every.as_millis() as i64;
                every + unit.chance.millis(0, every / 20)
            }
            None => {
                let time = (self.now + PAKISTAN).rem_euclid(DAY);
                let left = (unit.traits.selftest_at - time).rem_euclid(DAY);
                // A test that is due within a minute of the last one was that one.
                if left < MINUTE { left + DAY } else { left }
            }
        };
        self.plan_for(i, wait, Action::Selftest(Trigger::Schedule));
    }

    pub(super) fn selftest(&mut self, i: usize, trigger: Trigger) {
        let tested = self.units[i].selftest(self.now, &self.weather, trigger, None, &[]);
        self.send(i, tested.letter);
        if tested.inconclusive && self.scenario.cadence.selftest.is_none() {
            // Between three and five at night, when the bazaar sleeps.
            let time = (self.now + PAKISTAN).rem_euclid(DAY);
            let quiet = 3 * HOUR + self.units[i].chance.millis(0, 2 * HOUR);
            self.plan_for(i, (quiet - time).rem_euclid(DAY).max(10 * MINUTE), Action::Retest);
        }
        if trigger == Trigger::Schedule {
            self.plan_selftest(i);
        }
        self.settle_glitch(i);
    }

    pub(super) fn retest(&mut self, i: usize) {
        let asked = [Component::Microphone, Component::Speaker];
        let tested = self.units[i].selftest(self.now, &self.weather, Trigger::Schedule, None, &asked);
        self.send(i, tested.letter);
    }

    pub(super) fn commanded(&mut self, i: usize, command: &Command) {
        let (id, asked) = (command.id.as_str(), &command.components[..]);
        let tested = self.units[i].selftest(self.now, &self.weather, Trigger::Command, Some(id), asked);
        self.send(i, tested.letter);
        self.settle_glitch(i);
    }

    pub(super) fn obey(&mut self, i: usize, command: Box<Command>) {
        if !self.units[i].on || !self.units[i].linked {
            return;
        }
        // Its own clock decides, as in a real unit.
        let clock = self.now + self.units[i].clock_error(self.now);
        let expired = command.expires.as_millis() < clock;
        let letter = self.units[i].reply(self.now, &command.id, expired.then_some("expired"));
        self.send(i, letter);
        if expired {
            return;
        }
        match command.act {
            Do::Selftest => {
                let wait = self.units[i].paced(0.03, 0.15);
                self.plan_for(i, wait, Action::Commanded(command));
            }
            // It blinks.
            Do::Locate => {}
            Do::Reboot => {
                let wait = self.units[i].paced(0.03, 0.08);
                self.plan_for(i, wait, Action::Reboot);
            }
        }
    }

    pub(super) fn refuse(&mut self, i: usize, id: &str, why: &str) {
        if self.units[i].on && self.units[i].linked {
            let letter = self.units[i].reply(self.now, id, Some(why));
            self.send(i, letter);
        }
    }

    pub(super) fn reboot(&mut self, i: usize) {
        let letter = self.units[i].status(self.now, false, Some("reboot"));
        self.send(i, letter);
        self.stop(i, Leaving::Clean);
        let wait = self.units[i].paced(0.2, 0.6);
        self.plan(self.now + wait, i as u32, None, Action::Boot);
    }

    // ---- presses ----

    pub(super) fn press(&mut self, i: usize, kind: PressKind) {
        if !self.units[i].on {
            return;
        }
        let held = self.units[i].chance.millis(250, 3_500);
        let letter = self.units[i].press(self.now, kind, held);
        self.send(i, letter);
    }

    pub(super) fn real_press(&mut self, i: usize) {
        self.press(i, PressKind::Real);
        let mean = 365.0 * DAY as f64 / self.scenario.presses.real_per_unit_per_year;
        let wait = self.units[i].chance.wait(mean) as i64;
        self.plan(self.now + wait.max(SECOND), i as u32, None, Action::RealPress);
    }

    pub(super) fn test_press(&mut self, i: usize) {
        if !self.units[i].effects.no_test_presses {
            self.press(i, PressKind::Test);
        }
        if let Some(every) = self.scenario.presses.test_every {
            let every = every.as_millis() as f64;
            let wait = (every * self.units[i].chance.between(0.95, 1.04)) as i64;
            self.plan(self.now + wait.max(100), i as u32, None, Action::TestPress);
        }
    }
}
