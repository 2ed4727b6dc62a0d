//! What the rest of the house may do to one connection: hand it acknowledgements and commands, and hang it up. The
//! connection's own task writes what gathers here.
//!
//! Design constraints
//! - Acknowledgements leave in the order their messages came (MQTT-4.6.0), whatever order the chunks are committed in.
//! - Nothing here waits: `committed` is called by whoever commits, and only takes a short lock.
//! - Bounds: messages read but not committed (`max_unacked`), answers not yet written ([`Link::OUTGOING_FULL`]), commands
//!   not yet taken ([`Link::COMMANDS_MAX`]). The first two stop the reading of the socket; the third refuses the command.
//!
//! Never touches a socket, never knows which unit it serves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use crate::wire::ingest::Acknowledge;

use super::packet::{QoS, answer};

/// Why we end a connection that the unit did not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HangUp {
    /// The same client connected again.
    TakenOver,
    /// Its password was changed or removed.
    Revoked,
    /// A chunk was dropped before its commit: what it held must come again.
    Uncommitted,
    /// The service stops: acknowledge what gets committed, then close.
    Stopping,
    /// The service stops: close now.
    Closing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandRefused {
    /// As many commands as may wait for the unit's acknowledgement already do.
    Busy,
    TooLong,
}

#[derive(Default)]
pub struct Link {
    state: Mutex<State>,
    /// There is something to write, or nothing more to wait for.
    wake: Notify,
    /// There is room to read again.
    room: Notify,
    hung_up: Notify,
    left: Notify,
}

#[derive(Default)]
struct State {
    outgoing: Vec<u8>,
    chunks_begun: u64,
    chunks_acknowledged: u64,
    /// Committed before an earlier chunk was.
    parked: BTreeMap<u64, Release>,
    /// The first chunk that will never be committed: nothing from it on may be acknowledged.
    abandoned: Option<u64>,
    unacked: usize,
    reader_waits: bool,
    hang_up: Option<HangUp>,
    gone: bool,
    /// Packet ids of commands that the unit has not acknowledged.
    commands: Vec<(u16, oneshot::Sender<()>)>,
    last_pkid: u16,
}

struct Release {
    acks: Vec<u8>,
    messages: usize,
}

/// What the writer does next.
pub enum ToWrite {
    /// The buffer given holds bytes for the socket.
    Bytes,
    Nothing,
    /// Stopping, and everything that was taken is acknowledged and written.
    Drained,
}

