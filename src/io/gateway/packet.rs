//! Bytes of one connection → packets, and our answers → bytes, by rumqttc's codec. The only file of the gateway that knows
//! the layout of MQTT packets, and so the only one that version 5 has to change: what leaves here names no version.
//!
//! Design constraints
//! - The codec is trusted with whole frames only: the fixed header, the length cap, the reserved flags and the lengths of
//!   fixed-size packets are checked here first. What it would not catch (a version 5 CONNECT read with version 4's layout, a
//!   null character, packet id 0, an empty UNSUBSCRIBE) is caught here as well.
//! - Hostile bytes give a [`Fault`], never a panic: a property test throws random and damaged packets at it.
//! - No copy: payloads are slices of the read buffer.
//!
//! Never reads a socket, never decides who may do what.

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4;
use rumqttc::mqttbytes::{Error, FixedHeader};

pub use rumqttc::mqttbytes::QoS;
pub use rumqttc::mqttbytes::v4::{ConnectReturnCode, SubscribeReasonCode};

use crate::wire::refusal::RefusalKind;

/// A packet that breaks the protocol. The connection ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub kind: RefusalKind,
    pub why: String,
}

impl Fault {
    pub fn malformed(why: impl Into<String>) -> Self {
        Fault { kind: RefusalKind::MalformedPacket, why: why.into() }
    }
}

/// Where one packet lies in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    pub first_byte: u8,
    /// Type byte and length field: 2 to 5.
    pub header_len: usize,
    pub remaining: usize,
}

impl Frame {
    pub fn len(&self) -> usize {
        self.header_len + self.remaining
    }
    pub fn is_publish(&self) -> bool {
        self.kind() == PUBLISH
    }
    fn kind(&self) -> u8 {
        self.first_byte >> 4
    }
}

const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;

/// What may follow a CONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    Publish(Published),
    /// PUBREL: the unit will not send this QoS 2 packet again.
    Release(u16),
    /// PUBACK: the unit has our command.
    Taken(u16),
    Subscribe {
        pkid: u16,
        filters: Vec<(String, QoS)>,
    },
    Unsubscribe {
        pkid: u16,
        filters: Vec<String>,
    },
    Ping,
    Disconnect,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub topic: String,
    pub payload: Bytes,
    pub qos: QoS,
    /// 0 for QoS 0.
    pub pkid: u16,
}

/// A CONNECT, before anyone judged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    pub client_id: String,
    pub clean_session: bool,
    /// Seconds; 0: the unit wants no keep-alive.
    pub keep_alive_s: u16,
    pub username: Option<String>,
    pub password: Option<String>,
    pub will: Option<Will>,
}

/// What a unit asked to be said when it is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    pub topic: String,
    pub payload: Bytes,
}

/// The next packet of the buffer. None: more bytes are needed before that can be said. Known from the header alone, so an
/// oversized packet is refused before it is read.
pub fn find_frame(buffer: &[u8], max_packet: usize) -> Result<Option<Frame>, Fault> {
    let Some(&first_byte) = buffer.first() else { return Ok(None) };
    if matches!(first_byte >> 4, 0 | 15) {
        return Err(Fault::malformed(format!("no MQTT 3.1.1 packet begins with byte 0x{first_byte:02x}")));
    }
    let mut remaining = 0usize;
    for position in 0..4 {
        let Some(&byte) = buffer.get(1 + position) else { return Ok(None) };
        remaining |= usize::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            let frame = Frame { first_byte, header_len: 2 + position, remaining };
            return if frame.len() > max_packet {
                Err(Fault {
                    kind: RefusalKind::TooLarge,
                    why: format!("a packet of {} bytes; at most {max_packet} are taken", frame.len()),
                })
            } else if frame.len() <= buffer.len() {
                Ok(Some(frame))
            } else {
                Ok(None)
            };
        }
    }
    Err(Fault::malformed("a length field longer than 4 bytes"))
}

