//! The public's edition as tables of 80 columns, and as rows for programs. Never shows more than the edition has.

use crate::domain::public_report::{PublicGroup, PublicReport};

use super::Look;
use super::cell::{Paint, wrap};
use super::grid::{Cell, Column, Grid, cell, painted};
use super::page::text_of;
use super::record::Record;
use super::report::span;
use super::when::{local, zone_text};

pub fn public_report(report: &PublicReport, look: &Look) -> String {
    let (from, to) = (local(look, report.from), local(look, report.to));
    let mut lines = vec![
        "How ready the emergency buttons were".to_owned(),
        format!("{from} to {to} ({})", zone_text(look)),
        String::new(),
    ];
    match report.counts_from {
        Some(from) if from >= report.to => {
            lines.extend(["The buttons were not watched yet in this period.".to_owned(), String::new()]);
        }
        Some(from) => lines.extend([format!("Figures count from {}.", local(look, from)), String::new()]),
        None => {}
    }
    match &report.total {
        Some(total) => {
            for (title, groups) in
                [("ALL", std::slice::from_ref(total)), ("CITY", &report.cities), ("SITE TYPE", &report.site_types)]
            {
                lines.extend(group_lines(title, groups, look));
            }
        }
        None => lines.push(format!("There are fewer than {} buttons: nothing is published.", report.smallest_group)),
    }
    for line in &report.method {
        lines.extend(wrap(line, look.width));
    }
    lines.extend([String::new(), format!("The next edition: not before {}.", local(look, report.next_at))]);
    text_of(lines)
}

fn group_lines(title: &'static str, groups: &[PublicGroup], look: &Look) -> Vec<String> {
    if groups.is_empty() {
        return Vec::new();
    }
    let mut grid = Grid::new([
        Column::cut(title, 8),
        Column::whole("UNITS").right(),
        Column::whole("AVAILABLE").right(),
        Column::whole("UNKNOWN").right(),
        Column::whole("PROVED").right(),
        Column::whole("PRESSED").right(),
        Column::whole("REPAIR").right(),
    ]);
    for group in groups {
        grid.row([
            if group.name.is_empty() { painted("none", Paint::Faint) } else { cell(group.name.as_str()) },
            cell(group.units.to_string()),
            percent(group.available_pct),
            percent(group.unknown_pct),
            percent(group.proved_pct),
            percent(group.drills_pct),
            group.median_repair_hours.map_or_else(|| painted("-", Paint::Faint), |hours| cell(span(hours))),
        ]);
    }
    grid.lines(look).into_iter().chain([String::new()]).collect()
}

fn percent(pct: Option<f64>) -> Cell {
    pct.map_or_else(|| painted("-", Paint::Faint), |pct| cell(format!("{pct:.1} %")))
}

/// One group for programs.
pub struct PublicLine<'a> {
    by: &'static str,
    group: &'a PublicGroup,
}

impl<'a> PublicLine<'a> {
    pub fn of(report: &'a PublicReport) -> Vec<Self> {
        let line = |by: &'static str| move |group| PublicLine { by, group };
        let total = report.total.iter().map(line("all"));
        total
            .chain(report.cities.iter().map(line("city")))
            .chain(report.site_types.iter().map(line("site_type")))
            .collect()
    }
}

impl Record for PublicLine<'_> {
    const FIELDS: &'static [&'static str] = &[
        "by",
        "name",
        "is_rest",
        "units",
        "available_pct",
        "unknown_pct",
        "proved_pct",
        "drills_pct",
        "median_repair_hours",
    ];
    fn values(&self) -> Vec<String> {
        let g = self.group;
        let figure = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
        let mut values = vec![self.by.to_owned(), g.name.clone(), g.is_rest.to_string(), g.units.to_string()];
        let figures = [g.available_pct, g.unknown_pct, g.proved_pct, g.drills_pct, g.median_repair_hours];
        values.extend(figures.map(figure));
        values
    }
}
