//! The loop that owns the engine and the store. Owns the order of things: judge, commit, acknowledge. Never waits for a
//! network.
//!
//! Design constraints
//! - An acknowledged message is committed and judged. So a batch is: judge all, one commit, then all acks.
//! - Whatever was decided is in the commit with what it was decided on: the journal line and its orders and mails.
//! - A commit that fails ends the process. The store is the truth; what was not acknowledged comes again.
//! - Batches grow with the load by themselves: while one is being committed, the next one gathers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Notify, broadcast, mpsc, oneshot};

use crate::domain::event::{Event, Hearing};
use crate::domain::message::{Body, Command, Message, PressKind};
use crate::domain::outlook::PressLine;
use crate::domain::overview::Changed;
use crate::domain::view::{Answer, Ask, AskError, QuarantineRow, RefusalRow, UnitRow};
use crate::domain::{Effect, EffectKind, MessageId, Notice, Readiness, RuleSet, Timestamp, Unit, UnitId};
use crate::engine::{Engine, Prospects};
use crate::io::bus::BusHandle;
use crate::io::store::{
    Batch, Checkpoint, CommandTaken, MailOutcome, MailResult, PressHeard, RollupPiece, Store, StoreError,
};
use crate::wire::decode::Decoder;
use crate::wire::ingest::{Acknowledge, Chunk, Ingest};
use crate::wire::recording::{Line, What, Writer};
use crate::wire::refusal::{Refusal, RefusalKind};

use super::bus_feed;
use super::command_book::CommandBook;
use super::delivery::Tried;
use super::metrics::{Metrics, unix_seconds};
use super::post_office::PostOffice;
use super::telling::Telling;
use crate::app::clock;

/// A few thousand: the commit's fixed cost is spread, and nobody waits long for its ack.
const BATCH_MESSAGES: usize = 4096;
/// Nothing due for longer than this: look anyway, so that a stopped clock is noticed.
const TICK: Duration = Duration::from_secs(1);
/// The loop looks every second. A gap this long means that the process or the machine stood still, or that the clock
/// was set forward: either way nothing was heard in between.
const STOOD_STILL: Duration = Duration::from_secs(15);
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);
/// A restart replays at most this many lines: about a second.
const CHECKPOINT_LINES: u64 = 500_000;
const PRUNE_EVERY: Duration = Duration::from_secs(600);
/// Refusals and quarantine are counted in memory and written this often.
const COUNTS_EVERY: Duration = Duration::from_secs(5);
/// A stranger may invent ids without end.
const QUARANTINE_MAX: usize = 10_000;

/// What the judge is told beside messages.
pub enum Control {
    Ask(Ask, oneshot::Sender<Result<Answer, AskError>>),
    /// `done` is answered when the outcome is committed.
    Mail {
        message_id: MessageId,
        tried: Tried,
        done: oneshot::Sender<()>,
    },
    /// A mail that no event decided on: a report.
    Notice(Box<Notice>),
    /// The unit, or the external broker for it, has it: a restart need not send it again.
    CommandTaken {
        unit: UnitId,
        command: String,
        at: Timestamp,
    },
    /// The file was changed, and is without mistakes.
    Rules {
        text: String,
        rules: RuleSet,
    },
    /// How the units stand and what is ahead of them, to be worked out elsewhere.
    Prospects(oneshot::Sender<(Vec<UnitRow>, Prospects)>),
    /// `done` is answered when the piece is committed.
    Rollups {
        piece: Box<RollupPiece>,
        done: oneshot::Sender<()>,
    },
    Stop,
}

