//! Weeks of load-shedding: what health says of batteries that are fine, and of one that is not.

use super::cells::{Cell, Family};
use super::dice::Dice;
use crate::domain::Timestamp;
use crate::engine::power::battery::{Battery, Changed, PowerSample};

struct Days {
    judge: Battery,
    cell: Cell,
    dice: Dice,
    ms: i64,
    watts: f64,
    /// Part of the capacity missing.
    missing_ah: f64,
    /// Percent of truth and of the judge, at the end of every cut.
    seen: Vec<(f64, Option<f64>)>,
    died: bool,
}

impl Days {
    fn new(family: Family, seed: u64, rated: f64, watts: f64) -> Days {
        let mut dice = Dice(seed);
        let mut cell = Cell::random(family, &mut dice);
        cell.rated = rated;
        cell.age = 1.0;
        cell.ohms_age = 1.0;
        Days {
            judge: Battery::default(),
            cell,
            dice,
            ms: 1_700_000_000_000,
            watts,
            missing_ah: 0.0,
            seen: Vec::new(),
            died: false,
        }
    }

    fn say(&mut self, mains: bool, volts: f64, amps: f64) -> Changed {
        let sample = PowerSample {
            at: Timestamp::from_millis(self.ms),
            mains: Some(mains),
            volts: Some(((volts + self.dice.between(-0.02, 0.02)) * 100.0).round() / 100.0),
            amps: Some((amps * 100.0).round() / 100.0),
            celsius: None,
            load_w: None,
            charge_pct: None,
            rebooted: None,
            mains_back: None,
        };
        self.judge.take(&sample, None)
    }

    /// Six cuts of half an hour to two and a half hours; days are fifteen degrees warmer than nights.
    fn day(&mut self, longest_h: f64) {
        for slot in 0..6 {
            self.cell.celsius = 25.0 - 7.5 * (f64::from(slot) * std::f64::consts::TAU / 6.0).cos();
            let cut_h = self.dice.between(0.5, longest_h);
            let mut hour = 0.0;
            while hour < cut_h && !self.died {
                let mut volts = 12.0;
                for _ in 0..4 {
                    volts = self.cell.volts(self.watts / volts);
                }
                let amps = self.watts / volts;
                if volts <= 11.1 {
                    self.died = true;
                    return;
                }
                self.say(false, volts, -amps);
                self.cell.step(amps, 1.0 / 15.0);
                hour += 1.0 / 15.0;
                self.ms += 240_000;
            }
            self.missing_ah = self.cell.drawn() * self.cell.ah();
            let mains_h = 4.0 - hour;
            for _ in 0..(mains_h * 12.0) as usize {
                let amps = (0.2 * self.cell.ah()).min(self.missing_ah / 0.7);
                let full = self.missing_ah < 0.015 * self.cell.ah();
                self.say(true, if full { 13.7 } else { 14.1 }, amps.max(0.001));
                self.missing_ah = (self.missing_ah - amps * 0.95 / 12.0).max(0.0);
                self.ms += 300_000;
            }
            self.seen.push((100.0 * self.cell.age, self.judge.health_pct()));
            let missing = self.missing_ah / self.cell.ah();
            self.cell = self.cell.clone().charged(&mut self.dice);
            self.cell.set_missing(missing);
        }
    }
}

#[test]
fn healthy_batteries_stay_healthy_through_weeks_of_six_cuts_a_day() {
    let families = [Family::Simulator, Family::Datasheet, Family::Diffusion, Family::Linear];
    for (i, family) in families.into_iter().enumerate() {
        for (rated, watts) in [(7.0, 8.0), (18.0, 8.0)] {
            let mut days = Days::new(family, 42 + i as u64, rated, watts);
            for _ in 0..21 {
                days.day(2.5);
            }
            assert!(!days.died, "{family:?} {rated} Ah: the test itself is too hard");
            let said: Vec<f64> = days.seen.iter().filter_map(|s| s.1).collect();
            let (low, high) = said.iter().fold((1e9_f64, 0.0_f64), |(l, h), s| (l.min(*s), h.max(*s)));
            println!("{family:?} {rated} Ah: {low:.0} to {high:.0}, {} values", said.len());
            assert!(low > 85.0 && high < 115.0, "{family:?} {rated} Ah: {low:.0} to {high:.0}");
            assert!(rated > 12.0 || said.len() > 50, "{}", said.len());
        }
    }
}

#[test]
fn a_battery_that_lasts_shorter_at_each_cut_shows_it_before_it_dies() {
    for family in [Family::Simulator, Family::Linear] {
        for per_day in [0.02, 0.05] {
            let mut days = Days::new(family, 7, 9.0, 8.0);
            for _ in 0..5 {
                days.day(2.5);
            }
            let mut worst: f64 = 0.0;
            while !days.died && days.cell.age > 0.3 {
                days.cell.age -= per_day;
                days.day(2.5);
                // Below half it is long ordered.
                if let Some((truth, Some(said))) = days.seen.last().filter(|s| s.0 >= 50.0) {
                    worst = if (said - truth).abs() > worst.abs() { said - truth } else { worst };
                }
            }
            let (truth, said) = days.seen.last().copied().expect("cuts were seen");
            println!(
                "{family:?} {per_day}: at the end {truth:.0} true {said:?}, worst {worst:+.0}, died {}",
                days.died
            );
            assert!(said.is_some_and(|s| s < 60.0), "{family:?} {per_day}: {said:?} of {truth}");
            // It lags a fast loss by some days: quicker, and warm days and cold nights would read as wear.
            let lag = 10.0 + 250.0 * per_day;
            assert!(worst.abs() < lag, "{family:?} {per_day}: {worst:+.0} points off");
        }
    }
}
