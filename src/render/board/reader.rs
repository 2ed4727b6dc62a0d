//! Who reads: the language, the clock on the wall and the moment. Owns how times, spans, names and the house's words look on
//! a page, and all escaping that is not minijinja's. Never decides what is shown.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use chrono::{Datelike, Timelike};
use chrono_tz::Tz;
use fluent_bundle::{FluentArgs, FluentValue};
use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Environment, Error};

use crate::domain::position::{bearing_deg, compass, distance_m};
use crate::domain::{Metric, Timestamp};
use crate::render::mail::{LocalTime, escaped};

use super::words::Language;

const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

/// How a template's text or time is written for a reader, as HTML.
type OfText = fn(&Reader, &str) -> String;
type OfTime = fn(&Reader, Timestamp) -> String;

#[derive(Clone)]
pub struct Reader {
    pub language: Arc<Language>,
    pub zone: Tz,
    pub now: Timestamp,
}

impl Reader {
    pub fn say(&self, key: &str) -> String {
        self.language.say(key, None)
    }

    pub fn say_with(&self, key: &str, args: &[(&str, FluentValue<'_>)]) -> String {
        let args: FluentArgs<'_> = args.iter().map(|(name, value)| (*name, value.clone())).collect();
        self.language.say(key, Some(&args))
    }

    pub fn count(&self, key: &str, n: usize) -> String {
        self.say_with(key, &[("n", n.into())])
    }

    fn local_time(&self) -> LocalTime {
        LocalTime::new(self.zone, self.now)
    }

    pub fn zone_text(&self) -> String {
        self.local_time().zone_text(self.now)
    }

    /// `21 Nov 14:05`, with the year when it is another one.
    pub fn short(&self, at: Timestamp) -> String {
        let (local, today) = (at.to_utc().with_timezone(&self.zone), self.now.to_utc().with_timezone(&self.zone));
        self.of_calendar(if local.year() == today.year() { "time-short" } else { "time-other-year" }, at)
    }

    /// `21 Nov 2026`.
    pub fn day(&self, at: Timestamp) -> String {
        self.of_calendar("time-day", at)
    }

    fn of_calendar(&self, key: &str, at: Timestamp) -> String {
        let local = at.to_utc().with_timezone(&self.zone);
        let month = self.say(&format!("month-{}", local.month()));
        self.say_with(
            key,
            &[
                ("day", local.day().into()),
                ("month", month.into()),
                // As text: a year has no thousands.
                ("year", local.year().to_string().into()),
                ("time", format!("{:02}:{:02}", local.hour(), local.minute()).into()),
            ],
        )
    }

    pub fn when(&self, at: Timestamp) -> String {
        format!("<time datetime=\"{at}\">{}</time>", escaped(&self.short(at)))
    }

    /// `12 min ago`; ahead: `in 12 min`.
    pub fn age(&self, at: Timestamp) -> String {
        let is_ahead = at > self.now;
        let seconds = if is_ahead { at.since(self.now) } else { self.now.since(at) }.as_secs();
        let (ahead, ago, n) = match seconds {
            s if s < MINUTE => return self.say(if is_ahead { "in-now" } else { "ago-now" }),
            s if s < 2 * HOUR => ("in-minutes", "ago-minutes", s / MINUTE),
            s if s < 2 * DAY => ("in-hours", "ago-hours", s / HOUR),
            s => ("in-days", "ago-days", s / DAY),
        };
        self.say_with(if is_ahead { ahead } else { ago }, &[("n", n.into())])
    }

    pub fn ago(&self, at: Timestamp) -> String {
        format!("<time datetime=\"{at}\" title=\"{}\">{}</time>", escaped(&self.short(at)), escaped(&self.age(at)))
    }

    /// Its two largest parts.
    pub fn span(&self, span: Duration) -> String {
        let s = span.as_secs();
        let parts = [
            ("span-days", s / DAY),
            ("span-hours", s / HOUR % 24),
            ("span-minutes", s / MINUTE % 60),
            ("span-seconds", s % MINUTE),
        ];
        let first = parts.iter().position(|(_, n)| *n > 0).unwrap_or(3);
        let shown: Vec<String> = parts[first..]
            .iter()
            .take(2)
            .enumerate()
            .filter(|(i, (_, n))| *i == 0 || *n > 0)
            .map(|(_, (key, n))| self.say_with(key, &[("n", (*n).into())]))
            .collect();
        shown.join(" ")
    }

    /// `840 m north-east`, `2.4 km west`.
    pub fn away(&self, here: (f64, f64), there: (f64, f64)) -> String {
        let meters = distance_m(here, there);
        let distance = match meters {
            m if m < 1_000.0 => self.count("m", m.round() as usize),
            m if m < 10_000.0 => self.say_with("km", &[("n", format!("{:.1}", m / 1_000.0).into())]),
            m => self.count("km", (m / 1_000.0).round() as usize),
        };
        let direction = self.say(&format!("direction-{}", compass(bearing_deg(here, there))));
        self.say_with("away", &[("distance", distance.into()), ("direction", direction.into())])
    }

    fn due(&self, at: Timestamp) -> String {
        if at < self.now {
            let late = self.say_with("due-late", &[("span", self.span(self.now.since(at)).into())]);
            return format!("<strong class=\"late\">{}</strong>", escaped(&late));
        }
        let due = self.say_with("due-in", &[("in", self.age(at).into())]);
        format!("<time datetime=\"{at}\" title=\"{}\">{}</time>", escaped(&self.short(at)), escaped(&due))
    }

    /// What is known as an English sentence only.
    pub fn reason(&self, text: &str) -> String {
        let text = self.written_text(text);
        match self.language.code.as_str() {
            "en" => format!("<bdi>{}</bdi>", escaped(&text)),
            _ => format!("<bdi lang=\"en\" dir=\"ltr\">{}</bdi>", escaped(&text)),
        }
    }

    /// What a person or `alerts.toml` wrote.
    pub fn written(&self, text: &str) -> String {
        format!("<bdi>{}</bdi>", escaped(&self.written_text(text)))
    }

    pub fn written_text(&self, text: &str) -> String {
        self.local_time().localise(text)
    }

    /// `battery.voltage` in words; what has none stays as it is.
    pub fn metric(&self, name: &str) -> String {
        let key = format!("metric-{}", name.replace('.', "-"));
        if self.language.knows(&key) { self.say(&key) } else { name.to_owned() }
    }

    fn labelled(&self, class: &str, family: &str, word: &str) -> String {
        let label = self.say(&format!("{family}-{word}"));
        format!("<span class=\"{class} {0}-{1}\">{2}</span>", family, escaped(word), escaped(&label))
    }

    pub fn badge(&self, readiness: &str) -> String {
        let (word, label) = (escaped(readiness), self.say(&format!("readiness-{readiness}")));
        format!(
            "<span class=\"badge r-{word}\"><svg class=\"mark\" aria-hidden=\"true\"><use href=\"#r-{word}\"/></svg>{}</span>",
            escaped(&label)
        )
    }

    /// What templates can call.
    pub fn add_to(&self, env: &mut Environment<'_>) {
        let me = Arc::new(self.clone());
        let html = Value::from_safe_string;
        let reader = Arc::clone(&me);
        env.add_function("t", move |key: String, args: Kwargs| -> Result<String, Error> {
            let mut named = FluentArgs::new();
            for name in args.args() {
                named.set(name.to_owned(), fluent(&args.get::<Value>(name)?));
            }
            Ok(reader.language.say(&key, Some(&named)))
        });
        env.add_function("bdi", move |text: Value| html(format!("<bdi>{}</bdi>", escaped(&text.to_string()))));
        env.add_function("id", move |text: Value| {
            html(format!("<bdi dir=\"ltr\" class=\"id\">{}</bdi>", escaped(&text.to_string())))
        });
        let text_functions: [(&'static str, OfText); 9] = [
            ("reason", |r, text| r.reason(text)),
            ("badge", |r, word| r.badge(word)),
            ("state", |r, word| r.labelled("state", "state", word)),
            ("priority", |r, word| r.labelled("prio", "priority", word)),
            ("severity", |r, word| r.labelled("sev", "severity", word)),
            ("outcome", |r, word| r.labelled("outcome", "outcome", word)),
            ("standing", |r, word| r.labelled("standing", "standing", word)),
            ("metric", |r, name| escaped(&r.metric(name))),
            ("shapes", |_, _| super::map::SHAPES.to_owned()),
        ];
        for (name, write) in text_functions {
            let reader = Arc::clone(&me);
            env.add_function(name, move |text: Option<String>| html(write(&reader, &text.unwrap_or_default())));
        }
        let time_functions: [(&'static str, OfTime); 3] =
            [("when", Reader::when), ("ago", Reader::ago), ("due", Reader::due)];
        for (name, write) in time_functions {
            let reader = Arc::clone(&me);
            env.add_function(name, move |at: String| {
                html(Timestamp::parse(&at).map_or_else(|| escaped(&at), |at| write(&reader, at)))
            });
        }
        env.add_function("span", move |seconds: f64| {
            me.span(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX))
        });
        env.add_function("link", |path: String, args: Kwargs| -> Result<String, Error> {
            let mut fields = Vec::new();
            for name in args.args() {
                fields.push((name.to_owned(), args.get::<Value>(name)?.to_string()));
            }
            Ok(link(&path, fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))))
        });
    }
}

fn fluent(value: &Value) -> FluentValue<'static> {
    match value.kind() {
        ValueKind::Number => match value.as_i64() {
            Some(n) => FluentValue::from(n),
            None => FluentValue::from(value.to_string()),
        },
        _ => FluentValue::from(value.to_string()),
    }
}

/// Empty fields are left out.
pub fn link<'a>(path: &str, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = path.to_owned();
    let mut sign = if path.contains('?') { '&' } else { '?' };
    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
        let _ = write!(out, "{sign}{name}={value}");
        sign = '&';
    }
    out
}

/// Is it kept by the hour, so that a chart can be drawn of it?
pub fn has_chart(metric: &str) -> bool {
    metric.starts_with("x.") || metric.parse::<Metric>().is_ok_and(|m| crate::domain::SeriesName::sent(m).is_some())
}
