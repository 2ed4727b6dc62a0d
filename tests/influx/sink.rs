//! History's way into InfluxDB, against a real one behind a front that fails as it is told.

use crate::influx_front;
use crate::influxdb;
use crate::victoria;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use buttonwatch::domain::Bucket;
use buttonwatch::io::influx::{
    Delivery, DropReason, Influx, InfluxConfig, InfluxReader, InfluxStats, Outcome, QueryError, check, quote_text,
};
use influx_front::{Front, PATIENCE};
use influxdb::InfluxDb;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// 2026-11-21T09:00:00Z.
const T0: i64 = 1_795_251_600_000;

struct Rig {
    runtime: Runtime,
    spool: TempDir,
    front: Front,
}

impl Rig {
    fn new(upstream: Option<&InfluxDb>) -> Rig {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let spool = tempfile::tempdir().expect("scratch folder");
        let front = Front::start(upstream.map(InfluxDb::url));
        Rig { runtime, spool, front }
    }

    /// Retries at once, batches of 100, and nothing closes a batch but its points and `flush`.
    fn config(&self) -> InfluxConfig {
        InfluxConfig {
            url: self.front.url(),
            org: "org".to_owned(),
            token: "secret".to_owned(),
            database: "buttonwatch".to_owned(),
            ca_pem: None,
            timeout: PATIENCE,
            spool: self.spool.path().join("influx"),
            spool_max_bytes: 1 << 30,
            batch_points: 100,
            batch_every: Duration::from_secs(3600),
            retry_after: Duration::from_millis(2),
            retry_at_most: Duration::from_millis(20),
        }
    }

    fn start(&self) -> Influx {
        self.start_with(self.config())
    }

    fn start_with(&self, config: InfluxConfig) -> Influx {
        let _in_runtime = self.runtime.enter();
        Influx::start(config).expect("the settings are right")
    }

    fn stop(&self, influx: Influx) {
        self.runtime.block_on(influx.stop());
    }

    fn spool_files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.config().spool).expect("the spool");
        let mut names: Vec<String> =
            entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// One line a point, one point a millisecond.
fn line(n: usize) -> String {
    format!("power,unit=PSH-{:03},site=saddar mains=1i,battery_v={}.5 {}\n", n % 68, n, T0 + n as i64)
}

fn push(influx: &Influx, bucket: Bucket, range: std::ops::Range<usize>) {
    let points = range.len() as u32;
    let lines: String = range.map(line).collect();
    influx.spool().push(bucket, lines.into_bytes(), points);
}

fn push_and_flush(influx: &Influx, bucket: Bucket, range: std::ops::Range<usize>) {
    push(influx, bucket, range);
    influx.spool().flush();
}

