//! Recordings are read back as they were written.

use buttonwatch::domain::{
    Action, CrewId, Hearing, MaintenanceScope, MessageId, OrderId, OrderMove, SiteId, Timestamp, UnitId,
};
use buttonwatch::wire::payload;
use buttonwatch::wire::recording::{Line, Reader, What, Writer, parse_line, write_line};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{any::*, *};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time")
}

fn written(line: &Line) -> String {
    let mut out = Vec::new();
    write_line(line, &mut out);
    String::from_utf8(out).expect("a recording is UTF-8")
}

#[track_caller]
fn check_line(text: &str, what: What) {
    let line = Line { at: at("2026-11-21T09:00:00Z"), what };
    assert_eq!(written(&line), format!("{text}\n"));
    assert_eq!(parse_line(text), Ok(line));
}

fn publish(payload: &[u8]) -> What {
    What::Publish { topic: topic("heartbeat"), payload: Bytes::copy_from_slice(payload), retained: false }
}

#[test]
fn a_recording_has_one_line_for_each_thing_that_happens() {
    check_line(
        r#"{"at":"2026-11-21T09:00:00.000Z","topic":"buttonwatch/v1/PSH-001/heartbeat","payload":{ "ts":0,"boot":7,"seq":1}}"#,
        publish(br#"{ "ts":0,"boot":7,"seq":1}"#),
    );
    check_line(
        r#"{"at":"2026-11-21T09:00:00.000Z","topic":"buttonwatch/v1/PSH-001/status","payload":{"online":false},"retained":true}"#,
        What::Publish { topic: topic("status"), payload: Bytes::from_static(b"{\"online\":false}"), retained: true },
    );
    check_line(
        r#"{"at":"2026-11-21T09:00:00.000Z","topic":"buttonwatch/v1/PSH-001/heartbeat","payload_b64":"//4="}"#,
        publish(b"\xff\xfe"),
    );
    check_line(r#"{"at":"2026-11-21T09:00:00.000Z","link":"down"}"#, What::Link(Hearing::Down));
    check_line(r#"{"at":"2026-11-21T09:00:00.000Z","link":"start"}"#, What::Link(Hearing::Start));
    check_line(r#"{"at":"2026-11-21T09:00:00.000Z","advance":true}"#, What::Advance);
    check_line(
        r#"{"at":"2026-11-21T09:00:00.000Z","do":{"order":"WO-000001","set":"en-route","by":"crew","note":"by bike"}}"#,
        What::Do {
            action: Action::SetOrder { order: OrderId::new(1), to: OrderMove::EnRoute, note: "by bike".to_owned() },
            by: "crew".to_owned(),
        },
    );
    check_line(
        r#"{"at":"2026-11-21T09:00:00.000Z","do":{"maintenance":{"site":"Jinnah \"Park\"","until":"2026-11-21T12:00:00.000Z"},"by":"ali"}}"#,
        What::Do {
            action: Action::Maintenance {
                scope: MaintenanceScope::Site(SiteId::parse("Jinnah \"Park\"").expect("a name")),
                until: at("2026-11-21T12:00:00Z"),
            },
            by: "ali".to_owned(),
        },
    );
    check_line(
        r#"{"at":"2026-11-21T09:00:00.000Z","delivery":{"message_id":"<wo-1@example.org>","delivered":false,"note":"550"}}"#,
        What::Delivery {
            message_id: MessageId::parse("<wo-1@example.org>").expect("an id"),
            delivered: false,
            note: "550".to_owned(),
        },
    );
}

#[test]
fn a_signed_or_oddly_written_payload_is_kept_to_the_byte() {
    let signed = key().signed(&topic("heartbeat"), br#"{"ts":0}"#);
    let odd: [&[u8]; 9] = [
        &signed,
        b"{\n}",
        b" {}",
        b"{} ",
        b"",
        b"null",
        b"\"\xd8\"",
        b"{\"a\":1e999}",
        br#"{"a":"\ud800","b":1,"b":2}"#,
    ];
    for payload in odd {
        let line = Line { at: Timestamp::default(), what: publish(payload) };
        assert_eq!(parse_line(written(&line).trim_end()), Ok(line));
    }
}

#[test]
fn recordings_made_by_hand_or_by_others_are_read() {
    let maintenance = |by: &str| What::Do {
        action: Action::Maintenance {
            scope: MaintenanceScope::Crew(CrewId::parse("north").expect("a name")),
            until: at("2026-11-21T12:00:00Z"),
        },
        by: by.to_owned(),
    };
    let cases = [
        (
            r#"{"at":"2026-11-21T14:00:00+05:00","do":{"maintenance":{"crew":"north","until":"2026-11-21T17:00:00+05:00"}}}"#,
            maintenance("operator"),
        ),
        (
            r#"{"do":{"maintenance":{"by":"ali","crew":"north","until":"2026-11-21T12:00:00Z"}},"at":1795251600000}"#,
            maintenance("ali"),
        ),
        (r#"{"at":"2026-11-21T09:00:00Z","link":"up","comment":"cable back","link_id":3}"#, What::Link(Hearing::Up)),
        (
            r#"{"at":"2026-11-21T09:00:00Z","qos":1,"payload":{},"topic":"buttonwatch\/v1\/PSH-001\/heartbeat","retained":false}"#,
            publish(b"{}"),
        ),
    ];
    for (text, what) in cases {
        assert_eq!(parse_line(text), Ok(Line { at: at("2026-11-21T09:00:00Z"), what }));
    }
}

#[test]
fn a_bad_line_says_what_is_wrong_and_what_to_write() {
    const WHAT: &str = "a line has one of: topic with payload or payload_b64, link, do, advance, delivery";
    let cases = [
        (r#"{"at":"#, "not a line of a recording: EOF while parsing a value at line 1 column 6".to_owned()),
        (r#"{"link":"up"}"#, r#"there is no "at"; start every line with {"at":"2026-11-21T09:00:00.000Z",…"#.to_owned()),
        (
            r#"{"at":"noon","link":"up"}"#,
            "at is the text \"noon\"; send RFC 3339 text like \"2026-11-21T09:00:00.000Z\", or whole milliseconds since 1970"
                .to_owned(),
        ),
        (r#"{"at":0}"#, format!("nothing happens in this line; {WHAT}")),
        (r#"{"at":0,"link":"up","advance":true}"#, format!("two things happen in this line; split it: {WHAT}")),
        (r#"{"at":0,"link":"left"}"#, "link \"left\" is not one of: down, up, start".to_owned()),
        (r#"{"at":0,"advance":false}"#, "advance is false; write \"advance\":true or leave the line out".to_owned()),
        (
            r#"{"at":0,"topic":"t"}"#,
            "there is a topic but no payload; add \"payload\":{…} or \"payload_b64\":\"…\"".to_owned(),
        ),
        (
            r#"{"at":0,"payload":{}}"#,
            "there is a payload but no topic; add \"topic\":\"buttonwatch/v1/UNIT/KIND\"".to_owned(),
        ),
        (
            r#"{"at":0,"topic":"t","payload":{},"payload_b64":""}"#,
            "there are payload and payload_b64; keep one of the two".to_owned(),
        ),
        (
            r#"{"at":0,"do":{"order":"7","set":"closed","by":"crew"}}"#,
            "do: set \"closed\" is not one of: acknowledged, en-route, repaired, cancelled".to_owned(),
        ),
        (
            r#"{"at":0,"do":{"order":"7","set":"repaired"}}"#,
            "do: there is no \"by\": say who; write \"do\":{\"order\":\"WO-000001\",\"set\":\"acknowledged\",\"by\":\"crew\"} \
             or \"do\":{\"maintenance\":{\"site\":\"…\",\"until\":\"…\"}} \
             or \"do\":{\"rebaseline\":{\"unit\":\"…\",\"component\":\"…\"}}"
                .to_owned(),
        ),
        (
            r#"{"at":0,"do":{"maintenance":{"site":"a","unit":"b","until":"2026-11-21T09:00:00Z"}}}"#,
            "do: maintenance is of one unit, one site or one crew; name exactly one".to_owned(),
        ),
        (
            r#"{"at":0,"do":{"order":"7","set":"repaired","by":"crew","notte":"x"}}"#,
            "not a line of a recording: unknown field `notte`, expected one of `order`, `set`, `by`, `note`, `maintenance`, \
             `rebaseline` at line 1 column 62"
                .to_owned(),
        ),
    ];
    for (text, why) in cases {
        assert_eq!(parse_line(text), Err(why), "{text}");
    }
}

#[test]
fn a_reader_goes_on_after_a_bad_line_and_knows_where_it_was() {
    let text = "\u{feff}{\"at\":5000,\"link\":\"down\"}\r\n\r\n  \nnonsense\n{\"at\":4000,\"link\":\"up\"}\n{\"at\":6000,\"advance\":true}";
    let mut reader = Reader::new(text.as_bytes());
    let read: Vec<String> = reader
        .by_ref()
        .map(|line| match line {
            Ok(line) => format!("{} {:?}", line.at.as_millis(), line.what),
            Err(e) => e.to_string(),
        })
        .collect();
    assert_eq!(
        read,
        [
            "5000 Link(Down)",
            "line 4: not a line of a recording: expected ident at line 1 column 2",
            "4000 Link(Up)",
            "6000 Advance"
        ]
    );
    assert_eq!(reader.went_back(), Some(5));
}

#[test]
fn a_reader_is_not_filled_by_a_file_that_is_no_recording() {
    type Text = Reader<&'static [u8]>;
    let mut bytes = vec![b'x'; 3 * Text::MAX_LINE_BYTES];
    bytes.extend_from_slice(b"\n\xff\n{\"at\":1,\"advance\":true}\n");
    let read: Vec<_> = Reader::new(bytes.as_slice()).map(|line| line.map_err(|e| e.to_string())).collect();
    assert_eq!(
        read,
        [
            Err("line 1: longer than 1048576 bytes; is this a recording?".to_owned()),
            Err("line 2: not UTF-8; save the recording as UTF-8".to_owned()),
            Ok(Line { at: Timestamp::from_millis(1), what: What::Advance }),
        ]
    );
}

fn any_what() -> impl Strategy<Value = What> {
    let payload = prop_oneof![
        vec(any::<u8>(), 0..200),
        any_json().prop_map(|v| v.to_string().into_bytes()),
        any_json().prop_map(|v| serde_json::to_vec_pretty(&v).expect("JSON")),
        any_message().prop_map(|m| payload::encode(&m)),
    ];
    let name = "[^\\pC\\pZ]{1,40}";
    let scope = prop_oneof![
        "[A-Za-z0-9][A-Za-z0-9_-]{0,47}".prop_map(|s| MaintenanceScope::Unit(UnitId::parse(&s).expect("valid"))),
        name.prop_map(|s| MaintenanceScope::Site(SiteId::parse(&s).expect("valid"))),
        name.prop_map(|s| MaintenanceScope::Crew(CrewId::parse(&s).expect("valid"))),
    ];
    let action = prop_oneof![
        (any::<u32>(), proptest::sample::select(OrderMove::ALL), any::<String>())
            .prop_map(|(n, to, note)| Action::SetOrder { order: OrderId::new(n), to, note }),
        (scope, any_time()).prop_map(|(scope, until)| Action::Maintenance { scope, until }),
    ];
    prop_oneof![
        (any::<String>(), payload, any::<bool>()).prop_map(|(topic, payload, retained)| What::Publish {
            topic,
            payload: payload.into(),
            retained
        }),
        proptest::sample::select(Hearing::ALL).prop_map(What::Link),
        (action, any::<String>()).prop_map(|(action, by)| What::Do { action, by }),
        Just(What::Advance),
        ("<[!-;=?-~]{1,9}@[a-z.]{1,9}>", any::<bool>(), any::<String>()).prop_map(|(id, delivered, note)| {
            What::Delivery { message_id: MessageId::parse(&id).expect("valid"), delivered, note }
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_recorded_is_read_back_the_same(lines in vec((any_time(), any_what()), 0..8)) {
        let lines: Vec<Line> = lines.into_iter().map(|(at, what)| Line { at, what }).collect();
        let (mut writer, mut out) = (Writer::default(), Vec::new());
        for line in &lines {
            writer.line(line, &mut out);
        }
        prop_assert_eq!(out.iter().filter(|b| **b == b'\n').count(), lines.len());
        let read: Result<Vec<Line>, String> = Reader::new(out.as_slice()).map(|l| l.map_err(|e| e.to_string())).collect();
        prop_assert_eq!(read, Ok(lines));
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in vec(any::<u8>(), 0..400), value in any_json()) {
        let _ = Reader::new(bytes.as_slice()).count();
        let _ = parse_line(&value.to_string());
    }
}
