//! `rules …`: the tools of the person who edits rules. Owns how their files are found and how their answers end.

use std::io::BufReader;
use std::path::{Path, PathBuf};

use crate::app::doctor::unwatched;
use crate::app::replay::replay;
use crate::app::{backtest as backtests, rule_test, serve};
use crate::config::rule_test::TestFleet;
use crate::config::{RuleTests, check_rule_tests, read_text};
use crate::domain::explain::Explained;
use crate::domain::{Fleet, RuleId, RuleSet, Settings, Timestamp, UnitId};
use crate::engine::Engine;
use crate::render::backtest::backtest as table_of;
use crate::render::explain::explained as page_of;
use crate::render::rule_test::{ResultLine, TestResult, results};

use crate::wire::decode::Decoder;
use crate::wire::signature::Signing;

use super::arguments::Output;
use super::client::{Answered, Client};
use super::exit::{Exit, Failure};
use super::programs::{open_recording, read_settings};
use super::progress::Progress;
use super::screen::Screen;

type Done = Result<(), Failure>;

/// One line a file that is in order, then what a fleet shows; or every mistake of every file.
pub(super) fn check(files: &[PathBuf], fleet: Option<&Path>, screen: &Screen) -> Done {
    let named: Vec<Option<&Path>> =
        if files.is_empty() { vec![None] } else { files.iter().map(|f| Some(f.as_path())).collect() };
    let mut problems = Vec::new();
    let fleet = fleet.and_then(|path| serve::read_fleet(path).map_err(|e| problems.push(e)).ok()).map(Fleet::new);
    let mut told = String::new();
    for path in named {
        match serve::read_rules(path) {
            Ok((_, rules)) => {
                let name = path.map_or_else(built_in_or_here, |p| p.display().to_string());
                told += &format!("{name}: {}, no mistakes\n", counts(&rules));
                for line in fleet.iter().flat_map(|fleet| beside(&rules, fleet)) {
                    told += &format!("{name}: {line}\n");
                }
            }
            Err(text) => problems.push(text),
        }
    }
    screen.print(&told)?;
    if problems.is_empty() { Ok(()) } else { Err(Failure::failed(problems.join("\n"))) }
}

/// As `serve` finds them.
fn built_in_or_here() -> String {
    let here = "alerts.toml";
    if Path::new(here).is_file() { here.to_owned() } else { format!("{here} (built in)") }
}

fn counts(rules: &RuleSet) -> String {
    let some = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    format!(
        "{}, {}, {}",
        some(rules.rules.len(), "rule", "rules"),
        some(rules.incidents.len(), "incident", "incidents"),
        some(rules.diagnoses.len(), "diagnosis", "diagnoses")
    )
}

/// No mistakes, but perhaps not what was meant.
fn beside(rules: &RuleSet, fleet: &Fleet) -> Vec<String> {
    const SHOWN: usize = 8;
    let mut lines = Vec::new();
    for rule in &rules.rules {
        let selected: Vec<_> = fleet.units().map(|(_, u)| u).filter(|u| rule.only.selects(u)).collect();
        if selected.is_empty() {
            lines.push(format!("rule {:?} selects no unit of this fleet; look at its only", rule.id.as_str()));
            continue;
        }
        for (n, o) in rule.overrides.iter().enumerate() {
            let earlier = &rule.overrides[..n];
            if !selected.iter().any(|u| o.only.selects(u) && !earlier.iter().any(|e| e.only.selects(u))) {
                let id = rule.id.as_str();
                lines.push(format!("rule {id:?}: override {} selects no unit of this fleet; look at its only", n + 1));
            }
        }
    }
    let bare: Vec<&str> = unwatched(rules, fleet.units().map(|(_, u)| u)).into_iter().map(UnitId::as_str).collect();
    if !bare.is_empty() {
        let more = if bare.len() > SHOWN { format!(" and {} more", bare.len() - SHOWN) } else { String::new() };
        let list = bare[..bare.len().min(SHOWN)].join(", ");
        lines.push(format!(
            "no silent rule covers {list}{more}; when they die, their readiness says so but nobody is sent"
        ));
    }
    lines
}

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
    let (recording, size) = open_recording(&args.file)?;
    // What is in a recording was believed when it was made: signatures are not asked for again.
    let decoder = Decoder::new(root, Signing::Off);
    let bar = Progress::bytes("backtest", size);
    let recording = bar.watch(recording);
    let told = |_, at: Timestamp| bar.say(format!("at {}", &at.to_string()[..10]));
    let done = backtests::backtest(&Fleet::new(fleet), &settings, &decoder, recording, rules, args.until, told);
    drop(bar);
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

/// What stands in for the running service.
pub(super) struct Offline {
    pub recording: PathBuf,
    pub fleet: PathBuf,
    pub rules: Option<PathBuf>,
    pub until: Option<Timestamp>,
}

pub(super) fn explain(
    client: impl FnOnce() -> Result<Client, Failure>,
    unit: &UnitId,
    rule: Option<&RuleId>,
    offline: Option<&Offline>,
    screen: &Screen,
) -> Done {
    let Answered { value: mut found, now } = match offline {
        Some(offline) => explain_offline(unit, offline)?,
        None => client()?.get::<Explained>(&format!("units/{unit}/rules"))?,
    };
    if let Some(rule) = rule {
        let all: Vec<String> = found.rules.iter().map(|r| r.rule.to_string()).collect();
        found.rules.retain(|r| r.rule == *rule);
        if found.rules.is_empty() {
            let text = format!("there is no rule {rule}; the rules are: {}", all.join(", "));
            return Err(Failure::new(Exit::NotFound, text));
        }
    }
    match screen.output {
        Output::Table => screen.print(&page_of(&found, rule.is_some(), &screen.look(now))),
        Output::Json => screen.json(&found),
        Output::Csv => screen.csv(&found.rules),
    }
}

fn explain_offline(unit: &UnitId, offline: &Offline) -> Result<Answered<Explained>, Failure> {
    let mut problems = Vec::new();
    let fleet = serve::read_fleet(&offline.fleet).map_err(|e| problems.push(e)).unwrap_or_default();
    let rules = serve::read_rules(offline.rules.as_deref()).map_err(|e| problems.push(e)).unwrap_or_default().1;
    if !problems.is_empty() {
        return Err(Failure::failed(problems.join("\n")));
    }
    let mut engine = Engine::new(rules, Fleet::new(fleet), Settings::default());
    let decoder = Decoder::new(Decoder::DEFAULT_ROOT, Signing::Off);
    let recording = BufReader::new(open_recording(&offline.recording)?.0);
    replay(&mut engine, &decoder, recording, offline.until, None, |_| {})
        .map_err(|e| Failure::failed(format!("{}, {e}", offline.recording.display())))?;
    let value = engine.explain_unit(unit).ok_or_else(|| {
        Failure::new(Exit::NotFound, format!("{unit} is not in {}; name a unit that is", offline.fleet.display()))
    })?;
    Ok(Answered { now: value.at.unwrap_or_default(), value })
}
