//! Decides who hears of an order, when, and why: at once, after the night, in the morning's digest, or folded into one
//! summary. Never words a mail (`notices` composes, `render` words it) and never sends one.
//!
//! What one reader knows of one order:
//! ```text
//!            1            2                3
//!  untold ──────▶ told ──────▶ told anew ──────▶ end told ──┐
//!     │                            ▲                        │ 5
//!     └── 4 it ended untold        └────────────────────────┘
//! ```
//! 1 at once, in a digest or in a summary; that mail begins the thread · 2 reopened, more urgent, not taken · 3 whoever was
//! told of the fault is told of its end, in the same thread · 4 then there is nothing to tell · 5 it came back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::domain::notice::{IncidentNews, NoticeKind, NoticeReason};
use crate::domain::notice_plan::{FOLD_WAIT, FOLD_WITHIN, NoticePlan};
use crate::domain::order::Change;
use crate::domain::{MessageId, Order, OrderId, OrderState, Priority, Reason, Recipient, Timestamp, UnitIx};

use super::Engine;
use super::timer::Timer;

/// What one reader was told of one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Told {
    /// The first mail of the thread.
    pub thread: MessageId,
    /// Of the present opening, first.
    pub at: Timestamp,
    /// The newest mail that named it.
    pub last: Timestamp,
    pub priority: Priority,
    /// How often the order had been opened by then.
    pub openings: usize,
    pub is_over: bool,
}

/// What has happened to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    Opened,
    Relapsed,
    /// Its crew said "repaired", and it is not.
    NotRepaired,
    Raised,
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Now,
    /// It can wait until the night is over.
    Night(Timestamp),
    Digest,
}

/// One reader's mails that are not written yet.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Desk {
    /// When single mails were written, within [`FOLD_WITHIN`].
    singly: VecDeque<Timestamp>,
    night: Batch,
    folded: Batch,
    /// Common causes of which nobody was told yet.
    #[serde(default)]
    incidents: Vec<IncidentNews>,
    /// Common causes that were told in a summary: by the id of the mail that would have begun their thread, that which did.
    #[serde(default, with = "super::work_order::as_pairs")]
    incident_threads: BTreeMap<MessageId, MessageId>,
    summed_up: Option<Timestamp>,
    digest_due: Option<Timestamp>,
    /// Ends of what has come back before, and when they are believed.
    #[serde(default, with = "super::work_order::as_pairs")]
    settling: BTreeMap<OrderId, Timestamp>,
    /// Told, and ended since the last digest.
    over: BTreeSet<OrderId>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Batch {
    due: Option<Timestamp>,
    orders: BTreeSet<OrderId>,
}

impl Batch {
    fn take_due(&mut self, at: Timestamp) -> BTreeSet<OrderId> {
        if self.due.is_none_or(|due| due > at) {
            return BTreeSet::new();
        }
        self.due = None;
        std::mem::take(&mut self.orders)
    }
}

impl Desk {
    /// When something is to be written. Each of them: nothing else asks for the second end that settles.
    fn deadlines(&self) -> impl Iterator<Item = Timestamp> {
        let dues = [self.night.due, self.folded.due, self.digest_due].into_iter().flatten();
        dues.chain(self.settling.values().copied())
    }
    fn forget(&mut self, id: OrderId) {
        self.settling.remove(&id);
        self.night.orders.remove(&id);
        self.folded.orders.remove(&id);
    }
}

fn way(plan: &NoticePlan, at: Timestamp, news: News, priority: Priority) -> Way {
    let waits = match news {
        // They stand before it.
        News::NotRepaired => return Way::Now,
        News::Opened | News::Relapsed | News::Raised => priority > plan.at_once,
        // Who hears of it in the night may be on the way.
        News::Over => false,
    };
    if waits {
        return Way::Digest;
    }
    let asleep = plan.night.filter(|night| priority > night.at_once).and_then(|night| night.end(plan.zone, at));
    asleep.map_or(Way::Now, Way::Night)
}

