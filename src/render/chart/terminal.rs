//! A chart in letters: lines of braille dots, bars of blocks. Owns what fits into a terminal's columns.

use crate::domain::Timestamp;

use super::LimitLine;
use super::bars::{BarChart, Bars};
use super::line::{LineChart, Point};
use super::scale::{Values, time_ticks};
use crate::render::table::{fit, width as columns_of};

/// Lines of letters that the values take.
const ROWS: usize = 12;
/// A letter of braille is two dots wide and four high.
const DOTS: (usize, usize) = (2, 4);
const PLOT_LEAST: usize = 16;

pub(super) fn line(chart: &LineChart, width: usize) -> Vec<String> {
    let values = chart.values(4);
    let mut sheet = Sheet::new(&values, &chart.unit, &chart.limits, width);
    let (across, up) = (sheet.columns * DOTS.0, ROWS * DOTS.1);
    let x = |at: Timestamp| (share_of(chart.from, chart.to, at) * (across - 1) as f64).round() as usize;
    let y = |value: f64| (values.share(value) * (up - 1) as f64).round() as usize;
    let mut before: Option<(usize, usize)> = None;
    for point in &chart.points {
        match point {
            Point::Gap => before = None,
            Point::Reading { at, value, low, high } => {
                let here = (x(*at), y(*value));
                join(before.unwrap_or(here), here, |x, y| sheet.dot(x, y));
                (y(*low)..=y(*high)).for_each(|y| sheet.dot(here.0, y));
                before = Some(here);
            }
        }
    }
    sheet.lines(&chart.title, chart.points.is_empty(), |columns| times(chart.from, chart.to, chart.zone, columns))
}

pub(super) fn bars(chart: &BarChart, width: usize) -> Vec<String> {
    match &chart.bars {
        Bars::Times { from, to, each, counts, zone } => {
            let values = BarChart::values(counts, &chart.limits, 4);
            let mut sheet = Sheet::new(&values, &chart.unit, &chart.limits, width);
            let columns = sheet.columns;
            // Where several share a column, the highest of them is seen.
            let mut heights = vec![0.0f64; columns];
            for (at, count) in counts.iter().filter(|(at, _)| *at < *to && *at + *each > *from) {
                let first = (share_of(*from, *to, *at) * columns as f64).floor() as usize;
                let last = (share_of(*from, *to, *at + *each) * columns as f64).ceil() as usize;
                for height in &mut heights[first.min(columns - 1)..last.clamp(first + 1, columns).max(1)] {
                    *height = height.max(values.share(*count));
                }
            }
            for (column, height) in heights.into_iter().enumerate() {
                sheet.bar(column, (height * (ROWS * 8) as f64).round() as usize);
            }
            sheet.lines(&chart.title, counts.is_empty(), |columns| times(*from, *to, *zone, columns))
        }
        Bars::Groups(groups) => {
            let names = groups.iter().map(|(name, _)| columns_of(name)).max().unwrap_or_default().min(width / 3);
            let most = groups.iter().map(|(_, v)| *v).filter(|v| v.is_finite()).fold(0.0, f64::max);
            let room = width.saturating_sub(names + 12).max(PLOT_LEAST);
            let mut lines = vec![chart.title.clone()];
            for (name, value) in groups {
                let eighths = if most > 0.0 { (value / most * (room * 8) as f64).round().max(0.0) as usize } else { 0 };
                let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
                let name = fit(name, names);
                let figure = crate::domain::metric::plain_number(*value);
                let pad = " ".repeat(names.saturating_sub(columns_of(&name)));
                lines.push(
                    format!("{name}{pad} {}{rest} {figure} {}", "█".repeat(eighths / 8), chart.unit)
                        .trim_end()
                        .to_owned(),
                );
            }
            lines
        }
    }
}

fn share_of(from: Timestamp, to: Timestamp, at: Timestamp) -> f64 {
    let span = (to.as_millis() - from.as_millis()).max(1) as f64;
    ((at.as_millis() - from.as_millis()) as f64 / span).clamp(0.0, 1.0)
}

/// Every dot between two, both with them.
fn join((x0, y0): (usize, usize), (x1, y1): (usize, usize), mut dot: impl FnMut(usize, usize)) {
    let steps = x0.abs_diff(x1).max(y0.abs_diff(y1)).max(1);
    for i in 0..=steps {
        let share = i as f64 / steps as f64;
        let between = |a: usize, b: usize| (a as f64 + (b as f64 - a as f64) * share).round() as usize;
        dot(between(x0, x1), between(y0, y1));
    }
}

