//! One message of one unit, taken apart: sign of life, numbers, clock, readings, tests, presses. Decides nothing itself;
//! it calls those who do.

use crate::domain::message::{Body, CameraMode, Message, Outcome, Press, PressKind, Selftest, TestResult};
use crate::domain::rule::{CountedEvent, OverdueEvent};
use crate::domain::{EffectKind, Metric, SharedText, Timestamp, UnitIx, Version};

use super::Engine;
use super::clock::Taken;
use super::sequence::Arrival;
use super::timer::Timer;
use super::unit_state::Interval;

/// What a unit may call its heartbeat interval; outside, the fleet file's or the default counts.
const INTERVAL_S: std::ops::RangeInclusive<f64> = 1.0..=86_400.0;

impl Engine {
    pub(super) fn handle_message(&mut self, now: Timestamp, unit: UnitIx, message: Message, retained: bool) {
        let Message { ts, boot, seq, body, extra } = message;
        let kind = body.kind();
        let arrival = match (boot, seq) {
            (Some(boot), Some(seq)) => {
                let unheard = self.was_deaf_since_heard(unit);
                let sequence = &mut self.state(unit).sequence;
                let arrival = sequence.arrive(now, boot, seq, ts);
                if unheard && arrival == Arrival::New {
                    sequence.count_losses_anew();
                }
                arrival
            }
            // A last will carries no numbers: it can be neither late nor doubled.
            (_, _) => {
                let _ = self.state(unit);
                Arrival::New
            }
        };
        self.taken = None;
        if arrival == Arrival::Duplicate {
            return;
        }
        // A kept message was sent at an unknown time, and a last will by the broker: no signs of life.
        let is_sign_of_life = !retained && !matches!(&body, Body::Status(s) if !s.online);
        let taken = if retained {
            let at = ts.unwrap_or(now).min(now);
            Taken { at, ours: at, late: true }
        } else {
            self.units[unit.index()].clock.take(now, ts, arrival == Arrival::Late)
        };
        self.taken = Some(taken);
        if let Body::Heartbeat(h) = &body
            && !taken.late
        {
            let interval = h.interval_s.filter(|s| INTERVAL_S.contains(s)).and_then(Interval::from_secs);
            if interval.is_some() && interval != self.units[unit.index()].interval {
                self.units[unit.index()].interval = interval;
                self.interval_changed(unit);
            }
            let state = &mut self.units[unit.index()];
            let news = |said: &Option<Version>, known: &Option<SharedText>| {
                said.as_ref().is_some_and(|said| known.as_deref() != Some(said.as_str()))
            };
            if news(&h.fw, &state.firmware) {
                state.firmware = h.fw.as_ref().map(|fw| self.versions.get(fw.as_str()));
            }
            if news(&h.hw, &state.hardware) {
                state.hardware = h.hw.as_ref().map(|hw| self.versions.get(hw.as_str()));
            }
        }
        if is_sign_of_life {
            self.heard(now, unit, kind);
        }
        if arrival == Arrival::NewBoot {
            self.count_event(now, unit, CountedEvent::Boot);
            if self.rules.boots_matter {
                self.state(unit).seldom_mut().last_boot = Some(now);
            }
        }
        match &body {
            // Its figures are taken test by test, each with its result.
            Body::Selftest(_) => {}
            Body::Heartbeat(_) | Body::Power(_) | Body::Press(_) | Body::Status(_) | Body::Reply(_) => {
                self.take_readings(now, unit, &body, taken)
            }
        }
        if let (Body::Power(power), false) = (&body, taken.late) {
            self.take_power(now, unit, power);
        }
        self.take_vendor_readings(now, unit, &extra, taken);
        if !retained {
            self.take_link_readings(now, unit, taken);
        }
        match body {
            Body::Selftest(test) => self.take_selftest(now, unit, test, taken),
            Body::Press(press) => self.take_press(now, unit, &press, taken),
            Body::Heartbeat(_) | Body::Power(_) | Body::Status(_) | Body::Reply(_) => {}
        }
    }

    pub(super) fn show_reading(&mut self, now: Timestamp, unit: UnitIx, metric: Metric, value: f64) {
        if self.settings.readings.contains(&metric) {
            let id = self.fleet.unit(unit).unit.clone();
            self.emit(now, EffectKind::Reading { unit: id, metric, value });
        }
    }

    /// All figures of a message are known before any is judged: one may excuse another.
    fn take_readings(&mut self, now: Timestamp, unit: UnitIx, body: &Body, taken: Taken) {
        let state = &mut self.units[unit.index()];
        let mut calm = state.is_quiet() && self.settings.readings.is_empty();
        // Bit n: the nth figure is the newest of its metric.
        let (mut newest, mut n) = (0u32, 0);
        let mut storing = state.measured.at(taken.at);
        body.readings(|metric, value| {
            newest |= u32::from(storing.store(metric, value)) << n;
            calm &= self.rules.is_calm(metric, value);
            n += 1;
        });
        // The common case: all is well, and was.
        if calm {
            return;
        }
        n = 0;
        body.readings(|metric, value| {
            self.show_reading(now, unit, metric, value);
            if newest & 1 << n != 0 && !taken.late {
                self.judge_metric(now, unit, metric, value, None);
            }
            n += 1;
        });
    }