impl Link {
    /// A unit that does not read its answers is not read from.
    const OUTGOING_FULL: usize = 64 * 1024;
    /// A unit gets a self-test or two at a time; more unanswered ones mean that it does not listen.
    pub const COMMANDS_MAX: usize = 16;
    /// What an idle connection may keep of its write buffer.
    const OUTGOING_KEPT: usize = 256;

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code that holds this lock can panic")
    }

    // ---- the reading side

    /// How many messages may be read now; waits until there is one.
    pub async fn room(&self, max_unacked: usize) -> usize {
        loop {
            {
                let mut state = self.lock();
                if state.unacked < max_unacked && state.outgoing.len() < Self::OUTGOING_FULL {
                    state.reader_waits = false;
                    return max_unacked - state.unacked;
                }
                state.reader_waits = true;
            }
            self.room.notified().await;
        }
    }

    /// The acknowledgement that goes with a chunk of `messages` to the daemon.
    pub fn begin_chunk(self: &Arc<Self>, messages: usize, acks: Vec<u8>) -> ChunkAck {
        let mut state = self.lock();
        let number = state.chunks_begun;
        state.chunks_begun += 1;
        state.unacked += messages;
        ChunkAck { link: Arc::clone(self), number, release: Some(Release { acks, messages }) }
    }

    /// An answer that depends on no commit.
    pub fn answer(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.lock().outgoing.extend_from_slice(bytes);
            self.wake.notify_one();
        }
    }

    /// The unit acknowledged a command. False: it was never sent.
    pub fn command_taken(&self, pkid: u16) -> bool {
        let taken = {
            let mut state = self.lock();
            let at = state.commands.iter().position(|(waiting, _)| *waiting == pkid);
            at.map(|at| state.commands.swap_remove(at))
        };
        match taken {
            Some((_, sender)) => {
                // Whoever sent the command may have given up waiting.
                let _ = sender.send(());
                true
            }
            None => false,
        }
    }

    // ---- the writing side

    /// Moves what is to be written into `buffer`, which the writer has emptied.
    pub fn take_outgoing(&self, buffer: &mut Vec<u8>) -> ToWrite {
        let mut state = self.lock();
        if state.outgoing.is_empty() {
            if buffer.capacity() > Self::OUTGOING_KEPT {
                *buffer = Vec::new();
            }
            return match state.hang_up {
                Some(HangUp::Stopping) if state.unacked == 0 => ToWrite::Drained,
                Some(
                    HangUp::Stopping | HangUp::TakenOver | HangUp::Revoked | HangUp::Uncommitted | HangUp::Closing,
                )
                | None => ToWrite::Nothing,
            };
        }
        std::mem::swap(&mut state.outgoing, buffer);
        let reader_waits = state.reader_waits;
        drop(state);
        if reader_waits {
            self.room.notify_one();
        }
        ToWrite::Bytes
    }

    pub async fn more_to_write(&self) {
        self.wake.notified().await;
    }

    // ---- everybody else

    /// Ok: the answer comes when the unit has taken it (at once for QoS 0), and fails when the connection ends first.
    pub fn command(&self, topic: &str, payload: Bytes, qos: QoS) -> Result<oneshot::Receiver<()>, CommandRefused> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        if state.commands.len() >= Self::COMMANDS_MAX || state.outgoing.len() >= Self::OUTGOING_FULL {
            return Err(CommandRefused::Busy);
        }
        match qos {
            QoS::AtMostOnce => {
                answer::publish(topic, payload, qos, 0, &mut state.outgoing).map_err(|_| CommandRefused::TooLong)?;
                let _ = sender.send(());
            }
            QoS::AtLeastOnce | QoS::ExactlyOnce => {
                let pkid = state.free_pkid();
                answer::publish(topic, payload, QoS::AtLeastOnce, pkid, &mut state.outgoing)
                    .map_err(|_| CommandRefused::TooLong)?;
                state.commands.push((pkid, sender));
            }
        }
        drop(state);
        self.wake.notify_one();
        Ok(receiver)
    }

    /// The first reason counts, except that a closing service waits for no drain.
    pub fn hang_up(&self, why: HangUp) {
        let mut state = self.lock();
        match (state.hang_up, why) {
            (None, _) | (Some(HangUp::Stopping), HangUp::Closing) => state.hang_up = Some(why),
            (Some(_), _) => return,
        }
        drop(state);
        self.hung_up.notify_one();
        self.wake.notify_one();
    }

    /// Resolves with each reason once.
    pub async fn hung_up(&self) -> HangUp {
        self.hung_up.notified().await;
        self.lock().hang_up.expect("hang_up sets the reason before it notifies")
    }

    pub fn is_hung_up(&self) -> bool {
        self.lock().hang_up.is_some()
    }

    /// The connection's task is done: its will is sent, its commands are lost.
    pub fn mark_gone(&self) {
        let mut state = self.lock();
        state.gone = true;
        state.commands.clear();
        drop(state);
        self.left.notify_waiters();
    }

    pub async fn gone(&self) {
        let left = self.left.notified();
        tokio::pin!(left);
        left.as_mut().enable();
        if !self.lock().gone {
            left.await;
        }
    }

    /// A chunk was dropped before its commit.
    fn abandon(&self, number: u64, messages: usize) {
        let mut state = self.lock();
        state.abandoned = Some(state.abandoned.map_or(number, |earlier| earlier.min(number)));
        state.unacked -= messages;
        let unreachable = state.parked.split_off(&number);
        state.unacked -= unreachable.values().map(|release| release.messages).sum::<usize>();
        drop(state);
        self.hang_up(HangUp::Uncommitted);
        // A stopping connection may have waited for this chunk alone.
        self.wake.notify_one();
    }

    fn release(&self, number: u64, release: Release) {
        let mut state = self.lock();
        if state.abandoned.is_some_and(|abandoned| number > abandoned) {
            state.unacked -= release.messages;
            drop(state);
            self.wake.notify_one();
            return;
        }
        if number != state.chunks_acknowledged {
            state.parked.insert(number, release);
            return;
        }
        let mut written = state.acknowledge(release);
        loop {
            let next = state.chunks_acknowledged;
            match state.parked.remove(&next) {
                Some(release) => written |= state.acknowledge(release),
                None => break,
            }
        }
        let drained = state.hang_up.is_some() && state.unacked == 0;
        let reader_waits = state.reader_waits;
        drop(state);
        if written || drained {
            self.wake.notify_one();
        }
        if reader_waits {
            self.room.notify_one();
        }
    }
}

