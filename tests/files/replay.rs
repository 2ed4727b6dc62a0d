//! `replay`: a recorded hour gives the same timeline on every run and at any wake-up rate, and the timeline is the one of
//! DESIGN §4.

use std::process::Command;
use std::time::Duration;

use buttonwatch::app::replay::replay;
use buttonwatch::app::simulate::{Fault, FaultKind, Scenario, Target, World, write_recording};
use buttonwatch::config::{check_fleet, default_rules};
use buttonwatch::domain::{Fleet, Settings, Timestamp};
use buttonwatch::engine::Engine;
use buttonwatch::render::timeline::write_effect;
use buttonwatch::wire::decode::Decoder;
use buttonwatch::wire::signature::Signing;
use proptest::prelude::*;

fn fixture(name: &str) -> String {
    format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn run(args: &[&str]) -> (bool, String, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_buttonwatch")).args(args).output().expect("the program starts");
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    (out.status.success(), text(&out.stdout), text(&out.stderr))
}

#[test]
fn a_recording_gives_the_timeline_of_the_contract_and_nothing_else() {
    let (rec, fleet) = (fixture("recordings/uplink-down.jsonl"), fixture("recordings/fleet.csv"));
    let rules = format!("{}/alerts.toml", env!("CARGO_MANIFEST_DIR"));
    let args =
        ["replay", &rec, "--fleet", &fleet, "--rules", &rules, "--until", "2026-11-21T10:00:00Z", "--output", "json"];
    let (ok, timeline, notes) = run(&args);
    assert!(ok && notes.is_empty(), "{notes}");
    insta::assert_snapshot!("uplink_down", timeline);
    let mut last = String::new();
    for line in timeline.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("each line is one JSON object");
        let at = line["at"].as_str().expect("has its time").to_owned();
        assert!(at >= last, "in time order");
        last = at;
    }
    assert_eq!(run(&args).1, timeline, "the same on every run");
}

#[test]
fn readings_are_printed_when_asked_for() {
    let (rec, fleet) = (fixture("recordings/uplink-down.jsonl"), fixture("recordings/fleet.csv"));
    let rules = format!("{}/alerts.toml", env!("CARGO_MANIFEST_DIR"));
    let (ok, timeline, _) =
        run(&["replay", &rec, "--fleet", &fleet, "--rules", &rules, "--readings", "clock.skew,link.rssi"]);
    assert!(ok);
    assert!(
        timeline.contains(r#""event":"reading","unit":"A1","metric":"link.rssi","value":-78"#),
        "{}",
        &timeline[..500]
    );
    assert!(timeline.contains(r#""metric":"clock.skew""#));
}

#[test]
fn a_line_that_is_no_recording_is_named_with_its_place() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let path = dir.path().join("r.jsonl").display().to_string();
    std::fs::write(&path, "{\"at\":\"2026-11-21T09:00:00.000Z\",\"link\":\"start\"}\n{\"at\":5}\n").expect("writable");
    let fleet = fixture("recordings/fleet.csv");
    let rules = format!("{}/alerts.toml", env!("CARGO_MANIFEST_DIR"));
    let (ok, _, err) = run(&["replay", &path, "--fleet", &fleet, "--rules", &rules]);
    assert!(!ok && err.contains("r.jsonl, line 2:"), "{err}");
}

/// An hour of 24 units with faults, from the simulator.
fn recorded_hour(seed: u64) -> (Fleet, Vec<u8>, Timestamp) {
    let csv = std::fs::read(fixture("fleets/peshawar.csv")).expect("shipped");
    let mut units = check_fleet("peshawar.csv", &csv).expect("clean");
    units.truncate(24);
    let fleet = Fleet::new(units);
    let start = Timestamp::parse("2026-11-21T06:00:00Z").expect("valid");
    let mut world = World::new(&fleet, &Scenario::default(), seed, start);
    let unit = |n: usize| Target::Unit(fleet.units().nth(n).map(|(_, u)| u.unit.clone()).expect("24 units"));
    let uplink = fleet.units().nth(20).and_then(|(_, u)| u.uplink.clone()).expect("has an uplink");
    let at = |s: u64| start + Duration::from_secs(s);
    world.inject(&Fault::now(FaultKind::Dead, unit(1)), at(300));
    world.inject(&Fault::now(FaultKind::FlappingLink { every: Duration::from_secs(180) }, unit(2)), at(400));
    world.inject(&Fault::now(FaultKind::UplinkDown, Target::Uplink(uplink)), at(900));
    world.inject(&Fault::now(FaultKind::ScrambledLink, unit(4)), at(100));
    world.inject(&Fault::now(FaultKind::RebootLoop { every: Duration::from_secs(600) }, unit(5)), at(60));
    let until = at(3600);
    let mut out = Vec::new();
    write_recording(&mut world, "buttonwatch/v1", until, &mut out).expect("a Vec takes every write");
    (fleet, out, until)
}

fn timeline(fleet: &Fleet, recording: &[u8], until: Timestamp, wake_every: Option<Duration>) -> Vec<u8> {
    let mut engine = Engine::new(default_rules(), fleet.clone(), Settings::default());
    let decoder = Decoder::new("buttonwatch/v1", Signing::Off);
    let mut out = Vec::new();
    let passed = replay(&mut engine, &decoder, recording, Some(until), wake_every, |effects| {
        for effect in effects {
            write_effect(effect, &mut out);
        }
    })
    .expect("the simulator writes recordings");
    assert_eq!((passed.refused, passed.unknown_units), (0, 0), "{passed:?}");
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn a_recorded_hour_gives_byte_identical_output_at_any_wake_up_rate(seed in 0u64..1000, every_ms in 200u64..90_000) {
        let (fleet, recording, until) = recorded_hour(seed);
        let calm = timeline(&fleet, &recording, until, None);
        prop_assert!(calm.len() > 1000, "something happened");
        prop_assert!(calm == timeline(&fleet, &recording, until, Some(Duration::from_millis(every_ms))));
        prop_assert!(calm == timeline(&fleet, &recording, until, None));
    }
}
