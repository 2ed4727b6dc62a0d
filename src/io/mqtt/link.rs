//! The task that owns the connection: connects, subscribes, listens, acknowledges, and begins again.
//!
//! ```text
//! connect ──1──▶ listen ──2──▶ pause ──3──▶ connect
//!    └────────────4──────────────▲
//! 1 CONNACK: subscribe; SUBACK says Up     2, 4 any error: Down, once     3 the backoff is over
//! ```
//!
//! rumqttc's `poll` is dropped half-way whenever something else is ready first. That loses nothing: what is read stays in
//! its buffers, events stay in `state.events`, and a packet could be lost only while it waits for room in a write buffer
//! with more than 8 KiB in it; so everything is flushed before each `poll`. (Acks go straight to the network, flushed once
//! per chunk: by way of rumqttc's request channel each would cost a system call.)

use std::collections::VecDeque;
use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, Packet, PubAck, PubComp, PubRec, Publish, QoS, Request, SubAck,
    SubscribeFilter, SubscribeReasonCode,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, interval, sleep_until, timeout};

use super::State;
use super::config::ExternalConfig;
use super::intake::{Ack, Intake, Settled};
use super::reason::explain;
use crate::domain::{Hearing, Kind};
use crate::wire::ingest::Ingest;

/// rumqttc's request channel: one subscription and the commands in flight. Acks do not go through it.
pub(super) const REQUESTS: usize = 200;

/// Commands handed to rumqttc and not yet acknowledged by the broker. Half of rumqttc's packet ids: one slow ack then
/// never meets its own id again, which would stop all requests.
const COMMANDS_IN_FLIGHT: usize = 50;

/// First and longest wait before the next try. A broker that restarts is heard again within 5 s.
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_LONGEST: Duration = Duration::from_secs(5);

/// A login or a subscription that was refused is mended by a person: the broker's log need not fill meanwhile.
const RETRY_REFUSED: Duration = Duration::from_secs(30);

/// A connection that lived this long was a good one: the next loss is retried at once. Shorter: two programs with one
/// client id may be throwing each other out, and must not do so at full speed.
const STEADY: Duration = Duration::from_secs(10);

/// To connect (with TLS and login) or to write. Rural links are slow, a dead one must show before the next heartbeats.
const PATIENCE: Duration = Duration::from_secs(10);

/// From the last message to the SUBACK. The broker may first send a whole backlog.
const SUBSCRIBE_PATIENCE: Duration = Duration::from_secs(30);

/// To say goodbye. The process wants to end.
const FAREWELL: Duration = Duration::from_secs(1);

pub(super) struct Command {
    pub topic: String,
    pub payload: Bytes,
}

/// Why a connection is over.
enum Ending {
    Lost(String),
    /// By the broker's decision. A person must act.
    Refused(String),
    /// We were told to, or nobody takes what we hear.
    Stopped,
}

pub(super) struct Link {
    config: ExternalConfig,
    client: AsyncClient,
    eventloop: EventLoop,
    ingest: mpsc::Sender<Ingest>,
    commands: mpsc::Receiver<Command>,
    stop: oneshot::Receiver<()>,
    told: watch::Sender<State>,
    intake: Intake,
    settled: mpsc::UnboundedReceiver<Settled>,
    /// Number of the present or next connection. Packet ids of another one mean nothing.
    epoch: u64,
    said: Option<Hearing>,
    /// Some: subscribed, and the SUBACK is due by then.
    suback_due: Option<Instant>,
    heard_since: Option<Instant>,
    /// Given to rumqttc, not yet acknowledged.
    in_flight: usize,
    /// Commands that the last connection took with it: they go first on the next. At most `COMMANDS_IN_FLIGHT`.
    returned: VecDeque<Command>,
    /// Releases of QoS 2 that the last connection broke over: rumqttc has forgotten what they belong to and would break
    /// over them for ever. Answered on the next connection.
    released: Vec<u16>,
    retry: Duration,
}

