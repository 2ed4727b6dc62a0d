//! A TOML file as blocks of keys that know their line, and the notes taken while reading it.
//!
//! Readers ask a [`Block`] for a key and the [`Item`] for a kind of value; what is not there or does not fit is noted
//! with its line and remedy, and reading goes on. Never knows what a key means. Never shows the value of a key that
//! could be a secret.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::duration::{FORM, duration_text, parse_duration};
use super::problem::{Problem, Problems};
use super::spelling::{choice, nearest, quoted};
use crate::domain::component::UnknownWord;

type Table<'d> = DeTable<'d>;
type Value<'d> = DeValue<'d>;

/// Where problems are written down while a file is read.
pub struct Notes {
    file: String,
    /// Byte offset of each line's first byte.
    starts: Vec<usize>,
    list: RefCell<Vec<Problem>>,
}

impl Notes {
    pub fn say(&self, line: u32, what: impl Into<String>) {
        self.list.borrow_mut().push(Problem { file: self.file.clone(), line: Some(line), what: what.into() });
    }
    fn line_at(&self, offset: usize) -> u32 {
        self.starts.partition_point(|start| *start <= offset).max(1) as u32
    }
}

pub struct Document<'d> {
    root: Table<'d>,
    notes: Notes,
}

impl<'d> Document<'d> {
    /// Err: not TOML. Only the first such mistake is told, the rest are mostly its echoes; keys that stand twice are
    /// noted and the first one is read.
    pub fn read(file: &str, text: &'d str) -> Result<Document<'d>, Problems> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        let notes = Notes { file: file.to_owned(), starts, list: RefCell::default() };
        let (root, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let offset = error.span().map_or(0, |s| s.start);
            let line = notes.line_at(offset);
            if error.message().starts_with("duplicate key") {
                let key = error.span().and_then(|s| text.get(s)).unwrap_or("?");
                notes.say(line, format!("{} stands twice in one block; keep one of them", quoted(key.trim())));
            } else {
                let source = text.lines().nth(line as usize - 1).unwrap_or("");
                return Err(Problems::one(file, Some(line), syntax_remedy(error.message(), source)));
            }
        }
        Ok(Document { root: root.into_inner(), notes })
    }

    pub fn root(&self) -> Block<'_> {
        let layer = Layer { table: &self.root, line: 1, who: String::new(), path: String::new() };
        Block { notes: &self.notes, layers: vec![layer] }
    }

    /// The value, if nothing was noted.
    pub fn finish<T>(self, value: T) -> Result<T, Problems> {
        match Problems::gather(self.notes.list.into_inner()) {
            Some(problems) => Err(problems),
            None => Ok(value),
        }
    }
}

/// The parser says what it expected; a person needs to know what to write.
fn syntax_remedy(message: &str, source: &str) -> String {
    let remedy = if source.contains(['“', '”', '‘', '’', '„']) {
        "this line has curly quotes, as a word processor makes them; write straight ones: \""
    } else if message.contains("unquoted") || message.contains("must be quoted") || message.contains("literal string") {
        "put text in straight quotes: \"…\"; numbers, true and false stand without"
    } else if message.contains("invalid basic string") || message.contains("unclosed") && message.contains("string") {
        "a text must end with \" on the same line; write a \\ inside it as \\\\"
    } else if message.contains("table") && message.contains("unclosed") {
        "close what was opened: [[rule]] has two brackets at each end, { … } its brace"
    } else if message.contains("array") {
        "close the list with ] and put a comma between its parts"
    } else if message.contains("`=`") || message.contains("key with no value") {
        "a line is: key = value; comments start with #"
    } else if message.contains("recurs") {
        "lists and braces are nested too deeply here"
    } else {
        "a line is key = value, text stands in \"quotes\", lists in [ ] and groups in { } with commas between, comments after #"
    };
    // The message names what was expected, never what stands there: a line could hold a password.
    format!("this line cannot be read ({message}); {remedy}")
}

#[derive(Clone)]
struct Layer<'a> {
    table: &'a Table<'a>,
    line: u32,
    /// Stands before each message: `rule "battery-low": `.
    who: String,
    /// Stands before each key: `silent.`.
    path: String,
}

/// `[block]`, one of `[[blocks]]`, or `{ … }`. An override lies over its rule: its keys count first.
#[derive(Clone)]
pub struct Block<'a> {
    notes: &'a Notes,
    /// The upper first; never empty.
    layers: Vec<Layer<'a>>,
}

