//! One unit's body: what it is made of, what it measures, and what it therefore writes. Never decides when it speaks:
//! `world` does.

use std::collections::VecDeque;

use crate::domain::message::{CameraMode, Kind, Outcome, PressKind, Trigger};
use crate::domain::{Component, Timestamp, Unit};

use super::battery::{Battery, Flow};
use super::chance::{Chance, drift, name_hash};
use super::load_shedding::Timetable;
use super::payload::{self, Envelope, Plain, Results, Ts, figure, rough};
use super::scenario::Scenario;
use super::weather::{DAY, HOUR, MINUTE, SECOND, Weather, local};

/// What stays the same for as long as the unit stands. Drawn once, from the seed and the unit's id.
#[derive(Debug)]
pub(super) struct Traits {
    name: u64,
    city: u64,
    pub(super) heartbeat: i64,
    pub(super) power: i64,
    firmware: &'static str,
    hardware: String,
    writes_text_time: bool,
    pub(super) buffers: bool,
    /// None: no gauge, the commonest case. Else how far it lies, in per cent.
    gauge_error: Option<f64>,
    rssi: f64,
    pub(super) loss: f64,
    watts: f64,
    charger_amps: f64,
    /// 0: a shaded wall; 1: a roof.
    exposure: f64,
    /// Local time of the daily self-test, ms after midnight.
    pub(super) selftest_at: i64,
    sharpness: f64,
    infrared: f64,
    fps: f64,
    tone: f64,
    ambient: f64,
    busy: bool,
    speaker: f64,
    contact: f64,
    connect_ms: f64,
    kbps: f64,
    mains: f64,
    skew: f64,
    pub(super) press_phase: f64,
}

const FIRMWARES: [&str; 4] = ["2.3.1", "2.3.1", "2.4.0", "2.2.7"];

/// Batteries on the shelf, Ah.
const SIZES: [f64; 6] = [7.0, 9.0, 12.0, 18.0, 26.0, 40.0];

