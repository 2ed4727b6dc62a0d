//! Which topics a connection may use, and which unit they name: the own-topic rule of DESIGN §4.
//! Never counts, never answers: it says what is wrong, and the connection acts.

use crate::domain::{Kind, UnitId};
use crate::wire::refusal::RefusalKind;

use super::packet::Fault;

/// The last part of the one topic that is sent to units.
const COMMAND: &str = "command";

#[derive(Debug, Clone)]
pub struct Topics {
    /// `buttonwatch/v1/`
    prefix: String,
}

/// What a PUBLISH (or a last will) on this topic means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The connection's own unit, or the first unit that an unbound connection names.
    Own,
    Binds(UnitId),
    /// Dropped and counted; the connection goes on. MQTT 3.1.1 has no negative answer, so it is acknowledged all the same: a
    /// wrongly configured unit that resent or reconnected for ever would never be heard at all.
    Refused(Fault),
    /// A topic no client may ever publish on (empty, a wildcard, a null character): the connection ends.
    Broken(Fault),
}

/// How a unit may subscribe to its commands. A bit each: a unit may hold several at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandFilter {
    Exact,
    OneLevel,
    All,
}

impl CommandFilter {
    pub const COUNT: usize = 3;
    pub fn index(self) -> usize {
        match self {
            CommandFilter::Exact => 0,
            CommandFilter::OneLevel => 1,
            CommandFilter::All => 2,
        }
    }
}

impl Topics {
    pub fn new(root: &str) -> Self {
        Topics { prefix: format!("{root}/") }
    }

    pub fn command_of(&self, unit: &UnitId) -> String {
        format!("{}{unit}/{COMMAND}", self.prefix)
    }

    /// `owner` None: an open connection that has not named its unit yet.
    pub fn judge_publish(&self, owner: Option<&UnitId>, topic: &str) -> Verdict {
        let named = topic.strip_prefix(self.prefix.as_str()).and_then(|rest| rest.split_once('/'));
        // Nearly every message ends here: neither an owner nor a known kind holds a wildcard or a null character.
        if let (Some((unit, kind)), Some(owner)) = (named, owner)
            && owner.as_str() == unit
            && kind.parse::<Kind>().is_ok()
        {
            return Verdict::Own;
        }
        let bad_topic = |why: String| Fault { kind: RefusalKind::BadTopic, why };
        if topic.is_empty() {
            return Verdict::Broken(bad_topic("an empty topic".into()));
        }
        if let Some(wrong) = topic.chars().find(|c| matches!(c, '+' | '#' | '\0')) {
            return Verdict::Broken(bad_topic(format!("{wrong:?} in the topic of a PUBLISH")));
        }
        let Some((unit, kind)) = named else {
            return Verdict::Refused(bad_topic(format!("a unit publishes on {}UNIT/KIND", self.prefix)));
        };
        let unit = match UnitId::parse(unit) {
            Ok(unit) => unit,
            Err(invalid) => return Verdict::Refused(bad_topic(invalid.to_string())),
        };
        if let Some(owner) = owner
            && *owner != unit
        {
            let why = format!("{owner} may publish only under {}{owner}/", self.prefix);
            return Verdict::Refused(Fault { kind: RefusalKind::ForeignTopic, why });
        }
        if let Err(unknown) = kind.parse::<Kind>() {
            return Verdict::Refused(Fault { kind: RefusalKind::UnknownKind, why: unknown.to_string() });
        }
        match owner {
            Some(_) => Verdict::Own,
            None => Verdict::Binds(unit),
        }
    }

