//! The store's promises, from outside: `buttonwatch::io::store`.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use buttonwatch::domain::message::{Command, Do};
use buttonwatch::domain::order::{Change, Evidence};
use buttonwatch::domain::outlook::PressLine;
use buttonwatch::domain::view::{QuarantineRow, RefusalRow};
use buttonwatch::domain::{
    AddressOutcome, AddressState, AlertState, Component, CrewId, Effect, EffectKind, GroupKind, GroupName,
    IncidentState, MessageId, Notice, NoticeKind, NoticeReason, Order, OrderId, OrderState, Priority, Readiness,
    Reason, Recipient, RuleId, Severity, Subject, Timestamp, Unit, UnitId,
};
use buttonwatch::io::store::{
    Batch, Checkpoint, CommandTaken, DATABASE_FILE, MailOutcome, MailResult, PressHeard, RollupPiece, Store,
    StoreError, StoreOptions, StoreReader, Synchronous, Tail,
};
use proptest::prelude::*;
use tempfile::TempDir;

fn at(seconds: i64) -> Timestamp {
    // 2026-11-21T09:00:00Z
    Timestamp::from_millis(1_795_251_600_000 + seconds * 1000)
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn open(dir: &Path) -> Store {
    // The tests lose no power.
    Store::open(dir, StoreOptions { synchronous: Synchronous::Normal, ..StoreOptions::default() }).expect("opens")
}

fn unit(id: &str) -> UnitId {
    UnitId::parse(id).expect("valid")
}

fn line(seconds: i64, text: &str) -> Vec<u8> {
    format!("{{\"at\":\"{}\",\"text\":\"{text}\"}}\n", at(seconds)).into_bytes()
}

fn heard<'a>(seconds: i64, lines: &'a [u8]) -> Batch<'a> {
    let mut batch = Batch::new(at(seconds));
    batch.journal = lines;
    batch.journal_lines = lines.iter().filter(|b| **b == b'\n').count() as u32;
    batch
}

fn checkpoint<'a>(global: &'a str, units: &[(&str, &str)]) -> Checkpoint<'a> {
    let units: Vec<(UnitId, String)> = units.iter().map(|(u, s)| (unit(u), (*s).to_owned())).collect();
    Checkpoint { global, units: Box::new(units.into_iter()), removed_units: Vec::new() }
}

fn order(number: u32, state: OrderState) -> Order {
    Order {
        id: OrderId::new(number),
        subject: Subject::Unit { unit: unit("PSH-001"), component: Component::Battery },
        priority: Priority::P2,
        state,
        crew: CrewId::parse("east").expect("valid"),
        site: None,
        opened_at: at(0),
        due_at: Some(at(86_400)),
        closed_at: (!state.is_open()).then(|| at(600)),
        summary: "battery low".into(),
        action: "Replace the battery".into(),
        parts: vec!["12 V 7 Ah".into()],
        suspects: Vec::new(),
        evidence: vec![Evidence::Said("battery.voltage 11.4 V is below 11.6 V".into())],
        rules: vec![RuleId::parse("battery-low").expect("valid")],
        units: Vec::new(),
        relapses: 0,
        reading: None,
        flapping: false,
        history: vec![Change { at: at(0), state: OrderState::Opened, by: "buttonwatch".into(), why: Reason::AllClear }],
    }
}

fn notice(id: &str, seconds: i64) -> Notice {
    Notice {
        at: at(seconds),
        kind: NoticeKind::OrderOpened,
        to: Recipient::Operator,
        message_id: message_id(id),
        in_reply_to: None,
        references: Vec::new(),
        why: NoticeReason::Asked,
        reason: "battery low".into(),
        orders: vec![order(1, OrderState::Opened)],
        incident: None,
        incidents: Vec::new(),
        report: None,
    }
}

fn message_id(id: &str) -> MessageId {
    MessageId::parse(&format!("<{id}@example.org>")).expect("valid")
}

fn alert(seconds: i64, state: AlertState) -> Effect {
    let kind = EffectKind::Alert {
        unit: unit("PSH-001"),
        rule: RuleId::parse("battery-low").expect("valid"),
        component: Component::Battery,
        severity: Severity::Major,
        state,
        reason: Reason::AllClear,
    };
    Effect { at: at(seconds), kind }
}

fn incident(seconds: i64, state: IncidentState, units: &[&str]) -> Effect {
    let kind = EffectKind::Incident {
        kind: GroupKind::Uplink,
        name: GroupName::parse("PTCL-1").expect("valid"),
        state,
        units: units.iter().map(|u| unit(u)).collect(),
        reason: Reason::AllClear,
    };
    Effect { at: at(seconds), kind }
}

fn commit_effects(store: &mut Store, seconds: i64, effects: &[Effect]) {
    let mut batch = Batch::new(at(seconds));
    effects.iter().for_each(|e| batch.push(e));
    store.commit(batch).expect("commits");
}

/// The daemon's thread owns the one; the HTTP server's threads share the other.
#[test]
fn a_store_moves_to_a_thread_and_a_reader_is_shared_by_many() {
    fn moves<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    moves::<Store>();
    is_shared::<StoreReader>();
}

#[test]
fn a_new_store_is_empty_and_an_old_one_is_as_it_was() {
    let dir = folder();
    let below = dir.path().join("made/on/the/way");
    let mut store = open(&below);
    let loaded = store.load().expect("loads");
    assert!(loaded.fleet.is_empty() && loaded.rules_toml.is_none() && loaded.checkpoint.is_none());
    assert!(loaded.journal_tail.is_empty() && loaded.last_at.is_none() && loaded.last_order.is_none());
    let lines = line(1, "first");
    let order = order(7, OrderState::Opened);
    let mut batch = heard(1, &lines);
    batch.orders.push(&order);
    store.commit(batch).expect("commits");
    drop(store);

    let store = open(&below);
    let loaded = store.load().expect("loads");
    assert_eq!(loaded.journal_tail, lines);
    assert_eq!((loaded.last_at, loaded.last_order), (Some(at(1)), Some(OrderId::new(7))));
    assert_eq!(store.orders(true).expect("reads"), [order]);
}

