//! A journal rolled up: what counts where, and that nothing counts twice whatever breaks off.

use std::ops::Range;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::domain::SeriesPoint;
use crate::io::store::{Batch, Store};
use crate::wire::recording::{Line, write_line};

fn at(time: &str) -> Timestamp {
    Timestamp::parse(&format!("2026-11-{time}Z")).expect("a time")
}

fn unit(id: &str) -> UnitId {
    UnitId::parse(id).expect("a unit")
}

fn name(text: &str) -> SeriesName {
    text.parse().expect("a series")
}

fn decoder() -> Decoder {
    Decoder::new(Decoder::DEFAULT_ROOT, crate::wire::signature::Signing::Off)
}

fn line(at: Timestamp, unit: &str, kind: &str, payload: &str) -> Vec<u8> {
    let topic = format!("{}/{unit}/{kind}", Decoder::DEFAULT_ROOT);
    let what = What::Publish { topic, payload: Bytes::from(payload.to_owned()), retained: false };
    let mut out = Vec::new();
    write_line(&Line { at, what }, &mut out);
    out
}

/// A power report with the unit's own time, and its number.
fn volts(heard: Timestamp, sent: Timestamp, id: &str, seq: u64, volts: f64) -> Vec<u8> {
    let payload = format!(r#"{{"ts":{},"boot":1,"seq":{seq},"battery_v":{volts}}}"#, sent.as_millis());
    line(heard, id, "power", &payload)
}

struct Rig {
    dir: TempDir,
    store: Store,
}

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open(dir.path(), StoreOptions::default()).expect("opens");
        Rig { dir, store }
    }

    fn hear(&mut self, lines: &[u8]) {
        let mut batch = Batch::new(Timestamp::default());
        batch.journal = lines;
        batch.journal_lines = lines.iter().filter(|b| **b == b'\n').count() as u32;
        self.store.commit(batch).expect("commits");
    }

    fn keep(&mut self, piece: &RollupPiece) {
        let mut batch = Batch::new(Timestamp::default());
        batch.rollups.push(piece);
        self.store.commit(batch).expect("commits");
    }

    fn next_pieces(&self) -> Vec<RollupPiece> {
        let reader = self.store.reader().expect("opens");
        roll_up_part(&reader, &decoder()).expect("reads").0
    }

    fn catch_up(&mut self) {
        loop {
            let pieces = self.next_pieces();
            if pieces.is_empty() {
                return;
            }
            pieces.iter().for_each(|piece| self.keep(piece));
        }
    }

    fn fold(&mut self, now: Timestamp) -> usize {
        let mut folded = 0;
        loop {
            let days = self.store.days_to_fold(now, 2).expect("reads");
            if days.is_empty() {
                return folded;
            }
            folded += days.len();
            self.keep(&RollupPiece { days, ..RollupPiece::default() });
        }
    }

    /// The process is gone, and comes back.
    fn kill(self) -> Rig {
        let Rig { dir, store } = self;
        drop(store);
        let store = Store::open(dir.path(), StoreOptions::default()).expect("opens");
        Rig { dir, store }
    }

    fn series(&self, id: &str, metric: &str) -> Vec<SeriesPoint> {
        self.store.series(&unit(id), &name(metric), Timestamp::MIN, Timestamp::MAX).expect("reads")
    }
}

fn check(rig: &Rig, id: &str, metric: &str, want: &[(&str, u32, f64, f64, f64, f64)]) {
    let want: Vec<SeriesPoint> = want
        .iter()
        .map(|(hour, count, min, max, mean, last)| SeriesPoint {
            hour: at(hour),
            count: *count,
            min: *min,
            max: *max,
            mean: *mean,
            last: *last,
        })
        .collect();
    assert_eq!(rig.series(id, metric), want, "{id} {metric}");
}

