//! What changes too fast (`rate`) and what will pass a limit (`forecast`). Never measures a trend.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::super::document::{Block, Item};
use super::super::super::duration::{DAY, MINUTE, duration_text};
use super::super::LONGEST_WINDOW;
use super::Place;
use super::limit::{Scale, distance, metric, side, tested, with_unit};
use crate::domain::Metric;
use crate::domain::rule::{Condition, ForecastLimit, MetricRef, Side, WEATHER};

/// Ten heartbeats: a slope over fewer readings is their noise.
const SHORTEST_RATE: Duration = Duration::from_secs(5 * MINUTE.as_secs());
/// A date for tomorrow is a fault, not a forecast; and what is watched for half a year shows no farther than twice that.
const WITHIN: RangeInclusive<Duration> = DAY..=Duration::from_secs(360 * DAY.as_secs());

/// Half a day is a day's warmth; a fault that takes a month to show itself needs no date.
const WATCH: RangeInclusive<Duration> = DAY..=Duration::from_secs(30 * DAY.as_secs());

pub(super) fn rate(block: &Block<'_>, place: Place) -> Option<Condition> {
    let metric = block
        .need("metric", "say which reading changes, such as metric = \"enclosure.temperature\"")
        .and_then(|i| has_trend(metric(&i)?, &i));
    let inner = block.sub("rate")?;
    inner.only_keys(&["above", "below", "per", "over"], |key| match key {
        "metric" => Some("it stands beside rate, not in it".to_owned()),
        "within" => Some("write per (so much in what time) and over (measured how long)".to_owned()),
        "clear_above" | "clear_below" | "consecutive" => {
            Some("a rate is measured over a time and needs none; drop it, or make over longer".to_owned())
        }
        _ => None,
    });
    let per = inner
        .need("per", "say in what time it changes so much, such as per = \"1h\"")
        .and_then(|i| i.span(MINUTE..=LONGEST_WINDOW));
    let over = match inner.get("over") {
        Some(item) => item.span(SHORTEST_RATE..=LONGEST_WINDOW),
        None => per.map(|per| per.max(SHORTEST_RATE)),
    };
    if !inner.has("above") && !inner.has("below") {
        let item = block.get("rate")?;
        item.wrong("has no limit; add above with a number for a rise, or below with a negative one for a fall");
    }
    let (side, item) = side(&inner, "below", "above", place)?;
    let metric = metric?;
    let scale = Scale::of(&metric);
    let limit = scale.change(&item)?;
    match side {
        Side::Above if limit <= 0.0 => {
            item.wrong(format_args!(
                "must be above 0, for a rise{}; a fall is below with a negative number",
                item.got()
            ));
            return None;
        }
        Side::Below if limit >= 0.0 => {
            item.wrong(format_args!(
                "must be negative, for a fall{}; write {}",
                item.got(),
                if limit > 0.0 { format!("below = -{limit}") } else { "below = -1".to_owned() }
            ));
            return None;
        }
        Side::Above | Side::Below => {}
    }
    let (per, over) = (per?, over?);
    if let Some(range) = scale.range()
        && limit.abs() * over.as_secs_f64() / per.as_secs_f64() > range
    {
        item.wrong(format_args!(
            "can never be true: within {} {} changes by at most {}; move the limit",
            duration_text(over),
            scale.name,
            with_unit(range, scale.unit_of_change())
        ));
    }
    Some(Condition::Rate { metric, side, limit, per, over })
}

/// None: it has no trend, which is noted.
fn has_trend(metric: MetricRef, item: &Item<'_>) -> Option<MetricRef> {
    match &metric {
        MetricRef::Known(m) if m.grows() => {
            item.wrong(format_args!(
                "cannot be {m}, which grows by itself, as fast as the clock; write above = … alone"
            ));
            None
        }
        MetricRef::Known(m) if m.is_yes_no() => {
            item.wrong(format_args!("cannot be {m}, which is yes or no; write above = 0.5"));
            None
        }
        MetricRef::Known(_) | MetricRef::Vendor(_) => Some(metric),
    }
}

const LIMITS: [&str; 4] = ["below", "above", "below_baseline", "above_baseline"];

pub(super) fn forecast(block: &Block<'_>, _: Place) -> Option<Condition> {
    let group = block.get("forecast")?;
    let inner = block.sub("forecast")?;
    let known: Vec<&str> = ["metric", "within", "watch"].into_iter().chain(LIMITS).collect();
    inner.only_keys(&known, |key| match key {
        "clear_above" | "clear_below" | "clear_above_baseline" | "clear_below_baseline" | "consecutive" => {
            Some("a forecast stands on many readings and needs none; drop it".to_owned())
        }
        _ => None,
    });
    let within = inner.need("within", "say how far ahead, such as within = \"14d\"").and_then(|i| i.span(WITHIN));
    let watch = match inner.get("watch") {
        Some(item) => item.span(WATCH),
        None => Some(WEATHER),
    };
    let metric_item = inner.need("metric", "say what is foreseen, such as metric = \"camera.sharpness\"");
    let metric = metric_item.as_ref().and_then(|i| match has_trend(metric(i)?, i)? {
        MetricRef::Known(m) => Some(m),
        MetricRef::Vendor(_) => {
            i.wrong(format_args!("cannot be a vendor's own{}: only the catalogue's can be foreseen", i.got()));
            None
        }
    });
    let mut limits: Vec<Item<'_>> = LIMITS.iter().filter_map(|key| inner.get(key)).collect();
    limits.sort_by_key(|item| item.line);
    let item = match limits.as_slice() {
        [item] => item,
        [] => {
            group.wrong("has no limit; add below or above with a number, or below_baseline or above_baseline");
            return None;
        }
        [first, others @ ..] => {
            for other in others {
                other.wrong(format_args!(
                    "stands beside {} of line {}; a forecast has one limit: drop one, or make a rule of each",
                    first.key, first.line
                ));
            }
            return None;
        }
    };
    let metric = metric?;
    let (side, limit) = forecast_limit(metric, item, metric_item.as_ref()?)?;
    Some(Condition::Forecast { metric, side, limit, within: within?, watch: watch? })
}

fn forecast_limit(metric: Metric, item: &Item<'_>, metric_item: &Item<'_>) -> Option<(Side, ForecastLimit)> {
    let scale = Scale::of(&MetricRef::Known(metric));
    let side = if item.last_name().starts_with("below") { Side::Below } else { Side::Above };
    if item.last_name().ends_with("_baseline") {
        tested(MetricRef::Known(metric), metric_item)?;
        return Some((side, ForecastLimit::Baseline(distance(&scale, side, item)?)));
    }
    let limit = scale.limit(item)?;
    scale.must_be_reachable(item, side, limit);
    Some((side, ForecastLimit::Fixed(limit)))
}