#[test]
fn time_that_passed_without_a_message_is_remembered() {
    let dir = folder();
    let mut store = open(dir.path());
    store.commit(heard(1, &line(1, "x"))).expect("commits");
    commit_effects(&mut store, 90, &[alert(90, AlertState::Firing)]);
    // A clock set back does not take it back.
    store.commit(Batch::new(at(50))).expect("commits");
    assert_eq!(store.load().expect("loads").last_at, Some(at(90)));
}

#[test]
fn a_second_service_on_the_same_folder_is_told_who_holds_it() {
    let dir = folder();
    let store = open(dir.path());
    let error = Store::open(dir.path(), StoreOptions::default()).err().expect("locked");
    let StoreError::Locked { holder, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*holder, Some(std::process::id()));
    let text = error.to_string();
    assert!(text.contains("stop the other Buttonwatch first") && text.lines().count() == 1, "{text}");
    assert!(StoreReader::open(dir.path()).is_ok(), "readers are welcome");
    drop(store);
    assert!(Store::open(dir.path(), StoreOptions::default()).is_ok(), "and the lock ends with its holder");
}

#[test]
fn a_file_that_is_no_database_is_refused_and_kept() {
    let dir = folder();
    let path = dir.path().join(DATABASE_FILE);
    let text = "unit,name,site\nPSH-001,Qissa Khwani,bazaar\n".repeat(100);
    std::fs::write(&path, &text).expect("writes");
    let error = Store::open(dir.path(), StoreOptions::default()).err().expect("refused");
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error:?}");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    assert_eq!(std::fs::read_to_string(&path).expect("reads"), text);
}

#[test]
fn a_damaged_database_is_reported_not_repaired() {
    let dir = folder();
    let mut store = open(dir.path());
    for i in 0..200 {
        let order = order(i, OrderState::Opened);
        let mut batch = Batch::new(at(i64::from(i)));
        batch.orders.push(&order);
        store.commit(batch).expect("commits");
    }
    store.check().expect("sound");
    store.close().expect("closes");
    let path = dir.path().join(DATABASE_FILE);
    let mut bytes = std::fs::read(&path).expect("reads");
    let middle = bytes.len() / 2;
    for b in &mut bytes[middle..middle + 8192] {
        *b = 0xA5;
    }
    std::fs::write(&path, &bytes).expect("writes");
    let said = match Store::open(dir.path(), StoreOptions::default()) {
        Err(e) => e,
        Ok(store) => store.check().expect_err("damaged"),
    };
    assert!(matches!(said, StoreError::Corrupt { .. }), "{said:?}");
}

#[test]
fn a_folder_that_cannot_be_used_is_named_with_the_remedy() {
    let dir = folder();
    let file = dir.path().join("a-file");
    std::fs::write(&file, "x").expect("writes");
    let error = Store::open(&file, StoreOptions::default()).err().expect("refused");
    assert!(matches!(error, StoreError::Folder { .. }), "{error:?}");
    assert!(error.to_string().contains("give the service's user the right"), "{error}");
    let error = StoreReader::open(dir.path()).err().expect("nothing there");
    assert!(matches!(error, StoreError::Missing { .. }), "{error:?}");
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_named_with_the_remedy() {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder();
    let closed = dir.path().join("closed");
    std::fs::create_dir(&closed).expect("creates");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o555)).expect("sets");
    if std::fs::write(closed.join("probe"), "x").is_ok() {
        println!("skipped: this user may write anywhere (root); run the tests as an ordinary user to see it");
        return;
    }
    let error = Store::open(&closed, StoreOptions::default()).err().expect("refused");
    assert!(matches!(error, StoreError::Folder { .. }), "{error:?}");
}

#[test]
fn a_commit_is_all_or_nothing() {
    let dir = folder();
    let mut store = open(dir.path());
    store.commit(heard(0, &line(0, "before"))).expect("commits");
    let shell = rusqlite::Connection::open(dir.path().join(DATABASE_FILE)).expect("opens");
    shell
        .execute_batch(
            "CREATE TRIGGER fault BEFORE INSERT ON outbox WHEN new.message_id LIKE '%bad%'
             BEGIN SELECT raise(ABORT, 'injected'); END",
        )
        .expect("creates");
    let (lines, order) = (line(1, "lost with the rest"), order(1, OrderState::Opened));
    let (good, bad) = (notice("good", 1), notice("bad", 1));
    let effects = [alert(1, AlertState::Firing), incident(1, IncidentState::Open, &["PSH-001"])];
    let everything = |with_bad: bool| {
        let mut batch = heard(1, &lines);
        effects.iter().for_each(|e| batch.push(e));
        batch.orders.push(&order);
        batch.notices.push(&good);
        if with_bad {
            batch.notices.push(&bad);
        }
        batch.checkpoint = Some(checkpoint("{}", &[("PSH-001", "{}")]));
        batch
    };
    store.commit(everything(true)).expect_err("the bad row");
    let loaded = store.load().expect("loads");
    assert_eq!(loaded.journal_tail, line(0, "before"));
    assert_eq!((loaded.checkpoint, loaded.last_at, loaded.last_order), (None, Some(at(0)), None));
    assert!(store.outbox_all().expect("reads").is_empty());
    assert!(store.open_alerts().expect("reads").is_empty());
    assert!(store.alert_history(None, Timestamp::MIN).expect("reads").is_empty());
    assert!(store.incidents(Timestamp::MIN).expect("reads").is_empty());
    assert_eq!(store.tail(), loaded.tail);

    store.commit(everything(false)).expect("goes on");
    let loaded = store.load().expect("loads");
    assert_eq!(loaded.tail, Tail::default());
    assert_eq!(loaded.checkpoint.expect("a checkpoint").at, at(1));
    assert_eq!(store.outbox_all().expect("reads").len(), 1);
}

