//! `rules …`: the tools of the person who edits rules. Owns how their files are found and how their answers end.

use std::fs::File;
use std::io::{IsTerminal, Read, Write, stdin};
use std::path::{Path, PathBuf};

use crate::app::{backtest as backtests, rule_test, serve};
use crate::config::rule_test::TestFleet;
use crate::config::{RuleTests, check_rule_tests, read_text};
use crate::domain::{Fleet, RuleSet, Settings, Timestamp};
use crate::render::backtest::backtest as table_of;
use crate::render::rule_test::{ResultLine, TestResult, results};

use crate::wire::decode::Decoder;
use crate::wire::signature::Signing;

use super::arguments::Output;
use super::exit::Failure;
use super::programs::read_settings;
use super::screen::Screen;

type Done = Result<(), Failure>;

/// Every mistake of every file first; then every test, then what failed.
pub(super) fn test(files: &[PathBuf], rules: Option<&Path>, screen: &Screen) -> Done {
    let mut problems = Vec::new();
    let mut ready = Vec::new();
    for file in files {
        match prepare(file, rules) {
            Ok(all) => ready.push(all),
            Err(text) => problems.push(text),
        }
    }
    if !problems.is_empty() {
        return Err(Failure::failed(problems.join("\n")));
    }
    let mut all: Vec<TestResult> = Vec::new();
    for (tests, fleet, rules) in &ready {
        for test in &tests.tests {
            match rule_test::run(&tests.file, test, fleet, rules) {
                Ok(result) => all.push(result),
                Err(wrong) => problems.push(wrong.to_string()),
            }
        }
    }
    match screen.output {
        // Virtual time has nothing to do with now.
        Output::Table => screen.print(&results(&all, &screen.look(Default::default())))?,
        Output::Json => screen.json(&all)?,
        Output::Csv => screen.csv(&ResultLine::of(&all))?,
    }
    if !problems.is_empty() {
        return Err(Failure::failed(problems.join("\n")));
    }
    // What failed has been said.
    if all.iter().all(TestResult::passed) { Ok(()) } else { Err(Failure::failed(String::new())) }
}

/// Err: what is wrong with the file, its fleet or its rules.
fn prepare(path: &Path, rules: Option<&Path>) -> Result<(RuleTests, Fleet, RuleSet), String> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|e| format!("{name}: {e}; name the file of tests that you mean"))?;
    let tests = read_text(&name, &bytes).and_then(|text| check_rule_tests(&name, text)).map_err(|p| p.to_string())?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let beside = folder.join("alerts.toml");
    let rules_path = match (rules, &tests.rules) {
        (Some(path), _) => Some(path.to_path_buf()),
        (None, Some(named)) => Some(folder.join(named)),
        (None, None) => beside.is_file().then_some(beside),
    };
    let mut problems = Vec::new();
    let rules = serve::read_rules(rules_path.as_deref()).map_err(|e| problems.push(e));
    let fleet = match &tests.fleet {
        TestFleet::Rows(units) => Ok(units.clone()),
        TestFleet::File(named) => serve::read_fleet(&folder.join(named)).map_err(|e| problems.push(e)),
    };
    let (Ok((_, rules)), Ok(units)) = (rules, fleet) else { return Err(problems.join("\n")) };
    let fleet = Fleet::new(units);
    tests.fit(&fleet, &rules).map_err(|p| p.to_string())?;
    Ok((tests, fleet, rules))
}

pub(super) struct BacktestArgs {
    /// `-`: standard input.
    pub file: PathBuf,
    pub fleet: PathBuf,
    pub rules: Option<PathBuf>,
    pub against: PathBuf,
    pub until: Option<Timestamp>,
    pub config: Option<PathBuf>,
}

pub(super) fn backtest(args: &BacktestArgs, screen: &Screen) -> Done {
    let mut problems = Vec::new();
    let fleet = serve::read_fleet(&args.fleet).map_err(|e| problems.push(e)).unwrap_or_default();
    let mut read = |path: Option<&Path>| serve::read_rules(path).map_err(|e| problems.push(e)).unwrap_or_default().1;
    let rules = (read(args.rules.as_deref()), read(Some(&args.against)));
    let (settings, root) = match &args.config {
        None => (Settings::default(), Decoder::DEFAULT_ROOT.to_owned()),
        Some(path) => {
            let config = read_settings(path).map_err(|e| problems.push(e)).unwrap_or_default();
            (config.settings(), config.root)
        }
    };
    if !problems.is_empty() {
        return Err(Failure::failed(problems.join("\n")));
    }
    let name = args.file.display().to_string();
    let recording: Box<dyn Read> = if name == "-" {
        Box::new(stdin())
    } else {
        let cannot = |e| Failure::failed(format!("{name}: {e}; name the recording you mean"));
        Box::new(File::open(&args.file).map_err(cannot)?)
    };
    // What is in a recording was believed when it was made: signatures are not asked for again.
    let decoder = Decoder::new(root, Signing::Off);
    let shown = std::io::stderr().is_terminal();
    let progress = |lines: u64, at: Timestamp| {
        if shown && lines > 0 {
            // Only for the person who waits; whether it can be written changes nothing.
            let _ = write!(std::io::stderr(), "\r{lines} lines, at {at} ");
        }
    };
    let done = backtests::backtest(&Fleet::new(fleet), &settings, &decoder, recording, rules, args.until, progress);
    if shown {
        let _ = write!(std::io::stderr(), "\r{:60}\r", "");
    }
    let (found, passed) = done.map_err(|e| Failure::failed(format!("{name}, {e}")))?;
    match screen.output {
        Output::Table => screen.print(&table_of(&found, &screen.look(Timestamp::default())))?,
        Output::Json => screen.json(&found)?,
        Output::Csv => screen.csv(&found.differences)?,
    }
    if passed.unknown_units > 0 {
        eprintln!("note: {} messages of units that are not in the fleet were passed over", passed.unknown_units);
    }
    if let Some(first) = passed.first_refusal {
        eprintln!("note: {} messages were refused, the first one: {first}", passed.refused);
    }
    Ok(())
}
