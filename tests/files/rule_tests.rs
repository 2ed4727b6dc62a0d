//! `rules test`, `rules backtest` and `rules explain`: the shipped tests of the default rules pass, two rule sets are
//! compared in orders, and what is wrong is told with its place and remedy.

use std::process::{Command, Output};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_buttonwatch"));
    command.env_clear().current_dir(ROOT).args(args).output().expect("the program starts")
}

/// Standard output, standard error and the exit status, as one text.
fn told(args: &[&str]) -> String {
    let out = run(args);
    let text = |b: &[u8]| String::from_utf8(b.to_vec()).expect("UTF-8");
    format!("{}{}exit {}\n", text(&out.stdout), text(&out.stderr), out.status.code().unwrap_or(-1))
}

fn shipped() -> Vec<String> {
    let folder = std::fs::read_dir(format!("{ROOT}/fixtures/rule-tests")).expect("shipped");
    let mut files: Vec<String> =
        folder.map(|f| format!("fixtures/rule-tests/{}", f.expect("readable").file_name().display())).collect();
    files.sort();
    files
}

#[test]
fn the_shipped_tests_of_the_default_rules_pass() {
    let files = shipped();
    assert!(files.len() >= 3, "{files:?}");
    let args: Vec<&str> = ["rules", "test"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let out = run(&args);
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
    assert!(text.contains("all passed"), "{text}");
}

#[test]
fn a_test_that_fails_shows_what_came_and_the_timeline_around_it() {
    let file = "fixtures/bad/rule-tests/fails.toml";
    insta::assert_snapshot!("a_test_that_fails", told(&["rules", "test", file]));
    insta::assert_snapshot!("a_test_that_fails_as_csv", told(&["rules", "test", file, "--output", "csv"]));
    let out = run(&["rules", "test", file, "--output", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert_eq!(json[0]["misses"][0]["line"], 19);
    assert_eq!(out.status.code(), Some(1));
}

#[test]
fn every_mistake_of_a_test_file_is_told_with_its_line_and_remedy() {
    let files = ["many-at-once", "names-of-nothing", "field-of-nothing"];
    let told: Vec<String> =
        files.iter().map(|f| told(&["rules", "test", &format!("fixtures/bad/rule-tests/{f}.toml")])).collect();
    insta::assert_snapshot!("mistakes", told.join("\n"));
}

/// The default rules with one change, in a scratch file.
fn changed_rules(from: &str, to: &str) -> tempfile::NamedTempFile {
    let text = std::fs::read_to_string(format!("{ROOT}/alerts.toml")).expect("shipped");
    assert!(text.contains(from), "alerts.toml still says {from:?}");
    let file = tempfile::NamedTempFile::new().expect("scratch file");
    std::fs::write(file.path(), text.replacen(from, to, 1)).expect("writable");
    file
}

fn backtest(against: &std::path::Path, more: &[&str]) -> Output {
    let against = against.display().to_string();
    let mut args = vec!["rules", "backtest", "fixtures/recordings/uplink-down.jsonl"];
    args.extend(["--fleet", "fixtures/recordings/fleet.csv", "--rules", "alerts.toml", "--against", &against]);
    args.extend(["--until", "2026-11-21T10:00:00Z"]);
    args.extend(more);
    run(&args)
}

#[test]
fn the_same_rules_make_no_difference() {
    let out = backtest(format!("{ROOT}/alerts.toml").as_ref(), &[]);
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success() && text.contains("no order would have been different"), "{text}");
}

#[test]
fn without_the_incident_each_unit_of_the_uplink_would_have_been_ordered() {
    let rules =
        changed_rules("id = \"uplink-down\"\ngroup_by = \"uplink\"", "id = \"uplink-down\"\ngroup_by = \"site\"");
    let out = backtest(rules.path(), &[]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    insta::assert_snapshot!("backtest_without_the_uplink_incident", String::from_utf8_lossy(&out.stdout));
    let csv = backtest(rules.path(), &["--output", "csv"]);
    insta::assert_snapshot!("backtest_as_csv", String::from_utf8_lossy(&csv.stdout));
}

#[test]
fn a_longer_wait_for_siblings_makes_the_order_later() {
    let rules = changed_rules(
        "priority = \"P1\", after = \"2m\", action = \"Restore",
        "priority = \"P1\", after = \"9m\", action = \"Restore",
    );
    let out = backtest(rules.path(), &["--output", "json"]);
    let found: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert_eq!((found["later"].as_u64(), found["more"].as_u64(), found["fewer"].as_u64()), (Some(1), Some(0), Some(0)));
    assert_eq!(found["differences"][0]["shift_ms"], 420_000);
}

#[test]
fn a_backtest_tells_every_broken_file_at_once() {
    let args = ["rules", "backtest", "none.jsonl", "--fleet", "no-fleet.csv", "--against", "no-rules.toml"];
    let text = told(&args);
    assert!(text.contains("no-fleet.csv") && text.contains("no-rules.toml") && text.ends_with("exit 1\n"), "{text}");
}

#[test]
fn a_check_counts_what_is_in_the_file_and_shows_what_a_fleet_misses() {
    assert!(told(&["rules", "check"]).starts_with("alerts.toml: "), "the file that serve would use");
    let from = "id = \"unit-silent\"\n";
    let rules = changed_rules(from, &format!("{from}only = {{ city = [\"Lahore\"] }}\n"));
    let name = rules.path().display().to_string();
    let text = told(&["rules", "check", &name, "--fleet", "fixtures/recordings/fleet.csv"]);
    assert!(text.contains("no mistakes\n") && text.ends_with("exit 0\n"), "{text}");
    assert!(text.contains("rule \"unit-silent\" selects no unit of this fleet"), "{text}");
    assert!(text.contains("no silent rule covers A1, A2, A3, B1, B2, B3, C1, C2;"), "{text}");
    let text = told(&["rules", "check", "alerts.toml", "fixtures/bad/alerts/unknown-metric.toml", "none.toml"]);
    assert!(text.contains("alerts.toml: ") && text.contains("unknown-metric.toml:") && text.contains("none.toml: "));
    assert!(text.ends_with("exit 1\n"), "{text}");
}

#[test]
fn a_recording_explains_each_rule_of_a_unit() {
    let mut args = vec!["rules", "explain", "A1", "--recording", "fixtures/recordings/uplink-down.jsonl"];
    args.extend(["--fleet", "fixtures/recordings/fleet.csv", "--rules", "alerts.toml"]);
    let mut silent = args.clone();
    silent.extend(["--rule", "unit-silent", "--zone", "UTC", "--until", "2026-11-21T09:20:00Z"]);
    insta::assert_snapshot!("explain_a_silent_unit", told(&silent));
    let out = run(&[args.as_slice(), &["--output", "json"]].concat());
    let found: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let rules = found["rules"].as_array().expect("a list");
    assert!(rules.iter().all(|r| r["signs"].as_array().is_some_and(|s| !s.is_empty())), "{found}");
    let table = run(&[args.as_slice(), &["--zone", "UTC"]].concat());
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.lines().all(|l| l.chars().count() <= 80), "{table}");
    let wrong = told(&[args.as_slice(), &["--rule", "unit-silend"]].concat());
    assert!(wrong.contains("there is no rule unit-silend") && wrong.ends_with("exit 4\n"), "{wrong}");
}