/// How often it was opened, the first time included.
pub(super) fn openings(order: &Order) -> usize {
    order.history.iter().filter(|c| is_opening(c)).count()
}

fn is_opening(change: &Change) -> bool {
    matches!(change.state, OrderState::Opened | OrderState::Reopened)
}

fn is_taken(state: OrderState) -> bool {
    match state {
        OrderState::Opened | OrderState::Reopened => false,
        OrderState::Acknowledged
        | OrderState::EnRoute
        | OrderState::Repaired
        | OrderState::Verified
        | OrderState::Closed
        | OrderState::Cancelled => true,
    }
}

impl Engine {
    /// To its crew, and its end to everyone who was told of it.
    pub(super) fn tell(&mut self, at: Timestamp, id: OrderId, news: News) {
        if news == News::Relapsed {
            self.not_over_after_all(id);
        }
        let record = &self.orders[&id];
        let crew = Recipient::Crew(record.order.crew.clone());
        let mut readers = vec![crew];
        if news == News::Over {
            let others = record.life.told.keys().filter(|reader| **reader != readers[0]);
            readers.extend(others.cloned().collect::<Vec<_>>());
        }
        for reader in readers {
            self.tell_reader(at, &reader, id, news);
        }
    }

    fn tell_reader(&mut self, at: Timestamp, reader: &Recipient, id: OrderId, news: News) {
        let record = &self.orders[&id];
        let priority = record.order.priority;
        let told = record.life.told.get(reader);
        let from = told.map_or(priority, |t| t.priority);
        if news == News::Over {
            if told.is_none_or(|t| t.is_over) {
                // 4
                self.desk(reader).forget(id);
                return;
            }
            if let Some(believed) = self.believed_over(at, id) {
                self.desk(reader).settling.insert(id, believed);
                self.timers.arm(believed, Timer::Notices);
                return;
            }
            self.note_over(reader, id);
        }
        let record = &self.orders[&id];
        if news == News::Relapsed && record.life.told.get(reader).is_some_and(|t| t.openings == openings(&record.order))
        {
            // They were not told that it was over.
            return;
        }
        self.await_digest(at, reader);
        let why = match news {
            News::Raised if from > priority => NoticeReason::Raised { from, to: priority },
            News::Raised | News::Opened | News::Relapsed => NoticeReason::AtOnce { priority },
            News::NotRepaired => NoticeReason::NotRepaired,
            News::Over => NoticeReason::AllClear,
        };
        self.tell_by_the_hour(at, reader, id, news, why);
    }

    fn tell_by_the_hour(&mut self, at: Timestamp, reader: &Recipient, id: OrderId, news: News, why: NoticeReason) {
        let priority = self.orders[&id].order.priority;
        match way(self.settings.notices.of(reader), at, news, priority) {
            Way::Digest => {}
            Way::Night(until) => {
                let desk = self.desk(reader);
                desk.night.orders.insert(id);
                desk.night.due = Some(until);
                self.timers.arm(until, Timer::Notices);
            }
            Way::Now => self.write_or_fold(at, reader, id, why),
        }
    }

    fn note_over(&mut self, reader: &Recipient, id: OrderId) {
        if matches!(reader, Recipient::Crew(_)) {
            self.desk(reader).over.insert(id);
        }
    }

    /// An end that comes by itself, of what has come back before, is believed when it has lasted: else what comes and goes
    /// ten times a day would be twenty mails. None: it is believed at once.
    fn believed_over(&self, at: Timestamp, id: OrderId) -> Option<Timestamp> {
        /// A day of coming and going is told in the next day's list.
        const DOUBLED_AT_MOST: u32 = 3;
        let order = &self.orders[&id].order;
        let by_itself = matches!(order.history.last()?.why, Reason::ClearedByItself { .. });
        let again = order.relapses.checked_sub(1).filter(|_| by_itself)?;
        // What comes back later than that is another order.
        let lasting = self.settings.hold.saturating_mul(2u32.pow(again.min(DOUBLED_AT_MOST)));
        Some(at + lasting.min(self.settings.relapse_within))
    }

