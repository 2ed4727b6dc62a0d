//! One JSON value as it stood in the payload, and the checks that make a domain value of it.
//!
//! Parsing a value never fails for its type, so that one bad reading cannot throw away the message around it: the check
//! comes after, and says what was wrong in words. Never keeps what stands inside a list or an object.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::domain::component::UnknownWord;
use crate::domain::{Metric, Timestamp};

use super::refusal::RefusalKind;
use super::stamp;

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Scalar<'a> {
    /// Not sent, or sent as `null`: the same thing.
    #[default]
    Absent,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(Cow<'a, str>),
    List,
    Object,
}

/// What is wrong with a value. The text goes on after the field's name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Complaint {
    pub kind: RefusalKind,
    pub why: String,
}

/// What a number may be, ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub min: f64,
    pub max: f64,
    pub unit: &'static str,
}

impl From<Metric> for Range {
    fn from(metric: Metric) -> Self {
        let facts = metric.facts();
        Range { min: facts.min, max: facts.max, unit: facts.unit }
    }
}

impl Range {
    #[cold]
    fn left_by(self, value: f64) -> Complaint {
        let Range { min, max, unit } = self;
        let space = if unit.is_empty() { "" } else { " " };
        out_of_range(format!("is {value}{space}{unit}; it must be {min} to {max}{space}{unit}"))
    }
}

impl Scalar<'_> {
    #[inline]
    pub fn number(&self, range: Range) -> Result<Option<f64>, Complaint> {
        let value = match self {
            Scalar::Absent => return Ok(None),
            Scalar::Unsigned(n) => *n as f64,
            Scalar::Signed(n) => *n as f64,
            Scalar::Float(n) => *n,
            Scalar::Bool(_) | Scalar::Text(_) | Scalar::List | Scalar::Object => {
                return Err(self.wrong_type("send a number without quotes"));
            }
        };
        if (range.min..=range.max).contains(&value) {
            return Ok(Some(value));
        }
        Err(range.left_by(value))
    }

    #[inline]
    pub fn yes_no(&self) -> Result<Option<bool>, Complaint> {
        match self {
            Scalar::Absent => Ok(None),
            Scalar::Bool(value) => Ok(Some(*value)),
            Scalar::Unsigned(_)
            | Scalar::Signed(_)
            | Scalar::Float(_)
            | Scalar::Text(_)
            | Scalar::List
            | Scalar::Object => Err(self.wrong_type("send true or false without quotes")),
        }
    }

    /// 0 to `max`. `7.0` is a whole number too: some JSON writers know no other.
    pub fn whole(&self, max: u64) -> Result<Option<u64>, Complaint> {
        /// Up to here a float holds every whole number exactly.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let outside =
            || Err(out_of_range(format!("is {}; it must be a whole number from 0 to {max}", self.described())));
        let value = match self {
            Scalar::Absent => return Ok(None),
            Scalar::Unsigned(n) => *n,
            Scalar::Signed(_) => return outside(),
            Scalar::Float(n) if n.fract() != 0.0 => return Err(self.wrong_type("send a whole number")),
            Scalar::Float(n) if (0.0..=EXACT).contains(n) => *n as u64,
            Scalar::Float(_) => return outside(),
            Scalar::Bool(_) | Scalar::Text(_) | Scalar::List | Scalar::Object => {
                return Err(self.wrong_type("send a whole number without quotes"));
            }
        };
        if value > max { outside() } else { Ok(Some(value)) }
    }

    /// RFC 3339 text, or whole milliseconds since 1970.
    pub fn time(&self) -> Result<Option<Timestamp>, Complaint> {
        const REMEDY: &str = "send RFC 3339 text like \"2026-11-21T09:00:00.000Z\", or whole milliseconds since 1970";
        let (min, max) = (Timestamp::MIN.as_millis(), Timestamp::MAX.as_millis());
        let millis = match self {
            Scalar::Absent => return Ok(None),
            Scalar::Text(text) => return stamp::parse(text).map(Some).ok_or_else(|| self.wrong_type(REMEDY)),
            Scalar::Unsigned(n) => i64::try_from(*n).unwrap_or(i64::MAX),
            Scalar::Signed(n) => *n,
            Scalar::Float(n) if n.fract() == 0.0 => *n as i64,
            Scalar::Float(_) | Scalar::Bool(_) | Scalar::List | Scalar::Object => return Err(self.wrong_type(REMEDY)),
        };
        if (min..=max).contains(&millis) {
            Ok(Some(Timestamp::from_millis(millis)))
        } else {
            Err(out_of_range(format!("is {}; it must lie in the years 0001 to 9999", self.described())))
        }
    }

    /// At most `max` characters. Control characters become spaces, so that no list or mail is broken by them; an empty
    /// text is no text.
    pub fn text(&self, max: usize) -> Result<Option<Box<str>>, Complaint> {
        let text = match self {
            Scalar::Absent => return Ok(None),
            Scalar::Text(text) => text,
            Scalar::Bool(_)
            | Scalar::Unsigned(_)
            | Scalar::Signed(_)
            | Scalar::Float(_)
            | Scalar::List
            | Scalar::Object => return Err(self.wrong_type("send a text in quotes")),
        };
        // Bytes are never fewer than characters: nearly every text is known to fit without counting.
        if text.len() > max {
            let long = text.chars().count();
            if long > max {
                return Err(out_of_range(format!("has {long} characters; at most {max} are allowed")));
            }
        }
        if text.is_empty() {
            Ok(None)
        } else if !text.bytes().all(|b| matches!(b, b' '..=b'~')) && text.chars().any(char::is_control) {
            Ok(Some(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()))
        } else {
            Ok(Some(text.as_ref().into()))
        }
    }

    pub fn word<T: FromStr<Err = UnknownWord>>(&self) -> Result<Option<T>, Complaint> {
        match self {
            Scalar::Absent => Ok(None),
            Scalar::Text(text) => text.parse().map(Some).map_err(|e| out_of_range(format!("is {e}"))),
            Scalar::Bool(_)
            | Scalar::Unsigned(_)
            | Scalar::Signed(_)
            | Scalar::Float(_)
            | Scalar::List
            | Scalar::Object => Err(self.wrong_type("send one word in quotes")),
        }
    }

    #[cold]
    pub fn wrong_type(&self, remedy: &str) -> Complaint {
        Complaint { kind: RefusalKind::WrongType, why: format!("is {}; {remedy}", self.described()) }
    }

    fn described(&self) -> String {
        match self {
            Scalar::Absent => "null".to_owned(),
            Scalar::Bool(value) => value.to_string(),
            Scalar::Unsigned(n) => n.to_string(),
            Scalar::Signed(n) => n.to_string(),
            Scalar::Float(n) => n.to_string(),
            Scalar::Text(text) => format!("the text {:?}", text.chars().take(40).collect::<String>()),
            Scalar::List => "a list".to_owned(),
            Scalar::Object => "an object".to_owned(),
        }
    }
}

