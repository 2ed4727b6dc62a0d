//! Runs every query of every panel, annotation and variable on a real InfluxDB that has a day of data. What a query does not
//! find, a panel does not show: nothing may be empty, and every panel gets the fields that its type needs.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::dashboards::boards::{self, Board, list, text};
use crate::dashboards::day::{DATABASE, load_day};
use crate::dashboards::frames::{self, Frame, transform};
use crate::dashboards::influxdb::InfluxDb;
use crate::dashboards::substitution::{Chosen, Scope, interval_ms, moment_ms, names, span_ms, substitute};
use crate::dashboards::{needs, prometheus};

/// As many points as a panel of half a screen has pixels.
const POINTS: i64 = 640;

/// `timeInterval` of the data source.
const LEAST_INTERVAL_MS: i64 = 60_000;

/// The unit that a dashboard about one unit is tried on: the day has something of every kind for it.
const ONE_UNIT: &str = "PSH-003";

#[test]
fn every_query_of_every_panel_finds_what_its_panel_shows() {
    let Some(influx) = InfluxDb::start_with(DATABASE) else { return };
    let now_ms = load_day(&influx);
    let mut wrong = Vec::new();
    let mut ran = 0;
    for board in boards::all().into_iter().filter(|b| !prometheus::is_all_of(b)) {
        let mut tried = Try { influx: &influx, board: &board, now_ms, wrong: &mut wrong, ran: 0 };
        let variables = tried.choose();
        for panel in board.panels().into_iter().filter(|p| !list(&p["targets"]).is_empty()) {
            tried.panel(panel, &variables);
        }
        for annotation in board.annotations() {
            tried.annotation(annotation, &variables);
        }
        ran += tried.ran;
    }
    println!("{ran} queries ran");
    assert!(wrong.is_empty(), "{} of {ran} queries or panels are wrong:\n\n{}\n", wrong.len(), wrong.join("\n\n"));
}

/// A place in a dashboard, what stands there, what is put there instead, and what must be said of it.
const SPOILT: &[(&str, &str, &str, &str, &[&str])] = &[
    ("fleet.json", "✓ Ready", "unit_status", "unit_stati", &["returns nothing", "unit_stati"]),
    ("fleet.json", "✓ Ready", "${crew:regex}", "${crews:regex}", &["$crews, which is not defined"]),
    ("fleet.json", "✓ Ready", "AS \\\"code\\\"", "AS \\\"kode\\\"", &["filterByValue", "no field \"code\""]),
    ("fleet.json", "Map of units by readiness", "\\\"lat\\\", ", "", &["\"lat\" is no field with numbers"]),
    (
        "fleet.json",
        "Silent and not-ready units",
        "\"options\":\"Since\"",
        "\"options\":\"When\"",
        &["an override names \"When\""],
    ),
    ("fleet.json", "Open orders by crew and priority", "crew\\\\priority", "crew", &["is no field with texts"]),
    ("power.json", "Weakest batteries", "GROUP BY", "GROUPED BY", &["InfluxDB says: error parsing query"]),
];

#[test]
fn a_spoilt_panel_fails_with_dashboard_title_and_query() {
    let Some(influx) = InfluxDb::start_with(DATABASE) else { return };
    let now_ms = load_day(&influx);
    for (file, title, from, to, wanted) in SPOILT {
        let board = boards::all().into_iter().find(|b| b.file == *file).expect("it is there");
        let panel = board.panels().into_iter().find(|p| p["title"] == *title).expect("it is there").to_string();
        assert!(panel.contains(from), "{from} is not in {panel}");
        let spoilt: Value = serde_json::from_str(&panel.replace(from, to)).expect("still JSON");
        let mut wrong = Vec::new();
        let mut tried = Try { influx: &influx, board: &board, now_ms, wrong: &mut wrong, ran: 0 };
        let variables = tried.choose();
        tried.panel(&spoilt, &variables);
        let said = wrong.join("\n");
        for part in wanted.iter().chain([file, title]) {
            assert!(said.contains(part), "{part} is not in: {said}");
        }
    }
}

