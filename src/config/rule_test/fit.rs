//! A file of rule tests against its fleet and its rules: every name must be one of theirs.

use super::feed::{Happening, Sending};
use super::{Expected, RuleTests, Units, WhichOrder};
use crate::config::problem::{Problem, Problems};
use crate::config::spelling::{nearest, quoted};
use crate::domain::{Fleet, GroupKind, RuleSet, UnitId};

struct Names<'a> {
    file: &'a str,
    fleet: &'a Fleet,
    rules: &'a RuleSet,
    problems: Vec<Problem>,
}

impl RuleTests {
    /// Err: every unit, rule and incident that there is not.
    pub fn fit(&self, fleet: &Fleet, rules: &RuleSet) -> Result<(), Problems> {
        let mut names = Names { file: &self.file, fleet, rules, problems: Vec::new() };
        for test in &self.tests {
            for feed in &test.feeds {
                names.sending(&feed.sending);
            }
            for event in &test.events {
                match &event.what {
                    Happening::Send(sending) => names.sending(sending),
                    Happening::Boot(units) | Happening::Offline(units) | Happening::Rebaseline { units, .. } => {
                        names.units(event.line, Some(units));
                    }
                    Happening::Order { unit, incident, .. } => {
                        unit.iter().for_each(|id| names.unit(event.line, id));
                        names.incident(event.line, None, incident.as_deref());
                    }
                    Happening::Link(_) | Happening::Maintenance { .. } => {}
                }
            }
            for expect in &test.expects {
                names.units(expect.line, expect.units.as_ref());
                match &expect.what {
                    Expected::Alert { rule, .. } => names.rule(expect.line, rule.as_str()),
                    Expected::Incident { kind, name, .. } => names.incident(expect.line, Some(*kind), name.as_deref()),
                    Expected::Order { which: WhichOrder { incident, .. }, .. }
                    | Expected::Opened { which: WhichOrder { incident, .. }, .. } => {
                        names.incident(expect.line, None, incident.as_deref());
                    }
                    Expected::Readiness(_) | Expected::Mails(_) | Expected::Reading { .. } | Expected::None(_) => {}
                }
            }
        }
        match Problems::gather(names.problems) {
            Some(problems) => Err(problems),
            None => Ok(()),
        }
    }
}

impl Names<'_> {
    fn wrong(&mut self, line: u32, what: String) {
        self.problems.push(Problem { file: self.file.to_owned(), line: Some(line), what });
    }

    fn sending(&mut self, sending: &Sending) {
        self.units(sending.line, Some(&sending.units));
    }

    fn units(&mut self, line: u32, units: Option<&Units>) {
        match units {
            None => {}
            Some(Units::All { except: list } | Units::Named(list)) => {
                list.iter().for_each(|id| self.unit(line, id));
            }
        }
    }

    fn unit(&mut self, line: u32, id: &UnitId) {
        if self.fleet.find(id.as_str()).is_none() {
            let fleet = self.fleet;
            let hint = did_you_mean(id.as_str(), fleet.units().map(|(_, u)| u.unit.as_str()));
            self.wrong(line, format!("unit {id} is not in the fleet of this file; {hint}"));
        }
    }

    fn rule(&mut self, line: u32, id: &str) {
        if !self.rules.rules.iter().any(|r| r.id.as_str() == id) {
            let rules = self.rules;
            let hint = did_you_mean(id, rules.rules.iter().map(|r| r.id.as_str()));
            self.wrong(line, format!("there is no rule {} in the alerts file; {hint}", quoted(id)));
        }
    }

    fn incident(&mut self, line: u32, kind: Option<GroupKind>, name: Option<&str>) {
        if let Some(kind) = kind
            && !self.rules.incidents.iter().any(|i| i.group_by == kind)
        {
            self.wrong(line, format!("no [[incident]] of the alerts file groups by {kind}; it can never open"));
        }
        let Some(name) = name else { return };
        let fits =
            |(k, n): &&(GroupKind, crate::domain::GroupName)| n.as_str() == name && kind.is_none_or(|kind| *k == kind);
        if self.fleet.groups().keys().find(fits).is_none() {
            let fleet = self.fleet;
            let names = fleet.groups().keys().filter(|(k, _)| kind.is_none_or(|kind| *k == kind));
            let hint = did_you_mean(name, names.map(|(_, n)| n.as_str()));
            self.wrong(line, format!("the fleet of this file has no circuit or place {}; {hint}", quoted(name)));
        }
    }
}

fn did_you_mean<'k>(text: &str, known: impl Iterator<Item = &'k str>) -> String {
    const SHOWN: usize = 12;
    let mut known: Vec<&str> = known.collect();
    if let Some(word) = nearest(text, known.iter().copied()) {
        return format!("did you mean {word}?");
    }
    if known.len() > SHOWN {
        known.truncate(SHOWN);
        known.push("…");
    }
    format!("it has: {}", known.join(", "))
}
