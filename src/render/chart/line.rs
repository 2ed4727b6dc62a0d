//! Readings over time: a line of means in the band of what was measured. Owns where its parts stand on the sheet.

use chrono_tz::Tz;

use crate::domain::Timestamp;

use super::LimitLine;
use super::paper::{Anchor, Paper, TEXT_PX, TITLE_PX, Theme, cut_to, text_width};
use super::scale::{Values, Weekdays, time_ticks};

#[derive(Debug, Clone)]
pub struct LineChart {
    /// Any script: right-to-left text is put in order and joined. The PNG's font has no letters for some: ask
    /// [`can_write`](super::can_write) first. Empty: its room goes to the readings.
    pub title: String,
    /// What the values are in: `V`; empty: plain numbers.
    pub unit: String,
    /// Oldest first.
    pub points: Vec<Point>,
    pub limits: Vec<LimitLine>,
    pub marks: Vec<Mark>,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Whose hours and days stand at the lower edge.
    pub zone: Tz,
    /// Pixels.
    pub width: u32,
    pub height: u32,
    pub theme: Theme,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Point {
    /// Nothing was heard here: the line breaks.
    Gap,
    Reading {
        at: Timestamp,
        value: f64,
        low: f64,
        high: f64,
    },
}

/// A moment to point out: `mains cut`.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    pub at: Timestamp,
    pub label: String,
}

/// A reading on the sheet.
#[derive(Clone, Copy)]
struct Spot {
    x: f64,
    value: f64,
    low: f64,
    high: f64,
}

/// So few readings are shown one by one.
const DOTTED_MAX: usize = 45;
/// Rows of labels of marks.
const MARK_ROWS: usize = 2;

/// Where the values are drawn.
pub(super) struct Plot {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

impl Plot {
    /// The room that title, times and the labels of values leave.
    pub fn within(width: u32, height: u32, title: &str, labels: &[String]) -> Self {
        let widest = labels.iter().map(|l| text_width(l, TEXT_PX)).fold(0.0, f64::max);
        let (left, top) = (widest + 14.0, if title.is_empty() { 14.0 } else { 34.0 });
        // Too small to show anything is still a chart.
        let (right, bottom) = ((f64::from(width) - 12.0).max(left + 10.0), (f64::from(height) - 24.0).max(top + 10.0));
        Plot { left, right, top, bottom }
    }

    pub fn y(&self, values: &Values, value: f64) -> f64 {
        self.bottom - values.share(value) * (self.bottom - self.top)
    }

    pub fn x(&self, from: Timestamp, to: Timestamp, at: Timestamp) -> f64 {
        let span = (to.as_millis() - from.as_millis()).max(1) as f64;
        let share = (at.as_millis() - from.as_millis()) as f64 / span;
        self.left + share.clamp(0.0, 1.0) * (self.right - self.left)
    }

    pub fn draw_title(&self, paper: &mut Paper, title: &str) {
        if title.is_empty() {
            return;
        }
        let text = cut_to(title, TITLE_PX, self.right - 10.0);
        let colour = paper.colours.text;
        paper.text((10.0, 20.0), Anchor::Start, TITLE_PX, colour, &text);
    }

    pub fn draw_values(&self, paper: &mut Paper, values: &Values, labels: &[String]) {
        let (grid, axis, faint) = (paper.colours.grid, paper.colours.axis, paper.colours.faint);
        for (i, (tick, label)) in values.ticks().iter().zip(labels).enumerate() {
            let y = self.y(values, *tick);
            paper.line((self.left, y), (self.right, y), if i == 0 { axis } else { grid }, "");
            paper.text((self.left - 6.0, y + 4.0), Anchor::End, TEXT_PX, faint, label);
        }
    }