impl Traits {
    fn draw(unit: &Unit, seed: u64, scenario: &Scenario, timetable: &Timetable) -> (Traits, Battery) {
        let name = name_hash(unit.unit.as_str());
        let mut c = Chance::new(seed, name);
        let cadence = &scenario.cadence;
        let heartbeat = cadence.heartbeat.or(unit.heartbeat).map_or(30 * SECOND, |d| d.as_millis() as i64).max(100);
        // 6 W: a modem and a sleeping camera. 10.5 W, and 1.5 W for infrared at night: a streaming one.
        let watts = c.between(6.0, 10.5);
        let thin = c.odds(0.12);
        let rssi = if thin { c.between(-108.0, -98.0) } else { c.between(-95.0, -62.0) };
        let drawn_loss = if thin { c.between(0.005, 0.02) } else { c.between(0.0, 0.001) };
        let busy = ["market", "bazaar", "terminal", "shopping"].iter().any(|w| unit.site_type.contains(w));
        let buffers = c.odds(0.7);
        let gauge = c.odds(0.4).then(|| c.between(-18.0, 12.0));

        // The installer's sum: the longest cut twice and a half with a tired battery in winter, and a charger that gives
        // back a day's cuts in the hours that are left of it.
        let drain = watts * 1.15 / 12.0;
        let longest = timetable.hours / f64::from(timetable.cuts.max(1)) * 1.2;
        let per_day = timetable.hours * drain;
        let charger_amps = (1.7 * per_day / (24.0 - timetable.hours).max(3.0)).max(0.9);
        let needed = (drain * longest.max(2.0) * 2.5 * 1.4).max(charger_amps / 0.25);
        let fitting = SIZES.into_iter().find(|ah| *ah >= needed).unwrap_or(40.0);
        let spare = if c.odds(0.4) { SIZES.into_iter().find(|ah| *ah > fitting).unwrap_or(fitting) } else { fitting };
        let rated = scenario.battery.ampere_hours.unwrap_or(spare);
        let chemistry = scenario.battery.chemistry(&unit.model);
        let mut battery = Battery::new(chemistry, rated, c.between(0.88, 1.02));
        if timetable.hours > 0.0 {
            battery.set_charge(c.between(0.85, 1.0));
        }

        let traits = Traits {
            name,
            city: name_hash(unit.city.as_str()),
            heartbeat,
            power: cadence.power.as_millis() as i64,
            firmware: c.pick(&FIRMWARES),
            hardware: if unit.model.is_empty() { "EB-1".to_owned() } else { unit.model.to_string() },
            writes_text_time: c.odds(0.5),
            buffers: scenario.link.buffers.unwrap_or(buffers),
            gauge_error: gauge,
            rssi,
            loss: scenario.link.loss_pct.map_or(drawn_loss, |p| p / 100.0),
            watts,
            charger_amps,
            exposure: c.unit(),
            selftest_at: c.millis(0, DAY - 1),
            // A flat wall gives about 150, a bazaar with signboards ten times that.
            sharpness: 150.0 * 10.0_f64.powf(c.unit()),
            infrared: c.between(0.4, 0.75),
            fps: c.pick(&[15.0, 25.0]),
            tone: c.between(22.0, 32.0),
            ambient: c.between(-62.0, -50.0),
            busy,
            speaker: c.between(26.0, 36.0),
            contact: c.between(0.15, 0.6),
            connect_ms: c.between(140.0, 420.0) * if thin { 2.5 } else { 1.0 },
            kbps: c.between(1100.0, 2200.0) * if thin { 0.35 } else { 1.0 },
            // 230 V nominal; long feeders sag.
            mains: c.between(196.0, 232.0),
            skew: c.between(-900.0, 900.0),
            press_phase: c.unit(),
        };
        (traits, battery)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charger {
    Good,
    /// No charge current, but the supply still feeds the unit.
    Idle,
    Dead,
}

/// All that present faults do to a unit, folded together.
#[derive(Debug, Clone)]
pub(super) struct Effects {
    pub(super) dead: bool,
    pub(super) link_down: bool,
    pub(super) blocked: bool,
    pub(super) frozen: bool,
    pub(super) glitch: bool,
    /// Since, over so many ms, down to this part.
    pub(super) dirty: Option<(i64, i64, f64)>,
    pub(super) fog: f64,
    pub(super) deaf_db: f64,
    pub(super) loud: bool,
    pub(super) speaker_dead: bool,
    pub(super) stream_broken: bool,
    pub(super) stuck_since: Option<i64>,
    pub(super) no_test_presses: bool,
    /// Since, health then, loss a day.
    pub(super) fading: Option<(i64, f64, f64)>,
    pub(super) charger: Charger,
    pub(super) local_mains_lost: bool,
    pub(super) clock_ms: i64,
    pub(super) tamper: bool,
    pub(super) overheat: Option<f64>,
    pub(super) loss: Option<f64>,
    pub(super) scrambled: bool,
}

impl Default for Effects {
    fn default() -> Self {
        Effects {
            dead: false,
            link_down: false,
            blocked: false,
            frozen: false,
            glitch: false,
            dirty: None,
            fog: 1.0,
            deaf_db: 0.0,
            loud: false,
            speaker_dead: false,
            stream_broken: false,
            stuck_since: None,
            no_test_presses: false,
            fading: None,
            charger: Charger::Good,
            local_mains_lost: false,
            clock_ms: 0,
            tamper: false,
            overheat: None,
            loss: None,
            scrambled: false,
        }
    }
}

/// A message as it leaves the unit, or waits in it.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) kind: Kind,
    pub(super) boot: u32,
    pub(super) seq: u64,
    pub(super) payload: Vec<u8>,
}

/// A unit's own buffer, messages. Full: the oldest goes, as flash rings do.
pub(super) const BUFFER: usize = 600;

#[derive(Debug)]
pub(super) struct UnitState {
    pub(super) traits: Traits,
    pub(super) chance: Chance,
    pub(super) battery: Battery,
    pub(super) effects: Effects,
    pub(super) feeder: usize,
    pub(super) uplink: usize,
    pub(super) on: bool,
    /// The protection opened; only mains or a new battery closes it.
    pub(super) exhausted: bool,
    pub(super) linked: bool,
    pub(super) mains: bool,
    pub(super) boot: u32,
    pub(super) seq: u64,
    pub(super) booted_at: i64,
    /// Counts starts and stops: timers of an earlier life are void.
    pub(super) life: u32,
    /// Counts connections, likewise.
    pub(super) link_life: u32,
    pub(super) beat_due: i64,
    pub(super) buffer: VecDeque<Letter>,
    pub(super) last_sent: Option<Letter>,
    pub(super) held_back: Option<Letter>,
    pub(super) lost_in_a_row: u32,
    powered_at: i64,
    watts: f64,
}

/// What a self-test says about itself.
pub(super) struct Tested {
    pub(super) letter: Letter,
    pub(super) inconclusive: bool,
}

impl UnitState {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn new(
        unit: &Unit,
        seed: u64,
        scenario: &Scenario,
        timetable: &Timetable,
        feeder: usize,
        uplink: usize,
        mains: bool,
        now: i64,
    ) -> UnitState {
        let (traits, battery) = Traits::draw(unit, seed, scenario, timetable);
        let mut chance = Chance::new(seed ^ 0x0b07, traits.name);
        let watts = traits.watts;
        UnitState {
            boot: 1 + chance.below(30) as u32,
            traits,
            chance,
            battery,
            effects: Effects::default(),
            feeder,
            uplink,
            on: false,
            exhausted: false,
            linked: false,
            mains,
            seq: 0,
            booted_at: now,
            life: 0,
            link_life: 0,
            beat_due: now,
            buffer: VecDeque::new(),
            last_sent: None,
            held_back: None,
            lost_in_a_row: 0,
            powered_at: now,
            watts,
        }
    }

