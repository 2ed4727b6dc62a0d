//! Counts as bars: by the hour or day, or by group. Bars begin at nothing.

use std::time::Duration;

use chrono_tz::Tz;

use crate::domain::Timestamp;
use crate::domain::metric::plain_number;

use super::LimitLine;
use super::line::{Plot, steps, value_labels};
use super::paper::{Anchor, Paper, TEXT_PX, Theme, cut_to, text_width};
use super::scale::{Values, Weekdays};

#[derive(Debug, Clone)]
pub struct BarChart {
    pub title: String,
    /// What the values are in; empty: how many.
    pub unit: String,
    pub bars: Bars,
    /// Of times only.
    pub limits: Vec<LimitLine>,
    /// Pixels. A group needs 18 of the height.
    pub width: u32,
    pub height: u32,
    pub theme: Theme,
}

#[derive(Debug, Clone)]
pub enum Bars {
    /// Upright, one for each span that has a count; none is nothing.
    Times { from: Timestamp, to: Timestamp, each: Duration, counts: Vec<(Timestamp, f64)>, zone: Tz },
    /// Lying, one below the other, each with its name and figure.
    Groups(Vec<(String, f64)>),
}

impl BarChart {
    pub(super) fn values(counts: &[(Timestamp, f64)], limits: &[LimitLine], steps: usize) -> Values {
        let seen = counts.iter().map(|(_, count)| count.max(0.0)).chain(limits.iter().map(|l| l.value));
        Values::around(seen.chain([0.0, 1.0]), steps)
    }

    pub fn svg(&self) -> String {
        self.svg_in(None)
    }

    pub(super) fn svg_in(&self, weekdays: Option<&Weekdays>) -> String {
        let mut paper = Paper::new(self.width, self.height, &self.title, self.theme);
        match &self.bars {
            Bars::Times { from, to, each, counts, zone } => {
                self.draw_times(&mut paper, (*from, *to), *each, counts, (*zone, weekdays));
            }
            Bars::Groups(groups) => self.draw_groups(&mut paper, groups),
        }
        paper.finish()
    }

    fn draw_times(
        &self,
        paper: &mut Paper,
        (from, to): (Timestamp, Timestamp),
        each: Duration,
        counts: &[(Timestamp, f64)],
        (zone, weekdays): (Tz, Option<&Weekdays>),
    ) {
        let values = Self::values(counts, &self.limits, steps(self.height));
        let labels = value_labels(&values, &self.unit);
        let plot = Plot::within(self.width, self.height, &self.title, &labels);
        plot.draw_title(paper, &self.title);
        plot.draw_values(paper, &values, &labels);
        plot.draw_times(paper, (from, to), zone, weekdays);
        let colour = paper.colours.line;
        for (at, count) in counts.iter().filter(|(at, count)| *at < to && *at + each > from && *count > 0.0) {
            let (left, right) = (plot.x(from, to, *at), plot.x(from, to, *at + each));
            // A hair of background between bars, while they are wide enough to spare it.
            let width = if right - left > 3.0 { right - left - 1.0 } else { (right - left).max(0.5) };
            let top = plot.y(&values, *count);
            paper.rect((left, top), (width, plot.bottom - top), colour);
        }
        plot.draw_limits(paper, &values, &self.limits);
    }

    fn draw_groups(&self, paper: &mut Paper, groups: &[(String, f64)]) {
        const NAMES_PART: f64 = 0.4;
        let (width, height) = (f64::from(self.width), f64::from(self.height));
        let plot = Plot::within(self.width, self.height, &self.title, &[]);
        plot.draw_title(paper, &self.title);
        let figure = |value: f64| match self.unit.as_str() {
            "" => plain_number(value),
            unit => format!("{} {unit}", plain_number(value)),
        };
        let widest =
            |texts: &mut dyn Iterator<Item = String>| texts.map(|t| text_width(&t, TEXT_PX)).fold(0.0, f64::max);
        let names = widest(&mut groups.iter().map(|(name, _)| name.clone())).min(width * NAMES_PART);
        let figures = widest(&mut groups.iter().map(|(_, value)| figure(*value)));
        let left = names + 18.0;
        let room = (width - left - figures - 16.0).max(10.0);
        let most = groups.iter().map(|(_, value)| *value).filter(|v| v.is_finite()).fold(0.0, f64::max);
        let row = ((height - plot.top - 6.0) / groups.len().max(1) as f64).min(28.0);
        let (text, line, axis) = (paper.colours.text, paper.colours.line, paper.colours.axis);
        for (i, (name, value)) in groups.iter().enumerate() {
            let top = plot.top + i as f64 * row;
            let baseline = top + row / 2.0 + 4.0;
            let length = if most > 0.0 && value.is_finite() { value.max(0.0) / most * room } else { 0.0 };
            let name = cut_to(name, TEXT_PX, names);
            paper.text((left - 8.0, baseline), Anchor::End, TEXT_PX, text, &name);
            paper.rect((left, top + row * 0.16), (length, row * 0.68), line);
            paper.text((left + length + 6.0, baseline), Anchor::Start, TEXT_PX, text, &figure(*value));
        }
        paper.line((left, plot.top), (left, plot.top + row * groups.len() as f64), axis, "");
    }
}