#[test]
fn the_same_decision_twice_is_one_mail_even_after_it_was_sent() {
    let dir = folder();
    let mut store = open(dir.path());
    let (first, second) = (notice("wo-000001.1", 10), notice("wo-000001.2", 20));
    let send = |store: &mut Store| {
        let mut batch = Batch::new(at(20));
        batch.notices.extend([&first, &second, &first]);
        store.commit(batch).expect("commits");
    };
    send(&mut store);
    let due = store.outbox_due(at(20), 10).expect("reads");
    assert_eq!(due.iter().map(|d| &d.notice).collect::<Vec<_>>(), [&first, &second]);
    assert_eq!(store.outbox_due(at(20), 1).expect("reads").len(), 1);
    store.outbox_mark_sent(&first.message_id, at(21)).expect("marks");
    send(&mut store);
    assert_eq!(store.outbox_due(at(99), 10).expect("reads").len(), 1);
    // A late report of a failed try does not unsend it.
    store.outbox_mark_failed(&first.message_id, at(22), "timeout", Some(at(30))).expect("marks");
    store.outbox_mark_sent(&message_id("nobody"), at(22)).expect("no such mail, no harm");
    let rows = store.outbox_all().expect("reads");
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].state.as_str(), rows[0].tries, rows[0].sent_at), ("sent", 1, Some(at(21))));
    assert_eq!((rows[1].state.as_str(), rows[1].tries), ("waiting", 0));
    assert_eq!((rows[0].kind.as_str(), rows[0].to.as_str()), ("order-opened", "operator"));
    assert_eq!(rows[0].orders, [OrderId::new(1)]);
    assert_eq!(store.notice(&second.message_id).expect("reads"), Some(second.clone()));
}

/// Decided at 10 s.
fn waiting_mail(store: &mut Store) -> Notice {
    let mail = notice("wo-000001.1", 10);
    let mut batch = Batch::new(at(10));
    batch.notices.push(&mail);
    store.commit(batch).expect("commits");
    mail
}

#[test]
fn a_failed_mail_waits_for_its_time_and_a_refused_one_for_the_operator() {
    let dir = folder();
    let mut store = open(dir.path());
    let mail = waiting_mail(&mut store);
    let id = &mail.message_id;
    assert_eq!(store.outbox_next_try().expect("reads"), Some(at(10)));
    store.outbox_mark_failed(id, at(11), "451 try later", Some(at(71))).expect("marks");
    assert!(store.outbox_due(at(70), 10).expect("reads").is_empty());
    assert_eq!(store.outbox_next_try().expect("reads"), Some(at(71)));
    assert_eq!(store.outbox_due(at(71), 10).expect("reads")[0].tries, 1);
    store.outbox_mark_failed(id, at(71), "550 no such user", None).expect("marks");
    assert!(store.outbox_due(at(99_999), 10).expect("reads").is_empty());
    assert_eq!(store.outbox_waiting().expect("reads"), 0);
    let row = store.outbox_all().expect("reads").remove(0);
    assert_eq!((row.state.as_str(), row.tries, row.last_error.as_deref()), ("refused", 2, Some("550 no such user")));
    assert!(store.outbox_retry_now(id).expect("changes"));
    assert_eq!(store.outbox_due(at(72), 10).expect("reads").len(), 1);
    assert!(!store.outbox_retry_now(&message_id("nobody")).expect("asks"));
}

#[test]
fn a_dropped_mail_is_never_sent_unless_somebody_wants_it_after_all() {
    let dir = folder();
    let mut store = open(dir.path());
    let mails = [notice("wo-000001.1", 10), notice("wo-000001.2", 20)];
    let mut batch = Batch::new(at(20));
    batch.notices.extend(&mails);
    store.commit(batch).expect("commits");
    let [first, second] = mails.each_ref().map(|mail| &mail.message_id);
    assert!(store.outbox_drop(first, "dropped by Gul").expect("changes"));
    // A try that was under way fails: that does not bring it back.
    store.outbox_mark_failed(first, at(21), "451 try later", Some(at(22))).expect("marks");
    store.outbox_mark_failed(first, at(21), "550 no such user", None).expect("marks");
    let row = store.outbox_row(first).expect("reads").expect("it stays in sight");
    assert_eq!((row.state.as_str(), row.last_error.as_deref()), ("dropped", Some("dropped by Gul")));
    assert_eq!(store.outbox_due(at(99), 10).expect("reads").len(), 1);
    store.outbox_mark_sent(second, at(22)).expect("marks");
    assert!(!store.outbox_drop(second, "too late").expect("asks"), "a sent mail cannot be called back");
    assert!(store.outbox_retry_now(first).expect("changes"));
    assert_eq!(store.outbox_due(at(99), 10).expect("reads").len(), 1);
}

fn outcome(address: &str, state: AddressState, code: Option<u16>) -> AddressOutcome {
    let said = code.map(|_| "5.1.1 no such user".to_owned()).unwrap_or_default();
    AddressOutcome { address: address.to_owned(), state, at: Some(at(11)), code, text: said }
}

