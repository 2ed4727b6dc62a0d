//! A backup of a service that is busy, and a second life from it.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::process::{Service, cli, free_port_pair, run, wait_until};

const FLEET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/fleets/peshawar.csv");
const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/scenarios/quick.toml");
const RULES: &str = r#"
[[rule]]
id = "unit-silent"
component = "uplink"
severity = "critical"
silent = { kind = "heartbeat", missed = 3 }
order = { priority = "P1", after = "1s", action = "Look at it" }

[[rule]]
id = "warm"
component = "enclosure"
severity = "minor"
metric = "enclosure.temperature"
above = 1
clear_below = 0
order = { priority = "P3", after = "0s", action = "Open the box" }
"#;

/// Killed when dropped.
struct Load(Child);

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn orders(service: &Service) -> Vec<Value> {
    service.json("/api/v1/orders?closed=true").as_array().cloned().unwrap_or_default()
}

#[test]
fn a_backup_under_load_starts_again_with_every_order() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let (gateway, http) = free_port_pair();
    std::fs::write(dir.path().join("alerts.toml"), RULES).expect("writable");
    let listen = gateway.to_string();
    let serve = ["--fleet", FLEET, "--rules", "alerts.toml", "--listen", &listen, "--bus", "off", "--data"];
    let service = Service::start(dir.path(), &[&serve[..], &["data"]].concat(), http);
    let broker = format!("mqtt://{gateway}");
    let simulate = ["simulate", "--fleet", FLEET, "--broker", &broker, "--speed", "200", "--scenario", SCENARIO];
    let load = Command::new(env!("CARGO_BIN_EXE_buttonwatch"))
        .args(simulate)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(Load)
        .expect("the simulator starts");
    wait_until("there are many orders", || orders(&service).len() >= 40);
    let before = orders(&service);
    let moved = cli(&service, &["orders", "set", "1", "acknowledged", "--by", "Gul Khan"]);
    assert!(moved.status.success(), "{moved:?}");

    let made = run(dir.path(), &["backup", "copy.db", "--data", "data", "--output", "json"]);
    assert!(made.status.success() && made.err.is_empty(), "{made:?}");
    let told: Value = serde_json::from_str(&made.out).expect("JSON");
    assert_eq!(told["units"], 68);
    assert!(told["orders"].as_u64() >= Some(before.len() as u64), "{told}");
    assert!(told["files"].to_string().contains("links.key"), "{told}");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(dir.path().join("copy.db")).expect("made").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600, "it tells who called for help");
    let left: Vec<_> = std::fs::read_dir(dir.path())
        .expect("readable")
        .map(|e| e.expect("entry").file_name().into_string().expect("a name"))
        .filter(|n| n.starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");

    let again = run(dir.path(), &["backup", "copy.db", "--data", "data"]);
    assert!(!again.status.success() && again.err.contains("--replace"), "{again:?}");
    let again = run(dir.path(), &["backup", "copy.db", "--data", "data", "--replace"]);
    assert!(again.status.success() && again.out.contains("is a whole copy"), "{again:?}");
    drop(load);
    let key = std::fs::read(dir.path().join("data/links.key")).expect("a key");
    drop(service);

    let back = run(dir.path(), &["restore", "copy.db", "--data", "second"]);
    assert!(back.status.success(), "{back:?}");
    assert_eq!(
        std::fs::read(dir.path().join("second/links.key")).expect("a key"),
        key,
        "links in older mails still open"
    );
    let twice = run(dir.path(), &["restore", "copy.db", "--data", "second"]);
    assert!(!twice.status.success() && twice.err.contains("is there already"), "{twice:?}");
    let second = Service::start(dir.path(), &[&serve[..], &["second"]].concat(), http);
    let after = orders(&second);
    for order in &before {
        let same = after.iter().find(|o| o["order"] == order["order"]);
        let same = same.unwrap_or_else(|| panic!("{} is lost", order["order"]));
        for part in ["unit", "component", "priority", "opened_at"] {
            assert_eq!(same[part], order[part], "{order} {same}");
        }
    }
    let first = after.iter().find(|o| o["order"] == "WO-000001").expect("the first order");
    assert!(first["history"].to_string().contains("Gul Khan"), "what was decided before the backup is in it: {first}");
}

#[test]
fn what_cannot_be_backed_up_or_restored_leaves_nothing_behind() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let names = || {
        let entries = std::fs::read_dir(dir.path()).expect("readable");
        let mut names: Vec<_> = entries.map(|e| e.expect("entry").file_name().into_string().expect("a name")).collect();
        names.sort();
        names
    };
    let out = run(dir.path(), &["backup", "copy.db", "--data", "nowhere"]);
    assert!(!out.status.success() && out.err.contains("there is no store"), "{out:?}");
    let out = run(dir.path(), &["restore", "copy.db", "--data", "new"]);
    assert!(!out.status.success() && out.err.contains("copy.db"), "{out:?}");
    assert!(names().is_empty(), "{:?}", names());
    std::fs::write(dir.path().join("copy.db"), "not a database, but long enough to look like a file of one")
        .expect("writable");
    let out = run(dir.path(), &["restore", "copy.db", "--data", "new"]);
    assert!(!out.status.success() && out.err.contains("copy.db is not a Buttonwatch store"), "{out:?}");
    assert_eq!(std::fs::read_dir(dir.path().join("new")).expect("made").count(), 0);
}
