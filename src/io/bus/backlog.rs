//! Copies that wait for the broker, and the retained messages that a new broker must be told. Never waits.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::BusStats;
use super::topics::is_ours;

/// Together with `BusConfig::queue`, what waiting copies may hold in memory.
const QUEUE_BYTES: usize = 32 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Copy {
    pub topic: Bytes,
    pub payload: Bytes,
    pub retain: bool,
}

/// What the house and the supervisor share.
pub(super) struct Shared {
    backlog: Mutex<Backlog>,
    /// Something waits.
    pub work: Notify,
    pub up: AtomicBool,
    pub restarts: AtomicU64,
}

struct Backlog {
    queue: VecDeque<Copy>,
    queue_bytes: usize,
    queue_longest: usize,
    retained: HashMap<Bytes, Bytes>,
    retained_most: usize,
    /// Topics whose newest retained message the broker has not been told: all of them after a restart, and those whose
    /// copy was dropped from the full queue.
    untold: BTreeSet<Bytes>,
    dropped: u64,
    refused: u64,
    unremembered: u64,
}

impl Shared {
    pub fn new(queue_longest: usize, retained_most: usize) -> Self {
        Shared {
            backlog: Mutex::new(Backlog {
                queue: VecDeque::new(),
                queue_bytes: 0,
                queue_longest: queue_longest.max(1),
                retained: HashMap::new(),
                retained_most,
                untold: BTreeSet::new(),
                dropped: 0,
                refused: 0,
                unremembered: 0,
            }),
            work: Notify::new(),
            up: AtomicBool::new(false),
            restarts: AtomicU64::new(0),
        }
    }

    /// Held for a few map operations, never over a call that waits. A panic under it cannot leave it half-changed in a
    /// way that matters to a copy.
    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn publish(&self, topic: &str, payload: Bytes, retain: bool) {
        let mut backlog = self.backlog();
        if !is_ours(topic) {
            backlog.refused += 1;
            return;
        }
        let copy = Copy { topic: Bytes::copy_from_slice(topic.as_bytes()), payload, retain };
        backlog.remember(&copy);
        backlog.push(copy);
        drop(backlog);
        self.work.notify_one();
    }

    /// A new broker knows nothing.
    pub fn nothing_is_told(&self) -> usize {
        let mut backlog = self.backlog();
        let all: BTreeSet<Bytes> = backlog.retained.keys().cloned().collect();
        backlog.untold = all;
        backlog.untold.len()
    }

    /// At most `most`, what a new broker must be told first. Empty: nothing waits.
    pub fn take(&self, most: usize) -> Vec<Copy> {
        let mut backlog = self.backlog();
        let mut copies = Vec::new();
        while copies.len() < most
            && let Some(topic) = backlog.untold.pop_first()
        {
            // Gone meanwhile: the empty message takes it away.
            let payload = backlog.retained.get(&topic).cloned().unwrap_or_default();
            copies.push(Copy { topic, payload, retain: true });
        }
        while copies.len() < most
            && let Some(copy) = backlog.queue.pop_front()
        {
            backlog.queue_bytes -= copy.size();
            copies.push(copy);
        }
        copies
    }

    pub fn stats(&self) -> BusStats {
        let backlog = self.backlog();
        BusStats {
            up: self.up.load(Ordering::Relaxed),
            restarts: self.restarts.load(Ordering::Relaxed),
            dropped: backlog.dropped,
            refused: backlog.refused,
            unremembered: backlog.unremembered,
        }
    }
}

impl Backlog {
    /// As rumqttd does it: an empty message removes, retained or not.
    fn remember(&mut self, copy: &Copy) {
        if copy.payload.is_empty() {
            self.retained.remove(&copy.topic);
        } else if copy.retain {
            if self.retained.len() < self.retained_most || self.retained.contains_key(&copy.topic) {
                self.retained.insert(copy.topic.clone(), copy.payload.clone());
            } else {
                self.unremembered += 1;
            }
        }
    }

