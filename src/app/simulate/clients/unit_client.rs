//! One unit on a real connection: connects, says what lies on its desk, resends what was not acknowledged, hears its
//! commands. Never knows why the world wants it to leave.
//!
//! ```text
//!           ┌──────────1──────────┐
//!  Away ────┘                     ▼
//!   ▲                          Trying ◀──5── (backoff)
//!   │                             │ 2 ConnAck          ▲
//!   └──────4 world takes it away──┤                    │ 3 connection lost
//!                                 ▼                    │
//!                               Here ──────────────────┘
//! ```
//! 1 the world connects it · 2 subscribe, say what waits · 3 unacknowledged messages go back to the front of the desk ·
//! 4 with or without DISCONNECT, with or without its memory · 5 again, later each time.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use rumqttc::{AsyncClient, ConnectionError, Event, MqttOptions, Outgoing, Packet, QoS};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::{Instant, sleep_until};

use crate::app::simulate::chance::{hash, name_hash};
use crate::app::simulate::payload::topic;
use crate::domain::message::Kind;
use crate::domain::{UnitId, UnitIx};

use super::Leaving;

/// One message to say.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) kind: Kind,
    pub(super) boot: u32,
    pub(super) seq: u64,
    pub(super) payload: Bytes,
}

/// What a unit's client tells the driver.
#[derive(Debug)]
pub(super) enum Note {
    /// `again`: the world does not know that it was away.
    Connected {
        unit: UnitIx,
        again: bool,
    },
    Lost {
        unit: UnitIx,
        why: String,
        was_connected: bool,
    },
    Acked {
        unit: UnitIx,
        boot: u32,
        seq: u64,
    },
    Command {
        unit: UnitIx,
        payload: Bytes,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Away(Leaving),
    /// The how-manieth connection.
    Here(u64),
}

/// Messages that wait while the broker is away. Full: the oldest goes and is counted, as in a unit's flash.
const DESK: usize = 5_000;

/// Unacknowledged at a time; well below rumqttc's 100, so that its packet ids never meet.
const WINDOW: usize = 20;

/// A clean leave-taking waits this long for the last acknowledgements.
const LAST_WORDS: Duration = Duration::from_secs(3);

const SHORTEST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Papers {
    waiting: VecDeque<Letter>,
    wanted: Wanted,
    connections: u64,
    /// Grows when the unit loses its memory: what was in flight before is then forgotten.
    memory: u64,
    closing: bool,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) sent: u64,
    pub(super) overflowed: u64,
    pub(super) forgotten: u64,
}

/// Between the driver and one unit's client: the driver never waits, the client is woken.
#[derive(Debug)]
pub(super) struct Desk {
    papers: Mutex<Papers>,
    bell: Notify,
}

impl Desk {
    pub(super) fn new() -> Desk {
        let papers = Papers {
            waiting: VecDeque::new(),
            wanted: Wanted::Away(Leaving::Clean),
            connections: 0,
            memory: 0,
            closing: false,
            counts: Counts::default(),
        };
        Desk { papers: Mutex::new(papers), bell: Notify::new() }
    }

    fn papers(&self) -> MutexGuard<'_, Papers> {
        self.papers.lock().expect("nobody panics with a desk in his hands")
    }

    pub(super) fn connect(&self) {
        let mut papers = self.papers();
        papers.connections += 1;
        papers.wanted = Wanted::Here(papers.connections);
        drop(papers);
        self.bell.notify_one();
    }

    pub(super) fn leave(&self, leaving: Leaving) {
        let mut papers = self.papers();
        papers.wanted = Wanted::Away(leaving);
        if leaving == Leaving::PowerLost {
            papers.memory += 1;
            papers.counts.forgotten += papers.waiting.len() as u64;
            papers.waiting.clear();
        }
        drop(papers);
        self.bell.notify_one();
    }

    pub(super) fn put(&self, letter: Letter) {
        let mut papers = self.papers();
        if papers.waiting.len() >= DESK {
            papers.waiting.pop_front();
            papers.counts.overflowed += 1;
        }
        papers.waiting.push_back(letter);
        drop(papers);
        self.bell.notify_one();
    }

    /// The simulation ends: last words, DISCONNECT, and the client's task is over.
    pub(super) fn close(&self) {
        let mut papers = self.papers();
        papers.closing = true;
        papers.wanted = Wanted::Away(Leaving::Clean);
        drop(papers);
        self.bell.notify_one();
    }

    pub(super) fn counts(&self) -> Counts {
        self.papers().counts
    }
}

