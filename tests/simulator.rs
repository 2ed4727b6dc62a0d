//! The simulated fleet: what its units say, what each fault does to it, and its clients on real brokers.

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
                name: format!("Button {}", i + 1),
                site: SiteId::parse(&format!("Site {}", i / 2)).expect("valid"),
                site_type: if i % 3 == 0 { "market" } else { "park" }.to_owned(),
                city: City::parse("Peshawar").expect("valid"),
                district: None,
                address: String::new(),
                position: None,
                crew: CrewId::parse("north").expect("valid"),
                uplink: Some(UplinkId::parse(&format!("up-{}", i / 4)).expect("valid")),
                feeder: Some(FeederId::parse(&format!("feed-{}", i / 5)).expect("valid")),
                model: if i % 4 == 3 { "EB-2-LFP" } else { "EB-2" }.to_owned(),
                heartbeat: None,
                commissioned: None,
                contact: String::new(),
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

// ---- the model ----

#[test]
fn one_seed_writes_one_recording_and_another_seed_another() {
    let scenario = Scenario::default();
    let record = |seed| {
        let mut world = World::new(&fleet(12), &scenario, seed, start());
        let mut lines = Vec::new();
        let count = write_recording(&mut world, "buttonwatch/v1", start() + hours(3), &mut lines).expect("memory");
        assert!(count > 12 * 3 * 100);
        lines
    };
    let first = record(7);
    assert!(first == record(7), "the same seed gives the same bytes");
    assert!(first != record(8), "another seed gives another day");
    for line in String::from_utf8(first).expect("UTF-8").lines() {
        let line: Value = serde_json::from_str(line).expect("each line is JSON");
        assert!(Timestamp::parse(line["at"].as_str().expect("at")).is_some());
        let topic = line["topic"].as_str().expect("topic");
        assert!(topic.starts_with("buttonwatch/v1/PSH-"), "{topic}");
        assert!(line["payload"].is_object());
    }
}

#[test]
fn asking_in_small_steps_gives_the_same_world() {
    let scenario = Scenario::default();
    let mut all = World::new(&fleet(5), &scenario, 3, start());
    let mut bits = World::new(&fleet(5), &scenario, 3, start());
    let whole: Vec<_> = std::iter::from_fn(|| all.next_until(start() + HOUR)).collect();
    let mut pieces = Vec::new();
    for ms in (0..=3_600_000_u64).step_by(777) {
        while let Some(event) = bits.next_until(start() + Duration::from_millis(ms)) {
            pieces.push(event);
        }
    }
    while let Some(event) = bits.next_until(start() + HOUR) {
        pieces.push(event);
    }
    assert!(whole == pieces);
}

/// DESIGN §4's table: field → (required, kind of value).
fn table(kind: Kind) -> BTreeMap<&'static str, (bool, &'static str)> {
    let fields: &[(&str, bool, &str)] = match kind {
        Kind::Heartbeat => &[
            ("uptime_s", true, "number"),
            ("interval_s", true, "number"),
            ("fw", true, "string"),
            ("hw", true, "string"),
            ("rssi_dbm", true, "number"),
            ("temp_c", true, "number"),
            ("disk_free_pct", true, "number"),
            ("mem_free_pct", true, "number"),
            ("tamper", true, "boolean"),
        ],
        Kind::Power => &[
            ("mains", true, "boolean"),
            ("mains_v", true, "number"),
            ("battery_v", true, "number"),
            ("battery_pct", false, "number"),
            ("battery_temp_c", true, "number"),
            ("charge_a", true, "number"),
            ("load_w", true, "number"),
        ],
        Kind::Selftest => &[("id", false, "string"), ("trigger", true, "string"), ("results", true, "object")],
        Kind::Press => &[
            ("kind", true, "string"),
            ("held_ms", true, "number"),
            ("ack", true, "boolean"),
            ("ack_ms", false, "number"),
        ],
        Kind::Status => &[("online", true, "boolean"), ("reason", false, "string")],
        Kind::Reply => &[("id", true, "string"), ("ok", true, "boolean"), ("error", false, "string")],
    };
    fields.iter().map(|(name, needed, what)| (*name, (*needed, *what))).collect()
}

fn value_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

fn conforms(said: &Said) {
    let object = said.json.as_object().expect("an object");
    let table = table(said.kind);
    for (name, (needed, what)) in &table {
        match object.get(*name) {
            Some(value) => assert_eq!(value_kind(value), *what, "{name} in {}", said.json),
            None => assert!(!needed, "{name} is missing in {}", said.json),
        }
    }
    for name in object.keys() {
        assert!(["ts", "boot", "seq"].contains(&name.as_str()) || table.contains_key(name.as_str()), "{name}");
    }
    let figures: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("camera", &["result", "code", "sharpness", "luma", "changed_pct", "frozen_frames", "fps", "mode"][..]),
        ("microphone", &["result", "code", "tone_snr_db", "ambient_dbfs", "clipping_pct", "retries"][..]),
        ("speaker", &["result", "code", "tone_snr_db"][..]),
        ("button", &["result", "code", "stuck", "contact_ohm"][..]),
        ("stream", &["result", "code", "connect_ms", "kbps", "loss_pct"][..]),
    ]);
    if let Some(results) = object.get("results").and_then(Value::as_object) {
        assert!(!results.is_empty());
        for (component, result) in results {
            let known = figures.get(component.as_str()).unwrap_or_else(|| panic!("component {component}"));
            for name in result.as_object().expect("an object").keys() {
                assert!(known.contains(&name.as_str()), "{component}.{name}");
            }
            let word = result["result"].as_str().expect("result");
            assert!(["pass", "fail", "inconclusive", "skipped"].contains(&word));
            assert_eq!(word == "pass", result.get("code").is_none(), "what is no pass has a code: {result}");
        }
    }
}

#[test]
fn every_payload_keeps_to_the_protocols_table_under_every_fault() {
    let fleet = fleet(30);
    let mut scenario = Scenario::default();
    scenario.presses.real_per_unit_per_year = 2_000.0;
    scenario.cadence.selftest = Some(hours(1));
    let mut world = World::new(&fleet, &scenario, 5, start());
    for (i, name) in FaultName::ALL.iter().enumerate() {
        let target = match name {
            FaultName::UplinkDown | FaultName::FeederCut => Target::Random(1),
            _ => Target::Unit(unit_id(1 + i as u32)),
        };
        world.inject(&Fault::now(name.usual(), target), start() + HOUR);
    }
    for i in 0..30 {
        let command = Command {
            id: format!("c{i}"),
            act: Do::ALL[i as usize % 3],
            components: Vec::new(),
            expires: if i == 0 { start() } else { Timestamp::MAX },
        };
        world.command(UnitIx(i), command, start() + hours(2));
    }
    let heard = listen(&mut world, start() + hours(12));
    let mut kinds = BTreeSet::new();
    for said in &heard.said {
        conforms(said);
        kinds.insert(said.kind);
    }
    assert_eq!(kinds.len(), Kind::ALL.len(), "{kinds:?}");
}

