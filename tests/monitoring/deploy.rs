//! What `deploy/` ships, as far as it can be tried without containers and without systemd as the first process. Each test
//! says what it needs and how to get it; without it, it passes, and with `CI=true` it fails.

use crate::mosquitto;
use crate::process;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use buttonwatch::config::check_service;
use process::{Service, free_port_pair, millis_now, wait_until};
use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// None: the program is not there, and a line says how to get it.
fn run(dir: &Path, program: &str, args: &[&str], how: &str) -> Option<Output> {
    match Command::new(program).args(args).current_dir(dir).stdin(Stdio::null()).output() {
        Ok(output) => Some(output),
        Err(e) => {
            let say = format!("{program}: {e}: {how}");
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{say}");
            println!("skipped: {say}");
            None
        }
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A copy of the repository's `deploy/` with everything in it that an operator makes.
fn deployed() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("scratch folder");
    let deploy = dir.path().join("deploy");
    for folder in ["compose", "prometheus", "secrets"] {
        std::fs::create_dir_all(deploy.join(folder)).expect("our own folder");
    }
    for folder in ["", "compose", "prometheus"] {
        for entry in std::fs::read_dir(root().join("deploy").join(folder)).expect("it is there") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let name = path.file_name().expect("a file has a name");
                std::fs::copy(&path, deploy.join(folder).join(name)).expect("our own folder");
            }
        }
    }
    std::fs::copy(deploy.join("example.env"), deploy.join(".env")).expect("our own folder");
    for secret in secrets() {
        std::fs::write(deploy.join("secrets").join(secret), "secret\n").expect("our own folder");
    }
    dir
}

fn secrets() -> Vec<String> {
    let compose = text("deploy/compose.yaml");
    compose.lines().filter_map(|l| l.trim().strip_prefix("file: ./secrets/")).map(str::to_owned).collect()
}

#[test]
fn compose_takes_the_file_and_the_example_of_its_settings() {
    let dir = deployed();
    let how = "apt-get install docker-compose";
    let Some(output) = run(&dir.path().join("deploy"), "docker-compose", &["config", "--quiet"], how) else { return };
    assert!(output.status.success(), "{}", said(&output));
    assert!(!said(&output).contains("variable is not set"), "example.env lacks something: {}", said(&output));
}

