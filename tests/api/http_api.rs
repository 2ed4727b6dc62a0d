//! The HTTP API over real sockets, against a service with made-up answers: every path asks the right question, every
//! refusal is a problem with a remedy, and nothing that comes in stops it from serving the next one.

use crate::fake_service;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use crate::fake_service::{Fake, Running};
use buttonwatch::domain::query::Query;
use buttonwatch::domain::report::{ReportPeriod, ReportSpan};
use buttonwatch::domain::view::{Ask, AskError, MailMove};
use buttonwatch::domain::{
    City, Component, CrewId, MaintenanceScope, MessageId, OrderId, OrderMove, Role, SiteId, Timestamp, Token, UnitId,
};
use buttonwatch::io::http::{Http, HttpError, Service};
use proptest::prelude::*;
use serde_json::{Value, json};

const GENEROUS: Duration = Duration::from_secs(60);
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (n, v) = line.split_once(':')?;
            n.eq_ignore_ascii_case(name).then(|| v.trim())
        })
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e} in {:?}", String::from_utf8_lossy(&self.body)))
    }

    /// Checks the form that every refusal has.
    fn problem(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.head);
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        for field in ["type", "title", "detail", "remedy"] {
            assert!(problem[field].as_str().is_some_and(|t| !t.is_empty()), "{field} in {problem}");
        }
        problem
    }
}

/// Bytes out, bytes in, the connection closed: nothing between the test and the wire.
fn raw(at: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    talk(at, bytes, false)
}

