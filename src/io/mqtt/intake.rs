//! What was heard and not yet handed on, and the promises to acknowledge it. Never waits.

use std::collections::VecDeque;
use std::mem;
use std::time::Instant;

use rumqttc::QoS;
use tokio::sync::mpsc::UnboundedSender;

use crate::domain::Hearing;
use crate::wire::ingest::{Acknowledge, Chunk, Ingest, NoAck, Publish};
use crate::wire::refusal::{Refusal, RefusalKind};

/// One channel operation and one commit note per chunk: 1,000 makes both cheap and keeps a commit within milliseconds.
const CHUNK_PUBLISHES: usize = 1_000;

/// What a full chunk may hold in memory: 1,000 payloads of a usual 300 bytes are far below, 1,000 of the largest are not.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;

/// Sealed chunks and news that wait for room. The chunk being filled is the usual bound; this one stops a connection
/// that breaks again and again while the ingest channel is full.
const SEALED: usize = 64;

/// A unit's payload has at most 16 KiB and the decoder says so precisely. Beyond four times that nothing is kept but an
/// example, so that a stranger's huge messages cannot fill the memory.
const PAYLOAD_KEPT: usize = 64 * 1024;

/// One message that the broker wants an answer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ack {
    /// QoS 1.
    Puback(u16),
    /// QoS 2: only from a subscription that an earlier program left in the session. Its release is answered by rumqttc.
    Pubrec(u16),
}

/// The end of one chunk.
pub(super) struct Settled {
    /// The connection that the packet ids belong to.
    pub epoch: u64,
    pub acks: Vec<Ack>,
    /// False: dropped uncommitted.
    pub committed: bool,
}

struct Promise {
    epoch: u64,
    acks: Vec<Ack>,
    settled: UnboundedSender<Settled>,
    committed: bool,
}

impl Acknowledge for Promise {
    fn committed(mut self: Box<Self>) {
        self.committed = true;
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let note = Settled { epoch: self.epoch, acks: mem::take(&mut self.acks), committed: self.committed };
        // The link has ended: the broker sends the messages again at the next start.
        let _ = self.settled.send(note);
    }
}

pub(super) struct Intake {
    sealed: VecDeque<Ingest>,
    publishes: Vec<Publish>,
    acks: Vec<Ack>,
    bytes: usize,
    epoch: u64,
    settled: UnboundedSender<Settled>,
}

impl Intake {
    pub fn new(settled: UnboundedSender<Settled>) -> Self {
        Intake { sealed: VecDeque::new(), publishes: Vec::new(), acks: Vec::new(), bytes: 0, epoch: 0, settled }
    }

    /// False: stop reading.
    pub fn has_room(&self) -> bool {
        self.publishes.len() < CHUNK_PUBLISHES && self.bytes < CHUNK_BYTES && self.sealed.len() < SEALED
    }

    pub fn is_empty(&self) -> bool {
        self.sealed.is_empty() && self.publishes.is_empty() && self.acks.is_empty()
    }