#[test]
fn everything_sent_as_a_number_counts_in_its_hour() {
    let mut rig = Rig::new();
    let test = r#"{"ts":"2026-11-21T09:59:59.999Z","boot":1,"seq":3,"trigger":"schedule","results":
        {"camera":{"result":"pass","sharpness":150},"microphone":{"result":"inconclusive","tone_snr_db":3}}}"#;
    let beat = r#"{"ts":"2026-11-21T10:00:00Z","boot":1,"seq":4,"rssi_dbm":-71,"extra":{"lux":0.1}}"#;
    let press = r#"{"ts":"2026-11-21T10:00:31Z","boot":1,"seq":6,"kind":"test","held_ms":900,"ack":true}"#;
    let lines = [
        volts(at("21T09:10:00"), at("21T09:10:00"), "A", 1, 12.5),
        volts(at("21T09:50:00"), at("21T09:50:00"), "A", 2, 13.1),
        line(at("21T09:59:59.999"), "A", "selftest", test),
        line(at("21T10:00:00"), "A", "heartbeat", beat),
        line(at("21T10:00:30"), "A", "heartbeat", &beat.replace("\"seq\":4", "\"seq\":5")),
        line(at("21T10:00:31"), "A", "press", press),
        b"{\"at\":\"2026-11-21T10:00:31.000Z\",\"link\":\"down\"}\n".to_vec(),
        b"no line at all\n".to_vec(),
    ];
    rig.hear(&lines.concat());
    rig.catch_up();
    check(&rig, "A", "battery.voltage", &[("21T09:00:00", 2, 12.5, 13.1, 12.8, 13.1)]);
    check(&rig, "A", "camera.sharpness", &[("21T09:00:00", 1, 150.0, 150.0, 150.0, 150.0)]);
    check(&rig, "A", "microphone.tone", &[]);
    check(&rig, "A", "heartbeats", &[("21T10:00:00", 2, 1.0, 1.0, 1.0, 1.0)]);
    check(&rig, "A", "x.lux", &[("21T10:00:00", 2, 0.1, 0.1, 0.1, 0.1)]);
    check(&rig, "A", "press.held_ms", &[("21T10:00:00", 1, 900.0, 900.0, 900.0, 900.0)]);
    check(&rig, "B", "battery.voltage", &[]);
    let names: Vec<String> =
        rig.store.series_metrics(&unit("A"), at("21T10:30:00")).expect("reads").iter().map(|n| n.to_string()).collect();
    assert_eq!(names, ["heartbeats", "link.rssi", "press.held_ms", "x.lux"], "whole hours");
    assert_eq!(rig.store.rollup_place().expect("reads"), Some(1));
}

#[test]
fn a_wrong_clock_counts_by_our_own_and_a_buffer_by_the_units() {
    let mut rig = Rig::new();
    // Ten hours ahead, all the time.
    rig.hear(&volts(at("21T09:10:00"), at("21T19:10:00"), "AHEAD", 1, 12.0));
    rig.hear(&volts(at("21T09:20:00"), at("21T19:20:00"), "AHEAD", 2, 12.0));
    // Heard live, then nothing for two hours, then what it had kept.
    rig.hear(&volts(at("21T09:00:00"), at("21T09:00:00"), "KEPT", 1, 13.0));
    rig.hear(&volts(at("21T11:59:00"), at("21T10:00:00"), "KEPT", 2, 12.5));
    rig.hear(&volts(at("21T11:59:01"), at("21T10:30:00"), "KEPT", 3, 12.0));
    rig.hear(&volts(at("21T11:59:02"), at("21T11:59:02"), "KEPT", 4, 11.5));
    // Of the last year: what is that old is kept no longer.
    let old = Timestamp::parse("2025-11-21T00:00:00Z").expect("a time");
    rig.hear(&volts(at("21T12:00:00"), old, "KEPT", 0, 99.0 / 9.0));
    rig.catch_up();
    check(&rig, "AHEAD", "battery.voltage", &[("21T09:00:00", 2, 12.0, 12.0, 12.0, 12.0)]);
    check(
        &rig,
        "KEPT",
        "battery.voltage",
        &[
            ("21T09:00:00", 1, 13.0, 13.0, 13.0, 13.0),
            ("21T10:00:00", 2, 12.0, 12.5, 12.25, 12.0),
            ("21T11:00:00", 1, 11.5, 11.5, 11.5, 11.5),
        ],
    );
}

