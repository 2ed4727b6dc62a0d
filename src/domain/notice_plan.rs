//! Who hears what, when: the crews' hours and the limits of patience. Plain values; `engine::dispatch` decides by them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use chrono::{Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Timelike};
use chrono_tz::Tz;

use super::ids::CrewId;
use super::notice::Recipient;
use super::severity::Priority;
use super::time::Timestamp;

/// A time on the clock of the wall, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay {
    /// Since midnight, below 1440.
    minutes: u16,
}

impl TimeOfDay {
    /// None: no such time.
    pub const fn new(hour: u16, minute: u16) -> Option<TimeOfDay> {
        if hour < 24 && minute < 60 { Some(TimeOfDay { minutes: hour * 60 + minute }) } else { None }
    }

    /// `07:30`. None: it is no time.
    pub fn parse(text: &str) -> Option<TimeOfDay> {
        let (hour, minute) = text.split_once(':')?;
        let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(hour) || !digits(minute) {
            return None;
        }
        TimeOfDay::new(hour.parse().ok()?, minute.parse().ok()?)
    }

    /// The first moment after `at` at which clocks of `zone` show it. Where they are put forward over it: when they are.
    pub fn next_after(self, zone: Tz, at: Timestamp) -> Timestamp {
        let today = at.to_utc().with_timezone(&zone).date_naive();
        let days = (0..4).filter_map(|n| today.pred_opt()?.checked_add_days(Days::new(n)));
        days.filter_map(|day| self.on(zone, day)).find(|then| *then > at).unwrap_or(Timestamp::MAX)
    }

    fn on(self, zone: Tz, day: NaiveDate) -> Option<Timestamp> {
        /// No country puts its clocks forward by more at once.
        const GAP_STEPS: i64 = 8;
        let time = NaiveTime::from_hms_opt(u32::from(self.minutes) / 60, u32::from(self.minutes) % 60, 0)?;
        let wall = day.and_time(time);
        (0..=GAP_STEPS)
            .filter_map(|n| wall.checked_add_signed(TimeDelta::minutes(15 * n)))
            .find_map(|wall| zone.from_local_datetime(&wall).earliest())
            .map(|then| Timestamp::from_millis(then.timestamp_millis()))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

/// When only what is urgent is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Night {
    pub from: TimeOfDay,
    pub until: TimeOfDay,
    /// This priority and more urgent ones are told all the same.
    pub at_once: Priority,
}

impl Night {
    /// When the night ends that it is at `at`. None: it is day.
    pub fn end(&self, zone: Tz, at: Timestamp) -> Option<Timestamp> {
        let local = at.to_utc().with_timezone(&zone);
        let now = TimeOfDay { minutes: (local.hour() * 60 + local.minute()) as u16 };
        let is_night = if self.from <= self.until {
            self.from <= now && now < self.until
        } else {
            now >= self.from || now < self.until
        };
        is_night.then(|| self.until.next_after(zone, at))
    }
}

/// After how long without anyone's word the supervisor hears of an order. None: never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patience {
    pub p1: Option<Duration>,
    pub p2: Option<Duration>,
    pub p3: Option<Duration>,
}

impl Patience {
    /// None: nobody is told. P4 waits for the next visit.
    pub fn of(&self, priority: Priority) -> Option<Duration> {
        match priority {
            Priority::P1 => self.p1,
            Priority::P2 => self.p2,
            Priority::P3 => self.p3,
            Priority::P4 => None,
        }
    }
}

/// How one crew, and its supervisor, are told.
#[derive(Debug, Clone, PartialEq)]
pub struct NoticePlan {
    /// Whose clocks they read.
    pub zone: Tz,
    /// This priority and more urgent ones are told when they are decided; the rest in the digest.
    pub at_once: Priority,
    /// None: crews that work round the clock.
    pub night: Option<Night>,
    /// One list of all that is open, in the order of a round trip.
    pub digest_at: TimeOfDay,
    /// An order told at once that nobody has taken is told again so often. None: only in the digests.
    pub repeat: Option<Duration>,
    pub patience: Patience,
    /// Single mails to one reader within [`FOLD_WITHIN`]; what comes after them is told in one summary.
    pub fold_after: usize,
    /// Where its round trip begins. None: at what is most urgent.
    pub depot: Option<(f64, f64)>,
}

