//! The service and a real Alertmanager: `apt-get install prometheus-alertmanager`, and mosquitto's tools as units
//! (`apt-get install mosquitto mosquitto-clients`). Without them these tests say so and pass; with `CI=true` they fail.

use crate::alertmanager;
use crate::mosquitto;
use crate::process;

use std::path::Path;

use alertmanager::Alertmanager;
use process::{Service, free_port_pair, millis_now, wait_until};
use serde_json::Value;

const FLEET: &str = "unit,name,site,site_type,city,crew,uplink\nPSH-001,North gate,Jinnah Park,park,Peshawar,saddar,ptcl-1\n\
                     PSH-002,South gate,Jinnah Park,park,Peshawar,saddar,ptcl-1\nPSH-003,,Wazir Bagh,park,Peshawar,saddar,\n";

const RULES: &str = r#"
[[rule]]
id = "unit-silent"
component = "uplink"
severity = "critical"
silent = { kind = "heartbeat", missed = 3 }

[[incident]]
id = "uplink-down"
group_by = "uplink"
of = "unit-silent"
at_least = 2
inhibits = ["unit-silent"]
order = { crew = "network", priority = "P1", action = "Restore the uplink" }
"#;

struct House {
    dir: tempfile::TempDir,
    tools: mosquitto::Mosquitto,
    service: Service,
    port: u16,
}

/// The service with three units, telling these Alertmanagers.
fn house(urls: &[String], more: &str) -> Option<House> {
    let tools = mosquitto::Mosquitto::start(mosquitto::Setup::new())?;
    let dir = tempfile::tempdir().expect("scratch folder");
    let (gateway, http) = free_port_pair();
    let urls: Vec<String> = urls.iter().map(|url| format!("{url:?}")).collect();
    let settings = format!(
        "fleet = \"fleet.csv\"\nrules = \"rules.toml\"\n[gateway]\nlisten = \"{gateway}\"\n[bus]\nlisten = \"off\"\n\
         [alertmanager]\nurl = [{}]\n{more}\n",
        urls.join(", ")
    );
    for (name, text) in [("fleet.csv", FLEET), ("rules.toml", RULES), ("buttonwatch.toml", settings.as_str())] {
        std::fs::write(dir.path().join(name), text).expect("writable");
    }
    let service = start(dir.path(), http);
    Some(House { dir, tools, service, port: gateway.port() })
}

fn start(dir: &Path, http: std::net::SocketAddr) -> Service {
    Service::start(dir, &["--config", "buttonwatch.toml"], http)
}