#[test]
fn what_is_sent_twice_counts_once_also_across_a_restart() {
    let mut rig = Rig::new();
    let first = volts(at("21T09:10:00"), at("21T09:10:00"), "A", 1, 12.5);
    rig.hear(&[first.clone(), first.clone()].concat());
    rig.catch_up();
    let mut rig = rig.kill();
    rig.hear(&first);
    rig.hear(&volts(at("21T09:11:00"), at("21T09:11:00"), "A", 2, 12.0));
    rig.catch_up();
    check(&rig, "A", "battery.voltage", &[("21T09:00:00", 2, 12.0, 12.5, 12.25, 12.0)]);
}

#[test]
fn a_late_reading_joins_its_hour_though_its_day_is_folded_and_takes_no_newer_ones_place() {
    let mut rig = Rig::new();
    for (n, hour) in [3, 9, 23].into_iter().enumerate() {
        let time = at(&format!("20T{hour:02}:40:00"));
        rig.hear(&volts(time, time, "A", n as u64 * 10, 12.0 + n as f64));
        rig.hear(&volts(time, time, "B", n as u64 * 10, 11.0));
    }
    rig.catch_up();
    assert_eq!(rig.fold(at("21T00:59:59")), 0, "late readings of the last hour are on the way");
    assert_eq!(rig.fold(at("21T01:00:00")), 2);
    let want = [
        ("20T03:00:00", 1, 12.0, 12.0, 12.0, 12.0),
        ("20T09:00:00", 1, 13.0, 13.0, 13.0, 13.0),
        ("20T23:00:00", 1, 14.0, 14.0, 14.0, 14.0),
    ];
    check(&rig, "A", "battery.voltage", &want);
    rig.hear(&volts(at("21T05:00:00"), at("20T09:10:00"), "A", 5, 10.0));
    rig.hear(&volts(at("21T05:00:01"), at("20T09:50:00"), "A", 6, 11.5));
    rig.catch_up();
    let joined = [want[0], ("20T09:00:00", 3, 10.0, 13.0, 11.5, 11.5), want[2]];
    check(&rig, "A", "battery.voltage", &joined);
    assert_eq!(rig.fold(at("21T05:00:02")), 1);
    check(&rig, "A", "battery.voltage", &joined);
    check(&rig, "A", "battery.current", &[]);
    let part = rig.store.series(&unit("A"), &name("battery.voltage"), at("20T09:30:00"), at("20T23:00:00"));
    assert_eq!(part.expect("reads").len(), 1, "hours that begin at the end are not in it");
    assert_eq!(rig.series("B", "battery.voltage").len(), 3);
}

/// `units`: each sends in both hours, and one message twice.
fn hear_many(rig: &mut Rig, units: usize, seqs: Range<u64>) {
    for seq in seqs {
        let time = at("21T08:59:00") + Duration::from_secs(seq * 40);
        let one = |n: usize| volts(time, time, &format!("U{n:03}"), seq, 11.0 + (n % 7) as f64 + seq as f64 / 10.0);
        let lines: Vec<u8> = (0..units).flat_map(|n| [one(n), one(n)].concat()).collect();
        rig.hear(&lines);
    }
}

#[test]
fn a_round_that_breaks_off_anywhere_loses_and_doubles_nothing() {
    const UNITS: usize = PIECE_UNITS * 2 + 40;
    let mut whole = Rig::new();
    hear_many(&mut whole, UNITS, 1..6);
    whole.catch_up();
    for broken_after in 0..=3 {
        let mut rig = Rig::new();
        hear_many(&mut rig, UNITS, 1..4);
        let pieces = rig.next_pieces();
        assert_eq!(pieces.len(), 3);
        pieces.iter().take(broken_after).for_each(|piece| rig.keep(piece));
        let mut rig = rig.kill();
        hear_many(&mut rig, UNITS, 4..6);
        rig.catch_up();
        for n in 0..UNITS {
            let id = format!("U{n:03}");
            let got = rig.series(&id, "battery.voltage");
            assert_eq!(got, whole.series(&id, "battery.voltage"), "{id}, broken off after {broken_after}");
            assert_eq!(got.iter().map(|p| p.count).sum::<u32>(), 5, "{id}");
        }
    }
}

