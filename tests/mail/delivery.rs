//! From a notice to a mail in someone's box: packed, sent, read back with other people's programs.
//!
//! Needs python3 with aiosmtpd: `python3 -m pip install aiosmtpd`. With `CI=true` it fails without them.

use crate::smtp_faults;

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use buttonwatch::domain::order::{Change, Evidence};
use buttonwatch::domain::{
    City, Component, CrewId, Fleet, MessageId, Notice, NoticeKind, NoticeReason, Order, OrderId, OrderState, Priority,
    Reason, Recipient, SiteId, Subject, Timestamp, Unit, UnitId,
};
use buttonwatch::io::smtp::{Delivered, DeliveryError, PackError, Post, SmtpConfig, SmtpLogin, SmtpTls, to_message};
use buttonwatch::render::mail::{Mail, MailContext, Mailbox, Templates, render_notice};
use lettre::Message;
use mail_parser::MessageParser;
use serde_json::{Value, json};
use smtp_faults::{PATIENCE, Server, python_has};

fn mailbox(name: &str, address: &str) -> Mailbox {
    Mailbox { name: Some(name.to_owned()), address: address.to_owned() }
}

fn order(state: OrderState) -> Order {
    let at = Timestamp::parse("2026-11-21T09:00:05Z").expect("valid");
    Order {
        id: OrderId::new(42),
        subject: Subject::Unit { unit: UnitId::parse("PSH-018").expect("valid"), component: Component::Uplink },
        priority: Priority::P1,
        state,
        crew: CrewId::parse("east").expect("valid"),
        site: Some(SiteId::parse("قصہ خوانی بازار").expect("valid")),
        opened_at: at,
        due_at: Some(at + Duration::from_secs(4 * 3600)),
        closed_at: (!state.is_open()).then(|| at + Duration::from_secs(600)),
        summary: "no heartbeat for 6 min".to_owned(),
        action: "Check power at the pole, then the link".to_owned(),
        parts: vec!["SIM".to_owned()],
        suspects: Vec::new(),
        evidence: vec![Evidence::Said("link.rssi -107 dBm is below -100 dBm".to_owned())],
        rules: Vec::new(),
        units: Vec::new(),
        relapses: 0,
        reading: None,
        flapping: false,
        history: vec![Change { at, state: OrderState::Opened, by: "buttonwatch".to_owned(), why: Reason::AllClear }],
    }
}

fn notice(kind: NoticeKind, number: u32, state: OrderState) -> Notice {
    let id = |n: u32| MessageId::parse(&format!("<wo-000042.{n}@buttons.example>")).expect("valid");
    Notice {
        at: order(state).opened_at + Duration::from_secs(60 * u64::from(number - 1)),
        kind,
        to: Recipient::Crew(CrewId::parse("east").expect("valid")),
        message_id: id(number),
        in_reply_to: (number > 1).then(|| id(1)),
        references: Vec::new(),
        why: NoticeReason::Asked,
        reason: "no heartbeat for 6 min".to_owned(),
        orders: vec![order(state)],
        incident: None,
        incidents: Vec::new(),
        report: None,
    }
}

/// An order's three mails, of which the second and third answer the first.
fn thread() -> Vec<Mail> {
    [
        notice(NoticeKind::OrderOpened, 1, OrderState::Opened),
        notice(NoticeKind::OrderReopened, 2, OrderState::Reopened),
        notice(NoticeKind::OrderClosed, 3, OrderState::Closed),
    ]
    .iter()
    .map(|n| {
        render(n, &[mailbox("Peshawar East, قصہ", "imran@crews.example"), mailbox("Bilal", "bilal@crews.example")])
    })
    .collect()
}

