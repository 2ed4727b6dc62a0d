//! The real program, run as people and scripts run it: what it prints where, and how it ends.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use crate::fake_service::{Fake, Running, ago, unit, units};
use buttonwatch::domain::report::{ReportPeriod, ReportSpan};
use buttonwatch::domain::view::{Ask, AskError, OrderView, UnitRow};
use buttonwatch::domain::{Component, MaintenanceScope, OrderId, OrderMove, Timestamp, UnitId};
use serde_json::{Value, json};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_buttonwatch"));
    // Nothing of the tester's own surroundings.
    command.env_clear().env("USER", "tester").stdin(Stdio::null());
    command
}

pub fn run(server: &str, arguments: &[&str]) -> Output {
    program().env("BUTTONWATCH_SERVER", server).args(arguments).output().expect("the program starts")
}

pub fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

pub fn fine(server: &str, arguments: &[&str]) -> String {
    let output = run(server, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", err(&output));
    assert_eq!(err(&output), "", "{arguments:?}");
    out(&output)
}

/// Nothing on standard output, one error on standard error, that status.
pub fn fails(server: &str, arguments: &[&str], status: i32) -> String {
    let output = run(server, arguments);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", err(&output));
    assert_eq!(out(&output), "", "{arguments:?}");
    let text = err(&output);
    assert!(text.starts_with("error: "), "{arguments:?}: {text}");
    text
}

/// A port where nothing listens.
pub fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn lists_are_tables_of_80_columns_for_people() {
    let running = Running::start(Fake::new(), None);
    let lists: [&[&str]; 7] = [
        &["fleet", "list"],
        &["alerts"],
        &["incidents"],
        &["orders", "list", "--all"],
        &["fleet", "quarantine"],
        &["refusals"],
        &["outbox"],
    ];
    let all: Vec<String> =
        lists.iter().map(|a| format!("$ buttonwatch {}\n{}", a.join(" "), fine(&running.url(), a))).collect();
    let all = all.join("\n");
    assert!(!all.contains('\u{1b}'), "no colour and no stranger's escapes in a pipe");
    insta::assert_snapshot!("lists", all);
}

#[test]
fn one_unit_and_one_order_fill_a_screen() {
    let running = Running::start(Fake::new(), None);
    let card = fine(&running.url(), &["fleet", "show", "PSH-001"]);
    for part in ["PSH-001  Qissa Khwani Bazaar, north gate", "silent\n", "11.42 V 8 min", "camera pass 2 h"] {
        assert!(card.contains(part), "{part:?} in\n{card}");
    }
    assert!(card.lines().count() <= 40, "one screen");
    let order = fine(&running.url(), &["orders", "show", "42", "--zone", "UTC"]);
    for part in [
        "WO-000042  PSH-001 uplink",
        "P1 opened",
        "(2 h late)",
        "HISTORY (UTC, UTC+00:00)",
        "buttonwatch: no heartbeat",
    ] {
        assert!(order.contains(part), "{part:?} in\n{order}");
    }
}

/// Its own folder, and ports that nobody has.
fn settings(folder: &std::path::Path, mail: &str) -> String {
    let path = folder.join("buttonwatch.toml");
    let data = folder.join("data");
    let text = format!(
        "data = {data:?}\n[gateway]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n[bus]\nlisten = \"off\"\n{mail}"
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn doctor_sends_a_test_mail_the_way_the_service_would() {
    let folder = tempfile::tempdir().unwrap();
    let config = settings(folder.path(), "[mail]\noperator = \"duty@example.org\"\n");
    let output = run(&nowhere(), &["doctor", "--config", &config, "--send-test-mail"]);
    assert!(out(&output).contains("look   test mail"), "{}{}", out(&output), err(&output));
    assert!(out(&output).contains("for duty@example.org, written to"), "{}", out(&output));
    let mails: Vec<_> = std::fs::read_dir(folder.path().join("data/mail")).unwrap().collect();
    assert_eq!(mails.len(), 1);
    let text = std::fs::read_to_string(mails[0].as_ref().unwrap().path()).unwrap();
    assert!(text.contains("To: operator <duty@example.org>") && text.contains("This is a test"), "{text}");

    let port = nowhere().rsplit(':').next().unwrap().to_owned();
    let smtp = format!(
        "[mail]\nfrom = \"b@example.org\"\noperator = \"duty@example.org\"\n[mail.smtp]\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n"
    );
    let config = settings(folder.path(), &smtp);
    let output = run(&nowhere(), &["doctor", "--config", &config, "--send-test-mail", "gul@example.org"]);
    assert_eq!(output.status.code(), Some(1), "{}", out(&output));
    assert!(
        out(&output).contains("WRONG  test mail") && out(&output).contains("to gul@example.org: 127.0.0.1"),
        "{}",
        out(&output)
    );
}

#[test]
fn doctor_looks_no_further_by_settings_that_are_not_the_operators() {
    let folder = tempfile::tempdir().unwrap();
    let config = settings(folder.path(), "[mial]\n");
    let output = run(&nowhere(), &["doctor", "--config", &config]);
    let text = out(&output);
    assert!(text.contains("WRONG  settings, rules, fleet") && text.contains("mial"), "{text}");
    assert!(!text.contains("port") && !text.contains("disk"), "{text}");
}

#[test]
fn doctor_finds_a_broken_key_of_the_crews_links_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = settings(folder.path(), "");
    let key = folder.path().join("data/links.key");
    std::fs::create_dir_all(key.parent().unwrap()).unwrap();
    std::fs::write(&key, "half a key").unwrap();
    let output = run(&nowhere(), &["doctor", "--config", &config]);
    let text = out(&output);
    assert!(text.contains("WRONG  crews' links") && text.contains("remove it, and a new one is made"), "{text}");
    assert_eq!(std::fs::read_to_string(&key).unwrap(), "half a key");
}

#[test]
fn doctor_finds_templates_with_which_the_service_would_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let templates = folder.path().join("templates");
    let config = settings(folder.path(), &format!("[mail]\ntemplates = '{}'\n", templates.display()));
    let output = run(&nowhere(), &["doctor", "--config", &config]);
    assert!(out(&output).contains("WRONG  mails"), "{}", out(&output));
    std::fs::create_dir(&templates).unwrap();
    std::fs::write(templates.join("mail.txt"), "{{ order.sumary }}").unwrap();
    let output = run(&nowhere(), &["doctor", "--config", &config]);
    // The page is folded to its width.
    let words = out(&output).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("mail.txt:1: it asks for a value that does not exist"), "{words}");
}

