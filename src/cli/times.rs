//! Times and spans as people type them. Never reads a clock.

use std::time::Duration;

use chrono::{Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use chrono_tz::Tz;

use crate::domain::Timestamp;

/// `90s`, `5m`, `2h`, `1d`, `1h30m`. Err: what it should look like.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a span of time: write it as 90s, 5m, 2h, 1d or 1h30m");
    let mut total = Duration::ZERO;
    let mut digits = String::new();
    for c in text.trim().chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let seconds = match c {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let count: u64 = digits.parse().map_err(|_| wrong())?;
        digits.clear();
        let part = count.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
    }
    if !digits.is_empty() || text.trim().is_empty() {
        return Err(wrong());
    }
    Ok(total)
}

/// RFC 3339 only: for recordings, where no zone may be guessed.
pub fn parse_instant(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| {
        format!("{text:?} is not a time: write it as 2026-11-21T14:00:00+05:00, or with Z at the end for UTC")
    })
}

/// A time that still needs to know the zone, and for a bare clock time what day it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypedTime {
    Instant(Timestamp),
    Local(NaiveDateTime),
    /// The next time the clock shows this.
    Clock(NaiveTime),
}

/// `2026-11-21T14:00:00+05:00`, `2026-11-21 14:00`, `2026-11-21`, `14:00`.
pub fn parse_typed_time(text: &str) -> Result<TypedTime, String> {
    let text = text.trim();
    if let Some(at) = Timestamp::parse(text) {
        return Ok(TypedTime::Instant(at));
    }
    for form in ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"] {
        if let Ok(local) = NaiveDateTime::parse_from_str(text, form) {
            return Ok(TypedTime::Local(local));
        }
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(TypedTime::Local(day.and_time(NaiveTime::MIN)));
    }
    NaiveTime::parse_from_str(text, "%H:%M").map(TypedTime::Clock).map_err(|_| {
        format!("{text:?} is not a time: write it as 14:00, \"2026-11-21 14:00\" or 2026-11-21T14:00:00+05:00")
    })
}

impl TypedTime {
    /// Err: the clocks of the zone skip that time (summer time begins).
    pub fn resolve(self, zone: Tz, now: Timestamp) -> Result<Timestamp, String> {
        let there = |local: NaiveDateTime| match zone.from_local_datetime(&local) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => {
                Ok(Timestamp::from_millis(at.timestamp_millis()))
            }
            LocalResult::None => Err(format!("the clocks in {} skip {local}; choose another time", zone.name())),
        };
        match self {
            TypedTime::Instant(at) => Ok(at),
            TypedTime::Local(local) => there(local),
            TypedTime::Clock(clock) => {
                let today = now.to_utc().with_timezone(&zone).date_naive();
                let at = there(today.and_time(clock))?;
                match today.checked_add_days(Days::new(1)) {
                    Some(tomorrow) if at <= now => there(tomorrow.and_time(clock)),
                    Some(_) | None => Ok(at),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        let cases = [("90s", 90), ("5m", 300), ("2h", 7_200), ("1d", 86_400), ("1h30m", 5_400), ("0s", 0)];
        for (text, seconds) in cases {
            assert_eq!(parse_span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "5", "m", "5 m", "-5m", "5w", "1.5h", "99999999999999999999s", "18446744073709551615d", "٥m"]
        {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_without_an_offset_are_those_of_the_zone() {
        let now = Timestamp::parse("2026-11-21T09:30:00Z").unwrap();
        let karachi = chrono_tz::Asia::Karachi;
        let cases = [
            ("2026-11-21T12:00:00Z", "2026-11-21T12:00:00.000Z"),
            ("2026-11-21 18:00", "2026-11-21T13:00:00.000Z"),
            ("2026-11-22", "2026-11-21T19:00:00.000Z"),
            ("18:00", "2026-11-21T13:00:00.000Z"),
            ("14:30", "2026-11-22T09:30:00.000Z"),
            ("09:00", "2026-11-22T04:00:00.000Z"),
        ];
        for (text, want) in cases {
            let at = parse_typed_time(text).unwrap().resolve(karachi, now).unwrap();
            assert_eq!(at.to_string(), want, "{text}");
        }
        for text in ["", "tomorrow", "25:00", "2026-13-01", "2026-11-21 14"] {
            assert!(parse_typed_time(text).is_err(), "{text}");
        }
        let skipped = parse_typed_time("2026-03-29 02:30").unwrap();
        assert!(skipped.resolve(chrono_tz::Europe::Berlin, now).is_err());
    }

    proptest! {
        #[test]
        fn nothing_typed_makes_it_panic(text in any::<String>(), ms in any::<i64>()) {
            let _ = parse_span(&text);
            if let Ok(time) = parse_typed_time(&text) {
                let _ = time.resolve(chrono_tz::Asia::Karachi, Timestamp::from_millis(ms));
            }
            let _ = TypedTime::Clock(NaiveTime::MIN).resolve(chrono_tz::Asia::Karachi, Timestamp::from_millis(ms));
        }
    }
}
