//! Rolls the journal up: readings by unit, metric and hour. Owns which hour a reading belongs to, and how often this is done.
//! Never writes: the judge, who owns the store, commits what is made here, a piece at a time between its batches.
//!
//! Design constraints
//! - The journal is the truth. Whatever is not rolled up yet is still in it, so a crash costs nothing but doing it again.
//! - Nothing counts twice: a unit's hours are committed with the journal row up to which they count, and a round that was
//!   broken off passes over what counts already. Messages that a unit sent twice are told by the engine's own rules.
//! - Units go first. A piece is small, and a round is followed by a rest that grows with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot};

use crate::domain::message::{Body, Message, Outcome};
use crate::domain::series::{Figures, Rollup, hour_of};
use crate::domain::{SeriesName, Timestamp, UnitId};
use crate::engine::Arrivals;
use crate::io::store::{JournalPart, RolledHour, RolledUnit, RollupPiece, StoreError, StoreOptions, StoreReader};
use crate::wire::decode::Decoder;
use crate::wire::recording::{Reader, What};

use super::judge::Control;
use crate::app::clock;

/// Of recording lines at a time: some 30,000 of them, and a few MB of sums.
const PART_BYTES: usize = 8 << 20;
/// Units in one transaction. docs/architecture.md says how long one takes.
const PIECE_UNITS: usize = 128;
/// Days of units in one transaction.
const PIECE_DAYS: u32 = 64;
/// As old as the newest readings may look in a chart.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Somebody who asks again and again must not keep the store writing.
const REST: Duration = Duration::from_secs(2);
/// A round writes all its units once, whether they sent one message or ten. In a fleet so large that this takes seconds,
/// readings are some minutes old instead: at most a twentieth of the time goes into rolling up.
const REST_FACTOR: u32 = 19;

/// Until the judge is gone.
pub async fn run(reader: Arc<StoreReader>, decoder: Decoder, control: mpsc::Sender<Control>, ring: Arc<Notify>) {
    let decoder = Arc::new(decoder);
    loop {
        let began = Instant::now();
        match catch_up(&reader, &decoder, &control).await {
            Ok(()) => {}
            Err(Stopped::Judge) => return,
            Err(Stopped::Store(why)) => tracing::error!("readings cannot be rolled up: {why}"),
        }
        tokio::time::sleep(REST.max(began.elapsed() * REST_FACTOR)).await;
        tokio::select! {
            () = ring.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY.saturating_sub(REST)) => {}
        }
    }
}

enum Stopped {
    Judge,
    Store(String),
}

impl From<StoreError> for Stopped {
    fn from(e: StoreError) -> Self {
        Stopped::Store(e.to_string())
    }
}

/// To the end of the journal, then the days that are over.
async fn catch_up(
    reader: &Arc<StoreReader>,
    decoder: &Arc<Decoder>,
    control: &mpsc::Sender<Control>,
) -> Result<(), Stopped> {
    loop {
        let (store, decoder) = (Arc::clone(reader), Arc::clone(decoder));
        let (pieces, is_last) = beside(move || roll_up_part(&store, &decoder)).await??;
        for piece in pieces {
            commit(control, piece).await?;
        }
        if is_last {
            break;
        }
    }
    loop {
        let store = Arc::clone(reader);
        let days = beside(move || store.days_to_fold(clock::now(), PIECE_DAYS)).await??;
        if days.is_empty() {
            return Ok(());
        }
        commit(control, RollupPiece { days, ..RollupPiece::default() }).await?;
    }
}

/// Not on the threads that serve connections.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Stopped> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Stopped::Store(e.to_string()))
}

/// The next piece is made of what this one has changed: it waits for the commit.
async fn commit(control: &mpsc::Sender<Control>, piece: RollupPiece) -> Result<(), Stopped> {
    let (done, committed) = oneshot::channel();
    let told = control.send(Control::Rollups { piece: Box::new(piece), done }).await;
    told.map_err(|_| Stopped::Judge)?;
    committed.await.map_err(|_| Stopped::Judge)
}

/// The next rows of the journal, and whether there are no more for now.
fn roll_up_part(reader: &StoreReader, decoder: &Decoder) -> Result<(Vec<RollupPiece>, bool), StoreError> {
    let before = reader.rollup_place()?;
    let JournalPart { rows, is_last } = reader.journal_part(before.unwrap_or(0), PART_BYTES)?;
    let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) else { return Ok((Vec::new(), true)) };
    if let Some(gone) = before.map(|place| first - place - 1).filter(|gone| *gone > 0) {
        tracing::warn!(
            "{gone} commits of the journal were pruned for its size before they were rolled up: their readings are missing \
             in charts"
        );
    }
    let place = *last;
    let mut sums = Sums::default();
    for (seq, lines) in rows {
        sums.add_row(reader, decoder, seq, &lines)?;
    }
    Ok((sums.pieces(reader, place)?, is_last))
}

