//! A day of a simulated fleet, and units that send it late: out of their own buffers, as after a long loss of the link. So a
//! whole day of messages goes through the running service in a minute, each at its own time.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use buttonwatch::app::simulate::{Cadence, Scenario, World};
use buttonwatch::domain::{Fleet, Timestamp};
use bytes::BytesMut;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Connect, Packet, Publish};
use serde_json::Value;

/// What one unit said, in its own order.
pub type Said = Vec<(String, Value)>;

/// The newest number of the present boot: what is said live comes after all of the day.
const LIVE_SEQ: u64 = 4_000_000_000;

/// Everything that a broker would have heard of the fleet until `until`, without repetitions and last wills.
pub fn day(fleet: &Fleet, until: Timestamp, lasts: Duration, heartbeat: Duration) -> BTreeMap<String, Said> {
    let cadence = Cadence { heartbeat: Some(heartbeat), power: heartbeat * 2, selftest: Some(lasts / 4) };
    let scenario = Scenario { cadence, ..Scenario::default() };
    let mut world = World::new(fleet, &scenario, 7, until - lasts);
    let mut recording = Vec::new();
    buttonwatch::app::simulate::write_recording(&mut world, "buttonwatch/v1", until, &mut recording).expect("memory");
    let mut units: BTreeMap<String, Said> = BTreeMap::new();
    let mut heard = BTreeSet::new();
    for line in recording.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
        let line: Value = serde_json::from_slice(line).expect("a recording");
        let payload = &line["payload"];
        let (Some(boot), Some(seq)) = (payload["boot"].as_u64(), payload["seq"].as_u64()) else { continue };
        let topic = line["topic"].as_str().expect("a topic");
        let unit = topic.split('/').nth(2).expect("root/v1/unit/kind").to_owned();
        if heard.insert((unit.clone(), boot, seq)) {
            units.entry(unit).or_default().push((topic.to_owned(), payload.clone()));
        }
    }
    units
}

/// Sends one heartbeat of now, so that the service knows the unit's clock, and then `said`. Returns when all is
/// acknowledged. While the service is away it waits, and sends again what was not acknowledged.
pub fn send(broker: SocketAddr, unit: &str, said: &[(String, Value)], mut each: impl FnMut(usize)) {
    let boot = said.iter().filter_map(|(_, p)| p["boot"].as_u64()).max().unwrap_or(1);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
    let live = format!(r#"{{"ts":{now},"boot":{boot},"seq":{LIVE_SEQ}}}"#);
    let mut messages = vec![(format!("buttonwatch/v1/{unit}/heartbeat"), live)];
    messages.extend(said.iter().map(|(topic, payload)| (topic.clone(), payload.to_string())));
    let mut sender = Sender { broker, unit, messages, sent: 0, unacked: BTreeMap::new(), acked: 0 };
    let began = Instant::now();
    while let Err(e) = sender.connection(&mut each) {
        assert!(began.elapsed() < Duration::from_secs(300), "{unit} cannot send: {e}");
        std::thread::park_timeout(Duration::from_millis(30));
    }
}

struct Sender<'a> {
    broker: SocketAddr,
    unit: &'a str,
    messages: Vec<(String, String)>,
    sent: usize,
    unacked: BTreeMap<u16, usize>,
    acked: usize,
}

impl Sender<'_> {
    const WINDOW: usize = 200;

    fn connection(&mut self, each: &mut impl FnMut(usize)) -> std::io::Result<()> {
        let mut socket = TcpStream::connect(self.broker)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut connect = Connect::new(self.unit.to_owned());
        connect.keep_alive = 60;
        let mut out = BytesMut::new();
        connect.write(&mut out).expect("a small packet");
        // All that was not acknowledged comes again.
        for (pkid, n) in &self.unacked {
            self.publish(*pkid, *n, &mut out);
        }
        socket.write_all(&out)?;
        let (mut input, mut chunk) = (BytesMut::new(), [0u8; 16_384]);
        loop {
            let mut out = BytesMut::new();
            // The first one by itself: the others are late compared with it.
            let window = if self.acked == 0 { 1 } else { Self::WINDOW };
            while self.unacked.len() < window && self.sent < self.messages.len() {
                let pkid = (self.sent % 60_000) as u16 + 1;
                self.publish(pkid, self.sent, &mut out);
                self.unacked.insert(pkid, self.sent);
                self.sent += 1;
            }
            socket.write_all(&out)?;
            if self.acked == self.messages.len() {
                return Ok(());
            }
            match socket.read(&mut chunk)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                n => input.extend_from_slice(&chunk[..n]),
            }
            while let Ok(packet) = Packet::read(&mut input, 65_536) {
                if let Packet::PubAck(ack) = packet
                    && self.unacked.remove(&ack.pkid).is_some()
                {
                    self.acked += 1;
                    each(self.acked);
                }
            }
        }
    }

    fn publish(&self, pkid: u16, n: usize, out: &mut BytesMut) {
        let (topic, payload) = &self.messages[n];
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload.as_str());
        publish.pkid = pkid;
        publish.write(out).expect("a small packet");
    }
}
