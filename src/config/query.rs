//! Conditions as people type them -> `domain::query`: `city=peshawar readiness!=ready battery.voltage<11.8 silent>10m`.
//! Tells every mistake at once. Never picks.

use crate::domain::Timestamp;
use crate::domain::query::{Clause, Field, FieldKind, Op, Operand, Query, Sort, Test};

use super::duration::parse_duration;
use super::spelling::{nearest, quoted};

/// What to write, for messages.
pub const FORM: &str = "write it as field=value; the signs are = != ~ !~ < <= > >=";

/// More conditions than anybody types; each is looked at for every row.
const CONDITIONS_MAX: usize = 100;

/// Each text may hold several conditions. A value ends where the next condition begins, so that it may have spaces:
/// `site=Jinnah Park readiness!=ready`; one in `"` may have anything. Conditions with `=` on one field are alternatives,
/// otherwise all must hold.
///
/// Err: every mistake, each with the condition it is in.
pub fn check_query<F: Field>(texts: &[impl AsRef<str>], sort: Option<&str>) -> Result<Query<F>, Vec<String>> {
    let mut query = Query::default();
    let mut problems = Vec::new();
    let mut conditions = 0;
    for text in texts {
        for condition in conditions_of(text.as_ref()) {
            conditions += 1;
            match condition.and_then(|c| c.check()) {
                Ok((field, test)) => add(&mut query.clauses, field, test),
                Err(problem) => problems.push(problem),
            }
        }
    }
    if conditions > CONDITIONS_MAX {
        problems = vec![format!("{conditions} conditions are too many: write at most {CONDITIONS_MAX}")];
    }
    if let Some(text) = sort {
        match check_sort(text) {
            Ok(sort) => query.sort = Some(sort),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(query) } else { Err(problems) }
}

fn add<F: Field>(clauses: &mut Vec<Clause<F>>, field: F, test: Test) {
    let alternative = |c: &&mut Clause<F>| c.field == field && c.any.iter().all(|t| t.op == Op::Is);
    match clauses.iter_mut().find(alternative).filter(|_| test.op == Op::Is) {
        Some(clause) => clause.any.push(test),
        None => clauses.push(Clause { field, any: vec![test] }),
    }
}

/// `since`, or `-since` for the largest first.
fn check_sort<F: Field>(text: &str) -> Result<Sort<F>, String> {
    let (name, falling) = match text.trim().strip_prefix('-') {
        Some(name) => (name, true),
        None => (text.trim(), false),
    };
    Ok(Sort { field: check_field(name)?, falling })
}

/// Err: what the field's name should have been, or all there are.
pub fn check_field<F: Field>(name: &str) -> Result<F, String> {
    if let Some(field) = F::named(name) {
        return Ok(field);
    }
    let known: Vec<String> = F::known().iter().map(|f| f.name().into_owned()).collect();
    let meant = match nearest(name, known.iter().map(String::as_str)) {
        Some(word) => format!(" (did you mean {word}?)"),
        None => String::new(),
    };
    Err(format!("there is no field {}{meant}. The fields are: {}", quoted(name), known.join(", ")))
}

struct Condition<'t> {
    name: &'t str,
    op: Op,
    value: &'t str,
}

/// Where a condition begins: its name, sign, and what is behind them.
fn beginning(text: &str) -> Option<(&str, Op, &str)> {
    let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    let end = text.find(|c| !in_name(c)).unwrap_or(text.len());
    let behind = text[end..].trim_start();
    let op = Op::ALL.iter().copied().find(|op| behind.starts_with(op.sign()))?;
    Some((&text[..end], op, &behind[op.sign().len()..]))
}

fn conditions_of(text: &str) -> Vec<Result<Condition<'_>, String>> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        match beginning(rest) {
            None => {
                let end = next_beginning(rest);
                found.push(Err(format!("{} is no condition: {FORM}", quoted(rest[..end].trim_end()))));
                rest = rest[end..].trim_start();
            }
            Some((name, op, behind)) => {
                let value = behind.trim_start();
                // `city= readiness=silent`: a value may be empty, and the next condition begins behind the space.
                let is_empty = value.len() < behind.len() && begins(value);
                let (value, left) = match value.strip_prefix('"').and_then(|inner| inner.split_once('"')) {
                    Some(quoted) => quoted,
                    None if is_empty => ("", value),
                    None => value.split_at(next_beginning(value)),
                };
                found.push(Ok(Condition { name, op, value: value.trim() }));
                rest = left.trim_start();
            }
        }
    }
    found
}

