//! The dashboards are held to the types of Grafana itself: `dashboards/check/board.ts` on `@grafana/schema`, by `tsc`. Both
//! come from npm, pinned by `dashboards/check/package-lock.json`, into a folder for scratch.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::dashboards::boards;

/// A folder with board.ts and its packages. None: no npm here, and a line says so.
fn checker() -> Option<TempDir> {
    let found = Command::new("npm").arg("--version").output().is_ok_and(|o| o.status.success());
    if !found {
        let say = "npm is not installed: apt-get install nodejs npm";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{say}");
        println!("skipped: {say}");
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder for scratch");
    for file in ["package.json", "package-lock.json", ".npmrc", "board.ts", "tsconfig.json"] {
        fs::copy(boards::folder().join("check").join(file), folder.path().join(file))
            .expect("it is in dashboards/check");
    }
    let ci = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    let done = Command::new("npm").args(ci).current_dir(folder.path()).output().expect("npm runs");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    if !done.status.success() && std::env::var("CI").as_deref() != Ok("true") {
        println!("skipped: npm could not fetch the packages of dashboards/check:\n{said}");
        return None;
    }
    assert!(done.status.success(), "npm ci in dashboards/check fails:\n{said}");
    Some(folder)
}

/// What tsc says of these boards, name and JSON; empty: all is well.
fn tsc(boards: &[(String, String)]) -> Option<String> {
    let folder = checker()?;
    for (name, json) in boards {
        let code = format!("import type {{ Board }} from './board';\nexport const board: Board = {json};\n");
        fs::write(folder.path().join(format!("{name}.ts")), code).expect("written");
    }
    let compiler = "node_modules/typescript/bin/tsc";
    let done = Command::new("node").args([compiler, "-p", "."]).current_dir(folder.path()).output().expect("node runs");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.success(), said.is_empty(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    Some(said)
}

#[test]
fn every_dashboard_is_of_the_type_that_grafana_declares() {
    let all = boards::all();
    let named = |b: &boards::Board| (b.file.trim_end_matches(".json").to_owned(), format!("{:#}", b.json));
    let Some(said) = tsc(&all.iter().map(named).collect::<Vec<_>>()) else { return };
    assert!(said.is_empty(), "tsc:\n{said}");
}

#[test]
fn a_misspelt_option_or_a_wrong_type_is_found() {
    let fleet = boards::all().into_iter().find(|b| b.file == "fleet.json").expect("it is there");
    let wrong = |pointer: &str, key: &str, value: serde_json::Value| {
        let mut json = fleet.json.clone();
        json.pointer_mut(pointer).expect("it is there")[key] = value;
        format!("{json:#}")
    };
    let cases = [
        ("option", wrong("/panels/0/options", "colourMode", "value".into()), "colourMode"),
        ("value", wrong("/panels/0/options", "colorMode", "colorful".into()), "colorful"),
        ("mapping", wrong("/panels/0/fieldConfig/defaults/thresholds", "mode", "absolut".into()), "absolut"),
        ("source", wrong("/panels/0/targets/0/datasource", "uid", "mine".into()), "mine"),
        ("panel", wrong("/panels/0", "type", "graph".into()), "graph"),
    ];
    let files: Vec<_> = cases.iter().map(|(name, json, _)| ((*name).to_owned(), json.clone())).collect();
    let Some(said) = tsc(&files) else { return };
    for (name, _, word) in &cases {
        let is_found = said.lines().any(|l| l.starts_with(&format!("{name}.ts")) && l.contains(word));
        assert!(is_found, "{word} in {name}.ts is not found:\n{said}");
    }
}
