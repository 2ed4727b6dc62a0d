//! Hours left, after two part cuts to learn from, over a full discharge: how far from the truth.

use super::cells::{Cell, Family, HELD_OUT, TUNED};
use super::dice::Dice;
use crate::domain::Timestamp;
use crate::engine::power::battery::{Battery, PowerSample};

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
    fn new(family: Family, mut dice: Dice) -> Bench {
        let cell = Cell::random(family, &mut dice);
        // C/20 to C/3 of what it holds now, 3 to 40 W.
        let rate = (3.0_f64.ln() + dice.unit() * (20.0_f64 / 3.0).ln()).exp();
        let watts = (12.2 * cell.ah() / rate).clamp(3.0, 40.0);
        let load = [Load::Power, Load::Current, Load::Steps, Load::Wave][(dice.unit() * 4.0) as usize];
        Bench {
            judge: Battery::default(),
            cell,
            ms: 1_700_000_000_000,
            every_h: [30.0, 60.0, 120.0, 300.0, 600.0][(dice.unit() * 5.0) as usize] / 3600.0,
            noise: [0.0, 0.01, 0.03][(dice.unit() * 3.0) as usize],
            volt_step: [0.01, 0.01, 0.1][(dice.unit() * 3.0) as usize],
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
            let dt = 0.5_f64.min(self.every_h * 60.0) / 60.0;
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

struct Score {
    median: f64,
    p90: f64,
    batteries_over: usize,
    bias: f64,
    none: usize,
}

fn score(family: Family, batteries: u64, seed: u64) -> Score {
    let (mut errors, mut medians, mut bias, mut none) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for i in 0..batteries {
        let mut dice = Dice(seed + i * 7919);
        let depths = [dice.between(0.2, 0.6), dice.between(0.2, 0.6)];
        let mut bench = Bench::new(family, dice);
        for depth in depths {
            bench.cut(depth);
            bench.recharge();
        }
        let (said, end) = bench.cut(2.0);
        let mut own = Vec::new();
        for (hour, left) in said {
            let Some(left) = left else {
                none += 1;
                continue;
            };
            assert!(left.is_finite() && left >= 0.0);
            let truth = end - hour;
            own.push((left - truth).abs() / truth.max(1.0 / 60.0));
            bias.push((left - truth) / truth.max(1.0 / 60.0));
        }
        if !own.is_empty() {
            medians.push(quantiles(own.clone()).0);
            errors.append(&mut own);
        }
    }
    let (median, _) = quantiles(medians.clone());
    let (_, p90) = quantiles(medians.clone());
    let _ = errors;
    Score { median, p90, batteries_over: medians.iter().filter(|m| **m > 0.15).count(), bias: quantiles(bias).0, none }
}

#[test]
fn hours_left_are_within_a_seventh_on_discharge_curves_that_were_never_seen() {
    let n = std::env::var("N").ok().and_then(|n| n.parse().ok()).unwrap_or(40);
    println!("family                 median err   p90     over 15 %   bias   none   ({n} batteries each)");
    let mut held = Vec::new();
    for (set, families) in [("tuned", TUNED), ("held out", HELD_OUT)] {
        for family in families {
            let s = score(family, n, 20_261_122);
            println!(
                "{:<20} {:>9.1} % {:>9.1} % {:>6} {:>8.1} % {:>4}  {set}",
                format!("{family:?}"),
                100.0 * s.median,
                100.0 * s.p90,
                s.batteries_over,
                100.0 * s.bias,
                s.none
            );
            if set == "held out" {
                held.push(s.median);
            }
        }
    }
    assert!(held.iter().all(|m| *m <= 0.15), "{held:?}");
}