    /// It came back before anyone was told that it was over: to them it never ended.
    fn not_over_after_all(&mut self, id: OrderId) {
        let waiting = |desk: &mut Desk| desk.settling.remove(&id).is_some();
        let readers: Vec<Recipient> =
            self.desks.iter_mut().filter_map(|(reader, desk)| waiting(desk).then(|| reader.clone())).collect();
        let record = self.record(id);
        let now = openings(&record.order);
        for reader in readers {
            if let Some(told) = record.life.told.get_mut(&reader) {
                told.openings = now;
            }
        }
    }

    fn desk(&mut self, reader: &Recipient) -> &mut Desk {
        if !self.desks.contains_key(reader) {
            self.desks.insert(reader.clone(), Desk::default());
        }
        self.desks.get_mut(reader).expect("inserted above")
    }

    /// A single mail, unless so many were written lately that one more would not be read.
    fn write_or_fold(&mut self, at: Timestamp, reader: &Recipient, id: OrderId, why: NoticeReason) {
        let most = self.settings.notices.of(reader).fold_after;
        // Few can stand before a unit at once.
        let must = why == NoticeReason::NotRepaired;
        let desk = self.desk(reader);
        desk.singly.retain(|then| at.since(*then) < FOLD_WITHIN);
        if must || (desk.folded.due.is_none() && desk.singly.len() < most) {
            desk.singly.push_back(at);
            self.write_single(at, reader, id, why);
            return;
        }
        desk.folded.orders.insert(id);
        self.fold(at, reader);
    }

    /// A single mail, or one summary of many.
    pub(super) fn tell_incident(&mut self, at: Timestamp, reader: &Recipient, news: IncidentNews) {
        let most = self.settings.notices.of(reader).fold_after;
        let same = |other: &IncidentNews| {
            (other.facts.kind, &other.facts.name, other.facts.opened_at)
                == (news.facts.kind, &news.facts.name, news.facts.opened_at)
        };
        let desk = self.desk(reader);
        if let Some(waiting) = desk.incidents.iter().position(same) {
            // 4, or the widened one in its place.
            desk.incidents.remove(waiting);
            if news.is_over {
                return;
            }
        }
        desk.singly.retain(|then| at.since(*then) < FOLD_WITHIN);
        if desk.folded.due.is_none() && desk.singly.len() < most {
            desk.singly.push_back(at);
            self.write_incident(at, reader, news);
            return;
        }
        desk.incidents.push(news);
        self.fold(at, reader);
    }

    fn write_incidents_due(&mut self, at: Timestamp, reader: &Recipient) {
        let mut waiting = std::mem::take(&mut self.desk(reader).incidents);
        match waiting.len() {
            0 => {}
            1 => self.write_incident(at, reader, waiting.remove(0)),
            _ => {
                self.desk(reader).summed_up = Some(at);
                self.write_incidents(at, reader, waiting);
            }
        }
    }

    /// The mail that began the thread of a common cause that is over: its own `first` one, unless a summary told it.
    pub(super) fn end_incident_thread(&mut self, reader: &Recipient, first: MessageId) -> MessageId {
        self.desk(reader).incident_threads.remove(&first).unwrap_or(first)
    }

    pub(super) fn note_incident_told(&mut self, reader: &Recipient, first: MessageId, mail: MessageId) {
        self.desk(reader).incident_threads.insert(first, mail);
    }

    fn fold(&mut self, at: Timestamp, reader: &Recipient) {
        let desk = self.desk(reader);
        if desk.folded.due.is_none() {
            let due = desk.summed_up.map_or(at, |last| last + FOLD_WITHIN).max(at + FOLD_WAIT);
            desk.folded.due = Some(due);
            self.timers.arm(due, Timer::Notices);
        }
    }

