//! What each type of panel needs of its frames to show something. Never talks to a server.

use serde_json::Value;

use crate::dashboards::boards::{list, text};
use crate::dashboards::frames::{Field, Frame};

/// Everything that is wrong, in words.
pub fn check(panel: &Value, frames: &[Frame]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut need = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    // Nothing may be left where only faults are wanted.
    let filters = list(&panel["transformations"]).iter().any(|t| t["id"] == "filterByValue");
    let all: Vec<&Field> = frames.iter().flat_map(|f| &f.fields).collect();
    let names: Vec<&str> = all.iter().map(|f| f.name.as_str()).collect();
    let has = |name: &str| all.iter().find(|f| f.name == name);
    let has_number = |name: &str| has(name).is_some_and(|f| f.is_number());
    let options = &panel["options"];
    need(!frames.is_empty(), "it has no frame".to_owned());
    match text(&panel["type"]) {
        "stat" | "gauge" | "bargauge" => {
            let pattern = text(&options["reduceOptions"]["fields"]);
            let inside = pattern.trim_start_matches("/^").trim_end_matches("$/");
            let wanted: Vec<&str> = inside.trim_matches(['(', ')']).split('|').collect();
            // Without a pattern: every field with numbers.
            let found =
                |f: &&&Field| if pattern.is_empty() { f.is_number() } else { wanted.contains(&f.name.as_str()) };
            let shown: Vec<_> = all.iter().filter(found).collect();
            need(!shown.is_empty(), format!("no field matches {pattern} among {names:?}"));
            need(filters || shown.iter().any(|f| f.has_values()), format!("no value in {pattern}"));
        }
        "timeseries" | "heatmap" => {
            for frame in frames {
                need(frame.fields.iter().any(|f| f.is_time), format!("no time in {:?}", frame.names()));
                need(frame.fields.iter().any(Field::is_number), format!("no number in {:?}", frame.names()));
            }
        }
        "state-timeline" | "status-history" => {
            for frame in frames {
                need(frame.fields.iter().any(|f| f.is_time), format!("no time in {:?}", frame.names()));
                let has_state = frame.fields.iter().any(|f| !f.is_time && f.has_values());
                need(has_state, format!("no state in {:?}", frame.names()));
            }
        }
        "table" => {
            need(frames.len() == 1, format!("{} frames, of which only one is shown", frames.len()));
            need(filters || frames.iter().all(|f| f.rows() > 0), "no row is left".to_owned());
            need(names.len() >= 2, format!("only the columns {names:?}"));
        }
        "geomap" => {
            for layer in list(&options["layers"]) {
                let (location, style) = (&layer["location"], &layer["config"]["style"]);
                for at in [&location["latitude"], &location["longitude"], &style["color"]["field"]] {
                    need(has_number(text(at)), format!("{at} is no field with numbers"));
                }
                if style["text"]["mode"] == "field" {
                    need(has(text(&style["text"]["field"])).is_some(), "the text's field is missing".to_owned());
                }
            }
        }
        "xychart" => {
            for series in list(&options["series"]) {
                for part in ["x", "y", "color"] {
                    let name = &series[part]["matcher"]["options"];
                    need(has_number(text(name)), format!("{part}: {name} is no field with numbers"));
                }
            }
        }
        "barchart" => {
            let x = text(&options["xField"]);
            need(
                has(x).is_some_and(|f| f.values.iter().any(Value::is_string)),
                format!("{x:?} is no field with texts"),
            );
            need(all.iter().any(|f| f.is_number()), "no field with numbers".to_owned());
        }
        "piechart" => need(all.iter().any(|f| f.is_number()), "no field with numbers".to_owned()),
        other => need(false, format!("teach needs.rs what a {other} needs")),
    }
    // Bars may be named by what is in the data.
    let by_data = panel["type"] == "barchart";
    for override_ in list(&panel["fieldConfig"]["overrides"]).iter().filter(|_| !by_data) {
        let name = text(&override_["matcher"]["options"]);
        let is_there = override_["matcher"]["id"] != "byName" || names.contains(&name);
        need(is_there, format!("an override names {name:?}, which is not among {names:?}"));
    }
    wrong
}