#[test]
fn a_mail_is_looked_at_tried_again_and_dropped() {
    let running = Running::start(Fake::new(), None);
    let unsent = fine(&running.url(), &["outbox", "list"]);
    assert!(unsent.contains("wo-000043.2@example.org") && !unsent.contains("wo-000042.1"), "{unsent}");
    let in_one_line = unsent.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(in_one_line.contains("(550 5.1.1 no such user here)"), "what the server said is whole: {unsent}");
    assert!(unsent.lines().all(|line| line.len() <= 80), "{unsent}");
    assert!(fine(&running.url(), &["outbox", "list", "--all"]).contains("wo-000042.1"));
    let shown = fine(&running.url(), &["outbox", "show", "wo-000043.2@example.org"]);
    for part in ["wo-000043.2@example.org", "city-north, crew@example.org", "no heartbeat for 8 min", "DO: look at it."]
    {
        assert!(shown.contains(part), "{part:?} in\n{shown}");
    }
    assert!(fine(&running.url(), &["outbox", "retry", "wo-000043.2@example.org"]).contains("is tried now"));
    assert!(fine(&running.url(), &["outbox", "retry", "--refused"]).contains("1 refused mail"));
    assert!(fine(&running.url(), &["outbox", "drop", "<wo-000043.2@example.org>"]).contains("will not be sent"));
    let sent = run(&running.url(), &["outbox", "drop", "wo-000042.1@example.org"]);
    assert!(!sent.status.success() && String::from_utf8_lossy(&sent.stderr).contains("was sent"));
}

