//! One commit: what was heard, and everything that was decided about it.
//!
//! Owns the rows' shapes and how each is written. Never opens a transaction: [`super::Store::commit`] does, around all.

use rusqlite::{Connection, params};

use crate::domain::message::Command;
use crate::domain::outlook::PressLine;
use crate::domain::view::{QuarantineRow, RefusalRow};
use crate::domain::{
    AddressOutcome, AlertState, Component, Effect, EffectKind, GroupKind, GroupName, IncidentState, MessageId, Notice,
    Order, Priority, Readiness, Reason, RuleId, Severity, Subject, Timestamp, Unit, UnitId,
};

use super::error::Fault;
use super::rollups::{self, RollupPiece};

/// All of it becomes durable together, or none of it.
///
/// ```text
///  let mut batch = Batch::new(now);
///  batch.journal = &lines;
///  batch.journal_lines = count;
///  effects.iter().for_each(|e| batch.push(e));
///  store.commit(batch)?;      // now acknowledge
/// ```
pub struct Batch<'a> {
    pub at: Timestamp,
    /// Recording lines, each with its line end. Empty: nothing was heard, time alone decided.
    pub journal: &'a [u8],
    pub journal_lines: u32,
    /// The order as it is now; of two with one number the later wins.
    pub orders: Vec<&'a Order>,
    pub readiness: Vec<ReadinessChange<'a>>,
    pub alerts: Vec<AlertChange<'a>>,
    pub incidents: Vec<IncidentChange<'a>>,
    /// For the outbox. One whose Message-ID is there already is the same decision and changes nothing.
    pub notices: Vec<&'a Notice>,
    /// What became of mails, so that the outbox and the engine's `Delivery` line change together.
    pub mail_results: Vec<MailResult<'a>>,
    pub commands: Vec<(&'a UnitId, &'a Command)>,
    /// Units, or the external broker for them, have these by now. One that is not there is passed over.
    pub commands_taken: Vec<CommandTaken<'a>>,
    pub presses: &'a [PressHeard],
    pub quarantine: Vec<QuarantineRow>,
    /// Accepted into the fleet, or dismissed.
    pub quarantine_gone: Vec<&'a UnitId>,
    /// Totals, not increments.
    pub refusals: Vec<RefusalRow>,
    /// The whole fleet, replacing the one before. Needs a checkpoint beside it once anything was heard.
    pub fleet: Option<&'a [Unit]>,
    /// The digest of the file that the fleet is of.
    pub fleet_file: Option<&'a str>,
    /// The text of `alerts.toml` from now on. Needs a checkpoint like `fleet`.
    pub rules_toml: Option<&'a str>,
    pub checkpoint: Option<Checkpoint<'a>>,
    pub rollups: Vec<&'a RollupPiece>,
}

/// The engine's state after every line of the journal, this batch's included.
pub struct Checkpoint<'a> {
    /// JSON of all that belongs to no unit.
    pub global: &'a str,
    /// JSON of each unit that changed since the last checkpoint (of every unit, the first time). Taken one by one, so
    /// that a million states need not be in memory at once.
    pub units: Box<dyn Iterator<Item = (UnitId, String)> + 'a>,
    pub removed_units: Vec<UnitId>,
}

pub struct CommandTaken<'a> {
    pub unit: &'a UnitId,
    pub command: &'a str,
    pub at: Timestamp,
}

/// One press message. The same message again is the same press.
#[derive(Debug, Clone, PartialEq)]
pub struct PressHeard {
    pub line: PressLine,
    pub boot: u32,
    pub seq: u64,
}

pub struct ReadinessChange<'a> {
    pub at: Timestamp,
    pub unit: &'a UnitId,
    pub from: Readiness,
    pub to: Readiness,
    pub reason: &'a Reason,
}

pub struct AlertChange<'a> {
    pub at: Timestamp,
    pub unit: &'a UnitId,
    pub rule: &'a RuleId,
    pub component: Component,
    pub severity: Severity,
    pub state: AlertState,
    pub reason: &'a Reason,
}

pub struct IncidentChange<'a> {
    pub at: Timestamp,
    pub kind: GroupKind,
    pub name: &'a GroupName,
    pub state: IncidentState,
    pub units: &'a [UnitId],
    pub reason: &'a Reason,
}

pub struct MailResult<'a> {
    pub message_id: &'a MessageId,
    pub at: Timestamp,
    pub outcome: MailOutcome,
    /// All of them, as they are after the try. None: nothing new about them.
    pub addresses: &'a [AddressOutcome],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailOutcome {
    /// To every address.
    Sent,
    /// To some; the others are refused for good.
    PartlySent { error: String },
    /// At least one address waits.
    TryAgain { at: Timestamp, error: String },
    /// Nobody has it. Kept for the operator; never tried again by itself.
    Refused { error: String },
}

