//! The truth: one SQLite database in the service's folder.
//!
//! Design constraints
//! - An acknowledgement is a promise. Whatever was heard is in the journal, and whatever was decided about it is in the
//!   tables, by the same transaction; only then is it acknowledged.
//! - Restored is never-stopped. A checkpoint is the engine's state after a journal row; a restart loads it and replays the
//!   rows after it, throwing the effects away: they were committed with the rows.
//! - One writer. A lock file keeps a second service out; readers ([`StoreReader`], any SQLite shell) and backups go on.
//!
//! ```text
//!  commit(Batch) ─┬─▶ journal row ──────┐          ┌── checkpoint ◀── load()
//!                 ├─▶ orders, alerts, … │ one      └── journal tail ◀─┘
//!                 ├─▶ outbox            │ transaction
//!                 └─▶ checkpoint? ──────┘
//! ```
//!
//! Never decides anything, and never reads a clock.

mod batch;
mod copy;
mod error;
mod journal;
mod migration;
mod reader;
mod rollups;
mod room;
#[cfg(test)]
mod tests;

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::ops::{ControlFlow, Deref};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};

use crate::domain::{MessageId, OrderId, Timestamp, Unit, UnitId};

pub use batch::{
    AlertChange, Batch, Checkpoint, CommandTaken, IncidentChange, MailOutcome, MailResult, PressHeard, ReadinessChange,
};
pub use copy::{CopiedFile, Counts, put_into};
pub use error::StoreError;
pub use journal::Tail;
pub use reader::{AlertLine, BackupProgress, DueMail, LiveCommand, ReadinessLine, StoreReader};
pub use rollups::{FoldedDay, JournalPart, RolledHour, RolledUnit, RollupPiece};
pub use room::{OutboxDepth, Room};

use error::At;
use journal::Journal;

/// In the store's folder.
pub const DATABASE_FILE: &str = "buttonwatch.db";
/// Held with `flock` while a service runs, and released by the kernel however it ends.
const LOCK_FILE: &str = "buttonwatch.lock";