fn render(notice: &Notice, to: &[Mailbox]) -> Mail {
    let fleet = Fleet::new(vec![Unit {
        unit: UnitId::parse("PSH-018").expect("valid"),
        name: "قصہ خوانی بازار\r\nBcc: everyone@example.org".into(),
        site: SiteId::parse("قصہ خوانی بازار").expect("valid"),
        site_type: "market".into(),
        city: City::parse("Peshawar").expect("valid"),
        district: None,
        address: "سینما روڈ".into(),
        position: Some((34.0, 71.5)),
        crew: CrewId::parse("east").expect("valid"),
        uplink: None,
        feeder: None,
        model: "PB-200".into(),
        heartbeat: None,
        commissioned: None,
        contact: "گل خان 0300-1234567".into(),
    }]);
    let from = mailbox("Buttonwatch\r\nX-Evil: yes", "buttonwatch@buttons.example");
    let zone = chrono_tz::Asia::Karachi;
    render_notice(
        notice,
        &MailContext {
            fleet: &fleet,
            zone,
            base_url: None,
            links: &[],
            others: &[],
            pictures: &[],
            from: &from,
            to,
            templates: &Templates::default(),
        },
    )
    .expect("our templates")
}

fn message() -> Message {
    to_message(&thread()[0]).expect("packs")
}

#[test]
fn another_parser_reads_back_what_was_rendered() {
    let mails = thread();
    for mail in &mails {
        let bytes = to_message(mail).expect("packs").formatted();
        assert_eq!(to_message(mail).expect("packs").formatted(), bytes, "the same mail, the same bytes");
        assert!(bytes.is_ascii() && bytes.split(|b| *b == b'\n').all(|l| l.len() <= 998));
        let read = MessageParser::default().parse(&bytes).expect("parses");
        assert_eq!(read.subject(), Some(mail.subject.as_str()));
        assert_eq!(read.message_id().map(|id| format!("<{id}>")).as_deref(), Some(mail.message_id.as_str()));
        assert_eq!(read.body_text(0).expect("text").replace("\r\n", "\n"), mail.text);
        assert_eq!(read.body_html(0).expect("html").replace("\r\n", "\n"), mail.html);
        assert_eq!((read.text_body_count(), read.html_body_count(), read.attachment_count()), (1, 1, 0));
        assert_eq!(read.date().map(|d| d.to_timestamp() * 1000), Some(mail.date.as_millis() / 1000 * 1000));
        let to: Vec<_> = read.to().expect("to").iter().map(|a| (a.name(), a.address())).collect();
        let want: Vec<_> = mail.to.iter().map(|m| (m.name.as_deref(), Some(m.address.as_str()))).collect();
        assert_eq!(to, want);
        assert_eq!(read.header_raw("Auto-Submitted").map(str::trim), Some("auto-generated"));
        assert!(read.header_raw("List-Id").expect("List-Id").contains("<work-orders.buttons.example>"));
        assert!(read.header("Bcc").is_none() && read.header("X-Evil").is_none());
        let first = mails[0].message_id.as_str().trim_matches(['<', '>']);
        let answers = (mail.message_id != mails[0].message_id).then_some(first);
        assert_eq!(read.in_reply_to().as_text(), answers);
        assert_eq!(read.references().as_text(), answers);
    }
}

#[test]
fn pythons_mail_library_sees_one_thread() {
    if !python_has("email") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (i, mail) in thread().iter().enumerate() {
        std::fs::write(folder.path().join(format!("{i}.eml")), to_message(mail).expect("packs").formatted())
            .expect("writes");
    }
    let script = r#"
import email, email.policy, json, pathlib, sys
out = []
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.eml")):
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    out.append({
        "id": mail["Message-ID"], "reply": mail["In-Reply-To"], "references": mail["References"],
        "subject": mail["Subject"], "defects": [str(d) for p in mail.walk() for d in p.defects],
        "headers": sorted(k.lower() for k in mail.keys()),
        "text": mail.get_body(("plain",)).get_content(), "html": mail.get_body(("html",)).get_content(),
    })
print(json.dumps(out))
"#;
    let output = Command::new("python3").arg("-c").arg(script).arg(folder.path()).output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let mails = thread();
    assert_eq!(read.len(), mails.len());
    for (mail, read) in mails.iter().zip(&read) {
        assert_eq!(read["id"], mail.message_id.as_str());
        assert_eq!(read["subject"], mail.subject.as_str());
        assert_eq!(read["defects"], json!([]));
        assert_eq!(read["text"].as_str().expect("text").replace("\r\n", "\n").trim_end(), mail.text.trim_end());
        assert_eq!(read["html"].as_str().expect("html").replace("\r\n", "\n").trim_end(), mail.html.trim_end());
        assert!(!read["headers"].as_array().expect("a list").iter().any(|h| h == "bcc" || h == "x-evil"));
        let answers = if mail.in_reply_to.is_some() { Value::from(mails[0].message_id.as_str()) } else { Value::Null };
        assert_eq!((&read["reply"], &read["references"]), (&answers, &answers));
        let base = mails[0].subject.as_str();
        assert_eq!(read["subject"].as_str().expect("a subject").trim_start_matches("Re: "), base);
    }
}

