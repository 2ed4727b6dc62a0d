//! Which of a unit's messages are repeats, and when the readings of the others were taken: for those who keep readings
//! beside the engine, so that both have one opinion. Never judges.

use serde::{Deserialize, Serialize};

use crate::domain::{Message, Timestamp};

use super::clock::Clock;
use super::sequence::{Arrival, Sequence};

/// Of one unit, in the order in which its messages were heard.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Arrivals {
    sequence: Sequence,
    clock: Clock,
}

impl Arrivals {
    /// When the message's readings were taken, never after `now`. None: it was heard before.
    pub fn take(&mut self, now: Timestamp, message: &Message, retained: bool) -> Option<Timestamp> {
        let arrival = match (message.boot, message.seq) {
            (Some(boot), Some(seq)) => self.sequence.arrive(now, boot, seq, message.ts),
            (_, _) => Arrival::New,
        };
        match arrival {
            Arrival::Duplicate => None,
            Arrival::New | Arrival::NewBoot | Arrival::Late if retained => Some(message.ts.unwrap_or(now).min(now)),
            Arrival::New | Arrival::NewBoot | Arrival::Late => {
                Some(self.clock.take(now, message.ts, arrival == Arrival::Late).at)
            }
        }
    }
}
