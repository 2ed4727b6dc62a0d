//! The board over real sockets, against a service with made-up answers: every page, every form, who is let in, what a browser
//! is told, and how large it gets. As a browser without scripts sees it, but for the events.

#[path = "../fake_service/mod.rs"]
mod fake_service;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use buttonwatch::domain::message::Do;
use buttonwatch::domain::overview::Changed;
use buttonwatch::domain::view::{Ask, AskError};
use buttonwatch::domain::{MaintenanceScope, OrderId, OrderMove, Role, Token, UnitId};
use fake_service::{Fake, Running, unit};

const GENEROUS: Duration = Duration::from_secs(60);
const ADMIN: &str = "0123456789abcdef0123456789abcdef";
const CREW: &str = "fedcba9876543210fedcba9876543210";
const VIEWER: &str = "00000000111111112222222233333333";

struct Page {
    status: u16,
    head: String,
    body: String,
}

impl Page {
    fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }
    /// What a hidden field of the page holds.
    fn hidden(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let at = self.body.find(&mark).unwrap_or_else(|| panic!("{name} in {}", self.body)) + mark.len();
        self.body[at..at + self.body[at..].find('"').unwrap()].to_owned()
    }
}

/// A browser: it sends where it comes from, what it wants, and its cookies.
#[derive(Clone)]
struct Browser {
    at: SocketAddr,
    headers: Vec<(String, String)>,
}

impl Browser {
    fn new(at: SocketAddr) -> Browser {
        Browser { at, headers: Vec::new() }
    }
    fn with(&self, name: &str, value: &str) -> Browser {
        let mut browser = self.clone();
        browser.headers.retain(|(n, _)| n != name);
        browser.headers.push((name.to_owned(), value.to_owned()));
        browser
    }
    fn send(&self, method: &str, path: &str, form: &str) -> Page {
        let mut stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(GENEROUS)).unwrap();
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !self.headers.iter().any(|(n, _)| n == "Host") {
            request.push_str(&format!("Host: localhost:{}\r\n", self.at.port()));
        }
        if !self.headers.iter().any(|(n, _)| n == "Accept") {
            request.push_str("Accept: text/html\r\n");
        }
        if method == "POST" {
            if !self.headers.iter().any(|(n, _)| n == "Origin") {
                request.push_str(&format!("Origin: http://localhost:{}\r\n", self.at.port()));
            }
            if !self.headers.iter().any(|(n, _)| n == "Content-Type") {
                request.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
            }
        }
        for (name, value) in &self.headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{form}", form.len()));
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Page { status: head[9..12].parse().unwrap(), head: head.to_owned(), body: body.to_owned() }
    }
    fn get(&self, path: &str) -> Page {
        self.send("GET", path, "")
    }
    fn post(&self, path: &str, form: &str) -> Page {
        self.send("POST", path, form)
    }
}

fn served(fake: &Arc<Fake>) -> (Running, Browser) {
    let running = Running::start(fake.clone(), None);
    let browser = Browser::new(running.at);
    (running, browser)
}

fn with_roles(fake: &Arc<Fake>) -> (Running, Browser) {
    let token =
        |name: &str, role: Role, secret: &str| Token { name: Some(name.to_owned()), role, secret: secret.to_owned() };
    let tokens = vec![
        token("office", Role::Admin, ADMIN),
        token("saddar", Role::Crew, CREW),
        token("wall", Role::Viewer, VIEWER),
    ];
    let running = Running::with_tokens("127.0.0.1:0", fake.clone(), tokens).unwrap();
    let browser = Browser::new(running.at);
    (running, browser)
}

fn signed_in(browser: &Browser, token: &str, by: &str) -> Browser {
    let page = browser.get("/sign-in");
    let answer = browser.post("/sign-in", &format!("token={}&to=%2F&by={by}&secret={token}", page.hidden("token")));
    assert_eq!(answer.status, 303, "{}", answer.body);
    let cookie = answer.header("set-cookie")[0].to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"), "{cookie}");
    browser.with("Cookie", cookie.split(';').next().unwrap())
}

