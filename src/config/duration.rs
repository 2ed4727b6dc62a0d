//! Time spans as files write them: `30s`, `5m`, `2h`, `14d`, `1h30m`. Text for people is `domain::span_text`.

use std::time::Duration;

/// What to write, for messages.
pub const FORM: &str = "write it as \"30s\", \"5m\", \"2h\", \"14d\" or \"1h30m\"";

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(86_400);

/// Largest unit first, each at most once. None: not a span, or one of more than 10,000 years.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut total: u64 = 0;
    let mut last_unit = u64::MAX;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit_ms = match &rest[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        if unit_ms >= last_unit {
            return None;
        }
        last_unit = unit_ms;
        total = total.checked_add(number.checked_mul(unit_ms)?)?;
        rest = rest[letters..].trim_start();
    }
    /// Far beyond every limit that a setting has, and far from any overflow.
    const MOST_MS: u64 = 10_000 * 366 * 86_400_000;
    (total <= MOST_MS).then(|| Duration::from_millis(total))
}

/// As a file would write it: `90s` is `1m30s`.
pub fn duration_text(span: Duration) -> String {
    let ms = span.as_millis();
    let parts = [
        (ms / 86_400_000, "d"),
        (ms / 3_600_000 % 24, "h"),
        (ms / 60_000 % 60, "m"),
        (ms / 1_000 % 60, "s"),
        (ms % 1_000, "ms"),
    ];
    let text: String = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        let cases = [("0s", 0), ("30s", 30), ("5m", 300), ("20min", 1200), ("2h", 7200), ("14d", 1_209_600)];
        for (text, secs) in cases {
            assert_eq!(parse_duration(text), Some(Duration::from_secs(secs)), "{text}");
        }
        assert_eq!(parse_duration("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse_duration(" 1 h 30 m "), Some(Duration::from_secs(5400)));
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
    }

    #[test]
    fn what_could_be_misread_is_no_span() {
        for text in [
            "",
            "5",
            "m",
            "1.5h",
            "-5m",
            "5 minutes",
            "30m1h",
            "1m1m",
            "5M",
            "99999999999999999999s",
            "9999999999d",
            "۵m",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_span_reads_back_as_it_was_written() {
        for ms in [0, 1, 999, 1_000, 90_000, 5_400_000, 86_400_000, 2_592_000_000, 93_784_005] {
            let span = Duration::from_millis(ms);
            assert_eq!(parse_duration(&duration_text(span)), Some(span));
        }
    }
}
