//! Recordings: JSON lines, the one format for replay, backtest, tests, bug reports and the store's journal.
//! Owns how a line is written and read. Never reads a file by itself, never sorts: the order of the lines is the order in
//! which the monitor heard them, and a clock that was set back is part of what happened.

use std::fmt;
use std::io::{self, BufRead, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::domain::{
    Action, Component, CrewId, Hearing, MaintenanceScope, MessageId, OrderId, OrderMove, SiteId, Timestamp, UnitId,
};

use super::scalar::Scalar;
use super::stamp;

/// One thing that happened, and when the monitor learned of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub at: Timestamp,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// `{"at":…,"topic":…,"payload":{…}}` or `{"at":…,"topic":…,"payload_b64":…}`, either with `"retained":true`.
    Publish {
        topic: String,
        /// Byte for byte as it was sent: a signature still holds.
        payload: Bytes,
        retained: bool,
    },
    /// `{"at":…,"link":"down"}`
    Link(Hearing),
    /// `{"at":…,"do":{…}}`
    Do { action: Action, by: String },
    /// `{"at":…,"advance":true}`: nothing happened but the passing of time.
    Advance,
    /// `{"at":…,"delivery":{"message_id":…,"delivered":…,"note":…}}`: what became of a mail.
    Delivery { message_id: MessageId, delivered: bool, note: String },
}

/// Who ordered a maintenance when the recording does not say.
const BY_DEFAULT: &str = "operator";
const AT_REMEDY: &str = "start every line with {\"at\":\"2026-11-21T09:00:00.000Z\",…";
const WHAT_REMEDY: &str = "a line has one of: topic with payload or payload_b64, link, do, advance, delivery";

// Writing.

/// Appends one line with its line feed. For many lines, keep a [`Writer`].
pub fn write_line(line: &Line, out: &mut Vec<u8>) {
    Writer::default().line(line, out);
}

/// Writes lines. Remembers the text of the last time: a batch has one `at`.
#[derive(Debug, Default)]
pub struct Writer {
    last: Option<(Timestamp, String)>,
}

impl Writer {
    pub fn line(&mut self, line: &Line, out: &mut Vec<u8>) {
        match &line.what {
            What::Publish { topic, payload, retained } => self.publish(line.at, topic, payload, *retained, out),
            What::Link(hearing) => {
                self.at(line.at, out);
                out.extend_from_slice(b",\"link\":");
                text(hearing.as_str(), out);
                out.extend_from_slice(b"}\n");
            }
            What::Do { action, by } => {
                self.at(line.at, out);
                out.extend_from_slice(b",\"do\":{");
                write_action(action, out);
                out.extend_from_slice(b",\"by\":");
                text(by, out);
                if let Action::SetOrder { note, .. } = action
                    && !note.is_empty()
                {
                    out.extend_from_slice(b",\"note\":");
                    text(note, out);
                }
                out.extend_from_slice(b"}}\n");
            }
            What::Advance => {
                self.at(line.at, out);
                out.extend_from_slice(b",\"advance\":true}\n");
            }
            What::Delivery { message_id, delivered, note } => {
                self.at(line.at, out);
                out.extend_from_slice(b",\"delivery\":{\"message_id\":");
                text(message_id.as_str(), out);
                out.extend_from_slice(if *delivered { b",\"delivered\":true" } else { b",\"delivered\":false" });
                if !note.is_empty() {
                    out.extend_from_slice(b",\"note\":");
                    text(note, out);
                }
                out.extend_from_slice(b"}}\n");
            }
        }
    }

    /// A publish without making a [`Line`] of it: the journal writes every accepted message this way.
    pub fn publish(&mut self, at: Timestamp, topic: &str, payload: &[u8], retained: bool, out: &mut Vec<u8>) {
        self.at(at, out);
        out.extend_from_slice(b",\"topic\":");
        text(topic, out);
        if stands_on_one_line(payload) {
            out.extend_from_slice(b",\"payload\":");
            out.extend_from_slice(payload);
        } else {
            out.extend_from_slice(b",\"payload_b64\":\"");
            out.extend_from_slice(BASE64.encode(payload).as_bytes());
            out.push(b'"');
        }
        out.extend_from_slice(if retained { b",\"retained\":true}\n" } else { b"}\n" });
    }