#[test]
fn sequence_numbers_grow_by_one_and_boots_by_one() {
    let (_, heard, _) = struck(FaultName::RebootLoop.usual(), hours(3));
    for unit in 0..4 {
        let mut last: Option<(u64, u64)> = None;
        for said in heard.said.iter().filter(|s| s.unit == UnitIx(unit)) {
            let here = (said.boot(), said.seq());
            if let Some((boot, seq)) = last {
                assert!(here == (boot, seq + 1) || here == (boot + 1, 1), "{last:?} then {here:?}");
            }
            last = Some(here);
        }
    }
}

#[test]
fn a_unit_starts_with_its_status_and_a_self_test_and_keeps_its_cadence() {
    let mut world = World::new(&fleet(8), &quiet(), 2, start());
    let heard = listen(&mut world, start() + hours(1));
    for unit in 0..8 {
        let first = heard.said.iter().find(|s| s.unit == UnitIx(unit)).expect("it speaks");
        assert_eq!((first.kind, &first.json["online"]), (Kind::Status, &Value::Bool(true)));
        let tests = heard.of(unit, Kind::Selftest);
        assert_eq!(tests[0].text("/trigger"), "boot");
        assert!(tests[0].at < start() + Duration::from_secs(90));
        let beats = heard.of(unit, Kind::Heartbeat);
        assert!((117..=120).contains(&beats.len()), "{} beats in an hour", beats.len());
        for pair in beats.windows(2) {
            let gap = pair[1].at.since(pair[0].at).as_secs_f64();
            assert!((28.9..31.1).contains(&gap), "{gap} s between beats");
        }
        assert_eq!(beats[0].number("/interval_s"), 30.0);
        let power = heard.of(unit, Kind::Power);
        assert!((57..=60).contains(&power.len()), "{} power messages", power.len());
    }
}

#[test]
fn weeks_of_load_shedding_never_empty_a_healthy_battery() {
    for (daily, cuts) in [(6.0, 6), (4.0, 1), (12.0, 6), (18.0, 6), (8.0, 4)] {
        let mut scenario = sparse(quiet());
        scenario.load_shedding.all = Some(Timetable { hours: daily, cuts, jitter_ms: 360_000, unannounced: 2.0 });
        let mut world = World::new(&fleet(10), &scenario, 9, start());
        let heard = listen(&mut world, start() + DAY * 15);
        assert!(heard.left.is_empty(), "{daily} h a day in {cuts} cuts: {:?}", heard.left.first());
        let lowest = heard
            .said
            .iter()
            .filter(|s| s.kind == Kind::Power)
            .map(|s| (s.number("/battery_v"), s.unit))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .expect("power messages");
        assert!(lowest.0 > 11.7, "{daily} h a day in {cuts} cuts: {lowest:?}");
        let dark = heard.said.iter().filter(|s| s.json["mains"] == Value::Bool(false)).count() as f64;
        let all = heard.said.iter().filter(|s| s.kind == Kind::Power).count() as f64;
        assert!((dark / all * 24.0 - daily).abs() < 0.15 * daily + 0.3, "{} h dark of {daily}", dark / all * 24.0);
    }
}

#[test]
fn the_usual_feeders_of_a_year_keep_every_healthy_unit_on() {
    let mut scenario = sparse(Scenario::default());
    scenario.cadence.power = Duration::from_secs(1800);
    let mut world = World::new(&fleet(12), &scenario, 1, start());
    let heard = listen(&mut world, start() + DAY * 365);
    assert!(heard.left.is_empty(), "{:?}", heard.left.first());
    let hottest =
        heard.said.iter().filter(|s| s.kind == Kind::Heartbeat).map(|s| s.number("/temp_c")).fold(f64::MIN, f64::max);
    assert!((40.0..60.0).contains(&hottest), "{hottest} °C");
    let battery = heard
        .said
        .iter()
        .filter(|s| s.kind == Kind::Power)
        .map(|s| s.number("/battery_temp_c"))
        .fold(f64::MIN, f64::max);
    assert!(battery < 50.0, "a healthy battery stays under DESIGN's limit: {battery} °C");
    // Every unit was pressed for a test within each thirty days.
    for unit in 0..12 {
        let tests: Vec<Timestamp> =
            heard.of(unit, Kind::Press).iter().filter(|p| p.text("/kind") == "test").map(|p| p.at).collect();
        assert!(tests.windows(2).all(|w| w[1].since(w[0]) < DAY * 30), "unit {unit}");
        assert!(tests.len() >= 12);
    }
}

#[test]
fn a_power_message_comes_at_once_when_the_mains_change() {
    let mut scenario = quiet();
    scenario.load_shedding.all = Some(Timetable { hours: 6.0, cuts: 6, jitter_ms: 0, unannounced: 0.0 });
    let mut world = World::new(&fleet(5), &scenario, 4, start());
    let heard = listen(&mut world, start() + DAY);
    let changes: Vec<(Timestamp, bool)> = heard
        .of(0, Kind::Power)
        .windows(2)
        .filter(|w| w[0].json["mains"] != w[1].json["mains"])
        .map(|w| (w[1].at, w[1].json["mains"] == Value::Bool(true)))
        .collect();
    assert!(changes.len() >= 10, "{}", changes.len());
    for (at, mains) in changes {
        for sibling in 1..5 {
            let near = heard.of(sibling, Kind::Power).into_iter().any(|s| {
                s.json["mains"] == Value::Bool(mains) && s.at.since(at) + at.since(s.at) < Duration::from_secs(3)
            });
            assert!(near, "unit {sibling} shares the feeder and says so at {at}");
        }
    }
}

#[test]
fn months_of_the_first_fleet_take_seconds() {
    let mut world = World::new(&fleet(68), &sparse(Scenario::default()), 1, start());
    let began = Instant::now();
    let mut events = 0_u64;
    while world.next_until(start() + DAY * 20).is_some() {
        events += 1;
    }
    let took = began.elapsed();
    println!("{events} events of 20 days in {took:?}: {:.0} a second", events as f64 / took.as_secs_f64());
    assert!(events > 68 * (144 + 12) * 19);
    // A debug build on a busy machine; a release build is twenty times as fast.
    assert!(took < Duration::from_secs(120), "{took:?}");
}

// ---- faults, one by one ----

#[test]
fn a_dead_unit_says_nothing_until_it_is_repaired_and_then_starts_anew() {
    let (mut world, heard, at) = struck(FaultKind::Dead, hours(5));
    assert!(heard.after(at).said.iter().all(|s| s.unit != UnitIx(0)));
    assert!(heard.after(at).said.iter().any(|s| s.unit == UnitIx(1)));
    assert_eq!(heard.left, vec![(at, UnitIx(0), Leaving::PowerLost)]);
    assert_eq!(heard.wills.len(), 1);
    let boot = heard.of(0, Kind::Heartbeat).last().expect("it lived").boot();
    let now = world.now();
    world.repair(UnitIx(0), Component::Camera, now);
    assert!(listen(&mut world, now + HOUR).of(0, Kind::Status).is_empty(), "another part's repair changes nothing");
    let now = world.now();
    world.repair(UnitIx(0), Component::Controller, now);
    let after = listen(&mut world, now + HOUR);
    assert_eq!(after.of(0, Kind::Selftest)[0].text("/trigger"), "boot");
    assert_eq!(after.of(0, Kind::Heartbeat)[0].boot(), boot + 1);
    let truth = &world.truth()[0];
    assert_eq!((truth.component, truth.from, truth.to), (Some(Component::Controller), at, Some(now)));
    assert_eq!(truth.struck, Struck::Unit(UnitIx(0)));
}

