//! Fleet queries over 100,000 units, from the words that were typed to the JSON of the first page: 100 ms are allowed for each.
//! The board's first page over as many, from the question to the HTML: 200 ms and 200 KB.
//! `cargo bench --bench query`

use std::hint::black_box;

use buttonwatch::config::query::check_query;
use buttonwatch::config::{check_fleet, default_rules};
use buttonwatch::domain::event::Event;
use buttonwatch::domain::overview::Part;
use buttonwatch::domain::query::{Query, UnitField};
use buttonwatch::domain::{Caller, Fleet, Settings, Timestamp};
use buttonwatch::engine::Engine;
use buttonwatch::render::board::{Assets, Board, Frame, Home, Look, Reader, View, Words};
use buttonwatch::wire::decode::Decoder;
use buttonwatch::wire::signature::Signing;
use criterion::{Criterion, criterion_group, criterion_main};

const UNITS: usize = 100_000;
const START_MS: i64 = 1_795_000_000_000;
/// As much as the API gives at once when nothing is said.
const PAGE: usize = 1_000;

const QUERIES: [(&str, &str, Option<&str>); 6] = [
    ("everything", "", None),
    (
        "the example of the manual",
        "city=peshawar readiness!=ready battery.voltage<11.8 silent>10m crew=saddar",
        Some("since"),
    ),
    ("a text in the name", "name~bazaar 77", None),
    ("a text in the reason", "reason~never", None),
    ("a derived reading", "battery.runtime<2", Some("battery.runtime")),
    ("all in another order", "", Some("-silent")),
];

fn fleet() -> Fleet {
    let mut csv = "unit,name,site,city,crew,uplink,feeder,heartbeat_s,lat,lon\n".to_owned();
    for n in 0..UNITS {
        let (city, crew) = (["Peshawar", "Mardan", "Swat", "Kohat"][n % 4], ["saddar", "north"][n % 2]);
        csv.push_str(&format!(
            "U{n:06},Bazaar {n} gate,S{},{city},{crew},u{},f{},300,{:.4},{:.4}\n",
            n / 4,
            n / 8,
            n / 6,
            31.5 + (n / 4 % 500) as f64 / 100.0,
            70.0 + (n / 2_000) as f64 / 20.0
        ));
    }
    Fleet::new(check_fleet("bench", csv.as_bytes()).expect("a clean fleet"))
}

/// Nine of ten were heard, with voltages from 11 to 14 V; half of the last hour's are silent by now.
fn engine() -> (Engine, Timestamp) {
    let decoder = Decoder::new("buttonwatch/v1", Signing::Off);
    let mut engine = Engine::new(default_rules(), fleet(), Settings::default());
    for n in (0..UNITS).filter(|n| n % 10 != 0) {
        let at = START_MS + n as i64 * 36;
        let volts = 11.0 + (n % 31) as f64 / 10.0;
        for (kind, payload) in [
            ("heartbeat", format!(r#"{{"ts":{at},"boot":1,"seq":1,"interval_s":300,"fw":"2.3.1","rssi_dbm":-83}}"#)),
            ("power", format!(r#"{{"ts":{at},"boot":1,"seq":2,"mains":false,"battery_v":{volts},"charge_a":-1.2}}"#)),
        ] {
            let topic = format!("buttonwatch/v1/U{n:06}/{kind}");
            let decoded = decoder.decode(&topic, payload.as_bytes()).expect("good");
            let unit = engine.fleet().find(decoded.unit).expect("of this fleet");
            let event = Event::Message { unit, message: decoded.message, retained: false };
            black_box(engine.handle(Timestamp::from_millis(at), event));
        }
    }
    let now = Timestamp::from_millis(START_MS + 3_600_000);
    black_box(engine.advance(now));
    (engine, now)
}

fn queries(c: &mut Criterion) {
    let (engine, now) = engine();
    let mut group = c.benchmark_group("100,000 units");
    group.sample_size(20);
    for (name, filter, sort) in QUERIES {
        let ask = || {
            let query: Query<UnitField> = check_query(&[filter], sort).expect("well formed");
            let page = engine.unit_page(now, &Query { limit: Some(PAGE), ..query });
            (page.total, serde_json::to_vec(&page.items).expect("rows"))
        };
        let (total, bytes) = ask();
        println!("{name}: {total} units, first page {} KiB", bytes.len() / 1024);
        group.bench_function(name, |b| b.iter(|| black_box(ask())));
    }
    let near = || {
        let query: Query<UnitField> = check_query(&["readiness!=ready"], None).expect("well formed");
        let page = engine.unit_page(now, &Query { limit: Some(10), ..query }.near((33.2, 71.1)));
        serde_json::to_vec(&page.items).expect("rows")
    };
    group.bench_function("the ten nearest that are not ready", |b| b.iter(|| black_box(near())));
    group.finish();
}

fn first_page(c: &mut Criterion) {
    let (engine, now) = engine();
    let words = Words::default();
    let language = words.english();
    let board = Board::new(words);
    let frame = Frame {
        reader: Reader { language, zone: chrono_tz::Asia::Karachi, now },
        look: Look::Auto,
        path: "/".to_owned(),
        address: "/".to_owned(),
        caller: Some(Caller::LOCAL),
        is_signed_in: false,
        form_token: String::new(),
        assets: Assets {
            css: "/assets/board.css".into(),
            js: "/assets/board.js".into(),
            icon: "/assets/board.svg".into(),
        },
        flash: None,
    };
    let part = Part::default();
    let ask = || {
        let overview = engine.overview(&part, now);
        let incidents = engine.incident_page(now, &Query { limit: Some(10), ..Query::default() }).items;
        board
            .page(&View::Home(Home { overview: &overview, incidents: &incidents, part: &part }), &frame)
            .expect("a page")
    };
    println!("the board's first page: {} KiB", ask().len() / 1024);
    let mut group = c.benchmark_group("100,000 units");
    group.sample_size(20);
    group.bench_function("the board's first page", |b| b.iter(|| black_box(ask())));
    group.finish();
}

criterion_group!(benches, queries, first_page);
criterion_main!(benches);