impl Link {
    pub fn new(
        config: ExternalConfig,
        client: AsyncClient,
        mut eventloop: EventLoop,
        ingest: mpsc::Sender<Ingest>,
        commands: mpsc::Receiver<Command>,
        stop: oneshot::Receiver<()>,
        told: watch::Sender<State>,
    ) -> Link {
        let (note, settled) = mpsc::unbounded_channel();
        eventloop.network_options.set_connection_timeout(PATIENCE.as_secs());
        eventloop.network_options.set_tcp_nodelay(true);
        Link {
            config,
            client,
            eventloop,
            ingest,
            commands,
            stop,
            told,
            intake: Intake::new(note),
            settled,
            epoch: 0,
            said: None,
            suback_due: None,
            heard_since: None,
            in_flight: 0,
            returned: VecDeque::new(),
            released: Vec::new(),
            retry: RETRY_FIRST,
        }
    }

    pub async fn run(mut self) {
        loop {
            let ending = match self.connect().await {
                Ok(()) => self.listen().await,
                Err(ending) => ending,
            };
            let wait = match ending {
                Ending::Stopped => return self.farewell().await,
                Ending::Lost(why) => self.mourn(why, RETRY_LONGEST),
                Ending::Refused(why) => self.mourn(why, RETRY_REFUSED),
            };
            if let Err(Stopped) = self.pause(wait).await {
                return;
            }
        }
    }

    async fn connect(&mut self) -> Result<(), Ending> {
        let Link { eventloop, intake, ingest, stop, .. } = self;
        let answer = {
            let mut connecting = pin!(eventloop.poll());
            // One attempt is one future: handing on what waits must not begin it anew.
            loop {
                tokio::select! {
                    biased;
                    _ = &mut *stop => return Err(Ending::Stopped),
                    answer = &mut connecting => break answer,
                    room = ingest.reserve(), if !intake.is_empty() => hand_on(room, intake)?,
                }
            }
        };
        match answer {
            Ok(Event::Incoming(Packet::ConnAck(connack))) => {
                tracing::debug!(session = connack.session_present, "connected to the MQTT broker");
                let released = std::mem::take(&mut self.released);
                self.write(released.into_iter().map(|pkid| Packet::PubComp(PubComp::new(pkid)))).await?;
                self.subscribe()
            }
            Ok(other) => {
                Err(Ending::Lost(format!("the MQTT broker began with {other:?}; check that the port speaks MQTT")))
            }
            Err(e @ ConnectionError::ConnectionRefused(_)) => Err(Ending::Refused(explain(&e, &self.config))),
            Err(e) => Err(Ending::Lost(explain(&e, &self.config))),
        }
    }

    /// On every CONNACK: a broker may have lost the session, or say that it has not and still send nothing. One filter
    /// per kind, so that our own commands do not come back to us.
    fn subscribe(&mut self) -> Result<(), Ending> {
        self.suback_due = Some(Instant::now() + SUBSCRIBE_PATIENCE);
        let filters = self.filters().map(|path| SubscribeFilter::new(path, QoS::AtLeastOnce));
        self.client.try_subscribe_many(filters).map_err(|e| Ending::Lost(format!("cannot subscribe: {e}")))
    }

