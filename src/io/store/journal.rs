//! What was heard, in the order in which it was judged: recording lines, one row a commit.
//!
//! Owns: packing, the tail after the last checkpoint, exports, pruning. Never decides what a line means: all it reads of
//! one is its `at`.

use std::ops::ControlFlow;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;

use crate::domain::Timestamp;

use super::error::Fault;

/// At most so many rows go in one call, so that pruning never holds up the next commit for long: rows of full load (4,000
/// lines) took 0.35 ms each, and full load makes about 50 a second.
const PRUNE_ROWS: i64 = 64;

/// What a restart would have to replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tail {
    pub batches: u64,
    pub lines: u64,
    /// Of recording lines, unpacked.
    pub bytes: u64,
}

/// The writer's own view of the journal: all that it needs to know without asking the database.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub last_seq: i64,
    pub stored_bytes: u64,
    pub tail: Tail,
    packed: Vec<u8>,
}

impl Journal {
    pub fn open(db: &Connection) -> Result<Self, Fault> {
        let checkpoint = checkpoint_seq(db)?;
        let (last_row, stored_bytes): (Option<i64>, i64) =
            db.query_row("SELECT max(seq), coalesce(sum(stored_bytes), 0) FROM journal", [], |r| {
                Ok((r.get(0)?, r.get(1)?))
            })?;
        let tail = db.query_row(
            "SELECT count(*), coalesce(sum(lines), 0), coalesce(sum(raw_bytes), 0) FROM journal WHERE seq > ?1",
            [checkpoint.unwrap_or(0)],
            |r| Ok(Tail { batches: get_u64(r, 0)?, lines: get_u64(r, 1)?, bytes: get_u64(r, 2)? }),
        )?;
        Ok(Journal {
            // Every row may have been pruned: the checkpoint remembers how far the count had come.
            last_seq: last_row.unwrap_or(0).max(checkpoint.unwrap_or(0)),
            stored_bytes: stored_bytes.max(0) as u64,
            tail,
            packed: Vec::new(),
        })
    }

    /// Writes one row. The counters move only in [`Journal::committed`].
    pub fn append(&mut self, db: &Connection, at: Timestamp, lines: &[u8], count: u32) -> Result<i64, Fault> {
        let size = u32::try_from(lines.len()).map_err(|_| {
            Fault::Undecodable(format!("a batch of {} bytes is more than the journal takes in one row", lines.len()))
        })?;
        self.packed.clear();
        self.packed.resize(4 + lz4_flex::block::get_maximum_output_size(lines.len()), 0);
        self.packed[..4].copy_from_slice(&size.to_le_bytes());
        let packed = lz4_flex::block::compress_into(lines, &mut self.packed[4..])
            .expect("the buffer has the size that lz4 asks for");
        self.packed.truncate(4 + packed);
        let (first_at, last_at) = span_of(lines, at);
        let seq = self.last_seq + 1;
        db.prepare_cached(
            "INSERT INTO journal (seq, first_at, last_at, lines, raw_bytes, stored_bytes, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            seq,
            first_at.as_millis(),
            last_at.as_millis(),
            count,
            size,
            self.packed.len() as i64,
            self.packed
        ])?;
        Ok(seq)
    }

    /// After the transaction that held [`Journal::append`]'s row, or a checkpoint, or both.
    pub fn committed(&mut self, row: Option<(i64, u64, u32)>, checkpointed: bool) {
        if let Some((seq, bytes, lines)) = row {
            self.last_seq = seq;
            self.stored_bytes += self.packed.len() as u64;
            self.tail.batches += 1;
            self.tail.bytes += bytes;
            self.tail.lines += u64::from(lines);
        }
        if checkpointed {
            self.tail = Tail::default();
        }
    }
}

fn get_u64(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|n| n.max(0) as u64)
}

/// None: there was never a checkpoint.
pub(super) fn checkpoint_seq(db: &Connection) -> rusqlite::Result<Option<i64>> {
    db.query_row("SELECT seq FROM checkpoint", [], |r| r.get(0)).optional()
}

/// Calls `each` with the number and the unpacked lines of every row after `seq`, oldest first, until it has enough.
pub(super) fn each_row_after(
    db: &Connection,
    seq: i64,
    mut each: impl FnMut(i64, &[u8]) -> ControlFlow<()>,
) -> Result<(), Fault> {
    let mut statement = db.prepare("SELECT seq, raw_bytes, body FROM journal WHERE seq > ?1 ORDER BY seq")?;
    let mut rows = statement.query([seq])?;
    let mut unpacked = Vec::new();
    let mut expected: Option<i64> = None;
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        // Rows after a checkpoint are never pruned: a gap means that judged input is gone.
        if expected.is_some_and(|e| e != number) {
            let what = format!("journal rows before {number} are missing");
            return Err(Fault::Undecodable(what));
        }
        expected = Some(number + 1);
        unpack(number, row.get(1)?, row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?, &mut unpacked)?;
        if each(number, &unpacked).is_break() {
            break;
        }
    }
    Ok(())
}

