//! When a feeder has no mains: the utility's weekly timetable, how well it is kept, and cuts that nobody announced.
//! Never about a unit.
//!
//! The distribution companies rotate cuts by feeder in slots of one to three hours; the same hours come back every week,
//! and the switch is thrown by hand, so minutes vary. 4 to 18 hours a day were reported for Khyber Pakhtunkhwa in
//! June 2023; a feeder with a hospital on it has none.

use super::chance::hash;
use super::weather::{DAY, HOUR, MINUTE, PAKISTAN};

/// How a feeder is cut. Hours and cuts are a day's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timetable {
    pub hours: f64,
    pub cuts: u32,
    /// Start and end of a cut move by up to this, day by day.
    pub jitter_ms: i64,
    /// Cuts outside the timetable, a month.
    pub unannounced: f64,
}

/// Mains stays at least this long between two cuts: shorter gaps are one cut.
const SHORTEST_GAP: i64 = 10 * MINUTE;

impl Timetable {
    /// The hours of the first fleet's feeders, when a scenario names none: a tenth without cuts, most with 2 to 8 hours.
    pub(super) fn usual(seed: u64, feeder: u64) -> Timetable {
        let draw = hash(seed, feeder ^ 0x5ed, 1);
        let part = hash(seed, feeder ^ 0x5ed, 2);
        let hours = match draw {
            d if d < 0.1 => 0.0,
            d if d < 0.7 => 2.0 + 4.0 * part,
            d if d < 0.93 => 6.0 + 4.0 * part,
            _ => 10.0 + 6.0 * part,
        };
        // One- to two-hour slots, as the published lists have them.
        let slot = 1.0 + hash(seed, feeder ^ 0x5ed, 3);
        let cuts = ((hours / slot).round() as u32).clamp(u32::from(hours > 0.0), 10);
        Timetable { hours, cuts, jitter_ms: 6 * MINUTE, unannounced: 2.0 }
    }

    /// The cuts that begin on a local day, as (from, to), in order, apart from each other.
    fn of_day(&self, seed: u64, feeder: u64, day: i64) -> Vec<(i64, i64)> {
        let midnight = day * DAY - PAKISTAN;
        let weekday = (day + 3).rem_euclid(7);
        let mut cuts = Vec::new();
        if self.cuts > 0 && self.hours > 0.0 {
            let slot = DAY / i64::from(self.cuts);
            // At most nine tenths of its slot: there is mains between two cuts even at 20 hours a day.
            let length = ((self.hours / f64::from(self.cuts)) * HOUR as f64).min(0.9 * slot as f64);
            let phase = (hash(seed, feeder, -1) * slot as f64) as i64;
            for k in 0..i64::from(self.cuts) {
                let place = weekday * 100 + k;
                // The timetable itself is uneven, and the same every week.
                let free = (slot as f64 - length).max(0.0);
                let shift = (hash(seed, feeder ^ 0x11, place) - 0.5) * free * 0.5;
                let stretch = 1.0 + 0.2 * (hash(seed, feeder ^ 0x12, place) - 0.5);
                let planned = phase + k * slot + shift as i64;
                let today = day * 100 + k;
                let early = |what| ((hash(seed, feeder ^ what, today) - 0.5) * 2.0 * self.jitter_ms as f64) as i64;
                let from = midnight + planned + early(0x13);
                let to = midnight + planned + (length * stretch) as i64 + early(0x14);
                if to - from >= MINUTE {
                    cuts.push((from, to));
                }
            }
        }
        if hash(seed, feeder ^ 0x21, day) < self.unannounced / 30.0 {
            let from = midnight + (hash(seed, feeder ^ 0x22, day) * DAY as f64) as i64;
            // Ten minutes to an hour and a half: a blown fuse, a kite in the line.
            cuts.push((from, from + 10 * MINUTE + (hash(seed, feeder ^ 0x23, day).powi(2) * 80.0) as i64 * MINUTE));
        }
        cuts.sort_unstable();
        cuts
    }

    /// The first cut that ends after `after`: (from, to). None: a feeder that is never cut.
    pub(super) fn next_cut(&self, seed: u64, feeder: u64, after: i64) -> Option<(i64, i64)> {
        if (self.cuts == 0 || self.hours <= 0.0) && self.unannounced <= 0.0 {
            return None;
        }
        let first = (after + PAKISTAN).div_euclid(DAY) - 1;
        let mut found: Option<(i64, i64)> = None;
        // A feeder with only unannounced cuts can wait for months.
        for day in first..first + 400 {
            for (from, to) in self.of_day(seed, feeder, day) {
                match &mut found {
                    Some((_, end)) if from <= *end + SHORTEST_GAP => *end = (*end).max(to),
                    Some((_, end)) if *end > after => return found,
                    _ => found = Some((from, to)),
                }
            }
            if let Some((_, end)) = found
                && end > after
                && day * DAY - PAKISTAN > end + DAY
            {
                return found;
            }
        }
        found.filter(|(_, end)| *end > after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dark_hours(timetable: Timetable, days: i64) -> (f64, usize) {
        let start = 1_790_000_000_000 / DAY * DAY - PAKISTAN;
        let (mut at, mut dark, mut count) = (start, 0, 0);
        while let Some((from, to)) = timetable.next_cut(42, 7, at) {
            if from >= start + days * DAY {
                break;
            }
            assert!(to > at && to > from, "cuts go forward");
            assert!(count == 0 || from > at, "cuts stand apart");
            dark += to - from.max(start);
            count += 1;
            at = to;
        }
        (dark as f64 / HOUR as f64 / days as f64, count)
    }

    #[test]
    fn a_timetable_keeps_its_hours_and_its_number_of_cuts() {
        for (hours, cuts) in [(6.0, 6), (4.0, 2), (12.0, 6), (18.0, 6), (1.0, 1)] {
            let (dark, count) = dark_hours(Timetable { hours, cuts, jitter_ms: 6 * MINUTE, unannounced: 0.0 }, 28);
            assert!((dark - hours).abs() < 0.12 * hours + 0.1, "{dark} h of {hours}");
            let expected = 28 * cuts as usize;
            assert!(count.abs_diff(expected) <= expected / 20 + 2, "{count} cuts of {expected}");
        }
    }

    #[test]
    fn a_feeder_without_cuts_has_none() {
        assert_eq!(dark_hours(Timetable { hours: 0.0, cuts: 0, jitter_ms: 0, unannounced: 0.0 }, 28), (0.0, 0));
        let (_, count) = dark_hours(Timetable { hours: 0.0, cuts: 0, jitter_ms: 0, unannounced: 2.0 }, 300);
        assert!((8..35).contains(&count), "{count}");
    }

    #[test]
    fn the_same_hours_come_back_every_week() {
        let t = Timetable { hours: 6.0, cuts: 6, jitter_ms: 5 * MINUTE, unannounced: 0.0 };
        let day = 20_700;
        for ((from, _), (again, _)) in t.of_day(1, 2, day).into_iter().zip(t.of_day(1, 2, day + 7)) {
            assert!((again - from - 7 * DAY).abs() <= 10 * MINUTE);
        }
    }
}
