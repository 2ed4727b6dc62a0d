//! Something is asked of a unit, and what came of it: the real program, simulated and hand-made units, the embedded
//! gateway and an external Mosquitto.
//!
//! Needs mosquitto and mosquitto-clients for the external broker: `apt-get install mosquitto mosquitto-clients`. Without
//! them that test says so and passes; with `CI=true` it fails.

#[path = "../servers/mosquitto.rs"]
mod mosquitto;
#[path = "../service/process.rs"]
#[allow(dead_code, reason = "this program uses a part of it")]
mod process;
#[path = "../servers/program.rs"]
mod program;
mod unit;

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use process::{Output, Service, cli, free_address, free_port_pair, wait_until};
use serde_json::Value;
use unit::{HandMade, Manner};

const FLEET: &str = "unit,name,site,site_type,city,lat,lon,crew,uplink,feeder,model,heartbeat_s\n\
    PSH-001,قصہ خوانی,Qissa Khwani Bazaar,market,Peshawar,34.0086,71.5743,city-north,,,PB-2,1\n\
    PSH-002,Saddar,Saddar,market,Peshawar,34.0000,71.5400,city-north,,,PB-2,1\n";

/// Killed when dropped.
struct Simulator(Child);

impl Simulator {
    fn start(dir: &Path, port: u16) -> Simulator {
        let child = Command::new(env!("CARGO_BIN_EXE_buttonwatch"))
            .args(["simulate", "--fleet", "fleet.csv", "--broker", &format!("mqtt://127.0.0.1:{port}")])
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the simulator starts");
        Simulator(child)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("scratch folder");
    std::fs::write(dir.path().join("fleet.csv"), FLEET).expect("writable");
    dir
}

fn serve(dir: &Path, gateway: SocketAddr, http: SocketAddr) -> Service {
    Service::start(dir, &["--fleet", "fleet.csv", "--listen", &gateway.to_string(), "--bus", "off"], http)
}

/// Standard output as JSON, and nothing else on it.
fn json(output: &Output) -> Value {
    serde_json::from_str(&output.out).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

fn status(output: &Output) -> i32 {
    output.status.code().expect("it ended by itself")
}

fn post(service: &Service, unit: &str, body: &str) -> (u16, Value) {
    let url = format!("http://{}/api/v1/units/{unit}/commands", service.http);
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut response = agent.post(url).header("content-type", "application/json").send(body).expect("answered");
    let text = response.body_mut().read_to_string().expect("text");
    (response.status().as_u16(), serde_json::from_str(&text).expect("JSON"))
}

/// The same, whatever carries the messages.
fn simulated_units_do_what_they_are_asked(service: &Service) {
    wait_until("both units are heard", || {
        ["PSH-001", "PSH-002"].iter().all(|unit| service.json(&format!("/api/v1/units/{unit}"))["boot"].is_number())
    });
    let tested = cli(service, &["selftest", "run", "PSH-001", "--component", "camera", "--wait", "-o", "json"]);
    let view = json(&tested);
    assert_eq!(status(&tested), 0, "{tested:?}");
    assert_eq!(tested.err, "", "no progress where nobody looks");
    assert_eq!((&view["state"], &view["do"], &view["finished"]), (&"done".into(), &"selftest".into(), &true.into()));
    let results = view["results"].as_array().expect("a list");
    assert_eq!(results.len(), 1, "{view}");
    assert_eq!((&results[0]["component"], &results[0]["result"]), (&"camera".into(), &"pass".into()));
    assert!(view["sent_at"].is_string() && view["replied_at"].is_string() && view["finished_at"].is_string(), "{view}");

    let all = cli(service, &["selftest", "run", "PSH-002", "--wait"]);
    assert_eq!(status(&all), 0, "{all:?}");
    for word in ["PSH-002  selftest", "done", "camera", "microphone", "speaker", "button", "stream"] {
        assert!(all.out.contains(word), "{word}: {all:?}");
    }
    let found = cli(service, &["locate", "PSH-002", "--wait", "--output", "csv"]);
    assert_eq!(status(&found), 0, "{found:?}");
    assert_eq!(found.out.lines().count(), 2, "{found:?}");
    assert!(found.out.starts_with("command,unit,do,components,by,asked_at,expires_at,state,"), "{found:?}");
    assert!(found.out.contains(",PSH-002,locate,"), "{found:?}");

    let boot = |unit: &str| service.json(&format!("/api/v1/units/{unit}"))["boot"].as_i64().expect("a boot");
    let before = boot("PSH-001");
    let unsure = cli(service, &["reboot", "PSH-001"]);
    assert_eq!(status(&unsure), 2, "{unsure:?}");
    assert!(unsure.err.contains("say --yes"), "{unsure:?}");
    let rebooted = cli(service, &["reboot", "PSH-001", "--yes", "--wait", "--output", "json"]);
    assert_eq!((status(&rebooted), &json(&rebooted)["state"]), (0, &"done".into()), "{rebooted:?}");
    assert_eq!(boot("PSH-001"), before + 1);

    let shown = cli(service, &["selftest", "show", "PSH-001"]);
    assert!(shown.out.contains("camera passed") && shown.out.contains("has started again"), "{shown:?}");
    let listed = service.json("/api/v1/units/PSH-001/commands");
    let acts: Vec<&str> = listed.as_array().expect("a list").iter().filter_map(|c| c["do"].as_str()).collect();
    assert_eq!(acts, ["reboot", "selftest"], "newest first");
}

#[test]
fn simulated_units_at_the_gateway_do_what_they_are_asked() {
    let dir = folder();
    let (gateway, http) = free_port_pair();
    let service = serve(dir.path(), gateway, http);
    let _units = Simulator::start(dir.path(), gateway.port());
    simulated_units_do_what_they_are_asked(&service);
    service.stop();
}

#[test]
fn simulated_units_beside_an_external_mosquitto_do_what_they_are_asked() {
    let Some(mut broker) = mosquitto::Mosquitto::start(mosquitto::Setup::new()) else { return };
    let dir = folder();
    let settings = format!("[gateway]\nenabled = false\n[external]\nhost = \"127.0.0.1\"\nport = {}\n", broker.port());
    std::fs::write(dir.path().join("buttonwatch.toml"), settings).expect("writable");
    let service = Service::start(
        dir.path(),
        &["--config", "buttonwatch.toml", "--fleet", "fleet.csv", "--bus", "off"],
        free_address(),
    );
    let units = Simulator::start(dir.path(), broker.port());
    simulated_units_do_what_they_are_asked(&service);

    // Nobody there: the broker takes it all the same, and nobody replies.
    drop(units);
    let away = cli(&service, &["selftest", "run", "PSH-002", "--wait", "--within", "5s"]);
    assert_eq!((status(&away), away.out.as_str()), (7, ""), "{away:?}");
    assert!(away.err.contains("did not reply in time") && away.err.contains("the broker had it"), "{away:?}");
    // No broker: it waits for it.
    broker.kill();
    wait_until("the broker is missed", || service.get("/readyz").starts_with("HTTP/1.1 503"));
    let (code, view) = post(&service, "PSH-002", r#"{"do":"locate","by":"Gul"}"#);
    assert_eq!(code, 202);
    let path = format!("/api/v1/units/PSH-002/commands/{}", view["id"].as_str().expect("an id"));
    wait_until("it says what it waits for", || {
        service.json(&path)["says"].as_str().is_some_and(|s| s.contains("the external broker cannot be reached"))
    });
    broker.restart();
    wait_until("the broker has it", || service.json(&path)["state"] == "sent");
    service.stop();
}

#[test]
fn a_unit_that_says_no_or_nothing_is_told_plainly() {
    let dir = folder();
    let (gateway, http) = free_port_pair();
    let service = serve(dir.path(), gateway, http);

    let refusing = HandMade::start(gateway.port(), "PSH-001", 7, Manner::Refuses("no siren in this model"));
    refusing.wait_until_subscribed();
    let no = cli(&service, &["locate", "PSH-001", "--wait"]);
    assert_eq!((status(&no), no.out.as_str()), (6, ""), "{no:?}");
    assert!(no.err.contains("PSH-001 refused a sign where it is: no siren in this model"), "{no:?}");
    let no = cli(&service, &["locate", "PSH-001", "--wait", "--output", "json"]);
    assert_eq!((status(&no), &json(&no)["error"]), (6, &"no siren in this model".into()), "{no:?}");
    drop(refusing);

    let mute = HandMade::start(gateway.port(), "PSH-002", 7, Manner::SaysNothing);
    mute.wait_until_subscribed();
    let (code, asked) = post(&service, "PSH-002", r#"{"do":"selftest","by":"Gul Khan","within_s":5}"#);
    assert_eq!((code, &asked["state"], &asked["by"]), (202, &"waiting".into(), &"Gul Khan".into()), "{asked}");
    let busy = cli(&service, &["reboot", "PSH-002", "--yes"]);
    assert_eq!(status(&busy), 6, "{busy:?}");
    assert!(busy.err.contains("PSH-002 was asked for a self-test before, and that is not over"), "{busy:?}");
    let path = format!("/api/v1/units/PSH-002/commands/{}", asked["id"].as_str().expect("an id"));
    wait_until("it has expired", || service.json(&path)["state"] == "expired");
    let says = service.json(&path)["says"].as_str().unwrap_or_default().to_owned();
    assert!(says.contains("got it and did not reply in time"), "{says}");
    // It replies and tests after all, later than anybody waited: it is believed.
    mute.say("reply", &format!(r#""id":{},"ok":true"#, asked["id"]));
    mute.say(
        "selftest",
        &format!(
            r#""id":{},"trigger":"command","results":{{"camera":{{"result":"fail","code":"black"}}}}"#,
            asked["id"]
        ),
    );
    wait_until("its result counts", || service.json(&path)["state"] == "done");
    let says = service.json(&path)["says"].as_str().unwrap_or_default().to_owned();
    assert_eq!(says, "PSH-002 has tested itself: failed: camera (black)");
    drop(mute);

    let away = cli(&service, &["selftest", "run", "PSH-002", "--wait", "--within", "5s"]);
    assert_eq!((status(&away), away.out.as_str()), (7, ""), "{away:?}");
    assert!(away.err.contains("PSH-002 was away all the time, and was not asked"), "{away:?}");

    let unknown = cli(&service, &["locate", "PSH-003"]);
    assert_eq!(status(&unknown), 4, "{unknown:?}");
    assert!(unknown.err.contains("did you mean PSH-001"), "{unknown:?}");
    assert_eq!(post(&service, "PSH-001", r#"{"do":"reboot","components":["camera"],"by":"Gul"}"#).0, 422);
    assert_eq!(post(&service, "PSH-001", r#"{"do":"selftest","components":["mains"],"by":"Gul"}"#).0, 422);
    assert_eq!(post(&service, "PSH-001", r#"{"do":"selftest","within_s":1,"by":"Gul"}"#).0, 422);
    assert_eq!(post(&service, "PSH-001", r#"{"do":"dance","by":"Gul"}"#).0, 400);
    assert_eq!(post(&service, "PSH-001", r#"{"do":"locate","by":""}"#).0, 400);
    assert!(service.get("/api/v1/units/PSH-001/commands/cmd-0").starts_with("HTTP/1.1 404"));
    service.stop();
}

#[test]
fn a_command_waits_for_its_unit_over_a_restart_and_is_sent_once() {
    let dir = folder();
    let (gateway, http) = free_port_pair();
    let service = serve(dir.path(), gateway, http);
    let asked = cli(&service, &["reboot", "PSH-001", "--yes", "--output", "json"]);
    let id = json(&asked)["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/units/PSH-001/commands/{id}");
    wait_until("it says why it waits", || {
        service.json(&path)["says"].as_str().is_some_and(|s| s.contains("it is not connected"))
    });
    service.stop();

    let service = serve(dir.path(), gateway, http);
    assert_eq!(service.json(&path)["state"], "waiting");
    let unit = HandMade::start(gateway.port(), "PSH-001", 7, Manner::Obeys);
    wait_until("it is accepted", || service.json(&path)["state"] == "accepted");
    assert_eq!(unit.commands(), std::slice::from_ref(&id));
    drop(unit);
    let unit = HandMade::start(gateway.port(), "PSH-001", 8, Manner::Obeys);
    unit.wait_until_subscribed();
    wait_until("it is back", || service.json(&path)["state"] == "done");
    assert!(service.json(&path)["says"].as_str().is_some_and(|s| s.contains("boot 8")));
    service.stop();

    // It has not expired, and is not sent again.
    let service = serve(dir.path(), gateway, http);
    assert_eq!(service.json(&path)["state"], "sent", "the replies were in memory only");
    unit.wait_until_subscribed();
    // Commands go out in the order in which they came.
    let found = cli(&service, &["locate", "PSH-001", "--wait", "--output", "json"]);
    assert_eq!(status(&found), 0, "{found:?}");
    assert_eq!(unit.commands(), [json(&found)["id"].as_str().expect("an id")]);
    service.stop();
}
