use serde_json::{Value as Json, json};

use super::*;
use crate::domain::explain::{Figure, Told};
use crate::domain::on_demand::Hindrance;
use crate::domain::order::Evidence;
use crate::domain::overview::Part;
use crate::domain::rule::{Condition, MetricRef, Side};
use crate::domain::{Kind, Metric, Reason, Timestamp};

fn read<T: serde::de::DeserializeOwned>(value: Json) -> T {
    serde_json::from_value(value).expect("the right shape")
}

fn row(id: &str, name: &str, readiness: &str, lat: f64) -> Json {
    json!({
        "unit": id, "name": name, "site": "Qissa Khwani Bazaar", "site_type": "market", "city": "Peshawar",
        "crew": "saddar", "uplink": "psh-fibre-01", "feeder": "city-1", "model": "PB-1", "position": [lat, 71.5733],
        "readiness": readiness, "reason": "no heartbeat for 1 min 35 s, last at 2026-11-21T08:58:25.000Z",
        "since": "2026-11-21T09:00:00.000Z", "last_heard": "2026-11-21T08:58:25.000Z", "open_alerts": 1, "open_orders": 1,
    })
}

fn order() -> Json {
    json!({
        "order": "WO-000042", "unit": "PSH-001", "component": "uplink", "incident": null, "priority": "P1",
        "state": "opened", "crew": "saddar", "site": "Qissa Khwani Bazaar", "opened_at": "2026-11-21T09:05:00.000Z",
        "due_at": "2026-11-21T13:05:00.000Z", "closed_at": null, "summary": "no heartbeat for 1 min 35 s",
        "action": "Check power at the pole, then the link", "parts": ["SIM", "4G modem"],
        "suspects": [{"component": "uplink", "certainty": 60}, {"component": "controller", "certainty": 40}],
        "evidence": ["2026-11-21T08:58:25.000Z the last heartbeat"], "rules": ["unit-silent"], "units": [],
        "relapses": 1, "flapping": false,
        "history": [{"at": "2026-11-21T09:05:00.000Z", "state": "opened", "by": "buttonwatch", "why": "no heartbeat"}],
    })
}

fn alert() -> Json {
    json!({
        "unit": "PSH-001", "rule": "unit-silent", "component": "uplink", "severity": "critical", "state": "firing",
        "flapping": false, "since": "2026-11-21T09:00:00.000Z", "reason": "no heartbeat for 1 min 35 s",
        "order": "WO-000042",
    })
}

fn card(name: &str) -> crate::domain::view::UnitCard {
    let mut card = row("PSH-001", name, "silent", 34.009);
    let more = json!({
        "address": "Kabuli Gate", "contact": "Rahim, 091-0000-001", "firmware": "2.4.1", "hardware": null, "boot": 7,
        "loss_pct": 1.5, "silent_at": null,
        "readings": [
            {"metric": "battery.voltage", "value": 11.42, "text": "11.4 V", "at": "2026-11-21T08:58:25.000Z"},
            {"metric": "press.ack_ms", "value": 900.0, "text": "900 ms", "at": "2026-11-20T08:58:25.000Z"},
        ],
        "tests": [{"component": "camera", "result": "fail", "at": "2026-11-21T03:00:00.000Z", "code": "blocked"}],
        "presses": [
            {"at": "2026-11-20T09:00:00.000Z", "kind": "real", "answered": false, "answer_ms": null},
            {"at": "2026-11-19T09:00:00.000Z", "kind": "test", "answered": true, "answer_ms": 900.0},
        ],
        "alerts": [alert()], "orders": [order()],
        "siblings": [{"unit": "PSH-002", "shares": "uplink", "readiness": "ready"}],
    });
    card.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let mut card: crate::domain::view::UnitCard = read(card);
    card.row.because = Some(silent());
    card.alerts[0].because = Some(silent());
    card
}

