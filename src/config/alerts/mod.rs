//! alerts.toml → `RuleSet`, or every problem at once.
//!
//! Owns which blocks and keys the file has, their defaults and the names that must be unique. Conditions are in
//! `condition`, orders in `order`, common causes in `incident`, what is really broken in `diagnosis`. Never judges a
//! reading.

mod condition;
mod diagnosis;
mod incident;
mod order;
mod selection;
mod summary;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::document::{Block, Document};
use super::duration::{DAY, SECOND};
use super::problem::Problems;
use super::spelling::quoted;
use crate::domain::rule::{Condition, ReadinessEffect, Rule, RuleOverride, RuleSet};
use crate::domain::{RuleId, Severity};

/// The file that stands at the top of the repository: what holds when the operator names no other.
pub const DEFAULT_ALERTS: &str = include_str!("../../../alerts.toml");

/// The rules of [`DEFAULT_ALERTS`].
pub fn default_rules() -> RuleSet {
    check_alerts("alerts.toml", DEFAULT_ALERTS).expect("a test holds the shipped alerts.toml free of problems")
}

/// `for` and `clear_for`: shorter than 10 s is less than one heartbeat, longer than 30 d is a fault nobody waits for.
const DEBOUNCE: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(30 * 86_400);
/// How long an order may wait for its siblings.
const ORDER_AFTER: RangeInclusive<Duration> = SECOND..=Duration::from_secs(30 * 86_400);
/// The longest window that is counted or grouped over.
const LONGEST_WINDOW: Duration = Duration::from_secs(30 * DAY.as_secs());

const RULE_KEYS: &[&str] =
    &["id", "component", "severity", "for", "clear_for", "unless", "summary", "order", "readiness", "only", "override"];

/// Err: every mistake of the file.
pub fn check_alerts(file: &str, text: &str) -> Result<RuleSet, Problems> {
    let document = Document::read(file, text)?;
    let root = document.root();
    root.only_keys(&["rule", "incident", "diagnosis"], |key| match key {
        "rules" | "alert" | "alerts" => Some("write each rule as its own [[rule]]".to_owned()),
        "incidents" => Some("write each as its own [[incident]]".to_owned()),
        "diagnoses" => Some("write each as its own [[diagnosis]]".to_owned()),
        "id" | "metric" | "below" | "above" => Some("it stands above the first [[rule]]; move it below one".to_owned()),
        _ => None,
    });
    let blocks = named("rule", "battery-low", root.blocks("rule"));
    if blocks.is_empty() {
        root.wrong(
            "there is no [[rule]] in this file, so nothing would ever be reported; start from the shipped alerts.toml",
        );
    }
    let rules: Vec<Option<Rule>> = blocks.iter().map(|(id, block)| rule(id.as_deref(), block)).collect();
    let known = incident::KnownRules::new(&blocks, &rules);
    let incident_blocks = named("incident", "uplink-down", root.blocks("incident"));
    let incidents: Vec<_> =
        incident_blocks.iter().map(|(id, block)| incident::incident(id.as_deref(), block, &known)).collect();
    let diagnosis_blocks = named("diagnosis", "battery-exhausted", root.blocks("diagnosis"));
    let diagnoses: Vec<_> =
        diagnosis_blocks.iter().map(|(id, block)| diagnosis::diagnosis(id.as_deref(), block, &known)).collect();
    diagnosis::must_be_reachable(&diagnosis_blocks, &diagnoses);
    document.finish(RuleSet {
        rules: rules.into_iter().flatten().collect(),
        incidents: incidents.into_iter().flatten().collect(),
        diagnoses: diagnoses.into_iter().flatten().collect(),
    })
}

/// Each block with its id, called by it from here on. Notes ids that are missing, malformed or stand twice.
fn named<'a>(word: &str, example: &str, blocks: Vec<Block<'a>>) -> Vec<(Option<String>, Block<'a>)> {
    let mut first_lines: BTreeMap<String, u32> = BTreeMap::new();
    blocks
        .into_iter()
        .map(|block| {
            let block = block.called(format!("{word} without an id: "));
            let Some(item) = block.get("id") else {
                block.wrong(format_args!("give it a name of its own, such as id = \"{example}\""));
                return (None, block);
            };
            let Some(id) = item.text() else { return (None, block) };
            let block = block.called(format!("{word} {}: ", quoted(id)));
            // Rules, incidents and diagnoses obey the same rule of names.
            if RuleId::parse(id).is_err() {
                block.wrong_at(item.line, format_args!("id must be {}", RuleId::RULE));
            }
            match first_lines.get(id) {
                Some(line) => {
                    block.wrong_at(item.line, format_args!("this id is already taken in line {line}; rename one"))
                }
                None => {
                    first_lines.insert(id.to_owned(), item.line);
                }
            }
            (Some(id.to_owned()), block)
        })
        .collect()
}