fn mark(store: &mut Store, id: &MessageId, seconds: i64, outcome: MailOutcome, addresses: &[AddressOutcome]) {
    let mut batch = Batch::new(at(seconds));
    batch.mail_results.push(MailResult { message_id: id, at: at(seconds), outcome, addresses });
    store.commit(batch).expect("commits");
}

#[test]
fn a_mail_that_some_have_is_tried_again_for_the_others_alone() {
    use AddressState::{Delivered, Refused, Waiting};
    let dir = folder();
    let mut store = open(dir.path());
    let mail = waiting_mail(&mut store);
    let id = &mail.message_id;
    let due = store.outbox_due(at(10), 1).expect("reads").remove(0);
    assert_eq!((due.addresses.len(), due.since), (0, at(10)));

    let known =
        [outcome("a@x", Delivered, None), outcome("b@x", Waiting, Some(450)), outcome("c@x", Refused, Some(550))];
    let later = MailOutcome::TryAgain { at: at(70), error: "b@x waits".to_owned() };
    mark(&mut store, id, 11, later, &known);
    assert_eq!(store.outbox_due(at(70), 1).expect("reads")[0].addresses, known);
    // A try that tells nothing new of them leaves them as they are.
    store.outbox_mark_failed(id, at(71), "line lost", Some(at(80))).expect("marks");
    assert_eq!(store.outbox_row(id).expect("reads").expect("there").addresses, known);

    let known = [outcome("a@x", Delivered, None), outcome("b@x", Delivered, None), outcome("c@x", Refused, Some(550))];
    mark(&mut store, id, 80, MailOutcome::PartlySent { error: "c@x refused".to_owned() }, &known);
    let row = store.outbox_row(id).expect("reads").expect("there");
    assert_eq!((row.state.as_str(), row.sent_at, row.tries), ("partly-sent", Some(at(80)), 3));
    assert_eq!((row.addresses.as_slice(), store.outbox_waiting().expect("counts")), (&known[..], 0));

    // An operator mended the address: it waits again, and those who have the mail do not.
    assert_eq!(store.outbox_retry_refused().expect("changes"), 1);
    let due = store.outbox_due(at(81), 1).expect("reads").remove(0);
    let states: Vec<AddressState> = due.addresses.iter().map(|a| a.state).collect();
    assert_eq!((states, due.since), (vec![Delivered, Delivered, Waiting], at(80)));
    assert_eq!(due.addresses[2].text, "5.1.1 no such user");

    let known = [outcome("a@x", Delivered, None), outcome("b@x", Delivered, None), outcome("c@x", Delivered, None)];
    assert!(store.outbox_drop(id, "dropped by Gul").expect("changes"));
    // The try that was under way was too late to stop: the record says who has it.
    mark(&mut store, id, 82, MailOutcome::Sent, &known);
    let row = store.outbox_row(id).expect("reads").expect("there");
    assert_eq!((row.state.as_str(), row.addresses.as_slice()), ("dropped", &known[..]));
}

#[test]
fn the_mail_of_an_open_p1_order_goes_before_those_decided_earlier() {
    let dir = folder();
    let mut store = open(dir.path());
    let with = |id: &str, seconds: i64, priority: Priority, state: OrderState| {
        let order = Order { priority, ..order(1, state) };
        Notice { orders: vec![order], ..notice(id, seconds) }
    };
    let mails = [
        with("p2", 10, Priority::P2, OrderState::Opened),
        with("p1-over", 20, Priority::P1, OrderState::Closed),
        with("p1", 30, Priority::P1, OrderState::Opened),
        with("p1-later", 40, Priority::P1, OrderState::Reopened),
    ];
    let mut batch = Batch::new(at(50));
    batch.notices.extend(&mails);
    store.commit(batch).expect("commits");
    let due: Vec<String> =
        store.outbox_due(at(50), 10).expect("reads").iter().map(|d| d.notice.message_id.to_string()).collect();
    assert_eq!(due, ["<p1@example.org>", "<p1-later@example.org>", "<p2@example.org>", "<p1-over@example.org>"]);
}

#[test]
fn alerts_and_incidents_are_open_until_they_are_not_and_stay_in_the_history() {
    let dir = folder();
    let mut store = open(dir.path());
    commit_effects(&mut store, 1, &[alert(1, AlertState::Pending), alert(2, AlertState::Firing)]);
    let open_now = store.open_alerts().expect("reads");
    assert_eq!(open_now.len(), 1);
    assert_eq!((open_now[0].state, open_now[0].since, open_now[0].at), (AlertState::Firing, at(1), at(2)));
    commit_effects(&mut store, 3, &[incident(3, IncidentState::Open, &["PSH-001", "PSH-002"])]);
    commit_effects(&mut store, 4, &[incident(4, IncidentState::Open, &["PSH-001", "PSH-002", "PSH-003"])]);
    let rows = store.incidents(at(100)).expect("reads");
    assert_eq!((rows.len(), rows[0].since, rows[0].units.len()), (1, at(3), 3));
    commit_effects(&mut store, 5, &[incident(5, IncidentState::Closed, &[]), alert(5, AlertState::Resolved)]);
    assert!(store.open_alerts().expect("reads").is_empty());
    let rows = store.incidents(at(5)).expect("reads");
    assert_eq!((rows.len(), rows[0].state, rows[0].units.len()), (1, IncidentState::Closed, 3));
    assert!(store.incidents(at(6)).expect("reads").is_empty());
    // The same circuit can fail again.
    commit_effects(&mut store, 7, &[incident(7, IncidentState::Open, &["PSH-009"])]);
    assert_eq!(store.incidents(Timestamp::MIN).expect("reads").len(), 2);
    let psh = unit("PSH-001");
    let states: Vec<_> =
        store.alert_history(Some(&psh), at(2)).expect("reads").into_iter().map(|l| (l.at, l.state)).collect();
    assert_eq!(states, [(at(2), AlertState::Firing), (at(5), AlertState::Resolved)]);
    assert_eq!(store.alert_history(None, Timestamp::MIN).expect("reads").len(), 3);
}