#[test]
fn a_report_is_a_page_of_tables_for_people_and_rows_for_programs() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    let text = fine(&running.url(), &["report", "weekly", "--last"]);
    assert!(
        text.starts_with("Buttonwatch: the last 7 days\n") && text.lines().all(|l| l.chars().count() <= 80),
        "{text}"
    );
    for part in [
        "FLEET",
        "CITY",
        "CREW",
        "city-north",
        "PART",
        "uplink",
        "FAILS NEXT",
        "battery.health 71 % now",
        "OVERDUE",
        "MRD-001",
    ] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
    let text = fine(&running.url(), &["report", "monthly", "--until", "2026-11-21 14:00"]);
    assert!(text.starts_with("Buttonwatch: ") && !text.contains("the last"), "{text}");
    let until = Timestamp::parse("2026-11-21T09:00:00Z");
    let asked = Ask::Report(ReportSpan { period: ReportPeriod::Monthly, until, last: false });
    assert_eq!(fake.last_ask(), Some(asked), "a time without an offset is of --zone");
    let json: Value = serde_json::from_str(&fine(&running.url(), &["report", "daily", "-o", "json"])).unwrap();
    assert_eq!((&json["fleet"]["opened"], &json["fleet"]["drills"]["press_overdue"]), (&json!(2), &json!(1)), "{json}");
    let csv = fine(&running.url(), &["report", "monthly", "-o", "csv"]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<_> = reader.records().map(|r| r.unwrap()[0].to_owned()).collect();
    for kind in ["fleet", "city", "site_type", "crew", "component", "forecast", "overdue"] {
        assert!(rows.iter().any(|r| r == kind), "{kind} in {csv}");
    }
    let page = fine(&running.url(), &["report", "weekly", "--html", "-"]);
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("Work by crew"), "{page}");
    assert!(!page.contains("<script") && !page.contains("http"), "one file, nothing fetched");
    let nowhere = fails(&running.url(), &["report", "weekly", "--html", "/nowhere/at/all.html"], 1);
    assert!(nowhere.contains("/nowhere/at/all.html"), "{nowhere}");
}

#[test]
fn the_publics_report_is_shown_as_it_is_published() {
    let running = Running::start(Fake::new(), None);
    let text = fine(&running.url(), &["report", "public"]);
    assert!(text.contains("Peshawar <b>") && text.lines().all(|l| l.chars().count() <= 80), "{text}");
    let csv = fine(&running.url(), &["report", "public", "-o", "csv"]);
    assert!(csv.starts_with("by,name,is_rest,units,") && csv.contains("\ncity,other,true,8,"), "{csv}");
    let json: Value = serde_json::from_str(&fine(&running.url(), &["report", "public", "-o", "json"])).unwrap();
    assert_eq!(json["smallest_group"], 5);
    let page = fine(&running.url(), &["report", "public", "--html", "-"]);
    assert!(page.contains("Peshawar &lt;b&gt;") && page.contains("How this is worked out"), "{page}");
    let wrong = fails(&running.url(), &["report", "public", "--last"], 2);
    assert!(wrong.contains("fixed period"), "{wrong}");
}

