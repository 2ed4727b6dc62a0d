//! Golden mails: what each person gets, to the letter. `cargo insta review` after a wanted change.

mod lists;

use std::time::Duration;

use crate::domain::notice::IncidentFacts;
use crate::domain::order::{Change, Evidence};
use crate::domain::{
    City, Component, CrewId, Fleet, GroupKind, GroupName, Kind, MessageId, Notice, NoticeKind, NoticeReason, Order,
    OrderId, OrderState, Priority, Reason, Recipient, RuleId, SiteId, Subject, Suspect, Timestamp, Unit, UnitId,
    UplinkId,
};

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(&format!("2026-11-{text}Z")).expect("valid")
}

fn id(text: &str) -> MessageId {
    MessageId::parse(&format!("<{text}@buttons.example>")).expect("valid")
}

fn unit(id: &str, name: &str, site: &str) -> Unit {
    Unit {
        unit: UnitId::parse(id).expect("valid"),
        name: name.into(),
        site: SiteId::parse(site).expect("valid"),
        site_type: "market".into(),
        city: City::parse("Peshawar").expect("valid"),
        district: None,
        address: "Qissa Khwani Bazaar, Gate 2, opposite the clock tower".into(),
        position: Some((34.00861, 71.57243)),
        crew: CrewId::parse("peshawar-east").expect("valid"),
        uplink: Some(UplinkId::parse("PTCL-QK-1").expect("valid")),
        feeder: None,
        model: "PB-200".into(),
        heartbeat: None,
        commissioned: None,
        contact: "Gul Khan, shop 14, 0300-1234567 (until 21:00)".into(),
    }
}

fn fleet() -> Fleet {
    let urdu = unit("PSH-018", "قصہ خوانی بازار، گیٹ ۳", "قصہ خوانی بازار");
    let urdu = Unit {
        address: "گیٹ نمبر ۳، سینما روڈ".into(), contact: "گل خان 0300-1234567".into(), ..urdu
    };
    let bare = Unit {
        address: "".into(),
        position: None,
        contact: "".into(),
        model: "".into(),
        uplink: None,
        ..unit("PSH-030", "", "Wazir Bagh")
    };
    let others =
        (19..25).map(|n| unit(&format!("PSH-0{n}"), &format!("Saddar {n}"), if n < 22 { "Saddar" } else { "Cantt" }));
    let mut units = vec![unit("PSH-017", "Qissa Khwani Bazaar", "Qissa Khwani Bazaar"), urdu, bare];
    units.extend(others);
    Fleet::new(units)
}

fn silent() -> Reason {
    let what = Reason::NothingFor { kind: Kind::Heartbeat, last: at("21T08:53:30"), silence: Duration::from_secs(95) };
    Reason::FiredFor { after: Duration::from_secs(300), what: Box::new(what) }
}

fn change(time: &str, state: OrderState, by: &str, why: Reason) -> Change {
    Change { at: at(time), state, by: by.to_owned(), why }
}

fn order(unit: &str) -> Order {
    Order {
        id: OrderId::new(42),
        subject: Subject::Unit { unit: UnitId::parse(unit).expect("valid"), component: Component::Uplink },
        priority: Priority::P1,
        state: OrderState::Opened,
        crew: CrewId::parse("peshawar-east").expect("valid"),
        site: Some(SiteId::parse("Qissa Khwani Bazaar").expect("valid")),
        opened_at: at("21T09:00:05"),
        due_at: Some(at("21T13:00:05")),
        closed_at: None,
        summary: "no heartbeat for 6 min".to_owned(),
        action: "Check power at the pole, then the link".to_owned(),
        parts: vec!["SIM".to_owned(), "4G modem".to_owned()],
        suspects: vec![
            Suspect { component: Component::Uplink, certainty: 70 },
            Suspect { component: Component::Battery, certainty: 30 },
        ],
        evidence: vec![
            Evidence::Said("no heartbeat for 1 min 35 s, last at 2026-11-21T08:53:30.000Z".to_owned()),
            Evidence::Said("link.rssi -107 dBm is below -100 dBm, 3 times in a row".to_owned()),
            Evidence::Said("the other 3 units on uplink PTCL-QK-1 are heard".to_owned()),
        ],
        rules: vec![RuleId::parse("unit-silent").expect("valid")],
        units: Vec::new(),
        relapses: 0,
        reading: None,
        flapping: false,
        history: vec![change("21T09:00:05", OrderState::Opened, "buttonwatch", silent())],
    }
}

