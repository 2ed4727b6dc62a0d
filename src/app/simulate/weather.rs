//! The sky over the fleet: air temperature, sun, daylight and fog. Never about one box: `unit` adds that.
//!
//! Peshawar's year (34.0° N, 71.6° E), because the first fleet stands there. The neighbours' summers and winters differ
//! less than two boxes on one street do.

use super::chance::{drift, hash};

pub(super) const SECOND: i64 = 1_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// Pakistan has one zone and no summer time.
pub(super) const PAKISTAN: i64 = 5 * HOUR;

/// Daily high and low by month, °C: the Pakistan Meteorological Department's normals for Peshawar, 1961–1990.
const HIGHS: [f64; 12] = [18.3, 19.5, 23.7, 30.0, 35.9, 40.4, 37.7, 35.7, 35.0, 31.2, 25.6, 20.1];
const LOWS: [f64; 12] = [4.0, 6.3, 11.2, 16.4, 21.3, 25.7, 26.6, 25.7, 22.7, 16.1, 9.4, 4.9];

const DAYS_OF_A_YEAR: f64 = 365.242_5;

/// Local days since 1970, and hours into the day.
pub(super) fn local(at: i64) -> (i64, f64) {
    let local = at + PAKISTAN;
    (local.div_euclid(DAY), local.rem_euclid(DAY) as f64 / HOUR as f64)
}

/// 0 at New Year, 12 at the next.
fn month(day: i64) -> f64 {
    (day as f64 / DAYS_OF_A_YEAR).rem_euclid(1.0) * 12.0
}

/// Normals belong to the middle of their month.
fn between_months(normals: &[f64; 12], month: f64) -> f64 {
    let x = (month - 0.5).rem_euclid(12.0);
    let (i, part) = (x.floor() as usize % 12, x.fract());
    normals[i] + (normals[(i + 1) % 12] - normals[i]) * part
}

#[derive(Debug, Clone)]
pub(super) struct Weather {
    seed: u64,
    /// Added to every temperature, °C.
    warmer: f64,
    fog_days: f64,
}

/// The winter days on which fog is possible: mid-November to mid-February.
const FOG_SEASON_DAYS: f64 = 92.0;

impl Weather {
    pub(super) fn new(seed: u64, warmer: f64, fog_days_per_year: f64) -> Self {
        Weather { seed, warmer, fog_days: fog_days_per_year }
    }

    /// °C in the shade. Coldest at sunrise, warmest in mid-afternoon; days differ by ±4 °C, slowly.
    pub(super) fn air(&self, at: i64) -> f64 {
        let (day, hour) = local(at);
        let month = month(day);
        let (high, low) = (between_months(&HIGHS, month), between_months(&LOWS, month));
        // From the low at 05:30 up for 9.5 h to the high at 15:00, then down for 14.5 h.
        let since_low = (hour - 5.5).rem_euclid(24.0);
        let height = if since_low < 9.5 {
            0.5 - 0.5 * (std::f64::consts::PI * since_low / 9.5).cos()
        } else {
            0.5 + 0.5 * (std::f64::consts::PI * (since_low - 9.5) / 14.5).cos()
        };
        low + (high - low) * height + 4.0 * drift(self.seed, 0xa1, at, 3 * DAY) + self.warmer
    }

    /// °C, the day's mean: what a heavy battery at the bottom of a box follows.
    pub(super) fn mean_air(&self, at: i64) -> f64 {
        let month = month(local(at).0);
        let mean = 0.5 * (between_months(&HIGHS, month) + between_months(&LOWS, month));
        mean + 4.0 * drift(self.seed, 0xa1, at, 3 * DAY) + self.warmer
    }

    /// Sunrise and sunset, local hours. 9.9 h of day at the winter solstice, 14.4 h at the summer's.
    fn daylight(day: i64) -> (f64, f64) {
        let year = (day as f64 / DAYS_OF_A_YEAR).rem_euclid(1.0);
        // 20 June is 0.468 of a year.
        let length = 12.15 + 2.25 * (std::f64::consts::TAU * (year - 0.468)).cos();
        // Solar noon at 71.6° E is 12:14 of a zone that belongs to 75° E.
        (12.23 - length / 2.0, 12.23 + length / 2.0)
    }

    pub(super) fn is_day(at: i64) -> bool {
        let (day, hour) = local(at);
        let (rise, set) = Self::daylight(day);
        (rise..set).contains(&hour)
    }

    /// 0 at night, 1 at a clear noon.
    pub(super) fn sun(&self, at: i64) -> f64 {
        let (day, hour) = local(at);
        let (rise, set) = Self::daylight(day);
        if !(rise..set).contains(&hour) {
            return 0.0;
        }
        let clear = 1.0 - 0.6 * hash(self.seed, 0xa2, day).powi(2);
        clear * (std::f64::consts::PI * (hour - rise) / (set - rise)).sin()
    }

    /// What is left of a picture's sharpness: 1 in clear air, about 0.3 in the fog of a winter morning.
    pub(super) fn clearness(&self, city: u64, at: i64) -> f64 {
        let (day, hour) = local(at);
        let month = month(day);
        if !(10.5..12.0).contains(&month) && !(0.0..1.5).contains(&month) {
            return 1.0;
        }
        let foggy = |day: i64| hash(self.seed, city ^ 0xf0, day) < self.fog_days / FOG_SEASON_DAYS;
        // Never a third day in a row: a longer fog would be for a scenario to say.
        if !foggy(day) || (foggy(day - 1) && foggy(day - 2)) {
            return 1.0;
        }
        // Forms before dawn, burns off before noon.
        let depth = (1.0 - ((hour - 6.5) / 5.0).powi(2)).max(0.0);
        1.0 - 0.7 * depth
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    fn at(text: &str) -> i64 {
        Timestamp::parse(text).expect("valid").as_millis()
    }

    #[test]
    fn the_year_has_peshawars_summer_and_winter() {
        let weather = Weather::new(5, 0.0, 12.0);
        let june = weather.air(at("2026-06-15T15:00:00+05:00"));
        let january = weather.air(at("2026-01-15T05:30:00+05:00"));
        assert!((35.0..45.5).contains(&june), "{june}");
        assert!((-1.0..9.0).contains(&january), "{january}");
        let noon = weather.sun(at("2026-06-15T12:00:00+05:00"));
        assert!(noon > 0.3 && weather.sun(at("2026-06-15T00:00:00+05:00")) == 0.0);
        assert!(Weather::is_day(at("2026-12-20T12:00:00+05:00")) && !Weather::is_day(at("2026-12-20T18:00:00+05:00")));
        assert!(Weather::is_day(at("2026-06-20T18:30:00+05:00")));
    }

    #[test]
    fn fog_is_for_a_few_winter_mornings() {
        let weather = Weather::new(5, 0.0, 12.0);
        let start = at("2026-03-01T08:00:00+05:00");
        let mornings: Vec<f64> = (0..3650).map(|d| weather.clearness(9, start + d * DAY)).collect();
        let foggy = mornings.iter().filter(|c| **c < 0.8).count();
        assert!((50..170).contains(&foggy), "{foggy} in ten years");
        assert!(mornings.windows(3).all(|w| w.contains(&1.0)));
        assert_eq!(weather.clearness(9, at("2026-07-01T07:00:00+05:00")), 1.0);
    }
}
