//! Schemathesis (`python3 -m pip install schemathesis`) asks the real program everything that its own OpenAPI description
//! allows, and much that it forbids. Without it the test says so and passes; with `CI=true` it fails.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::process::{Service, free_port_pair};

/// The figures of one run are the same in the next one.
const SEED: &str = "20261122";

#[test]
fn the_api_keeps_to_its_own_description_whatever_it_is_asked() {
    let there = Command::new("schemathesis").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        let say = "schemathesis is not installed: python3 -m pip install schemathesis";
        assert!(std::env::var_os("CI").is_none(), "{say}");
        return println!("skipped: {say}");
    }
    let dir = tempfile::tempdir().expect("scratch");
    let fleet = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fleets/peshawar.csv");
    let (units, http) = free_port_pair();
    let args =
        ["--fleet", &fleet.display().to_string(), "--listen", &units.to_string(), "--bus", "off", "--data", "data"];
    let service = Service::start(dir.path(), &args, http);
    let out = Command::new("schemathesis")
        .args(["run", &format!("http://{http}/api/v1/openapi.json"), "--max-examples", "25", "--seed", SEED])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ])
        // Whatever it finds, its own notes of it stay in the scratch folder.
        .current_dir(dir.path())
        .env("NO_COLOR", "1")
        .output()
        .expect("schemathesis runs");
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}\n{}", String::from_utf8_lossy(&out.stderr));
    let generated = text.lines().find_map(|line| line.split_once(" generated, ").map(|(count, _)| count));
    let cases: u32 = generated.and_then(|n| n.trim().parse().ok()).unwrap_or_else(|| panic!("how many cases? {text}"));
    assert!(cases > 500, "{cases} cases only: the description lost its paths?\n{text}");
    service.stop();
}
