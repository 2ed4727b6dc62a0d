//! Picking rows by field: `city=peshawar readiness!=ready`. Never fetches or prints.

use std::str::FromStr;

use crate::render::table::Record;

/// `field=value` or `field!=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    field: String,
    equal: bool,
    /// In small letters: people do not remember how the spreadsheet wrote it.
    value: String,
}

impl FromStr for Filter {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (field, value, equal) = match (text.split_once("!="), text.split_once('=')) {
            // The first sign decides: a value may hold either.
            (Some((a, b)), Some((field, _))) if a.len() < field.len() => (a, b, false),
            (_, Some((field, value))) => (field, value, true),
            (_, None) => return Err("write it as field=value or field!=value".to_owned()),
        };
        let field = field.trim();
        if field.is_empty() {
            return Err("a field's name must stand before the =".to_owned());
        }
        Ok(Filter { field: field.to_owned(), equal, value: value.trim().to_lowercase() })
    }
}

/// Values of one field given several times with `=` are alternatives; everything else must all be so.
/// Err: a field or word that these rows do not have.
pub fn pick<R: Record>(rows: Vec<R>, filters: &[Filter]) -> Result<Vec<R>, String> {
    let mut wanted: Vec<(usize, Vec<&str>)> = Vec::new();
    let mut unwanted: Vec<(usize, &str)> = Vec::new();
    for filter in filters {
        let index = find_field::<R>(&filter.field)?;
        check_word::<R>(index, &filter.value)?;
        if !filter.equal {
            unwanted.push((index, &filter.value));
        } else if let Some((_, values)) = wanted.iter_mut().find(|(i, _)| *i == index) {
            values.push(&filter.value);
        } else {
            wanted.push((index, vec![&filter.value]));
        }
    }
    let is = |value: &str, asked: &str| {
        let value = value.to_lowercase();
        value == asked || value.split(';').any(|part| part == asked)
    };
    Ok(rows
        .into_iter()
        .filter(|row| {
            let values = row.values();
            wanted.iter().all(|(i, any)| any.iter().any(|v| is(&values[*i], v)))
                && !unwanted.iter().any(|(i, v)| is(&values[*i], v))
        })
        .collect())
}

fn find_field<R: Record>(name: &str) -> Result<usize, String> {
    if let Some(index) = R::FIELDS.iter().position(|f| f.eq_ignore_ascii_case(name)) {
        return Ok(index);
    }
    Err(format!(
        "there is no field {name:?}{}. The fields are: {}",
        did_you_mean(name, R::FIELDS),
        R::FIELDS.join(", ")
    ))
}

fn check_word<R: Record>(index: usize, value: &str) -> Result<(), String> {
    let field = R::FIELDS[index];
    match R::words(field) {
        Some(words) if !value.is_empty() && !words.iter().any(|w| w.eq_ignore_ascii_case(value)) => {
            let hint = did_you_mean(value, &words);
            Err(format!("{field} is never {value:?}{hint}. It is one of: {}", words.join(", ")))
        }
        Some(_) | None => Ok(()),
    }
}

/// Empty when nothing comes near.
fn did_you_mean(text: &str, known: &[&str]) -> String {
    let text = text.to_lowercase();
    let near = known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(&text, &k.to_lowercase()), k))
        .min_by_key(|(distance, _)| *distance);
    match near {
        Some((distance, word)) if distance <= (word.len() / 3).max(1) => format!(" (did you mean {word}?)"),
        Some(_) | None => String::new(),
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
        let filters: Result<Vec<Filter>, String> = filters.split_whitespace().map(str::parse).collect();
        pick(rows, &filters?).map(|rows| rows.iter().map(|r| r.0).collect())
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
