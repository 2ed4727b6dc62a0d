//! A series' robust trend: when it will pass a limit, and how sure that is. No date from noise.
//! Never decides what to do about a date, and never smooths what it shows: a point is a median of what was measured.
//!
//! A date needs all of these, in words: enough points over enough days; the fall (or rise) is no accident by Mann and
//! Kendall's test, its scatter taken as wide as the points' likeness to their neighbours makes it; it goes on *within*
//! both parts of the best cut into two, so it is a slope and no step; it has not stopped lately; and the limit is no
//! further away than the trend was watched long enough to speak about. The slope is Theil and Sen's: the median of all
//! pairs' slopes, which a quarter of foggy days does not move far.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thin_vec::{ThinVec, thin_vec};

use crate::domain::Timestamp;
use crate::domain::rule::Side;

/// A month of daily self-tests in 256 bytes; all pairs of 32 points are 496, a few microseconds.
const POINTS: usize = 32;
/// Values of the slot that is still open. Past this every second one is let go, evenly over the slot: the median of 8
/// to 16 is as good as that of 3,000.
const SLOT_VALUES: usize = 16;
/// Seven points in perfect order come by accident once in 5,040; six once in 720, which is weekly in a fleet of 100.
const MIN_POINTS: usize = 7;
/// Of Mann and Kendall's S. One look at white noise passes this once in 2,000; the other tests stand behind it, and
/// every unit is looked at every day.
const SIGNIFICANT_Z: f64 = 3.3;
/// Of the same test within both parts of the best cut in two, pooled: what a step leaves there is noise, and passes
/// one time in 30; most of those are caught by [`STEP_FIT`].
const NO_STEP_Z: f64 = 1.8;
/// The line must be nearer to the points than a step is, though a step has the choice of its place.
const STEP_FIT: f64 = 1.0;
/// The later half must still go at this part of the whole trend's pace, or it has come to rest.
const STILL_GOING: f64 = 0.5;
/// A trend watched for ten days speaks for twenty: its fall so far is at least a third of the whole way.
const HORIZON: f64 = 2.0;
/// Chance that the limit is passed within the horizon, below which no date is given.
const MIN_CONFIDENCE_PCT: f64 = 80.0;
/// By the book this holds 19 dates in 20. The stretch is chosen for how well it fits and lines are seldom straight, so
/// it holds about three in four.
const INTERVAL_Z: f64 = 2.0;

/// At most 32 points, one per `spacing`, the newest half as dense as that and the older ones thinned, so that months
/// fit. 256 bytes and a slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Series {
    spacing_s: u32,
    keep_s: u32,
    /// The points count seconds from here. None: no point yet.
    base: Option<Timestamp>,
    /// In the order of time; the last is of the open slot.
    points: ThinVec<(u32, f32)>,
    slot: Slot,
}

/// What fell into the newest spacing so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Slot {
    first_s: u32,
    last_s: u32,
    /// Every `stride`-th value, as they came.
    values: ThinVec<f32>,
    stride: u32,
    skipped: u32,
}

/// When a limit will be passed if nothing is done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Forecast {
    /// Never before `now`: a trend that has passed its limit already is due now.
    pub at: Timestamp,
    /// About three in four dates fall between these two.
    pub earliest: Timestamp,
    pub latest: Timestamp,
    /// Chance that the limit is passed within the horizon (twice the time the trend was watched); 80–99.
    pub confidence_pct: u8,
    pub slope_per_day: f64,
    /// Where the trend stands now.
    pub level: f64,
}

impl Series {
    /// `spacing`: at most one point in each; `keep`: what is older is forgotten.
    pub(super) fn new(spacing: Duration, keep: Duration) -> Self {
        let seconds = |d: Duration| u32::try_from(d.as_secs()).unwrap_or(u32::MAX).max(1);
        Series {
            spacing_s: seconds(spacing),
            keep_s: seconds(keep),
            base: None,
            points: ThinVec::new(),
            slot: Slot::default(),
        }
    }

    /// A measured value. A late one takes its place if nothing is there, else it is let go.
    pub(super) fn push(&mut self, at: Timestamp, value: f64) {
        let value = value as f32;
        if !value.is_finite() {
            return;
        }
        let base = *self.base.get_or_insert(at);
        if at < base {
            return;
        }
        let Ok(at_s) = u32::try_from(at.since(base).as_secs()) else { return };
        let Some(&(newest_s, _)) = self.points.last() else {
            self.open_slot(at_s, value);
            return;
        };
        let number = |s: u32| s / self.spacing_s;
        let open = number(self.slot.first_s);
        if number(at_s) > open {
            self.open_slot(at_s, value);
        } else if number(at_s) == open {
            self.slot.add(at_s, value);
            let point = self.slot.point();
            if let Some(last) = self.points.last_mut() {
                *last = point;
            }
        } else if newest_s.saturating_sub(at_s) <= self.keep_s {
            let place = self.points.partition_point(|p| p.0 < at_s);
            let taken = |i: usize| self.points.get(i).is_some_and(|p| number(p.0) == number(at_s));
            let stands = taken(place) || (place > 0 && taken(place - 1));
            if !stands {
                self.points.insert(place, (at_s, value));
                self.thin();
            }
        }
    }

