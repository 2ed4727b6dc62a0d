//! Golden tests: a week's report and a month's edition for the public, as pages, as tables and as rows.

use serde_json::{Value, json};

use super::*;
use crate::domain::public_report::PublicReport;
use crate::render::public_page;
use crate::render::table::{self, Look, PublicLine, ReportLine, csv};

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time of this test")
}

fn work(opened: usize, overdue: usize, mttr: Option<f64>) -> Value {
    json!({
        "opened": opened, "reopened": opened / 7, "verified": opened.saturating_sub(2), "cleared_by_themselves": opened / 5,
        "cancelled": 0, "open": 2, "due": opened, "overdue": overdue, "mtta_hours": mttr.map(|h| h / 6.0),
        "mttr_hours": mttr, "a_day": opened as f64 / 7.0,
    })
}

fn group(name: &str, units: usize, pct: Option<f64>, work: Value) -> Value {
    let seconds = pct.map_or(
        json!({"unknown": 604_800}),
        |pct| json!({"ready": 6_000.0 * pct, "silent": 6_000.0 * (100.0 - pct), "unknown": 4_800}),
    );
    let mut group = json!({
        "name": name, "units": units, "available_pct": pct, "seconds": seconds, "proved_pct": pct.map(|p| p - 0.5),
        "mtbf_hours": pct.map(|_| 214.0),
        "drills": {"tests_valid": units - units / 20, "tests_overdue": units / 20, "tests_unknown": 0,
                   "press_done": units - units / 10, "press_not_due": units / 30, "press_overdue": units / 10,
                   "press_unknown": units / 40},
    });
    group.as_object_mut().unwrap().extend(work.as_object().unwrap().clone());
    group
}

fn component(name: &str, work: Value) -> Value {
    let mut component = json!({ "name": name });
    component.as_object_mut().unwrap().extend(work.as_object().unwrap().clone());
    component
}

fn report() -> Report {
    let day = |n: u64| time("2026-11-15T19:00:00Z") + std::time::Duration::from_secs(n * 86_400);
    let load = |crew: &str, counts: [usize; 7]| {
        let days: Vec<_> =
            (0..).zip(counts).map(|(n, openings)| json!({"from": day(n), "openings": openings})).collect();
        json!({"crew": crew, "days": days})
    };
    let value = json!({
        "period": "weekly", "last": false, "time_zone": "Asia/Karachi", "from": day(0), "to": day(7),
        "made_at": "2026-11-23T01:00:00.000Z", "counts_from": "2026-11-16T04:30:00.000Z",
        "fleet": group("fleet", 68, Some(98.73), work(31, 4, Some(7.4))),
        "cities": [group("Mardan", 8, Some(91.2), work(6, 2, Some(20.5))),
                   group("Peshawar", 60, Some(99.996), work(25, 2, Some(5.1)))],
        "site_types": [group("", 1, None, work(0, 0, None)), group("bus terminal", 12, Some(97.0), work(9, 1, Some(4.0))),
                       group("girls' college & <school>", 55, Some(99.2), work(22, 3, Some(8.2)))],
        "crews": [group("city-north", 41, Some(99.1), work(18, 1, Some(5.2))),
                  group("صدر", 27, Some(98.0), work(13, 3, Some(11.0))),
                  group("network", 0, None, work(2, 0, Some(0.6)))],
        "components": [component("battery", work(14, 3, Some(20.0))), component("camera", work(9, 1, Some(6.0)))],
        "offenders": [{"unit": "PSH-014", "openings": 4, "components": ["battery", "charger"]}],
        "presses": {"counts_from": null, "real": 12, "real_answered": 10, "real_unanswered": 1, "real_not_known": 1,
                    "median_answer_s": 4.24, "test": 21, "test_unanswered": 1},
        "overdue": [
            {"unit": "MRD-003", "name": "Mardan bus terminal, gate 2", "site": "Terminal", "crew": "city-north",
             "test": "self-test", "since": null},
            {"unit": "PSH-021", "name": "قصہ خوانی بازار", "site": "Qissa Khwani", "crew": "صدر",
             "test": "press-test", "since": "2026-11-02T10:00:00.000Z"},
        ],
        "stuck": [{"unit": "PSH-033", "name": "Jinnah Park <b>", "site": "Jinnah Park", "crew": "city-north",
                   "since": "2026-11-22T20:15:00.000Z"}],
        "forecasts": [
            {"unit": "PSH-007", "component": "battery", "rule": null, "what": "battery empty before the mains are back",
             "at": "2026-11-23T02:10:00.000Z", "earliest": null, "latest": null, "confidence_pct": null,
             "from": "battery.runtime 1.17 h, battery.margin -0.83 h", "order": null},
            {"unit": "PSH-014", "component": "camera", "rule": "lens-needs-cleaning",
             "what": "camera.sharpness below 40 % of what it was when new", "at": "2026-12-02T09:00:00.000Z",
             "earliest": "2026-11-28T09:00:00.000Z", "latest": "2026-12-09T09:00:00.000Z", "confidence_pct": 93,
             "from": "camera.sharpness 58.2 % now, -1.94 % a day", "order": "WO-000042"},
        ],
        "load": [load("city-north", [2, 3, 1, 0, 4, 7, 1]), load("صدر", [1, 0, 2, 160, 0, 3, 1])],
    });
    serde_json::from_value(value).expect("a report")
}