/// Whether these first bytes can become a CONNECT at all; asked before a stranger may fill a buffer.
pub fn check_greeting(buffer: &[u8]) -> Result<(), Fault> {
    match buffer {
        [] => Ok(()),
        [0x10, ..] => Ok(()),
        [0x16, 0x03, ..] | [0x16] => {
            Err(Fault::malformed("a TLS greeting on a listener without TLS; turn TLS off in the unit, or on here"))
        }
        [b'G', ..] | [b'H', ..] => Err(Fault::malformed("this looks like a web browser; this port speaks MQTT 3.1.1")),
        [other, ..] => {
            Err(Fault::malformed(format!("the first packet must be a CONNECT, but it begins with 0x{other:02x}")))
        }
    }
}

/// `bytes` is exactly the frame.
pub fn parse_connect(frame: Frame, bytes: Bytes) -> Result<Hello, Fault> {
    if frame.first_byte != CONNECT << 4 {
        return Err(Fault::malformed("the first packet must be a CONNECT"));
    }
    check_version(&bytes[frame.header_len..])?;
    let connect = v4::Connect::read(codec_header(frame), bytes).map_err(fault_of)?;
    let (username, password) = match connect.login {
        // The codec tells neither an absent from an empty name, nor cares: both say nothing.
        Some(login) => (some_text(login.username), some_text(login.password)),
        None => (None, None),
    };
    let will = connect.last_will.map(|will| Will { topic: will.topic, payload: will.message });
    let texts = [Some(&connect.client_id), username.as_ref(), will.as_ref().map(|w| &w.topic)];
    if texts.into_iter().flatten().any(|text| text.contains('\0')) {
        return Err(Fault::malformed("a CONNECT with a null character in a text"));
    }
    Ok(Hello {
        client_id: connect.client_id,
        clean_session: connect.clean_session,
        keep_alive_s: connect.keep_alive,
        username,
        password,
        will,
    })
}

/// The protocol name and level, looked at before the codec: it reads a version 5 CONNECT with version 4's layout and takes
/// its properties for a client id.
fn check_version(body: &[u8]) -> Result<(), Fault> {
    let name_len = match body {
        [high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])),
        _ => return Err(Fault::malformed("a CONNECT that ends before its protocol name")),
    };
    let (Some(name), Some(&level), Some(&flags)) =
        (body.get(2..2 + name_len), body.get(2 + name_len), body.get(3 + name_len))
    else {
        return Err(Fault::malformed("a CONNECT that ends before its flags"));
    };
    let unsupported = |version: &str| {
        Err(Fault {
            kind: RefusalKind::UnsupportedVersion,
            why: format!("{version}; set the unit to MQTT 3.1.1 (protocol level 4)"),
        })
    };
    match (name, level) {
        (b"MQTT", 4) => {}
        (b"MQTT", 5) => return unsupported("MQTT 5 is not spoken here"),
        (b"MQIsdp", 3) => return unsupported("MQTT 3.1 is not spoken here"),
        (b"MQTT", level) => return unsupported(&format!("protocol level {level} is not spoken here")),
        _ => return Err(Fault::malformed("a CONNECT whose protocol name is not MQTT")),
    }
    if flags & 1 != 0 {
        return Err(Fault::malformed("a CONNECT with its reserved flag set"));
    }
    if flags & 0x40 != 0 && flags & 0x80 == 0 {
        return Err(Fault::malformed("a CONNECT with a password but no user name"));
    }
    Ok(())
}

