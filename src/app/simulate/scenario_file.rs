//! `scenario.toml` → a checked [`Scenario`], or every mistake at once, each with its line and its remedy.
//! Never runs anything.

use std::fmt;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::domain::{City, FeederId, Fleet, GroupKind, SiteId, Timestamp, UplinkId};

use super::fault::{Circuit, Fault, FaultKind, FaultName, Lasts, Target, When};
use super::load_shedding::Timetable;
use super::scenario::Scenario;

/// One mistake in a scenario file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioProblem {
    pub file: String,
    pub line: usize,
    /// What is wrong and, after a semicolon, what to do.
    pub text: String,
}

impl fmt::Display for ScenarioProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}

/// `file` is the name to show. Err: every mistake, in the order of the lines.
pub fn check_scenario(file: &str, text: &str, fleet: &Fleet) -> Result<Scenario, Vec<ScenarioProblem>> {
    let mut reader = Reader { file, text, fleet, problems: Vec::new() };
    let scenario = reader.scenario();
    if reader.problems.is_empty() {
        Ok(scenario)
    } else {
        reader.problems.sort_by_key(|p| p.line);
        Err(reader.problems)
    }
}

/// `10m`, `90s`, `1h 30m`, `2d`, `250ms`.
pub(super) fn parse_span(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let seconds = match &rest[..letters] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            _ => return None,
        };
        total += number * seconds;
        rest = rest[letters..].trim_start();
    }
    // A century: past it, it is a mistake, and sums of times stay far from the calendar's end.
    (total <= 3.2e9).then(|| Duration::from_secs_f64(total))
}

/// The known word nearest to a mistyped one.
fn nearest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let distance = |a: &str, b: &str| {
        let b: Vec<char> = b.chars().collect();
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, ca) in a.chars().enumerate() {
            let mut corner = row[0];
            row[0] = i + 1;
            for (j, cb) in b.iter().enumerate() {
                let change = corner + usize::from(!ca.eq_ignore_ascii_case(cb));
                corner = row[j + 1];
                row[j + 1] = change.min(row[j] + 1).min(corner + 1);
            }
        }
        row[b.len()]
    };
    let allowed = 1 + word.chars().count() / 3;
    known.map(|k| (distance(word, k), k)).filter(|(d, _)| *d <= allowed).min().map(|(_, k)| k)
}

/// `; did you mean "lasts"?` or `; known: at, lasts`.
fn suggestion<'w>(word: &str, known: impl Iterator<Item = &'w str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(near) => format!("; did you mean \"{near}\"?"),
        None => {
            let all: Vec<&str> = known.clone().take(40).collect();
            format!("; known: {}", all.join(", "))
        }
    }
}

const SECTIONS: [&str; 7] = ["weather", "load_shedding", "cadence", "presses", "battery", "link", "fault"];
const TARGETS: [&str; 7] = ["unit", "uplink", "feeder", "site", "city", "count", "all"];
const NEVER: &str = "never";

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    fleet: &'a Fleet,
    problems: Vec<ScenarioProblem>,
}

type Value<'a> = Spanned<DeValue<'a>>;

/// A table with its name in messages: `[cadence]`, `[[fault]] 2`.
struct Section<'a> {
    name: String,
    table: &'a DeTable<'a>,
    start: usize,
}

impl<'a> Section<'a> {
    fn get(&self, key: &str) -> Option<&'a Value<'a>> {
        self.table.iter().find(|(k, _)| k.get_ref().as_ref() == key).map(|(_, v)| v)
    }
    fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }
}

fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(s) => format!("{:?}", s.chars().take(60).collect::<String>()),
        DeValue::Integer(i) => i.to_string(),
        DeValue::Float(x) => x.to_string(),
        DeValue::Boolean(b) => b.to_string(),
        DeValue::Datetime(d) => d.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn as_number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok().map(|n| n as f64),
        DeValue::Float(x) => x.as_str().parse().ok(),
        _ => None,
    }
}

fn as_text<'v>(value: &'v DeValue<'_>) -> Option<&'v str> {
    match value {
        DeValue::String(s) => Some(s.as_ref()),
        _ => None,
    }
}

