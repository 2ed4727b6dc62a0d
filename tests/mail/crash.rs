//! Mails through the worst day: the real program is killed with -9 twenty times, at each step of sending in turn, and the
//! mail server is killed, answers 4xx for a while, puts one address off, refuses one address for good. In the end every
//! mail that was decided has arrived at every address that is not refused, each under one Message-ID.
//!
//! Needs python3 with aiosmtpd: `python3 -m pip install aiosmtpd`. With `CI=true` it fails without them.

use crate::process;
use crate::smtp_faults;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use buttonwatch::domain::view::OutboxRow;
use buttonwatch::domain::{AddressState, Timestamp};
use bytes::BytesMut;
use process::{Service, cli, free_port_pair, millis_now, wait_until};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Connect, Packet, Publish};
use serde_json::Value;
use smtp_faults::Server;

const UNITS: usize = 30;
/// Its second address is refused for good.
const GONE: usize = 28;
/// Its second address is put off for a while.
const LATE: usize = 29;

const RULES: &str = r#"
[[rule]]
id = "camera-failed"
component = "camera"
severity = "critical"
result = { test = "camera", is = "fail", consecutive = 1 }
summary = "camera test failed"
order = { priority = "P1", action = "Clean the lens" }
"#;

/// Every crew has one unit and two addresses: a mail is known by whom it is for.
fn addresses(unit: usize) -> [String; 2] {
    let second = match unit {
        GONE => "gone".to_owned(),
        LATE => "late".to_owned(),
        n => format!("b{n}"),
    };
    [format!("a{unit}@crews.example"), format!("{second}@crews.example")]
}

/// The service, the mail server, and how often the service was killed at which step.
struct Day {
    dir: tempfile::TempDir,
    gateway: SocketAddr,
    http: SocketAddr,
    service: Option<Service>,
    server: Server,
    next_unit: usize,
    kills: Vec<&'static str>,
}

impl Drop for Day {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("killed at {:?}; the service's log:", self.kills);
            println!("{}", std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default());
        }
    }
}

impl Day {
    /// `per_minute`: how many mails the server may be given.
    fn begin(per_minute: u32) -> Option<Day> {
        let dir = tempfile::tempdir().expect("scratch folder");
        let keep = dir.path().join("arrived").display().to_string();
        // Of another process after a crash of the server: it begins with what it was started with.
        let server = Server::start(&["temporary", "--keep", &keep])?;
        let (gateway, http) = free_port_pair();
        let mut fleet = "unit,site,city,crew\n".to_owned();
        let mut settings = format!(
            "fleet = \"fleet.csv\"\nrules = \"alerts.toml\"\ndata = \"data\"\n[gateway]\nlisten = \"{gateway}\"\n\
             [bus]\nlisten = \"off\"\n[mail]\nfrom = \"buttonwatch@example.org\"\noperator = \"operator@example.org\"\n\
             [mail.smtp]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nper_minute = {per_minute}\n\
             retry_after = \"1s\"\nretry_at_most = \"1s\"\n",
            server.port()
        );
        for n in 0..UNITS {
            fleet += &format!("U{n},Site {n},Peshawar,crew-{n}\n");
            settings += &format!("[crew.crew-{n}]\nmail = {:?}\n", addresses(n));
        }
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("scratch folder");
        write("fleet.csv", &fleet);
        write("alerts.toml", RULES);
        write("buttonwatch.toml", &settings);
        Some(Day { dir, gateway, http, service: None, server, next_unit: 0, kills: Vec::new() })
    }

    fn service(&mut self) -> &Service {
        let (dir, http) = (self.dir.path(), self.http);
        self.service.get_or_insert_with(|| Service::start(dir, &["--config", "buttonwatch.toml"], http))
    }

    /// One more unit's camera fails: a P1 order, a mail to its crew.
    fn decide(&mut self) {
        let unit = self.next_unit;
        self.next_unit += 1;
        self.decide_for(unit);
    }

    fn decide_for(&mut self, unit: usize) {
        self.service();
        wait_until("the unit's failed test is acknowledged", || report_failure(self.gateway, unit).is_ok());
    }

    /// The server stands still at `step`, a mail comes there, and the service is killed. The next start goes on with it.
    fn kill_at(&mut self, mode: &str, step: &'static str) {
        // Of a line that is kept open there is no connect and no EHLO: those are met by a service that has just started.
        if mode.starts_with("accept") && !["connect", "ehlo"].contains(&step) {
            self.let_all_through(mode);
        }
        self.server.tell(mode, Some(step));
        self.decide();
        self.server.next("held");
        // A `Service` that is dropped is killed with -9.
        self.service = None;
        self.kills.push(step);
    }

    /// What earlier kills left behind arrives, so that what comes next is met by a fresh mail.
    fn let_all_through(&mut self, mode: &str) {
        self.server.tell(mode, None);
        if self.next_unit > 0 {
            let late = format!("crew-{LATE}");
            self.wait_for_outbox("nothing waits but who is put off", |rows| {
                rows.iter().all(|r| r.state != "waiting" || r.to == late)
            });
        }
    }

