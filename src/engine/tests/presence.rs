use super::rig::*;
use crate::domain::event::Hearing;

#[test]
fn a_unit_is_silent_at_its_deadline_however_late_we_look() {
    for look in [105, 106, 500] {
        let mut r = Rig::new();
        r.beats(&ALL, 0, 30);
        r.beats(&ALL[1..], 30, 90);
        r.to(look);
        assert!(r.said("A1").contains("105s A1 unproven -> silent"), "looked at {look}");
    }
}

#[test]
fn one_silent_unit_makes_one_order_after_its_wait_and_the_order_says_why_it_closed() {
    let mut r = Rig::new();
    r.beats(&ALL, 0, 30);
    r.beats(&ALL[1..], 30, 900);
    r.to(900);
    assert_eq!(
        r.said("A1"),
        "105s alert A1 unit-silent firing\n105s A1 unproven -> silent\n405s order 1 A1 uplink P1 saddar opened"
    );
    r.beat(910, "A1");
    assert_eq!(
        r.said(""),
        "910s alert A1 unit-silent resolved\n910s order 1 A1 uplink P1 saddar closed\n\
         910s mail order-closed to saddar\n910s A1 silent -> unproven"
    );
    let order = r.engine.order(crate::domain::OrderId::new(1)).expect("kept for relapses");
    let why = order.history.last().expect("has history").why.to_string();
    assert_eq!(why, "cleared by itself: heard again after 15 min 10 s");
}

#[test]
fn a_dead_uplink_makes_one_order_to_the_network_crew_and_none_per_unit() {
    let mut r = Rig::new();
    r.beats(&ALL, 0, 120);
    for (i, unit) in ALL[..4].iter().enumerate() {
        r.beat(120 + i as i64 * 7, unit);
    }
    r.beats(&ALL[4..], 120, 3000);
    r.to(3000);
    let said = r.said("");
    assert_eq!(said.matches("order ").count(), 1, "{said}");
    assert!(said.contains("order 1 uplink a P1 network opened"), "{said}");
    assert_eq!(said.matches("incident").count(), 1, "{said}");
    r.beats(&ALL, 3000, 3300);
    let said = r.said("");
    assert!(said.contains("incident uplink a closed 4"), "{said}");
    assert!(said.contains("order 1 uplink a P1 network closed"), "{said}");
    assert!(!said.contains("opened"), "{said}");
}

#[test]
fn what_stays_silent_when_an_incident_ends_is_ordered_on_its_own() {
    let mut r = Rig::new();
    r.beats(&ALL, 0, 120);
    r.beats(&ALL[4..], 120, 1500);
    r.beats(&[&ALL[..3], &ALL[4..]].concat(), 1500, 3000);
    r.to(3000);
    let said = r.said("order ");
    assert!(said.contains("A4 uplink P1 saddar opened"), "{said}");
    assert_eq!(said.matches("opened").count(), 2, "{said}");
}

#[test]
fn half_the_fleet_silent_at_once_is_our_deafness() {
    let mut r = Rig::new();
    r.beats(&ALL, 0, 120);
    r.to(3000);
    let said = r.said("");
    assert!(!said.contains("order "), "{said}");
    assert_eq!(said.matches("open ").count(), 1, "{said}");
    assert!(said.contains("incident fleet fleet open"), "{said}");
    assert_eq!(said.matches("mail").count(), 1, "{said}");
    for row in r.engine.unit_rows() {
        assert_eq!(row.readiness, crate::domain::Readiness::Unknown, "{}: {}", row.unit, row.reason);
    }
    r.beats(&ALL, 3000, 3600);
    let said = r.said("");
    assert!(said.contains("incident fleet fleet closed") && !said.contains("order "), "{said}");
}

#[test]
fn an_uplink_that_carries_half_the_fleet_is_still_that_uplinks_fault() {
    let mut r = Rig::new();
    let eight = &ALL[..8];
    r.beats(eight, 0, 120);
    r.beats(&eight[4..], 120, 3000);
    let said = r.said("");
    assert!(!said.contains("incident fleet"), "{said}");
    assert!(said.contains("uplink a P1 network opened"), "{said}");
}