    fn filters(&self) -> impl Iterator<Item = String> + use<'_> {
        Kind::ALL.iter().map(|kind| format!("{}/+/{kind}", self.config.root))
    }

    async fn listen(&mut self) -> Ending {
        let ingest = self.ingest.clone();
        let mut pings = interval(self.config.keep_alive / 2);
        let mut held = false;
        loop {
            let room = self.intake.has_room();
            if room && held {
                // Its answer may lie unread behind the messages that we could not take.
                self.eventloop.state.await_pingresp = false;
            }
            held = !room;
            if let Err(ending) = self.write([]).await {
                return ending;
            }
            let suback_due = self.suback_due;
            let may_command = self.in_flight < COMMANDS_IN_FLIGHT;
            let done = tokio::select! {
                biased;
                _ = &mut self.stop => Err(Ending::Stopped),
                Some(settled) = self.settled.recv() => self.acknowledge(settled).await,
                Some(command) = next_command(&mut self.returned, &mut self.commands), if may_command => {
                    self.command(command)
                }
                event = self.eventloop.poll(), if room => self.hear(event),
                permit = ingest.reserve(), if !self.intake.is_empty() => hand_on(permit, &mut self.intake),
                () = until(suback_due), if room => {
                    Err(Ending::Lost(format!("the MQTT broker at {} does not answer our subscription", self.config.address())))
                }
                _ = pings.tick(), if !room => self.write([Packet::PingReq]).await,
            };
            if let Err(ending) = done {
                return ending;
            }
        }
    }

    /// One event of rumqttc, and those that it read along with it.
    fn hear(&mut self, event: Result<Event, ConnectionError>) -> Result<(), Ending> {
        let mut event = event.map_err(|e| Ending::Lost(explain(&e, &self.config)))?;
        loop {
            match event {
                Event::Incoming(Packet::Publish(publish)) => {
                    if let Some(due) = &mut self.suback_due {
                        *due = Instant::now() + SUBSCRIBE_PATIENCE;
                    }
                    self.intake.take(publish);
                }
                Event::Incoming(Packet::SubAck(suback)) => self.subscribed(&suback)?,
                Event::Incoming(Packet::PubAck(_)) => self.in_flight = self.in_flight.saturating_sub(1),
                Event::Incoming(_) | Event::Outgoing(_) => {}
            }
            match self.eventloop.state.events.pop_front() {
                Some(next) => event = next,
                None => return Ok(()),
            }
        }
    }

    fn subscribed(&mut self, suback: &SubAck) -> Result<(), Ending> {
        let granted = |code: Option<&SubscribeReasonCode>| matches!(code, Some(SubscribeReasonCode::Success(_)));
        let mut codes = suback.return_codes.iter();
        let refused: Vec<String> = self.filters().filter(|_| !granted(codes.next())).collect();
        if !refused.is_empty() {
            return Err(Ending::Refused(format!(
                "the MQTT broker at {} refused the subscription to {}; allow our user to read {}/#",
                self.config.address(),
                refused.join(", "),
                self.config.root
            )));
        }
        if suback.return_codes.contains(&SubscribeReasonCode::Success(QoS::AtMostOnce)) {
            tracing::warn!("the MQTT broker grants only QoS 0: a message can get lost on its way; allow QoS 1");
        }
        self.suback_due = None;
        self.heard_since = Some(Instant::now());
        self.told.send_replace(State { hearing: true, trouble: None });
        tracing::info!("hearing the MQTT broker at {}", self.config.address());
        self.say(Hearing::Up);
        Ok(())
    }

    fn say(&mut self, hearing: Hearing) {
        if self.said != Some(hearing) {
            self.said = Some(hearing);
            self.intake.say(hearing);
        }
    }

    fn command(&mut self, command: Command) -> Result<(), Ending> {
        let Command { topic, payload } = command;
        match self.client.try_publish(&topic, QoS::AtLeastOnce, false, payload.clone()) {
            Ok(()) => {
                self.in_flight += 1;
                Ok(())
            }
            Err(e) => {
                // The channel has four times the room that commands can take: rumqttc has stopped reading it.
                self.returned.push_front(Command { topic, payload });
                Err(Ending::Lost(format!("cannot send to the MQTT broker: {e}")))
            }
        }
    }

    /// Writes the acks of every chunk that is settled by now, in one go.
    async fn acknowledge(&mut self, first: Settled) -> Result<(), Ending> {
        let mut acks = Vec::new();
        let mut next = Some(first);
        while let Some(settled) = next {
            if settled.epoch != self.epoch {
                tracing::debug!(acks = settled.acks.len(), "acks of a former connection: the broker sends these again");
            } else if settled.committed {
                acks.extend(settled.acks);
            } else {
                return Err(Ending::Lost(
                    "messages were dropped before they were stored: asking for them again".to_owned(),
                ));
            }
            next = self.settled.try_recv().ok();
        }
        self.write(acks.into_iter().map(packet)).await
    }

    /// Written and flushed, or the connection is given up.
    async fn write(&mut self, packets: impl IntoIterator<Item = Packet>) -> Result<(), Ending> {
        let Some(network) = self.eventloop.network.as_mut() else {
            return Err(Ending::Lost("the connection to the MQTT broker is gone".to_owned()));
        };
        let written = timeout(PATIENCE, async {
            for packet in packets {
                network.write(packet).await?;
            }
            network.flush().await
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(Ending::Lost(explain(&ConnectionError::MqttState(e), &self.config))),
            Err(_) => Err(Ending::Lost(explain(&ConnectionError::FlushTimeout, &self.config))),
        }
    }

    /// Puts everything back that belonged to the lost connection, says Down, and tells how long to wait.
    fn mourn(&mut self, why: String, longest: Duration) -> Duration {
        // After an error in the middle of a read, whole messages lie before it.
        for event in self.eventloop.state.events.drain(..) {
            match event {
                Event::Incoming(Packet::Publish(publish)) => self.intake.take(publish),
                Event::Incoming(Packet::PubRel(release)) => self.released.push(release.pkid),
                Event::Incoming(_) | Event::Outgoing(_) => {}
            }
        }
        self.epoch += 1;
        self.intake.forget_acks(self.epoch);
        self.eventloop.clean();
        // Not left to rumqttc: it would send QoS 2 answers of the old connection on the new one, and forget the commands
        // if the broker had lost the session.
        let collided = self.eventloop.state.collision.take();
        let requests = self.eventloop.pending.drain(..).filter_map(|request| match request {
            Request::Publish(publish) => Some(publish),
            _ => None,
        });
        let again = |Publish { topic, payload, .. }| Command { topic, payload };
        let back: Vec<Command> = requests.chain(collided).map(again).collect();
        for command in back.into_iter().rev() {
            self.returned.push_front(command);
        }
        self.in_flight = 0;
        self.suback_due = None;

        if self.heard_since.take().is_some_and(|since| since.elapsed() >= STEADY) {
            self.retry = RETRY_FIRST;
        }
        let wait = self.retry.min(longest);
        self.retry = (wait * 2).min(longest);

        let known = self.told.borrow().trouble.as_ref() == Some(&why);
        if known {
            tracing::debug!("still deaf: {why}");
        } else {
            tracing::warn!("not hearing the units: {why}");
        }
        self.told.send_replace(State { hearing: false, trouble: Some(why) });
        self.say(Hearing::Down);
        wait
    }

    async fn pause(&mut self, wait: Duration) -> Result<(), Stopped> {
        let over = Instant::now() + wait;
        loop {
            tokio::select! {
                biased;
                _ = &mut self.stop => return Err(Stopped),
                permit = self.ingest.reserve(), if !self.intake.is_empty() => {
                    hand_on(permit, &mut self.intake).map_err(|_| Stopped)?;
                }
                () = sleep_until(over) => return Ok(()),
            }
        }
    }

    /// Keeps the promises that are due, then closes as a client should. What is not committed stays with the broker.
    async fn farewell(mut self) {
        self.told.send_replace(State::default());
        let mut packets = Vec::new();
        while let Ok(settled) = self.settled.try_recv() {
            if settled.epoch == self.epoch && settled.committed {
                packets.extend(settled.acks.into_iter().map(packet));
            }
        }
        packets.push(Packet::Disconnect);
        if self.eventloop.network.is_some() {
            let goodbye = async {
                if self.write(packets).await.is_ok() {
                    // Until the broker has hung up: a socket closed over bytes that nobody read takes with it what the
                    // broker has not read yet, our last acks among it.
                    while self.eventloop.poll().await.is_ok() {}
                }
            };
            // Whatever fails now, the broker sends again what it holds unacknowledged.
            let _ = timeout(FAREWELL, goodbye).await;
        }
    }
}

/// We were told to stop, or nobody takes what we hear.
struct Stopped;

impl From<Stopped> for Ending {
    fn from(_: Stopped) -> Ending {
        Ending::Stopped
    }
}

type Room<'a> = Result<mpsc::Permit<'a, Ingest>, mpsc::error::SendError<()>>;

fn hand_on(room: Room<'_>, intake: &mut Intake) -> Result<(), Ending> {
    let permit = room.map_err(|_| Stopped)?;
    if let Some(ingest) = intake.next() {
        permit.send(ingest);
    }
    Ok(())
}

/// Those that came back first. None: nobody can send commands any more.
async fn next_command(returned: &mut VecDeque<Command>, commands: &mut mpsc::Receiver<Command>) -> Option<Command> {
    match returned.pop_front() {
        Some(command) => Some(command),
        None => commands.recv().await,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

fn packet(ack: Ack) -> Packet {
    match ack {
        Ack::Puback(pkid) => Packet::PubAck(PubAck::new(pkid)),
        Ack::Pubrec(pkid) => Packet::PubRec(PubRec::new(pkid)),
    }
}
