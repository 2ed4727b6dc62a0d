//! Picking, ordering and paging rows by what their fields say: `readiness!=ready battery.voltage<11.8 silent>10m`.
//! Owns what a condition means. Never reads text (`config::query` does), never knows where rows come from.

mod fields;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

pub use fields::{AlertField, IncidentField, OrderField, UnitColumn, UnitField};

/// A list's fields, each with what it can be compared with.
pub trait Field: Clone + PartialEq + Sized {
    fn name(&self) -> Cow<'static, str>;
    fn kind(&self) -> FieldKind;
    /// One line for people.
    fn meaning(&self) -> &'static str;
    /// All that can be listed, in the order in which people should read them.
    fn known() -> Vec<Self>;
    /// Also takes names that cannot be listed, such as a vendor's own readings.
    fn named(name: &str) -> Option<Self> {
        Self::known().into_iter().find(|f| f.name().eq_ignore_ascii_case(name))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    /// Only these words. `ranked`: lowest first, so that `<` and `>` mean something.
    Word {
        words: Vec<&'static str>,
        ranked: bool,
    },
    /// yes or no.
    Flag,
    /// With what it is measured in; empty: a plain number.
    Number {
        unit: &'static str,
    },
    /// A moment. Compared with a span it is how long ago that was.
    Time,
    /// How long something has lasted, or is still left (negative: over by so much).
    Span,
}

/// What a row says in one field.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    Nothing,
    Text(Cow<'a, str>),
    /// Any of these.
    Texts(Vec<Cow<'a, str>>),
    Flag(bool),
    Number(f64),
    Time(Timestamp),
    /// Milliseconds.
    Span(i64),
    /// Longer than any span: never heard at all.
    Forever,
}

impl<'a> Value<'a> {
    pub fn text(text: &'a str) -> Self {
        if text.is_empty() { Value::Nothing } else { Value::Text(Cow::Borrowed(text)) }
    }
    pub fn maybe(text: Option<&'a str>) -> Self {
        text.map_or(Value::Nothing, Value::text)
    }
    pub fn flag(is: bool) -> Self {
        Value::Flag(is)
    }
    pub fn number(number: Option<f64>) -> Self {
        number.map_or(Value::Nothing, Value::Number)
    }
    pub fn count(count: usize) -> Self {
        Value::Number(count as f64)
    }
    pub fn time(at: Option<Timestamp>) -> Self {
        at.map_or(Value::Nothing, Value::Time)
    }
    pub fn list(texts: impl IntoIterator<Item = Cow<'a, str>>) -> Self {
        let texts: Vec<_> = texts.into_iter().collect();
        if texts.is_empty() { Value::Nothing } else { Value::Texts(texts) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Is,
    IsNot,
    Contains,
    ContainsNot,
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Op {
    /// Longer signs first, so that the first that fits is the one that was written.
    pub const ALL: &'static [Op] =
        &[Op::IsNot, Op::ContainsNot, Op::AtMost, Op::AtLeast, Op::Is, Op::Contains, Op::Below, Op::Above];

    pub const fn sign(self) -> &'static str {
        match self {
            Op::Is => "=",
            Op::IsNot => "!=",
            Op::Contains => "~",
            Op::ContainsNot => "!~",
            Op::Below => "<",
            Op::AtMost => "<=",
            Op::Above => ">",
            Op::AtLeast => ">=",
        }
    }

    fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Op::Below => ordering.is_lt(),
            Op::AtMost => ordering.is_le(),
            Op::Above => ordering.is_gt(),
            Op::AtLeast => ordering.is_ge(),
            Op::Is | Op::IsNot | Op::Contains | Op::ContainsNot => false,
        }
    }
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// The field says nothing.
    Nothing,
    /// In small letters.
    Text(String),
    /// One of the words, with its rank among them.
    Rank {
        rank: usize,
        words: Vec<&'static str>,
    },
    Flag(bool),
    Number(f64),
    /// Milliseconds.
    Span(i64),
    Time(Timestamp),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    pub op: Op,
    pub operand: Operand,
}

/// One field's condition: one of its tests must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause<F> {
    pub field: F,
    pub any: Vec<Test>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Sort<F> {
    pub field: F,
    /// Largest first. What says nothing comes last either way.
    pub falling: bool,
}

/// Which rows, in which order, and which part of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Query<F> {
    /// All of them must hold.
    pub clauses: Vec<Clause<F>>,
    /// None: the list's own order.
    pub sort: Option<Sort<F>>,
    /// What each row should tell beside its own fields; of units: readings.
    pub also: Vec<F>,
    /// None: all.
    pub limit: Option<usize>,
    /// Only rows behind this one.
    pub after: Option<Cursor>,
}

impl Query<UnitField> {
    /// The nearest first; units of which nobody knows where they stand come last.
    pub fn near(self, place: (f64, f64)) -> Self {
        Query { sort: Some(Sort { field: UnitField::Distance { from: place }, falling: false }), ..self }
    }
}

impl<F> Default for Query<F> {
    fn default() -> Self {
        Query { clauses: Vec::new(), sort: None, also: Vec::new(), limit: None, after: None }
    }
}

/// A place in a list that holds while rows come and go: the last row's key, and what it said in the sorted field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    pub sort: SortKey,
    pub key: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SortKey {
    Number(f64),
    Text(String),
    Nothing,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// How many rows there are on all pages.
    pub total: usize,
    /// Where the next page begins. None: this is the last.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    pub fn whole(items: Vec<T>) -> Self {
        Page { total: items.len(), items, next: None }
    }
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), total: self.total, next: self.next }
    }
}

