//! fleet.csv → units, or every bad row at once; and units → fleet.csv.
//!
//! Owns the columns and what each may hold. How spreadsheets write files is `sheet`'s. Never compares two fleets.

mod sheet;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use chrono::{NaiveDate, NaiveTime, Timelike};

use super::encoding::read_text;
use super::problem::{Problem, Problems};
use super::spelling::{nearest, quoted};
use crate::domain::metric::plain_number;
use crate::domain::{City, CrewId, District, FeederId, InvalidId, SiteId, Timestamp, Unit, UnitId, UplinkId};
use sheet::{Row, guarded};

/// In the order in which [`write_fleet`] writes them. In a file they may stand in any order; others are ignored.
pub const COLUMNS: [&str; 16] = [
    "unit",
    "name",
    "site",
    "site_type",
    "city",
    "district",
    "address",
    "lat",
    "lon",
    "crew",
    "uplink",
    "feeder",
    "model",
    "heartbeat_s",
    "commissioned",
    "contact",
];
/// Without these there is no row.
pub const REQUIRED: [&str; 4] = ["unit", "site", "city", "crew"];

/// What people call the columns when they make the table by hand. Not accepted: one name each keeps files alike.
const OTHER_NAMES: [(&str, &str); 12] = [
    ("id", "unit"),
    ("unit_id", "unit"),
    ("type", "site_type"),
    ("latitude", "lat"),
    ("longitude", "lon"),
    ("lng", "lon"),
    ("team", "crew"),
    ("heartbeat", "heartbeat_s"),
    ("interval_s", "heartbeat_s"),
    ("commissioned_at", "commissioned"),
    ("phone", "contact"),
    ("town", "city"),
];

/// 1 s: faster beats are no news. A day: slower ones are no watch.
const HEARTBEAT_S: std::ops::RangeInclusive<f64> = 1.0..=86_400.0;
/// Site type of a row that names none.
const NO_SITE_TYPE: &str = "other";
/// Name, address and contact go into mails and tables.
const LONGEST_TEXT: usize = 300;

/// The units in the file's order. Err: every bad row, each with its line in the file, and nothing else is read.
pub fn check_fleet(file: &str, bytes: &[u8]) -> Result<Vec<Unit>, Problems> {
    let text = read_text(file, bytes)?;
    let is_known = |cell: &str| COLUMNS.contains(&column_word(cell).as_str());
    let Some(delimiter) = sheet::delimiter(text, is_known) else {
        return Err(Problems::one(file, None, format!("this file is empty; {}", header_remedy())));
    };
    let sheet = sheet::read(text, delimiter);
    if let Some(line) = sheet.open_quote {
        let what = "a quoted cell of this row never ends, so the rest of the file cannot be read; add the missing \"";
        return Err(Problems::one(file, Some(line), what));
    }
    let Some((header, rows)) = sheet.rows.split_first() else {
        return Err(Problems::one(file, None, format!("this file has comments only; {}", header_remedy())));
    };
    let mut reading = Reading { file, problems: Vec::new() };
    let columns = Columns::find(header, &mut reading);
    let Some(columns) = columns else {
        return Err(reading.into_problems().expect("a header that cannot be used was noted"));
    };
    if rows.is_empty() {
        reading.wrong(Some(header.line), "there is no row below the header; write one row for each unit");
    }
    let mut units: Vec<Unit> = Vec::with_capacity(rows.len());
    let mut first_lines: BTreeMap<String, u32> = BTreeMap::new();
    for row in rows {
        let cells = Cells { row, columns: &columns };
        let id = cells.get("unit").to_owned();
        if let Some(first) = first_lines.get(&id) {
            reading.wrong(
                Some(row.line),
                format!("unit {} stands in line {first} already; each unit has one row", quoted(&id)),
            );
        } else if !id.is_empty() {
            first_lines.insert(id, row.line);
        }
        units.extend(read_unit(&cells, &mut reading));
    }
    match reading.into_problems() {
        Some(problems) => Err(problems),
        None => Ok(units),
    }
}

