//! Lists as they are asked for: which columns, drawn again and again, and whether a script wants to know that there is
//! anything at all. Never picks rows: the service does.

use std::io::{self, IsTerminal, Write};
use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::config::query::check_field;
use crate::config::spelling::{nearest, quoted};
use crate::domain::Timestamp;
use crate::domain::query::{Field, UnitColumn, UnitField};
use crate::domain::view::{AlertRow, IncidentRow, OrderView, UnitRow};
use crate::render::table::{self, Look, Record};

use super::arguments::Output;
use super::ask::Done;
use super::client::Answered;
use super::exit::{Exit, Failure};
use super::screen::Screen;

#[derive(Debug, Args)]
pub struct Shown {
    /// Only these columns, in this order: unit,readiness,battery.voltage
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Draw it again every so many seconds [default: 5]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "5", require_equals = true,
          value_parser = clap::value_parser!(u32).range(1..=3600), conflicts_with = "fail_if_any")]
    pub watch: Option<u32>,
    /// For scripts: end with status 1 when the list has a row
    #[arg(long)]
    pub fail_if_any: bool,
}

/// A list's rows, and what its columns can hold beside their CSV fields.
pub trait Listed: Record + Serialize {
    /// None: no such column. Some: as CSV would write it.
    fn more(&self, _column: &str, _now: Timestamp) -> Option<String> {
        None
    }
    /// What else can be a column, in words.
    const MORE: &'static str = "";
    /// The name as the service writes it, when it is one of `more`.
    fn more_named(_name: &str) -> Option<String> {
        None
    }
}

impl Listed for UnitRow {
    fn more(&self, column: &str, now: Timestamp) -> Option<String> {
        if column == "silent" {
            return Some(self.last_heard.map(|at| (now.since(at).as_secs()).to_string()).unwrap_or_default());
        }
        let reading = || self.readings.get(column).map(|value| value.to_string());
        Some(self.texts.get(column).cloned().or_else(reading).unwrap_or_default())
    }
    const MORE: &'static str =
        ", silent (seconds), district, address, firmware, alert, and every reading that `rules metrics` lists";
    fn more_named(name: &str) -> Option<String> {
        match check_field::<UnitField>(name).ok()? {
            field @ (UnitField::Reading(_) | UnitField::Vendor(_)) => Some(field.name().into_owned()),
            UnitField::Distance { .. } => None,
            UnitField::Column(column) => {
                let is_more = column == UnitColumn::Silent || column.is_on_request();
                is_more.then(|| column.as_str().to_owned())
            }
        }
    }
}

impl Listed for AlertRow {}
impl Listed for IncidentRow {}
impl Listed for OrderView {}

impl Shown {
    /// The columns' names as they are known. Err: those that are not.
    pub fn check<R: Listed>(&self, screen: &Screen) -> Result<Vec<String>, Failure> {
        if !self.columns.is_empty() && screen.output == Output::Json {
            return Err(Failure::usage("--output json has every field: drop --columns, or ask for csv"));
        }
        if self.watch.is_some() {
            if !io::stdout().is_terminal() {
                return Err(Failure::usage(
                    "--watch draws on a terminal; in a script ask again by yourself, or read the API's ETag",
                ));
            }
            if screen.output != Output::Table {
                return Err(Failure::usage("--watch draws tables only: drop --output"));
            }
        }
        let mut names = Vec::new();
        let mut wrong = Vec::new();
        for name in self.columns.iter().map(|c| c.trim()).filter(|c| !c.is_empty()) {
            let known = R::FIELDS.iter().find(|f| f.eq_ignore_ascii_case(name)).map(|f| (*f).to_owned());
            match known.or_else(|| R::more_named(name)) {
                Some(known) => names.push(known),
                None => {
                    let hint = nearest(name, R::FIELDS.iter().copied());
                    let hint = hint.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
                    wrong.push(format!("{} is no column of this list{hint}", quoted(name)));
                }
            }
        }
        if !wrong.is_empty() {
            wrong.push(format!("The columns are: {}{}", R::FIELDS.join(", "), R::MORE));
            return Err(Failure::usage(wrong.join("\n")));
        }
        Ok(names)
    }
}