    /// The unit whose commands this filter asks for, and no other topic's. Err: it would match more, or something else.
    pub fn judge_filter(&self, owner: Option<&UnitId>, filter: &str) -> Result<(UnitId, CommandFilter), Fault> {
        let asked = filter.strip_prefix(self.prefix.as_str()).and_then(|rest| rest.split_once('/'));
        if let Some((unit, last)) = asked
            && let Ok(unit) = UnitId::parse(unit)
            && owner.is_none_or(|owner| *owner == unit)
        {
            let filter = match last {
                COMMAND => Some(CommandFilter::Exact),
                "+" => Some(CommandFilter::OneLevel),
                "#" => Some(CommandFilter::All),
                _ => None,
            };
            if let Some(filter) = filter {
                return Ok((unit, filter));
            }
        }
        let whose = owner.map_or("UNIT", |owner| owner.as_str());
        Err(Fault {
            kind: RefusalKind::ForeignSubscription,
            why: format!("a unit may subscribe only to {}{whose}/{COMMAND}", self.prefix),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics() -> Topics {
        Topics::new("buttonwatch/v1")
    }

    #[track_caller]
    fn publish(owner: Option<&str>, topic: &str, expected: &str) {
        let owner = owner.map(|unit| UnitId::parse(unit).unwrap());
        let said = match topics().judge_publish(owner.as_ref(), topic) {
            Verdict::Own => "own".to_owned(),
            Verdict::Binds(unit) => format!("binds {unit}"),
            Verdict::Refused(fault) => format!("refused {}", fault.kind),
            Verdict::Broken(fault) => format!("broken {}", fault.kind),
        };
        assert_eq!(said, expected, "{topic}");
    }

    #[test]
    fn a_unit_publishes_only_under_its_own_topic() {
        for kind in Kind::ALL {
            publish(Some("PSH-001"), &format!("buttonwatch/v1/PSH-001/{kind}"), "own");
            publish(Some("PSH-001"), &format!("buttonwatch/v1/PSH-002/{kind}"), "refused foreign-topic");
            publish(None, &format!("buttonwatch/v1/PSH-002/{kind}"), "binds PSH-002");
        }
        publish(Some("PSH-001"), "buttonwatch/v1/PSH-001/command", "refused unknown-kind");
        publish(Some("PSH-001"), "buttonwatch/v1/PSH-002/command", "refused foreign-topic");
        publish(None, "buttonwatch/v1/PSH-002/command", "refused unknown-kind");
        publish(Some("PSH-001"), "buttonwatch/v1/PSH-001/heartbeat/x", "refused unknown-kind");
        publish(Some("PSH-001"), "buttonwatch/v1/PSH-001", "refused bad-topic");
        publish(Some("PSH-001"), "buttonwatch/v1//heartbeat", "refused bad-topic");
        publish(Some("PSH-001"), "buttonwatch/v1/é/heartbeat", "refused bad-topic");
        publish(None, "buttonwatch/v1/é/heartbeat", "refused bad-topic");
        publish(Some("PSH-001"), "é/x", "refused bad-topic");
        publish(Some("PSH-001"), "$SYS/x", "refused bad-topic");
        publish(Some("PSH-001"), "/", "refused bad-topic");
    }

    #[test]
    fn topics_that_no_client_may_use_end_the_connection() {
        for topic in [
            "",
            "+",
            "#",
            "é/#",
            "a\0b",
            "buttonwatch/v1/+/heartbeat",
            "buttonwatch/v1/PSH-001/#",
            "buttonwatch/v1/PSH-001/heart\0beat",
        ] {
            publish(Some("PSH-001"), topic, "broken bad-topic");
            publish(None, topic, "broken bad-topic");
        }
    }

    #[test]
    fn a_unit_subscribes_only_to_its_own_commands() {
        let own = UnitId::parse("PSH-001").unwrap();
        for (filter, expected) in [
            ("buttonwatch/v1/PSH-001/command", CommandFilter::Exact),
            ("buttonwatch/v1/PSH-001/+", CommandFilter::OneLevel),
            ("buttonwatch/v1/PSH-001/#", CommandFilter::All),
        ] {
            assert_eq!(topics().judge_filter(Some(&own), filter), Ok((own.clone(), expected)));
            assert_eq!(topics().judge_filter(None, filter), Ok((own.clone(), expected)));
        }
        for filter in [
            "",
            "#",
            "+",
            "é/#",
            "$SYS/#",
            "buttonwatch/v1/#",
            "buttonwatch/v1/+/command",
            "buttonwatch/v1/PSH-002/command",
            "buttonwatch/v1/PSH-002/#",
            "buttonwatch/v1/PSH-001/heartbeat",
            "buttonwatch/v1/PSH-001/command/#",
            "buttonwatch/v1/PSH-001",
            "$share/g/buttonwatch/v1/PSH-001/command",
        ] {
            let refused = topics().judge_filter(Some(&own), filter).unwrap_err();
            assert_eq!(refused.kind, RefusalKind::ForeignSubscription, "{filter}");
        }
    }
}