    /// A span in proportion to the unit's cadence: a world that beats each second also boots and reconnects faster.
    pub(super) fn paced(&mut self, low: f64, high: f64) -> i64 {
        (self.chance.between(low, high) * self.traits.heartbeat as f64) as i64
    }

    /// Can it run: from mains through a living charger, or from a battery whose protection is closed.
    pub(super) fn has_power(&self) -> bool {
        (self.mains && self.effects.charger != Charger::Dead) || !self.exhausted
    }

    /// Brings the battery up to `now`. False: it is empty, and the unit has lost its power.
    #[must_use]
    pub(super) fn step_power(&mut self, now: i64, weather: &Weather) -> bool {
        let seconds = (now - self.powered_at) as f64 / 1000.0;
        if seconds <= 0.0 {
            return self.has_power();
        }
        self.powered_at = now;
        let celsius = self.battery_celsius(now, weather);
        if let Some((since, health, per_day)) = self.effects.fading {
            self.battery.set_health((health - per_day * (now - since) as f64 / DAY as f64).max(0.02));
        } else {
            // 6 % a year at 25 °C, twice that for every 10 °C more: makers' float life of five years, Arrhenius.
            let per_day = 0.06 / 365.0 * ((celsius - 25.0) / 10.0).exp2();
            self.battery.set_health(self.battery.health() - per_day * seconds / 86_400.0);
        }
        let flow = match (self.mains, self.effects.charger) {
            (true, Charger::Good) => Flow::Charging { amps: self.traits.charger_amps },
            (true, Charger::Idle) => Flow::Resting,
            (true, Charger::Dead) | (false, _) if self.on => Flow::Discharging { watts: self.watts },
            (true, Charger::Dead) | (false, _) => Flow::Resting,
        };
        if !self.battery.step(seconds, celsius, flow) {
            self.exhausted = true;
        }
        // What it draws until the next look.
        let infrared = if Weather::is_day(now) { 0.0 } else { 1.5 };
        self.watts = (self.traits.watts + infrared) * (1.0 + 0.03 * self.chance.normal());
        self.has_power()
    }