/// A row that can be asked for its fields.
pub trait Fields<F> {
    fn value(&self, field: &F) -> Value<'_>;
    /// Different for each row, and in the list's own order.
    fn key(&self) -> String;
}

impl<F> Query<F> {
    pub fn holds(&self, row: &impl Fields<F>, now: Timestamp) -> bool {
        self.clauses.iter().all(|clause| {
            let value = row.value(&clause.field);
            clause.any.iter().any(|test| test.holds(&value, now))
        })
    }

    /// Rows come in the list's own order.
    pub fn pick<R: Fields<F>>(&self, rows: impl Iterator<Item = R>, now: Timestamp) -> Page<R> {
        let mut picked: Vec<(SortKey, R)> = rows
            .filter(|row| self.holds(row, now))
            .map(|row| (self.sort.as_ref().map_or(SortKey::Nothing, |s| SortKey::of(&row.value(&s.field))), row))
            .collect();
        let total = picked.len();
        let limit = self.limit.unwrap_or(usize::MAX);
        let falling = self.sort.as_ref().is_some_and(|s| s.falling);
        let order = |a: &SortKey, b: &SortKey| a.order(b, falling);
        // A place in the list is told by keys, so they must have an order as soon as there are pages.
        if self.sort.is_some() || self.after.is_some() || limit < total {
            picked.sort_by_cached_key(|(_, row)| row.key());
        }
        if self.sort.is_some() {
            picked.sort_by(|(a, _), (b, _)| order(a, b));
        }
        if let Some(after) = &self.after {
            let passed = picked.partition_point(|(sort, row)| {
                order(sort, &after.sort).then_with(|| row.key().cmp(&after.key)).is_le()
            });
            picked.drain(..passed);
        }
        let more = picked.len() > limit;
        picked.truncate(limit);
        let next = picked.last().filter(|_| more).map(|(sort, row)| Cursor { sort: sort.clone(), key: row.key() });
        Page { items: picked.into_iter().map(|(_, row)| row).collect(), total, next }
    }
}

