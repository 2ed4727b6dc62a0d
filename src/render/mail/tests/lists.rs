//! Mails about several orders, and about the same one again; templates of an operator's own.

use super::*;
use crate::domain::NoticeReason;
use crate::render::mail::sample;

fn at_site(number: u32, unit: &str, site: &str, priority: Priority, summary: &str) -> Order {
    Order {
        id: OrderId::new(number),
        priority,
        site: Some(SiteId::parse(site).expect("valid")),
        summary: summary.to_owned(),
        due_at: (priority != Priority::P4).then(|| at("22T09:00:00")),
        ..order(unit)
    }
}

fn golden(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("../snapshots");
    settings.bind(|| insta::assert_snapshot!(name, text));
}

fn written(notice: &Notice, others: &[Order], templates: &Templates) -> Result<Mail, TemplateProblem> {
    let fleet = fleet();
    let from = mailbox("Buttonwatch", "buttonwatch@buttons.example");
    let to = [mailbox("Peshawar East", "east@crews.example")];
    let context = MailContext {
        fleet: &fleet,
        zone: chrono_tz::Asia::Karachi,
        base_url: Some("https://buttons.example"),
        links: &[],
        others,
        pictures: &[],
        from: &from,
        to: &to,
        templates,
    };
    render_notice(notice, &context)
}

fn morning() -> Notice {
    let mut done = at_site(39, "PSH-021", "Saddar", Priority::P3, "the microphone hears itself poorly");
    done.state = OrderState::Closed;
    done.closed_at = Some(at("21T11:00:00"));
    done.history.push(change(
        "21T11:00:00",
        OrderState::Closed,
        "buttonwatch",
        Reason::ClearedByItself { what: Box::new(Reason::AllClear) },
    ));
    let mut proving = at_site(40, "PSH-020", "Saddar", Priority::P2, "the camera's picture is frozen");
    proving.state = OrderState::Repaired;
    let mut taken = at_site(43, "PSH-018", "قصہ خوانی بازار", Priority::P3, "the lens needs cleaning before 2 Dec");
    (taken.state, taken.parts) = (OrderState::Acknowledged, vec!["cloth".to_owned(), "SIM".to_owned()]);
    Notice {
        at: at("23T02:00:00"),
        kind: NoticeKind::Digest,
        message_id: id("digest.1"),
        why: NoticeReason::Morning,
        orders: vec![
            at_site(42, "PSH-017", "Qissa Khwani Bazaar", Priority::P1, "no heartbeat for 6 min"),
            taken,
            at_site(44, "PSH-030", "Wazir Bagh", Priority::P4, "no press test for 30 d"),
            proving,
            done,
        ],
        ..opened(order("PSH-017"))
    }
}

#[test]
fn a_morning_is_one_round_trip_with_one_bag() {
    let mail = written(&morning(), &[], &Templates::default()).expect("our templates");
    golden("digest", &format!("{}\n{}", head(&mail), mail.text));
    let sheet = &mail.attachments[0];
    assert_eq!((sheet.name.as_str(), sheet.content_type), ("work-orders-2026-11-23.csv", "text/csv; charset=utf-8"));
    let text = String::from_utf8(sheet.bytes.clone()).expect("UTF-8");
    golden("digest.csv", text.strip_prefix('\u{FEFF}').expect("a mark for spreadsheets"));
    assert!(text.lines().all(|line| line.matches(',').count() >= 18), "{text}");
}

#[test]
fn a_summary_says_that_it_stands_for_many() {
    let many = (100..160).map(|n| at_site(n, "PSH-019", "Saddar", Priority::P2, "no heartbeat for 6 min")).collect();
    let notice = Notice {
        kind: NoticeKind::Summary,
        why: NoticeReason::Folded { orders: 60, singly: 4, within: Duration::from_secs(600) },
        orders: many,
        ..morning()
    };
    let mail = written(&notice, &[], &Templates::default()).expect("our templates");
    assert!(mail.text.contains("AND 20 ORDERS MORE") && mail.text.contains("sheet that comes with this mail"));
    assert!(mail.text.contains("60 things changed after 4 mails within 10 min"), "{}", mail.text);
    assert_eq!(mail.subject, "[Summary] peshawar-east: 60 orders open, 23 Nov 07:00");
    let sheet = String::from_utf8(mail.attachments[0].bytes.clone()).expect("UTF-8");
    assert_eq!(sheet.lines().count(), 61, "all of them");
}

