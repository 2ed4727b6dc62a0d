//! `rules test`: a file's tests on the real engine, in virtual time. Owns how a test's feeds and events become messages
//! of units; they are encoded and decoded as real ones. What must come of it is judged in `verdict`.
//! Never reads a clock or a file.

mod log;
mod verdict;

use std::time::Duration;

use serde_json::{Map, Number, Value as Json};

use crate::config::rule_test::series::Value;
use crate::config::rule_test::{Expected, Feed, Field, Happening, Link, RuleTest, Sending, TestEvent, Units};
use crate::config::{Problem, Problems, duration_text};
use crate::domain::event::{Action, Event, Hearing};
use crate::domain::{Fleet, Kind, OrderId, RuleSet, Settings, Subject, Timestamp, UnitIx};
use crate::engine::Engine;
use crate::render::rule_test::TestResult;
use crate::wire::decode::Decoder;
use crate::wire::payload::topic;
use crate::wire::signature::Signing;

use log::Log;

/// Of one test, all units together: more takes minutes and is a simulation.
const MESSAGES_MAX: usize = 3_000_000;
const BY: &str = "test";

/// Runs one test. Err: a message that no unit can send, or a step that cannot be taken.
pub fn run(file: &str, test: &RuleTest, fleet: &Fleet, rules: &RuleSet) -> Result<TestResult, Problems> {
    let wrong = |(line, what): (u32, String)| {
        Problems::gather(vec![Problem {
            file: file.to_owned(),
            line: Some(line),
            what: format!("test {:?}: {what}", test.name),
        }])
        .expect("there is one problem")
    };
    let log = play(test, fleet, rules).map_err(wrong)?;
    Ok(TestResult {
        file: file.to_owned(),
        line: test.line,
        test: test.name.clone(),
        start: test.start,
        expectations: test.expects.len(),
        misses: test.expects.iter().filter_map(|e| verdict::judge(e, test, fleet, &log)).collect(),
    })
}

type Wrong = (u32, String);

/// Something that comes due in a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at_ms: u64,
    what: DueWhat,
}

/// In this order at one instant: what happens to the monitor and the units comes before what they send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum DueWhat {
    Event(u32),
    Message { feed: u32, unit: UnitIx, n: u32 },
}

fn play(test: &RuleTest, fleet: &Fleet, rules: &RuleSet) -> Result<Log, Wrong> {
    let due = schedule(test, fleet)?;
    let readings = test.expects.iter().filter_map(|e| match &e.what {
        Expected::Reading { metric, .. } => Some(*metric),
        Expected::Alert { .. }
        | Expected::Readiness(_)
        | Expected::Incident { .. }
        | Expected::Order { .. }
        | Expected::Opened { .. }
        | Expected::Mails(_)
        | Expected::None(_) => None,
    });
    let settings = Settings { readings: readings.collect(), ..Settings::default() };
    let mut stage = Stage {
        test,
        engine: Engine::new(rules.clone(), fleet.clone(), settings),
        decoder: Decoder::new(Decoder::DEFAULT_ROOT, Signing::Off),
        senders: vec![Sender { boot: 1, seq: 0 }; fleet.len()],
        heard: true,
        running: true,
        log: Log::default(),
    };
    stage.tell(test.start, Event::Hearing(Hearing::Start));
    for due in due {
        let after = Duration::from_millis(due.at_ms);
        match due.what {
            DueWhat::Event(n) => stage.event(after, &test.events[n as usize])?,
            DueWhat::Message { feed, unit, n } => {
                stage.send(after, &test.feeds[feed as usize].sending, unit, n as usize, false)?;
            }
        }
    }
    if stage.running {
        let effects = stage.engine.advance(test.start + test.until);
        stage.log.take(effects);
    }
    Ok(stage.log)
}

fn schedule(test: &RuleTest, fleet: &Fleet) -> Result<Vec<Due>, Wrong> {
    let mut due = Vec::new();
    for (n, event) in test.events.iter().enumerate() {
        for at in &event.at {
            due.push(Due { at_ms: millis(*at), what: DueWhat::Event(n as u32) });
        }
    }
    for (n, feed) in test.feeds.iter().enumerate() {
        let Feed { sending, from, every, times } = feed;
        let units = members(&sending.units, fleet);
        if due.len() + units.len().saturating_mul(*times) > MESSAGES_MAX {
            let what =
                format!("the feeds send more than {MESSAGES_MAX} messages; make every longer or the test shorter");
            return Err((sending.line, what));
        }
        for i in 0..*times as u32 {
            let at_ms = millis(*from + every.saturating_mul(i));
            due.extend(units.iter().map(|u| Due { at_ms, what: DueWhat::Message { feed: n as u32, unit: *u, n: i } }));
        }
    }
    due.retain(|d| d.at_ms <= millis(test.until));
    due.sort_unstable();
    Ok(due)
}

