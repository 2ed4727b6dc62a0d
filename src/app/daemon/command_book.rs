//! What was asked of units lately, and what became of it. Owns the states of `domain::on_demand`. Never sends, and never
//! keeps anything itself: the store has the commands that are still worth something.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::message::{Body, Command, Do, Message, Outcome, Trigger};
use crate::domain::on_demand::{CommandState, CommandView, Hindrance};
use crate::domain::view::TestView;
use crate::domain::{Timestamp, UnitId};
use crate::io::store::LiveCommand;

/// Full: the oldest go first, whatever their state. A reply to one that is gone is passed over.
const COMMANDS_MAX: usize = 10_000;
const OF_ONE_UNIT_MAX: usize = 20;
/// A reply that was written in time may still be on a thin link.
const REPLY_LATE: Duration = Duration::from_secs(5);
/// Who asked when nobody did.
const ENGINE: &str = "buttonwatch";

/// How a command went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The unit itself has acknowledged it.
    Gateway,
    /// The broker has it: whether the unit is there, nobody knows.
    Broker,
}

#[derive(Default)]
pub struct CommandBook {
    pages: Mutex<Pages>,
    /// Reboots whose end is waited for: only then does each message matter here.
    rebooting: AtomicUsize,
}

#[derive(Default)]
struct Pages {
    units: BTreeMap<UnitId, Vec<Entry>>,
    /// Oldest first; one whose entry is gone already is passed over.
    order: VecDeque<(UnitId, String)>,
    last_number: i64,
}

struct Entry {
    command: Command,
    by: String,
    asked_at: Timestamp,
    hindrance: Option<Hindrance>,
    sent: Option<(Timestamp, Way)>,
    replied_at: Option<Timestamp>,
    error: Option<String>,
    /// With the results of a self-test.
    done: Option<(Timestamp, Vec<TestView>)>,
    /// Of the unit before it reboots.
    boot: Option<u32>,
}

impl CommandBook {
    /// What the store kept over a restart.
    pub fn restore(live: &[LiveCommand]) -> CommandBook {
        let book = CommandBook::default();
        for LiveCommand { unit, command, decided_at, taken_at } in live {
            let mut entry = Entry::new(command.clone(), String::new(), *decided_at, None);
            entry.sent = taken_at.map(|at| (at, Way::Broker));
            book.write(unit, entry);
        }
        book
    }

    /// A new id. Err: the unit is busy with what somebody asked before; says with what.
    pub fn next_id(&self, now: Timestamp, unit: &UnitId) -> Result<String, String> {
        let mut pages = self.lock();
        let under_way = pages.units.get(unit).into_iter().flatten();
        if let Some(busy) = under_way.rev().find(|e| e.is_in_the_way() && !e.state(now).0.is_final()) {
            let view = busy.view(unit, now);
            let noun = busy.command.act.noun();
            return Err(format!(
                "{unit} was asked for {noun} before, and that is not over ({}: {}); wait until it is",
                view.state, view.says
            ));
        }
        pages.last_number = now.as_millis().max(pages.last_number + 1);
        Ok(format!("cmd-{}", pages.last_number))
    }

    /// `boot`: the unit's, as far as it is known.
    pub fn asked(&self, now: Timestamp, unit: &UnitId, command: &Command, by: &str, boot: Option<u32>) {
        self.write(unit, Entry::new(command.clone(), by.to_owned(), now, boot));
    }

    /// One that the engine decided on, or that is written already.
    pub fn decided(&self, at: Timestamp, unit: &UnitId, command: &Command) {
        if self.lock().entry(unit, &command.id).is_none() {
            self.write(unit, Entry::new(command.clone(), ENGINE.to_owned(), at, None));
        }
    }

    pub fn hindered(&self, unit: &UnitId, command: &str, why: Hindrance) {
        if let Some(entry) = self.lock().entry(unit, command) {
            entry.hindrance = Some(why);
        }
    }

    pub fn sent(&self, at: Timestamp, unit: &UnitId, command: &str, way: Way) {
        if let Some(entry) = self.lock().entry(unit, command) {
            entry.sent.get_or_insert((at, way));
            entry.hindrance = None;
        }
    }

    /// Every message of every unit comes by here: nearly all are none of its business.
    pub fn heard(&self, now: Timestamp, unit: &str, message: &Message) {
        let rebooting = self.rebooting.load(Ordering::Relaxed) > 0;
        let matters = match &message.body {
            Body::Reply(_) | Body::Selftest(_) => true,
            Body::Heartbeat(_) | Body::Power(_) | Body::Press(_) | Body::Status(_) => rebooting,
        };
        if !matters {
            return;
        }
        let Ok(unit) = UnitId::parse(unit) else { return };
        let mut pages = self.lock();
        let Some(entries) = pages.units.get_mut(&unit) else { return };
        for entry in entries.iter_mut().filter(|e| e.done.is_none()) {
            entry.hear(now, message);
        }
        if rebooting {
            self.count_reboots(&pages, now);
        }
    }

