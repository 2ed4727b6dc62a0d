//! What rules ask for and how their signs stand, in the reader's words: a condition or a figure in its parts → a phrase. The
//! phrases stand in the files of words under `asks-` and `figure-`. Never judges, never decides what is shown.

use fluent_bundle::FluentValue;

use crate::domain::explain::{Figure, OnlyFor, SignView, Told, figure_of, name_of};
use crate::domain::metric::plain_number;
use crate::domain::rule::{Condition, Distance, ForecastLimit, OverdueFrom, Side};
use crate::render::mail::escaped;

use super::reader::Reader;

impl Reader {
    /// As HTML. `text`: the condition as a sentence, for where its parts are not known.
    pub fn asks(&self, condition: Option<&Condition>, text: &str) -> String {
        condition.map_or_else(|| self.reason(text), |condition| escaped(&self.condition(condition)))
    }

    /// As HTML: what the sign asks of this metric, for a line that names the metric already. None: it is about another one.
    pub fn asks_of(&self, metric: &str, view: &SignView) -> Option<String> {
        match &view.sign {
            Some(sign) => {
                let (of, asked) = self.of_reading(sign)?;
                (of == metric).then(|| escaped(&asked))
            }
            None => view.asks.strip_prefix(metric)?.strip_prefix(' ').map(|asked| self.reason(asked)),
        }
    }

    /// As HTML: why a rule is not for a button.
    pub fn only_for(&self, only: &OnlyFor) -> String {
        let args = [
            ("key", self.say(&format!("only-{}", only.key)).into()),
            ("list", only.list.join(&self.say("why-comma")).into()),
            ("has", only.has.clone().into()),
        ];
        escaped(&self.say_with(if only.has.is_empty() { "asks-only-none" } else { "asks-only" }, &args))
    }

    /// As HTML.
    pub fn figure(&self, figure: &Figure) -> String {
        let Some(told) = &figure.told else { return self.reason(&format!("{} {}", figure.what, figure.text)) };
        let key = format!("figure-{}", figure.what.replace(' ', "-"));
        escaped(&self.say_with(&key, &[("figure", self.told(told).into())]))
    }

    /// A value as it came: all but yes and no is the same in every language.
    pub fn value(&self, text: &str) -> String {
        match text {
            "yes" | "no" => self.say(text),
            figure => figure.to_owned(),
        }
    }

