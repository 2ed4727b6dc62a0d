//! The house shows its own plan: this test holds the layer rule of DESIGN §3 and the bans.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms from the ground up. A room may use those with a lower number and itself.
const LAYERS: &[(&str, u8)] =
    &[("domain", 0), ("engine", 1), ("config", 1), ("wire", 1), ("render", 1), ("io", 2), ("app", 3), ("cli", 4)];

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(dir).expect("src is readable").map(|e| e.expect("entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// Path from the root and text, tests left out.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut out = Vec::new();
    files(&root.join("src"), &mut out);
    out.into_iter()
        .map(|p| {
            let name = p.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
            (name, fs::read_to_string(&p).expect("source is text"))
        })
        .filter(|(name, _)| !name.contains("/tests/") && !name.ends_with("/tests.rs"))
        .collect()
}

/// The lines before the file's own tests, without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, l)| !l.starts_with("#[cfg(test)]"))
        .filter(|(_, l)| !l.trim_start().starts_with("//"))
        .map(|(n, l)| (n + 1, l))
}

/// Room and part that a line names by `crate::room::part`, or by `use crate::{room::…, …}`.
fn uses(line: &str) -> Vec<(String, String)> {
    let word = |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + 7..];
        if let Some(group) = rest.strip_prefix('{') {
            found.extend(group.split(',').map(|part| (word(part.trim()), String::new())));
        } else {
            let first = word(rest);
            let second = rest.get(first.len() + 2..).map(word).unwrap_or_default();
            found.push((first, second));
        }
    }
    found
}

#[test]
fn every_room_uses_only_the_rooms_below_it() {
    let layer = |room: &str| LAYERS.iter().find(|(r, _)| *r == room).map(|(_, l)| *l);
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let mut parts = path["src/".len()..].split('/').map(|p| p.trim_end_matches(".rs"));
        let (here, part) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let Some(mine) = layer(here) else { continue };
        for (n, line) in code(&text) {
            for (other, other_part) in uses(line) {
                let Some(theirs) = layer(&other) else { continue };
                let allowed = match (here, other.as_str()) {
                    ("io", "io") => other_part.is_empty() || other_part == part,
                    (a, b) if a == b => true,
                    ("io", "engine") => false,
                    _ => theirs < mine,
                };
                if !allowed {
                    wrong.push(format!("{path}:{n}: {here}/{part} must not use {other}::{other_part}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn check_banned(below: &str, except: &[&str], banned: &[&str]) {
    let mut wrong = Vec::new();
    for (path, text) in sources().into_iter().filter(|(p, _)| p.starts_with(below) && !except.contains(&p.as_str())) {
        for (n, line) in code(&text) {
            for word in banned.iter().filter(|w| line.contains(**w)) {
                wrong.push(format!("{path}:{n}: {word} in `{}`", line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

const CLOCKS: [&str; 4] = ["Utc::now", "Local::now", "SystemTime::now", "Timestamp::now"];

#[test]
fn the_engine_does_nothing_but_decide() {
    let banned =
        ["Instant", "sleep(", "HashMap", "HashSet", "async fn", "std::fs", "std::net", "tokio", "rand::", "tracing::"];
    check_banned("src/engine/", &[], &banned);
    check_banned("src/engine/", &[], &CLOCKS);
}

#[test]
fn words_neither_look_nor_act() {
    check_banned("src/domain/", &[], &["Instant", "tokio", "std::fs", "std::net", "tracing::"]);
}

#[test]
fn the_clock_is_read_in_one_file() {
    check_banned("src/", &["src/app/clock.rs"], &CLOCKS);
}

#[test]
fn input_from_outside_cannot_panic_by_unwrap() {
    check_banned("src/", &[], &[".unwrap()", "todo!(", "unimplemented!(", "dbg!("]);
}

#[test]
fn a_file_says_first_what_it_owns() {
    let silent: Vec<String> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "these begin without a `//!` line: {silent:?}");
}

#[test]
fn a_file_that_needs_a_table_of_contents_is_two_files() {
    let lines = |text: &str| text.lines().count();
    let long: Vec<_> = sources().into_iter().filter(|(_, t)| lines(t) > 800).map(|(p, t)| (p, lines(&t))).collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn no_file_is_named_after_nothing() {
    for (path, _) in sources() {
        let name = Path::new(&path).file_stem().expect("has a name").to_string_lossy().into_owned();
        assert!(!["utils", "util", "helpers", "manager", "common", "misc"].contains(&name.as_str()), "{path}");
    }
}