    /// Box, °C: the air, what the electronics add, what the sun adds.
    fn celsius(&mut self, now: i64, weather: &Weather) -> f64 {
        let warm = weather.air(now) + 2.5 + 6.0 * self.traits.exposure * weather.sun(now) + 0.2 * self.chance.normal();
        match self.effects.overheat {
            Some(floor) => warm.max(floor + 0.8 * self.chance.normal().abs()),
            None => warm,
        }
    }

    /// Heavy and at the bottom: the day's mean and a third of the day's swing.
    fn battery_celsius(&self, now: i64, weather: &Weather) -> f64 {
        let mean = weather.mean_air(now);
        let warm = mean + 1.5 + 0.33 * (weather.air(now) - mean) + 1.5 * self.traits.exposure * weather.sun(now);
        match self.effects.overheat {
            Some(floor) => warm.max(0.75 * floor),
            None => warm,
        }
    }

    /// ms ahead of true time.
    pub(super) fn clock_error(&self, now: i64) -> i64 {
        // Corrected by NTP now and then: it wanders, but not away.
        (self.traits.skew + 500.0 * drift(self.traits.name, 0xc1, now, 6 * HOUR)) as i64 + self.effects.clock_ms
    }

    fn write<B: serde::Serialize>(&mut self, now: i64, kind: Kind, body: &B) -> Letter {
        self.seq += 1;
        let ts = Timestamp::from_millis(now + self.clock_error(now));
        let ts = if self.traits.writes_text_time { Ts::Text(ts) } else { Ts::Millis(ts.as_millis()) };
        let payload = payload::encode(&Envelope { ts, boot: self.boot, seq: self.seq, body });
        Letter { kind, boot: self.boot, seq: self.seq, payload }
    }

    pub(super) fn heartbeat(&mut self, now: i64, weather: &Weather) -> Letter {
        let temp_c = rough(self.celsius(now, weather));
        let fading = 5.0 * drift(self.traits.name, 0xd1, now, 20 * MINUTE);
        let rssi = (self.traits.rssi + fading + self.chance.normal()).clamp(-113.0, -51.0).round();
        let hardware = std::mem::take(&mut self.traits.hardware);
        let body = payload::Heartbeat {
            uptime_s: ((now - self.booted_at) / SECOND).max(0) as u64,
            interval_s: self.traits.heartbeat as f64 / 1000.0,
            fw: self.traits.firmware,
            hw: &hardware,
            rssi_dbm: rssi as i32,
            temp_c,
            disk_free_pct: rough(61.0 + 9.0 * drift(self.traits.name, 0xd2, now, 2 * DAY)),
            mem_free_pct: rough(44.0 + 8.0 * drift(self.traits.name, 0xd3, now, 3 * HOUR) + self.chance.normal()),
            tamper: self.effects.tamper,
        };
        let letter = self.write(now, Kind::Heartbeat, &body);
        self.traits.hardware = hardware;
        letter
    }

    /// Call after [`UnitState::step_power`].
    pub(super) fn power_report(&mut self, now: i64, weather: &Weather) -> Letter {
        // Evening peaks pull the voltage down: −12 V around 20:00.
        let (_, hour) = local(now);
        let peak = -12.0 * (1.0 - ((hour - 20.0) / 3.0).powi(2)).max(0.0);
        let swing = 7.0 * drift(self.traits.name, 0xe1, now, 30 * MINUTE);
        let mains_v = if self.mains { self.traits.mains + peak + swing + self.chance.normal() } else { 0.0 };
        let body = payload::Power {
            mains: self.mains,
            mains_v: rough(mains_v),
            battery_v: figure(self.battery.volts() + 0.01 * self.chance.normal()),
            battery_pct: self
                .traits
                .gauge_error
                .map(|error| (100.0 * self.battery.charge() + error).clamp(0.0, 100.0).round()),
            battery_temp_c: rough(self.battery_celsius(now, weather) + 0.1 * self.chance.normal()),
            charge_a: figure(self.battery.amps() + 0.005 * self.chance.normal()),
            load_w: rough(self.watts),
        };
        self.write(now, Kind::Power, &body)
    }