#[cold]
fn out_of_range(why: String) -> Complaint {
    Complaint { kind: RefusalKind::OutOfRange, why }
}

/// Reads what stands inside an object.
pub(super) trait Inside<'de> {
    type Value;
    fn read<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error>;
}

/// An object, read by an [`Inside`]; or the value that stood there in its stead.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape<'a, T> {
    Object(T),
    Scalar(Scalar<'a>),
}

impl<T> Default for Shape<'_, T> {
    fn default() -> Self {
        Shape::Scalar(Scalar::Absent)
    }
}

/// `map.next_value_seed(Any(inside))`
pub(super) struct Any<I>(pub I);

impl<'de, I: Inside<'de>> DeserializeSeed<'de> for Any<I> {
    type Value = Shape<'de, I::Value>;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de, I: Inside<'de>> Visitor<'de> for Any<I> {
    type Value = Shape<'de, I::Value>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Shape::Scalar(Scalar::Absent))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Shape::Scalar(Scalar::Bool(value)))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Shape::Scalar(Scalar::Unsigned(value)))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Shape::Scalar(Scalar::Signed(value)))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Shape::Scalar(Scalar::Float(value)))
    }
    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Shape::Scalar(Scalar::Text(Cow::Borrowed(value))))
    }
    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Shape::Scalar(Scalar::Text(Cow::Owned(value.to_owned()))))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        // serde_json skips ignored values without recursion: depth costs nothing.
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Shape::Scalar(Scalar::List))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        self.0.read(map).map(Shape::Object)
    }
}

/// Skips what stands inside.
struct Skip;

impl<'de> Inside<'de> for Skip {
    type Value = ();
    fn read<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

impl<'a, 'de: 'a> serde::Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(match Any(Skip).deserialize(d)? {
            Shape::Object(()) => Scalar::Object,
            Shape::Scalar(scalar) => scalar,
        })
    }
}

/// A key, borrowed from the payload unless it is written with escapes.
pub(super) struct Key<'a>(pub Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a key in quotes")
            }
            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }
            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        d.deserialize_str(KeyVisitor)
    }
}
