//! One connection, from its first byte to its last.
//!
//! ```text
//! TLS handshake ─▶ CONNECT ─▶ judged ─▶ takes its client's place ─▶ CONNACK ─▶ serving ─▶ last will ─▶ gone
//! └──── one deadline ────┘
//! ```
//! While serving, two loops share the task: one reads, one writes. Reading stops, and with it the keep-alive clock, while the
//! daemon is behind: the unit's bytes wait in its own socket, and nothing is dropped.
//!
//! Design constraints
//! - What one read gave is one [`Chunk`]. Acknowledgements go through [`Link`], so they leave in order and after the commit.
//! - An idle connection keeps no buffer: bytes are read into the stack first, and then into memory of their size.
//! - However the task ends, a panic included, its place in the register is given back.
//!
//! Never decides what a message means.

use std::collections::HashSet;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout, timeout_at};
use tokio_rustls::server::TlsStream;
use tracing::debug;

use crate::domain::UnitId;
use crate::wire::ingest::{Chunk, Ingest, NoAck, Publish};
use crate::wire::refusal::{Refusal, RefusalKind};

use super::admission::{Admitted, Denied};
use super::link::{HangUp, Link, ToWrite};
use super::packet::{
    ConnectReturnCode, Fault, Hello, Incoming, Published, QoS, SubscribeReasonCode, Will, answer, check_greeting,
    find_frame, parse_connect, parse_packet, topic_of_beginning,
};
use super::register::ClientKey;
use super::topics::{CommandFilter, Verdict};
use super::{Seat, Shared};

/// About 80 heartbeats: enough that a busy connection pays for a channel send once in many messages.
const READ_BYTES: usize = 16 * 1024;

/// A unit that takes none of our bytes for so long has lost its link, whatever TCP still hopes.
const WRITE_STALL: Duration = Duration::from_secs(60);

/// For reading what a unit had sent before it stopped taking our answers: it is in our socket already.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// QoS 2 packets received but not released. Clients keep 10 to 20 in flight; one that never releases any is broken.
const UNRELEASED_MAX: usize = 4096;

pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Why a connection that was let in has ended.
enum Ending {
    Disconnect,
    /// End of stream, a reset, or a TLS error.
    Lost,
    Silent {
        keep_alive: Duration,
    },
    Broken(Box<Refusal>),
    WriteStalled,
    HungUp(HangUp),
    Drained,
    /// No one takes messages any more.
    DaemonGone,
}

impl Ending {
    /// A last will says that the *unit* was lost. When we end the connection for reasons of our own it would lie: a restart of
    /// the service must not report every unit as gone.
    fn speaks_will(&self) -> bool {
        match self {
            Ending::Lost | Ending::Silent { .. } | Ending::Broken(_) | Ending::WriteStalled => true,
            Ending::HungUp(HangUp::TakenOver) => true,
            Ending::HungUp(HangUp::Revoked | HangUp::Uncommitted | HangUp::Stopping | HangUp::Closing) => false,
            Ending::Disconnect | Ending::Drained | Ending::DaemonGone => false,
        }
    }
}

pub(super) async fn run(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr, _seat: Seat) {
    // Boxed apart: what the beginning needs shall not stay with ten thousand idle connections.
    let Some((session, socket, buffer)) = Box::pin(begin(&shared, stream, peer)).await else { return };
    session.serve(socket, buffer).await;
}

/// None: refused, and reported.
async fn begin(shared: &Arc<Shared>, stream: TcpStream, peer: SocketAddr) -> Option<(Session, Socket, BytesMut)> {
    let mut stopping = shared.stopping.subscribe();
    tokio::select! {
        begun = begin_unless_stopped(shared, stream, peer) => begun,
        _ = stopping.wait_for(|stopping| *stopping) => None,
    }
}