/// CSV with LF ends and every column, that [`check_fleet`] reads back to the same units.
///
/// Safe to open in a spreadsheet: text that it would take for a formula (`=…`, `+92 …`) gets a `'` in front, which
/// `check_fleet` takes off again. Has no byte order mark; whoever saves it for Excel puts one in front.
pub fn write_fleet(units: &[Unit]) -> String {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
    let mut write = |cells: [String; 16]| writer.write_record(cells).expect("writing to memory does not fail");
    write(COLUMNS.map(str::to_owned));
    for u in units {
        let text = |t: &str| guarded(t);
        write([
            u.unit.to_string(),
            text(&u.name),
            text(u.site.as_str()),
            text(&u.site_type),
            text(u.city.as_str()),
            text(u.district.as_ref().map_or("", District::as_str)),
            text(&u.address),
            u.position.map(|(lat, _)| lat.to_string()).unwrap_or_default(),
            u.position.map(|(_, lon)| lon.to_string()).unwrap_or_default(),
            text(u.crew.as_str()),
            text(u.uplink.as_ref().map_or("", UplinkId::as_str)),
            text(u.feeder.as_ref().map_or("", FeederId::as_str)),
            text(&u.model),
            u.heartbeat.map(|h| h.as_secs_f64().to_string()).unwrap_or_default(),
            u.commissioned.map(commissioned_text).unwrap_or_default(),
            text(&u.contact),
        ]);
    }
    let bytes = writer.into_inner().expect("writing to memory does not fail");
    String::from_utf8(bytes).expect("cells are UTF-8 and so is what joins them")
}

/// `Bus Terminal` is `bus-terminal`: one word, so that rules can name it.
pub fn site_type_word(text: &str) -> String {
    let words: Vec<String> =
        text.to_lowercase().split(|c: char| c.is_whitespace() || c == '_').map(str::to_owned).collect();
    words.into_iter().filter(|w| !w.is_empty()).collect::<Vec<_>>().join("-")
}

fn header_remedy() -> String {
    format!("the first row names the columns ({} at least), each row below is one unit", REQUIRED.join(", "))
}

struct Reading<'a> {
    file: &'a str,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn wrong(&mut self, line: Option<u32>, what: impl Into<String>) {
        self.problems.push(Problem { file: self.file.to_owned(), line, what: what.into() });
    }
    fn into_problems(self) -> Option<Problems> {
        Problems::gather(self.problems)
    }
}

/// `Site Type` → `site_type`, `Heartbeat (s)` → `heartbeat_s`.
fn column_word(cell: &str) -> String {
    let mut word = String::new();
    for c in cell.trim().chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            word.push(c);
        } else if !word.is_empty() && !word.ends_with('_') {
            word.push('_');
        }
    }
    word.trim_end_matches('_').to_owned()
}

/// Which cell of a row is which column.
struct Columns {
    places: [Option<usize>; COLUMNS.len()],
    width: usize,
}

impl Columns {
    /// None: rows cannot be read by this header.
    fn find(header: &Row, reading: &mut Reading<'_>) -> Option<Columns> {
        let words: Vec<String> = header.cells.iter().map(|c| column_word(c)).collect();
        let mut places = [None; COLUMNS.len()];
        let mut usable = true;
        for (i, word) in words.iter().enumerate() {
            let Some(column) = COLUMNS.iter().position(|c| c == word) else { continue };
            if places[column].is_some() {
                reading.wrong(Some(header.line), format!("the column {word} stands twice; keep one of them"));
            } else {
                places[column] = Some(i);
            }
        }
        if places.iter().all(Option::is_none) {
            reading.wrong(Some(header.line), format!("this row names no known column; {}", header_remedy()));
            return None;
        }
        for (column, name) in COLUMNS.iter().enumerate().filter(|(i, _)| places[*i].is_none()) {
            let meant = words.iter().zip(&header.cells).find(|(word, _)| meant_column(word) == Some(name));
            match meant {
                Some((_, cell)) => {
                    let what =
                        format!("there is no column {name}, but one called {}; rename it to {name}", quoted(cell));
                    reading.wrong(Some(header.line), what);
                }
                None if REQUIRED.contains(name) => {
                    let what = format!("the column {name} is missing; every fleet has {}", REQUIRED.join(", "));
                    reading.wrong(Some(header.line), what);
                }
                None => continue,
            }
            usable &= !REQUIRED.contains(&COLUMNS[column]);
        }
        usable.then_some(Columns { places, width: words.len() })
    }
}

/// The known column that an unknown name is near to.
fn meant_column(word: &str) -> Option<&'static str> {
    if word.is_empty() || COLUMNS.contains(&word) {
        return None;
    }
    let by_name = OTHER_NAMES.iter().find(|(other, _)| *other == word).map(|(_, column)| *column);
    by_name.or_else(|| nearest(word, COLUMNS))
}

struct Cells<'a> {
    row: &'a Row,
    columns: &'a Columns,
}

