//! A period's report as tables of 80 columns, and as rows for programs. Never works anything out.

use crate::domain::Readiness;
use crate::domain::report::{Group, Report, WorkFigures};

use super::Look;
use super::availability::percent;
use super::cell::Paint;
use super::grid::{Cell, Column, Grid, cell, painted};
use super::page::text_of;
use super::record::Record;
use super::when::{local, zone_text};

pub fn report(title: &str, report: &Report, look: &Look) -> String {
    let (from, to) = (local(look, report.from), local(look, report.to));
    let mut lines = vec![title.to_owned(), format!("{from} to {to} ({})", zone_text(look)), String::new()];
    let fleet = std::slice::from_ref(&report.fleet);
    for (title, groups) in [("FLEET", fleet), ("CITY", &report.cities), ("SITE TYPE", &report.site_types)] {
        lines.extend(buttons(title, groups, look));
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

/// One line of a report for programs.
pub struct ReportLine {
    by: &'static str,
    name: String,
    units: String,
    available_pct: String,
    proved_pct: String,
    mtbf_hours: String,
    work: WorkFigures,
    seconds: Vec<String>,
}

impl ReportLine {
    pub fn of(report: &Report) -> Vec<ReportLine> {
        let of_group = |by: &'static str| {
            move |group: &Group| ReportLine {
                by,
                name: group.availability.name.clone(),
                units: group.availability.units.to_string(),
                available_pct: figure(group.availability.available_pct),
                proved_pct: figure(group.proved_pct),
                mtbf_hours: figure(group.mtbf_hours),
                work: group.work.clone(),
                seconds: TIMES.iter().map(|r| group.availability.seconds.of(*r).as_secs().to_string()).collect(),
            }
        };
        let mut lines = vec![of_group("fleet")(&report.fleet)];
        lines.extend(report.cities.iter().map(of_group("city")));
        lines.extend(report.site_types.iter().map(of_group("site_type")));
        lines.extend(report.crews.iter().map(of_group("crew")));
        lines.extend(report.components.iter().map(|c| ReportLine {
            by: "component",
            name: c.name.clone(),
            units: String::new(),
            available_pct: String::new(),
            proved_pct: String::new(),
            mtbf_hours: String::new(),
            work: c.work.clone(),
            seconds: vec![String::new(); TIMES.len()],
        }));
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
    ];
    fn values(&self) -> Vec<String> {
        let w = &self.work;
        let counts = [w.opened, w.reopened, w.verified, w.cleared_by_themselves, w.cancelled, w.open, w.due, w.overdue];
        let mut values = vec![self.by.to_owned()];
        values.extend(
            [&self.name, &self.units, &self.available_pct, &self.proved_pct, &self.mtbf_hours].map(Clone::clone),
        );
        values.extend(counts.iter().map(usize::to_string));
        values.extend([figure(w.mtta_hours), figure(w.mttr_hours), format!("{:.3}", w.a_day)]);
        values.extend(self.seconds.iter().cloned());
        values
    }
}
