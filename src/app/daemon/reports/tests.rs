//! Reports of a real store: whole periods, what is refused, and an edition that stays what it was.

use super::*;
use crate::domain::outlook::PressLine;
use crate::domain::report::Report;
use crate::domain::{Effect, EffectKind, Readiness, Reason};
use crate::io::store::{Batch, PressHeard, Store, StoreOptions};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time of this test")
}

fn id(n: usize) -> UnitId {
    UnitId::parse(&format!("PSH-{n:03}")).expect("valid")
}

fn unit(n: usize) -> UnitRow {
    serde_json::from_value(serde_json::json!({
        "unit": id(n), "name": "", "site": "S", "site_type": "park", "city": "Peshawar", "crew": "saddar",
        "uplink": null, "feeder": null, "model": "", "position": null, "readiness": "ready", "reason": "",
        "since": "2026-10-20T00:00:00.000Z", "last_heard": "2026-11-21T00:00:00.000Z", "open_alerts": 0, "open_orders": 0,
    }))
    .expect("a row")
}

fn became(n: usize, time: &str, from: Readiness, to: Readiness) -> Effect {
    Effect { at: at(time), kind: EffectKind::Readiness { unit: id(n), from, to, reason: Reason::AllClear } }
}

fn press(n: usize, time: &str, seq: u64, is_test: bool) -> PressHeard {
    let line = PressLine { at: at(time), unit: id(n), is_test, answered: Some(true), answer_ms: Some(2_000.0) };
    PressHeard { line, boot: 1, seq }
}

/// Watched from 20 October on; PSH-001 was silent on 20 November from 12:00 to 18:00 in Karachi.
fn store(folder: &std::path::Path) -> Store {
    let mut store = Store::open(folder, StoreOptions::default()).expect("opens");
    let effects: Vec<Effect> = (1..=6)
        .map(|n| became(n, "2026-10-20T00:00:00Z", Readiness::Unproven, Readiness::Ready))
        .chain([
            became(1, "2026-11-20T07:00:00Z", Readiness::Ready, Readiness::Silent),
            became(1, "2026-11-20T13:00:00Z", Readiness::Silent, Readiness::Ready),
        ])
        .collect();
    let presses = [
        press(1, "2026-11-20T05:00:00Z", 1, false),
        press(1, "2026-11-20T05:00:30Z", 1, false), // the same message again
        press(2, "2026-11-20T06:00:00Z", 7, true),
        press(2, "2026-11-21T06:00:00Z", 9, false), // the next day
    ];
    let mut batch = Batch::new(at("2026-11-21T09:00:00Z"));
    effects.iter().for_each(|e| batch.push(e));
    batch.presses = &presses;
    store.commit(batch).expect("commits");
    store
}

fn desk(folder: &std::path::Path) -> Reports {
    let config = ServiceConfig { data: folder.to_owned(), ..ServiceConfig::default() };
    Reports::new(&config)
}

fn daily(until: Option<&str>) -> ReportSpan {
    ReportSpan { period: ReportPeriod::Daily, until: until.map(at), last: false }
}

const NOW: &str = "2026-11-21T09:00:00Z";

