//! The one channel between the ways in (`io::gateway`, `io::mqtt`) and the daemon.
//!
//! Design constraints
//! - A chunk is what one read of one connection gave: one channel operation and one commit note for many messages.
//! - The order of chunks of one connection is the order on its wire.
//! - A chunk that is dropped without [`Acknowledge::committed`] was not committed: the way in must not acknowledge it.

use std::time::Instant;

use bytes::Bytes;

use crate::domain::{Hearing, UnitId};

use super::refusal::Refusal;

pub enum Ingest {
    Publishes(Chunk),
    /// The external broker was lost or found again. The gateway never says this.
    Hearing(Hearing),
    Refused(Refusal),
}

pub struct Chunk {
    /// When its messages were taken off the connection: how long they wait for judgement is measured from here.
    pub read_at: Instant,
    pub publishes: Vec<Publish>,
    pub ack: Box<dyn Acknowledge>,
}

/// One MQTT PUBLISH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Who the connection belongs to. None: an external broker does not tell.
    pub sender: Option<UnitId>,
    pub topic: String,
    pub payload: Bytes,
    /// The broker kept it: it was sent at an unknown earlier time.
    pub retained: bool,
}

/// Told once, after the commit that holds every message of the chunk. Never blocks.
pub trait Acknowledge: Send {
    fn committed(self: Box<Self>);
}

/// For messages that need no acknowledgement: QoS 0, replays, tests.
pub struct NoAck;

impl Acknowledge for NoAck {
    fn committed(self: Box<Self>) {}
}