/// A packet after the CONNECT. `bytes` is exactly the frame.
pub fn parse_packet(frame: Frame, bytes: Bytes) -> Result<Incoming, Fault> {
    let flags = frame.first_byte & 0x0f;
    let plain = |name: &str, flags_must_be: u8, remaining_must_be: Option<usize>| {
        if flags != flags_must_be {
            Err(Fault::malformed(format!("{name} with flags {flags:#x}")))
        } else if remaining_must_be.is_some_and(|length| length != frame.remaining) {
            Err(Fault::malformed(format!("{name} of {} bytes", frame.len())))
        } else {
            Ok(())
        }
    };
    let unexpected = |name: &str| Err(Fault::malformed(format!("{name} from a unit: only a server may send it")));
    let header = codec_header(frame);
    match frame.kind() {
        CONNECT => Err(Fault::malformed("a second CONNECT")),
        2 => unexpected("CONNACK"),
        PUBLISH => {
            let publish = v4::Publish::read(header, bytes).map_err(|error| match error {
                Error::TopicNotUtf8 => Fault { kind: RefusalKind::BadTopic, why: "a topic that is not UTF-8".into() },
                other => fault_of(other),
            })?;
            Ok(Incoming::Publish(Published {
                topic: publish.topic,
                payload: publish.payload,
                qos: publish.qos,
                pkid: publish.pkid,
            }))
        }
        4 => {
            plain("PUBACK", 0, Some(2))?;
            Ok(Incoming::Taken(v4::PubAck::read(header, bytes).map_err(fault_of)?.pkid))
        }
        5 => Err(Fault::malformed("PUBREC, but nothing is sent to units with QoS 2")),
        6 => {
            plain("PUBREL", 2, Some(2))?;
            Ok(Incoming::Release(packet_id("PUBREL", v4::PubRel::read(header, bytes).map_err(fault_of)?.pkid)?))
        }
        7 => Err(Fault::malformed("PUBCOMP, but nothing is sent to units with QoS 2")),
        8 => {
            plain("SUBSCRIBE", 2, None)?;
            let subscribe = v4::Subscribe::read(header, bytes).map_err(fault_of)?;
            Ok(Incoming::Subscribe {
                pkid: packet_id("SUBSCRIBE", subscribe.pkid)?,
                filters: subscribe.filters.into_iter().map(|filter| (filter.path, filter.qos)).collect(),
            })
        }
        9 => unexpected("SUBACK"),
        10 => {
            plain("UNSUBSCRIBE", 2, None)?;
            let unsubscribe = v4::Unsubscribe::read(header, bytes).map_err(fault_of)?;
            if unsubscribe.topics.is_empty() {
                return Err(Fault::malformed("UNSUBSCRIBE without a filter"));
            }
            Ok(Incoming::Unsubscribe { pkid: packet_id("UNSUBSCRIBE", unsubscribe.pkid)?, filters: unsubscribe.topics })
        }
        11 => unexpected("UNSUBACK"),
        12 => plain("PINGREQ", 0, Some(0)).map(|()| Incoming::Ping),
        13 => unexpected("PINGRESP"),
        14 => plain("DISCONNECT", 0, Some(0)).map(|()| Incoming::Disconnect),
        other => Err(Fault::malformed(format!("packet type {other} does not exist in MQTT 3.1.1"))),
    }
}

/// The topic of a PUBLISH of which only the beginning has come: an oversized one is named in its refusal.
pub fn topic_of_beginning(buffer: &[u8]) -> Option<&str> {
    let (&first, rest) = buffer.split_first()?;
    if first >> 4 != PUBLISH {
        return None;
    }
    let length_field = rest.iter().take(4).position(|byte| byte & 0x80 == 0)? + 1;
    let body = rest.get(length_field..)?;
    let topic_len = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
    std::str::from_utf8(body.get(2..2 + topic_len)?).ok()
}

fn codec_header(frame: Frame) -> FixedHeader {
    FixedHeader::new(frame.first_byte, frame.header_len - 1, frame.remaining)
}

fn packet_id(packet: &str, pkid: u16) -> Result<u16, Fault> {
    if pkid == 0 { Err(Fault::malformed(format!("{packet} with packet id 0"))) } else { Ok(pkid) }
}

fn fault_of(error: Error) -> Fault {
    Fault::malformed(match error {
        Error::BoundaryCrossed(length) => {
            format!("a text or field of {length} bytes reaches past the end of its packet")
        }
        Error::TopicNotUtf8 => "a text that is not UTF-8".to_owned(),
        Error::InvalidQoS(level) => format!("QoS {level}"),
        Error::PacketIdZero => "packet id 0".to_owned(),
        other => other.to_string(),
    })
}

fn some_text(text: String) -> Option<String> {
    if text.is_empty() { None } else { Some(text) }
}

/// Our answers. All are small: no cap is needed.
pub mod answer {
    use super::*;

    pub fn connack(code: ConnectReturnCode) -> [u8; 4] {
        // Session present is always 0: nothing of a session is kept here, and the monitor drops duplicates by (boot, seq).
        [0x20, 2, 0, code as u8]
    }
    pub fn puback(pkid: u16) -> [u8; 4] {
        with_id(0x40, pkid)
    }
    pub fn pubrec(pkid: u16) -> [u8; 4] {
        with_id(0x50, pkid)
    }
    pub fn pubcomp(pkid: u16) -> [u8; 4] {
        with_id(0x70, pkid)
    }
    pub fn unsuback(pkid: u16) -> [u8; 4] {
        with_id(0xb0, pkid)
    }
    pub const PINGRESP: [u8; 2] = [0xd0, 0];

