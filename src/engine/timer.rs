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
    /// A desk has something to write.
    Notices,
    /// Nobody has done anything about it.
    Nudge(OrderId),
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Timestamp, Packed)>>,
}

/// A timer in one word, in the same order: a million units have three each, and every one of them is moved about.
/// Kind in the highest byte, then what it is of: 32 bits, 16, 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Packed(u64);

impl Packed {
    fn new(kind: u8, of: u32, rule: u16, n: u8) -> Packed {
        Packed(u64::from(kind) << 56 | u64::from(of) << 24 | u64::from(rule) << 8 | u64::from(n))
    }
    fn of(timer: Timer) -> Packed {
        let leaf = |kind, unit: UnitIx, leaf: Leaf| Packed::new(kind, unit.0, leaf.rule.0, leaf.n);
        let rule = |kind, unit: UnitIx, rule: RuleIx| Packed::new(kind, unit.0, rule.0, 0);
        // The rule of an incident before its group.
        let group = |kind: u8, IncidentIx(rule): IncidentIx, group: u32| {
            Packed(u64::from(kind) << 56 | u64::from(rule) << 32 | u64::from(group))
        };
        match timer {
            Timer::MaintenanceEnd => Packed::new(0, 0, 0, 0),
            Timer::Silence(u, l) => leaf(1, u, l),
            Timer::Phase(u, r) => rule(2, u, r),
            Timer::Count(u, l) => leaf(3, u, l),
            Timer::Overdue(u, l) => leaf(4, u, l),
            Timer::Grown(u, l) => leaf(5, u, l),
            Timer::Proof(u) => Packed::new(6, u.0, 0, 0),
            Timer::IncidentSettle(i, g) => group(7, i, g),
            Timer::FeederLit(i, g) => group(8, i, g),
            Timer::IncidentOrder(i, g) => group(9, i, g),
            Timer::OrderDue(u, r) => rule(10, u, r),
            Timer::Hold(order) => Packed::new(11, order.number(), 0, 0),
            Timer::Notices => Packed::new(12, 0, 0, 0),
            Timer::Nudge(order) => Packed::new(13, order.number(), 0, 0),
        }
    }
    fn timer(self) -> Timer {
        let word = self.0;
        let unit = UnitIx((word >> 24) as u32);
        let rule = RuleIx((word >> 8) as u16);
        let leaf = Leaf { rule, n: word as u8 };
        let (incident, group) = (IncidentIx((word >> 32) as u16), word as u32);
        match word >> 56 {
            0 => Timer::MaintenanceEnd,
            1 => Timer::Silence(unit, leaf),
            2 => Timer::Phase(unit, rule),
            3 => Timer::Count(unit, leaf),
            4 => Timer::Overdue(unit, leaf),
            5 => Timer::Grown(unit, leaf),
            6 => Timer::Proof(unit),
            7 => Timer::IncidentSettle(incident, group),
            8 => Timer::FeederLit(incident, group),
            9 => Timer::IncidentOrder(incident, group),
            10 => Timer::OrderDue(unit, rule),
            11 => Timer::Hold(OrderId::new(unit.0)),
            12 => Timer::Notices,
            13 => Timer::Nudge(OrderId::new(unit.0)),
            kind => unreachable!("`of` packs no kind {kind}"),
        }
    }
}

impl Timers {
    pub(super) fn arm(&mut self, at: Timestamp, timer: Timer) {
        self.heap.push(Reverse((at, Packed::of(timer))));
    }
    /// The earliest entry at or before `now`.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, Timer)> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse((at, timer))| (at, timer.timer()))
    }
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }
    pub(super) fn clear(&mut self) {
        self.heap.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn timers() -> impl Strategy<Value = Timer> {
        let leaf = (any::<u16>(), any::<u8>()).prop_map(|(rule, n)| Leaf { rule: RuleIx(rule), n });
        (0..14, any::<u32>(), any::<u16>(), leaf).prop_map(|(kind, of, rule, leaf)| match kind {
            0 => Timer::MaintenanceEnd,
            1 => Timer::Silence(UnitIx(of), leaf),
            2 => Timer::Phase(UnitIx(of), RuleIx(rule)),
            3 => Timer::Count(UnitIx(of), leaf),
            4 => Timer::Overdue(UnitIx(of), leaf),
            5 => Timer::Grown(UnitIx(of), leaf),
            6 => Timer::Proof(UnitIx(of)),
            7 => Timer::IncidentSettle(IncidentIx(rule), of),
            8 => Timer::FeederLit(IncidentIx(rule), of),
            9 => Timer::IncidentOrder(IncidentIx(rule), of),
            10 => Timer::OrderDue(UnitIx(of), RuleIx(rule)),
            11 => Timer::Hold(OrderId::new(of)),
            12 => Timer::Notices,
            _ => Timer::Nudge(OrderId::new(of)),
        })
    }

    proptest! {
        #[test]
        fn a_packed_timer_is_the_same_timer_in_the_same_order(a in timers(), b in timers()) {
            prop_assert_eq!(Packed::of(a).timer(), a);
            prop_assert_eq!(Packed::of(a).cmp(&Packed::of(b)), a.cmp(&b));
        }
    }
}
