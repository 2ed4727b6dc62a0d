//! What travels inside a backup beside the tables: the small files of the data folder that a restore needs. They stand in a
//! table of the copy, which a running service never has. Never copies the store itself: [`StoreReader::backup`] does.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::error::{At, StoreError};
use super::{Store, StoreReader};

/// One small file, by its name in the data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedFile {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub units: u64,
    pub orders: u64,
    pub mails: u64,
}

/// Puts files into a finished copy that nobody else has open.
pub fn put_into(copy: &Path, files: &[CopiedFile]) -> Result<(), StoreError> {
    const DOING: &str = "complete the backup";
    let mut db = Connection::open(copy).at(copy, DOING)?;
    let change = db.transaction().at(copy, DOING)?;
    change
        .execute_batch("CREATE TABLE copied_file (name TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT")
        .at(copy, DOING)?;
    for file in files {
        change
            .execute("INSERT INTO copied_file (name, bytes) VALUES (?1, ?2)", params![file.name, file.bytes])
            .at(copy, DOING)?;
    }
    change.commit().at(copy, DOING)?;
    db.close().map_err(|(_, e)| e).at(copy, DOING)
}

impl Store {
    /// Takes out what [`put_into`] put in. None of a copy that was made another way.
    pub fn take_copied_files(&mut self) -> Result<Vec<CopiedFile>, StoreError> {
        const DOING: &str = "take the files out of the backup";
        let path = &self.path;
        let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'copied_file'";
        if self.db.query_row(sql, [], |_| Ok(())).optional().at(path, DOING)?.is_none() {
            return Ok(Vec::new());
        }
        let files = {
            let mut statement = self.db.prepare("SELECT name, bytes FROM copied_file ORDER BY name").at(path, DOING)?;
            let rows = statement.query_map([], |r| Ok(CopiedFile { name: r.get(0)?, bytes: r.get(1)? }));
            rows.and_then(Iterator::collect).at(path, DOING)?
        };
        self.db.execute_batch("DROP TABLE copied_file").at(path, DOING)?;
        Ok(files)
    }
}

impl StoreReader {
    pub fn counts(&self) -> Result<Counts, StoreError> {
        let sql = "SELECT (SELECT count(*) FROM fleet_unit), (SELECT count(*) FROM work_order), (SELECT count(*) FROM outbox)";
        let rows = self.ask("count what it holds", sql, [], |r| {
            let count = |i| r.get::<_, i64>(i).map(|n| n.max(0) as u64);
            Ok(Counts { units: count(0)?, orders: count(1)?, mails: count(2)? })
        })?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }
}