async fn begin_unless_stopped(
    shared: &Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
) -> Option<(Session, Socket, BytesMut)> {
    let mut buffer = BytesMut::new();
    let greeted = timeout_at(Instant::now() + shared.connect_timeout, greet(shared, stream, &mut buffer)).await;
    let refused = |fault: Fault, example: &[u8]| {
        let why = format!("{} (from {peer})", fault.why);
        Refusal::new(fault.kind, "", why).example(example)
    };
    let (hello, mut socket) = match greeted {
        Ok(Ok(greeted)) => greeted,
        Ok(Err(Ungreeted::Lost)) => return None,
        Ok(Err(Ungreeted::Broken(fault, socket))) => {
            // Nothing but a CONNECT that could be read gets an answer in MQTT 3.1.1.
            if fault.kind == RefusalKind::UnsupportedVersion
                && let Some(mut socket) = socket
            {
                part(&mut socket, &answer::connack(ConnectReturnCode::RefusedProtocolVersion)).await;
            }
            shared.report(refused(fault, &buffer)).await;
            return None;
        }
        Err(_elapsed) => {
            let why = format!("no whole CONNECT within {:?}", shared.connect_timeout);
            shared.report(refused(Fault { kind: RefusalKind::ConnectTimeout, why }, &buffer)).await;
            return None;
        }
    };
    let admitted = match shared.admission.judge(hello).await {
        Ok(admitted) => admitted,
        Err(Denied { code, fault, unit, topic }) => {
            part(&mut socket, &answer::connack(code)).await;
            let mut refusal = Refusal::new(fault.kind, &topic, format!("{} (from {peer})", fault.why));
            refusal.unit = unit;
            shared.report(refusal).await;
            return None;
        }
    };
    let session = Session::enroll(shared, admitted).await?;
    let connack = answer::connack(ConnectReturnCode::Success);
    let sent = timeout(WRITE_STALL, async {
        socket.write_all(&connack).await?;
        socket.flush().await
    });
    match sent.await {
        Ok(Ok(())) => {}
        Ok(Err(_)) | Err(_) => return None,
    }
    shared.stats.connects_total.add(1);
    Some((session, socket, buffer))
}

enum Ungreeted {
    Lost,
    /// With the socket, if an answer may be written to it.
    Broken(Fault, Option<Box<Socket>>),
}

async fn greet(shared: &Shared, stream: TcpStream, buffer: &mut BytesMut) -> Result<(Hello, Socket), Ungreeted> {
    let mut socket = match &shared.tls {
        None => Socket::Plain(stream),
        Some(acceptor) => match acceptor.accept(stream).await {
            Ok(stream) => Socket::Tls(Box::new(stream)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let why = format!("TLS handshake failed: {error}; the unit must use TLS and trust this certificate");
                return Err(Ungreeted::Broken(Fault::malformed(why), None));
            }
            Err(_) => return Err(Ungreeted::Lost),
        },
    };
    loop {
        match poll_fn(|cx| poll_read_into(Pin::new(&mut socket), cx, buffer)).await {
            Ok(0) | Err(_) => return Err(Ungreeted::Lost),
            Ok(read) => shared.stats.bytes_in_total.add(read as u64),
        }
        let frame = check_greeting(buffer).and_then(|()| find_frame(buffer, shared.max_packet));
        let hello = match frame {
            Ok(None) => continue,
            Ok(Some(frame)) => parse_connect(frame, buffer.split_to(frame.len()).freeze()),
            Err(fault) => Err(fault),
        };
        return match hello {
            Ok(hello) => Ok((hello, socket)),
            Err(fault) => Err(Ungreeted::Broken(fault, Some(Box::new(socket)))),
        };
    }
}

/// A last answer to someone who is not let in. Whether it arrives is no concern of ours.
async fn part(socket: &mut Socket, bytes: &[u8]) {
    let farewell = async {
        socket.write_all(bytes).await?;
        socket.shutdown().await
    };
    if let Ok(Err(error)) = timeout(Duration::from_secs(1), farewell).await {
        debug!(%error, "the refused connection took no answer");
    }
}

/// A connection that was let in.
struct Session {
    shared: Arc<Shared>,
    link: Arc<Link>,
    client: ClientKey,
    /// None: open mode, and nothing has named the unit yet.
    unit: Option<UnitId>,
    will: Option<Will>,
    keep_alive: Option<Duration>,
    unreleased: HashSet<u16>,
    subscriptions: [Option<QoS>; CommandFilter::COUNT],
}

/// What the packets of one read come to.
#[derive(Default)]
struct Batch {
    publishes: Vec<Publish>,
    /// For every PUBLISH of the batch, refused ones included, in order.
    acks: Vec<u8>,
    messages: usize,
    answers: Vec<u8>,
    refusals: Vec<Refusal>,
    ending: Option<Ending>,
    /// Whole packets are left in the buffer: there was no room for them.
    more: bool,
}