fn millis(span: Duration) -> u64 {
    span.as_millis() as u64
}

/// Names that are not in the fleet were told before.
pub(super) fn members(units: &Units, fleet: &Fleet) -> Vec<UnitIx> {
    match units {
        Units::All { except } => fleet.units().filter(|(_, u)| !except.contains(&u.unit)).map(|(ix, _)| ix).collect(),
        Units::Named(list) => list.iter().filter_map(|id| fleet.find(id.as_str())).collect(),
    }
}

/// A unit's own counters.
#[derive(Debug, Clone, Copy)]
struct Sender {
    boot: u32,
    seq: u64,
}

struct Stage<'t> {
    test: &'t RuleTest,
    engine: Engine,
    decoder: Decoder,
    senders: Vec<Sender>,
    /// Is the monitor's own link up?
    heard: bool,
    /// Is the monitor switched on?
    running: bool,
    log: Log,
}

impl Stage<'_> {
    fn tell(&mut self, at: Timestamp, event: Event) {
        let effects = self.engine.handle(at, event);
        self.log.take(effects);
    }

    /// A message of one unit, as it would stand on the wire. What nobody hears is lost, and its number with it.
    fn send(
        &mut self,
        after: Duration,
        sending: &Sending,
        unit: UnitIx,
        n: usize,
        last_will: bool,
    ) -> Result<(), Wrong> {
        let at = self.test.start + after;
        let mut payload = Map::new();
        let mut own = 0;
        for Field { path, series } in &sending.fields {
            if let Some(value) = series.at(n) {
                own += 1;
                put(&mut payload, path, json(value)).map_err(|what| (sending.line, what))?;
            }
        }
        // Every value of this moment is `_`: the message itself does not come.
        if own == 0 && sending.fields.iter().any(|f| f.series.times().is_some()) {
            return Ok(());
        }
        if !last_will {
            let sender = &mut self.senders[unit.index()];
            sender.seq += 1;
            let ts = at.as_millis().saturating_add(sending.clock_ms);
            let common = [("ts", Json::from(ts)), ("boot", sender.boot.into()), ("seq", sender.seq.into())];
            for (key, value) in common {
                payload.entry(key).or_insert(value);
            }
        }
        if !(self.heard && self.running) {
            return Ok(());
        }
        let topic = topic(self.decoder.root(), self.engine.fleet().unit(unit).unit.as_str(), sending.kind);
        let payload = serde_json::to_vec(&Json::Object(payload)).expect("our own values are JSON");
        let decoded =
            self.decoder.decode(&topic, &payload).map_err(|r| (sending.line, refused(sending.kind, after, &r.why)))?;
        if let Some(dropped) = decoded.dropped.first() {
            return Err((sending.line, refused(sending.kind, after, &dropped.why)));
        }
        if decoded.unknown_fields > 0 {
            let names: Vec<String> = sending.fields.iter().map(|f| f.path.join(".")).collect();
            let what = format!(
                "not every value here is a field of a {} message: {}; docs/protocol.md lists the fields, vendor figures stand under \
                 extra",
                sending.kind,
                names.join(", ")
            );
            return Err((sending.line, what));
        }
        let message = decoded.message;
        self.tell(at, Event::Message { unit, message, retained: false });
        Ok(())
    }

    fn event(&mut self, after: Duration, event: &TestEvent) -> Result<(), Wrong> {
        let at = self.test.start + after;
        let fleet = self.engine.fleet().clone();
        match &event.what {
            Happening::Send(sending) => {
                for unit in members(&sending.units, &fleet) {
                    self.send(after, sending, unit, 0, false)?;
                }
            }
            Happening::Boot(units) => {
                for unit in members(units, &fleet) {
                    let sender = &mut self.senders[unit.index()];
                    *sender = Sender { boot: sender.boot.saturating_add(1), seq: 0 };
                    self.send(after, &plain(event.line, Kind::Heartbeat, Vec::new()), unit, 0, false)?;
                }
            }
            Happening::Offline(units) => {
                use crate::config::rule_test::series::Series;
                let online = Field { path: vec!["online".into()], series: Series::Constant(Value::Flag(false)) };
                for unit in members(units, &fleet) {
                    self.send(after, &plain(event.line, Kind::Status, vec![online.clone()]), unit, 0, true)?;
                }
            }
            Happening::Link(Link::Stop) => {
                let effects = self.engine.advance(at);
                self.log.take(effects);
                self.running = false;
            }
            Happening::Link(Link::Start) => {
                (self.running, self.heard) = (true, true);
                self.tell(at, Event::Hearing(Hearing::Start));
            }
            Happening::Link(Link::Down) => {
                self.heard = false;
                self.tell(at, Event::Hearing(Hearing::Down));
            }
            Happening::Link(Link::Up) => {
                self.heard = true;
                self.tell(at, Event::Hearing(Hearing::Up));
            }
            Happening::Maintenance { scope, lasts } => {
                let action = Action::Maintenance { scope: scope.clone(), until: at + *lasts };
                self.instruct(at, event.line, action)?;
            }
            Happening::Rebaseline { units, component } => {
                for unit in members(units, &fleet) {
                    let unit = fleet.unit(unit).unit.clone();
                    self.instruct(at, event.line, Action::Rebaseline { unit, component: *component })?;
                }
            }
            Happening::Order { unit, component, incident, set, note } => {
                // What is due before this moment may open or close the very order.
                let effects = self.engine.advance(at);
                self.log.take(effects);
                let fits = |subject: &Subject| match subject {
                    Subject::Unit { unit: u, component: c } => {
                        incident.is_none()
                            && unit.as_ref().is_none_or(|wanted| wanted == u)
                            && component.is_none_or(|wanted| wanted == *c)
                    }
                    Subject::Incident { name, .. } => {
                        unit.is_none() && component.is_none() && incident.as_ref().is_none_or(|i| i == name.as_str())
                    }
                };
                let newest: Option<OrderId> =
                    self.engine.open_orders().filter(|o| fits(&o.subject)).map(|o| o.id).max();
                let Some(order) = newest else {
                    let what = format!(
                        "at {} no open order fits this step; an order must be open by then",
                        duration_text(after)
                    );
                    return Err((event.line, what));
                };
                self.instruct(at, event.line, Action::SetOrder { order, to: *set, note: note.clone() })?;
            }
        }
        Ok(())
    }

    fn instruct(&mut self, at: Timestamp, line: u32, action: Action) -> Result<(), Wrong> {
        if !self.running {
            let what = "the monitor is switched off at this moment; put the event after link = \"start\"";
            return Err((line, what.to_owned()));
        }
        let effects = self.engine.handle(at, Event::Do { action, by: BY.to_owned() });
        let refused = log::refusal(&effects);
        self.log.take(effects);
        refused.map_or(Ok(()), |why| Err((line, format!("this step was refused: {why}"))))
    }
}