fn opened(order: Order) -> Notice {
    Notice {
        at: order.opened_at,
        kind: NoticeKind::OrderOpened,
        to: Recipient::Crew(order.crew.clone()),
        message_id: id("wo-000042.1"),
        in_reply_to: None,
        references: Vec::new(),
        why: NoticeReason::AtOnce { priority: Priority::P1 },
        reason: silent().to_string(),
        orders: vec![order],
        incident: None,
        incidents: Vec::new(),
        report: None,
    }
}

fn follow_up(mut order: Order, kind: NoticeKind, time: &str, by: &str, why: Reason) -> Notice {
    order.history.push(change(time, order.state, by, why.clone()));
    if !order.state.is_open() {
        order.closed_at = Some(at(time));
    }
    Notice {
        at: at(time),
        kind,
        to: Recipient::Crew(order.crew.clone()),
        message_id: id("wo-000042.2"),
        in_reply_to: Some(id("wo-000042.1")),
        references: Vec::new(),
        why: NoticeReason::AllClear,
        reason: why.to_string(),
        orders: vec![order],
        incident: None,
        incidents: Vec::new(),
        report: None,
    }
}

fn closed(state: OrderState, time: &str, by: &str, why: Reason) -> Notice {
    follow_up(Order { state, ..order("PSH-017") }, NoticeKind::OrderClosed, time, by, why)
}

fn verified() -> Notice {
    let mut done = order("PSH-017");
    done.state = OrderState::Closed;
    let said = |note: &str| Reason::Said { note: note.to_owned() };
    done.history.push(change("21T09:20:00", OrderState::Acknowledged, "Bilal", said("")));
    done.history.push(change("21T09:40:00", OrderState::EnRoute, "Bilal", said("with Imran")));
    done.history.push(change("21T10:30:00", OrderState::Repaired, "Bilal", said("SIM ختم تھی، نئی لگائی")));
    let why = Reason::Verified { tests: vec![Component::Uplink, Component::Stream], held: Duration::from_secs(7200) };
    follow_up(done, NoticeKind::OrderClosed, "21T12:31:00", "buttonwatch", why)
}

fn reopened() -> Notice {
    let mut back = order("PSH-017");
    back.history.extend(verified().orders.remove(0).history.split_off(1));
    back.state = OrderState::Reopened;
    back.relapses = 1;
    back.flapping = true;
    back.due_at = Some(at("23T10:00:00"));
    let again = Reason::NothingFor { kind: Kind::Heartbeat, last: at("23T07:58:10"), silence: Duration::from_secs(95) };
    let why = Reason::Relapsed { after: Duration::from_secs(2 * 86_400 - 16_000), what: Box::new(again) };
    follow_up(back, NoticeKind::OrderReopened, "23T08:05:00", "buttonwatch", why)
}

fn uplink_order() -> Order {
    let units = ["PSH-017", "PSH-018", "PSH-019", "PSH-020", "PSH-022", "PSH-099"];
    Order {
        id: OrderId::new(43),
        subject: Subject::Incident { kind: GroupKind::Uplink, name: circuit() },
        crew: CrewId::parse("network").expect("valid"),
        site: None,
        summary: "6 of 7 units of this uplink are silent".to_owned(),
        action: "Restore the uplink".to_owned(),
        parts: Vec::new(),
        suspects: Vec::new(),
        evidence: vec![Evidence::Said("6 of 7 units of this uplink are affected".to_owned())],
        units: units.iter().map(|u| UnitId::parse(u).expect("valid")).collect(),
        history: vec![change(
            "21T09:00:05",
            OrderState::Opened,
            "buttonwatch",
            Reason::IncidentOrdered { kind: GroupKind::Uplink, name: circuit(), units: 6 },
        )],
        ..order("PSH-017")
    }
}

fn circuit() -> GroupName {
    GroupName::parse("PTCL-QK-1").expect("valid")
}

fn incident(kind: NoticeKind, group: GroupKind, name: &str, time: &str, why: Reason) -> Notice {
    let opens = kind == NoticeKind::IncidentOpened;
    Notice {
        at: at(time),
        kind,
        to: Recipient::Operator,
        message_id: id(if opens { "incident-uplink.1" } else { "incident-uplink.2" }),
        in_reply_to: (!opens).then(|| id("incident-uplink.1")),
        references: Vec::new(),
        why: NoticeReason::AllClear,
        reason: why.to_string(),
        orders: Vec::new(),
        incident: Some(IncidentFacts {
            kind: group,
            name: GroupName::parse(name).expect("valid"),
            opened_at: at("21T08:55:05"),
            units: uplink_order().units,
        }),
        incidents: Vec::new(),
        report: None,
    }
}

