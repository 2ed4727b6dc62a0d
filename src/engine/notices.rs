//! Composes the mail of a decision: under which id, in which thread, with what in it. When one is due, and to whom, is
//! `dispatch`'s; its words are `render`'s. Never sends anything.

use std::collections::BTreeMap;

use crate::domain::notice::{IncidentFacts, IncidentNews, NoticeKind, NoticeReason};
use crate::domain::notice_plan::FOLD_WITHIN;
use crate::domain::{EffectKind, MessageId, Notice, Order, OrderId, OrderState, Reason, Recipient, SiteId, Timestamp};

use super::Engine;
use super::dispatch::{Told, openings};
use super::route::{Stop, round_trip};

/// Threads that one mail belongs to. A header of more ids than this is cut by servers.
const THREADS: usize = 20;

impl Engine {
    fn message_id(&self, local: &str) -> MessageId {
        MessageId::parse(&format!("<{local}@{}>", self.settings.mail_domain))
            .or_else(|_| MessageId::parse(&format!("<{local}@buttonwatch.invalid>")))
            .expect("a local part of ids and digits with a valid domain is a Message-ID")
    }

    /// One order, whole. Which kind of news it is follows from what this reader knows of it.
    pub(super) fn write_single(&mut self, at: Timestamp, reader: &Recipient, id: OrderId, why: NoticeReason) {
        let record = &self.orders[&id];
        let order = record.order.clone();
        let told = record.life.told.get(reader);
        let kind = kind_of(reader, &order, told, &why);
        // The same decision makes the same id; the time keeps ids apart when a store is begun anew.
        let first = format!("{id}.{}", order.opened_at.as_millis()).to_lowercase();
        let local = match kind {
            NoticeKind::OrderOpened => first,
            NoticeKind::OrderReopened => format!("{first}.{}", order.history.len()),
            NoticeKind::OrderClosed => match reader {
                Recipient::Crew(_) => format!("{first}.{}", order.history.len()),
                Recipient::Supervisor(_) | Recipient::Operator | Recipient::ReportReaders => {
                    format!("{first}.{}.escalated", order.history.len())
                }
            },
            NoticeKind::OrderRaised => format!("{first}.raised-{}", order.priority).to_lowercase(),
            NoticeKind::OrderReminder => format!("{first}.reminder.{}", at.as_millis()),
            NoticeKind::OrderEscalated => format!("{first}.escalated.{}", at.as_millis()),
            NoticeKind::Digest
            | NoticeKind::Summary
            | NoticeKind::IncidentOpened
            | NoticeKind::IncidentClosed
            | NoticeKind::Report
            | NoticeKind::MonitorTrouble
            | NoticeKind::MonitorWell
            | NoticeKind::Test => unreachable!("`kind_of` gives kinds of single orders"),
        };
        // A supervisor's first mail answers the crew's: whoever reads both sees one thread.
        let crew = Recipient::Crew(order.crew.clone());
        let in_reply_to = told.or_else(|| record.life.told.get(&crew)).map(|t| t.thread.clone());
        let message_id = self.message_id(&local);
        let notice = Notice {
            at,
            kind,
            to: reader.clone(),
            message_id: message_id.clone(),
            in_reply_to,
            references: Vec::new(),
            why,
            reason: order.history.last().map(|c| c.why.to_string()).unwrap_or_default(),
            orders: vec![order],
            incident: None,
            incidents: Vec::new(),
            report: None,
        };
        self.emit(at, EffectKind::Mail(Box::new(notice)));
        self.note_told(at, reader, id, &message_id);
    }