fn refused(kind: Kind, after: Duration, why: &str) -> String {
    format!("the {kind} at {} would be refused: {why}", duration_text(after))
}

fn plain(line: u32, kind: Kind, fields: Vec<Field>) -> Sending {
    Sending { line, units: Units::Named(Vec::new()), kind, fields, clock_ms: 0 }
}

fn json(value: &Value) -> Json {
    /// Up to here a float holds every whole number exactly.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(n) if n.fract() == 0.0 && n.abs() <= EXACT => Json::from(*n as i64),
        Value::Number(n) => Number::from_f64(*n).map_or(Json::Null, Json::Number),
        Value::Flag(flag) => Json::Bool(*flag),
        Value::Text(text) => Json::String(text.clone()),
    }
}

/// Err: a value and a group of values have one name.
fn put(into: &mut Map<String, Json>, path: &[String], value: Json) -> Result<(), String> {
    match path {
        [] => Ok(()),
        [last] => {
            into.insert(last.clone(), value);
            Ok(())
        }
        [first, rest @ ..] => match into.entry(first.clone()).or_insert_with(|| Json::Object(Map::new())) {
            Json::Object(inner) => put(inner, rest, value),
            _ => Err(format!("{first} is a value and a group of values at once; keep one of them")),
        },
    }
}
