//! One reading of one unit by the hour: a chart, and what it comes to in words.

use crate::domain::metric::plain_number;
use crate::domain::span_text;
use crate::domain::view::SeriesView;
use crate::render::chart;

use super::Look;
use super::cell::wrap;
use super::page::text_of;
use super::trouble::counted;
use super::when::zone_text;

pub fn series(series: &SeriesView, look: &Look) -> String {
    let SeriesView { unit, metric, measured_in: _, from, to, limits, points } = series;
    let limits: Vec<(String, f64)> =
        limits.iter().map(|l| (format!("{} {}", l.rule, plain_number(l.value)), l.value)).collect();
    let title = format!("{unit} {metric}, by the hour");
    let chart = chart::of_series(metric, points, &limits, *from, *to, look.zone, &title);
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