    /// Bazaars between late morning and early afternoon, and in the evening.
    fn is_loud(&mut self, now: i64) -> bool {
        let (_, hour) = local(now);
        let rush = (10.0..13.0).contains(&hour) || (16.5..21.0).contains(&hour);
        let odds = if self.traits.busy && rush { 0.35 } else { 0.01 };
        self.chance.odds(odds) || self.effects.loud
    }

    fn camera(&mut self, now: i64, weather: &Weather) -> payload::Camera {
        let day = Weather::is_day(now);
        let (mode, scene, light) = if day {
            (CameraMode::Day, self.traits.sharpness, 88.0 + 55.0 * weather.sun(now))
        } else {
            (CameraMode::Ir, self.traits.sharpness * self.traits.infrared, 54.0)
        };
        let clean = self.effects.dirty.map_or(1.0, |(since, over, left)| {
            1.0 - (1.0 - left) * ((now - since) as f64 / over.max(1) as f64).clamp(0.0, 1.0)
        });
        let air = weather.clearness(self.traits.city, now).min(self.effects.fog);
        let noise = 1.0 + (0.02 * self.chance.normal()).clamp(-0.05, 0.05);
        let fps = self.traits.fps - self.chance.between(0.0, 0.4);
        let luma = rough((light + 4.0 * self.chance.normal()).clamp(1.0, 254.0));
        let glitch = std::mem::take(&mut self.effects.glitch);
        let changed = self.chance.between(2.0, 11.0);
        let mut test = payload::Camera {
            verdict: PASS,
            sharpness: figure(scene * clean * air * noise),
            luma,
            changed_pct: rough(changed + 30.0 * (1.0 - air) + 12.0 * (1.0 - clean)),
            frozen_frames: 0,
            fps: rough(fps),
            mode,
        };
        if self.effects.blocked {
            test.verdict = fail("blocked");
            test.sharpness = figure(self.chance.between(1.5, 6.0));
            test.luma = rough(self.chance.between(3.0, 14.0));
            test.changed_pct = rough(self.chance.between(93.0, 99.5));
        } else if self.effects.frozen {
            test.verdict = fail("frozen");
            test.frozen_frames = (10.0 * self.traits.fps) as u32;
        } else if glitch {
            test.verdict = fail("no-frame");
        } else if clean < 0.12 {
            // The unit itself calls a picture bad only when hardly an edge is left; drift is the monitor's to see.
            test.verdict = fail("blurred");
        }
        test
    }

    fn microphone(&mut self, loud: bool) -> payload::Microphone {
        let heard = self.traits.tone - self.effects.deaf_db + 0.7 * self.chance.normal();
        if loud {
            return payload::Microphone {
                verdict: Plain { result: Outcome::Inconclusive, code: Some("ambient-noise") },
                tone_snr_db: rough(heard - self.chance.between(9.0, 16.0)),
                ambient_dbfs: rough(self.chance.between(-34.0, -24.0)),
                clipping_pct: rough(self.chance.between(0.2, 3.0)),
                retries: 3,
            };
        }
        // Ten decibels under its own commissioning value after three tries.
        let deaf = heard < self.traits.tone - 10.0;
        payload::Microphone {
            verdict: if deaf { fail("tone-low") } else { PASS },
            tone_snr_db: rough(heard),
            ambient_dbfs: rough(self.traits.ambient + 2.5 * self.chance.normal()),
            clipping_pct: 0.0,
            retries: if deaf { 3 } else { 0 },
        }
    }

