//! `order = { … }`: what a crew is asked to do, and what stands there when the file does not say.
//! Never opens an order.

use std::time::Duration;

use super::super::document::Block;
use super::super::duration::MINUTE;
use super::super::spelling::quoted;
use super::ORDER_AFTER;
use crate::domain::order::Suspect;
use crate::domain::rule::{Condition, OrderPlan};
use crate::domain::{Component, CrewId, GroupKind, Priority, Severity};

const KEYS: &[&str] = &["priority", "after", "crew", "action", "parts", "suspects", "per_site"];

/// Siblings on a dead circuit fall silent within one heartbeat interval and its slack: wait for them all.
const SILENT_AFTER: Duration = Duration::from_secs(5 * 60);
/// An incident has its siblings already; it waits for the wider incident that may take it over.
const INCIDENT_AFTER: Duration = Duration::from_secs(2 * MINUTE.as_secs());

struct Defaults {
    /// None: without a priority of its own it sends nobody out.
    priority: Option<Priority>,
    after: Duration,
    action: String,
    suspects: Vec<Suspect>,
}

/// Some(None): sends nobody out. None: something was noted.
pub fn of_rule(
    block: &Block<'_>,
    component: Option<Component>,
    severity: Option<Severity>,
    condition: Option<&Condition>,
) -> Option<Option<OrderPlan>> {
    // What stands in the order is checked even when the rule around it is broken; the stand-ins are never used then.
    let broken = component.is_none() || severity.is_none();
    let component = component.unwrap_or(Component::Controller);
    let after = match condition {
        Some(condition) if condition.leaves().into_iter().any(Condition::is_silent) => SILENT_AFTER,
        Some(_) | None => Duration::ZERO,
    };
    let defaults = Defaults {
        priority: severity.unwrap_or(Severity::Major).default_priority(),
        after,
        action: component_action(component).to_owned(),
        suspects: vec![Suspect { component, certainty: 100 }],
    };
    let by_default = defaults.priority.is_some();
    let plan = plan(block, defaults, by_default, true);
    if broken { None } else { plan }
}

/// Like [`of_rule`]. The fleet's own incident is our blindness, not a repair: nobody is sent unless the file says so.
pub fn of_incident(block: &Block<'_>, group_by: Option<GroupKind>, severity: Severity) -> Option<Option<OrderPlan>> {
    let group_by = group_by?;
    let defaults = Defaults {
        priority: Some(severity.default_priority().unwrap_or(Priority::P3)),
        after: INCIDENT_AFTER,
        action: group_action(group_by).to_owned(),
        suspects: Vec::new(),
    };
    plan(block, defaults, group_by != GroupKind::Fleet, false)
}

/// `of_unit`: else of an incident, which has one order for all its units anyway.
fn plan(block: &Block<'_>, defaults: Defaults, by_default: bool, of_unit: bool) -> Option<Option<OrderPlan>> {
    let Some(item) = block.get("order") else {
        let plan = by_default.then_some(OrderPlan {
            priority: defaults.priority.unwrap_or(Priority::P3),
            after: defaults.after,
            crew: None,
            action: defaults.action,
            parts: Vec::new(),
            suspects: defaults.suspects,
            per_site: false,
        });
        return Some(plan);
    };
    if item.as_flag() == Some(false) {
        return Some(None);
    }
    if item.as_flag().is_none() && !item.is_group() {
        item.wrong(format_args!("must be false, or a group such as {{ priority = \"P2\" }}{}", item.got()));
        return None;
    }
    let inner = if item.is_group() { item.block() } else { None };
    if let Some(inner) = &inner {
        inner.only_keys(KEYS, |_| None);
    }
    let get = |key: &str| inner.as_ref().and_then(|i| i.get(key));
    let priority = match get("priority") {
        Some(item) => item.word::<Priority>(),
        None => {
            if defaults.priority.is_none() {
                item.wrong(
                    "needs a priority, for a warning alone sends nobody out; write { priority = \"P4\" }, or drop the order",
                );
            }
            defaults.priority
        }
    };
    let after = match get("after") {
        Some(item) => item.span_or_zero(ORDER_AFTER),
        None => Some(defaults.after),
    };
    let crew = match get("crew") {
        Some(item) => item.parsed(|t| CrewId::parse(t.trim())).map(Some),
        None => Some(None),
    };
    let action = match get("action") {
        Some(item) => item.words().map(str::to_owned),
        None => Some(defaults.action),
    };
    let parts = match get("parts") {
        Some(item) => item.texts().map(|parts| parts.into_iter().map(str::to_owned).collect()),
        None => Some(Vec::new()),
    };
    let suspects = match inner.as_ref().filter(|i| i.has("suspects")) {
        Some(inner) => suspects(inner),
        None => Some(defaults.suspects),
    };
    let per_site = match get("per_site") {
        Some(item) if !of_unit => {
            item.wrong("has no meaning here: an incident has one order for all its units; drop it");
            None
        }
        Some(item) => item.flag(),
        None => Some(false),
    };
    Some(Some(OrderPlan {
        priority: priority?,
        after: after?,
        crew: crew?,
        action: action?,
        parts: parts?,
        suspects: suspects?,
        per_site: per_site?,
    }))
}