    fn await_digest(&mut self, at: Timestamp, reader: &Recipient) {
        match reader {
            Recipient::Crew(_) => {}
            Recipient::Supervisor(_) | Recipient::Operator | Recipient::ReportReaders => return,
        }
        if self.desk(reader).digest_due.is_some() {
            return;
        }
        let plan = self.settings.notices.of(reader);
        let due = plan.digest_at.next_after(plan.zone, at);
        self.desk(reader).digest_due = Some(due);
        self.timers.arm(due, Timer::Notices);
    }

    /// Writes what is due at any desk, each reader's in one go.
    pub(super) fn notices_due(&mut self, at: Timestamp) {
        if self.asleep {
            // `wake_desks` asks again.
            return;
        }
        let due = |desk: &Desk| desk.deadlines().any(|due| due <= at);
        let readers: Vec<Recipient> = self.desks.iter().filter(|(_, d)| due(d)).map(|(r, _)| r.clone()).collect();
        for reader in readers {
            if self.desk(&reader).digest_due.is_some_and(|due| due <= at) {
                self.digest_due(at, &reader);
            }
            let settled: Vec<OrderId> =
                self.desk(&reader).settling.iter().filter(|(_, due)| **due <= at).map(|(id, _)| *id).collect();
            for id in settled {
                self.desk(&reader).settling.remove(&id);
                if self.is_news_to(&reader, id) {
                    self.note_over(&reader, id);
                    self.tell_by_the_hour(at, &reader, id, News::Over, NoticeReason::AllClear);
                }
            }
            let most = self.settings.notices.of(&reader).fold_after;
            if self.desk(&reader).folded.due.is_some_and(|due| due <= at) {
                self.write_incidents_due(at, &reader);
            }
            let desk = self.desk(&reader);
            let (mut orders, folded) = (desk.night.take_due(at), desk.folded.take_due(at));
            let by_night = !orders.is_empty();
            orders.extend(folded);
            let orders: Vec<OrderId> = orders.into_iter().filter(|id| self.is_news_to(&reader, *id)).collect();
            let why = match by_night {
                true => NoticeReason::AfterTheNight,
                false => NoticeReason::Folded { orders: orders.len(), singly: most, within: FOLD_WITHIN },
            };
            match orders.as_slice() {
                [] => {}
                [one] => self.write_single(at, &reader, *one, why),
                several => {
                    self.desk(&reader).summed_up = Some(at);
                    self.write_together(at, &reader, NoticeKind::Summary, why, several);
                }
            }
        }
        // A desk where nothing lies need not be kept.
        self.desks.retain(|_, d| {
            let quiet = d.deadlines().next().is_none() && d.over.is_empty() && d.incident_threads.is_empty();
            !(quiet && d.singly.back().is_none_or(|then| at.since(*then) >= FOLD_WITHIN))
        });
    }

    /// What was put aside for this reader may have ended since, or come to nothing.
    fn is_news_to(&self, reader: &Recipient, id: OrderId) -> bool {
        let Some(record) = self.orders.get(&id) else { return false };
        record.order.state.is_open() || record.life.told.get(reader).is_some_and(|t| !t.is_over)
    }