/// compose.yaml as JSON. None: no python3 with yaml here.
fn compose() -> Option<Value> {
    let code = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let how = "apt-get install python3-yaml";
    let output = run(&root().join("deploy"), "python3", &["-c", code, "compose.yaml"], how)?;
    if said(&output).contains("No module named") {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{how}");
        println!("skipped: python3 without yaml: {how}");
        return None;
    }
    assert!(output.status.success(), "{}", said(&output));
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

fn texts<'v>(value: &'v Value, key: &str) -> Vec<&'v str> {
    value[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn only_the_units_port_is_open_to_the_network_and_every_service_has_a_sign_of_life() {
    let Some(compose) = compose() else { return };
    let dockerfile = text("deploy/Dockerfile");
    let mut wrong = Vec::new();
    for (name, service) in compose["services"].as_object().expect("services") {
        for port in texts(service, "ports") {
            if !port.starts_with("127.0.0.1:")
                && (name.as_str(), port) != ("mosquitto", "${MQTT_LISTEN:-0.0.0.0}:8883:8883")
            {
                wrong.push(format!("{name}: {port} is open to the network"));
            }
        }
        let in_image = name == "buttonwatch" && dockerfile.contains("HEALTHCHECK");
        if service["healthcheck"]["test"].is_null() && !in_image {
            wrong.push(format!("{name}: has no healthcheck"));
        }
        if service["restart"] != "unless-stopped" {
            wrong.push(format!("{name}: does not come back after a crash"));
        }
        for volume in texts(service, "volumes").into_iter().filter(|v| v.starts_with('.')) {
            let source = volume.split(':').next().expect("a first part");
            let is_built_elsewhere = source.starts_with("../dashboards");
            if !source.contains("${FLEET_FILE") && !is_built_elsewhere && !root().join("deploy").join(source).exists() {
                wrong.push(format!("{name}: {source} is not there"));
            }
        }
        for secret in texts(service, "secrets") {
            if compose["secrets"][secret].is_null() {
                wrong.push(format!("{name}: the secret {secret} is not declared"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_install_page_makes_every_secret() {
    let page = text("docs/install.md");
    let lacking: Vec<String> = secrets().into_iter().filter(|s| !page.contains(s.trim_end_matches(".pem"))).collect();
    assert!(lacking.is_empty(), "docs/install.md does not tell how to make {lacking:?}");
}

#[test]
fn nobody_runs_as_root_in_our_image() {
    let dockerfile = text("deploy/Dockerfile");
    let last_stage = dockerfile.rsplit("\nFROM ").next().expect("a stage");
    assert!(last_stage.contains("\nUSER buttonwatch\n"), "{last_stage}");
}

#[test]
fn the_services_settings_inside_of_compose_are_clean() {
    let settings = text("deploy/compose/buttonwatch.toml");
    check_service("buttonwatch.toml", &settings).unwrap_or_else(|p| panic!("{p}"));
    // With the history on, as docs/install.md says.
    let (before, influx) = settings.split_once("# [influx]").expect("it is there, switched off");
    let (influx, after) = influx.split_once("\n\n").expect("a section ends");
    let on = format!("{before}[influx]{}\n\n{after}", influx.replace("\n# ", "\n"));
    let config = check_service("buttonwatch.toml", &on).unwrap_or_else(|p| panic!("{p}"));
    assert!(config.influx.is_some());
}

#[test]
fn prometheus_takes_its_settings_inside_of_compose() {
    let dir = deployed();
    let deploy = dir.path().join("deploy");
    let token = deploy.join("secrets/buttonwatch-token");
    let settings =
        text("deploy/compose/prometheus.yml").replace("/run/secrets/buttonwatch-token", &token.display().to_string());
    std::fs::write(deploy.join("prometheus/inside.yml"), settings).expect("our own folder");
    let how = "apt-get install prometheus";
    let Some(output) = run(&deploy.join("prometheus"), "promtool", &["check", "config", "inside.yml"], how) else {
        return;
    };
    assert!(output.status.success(), "{}", said(&output));
}

/// 1.2 today; 10 is a service without any fence.
const EXPOSURE_AT_MOST: &str = "--threshold=15";

#[test]
fn systemd_finds_no_fault_in_the_unit_and_little_that_it_could_do_harm_with() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let exec = format!("ExecStart={} ", env!("CARGO_BIN_EXE_buttonwatch"));
    let unit = text("deploy/buttonwatch.service").replace("ExecStart=buttonwatch ", &exec);
    assert!(unit.contains(&exec), "{unit}");
    std::fs::write(dir.path().join("buttonwatch.service"), unit).expect("our own folder");
    let how = "apt-get install systemd";
    for args in [
        ["verify", "--man=no", "buttonwatch.service"].as_slice(),
        &["security", "--offline=true", EXPOSURE_AT_MOST, "buttonwatch.service"],
    ] {
        let Some(output) = run(dir.path(), "systemd-analyze", args, how) else { return };
        assert!(output.status.success(), "systemd-analyze {args:?}:\n{}", said(&output));
        assert!(args[0] != "verify" || said(&output).trim().is_empty(), "{}", said(&output));
    }
}

/// The package itself is made by `deploy/package`, which needs cargo-deb and a release build.
#[test]
fn what_the_package_ships_is_there_and_its_script_can_be_read() {
    let manifest: toml::Table = text("Cargo.toml").parse().expect("TOML");
    let deb = &manifest["package"]["metadata"]["deb"];
    let assets = deb["assets"].as_array().expect("assets").iter().map(|a| a[0].as_str().expect("a path"));
    // What the program makes is made by deploy/package.
    let ours = assets.filter(|path| !path.starts_with("target/"));
    let lacking: Vec<&str> = ours.filter(|path| !is_there(path)).collect();
    assert!(lacking.is_empty(), "[package.metadata.deb] names what is not there: {lacking:?}");

    let script = deb["maintainer-scripts"].as_str().expect("a folder").to_owned() + "/postinst";
    assert!(text(&script).contains("\n#DEBHELPER#\n"), "{script}: the lines for systemd have no place");
    let checked = Command::new("sh").arg("-n").arg(root().join(&script)).output().expect("sh");
    assert!(checked.status.success(), "{}", said(&checked));
    let first_step = "runuser -u buttonwatch -- buttonwatch init --dir /etc/buttonwatch --data /var/lib/buttonwatch";
    for file in [script.as_str(), "docs/install.md"] {
        assert!(text(file).contains(first_step), "{file}: {first_step}");
    }
}

/// `docs/*.md`: a file with that end in that folder.
fn is_there(path: &str) -> bool {
    match path.split_once('*') {
        None => root().join(path).is_file(),
        Some((folder, end)) => std::fs::read_dir(root().join(folder)).is_ok_and(|mut entries| {
            entries
                .any(|e| e.is_ok_and(|e| e.file_name().to_string_lossy().ends_with(end.trim_start_matches(['*', '/']))))
        }),
    }
}

const FLEET: &str = "unit,site,site_type,city,crew\nPSH-001,Jinnah Park,park,Peshawar,saddar\nPSH-002,Wazir Bagh,park,Peshawar,saddar\n";

/// The broker of compose.yaml with its rules, and our service behind it with its settings, on this machine.
#[test]
fn behind_the_shipped_broker_a_unit_is_heard_and_can_speak_for_nobody_else() {
    let mut setup = mosquitto::Setup::new()
        .no_anonymous()
        .file("passwords", "buttonwatch:monitor\nPSH-001:one\nPSH-002:two\n")
        .file("mosquitto.acl", &text("deploy/compose/mosquitto.acl"))
        .line("acl_file {dir}/mosquitto.acl");
    let elsewhere =
        ["password_file", "acl_file", "allow_anonymous", "persistence_location", "log_dest", "log_type", "listener"];
    let tls = ["certfile", "keyfile"];
    for line in text("deploy/compose/mosquitto.conf").lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let key = line.split(' ').next().expect("a first word");
        // Global lines; where its files are, and TLS, are another test's.
        if !elsewhere.contains(&key) && !tls.contains(&key) && key != "per_listener_settings" {
            setup = setup.line(line);
        }
    }
    let Some(broker) = mosquitto::Mosquitto::start(setup) else { return };
    let dir = tempfile::tempdir().expect("scratch folder");
    let (http, _) = free_port_pair();
    let settings = text("deploy/compose/buttonwatch.toml")
        .replace("host = \"mosquitto\"", "host = \"127.0.0.1\"")
        .replace("port = 1883", &format!("port = {}", broker.port()))
        .replace("/run/secrets/mqtt-password", "mqtt-password")
        .replace("/etc/buttonwatch/alerts.toml", &root().join("alerts.toml").display().to_string())
        .replace("/etc/buttonwatch/", "")
        .replace("/var/lib/buttonwatch", "data")
        .replace("open = true", "")
        .replace("0.0.0.0:8680", &http.to_string());
    for (name, text) in [("fleet.csv", FLEET), ("mqtt-password", "monitor\n"), ("buttonwatch.toml", &settings)] {
        std::fs::write(dir.path().join(name), text).expect("our own folder");
    }
    let service = Service::start(dir.path(), &["--config", "buttonwatch.toml"], http);
    wait_until("it hears the broker", || service.get("/readyz").starts_with("HTTP/1.1 200"));
    let say = |user: &str, password: &str, unit: &str| {
        let topic = format!("buttonwatch/v1/{unit}/heartbeat");
        let beat = format!(r#"{{"ts":{},"boot":1,"seq":1,"interval_s":60}}"#, millis_now());
        // The broker drops what is not allowed, and says nothing of it.
        broker.publish(&["-u", user, "-P", password, "-q", "1", "-t", &topic, "-m", &beat]);
    };
    let heard = |unit: &str| service.json(&format!("/api/v1/units/{unit}"))["last_heard"].is_string();
    say("PSH-001", "one", "PSH-002");
    say("PSH-001", "one", "PSH-001");
    wait_until("the unit is heard", || heard("PSH-001"));
    assert!(!heard("PSH-002"), "PSH-001 has spoken for PSH-002");
    say("PSH-002", "two", "PSH-002");
    wait_until("the other unit is heard", || heard("PSH-002"));
    service.stop();
}