    pub fn suback(pkid: u16, codes: Vec<SubscribeReasonCode>, out: &mut Vec<u8>) {
        let mut buffer = BytesMut::new();
        v4::SubAck::new(pkid, codes)
            .write(&mut buffer)
            .expect("a SUBACK answers a SUBSCRIBE that fitted into a packet, and is shorter");
        out.extend_from_slice(&buffer);
    }
    /// Err: the command is longer than MQTT allows.
    pub fn publish(topic: &str, payload: Bytes, qos: QoS, pkid: u16, out: &mut Vec<u8>) -> Result<(), Error> {
        let mut publish = v4::Publish::from_bytes(topic, qos, payload);
        publish.pkid = pkid;
        let mut buffer = BytesMut::with_capacity(publish.size());
        publish.write(&mut buffer)?;
        out.extend_from_slice(&buffer);
        Ok(())
    }

    fn with_id(first: u8, pkid: u16) -> [u8; 4] {
        let [high, low] = pkid.to_be_bytes();
        [first, 2, high, low]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(mut bytes: Bytes, max_packet: usize) -> Result<(), Fault> {
        while let Some(frame) = find_frame(&bytes, max_packet)? {
            let packet = bytes.split_to(frame.len());
            let _ = topic_of_beginning(&packet);
            let _ = parse_connect(frame, packet.clone());
            let _ = parse_packet(frame, packet);
        }
        Ok(())
    }

    fn written(packet: v4::Packet) -> Vec<u8> {
        let mut buffer = BytesMut::new();
        packet.write(&mut buffer, usize::MAX).unwrap();
        buffer.to_vec()
    }

    fn samples() -> Vec<Vec<u8>> {
        let mut connect = v4::Connect::new("unit");
        connect.set_login("PSH-001", "geheim");
        connect.last_will = Some(v4::LastWill::new("é/x", "gone", QoS::AtLeastOnce, true));
        let mut publish = v4::Publish::new("é/x", QoS::ExactlyOnce, "{}");
        publish.pkid = 7;
        let mut subscribe = v4::Subscribe::new("a/+/#", QoS::AtLeastOnce);
        subscribe.pkid = 9;
        let mut unsubscribe = v4::Unsubscribe::new("a/#");
        unsubscribe.pkid = 9;
        vec![
            written(v4::Packet::Connect(connect)),
            written(v4::Packet::Publish(publish)),
            written(v4::Packet::Subscribe(subscribe)),
            written(v4::Packet::Unsubscribe(unsubscribe)),
            written(v4::Packet::PubRel(v4::PubRel::new(3))),
            written(v4::Packet::PubAck(v4::PubAck::new(3))),
            written(v4::Packet::SubAck(v4::SubAck::new(3, vec![SubscribeReasonCode::Failure]))),
            written(v4::Packet::PingReq),
            written(v4::Packet::Disconnect),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read_all(Bytes::from(bytes), 300);
        }

        #[test]
        fn damaged_packets_never_panic(
            which in 0usize..9, at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = samples().swap_remove(which);
            let position = at.index(bytes.len());
            bytes[position] = byte;
            let _ = read_all(Bytes::from(bytes.clone()), 300);
            // A packet whose header tells the truth about a body that was cut.
            bytes.truncate(cut.index(bytes.len()).max(2));
            bytes[1] = (bytes.len() - 2).min(127) as u8;
            let _ = read_all(Bytes::from(bytes), 300);
        }

        #[test]
        fn a_frame_is_found_whatever_its_length(length in 0usize..40_000) {
            let publish = written(v4::Packet::Publish(v4::Publish::new("t", QoS::AtMostOnce, vec![0; length])));
            for end in 0..6.min(publish.len()) {
                prop_assert_eq!(find_frame(&publish[..end], 50_000), Ok(None));
            }
            let frame = find_frame(&publish, 50_000).unwrap().unwrap();
            prop_assert_eq!(frame.len(), publish.len());
        }
    }

    #[test]
    fn an_oversized_packet_is_refused_by_its_header_alone() {
        let fault = find_frame(&[0x30, 0x80, 0x80, 0x40], 20_000).unwrap_err();
        assert_eq!(fault.kind, RefusalKind::TooLarge);
        assert_eq!(fault.why, "a packet of 1048580 bytes; at most 20000 are taken");
    }

    /// Bytes of one packet → what the gateway says to it.
    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        let said = match find_frame(bytes, 300) {
            Err(fault) => fault,
            Ok(None) => panic!("{bytes:02x?} is no whole packet"),
            Ok(Some(frame)) => {
                let whole = Bytes::copy_from_slice(&bytes[..frame.len()]);
                let parsed = if frame.kind() == CONNECT {
                    parse_connect(frame, whole).map(|_| ())
                } else {
                    parse_packet(frame, whole).map(|_| ())
                };
                match parsed {
                    Err(fault) => fault,
                    Ok(()) => panic!("{bytes:02x?} was taken"),
                }
            }
        };
        assert_eq!(format!("{}: {}", said.kind, said.why), expected);
    }