#[test]
fn a_mail_to_nobody_or_to_no_address_is_refused_with_the_remedy() {
    let opened = notice(NoticeKind::OrderOpened, 1, OrderState::Opened);
    let error = to_message(&render(&opened, &[])).expect_err("nobody");
    assert!(
        matches!(error, PackError::NoRecipient) && error.to_string().contains("give its crew an address"),
        "{error}"
    );
    for bad in ["", "imran", "imran@", "a b@example.org", "a@b\r\nBcc: c@d"] {
        let error = to_message(&render(&opened, &[mailbox("Imran", bad)])).expect_err(bad);
        assert!(matches!(error, PackError::BadAddress { .. }), "{bad:?}: {error}");
    }
}

#[tokio::test]
async fn in_folder_mode_a_mail_is_one_file_however_often_it_is_delivered() {
    let folder = tempfile::tempdir().expect("a folder");
    let below = folder.path().join("out/mail");
    let post = Post::Folder(below.clone());
    for _ in 0..3 {
        for mail in thread() {
            post.deliver(&to_message(&mail).expect("packs")).await.expect("written");
        }
    }
    let mut names: Vec<String> = std::fs::read_dir(&below)
        .expect("lists")
        .map(|e| e.expect("an entry").file_name().into_string().expect("ASCII"))
        .collect();
    names.sort();
    assert_eq!(names, ["wo-000042.1.eml", "wo-000042.2.eml", "wo-000042.3.eml"]);
    let bytes = std::fs::read(below.join("wo-000042.1.eml")).expect("reads");
    assert_eq!(bytes, message().formatted());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_worth_another_try() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a-file");
    std::fs::write(&file, "x").expect("writes");
    let error = Post::Folder(file.clone()).deliver(&message()).await.expect_err("not a folder");
    assert!(error.retry && error.text.contains(&file.display().to_string()), "{error:?}");
}

fn config(server: &Server) -> SmtpConfig {
    SmtpConfig {
        host: "localhost".to_owned(),
        port: server.port(),
        tls: SmtpTls::None,
        trusted_pem: None,
        login: None,
        timeout: PATIENCE,
    }
}

fn post(server: &Server) -> Post {
    Post::smtp(config(server)).expect("good settings")
}

async fn refused(post: &Post) -> DeliveryError {
    post.deliver(&message()).await.expect_err("refused")
}

#[tokio::test]
async fn an_accepted_mail_arrives_whole_and_the_line_is_used_again() {
    let Some(server) = Server::start(&["accept"]) else { return };
    let post = post(&server);
    let mut connections = Vec::new();
    for mail in thread() {
        let message = to_message(&mail).expect("packs");
        assert_eq!(post.deliver(&message).await.expect("accepted").refused, []);
        let arrived = server.next("mail");
        assert_eq!(arrived["to"], json!(["imran@crews.example", "bilal@crews.example"]));
        let text = arrived["text"].as_str().expect("text");
        assert_eq!(text.trim_end(), String::from_utf8(message.formatted()).expect("ASCII").trim_end());
        connections.push(arrived["connection"].clone());
    }
    assert!(connections.iter().all(|c| *c == connections[0]), "{connections:?}");
}

#[tokio::test]
async fn a_line_that_the_server_closed_in_the_meantime_is_opened_anew() {
    let Some(server) = Server::start(&["drop-idle"]) else { return };
    let post = post(&server);
    for _ in 0..3 {
        post.deliver(&message()).await.expect("accepted");
        server.next("mail");
        server.next("closed");
    }
}