#[test]
fn an_uplink_takes_its_units_down_and_brings_their_late_messages_back() {
    let mut scenario = slow(quiet());
    scenario.link.buffers = Some(true);
    let fleet = fleet(8);
    let text = "[[fault]]\nkind = \"uplink-down\"\nuplink = \"up-1\"\nat = \"2h\"\nlasts = \"1h\"\n";
    scenario.faults = check_scenario("x.toml", text, &fleet).expect("valid").faults;
    let mut world = World::new(&fleet, &scenario, 3, start());
    let heard = listen(&mut world, start() + hours(4));
    let down = start() + hours(2);
    let up = start() + hours(3);
    let left: BTreeSet<u32> = heard.left.iter().map(|(_, u, _)| u.0).collect();
    assert_eq!(left, BTreeSet::from([4, 5, 6, 7]));
    assert!(heard.left.iter().all(|(at, _, l)| *at == down && *l == Leaving::LinkLost));
    for unit in 4..8 {
        assert!(!heard.said.iter().any(|s| s.unit == UnitIx(unit) && s.at > down && s.at < up));
        let late = heard.said.iter().filter(|s| {
            s.unit == UnitIx(unit) && s.at > up && s.ts() < up && s.at.since(s.ts()) > Duration::from_secs(10)
        });
        assert!(late.count() >= 20, "what it said meanwhile arrives with its own time");
    }
    assert!(heard.of(0, Kind::Heartbeat).iter().any(|s| s.at > down && s.at < up), "the other uplink goes on");
    let truth = world.truth();
    assert_eq!(truth.len(), 1);
    assert_eq!((truth[0].from, truth[0].to, truth[0].units.len()), (down, Some(up), 4));
}

#[test]
fn a_feeder_cut_is_seen_by_its_units_alone() {
    let mut scenario = slow(quiet());
    let fleet = fleet(10);
    let text = "[[fault]]\nkind = \"feeder-cut\"\nfeeder = \"feed-1\"\nat = \"2h\"\nlasts = \"90m\"\n";
    scenario.faults = check_scenario("x.toml", text, &fleet).expect("valid").faults;
    let mut world = World::new(&fleet, &scenario, 3, start());
    let heard = listen(&mut world, start() + hours(5));
    for unit in 0..10 {
        let dark = heard.of(unit, Kind::Power).iter().filter(|s| s.json["mains"] == Value::Bool(false)).count();
        assert_eq!(dark > 0, unit >= 5, "unit {unit}: {dark}");
        if unit >= 5 {
            let in_cut = heard.of(unit, Kind::Power).into_iter().find(|s| s.json["mains"] == Value::Bool(false));
            let in_cut = in_cut.expect("dark");
            assert!(in_cut.number("/charge_a") < -0.3 && in_cut.number("/mains_v") == 0.0);
        }
    }
}

fn last_test(heard: &Heard) -> &Said {
    heard.said.iter().rfind(|s| s.unit == UnitIx(0) && s.kind == Kind::Selftest).expect("a self-test")
}

#[test]
fn camera_faults_show_in_the_next_self_tests() {
    let (_, heard, at) = struck(FaultKind::CameraBlocked, DAY * 2);
    let tests = heard.after(at);
    assert!(tests.of(0, Kind::Selftest).len() >= 2);
    for test in tests.of(0, Kind::Selftest).iter().filter(|t| t.json["results"].get("camera").is_some()) {
        assert_eq!(test.text("/results/camera/result"), "fail");
        assert_eq!(test.text("/results/camera/code"), "blocked");
        assert!(test.number("/results/camera/sharpness") < 10.0 && test.number("/results/camera/changed_pct") > 90.0);
    }
    assert!(tests.of(1, Kind::Selftest).iter().all(|t| t.text("/results/camera/result") != "fail"));

    let (_, heard, _) = struck(FaultKind::CameraFrozen, DAY * 2);
    assert_eq!(last_test(&heard).text("/results/camera/code"), "frozen");
    assert!(last_test(&heard).number("/results/camera/frozen_frames") > 100.0);

    let (world, heard, at) = struck(FaultKind::CameraGlitch, DAY * 4);
    let after = heard.after(at);
    let results: Vec<&str> = after
        .of(0, Kind::Selftest)
        .iter()
        .filter(|t| t.json["results"].get("camera").is_some())
        .map(|t| t.text("/results/camera/result"))
        .collect();
    assert_eq!(results[0], "fail");
    assert!(results.len() >= 3 && results[1..].iter().all(|r| *r == "pass"), "{results:?}");
    assert!(world.truth()[0].to.is_some() && world.truth()[0].component.is_none());
}

/// (at, mode, sharpness) of the first unit.
fn sharpness(heard: &Heard) -> Vec<(Timestamp, String, f64)> {
    heard
        .of(0, Kind::Selftest)
        .iter()
        .filter(|t| t.json["results"].get("camera").is_some())
        .map(|t| (t.at, t.text("/results/camera/mode").to_owned(), t.number("/results/camera/sharpness")))
        .collect()
}

#[test]
fn sharpness_holds_within_five_percent_until_dust_takes_it_down_over_weeks() {
    let mut scenario = slow(quiet());
    scenario.cadence.selftest = Some(hours(6));
    let (_, healthy, _) = struck_in(scenario.clone(), FaultKind::NoTestPresses, DAY * 20);
    for mode in ["day", "ir"] {
        let values: Vec<f64> = sharpness(&healthy).into_iter().filter(|s| s.1 == mode).map(|s| s.2).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        assert!(values.len() > 10 && values.iter().all(|v| (v / mean - 1.0).abs() < 0.07), "{mode}: {values:?}");
    }
    let kind = FaultKind::CameraDirty { over: DAY * 21, left_pct: 20.0 };
    let (mut world, dusty, at) = struck_in(scenario, kind, DAY * 22);
    let day: Vec<f64> = sharpness(&dusty).into_iter().filter(|s| s.1 == "day").map(|s| s.2).collect();
    let ratio = day[day.len() - 1] / day[0];
    assert!((0.17..0.23).contains(&ratio), "{ratio} of its sharpness after three weeks");
    assert!(day.windows(8).all(|w| w[7] < w[0]), "it falls steadily");
    assert!(dusty.after(at).of(0, Kind::Selftest).iter().all(|t| t.text("/results/camera/result") == "pass"));
    let now = world.now();
    world.repair(UnitIx(0), Component::Camera, now);
    let clean = listen(&mut world, now + DAY * 2);
    let again = sharpness(&clean).into_iter().find(|s| s.1 == "day").expect("a day test").2;
    assert!((again / day[0] - 1.0).abs() < 0.12, "wiped clean: {again} of {}", day[0]);
}

