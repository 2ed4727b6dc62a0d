//! Reads a heartbeat or a power message that is written as nearly every unit writes it, straight into the domain's value.
//! On anything else it gives up without a word, and the general way reads the payload from the start and finds the words.
//!
//! Design constraints
//! - DESIGN §7 gives decoding and judging of one heartbeat 1 µs together: one pass over the bytes, no table in between, no
//!   allocation. What it takes is ASCII throughout, so nobody has to check the UTF-8 either.
//! - Never takes what the general way would refuse, count or drop, and never reads a value differently: property tests
//!   compare the two. So there are no complaints here, only the way out.

use crate::domain::message::{Body, Heartbeat, Message, Power};
use crate::domain::{Kind, Metric, Timestamp, Version};

use super::decode::{INTERVAL, VERSION_CHARS};
use super::quick::{self, Number};
use super::scalar::Range;
use super::stamp;

/// None: gives up.
#[inline]
pub(super) fn read(kind: Kind, json: &[u8]) -> Option<Message> {
    match kind {
        Kind::Heartbeat => heartbeat(json),
        Kind::Power => power(json),
        Kind::Selftest | Kind::Press | Kind::Status | Kind::Reply => None,
    }
}

/// Each field's key and the way to read it. The fields are tried in the order that `docs/protocol.md` gives them, round and
/// round: a unit that keeps to the order is read without a miss, any other order takes a few compares more.
macro_rules! fields {
    ($json:ident: $($field:ident = $read:ident($($limit:expr)?);)+) => {
        #[allow(non_camel_case_types, reason = "named like the fields")]
        enum Bit { $($field),+ }
        let mut cursor = Cursor { bytes: $json, at: 0 };
        let mut seen = 0u32;
        $(let mut $field = None;)+
        cursor.open()?;
        'object: loop {
            let round_from = cursor.at;
            $(
                if cursor.key(concat!("\"", stringify!($field), "\":").as_bytes()) {
                    // Of a field sent twice the later counts: rare enough for the general way.
                    if seen & (1 << Bit::$field as u32) != 0 {
                        return None;
                    }
                    seen |= 1 << Bit::$field as u32;
                    if !cursor.null() {
                        $field = Some(cursor.$read($($limit)?)?);
                    }
                    match cursor.after_value()? {
                        Next::Field => {}
                        Next::End => break 'object,
                    }
                }
            )+
            // An unknown field, `extra`, or no object at all.
            if cursor.at == round_from {
                return None;
            }
        }
    };
}

fn heartbeat(json: &[u8]) -> Option<Message> {
    fields! { json:
        ts = time();
        boot = boot();
        seq = whole();
        uptime_s = figure(Metric::ControllerUptime);
        interval_s = number(INTERVAL);
        fw = version();
        hw = version();
        rssi_dbm = figure(Metric::LinkRssi);
        temp_c = figure(Metric::EnclosureTemperature);
        disk_free_pct = figure(Metric::DiskFree);
        mem_free_pct = figure(Metric::MemoryFree);
        tamper = yes_no();
    }
    let body = Body::Heartbeat(Heartbeat {
        uptime_s,
        interval_s,
        fw,
        hw,
        rssi_dbm,
        temp_c,
        disk_free_pct,
        mem_free_pct,
        tamper,
    });
    Some(Message { ts: Some(ts?), boot: Some(boot?), seq: Some(seq?), body, extra: Vec::new() })
}

fn power(json: &[u8]) -> Option<Message> {
    fields! { json:
        ts = time();
        boot = boot();
        seq = whole();
        mains = yes_no();
        mains_v = figure(Metric::MainsVoltage);
        battery_v = figure(Metric::BatteryVoltage);
        battery_pct = figure(Metric::BatteryCharge);
        battery_temp_c = figure(Metric::BatteryTemperature);
        charge_a = figure(Metric::BatteryCurrent);
        load_w = figure(Metric::PowerLoad);
    }
    let body = Body::Power(Power { mains, mains_v, battery_v, battery_pct, battery_temp_c, charge_a, load_w });
    Some(Message { ts: Some(ts?), boot: Some(boot?), seq: Some(seq?), body, extra: Vec::new() })
}

