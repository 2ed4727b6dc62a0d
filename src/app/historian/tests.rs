use std::collections::BTreeSet;
use std::time::Duration;

use super::{Historian, Round, after};
use crate::app::replay::{Passed, judge_line_telling, replay_telling};
use crate::config::{check_fleet, default_rules};
use crate::domain::{Bucket, Fleet, Settings, Timestamp};
use crate::engine::{Engine, Saved};
use crate::render::points::Points;
use crate::wire::decode::Decoder;
use crate::wire::recording::{Line, Reader};
use crate::wire::signature::Signing;

const ZONE: chrono_tz::Tz = chrono_tz::Asia::Karachi;

fn t(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/recordings/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn fleet(name: &str) -> Fleet {
    Fleet::new(check_fleet(name, &fixture(name)).expect("a clean fleet"))
}

fn decoder() -> Decoder {
    Decoder::new(Decoder::DEFAULT_ROOT.to_owned(), Signing::Off)
}

fn lines(mut points: Points) -> Vec<String> {
    let text =
        Bucket::ALL.iter().map(|b| String::from_utf8(points.of(*b).take().0).expect("UTF-8")).collect::<String>();
    text.lines().map(str::to_owned).collect()
}

fn told(fleet: &Fleet, recording: &[u8]) -> Vec<String> {
    let mut engine = Engine::new(default_rules(), fleet.clone(), Settings::default());
    let mut told = Vec::new();
    let mut historian = Historian::new(ZONE);
    replay_telling(&mut engine, &decoder(), recording, None, &mut historian, |_, points| told.extend(lines(points)))
        .expect("a recording");
    told
}

/// What is told at once, and not again and again.
fn is_news(line: &str) -> bool {
    ["heartbeat,", "power,", "selftest,", "press,", "alert_event,"].iter().any(|m| line.starts_with(m))
}

#[test]
fn what_a_day_with_an_empty_battery_tells() {
    let told = told(&fleet("fleet-12-units-120s.csv"), &fixture("battery-empties-in-a-cut.jsonl"));
    let of = |measurement: &str| told.iter().filter(|l| l.starts_with(measurement)).collect::<Vec<_>>();
    let mut shown = String::new();
    for measurement in ["heartbeat", "power", "selftest", "unit_status"] {
        let lines = of(&format!("{measurement},"));
        shown.push_str(&format!("{} of {measurement}, such as\n{}\n", lines.len(), lines[lines.len() / 2]));
    }
    let alerts = of("alert_event,");
    shown.push_str(&alerts.iter().map(|l| format!("{l}\n")).collect::<String>());
    let orders = of("work_order,");
    shown.push_str(&format!("{} of work_order, such as\n{}\n{}\n", orders.len(), orders[0], orders[orders.len() - 1]));
    insta::assert_snapshot!("empty_battery", shown);
}

#[test]
fn what_a_cut_circuit_tells() {
    let told = told(&fleet("fleet-12-units-60s.csv"), &fixture("uplink-silent.jsonl"));
    let shown: Vec<&str> = told.iter().map(String::as_str).filter(|l| l.starts_with("incident,")).collect();
    let first_last = [shown[0], shown[shown.len() - 1]].join("\n");
    insta::assert_snapshot!("cut_circuit", format!("{} points\n{first_last}\n", shown.len()));
}

/// A crash loses what was not yet in the spool; the journal's tail is judged again then. Whatever is told again must be
/// what was told before, to the letter, so that it overwrites itself.
#[test]
fn what_is_judged_again_after_a_crash_is_told_in_the_same_words() {
    for (recording, units) in [
        ("battery-empties-in-a-cut.jsonl", "fleet-12-units-120s.csv"),
        ("camera-fails-three-times-then-passes.jsonl", "fleet-6-units-120s.csv"),
    ] {
        let (fleet, recording) = (fleet(units), fixture(recording));
        let all: Vec<Line> = Reader::new(recording.as_slice()).map(|l| l.expect("a recording")).collect();
        let mut engine = Engine::new(default_rules(), fleet.clone(), Settings::default());
        let mut historian = Historian::new(ZONE);
        let mut told = BTreeSet::new();
        let mut saved: Vec<(usize, Saved)> = Vec::new();
        for (i, line) in all.iter().enumerate() {
            if i % (all.len() / 7) == 0 {
                saved.push((i, engine.save()));
            }
            let _ = judge_line_telling(&mut engine, &decoder(), line.clone(), &mut Passed::default(), &mut historian);
        }
        told.extend(lines(historian.take()).into_iter().filter(|l| is_news(l)));
        for (i, saved) in saved.iter().filter(|(i, _)| *i > 0) {
            let mut engine =
                Engine::restore(default_rules(), fleet.clone(), Settings::default(), saved).expect("restores");
            let mut historian = Historian::new(ZONE);
            historian.begin(&engine);
            for line in &all[*i..] {
                let _ =
                    judge_line_telling(&mut engine, &decoder(), line.clone(), &mut Passed::default(), &mut historian);
            }
            let again: Vec<String> = lines(historian.take()).into_iter().filter(|l| is_news(l)).collect();
            assert!(!again.is_empty());
            for line in &again {
                assert!(told.contains(line), "from line {i} on, told only the second time: {line}");
            }
        }
    }
}

#[test]
fn each_unit_is_told_once_in_its_period_and_soon_after_a_start() {
    let mut round = Round::new(Duration::from_secs(30), Duration::from_secs(300));
    let mut told = vec![0; 68];
    for second in 0..=330 {
        round.due(t(second * 1000), 68).for_each(|place| told[place] += 1);
        if second == 30 {
            assert_eq!(told, vec![1; 68]);
        }
    }
    assert_eq!(told, vec![2; 68]);
    let after_a_day: Vec<usize> = round.due(t(86_400_000), 68).collect();
    assert_eq!(after_a_day.len(), 68, "each once, however long nobody looked");
    assert_eq!(round.due(t(86_401_000), 3).count(), 0, "another fleet begins anew");
    assert_eq!(round.due(t(86_431_000), 3).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(round.due(t(0), 3).count(), 0, "a clock that was set back");
    assert_eq!(round.due(t(86_431_000), 0).count(), 0);
}

#[test]
fn two_changes_at_one_moment_are_two_points() {
    assert_eq!(after(None, t(5)), t(5));
    assert_eq!(after(Some(&t(5)), t(5)), t(6));
    assert_eq!(after(Some(&t(6)), t(5)), t(7));
    assert_eq!(after(Some(&t(5)), t(9)), t(9));
    assert_eq!(after(Some(&t(90_000)), t(5)), t(5), "a clock that was set back is no tie");
}