/// `hang_up`: nothing more will come, so that an unfinished request is not waited for.
fn talk(at: SocketAddr, bytes: &[u8], hang_up: bool) -> Vec<u8> {
    let mut stream = TcpStream::connect(at).expect("it listens");
    stream.set_read_timeout(Some(GENEROUS)).unwrap();
    stream.set_write_timeout(Some(GENEROUS)).unwrap();
    let _ = stream.write_all(bytes);
    if hang_up {
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn parse(answer: &[u8]) -> Reply {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(answer[..end].to_vec()).expect("a head in ASCII");
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
    Reply { status, head, body: answer[end + 4..].to_vec() }
}

fn send(at: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("host")) {
        request.push_str(&format!("Host: {at}\r\n"));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(body);
    parse(&raw(at, &bytes))
}

fn get(at: SocketAddr, path: &str) -> Reply {
    send(at, "GET", path, &[], b"")
}

fn post(at: SocketAddr, path: &str, body: &Value) -> Reply {
    send(at, "POST", path, &[("Content-Type", "application/json")], body.to_string().as_bytes())
}

/// What a list is asked with when nothing is said.
fn page<F>() -> Query<F> {
    Query { limit: Some(1_000), ..Query::default() }
}

fn mail(id: &str) -> MessageId {
    MessageId::parse(id).unwrap()
}

fn unit(id: &str) -> UnitId {
    UnitId::parse(id).unwrap()
}

fn span(period: ReportPeriod) -> ReportSpan {
    ReportSpan { period, until: None, last: false }
}

#[test]
fn a_series_that_there_is_not_is_refused_with_the_one_that_was_meant() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    for (metric, said) in [
        ("battery.votlage", "Did you mean battery.voltage?"),
        ("battery.runtime", "worked out from what units send"),
        ("humidity", "heartbeats, or a vendor's own, x.NAME"),
        ("%FF", "not UTF-8"),
    ] {
        let reply = get(running.at, &format!("/api/v1/units/PSH-001/series/{metric}"));
        assert!((400..=404).contains(&reply.status), "{metric}: {}", reply.status);
        let text = reply.json().to_string();
        assert!(text.contains(said), "{metric}: {text}");
    }
    assert_eq!(fake.last_ask(), None);
}

#[test]
fn every_get_asks_its_own_question() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    let cases = [
        ("health", Ask::Health, "/hearing", json!(true)),
        ("units", Ask::Units(page()), "/1/unit", json!("PSH-001")),
        ("units/PSH-001", Ask::Unit(unit("PSH-001")), "/readings/0/text", json!("11.42 V")),
        ("units/PSH%2D001", Ask::Unit(unit("PSH-001")), "/siblings/0/unit", json!("PSH-002")),
        ("units/PSH-001/rules", Ask::Explain(unit("PSH-001")), "/rules/0/state", json!("firing")),
        ("outlook", Ask::Outlook, "/forecasts/0/unit", json!("PSH-002")),
        ("report?period=weekly", Ask::Report(span(ReportPeriod::Weekly)), "/fleet/units", json!(3)),
        ("report/public", Ask::PublicReport, "/total/units", json!(68)),
        (
            "report?period=daily&last=true&until=2026-11-21T09:00:00Z",
            Ask::Report(ReportSpan {
                until: Timestamp::parse("2026-11-21T09:00:00Z"),
                last: true,
                ..span(ReportPeriod::Daily)
            }),
            "/overdue/0/test",
            json!("press-test"),
        ),
        ("units/PSH-001/history", Ask::History { unit: unit("PSH-001"), since: None }, "/seconds/silent", json!(900.0)),
        (
            "units/PSH-001/series/battery.voltage?since=2026-11-21T09:00:00Z",
            Ask::Series {
                unit: unit("PSH-001"),
                metric: "battery.voltage".parse().unwrap(),
                since: Timestamp::parse("2026-11-21T09:00:00Z"),
            },
            "/points/3/mean",
            json!(12.9),
        ),
        (
            "units/PSH-001/series/x.lux",
            Ask::Series { unit: unit("PSH-001"), metric: "x.lux".parse().unwrap(), since: None },
            "/limits/0/rule",
            json!("battery-low"),
        ),
        (
            "availability?since=2026-11-21T14:00:00%2B05:00",
            Ask::Availability { since: Timestamp::parse("2026-11-21T09:00:00Z") },
            "/1/seconds/ready",
            json!(900.0),
        ),
        ("alerts", Ask::Alerts(page()), "/0/rule", json!("unit-silent")),
        ("incidents", Ask::Incidents(page()), "/0/name", json!("ptcl-saddar-2")),
        ("orders", Ask::Orders { closed_too: false, query: page() }, "/1", Value::Null),
        ("orders?closed=true", Ask::Orders { closed_too: true, query: page() }, "/1/state", json!("closed")),
        (
            "orders?closed=false",
            Ask::Orders { closed_too: false, query: page() },
            "/0/history/0/why",
            json!("no heartbeat"),
        ),
        ("orders/WO-000042", Ask::Order(OrderId::new(42)), "/unit", json!("PSH-001")),
        ("orders/42", Ask::Order(OrderId::new(42)), "/order", json!("WO-000042")),
        ("quarantine", Ask::Quarantine, "/0/messages", json!(2881)),
        ("refusals", Ask::Refusals, "/0/kind", json!("not-json")),
        ("outbox", Ask::Outbox, "/0/state", json!("sent")),
        (
            "outbox/wo-000043.2@example.org",
            Ask::Mail(mail("<wo-000043.2@example.org>")),
            "/to_address",
            json!("crew@example.org"),
        ),
        ("outbox/%3Cwo-000043.2%40example.org%3E", Ask::Mail(mail("<wo-000043.2@example.org>")), "/tries", json!(1)),
    ];
    for (path, ask, pointer, want) in cases {
        let reply = get(running.at, &format!("/api/v1/{path}"));
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(fake.last_ask(), Some(ask), "{path}");
        assert_eq!(reply.json().pointer(pointer).cloned().unwrap_or_default(), want, "{path}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        let kept = if reply.header("etag").is_some() { "private, no-cache" } else { "no-store" };
        assert_eq!(reply.header("cache-control"), Some(kept), "{path}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    }
}

#[test]
fn a_list_comes_in_pages_that_lead_from_one_to_the_next() {
    let running = Running::start(Fake::new(), None);
    let whole = get(running.at, "/api/v1/units?sort=-unit").json();
    let mut next = "/api/v1/units?sort=-unit&limit=1&filter=city!%3Dnowhere".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = get(running.at, &next);
        assert_eq!(page.status, 200, "{next}");
        assert_eq!(page.header("x-total-count"), Some("3"));
        seen.extend(page.json().as_array().unwrap().clone());
        match page.header("link") {
            Some(link) => {
                next = link.strip_prefix('<').and_then(|l| l.strip_suffix(">; rel=\"next\"")).unwrap().to_owned();
                assert!(next.starts_with("/api/v1/units?") && next.contains("limit=1"), "{next}");
            }
            None => break,
        }
    }
    assert_eq!(Value::Array(seen), whole);
}

#[test]
fn who_has_a_list_already_is_told_so_in_a_few_bytes() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    let first = get(running.at, "/api/v1/units");
    let tag = first.header("etag").unwrap();
    let ask = |headers: &[(&str, &str)]| send(running.at, "GET", "/api/v1/units", headers, b"");
    for had in [tag, &format!("W/{tag}"), &format!("\"other\", {tag}"), "*"] {
        let again = ask(&[("If-None-Match", had)]);
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(tag)), "{had}");
    }
    let changed = ask(&[("If-None-Match", "\"other\"")]);
    assert_eq!((changed.status, &changed.body), (200, &first.body));
    for list in
        ["alerts", "incidents", "orders", "quarantine", "refusals", "outbox", "availability", "units/PSH-001/commands"]
    {
        let path = format!("/api/v1/{list}");
        let first = get(running.at, &path);
        let rows = first.json().as_array().map(|rows| rows.len().to_string());
        assert_eq!((first.status, first.header("x-total-count")), (200, rows.as_deref()), "{list}");
        assert!(first.header("etag").is_some(), "{list}");
        // The rows of this service grow older: no tag comes twice.
        let again = send(running.at, "GET", &path, &[("If-None-Match", "*")], b"");
        assert_eq!((again.status, again.body.len()), (304, 0), "{list}");
    }
}