#[test]
fn json_is_the_apis_own_shape_and_nothing_else() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    let rows: Vec<UnitRow> =
        serde_json::from_str(&fine(&running.url(), &["fleet", "list", "--output", "json"])).unwrap();
    assert_eq!(rows, fake.units);
    let orders: Vec<OrderView> =
        serde_json::from_str(&fine(&running.url(), &["orders", "list", "-o", "json"])).unwrap();
    assert_eq!(orders[0].order, OrderId::new(42));
    for arguments in [
        &["fleet", "show", "PSH-001"][..],
        &["orders", "show", "42"],
        &["alerts"],
        &["incidents"],
        &["outbox"],
        &["outbox", "show", "wo-000043.2@example.org"],
        &["outbox", "retry", "--refused"],
        &["refusals"],
        &["fleet", "quarantine"],
        &["orders", "set", "42", "repaired"],
        &["maintenance", "--unit", "PSH-001", "--for", "2h"],
        &["fleet", "accept", "MRD-001", "--site", "a", "--crew", "b", "--city", "c"],
        &["rules", "metrics"],
    ] {
        let text = fine(&running.url(), &[&["--output", "json"], arguments].concat());
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{arguments:?}: {e} in {text}"));
        assert!(value.is_array() || value.is_object(), "{arguments:?}");
    }
    assert_eq!(fine(&running.url(), &["fleet", "list", "city=Swat", "-o", "json"]), "[]\n");
}

#[test]
fn csv_has_a_header_and_the_texts_unharmed() {
    let running = Running::start(Fake::new(), None);
    let text = fine(&running.url(), &["fleet", "list", "--output", "csv"]);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().unwrap().iter().take(4).collect::<Vec<_>>(), ["unit", "name", "site", "site_type"]);
    let names: Vec<String> = reader.records().map(|r| r.unwrap()[1].to_owned()).collect();
    assert_eq!(names, units().iter().map(|u| u.name.clone()).collect::<Vec<_>>());
    for arguments in [&["alerts"][..], &["incidents"], &["outbox", "list"], &["refusals"], &["orders", "show", "42"]] {
        let text = fine(&running.url(), &[arguments, &["-o", "csv"]].concat());
        assert_eq!(csv::Reader::from_reader(text.as_bytes()).records().count(), 1, "{arguments:?}: {text}");
    }
    let empty = fine(&running.url(), &["alerts", "severity=minor", "-o", "csv"]);
    assert_eq!(empty, "unit,rule,component,severity,state,flapping,since,reason,order\n");
}

#[test]
fn rows_are_picked_by_their_fields() {
    let running = Running::start(Fake::new(), None);
    let picked = |filters: &[&str]| -> Vec<String> {
        let text = fine(&running.url(), &[&["fleet", "list", "-o", "csv"], filters].concat());
        csv::Reader::from_reader(text.as_bytes()).records().map(|r| r.unwrap()[0].to_owned()).collect()
    };
    assert_eq!(picked(&["city=peshawar"]), ["PSH-001", "PSH-002"]);
    assert_eq!(picked(&["city=peshawar", "readiness!=ready"]), ["PSH-001"]);
    assert_eq!(picked(&["city=mardan", "city=peshawar", "readiness=ready"]), ["PSH-002"]);
    let wrong = fails(&running.url(), &["fleet", "list", "ctiy=peshawar"], 2);
    assert!(wrong.contains("did you mean city?"), "{wrong}");
    let wrong = fails(&running.url(), &["fleet", "list", "readiness=redy"], 2);
    assert!(wrong.contains("did you mean ready?"), "{wrong}");
}

