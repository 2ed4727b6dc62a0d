//! The real program, used as an operator uses it: started as a process, spoken to with Debian's MQTT tools, asked by its
//! own command line.
//!
//! Needs mosquitto and mosquitto-clients: `apt-get install mosquitto mosquitto-clients`. Without them those tests say so
//! and pass; with `CI=true` they fail. Tests of start-up errors need nothing.

mod crash;
mod description;
mod first_hours;
#[path = "../servers/mosquitto.rs"]
mod mosquitto;
mod process;
#[path = "../servers/program.rs"]
mod program;
mod record;

use std::path::Path;

use process::{Service, cli, free_address, free_port_pair, wait_until};

fn peshawar() -> String {
    format!("{}/fixtures/fleets/peshawar.csv", env!("CARGO_MANIFEST_DIR"))
}

fn heartbeat(boot: u32, seq: u64, interval: u32) -> String {
    format!(r#"{{"ts":{},"boot":{boot},"seq":{seq},"interval_s":{interval}}}"#, process::millis_now())
}

fn power(boot: u32, seq: u64) -> String {
    format!(r#"{{"ts":{},"boot":{boot},"seq":{seq},"mains":true,"battery_v":13.7}}"#, process::millis_now())
}

fn selftest(boot: u32, seq: u64) -> String {
    format!(
        r#"{{"ts":{},"boot":{boot},"seq":{seq},"trigger":"boot","results":{{"camera":{{"result":"pass","sharpness":150,"mode":"day"}},"microphone":{{"result":"pass","tone_snr_db":24}}}}}}"#,
        process::millis_now()
    )
}

/// Tools that publish to a broker on this port. None: not installed.
fn tools() -> Option<mosquitto::Mosquitto> {
    mosquitto::Mosquitto::start(mosquitto::Setup::new())
}

fn publish(tools: &mosquitto::Mosquitto, port: u16, unit: &str, kind: &str, payload: &str, more: &[&str]) {
    let topic = format!("buttonwatch/v1/{unit}/{kind}");
    let status = tools
        .client("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-t", &topic, "-m", payload])
        .args(more)
        .status()
        .expect("mosquitto_pub runs");
    assert!(status.success(), "mosquitto_pub to {topic}: {status}");
}

fn readiness(service: &Service, unit: &str) -> String {
    let card: serde_json::Value = service.json(&format!("/api/v1/units/{unit}"));
    card["readiness"].as_str().unwrap_or_default().to_owned()
}

/// The story of the issue, whatever carries the messages.
fn a_button_lives_dies_and_comes_back(service: &Service, tools: &mosquitto::Mosquitto, port: u16) {
    publish(tools, port, "PSH-001", "heartbeat", &heartbeat(1, 1, 1), &["-q", "0"]);
    wait_until("the unit is heard", || service.json("/api/v1/units/PSH-001")["last_heard"].is_string());
    assert_eq!(readiness(service, "PSH-001"), "unproven");
    publish(tools, port, "PSH-001", "selftest", &selftest(1, 2), &["-q", "1"]);
    publish(tools, port, "PSH-001", "power", &power(1, 3), &["-q", "2"]);
    publish(tools, port, "PSH-001", "status", r#"{"online":true}"#, &["-q", "1", "-r"]);
    wait_until("its tests have passed", || readiness(service, "PSH-001") == "ready");
    // Nothing more: three beats of 1 s and a half are missed, then its order waits a second.
    wait_until("it is silent", || readiness(service, "PSH-001") == "silent");
    wait_until("it is ordered", || service.json("/api/v1/orders").as_array().is_some_and(|o| o.len() == 1));
    let card = service.json("/api/v1/units/PSH-001");
    let at = |v: &serde_json::Value| process::millis(v.as_str().expect("a time"));
    let silence = at(&card["since"]) - at(&card["last_heard"]);
    assert_eq!(silence, 3500, "silent at its deadline, not later");
    publish(tools, port, "PSH-001", "heartbeat", &heartbeat(2, 1, 60), &["-q", "1"]);
    wait_until("the order is closed", || {
        let orders = service.json("/api/v1/orders?closed=true");
        orders[0]["state"] == "closed" && orders[0]["history"].to_string().contains("heard again after")
    });
    assert_eq!(service.json("/api/v1/orders?closed=true").as_array().map(Vec::len), Some(1));
    let history = service.json("/api/v1/units/PSH-001/history");
    let seconds = |state: &str| history["seconds"][state].as_f64().unwrap_or_default();
    let (up, down) = (seconds("ready") + seconds("impaired"), seconds("not-ready") + seconds("silent"));
    assert!(up > 0.0 && down > 0.0 && seconds("unknown") > 600_000.0, "{history}");
    let pct = history["available_pct"].as_f64().expect("some time counts");
    assert!((pct - up / (up + down) * 100.0).abs() < 1e-9, "{history}");
    assert!(history["stretches"].to_string().contains("no heartbeat for"), "{history}");
    let list = cli(service, &["fleet", "list", "city=peshawar", "readiness!=unproven"]);
    assert!(list.status.success() && list.out.contains("PSH-001"), "{list:?}");
    let press = r#""kind":"real","held_ms":300,"ack":true,"ack_ms":850"#;
    let press = format!(r#"{{"ts":{},"boot":2,"seq":2,{press}}}"#, process::millis_now());
    for _sent_again in 0..2 {
        publish(tools, port, "PSH-001", "press", &press, &["-q", "1"]);
    }
    wait_until("the press is on its card", || service.json("/api/v1/units/PSH-001")["presses"][0]["answered"] == true);
    let card = service.json("/api/v1/units/PSH-001");
    assert_eq!(card["presses"].as_array().map(Vec::len), Some(1), "{card}");
    let show = cli(service, &["fleet", "show", "PSH-001"]);
    assert!(show.out.contains("for help, answered after 850 ms"), "{show:?}");
    let show = cli(service, &["orders", "show", "1"]);
    assert!(show.status.success() && show.out.contains("cleared by itself: heard again"), "{show:?}");
}

const QUICK: &str = r#"
[[rule]]
id = "unit-silent"
component = "uplink"
severity = "critical"
silent = { kind = "heartbeat", missed = 3 }
order = { priority = "P1", after = "1s", action = "Look at it" }
"#;

#[test]
fn mosquittos_tools_are_units_at_the_gateway() {
    let Some(tools) = tools() else { return };
    let dir = tempfile::tempdir().expect("scratch folder");
    std::fs::write(dir.path().join("quick.toml"), QUICK).expect("writable");
    let (gateway, http) = free_port_pair();
    let service = Service::start(
        dir.path(),
        &["--fleet", &peshawar(), "--rules", "quick.toml", "--listen", &gateway.to_string(), "--bus", "off"],
        http,
    );
    a_button_lives_dies_and_comes_back(&service, &tools, gateway.port());
    service.stop();
}

#[test]
fn mosquittos_tools_are_units_beside_an_external_mosquitto() {
    let Some(tools) = tools() else { return };
    let dir = tempfile::tempdir().expect("scratch folder");
    std::fs::write(dir.path().join("quick.toml"), QUICK).expect("writable");
    let settings = format!("rules = \"quick.toml\"\n[external]\nhost = \"127.0.0.1\"\nport = {}\n", tools.port());
    std::fs::write(dir.path().join("buttonwatch.toml"), settings).expect("writable");
    let service = Service::start(
        dir.path(),
        &["--config", "buttonwatch.toml", "--fleet", &peshawar(), "--bus", "off"],
        free_address(),
    );
    wait_until("the broker is heard", || service.get("/readyz").starts_with("HTTP/1.1 200"));
    a_button_lives_dies_and_comes_back(&service, &tools, tools.port());
    service.stop();
}

#[test]
fn another_units_topic_is_refused_and_counted_and_strangers_are_quarantined() {
    let Some(tools) = tools() else { return };
    let dir = tempfile::tempdir().expect("scratch folder");
    let (gateway, http) = free_port_pair();
    let service =
        Service::start(dir.path(), &["--fleet", &peshawar(), "--listen", &gateway.to_string(), "--bus", "off"], http);
    publish(&tools, gateway.port(), "PSH-002", "heartbeat", &heartbeat(1, 1, 30), &["-q", "1", "-u", "PSH-001"]);
    publish(&tools, gateway.port(), "NEW-1", "heartbeat", &heartbeat(1, 1, 30), &["-q", "1"]);
    wait_until("both are counted", || {
        let refusals = service.json("/api/v1/refusals").to_string();
        refusals.contains("foreign-topic") && refusals.contains("unknown-unit")
    });
    assert!(service.json("/api/v1/units/PSH-002")["last_heard"].is_null());
    let accepted =
        cli(&service, &["fleet", "accept", "NEW-1", "--site", "New Park", "--crew", "saddar", "--city", "Peshawar"]);
    assert!(accepted.status.success(), "{accepted:?}");
    publish(&tools, gateway.port(), "NEW-1", "heartbeat", &heartbeat(1, 2, 30), &["-q", "1"]);
    wait_until("the accepted unit is heard", || service.json("/api/v1/units/NEW-1")["last_heard"].is_string());
    let metrics = service.get("/metrics");
    assert!(metrics.contains("buttonwatch_refused_total{kind=\"foreign-topic\"} 1"), "{metrics}");
    service.stop();
}

#[test]
fn a_fleet_is_imported_whole_or_not_at_all() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let (gateway, http) = free_port_pair();
    let service = Service::start(dir.path(), &["--listen", &gateway.to_string(), "--bus", "off"], http);
    let path = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(path("bad.csv"), "unit,site,city,crew\nA1,Park,Peshawar,saddar\n-x,Park,Peshawar,saddar\nA1,,,\n")
        .expect("writable");
    let bad = cli(&service, &["fleet", "import", &path("bad.csv")]);
    assert!(!bad.status.success() && bad.err.contains(":3:") && bad.err.contains(":4:"), "{bad:?}");
    assert_eq!(service.json("/api/v1/units").as_array().map(Vec::len), Some(0));
    let look = cli(&service, &["fleet", "import", "--dry-run", &peshawar()]);
    assert!(look.status.success() && look.out.contains("68"), "{look:?}");
    assert_eq!(service.json("/api/v1/units").as_array().map(Vec::len), Some(0));
    assert!(cli(&service, &["fleet", "import", &peshawar()]).status.success());
    assert_eq!(service.json("/api/v1/units").as_array().map(Vec::len), Some(68));
    service.stop();
    // The store keeps it: started again without a file.
    let service = Service::start(dir.path(), &["--listen", &gateway.to_string(), "--bus", "off"], http);
    assert_eq!(service.json("/api/v1/units").as_array().map(Vec::len), Some(68));
    service.stop();
}

#[test]
fn a_restart_takes_no_imported_unit_away_until_somebody_changes_the_fleet_file() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let (gateway, http) = free_port_pair();
    let listen = gateway.to_string();
    let args = ["--fleet", "fleet.csv", "--listen", &listen, "--bus", "off"];
    let write = |rows: &str| {
        let text = format!("unit,site,city,crew\n{rows}");
        std::fs::write(dir.path().join("fleet.csv"), text).expect("writable");
    };
    let units = |service: &Service| service.json("/api/v1/units").as_array().map(Vec::len);
    let doctor = |http: std::net::SocketAddr| {
        let server = format!("http://{http}");
        let looked = process::run(
            dir.path(),
            &["doctor", "--fleet", "fleet.csv", "--listen", &listen, "--http", &http.to_string(), "--server", &server],
        );
        looked.out.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    write("PSH-001,Gate,Peshawar,saddar\n");
    let service = Service::start(dir.path(), &args, http);
    assert_eq!(units(&service), Some(1));
    assert!(cli(&service, &["fleet", "import", &peshawar()]).status.success());
    assert_eq!(units(&service), Some(68));
    assert!(
        doctor(http).contains("the service goes by a later import of 68 units; that stays until this file changes")
    );
    drop(service);
    let service = Service::start(dir.path(), &args, http);
    assert_eq!(units(&service), Some(68));
    service.stop();

    write("PSH-001,Gate,Peshawar,saddar\nNEW-1,Park,Peshawar,saddar\n");
    let looked = doctor(http);
    assert!(
        looked.contains("1 added (NEW-1), 67 removed (PSH-002, PSH-003, PSH-004 and 64 more), 1 changed"),
        "{looked}"
    );
    let service = Service::start(dir.path(), &args, http);
    assert_eq!(units(&service), Some(2));
    service.stop();
}

fn refuses_to_start(dir: &Path, args: &[&str], with: &[&str]) {
    let out = process::run(dir, &[&["serve"], args].concat());
    assert!(!out.status.success(), "{out:?}");
    let last = out.err.lines().filter(|l| l.starts_with("error: ")).count();
    assert_eq!(last, 1, "one clear line: {}", out.err);
    for word in with {
        assert!(out.err.contains(word), "{word:?} is not in: {}", out.err);
    }
}

#[test]
fn a_taken_port_a_file_for_a_folder_and_a_locked_store_each_end_in_one_clear_line() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().expect("bound").to_string();
    let free = || free_address().to_string();
    let (a, b, c) = (free(), free(), free());
    refuses_to_start(dir.path(), &["--listen", &taken, "--http", &a, "--bus", "off"], &["taken"]);
    refuses_to_start(dir.path(), &["--listen", &a, "--http", &taken, "--bus", "off"], &["has this port"]);
    refuses_to_start(dir.path(), &["--listen", &a, "--http", &b, "--bus", &taken], &["has this port"]);
    std::fs::write(dir.path().join("file"), "").expect("writable");
    refuses_to_start(dir.path(), &["--data", "file", "--listen", &a, "--http", &b, "--bus", "off"], &["file"]);
    std::fs::create_dir(dir.path().join("odd")).expect("writable");
    std::fs::write(dir.path().join("odd/buttonwatch.db"), vec![7u8; 8192]).expect("writable");
    refuses_to_start(dir.path(), &["--data", "odd", "--listen", &a, "--http", &b, "--bus", "off"], &["buttonwatch.db"]);
    let service = Service::start(dir.path(), &["--listen", &a, "--bus", "off"], free_address());
    refuses_to_start(dir.path(), &["--listen", &b, "--http", &c, "--bus", "off"], &["in use by"]);
    service.stop();
}

#[test]
fn mistakes_of_all_files_are_told_at_once() {
    let dir = tempfile::tempdir().expect("scratch folder");
    std::fs::write(dir.path().join("b.toml"), "root = 5\n").expect("writable");
    std::fs::write(dir.path().join("a.toml"), "[[rule]]\nid = \"X\"\n").expect("writable");
    std::fs::write(dir.path().join("f.csv"), "unit,site,city,crew\n-,P,P,s\n").expect("writable");
    refuses_to_start(
        dir.path(),
        &["--config", "b.toml", "--rules", "a.toml", "--fleet", "f.csv"],
        &["b.toml:1:", "a.toml:", "f.csv:2:"],
    );
}

#[test]
fn changed_rules_are_taken_in_and_broken_ones_change_nothing() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let rules = dir.path().join("quick.toml");
    std::fs::write(&rules, QUICK).expect("writable");
    let (gateway, http) = free_port_pair();
    let service =
        Service::start(dir.path(), &["--rules", "quick.toml", "--listen", &gateway.to_string(), "--bus", "off"], http);
    let log = || std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
    std::fs::write(&rules, QUICK.replace("missed = 3", "missed = 0")).expect("writable");
    wait_until("the mistake is named", || {
        log().contains("the rules stay as they were") && log().contains("quick.toml:6:")
    });
    std::fs::write(&rules, format!("{QUICK}\n# more patient now\n").replace("missed = 3", "missed = 5"))
        .expect("writable");
    wait_until("the new rules count", || log().contains("1 rules count from now on"));
    service.stop();
}

