//! Alerts and incidents as Alertmanager's API v2 takes them. Never decides what is open; the words of labels are a contract
//! with the operator's routes: docs/monitoring.md lists them.
//!
//! Labels are what an alert is known by: they hold nothing that changes while it is open. What may change (the reason, the
//! order) is an annotation.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::domain::view::{AlertRow, IncidentRow};
use crate::domain::{AlertState, Fleet, GroupKind, IncidentState, Severity, Timestamp};

pub type Labels = BTreeMap<&'static str, String>;

/// What is open, and is not sent yet: the times of a push are added by [`Standing::open_until`] and [`Standing::ended`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub since: Timestamp,
    pub annotations: BTreeMap<&'static str, String>,
    pub source: String,
}

/// One element of the list that `POST /api/v2/alerts` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PushedAlert {
    pub labels: Labels,
    pub annotations: BTreeMap<&'static str, String>,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    #[serde(rename = "generatorURL")]
    pub generator_url: String,
}

/// Which alerts are told, and as whose.
pub struct Chosen<'a> {
    pub severities: &'a BTreeSet<Severity>,
    /// Those that an incident holds back, too.
    pub inhibited: bool,
    /// Tells two Buttonwatches at one Alertmanager apart.
    pub instance: &'a str,
    /// What links start with, without a slash at the end.
    pub public_url: &'a str,
}

/// An incident of a whole city would fill a pager's screen.
const UNITS_NAMED: usize = 20;

impl Standing {
    /// It is still open; Alertmanager ends it by itself at `until`, unless it is told again before.
    pub fn open_until(&self, labels: &Labels, until: Timestamp) -> PushedAlert {
        PushedAlert {
            labels: labels.clone(),
            annotations: self.annotations.clone(),
            starts_at: self.since,
            ends_at: until,
            generator_url: self.source.clone(),
        }
    }

    /// It is over since `at`.
    pub fn ended(&self, labels: &Labels, at: Timestamp) -> PushedAlert {
        // One that ended within the millisecond in which it began would be invalid the other way round.
        self.open_until(labels, at.max(self.since))
    }
}

/// What is open, by its labels.
pub fn standing(
    alerts: &[AlertRow],
    incidents: &[IncidentRow],
    fleet: &Fleet,
    chosen: &Chosen<'_>,
) -> BTreeMap<Labels, Standing> {
    let told = |row: &&AlertRow| {
        chosen.severities.contains(&row.severity)
            && match row.state {
                AlertState::Firing => true,
                AlertState::Inhibited => chosen.inhibited,
                AlertState::Pending | AlertState::Resolved => false,
            }
    };
    let open = |row: &&IncidentRow| match row.state {
        IncidentState::Open => true,
        IncidentState::Closed => false,
    };
    let alerts = alerts.iter().filter(told).map(|row| of_alert(row, fleet, chosen));
    alerts.chain(incidents.iter().filter(open).map(|row| of_incident(row, fleet, chosen))).collect()
}

fn of_alert(row: &AlertRow, fleet: &Fleet, chosen: &Chosen<'_>) -> (Labels, Standing) {
    let mut labels = Labels::from([
        ("alertname", row.rule.to_string()),
        ("unit", row.unit.to_string()),
        ("component", row.component.to_string()),
        ("severity", row.severity.to_string()),
        ("instance", chosen.instance.to_owned()),
    ]);
    let mut place = String::new();
    if let Some(ix) = fleet.find(row.unit.as_str()) {
        let unit = fleet.unit(ix);
        labels.insert("site", unit.site.to_string());
        labels.insert("city", unit.city.to_string());
        labels.insert("crew", unit.crew.to_string());
        // Without a name of its own, a unit has its site's.
        place = match &*unit.name {
            name if name.is_empty() || name == unit.site.as_str() => format!(" ({})", unit.site),
            name => format!(" ({}, {name})", unit.site),
        };
    }
    let mut annotations =
        BTreeMap::from([("summary", format!("{}{place}: {}", row.unit, row.reason)), ("reason", row.reason.clone())]);
    annotations.extend(row.order.map(|order| ("order", order.to_string())));
    if row.flapping {
        annotations.insert("flapping", "it comes and goes".to_owned());
    }
    let source = format!("{}/api/v1/units/{}", chosen.public_url, row.unit);
    (labels, Standing { since: row.since, annotations, source })
}

fn of_incident(row: &IncidentRow, fleet: &Fleet, chosen: &Chosen<'_>) -> (Labels, Standing) {
    let mut labels = Labels::from([
        ("alertname", format!("incident-{}", row.kind)),
        ("kind", row.kind.to_string()),
        ("name", row.name.to_string()),
        // Several buttons at once, or the monitor's own blindness: somebody must look.
        ("severity", Severity::Critical.to_string()),
        ("instance", chosen.instance.to_owned()),
    ]);
    match row.kind {
        GroupKind::Site => {
            labels.insert("site", row.name.to_string());
            let at_site = fleet.units().map(|(_, unit)| unit).find(|unit| unit.site.as_str() == row.name.as_str());
            labels.extend(at_site.map(|unit| ("city", unit.city.to_string())));
        }
        GroupKind::City => {
            labels.insert("city", row.name.to_string());
        }
        GroupKind::Uplink | GroupKind::Feeder | GroupKind::Fleet => {}
    }
    let units = row.units.len();
    let mut named: Vec<String> = row.units.iter().take(UNITS_NAMED).map(ToString::to_string).collect();
    if units > UNITS_NAMED {
        named.push(format!("and {} more", units - UNITS_NAMED));
    }
    let word = if units == 1 { "unit" } else { "units" };
    let mut annotations = BTreeMap::from([
        ("summary", format!("{} {}, {units} {word}: {}", row.kind, row.name, row.reason)),
        ("reason", row.reason.clone()),
        ("units", named.join(", ")),
    ]);
    annotations.extend(row.order.map(|order| ("order", order.to_string())));
    (labels, Standing { since: row.since, annotations, source: format!("{}/api/v1/incidents", chosen.public_url) })
}

#[cfg(test)]
mod tests;
