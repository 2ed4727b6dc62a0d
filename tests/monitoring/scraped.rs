//! How the monitor itself is watched, on the real Prometheus: `apt-get install prometheus` (promtool comes with it), and
//! mosquitto's tools as units (`apt-get install mosquitto mosquitto-clients`). Without them these tests say so and pass;
//! with `CI=true` they fail.

use crate::mosquitto;
use crate::process;
use crate::prometheus;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use process::{Service, free_port_pair, millis_now, wait_until};
use prometheus::{Prometheus, promtool};
use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn promtool_finds_no_fault_in_what_is_shipped() {
    let deploy = root().join("deploy/prometheus");
    for args in [
        ["check", "config", "prometheus.yml"],
        ["check", "rules", "buttonwatch.rules.yml"],
        ["test", "rules", "buttonwatch.rules.test.yml"],
    ] {
        if promtool(&deploy, &args, "").is_none() {
            return;
        }
    }
}

/// The alerts of the rules file, each with its lines.
fn alerts() -> BTreeMap<String, String> {
    let rules = text("deploy/prometheus/buttonwatch.rules.yml");
    let blocks = rules.split("- alert: ").skip(1);
    let alerts = blocks.map(|block| {
        let (name, lines) = block.split_once('\n').expect("a block has lines");
        (name.to_owned(), lines.split("\n  - name:").next().unwrap_or_default().to_owned())
    });
    alerts.collect()
}

#[test]
fn every_alert_says_how_bad_what_and_what_to_do_and_is_tried_out() {
    let (tests, page) = (text("deploy/prometheus/buttonwatch.rules.test.yml"), text("docs/monitoring.md"));
    let mut wrong = Vec::new();
    for (name, lines) in alerts() {
        let severity =
            ["critical", "major", "minor", "warning"].iter().find(|s| lines.contains(&format!("severity: {s} }}")));
        if severity.is_none() {
            wrong.push(format!("{name}: severity is none of ours"));
        }
        for key in ["summary: ", "description: ", "runbook: "] {
            if !lines.contains(key) {
                wrong.push(format!("{name}: has no {key}"));
            }
        }
        if !lines.contains(&format!("docs/monitoring.md#{}", name.to_lowercase()))
            || !page.contains(&format!("\n### {name}\n"))
        {
            wrong.push(format!(
                "{name}: docs/monitoring.md has no section of that name, or the runbook does not point to it"
            ));
        }
        if !tests.contains(&format!("alertname=\"{name}\"")) {
            wrong.push(format!("{name}: fires in no test"));
        }
    }
    let headings = page.lines().filter_map(|line| line.strip_prefix("### "));
    wrong.extend(
        headings.filter(|h| !alerts().contains_key(*h)).map(|h| format!("docs/monitoring.md: {h} is no alert")),
    );
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

const FLEET: &str = "unit,site,site_type,city,crew\nPSH-001,Jinnah Park,park,Peshawar,saddar\nPSH-002,Wazir Bagh,park,Peshawar,saddar\n";

fn start_service(dir: &Path, gateway: std::net::SocketAddr, http: std::net::SocketAddr) -> Service {
    std::fs::write(dir.join("fleet.csv"), FLEET).expect("writable");
    Service::start(dir, &["--fleet", "fleet.csv", "--listen", &gateway.to_string(), "--bus", "127.0.0.1:0"], http)
}

fn metrics_of(service: &Service) -> String {
    let answer = service.get("/metrics");
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).expect("a body")
}

#[test]
fn promtool_finds_no_fault_in_the_figures_of_a_running_service() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let (gateway, http) = free_port_pair();
    let service = start_service(dir.path(), gateway, http);
    let Some(said) = promtool(dir.path(), &["check", "metrics"], &metrics_of(&service)) else { return };
    assert_eq!(said.trim(), "", "promtool complains");
}

/// Names in the first column of the page's tables, without their labels.
fn documented() -> BTreeSet<String> {
    let page = text("docs/metrics.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split(['`', '{']).next().unwrap_or_default().to_owned()).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn every_figure_has_its_row_in_the_page_and_every_row_its_figure() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let (gateway, http) = free_port_pair();
    let service = start_service(dir.path(), gateway, http);
    let metrics = metrics_of(&service);
    let there: BTreeSet<String> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| line.split(' ').next().unwrap_or_default().to_owned())
        .collect();
    let documented = documented();
    let lacking: Vec<_> = there.difference(&documented).collect();
    let gone: Vec<_> = documented.difference(&there).collect();
    assert!(
        lacking.is_empty() && gone.is_empty(),
        "docs/metrics.md lacks {lacking:?} and has {gone:?} that are not there"
    );
}

/// One query of a panel, with Grafana's words replaced by what they stand for.
struct Target {
    panel: String,
    expr: String,
    /// A graph asks for a span of time, all else for now.
    is_graph: bool,
    /// Labels that the panel shows as columns.
    columns: Vec<String>,
}