fn mailbox(name: &str, address: &str) -> Mailbox {
    Mailbox { name: Some(name.to_owned()), address: address.to_owned() }
}

fn mail(notice: &Notice) -> Mail {
    let from = mailbox("Buttonwatch", "buttonwatch@buttons.example");
    let to = [mailbox("Peshawar East", "east@crews.example")];
    let fleet = fleet();
    let zone = chrono_tz::Asia::Karachi;
    let base_url = Some("https://buttons.example/");
    let link = |o: &Order| {
        (o.id, format!("https://buttons.example/crew/{}/1796461200/0123456789abcdef0123456789abcdef", o.id))
    };
    let links: Vec<(OrderId, String)> = notice.orders.iter().filter(|o| o.state.is_open()).map(link).collect();
    render_notice(
        notice,
        &MailContext {
            fleet: &fleet,
            zone,
            base_url,
            links: &links,
            others: &[],
            pictures: &[],
            from: &from,
            to: &to,
            templates: &Templates::default(),
        },
    )
    .expect("our templates")
}

fn head(mail: &Mail) -> String {
    let ids = |ids: &[MessageId]| ids.iter().map(|i| i.as_str()).collect::<Vec<_>>().join(" ");
    let mut head = format!("Message-ID: {}\n", mail.message_id);
    if let Some(id) = &mail.in_reply_to {
        head.push_str(&format!("In-Reply-To: {id}\nReferences: {}\n", ids(&mail.references)));
    }
    head.push_str(&format!("Date: {}\nSubject: {}\n", mail.date, mail.subject));
    for (name, value) in &mail.headers {
        head.push_str(&format!("{name}: {value}\n"));
    }
    head
}

fn every_mail() -> Vec<(&'static str, Notice)> {
    let healed = Reason::ClearedByItself { what: Box::new(Reason::HeardAgain { silence: Duration::from_secs(900) }) };
    let together = Reason::SilentTogether { silent: 6, of: 7, group: GroupKind::Uplink };
    let back = Reason::BackTogether { still_silent: 1, of: 7 };
    let deaf = Reason::IncidentDoubtsHearing { silent: 40, of: 68 };
    let note = Reason::Said { note: "the market is closed for repairs,\nask again in May".to_owned() };
    vec![
        ("order-opened", opened(order("PSH-017"))),
        ("order-opened-urdu", opened(order("PSH-018"))),
        ("order-opened-minimal", opened(minimal())),
        ("order-opened-for-an-uplink", opened(uplink_order())),
        ("order-reopened", reopened()),
        ("order-closed-by-itself", closed(OrderState::Closed, "21T09:08:30", "buttonwatch", healed)),
        ("order-closed-verified", verified()),
        ("order-cancelled", closed(OrderState::Cancelled, "21T15:00:00", "Shazia", note)),
        (
            "incident-opened",
            incident(NoticeKind::IncidentOpened, GroupKind::Uplink, "PTCL-QK-1", "21T08:55:05", together),
        ),
        ("incident-closed", incident(NoticeKind::IncidentClosed, GroupKind::Uplink, "PTCL-QK-1", "21T11:20:00", back)),
        ("incident-fleet", incident(NoticeKind::IncidentOpened, GroupKind::Fleet, "fleet", "21T08:55:05", deaf)),
    ]
}

fn minimal() -> Order {
    Order {
        priority: Priority::P4,
        due_at: None,
        site: None,
        action: String::new(),
        parts: Vec::new(),
        suspects: Vec::new(),
        evidence: Vec::new(),
        history: Vec::new(),
        ..order("PSH-030")
    }
}

#[test]
fn golden_mails() {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| {
        for (name, notice) in every_mail() {
            let mail = mail(&notice);
            insta::assert_snapshot!(name, format!("{}\n{}", head(&mail), mail.text));
        }
        insta::assert_snapshot!("order-opened-urdu.html", mail(&opened(order("PSH-018"))).html);
    });
}

/// `MAILS=folder cargo test --lib mails_to_look_at -- --ignored`, then open them in a browser.
#[test]
#[ignore = "writes files to look at"]
fn mails_to_look_at() {
    let folder = std::env::var("MAILS").expect("MAILS names a folder");
    for (name, notice) in every_mail() {
        std::fs::write(format!("{folder}/{name}.html"), mail(&notice).html).expect("writes");
    }
}

#[test]
fn the_same_notice_is_the_same_mail() {
    for (name, notice) in every_mail() {
        let again: Notice = serde_json::from_str(&serde_json::to_string(&notice).expect("writes")).expect("reads");
        assert_eq!(mail(&again), mail(&notice), "{name}");
    }
}