    /// All that is open, whatever was told of it before; what waits for its proof last.
    fn digest_due(&mut self, at: Timestamp, reader: &Recipient) {
        let Recipient::Crew(crew) = reader else { return };
        let (mut open, mut proving) = (Vec::new(), Vec::new());
        for (id, record) in self.orders.iter().filter(|(_, r)| r.order.crew == *crew && r.order.state.is_open()) {
            match record.order.state {
                OrderState::Repaired | OrderState::Verified => proving.push(*id),
                OrderState::Opened
                | OrderState::Acknowledged
                | OrderState::EnRoute
                | OrderState::Reopened
                | OrderState::Closed
                | OrderState::Cancelled => open.push(*id),
            }
        }
        let desk = self.desk(reader);
        desk.digest_due = None;
        let mut over = std::mem::take(&mut desk.over);
        for batch in [&mut desk.night, &mut desk.folded] {
            batch.due = None;
            over.extend(std::mem::take(&mut batch.orders));
        }
        // Of those nobody knows yet whether they are over.
        over.retain(|id| !desk.settling.contains_key(id));
        let is_over = |id: &OrderId| {
            self.orders.get(id).is_some_and(|r| !r.order.state.is_open() && r.life.told.contains_key(reader))
        };
        let over: Vec<OrderId> = over.into_iter().filter(is_over).collect();
        if open.is_empty() {
            // Nothing to set out for. Each end was told by itself, but for those that waited for the morning.
            let waiting: Vec<OrderId> = over.into_iter().filter(|id| self.is_news_to(reader, *id)).collect();
            match waiting.as_slice() {
                [] => {}
                [one] => self.write_single(at, reader, *one, NoticeReason::AfterTheNight),
                several => {
                    self.write_together(at, reader, NoticeKind::Summary, NoticeReason::AfterTheNight, several);
                }
            }
        } else {
            let all: Vec<OrderId> = open.iter().chain(&proving).chain(&over).copied().collect();
            self.write_together(at, reader, NoticeKind::Digest, NoticeReason::Morning, &all);
        }
        if !(open.is_empty() && proving.is_empty()) {
            self.await_digest(at, reader);
        }
    }

    /// The program was off: what became due meanwhile is told once, now.
    pub(super) fn wake_desks(&mut self, at: Timestamp) {
        self.asleep = false;
        self.timers.arm(at, Timer::Notices);
        let open: Vec<OrderId> =
            self.orders.iter().filter(|(_, r)| r.order.state.is_open()).map(|(id, _)| *id).collect();
        for id in open {
            self.timers.arm(at, Timer::Nudge(id));
        }
    }

    /// Puts the desks' deadlines and the orders' into the queue. The hour of the digest may be another one since.
    pub(super) fn arm_notices(&mut self) {
        let now = self.now.unwrap_or_default();
        for (reader, desk) in &mut self.desks {
            let plan = self.settings.notices.of(reader);
            if let Some(due) = &mut desk.digest_due
                && *due > now
            {
                *due = plan.digest_at.next_after(plan.zone, now);
            }
            for due in desk.deadlines() {
                self.timers.arm(due, Timer::Notices);
            }
        }
        let open: Vec<OrderId> =
            self.orders.iter().filter(|(_, r)| r.order.state.is_open()).map(|(id, _)| *id).collect();
        for id in open {
            self.arm_nudge(now, id);
        }
    }

    /// What nobody does makes an order heard again, or by the supervisor. The earliest of these from `at` on.
    pub(super) fn arm_nudge(&mut self, at: Timestamp, id: OrderId) {
        if let Some(next) = self.nudges(id).into_iter().map(|(due, _)| due.max(at)).min() {
            self.timers.arm(next, Timer::Nudge(id));
        }
    }

    /// [`Engine::arm_nudge`] for the orders about any of these.
    pub(super) fn arm_nudges_of(&mut self, at: Timestamp, units: &[UnitIx]) {
        let open = self.orders.iter().filter(|(_, r)| r.order.state.is_open()).map(|(id, _)| *id);
        let theirs = |id: &OrderId| self.ordered_units(*id).iter().any(|unit| units.contains(unit));
        let orders: Vec<OrderId> = open.filter(theirs).collect();
        for id in orders {
            self.arm_nudge(at, id);
        }
    }

