//! What the judge tells InfluxDB, beside all else it does. Owns the way from the historian to the spool. Never waits for the
//! network.

use std::time::Duration;

use crate::app::historian::{Historian, outlook_points};
use crate::domain::{Bucket, Effect, Message, Timestamp, UnitIx};
use crate::engine::Engine;
use crate::io::influx::SpoolHandle;
use crate::render::points::Points;

const PART_POINTS: u32 = 5000;

/// A busy judge comes by hundreds of times a second.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub struct Telling {
    historian: Historian,
    spool: SpoolHandle,
    looked_at: Option<Timestamp>,
}

impl Telling {
    pub fn new(historian: Historian, spool: SpoolHandle) -> Self {
        Telling { historian, spool, looked_at: None }
    }

    pub fn historian(&mut self) -> &mut Historian {
        &mut self.historian
    }

    pub fn message(&mut self, engine: &Engine, unit: UnitIx, message: &Message) {
        self.historian.message(engine, unit, message);
    }

    pub fn effects(&mut self, engine: &Engine, effects: &[Effect]) {
        self.historian.effects(engine, effects);
    }

    /// How things stand, and what stands ahead: that is worked out on another thread.
    pub fn tick(&mut self, engine: &Engine, now: Timestamp) {
        if self.looked_at.is_some_and(|at| at <= now && now.since(at) < LOOK_EVERY) {
            return;
        }
        self.looked_at = Some(now);
        self.historian.tick(engine, now);
        if self.historian.is_outlook_due(now) {
            let (prospects, spool) = (engine.prospects(), self.spool.clone());
            let fleet = engine.fleet().clone();
            tokio::task::spawn_blocking(move || {
                let mut points = Points::default();
                outlook_points(&fleet, &prospects.outlook(), now, &mut points);
                push(&spool, points);
            });
        }
    }

    /// When there is enough of it: a long journal must not fill the memory.
    pub fn hand_over_a_part(&mut self) {
        if self.historian.points() >= PART_POINTS {
            self.hand_over();
        }
    }

    /// To the spool's thread.
    pub fn hand_over(&mut self) {
        push(&self.spool, self.historian.take());
    }

    /// What was handed over survives a crash when this returns.
    pub fn flush(&self) {
        self.spool.flush();
    }
}

fn push(spool: &SpoolHandle, mut points: Points) {
    for bucket in Bucket::ALL {
        let (lines, count) = points.of(*bucket).take();
        if count > 0 {
            spool.push(*bucket, lines, count);
        }
    }
}
