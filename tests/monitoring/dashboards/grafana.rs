//! Opt-in: a real Grafana takes every dashboard and runs its queries. CI does not run it.
//!
//! `GRAFANA_URL=http://127.0.0.1:3000 GRAFANA_TOKEN=… cargo test --test monitoring dashboards -- --ignored`, on a Grafana that is provisioned
//! with `dashboards/provisioning` and whose InfluxDB has a day of data. The token is one of a service account that may edit.

use serde_json::{Value, json};

use crate::dashboards::boards::{self, INFLUX, list, text};
use crate::dashboards::substitution::{Chosen, Scope, substitute};

struct Grafana {
    url: String,
    token: String,
    agent: ureq::Agent,
}

impl Grafana {
    fn of_environment() -> Grafana {
        let variable =
            |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("set {name}: see the top of grafana.rs"));
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let url = variable("GRAFANA_URL").trim_end_matches('/').to_owned();
        Grafana { url, token: variable("GRAFANA_TOKEN"), agent }
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.agent.post(format!("{}{path}", self.url));
        let request = request.header("Authorization", format!("Bearer {}", self.token));
        let mut answer = request.send_json(body).expect("Grafana answers");
        (answer.status().as_u16(), answer.body_mut().read_json().unwrap_or_default())
    }
}

#[test]
#[ignore = "opt-in: needs GRAFANA_URL and GRAFANA_TOKEN"]
fn a_real_grafana_takes_every_dashboard_and_runs_its_queries() {
    let grafana = Grafana::of_environment();
    let mut wrong = Vec::new();
    for board in boards::all() {
        let mut copy = board.json.clone();
        // Provisioned ones cannot be changed by the API: this is another, beside them.
        copy["uid"] = format!("{}-try", board.uid()).into();
        copy["title"] = format!("{} (try)", board.title()).into();
        let (status, said) = grafana.post("/api/dashboards/db", &json!({ "dashboard": copy, "overwrite": true }));
        assert_eq!(status, 200, "dashboards/{} is refused: {said}", board.file);
        let every = |v: &Value| match v["type"].as_str() {
            Some("textbox") => Chosen::One(text(&v["query"]).to_owned()),
            _ => Chosen::Raw(".*".to_owned()),
        };
        let variables = board.variables().iter().map(|v| (text(&v["name"]).to_owned(), every(v))).collect();
        // Grafana puts in the time itself.
        let scope = Scope { variables, from_ms: 0, to_ms: 0, interval_ms: 60_000 };
        for panel in board.panels() {
            for target in list(&panel["targets"]).iter().filter(|t| t["datasource"]["uid"] == INFLUX) {
                let query = text(&target["query"]).replace("$timeFilter", "\u{1}").replace("$__interval", "\u{2}");
                let query = substitute(&query, &scope).expect("structure.rs has looked");
                let mut target = target.clone();
                target["query"] = query.replace('\u{1}', "$timeFilter").replace('\u{2}', "$__interval").into();
                target["intervalMs"] = 60_000.into();
                target["maxDataPoints"] = 640.into();
                let from = &board.json["time"]["from"];
                let (status, said) =
                    grafana.post("/api/ds/query", &json!({ "queries": [target], "from": from, "to": "now" }));
                let result = &said["results"][text(&target["refId"])];
                if status != 200 || !result["error"].is_null() || list(&result["frames"]).is_empty() {
                    wrong.push(format!("{}: {status} {said}", board.place(panel)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