#[test]
fn one_visit_is_told_what_else_is_open_there_and_what_was_done_before() {
    let mut old = at_site(12, "PSH-018", "Qissa Khwani Bazaar", Priority::P2, "the battery is below 11.6 V");
    (old.state, old.closed_at, old.relapses) = (OrderState::Closed, Some(at("03T08:00:00")), 2);
    old.history.push(change("02T08:00:00", OrderState::Repaired, "Bilal", Reason::Said { note: "new battery".into() }));
    let also = at_site(41, "PSH-018", "Qissa Khwani Bazaar", Priority::P3, "the lens needs cleaning");
    let elsewhere = at_site(13, "PSH-020", "Saddar", Priority::P2, "elsewhere");
    let mail = written(&opened(order("PSH-017")), &[old, also, elsewhere], &Templates::default()).expect("ours");
    let part = |from: &str, to: &str| {
        let start = mail.text.find(from).unwrap_or_else(|| panic!("{from} in {}", mail.text));
        let end = mail.text[start..].find(to).map_or(mail.text.len(), |i| start + i);
        mail.text[start..end].to_owned()
    };
    golden("also-at-the-site", &part("ALSO OPEN", "\nLIKELY"));
    golden("orders-before", &part("ORDERS HERE BEFORE", "\n-- "));
    assert!(!mail.text.contains("elsewhere"));
}

#[test]
fn whoever_must_step_in_sees_why() {
    let mut texts = String::new();
    for kind in [NoticeKind::OrderRaised, NoticeKind::OrderReminder, NoticeKind::OrderEscalated] {
        let notice = sample::notice(kind, at("21T14:00:00"));
        let mail = written(&notice, &[], &Templates::default()).expect("our templates");
        let last = mail.text.lines().filter(|l| l.starts_with("You get")).collect::<Vec<_>>().join(" ");
        texts.push_str(&format!("{}\n{}\n{last}\n\n", mail.subject, mail.text.lines().next().unwrap_or_default()));
    }
    golden("told-again", &texts);
}

#[test]
fn an_operators_own_template_is_used_and_every_value_in_it_is_escaped() {
    let own = [
        ("subject.txt".to_owned(), "{{ order.id }} {{ order.name }}\n".to_owned()),
        ("mail.html".to_owned(), "<p dir=rtl>{{ order.summary }} {{ order.parts|join(', ') }}</p>".to_owned()),
    ];
    let templates = Templates::with(&own).expect("no mistakes");
    templates.check(at("21T09:00:00")).expect("no values that do not exist");
    let mut wrong = order("PSH-018");
    wrong.summary = "<script>alert('x')</script> مرمت".to_owned();
    wrong.parts = vec!["\"SIM\" & more".to_owned()];
    let mail = written(&opened(wrong), &[], &templates).expect("they render");
    assert_eq!(
        mail.html,
        "<p dir=rtl>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; مرمت &quot;SIM&quot; &amp; more</p>"
    );
    assert_eq!(mail.subject, "WO-000042 قصہ خوانی بازار، گیٹ ۳");
    assert!(mail.text.contains("WHAT TO DO"), "the text part is still ours");
}

#[test]
fn mistakes_in_templates_are_told_with_their_place() {
    let told = |file: &str, text: &str| {
        let own = [(file.to_owned(), text.to_owned())];
        let problems = Templates::with(&own).and_then(|t| t.check(at("21T09:00:00"))).expect_err("it is wrong");
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let all = [
        told("mail.html", "<p>\n{{ order.summary }"),
        told("mail.txt", "one\ntwo {{ order.sumary }}"),
        told("subject.txt", "{% if order.id %}no end"),
        told("mail.htm", "x"),
        told("mail.txt", "{% for a in range(9000) %}{% for b in range(9000) %}x{% endfor %}{% endfor %}"),
        told("mail.txt", "{{ order.id|shout }}"),
    ];
    golden("template-mistakes", &all.join("\n"));
}