#[test]
fn a_thread_has_one_subject_and_follow_ups_point_at_its_first_mail() {
    let first = mail(&opened(order("PSH-017")));
    for notice in [reopened(), verified()] {
        let next = mail(&notice);
        assert_eq!(next.subject, format!("Re: {}", first.subject));
        assert_eq!(next.in_reply_to.as_ref(), Some(&first.message_id));
        assert_eq!(next.references, std::slice::from_ref(&first.message_id));
    }
}

#[test]
fn every_line_keeps_to_its_width() {
    for (name, notice) in every_mail() {
        let mail = mail(&notice);
        assert!(mail.subject.chars().count() <= 78, "{name}: {}", mail.subject);
        for line in mail.text.lines().filter(|l| !l.contains("://")) {
            assert!(line.chars().count() <= 78, "{name}: {line}");
        }
        assert!(mail.html.lines().all(|l| l.len() <= 998), "{name}: RFC 5322's hard limit");
    }
}

#[test]
fn no_time_in_any_mail_is_in_utc() {
    for (name, notice) in every_mail() {
        let mail = mail(&notice);
        for text in [&mail.text, &mail.html, &mail.subject] {
            assert!(!text.contains("T08:") && !text.contains("000Z"), "{name}: {text}");
        }
    }
}

/// Whatever stands in the spreadsheet, in a note or in a rule.
const NASTY: [&str; 6] = [
    "a\r\nBcc: everyone@example.org\r\n\r\n<script>",
    "<img src=x onerror=alert(1)> & \"quotes\" 'n' more",
    "\u{202E}gnp.exe\u{202C}\u{2028}next",
    "\0\u{7}\u{1b}[31m",
    "   ",
    "=?utf-8?q?Bcc:_x?=",
];

#[test]
fn nothing_from_outside_adds_a_header_a_tag_or_a_turn_of_direction() {
    for nasty in NASTY {
        let mut unit = unit("PSH-017", nasty, "Site");
        unit.address = nasty.into();
        unit.contact = nasty.into();
        unit.model = nasty.into();
        let mut order = order("PSH-017");
        order.summary = nasty.to_owned();
        order.action = nasty.to_owned();
        order.parts = vec![nasty.to_owned()];
        order.evidence = vec![Evidence::Said(nasty.to_owned())];
        order.history.push(change(
            "21T09:20:00",
            OrderState::Acknowledged,
            nasty,
            Reason::Said { note: nasty.to_owned() },
        ));
        let notice = Notice { reason: nasty.to_owned(), ..opened(order) };
        let (from, to) = (mailbox(nasty, "a@example.org"), [mailbox(nasty, "b@example.org")]);
        let fleet = Fleet::new(vec![unit]);
        let zone = chrono_tz::UTC;
        let mail = render_notice(
            &notice,
            &MailContext {
                fleet: &fleet,
                zone,
                base_url: None,
                links: &[],
                others: &[],
                pictures: &[],
                from: &from,
                to: &to,
                templates: &Templates::default(),
            },
        )
        .expect("our templates");
        let names = [&mail.from, &mail.to[0]].map(|m| m.name.clone().unwrap_or_default());
        let values = mail.headers.iter().map(|(_, v)| v.clone()).chain(names).chain([mail.subject.clone()]);
        for value in values {
            assert!(!value.chars().any(|c| c.is_control() || c == '\u{202E}'), "{value:?}");
        }
        assert!(!mail.text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202E}'), "{:?}", mail.text);
        for tag in ["<script", "<img", "'n'"] {
            assert!(!mail.html.contains(tag), "{tag} in {}", mail.html);
        }
    }
}

#[test]
fn a_notice_about_nothing_and_one_about_many_orders_still_say_what_they_can() {
    let bare = Notice { orders: Vec::new(), ..opened(order("PSH-017")) };
    let mail_of_bare = mail(&bare);
    assert!(mail_of_bare.subject.starts_with("[Buttonwatch] no heartbeat"), "{}", mail_of_bare.subject);
    let mut many = opened(order("PSH-017"));
    many.orders.push(uplink_order());
    many.orders.push(order("PSH-404"));
    let mail = mail(&many);
    assert!(mail.subject.ends_with(", and 2 more") && mail.subject.chars().count() <= 74, "{}", mail.subject);
    for text in ["ALSO WO-000043 (P1)", "PSH-404", "no longer in the fleet file"] {
        assert!(mail.text.contains(text), "{text} in {}", mail.text);
    }
}