const PAGES: [&str; 11] = [
    "/",
    "/?city=Peshawar",
    "/units",
    "/units?readiness=silent&city=Peshawar",
    "/units/PSH-001",
    "/units/PSH-001?days=7&metric=battery.voltage",
    "/orders",
    "/orders/WO-000042",
    "/alerts",
    "/incidents",
    "/rules",
];

#[test]
fn every_page_is_there_whole_and_fetches_nothing_from_elsewhere() {
    let fake = Fake::new();
    let (_running, browser) = served(&fake);
    for path in PAGES {
        let page = browser.get(path);
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        assert!(page.body.starts_with("<!doctype html>") && page.body.trim_end().ends_with("</html>"), "{path}");
        assert_eq!(page.body.matches("<h1").count(), 1, "{path}");
        for part in ["<main id=\"main\"", "class=\"skip\"", "aria-live=\"polite\"", "aria-current=\"page\"", "<title>"]
        {
            assert!(page.body.contains(part) || (path.len() > 12 && part.contains("current")), "{path}: {part}");
        }
        for outside in ["src=\"http", "href=\"http", "url(http", " style=", "<script>", " onclick", " onload"] {
            assert!(!page.body.contains(outside), "{path}: {outside}");
        }
        let policy = page.header("content-security-policy");
        assert!(policy[0].starts_with("default-src 'none'") && !policy[0].contains("unsafe"), "{policy:?}");
        assert_eq!(page.header("cache-control"), ["no-store"]);
        assert_eq!(page.header("x-content-type-options"), ["nosniff"]);
        assert!(page.body.len() < 200_000, "{path}: {}", page.body.len());
    }
    assert_eq!(browser.get("/orders/42").status, 200, "the short way to write it");
}

#[test]
fn style_and_script_stay_in_the_browser_under_names_that_change_with_them() {
    let (_running, browser) = served(&Fake::new());
    let page = browser.get("/");
    let assets: Vec<&str> = page.body.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert_eq!(assets.len(), 3, "{assets:?}");
    for asset in assets {
        let answer = browser.get(asset);
        assert_eq!(answer.status, 200, "{asset}");
        assert!(answer.header("cache-control")[0].contains("immutable"));
        let tag = answer.header("etag")[0].to_owned();
        assert_eq!(browser.with("If-None-Match", &tag).get(asset).status, 304);
        assert!(!answer.body.contains("http://") || asset.ends_with(".svg"), "{asset} fetches nothing");
    }
    assert_eq!(browser.get("/assets/board-0000000000000000.css").status, 404);
}

#[test]
fn what_is_wrong_is_said_on_a_page_to_people_and_as_a_problem_to_programs() {
    let fake = Fake::new();
    let (_running, browser) = served(&fake);
    for path in ["/units/PSH-999", "/units/-", "/orders/WO-000099", "/orders/soon", "/nothing", "/units/PSH-001/x"] {
        let page = browser.get(path);
        assert_eq!(page.status, 404, "{path}");
        assert!(page.body.contains("This is not here") && page.body.contains("</html>"), "{path}: {}", page.body);
        assert!(browser.with("Accept-Language", "ur").get(path).body.contains("یہ یہاں نہیں ہے"), "{path}");
    }
    let program = browser.with("Accept", "*/*").get("/nothing");
    assert!(program.body.contains("urn:buttonwatch:not-found"), "{}", program.body);
    assert!(browser.get("/api/v1/units/PSH-999").body.contains("urn:buttonwatch:not-found"));
    let wrong = browser.get("/units?filter=batery.voltage%3C11");
    assert_eq!(wrong.status, 422);
    assert!(wrong.body.contains("battery.voltage") && wrong.body.contains("data-unit=\"PSH-001\""), "{}", wrong.body);
    for (path, near) in [("/orders", "priority"), ("/alerts", "severity"), ("/incidents", "size")] {
        let wrong = browser.get(&format!("{path}?filter={}%3D1", &near[1..]));
        assert_eq!(wrong.status, 422, "{path}");
        let typed = format!("value=\"{}=1\"", &near[1..]);
        assert!(wrong.body.contains(near) && wrong.body.contains(&typed), "{path}: {}", wrong.body);
        assert_eq!(
            browser.get(&format!("{path}?filter=crew%3Dsaddar")).status,
            if path == "/incidents" { 422 } else { 200 }
        );
    }
    let method = browser.send("DELETE", "/units", "");
    assert!(method.status >= 400 && method.body.contains("</html>"), "{}", method.status);
    *fake.refuse_with.lock().unwrap() = Some(AskError::Unavailable("The service is stopping.".to_owned()));
    let busy = browser.get("/");
    assert_eq!((busy.status, busy.header("retry-after")), (503, vec!["5"]));
    assert!(busy.body.contains("The service is stopping."));
}