#[test]
fn a_list_that_is_asked_for_wrongly_is_refused_with_every_mistake() {
    let running = Running::start(Fake::new(), None);
    let problem = get(running.at, "/api/v1/units?filter=ctiy%3Dx%20silent%3Esoon&sort=sinc").problem();
    assert_eq!(problem["problems"].as_array().unwrap().len(), 3, "{problem}");
    assert!(problem.to_string().contains("did you mean city?"), "{problem}");
    for (query, said) in [
        ("limit=0", "1 to 10000"),
        ("limit=10001", "1 to 10000"),
        ("limit=many", "1 to 10000"),
        ("after=x", "Link header"),
        ("after=e30", "Link header"),
        ("readings=battery.voltag", "did you mean battery.voltage?"),
        ("readings=city", "no reading"),
        ("readings=firmware", "write texts=firmware"),
        ("texts=city", "in every row"),
        ("texts=battery.voltage", "write readings=battery.voltage"),
        ("texts=adress", "did you mean address?"),
        ("near=171.5,34", "the latitude (north) comes first"),
        ("near=34.0086,71.5743&sort=since", "near and sort are both given"),
        ("filters=x", "filter, sort, limit, after"),
    ] {
        let reply = get(running.at, &format!("/api/v1/units?{query}"));
        assert_eq!(reply.status, 400, "{query}");
        assert!(reply.problem().to_string().contains(said), "{query}: {}", reply.json());
    }
}

/// `{unit}` and the like filled in.
fn filled(path: &str) -> String {
    let names =
        [("{unit}", "PSH-001"), ("{metric}", "battery.voltage"), ("{order}", "42"), ("{mail}", "a@example.org")];
    names.iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
}

/// Method and path of everything that the API says of itself.
fn described() -> Vec<(String, String, Value)> {
    let document = buttonwatch::io::http::openapi_document();
    let paths = document["paths"].as_object().expect("paths").clone();
    let each = paths.into_iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("methods").clone();
        item.into_iter().map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation))
    });
    each.collect()
}

#[test]
fn the_published_description_is_that_of_the_types() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas/openapi.json");
    let text = serde_json::to_string_pretty(&buttonwatch::io::http::openapi_document()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, &text).expect("docs can be written");
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == text,
        "docs/schemas/openapi.json is old: run UPDATE_SCHEMAS=1 cargo test --test api published"
    );
    let running = Running::start(Fake::new(), None);
    assert_eq!(get(running.at, "/api/v1/openapi.json").json(), serde_json::from_str::<Value>(&text).unwrap());
}

