//! What happens in a test: `[[test.feed]]`, messages at an interval, and `[[test.event]]`, what comes once.
//! Never makes the messages themselves.

use std::time::Duration;

use super::series::{self, Series, Value};
use super::{OFFSET, Units, read_units};
use crate::config::document::{Block, Item};
use crate::config::duration::{DAY, SECOND, duration_text, parse_duration};
use crate::domain::{Component, CrewId, Kind, MaintenanceScope, OrderMove, Outcome, SiteId, UnitId};

/// Messages of one feed and unit: a month of heartbeats is 86,400.
const MESSAGES_MAX: u64 = 1_000_000;

/// Fields whose value is a text, so that a version `1.2` stays one.
const TEXT_FIELDS: &[&str] = &["fw", "hw", "id", "trigger", "result", "code", "mode", "kind", "reason", "error"];

#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    pub sending: Sending,
    pub from: Duration,
    pub every: Duration,
    pub times: usize,
}

/// Messages of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Sending {
    pub line: u32,
    pub units: Units,
    pub kind: Kind,
    pub fields: Vec<Field>,
    /// By how much the units' clocks are ahead, in milliseconds.
    pub clock_ms: i64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// In the payload: `["results", "camera", "sharpness"]`.
    pub path: Vec<String>,
    pub series: Series,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TestEvent {
    pub line: u32,
    /// Since the test's start; at least one.
    pub at: Vec<Duration>,
    pub what: Happening,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    Send(Sending),
    /// The unit starts anew, and says so with a heartbeat.
    Boot(Units),
    /// Its last will: the broker says it is gone.
    Offline(Units),
    Link(Link),
    Maintenance {
        scope: MaintenanceScope,
        lasts: Duration,
    },
    /// The newest open order that fits.
    Order {
        unit: Option<UnitId>,
        component: Option<Component>,
        incident: Option<String>,
        set: OrderMove,
        note: String,
    },
    Rebaseline {
        units: Units,
        component: Option<Component>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Down,
    Up,
    /// The monitor itself is switched off: it hears nothing and decides nothing.
    Stop,
    Start,
}

/// A feed whose end may depend on how long the test is.
pub struct Draft {
    sending: Sending,
    from: Duration,
    every: Duration,
    to: Option<Duration>,
    length: Option<usize>,
}

const FEED_KEYS: &[&str] = &["unit", "except", "kind", "every", "from", "to", "values", "clock"];

pub fn read_draft(block: &Block<'_>) -> Option<Draft> {
    block.only_keys(FEED_KEYS, |key| match key {
        "at" => Some("a feed goes from … to; what comes once is a [[test.event]]".to_owned()),
        _ => None,
    });
    let units = need_units(block);
    let kind = block.need("kind", "write kind = \"heartbeat\", \"power\", \"selftest\" or \"press\"");
    let kind = kind.and_then(|item| item.word::<Kind>());
    let every = block.need("every", "write how often a message comes, such as every = \"1m\"");
    let every = every.and_then(|item| item.span(SECOND..=Duration::from_secs(90 * DAY.as_secs())));
    let from = block.get("from").map_or(Some(Duration::ZERO), |item| item.span(OFFSET));
    let to = block.get("to").map(|item| item.span(OFFSET));
    let clock_ms = read_clock(block);
    let fields = read_values(block, kind?);
    let (fields, units, every, from, to, clock_ms) =
        (fields?, units?, every?, from?, to.map_or(Some(None), |to| to.map(Some))?, clock_ms?);
    if to.is_some_and(|to| to < from) {
        block.wrong("to is before from; exchange them");
        return None;
    }
    let length = fields.iter().filter_map(|f| f.series.times()).max();
    let sending = Sending { line: block.line(), units, kind: kind?, fields, clock_ms };
    Some(Draft { sending, from, every, to, length })
}

impl Draft {
    /// None: with the test.
    pub fn ends(&self) -> Option<Duration> {
        self.to.or_else(|| {
            let more = u32::try_from(self.length?.saturating_sub(1)).ok()?;
            Some(self.from + self.every.saturating_mul(more))
        })
    }

    pub fn finish(self, test: &Block<'_>, until: Duration) -> Option<Feed> {
        let Draft { sending, from, every, to, length } = self;
        let line = sending.line;
        let room = to.unwrap_or(until).saturating_sub(from);
        let times = match (to, length) {
            (None, Some(length)) => length as u64,
            (_, _) => (room.as_millis() / every.as_millis()) as u64 + 1,
        };
        if times > MESSAGES_MAX {
            let what = format!(
                "this feed sends {times} messages for each unit, at most {MESSAGES_MAX} may; make every longer"
            );
            test.wrong_at(line, what);
            return None;
        }
        for field in &sending.fields {
            if let Some(length) = field.series.times().filter(|l| *l as u64 != times) {
                let (name, last) = (field.path.join("."), times - 1);
                test.wrong_at(
                    line,
                    format_args!(
                        "{name} has {length} values, but this feed sends {times} messages, one every {}; a series that \
                         fits ends in x{last}, and without `to` the feed is as long as its series",
                        duration_text(every)
                    ),
                );
                return None;
            }
        }
        Some(Feed { sending, from, every, times: times as usize })
    }
}

const EVENT_KEYS: &[&str] = &[
    "at",
    "unit",
    "except",
    "clock",
    "selftest",
    "press",
    "boot",
    "status",
    "kind",
    "values",
    "link",
    "maintenance",
    "order",
    "rebaseline",
];
const HAPPENINGS: &[&str] =
    &["selftest", "press", "boot", "status", "kind", "link", "maintenance", "order", "rebaseline"];

pub fn read_event(block: &Block<'_>) -> Option<TestEvent> {
    block.only_keys(EVENT_KEYS, |key| match key {
        "every" | "from" | "to" => Some("what comes again and again is a [[test.feed]]; `at` may be a list".to_owned()),
        _ => None,
    });
    let at = block.need("at", "write when, counted from the start: at = \"35m\"").and_then(|item| {
        let list: Vec<Option<Duration>> = item.list().iter().map(|i| i.span(OFFSET)).collect();
        list.into_iter().collect::<Option<Vec<_>>>().filter(|l| !l.is_empty())
    });
    let given: Vec<&str> = HAPPENINGS.iter().copied().filter(|key| block.has(key)).collect();
    let what = match given.as_slice() {
        [one] => read_happening(block, one),
        [] => {
            block.wrong(format_args!("nothing happens in this event; write one of: {}", HAPPENINGS.join(", ")));
            None
        }
        several => {
            block.wrong(format_args!("{} stand in one event; make an event of each", several.join(" and ")));
            None
        }
    };
    Some(TestEvent { line: block.line(), at: at?, what: what? })
}

fn read_happening(block: &Block<'_>, key: &str) -> Option<Happening> {
    let item = block.get(key).expect("the caller has seen the key");
    match key {
        "selftest" => send(block, Kind::Selftest, read_fields(&item.block()?, Kind::Selftest)),
        "press" => {
            let fields = match item.as_text() {
                Some(kind) => Some(vec![
                    field(&["kind"], Value::Text(kind.to_owned())),
                    field(&["held_ms"], Value::Number(800.0)),
                    field(&["ack"], Value::Flag(true)),
                ]),
                None => read_fields(&item.block()?, Kind::Press),
            };
            send(block, Kind::Press, fields)
        }
        "kind" => {
            let kind = item.word::<Kind>()?;
            send(block, kind, read_values(block, kind))
        }
        "boot" => {
            if item.flag()? {
                return need_units(block).map(Happening::Boot);
            }
            item.wrong("is false; write boot = true or drop the event");
            None
        }
        "status" => match item.text()? {
            "offline" => need_units(block).map(Happening::Offline),
            "online" => send(block, Kind::Status, Some(vec![field(&["online"], Value::Flag(true))])),
            _ => {
                item.wrong(format_args!("must be \"online\" or \"offline\"{}", item.got()));
                None
            }
        },
        "link" => match item.text()? {
            "down" => Some(Happening::Link(Link::Down)),
            "up" => Some(Happening::Link(Link::Up)),
            "stop" => Some(Happening::Link(Link::Stop)),
            "start" => Some(Happening::Link(Link::Start)),
            _ => {
                let words = "\"down\", \"up\" (the monitor's own link), \"stop\" or \"start\" (the monitor itself)";
                item.wrong(format_args!("must be {words}{}", item.got()));
                None
            }
        },
        "maintenance" => read_maintenance(&item.block()?),
        "order" => read_order(&item.block()?),
        "rebaseline" => {
            let units = need_units(block);
            let component = match item.as_flag() {
                Some(true) => None,
                Some(false) | None => Some(item.word::<Component>()?),
            };
            Some(Happening::Rebaseline { units: units?, component })
        }
        _ => unreachable!("every happening is read above"),
    }
}

fn read_maintenance(block: &Block<'_>) -> Option<Happening> {
    block.only_keys(&["unit", "site", "crew", "for"], |_| None);
    let remedy = "write for = \"2h\", or \"0s\" to end it now";
    let lasts = block.need("for", remedy).and_then(|item| item.span(OFFSET));
    let scopes = [
        block.get("unit").map(|i| i.parsed(UnitId::parse).map(MaintenanceScope::Unit)),
        block.get("site").map(|i| i.parsed(SiteId::parse).map(MaintenanceScope::Site)),
        block.get("crew").map(|i| i.parsed(CrewId::parse).map(MaintenanceScope::Crew)),
    ];
    let mut scopes = scopes.into_iter().flatten();
    match (scopes.next(), scopes.next()) {
        (Some(scope), None) => Some(Happening::Maintenance { scope: scope?, lasts: lasts? }),
        (None, _) | (Some(_), Some(_)) => {
            block.wrong("maintenance is of one unit, one site or one crew; name exactly one");
            None
        }
    }
}

fn read_order(block: &Block<'_>) -> Option<Happening> {
    block.only_keys(&["unit", "component", "incident", "set", "note"], |_| None);
    let set = block.need("set", "write set = \"acknowledged\", \"en-route\", \"repaired\" or \"cancelled\"");
    let set = set.and_then(|item| item.word::<OrderMove>());
    let unit = block.get("unit").map(|i| i.parsed(UnitId::parse));
    let component = block.get("component").map(|i| i.word::<Component>());
    let incident = block.get("incident").map(|i| i.words().map(str::to_owned));
    let note = block.get("note").map(|i| i.text().map(str::to_owned));
    Some(Happening::Order {
        unit: given(unit)?,
        component: given(component)?,
        incident: given(incident)?,
        set: set?,
        note: given(note)?.unwrap_or_default(),
    })
}

/// Some(None): not there. None: there, and wrong.
pub(super) fn given<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(value) => value.map(Some),
    }
}