/// `[{ component = "battery", certainty = 80 }, …]`, together 100.
pub fn suspects(block: &Block<'_>) -> Option<Vec<Suspect>> {
    let item = block.get("suspects")?;
    let mut found: Vec<Option<Suspect>> = Vec::new();
    for part in item.list() {
        let Some(inner) = part.block() else {
            found.push(None);
            continue;
        };
        inner.only_keys(&["component", "certainty"], |_| None);
        let component = inner.need("component", "say what may be broken").and_then(|i| i.word::<Component>());
        let certainty = inner.need("certainty", "say how sure, in percent").and_then(|i| i.whole(1..=100));
        if let Some(component) = component
            && found.iter().flatten().any(|s| s.component == component)
        {
            part.wrong(format_args!("names {} twice; add their certainty up", quoted(component.as_str())));
        }
        found.push(component.zip(certainty).map(|(component, c)| Suspect { component, certainty: c as u8 }));
    }
    let found: Vec<Suspect> = found.into_iter().collect::<Option<_>>()?;
    let sum: u32 = found.iter().map(|s| u32::from(s.certainty)).sum();
    if sum != 100 {
        item.wrong(format_args!("must add up to 100 percent (they make {sum})"));
        return None;
    }
    Some(found)
}

fn component_action(component: Component) -> &'static str {
    match component {
        Component::Controller => "Check the controller: power, lights, connectors; swap it if it does not start",
        Component::Battery => "Measure the battery under load; swap it if it is weak",
        Component::Charger => "Check the charger's fuse, connectors and output; swap it if it gives no current",
        Component::Mains => "Check the mains supply: breaker, fuse, cable",
        Component::Camera => "Check the camera: view, lens, cable; clean it or swap it",
        Component::Microphone => "Check the microphone: opening, cable; clean it or swap it",
        Component::Speaker => "Check the speaker: cable, volume; swap it if it is dumb",
        Component::Button => "Check the button: it must move freely; make a test press",
        Component::Uplink => "Check power at the pole, then the link: antenna, SIM, modem",
        Component::Stream => "Check the video stream to the control room: link speed, settings",
        Component::Clock => "Check the unit's time settings and its clock battery",
        Component::Firmware => "Check the firmware version; install it again if need be",
        Component::Enclosure => "Check the box: closed, dry, undamaged, not too hot",
    }
}

fn group_action(kind: GroupKind) -> &'static str {
    match kind {
        GroupKind::Uplink => "Restore the network circuit that these units share",
        GroupKind::Feeder => "Check the power feeder that these units share",
        GroupKind::Site => "Check what all units of this site share: power, cabinet, switch",
        GroupKind::City => "Find out what the units of this city share: exchange, network, power",
        GroupKind::Fleet => "Check the monitor itself: its network, its broker, its clock",
    }
}