impl<'a> Block<'a> {
    fn top(&self) -> &Layer<'a> {
        self.layers.first().expect("a block has at least one layer")
    }
    /// What both layers of a block lack, the lower one lacks by itself: problems of the whole are told about it, once.
    fn bottom(&self) -> &Layer<'a> {
        self.layers.last().expect("a block has at least one layer")
    }
    /// The same block, with its name before each message.
    pub fn called(mut self, who: impl Into<String>) -> Self {
        let who = who.into();
        let top = self.layers.first_mut().expect("a block has at least one layer");
        // Inside a named block the key's path would only repeat the name.
        top.path.clear();
        top.who = who;
        self
    }
    /// This block's keys first, then those of `base`.
    pub fn over(mut self, base: &Block<'a>) -> Self {
        self.layers.extend(base.layers.iter().cloned());
        self
    }
    /// What stands before each of its messages.
    pub fn called_by(&self) -> &str {
        &self.top().who
    }

    pub fn line(&self) -> u32 {
        self.top().line
    }

    /// A problem of the block as a whole.
    pub fn wrong(&self, what: impl Display) {
        self.wrong_at(self.bottom().line, what);
    }
    pub fn wrong_at(&self, line: u32, what: impl Display) {
        self.notes.say(line, format!("{}{what}", self.bottom().who));
    }

    pub fn has(&self, key: &str) -> bool {
        self.layers.iter().any(|l| l.table.contains_key(key))
    }
    pub fn get(&self, key: &str) -> Option<Item<'a>> {
        self.layers.iter().find_map(|layer| {
            let (name, value) = layer.table.get_key_value(key)?;
            Some(self.item(layer, name.get_ref(), name.span().start, value))
        })
    }
    /// Notes that the key is missing, with `remedy`.
    pub fn need(&self, key: &str, remedy: &str) -> Option<Item<'a>> {
        let item = self.get(key);
        if item.is_none() {
            self.wrong(format_args!("{}{key} is missing; {remedy}", self.bottom().path));
        }
        item
    }
    fn item(&self, layer: &Layer<'a>, name: &str, offset: usize, value: &'a Spanned<Value<'a>>) -> Item<'a> {
        Item {
            notes: self.notes,
            key: format!("{}{name}", layer.path),
            line: self.notes.line_at(offset),
            value: value.get_ref(),
            who: layer.who.clone(),
        }
    }
    /// Its own keys with their items, in the order of the file.
    pub fn items(&self) -> Vec<(&'a str, Item<'a>)> {
        let layer = self.top();
        let mut items: Vec<_> = layer
            .table
            .iter()
            .map(|(name, value)| {
                let offset = name.span().start;
                (offset, name.get_ref().as_ref(), self.item(layer, name.get_ref(), offset, value))
            })
            .collect();
        items.sort_by_key(|(offset, _, _)| *offset);
        items.into_iter().map(|(_, name, item)| (name, item)).collect()
    }
    /// The key's block; for a block that lies over another, their keys combine.
    pub fn sub(&self, key: &str) -> Option<Block<'a>> {
        let mut layers = Vec::new();
        for layer in &self.layers {
            let Some((name, value)) = layer.table.get_key_value(key) else { continue };
            let block = self.item(layer, name.get_ref(), name.span().start, value).block()?;
            layers.extend(block.layers);
        }
        if layers.is_empty() { None } else { Some(Block { notes: self.notes, layers }) }
    }
    /// Each `[[key]]`; `[key]` with single brackets is noted and read as one.
    pub fn blocks(&self, key: &str) -> Vec<Block<'a>> {
        let Some(item) = self.get(key) else { return Vec::new() };
        let path = &self.top().path;
        match item.value {
            DeValue::Array(list) => {
                let blocks = list.iter().filter_map(|value| match value.get_ref() {
                    DeValue::Table(table) => Some(Block {
                        notes: self.notes,
                        layers: vec![Layer {
                            table,
                            line: self.notes.line_at(value.span().start),
                            who: self.top().who.clone(),
                            path: String::new(),
                        }],
                    }),
                    _ => {
                        let line = self.notes.line_at(value.span().start);
                        self.notes.say(line, format!("{} must be blocks; start each with [[{path}{key}]]", item.key));
                        None
                    }
                });
                blocks.collect()
            }
            DeValue::Table(_) => {
                item.wrong(format_args!("stands in single brackets; write [[{}]]", item.key));
                item.block().map(|b| b.called(item.who.clone())).into_iter().collect()
            }
            _ => {
                item.wrong(format_args!("must be blocks; start each with [[{}]]", item.key));
                Vec::new()
            }
        }
    }

    /// Notes every own key that is not known. `remark` may know better than the spelling what was meant.
    pub fn only_keys(&self, known: &[&str], remark: impl Fn(&str) -> Option<String>) {
        for (name, item) in self.items() {
            if known.contains(&name) {
                continue;
            }
            let remedy = remark(name).unwrap_or_else(|| match nearest(name, known.iter().copied()) {
                Some(word) => format!("did you mean {word}?"),
                None => format!("the keys here are: {}", known.join(", ")),
            });
            let path = &self.top().path;
            let place = if path.is_empty() { String::new() } else { format!("{} has ", path.trim_end_matches('.')) };
            let no = if path.is_empty() { "unknown" } else { "an unknown" };
            self.wrong_at(item.line, format_args!("{place}{no} key {}; {remedy}", quoted(name)));
        }
    }
}

