//! Lists in columns of choice and for scripts, units near a place, the fleet as a file, completions: the real program
//! against made-up answers.

use std::process::Output;
use std::time::{Duration, Instant};

use crate::cli::{err, fails, fine, nowhere, out, program, run};
use crate::fake_service::{Fake, Running, units};
use serde_json::Value;

#[test]
fn a_list_has_the_columns_that_were_asked_for() {
    let running = Running::start(Fake::new(), None);
    let csv = fine(&running.url(), &["fleet", "list", "--columns", "unit,Readiness,silent", "-o", "csv"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!((lines[0], lines.len()), ("unit,readiness,silent", 4));
    assert!(lines[2].starts_with("PSH-001,silent,"), "{csv}");
    let table = fine(&running.url(), &["alerts", "--columns", "rule,unit"]);
    assert!(table.starts_with("RULE"), "{table}");
    let wrong = fails(&running.url(), &["fleet", "list", "--columns", "unit,radiness"], 2);
    assert!(wrong.contains("\"radiness\" is no column of this list (did you mean readiness?)"), "{wrong}");
    assert!(wrong.contains("every reading that `rules metrics` lists"), "{wrong}");
    fails(&running.url(), &["fleet", "list", "--columns", "unit", "-o", "json"], 2);
    fails(&running.url(), &["incidents", "--columns", "battery.voltage"], 2);
}

#[test]
fn readings_are_columns_too_and_the_service_is_asked_for_them() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    fine(&running.url(), &["fleet", "list", "--columns", "unit,Battery.Voltage,x.lux"]);
    let asked = format!("{:?}", fake.last_ask());
    assert!(asked.contains("BatteryVoltage") && asked.contains("lux"), "{asked}");
    let csv = fine(&running.url(), &["fleet", "list", "--columns", "unit,address,firmware", "-o", "csv"]);
    assert!(csv.starts_with("unit,address,firmware\n"), "{csv}");
    let asked = format!("{:?}", fake.last_ask());
    assert!(asked.contains("Address") && asked.contains("Firmware") && !asked.contains("Column(Unit)"), "{asked}");
}

#[test]
fn a_script_learns_from_the_status_whether_the_list_has_a_row() {
    let running = Running::start(Fake::new(), None);
    for list in [&["fleet", "list"][..], &["alerts"], &["incidents"], &["orders", "list"]] {
        let output = run(&running.url(), &[list, &["--fail-if-any"]].concat());
        assert_eq!((output.status.code(), err(&output).as_str()), (Some(1), ""), "{list:?}");
        assert!(!out(&output).is_empty());
    }
    let none = run(&running.url(), &["fleet", "list", "city=nowhere", "--fail-if-any", "-o", "json"]);
    assert_eq!((none.status.code(), out(&none).trim()), (Some(0), "[]"));
    fails(&nowhere(), &["fleet", "list", "--fail-if-any"], 3);
}

#[test]
fn watching_and_top_want_a_terminal() {
    let running = Running::start(Fake::new(), None);
    for list in [&["fleet", "list"][..], &["alerts"], &["incidents"], &["orders", "list"]] {
        let says = fails(&running.url(), &[list, &["--watch=2"]].concat(), 2);
        assert!(says.contains("--watch draws on a terminal"), "{says}");
    }
    assert!(fails(&running.url(), &["top"], 2).contains("top needs a terminal"));
}

#[test]
fn units_near_a_place_are_told_nearest_first() {
    let mut fleet = units();
    // 1.1 km north, where we are, and nobody knows where.
    fleet[0].position = Some((34.0186, 71.5743));
    fleet[1].position = Some((34.0086, 71.5743));
    fleet[2].position = None;
    let running = Running::start(Fake::with_units(fleet), None);
    let table = fine(&running.url(), &["fleet", "near", "34.0086 N, 71.5743 E"]);
    // A long reason goes on in lines of its own.
    let rows: Vec<&str> = table.lines().filter(|line| !line.starts_with("          ")).collect();
    assert!(rows[1].trim_start().starts_with("0 m") && rows[1].contains("PSH-001"), "{table}");
    assert!(rows[2].contains("1.1 km  north") && rows[2].contains("MRD-001"), "{table}");
    assert!(table.contains("1 unit without lat and lon"), "{table}");
    let json: Value =
        serde_json::from_str(&fine(&running.url(), &["fleet", "near", "34.0086,71.5743", "-o", "json"])).unwrap();
    assert_eq!((&json[1]["unit"], &json[1]["distance_m"]), (&"MRD-001".into(), &1112.0.into()), "{json}");
    let within = fine(&running.url(), &["fleet", "near", "34.0086,71.5743", "--within", "500m", "-o", "csv"]);
    assert_eq!(within.lines().count(), 2, "{within}");
    let south =
        fine(&running.url(), &["fleet", "near", "-34.0,-71.5", "--limit", "1", "readiness!=ready", "-o", "csv"]);
    assert_eq!(south.lines().count(), 2, "{south}");
    let limited = fine(&running.url(), &["fleet", "near", "34.0086,71.5743", "--limit", "1", "-o", "csv"]);
    assert!(limited.lines().count() == 2 && limited.contains("PSH-001"), "the nearest one: {limited}");
    assert!(fails(&running.url(), &["fleet", "near", "171.5,34.0"], 2).contains("the latitude (north) comes first"));
    assert!(fails(&running.url(), &["fleet", "near", "34.0"], 2).contains("34.0086,71.5743"));
}

#[test]
fn the_fleet_is_written_as_the_file_that_is_imported() {
    let running = Running::start(Fake::new(), None);
    let text = fine(&running.url(), &["fleet", "export", "-"]);
    let back = buttonwatch::config::fleet::check_fleet("fleet.csv", text.as_bytes()).expect("it can be imported");
    assert_eq!((back.len(), &*back[0].name), (1, "قصہ خوانی"));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("fleet.csv");
    let path = file.to_str().unwrap();
    assert_eq!(fine(&running.url(), &["fleet", "export", path]), "");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    assert!(fails(&running.url(), &["fleet", "export", path], 1).contains("is there already"));
    fails(&running.url(), &["fleet", "export", "-", "-o", "json"], 2);
    fails(&nowhere(), &["fleet", "export", "-"], 3);
}

/// As bash asks: the words of the line, the last one being typed.
fn complete(server: &str, words: &[&str]) -> Output {
    program()
        .env("BUTTONWATCH_SERVER", server)
        .env("COMPLETE", "bash")
        .env("_CLAP_IFS", "\n")
        .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
        .env("_CLAP_COMPLETE_COMP_TYPE", "9")
        .env("_CLAP_COMPLETE_SPACE", "true")
        .args(["--", "buttonwatch"])
        .args(words)
        .output()
        .expect("the program starts")
}

#[test]
fn a_shell_is_told_what_can_follow() {
    let running = Running::start(Fake::new(), None);
    for (words, wanted) in [
        (&["fleet", "sh"][..], "show"),
        (&["fleet", "show", "PSH-"], "PSH-001\nPSH-002"),
        (&["selftest", "run", "M"], "MRD-001"),
        (&["orders", "show", "wo"], "WO-000042"),
        (&["rules", "explain", "PSH-001", "--rule", "unit-s"], "unit-silent"),
        (&["fleet", "list", "battery.v"], "battery.voltage="),
        (&["fleet", "list", "readiness!=rea"], "readiness!=ready"),
        (&["orders", "list", "prio"], "priority="),
        (&["alerts", "--sort", "sev"], "severity"),
        (&["fleet", "list", "--columns", "unit,readi"], "unit,readiness"),
    ] {
        let output = complete(&running.url(), words);
        assert_eq!(out(&output).trim(), wanted, "{words:?}: {}", err(&output));
        assert_eq!(err(&output), "", "{words:?}");
    }
}

#[test]
fn tab_is_quick_and_silent_when_no_service_answers() {
    // One that takes connections and never says a word.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for server in [nowhere(), format!("http://{}", mute.local_addr().unwrap()), "not a server".to_owned()] {
        let began = Instant::now();
        let output = complete(&server, &["fleet", "show", "PSH-"]);
        assert_eq!((out(&output).trim(), err(&output).as_str()), ("", ""), "{server}");
        assert!(began.elapsed() < Duration::from_secs(5), "{server}: {:?}", began.elapsed());
    }
}