    fn at(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        if self.last.as_ref().is_none_or(|(last, _)| *last != at) {
            self.last = Some((at, at.to_string()));
        }
        let (_, written) = self.last.as_ref().expect("set above");
        out.extend_from_slice(b"{\"at\":\"");
        out.extend_from_slice(written.as_bytes());
        out.push(b'"');
    }
}

fn write_action(action: &Action, out: &mut Vec<u8>) {
    match action {
        Action::SetOrder { order, to, note: _ } => {
            write!(out, "\"order\":\"{order}\",\"set\":\"{to}\"").expect("a Vec takes every write");
        }
        Action::Maintenance { scope, until } => {
            let (key, name) = match scope {
                MaintenanceScope::Unit(unit) => ("unit", unit.as_str()),
                MaintenanceScope::Site(site) => ("site", site.as_str()),
                MaintenanceScope::Crew(crew) => ("crew", crew.as_str()),
            };
            write!(out, "\"maintenance\":{{\"{key}\":").expect("a Vec takes every write");
            text(name, out);
            write!(out, ",\"until\":\"{until}\"}}").expect("a Vec takes every write");
        }
        Action::Rebaseline { unit, component } => {
            write!(out, "\"rebaseline\":{{\"unit\":\"{unit}\"").expect("a Vec takes every write");
            if let Some(component) = component {
                write!(out, ",\"component\":\"{component}\"").expect("a Vec takes every write");
            }
            out.push(b'}');
        }
    }
}

fn text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a text is JSON, and a Vec takes every write");
}

/// Can the bytes stand in the line as they are, and come back the same? Valid JSON, no line end, no space around it (a
/// reader takes that for its own).
fn stands_on_one_line(payload: &[u8]) -> bool {
    !payload.iter().any(|b| matches!(b, b'\n' | b'\r'))
        && std::str::from_utf8(payload)
            .is_ok_and(|json| serde_json::from_str::<&RawValue>(json).is_ok_and(|raw| raw.get().len() == json.len()))
}

// Reading.

/// One line without its line end. Err: what is wrong with it and what it should be.
pub fn parse_line(text: &str) -> Result<Line, String> {
    let raw: RawLine = serde_json::from_str(text).map_err(|e| format!("not a line of a recording: {e}"))?;
    let at = raw.at.time().map_err(|complaint| format!("at {}", complaint.why))?;
    let at = at.ok_or_else(|| format!("there is no \"at\"; {AT_REMEDY}"))?;
    let given = [
        raw.topic.is_some() || raw.payload.is_some() || raw.payload_b64.is_some(),
        raw.link.is_some(),
        raw.act.is_some(),
        raw.advance.is_some(),
        raw.delivery.is_some(),
    ];
    match given.iter().filter(|g| **g).count() {
        1 => {}
        0 => return Err(format!("nothing happens in this line; {WHAT_REMEDY}")),
        _ => return Err(format!("two things happen in this line; split it: {WHAT_REMEDY}")),
    }
    let what = if let Some(link) = raw.link {
        What::Link(link.parse().map_err(|e| format!("link {e}"))?)
    } else if let Some(act) = raw.act {
        parse_do(act)?
    } else if let Some(advance) = raw.advance {
        if !advance {
            return Err("advance is false; write \"advance\":true or leave the line out".to_owned());
        }
        What::Advance
    } else if let Some(RawDelivery { message_id, delivered, note }) = raw.delivery {
        What::Delivery { message_id, delivered, note }
    } else {
        let topic = raw.topic.ok_or("there is a payload but no topic; add \"topic\":\"buttonwatch/v1/UNIT/KIND\"")?;
        let payload = match (raw.payload, raw.payload_b64) {
            (Some(payload), None) => Bytes::copy_from_slice(payload.get().as_bytes()),
            (None, Some(b64)) => {
                BASE64.decode(b64.as_bytes()).map_err(|e| format!("payload_b64 is not base64: {e}"))?.into()
            }
            (None, None) => {
                return Err("there is a topic but no payload; add \"payload\":{…} or \"payload_b64\":\"…\"".to_owned());
            }
            (Some(_), Some(_)) => return Err("there are payload and payload_b64; keep one of the two".to_owned()),
        };
        What::Publish { topic, payload, retained: raw.retained.unwrap_or(false) }
    };
    Ok(Line { at, what })
}

