//! How long a mail waits before it is tried again. Owns the schedule; never reads a clock.

use std::time::Duration;

use crate::domain::MessageId;

/// The first wait; then twice as long each time, up to the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPace {
    pub first: Duration,
    pub longest: Duration,
}

impl RetryPace {
    /// How long to wait after the `tries`th failed try (1: the first). Up to a fifth less than the round figure, by the
    /// Message-ID, so that a hundred mails that failed together do not all come back in the same second.
    pub fn delay(&self, tries: u32, message_id: &MessageId) -> Duration {
        let doubled = self.first.saturating_mul(1 << tries.saturating_sub(1).min(16));
        let round = doubled.min(self.longest);
        // FNV-1a: the same on every machine and in every version, which std's hasher does not promise.
        let hash = message_id
            .as_str()
            .bytes()
            .fold(0xCBF2_9CE4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01B3));
        let share = (hash.rotate_left(tries.min(63)) >> 32) as u32 % 1000;
        (round - round / 5 * share / 1000).max(self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: RetryPace = RetryPace { first: Duration::from_secs(60), longest: Duration::from_secs(3600) };

    fn id(text: &str) -> MessageId {
        MessageId::parse(&format!("<{text}@example.org>")).expect("valid")
    }

    #[test]
    fn delays_grow_from_the_first_to_the_longest_and_spread() {
        let mut shortest = Duration::ZERO;
        for tries in 0..200 {
            let delays: Vec<Duration> = (0..50).map(|n| PACE.delay(tries, &id(&format!("wo-{n}")))).collect();
            let (least, most) = (delays.iter().min().expect("some"), delays.iter().max().expect("some"));
            assert!(*least >= PACE.first && *most <= PACE.longest, "{tries}: {least:?} to {most:?}");
            assert!(*least + Duration::from_secs(60) >= shortest, "{tries}: shorter than before");
            assert!(tries < 2 || most > least, "{tries}: all at once");
            shortest = *least;
        }
        assert!(PACE.delay(1, &id("a")) <= PACE.first);
        assert!(PACE.delay(u32::MAX, &id("a")) >= Duration::from_secs(48 * 60));
        assert_eq!(PACE.delay(5, &id("a")), PACE.delay(5, &id("a")));
    }
}