/// Inside the service a reason comes in its parts, too.
fn silent() -> Reason {
    let last = Timestamp::parse("2026-11-21T08:58:25.000Z").expect("a time");
    Reason::NothingFor { kind: Kind::Heartbeat, last, silence: std::time::Duration::from_secs(95) }
}

fn frame(language: &str, role: Role) -> Frame {
    let words = Words::default();
    Frame {
        reader: Reader {
            language: words.find(language).expect("it is carried"),
            zone: chrono_tz::Asia::Karachi,
            now: Timestamp::parse("2026-11-21T09:30:00Z").expect("a time"),
        },
        look: Look::Auto,
        path: "/".to_owned(),
        address: "/".to_owned(),
        caller: Some(Caller { name: None, role }),
        is_signed_in: false,
        form_token: "form-token".to_owned(),
        assets: Assets { css: "/assets/a.css".into(), js: "/assets/a.js".into(), icon: "/assets/a.svg".into() },
        flash: None,
    }
}

fn drawn(view: &View<'_>, language: &str) -> String {
    Board::new(Words::default()).page(view, &frame(language, Role::Admin)).expect("the template has all it asks for")
}

/// What changes from page to page.
fn main_of(html: &str) -> &str {
    let start = html.find("<main").expect("there is one");
    &html[start..html.find("</main>").expect("it ends") + 7]
}

fn overview(name: &str) -> crate::domain::overview::Overview {
    let place = |site: &str, lat: f64, readiness: &str| {
        json!({
            "site": site, "sites": 1, "city": "Peshawar", "unit": "PSH-001", "position": [lat, 71.5733],
            "bounds": {"south": lat, "west": 71.5733, "north": lat, "east": 71.5733}, "counts": {readiness: 1},
        })
    };
    let mut unplaced = row("PSH-003", "Jinnah Park", "unproven", 0.0);
    unplaced["position"] = Json::Null;
    read(json!({
        "hearing": false, "counts": {"silent": 1, "ready": 1, "unproven": 1},
        "cities": [{"city": "Mardan", "counts": {"ready": 1}}, {"city": "Peshawar", "counts": {"silent": 1, "ready": 1}}],
        "crews": ["saddar"], "places": [place(name, 34.009, "silent"), place("Jinnah Park", 34.02, "ready")],
        "unplaced": 1, "unplaced_units": [unplaced], "broken": 1,
        "broken_units": [row("PSH-001", name, "silent", 34.009)],
        "changed_units": [row("PSH-001", name, "silent", 34.009)], "open_alerts": 1, "open_orders": 2,
        "overdue_orders": 1, "open_incidents": 1,
    }))
}

fn incidents() -> Vec<crate::domain::view::IncidentRow> {
    let mut row: crate::domain::view::IncidentRow = read(json!({
        "kind": "uplink", "name": "psh-fibre-01", "state": "open", "since": "2026-11-21T09:01:00.000Z",
        "units": ["PSH-001", "PSH-002"], "reason": "2 of 2 units of this uplink are affected", "order": null,
    }));
    row.because = Some(Reason::SilentTogether { silent: 2, of: 2, group: crate::domain::GroupKind::Uplink });
    vec![row]
}

fn explained() -> crate::domain::explain::Explained {
    let mut explained: crate::domain::explain::Explained = read(json!({
        "unit": "PSH-001", "at": "2026-11-21T09:30:00.000Z", "readiness": "silent", "reason": "no heartbeat",
        "hearing": true, "maintenance_until": null, "diagnoses": [], "rules": [{
            "rule": "battery-low", "component": "battery", "severity": "major", "state": "firing", "not_for": null,
            "override_no": null, "for_s": 300.0, "clear_for_s": 600.0, "since": "2026-11-21T09:00:00.000Z",
            "reason": "battery.voltage 11.4 V is below 11.6 V", "flapping": false, "held_by": null, "due": null,
            "order_due": null, "order": null, "excused": false, "together": null,
            "signs": [{"asks": "battery.voltage below 11.6 V, clear above 12.6 V", "says": "holds", "due": null,
                       "figures": [{"what": "now", "text": "11.4 V"}]}],
        }],
    }));
    explained.rules[0].because = Some(Reason::Beyond {
        metric: "battery.voltage".to_owned(),
        value: 11.4,
        unit: "V".to_owned(),
        side: Side::Below,
        limit: 11.6,
        consecutive: 1,
    });
    let sign = &mut explained.rules[0].signs[0];
    sign.sign = Some(Condition::Threshold {
        metric: MetricRef::Known(Metric::BatteryVoltage),
        side: Side::Below,
        limit: 11.6,
        clear: 12.6,
        consecutive: 1,
    });
    sign.figures = vec![Figure::new("now", Told::Value { value: "11.4 V".to_owned(), at: None })];
    explained
}