pub struct Judge {
    pub engine: Engine,
    pub store: Store,
    pub decoder: Decoder,
    pub metrics: Metrics,
    pub bus: Option<BusHandle>,
    pub commands: mpsc::UnboundedSender<(UnitId, Command)>,
    /// What became of commands.
    pub book: Arc<CommandBook>,
    /// For those who follow along: a live view, a demo.
    pub decided: broadcast::Sender<Arc<Effect>>,
    /// For screens: what each commit changed.
    pub changed: broadcast::Sender<Arc<Changed>>,
    /// Rung when mails were decided.
    pub outbox: Arc<Notify>,
    /// Shows mails as they go out.
    pub office: Arc<PostOffice>,
    /// Tells the gateway which units exist.
    pub known: Arc<super::KnownUnits>,
    pub desk: Arc<super::reports::Reports>,
    pub settings: crate::domain::Settings,
    pub rules_toml: String,
    pub started_at: Timestamp,
    /// None: there is no InfluxDB.
    pub telling: Option<Telling>,
    pub fresh: Fresh,
}

/// What has come in since the last commit, and what is counted in between.
#[derive(Default)]
pub struct Fresh {
    writer: Writer,
    journal: Vec<u8>,
    journal_lines: u32,
    pub effects: Vec<Effect>,
    acks: Vec<Box<dyn Acknowledge>>,
    messages: usize,
    /// When the message that has waited longest was read.
    oldest_read: Option<Instant>,
    presses: Vec<PressHeard>,
    commands_taken: Vec<(UnitId, String, Timestamp)>,
    mail_results: Vec<(MessageId, Timestamp, Tried)>,
    mails_done: Vec<oneshot::Sender<()>>,
    rollups: Vec<(Box<RollupPiece>, oneshot::Sender<()>)>,
    pub quarantine: BTreeMap<UnitId, QuarantineRow>,
    quarantine_changed: bool,
    pub refusals: BTreeMap<RefusalKind, RefusalRow>,
    refusals_changed: bool,
    lines_since_checkpoint: u64,
    pub fleet: Option<Vec<Unit>>,
    /// The digest of the file that the fleet is of from now on.
    pub fleet_file: Option<String>,
    pub removed_units: Vec<UnitId>,
    accepted: Option<UnitId>,
    pub rules_changed: bool,
    copies: Vec<(String, Bytes)>,
}

impl Fresh {
    pub(super) fn effect_count(&self) -> usize {
        self.effects.len()
    }
    pub(super) fn effects_since(&self, count: usize) -> impl Iterator<Item = &Effect> {
        self.effects.iter().skip(count)
    }
}