#[test]
fn instructions_reach_the_service_with_who_gave_them() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    let said =
        fine(&running.url(), &["orders", "set", "wo-42", "en-route", "--note", "گل خان leaves", "--by", "Gul Khan"]);
    assert_eq!(said, "WO-000042 is now en-route.\n");
    assert_eq!(
        fake.last_ask(),
        Some(Ask::SetOrder {
            order: OrderId::new(42),
            to: OrderMove::EnRoute,
            by: "Gul Khan".to_owned(),
            note: "گل خان leaves".to_owned(),
        })
    );
    fine(&running.url(), &["maintenance", "--unit", "PSH-001", "--for", "2h"]);
    match fake.last_ask() {
        Some(Ask::Maintenance { scope, until, by }) => {
            assert_eq!(scope, MaintenanceScope::Unit(UnitId::parse("PSH-001").unwrap()));
            assert_eq!(by, "tester");
            // The Date of HTTP counts whole seconds.
            let lasts = until.since(ago(0)).as_secs();
            assert!((7_190..=7_201).contains(&lasts), "{lasts} s");
        }
        other => panic!("{other:?}"),
    }
    fine(&running.url(), &["maintenance", "--site", "Jinnah Park", "--until", "2100-01-01 12:00"]);
    match fake.last_ask() {
        Some(Ask::Maintenance { until, .. }) => assert_eq!(until, Timestamp::parse("2100-01-01T07:00:00Z").unwrap()),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        fine(&running.url(), &["maintenance", "--crew", "saddar", "--over"]),
        "Maintenance of crew saddar is over.\n"
    );
    let past = fails(&running.url(), &["maintenance", "--crew", "saddar", "--until", "2020-01-01T00:00:00Z"], 2);
    assert!(past.contains("--over"), "{past}");
    let accepted = fine(
        &running.url(),
        &["fleet", "accept", "MRD-001", "--site", "Mardan", "--crew", "north", "--city", "Mardan"],
    );
    assert_eq!(accepted, "MRD-001 is in the fleet now, at Mardan, with crew north.\n");
}

#[test]
fn history_and_availability_are_told_and_summed() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    let text = fine(&running.url(), &["fleet", "history", "PSH-001", "--since", "2h"]);
    assert!(text.ends_with("PSH-001, the last 2 h: available 75.00 % of 1 h; not counted: unknown 1 h.\n"), "{text}");
    match fake.last_ask() {
        Some(Ask::History { unit, since: Some(since) }) => {
            assert_eq!(unit.as_str(), "PSH-001");
            let asked = ago(0).since(since).as_secs();
            assert!((7_199..=7_215).contains(&asked), "{asked} s");
        }
        other => panic!("{other:?}"),
    }
    let rows = fine(&running.url(), &["fleet", "history", "PSH-001", "-o", "csv"]);
    assert_eq!(rows.lines().count(), 4, "{rows}");
    let json: Value =
        serde_json::from_str(&fine(&running.url(), &["fleet", "history", "PSH-001", "-o", "json"])).unwrap();
    assert_eq!(json["seconds"]["maintenance"], 0.0);

    let csv = |more: &[&str]| fine(&running.url(), &[&["fleet", "availability", "-o", "csv"], more].concat());
    let first = "name,units,available_pct,ready_s,impaired_s,not_ready_s,silent_s,unknown_s,unproven_s,maintenance_s\n";
    assert_eq!(
        csv(&[]),
        format!("{first}Mardan,1,100,3600,0,0,0,0,0,0\nPeshawar,2,62.5,4500,0,0,2700,0,0,0\n"),
        "of two units the times are summed"
    );
    assert_eq!(csv(&["unit=PSH-001", "--by", "site-type"]), format!("{first}market,1,25,900,0,0,2700,0,0,0\n"));
    assert_eq!(csv(&["city=peshawar", "--by", "unit"]).lines().count(), 3);
    let table = fine(&running.url(), &["fleet", "availability", "--by", "crew", "--since", "1h"]);
    assert!(table.ends_with("3 units, the last 1 h: available 75.00 % of 3 h.\n"), "{table}");
    let wrong = fails(&running.url(), &["fleet", "availability", "ctiy=x"], 2);
    assert!(wrong.contains("did you mean city?"), "{wrong}");
    fails(&running.url(), &["fleet", "availability", "--by", "colour"], 2);
    fails(&running.url(), &["fleet", "history", "PSH-001", "--since", "week"], 2);
    fails(&running.url(), &["fleet", "history", "PSH-999"], 4);
}

