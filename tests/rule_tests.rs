//! `rules test`: the shipped tests of the default rules pass, and what is wrong is told with its place and remedy.

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