/// One key and its value.
pub struct Item<'a> {
    notes: &'a Notes,
    pub key: String,
    pub line: u32,
    value: &'a Value<'a>,
    who: String,
}

impl<'a> Item<'a> {
    /// `what` follows the key's name: `must be above 0 (got -1)`.
    pub fn wrong(&self, what: impl Display) {
        self.notes.say(self.line, format!("{}{} {what}", self.who, self.key));
    }

    /// What stands before each of its messages.
    pub fn called_by(&self) -> &str {
        &self.who
    }

    /// Do both stand in the same block? (If not, one of them is an override's.)
    pub fn stands_with(&self, other: &Item<'_>) -> bool {
        self.who == other.who
    }

    /// ` (got 5)`, for a person to recognise what they wrote; empty where that could tell a secret.
    pub fn got(&self) -> String {
        const SECRET: [&str; 6] = ["password", "secret", "token", "key", "username", "url"];
        if SECRET.iter().any(|word| self.key.contains(word)) {
            return String::new();
        }
        let shown = match self.value {
            DeValue::String(text) => quoted(text),
            DeValue::Integer(n) => n.to_string(),
            DeValue::Float(n) => n.to_string(),
            DeValue::Boolean(b) => b.to_string(),
            DeValue::Datetime(d) => d.to_string(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a group of keys".to_owned(),
        };
        format!(" (got {shown})")
    }

    pub fn text(&self) -> Option<&'a str> {
        match self.value {
            DeValue::String(text) => Some(text),
            _ => {
                self.wrong(format_args!("must be text in quotes{}", self.got()));
                None
            }
        }
    }
    /// Text with something in it.
    pub fn words(&self) -> Option<&'a str> {
        let text = self.text()?;
        if text.trim().is_empty() {
            self.wrong("is empty; write something or drop the line");
            return None;
        }
        Some(text.trim())
    }
    /// Text that `parse` takes. Err: what follows "cannot be …; ".
    pub fn parsed<T, E: Display>(&self, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let text = self.text()?;
        parse(text).map_err(|e| self.wrong(format_args!("cannot be used: {e}"))).ok()
    }
    /// One of a closed set of words.
    pub fn word<T: FromStr<Err = UnknownWord>>(&self) -> Option<T> {
        let text = self.text()?;
        let unknown =
            |e: UnknownWord| self.wrong(format_args!("cannot be {}; {}", quoted(text), choice(text, &e.known)));
        text.trim().parse().map_err(unknown).ok()
    }
    pub fn flag(&self) -> Option<bool> {
        match self.value {
            DeValue::Boolean(b) => Some(*b),
            _ => {
                self.wrong(format_args!("must be true or false, without quotes{}", self.got()));
                None
            }
        }
    }
    /// None, and nothing noted: it is not true or false.
    pub fn as_flag(&self) -> Option<bool> {
        self.value.as_bool()
    }
    /// None, and nothing noted: it is no text.
    pub fn as_text(&self) -> Option<&'a str> {
        self.value.as_str()
    }
    pub fn is_number(&self) -> bool {
        self.value.is_integer() || self.value.is_float()
    }
    pub fn is_group(&self) -> bool {
        self.value.is_table()
    }
    pub fn is_list(&self) -> bool {
        self.value.is_array()
    }
    pub fn number(&self) -> Option<f64> {
        let number = match self.value {
            DeValue::Integer(n) => whole_number(n.as_str(), n.radix()).map(|n| n as f64),
            DeValue::Float(n) => n.as_str().parse::<f64>().ok(),
            DeValue::String(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                None
            }
        };
        let number = number.filter(|n| n.is_finite());
        if number.is_none() {
            match self.as_text().and_then(|t| t.trim().parse::<f64>().ok()).filter(|n| n.is_finite()) {
                Some(n) => self.wrong(format_args!("must stand without quotes: write {} = {n}", self.last_name())),
                None => self.wrong(format_args!("must be a number{}", self.got())),
            }
        }
        number
    }
    pub fn number_in(&self, range: RangeInclusive<f64>) -> Option<f64> {
        let number = self.number()?;
        if !range.contains(&number) {
            self.wrong(format_args!("must be from {} to {}{}", range.start(), range.end(), self.got()));
            return None;
        }
        Some(number)
    }
    pub fn whole(&self, range: RangeInclusive<u32>) -> Option<u32> {
        let number = match self.value {
            DeValue::Integer(n) => whole_number(n.as_str(), n.radix()),
            DeValue::Float(_)
            | DeValue::String(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => None,
        };
        let number = number.and_then(|n| u32::try_from(n).ok()).filter(|n| range.contains(n));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            self.wrong(format_args!("must be a whole number from {least} to {most}{}", self.got()));
        }
        number
    }
    pub fn span(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let Some(span) = self.as_text().and_then(parse_duration) else {
            let hint = match self.value {
                DeValue::Integer(n) => format!("says no unit: is {n} seconds, minutes or hours? {}", capital(FORM)),
                DeValue::Float(_)
                | DeValue::String(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Array(_)
                | DeValue::Table(_) => format!("is no span of time{}; {FORM}", self.got()),
            };
            self.wrong(hint);
            return None;
        };
        if span < *range.start() {
            self.wrong(format_args!(
                "must be at least {} (got {})",
                duration_text(*range.start()),
                duration_text(span)
            ));
        } else if span > *range.end() {
            self.wrong(format_args!("must be at most {} (got {})", duration_text(*range.end()), duration_text(span)));
        } else {
            return Some(span);
        }
        None
    }
    /// A span within the range, or none at all: "0s".
    pub fn span_or_zero(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        match self.as_text().and_then(parse_duration) {
            Some(Duration::ZERO) => Some(Duration::ZERO),
            Some(_) | None => self.span(range),
        }
    }
    /// The parts of a list; a single value is a list of one.
    pub fn list(&self) -> Vec<Item<'a>> {
        match self.value {
            DeValue::Array(list) => list
                .iter()
                .map(|value| Item {
                    notes: self.notes,
                    key: self.key.clone(),
                    line: self.notes.line_at(value.span().start),
                    value: value.get_ref(),
                    who: self.who.clone(),
                })
                .collect(),
            _ => vec![Item {
                notes: self.notes,
                key: self.key.clone(),
                line: self.line,
                value: self.value,
                who: self.who.clone(),
            }],
        }
    }
    /// One text or a list of them, none of them empty.
    pub fn texts(&self) -> Option<Vec<&'a str>> {
        let parts: Vec<Option<&str>> = self.list().iter().map(Item::words).collect();
        parts.into_iter().collect()
    }
    pub fn block(&self) -> Option<Block<'a>> {
        match self.value {
            DeValue::Table(table) => {
                let layer = Layer { table, line: self.line, who: self.who.clone(), path: format!("{}.", self.key) };
                Some(Block { notes: self.notes, layers: vec![layer] })
            }
            _ => {
                self.wrong(format_args!("must be a group of keys: {} = {{ … }}{}", self.last_name(), self.got()));
                None
            }
        }
    }
    /// The key itself, without its path.
    pub fn last_name(&self) -> &str {
        self.key.rsplit('.').next().unwrap_or(&self.key)
    }
}

fn whole_number(digits: &str, radix: u32) -> Option<i64> {
    i64::from_str_radix(digits, radix).ok()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
