//! Why something was decided. Every decision carries one; its text is what people read in lists, mails and timelines.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::component::Component;
use super::fleet::GroupKind;
use super::ids::{DiagnosisId, GroupName, RuleId, UnitId};
use super::message::{CameraMode, Kind, Outcome};
use super::metric::plain_number;
use super::rule::{CountedEvent, OverdueEvent, Side};
use super::time::{SpanText, Timestamp};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    // Presence and readiness.
    NothingFor {
        kind: Kind,
        last: Timestamp,
        silence: Duration,
    },
    HeardAgain {
        silence: Duration,
    },
    FirstHeard,
    NeverHeard,
    /// As it was when what is kept of its history begins.
    AsBefore,
    NothingRecorded,
    NeverPassed {
        missing: Vec<Component>,
    },
    TestsPassed {
        components: Vec<Component>,
    },
    TestsOverdue {
        last: Timestamp,
        allowed: Duration,
    },
    Deaf {
        since: Timestamp,
    },
    DeafAndNotHeardSince {
        last: Timestamp,
    },
    IncidentDoubtsHearing {
        silent: usize,
        of: usize,
    },
    AlertsFiring {
        rules: Vec<RuleId>,
        /// Of the first rule.
        #[serde(deserialize_with = "reason_or_text")]
        first: Box<Reason>,
    },
    AllClear,
    MaintenanceUntil {
        until: Timestamp,
    },
    MaintenanceOver,
    // Alerts.
    Beyond {
        metric: String,
        value: f64,
        unit: String,
        side: Side,
        limit: f64,
        consecutive: u32,
    },
    Within {
        metric: String,
        value: f64,
        unit: String,
        side: Side,
        clear: f64,
    },
    AgainstBaseline {
        metric: String,
        value: f64,
        unit: String,
        side: Side,
        limit: f64,
        baseline: f64,
        mode: Option<CameraMode>,
        consecutive: u32,
    },
    Changing {
        metric: String,
        change: f64,
        unit: String,
        side: Side,
        limit: f64,
        per: Duration,
    },
    Foreseen {
        metric: String,
        level: f64,
        unit: String,
        side: Side,
        limit: f64,
        at: Timestamp,
        earliest: Timestamp,
        latest: Timestamp,
        confidence: u8,
    },
    NotForeseen {
        metric: String,
    },
    Together {
        reasons: Vec<Reason>,
    },
    HeldFor {
        span: Duration,
        what: Box<Reason>,
    },
    ClearFor {
        span: Duration,
        what: Box<Reason>,
    },
    BackBeforeFiring {
        what: Box<Reason>,
    },
    Tested {
        test: Component,
        result: Outcome,
        code: Option<String>,
        consecutive: u32,
    },
    Counted {
        event: CountedEvent,
        count: u32,
        within: Duration,
    },
    CountedFewer {
        event: CountedEvent,
        count: u32,
        within: Duration,
    },
    Overdue {
        event: OverdueEvent,
        last: Option<Timestamp>,
        every: Duration,
    },
    DoneAgain {
        event: OverdueEvent,
    },
    Flapping {
        times: u32,
        within: Duration,
        what: Box<Reason>,
    },
    InhibitedBy {
        kind: GroupKind,
        name: GroupName,
    },
    RuleGone,
    UnitGone,
    Rebaselined,
    // Incidents.
    SilentTogether {
        silent: usize,
        of: usize,
        group: GroupKind,
    },
    BackTogether {
        still_silent: usize,
        of: usize,
    },
    IncidentWidened {
        kind: GroupKind,
        name: GroupName,
    },
    // Orders.
    FiredFor {
        after: Duration,
        what: Box<Reason>,
    },
    IncidentOrdered {
        kind: GroupKind,
        name: GroupName,
        units: usize,
    },
    IncidentOver {
        kind: GroupKind,
        name: GroupName,
    },
    Said {
        note: String,
    },
    ClearedByItself {
        what: Box<Reason>,
    },
    Verified {
        tests: Vec<Component>,
        held: Duration,
    },
    TestFailedAfterRepair {
        test: Component,
        code: Option<String>,
    },
    StillFiringAfterRepair {
        rule: RuleId,
    },
    Relapsed {
        after: Duration,
        what: Box<Reason>,
    },
    Joined {
        rule: RuleId,
        what: Box<Reason>,
    },
    Diagnosed {
        diagnosis: DiagnosisId,
        what: Box<Reason>,
    },
    MaintenanceEnded {
        unit: Option<UnitId>,
        what: Box<Reason>,
    },
}

/// Stores of before have a sentence here.
fn reason_or_text<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Box<Reason>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Kept {
        Reason(Box<Reason>),
        Text(String),
    }
    Ok(match Kept::deserialize(from)? {
        Kept::Reason(reason) => reason,
        Kept::Text(note) => Box::new(Reason::Said { note }),
    })
}

