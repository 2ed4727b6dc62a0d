//! Times as the crew's own clocks show them, the zone always beside them.

use chrono::{DateTime, Datelike};
use chrono_tz::Tz;

use crate::domain::Timestamp;

/// One mail's way of writing times.
#[derive(Debug, Clone, Copy)]
pub struct LocalTime {
    zone: Tz,
    /// Times of this year need not name it.
    year: i32,
}

impl LocalTime {
    pub fn new(zone: Tz, now: Timestamp) -> Self {
        LocalTime { zone, year: now.to_utc().with_timezone(&zone).year() }
    }

    fn local(&self, at: Timestamp) -> DateTime<Tz> {
        at.to_utc().with_timezone(&self.zone)
    }

    /// `Sat 21 Nov 2026, 14:05 PKT`
    pub fn long(&self, at: Timestamp) -> String {
        let local = self.local(at);
        format!("{} {}", local.format("%a %-d %b %Y, %H:%M"), self.zone_word(at))
    }

    /// `21 Nov 14:05`; with the year when it is another one. For places that name the zone themselves.
    pub fn short(&self, at: Timestamp) -> String {
        let local = self.local(at);
        let form = if local.year() == self.year { "%-d %b %H:%M" } else { "%-d %b %Y %H:%M" };
        local.format(form).to_string()
    }

    /// `21 Nov`; with the year when it is another one.
    pub fn date(&self, at: Timestamp) -> String {
        let local = self.local(at);
        let form = if local.year() == self.year { "%-d %b" } else { "%-d %b %Y" };
        local.format(form).to_string()
    }

    /// `PKT`, or `UTC+05:00` where the zone has no letters of its own.
    pub fn zone_word(&self, at: Timestamp) -> String {
        let local = self.local(at);
        let word = local.format("%Z").to_string();
        if word.starts_with(['+', '-']) { format!("UTC{}", local.format("%:z")) } else { word }
    }

    /// `PKT (Asia/Karachi, UTC+05:00)`
    pub fn zone_text(&self, at: Timestamp) -> String {
        let offset = self.local(at).format("%:z").to_string();
        let word = self.zone_word(at);
        match (word.as_str(), self.zone.name()) {
            ("UTC", _) => "UTC".to_owned(),
            (word, name) if word.starts_with("UTC") => format!("{name} ({word})"),
            (word, name) => format!("{word} ({name}, UTC{offset})"),
        }
    }

    /// Reasons are stored with times in UTC (`2026-11-21T09:05:00.000Z`); a mail shows them like all its others.
    pub fn localise(&self, text: &str) -> String {
        /// Of [`Timestamp`]'s own text, which is all that is looked for.
        const WIDTH: usize = 24;
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let stamp =
                rest.get(..WIDTH).filter(|s| first.is_ascii_digit() && s.ends_with('Z')).and_then(Timestamp::parse);
            match stamp {
                Some(at) => {
                    out.push_str(&format!("{} {}", self.short(at), self.zone_word(at)));
                    rest = &rest[WIDTH..];
                }
                None => {
                    out.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("valid")
    }

    #[test]
    fn times_are_the_crews_and_say_so() {
        let now = at("2026-11-21T09:05:00Z");
        let pk = LocalTime::new(chrono_tz::Asia::Karachi, now);
        assert_eq!(pk.long(now), "Sat 21 Nov 2026, 14:05 PKT");
        assert_eq!(pk.short(now), "21 Nov 14:05");
        assert_eq!(pk.short(at("2025-12-31T18:59:59Z")), "31 Dec 2025 23:59");
        // New Year comes five hours earlier than in UTC.
        assert_eq!(LocalTime::new(chrono_tz::Asia::Karachi, at("2025-12-31T20:00:00Z")).short(now), "21 Nov 14:05");
        assert_eq!(pk.zone_text(now), "PKT (Asia/Karachi, UTC+05:00)");
        assert_eq!(LocalTime::new(chrono_tz::Asia::Dubai, now).long(now), "Sat 21 Nov 2026, 13:05 UTC+04:00");
        assert_eq!(LocalTime::new(chrono_tz::Asia::Dubai, now).zone_text(now), "Asia/Dubai (UTC+04:00)");
        assert_eq!(LocalTime::new(chrono_tz::UTC, now).zone_text(now), "UTC");
    }

    #[test]
    fn every_end_of_the_calendar_has_a_text() {
        for zone in [chrono_tz::Asia::Karachi, chrono_tz::Pacific::Kiritimati, chrono_tz::Pacific::Pago_Pago] {
            for end in [Timestamp::MIN, Timestamp::MAX] {
                assert!(!LocalTime::new(zone, end).long(end).is_empty());
            }
        }
    }

    #[test]
    fn times_inside_reasons_become_local_and_nothing_else_changes() {
        let time = LocalTime::new(chrono_tz::Asia::Karachi, at("2026-11-21T09:05:00Z"));
        let cases = [
            (
                "no heartbeat for 6 min, last at 2026-11-21T08:59:00.000Z",
                "no heartbeat for 6 min, last at 21 Nov 13:59 PKT",
            ),
            ("2026-11-21T08:59:00.000Z–2026-11-21T09:59:00.000Z", "21 Nov 13:59 PKT–21 Nov 14:59 PKT"),
            ("قصہ 2026-11-21 9999999999999999999999Z é", "قصہ 2026-11-21 9999999999999999999999Z é"),
            ("2026-13-41T08:59:00.000Z", "2026-13-41T08:59:00.000Z"),
            ("", ""),
        ];
        for (from, to) in cases {
            assert_eq!(time.localise(from), to);
        }
    }
}