    fn outbox(&mut self) -> Vec<OutboxRow> {
        serde_json::from_value(self.service().json("/api/v1/outbox")).unwrap_or_default()
    }

    fn wait_for_outbox(&mut self, what: &str, is_true: impl Fn(&[OutboxRow]) -> bool) {
        wait_until(what, || {
            let rows = self.outbox();
            !rows.is_empty() && is_true(&rows)
        });
    }
}

/// One selftest over MQTT, QoS 1. Ok: it is acknowledged, so it was judged and is in the store.
fn report_failure(gateway: SocketAddr, unit: usize) -> std::io::Result<()> {
    let mut socket = TcpStream::connect(gateway)?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    let at = millis_now();
    let json = format!(r#"{{"ts":{at},"boot":1,"seq":1,"results":{{"camera":{{"result":"fail"}}}}}}"#);
    let mut publish = Publish::new(format!("buttonwatch/v1/U{unit}/selftest"), QoS::AtLeastOnce, json);
    publish.pkid = 1;
    let mut out = BytesMut::new();
    Connect::new(format!("U{unit}")).write(&mut out).expect("a small packet");
    publish.write(&mut out).expect("a small packet");
    socket.write_all(&out)?;
    let mut input = BytesMut::new();
    let mut chunk = [0u8; 1024];
    loop {
        while let Ok(packet) = Packet::read(&mut input, 65_536) {
            if let Packet::PubAck(_) = packet {
                return Ok(());
            }
        }
        match socket.read(&mut chunk)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => input.extend_from_slice(&chunk[..n]),
        }
    }
}

/// What the server has said "250" to: Message-ID and To header, then every address with how often it came there.
fn arrived(dir: &Path) -> BTreeMap<(String, String), BTreeMap<String, usize>> {
    let text = std::fs::read_to_string(dir.join("arrived")).expect("the server keeps what it took");
    let mut mails: BTreeMap<(String, String), BTreeMap<String, usize>> = BTreeMap::new();
    for line in text.lines() {
        let mail: Value = serde_json::from_str(line).expect("JSON");
        let text = |key: &str| mail[key].as_str().expect("a header").split_whitespace().collect::<Vec<_>>().join(" ");
        let each = mails.entry((text("id"), text("to"))).or_default();
        for address in mail["envelope"].as_array().expect("a list") {
            *each.entry(address.as_str().expect("an address").to_owned()).or_default() += 1;
        }
    }
    mails
}

#[test]
fn twenty_kills_at_every_step_of_sending_lose_no_mail_and_none_has_two_ids() {
    let Some(mut day) = Day::begin(10_000) else { return };

    for step in ["connect", "ehlo", "mail", "rcpt", "rcpt2", "data", "text", "end", "answered"] {
        day.kill_at("accept", step);
    }

    // The mail server dies with the text in its hands, and is away for a while.
    day.let_all_through("accept");
    day.server.tell("accept", Some("end"));
    day.decide();
    day.server.next("held");
    day.server.kill();
    day.decide();
    day.wait_for_outbox("nobody answers, and both mails wait", |rows| {
        rows.iter().filter(|r| r.state == "waiting" && r.tries > 0).count() == 2
    });

    // It is back on the same port, and answers 4xx to everything: the hour before its disk was mended, in short.
    day.server.restart();
    for step in ["mail", "rcpt2", "data", "end"] {
        day.kill_at("temporary", step);
    }
    day.server.tell("temporary", None);
    day.wait_for_outbox("mails are tried again and again", |rows| {
        let waiting: Vec<&OutboxRow> = rows.iter().filter(|r| r.state == "waiting").collect();
        waiting.len() >= 6 && waiting.iter().all(|r| r.tries >= 3 && r.addresses.len() == 2)
    });

    // One address of a crew is put off, one of another does not exist: their colleagues do not wait.
    let mode = "accept greylist-late no-gone";
    day.server.tell(mode, None);
    day.decide_for(LATE);
    day.decide_for(GONE);
    day.wait_for_outbox("each is known by its address", |rows| {
        let states = |unit: usize| {
            let row = rows.iter().find(|r| r.to == format!("crew-{unit}"))?;
            Some((row.state.clone(), row.addresses.iter().map(|a| a.state).collect::<Vec<_>>()))
        };
        use AddressState::{Delivered, Refused, Waiting};
        states(LATE) == Some(("waiting".to_owned(), vec![Delivered, Waiting]))
            && states(GONE) == Some(("partly-sent".to_owned(), vec![Delivered, Refused]))
    });
    for step in ["rcpt", "end", "answered"] {
        day.kill_at(mode, step);
    }
    for step in ["ehlo", "rcpt2", "text", "answered"] {
        day.kill_at("accept no-gone", step);
    }
    assert_eq!(day.kills.len(), 20);

    day.let_all_through("accept no-gone");
    day.wait_for_outbox("nothing waits", |rows| rows.iter().all(|r| r.state != "waiting"));
    let rows = day.outbox();
    let decided = day.next_unit + 2;
    check_outbox(&rows, decided);
    check_arrivals(&rows, &arrived(day.dir.path()), &day.kills);

    let gone = rows.iter().find(|r| r.to == format!("crew-{GONE}")).expect("it was decided");
    let shown = cli(day.service(), &["outbox", "show", gone.message_id.trim_matches(['<', '>'])]);
    let said = "gone@crews.example, ";
    assert!(
        shown.out.lines().any(|l| l.contains("refused") && l.contains(said) && l.contains("550 5.1.1")),
        "{shown:?}"
    );
    let listed = cli(day.service(), &["outbox", "list"]);
    assert!(listed.out.contains("partly-sent") && listed.out.contains("reached 1 of 2 addresses"), "{listed:?}");

    // The operator mends the address: only who had no mail gets one.
    day.server.tell("accept", None);
    assert!(cli(day.service(), &["outbox", "retry", "--refused"]).status.success());
    day.wait_for_outbox("the last one has it", |rows| rows.iter().all(|r| r.state == "sent"));
    let arrived = arrived(day.dir.path());
    let (_, of_gone) = arrived.iter().find(|((id, _), _)| *id == gone.message_id).expect("it arrived");
    assert_eq!(of_gone.values().copied().collect::<Vec<_>>(), [1, 1], "{of_gone:?}");
    day.service.take().expect("it runs").stop();
}