impl Cells<'_> {
    /// Empty where the row or the file has no such cell.
    fn get(&self, column: &str) -> &str {
        let index = COLUMNS.iter().position(|c| *c == column).expect("only columns of COLUMNS are asked for");
        let place = self.columns.places[index];
        place.and_then(|i| self.row.cells.get(i)).map_or("", String::as_str)
    }
}

/// None: something was noted.
fn read_unit(cells: &Cells<'_>, reading: &mut Reading<'_>) -> Option<Unit> {
    let line = cells.row.line;
    let id = cells.get("unit");
    let who = if id.is_empty() { "this row: ".to_owned() } else { format!("unit {}: ", quoted(id)) };
    let mut wrong = |what: &dyn Display| reading.wrong(Some(line), format!("{who}{what}"));

    if cells.row.stray_quote {
        wrong(&"a quoted cell goes on after its closing \": is a \" missing? Inside a quoted cell, write \" twice");
        return None;
    }
    let width = cells.columns.width;
    if cells.row.cells.iter().skip(width).any(|c| !c.is_empty()) {
        let count = cells.row.cells.len();
        wrong(&format_args!(
            "it has {count} cells under {width} columns; put text that holds a comma in quotes: \"a, b\""
        ));
        // Which cell is which is unknown from here on.
        return None;
    }
    let unit = required(cells, "unit", UnitId::parse, &mut wrong);
    let site = required(cells, "site", SiteId::parse, &mut wrong);
    let city = required(cells, "city", City::parse, &mut wrong);
    let crew = required(cells, "crew", CrewId::parse, &mut wrong);
    let district = optional(cells, "district", District::parse, &mut wrong);
    let uplink = optional(cells, "uplink", UplinkId::parse, &mut wrong);
    let feeder = optional(cells, "feeder", FeederId::parse, &mut wrong);
    let name = free_text(cells, "name", " ", &mut wrong);
    let address = free_text(cells, "address", ", ", &mut wrong);
    let contact = free_text(cells, "contact", ", ", &mut wrong);
    let model = free_text(cells, "model", " ", &mut wrong);
    let site_type = free_text(cells, "site_type", " ", &mut wrong).map(|t| match site_type_word(&t) {
        word if word.is_empty() => NO_SITE_TYPE.to_owned(),
        word => word,
    });
    let position = position(cells, &mut wrong);
    let heartbeat = heartbeat(cells.get("heartbeat_s"), &mut wrong);
    let commissioned = commissioned(cells.get("commissioned"), &mut wrong);
    let site = site?;
    let name = name?;
    Some(Unit {
        unit: unit?,
        // A place's name says more in a mail than nothing.
        name: if name.is_empty() { site.as_str().into() } else { name.into() },
        site,
        site_type: site_type?.into(),
        city: city?,
        district: district?,
        address: address?.into(),
        position: position?,
        crew: crew?,
        uplink: uplink?,
        feeder: feeder?,
        model: model?.into(),
        heartbeat: heartbeat?,
        commissioned: commissioned?,
        contact: contact?.into(),
    })
}

type Wrong<'w> = dyn FnMut(&dyn Display) + 'w;

fn required<T>(
    cells: &Cells<'_>,
    column: &str,
    parse: fn(&str) -> Result<T, InvalidId>,
    wrong: &mut Wrong<'_>,
) -> Option<T> {
    if cells.get(column).is_empty() {
        wrong(&format_args!("{column} is empty; every unit has {}", REQUIRED.join(", ")));
        return None;
    }
    optional(cells, column, parse, wrong).flatten()
}

fn optional<T>(
    cells: &Cells<'_>,
    column: &str,
    parse: fn(&str) -> Result<T, InvalidId>,
    wrong: &mut Wrong<'_>,
) -> Option<Option<T>> {
    let text = one_line(cells.get(column), " ");
    if text.is_empty() {
        return Some(None);
    }
    match parse(&text) {
        Ok(value) => Some(Some(value)),
        Err(invalid) => {
            wrong(&format_args!("{column} cannot be {}: {}", quoted(&text), invalid.rule));
            None
        }
    }
}

fn free_text(cells: &Cells<'_>, column: &str, joint: &str, wrong: &mut Wrong<'_>) -> Option<String> {
    let text = one_line(cells.get(column), joint);
    if text.chars().any(char::is_control) {
        wrong(&format_args!("{column} holds a control character; type {} again", quoted(&text)));
        return None;
    }
    let length = text.chars().count();
    if length > LONGEST_TEXT {
        wrong(&format_args!("{column} has {length} characters, {LONGEST_TEXT} are the most; shorten it"));
        return None;
    }
    Some(text)
}

