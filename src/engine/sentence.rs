//! A rule's sentence with its places filled in: what stands at the head of an order and in the subject of its mail.
//! Never decides anything.

use std::time::Duration;

use crate::domain::metric::plain_number;
use crate::domain::{Metric, Reason, Timestamp, UnitIx, span_text};

use super::Engine;
use super::compiled::RuleIx;

/// What a sentence can quote of a reason; empty where the reason has no such figure.
#[derive(Debug, Clone, PartialEq, Default)]
struct Figures {
    value: String,
    limit: String,
    date: String,
    /// Since when nothing came or happened.
    since: Option<Timestamp>,
}

impl Figures {
    fn of(reason: Option<&Reason>) -> Figures {
        let figure = |value: f64, unit: &str| format!("{} {unit}", plain_number(value)).trim_end().to_owned();
        let both = |value: f64, limit: f64, unit: &str| Figures {
            value: figure(value, unit),
            limit: figure(limit, unit),
            ..Figures::default()
        };
        match reason {
            Some(Reason::Beyond { value, limit, unit, .. } | Reason::AgainstBaseline { value, limit, unit, .. }) => {
                both(*value, *limit, unit)
            }
            Some(Reason::Changing { change, limit, unit, per, .. }) => {
                let each = |value: f64| format!("{} in {}", figure(value, unit), span_text(*per));
                Figures { value: each(*change), limit: each(*limit), ..Figures::default() }
            }
            Some(Reason::Foreseen { level, limit, unit, at, .. }) => {
                Figures { date: at.to_string().chars().take(10).collect(), ..both(*level, *limit, unit) }
            }
            Some(Reason::Counted { count, .. }) => both(f64::from(*count), f64::from(*count), ""),
            Some(Reason::NothingFor { last, .. } | Reason::Overdue { last: Some(last), .. }) => {
                Figures { since: Some(*last), ..Figures::default() }
            }
            Some(Reason::Together { reasons }) => {
                let parts: Vec<Figures> = reasons.iter().map(|r| Figures::of(Some(r))).collect();
                let with_value = parts.iter().find(|p| !p.value.is_empty()).cloned().unwrap_or_default();
                let date = parts.iter().find(|p| !p.date.is_empty()).map(|p| p.date.clone()).unwrap_or_default();
                Figures { date, since: parts.iter().find_map(|p| p.since), ..with_value }
            }
            Some(_) | None => Figures::default(),
        }
    }
}

impl Engine {
    pub(super) fn summary(&self, at: Timestamp, unit: UnitIx, rule: RuleIx) -> String {
        let row = self.fleet.unit(unit);
        let alert = self.units[unit.index()].alert(rule);
        let reason = alert.map(|a| &a.reason);
        let figures = Figures::of(reason);
        // What grows by itself began before its alert: "no mains for 25 min", not "for 1 s".
        let grown = match reason {
            Some(Reason::Beyond { metric, .. }) => {
                metric.parse::<Metric>().ok().filter(|m| m.grows()).and_then(|m| self.grows_since(unit, m))
            }
            Some(_) | None => None,
        };
        let mut figures = figures;
        if figures.value.is_empty() {
            // The alert's last word was of something else: the reading as it is now.
            let leaves = self.rules.rule(rule).condition.leaves();
            let metric = leaves.iter().find_map(|c| c.known_metric());
            let value = metric.and_then(|m| Some(m.figure(self.present_value(at, unit, m)?)));
            figures.value = value.unwrap_or_default();
        }
        let since = figures.since.or(grown).or(alert.and_then(|a| a.fired_at)).unwrap_or(at);
        self.rules
            .rule(rule)
            .summary
            .replace("{value}", &figures.value)
            .replace("{limit}", &figures.limit)
            .replace("{date}", &figures.date)
            .replace("{for}", &span_text(at.since(since).max(Duration::from_secs(1))))
            .replace("{unit}", row.unit.as_str())
            .replace("{name}", &row.name)
            .replace("{site}", row.site.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rule::Side;

    fn beyond(metric: &str, value: f64) -> Reason {
        Reason::Beyond {
            metric: metric.to_owned(),
            value,
            unit: "V".to_owned(),
            side: Side::Below,
            limit: 11.6,
            consecutive: 1,
        }
    }

    fn foreseen() -> Reason {
        let at = Timestamp::parse("2026-12-03T22:10:00Z").expect("valid");
        Reason::Foreseen {
            metric: "camera.sharpness".to_owned(),
            level: 52.0,
            unit: "% of its commissioning value".to_owned(),
            side: Side::Below,
            limit: 40.0,
            at,
            earliest: at,
            latest: at,
            confidence: 90,
        }
    }

    #[test]
    fn each_reason_gives_the_figures_that_a_sentence_can_quote() {
        let hour = Duration::from_secs(3600);
        let changing = Reason::Changing {
            metric: "enclosure.temperature".to_owned(),
            change: 12.0,
            unit: "°C".to_owned(),
            side: Side::Above,
            limit: 10.0,
            per: hour,
        };
        let against = Reason::AgainstBaseline {
            metric: "microphone.tone".to_owned(),
            value: 21.5,
            unit: "dB".to_owned(),
            side: Side::Below,
            limit: 22.0,
            baseline: 32.0,
            mode: None,
            consecutive: 3,
        };
        let last = Timestamp::parse("2026-12-01T00:00:00Z").expect("valid");
        let silent = Reason::NothingFor { kind: crate::domain::message::Kind::Heartbeat, last, silence: hour };
        let together = Reason::Together { reasons: vec![silent, beyond("battery.voltage", 11.25), foreseen()] };
        let share = "% of its commissioning value";
        let cases = [
            (beyond("battery.voltage", 11.25), "11.25 V", "11.6 V", "", None),
            (changing, "12 °C in 1 h", "10 °C in 1 h", "", None),
            (against, "21.5 dB", "22 dB", "", None),
            (foreseen(), &format!("52 {share}"), &format!("40 {share}"), "2026-12-03", None),
            (together, "11.25 V", "11.6 V", "2026-12-03", Some(last)),
            (Reason::FirstHeard, "", "", "", None),
        ];
        for (reason, value, limit, date, since) in cases {
            let expected = Figures { value: value.to_owned(), limit: limit.to_owned(), date: date.to_owned(), since };
            assert_eq!(Figures::of(Some(&reason)), expected, "{reason}");
        }
    }
}
