//! The public's figures by hand, and what nobody can work out of them.

use proptest::prelude::*;

use super::super::outlook::{DrillRow, Outlook};
use super::super::report::UnitPeriod;
use super::super::view::OrderView;
use super::*;

fn at(hour: f64) -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000 + (hour * 3_600_000.0) as i64)
}

fn unit(n: usize, city: &str, site_type: &str, seconds: serde_json::Value, at_end: Readiness) -> UnitPeriod {
    let row = serde_json::from_value(serde_json::json!({
        "unit": format!("U{n}"), "name": "", "site": "S", "site_type": site_type, "city": city, "crew": "c",
        "uplink": null, "feeder": null, "model": "", "position": null, "readiness": "ready", "reason": "",
        "since": null, "last_heard": null, "open_alerts": 0, "open_orders": 0, "from": at(0.0), "to": at(100.0),
        "available_pct": null, "seconds": seconds,
    }));
    UnitPeriod { row: row.expect("a row"), at_end }
}

/// Pressed at this hour; a test press is good for 50 h.
fn drill(n: usize, pressed: Option<f64>) -> DrillRow {
    DrillRow {
        unit: UnitId::parse(&format!("U{n}")).unwrap(),
        all_passed: true,
        last_selftest: Some(at(99.0)),
        last_press_test: pressed.map(at),
        press_every_s: Some(50.0 * 3600.0),
        in_service_since: Some(at(-100.0)),
        stuck_since: None,
    }
}

fn repaired(n: usize, opened: f64, repaired: f64) -> OrderView {
    let life = [("opened", opened), ("repaired", repaired), ("verified", repaired + 1.0), ("closed", repaired + 1.0)];
    let history: Vec<_> = life
        .iter()
        .map(|(state, hour)| serde_json::json!({"at": at(*hour), "state": state, "by": "x", "why": "y"}))
        .collect();
    serde_json::from_value(serde_json::json!({
        "order": format!("WO-{n:06}"), "unit": format!("U{n}"), "component": "camera", "incident": null,
        "priority": "P2", "state": "closed", "crew": "c", "site": "S", "opened_at": at(opened), "due_at": null,
        "closed_at": at(repaired + 1.0), "summary": "", "action": "", "parts": [], "suspects": [], "evidence": [],
        "rules": [], "units": [], "relapses": 0, "flapping": false, "history": history,
    }))
    .expect("an order")
}

fn made(units: &[UnitPeriod], drills: Vec<DrillRow>, orders: &[OrderView], least: usize) -> PublicReport {
    counted_from(None, units, drills, orders, least)
}

fn counted_from(
    counts_from: Option<Timestamp>,
    units: &[UnitPeriod],
    drills: Vec<DrillRow>,
    orders: &[OrderView],
    least: usize,
) -> PublicReport {
    let outlook = Outlook { selftest_valid_s: 129_600.0, drills, forecasts: Vec::new() };
    let material = Material {
        period: ReportPeriod::Monthly,
        last: false,
        time_zone: "UTC",
        from: at(0.0),
        to: at(100.0),
        made_at: at(124.0),
        counts_from,
        days: &[],
        units,
        orders,
        outlook: &outlook,
        presses: &[],
        tested_before: &BTreeMap::new(),
        presses_since: None,
    };
    public_report(&material, PublicRules { smallest_group: least, next_at: at(200.0) })
}

