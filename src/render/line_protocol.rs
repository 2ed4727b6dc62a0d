//! InfluxDB's line protocol: what a point looks like in bytes, and where one line ends. Owns escaping. Never decides what is
//! written (`points`).
//!
//! ```text
//!   power,feeder=Hayatabad-3,site=Jinnah\ Park,unit=PSH-012 battery_v=12.41,mains=0i 1789980000000
//!   └ measurement └ tags, in the order given               └ fields                 └ ms since 1970
//! ```
//!
//! Design constraints
//! - Whatever the texts hold, one point is one line for every reader of the protocol, and no text ends another's place.
//! - Readers differ on a backslash in tags: some take `\\` for one, some for two. It becomes `＼` there, which nobody takes apart.
//! - What cannot be written (NaN, infinities, an empty tag) is left out; a point without a field is no point.

use std::io::Write;

use crate::domain::Timestamp;

/// Points of one bucket, one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    text: Vec<u8>,
    points: u32,
}

impl Lines {
    pub fn is_empty(&self) -> bool {
        self.points == 0
    }
    pub fn points(&self) -> u32 {
        self.points
    }
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }
    /// Text and number of points; leaves nothing behind.
    pub fn take(&mut self) -> (Vec<u8>, u32) {
        (std::mem::take(&mut self.text), std::mem::take(&mut self.points))
    }

    /// Begins a point. It counts when [`Point::at`] has ended it.
    pub fn point(&mut self, measurement: &str) -> Point<'_> {
        let start = self.text.len();
        escape(measurement, &mut self.text);
        Point { lines: self, start, fields: 0, ended: false }
    }
}

/// A point that is being written: its tags, then its fields, then its time. Dropped without a time, it was never there.
#[derive(Debug)]
pub struct Point<'a> {
    lines: &'a mut Lines,
    start: usize,
    fields: u32,
    ended: bool,
}

impl Point<'_> {
    /// Before the first field.
    pub fn tag(self, key: &str, value: &str) -> Self {
        debug_assert_eq!(self.fields, 0, "tags come first");
        if !value.is_empty() {
            let text = &mut self.lines.text;
            text.push(b',');
            escape(key, text);
            text.push(b'=');
            escape(value, text);
        }
        self
    }

    /// A figure. What is no number is left out.
    pub fn float(mut self, key: &str, value: impl Into<Option<f64>>) -> Self {
        if let Some(value) = value.into().filter(|v| v.is_finite()) {
            write!(self.field(key), "{value}").expect("a Vec takes every write");
        }
        self
    }

    /// A count, or yes (1) and no (0).
    pub fn whole(mut self, key: &str, value: impl Into<Option<i64>>) -> Self {
        if let Some(value) = value.into() {
            write!(self.field(key), "{value}i").expect("a Vec takes every write");
        }
        self
    }

    pub fn text<'t>(mut self, key: &str, value: impl Into<Option<&'t str>>) -> Self {
        if let Some(value) = value.into() {
            let text = self.field(key);
            text.push(b'"');
            for byte in value.bytes() {
                if matches!(byte, b'"' | b'\\') {
                    text.push(b'\\');
                }
                text.push(byte);
            }
            text.push(b'"');
        }
        self
    }

    /// Ends the point.
    pub fn at(mut self, at: Timestamp) {
        if self.fields > 0 {
            writeln!(self.lines.text, " {}", at.as_millis()).expect("a Vec takes every write");
            self.lines.points += 1;
            self.ended = true;
        }
    }

    fn field(&mut self, key: &str) -> &mut Vec<u8> {
        let text = &mut self.lines.text;
        text.push(if self.fields == 0 { b' ' } else { b',' });
        self.fields += 1;
        // After the tags a quote begins a text, wherever it stands.
        escape(&key.replace('"', "'"), text);
        text.push(b'=');
        text
    }
}

impl Drop for Point<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.lines.text.truncate(self.start);
        }
    }
}