    fn nudges(&self, id: OrderId) -> Vec<(Timestamp, Nudge)> {
        let Some(record) = self.orders.get(&id).filter(|r| r.order.state.is_open()) else { return Vec::new() };
        let (order, life) = (&record.order, &record.life);
        let crew = Recipient::Crew(order.crew.clone());
        let plan = self.settings.notices.of(&crew);
        let mut due = Vec::new();
        let waits = |told: &&Told| !is_taken(order.state) && told.openings == openings(order);
        if let Some(told) = life.told.get(&crew).filter(waits) {
            let patience = plan.patience.of(order.priority).filter(|_| !life.waited_told);
            due.extend(patience.map(|patience| (told.at + patience, Nudge::NotTaken)));
            let every = plan.repeat.filter(|_| order.priority <= plan.at_once);
            due.extend(every.map(|every| {
                let again = told.last + every;
                match way(plan, again, News::Opened, order.priority) {
                    Way::Night(until) => (until, Nudge::Again),
                    Way::Now | Way::Digest => (again, Nudge::Again),
                }
            }));
        }
        let awaits_proof = matches!(order.state, OrderState::Repaired | OrderState::Verified);
        let by = order.due_at.filter(|_| !life.overdue_told && !awaits_proof);
        due.extend(by.map(|by| (by, Nudge::Overdue)));
        due
    }

    pub(super) fn nudge_due(&mut self, at: Timestamp, id: OrderId) {
        let nudges = self.nudges(id);
        if self.asleep {
            // `wake_desks` asks again.
            return;
        }
        if nudges.iter().all(|(due, _)| *due > at) {
            // Somebody has done something since. What is left comes later.
            self.arm_nudge(at, id);
            return;
        }
        let absent = self.ordered_units(id).iter().filter_map(|unit| self.in_maintenance(*unit)).max();
        if let Some(until) = absent.filter(|until| *until > at) {
            // They are there, or are not to go.
            self.timers.arm(until, Timer::Nudge(id));
            return;
        }
        let is_due = |nudge: Nudge| nudges.iter().any(|(due, n)| *n == nudge && *due <= at);
        let record = self.record(id);
        let crew = Recipient::Crew(record.order.crew.clone());
        let supervisor = Recipient::Supervisor(record.order.crew.clone());
        let told = record.life.told.get(&crew).map_or(at, |t| t.at);
        record.life.waited_told |= is_due(Nudge::NotTaken);
        record.life.overdue_told |= is_due(Nudge::Overdue);
        match record.order.due_at.filter(|_| is_due(Nudge::Overdue)) {
            Some(due) => self.write_or_fold(at, &supervisor, id, NoticeReason::Overdue { due }),
            None if is_due(Nudge::NotTaken) => {
                self.write_or_fold(at, &supervisor, id, NoticeReason::EscalatedAfter { told: at.since(told) });
            }
            None => {}
        }
        if is_due(Nudge::Again) {
            // Told again now, or with others in a moment: the next time counts from here.
            if let Some(told) = self.record(id).life.told.get_mut(&crew) {
                told.last = at;
            }
            self.write_or_fold(at, &crew, id, NoticeReason::Repeated { after: at.since(told) });
        }
        self.arm_nudge(at, id);
    }

    /// It is written: what the reader knows from now on.
    pub(super) fn note_told(&mut self, at: Timestamp, reader: &Recipient, id: OrderId, mail: &MessageId) {
        self.desk(reader).forget(id);
        let record = self.record(id);
        let (openings, priority, is_over) =
            (openings(&record.order), record.order.priority, !record.order.state.is_open());
        let told = record.life.told.entry(reader.clone()).or_insert_with(|| Told {
            thread: mail.clone(),
            at,
            last: at,
            priority,
            openings,
            is_over,
        });
        told.last = at;
        if told.openings != openings {
            told.at = at;
        }
        (told.openings, told.priority, told.is_over) = (openings, priority, is_over);
        self.arm_nudge(at, id);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nudge {
    /// To its crew.
    Again,
    /// To the supervisor, as the next one.
    NotTaken,
    Overdue,
}

/// By reader; in the order of the readers, so that what is due at one instant is always written in the same order.
pub(super) type Desks = BTreeMap<Recipient, Desk>;