impl State {
    fn acknowledge(&mut self, release: Release) -> bool {
        self.chunks_acknowledged += 1;
        self.unacked -= release.messages;
        self.outgoing.extend_from_slice(&release.acks);
        !release.acks.is_empty()
    }

    fn free_pkid(&mut self) -> u16 {
        loop {
            self.last_pkid = self.last_pkid.checked_add(1).unwrap_or(1);
            if self.commands.iter().all(|(waiting, _)| *waiting != self.last_pkid) {
                return self.last_pkid;
            }
        }
    }
}

/// Goes to the daemon with a chunk. Dropped without a commit, it ends the connection, so that the unit sends again.
pub struct ChunkAck {
    link: Arc<Link>,
    number: u64,
    /// None: told.
    release: Option<Release>,
}

impl ChunkAck {
    /// For a chunk in which nothing was left to commit.
    pub fn release_now(mut self) {
        self.tell();
    }
    fn tell(&mut self) {
        if let Some(release) = self.release.take() {
            self.link.release(self.number, release);
        }
    }
}

impl Acknowledge for ChunkAck {
    fn committed(mut self: Box<Self>) {
        self.tell();
    }
}

impl Drop for ChunkAck {
    fn drop(&mut self) {
        if let Some(release) = self.release.take() {
            self.link.abandon(self.number, release.messages);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(link: &Link) -> Vec<u8> {
        let mut buffer = Vec::new();
        link.take_outgoing(&mut buffer);
        buffer
    }

    #[test]
    fn acknowledgements_leave_in_the_order_of_their_messages() {
        let link = Arc::new(Link::default());
        let mut chunks: Vec<_> = (0..4u8).map(|n| Some(link.begin_chunk(1, vec![n]))).collect();
        let mut commit = |at: usize| Box::new(chunks[at].take().unwrap()).committed();
        commit(2);
        commit(1);
        assert!(outgoing(&link).is_empty());
        commit(0);
        assert_eq!(outgoing(&link), [0, 1, 2]);
        commit(3);
        assert_eq!(outgoing(&link), [3]);
        assert!(!link.is_hung_up());
    }

    #[test]
    fn a_dropped_chunk_hangs_up_and_holds_back_everything_after_it() {
        let link = Arc::new(Link::default());
        let first = link.begin_chunk(1, vec![1]);
        let second = link.begin_chunk(1, vec![2]);
        drop(first);
        Box::new(second).committed();
        assert!(outgoing(&link).is_empty());
        assert!(link.is_hung_up());
    }

    #[test]
    fn commands_wait_for_the_unit_and_their_number_is_bounded() {
        let link = Link::default();
        let mut first = link.command("t", Bytes::from_static(b"x"), QoS::AtLeastOnce).unwrap();
        assert_eq!(outgoing(&link), b"\x32\x06\x00\x01t\x00\x01x");
        assert!(first.try_recv().is_err());
        assert!(link.command_taken(1) && first.try_recv().is_ok());
        assert!(!link.command_taken(1));
        let waiting: Vec<_> =
            (0..Link::COMMANDS_MAX).map(|_| link.command("t", Bytes::new(), QoS::AtLeastOnce).unwrap()).collect();
        assert_eq!(link.command("t", Bytes::new(), QoS::AtLeastOnce).unwrap_err(), CommandRefused::Busy);
        link.mark_gone();
        assert!(waiting.into_iter().all(|mut command| command.try_recv().is_err()));
    }
}