/// Behind a space, from which on another condition stands; else the text's end.
fn next_beginning(text: &str) -> usize {
    let spaces = text.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(at, c)| at + c.len_utf8());
    let mut next = spaces.filter(|at| begins(&text[*at..]));
    next.next().unwrap_or(text.len())
}

fn begins(text: &str) -> bool {
    beginning(text).is_some_and(|(name, _, _)| !name.is_empty())
}

impl Condition<'_> {
    fn check<F: Field>(&self) -> Result<(F, Test), String> {
        if self.name.is_empty() {
            return Err(format!("a field's name must stand before the {}: {FORM}", self.op.sign()));
        }
        let field: F = check_field(self.name)?;
        let operand = self.operand(&field)?;
        Ok((field, Test { op: self.op, operand }))
    }

    fn operand<F: Field>(&self, field: &F) -> Result<Operand, String> {
        let (name, value, op) = (field.name(), self.value, self.op);
        let orders = matches!(op, Op::Below | Op::AtMost | Op::Above | Op::AtLeast);
        let part = matches!(op, Op::Contains | Op::ContainsNot);
        if value.is_empty() {
            if orders || part {
                return Err(format!("{name}{}: a value must stand behind the sign", op.sign()));
            }
            return Ok(Operand::Nothing);
        }
        if part && field.kind() != FieldKind::Text {
            return Err(format!("{name} is no text: {} is for texts; use = != < <= > >=", op.sign()));
        }
        match field.kind() {
            FieldKind::Text if orders => {
                Err(format!("{name} is a text, which is neither above nor below {}: use = != ~ !~", quoted(value)))
            }
            FieldKind::Text => Ok(Operand::Text(value.to_lowercase())),
            FieldKind::Word { ranked: false, .. } if orders => {
                Err(format!("the words of {name} have no order: use = or !="))
            }
            FieldKind::Word { words, .. } => match words.iter().position(|w| w.eq_ignore_ascii_case(value)) {
                Some(rank) => Ok(Operand::Rank { rank, words }),
                None => {
                    let hint = nearest(value, words.iter().copied()).map(|w| format!(" (did you mean {w}?)"));
                    let hint = hint.unwrap_or_default();
                    Err(format!("{name} is never {}{hint}. It is one of: {}", quoted(value), words.join(", ")))
                }
            },
            FieldKind::Flag => match value.to_ascii_lowercase().as_str() {
                "yes" | "true" | "1" => Ok(Operand::Flag(true)),
                "no" | "false" | "0" => Ok(Operand::Flag(false)),
                _ => Err(format!("{name} is yes or no, not {}", quoted(value))),
            },
            FieldKind::Number { unit } => {
                let digits = strip_unit(value, unit);
                digits.parse::<f64>().ok().filter(|n| n.is_finite()).map(Operand::Number).ok_or_else(|| {
                    let example = if unit.is_empty() { "3".to_owned() } else { format!("11.8 (in {unit})") };
                    format!("{name} is a number, not {}: write it like {example}", quoted(value))
                })
            }
            FieldKind::Time => {
                let span = span_ms(value).map(Operand::Span);
                span.or_else(|| Timestamp::parse(value).map(Operand::Time)).ok_or_else(|| {
                    format!(
                        "{name} is a time, not {}: write how long ago, as in {name}>2h, or a moment, 2026-11-21T14:00:00Z",
                        quoted(value)
                    )
                })
            }
            FieldKind::Span => span_ms(value).map(Operand::Span).ok_or_else(|| {
                format!("{name} is a span of time, not {}: write it as 90s, 10m, 2h or 1d", quoted(value))
            }),
        }
    }
}

/// `11.8V` and `11.8 V` are 11.8.
fn strip_unit<'v>(value: &'v str, unit: &str) -> &'v str {
    let bare = value.len().checked_sub(unit.len()).filter(|at| value.is_char_boundary(*at));
    match bare {
        Some(at) if !unit.is_empty() && value[at..].eq_ignore_ascii_case(unit) => value[..at].trim_end(),
        Some(_) | None => value,
    }
}