#[test]
fn what_is_broken_near_a_place_is_told_nearest_first() {
    let at = |id: &str, readiness: &str, position| {
        let mut row = unit(id, "Kabuli Gate", readiness, "tests passed");
        row.position = position;
        row
    };
    let fake = Fake::with_units(vec![
        at("PSH-001", "silent", Some((34.0086, 71.5963))),
        at("PSH-002", "silent", None),
        at("PSH-003", "not-ready", Some((34.0186, 71.5743))),
        at("PSH-004", "ready", Some((34.0086, 71.5743))),
    ]);
    let (_running, browser) = served(&fake);
    let order = |page: &Page| {
        page.body.split("data-unit=\"").skip(1).map(|rest| rest[..7].to_owned()).collect::<Vec<_>>().join(" ")
    };
    let near = browser.get("/units?near=34.0086%2C71.5743&readiness=silent&readiness=not-ready");
    assert_eq!((near.status, order(&near).as_str()), (200, "PSH-003 PSH-001 PSH-002"), "{}", near.body);
    assert!(near.body.contains("1.1 km north") && near.body.contains("2.0 km east"), "{}", near.body);
    assert_eq!(near.body.matches("class=\"away\"").count(), 2, "of one nobody knows where it stands: {}", near.body);
    assert!(near.body.contains("name=\"near\" value=\"34.0086,71.5743\""), "sending the form keeps it");
    let here = browser.get("/units?near=34.0086+N,71.5743+E");
    assert!(here.body.contains("0 m"), "{}", here.body);
    assert_eq!(order(&here), "PSH-004 PSH-003 PSH-001 PSH-002");
    let wrong = browser.get("/units?near=171.5%2C34");
    assert_eq!(wrong.status, 422);
    assert!(wrong.body.contains("the latitude (north) comes first"), "{}", wrong.body);
    assert_eq!(order(&wrong), "PSH-001 PSH-002 PSH-003 PSH-004");
    // Without scripts the question leads to the form; the place is typed there.
    let home = browser.get("/");
    let link = home.body.split("data-here").next().unwrap().rsplit("href=\"").next().unwrap();
    assert!(link.starts_with("/units?readiness=not-ready&amp;") && link.contains("#near\""), "{link}");
}

#[test]
fn the_language_is_the_browsers_or_the_one_that_was_chosen() {
    let (_running, browser) = served(&Fake::new());
    assert!(browser.get("/").body.contains("<html lang=\"en\" dir=\"ltr\""));
    let urdu = browser.with("Accept-Language", "ur-PK,ur;q=0.9,en;q=0.5").get("/");
    assert!(urdu.body.contains("<html lang=\"ur\" dir=\"rtl\"") && urdu.body.contains("خاموش"), "{}", urdu.body);
    assert!(urdu.body.contains("<bdi lang=\"en\" dir=\"ltr\">no heartbeat"), "what the service says stays English");
    let chosen = browser.get("/?lang=ur");
    assert!(chosen.body.contains("dir=\"rtl\""));
    let cookie = chosen.header("set-cookie")[0].split(';').next().unwrap().to_owned();
    assert!(browser.with("Cookie", &cookie).get("/units").body.contains("dir=\"rtl\""), "{cookie}");
    let look = browser.get("/look?theme=dark&back=%2Funits%3Fcity%3DPeshawar");
    assert_eq!((look.status, look.header("location")), (303, vec!["/units?city=Peshawar"]));
    let cookie = look.header("set-cookie")[0].split(';').next().unwrap().to_owned();
    assert!(browser.with("Cookie", &cookie).get("/").body.contains("data-theme=\"dark\""));
    for foreign in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example"] {
        assert_eq!(browser.get(&format!("/look?theme=dark&back={foreign}")).header("location"), ["/"]);
    }
}