#[test]
fn orders_readiness_commands_quarantine_refusals_and_fleet_come_back_as_they_went_in() {
    let dir = folder();
    let mut store = open(dir.path());
    let (open_one, closed) = (order(1, OrderState::Opened), order(2, OrderState::Closed));
    let psh = unit("PSH-001");
    let command = Command { id: "c-1".into(), act: Do::Selftest, components: vec![], expires: at(3600) };
    let effects = [
        Effect { at: at(1), kind: EffectKind::Order(Box::new(open_one.clone())) },
        Effect { at: at(1), kind: EffectKind::Order(Box::new(closed.clone())) },
        Effect {
            at: at(2),
            kind: EffectKind::Readiness {
                unit: psh.clone(),
                from: Readiness::Ready,
                to: Readiness::Silent,
                reason: Reason::AllClear,
            },
        },
        Effect { at: at(3), kind: EffectKind::Command { unit: psh.clone(), command: command.clone() } },
    ];
    let stranger = QuarantineRow {
        unit: unit("X-1"),
        first_heard: at(1),
        last_heard: at(2),
        messages: 3,
        last_topic: "buttonwatch/v1/X-1/heartbeat".into(),
    };
    let refusal = RefusalRow {
        kind: "not-json".into(),
        count: 5,
        last_at: at(4),
        unit: Some("PSH-001".into()),
        topic: "t".into(),
        why: "a string was never closed".into(),
        example: "{\"ts\":\"".into(),
    };
    let fleet: Vec<Unit> = ["PSH-002", "PSH-001"].map(fleet_unit).to_vec();
    let mut batch = Batch::new(at(4));
    effects.iter().for_each(|e| batch.push(e));
    batch.quarantine.push(stranger.clone());
    batch.refusals.push(refusal.clone());
    batch.fleet = Some(&fleet);
    batch.rules_toml = Some("# old");
    store.commit(batch).expect("commits");

    let reader = store.reader().expect("opens");
    assert_eq!(reader.orders(false).expect("reads"), std::slice::from_ref(&open_one));
    assert_eq!(reader.orders(true).expect("reads"), [open_one, closed.clone()]);
    assert_eq!(reader.order(OrderId::new(2)).expect("reads"), Some(closed));
    assert_eq!(reader.order(OrderId::new(3)).expect("reads"), None);
    assert_eq!(reader.orders_of_unit(&psh).expect("reads").len(), 2);
    let history = reader.readiness_history(&psh, at(2)).expect("reads");
    assert_eq!((history[0].from, history[0].to), (Readiness::Ready, Readiness::Silent));
    assert_eq!((&history[0].reason, &history[0].because), (&Reason::AllClear.to_string(), &Some(Reason::AllClear)));
    assert!(reader.readiness_history(&psh, at(3)).expect("reads").is_empty());
    assert_eq!(reader.readiness_before(&psh, at(3)).expect("reads"), history.last().cloned());
    assert_eq!(reader.readiness_before(&psh, at(2)).expect("reads"), None);
    let live = reader.commands_live(at(10)).expect("reads");
    assert_eq!(live.iter().map(|l| (&l.unit, &l.command, l.taken_at)).collect::<Vec<_>>(), [(&psh, &command, None)]);
    assert!(reader.commands_live(at(3600)).expect("reads").is_empty());
    let mut batch = Batch::new(at(4));
    batch.commands_taken.push(CommandTaken { unit: &psh, command: "c-1", at: at(4) });
    batch.commands_taken.push(CommandTaken { unit: &psh, command: "c-2", at: at(4) });
    store.commit(batch).expect("one that is not there is passed over");
    assert_eq!(reader.commands_live(at(10)).expect("reads")[0].taken_at, Some(at(4)));
    assert_eq!(reader.quarantine().expect("reads"), std::slice::from_ref(&stranger));
    assert_eq!(reader.refusals().expect("reads"), [refusal]);

    let mut batch = Batch::new(at(5));
    batch.quarantine_gone.push(&stranger.unit);
    batch.fleet = Some(&fleet[..1]);
    batch.rules_toml = Some("# new");
    store.commit(batch).expect("commits");
    let loaded = store.load().expect("loads");
    assert_eq!(loaded.fleet, fleet[..1]);
    assert_eq!(loaded.rules_toml.as_deref(), Some("# new"));
    assert!(reader.quarantine().expect("reads").is_empty());
}

fn fleet_unit(id: &str) -> Unit {
    Unit {
        unit: unit(id),
        name: "قصہ خوانی بازار".into(),
        site: buttonwatch::domain::SiteId::parse("Qissa Khwani").expect("valid"),
        site_type: "market".into(),
        city: buttonwatch::domain::City::parse("Peshawar").expect("valid"),
        district: None,
        address: "Gate 2, \"Cinema Road\"".into(),
        position: Some((34.0086, 71.5724)),
        crew: CrewId::parse("east").expect("valid"),
        uplink: None,
        feeder: None,
        model: "PB-2".into(),
        heartbeat: Some(Duration::from_secs(30)),
        commissioned: Some(at(0)),
        contact: "".into(),
    }
}

