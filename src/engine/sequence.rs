//! Boot and sequence numbers of one unit: which messages are new, doubled, late, and how many never came.
//! Never decides what a message means.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;

/// As many as one word of bits holds: an hour of a quiet unit, two minutes of a busy one.
const WINDOW: u32 = 128;

/// A unit whose counter went back for good (new flash, swapped board) says only lower boots from then on. A late
/// buffer is through in minutes and is followed by the present boot.
const BOOT_RESET_AFTER: Duration = Duration::from_secs(600);
const BOOT_RESET_MESSAGES: u8 = 3;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Sequence {
    boot: u32,
    highest: u64,
    /// Bit n: `highest - n` was seen.
    seen: u128,
    /// How many numbers the window has covered since the boot, at most [`WINDOW`].
    span: u32,
    started: bool,
    /// Messages of lower boots since the last one of the present boot.
    lower_boots: u8,
    present_boot_at: Option<Timestamp>,
    newest_ts: Option<Timestamp>,
    /// The boot before, so that its buffered messages are told apart from repeats.
    previous: Option<(u32, u64, u128)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// In order, or the first of all.
    New,
    /// A higher boot than before: the unit restarted.
    NewBoot,
    /// Not seen before, but newer ones were: sent from the unit's buffer, or overtaken on the way.
    Late,
    /// Seen before.
    Duplicate,
}

impl Sequence {
    pub(super) fn boot(&self) -> Option<u32> {
        self.started.then_some(self.boot)
    }

    pub(super) fn arrive(&mut self, now: Timestamp, boot: u32, seq: u64, ts: Option<Timestamp>) -> Arrival {
        if !self.started {
            self.begin(now, boot, seq, ts);
            return Arrival::New;
        }
        if boot > self.boot {
            self.previous = Some((self.boot, self.highest, self.seen));
            self.begin(now, boot, seq, ts);
            return Arrival::NewBoot;
        }
        if boot < self.boot {
            return self.lower_boot(now, boot, seq, ts);
        }
        let arrival = self.within_boot(seq);
        if arrival != Arrival::Duplicate {
            self.lower_boots = 0;
            self.present_boot_at = Some(now);
            self.newest_ts = self.newest_ts.max(ts);
        }
        arrival
    }

    fn begin(&mut self, now: Timestamp, boot: u32, seq: u64, ts: Option<Timestamp>) {
        self.started = true;
        self.boot = boot;
        self.highest = seq;
        self.seen = 1;
        // Joined in mid-boot: what came before us is not loss.
        self.span = 1;
        self.lower_boots = 0;
        self.present_boot_at = Some(now);
        self.newest_ts = self.newest_ts.max(ts);
    }

    /// What was sent before this, while we could not hear, is no loss of the link.
    pub(super) fn count_losses_anew(&mut self) {
        self.span = self.span.min(1);
    }

    fn within_boot(&mut self, seq: u64) -> Arrival {
        if seq > self.highest {
            let step = seq - self.highest;
            self.seen = if step >= u64::from(WINDOW) { 0 } else { self.seen << step };
            self.seen |= 1;
            self.span = self.span.saturating_add(step.min(u64::from(WINDOW)) as u32).min(WINDOW);
            self.highest = seq;
            return Arrival::New;
        }
        let back = self.highest - seq;
        if back >= u64::from(WINDOW) {
            // Too old to know. A repeat of it does no harm: late readings never overwrite newer ones.
            return Arrival::Late;
        }
        let bit = 1u128 << back;
        if self.seen & bit != 0 {
            return Arrival::Duplicate;
        }
        self.seen |= bit;
        self.span = self.span.max(back as u32 + 1);
        Arrival::Late
    }

    fn lower_boot(&mut self, now: Timestamp, boot: u32, seq: u64, ts: Option<Timestamp>) -> Arrival {
        if let Some((previous, highest, seen)) = &mut self.previous
            && *previous == boot
        {
            if seq > *highest {
                let step = seq - *highest;
                *seen = if step >= u64::from(WINDOW) { 1 } else { *seen << step | 1 };
                *highest = seq;
                return Arrival::Late;
            }
            let back = *highest - seq;
            if back < u64::from(WINDOW) {
                if *seen & (1u128 << back) != 0 {
                    return Arrival::Duplicate;
                }
                *seen |= 1u128 << back;
            }
            return Arrival::Late;
        }
        self.lower_boots = self.lower_boots.saturating_add(1);
        let for_good = self.lower_boots >= BOOT_RESET_MESSAGES
            && self.present_boot_at.is_some_and(|at| now.since(at) >= BOOT_RESET_AFTER);
        let newer_by_its_own_clock = match (ts, self.newest_ts) {
            (Some(ts), Some(newest)) => ts > newest,
            (None, _) | (_, None) => false,
        };
        if for_good || newer_by_its_own_clock {
            self.previous = None;
            self.begin(now, boot, seq, ts);
            return Arrival::NewBoot;
        }
        Arrival::Late
    }

    /// Percent of the window's messages that never came. None: fewer than 16 to judge by.
    pub(super) fn loss_pct(&self) -> Option<f64> {
        const ENOUGH: u32 = 16;
        if self.span < ENOUGH {
            return None;
        }
        let mask = if self.span >= WINDOW { u128::MAX } else { (1u128 << self.span) - 1 };
        let got = (self.seen & mask).count_ones();
        Some(f64::from(self.span - got.min(self.span)) * 100.0 / f64::from(self.span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(s: i64) -> Timestamp {
        Timestamp::from_millis(s * 1000)
    }

    fn check(arrivals: &[(i64, u32, u64)], expected: &[Arrival]) -> Sequence {
        let mut s = Sequence::default();
        let got: Vec<_> = arrivals.iter().map(|(at, boot, seq)| s.arrive(t(*at), *boot, *seq, Some(t(*at)))).collect();
        assert_eq!(got, expected);
        s
    }

    #[test]
    fn repeats_are_told_from_late_ones() {
        use Arrival::*;
        check(
            &[(0, 1, 1), (1, 1, 3), (2, 1, 2), (3, 1, 2), (4, 1, 3), (5, 2, 1), (6, 1, 3), (6, 1, 4), (7, 2, 2)],
            &[New, New, Late, Duplicate, Duplicate, NewBoot, Duplicate, Late, New],
        );
    }

    #[test]
    fn what_was_sent_before_we_listened_is_no_loss() {
        let mut s = Sequence::default();
        for seq in 500..600 {
            let _ = s.arrive(t(seq), 1, seq as u64, None);
        }
        assert_eq!(s.loss_pct(), Some(0.0));
    }

    #[test]
    fn a_fifth_missing_is_twenty_percent() {
        let mut s = Sequence::default();
        for seq in (0..1000u64).filter(|n| n % 5 != 0) {
            let _ = s.arrive(t(seq as i64), 1, seq, None);
        }
        let loss = s.loss_pct().expect("enough to judge");
        assert!((loss - 20.0).abs() < 1.0, "{loss}");
    }

    #[test]
    fn a_counter_that_starts_again_is_believed_when_the_units_own_clock_is_newer() {
        use Arrival::*;
        check(&[(0, 9, 1), (30, 1, 1), (60, 1, 2)], &[New, NewBoot, New]);
    }

    #[test]
    fn a_jump_across_the_whole_number_range_overflows_nothing() {
        let mut s = Sequence::default();
        for seq in [0, u64::MAX, 1, u64::MAX - 1] {
            let _ = s.arrive(t(0), u32::MAX, seq, None);
        }
        assert!(s.loss_pct().is_some_and(|l| (0.0..=100.0).contains(&l)));
    }
}
