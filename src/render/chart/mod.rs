//! Charts of readings: values in, SVG, PNG or a terminal's lines out. Owns how a chart looks. Never reads a clock, a file or
//! the system's fonts: the same values give the same bytes on every machine.
//!
//! ```text
//!  SeriesPoints ── of_series ──▶ Chart ──┬─▶ svg() ──▶ png()     mails, pages
//!                                        └─▶ terminal()          `fleet history UNIT METRIC`
//! ```

mod bars;
mod line;
mod paper;
mod png;
mod scale;
mod terminal;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use chrono_tz::Tz;

use crate::domain::metric::plain_number;
use crate::domain::{Metric, SeriesName, SeriesPoint, Timestamp};

pub use bars::{BarChart, Bars};
pub use line::{LineChart, Mark, Point};
pub use paper::Theme;
pub use png::{PngError, can_write, png};
pub use scale::Weekdays;

/// What fits a mail on a phone, and stays sharp at twice the size.
pub const MAIL_SIZE: (u32, u32) = (560, 180);

const HOUR: Duration = Duration::from_secs(3_600);
/// A few missed messages are no gap.
const A_QUARTER: Duration = Duration::from_secs(900);
const HALF_AN_HOUR: Duration = Duration::from_secs(1_800);

#[derive(Debug, Clone)]
pub enum Chart {
    Line(LineChart),
    Bars(BarChart),
}

/// A line across the chart: what a rule calls too high or too low.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitLine {
    /// `low 11.6 V`
    pub label: String,
    pub value: f64,
}

impl Chart {
    pub fn svg(&self) -> String {
        match self {
            Chart::Line(chart) => chart.svg(),
            Chart::Bars(chart) => chart.svg(),
        }
    }

    /// With the days named in a language.
    pub fn svg_in(&self, weekdays: &Weekdays) -> String {
        match self {
            Chart::Line(chart) => chart.svg_in(Some(weekdays)),
            Chart::Bars(chart) => chart.svg_in(Some(weekdays)),
        }
    }

    /// For a terminal so many columns wide, without colours.
    pub fn terminal(&self, width: usize) -> Vec<String> {
        match self {
            Chart::Line(chart) => terminal::line(chart, width),
            Chart::Bars(chart) => terminal::bars(chart, width),
        }
    }

    pub fn with_theme(mut self, with: Theme) -> Self {
        match &mut self {
            Chart::Line(chart) => chart.theme = with,
            Chart::Bars(chart) => chart.theme = with,
        }
        self
    }

    pub fn with_size(mut self, (w, h): (u32, u32)) -> Self {
        match &mut self {
            Chart::Line(chart) => (chart.width, chart.height) = (w, h),
            Chart::Bars(chart) => (chart.width, chart.height) = (w, h),
        }
        self
    }

    /// Moments to point out: the cut, the visit. Bars have none.
    pub fn with_marks(mut self, with: Vec<Mark>) -> Self {
        match &mut self {
            Chart::Line(chart) => chart.marks = with,
            Chart::Bars(_) => {}
        }
        self
    }
}

impl Chart {
    /// The readings themselves instead of their hours. Of counts and shares an hour says more: they stay.
    pub fn with_readings(mut self, readings: &[(Timestamp, f64)]) -> Self {
        if let Chart::Line(chart) = &mut self {
            let mut steps: Vec<Duration> = readings.windows(2).map(|w| w[1].0.since(w[0].0)).collect();
            steps.sort_unstable();
            let usual = steps.get(steps.len() / 2).copied().unwrap_or_default();
            let longest = (usual * 3).max(A_QUARTER);
            chart.points.clear();
            for (i, (at, value)) in readings.iter().enumerate() {
                if i > 0 && at.since(readings[i - 1].0) > longest {
                    chart.points.push(Point::Gap);
                }
                chart.points.push(Point::Reading { at: *at, value: *value, low: *value, high: *value });
            }
        }
        self
    }
}

