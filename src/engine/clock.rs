//! One unit's clock against ours: how far off it is, and which messages are late rather than wrong.
//! Never decides what to do about it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;

/// More delay than any live path has: a message this much later than its siblings waited in a buffer.
const LATE_MS: i64 = 120_000;
/// A clock that was set back keeps its new distance; a buffer that is being emptied closes it fast.
const SHIFT_AFTER: Duration = Duration::from_secs(180);
const SHIFT_JITTER_MS: i64 = 30_000;
/// Below this a unit's own time is the better time of a reading; above, it is wrong.
const TRUSTED_MS: i64 = 120_000;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Clock {
    /// What our clock showed when the unit's was at 1970: our time of receipt minus the unit's time, of live messages.
    epoch: Option<Timestamp>,
    /// When messages began to look late, and how late they looked then.
    late_run: Option<Box<(Timestamp, i64)>>,
}

/// When a message's readings were taken, and whether it waited in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    pub at: Timestamp,
    /// By our clock, as far as it is known how far the unit's is off: for what was before or after something that we did.
    pub ours: Timestamp,
    pub late: bool,
}

impl Clock {
    /// Seconds, positive when the unit's clock is behind ours. None: not known yet.
    pub(super) fn skew_s(&self) -> Option<f64> {
        self.epoch.map(|epoch| epoch.as_millis() as f64 / 1000.0)
    }

    /// `overtaken`: newer messages of the unit came before this one.
    pub(super) fn take(&mut self, now: Timestamp, ts: Option<Timestamp>, overtaken: bool) -> Taken {
        let Some(ts) = ts else { return Taken { at: now, ours: now, late: false } };
        let distance = now.as_millis() - ts.as_millis();
        let by_us = |skew: i64| Timestamp::from_millis(ts.as_millis().saturating_add(skew)).min(now);
        let was_late = |at: Timestamp| Taken { at, ours: at, late: true };
        if overtaken {
            return was_late(by_us(self.epoch.map_or(0, Timestamp::as_millis)));
        }
        let skew = self.epoch.get_or_insert(Timestamp::from_millis(distance)).as_millis();
        if distance > skew + LATE_MS {
            let (since, first) = **self.late_run.get_or_insert_with(|| Box::new((now, distance)));
            let steady = (distance - first).abs() <= SHIFT_JITTER_MS;
            if !steady {
                self.late_run = Some(Box::new((now, distance)));
            }
            if !(steady && now.since(since) >= SHIFT_AFTER) {
                return was_late(by_us(skew));
            }
        }
        self.late_run = None;
        self.epoch = Some(Timestamp::from_millis(distance));
        let at = if distance.abs() <= TRUSTED_MS { ts.min(now) } else { now };
        Taken { at, ours: by_us(skew), late: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(s: i64) -> Timestamp {
        Timestamp::from_millis(s * 1000)
    }

    #[test]
    fn a_buffer_being_emptied_is_late_and_the_clock_is_right() {
        let mut c = Clock::default();
        assert!(!c.take(t(0), Some(t(0)), false).late);
        for (i, sent) in (30..3600).step_by(30).enumerate() {
            let taken = c.take(t(3600 + i as i64 / 10), Some(t(sent)), false);
            if sent < 3300 {
                assert_eq!(taken, Taken { at: t(sent), ours: t(sent), late: true });
            }
        }
        assert!(!c.take(t(3630), Some(t(3630)), false).late);
        assert_eq!(c.skew_s(), Some(0.0));
    }

    #[test]
    fn a_clock_set_back_is_believed_after_some_minutes() {
        let mut c = Clock::default();
        let _ = c.take(t(0), Some(t(0)), false);
        let late: Vec<bool> = (1..12).map(|i| c.take(t(i * 30), Some(t(i * 30 - 600)), false).late).collect();
        assert!(late[0] && !late[10], "{late:?}");
        assert_eq!(c.skew_s(), Some(600.0));
    }

    #[test]
    fn a_clock_far_ahead_does_not_date_readings_into_the_future() {
        let mut c = Clock::default();
        assert_eq!(c.take(t(0), Some(t(60)), false).at, t(0));
        assert_eq!(c.take(t(30), Some(t(100_000)), false).at, t(30));
    }
}
