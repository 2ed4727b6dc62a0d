//! What one unit last measured: the newest value of each metric and the newest result of each test, and when they were
//! taken. Never judges them.
//!
//! ```text
//!   instants   [ 12:03:05 | 12:00:00 | 06:00:01 ]           one for all readings of a message
//!                   ▲ ▲        ▲
//!   readings   [ -71 dBm │ 34.5 °C │ 13.78 V │ … ]          six bytes each
//! ```

use thin_vec::ThinVec;

use crate::domain::message::{CameraMode, Outcome};
use crate::domain::{Component, Metric, Timestamp};

/// The newest value of one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    pub metric: Metric,
    pub value: f64,
    pub at: Timestamp,
}

/// The newest result of one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Test {
    pub component: Component,
    pub result: Outcome,
    pub at: Timestamp,
    pub mode: Option<CameraMode>,
    pub last_pass: Option<Timestamp>,
}

/// Two dozen readings and five tests are most of what a unit takes, and a message's all have one time: it is kept once.
#[derive(Debug, Default)]
pub(super) struct Measured {
    instants: ThinVec<Timestamp>,
    /// Sorted by metric.
    readings: ThinVec<KeptReading>,
    /// In the order first reported.
    tests: ThinVec<KeptTest>,
}

/// A place in `instants`. There are fewer metrics and tests than a byte can tell apart.
type Place = u8;

/// Bytes, not a float: it would have to lie on a fourth byte.
#[derive(Debug, Clone, Copy)]
struct KeptReading {
    value: [u8; 4],
    metric: Metric,
    at: Place,
}

/// Stores readings of one instant.
pub(super) struct Storing<'a> {
    measured: &'a mut Measured,
    at: Timestamp,
    place: Option<Place>,
    /// Where the next metric probably stands: a message has the same readings in the same order each time.
    next: usize,
}

impl Storing<'_> {
    /// False: a newer reading of this metric is known.
    pub(super) fn store(&mut self, metric: Metric, value: f64) -> bool {
        let Measured { instants, readings, .. } = &*self.measured;
        let found = match readings.get(self.next) {
            Some(reading) if reading.metric == metric => Ok(self.next),
            Some(_) | None => readings.binary_search_by_key(&metric, |r| r.metric),
        };
        if let Ok(i) = found
            && self.at < instants[usize::from(readings[i].at)]
        {
            return false;
        }
        let at = match self.place {
            Some(place) => place,
            None => *self.place.insert(self.measured.instant(self.at)),
        };
        let kept = KeptReading { value: (value as f32).to_ne_bytes(), metric, at };
        let readings = &mut self.measured.readings;
        match found {
            Ok(i) => readings[i] = kept,
            Err(i) => {
                readings.reserve_exact(1);
                readings.insert(i, kept);
            }
        }
        self.next = found.unwrap_or_else(|i| i) + 1;
        true
    }
}

#[derive(Debug, Clone, Copy)]
struct KeptTest {
    component: Component,
    result: Outcome,
    mode: Option<CameraMode>,
    at: Place,
    last_pass: Option<Place>,
}

