//! Who hears what, when.

use super::rig::*;
use crate::domain::event::{Action, Event, Hearing, MaintenanceScope};
use crate::domain::message::Outcome;
use crate::domain::notice_plan::{Night, NoticePlan, NoticePlans, TimeOfDay};
use crate::domain::rule::Condition;
use crate::domain::*;
use crate::engine::Engine;

fn time(text: &str) -> TimeOfDay {
    TimeOfDay::parse(text).expect("a time")
}

/// Clocks of UTC, so that 7:00 is 25200 s.
fn plan() -> NoticePlan {
    NoticePlan { zone: chrono_tz::UTC, ..NoticePlan::default() }
}

/// A failed camera is P2, a failed speaker P1, a press test that is due P4. Nothing else is ever wrong.
fn few_rules() -> RuleSet {
    let mut all = rules();
    all.rules.retain(|r| ["camera-failed", "press-test-overdue"].contains(&r.id.as_str()));
    let fails = Condition::Result { test: Component::Speaker, is: Outcome::Fail, consecutive: 3 };
    let mut speaker = rule("speaker-failed", Component::Speaker, fails);
    speaker.order.as_mut().expect("it orders").priority = Priority::P1;
    all.rules.push(speaker);
    all.incidents.clear();
    all
}

struct Post {
    engine: Engine,
    notices: Vec<Notice>,
    seq: u64,
}