#[test]
fn without_any_way_in_for_units_it_does_not_start() {
    let dir = tempfile::tempdir().expect("scratch folder");
    std::fs::write(dir.path().join("b.toml"), "[gateway]\nenabled = false\n").expect("writable");
    let http = free_address().to_string();
    refuses_to_start(dir.path(), &["--config", "b.toml", "--http", &http, "--bus", "off"], &["no way in"]);
}

#[test]
fn units_come_in_at_the_gateway_and_through_the_broker_at_once() {
    let Some(tools) = tools() else { return };
    let dir = tempfile::tempdir().expect("scratch folder");
    let (gateway, http) = free_port_pair();
    let settings = format!(
        "[gateway]\nenabled = true\nlisten = \"{gateway}\"\n[external]\nhost = \"127.0.0.1\"\nport = {}\n",
        tools.port()
    );
    std::fs::write(dir.path().join("b.toml"), settings).expect("writable");
    let service = Service::start(dir.path(), &["--config", "b.toml", "--fleet", &peshawar(), "--bus", "off"], http);
    wait_until("the broker is heard", || service.get("/readyz").starts_with("HTTP/1.1 200"));
    publish(&tools, gateway.port(), "PSH-001", "heartbeat", &heartbeat(1, 1, 30), &["-q", "1"]);
    publish(&tools, tools.port(), "PSH-002", "heartbeat", &heartbeat(1, 1, 30), &["-q", "1"]);
    wait_until("both are heard", || {
        ["PSH-001", "PSH-002"].iter().all(|u| service.json(&format!("/api/v1/units/{u}"))["last_heard"].is_string())
    });
    service.stop();
}