fn history() -> crate::domain::view::UnitHistory {
    let stretch = |from: &str, until: &str, readiness: &str, lasted_s: f64| {
        json!({"unit": "PSH-001", "from": from, "until": until, "readiness": readiness, "lasted_s": lasted_s,
               "reason": "tests passed"})
    };
    let mut history: crate::domain::view::UnitHistory = read(json!({
        "unit": "PSH-001", "from": "2026-11-14T09:30:00.000Z", "to": "2026-11-21T09:30:00.000Z",
        "available_pct": 99.7, "seconds": {"ready": 603_000, "silent": 1_800},
        "stretches": [stretch("2026-11-14T09:30:00.000Z", "2026-11-21T09:00:00.000Z", "ready", 603_000.0),
                      stretch("2026-11-21T09:00:00.000Z", "2026-11-21T09:30:00.000Z", "silent", 1_800.0)],
    }));
    // The older one was written before reasons were kept in their parts.
    history.stretches[1].because = Some(silent());
    history
}

fn series() -> Vec<crate::domain::view::SeriesView> {
    let point = |hour: &str, mean: f64| json!({"hour": hour, "count": 60, "min": mean - 0.2, "max": mean + 0.2, "mean": mean, "last": mean});
    vec![read(json!({
        "unit": "PSH-001", "metric": "battery.voltage", "measured_in": "V", "from": "2026-11-20T09:30:00.000Z",
        "to": "2026-11-21T09:30:00.000Z", "limits": [{"rule": "battery-low", "value": 11.6}],
        "points": [point("2026-11-21T06:00:00.000Z", 12.9), point("2026-11-21T07:00:00.000Z", 12.1),
                   point("2026-11-21T08:00:00.000Z", 11.4)],
    }))]
}

