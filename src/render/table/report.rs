//! A period's report as tables of 80 columns, and as rows for programs. Never works anything out.

use std::time::Duration;

use crate::domain::report::{DrillFigures, Group, PressFigures, Report, StuckRow, WorkFigures};
use crate::domain::{Readiness, Timestamp};

use super::Look;
use super::availability::percent;
use super::cell::{Paint, wrap};
use super::grid::{Cell, Column, Grid, cell, painted};
use super::page::text_of;
use super::record::Record;
use super::when::{local, zone_text};

const DAY: Duration = Duration::from_secs(86_400);
/// Dates that a list shows; JSON and CSV have them all.
const FORECASTS_SHOWN: usize = 20;

pub fn report(report: &Report, look: &Look) -> String {
    let (from, to) = (local(look, report.from), local(look, report.to));
    let title = crate::render::report_page::title(report);
    let mut lines = vec![title, format!("{from} to {to} ({})", zone_text(look)), String::new()];
    if let Some(from) = report.counts_from {
        let text = format!("Nothing is kept from before {}: figures count from then.", local(look, from));
        lines.extend(wrap(&text, look.width).into_iter().chain([String::new()]));
    }
    let fleet = std::slice::from_ref(&report.fleet);
    for (title, groups) in [("FLEET", fleet), ("CITY", &report.cities), ("SITE TYPE", &report.site_types)] {
        lines.extend(buttons(title, groups, look));
    }
    lines.extend(forecasts(report, look));
    if report.fleet.availability.units > 0 {
        lines.extend(drills(report, look));
    }
    let crews = report.crews.iter().map(|crew| (crew.availability.name.as_str(), &crew.work));
    lines.extend(work("CREW", crews, look));
    lines.extend(work("PART", report.components.iter().map(|c| (c.name.as_str(), &c.work)), look));
    if !report.offenders.is_empty() {
        let mut grid =
            Grid::new([Column::whole("COMES BACK"), Column::whole("TIMES").right(), Column::cut("PARTS", 20)]);
        for offender in &report.offenders {
            let parts = offender.components.join(", ");
            grid.row([cell(offender.unit.as_str()), cell(offender.openings.to_string()), cell(parts)]);
        }
        lines.extend(grid.lines(look));
    }
    text_of(lines)
}

fn forecasts(report: &Report, look: &Look) -> Vec<String> {
    if report.forecasts.is_empty() {
        return Vec::new();
    }
    let mut grid = Grid::new([
        Column::whole("FAILS NEXT"),
        Column::whole("PART"),
        Column::whole("WHEN"),
        Column::cut("BECAUSE", 20),
    ]);
    for f in report.forecasts.iter().take(FORECASTS_SHOWN) {
        // A day is enough of what is weeks away, the hour of what is hours away.
        let day_and_hour = local(look, f.at);
        let (day, hour) = day_and_hour.split_once(' ').unwrap_or((&day_and_hour, ""));
        let when = match f.at {
            at if at <= report.made_at => "now",
            at if at.since(report.made_at) < DAY => hour,
            _ => day,
        };
        grid.row([cell(f.unit.as_str()), cell(f.component.as_str()), cell(when), cell(f.from.as_str())]);
    }
    let more = report.forecasts.len().saturating_sub(FORECASTS_SHOWN);
    let more = (more > 0).then(|| format!("and {more} later ones"));
    grid.lines(look).into_iter().chain(more).chain([String::new()]).collect()
}

fn drills(report: &Report, look: &Look) -> Vec<String> {
    let mut grid = Grid::new([
        Column::cut("DRILLS", 8),
        Column::whole("SELF-TESTS").right(),
        Column::whole("PRESSED").right(),
        Column::whole("NOT DUE").right(),
        Column::whole("NOT KNOWN").right(),
    ]);
    for group in std::iter::once(&report.fleet).chain(&report.crews).filter(|g| g.availability.units > 0) {
        let d = &group.drills;
        let of = |done: usize, missed: usize| match done + missed {
            0 => painted("-", Paint::Faint),
            all => painted(format!("{done}/{all}"), if missed > 0 { Paint::Warn } else { Paint::Plain }),
        };
        grid.row([
            named(&group.availability.name),
            of(d.tests_valid, d.tests_overdue),
            of(d.press_done, d.press_overdue),
            count(d.press_not_due),
            count(d.tests_unknown.max(d.press_unknown)),
        ]);
    }
    let mut lines: Vec<String> = grid.lines(look).into_iter().chain([String::new()]).collect();
    lines.extend(wrap(&presses_told(&report.presses, |at| local(look, at)), look.width));
    lines.push(String::new());
    if !report.stuck.is_empty() {
        let mut grid = Grid::new([
            Column::whole("STUCK"),
            Column::whole("SINCE"),
            Column::cut("CREW", 8),
            Column::cut("NAME", 12),
        ]);
        for s in &report.stuck {
            grid.row([cell(s.unit.as_str()), cell(local(look, s.since)), cell(s.crew.as_str()), cell(s.name.as_str())]);
        }
        lines.extend(grid.lines(look).into_iter().chain([String::new()]));
    }
    if !report.overdue.is_empty() {
        let mut grid = Grid::new([
            Column::whole("OVERDUE"),
            Column::whole("TEST"),
            Column::whole("SINCE"),
            Column::cut("CREW", 8),
            Column::cut("NAME", 12),
        ]);
        for o in &report.overdue {
            let since = o.since.map_or("never passed".to_owned(), |at| local(look, at));
            grid.row([
                cell(o.unit.as_str()),
                cell(o.test.as_str()),
                cell(since),
                cell(o.crew.as_str()),
                cell(o.name.as_str()),
            ]);
        }
        lines.extend(grid.lines(look).into_iter().chain([String::new()]));
    }
    lines
}