impl Session {
    /// None: stopped, or passwords changed meanwhile.
    async fn enroll(shared: &Arc<Shared>, admitted: Admitted) -> Option<Session> {
        let link = Arc::new(Link::default());
        let previous = shared.register.enroll(&admitted.client, &link).ok()?;
        let session = Session {
            shared: Arc::clone(shared),
            link,
            client: admitted.client,
            unit: admitted.unit,
            will: admitted.will,
            // MQTT-3.1.2-24: one and a half times.
            keep_alive: match admitted.keep_alive_s {
                0 => None,
                seconds => Some(Duration::from_millis(u64::from(seconds) * 1500)),
            },
            unreleased: HashSet::new(),
            subscriptions: [None; CommandFilter::COUNT],
        };
        if let Some(unit) = &session.unit {
            shared.register.bind(unit, &session.link);
        }
        if let Some(previous) = previous {
            shared.stats.takeovers_total.add(1);
            // Its last will must come before anything the new connection says.
            previous.gone().await;
        }
        // Passwords may have changed after they were judged and before the register could be asked to hang up.
        (shared.admission.generation() == admitted.generation && !session.link.is_hung_up()).then_some(session)
    }

    async fn serve(mut self, socket: Socket, mut buffer: BytesMut) {
        let (mut read_half, mut write_half) = tokio::io::split(socket);
        let link = Arc::clone(&self.link);
        let shared = Arc::clone(&self.shared);
        let ending = {
            let mut write = pin!(write(&mut write_half, &link, &shared));
            let ending = {
                let mut read = pin!(self.read(&mut read_half, &mut buffer));
                tokio::select! {
                    ending = &mut read => ending,
                    // It takes no more answers, but may have said DISCONNECT before.
                    ending = &mut write => timeout(LAST_WORDS, read).await.unwrap_or(ending),
                    why = link.hung_up() => Ending::HungUp(why),
                }
            };
            match ending {
                // Only reading has ended: what is on its way to the commit still gets its acknowledgement.
                Ending::HungUp(HangUp::Stopping) => tokio::select! {
                    ending = &mut write => ending,
                    why = link.hung_up() => Ending::HungUp(why),
                },
                other => other,
            }
        };
        self.end(ending).await;
        // Gone for everyone before the socket is closed in all politeness.
        drop(self);
        let _ = timeout(Duration::from_secs(1), write_half.shutdown()).await;
    }

    async fn end(&mut self, ending: Ending) {
        let speaks_will = ending.speaks_will();
        match ending {
            Ending::Broken(refusal) => self.shared.report(*refusal).await,
            Ending::Silent { keep_alive } => {
                let why = format!("nothing heard for {keep_alive:?}, one and a half keep-alive intervals");
                let refusal = self.refusal(Fault { kind: RefusalKind::KeepAliveTimeout, why }, "", &[]);
                self.shared.report(refusal).await;
            }
            Ending::Disconnect
            | Ending::Lost
            | Ending::WriteStalled
            | Ending::HungUp(_)
            | Ending::Drained
            | Ending::DaemonGone => {}
        }
        if let Some(will) = self.will.take()
            && speaks_will
        {
            // It is said now, and no one waits for its acknowledgement.
            let publish =
                Publish { sender: self.unit.clone(), topic: will.topic, payload: will.payload, retained: false };
            self.shared.stats.wills_total.add(1);
            let chunk = Chunk { read_at: Instant::now().into_std(), publishes: vec![publish], ack: Box::new(NoAck) };
            if self.shared.ingest.send(Ingest::Publishes(chunk)).await.is_err() {
                debug!("a last will found no one to hear it");
            }
        }
    }

    // ---- reading

    async fn read(&mut self, half: &mut ReadHalf<Socket>, buffer: &mut BytesMut) -> Ending {
        let mut timer = pin!(sleep_until(Instant::now() + self.keep_alive.unwrap_or_default()));
        loop {
            loop {
                let room = self.link.room(self.shared.max_unacked).await;
                let mut batch = self.take_packets(buffer, room);
                let (ending, more) = (batch.ending.take(), batch.more);
                if let Err(gone) = self.pass_on(batch).await {
                    return gone;
                }
                if let Some(ending) = ending {
                    return ending;
                }
                if !more {
                    break;
                }
            }
            if buffer.is_empty() {
                *buffer = BytesMut::new();
            }
            match hear(half, buffer, self.keep_alive, timer.as_mut()).await {
                Ok(read) => self.shared.stats.bytes_in_total.add(read as u64),
                Err(ending) => return ending,
            }
        }
    }

    /// To the daemon, waiting while it is behind. Err: it is gone.
    async fn pass_on(&mut self, batch: Batch) -> Result<(), Ending> {
        // First, for a client may count the seconds to its PINGRESP while we wait below.
        self.link.answer(&batch.answers);
        if batch.messages > 0 {
            self.shared.stats.messages_total.add(batch.messages as u64);
            let ack = self.link.begin_chunk(batch.messages, batch.acks);
            if batch.publishes.is_empty() {
                ack.release_now();
            } else {
                let chunk =
                    Chunk { read_at: Instant::now().into_std(), publishes: batch.publishes, ack: Box::new(ack) };
                self.shared.ingest.send(Ingest::Publishes(chunk)).await.map_err(|_| Ending::DaemonGone)?;
            }
        }
        for refusal in batch.refusals {
            self.shared.report(refusal).await;
        }
        Ok(())
    }

