//! Why something is so, in the reader's words: a reason in its parts → a sentence. The sentences stand in the files of words
//! under `why-`. Never decides, and never translates what a person or `alerts.toml` wrote.

use std::time::Duration;

use fluent_bundle::FluentValue;

use crate::domain::metric::plain_number;
use crate::domain::on_demand::{CommandState, CommandView, Hindrance};
use crate::domain::order::Evidence;
use crate::domain::{Component, GroupKind, Reason, Timestamp};
use crate::render::mail::escaped;

use super::reader::Reader;

impl Reader {
    /// As HTML. `text`: the reason as a sentence, for where its parts are not known.
    pub fn why(&self, because: Option<&Reason>, text: &str) -> String {
        match because {
            // What somebody wrote has its own direction.
            Some(Reason::Said { note }) if !note.is_empty() => self.written(note),
            Some(reason) => escaped(&self.because(reason)),
            None => self.reason(text),
        }
    }

    /// As HTML: what a command waits for or came to, beside its state. None: the state says it all.
    pub fn command(&self, command: &CommandView) -> Option<String> {
        let hindrance = || {
            Some(match command.hindrance.as_ref()? {
                Hindrance::Away => escaped(&self.say("hindered-away")),
                Hindrance::TakesNoCommands => escaped(&self.say("hindered-takes-no-commands")),
                Hindrance::Slow => escaped(&self.say("hindered-slow")),
                Hindrance::BrokerAway => escaped(&self.say("hindered-broker-away")),
                Hindrance::Other(why) => self.reason(why),
            })
        };
        match command.state {
            CommandState::Waiting => hindrance(),
            CommandState::Refused => command.error.as_ref().map(|why| self.written(why)),
            CommandState::Expired if command.sent_at.is_some() => Some(escaped(&self.say("expired-unanswered"))),
            CommandState::Expired => hindrance(),
            CommandState::Sent | CommandState::Accepted | CommandState::Done => None,
        }
    }

    /// As HTML.
    pub fn evidence(&self, evidence: &Evidence) -> String {
        let say = |key: &str, args: &[(&str, FluentValue<'_>)]| self.say_with(key, args);
        let (at, what) = match evidence {
            Evidence::Said(text) => return self.reason(text),
            Evidence::Seen { at, why } => (at, self.because(why)),
            Evidence::Also { at, rule, why } => {
                let rule = rule.as_str().to_owned().into();
                (at, say("evidence-also", &[("rule", rule), ("what", self.because(why).into())]))
            }
            Evidence::Reading { at, metric, value, new } => {
                let figure = |value| self.value(&metric.figure(value)).into();
                let args = [("what", self.of_metric(metric.name())), ("value", figure(*value))];
                let reading = say("evidence-reading", &args);
                match new {
                    Some(new) => (at, say("evidence-new", &[("what", reading.into()), ("baseline", figure(*new))])),
                    None => (at, reading),
                }
            }
            Evidence::Others { at, kind, name, of, heard, dark } => {
                let args = [
                    ("n", (*heard).into()),
                    ("all", (*of).into()),
                    ("kind", self.of_group(*kind)),
                    ("name", name.as_str().to_owned().into()),
                ];
                let others = say("evidence-others", &args);
                match dark {
                    Some(dark) => (at, say("evidence-dark", &[("what", others.into()), ("n", (*dark).into())])),
                    None => (at, others),
                }
            }
        };
        escaped(&say("evidence-at", &[("at", self.of_time(*at)), ("what", what.into())]))
    }

    fn list(&self, components: &[Component]) -> FluentValue<'static> {
        let names: Vec<String> = components.iter().map(|c| self.say(&format!("component-{c}"))).collect();
        names.join(&self.say("why-comma")).into()
    }

    pub(super) fn of_component(&self, component: Component) -> FluentValue<'static> {
        self.say(&format!("component-{component}")).into()
    }