#[test]
fn a_day_is_the_whole_day_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, desk) = (store(folder.path()), desk(folder.path()));
    let units: Vec<UnitRow> = (1..=6).map(unit).collect();
    let made = desk.report(&store, &units, &Outlook::default(), at(NOW), daily(None));
    let Ok(Answer::Report(report)) = made else { panic!("{made:?}") };
    // 20 November in Karachi: six days of units less six hours of one.
    assert_eq!((report.from, report.to), (at("2026-11-19T19:00:00Z"), at("2026-11-20T19:00:00Z")));
    let silent = |report: &Report| report.fleet.availability.seconds.of(Readiness::Silent).as_secs() / 3600;
    assert_eq!((silent(&report), report.fleet.availability.seconds.total().as_secs() / 3600), (6, 144));
    assert_eq!((report.presses.real, report.presses.test, report.presses.median_answer_s), (1, 1, Some(2.0)));
    assert_eq!((report.counts_from, report.made_at), (None, at(NOW)));
    // The 24 hours up to now know the press of this morning, and the silence all the same.
    let last = ReportSpan { last: true, ..daily(None) };
    let made = desk.report(&store, &units, &Outlook::default(), at(NOW), last);
    let Ok(Answer::Report(report)) = made else { panic!("{made:?}") };
    assert_eq!((report.from, report.presses.real), (at("2026-11-20T09:00:00Z"), 1));
    assert_eq!(silent(&report), 4, "from 14:00 to 18:00");
    // The day before the watching began in the middle of it: 05:00 on 20 October in Karachi.
    let made = desk.report(&store, &units, &Outlook::default(), at(NOW), daily(Some("2026-10-21T00:00:00Z")));
    let Ok(Answer::Report(report)) = made else { panic!("{made:?}") };
    assert_eq!(report.counts_from, Some(at("2026-10-20T00:00:00Z")));
    assert_eq!(report.fleet.availability.seconds.of(Readiness::Unknown).as_secs() / 3600, 30, "five hours of six");
}

#[test]
fn what_is_not_past_yet_or_kept_no_more_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, desk) = (store(folder.path()), desk(folder.path()));
    for (until, why) in [("2026-11-22T00:00:00Z", "not past yet"), ("2025-01-01T00:00:00Z", "kept for 400 days")] {
        let made = desk.report(&store, &[], &Outlook::default(), at(NOW), daily(Some(until)));
        assert!(matches!(&made, Err(AskError::Invalid(problems)) if problems[0].contains(why)), "{made:?}");
    }
}

/// Were it made anew, the two answers would differ by one button's time.
#[test]
fn an_edition_stays_what_it_was_whoever_joins_or_leaves() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let made = |desk: &Reports, units: usize, now: &str| {
        let units: Vec<UnitRow> = (1..=units).map(unit).collect();
        match desk.public_report(&store, &units, &Outlook::default(), at(now)) {
            Ok(Answer::PublicReport(edition)) => *edition,
            other => panic!("{other:?}"),
        }
    };
    let first_desk = desk(folder.path());
    assert_eq!(first_desk.edition(at(NOW)), None);
    let first = made(&first_desk, 6, NOW);
    // October in Karachi, of which the last twelve days were watched.
    assert_eq!((first.from, first.to), (at("2026-09-30T19:00:00Z"), at("2026-10-31T19:00:00Z")));
    assert_eq!(first.total.as_ref().map(|t| t.units), Some(6));
    assert_eq!(first_desk.edition(at(NOW)).as_ref(), Some(&first), "at hand for the next who asks");
    assert_eq!(made(&first_desk, 5, NOW), first);
    // A restart finds it again.
    assert_eq!(made(&desk(folder.path()), 5, NOW), first);
    // November is over, and its edition is not due for another day.
    assert_eq!(first.next_at, at("2026-12-01T19:00:00Z"));
    let desk = desk(folder.path());
    assert_eq!(made(&desk, 5, "2026-12-01T18:59:59Z"), first);
    let next = made(&desk, 5, "2026-12-01T19:00:00Z");
    assert_eq!((next.from, next.total.map(|t| t.units)), (first.to, Some(5)));
    // The clock is set back: what is out stays out.
    assert_eq!(made(&desk, 6, NOW).from, first.to);
    // Weeks from now on: the first one that lies after November as a whole.
    let config = ServiceConfig { data: folder.path().to_owned(), ..ServiceConfig::default() };
    let report = crate::config::service::Report { public_period: ReportPeriod::Weekly, ..config.report.clone() };
    let weekly = Reports::new(&ServiceConfig { report, ..config });
    assert_eq!(made(&weekly, 6, "2026-12-08T00:00:00Z").from, first.to, "30 November to 6 December begins in it");
    assert_eq!(made(&weekly, 6, "2026-12-15T00:00:00Z").from, at("2026-12-06T19:00:00Z"));
}