struct InFlight {
    /// None: rumqttc has not numbered it yet.
    packet: Option<u16>,
    letter: Letter,
}

pub(super) struct UnitClient {
    ix: UnitIx,
    id: UnitId,
    root: String,
    options: MqttOptions,
    desk: Arc<Desk>,
    notes: mpsc::Sender<Note>,
    gate: Arc<Semaphore>,
    in_flight: VecDeque<InFlight>,
    memory: u64,
    /// The world's connection that was made for real last.
    made: u64,
}

fn explain(error: &ConnectionError) -> String {
    let text = error.to_string();
    match error {
        ConnectionError::Io(e) if e.raw_os_error() == Some(TOO_MANY_FILES) => {
            format!("{text}; each unit needs an open file: raise the limit with ulimit -n")
        }
        ConnectionError::ConnectionRefused(_) => format!("{text}; check the password file and the broker's settings"),
        _ => text,
    }
}

/// EMFILE on Linux, macOS and the BSDs.
const TOO_MANY_FILES: i32 = 24;

enum Ended {
    /// As the world wished.
    Left,
    Lost {
        why: String,
        was_connected: bool,
    },
    /// The driver is gone.
    Over,
}

impl UnitClient {
    pub(super) fn new(
        ix: UnitIx,
        id: UnitId,
        root: &str,
        options: MqttOptions,
        desk: Arc<Desk>,
        notes: mpsc::Sender<Note>,
        gate: Arc<Semaphore>,
    ) -> UnitClient {
        UnitClient {
            ix,
            id,
            root: root.to_owned(),
            options,
            desk,
            notes,
            gate,
            in_flight: VecDeque::new(),
            memory: 0,
            made: 0,
        }
    }

    pub(super) async fn live(mut self) {
        let mut failures: u32 = 0;
        loop {
            let wanted = {
                let papers = self.desk.papers();
                if papers.closing { None } else { Some(papers.wanted) }
            };
            match wanted {
                None => break,
                Some(Wanted::Away(_)) => self.desk.bell.notified().await,
                Some(Wanted::Here(connection)) => match self.session(connection).await {
                    Ended::Left => failures = 0,
                    Ended::Over => break,
                    Ended::Lost { why, was_connected } => {
                        if was_connected {
                            failures = 0;
                        }
                        failures = failures.saturating_add(1);
                        // Said once until it succeeds.
                        if failures == 1 {
                            let note = Note::Lost { unit: self.ix, why, was_connected };
                            if self.notes.send(note).await.is_err() {
                                break;
                            }
                        }
                        self.back_off(failures).await;
                    }
                },
            }
        }
        self.take_back();
    }

    /// Doubles up to ten seconds; each unit a little off, so that a broker's return is not a stampede.
    async fn back_off(&self, failures: u32) {
        let doubled = SHORTEST_BACKOFF * 2_u32.saturating_pow(failures.min(8) - 1);
        let spread = 0.7 + 0.6 * hash(name_hash(self.id.as_str()), 1, i64::from(failures));
        let end = Instant::now() + doubled.min(LONGEST_BACKOFF).mul_f64(spread);
        loop {
            tokio::select! {
                () = sleep_until(end) => return,
                () = self.desk.bell.notified() => {
                    if matches!(self.desk.papers().wanted, Wanted::Away(_)) {
                        return;
                    }
                }
            }
        }
    }

    /// What was not acknowledged goes back to the front of the desk, unless the unit's memory is gone.
    fn take_back(&mut self) {
        let mut papers = self.desk.papers();
        if papers.memory != self.memory {
            self.memory = papers.memory;
            papers.counts.forgotten += self.in_flight.len() as u64;
            self.in_flight.clear();
        }
        while let Some(flight) = self.in_flight.pop_back() {
            papers.waiting.push_front(flight.letter);
        }
    }