fn send(block: &Block<'_>, kind: Kind, fields: Option<Vec<Field>>) -> Option<Happening> {
    let (units, clock_ms) = (need_units(block), read_clock(block));
    let fields = fields?;
    if let Some(field) = fields.iter().find(|f| f.series.times().is_some()) {
        let name = field.path.join(".");
        block.wrong(format_args!("{name} has several values, but an event sends one message; use a [[test.feed]]"));
        return None;
    }
    Some(Happening::Send(Sending { line: block.line(), units: units?, kind, fields, clock_ms: clock_ms? }))
}

fn need_units(block: &Block<'_>) -> Option<Units> {
    let units = read_units(block)?;
    if units.is_none() {
        block.wrong("unit is missing; write unit = \"PSH-001\", a list of units, or \"*\" for all");
    }
    units
}

/// `clock = "-10m"`: the unit's clock is ten minutes behind.
fn read_clock(block: &Block<'_>) -> Option<i64> {
    let Some(item) = block.get("clock") else { return Some(0) };
    let text = item.text()?.trim();
    let (sign, span) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let ms = parse_duration(span).and_then(|s| i64::try_from(s.as_millis()).ok());
    if ms.is_none() {
        item.wrong("is no span of time; write clock = \"+10m\" for a clock that is ahead, \"-10m\" for one behind");
    }
    ms.map(|ms| sign * ms)
}