    /// As text.
    fn condition(&self, condition: &Condition) -> String {
        if let Some((metric, asked)) = self.of_reading(condition) {
            return self.say_with("asks-of", &[("what", self.metric(&metric).into()), ("asked", asked.into())]);
        }
        let say = |key: &str, args: &[(&str, FluentValue<'_>)]| self.say_with(key, args);
        let joined = |key: &str, parts: &[Condition]| {
            let one = |part: &Condition| match part.is_combined() {
                true => say("asks-inner", &[("what", self.condition(part).into())]),
                false => self.condition(part),
            };
            let all = parts.iter().map(one);
            all.reduce(|first, next| say(key, &[("first", first.into()), ("next", next.into())])).unwrap_or_default()
        };
        match condition {
            Condition::Silent { kind, missed, slack } => {
                let silent = say("asks-silent", &[("kind", kind.as_str().into()), ("n", (*missed).into())]);
                match slack {
                    Some(slack) => say("asks-slack", &[("what", silent.into()), ("span", self.of_span(*slack))]),
                    None => silent,
                }
            }
            Condition::Result { test, is, consecutive } => {
                let (test, result) = (self.of_component(*test), is.as_str().into());
                self.in_a_row(say("why-tested", &[("test", test), ("result", result)]), *consecutive)
            }
            Condition::Count { event, at_least, within } => {
                let (event, span) = (self.say(&format!("event-{event}")).into(), self.of_span(*within));
                say("asks-count", &[("event", event), ("n", (*at_least).into()), ("span", span)])
            }
            Condition::Overdue { event, every, from } => {
                let (event, span) = (self.say(&format!("event-{event}")).into(), self.of_span(*every));
                let overdue = say("asks-overdue", &[("event", event), ("span", span)]);
                match from {
                    OverdueFrom::Service => overdue,
                    OverdueFrom::Last => say("asks-once", &[("what", overdue.into())]),
                }
            }
            Condition::All(parts) => joined("asks-all", parts),
            Condition::Any(parts) => joined("asks-any", parts),
            Condition::Threshold { .. }
            | Condition::Baseline { .. }
            | Condition::Rate { .. }
            | Condition::Forecast { .. } => String::new(),
        }
    }

    /// The metric that the sign reads, and what it asks of it. None: it reads none.
    fn of_reading(&self, sign: &Condition) -> Option<(String, String)> {
        let say = |key: &str, args: &[(&str, FluentValue<'_>)]| self.say_with(key, args);
        let beyond =
            |side: Side, limit: String| say("asks-beyond", &[("side", side.as_str().into()), ("limit", limit.into())]);
        let far = |side: Side, distance: &Distance, unit: &str| {
            let side = side.as_str().into();
            match distance {
                Distance::Share(share) => {
                    say("asks-share", &[("side", side), ("n", plain_number(share * 100.0).into())])
                }
                Distance::Gap(gap) => {
                    say("asks-gap", &[("side", side), ("n", format!("{} {unit}", plain_number(*gap)).into())])
                }
            }
        };
        let clear = |asked: String, clear: Option<String>| match clear {
            Some(clear) => say("asks-clear", &[("asked", asked.into()), ("clear", clear.into())]),
            None => asked,
        };
        Some(match sign {
            Condition::Threshold { metric, side, limit, clear: good, consecutive } => {
                let asked = self.in_a_row(beyond(*side, figure_of(metric, *limit)), *consecutive);
                let good = (good != limit).then(|| beyond(side.other(), figure_of(metric, *good)));
                (name_of(metric), clear(asked, good))
            }
            Condition::Baseline { metric, side, limit, clear: good, consecutive } => {
                let unit = metric.facts().unit;
                let asked = self.in_a_row(far(*side, limit, unit), *consecutive);
                let good = (good != limit).then(|| far(side.other(), good, unit));
                (metric.name().to_owned(), clear(asked, good))
            }
            Condition::Rate { metric, side, limit, per, over } => {
                let args = [
                    ("side", side.as_str().into()),
                    ("limit", figure_of(metric, *limit).into()),
                    ("per", self.of_span(*per)),
                    ("over", self.of_span(*over)),
                ];
                (name_of(metric), say("asks-rate", &args))
            }
            Condition::Forecast { metric, side, limit, within, watch: _ } => {
                let asked = match limit {
                    ForecastLimit::Fixed(limit) => beyond(*side, metric.figure(*limit)),
                    ForecastLimit::Baseline(distance) => far(*side, distance, metric.facts().unit),
                };
                let asked = say("asks-forecast", &[("asked", asked.into()), ("span", self.of_span(*within))]);
                (metric.name().to_owned(), asked)
            }
            Condition::Silent { .. }
            | Condition::Result { .. }
            | Condition::Count { .. }
            | Condition::Overdue { .. }
            | Condition::All(_)
            | Condition::Any(_) => return None,
        })
    }

    /// As text.
    fn told(&self, told: &Told) -> String {
        let say = |key: &str, args: &[(&str, FluentValue<'_>)]| self.say_with(key, args);
        match told {
            Told::Value { value, at: None } | Told::Learned { value, mode: None } => self.value(value),
            Told::Value { value, at: Some(at) } => {
                say("figure-at", &[("figure", self.value(value).into()), ("at", self.of_time(*at))])
            }
            Told::Learned { value, mode: Some(mode) } => {
                say("figure-mode", &[("figure", value.clone().into()), ("mode", mode.as_str().into())])
            }
            Told::Change { by, within } => {
                say("figure-within", &[("figure", by.clone().into()), ("span", self.of_span(*within))])
            }
            Told::Tested { result, code, at } => {
                let result = self.with_code(self.say(&format!("outcome-{result}")), code.as_ref());
                say("figure-at", &[("figure", result.into()), ("at", self.of_time(*at))])
            }
            Told::At(at) => self.short(*at),
            Told::Span(span) => self.span(*span),
            Told::OutOf { n, of } => say("figure-of", &[("n", (*n).into()), ("all", (*of).into())]),
            Told::Foreseen { at, earliest, latest, confidence } => {
                let args = [
                    ("day", self.day(*at).into()),
                    ("from", self.day(*earliest).into()),
                    ("until", self.day(*latest).into()),
                    ("sure", (*confidence).into()),
                ];
                say("figure-foreseen", &args)
            }
            Told::NoTrend => say("figure-no-trend", &[]),
            Told::NotLearned => say("figure-not-learned", &[]),
            Told::NotKnown => say("figure-not-known", &[]),
            Told::Never => say("never", &[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::super::words::Words;
    use super::*;
    use crate::domain::message::{CameraMode, Kind, Outcome};
    use crate::domain::rule::{CountedEvent, MetricRef, OverdueEvent};
    use crate::domain::{Component, Metric, Timestamp};

    fn reader(language: &str) -> Reader {
        let language = Words::default().find(language).expect("carried");
        let now = Timestamp::parse("2026-11-21T09:30:00Z").expect("a time");
        Reader { language, zone: chrono_tz::Asia::Karachi, now }
    }

    fn low(clear: f64, consecutive: u32) -> Condition {
        let metric = MetricRef::Known(Metric::BatteryVoltage);
        Condition::Threshold { metric, side: Side::Below, limit: 11.6, clear, consecutive }
    }

    fn conditions() -> Vec<Condition> {
        let (hour, day) = (Duration::from_secs(3_600), Duration::from_secs(86_400));
        let silent = |slack| Condition::Silent { kind: Kind::Heartbeat, missed: 3, slack };
        let (side, metric) = (Side::Below, Metric::CameraSharpness);
        let share = Distance::Share(0.5);
        let failed = Condition::Result { test: Component::Camera, is: Outcome::Fail, consecutive: 3 };
        let overdue = |from| Condition::Overdue { event: OverdueEvent::PressTest, every: day * 30, from };
        vec![
            low(11.6, 1),
            low(12.6, 3),
            Condition::Threshold {
                metric: MetricRef::Vendor("fan_rpm".into()),
                side: Side::Above,
                limit: 4000.0,
                clear: 3500.0,
                consecutive: 1,
            },
            Condition::Baseline { metric, side, limit: share, clear: Distance::Share(0.7), consecutive: 2 },
            Condition::Baseline {
                metric: Metric::MicrophoneTone,
                side,
                limit: Distance::Gap(10.0),
                clear: Distance::Gap(10.0),
                consecutive: 1,
            },
            Condition::Rate {
                metric: MetricRef::Known(Metric::EnclosureTemperature),
                side: Side::Above,
                limit: 10.0,
                per: hour,
                over: hour * 3,
            },
            Condition::Forecast {
                metric: Metric::BatteryHealth,
                side,
                limit: ForecastLimit::Fixed(60.0),
                within: day * 30,
                watch: day * 5,
            },
            Condition::Forecast {
                metric,
                side,
                limit: ForecastLimit::Baseline(share),
                within: day * 14,
                watch: day * 5,
            },
            silent(None),
            silent(Some(hour)),
            failed.clone(),
            Condition::Count { event: CountedEvent::Boot, at_least: 4, within: hour },
            Condition::Count { event: CountedEvent::UnansweredPress, at_least: 1, within: day },
            overdue(OverdueFrom::Service),
            overdue(OverdueFrom::Last),
            Condition::All(vec![low(11.6, 1), Condition::Any(vec![silent(None), failed])]),
        ]
    }

    fn figures() -> Vec<Figure> {
        let at = Timestamp::parse("2026-11-21T09:05:00Z").expect("a time");
        let (hour, day) = (Duration::from_secs(3_600), Duration::from_secs(86_400));
        let of = |value: &str| Told::Value { value: value.to_owned(), at: None };
        let code = Some("blocked".to_owned());
        let foreseen =
            Told::Foreseen { at: at + day * 20, earliest: at + day * 9, latest: at + day * 31, confidence: 80 };
        [
            ("now", Told::Value { value: "11.4 V".to_owned(), at: Some(at) }),
            ("now", of("no")),
            ("now", Told::NotKnown),
            ("limit", of("206.04")),
            ("baseline", Told::Learned { value: "412.07".to_owned(), mode: Some(CameraMode::Ir) }),
            ("baseline", Told::NotLearned),
            ("trend", Told::Change { by: "12 °C".to_owned(), within: hour }),
            ("trend", Told::NoTrend),
            ("last", Told::Tested { result: Outcome::Fail, code, at }),
            ("last", Told::At(at)),
            ("last", Told::Never),
            ("counted", Told::OutOf { n: 2, of: 4 }),
            ("in a row", Told::OutOf { n: 1, of: 3 }),
            ("allowed", Told::Span(Duration::from_secs(95))),
            ("reaches the limit", foreseen),
        ]
        .into_iter()
        .map(|(what, told)| Figure::new(what, told))
        .collect()
    }

    /// The marks that keep a number whole in a line from the right cannot be seen.
    fn seen(text: &str) -> String {
        text.replace(['\u{200f}', '\u{2068}', '\u{2069}'], "")
    }

    #[test]
    fn conditions_and_figures_are_phrases_in_english_and_urdu() {
        let mut lines = String::new();
        for condition in conditions() {
            lines.push_str(&format!("{}\n", crate::domain::explain::asks(&condition)));
            for language in ["en", "ur"] {
                lines.push_str(&format!("  {language} {}\n", seen(&reader(language).asks(Some(&condition), ""))));
            }
        }
        for figure in figures() {
            lines.push_str(&format!("{} {}\n", figure.what, figure.text));
            for language in ["en", "ur"] {
                lines.push_str(&format!("  {language} {}\n", seen(&reader(language).figure(&figure))));
            }
        }
        insta::assert_snapshot!("asks", lines);
    }

    #[test]
    fn why_a_rule_is_not_for_a_button_is_said_in_english_and_urdu() {
        let only = |key, has: &str| OnlyFor { key, list: vec!["saddar".into(), "cantt".into()], has: has.into() };
        assert_eq!(only("crew", "kohat").to_string(), "only for crew saddar, cantt; this unit has \"kohat\"");
        let said = |language: &str, only: &OnlyFor| seen(&reader(language).only_for(only));
        assert_eq!(said("en", &only("crew", "kohat")), "only for: Crew saddar, cantt; this button has kohat");
        assert_eq!(said("en", &only("uplink", "")), "only for: Network circuit saddar, cantt; this button has none");
        assert!(said("ur", &only("crew", "kohat")).contains("عملہ"), "{}", said("ur", &only("crew", "kohat")));
        // The keys are those that alerts.toml has.
        for key in ["unit", "site", "site_type", "city", "district", "crew", "uplink", "feeder", "model"] {
            assert!(Words::default().all().all(|l| l.knows(&format!("only-{key}"))), "{key}");
        }
    }

    #[test]
    fn a_line_that_names_its_metric_gets_the_limit_without_it() {
        let view = |sign: Condition| SignView {
            asks: crate::domain::explain::asks(&sign),
            sign: Some(sign),
            says: crate::domain::explain::Says::Not,
            figures: Vec::new(),
            due: None,
        };
        let reader = reader("en");
        let about = |metric: &str, view: &SignView| reader.asks_of(metric, view).map(|text| seen(&text));
        let low = view(low(12.6, 1));
        assert_eq!(about("battery.voltage", &low).as_deref(), Some("below 11.6 V, good again above 12.6 V"));
        assert_eq!(about("battery", &low), None);
        assert_eq!(about("mains.voltage", &low), None);
        let from_afar = SignView { sign: None, ..low };
        let told = about("battery.voltage", &from_afar).expect("it is about that");
        assert!(told.contains("below 11.6 V, clear above 12.6 V"), "{told}");
        assert_eq!(about("mains.voltage", &from_afar), None);
    }

    #[test]
    fn every_phrase_is_in_the_files_and_every_phrase_of_the_files_is_used() {
        let families = ["asks-", "figure-", "hindered-", "expired-", "evidence-", "chart-"];
        let is_one = |key: &&str| families.iter().any(|family| key.starts_with(family) && !key.ends_with(['-', '}']));
        let sources = [include_str!("asks.rs"), include_str!("because.rs"), include_str!("charts.rs")];
        let code = sources.map(|text| text.split("#[cfg(test)]").next().expect("the code"));
        let mut used: BTreeSet<String> =
            code.iter().flat_map(|text| text.split('"')).filter(is_one).map(str::to_owned).collect();
        used.extend(figures().iter().map(|figure| format!("figure-{}", figure.what.replace(' ', "-"))));
        let words = Words::default();
        let known: BTreeSet<String> = words.english().keys().into_iter().filter(|key| is_one(&key.as_str())).collect();
        assert_eq!(used, known);
    }
}
