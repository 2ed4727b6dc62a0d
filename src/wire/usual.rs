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
use super::fields::{self, ExtraList, MAX_EXTRA};
use super::quick::{self, Number};
use super::scalar::Range;
use super::stamp;

/// The message, and how many of its fields are unknown. None: gives up.
#[inline]
pub(super) fn read(kind: Kind, json: &[u8]) -> Option<(Message, u32)> {
    match kind {
        Kind::Heartbeat => heartbeat(json),
        Kind::Power => power(json),
        Kind::Selftest | Kind::Press | Kind::Status | Kind::Reply => None,
    }
}

/// Each field's key and the way to read it, in the order in which `docs/protocol.md` has them. First they are tried in that
/// order: a unit that keeps to it is read without a miss. The others are looked up by name from the first stranger on.
macro_rules! fields {
    ($json:ident, $extra:ident, $unknown:ident: $($field:ident = $read:ident($($limit:expr)?);)+) => {
        #[allow(non_camel_case_types, reason = "named like the fields")]
        enum Bit { $($field),+ }
        let mut cursor = Cursor { bytes: $json, at: 0 };
        let (mut seen, mut $unknown, mut $extra) = (0u32, 0u32, None);
        $(let mut $field = None;)+
        cursor.open()?;
        'object: {
            $(
                if cursor.key(concat!("\"", stringify!($field), "\":").as_bytes()) {
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
            loop {
                match cursor.any_key()? {
                    $(
                        name if name == stringify!($field).as_bytes() => {
                            // Of a field sent twice the later counts: rare enough for the general way.
                            if seen & (1 << Bit::$field as u32) != 0 {
                                return None;
                            }
                            seen |= 1 << Bit::$field as u32;
                            if !cursor.null() {
                                $field = Some(cursor.$read($($limit)?)?);
                            }
                        }
                    )+
                    b"extra" => {
                        if $extra.is_some() {
                            return None;
                        }
                        $extra = Some(cursor.extra()?);
                    }
                    _ => {
                        cursor.skip()?;
                        $unknown += 1;
                    }
                }
                match cursor.after_value()? {
                    Next::Field => {}
                    Next::End => break 'object,
                }
            }
        }
    };
}

fn heartbeat(json: &[u8]) -> Option<(Message, u32)> {
    fields! { json, extra, unknown:
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
    let extra = extra.unwrap_or_default();
    Some((Message { ts: Some(ts?), boot: Some(boot?), seq: Some(seq?), body, extra }, unknown))
}

fn power(json: &[u8]) -> Option<(Message, u32)> {
    fields! { json, extra, unknown:
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
    let extra = extra.unwrap_or_default();
    Some((Message { ts: Some(ts?), boot: Some(boot?), seq: Some(seq?), body, extra }, unknown))
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

    /// Any key without escapes. Goes on to the value.
    #[inline(always)]
    fn any_key(&mut self) -> Option<&'a [u8]> {
        let key = self.plain_text()?;
        self.space();
        self.byte(b':')?;
        self.space();
        Some(key)
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
        let value = self.any_number()?.value();
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

    /// What stands between quotes: printable ASCII, without escapes.
    #[inline(always)]
    fn plain_text(&mut self) -> Option<&'a [u8]> {
        self.byte(b'"')?;
        let start = self.at;
        while let b' '..=b'!' | b'#'..=b'[' | b']'..=b'~' = *self.bytes.get(self.at)? {
            self.at += 1;
        }
        let end = self.at;
        self.byte(b'"')?;
        Some(&self.bytes[start..end])
    }

    #[inline(always)]
    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.plain_text()?).ok()
    }

    /// A plain value that nobody asks for.
    fn skip(&mut self) -> Option<()> {
        match self.bytes.get(self.at)? {
            b'"' => drop(self.plain_text()?),
            b't' | b'f' => drop(self.yes_no()?),
            b'n' => return self.word(b"null").then_some(()),
            _ => drop(self.any_number()?),
        }
        Some(())
    }

    /// The vendor's own figures, each once.
    fn extra(&mut self) -> Option<ExtraList> {
        let mut extra = ExtraList::new();
        self.open()?;
        loop {
            let name = self.any_key()?;
            let value = self.any_number()?.value();
            let name = std::str::from_utf8(name).ok().filter(|name| fields::is_extra_name(name))?;
            if extra.len() == MAX_EXTRA || extra.iter().any(|(known, _)| **known == *name) {
                return None;
            }
            extra.push((name.into(), value));
            self.space();
            match self.bytes.get(self.at)? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(extra);
                }
                _ => return None,
            }
            self.space();
        }
    }

    #[inline(always)]
    fn version(&mut self) -> Option<Version> {
        if let Some(version) = self.short_version() {
            return Some(version);
        }
        let text = self.text()?;
        (1..=VERSION_CHARS).contains(&text.len()).then(|| text.into())
    }

    /// Of at most 15 letters, read as one word. None: has not moved.
    #[inline(always)]
    fn short_version(&mut self) -> Option<Version> {
        let start = quick::after(self.bytes, self.at, b'"')?;
        let (word, _) = self.bytes.get(start..)?.split_first_chunk::<16>()?;
        let word = u128::from_le_bytes(*word);
        let (low, high) = (quick::ends_plain_text(word as u64), quick::ends_plain_text((word >> 64) as u64));
        let length = match (low, high) {
            (0, 0) => return None,
            (0, high) => 8 + high.trailing_zeros() / 8,
            (low, _) => low.trailing_zeros() / 8,
        };
        let end = quick::after(self.bytes, start + length as usize, b'"')?;
        if length == 0 {
            return None;
        }
        let version = Version::from_word(word & ((1 << (8 * length)) - 1))?;
        self.at = end;
        Some(version)
    }

    #[inline(always)]
    fn time(&mut self) -> Option<Timestamp> {
        if self.bytes.get(self.at) == Some(&b'"') {
            // Its length is known: no need to look for its end.
            for length in [24, 20] {
                if self.bytes.get(self.at + length + 1) == Some(&b'"') {
                    let time = stamp::usual(&self.bytes[self.at + 1..][..length])?;
                    self.at += length + 2;
                    return Some(time);
                }
            }
            return stamp::parse(self.text()?);
        }
        let millis = i64::try_from(self.whole()?).ok()?;
        (millis <= Timestamp::MAX.as_millis()).then(|| Timestamp::from_millis(millis))
    }
}

#[cfg(test)]
mod tests;
