//! The mail of a decision: to whom, why, and under which id, so that an order's life is one thread. Never sends anything.

use crate::domain::notice::{IncidentFacts, NoticeKind};
use crate::domain::{EffectKind, MessageId, Notice, OrderId, Reason, Recipient, Timestamp};

use super::Engine;

impl Engine {
    fn message_id(&self, local: &str) -> MessageId {
        MessageId::parse(&format!("<{local}@{}>", self.settings.mail_domain))
            .or_else(|_| MessageId::parse(&format!("<{local}@buttonwatch.invalid>")))
            .expect("a local part of ids and digits with a valid domain is a Message-ID")
    }

    /// The same decision makes the same id; the time keeps ids apart when a store is begun anew.
    pub(super) fn notify_order(&mut self, at: Timestamp, id: OrderId, kind: NoticeKind) {
        let order = self.orders[&id].order.clone();
        let local = format!("{id}.{}", order.opened_at.as_millis()).to_lowercase();
        let first = self.message_id(&local);
        let follow_up = kind != NoticeKind::OrderOpened;
        let message_id =
            if follow_up { self.message_id(&format!("{local}.{}", order.history.len())) } else { first.clone() };
        let notice = Notice {
            at,
            kind,
            to: Recipient::Crew(order.crew.clone()),
            message_id,
            in_reply_to: follow_up.then_some(first),
            reason: order.history.last().map(|c| c.why.to_string()).unwrap_or_default(),
            orders: vec![order],
            incident: None,
        };
        self.emit(at, EffectKind::Mail(Box::new(notice)));
    }

    pub(super) fn notify_incident(
        &mut self,
        at: Timestamp,
        to: Recipient,
        facts: IncidentFacts,
        kind: NoticeKind,
        reason: &Reason,
    ) {
        let slug = slug(facts.name.as_str());
        let local = format!("incident.{}.{slug}.{}", facts.kind, facts.opened_at.as_millis());
        let first = self.message_id(&local);
        let follow_up = kind != NoticeKind::IncidentOpened;
        let message_id = if follow_up { self.message_id(&format!("{local}.closed")) } else { first.clone() };
        let notice = Notice {
            at,
            kind,
            to,
            message_id,
            in_reply_to: follow_up.then_some(first),
            reason: reason.to_string(),
            orders: Vec::new(),
            incident: Some(facts),
        };
        self.emit(at, EffectKind::Mail(Box::new(notice)));
    }
}

/// Safe in a Message-ID: letters and digits kept, any other run becomes one hyphen. Urdu names become their bytes' sum,
/// so that two of them on one day stay apart.
fn slug(name: &str) -> String {
    let ascii: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let sum = name.bytes().fold(0u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(b)));
    format!("{}-{sum:08x}", ascii.trim_matches('-').chars().take(40).collect::<String>().to_lowercase())
}
