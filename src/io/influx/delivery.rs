//! Sends one bucket's batches, oldest first, and deletes a file only when its points are settled. Never gathers them.
//!
//! ```text
//! wait ──1──▶ send ──2──▶ wait            1 batches wait: as many as fit into one write
//!               ├───3──▶ halve ──2──▶     2 204; or every line is settled: files removed, points counted
//!               └───4──▶ pause ──1──▶     3 400, 413: halves, until single lines are refused: those are set aside
//!                                         4 429, 5xx, timeout, no connection, 401, 403, 404: nothing is removed
//! ```
//!
//! A halving that an unreachable server interrupts begins anew: same tags and time overwrite, so that is safe.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use influxdb2::Client;
use influxdb2::api::write::TimestampPrecision;
use tokio::sync::watch;

use super::batch::{pack, unpack};
use super::lines::lines;
use super::refused::{self, Refused};
use super::stats::Delivery;
use super::verdict::{Outcome, Verdict, judge};
use super::waiting::{Shared, Tally, Waiting};
use crate::domain::Bucket;

pub(super) struct Courier {
    pub bucket: Bucket,
    pub client: Client,
    pub org: String,
    /// As InfluxDB knows the bucket.
    pub name: String,
    pub spool: PathBuf,
    pub batch_points: usize,
    pub timeout: Duration,
    pub retry_after: Duration,
    pub retry_at_most: Duration,
    pub shared: Arc<Shared>,
}

/// A batch that must be tried again.
struct NotNow(Verdict);

/// So many lines refused one by one, and none of the batch taken: then it is not the lines that are wrong, but the question
/// (an organization that is empty, a proxy that breaks bodies), and giving all lines up would lose history.
const ALL_REFUSED: u64 = 100;

impl Courier {
    /// Until `stop` says true. A request that is under way ends first.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut pause = self.retry_after;
        while !*stop.borrow() {
            let taken = self.shared.take(self.bucket, self.batch_points);
            if taken.is_empty() {
                tokio::select! {
                    () = self.shared.came(self.bucket) => continue,
                    _ = stop.changed() => return,
                }
            }
            let wait = match self.deliver(&taken).await {
                Ok(()) => {
                    pause = self.retry_after;
                    self.tell_up();
                    continue;
                }
                Err(NotNow(verdict)) => {
                    self.shared.put_back(self.bucket);
                    self.tell_trouble(&verdict);
                    if verdict.outcome == Outcome::Held {
                        pause = self.retry_after;
                        self.retry_at_most
                    } else {
                        let wait = pause;
                        pause = pause.saturating_mul(2).min(self.retry_at_most);
                        wait
                    }
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = stop.changed() => return,
            }
        }
    }

    /// Ok: settled, the files are removed.
    async fn deliver(&self, taken: &[Waiting]) -> Result<(), NotNow> {
        let load = self.load(taken).await;
        let points = load.points;
        let mut tally = Tally { unreadable: load.unreadable, ..Tally::default() };
        let mut aside = Vec::new();
        if points > 0 {
            let verdict = self.send(load.body.clone()).await;
            match verdict.outcome {
                Outcome::Written => tally.written += points,
                Outcome::Refused | Outcome::TooLarge => match unpack(&load.body) {
                    Ok(body) => {
                        let halved = self.halve(&body, verdict, &mut tally, &mut aside).await;
                        halved.map_err(|NotNow(verdict)| NotNow(self.name_the_file(verdict, taken)))?;
                    }
                    Err(_) => tally.unreadable += points,
                },
                Outcome::Unprocessable => self.leave_out(&verdict, points, &mut tally),
                Outcome::Held | Outcome::Busy | Outcome::Timeout | Outcome::Unreachable => return Err(NotNow(verdict)),
            }
        }
        self.settle(taken, &tally, aside).await;
        Ok(())
    }

    async fn send(&self, body: Bytes) -> Verdict {
        let begun = Instant::now();
        let write = self.client.write_line_protocol_with_precision(
            &self.org,
            &self.name,
            body,
            TimestampPrecision::Milliseconds,
        );
        let verdict = judge(write.await, &self.name, self.timeout);
        self.shared.count_try(self.bucket, &verdict, begun.elapsed());
        verdict
    }

    /// `whole` was refused as a whole: its halves are sent, and theirs, down to the lines that are to blame.
    async fn halve(
        &self,
        whole: &[u8],
        refusal: Verdict,
        tally: &mut Tally,
        aside: &mut Vec<Refused>,
    ) -> Result<(), NotNow> {
        let all: Vec<Range<usize>> = lines(whole).collect();
        let mut refused = vec![(0..all.len(), refusal)];
        while let Some((range, verdict)) = refused.pop() {
            if let [line] = &all[range.clone()] {
                tally.refused += 1;
                if tally.refused >= ALL_REFUSED && tally.written == 0 {
                    return Err(NotNow(Verdict { outcome: Outcome::Refused, ..verdict }));
                }
                aside.push(Refused { line: whole[line.clone()].to_vec(), reason: verdict.text });
                continue;
            }
            let middle = range.start + range.len() / 2;
            for half in [range.start..middle, middle..range.end] {
                let (Some(first), Some(last)) = (all[half.clone()].first(), all[half.clone()].last()) else { continue };
                let points = half.len() as u64;
                let verdict = self.send(pack(&whole[first.start..last.end]).into()).await;
                match verdict.outcome {
                    Outcome::Written => tally.written += points,
                    Outcome::Refused | Outcome::TooLarge => refused.push((half, verdict)),
                    Outcome::Unprocessable => self.leave_out(&verdict, points, tally),
                    Outcome::Held | Outcome::Busy | Outcome::Timeout | Outcome::Unreachable => {
                        return Err(NotNow(verdict));
                    }
                }
            }
        }
        Ok(())
    }

