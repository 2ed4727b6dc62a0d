//! `buttonwatch influx setup` against the books of an InfluxDB 2 that a front keeps in memory. That the real one understands
//! it too, only the last test shows, and it runs only where an operator has one: there is none in CI.

use crate::influx_front;

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use buttonwatch::domain::Bucket;
use buttonwatch::io::influx::{
    Done, Influx, InfluxConfig, InfluxReader, InfluxServer, SetupOptions, Step, check, quote_text, setup,
};
use influx_front::{Front, PATIENCE};
use serde_json::{Value, json};

const MADE: &str = "\
organization  city-police              there already
bucket        buttonwatch/raw          made: keeps 30 d
bucket        buttonwatch/5m           made: keeps 180 d
bucket        buttonwatch/1h           made: keeps 1095 d
bucket        buttonwatch/events       made: keeps 730 d
InfluxQL      buttonwatch.raw          made: the default
InfluxQL      buttonwatch.5m           made
InfluxQL      buttonwatch.1h           made
InfluxQL      buttonwatch.events       made
task          buttonwatch raw to 5m    made: runs every 15 min over the last 3 h
task          buttonwatch 5m to 1h     made: runs every hour over the last 24 h

InfluxDB is ready: 10 made, 0 changed.
";

struct Rig {
    front: Front,
    token: tempfile::NamedTempFile,
}

impl Rig {
    fn new() -> Rig {
        let front = Front::start(None);
        front.books(|books| {
            books.org = "city-police".to_owned();
            books.make_empty();
        });
        front.tell(|faults| faults.token = Some("all-access".to_owned()));
        let token = tempfile::NamedTempFile::new().expect("scratch file");
        std::fs::write(token.path(), "all-access\n").expect("writable");
        Rig { front, token }
    }

    fn run(&self, more: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_buttonwatch"))
            .args(["influx", "setup", "--org", "city-police", "--url", &self.front.url(), "--token-file"])
            .arg(self.token.path())
            .args(more)
            .output()
            .expect("it runs")
    }

    fn fine(&self, more: &[&str]) -> String {
        let output = self.run(more);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn wrong(&self, more: &[&str]) -> String {
        let output = self.run(more);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).expect("UTF-8")
    }

    fn changes(&self) -> Vec<String> {
        self.front.books(|books| std::mem::take(&mut books.changes))
    }
}

#[test]
fn an_empty_influxdb_gets_everything_and_a_second_run_finds_it_there() {
    let rig = Rig::new();
    assert_eq!(rig.fine(&[]), MADE);
    assert_eq!(rig.changes().len(), 10);
    let again = rig.fine(&[]);
    assert_eq!(rig.changes(), Vec::<String>::new());
    assert_eq!(again.matches("there already").count(), 11, "{again}");
    assert!(again.ends_with("\nInfluxDB is ready. Nothing had to be done.\n"), "{again}");

    let (buckets, dbrps, tasks) =
        rig.front.books(|b| (b.buckets.clone().expect("listed"), b.dbrps.clone(), b.tasks.clone()));
    let rule = &buckets[0]["retentionRules"][0];
    assert_eq!((&rule["type"], &rule["everySeconds"]), (&json!("expire"), &json!(2_592_000)));
    assert_eq!(dbrps[0]["bucketID"], buckets[0]["id"]);
    assert_eq!(dbrps.iter().filter(|d| d["default"] == Value::Bool(true)).count(), 1);
    assert!(tasks.iter().all(|t| t["status"] == "active" && t["orgID"] == influx_front::books::ORG_ID));
}

#[test]
fn a_dry_run_says_the_same_and_changes_nothing() {
    let rig = Rig::new();
    let told = rig.fine(&["--dry-run"]);
    let expected = MADE.replace(" made", " would be made").replace(
        "InfluxDB is ready: 10 would be made, 0 changed.",
        "Nothing was changed. 10 would be made, 0 changed.",
    );
    assert_eq!(told, expected);
    assert_eq!(rig.changes(), Vec::<String>::new());
}

#[test]
fn what_differs_is_mended_but_nothing_that_is_kept_is_deleted_unasked() {
    let rig = Rig::new();
    rig.fine(&[]);
    rig.front.books(|books| {
        let buckets = books.buckets.as_mut().expect("listed");
        buckets[0]["retentionRules"] = json!([]);
        buckets[1]["retentionRules"][0]["everySeconds"] = json!(3600);
        books.dbrps[0]["default"] = json!(false);
        books.dbrps[1]["bucketID"] = json!("gone");
        books.dbrps[2]["virtual"] = json!(true);
        books.tasks[0]["flux"] = json!("changed by hand");
        books.tasks[1]["status"] = json!("inactive");
    });
    rig.changes();
    let told = rig.fine(&[]);
    for line in [
        "bucket        buttonwatch/raw          left as it is: keeps for ever, longer than 30 d; --shorten would delete the rest",
        "bucket        buttonwatch/5m           changed: keeps 180 d instead of 1 h",
        "InfluxQL      buttonwatch.raw          changed: now the default",
        "InfluxQL      buttonwatch.5m           changed: it pointed to another bucket",
        "InfluxQL      buttonwatch.1h           made",
        "task          buttonwatch raw to 5m    changed: its script was another one",
        "task          buttonwatch 5m to 1h     changed: it was switched off",
        "InfluxDB is ready: 1 made, 5 changed.",
    ] {
        assert!(told.lines().any(|l| l == line), "{line}\nis not in\n{told}");
    }
    let shortened = rig.fine(&["--shorten"]);
    assert!(shortened.contains("buttonwatch/raw          changed: keeps 30 d instead of for ever"), "{shortened}");
    assert!(rig.fine(&["--shorten"]).contains("Nothing had to be done"));
}

