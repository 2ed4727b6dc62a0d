//! `[[incident]]`: one common cause over several units. Never groups anything.

use std::time::Duration;

use super::super::document::{Block, Item};
use super::super::duration::{MINUTE, SECOND};
use super::super::spelling::{nearest, quoted};
use super::{LONGEST_WINDOW, order};
use crate::domain::rule::{IncidentRule, Rule};
use crate::domain::{GroupKind, IncidentRuleId, RuleId, Severity};

const KEYS: &[&str] =
    &["id", "group_by", "of", "at_least", "fraction", "within", "inhibits", "wait", "order", "doubts_hearing"];

/// Two units that fail alike may have a cause in common; one has none.
const AT_LEAST: u32 = 2;
/// More than half: of two units on a circuit both, of five three.
const FRACTION: f64 = 0.6;
/// The whole fleet falling silent over a month is a month of faults; within minutes it is our own blindness.
const FLEET_WITHIN: Duration = Duration::from_secs(10 * MINUTE.as_secs());

/// The rules that an incident can name.
pub struct KnownRules {
    /// Ids of all rules of the file, broken ones too: their own problems are noted already.
    ids: Vec<String>,
    severities: Vec<(String, Severity)>,
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
            severities: rules.iter().flatten().map(|r| (r.id.to_string(), r.severity)).collect(),
        }
    }
    fn find(&self, item: &Item<'_>) -> Option<RuleId> {
        let text = item.words()?;
        if !self.ids.iter().any(|id| id == text) {
            let remedy = match nearest(text, self.ids.iter().map(String::as_str)) {
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
        self.severities.iter().find(|(known, _)| known == id.as_str()).map_or(Severity::Critical, |(_, s)| *s)
    }
}

/// None: something was noted.
pub fn incident(id: Option<&str>, block: &Block<'_>, known: &KnownRules) -> Option<IncidentRule> {
    block.only_keys(KEYS, |key| match key {
        "crew" | "priority" | "action" | "after" => Some(format!("it belongs into the order: order = {{ {key} = … }}")),
        "severity" | "component" => Some("an incident has none: it takes them from the rule in of".to_owned()),
        _ => None,
    });
    let group_by = block
        .need("group_by", "say what the units share, such as group_by = \"uplink\"")
        .and_then(|i| i.word::<GroupKind>());
    let of =
        block.need("of", "say which rule's alerts are counted, such as of = \"unit-silent\"").and_then(|i| {
            match i.as_text() {
                Some(_) => known.find(&i).map(|id| vec![id]),
                None => i.list().iter().map(|part| known.find(part)).collect(),
            }
        });
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
        Some(item) => {
            let rules: Vec<Option<RuleId>> = item.list().iter().map(|part| known.find(part)).collect();
            rules.into_iter().collect::<Option<Vec<RuleId>>>()
        }
        None => of.clone(),
    };
    let severity = of.iter().flatten().map(|of| known.severity(of)).min().unwrap_or(Severity::Critical);
    let wait = match block.get("wait") {
        Some(item) => item.span(SECOND * 10..=LONGEST_WINDOW).map(Some),
        None => Some(None),
    };
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
        doubts_hearing: doubts_hearing?,
    })
}
