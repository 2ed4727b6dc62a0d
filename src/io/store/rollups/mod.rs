//! Hourly rollups of readings, and how far the journal is rolled up.
//!
//! ```text
//!  journal rows after `place` ──▶ (the worker adds up) ──▶ RollupPiece ──▶ rollup_hour ──▶ rollup_day
//!                                                             │   one transaction    when the day is over
//!                                                             └──▶ rollup_unit.seq, rollup_place.seq
//! ```
//!
//! Exactly once: a unit's hours and the journal row up to which they count are written together, and a worker that begins
//! again skips what counts already. Only one worker may make pieces: it reads an hour, adds to it and gives it back whole.
//! Never adds up anything itself.

mod packed;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::series::{HOUR_MS, HOURS_A_DAY, Rollup, hour_of};
use crate::domain::{SeriesName, SeriesPoint, Timestamp, UnitId};

use super::error::{At, Fault, StoreError};
use super::{StoreReader, journal, reader};

use packed::{pack, unpack};

/// Late readings of the hour before midnight join their day with the others.
const FOLD_AFTER: Duration = Duration::from_secs(3_600);
const DOING: &str = "read the rollups";

/// What is written in one transaction: bounded by its maker, so that no ack waits long for it.
#[derive(Debug, Default)]
pub struct RollupPiece {
    pub units: Vec<RolledUnit>,
    pub days: Vec<FoldedDay>,
    /// All units are rolled up to this row of the journal.
    pub place: Option<i64>,
}

#[derive(Debug)]
pub struct RolledUnit {
    pub unit: UnitId,
    /// Its messages up to this row of the journal are in its hours.
    pub seq: i64,
    /// What tells its repeats from new messages. Opaque here.
    pub arrivals: String,
    /// Each takes the place of the one before.
    pub hours: Vec<RolledHour>,
}

#[derive(Debug)]
pub struct RolledHour {
    hour: i64,
    body: Vec<u8>,
}

impl RolledHour {
    pub fn new(hour: i64, rollup: &Rollup) -> Self {
        RolledHour { hour, body: pack([(0, rollup)]) }
    }
}

/// A day that is over, whole, and the hours that went into it.
#[derive(Debug)]
pub struct FoldedDay {
    unit: UnitId,
    day: i64,
    body: Vec<u8>,
    hours: Vec<i64>,
}

/// Some rows of the journal.
#[derive(Debug, Default)]
pub struct JournalPart {
    /// Row number and lines.
    pub rows: Vec<(i64, Vec<u8>)>,
    /// There are no more for now.
    pub is_last: bool,
}

pub(super) fn day_of(at: Timestamp) -> i64 {
    hour_of(at).0.div_euclid(HOURS_A_DAY)
}

/// None: nothing was ever rolled up.
pub(super) fn place(db: &Connection) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT seq FROM rollup_place")?.query_row([], |r| r.get(0)).optional()
}

pub(super) fn write(db: &Connection, piece: &RollupPiece) -> Result<(), Fault> {
    for unit in &piece.units {
        let mut hours = db.prepare_cached(
            "INSERT INTO rollup_hour (hour, unit, body) VALUES (?1, ?2, ?3)
             ON CONFLICT (hour, unit) DO UPDATE SET body = ?3",
        )?;
        for hour in &unit.hours {
            hours.execute(params![hour.hour, unit.unit.as_str(), hour.body])?;
        }
        db.prepare_cached(
            "INSERT INTO rollup_unit (unit, seq, arrivals) VALUES (?1, ?2, ?3)
             ON CONFLICT (unit) DO UPDATE SET seq = ?2, arrivals = ?3",
        )?
        .execute(params![unit.unit.as_str(), unit.seq, unit.arrivals])?;
    }
    for day in &piece.days {
        db.prepare_cached(
            "INSERT INTO rollup_day (day, unit, body) VALUES (?1, ?2, ?3)
             ON CONFLICT (day, unit) DO UPDATE SET body = ?3",
        )?
        .execute(params![day.day, day.unit.as_str(), day.body])?;
        let mut gone = db.prepare_cached("DELETE FROM rollup_hour WHERE hour = ?1 AND unit = ?2")?;
        for hour in &day.hours {
            gone.execute(params![hour, day.unit.as_str()])?;
        }
    }
    if let Some(seq) = piece.place {
        db.prepare_cached(
            "INSERT INTO rollup_place (one, seq) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET seq = ?1",
        )?
        .execute([seq])?;
    }
    Ok(())
}