impl Judge {
    /// Runs until told to stop or all senders are gone. Err: a commit failed.
    pub async fn run(
        mut self,
        mut ingest: mpsc::Receiver<Ingest>,
        mut control: mpsc::Receiver<Control>,
    ) -> Result<(), StoreError> {
        let mut waiting: Vec<Ingest> = Vec::new();
        let mut looked_at = clock::now();
        let (mut checkpoint_at, mut prune_at) = (Instant::now() + CHECKPOINT_EVERY, Instant::now() + PRUNE_EVERY);
        let mut counts_at = Instant::now() + COUNTS_EVERY;
        loop {
            let wait = self.engine.next_deadline().map_or(TICK, |d| d.since(clock::now()).min(TICK));
            let mut asked = None;
            tokio::select! {
                biased;
                c = control.recv() => match c {
                    Some(c) => asked = Some(c),
                    None => break,
                },
                n = ingest.recv_many(&mut waiting, BATCH_MESSAGES) => if n == 0 { break },
                // A millisecond more: timers may ring early, deadlines never.
                () = tokio::time::sleep(wait + Duration::from_millis(1)) => {}
            }
            let taken = Instant::now();
            let now = clock::now();
            if now.since(looked_at) > STOOD_STILL {
                tracing::warn!("nothing ran for {}: taken as deafness", crate::domain::span_text(now.since(looked_at)));
                self.judge(now, What::Link(Hearing::Start));
            }
            looked_at = now;
            self.advance(now);
            match asked {
                Some(Control::Stop) => break,
                Some(Control::Ask(ask, reply)) => {
                    let answer = self.answer(now, ask);
                    self.commit(now, taken, false)?;
                    // Nobody waits any more: they hung up.
                    let _ = reply.send(answer);
                }
                Some(Control::Mail { message_id, tried, done }) => {
                    self.mail_result(now, message_id, tried);
                    self.fresh.mails_done.push(done);
                }
                Some(Control::Prospects(reply)) => {
                    // Nobody waits any more: they hung up.
                    let _ = reply.send((self.engine.unit_rows(), self.engine.prospects()));
                }
                Some(Control::Rollups { piece, done }) => self.fresh.rollups.push((piece, done)),
                Some(Control::Notice(notice)) => {
                    self.fresh.effects.push(Effect { at: now, kind: EffectKind::Mail(notice) });
                }
                Some(Control::CommandTaken { unit, command, at }) => {
                    self.fresh.commands_taken.push((unit, command, at));
                }
                Some(Control::Rules { text, rules }) => self.replace_rules(now, text, rules),
                None => {}
            }
            // Askers go first, but never instead of units.
            while waiting.len() < BATCH_MESSAGES
                && let Ok(more) = ingest.try_recv()
            {
                waiting.push(more);
            }
            let mut queue = std::mem::take(&mut waiting);
            for ingest in queue.drain(..) {
                self.take(now, ingest);
                if self.fresh.messages >= BATCH_MESSAGES {
                    self.commit(now, taken, false)?;
                }
            }
            waiting = queue;
            let checkpoint = Instant::now() >= checkpoint_at || self.fresh.lines_since_checkpoint >= CHECKPOINT_LINES;
            if checkpoint {
                checkpoint_at = Instant::now() + CHECKPOINT_EVERY;
            }
            if Instant::now() >= counts_at {
                counts_at = Instant::now() + COUNTS_EVERY;
                self.write_counts(now)?;
            }
            if let Some(telling) = &mut self.telling {
                telling.tick(&self.engine, now);
            }
            self.commit(now, taken, checkpoint)?;
            if Instant::now() >= prune_at {
                let pruned = self.store.prune(now)?;
                prune_at = Instant::now() + if pruned.more { TICK } else { PRUNE_EVERY };
            }
        }
        // What the ways in still held was not acknowledged unless it gets through here.
        let now = clock::now();
        while let Ok(ingest) = ingest.try_recv() {
            self.take(now, ingest);
        }
        self.advance(now);
        self.write_counts(now)?;
        self.commit(now, Instant::now(), true)?;
        self.store.close()
    }

    fn take(&mut self, now: Timestamp, ingest: Ingest) {
        match ingest {
            Ingest::Publishes(Chunk { read_at, publishes, ack }) => {
                self.fresh.oldest_read = Some(self.fresh.oldest_read.map_or(read_at, |oldest| oldest.min(read_at)));
                for p in &publishes {
                    self.take_publish(now, &p.topic, &p.payload, p.retained);
                }
                self.fresh.acks.push(ack);
            }
            Ingest::Hearing(hearing) => {
                tracing::warn!("the broker is {hearing}");
                self.judge(now, What::Link(hearing));
            }
            Ingest::Refused(refusal) => self.refuse(now, refusal),
        }
    }

    fn take_publish(&mut self, now: Timestamp, topic: &str, payload: &Bytes, retained: bool) {
        self.fresh.messages += 1;
        let decoded = match self.decoder.decode(topic, payload) {
            Ok(decoded) => decoded,
            Err(refusal) => return self.refuse(now, refusal),
        };
        for refusal in decoded.dropped {
            count_refusal(&mut self.fresh, &self.metrics, now, refusal);
        }
        if decoded.unknown_fields > 0 {
            self.metrics.unknown_fields.inc_by(u64::from(decoded.unknown_fields));
        }
        let Some(unit) = self.engine.fleet().find(decoded.unit) else {
            let id = UnitId::parse(decoded.unit).expect("the decoder has checked the id");
            return self.quarantine(now, id, topic, payload);
        };
        self.metrics.messages.with_label_values(&[decoded.message.body.kind().as_str()]).inc();
        self.fresh.presses.extend(press_heard(now, decoded.unit, &decoded.message));
        if !retained {
            self.book.heard(now, decoded.unit, &decoded.message);
        }
        let told = self.telling.is_some().then(|| decoded.message.clone());
        let effects = self.engine.handle(now, Event::Message { unit, message: decoded.message, retained });
        self.fresh.effects.extend(effects);
        if let (Some(telling), Some(message)) = (&mut self.telling, &told) {
            telling.message(&self.engine, unit, message);
        }
        let fresh = &mut self.fresh;
        fresh.writer.publish(now, topic, payload, retained, &mut fresh.journal);
        fresh.journal_lines += 1;
        if self.bus.is_some() {
            self.fresh.copies.push((topic.to_owned(), payload.clone()));
        }
    }