#[test]
fn more_mails_than_the_server_may_be_given_within_a_minute_wait_for_their_turn() {
    let Some(mut day) = Day::begin(2) else { return };
    day.server.tell("accept", None);
    for _ in 0..3 {
        day.decide();
    }
    let log = day.dir.path().join("log");
    wait_until("the third waits", || {
        std::fs::read_to_string(&log).is_ok_and(|text| text.contains("[mail.smtp] per_minute is reached"))
    });
    let rows = day.outbox();
    let states: Vec<(&str, u32)> = rows.iter().map(|r| (r.state.as_str(), r.tries)).collect();
    assert_eq!(states, [("sent", 1), ("sent", 1), ("waiting", 0)]);
    assert_eq!(arrived(day.dir.path()).len(), 2);
    // It is lost in no crash either. The count begins anew, so that nobody has to wait for a minute here.
    day.service = None;
    day.wait_for_outbox("the third is sent", |rows| rows.iter().all(|r| r.state == "sent"));
    assert_eq!(arrived(day.dir.path()).len(), 3);
}

/// One mail a decision, and each of its addresses accounted for.
fn check_outbox(rows: &[OutboxRow], decided: usize) {
    assert_eq!(rows.len(), decided, "{rows:?}");
    let crews: BTreeSet<&str> = rows.iter().map(|r| r.to.as_str()).collect();
    let ids: BTreeSet<&str> = rows.iter().map(|r| r.message_id.as_str()).collect();
    assert_eq!((crews.len(), ids.len()), (decided, decided), "{rows:?}");
    for row in rows {
        let all_have_it =
            row.addresses.iter().all(|a| a.state == AddressState::Delivered && a.at > Some(Timestamp::MIN));
        let is_gone = row.to == format!("crew-{GONE}");
        assert_eq!((row.state.as_str(), all_have_it), if is_gone { ("partly-sent", false) } else { ("sent", true) });
    }
}

/// `arrived` is the server's own account.
fn check_arrivals(
    rows: &[OutboxRow],
    arrived: &BTreeMap<(String, String), BTreeMap<String, usize>>,
    kills: &[&'static str],
) {
    let known: BTreeSet<&str> = rows.iter().map(|r| r.message_id.as_str()).collect();
    let came: Vec<&str> = arrived.keys().map(|(id, _)| id.as_str()).collect();
    assert!(came.iter().all(|id| known.contains(id)), "a mail that nobody decided: {came:?}");
    assert_eq!(came.len(), known.len(), "one To header and one id for each mail, and none is lost: {came:?}");
    let mut twice = 0;
    for row in rows {
        let ((_, to), by_address) =
            arrived.iter().find(|((id, _), _)| *id == row.message_id).expect("all ids came, as many as there are");
        let unit: usize = row.to.trim_start_matches("crew-").parse().expect("its number");
        let meant = addresses(unit);
        assert!(meant.iter().all(|address| to.contains(address.as_str())), "{to}");
        let got: BTreeSet<&str> = by_address.keys().map(String::as_str).collect();
        let want: BTreeSet<&str> = meant.iter().map(String::as_str).filter(|a| *a != "gone@crews.example").collect();
        assert_eq!(got, want, "{row:?}");
        twice += usize::from(by_address.values().any(|n| *n > 1));
        assert!(by_address.values().all(|n| *n <= 2), "{by_address:?}");
    }
    println!("{} mails, {twice} of them twice under their one id, {} kills", rows.len(), kills.len());
    // Only a service that dies between the server's answer and its own mark sends a mail again.
    let between = kills.iter().filter(|step| **step == "answered").count();
    assert!(twice <= between, "{twice} mails came twice, {between} kills can explain it");
}