impl Post {
    fn new(fleet: Fleet, plan: NoticePlan) -> Self {
        let notices = NoticePlans { usual: plan, ..NoticePlans::default() };
        let settings = Settings { notices, ..settings() };
        Post { engine: Engine::new(few_rules(), fleet, settings), notices: Vec::new(), seq: 0 }
    }
    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            if let EffectKind::Mail(notice) = effect.kind {
                assert_eq!(effect.at, notice.at);
                self.notices.push(*notice);
            }
        }
    }
    fn camera(&mut self, at: i64, unit: &str, result: Outcome) {
        self.test(at, unit, Component::Camera, result);
    }
    fn test(&mut self, at: i64, unit: &str, component: Component, result: Outcome) {
        use crate::domain::message::{Body, Message, Selftest, TestResult};
        self.seq += 1;
        let results = vec![TestResult { component, result, code: None, mode: None, figures: vec![] }];
        let body = Body::Selftest(Selftest { id: None, trigger: None, results });
        let message = Message { ts: Some(t(at)), boot: Some(1), seq: Some(self.seq), body, extra: vec![] };
        let unit = self.engine.fleet().find(unit).expect("known");
        let effects = self.engine.handle(t(at), Event::Message { unit, message, retained: false });
        self.take(effects);
    }
    /// A P2 order at `at`.
    fn break_camera(&mut self, at: i64, unit: &str) {
        for _ in 0..3 {
            self.camera(at, unit, Outcome::Fail);
        }
    }
    fn set(&mut self, at: i64, order: u32, to: OrderMove) {
        let action = Action::SetOrder { order: OrderId::new(order), to, note: String::new() };
        let effects = self.engine.handle(t(at), Event::Do { action, by: "crew".into() });
        self.take(effects);
    }
    fn to(&mut self, at: i64) {
        let effects = self.engine.advance(t(at));
        self.take(effects);
    }
    /// Time, kind, reader, orders and why of each since the last call.
    fn said(&mut self) -> String {
        let line = |n: Notice| {
            let orders: Vec<String> = n.orders.iter().map(|o| o.id.number().to_string()).collect();
            let at = n.at.as_millis() / 1000;
            format!("{at}s {} to {} of {}: {}", n.kind, n.to, orders.join(" "), n.why)
        };
        std::mem::take(&mut self.notices).into_iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

#[test]
fn p1_and_p2_are_told_at_once_and_the_rest_in_the_morning() {
    let mut p = Post::new(fleet(), plan());
    p.break_camera(100, "A1");
    assert_eq!(p.said(), "100s order-opened to saddar of 1: P2 orders are told at once");
    let mut p = Post::new(fleet(), NoticePlan { at_once: Priority::P1, ..plan() });
    p.break_camera(100, "A1");
    p.to(7 * HOUR - 1);
    assert_eq!(p.said(), "");
    p.to(7 * HOUR);
    let morning = |day: i64| {
        format!("{}s digest to saddar of 1: this is the daily list of all that is open", day * DAY + 7 * HOUR)
    };
    assert!(p.said().starts_with(&morning(0)));
    p.to(DAY + 7 * HOUR);
    assert!(p.said().contains(&morning(1)), "every morning, until it is done");
    p.set(DAY + 8 * HOUR, 1, OrderMove::Cancelled);
    assert!(p.said().contains("order-closed to saddar of 1"), "and its end answers the digest");
    p.to(9 * DAY);
    assert_eq!(p.said(), "", "no work, no digest");
}

#[test]
fn a_night_is_quiet_but_for_what_cannot_wait() {
    let night = Night { from: time("22:00"), until: time("06:00"), at_once: Priority::P1 };
    let mut p = Post::new(fleet(), NoticePlan { night: Some(night), ..plan() });
    p.break_camera(23 * HOUR, "A1");
    p.break_camera(23 * HOUR + 60, "A2");
    p.break_camera(23 * HOUR + 120, "A3");
    // Ended before the morning: nobody needs to know.
    p.camera(24 * HOUR, "A3", Outcome::Pass);
    p.to(24 * HOUR + 6 * HOUR - 1);
    assert_eq!(p.said(), "");
    p.to(30 * HOUR);
    assert_eq!(
        p.said(),
        format!("{}s summary to saddar of 1 2: it came in the night and could wait for the morning", 30 * HOUR)
    );
    for _ in 0..3 {
        p.test(47 * HOUR, "B1", Component::Speaker, Outcome::Fail);
    }
    assert!(p.said().contains("order-opened to saddar of 4: P1 orders are told at once"), "in the middle of the night");
}

#[test]
fn an_end_in_the_night_waits_as_its_beginning_would() {
    let night = Night { from: time("22:00"), until: time("06:00"), at_once: Priority::P1 };
    let mut p = Post::new(fleet(), NoticePlan { night: Some(night), ..plan() });
    p.break_camera(21 * HOUR, "A1");
    p.said();
    p.camera(23 * HOUR, "A1", Outcome::Pass);
    p.to(30 * HOUR);
    let told = p.notices.last().expect("in the morning").clone();
    assert_eq!((told.kind, told.at), (NoticeKind::OrderClosed, t(30 * HOUR)));
    assert_eq!(told.in_reply_to.as_ref().map(|id| id.as_str()), Some("<wo-000001.75600000@example.org>"));
}

/// `count` units at as many sites along a road to the north, one crew.
fn road(count: usize) -> Fleet {
    let one = fleet().unit(UnitIx(0)).clone();
    let units = (0..count).map(|n| Unit {
        unit: UnitId::parse(&format!("U{n:04}")).expect("valid"),
        site: SiteId::parse(&format!("Site {n:04}")).expect("valid"),
        position: Some((34.0 + n as f64 / 100.0, 71.5)),
        uplink: None,
        feeder: None,
        ..one.clone()
    });
    Fleet::new(units.collect())
}

#[test]
fn five_hundred_orders_in_a_minute_are_a_handful_of_mails() {
    let mut p = Post::new(road(500), plan());
    for n in 0..500 {
        p.break_camera(100 + n / 9, &format!("U{n:04}"));
    }
    assert_eq!(p.engine.open_orders().count(), 500, "nothing is hidden");
    p.to(HOUR);
    assert_eq!(p.notices.len(), 6, "{}", p.said());
    let summary = p.notices.last().expect("six").clone();
    assert_eq!((summary.kind, summary.orders.len()), (NoticeKind::Summary, 495));
    assert_eq!(summary.why.to_string(), "495 things changed after 5 mails within 10 min; one mail tells them together");
    p.said();
    // All of them end together, too: in the thread of the mail that told them.
    for n in 0..500 {
        p.camera(2 * HOUR + n / 9, &format!("U{n:04}"), Outcome::Pass);
    }
    p.to(3 * HOUR);
    let ends: Vec<&Notice> = p.notices.iter().filter(|n| matches!(n.to, Recipient::Crew(_))).collect();
    assert!(ends.len() <= 6, "{}", ends.len());
    let told: usize = ends.iter().map(|n| n.orders.iter().filter(|o| !o.state.is_open()).count()).sum();
    assert_eq!(told, 500, "each end is told, once");
    let last = ends.last().expect("some");
    assert!(last.in_reply_to.iter().chain(&last.references).any(|id| *id == summary.message_id));
}

#[test]
fn twenty_common_causes_are_a_few_mails_and_each_end_answers_the_mail_that_told_it() {
    use crate::domain::notice::IncidentFacts;
    let mut p = Post::new(fleet(), plan());
    p.break_camera(0, "A1");
    p.said();
    let facts = |n: i64| IncidentFacts {
        kind: GroupKind::Feeder,
        name: GroupName::parse(&format!("f-{n}")).expect("valid"),
        opened_at: t(100 + n),
        units: vec![],
    };
    let reason = Reason::AllClear;
    for n in 0..20 {
        p.engine.notify_incident(t(100 + n), Recipient::Operator, facts(n), NoticeKind::IncidentOpened, &reason);
    }
    // One of them ends before anyone was told of it.
    p.engine.notify_incident(t(130), Recipient::Operator, facts(19), NoticeKind::IncidentClosed, &reason);
    p.to(1000);
    assert_eq!(p.notices.len(), 6, "{}", p.said());
    let summary = p.notices.last().expect("six").clone();
    assert_eq!((summary.kind, summary.incidents.len()), (NoticeKind::Summary, 14));
    p.said();
    p.engine.notify_incident(t(2000), Recipient::Operator, facts(0), NoticeKind::IncidentClosed, &reason);
    p.engine.notify_incident(t(2000), Recipient::Operator, facts(10), NoticeKind::IncidentClosed, &reason);
    p.to(2001);
    let answers: Vec<Option<&str>> = p.notices.iter().map(|n| n.in_reply_to.as_ref().map(|id| id.as_str())).collect();
    assert!(answers[0].is_some_and(|id| id.starts_with("<incident.feeder.f-0-")), "{answers:?}");
    assert_eq!(answers[1], Some(summary.message_id.as_str()), "told in the summary");
}

#[test]
fn a_digest_is_a_round_trip_from_the_depot() {
    let mut p = Post::new(road(5), NoticePlan { depot: Some((34.05, 71.5)), at_once: Priority::P1, ..plan() });
    for (i, n) in [2, 0, 4, 1, 3].into_iter().enumerate() {
        p.break_camera(100 + i as i64, &format!("U{n:04}"));
    }
    p.set(200, 5, OrderMove::Repaired);
    p.to(7 * HOUR);
    let digest = p.notices.first().expect("a digest").clone();
    let units: Vec<String> = digest
        .orders
        .iter()
        .map(|o| match &o.subject {
            Subject::Unit { unit, .. } => unit.to_string(),
            Subject::Incident { .. } => unreachable!("cameras have no incidents"),
        })
        .collect();
    // The fifth, U0003, is repaired and asks for no visit.
    assert_eq!(units, ["U0004", "U0002", "U0001", "U0000", "U0003"]);
}

#[test]
fn what_nobody_takes_goes_to_the_supervisor_and_so_does_its_end() {
    let mut p = Post::new(fleet(), plan());
    p.break_camera(0, "A1");
    p.break_camera(10, "A2");
    p.set(60, 2, OrderMove::Acknowledged);
    p.said();
    p.to(6 * HOUR);
    assert_eq!(
        p.said(),
        format!(
            "{}s order-escalated to supervisor of saddar of 1: the crew was told 6 h ago and nobody has taken it",
            6 * HOUR
        )
    );
    p.set(6 * HOUR + 60, 1, OrderMove::Acknowledged);
    p.to(DAY + 10);
    let said = p.said();
    assert!(said.contains(&format!("{DAY}s order-escalated to supervisor of saddar of 1: it was due at")), "{said}");
    assert!(said.contains(&format!("{}s order-escalated to supervisor of saddar of 2", DAY + 10)), "{said}");
    p.set(DAY + 20, 1, OrderMove::Cancelled);
    let ends = p.said();
    assert!(ends.contains("order-closed to saddar of 1") && ends.contains("order-closed to supervisor of saddar of 1"));
    p.to(5 * DAY);
    assert!(!p.said().contains("escalated"), "once is enough");
}

#[test]
fn patience_counts_from_when_the_crew_was_told_not_from_the_fault() {
    let night = Night { from: time("22:00"), until: time("06:00"), at_once: Priority::P1 };
    let mut p = Post::new(fleet(), NoticePlan { night: Some(night), ..plan() });
    p.break_camera(22 * HOUR, "A1");
    p.to(36 * HOUR);
    let said = p.said();
    assert!(said.contains(&format!("{}s order-opened to saddar of 1", 30 * HOUR)), "{said}");
    assert!(said.contains(&format!("{}s order-escalated to supervisor of saddar of 1", 36 * HOUR)), "{said}");
}

#[test]
fn what_nobody_takes_is_told_again_as_often_as_asked_for() {
    let mut p = Post::new(fleet(), NoticePlan { repeat: Some(secs(2 * 3600)), ..plan() });
    p.break_camera(0, "A1");
    p.to(5 * HOUR);
    let said = p.said();
    assert_eq!(said.matches("order-reminder to saddar of 1: nobody has taken it for").count(), 2, "{said}");
    p.set(5 * HOUR, 1, OrderMove::EnRoute);
    p.to(DAY - 1);
    assert!(!p.said().contains("reminder"));
}

#[test]
fn maintenance_keeps_the_supervisor_out_of_it_and_the_end_is_told_all_the_same() {
    let mut p = Post::new(fleet(), plan());
    p.break_camera(0, "A1");
    p.said();
    let scope = MaintenanceScope::Unit(UnitId::parse("A1").expect("valid"));
    let action = Action::Maintenance { scope, until: t(10 * HOUR) };
    let effects = p.engine.handle(t(60), Event::Do { action, by: "operator".into() });
    p.take(effects);
    p.to(9 * HOUR);
    assert!(!p.said().contains("escalated"));
    p.camera(9 * HOUR, "A1", Outcome::Pass);
    p.to(11 * HOUR);
    assert!(p.said().contains("order-closed to saddar of 1"), "an all-clear is never lost in a silence");
}

#[test]
fn after_days_off_there_is_one_digest_and_nothing_twice() {
    let mut p = Post::new(fleet(), plan());
    p.break_camera(0, "A1");
    p.said();
    let saved = p.engine.save();
    let settings = Settings { notices: NoticePlans { usual: plan(), ..NoticePlans::default() }, ..settings() };
    p.engine = Engine::restore(few_rules(), fleet(), settings, &saved).expect("just saved");
    let effects = p.engine.handle(t(3 * DAY), Event::Hearing(Hearing::Start));
    p.take(effects);
    let said = p.said();
    assert_eq!(said.matches("digest").count(), 1, "{said}");
    assert_eq!(said.matches("escalated").count(), 1, "{said}");
    p.to(3 * DAY + 8 * HOUR);
    assert_eq!(p.said().matches("digest").count(), 1, "and the next morning's");
}

#[test]
fn what_comes_and_goes_all_day_is_a_few_mails_and_its_end_is_told_when_it_lasts() {
    let mut p = Post::new(fleet(), plan());
    // Broken for half an hour in each hour, from 8:00 to 20:00.
    for hour in 8..20 {
        p.break_camera(hour * HOUR, "A1");
        p.camera(hour * HOUR + 1800, "A1", Outcome::Pass);
    }
    p.to(20 * HOUR);
    let said = p.said();
    assert_eq!(said.matches("order-escalated").count(), 1, "{said}");
    let crew: Vec<&str> = said.lines().filter(|l| l.contains("to saddar")).collect();
    assert_eq!(crew.len(), 3, "{crew:#?}");
    assert!(crew[1].contains("order-closed") && crew[2].contains("order-reopened"), "the first time is believed");
    // The last pass was at 19:30; after eleven relapses it is believed when it has lasted for 16 hours.
    p.to(35 * HOUR + 1799);
    assert_eq!(p.said(), "");
    p.to(35 * HOUR + 1800);
    assert!(p.said().contains("order-closed to saddar of 1"));
}

#[test]
fn who_waits_for_the_end_of_maintenance_hears_of_an_earlier_end() {
    // Nobody takes the order within 6 hours, and somebody works there from the fifth to the twentieth.
    for until in [8 * HOUR, 9 * HOUR] {
        let mut p = Post::new(fleet(), plan());
        let maintain = |p: &mut Post, at: i64, until: i64| {
            let scope = MaintenanceScope::Unit(UnitId::parse("A1").expect("valid"));
            let action = Action::Maintenance { scope, until: t(until) };
            let effects = p.engine.handle(t(at), Event::Do { action, by: "crew".into() });
            p.take(effects);
        };
        p.break_camera(HOUR, "A1");
        maintain(&mut p, 5 * HOUR, 20 * HOUR);
        p.to(8 * HOUR - 1);
        maintain(&mut p, 8 * HOUR, until);
        p.to(until - 1);
        assert!(until == 8 * HOUR || !p.said().contains("escalated"), "they were there");
        p.to(until);
        assert!(p.said().contains("order-escalated"), "at {until} s, not at the end that was planned");
    }
}

#[test]
fn each_end_that_is_not_believed_yet_is_told_at_its_time_after_a_restart_too() {
    let mut p = Post::new(fleet(), plan());
    for hour in [8 * HOUR, 9 * HOUR] {
        p.break_camera(hour, "A1");
        p.break_camera(hour + 600, "A2");
        p.camera(hour + 1800, "A1", Outcome::Pass);
        p.camera(hour + 2400, "A2", Outcome::Pass);
    }
    p.said();
    let saved = p.engine.save();
    let settings = Settings { notices: NoticePlans { usual: plan(), ..NoticePlans::default() }, ..settings() };
    p.engine = Engine::restore(few_rules(), fleet(), settings, &saved).expect("just saved");
    // The second ends were at 9:30 and 9:40, each believed after two hours.
    let mut told = Vec::new();
    for at in [11 * HOUR + 1799, 11 * HOUR + 1800, 11 * HOUR + 2399, 11 * HOUR + 2400] {
        p.to(at);
        told.push(p.said().matches("order-closed to saddar of").count());
    }
    assert_eq!(told, [0, 1, 0, 1]);
}

#[test]
fn an_end_that_waits_for_the_morning_outlives_the_time_for_a_relapse() {
    let night = Night { from: time("22:00"), until: time("06:00"), at_once: Priority::P1 };
    let notices = NoticePlans { usual: NoticePlan { night: Some(night), ..plan() }, ..NoticePlans::default() };
    let mut p = Post::new(fleet(), plan());
    let settings = Settings { notices, relapse_within: secs(3600), ..settings() };
    p.engine = Engine::new(few_rules(), fleet(), settings);
    p.break_camera(21 * HOUR, "A1");
    p.camera(23 * HOUR, "A1", Outcome::Pass);
    p.said();
    // Another order, when the first could not come back any more.
    for _ in 0..3 {
        p.test(26 * HOUR, "A2", Component::Speaker, Outcome::Fail);
    }
    p.to(30 * HOUR);
    assert!(p.said().contains("order-closed to saddar of 1"));
}

#[test]
fn what_becomes_more_urgent_is_told_at_once() {
    let mut all = few_rules();
    for rule in &mut all.rules {
        if rule.id.as_str() == "camera-failed" {
            rule.order.as_mut().expect("it orders").priority = Priority::P3;
        }
    }
    let urgent = Rule {
        id: RuleId::parse("camera-dead").expect("valid"),
        ..rule(
            "camera-dead",
            Component::Camera,
            Condition::Result { test: Component::Camera, is: Outcome::Fail, consecutive: 4 },
        )
    };
    all.rules.push(urgent);
    let mut p = Post::new(fleet(), plan());
    let settings = Settings { notices: NoticePlans { usual: plan(), ..NoticePlans::default() }, ..settings() };
    p.engine = Engine::new(all, fleet(), settings);
    p.break_camera(HOUR, "A1");
    assert_eq!(p.said(), "", "a P3 waits for the morning");
    p.to(7 * HOUR);
    assert!(p.said().contains("digest to saddar of 1"));
    p.camera(8 * HOUR, "A1", Outcome::Fail);
    assert_eq!(p.said(), format!("{}s order-raised to saddar of 1: it was P3 and is P2 now", 8 * HOUR));
}