struct List<'a>(&'a [Component]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, component) in self.0.iter().enumerate() {
            write!(f, "{}{component}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

fn with_unit(value: f64, unit: &str) -> String {
    let number = plain_number(value);
    if unit.is_empty() { number } else { format!("{number} {unit}") }
}

fn code_text(code: &Option<String>) -> String {
    code.as_ref().map(|c| format!(" ({c})")).unwrap_or_default()
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NothingFor { kind, last, silence } => {
                let what = match kind {
                    Kind::Heartbeat => "no heartbeat",
                    Kind::Selftest => "no self-test",
                    Kind::Power => "no power message",
                    Kind::Press => "no press",
                    Kind::Status => "no status",
                    Kind::Reply => "no reply",
                };
                write!(f, "{what} for {}, last at {last}", SpanText(*silence))
            }
            Reason::HeardAgain { silence } => write!(f, "heard again after {}", SpanText(*silence)),
            Reason::FirstHeard => write!(f, "heard for the first time"),
            Reason::NeverHeard => write!(f, "has never been heard"),
            Reason::AsBefore => write!(f, "as it was before the first change that is kept"),
            Reason::NothingRecorded => write!(f, "nothing is recorded of this time"),
            Reason::NeverPassed { missing } if missing.is_empty() => {
                write!(f, "has never passed a self-test")
            }
            Reason::NeverPassed { missing } => write!(f, "has not yet passed: {}", List(missing)),
            Reason::TestsPassed { components } => write!(f, "tests passed: {}", List(components)),
            Reason::TestsOverdue { last, allowed } => {
                write!(f, "last self-test at {last}, more than {} ago", SpanText(*allowed))
            }
            Reason::Deaf { since } => write!(f, "the monitor has heard nothing since {since}"),
            Reason::DeafAndNotHeardSince { last } => {
                write!(f, "the monitor was deaf; this unit was last heard at {last}")
            }
            Reason::IncidentDoubtsHearing { silent, of } => {
                write!(f, "{silent} of {of} units fell silent at once: more likely the monitor is deaf")
            }
            Reason::AlertsFiring { rules, first } => match rules.len() {
                0 | 1 => write!(f, "{first}"),
                n => write!(f, "{first}; and {} more", n - 1),
            },
            Reason::AllClear => write!(f, "all alerts resolved, tests passed"),
            Reason::MaintenanceUntil { until } => write!(f, "in maintenance until {until}"),
            Reason::MaintenanceOver => write!(f, "maintenance is over"),
            Reason::Beyond { metric, value, unit, side, limit, consecutive } => {
                write!(f, "{metric} {} is {side} {}", with_unit(*value, unit), with_unit(*limit, unit))?;
                if *consecutive > 1 {
                    write!(f, ", {consecutive} times in a row")?;
                }
                Ok(())
            }
            Reason::Within { metric, value, unit, side, clear } => {
                let back = match side {
                    Side::Below => "at or above",
                    Side::Above => "at or below",
                };
                write!(f, "{metric} {} is back {back} {}", with_unit(*value, unit), with_unit(*clear, unit))
            }
            Reason::AgainstBaseline { metric, value, unit, side, limit, baseline, mode, consecutive } => {
                let mode = match mode {
                    Some(CameraMode::Ir) => " by infrared",
                    Some(CameraMode::Day) | None => "",
                };
                let (value, limit) = (with_unit(*value, unit), with_unit(*limit, unit));
                write!(f, "{metric} {value}{mode} is {side} {limit}; it was {} when new", with_unit(*baseline, unit))?;
                if *consecutive > 1 {
                    write!(f, ", {consecutive} times in a row")?;
                }
                Ok(())
            }
            Reason::Changing { metric, change, unit, side, limit, per } => {
                let (change, limit) = (with_unit(*change, unit), with_unit(*limit, unit));
                write!(f, "{metric} changes by {change} within {}, {side} {limit}", SpanText(*per))
            }
            Reason::Foreseen { metric, level, unit, side, limit, at, earliest, latest, confidence } => {
                let (level, limit) = (with_unit(*level, unit), with_unit(*limit, unit));
                let day = |t: &Timestamp| t.to_string().chars().take(10).collect::<String>();
                write!(
                    f,
                    "{metric} {level} will be {side} {limit} on {} (between {} and {}, {confidence} % sure)",
                    day(at),
                    day(earliest),
                    day(latest)
                )
            }
            Reason::NotForeseen { metric } => write!(f, "{metric} is no longer on its way to the limit"),
            Reason::Together { reasons } => {
                for (i, reason) in reasons.iter().enumerate() {
                    write!(f, "{}{reason}", if i == 0 { "" } else { "; and " })?;
                }
                Ok(())
            }
            Reason::HeldFor { span, what } => write!(f, "{what}, for {}", SpanText(*span)),
            Reason::ClearFor { span, what } => write!(f, "{what}, for {}", SpanText(*span)),
            Reason::BackBeforeFiring { what } => write!(f, "did not last: {what}"),
            Reason::Tested { test, result, code, consecutive } => {
                let said = match result {
                    Outcome::Pass => "passed",
                    Outcome::Fail => "failed",
                    Outcome::Inconclusive => "was inconclusive",
                    Outcome::Skipped => "was skipped",
                };
                write!(f, "{test} test {said}{}", code_text(code))?;
                if *consecutive > 1 {
                    write!(f, ", {consecutive} times in a row")?;
                }
                Ok(())
            }
            Reason::Counted { event, count: 1, within } => write!(f, "{event} within {}", SpanText(*within)),
            Reason::Counted { event, count, within } => {
                write!(f, "{event} {count} times within {}", SpanText(*within))
            }
            Reason::CountedFewer { event, count: 0, within } => write!(f, "no {event} within {}", SpanText(*within)),
            Reason::CountedFewer { event, count, within } => {
                write!(f, "{event} only {count} times within {}", SpanText(*within))
            }
            Reason::Overdue { event, last, every } => match last {
                Some(last) => write!(f, "no {event} for {}, last at {last}", SpanText(*every)),
                None => write!(f, "no {event} within {} of coming into service", SpanText(*every)),
            },
            Reason::DoneAgain { event } => write!(f, "{event} done"),
            Reason::Flapping { times, within, what } => {
                write!(f, "{what}; flapping: {times} times within {}", SpanText(*within))
            }
            Reason::InhibitedBy { kind, name } => write!(f, "part of the {kind} incident at {name}"),
            Reason::RuleGone => write!(f, "the rule is no longer in alerts.toml"),
            Reason::UnitGone => write!(f, "the unit is no longer in the fleet"),
            Reason::Rebaselined => write!(f, "its commissioning values are learned anew"),
            Reason::SilentTogether { silent, of, group } => {
                write!(f, "{silent} of {of} units of this {group} are affected")
            }
            Reason::BackTogether { still_silent, of } => {
                write!(f, "{} of {of} units are well again", of.saturating_sub(*still_silent))
            }
            Reason::IncidentWidened { kind, name } => write!(f, "taken over by the {kind} incident at {name}"),
            Reason::FiredFor { after, what } if after.is_zero() => write!(f, "{what}"),
            Reason::FiredFor { after, what } => write!(f, "{what}; alert firing for {}", SpanText(*after)),
            Reason::IncidentOrdered { kind, name, units } => {
                write!(f, "{units} units share the {kind} {name}")
            }
            Reason::IncidentOver { kind, name } => write!(f, "the {kind} incident at {name} is over"),
            Reason::Said { note } if note.is_empty() => write!(f, "no note given"),
            Reason::Said { note } => f.write_str(note),
            Reason::ClearedByItself { what } => write!(f, "cleared by itself: {what}"),
            Reason::Verified { tests, held } if tests.is_empty() => {
                write!(f, "alerts stayed resolved for {} after the repair", SpanText(*held))
            }
            Reason::Verified { tests, held } => {
                write!(f, "passed after the repair: {}; alerts stayed resolved for {}", List(tests), SpanText(*held))
            }
            Reason::TestFailedAfterRepair { test, code } => {
                write!(f, "{test} test failed after the repair{}", code_text(code))
            }
            Reason::StillFiringAfterRepair { rule } => write!(f, "{rule} fired again after the repair"),
            Reason::Relapsed { after, what } => {
                write!(f, "came back {} after it was closed: {what}", SpanText(*after))
            }
            Reason::Joined { rule, what } => write!(f, "{rule} joined: {what}"),
            Reason::Diagnosed { diagnosis, what } => write!(f, "{what}; {diagnosis}"),
            Reason::MaintenanceEnded { what, .. } => write!(f, "still wrong after maintenance: {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fires_comes_back_from_the_store_in_its_parts_and_from_an_older_one_as_its_sentence() {
        let failed = Reason::Tested {
            test: Component::Camera,
            result: Outcome::Fail,
            code: Some("blocked".to_owned()),
            consecutive: 3,
        };
        let rules = vec![RuleId::parse("camera-dead").expect("a rule"), RuleId::parse("battery-low").expect("a rule")];
        for first in [failed, Reason::AllClear, Reason::Together { reasons: vec![Reason::RuleGone] }] {
            let firing = Reason::AlertsFiring { rules: rules.clone(), first: Box::new(first) };
            let kept = serde_json::to_string(&firing).expect("it is written");
            assert_eq!(serde_json::from_str::<Reason>(&kept).expect("it is read"), firing);
        }
        let older =
            r#"{"alerts-firing":{"rules":["camera-dead","battery-low"],"first":"camera test failed (blocked)"}}"#;
        let older: Reason = serde_json::from_str(older).expect("it is read");
        assert_eq!(older.to_string(), "camera test failed (blocked); and 1 more");
    }
}
