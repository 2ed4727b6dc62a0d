//! Golden screens, Urdu names included, and what the keys do.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Value, json};

use super::draw::draw;
use super::state::*;
use crate::cli::card::Card;
use crate::domain::view::UnitRow;
use crate::domain::{Readiness, Timestamp, UnitId};
use std::time::Duration;

const NOW: &str = "2026-11-21T09:06:30.000Z";

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time of this test")
}

fn unit(id: &str, name: &str, readiness: Readiness, since: &str, reason: &str) -> UnitRow {
    let row: Value = json!({
        "unit": id, "name": name, "site": "Qissa Khwani Bazaar", "site_type": "market", "city": "Peshawar",
        "crew": "city-north", "uplink": "ptcl-qissa-1", "feeder": null, "model": "SOS-4G", "position": null,
        "readiness": readiness, "reason": reason, "since": since, "last_heard": since, "open_alerts": 1,
        "open_orders": 1,
    });
    serde_json::from_value(row).expect("a unit of this test")
}

fn rows() -> Vec<UnitRow> {
    vec![
        unit(
            "PSH-014",
            "قصہ خوانی بازار",
            Readiness::Silent,
            "2026-11-21T09:06:05.000Z",
            "no heartbeat for 1 min 35 s, last at 2026-11-21T09:04:30.000Z",
        ),
        unit(
            "PSH-020",
            "صدر بازار، لاہور سٹریٹ",
            Readiness::NotReady,
            "2026-11-21T08:40:00.000Z",
            "camera test failed (black), 3 times in a row",
        ),
        unit(
            "PSH-033",
            "Jinnah Park",
            Readiness::Maintenance,
            "2026-11-20T06:00:00.000Z",
            "maintenance of site Jinnah Park",
        ),
    ]
}

fn fresh(wish: &Wish) -> Box<Fresh> {
    let health = json!({
        "version": "0.1.0", "started_at": "2026-11-20T00:00:00.000Z", "hearing": true, "units": 68, "open_alerts": 3,
        "open_orders": 2, "outbox_waiting": 0,
    });
    let mut changes = rows();
    changes.insert(
        1,
        unit("PSH-001", "North gate", Readiness::Ready, "2026-11-21T09:01:00.000Z", "heard again, all tests passed"),
    );
    Box::new(Fresh {
        wish: wish.clone(),
        now: time(NOW),
        health: serde_json::from_value(health).expect("health"),
        counts: vec![
            (Readiness::Ready, 64),
            (Readiness::NotReady, 1),
            (Readiness::Silent, 1),
            (Readiness::Unproven, 1),
            (Readiness::Maintenance, 1),
        ],
        rows: rows(),
        rows_total: 3,
        changes,
        page: None,
    })
}

fn state() -> State {
    let mut state = State::new("http://127.0.0.1:8680", chrono_tz::Asia::Karachi, false, String::new());
    state.take(Ok(fresh(&state.wish)));
    state
}

fn screen(state: &mut State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal of this test");
    terminal.draw(|frame| draw(frame, state)).expect("drawn");
    terminal.backend().to_string()
}

fn press(state: &mut State, codes: &[KeyCode]) {
    for code in codes {
        state.key(KeyEvent::new(*code, KeyModifiers::NONE));
    }
}

fn type_in(state: &mut State, text: &str) {
    text.chars().for_each(|c| press(state, &[KeyCode::Char(c)]));
}

#[test]
fn the_list_on_a_usual_and_on_a_small_screen() {
    insta::assert_snapshot!("list_80x24", screen(&mut state(), 80, 24));
    insta::assert_snapshot!("list_40x12", screen(&mut state(), 40, 12));
}

#[test]
fn a_card_and_the_keys() {
    let mut state = state();
    press(&mut state, &[KeyCode::Down, KeyCode::Enter]);
    assert_eq!(state.wish.page, Some(Page::Card(UnitId::parse("PSH-020").expect("an id"))));
    assert!(screen(&mut state, 80, 24).contains('…'), "it is being asked");
    let mut card = serde_json::to_value(&rows()[1]).expect("a row");
    card.as_object_mut().expect("an object").extend(
        json!({
            "address": "", "contact": "", "firmware": "2.4.1", "hardware": null, "boot": 7, "loss_pct": 0.0,
            "silent_at": null, "tests": [], "alerts": [], "orders": [], "siblings": [],
            "readings": [{"metric": "battery.voltage", "value": 13.7, "text": "13.7 V", "at": NOW, "limits": [11.6]}],
        })
        .as_object()
        .expect("an object")
        .clone(),
    );
    let card = Card { card: serde_json::from_value(card).expect("a card"), days: Vec::new() };
    let mut answer = fresh(&state.wish);
    answer.page = Some(Body::Card(Box::new(card)));
    state.take(Ok(answer));
    insta::assert_snapshot!("card_80x24", screen(&mut state, 80, 24));
    press(&mut state, &[KeyCode::Char('?')]);
    insta::assert_snapshot!("keys_40x12", screen(&mut state, 40, 12));
    press(&mut state, &[KeyCode::End]);
    assert!(screen(&mut state, 80, 12).contains("q Ctrl-C"), "the last key is in sight");
    press(&mut state, &[KeyCode::Esc]);
    assert_eq!((state.wish.page.clone(), state.over), (None, false));
    press(&mut state, &[KeyCode::Esc]);
    assert!(state.over);
}

