//! Reads a JSON object the way firmware nearly always writes it: short, flat, no escapes, plain numbers. On anything else it
//! gives up without a word, and serde_json reads the payload from the start and finds the words.
//!
//! Why not serde_json alone: it takes about twice the instructions for a dozen short fields, and DESIGN §7 gives decoding
//! and judging of one heartbeat 1 µs together. Never accepts what serde_json refuses, never reads a value differently: a
//! property test compares the two.

use std::borrow::Cow;

use super::scalar::Scalar;

/// Whoever wants the fields of an object. None: gives up.
pub(super) trait Receiver<'a> {
    fn scalar(&mut self, key: &'a str, value: Scalar<'a>) -> Option<()>;
    /// The field holds an object whose bracket stands before `at`. Gives the place after it: [`read_fields`] does.
    fn object(&mut self, key: &'a str, text: &'a str, at: usize) -> Option<usize>;
}

/// A text that is one object and nothing else.
pub(super) fn read_object<'a>(text: &'a str, receiver: &mut impl Receiver<'a>) -> Option<()> {
    let bytes = text.as_bytes();
    let at = after(bytes, skip_space(bytes, 0), b'{')?;
    let at = read_fields(text, at, receiver)?;
    (skip_space(bytes, at) == bytes.len()).then_some(())
}

/// The fields of an object, from after its opening bracket; gives the place after the closing one.
pub(super) fn read_fields<'a>(text: &'a str, at: usize, receiver: &mut impl Receiver<'a>) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = skip_space(bytes, at);
    if let Some(end) = after(bytes, at, b'}') {
        return Some(end);
    }
    loop {
        let (key, end) = read_text(text, after(bytes, at, b'"')?)?;
        at = skip_space(bytes, after(bytes, skip_space(bytes, end), b':')?);
        let (value, end) = match *bytes.get(at)? {
            b'"' => {
                let (text, end) = read_text(text, at + 1)?;
                (Scalar::Text(Cow::Borrowed(text)), end)
            }
            b'-' => scalar(read_number(bytes, at + 1, true)?),
            b'0'..=b'9' => scalar(read_number(bytes, at, false)?),
            b't' if bytes[at..].starts_with(b"true") => (Scalar::Bool(true), at + 4),
            b'f' if bytes[at..].starts_with(b"false") => (Scalar::Bool(false), at + 5),
            b'n' if bytes[at..].starts_with(b"null") => (Scalar::Absent, at + 4),
            b'{' => {
                // Not a value yet: the receiver reads on.
                at = receiver.object(key, text, at + 1)?;
                match next_field(bytes, at)? {
                    Next::Field(next) => at = next,
                    Next::End(end) => return Some(end),
                }
                continue;
            }
            _ => return None,
        };
        receiver.scalar(key, value)?;
        match next_field(bytes, end)? {
            Next::Field(next) => at = next,
            Next::End(end) => return Some(end),
        }
    }
}

impl Number {
    #[inline(always)]
    pub(super) fn value(self) -> f64 {
        match self {
            Number::Unsigned(n) => n as f64,
            Number::Signed(n) => n as f64,
            Number::Float(n) => n,
        }
    }
}

fn scalar((number, end): (Number, usize)) -> (Scalar<'static>, usize) {
    let scalar = match number {
        Number::Unsigned(n) => Scalar::Unsigned(n),
        Number::Signed(n) => Scalar::Signed(n),
        Number::Float(n) => Scalar::Float(n),
    };
    (scalar, end)
}

enum Next {
    Field(usize),
    End(usize),
}

#[inline(always)]
fn next_field(bytes: &[u8], at: usize) -> Option<Next> {
    let at = skip_space(bytes, at);
    match bytes.get(at)? {
        b',' => Some(Next::Field(skip_space(bytes, at + 1))),
        b'}' => Some(Next::End(at + 1)),
        _ => None,
    }
}