/// What some rows of the journal add to their units.
#[derive(Default)]
struct Sums {
    /// The engine's law: time never goes back.
    now: Option<Timestamp>,
    units: BTreeMap<String, UnitSums>,
}

struct UnitSums {
    unit: UnitId,
    /// Its messages up to this row count already.
    seq: i64,
    arrivals: Arrivals,
    hours: BTreeMap<i64, Rollup>,
    is_changed: bool,
}

impl Sums {
    fn add_row(&mut self, reader: &StoreReader, decoder: &Decoder, seq: i64, lines: &[u8]) -> Result<(), StoreError> {
        for line in Reader::new(lines) {
            // What cannot be read any more (the topics' root was changed) was judged in its time; a chart can do without.
            let Ok(line) = line else { continue };
            let now = self.now.map_or(line.at, |now| now.max(line.at));
            self.now = Some(now);
            let What::Publish { topic, payload, retained } = line.what else { continue };
            let Ok(decoded) = decoder.decode(&topic, &payload) else { continue };
            if !self.units.contains_key(decoded.unit) {
                let known = UnitSums::load(reader, decoded.unit)?;
                self.units.insert(decoded.unit.to_owned(), known);
            }
            let unit = self.units.get_mut(decoded.unit).expect("put there above");
            if seq > unit.seq {
                unit.add(now, &decoded.message, retained);
            }
        }
        Ok(())
    }

    fn pieces(self, reader: &StoreReader, place: i64) -> Result<Vec<RollupPiece>, StoreError> {
        let mut pieces = vec![RollupPiece::default()];
        for unit in self.units.into_values().filter(|unit| unit.is_changed) {
            if pieces.last().is_some_and(|piece| piece.units.len() >= PIECE_UNITS) {
                pieces.push(RollupPiece::default());
            }
            let hours = unit.hours.iter().map(|(hour, more)| {
                let mut all = reader.rolled_hour(&unit.unit, *hour)?;
                all.merge(more);
                Ok(RolledHour::new(*hour, &all))
            });
            let hours = hours.collect::<Result<_, StoreError>>()?;
            let arrivals = serde_json::to_string(&unit.arrivals).expect("numbers and times are JSON");
            let rolled = RolledUnit { unit: unit.unit, seq: place, arrivals, hours };
            pieces.last_mut().expect("begins with one").units.push(rolled);
        }
        // Only when all units count may the place move on.
        pieces.last_mut().expect("begins with one").place = Some(place);
        Ok(pieces)
    }
}

impl UnitSums {
    fn load(reader: &StoreReader, unit: &str) -> Result<Self, StoreError> {
        let unit = UnitId::parse(unit).expect("the decoder has checked the id");
        let (seq, arrivals) = reader.rolled_unit(&unit)?.unwrap_or_default();
        // Of another version: repeats that are on the way right now may count twice, and nothing else.
        let arrivals = serde_json::from_str(&arrivals).unwrap_or_default();
        Ok(UnitSums { unit, seq, arrivals, hours: BTreeMap::new(), is_changed: false })
    }

    fn add(&mut self, now: Timestamp, message: &Message, retained: bool) {
        self.is_changed = true;
        let Some(at) = self.arrivals.take(now, message, retained) else { return };
        // Its day would be pruned as soon as it is written.
        if now.since(at) >= StoreOptions::default().rollups_keep {
            return;
        }
        let (hour, second) = hour_of(at);
        let rollup = self.hours.entry(hour).or_default();
        readings(message, |name, value| rollup.add(name, &Figures::one(value, second)));
    }
}

/// Everything in a message that is a number, and that it was a heartbeat.
fn readings(message: &Message, mut each: impl FnMut(SeriesName, f64)) {
    let mut sent = |metric, value| {
        if let Some(name) = SeriesName::sent(metric) {
            each(name, value);
        }
    };
    match &message.body {
        Body::Selftest(test) => {
            for result in &test.results {
                match result.result {
                    Outcome::Pass | Outcome::Fail => result.figures.iter().for_each(|(m, value)| sent(*m, *value)),
                    // It could not decide, so its figures tell nothing of the unit.
                    Outcome::Inconclusive | Outcome::Skipped => {}
                }
            }
        }
        Body::Heartbeat(_) | Body::Power(_) | Body::Press(_) | Body::Status(_) | Body::Reply(_) => {
            message.body.readings(sent);
        }
    }
    if let Body::Heartbeat(_) = &message.body {
        each(SeriesName::Heartbeats, 1.0);
    }
    for (name, value) in &message.extra {
        each(SeriesName::Vendor(name.clone()), *value);
    }
}

#[cfg(test)]
mod tests;