#[test]
fn changed_rules_need_a_checkpoint_once_something_was_heard() {
    let dir = folder();
    let mut store = open(dir.path());
    store.commit(heard(1, &line(1, "x"))).expect("commits");
    let mut batch = Batch::new(at(2));
    batch.rules_toml = Some("# new");
    let error = store.commit(batch).expect_err("would be judged by the wrong rules");
    assert!(matches!(error, StoreError::ChangeWithoutCheckpoint), "{error:?}");
    let mut batch = Batch::new(at(2));
    batch.rules_toml = Some("# new");
    batch.checkpoint = Some(checkpoint("{}", &[]));
    store.commit(batch).expect("commits");
}

#[test]
fn pruning_by_age_and_by_size_never_touches_what_a_restart_needs() {
    for (keep, max_bytes) in [(Duration::from_secs(100), u64::MAX), (Duration::from_secs(u64::MAX / 2), 0)] {
        let dir = folder();
        let options = StoreOptions { journal_keep: keep, journal_max_bytes: max_bytes, ..StoreOptions::default() };
        let mut store = Store::open(dir.path(), options).expect("opens");
        for i in 0..10 {
            store.commit(heard(i, &line(i, "row"))).expect("commits");
        }
        assert_eq!(store.prune(at(1_000_000)).expect("prunes").journal_rows, 0, "no checkpoint yet");
        let rolled_up = RollupPiece { place: Some(100), ..RollupPiece::default() };
        let lines = line(10, "row");
        let mut batch = heard(10, &lines);
        batch.checkpoint = Some(checkpoint("{\"n\":10}", &[("PSH-001", "{}")]));
        batch.rollups.push(&rolled_up);
        store.commit(batch).expect("commits");
        for i in 11..15 {
            store.commit(heard(i, &line(i, "tail"))).expect("commits");
        }
        let before = store.load().expect("loads");
        let gone = store.prune(at(1_000_000)).expect("prunes");
        assert_eq!((gone.journal_rows, gone.more), (11, false));
        assert_eq!(store.prune(at(1_000_000)).expect("prunes").journal_rows, 0);
        let after = store.load().expect("loads");
        assert_eq!(after.journal_tail, before.journal_tail);
        assert_eq!(after.tail, Tail { batches: 4, lines: 4, bytes: after.journal_tail.len() as u64 });
    }
}

#[test]
fn pruning_keeps_young_rows_open_orders_and_unsent_mails() {
    let dir = folder();
    let day = Duration::from_secs(86_400);
    let options = StoreOptions { journal_keep: day, history_keep: day, ..StoreOptions::default() };
    let mut store = Store::open(dir.path(), options).expect("opens");
    let (sent, waiting, refused) = (notice("sent", 0), notice("waiting", 0), notice("refused", 0));
    let order = order(1, OrderState::Opened);
    let lines = [line(0, "old"), line(86_500, "young")];
    let old_command = Command { id: "c".into(), act: Do::Locate, components: vec![], expires: at(60) };
    let psh = unit("PSH-001");
    let effects = [alert(0, AlertState::Firing), alert(86_400, AlertState::Resolved)];
    let mut batch = heard(0, &lines[0]);
    effects.iter().for_each(|e| batch.push(e));
    batch.notices.extend([&sent, &waiting, &refused]);
    batch.orders.push(&order);
    batch.commands.push((&psh, &old_command));
    store.commit(batch).expect("commits");
    let rolled_up = RollupPiece { place: Some(2), ..RollupPiece::default() };
    let mut batch = heard(86_500, &lines[1]);
    batch.checkpoint = Some(checkpoint("{}", &[]));
    batch.rollups.push(&rolled_up);
    store.commit(batch).expect("commits");
    store.outbox_mark_sent(&sent.message_id, at(1)).expect("marks");
    store.outbox_mark_failed(&refused.message_id, at(1), "550", None).expect("marks");
    let gone = store.prune(at(2 * 86_400)).expect("prunes");
    // The older alert line, the sent mail and the expired command.
    assert_eq!((gone.journal_rows, gone.history_lines), (1, 3));
    assert_eq!(store.outbox_all().expect("reads").len(), 2);
    assert_eq!(store.orders(true).expect("reads").len(), 1);
    assert_eq!(store.alert_history(None, Timestamp::MIN).expect("reads").len(), 1);
}

#[test]
fn the_journal_waits_to_be_rolled_up_but_not_for_ever() {
    let dir = folder();
    let day = Duration::from_secs(86_400);
    let options = StoreOptions { journal_keep: day, journal_max_bytes: 1 << 20, ..StoreOptions::default() };
    let mut store = Store::open(dir.path(), options.clone()).expect("opens");
    for i in 0..4 {
        store.commit(heard(i, &line(i, "old"))).expect("commits");
    }
    let mut batch = Batch::new(at(4));
    batch.checkpoint = Some(checkpoint("{}", &[]));
    store.commit(batch).expect("commits");
    assert_eq!(store.prune(at(1_000_000)).expect("prunes").journal_rows, 0, "nothing is rolled up yet");
    let rolled_up = RollupPiece { place: Some(3), ..RollupPiece::default() };
    let mut batch = Batch::new(at(5));
    batch.rollups.push(&rolled_up);
    store.commit(batch).expect("commits");
    assert_eq!(store.prune(at(1_000_000)).expect("prunes").journal_rows, 3);
    assert_eq!(store.rollup_place().expect("reads"), Some(3));
    drop(store);
    // A disk has an end: past the size bound even that goes.
    let full = StoreOptions { journal_max_bytes: 0, ..options };
    let mut store = Store::open(dir.path(), full).expect("opens");
    assert_eq!(store.prune(at(1_000_000)).expect("prunes").journal_rows, 1);
}

