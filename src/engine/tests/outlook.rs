//! What the engine says of the time ahead: which tests are due, and what its trends will pass.

use super::rig::*;
use crate::domain::message::{Body, Outcome, Power, PressKind, Selftest, TestResult};
use crate::domain::outlook::Outlook;
use crate::domain::rule::{Condition, ForecastLimit, MetricRef, OverdueEvent, OverdueFrom, Rule, Side, WEATHER};
use crate::domain::*;

fn outlook(rig: &Rig) -> Outlook {
    rig.engine.prospects().outlook()
}

fn fading(within_days: u64) -> Condition {
    Condition::Forecast {
        metric: Metric::DiskFree,
        side: Side::Below,
        limit: ForecastLimit::Fixed(20.0),
        within: secs(within_days * 86_400),
        watch: WEATHER,
    }
}

/// 90 % and 2 a day less, give or take a little, as anything measured: 20 % is reached 35 days after the first.
fn falling() -> impl Iterator<Item = f64> {
    (0..20).map(|day| 90.0 - 2.0 * f64::from(day) + 0.2 * f64::from(day * 7 % 5 - 2))
}

/// One reading a day from day 0 on.
fn disk(rig: &mut Rig, unit: &str, values: impl Iterator<Item = f64>) {
    for (day, pct) in values.enumerate() {
        let beat = crate::domain::message::Heartbeat { disk_free_pct: Some(pct), ..Default::default() };
        rig.say(day as i64 * DAY, unit, Body::Heartbeat(beat));
    }
}

#[test]
fn a_fall_has_its_date_long_before_its_rule_fires_and_noise_has_none() {
    let mut rules = rules();
    // The rule fires three days before; the report looks as far as the trend carries.
    rules.rules.push(rule("disk-filling", Component::Controller, fading(3)));
    let mut rig = Rig::with(rules);
    disk(&mut rig, "A1", falling());
    let mut steady = Rig::with(rig.engine.rules().clone());
    disk(&mut steady, "A1", (0..20).map(|day| 80.0 + f64::from(day * 7 % 5)));
    assert!(outlook(&steady).forecasts.is_empty());
    let found = outlook(&rig).forecasts;
    assert_eq!(found.len(), 1, "{found:?}");
    let f = &found[0];
    assert_eq!(
        (f.unit.as_str(), f.component, f.rule.as_ref().map(|r| r.as_str())),
        ("A1", Component::Controller, Some("disk-filling"))
    );
    assert_eq!(f.what, "controller.disk_free below 20 %");
    assert!(f.from.starts_with("controller.disk_free 5") && f.from.ends_with(" % a day"), "{}", f.from);
    let off = (f.at.as_millis() - t(35 * DAY).as_millis()).abs() / 1000;
    assert!(off < DAY, "{} is {off} s off", f.at);
    assert!(f.earliest.is_some_and(|e| e <= f.at) && f.latest.is_some_and(|l| l >= f.at));
    assert!(rig.said("disk-filling").is_empty(), "the rule itself is still silent");
}

#[test]
fn what_must_stand_beside_a_forecast_keeps_it_from_the_list() {
    let low = |limit| Condition::Threshold {
        metric: MetricRef::Known(Metric::DiskFree),
        side: Side::Below,
        limit,
        clear: limit,
        consecutive: 1,
    };
    for (limit, listed) in [(60.0, 1), (40.0, 0)] {
        let mut rules = rules();
        rules.rules.push(rule("disk-filling", Component::Controller, Condition::All(vec![fading(3), low(limit)])));
        let mut rig = Rig::with(rules);
        disk(&mut rig, "A1", falling());
        assert_eq!(outlook(&rig).forecasts.len(), listed, "below {limit}");
    }
}

#[test]
fn looking_ahead_changes_nothing() {
    let mut rules = rules();
    rules.rules.push(rule("disk-filling", Component::Controller, fading(3)));
    let mut rig = Rig::with(rules);
    disk(&mut rig, "A1", falling());
    let before = rig.engine.save();
    assert_eq!(outlook(&rig), outlook(&rig));
    let after = rig.engine.save();
    assert_eq!((before.global, before.units), (after.global, after.units));
}

#[test]
fn each_unit_says_when_it_was_tested_and_the_strictest_rule_says_how_often() {
    let mut rules = rules();
    let every = secs(20 * 86_400);
    let stricter = Condition::Overdue { event: OverdueEvent::PressTest, every, from: OverdueFrom::Service };
    let mut only_b = rule("press-often", Component::Button, stricter);
    only_b.only.site = vec!["Site B".to_owned()];
    rules.rules.push(Rule { order: None, ..only_b });
    let mut rig = Rig::with(rules);
    rig.test(100, "A1", Component::Camera, Outcome::Pass);
    rig.press(200, "A1", PressKind::Test);
    rig.press(300, "A1", PressKind::Real);
    rig.test(100, "B1", Component::Camera, Outcome::Fail);
    let stuck = TestResult {
        component: Component::Button,
        result: Outcome::Fail,
        code: None,
        mode: None,
        figures: vec![(Metric::ButtonStuck, 1.0)],
    };
    rig.say(400, "C1", Body::Selftest(Selftest { id: None, trigger: None, results: vec![stuck] }));
    rig.say(500, "C1", Body::Power(Power { battery_v: Some(13.0), ..Power::default() }));
    let drills = outlook(&rig).drills;
    let of = |unit: &str| drills.iter().find(|d| d.unit.as_str() == unit).expect("one a unit");
    assert_eq!(drills.len(), ALL.len());
    let a1 = of("A1");
    assert_eq!((a1.all_passed, a1.last_selftest, a1.last_press_test), (true, Some(t(100)), Some(t(200))));
    assert_eq!((a1.press_every_s, a1.in_service_since, a1.stuck_since), (Some(30.0 * 86_400.0), Some(t(100)), None));
    let b1 = of("B1");
    assert_eq!((b1.all_passed, b1.press_every_s, b1.last_press_test), (false, Some(20.0 * 86_400.0), None));
    assert_eq!(of("C1").stuck_since, Some(t(400)));
    assert_eq!((of("C2").last_selftest, of("C2").in_service_since), (None, None));
}
