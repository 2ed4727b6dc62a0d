//! Points in time and how spans are written for people. Never reads a clock: `io` and `app` pass time in.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::{Add, Sub};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since 1970-01-01T00:00:00Z. Written as RFC 3339 in UTC with milliseconds.
// Counted from just before the first of them, so that none is zero: an `Option<Timestamp>` is one word, and a million units
// have a dozen each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(NonZeroU64);

/// 0001-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z.
const FIRST_MS: i64 = -62_135_596_800_000;
const LAST_MS: i64 = 253_402_300_799_999;

impl Timestamp {
    /// Year 0001 to 9999: what RFC 3339 can write, so that every `Timestamp` has a text.
    pub const MIN: Timestamp = Timestamp::from_millis(FIRST_MS);
    pub const MAX: Timestamp = Timestamp::from_millis(LAST_MS);

    /// Clamped to years 0001–9999.
    pub const fn from_millis(ms: i64) -> Self {
        let within = if ms < FIRST_MS {
            FIRST_MS
        } else if ms > LAST_MS {
            LAST_MS
        } else {
            ms
        };
        Timestamp(NonZeroU64::new((within - FIRST_MS) as u64 + 1).expect("one is added"))
    }

    pub const fn as_millis(self) -> i64 {
        self.0.get() as i64 - 1 + FIRST_MS
    }

    /// RFC 3339 text, any offset. None: not a date.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|d| Self::from_millis(d.timestamp_millis()))
    }

    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.as_millis()).expect("Timestamp is clamped to years 0001-9999")
    }

    /// Time from `earlier` to `self`; zero when `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.as_millis().saturating_sub(earlier.as_millis()).max(0) as u64)
    }
}

/// 1970-01-01T00:00:00Z.
impl Default for Timestamp {
    fn default() -> Self {
        Timestamp::from_millis(0)
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, span: Duration) -> Timestamp {
        Timestamp::from_millis(self.as_millis().saturating_add(millis(span)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;
    fn sub(self, span: Duration) -> Timestamp {
        Timestamp::from_millis(self.as_millis().saturating_sub(millis(span)))
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

impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time", "description": "RFC 3339 in UTC with milliseconds" })
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
    SpanText(span).to_string()
}

/// [`span_text`] as a part of a longer text.
pub struct SpanText(pub Duration);

impl fmt::Display for SpanText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0.as_secs();
        if s == 0 {
            return write!(f, "{} ms", self.0.as_millis());
        }
        let parts = [(s / 86_400, "d"), (s / 3_600 % 24, "h"), (s / 60 % 60, "min"), (s % 60, "s")];
        let first = parts.iter().position(|(n, _)| *n > 0).unwrap_or(3);
        let mut between = "";
        for (n, word) in parts[first..].iter().take(2).filter(|(n, _)| *n > 0) {
            write!(f, "{between}{n} {word}")?;
            between = " ";
        }
        Ok(())
    }
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
        assert_eq!(Timestamp::from_millis(i64::MIN).to_string(), "0001-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_time_that_may_be_missing_is_one_word() {
        assert_eq!(size_of::<Option<Timestamp>>(), 8);
        assert_eq!(Timestamp::default().as_millis(), 0);
        for ms in [Timestamp::MIN.as_millis(), -1, 0, 1, Timestamp::MAX.as_millis()] {
            assert_eq!(Timestamp::from_millis(ms).as_millis(), ms);
        }
    }

    #[test]
    fn spans_read_as_people_write_them() {
        let cases = [(0, "0 ms"), (59, "59 s"), (90, "1 min 30 s"), (7200, "2 h"), (93_600, "1 d 2 h")];
        for (secs, text) in cases {
            assert_eq!(span_text(Duration::from_secs(secs)), text);
        }
    }
}