/// `12 real presses; 11 were answered by the control room, 1 was not; half of them within 4.2 s. 20 test presses.`
pub(in crate::render) fn presses_told(presses: &PressFigures, time: impl Fn(Timestamp) -> String) -> String {
    let counted = |n: usize, what: &str| match n {
        0 => format!("No {what} press"),
        1 => format!("1 {what} press"),
        n => format!("{n} {what} presses"),
    };
    let mut text = counted(presses.real, "real");
    if presses.real > 0 {
        text.push_str(&format!("; the control room answered {}", presses.real_answered));
        if presses.real_unanswered > 0 {
            text.push_str(&format!(", left {} without an answer", presses.real_unanswered));
        }
        if presses.real_not_known > 0 {
            text.push_str(&format!(", of {} it is not known", presses.real_not_known));
        }
        if let Some(median) = presses.median_answer_s {
            text.push_str(&format!("; half of the answers came within {median:.1} s"));
        }
    }
    text.push_str(&format!(". {}", counted(presses.test, "test")));
    if presses.test_unanswered > 0 {
        text.push_str(&format!(", {} without an answer", presses.test_unanswered));
    }
    text.push('.');
    if let Some(from) = presses.counts_from {
        text.push_str(&format!(" Presses are kept from {} on.", time(from)));
    }
    text
}

fn buttons(title: &'static str, groups: &[Group], look: &Look) -> Vec<String> {
    if groups.is_empty() {
        return Vec::new();
    }
    let mut grid = Grid::new([
        Column::cut(title, 8),
        Column::whole("UNITS").right(),
        Column::whole("AVAILABLE").right(),
        Column::whole("UNKNOWN").right(),
        Column::whole("PROVED").right(),
        Column::whole("MTBF").right(),
    ]);
    for group in groups {
        grid.row([
            named(&group.availability.name),
            cell(group.availability.units.to_string()),
            share(group.availability.available_pct),
            share(group.unknown_pct()),
            share(group.proved_pct),
            hours(group.mtbf_hours),
        ]);
    }
    grid.lines(look).into_iter().chain([String::new()]).collect()
}

fn work<'a>(title: &'static str, rows: impl Iterator<Item = (&'a str, &'a WorkFigures)>, look: &Look) -> Vec<String> {
    let mut grid = Grid::new([
        Column::cut(title, 8),
        Column::whole("OPENED").right(),
        Column::whole("AGAIN").right(),
        Column::whole("REPAIRED").right(),
        Column::whole("BY ITSELF").right().spare(1),
        Column::whole("OPEN").right(),
        Column::whole("LATE").right(),
        Column::whole("MTTA").right(),
        Column::whole("MTTR").right(),
        Column::whole("A DAY").right(),
    ]);
    let mut any = false;
    for (name, work) in rows {
        any = true;
        let late = if work.due == 0 { String::new() } else { format!("{}/{}", work.overdue, work.due) };
        let late_paint = if work.overdue > 0 { Paint::Warn } else { Paint::Plain };
        grid.row([
            named(name),
            count(work.opened),
            count(work.reopened),
            count(work.verified),
            count(work.cleared_by_themselves),
            count(work.open),
            painted(late, late_paint),
            hours(work.mtta_hours),
            hours(work.mttr_hours),
            cell(if work.a_day == 0.0 { String::new() } else { format!("{:.1}", work.a_day) }),
        ]);
    }
    if !any {
        return Vec::new();
    }
    grid.lines(look).into_iter().chain([String::new()]).collect()
}

fn named(name: &str) -> Cell {
    if name.is_empty() { painted("none", Paint::Faint) } else { cell(name) }
}

fn count(n: usize) -> Cell {
    cell(if n == 0 { String::new() } else { n.to_string() })
}

fn share(pct: Option<f64>) -> Cell {
    pct.map_or_else(|| painted("-", Paint::Faint), |pct| cell(percent(pct)))
}

fn hours(hours: Option<f64>) -> Cell {
    hours.map_or_else(|| painted("-", Paint::Faint), |hours| cell(span(hours)))
}

/// `45 min`, `5.2 h`, `12 d`: as exact as a mean of a few orders deserves.
pub(in crate::render) fn span(hours: f64) -> String {
    match hours {
        ..1.0 => format!("{:.0} min", hours * 60.0),
        ..100.0 => format!("{hours:.1} h"),
        _ => format!("{:.0} d", hours / 24.0),
    }
}

