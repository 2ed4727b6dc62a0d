//! What can be seen in the files alone: ids, the grid, sources, links, variables, and that a panel can be understood.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::dashboards::boards::{self, Board, INFLUX, PROMETHEUS, list, text, texts};
use crate::dashboards::substitution::names;

/// Part of every Grafana. Nothing needs a plugin.
const CORE: &[&str] = &[
    "stat",
    "gauge",
    "bargauge",
    "timeseries",
    "table",
    "state-timeline",
    "status-history",
    "geomap",
    "xychart",
    "barchart",
    "piechart",
    "heatmap",
    "text",
    "dashlist",
    "annolist",
];

/// Grafana's own variables.
const BUILT_IN: &[&str] = &[
    "timeFilter",
    "__timeFilter",
    "__interval",
    "__interval_ms",
    "__rate_interval",
    "__from",
    "__to",
    "__range",
    "__range_s",
    "__range_ms",
    "__url_time_range",
    "__value",
    "__data",
    "__field",
    "__series",
    "__name",
    "__all",
    "col",
    "m",
];

fn check(what: &str, mut look: impl FnMut(&Board) -> Vec<String>) {
    let mut wrong = Vec::new();
    for board in boards::all() {
        wrong.extend(look(&board).into_iter().map(|w| format!("dashboards/{}: {w}", board.file)));
    }
    assert!(wrong.is_empty(), "{what}:\n{}", wrong.join("\n"));
}

fn twice<T: Ord + Clone>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    all.into_iter().filter(|one| !seen.insert(one.clone())).collect()
}

fn is_row(panel: &Value) -> bool {
    panel["type"] == "row"
}

#[test]
fn every_dashboard_has_a_uid_and_a_title_of_its_own() {
    let all = boards::all();
    assert_eq!(twice(all.iter().map(Board::uid)), [""; 0]);
    assert_eq!(twice(all.iter().map(Board::title)), [""; 0]);
    let uids: BTreeMap<&str, &str> = all.iter().map(|b| (b.file.as_str(), b.uid())).collect();
    for (file, uid) in &uids {
        assert_eq!(*uid, format!("buttonwatch-{}", file.trim_end_matches(".json")), "links and bookmarks go by it");
    }
    for name in ["fleet", "unit", "power", "tests", "maintenance"] {
        assert!(uids.contains_key(format!("{name}.json").as_str()), "{name}.json is missing");
    }
    // An id belongs to one Grafana; from a file it is asked for anew.
    assert!(all.iter().all(|b| b.json["id"].is_null() && b.json["schemaVersion"].as_u64() >= Some(39)));
}

#[test]
fn no_two_panels_of_a_dashboard_have_the_same_id_or_title() {
    check("an id or title is there twice", |board| {
        let panels = board.panels();
        let ids = twice(panels.iter().map(|p| p["id"].as_u64()));
        let titles = twice(panels.iter().map(|p| text(&p["title"])));
        let mut wrong: Vec<String> = ids.into_iter().map(|id| format!("id {id:?}")).collect();
        wrong.extend(titles.into_iter().map(|title| format!("title {title:?}")));
        wrong.extend(
            panels.iter().filter(|p| text(&p["title"]).is_empty()).map(|p| format!("{} has no title", p["id"])),
        );
        wrong
    });
}

#[test]
fn no_panel_lies_on_another_or_outside_of_the_24_columns() {
    check("the grid", |board| {
        let mut wrong = Vec::new();
        let mut taken: BTreeMap<(i64, i64), &str> = BTreeMap::new();
        for panel in board.panels() {
            let title = text(&panel["title"]);
            let side = |name: &str| panel["gridPos"][name].as_i64().unwrap_or(-1);
            let (x, y, w, h) = (side("x"), side("y"), side("w"), side("h"));
            if x < 0 || y < 0 || w < 1 || h < 1 || x + w > 24 {
                wrong.push(format!("{title:?} is at x {x}, y {y}, {w} wide, {h} high"));
                continue;
            }
            // Less is not readable at 1280 pixels: 50 pixels a column.
            if !is_row(panel) && w < 3 {
                wrong.push(format!("{title:?} is only {w} columns wide"));
            }
            for at in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                if let Some(other) = taken.insert(at, title) {
                    wrong.push(format!("{title:?} lies on {other:?}"));
                    break;
                }
            }
        }
        wrong
    });
}

/// The uids that the provisioning files make.
fn provisioned() -> BTreeMap<String, String> {
    let folder = boards::folder().join("provisioning/datasources");
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("it is there") {
        let file = fs::read_to_string(entry.expect("an entry").path()).expect("it is text");
        let values = |key: &str| -> Vec<String> {
            let key = format!("{key}: ");
            file.lines().filter_map(|l| l.trim().strip_prefix(&key)).map(|v| v.trim().to_owned()).collect()
        };
        found.extend(values("uid").into_iter().zip(values("type")));
    }
    found
}

