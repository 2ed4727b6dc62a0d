//! Puts values in the place of variables and macros, as Grafana does: `$var`, `${var}`, `${var:format}`, `[[var]]`, and what
//! its InfluxDB source adds (`$timeFilter`, `$__interval`, …). Never talks to a server.

use std::collections::BTreeMap;

/// What is chosen in a variable.
#[derive(Debug, Clone, PartialEq)]
pub enum Chosen {
    One(String),
    Many(Vec<String>),
    /// All, with an `allValue`: it goes in as it is.
    Raw(String),
}

#[derive(Debug, Clone)]
pub struct Scope {
    pub variables: BTreeMap<String, Chosen>,
    pub from_ms: i64,
    pub to_ms: i64,
    pub interval_ms: i64,
}

/// What a text names that is neither a variable of the dashboard nor known to Grafana.
#[derive(Debug, PartialEq)]
pub struct Unknown(pub String);

/// A name of a variable in a text, and what follows it.
struct Use<'t> {
    before: &'t str,
    name: &'t str,
    format: Option<&'t str>,
    after: &'t str,
}

fn next_use(text: &str) -> Option<Use<'_>> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for (at, _) in text.match_indices(['$', '[']) {
        let (before, rest) = text.split_at(at);
        let braced = rest.strip_prefix("${").and_then(|r| r.split_once('}'));
        let bracketed = rest.strip_prefix("[[").and_then(|r| r.split_once("]]"));
        if let Some((inside, after)) = braced.or(bracketed) {
            // `__value.raw`, `__data.fields.unit`: the name ends at the dot.
            let (name, format) = inside.split_once(':').map_or((inside, None), |(n, f)| (n, Some(f)));
            let name = name.split('.').next().unwrap_or(name);
            return Some(Use { before, name, format, after });
        }
        let Some(word) = rest.strip_prefix('$') else { continue };
        let end = word.find(|c| !is_word(c)).unwrap_or(word.len());
        if end > 0 && !word.starts_with(|c: char| c.is_ascii_digit()) {
            return Some(Use { before, name: &word[..end], format: None, after: &word[end..] });
        }
    }
    None
}

/// Every name that a text uses.
pub fn names(mut text: &str) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(u) = next_use(text) {
        found.push(u.name.to_owned());
        text = u.after;
    }
    found
}

pub fn substitute(text: &str, scope: &Scope) -> Result<String, Unknown> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(u) = next_use(rest) {
        out += u.before;
        out += &value_of(u.name, u.format, scope).ok_or_else(|| Unknown(u.name.to_owned()))?;
        rest = u.after;
    }
    Ok(out + rest)
}

fn value_of(name: &str, format: Option<&str>, scope: &Scope) -> Option<String> {
    let Scope { from_ms, to_ms, interval_ms, .. } = scope;
    let range_s = (to_ms - from_ms) / 1000;
    Some(match name {
        "timeFilter" | "__timeFilter" => format!("time >= {from_ms}ms and time <= {to_ms}ms"),
        "__interval" | "interval" => span(*interval_ms),
        "__interval_ms" => interval_ms.to_string(),
        "__rate_interval" => span((4 * interval_ms).max(60_000)),
        "__from" => from_ms.to_string(),
        "__to" => to_ms.to_string(),
        "__range" => format!("{range_s}s"),
        "__range_s" => range_s.to_string(),
        "__range_ms" => (to_ms - from_ms).to_string(),
        _ => written(scope.variables.get(name)?, format),
    })
}

