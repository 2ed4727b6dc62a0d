//! `record`: what a service heard comes out as it was, and decides the same again.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use buttonwatch::domain::Timestamp;
use buttonwatch::io::store::{Batch, Store, StoreOptions, StoreReader, Synchronous};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time")
}

fn commit(store: &mut Store, lines: &[u8]) {
    let mut batch = Batch::new(at("2026-11-21T10:00:00Z"));
    batch.journal = lines;
    batch.journal_lines = lines.iter().filter(|b| **b == b'\n').count() as u32;
    store.commit(batch).expect("commits");
}

fn open(dir: &std::path::Path) -> Store {
    // The tests lose no power.
    Store::open(dir, StoreOptions { synchronous: Synchronous::Normal, ..StoreOptions::default() }).expect("opens")
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_buttonwatch"));
    command.env_clear().current_dir(ROOT).stdin(Stdio::null());
    command
}

fn replayed(recording: &str) -> Vec<u8> {
    let fleet = ["--fleet", "fixtures/recordings/fleet.csv", "--rules", "alerts.toml"];
    let out = program().args(["replay", recording]).args(fleet).output().expect("the program starts");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

#[test]
fn an_export_is_what_was_heard_byte_for_byte_and_replays_to_the_same_timeline() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let mut store = open(dir.path());
    let heard = std::fs::read(format!("{ROOT}/fixtures/recordings/uplink-down.jsonl")).expect("shipped");
    let lines: Vec<&[u8]> = heard.split_inclusive(|b| *b == b'\n').collect();
    for lines in lines.chunks(50) {
        commit(&mut store, &lines.concat());
    }
    // The service runs on: its store is open while we read.
    let file = dir.path().join("heard.jsonl").display().to_string();
    let data = dir.path().display().to_string();
    let export = |more: &[&str], file: &str| {
        let args = ["record", "export", "--data", &data, "--file", file];
        program().args(args).args(more).output().expect("the program starts")
    };
    let out = export(&[], &file);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(std::fs::read(&file).expect("written") == heard);
    assert!(replayed(&file) == replayed("fixtures/recordings/uplink-down.jsonl"));

    let again = export(&[], &file);
    assert_eq!(again.status.code(), Some(1), "a recording is never written over");
    let some = export(&["--from", "2026-11-21T09:10:00Z", "--to", "2026-11-21T09:12:00Z", "--unit", "B1"], "-");
    let some = String::from_utf8(some.stdout).expect("UTF-8");
    assert!(!some.is_empty() && some.lines().all(|l| l.contains("/B1/") || !l.contains("\"topic\"")), "{some}");
    assert!(some.lines().all(|l| ("{\"at\":\"2026-11-21T09:10".."{\"at\":\"2026-11-21T09:12").contains(&l)), "{some}");
    let none = program().args(["record", "export", "--data", "no-such-folder", "--file", "-"]).output().expect("runs");
    assert_eq!(none.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&none.stderr).contains("--data"));
}

#[test]
fn a_live_recording_holds_every_line_that_is_committed_after_it_began() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let mut store = open(dir.path());
    commit(&mut store, b"{\"at\":\"2026-11-21T09:00:00.000Z\",\"advance\":true}\n");
    let file = dir.path().join("live.jsonl");
    let mut child = program()
        .args(["record", "live", &file.display().to_string(), "--data", &dir.path().display().to_string()])
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let began = Instant::now();
    let patience = Duration::from_secs(60);
    while !file.exists() {
        assert!(began.elapsed() < patience, "the recording begins");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    // It has begun once a line comes through; the first ones may have come before it looked.
    let line = |n: usize| format!("{{\"at\":\"2026-11-21T09:01:{n:02}.000Z\",\"advance\":true}}\n");
    let mut sent = Vec::new();
    let got = loop {
        assert!(began.elapsed() < patience, "lines come through");
        if sent.len() < 50 {
            sent.push(line(sent.len()));
            commit(&mut store, sent[sent.len() - 1].as_bytes());
        }
        std::thread::park_timeout(Duration::from_millis(50));
        let got = std::fs::read_to_string(&file).expect("readable");
        if sent.len() == 50 && got.ends_with(&sent[49]) {
            break got;
        }
    };
    child.kill().expect("ours");
    child.wait().expect("reaped");
    let all = sent.concat();
    assert!(all.ends_with(&got), "no line is missing or doubled:\n{got}");
}

#[test]
fn following_the_journal_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let mut store = open(dir.path());
    let reader = StoreReader::open(dir.path()).expect("opens");
    let start = reader.journal_end().expect("reads");
    commit(&mut store, b"a\n");
    commit(&mut store, b"b\n");
    let mut got = Vec::new();
    let place = reader.journal_after(start, |lines| got.extend_from_slice(lines)).expect("reads");
    commit(&mut store, b"c\n");
    let place = reader.journal_after(place, |lines| got.extend_from_slice(lines)).expect("reads");
    assert_eq!(got, b"a\nb\nc\n");
    assert_eq!(reader.journal_after(place, |_| panic!("nothing new")).expect("reads"), place);
    assert_eq!(reader.journal_end().expect("reads"), place);
}