#[test]
fn fog_blurs_everyone_and_breaks_nothing() {
    let mut scenario = slow(quiet());
    scenario.cadence.selftest = Some(hours(1));
    let mut world = World::new(&fleet(4), &scenario, 6, start());
    let before = listen(&mut world, start() + hours(2));
    world.inject(&Fault::now(FaultName::Fog.usual(), Target::All), start() + hours(2));
    let during = listen(&mut world, start() + hours(3) + Duration::from_secs(1800));
    for unit in 0..4 {
        let figure = |h: &Heard| h.of(unit, Kind::Selftest).last().expect("a test").number("/results/camera/sharpness");
        let ratio = figure(&during) / figure(&before);
        assert!((0.15..0.7).contains(&ratio), "{ratio}");
    }
    assert!(during.said.iter().all(|s| s.text("/results/camera/result") != "fail"));
    assert!(world.truth().iter().all(|t| t.component.is_none()));
}

#[test]
fn sound_stream_and_button_faults_fail_their_own_tests_only() {
    let others = |test: &Said, own: &[&str]| {
        for (component, result) in test.json["results"].as_object().expect("results") {
            if !own.contains(&component.as_str()) {
                assert_eq!(result["result"], "pass", "{component} of {}", test.json);
            }
        }
    };
    let (_, heard, _) = struck(FaultName::MicrophoneDeaf.usual(), DAY * 2);
    let before = heard.of(0, Kind::Selftest)[0].number("/results/microphone/tone_snr_db");
    let deaf = heard.of(0, Kind::Selftest).into_iter().rfind(|t| t.text("/results/microphone/result") == "fail");
    let deaf = deaf.expect("a failed microphone test");
    assert!(before - deaf.number("/results/microphone/tone_snr_db") > 10.0);
    assert_eq!(deaf.text("/results/speaker/result"), "skipped", "a deaf microphone cannot hear the speaker");

    let mut scenario = slow(quiet());
    scenario.cadence.selftest = Some(hours(1));
    let (world, heard, at) = struck_in(scenario, FaultKind::Loud, hours(5));
    assert!(heard.after(at).of(0, Kind::Selftest).iter().all(|t| {
        t.text("/results/microphone/result") == "inconclusive" && t.number("/results/microphone/ambient_dbfs") > -40.0
    }));
    assert_eq!(world.truth()[0].component, None);

    let (_, heard, _) = struck(FaultKind::SpeakerDead, DAY * 2);
    let test = heard.of(0, Kind::Selftest).into_iter().rfind(|t| t.text("/results/speaker/result") == "fail");
    others(test.expect("a failed speaker test"), &["speaker", "microphone"]);

    let (_, heard, at) = struck(FaultKind::StreamBroken, DAY * 2);
    let test = heard.of(0, Kind::Selftest).into_iter().rfind(|t| t.text("/results/stream/result") == "fail");
    others(test.expect("a failed stream test"), &["stream", "microphone"]);
    assert!(heard.after(at).of(0, Kind::Heartbeat).len() > 500, "heartbeats go on");

    let (mut world, heard, at) = struck(FaultKind::ButtonStuck, hours(30));
    let test = heard.of(0, Kind::Selftest).into_iter().rfind(|t| t.text("/results/button/result") == "fail");
    let test = test.expect("a failed button test");
    assert_eq!(test.json["results"]["button"]["stuck"], true);
    others(test, &["button", "microphone"]);
    let held: Vec<f64> = heard.after(at).of(0, Kind::Press).iter().map(|p| p.number("/held_ms")).collect();
    assert!(held[0] < 5_000.0 && held[1] > 60_000.0 && held.windows(2).all(|w| w[1] > w[0]), "{:?}", &held[..4]);
    let now = world.now();
    world.repair(UnitIx(0), Component::Button, now);
    let after = listen(&mut world, now + HOUR);
    let presses = after.of(0, Kind::Press);
    assert_eq!(presses.len(), 1, "the crew presses once");
    assert_eq!(presses[0].text("/kind"), "test");
}

#[test]
fn presses_flood_or_fail_to_come() {
    let (world, heard, at) = struck(FaultName::PressFlood.usual(), hours(2));
    let real = heard.after(at).of(0, Kind::Press).iter().filter(|p| p.text("/kind") == "real").count();
    assert!((28..=34).contains(&real), "{real} presses in an hour");
    assert_eq!(world.truth()[0].to, Some(at + HOUR));

    let (_, heard, at) = struck(FaultKind::NoTestPresses, DAY * 60);
    assert!(heard.after(at).of(0, Kind::Press).is_empty());
    assert!(heard.after(at).of(1, Kind::Press).len() >= 2);
}

#[test]
fn a_weak_battery_dies_in_a_cut_that_a_healthy_one_survives() {
    let mut scenario = slow(quiet());
    scenario.cadence.power = Duration::from_secs(60);
    scenario.load_shedding.all = Some(Timetable { hours: 4.0, cuts: 1, jitter_ms: 0, unannounced: 0.0 });
    let (mut world, heard, _) = struck_in(scenario, FaultName::BatteryWeak.usual(), DAY * 3);
    let died: Vec<&(Timestamp, UnitIx, Leaving)> = heard.left.iter().collect();
    assert!(!died.is_empty() && died.iter().all(|(_, u, l)| *u == UnitIx(0) && *l == Leaving::PowerLost));
    let falling: Vec<f64> = heard
        .of(0, Kind::Power)
        .into_iter()
        .filter(|s| s.json["mains"] == Value::Bool(false) && s.at < died[0].0)
        .map(|s| s.number("/battery_v"))
        .collect();
    let last = falling[falling.len() - 1];
    assert!((11.0..11.5).contains(&last), "the last word before it dies: {last} V");
    let boots: BTreeSet<u64> = heard.of(0, Kind::Heartbeat).iter().map(|s| s.boot()).collect();
    assert!(boots.len() >= 2, "it starts anew when the mains return");
    let now = world.now();
    world.repair(UnitIx(0), Component::Battery, now);
    let after = listen(&mut world, now + DAY * 3);
    assert!(after.left.is_empty(), "a new battery survives");
}

#[test]
fn a_fading_battery_falls_lower_at_each_cut_before_it_dies() {
    let mut scenario = slow(quiet());
    scenario.cadence.power = Duration::from_secs(60);
    scenario.cadence.heartbeat = Some(hours(6));
    scenario.load_shedding.all = Some(Timetable { hours: 4.0, cuts: 1, jitter_ms: 0, unannounced: 0.0 });
    let (world, heard, at) = struck_in(scenario, FaultKind::BatteryFading { per_day_pct: 4.0 }, DAY * 26);
    let died = heard.left.first().expect("it dies in the end").0;
    let mut lowest: BTreeMap<u64, f64> = BTreeMap::new();
    for said in heard.of(0, Kind::Power).iter().filter(|s| s.at < died && s.json["mains"] == Value::Bool(false)) {
        let day = said.at.since(at).as_secs() / 86_400;
        let low = lowest.entry(day).or_insert(f64::MAX);
        *low = low.min(said.number("/battery_v"));
    }
    let days: Vec<f64> = lowest.into_values().collect();
    assert!(days.len() >= 8, "{days:?}");
    assert!(days.windows(4).all(|w| w[3] < w[0]), "{days:?}");
    assert!(world.inspect(UnitIx(0)).health < 0.3);
}