    /// Judges and journals what is not a message.
    pub(super) fn judge(&mut self, now: Timestamp, what: What) {
        let line = Line { at: now, what };
        let fresh = &mut self.fresh;
        fresh.writer.line(&line, &mut fresh.journal);
        fresh.journal_lines += 1;
        let mut passed = crate::app::replay::Passed::default();
        let effects = crate::app::replay::judge_line(&mut self.engine, &self.decoder, line, &mut passed);
        self.fresh.effects.extend(effects);
        self.metrics.hearing.set(i64::from(self.engine.is_hearing()));
    }

    fn advance(&mut self, now: Timestamp) {
        let effects = self.engine.advance(now);
        if effects.is_empty() {
            return;
        }
        for effect in &effects {
            self.metrics.engine_lag_seconds.observe(now.since(effect.at).as_secs_f64());
        }
        // After a crash the same deadlines must not be judged again: the journal says that they were.
        let fresh = &mut self.fresh;
        fresh.writer.line(&Line { at: now, what: What::Advance }, &mut fresh.journal);
        fresh.journal_lines += 1;
        fresh.effects.extend(effects);
    }

    fn refuse(&mut self, now: Timestamp, refusal: Refusal) {
        count_refusal(&mut self.fresh, &self.metrics, now, refusal);
    }

    fn quarantine(&mut self, now: Timestamp, unit: UnitId, topic: &str, payload: &[u8]) {
        self.metrics.quarantined.inc();
        let refusal = Refusal::new(
            RefusalKind::UnknownUnit,
            topic,
            format!("{unit} is not in the fleet; add it with `fleet accept {unit}` or import a fleet.csv that has it"),
        );
        count_refusal(&mut self.fresh, &self.metrics, now, refusal.from_unit(unit.as_str()).example(payload));
        let fresh = &mut self.fresh;
        if fresh.quarantine.len() >= QUARANTINE_MAX && !fresh.quarantine.contains_key(&unit) {
            return;
        }
        let row = fresh.quarantine.entry(unit.clone()).or_insert_with(|| QuarantineRow {
            unit,
            first_heard: now,
            last_heard: now,
            messages: 0,
            last_topic: String::new(),
        });
        row.last_heard = now;
        row.messages += 1;
        topic.clone_into(&mut row.last_topic);
        fresh.quarantine_changed = true;
    }

    fn mail_result(&mut self, now: Timestamp, message_id: MessageId, tried: Tried) {
        let (delivered, note, label) = match &tried.outcome {
            MailOutcome::Sent => (true, String::new(), "sent"),
            MailOutcome::PartlySent { error } => (true, error.clone(), "partly-sent"),
            MailOutcome::TryAgain { error, .. } => (false, error.clone(), "retry"),
            MailOutcome::Refused { error } => (false, error.clone(), "refused"),
        };
        self.metrics.mails.with_label_values(&[label]).inc();
        self.judge(now, What::Delivery { message_id: message_id.clone(), delivered, note });
        self.fresh.mail_results.push((message_id, now, tried));
    }