    pub fn take(&mut self, publish: rumqttc::Publish) {
        match publish.qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => self.acks.push(Ack::Puback(publish.pkid)),
            QoS::ExactlyOnce => self.acks.push(Ack::Pubrec(publish.pkid)),
        }
        if publish.payload.len() > PAYLOAD_KEPT {
            let why = format!("{} bytes; a payload has at most 16 KiB", publish.payload.len());
            let refusal = Refusal::new(RefusalKind::TooLarge, &publish.topic, why).example(&publish.payload);
            self.sealed.push_back(Ingest::Refused(refusal));
            return;
        }
        self.bytes += publish.topic.len() + publish.payload.len();
        self.publishes.push(Publish {
            sender: None,
            topic: publish.topic,
            payload: publish.payload,
            retained: publish.retain,
        });
    }

    /// In its place after all that was heard before.
    pub fn say(&mut self, hearing: Hearing) {
        self.seal();
        self.sealed.push_back(Ingest::Hearing(hearing));
    }

    /// The connection is gone: what was heard on it is handed on, but its packet ids mean nothing any more.
    pub fn forget_acks(&mut self, next_epoch: u64) {
        self.acks.clear();
        self.seal();
        self.epoch = next_epoch;
    }

    /// The oldest that waits. None: nothing does.
    pub fn next(&mut self) -> Option<Ingest> {
        if self.sealed.is_empty() {
            self.seal();
        }
        self.sealed.pop_front()
    }

    /// A chunk of refused messages only is empty and still goes the way of all chunks: acks keep the order of arrival.
    fn seal(&mut self) {
        if self.publishes.is_empty() && self.acks.is_empty() {
            return;
        }
        let publishes = mem::take(&mut self.publishes);
        let acks = mem::take(&mut self.acks);
        self.bytes = 0;
        let ack: Box<dyn Acknowledge> = if acks.is_empty() {
            Box::new(NoAck)
        } else {
            Box::new(Promise { epoch: self.epoch, acks, settled: self.settled.clone(), committed: false })
        };
        self.sealed.push_back(Ingest::Publishes(Chunk { read_at: Instant::now(), publishes, ack }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    fn heard(pkid: u16, qos: QoS, bytes: usize) -> rumqttc::Publish {
        let mut publish = rumqttc::Publish::new("buttonwatch/v1/PSH-001/heartbeat", qos, vec![b'x'; bytes]);
        publish.pkid = pkid;
        publish
    }

    fn chunk(said: Option<Ingest>) -> Chunk {
        match said {
            Some(Ingest::Publishes(chunk)) => chunk,
            Some(Ingest::Hearing(_) | Ingest::Refused(_)) | None => panic!("not a chunk"),
        }
    }

    #[test]
    fn a_promise_is_kept_once_and_in_the_order_of_arrival() {
        let (tx, mut rx) = mpsc::unbounded_channel();
        let mut intake = Intake::new(tx);
        intake.take(heard(7, QoS::AtLeastOnce, 10));
        intake.take(heard(0, QoS::AtMostOnce, 10));
        intake.take(heard(8, QoS::ExactlyOnce, 10));
        let chunk = chunk(intake.next());
        assert_eq!(chunk.publishes.len(), 3);
        assert!(rx.try_recv().is_err(), "acknowledged before the commit");
        chunk.ack.committed();
        let note = rx.try_recv().expect("a note");
        assert_eq!((note.acks, note.committed), (vec![Ack::Puback(7), Ack::Pubrec(8)], true));
        assert!(rx.try_recv().is_err() && intake.is_empty());
    }

    #[test]
    fn a_chunk_that_is_dropped_says_so() {
        let (tx, mut rx) = mpsc::unbounded_channel();
        let mut intake = Intake::new(tx);
        intake.take(heard(7, QoS::AtLeastOnce, 10));
        drop(intake.next());
        assert!(!rx.try_recv().expect("a note").committed);
    }

    #[test]
    fn what_was_heard_before_a_loss_is_handed_on_before_the_loss_and_without_a_promise() {
        let (tx, mut rx) = mpsc::unbounded_channel();
        let mut intake = Intake::new(tx);
        intake.take(heard(7, QoS::AtLeastOnce, 10));
        intake.forget_acks(1);
        intake.say(Hearing::Down);
        let chunk = chunk(intake.next());
        assert_eq!(chunk.publishes.len(), 1);
        chunk.ack.committed();
        assert!(rx.try_recv().is_err());
        assert!(matches!(intake.next(), Some(Ingest::Hearing(Hearing::Down))));
    }

    #[test]
    fn a_huge_payload_is_refused_here_and_acknowledged_like_any_other() {
        let (tx, mut rx) = mpsc::unbounded_channel();
        let mut intake = Intake::new(tx);
        intake.take(heard(7, QoS::AtLeastOnce, PAYLOAD_KEPT + 1));
        match intake.next() {
            Some(Ingest::Refused(refusal)) => assert_eq!(refusal.kind, RefusalKind::TooLarge),
            Some(Ingest::Publishes(_) | Ingest::Hearing(_)) | None => panic!("not refused"),
        }
        chunk(intake.next()).ack.committed();
        assert_eq!(rx.try_recv().expect("a note").acks, [Ack::Puback(7)]);
    }

    #[test]
    fn room_ends_by_count_and_by_bytes() {
        let (tx, _rx) = mpsc::unbounded_channel();
        let mut intake = Intake::new(tx);
        for pkid in 0..CHUNK_PUBLISHES as u16 {
            assert!(intake.has_room());
            intake.take(heard(pkid + 1, QoS::AtLeastOnce, 10));
        }
        assert!(!intake.has_room());
        assert_eq!(chunk(intake.next()).publishes.len(), CHUNK_PUBLISHES);
        for pkid in 0..65 {
            intake.take(heard(pkid + 1, QoS::AtLeastOnce, PAYLOAD_KEPT));
        }
        assert!(!intake.has_room());
    }
}