/// A cell of several lines as one line; tabs are spaces.
fn one_line(cell: &str, joint: &str) -> String {
    let lines = cell.split(['\n', '\r']).map(|l| l.trim().trim_end_matches(',').trim_end()).filter(|l| !l.is_empty());
    if cell.contains(['\n', '\r', '\t']) {
        lines.collect::<Vec<_>>().join(joint).replace('\t', " ")
    } else {
        cell.to_owned()
    }
}

/// Where Pakistan lies, in degrees, with some room: to tell swapped coordinates from far ones.
fn in_pakistan(lat: f64, lon: f64) -> bool {
    (23.0..=38.0).contains(&lat) && (60.0..=78.0).contains(&lon)
}

fn position(cells: &Cells<'_>, wrong: &mut Wrong<'_>) -> Option<Option<(f64, f64)>> {
    let (lat, lon) = (cells.get("lat"), cells.get("lon"));
    match (lat.is_empty(), lon.is_empty()) {
        (true, true) => return Some(None),
        (true, false) => {
            wrong(&"lon stands without lat; fill in both or neither");
            return None;
        }
        (false, true) => {
            wrong(&"lat stands without lon; fill in both or neither");
            return None;
        }
        (false, false) => {}
    }
    let lat_deg = degrees("lat", lat, wrong);
    let lon_deg = degrees("lon", lon, wrong);
    let (lat_deg, lon_deg) = (lat_deg?, lon_deg?);
    if !in_pakistan(lat_deg, lon_deg) && in_pakistan(lon_deg, lat_deg) {
        wrong(&format_args!("lat and lon look swapped; write lat {lon_deg} and lon {lat_deg}"));
        return None;
    }
    let mut fine = true;
    for (name, value, most) in [("lat", lat_deg, 90.0), ("lon", lon_deg, 180.0)] {
        if value.abs() > most {
            wrong(&format_args!("{name} must be from -{most} to {most} degrees (got {})", plain_number(value)));
            fine = false;
        }
    }
    fine.then_some(Some((lat_deg, lon_deg)))
}

fn degrees(column: &str, text: &str, wrong: &mut Wrong<'_>) -> Option<f64> {
    let value = text.parse::<f64>().ok().filter(|n| n.is_finite());
    if value.is_none() {
        let remedy = match text.replace(',', ".").parse::<f64>() {
            Ok(number) if number.is_finite() => format!("write it with a point: {number}"),
            Ok(_) | Err(_) => "write decimal degrees such as 34.0082".to_owned(),
        };
        wrong(&format_args!("{column} is no number (got {}); {remedy}", quoted(text)));
    }
    value
}

fn heartbeat(text: &str, wrong: &mut Wrong<'_>) -> Option<Option<Duration>> {
    if text.is_empty() {
        return Some(None);
    }
    match text.parse::<f64>() {
        Ok(seconds) if HEARTBEAT_S.contains(&seconds) => {
            Some(Some(Duration::from_millis((seconds * 1000.0).round() as u64)))
        }
        Ok(_) | Err(_) => {
            let (least, most) = (HEARTBEAT_S.start(), HEARTBEAT_S.end());
            wrong(&format_args!(
                "heartbeat_s must be a number of seconds from {least} to {most} (got {})",
                quoted(text)
            ));
            None
        }
    }
}

/// A day alone is its midnight in UTC: tests are due by the day, and a file must mean the same everywhere.
fn commissioned(text: &str, wrong: &mut Wrong<'_>) -> Option<Option<Timestamp>> {
    if text.is_empty() {
        return Some(None);
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .filter(|_| text.len() == 10)
        .map(|day| Timestamp::from_millis(day.and_time(NaiveTime::MIN).and_utc().timestamp_millis()));
    let time = day.or_else(|| Timestamp::parse(text));
    if time.is_none() {
        wrong(&format_args!(
            "commissioned cannot be {}; write the day as 2026-03-01 (in the spreadsheet, set the column's format to Text)",
            quoted(text)
        ));
        return None;
    }
    Some(time)
}

fn commissioned_text(at: Timestamp) -> String {
    let utc = at.to_utc();
    if utc.num_seconds_from_midnight() == 0 && utc.nanosecond() == 0 {
        utc.format("%Y-%m-%d").to_string()
    } else {
        at.to_string()
    }
}