    pub fn draw_times(
        &self,
        paper: &mut Paper,
        (from, to): (Timestamp, Timestamp),
        zone: Tz,
        weekdays: Option<&Weekdays>,
    ) {
        // As many as have room: the longest labels are six letters.
        let most = ((self.right - self.left) / 58.0).floor() as usize;
        let mut free_from = 0.0;
        let (axis, faint) = (paper.colours.axis, paper.colours.faint);
        for tick in time_ticks(from, to, zone, most) {
            let x = self.x(from, to, tick.at);
            paper.line((x, self.bottom), (x, self.bottom + 4.0), axis, "");
            let label = tick.label_in(weekdays);
            let half = text_width(&label, TEXT_PX) / 2.0;
            let middle = x.max(half).min(self.right + 10.0 - half);
            if middle - half < free_from {
                continue;
            }
            free_from = middle + half + 6.0;
            paper.text((middle, self.bottom + 16.0), Anchor::Middle, TEXT_PX, faint, &label);
        }
    }

    /// Dashed, each named at its right end, on the side where the readings should not be.
    pub fn draw_limits(&self, paper: &mut Paper, values: &Values, limits: &[LimitLine]) {
        const LETTERS: f64 = 12.0;
        let colour = paper.colours.limit;
        let mut taken: Vec<f64> = Vec::new();
        for limit in limits {
            let y = self.y(values, limit.value);
            paper.line((self.left, y), (self.right, y), colour, " stroke-width=\"1.25\" stroke-dasharray=\"6 4\"");
            let above = y - 4.0;
            let below = y + LETTERS + 1.0;
            let free = |at: f64| {
                at - LETTERS >= self.top - 8.0
                    && at <= self.bottom - 1.0
                    && taken.iter().all(|other| (other - at).abs() >= LETTERS)
            };
            let sides = if values.share(limit.value) < 0.5 { [below, above] } else { [above, below] };
            if let Some(at) = sides.into_iter().find(|at| free(*at)) {
                taken.push(at);
                paper.text_over((self.right - 3.0, at), Anchor::End, colour, &limit.label);
            }
        }
    }
}

/// The topmost label carries the unit.
pub(super) fn value_labels(values: &Values, unit: &str) -> Vec<String> {
    let mut labels: Vec<String> = values.ticks().iter().map(|t| values.text(*t)).collect();
    if let (Some(top), false) = (labels.last_mut(), unit.is_empty()) {
        *top = format!("{top} {unit}");
    }
    labels
}

/// A step is about as high as three lines of text.
pub(super) fn steps(height: u32) -> usize {
    ((f64::from(height) - 58.0) / 34.0).floor().clamp(2.0, 8.0) as usize
}

impl LineChart {
    /// All that must be seen: the readings, how far they went, and the limits.
    pub(super) fn values(&self, steps: usize) -> Values {
        let seen = self.points.iter().flat_map(|p| match p {
            Point::Gap => [f64::NAN; 3],
            Point::Reading { value, low, high, .. } => [*value, *low, *high],
        });
        Values::around(seen.chain(self.limits.iter().map(|l| l.value)), steps)
    }

    pub fn svg(&self) -> String {
        self.svg_in(None)
    }

    pub(super) fn svg_in(&self, weekdays: Option<&Weekdays>) -> String {
        let values = self.values(steps(self.height));
        let labels = value_labels(&values, &self.unit);
        let plot = Plot::within(self.width, self.height, &self.title, &labels);
        let mut paper = Paper::new(self.width, self.height, &self.title, self.theme);
        plot.draw_title(&mut paper, &self.title);
        plot.draw_values(&mut paper, &values, &labels);
        plot.draw_times(&mut paper, (self.from, self.to), self.zone, weekdays);
        let stretches = self.stretches(&plot);
        self.draw_bands(&mut paper, &plot, &values, &stretches);
        self.draw_mark_lines(&mut paper, &plot);
        self.draw_lines(&mut paper, &plot, &values, &stretches);
        plot.draw_limits(&mut paper, &values, &self.limits);
        self.draw_mark_labels(&mut paper, &plot);
        if stretches.is_empty() {
            let (middle, colour) = ((plot.left + plot.right) / 2.0, paper.colours.faint);
            let y = (plot.top + plot.bottom) / 2.0;
            paper.text_over((middle, y + 4.0), Anchor::Middle, colour, "no readings in this time");
        }
        paper.finish()
    }