/// A database shell's own write, or a checkpoint of the log, is over well within this.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// More than the statements that this room has.
const CACHED_STATEMENTS: usize = 64;
/// 16 MiB of log between SQLite's own checkpoints: fewer double writes at full load, still nothing on a disk.
const WAL_PAGES: i64 = 4096;
/// A long reader lets the log grow; this is what it shrinks back to.
const WAL_KEEP_BYTES: i64 = 64 << 20;
/// Old lines of each history that go in one call of [`Store::prune`].
const PRUNE_HISTORY_ROWS: i64 = 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOptions {
    pub synchronous: Synchronous,
    /// Age at which journal rows go, once a checkpoint covers them and they are rolled up.
    pub journal_keep: Duration,
    /// Packed size past which the oldest covered journal rows go, whatever their age.
    pub journal_max_bytes: u64,
    /// Age at which lines of the histories and sent mails go.
    pub history_keep: Duration,
    /// Age at which days of rollups go.
    pub rollups_keep: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions {
            synchronous: Synchronous::Full,
            journal_keep: Duration::from_secs(7 * 86_400),
            journal_max_bytes: 2 << 30,
            // A year's report compares with the same month of the year before.
            history_keep: Duration::from_secs(400 * 86_400),
            rollups_keep: Duration::from_secs(90 * 86_400),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// A commit survives a power cut.
    Full,
    /// A commit survives a crash of the service; a power cut may lose the newest ones, never the order of the rest.
    Normal,
}

/// What a restart starts from.
#[derive(Debug, Default)]
pub struct Loaded {
    /// By id.
    pub fleet: Vec<Unit>,
    /// The digest of the fleet file that was last taken over. None: none ever was.
    pub fleet_file: Option<String>,
    pub rules_toml: Option<String>,
    pub checkpoint: Option<SavedState>,
    /// Recording lines since the checkpoint (since the beginning, without one), in the order in which they were judged.
    pub journal_tail: Vec<u8>,
    pub tail: Tail,
    /// The newest time that any commit knew. None: nothing was ever committed.
    pub last_at: Option<Timestamp>,
    /// The highest number ever given. None: no order yet.
    pub last_order: Option<OrderId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedState {
    pub at: Timestamp,
    pub global: String,
    /// By id.
    pub units: Vec<(UnitId, String)>,
}

/// What one call of [`Store::prune`] removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    pub journal_rows: u64,
    pub journal_bytes: u64,
    pub history_lines: u64,
    /// Call again soon.
    pub more: bool,
}

/// The one writer. Answers every question that a [`StoreReader`] answers.
pub struct Store {
    db: Connection,
    reads: StoreReader,
    path: PathBuf,
    options: StoreOptions,
    journal: Journal,
    /// Dropped last: until then no other service may open the store.
    _lock: File,
}

impl Deref for Store {
    type Target = StoreReader;
    fn deref(&self) -> &StoreReader {
        &self.reads
    }
}

/// What `outbox retry` does to a mail: whoever was refused waits again, and the days until it is given up begin anew, at
/// the newest time that any commit knew.
const TRY_AGAIN: &str = "UPDATE outbox SET state = 'waiting', next_try_at = NULL, sent_at = NULL,
    asked_again_at = (SELECT at FROM clock),
    addresses = (
        SELECT json_group_array(
            json(iif(a.value ->> '$.state' = 'refused', json_set(a.value, '$.state', 'waiting'), a.value))
        )
        FROM json_each(outbox.addresses) AS a
    )";

impl Store {
    /// Creates the folder and `buttonwatch.db` in it, or opens them and brings the tables up to date.
    pub fn open(dir: &Path, options: StoreOptions) -> Result<Store, StoreError> {
        const DOING: &str = "open it";
        let folder = |doing, source| StoreError::Folder { path: dir.to_owned(), doing, source };
        std::fs::create_dir_all(dir).map_err(|e| folder("create", e))?;
        let lock = take_lock(dir)?;
        let path = dir.join(DATABASE_FILE);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(&path, flags).at(&path, DOING)?;
        db.busy_timeout(BUSY_TIMEOUT).at(&path, DOING)?;
        // Before the log mode is set: that would already be a change to a stranger's file.
        migration::migrate(&mut db, &path, migration::STEPS)?;
        db.pragma_update(None, "journal_mode", "WAL").at(&path, DOING)?;
        db.pragma_update(None, "wal_autocheckpoint", WAL_PAGES).at(&path, DOING)?;
        db.pragma_update(None, "journal_size_limit", WAL_KEEP_BYTES).at(&path, DOING)?;
        let synchronous = match options.synchronous {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
        };
        db.pragma_update(None, "synchronous", synchronous).at(&path, DOING)?;
        db.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
        let journal = Journal::open(&db).at(&path, "read the journal")?;
        let reads = StoreReader::open(dir)?;
        Ok(Store { db, reads, path, options, journal, _lock: lock })
    }

    /// Everything that a restart needs. The tail is in memory as a whole; a service with a long one takes
    /// [`Store::load_state`] and [`Store::replay_tail`] instead.
    pub fn load(&self) -> Result<Loaded, StoreError> {
        let mut loaded = self.load_state()?;
        loaded.journal_tail.reserve(usize::try_from(self.journal.tail.bytes).unwrap_or(0));
        self.replay_tail(|lines| loaded.journal_tail.extend_from_slice(lines))?;
        Ok(loaded)
    }

    /// As [`Store::load`], without the tail's lines.
    pub fn load_state(&self) -> Result<Loaded, StoreError> {
        const DOING: &str = "load the last checkpoint";
        let (path, db) = (&self.path, &self.db);
        let head = db
            .query_row("SELECT at, state FROM checkpoint", [], |r| Ok((reader::time(r, 0)?, r.get::<_, String>(1)?)))
            .optional()
            .at(path, DOING)?;
        let checkpoint = match head {
            None => None,
            Some((at, global)) => {
                let mut statement =
                    db.prepare("SELECT unit, state FROM checkpoint_unit ORDER BY unit").at(path, DOING)?;
                let units = statement
                    .query_map([], |r| Ok((reader::word(r, 0, UnitId::parse)?, r.get(1)?)))
                    .and_then(Iterator::collect)
                    .at(path, DOING)?;
                Some(SavedState { at, global, units })
            }
        };
        let last_at =
            db.query_row("SELECT at FROM clock", [], |r| reader::time(r, 0)).optional().at(path, "read its clock")?;
        let last_order: Option<u32> =
            db.query_row("SELECT max(id) FROM work_order", [], |r| r.get(0)).at(path, "read the work orders")?;
        Ok(Loaded {
            fleet: self.fleet()?,
            fleet_file: self.fleet_file()?,
            rules_toml: self.rules_toml()?,
            checkpoint,
            journal_tail: Vec::new(),
            tail: self.journal.tail,
            last_at,
            last_order: last_order.map(OrderId::new),
        })
    }

    /// Calls `each` with the lines of every commit since the checkpoint, oldest first.
    pub fn replay_tail(&self, mut each: impl FnMut(&[u8])) -> Result<(), StoreError> {
        const DOING: &str = "replay the journal";
        let after = journal::checkpoint_seq(&self.db).at(&self.path, DOING)?.unwrap_or(0);
        journal::each_row_after(&self.db, after, |_, lines| {
            each(lines);
            ControlFlow::Continue(())
        })
        .at(&self.path, DOING)
    }

    /// How much a restart would have to replay now: a checkpoint is due when it grows too long.
    pub fn tail(&self) -> Tail {
        self.journal.tail
    }

    /// Makes the batch durable, all of it or, on an error, none of it.
    ///
    /// Any error but `ChangeWithoutCheckpoint` should end the process: the store is the truth, and what was not
    /// acknowledged comes again.
    pub fn commit(&mut self, batch: Batch<'_>) -> Result<(), StoreError> {
        const DOING: &str = "commit";
        let checkpointed = batch.checkpoint.is_some();
        let changed = batch.fleet.is_some() || batch.rules_toml.is_some();
        if changed && !checkpointed && (self.journal.tail != Tail::default() || !batch.journal.is_empty()) {
            return Err(StoreError::ChangeWithoutCheckpoint);
        }
        let path = &self.path;
        let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate).at(path, DOING)?;
        let row = match batch.journal {
            [] => None,
            lines => {
                let seq = self.journal.append(&change, batch.at, lines, batch.journal_lines).at(path, DOING)?;
                Some((seq, lines.len() as u64, batch.journal_lines))
            }
        };
        let seq = row.map_or(self.journal.last_seq, |(seq, ..)| seq);
        change
            .prepare_cached(
                "INSERT INTO clock (one, at) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET at = max(at, ?1)",
            )
            .and_then(|mut s| s.execute([batch.at.as_millis()]))
            .at(path, DOING)?;
        batch::write(&change, batch, seq).at(path, DOING)?;
        change.commit().at(path, DOING)?;
        self.journal.committed(row, checkpointed);
        Ok(())
    }

    /// The mail is out. Of a mail that is not in the outbox: nothing happens.
    pub fn outbox_mark_sent(&mut self, message_id: &MessageId, at: Timestamp) -> Result<(), StoreError> {
        self.mark(MailResult { message_id, at, outcome: MailOutcome::Sent, addresses: &[] })
    }

    /// `next_try` None: refused for good, kept for the operator.
    pub fn outbox_mark_failed(
        &mut self,
        message_id: &MessageId,
        at: Timestamp,
        error: &str,
        next_try: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let error = error.to_owned();
        let outcome = match next_try {
            Some(next) => MailOutcome::TryAgain { at: next, error },
            None => MailOutcome::Refused { error },
        };
        self.mark(MailResult { message_id, at, outcome, addresses: &[] })
    }

    /// The operator mended what the mail was refused for, or does not want to wait. Addresses that have it stay served.
    /// False: there is no such unsent mail.
    pub fn outbox_retry_now(&mut self, message_id: &MessageId) -> Result<bool, StoreError> {
        let sql = format!("{TRY_AGAIN} WHERE message_id = ?1 AND state <> 'sent'");
        let changed = self.db.execute(&sql, params![message_id.as_str()]).at(&self.path, "change the outbox")?;
        Ok(changed > 0)
    }

    /// All that were refused, by all or some of their addresses, in one step. Gives how many.
    pub fn outbox_retry_refused(&mut self) -> Result<usize, StoreError> {
        let sql = format!("{TRY_AGAIN} WHERE state IN ('refused', 'partly-sent')");
        self.db.execute(&sql, []).at(&self.path, "change the outbox")
    }

    /// Nobody wants it any more: it stays in sight, with `why`. False: there is no such unsent mail.
    pub fn outbox_drop(&mut self, message_id: &MessageId, why: &str) -> Result<bool, StoreError> {
        let sql = "UPDATE outbox SET state = 'dropped', next_try_at = NULL, last_error = ?2
                   WHERE message_id = ?1 AND state <> 'sent'";
        let changed = self.db.execute(sql, params![message_id.as_str(), why]).at(&self.path, "change the outbox")?;
        Ok(changed > 0)
    }

    fn mark(&mut self, result: MailResult<'_>) -> Result<(), StoreError> {
        let mut batch = Batch::new(result.at);
        batch.mail_results.push(result);
        self.commit(batch)
    }

    /// Removes a little of what is too old or too much: call it every second or so. Journal rows go only once a
    /// checkpoint covers them, and for their age only once they are rolled up; open orders, waiting and refused mails
    /// never go.
    pub fn prune(&mut self, now: Timestamp) -> Result<Pruned, StoreError> {
        const DOING: &str = "remove what is too old";
        let path = &self.path;
        let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate).at(path, DOING)?;
        let (keep, max_bytes) = (self.options.journal_keep, self.options.journal_max_bytes);
        let (journal_rows, journal_bytes, mut more) =
            journal::prune(&change, now, keep, self.journal.stored_bytes, max_bytes).at(path, DOING)?;
        let mut history_lines = 0;
        let cutoff = (now - self.options.history_keep).as_millis();
        let old = [
            ("readiness_history", "at < ?1", cutoff),
            ("alert_history", "at < ?1", cutoff),
            ("press", "at < ?1", cutoff),
            ("incident", "closed_at < ?1", cutoff),
            ("outbox", "state IN ('sent', 'partly-sent') AND sent_at < ?1", cutoff),
            ("command", "expires_at < ?1", now.as_millis()),
            ("rollup_day", "day < ?1", rollups::day_of(now - self.options.rollups_keep)),
        ];
        for (table, is_old, before) in old {
            let sql = format!(
                "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {is_old} LIMIT {PRUNE_HISTORY_ROWS})"
            );
            let gone = change.prepare_cached(&sql).and_then(|mut s| s.execute([before])).at(path, DOING)? as u64;
            history_lines += gone;
            more |= gone == PRUNE_HISTORY_ROWS as u64;
        }
        change.commit().at(path, DOING)?;
        self.journal.stored_bytes = self.journal.stored_bytes.saturating_sub(journal_bytes);
        Ok(Pruned { journal_rows, journal_bytes, history_lines, more })
    }

    /// A read-only connection for another thread.
    pub fn reader(&self) -> Result<StoreReader, StoreError> {
        let dir = self.path.parent().expect("the database's path was made by joining its folder");
        StoreReader::open(dir)
    }

    /// Folds the log into the database file and closes it. Dropping a `Store` loses nothing either: the next start folds.
    pub fn close(self) -> Result<(), StoreError> {
        let Store { db, reads, path, options: _, journal: _, _lock } = self;
        drop(reads);
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).at(&path, "close it")?;
        db.close().map_err(|(_, e)| e).at(&path, "close it")
    }
}

/// Err: `Locked` with the holder's process id as far as the file tells it.
fn take_lock(dir: &Path) -> Result<File, StoreError> {
    let folder = |doing, source| StoreError::Folder { path: dir.to_owned(), doing, source };
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(dir.join(LOCK_FILE))
        .map_err(|e| folder("write in", e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let holder = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(StoreError::Locked { path: dir.join(DATABASE_FILE), holder });
        }
        Err(TryLockError::Error(e)) => return Err(folder("lock a file in", e)),
    }
    let pid = format!("{}\n", std::process::id());
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(pid.as_bytes()))
        .map_err(|e| folder("write in", e))?;
    Ok(file)
}
