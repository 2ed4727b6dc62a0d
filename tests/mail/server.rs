//! A real mail server between us and the crew: Postfix takes our mails over TLS with a login and puts them into Maildirs;
//! Python's mail library, which is not ours, reads them there.
//!
//! Needs Postfix with SASL: `apt-get install postfix sasl2-bin libsasl2-modules`, python3, and the rights of root. With
//! `CI=true` it fails without them.

use crate::postfix;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use buttonwatch::domain::order::Change;
use buttonwatch::domain::{
    City, Component, CrewId, Fleet, MessageId, Notice, NoticeKind, NoticeReason, Order, OrderId, OrderState, Priority,
    Reason, Recipient, SiteId, Subject, Timestamp, Unit, UnitId,
};
use buttonwatch::io::smtp::{Post, SmtpConfig, SmtpLogin, SmtpTls, to_message};
use buttonwatch::render::mail::{Mail, MailContext, Mailbox, Templates, render_notice};
use postfix::{DOMAIN, PASSWORD, Postfix, USER};
use serde_json::Value;

const BAZAAR: &str = "قصہ خوانی بازار";
const CREW: &str = "پشاور مشرق";

fn order(state: OrderState) -> Order {
    let at = Timestamp::parse("2026-11-21T09:00:05Z").expect("valid");
    Order {
        id: OrderId::new(42),
        subject: Subject::Unit { unit: UnitId::parse("PSH-018").expect("valid"), component: Component::Uplink },
        priority: Priority::P1,
        state,
        crew: CrewId::parse(CREW).expect("valid"),
        site: Some(SiteId::parse(BAZAAR).expect("valid")),
        opened_at: at,
        due_at: Some(at + Duration::from_secs(4 * 3600)),
        closed_at: (!state.is_open()).then(|| at + Duration::from_secs(600)),
        summary: "no heartbeat for 6 min".to_owned(),
        action: "بجلی دیکھیں, then the link".to_owned(),
        parts: vec!["SIM".to_owned()],
        suspects: Vec::new(),
        evidence: Vec::new(),
        rules: Vec::new(),
        units: Vec::new(),
        relapses: 0,
        reading: None,
        flapping: false,
        history: vec![Change { at, state: OrderState::Opened, by: "buttonwatch".to_owned(), why: Reason::AllClear }],
    }
}

/// An order's life in three mails, each to two addresses of its crew.
fn thread() -> Vec<Mail> {
    let unit = Unit {
        unit: UnitId::parse("PSH-018").expect("valid"),
        name: BAZAAR.into(),
        site: SiteId::parse(BAZAAR).expect("valid"),
        site_type: "market".into(),
        city: City::parse("Peshawar").expect("valid"),
        district: None,
        address: "سینما روڈ".into(),
        position: Some((34.0, 71.5)),
        crew: CrewId::parse(CREW).expect("valid"),
        uplink: None,
        feeder: None,
        model: "PB-200".into(),
        heartbeat: None,
        commissioned: None,
        contact: "گل خان 0300-1234567".into(),
    };
    let fleet = Fleet::new(vec![unit]);
    let from = Mailbox { name: Some("Buttonwatch".to_owned()), address: "buttonwatch@example.org".to_owned() };
    let to =
        ["imran", "bilal"].map(|name| Mailbox { name: Some(CREW.to_owned()), address: format!("{name}@{DOMAIN}") });
    let zone = chrono_tz::Asia::Karachi;
    let id = |n: u32| MessageId::parse(&format!("<wo-000042.{n}@example.org>")).expect("valid");
    [
        (NoticeKind::OrderOpened, OrderState::Opened),
        (NoticeKind::OrderReopened, OrderState::Reopened),
        (NoticeKind::OrderClosed, OrderState::Closed),
    ]
    .into_iter()
    .zip(1..)
    .map(|((kind, state), n)| {
        let notice = Notice {
            at: order(state).opened_at + Duration::from_secs(60 * u64::from(n)),
            kind,
            to: Recipient::Crew(CrewId::parse(CREW).expect("valid")),
            message_id: id(n),
            in_reply_to: (n > 1).then(|| id(1)),
            references: Vec::new(),
            why: NoticeReason::AllClear,
            reason: "no heartbeat for 6 min".to_owned(),
            orders: vec![order(state)],
            incident: None,
            incidents: Vec::new(),
            report: None,
        };
        render_notice(
            &notice,
            &MailContext {
                fleet: &fleet,
                zone,
                base_url: None,
                links: &[],
                from: &from,
                to: &to,
                others: &[],
                pictures: &[],
                templates: &Templates::default(),
            },
        )
        .expect("our templates")
    })
    .collect()
}

fn config(server: &Postfix, tls: SmtpTls, password: &str) -> SmtpConfig {
    SmtpConfig {
        host: "localhost".to_owned(),
        port: match tls {
            SmtpTls::StartTls | SmtpTls::None => server.starttls,
            SmtpTls::Implicit => server.implicit,
        },
        tls,
        trusted_pem: Some(server.certificate_pem.clone()),
        login: Some(SmtpLogin { user: USER.to_owned(), password: password.to_owned() }),
        timeout: Duration::from_secs(30),
    }
}