#[test]
fn a_token_may_do_what_its_role_may_and_nothing_above() {
    let token = |role: Role| Token { name: Some(role.to_string()), role, secret: role.to_string().repeat(6) };
    let tokens = Role::ALL.iter().map(|role| token(*role)).collect();
    let running = Running::with_tokens("127.0.0.1:0", Fake::new(), tokens).unwrap();
    let mut refused = 0;
    for (method, path, operation) in described() {
        let least: Role = operation["description"].as_str().unwrap().split('`').nth(1).unwrap().parse().unwrap();
        for role in Role::ALL {
            let bearer = format!("Bearer {}", token(*role).secret);
            let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
            let reply = send(running.at, &method, &filled(&path), &headers, b"{}");
            let at = format!("{role}: {method} {path}: {}", reply.status);
            assert_eq!(reply.status == 403, *role < least, "{at}");
            assert!(reply.status < 500, "{at}");
            if reply.status == 403 {
                assert!(reply.problem()["detail"].as_str().unwrap().contains(least.as_str()), "{at}");
                refused += 1;
            }
        }
    }
    assert!(refused > 10, "{refused}");
    let cancel = |role: Role| {
        let bearer = format!("Bearer {}", token(role).secret);
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        send(running.at, "POST", "/api/v1/orders/42", &headers, br#"{"set":"cancelled","by":"Gul"}"#).status
    };
    assert_eq!(
        (cancel(Role::Crew), cancel(Role::Admin)),
        (403, 200),
        "that nothing need be done is not a crew's to say"
    );
    assert_eq!(get(running.at, "/api/v1/health").status, 401);
    assert_eq!(get(running.at, "/healthz").status, 200);
}

#[test]
fn tokens_that_could_be_mistaken_for_one_another_are_refused_at_the_start() {
    let named =
        |name: &str| Token { name: Some(name.to_owned()), role: Role::Viewer, secret: "0123456789abcdef".to_owned() };
    let twice = Running::with_tokens("127.0.0.1:0", Fake::new(), vec![named("a"), named("b")]);
    let error = twice.err().expect("refused").to_string();
    assert!(error.contains("the token \"b\" is the same as another one"), "{error}");
}

#[test]
fn every_post_gives_its_own_instruction() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    let until = Timestamp::parse("2026-11-21T14:00:00+05:00").unwrap();
    let cases = [
        (
            "orders/42",
            json!({"set": "en-route", "by": " گل خان ", "note": "leaving\nnow"}),
            Ask::SetOrder {
                order: OrderId::new(42),
                to: OrderMove::EnRoute,
                by: "گل خان".to_owned(),
                note: "leaving\nnow".to_owned(),
            },
        ),
        (
            "units/PSH-001/rebaseline",
            json!({"component": "camera", "by": "Gul"}),
            Ask::Rebaseline { unit: unit("PSH-001"), component: Some(Component::Camera), by: "Gul".to_owned() },
        ),
        (
            "units/PSH-001/rebaseline",
            json!({"by": "Gul"}),
            Ask::Rebaseline { unit: unit("PSH-001"), component: None, by: "Gul".to_owned() },
        ),
        (
            "maintenance",
            json!({"site": "صدر", "until": "2026-11-21T14:00:00+05:00", "by": "Gul"}),
            Ask::Maintenance {
                scope: MaintenanceScope::Site(SiteId::parse("صدر").unwrap()),
                until,
                by: "Gul".to_owned(),
            },
        ),
        (
            "outbox/wo-000043.2@example.org",
            json!({"set": "dropped", "by": "Gul"}),
            Ask::SetMail { mail: mail("<wo-000043.2@example.org>"), to: MailMove::Dropped, by: "Gul".to_owned() },
        ),
        ("outbox", json!({"retry": "refused", "by": "Gul"}), Ask::RetryMails { by: "Gul".to_owned() }),
        (
            "quarantine/MRD-001/accept",
            json!({"site": "Mardan", "crew": "north", "city": "Mardan", "by": "Gul"}),
            Ask::Accept {
                unit: unit("MRD-001"),
                site: SiteId::parse("Mardan").unwrap(),
                crew: CrewId::parse("north").unwrap(),
                city: City::parse("Mardan").unwrap(),
                by: "Gul".to_owned(),
            },
        ),
    ];
    for (path, body, ask) in cases {
        let reply = post(running.at, &format!("/api/v1/{path}"), &body);
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(fake.last_ask(), Some(ask), "{path}");
    }
    assert_eq!(
        post(running.at, "/api/v1/orders/42", &json!({"set": "repaired", "by": "x"})).json()["state"],
        "repaired"
    );

    let csv = "unit,name\r\nPSH-001,\"صدر\"\r\n";
    for (query, dry_run, by) in [("?dry_run=true", true, ""), ("?by=Gul%20Khan", false, "Gul Khan")] {
        let path = format!("/api/v1/fleet{query}");
        let reply = send(running.at, "POST", &path, &[("content-type", "text/csv; charset=utf-8")], csv.as_bytes());
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        assert_eq!(reply.json()["dry_run"], dry_run);
        let ask = Ask::ImportFleet { csv: csv.to_owned(), dry_run, by: by.to_owned() };
        assert_eq!(fake.last_ask(), Some(ask), "{query}");
    }
}

