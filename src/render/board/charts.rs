//! A unit's readings and readiness as pictures that follow the page's colours. Never draws what is not there.

use std::fmt::Write;

use fluent_bundle::FluentValue;

use crate::domain::Timestamp;
use crate::domain::metric::plain_number;
use crate::domain::view::{SeriesView, UnitHistory};
use crate::render::chart::{self, Summary, Theme};
use crate::render::mail::escaped;

use super::reader::Reader;

/// Three stand side by side on a wide screen, one fills a phone's width: letters stay readable on both.
const SIZE: (u32, u32) = (400, 170);
/// More than the chart has pixels for: hours say the same.
const READINGS_MAX: usize = 900;
/// Of a state that lasted shorter than a pixel, a strip of a week shows nothing.
const STRIP_WIDTH: f64 = 1_000.0;
const STRIP_HEIGHT: f64 = 34.0;
const LEAST_WIDTH: f64 = 0.8;

/// None: nothing was measured in this time.
pub fn svg(series: &SeriesView, reader: &Reader) -> Option<String> {
    if series.points.is_empty() && series.readings.is_empty() {
        return None;
    }
    let limits: Vec<(String, f64)> = series.limits.iter().map(|l| (l.rule.to_string(), l.value)).collect();
    let mut drawn = chart::of_series(&series.metric, &series.points, &limits, series.from, series.to, reader.zone, "");
    if !series.readings.is_empty() && series.readings.len() <= READINGS_MAX {
        let readings: Vec<(Timestamp, f64)> = series.readings.iter().map(|r| (r.at, r.value)).collect();
        drawn = drawn.with_readings(&readings);
    }
    let name = format!("{}: {}", reader.metric(&series.metric.to_string()), words(series, reader));
    let weekdays = std::array::from_fn(|day| reader.say(&format!("weekday-{}", day + 1)));
    let svg = drawn.with_theme(Theme::Page).with_size(SIZE).svg_in(&weekdays);
    Some(svg.replacen("<title></title>", &format!("<title>{}</title>", escaped(&name)), 1))
}

/// As text.
pub fn words(series: &SeriesView, reader: &Reader) -> String {
    let say = |key: &str, args: &[(&str, FluentValue<'_>)]| reader.say_with(key, args);
    match Summary::of(&series.metric, &series.points) {
        Summary::NoReadings => say("chart-none", &[]),
        Summary::Counts { usual, last } => say("chart-counts", &[("n", usual.into()), ("last", last.into())]),
        Summary::Share { yes_pct, last } => {
            let last = reader.say(if last { "yes" } else { "no" });
            say("chart-share", &[("pct", plain_number(yes_pct).into()), ("last", last.into())])
        }
        Summary::Always(value) => say("chart-always", &[("value", value.into())]),
        Summary::Range { low, high, last } => {
            say("chart-range", &[("low", low.into()), ("high", high.into()), ("last", last.into())])
        }
    }
}

/// How ready it was, as a strip from left to right.
pub fn strip(history: &UnitHistory, reader: &Reader) -> String {
    let span = history.to.since(history.from).as_secs_f64().max(1.0);
    let x = |at: Timestamp| at.since(history.from).as_secs_f64() / span * STRIP_WIDTH;
    let mut out = format!(
        "<svg class=\"strip\" viewBox=\"0 0 {STRIP_WIDTH} {STRIP_HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{}\">\n",
        escaped(&reader.say("readiness-history"))
    );
    // Short ones last: what was brief is seen beside what lasted.
    let mut stretches: Vec<_> = history.stretches.iter().collect();
    stretches.sort_by(|a, b| b.lasted_s.total_cmp(&a.lasted_s));
    stretches.truncate(READINGS_MAX);
    for stretch in stretches {
        let (left, right) = (x(stretch.from), x(stretch.until));
        let width = (right - left).max(LEAST_WIDTH);
        let _ = writeln!(
            out,
            "<rect class=\"r-{}\" x=\"{left:.1}\" width=\"{width:.1}\" height=\"{STRIP_HEIGHT}\"><title>{} {}</title></rect>",
            stretch.readiness,
            escaped(&reader.say(&format!("readiness-{}", stretch.readiness))),
            escaped(&reader.short(stretch.from)),
        );
    }
    out.push_str("</svg>");
    out
}