fn wait_until(influx: &Influx, what: &str, is_so: impl Fn(&InfluxStats) -> bool) -> InfluxStats {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let stats = influx.stats();
        if is_so(&stats) {
            return stats;
        }
        assert!(Instant::now() < give_up, "waited in vain until {what}: {stats:#?}");
        // The counters tell nobody that they changed.
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn refused(spool: &Path) -> String {
    fs::read_to_string(spool.join("influx/refused.lp")).unwrap_or_default()
}

#[test]
fn what_is_pushed_arrives_and_its_file_goes() {
    let Some(server) = InfluxDb::start_with("buttonwatch") else { return };
    let rig = Rig::new(Some(&server));
    let influx = rig.start();
    push_and_flush(&influx, Bucket::Raw, 0..250);
    push_and_flush(&influx, Bucket::Events, 0..30);
    let stats = wait_until(&influx, "all is written", |s| s.written() == 280);
    assert_eq!((stats.waiting_points(), stats.waiting_bytes(), stats.lag()), (0, 0, Duration::ZERO));
    assert_eq!(stats.of(Bucket::Raw).delivery, Delivery::Up);
    assert!(stats.of(Bucket::Raw).write_seconds_count >= 1 && stats.of(Bucket::Raw).write_seconds_sum > 0.0);
    assert_eq!(server.points("buttonwatch", "\"raw\".\"power\"", "mains"), 250);
    assert_eq!(server.points("buttonwatch", "\"events\".\"power\"", "mains"), 30);
    let first = server.rows("buttonwatch", "SELECT battery_v FROM \"raw\".\"power\" LIMIT 1");
    assert_eq!((first[0][0].as_i64(), first[0][1].as_f64()), (Some(T0), Some(0.5)), "times are in milliseconds");
    assert_eq!(rig.spool_files(), Vec::<String>::new());
}

#[test]
fn the_service_speaks_to_victoria_metrics_too() {
    let Some(server) = victoria::Victoria::start() else { return };
    let rig = Rig::new(None);
    let influx = rig.start_with(InfluxConfig { url: server.url(), ..rig.config() });
    push_and_flush(&influx, Bucket::Raw, 0..250);
    wait_until(&influx, "all is written", |s| s.written() == 250);
    assert_eq!(server.points("{__name__=\"power_battery_v\"}"), 250);
}

#[test]
fn a_batch_that_is_old_enough_leaves_without_a_flush() {
    let rig = Rig::new(None);
    let influx = rig.start_with(InfluxConfig { batch_every: Duration::from_millis(1), ..rig.config() });
    push(&influx, Bucket::Raw, 0..3);
    wait_until(&influx, "it is written", |s| s.written() == 3);
}

#[test]
fn a_person_must_mend_401_403_and_404_and_nothing_is_lost_meanwhile() {
    for status in [401, 403, 404, 200, 302] {
        let rig = Rig::new(None);
        rig.front.tell(|f| f.status = Some(status));
        let influx = rig.start();
        push_and_flush(&influx, Bucket::Raw, 0..250);
        let stats = wait_until(&influx, "it is held", |s| s.of(Bucket::Raw).delivery == Delivery::Held);
        assert_eq!(stats.waiting_points(), 250, "{status}");
        let said = stats.of(Bucket::Raw).last_error.expect("it says why");
        assert!(said.starts_with(&status.to_string()) && said.contains("[influx]") || status == 403, "{said}");
        rig.front.wait_until("it is tried again", |seen| seen.writes > 2);
        rig.front.tell(|f| f.status = None);
        let stats = wait_until(&influx, "all is written", |s| s.written() == 250);
        assert_eq!((stats.of(Bucket::Raw).delivery, stats.waiting_points()), (Delivery::Up, 0), "{status}");
        assert!(stats.tries(Outcome::Held) > 2);
    }
}

#[test]
fn a_busy_server_is_tried_again_until_it_takes_everything() {
    for status in [429, 500, 502, 503, 504] {
        let rig = Rig::new(None);
        rig.front.tell(|f| f.status = Some(status));
        let influx = rig.start();
        push_and_flush(&influx, Bucket::Raw, 0..250);
        rig.front.wait_until("it is tried again", |seen| seen.writes > 3);
        let stats = wait_until(&influx, "it is away", |s| s.of(Bucket::Raw).delivery == Delivery::Away);
        assert_eq!(stats.waiting_points(), 250, "{status}");
        assert!(!stats.is_well() && stats.lag() > Duration::ZERO);
        rig.front.tell(|f| f.status = None);
        let stats = wait_until(&influx, "all is written", |s| s.written() == 250);
        assert_eq!((stats.refused(), stats.unprocessable(), stats.waiting_points()), (0, 0, 0), "{status}");
    }
}

#[test]
fn points_outside_the_retention_are_counted_and_never_sent_again() {
    let rig = Rig::new(None);
    rig.front.tell(|f| f.status = Some(422));
    let influx = rig.start();
    push_and_flush(&influx, Bucket::Raw, 0..100);
    let stats = wait_until(&influx, "it is settled", |s| s.unprocessable() == 100);
    assert_eq!((stats.written(), stats.waiting_points(), stats.of(Bucket::Raw).delivery), (0, 0, Delivery::Up));
    assert_eq!(rig.front.seen().writes, 1);
    assert_eq!(refused(rig.spool.path()), "", "they are not wrong, only late");
}

#[test]
fn five_bad_lines_among_five_thousand_are_set_aside_and_all_others_arrive() {
    let Some(server) = InfluxDb::start_with("buttonwatch") else { return };
    let rig = Rig::new(Some(&server));
    let influx = rig.start_with(InfluxConfig { batch_points: 5000, ..rig.config() });
    let bad: BTreeSet<usize> = [0, 1, 2500, 4242, 4999].into();
    // InfluxDB's own judgement, not the front's.
    let text = |n: usize| if bad.contains(&n) { format!("power,unit=PSH-{n} mains=oops {T0}\n") } else { line(n) };
    let lines: String = (0..5000).map(text).collect();
    influx.spool().push(Bucket::Raw, lines.into_bytes(), 5000);
    let stats = wait_until(&influx, "it is settled", |s| s.waiting_points() == 0 && s.written() > 0);
    assert_eq!((stats.written(), stats.refused()), (4995, 5));
    assert_eq!(server.points("buttonwatch", "\"raw\".\"power\"", "mains"), 4995);
    let aside = refused(rig.spool.path());
    let kept: Vec<&str> = aside.lines().filter(|l| !l.starts_with('#')).collect();
    let expected: BTreeSet<String> = bad.iter().map(|n| text(*n).trim_end().to_owned()).collect();
    assert_eq!(kept.iter().map(|l| (*l).to_owned()).collect::<BTreeSet<_>>(), expected);
    assert_eq!(kept.len(), 5, "each once");
    let comment = aside.lines().next().expect("a comment");
    assert!(comment.starts_with("# 20") && comment.contains(" raw 400 ") && comment.contains("oops"), "{comment}");
    assert_eq!(rig.spool_files(), ["refused.lp"]);
    push_and_flush(&influx, Bucket::Raw, 5000..5100);
    wait_until(&influx, "what follows is written", |s| s.written() == 5095);
}

#[test]
fn a_server_that_refuses_every_line_is_not_believed() {
    let rig = Rig::new(None);
    rig.front.tell(|f| f.status = Some(400));
    let influx = rig.start_with(InfluxConfig { batch_points: 5000, ..rig.config() });
    push_and_flush(&influx, Bucket::Raw, 0..2500);
    let stats = wait_until(&influx, "it is held", |s| s.of(Bucket::Raw).delivery == Delivery::Held);
    assert_eq!((stats.waiting_points(), stats.refused()), (2500, 0));
    let told = stats.of(Bucket::Raw).last_error.expect("told");
    assert!(told.contains("refuses every line") || told.starts_with("400 "), "{told}");
    rig.front.tell(|f| f.status = None);
    let stats = wait_until(&influx, "it is mended", |s| s.waiting_points() == 0);
    assert_eq!((stats.written(), stats.refused()), (2500, 0));
    assert_eq!(refused(rig.spool.path()), "");
}

#[test]
fn a_body_that_is_too_large_is_sent_in_parts() {
    let rig = Rig::new(None);
    rig.front.tell(|f| f.largest = Some(1000));
    let influx = rig.start();
    push(&influx, Bucket::Raw, 0..100);
    wait_until(&influx, "all is written", |s| s.written() == 100);
    assert!(rig.front.seen().statuses[&413] >= 1);
    let long = format!("power,unit=PSH-001 note=\"{}\" {T0}\n{}", "x".repeat(2000), line(100));
    influx.spool().push(Bucket::Raw, long.into_bytes(), 2);
    influx.spool().flush();
    let stats = wait_until(&influx, "it is settled", |s| s.refused() == 1);
    assert_eq!((stats.written(), stats.waiting_points()), (101, 0));
    assert!(refused(rig.spool.path()).contains(" raw 413 "));
}

#[test]
fn a_halving_that_an_outage_interrupts_begins_anew_and_counts_once() {
    let rig = Rig::new(None);
    rig.front.keep_lines();
    rig.front.tell(|f| {
        f.bad_line = Some("battery_v=77.5".to_owned());
        // The whole, its first half, then gone in the midst; then in the second round, too.
        f.next = [None, None, Some(503), None, None, None, None, Some(429)].into();
    });
    let influx = rig.start();
    push_and_flush(&influx, Bucket::Raw, 0..100);
    let stats = wait_until(&influx, "it is settled", |s| s.waiting_points() == 0 && s.written() > 0);
    assert_eq!((stats.written(), stats.refused(), stats.tries(Outcome::Busy)), (99, 1, 2));
    assert_eq!(refused(rig.spool.path()).lines().count(), 2, "the bad line is set aside once");
    let arrived: BTreeSet<String> = rig.front.seen().kept.into_iter().collect();
    assert_eq!(arrived.len(), 99);
}

#[test]
fn a_server_that_never_answers_delays_nothing_here() {
    let rig = Rig::new(None);
    rig.front.tell(|f| f.hang = true);
    let influx = rig.start();
    push_and_flush(&influx, Bucket::Raw, 0..100);
    rig.front.wait_until("the first write hangs", |seen| seen.unanswered == 1);
    // The timeout is a minute; all this returns while the write hangs.
    for n in 1..200 {
        push(&influx, Bucket::Raw, n * 100..(n + 1) * 100);
    }
    influx.spool().flush();
    assert_eq!(influx.stats().waiting_points(), 20_000);
    assert_eq!(rig.front.seen().writes, 1);
}

#[test]
fn a_write_that_hangs_ends_by_the_timeout_and_is_sent_again() {
    let rig = Rig::new(None);
    rig.front.tell(|f| f.hang = true);
    let influx = rig.start_with(InfluxConfig { timeout: Duration::from_millis(50), ..rig.config() });
    push_and_flush(&influx, Bucket::Raw, 0..100);
    let stats = wait_until(&influx, "it timed out twice", |s| s.tries(Outcome::Timeout) >= 2);
    assert_eq!((stats.of(Bucket::Raw).delivery, stats.waiting_points()), (Delivery::Away, 100));
    rig.front.tell(|f| f.hang = false);
    wait_until(&influx, "all is written", |s| s.written() == 100);
}

#[test]
fn an_outage_loses_nothing_and_doubles_nothing() {
    let Some(mut server) = InfluxDb::start_with("buttonwatch") else { return };
    let mut rig = Rig::new(Some(&server));
    let influx = rig.start();
    push_and_flush(&influx, Bucket::Raw, 0..1000);
    wait_until(&influx, "the first are written", |s| s.written() == 1000);

    // InfluxDB has it, and the answer is lost on the way.
    rig.front.tell(|f| f.break_off = true);
    push_and_flush(&influx, Bucket::Raw, 1000..2000);
    wait_until(&influx, "it is away", |s| s.of(Bucket::Raw).delivery == Delivery::Away);
    // Nobody is there at all.
    rig.front.close();
    push_and_flush(&influx, Bucket::Raw, 2000..3000);
    push_and_flush(&influx, Bucket::Events, 0..1000);
    wait_until(&influx, "events are away too", |s| s.of(Bucket::Events).delivery == Delivery::Away);
    // InfluxDB dies behind a proxy that lives.
    server.kill();
    rig.front.tell(|f| f.break_off = false);
    rig.front.open();
    push_and_flush(&influx, Bucket::Raw, 3000..4000);
    wait_until(&influx, "the proxy says so", |s| s.tries(Outcome::Busy) > 0);
    server.restart();

    let stats = wait_until(&influx, "nothing waits", |s| s.waiting_points() == 0);
    assert_eq!(stats.written(), 5000);
    assert_eq!(stats.dropped(DropReason::Full) + stats.dropped(DropReason::Disk) + stats.refused(), 0);
    assert_eq!(server.points("buttonwatch", "\"raw\".\"power\"", "mains"), 4000);
    assert_eq!(server.points("buttonwatch", "\"events\".\"power\"", "mains"), 1000);
    assert_eq!(rig.spool_files(), Vec::<String>::new());
}

#[test]
fn a_missing_events_bucket_does_not_hold_raw() {
    let rig = Rig::new(None);
    rig.front.tell(|f| {
        f.bucket_status.insert("buttonwatch/events".to_owned(), 404);
    });
    let influx = rig.start();
    push_and_flush(&influx, Bucket::Events, 0..100);
    wait_until(&influx, "events are held", |s| s.of(Bucket::Events).delivery == Delivery::Held);
    push_and_flush(&influx, Bucket::Raw, 0..1000);
    let stats = wait_until(&influx, "raw is written", |s| s.of(Bucket::Raw).written == 1000);
    assert_eq!((stats.of(Bucket::Raw).delivery, stats.of(Bucket::Events).waiting_points), (Delivery::Up, 100));
    let why = stats.of(Bucket::Events).last_error.expect("told");
    assert!(why.contains("buttonwatch influx setup"), "{why}");
}

#[test]
fn what_was_spooled_is_delivered_after_a_restart() {
    let mut rig = Rig::new(None);
    rig.front.keep_lines();
    rig.front.close();
    let influx = rig.start();
    push_and_flush(&influx, Bucket::Raw, 0..250);
    push_and_flush(&influx, Bucket::Events, 0..10);
    drop(influx);
    assert_eq!(
        rig.spool_files(),
        [
            "000000000001-raw-100.lp.gz",
            "000000000002-raw-100.lp.gz",
            "000000000003-raw-50.lp.gz",
            "000000000004-events-10.lp.gz"
        ]
    );
    let influx = rig.start();
    assert_eq!(influx.stats().waiting_points(), 260, "the names tell it");
    assert!(influx.stats().lag() > Duration::ZERO);
    push_and_flush(&influx, Bucket::Raw, 250..300);
    assert!(rig.spool_files().contains(&"000000000005-raw-50.lp.gz".to_owned()), "the numbers go on");
    rig.front.open();
    wait_until(&influx, "all is written", |s| s.written() == 310);
    let arrived = rig.front.seen().kept;
    let raw: Vec<String> = (0..300).map(|n| line(n).trim_end().to_owned()).collect();
    assert_eq!(arrived.len(), 310, "each once");
    assert!(raw.iter().all(|line| arrived.contains(line)));
    rig.stop(influx);
}

#[test]
fn a_stop_keeps_what_was_only_pushed() {
    let mut rig = Rig::new(None);
    rig.front.close();
    let influx = rig.start();
    let spool = influx.spool();
    push(&influx, Bucket::Raw, 0..30);
    rig.stop(influx);
    assert_eq!(rig.spool_files(), ["000000000001-raw-30.lp.gz"]);
    spool.push(Bucket::Raw, line(30).into_bytes(), 1);
    spool.flush();
    assert_eq!(spool.stats().dropped(DropReason::Disk), 1, "after the end there is nobody to take it");
}

#[test]
fn many_small_batches_leave_in_few_writes() {
    let mut rig = Rig::new(None);
    rig.front.keep_lines();
    rig.front.close();
    let influx = rig.start();
    for n in 0..95 {
        push_and_flush(&influx, Bucket::Raw, n..n + 1);
    }
    assert_eq!(rig.spool_files().len(), 95);
    drop(influx);
    rig.front.open();
    let influx = rig.start();
    wait_until(&influx, "all is written", |s| s.written() == 95);
    assert_eq!(rig.front.seen().writes, 1);
    let expected: Vec<String> = (0..95).map(|n| line(n).trim_end().to_owned()).collect();
    assert_eq!(rig.front.seen().kept, expected, "in their order");
}

#[test]
fn over_the_bound_the_oldest_go_and_are_counted_exactly() {
    let rig = Rig::new(None);
    rig.front.keep_lines();
    rig.front.tell(|f| f.status = Some(503));
    // Room for ten batches, each of which takes one block of the disk. After the first try it does not try again.
    let never = Duration::from_secs(3600);
    let config = InfluxConfig {
        batch_points: 10,
        spool_max_bytes: 10 * 4096,
        retry_after: never,
        retry_at_most: never,
        ..rig.config()
    };
    let influx = rig.start_with(config.clone());
    push(&influx, Bucket::Raw, 0..10);
    wait_until(&influx, "the first try failed", |s| s.of(Bucket::Raw).delivery == Delivery::Away);
    push_and_flush(&influx, Bucket::Raw, 10..253);
    let stats = influx.stats();
    // 26 batches were made, the last of 3 points; the 16 oldest went.
    assert_eq!((stats.dropped(DropReason::Full), stats.waiting_points()), (160, 93));
    assert_eq!(rig.spool_files().len(), 10);
    drop(influx);
    rig.front.tell(|f| f.status = None);
    let influx = rig.start_with(config);
    wait_until(&influx, "the rest is written", |s| s.written() == 93);
    let expected: Vec<String> = (160..253).map(|n| line(n).trim_end().to_owned()).collect();
    assert_eq!(rig.front.seen().kept, expected);
}

#[test]
fn a_disk_that_takes_nothing_costs_points_but_not_the_service() {
    let rig = Rig::new(None);
    let influx = rig.start();
    let spool = rig.config().spool;
    fs::remove_dir(&spool).expect("empty");
    fs::write(&spool, "a file where the folder was").expect("writable");
    push_and_flush(&influx, Bucket::Raw, 0..250);
    let stats = influx.stats();
    assert_eq!((stats.dropped(DropReason::Disk), stats.waiting_points()), (250, 0));
    assert!(stats.of(Bucket::Raw).last_error.expect("told").contains("cannot write to"));
    fs::remove_file(&spool).and_then(|()| fs::create_dir(&spool)).expect("mended");
    push_and_flush(&influx, Bucket::Raw, 250..300);
    wait_until(&influx, "it goes on", |s| s.written() == 50);
}

#[test]
fn what_a_power_cut_left_half_written_does_not_stop_the_rest() {
    let rig = Rig::new(None);
    let spool = rig.config().spool;
    fs::create_dir_all(&spool).expect("writable");
    fs::write(spool.join(".000000000007-raw-5.lp.gz.part"), "half").expect("writable");
    fs::write(spool.join("000000000005-raw-100.lp.gz"), "").expect("writable");
    fs::write(spool.join("000000000006-raw-20.lp.gz"), "no gzip at all").expect("writable");
    fs::write(spool.join("notes.txt"), "the operator's own").expect("writable");
    let influx = rig.start();
    push_and_flush(&influx, Bucket::Raw, 0..10);
    let stats = wait_until(&influx, "the good ones are written", |s| s.written() == 10 && s.waiting_points() == 0);
    assert_eq!((stats.dropped(DropReason::Disk), rig.front.seen().lines), (120, 10));
    assert_eq!(rig.spool_files(), ["notes.txt"]);
}

#[test]
fn the_token_is_sent_and_never_shown() {
    let rig = Rig::new(None);
    rig.front.tell(|f| f.token = Some("secret".to_owned()));
    let influx = rig.start();
    push_and_flush(&influx, Bucket::Raw, 0..10);
    wait_until(&influx, "it is written", |s| s.written() == 10);
    let shown = format!("{:?}", rig.config());
    assert!(!shown.contains("secret") && shown.contains("hidden"), "{shown}");
}

#[test]
fn settings_that_cannot_work_are_told_with_their_remedy() {
    let rig = Rig::new(None);
    let _in_runtime = rig.runtime.enter();
    let start = |change: &dyn Fn(&mut InfluxConfig)| {
        let mut config = rig.config();
        change(&mut config);
        Influx::start(config).err().expect("it cannot work").to_string()
    };
    for url in ["", "127.0.0.1:8086", "/x", "ftp://host", "http://host/influx", "http://host?x=1"] {
        let told = start(&|c| c.url = url.to_owned());
        assert!(told.contains("write url in [influx] as http://127.0.0.1:8086"), "{told}");
    }
    let told = start(&|c| c.url = "http://me:hunter2@host".to_owned());
    assert!(!told.contains("hunter2"), "{told}");
    assert!(start(&|c| c.token = "two\nlines".to_owned()).contains("token_file"));
    assert!(start(&|c| c.ca_pem = Some(b"no PEM".to_vec())).contains("BEGIN CERTIFICATE"));
    let blocked = rig.spool.path().join("file");
    fs::write(&blocked, "").expect("writable");
    assert!(start(&|c| c.spool = blocked.join("influx")).contains("cannot use the spool"));
}

#[test]
fn doctor_is_told_what_is_wrong_with_the_server_the_token_and_the_buckets() {
    let mut rig = Rig::new(None);
    rig.front.tell(|f| f.token = Some("secret".to_owned()));
    rig.front.books(|b| {
        b.make_empty();
        b.add_bucket("buttonwatch/raw", 0);
    });
    let ask = |rig: &Rig, config: InfluxConfig| rig.runtime.block_on(check(&config));
    let told = ask(&rig, rig.config()).expect_err("events is missing");
    assert_eq!(told, "there is no bucket buttonwatch/events in the organization org; run `buttonwatch influx setup`");
    rig.front.books(|b| b.add_bucket("buttonwatch/events", 0));
    assert!(ask(&rig, rig.config()).expect("all is there").contains("v2.7.0"));
    let told = ask(&rig, InfluxConfig { token: "wrong".to_owned(), ..rig.config() }).expect_err("unknown token");
    assert!(told.contains("token_file"), "{told}");
    let told = ask(&rig, InfluxConfig { org: "other".to_owned(), ..rig.config() }).expect_err("unknown org");
    assert!(told.contains("no organization other"), "{told}");
    rig.front.close();
    let told = ask(&rig, rig.config()).expect_err("nobody is there");
    assert!(told.contains("look whether InfluxDB runs"), "{told}");
}

#[test]
fn history_is_read_back_and_no_name_can_change_the_question() {
    let Some(server) = InfluxDb::start_with("buttonwatch") else { return };
    let rig = Rig::new(Some(&server));
    let nasty = "x' OR unit =~ /.*/ OR unit = '\\";
    let tag = nasty.replace('\\', "\\\\").replace(' ', "\\ ").replace('=', "\\=");
    server
        .write("buttonwatch", "raw", &format!("power,unit={tag}z v=1 {T0}\npower,unit=PSH-001 v=2.5 {}\n", T0 + 1))
        .expect("good");
    let reader = InfluxReader::new(&rig.config()).expect("the settings are right");
    let ask = |q: &str| rig.runtime.block_on(reader.select(q));
    let by_unit = |unit: &str| ask(&format!("SELECT v FROM \"raw\".\"power\" WHERE unit = {}", quote_text(unit)));
    assert_eq!(by_unit("PSH-001"), Ok(vec![(T0 + 1, 2.5)]));
    assert_eq!(by_unit(nasty), Ok(vec![]));
    assert_eq!(by_unit("PSH-999"), Ok(vec![]));
    assert!(
        matches!(ask("SELECT nonsense"), Err(QueryError::Refused { status: 400, .. })),
        "{:?}",
        ask("SELECT nonsense")
    );
    let missing = ask("SELECT v FROM \"gone\".\"power\"");
    assert!(
        matches!(&missing, Err(QueryError::Refused { said, .. }) if said.contains("retention policy")),
        "{missing:?}"
    );
}