    /// What is between two gaps.
    fn stretches(&self, plot: &Plot) -> Vec<Vec<Spot>> {
        let mut all: Vec<Vec<Spot>> = vec![Vec::new()];
        for point in &self.points {
            match point {
                Point::Gap => all.push(Vec::new()),
                Point::Reading { at, value, low, high } => {
                    let x = plot.x(self.from, self.to, *at);
                    let spot = Spot { x, value: *value, low: *low, high: *high };
                    all.last_mut().expect("begins with one").push(spot);
                }
            }
        }
        all.retain(|stretch| !stretch.is_empty());
        all
    }

    fn draw_bands(&self, paper: &mut Paper, plot: &Plot, values: &Values, stretches: &[Vec<Spot>]) {
        let colour = paper.colours.band;
        for stretch in stretches {
            if let [one] = stretch.as_slice() {
                let (top, bottom) = (plot.y(values, one.high), plot.y(values, one.low));
                if bottom - top >= 1.0 {
                    paper.rect((one.x - 1.5, top), (3.0, bottom - top), colour);
                }
                continue;
            }
            if stretch.iter().all(|s| s.low == s.high) {
                continue;
            }
            let upper = stretch.iter().map(|s| (s.x, plot.y(values, s.high)));
            let lower = stretch.iter().rev().map(|s| (s.x, plot.y(values, s.low)));
            paper.area(&upper.chain(lower).collect::<Vec<_>>(), colour);
        }
    }

    fn draw_lines(&self, paper: &mut Paper, plot: &Plot, values: &Values, stretches: &[Vec<Spot>]) {
        let colour = paper.colours.line;
        let few = stretches.iter().map(Vec::len).sum::<usize>() <= DOTTED_MAX;
        for stretch in stretches {
            let corners: Vec<(f64, f64)> = stretch.iter().map(|s| (s.x, plot.y(values, s.value))).collect();
            if corners.len() > 1 {
                paper.stroke(&corners, colour);
            }
            if few || corners.len() == 1 {
                corners.iter().for_each(|at| paper.dot(*at, 2.25, colour));
            }
        }
    }

    fn draw_mark_lines(&self, paper: &mut Paper, plot: &Plot) {
        let colour = paper.colours.mark;
        for mark in self.marks.iter().filter(|m| m.at >= self.from && m.at <= self.to) {
            let x = plot.x(self.from, self.to, mark.at);
            paper.line((x, plot.top - 4.0), (x, plot.bottom), colour, " stroke-dasharray=\"2 3\"");
        }
    }

    /// Beside their lines. What has no room has its line only.
    fn draw_mark_labels(&self, paper: &mut Paper, plot: &Plot) {
        let colour = paper.colours.mark;
        let mut rows = [f64::NEG_INFINITY; MARK_ROWS];
        for mark in self.marks.iter().filter(|m| m.at >= self.from && m.at <= self.to) {
            let x = plot.x(self.from, self.to, mark.at);
            let width = text_width(&mark.label, TEXT_PX) + 4.0;
            let before = x + width > plot.right;
            let (start, anchor, at) =
                if before { (x - width, Anchor::End, x - 4.0) } else { (x, Anchor::Start, x + 4.0) };
            let Some(row) = rows.iter().position(|taken| *taken <= start && start >= 0.0) else { continue };
            rows[row] = start + width + 4.0;
            paper.text_over((at, plot.top + 6.0 + row as f64 * 13.0), anchor, colour, &mark.label);
        }
    }
}