#[test]
fn a_reading_is_drawn_and_told_by_the_hour() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    let history =
        |more: &[&str]| fine(&running.url(), &[&["fleet", "history", "PSH-001", "battery.voltage"], more].concat());
    let text = history(&["--since", "24h"]);
    for part in [
        "PSH-001 battery.voltage, by the hour",
        " V ┤",
        " battery-low 11.6",
        "10.5 to 13.4 V, last 12.9 V. Readings in 4 hours. Times are Asia/Karachi, UTC+05:00.",
    ] {
        assert!(text.replace('\n', " ").contains(part), "{part:?} in\n{text}");
    }
    assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
    match fake.last_ask() {
        Some(Ask::Series { unit, metric, since: Some(since) }) => {
            assert_eq!((unit.as_str(), metric.to_string().as_str()), ("PSH-001", "battery.voltage"));
            let asked = ago(0).since(since).as_secs();
            assert!((86_399..=86_415).contains(&asked), "{asked} s");
        }
        other => panic!("{other:?}"),
    }
    let csv = history(&["-o", "csv"]);
    assert!(csv.starts_with("hour,count,min,max,mean,last\n") && csv.lines().count() == 5, "{csv}");
    let json: Value = serde_json::from_str(&history(&["-o", "json"])).unwrap();
    assert_eq!((&json["measured_in"], &json["points"][0]["count"]), (&Value::from("V"), &Value::from(60)));
    let wrong = run(&running.url(), &["fleet", "history", "PSH-001", "battery.votlage"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(err(&wrong).contains("did you mean battery.voltage?"), "{}", err(&wrong));
    fails(&running.url(), &["fleet", "history", "PSH-999", "heartbeats"], 4);
}

#[test]
fn what_is_learned_anew_is_said_in_one_sentence() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    let said = fine(&running.url(), &["fleet", "rebaseline", "PSH-001", "--component", "camera", "--by", "Gul Khan"]);
    assert_eq!(
        said,
        "PSH-001: what its camera showed when new is forgotten; the next passing self-tests are the new measure.\n"
    );
    assert_eq!(
        fake.last_ask(),
        Some(Ask::Rebaseline {
            unit: UnitId::parse("PSH-001").unwrap(),
            component: Some(Component::Camera),
            by: "Gul Khan".to_owned(),
        })
    );
    fine(&running.url(), &["fleet", "rebaseline", "PSH-001"]);
    assert!(matches!(fake.last_ask(), Some(Ask::Rebaseline { component: None, .. })));
    fails(&running.url(), &["fleet", "rebaseline", "PSH-999"], 4);
    let wrong = fails(&running.url(), &["fleet", "rebaseline", "PSH-001", "--component", "mains"], 2);
    assert!(wrong.contains("battery, camera, microphone, speaker, button, stream"), "{wrong}");
}

#[test]
fn an_import_shows_its_plan_or_every_mistake() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("fleet.csv");
    std::fs::write(&good, "\u{feff}unit,name\r\nPSH-001,\"صدر، لاہور\"\r\n").unwrap();
    let good = good.to_str().unwrap();
    let plan = fine(&running.url(), &["fleet", "import", good, "--dry-run"]);
    assert_eq!(plan, "  + PSH-069\n1 added, 0 removed, 0 changed, 2 unchanged. Dry run: nothing was changed.\n");
    match fake.last_ask() {
        Some(Ask::ImportFleet { csv, dry_run, .. }) => {
            assert!(dry_run);
            assert_eq!(csv.as_bytes(), std::fs::read(good).unwrap(), "byte for byte");
        }
        other => panic!("{other:?}"),
    }
    let plan: Value = serde_json::from_str(&fine(&running.url(), &["fleet", "import", good, "-o", "json"])).unwrap();
    assert_eq!(plan["dry_run"], false);
    assert_eq!(
        fine(&running.url(), &["fleet", "import", good, "-o", "csv"]),
        "change,unit,field,from,to\nadded,PSH-069,,,\n"
    );
    let bad = folder.path().join("bad.csv");
    std::fs::write(&bad, "unit\né\n").unwrap();
    let text = fails(&running.url(), &["fleet", "import", bad.to_str().unwrap()], 1);
    assert!(text.contains("fleet.csv:2: ") && text.contains("fleet.csv:3: "), "{text}");
    let missing = fails(&running.url(), &["fleet", "import", "no-such-file.csv"], 2);
    assert!(missing.contains("no-such-file.csv"), "{missing}");

    let mut child = program()
        .args(["fleet", "import", "-", "--server", &running.url()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"unit\nPSH-001\n").unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    assert!(matches!(fake.last_ask(), Some(Ask::ImportFleet { csv, .. }) if csv == "unit\nPSH-001\n"));
}

