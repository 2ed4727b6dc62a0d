//! Values one after the other, in promtool's short form: `12.8-0.01x120`, `1 2 _ 4`, `_x5`, or a list.
//! Never knows what the values are for.

/// More than this is no test but a simulation.
const LONGEST: usize = 1_000_000;

pub const FORM: &str = "write numbers as \"12.8-0.01x120\" (12.8, 12.79, … 121 values), \"11.5x9\" (ten times 11.5), \
                        \"1 2 _ 4\" (_: not sent), or a list";

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Number(f64),
    Flag(bool),
    Text(String),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Series {
    /// The same in every message.
    Constant(Value),
    /// One a message. None: the message goes without it.
    Each(Vec<Option<Value>>),
}

impl Series {
    pub fn at(&self, n: usize) -> Option<&Value> {
        match self {
            Series::Constant(value) => Some(value),
            Series::Each(values) => values.get(n)?.as_ref(),
        }
    }
    /// None: as long as it is asked for.
    pub fn times(&self) -> Option<usize> {
        match self {
            Series::Constant(_) => None,
            Series::Each(values) => Some(values.len()),
        }
    }
}

/// Err: what cannot be read of it.
pub fn parse(text: &str) -> Result<Series, String> {
    let mut values = Vec::new();
    for token in text.split_whitespace() {
        let (head, more) = repeats(token)?;
        if values.len() + more + 1 > LONGEST {
            return Err(format!("has more than {LONGEST} values; make it shorter"));
        }
        let count = 0..=more;
        match head {
            "_" if more == 0 => values.push(None),
            // As in promtool, `_x5` is five, while `1x5` is the first and five more.
            "_" => values.extend(std::iter::repeat_n(None, more)),
            "true" | "false" => values.extend(count.map(|_| Some(Value::Flag(head == "true")))),
            number => {
                let (start, step) =
                    start_and_step(number).ok_or_else(|| format!("has {token:?}, no number; {FORM}"))?;
                values.extend(count.map(|n| Some(Value::Number(neat(start + step * n as f64)))));
            }
        }
    }
    match values.as_slice() {
        [] => Err(format!("is empty; {FORM}")),
        [Some(one)] if !text.contains('x') => Ok(Series::Constant(one.clone())),
        _ => Ok(Series::Each(values)),
    }
}

/// `12.8-0.01x120` → `12.8-0.01`, 120.
fn repeats(token: &str) -> Result<(&str, usize), String> {
    match token.rsplit_once('x') {
        None => Ok((token, 0)),
        Some((head, count)) => match count.parse::<usize>() {
            Ok(count) if count <= LONGEST && !head.is_empty() => Ok((head, count)),
            Ok(_) | Err(_) => Err(format!("has {token:?}: after x comes how often, a whole number; {FORM}")),
        },
    }
}

fn start_and_step(text: &str) -> Option<(f64, f64)> {
    let number = |t: &str| t.parse::<f64>().ok().filter(|n| n.is_finite() && t.bytes().any(|b| b.is_ascii_digit()));
    if let Some(start) = number(text) {
        return Some((start, 0.0));
    }
    // Not the sign of the first number.
    let split = text.char_indices().skip(1).find(|(_, c)| matches!(c, '+' | '-')).map(|(i, _)| i)?;
    let (start, step) = text.split_at(split);
    Some((number(start)?, number(step.strip_prefix('+').unwrap_or(step))?))
}

/// 12.8 less three times 0.1 is 12.5, not 12.500000000000002.
fn neat(value: f64) -> f64 {
    let scaled = value * 1e9;
    if scaled.abs() < 9e15 { scaled.round() / 1e9 } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers(text: &str) -> Vec<Option<f64>> {
        match parse(text).expect(text) {
            Series::Constant(Value::Number(n)) => vec![Some(n)],
            Series::Each(values) => values
                .into_iter()
                .map(|v| v.map(|v| if let Value::Number(n) = v { n } else { panic!("{text}: a number") }))
                .collect(),
            other @ Series::Constant(_) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_short_form_is_promtools() {
        assert_eq!(numbers("12.8-0.1x3"), [12.8, 12.7, 12.6, 12.5].map(Some));
        assert_eq!(numbers("1+1x2"), [1.0, 2.0, 3.0].map(Some));
        assert_eq!(numbers("-4+2x2"), [-4.0, -2.0, 0.0].map(Some));
        assert_eq!(numbers("7x2"), [7.0, 7.0, 7.0].map(Some));
        assert_eq!(numbers("1 _ 3 _x2 4"), [Some(1.0), None, Some(3.0), None, None, Some(4.0)]);
        assert_eq!(parse("11.5"), Ok(Series::Constant(Value::Number(11.5))));
        assert_eq!(parse("true"), Ok(Series::Constant(Value::Flag(true))));
        assert_eq!(parse("truex1 false").map(|s| s.times()), Ok(Some(3)));
    }

    #[test]
    fn what_is_no_series_says_so() {
        for text in ["", "  ", "x5", "1x", "1xx", "1x-2", "fast", "inf", "nan", "1+x3", "1x9999999999", "1+-", "12,5"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_written_makes_it_panic(text in "[-+x_0-9. etrufals]{0,24}|\\PC{0,20}") {
            let _ = parse(&text);
        }
    }
}
