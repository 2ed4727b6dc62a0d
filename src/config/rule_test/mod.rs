//! Tests of rules (`rules test FILE`) → [`RuleTests`], or every problem at once.
//!
//! Owns which blocks and keys such a file has. What happens in a test is in `feed`, what must come of it in `expect`, the
//! short form of values in `series`. Never opens the alerts file or the fleet that it names, and never runs anything.

mod expect;
mod feed;
mod fit;
pub mod series;

use std::ops::RangeInclusive;
use std::time::Duration;

use super::document::{Block, Document, Item};
use super::duration::DAY;
use super::fleet::check_fleet;
use super::problem::{Problem, Problems};
use crate::domain::{Timestamp, Unit, UnitId};

pub use expect::{Expect, Expected, NothingOf, StandsAs, When, WhichOrder};
pub use feed::{Feed, Field, Happening, Link, Sending, TestEvent};

/// The start of a test that does not say: a Friday morning in Peshawar.
const START: &str = "2026-01-02T06:00:00Z";
/// A year of virtual time: the longest overdue rule has room.
const OFFSET: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(400 * DAY.as_secs());

/// One file, checked as far as it goes by itself. [`RuleTests::fit`] checks it against its fleet and rules.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleTests {
    /// As the person named it.
    pub file: String,
    /// The alerts file, as the test file names it: relative to its own folder.
    pub rules: Option<String>,
    pub fleet: TestFleet,
    pub tests: Vec<RuleTest>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum TestFleet {
    /// Relative to the test file's own folder.
    File(String),
    Rows(Vec<Unit>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct RuleTest {
    pub line: u32,
    pub name: String,
    pub start: Timestamp,
    /// How long it lasts.
    pub until: Duration,
    pub feeds: Vec<Feed>,
    pub events: Vec<TestEvent>,
    pub expects: Vec<Expect>,
}

/// Which units a block is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Units {
    All { except: Vec<UnitId> },
    Named(Vec<UnitId>),
}

const TEST_KEYS: &[&str] = &["name", "start", "until", "feed", "event", "expect"];

/// Err: every mistake of the file, each with its line.
pub fn check_rule_tests(file: &str, text: &str) -> Result<RuleTests, Problems> {
    let document = Document::read(file, text)?;
    let mut inline = Vec::new();
    let value = read(file, &document.root(), &mut inline);
    let finished = document.finish(());
    match (finished, Problems::gather(inline)) {
        (Ok(()), None) => Ok(value.expect("a file without problems was read whole")),
        (Err(problems), None) | (Ok(()), Some(problems)) => Err(problems),
        (Err(a), Some(b)) => {
            let all = a.list().iter().chain(b.list()).cloned().collect();
            Err(Problems::gather(all).expect("there are two lists of problems"))
        }
    }
}

fn read(file: &str, root: &Block<'_>, inline: &mut Vec<Problem>) -> Option<RuleTests> {
    root.only_keys(&["rules", "fleet", "test"], |key| match key {
        "feed" | "event" | "expect" => {
            Some(format!("it belongs to a test: write [[test]] above and [[test.{key}]] here"))
        }
        "unit" => Some("write the units as CSV rows: fleet = \"\"\" … \"\"\"".to_owned()),
        _ => None,
    });
    let rules = root.get("rules").and_then(|item| item.words().map(str::to_owned));
    let remedy = "write fleet = \"fleet.csv\", or the rows themselves between \"\"\" and \"\"\"";
    let fleet = root.need("fleet", remedy).and_then(|item| read_fleet(file, &item, inline));
    let blocks = root.blocks("test");
    if blocks.is_empty() && !root.has("test") {
        root.wrong("there is no test in this file; start each with [[test]]");
    }
    let tests: Vec<Option<RuleTest>> = blocks.into_iter().enumerate().map(|(n, block)| read_test(n, block)).collect();
    let tests: Option<Vec<RuleTest>> = tests.into_iter().collect();
    Some(RuleTests { file: file.to_owned(), rules, fleet: fleet?, tests: tests? })
}

/// A path on one line, or the rows of a fleet file on several.
fn read_fleet(file: &str, item: &Item<'_>, inline: &mut Vec<Problem>) -> Option<TestFleet> {
    item.words()?;
    let text = item.text()?;
    if !text.contains('\n') && !text.contains(',') {
        return Some(TestFleet::File(text.to_owned()));
    }
    // TOML drops the line end after the opening quotes: the first row is on the line below the key.
    match check_fleet(file, text.as_bytes()) {
        Ok(units) => Some(TestFleet::Rows(units)),
        Err(problems) => {
            inline.extend(problems.list().iter().map(|p| Problem {
                file: p.file.clone(),
                line: Some(item.line + p.line.unwrap_or(0)),
                what: format!("fleet: {}", p.what),
            }));
            None
        }
    }
}

fn read_test(n: usize, block: Block<'_>) -> Option<RuleTest> {
    let name = block.get("name").and_then(|item| item.words().map(str::to_owned));
    let called = name.clone().unwrap_or_else(|| format!("test {}", n + 1));
    let block = block.called(format!("test {called:?}: "));
    block.only_keys(TEST_KEYS, |_| None);
    let name = block.need("name", "say in one sentence what must come of it").and(Some(called));
    let start = match block.get("start") {
        None => Timestamp::parse(START),
        Some(item) => {
            let remedy = "is no time: write it as \"2026-01-02T06:00:00Z\", in quotes";
            let at = item.text().map(Timestamp::parse);
            if at == Some(None) {
                item.wrong(remedy);
            }
            at.flatten()
        }
    };
    let until = block.get("until").map(|item| item.span(OFFSET));
    let drafts: Vec<_> = block.blocks("feed").iter().map(feed::read_draft).collect();
    let events: Vec<_> = block.blocks("event").iter().map(feed::read_event).collect();
    let expects: Vec<_> = block.blocks("expect").iter().map(expect::read).collect();
    if expects.is_empty() {
        block.wrong("it expects nothing; write at least one [[test.expect]], such as none = true");
    }
    let drafts: Option<Vec<_>> = drafts.into_iter().collect();
    let events: Option<Vec<TestEvent>> = events.into_iter().collect();
    let expects: Option<Vec<Expect>> = expects.into_iter().collect();
    let (drafts, events, mut expects) = (drafts?, events?, expects?);
    let last = drafts
        .iter()
        .filter_map(feed::Draft::ends)
        .chain(events.iter().flat_map(|e| e.at.iter().copied()))
        .chain(expects.iter().filter_map(|e| e.when.last()))
        .max();
    let until = match (until, last) {
        (Some(until), _) => until?,
        (None, Some(last)) => last,
        (None, None) => {
            block.wrong("nothing says how long it lasts; write until = \"3h\"");
            return None;
        }
    };
    if let Some(last) = last.filter(|l| *l > until) {
        block.wrong(format_args!(
            "until is {}, but something is to happen at {}; make it longer",
            super::duration::duration_text(until),
            super::duration::duration_text(last)
        ));
    }
    for expect in &mut expects {
        expect.when.close(until);
    }
    let feeds: Option<Vec<Feed>> = drafts.into_iter().map(|d| d.finish(&block, until)).collect();
    Some(RuleTest { line: block.line(), name: name?, start: start?, until, feeds: feeds?, events, expects })
}

/// `"PSH-001"`, a list of units, or `"*"` with `except`.
fn read_units(block: &Block<'_>) -> Option<Option<Units>> {
    let except = block.get("except").map(|item| ids(&item));
    let Some(item) = block.get("unit") else {
        if block.has("except") {
            block.wrong("except stands without unit; write unit = \"*\"");
            return None;
        }
        return Some(None);
    };
    if item.as_text() == Some("*") {
        return Some(Some(Units::All { except: except.unwrap_or(Some(Vec::new()))? }));
    }
    if except.is_some() {
        block.wrong("except goes with unit = \"*\" only; leave the units out of the list instead");
    }
    ids(&item).map(|named| Some(Units::Named(named)))
}

fn ids(item: &Item<'_>) -> Option<Vec<UnitId>> {
    let ids: Vec<Option<UnitId>> = item.list().iter().map(|i| i.parsed(UnitId::parse)).collect();
    ids.into_iter().collect()
}
