//! Hours left, after two part cuts to learn from, over a full discharge: how far from the truth.

use super::cells::{Cell, Family, HELD_OUT, NEWER, TUNED};
use super::dice::Dice;
use crate::domain::Timestamp;
use crate::engine::power::battery::{Battery, PowerSample};

/// What the batteries are tried under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conditions {
    /// A steady load, volts to 0.01 V, noise up to 30 mV.
    Steady,
    /// Loads that step and sway by 15 %, and a third of the units report volts to 0.1 V only.
    Hard,
}

#[derive(Clone, Copy)]
enum Load {
    Power,
    Current,
    /// A step every hour or so.
    Steps,
    /// A slow wave, day and night.
    Wave,
}

pub(super) struct Bench {
    pub judge: Battery,
    pub cell: Cell,
    pub ms: i64,
    every_h: f64,
    noise: f64,
    volt_step: f64,
    amp_step: f64,
    watts: f64,
    load: Load,
    dice: Dice,
}

impl Bench {
    fn new(family: Family, conditions: Conditions, mut dice: Dice) -> Bench {
        let hard = conditions == Conditions::Hard;
        let cell = Cell::random(family, &mut dice);
        // C/20 to C/3 of what it holds now, 3 to 40 W.
        let rate = (3.0_f64.ln() + dice.unit() * (20.0_f64 / 3.0).ln()).exp();
        let watts = (12.2 * cell.ah() / rate).clamp(3.0, 40.0);
        let loads: &[Load] =
            if hard { &[Load::Power, Load::Current, Load::Steps, Load::Wave] } else { &[Load::Power, Load::Current] };
        let load = loads[(dice.unit() * loads.len() as f64) as usize];
        Bench {
            judge: Battery::default(),
            cell,
            ms: 1_700_000_000_000,
            every_h: [120.0, 180.0, 300.0, 600.0, 900.0][(dice.unit() * 5.0) as usize] / 3600.0,
            noise: [0.0, 0.01, 0.03][(dice.unit() * 3.0) as usize],
            volt_step: if hard && dice.unit() < 0.3 { 0.1 } else { 0.01 },
            amp_step: [0.01, 0.01, 0.05][(dice.unit() * 3.0) as usize],
            watts,
            load,
            dice,
        }
    }

    fn amps(&self, hour: f64) -> f64 {
        let wave = |w: f64| match self.load {
            Load::Power | Load::Current => w,
            Load::Steps => w * if (hour * 0.7) as i64 % 2 == 0 { 0.85 } else { 1.15 },
            Load::Wave => w * (1.0 + 0.15 * (hour * 0.5).sin()),
        };
        match self.load {
            Load::Current => self.watts / 12.2,
            Load::Power | Load::Steps | Load::Wave => {
                let w = wave(self.watts);
                let mut v = 12.0;
                for _ in 0..4 {
                    v = self.cell.volts(w / v).clamp(8.0, 15.0);
                }
                w / v
            }
        }
    }

    pub fn say(&mut self, mains: bool, volts: f64, amps: f64) {
        let round = |x: f64, step: f64| (x / step).round() * step;
        let noisy = volts + self.dice.between(-self.noise, self.noise);
        let sample = PowerSample {
            at: Timestamp::from_millis(self.ms),
            mains: Some(mains),
            volts: Some(round(noisy, self.volt_step)),
            amps: Some(round(amps, self.amp_step)),
            celsius: None,
            load_w: None,
            charge_pct: None,
            rebooted: None,
            mains_back: None,
        };
        self.judge.take(&sample, None);
    }

    /// Discharges until `depth` of what it can give, or 11.1 V. Hour and prediction of every sample, and the hour of the end.
    fn cut(&mut self, depth: f64) -> (Vec<(f64, Option<f64>)>, f64) {
        let (mut hour, mut said, mut next) = (0.0, Vec::new(), 0.0);
        loop {
            let amps = self.amps(hour);
            let volts = self.cell.volts(amps);
            if volts <= 11.1 || self.cell.drawn() >= depth || hour > 200.0 {
                return (said, hour);
            }
            if hour >= next {
                self.say(false, volts, -amps);
                said.push((hour, self.judge.runtime_h()));
                next += self.every_h * if self.dice.unit() < 0.03 { 3.0 } else { 1.0 };
            }
            let dt = 1.0 / 60.0;
            self.cell.step(amps, dt);
            hour += dt;
            self.ms += (dt * 3_600_000.0) as i64;
        }
    }

