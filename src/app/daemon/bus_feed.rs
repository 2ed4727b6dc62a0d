//! What the observers' bus is told of our conclusions. The topics stand in `io::bus`'s table. Never waits: the bus is a
//! copy, and may be dead.

use bytes::Bytes;

use crate::domain::view::{OrderView, UnitRow};
use crate::domain::{AlertState, Effect, EffectKind, IncidentState};
use crate::io::bus::{BusHandle, Topics};
use crate::render::timeline::write_effect;

pub(super) fn tell(bus: &BusHandle, root: &str, effects: &[Effect]) {
    let topics = Topics::new(root);
    for effect in effects {
        match &effect.kind {
            EffectKind::Readiness { unit, .. } => bus.publish(&topics.readiness(unit), line(effect), true),
            EffectKind::Alert { unit, rule, state, .. } => {
                // Retained until it is over: an empty message takes a retained one away.
                let topic = topics.alert(unit, rule);
                bus.publish(&topic, line(effect), true);
                if *state == AlertState::Resolved {
                    bus.publish(&topic, Bytes::new(), true);
                }
            }
            EffectKind::Incident { kind, name, state, .. } => {
                let topic = topics.incident(*kind, name);
                bus.publish(&topic, line(effect), true);
                if *state == IncidentState::Closed {
                    bus.publish(&topic, Bytes::new(), true);
                }
            }
            EffectKind::Order(order) | EffectKind::OrderUpdated(order) => {
                let topic = topics.order(order.id);
                // A view is plain data: it cannot fail to become JSON, and a copy may be missing.
                let json = serde_json::to_vec(&OrderView::from(order.as_ref())).unwrap_or_default();
                bus.publish(&topic, Bytes::from(json), true);
                if !order.state.is_open() {
                    bus.publish(&topic, Bytes::new(), true);
                }
            }
            EffectKind::Mail(_)
            | EffectKind::Command { .. }
            | EffectKind::Reading { .. }
            | EffectKind::Refused { .. } => {}
        }
    }
}

/// At the start: what is known of every unit, so that an observer who comes later sees it.
pub(super) fn tell_all(bus: &BusHandle, root: &str, units: &[UnitRow]) {
    let topics = Topics::new(root);
    for row in units {
        let state = serde_json::json!({
            "at": row.since, "event": "readiness", "unit": row.unit, "from": null, "to": row.readiness, "reason": row.reason,
        });
        bus.publish(&topics.readiness(&row.unit), Bytes::from(state.to_string()), true);
    }
}

fn line(effect: &Effect) -> Bytes {
    let mut out = Vec::new();
    write_effect(effect, &mut out);
    Bytes::copy_from_slice(out.trim_ascii_end())
}
