//! The figures of a report, worked out by hand.

use super::*;

fn at(hour: f64) -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000 + (hour * 3_600_000.0) as i64)
}

/// `opened 1 by buttonwatch` …: state and hour.
fn order(id: u32, unit: &str, priority: &str, due: Option<f64>, life: &[(&str, f64)]) -> OrderView {
    let history: Vec<_> = life
        .iter()
        .map(|(state, hour)| serde_json::json!({"at": at(*hour), "state": state, "by": "x", "why": "y"}))
        .collect();
    let closed = life.iter().rfind(|(s, _)| ["closed", "cancelled"].contains(s)).map(|(_, h)| at(*h));
    let (last, _) = life[life.len() - 1];
    serde_json::from_value(serde_json::json!({
        "order": format!("WO-{id:06}"), "unit": unit, "component": "camera", "incident": null, "priority": priority,
        "state": last, "crew": "saddar", "site": "S", "opened_at": at(life[0].1), "due_at": due.map(at),
        "closed_at": closed, "summary": "", "action": "", "parts": [], "suspects": [], "evidence": [], "rules": [],
        "units": [], "relapses": 0, "flapping": false, "history": history,
    }))
    .expect("an order")
}

fn row(unit: &str, seconds: serde_json::Value) -> AvailabilityRow {
    serde_json::from_value(serde_json::json!({
        "unit": unit, "name": unit, "site": "S", "site_type": "park", "city": "Peshawar", "crew": "saddar",
        "uplink": null, "feeder": null, "model": "", "position": null, "readiness": "ready", "reason": "",
        "since": null, "last_heard": null, "open_alerts": 0, "open_orders": 0, "from": at(0.0), "to": at(48.0),
        "available_pct": null, "seconds": seconds,
    }))
    .expect("a row")
}

static NOBODY: BTreeMap<UnitId, Timestamp> = BTreeMap::new();

/// Two days, and nothing in them.
fn material(outlook: &Outlook) -> Material<'_> {
    Material {
        period: ReportPeriod::Daily,
        last: false,
        time_zone: "UTC",
        from: at(0.0),
        to: at(48.0),
        made_at: at(50.0),
        counts_from: None,
        days: &[],
        units: &[],
        orders: &[],
        outlook,
        presses: &[],
        tested_before: &NOBODY,
        presses_since: None,
    }
}

fn drill(unit: &str, selftest: Option<f64>, press: Option<f64>) -> DrillRow {
    DrillRow {
        unit: UnitId::parse(unit).unwrap(),
        all_passed: selftest.is_some(),
        last_selftest: selftest.map(at),
        last_press_test: press.map(at),
        press_every_s: Some(30.0 * 86_400.0),
        in_service_since: Some(at(-800.0)),
        stuck_since: None,
    }
}

fn press(hour: f64, is_test: bool, answered: Option<bool>, answer_ms: Option<f64>) -> PressLine {
    PressLine { at: at(hour), unit: UnitId::parse("A").unwrap(), is_test, answered, answer_ms }
}

#[test]
fn tests_and_drills_are_told_as_they_stood_at_the_end() {
    // The period ends at hour 48; a self-test is good for 36 h, a press test for 720 h; all in service since hour −800.
    let outlook = Outlook {
        selftest_valid_s: 36.0 * 3600.0,
        drills: vec![
            drill("A", Some(20.0), Some(-600.0)), // 28 h and 648 h ago: both good
            drill("B", Some(11.0), None),         // 37 h ago: late since hour 47; never pressed: late since hour −80
            drill("C", Some(49.0), Some(49.0)),   // done after the end: ready at the end, so tested; pressed late
            drill("D", None, Some(-700.0)),       // never tested; pressed 748 h ago: late since hour 20
            DrillRow { stuck_since: Some(at(40.0)), press_every_s: None, ..drill("E", Some(30.0), None) },
        ],
        forecasts: Vec::new(),
    };
    let units = ["A", "B", "C", "D", "E"]
        .map(|unit| UnitPeriod { row: row(unit, serde_json::json!({"ready": 172_800})), at_end: Readiness::Ready });
    let presses = [
        press(1.0, false, Some(true), Some(4_000.0)),
        press(2.0, false, Some(true), Some(9_000.0)),
        press(3.0, false, Some(true), None), // answered, and it does not say how fast
        press(4.0, false, Some(false), None),
        press(5.0, false, None, None),
        press(6.0, true, Some(true), Some(1.0)),
        press(7.0, true, Some(false), None),
        press(48.0, false, Some(true), Some(1.0)), // after the end
    ];
    let report =
        report(&Material { units: &units, presses: &presses, presses_since: Some(at(-5000.0)), ..material(&outlook) });
    let d = &report.fleet.drills;
    assert_eq!((d.tests_valid, d.tests_overdue, d.tests_unknown), (3, 2, 0), "A, C, E; B, D");
    assert_eq!((d.press_done, d.press_overdue, d.press_not_due, d.press_unknown), (1, 3, 0, 0), "A; B, C, D");
    assert_eq!((d.tests_pct(), d.press_pct()), (Some(60.0), Some(25.0)));
    let overdue: Vec<_> = report.overdue.iter().map(|o| (o.unit.as_str(), o.test.as_str(), o.since)).collect();
    assert_eq!(
        overdue,
        [
            ("D", "self-test", None),
            ("B", "press-test", Some(at(-80.0))),
            ("D", "press-test", Some(at(20.0))),
            ("B", "self-test", Some(at(47.0))),
        ],
        "C was pressed since: nobody need go"
    );
    assert_eq!(report.stuck.iter().map(|s| s.unit.as_str()).collect::<Vec<_>>(), ["E"]);
    let p = &report.presses;
    assert_eq!((p.real, p.real_answered, p.real_unanswered, p.real_not_known), (5, 3, 1, 1));
    assert_eq!(p.median_answer_s, Some(6.5), "of 4 s and 9 s");
    assert_eq!((p.test, p.test_unanswered, p.counts_from), (2, 1, None));
}

