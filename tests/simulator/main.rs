//! The simulated fleet: what its units say, what each fault does to it, and its clients on real brokers.

mod brokers;
mod faults;
mod model;
mod scenarios;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use buttonwatch::app::simulate::{
    Control, Fault, FaultKind, FaultName, Leaving, Report, Scenario, SimulateError, SimulateOptions, Struck, Summary,
    Target, Timetable, What, World, check_scenario, run, run_blocking, write_recording,
};
use buttonwatch::domain::message::{Command, Do, Kind};
use buttonwatch::domain::{
    City, Component, CrewId, FeederId, Fleet, SiteId, Timestamp, Unit, UnitId, UnitIx, UplinkId,
};
use serde_json::Value;
use tokio::sync::mpsc;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

fn hours(n: u64) -> Duration {
    HOUR * n as u32
}

/// A Saturday in November, 14:00 in Peshawar.
fn start() -> Timestamp {
    Timestamp::parse("2026-11-21T09:00:00Z").expect("valid")
}

/// Four units to an uplink, five to a feeder.
fn fleet(units: usize) -> Fleet {
    Fleet::new(
        (0..units)
            .map(|i| Unit {
                unit: UnitId::parse(&format!("PSH-{:03}", i + 1)).expect("valid"),
                name: format!("Button {}", i + 1).into(),
                site: SiteId::parse(&format!("Site {}", i / 2)).expect("valid"),
                site_type: if i % 3 == 0 { "market" } else { "park" }.into(),
                city: City::parse("Peshawar").expect("valid"),
                district: None,
                address: "".into(),
                position: None,
                crew: CrewId::parse("north").expect("valid"),
                uplink: Some(UplinkId::parse(&format!("up-{}", i / 4)).expect("valid")),
                feeder: Some(FeederId::parse(&format!("feed-{}", i / 5)).expect("valid")),
                model: if i % 4 == 3 { "EB-2-LFP" } else { "EB-2" }.into(),
                heartbeat: None,
                commissioned: None,
                contact: "".into(),
            })
            .collect(),
    )
}

/// Nothing happens but what a test asks for.
fn quiet() -> Scenario {
    let mut scenario = Scenario::default();
    scenario.load_shedding.all = Some(Timetable { hours: 0.0, cuts: 0, jitter_ms: 0, unannounced: 0.0 });
    scenario.weather.fog_days_per_year = 0.0;
    scenario.presses.real_per_unit_per_year = 0.0;
    scenario.link.loss_pct = Some(0.0);
    scenario
}

/// Five-minute beats: for tests over weeks.
fn slow(mut scenario: Scenario) -> Scenario {
    scenario.cadence.heartbeat = Some(Duration::from_secs(300));
    scenario.cadence.power = Duration::from_secs(300);
    scenario
}

/// For tests over months.
fn sparse(mut scenario: Scenario) -> Scenario {
    scenario.cadence.heartbeat = Some(hours(2));
    scenario.cadence.power = Duration::from_secs(600);
    scenario
}

#[derive(Debug, Clone)]
struct Said {
    at: Timestamp,
    unit: UnitIx,
    kind: Kind,
    json: Value,
}

impl Said {
    fn number(&self, path: &str) -> f64 {
        self.json.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number {path} in {}", self.json))
    }
    fn text(&self, path: &str) -> &str {
        self.json.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }
    fn ts(&self) -> Timestamp {
        match &self.json["ts"] {
            Value::String(text) => Timestamp::parse(text).expect("RFC 3339"),
            ms => Timestamp::from_millis(ms.as_i64().expect("ms")),
        }
    }
    fn boot(&self) -> u64 {
        self.json["boot"].as_u64().expect("boot")
    }
    fn seq(&self) -> u64 {
        self.json["seq"].as_u64().expect("seq")
    }
}

#[derive(Default)]
struct Heard {
    said: Vec<Said>,
    left: Vec<(Timestamp, UnitIx, Leaving)>,
    connected: Vec<(Timestamp, UnitIx)>,
    wills: Vec<(Timestamp, UnitIx)>,
}

impl Heard {
    fn of(&self, unit: u32, kind: Kind) -> Vec<&Said> {
        self.said.iter().filter(|s| s.unit == UnitIx(unit) && s.kind == kind).collect()
    }
    fn after(&self, from: Timestamp) -> Heard {
        Heard { said: self.said.iter().filter(|s| s.at > from).cloned().collect(), ..Heard::default() }
    }
}

/// Lets the world run for a while.
fn listen(world: &mut World, until: Timestamp) -> Heard {
    let mut heard = Heard::default();
    let mut last = Timestamp::MIN;
    while let Some(event) = world.next_until(until) {
        assert!(event.at >= last, "events come in the order of time");
        last = event.at;
        match event.what {
            What::Say { kind, payload, boot, seq } => {
                let json: Value = serde_json::from_slice(&payload).expect("payloads are JSON");
                let said = Said { at: event.at, unit: event.unit, kind, json };
                assert_eq!((u64::from(boot), seq), (said.boot(), said.seq()));
                heard.said.push(said);
            }
            What::Connect => heard.connected.push((event.at, event.unit)),
            What::Disconnect(leaving) => heard.left.push((event.at, event.unit, leaving)),
            What::Will { payload } => {
                let json: Value = serde_json::from_slice(&payload).expect("JSON");
                assert_eq!(json, serde_json::json!({"online": false, "reason": "connection lost"}));
                heard.wills.push((event.at, event.unit));
            }
            What::FaultBegan(_) | What::FaultEnded(_) => {}
        }
    }
    heard
}

fn unit_id(n: u32) -> UnitId {
    UnitId::parse(&format!("PSH-{n:03}")).expect("valid")
}

/// A world of four units whose first is struck after two hours; heard for as long as asked.
fn struck(kind: FaultKind, listen_for: Duration) -> (World, Heard, Timestamp) {
    struck_in(slow(quiet()), kind, listen_for)
}

fn struck_in(scenario: Scenario, kind: FaultKind, listen_for: Duration) -> (World, Heard, Timestamp) {
    let mut world = World::new(&fleet(4), &scenario, 11, start());
    let at = start() + hours(2);
    let mut heard = listen(&mut world, at);
    world.inject(&Fault::now(kind, Target::Unit(unit_id(1))), at);
    let later = listen(&mut world, at + listen_for);
    heard.said.extend(later.said);
    heard.left.extend(later.left);
    heard.connected.extend(later.connected);
    heard.wills.extend(later.wills);
    (world, heard, at)
}