    fn open_slot(&mut self, at_s: u32, value: f32) {
        self.slot = Slot { first_s: at_s, last_s: at_s, values: thin_vec![value], stride: 1, skipped: 0 };
        // A fleet's second day must not double what its first took.
        self.points.reserve_exact(1);
        self.points.push((at_s, value));
        let keep_s = self.keep_s;
        self.points.retain(|p| at_s - p.0.min(at_s) <= keep_s);
        self.thin();
    }

    /// Lets one of the older half go, never the oldest: of the two points that stand closest together for their age,
    /// the one that is further from what its neighbours say.
    fn thin(&mut self) {
        while self.points.len() > POINTS {
            let newest = self.points.last().map_or(0, |p| p.0);
            let crowding = |i: usize| {
                let age = f64::from(newest - self.points[i].0) + f64::from(self.spacing_s);
                f64::from(self.points[i + 1].0 - self.points[i].0) / age
            };
            let pair = (1..POINTS / 2).min_by(|a, b| crowding(*a).total_cmp(&crowding(*b))).unwrap_or(1);
            let from = pair.saturating_sub(1);
            let mut near: Vec<f64> = self.points[from..=pair + 2].iter().map(|p| f64::from(p.1)).collect();
            let middle = median(&mut near);
            let off = |i: usize| (f64::from(self.points[i].1) - middle).abs();
            self.points.remove(if off(pair) > off(pair + 1) { pair } else { pair + 1 });
        }
    }

    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Forgets everything: what is measured was swapped or cleaned.
    pub(super) fn clear(&mut self) {
        self.base = None;
        self.points.clear();
        self.slot = Slot::default();
    }

    /// (seconds before `now`, negative; value), what lies after `now` left out.
    fn until(&self, now: Timestamp, longest_s: f64) -> Vec<(f64, f64)> {
        let Some(base) = self.base else { return Vec::new() };
        let now_s = (now.as_millis() - base.as_millis()) as f64 / 1000.0;
        self.points
            .iter()
            .map(|p| (f64::from(p.0) - now_s, f64::from(p.1)))
            .filter(|p| p.0 <= 0.0 && -p.0 <= longest_s)
            .collect()
    }

    /// Change per second over the last `window`: the median of all pairs' slopes. None: fewer than three points, or
    /// they cover less than half of the window.
    pub(super) fn slope(&self, window: Duration, now: Timestamp) -> Option<f64> {
        let points = self.until(now, window.as_secs_f64());
        let (first, last) = (points.first()?, points.last()?);
        if points.len() < 3 || last.0 - first.0 < window.as_secs_f64() / 2.0 {
            return None;
        }
        Some(median(&mut pair_slopes(&points)))
    }

    /// When the series will be beyond `limit` on `side`. None: no trend towards it, or none that is more than noise.
    /// A trend that has gone on for less than `watch` is none.
    pub(super) fn forecast(&self, limit: f64, side: Side, now: Timestamp, watch: Duration) -> Option<Forecast> {
        // Everything below looks at a fall; a rise is a fall in the mirror.
        let sign = match side {
            Side::Below => 1.0,
            Side::Above => -1.0,
        };
        let points: Vec<(f64, f64)> =
            self.until(now, f64::from(self.keep_s)).iter().map(|p| (p.0, p.1 * sign)).collect();
        let found = fall(&points, watch.as_secs_f64())?;
        let span_s = -points[points.len() - found.points].0;
        let horizon_s = HORIZON * span_s;
        let distance = found.level - limit * sign;
        let reach = |slope: f64, level: f64| {
            let distance = level - limit * sign;
            if distance <= 0.0 { 0.0 } else { distance / -slope }
        };
        let in_s = reach(found.slope, found.level);
        if in_s > horizon_s {
            return None;
        }
        let spread = ((found.shallow - found.steep) / (2.0 * INTERVAL_Z)).max(-found.slope * 1e-3);
        let needed = distance.max(0.0) / horizon_s;
        let confidence_pct = (100.0 * normal_cdf((-found.slope - needed) / spread)).min(99.0);
        if confidence_pct < MIN_CONFIDENCE_PCT {
            return None;
        }
        let after = |s: f64| now + Duration::try_from_secs_f64(s.max(0.0)).unwrap_or(Duration::MAX);
        // How well the level itself is known: the scatter of the middle of the newer half of the points.
        let level_off = INTERVAL_Z * 1.25 * found.scatter / (found.points as f64 / 2.0).sqrt();
        Some(Forecast {
            at: after(in_s),
            earliest: after(reach(found.steep, found.level - level_off)),
            latest: after(reach(found.shallow, found.level + level_off)),
            confidence_pct: confidence_pct as u8,
            slope_per_day: found.slope * sign * 86_400.0,
            level: found.level * sign,
        })
    }
}