impl<'a> Batch<'a> {
    pub fn new(at: Timestamp) -> Self {
        Batch {
            at,
            journal: &[],
            journal_lines: 0,
            orders: Vec::new(),
            readiness: Vec::new(),
            alerts: Vec::new(),
            incidents: Vec::new(),
            notices: Vec::new(),
            mail_results: Vec::new(),
            commands: Vec::new(),
            commands_taken: Vec::new(),
            presses: &[],
            quarantine: Vec::new(),
            quarantine_gone: Vec::new(),
            refusals: Vec::new(),
            fleet: None,
            fleet_file: None,
            rules_toml: None,
            checkpoint: None,
            rollups: Vec::new(),
        }
    }

    /// Files an effect where it belongs. Readings and refusals leave no rows.
    pub fn push(&mut self, effect: &'a Effect) {
        let at = effect.at;
        match &effect.kind {
            EffectKind::Readiness { unit, from, to, reason } => {
                self.readiness.push(ReadinessChange { at, unit, from: *from, to: *to, reason });
            }
            EffectKind::Alert { unit, rule, component, severity, state, reason } => {
                let (component, severity, state) = (*component, *severity, *state);
                self.alerts.push(AlertChange { at, unit, rule, component, severity, state, reason });
            }
            EffectKind::Incident { kind, name, state, units, reason } => {
                self.incidents.push(IncidentChange { at, kind: *kind, name, state: *state, units, reason });
            }
            EffectKind::Order(order) | EffectKind::OrderUpdated(order) => self.orders.push(order),
            EffectKind::Mail(notice) => self.notices.push(notice),
            EffectKind::Command { unit, command } => self.commands.push((unit, command)),
            EffectKind::Reading { .. } | EffectKind::Refused { .. } => {}
        }
    }

    /// Nothing to commit: no need to touch the disk.
    pub fn is_empty(&self) -> bool {
        self.journal.is_empty()
            && self.orders.is_empty()
            && self.readiness.is_empty()
            && self.alerts.is_empty()
            && self.incidents.is_empty()
            && self.notices.is_empty()
            && self.mail_results.is_empty()
            && self.commands.is_empty()
            && self.commands_taken.is_empty()
            && self.presses.is_empty()
            && self.quarantine.is_empty()
            && self.quarantine_gone.is_empty()
            && self.refusals.is_empty()
            && self.fleet.is_none()
            && self.fleet_file.is_none()
            && self.rules_toml.is_none()
            && self.checkpoint.is_none()
            && self.rollups.is_empty()
    }
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|e| Fault::Undecodable(e.to_string()))
}

/// Everything but the journal row. `seq` is the last row that the checkpoint covers.
pub(super) fn write(db: &Connection, batch: Batch<'_>, seq: i64) -> Result<(), Fault> {
    for order in &batch.orders {
        write_order(db, order)?;
    }
    for change in &batch.readiness {
        db.prepare_cached(
            "INSERT INTO readiness_history (at, unit, was, became, reason, because) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            change.at.as_millis(),
            change.unit.as_str(),
            change.from.as_str(),
            change.to.as_str(),
            change.reason.to_string(),
            json(change.reason)?
        ])?;
    }
    for change in &batch.alerts {
        write_alert(db, change)?;
    }
    for change in &batch.incidents {
        write_incident(db, change)?;
    }
    for notice in &batch.notices {
        db.prepare_cached(
            "INSERT INTO outbox (message_id, kind, recipient, orders, decided_at, urgent, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (message_id) DO NOTHING",
        )?
        .execute(params![
            notice.message_id.as_str(),
            notice.kind.as_str(),
            notice.to.to_string(),
            json(&notice.order_ids())?,
            notice.at.as_millis(),
            notice.orders.iter().any(|o| o.priority == Priority::P1 && o.state.is_open()),
            json(notice)?
        ])?;
    }
    for result in &batch.mail_results {
        write_mail_result(db, result)?;
    }
    for (unit, command) in &batch.commands {
        db.prepare_cached(
            "INSERT INTO command (unit, command_id, decided_at, expires_at, body) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (unit, command_id) DO NOTHING",
        )?
        .execute(params![
            unit.as_str(),
            command.id,
            batch.at.as_millis(),
            command.expires.as_millis(),
            json(command)?
        ])?;
    }
    for taken in &batch.commands_taken {
        db.prepare_cached("UPDATE command SET taken_at = ?3 WHERE unit = ?1 AND command_id = ?2")?.execute(params![
            taken.unit.as_str(),
            taken.command,
            taken.at.as_millis()
        ])?;
    }
    for press in batch.presses {
        let line = &press.line;
        db.prepare_cached(
            "INSERT INTO press (at, unit, boot, seq, is_test, answered, answer_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (unit, boot, seq) DO NOTHING",
        )?
        .execute(params![
            line.at.as_millis(),
            line.unit.as_str(),
            press.boot,
            stored(press.seq),
            line.is_test,
            line.answered,
            line.answer_ms
        ])?;
    }
    write_strangers(db, &batch)?;
    if let Some(fleet) = batch.fleet {
        db.prepare_cached("DELETE FROM fleet_unit")?.execute([])?;
        let mut insert = db.prepare_cached("INSERT INTO fleet_unit (unit, body) VALUES (?1, ?2)")?;
        for unit in fleet {
            insert.execute(params![unit.unit.as_str(), json(unit)?])?;
        }
    }
    if let Some(digest) = batch.fleet_file {
        db.prepare_cached("INSERT OR REPLACE INTO fleet_file (one, digest) VALUES (1, ?1)")?.execute([digest])?;
    }
    if let Some(toml) = batch.rules_toml {
        db.prepare_cached("INSERT INTO rules (at, toml) VALUES (?1, ?2)")?
            .execute(params![batch.at.as_millis(), toml])?;
    }
    for piece in &batch.rollups {
        rollups::write(db, piece)?;
    }
    if let Some(checkpoint) = batch.checkpoint {
        write_checkpoint(db, batch.at, seq, checkpoint)?;
    }
    Ok(())
}

