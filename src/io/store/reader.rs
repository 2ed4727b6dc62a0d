//! Questions to the store, on a read-only connection of its own: never waits for the writer, never holds it up.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::types::Type;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use serde::de::DeserializeOwned;

use crate::domain::message::Command;
use crate::domain::outlook::PressLine;
use crate::domain::view::{IncidentRow, OutboxRow, QuarantineRow, RefusalRow};
use crate::domain::{
    AddressOutcome, AlertState, Component, IncidentState, MessageId, Notice, NoticeKind, Order, OrderId, Readiness,
    Reason, RuleId, Severity, SiteId, Timestamp, Unit, UnitId,
};

use super::error::{At, Fault, StoreError};
use super::{DATABASE_FILE, journal, migration};

/// Any number of these may be open, in this process or in others. Shared between threads, its questions take turns.
pub struct StoreReader {
    pub(super) path: PathBuf,
    db: Mutex<Connection>,
}

/// One line of a unit's readiness history.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadinessLine {
    pub at: Timestamp,
    pub unit: UnitId,
    pub from: Readiness,
    pub to: Readiness,
    pub reason: String,
    /// None: a program from before its parts were kept wrote this line.
    pub because: Option<Reason>,
}

/// One line of the alert history, or an alert that is not resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertLine {
    pub at: Timestamp,
    /// When it left its resting state; in the history, `at` again.
    pub since: Timestamp,
    pub unit: UnitId,
    pub rule: RuleId,
    pub component: Component,
    pub severity: Severity,
    pub state: AlertState,
    pub reason: String,
}

/// A command that is still worth something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveCommand {
    pub unit: UnitId,
    pub command: Command,
    pub decided_at: Timestamp,
    /// By the unit, or by the external broker for it.
    pub taken_at: Option<Timestamp>,
}

/// A mail that waits for its turn.
#[derive(Debug, Clone, PartialEq)]
pub struct DueMail {
    pub notice: Notice,
    /// How often it was tried before.
    pub tries: u32,
    /// What is known of its addresses. Empty: not tried yet.
    pub addresses: Vec<AddressOutcome>,
    /// When it was decided, or an operator last wanted it tried again.
    pub since: Timestamp,
}

/// How far a backup has come, in pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupProgress {
    pub done: u32,
    pub total: u32,
}

/// About a megabyte a step: progress moves, and the copy stays fast.
const BACKUP_STEP_PAGES: i32 = 256;