    fn of_group(&self, kind: GroupKind) -> FluentValue<'static> {
        self.say(&format!("group-{kind}")).into()
    }

    fn of_metric(&self, metric: &str) -> FluentValue<'static> {
        self.metric(metric).into()
    }

    pub(super) fn of_span(&self, span: Duration) -> FluentValue<'static> {
        match span.as_secs() {
            0 if !span.is_zero() => format!("{} ms", span.as_millis()).into(),
            _ => self.span(span).into(),
        }
    }

    pub(super) fn of_time(&self, at: Timestamp) -> FluentValue<'static> {
        self.short(at).into()
    }

    pub(super) fn in_a_row(&self, said: String, times: u32) -> String {
        match times {
            0 | 1 => said,
            n => self.say_with("why-in-a-row", &[("what", said.into()), ("n", n.into())]),
        }
    }

    pub(super) fn with_code(&self, said: String, code: Option<&String>) -> String {
        match code {
            Some(code) => self.say_with("why-code", &[("what", said.into()), ("code", code.clone().into())]),
            None => said,
        }
    }

    /// As text.
    pub fn because(&self, reason: &Reason) -> String {
        let say = |key: &str, args: &[(&str, FluentValue<'_>)]| self.say_with(key, args);
        let inner = |what: &Reason| FluentValue::from(self.because(what));
        match reason {
            Reason::NothingFor { kind, last, silence } => {
                let (span, at) = (self.of_span(*silence), self.of_time(*last));
                say("why-nothing", &[("kind", kind.as_str().into()), ("span", span), ("at", at)])
            }
            Reason::HeardAgain { silence } => say("why-heard-again", &[("span", self.of_span(*silence))]),
            Reason::FirstHeard => say("why-first-heard", &[]),
            Reason::NeverHeard => say("why-never-heard", &[]),
            Reason::AsBefore => say("why-as-before", &[]),
            Reason::NothingRecorded => say("why-nothing-recorded", &[]),
            Reason::NeverPassed { missing } if missing.is_empty() => say("why-never-passed", &[]),
            Reason::NeverPassed { missing } => say("why-not-yet-passed", &[("tests", self.list(missing))]),
            Reason::TestsPassed { components } => say("why-passed", &[("tests", self.list(components))]),
            Reason::TestsOverdue { last, allowed } => {
                say("why-tests-overdue", &[("at", self.of_time(*last)), ("span", self.of_span(*allowed))])
            }
            Reason::Deaf { since } => say("why-deaf", &[("at", self.of_time(*since))]),
            Reason::DeafAndNotHeardSince { last } => say("why-deaf-last", &[("at", self.of_time(*last))]),
            Reason::IncidentDoubtsHearing { silent, of } => {
                say("why-doubt", &[("n", (*silent).into()), ("all", (*of).into())])
            }
            Reason::AlertsFiring { rules, first } => match rules.len() {
                0 | 1 => self.because(first),
                n => say("why-and-more", &[("what", inner(first)), ("n", (n - 1).into())]),
            },
            Reason::AllClear => say("why-all-clear", &[]),
            Reason::MaintenanceUntil { until } => say("why-maintenance", &[("at", self.of_time(*until))]),
            Reason::MaintenanceOver => say("why-maintenance-over", &[]),
            Reason::Beyond { metric, value, unit, side, limit, consecutive } => {
                let args = [
                    ("what", self.of_metric(metric)),
                    ("value", with_unit(*value, unit)),
                    ("side", side.as_str().into()),
                    ("limit", with_unit(*limit, unit)),
                ];
                self.in_a_row(say("why-beyond", &args), *consecutive)
            }
            Reason::Within { metric, value, unit, side, clear } => {
                let (what, value, clear) = (self.of_metric(metric), with_unit(*value, unit), with_unit(*clear, unit));
                say("why-within", &[("what", what), ("value", value), ("side", side.as_str().into()), ("limit", clear)])
            }
            Reason::AgainstBaseline { metric, value, unit, side, limit, baseline, mode, consecutive } => {
                let args = [
                    ("what", self.of_metric(metric)),
                    ("value", with_unit(*value, unit)),
                    ("side", side.as_str().into()),
                    ("limit", with_unit(*limit, unit)),
                    ("baseline", with_unit(*baseline, unit)),
                    ("mode", mode.map_or("none", |m| m.as_str()).into()),
                ];
                self.in_a_row(say("why-baseline", &args), *consecutive)
            }
            Reason::Changing { metric, change, unit, side, limit, per } => {
                let args = [
                    ("what", self.of_metric(metric)),
                    ("value", with_unit(*change, unit)),
                    ("side", side.as_str().into()),
                    ("limit", with_unit(*limit, unit)),
                    ("span", self.of_span(*per)),
                ];
                say("why-changing", &args)
            }
            Reason::Foreseen { metric, level, unit, side, limit, at, earliest, latest, confidence } => {
                let args = [
                    ("what", self.of_metric(metric)),
                    ("value", with_unit(*level, unit)),
                    ("side", side.as_str().into()),
                    ("limit", with_unit(*limit, unit)),
                    ("day", self.day(*at).into()),
                    ("from", self.day(*earliest).into()),
                    ("until", self.day(*latest).into()),
                    ("sure", (*confidence).into()),
                ];
                say("why-foreseen", &args)
            }
            Reason::NotForeseen { metric } => say("why-not-foreseen", &[("what", self.of_metric(metric))]),
            Reason::Together { reasons } => {
                let all = reasons.iter().map(|r| self.because(r));
                all.reduce(|first, next| say("why-and", &[("first", first.into()), ("next", next.into())]))
                    .unwrap_or_default()
            }
            Reason::HeldFor { span, what } | Reason::ClearFor { span, what } => {
                say("why-for", &[("what", inner(what)), ("span", self.of_span(*span))])
            }
            Reason::BackBeforeFiring { what } => say("why-brief", &[("what", inner(what))]),
            Reason::Tested { test, result, code, consecutive } => {
                let said = say("why-tested", &[("test", self.of_component(*test)), ("result", result.as_str().into())]);
                self.in_a_row(self.with_code(said, code.as_ref()), *consecutive)
            }
            Reason::Counted { event, count, within } => {
                let (event, span) = (self.say(&format!("event-{event}")).into(), self.of_span(*within));
                say("why-counted", &[("event", event), ("n", (*count).into()), ("span", span)])
            }
            Reason::CountedFewer { event, count, within } => {
                let (event, span) = (self.say(&format!("event-{event}")).into(), self.of_span(*within));
                say("why-counted-fewer", &[("event", event), ("n", (*count).into()), ("span", span)])
            }
            Reason::Overdue { event, last, every } => {
                let (event, span) = (self.say(&format!("event-{event}")).into(), self.of_span(*every));
                match last {
                    Some(last) => say("why-overdue", &[("event", event), ("span", span), ("at", self.of_time(*last))]),
                    None => say("why-overdue-never", &[("event", event), ("span", span)]),
                }
            }
            Reason::DoneAgain { event } => say("why-done", &[("event", self.say(&format!("event-{event}")).into())]),
            Reason::Flapping { times, within, what } => {
                let span = self.of_span(*within);
                say("why-flapping", &[("what", inner(what)), ("n", (*times).into()), ("span", span)])
            }
            Reason::InhibitedBy { kind, name } => self.of_incident("why-inhibited", *kind, name.as_str()),
            Reason::RuleGone => say("why-rule-gone", &[]),
            Reason::UnitGone => say("why-unit-gone", &[]),
            Reason::Rebaselined => say("why-rebaselined", &[]),
            Reason::SilentTogether { silent, of, group } => {
                let args = [("n", (*silent).into()), ("all", (*of).into()), ("kind", self.of_group(*group))];
                say("why-together", &args)
            }
            Reason::BackTogether { still_silent, of } => {
                say("why-back-together", &[("n", of.saturating_sub(*still_silent).into()), ("all", (*of).into())])
            }
            Reason::IncidentWidened { kind, name } => self.of_incident("why-widened", *kind, name.as_str()),
            Reason::FiredFor { after, what } if after.is_zero() => self.because(what),
            Reason::FiredFor { after, what } => {
                say("why-fired-for", &[("what", inner(what)), ("span", self.of_span(*after))])
            }
            Reason::IncidentOrdered { kind, name, units } => {
                let args =
                    [("n", (*units).into()), ("kind", self.of_group(*kind)), ("name", name.as_str().to_owned().into())];
                say("why-incident-order", &args)
            }
            Reason::IncidentOver { kind, name } => self.of_incident("why-incident-over", *kind, name.as_str()),
            Reason::Said { note } if note.is_empty() => say("why-no-note", &[]),
            Reason::Said { note } => self.written_text(note),
            Reason::ClearedByItself { what } => say("why-cleared", &[("what", inner(what))]),
            Reason::Verified { tests, held } if tests.is_empty() => say("why-stayed", &[("span", self.of_span(*held))]),
            Reason::Verified { tests, held } => {
                say("why-verified", &[("tests", self.list(tests)), ("span", self.of_span(*held))])
            }
            Reason::TestFailedAfterRepair { test, code } => {
                self.with_code(say("why-failed-after", &[("test", self.of_component(*test))]), code.as_ref())
            }
            Reason::StillFiringAfterRepair { rule } => {
                say("why-firing-after", &[("rule", rule.as_str().to_owned().into())])
            }
            Reason::Relapsed { after, what } => {
                say("why-relapsed", &[("span", self.of_span(*after)), ("what", inner(what))])
            }
            Reason::Joined { rule, what } => {
                say("why-joined", &[("rule", rule.as_str().to_owned().into()), ("what", inner(what))])
            }
            Reason::Diagnosed { diagnosis, what } => {
                say("why-diagnosed", &[("what", inner(what)), ("diagnosis", diagnosis.as_str().to_owned().into())])
            }
            Reason::MaintenanceEnded { what, .. } => say("why-after-maintenance", &[("what", inner(what))]),
        }
    }

    fn of_incident(&self, key: &str, kind: GroupKind, name: &str) -> String {
        self.say_with(key, &[("kind", self.of_group(kind)), ("name", name.to_owned().into())])
    }
}

/// As the rest of the house writes it; a minus is not torn from its number.
fn with_unit(value: f64, unit: &str) -> FluentValue<'static> {
    let number = plain_number(value);
    if unit.is_empty() { number.into() } else { format!("{number} {unit}").into() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::words::Words;
    use super::*;
    use crate::domain::message::{CameraMode, Kind, Outcome};
    use crate::domain::rule::{CountedEvent, OverdueEvent, Side};
    use crate::domain::{GroupName, Metric, RuleId};

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    fn reader(language: &str) -> Reader {
        let language = Words::default().find(language).expect("carried");
        Reader { language, zone: chrono_tz::Asia::Karachi, now: at("2026-11-21T09:30:00Z") }
    }

    fn rule(name: &str) -> RuleId {
        RuleId::parse(name).expect("a rule")
    }

    fn low() -> Reason {
        Reason::Beyond {
            metric: "battery.voltage".to_owned(),
            value: 11.4,
            unit: "V".to_owned(),
            side: Side::Below,
            limit: 11.6,
            consecutive: 3,
        }
    }

    fn samples() -> Vec<Reason> {
        let (minute, hour, day) = (Duration::from_secs(60), Duration::from_secs(3600), Duration::from_secs(86_400));
        let group = || GroupName::parse("psh-fibre-01").expect("a name");
        let noon = at("2026-11-21T07:00:00Z");
        let silent = Reason::NothingFor { kind: Kind::Heartbeat, last: noon, silence: Duration::from_secs(95) };
        let failed = Reason::Tested {
            test: Component::Camera,
            result: Outcome::Fail,
            code: Some("blocked".into()),
            consecutive: 3,
        };
        let sharpness = Reason::AgainstBaseline {
            metric: "camera.sharpness".to_owned(),
            value: 0.41,
            unit: String::new(),
            side: Side::Below,
            limit: 0.5,
            baseline: 0.83,
            mode: Some(CameraMode::Ir),
            consecutive: 1,
        };
        let forecast = Reason::Foreseen {
            metric: "battery.health".to_owned(),
            level: 71.0,
            unit: "%".to_owned(),
            side: Side::Below,
            limit: 60.0,
            at: noon + day * 20,
            earliest: noon + day * 15,
            latest: noon + day * 30,
            confidence: 80,
        };
        vec![
            silent.clone(),
            failed.clone(),
            low(),
            sharpness,
            forecast,
            Reason::AlertsFiring { rules: vec![rule("camera-dead"), rule("battery-low")], first: Box::new(failed) },
            Reason::Together { reasons: vec![low(), silent.clone()] },
            Reason::Counted { event: CountedEvent::Boot, count: 1, within: hour },
            Reason::Counted { event: CountedEvent::UnansweredPress, count: 4, within: day },
            Reason::CountedFewer { event: CountedEvent::Boot, count: 0, within: hour },
            Reason::Overdue { event: OverdueEvent::PressTest, last: None, every: day * 30 },
            Reason::NeverPassed { missing: vec![Component::Camera, Component::Uplink] },
            Reason::TestsPassed { components: vec![Component::Camera, Component::Microphone] },
            Reason::SilentTogether { silent: 5, of: 6, group: GroupKind::Uplink },
            Reason::InhibitedBy { kind: GroupKind::Feeder, name: group() },
            Reason::Relapsed {
                after: hour * 26,
                what: Box::new(Reason::HeldFor { span: minute, what: Box::new(silent) }),
            },
            Reason::ClearedByItself { what: Box::new(Reason::HeardAgain { silence: minute }) },
            Reason::Verified { tests: vec![Component::Camera], held: hour },
            Reason::Said { note: "نیا کیمرا لگا دیا".to_owned() },
            Reason::NeverHeard,
            Reason::AsBefore,
            Reason::NothingRecorded,
        ]
    }

    #[test]
    fn reasons_are_whole_sentences_in_english_and_urdu() {
        let mut lines = String::new();
        for reason in samples() {
            lines.push_str(&format!("{reason}\n"));
            for language in ["en", "ur"] {
                // The marks that keep a number whole in a line from the right cannot be seen.
                let said = reader(language).because(&reason).replace(['\u{200f}', '\u{2068}', '\u{2069}'], "");
                lines.push_str(&format!("  {language} {said}\n"));
            }
        }
        insta::assert_snapshot!("reasons", lines);
    }

    #[test]
    fn what_speaks_for_an_order_is_said_in_english_and_urdu_and_reads_back_as_it_was_kept() {
        let noon = at("2026-11-21T07:00:00Z");
        let others = |kind, dark| {
            let name = GroupName::parse("psh-fibre-01").expect("a name");
            Evidence::Others { at: noon, kind, name, of: 5, heard: 4, dark }
        };
        let reading = |metric, value, new| Evidence::Reading { at: noon, metric, value, new };
        let all = vec![
            Evidence::Seen { at: noon, why: low() },
            Evidence::Also { at: noon, rule: rule("camera-dead"), why: Reason::FirstHeard },
            reading(Metric::LinkRssi, -97.0, None),
            reading(Metric::MainsPresent, 0.0, None),
            reading(Metric::CameraSharpness, 206.0, Some(412.0)),
            others(GroupKind::Uplink, None),
            others(GroupKind::Feeder, Some(3)),
            Evidence::Said("as an older program <b>kept</b> it".to_owned()),
        ];
        let kept = serde_json::to_string(&all).expect("JSON");
        assert_eq!(serde_json::from_str::<Vec<Evidence>>(&kept).expect("reads"), all);
        let mut lines = String::new();
        for evidence in &all {
            lines.push_str(&format!("{evidence}\n"));
            for language in ["en", "ur"] {
                let said = reader(language).evidence(evidence).replace(['\u{200f}', '\u{2068}', '\u{2069}'], "");
                lines.push_str(&format!("  {language} {said}\n"));
            }
        }
        insta::assert_snapshot!("evidence", lines);
    }

    /// The match over all reasons is whole, or it would not be built: so are its words, if each key is there.
    #[test]
    fn every_sentence_is_in_the_files_and_every_sentence_of_the_files_is_used() {
        let source = include_str!("because.rs").split("#[cfg(test)]").next().expect("the code");
        let used: BTreeSet<&str> =
            source.split('"').filter(|piece| piece.starts_with("why-") && !piece.ends_with('-')).collect();
        let words = Words::default();
        let known: BTreeSet<String> =
            words.english().keys().into_iter().filter(|key| key.starts_with("why-")).collect();
        assert_eq!(used.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), known);
    }

    #[test]
    fn what_somebody_wrote_is_escaped_and_stays_as_it_is() {
        let note = Reason::Said { note: "<b>new SIM</b> at 2026-11-21T07:00:00.000Z".to_owned() };
        let html = reader("ur").why(Some(&note), "");
        assert!(html.starts_with("<bdi>&lt;b&gt;new SIM&lt;/b&gt; at ") && !html.contains("T07:00"), "{html}");
        let cleared = Reason::ClearedByItself { what: Box::new(note) };
        assert!(reader("en").why(Some(&cleared), "").contains("&lt;b&gt;new SIM"));
        assert_eq!(reader("en").why(None, "from <afar>"), "<bdi>from &lt;afar&gt;</bdi>");
    }
}