#[test]
fn what_is_wrong_with_a_request_is_said_with_a_remedy_and_never_asked() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    let json = "application/json";
    let good = r#"{"set":"repaired","by":"x"}"#;
    let cases: &[(&str, &str, &str, &str, u16, &str)] = &[
        ("GET", "/nowhere", "", "", 404, "/api/v1"),
        ("GET", "/api/v1", "", "", 404, "/api/v1"),
        ("GET", "/api/v1/unit", "", "", 404, "units"),
        ("GET", "/api/v1/units/", "", "", 404, "units"),
        ("GET", "/api/v2/units", "", "", 404, "/api/v1"),
        ("GET", "/api/v1/units/..%2f..%2fetc%2fpasswd", "", "", 400, "GET /api/v1/units"),
        ("GET", "/api/v1/units/%ff", "", "", 400, "GET /api/v1/units"),
        ("GET", "/api/v1/units/%C3%A9", "", "", 400, "GET /api/v1/units"),
        ("GET", "/api/v1/orders/WO-x", "", "", 400, "orders"),
        ("GET", "/api/v1/orders/99999999999", "", "", 400, "orders"),
        ("GET", "/api/v1/orders?close=true", "", "", 400, "closed"),
        ("GET", "/api/v1/orders?closed=perhaps", "", "", 400, "closed=true"),
        ("GET", "/api/v1/alerts?x", "", "", 400, "filter, sort, limit, after"),
        ("GET", "/api/v1/report", "", "", 400, "period=daily"),
        ("GET", "/api/v1/report?period=yearly", "", "", 400, "period=daily"),
        ("GET", "/api/v1/report?period=daily&until=soon", "", "", 400, "until=2026"),
        ("GET", "/api/v1/report?period=daily&since=x", "", "", 400, "until, last"),
        ("DELETE", "/api/v1/orders/42", "", "", 405, "Allow"),
        ("PUT", "/metrics", "", "", 405, "Allow"),
        ("POST", "/api/v1/units", json, "{}", 405, "Allow"),
        ("GET", "/api/v1/maintenance", "", "", 405, "Allow"),
        ("OPTIONS", "/api/v1/orders/42", "", "", 405, "Allow"),
        ("BREW", "/api/v1/orders/42", "", "", 405, "Allow"),
        ("POST", "/api/v1/orders/42", json, "", 400, "acknowledged"),
        ("POST", "/api/v1/orders/42", json, "{", 400, "acknowledged"),
        ("POST", "/api/v1/orders/42", json, "[1]", 400, "acknowledged"),
        ("POST", "/api/v1/orders/42", json, r#"{"set":"closed","by":"x"}"#, 400, "acknowledged"),
        ("POST", "/api/v1/orders/42", json, r#"{"set":"repaired"}"#, 400, "acknowledged"),
        ("POST", "/api/v1/orders/42", json, r#"{"set":"repaired","by":"x","on":1}"#, 400, "acknowledged"),
        ("POST", "/api/v1/orders/42", json, r#"{"set":"repaired","by":"  "}"#, 400, "who does this"),
        ("POST", "/api/v1/orders/42", json, r#"{"set":"repaired","by":"a\u0000b"}"#, 400, "who does this"),
        ("POST", "/api/v1/orders/42", json, r#"{"set":"repaired","by":"x","note":"\u001b[2J"}"#, 400, "plain text"),
        ("POST", "/api/v1/orders/42", "text/csv", good, 415, "application/json"),
        ("POST", "/api/v1/orders/42", "text/plain", good, 415, "application/json"),
        ("POST", "/api/v1/orders/42", "", good, 415, "application/json"),
        ("POST", "/api/v1/fleet?by=x", json, "unit\n", 415, "text/csv"),
        ("POST", "/api/v1/fleet", "text/csv", "unit\n", 400, "by=NAME"),
        ("POST", "/api/v1/fleet?dryrun=true&by=x", "text/csv", "unit\n", 400, "dry_run"),
        ("POST", "/api/v1/maintenance", json, r#"{"until":"2026-11-21T14:00:00Z","by":"x"}"#, 400, "one of them"),
        (
            "POST",
            "/api/v1/maintenance",
            json,
            r#"{"unit":"a","crew":"b","until":"2026-11-21T14:00:00Z","by":"x"}"#,
            400,
            "one of them",
        ),
        ("POST", "/api/v1/maintenance", json, r#"{"unit":"a","until":"tomorrow","by":"x"}"#, 400, "until"),
        ("POST", "/api/v1/quarantine/x/accept", json, r#"{"site":"","crew":"a","city":"b","by":"c"}"#, 400, "crew"),
    ];
    for (method, path, content_type, body, status, remedy) in cases {
        let headers: Vec<(&str, &str)> =
            if content_type.is_empty() { vec![] } else { vec![("Content-Type", *content_type)] };
        let reply = send(running.at, method, path, &headers, body.as_bytes());
        assert_eq!(reply.status, *status, "{method} {path} {body}");
        let problem = reply.problem();
        let said = problem["remedy"].as_str().unwrap();
        assert!(said.contains(remedy), "{method} {path} {body}: {said}");
        if *status == 405 {
            assert!(reply.header("allow").is_some_and(|a| !a.is_empty()), "{method} {path}: {}", reply.head);
        }
    }
    assert_eq!(fake.last_ask(), None, "nothing of this was asked");
    let not_text = send(running.at, "POST", "/api/v1/fleet?by=x", &[("Content-Type", "text/csv")], b"unit\na\nb\xff\n");
    assert!(not_text.problem()["detail"].as_str().unwrap().contains("line 3"));
}

#[test]
fn what_the_service_refuses_has_a_status_of_its_own() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    let cases = [
        (AskError::NotFound("There is no unit x.".to_owned()), 404, "urn:buttonwatch:not-found"),
        (AskError::Conflict("WO-000042 is closed.".to_owned()), 409, "urn:buttonwatch:conflict"),
        (AskError::Unavailable("The service is stopping.".to_owned()), 503, "urn:buttonwatch:unavailable"),
        (AskError::Invalid(vec!["a".to_owned(), "b".to_owned()]), 422, "urn:buttonwatch:invalid"),
        (AskError::Invalid(vec![]), 422, "urn:buttonwatch:invalid"),
    ];
    for (error, status, kind) in cases {
        *fake.refuse_with.lock().unwrap() = Some(error.clone());
        let reply = get(running.at, "/api/v1/alerts");
        assert_eq!(reply.status, status);
        let problem = reply.problem();
        assert_eq!(problem["type"], kind);
        if let AskError::Invalid(problems) = error {
            assert_eq!(problem.get("problems").cloned().unwrap_or(json!([])), json!(problems));
        }
    }
}

#[test]
fn a_panic_in_the_service_is_one_bad_answer_and_no_more() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    *fake.panic.lock().unwrap() = true;
    let reply = get(running.at, "/api/v1/alerts");
    assert_eq!(reply.status, 500);
    reply.problem();
    // The panic has poisoned the flag's mutex; the service itself goes on.
    assert_eq!(get(running.at, "/healthz").status, 200);
}

#[test]
fn health_says_alive_readiness_says_what_is_missing_and_metrics_are_prometheus_text() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    let alive = get(running.at, "/healthz");
    assert_eq!((alive.status, alive.body.as_slice()), (200, b"ok\n".as_slice()));
    let ready = get(running.at, "/readyz");
    assert_eq!((ready.status, ready.json()), (200, json!({"ready": true, "reasons": []})));
    *fake.not_ready.lock().unwrap() = vec!["the broker at 10.0.0.1:1883 cannot be reached".to_owned()];
    let ready = get(running.at, "/readyz");
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json(), json!({"ready": false, "reasons": ["the broker at 10.0.0.1:1883 cannot be reached"]}));
    let metrics = get(running.at, "/metrics");
    assert_eq!(metrics.status, 200);
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(metrics.body, fake.metrics().into_bytes());
    let head = send(running.at, "HEAD", "/metrics", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn a_body_too_large_is_refused_in_words_that_arrive() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    let json = [("Content-Type", "application/json")];
    let csv = [("Content-Type", "text/csv")];
    let note = format!(r#"{{"set":"repaired","by":"x","note":"{}"}}"#, "n".repeat(64 * 1024));
    let reply = send(running.at, "POST", "/api/v1/orders/42", &json, note.as_bytes());
    assert_eq!(reply.status, 413);
    assert!(reply.problem()["remedy"].as_str().unwrap().contains("64 KiB"));
    let file = vec![b'x'; 16 * 1024 * 1024 + 1];
    let reply = send(running.at, "POST", "/api/v1/fleet?by=x", &csv, &file);
    assert_eq!(reply.status, 413);
    reply.problem();
    // Chunked, without a length to judge by.
    let mut chunked = format!(
        "POST /api/v1/orders/42 HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n",
        running.at
    )
    .into_bytes();
    for _ in 0..20 {
        chunked.extend_from_slice(b"2000\r\n");
        chunked.extend_from_slice(&[b' '; 0x2000]);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let reply = parse(&raw(running.at, &chunked));
    assert_eq!(reply.status, 413);
    reply.problem();
    assert_eq!(fake.last_ask(), None);
    let big_but_fine = format!(r#"{{"set":"repaired","by":"x","note":"{}"}}"#, "n".repeat(1_999));
    assert_eq!(send(running.at, "POST", "/api/v1/orders/42", &json, big_but_fine.as_bytes()).status, 200);
}

#[test]
fn other_pages_and_other_names_get_nowhere() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    let body = br#"{"set":"cancelled","by":"x"}"#;
    let json = ("Content-Type", "application/json");
    let own_page = format!("http://{}", running.at);
    for (headers, status) in [
        (vec![json, ("Host", "evil.example")], 421),
        (vec![json, ("Origin", "http://evil.example")], 403),
        (vec![json, ("Origin", "null")], 403),
        (vec![json, ("Sec-Fetch-Site", "cross-site")], 403),
        (vec![("Content-Type", "text/plain")], 415),
        (vec![json, ("Origin", own_page.as_str()), ("Sec-Fetch-Site", "same-origin")], 200),
    ] {
        let reply = send(running.at, "POST", "/api/v1/orders/42", &headers, body);
        assert_eq!(reply.status, status, "{headers:?}");
        if status >= 400 {
            reply.problem();
            assert_eq!(fake.last_ask(), None);
        }
    }
    assert_eq!(send(running.at, "GET", "/api/v1/units", &[("Host", "rebound.example:8680")], b"").status, 421);
    let port = running.at.port();
    let target = format!(
        "GET http://rebound.example:{port}/api/v1/units HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        running.at
    );
    assert_eq!(parse(&raw(running.at, target.as_bytes())).status, 421, "the name in the target counts");
}

#[test]
fn with_a_token_only_its_bearer_may_ask() {
    let running = Running::start(Fake::new(), Some(TOKEN));
    let bearer = format!("Bearer {TOKEN}");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(running.at, path).status, 200, "{path} is for load balancers");
    }
    for path in ["/metrics", "/api/v1/units", "/nowhere", "/api/v1/orders/42"] {
        let reply = get(running.at, path);
        assert_eq!(reply.status, 401, "{path}");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        reply.problem();
    }
    assert_eq!(send(running.at, "GET", "/api/v1/units", &[("Authorization", "Bearer wrong")], b"").status, 401);
    let named = [("Authorization", bearer.as_str()), ("Host", "buttons.police.example")];
    assert_eq!(send(running.at, "GET", "/api/v1/units", &named, b"").status, 200);
    // A large upload without the token learns why, instead of finding the connection reset.
    let reply = send(running.at, "POST", "/api/v1/fleet?by=x", &[("Content-Type", "text/csv")], &vec![b'x'; 8 << 20]);
    assert_eq!(reply.status, 401);
}

#[test]
fn the_public_report_is_for_everyone_and_nothing_else_is() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), Some(TOKEN));
    // By whatever name it is published under, and without a token.
    let anyone = [("Host", "buttons.example.org")];
    for (path, media_type, part) in [
        ("/public", "text/html; charset=utf-8", "Peshawar &lt;b&gt;"),
        ("/public.json", "application/json", r#""is_rest":true"#),
        ("/public.csv", "text/csv; charset=utf-8", "all,all,false,68,99.1,0.4,95.5,,3.5\n"),
    ] {
        let reply = send(running.at, "GET", path, &anyone, b"");
        let body = String::from_utf8(reply.body.clone()).unwrap();
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(media_type)), "{path}");
        assert!(body.contains(part), "{part:?} in {body}");
        assert_eq!(reply.header("cache-control"), Some("public, max-age=3600"));
        assert!(reply.header("content-security-policy").is_some_and(|p| p.starts_with("default-src 'none'")));
        assert_eq!(fake.last_ask(), Some(Ask::PublicReport));
        assert_eq!(send(running.at, "POST", path, &anyone, b"").status, 405, "{path}");
    }
    let asked = fake.asked.lock().unwrap().len();
    for path in ["/public/", "/public/x", "/public.txt", "/api/v1/report/public", "/api/v1/report?period=daily"] {
        let reply = send(running.at, "GET", path, &anyone, b"");
        assert!(matches!(reply.status, 401 | 404), "{path}: {}", reply.status);
    }
    // A stranger does not hear why there is none.
    *fake.refuse_with.lock().unwrap() = Some(AskError::Unavailable("/secret/place is full".to_owned()));
    let reply = send(running.at, "GET", "/public", &anyone, b"");
    assert_eq!((reply.status, reply.header("cache-control")), (503, Some("no-store")));
    assert!(!reply.problem().to_string().contains("secret"));
    *fake.refuse_with.lock().unwrap() = None;
    *fake.panic.lock().unwrap() = true;
    assert_eq!(send(running.at, "GET", "/public.json", &anyone, b"").status, 503);
    *fake.panic.lock().unwrap() = false;
    assert_eq!(send(running.at, "GET", "/public.json", &anyone, b"").status, 200);
    assert!(fake.asked.lock().unwrap().len() > asked);
}

#[test]
fn it_does_not_start_where_it_must_not() {
    let start = |listen: &str, token: Option<&str>| Running::on(listen, Fake::new(), token).map(|_| ());
    let text = |listen: &str, token: Option<&str>| start(listen, token).unwrap_err().to_string();
    assert!(matches!(start("0.0.0.0:0", None), Err(HttpError::OpenWithoutToken { .. })));
    assert!(text("[::]:0", None).contains("Set a token"));
    assert!(matches!(start("127.0.0.1:0", Some("short")), Err(HttpError::WeakToken { length: 5, .. })));
    assert!(matches!(start("127.0.0.1:0", Some("")), Err(HttpError::WeakToken { length: 0, .. })));
    assert!(matches!(start("127.0.0.1:0", Some("sixteen or more\n")), Err(HttpError::UnusableToken { .. })));
    assert!(start("0.0.0.0:0", Some(TOKEN)).is_ok());
    let first = Running::start(Fake::new(), None);
    let taken = text(&first.at.to_string(), None);
    assert!(taken.contains(&first.at.to_string()) && taken.contains("--http"), "{taken}");
    // 192.0.2.0/24 is for documentation: no machine has it.
    assert!(matches!(start("192.0.2.1:8680", Some(TOKEN)), Err(HttpError::NoSuchAddress { .. })));
}

#[test]
fn when_it_stops_requests_under_way_end_and_the_port_is_free() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (entered, wait_entered) = std::sync::mpsc::channel();
    let gate = Arc::new(tokio::sync::Notify::new());
    struct Slow(std::sync::mpsc::Sender<()>, Arc<tokio::sync::Notify>);
    impl Service for Slow {
        fn ask(
            &self,
            _: Ask,
        ) -> std::pin::Pin<Box<dyn Future<Output = Result<buttonwatch::domain::view::Answer, AskError>> + Send + '_>>
        {
            Box::pin(async move {
                self.0.send(()).unwrap();
                self.1.notified().await;
                Ok(buttonwatch::domain::view::Answer::Done)
            })
        }
        fn metrics(&self) -> String {
            String::new()
        }
        fn link_used(&self, _: buttonwatch::domain::view::LinkUse) {}
        fn changes(&self) -> tokio::sync::broadcast::Receiver<Arc<buttonwatch::domain::overview::Changed>> {
            tokio::sync::broadcast::channel(1).1
        }
        fn ready(&self) -> Result<(), Vec<String>> {
            Ok(())
        }
    }
    let service = Arc::new(Slow(entered, gate.clone()));
    let http = runtime
        .block_on(Http::start(
            "127.0.0.1:0".parse().unwrap(),
            service,
            Vec::new(),
            fake_service::door(),
            fake_service::board(),
        ))
        .unwrap();
    let at = http.local_addr();
    let client = std::thread::spawn(move || get(at, "/api/v1/alerts"));
    wait_entered.recv_timeout(GENEROUS).unwrap();
    let stop = runtime.spawn(http.stop());
    gate.notify_one();
    runtime.block_on(async { tokio::time::timeout(GENEROUS, stop).await }).unwrap().unwrap();
    let reply = client.join().unwrap();
    assert_eq!((reply.status, reply.json()), (200, json!({"done": true})));
    runtime.block_on(async { tokio::net::TcpListener::bind(at).await }).expect("the port is free");
}

