//! How many mails may be tried within any minute. Owns that count, since the start; time is a parameter.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);

/// What fits into a minute goes out at once: an order does not wait for the sake of even steps.
pub struct Pace {
    per_minute: usize,
    /// Of the last minute, oldest first; never more than `per_minute`.
    tries: VecDeque<Instant>,
}

impl Pace {
    pub fn new(per_minute: u32) -> Self {
        let per_minute = usize::try_from(per_minute).unwrap_or(usize::MAX).max(1);
        Pace { per_minute, tries: VecDeque::new() }
    }

    /// Until the next try is allowed. Zero: now.
    pub fn wait(&self, now: Instant) -> Duration {
        match self.tries.front() {
            Some(oldest) if self.tries.len() >= self.per_minute => (*oldest + MINUTE).saturating_duration_since(now),
            Some(_) | None => Duration::ZERO,
        }
    }

    pub fn note_try(&mut self, now: Instant) {
        if self.tries.len() >= self.per_minute {
            self.tries.pop_front();
        }
        self.tries.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_has_more_tries_than_allowed_and_none_is_wasted() {
        let start = Instant::now();
        let mut pace = Pace::new(3);
        let mut now = start;
        let mut tries = Vec::new();
        for step in 0..10 {
            // Some mails take their time.
            now += pace.wait(now) + Duration::from_secs(step % 4);
            pace.note_try(now);
            tries.push(now);
        }
        for (n, at) in tries.iter().enumerate() {
            let within = tries[n..].iter().filter(|later| **later - *at < MINUTE).count();
            assert!(within <= 3, "{n}: {within}");
        }
        assert_eq!(tries[2] - start, Duration::from_secs(3), "the first three do not wait");
        assert_eq!(pace.wait(now + MINUTE), Duration::ZERO);
    }
}