#[inline(always)]
pub(super) fn after(bytes: &[u8], at: usize, byte: u8) -> Option<usize> {
    (*bytes.get(at)? == byte).then_some(at + 1)
}

#[inline(always)]
pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte @ ..=b' ') = bytes.get(at)
        && matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
    {
        at += 1;
    }
    at
}

/// From after the opening quote; with the place after the closing one. None: an escape or a control character comes first.
#[inline(always)]
fn read_text(text: &str, start: usize) -> Option<(&str, usize)> {
    let bytes = text.as_bytes();
    let mut end = start;
    // Eight bytes at a time: keys are hardly longer.
    while let Some((eight, _)) = bytes.get(end..).and_then(|rest| rest.split_first_chunk()) {
        let ends = ends_text(u64::from_le_bytes(*eight));
        if ends != 0 {
            end += (ends.trailing_zeros() / 8) as usize;
            break;
        }
        end += 8;
    }
    while !matches!(*bytes.get(end)?, b'"' | b'\\' | 0..0x20) {
        end += 1;
    }
    // Both ends stand beside an ASCII quote, so they are borders of characters.
    (bytes[end] == b'"').then(|| (&text[start..end], end + 1))
}

const EACH: u64 = u64::from_ne_bytes([1; 8]);

/// The high bit of each byte that is zero, and of some above the first (Mycroft's trick).
#[inline(always)]
fn zeros(eight: u64) -> u64 {
    eight.wrapping_sub(EACH) & !eight & (EACH << 7)
}

/// The high bit of the first byte that is a quote, a backslash or a control character; none: 0. Bits above the first mean
/// nothing.
#[inline(always)]
fn ends_text(eight: u64) -> u64 {
    let control = eight.wrapping_sub(EACH * 0x20) & !eight & (EACH << 7);
    control | zeros(eight ^ (EACH * b'"' as u64)) | zeros(eight ^ (EACH * b'\\' as u64))
}

/// The same, and for what is not printable ASCII.
#[inline(always)]
pub(super) fn ends_plain_text(eight: u64) -> u64 {
    ends_text(eight) | zeros(eight ^ (EACH * 0x7f)) | (eight & (EACH << 7))
}

/// A number as JSON readers tell them apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

/// The digits from `start` on; with the place after them. No exponent. Up to 15 digits, digits and power of ten are exact floats, and one division rounds right (Clinger's fast
/// path). Whole numbers up to 18 digits fit an i64.
#[inline(always)]
pub(super) fn read_number(bytes: &[u8], start: usize, negative: bool) -> Option<(Number, usize)> {
    const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let (whole, point) = read_digits(bytes, start, 0);
    let whole_digits = point - start;
    if whole_digits == 0 || whole_digits > 18 || (whole_digits > 1 && bytes[start] == b'0') {
        return None;
    }
    match bytes.get(point) {
        Some(b'.') => {
            let (all, end) = read_digits(bytes, point + 1, whole);
            let decimals = end - point - 1;
            if decimals == 0 || matches!(bytes.get(end), Some(b'e' | b'E')) {
                return None;
            }
            let value = match POWERS.get(decimals) {
                Some(power) if whole_digits + decimals <= 15 => all as f64 / power,
                // Every last bit of a sensor's float.
                Some(_) | None => std::str::from_utf8(&bytes[start..end]).ok()?.parse().ok()?,
            };
            Some((Number::Float(if negative { -value } else { value }), end))
        }
        Some(b'e' | b'E') => None,
        // Minus zero is a float.
        Some(_) | None if negative => (whole > 0).then(|| (Number::Signed(-(whole as i64)), point)),
        Some(_) | None => Some((Number::Unsigned(whole), point)),
    }
}

/// `number` with the digits behind it, and where they end. Wraps when it gets too long: the caller counts the digits.
#[inline(always)]
fn read_digits(bytes: &[u8], mut at: usize, mut number: u64) -> (u64, usize) {
    while let Some(digit @ b'0'..=b'9') = bytes.get(at) {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        at += 1;
    }
    (number, at)
}
