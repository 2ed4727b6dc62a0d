use super::rig::*;
use crate::domain::event::{Action, Event, MaintenanceScope};
use crate::domain::message::Outcome;
use crate::domain::{Component, OrderMove, UnitId};

fn failed_camera() -> Rig {
    let mut r = Rig::new();
    r.test(0, "A1", Component::Camera, Outcome::Pass);
    for at in [60, 120, 180] {
        r.test(at, "A1", Component::Camera, Outcome::Fail);
    }
    assert!(r.said("order ").contains("180s order 1 A1 camera P2 saddar opened"));
    r
}

fn keep_alive(r: &mut Rig, from: i64, until: i64) {
    r.beats(&["A1"], from, until);
    r.to(until);
}

#[test]
fn an_order_closes_only_when_its_test_passed_after_the_repair_and_held() {
    let mut r = failed_camera();
    r.set(200, 1, OrderMove::Acknowledged);
    r.set(210, 1, OrderMove::EnRoute);
    r.set(220, 1, OrderMove::Repaired);
    assert!(r.said("command").contains("220s command A1 selftest [Camera]"));
    r.test(240, "A1", Component::Camera, Outcome::Pass);
    keep_alive(&mut r, 270, 240 + 2 * HOUR + 60);
    let said = r.said("order");
    let closed = 240 + 2 * HOUR;
    assert_eq!(
        said,
        format!(
            "{closed}s order 1 A1 camera P2 saddar verified\n{closed}s order 1 A1 camera P2 saddar closed\n\
             {closed}s mail order-closed to saddar"
        )
    );
}

#[test]
fn without_a_test_after_the_repair_it_stays_open() {
    let mut r = failed_camera();
    r.set(220, 1, OrderMove::Repaired);
    keep_alive(&mut r, 240, DAY);
    assert!(!r.said("").contains("closed"));
}

#[test]
fn a_test_that_fails_after_the_repair_keeps_it_open() {
    let mut r = failed_camera();
    r.set(220, 1, OrderMove::Repaired);
    r.test(240, "A1", Component::Camera, Outcome::Fail);
    keep_alive(&mut r, 270, DAY);
    let said = r.said("order 1");
    assert!(said.contains("240s order 1 A1 camera P2 saddar reopened") && !said.contains("closed"), "{said}");
}

#[test]
fn a_test_in_the_very_moment_of_the_repair_counts() {
    let mut r = failed_camera();
    r.set(220, 1, OrderMove::Repaired);
    r.test(220, "A1", Component::Camera, Outcome::Pass);
    keep_alive(&mut r, 240, 3 * HOUR);
    assert!(r.said("order 1").contains("camera P2 saddar closed"));
}

#[test]
fn the_answer_to_a_repair_counts_though_the_units_clock_is_behind() {
    let mut r = failed_camera();
    r.set(220, 1, OrderMove::Repaired);
    // By the unit's clock both were tested before the repair. The second answers what was asked after it.
    r.answer(225, 185, "A1", "cmd-1", Component::Camera, Outcome::Pass);
    r.answer(230, 190, "A1", "WO-000001-2", Component::Camera, Outcome::Pass);
    keep_alive(&mut r, 240, 3 * HOUR);
    let closed = 225 + 2 * HOUR;
    assert!(r.said("order 1").contains(&format!("{closed}s order 1 A1 camera P2 saddar closed")));

    let mut r = failed_camera();
    r.set(220, 1, OrderMove::Repaired);
    r.answer(230, 190, "A1", "WO-000001-2", Component::Camera, Outcome::Fail);
    assert!(r.said("order 1").contains("230s order 1 A1 camera P2 saddar reopened"));
}

#[test]
fn a_clock_that_is_always_behind_hides_no_test_after_the_repair() {
    for (heard, counts) in [(230, true), (221, false)] {
        let mut r = Rig::new();
        r.test_at(0, -30, "A1", Component::Camera, Outcome::Pass);
        for at in [60, 120, 180] {
            r.test_at(at, at - 30, "A1", Component::Camera, Outcome::Fail);
        }
        r.set(220, 1, OrderMove::Repaired);
        // Made 5 s before it was heard, and it does not say which command it answers.
        r.test_at(heard, heard - 30 - 5, "A1", Component::Camera, Outcome::Pass);
        keep_alive(&mut r, 240, 3 * HOUR);
        assert_eq!(r.said("order 1").contains("closed"), counts, "heard at {heard} s");
    }
}

