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
    /// When the present boot was last heard. None: nothing was.
    present_boot_at: Option<Timestamp>,
    newest_ts: Option<Timestamp>,
    present: Window,
    boot: u32,
    /// How many numbers the window has covered since the boot, at most [`WINDOW`].
    span: u8,
    /// Messages of lower boots since the last one of the present boot.
    lower_boots: u8,
    /// The boot before, so that its buffered messages are told apart from repeats. Let go when the present boot has
    /// filled its window: what is repeated is repeated within minutes.
    previous: Option<Box<(u32, Window)>>,
}

/// The newest numbers of one boot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Window {
    highest: u64,
    /// Bit n of the whole: `highest - n` was seen. The lower half first; a `u128` would have to lie on a sixteenth byte.
    halves: [u64; 2],
}

impl Window {
    fn from(seq: u64) -> Window {
        Window { highest: seq, halves: [1, 0] }
    }
    fn seen(&self) -> u128 {
        u128::from(self.halves[1]) << 64 | u128::from(self.halves[0])
    }
    fn see(&mut self, seen: u128) {
        self.halves = [seen as u64, (seen >> 64) as u64];
    }
    /// Steps past the highest number so far. None: it is not past it.
    fn advance(&mut self, seq: u64) -> Option<u64> {
        let step = seq.checked_sub(self.highest).filter(|step| *step > 0)?;
        let seen = if step >= u64::from(WINDOW) { 0 } else { self.seen() << step };
        self.see(seen | 1);
        self.highest = seq;
        Some(step)
    }
    /// A number that is not past the highest.
    fn look_back(&mut self, seq: u64) -> Arrival {
        let back = self.highest - seq;
        if back >= u64::from(WINDOW) {
            // Too old to know. A repeat of it does no harm: late readings never overwrite newer ones.
            return Arrival::Late;
        }
        let bit = 1u128 << back;
        if self.seen() & bit != 0 {
            return Arrival::Duplicate;
        }
        self.see(self.seen() | bit);
        Arrival::Late
    }
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
        self.present_boot_at.map(|_| self.boot)
    }

    pub(super) fn arrive(&mut self, now: Timestamp, boot: u32, seq: u64, ts: Option<Timestamp>) -> Arrival {
        if self.present_boot_at.is_none() {
            self.begin(now, boot, seq, ts);
            return Arrival::New;
        }
        if boot > self.boot {
            self.previous = Some(Box::new((self.boot, self.present)));
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
        self.boot = boot;
        self.present = Window::from(seq);
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
        if let Some(step) = self.present.advance(seq) {
            self.span = (u64::from(self.span) + step.min(u64::from(WINDOW))).min(u64::from(WINDOW)) as u8;
            if u32::from(self.span) == WINDOW {
                self.previous = None;
            }
            return Arrival::New;
        }
        let arrival = self.present.look_back(seq);
        let back = self.present.highest - seq;
        if arrival == Arrival::Late && back < u64::from(WINDOW) {
            self.span = self.span.max(back as u8 + 1);
        }
        arrival
    }

    fn lower_boot(&mut self, now: Timestamp, boot: u32, seq: u64, ts: Option<Timestamp>) -> Arrival {
        if let Some(previous) = &mut self.previous
            && previous.0 == boot
        {
            return match previous.1.advance(seq) {
                Some(_) => Arrival::Late,
                None => previous.1.look_back(seq),
            };
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
        let span = u32::from(self.span);
        if span < ENOUGH {
            return None;
        }
        let mask = if span >= WINDOW { u128::MAX } else { (1u128 << span) - 1 };
        let got = (self.present.seen() & mask).count_ones();
        Some(f64::from(span - got.min(span)) * 100.0 / f64::from(span))
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