impl Test {
    pub fn holds(&self, value: &Value<'_>, now: Timestamp) -> bool {
        match self.op {
            Op::Is => self.is(value, now),
            Op::IsNot => !self.is(value, now),
            Op::Contains => self.is_in(value),
            Op::ContainsNot => !self.is_in(value),
            Op::Below | Op::AtMost | Op::Above | Op::AtLeast => {
                self.operand.compared(value, now).is_some_and(|ordering| self.op.accepts(ordering))
            }
        }
    }

    fn is(&self, value: &Value<'_>, now: Timestamp) -> bool {
        match (&self.operand, value) {
            (Operand::Nothing, value) => *value == Value::Nothing,
            (Operand::Text(asked), Value::Text(text)) => same(text, asked),
            (Operand::Text(asked), Value::Texts(texts)) => texts.iter().any(|text| same(text, asked)),
            (operand, value) => operand.compared(value, now) == Some(Ordering::Equal),
        }
    }

    fn is_in(&self, value: &Value<'_>) -> bool {
        let Operand::Text(asked) = &self.operand else { return false };
        let has = |text: &str| text.to_lowercase().contains(asked.as_str());
        match value {
            Value::Text(text) => has(text),
            Value::Texts(texts) => texts.iter().any(|text| has(text)),
            Value::Nothing | Value::Flag(_) | Value::Number(_) | Value::Time(_) | Value::Span(_) | Value::Forever => {
                false
            }
        }
    }
}

/// `small` is in small letters already.
fn same(text: &str, small: &str) -> bool {
    text.chars().flat_map(char::to_lowercase).eq(small.chars())
}

impl Operand {
    /// How the row's value stands to this. None: they have nothing to do with each other.
    fn compared(&self, value: &Value<'_>, now: Timestamp) -> Option<Ordering> {
        match (value, self) {
            (Value::Flag(is), Operand::Flag(asked)) => Some(is.cmp(asked)),
            (Value::Number(number), Operand::Number(asked)) => number.partial_cmp(asked),
            (Value::Time(at), Operand::Time(asked)) => Some(at.cmp(asked)),
            (Value::Time(at), Operand::Span(asked)) => Some((now.as_millis() - at.as_millis()).cmp(asked)),
            (Value::Span(span), Operand::Span(asked)) => Some(span.cmp(asked)),
            (Value::Forever, Operand::Span(_)) => Some(Ordering::Greater),
            (Value::Text(text), Operand::Rank { rank, words }) => {
                words.iter().position(|w| w == text).map(|r| r.cmp(rank))
            }
            _ => None,
        }
    }
}

impl SortKey {
    fn of(value: &Value<'_>) -> Self {
        match value {
            Value::Nothing => SortKey::Nothing,
            Value::Text(text) => SortKey::Text(text.to_lowercase()),
            Value::Texts(texts) => SortKey::Text(texts.join(";").to_lowercase()),
            Value::Flag(is) => SortKey::Number(f64::from(u8::from(*is))),
            Value::Number(number) => SortKey::Number(*number),
            Value::Time(at) => SortKey::Number(at.as_millis() as f64),
            Value::Span(span) => SortKey::Number(*span as f64),
            Value::Forever => SortKey::Number(f64::MAX),
        }
    }

    fn order(&self, other: &SortKey, falling: bool) -> Ordering {
        let turned = |o: Ordering| if falling { o.reverse() } else { o };
        match (self, other) {
            (SortKey::Nothing, SortKey::Nothing) => Ordering::Equal,
            (SortKey::Nothing, _) => Ordering::Greater,
            (_, SortKey::Nothing) => Ordering::Less,
            (SortKey::Number(a), SortKey::Number(b)) => turned(a.total_cmp(b)),
            (SortKey::Text(a), SortKey::Text(b)) => turned(a.cmp(b)),
            (SortKey::Number(_), SortKey::Text(_)) => Ordering::Less,
            (SortKey::Text(_), SortKey::Number(_)) => Ordering::Greater,
        }
    }
}