#[test]
fn panels_also_answer_for_one_crew_and_one_unit() {
    let Some(influx) = InfluxDb::start_with(DATABASE) else { return };
    load_day(&influx);
    let chosen = [("city", "Peshawar"), ("site_type", "market"), ("crew", "saddar")];
    let query = boards::all()
        .iter()
        .find(|b| b.file == "fleet.json")
        .and_then(|b| b.variables().iter().find(|v| v["name"] == "unit").map(|v| text(&v["query"]).to_owned()));
    let variables = chosen.into_iter().map(|(n, v)| (n.to_owned(), Chosen::Many(vec![v.to_owned()]))).collect();
    let scope = Scope { variables, from_ms: 0, to_ms: 0, interval_ms: 60_000 };
    let query = substitute(&query.expect("fleet.json has the variable unit"), &scope).expect("all is known");
    let units: Vec<Value> = influx.rows(DATABASE, &query).into_iter().map(|row| row[1].clone()).collect();
    let at_markets = influx.rows(
        DATABASE,
        "SELECT \"unit\" FROM (SELECT last(\"code\") AS \"code\" FROM \"raw\".\"unit_status\" WHERE \"site_type\" = 'market' \
         AND \"city\" = 'Peshawar' AND \"crew\" = 'saddar' GROUP BY \"unit\")",
    );
    assert!(!units.is_empty());
    assert_eq!(units, at_markets.into_iter().map(|row| row[1].clone()).collect::<Vec<_>>());
}

struct Try<'t> {
    influx: &'t InfluxDb,
    board: &'t Board,
    now_ms: i64,
    wrong: &'t mut Vec<String>,
    ran: usize,
}