    pub fn find(&self, now: Timestamp, unit: &UnitId, command: &str) -> Option<CommandView> {
        let pages = self.lock();
        let entry = pages.units.get(unit)?.iter().find(|e| e.command.id == command)?;
        Some(entry.view(unit, now))
    }

    /// Newest first.
    pub fn of_unit(&self, now: Timestamp, unit: &UnitId) -> Vec<CommandView> {
        let pages = self.lock();
        pages.units.get(unit).into_iter().flatten().rev().map(|e| e.view(unit, now)).collect()
    }

    fn write(&self, unit: &UnitId, entry: Entry) {
        let mut pages = self.lock();
        let (at, reboots) = (entry.asked_at, entry.command.act == Do::Reboot);
        pages.order.push_back((unit.clone(), entry.command.id.clone()));
        let entries = pages.units.entry(unit.clone()).or_default();
        entries.push(entry);
        if entries.len() > OF_ONE_UNIT_MAX {
            entries.remove(0);
        }
        while pages.order.len() > COMMANDS_MAX
            && let Some((unit, id)) = pages.order.pop_front()
        {
            pages.forget(&unit, &id);
        }
        if reboots {
            self.count_reboots(&pages, at);
        }
    }

    fn count_reboots(&self, pages: &Pages, now: Timestamp) {
        let waits = |e: &&Entry| e.command.act == Do::Reboot && !e.state(now).0.is_final();
        let count = pages.units.values().flatten().filter(waits).count();
        self.rebooting.store(count, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn entry(&mut self, unit: &UnitId, command: &str) -> Option<&mut Entry> {
        self.units.get_mut(unit)?.iter_mut().find(|e| e.command.id == command)
    }

    fn forget(&mut self, unit: &UnitId, command: &str) {
        if let Some(entries) = self.units.get_mut(unit) {
            entries.retain(|e| e.command.id != command);
            if entries.is_empty() {
                self.units.remove(unit);
            }
        }
    }
}

impl Entry {
    fn new(command: Command, by: String, asked_at: Timestamp, boot: Option<u32>) -> Entry {
        Entry { command, by, asked_at, hindrance: None, sent: None, replied_at: None, error: None, done: None, boot }
    }

    /// A test after a repair may wait for long, and one that was taken before a restart may be over: neither keeps a person
    /// from asking.
    fn is_in_the_way(&self) -> bool {
        let before_restart = self.by.is_empty() && self.sent.is_some();
        self.by != ENGINE && !before_restart
    }

    fn hear(&mut self, now: Timestamp, message: &Message) {
        let is_ours = |id: &str| *id == *self.command.id;
        match &message.body {
            Body::Reply(reply) if is_ours(&reply.id) => {
                // It may reply each time it gets the command; the first word counts, and a yes after a no.
                if self.replied_at.is_none() || (reply.ok && self.error.is_some()) {
                    self.replied_at = Some(now);
                    self.error = (!reply.ok).then(|| reply.error.as_deref().unwrap_or("it did not say why").to_owned());
                }
                self.boot = message.boot.or(self.boot);
                if reply.ok && self.command.act == Do::Locate {
                    self.done = Some((now, Vec::new()));
                }
            }
            Body::Selftest(test) if self.command.act == Do::Selftest => {
                // Some firmware forgets to send the id back.
                let nameless = test.id.is_none() && test.trigger == Some(Trigger::Command);
                let answers = test.id.as_deref().map_or(nameless && self.sent.is_some(), is_ours);
                if answers {
                    let at = message.ts.unwrap_or(now).min(now);
                    let result = |r: &crate::domain::message::TestResult| TestView {
                        component: r.component,
                        result: r.result,
                        at,
                        code: r.code.as_deref().map(str::to_owned),
                    };
                    self.done = Some((now, test.results.iter().map(result).collect()));
                }
            }
            Body::Reply(_)
            | Body::Selftest(_)
            | Body::Heartbeat(_)
            | Body::Power(_)
            | Body::Press(_)
            | Body::Status(_) => {}
        }
        if self.command.act == Do::Reboot && (self.sent.is_some() || self.replied_at.is_some()) {
            match (self.boot, message.boot) {
                (Some(before), Some(boot)) if boot > before => {
                    self.boot = Some(boot);
                    self.done = Some((now, Vec::new()));
                }
                (None, Some(boot)) => self.boot = Some(boot),
                (Some(_), Some(_)) | (_, None) => {}
            }
        }
    }

    /// With the time from which it is final.
    fn state(&self, now: Timestamp) -> (CommandState, Option<Timestamp>) {
        let open_until = |deadline: Timestamp, state| {
            if now < deadline { (state, None) } else { (CommandState::Expired, Some(deadline)) }
        };
        let expires = self.command.expires;
        match (&self.done, self.replied_at, &self.sent) {
            (Some((at, _)), _, _) => (CommandState::Done, Some(*at)),
            (None, Some(at), _) if self.error.is_some() => (CommandState::Refused, Some(at)),
            (None, Some(at), _) => open_until(expires.max(at + self.command.act.done_within()), CommandState::Accepted),
            (None, None, Some(_)) => open_until(expires + REPLY_LATE, CommandState::Sent),
            (None, None, None) => open_until(expires, CommandState::Waiting),
        }
    }

    fn view(&self, unit: &UnitId, now: Timestamp) -> CommandView {
        let (state, finished_at) = self.state(now);
        let Command { id, act, components, expires } = &self.command;
        CommandView {
            id: id.clone(),
            unit: unit.clone(),
            act: *act,
            components: components.clone(),
            by: self.by.clone(),
            asked_at: self.asked_at,
            expires_at: *expires,
            state,
            finished: state.is_final(),
            sent_at: self.sent.map(|(at, _)| at),
            replied_at: self.replied_at,
            finished_at,
            says: self.says(unit, state),
            hindrance: self.hindrance.clone(),
            error: self.error.clone(),
            results: self.done.iter().flat_map(|(_, results)| results.clone()).collect(),
        }
    }

    fn says(&self, unit: &UnitId, state: CommandState) -> String {
        let noun = self.command.act.noun();
        match state {
            CommandState::Waiting => match &self.hindrance {
                None => format!("{unit} is being asked"),
                Some(why) => format!("{unit} has not got it yet: {why}"),
            },
            CommandState::Sent => match self.sent {
                Some((_, Way::Broker)) => format!("{unit} was told by way of the broker and has not replied yet"),
                Some((_, Way::Gateway)) | None => format!("{unit} has it and has not replied yet"),
            },
            CommandState::Accepted => match self.command.act {
                Do::Selftest => format!("{unit} is testing itself"),
                Do::Locate => format!("{unit} shows where it is"),
                Do::Reboot => format!("{unit} is starting again"),
            },
            CommandState::Refused => {
                let why = self.error.as_deref().unwrap_or_default();
                // It judges by its own clock, and we know that it was in time by ours.
                let hint = match why {
                    "expired" => ": is its clock right? `fleet show` has clock.skew",
                    _ => "",
                };
                format!("{unit} refused {noun}: {why}{hint}")
            }
            CommandState::Done => match self.command.act {
                Do::Selftest => format!("{unit} has tested itself: {}", self.verdict()),
                Do::Locate => format!("{unit} shows where it is, for a minute"),
                Do::Reboot => match self.boot {
                    Some(boot) => format!("{unit} has started again, boot {boot}"),
                    None => format!("{unit} has started again"),
                },
            },
            CommandState::Expired if self.replied_at.is_some() => {
                format!("{unit} said yes to {noun}, and then nothing came of it; look at the unit")
            }
            CommandState::Expired => match (&self.sent, &self.hindrance) {
                (Some((_, Way::Broker)), _) => format!(
                    "{unit} did not reply in time: it is away, or its firmware takes no commands; the broker had it"
                ),
                (Some((_, Way::Gateway)), _) => {
                    format!("{unit} got it and did not reply in time: does its firmware answer commands?")
                }
                (None, Some(Hindrance::Away) | None) => {
                    format!("{unit} was away all the time, and was not asked; ask again when it is back")
                }
                (None, Some(why)) => format!("{unit} was not asked in time: {why}"),
            },
        }
    }

    fn verdict(&self) -> String {
        let results = self.done.as_ref().map(|(_, results)| results.as_slice()).unwrap_or_default();
        let named = |wanted: Outcome| {
            let hits = results.iter().filter(move |t| t.result == wanted);
            hits.map(|t| match &t.code {
                Some(code) => format!("{} ({code})", t.component),
                None => t.component.to_string(),
            })
            .collect::<Vec<_>>()
        };
        let failed = named(Outcome::Fail);
        let unsure: Vec<String> = [named(Outcome::Inconclusive), named(Outcome::Skipped)].concat();
        match (results.len(), failed.len(), unsure.len()) {
            (0, _, _) => "it tested nothing".to_owned(),
            (1, 0, 0) => format!("{} passed", results[0].component),
            (n, 0, 0) => format!("all {n} tests passed"),
            (_, 0, _) => format!("nothing failed, but nothing was found out about {}", unsure.join(", ")),
            (_, _, _) => format!("failed: {}", failed.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests;