impl Measured {
    /// For the readings of one message, best in the metrics' order.
    pub(super) fn at(&mut self, at: Timestamp) -> Storing<'_> {
        Storing { measured: self, at, place: None, next: 0 }
    }

    /// `mode` None: as before. False: a newer result of this test is known.
    pub(super) fn store_test(
        &mut self,
        component: Component,
        result: Outcome,
        mode: Option<CameraMode>,
        at: Timestamp,
    ) -> bool {
        let known = self.test(component);
        if known.is_some_and(|known| at < known.at) {
            return false;
        }
        let last_pass = known.and_then(|known| known.last_pass);
        let last_pass = if result == Outcome::Pass { last_pass.max(Some(at)) } else { last_pass };
        self.keep_test(Test { component, result, at, mode: mode.or(known.and_then(|known| known.mode)), last_pass });
        true
    }

    /// As it was saved.
    pub(super) fn keep_test(&mut self, test: Test) {
        let Test { component, result, mode, .. } = test;
        // The second must not take the place of the first.
        let slot = self.tests.iter().position(|t| t.component == component).unwrap_or_else(|| {
            self.tests.reserve_exact(1);
            self.tests.push(KeptTest { component, result, mode, at: 0, last_pass: None });
            self.tests.len() - 1
        });
        self.tests[slot].last_pass = None;
        let at = self.instant(test.at);
        self.tests[slot] = KeptTest { component, result, mode, at, last_pass: None };
        self.tests[slot].last_pass = test.last_pass.map(|at| self.instant(at));
    }

    pub(super) fn reading(&self, metric: Metric) -> Option<Reading> {
        let i = self.readings.binary_search_by_key(&metric, |r| r.metric).ok()?;
        Some(self.told(&self.readings[i]))
    }
    /// By metric.
    pub(super) fn readings(&self) -> impl Iterator<Item = Reading> {
        self.readings.iter().map(|r| self.told(r))
    }
    pub(super) fn test(&self, component: Component) -> Option<Test> {
        self.tests().find(|t| t.component == component)
    }
    /// In the order first reported.
    pub(super) fn tests(&self) -> impl Iterator<Item = Test> {
        self.tests.iter().map(|t| Test {
            component: t.component,
            result: t.result,
            at: self.instants[usize::from(t.at)],
            mode: t.mode,
            last_pass: t.last_pass.map(|at| self.instants[usize::from(at)]),
        })
    }

    fn told(&self, kept: &KeptReading) -> Reading {
        // As it was written: `11.42`, not the 11.420000076 that lies nearest in single precision.
        let value = f32::from_ne_bytes(kept.value).to_string().parse().expect("Rust reads the floats it writes");
        Reading { metric: kept.metric, value, at: self.instants[usize::from(kept.at)] }
    }

    /// Its place. One that nothing points at any more is used again.
    fn instant(&mut self, at: Timestamp) -> Place {
        if let Some(place) = self.instants.iter().position(|known| *known == at) {
            return place as Place;
        }
        let mut used = [0u64; 4];
        let mut mark = |at: Place| used[usize::from(at) / 64] |= 1 << (at % 64);
        self.readings.iter().for_each(|r| mark(r.at));
        for test in &self.tests {
            mark(test.at);
            test.last_pass.into_iter().for_each(&mut mark);
        }
        let is_free = |place: &usize| used[place / 64] & (1 << (place % 64)) == 0;
        let place = (0..self.instants.len()).find(is_free).unwrap_or_else(|| {
            self.instants.reserve_exact(1);
            self.instants.push(at);
            self.instants.len() - 1
        });
        self.instants[place] = at;
        Place::try_from(place).expect("metrics and tests are fewer than 256")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_byte_is_enough_for_every_instant() {
        assert!(Metric::ALL.len() + 2 * Component::ALL.len() < 255);
    }

    proptest! {
        /// Whatever came in whatever order: what is told is the newest that was stored.
        #[test]
        fn each_reading_keeps_its_own_value_and_time(
            stored in proptest::collection::vec((0..Metric::ALL.len(), -300.0f32..300.0, 0..40i64), 1..200)
        ) {
            let mut measured = Measured::default();
            let mut expected = std::collections::BTreeMap::new();
            for (metric, value, at) in stored {
                let (metric, at) = (Metric::ALL[metric], Timestamp::from_millis(at));
                let newer = expected.get(&metric).is_none_or(|(_, known)| at >= *known);
                prop_assert_eq!(measured.at(at).store(metric, f64::from(value)), newer);
                if newer {
                    expected.insert(metric, (value, at));
                }
                let component = Component::ALL[at.as_millis() as usize % Component::ALL.len()];
                let _ = measured.store_test(component, Outcome::Pass, None, at);
            }
            let told: Vec<_> = measured.readings().map(|r| (r.metric, (r.value as f32, r.at))).collect();
            prop_assert_eq!(told, expected.into_iter().collect::<Vec<_>>());
            for test in measured.tests() {
                prop_assert_eq!(test.last_pass, Some(test.at));
            }
        }
    }
}
