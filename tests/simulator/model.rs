//! What healthy units say, over minutes and over a year.

use super::*;

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