#[test]
fn an_order_is_moved_on_by_its_form_once() {
    let fake = Fake::new();
    let (_running, browser) = served(&fake);
    let page = browser.get("/orders/WO-000042");
    assert!(page.body.contains("data-do=\"acknowledged\"") && page.body.contains("name=\"by\""));
    let form = |seen: &str, by: &str| {
        format!("token={}&seen={seen}&by={by}&note=%D9%BE%DB%81%D9%86%DA%86&do=acknowledged", page.hidden("token"))
    };
    let sent = browser.post("/orders/42", &form("1", "Gul+Khan"));
    assert_eq!(
        (sent.status, sent.header("location")),
        (303, vec!["/orders/WO-000042?said=done-order"]),
        "{}",
        sent.body
    );
    let moved = Ask::SetOrder {
        order: OrderId::new(42),
        to: OrderMove::Acknowledged,
        by: "Gul Khan".to_owned(),
        note: "\u{67e}\u{6c1}\u{646}\u{686}".to_owned(),
    };
    assert!(fake.asked.lock().unwrap().contains(&moved));
    assert!(browser.get("/orders/WO-000042?said=done-order").body.contains("Thank you"));
    fake.asked.lock().unwrap().clear();
    let old = browser.post("/orders/42", &form("0", "Gul"));
    assert_eq!(old.status, 409);
    assert!(old.body.contains("Nothing was changed") && old.body.contains("value=\"Gul\""), "what was typed is kept");
    let nameless = browser.post("/orders/42", &form("1", ""));
    assert_eq!(nameless.status, 422);
    assert!(nameless.body.contains("write your name"));
    assert!(!fake.asked.lock().unwrap().iter().any(|ask| matches!(ask, Ask::SetOrder { .. })));
}

#[test]
fn maintenance_is_set_for_a_unit_or_its_site() {
    let fake = Fake::new();
    let (_running, browser) = served(&fake);
    let page = browser.get("/units/PSH-001");
    let token = page.hidden("token");
    let sent = browser.post("/units/PSH-001/maintenance", &format!("token={token}&seen=&for=2h&of=unit&by=Gul"));
    assert_eq!(sent.status, 303, "{}", sent.body);
    let asked = fake.last_ask();
    let unit = MaintenanceScope::Unit(UnitId::parse("PSH-001").unwrap());
    assert!(matches!(&asked, Some(Ask::Maintenance { scope, by, .. }) if *scope == unit && by == "Gul"), "{asked:?}");
    let sent = browser.post("/units/PSH-001/maintenance", &format!("token={token}&seen=&for=2h&of=site&by=Gul"));
    assert_eq!(sent.status, 303);
    assert!(matches!(fake.last_ask(), Some(Ask::Maintenance { scope: MaintenanceScope::Site(_), .. })));
    let old = browser
        .post("/units/PSH-001/maintenance", &format!("token={token}&seen=2026-11-21T09:00:00.000Z&for=end&by=Gul"));
    assert_eq!(old.status, 409);
    let odd = browser.post("/units/PSH-001/maintenance", &format!("token={token}&seen=&for=99h&by=Gul"));
    assert_eq!(odd.status, 422);
}

#[test]
fn a_unit_is_asked_once_for_each_press_of_a_button() {
    let fake = Fake::new();
    let (_running, browser) = served(&fake);
    let page = browser.get("/units/PSH-001");
    assert!(page.body.contains("data-do=\"selftest\"") && page.body.contains("data-command=\"selftest\""));
    let form = |seen: &str, what: &str| format!("token={}&seen={seen}&do={what}&by=Gul", page.hidden("token"));
    let sent = browser.post("/units/PSH-001/command", &form("cmd-1", "locate"));
    assert_eq!(
        (sent.status, sent.header("location")),
        (303, vec!["/units/PSH-001?said=done-command"]),
        "{}",
        sent.body
    );
    assert!(matches!(fake.last_ask(), Some(Ask::Command { act: Do::Locate, .. })), "{:?}", fake.last_ask());
    fake.asked.lock().unwrap().clear();
    assert_eq!(browser.post("/units/PSH-001/command", &form("cmd-0", "locate")).status, 409);
    assert_eq!(browser.post("/units/PSH-001/command", &form("cmd-1", "explode")).status, 422);
    assert!(!fake.asked.lock().unwrap().iter().any(|ask| matches!(ask, Ask::Command { .. })));
}