fn all_pages(language: &str, name: &str) -> Vec<(&'static str, String)> {
    let (overview, incidents, card, explained, history, series) =
        (overview(name), incidents(), card(name), explained(), history(), series());
    let mut order: crate::domain::view::OrderView = read(order());
    order.seen =
        vec![Evidence::Seen { at: Timestamp::parse("2026-11-21T08:58:25.000Z").expect("a time"), why: silent() }];
    order.history[0].because =
        Some(Reason::FiredFor { after: std::time::Duration::from_secs(300), what: Box::new(silent()) });
    let alert = [card.alerts[0].clone()];
    let mut rules: crate::domain::overview::RulesView = read(json!({
        "rules": [{
            "rule": "unit-silent", "component": "uplink", "severity": "critical", "summary": "no heartbeat for {for}",
            "asks": "no heartbeat for 3 intervals", "for_s": 0.0, "clear_for_s": 60.0, "readiness": "not-ready",
            "priority": "P1", "action": name, "is_selective": true, "overrides": 2, "pending": 3, "firing": 1,
            "inhibited": 2,
        }],
        "incidents": [{"rule": "uplink-down", "group_by": "uplink", "of": ["unit-silent"], "inhibits": [],
                       "at_least": 2, "share_pct": 60.0, "priority": null, "open": 1}],
    }));
    rules.rules[0].condition = Some(Condition::Silent { kind: Kind::Heartbeat, missed: 3, slack: None });
    let asked = AskedUnits {
        readiness: vec![crate::domain::Readiness::Silent],
        filter: name.to_owned(),
        ..AskedUnits::default()
    };
    let mistakes = vec![format!("there is no field {name}")];
    let kept = || Kept { by: name.to_owned(), note: name.to_owned() };
    let mut command: crate::domain::on_demand::CommandView = read(json!({
        "id": "cmd-1", "unit": "PSH-001", "do": "selftest", "components": [], "by": name,
        "asked_at": "2026-11-21T09:20:00.000Z", "expires_at": "2026-11-21T10:20:00.000Z", "state": "waiting",
        "finished": false, "sent_at": null, "replied_at": null, "finished_at": null, "says": "PSH-001 is away",
        "error": null, "results": [],
    }));
    command.hindrance = Some(Hindrance::Away);
    let commands = [command];
    let unit_page = || UnitPage {
        card: &card,
        explained: Some(&explained),
        history: Some(&history),
        series: &series,
        days: 1,
        metric: None,
        commands: &commands,
    };
    let views = [
        ("home", View::Home(Home { overview: &overview, incidents: &incidents, part: &Part::default() })),
        (
            "units",
            View::Units(Units {
                rows: std::slice::from_ref(&card.row),
                total: 1,
                asked: &asked,
                cities: Vec::new(),
                crews: &[],
                mistakes: &mistakes,
                here: None,
                first: None,
                next: Some("/units?after=x".to_owned()),
            }),
        ),
        (
            "units_near",
            View::Units(Units {
                rows: std::slice::from_ref(&card.row),
                total: 35,
                asked: &AskedUnits { near: "34.03,71.55".to_owned(), ..asked.clone() },
                cities: Vec::new(),
                crews: &[],
                mistakes: &[],
                here: Some(Ok((34.03, 71.55))),
                first: None,
                next: None,
            }),
        ),
        (
            "units_near_nowhere",
            View::Units(Units {
                rows: &[],
                total: 0,
                asked: &AskedUnits { near: name.to_owned(), ..AskedUnits::default() },
                cities: Vec::new(),
                crews: &[],
                mistakes: &[],
                here: Some(Err(format!("{name} is no latitude"))),
                first: None,
                next: None,
            }),
        ),
        ("unit", View::Unit(Box::new(unit_page()))),
        (
            "orders",
            View::Orders(Orders {
                rows: std::slice::from_ref(&order),
                total: 1,
                overdue: 1,
                asked: &AskedOrders::default(),
                crews: &[],
                mistakes: &[],
                first: None,
                next: None,
            }),
        ),
        (
            "order",
            View::Order(OrderPage { order: &order, card: Some(&card), may_act: true, may_cancel: true, kept: kept() }),
        ),
        (
            "incidents",
            View::Incidents(Incidents {
                rows: &incidents,
                page: OnePage { total: 1, ..OnePage::default() },
                filter: name,
                mistakes: &mistakes,
            }),
        ),
        (
            "alerts",
            View::Alerts(Alerts {
                rows: &alert,
                page: OnePage { total: 1, ..OnePage::default() },
                asked: &AskedAlerts { rule: name.to_owned(), ..AskedAlerts::default() },
                mistakes: &mistakes,
            }),
        ),
        ("rules", View::Rules(Rules { rules: &rules })),
        ("sign-in", View::SignIn(SignIn { to: name, by: name, hours: 12 })),
        ("problem", View::Problem(Problem { trouble: Trouble::NotFound, detail: name, back: Some("/units") })),
    ];
    views.iter().map(|(page, view)| (*page, drawn(view, language))).collect()
}

#[test]
fn every_page_reads_as_it_should_in_english_and_urdu() {
    for language in ["en", "ur"] {
        for (page, html) in all_pages(language, "Kabuli Gate – قصہ خوانی") {
            insta::assert_snapshot!(format!("{page}_{language}"), main_of(&html));
        }
    }
}