fn write_order(db: &Connection, order: &Order) -> Result<(), Fault> {
    let (unit, component) = match &order.subject {
        Subject::Unit { unit, component } => (Some(unit.as_str()), Some(component.as_str())),
        Subject::Incident { .. } => (None, None),
    };
    db.prepare_cached(
        "INSERT INTO work_order
            (id, state, is_open, priority, crew, site, unit, component, opened_at, due_at, closed_at, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (id) DO UPDATE SET state = ?2, is_open = ?3, priority = ?4, crew = ?5, site = ?6, unit = ?7,
            component = ?8, opened_at = ?9, due_at = ?10, closed_at = ?11, body = ?12",
    )?
    .execute(params![
        order.id.number(),
        order.state.as_str(),
        order.state.is_open(),
        order.priority.as_str(),
        order.crew.as_str(),
        order.site.as_ref().map(|s| s.as_str()),
        unit,
        component,
        order.opened_at.as_millis(),
        order.due_at.map(Timestamp::as_millis),
        order.closed_at.map(Timestamp::as_millis),
        json(order)?
    ])?;
    Ok(())
}

fn write_alert(db: &Connection, change: &AlertChange<'_>) -> Result<(), Fault> {
    let (at, unit, rule) = (change.at.as_millis(), change.unit.as_str(), change.rule.as_str());
    let reason = change.reason.to_string();
    let (component, severity, state) = (change.component.as_str(), change.severity.as_str(), change.state.as_str());
    db.prepare_cached(
        "INSERT INTO alert_history (at, unit, rule, component, severity, state, reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![at, unit, rule, component, severity, state, reason])?;
    match change.state {
        AlertState::Pending | AlertState::Firing | AlertState::Inhibited => {
            db.prepare_cached(
                "INSERT INTO alert_open (unit, rule, component, severity, state, since, at, reason)
                 VALUES (?2, ?3, ?4, ?5, ?6, ?1, ?1, ?7)
                 ON CONFLICT (unit, rule) DO UPDATE SET component = ?4, severity = ?5, state = ?6, at = ?1, reason = ?7",
            )?
            .execute(params![at, unit, rule, component, severity, state, reason])?;
        }
        AlertState::Resolved => {
            db.prepare_cached("DELETE FROM alert_open WHERE unit = ?1 AND rule = ?2")?.execute(params![unit, rule])?;
        }
    }
    Ok(())
}

fn write_incident(db: &Connection, change: &IncidentChange<'_>) -> Result<(), Fault> {
    let (at, kind, name) = (change.at.as_millis(), change.kind.as_str(), change.name.as_str());
    let (units, reason) = (json(&change.units)?, change.reason.to_string());
    match change.state {
        IncidentState::Open => {
            // Open again while open: it has other units now.
            db.prepare_cached(
                "INSERT INTO incident (kind, name, opened_at, units, reason) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (kind, name) WHERE closed_at IS NULL DO UPDATE SET units = ?4, reason = ?5",
            )?
            .execute(params![kind, name, at, units, reason])?;
        }
        IncidentState::Closed => {
            db.prepare_cached(
                "UPDATE incident SET closed_at = ?3, reason = ?4 WHERE kind = ?1 AND name = ?2 AND closed_at IS NULL",
            )?
            .execute(params![kind, name, at, reason])?;
        }
    }
    Ok(())
}

fn write_mail_result(db: &Connection, result: &MailResult<'_>) -> Result<(), Fault> {
    let (id, at) = (result.message_id.as_str(), result.at.as_millis());
    if !result.addresses.is_empty() {
        // Also of a mail that was dropped meanwhile: who has it, has it.
        db.prepare_cached("UPDATE outbox SET addresses = ?2 WHERE message_id = ?1 AND state <> 'sent'")?
            .execute(params![id, json(&result.addresses)?])?;
    }
    // A mail that was sent stays sent, whatever a late report says.
    match &result.outcome {
        MailOutcome::Sent => db
            .prepare_cached(
                "UPDATE outbox SET state = 'sent', sent_at = ?2, tries = tries + 1, next_try_at = NULL, last_error = NULL
                 WHERE message_id = ?1 AND state NOT IN ('sent', 'dropped')",
            )?
            .execute(params![id, at])?,
        MailOutcome::PartlySent { error } => db
            .prepare_cached(
                "UPDATE outbox SET state = 'partly-sent', sent_at = ?2, tries = tries + 1, next_try_at = NULL,
                    last_error = ?3
                 WHERE message_id = ?1 AND state NOT IN ('sent', 'dropped')",
            )?
            .execute(params![id, at, error])?,
        MailOutcome::TryAgain { at: next, error } => db
            .prepare_cached(
                "UPDATE outbox SET state = 'waiting', tries = tries + 1, next_try_at = ?2, last_error = ?3
                 WHERE message_id = ?1 AND state NOT IN ('sent', 'dropped')",
            )?
            .execute(params![id, next.as_millis(), error])?,
        MailOutcome::Refused { error } => db
            .prepare_cached(
                "UPDATE outbox SET state = 'refused', tries = tries + 1, next_try_at = NULL, last_error = ?2
                 WHERE message_id = ?1 AND state NOT IN ('sent', 'dropped')",
            )?
            .execute(params![id, error])?,
    };
    Ok(())
}

/// Those outside the fleet: units in quarantine, input that was refused.
fn write_strangers(db: &Connection, batch: &Batch<'_>) -> Result<(), Fault> {
    for row in &batch.quarantine {
        db.prepare_cached(
            "INSERT INTO quarantine (unit, first_heard, last_heard, messages, last_topic) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (unit) DO UPDATE SET last_heard = ?3, messages = ?4, last_topic = ?5",
        )?
        .execute(params![
            row.unit.as_str(),
            row.first_heard.as_millis(),
            row.last_heard.as_millis(),
            stored(row.messages),
            row.last_topic
        ])?;
    }
    for unit in &batch.quarantine_gone {
        db.prepare_cached("DELETE FROM quarantine WHERE unit = ?1")?.execute([unit.as_str()])?;
    }
    for row in &batch.refusals {
        db.prepare_cached(
            "INSERT INTO refusal (kind, count, last_at, unit, topic, why, example) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (kind) DO UPDATE SET count = ?2, last_at = ?3, unit = ?4, topic = ?5, why = ?6, example = ?7",
        )?
        .execute(params![
            row.kind,
            stored(row.count),
            row.last_at.as_millis(),
            row.unit,
            row.topic,
            row.why,
            row.example
        ])?;
    }
    Ok(())
}

/// SQLite's integers are signed; a count that large is an end stop, not a number.
fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn write_checkpoint(db: &Connection, at: Timestamp, seq: i64, checkpoint: Checkpoint<'_>) -> Result<(), Fault> {
    db.prepare_cached(
        "INSERT INTO checkpoint (one, at, seq, state) VALUES (1, ?1, ?2, ?3)
         ON CONFLICT (one) DO UPDATE SET at = ?1, seq = ?2, state = ?3",
    )?
    .execute(params![at.as_millis(), seq, checkpoint.global])?;
    let mut remove = db.prepare_cached("DELETE FROM checkpoint_unit WHERE unit = ?1")?;
    for unit in &checkpoint.removed_units {
        remove.execute([unit.as_str()])?;
    }
    let mut upsert = db.prepare_cached(
        "INSERT INTO checkpoint_unit (unit, state) VALUES (?1, ?2) ON CONFLICT (unit) DO UPDATE SET state = ?2",
    )?;
    for (unit, state) in checkpoint.units {
        upsert.execute(params![unit.as_str(), state])?;
    }
    Ok(())
}
