//! What one unit measured when it was new: per metric and camera mode the median of its first passing self-tests.
//! Absolute limits depend on the scene and the box; a unit's own first figures do not. Never decides whether a reading
//! is bad, and never takes a later reading for the baseline: a lens that gets dirty must not become the new normal.
//! Only `reset` (a new camera, a lens cleaned and commissioned anew) makes room for one.

use serde::{Deserialize, Serialize};
use thin_vec::ThinVec;

use crate::domain::message::CameraMode;
use crate::domain::{Component, Metric, Timestamp};

/// One test can meet a passing bus or the low sun, and two that differ do not say which is right: the median of three
/// stands when one of them was odd. More would let weeks of dust into the figure, at one self-test a day.
const TESTS: usize = 3;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Baselines {
    /// Sorted by metric and mode.
    entries: ThinVec<Entry>,
}

/// 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Entry {
    metric: Metric,
    mode: Option<CameraMode>,
    tests: u8,
    /// The first `tests` of them, in the order learned.
    values: [f32; TESTS],
    /// Of the newest test that counted.
    at: Timestamp,
}

/// A baseline and how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Baseline {
    pub value: f64,
    /// Passing tests behind it so far.
    pub tests: u8,
    /// It will not move any more.
    pub settled: bool,
    /// When the newest of its tests was made.
    pub at: Timestamp,
}

impl Baselines {
    /// A figure of a self-test. Only passing ones count, in the order of their times; a repeat of the same test
    /// or one older than those learned is left out. True: the baseline moved.
    pub(super) fn learn(
        &mut self,
        metric: Metric,
        mode: Option<CameraMode>,
        value: f64,
        passed: bool,
        at: Timestamp,
    ) -> bool {
        let figure = value as f32;
        if !passed || !figure.is_finite() {
            return false;
        }
        match self.place(metric, mode) {
            Ok(i) => {
                let entry = &mut self.entries[i];
                let slot = usize::from(entry.tests);
                if slot >= TESTS || at <= entry.at {
                    return false;
                }
                entry.values[slot] = figure;
                entry.tests += 1;
                entry.at = at;
            }
            Err(i) => {
                let mut values = [0.0; TESTS];
                values[0] = figure;
                self.entries.reserve_exact(1);
                self.entries.insert(i, Entry { metric, mode, tests: 1, values, at });
            }
        }
        true
    }

    /// Known from the first passing test on, settled after the third.
    pub(super) fn baseline(&self, metric: Metric, mode: Option<CameraMode>) -> Option<Baseline> {
        let entry = &self.entries[self.place(metric, mode).ok()?];
        let tests = usize::from(entry.tests).min(TESTS);
        let mut seen = entry.values;
        let seen = &mut seen[..tests];
        seen.sort_by(f32::total_cmp);
        let value = match tests {
            0 => return None,
            n if n % 2 == 1 => f64::from(seen[n / 2]),
            n => (f64::from(seen[n / 2 - 1]) + f64::from(seen[n / 2])) / 2.0,
        };
        Some(Baseline { value, tests: entry.tests, settled: tests == TESTS, at: entry.at })
    }

    /// Forgets every metric of this component, in all modes: it was swapped, or is commissioned anew.
    pub(super) fn reset(&mut self, component: Component) {
        let of = |m: Metric| m.name().split_once('.').is_some_and(|(first, _)| first == component.as_str());
        self.entries.retain(|e| !of(e.metric));
    }

    fn place(&self, metric: Metric, mode: Option<CameraMode>) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&(metric, mode), |e| (e.metric, e.mode))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARPNESS: Metric = Metric::CameraSharpness;
    const DAY: Option<CameraMode> = Some(CameraMode::Day);
    const INFRARED: Option<CameraMode> = Some(CameraMode::Ir);

    fn day(n: i64) -> Timestamp {
        Timestamp::from_millis(n * 86_400_000)
    }

    #[test]
    fn the_median_of_the_first_three_passing_tests_stands_for_ever() {
        let mut b = Baselines::default();
        assert_eq!(b.baseline(SHARPNESS, DAY), None);
        assert!(!b.learn(SHARPNESS, DAY, 12.0, false, day(0)), "a failed test teaches nothing");
        assert!(!b.learn(SHARPNESS, DAY, f64::NAN, true, day(0)) && b.entries.is_empty());
        assert!(b.learn(SHARPNESS, DAY, 900.0, true, day(1)));
        assert_eq!(b.baseline(SHARPNESS, DAY), Some(Baseline { value: 900.0, tests: 1, settled: false, at: day(1) }));
        assert!(!b.learn(SHARPNESS, DAY, 100.0, true, day(1)), "the same test twice");
        assert!(b.learn(SHARPNESS, DAY, 300.0, true, day(2)));
        assert_eq!(b.baseline(SHARPNESS, DAY).map(|b| b.value), Some(600.0));
        assert!(b.learn(SHARPNESS, DAY, 880.0, true, day(3)));
        for n in 4..400 {
            assert!(!b.learn(SHARPNESS, DAY, 900.0 - n as f64, true, day(n)), "dust does not become the normal");
        }
        assert_eq!(b.baseline(SHARPNESS, DAY), Some(Baseline { value: 880.0, tests: 3, settled: true, at: day(3) }));
    }

    #[test]
    fn day_and_infrared_pictures_have_baselines_of_their_own() {
        let mut b = Baselines::default();
        let _ = b.learn(SHARPNESS, INFRARED, 250.0, true, day(1));
        let _ = b.learn(SHARPNESS, DAY, 900.0, true, day(1));
        assert_eq!(b.baseline(SHARPNESS, DAY).map(|b| b.value), Some(900.0));
        assert_eq!(b.baseline(SHARPNESS, INFRARED).map(|b| b.value), Some(250.0));
        assert_eq!(b.baseline(SHARPNESS, None), None);
    }

    #[test]
    fn a_reset_forgets_its_component_and_nothing_else() {
        let mut b = Baselines::default();
        for (metric, value) in [(SHARPNESS, 900.0), (Metric::CameraLuma, 120.0), (Metric::MicrophoneTone, 31.0)] {
            let _ = b.learn(metric, None, value, true, day(1));
        }
        b.reset(Component::Camera);
        assert_eq!(b.baseline(Metric::CameraLuma, None), None);
        assert_eq!(b.baseline(SHARPNESS, None), None);
        assert_eq!(b.baseline(Metric::MicrophoneTone, None).map(|b| b.value), Some(31.0));
        assert!(b.learn(SHARPNESS, None, 700.0, true, day(0)), "commissioned anew");
    }

    #[test]
    fn a_unit_whose_baselines_were_saved_is_the_same_unit() {
        let mut b = Baselines::default();
        for n in 0..5 {
            let _ = b.learn(SHARPNESS, INFRARED, 812.3 + 0.1 * n as f64, true, day(n));
            let _ = b.learn(Metric::MicrophoneTone, None, -3.7, true, day(n));
        }
        let text = serde_json::to_string(&b).expect("plain data");
        assert_eq!(serde_json::from_str::<Baselines>(&text).expect("its own text"), b);
        assert!(std::mem::size_of::<Entry>() <= 24);
    }
}
