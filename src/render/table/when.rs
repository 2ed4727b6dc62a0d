//! Times as people read them: local to a zone, and how long ago. Never reads a clock.

use chrono::Datelike;

use crate::domain::Timestamp;

use super::Look;

/// Clocks of two machines differ a little: a time so close ahead is now.
const AHEAD_MS_IS_NOW: i64 = 2_000;

/// `now`, `12 s ago`, `6 min ago`, `in 3 h`: the largest part only, at most 10 columns for a hundred years.
pub fn age(now: Timestamp, at: Timestamp) -> String {
    let ms = now.as_millis() - at.as_millis();
    if (-AHEAD_MS_IS_NOW..1_000).contains(&ms) {
        "now".to_owned()
    } else if ms > 0 {
        format!("{} ago", largest_part(ms))
    } else {
        format!("in {}", largest_part(-ms))
    }
}

/// For columns that say so in their title: `12 s`, `6 min`.
pub fn age_short(now: Timestamp, at: Timestamp) -> String {
    largest_part((now.as_millis() - at.as_millis()).max(0))
}

/// Rounded down: 119 minutes are `1 h` ago, never yet `2 h`. Days from 48 h on, because "1 d" hides too much.
fn largest_part(ms: i64) -> String {
    let s = ms / 1_000;
    match s {
        ..60 => format!("{s} s"),
        60..3_600 => format!("{} min", s / 60),
        3_600..172_800 => format!("{} h", s / 3_600),
        172_800.. => format!("{} d", s / 86_400),
    }
}

/// `2026-11-21 14:00`, on the clocks of the zone.
pub fn local(look: &Look, at: Timestamp) -> String {
    at.to_utc().with_timezone(&look.zone).format("%Y-%m-%d %H:%M").to_string()
}

/// `2026-11-21 14:00:05 (6 min ago)`.
pub fn local_and_age(look: &Look, at: Timestamp) -> String {
    format!("{} ({})", at.to_utc().with_timezone(&look.zone).format("%Y-%m-%d %H:%M:%S"), age(look.now, at))
}

/// `Asia/Karachi, UTC+05:00`.
pub fn zone_text(look: &Look) -> String {
    let local = look.now.to_utc().with_timezone(&look.zone);
    format!("{}, UTC{}", look.zone.name(), local.format("%:z"))
}

/// Length of `2026-11-21T09:00:00.000Z`.
const RFC_3339_BYTES: usize = 24;

/// Reasons carry times as programs write them. People get them on their own clocks: `last at 14:00:05`, with the date
/// when that is not today's.
pub fn in_local_time(look: &Look, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let time = rest.get(..RFC_3339_BYTES).filter(|t| t.ends_with('Z')).and_then(Timestamp::parse);
        if let Some(at) = time {
            let there = at.to_utc().with_timezone(&look.zone);
            let today = look.now.to_utc().with_timezone(&look.zone);
            let same_day = (there.year(), there.ordinal()) == (today.year(), today.ordinal());
            let form = if same_day { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
            out.push_str(&there.format(form).to_string());
            rest = &rest[RFC_3339_BYTES..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn ages_name_their_largest_part() {
        let now = time("2026-11-21T09:00:00Z");
        let cases = [
            ("2026-11-21T09:00:01.5Z", "now"),
            ("2026-11-21T08:59:59.5Z", "now"),
            ("2026-11-21T08:59:48Z", "12 s ago"),
            ("2026-11-21T08:00:01Z", "59 min ago"),
            ("2026-11-19T09:00:01Z", "47 h ago"),
            ("2026-11-19T09:00:00Z", "2 d ago"),
            ("2026-11-21T12:30:00Z", "in 3 h"),
            ("0001-01-01T00:00:00Z", "739940 d ago"),
        ];
        for (at, text) in cases {
            assert_eq!(age(now, time(at)), text, "{at}");
        }
    }

    #[test]
    fn times_within_a_reason_are_told_on_the_readers_clock() {
        let look = Look::plain(time("2026-11-21T09:00:00Z"));
        let cases = [
            ("no heartbeat for 95 s, last at 2026-11-21T08:58:25.000Z", "no heartbeat for 95 s, last at 13:58:25"),
            ("since 2026-11-20T18:59:59.000Z, deaf", "since 2026-11-20 23:59:59, deaf"),
            ("2026-99-21T08:58:25.000Z ہے", "2026-99-21T08:58:25.000Z ہے"),
            ("", ""),
        ];
        for (text, want) in cases {
            assert_eq!(in_local_time(&look, text), want);
        }
    }
}