    /// Takes the whole packets off the buffer, at most `room` messages among them.
    fn take_packets(&mut self, buffer: &mut BytesMut, room: usize) -> Batch {
        let mut batch = Batch::default();
        // All their bytes become one shared block: a message then costs no copy and no allocation of its own.
        let mut whole = 0;
        let mut publishes = 0;
        let fault = loop {
            match find_frame(&buffer[whole..], self.shared.max_packet) {
                Ok(Some(frame)) if frame.is_publish() && publishes == room => {
                    batch.more = true;
                    break None;
                }
                Ok(Some(frame)) => {
                    publishes += usize::from(frame.is_publish());
                    whole += frame.len();
                }
                Ok(None) => break None,
                Err(fault) => break Some(fault),
            }
        };
        batch.publishes.reserve_exact(publishes);
        let block = buffer.split_to(whole).freeze();
        let mut at = 0;
        while batch.ending.is_none()
            && let Ok(Some(frame)) = find_frame(&block[at..], self.shared.max_packet)
        {
            match parse_packet(frame, block.slice(at..at + frame.len())) {
                Ok(packet) => self.take_packet(packet, &mut batch),
                Err(fault) => batch.ending = Some(self.broken_packet(fault, &block[at..])),
            }
            at += frame.len();
        }
        if let Some(fault) = fault
            && batch.ending.is_none()
        {
            batch.ending = Some(self.broken_packet(fault, buffer));
        }
        batch
    }

    fn take_packet(&mut self, packet: Incoming, batch: &mut Batch) {
        match packet {
            Incoming::Publish(publish) => self.take_publish(publish, batch),
            Incoming::Release(pkid) => {
                self.unreleased.remove(&pkid);
                // Also for one that we do not know: the unit may mean an earlier connection.
                batch.answers.extend_from_slice(&answer::pubcomp(pkid));
            }
            Incoming::Taken(pkid) => {
                if !self.link.command_taken(pkid) {
                    debug!(unit = ?self.unit, pkid, "PUBACK for a command that was not sent on this connection");
                }
            }
            Incoming::Subscribe { pkid, filters } => {
                let codes = filters.into_iter().map(|(filter, qos)| self.subscribe(&filter, qos, batch)).collect();
                answer::suback(pkid, codes, &mut batch.answers);
                self.tell_subscription();
            }
            Incoming::Unsubscribe { pkid, filters } => {
                for filter in filters {
                    if let Ok((_, filter)) = self.shared.topics.judge_filter(self.unit.as_ref(), &filter) {
                        self.subscriptions[filter.index()] = None;
                    }
                }
                batch.answers.extend_from_slice(&answer::unsuback(pkid));
                self.tell_subscription();
            }
            Incoming::Ping => batch.answers.extend_from_slice(&answer::PINGRESP),
            Incoming::Disconnect => batch.ending = Some(Ending::Disconnect),
        }
    }

