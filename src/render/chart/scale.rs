//! Where values and times stand on a chart, and which of them are written at its edges. Never draws.

use std::time::Duration;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeZone, Timelike, Weekday};
use chrono_tz::Tz;

use crate::domain::Timestamp;

/// Their names in some language, from Monday on.
pub type Weekdays = [String; 7];

/// A range of values whose ends and steps are round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Values {
    pub low: f64,
    pub high: f64,
    step: f64,
}

impl Values {
    /// Holds all of `values`, in about so many steps. Nothing to hold, or nothing finite: from 0 to 1.
    pub fn around(values: impl IntoIterator<Item = f64>, steps: usize) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.into_iter().filter(|v| v.is_finite() && v.abs() < 1e15) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if high - low <= low.abs().max(high.abs()) * 1e-9 {
            // One value alone: it stands in the middle of something.
            let room = if low == 0.0 { 1.0 } else { low.abs() * 0.05 };
            (low, high) = (low - room, high + room);
        }
        let step = round_step((high - low) / steps.max(1) as f64);
        let (low, high) = ((low / step + 1e-9).floor() * step, (high / step - 1e-9).ceil() * step);
        Values { low, high, step }
    }

    pub fn ticks(&self) -> Vec<f64> {
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count).map(|i| self.low + i as f64 * self.step).collect()
    }

    /// With the decimals that its neighbours need.
    pub fn text(&self, value: f64) -> String {
        let places = (0..6).find(|p| {
            let scaled = self.step * 10f64.powi(*p);
            (scaled - scaled.round()).abs() < 1e-6 * scaled.max(1.0)
        });
        let places = places.unwrap_or(6) as usize;
        let big = value.abs() >= 1e6;
        let text = if big { format!("{:.1}M", value / 1e6) } else { format!("{value:.places$}") };
        match text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.')) {
            true => text.trim_start_matches('-').to_owned(),
            false => text.replace('-', "−"),
        }
    }

    /// 0 at the low end, 1 at the high one; what is no number, at the low end.
    pub fn share(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        if share.is_nan() { 0.0 } else { share }
    }
}

/// 1, 2, 2.5 or 5 of some power of ten, at least as large.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let part = least / power;
    let round = [1.0, 2.0, 2.5, 5.0].into_iter().find(|r| part <= r * 1.000_001).unwrap_or(10.0);
    round * power
}

/// A moment at the lower edge.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TimeTick {
    pub at: Timestamp,
    pub label: String,
    /// With which the label begins, and the day of the month that follows.
    pub weekday: Option<(Weekday, u32)>,
}

impl TimeTick {
    /// `weekdays`: from Monday on; None: English.
    pub fn label_in(&self, weekdays: Option<&Weekdays>) -> String {
        match (self.weekday, weekdays) {
            (Some((weekday, day)), Some(names)) => {
                format!("{} {day}", names[weekday.num_days_from_monday() as usize])
            }
            (_, _) => self.label.clone(),
        }
    }
}

/// Round local hours or midnights between, at most so many.
pub(super) fn time_ticks(from: Timestamp, to: Timestamp, zone: Tz, most: usize) -> Vec<TimeTick> {
    const DAY: u64 = 86_400;
    let most = most.max(1) as u64;
    let span = to.since(from).as_secs();
    let hours = [1u64, 2, 3, 6, 12].into_iter().find(|h| span / (h * 3_600) < most);
    if let Some(hours) = hours {
        return hour_ticks(from, to, zone, hours as u32);
    }
    let days = [1u64, 2, 7, 14, 28].into_iter().find(|d| span / (d * DAY) < most).unwrap_or(span / DAY / most + 1);
    let week = span < 9 * DAY;
    let mut ticks = Vec::new();
    let mut day = local(from, zone).date_naive();
    let last = local(to, zone).date_naive();
    while day <= last {
        if let Some(at) = midnight(day, zone).filter(|at| *at >= from && *at <= to) {
            let label = day.format(if week { "%a %-d" } else { "%-d %b" }).to_string();
            ticks.push(TimeTick { at, label, weekday: week.then(|| (day.weekday(), day.day())) });
            match day.checked_add_days(Days::new(days)) {
                Some(next) => day = next,
                None => break,
            }
        } else {
            match day.succ_opt() {
                Some(next) => day = next,
                None => break,
            }
        }
    }
    ticks
}