/// For the worker that makes the pieces.
impl StoreReader {
    /// None: nothing was ever rolled up.
    pub fn rollup_place(&self) -> Result<Option<i64>, StoreError> {
        place(&self.db()).at(&self.path, DOING)
    }

    /// Rows of the journal after that place, whole ones, until they are `bytes` together.
    pub fn journal_part(&self, place: i64, bytes: usize) -> Result<JournalPart, StoreError> {
        let mut part = JournalPart { rows: Vec::new(), is_last: true };
        let mut taken = 0;
        journal::each_row_after(&self.db(), place, |seq, lines| {
            taken += lines.len();
            part.rows.push((seq, lines.to_vec()));
            if taken < bytes {
                return ControlFlow::Continue(());
            }
            part.is_last = false;
            ControlFlow::Break(())
        })
        .at(&self.path, "roll up the journal")?;
        Ok(part)
    }

    /// How far the unit is rolled up, and what tells its repeats. None: nothing of it is.
    pub fn rolled_unit(&self, unit: &UnitId) -> Result<Option<(i64, String)>, StoreError> {
        let sql = "SELECT seq, arrivals FROM rollup_unit WHERE unit = ?1";
        let found = self.ask(DOING, sql, [unit.as_str()], |r| Ok((r.get(0)?, r.get(1)?)))?;
        Ok(found.into_iter().next())
    }

    /// What is kept of that hour by itself: its day's row may hold more of it.
    pub fn rolled_hour(&self, unit: &UnitId, hour: i64) -> Result<Rollup, StoreError> {
        let mut all = BTreeMap::new();
        read_hour(&self.db(), unit, hour, &mut all).at(&self.path, DOING)?;
        Ok(all.remove(&hour).unwrap_or_default())
    }

    /// Days that are over and not folded yet, of at most so many units.
    pub fn days_to_fold(&self, now: Timestamp, limit: u32) -> Result<Vec<FoldedDay>, StoreError> {
        let db = self.db();
        self.find_days_to_fold(&db, now, limit).at(&self.path, "fold a day's rollups")
    }

    fn find_days_to_fold(&self, db: &Connection, now: Timestamp, limit: u32) -> Result<Vec<FoldedDay>, Fault> {
        let first: Option<i64> = db.query_row("SELECT min(hour) FROM rollup_hour", [], |r| r.get(0))?;
        let Some(first) = first else { return Ok(Vec::new()) };
        let day = first.div_euclid(HOURS_A_DAY);
        if day >= day_of(now - FOLD_AFTER) {
            return Ok(Vec::new());
        }
        let mut statement = db.prepare_cached("SELECT unit FROM rollup_hour WHERE hour = ?1 ORDER BY unit LIMIT ?2")?;
        let units = statement.query_map(params![first, limit], |r| reader::word(r, 0, UnitId::parse))?;
        let mut days = Vec::new();
        for unit in units {
            let unit = unit?;
            let mut all = BTreeMap::new();
            for hour in day * HOURS_A_DAY..(day + 1) * HOURS_A_DAY {
                read_hour(db, &unit, hour, &mut all)?;
            }
            let hours = all.keys().copied().collect();
            read_day(db, &unit, day, &mut all)?;
            let body = pack(all.iter().map(|(hour, rollup)| (hour.rem_euclid(HOURS_A_DAY) as u8, rollup)));
            days.push(FoldedDay { unit, day, body, hours });
        }
        Ok(days)
    }
}

