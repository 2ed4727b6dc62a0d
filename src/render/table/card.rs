//! One unit's card: can it summon help, why not, what its figures say, what is being done, who shares its circuits.

use std::time::Duration;

use crate::domain::message::PressKind;
use crate::domain::metric::plain_number;
use crate::domain::view::{PressView, ReadingView, SeriesView, SiblingView, TestView, UnitCard};
use crate::domain::{GroupKind, Metric, Outcome, Readiness, SeriesName, span_text};

use super::Look;
use super::cell::{Pad, Paint, lay, width};
use super::command::{outcome_paint, outcome_text};
use super::fleet::readiness_paint;
use super::order::order_grid;
use super::page::{Page, text_of};
use super::when::{age, age_short, in_local_time, local_and_age};

/// What a short screen goes without, the least missed first. What is wrong, who is on it and where always stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    EarlierPresses,
    ReadingsWithoutLimit,
    AddressAndDevice,
    PassedTests,
    EmptyLines,
    Readings,
    LastDay,
    Presses,
}

impl Cut {
    const ALL: [Cut; 8] = [
        Cut::EarlierPresses,
        Cut::ReadingsWithoutLimit,
        Cut::AddressAndDevice,
        Cut::PassedTests,
        Cut::EmptyLines,
        Cut::Readings,
        Cut::LastDay,
        Cut::Presses,
    ];
}

/// One unit: can it summon help, why not, what its figures say, what is being done, who shares its circuits.
///
/// `days`: the last day of some series; those of `DAY_SERIES`, when they are there.
pub fn unit_card(card: &UnitCard, days: &[SeriesView], look: &Look) -> String {
    drawn(card, days, look, &[])
}

/// The same in no more than so many lines, if that can be done; the last one says how many are missing and `how` to see
/// them.
pub fn unit_card_within(lines: usize, how: &str, card: &UnitCard, days: &[SeriesView], look: &Look) -> String {
    let mut text = unit_card(card, days, look);
    let all = text.lines().count();
    for cuts in 1..=Cut::ALL.len() {
        if text.lines().count() <= lines {
            break;
        }
        text = drawn(card, days, look, &Cut::ALL[..cuts]);
        let missing = all.saturating_sub(text.lines().count());
        let note = lay(&format!("  {missing} more lines: {how}"), Paint::Faint, look.width, Pad::None, look);
        text.push_str(&text_of([note]));
    }
    text
}

fn drawn(card: &UnitCard, days: &[SeriesView], look: &Look, cuts: &[Cut]) -> String {
    let has = |cut: Cut| !cuts.contains(&cut);
    let row = &card.row;
    let mut page = if has(Cut::EmptyLines) { Page::new(look) } else { Page::dense(look) };
    page.title(&format!("{}  {}", row.unit, row.name), row.readiness.as_str(), readiness_paint(row.readiness));
    page.text(&in_local_time(look, &row.reason));
    // What is wrong and who is on it stand before everything else.
    if !card.alerts.is_empty() {
        page.section("ALERTS");
        for alert in &card.alerts {
            let order = alert.order.map(|o| format!(" ({o})")).unwrap_or_default();
            let reason = in_local_time(look, &alert.reason);
            page.hang("-", 1, &format!("{} {} {}: {reason}{order}", alert.severity, alert.state, alert.rule));
        }
    }
    if !card.orders.is_empty() {
        page.section("ORDERS");
        let lines = order_grid(&card.orders, look).indented(2).flat().lines(look);
        page.lines(lines.into_iter().skip(1));
    }
    page.gap();
    page.field("Since", &row.since.map(|at| local_and_age(look, at)).unwrap_or_default());
    let heard = match row.last_heard {
        None => "never".to_owned(),
        Some(at) => local_and_age(look, at),
    };
    let silent = match card.silent_at {
        Some(at) if at > look.now => format!("; silent {} if nothing comes", age(look.now, at)),
        Some(_) | None => String::new(),
    };
    page.field("Heard", &(heard + &silent));
    page.field("Site", &joined(&[row.site.as_str(), row.site_type.as_str(), row.city.as_str()]));
    if has(Cut::AddressAndDevice) {
        page.field("Address", &card.address);
        page.field("Contact", &card.contact);
    }
    page.field("Crew", row.crew.as_str());
    if has(Cut::AddressAndDevice) {
        page.field("Device", &device(card));
    }
    let circuit = |kind, name: Option<&str>| name.map(|name| circuit(card, kind, name)).unwrap_or_default();
    page.field("Uplink", &circuit(GroupKind::Uplink, row.uplink.as_ref().map(|u| u.as_str())));
    page.field("Feeder", &circuit(GroupKind::Feeder, row.feeder.as_ref().map(|f| f.as_str())));
    if has(Cut::LastDay) {
        last_day(&mut page, card, days);
    }
    let elsewhere = |r: &&ReadingView| !has(Cut::LastDay) || !days.iter().any(|d| d.metric.to_string() == r.metric);
    let wanted = |r: &&ReadingView| has(Cut::Readings) && (has(Cut::ReadingsWithoutLimit) || !r.limits.is_empty());
    readings(&mut page, &card.readings.iter().filter(elsewhere).filter(wanted).collect::<Vec<_>>());
    tests(&mut page, &card.tests, has(Cut::PassedTests));
    let newest = match (has(Cut::Presses), has(Cut::EarlierPresses)) {
        (true, true) => 3,
        (true, false) => 1,
        (false, _) => 0,
    };
    presses(&mut page, card.presses.get(..newest).unwrap_or(&card.presses));
    page.end()
}

