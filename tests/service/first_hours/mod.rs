//! A new operator's first hours with the real program: init, doctor, serve, the first fleet, a backup and the way back, the
//! manual pages; and the pages that help with it.

mod backups;
mod doctor;
mod pages;

use std::path::Path;
use std::process::{Command, Stdio};

use crate::process::{Service, cli, free_port_pair, run};

/// False: it is not installed, and a line says how to get it. In CI that is a failure.
pub fn installed(program: &str, how: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let is_there = std::env::split_paths(&paths).any(|folder| folder.join(program).is_file());
    if !is_there {
        let remedy = format!("{program} is not installed ({how})");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{remedy}");
        println!("skipped: {remedy}");
    }
    is_there
}

#[test]
fn from_init_to_a_running_fleet_with_what_it_says_to_type() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let (gateway, http) = free_port_pair();
    let (listen, web) = (gateway.to_string(), http.to_string());
    let asked = ["init", "--yes", "--listen", &listen, "--http", &web, "--output", "json"];
    let made = run(dir.path(), &asked);
    assert!(made.status.success() && made.err.is_empty(), "{made:?}");
    let made: serde_json::Value = serde_json::from_str(&made.out).expect("JSON");
    assert_eq!(made["files"], serde_json::json!(["buttonwatch.toml", "alerts.toml", "fleet.csv"]));
    let next: Vec<Vec<&str>> = made["next"]
        .as_array()
        .expect("commands")
        .iter()
        .map(|c| c.as_str().expect("text").split(' ').skip(1).collect())
        .collect();
    let [doctor, serve, import] = next.as_slice() else { panic!("three commands: {made}") };

    // Its own bus would take the port of whatever else runs on this machine.
    let settings = dir.path().join("buttonwatch.toml");
    let text = std::fs::read_to_string(&settings).expect("readable");
    std::fs::write(&settings, text.replace("\"127.0.0.1:1884\"", "\"off\"")).expect("writable");
    let page = run(dir.path(), doctor);
    assert!(page.status.success() && !page.out.contains("WRONG"), "{page:?}");
    assert_eq!(serve[0], "serve");
    let service = Service::start(dir.path(), &serve[1..], http);

    // The fleet file has no row yet: the commented one is taken as an example.
    let refused = run(dir.path(), import);
    assert!(!refused.status.success() && refused.err.contains("no row below the header"), "{refused:?}");
    let fleet = dir.path().join("fleet.csv");
    let rows = std::fs::read_to_string(&fleet).expect("readable").replace("# PSH-001", "PSH-001");
    std::fs::write(&fleet, rows).expect("writable");
    let taken = run(dir.path(), import);
    assert!(taken.status.success() && taken.err.is_empty(), "{taken:?}");
    let list = cli(&service, &["fleet", "list"]);
    assert!(list.out.contains("PSH-001"), "{list:?}");

    drop(service);
    let again = run(dir.path(), &asked);
    assert!(!again.status.success() && again.err.contains("nothing was written"), "{again:?}");
}

#[test]
fn without_a_terminal_init_asks_nothing_and_writes_nothing() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let out = run(dir.path(), &["init"]);
    assert_eq!(out.status.code(), Some(2), "{out:?}");
    assert!(out.err.contains("--yes") && out.out.is_empty(), "{out:?}");
    assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 0);
    for (flags, why) in [
        (&["--listen", "0.0.0.0:1883", "--http", "127.0.0.1:1883"][..], "is taken by both"),
        (&["--operator", "duty"], "write one address"),
        (&["--tls-cert", "a.pem", "--tls-key", "b.pem"], "a.pem"),
        (&["--operator", "a@b.org", "--smtp", "x y"], "must be a name or an address"),
        (&["--operator", "a@b.org", "--smtp", "m.org", "--smtp-user", "u"], "--smtp-password-file"),
        (&["--influx", "influx"], "write where InfluxDB listens"),
        (&["--public-url", "buttons"], "must be where people's browsers find this service"),
    ] {
        let out = run(dir.path(), &[&["init", "--yes"], flags].concat());
        assert!(!out.status.success() && out.err.contains(why), "{flags:?}: {out:?}");
        assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 0, "{flags:?}");
    }
}