impl House {
    /// A beat after which the unit should come again in `interval` seconds. Returns when it is acknowledged.
    fn beat(&self, unit: &str, boot: u32, interval: u32) {
        let topic = format!("buttonwatch/v1/{unit}/heartbeat");
        let beat = format!(r#"{{"ts":{},"boot":{boot},"seq":1,"interval_s":{interval}}}"#, millis_now());
        let port = self.port.to_string();
        let mut client = self.tools.client("mosquitto_pub");
        client.args(["-h", "127.0.0.1", "-p", &port, "-q", "1", "-t", &topic, "-m", &beat]);
        let status = client.status().expect("mosquitto_pub runs");
        assert!(status.success(), "mosquitto_pub to {topic}: {status}");
    }
}

fn find(alerts: &Value, name: &str, unit: Option<&str>) -> Option<Value> {
    let fits = |a: &&Value| a["labels"]["alertname"] == name && a["labels"]["unit"].as_str() == unit;
    alerts.as_array().into_iter().flatten().find(fits).cloned()
}

#[test]
fn a_silent_unit_is_an_alert_until_it_is_heard_again() {
    let Some(manager) = Alertmanager::start() else { return };
    let Some(house) = house(&[manager.url()], "repeat = \"5s\"\ninstance = \"test\"") else { return };
    house.beat("PSH-003", 1, 1);
    let mut found = None;
    wait_until("Alertmanager has heard of it", || {
        found = find(&manager.alerts(), "unit-silent", Some("PSH-003"));
        found.is_some()
    });
    let alert = found.expect("it was found");
    let labels = &alert["labels"];
    for (label, value) in [
        ("site", "Wazir Bagh"),
        ("city", "Peshawar"),
        ("crew", "saddar"),
        ("component", "uplink"),
        ("severity", "critical"),
        ("instance", "test"),
    ] {
        assert_eq!(labels[label], value, "{label} of {alert}");
    }
    let summary = alert["annotations"]["summary"].as_str().unwrap_or_default();
    assert!(summary.starts_with("PSH-003 (Wazir Bagh): no heartbeat for"), "{alert}");
    assert!(alert["generatorURL"].as_str().is_some_and(|u| u.ends_with("/api/v1/units/PSH-003")), "{alert}");
    let at = |key: &str| process::millis(alert[key].as_str().expect("a time"));
    assert!(at("endsAt") > at("startsAt"), "{alert}");

    house.beat("PSH-003", 2, 600);
    wait_until("it is over there, too", || find(&manager.alerts(), "unit-silent", Some("PSH-003")).is_none());
    let metrics = house.service.get("/metrics");
    for line in ["buttonwatch_alertmanager_configured 1", "buttonwatch_alertmanager_up 1"] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[test]
fn a_common_cause_is_one_alert_and_its_units_are_none() {
    let Some(manager) = Alertmanager::start() else { return };
    let Some(house) = house(&[manager.url()], "repeat = \"5s\"") else { return };
    house.beat("PSH-001", 1, 1);
    house.beat("PSH-002", 1, 1);
    let mut found = None;
    wait_until("Alertmanager has heard of the incident", || {
        let alerts = manager.alerts();
        found = find(&alerts, "incident-uplink", None);
        // Each was silent by itself for a moment, before the common cause was seen.
        let alone = ["PSH-001", "PSH-002"].map(|unit| find(&alerts, "unit-silent", Some(unit)));
        found.is_some() && alone == [None, None]
    });
    let incident = found.expect("it was found");
    assert_eq!((&incident["labels"]["kind"], &incident["labels"]["name"]), (&"uplink".into(), &"ptcl-1".into()));
    assert_eq!(incident["annotations"]["units"], "PSH-001, PSH-002", "{incident}");
}

#[test]
fn an_alertmanager_that_was_killed_knows_everything_again() {
    let Some(mut manager) = Alertmanager::start() else { return };
    let Some(house) = house(&[manager.url()], "repeat = \"5s\"") else { return };
    house.beat("PSH-003", 1, 1);
    wait_until("Alertmanager has heard of it", || find(&manager.alerts(), "unit-silent", Some("PSH-003")).is_some());
    manager.kill();
    wait_until("the service has noticed", || house.service.get("/metrics").contains("buttonwatch_alertmanager_up 0"));
    manager.restart();
    wait_until("Alertmanager knows it again", || find(&manager.alerts(), "unit-silent", Some("PSH-003")).is_some());
    wait_until("the service has noticed", || house.service.get("/metrics").contains("buttonwatch_alertmanager_up 1"));
}

#[test]
fn what_ended_while_the_service_was_away_ends_by_itself() {
    let Some(manager) = Alertmanager::start() else { return };
    let Some(house) = house(&[manager.url()], "repeat = \"5s\"") else { return };
    house.beat("PSH-003", 1, 1);
    wait_until("Alertmanager has heard of it", || find(&manager.alerts(), "unit-silent", Some("PSH-003")).is_some());
    // Killed, it cannot tell any end; and nobody is left who could.
    drop(house.service);
    wait_until("it is over there", || find(&manager.alerts(), "unit-silent", Some("PSH-003")).is_none());
    drop(house.dir);
}

/// One that never answers costs nobody anything: units, judgement, mails, and the other Alertmanager.
#[test]
fn a_dead_alertmanager_delays_nothing() {
    let (Some(dead), Some(alive)) = (Alertmanager::start(), Alertmanager::start()) else { return };
    dead.pause();
    let Some(house) = house(&[dead.url(), alive.url()], "") else { return };
    house.beat("PSH-003", 1, 1);
    wait_until("the other one has heard of it", || find(&alive.alerts(), "unit-silent", Some("PSH-003")).is_some());
    wait_until("the silence was decided, committed and is shown", || {
        house.service.json("/api/v1/units/PSH-003")["readiness"] == "silent"
    });
    let card = house.service.json("/api/v1/units/PSH-003");
    let at = |v: &Value| process::millis(v.as_str().expect("a time"));
    assert_eq!(at(&card["since"]) - at(&card["last_heard"]), 3500, "at its deadline: {card}");
    // Acknowledged, while pushes to the dead one are under way.
    house.beat("PSH-003", 2, 600);
    wait_until("its end is known", || find(&alive.alerts(), "unit-silent", Some("PSH-003")).is_none());
    assert!(house.service.get("/metrics").contains("buttonwatch_alertmanager_up 0"), "one of two does not answer");
    house.service.stop();
}