#[test]
fn what_was_tested_before_the_repair_says_nothing_of_it() {
    for command in ["cmd-1", "WO-000001-1", "WO-000002-2"] {
        let mut r = failed_camera();
        r.set(220, 1, OrderMove::Repaired);
        r.answer(225, 215, "A1", command, Component::Camera, Outcome::Pass);
        keep_alive(&mut r, 240, 3 * HOUR);
        assert!(!r.said("order 1").contains("closed"), "{command}");
    }
}

#[test]
fn a_relapse_within_seven_days_reopens_the_same_order_and_counts() {
    let mut r = failed_camera();
    r.set(220, 1, OrderMove::Repaired);
    r.test(240, "A1", Component::Camera, Outcome::Pass);
    keep_alive(&mut r, 270, 2 * DAY);
    for at in [1, 2, 3] {
        r.test(2 * DAY + at * 60, "A1", Component::Camera, Outcome::Fail);
    }
    let said = r.said("order ");
    assert!(said.contains("order 1 A1 camera P2 saddar reopened") && !said.contains("order 2"), "{said}");
    assert_eq!(r.engine.order(crate::domain::OrderId::new(1)).expect("open").relapses, 1);
}

#[test]
fn a_fault_that_ends_before_anyone_acknowledged_closes_its_order() {
    let mut r = failed_camera();
    r.test(240, "A1", Component::Camera, Outcome::Pass);
    assert!(r.said("order 1").contains("240s order 1 A1 camera P2 saddar closed"));
}

#[test]
fn a_fault_that_ends_after_acknowledgement_waits_for_the_crews_word() {
    let mut r = failed_camera();
    r.set(200, 1, OrderMove::Acknowledged);
    r.test(240, "A1", Component::Camera, Outcome::Pass);
    keep_alive(&mut r, 270, DAY);
    assert!(!r.said("order 1").contains("closed"));
    r.set(DAY, 1, OrderMove::Repaired);
    r.test(DAY + 60, "A1", Component::Camera, Outcome::Pass);
    keep_alive(&mut r, DAY + 60, DAY + 3 * HOUR);
    assert!(r.said("order 1").contains(&format!("{}s order 1 A1 camera P2 saddar closed", DAY + 2 * HOUR)));
}

#[test]
fn moves_that_make_no_sense_are_refused_with_the_reason() {
    let mut r = failed_camera();
    r.set(200, 9, OrderMove::Acknowledged);
    assert_eq!(
        r.said("refused"),
        "200s refused: there is no open order WO-000009; `orders list` shows those there are"
    );
    r.set(210, 1, OrderMove::Cancelled);
    r.said("");
    r.set(220, 1, OrderMove::Repaired);
    assert_eq!(r.said(""), "220s refused: WO-000001 is cancelled: it cannot become repaired");
}

#[test]
fn maintenance_holds_orders_back_and_what_is_still_wrong_is_ordered_once() {
    let mut r = Rig::new();
    r.test(0, "A1", Component::Camera, Outcome::Pass);
    let scope = MaintenanceScope::Unit(UnitId::parse("A1").expect("valid"));
    let action = Action::Maintenance { scope, until: t(1000) };
    r.event(10, Event::Do { action, by: "operator".into() });
    assert_eq!(r.said("A1"), "0s A1 unproven -> ready\n10s A1 ready -> maintenance");
    for at in [60, 120, 180, 240] {
        r.test(at, "A1", Component::Camera, Outcome::Fail);
    }
    r.beats(&["A1"], 270, 2000);
    assert_eq!(r.said("order "), "1000s order 1 A1 camera P2 saddar opened");
}

#[test]
fn every_mail_of_an_order_is_one_thread() {
    let mut r = failed_camera();
    let mut ids = Vec::new();
    let mut parents = Vec::new();
    let mut e = |effects: Vec<crate::domain::Effect>| {
        for effect in effects {
            if let crate::domain::EffectKind::Mail(n) = effect.kind {
                ids.push(n.message_id);
                parents.push(n.in_reply_to);
            }
        }
    };
    let action = |to| Action::SetOrder { order: crate::domain::OrderId::new(1), to, note: String::new() };
    e(r.engine.handle(t(300), Event::Do { action: action(OrderMove::Cancelled), by: "x".into() }));
    assert_eq!(ids[0].as_str(), "<wo-000001.180000.2@example.org>");
    assert_eq!(parents[0].as_ref().map(|p| p.as_str()), Some("<wo-000001.180000@example.org>"));
}