fn post(server: &Postfix, tls: SmtpTls) -> Post {
    Post::smtp(config(server, tls, PASSWORD)).expect("good settings")
}

/// As Python's mail library reads them, by Message-ID.
fn read_back(files: &[PathBuf]) -> Vec<Value> {
    const SCRIPT: &str = r#"
import email, email.policy, json, pathlib, sys
out = []
for path in sys.argv[1:]:
    mail = email.message_from_bytes(pathlib.Path(path).read_bytes(), policy=email.policy.default)
    out.append({
        "id": mail["Message-ID"], "reply": mail["In-Reply-To"], "references": mail["References"],
        "subject": mail["Subject"], "from": mail["From"].addresses[0].addr_spec,
        "to": [[a.display_name, a.addr_spec] for a in mail["To"].addresses],
        "auto": mail["Auto-Submitted"], "list": mail["List-Id"], "for": mail["Delivered-To"],
        "defects": [str(d) for p in mail.walk() for d in p.defects],
        "text": mail.get_body(("plain",)).get_content(), "html": mail.get_body(("html",)).get_content(),
    })
print(json.dumps(sorted(out, key=lambda m: m["id"])))
"#;
    let output = Command::new("python3").arg("-c").arg(SCRIPT).args(files).output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test]
async fn an_orders_mails_come_through_a_real_server_whole_and_as_one_thread() {
    let Some(server) = Postfix::start(&["imran", "bilal"]) else { return };
    let mails = thread();
    // The first and second over one way, the third over the other: the thread does not mind.
    let (starttls, implicit) = (post(&server, SmtpTls::StartTls), post(&server, SmtpTls::Implicit));
    for (mail, post) in mails.iter().zip([&starttls, &starttls, &implicit]) {
        let delivered = post.deliver(&to_message(mail).expect("packs")).await.expect("taken");
        assert!(delivered.refused.is_empty() && delivered.deferred.is_empty(), "{delivered:?}");
    }
    for name in ["imran", "bilal"] {
        let read = read_back(&server.mails_of(name, mails.len()));
        assert_eq!(read.len(), mails.len());
        for (mail, read) in mails.iter().zip(&read) {
            assert_eq!(read["for"], format!("{name}@{DOMAIN}"));
            assert_eq!(read["id"], mail.message_id.as_str());
            assert_eq!(read["subject"], mail.subject.as_str());
            assert!(mail.subject.contains(BAZAAR) && mail.text.contains("سینما روڈ"), "{}", mail.subject);
            assert_eq!(read["from"], "buttonwatch@example.org");
            let to = serde_json::json!([[CREW, format!("imran@{DOMAIN}")], [CREW, format!("bilal@{DOMAIN}")]]);
            assert_eq!(read["to"], to);
            assert_eq!(read["auto"], "auto-generated");
            assert!(read["list"].as_str().expect("List-Id").contains("<work-orders.example.org>"));
            assert_eq!(read["defects"], serde_json::json!([]));
            let lines = |text: &str| text.replace("\r\n", "\n").trim_end().to_owned();
            assert_eq!(lines(read["text"].as_str().expect("text")), lines(&mail.text));
            assert_eq!(lines(read["html"].as_str().expect("html")), lines(&mail.html));
            let answers = mail.in_reply_to.as_ref().map_or(Value::Null, |first| Value::from(first.as_str()));
            assert_eq!((&read["reply"], &read["references"]), (&answers, &answers));
        }
    }
    let log = server.log();
    assert_eq!(log.matches(&format!("sasl_username={USER}@localhost")).count(), mails.len(), "{log}");
    assert!(log.matches("connect from localhost").count() >= 2, "{log}");
}

#[tokio::test]
async fn a_real_server_refuses_one_unknown_address_and_a_wrong_password_by_name() {
    // Bilal has no mailbox.
    let Some(server) = Postfix::start(&["imran"]) else { return };
    let message = to_message(&thread()[0]).expect("packs");
    let delivered = post(&server, SmtpTls::StartTls).deliver(&message).await.expect("imran has it");
    let [refused] = delivered.refused.as_slice() else { panic!("{delivered:?}") };
    assert_eq!((refused.recipient.as_str(), refused.code), ("bilal@crews.example", 550));
    assert!(refused.text.starts_with("5.1.1 <bilal@crews.example>"), "{}", refused.text);
    let read = read_back(&server.mails_of("imran", 1));
    assert_eq!((read.len(), &read[0]["to"].as_array().map(Vec::len)), (1, &Some(2)), "To names both all the same");

    let wrong = Post::smtp(config(&server, SmtpTls::StartTls, "wrong")).expect("good settings");
    let error = wrong.deliver(&message).await.expect_err("refused");
    assert!(error.retry && error.code == Some(535) && error.text.contains("check user and password"), "{error:?}");
    let stranger = SmtpConfig { trusted_pem: None, ..config(&server, SmtpTls::Implicit, PASSWORD) };
    let error = Post::smtp(stranger).expect("good settings").deliver(&message).await.expect_err("refused");
    assert!(error.retry && error.text.contains("certificate"), "{error:?}");
}