#[test]
fn no_size_is_too_small_and_none_too_large() {
    for (width, height) in
        (1..6).flat_map(|w| (1..40).map(move |h| (w, h))).chain([(1, 1), (300, 90), (25, 5), (80, 2)])
    {
        for page in [None, Some(Page::Orders), Some(Page::Keys)] {
            let mut state = state();
            state.wish.page = page;
            state.trouble = Some("nothing answers at http://127.0.0.1:8680".to_owned());
            screen(&mut state, width, height);
            state.typing = Some(Typing { text: "city=پشاور".to_owned(), wrong: None });
            screen(&mut state, width, height);
            State::new("x", chrono_tz::UTC, true, String::new()).rows();
        }
    }
}

#[test]
fn an_unreachable_service_is_told_and_what_was_known_stays() {
    let mut new = State::new("http://127.0.0.1:8680", chrono_tz::Asia::Karachi, false, String::new());
    new.take(Err("nothing answers at http://127.0.0.1:8680: start it with `buttonwatch serve`".to_owned()));
    let empty = screen(&mut new, 80, 24);
    assert!(empty.contains("! nothing answers at http://127.0.0.1:8680") && empty.contains("trying again"), "{empty}");
    let mut state = state();
    state.take(Err("nothing answers at http://127.0.0.1:8680".to_owned()));
    state.age = Duration::from_secs(41);
    insta::assert_snapshot!("unreachable_80x24", screen(&mut state, 80, 24));
    state.take(Ok(fresh(&state.wish)));
    assert!(!screen(&mut state, 80, 24).contains("nothing answers"));
    // No error, and no answer either.
    state.age = Duration::from_secs(30);
    assert!(screen(&mut state, 80, 24).contains("is slow to answer"));
}

#[test]
fn a_filter_is_typed_checked_and_asked_for() {
    let mut state = state();
    press(&mut state, &[KeyCode::Char('/')]);
    type_in(&mut state, "ctiy=peshawar");
    press(&mut state, &[KeyCode::Enter]);
    assert!(state.typing.as_ref().is_some_and(|t| t.wrong.as_ref().is_some_and(|w| w.contains("did you mean city?"))));
    assert!(screen(&mut state, 80, 24).contains("did you mean city?"));
    (0.."ctiy=peshawar".len()).for_each(|_| press(&mut state, &[KeyCode::Backspace]));
    // Keys that mean something elsewhere are letters here.
    type_in(&mut state, "city=peshawar name~quiet");
    assert!(!state.over);
    press(&mut state, &[KeyCode::Enter]);
    assert_eq!((state.typing.clone(), state.wish.filter.as_str()), (None, "city=peshawar name~quiet"));
    let asked = screen(&mut state, 80, 24);
    assert!(asked.contains("· city=peshawar name~quiet …"), "what stands there is of before: {asked}");
    press(&mut state, &[KeyCode::Char('/')]);
    type_in(&mut state, "x");
    press(&mut state, &[KeyCode::Esc]);
    assert_eq!(state.wish.filter, "city=peshawar name~quiet", "Esc leaves it as it was");
    state.key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert!(state.over);
}

#[test]
fn the_selected_unit_stays_selected_while_others_come_and_is_always_in_sight() {
    let mut state = state();
    press(&mut state, &[KeyCode::Down]);
    let mut answer = fresh(&state.wish);
    answer.rows.insert(0, unit("PSH-002", "Saddar", Readiness::Silent, NOW, "no heartbeat"));
    state.take(Ok(answer));
    assert_eq!(state.rows()[state.selected].unit.as_str(), "PSH-020");
    let mut answer = fresh(&state.wish);
    answer.rows = (0..50).map(|n| unit(&format!("U-{n:02}"), "x", Readiness::Silent, NOW, "r")).collect();
    answer.rows_total = 4_000;
    state.take(Ok(answer));
    for keys in [[KeyCode::End], [KeyCode::Home], [KeyCode::PageDown], [KeyCode::Up]] {
        press(&mut state, &keys);
        for height in [24, 9, 4, 3] {
            let chosen = format!("U-{:02}", state.selected);
            let seen = screen(&mut state, 80, height);
            assert!(seen.contains(&chosen), "{chosen} at {height}:\n{seen}");
        }
    }
    assert!(screen(&mut state, 80, 24).contains("NOT READY: the first 50 of 4000, newest first"));
    press(&mut state, &[KeyCode::Char('s'), KeyCode::Char('n')]);
    assert_eq!((state.wish.order.field(), state.wish.all, state.selected), ("since", true, 0));
}