    pub(super) fn judge_metric(
        &mut self,
        now: Timestamp,
        unit: UnitIx,
        metric: Metric,
        value: f64,
        mode: Option<CameraMode>,
    ) {
        if self.rules.is_calm(metric, value) && self.units[unit.index()].is_quiet() {
            return;
        }
        for n in 0..self.rules.for_metric(metric).len() {
            let leaf = self.rules.for_metric(metric)[n];
            self.judge_reading(now, unit, leaf, value, mode);
        }
    }

    fn take_vendor_readings(&mut self, now: Timestamp, unit: UnitIx, extra: &[(Box<str>, f64)], taken: Taken) {
        for (name, value) in extra {
            if self.rules.for_vendor(name).is_empty() {
                continue;
            }
            let vendor = &mut self.units[unit.index()].seldom_mut().vendor;
            match vendor.iter_mut().find(|(n, _, _)| n == name) {
                Some((_, _, at)) if taken.at < *at => continue,
                Some((_, v, at)) => (*v, *at) = (*value, taken.at),
                None => vendor.push((name.clone(), *value, taken.at)),
            }
            if taken.late {
                continue;
            }
            let rules = self.rules.clone();
            for leaf in rules.for_vendor(name) {
                self.judge_reading(now, unit, *leaf, *value, None);
            }
        }
    }

    fn take_selftest(&mut self, now: Timestamp, unit: UnitIx, selftest: Selftest, taken: Taken) {
        let taken = self.after_repair(unit, selftest.id.as_deref(), taken);
        for result in selftest.results {
            let component = result.component;
            let state = &mut self.units[unit.index()];
            if !state.measured.store_test(component, result.result, result.mode, taken.at) {
                continue;
            }
            state.set_code(component, result.code.as_deref());
            let mode = state.measured.test(component).and_then(|test| test.mode);
            let mut storing = state.measured.at(taken.at);
            for (metric, value) in &result.figures {
                let _ = storing.store(*metric, *value);
            }
            for (metric, value) in &result.figures {
                self.show_reading(now, unit, *metric, *value);
            }
            // A late test is as good as any: those that newer ones have overtaken were left out above.
            self.judge_figures(now, unit, &result, mode);
            let rules = self.rules.clone();
            for leaf in rules.for_test(component) {
                self.judge_result(now, unit, *leaf, result.result, result.code.as_deref());
            }
            self.judge_repair(now, unit, component, result.result, result.code.as_deref(), taken.at);
        }
        self.done(now, unit, OverdueEvent::Selftest, taken.at);
        let state = &mut self.units[unit.index()];
        if !state.proof_armed {
            state.proof_armed = true;
            self.timers.arm(taken.at + self.settings.selftest_valid, Timer::Proof(unit));
        }
        self.judge_growing(now, unit, Metric::SelftestAge);
        self.judge_readiness(now, unit, None);
    }

    /// All figures of a test are known before any is judged: one may excuse another.
    fn judge_figures(&mut self, now: Timestamp, unit: UnitIx, result: &TestResult, mode: Option<CameraMode>) {
        let passed = match result.result {
            Outcome::Pass => true,
            Outcome::Fail => false,
            // It could not decide, so its figures cannot either.
            Outcome::Inconclusive | Outcome::Skipped => return,
        };
        for (metric, value) in &result.figures {
            if self.rules.is_baselined(*metric) && passed && !self.is_figure_excused(now, unit, *metric) {
                let _ = self.state(unit).baselines.learn(*metric, mode, *value, true, now);
            }
            self.judge_metric(now, unit, *metric, *value, mode);
        }
    }

    /// A commissioning value is not learned amid what excuses its rules.
    fn is_figure_excused(&self, now: Timestamp, unit: UnitIx, metric: Metric) -> bool {
        self.rules.for_metric(metric).iter().any(|leaf| self.is_excused(now, unit, leaf.rule))
    }

    fn take_press(&mut self, now: Timestamp, unit: UnitIx, press: &Press, taken: Taken) {
        let counted = match press.kind {
            PressKind::Real => CountedEvent::RealPress,
            PressKind::Test => CountedEvent::TestPress,
        };
        self.count_event(taken.at, unit, counted);
        if press.ack == Some(false) {
            self.count_event(taken.at, unit, CountedEvent::UnansweredPress);
        }
        // A unit that cannot tell whether it was answered is believed: the person at the button can.
        if press.kind == PressKind::Test && press.ack != Some(false) {
            self.done(now, unit, OverdueEvent::PressTest, taken.at);
            self.judge_growing(now, unit, Metric::PressAge);
        }
    }
}
