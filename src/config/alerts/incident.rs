//! `[[incident]]`: one common cause over several units. Never groups anything.

use std::time::Duration;

use super::super::document::{Block, Item};
use super::super::duration::{MINUTE, SECOND};
use super::super::spelling::{nearest, quoted};
use super::{LONGEST_WINDOW, order};
use crate::domain::rule::{IncidentRule, Rule};
use crate::domain::{GroupKind, IncidentRuleId, RuleId, Severity};

const KEYS: &[&str] = &[
    "id",
    "group_by",
    "of",
    "at_least",
    "fraction",
    "within",
    "inhibits",
    "wait",
    "one_is_enough_if",
    "order",
    "doubts_hearing",
];

/// Two units that fail alike may have a cause in common; one has none.
const AT_LEAST: u32 = 2;
/// More than half: of two units on a circuit both, of five three.
const FRACTION: f64 = 0.6;
/// The whole fleet falling silent over a month is a month of faults; within minutes it is our own blindness.
const FLEET_WITHIN: Duration = Duration::from_secs(10 * MINUTE.as_secs());

/// The rules that an incident or a diagnosis can name.
pub struct KnownRules {
    /// Ids of all rules of the file, broken ones too: their own problems are noted already.
    ids: Vec<String>,
    /// Of the rules without problems: how bad, and whether anybody is sent.
    facts: Vec<(String, Severity, bool)>,
}

impl KnownRules {
    pub fn new(blocks: &[(Option<String>, Block<'_>)], rules: &[Option<Rule>]) -> Self {
        KnownRules {
            ids: blocks.iter().filter_map(|(id, _)| id.clone()).fold(Vec::new(), |mut ids, id| {
                if !ids.contains(&id) {
                    ids.push(id);
                }
                ids
            }),
            facts: rules.iter().flatten().map(|r| (r.id.to_string(), r.severity, r.order.is_some())).collect(),
        }
    }
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(String::as_str)
    }
    pub fn has(&self, id: &str) -> bool {
        self.ids().any(|known| known == id)
    }
    /// None: the rule has problems of its own.
    pub fn orders(&self, id: &RuleId) -> Option<bool> {
        self.facts.iter().find(|(known, _, _)| known == id.as_str()).map(|(_, _, orders)| *orders)
    }
    pub fn find(&self, item: &Item<'_>) -> Option<RuleId> {
        let text = item.words()?;
        if !self.has(text) {
            let remedy = match nearest(text, self.ids()) {
                Some(id) => format!("did you mean {}?", quoted(id)),
                None if self.ids.is_empty() => "it has none at all".to_owned(),
                None => format!("its rules are: {}", self.ids.join(", ")),
            };
            item.wrong(format_args!("names {}, which is no rule of this file; {remedy}", quoted(text)));
            return None;
        }
        RuleId::parse(text).ok()
    }
    fn severity(&self, id: &RuleId) -> Severity {
        self.facts.iter().find(|(known, _, _)| known == id.as_str()).map_or(Severity::Critical, |(_, s, _)| *s)
    }
}

/// None: something was noted.
pub fn incident(id: Option<&str>, block: &Block<'_>, known: &KnownRules) -> Option<IncidentRule> {
    block.only_keys(KEYS, |key| match key {
        "crew" | "priority" | "action" | "after" => Some(format!("it belongs into the order: order = {{ {key} = … }}")),
        "per_site" => Some("an incident has one order for all its units anyway; drop it".to_owned()),
        "severity" | "component" => Some("an incident has none: it takes them from the rule in of".to_owned()),
        _ => None,
    });
    let group_by = block
        .need("group_by", "say what the units share, such as group_by = \"uplink\"")
        .and_then(|i| i.word::<GroupKind>());
    let of = block
        .need("of", "say which rule's alerts are counted, such as of = \"unit-silent\"")
        .and_then(|item| counted(&item, known));
    let at_least = match block.get("at_least") {
        Some(item) => item.whole(AT_LEAST..=1_000_000),
        None => Some(AT_LEAST),
    };
    let fraction = match block.get("fraction") {
        Some(item) => item.number_in(0.0..=1.0),
        None => Some(FRACTION),
    };
    let within = match block.get("within") {
        Some(item) => item.span(SECOND * 10..=LONGEST_WINDOW).map(Some),
        None => Some((group_by == Some(GroupKind::Fleet)).then_some(FLEET_WITHIN)),
    };
    let inhibits = match block.get("inhibits") {
        Some(item) => rules(&item, known),
        None => of.clone(),
    };
    let severity = of.iter().flatten().map(|of| known.severity(of)).min().unwrap_or(Severity::Critical);
    let wait = match block.get("wait") {
        Some(item) => item.span(SECOND * 10..=LONGEST_WINDOW).map(Some),
        None => Some(None),
    };
    let one_is_enough_if = super::condition::limits(block, "one_is_enough_if", "power.cut_minutes\", above = 480");
    let order = order::of_incident(block, group_by, severity);
    let doubts_hearing = match block.get("doubts_hearing") {
        Some(item) => item.flag(),
        None => Some(group_by == Some(GroupKind::Fleet)),
    };
    Some(IncidentRule {
        id: IncidentRuleId::parse(id?).ok()?,
        group_by: group_by?,
        of: of?,
        at_least: at_least?,
        fraction: fraction?,
        within: within?,
        inhibits: inhibits?,
        order: order?,
        wait: wait?,
        one_is_enough_if: one_is_enough_if?,
        doubts_hearing: doubts_hearing?,
    })
}

/// One rule or a list of them, each once.
fn rules(item: &Item<'_>, known: &KnownRules) -> Option<Vec<RuleId>> {
    let mut found: Vec<Option<RuleId>> = Vec::new();
    for part in item.list() {
        let rule = known.find(&part);
        if let Some(id) = rule.as_ref().filter(|_| found.contains(&rule)) {
            part.wrong(format_args!("names \"{id}\" twice; drop one"));
        }
        found.push(rule);
    }
    found.into_iter().collect()
}

fn counted(item: &Item<'_>, known: &KnownRules) -> Option<Vec<RuleId>> {
    if item.list().is_empty() {
        item.wrong("is an empty list; name a rule, such as of = \"unit-silent\"");
        return None;
    }
    rules(item, known)
}