#[test]
fn a_form_of_another_site_or_without_its_token_changes_nothing() {
    let fake = Fake::new();
    let (_running, browser) = served(&fake);
    let token = browser.get("/orders/42").hidden("token");
    let form = format!("token={token}&seen=1&by=x&do=repaired");
    for (name, value) in [("Origin", "https://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")] {
        assert_eq!(browser.with(name, value).post("/orders/42", &form).status, 403, "{name}: {value}");
    }
    assert_eq!(browser.post("/orders/42", "seen=1&by=x&do=repaired").status, 403, "no token");
    assert_eq!(browser.post("/orders/42", "token=00&seen=1&by=x&do=repaired").status, 403, "another token");
    assert_eq!(browser.with("Content-Type", "text/plain").post("/orders/42", &form).status, 422);
    assert_eq!(browser.with("Host", "evil.example").get("/").status, 421, "a foreign name for this machine");
    let long = format!("{form}&note={}", "x".repeat(60_000));
    assert_eq!(browser.post("/orders/42", &long).status, 413);
    assert_eq!(browser.get("/orders/42?do=repaired&seen=1").status, 200, "an address does nothing");
    let asked = fake.asked.lock().unwrap().clone();
    assert!(!asked.iter().any(|ask| matches!(ask, Ask::SetOrder { .. })), "{asked:?}");
}

#[test]
fn whoever_is_not_signed_in_is_asked_to_and_roles_say_what_may_be_done() {
    let fake = Fake::new();
    let (_running, browser) = with_roles(&fake);
    let away = browser.get("/units?city=Peshawar");
    assert_eq!(away.status, 303);
    assert_eq!(away.header("location"), ["/sign-in?to=%2Funits%3Fcity%3DPeshawar"]);
    assert_eq!(browser.get("/nothing").status, 303);
    assert_eq!(browser.with("Accept", "*/*").get("/events").status, 401);
    assert!(fake.asked.lock().unwrap().is_empty(), "nobody was even asked");
    let page = browser.get("/sign-in");
    let wrong = browser.post("/sign-in", &format!("token={}&secret=not+it", page.hidden("token")));
    assert_eq!(wrong.status, 403);
    assert!(wrong.body.contains("opens nothing") && wrong.header("set-cookie").is_empty());

    let viewer = signed_in(&browser, VIEWER, "");
    let page = viewer.get("/orders/42");
    assert!(page.status == 200 && !page.body.contains("data-do=\"repaired\""));
    let form = |page: &Page, what: &str| format!("token={}&seen=1&do={what}", page.hidden("token"));
    assert_eq!(viewer.post("/orders/42", &form(&page, "repaired")).status, 403);

    let crew = signed_in(&browser, CREW, "Gul");
    let page = crew.get("/orders/42");
    assert!(page.body.contains("Gul (saddar)") && !page.body.contains("name=\"by\""), "the name is known");
    assert!(page.body.contains("data-do=\"repaired\"") && !page.body.contains("data-do=\"cancelled\""));
    assert_eq!(crew.post("/orders/42", &form(&page, "cancelled")).status, 403, "only an admin cancels");
    assert_eq!(viewer.post("/orders/42", &form(&page, "repaired")).status, 403, "another's form");
    assert!(!crew.get("/units/PSH-001").body.contains("data-do=\"reboot\""));
    assert_eq!(crew.post("/units/PSH-001/command", &form(&page, "reboot")).status, 403, "only an admin restarts");
    assert_eq!(crew.post("/orders/42", &form(&page, "repaired")).status, 303);
    assert!(matches!(fake.asked.lock().unwrap().iter().find(|a| matches!(a, Ask::SetOrder { .. })),
        Some(Ask::SetOrder { by, .. }) if by == "Gul (saddar)"));

    let admin = signed_in(&browser, ADMIN, "");
    let page = admin.get("/orders/42");
    assert_eq!(admin.post("/orders/42", &form(&page, "cancelled")).status, 303);
    assert!(admin.get("/units/PSH-001").body.contains("data-do=\"reboot\""));
    let out = admin.post("/sign-out", &format!("token={}", page.hidden("token")));
    assert!(out.status == 303 && out.header("set-cookie")[0].contains("Max-Age=0"), "{}", out.head);
    assert_eq!(browser.with("Authorization", &format!("Bearer {VIEWER}")).get("/").status, 200, "a program may look");
    assert_eq!(browser.with("Cookie", "buttonwatch_session=e30.00").get("/").status, 303, "a made-up cookie");
    // The cookie opens the board and nothing else.
    assert_eq!(admin.get("/api/v1/units").status, 401);
}