#[test]
fn programs_get_the_steps_as_json() {
    let rig = Rig::new();
    let steps: Vec<Value> = serde_json::from_str(&rig.fine(&["--output", "json"])).expect("JSON");
    assert_eq!(steps.len(), 11);
    let first =
        json!({"what": "bucket", "name": "buttonwatch/raw", "done": "made", "detail": "keeps 30 d", "dry_run": false});
    assert_eq!(steps[1], first);
}

#[test]
fn what_prevents_it_is_told_with_its_remedy() {
    let mut rig = Rig::new();
    rig.front.books(|b| b.org = "another".to_owned());
    let told = rig.wrong(&[]);
    assert!(told.contains("there is no organization \"city-police\"") && told.contains("influx org list"), "{told}");
    rig.front.books(|b| {
        b.org = "city-police".to_owned();
        b.read_only = true;
    });
    let told = rig.wrong(&[]);
    assert!(told.contains("may not make the bucket buttonwatch/raw") && told.contains("All Access token"), "{told}");
    std::fs::write(rig.token.path(), "outdated").expect("writable");
    let told = rig.wrong(&[]);
    assert!(told.contains("does not know the token"), "{told}");
    std::fs::write(rig.token.path(), " \n").expect("writable");
    let told = rig.wrong(&[]);
    assert!(told.contains("is empty; its first line must be InfluxDB's token"), "{told}");
    std::fs::write(rig.token.path(), "all-access").expect("writable");
    rig.front.close();
    let told = rig.wrong(&[]);
    assert!(told.contains("look whether InfluxDB runs"), "{told}");
}

#[test]
#[ignore = "needs an InfluxDB 2 of the operator's own: INFLUX_URL, INFLUX_ORG, INFLUX_TOKEN (All Access)"]
fn a_real_influxdb_2_understands_the_setup_and_takes_points() {
    let set = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let server = InfluxServer {
        url: set("INFLUX_URL"),
        org: set("INFLUX_ORG"),
        token: set("INFLUX_TOKEN"),
        database: format!("buttonwatch-test-{}", std::process::id()),
        ca_pem: None,
        timeout: Duration::from_secs(30),
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let run = || {
        let mut steps: Vec<Step> = Vec::new();
        runtime.block_on(setup(&server, SetupOptions::default(), |step| steps.push(step))).expect("it takes the setup");
        steps
    };
    let made = run();
    assert_eq!(made.iter().filter(|s| s.done == Done::Made).count(), 10, "{made:?}");
    let again = run();
    assert!(again.iter().all(|s| s.done == Done::AlreadyThere), "{again:?}");

    let spool = tempfile::tempdir().expect("scratch folder");
    let InfluxServer { url, org, token, database, ca_pem, timeout } = server.clone();
    let config = InfluxConfig {
        url,
        org,
        token,
        database,
        ca_pem,
        timeout,
        spool: spool.path().to_owned(),
        spool_max_bytes: 1 << 30,
        batch_points: 5000,
        batch_every: Duration::from_secs(5),
        retry_after: Duration::from_secs(1),
        retry_at_most: Duration::from_secs(60),
    };
    runtime.block_on(check(&config)).expect("doctor finds it well");
    let influx = {
        let _in_runtime = runtime.enter();
        Influx::start(config.clone()).expect("the settings are right")
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
    let lines = format!("power,unit=PSH-001 battery_v=12.5 {now}\npower,unit=PSH-001 battery_v=oops {now}\n");
    influx.spool().push(Bucket::Raw, lines.into_bytes(), 2);
    influx.spool().flush();
    let give_up = Instant::now() + PATIENCE;
    while influx.stats().waiting_points() > 0 {
        assert!(Instant::now() < give_up, "{:?}", influx.stats());
        // The counters tell nobody that they changed.
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!((influx.stats().written(), influx.stats().refused()), (1, 1));
    let reader = InfluxReader::new(&config).expect("the settings are right");
    let question = format!("SELECT battery_v FROM \"raw\".\"power\" WHERE unit = {}", quote_text("PSH-001"));
    let points = runtime.block_on(reader.select(&question)).expect("an answer");
    assert_eq!(points, [(i64::try_from(now).expect("fits"), 12.5)]);
    println!("To tidy up, remove the buckets, mappings and tasks that begin with {}", config.database);
}