impl Reader<'_> {
    fn problem(&mut self, offset: usize, text: impl Into<String>) {
        let line = self.text.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count() + 1;
        self.problems.push(ScenarioProblem { file: self.file.to_owned(), line, text: text.into() });
    }

    fn wrong(&mut self, section: &Section<'_>, key: &str, value: &Value<'_>, rule: &str) {
        let text = format!("{}: {key} {rule} (got {})", section.name, shown(value.get_ref()));
        self.problem(value.span().start, text);
    }

    fn unknown_keys(&mut self, section: &Section<'_>, known: &[&str]) {
        for (key, _) in section.table.iter() {
            let word = key.get_ref().as_ref();
            if !known.contains(&word) {
                let text =
                    format!("{}: unknown key \"{word}\"{}", section.name, suggestion(word, known.iter().copied()));
                self.problem(key.span().start, text);
            }
        }
    }

    fn number(&mut self, section: &Section<'_>, key: &str, low: f64, high: f64) -> Option<f64> {
        let value = section.get(key)?;
        match as_number(value.get_ref()) {
            Some(n) if (low..=high).contains(&n) => Some(n),
            _ => {
                self.wrong(section, key, value, &format!("must be a number from {low} to {high}"));
                None
            }
        }
    }

    fn flag(&mut self, section: &Section<'_>, key: &str) -> Option<bool> {
        let value = section.get(key)?;
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        self.wrong(section, key, value, "must be true or false");
        None
    }

    fn span(&mut self, section: &Section<'_>, key: &str, shortest: Duration) -> Option<Duration> {
        let value = section.get(key)?;
        match as_text(value.get_ref()).and_then(parse_span) {
            Some(span) if span >= shortest => Some(span),
            Some(_) => {
                let rule = format!("must be at least {} ms", shortest.as_millis());
                self.wrong(section, key, value, &rule);
                None
            }
            None => {
                self.wrong(section, key, value, "must be a span of time such as \"90s\", \"10m\", \"2h\" or \"3d\"");
                None
            }
        }
    }

    /// `"10m"` or a range `"10m..2h"`.
    fn span_range(&mut self, section: &Section<'_>, key: &str, value: &Value<'_>) -> Option<(Duration, Duration)> {
        let range = as_text(value.get_ref()).and_then(|text| match text.split_once("..") {
            Some((from, to)) => Some((parse_span(from)?, parse_span(to)?)),
            None => parse_span(text).map(|span| (span, span)),
        });
        match range {
            Some((from, to)) if from <= to => range,
            Some(_) => {
                self.wrong(section, key, value, "must go from the shorter to the longer span; swap them");
                None
            }
            None => {
                let rule = "must be a span of time such as \"10m\", or a range such as \"10m..2h\"";
                self.wrong(section, key, value, rule);
                None
            }
        }
    }

    fn scenario(&mut self) -> Scenario {
        let mut scenario = Scenario::default();
        let (document, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let at = error.span().map_or(0, |s| s.start);
            self.problem(at, format!("this is not TOML: {}; correct the line", error.message().replace('\n', " ")));
        }
        for (key, value) in document.get_ref().iter() {
            let word = key.get_ref().as_ref();
            let tables = self.tables(word, key.span().start, value);
            for (i, section) in tables.into_iter().enumerate() {
                match word {
                    "weather" => self.weather(&section, &mut scenario),
                    "load_shedding" => self.load_shedding(&section, &mut scenario),
                    "cadence" => self.cadence(&section, &mut scenario),
                    "presses" => self.presses(&section, &mut scenario),
                    "battery" => self.battery(&section, &mut scenario),
                    "link" => self.link(&section, &mut scenario),
                    _ => {
                        let named = Section { name: format!("[[fault]] {}", i + 1), ..section };
                        if let Some(fault) = self.fault(&named) {
                            scenario.faults.push(fault);
                        }
                    }
                }
            }
        }
        scenario
    }

    /// `[x]` gives one table, `[[fault]]` gives all; anything else is a problem.
    fn tables<'v>(&mut self, word: &str, at: usize, value: &'v Value<'v>) -> Vec<Section<'v>> {
        if !SECTIONS.contains(&word) {
            self.problem(at, format!("unknown section \"{word}\"{}", suggestion(word, SECTIONS.iter().copied())));
            return Vec::new();
        }
        let name = format!("[{word}]");
        match (word, value.get_ref()) {
            ("fault", DeValue::Array(list)) if list.iter().all(|v| matches!(v.get_ref(), DeValue::Table(_))) => list
                .iter()
                .filter_map(|v| match v.get_ref() {
                    DeValue::Table(table) => Some(Section { name: String::new(), table, start: v.span().start }),
                    _ => None,
                })
                .collect(),
            ("fault", _) => {
                self.problem(at, "a fault is written with two brackets; write [[fault]]");
                Vec::new()
            }
            (_, DeValue::Table(table)) => vec![Section { name, table, start: at }],
            _ => {
                self.problem(at, format!("{word} must be a section; write [{word}] and its keys below"));
                Vec::new()
            }
        }
    }

    fn weather(&mut self, section: &Section<'_>, scenario: &mut Scenario) {
        self.unknown_keys(section, &["warmer_c", "fog_days_per_year"]);
        let weather = &mut scenario.weather;
        weather.warmer_c = self.number(section, "warmer_c", -30.0, 30.0).unwrap_or(weather.warmer_c);
        // 92 days of the season.
        weather.fog_days_per_year =
            self.number(section, "fog_days_per_year", 0.0, 60.0).unwrap_or(weather.fog_days_per_year);
    }

    fn timetable(&mut self, section: &Section<'_>) -> Option<Timetable> {
        let hours = self.number(section, "hours_per_day", 0.0, 20.0);
        let cuts = self.number(section, "cuts_per_day", 0.0, 24.0);
        let jitter = self.span(section, "jitter", Duration::ZERO);
        let unannounced = self.number(section, "unannounced_per_month", 0.0, 30.0).unwrap_or(0.0);
        let hours = match (hours, section.has("hours_per_day")) {
            (Some(hours), _) => hours,
            (None, true) => return None,
            (None, false) => {
                self.problem(section.start, format!("{}: hours_per_day is missing; add it", section.name));
                return None;
            }
        };
        let jitter_ms = jitter.map_or(6 * 60_000, |j| j.as_millis() as i64);
        let cuts = cuts.map_or_else(|| (hours / 1.5).ceil(), f64::round) as u32;
        if hours > 0.0 && cuts == 0 {
            let text = format!("{}: {hours} hours a day need at least one cut; raise cuts_per_day", section.name);
            self.problem(section.start, text);
            return None;
        }
        Some(Timetable { hours, cuts, jitter_ms, unannounced })
    }

    fn load_shedding(&mut self, section: &Section<'_>, scenario: &mut Scenario) {
        let keys = ["hours_per_day", "cuts_per_day", "jitter", "unannounced_per_month", "feeder"];
        self.unknown_keys(section, &keys);
        if keys[..4].iter().any(|key| section.has(key)) {
            scenario.load_shedding.all = self.timetable(section);
        }
        let Some(value) = section.get("feeder") else { return };
        let DeValue::Array(list) = value.get_ref() else {
            self.problem(value.span().start, "a feeder is written with two brackets; write [[load_shedding.feeder]]");
            return;
        };
        for (i, entry) in list.iter().enumerate() {
            let at = entry.span().start;
            let DeValue::Table(table) = entry.get_ref() else {
                self.problem(at, "a feeder is written with two brackets; write [[load_shedding.feeder]]");
                continue;
            };
            let feeder = Section { name: format!("[[load_shedding.feeder]] {}", i + 1), table, start: at };
            self.unknown_keys(&feeder, &["name", keys[0], keys[1], keys[2], keys[3]]);
            let timetable = self.timetable(&feeder);
            match feeder.get("name") {
                None => self.problem(at, format!("{}: name is missing; add the feeder's name", feeder.name)),
                Some(name) => {
                    let known = self.group(&feeder, "name", name, GroupKind::Feeder);
                    if let (Some(id), Some(timetable)) = (known.and_then(|n| FeederId::parse(&n).ok()), timetable) {
                        scenario.load_shedding.feeders.push((id, timetable));
                    }
                }
            }
        }
    }

    fn cadence(&mut self, section: &Section<'_>, scenario: &mut Scenario) {
        self.unknown_keys(section, &["heartbeat", "power", "selftest"]);
        // Ten a second of each unit is already more than any firmware does.
        let shortest = Duration::from_millis(100);
        let cadence = &mut scenario.cadence;
        cadence.heartbeat = self.span(section, "heartbeat", shortest).or(cadence.heartbeat);
        cadence.power = self.span(section, "power", shortest).unwrap_or(cadence.power);
        cadence.selftest = self.span(section, "selftest", shortest).or(cadence.selftest);
    }

    fn presses(&mut self, section: &Section<'_>, scenario: &mut Scenario) {
        self.unknown_keys(section, &["real_per_unit_per_year", "test_every"]);
        let presses = &mut scenario.presses;
        presses.real_per_unit_per_year =
            self.number(section, "real_per_unit_per_year", 0.0, 1e6).unwrap_or(presses.real_per_unit_per_year);
        match section.get("test_every").map(|v| v.get_ref()).and_then(as_text) {
            Some(NEVER) => presses.test_every = None,
            _ => {
                presses.test_every = self.span(section, "test_every", Duration::from_secs(1)).or(presses.test_every);
            }
        }
    }

    fn battery(&mut self, section: &Section<'_>, scenario: &mut Scenario) {
        self.unknown_keys(section, &["ampere_hours", "chemistry"]);
        scenario.battery.ampere_hours = self.number(section, "ampere_hours", 1.0, 500.0);
        if let Some(value) = section.get("chemistry") {
            match as_text(value.get_ref()) {
                Some("lead-acid") => scenario.battery.lithium = Some(false),
                Some("lifepo4") => scenario.battery.lithium = Some(true),
                _ => self.wrong(section, "chemistry", value, "must be \"lead-acid\" or \"lifepo4\""),
            }
        }
    }

    fn link(&mut self, section: &Section<'_>, scenario: &mut Scenario) {
        self.unknown_keys(section, &["loss_pct", "buffers"]);
        scenario.link.loss_pct = self.number(section, "loss_pct", 0.0, 90.0);
        scenario.link.buffers = self.flag(section, "buffers");
    }

    /// The name of a group of this fleet.
    fn group(&mut self, section: &Section<'_>, key: &str, value: &Value<'_>, kind: GroupKind) -> Option<String> {
        let Some(name) = as_text(value.get_ref()) else {
            self.wrong(section, key, value, &format!("must be the name of a {kind} in quotes"));
            return None;
        };
        let fleet = self.fleet;
        let known = fleet.groups().keys().filter(|(k, _)| *k == kind).map(|(_, n)| n.as_str());
        if known.clone().any(|n| n == name) {
            return Some(name.to_owned());
        }
        let text = format!("{}: no {kind} \"{name}\" in the fleet{}", section.name, suggestion(name, known));
        self.problem(value.span().start, text);
        None
    }

    fn fault(&mut self, section: &Section<'_>) -> Option<Fault> {
        let kind = self.fault_kind(section);
        let target = self.target(section, kind);
        let at = match section.get("at") {
            None => Some(When::AFTER_NOTHING),
            Some(value) => match value.get_ref() {
                DeValue::Datetime(d) => self.moment(section, value, &d.to_string()),
                DeValue::String(text) if Timestamp::parse(text).is_some() => self.moment(section, value, text),
                _ => self.span_range(section, "at", value).map(|(from, to)| When::After(from, to)),
            },
        };
        let lasts = match section.get("lasts") {
            None => kind.map(Lasts::usual),
            Some(value) if as_text(value.get_ref()) == Some("until repaired") => Some(Lasts::UntilRepaired),
            Some(value) => self.span_range(section, "lasts", value).map(|(from, to)| Lasts::For(from, to)),
        };
        Some(Fault { kind: kind?, target: target?, at: at?, lasts: lasts? })
    }

    fn moment(&mut self, section: &Section<'_>, value: &Value<'_>, text: &str) -> Option<When> {
        let time = Timestamp::parse(text).map(When::At);
        if time.is_none() {
            self.wrong(section, "at", value, "needs a date, a time and a zone, such as 2026-11-21T14:00:00+05:00");
        }
        time
    }

    fn fault_kind(&mut self, section: &Section<'_>) -> Option<FaultKind> {
        let Some(value) = section.get("kind") else {
            self.problem(section.start, format!("{}: kind is missing; add for example kind = \"dead\"", section.name));
            return None;
        };
        let word = as_text(value.get_ref()).unwrap_or_default();
        let Ok(name) = word.parse::<FaultName>() else {
            let known = FaultName::ALL.iter().map(|n| n.as_str());
            let text = format!("{}: unknown kind {}{}", section.name, shown(value.get_ref()), suggestion(word, known));
            self.problem(value.span().start, text);
            return None;
        };
        let mut kind = name.usual();
        let own: &[&str] = match &mut kind {
            FaultKind::CameraDirty { over, left_pct } => {
                *over = self.span(section, "over", Duration::from_secs(1)).unwrap_or(*over);
                *left_pct = self.number(section, "left_pct", 0.0, 100.0).unwrap_or(*left_pct);
                &["over", "left_pct"]
            }
            FaultKind::Fog { left_pct } => {
                *left_pct = self.number(section, "left_pct", 0.0, 100.0).unwrap_or(*left_pct);
                &["left_pct"]
            }
            FaultKind::MicrophoneDeaf { db } => {
                *db = self.number(section, "db", 0.0, 60.0).unwrap_or(*db);
                &["db"]
            }
            FaultKind::PressFlood { count, within } => {
                *count = self.number(section, "presses", 1.0, 10_000.0).map_or(*count, |n| n as u32);
                *within = self.span(section, "within", Duration::from_secs(1)).unwrap_or(*within);
                &["presses", "within"]
            }
            FaultKind::BatteryWeak { capacity_pct, charge_pct } => {
                *capacity_pct = self.number(section, "capacity_pct", 0.1, 100.0).unwrap_or(*capacity_pct);
                *charge_pct = self.number(section, "charge_pct", 0.0, 100.0);
                &["capacity_pct", "charge_pct"]
            }
            FaultKind::BatteryFading { per_day_pct } => {
                *per_day_pct = self.number(section, "per_day_pct", 0.01, 100.0).unwrap_or(*per_day_pct);
                &["per_day_pct"]
            }
            FaultKind::ChargerDead { carries_load } => {
                *carries_load = self.flag(section, "carries_load").unwrap_or(*carries_load);
                &["carries_load"]
            }
            FaultKind::RebootLoop { every } => {
                *every = self.span(section, "every", Duration::from_secs(1)).unwrap_or(*every);
                &["every"]
            }
            FaultKind::FlappingLink { every } => {
                *every = self.span(section, "every", Duration::from_secs(3)).unwrap_or(*every);
                &["every"]
            }
            FaultKind::ClockOff { by_ms } => {
                *by_ms = self.clock_offset(section).unwrap_or(*by_ms);
                &["by"]
            }
            FaultKind::Overheat { celsius } => {
                *celsius = self.number(section, "celsius", 20.0, 140.0).unwrap_or(*celsius);
                &["celsius"]
            }
            FaultKind::LossyLink { loss_pct } => {
                *loss_pct = self.number(section, "loss_pct", 0.0, 90.0).unwrap_or(*loss_pct);
                &["loss_pct"]
            }
            FaultKind::Dead
            | FaultKind::UplinkDown
            | FaultKind::FeederCut
            | FaultKind::CameraBlocked
            | FaultKind::CameraFrozen
            | FaultKind::CameraGlitch
            | FaultKind::Loud
            | FaultKind::SpeakerDead
            | FaultKind::StreamBroken
            | FaultKind::ButtonStuck
            | FaultKind::NoTestPresses
            | FaultKind::LocalMainsLost
            | FaultKind::Tamper
            | FaultKind::ScrambledLink
            | FaultKind::BootReset => &[],
        };
        let known: Vec<&str> = ["kind", "at", "lasts"].iter().chain(&TARGETS).chain(own).copied().collect();
        self.unknown_keys(section, &known);
        Some(kind)
    }

    /// `"10m"`: ahead; `"-10m"`: behind.
    fn clock_offset(&mut self, section: &Section<'_>) -> Option<i64> {
        let value = section.get("by")?;
        let parsed = as_text(value.get_ref()).and_then(|text| match text.strip_prefix('-') {
            Some(rest) => parse_span(rest).map(|span| -(span.as_millis() as i64)),
            None => parse_span(text).map(|span| span.as_millis() as i64),
        });
        if parsed.is_none() {
            self.wrong(section, "by", value, "must be a span of time: \"10m\" ahead, \"-10m\" behind");
        }
        parsed
    }

    fn target(&mut self, section: &Section<'_>, kind: Option<FaultKind>) -> Option<Target> {
        let named: Vec<&str> = TARGETS.iter().copied().filter(|t| section.has(t)).collect();
        let [key] = named[..] else {
            let text = if named.is_empty() {
                format!("{}: whom does it strike? add one of: {}", section.name, TARGETS.join(", "))
            } else {
                format!("{}: {} exclude each other; keep one", section.name, named.join(" and "))
            };
            self.problem(section.start, text);
            return None;
        };
        let value = section.get(key).expect("`named` holds keys that are there");
        let circuit = kind.and_then(FaultKind::circuit);
        let fits = match (circuit, key) {
            (Some(Circuit::Uplink), "uplink" | "count" | "all") => true,
            (Some(Circuit::Feeder), "feeder" | "count" | "all") => true,
            (Some(_), _) => false,
            (None, _) => true,
        };
        if !fits {
            let wanted = if circuit == Some(Circuit::Uplink) { "uplink" } else { "feeder" };
            let text = format!(
                "{}: this kind strikes a whole {wanted}, not a {key}; name it with {wanted} = \"…\"",
                section.name
            );
            self.problem(value.span().start, text);
            return None;
        }
        match key {
            "unit" => self.unit(section, value),
            "uplink" => {
                let name = self.group(section, key, value, GroupKind::Uplink)?;
                UplinkId::parse(&name).ok().map(Target::Uplink)
            }
            "feeder" => {
                let name = self.group(section, key, value, GroupKind::Feeder)?;
                FeederId::parse(&name).ok().map(Target::Feeder)
            }
            "site" => {
                let name = self.group(section, key, value, GroupKind::Site)?;
                SiteId::parse(&name).ok().map(Target::Site)
            }
            "city" => {
                let name = self.group(section, key, value, GroupKind::City)?;
                City::parse(&name).ok().map(Target::City)
            }
            "count" => self.number(section, key, 1.0, 1e6).map(|n| Target::Random(n as u32)),
            _ => match self.flag(section, key)? {
                true => Some(Target::All),
                false => {
                    self.wrong(section, key, value, "can only be true; remove it or name a target");
                    None
                }
            },
        }
    }

    fn unit(&mut self, section: &Section<'_>, value: &Value<'_>) -> Option<Target> {
        let name = as_text(value.get_ref()).unwrap_or_default();
        let fleet = self.fleet;
        if let Some(ix) = fleet.find(name) {
            return Some(Target::Unit(fleet.unit(ix).unit.clone()));
        }
        let known: Vec<&str> = fleet.units().map(|(_, u)| u.unit.as_str()).collect();
        let text = format!(
            "{}: no unit {} in the fleet{}",
            section.name,
            shown(value.get_ref()),
            suggestion(name, known.iter().copied())
        );
        self.problem(value.span().start, text);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        let cases = [("90s", 90_000), ("10m", 600_000), ("1h 30m", 5_400_000), ("250ms", 250), ("2d", 172_800_000)];
        for (text, ms) in cases {
            assert_eq!(parse_span(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "10", "m", "10 parsecs", "-5m", "1e9999d", "999999999d", "…"] {
            assert_eq!(parse_span(text), None, "{text}");
        }
    }

    #[test]
    fn an_empty_file_is_ordinary_life() {
        assert_eq!(check_scenario("x.toml", "", &Fleet::default()), Ok(Scenario::default()));
    }
}