    /// Every line refused is a person's to mend: at the question, or at the file.
    fn name_the_file(&self, verdict: Verdict, taken: &[Waiting]) -> Verdict {
        if verdict.outcome != Outcome::Refused {
            return verdict;
        }
        let files: Vec<String> = taken.iter().map(|w| w.file.to_string()).collect();
        let text = format!(
            "{}: it refuses every line; check url, org and bucket in [influx]; if the lines are at fault, move {} out of the spool",
            verdict.text,
            files.join(" ")
        );
        self.shared.tell_error(self.bucket, text.clone());
        Verdict { outcome: Outcome::Held, text, left_out: None }
    }

    /// The server wrote the others, if it says how many it left out; else it is not known that it wrote any.
    fn leave_out(&self, verdict: &Verdict, points: u64, tally: &mut Tally) {
        let left_out = verdict.left_out.map_or(points, |n| u64::from(n).min(points));
        tally.unprocessable += left_out;
        tally.written += points - left_out;
        tracing::warn!(
            "history: InfluxDB left out {left_out} of {points} points for {}: {}; they are older than the bucket keeps, or a field \
             has another type than before",
            self.name,
            verdict.text
        );
    }

    /// Reads the files. One is sent as it is; several, which are small, are packed anew as one.
    async fn load(&self, taken: &[Waiting]) -> Load {
        let (spool, taken) = (self.spool.clone(), taken.to_vec());
        let reading = tokio::task::spawn_blocking(move || Load::read(&spool, &taken));
        let load = reading.await.expect("reading files does not panic");
        for problem in &load.problems {
            tracing::error!("history: {problem}; its points are lost; look at that disk");
            self.shared.tell_error(self.bucket, problem.clone());
        }
        load
    }

    async fn settle(&self, taken: &[Waiting], tally: &Tally, aside: Vec<Refused>) {
        if let Some(first) = aside.first() {
            tracing::warn!(
                "history: InfluxDB refused {} points for {}: {}; they are set aside in {}",
                aside.len(),
                self.name,
                first.reason,
                self.spool.join(refused::FILE).display()
            );
        }
        let (spool, bucket) = (self.spool.clone(), self.bucket);
        let files: Vec<_> = taken.iter().map(|w| w.file).collect();
        let removing = tokio::task::spawn_blocking(move || {
            if let Err(e) = refused::set_aside(&spool, bucket, &aside) {
                tracing::error!("history: cannot write {}: {e}", spool.join(refused::FILE).display());
            }
            for file in files {
                if let Err(e) = file.remove(&spool) {
                    // Sent again after a restart, which changes nothing.
                    tracing::warn!("history: cannot remove {}: {e}", file.path(&spool).display());
                }
            }
        });
        removing.await.expect("removing files does not panic");
        self.shared.settle(self.bucket, tally);
    }

    fn tell_up(&self) {
        match self.shared.set_delivery(self.bucket, Delivery::Up) {
            Delivery::Up => {}
            Delivery::Untried => tracing::info!("history: InfluxDB takes points for {}", self.name),
            Delivery::Away | Delivery::Held => {
                let waiting = self.shared.waiting_points(self.bucket);
                tracing::info!("history: InfluxDB takes points for {} again; {waiting} still wait", self.name);
            }
        }
    }

    fn tell_trouble(&self, verdict: &Verdict) {
        let is_held = verdict.outcome == Outcome::Held;
        let now = if is_held { Delivery::Held } else { Delivery::Away };
        if self.shared.set_delivery(self.bucket, now) == now {
            return;
        }
        let (name, text) = (&self.name, &verdict.text);
        if is_held {
            tracing::error!("history: InfluxDB does not take points for {name}: {text}. They wait in the spool");
        } else {
            tracing::warn!(
                "history: no points to InfluxDB for {name}: {text}. They wait in the spool; tried again by itself"
            );
        }
    }
}

/// What is sent in one write.
struct Load {
    body: Bytes,
    points: u64,
    /// Points of files that could not be read.
    unreadable: u64,
    problems: Vec<String>,
}

impl Load {
    fn read(spool: &std::path::Path, taken: &[Waiting]) -> Load {
        let mut load = Load { body: Bytes::new(), points: 0, unreadable: 0, problems: Vec::new() };
        let is_one = taken.len() == 1;
        let mut joined = Vec::new();
        for batch in taken {
            let path = batch.file.path(spool);
            let needs_look = batch.restored || !is_one;
            let read = std::fs::read(&path).and_then(|bytes| {
                let lines = if needs_look { unpack(&bytes)? } else { Vec::new() };
                Ok((bytes, lines))
            });
            match read {
                Ok((bytes, lines)) => {
                    load.points += u64::from(batch.file.points);
                    if is_one {
                        load.body = bytes.into();
                    } else {
                        joined.extend_from_slice(&lines);
                    }
                }
                Err(e) => {
                    load.unreadable += u64::from(batch.file.points);
                    load.problems.push(format!("cannot read {}: {e}", path.display()));
                }
            }
        }
        if !is_one && load.points > 0 {
            load.body = pack(&joined).into();
        }
        load
    }
}