/// The chart of a unit's readings: the mean of each hour, and how far they went; of heartbeats, how many in each hour.
/// `limits`: label and value, in the metric's own unit.
pub fn of_series(
    name: &SeriesName,
    series: &[SeriesPoint],
    limits: &[(String, f64)],
    from: Timestamp,
    to: Timestamp,
    zone: Tz,
    title: &str,
) -> Chart {
    let (width, height) = MAIL_SIZE;
    let title = title.to_owned();
    let limits = limits.iter().map(|(label, value)| LimitLine { label: label.clone(), value: *value });
    if name.is_count() {
        let counts = series.iter().map(|p| (p.hour, f64::from(p.count))).collect();
        let bars = Bars::Times { from, to, each: HOUR, counts, zone };
        let limits = limits.collect();
        return Chart::Bars(BarChart { title, unit: String::new(), bars, limits, width, height, theme: Theme::Light });
    }
    let share = is_yes_no(name);
    let scale = if share { 100.0 } else { 1.0 };
    let limits = limits.map(|l| LimitLine { value: l.value * scale, ..l }).collect();
    let unit = if share { "%".to_owned() } else { name.measured_in().to_owned() };
    let longest = longest_step(series);
    let mut points = Vec::with_capacity(series.len());
    for (i, p) in series.iter().enumerate() {
        if i > 0 && p.hour.since(series[i - 1].hour) > longest {
            points.push(Point::Gap);
        }
        // Of a yes or no, the least and the most of an hour tell nothing: the mean is its share of the hour.
        let value = p.mean * scale;
        let (low, high) = if share { (value, value) } else { (p.min, p.max) };
        points.push(Point::Reading { at: (p.hour + HALF_AN_HOUR).min(to).max(from), value, low, high });
    }
    Chart::Line(LineChart {
        title,
        unit,
        points,
        limits,
        marks: Vec::new(),
        from,
        to,
        zone,
        width,
        height,
        theme: Theme::Light,
    })
}

fn is_yes_no(name: &SeriesName) -> bool {
    match name {
        SeriesName::Metric(metric) => Metric::is_yes_no(*metric),
        SeriesName::Heartbeats | SeriesName::Vendor(_) => false,
    }
}

/// What a chart shows, in one line. Figures have their unit with them.
#[derive(Debug, Clone, PartialEq)]
pub enum Summary {
    NoReadings,
    /// How many came in an hour.
    Counts {
        usual: u32,
        last: u32,
    },
    Share {
        yes_pct: f64,
        last: bool,
    },
    Always(String),
    Range {
        low: String,
        high: String,
        last: String,
    },
}

impl Summary {
    pub fn of(name: &SeriesName, series: &[SeriesPoint]) -> Summary {
        let Some(last) = series.last() else { return Summary::NoReadings };
        if name.is_count() {
            let mut counts: Vec<u32> = series.iter().map(|p| p.count).collect();
            counts.sort_unstable();
            return Summary::Counts { usual: counts[counts.len() / 2], last: last.count };
        }
        if is_yes_no(name) {
            let (sum, count) = series.iter().fold((0.0, 0.0), |(sum, count), p| {
                let n = f64::from(p.count);
                (sum + p.mean * n, count + n)
            });
            return Summary::Share { yes_pct: sum / count * 100.0, last: last.last >= 0.5 };
        }
        let figure = |value: f64| match name.measured_in() {
            "" => plain_number(value),
            unit => format!("{} {unit}", plain_number(value)),
        };
        let low = series.iter().map(|p| p.min).fold(f64::INFINITY, f64::min);
        let high = series.iter().map(|p| p.max).fold(f64::NEG_INFINITY, f64::max);
        if low == high {
            return Summary::Always(figure(low));
        }
        Summary::Range { low: plain_number(low), high: figure(high), last: figure(last.last) }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Summary::NoReadings => f.write_str("no readings"),
            Summary::Counts { usual, last } => {
                write!(f, "usually {usual} an hour, {last} in the last hour that has any")
            }
            Summary::Share { yes_pct, last } => {
                let last = if *last { "yes" } else { "no" };
                write!(f, "yes in {} % of the readings, last {last}", plain_number(*yes_pct))
            }
            Summary::Always(value) => write!(f, "always {value}"),
            Summary::Range { low, high, last } => write!(f, "{low} to {high}, last {last}"),
        }
    }
}

/// The readings in words, for those who get no picture: `11.4 to 13.8 V, last 11.5 V`.
pub fn in_words(name: &SeriesName, series: &[SeriesPoint]) -> String {
    Summary::of(name, series).to_string()
}

/// Two readings further apart than this have a gap between them. A unit reports its power every minute and tests its camera
/// once a day: what is usual is seen from the readings themselves.
fn longest_step(series: &[SeriesPoint]) -> Duration {
    let mut steps: Vec<Duration> = series.windows(2).map(|w| w[1].hour.since(w[0].hour)).collect();
    steps.sort_unstable();
    let usual = steps.get(steps.len() / 2).copied().unwrap_or(HOUR);
    // A daily test that was missed once is a gap, one that came an hour late is none.
    (usual + usual / 2).max(HOUR)
}
