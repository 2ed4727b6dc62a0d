//! Days, weeks and months as the people of a time zone count them. Never reads a clock.

use std::time::Duration;

use chrono::{Datelike, Days, Months, NaiveDate, NaiveTime, TimeZone};
use chrono_tz::Tz;

use crate::domain::Timestamp;
use crate::domain::report::ReportPeriod;

/// From midnight to midnight, and when each of its days begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    pub from: Timestamp,
    pub to: Timestamp,
    pub days: Vec<Timestamp>,
}

/// The last day, week from Monday to Sunday, or month that was over by `until`.
pub fn whole(period: ReportPeriod, until: Timestamp, zone: Tz) -> Period {
    let today = until.to_utc().with_timezone(&zone).date_naive();
    let end = begins(period, today);
    between(begins(period, end - Days::new(1)), end, zone)
}

/// The first one after [`whole`]'s ends then.
pub fn next_end(period: ReportPeriod, until: Timestamp, zone: Tz) -> Timestamp {
    let begun = begins(period, until.to_utc().with_timezone(&zone).date_naive());
    let end = match period {
        ReportPeriod::Daily => begun + Days::new(1),
        ReportPeriod::Weekly => begun + Days::new(7),
        ReportPeriod::Monthly => begun + Months::new(1),
    };
    midnight(end, zone)
}

/// The last 24 hours, 7 or 30 days up to `until`, in pieces of 24 hours.
pub fn last(period: ReportPeriod, until: Timestamp) -> Period {
    const DAY: Duration = Duration::from_secs(86_400);
    let days = match period {
        ReportPeriod::Daily => 1,
        ReportPeriod::Weekly => 7,
        ReportPeriod::Monthly => 30,
    };
    let from = until - DAY * days;
    Period { from, to: until, days: (0..days).map(|n| from + DAY * n).collect() }
}

/// The first day of the period that `day` lies in.
fn begins(period: ReportPeriod, day: NaiveDate) -> NaiveDate {
    match period {
        ReportPeriod::Daily => day,
        ReportPeriod::Weekly => day - Days::new(u64::from(day.weekday().num_days_from_monday())),
        ReportPeriod::Monthly => day - Days::new(u64::from(day.day0())),
    }
}

fn between(first: NaiveDate, end: NaiveDate, zone: Tz) -> Period {
    let days = first.iter_days().take_while(|day| *day < end).map(|day| midnight(day, zone)).collect();
    Period { from: midnight(first, zone), to: midnight(end, zone), days }
}

/// Where clocks are set forward at midnight, the day begins when they have been.
fn midnight(day: NaiveDate, zone: Tz) -> Timestamp {
    let begins = day.and_time(NaiveTime::MIN);
    let minutes = (0..24 * 60).step_by(15).map(|minutes| begins + chrono::TimeDelta::minutes(minutes));
    let at = minutes.filter_map(|local| zone.from_local_datetime(&local).earliest()).next();
    // A day that a zone leaves out altogether begins and ends in UTC.
    Timestamp::from_millis(at.map_or(begins.and_utc().timestamp_millis(), |at| at.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time of this test")
    }

    fn check(period: ReportPeriod, until: &str, zone: Tz, from: &str, to: &str, days: usize) {
        let found = whole(period, at(until), zone);
        assert_eq!((found.from, found.to, found.days.len()), (at(from), at(to), days), "{period} until {until}");
        assert_eq!(found.days[0], found.from);
        assert!(next_end(period, at(until), zone) > at(until));
    }

    #[test]
    fn a_period_is_whole_by_the_clock_of_the_zone() {
        let pk = chrono_tz::Asia::Karachi;
        // 01:00 on Sunday 22 November in Karachi.
        let until = "2026-11-21T20:00:00Z";
        check(ReportPeriod::Daily, until, pk, "2026-11-20T19:00:00Z", "2026-11-21T19:00:00Z", 1);
        check(ReportPeriod::Weekly, until, pk, "2026-11-08T19:00:00Z", "2026-11-15T19:00:00Z", 7);
        check(ReportPeriod::Monthly, until, pk, "2026-09-30T19:00:00Z", "2026-10-31T19:00:00Z", 31);
        // The week is over with its Sunday, at midnight sharp.
        let monday = "2026-11-22T19:00:00Z";
        check(ReportPeriod::Weekly, monday, pk, "2026-11-15T19:00:00Z", monday, 7);
        check(
            ReportPeriod::Monthly,
            "2026-01-01T00:00:00Z",
            chrono_tz::UTC,
            "2025-12-01T00:00:00Z",
            "2026-01-01T00:00:00Z",
            31,
        );
        check(
            ReportPeriod::Monthly,
            "2028-03-02T00:00:00Z",
            chrono_tz::UTC,
            "2028-02-01T00:00:00Z",
            "2028-03-01T00:00:00Z",
            29,
        );
    }

    #[test]
    fn a_day_on_which_clocks_are_set_has_the_hours_that_it_has() {
        let berlin = chrono_tz::Europe::Berlin;
        check(ReportPeriod::Daily, "2026-03-30T12:00:00Z", berlin, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 1);
        check(ReportPeriod::Daily, "2026-10-26T12:00:00Z", berlin, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", 1);
        // Beirut sets its clocks forward at midnight: that day begins at one.
        check(
            ReportPeriod::Daily,
            "2026-03-30T12:00:00Z",
            chrono_tz::Asia::Beirut,
            "2026-03-28T22:00:00Z",
            "2026-03-29T21:00:00Z",
            1,
        );
    }

    #[test]
    fn the_last_days_end_when_they_are_asked_for() {
        let week = last(ReportPeriod::Weekly, at("2026-11-21T09:05:00Z"));
        assert_eq!((week.from, week.days.len()), (at("2026-11-14T09:05:00Z"), 7));
        assert_eq!(week.days[6], at("2026-11-20T09:05:00Z"));
    }
}