#[test]
fn a_dead_charger_empties_the_battery_with_the_mains_on() {
    let (mut world, heard, at) = struck(FaultName::ChargerDead.usual(), DAY * 3);
    let after = heard.after(at);
    let power = after.of(0, Kind::Power);
    assert!(power.iter().all(|s| s.json["mains"] == Value::Bool(true) && s.number("/charge_a") < 0.0));
    assert_eq!(heard.left.len(), 1, "it empties, once");
    let now = world.now();
    world.repair(UnitIx(0), Component::Charger, now);
    let repaired = listen(&mut world, now + hours(2));
    let charging = repaired.of(0, Kind::Power);
    assert!(charging.last().expect("it is back").number("/charge_a") > 0.5);

    let (_, heard, at) = struck(FaultKind::ChargerDead { carries_load: true }, DAY * 3);
    assert!(heard.left.is_empty());
    let after = heard.after(at + HOUR);
    let resting = after.of(0, Kind::Power);
    assert!(resting.iter().all(|s| s.number("/charge_a").abs() < 0.05 && s.number("/battery_v") < 13.6));
}

#[test]
fn mains_lost_on_one_unit_leaves_its_feeder_alone() {
    let (_, heard, at) = struck(FaultKind::LocalMainsLost, hours(1));
    let after = heard.after(at + Duration::from_secs(5));
    assert!(after.of(0, Kind::Power).iter().all(|s| s.json["mains"] == Value::Bool(false)));
    assert!(after.of(1, Kind::Power).iter().all(|s| s.json["mains"] == Value::Bool(true)));
}

#[test]
fn reboots_clocks_lids_and_heat_show_in_the_heartbeat() {
    let (_, heard, at) = struck(FaultName::RebootLoop.usual(), hours(1));
    let after = heard.after(at);
    let boots: BTreeSet<u64> = after.of(0, Kind::Heartbeat).iter().map(|s| s.boot()).collect();
    assert!(boots.len() >= 4, "{boots:?}");

    let (_, heard, at) = struck(FaultName::ClockOff.usual(), hours(1));
    for said in heard.after(at).of(0, Kind::Heartbeat) {
        let ahead = said.ts().as_millis() - said.at.as_millis();
        assert!((595_000..605_000).contains(&ahead), "{ahead} ms");
    }
    let (_, heard, at) = struck(FaultKind::ClockOff { by_ms: -600_000 }, hours(1));
    assert!(heard.after(at).of(0, Kind::Power).iter().all(|s| s.at.since(s.ts()) > Duration::from_secs(590)));

    let (_, heard, at) = struck(FaultKind::Tamper, hours(1));
    assert!(heard.after(at).of(0, Kind::Heartbeat).iter().all(|s| s.json["tamper"] == true));
    assert!(heard.of(1, Kind::Heartbeat).iter().all(|s| s.json["tamper"] == false));

    let (_, heard, at) = struck(FaultName::Overheat.usual(), hours(1));
    assert!(heard.after(at).of(0, Kind::Heartbeat).iter().all(|s| s.number("/temp_c") >= 70.0));

    let (_, heard, at) = struck(FaultKind::BootReset, hours(1));
    assert!(heard.of(0, Kind::Heartbeat)[0].boot() > 1 && heard.after(at).of(0, Kind::Heartbeat)[0].boot() == 1);
}

#[test]
fn a_lossy_link_loses_a_fifth_and_is_never_silent() {
    let (_, heard, at) = struck_in(quiet(), FaultName::LossyLink.usual(), hours(20));
    let after = heard.after(at);
    let first = after.said.iter().find(|s| s.unit == UnitIx(0)).expect("heard").seq();
    let said: Vec<&Said> = after.said.iter().filter(|s| s.unit == UnitIx(0)).collect();
    let last = said[said.len() - 1].seq();
    let loss = 1.0 - said.len() as f64 / (last - first + 1) as f64;
    assert!((0.14..0.23).contains(&loss), "{loss}");
    let beats = after.of(0, Kind::Heartbeat);
    assert!(beats.windows(2).all(|w| w[1].at.since(w[0].at) < Duration::from_secs(93)), "never three in a row");
}

#[test]
fn a_flapping_link_goes_and_comes_every_three_minutes() {
    let (_, heard, at) = struck_in(quiet(), FaultName::FlappingLink.usual(), hours(1));
    let gone = heard.left.iter().filter(|(_, u, _)| *u == UnitIx(0)).count();
    assert!((19..=21).contains(&gone), "{gone} times in an hour");
    let back = heard.connected.iter().filter(|(t, u)| *t > at && *u == UnitIx(0)).count();
    assert!(gone - back <= 1);
}

#[test]
fn a_scrambled_link_sends_twice_late_and_out_of_order() {
    let (_, heard, at) = struck_in(quiet(), FaultKind::ScrambledLink, hours(3));
    let after = heard.after(at);
    let numbers: Vec<u64> = after.said.iter().filter(|s| s.unit == UnitIx(0)).map(|s| s.seq()).collect();
    let twice = numbers.len() - numbers.iter().collect::<BTreeSet<_>>().len();
    assert!(twice > 20, "{twice} duplicates");
    let swapped = numbers.windows(2).filter(|w| w[1] < w[0]).count();
    assert!(swapped > 20, "{swapped} out of order");
    let (low, high) = (numbers.iter().min().expect("some"), numbers.iter().max().expect("some"));
    let missing = (low + 1..high - 2).filter(|n| !numbers.contains(n)).count();
    assert_eq!(missing, 0, "nothing is lost");
}

#[test]
fn a_unit_obeys_its_commands_within_seconds() {
    let mut world = World::new(&fleet(4), &quiet(), 2, start());
    let now = start() + hours(1);
    let before = listen(&mut world, now);
    let ask =
        |id: &str, act, components: Vec<Component>, expires| Command { id: id.to_owned(), act, components, expires };
    world.command(UnitIx(0), ask("a", Do::Selftest, vec![Component::Camera], Timestamp::MAX), now);
    world.command(UnitIx(1), ask("b", Do::Reboot, vec![], Timestamp::MAX), now);
    world.command(UnitIx(2), ask("c", Do::Locate, vec![], Timestamp::MAX), now);
    world.command(UnitIx(3), ask("d", Do::Selftest, vec![], now - HOUR), now);
    let heard = listen(&mut world, now + Duration::from_secs(60));
    let test = heard.of(0, Kind::Selftest);
    assert_eq!(test.len(), 1);
    assert_eq!((test[0].text("/id"), test[0].text("/trigger")), ("a", "command"));
    assert!(test[0].at.since(now) < Duration::from_secs(6));
    assert_eq!(test[0].json["results"].as_object().map(|r| r.len()), Some(1), "only the camera was asked");
    assert_eq!(heard.of(0, Kind::Reply)[0].json["ok"], true);
    assert_eq!(heard.left, vec![(heard.left[0].0, UnitIx(1), Leaving::Clean)]);
    assert_eq!(heard.of(1, Kind::Status)[0].text("/reason"), "reboot");
    let boot = before.of(1, Kind::Heartbeat)[0].boot();
    assert_eq!(heard.of(1, Kind::Heartbeat).last().expect("back").boot(), boot + 1);
    assert_eq!(heard.of(2, Kind::Reply).len(), 1);
    assert_eq!(
        (&heard.of(3, Kind::Reply)[0].json["ok"], heard.of(3, Kind::Reply)[0].text("/error")),
        (&Value::Bool(false), "expired")
    );
    assert!(heard.of(3, Kind::Selftest).is_empty());
}