#[test]
fn a_recording_is_cut_to_the_line() {
    let dir = folder();
    let mut store = open(dir.path());
    for start in [0, 10, 20] {
        let lines: Vec<u8> = (start..start + 10).flat_map(|i| line(i, "x")).collect();
        store.commit(heard(start + 9, &lines)).expect("commits");
    }
    let mut got = Vec::new();
    let count = store
        .journal_between(at(5), at(25), |l| {
            got.extend_from_slice(l);
            ControlFlow::Continue(())
        })
        .expect("exports");
    let expected: Vec<u8> = (5..25).flat_map(|i| line(i, "x")).collect();
    assert_eq!(count, 20);
    assert_eq!(String::from_utf8(got), String::from_utf8(expected));
    let first = store.journal_between(at(5), at(25), |_| ControlFlow::Break(())).expect("exports");
    assert_eq!(first, 1);
}

#[test]
fn readers_see_whole_commits_while_the_writer_goes_on() {
    let dir = folder();
    let mut store = open(dir.path());
    let done = AtomicBool::new(false);
    let reader = store.reader().expect("opens");
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                let mut seen = 0;
                while !done.load(Ordering::Relaxed) {
                    // Two orders a commit: a reader never sees one alone.
                    let orders = reader.orders(true).expect("reads").len();
                    assert!(orders.is_multiple_of(2) && orders >= seen, "{orders} after {seen}");
                    seen = orders;
                }
            });
        }
        for i in 0..100 {
            let (a, b) = (order(2 * i, OrderState::Opened), order(2 * i + 1, OrderState::Opened));
            let lines = line(i64::from(i), "x");
            let mut batch = heard(i64::from(i), &lines);
            batch.orders.extend([&a, &b]);
            store.commit(batch).expect("commits");
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(reader.orders(true).expect("reads").len(), 200);
}

#[test]
fn a_backup_taken_under_load_is_a_whole_store_of_its_own() {
    let dir = folder();
    let mut store = open(dir.path());
    let write = |store: &mut Store, i: u32| {
        // Letters without a pattern, so that the copy has many pages.
        let mut x = i + 1;
        let noise: String = (0..6000)
            .map(|_| {
                x ^= x << 13;
                x ^= x >> 17;
                x ^= x << 5;
                char::from(b'a' + (x % 26) as u8)
            })
            .collect();
        let lines = line(i64::from(i), &noise);
        let order = order(i, OrderState::Opened);
        let mut batch = heard(i64::from(i), &lines);
        batch.orders.push(&order);
        store.commit(batch).expect("commits");
    };
    for i in 0..300 {
        write(&mut store, i);
    }
    let copy = folder();
    let target = copy.path().join(DATABASE_FILE);
    let reader = store.reader().expect("opens");
    let mut steps = Vec::new();
    let mut next = 300;
    reader
        .backup(&target, |p| {
            steps.push(p);
            // Commits in the middle of it neither stop nor restart it.
            write(&mut store, next);
            next += 1;
        })
        .expect("copies");
    assert!(steps.len() > 1, "{steps:?}");
    assert!(steps.windows(2).all(|w| w[0].done < w[1].done && w[0].total == w[1].total), "{steps:?}");
    assert_eq!(steps.last().map(|p| p.done == p.total), Some(true));
    let again = reader.backup(&target, |_| {}).expect_err("stands already");
    assert!(matches!(again, StoreError::BackupExists { .. }), "{again:?}");
    assert_eq!(std::fs::read_dir(copy.path()).expect("lists").count(), 1, "nothing half-made is left");

    let mut restored = open(copy.path());
    restored.check().expect("sound");
    let loaded = restored.load().expect("loads");
    assert_eq!((loaded.tail.lines, loaded.last_order), (300, Some(OrderId::new(299))));
    write(&mut restored, 300);
    assert_eq!(store.load().expect("loads").tail.lines, u64::from(next));
}

