//! The board in a real browser (`story.mjs`), in front of the real service with units that fail, are repaired and pass.
//!
//! Needs chromium, node and npm: `apt-get install chromium nodejs npm`. Without them the test says so and passes; with
//! `CI=true` it fails. `BOARD_SHOTS=FOLDER` keeps screenshots.

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "../service/process.rs"]
mod process;
mod unit;

use std::fs;
use std::path::Path;
use std::process::Command;

use process::{Service, free_port_pair, wait_until};
use unit::Faulty;

/// As many as there are stories, one well one, and one that shares its uplink and feeder.
const UNITS: u32 = 8;
const STORIES: u32 = 6;

const RULES: &str = r#"
[[rule]]
id = "unit-silent"
component = "uplink"
severity = "critical"
silent = { kind = "heartbeat", missed = 3 }
summary = "no heartbeat for {for}"
order = { priority = "P1", after = "5m", action = "Check power at the pole, then the link", parts = ["SIM"] }

[[rule]]
id = "camera-failed"
component = "camera"
severity = "critical"
result = { test = "camera", is = "fail", consecutive = 3 }
summary = "camera test failed 3 times in a row"
order = { priority = "P2", action = "Clean the lens, check the cable", parts = ["lens cloth", "camera cable"] }
"#;

const SETTINGS: &str = "[judgement]\nhold = \"10s\"\n";

fn fleet() -> String {
    let mut csv = "unit,name,site,site_type,city,lat,lon,crew,uplink,feeder,address\n".to_owned();
    for n in 1..=UNITS {
        let (name, site) =
            if n % 2 == 0 { ("قصہ خوانی بازار", "Qissa Khwani") } else { ("North gate", "Jinnah Park") };
        let (lat, lon) = (34.0 + f64::from(n) / 200.0, 71.5 + f64::from(n % 3) / 100.0);
        csv.push_str(&format!(
            "PSH-{n:03},{name},{site},market,Peshawar,{lat},{lon},saddar,ptcl-1,pesco-1,GT Road {n}\n"
        ));
    }
    csv
}

fn chromium() -> Option<String> {
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(|name| {
        let found = Command::new("sh").args(["-c", &format!("command -v {name}")]).output().ok()?;
        let path = String::from_utf8(found.stdout).ok()?.trim().to_owned();
        (!path.is_empty()).then_some(path)
    })
}

/// A folder with the story and its packages. None: something is not here, and a line says so.
fn stage() -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    for file in ["package.json", "package-lock.json", ".npmrc", "story.mjs"] {
        fs::copy(here.join(file), folder.path().join(file)).expect("it is in tests/browser");
    }
    let npm = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(folder.path())
        .output();
    let trouble = match npm {
        Ok(done) if done.status.success() => return Some(folder),
        Ok(done) => {
            format!("npm could not fetch playwright-core and axe-core: {}", String::from_utf8_lossy(&done.stderr))
        }
        Err(_) => "npm is not installed: apt-get install nodejs npm".to_owned(),
    };
    assert!(std::env::var_os("CI").is_none(), "{trouble}");
    println!("skipped: {trouble}");
    None
}

#[test]
fn a_crew_goes_from_the_map_to_the_closed_order_in_a_real_browser() {
    let Some(browser) = chromium() else {
        let say = "chromium is not installed: apt-get install chromium";
        assert!(std::env::var_os("CI").is_none(), "{say}");
        return println!("skipped: {say}");
    };
    let Some(stage) = stage() else { return };
    let dir = tempfile::tempdir().expect("scratch");
    for (name, text) in
        [("fleet.csv", fleet()), ("alerts.toml", RULES.to_owned()), ("buttonwatch.toml", SETTINGS.to_owned())]
    {
        fs::write(dir.path().join(name), text).expect("written");
    }
    let (gateway, http) = free_port_pair();
    let listen = gateway.to_string();
    let args = [
        "--config",
        "buttonwatch.toml",
        "--fleet",
        "fleet.csv",
        "--rules",
        "alerts.toml",
        "--listen",
        &listen,
        "--bus",
        "off",
    ];
    let service = Service::start(dir.path(), &args, http);
    let units: Vec<Faulty> =
        (1..=UNITS).map(|n| Faulty::start(gateway.port(), &format!("PSH-{n:03}"), n <= STORIES)).collect();
    wait_until("each fault has its order and the others are ready", || {
        let count = |path: &str| service.json(path).as_array().map_or(0, Vec::len);
        count("/api/v1/orders") == STORIES as usize
            && count("/api/v1/units?filter=readiness%3Dready") == (UNITS - STORIES) as usize
    });

    let shots = std::env::var("BOARD_SHOTS").unwrap_or_else(|_| "-".to_owned());
    let told = Command::new("node")
        .args(["story.mjs", &format!("http://{http}"), &shots])
        .env("CHROMIUM", browser)
        .current_dir(stage.path())
        .output()
        .expect("node runs");
    let said = format!("{}{}", String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{said}\nthe orders: {:#}", service.json("/api/v1/orders"));
    println!("{said}");
    for unit in &units {
        assert_eq!(unit.tests_asked(), u32::from(unit.is_faulty), "each repair is tested once");
    }
    drop(units);
    service.stop();
}