#[tokio::test]
async fn a_temporary_refusal_is_tried_again() {
    for (mode, code) in [("temporary", 451), ("greylist", 450)] {
        let Some(server) = Server::start(&[mode]) else { return };
        let error = refused(&post(&server)).await;
        assert!(error.retry && error.code == Some(code), "{mode}: {error:?}");
        let by_name: Vec<_> = error.deferred.iter().map(|d| (d.recipient.as_str(), d.code)).collect();
        let both = [("imran@crews.example", 450), ("bilal@crews.example", 450)];
        assert_eq!(by_name, if mode == "greylist" { both.to_vec() } else { Vec::new() }, "{error:?}");
        assert!(error.text.lines().count() == 1 && error.text.contains("localhost"), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_for_good_is_kept_for_the_operator() {
    for (mode, code) in [("refuse", 554), ("no-user", 550)] {
        let Some(server) = Server::start(&[mode]) else { return };
        let error = refused(&post(&server)).await;
        assert!(!error.retry && error.code == Some(code), "{mode}: {error:?}");
        assert!(mode != "no-user" || error.text.contains("imran@crews.example"), "{error}");
    }
}

#[tokio::test]
async fn one_bad_address_does_not_keep_the_mail_from_the_others() {
    let Some(server) = Server::start(&["no-bilal"]) else { return };
    let delivered = post(&server).deliver(&message()).await.expect("imran has it");
    assert_eq!(server.next("mail")["to"], json!(["imran@crews.example"]));
    let refused: Vec<_> = delivered.refused.iter().map(|r| (r.recipient.as_str(), r.code)).collect();
    assert_eq!(refused, [("bilal@crews.example", 550)]);
    assert_eq!(delivered.refused[0].text, "5.1.1 no such user here");
}

#[tokio::test]
async fn one_who_is_put_off_gets_the_same_mail_alone_later() {
    let Some(mut server) = Server::start(&["greylist-bilal"]) else { return };
    let post = post(&server);
    let delivered = post.deliver(&message()).await.expect("imran has it");
    let deferred: Vec<_> = delivered.deferred.iter().map(|d| (d.recipient.as_str(), d.code)).collect();
    assert_eq!((deferred, delivered.refused.len()), (vec![("bilal@crews.example", 450)], 0));
    let first = server.next("mail");
    server.tell("accept", None);
    let delivered = post.deliver_to(&message(), |to| to.starts_with("bilal@")).await.expect("bilal has it");
    assert_eq!(delivered, Delivered::default());
    let second = server.next("mail");
    assert_eq!([&first["to"], &second["to"]], [&json!(["imran@crews.example"]), &json!(["bilal@crews.example"])]);
    assert_eq!(first["text"], second["text"], "the same Message-ID, the same To, to the last byte");
}

#[tokio::test]
async fn a_text_that_is_not_taken_leaves_what_is_known_of_each_address() {
    let Some(mut server) = Server::start(&["no-bilal"]) else { return };
    server.tell("temporary no-bilal", None);
    let error = refused(&post(&server)).await;
    let refused: Vec<_> = error.refused.iter().map(|r| r.recipient.as_str()).collect();
    assert!(error.retry && error.code == Some(451) && refused == ["bilal@crews.example"], "{error:?}");
}

#[tokio::test]
async fn a_connection_lost_in_the_text_is_tried_again_under_the_same_id() {
    let Some(server) = Server::start(&["drop-in-data"]) else { return };
    let post = post(&server);
    for _ in 0..2 {
        let error = refused(&post).await;
        assert!(error.retry && error.code.is_none(), "{error:?}");
        assert_eq!(server.next("header")["line"], "Message-ID: <wo-000042.1@buttons.example>");
    }
}

#[tokio::test]
async fn a_server_that_hangs_costs_the_timeout_and_no_more() {
    for mode in ["hang-at-once", "hang-in-data"] {
        let Some(server) = Server::start(&[mode]) else { return };
        let post = Post::smtp(SmtpConfig { timeout: Duration::from_millis(700), ..config(&server) }).expect("settings");
        for _ in 0..2 {
            let start = Instant::now();
            let error = refused(&post).await;
            assert!(error.retry && error.text.contains("did not finish within 0.7 s"), "{mode}: {error:?}");
            assert!(start.elapsed() < PATIENCE, "{mode}");
            // A new line each time: one that was left half-way is never used again.
            server.next("connection");
        }
    }
}

#[tokio::test]
async fn nobody_listening_is_worth_another_try() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("bound").port();
    let config = SmtpConfig {
        host: "127.0.0.1".to_owned(),
        port: free,
        tls: SmtpTls::None,
        trusted_pem: None,
        login: None,
        timeout: PATIENCE,
    };
    let error = refused(&Post::smtp(config).expect("settings")).await;
    assert!(error.retry && error.text.contains(&format!("127.0.0.1:{free}: cannot connect")), "{error:?}");
}

/// A certificate for localhost: its PEM, and the files that the server reads.
fn certificate(folder: &Path) -> (Vec<u8>, String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("makes");
    let (pem, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::File::create(&path).and_then(|mut f| f.write_all(text.as_bytes())).expect("writes");
        path.to_str().expect("UTF-8").to_owned()
    };
    let paths = (write("cert.pem", &pem), write("key.pem", &key));
    (pem.into_bytes(), paths.0, paths.1)
}

#[tokio::test]
async fn tls_and_login_work_both_ways_and_a_stranger_is_not_trusted() {
    let folder = tempfile::tempdir().expect("a folder");
    let (pem, cert, key) = certificate(folder.path());
    for (word, tls) in [("starttls", SmtpTls::StartTls), ("implicit", SmtpTls::Implicit)] {
        let mut arguments = vec!["accept", "--tls", word, "--cert", &cert, "--key", &key];
        // aiosmtpd offers logins only on lines that it encrypted itself.
        if tls == SmtpTls::StartTls {
            arguments.extend(["--login", "buttonwatch:right"]);
        }
        let Some(server) = Server::start(&arguments) else { return };
        let login = |password: &str| {
            let login = SmtpLogin { user: "buttonwatch".to_owned(), password: password.to_owned() };
            (tls == SmtpTls::StartTls).then_some(login)
        };
        let config = SmtpConfig { tls, trusted_pem: Some(pem.clone()), login: login("right"), ..config(&server) };
        let good = Post::smtp(config.clone()).expect("settings");
        good.deliver(&message()).await.expect("accepted");
        let arrived = server.next("mail");
        assert_eq!(arrived["encrypted"], tls == SmtpTls::StartTls, "implicit TLS is below what aiosmtpd sees");

        let stranger = Post::smtp(SmtpConfig { trusted_pem: None, ..config.clone() }).expect("settings");
        let error = refused(&stranger).await;
        assert!(error.retry && error.text.contains("certificate"), "{error:?}");

        if tls == SmtpTls::StartTls {
            let wrong = Post::smtp(SmtpConfig { login: login("wrong"), ..config }).expect("settings");
            let error = refused(&wrong).await;
            // The mail waits until the password is mended.
            assert!(error.retry && error.code == Some(535), "{error:?}");
            assert!(error.text.contains("check user and password") && !error.text.contains("wrong\""), "{error}");
        }
    }
}

#[tokio::test]
async fn a_server_without_starttls_gets_no_password() {
    let Some(server) = Server::start(&["accept"]) else { return };
    let login = Some(SmtpLogin { user: "u".to_owned(), password: "secret".to_owned() });
    let config = SmtpConfig { tls: SmtpTls::StartTls, login, ..config(&server) };
    assert!(!format!("{config:?}").contains("secret"));
    let error = refused(&Post::smtp(config).expect("settings")).await;
    assert!(error.retry && error.text.contains("does not offer STARTTLS"), "{error:?}");
}

#[test]
fn a_certificate_file_that_is_none_is_found_at_the_start() {
    let config = SmtpConfig {
        host: "mail.example.org".to_owned(),
        port: 587,
        tls: SmtpTls::StartTls,
        trusted_pem: Some(b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n".to_vec()),
        login: None,
        timeout: PATIENCE,
    };
    let error = Post::smtp(config).expect_err("no certificate");
    assert!(error.text.contains("the TLS settings for mail.example.org:587 do not work"), "{error}");
}