fn joined(parts: &[&str]) -> String {
    parts.iter().copied().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(", ")
}

fn device(card: &UnitCard) -> String {
    let firmware = card.firmware.as_ref().map(|f| format!("firmware {f}")).unwrap_or_default();
    let hardware = card.hardware.as_ref().map(|h| format!("hardware {h}")).unwrap_or_default();
    let boot = card.boot.map(|b| format!("start no. {b}")).unwrap_or_default();
    let loss = card
        .loss_pct
        .map(|l| format!("{} % of messages lost", crate::domain::metric::plain_number(l)))
        .unwrap_or_default();
    joined(&[&card.row.model, &firmware, &hardware, &boot, &loss])
}

/// Two beside each other where the window allows it.
fn side_by_side(page: &mut Page<'_>, cells: &[String], cell_columns: usize) {
    let across = (page.look.width.saturating_sub(2) / (cell_columns + 2)).max(1);
    let down = cells.len().div_ceil(across);
    for line in 0..down {
        let mut text = String::from(" ");
        for cell in cells.iter().skip(line).step_by(down.max(1)) {
            text.push(' ');
            text.push_str(cell);
            text.push(' ');
        }
        page.line(text);
    }
}

/// The readings whose last day says most about a unit, in the order of its card. Its heartbeats come before them.
pub const DAY_SERIES: &[Metric] =
    &[Metric::BatteryVoltage, Metric::MainsPresent, Metric::LinkRssi, Metric::EnclosureTemperature];

/// `limit 11.6, 12`
fn limits_text(limits: &[f64]) -> String {
    match limits {
        [] => String::new(),
        some => format!("limit {}", some.iter().map(|l| plain_number(*l)).collect::<Vec<_>>().join(", ")),
    }
}

const DAY_HOURS: i64 = 24;

/// A letter an hour, the newest at the right; a space: no reading. Between the lowest and the highest of the day, so that
/// a change shows; a day without a change is a line in the middle.
fn sparkline(series: &SeriesView) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let value = |p: &crate::domain::SeriesPoint| if series.metric.is_count() { f64::from(p.count) } else { p.mean };
    let newest = crate::domain::series::hour_of(series.to).0;
    let mut hours = [None; DAY_HOURS as usize];
    for point in &series.points {
        let age = newest - crate::domain::series::hour_of(point.hour).0;
        if (0..DAY_HOURS).contains(&age) {
            hours[(DAY_HOURS - 1 - age) as usize] = Some(value(point));
        }
    }
    // The hour that goes on has fewer heartbeats, which means nothing.
    if series.metric.is_count() {
        hours[DAY_HOURS as usize - 1] = None;
    }
    let known = || hours.iter().flatten().copied();
    let (low, high) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    let level = |value: f64| match high - low {
        span if span > 0.0 => ((value - low) / span * 7.0).round() as usize,
        _ => 3,
    };
    hours.iter().map(|hour| hour.map_or(' ', |value| LEVELS[level(value).min(7)])).collect()
}

fn last_day(page: &mut Page<'_>, card: &UnitCard, days: &[SeriesView]) {
    if days.is_empty() {
        return;
    }
    page.section("LAST DAY, BY THE HOUR");
    let look = page.look;
    let names = days.iter().map(|d| width(&d.metric.to_string())).max().unwrap_or(0).min(22);
    let figure = |day: &SeriesView| {
        let reading = card.readings.iter().find(|r| r.metric == day.metric.to_string());
        let text = match (reading, &day.metric) {
            (Some(reading), _) => reading.text.clone(),
            (None, SeriesName::Heartbeats) => {
                let beats: u64 = day.points.iter().map(|p| u64::from(p.count)).sum();
                format!("{beats} in 24 h")
            }
            (None, SeriesName::Metric(_) | SeriesName::Vendor(_)) => String::new(),
        };
        let age = reading.map(|r| age_short(look.now, r.at)).unwrap_or_default();
        (text, age, reading.map(|r| limits_text(&r.limits)).unwrap_or_default())
    };
    let figures: Vec<_> = days.iter().map(figure).collect();
    let texts = figures.iter().map(|(text, _, _)| width(text)).max().unwrap_or(0).min(14);
    let ages = figures.iter().map(|(_, age, _)| width(age)).max().unwrap_or(0);
    for (day, (text, age, limits)) in days.iter().zip(figures) {
        let name = lay(&day.metric.to_string(), Paint::Plain, names, Pad::Right, look);
        let text = lay(&text, Paint::Strong, texts, Pad::Left, look);
        let age = lay(&age, Paint::Faint, ages, Pad::Left, look);
        // On a narrow screen what is right goes, one after the other.
        let spark = sparkline(day);
        let mut line = format!("  {name} {text} {age}");
        let mut used = 4 + names + texts + ages;
        if used + 2 + DAY_HOURS as usize <= look.width {
            line.push_str(&format!("  {spark}"));
            used += 2 + DAY_HOURS as usize;
        }
        let room = look.width.saturating_sub(used + 2);
        if room >= 8 && !limits.is_empty() {
            line.push_str(&format!("  {}", lay(&limits, Paint::Faint, room, Pad::None, look)));
        }
        page.line(line);
    }
}