    fn replace_rules(&mut self, now: Timestamp, text: String, rules: RuleSet) {
        let fleet = crate::domain::Fleet::clone(self.engine.fleet());
        self.fresh.effects.extend(self.engine.reload(now, rules, fleet, self.settings.clone()));
        self.rules_toml = text;
        self.known.set_rules(self.engine.rules());
        self.fresh.rules_changed = true;
        self.count_all();
    }

    pub(super) fn replace_fleet(&mut self, now: Timestamp, units: Vec<Unit>, accepted: Option<UnitId>) {
        let fleet = crate::domain::Fleet::new(units.clone());
        let before = self.engine.fleet().units().map(|(_, u)| u.unit.clone());
        self.fresh.removed_units = before.filter(|u| fleet.find(u.as_str()).is_none()).collect();
        let effects = self.engine.reload(now, self.engine.rules().clone(), fleet, self.settings.clone());
        self.fresh.effects.extend(effects);
        self.known.set(self.engine.fleet());
        for unit in &units {
            self.fresh.quarantine.remove(&unit.unit);
        }
        self.fresh.fleet = Some(units);
        self.fresh.accepted = accepted;
        self.count_all();
    }

    /// Everything gathered becomes durable, then is acknowledged, then is told.
    pub(super) fn commit(&mut self, now: Timestamp, taken: Instant, checkpoint: bool) -> Result<(), StoreError> {
        let moves = self.fresh.fleet.is_some() || self.fresh.rules_changed;
        // After a crash, what the checkpoint does not cover is judged again and told again. So it may cover only what
        // InfluxDB's spool has.
        let checkpoint_later = checkpoint && !moves && self.telling.is_some();
        if let (Some(telling), true) = (&mut self.telling, moves) {
            telling.hand_over();
            telling.flush();
        }
        self.commit_fresh(now, taken, moves || (checkpoint && !checkpoint_later))?;
        let Some(telling) = &mut self.telling else { return Ok(()) };
        telling.hand_over();
        if moves || checkpoint_later {
            telling.flush();
        }
        if checkpoint_later {
            self.make_durable(now, true)?;
            self.fresh.lines_since_checkpoint = 0;
        }
        Ok(())
    }

    fn commit_fresh(&mut self, now: Timestamp, taken: Instant, wants_checkpoint: bool) -> Result<(), StoreError> {
        let fresh = &self.fresh;
        if fresh.journal.is_empty()
            && fresh.effects.is_empty()
            && fresh.acks.is_empty()
            && fresh.mail_results.is_empty()
            && fresh.rollups.is_empty()
            && fresh.commands_taken.is_empty()
            && !wants_checkpoint
        {
            return Ok(());
        }
        self.make_durable(now, wants_checkpoint)?;
        if !self.fresh.acks.is_empty() {
            for ack in self.fresh.acks.drain(..) {
                ack.committed();
            }
            self.metrics.ack_seconds.observe(taken.elapsed().as_secs_f64());
        }
        for done in self.fresh.mails_done.drain(..) {
            // The outbox worker may have been stopped: the mark is in the store all the same.
            let _ = done.send(());
        }
        for (_, done) in self.fresh.rollups.drain(..) {
            // As with the outbox worker.
            let _ = done.send(());
        }
        let effects = std::mem::take(&mut self.fresh.effects);
        if let Some(telling) = &mut self.telling {
            telling.effects(&self.engine, &effects);
        }
        self.tell(&effects);
        if self.changed.receiver_count() > 0 {
            let changed = changed_by(&effects, self.fresh.fleet.is_some() || self.fresh.rules_changed);
            if !changed.is_empty() {
                // Nobody may be looking any more.
                let _ = self.changed.send(Arc::new(changed));
            }
        }
        if self.decided.receiver_count() > 0 {
            for effect in effects {
                // Nobody may be listening any more.
                let _ = self.decided.send(Arc::new(effect));
            }
        }
        let fresh = &mut self.fresh;
        fresh.lines_since_checkpoint =
            if wants_checkpoint { 0 } else { fresh.lines_since_checkpoint + u64::from(fresh.journal_lines) };
        fresh.journal.clear();
        fresh.journal_lines = 0;
        fresh.messages = 0;
        fresh.presses.clear();
        fresh.commands_taken.clear();
        fresh.mail_results.clear();
        fresh.fleet = None;
        fresh.fleet_file = None;
        fresh.accepted = None;
        fresh.rules_changed = false;
        Ok(())
    }