#[test]
fn random_faults_strike_distinct_units_and_leave_their_truth() {
    let fleet = fleet(40);
    let text = "[[fault]]\nkind = \"dead\"\ncount = 5\nat = \"1h..20h\"\nlasts = \"30m..2h\"\n\
                [[fault]]\nkind = \"tamper\"\ncount = 5\nat = \"1h..20h\"\n";
    let mut scenario = slow(quiet());
    scenario.faults = check_scenario("x.toml", text, &fleet).expect("valid").faults;
    let mut world = World::new(&fleet, &scenario, 77, start());
    listen(&mut world, start() + DAY);
    let truth = world.truth();
    let units: BTreeSet<UnitIx> = truth.iter().flat_map(|t| t.units.clone()).collect();
    assert_eq!((truth.len(), units.len()), (10, 10), "no unit twice");
    for t in &truth {
        assert!(t.from >= start() + HOUR && t.from <= start() + hours(20));
        match t.to {
            Some(to) => {
                assert_eq!(t.component, Some(Component::Controller));
                assert!(to.since(t.from) >= HOUR / 2 && to.since(t.from) <= HOUR * 2);
            }
            None => assert_eq!(t.component, Some(Component::Enclosure)),
        }
    }
}

// ---- scenario files ----

#[test]
fn a_broken_scenario_shows_all_its_mistakes_with_their_remedies() {
    let text = r#"
[wether]
fog = 1

[weather]
fog_days_per_year = 400
warmer = 3

[cadence]
heartbeat = "soon"
power = "1ms"

[load_shedding]
cuts_per_day = 6

[[load_shedding.feeder]]
name = "feed-O"
hours_per_day = 6

[presses]
test_every = 30

[battery]
chemistry = "nuclear"

[[fault]]
kind = "camera-durty"
unit = "PSH-001"

[[fault]]
kind = "dead"
unit = "PSH-01"
lats = "30m"

[[fault]]
kind = "uplink-down"
unit = "PSH-001"

[[fault]]
kind = "dead"

[[fault]]
kind = "overheat"
unit = "PSH-001"
count = 3
celsius = "hot"

[[fault]]
kind = "clock-off"
at = "2h..1h"
by = "a bit"
all = false

[[fault]]
at = 2026-11-21
unit = 17
"#;
    let problems = check_scenario("broken.toml", text, &fleet(8)).expect_err("it is broken");
    let shown: Vec<String> = problems.iter().map(|p| p.to_string()).collect();
    insta::assert_snapshot!(shown.join("\n"));
    let problems = check_scenario("torn.toml", "[cadence\nheartbeat = 1s\n[[fault]]\nkind = \"dead", &fleet(8));
    let shown: Vec<String> = problems.expect_err("torn").iter().map(|p| p.to_string()).collect();
    insta::assert_snapshot!("torn_scenario", shown.join("\n"));
}

#[test]
fn the_quick_scenario_shows_its_faults_within_its_first_minute() {
    let fleet = fleet(68);
    let text = include_str!("../fixtures/scenarios/quick.toml");
    let scenario = check_scenario("quick.toml", text, &fleet).expect("valid");
    let mut world = World::new(&fleet, &scenario, 1, start());
    let heard = listen(&mut world, start() + Duration::from_secs(60));
    let tired = fleet.find("PSH-017").expect("it is in the fleet").0;
    let low = heard.of(tired, Kind::Power).into_iter().find(|s| s.number("/battery_v") < 11.6).expect("low");
    assert!(low.at < start() + Duration::from_secs(25), "{}", low.at);
    assert_eq!(low.json["mains"], false);
    let mut kinds: Vec<FaultName> = world.truth().iter().map(|t| t.kind.name()).collect();
    kinds.sort();
    assert_eq!(kinds.len(), 6, "{kinds:?}");
    assert!(heard.said.iter().any(|s| s.text("/results/camera/code") == "blocked"));
    assert!(heard.left.iter().any(|(_, _, l)| *l == Leaving::PowerLost));
    assert!(heard.left.iter().filter(|(_, _, l)| *l == Leaving::LinkLost).count() >= 4);
}

#[test]
fn the_scenarios_in_the_repository_are_valid() {
    let fleet = fleet(68);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("readable").path();
        let text = std::fs::read_to_string(&path).expect("readable");
        if let Err(problems) = check_scenario(&path.to_string_lossy(), &text, &fleet) {
            panic!("{}", problems.iter().map(|p| p.to_string()).collect::<Vec<_>>().join("\n"));
        }
        seen += 1;
    }
    assert!(seen >= 3);
}

// ---- real brokers ----

mod broker {
    use std::net::TcpListener;
    use std::path::PathBuf;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    pub fn free_port() -> u16 {
        TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a loopback port").port()
    }

    fn binary() -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        folders.extend([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
        folders.into_iter().map(|f| f.join("mosquitto")).find(|p| p.is_file())
    }

    /// A Mosquitto on a loopback port; killed when dropped.
    pub struct Mosquitto {
        child: Child,
        pub port: u16,
        config: tempfile::TempDir,
    }

    impl Mosquitto {
        /// None: there is none on this machine, and the test is skipped (an error in CI).
        pub fn start(extra: &str) -> Option<Mosquitto> {
            let Some(binary) = binary() else {
                assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs mosquitto");
                println!("skipped: no mosquitto here; get it with: apt-get install mosquitto");
                return None;
            };
            let config = tempfile::tempdir().expect("a scratch folder");
            let port = free_port();
            // Started as root, Mosquitto would become another user that cannot read the folder.
            let text = format!("listener {port} 127.0.0.1\nuser root\npersistence false\n{extra}\n");
            std::fs::write(config.path().join("mosquitto.conf"), text).expect("written");
            let child = launch(&binary, &config, port);
            Some(Mosquitto { child, port, config })
        }
        pub fn url(&self) -> String {
            format!("mqtt://127.0.0.1:{}", self.port)
        }
        /// As a power cut would.
        pub fn kill(&mut self) {
            self.child.kill().expect("it runs");
            self.child.wait().expect("it ends");
        }
        pub fn restart(&mut self) {
            let binary = binary().expect("it was there");
            self.child = launch(&binary, &self.config, self.port);
        }
    }

    fn launch(binary: &PathBuf, config: &tempfile::TempDir, port: u16) -> Child {
        let child = Command::new(binary)
            .arg("-c")
            .arg(config.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto starts");
        wait_for(port);
        child
    }

    impl Drop for Mosquitto {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    pub fn wait_for(port: u16) {
        let end = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "no broker on port {port}");
            std::thread::yield_now();
        }
    }

    /// rumqttd in this process, for machines with nothing but Rust.
    pub fn rumqttd() -> u16 {
        let port = free_port();
        let text = format!(
            r#"
            id = 0
            [router]
            id = 0
            max_connections = 2000
            max_outgoing_packet_count = 1000
            max_segment_size = 10485760
            max_segment_count = 10
            [v4.1]
            name = "v4"
            listen = "127.0.0.1:{port}"
            next_connection_delay_ms = 0
            [v4.1.connections]
            connection_timeout_ms = 5000
            max_payload_size = 65536
            max_inflight_count = 100
            "#
        );
        let config: rumqttd::Config = toml::from_str(&text).expect("a valid configuration");
        std::thread::spawn(move || rumqttd::Broker::new(config).start().is_ok());
        wait_for(port);
        port
    }
}

/// Listens to everything, as the service does.
struct Observer {
    client: rumqttc::AsyncClient,
    heard: mpsc::UnboundedReceiver<(String, Value)>,
}

impl Observer {
    async fn new(port: u16) -> Observer {
        let mut options = rumqttc::MqttOptions::new("observer", "127.0.0.1", port);
        options.set_max_packet_size(1 << 20, 1 << 20);
        let (client, mut events) = rumqttc::AsyncClient::new(options, 64);
        let (out, heard) = mpsc::unbounded_channel();
        let (ready_in, ready) = tokio::sync::oneshot::channel();
        let mut ready_in = Some(ready_in);
        let subscriber = client.clone();
        tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(rumqttc::Event::Incoming(rumqttc::Packet::ConnAck(_))) => {
                        let _ = subscriber.try_subscribe("buttonwatch/v1/#", rumqttc::QoS::AtLeastOnce);
                    }
                    Ok(rumqttc::Event::Incoming(rumqttc::Packet::SubAck(_))) => {
                        if let Some(ready) = ready_in.take() {
                            let _ = ready.send(());
                        }
                    }
                    Ok(rumqttc::Event::Incoming(rumqttc::Packet::Publish(p))) => {
                        let json = serde_json::from_slice(&p.payload).unwrap_or(Value::Null);
                        if out.send((p.topic, json)).is_err() {
                            return;
                        }
                    }
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
        });
        within(ready).await.expect("subscribed");
        Observer { client, heard }
    }

    /// Hears until the test has what it wants.
    async fn until(&mut self, mut enough: impl FnMut(&str, &Value) -> bool) {
        loop {
            let (topic, json) = within(self.heard.recv()).await.expect("the observer is connected");
            if enough(&topic, &json) {
                return;
            }
        }
    }
}