    fn take_publish(&mut self, publish: Published, batch: &mut Batch) {
        let Published { topic, payload, qos, pkid } = publish;
        let refused = match self.shared.topics.judge_publish(self.unit.as_ref(), &topic) {
            Verdict::Own => None,
            Verdict::Binds(unit) => {
                self.bind(unit);
                None
            }
            Verdict::Refused(fault) => Some(fault),
            Verdict::Broken(fault) => {
                batch.ending = Some(self.broken(fault, &topic, &payload));
                return;
            }
        };
        batch.messages += 1;
        match qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => batch.acks.extend_from_slice(&answer::puback(pkid)),
            QoS::ExactlyOnce => {
                batch.acks.extend_from_slice(&answer::pubrec(pkid));
                if !self.unreleased.insert(pkid) {
                    // Sent again before it was released: it is on its way already.
                    return;
                }
                if self.unreleased.len() > UNRELEASED_MAX {
                    let fault = Fault::malformed(format!("more than {UNRELEASED_MAX} QoS 2 messages not released"));
                    batch.ending = Some(self.broken(fault, &topic, &payload));
                    return;
                }
            }
        }
        match refused {
            Some(fault) => batch.refusals.push(self.refusal(fault, &topic, &payload)),
            // The retain flag says nothing here: it is sent live, and no one but us subscribes to a unit's topic.
            None => {
                batch.publishes.push(Publish { sender: self.unit.clone(), topic, payload, retained: false });
            }
        }
    }

    fn subscribe(&mut self, filter: &str, qos: QoS, batch: &mut Batch) -> SubscribeReasonCode {
        match self.shared.topics.judge_filter(self.unit.as_ref(), filter) {
            Ok((unit, filter)) => {
                if self.unit.is_none() {
                    self.bind(unit);
                }
                self.subscriptions[filter.index()] = Some(qos);
                SubscribeReasonCode::Success(qos)
            }
            Err(fault) => {
                batch.refusals.push(self.refusal(fault, filter, &[]));
                SubscribeReasonCode::Failure
            }
        }
    }

    fn tell_subscription(&self) {
        if let Some(unit) = &self.unit {
            let best = self.subscriptions.iter().flatten().copied().max_by_key(|qos| *qos as u8);
            self.shared.register.subscribed(unit, &self.link, best);
        }
    }

    fn bind(&mut self, unit: UnitId) {
        self.shared.register.bind(&unit, &self.link);
        self.unit = Some(unit);
    }

    fn refusal(&self, fault: Fault, topic: &str, example: &[u8]) -> Refusal {
        let refusal = Refusal::new(fault.kind, topic, fault.why).example(example);
        match &self.unit {
            Some(unit) => refusal.from_unit(unit.as_str()),
            None => refusal,
        }
    }

    fn broken_packet(&self, fault: Fault, packet: &[u8]) -> Ending {
        self.broken(fault, topic_of_beginning(packet).unwrap_or_default(), packet)
    }

    fn broken(&self, fault: Fault, topic: &str, example: &[u8]) -> Ending {
        Ending::Broken(Box::new(self.refusal(fault, topic, example)))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shared.register.leave(&self.client, self.unit.as_ref(), &self.link);
        self.link.mark_gone();
    }
}

/// Waits for bytes. The clock starts now: what we did not read while the daemon was behind is not the unit's silence.
async fn hear(
    half: &mut ReadHalf<Socket>,
    buffer: &mut BytesMut,
    keep_alive: Option<Duration>,
    mut timer: Pin<&mut Sleep>,
) -> Result<usize, Ending> {
    let deadline = keep_alive.map(|keep_alive| (keep_alive, Instant::now() + keep_alive));
    loop {
        tokio::select! {
            biased;
            read = poll_fn(|cx| poll_read_into(Pin::new(&mut *half), cx, buffer)) => {
                return match read {
                    Ok(0) | Err(_) => Err(Ending::Lost),
                    Ok(read) => Ok(read),
                };
            }
            // The timer is set anew only when it has run out: most reads leave it alone.
            () = timer.as_mut(), if deadline.is_some() => {
                if let Some((keep_alive, deadline)) = deadline {
                    if Instant::now() >= deadline {
                        return Err(Ending::Silent { keep_alive });
                    }
                    timer.as_mut().reset(deadline);
                }
            }
        }
    }
}

/// Reads into the stack, then into the buffer: a connection that waits for bytes holds no memory for them.
fn poll_read_into<R: AsyncRead>(
    reader: Pin<&mut R>,
    cx: &mut Context<'_>,
    buffer: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    let mut scratch = [const { MaybeUninit::<u8>::uninit() }; READ_BYTES];
    let mut read = ReadBuf::uninit(&mut scratch);
    ready!(reader.poll_read(cx, &mut read))?;
    buffer.extend_from_slice(read.filled());
    Poll::Ready(Ok(read.filled().len()))
}

// ---- writing

async fn write(half: &mut WriteHalf<Socket>, link: &Link, shared: &Shared) -> Ending {
    let mut buffer = Vec::new();
    loop {
        match link.take_outgoing(&mut buffer) {
            ToWrite::Bytes => {
                let mut rest = buffer.as_slice();
                while !rest.is_empty() {
                    // Each step must get somewhere in time; a thin link may need many.
                    match timeout(WRITE_STALL, half.write(rest)).await {
                        Ok(Ok(0)) | Ok(Err(_)) => return Ending::Lost,
                        Ok(Ok(written)) => rest = &rest[written..],
                        Err(_elapsed) => return Ending::WriteStalled,
                    }
                }
                match timeout(WRITE_STALL, half.flush()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return Ending::Lost,
                    Err(_elapsed) => return Ending::WriteStalled,
                }
                shared.stats.bytes_out_total.add(buffer.len() as u64);
                buffer.clear();
            }
            ToWrite::Nothing => link.more_to_write().await,
            ToWrite::Drained => return Ending::Drained,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Socket::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
