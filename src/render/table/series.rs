//! One reading of one unit by the hour: a chart, and what it comes to in words.

use crate::domain::metric::plain_number;
use crate::domain::view::SeriesView;
use crate::domain::{Timestamp, span_text};
use crate::render::chart;

use super::Look;
use super::cell::wrap;
use super::page::text_of;
use super::trouble::counted;
use super::when::zone_text;

pub fn series(series: &SeriesView, look: &Look) -> String {
    let SeriesView { unit, metric, measured_in: _, from, to, limits, points, readings } = series;
    let limits: Vec<(String, f64)> =
        limits.iter().map(|l| (format!("{} {}", l.rule, plain_number(l.value)), l.value)).collect();
    let fine = !readings.is_empty();
    let title = if fine { format!("{unit} {metric}") } else { format!("{unit} {metric}, by the hour") };
    let mut chart = chart::of_series(metric, points, &limits, *from, *to, look.zone, &title);
    if fine {
        let readings: Vec<(Timestamp, f64)> = readings.iter().map(|r| (r.at, r.value)).collect();
        chart = chart.with_readings(&readings);
    }
    let mut lines = chart.terminal(look.width);
    lines.push(String::new());
    let span = span_text(to.since(*from));
    let words = chart::in_words(metric, points);
    let hours = match points.len() {
        0 => String::new(),
        n => format!(" Readings in {}.", counted(n, "hour")),
    };
    let text = format!("{unit}, {metric}, the last {span}: {words}.{hours} Times are {}.", zone_text(look));
    lines.extend(wrap(&text, look.width));
    text_of(lines)
}