/// Generous: eight builds may share the machine.
async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(90), what).await.expect("it happens within 90 s")
}

fn quick() -> Scenario {
    let mut scenario = quiet();
    scenario.cadence.heartbeat = Some(Duration::from_secs(1));
    scenario.cadence.power = Duration::from_secs(2);
    scenario.cadence.selftest = Some(Duration::from_secs(5));
    scenario
}

struct Running {
    control: mpsc::Sender<Control>,
    reports: mpsc::UnboundedReceiver<Report>,
    task: tokio::task::JoinHandle<Result<Summary, SimulateError>>,
}

fn simulate(options: SimulateOptions) -> Running {
    let (control, commands) = mpsc::channel(16);
    let (out, reports) = mpsc::unbounded_channel();
    let task = tokio::spawn(run(options, commands, move |report| {
        let _ = out.send(report);
    }));
    Running { control, reports, task }
}

impl Running {
    async fn until(&mut self, mut enough: impl FnMut(&Report) -> bool) {
        loop {
            let report = within(self.reports.recv()).await.expect("it runs");
            if enough(&report) {
                return;
            }
        }
    }
    async fn connected(&mut self, count: usize) {
        let mut units = BTreeSet::new();
        self.until(|report| {
            if let Report::Connected { unit } = report {
                units.insert(unit.clone());
            }
            units.len() == count
        })
        .await;
    }
    async fn stop(self) -> Summary {
        within(self.control.send(Control::Stop)).await.expect("it listens");
        within(self.task).await.expect("no panic").expect("no error")
    }
}