/// Calls `each` with every line from `from` to before `until`, line end included, in the order in which they were judged.
pub(super) fn each_line_between(
    db: &Connection,
    from: Timestamp,
    until: Timestamp,
    mut each: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<u64, Fault> {
    let mut statement = db.prepare(
        "SELECT seq, raw_bytes, body, first_at, last_at FROM journal WHERE last_at >= ?1 AND first_at < ?2 ORDER BY seq",
    )?;
    let mut rows = statement.query([from.as_millis(), until.as_millis()])?;
    let mut unpacked = Vec::new();
    let mut count = 0;
    while let Some(row) = rows.next()? {
        unpack(row.get(0)?, row.get(1)?, row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?, &mut unpacked)?;
        let (first_at, last_at) = (row.get::<_, i64>(3)?, row.get::<_, i64>(4)?);
        let whole = first_at >= from.as_millis() && last_at < until.as_millis();
        for line in unpacked.split_inclusive(|b| *b == b'\n') {
            if !whole && line_at(line).is_some_and(|at| at < from || at >= until) {
                continue;
            }
            count += 1;
            if each(line).is_break() {
                return Ok(count);
            }
        }
    }
    Ok(count)
}

fn unpack(seq: i64, raw_bytes: i64, body: &[u8], into: &mut Vec<u8>) -> Result<(), Fault> {
    let broken = |what: String| Fault::Undecodable(format!("journal row {seq}: {what}"));
    let (size, packed) = lz4_flex::block::uncompressed_size(body).map_err(|e| broken(e.to_string()))?;
    // The size is said twice, so that a damaged one cannot make us ask for gigabytes.
    if i64::try_from(size) != Ok(raw_bytes) {
        return Err(broken(format!("says {size} bytes, should be {raw_bytes}")));
    }
    into.clear();
    into.resize(size, 0);
    let got = lz4_flex::block::decompress_into(packed, into).map_err(|e| broken(e.to_string()))?;
    if got != size {
        return Err(broken(format!("holds {got} bytes, should be {size}")));
    }
    Ok(())
}

#[derive(Deserialize)]
struct LineTime {
    at: Timestamp,
}

fn line_at(line: &[u8]) -> Option<Timestamp> {
    serde_json::from_slice::<LineTime>(line).ok().map(|l| l.at)
}

/// Times of the first and the last line; the batch's own where a line does not say.
fn span_of(lines: &[u8], at: Timestamp) -> (Timestamp, Timestamp) {
    let mut all = lines.split(|b| *b == b'\n').filter(|l| !l.is_empty());
    let first = all.next().and_then(line_at);
    let last = all.next_back().and_then(line_at).or(first);
    let (first, last) = (first.unwrap_or(at), last.unwrap_or(at));
    (first.min(last), last.max(first))
}

/// Deletes rows that the last checkpoint covers, oldest first: those older than `keep` once they are rolled up, and any
/// past the size bound. Returns how many rows and bytes went, and whether more should.
pub(super) fn prune(
    db: &Connection,
    now: Timestamp,
    keep: Duration,
    stored_bytes: u64,
    max_bytes: u64,
) -> Result<(u64, u64, bool), Fault> {
    let Some(covered) = checkpoint_seq(db)? else { return Ok((0, 0, false)) };
    let cutoff = (now - keep).as_millis();
    let rolled_up = super::rollups::place(db)?.unwrap_or(0);
    let mut last = None;
    let (mut rows_gone, mut bytes_gone) = (0u64, 0u64);
    {
        let mut statement =
            db.prepare_cached("SELECT seq, last_at, stored_bytes FROM journal WHERE seq <= ?1 ORDER BY seq LIMIT ?2")?;
        let mut rows = statement.query([covered, PRUNE_ROWS])?;
        while let Some(row) = rows.next()? {
            let (seq, last_at): (i64, i64) = (row.get(0)?, row.get(1)?);
            let too_much = stored_bytes.saturating_sub(bytes_gone) > max_bytes;
            let too_old = last_at < cutoff && seq <= rolled_up;
            if !too_old && !too_much {
                break;
            }
            last = Some(seq);
            rows_gone += 1;
            bytes_gone += get_u64(row, 2)?;
        }
    }
    if let Some(last) = last {
        db.prepare_cached("DELETE FROM journal WHERE seq <= ?1")?.execute([last])?;
    }
    Ok((rows_gone, bytes_gone, rows_gone == PRUNE_ROWS as u64))
}
