//! The fleet file that the service is started with, beside the fleet that the store holds: which of them is the fleet, and
//! what differs. Owns that decision. Never reads or changes anything.

use std::collections::BTreeMap;

use hex::encode;
use sha2::{Digest, Sha256};

use crate::domain::view::{ImportPlan, UnitChange};
use crate::domain::{Unit, UnitId};

/// As it lies there now.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetFile {
    pub units: Vec<Unit>,
    digest: String,
}

impl FleetFile {
    /// `units`: what `bytes` say.
    pub fn new(units: Vec<Unit>, bytes: &[u8]) -> Self {
        FleetFile { units, digest: encode(Sha256::digest(bytes)) }
    }

    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What a start does with it. `stored`: the fleet of the store. `taken`: the digest of the file that was last taken over.
    ///
    /// The file replaces the fleet when somebody has changed it. A file that nobody has touched takes nothing back: units
    /// that were imported or accepted since would be gone after a power cut, and their work orders with them.
    pub fn at_start(&self, stored: &[Unit], taken: Option<&str>) -> AtStart {
        let plan = plan_import(stored, &self.units, false);
        let differs = !(plan.added.is_empty() && plan.removed.is_empty() && plan.changed.is_empty());
        match (differs, taken == Some(self.digest())) {
            (false, _) => AtStart::Same,
            (true, true) => AtStart::StoreStays(plan),
            (true, false) => AtStart::FileReplaces(plan),
        }
    }
}

/// The plan is what taking over the file changes, or would change.
#[derive(Debug, Clone, PartialEq)]
pub enum AtStart {
    Same,
    FileReplaces(ImportPlan),
    StoreStays(ImportPlan),
}

/// `1 unit added, 67 removed (PSH-002, PSH-003, PSH-004 and 64 more), 2 changed`
pub fn plan_text(plan: &ImportPlan) -> String {
    const NAMED: usize = 3;
    let count = |ids: &[UnitId], what: &str| {
        let named = ids.iter().take(NAMED).map(UnitId::as_str).collect::<Vec<_>>().join(", ");
        match ids.len() {
            0 => format!("0 {what}"),
            n if n <= NAMED => format!("{n} {what} ({named})"),
            n => format!("{n} {what} ({named} and {} more)", n - NAMED),
        }
    };
    let mut changed: Vec<UnitId> = plan.changed.iter().map(|change| change.unit.clone()).collect();
    changed.dedup();
    [count(&plan.added, "added"), count(&plan.removed, "removed"), count(&changed, "changed")].join(", ")
}

/// What an import would change, field by field.
pub fn plan_import(before: &[Unit], after: &[Unit], dry_run: bool) -> ImportPlan {
    let old: BTreeMap<&UnitId, &Unit> = before.iter().map(|u| (&u.unit, u)).collect();
    let new: BTreeMap<&UnitId, &Unit> = after.iter().map(|u| (&u.unit, u)).collect();
    let mut plan = ImportPlan { dry_run, ..ImportPlan::default() };
    plan.removed = old.keys().filter(|id| !new.contains_key(*id)).map(|id| (*id).clone()).collect();
    for (id, unit) in new {
        let Some(was) = old.get(id) else {
            plan.added.push(id.clone());
            continue;
        };
        let changes = changed_fields(was, unit);
        if changes.is_empty() {
            plan.unchanged += 1;
        }
        plan.changed.extend(changes.into_iter().map(|(field, from, to)| UnitChange {
            unit: id.clone(),
            field: field.to_owned(),
            from,
            to,
        }));
    }
    plan
}

fn changed_fields(a: &Unit, b: &Unit) -> Vec<(&'static str, String, String)> {
    fields(a)
        .into_iter()
        .zip(fields(b))
        .filter(|((_, from), (_, to))| from != to)
        .map(|((name, from), (_, to))| (name, from, to))
        .collect()
}

fn fields(u: &Unit) -> [(&'static str, String); 14] {
    let text = |t: Option<&str>| t.unwrap_or_default().to_owned();
    [
        ("name", u.name.to_string()),
        ("site", u.site.to_string()),
        ("site_type", u.site_type.to_string()),
        ("city", u.city.to_string()),
        ("district", text(u.district.as_ref().map(|d| d.as_str()))),
        ("address", u.address.to_string()),
        ("position", u.position.map_or(String::new(), |(lat, lon)| format!("{lat}, {lon}"))),
        ("crew", u.crew.to_string()),
        ("uplink", text(u.uplink.as_ref().map(|d| d.as_str()))),
        ("feeder", text(u.feeder.as_ref().map(|d| d.as_str()))),
        ("model", u.model.to_string()),
        ("heartbeat_s", u.heartbeat.map_or(String::new(), |h| h.as_secs().to_string())),
        ("commissioned", u.commissioned.map_or(String::new(), |c| c.to_string())),
        ("contact", u.contact.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fleet::check_fleet;

    fn file(rows: &str) -> FleetFile {
        let text = format!("unit,site,city,crew\n{rows}");
        FleetFile::new(check_fleet("fleet.csv", text.as_bytes()).expect("a fleet of this test"), text.as_bytes())
    }

    const ONE: &str = "A1,Gate,Peshawar,saddar\n";
    const THREE: &str = "A1,Gate,Peshawar,saddar\nA2,Gate,Peshawar,saddar\nA3,Gate,Peshawar,saddar\n";

    #[test]
    fn a_file_that_nobody_has_touched_takes_no_imported_unit_away() {
        let (file, imported) = (file(ONE), file(THREE).units);
        let AtStart::StoreStays(plan) = file.at_start(&imported, Some(file.digest())) else {
            panic!("the store stays")
        };
        assert_eq!(plan_text(&plan), "0 added, 2 removed (A2, A3), 0 changed");
    }

    #[test]
    fn a_changed_file_replaces_the_fleet() {
        let (before, now) = (file(ONE), file(THREE));
        let AtStart::FileReplaces(plan) = now.at_start(&before.units, Some(before.digest())) else {
            panic!("the file")
        };
        assert_eq!(plan_text(&plan), "2 added (A2, A3), 0 removed, 0 changed");
    }

    #[test]
    fn the_first_file_replaces_the_fleet_of_an_import() {
        let AtStart::FileReplaces(plan) = file(ONE).at_start(&file(THREE).units, None) else { panic!("the file") };
        assert_eq!(plan.removed.len(), 2);
    }

    #[test]
    fn the_same_fleet_in_other_words_changes_nothing() {
        let other = file(&format!("# the first one\n{ONE}"));
        assert_eq!(other.at_start(&file(ONE).units, Some(file(ONE).digest())), AtStart::Same);
    }

    #[test]
    fn of_many_units_the_first_are_named() {
        let many: String = (1..=9).map(|n| format!("B{n},Gate,Peshawar,saddar\n")).collect();
        let AtStart::FileReplaces(plan) = file(&many).at_start(&file(ONE).units, None) else { panic!("the file") };
        assert_eq!(plan_text(&plan), "9 added (B1, B2, B3 and 6 more), 1 removed (A1), 0 changed");
    }
}
