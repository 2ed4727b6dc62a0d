//! Points in time and how spans are written for people. Never reads a clock: `io` and `app` pass time in.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since 1970-01-01T00:00:00Z. Written as RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Year 0001 to 9999: what RFC 3339 can write, so that every `Timestamp` has a text.
    pub const MIN: Timestamp = Timestamp(-62_135_596_800_000);
    pub const MAX: Timestamp = Timestamp(253_402_300_799_999);

    /// Clamped to years 0001–9999.
    pub fn from_millis(ms: i64) -> Self {
        Timestamp(ms.clamp(Self::MIN.0, Self::MAX.0))
    }

    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// RFC 3339 text, any offset. None: not a date.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|d| Self::from_millis(d.timestamp_millis()))
    }

    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).expect("Timestamp is clamped to years 0001-9999")
    }

    /// Time from `earlier` to `self`; zero when `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0).max(0) as u64)
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, span: Duration) -> Timestamp {
        Timestamp::from_millis(self.0.saturating_add(millis(span)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;
    fn sub(self, span: Duration) -> Timestamp {
        Timestamp::from_millis(self.0.saturating_sub(millis(span)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_utc().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        Timestamp::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time"))
    }
}

/// A span as a person writes it, its two largest parts.
/// ```
/// use std::time::Duration;
/// use buttonwatch::domain::span_text;
/// assert_eq!(span_text(Duration::from_secs(90)), "1 min 30 s");
/// assert_eq!(span_text(Duration::from_secs(26 * 3600)), "1 d 2 h");
/// ```
pub fn span_text(span: Duration) -> String {
    let s = span.as_secs();
    if s == 0 {
        return format!("{} ms", span.as_millis());
    }
    let parts = [(s / 86_400, "d"), (s / 3_600 % 24, "h"), (s / 60 % 60, "min"), (s % 60, "s")];
    let first = parts.iter().position(|(n, _)| *n > 0).expect("a span of a second or more has a part above zero");
    parts[first..]
        .iter()
        .take(2)
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_survives_being_written_and_read() {
        let t = Timestamp::parse("2026-11-21T14:00:00.250+05:00").expect("valid");
        assert_eq!(t.to_string(), "2026-11-21T09:00:00.250Z");
        assert_eq!(Timestamp::parse(&t.to_string()), Some(t));
    }

    #[test]
    fn arithmetic_past_the_calendar_stops_at_its_ends() {
        assert_eq!(Timestamp::MAX + Duration::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::MIN - Duration::MAX, Timestamp::MIN);
        assert_eq!(Timestamp::from_millis(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn spans_read_as_people_write_them() {
        let cases = [(0, "0 ms"), (59, "59 s"), (90, "1 min 30 s"), (7200, "2 h"), (93_600, "1 d 2 h")];
        for (secs, text) in cases {
            assert_eq!(span_text(Duration::from_secs(secs)), text);
        }
    }
}