/// One line of a report for programs: a group, or a thing to look at.
pub struct ReportLine {
    by: &'static str,
    name: String,
    units: String,
    available_pct: String,
    proved_pct: String,
    mtbf_hours: String,
    /// None: it is no group.
    work: Option<WorkFigures>,
    seconds: Vec<String>,
    drills: Option<DrillFigures>,
    component: String,
    at: String,
    what: String,
}

impl ReportLine {
    fn thing(by: &'static str, name: &str, component: &str, at: Option<Timestamp>, what: String) -> Self {
        ReportLine {
            by,
            name: name.to_owned(),
            units: String::new(),
            available_pct: String::new(),
            proved_pct: String::new(),
            mtbf_hours: String::new(),
            work: None,
            seconds: vec![String::new(); TIMES.len()],
            drills: None,
            component: component.to_owned(),
            at: at.map(|at| at.to_string()).unwrap_or_default(),
            what,
        }
    }

    pub fn of(report: &Report) -> Vec<ReportLine> {
        let of_group = |by: &'static str| {
            move |group: &Group| ReportLine {
                units: group.availability.units.to_string(),
                available_pct: figure(group.availability.available_pct),
                proved_pct: figure(group.proved_pct),
                mtbf_hours: figure(group.mtbf_hours),
                work: Some(group.work.clone()),
                seconds: TIMES.iter().map(|r| group.availability.seconds.of(*r).as_secs().to_string()).collect(),
                drills: Some(group.drills.clone()),
                ..ReportLine::thing(by, &group.availability.name, "", None, String::new())
            }
        };
        let mut lines = vec![of_group("fleet")(&report.fleet)];
        lines.extend(report.cities.iter().map(of_group("city")));
        lines.extend(report.site_types.iter().map(of_group("site_type")));
        lines.extend(report.crews.iter().map(of_group("crew")));
        lines.extend(report.components.iter().map(|c| ReportLine {
            work: Some(c.work.clone()),
            ..ReportLine::thing("component", &c.name, &c.name, None, String::new())
        }));
        lines.extend(report.forecasts.iter().map(|f| {
            let what = format!("{}: {}", f.what, f.from);
            ReportLine::thing("forecast", f.unit.as_str(), f.component.as_str(), Some(f.at), what)
        }));
        lines.extend(report.overdue.iter().map(|o| {
            let part = if o.test == "press-test" { "button" } else { "" };
            ReportLine::thing("overdue", o.unit.as_str(), part, o.since, o.test.clone())
        }));
        let stuck = |s: &StuckRow| {
            ReportLine::thing("stuck", s.unit.as_str(), "button", Some(s.since), "cannot be pressed".to_owned())
        };
        lines.extend(report.stuck.iter().map(stuck));
        lines
    }
}

const TIMES: [Readiness; 7] = [
    Readiness::Ready,
    Readiness::Impaired,
    Readiness::NotReady,
    Readiness::Silent,
    Readiness::Unknown,
    Readiness::Unproven,
    Readiness::Maintenance,
];

fn figure(value: Option<f64>) -> String {
    value.map_or(String::new(), |v| format!("{v:.3}"))
}

impl Record for ReportLine {
    const FIELDS: &'static [&'static str] = &[
        "by",
        "name",
        "units",
        "available_pct",
        "proved_pct",
        "mtbf_hours",
        "opened",
        "reopened",
        "verified",
        "cleared_by_themselves",
        "cancelled",
        "open",
        "due",
        "overdue",
        "mtta_hours",
        "mttr_hours",
        "a_day",
        "ready_s",
        "impaired_s",
        "not_ready_s",
        "silent_s",
        "unknown_s",
        "unproven_s",
        "maintenance_s",
        "tests_valid",
        "tests_overdue",
        "tests_unknown",
        "press_done",
        "press_not_due",
        "press_overdue",
        "press_unknown",
        "component",
        "at",
        "what",
    ];
    fn values(&self) -> Vec<String> {
        let mut values = vec![self.by.to_owned()];
        values.extend(
            [&self.name, &self.units, &self.available_pct, &self.proved_pct, &self.mtbf_hours].map(Clone::clone),
        );
        match &self.work {
            Some(w) => {
                let counts =
                    [w.opened, w.reopened, w.verified, w.cleared_by_themselves, w.cancelled, w.open, w.due, w.overdue];
                values.extend(counts.iter().map(usize::to_string));
                values.extend([figure(w.mtta_hours), figure(w.mttr_hours), format!("{:.3}", w.a_day)]);
            }
            None => values.extend(std::iter::repeat_n(String::new(), 11)),
        }
        values.extend(self.seconds.iter().cloned());
        match &self.drills {
            Some(d) => values.extend(
                [
                    d.tests_valid,
                    d.tests_overdue,
                    d.tests_unknown,
                    d.press_done,
                    d.press_not_due,
                    d.press_overdue,
                    d.press_unknown,
                ]
                .map(|n| n.to_string()),
            ),
            None => values.extend(std::iter::repeat_n(String::new(), 7)),
        }
        values.extend([&self.component, &self.at, &self.what].map(Clone::clone));
        values
    }
}