#[test]
fn groups_are_told_and_small_ones_together() {
    // Five in Peshawar, three in Mardan, two in Swat; markets but for one park in Mardan.
    // Peshawar: U0 was silent for 10 h of 100 h, of U1 nothing was known for 50 h.
    let place =
        ["Peshawar", "Peshawar", "Peshawar", "Peshawar", "Peshawar", "Mardan", "Mardan", "Mardan", "Swat", "Swat"];
    let units: Vec<UnitPeriod> = (0..10)
        .map(|n| {
            let seconds = match n {
                0 => serde_json::json!({"ready": 324_000, "silent": 36_000}),
                1 => serde_json::json!({"ready": 180_000, "unknown": 180_000}),
                _ => serde_json::json!({"ready": 360_000}),
            };
            let at_end = if n == 0 { Readiness::Silent } else { Readiness::Ready };
            unit(n, place[n], if n == 7 { "park" } else { "market" }, seconds, at_end)
        })
        .collect();
    // At hour 100 a press of hour 60 is good; one of hour 40 is late; U9 was never pressed.
    let drills =
        (0..10).map(|n| drill(n, [Some(60.0), Some(40.0), None][usize::from(n == 1) + 2 * usize::from(n == 9)]));
    // Repairs of 1, 2, 3, 4 and 10 h in Peshawar; only one elsewhere.
    let orders: Vec<OrderView> =
        [1.0, 2.0, 3.0, 4.0, 10.0, 7.0].iter().enumerate().map(|(n, took)| repaired(n, 20.0, 20.0 + took)).collect();
    let report = made(&units, drills.collect(), &orders, 5);
    let total = report.total.as_ref().expect("ten buttons");
    // 940 h of 950 h known; 50 h of 1,000 h not known; not proved: U0 silent, U1 and U9 not pressed.
    assert_eq!(
        (total.units, total.available_pct, total.unknown_pct, total.proved_pct, total.drills_pct),
        (10, Some(98.9), Some(5.0), Some(70.0), Some(80.0))
    );
    assert_eq!(total.median_repair_hours, Some(3.5), "of 1, 2, 3, 4, 7 and 10 h");
    let cities: Vec<_> = report.cities.iter().map(|g| (g.name.as_str(), g.is_rest, g.units)).collect();
    assert_eq!(cities, [("Peshawar", false, 5), ("other", true, 5)], "Mardan and Swat hide each other");
    let peshawar = &report.cities[0];
    assert_eq!(
        (peshawar.available_pct, peshawar.unknown_pct, peshawar.proved_pct, peshawar.drills_pct),
        // 440 of 450 h; 50 of 500 h; three of five; four of five.
        (Some(97.7), Some(10.0), Some(60.0), Some(80.0))
    );
    assert_eq!(peshawar.median_repair_hours, Some(3.0));
    assert_eq!(report.cities[1].median_repair_hours, None, "one repair is one button's");
    assert!(report.site_types.is_empty(), "markets beside the total would tell of the park");
    assert!(report.method.iter().any(|line| line.contains("fewer than 5 buttons")));
}

#[test]
fn a_figure_that_few_have_a_part_in_is_left_out_with_what_would_give_it_away() {
    // 6 and 6 buttons; of the second six only two were ever known: neither their figure nor the difference is told.
    let units: Vec<UnitPeriod> = (0..12)
        .map(|n| {
            let seconds =
                if n < 8 { serde_json::json!({"ready": 1_000}) } else { serde_json::json!({"unknown": 1_000}) };
            unit(n, if n < 6 { "Peshawar" } else { "Swat" }, "market", seconds, Readiness::Ready)
        })
        .collect();
    let report = made(&units, Vec::new(), &[], 5);
    assert_eq!(report.total.as_ref().and_then(|t| t.available_pct), Some(100.0), "of eight");
    let told: Vec<_> = report.cities.iter().map(|g| (g.units, g.available_pct, g.unknown_pct)).collect();
    assert_eq!(told, [(6, None, Some(0.0)), (6, None, Some(66.6))]);
}