/// Measurements, tags and keys.
fn escape(text: &str, out: &mut Vec<u8>) {
    for c in text.chars() {
        match c {
            ',' | '=' | ' ' => out.extend([b'\\', c as u8]),
            '\\' => out.extend("＼".as_bytes()),
            c if c.is_control() => out.extend("\u{fffd}".as_bytes()),
            c => out.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// The lines of `text`, each with its end: a text field may hold line ends of its own.
pub fn split(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        // Before the first space, which ends the tags, a quote is a letter like any other.
        let (mut in_fields, mut quoted, mut escaped) = (false, false, false);
        let end = rest.iter().position(|byte| {
            let was_escaped = escaped;
            escaped = *byte == b'\\' && !was_escaped;
            in_fields |= *byte == b' ' && !was_escaped;
            quoted ^= *byte == b'"' && !was_escaped && in_fields;
            *byte == b'\n' && !quoted
        });
        let (line, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
        rest = after;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use influxdb_line_protocol::{FieldValue, parse_lines};
    use proptest::prelude::*;

    use super::*;

    type Pairs = Vec<(String, String)>;
    /// Measurement, tags, fields, time.
    type Read = (String, Pairs, Pairs, Option<i64>);

    /// As another author's reader of the protocol understands it.
    fn read(lines: &Lines) -> Vec<Read> {
        let text = std::str::from_utf8(lines.as_bytes()).expect("UTF-8");
        let told = |value: &FieldValue<'_>| match value {
            FieldValue::F64(v) => format!("f {v:?}"),
            FieldValue::I64(v) => format!("i {v}"),
            FieldValue::String(v) => format!("s {v}"),
            FieldValue::U64(_) | FieldValue::Boolean(_) => panic!("never written"),
        };
        parse_lines(text)
            .map(|line| {
                let line = line.unwrap_or_else(|e| panic!("{e} in {text:?}"));
                let tags = line.series.tag_set.iter().flatten().map(|(k, v)| (k.to_string(), v.to_string())).collect();
                let fields = line.field_set.iter().map(|(k, v)| (k.to_string(), told(v))).collect();
                (line.series.measurement.to_string(), tags, fields, line.timestamp)
            })
            .collect()
    }

    fn in_a_tag(text: &str) -> String {
        text.chars()
            .map(|c| {
                if c == '\\' {
                    '＼'
                } else if c.is_control() {
                    '\u{fffd}'
                } else {
                    c
                }
            })
            .collect()
    }

    /// All that has a meaning of its own in the protocol, and what people write.
    fn any_text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("\\".to_owned()),
            Just("\"".to_owned()),
            Just(",".to_owned()),
            Just(" ".to_owned()),
            Just("=".to_owned()),
            Just("\n".to_owned()),
            Just("\r".to_owned()),
            Just("#".to_owned()),
            Just("قصہ خوانی".to_owned()),
            Just("\0".to_owned()),
            "[a-z]{1,3}",
            "\\PC",
        ];
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn whatever_the_texts_hold_another_reader_reads_what_was_written(
            tag in any_text(), text in any_text(), key in any_text(), figure in any::<f64>(), count in any::<i64>(), at in any::<i32>()
        ) {
            let mut lines = Lines::default();
            // A second point shows that the first kept to its line.
            for _ in 0..2 {
                lines
                    .point("power").tag("site", &tag).tag("unit", "PSH-001")
                    .text("why", text.as_str()).float("v", figure).whole("n", count).float(&format!("x.{key}"), 1.5)
                    .at(Timestamp::from_millis(i64::from(at)));
            }
            let read = read(&lines);
            prop_assert_eq!(read.len(), 2);
            let mut tags = vec![("site".to_owned(), in_a_tag(&tag)), ("unit".to_owned(), "PSH-001".to_owned())];
            tags.retain(|(_, value)| !value.is_empty());
            let mut fields = vec![
                ("why".to_owned(), format!("s {text}")),
                ("v".to_owned(), format!("f {figure:?}")),
                ("n".to_owned(), format!("i {count}")),
                (format!("x.{}", in_a_tag(&key).replace('"', "'")), "f 1.5".to_owned()),
            ];
            fields.retain(|(name, _)| name != "v" || figure.is_finite());
            for point in &read {
                prop_assert_eq!(point, &("power".to_owned(), tags.clone(), fields.clone(), Some(i64::from(at))));
            }
            let split: Vec<&[u8]> = split(lines.as_bytes()).collect();
            prop_assert_eq!(split.len(), 2, "two lines, whatever line ends their texts hold");
            prop_assert_eq!(split.concat(), lines.as_bytes());
        }
    }

    #[test]
    fn a_point_without_a_field_was_never_there() {
        let mut lines = Lines::default();
        lines
            .point("power")
            .tag("unit", "A")
            .float("v", f64::NAN)
            .float("w", f64::INFINITY)
            .whole("n", None)
            .at(Timestamp::default());
        let _ = lines.point("power").tag("unit", "A").float("v", 1.0);
        assert!(lines.is_empty() && lines.as_bytes().is_empty());
    }

    #[test]
    fn the_same_time_twice_is_two_lines_that_overwrite_each_other() {
        let mut lines = Lines::default();
        for v in [1.0, 2.0] {
            lines.point("power").tag("unit", "A").float("v", v).at(Timestamp::from_millis(5));
        }
        assert_eq!(lines.take(), (b"power,unit=A v=1 5\npower,unit=A v=2 5\n".to_vec(), 2));
        assert!(lines.is_empty());
    }
}
