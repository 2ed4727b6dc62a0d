//! How much room the store takes, and how much its disk has left. Never frees any.

use std::path::{Path, PathBuf};

use rusqlite::params;

use crate::domain::Timestamp;

use super::error::StoreError;
use super::reader::{StoreReader, optional_time};

/// Bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    pub database_bytes: u64,
    /// SQLite's write-ahead log: what was committed and is not in the database file yet.
    pub log_bytes: u64,
    /// What is free for the service, and the whole size. None: the system does not say.
    pub disk: Option<(u64, u64)>,
}

/// The outbox in three figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxDepth {
    pub waiting: i64,
    /// When the oldest that waits was decided. None: none waits.
    pub oldest: Option<Timestamp>,
    /// Set aside for good, until the operator acts.
    pub refused: i64,
}

impl StoreReader {
    pub fn room(&self) -> Room {
        let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        let mut log = self.path().as_os_str().to_owned();
        log.push("-wal");
        Room {
            database_bytes: bytes(self.path()),
            log_bytes: bytes(&PathBuf::from(log)),
            disk: self.path().parent().and_then(disk),
        }
    }

    pub fn outbox_depth(&self) -> Result<OutboxDepth, StoreError> {
        let sql = "SELECT count(*) FILTER (WHERE state = 'waiting'),
                          min(decided_at) FILTER (WHERE state = 'waiting'),
                          count(*) FILTER (WHERE state = 'refused')
                   FROM outbox WHERE state IN ('waiting', 'refused')";
        let found = self.ask("count the outbox", sql, params![], |r| {
            Ok(OutboxDepth { waiting: r.get(0)?, oldest: optional_time(r, 1)?, refused: r.get(2)? })
        })?;
        Ok(found.into_iter().next().expect("a count without groups has one row"))
    }
}

fn disk(folder: &Path) -> Option<(u64, u64)> {
    let s = rustix::fs::statvfs(folder).ok()?;
    Some((s.f_bavail.saturating_mul(s.f_frsize), s.f_blocks.saturating_mul(s.f_frsize)))
}