    /// The microphone has a sounder of its own; the speaker is heard by the microphone.
    fn speaker(&mut self, loud: bool) -> payload::Speaker {
        let heard = self.traits.speaker + 0.8 * self.chance.normal();
        if self.effects.speaker_dead {
            let verdict = fail("no-tone");
            return payload::Speaker { verdict, tone_snr_db: Some(rough(self.chance.between(-1.0, 3.0))) };
        }
        if self.effects.deaf_db >= 10.0 {
            let verdict = Plain { result: Outcome::Skipped, code: Some("microphone-deaf") };
            return payload::Speaker { verdict, tone_snr_db: None };
        }
        // The speaker is twice as loud as the sounder: the bazaar must be at its worst to drown it.
        if loud && self.effects.loud {
            let verdict = Plain { result: Outcome::Inconclusive, code: Some("ambient-noise") };
            return payload::Speaker { verdict, tone_snr_db: Some(rough(heard - 12.0)) };
        }
        payload::Speaker { verdict: PASS, tone_snr_db: Some(rough(if loud { heard - 6.0 } else { heard })) }
    }

    fn stream(&mut self) -> payload::Stream {
        if self.effects.stream_broken {
            let verdict = fail("connect-timeout");
            return payload::Stream { verdict, connect_ms: 10_000.0, kbps: 0.0, loss_pct: 100.0 };
        }
        let loss = 100.0 * self.effects.loss.unwrap_or(self.traits.loss);
        payload::Stream {
            verdict: PASS,
            connect_ms: (self.traits.connect_ms * self.chance.between(0.8, 1.5)).round(),
            kbps: (self.traits.kbps * self.chance.between(0.85, 1.05)).round(),
            loss_pct: figure((loss * self.chance.between(0.6, 1.4)).min(100.0)),
        }
    }

    /// An empty list, or one with nothing that the unit can test: all tests.
    pub(super) fn selftest(
        &mut self,
        now: i64,
        weather: &Weather,
        trigger: Trigger,
        id: Option<&str>,
        asked: &[Component],
    ) -> Tested {
        let any = asked.iter().any(|c| Results::TESTS.contains(c));
        let wants = |c: Component| !any || asked.contains(&c);
        let loud = self.is_loud(now);
        let results = Results {
            camera: wants(Component::Camera).then(|| self.camera(now, weather)),
            microphone: wants(Component::Microphone).then(|| self.microphone(loud)),
            speaker: wants(Component::Speaker).then(|| self.speaker(loud)),
            button: wants(Component::Button).then(|| {
                let stuck = self.effects.stuck_since.is_some();
                payload::Button {
                    verdict: if stuck { fail("stuck") } else { PASS },
                    stuck,
                    contact_ohm: figure(self.traits.contact + 0.02 * self.chance.normal()),
                }
            }),
            stream: wants(Component::Stream).then(|| self.stream()),
        };
        let inconclusive = loud && results.microphone.is_some();
        let letter = self.write(now, Kind::Selftest, &payload::Selftest { id, trigger, results });
        Tested { letter, inconclusive }
    }

    pub(super) fn press(&mut self, now: i64, kind: PressKind, held_ms: i64) -> Letter {
        // The control room cannot answer whom it does not hear.
        let ack = self.linked && !self.chance.odds(0.01);
        let slow = match kind {
            PressKind::Real => 3.0,
            PressKind::Test => 1.0,
        };
        let ack_ms = ack.then(|| (700.0 + slow * self.chance.wait(900.0)).min(60_000.0) as i64);
        self.write(now, Kind::Press, &payload::Press { kind, held_ms, ack, ack_ms })
    }

    pub(super) fn status(&mut self, now: i64, online: bool, reason: Option<&str>) -> Letter {
        self.write(now, Kind::Status, &payload::Status { online, reason })
    }

    pub(super) fn reply(&mut self, now: i64, id: &str, error: Option<&str>) -> Letter {
        self.write(now, Kind::Reply, &payload::Reply { id, ok: error.is_none(), error })
    }
}

const PASS: Plain = Plain { result: Outcome::Pass, code: None };

fn fail(code: &'static str) -> Plain {
    Plain { result: Outcome::Fail, code: Some(code) }
}