/// Prints what docs/architecture.md states. `cargo test --lib what_rolling_up_costs -- --ignored --nocapture`
#[test]
#[ignore = "prints figures; nothing to pass or fail"]
fn what_rolling_up_costs() {
    const UNITS: usize = 256;
    let mut rig = Rig::new();
    let (mut messages, mut adding, mut writing, mut pieces) = (0u64, Duration::ZERO, Vec::new(), 0);
    for minute in 0..1_440u64 {
        let mut lines = Vec::new();
        for n in 0..UNITS {
            let id = format!("PSH-{n:03}");
            let wave = ((minute as f64 + n as f64 * 5.0) / 120.0).sin();
            for half in 0..2u64 {
                let time = at("21T00:00:00") + Duration::from_secs(minute * 60 + half * 30 + n as u64 % 30);
                let beat = format!(
                    r#"{{"ts":{},"boot":3,"seq":{},"uptime_s":{},"interval_s":30,"fw":"2.4.1","rssi_dbm":{},"temp_c":{:.1},"disk_free_pct":{},"mem_free_pct":{},"tamper":false}}"#,
                    time.as_millis(),
                    minute * 4 + half,
                    minute * 60 + half * 30,
                    -70 - (minute * 7 + half * 3 + n as u64) as i64 % 9,
                    31.0 + wave * 6.0,
                    61 - minute / 400,
                    40 + (minute + n as u64) % 7
                );
                lines.extend(line(time, &id, "heartbeat", &beat));
                messages += 1;
            }
            if minute % 5 == 0 {
                let time = at("21T00:00:45") + Duration::from_secs(minute * 60);
                let power = format!(
                    r#"{{"ts":{},"boot":3,"seq":{},"mains":{},"mains_v":{:.0},"battery_v":{:.2},"battery_pct":{:.0},"battery_temp_c":{:.1},"charge_a":{:.2},"load_w":{:.1}}}"#,
                    time.as_millis(),
                    minute * 4 + 2,
                    wave > -0.3,
                    225.0 + wave * 6.0,
                    12.8 + wave * 0.9,
                    75.0 + wave * 20.0,
                    33.0 + wave * 4.0,
                    wave * 1.4,
                    7.5 + wave * 0.4
                );
                lines.extend(line(time, &id, "power", &power));
                messages += 1;
            }
            if minute == 180 {
                let test = r#"{"ts":"2026-11-21T03:00:50Z","boot":3,"seq":723,"trigger":"schedule","results":{"camera":{"result":"pass","sharpness":151.3,"luma":97,"fps":14.9},"microphone":{"result":"pass","tone_snr_db":21.4,"ambient_dbfs":-51.2},"speaker":{"result":"pass","tone_snr_db":19.8},"stream":{"result":"pass","connect_ms":812,"kbps":1430,"loss_pct":0.4}}}"#;
                lines.extend(line(at("21T03:00:50"), &id, "selftest", test));
                messages += 1;
            }
        }
        rig.hear(&lines);
        let began = Instant::now();
        let made = rig.next_pieces();
        adding += began.elapsed();
        for piece in &made {
            let began = Instant::now();
            rig.keep(piece);
            writing.push(began.elapsed());
            pieces += 1;
        }
    }
    let db = rusqlite::Connection::open(rig.dir.path().join(crate::io::store::DATABASE_FILE)).expect("opens");
    let bytes = |table: &str| -> f64 {
        let sql = format!("SELECT sum(length(body)) FROM {table}");
        db.query_row(&sql, [], |r| r.get::<_, Option<f64>>(0)).expect("a sum").unwrap_or_default() / UNITS as f64
    };
    println!("{messages} messages of {UNITS} units in a day, a round a minute");
    println!("hours: {:.0} bytes a unit and day", bytes("rollup_hour"));
    let began = Instant::now();
    let folded = rig.fold(at("22T02:00:00"));
    println!("days: {:.0} bytes a unit and day; {folded} folded in {:?}", bytes("rollup_day"), began.elapsed());
    println!("adding up: {:.1} s a million messages", adding.as_secs_f64() / messages as f64 * 1e6);
    writing.sort_unstable();
    println!(
        "{pieces} pieces of {PIECE_UNITS} units: median {:?}, worst {:?}",
        writing[pieces / 2],
        writing[pieces - 1]
    );
}