#[test]
fn when_nothing_answers_the_remedy_is_named() {
    let server = nowhere();
    let text = fails(&server, &["fleet", "list"], 3);
    assert_eq!(
        text,
        format!(
            "error: nothing answers at {server}: start it with `buttonwatch serve`, or name another with --server\n"
        )
    );
    let text = fails(&server, &["maintenance", "--unit", "a", "--for", "1h"], 3);
    assert!(text.contains("buttonwatch serve"), "{text}");
    let text = fails("http://no-such-host.invalid:8680", &["alerts"], 3);
    assert!(text.contains("BUTTONWATCH_SERVER"), "{text}");
    // Standard output stays empty for programs too.
    fails(&server, &["fleet", "list", "-o", "json"], 3);
}

#[test]
fn every_refusal_has_its_exit_status() {
    let fake = Fake::new();
    let running = Running::start(fake.clone(), None);
    assert!(fails(&running.url(), &["fleet", "show", "PSH-999"], 4).contains("There is no unit PSH-999"));
    assert!(fails(&running.url(), &["orders", "show", "99"], 4).contains("WO-000099"));
    assert!(fails(&running.url(), &["orders", "set", "7", "repaired"], 6).contains("WO-000007 is closed"));
    for (error, status) in [
        (AskError::Unavailable("The service is starting.".to_owned()), 3),
        (AskError::Invalid(vec!["no".to_owned()]), 1),
    ] {
        *fake.refuse_with.lock().unwrap() = Some(error);
        fails(&running.url(), &["alerts"], status);
    }
}

#[test]
fn a_token_comes_from_the_environment() {
    let running = Running::start(Fake::new(), Some(TOKEN));
    let text = fails(&running.url(), &["alerts"], 5);
    assert!(text.contains("BUTTONWATCH_TOKEN"), "{text}");
    let with = |token: &str, arguments: &[&str]| {
        program()
            .args(["--server", &running.url()])
            .args(arguments)
            .env("BUTTONWATCH_TOKEN", token)
            .output()
            .unwrap()
            .status
            .code()
    };
    assert_eq!(with(TOKEN, &["alerts"]), Some(0));
    assert_eq!(with(TOKEN, &["orders", "set", "42", "repaired"]), Some(0));
    assert_eq!(with("wrong-but-long-enough", &["alerts"]), Some(5));
    assert_eq!(with("two\nlines", &["alerts"]), Some(2));
}

#[test]
fn a_wrong_command_line_is_told_before_anything_is_asked() {
    let server = nowhere();
    for arguments in [
        &["flet"][..],
        &[],
        &["fleet"],
        &["fleet", "show"],
        &["fleet", "show", "not a unit"],
        &["fleet", "list", "city"],
        &["orders", "show", "WO-x"],
        &["orders", "set", "42", "closed"],
        &["maintenance", "--for", "2h"],
        &["maintenance", "--unit", "a"],
        &["maintenance", "--unit", "a", "--site", "b", "--for", "1h"],
        &["maintenance", "--unit", "a", "--for", "soon"],
        &["demo", "--for", "90"],
        &["serve", "--listen", "localhost"],
        &["serve", "--bus", "on"],
        &["simulate", "--fleet", "f", "--broker", "127.0.0.1"],
        &["simulate", "--fleet", "f", "--broker", "mqtt://h:1", "--speed", "0"],
        &["replay", "f", "--fleet", "f", "--rules", "r", "--until", "14:00"],
        &["replay", "f", "--fleet", "f", "--rules", "r", "--readings", "battery.volts"],
        &["replay", "f", "--fleet", "f", "--rules", "r", "-o", "csv"],
        &["alerts", "--zone", "Peshawar"],
        &["alerts", "--output", "xml"],
        &["completions", "cmd"],
    ] {
        let output = run(&server, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", err(&output));
        assert_eq!(out(&output), "", "{arguments:?}");
    }
    for url in [
        "127.0.0.1:8680",
        "ftp://x",
        "http://",
        "http://h:1/api",
        "https://h:1",
        "",
        "http://h:99999",
        "http://me:secret@h:1",
    ] {
        let text = fails(url, &["alerts"], 2);
        assert!(text.contains(":8680") && !text.contains("secret"), "{url}: {text}");
    }
}

#[test]
fn another_program_at_the_port_is_recognized() {
    for answer in [
        "HTTP/1.1 200 OK\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let other = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answer.as_bytes());
        });
        let text = fails(&url, &["alerts"], 1);
        assert!(text.contains("is another program"), "{text}");
        other.join().unwrap();
    }
}