#[derive(Debug, Clone)]
enum Step {
    Hear(Vec<u8>),
    Checkpoint { dirty: Vec<(u8, u16)>, removed: Vec<u8>, with_lines: bool },
    Prune,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let dirty = prop::collection::vec((0..6u8, any::<u16>()), 0..4);
    prop_oneof![
        4 => prop::collection::vec(b'a'..=b'z', 0..400).prop_map(Step::Hear),
        2 => (dirty, prop::collection::vec(0..6u8, 0..2), any::<bool>())
            .prop_map(|(dirty, removed, with_lines)| Step::Checkpoint { dirty, removed, with_lines }),
        1 => Just(Step::Prune),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the order of commits, checkpoints, pruning and restarts: state at the last checkpoint, then all after it.
    #[test]
    fn checkpoint_and_tail_are_always_what_was_committed(steps in prop::collection::vec(step(), 1..40)) {
        let dir = folder();
        let options = StoreOptions {
            synchronous: Synchronous::Normal,
            journal_keep: Duration::ZERO,
            ..StoreOptions::default()
        };
        let mut store = Store::open(dir.path(), options.clone()).expect("opens");
        let mut tail = Vec::new();
        let mut units: BTreeMap<UnitId, String> = BTreeMap::new();
        let mut global = None;
        for (i, step) in (0..).zip(&steps) {
            match step {
                Step::Hear(text) => {
                    let lines = line(i, std::str::from_utf8(text).expect("letters"));
                    store.commit(heard(i, &lines)).expect("commits");
                    tail.extend_from_slice(&lines);
                }
                Step::Checkpoint { dirty, removed, with_lines } => {
                    let lines = if *with_lines { line(i, "with") } else { Vec::new() };
                    let text = format!("{{\"n\":{i}}}");
                    let states: Vec<(UnitId, String)> =
                        dirty.iter().map(|(u, v)| (unit(&format!("U-{u}")), format!("{v}"))).collect();
                    let removed: Vec<UnitId> = removed.iter().map(|u| unit(&format!("U-{u}"))).collect();
                    for gone in &removed {
                        units.remove(gone);
                    }
                    units.extend(states.iter().cloned());
                    let mut batch = heard(i, &lines);
                    batch.checkpoint =
                        Some(Checkpoint { global: &text, units: Box::new(states.into_iter()), removed_units: removed });
                    store.commit(batch).expect("commits");
                    global = Some(text);
                    tail.clear();
                }
                Step::Prune => {
                    store.prune(at(1_000_000)).expect("prunes");
                }
                Step::Restart => {
                    drop(store);
                    store = Store::open(dir.path(), options.clone()).expect("opens");
                }
            }
            prop_assert_eq!(store.tail().bytes, tail.len() as u64);
        }
        let loaded = store.load().expect("loads");
        prop_assert_eq!(String::from_utf8(loaded.journal_tail), String::from_utf8(tail));
        prop_assert_eq!(loaded.checkpoint.as_ref().map(|c| c.global.clone()), global);
        let saved: BTreeMap<UnitId, String> = loaded.checkpoint.into_iter().flat_map(|c| c.units).collect();
        prop_assert_eq!(saved, units);
    }
}

/// Not a gate: `cargo test --release --test store -- --ignored --nocapture` prints what this disk gives.
#[test]
#[ignore = "prints figures"]
fn figures_of_commits_and_checkpoints() {
    let dir = folder();
    let mut store = Store::open(dir.path(), StoreOptions::default()).expect("opens");
    let mut lines = Vec::new();
    let per_batch = 4000u32;
    for i in 0..per_batch {
        lines.extend_from_slice(
            format!(
                "{{\"at\":\"{}\",\"topic\":\"buttonwatch/v1/PSH-{:05}/heartbeat\",\"payload\":{{\"ts\":{},\"boot\":{},\
                 \"seq\":{},\"rssi_dbm\":-{},\"temp_c\":{}.{}}}}}\n",
                at(i64::from(i / 100)),
                (i * 7919) % 100_000,
                1_795_251_600_000u64 + u64::from(i) * 13,
                i % 9,
                i * 31,
                60 + i % 40,
                20 + i % 30,
                i % 10
            )
            .as_bytes(),
        );
    }
    let batches = 200;
    let start = Instant::now();
    for _ in 0..batches {
        let mut batch = heard(0, &lines);
        batch.journal_lines = per_batch;
        store.commit(batch).expect("commits");
    }
    let each = start.elapsed() / batches;
    println!(
        "commit of {per_batch} lines, {} bytes: {each:?}, {:.0} lines/s",
        lines.len(),
        f64::from(per_batch) / each.as_secs_f64()
    );
    let start = Instant::now();
    let mut bytes = 0;
    store.replay_tail(|l| bytes += l.len()).expect("replays");
    println!("replay of {} MB: {:?}", bytes >> 20, start.elapsed());
    let state = format!("{{\"state\":\"{}\"}}", "x".repeat(900));
    let start = Instant::now();
    let mut batch = Batch::new(at(1));
    batch.checkpoint = Some(Checkpoint {
        global: "{}",
        units: Box::new((0..100_000).map(|i| (unit(&format!("PSH-{i:06}")), state.clone()))),
        removed_units: Vec::new(),
    });
    store.commit(batch).expect("commits");
    println!("first checkpoint of 100,000 units: {:?}", start.elapsed());
    let start = Instant::now();
    let loaded = store.load_state().expect("loads");
    println!("load of {} units: {:?}", loaded.checkpoint.map_or(0, |c| c.units.len()), start.elapsed());
    let start = Instant::now();
    let pruned = store.prune(at(86_400 * 30)).expect("prunes");
    println!("prune of {} rows: {:?}", pruned.journal_rows, start.elapsed());
}

#[test]
fn a_press_is_kept_once_and_a_test_press_without_an_answer_proves_nothing() {
    let folder = folder();
    let mut store = open(folder.path());
    let press = |seconds: i64, id: &str, seq: u64, is_test: bool, answered: Option<bool>| PressHeard {
        line: PressLine { at: at(seconds), unit: unit(id), is_test, answered, answer_ms: Some(1_500.0) },
        boot: 1,
        seq,
    };
    let heard = [
        press(10, "PSH-001", 1, false, Some(true)),
        press(20, "PSH-001", 2, true, None),
        press(30, "PSH-001", 3, true, Some(false)),
        press(40, "PSH-002", 1, true, Some(true)),
        press(50, "PSH-001", 1, false, Some(true)), // sent again
    ];
    let mut batch = Batch::new(at(60));
    batch.presses = &heard;
    store.commit(batch).expect("commits");
    let kept = store.presses(at(10), at(40)).expect("readable");
    assert_eq!(kept, [heard[0].line.clone(), heard[1].line.clone(), heard[2].line.clone()], "before 40 s");
    assert_eq!(store.presses(at(0), at(100)).expect("readable").len(), 4);
    let newest = store.reader().expect("opens").presses_of_unit(&unit("PSH-001"), 2).expect("readable");
    assert_eq!(newest, [heard[2].line.clone(), heard[1].line.clone()], "newest first, and of this unit only");
    let before = |seconds| store.tested_before(at(seconds)).expect("readable");
    assert_eq!(before(40), [(unit("PSH-001"), at(20))], "one that cannot tell is believed");
    assert_eq!(before(41), [(unit("PSH-001"), at(20)), (unit("PSH-002"), at(40))]);
    assert_eq!(store.presses_kept_since().expect("readable"), None, "a new store has them from the beginning");
    assert_eq!(store.history_begins().expect("readable"), None);
    let a_year_later = at(40 + 401 * 86_400);
    store.prune(a_year_later).expect("prunes");
    assert_eq!(store.presses(at(0), a_year_later).expect("readable"), []);
}
