//! Every deadline of the engine, in one queue. Never fires anything itself: `Engine::advance` pops and asks the owner.
//!
//! Entries are hints: the owner's state says whether the deadline still stands. A heartbeat therefore costs no queue
//! operation at all; the unit's one entry is pushed again, later, when it comes up.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::domain::{OrderId, Timestamp, UnitIx};

use super::compiled::{IncidentIx, Leaf, RuleIx};

/// All kinds of deadline. At the same instant they fire in this order: evidence before conclusions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    MaintenanceEnd,
    /// Nothing heard for too long.
    Silence(UnitIx, Leaf),
    /// Pending becomes firing, or clearing becomes resolved.
    Phase(UnitIx, RuleIx),
    /// The oldest counted event leaves its window.
    Count(UnitIx, Leaf),
    Overdue(UnitIx, Leaf),
    /// What grows by itself has grown to a limit.
    Grown(UnitIx, Leaf),
    /// The last self-test proves nothing any more.
    Proof(UnitIx),
    /// Enough siblings for long enough: a common cause.
    IncidentSettle(IncidentIx, u32),
    /// The feeder has had mains for a while: what is still dark is dark by itself.
    FeederLit(IncidentIx, u32),
    IncidentOrder(IncidentIx, u32),
    OrderDue(UnitIx, RuleIx),
    Hold(OrderId),
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Timestamp, Timer)>>,
}

impl Timers {
    pub(super) fn arm(&mut self, at: Timestamp, timer: Timer) {
        self.heap.push(Reverse((at, timer)));
    }
    /// The earliest entry at or before `now`.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, Timer)> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }
    pub(super) fn clear(&mut self) {
        self.heap.clear();
    }
}
