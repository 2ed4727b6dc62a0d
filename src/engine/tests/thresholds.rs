use super::rig::*;
use crate::domain::message::{Outcome, PressKind};
use crate::domain::{Component, Readiness};

/// Others beat along so that the unit under test is all that happens.
fn run(mut act: impl FnMut(&mut Rig)) -> String {
    let mut r = Rig::new();
    act(&mut r);
    r.said("A1")
}

#[test]
fn a_low_battery_fires_after_it_was_low_for_long_enough() {
    let said = run(|r| {
        for at in (0..600).step_by(60) {
            r.battery(at, "A1", 11.4);
        }
    });
    assert!(said.contains("0s alert A1 battery-low pending\n300s alert A1 battery-low firing"), "{said}");
    assert_eq!(said.matches("order 1 A1 battery P2 saddar opened").count(), 1, "{said}");
}

#[test]
fn a_short_dip_fires_nothing() {
    let said = run(|r| {
        r.battery(0, "A1", 11.4);
        r.battery(60, "A1", 12.5);
        r.battery(120, "A1", 12.5);
        r.to(200);
    });
    assert!(said.contains("0s alert A1 battery-low pending") && said.contains("60s alert A1 battery-low resolved"));
    assert!(!said.contains("firing"), "{said}");
}

#[test]
fn between_the_limits_an_alert_neither_begins_nor_ends() {
    let said = run(|r| {
        for at in (0..360).step_by(60) {
            r.battery(at, "A1", 11.4);
        }
        for at in (360..7200).step_by(60) {
            r.battery(at, "A1", 11.9);
        }
    });
    assert!(said.contains("firing") && !said.contains("resolved"), "{said}");
}

#[test]
fn recovery_must_last_too() {
    let said = run(|r| {
        for at in (0..360).step_by(60) {
            r.battery(at, "A1", 11.4);
        }
        for at in (360..2000).step_by(60) {
            r.battery(at, "A1", 12.6);
        }
    });
    assert!(said.contains("960s alert A1 battery-low resolved\n960s order 1 A1 battery P2 saddar closed"), "{said}");
}

#[test]
fn absence_of_data_is_no_recovery() {
    let mut r = Rig::new();
    for at in (0..360).step_by(60) {
        r.battery(at, "A1", 11.4);
    }
    for at in (360..20_000).step_by(30) {
        r.beat(at, "A1");
    }
    assert!(!r.said("battery-low").contains("resolved"));
}

#[test]
fn three_failed_tests_in_a_row_count_and_inconclusive_ones_do_not() {
    use Outcome::{Fail, Inconclusive, Pass};
    let fires = |results: &[Outcome]| {
        run(|r| {
            for (i, result) in results.iter().enumerate() {
                r.test(i as i64 * 60, "A1", Component::Camera, *result);
            }
        })
        .contains("camera-failed firing")
    };
    assert!(fires(&[Fail, Fail, Fail]));
    assert!(fires(&[Fail, Inconclusive, Fail, Fail]));
    assert!(!fires(&[Fail, Fail, Pass, Fail]));
    assert!(!fires(&[Fail, Inconclusive, Inconclusive, Inconclusive]));
}

#[test]
fn a_unit_is_ready_once_its_tests_have_passed() {
    let mut r = Rig::new();
    r.beat(0, "A1");
    assert_eq!(r.engine.unit_rows()[0].readiness, Readiness::Unproven);
    r.test(10, "A1", Component::Camera, Outcome::Pass);
    assert_eq!(r.said("A1"), "10s A1 unproven -> ready");
    r.test(20, "A1", Component::Microphone, Outcome::Fail);
    assert_eq!(r.said("A1"), "20s A1 ready -> unproven");
}

#[test]
fn a_passed_test_proves_nothing_after_a_day_and_a_half() {
    let mut r = Rig::new();
    r.test(0, "A1", Component::Camera, Outcome::Pass);
    r.beats(&["A1"], 30, 2 * DAY);
    assert!(r.said("A1").contains("129600s A1 ready -> unproven"));
}

#[test]
fn three_boots_in_an_hour_are_a_loop_and_two_are_not() {
    let boots = |times: &[i64]| {
        run(|r| {
            r.beat(0, "A1");
            for at in times {
                r.boot += 1;
                r.beat(*at, "A1");
            }
            r.to(8000);
        })
    };
    let said = boots(&[600, 1200, 1800]);
    assert!(said.contains("1800s alert A1 reboot-loop firing"), "{said}");
    assert!(said.contains("4200s alert A1 reboot-loop resolved"), "{said}");
    assert!(!boots(&[600, 1200]).contains("reboot-loop"));
    assert!(!boots(&[600, 2400, 4300]).contains("reboot-loop"));
}

#[test]
fn a_press_test_is_due_thirty_days_after_the_last() {
    let mut r = Rig::new();
    r.press(0, "A1", PressKind::Test);
    for at in (0..65 * DAY).step_by(6 * 3600) {
        r.beat(at, "A1");
        if at == 40 * DAY {
            r.press(at, "A1", PressKind::Real);
            r.press(at, "A1", PressKind::Test);
        }
    }
    let said = r.said("press-test-overdue");
    assert_eq!(
        said,
        format!("{}s alert A1 press-test-overdue firing\n{}s alert A1 press-test-overdue resolved", 30 * DAY, 40 * DAY)
    );
}

#[test]
fn a_late_reading_overwrites_nothing_and_judges_nothing() {
    use crate::domain::message::{Body, Power};
    let mut r = Rig::new();
    r.battery(0, "A1", 12.6);
    r.battery(3600, "A1", 12.6);
    for i in 0..20 {
        r.say_at(3601, 60 + i * 60, "A1", Body::Power(Power { battery_v: Some(11.0), ..Power::default() }));
    }
    r.battery(3660, "A1", 12.5);
    r.to(5000);
    assert!(!r.said("").contains("battery-low"));
    let card = r.engine.unit_card(&crate::domain::UnitId::parse("A1").expect("valid")).expect("known");
    assert_eq!(card.readings.iter().find(|x| x.metric == "battery.voltage").map(|x| x.value), Some(12.5));
}