#[test]
fn every_verb_has_a_manual_page_that_readers_of_pages_take() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let out = run(dir.path(), &["manual", "man1"]);
    assert!(out.status.success(), "{out:?}");
    let page = |name: &str| std::fs::read_to_string(dir.path().join("man1").join(name)).unwrap_or_default();
    for (name, holds) in [
        ("buttonwatch.1", "buttonwatch"),
        ("buttonwatch-fleet-import.1", "dry"),
        ("buttonwatch-backup.1", "replace"),
        ("buttonwatch-rules-backtest.1", "against"),
    ] {
        assert!(page(name).contains(holds), "{name}: {}", page(name));
    }
    let help = run(dir.path(), &["--help"]).out;
    let (_, verbs) = help.split_once("Commands:").expect("verbs");
    for verb in verbs
        .split("Options")
        .next()
        .unwrap_or_default()
        .lines()
        .filter(|l| l.starts_with("  ") && !l.starts_with("   "))
    {
        let verb = verb.split_whitespace().next().expect("a verb");
        assert!(verb == "help" || !page(&format!("buttonwatch-{verb}.1")).is_empty(), "no page of {verb}");
    }
    if installed("mandoc", "apt-get install mandoc") {
        let pages: Vec<_> =
            std::fs::read_dir(dir.path().join("man1")).expect("readable").map(|e| e.expect("entry").path()).collect();
        let lint =
            Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).args(&pages).output().expect("mandoc runs");
        let said = String::from_utf8_lossy(&lint.stdout);
        assert!(lint.status.success() && said.is_empty(), "{said}");
    }
}

#[test]
fn long_work_writes_no_progress_where_nobody_looks() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/recordings");
    let path = |name: &str| fixtures.join(name).display().to_string();
    let (tape, fleet) = (path("load-shedding-weeks-plain.jsonl"), path("fleet-6-units-600s.csv"));
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/alerts.toml");
    for args in [
        &["replay", &tape, "--fleet", &fleet, "--rules", rules][..],
        &["rules", "backtest", &tape, "--fleet", &fleet, "--rules", rules, "--against", rules, "--output", "json"],
    ] {
        let piped = run(dir.path(), args);
        assert!(piped.status.success(), "{piped:?}");
        assert!(
            !piped.err.contains('\r') && !piped.err.contains('%') && !piped.err.contains('\u{1b}'),
            "{}",
            piped.err
        );
        // On a terminal the bar is drawn on standard error; what goes to a file stays the same, byte for byte.
        if !installed("script", "apt-get install bsdutils") {
            continue;
        }
        let to = dir.path().join("out");
        let command = format!(
            "{} {} > {}",
            env!("CARGO_BIN_EXE_buttonwatch"),
            args.iter().map(|a| format!("'{a}'")).collect::<Vec<_>>().join(" "),
            to.display()
        );
        let watched = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .env("TERM", "xterm")
            .stdin(Stdio::null())
            .output()
            .expect("script runs");
        assert!(watched.status.success(), "{watched:?}");
        assert_eq!(std::fs::read_to_string(&to).expect("readable"), piped.out, "{args:?}");
    }
}

#[test]
fn a_web_page_for_the_network_begins_with_a_token() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let (gateway, http) = free_port_pair();
    let (listen, web) = (gateway.to_string(), format!("0.0.0.0:{}", http.port()));
    let made = run(dir.path(), &["init", "--yes", "--example", "--listen", &listen, "--http", &web]);
    assert!(made.status.success() && made.out.contains("export BUTTONWATCH_TOKEN=$(cat web-token.txt)"), "{made:?}");
    let token = std::fs::read_to_string(dir.path().join("web-token.txt")).expect("made");
    assert!(!made.out.contains(token.trim()), "it is shown to nobody");
    let settings = dir.path().join("buttonwatch.toml");
    let text = std::fs::read_to_string(&settings).expect("readable");
    std::fs::write(&settings, text.replace("\"127.0.0.1:1884\"", "\"off\"")).expect("writable");
    let page = run(dir.path(), &["doctor", "--config", "buttonwatch.toml", "--server", "http://127.0.0.1:9"]);
    assert!(page.status.success(), "{page:?}");
    let mut serve = Command::new(env!("CARGO_BIN_EXE_buttonwatch"))
        .args(["serve", "--config", "buttonwatch.toml"])
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let list = |token: &str| {
        let asked = Command::new(env!("CARGO_BIN_EXE_buttonwatch"))
            .args(["fleet", "list", "--server", &format!("http://127.0.0.1:{}", http.port())])
            .env("BUTTONWATCH_TOKEN", token)
            .output();
        let asked = asked.expect("it runs");
        (asked.status.code(), String::from_utf8_lossy(&asked.stdout).into_owned())
    };
    crate::process::wait_until("the token opens it", || list(token.trim()).1.contains("PSH-001"));
    assert_eq!(list("another-token-of-some-length").0, Some(5));
    let _ = serve.kill();
    let _ = serve.wait();
}