/// Ticks and their labels, each below the other.
fn times(from: Timestamp, to: Timestamp, zone: chrono_tz::Tz, columns: usize) -> (String, String) {
    let mut ticks = vec!['─'; columns];
    let mut labels = String::new();
    for tick in time_ticks(from, to, zone, columns / 9) {
        let column = (share_of(from, to, tick.at) * columns as f64).floor() as usize;
        let column = column.min(columns - 1);
        ticks[column] = '┬';
        let length = tick.label.chars().count();
        let start = column.saturating_sub(length / 2).min(columns.saturating_sub(length));
        let used = labels.chars().count();
        if used == 0 && start == 0 || start > used {
            labels.push_str(&" ".repeat(start - used));
            labels.push_str(&tick.label);
        }
    }
    (ticks.into_iter().collect(), labels)
}

/// The letters of the plot, with the labels at their left and the limits' names at their right.
struct Sheet {
    /// Per row, from the top: what stands left of it.
    labels: Vec<String>,
    label_width: usize,
    columns: usize,
    cells: Vec<Vec<char>>,
    /// Row, and what stands right of it.
    limits: Vec<(usize, String)>,
}

impl Sheet {
    fn new(values: &Values, unit: &str, limits: &[LimitLine], width: usize) -> Self {
        let row_of = |value: f64| ROWS - 1 - ((values.share(value) * ROWS as f64).floor() as usize).min(ROWS - 1);
        let mut labels = vec![String::new(); ROWS];
        for tick in values.ticks() {
            labels[row_of(tick)] = values.text(tick);
        }
        if let (Some(top), false) = (labels.first_mut(), unit.is_empty()) {
            *top = format!("{top} {unit}");
        }
        let label_width = labels.iter().map(|l| columns_of(l)).max().unwrap_or_default();
        let mut named: Vec<(usize, String)> = Vec::new();
        for limit in limits {
            let row = row_of(limit.value);
            match named.iter_mut().find(|(r, _)| *r == row) {
                Some((_, names)) => *names = format!("{names}, {}", limit.label),
                None => named.push((row, limit.label.clone())),
            }
        }
        let right = named.iter().map(|(_, name)| columns_of(name) + 1).max().unwrap_or_default().min(width / 4);
        let columns = width.saturating_sub(label_width + 2 + right).max(PLOT_LEAST);
        for (_, name) in &mut named {
            *name = fit(name, right.saturating_sub(1));
        }
        Sheet { labels, label_width, columns, cells: vec![vec![' '; columns]; ROWS], limits: named }
    }

    /// From the lower left.
    fn dot(&mut self, x: usize, y: usize) {
        /// The bit of each dot of a letter: columns, from the top.
        const BITS: [[u32; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
        const EMPTY: u32 = 0x2800;
        let (column, row) = (x / DOTS.0, y / DOTS.1);
        if column >= self.columns || row >= ROWS {
            return;
        }
        let cell = &mut self.cells[ROWS - 1 - row][column];
        let bits = if *cell == ' ' { 0 } else { *cell as u32 - EMPTY };
        let bit = BITS[x % DOTS.0][DOTS.1 - 1 - y % DOTS.1];
        *cell = char::from_u32(EMPTY + (bits | bit)).expect("256 letters of braille");
    }

    fn bar(&mut self, column: usize, eighths: usize) {
        const PARTS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        for row in 0..ROWS {
            self.cells[ROWS - 1 - row][column] = PARTS[eighths.saturating_sub(row * 8).min(8)];
        }
    }

    fn lines(mut self, title: &str, is_empty: bool, times: impl FnOnce(usize) -> (String, String)) -> Vec<String> {
        for (row, _) in &self.limits {
            for cell in self.cells[*row].iter_mut().filter(|c| **c == ' ') {
                *cell = '┄';
            }
        }
        if is_empty {
            let text = "no readings in this time";
            let start = self.columns.saturating_sub(text.len()) / 2;
            for (cell, letter) in self.cells[ROWS / 2].iter_mut().skip(start).zip(text.chars()) {
                *cell = letter;
            }
        }
        let mut lines = vec![title.to_owned()];
        for (row, cells) in self.cells.iter().enumerate() {
            let label = &self.labels[row];
            let pad = " ".repeat(self.label_width - columns_of(label));
            let edge = if label.is_empty() { '│' } else { '┤' };
            let name = self.limits.iter().find(|(r, _)| *r == row).map_or("", |(_, name)| name.as_str());
            let cells: String = cells.iter().collect();
            lines.push(format!("{pad}{label} {edge}{cells} {name}").trim_end().to_owned());
        }
        let (ticks, labels) = times(self.columns);
        let left = " ".repeat(self.label_width + 1);
        lines.push(format!("{left}└{ticks}"));
        lines.push(format!("{left} {labels}").trim_end().to_owned());
        lines
    }
}