#[test]
fn every_source_is_provisioned_and_nothing_is_left_to_be_filled_in() {
    let provisioned = provisioned();
    assert_eq!(provisioned.get(INFLUX).map(String::as_str), Some("influxdb"), "{provisioned:?}");
    assert_eq!(provisioned.get(PROMETHEUS).map(String::as_str), Some("prometheus"), "{provisioned:?}");
    check("a source", |board| {
        let mut wrong = Vec::new();
        let mut sources = Vec::new();
        for panel in board.panels().into_iter().filter(|p| !is_row(p) && p["type"] != "text") {
            sources.push((text(&panel["title"]), &panel["datasource"]));
            sources.extend(list(&panel["targets"]).iter().map(|t| (text(&panel["title"]), &t["datasource"])));
        }
        let asked = board.variables().iter().filter(|v| v["type"] == "query");
        sources.extend(asked.map(|v| (text(&v["name"]), &v["datasource"])));
        sources.extend(board.annotations().into_iter().map(|a| (text(&a["name"]), &a["datasource"])));
        for (whose, source) in sources {
            let kind = provisioned.get(text(&source["uid"]));
            if kind.map(String::as_str) != source["type"].as_str() || kind.is_none() {
                wrong.push(format!("{whose:?} asks {source}, which is not provisioned"));
            }
        }
        let raw = board.json.to_string();
        for left in ["__inputs", "__requires", "${DS_", "-- Mixed --", "-- Dashboard --"] {
            if raw.contains(left) {
                wrong.push(format!("{left} is in it"));
            }
        }
        wrong
    });
}

#[test]
fn every_panel_says_what_it_answers_in_which_unit_and_what_it_means_when_it_is_empty() {
    check("a panel cannot be understood", |board| {
        let mut wrong = Vec::new();
        for panel in board.panels().into_iter().filter(|p| !is_row(p)) {
            let title = text(&panel["title"]);
            let defaults = &panel["fieldConfig"]["defaults"];
            let mut need = |holds: bool, what: &str| {
                if !holds {
                    wrong.push(format!("{title:?} {what}"));
                }
            };
            need(CORE.contains(&text(&panel["type"])), "is of a type that needs a plugin");
            need(text(&panel["description"]).len() >= 25, "has no description to speak of");
            if ["text", "dashlist", "annolist"].contains(&text(&panel["type"])) {
                continue;
            }
            need(!text(&defaults["noValue"]).is_empty(), "has no text for when there is nothing (noValue)");
            need(!text(&defaults["unit"]).is_empty(), "has no unit; none is a unit too");
            need(!list(&defaults["thresholds"]["steps"]).is_empty(), "has no thresholds");
            let targets = list(&panel["targets"]);
            need(!targets.is_empty(), "asks nothing");
            need(twice(targets.iter().map(|t| text(&t["refId"]))).is_empty(), "has a refId twice");
            for target in targets.iter().filter(|t| t["datasource"]["uid"] == INFLUX) {
                need(target["rawQuery"] == true, "has a query that is not written out (rawQuery)");
                need(["table", "time_series"].contains(&text(&target["resultFormat"])), "has no resultFormat");
                need(!text(&target["query"]).contains(';'), "asks two things in one query");
            }
        }
        wrong
    });
}

/// Red and green alone say nothing to one man in twelve.
#[test]
fn a_readiness_is_told_in_words_and_not_by_colour_alone() {
    check("a readiness without words", |board| {
        let mut wrong = Vec::new();
        for panel in board
            .panels()
            .into_iter()
            .filter(|p| ["stat", "state-timeline", "geomap", "xychart"].contains(&text(&p["type"])))
        {
            let shows_codes = list(&panel["fieldConfig"]["defaults"]["thresholds"]["steps"]).len() == 7;
            let raw = panel["fieldConfig"].to_string();
            if shows_codes && !["ready", "not ready", "silent"].iter().all(|word| raw.contains(word)) {
                wrong.push(text(&panel["title"]).to_owned());
            }
        }
        wrong
    });
}