/// A line for each part: 30 readings take a dozen lines. An age stands where it is more than the unit's own silence says.
fn readings(page: &mut Page<'_>, readings: &[&ReadingView]) {
    const FRESH: Duration = Duration::from_secs(600);
    if readings.is_empty() {
        return;
    }
    page.section("READINGS");
    let newest = readings.iter().map(|r| r.at).max().unwrap_or_default();
    let mut parts: Vec<(&str, Vec<String>)> = Vec::new();
    for reading in readings {
        let (part, name) = reading.metric.split_once('.').unwrap_or((&reading.metric, ""));
        let is_old = newest.since(reading.at) > FRESH;
        let age = if is_old { format!("{} ago", age_short(page.look.now, reading.at)) } else { String::new() };
        let beside = [limits_text(&reading.limits), age];
        let beside: Vec<&str> = beside.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
        let beside = if beside.is_empty() { String::new() } else { format!(" ({})", beside.join("; ")) };
        let text = format!("{name} {}{beside}", reading.text);
        match parts.iter_mut().find(|(known, _)| *known == part) {
            Some((_, texts)) => texts.push(text),
            None => parts.push((part, vec![text])),
        }
    }
    for (part, texts) in parts {
        page.field(part, &texts.join(", "));
    }
}

/// `passed`: each of those that passed, too; otherwise how many did.
fn tests(page: &mut Page<'_>, tests: &[TestView], passed: bool) {
    if tests.is_empty() {
        return;
    }
    let look = page.look;
    let (told, counted): (Vec<_>, Vec<_>) = tests.iter().partition(|t| passed || t.result != Outcome::Pass);
    page.section(&match counted.len() {
        0 => "TESTS".to_owned(),
        counted => format!("TESTS ({counted} passed)"),
    });
    let said = outcome_text;
    let names = told.iter().map(|t| t.component.as_str().len()).max().unwrap_or(0);
    let results = told.iter().map(|t| width(&said(t))).max().unwrap_or(0).min(20);
    let ages = told.iter().map(|t| width(&age_short(look.now, t.at))).max().unwrap_or(0);
    let cells: Vec<String> = told
        .iter()
        .map(|t| {
            let paint = outcome_paint(t.result);
            let name = lay(t.component.as_str(), Paint::Plain, names, Pad::Right, look);
            let result = lay(&said(t), paint, results, Pad::Right, look);
            let age = lay(&age_short(look.now, t.at), Paint::Faint, ages, Pad::Left, look);
            format!("{name} {result} {age}")
        })
        .collect();
    side_by_side(page, &cells, names + results + ages + 2);
}

fn presses(page: &mut Page<'_>, presses: &[PressView]) {
    if presses.is_empty() {
        return;
    }
    page.section("PRESSES");
    for press in presses {
        let kind = match press.kind {
            PressKind::Real => "for help",
            PressKind::Test => "for a test",
        };
        let answer = match (press.answered, press.answer_ms) {
            (Some(true), Some(ms)) => {
                let span = Duration::try_from_secs_f64(ms.max(0.0) / 1000.0).unwrap_or_default();
                format!("answered after {}", span_text(span))
            }
            (Some(true), None) => "answered".to_owned(),
            (Some(false), _) => "NOT ANSWERED".to_owned(),
            (None, _) => "answer not known".to_owned(),
        };
        page.hang("-", 1, &format!("{} {kind}, {answer}", local_and_age(page.look, press.at)));
    }
}

/// How many others on it are ready, and which are not. That answers "is it only this one?".
fn circuit(card: &UnitCard, kind: GroupKind, name: &str) -> String {
    let others: Vec<&SiblingView> = card.siblings.iter().filter(|s| s.shares == kind).collect();
    if others.is_empty() {
        return name.to_owned();
    }
    let ready = others.iter().filter(|s| s.readiness == Readiness::Ready).count();
    let not_ready = others.iter().filter(|s| s.readiness != Readiness::Ready);
    let named: Vec<String> = not_ready.map(|s| format!("{} {}", s.unit, s.readiness)).collect();
    let named = if named.is_empty() { String::new() } else { format!(": {}", named.join(", ")) };
    format!("{name}, {ready} of {} others ready{named}", others.len())
}