impl Try<'_> {
    fn complain(&mut self, panel: &Value, what: &str, query: &str) {
        self.wrong.push(format!("{}: {what}\n  {query}", self.board.place(panel)));
    }

    /// All of everything, and one unit where only one may be chosen. Each variable's query is run with the ones before it.
    fn choose(&mut self) -> BTreeMap<String, Chosen> {
        let mut chosen = BTreeMap::new();
        for variable in self.board.variables() {
            let choice = match text(&variable["type"]) {
                "query" => self.offer(variable, &chosen),
                _ => Some(Chosen::One(text(&variable["current"]["value"]).to_owned())),
            };
            if let Some(choice) = choice {
                chosen.insert(text(&variable["name"]).to_owned(), choice);
            }
        }
        chosen
    }

    fn offer(&mut self, variable: &Value, chosen: &BTreeMap<String, Chosen>) -> Option<Chosen> {
        let name = format!("variable {}", variable["name"]);
        let place = serde_json::json!({ "title": name });
        let scope = self.scope(&Value::Null, chosen.clone());
        let frames = self.run(&place, text(&variable["query"]), "time_series", "", &scope)?;
        // Grafana takes the first field with texts.
        let texts = frames.iter().flat_map(|f| &f.fields).find(|f| f.values.iter().any(Value::is_string));
        let Some(field) = texts else {
            self.complain(&place, "it offers no text", text(&variable["query"]));
            return None;
        };
        let mut offered: Vec<String> = field.values.iter().map(|v| text(v).to_owned()).collect();
        offered.sort();
        let is_unique = offered.windows(2).all(|two| two[0] != two[1]);
        if !is_unique {
            self.complain(&place, &format!("it offers the same twice: {offered:?}"), text(&variable["query"]));
        }
        Some(match (variable["includeAll"] == true, variable["allValue"].as_str()) {
            (true, Some(all)) => Chosen::Raw(all.to_owned()),
            (true, None) => Chosen::Many(offered),
            (false, _) if offered.iter().any(|o| o == ONE_UNIT) => Chosen::One(ONE_UNIT.to_owned()),
            (false, _) => Chosen::One(offered.remove(0)),
        })
    }

    /// The dashboard's time range, or the panel's own.
    fn scope(&self, panel: &Value, variables: BTreeMap<String, Chosen>) -> Scope {
        let moment = |from: &str| moment_ms(from, self.now_ms).unwrap_or_else(|| panic!("teach moment_ms {from:?}"));
        let from_ms = match panel["timeFrom"].as_str() {
            // A day that has just begun has no status yet.
            Some(own) if own.starts_with("now") => moment(own).min(self.now_ms - 600_000),
            Some(own) => moment(&format!("now-{own}")),
            None => moment(text(&self.board.json["time"]["from"])),
        };
        let least = panel["interval"].as_str().and_then(span_ms).unwrap_or(LEAST_INTERVAL_MS);
        let interval_ms = interval_ms(self.now_ms - from_ms, POINTS, least);
        Scope { variables, from_ms, to_ms: self.now_ms, interval_ms }
    }

    fn panel(&mut self, panel: &Value, variables: &BTreeMap<String, Chosen>) {
        let scope = self.scope(panel, variables.clone());
        let mut frames = Vec::new();
        for target in list(&panel["targets"]) {
            let (query, format) = (text(&target["query"]), text(&target["resultFormat"]));
            let Some(found) = self.run(panel, query, format, text(&target["alias"]), &scope) else { return };
            frames.extend(found);
        }
        let queries: Vec<&str> = list(&panel["targets"]).iter().map(|t| text(&t["query"])).collect();
        match transform(frames, list(&panel["transformations"])) {
            Ok(frames) => {
                for what in needs::check(panel, &frames) {
                    self.complain(panel, &what, &queries.join("\n  "));
                }
            }
            Err(what) => self.complain(panel, &what, &queries.join("\n  ")),
        }
    }

    fn annotation(&mut self, annotation: &Value, variables: &BTreeMap<String, Chosen>) {
        let place = serde_json::json!({ "title": format!("annotation {}", annotation["name"]) });
        let scope = self.scope(&Value::Null, variables.clone());
        let query = text(&annotation["query"]);
        let Some(frames) = self.run(&place, query, "table", "", &scope) else { return };
        for column in ["textColumn", "tagsColumn"] {
            let name = text(&annotation[column]);
            if !frames.iter().any(|f| f.field(name).is_some_and(frames::Field::has_values)) {
                self.complain(&place, &format!("no value in its {column} {name:?}"), query);
            }
        }
    }

    /// None: it fails or finds nothing, and that is noted.
    fn run(&mut self, place: &Value, query: &str, format: &str, alias: &str, scope: &Scope) -> Option<Vec<Frame>> {
        self.ran += 1;
        let real = match substitute(query, scope) {
            Ok(real) => real,
            Err(unknown) => {
                self.complain(place, &format!("it uses ${}, which is not defined", unknown.0), query);
                return None;
            }
        };
        let answer = self.influx.try_ask(DATABASE, &real);
        let error = [&answer["error"], &answer["results"][0]["error"]].into_iter().find_map(Value::as_str);
        if let Some(error) = error {
            self.complain(place, &format!("InfluxDB says: {error}"), &real);
            return None;
        }
        let series = list(&answer["results"][0]["series"]);
        let found =
            |s: &Value| list(&s["values"]).iter().any(|row| list(row).iter().skip(1).any(|cell| !cell.is_null()));
        if !series.iter().any(found) {
            self.complain(place, "its query returns nothing", &real);
            return None;
        }
        if names(alias).iter().any(|n| n != "col" && n != "m" && !n.starts_with("tag_")) {
            self.complain(place, &format!("its alias {alias:?} names something else than $col, $m, $tag_…"), &real);
        }
        Some(if format == "table" { frames::of_table(series) } else { frames::of_time_series(series, alias) })
    }
}