#[test]
fn a_crews_load_is_counted_by_the_day_of_the_opening() {
    let orders = [
        order(1, "A", "P2", None, &[("opened", -1.0), ("closed", 3.0), ("reopened", 30.0)]),
        order(2, "A", "P2", None, &[("opened", 23.9)]),
        order(3, "B", "P1", None, &[("opened", 24.0)]),
        order(4, "B", "P1", None, &[("opened", 48.0)]),
    ];
    let days = [at(0.0), at(24.0)];
    let report = report(&Material { orders: &orders, days: &days, ..material(&Outlook::default()) });
    let load: Vec<_> = report.load[0].days.iter().map(|d| d.openings).collect();
    assert_eq!((report.load.len(), load), (1, vec![1, 2]), "order 2; orders 1 again and 3");
}

#[test]
fn a_crews_work_is_counted_by_what_happened_in_the_period() {
    let orders = [
        // Opened before: only its end is in the period. Repaired after 5 h, in time.
        order(
            1,
            "A",
            "P2",
            Some(4.0),
            &[("opened", -3.0), ("acknowledged", -1.0), ("repaired", 2.0), ("verified", 3.0), ("closed", 3.0)],
        ),
        // Answered after 1 h, repaired after 4 h, back again, and still open.
        order(
            2,
            "A",
            "P1",
            Some(10.0),
            &[
                ("opened", 6.0),
                ("en-route", 7.0),
                ("repaired", 10.0),
                ("verified", 12.0),
                ("closed", 12.0),
                ("reopened", 40.0),
            ],
        ),
        order(3, "B", "P2", Some(30.0), &[("opened", 8.0), ("closed", 9.0)]),
        order(4, "B", "P4", None, &[("opened", 8.0)]),
        // After the period.
        order(5, "B", "P1", Some(60.0), &[("opened", 50.0)]),
    ];
    let rows = [
        row("A", serde_json::json!({"ready": 90_000, "silent": 54_000, "unknown": 28_800})),
        row("B", serde_json::json!({"ready": 86_400, "unproven": 86_400})),
    ];
    let units = rows.map(|row| UnitPeriod { row, at_end: Readiness::Ready });
    let report = report(&Material { units: &units, orders: &orders, ..material(&Outlook::default()) });
    let w = &report.fleet.work;
    assert_eq!((w.opened, w.reopened, w.verified, w.cleared_by_themselves, w.cancelled, w.open), (3, 1, 2, 1, 0, 2));
    // Due at 4, 10 and 30 h: the second was closed at 12 h, two hours late.
    assert_eq!((w.due, w.overdue), (3, 1));
    assert_eq!(w.mtta_hours, Some(1.0), "order 3 cleared by itself, 4 and the relapse wait");
    assert_eq!(w.mttr_hours, Some((5.0 + 4.0) / 2.0));
    assert_eq!(w.a_day, 2.0);
    // 25 + 15 + 24 h in which a fault would be seen; a P4 order is no failure.
    assert_eq!(report.fleet.mtbf_hours, Some(64.0 / 3.0));
    assert_eq!(report.fleet.proved_pct, Some(100.0 * 64.0 / 88.0));
    assert_eq!(report.crews.len(), 1);
    assert_eq!(report.components[0].name, "camera");
    let offenders: Vec<_> = report.offenders.iter().map(|o| (o.unit.as_str(), o.openings)).collect();
    assert_eq!(offenders, [("A", 2)]);
}

#[test]
fn nothing_in_a_period_is_told_as_nothing() {
    let report = report(&Material { to: at(0.0), ..material(&Outlook::default()) });
    assert_eq!(report.fleet.work, WorkFigures::default());
    assert_eq!((report.fleet.mtbf_hours, report.fleet.proved_pct), (None, None));
    assert!(report.cities.is_empty() && report.offenders.is_empty());
}