/// The readings and texts among the columns: the service tells them only when it is asked to.
pub fn also(columns: &[String]) -> Vec<(&'static str, String)> {
    let (mut readings, mut texts) = (Vec::new(), Vec::new());
    for name in columns {
        match check_field::<UnitField>(name) {
            Ok(UnitField::Column(column)) if column.is_on_request() => texts.push(name.as_str()),
            Ok(UnitField::Reading(_) | UnitField::Vendor(_)) => readings.push(name.as_str()),
            Ok(UnitField::Column(_) | UnitField::Distance { .. }) | Err(_) => {}
        }
    }
    let asked = [("readings", readings.join(",")), ("texts", texts.join(","))];
    asked.into_iter().filter(|(_, names)| !names.is_empty()).collect()
}

/// `columns`: checked.
pub fn show<R: Listed>(
    screen: &Screen,
    shown: &Shown,
    columns: &[String],
    fetch: impl Fn() -> Result<Answered<Vec<R>>, Failure>,
    table: fn(&[R], &Look) -> String,
) -> Done {
    let text = |rows: &[R], look: &Look| match columns.is_empty() {
        true => table(rows, look),
        false => table::chosen(columns, &values(rows, columns, look.now), look),
    };
    if let Some(seconds) = shown.watch {
        return watch(screen, Duration::from_secs(seconds.into()), || {
            fetch().map(|answer| text(&answer.value, &screen.look(answer.now)))
        });
    }
    let Answered { value: rows, now } = fetch()?;
    match screen.output {
        Output::Table => screen.print(&text(&rows, &screen.look(now)))?,
        Output::Json => screen.json(&rows)?,
        Output::Csv if columns.is_empty() => screen.csv(&rows)?,
        Output::Csv => screen.csv_of(columns, &values(&rows, columns, now))?,
    }
    if shown.fail_if_any && !rows.is_empty() {
        // The rows say it all.
        return Err(Failure::new(Exit::Failed, ""));
    }
    Ok(())
}

fn values<R: Listed>(rows: &[R], columns: &[String], now: Timestamp) -> Vec<Vec<String>> {
    let one = |row: &R| {
        let fields = row.values();
        let value = |name: &String| match R::FIELDS.iter().position(|f| f == name) {
            Some(place) => fields[place].clone(),
            None => row.more(name, now).unwrap_or_default(),
        };
        columns.iter().map(value).collect()
    };
    rows.iter().map(one).collect()
}

/// Over what was drawn before, line by line: nothing flickers, and what is above stays. Ends with Ctrl-C.
fn watch(screen: &Screen, every: Duration, text: impl Fn() -> Result<String, Failure>) -> Done {
    let mut last = String::new();
    let mut first = true;
    loop {
        let note = match text() {
            Ok(text) => {
                last = text;
                format!("Every {} s; Ctrl-C ends it.", every.as_secs())
            }
            // It may be restarted while we look.
            Err(failure) if failure.exit == Exit::Unreachable && !first => {
                format!("! {}; trying again.", failure.text.lines().next().unwrap_or_default())
            }
            Err(failure) => return Err(failure),
        };
        let rows = terminal_size::terminal_size().map_or(24, |(_, terminal_size::Height(h))| usize::from(h)).max(2);
        let lines: Vec<&str> = last.lines().collect();
        let mut frame = String::from(if first { "\u{1b}[2J\u{1b}[H" } else { "\u{1b}[H" });
        first = false;
        for line in lines.iter().take(rows - 1) {
            frame.push_str(line);
            frame.push_str("\u{1b}[K\r\n");
        }
        let hidden = match lines.len().saturating_sub(rows - 1) {
            0 => String::new(),
            n => format!("{n} more lines. "),
        };
        let width = screen.look(Timestamp::default()).width;
        frame.push_str(&table::fit(&format!("{hidden}{note}"), width));
        frame.push_str("\u{1b}[K\u{1b}[J");
        screen.print(&frame)?;
        let _ = io::stdout().flush();
        sleep(every);
    }
}
