//! Picking rows of the lists that come whole, with the language of the large ones (`config::query`). Never fetches or prints.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::str::FromStr;

use crate::config::query::{FORM, check_query};
use crate::domain::Timestamp;
use crate::domain::query::{Field, FieldKind, Fields, Op, Value};
use crate::render::table::Record;

/// `field=value`, `field!=value`, `field~part`: one or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(String);

impl FromStr for Filter {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if Op::ALL.iter().any(|op| text.contains(op.sign())) {
            Ok(Filter(text.to_owned()))
        } else {
            Err(FORM.to_owned())
        }
    }
}

/// Values of one field given several times with `=` are alternatives; everything else must all be so.
/// Err: fields or words that these rows do not have.
pub fn pick<R: Record>(rows: Vec<R>, filters: &[Filter]) -> Result<Vec<R>, String> {
    let texts: Vec<&str> = filters.iter().map(|f| f.0.as_str()).collect();
    let query = check_query::<Column<R>>(&texts, None).map_err(|problems| problems.join("\n"))?;
    // No field of these rows is compared with the time of now.
    Ok(query.pick(rows.into_iter().map(Row), Timestamp::default()).map(|Row(row)| row).items)
}

/// A field by its place.
struct Column<R>(usize, PhantomData<R>);

impl<R> Clone for Column<R> {
    fn clone(&self) -> Self {
        Column(self.0, PhantomData)
    }
}

impl<R> PartialEq for Column<R> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<R: Record> Field for Column<R> {
    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(R::FIELDS[self.0])
    }
    fn kind(&self) -> FieldKind {
        match R::words(R::FIELDS[self.0]) {
            Some(words) => FieldKind::Word { words, ranked: false },
            None => FieldKind::Text,
        }
    }
    fn meaning(&self) -> &'static str {
        "as in --output csv"
    }
    fn known() -> Vec<Self> {
        (0..R::FIELDS.len()).map(|place| Column(place, PhantomData)).collect()
    }
}

struct Row<R>(R);

impl<R: Record> Fields<Column<R>> for Row<R> {
    fn value(&self, column: &Column<R>) -> Value<'_> {
        let text = self.0.values().swap_remove(column.0);
        if text.is_empty() {
            return Value::Nothing;
        }
        if !text.contains(';') {
            return Value::Text(Cow::Owned(text));
        }
        let parts = text.split(';').map(|part| Cow::Owned(part.to_owned()));
        Value::Texts(parts.chain([Cow::Owned(text.clone())]).collect())
    }
    fn key(&self) -> String {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone)]
    struct Row(&'static str, &'static str, &'static str);
    impl Record for Row {
        const FIELDS: &'static [&'static str] = &["unit", "city", "readiness"];
        fn values(&self) -> Vec<String> {
            vec![self.0.to_owned(), self.1.to_owned(), self.2.to_owned()]
        }
        fn words(field: &str) -> Option<Vec<&'static str>> {
            (field == "readiness").then(|| vec!["ready", "silent"])
        }
    }

    fn check(filters: &str) -> Result<String, String> {
        let rows = vec![Row("a", "Peshawar", "ready"), Row("b", "Mardan", "silent"), Row("c", "پشاور", "silent")];
        let filters = if filters.is_empty() { Vec::new() } else { vec![filters.parse()?] };
        pick(rows, &filters).map(|rows| rows.iter().map(|r| r.0).collect())
    }

    #[test]
    fn rows_are_picked_by_what_their_fields_say() {
        let cases = [
            ("", "abc"),
            ("city=peshawar", "a"),
            ("city=پشاور", "c"),
            ("CITY!=Peshawar", "bc"),
            ("city=peshawar city=mardan", "ab"),
            ("readiness=silent city!=mardan", "c"),
            ("city!=peshawar city!=mardan", "c"),
            ("city=", ""),
            ("city!=", "abc"),
            ("unit=x=y", ""),
            ("unit=x!=y", ""),
        ];
        for (filters, want) in cases {
            assert_eq!(check(filters).as_deref(), Ok(want), "{filters}");
        }
    }

    #[test]
    fn a_wrong_field_or_word_is_told_with_the_one_that_was_meant() {
        assert_eq!(
            check("ctiy=peshawar").err().as_deref(),
            Some("there is no field \"ctiy\" (did you mean city?). The fields are: unit, city, readiness")
        );
        assert_eq!(
            check("readiness=redy").err().as_deref(),
            Some("readiness is never \"redy\" (did you mean ready?). It is one of: ready, silent")
        );
        assert!(check("colour=pink").err().unwrap().starts_with("there is no field \"colour\". The"));
        assert!(check("city").is_err());
        assert!(check("=x").is_err());
        assert!(check("!=x").is_err());
    }
}