#[test]
fn a_fleet_that_is_too_small_is_not_told_at_all() {
    let units: Vec<_> =
        (0..4).map(|n| unit(n, "Swat", "park", serde_json::json!({"ready": 10}), Readiness::Ready)).collect();
    let report = made(&units, Vec::new(), &[], 5);
    assert!(report.total.is_none() && report.cities.is_empty() && report.site_types.is_empty());
    let text = serde_json::to_string(&made(&units[..0], Vec::new(), &[], 5)).unwrap();
    assert!(text.contains(r#""total":null"#));
}

#[test]
fn of_a_period_in_which_nobody_watched_nothing_is_said_and_not_that_nothing_worked() {
    let unknown = || serde_json::json!({"unknown": 360_000});
    let units: Vec<_> = (0..6).map(|n| unit(n, "Swat", "park", unknown(), Readiness::Unknown)).collect();
    let drills = || (0..6).map(|n| drill(n, None)).collect();
    let total = |from| counted_from(from, &units, drills(), &[], 5).total.expect("six buttons");
    let told = |total: PublicGroup| (total.available_pct, total.unknown_pct, total.proved_pct, total.drills_pct);
    assert_eq!(told(total(Some(at(110.0)))), (None, Some(100.0), None, None));
    assert_eq!(told(total(Some(at(90.0)))), (None, Some(100.0), Some(0.0), Some(0.0)), "watched, and nothing proved");
}

#[test]
fn nearly_all_is_not_all() {
    assert_eq!([99.99, 100.0, 0.05, 66.666].map(rounded_down), [99.9, 100.0, 0.0, 66.6]);
}

proptest! {
    /// Of any cut: no group, and not what is left of the total, is about a few. The same of each figure.
    #[test]
    fn no_cell_and_no_rest_is_about_a_few(
        places in proptest::collection::vec((0usize..5, 0usize..4, any::<bool>(), 0usize..3), 0..50), least in 3usize..7
    ) {
        let (city, kind) = (|c: usize| format!("c{c}"), |k: usize| format!("t{k}"));
        let units: Vec<_> = places.iter().enumerate().map(|(n, (c, k, known, _))| {
            let seconds = if *known { serde_json::json!({"ready": 10}) } else { serde_json::json!({"unknown": 10}) };
            unit(n, &city(*c), &kind(*k), seconds, Readiness::Ready)
        }).collect();
        // Pressed in time, late, or not asked for.
        let drills = places.iter().enumerate().filter(|(_, p)| p.3 < 2);
        let drills = drills.map(|(n, p)| drill(n, Some(if p.3 == 0 { 60.0 } else { 10.0 }))).collect();
        let report = made(&units, drills, &[], least);
        let few = |n: usize| 0 < n && n < least;
        let Some(total) = &report.total else {
            prop_assert!(units.len() < least);
            prop_assert!(report.cities.is_empty() && report.site_types.is_empty());
            return Ok(());
        };
        prop_assert_eq!(total.units, places.len());
        type Place = (usize, usize, bool, usize);
        for (groups, name) in [
            (&report.cities, &(|p: &Place| city(p.0)) as &dyn Fn(&Place) -> String),
            (&report.site_types, &|p: &Place| kind(p.1)),
        ] {
            if groups.is_empty() {
                continue;
            }
            let named: Vec<&str> = groups.iter().filter(|g| !g.is_rest).map(|g| g.name.as_str()).collect();
            let inside = |group: &PublicGroup, p: &Place| match group.is_rest {
                true => !named.contains(&name(p).as_str()),
                false => name(p) == group.name,
            };
            let (mut known_left, mut drilled_left) = (0, 0);
            for group in groups.iter() {
                let members: Vec<&Place> = places.iter().filter(|p| inside(group, p)).collect();
                prop_assert_eq!(group.units, members.len());
                prop_assert!(group.units >= least);
                let known = members.iter().filter(|p| p.2).count();
                let drilled = members.iter().filter(|p| p.3 < 2).count();
                if group.available_pct.is_some() {
                    prop_assert!(known >= least);
                } else {
                    known_left += known;
                }
                if group.drills_pct.is_some() {
                    prop_assert!(drilled >= least);
                } else {
                    drilled_left += drilled;
                }
            }
            prop_assert_eq!(groups.iter().map(|g| g.units).sum::<usize>(), total.units);
            // The total less what is shown; without a total there is nothing to take it from.
            prop_assert!(total.available_pct.is_none() || !few(known_left), "{:?}", report);
            prop_assert!(total.drills_pct.is_none() || !few(drilled_left), "{:?}", report);
        }
    }
}