impl Slot {
    fn add(&mut self, at_s: u32, value: f32) {
        self.first_s = self.first_s.min(at_s);
        self.last_s = self.last_s.max(at_s);
        self.skipped += 1;
        if self.skipped < self.stride {
            return;
        }
        self.skipped = 0;
        self.values.push(value);
        if self.values.len() > SLOT_VALUES {
            let mut keep = false;
            self.values.retain(|_| {
                keep = !keep;
                keep
            });
            self.stride = self.stride.saturating_mul(2);
        }
    }

    fn point(&self) -> (u32, f32) {
        let mut values: Vec<f64> = self.values.iter().map(|v| f64::from(*v)).collect();
        (self.first_s + (self.last_s - self.first_s) / 2, median(&mut values) as f32)
    }
}

/// A fall that is more than noise, over the newest `points` points. Times in seconds, slopes per second, negative.
struct Fall {
    points: usize,
    slope: f64,
    steep: f64,
    shallow: f64,
    /// Where its line stands now.
    level: f64,
    /// Standard deviation of the points around the line, from the median.
    scatter: f64,
}

/// Of all stretches that end now, the one in which the fall stands out best. A lens was clean for months before dust
/// came: the stretch must not begin before the fall did.
fn fall(points: &[(f64, f64)], least_s: f64) -> Option<Fall> {
    let mut best: Option<(f64, Fall)> = None;
    // Kendall's S of the stretch: pairs that rise minus pairs that fall. Each older point adds its own.
    let mut s = 0.0;
    for len in 1..=points.len() {
        let stretch = &points[points.len() - len..];
        s += (1..len).map(|later| rises(stretch, 0, later)).sum::<f64>();
        // Every length while they are short, every fourth when one point more changes little.
        if len < MIN_POINTS || (len < points.len() && len % (len / 8).max(1) != 0) {
            continue;
        }
        if stretch[len - 1].0 - stretch[0].0 < least_s {
            continue;
        }
        // Ties make S rarer than this; many of them to be looked at closer.
        if s > -0.7 * SIGNIFICANT_Z * order_variance(len).sqrt() {
            continue;
        }
        let plain = ties_variance(stretch).sqrt();
        if s > -SIGNIFICANT_Z * plain {
            continue;
        }
        let mut slopes = pair_slopes(stretch);
        slopes.sort_by(f64::total_cmp);
        let slope = middle(&slopes);
        if slope >= 0.0 {
            continue;
        }
        let rests: Vec<f64> = stretch.iter().map(|p| p.1 - slope * p.0).collect();
        let level_all = median(&mut rests.clone());
        let rests: Vec<f64> = rests.iter().map(|r| r - level_all).collect();
        let likeness = likeness(&rests);
        let inflate = ((1.0 + likeness) / (1.0 - likeness)).sqrt();
        let deviation = plain * inflate;
        if s > -SIGNIFICANT_Z * deviation {
            continue;
        }
        if within_best_cut(stretch, s) > -NO_STEP_Z * inflate {
            continue;
        }
        if is_rather_a_step(stretch, STEP_FIT * rests.iter().map(|r| r.abs()).sum::<f64>()) {
            continue;
        }
        let newer = &stretch[len / 2..];
        let late = median(&mut pair_slopes(newer));
        if late > STILL_GOING * slope {
            continue;
        }
        // What slows down is met later than its whole stretch says.
        let slope = slope.max((slope + late) / 2.0);
        let level = median(&mut newer.iter().map(|p| p.1 - slope * p.0).collect::<Vec<_>>());
        let scatter = 1.4826 * median(&mut rests.iter().map(|r| r.abs()).collect::<Vec<_>>());
        // Sen's interval: so many ranks of the pairs' slopes on either side.
        let ranks = INTERVAL_Z * deviation;
        let at = |rank: f64| slopes[(rank.max(0.0) as usize).min(slopes.len() - 1)];
        let half = slopes.len() as f64 / 2.0;
        let (steep, shallow) = (at(half - ranks / 2.0).min(slope), at(half + ranks / 2.0).max(slope));
        let mean = stretch.iter().map(|p| p.0).sum::<f64>() / len as f64;
        let lever = stretch.iter().map(|p| (p.0 - mean).powi(2)).sum::<f64>().sqrt();
        let clear = -slope * lever / scatter.max(f64::MIN_POSITIVE);
        if best.as_ref().is_none_or(|(b, _)| clear > *b) {
            best = Some((
                clear,
                Fall { points: len, slope, steep, shallow: shallow.min(-f64::MIN_POSITIVE), level, scatter },
            ));
        }
    }
    best.map(|(_, f)| f)
}