    /// Eight tenths at a tenth of the capacity, then tapering, then float.
    fn recharge(&mut self) {
        let (mut missing, ah) = (self.cell.drawn() * self.cell.ah(), self.cell.ah());
        for _ in 0..(36.0 / 0.25) as i64 {
            let amps = (0.12 * ah).min(missing / 2.0);
            let float = missing < 0.02 * ah;
            self.say(true, if float { 13.7 } else { 14.2 }, if float { 0.001 * ah } else { amps });
            missing = (missing - amps * 0.25 * 0.95).max(0.0);
            self.ms += 900_000;
        }
        self.cell = self.cell.clone().charged(&mut self.dice);
    }
}

/// Median and ninetieth percentile.
fn quantiles(mut errors: Vec<f64>) -> (f64, f64) {
    errors.sort_by(f64::total_cmp);
    (errors[errors.len() / 2], errors[errors.len() * 9 / 10])
}

/// Each battery's median error and its signed one.
fn errors(family: Family, conditions: Conditions, batteries: u64) -> Vec<(f64, f64)> {
    let mut all = Vec::new();
    for i in 0..batteries {
        let mut dice = Dice(20_261_122 + i * 7919);
        let depths = [dice.between(0.2, 0.6), dice.between(0.2, 0.6)];
        let mut bench = Bench::new(family, conditions, dice);
        for depth in depths {
            bench.cut(depth);
            bench.recharge();
        }
        let (said, end) = bench.cut(2.0);
        // Copetti's cells can be too weak for their load: C/3 is the limit of the promise.
        if end < 2.5 {
            continue;
        }
        let signed: Vec<f64> = said
            .into_iter()
            .map(|(hour, left)| {
                let left = left.expect("two cuts have taught it");
                assert!(left.is_finite() && left >= 0.0);
                (left - (end - hour)) / (end - hour).max(1.0 / 60.0)
            })
            .collect();
        all.push((quantiles(signed.iter().map(|e| e.abs()).collect()).0, quantiles(signed).0));
    }
    all
}

/// The table, and the median battery of the families that were held out.
fn table(conditions: Conditions, batteries: u64) -> f64 {
    println!("{conditions:?}: each battery's median error over a full discharge");
    println!("family                    median        p90       bias");
    let mut held = Vec::new();
    for (set, families) in [("tuned", &TUNED[..]), ("held out", &HELD_OUT[..]), ("newer", &NEWER[..])] {
        for family in families {
            let found = errors(*family, conditions, batteries);
            let absolute: Vec<f64> = found.iter().map(|e| e.0).collect();
            let (median, p90) = quantiles(absolute.clone());
            let bias = quantiles(found.iter().map(|e| e.1).collect()).0;
            let name = format!("{family:?}");
            println!("{name:<20} {:>9.1} % {:>8.1} % {:>8.1} %  {set}", 100.0 * median, 100.0 * p90, 100.0 * bias);
            if set == "held out" {
                held.extend(absolute);
            }
        }
    }
    let (median, p90) = quantiles(held);
    println!("held out, all        {:>9.1} % {:>8.1} %", 100.0 * median, 100.0 * p90);
    median
}

/// Flooded and straight batteries are over the limit on their own, see the head of `battery.rs`: the median is over all the
/// batteries of a set.
#[test]
fn hours_left_are_within_a_seventh_on_discharge_curves_that_were_never_seen() {
    let median = table(Conditions::Steady, 16);
    assert!(median <= 0.15, "{median}");
}

#[test]
fn loads_that_step_and_volts_to_a_tenth_cost_accuracy_within_reason() {
    let median = table(Conditions::Hard, 8);
    assert!(median <= 0.25, "{median}");
}