fn field(path: &[&str], value: Value) -> Field {
    Field { path: path.iter().map(|p| (*p).to_owned()).collect(), series: Series::Constant(value) }
}

fn read_values(block: &Block<'_>, kind: Kind) -> Option<Vec<Field>> {
    match block.get("values") {
        None => Some(Vec::new()),
        Some(item) => read_fields(&item.block()?, kind),
    }
}

/// Keys as the payload has them. A self-test's components may stand without `results`, and with their result alone:
/// `camera = "fail"`.
fn read_fields(block: &Block<'_>, kind: Kind) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    let mut fine = true;
    for (name, item) in block.items() {
        let is_component = kind == Kind::Selftest && name.parse::<Component>().is_ok();
        let mut path = if is_component { vec!["results".to_owned()] } else { Vec::new() };
        path.push(name.to_owned());
        if is_component && !item.is_group() {
            path.push("result".to_owned());
            for part in item.list() {
                // A misspelt result would cost the whole message.
                fine &= part.as_text() == Some("_") || part.word::<Outcome>().is_some();
            }
        }
        fine &= read_field(path, &item, &mut fields).is_some();
    }
    fine.then_some(fields)
}

fn read_field(path: Vec<String>, item: &Item<'_>, fields: &mut Vec<Field>) -> Option<()> {
    if item.is_group() {
        let mut fine = true;
        for (name, inner) in item.block()?.items() {
            let mut path = path.clone();
            path.push(name.to_owned());
            fine &= read_field(path, &inner, fields).is_some();
        }
        return fine.then_some(());
    }
    let is_text = path.last().is_some_and(|name| TEXT_FIELDS.contains(&name.as_str()));
    let series = if item.is_list() {
        let values: Vec<Option<Option<Value>>> = item.list().iter().map(|i| one(i, is_text)).collect();
        let values: Option<Vec<Option<Value>>> = values.into_iter().collect();
        let values = values?;
        if values.is_empty() {
            item.wrong("is an empty list; write a value or drop the line");
            return None;
        }
        Series::Each(values)
    } else {
        match item.as_text() {
            Some(text) if !is_text => series::parse(text).map_err(|e| item.wrong(e)).ok()?,
            Some(_) | None => Series::Constant(one(item, is_text)?.unwrap_or(Value::Text("_".to_owned()))),
        }
    };
    fields.push(Field { path, series });
    Some(())
}

/// Some(None): `_`, not sent.
fn one(item: &Item<'_>, is_text: bool) -> Option<Option<Value>> {
    if let Some(flag) = item.as_flag() {
        return Some(Some(Value::Flag(flag)));
    }
    match item.as_text() {
        Some("_") => Some(None),
        Some(text) if is_text => Some(Some(Value::Text(text.to_owned()))),
        Some(_) | None => item.number().map(|n| Some(Value::Number(n))),
    }
}