fn parse_do(act: RawDo) -> Result<What, String> {
    const REMEDY: &str = "write \"do\":{\"order\":\"WO-000001\",\"set\":\"acknowledged\",\"by\":\"crew\"} or \
                          \"do\":{\"maintenance\":{\"site\":\"…\",\"until\":\"…\"}} or \
                          \"do\":{\"rebaseline\":{\"unit\":\"…\",\"component\":\"…\"}}";
    match act {
        RawDo { order: None, set: None, note: None, maintenance: None, by, rebaseline: Some(raw) } => {
            let invalid = |e| format!("do: rebaseline: {e}");
            let unit = UnitId::parse(&raw.unit).map_err(invalid)?;
            let component = match raw.component {
                Some(text) => Some(text.parse::<Component>().map_err(|e| format!("do: rebaseline: {e}"))?),
                None => None,
            };
            let by = by.unwrap_or_else(|| BY_DEFAULT.to_owned());
            Ok(What::Do { action: Action::Rebaseline { unit, component }, by })
        }
        RawDo { order: Some(order), set: Some(set), by: Some(by), note, maintenance: None, rebaseline: None } => {
            let order = OrderId::parse(&order).map_err(|e| format!("do: order {e}"))?;
            let to: OrderMove = set.parse().map_err(|e| format!("do: set {e}"))?;
            let note = note.unwrap_or_default();
            Ok(What::Do { action: Action::SetOrder { order, to, note }, by })
        }
        RawDo { order: Some(_), set: None, maintenance: None, .. } => Err(format!("do: there is no \"set\"; {REMEDY}")),
        RawDo { order: Some(_), by: None, maintenance: None, .. } => {
            Err(format!("do: there is no \"by\": say who; {REMEDY}"))
        }
        RawDo { order: None, set: None, note: None, by, maintenance: Some(maintenance), rebaseline: None } => {
            let RawMaintenance { unit, site, crew, until, by: inner } = maintenance;
            let invalid = |e| format!("do: maintenance: {e}");
            let scope = match (unit, site, crew) {
                (Some(unit), None, None) => MaintenanceScope::Unit(UnitId::parse(&unit).map_err(invalid)?),
                (None, Some(site), None) => MaintenanceScope::Site(SiteId::parse(&site).map_err(invalid)?),
                (None, None, Some(crew)) => MaintenanceScope::Crew(CrewId::parse(&crew).map_err(invalid)?),
                (None, None, None) | (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
                    return Err("do: maintenance is of one unit, one site or one crew; name exactly one".to_owned());
                }
            };
            let until = stamp::parse(&until)
                .ok_or_else(|| format!("do: maintenance: until is {until:?}; write 2026-11-21T09:00:00Z"))?;
            let by = by.or(inner).unwrap_or_else(|| BY_DEFAULT.to_owned());
            Ok(What::Do { action: Action::Maintenance { scope, until }, by })
        }
        RawDo { .. } => Err(format!("do: this is no step of an order, no maintenance and no rebaseline; {REMEDY}")),
    }
}