    /// Several orders in one mail: open ones in the order of a round trip, then those that wait for their proof, then those
    /// that are over.
    pub(super) fn write_together(
        &mut self,
        at: Timestamp,
        reader: &Recipient,
        kind: NoticeKind,
        why: NoticeReason,
        ids: &[OrderId],
    ) {
        let orders = self.in_order_of_visits(reader, ids);
        let threads = match kind == NoticeKind::Digest {
            // Every order's own thread goes on without it: a list of everything answers nothing.
            true => Vec::new(),
            false => self.threads(reader, &orders),
        };
        let role = match reader {
            Recipient::Crew(crew) => slug(crew.as_str()),
            Recipient::Supervisor(crew) => format!("supervisor-{}", slug(crew.as_str())),
            Recipient::Operator | Recipient::ReportReaders => "operator".to_owned(),
        };
        let message_id = self.message_id(&format!("{kind}.{role}.{}", at.as_millis()));
        let open = orders.iter().filter(|o| o.state.is_open()).count();
        let reason = match orders.len() - open {
            0 => format!("{open} orders are open"),
            over => format!("{open} orders are open, {over} are over"),
        };
        let ids: Vec<OrderId> = orders.iter().map(|o| o.id).collect();
        let mut threads = threads.into_iter();
        let notice = Notice {
            at,
            kind,
            to: reader.clone(),
            message_id: message_id.clone(),
            in_reply_to: threads.next(),
            references: threads.take(THREADS).collect(),
            why,
            reason,
            orders,
            incident: None,
            incidents: Vec::new(),
            report: None,
        };
        self.emit(at, EffectKind::Mail(Box::new(notice)));
        for id in ids {
            self.note_told(at, reader, id, &message_id);
        }
    }

    fn threads(&self, reader: &Recipient, orders: &[Order]) -> Vec<MessageId> {
        let mut threads: Vec<MessageId> = Vec::new();
        for told in orders.iter().filter_map(|o| self.orders[&o.id].life.told.get(reader)) {
            if !threads.contains(&told.thread) {
                threads.push(told.thread.clone());
            }
        }
        threads
    }

    fn in_order_of_visits(&self, reader: &Recipient, ids: &[OrderId]) -> Vec<Order> {
        let depot = self.settings.notices.of(reader).depot;
        let mut stops: BTreeMap<SiteId, Stop> = BTreeMap::new();
        let orders: Vec<&Order> = ids.iter().filter_map(|id| self.orders.get(id)).map(|r| &r.order).collect();
        for order in orders.iter().filter(|o| is_to_do(o)) {
            let Some((site, position)) = self.place_of(order) else { continue };
            let stop = stops.entry(site.clone()).or_insert(Stop { site, position, priority: order.priority });
            stop.priority = stop.priority.min(order.priority);
            stop.position = stop.position.or(position);
        }
        let trip = round_trip(depot, stops.into_values().collect());
        let place = |order: &Order| {
            let site = self.place_of(order).map(|(site, _)| site);
            let stop = site.and_then(|site| trip.iter().position(|s| *s == site)).unwrap_or(trip.len());
            match (order.state.is_open(), is_to_do(order)) {
                (true, true) => (0, stop),
                (true, false) => (1, stop),
                (false, _) => (2, 0),
            }
        };
        let mut sorted: Vec<(_, &Order)> = orders.into_iter().map(|o| ((place(o), o.priority, o.id), o)).collect();
        sorted.sort_by_key(|(key, _)| *key);
        sorted.into_iter().map(|(_, order)| in_brief(order)).collect()
    }

    /// Of a common cause: where its first unit stands.
    fn place_of(&self, order: &Order) -> Option<(SiteId, Option<(f64, f64)>)> {
        let first = match &order.subject {
            crate::domain::Subject::Unit { unit, component: _ } => Some(unit),
            crate::domain::Subject::Incident { kind: _, name: _ } => order.units.first(),
        };
        let unit = first.and_then(|u| self.fleet.find(u.as_str())).map(|ix| self.fleet.unit(ix));
        match unit {
            Some(unit) => Some((unit.site.clone(), unit.position)),
            None => order.site.clone().map(|site| (site, None)),
        }
    }

    pub(super) fn notify_incident(
        &mut self,
        at: Timestamp,
        to: Recipient,
        facts: IncidentFacts,
        kind: NoticeKind,
        reason: &Reason,
    ) {
        let is_over = kind != NoticeKind::IncidentOpened;
        self.tell_incident(at, &to, IncidentNews { facts, is_over, reason: reason.to_string() });
    }

    pub(super) fn write_incident(&mut self, at: Timestamp, reader: &Recipient, news: IncidentNews) {
        let IncidentNews { facts, is_over, reason } = news;
        let local = local_part(&facts);
        let first = self.message_id(&local);
        let (kind, message_id, in_reply_to, why) = match is_over {
            false => (NoticeKind::IncidentOpened, first, None, NoticeReason::CommonCause),
            true => {
                let thread = self.end_incident_thread(reader, first);
                let message_id = self.message_id(&format!("{local}.closed"));
                (NoticeKind::IncidentClosed, message_id, Some(thread), NoticeReason::AllClear)
            }
        };
        let notice = Notice {
            at,
            kind,
            to: reader.clone(),
            message_id,
            in_reply_to,
            references: Vec::new(),
            why,
            reason,
            orders: Vec::new(),
            incident: Some(facts),
            incidents: Vec::new(),
            report: None,
        };
        self.emit(at, EffectKind::Mail(Box::new(notice)));
    }