/// `regex` as Grafana has it; without a format as its InfluxDB source does it, which is the same.
fn written(chosen: &Chosen, format: Option<&str>) -> String {
    let escape: fn(&str) -> String = match format {
        Some("raw" | "csv" | "pipe") => str::to_owned,
        Some("regex") | None => escaped,
        Some(other) => panic!("teach substitution.rs the format {other}"),
    };
    let joint = if format == Some("csv") { "," } else { "|" };
    match chosen {
        Chosen::Raw(text) => text.clone(),
        Chosen::One(text) => escape(text),
        Chosen::Many(texts) => match texts.as_slice() {
            [one] => escape(one),
            many => {
                let all = many.iter().map(|t| escape(t)).collect::<Vec<_>>().join(joint);
                if matches!(format, Some("raw" | "csv" | "pipe")) { all } else { format!("({all})") }
            }
        },
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if "\\^$*+?.()|[]{}/".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// `300000` is `5m`.
fn span(ms: i64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
    let fits = units.iter().find(|(length, _)| ms >= *length && ms % length == 0);
    fits.map_or_else(|| format!("{ms}ms"), |(length, word)| format!("{}{word}", ms / length))
}

/// The steps in which Grafana rounds: the range in so many points, at least the panel's or source's least interval.
pub fn interval_ms(range_ms: i64, points: i64, least_ms: i64) -> i64 {
    const STEPS: &[i64] = &[
        1000, 2000, 5000, 10_000, 15_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_200_000,
        1_800_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000, 86_400_000,
    ];
    let wanted = range_ms / points.max(1);
    let step = STEPS.iter().copied().min_by_key(|s| (s - wanted).abs()).expect("there are some");
    step.max(least_ms)
}

/// `5m` is 300000.
pub fn span_ms(text: &str) -> Option<i64> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = text.split_at(at);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 7 * 86_400_000,
        _ => return None,
    };
    count.parse::<i64>().ok().map(|n| n * unit_ms)
}

/// `now`, `now-24h`, `now/d` in ms, in UTC.
pub fn moment_ms(text: &str, now_ms: i64) -> Option<i64> {
    let rest = text.strip_prefix("now")?;
    match rest.strip_prefix('-') {
        Some(span) => span_ms(span).map(|ms| now_ms - ms),
        None if rest.is_empty() => Some(now_ms),
        None => (rest == "/d").then(|| now_ms - now_ms.rem_euclid(86_400_000)),
    }
}

#[test]
fn values_take_the_place_of_variables_as_in_grafana() {
    let chosen = [
        ("unit", Chosen::Many(vec!["PSH-001".into(), "A/1".into()])),
        ("one", Chosen::Many(vec!["D.I. Khan".into()])),
        ("crew", Chosen::Raw(".*".into())),
        ("board", Chosen::One("http://localhost:8680".into())),
    ];
    let variables = chosen.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let scope = Scope { variables, from_ms: 1_000, to_ms: 86_401_000, interval_ms: 300_000 };
    for (text, wanted) in [
        ("/^(${unit:regex})$/", r"/^((PSH-001|A\/1))$/"),
        ("/^(${one:regex})$/", r"/^(D\.I\. Khan)$/"),
        ("/^$crew$/ [[crew]] ${crew}x $", "/^.*$/ .* .*x $"),
        ("${unit:csv}", "PSH-001,A/1"),
        ("${board:raw}/units", "http://localhost:8680/units"),
        ("$timeFilter", "time >= 1000ms and time <= 86401000ms"),
        ("time($__interval) $interval $__interval_ms", "time(5m) 5m 300000"),
        ("$__from $__to ${__range} $__range_s", "1000 86401000 86400s 86400"),
    ] {
        assert_eq!(substitute(text, &scope).as_deref(), Ok(wanted), "{text}");
    }
    assert_eq!(substitute("$timeFilter $nobody", &scope), Err(Unknown("nobody".into())));
    assert_eq!(names("${__data.fields.unit} $crew ${unit:regex}"), ["__data", "crew", "unit"]);
    assert_eq!((span(90_000), span(7_200_000), span(1500)), ("90s".into(), "2h".into(), "1500ms".into()));
    assert_eq!((interval_ms(86_400_000, 1000, 0), interval_ms(3_600_000, 1000, 60_000)), (60_000, 60_000));
    assert_eq!((moment_ms("now-24h", 86_400_000), moment_ms("now/d", 90_000_000)), (Some(0), Some(86_400_000)));
}