/// Other keys are skipped: a recorder may note more than we need.
#[derive(Deserialize)]
struct RawLine<'a> {
    #[serde(borrow, default)]
    at: Scalar<'a>,
    topic: Option<String>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    payload: Option<&'a RawValue>,
    payload_b64: Option<String>,
    retained: Option<bool>,
    link: Option<String>,
    #[serde(rename = "do")]
    act: Option<RawDo>,
    advance: Option<bool>,
    delivery: Option<RawDelivery>,
}

/// `"payload":null` is a payload of four bytes, not a missing one.
fn even_null<'de, D: Deserializer<'de>>(d: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(d).map(Some)
}

/// Instructions are taken to the letter: a misspelt key must not be lost.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDo {
    order: Option<String>,
    set: Option<String>,
    by: Option<String>,
    note: Option<String>,
    maintenance: Option<RawMaintenance>,
    rebaseline: Option<RawRebaseline>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRebaseline {
    unit: String,
    component: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMaintenance {
    unit: Option<String>,
    site: Option<String>,
    crew: Option<String>,
    until: String,
    by: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDelivery {
    message_id: MessageId,
    delivered: bool,
    #[serde(default)]
    note: String,
}

/// Why a recording could not be read on.
#[derive(Debug)]
pub struct ReadError {
    /// From 1.
    pub line: u64,
    pub why: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for ReadError {}

/// Reads line by line. Empty lines are skipped, a BOM and CRLF line ends do no harm. After a bad line the next can be
/// read; after an I/O error there is no next.
pub struct Reader<R> {
    source: R,
    line: u64,
    buffer: Vec<u8>,
    newest: Option<Timestamp>,
    went_back: Option<u64>,
    ended: bool,
}

impl<R: BufRead> Reader<R> {
    /// A 16 KiB payload in base64 is 22 KiB; more than this is no recording, and must not fill the memory.
    pub const MAX_LINE_BYTES: usize = 1024 * 1024;

    pub fn new(source: R) -> Self {
        Reader { source, line: 0, buffer: Vec::new(), newest: None, went_back: None, ended: false }
    }

    /// The first line whose time was before that of an earlier one. The engine takes such a line as of the newest time it
    /// has seen; whoever replays may want to say so.
    pub fn went_back(&self) -> Option<u64> {
        self.went_back
    }

    fn next_line(&mut self) -> io::Result<Option<Result<Line, String>>> {
        loop {
            self.buffer.clear();
            let room = Self::MAX_LINE_BYTES as u64 + 1;
            if (&mut self.source).take(room).read_until(b'\n', &mut self.buffer)? == 0 {
                return Ok(None);
            }
            self.line += 1;
            if self.buffer.len() > Self::MAX_LINE_BYTES && self.buffer.last() != Some(&b'\n') {
                self.source.skip_until(b'\n')?;
                let max = Self::MAX_LINE_BYTES;
                return Ok(Some(Err(format!("longer than {max} bytes; is this a recording?"))));
            }
            let bytes = self.buffer.as_slice();
            let bytes = if self.line == 1 { bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes) } else { bytes };
            let bytes = bytes.trim_ascii();
            if bytes.is_empty() {
                continue;
            }
            let parsed = match std::str::from_utf8(bytes) {
                Ok(text) => parse_line(text),
                Err(_) => Err("not UTF-8; save the recording as UTF-8".to_owned()),
            };
            if let Ok(line) = &parsed {
                match self.newest {
                    Some(newest) if line.at < newest => self.went_back = self.went_back.or(Some(self.line)),
                    Some(_) | None => self.newest = Some(line.at),
                }
            }
            return Ok(Some(parsed));
        }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Line, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.next_line() {
            Ok(None) => {
                self.ended = true;
                None
            }
            Ok(Some(parsed)) => Some(parsed.map_err(|why| ReadError { line: self.line, why })),
            Err(e) => {
                self.ended = true;
                Some(Err(ReadError { line: self.line + 1, why: format!("cannot be read: {e}") }))
            }
        }
    }
}
