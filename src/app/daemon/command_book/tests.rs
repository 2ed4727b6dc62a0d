use super::*;
use crate::domain::Component;
use crate::domain::message::{Heartbeat, Reply, Selftest, TestResult};

fn at(s: i64) -> Timestamp {
    Timestamp::from_millis(s * 1_000)
}
fn unit() -> UnitId {
    UnitId::parse("PSH-001").expect("an id")
}
fn message(boot: u32, body: Body) -> Message {
    Message { ts: None, boot: Some(boot), seq: Some(1), body, extra: Vec::new() }
}
fn reply(boot: u32, id: &str, error: Option<&str>) -> Message {
    let (ok, error) = (error.is_none(), error.map(Into::into));
    message(boot, Body::Reply(Reply { id: id.into(), ok, error }))
}
fn tested(id: Option<&str>, results: &[(Component, Outcome)]) -> Message {
    let result = |(component, result): &(Component, Outcome)| TestResult {
        component: *component,
        result: *result,
        code: None,
        mode: None,
        figures: Vec::new(),
    };
    let results = results.iter().map(result).collect();
    message(7, Body::Selftest(Selftest { id: id.map(Into::into), trigger: Some(Trigger::Command), results }))
}
fn beat(boot: u32) -> Message {
    message(boot, Body::Heartbeat(Heartbeat::default()))
}

/// A book in which `act` was asked at 0 s, to be begun within a minute.
fn asked(act: Do) -> (CommandBook, String) {
    let book = CommandBook::default();
    let id = book.next_id(at(0), &unit()).expect("nothing is under way");
    let command = Command { id: id.clone(), act, components: Vec::new(), expires: at(60) };
    book.asked(at(0), &unit(), &command, "Gul", Some(7));
    (book, id)
}

fn state(book: &CommandBook, id: &str, now: i64) -> String {
    let view = book.find(at(now), &unit(), id).expect("it is in the book");
    format!("{}: {}", view.state, view.says)
}

#[test]
fn a_test_is_followed_from_the_asking_to_its_results() {
    let (book, id) = asked(Do::Selftest);
    assert_eq!(state(&book, &id, 1), "waiting: PSH-001 is being asked");
    book.hindered(&unit(), &id, Hindrance::Away);
    assert!(state(&book, &id, 2).starts_with("waiting: PSH-001 has not got it yet: it is not connected"));
    book.sent(at(3), &unit(), &id, Way::Gateway);
    assert_eq!(state(&book, &id, 3), "sent: PSH-001 has it and has not replied yet");
    book.heard(at(4), "PSH-001", &reply(7, &id, None));
    assert_eq!(state(&book, &id, 4), "accepted: PSH-001 is testing itself");
    // It began in time: the end may come later.
    assert_eq!(state(&book, &id, 100), "accepted: PSH-001 is testing itself");
    book.heard(at(5), "PSH-002", &tested(Some(&id), &[(Component::Camera, Outcome::Fail)]));
    assert!(state(&book, &id, 5).starts_with("accepted"), "another unit's result");
    book.heard(at(101), "PSH-001", &tested(Some(&id), &[(Component::Camera, Outcome::Pass)]));
    assert_eq!(state(&book, &id, 9_999), "done: PSH-001 has tested itself: camera passed");
    assert_eq!(book.find(at(101), &unit(), &id).and_then(|v| v.finished_at), Some(at(101)));
}

#[test]
fn nothing_is_waited_for_without_end() {
    for (steps, when, says) in [
        (0, 60, "expired: PSH-001 was away all the time, and was not asked; ask again when it is back"),
        (1, 65, "expired: PSH-001 got it and did not reply in time: does its firmware answer commands?"),
        (2, 184, "expired: PSH-001 said yes to a self-test, and then nothing came of it; look at the unit"),
    ] {
        let (book, id) = asked(Do::Selftest);
        if steps > 0 {
            book.sent(at(1), &unit(), &id, Way::Gateway);
        }
        if steps > 1 {
            book.heard(at(4), "PSH-001", &reply(7, &id, None));
        }
        assert!(!book.find(at(when - 1), &unit(), &id).expect("there").finished, "{says}");
        assert_eq!(state(&book, &id, when), says);
        // Late is better than never.
        book.heard(at(when + 1), "PSH-001", &tested(Some(&id), &[]));
        assert_eq!(state(&book, &id, when + 2), "done: PSH-001 has tested itself: it tested nothing");
    }
}