#[test]
fn a_hundred_thousand_units_make_no_larger_pages() {
    let words = ["ready", "ready", "ready", "silent", "impaired"];
    let units = (0..100_000).map(|i| {
        let mut row = unit(&format!("PB-{i:06}"), "Ghanta Ghar, clock tower – گھنٹہ گھر", words[i % 5], "tests passed");
        row.site = serde_json::from_value(serde_json::json!(format!("Site {}", i / 2))).unwrap();
        row.city = serde_json::from_value(serde_json::json!(format!("City {}", i % 40))).unwrap();
        row.position = (i % 50 != 0).then_some((31.0 + (i / 317) as f64 * 0.009, 70.0 + (i % 317) as f64 * 0.011));
        row
    });
    let fake = Fake::with_units(units.collect());
    let (_running, browser) = served(&fake);
    for path in [
        "/",
        "/?lang=ur",
        "/?city=City+7",
        "/?within=31,70,32,71",
        "/units",
        "/units?readiness=silent",
        "/units?near=31,70",
    ] {
        let page = browser.get(path);
        assert_eq!(page.status, 200, "{path}");
        assert!(page.body.len() <= 200_000, "{path}: {} bytes", page.body.len());
    }
    let first = browser.get("/units");
    assert_eq!(first.body.matches("data-unit=").count(), 100);
    let next =
        first.body.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let second = browser.get(&next);
    assert!(second.status == 200 && second.body.contains("data-unit=\"PB-000100\""), "{next}");
}

/// Reads from an open stream until the text is there.
fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut seen = String::new();
    let mut buffer = [0; 1024];
    while !seen.contains(text) {
        let n = stream.read(&mut buffer).unwrap();
        assert!(n > 0, "it ended: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
    seen
}

fn listen(at: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(GENEROUS)).unwrap();
    write!(stream, "GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n").unwrap();
    stream
}

#[test]
fn open_pages_are_told_what_changed_and_a_slow_one_to_look_anew() {
    let fake = Fake::new();
    let (mut running, _) = served(&fake);
    let mut page = listen(running.at);
    let head = read_until(&mut page, "listening");
    assert!(head.contains("text/event-stream") && head.contains("retry: 3000"), "{head}");
    let mut changed = Changed::default();
    changed.unit(&UnitId::parse("PSH-001").unwrap());
    changed.order(OrderId::new(42));
    fake.changes.send(Arc::new(changed)).unwrap();
    let told = read_until(&mut page, "\"more\":false");
    assert!(told.contains("event: changed") && told.contains("PSH-001") && told.contains("WO-000042"), "{told}");
    // More commits at once than the channel holds.
    for i in 0..50 {
        let mut changed = Changed::default();
        changed.order(OrderId::new(i));
        fake.changes.send(Arc::new(changed)).unwrap();
    }
    fake.changes.send(Arc::new(Changed::everything())).unwrap();
    read_until(&mut page, "\"more\":true");
    // Open pages do not hold the service up when it stops.
    let began = std::time::Instant::now();
    running.stop();
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn listeners_never_take_all_places_of_the_door() {
    let fake = Fake::new();
    let (_running, browser) = served(&fake);
    let listeners: Vec<TcpStream> = (0..96)
        .map(|_| {
            let mut stream = listen(browser.at);
            read_until(&mut stream, "listening");
            stream
        })
        .collect();
    let full = browser.with("Accept", "text/event-stream").get("/events");
    assert_eq!((full.status, full.header("retry-after")), (503, vec!["30"]));
    assert_eq!(browser.get("/").status, 200, "pages are served all the same");
    drop(listeners);
}