impl StoreReader {
    /// Opens the store in `dir` for reading, whether or not a service runs on it.
    ///
    /// Err: `Missing`, `NotOurs`, `Newer`, or that it cannot be opened.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(DATABASE_FILE);
        if !path.exists() {
            return Err(StoreError::Missing { path });
        }
        let db = connect(&path)?;
        migration::check_known(&db, &path)?;
        Ok(StoreReader { path, db: Mutex::new(db) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn db(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere left no half-made change here: this connection only reads.
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ask<T>(
        &self,
        doing: &'static str,
        sql: &str,
        values: impl rusqlite::Params,
        shape: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let db = self.db();
        let mut statement = db.prepare_cached(sql).at(&self.path, doing)?;
        let rows = statement.query_map(values, shape).at(&self.path, doing)?;
        rows.collect::<rusqlite::Result<Vec<T>>>().at(&self.path, doing)
    }

    /// By number, oldest first.
    pub fn orders(&self, closed_too: bool) -> Result<Vec<Order>, StoreError> {
        let sql = if closed_too {
            "SELECT body FROM work_order ORDER BY id"
        } else {
            "SELECT body FROM work_order WHERE is_open = 1 ORDER BY id"
        };
        self.ask("read the work orders", sql, [], |r| from_json(r, 0))
    }

    pub fn order(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        let found = self.ask("read a work order", "SELECT body FROM work_order WHERE id = ?1", [id.number()], |r| {
            from_json(r, 0)
        })?;
        Ok(found.into_iter().next())
    }

    pub fn orders_of_unit(&self, unit: &UnitId) -> Result<Vec<Order>, StoreError> {
        let sql = "SELECT body FROM work_order WHERE unit = ?1 ORDER BY id";
        self.ask("read a unit's work orders", sql, [unit.as_str()], |r| from_json(r, 0))
    }

    /// Open and closed ones, the newest first.
    pub fn orders_at_site(&self, site: &SiteId, limit: u32) -> Result<Vec<Order>, StoreError> {
        let sql = "SELECT body FROM work_order WHERE site = ?1 ORDER BY id DESC LIMIT ?2";
        self.ask("read a site's work orders", sql, params![site.as_str(), limit], |r| from_json(r, 0))
    }

    /// Mails to try now: those with an open P1 order first, then by their decision.
    pub fn outbox_due(&self, now: Timestamp, limit: u32) -> Result<Vec<DueMail>, StoreError> {
        let sql = "SELECT body, tries, addresses, coalesce(asked_again_at, decided_at) FROM outbox
                   WHERE state = 'waiting' AND (next_try_at IS NULL OR next_try_at <= ?1)
                   ORDER BY urgent DESC, decided_at, rowid LIMIT ?2";
        self.ask("read the outbox", sql, params![now.as_millis(), limit], |r| {
            Ok(DueMail { notice: from_json(r, 0)?, tries: r.get(1)?, addresses: from_json(r, 2)?, since: time(r, 3)? })
        })
    }

    /// When the next waiting mail should be tried. None: none waits. A time in the past: now.
    pub fn outbox_next_try(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT min(coalesce(next_try_at, decided_at)) FROM outbox WHERE state = 'waiting'";
        let found = self.ask("read the outbox", sql, [], |r| optional_time(r, 0))?;
        Ok(found.into_iter().next().flatten())
    }

    pub fn outbox_waiting(&self) -> Result<usize, StoreError> {
        let sql = "SELECT count(*) FROM outbox WHERE state = 'waiting'";
        let found = self.ask("count the outbox", sql, [], |r| r.get::<_, i64>(0))?;
        Ok(found.first().map_or(0, |n| usize::try_from(*n).unwrap_or(0)))
    }

    /// The whole outbox in the order of decision.
    pub fn outbox_all(&self) -> Result<Vec<OutboxRow>, StoreError> {
        self.outbox_where("true", [])
    }

    fn outbox_where(&self, what: &str, values: impl rusqlite::Params) -> Result<Vec<OutboxRow>, StoreError> {
        let sql = format!(
            "SELECT message_id, kind, recipient, orders, decided_at, state, tries, next_try_at, sent_at, last_error,
                addresses
             FROM outbox WHERE {what} ORDER BY decided_at, rowid"
        );
        self.ask("read the outbox", &sql, values, |r| {
            Ok(OutboxRow {
                message_id: r.get(0)?,
                kind: r.get(1)?,
                to: r.get(2)?,
                orders: from_json(r, 3)?,
                decided_at: time(r, 4)?,
                state: r.get(5)?,
                tries: r.get(6)?,
                next_try_at: optional_time(r, 7)?,
                sent_at: optional_time(r, 8)?,
                last_error: r.get(9)?,
                addresses: from_json(r, 10)?,
            })
        })
    }

    /// One mail of the outbox.
    pub fn outbox_row(&self, message_id: &MessageId) -> Result<Option<OutboxRow>, StoreError> {
        Ok(self.outbox_where("message_id = ?1", params![message_id.as_str()])?.into_iter().next())
    }

    /// The newest mail of one of these kinds, whatever became of it.
    pub fn newest_mail_of(&self, kinds: &[NoticeKind]) -> Result<Option<(NoticeKind, MessageId)>, StoreError> {
        let sql = "SELECT body FROM outbox WHERE kind = ?1 ORDER BY decided_at DESC, rowid DESC LIMIT 1";
        let mut newest: Option<Notice> = None;
        for kind in kinds {
            let found = self.ask("read a mail", sql, [kind.as_str()], |r| from_json::<Notice>(r, 0))?;
            newest = newest.into_iter().chain(found).max_by_key(|n| n.at);
        }
        Ok(newest.map(|n| (n.kind, n.message_id)))
    }

    /// The decision behind a mail: what `outbox show` renders.
    pub fn notice(&self, message_id: &MessageId) -> Result<Option<Notice>, StoreError> {
        let sql = "SELECT body FROM outbox WHERE message_id = ?1";
        let found = self.ask("read a mail", sql, [message_id.as_str()], |r| from_json(r, 0))?;
        Ok(found.into_iter().next())
    }

    /// From `since` on, oldest first.
    pub fn readiness_history(&self, unit: &UnitId, since: Timestamp) -> Result<Vec<ReadinessLine>, StoreError> {
        let sql = "SELECT at, unit, was, became, reason, because FROM readiness_history WHERE unit = ?1 AND at >= ?2
                   ORDER BY at, id";
        self.ask("read the readiness history", sql, params![unit.as_str(), since.as_millis()], readiness_line)
    }

    /// The newest line before `at`. None: nothing is kept from before.
    pub fn readiness_before(&self, unit: &UnitId, at: Timestamp) -> Result<Option<ReadinessLine>, StoreError> {
        let sql = "SELECT at, unit, was, became, reason, because FROM readiness_history WHERE unit = ?1 AND at < ?2
                   ORDER BY at DESC, id DESC LIMIT 1";
        let found =
            self.ask("read the readiness history", sql, params![unit.as_str(), at.as_millis()], readiness_line)?;
        Ok(found.into_iter().next())
    }

    /// From `since` on, oldest first. `unit` None: of the whole fleet.
    pub fn alert_history(&self, unit: Option<&UnitId>, since: Timestamp) -> Result<Vec<AlertLine>, StoreError> {
        const DOING: &str = "read the alert history";
        match unit {
            Some(unit) => {
                let sql = "SELECT at, at, unit, rule, component, severity, state, reason FROM alert_history
                           WHERE unit = ?1 AND at >= ?2 ORDER BY at, id";
                self.ask(DOING, sql, params![unit.as_str(), since.as_millis()], alert_line)
            }
            None => {
                let sql = "SELECT at, at, unit, rule, component, severity, state, reason FROM alert_history
                           WHERE at >= ?1 ORDER BY at, id";
                self.ask(DOING, sql, [since.as_millis()], alert_line)
            }
        }
    }

    /// Pending, firing and inhibited, by unit and rule.
    pub fn open_alerts(&self) -> Result<Vec<AlertLine>, StoreError> {
        let sql =
            "SELECT at, since, unit, rule, component, severity, state, reason FROM alert_open ORDER BY unit, rule";
        self.ask("read the open alerts", sql, [], alert_line)
    }

    /// When the oldest change of readiness that is kept was. None: none is kept.
    pub fn history_begins(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT min(at) FROM readiness_history";
        let found = self.ask("read the readiness history", sql, [], |r| optional_time(r, 0))?;
        Ok(found.into_iter().next().flatten())
    }

    /// From `from` to before `until`, oldest first.
    pub fn presses(&self, from: Timestamp, until: Timestamp) -> Result<Vec<PressLine>, StoreError> {
        let sql = "SELECT at, unit, is_test, answered, answer_ms FROM press WHERE at >= ?1 AND at < ?2 ORDER BY at, id";
        self.ask("read the presses", sql, params![from.as_millis(), until.as_millis()], press_line)
    }

    /// At most so many, newest first.
    pub fn presses_of_unit(&self, unit: &UnitId, most: usize) -> Result<Vec<PressLine>, StoreError> {
        let sql = "SELECT at, unit, is_test, answered, answer_ms FROM press WHERE unit = ?1 ORDER BY at DESC, id DESC LIMIT ?2";
        self.ask("read the presses", sql, params![unit.as_str(), i64::try_from(most).unwrap_or(i64::MAX)], press_line)
    }

    /// When each unit was last pressed for a test before `at`, and not left unanswered.
    pub fn tested_before(&self, at: Timestamp) -> Result<Vec<(UnitId, Timestamp)>, StoreError> {
        let sql = "SELECT unit, max(at) FROM press WHERE at < ?1 AND is_test = 1 AND answered IS NOT 0 GROUP BY unit";
        self.ask("read the presses", sql, [at.as_millis()], |r| Ok((word(r, 0, UnitId::parse)?, time(r, 1)?)))
    }

    /// From when presses are kept. None: from the beginning.
    pub fn presses_kept_since(&self) -> Result<Option<Timestamp>, StoreError> {
        let found = self.ask("read the presses", "SELECT min(since) FROM press_kept", [], |r| optional_time(r, 0))?;
        Ok(found.into_iter().next().flatten())
    }

    /// Those that were open at any time from `since` on, oldest first. Which order they led to is the engine's to say.
    pub fn incidents(&self, since: Timestamp) -> Result<Vec<IncidentRow>, StoreError> {
        let sql = "SELECT kind, name, opened_at, closed_at, units, reason FROM incident
                   WHERE closed_at IS NULL OR closed_at >= ?1 ORDER BY opened_at, id";
        self.ask("read the incidents", sql, [since.as_millis()], |r| {
            let closed = optional_time(r, 3)?.is_some();
            Ok(IncidentRow {
                kind: word(r, 0, FromStr::from_str)?,
                name: word(r, 1, crate::domain::GroupName::parse)?,
                state: if closed { IncidentState::Closed } else { IncidentState::Open },
                since: time(r, 2)?,
                units: from_json(r, 4)?,
                reason: r.get(5)?,
                because: None,
                order: None,
            })
        })
    }

    /// Commands that were decided and have not expired, oldest first. Those that nobody took are sent after a restart;
    /// one that was taken in the last moment before it is sent again, and the unit knows it by its id.
    pub fn commands_live(&self, now: Timestamp) -> Result<Vec<LiveCommand>, StoreError> {
        let sql =
            "SELECT unit, body, decided_at, taken_at FROM command WHERE expires_at > ?1 ORDER BY decided_at, rowid";
        self.ask("read the commands", sql, [now.as_millis()], |r| {
            Ok(LiveCommand {
                unit: word(r, 0, UnitId::parse)?,
                command: from_json(r, 1)?,
                decided_at: time(r, 2)?,
                taken_at: optional_time(r, 3)?,
            })
        })
    }

    pub fn quarantine(&self) -> Result<Vec<QuarantineRow>, StoreError> {
        let sql = "SELECT unit, first_heard, last_heard, messages, last_topic FROM quarantine ORDER BY unit";
        self.ask("read the quarantine", sql, [], |r| {
            Ok(QuarantineRow {
                unit: word(r, 0, UnitId::parse)?,
                first_heard: time(r, 1)?,
                last_heard: time(r, 2)?,
                messages: count(r, 3)?,
                last_topic: r.get(4)?,
            })
        })
    }

    pub fn refusals(&self) -> Result<Vec<RefusalRow>, StoreError> {
        let sql = "SELECT kind, count, last_at, unit, topic, why, example FROM refusal ORDER BY kind";
        self.ask("read the refusals", sql, [], |r| {
            Ok(RefusalRow {
                kind: r.get(0)?,
                count: count(r, 1)?,
                last_at: time(r, 2)?,
                unit: r.get(3)?,
                topic: r.get(4)?,
                why: r.get(5)?,
                example: r.get(6)?,
            })
        })
    }

    /// By id.
    pub fn fleet(&self) -> Result<Vec<Unit>, StoreError> {
        self.ask("read the fleet", "SELECT body FROM fleet_unit ORDER BY unit", [], |r| from_json(r, 0))
    }

    /// The digest of the fleet file that was last taken over. None: none ever was.
    pub fn fleet_file(&self) -> Result<Option<String>, StoreError> {
        let db = self.db();
        db.query_row("SELECT digest FROM fleet_file", [], |r| r.get(0)).optional().at(&self.path, "read the fleet")
    }

    /// The `alerts.toml` in force. None: none was ever stored.
    pub fn rules_toml(&self) -> Result<Option<String>, StoreError> {
        let db = self.db();
        db.query_row("SELECT toml FROM rules ORDER BY id DESC LIMIT 1", [], |r| r.get(0))
            .optional()
            .at(&self.path, "read the rules")
    }

    /// A recording: every line from `from` to before `until` with its line end, as it was judged. Returns how many.
    pub fn journal_between(
        &self,
        from: Timestamp,
        until: Timestamp,
        each: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<u64, StoreError> {
        journal::each_line_between(&self.db(), from, until, each).at(&self.path, "export the journal")
    }

    /// How far the journal has come: a place for [`StoreReader::journal_after`].
    pub fn journal_end(&self) -> Result<i64, StoreError> {
        let db = self.db();
        // Every row may have been pruned: the checkpoint remembers how far the count had come.
        let sql = "SELECT max(coalesce((SELECT max(seq) FROM journal), 0), coalesce((SELECT seq FROM checkpoint), 0))";
        let last = db.query_row(sql, [], |r| r.get(0));
        last.at(&self.path, "read the journal")
    }

    /// The lines of every commit after that place, oldest first, one call a commit. Returns the new place.
    /// Err: commits after it were pruned already.
    pub fn journal_after(&self, place: i64, mut each: impl FnMut(&[u8])) -> Result<i64, StoreError> {
        let mut rows = 0;
        journal::each_row_after(&self.db(), place, |_, lines| {
            rows += 1;
            each(lines);
            ControlFlow::Continue(())
        })
        .at(&self.path, "follow the journal")?;
        Ok(place + rows)
    }

    /// Reads every page and index. Slow on a large store. Ok: sound.
    pub fn check(&self) -> Result<(), StoreError> {
        const DOING: &str = "check it";
        let said = self.ask(DOING, "PRAGMA quick_check(3)", [], |r| r.get::<_, String>(0))?;
        if said == ["ok"] {
            return Ok(());
        }
        Err(Fault::Undecodable(said.join("; ")).at(&self.path, DOING))
    }

    /// Copies the store into the new file `to` while the service goes on. The copy is the store as it was at the start;
    /// it stands under its name only when it is whole. To restore it: an empty folder, the copy as `buttonwatch.db`.
    pub fn backup(&self, to: &Path, mut progress: impl FnMut(BackupProgress)) -> Result<(), StoreError> {
        const DOING: &str = "write the backup";
        if to.exists() {
            return Err(StoreError::BackupExists { path: to.to_owned() });
        }
        let mut part_name = to.as_os_str().to_owned();
        part_name.push(".part");
        let part = PathBuf::from(part_name);
        let folder = |source| StoreError::Folder { path: to.to_owned(), doing: "write a backup to", source };
        match std::fs::remove_file(&part) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(folder(e)),
        }
        let result = self.copy_to(&part, &mut progress, DOING);
        if let Err(error) = result {
            // The first error is the one to tell; a part that cannot be removed is replaced by the next try.
            let _ = std::fs::remove_file(&part);
            return Err(error);
        }
        std::fs::File::open(&part).and_then(|f| f.sync_all()).map_err(folder)?;
        std::fs::rename(&part, to).map_err(folder)
    }

    fn copy_to(
        &self,
        part: &Path,
        progress: &mut dyn FnMut(BackupProgress),
        doing: &'static str,
    ) -> Result<(), StoreError> {
        // A connection of its own, in one read transaction: the copy would else start again with every commit.
        let source = connect(&self.path)?;
        source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;").at(&self.path, doing)?;
        let mut target = Connection::open(part).at(part, doing)?;
        target.execute_batch("PRAGMA synchronous = OFF").at(part, doing)?;
        let backup = Backup::new(&source, &mut target).at(part, doing)?;
        loop {
            let step = backup.step(BACKUP_STEP_PAGES).at(part, doing)?;
            let now = backup.progress();
            let total = now.pagecount.max(0) as u32;
            progress(BackupProgress { done: total - now.remaining.max(0) as u32, total });
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                StepResult::Busy | StepResult::Locked => std::thread::sleep(Duration::from_millis(10)),
                // The list of SQLite's answers is not ours to close; whatever it is, it is not done.
                _ => {}
            }
        }
        drop(backup);
        // Left in WAL mode it would need a second file beside it before anyone could read it.
        target.pragma_update(None, "journal_mode", "DELETE").at(part, doing)?;
        target.close().map_err(|(_, e)| e).at(part, doing)
    }
}

pub(super) fn connect(path: &Path) -> Result<Connection, StoreError> {
    const DOING: &str = "open it for reading";
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).at(path, DOING)?;
    db.busy_timeout(super::BUSY_TIMEOUT).at(path, DOING)?;
    db.pragma_update(None, "query_only", true).at(path, DOING)?;
    db.set_prepared_statement_cache_capacity(super::CACHED_STATEMENTS);
    Ok(db)
}

fn readiness_line(r: &Row<'_>) -> rusqlite::Result<ReadinessLine> {
    Ok(ReadinessLine {
        at: time(r, 0)?,
        unit: word(r, 1, UnitId::parse)?,
        from: word(r, 2, Readiness::from_str)?,
        to: word(r, 3, Readiness::from_str)?,
        reason: r.get(4)?,
        // What a newer program wrote still has its sentence.
        because: r.get::<_, Option<String>>(5)?.and_then(|text| serde_json::from_str(&text).ok()),
    })
}

fn press_line(r: &Row<'_>) -> rusqlite::Result<PressLine> {
    Ok(PressLine {
        at: time(r, 0)?,
        unit: word(r, 1, UnitId::parse)?,
        is_test: r.get(2)?,
        answered: r.get(3)?,
        answer_ms: r.get(4)?,
    })
}

fn alert_line(r: &Row<'_>) -> rusqlite::Result<AlertLine> {
    Ok(AlertLine {
        at: time(r, 0)?,
        since: time(r, 1)?,
        unit: word(r, 2, UnitId::parse)?,
        rule: word(r, 3, RuleId::parse)?,
        component: word(r, 4, Component::from_str)?,
        severity: word(r, 5, Severity::from_str)?,
        state: word(r, 6, AlertState::from_str)?,
        reason: r.get(7)?,
    })
}

pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_millis)
}

pub(super) fn optional_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_millis))
}

fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|n| n.max(0) as u64)
}

pub(super) fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|e| undecodable(column, e))
}

pub(super) fn word<T, E>(row: &Row<'_>, column: usize, parse: impl Fn(&str) -> Result<T, E>) -> rusqlite::Result<T>
where
    E: std::error::Error + Send + Sync + 'static,
{
    parse(row.get_ref(column)?.as_str()?).map_err(|e| undecodable(column, e))
}

fn undecodable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}