    fn push(&mut self, copy: Copy) {
        self.queue_bytes += copy.size();
        self.queue.push_back(copy);
        while self.queue.len() > self.queue_longest || self.queue_bytes > QUEUE_BYTES {
            let Some(oldest) = self.queue.pop_front() else { return };
            self.queue_bytes -= oldest.size();
            self.dropped += 1;
            let changed = oldest.retain || oldest.payload.is_empty();
            // Removals have no other bound: a bus that stays down must not collect them for ever.
            let bounded = self.retained.contains_key(&oldest.topic) || self.untold.len() < self.retained_most;
            if changed && bounded {
                self.untold.insert(oldest.topic);
            }
        }
    }
}

impl Copy {
    fn size(&self) -> usize {
        self.topic.len() + self.payload.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(copies: &[Copy]) -> Vec<String> {
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        copies
            .iter()
            .map(|c| format!("{}={}{}", text(&c.topic), text(&c.payload), if c.retain { " r" } else { "" }))
            .collect()
    }

    fn check(shared: &Shared, expected: &[&str]) {
        assert_eq!(texts(&shared.take(usize::MAX)), expected);
    }

    #[test]
    fn copies_leave_in_their_order() {
        let shared = Shared::new(10, 10);
        shared.publish("a", "1".into(), false);
        shared.publish("b", "2".into(), true);
        shared.publish("a", "3".into(), false);
        assert_eq!(texts(&shared.take(2)), ["a=1", "b=2 r"]);
        check(&shared, &["a=3"]);
        check(&shared, &[]);
    }

    #[test]
    fn a_full_queue_drops_the_oldest_and_counts() {
        let shared = Shared::new(2, 10);
        for n in ["1", "2", "3", "4"] {
            shared.publish("a", n.into(), false);
        }
        check(&shared, &["a=3", "a=4"]);
        assert_eq!(shared.stats().dropped, 2);
    }

    #[test]
    fn a_dropped_retained_copy_is_told_later_with_its_newest_value() {
        let shared = Shared::new(1, 10);
        shared.publish("unit/readiness", "ready".into(), true);
        shared.publish("unit/readiness", "silent".into(), true);
        shared.publish("gone", "1".into(), true);
        shared.publish("gone", "".into(), true);
        shared.publish("a", "1".into(), false);
        // `gone` must be taken away from observers although its removal was dropped too.
        check(&shared, &["gone= r", "unit/readiness=silent r", "a=1"]);
    }

    #[test]
    fn a_new_broker_is_told_all_that_is_retained_and_nothing_that_was_removed() {
        let shared = Shared::new(10, 10);
        for (topic, payload) in [("a", "1"), ("b", "2"), ("a", "3"), ("b", "")] {
            shared.publish(topic, payload.into(), true);
        }
        shared.take(usize::MAX);
        assert_eq!(shared.nothing_is_told(), 1);
        check(&shared, &["a=3 r"]);
    }

    #[test]
    fn the_memory_for_retained_messages_has_its_bound() {
        let shared = Shared::new(10, 1);
        shared.publish("a", "1".into(), true);
        shared.publish("b", "1".into(), true);
        shared.publish("a", "2".into(), true);
        assert_eq!(shared.stats().unremembered, 1);
        shared.take(usize::MAX);
        shared.nothing_is_told();
        check(&shared, &["a=2 r"]);
    }

    #[test]
    fn huge_copies_cannot_fill_the_memory() {
        let shared = Shared::new(10, 0);
        for _ in 0..3 {
            shared.publish("a", vec![0; QUEUE_BYTES / 2].into(), false);
        }
        assert_eq!(shared.take(usize::MAX).len(), 1);
        shared.publish("a", vec![0; QUEUE_BYTES + 1].into(), false);
        assert_eq!(shared.take(usize::MAX).len(), 0);
    }

    #[test]
    fn a_topic_that_is_not_ours_is_counted() {
        let shared = Shared::new(10, 10);
        shared.publish("é/x", "1".into(), true);
        check(&shared, &[]);
        assert_eq!(shared.stats().refused, 1);
    }
}