fn targets() -> Vec<Target> {
    let dashboard: Value = serde_json::from_str(&text("dashboards/monitor.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter().filter(|p| p["type"] != "row");
    let mut all = Vec::new();
    for panel in panels {
        let is_graph = panel["type"] == "timeseries";
        let renamed = panel["transformations"][0]["options"]["renameByName"].as_object();
        for target in panel["targets"].as_array().expect("a panel asks something") {
            let expr = target["expr"].as_str().expect("a query");
            let legend = target["legendFormat"].as_str().unwrap_or_default();
            let in_legend = legend.split("{{").skip(1).filter_map(|part| part.split("}}").next()).map(str::to_owned);
            assert_eq!(target["instant"], !is_graph, "{}: {expr}", panel["title"]);
            all.push(Target {
                panel: panel["title"].to_string(),
                expr: expr.replace("$instance", ".*").replace("$__rate_interval", "1m"),
                is_graph,
                columns: renamed.into_iter().flat_map(|names| names.keys().cloned()).chain(in_legend).collect(),
            });
        }
    }
    all
}

impl Target {
    /// Why its panel would show nothing. None: it shows something.
    fn emptiness(&self, prometheus: &Prometheus) -> Option<String> {
        let answer = if self.is_graph { prometheus.graph(&self.expr) } else { prometheus.query(&self.expr) };
        let lacking = |rows: &[Value]| {
            let is_there = |column: &&String| rows.iter().all(|row| row["metric"][column.as_str()].is_string());
            self.columns.iter().find(|column| !is_there(column)).cloned()
        };
        match &answer {
            Ok(rows) if lacking(rows).is_some() => {
                Some(format!("no {} in {rows:?}", lacking(rows).unwrap_or_default()))
            }
            Ok(_) | Err(_) => emptiness(answer),
        }
    }
}

/// Why there is nothing to show. None: every series has a number.
fn emptiness(answer: Result<Vec<Value>, String>) -> Option<String> {
    let rows = match answer {
        Err(why) => return Some(why),
        Ok(rows) if rows.is_empty() => return Some("no series".to_owned()),
        Ok(rows) => rows,
    };
    let is_number = |sample: &Value| sample[1].as_str().and_then(|v| v.parse::<f64>().ok()).is_some_and(f64::is_finite);
    let has_number = |row: &Value| match &row["values"] {
        Value::Array(samples) => samples.iter().any(is_number),
        _ => is_number(&row["value"]),
    };
    (!rows.iter().all(has_number)).then(|| format!("no number in {rows:?}"))
}

/// Without [influx], the spool has no size, and so no ratio.
const EMPTY_HERE: [&str; 1] = ["buttonwatch:influx_spool:ratio"];

#[test]
fn every_query_of_the_dashboard_and_of_the_rules_runs_on_the_real_prometheus() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let (gateway, http) = free_port_pair();
    let config = text("deploy/prometheus/prometheus.yml")
        .replace("127.0.0.1:8680", &http.to_string())
        .replace("_interval: 15s", "_interval: 1s");
    let files = [
        ("prometheus.yml", config.as_str()),
        ("buttonwatch.rules.yml", &text("deploy/prometheus/buttonwatch.rules.yml")),
    ];
    let Some(prometheus) = Prometheus::start(&files) else { return };
    let Some(tools) = mosquitto::Mosquitto::start(mosquitto::Setup::new()) else { return };
    let service = start_service(dir.path(), gateway, http);
    wait_until("Prometheus has seen the service", || {
        emptiness(prometheus.query("buttonwatch_start_time_seconds")).is_none()
    });
    let mut seq = 0;
    let mut beat = |unit: &str, interval: u32| {
        seq += 1;
        let beat = format!(r#"{{"ts":{},"boot":1,"seq":{seq},"interval_s":{interval}}}"#, millis_now());
        let port = gateway.port().to_string();
        let topic = format!("buttonwatch/v1/{unit}/heartbeat");
        let mut client = tools.client("mosquitto_pub");
        let status = client.args(["-h", "127.0.0.1", "-p", &port, "-q", "1", "-t", &topic, "-m", &beat]).status();
        assert!(status.expect("mosquitto_pub runs").success(), "a beat of {unit}");
    };
    // It falls silent: a decision is due, and made.
    beat("PSH-002", 1);
    let mut waiting = targets();
    assert!(waiting.len() > 50, "the dashboard has its panels");
    let mut last = String::new();
    let began = std::time::Instant::now();
    while !waiting.is_empty() {
        assert!(began.elapsed() < std::time::Duration::from_secs(60), "still empty after a minute:\n{last}");
        beat("PSH-001", 60);
        // Nobody has told us of this one: an alert is about to come of it.
        beat("PSH-777", 60);
        last.clear();
        waiting.retain(|target| match target.emptiness(&prometheus) {
            None => false,
            Some(why) => {
                last += &format!("panel {}: {}: {why}\n", target.panel, target.expr);
                true
            }
        });
    }
    wait_until("Prometheus has tried every rule", || {
        let rules = prometheus.rules();
        !rules.is_empty() && rules.iter().all(|rule| rule["health"] != "unknown")
    });
    let rules = prometheus.rules();
    for rule in &rules {
        assert_eq!(rule["health"], "ok", "{rule}");
        prometheus.query(rule["query"].as_str().expect("a query")).unwrap_or_else(|e| panic!("{rule}: {e}"));
    }
    let recorded = rules.iter().filter(|r| r["type"] == "recording").map(|r| r["name"].as_str().expect("a name"));
    for name in recorded.filter(|name| !EMPTY_HERE.contains(name)) {
        wait_until(&format!("{name} is recorded"), || emptiness(prometheus.query(name)).is_none());
    }
    let alerting: BTreeSet<&str> =
        rules.iter().filter(|r| r["type"] == "alerting").filter_map(|r| r["name"].as_str()).collect();
    assert_eq!(alerting, alerts().keys().map(String::as_str).collect(), "it has read every alert");
    service.stop();
}