/// Ten mails in ten minutes are read by nobody.
pub const FOLD_WITHIN: Duration = Duration::from_secs(600);
/// What comes together has come by then.
pub const FOLD_WAIT: Duration = Duration::from_secs(120);

impl Default for NoticePlan {
    fn default() -> Self {
        let hours = |n: u64| Some(Duration::from_secs(n * 3600));
        NoticePlan {
            zone: chrono_tz::Asia::Karachi,
            at_once: Priority::P2,
            night: None,
            digest_at: TimeOfDay::new(7, 0).expect("a time"),
            repeat: None,
            // A quarter of the time there is for the repair.
            patience: Patience { p1: hours(1), p2: hours(6), p3: hours(42) },
            fold_after: 5,
            depot: None,
        }
    }
}

/// Every crew's plan.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NoticePlans {
    pub usual: NoticePlan,
    pub crews: BTreeMap<CrewId, NoticePlan>,
}

impl NoticePlans {
    pub fn of(&self, reader: &Recipient) -> &NoticePlan {
        match reader {
            Recipient::Crew(crew) | Recipient::Supervisor(crew) => self.crews.get(crew).unwrap_or(&self.usual),
            Recipient::Operator | Recipient::ReportReaders => &self.usual,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("valid")
    }
    fn time(text: &str) -> TimeOfDay {
        TimeOfDay::parse(text).expect("valid")
    }

    #[test]
    fn times_of_day_are_written_in_one_way() {
        assert_eq!(time("07:05").to_string(), "07:05");
        for wrong in ["7:05", "07:5", "24:00", "12:60", "0705", "", "07:05:00", "-1:00", "٠٧:٠٥"] {
            assert_eq!(TimeOfDay::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_next_morning_is_the_crews_own() {
        let pk = chrono_tz::Asia::Karachi;
        assert_eq!(time("07:00").next_after(pk, at("2026-11-21T01:59:59Z")), at("2026-11-21T02:00:00Z"));
        assert_eq!(time("07:00").next_after(pk, at("2026-11-21T02:00:00Z")), at("2026-11-22T02:00:00Z"));
        assert_eq!(time("00:00").next_after(pk, at("2026-11-21T19:00:00Z")), at("2026-11-22T19:00:00Z"));
    }

    #[test]
    fn every_day_has_its_digest_where_clocks_are_changed_too() {
        // 2026-03-29 02:00 to 03:00 does not exist in Berlin; 2026-10-25 02:30 is there twice.
        let berlin = chrono_tz::Europe::Berlin;
        assert_eq!(time("02:30").next_after(berlin, at("2026-03-28T12:00:00Z")), at("2026-03-29T01:00:00Z"));
        assert_eq!(time("02:30").next_after(berlin, at("2026-03-29T01:00:00Z")), at("2026-03-30T00:30:00Z"));
        assert_eq!(time("02:30").next_after(berlin, at("2026-10-24T12:00:00Z")), at("2026-10-25T00:30:00Z"));
        assert_eq!(time("02:30").next_after(berlin, at("2026-10-25T00:30:00Z")), at("2026-10-26T01:30:00Z"));
        let first = Timestamp::MIN;
        assert!(time("02:30").next_after(berlin, first) > first);
        assert_eq!(time("02:30").next_after(berlin, Timestamp::MAX), Timestamp::MAX);
    }

    #[test]
    fn a_night_may_go_over_midnight() {
        let night = Night { from: time("22:00"), until: time("06:00"), at_once: Priority::P1 };
        let pk = chrono_tz::Asia::Karachi;
        assert_eq!(night.end(pk, at("2026-11-21T16:59:59Z")), None);
        assert_eq!(night.end(pk, at("2026-11-21T17:00:00Z")), Some(at("2026-11-22T01:00:00Z")));
        assert_eq!(night.end(pk, at("2026-11-22T00:59:59Z")), Some(at("2026-11-22T01:00:00Z")));
        assert_eq!(night.end(pk, at("2026-11-22T01:00:00Z")), None);
        let rest = Night { from: time("13:00"), until: time("14:00"), at_once: Priority::P1 };
        assert_eq!(rest.end(pk, at("2026-11-21T08:30:00Z")), Some(at("2026-11-21T09:00:00Z")));
        assert_eq!(rest.end(pk, at("2026-11-21T09:00:00Z")), None);
    }
}
