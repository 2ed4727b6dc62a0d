//! The tasks that InfluxDB itself runs to keep one value in 5 minutes and one an hour: texts in Flux. Never sends them.
//!
//! - Every run works out the last hours anew and overwrites: what units sent late, after their link was back, counts.
//! - A window's point stands at the window's begin, so that 12 windows of 5 minutes are exactly one hour.
//! - Windows begin at whole hours: `date.truncate` knows no unit of 5 minutes.

/// Figures and what counts become their mean. `mains` is then the share of the time with mains.
const MEASUREMENTS: [&str; 3] = ["heartbeat", "power", "unit_status"];

/// Integers of which a mean says nothing: their last value stays, as that of texts does.
const LAST_OF: [&str; 4] = ["boot", "code", "seq", "since"];

/// From which bucket to which, as words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Downsampling {
    pub from: &'static str,
    pub to: &'static str,
    /// How often it runs, and how long after the full minute: what is on its way may still come.
    every: &'static str,
    offset: &'static str,
    window: &'static str,
    /// How much it works out anew.
    look_back: &'static str,
    /// In words.
    pub pace: &'static str,
}

pub(super) const DOWNSAMPLINGS: [Downsampling; 2] = [
    Downsampling {
        from: "raw",
        to: "5m",
        every: "15m",
        offset: "1m",
        window: "5m",
        look_back: "3h",
        pace: "runs every 15 min over the last 3 h",
    },
    Downsampling {
        from: "5m",
        to: "1h",
        every: "1h",
        offset: "5m",
        window: "1h",
        look_back: "24h",
        pace: "runs every hour over the last 24 h",
    },
];

impl Downsampling {
    /// Its name in InfluxDB, by which it is found again.
    pub(super) fn name(&self, database: &str) -> String {
        format!("{database} {} to {}", self.from, self.to)
    }

    pub(super) fn flux(&self, database: &str) -> String {
        let Downsampling { from, to, every, offset, window, look_back, pace: _ } = self;
        let any = |key: &str, values: &[&str]| {
            values.iter().map(|v| format!("r.{key} == \"{v}\"")).collect::<Vec<_>>().join(" or ")
        };
        let (name, from, to) =
            (flux_text(&self.name(database)), format!("{database}/{from}"), format!("{database}/{to}"));
        let (from, to) = (flux_text(&from), flux_text(&to));
        let measurements = any("_measurement", &MEASUREMENTS);
        let last_of = any("_field", &LAST_OF);
        format!(
            r#"// Made by `buttonwatch influx setup`, which also puts it back when it was changed.
import "date"
import "types"

option task = {{name: {name}, every: {every}, offset: {offset}}}

readings = () =>
    from(bucket: {from})
        |> range(start: date.truncate(t: -{look_back}, unit: 1h), stop: now())
        |> filter(fn: (r) => {measurements})

isLast = (r) => types.isType(v: r._value, type: "string") or {last_of}

readings()
    |> filter(fn: (r) => not isLast(r: r))
    |> aggregateWindow(every: {window}, fn: mean, createEmpty: false, timeSrc: "_start")
    |> to(bucket: {to})
    |> yield(name: "means")

readings()
    |> filter(fn: (r) => isLast(r: r))
    |> aggregateWindow(every: {window}, fn: last, createEmpty: false, timeSrc: "_start")
    |> to(bucket: {to})
    |> yield(name: "last values")
"#
        )
    }
}

fn flux_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "\\${"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_with_a_strange_name_stays_one_text() {
        assert_eq!(flux_text("a\"b\\c${d}"), "\"a\\\"b\\\\c\\${d}\"");
    }

    #[test]
    fn the_tasks_read_as_they_should() {
        let text: String = DOWNSAMPLINGS.iter().map(|d| d.flux("buttonwatch")).collect();
        insta::assert_snapshot!("downsampling", text);
    }
}