/// 1 when the later of two points is higher, −1 when it is lower.
fn rises(points: &[(f64, f64)], earlier: usize, later: usize) -> f64 {
    f64::from(i8::from(points[later].1 > points[earlier].1) - i8::from(points[later].1 < points[earlier].1))
}

/// Variance of Kendall's S when the order is chance and no two values are equal.
fn order_variance(n: usize) -> f64 {
    let n = n as f64;
    n * (n - 1.0) * (2.0 * n + 5.0) / 18.0
}

/// The same with equal values, which count for less.
fn ties_variance(points: &[(f64, f64)]) -> f64 {
    let mut values: Vec<f64> = points.iter().map(|p| p.1).collect();
    values.sort_by(f64::total_cmp);
    let ties: f64 = values.chunk_by(|a, b| a == b).map(|same| order_variance(same.len())).sum();
    (order_variance(points.len()) - ties).max(0.0)
}

/// The weakest fall, in standard deviations, that is left when the points are cut in two and pairs across the cut do
/// not count. Ties are taken as chance, which makes it weaker still.
fn within_best_cut(points: &[(f64, f64)], s: f64) -> f64 {
    let n = points.len();
    let (mut before, mut behind) = (0.0, s);
    let mut weakest = f64::NEG_INFINITY;
    for cut in 1..n.saturating_sub(1) {
        let moved = cut - 1;
        behind -= (cut..n).map(|later| rises(points, moved, later)).sum::<f64>();
        before += (0..moved).map(|earlier| rises(points, earlier, moved)).sum::<f64>();
        if cut >= 2 {
            weakest = weakest.max((before + behind) / (order_variance(cut) + order_variance(n - cut)).sqrt());
        }
    }
    weakest
}

/// Is one step from a level to another nearer to the points than the line, by the sum of distances?
fn is_rather_a_step(points: &[(f64, f64)], line_off: f64) -> bool {
    let off = |part: &[(f64, f64)]| {
        let middle = median(&mut part.iter().map(|p| p.1).collect::<Vec<_>>());
        part.iter().map(|p| (p.1 - middle).abs()).sum::<f64>()
    };
    (2..=points.len().saturating_sub(2)).any(|cut| {
        let (a, b) = points.split_at(cut);
        off(a) + off(b) < line_off
    })
}

/// How much a point is like the one before it: 0 for white noise. Of the ranks, so that a foggy day weighs little;
/// raised by what a short series with its line taken out loses.
fn likeness(rests: &[f64]) -> f64 {
    let n = rests.len() as f64;
    let rank = |v: f64| {
        let below = rests.iter().filter(|r| **r < v).count() as f64;
        let same = rests.iter().filter(|r| **r == v).count() as f64;
        below + (same - 1.0) / 2.0 - (n - 1.0) / 2.0
    };
    let ranks: Vec<f64> = rests.iter().map(|r| rank(*r)).collect();
    let all: f64 = ranks.iter().map(|r| r * r).sum();
    if all == 0.0 {
        return 0.0;
    }
    let next: f64 = ranks.windows(2).map(|w| w[0] * w[1]).sum();
    ((next / all) + 2.0 / n).clamp(0.0, 0.7)
}

fn pair_slopes(points: &[(f64, f64)]) -> Vec<f64> {
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (i, a) in points.iter().enumerate() {
        slopes.extend(points[i + 1..].iter().filter(|b| b.0 > a.0).map(|b| (b.1 - a.1) / (b.0 - a.0)));
    }
    slopes
}

/// 0 for none.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    middle(values)
}

fn middle(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

/// Good to half a percent: Bowling's logistic form.
fn normal_cdf(z: f64) -> f64 {
    1.0 / (1.0 + (-1.5976 * z - 0.070_566 * z.powi(3)).exp())
}

#[cfg(test)]
mod tests;