    /// One connection, from the first SYN to its end.
    async fn session(&mut self, connection: u64) -> Ended {
        self.take_back();
        let gate = Arc::clone(&self.gate);
        let Ok(permit) = gate.acquire_owned().await else { return Ended::Over };
        let mut permit = Some(permit);
        let mut connected = false;
        let mut leaving_since: Option<Instant> = None;
        let (client, mut events) = AsyncClient::new(self.options.clone(), 2 * WINDOW + 8);
        events.network_options.set_connection_timeout(10);
        events.network_options.set_tcp_nodelay(true);
        loop {
            // Never cancelled half way: a poll that is dropped could lose what it had read.
            let mut poll = pin!(events.poll());
            let polled = loop {
                let last_words = leaving_since.map(|since| since + LAST_WORDS);
                tokio::select! {
                    polled = &mut poll => break polled,
                    () = self.desk.bell.notified() => {}
                    () = sleep_until(last_words.unwrap_or_else(Instant::now)), if last_words.is_some() => {
                        return Ended::Left;
                    }
                }
                if self.tend(&client, connection, connected, &mut leaving_since).is_break() {
                    return Ended::Left;
                }
            };
            let event = match polled {
                Ok(event) => event,
                Err(_) if leaving_since.is_some() => return Ended::Left,
                Err(error) => return Ended::Lost { why: explain(&error), was_connected: connected },
            };
            match event {
                Event::Incoming(Packet::ConnAck(_)) => {
                    connected = true;
                    permit.take();
                    let commands = format!("{}/{}/command", self.root, self.id);
                    if client.try_subscribe(commands, QoS::AtLeastOnce).is_err() {
                        return Ended::Lost { why: "cannot subscribe".to_owned(), was_connected: true };
                    }
                    let again = self.made == connection;
                    self.made = connection;
                    if self.notes.send(Note::Connected { unit: self.ix, again }).await.is_err() {
                        return Ended::Over;
                    }
                }
                Event::Incoming(Packet::PubAck(ack)) => {
                    let found = self.in_flight.iter().position(|f| f.packet == Some(ack.pkid));
                    if let Some(flight) = found.and_then(|i| self.in_flight.remove(i)) {
                        let Letter { boot, seq, .. } = flight.letter;
                        if self.notes.send(Note::Acked { unit: self.ix, boot, seq }).await.is_err() {
                            return Ended::Over;
                        }
                    }
                }
                Event::Incoming(Packet::Publish(publish)) => {
                    let note = Note::Command { unit: self.ix, payload: publish.payload };
                    if self.notes.send(note).await.is_err() {
                        return Ended::Over;
                    }
                }
                Event::Outgoing(Outgoing::Publish(packet)) => {
                    // rumqttc numbers them in the order in which they were handed over.
                    if let Some(flight) = self.in_flight.iter_mut().find(|f| f.packet.is_none()) {
                        flight.packet = Some(packet);
                    }
                }
                Event::Outgoing(Outgoing::Disconnect) => return Ended::Left,
                _ => {}
            }
            if self.tend(&client, connection, connected, &mut leaving_since).is_break() {
                return Ended::Left;
            }
        }
    }

    /// Looks at the desk: leaves, says goodbye, or hands over what waits. Break: this connection is no longer wanted.
    fn tend(
        &mut self,
        client: &AsyncClient,
        connection: u64,
        connected: bool,
        leaving_since: &mut Option<Instant>,
    ) -> ControlFlow<()> {
        match self.desk.papers().wanted {
            Wanted::Here(wanted) if wanted == connection => {}
            // It left and came back before we looked.
            Wanted::Here(_) | Wanted::Away(Leaving::LinkLost | Leaving::PowerLost) => return ControlFlow::Break(()),
            Wanted::Away(Leaving::Clean) if !connected => return ControlFlow::Break(()),
            Wanted::Away(Leaving::Clean) => {
                leaving_since.get_or_insert_with(Instant::now);
            }
        }
        if connected {
            self.pump(client, connection);
            self.goodbye(client, *leaving_since);
        }
        ControlFlow::Continue(())
    }

    /// Hands over what waits, as far as the window is open.
    fn pump(&mut self, client: &AsyncClient, connection: u64) {
        while self.in_flight.len() < WINDOW {
            let letter = {
                // In one grip: what a next life of the unit says must not go out on this connection.
                let mut papers = self.desk.papers();
                match papers.wanted {
                    Wanted::Here(wanted) if wanted == connection => {}
                    Wanted::Away(Leaving::Clean) => {}
                    Wanted::Here(_) | Wanted::Away(_) => return,
                }
                papers.waiting.pop_front()
            };
            let Some(letter) = letter else { return };
            let retain = letter.kind == Kind::Status;
            let to = topic(&self.root, &self.id, letter.kind);
            if client.try_publish(to, QoS::AtLeastOnce, retain, letter.payload.to_vec()).is_err() {
                self.desk.papers().waiting.push_front(letter);
                return;
            }
            self.desk.papers().counts.sent += 1;
            self.in_flight.push_back(InFlight { packet: None, letter });
        }
    }

    fn goodbye(&self, client: &AsyncClient, leaving_since: Option<Instant>) {
        if leaving_since.is_some() && self.in_flight.is_empty() && self.desk.papers().waiting.is_empty() {
            // Full: the next event tries again.
            let _ = client.try_disconnect();
        }
    }
}