/// None: something was noted.
fn rule(id: Option<&str>, block: &Block<'_>) -> Option<Rule> {
    condition::only_rule_keys(block);
    let component =
        block.need("component", "say what the crew repairs, such as component = \"battery\"").and_then(|i| i.word());
    let severity = match block.get("severity") {
        Some(item) => item.word(),
        None => Some(Severity::Major),
    };
    let condition = condition::read(block);
    let unless = condition::unless(block, condition.as_ref());
    let (for_, clear_for) = debounce(block);
    let only = selection::only(block);
    let overrides: Vec<Option<RuleOverride>> =
        block.blocks("override").into_iter().map(|upper| override_(upper, block)).collect();
    let order = order::of_rule(block, component, severity, condition.as_ref());
    let readiness = match block.get("readiness") {
        Some(item) => item.word(),
        None => condition.as_ref().zip(severity).map(|(c, s)| default_readiness(c, s)),
    };
    let summary = match block.get("summary") {
        Some(item) => summary::read(&item, condition.as_ref()),
        None => condition.as_ref().map(summary::of),
    };
    Some(Rule {
        id: RuleId::parse(id?).ok()?,
        component: component?,
        severity: severity?,
        condition: condition?,
        for_: for_?,
        clear_for: clear_for?,
        summary: summary?,
        order: order?,
        readiness: readiness?,
        only: only?,
        overrides: overrides.into_iter().collect::<Option<_>>()?,
        unless: unless?,
    })
}

fn debounce(block: &Block<'_>) -> (Option<Duration>, Option<Duration>) {
    let span = |key| match block.get(key) {
        Some(item) => item.span_or_zero(DEBOUNCE),
        None => Some(Duration::ZERO),
    };
    (span("for"), span("clear_for"))
}

/// Presence itself makes a silent unit's readiness; a test that is overdue leaves it unproven; what is only foreseen
/// works today.
fn default_readiness(condition: &Condition, severity: Severity) -> ReadinessEffect {
    let by_severity = || match severity {
        Severity::Critical => ReadinessEffect::NotReady,
        Severity::Major | Severity::Minor => ReadinessEffect::Impaired,
        Severity::Warning => ReadinessEffect::Unchanged,
    };
    match condition {
        Condition::Silent { .. } | Condition::Forecast { .. } => ReadinessEffect::Unchanged,
        Condition::Overdue { .. } => ReadinessEffect::Unproven,
        Condition::Threshold { .. }
        | Condition::Baseline { .. }
        | Condition::Rate { .. }
        | Condition::Result { .. }
        | Condition::Count { .. } => by_severity(),
        // Signs of one sort say together what each says alone.
        Condition::All(parts) | Condition::Any(parts) => {
            let mut effects = parts.iter().map(|part| default_readiness(part, severity));
            match effects.next() {
                Some(first) if effects.all(|other| other == first) => first,
                Some(_) | None => by_severity(),
            }
        }
    }
}

/// `[[rule.override]]`: its keys lie over the rule's.
fn override_(upper: Block<'_>, base: &Block<'_>) -> Option<RuleOverride> {
    let who = base.called_by();
    let upper = upper.called(format!("{who}override: "));
    condition::only_override_keys(&upper, base);
    let only = match upper.get("only") {
        Some(_) => selection::only(&upper),
        None => {
            upper.wrong("only is missing; say for which units, such as only = { site_type = [\"park\"] }");
            None
        }
    };
    if upper.items().iter().all(|(key, _)| *key == "only") {
        upper.wrong("it changes nothing; give it a limit, or drop it");
    }
    let fits = condition::fits(&upper, base);
    let both = upper.over(base);
    let condition = if fits { condition::read(&both) } else { None };
    let (for_, clear_for) = debounce(&both);
    Some(RuleOverride { only: only?, condition: condition?, for_: for_?, clear_for: clear_for? })
}
