//! The crew's pages behind the links of their mails, over real sockets, against a service with made-up answers: what a link
//! opens, what a button does, and everything that opens or does nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::fake_service::{Fake, Running, links, now};
use buttonwatch::domain::view::{Ask, AskError, LinkUse};
use buttonwatch::domain::{OrderId, OrderMove, Timestamp};

struct Page {
    status: u16,
    head: String,
    body: String,
}

fn send(at: SocketAddr, method: &str, path: &str, form: &str) -> Page {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // As a phone sends it: the public name of a reverse proxy, and where the page came from.
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: buttons.example\r\nOrigin: https://buttons.example\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Page { status: head[9..12].parse().unwrap(), head: head.to_owned(), body: body.to_owned() }
}

fn get(at: SocketAddr, path: &str) -> Page {
    send(at, "GET", path, "")
}

fn link(order: u32, lasts: i64) -> String {
    links().path(OrderId::new(order), Timestamp::from_millis(now().as_millis() + lasts * 1000))
}

#[test]
fn a_link_shows_its_order_and_changes_nothing() {
    let fake = Fake::new();
    // With a token: whoever has the link needs none.
    let running = Running::start(fake.clone(), Some("0123456789abcdef0123456789abcdef"));
    let page = get(running.at, &link(42, 600));
    assert_eq!(page.status, 200, "{}", page.body);
    for part in [
        "WO-000042",
        "PSH-001",
        "I take it",
        "On my way",
        "Repaired",
        "name=\"seen\" value=\"1\"",
        "width=device-width",
    ] {
        assert!(page.body.contains(part), "{part:?} in {}", page.body);
    }
    for header in ["cache-control: no-store", "referrer-policy: no-referrer", "default-src 'none'"] {
        assert!(page.head.contains(header), "{header:?} in {}", page.head);
    }
    assert!(!page.body.contains("<script") && !page.body.contains("src="), "nothing is fetched");
    let asked = fake.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|ask| matches!(ask, Ask::Order(_) | Ask::Unit(_))), "{asked:?}");
    assert_eq!(*fake.links_used.lock().unwrap(), [LinkUse::Shown]);
}

#[test]
fn a_button_moves_the_order_on_with_its_note_and_shows_the_page_again() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    let path = link(42, 600);
    let page = send(running.at, "POST", &path, "seen=1&note=%D9%BE%DB%81%D9%86%DA%86+gaya&do=en-route");
    assert_eq!(page.status, 303, "{}", page.body);
    assert!(page.head.contains(&format!("location: {path}?done")), "{}", page.head);
    let moved = Ask::SetOrder {
        order: OrderId::new(42),
        to: OrderMove::EnRoute,
        by: "crew city-north".to_owned(),
        note: "\u{67e}\u{6c1}\u{646}\u{686} gaya".to_owned(),
    };
    assert!(fake.asked.lock().unwrap().contains(&moved), "{:?}", fake.asked.lock().unwrap());
    assert!(get(running.at, &format!("{path}?done")).body.contains("Thank you"));
    assert_eq!(*fake.links_used.lock().unwrap(), [LinkUse::Moved, LinkUse::Shown]);
}

#[test]
fn links_that_were_altered_expired_or_made_for_another_order_open_a_plain_page() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    let good = link(42, 600);
    let other = good.replace("WO-000042", "WO-000043");
    let altered = format!("{}{}", &good[..good.len() - 1], if good.ends_with('0') { '1' } else { '0' });
    let cases = [
        (other, 404, LinkUse::Altered, "opens nothing"),
        (altered, 404, LinkUse::Altered, "opens nothing"),
        ("/crew/WO-000042/99999999999/00".to_owned(), 404, LinkUse::Altered, "opens nothing"),
        ("/crew/%F0%9F%94%A5/soon/%00".to_owned(), 404, LinkUse::Altered, "opens nothing"),
        (link(42, -1), 410, LinkUse::Expired, "too old"),
    ];
    for (path, status, used, text) in &cases {
        for (method, form) in [("GET", ""), ("POST", "seen=1&do=repaired")] {
            let page = send(running.at, method, path, form);
            assert_eq!(page.status, *status, "{method} {path}");
            assert!(page.body.contains(text) && page.body.contains("</html>"), "{}", page.body);
            assert_eq!(fake.links_used.lock().unwrap().pop(), Some(*used), "{method} {path}");
        }
    }
    assert!(fake.asked.lock().unwrap().is_empty(), "nobody was even asked");
}

#[test]
fn what_is_sent_twice_or_by_a_get_or_by_hand_changes_nothing() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    let path = link(42, 600);
    let long = format!("seen=1&do=repaired&note={}", "x".repeat(20_000));
    let cases: &[(&str, String, &str, u16, Option<LinkUse>)] = &[
        // The page was opened when the order's history had another length.
        ("POST", path.clone(), "seen=0&do=repaired", 409, Some(LinkUse::Replayed)),
        ("GET", format!("{path}?do=repaired&seen=1"), "", 400, Some(LinkUse::WrongMethod)),
        ("PUT", path.clone(), "seen=1&do=repaired", 405, Some(LinkUse::WrongMethod)),
        ("DELETE", path.clone(), "", 405, Some(LinkUse::WrongMethod)),
        ("POST", path.clone(), "do=repaired", 400, Some(LinkUse::Altered)),
        ("POST", path.clone(), "seen=1&do=cancelled", 400, Some(LinkUse::Altered)),
        ("POST", path.clone(), "seen=1", 400, Some(LinkUse::Altered)),
        ("POST", path.clone(), "%%%&=&seen=-1&do", 400, Some(LinkUse::Altered)),
        ("POST", path.clone(), &long, 413, None),
    ];
    for (method, path, form, status, used) in cases {
        let page = send(running.at, method, path, form);
        assert_eq!(page.status, *status, "{method} {form:.40}: {}", page.body);
        assert!(page.body.contains("</html>") && page.body.contains("othing was changed"), "{}", page.body);
        assert_eq!(fake.links_used.lock().unwrap().pop(), *used, "{method} {form:.40}");
    }
    let asked = fake.asked.lock().unwrap().clone();
    assert!(!asked.iter().any(|ask| matches!(ask, Ask::SetOrder { .. })), "{asked:?}");
}

#[test]
fn a_link_opens_no_other_door() {
    let running = Running::start(Fake::new(), Some("0123456789abcdef0123456789abcdef"));
    for path in ["/api/v1/orders/42", "/metrics", "/crew", "/crew/WO-000042"] {
        let page = get(running.at, path);
        assert!(page.status == 401 || page.status == 404, "{path}: {}", page.status);
    }
}

#[test]
fn a_service_that_is_busy_says_so_on_a_page() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    *fake.refuse_with.lock().unwrap() = Some(AskError::Unavailable("The service is stopping.".to_owned()));
    let page = get(running.at, &link(42, 600));
    assert_eq!(page.status, 503);
    assert!(page.body.contains("The service is stopping."), "{}", page.body);
}