/// For those who look at readings.
impl StoreReader {
    /// One point for every hour between that has a reading, oldest first; the first and the last hour whole. The newest
    /// readings are up to a minute old, in a large fleet some minutes. Hours older than 90 days are gone.
    pub fn series(
        &self,
        unit: &UnitId,
        name: &SeriesName,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<SeriesPoint>, StoreError> {
        let hours = self.rollups_between(unit, from, to)?;
        let points = hours.iter().filter_map(|(hour, rollup)| Some(SeriesPoint::of(*hour, rollup.get(name)?)));
        Ok(points.collect())
    }

    /// Which series of the unit have a reading since then.
    pub fn series_metrics(&self, unit: &UnitId, from: Timestamp) -> Result<BTreeSet<SeriesName>, StoreError> {
        let hours = self.rollups_between(unit, from, Timestamp::MAX)?;
        Ok(hours.values().flat_map(|rollup| rollup.iter().map(|(name, _)| name.clone())).collect())
    }

    fn rollups_between(
        &self,
        unit: &UnitId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<BTreeMap<i64, Rollup>, StoreError> {
        let db = self.db();
        let read = || -> Result<BTreeMap<i64, Rollup>, Fault> {
            // One transaction: an hour must not be missed, nor counted twice, because it is folded in between.
            let db = db.unchecked_transaction()?;
            let first = hour_of(from).0;
            let last = hour_of(Timestamp::from_millis(to.as_millis().saturating_sub(1))).0;
            let mut all = BTreeMap::new();
            let days = (first.div_euclid(HOURS_A_DAY), last.div_euclid(HOURS_A_DAY));
            for day in places(&db, "SELECT min(day) FROM rollup_day WHERE day >= ?1 AND day <= ?2", days)? {
                read_day(&db, unit, day, &mut all)?;
            }
            for hour in places(&db, "SELECT min(hour) FROM rollup_hour WHERE hour >= ?1 AND hour <= ?2", (first, last))?
            {
                read_hour(&db, unit, hour, &mut all)?;
            }
            all.retain(|hour, _| (first..=last).contains(hour));
            Ok(all)
        };
        read().at(&self.path, DOING)
    }
}

/// The days or hours that anything is kept of. From one to the next by the index: the rows between are those of others.
fn places(db: &Connection, next: &str, (first, last): (i64, i64)) -> rusqlite::Result<Vec<i64>> {
    let mut statement = db.prepare_cached(next)?;
    let (mut found, mut from) = (Vec::new(), first);
    while let Some(place) = statement.query_row([from, last], |r| r.get::<_, Option<i64>>(0))? {
        found.push(place);
        from = place + 1;
    }
    Ok(found)
}

fn read_hour(db: &Connection, unit: &UnitId, hour: i64, into: &mut BTreeMap<i64, Rollup>) -> Result<(), Fault> {
    let mut statement = db.prepare_cached("SELECT body FROM rollup_hour WHERE hour = ?1 AND unit = ?2")?;
    let body: Option<Vec<u8>> = statement.query_row(params![hour, unit.as_str()], |r| r.get(0)).optional()?;
    let Some(body) = body else { return Ok(()) };
    take(unit, hour, &body, into)
}

fn read_day(db: &Connection, unit: &UnitId, day: i64, into: &mut BTreeMap<i64, Rollup>) -> Result<(), Fault> {
    let mut statement = db.prepare_cached("SELECT body FROM rollup_day WHERE day = ?1 AND unit = ?2")?;
    let body: Option<Vec<u8>> = statement.query_row(params![day, unit.as_str()], |r| r.get(0)).optional()?;
    let Some(body) = body else { return Ok(()) };
    take(unit, day * HOURS_A_DAY, &body, into)
}

fn take(unit: &UnitId, first: i64, body: &[u8], into: &mut BTreeMap<i64, Rollup>) -> Result<(), Fault> {
    let hours = unpack(body).map_err(|why| {
        Fault::Undecodable(format!("rollups of {unit} from {}: {why}", Timestamp::from_millis(first * HOUR_MS)))
    })?;
    for (hour, mut rollup) in hours {
        // What is there came first or later: figures add up in any order, and the newest is told by its second.
        let there = into.entry(first + i64::from(hour)).or_default();
        rollup.merge(there);
        *there = rollup;
    }
    Ok(())
}