fn public_report() -> PublicReport {
    let group = |name: &str, units: usize, available: Option<f64>, repair: Option<f64>| {
        json!({
            "name": name, "is_rest": name == "other", "units": units, "available_pct": available, "unknown_pct": 0.4,
            "proved_pct": 95.5, "drills_pct": available.map(|_| 88.2), "median_repair_hours": repair,
        })
    };
    let value = json!({
        "period": "monthly", "from": "2026-09-30T19:00:00.000Z", "to": "2026-10-31T19:00:00.000Z",
        "counts_from": null, "next_at": "2026-12-01T19:00:00.000Z", "time_zone": "Asia/Karachi", "smallest_group": 5,
        "total": group("all", 68, Some(98.7), Some(5.5)),
        "cities": [group("Peshawar & <Saddar>", 53, Some(99.1), Some(4.8)), group("other", 15, Some(97.2), None)],
        "site_types": [group("market", 40, Some(99.0), Some(5.0)), group("other", 28, None, None)],
        "method": ["No figure is about fewer than 5 buttons.", "Available: the time in which a press would have been answered."],
    });
    serde_json::from_value(value).expect("an edition")
}

fn karachi() -> Tz {
    chrono_tz::Asia::Karachi
}

#[test]
fn a_week_as_a_page() {
    insta::assert_snapshot!("week.html", page(&report(), karachi()));
}

#[test]
fn a_week_as_tables_and_as_rows() {
    let look = Look::plain(report().made_at);
    let text = table::report(&report(), &look);
    assert!(text.lines().all(|l| table::width(l) <= 80), "{text}");
    insta::assert_snapshot!("week", text);
    insta::assert_snapshot!("week.csv", csv(&ReportLine::of(&report())));
}

#[test]
fn a_public_edition_as_a_page_as_tables_and_as_rows() {
    insta::assert_snapshot!("public.html", public_page::page(&public_report()));
    insta::assert_snapshot!("public", table::public_report(&public_report(), &Look::plain(public_report().to)));
    insta::assert_snapshot!("public.csv", csv(&PublicLine::of(&public_report())));
}

#[test]
fn a_page_can_be_mailed_it_has_one_column_and_nothing_that_acts_or_fetches() {
    for page in [page(&report(), karachi()), public_page::page(&public_report())] {
        for banned in ["<script", "<style", "<svg", "<img", "class=", "http:", "https:", "url("] {
            assert!(!page.contains(banned), "{banned} in {page}");
        }
        assert!(page.contains("max-width:640px"));
        assert!(!page.contains("<school>") && !page.contains("Park <b>") && !page.contains("<Saddar>"), "escaped");
    }
}

#[test]
fn a_title_names_the_period_by_the_services_own_days() {
    let week = report();
    let cases = [
        (ReportPeriod::Daily, false, "2026-11-20T19:00:00Z", "2026-11-21T19:00:00Z", "Sat 21 Nov 2026"),
        (ReportPeriod::Weekly, false, "2026-11-15T19:00:00Z", "2026-11-22T19:00:00Z", "week of 16 to 22 Nov 2026"),
        (ReportPeriod::Weekly, false, "2026-11-29T19:00:00Z", "2026-12-06T19:00:00Z", "week of 30 Nov to 6 Dec 2026"),
        (
            ReportPeriod::Weekly,
            false,
            "2026-12-27T19:00:00Z",
            "2027-01-03T19:00:00Z",
            "week of 28 Dec 2026 to 3 Jan 2027",
        ),
        (ReportPeriod::Monthly, false, "2026-09-30T19:00:00Z", "2026-10-31T19:00:00Z", "October 2026"),
        (ReportPeriod::Monthly, true, "2026-09-30T19:00:00Z", "2026-10-30T19:00:00Z", "the last 30 days"),
    ];
    for (period, last, from, to, said) in cases {
        let report = Report { period, last, from: time(from), to: time(to), ..week.clone() };
        assert_eq!(title(&report), format!("Buttonwatch: {said}"));
    }
}

#[test]
fn a_report_of_nothing_is_a_page_too() {
    let nothing = Report {
        cities: Vec::new(),
        site_types: Vec::new(),
        crews: Vec::new(),
        components: Vec::new(),
        offenders: Vec::new(),
        overdue: Vec::new(),
        stuck: Vec::new(),
        forecasts: Vec::new(),
        load: Vec::new(),
        ..report()
    };
    let page = page(&nothing, karachi());
    assert!(page.contains("No reading is on its way") && !page.contains("Orders a day"), "{page}");
    assert!(table::report(&nothing, &Look::plain(nothing.to)).contains("SELF-TESTS"));
}