    #[test]
    fn every_break_of_the_protocol_is_named() {
        check(b"\x00\x00", "malformed-packet: no MQTT 3.1.1 packet begins with byte 0x00");
        check(b"\x30\xff\xff\xff\xff\x01", "malformed-packet: a length field longer than 4 bytes");
        check(b"\x30\x00", "malformed-packet: Malformed packet");
        check(b"\x30\x03\x00\x05a", "malformed-packet: a text or field of 5 bytes reaches past the end of its packet");
        check(b"\x30\x03\x00\x01\xff", "bad-topic: a topic that is not UTF-8");
        check(b"\x32\x05\x00\x01a\x00\x00", "malformed-packet: packet id 0");
        check(b"\x36\x05\x00\x01a\x00\x01", "malformed-packet: QoS 3");
        check(b"\x20\x02\x00\x00", "malformed-packet: CONNACK from a unit: only a server may send it");
        check(b"\x90\x03\x00\x01\x00", "malformed-packet: SUBACK from a unit: only a server may send it");
        check(b"\xd0\x00", "malformed-packet: PINGRESP from a unit: only a server may send it");
        check(b"\x80\x05\x00\x01\x00\x00\x00", "malformed-packet: SUBSCRIBE with flags 0x0");
        check(b"\x82\x02\x00\x01", "malformed-packet: A Subscribe packet must contain atleast one filter");
        check(b"\x82\x07\x00\x00\x00\x02ab\x00", "malformed-packet: SUBSCRIBE with packet id 0");
        check(b"\x82\x07\x00\x01\x00\x02ab\x03", "malformed-packet: QoS 3");
        check(b"\xa2\x02\x00\x01", "malformed-packet: UNSUBSCRIBE without a filter");
        check(b"\xa2\x01\x00", "malformed-packet: Malformed packet");
        check(b"\x62\x03\x00\x01\x00", "malformed-packet: PUBREL of 5 bytes");
        check(b"\xc0\x01\x00", "malformed-packet: PINGREQ of 3 bytes");
        check(b"\xf0\x00", "malformed-packet: no MQTT 3.1.1 packet begins with byte 0xf0");
        check(b"\x10\x00", "malformed-packet: a CONNECT that ends before its protocol name");
        check(b"\x10\x06\x00\x04MQTT", "malformed-packet: a CONNECT that ends before its flags");
        check(
            b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x00",
            "unsupported-version: MQTT 5 is not spoken here; set the unit to MQTT 3.1.1 (protocol level 4)",
        );
        check(
            b"\x10\x0e\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x00",
            "unsupported-version: MQTT 3.1 is not spoken here; set the unit to MQTT 3.1.1 (protocol level 4)",
        );
        check(
            b"\x10\x0c\x00\x04MQTT\x04\x03\x00\x3c\x00\x00",
            "malformed-packet: a CONNECT with its reserved flag set",
        );
        check(
            b"\x10\x0c\x00\x04MQTT\x04\x42\x00\x3c\x00\x00",
            "malformed-packet: a CONNECT with a password but no user name",
        );
        check(
            b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01\x00",
            "malformed-packet: a CONNECT with a null character in a text",
        );
    }
}