#[test]
fn an_idle_keep_alive_connection_does_not_hold_up_the_stop() {
    let mut running = Running::start(Fake::new(), None);
    let agent = ureq::Agent::new_with_defaults();
    let body: Value =
        agent.get(format!("{}/api/v1/units", running.url())).call().unwrap().body_mut().read_json().unwrap();
    assert_eq!(body.as_array().map(Vec::len), Some(3));
    let began = std::time::Instant::now();
    running.stop();
    assert!(began.elapsed() < Duration::from_secs(4), "it waited for the idle connection");
}

#[test]
fn half_open_connections_do_not_keep_others_out() {
    let running = Running::start(Fake::new(), None);
    let idle: Vec<TcpStream> = (0..100)
        .map(|i| {
            let mut stream = TcpStream::connect(running.at).unwrap();
            if i % 2 == 0 {
                stream.write_all(b"POST /api/v1/orders/42 HTTP/1.1\r\nHost: lo").unwrap();
            }
            stream
        })
        .collect();
    assert_eq!(get(running.at, "/api/v1/units").status, 200);
    drop(idle);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_sent_the_answer_is_json_csv_a_problem_or_a_page(
        method in "GET|POST|PUT|HEAD|[A-Z]{1,8}",
        path in "/(api/v1/)?(orders|units|fleet|maintenance|quarantine|x)?(/[!-~]{0,12})?(\\?[!-~]{0,12})?",
        content_type in "application/json|text/csv|text/plain",
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        // `#` begins a fragment, which is never sent.
        let path = path.replace('#', "");
        let running = shared();
        let reply = send(running, &method, &path, &[("Content-Type", &content_type)], &body);
        prop_assert!(reply.status < 500, "{} {}", method, path);
        if method == "HEAD" || (reply.body.is_empty() && reply.status == 400) {
            // No body by definition; and a request line that is not HTTP never gets as far as us.
        } else if reply.header("content-type").is_some_and(|t| t.starts_with("text/html")) {
            // The board's own paths answer in pages, and those of the API never.
            prop_assert!(!path.starts_with("/api/"), "{} {}", method, path);
        } else if reply.status >= 400 {
            reply.problem();
        } else if reply.header("content-type").is_some_and(|t| t.starts_with("text/csv")) {
            // The fleet, as a file that can be imported.
            prop_assert!(path.starts_with("/api/v1/fleet"), "{} {}", method, path);
        } else {
            reply.json();
        }
    }

    #[test]
    fn bytes_that_are_not_http_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let running = shared();
        talk(running, &bytes, true);
        prop_assert_eq!(get(running, "/healthz").status, 200);
    }
}

/// One listener for all random cases; it ends with the process.
fn shared() -> SocketAddr {
    static RUNNING: std::sync::OnceLock<Running> = std::sync::OnceLock::new();
    RUNNING.get_or_init(|| Running::start(Fake::new(), None)).at
}