#[test]
fn nothing_from_units_or_files_becomes_a_part_of_the_page() {
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=y>{{ 7*7 }}";
    for (page, html) in all_pages("en", evil) {
        assert!(!html.contains("<script>alert"), "{page}: {html}");
        assert!(!html.contains("<img") && !html.contains("onerror=y>{{ 49"), "{page}");
        assert!(!html.contains(" style=") && !html.contains("javascript:") && !html.contains(" onclick"), "{page}");
    }
}

#[test]
fn urdu_runs_from_the_right_and_every_label_has_urdu_words() {
    for (page, html) in all_pages("ur", "Gate") {
        assert!(html.contains("<html lang=\"ur\" dir=\"rtl\""), "{page}");
        // A key that has no words is shown as it is.
        for word in main_of(&html).split(['>', '<']).map(str::trim) {
            let is_key = word.contains('-') && word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            let is_name = ["unit-silent", "battery-low", "psh-fibre-01", "city-1", "uplink-down"].contains(&word);
            assert!(!is_key || is_name, "{page}: {word:?} has no words");
        }
    }
}

#[test]
fn whoever_may_only_look_gets_no_buttons() {
    let card = card("Gate");
    let order: crate::domain::view::OrderView = read(order());
    let page = |role: Role| {
        let view = View::Order(OrderPage {
            order: &order,
            card: Some(&card),
            may_act: role >= Role::Crew,
            may_cancel: role >= Role::Admin,
            kept: Kept::default(),
        });
        Board::new(Words::default()).page(&view, &frame("en", role)).expect("a page")
    };
    assert!(!page(Role::Viewer).contains("data-do="));
    let crew = page(Role::Crew);
    assert!(crew.contains("data-do=\"repaired\"") && !crew.contains("data-do=\"cancelled\""));
    assert!(page(Role::Admin).contains("data-do=\"cancelled\""));
}

/// WCAG 2's relative luminance of `#rrggbb`.
fn luminance(colour: &str) -> f64 {
    let part = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).expect("hexadecimal")) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
}

#[test]
fn text_stands_out_from_what_it_stands_on_in_both_looks() {
    for block in [":root {", "[data-theme=\"dark\"] {"] {
        let start = STYLE.find(block).expect("the block") + block.len();
        let text = &STYLE[start..start + STYLE[start..].find('}').expect("it ends")];
        let colour = |name: &str| {
            let at = text.find(&format!("--{name}: #")).unwrap_or_else(|| panic!("{name} in {block}"));
            let value = &text[at + name.len() + 4..];
            luminance(&value[..7])
        };
        let signs = ["ready", "impaired", "not-ready", "silent", "unknown", "unproven", "maintenance"];
        let mut pairs: Vec<(&str, &str)> = signs.iter().flat_map(|s| [(*s, "card"), (*s, "bg")]).collect();
        pairs.extend([("text", "bg"), ("text", "card"), ("faint", "bg"), ("faint", "card"), ("link", "bg")]);
        pairs.extend([("link", "card"), ("on-accent", "accent"), ("text", "good-bg"), ("text", "bad-bg")]);
        pairs.extend([
            ("faint", "bad-bg"),
            ("not-ready", "bad-bg"),
            ("text", "shade"),
            ("text", "wait-bg"),
            ("link", "bad-bg"),
        ]);
        for (on, under) in pairs {
            let (a, b) = (colour(on), colour(under));
            let ratio = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(ratio >= 4.5, "{block} {on} on {under}: {ratio:.2}");
        }
    }
    let dark = |start: &str| {
        let at = STYLE.find(start).expect("the block") + start.len();
        let text = &STYLE[at..at + STYLE[at..].find('}').expect("it ends")];
        text.split(';').map(str::trim).filter(|line| line.starts_with("--")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(dark("[data-theme=\"dark\"] {"), dark("[data-theme=\"auto\"] {"), "dark is dark however it came about");
}
