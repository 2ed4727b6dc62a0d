//! The fleet beside rules and settings: units that nobody would be sent to, crews without an address.

use std::collections::BTreeSet;

use crate::config::service::ServiceConfig;
use crate::domain::rule::Condition;
use crate::domain::{CrewId, Kind, Recipient, Rule, RuleSet, Unit, UnitId};

use super::{Finding, State, finding};

/// Names that one line shows.
const SHOWN: usize = 5;

/// Those that no rule watches for silence: when they die, their readiness says so, but nobody is sent.
pub fn unwatched<'a>(rules: &RuleSet, units: impl Iterator<Item = &'a Unit>) -> Vec<&'a UnitId> {
    let is_silent = |c: &&Condition| matches!(c, Condition::Silent { kind: Kind::Heartbeat, .. });
    let watches = |rule: &&Rule| rule.condition.leaves().iter().any(is_silent);
    let silent: Vec<&Rule> = rules.rules.iter().filter(watches).collect();
    units.filter(|u| !silent.iter().any(|r| r.only.selects(u))).map(|u| &u.unit).collect()
}

pub(super) fn findings(config: &ServiceConfig, rules: &RuleSet, units: &[Unit]) -> Vec<Finding> {
    let mut out = Vec::new();
    let bare = unwatched(rules, units.iter());
    if !bare.is_empty() {
        let text =
            format!("no silent rule covers {}: when they die, nobody is sent; look at the rules' only", some(&bare));
        out.push(finding(State::Doubtful, "rules", text));
    }
    let placeless: Vec<&UnitId> = units.iter().filter(|u| u.position.is_none()).map(|u| &u.unit).collect();
    if !placeless.is_empty() {
        let text =
            format!("no position: {}; maps and round trips leave them out. Fill in lat and lon", some(&placeless));
        out.push(finding(State::Doubtful, "positions", text));
    }
    let crews: BTreeSet<&CrewId> = units.iter().map(|u| &u.crew).collect();
    let silent: Vec<&&CrewId> =
        crews.iter().filter(|crew| config.crews.get(**crew).is_none_or(|c| c.mail.is_empty())).collect();
    if let Some(first) = silent.first() {
        let address = config.mail_addresses(&Recipient::Crew((***first).clone())).join(", ");
        let text = format!(
            "no mail address: {}; their mails go to made-up ones such as {address}. Write a section [crew.NAME] with mail for each",
            some(&silent)
        );
        out.push(finding(State::Doubtful, "crews", text));
    }
    let unknown: Vec<&CrewId> = config.crews.keys().filter(|crew| !crews.contains(crew)).collect();
    // A crew that no unit has may be one that rules send: of an incident or an order.
    let sent: BTreeSet<&CrewId> = rules.incidents.iter().filter_map(|i| i.order.as_ref()?.crew.as_ref()).collect();
    let unknown: Vec<&CrewId> = unknown.into_iter().filter(|crew| !sent.contains(crew)).collect();
    if !unknown.is_empty() && !units.is_empty() {
        let text = format!("no unit has the crew {}: is it written as in fleet.csv?", some(&unknown));
        out.push(finding(State::Doubtful, "crews", text));
    }
    out
}

fn some<T: std::fmt::Display>(all: &[T]) -> String {
    let names: Vec<String> = all.iter().take(SHOWN).map(ToString::to_string).collect();
    match all.len() {
        n if n > SHOWN => format!("{} and {} more", names.join(", "), n - SHOWN),
        _ => names.join(", "),
    }
}
