//! The files of `dashboards/` as JSON, and the way to every panel, query, variable and link in them.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

pub const INFLUX: &str = "buttonwatch-influx";
pub const PROMETHEUS: &str = "buttonwatch-prometheus";

pub struct Board {
    /// `fleet.json`
    pub file: String,
    pub json: Value,
}

pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("dashboards")
}

/// Every `*.json` of the folder, by name. One that is not JSON fails here.
pub fn all() -> Vec<Board> {
    let entries = fs::read_dir(folder()).expect("dashboards/ is readable");
    let mut paths: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "json"));
    paths.sort();
    assert!(paths.len() >= 5, "fleet, unit, power, tests, maintenance: {paths:?}");
    let read = |path: PathBuf| {
        let file = path.file_name().expect("has a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a dashboard is text");
        let json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("dashboards/{file} is not JSON: {e}"));
        Board { file, json }
    };
    paths.into_iter().map(read).collect()
}

impl Board {
    pub fn uid(&self) -> &str {
        self.json["uid"].as_str().unwrap_or_default()
    }

    pub fn title(&self) -> &str {
        self.json["title"].as_str().unwrap_or_default()
    }

    /// Rows and panels, those inside of a closed row too.
    pub fn panels(&self) -> Vec<&Value> {
        let mut all = Vec::new();
        for panel in list(&self.json["panels"]) {
            all.push(panel);
            all.extend(list(&panel["panels"]));
        }
        all
    }

    pub fn variables(&self) -> &[Value] {
        list(&self.json["templating"]["list"])
    }

    /// Without Grafana's own.
    pub fn annotations(&self) -> Vec<&Value> {
        list(&self.json["annotations"]["list"]).iter().filter(|a| a["builtIn"] != 1).collect()
    }

    /// Where in it: `fleet.json, "Open orders"`.
    pub fn place(&self, panel: &Value) -> String {
        format!("dashboards/{}, {}", self.file, panel["title"])
    }
}

/// The elements; none when it is not there.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Every text in it, keys left out.
pub fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(s) => vec![s],
        Value::Array(a) => a.iter().flat_map(texts).collect(),
        Value::Object(o) => o.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}