/// 68 units on any broker: everyone is heard, obeys, dies and comes back, and what was acknowledged was heard.
async fn the_first_fleet_on(port: u16) {
    let mut observer = Observer::new(port).await;
    let folder = tempfile::tempdir().expect("a scratch folder");
    let acked = folder.path().join("acked.csv");
    let mut options = SimulateOptions::new(fleet(68), format!("mqtt://127.0.0.1:{port}"), start());
    options.scenario = quick();
    options.acked_file = Some(acked.clone());
    let mut running = simulate(options);
    running.connected(68).await;

    let mut heard: BTreeSet<(String, u64, u64)> = BTreeSet::new();
    let mut note = |topic: &str, json: &Value| {
        let unit = topic.split('/').nth(2).expect("a unit's topic").to_owned();
        if let (Some(boot), Some(seq)) = (json["boot"].as_u64(), json["seq"].as_u64()) {
            heard.insert((unit, boot, seq));
        }
    };
    let mut tested = BTreeSet::new();
    observer
        .until(|topic, json| {
            note(topic, json);
            if topic.ends_with("/selftest") {
                tested.insert(topic.to_owned());
            }
            tested.len() == 68
        })
        .await;

    let command = r#"{"id":"cmd-1","do":"selftest","expires":"2030-01-01T00:00:00Z"}"#;
    let to = "buttonwatch/v1/PSH-005/command";
    observer.client.publish(to, rumqttc::QoS::AtLeastOnce, false, command).await.expect("sent");
    observer
        .until(|topic, json| {
            note(topic, json);
            topic == "buttonwatch/v1/PSH-005/selftest" && json["id"] == "cmd-1" && json["trigger"] == "command"
        })
        .await;

    running.control.send(Control::Inject(Fault::now(FaultKind::Dead, Target::Unit(unit_id(9))))).await.expect("sent");
    observer
        .until(|topic, json| {
            note(topic, json);
            topic == "buttonwatch/v1/PSH-009/status"
                && *json == serde_json::json!({"online": false, "reason": "connection lost"})
        })
        .await;
    let repair = Control::Repair { unit: unit_id(9), component: Component::Controller };
    running.control.send(repair).await.expect("sent");
    observer
        .until(|topic, json| {
            note(topic, json);
            topic == "buttonwatch/v1/PSH-009/status" && json["online"] == true
        })
        .await;

    let summary = running.stop().await;
    assert_eq!((summary.units, summary.connected, summary.connections_lost), (68, 68, 0), "{summary:?}");
    assert_eq!((summary.unacked, summary.overflowed, summary.commands), (0, 0, 1), "{summary:?}");
    assert_eq!(summary.faults.len(), 1);

    let text = std::fs::read_to_string(acked).expect("written");
    let acked: BTreeSet<(String, u64, u64)> = text
        .lines()
        .map(|line| {
            let parts: Vec<&str> = line.split(',').collect();
            (parts[0].to_owned(), parts[1].parse().expect("boot"), parts[2].parse().expect("seq"))
        })
        .collect();
    assert_eq!(acked.len() as u64, summary.acked);
    // What was said last may still be on its way to the observer.
    let end = Instant::now() + Duration::from_secs(60);
    while !acked.is_subset(&heard) && Instant::now() < end {
        let (topic, json) = within(observer.heard.recv()).await.expect("connected");
        let unit = topic.split('/').nth(2).expect("a unit's topic").to_owned();
        if let (Some(boot), Some(seq)) = (json["boot"].as_u64(), json["seq"].as_u64()) {
            heard.insert((unit, boot, seq));
        }
    }
    assert!(acked.is_subset(&heard), "what is acknowledged was published");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_fleet_lives_on_a_mosquitto() {
    if let Some(broker) = broker::Mosquitto::start("allow_anonymous true") {
        the_first_fleet_on(broker.port).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_fleet_lives_on_a_rumqttd() {
    let port = broker::rumqttd();
    the_first_fleet_on(port).await;
}

/// How many files a process may have open, where the system says so.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|l| l.starts_with("Max open files")).unwrap_or_default();
    line.split_whitespace().nth(3).and_then(|n| n.parse().ok()).unwrap_or(1024)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_units_live_in_one_process() {
    let Some(broker) = broker::Mosquitto::start("allow_anonymous true") else { return };
    // Other tests of this process hold sockets as well.
    let units = open_files().saturating_sub(400).clamp(100, 1_000);
    println!("{units} units");
    let mut options = SimulateOptions::new(fleet(units), broker.url(), start());
    options.scenario = quiet();
    options.scenario.cadence.heartbeat = Some(Duration::from_secs(5));
    let mut running = simulate(options);
    running.connected(units).await;
    let summary = running.stop().await;
    assert_eq!((summary.connected, summary.connections_lost, summary.unacked), (units, 0, 0), "{summary:?}");
    assert!(summary.acked >= units as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brokers_death_loses_nothing_that_was_said() {
    let Some(mut broker) = broker::Mosquitto::start("allow_anonymous true") else { return };
    let mut options = SimulateOptions::new(fleet(20), broker.url(), start());
    options.scenario = quick();
    let mut running = simulate(options);
    running.connected(20).await;
    for _ in 0..2 {
        broker.kill();
        let mut lost = BTreeSet::new();
        running
            .until(|report| {
                if let Report::ConnectionLost { unit, .. } = report {
                    lost.insert(unit.clone());
                }
                lost.len() == 20
            })
            .await;
        broker.restart();
        running.connected(20).await;
    }
    // The will said `offline`; the unit says `online` again, with a number of its own.
    let mut observer = Observer::new(broker.port).await;
    let mut online = BTreeSet::new();
    observer
        .until(|topic, json| {
            if topic.ends_with("/status") && json["online"] == true {
                online.insert(topic.to_owned());
            }
            online.len() == 20
        })
        .await;
    let summary = running.stop().await;
    assert_eq!((summary.unacked, summary.overflowed, summary.forgotten), (0, 0, 0), "{summary:?}");
    assert_eq!(summary.connections_lost, 40);
    assert_eq!(summary.acked, summary.said.values().sum::<u64>());
    assert!(summary.sent >= summary.acked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_wait_for_a_broker_that_is_not_there_yet() {
    let Some(mut broker) = broker::Mosquitto::start("allow_anonymous true") else { return };
    broker.kill();
    let mut options = SimulateOptions::new(fleet(10), broker.url(), start());
    options.scenario = quick();
    let mut running = simulate(options);
    let mut refused = BTreeSet::new();
    running
        .until(|report| {
            if let Report::CannotConnect { unit, .. } = report {
                assert!(refused.insert(unit.clone()), "said once");
            }
            refused.len() == 10
        })
        .await;
    broker.restart();
    running.connected(10).await;
    let summary = running.stop().await;
    assert_eq!((summary.connected, summary.unacked, summary.connections_lost), (10, 0, 0), "{summary:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_asks_for_passwords_gets_each_units_own() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let hashed = folder.path().join("hashed");
    let plain = folder.path().join("plain");
    let lines: String = (1..=5).map(|i| format!("PSH-{i:03}:secret-{i}\n")).collect();
    std::fs::write(&plain, &lines).expect("written");
    std::fs::write(&hashed, &lines).expect("written");
    let made = std::process::Command::new("mosquitto_passwd").arg("-U").arg(&hashed).status();
    if !made.is_ok_and(|s| s.success()) {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs mosquitto_passwd");
        println!("skipped: no mosquitto_passwd here; get it with: apt-get install mosquitto");
        return;
    }
    let settings = format!("allow_anonymous false\npassword_file {}", hashed.display());
    let Some(broker) = broker::Mosquitto::start(&settings) else { return };
    let mut options = SimulateOptions::new(fleet(5), broker.url(), start());
    options.scenario = quick();
    options.password_file = Some(plain);
    let mut running = simulate(options.clone());
    running.connected(5).await;
    assert_eq!(running.stop().await.connected, 5);

    options.password_file = None;
    let mut running = simulate(options);
    running.until(|r| matches!(r, Report::CannotConnect { why, .. } if why.contains("refused"))).await;
    assert_eq!(running.stop().await.connected, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_speak_tls_to_a_broker_whose_certificate_they_trust() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let settings = format!("allow_anonymous true\ncertfile {}\nkeyfile {}", cert.display(), key.display());
    let Some(broker) = broker::Mosquitto::start(&settings) else { return };
    let mut options = SimulateOptions::new(fleet(5), format!("mqtts://localhost:{}", broker.port), start());
    options.scenario = quick();
    options.ca_file = Some(cert);
    let mut running = simulate(options.clone());
    running.connected(5).await;
    let summary = running.stop().await;
    assert_eq!((summary.connected, summary.unacked), (5, 0), "{summary:?}");

    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let wrong = folder.path().join("wrong.pem");
    std::fs::write(&wrong, other.cert.pem()).expect("written");
    options.ca_file = Some(wrong);
    let mut running = simulate(options);
    running.until(|r| matches!(r, Report::CannotConnect { why, .. } if why.contains("certificate"))).await;
    assert_eq!(running.stop().await.connected, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_speed_a_day_passes_in_seconds() {
    let port = broker::rumqttd();
    let mut options = SimulateOptions::new(fleet(5), format!("mqtt://127.0.0.1:{port}"), start());
    options.scenario = slow(quiet());
    options.speed = 20_000.0;
    options.duration = Some(Duration::from_secs(4));
    let summary = within(simulate(options).task).await.expect("no panic").expect("no error");
    // 80,000 virtual seconds at a beat of 300 s are 266 beats a unit; a slow machine does fewer.
    assert!(summary.said[&Kind::Heartbeat] > 500, "{summary:?}");
    assert_eq!(summary.unacked, 0);
}

#[test]
fn what_cannot_start_says_what_to_do() {
    let attempt = |change: &dyn Fn(&mut SimulateOptions)| {
        let mut options = SimulateOptions::new(fleet(2), "mqtt://127.0.0.1:1", start());
        options.duration = Some(Duration::ZERO);
        change(&mut options);
        let (_control, commands) = mpsc::channel(1);
        run_blocking(options, commands, |_| {}).map_err(|e| e.to_string())
    };
    assert_eq!(attempt(&|_| {}).expect("nothing to do").units, 2);
    let texts = [
        attempt(&|o| o.broker = "localhost".to_owned()),
        attempt(&|o| o.fleet = Fleet::default()),
        attempt(&|o| o.root = "a/#".to_owned()),
        attempt(&|o| o.speed = 0.0),
        attempt(&|o| o.speed = f64::NAN),
        attempt(&|o| o.acked_file = Some("no/such/folder/acked.csv".into())),
        attempt(&|o| o.password_file = Some("no-such-file".into())),
        attempt(&|o| {
            o.broker = "mqtts://x".to_owned();
            o.ca_file = Some("no-such-file".into());
        }),
    ]
    .map(|r| r.expect_err("refused"));
    insta::assert_snapshot!(texts.join("\n"));
}