#[test]
fn a_reader_who_has_seen_enough_ends_it_quietly() {
    let many: Vec<UnitRow> =
        (0..20_000).map(|i| unit(&format!("PSH-{i:05}"), "Qissa Khwani", "ready", "tests passed")).collect();
    let running = Running::start(Fake::with_units(many), None);
    for output in ["table", "json", "csv"] {
        let mut child = program()
            .args(["fleet", "list", "--server", &running.url(), "-o", output])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut head = [0; 64];
        child.stdout.as_mut().unwrap().read_exact(&mut head).unwrap();
        drop(child.stdout.take());
        let end = child.wait_with_output().unwrap();
        assert_eq!(end.status.code(), Some(0), "{output}");
        assert_eq!(String::from_utf8_lossy(&end.stderr), "", "{output}");
    }
}

#[test]
fn the_width_of_a_list_follows_columns() {
    let running = Running::start(Fake::new(), None);
    let wide = program().args(["fleet", "list", "--server", &running.url()]).env("COLUMNS", "140").output().unwrap();
    assert!(out(&wide).lines().next().unwrap().contains("CREW"));
    let narrow = program().args(["fleet", "list", "--server", &running.url()]).env("COLUMNS", "50").output().unwrap();
    assert!(out(&narrow).lines().all(|l| buttonwatch::render::table::width(l) <= 50), "{}", out(&narrow));
}

#[test]
fn help_tells_the_verbs_and_the_exit_statuses() {
    let help = fine(&nowhere(), &["--help"]);
    insta::assert_snapshot!("help", help);
    for verb in ["fleet", "orders", "maintenance", "replay", "simulate", "serve", "demo", "doctor", "rules"] {
        assert!(!fine(&nowhere(), &[verb, "--help"]).is_empty());
    }
    assert!(fine(&nowhere(), &["--version"]).starts_with("buttonwatch "));
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = fine(&nowhere(), &["completions", shell]);
        assert!(script.contains("buttonwatch") && script.contains("COMPLETE"), "{shell}");
    }
}

#[test]
fn the_documented_columns_are_the_real_ones() {
    use buttonwatch::domain::metric::MetricFacts;
    use buttonwatch::domain::view::*;
    use buttonwatch::render::table::{PlanLine, Record};
    let doc = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cli.md")).unwrap();
    let units = UnitRow::FIELDS.len();
    assert_eq!(&UnitCard::FIELDS[..units], UnitRow::FIELDS);
    for fields in [
        UnitRow::FIELDS,
        &UnitCard::FIELDS[units..],
        AlertRow::FIELDS,
        IncidentRow::FIELDS,
        OrderView::FIELDS,
        QuarantineRow::FIELDS,
        RefusalRow::FIELDS,
        OutboxRow::FIELDS,
        StretchRow::FIELDS,
        GroupAvailability::FIELDS,
        PlanLine::FIELDS,
        MetricFacts::FIELDS,
    ] {
        let columns = format!("`{}`", fields.join(","));
        assert!(doc.contains(&columns), "docs/cli.md does not list {columns}");
    }
}