fn hour_ticks(from: Timestamp, to: Timestamp, zone: Tz, every: u32) -> Vec<TimeTick> {
    const STEP: Duration = Duration::from_secs(900);
    let mut ticks = Vec::new();
    // Quarters of an hour: offsets of zones, and their changes, are made of them.
    let quarter = STEP.as_millis() as i64;
    let first = from.as_millis().div_euclid(quarter) + i64::from(from.as_millis().rem_euclid(quarter) != 0);
    let mut at = Timestamp::from_millis(first * quarter);
    while at <= to {
        let there = local(at, zone);
        if there.minute() == 0 && there.hour().is_multiple_of(every) {
            let midnight = there.hour() == 0;
            let label = there.format(if midnight { "%a %-d" } else { "%H:%M" }).to_string();
            ticks.push(TimeTick { at, label, weekday: midnight.then(|| (there.weekday(), there.day())) });
        }
        let next = at + STEP;
        if next <= at {
            break;
        }
        at = next;
    }
    ticks
}

fn local(at: Timestamp, zone: Tz) -> DateTime<Tz> {
    at.to_utc().with_timezone(&zone)
}

/// None: the zone had no midnight that day.
fn midnight(day: NaiveDate, zone: Tz) -> Option<Timestamp> {
    let there = zone.from_local_datetime(&day.and_time(NaiveTime::MIN)).earliest()?;
    (there.year() < 9999).then(|| Timestamp::from_millis(there.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_hold_everything() {
        let cases: [(&[f64], &str); 8] = [
            (&[11.42, 13.78], "11 12 13 14"),
            (&[0.0, 120.0], "0 50 100 150"),
            (&[-97.0, -61.0], "−100 −90 −80 −70 −60"),
            (&[12.5], "11.5 12.0 12.5 13.0 13.5"),
            (&[0.0], "−1.0 −0.5 0.0 0.5 1.0"),
            (&[], "0.00 0.25 0.50 0.75 1.00"),
            (&[f64::NAN, f64::INFINITY, 3.0, 5.0], "3.0 3.5 4.0 4.5 5.0"),
            (&[0.0, 4e9], "0 1000.0M 2000.0M 3000.0M 4000.0M"),
        ];
        for (values, want) in cases {
            let scale = Values::around(values.iter().copied(), 4);
            let ticks: Vec<String> = scale.ticks().iter().map(|t| scale.text(*t)).collect();
            assert_eq!(ticks.join(" "), want, "{values:?}");
        }
    }

    #[test]
    fn times_are_round_on_the_readers_clock() {
        let at = |text: &str| Timestamp::parse(text).expect("a time");
        let karachi = chrono_tz::Asia::Karachi;
        let cases = [
            (
                "2026-11-15T03:10:00Z",
                "2026-11-22T03:10:00Z",
                karachi,
                "Mon 16|Tue 17|Wed 18|Thu 19|Fri 20|Sat 21|Sun 22",
            ),
            (
                "2026-11-21T03:10:00Z",
                "2026-11-22T03:10:00Z",
                karachi,
                "09:00|12:00|15:00|18:00|21:00|Sun 22|03:00|06:00",
            ),
            ("2026-08-22T00:00:00Z", "2026-11-20T00:00:00Z", karachi, "23 Aug|6 Sep|20 Sep|4 Oct|18 Oct|1 Nov|15 Nov"),
            // Clocks go back at 03:00: that hour comes twice, and no day is missed.
            (
                "2026-10-24T22:00:00Z",
                "2026-10-25T06:00:00Z",
                chrono_tz::Europe::Berlin,
                "Sun 25|01:00|02:00|02:00|03:00|04:00|05:00|06:00|07:00",
            ),
            ("2026-11-21T03:10:00Z", "2026-11-21T03:20:00Z", karachi, ""),
        ];
        for (from, to, zone, want) in cases {
            let labels: Vec<String> = time_ticks(at(from), at(to), zone, 9).into_iter().map(|t| t.label).collect();
            assert_eq!(labels.join("|"), want, "{from} to {to}");
        }
    }
}
