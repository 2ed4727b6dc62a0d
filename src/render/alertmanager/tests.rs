//! One golden: what Alertmanager is sent.

use crate::config::check_fleet;
use crate::domain::{Component, GroupName, OrderId, RuleId, UnitId};

use super::*;

fn unit(id: &str) -> UnitId {
    UnitId::parse(id).expect("an id")
}

fn alert(id: &str, rule: &str, severity: Severity, state: AlertState) -> AlertRow {
    AlertRow {
        unit: unit(id),
        rule: RuleId::parse(rule).expect("an id"),
        component: Component::Uplink,
        severity,
        state,
        flapping: false,
        since: Timestamp::parse("2026-11-21T09:01:45Z").expect("a time"),
        reason: "no heartbeat for 1 min 45 s".to_owned(),
        because: None,
        order: OrderId::parse("WO-000042").ok(),
    }
}

fn incident(kind: GroupKind, name: &str, units: &[&str]) -> IncidentRow {
    IncidentRow {
        kind,
        name: GroupName::parse(name).expect("a name"),
        state: IncidentState::Open,
        since: Timestamp::parse("2026-11-21T09:02:00Z").expect("a time"),
        units: units.iter().map(|u| unit(u)).collect(),
        reason: "2 of 3 units are silent".to_owned(),
        because: None,
        order: None,
    }
}

fn fleet() -> Fleet {
    let csv = "unit,name,site,city,crew\nPSH-001,North gate,Jinnah Park,Peshawar,saddar\nPSH-002,,Wazir Bagh,Peshawar,saddar\n";
    Fleet::new(check_fleet("fleet.csv", csv.as_bytes()).unwrap_or_else(|p| panic!("{p}")))
}

fn chosen(severities: &BTreeSet<Severity>, inhibited: bool) -> Chosen<'_> {
    Chosen { severities, inhibited, instance: "buttons.example.org", public_url: "https://buttons.example.org" }
}

#[test]
fn an_alert_and_an_incident_carry_what_routes_and_people_need() {
    let alerts = [
        alert("PSH-001", "unit-silent", Severity::Critical, AlertState::Firing),
        alert("PSH-002", "unit-silent", Severity::Critical, AlertState::Firing),
        // It left the fleet while its alert was open.
        alert("PSH-099", "unit-silent", Severity::Critical, AlertState::Firing),
    ];
    let incidents = [
        incident(GroupKind::Site, "Jinnah Park", &["PSH-001"]),
        incident(GroupKind::Uplink, "ptcl-1", &["PSH-001", "PSH-002"]),
    ];
    let all = Severity::ALL.iter().copied().collect();
    let standing = standing(&alerts, &incidents, &fleet(), &chosen(&all, false));
    let until = Timestamp::parse("2026-11-21T09:06:00Z").expect("a time");
    let pushed: Vec<PushedAlert> = standing.iter().map(|(labels, one)| one.open_until(labels, until)).collect();
    insta::assert_snapshot!(serde_json::to_string_pretty(&pushed).expect("JSON"));
}

#[test]
fn only_what_fires_and_was_chosen_is_told() {
    let alerts = [
        alert("PSH-001", "a", Severity::Critical, AlertState::Firing),
        alert("PSH-001", "b", Severity::Minor, AlertState::Firing),
        alert("PSH-001", "c", Severity::Critical, AlertState::Inhibited),
        alert("PSH-001", "d", Severity::Critical, AlertState::Pending),
        alert("PSH-001", "e", Severity::Critical, AlertState::Resolved),
    ];
    let check = |severities: &[Severity], inhibited: bool, expected: &[&str]| {
        let severities = severities.iter().copied().collect();
        let told = standing(&alerts, &[], &fleet(), &chosen(&severities, inhibited));
        let names: Vec<&str> = told.keys().map(|labels| labels["alertname"].as_str()).collect();
        assert_eq!(names, expected, "{severities:?} {inhibited}");
    };
    check(&[Severity::Critical, Severity::Minor], false, &["a", "b"]);
    check(&[Severity::Critical], false, &["a"]);
    check(&[Severity::Critical], true, &["a", "c"]);
}

#[test]
fn an_end_is_never_before_its_beginning() {
    let all = Severity::ALL.iter().copied().collect();
    let alerts = [alert("PSH-001", "a", Severity::Critical, AlertState::Firing)];
    let told = standing(&alerts, &[], &fleet(), &chosen(&all, false));
    let (labels, one) = told.first_key_value().expect("one");
    assert_eq!(one.ended(labels, Timestamp::from_millis(0)).ends_at, one.since);
}