#[test]
fn history_availability_and_learning_anew_are_answered_by_the_real_service() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let (gateway, http) = free_port_pair();
    let service =
        Service::start(dir.path(), &["--fleet", &peshawar(), "--listen", &gateway.to_string(), "--bus", "off"], http);
    // Maintenance is a change of readiness that needs no unit to be heard.
    assert!(cli(&service, &["maintenance", "--unit", "PSH-001", "--for", "1h"]).status.success());
    assert!(cli(&service, &["maintenance", "--unit", "PSH-001", "--over"]).status.success());
    let history = service.json("/api/v1/units/PSH-001/history");
    let seen: Vec<&str> =
        history["stretches"].as_array().expect("rows").iter().filter_map(|s| s["readiness"].as_str()).collect();
    assert_eq!(seen, ["unknown", "maintenance", "unproven"], "{history}");
    let span = process::millis(history["to"].as_str().expect("a time"))
        - process::millis(history["from"].as_str().expect("a time"));
    let seconds: f64 = history["seconds"].as_object().expect("by state").values().filter_map(|v| v.as_f64()).sum();
    assert_eq!((seconds * 1_000.0).round() as i64, span, "the parts add up");
    assert!(history["available_pct"].is_null(), "nothing of it counts");
    let page = cli(&service, &["fleet", "history", "PSH-001", "--since", "400d"]);
    assert!(page.status.success() && page.out.contains("no availability, because no time counts"), "{page:?}");

    let all = cli(&service, &["fleet", "availability", "--by", "city", "city=peshawar"]);
    assert!(all.status.success() && all.out.contains("Peshawar"), "{all:?}");
    assert_eq!(service.json("/api/v1/availability").as_array().map(Vec::len), Some(68));
    let too_old = cli(&service, &["fleet", "availability", "--since", "401d"]);
    assert!(!too_old.status.success() && too_old.err.contains("400d or less"), "{too_old:?}");
    let odd = service.get("/api/v1/units/PSH-001/history?since=yesterday");
    assert!(odd.starts_with("HTTP/1.1 400"), "{odd}");
    let unknown = cli(&service, &["fleet", "history", "PHS-001"]);
    assert_eq!(unknown.status.code(), Some(4));
    assert!(unknown.err.contains("did you mean PSH-001"), "{unknown:?}");

    let anew = cli(&service, &["fleet", "rebaseline", "PSH-001", "--component", "camera", "--by", "Gul Khan"]);
    assert!(anew.status.success() && anew.out.starts_with("PSH-001: what its camera showed"), "{anew:?}");
    let unknown = cli(&service, &["fleet", "rebaseline", "PSH-9999"]);
    assert_eq!(unknown.status.code(), Some(4), "{unknown:?}");
    service.stop();
    // It was judged and kept like any other instruction: the recording has it.
    let line = r#""rebaseline":{"unit":"PSH-001","component":"camera"}"#;
    let record = process::run(dir.path(), &["record", "export", "--file", "-", "--data", "buttonwatch-data"]);
    assert!(record.status.success() && record.out.contains(line), "{record:?}");
}