enum Next {
    Field,
    End,
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline(always)]
    fn space(&mut self) {
        self.at = quick::skip_space(self.bytes, self.at);
    }

    #[inline(always)]
    fn byte(&mut self, byte: u8) -> Option<()> {
        self.at = quick::after(self.bytes, self.at, byte)?;
        Some(())
    }

    #[inline(always)]
    fn open(&mut self) -> Option<()> {
        self.space();
        self.byte(b'{')?;
        self.space();
        Some(())
    }

    /// `quoted`: with its quotes and colon. Goes on to the value.
    #[inline(always)]
    fn key(&mut self, quoted: &'static [u8]) -> bool {
        let is_next = self.bytes.get(self.at..self.at + quoted.len()) == Some(quoted);
        if is_next {
            self.at += quoted.len();
            self.space();
        }
        is_next
    }

    /// Goes on to the next key, or to the end of the payload.
    #[inline(always)]
    fn after_value(&mut self) -> Option<Next> {
        self.space();
        match self.bytes.get(self.at)? {
            b',' => {
                self.at += 1;
                self.space();
                Some(Next::Field)
            }
            b'}' => {
                self.at += 1;
                self.space();
                (self.at == self.bytes.len()).then_some(Next::End)
            }
            _ => None,
        }
    }

    #[inline(always)]
    fn word(&mut self, word: &'static [u8]) -> bool {
        let is_next = self.bytes.get(self.at..self.at + word.len()) == Some(word);
        if is_next {
            self.at += word.len();
        }
        is_next
    }

    #[inline(always)]
    fn null(&mut self) -> bool {
        self.bytes.get(self.at) == Some(&b'n') && self.word(b"null")
    }

    #[inline(always)]
    fn yes_no(&mut self) -> Option<bool> {
        if self.word(b"false") {
            Some(false)
        } else if self.word(b"true") {
            Some(true)
        } else {
            None
        }
    }

    /// As it stands, with its sign.
    #[inline(always)]
    fn any_number(&mut self) -> Option<Number> {
        let negative = self.bytes.get(self.at) == Some(&b'-');
        let (number, end) = quick::read_number(self.bytes, self.at + usize::from(negative), negative)?;
        self.at = end;
        Some(number)
    }

    #[inline(always)]
    fn number(&mut self, range: Range) -> Option<f64> {
        let value = match self.any_number()? {
            Number::Unsigned(n) => n as f64,
            Number::Signed(n) => n as f64,
            Number::Float(n) => n,
        };
        (range.min..=range.max).contains(&value).then_some(value)
    }

    #[inline(always)]
    fn figure(&mut self, metric: Metric) -> Option<f64> {
        self.number(metric.into())
    }

    #[inline(always)]
    fn whole(&mut self) -> Option<u64> {
        match self.any_number()? {
            Number::Unsigned(n) => Some(n),
            Number::Signed(_) | Number::Float(_) => None,
        }
    }

    #[inline(always)]
    fn boot(&mut self) -> Option<u32> {
        u32::try_from(self.whole()?).ok()
    }

    /// A short text of printable ASCII, without escapes.
    #[inline(always)]
    fn text(&mut self) -> Option<&'a str> {
        self.byte(b'"')?;
        let start = self.at;
        while let b' '..=b'!' | b'#'..=b'[' | b']'..=b'~' = *self.bytes.get(self.at)? {
            self.at += 1;
        }
        let end = self.at;
        self.byte(b'"')?;
        std::str::from_utf8(&self.bytes[start..end]).ok()
    }

    #[inline(always)]
    fn version(&mut self) -> Option<Version> {
        let text = self.text()?;
        (1..=VERSION_CHARS).contains(&text.len()).then(|| text.into())
    }

    #[inline(always)]
    fn time(&mut self) -> Option<Timestamp> {
        if self.bytes.get(self.at) == Some(&b'"') {
            return stamp::parse(self.text()?);
        }
        let millis = i64::try_from(self.whole()?).ok()?;
        (millis <= Timestamp::MAX.as_millis()).then(|| Timestamp::from_millis(millis))
    }
}

#[cfg(test)]
mod tests;