#[test]
fn silence_while_deaf_proves_nothing() {
    let mut r = Rig::new();
    r.beats(&ALL, 0, 120);
    r.hearing(121, Hearing::Down);
    r.hearing(1321, Hearing::Up);
    let said = r.said("");
    assert!(!said.contains("silent") && !said.contains("order") && !said.contains("incident"), "{said}");
    assert_eq!(said.matches("-> unknown").count(), 12, "{said}");
    assert!(said.contains("195s A1 unproven -> unknown"), "{said}");
    r.beats(&ALL[1..], 1330, 2500);
    r.to(2500);
    let said = r.said("");
    assert!(said.contains("1426s A1 unknown -> silent"), "{said}");
    assert_eq!(said.matches("silent").count(), 2, "{said}");
}

#[test]
fn a_restart_after_two_hours_flags_nobody() {
    let mut r = Rig::new();
    r.beats(&ALL, 0, 120);
    r.hearing(90 + 2 * HOUR, Hearing::Start);
    r.beats(&ALL, 120 + 2 * HOUR, 600 + 2 * HOUR);
    let said = r.said("");
    assert!(!said.contains("silent") && !said.contains("order") && !said.contains("incident"), "{said}");
}

#[test]
fn a_unit_that_was_never_heard_is_unproven_and_counts_for_nothing() {
    let mut r = Rig::new();
    r.beats(&["A1"], 0, 300);
    r.to(2 * HOUR);
    let said = r.said("");
    assert!(!said.contains("incident") && !said.contains("A2"), "{said}");
    assert_eq!(said.matches("order 1 A1").count(), 1, "{said}");
}

#[test]
fn a_clock_set_back_neither_fires_nor_rewinds() {
    let mut r = Rig::new();
    r.beats(&ALL, 1000, 1090);
    r.said("");
    r.beat(100, "A1");
    r.to(50);
    assert_eq!(r.said(""), "");
    assert_eq!(r.engine.now(), Some(t(1060)));
}

#[test]
fn a_unit_that_says_a_longer_interval_gets_longer() {
    use crate::domain::message::{Body, Heartbeat};
    let mut r = Rig::new();
    r.beats(&ALL, 0, 30);
    r.say(30, "A1", Body::Heartbeat(Heartbeat { interval_s: Some(300.0), ..Heartbeat::default() }));
    r.beats(&ALL[1..], 30, 1080);
    r.to(1079);
    assert_eq!(r.said("A1").matches("silent").count(), 0);
    r.to(1081);
    assert!(r.said("A1").contains("1080s A1 unproven -> silent"));
}

#[test]
fn a_last_will_or_a_kept_message_is_no_sign_of_life() {
    use crate::domain::event::Event;
    use crate::domain::message::{Body, Message, Status};
    let mut r = Rig::new();
    r.beats(&ALL, 0, 30);
    let will = Message {
        ts: None,
        boot: None,
        seq: None,
        body: Body::Status(Status { online: false, reason: None }),
        extra: vec![],
    };
    r.beats(&ALL[1..], 30, 90);
    let unit = r.ix("A1");
    r.event(90, Event::Message { unit, message: will.clone(), retained: false });
    let online = Message { body: Body::Status(Status { online: true, reason: None }), ..will };
    r.event(91, Event::Message { unit, message: online, retained: true });
    r.to(105);
    assert!(r.said("A1").contains("105s A1 unproven -> silent"));
}

#[test]
fn coming_and_going_for_a_day_is_one_order_marked_flapping() {
    let mut r = Rig::new();
    let others = &ALL[1..];
    for at in (0..DAY).step_by(30) {
        for unit in others {
            r.beat(at, unit);
        }
        if at % 360 < 180 {
            r.beat(at, "A1");
        }
    }
    let said = r.said("order ");
    assert_eq!(said.matches("order ").count(), 1, "{said}");
    assert!(r.engine.order(crate::domain::OrderId::new(1)).expect("open").flapping);
}