fn span_ms(value: &str) -> Option<i64> {
    let (span, sign) = match value.strip_prefix('-') {
        Some(span) => (span, -1),
        None => (value, 1),
    };
    parse_duration(span).and_then(|d| i64::try_from(d.as_millis()).ok()).map(|ms| sign * ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::query::UnitField;

    fn told(text: &str) -> String {
        match check_query::<UnitField>(&[text], None) {
            Ok(query) => query
                .clauses
                .iter()
                .map(|c| {
                    let any: Vec<String> = c.any.iter().map(|t| format!("{}{:?}", t.op.sign(), t.operand)).collect();
                    format!("{}{}", c.field.name(), any.join("|"))
                })
                .collect::<Vec<_>>()
                .join(" & "),
            Err(problems) => problems.join("\n"),
        }
    }

    #[test]
    fn conditions_are_read_as_people_type_them() {
        let cases = [
            ("", ""),
            ("city=Peshawar", r#"city=Text("peshawar")"#),
            ("site=Jinnah Park city != mardan", r#"site=Text("jinnah park") & city!=Text("mardan")"#),
            ("city=a city=b", r#"city=Text("a")|=Text("b")"#),
            ("city!=a city!=b", r#"city!=Text("a") & city!=Text("b")"#),
            ("silent > 10m", "silent>Span(600000)"),
            ("silent>=1h30m battery.voltage<11.8V", "silent>=Span(5400000) & battery.voltage<Number(11.8)"),
            ("x.door_opens>3", "x.door_opens>Number(3.0)"),
            ("name~bazaar name!~north", r#"name~Text("bazaar") & name!~Text("north")"#),
            (r#"name="a=b city=c" city="#, r#"name=Text("a=b city=c") & city=Nothing"#),
            (
                "uplink= readiness=SILENT",
                r#"uplink=Nothing & readiness=Rank { rank: 3, words: ["ready", "impaired", "not-ready", "silent", "unknown", "unproven", "maintenance"] }"#,
            ),
            ("since<2026-11-21T14:00:00+05:00", "since<Time(2026-11-21T09:00:00.000Z)"),
            ("unit=x=y", r#"unit=Text("x=y")"#),
            ("unit=x!=y", r#"unit=Text("x!=y")"#),
        ];
        for (text, want) in cases {
            assert_eq!(told(text), want, "{text}");
        }
    }

    #[test]
    fn every_mistake_is_told_at_once_with_what_was_meant() {
        let all = told(
            "ctiy=x readiness=redy battery.voltag<11 silent>soon name<b open_orders=many readiness>ready silent~1",
        );
        let lines: Vec<&str> = all.lines().collect();
        assert_eq!(lines.len(), 8, "{all}");
        assert!(lines[0].starts_with(r#"there is no field "ctiy" (did you mean city?). The fields are: unit, name,"#));
        assert!(lines[1].starts_with(r#"readiness is never "redy" (did you mean ready?). It is one of: ready,"#));
        assert!(lines[2].contains("did you mean battery.voltage?"));
        assert_eq!(lines[3], r#"silent is a span of time, not "soon": write it as 90s, 10m, 2h or 1d"#);
        assert!(lines[4].starts_with("name is a text"));
        assert!(lines[5].starts_with(r#"open_orders is a number, not "many""#));
        assert!(lines[6].starts_with("the words of readiness have no order"));
        assert!(lines[7].starts_with("silent is no text"));
        for bad in ["city", "=x", "!=x", "silent>", "name~", "hello there"] {
            assert!(check_query::<UnitField>(&[bad], None).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_order_is_a_field_with_or_without_a_minus() {
        let sort = |text: &str| {
            check_query::<UnitField>(&[""; 0], Some(text))
                .map(|q| q.sort.map(|s| (s.field.name().into_owned(), s.falling)))
        };
        assert_eq!(sort("since"), Ok(Some(("since".to_owned(), false))));
        assert_eq!(sort("-battery.voltage"), Ok(Some(("battery.voltage".to_owned(), true))));
        assert!(sort("sinc").unwrap_err()[0].contains("did you mean since?"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_fail_otherwise_than_with_a_sentence(text in ".{0,60}") {
            let _ = check_query::<UnitField>(&[text.as_str()], Some(&text));
        }
        #[test]
        fn a_name_in_quotes_is_found_whatever_it_holds(name in "[a-z=<>!~ .]{1,20}") {
            let query = check_query::<UnitField>(&[format!("name=\"{name}\" city=x")], None).expect("it is well formed");
            proptest::prop_assert_eq!(query.clauses.len(), 2);
        }
    }
}