#[test]
fn every_link_leads_somewhere() {
    let all = boards::all();
    let uids: Vec<&str> = all.iter().map(Board::uid).collect();
    check("a link", |board| {
        let mut wrong = Vec::new();
        for link in list(&board.json["links"]) {
            if link["type"] == "dashboards" {
                let tagged = |b: &&Board| list(&link["tags"]).iter().all(|t| list(&b.json["tags"]).contains(t));
                if all.iter().filter(tagged).count() < all.len() {
                    wrong.push(format!("the links by {} do not lead to every dashboard", link["tags"]));
                }
            }
        }
        let by_tag = list(&board.json["links"]).iter().any(|l| l["type"] == "dashboards");
        if !by_tag {
            wrong.push("no links to the other dashboards".to_owned());
        }
        for address in texts(&board.json).into_iter().filter(|t| t.contains("/d/")) {
            let uid = address.split("/d/").nth(1).unwrap_or_default().split(['?', '/']).next().unwrap_or_default();
            if !uids.contains(&uid) {
                wrong.push(format!("{address} leads to no dashboard"));
            }
        }
        wrong
    });
}

#[test]
fn nothing_is_loaded_from_outside_but_map_tiles() {
    check("an address", |board| {
        let mut wrong = Vec::new();
        let own = text(&board.variables().iter().find(|v| v["name"] == "board").unwrap_or(&Value::Null)["query"]);
        for found in texts(&board.json).into_iter().filter(|t| t.contains("//") && *t != own) {
            wrong.push(found.to_owned());
        }
        let maps = board.panels().into_iter().filter(|p| p["type"] == "geomap").count();
        let without_tiles = board.panels().into_iter().filter(|p| p["type"] == "xychart").count();
        if maps > without_tiles {
            wrong.push("a map has no way without tiles".to_owned());
        }
        wrong
    });
}

#[test]
fn every_variable_that_is_used_is_defined_and_every_one_defined_is_used() {
    check("a variable", |board| {
        let defined: Vec<&str> = board.variables().iter().map(|v| text(&v["name"])).collect();
        let mut wrong: Vec<String> =
            twice(defined.clone()).into_iter().map(|n| format!("{n} is there twice")).collect();
        let used: BTreeSet<String> = texts(&board.json).into_iter().flat_map(names).collect();
        for name in &used {
            let is_known = defined.contains(&name.as_str()) || BUILT_IN.contains(&name.as_str());
            if !is_known && !name.starts_with("tag_") {
                wrong.push(format!("${name} is not defined"));
            }
        }
        wrong.extend(defined.iter().filter(|n| !used.contains(**n)).map(|n| format!("{n} is defined and never used")));
        let asks_influx = board.json.to_string().contains(INFLUX);
        for name in ["city", "site_type", "crew", "unit", "board"].iter().filter(|_| asks_influx) {
            if !defined.contains(name) {
                wrong.push(format!("the variable {name} is missing"));
            }
        }
        for variable in board.variables().iter().filter(|v| v["label"].is_null() || v["description"].is_null()) {
            wrong.push(format!("{} has no label or description", variable["name"]));
        }
        wrong
    });
}

#[test]
fn a_dashboard_renews_itself_and_has_a_time_range() {
    check("time", |board| {
        let j = &board.json;
        let is_good = j["refresh"] == "1m" && text(&j["time"]["from"]).starts_with("now-") && j["time"]["to"] == "now";
        if is_good { Vec::new() } else { vec![format!("refresh {}, time {}", j["refresh"], j["time"])] }
    });
}

#[test]
fn the_files_are_two_space_indented_and_stable() {
    check("layout of the file", |board| {
        let written = fs::read_to_string(boards::folder().join(&board.file)).expect("read before");
        let is_indented = written.starts_with("{\n  \"") && written.ends_with("}\n") && !written.contains('\t');
        if is_indented { Vec::new() } else { vec!["it is not two-space indented".to_owned()] }
    });
}

#[test]
fn the_page_for_supervisors_lists_every_panel_and_no_other() {
    let page = fs::read_to_string(boards::folder().join("../docs/dashboards.md")).expect("it is there");
    let (_, panels) = page.split_once("## Panels").expect("it has this part");
    let (panels, _) = panels.split_once("\n## ").expect("another part follows");
    let told: BTreeSet<(&str, &str)> = panels
        .split("\n### ")
        .skip(1)
        .flat_map(|part| {
            let title = part.lines().next().unwrap_or_default();
            let rows = part.lines().filter(|l| l.starts_with("| ")).skip(1);
            rows.filter_map(move |row| row.split('|').nth(1).map(|cell| (title, cell.trim())))
        })
        .collect();
    let mut all = boards::all();
    // docs/monitoring.md tells of it.
    all.retain(|b| b.file != "monitor.json");
    let shown: BTreeSet<(&str, &str)> = all
        .iter()
        .flat_map(|b| b.panels().into_iter().filter(|p| !is_row(p)).map(|p| (b.title(), text(&p["title"]))))
        .collect();
    let missing: Vec<_> = shown.difference(&told).collect();
    let gone: Vec<_> = told.difference(&shown).collect();
    assert!(missing.is_empty() && gone.is_empty(), "docs/dashboards.md lacks {missing:?} and still has {gone:?}");
}