    fn make_durable(&mut self, now: Timestamp, wants_checkpoint: bool) -> Result<(), StoreError> {
        let began = Instant::now();
        if let Some(read_at) = self.fresh.oldest_read.take() {
            self.metrics.ingest_seconds.observe(began.saturating_duration_since(read_at).as_secs_f64());
        }
        let saved = if self.fresh.fleet.is_some() {
            // Places have moved: everything is written, and units that left are removed.
            Some(self.engine.save())
        } else {
            wants_checkpoint.then(|| self.engine.save_dirty())
        };
        let removed_units = std::mem::take(&mut self.fresh.removed_units);
        let fresh = &self.fresh;
        let mut batch = Batch::new(now);
        batch.journal = &fresh.journal;
        batch.journal_lines = fresh.journal_lines;
        for effect in &fresh.effects {
            batch.push(effect);
        }
        for (message_id, at, tried) in &fresh.mail_results {
            let (outcome, addresses) = (tried.outcome.clone(), tried.addresses.as_slice());
            batch.mail_results.push(MailResult { message_id, at: *at, outcome, addresses });
        }
        batch.presses = &fresh.presses;
        let taken = fresh.commands_taken.iter();
        batch.commands_taken.extend(taken.map(|(unit, command, at)| CommandTaken { unit, command, at: *at }));
        batch.rollups.extend(fresh.rollups.iter().map(|(piece, _)| &**piece));
        batch.fleet = fresh.fleet.as_deref();
        batch.fleet_file = fresh.fleet_file.as_deref();
        if fresh.rules_changed || fresh.fleet.is_some() {
            batch.rules_toml = Some(&self.rules_toml);
        }
        batch.quarantine_gone.extend(&fresh.accepted);
        if let Some(saved) = &saved {
            batch.checkpoint =
                Some(Checkpoint { global: &saved.global, units: Box::new(saved.units.iter().cloned()), removed_units });
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.store.commit(batch)?;
        self.metrics.commit_seconds.observe(began.elapsed().as_secs_f64());
        self.metrics.batch_messages.observe(fresh.messages as f64);
        self.metrics.last_commit.set(unix_seconds(now));
        if saved.is_some() {
            self.metrics.last_checkpoint.set(unix_seconds(now));
        }
        Ok(())
    }

    fn write_counts(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let mut batch = Batch::new(now);
        if std::mem::take(&mut self.fresh.quarantine_changed) {
            batch.quarantine = self.fresh.quarantine.values().cloned().collect();
        }
        if std::mem::take(&mut self.fresh.refusals_changed) {
            batch.refusals = self.fresh.refusals.values().cloned().collect();
        }
        if batch.is_empty() { Ok(()) } else { self.store.commit(batch) }
    }

    /// To the outbox, the units, the observers and the metrics: all of it may be lost in a crash, none of it is needed.
    fn tell(&mut self, effects: &[Effect]) {
        let (mut mails, mut orders, mut alerts) = (false, false, false);
        for effect in effects {
            match &effect.kind {
                EffectKind::Readiness { unit, from, to, .. } => {
                    if let Some(ix) = self.engine.fleet().find(unit.as_str()) {
                        let city = self.engine.fleet().unit(ix).city.as_str();
                        self.metrics.units.with_label_values(&[from.as_str(), city]).dec();
                        self.metrics.units.with_label_values(&[to.as_str(), city]).inc();
                    }
                }
                EffectKind::Order(_) | EffectKind::OrderUpdated(_) => orders = true,
                EffectKind::Alert { .. } | EffectKind::Incident { .. } => alerts = true,
                EffectKind::Mail(_) => mails = true,
                EffectKind::Command { unit, command } => {
                    self.book.decided(effect.at, unit, command);
                    // The sender outlives this loop or the service is stopping; the store keeps the command either way.
                    let _ = self.commands.send((unit.clone(), command.clone()));
                }
                EffectKind::Reading { .. } | EffectKind::Refused { .. } => {}
            }
        }
        if orders {
            self.count_orders();
        }
        if alerts {
            self.count_alerts();
        }
        if mails {
            self.outbox.notify_one();
        }
        if let Some(bus) = &self.bus {
            for (topic, payload) in self.fresh.copies.drain(..) {
                bus.publish(&topic, payload, false);
            }
            bus_feed::tell(bus, self.decoder.root(), effects);
        }
    }

    /// Gauges from scratch: at the start and when the fleet changes.
    pub fn count_all(&self) {
        self.metrics.units.reset();
        for row in self.engine.unit_rows() {
            for readiness in Readiness::ALL {
                self.metrics.units.with_label_values(&[readiness.as_str(), row.city.as_str()]);
            }
            self.metrics.units.with_label_values(&[row.readiness.as_str(), row.city.as_str()]).inc();
        }
        self.metrics.hearing.set(i64::from(self.engine.is_hearing()));
        self.count_orders();
        self.count_alerts();
    }

    fn count_orders(&self) {
        self.metrics.set_orders(self.engine.open_orders().map(|order| (order.state, order.priority)));
    }

    fn count_alerts(&self) {
        self.metrics.set_alerts(self.engine.alert_rows().iter().map(|row| (row.state, row.severity)));
        self.metrics.incidents.set(self.engine.incident_rows().len() as i64);
    }
}

/// `moves`: the fleet or the rules are others now.
fn changed_by(effects: &[Effect], moves: bool) -> Changed {
    let mut changed = if moves { Changed::everything() } else { Changed::default() };
    for effect in effects {
        match &effect.kind {
            EffectKind::Readiness { unit, .. } | EffectKind::Alert { unit, .. } | EffectKind::Command { unit, .. } => {
                changed.unit(unit)
            }
            EffectKind::Incident { kind, name, .. } => changed.incident(*kind, name),
            EffectKind::Order(order) | EffectKind::OrderUpdated(order) => changed.order(order.id),
            EffectKind::Mail(_) | EffectKind::Reading { .. } | EffectKind::Refused { .. } => {}
        }
    }
    changed
}

/// None: it is no press, or has no number by which its repetition would be known.
fn press_heard(now: Timestamp, unit: &str, message: &Message) -> Option<PressHeard> {
    let (Body::Press(press), Some(boot), Some(seq)) = (&message.body, message.boot, message.seq) else { return None };
    let line = PressLine {
        at: now,
        unit: UnitId::parse(unit).expect("the decoder has checked the id"),
        is_test: match press.kind {
            PressKind::Real => false,
            PressKind::Test => true,
        },
        answered: press.ack,
        answer_ms: press.ack_ms,
    };
    Some(PressHeard { line, boot, seq })
}

fn count_refusal(fresh: &mut Fresh, metrics: &Metrics, now: Timestamp, refusal: Refusal) {
    metrics.refused.with_label_values(&[refusal.kind.as_str()]).inc();
    let row = fresh.refusals.entry(refusal.kind).or_insert_with(|| RefusalRow {
        kind: refusal.kind.as_str().to_owned(),
        count: 0,
        last_at: now,
        unit: None,
        topic: String::new(),
        why: String::new(),
        example: String::new(),
    });
    row.count += 1;
    row.last_at = now;
    row.unit = refusal.unit;
    row.topic = refusal.topic;
    row.why = refusal.why;
    row.example = printable(&refusal.example);
    fresh.refusals_changed = true;
}

/// Bytes as a person can read them on one line.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
