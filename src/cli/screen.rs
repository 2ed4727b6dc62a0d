//! Standard output: how wide and colourful it may be, and what happens when its reader goes away.

use std::io::{self, IsTerminal, Write};

use chrono_tz::Tz;
use serde::Serialize;

use crate::domain::Timestamp;
use crate::render::table::{Look, Record, csv, csv_of};

use super::arguments::Output;
use super::exit::Failure;

/// Where no terminal tells its width, and for people who print.
const WIDTH_DEFAULT: usize = 80;
/// A list wider than this is harder to read, not easier.
const WIDTH_MAX: usize = 200;

/// None: standard error is no terminal.
pub fn width_of_errors() -> Option<usize> {
    let size = terminal_size::terminal_size_of(io::stderr())?;
    Some(usize::from(size.0.0).clamp(20, WIDTH_MAX))
}

pub struct Screen {
    pub output: Output,
    pub zone: Tz,
    terminal: bool,
}

impl Screen {
    pub fn new(output: Output, zone: Tz) -> Self {
        Screen { output, zone, terminal: io::stdout().is_terminal() }
    }

    pub fn look(&self, now: Timestamp) -> Look {
        let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        let columns = std::env::var("COLUMNS").ok().and_then(|c| c.trim().parse().ok());
        let width = columns.or_else(|| {
            let seen = self.terminal.then(terminal_size::terminal_size).flatten();
            seen.map(|(terminal_size::Width(w), _)| usize::from(w))
        });
        Look {
            width: width.filter(|w| *w > 0).unwrap_or(WIDTH_DEFAULT).min(WIDTH_MAX),
            colour: self.terminal && !dumb && !set("NO_COLOR"),
            bidi: self.terminal && !dumb,
            zone: self.zone,
            now,
        }
    }

    /// None: no terminal, so nothing scrolls away.
    pub fn lines(&self) -> Option<usize> {
        let (_, terminal_size::Height(lines)) = self.terminal.then(terminal_size::terminal_size).flatten()?;
        Some(usize::from(lines)).filter(|lines| *lines > 0)
    }

    /// Many rows.
    pub fn rows<R: Record + Serialize>(&self, rows: &[R], table: impl FnOnce() -> String) -> Result<(), Failure> {
        match self.output {
            Output::Table => self.print(&table()),
            Output::Json => self.json(&rows),
            Output::Csv => self.csv(rows),
        }
    }

    /// One thing: an object in JSON, one row in CSV.
    pub fn one<R: Record + Serialize>(&self, row: &R, table: impl FnOnce() -> String) -> Result<(), Failure> {
        match self.output {
            Output::Table => self.print(&table()),
            Output::Json => self.json(row),
            Output::Csv => self.csv(&[row]),
        }
    }

    pub fn json<T: Serialize>(&self, value: &T) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|e| Failure::failed(format!("the answer cannot be written as JSON: {e}")))?;
        text.push('\n');
        self.print(&text)
    }

    pub fn csv<R: Record>(&self, rows: &[R]) -> Result<(), Failure> {
        self.print_csv(csv(rows))
    }

    /// Only these columns.
    pub fn csv_of(&self, columns: &[String], rows: &[Vec<String>]) -> Result<(), Failure> {
        self.print_csv(csv_of(columns, rows))
    }

    fn print_csv(&self, text: String) -> Result<(), Failure> {
        if !self.terminal {
            return self.print(&text);
        }
        // A file gets every byte. A terminal would obey what a stranger's message holds.
        let tame = |c: char| if c.is_control() && c != '\n' { '·' } else { c };
        self.print(&text.chars().map(tame).collect::<String>())
    }

    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::reader_gone()),
            Err(error) => Err(Failure::failed(format!("cannot write to standard output: {error}"))),
        }
    }
}