    pub(super) fn write_incidents(&mut self, at: Timestamp, reader: &Recipient, news: Vec<IncidentNews>) {
        let singly = self.settings.notices.of(reader).fold_after;
        let message_id = self.message_id(&format!("summary.incidents.{}", at.as_millis()));
        let mut threads = Vec::new();
        for one in &news {
            let first = self.message_id(&local_part(&one.facts));
            if one.is_over {
                let thread = self.end_incident_thread(reader, first);
                if !threads.contains(&thread) {
                    threads.push(thread);
                }
            } else {
                self.note_incident_told(reader, first, message_id.clone());
            }
        }
        let over = news.iter().filter(|n| n.is_over).count();
        let mut threads = threads.into_iter();
        let notice = Notice {
            at,
            kind: NoticeKind::Summary,
            to: reader.clone(),
            message_id,
            in_reply_to: threads.next(),
            references: threads.take(THREADS).collect(),
            why: NoticeReason::Folded { orders: news.len(), singly, within: FOLD_WITHIN },
            reason: format!("{} common causes began, {over} are over", news.len() - over),
            orders: Vec::new(),
            incident: None,
            incidents: news,
            report: None,
        };
        self.emit(at, EffectKind::Mail(Box::new(notice)));
    }
}

/// Left side of the id of an incident's first mail.
fn local_part(facts: &IncidentFacts) -> String {
    format!("incident.{}.{}.{}", facts.kind, slug(facts.name.as_str()), facts.opened_at.as_millis())
}

fn kind_of(reader: &Recipient, order: &Order, told: Option<&Told>, why: &NoticeReason) -> NoticeKind {
    if !order.state.is_open() {
        return NoticeKind::OrderClosed;
    }
    match (reader, told) {
        (Recipient::Supervisor(_) | Recipient::Operator | Recipient::ReportReaders, _) => NoticeKind::OrderEscalated,
        (Recipient::Crew(_), None) => NoticeKind::OrderOpened,
        (Recipient::Crew(_), Some(told)) if told.is_over || told.openings < openings(order) => {
            NoticeKind::OrderReopened
        }
        (Recipient::Crew(_), Some(_)) if *why == NoticeReason::NotRepaired => NoticeKind::OrderReopened,
        (Recipient::Crew(_), Some(told)) if told.priority > order.priority => NoticeKind::OrderRaised,
        (Recipient::Crew(_), Some(_)) => NoticeKind::OrderReminder,
    }
}

fn is_to_do(order: &Order) -> bool {
    match order.state {
        OrderState::Opened | OrderState::Acknowledged | OrderState::EnRoute | OrderState::Reopened => true,
        OrderState::Repaired | OrderState::Verified | OrderState::Closed | OrderState::Cancelled => false,
    }
}

/// For lists: what was seen in one line, and the changes that say since when and how it ended.
fn in_brief(order: &Order) -> Order {
    let mut brief = order.clone();
    // The alert's own words stand first; of an order that came back, its newest ones stand last.
    let told = if openings(order) > 1 { order.evidence.last() } else { order.evidence.first() };
    brief.evidence = told.cloned().into_iter().collect();
    let opening = order.history.iter().rposition(|c| matches!(c.state, OrderState::Opened | OrderState::Reopened));
    let last = order.history.len().saturating_sub(1);
    let keep = |i: usize| Some(i) == opening || i == last;
    brief.history = order.history.iter().enumerate().filter(|(i, _)| keep(*i)).map(|(_, c)| c.clone()).collect();
    brief
}

/// Safe in a Message-ID: letters and digits kept, any other run becomes one hyphen. Urdu names become their bytes' sum,
/// so that two of them on one day stay apart.
fn slug(name: &str) -> String {
    let ascii: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let sum = name.bytes().fold(0u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(b)));
    format!("{}-{sum:08x}", ascii.trim_matches('-').chars().take(40).collect::<String>().to_lowercase())
}