#[test]
fn a_reboot_is_done_when_a_higher_boot_is_heard() {
    let (book, id) = asked(Do::Reboot);
    book.heard(at(1), "PSH-001", &beat(8));
    assert!(state(&book, &id, 1).starts_with("waiting"), "it started again before it was asked to");
    let (book, id) = asked(Do::Reboot);
    book.sent(at(1), &unit(), &id, Way::Gateway);
    book.heard(at(2), "PSH-001", &reply(7, &id, None));
    book.heard(at(3), "PSH-001", &beat(7));
    assert_eq!(state(&book, &id, 3), "accepted: PSH-001 is starting again");
    book.heard(at(40), "PSH-001", &beat(8));
    assert_eq!(state(&book, &id, 40), "done: PSH-001 has started again, boot 8");
    assert_eq!(book.rebooting.load(Ordering::Relaxed), 0, "messages pass by again");
}

#[test]
fn a_no_is_told_and_a_later_yes_counts() {
    let (book, id) = asked(Do::Locate);
    book.heard(at(1), "PSH-001", &reply(7, &id, Some("expired")));
    assert!(state(&book, &id, 1).contains("refused a sign where it is: expired: is its clock right?"));
    book.heard(at(2), "PSH-001", &reply(7, &id, None));
    book.heard(at(3), "PSH-001", &reply(7, &id, Some("busy")));
    assert_eq!(state(&book, &id, 3), "done: PSH-001 shows where it is, for a minute");
}

#[test]
fn a_result_without_the_commands_id_is_taken_when_the_unit_was_asked() {
    let (book, id) = asked(Do::Selftest);
    book.heard(at(1), "PSH-001", &tested(None, &[(Component::Camera, Outcome::Pass)]));
    assert!(state(&book, &id, 1).starts_with("waiting"));
    book.sent(at(2), &unit(), &id, Way::Broker);
    book.heard(at(3), "PSH-001", &tested(Some("other"), &[(Component::Camera, Outcome::Pass)]));
    assert!(state(&book, &id, 3).starts_with("sent"));
    let mixed = [(Component::Camera, Outcome::Pass), (Component::Microphone, Outcome::Inconclusive)];
    book.heard(at(4), "PSH-001", &tested(None, &mixed));
    let says = "done: PSH-001 has tested itself: nothing failed, but nothing was found out about microphone";
    assert_eq!(state(&book, &id, 4), says);
}

#[test]
fn one_person_at_a_time_asks_a_unit_and_the_engine_is_in_nobodys_way() {
    let (book, id) = asked(Do::Selftest);
    let no = book.next_id(at(0), &unit()).expect_err("busy");
    assert!(no.starts_with("PSH-001 was asked for a self-test before, and that is not over (waiting: "), "{no}");
    book.heard(at(1), "PSH-001", &tested(Some(&id), &[]));
    let next = book.next_id(at(0), &unit()).expect("it is over");
    assert_ne!(next, id, "within the same millisecond");
    let after_repair =
        Command { id: "WO-000001-4".into(), act: Do::Selftest, components: Vec::new(), expires: at(3600) };
    book.decided(at(2), &unit(), &after_repair);
    book.decided(at(2), &unit(), &after_repair);
    assert!(book.next_id(at(2), &unit()).is_ok());
    let by: Vec<String> = book.of_unit(at(2), &unit()).into_iter().map(|c| c.by).collect();
    assert_eq!(by, ["buttonwatch", "Gul"], "newest first, each once");
}

#[test]
fn the_book_has_an_end() {
    let book = CommandBook::default();
    let command =
        |n: usize| Command { id: format!("c-{n}"), act: Do::Selftest, components: Vec::new(), expires: at(60) };
    for n in 0..OF_ONE_UNIT_MAX + 5 {
        book.decided(at(0), &unit(), &command(n));
    }
    assert_eq!(book.of_unit(at(0), &unit()).len(), OF_ONE_UNIT_MAX);
    for n in 0..COMMANDS_MAX {
        book.decided(at(0), &UnitId::parse(&format!("U-{n}")).expect("an id"), &command(n));
    }
    assert!(book.of_unit(at(0), &unit()).is_empty(), "the oldest are gone");
    let pages = book.lock();
    assert!(pages.order.len() <= COMMANDS_MAX && pages.units.len() <= COMMANDS_MAX);
}
