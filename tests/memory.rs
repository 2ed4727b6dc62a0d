//! What a unit costs in memory (DESIGN §7), counted at the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use buttonwatch::config::{check_fleet, default_rules};
use buttonwatch::domain::event::Event;
use buttonwatch::domain::{Fleet, Settings, Timestamp, UnitIx};
use buttonwatch::engine::Engine;
use buttonwatch::wire::decode::Decoder;
use buttonwatch::wire::signature::Signing;

struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came; the count beside it touches no memory of theirs.
#[allow(unsafe_code, reason = "an allocator cannot be written otherwise, and this one only counts, in a test")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(place, layout) }
    }
    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        IN_USE.fetch_add(size, Ordering::Relaxed);
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One at a time: the count is of the whole process.
static TURN: Mutex<()> = Mutex::new(());

/// As an operator's spreadsheet has it: two units to a site, eight to an uplink, twelve to a feeder, a thousand to a city.
fn fleet(units: usize) -> Fleet {
    let mut rows = Vec::with_capacity(units);
    // Read in parts, so that the spreadsheet's own text is never all in memory.
    for first in (0..units).step_by(10_000) {
        let mut csv =
            "unit,name,site,site_type,city,district,address,lat,lon,crew,uplink,feeder,model,commissioned\n".to_owned();
        for n in first..units.min(first + 10_000) {
            csv.push_str(&format!(
                "LHE-{n:06},Gulberg Gate {n},Site Gulberg {},market,City {},Lahore,\"Boulevard {n:06}, Gulberg III\",\
                 31.{:05},74.{:05},crew-{},PTCL-GB-{},LESCO-{},PB-200,2026-01-15\n",
                n / 2,
                n / 1000,
                n % 100_000,
                n % 99_991,
                n / 500,
                n / 8,
                n / 12,
            ));
        }
        rows.extend(check_fleet("fleet.csv", csv.as_bytes()).expect("a clean fleet"));
    }
    Fleet::new(rows)
}

/// Bytes in use that `make` added, and what it made.
fn cost<T>(make: impl FnOnce() -> T) -> (usize, T) {
    let before = IN_USE.load(Ordering::Relaxed);
    let made = make();
    (IN_USE.load(Ordering::Relaxed).saturating_sub(before), made)
}

#[test]
fn a_row_of_the_fleet_stays_small() {
    let _turn = TURN.lock();
    const UNITS: usize = 100_000;
    let (bytes, fleet) = cost(|| fleet(UNITS));
    let per_unit = bytes / UNITS;
    println!("{per_unit} bytes per unit of the fleet, groups included");
    assert_eq!(fleet.len(), UNITS);
    assert!(per_unit <= MOST_PER_ROW, "{per_unit} bytes");
}

/// Its texts are a hundred bytes of it.
const MOST_PER_ROW: usize = 350;

/// DESIGN §7: what the engine remembers of a unit under the default rules. The fleet's own rows come on top.
const MOST_OF_THE_ENGINE: f64 = 1024.0;

#[test]
fn a_unit_that_reports_everything_takes_a_kibibyte() {
    units_that_report_everything(20_000);
}

/// `cargo test --release --test memory -- --ignored --nocapture`
#[test]
#[ignore = "a million units: half a minute in release, minutes in debug, and more than a gigabyte"]
fn a_million_units_that_report_everything() {
    units_that_report_everything(1_000_000);
}

fn units_that_report_everything(units: usize) {
    let _turn = TURN.lock();
    let start = Timestamp::from_millis(1_795_000_000_000);
    let (fleet_bytes, fleet) = cost(|| fleet(units));
    let (engine_bytes, mut engine) = cost(|| Engine::new(default_rules(), fleet, Settings::default()));
    let per_unit = |bytes: usize| bytes as f64 / units as f64;
    println!("fleet:                      {:7.1} bytes per unit", per_unit(fleet_bytes));
    println!("engine that heard nothing:  {:7.1}", per_unit(engine_bytes));
    let decoder = Decoder::new(Decoder::DEFAULT_ROOT, Signing::Off);
    let mut at = start.as_millis();
    let mut engine_in_all = engine_bytes;
    let rounds: [(&str, &str, &str); 4] = [
        ("first heartbeat", "heartbeat", HEARTBEAT),
        ("second heartbeat", "heartbeat", HEARTBEAT),
        ("power message", "power", POWER),
        ("self-test", "selftest", SELFTEST),
    ];
    for (round, (what, kind, fields)) in rounds.into_iter().enumerate() {
        let (bytes, ()) = cost(|| {
            for n in 0..units {
                // The whole round in 20 s: nobody falls silent.
                let now = at + (n * 20_000 / units) as i64;
                let topic = format!("buttonwatch/v1/LHE-{n:06}/{kind}");
                let payload = format!(r#"{{"ts":{now},"boot":7,"seq":{round},{fields}}}"#);
                let message = decoder.decode(&topic, payload.as_bytes()).expect("a good message").message;
                let event = Event::Message { unit: UnitIx(n as u32), message, retained: false };
                drop(engine.handle(Timestamp::from_millis(now), event));
            }
        });
        at += 20_000;
        engine_in_all += bytes;
        println!("{:27} {:+7.1}", format!("after its {what}:"), per_unit(bytes));
    }
    println!("the engine in all:          {:7.1} bytes per unit", per_unit(engine_in_all));
    println!("with the fleet:             {:7.1}", per_unit(engine_in_all + fleet_bytes));
    assert!(per_unit(engine_in_all) <= MOST_OF_THE_ENGINE);
    drop(engine);
}

const HEARTBEAT: &str = r#""uptime_s":86412,"interval_s":30,"fw":"2.4.1","hw":"B3","rssi_dbm":-71,"temp_c":34.5,"disk_free_pct":61.2,"mem_free_pct":44,"tamper":false"#;
const POWER: &str = r#""mains":true,"mains_v":228.4,"battery_v":13.78,"battery_pct":99,"battery_temp_c":31.5,"charge_a":0.12,"load_w":7.4"#;
const SELFTEST: &str = r#""trigger":"schedule","results":{"camera":{"result":"pass","sharpness":412.7,"luma":118,"changed_pct":2.1,"frozen_frames":0,"fps":25,"mode":"day"},"microphone":{"result":"pass","tone_snr_db":24.5,"ambient_dbfs":-48,"clipping_pct":0,"retries":0},"speaker":{"result":"pass","tone_snr_db":27},"button":{"result":"pass","stuck":false,"contact_ohm":0.8},"stream":{"result":"pass","connect_ms":840,"kbps":1450,"loss_pct":0.2}}"#;
