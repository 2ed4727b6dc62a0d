//! Decides when a unit is silent, and when we are deaf. Never reads a clock.

use std::time::Duration;

use crate::domain::message::Kind;
use crate::domain::rule::Condition;
use crate::domain::{Reason, Timestamp, UnitIx};

use super::compiled::{Leaf, RuleIx, silence_span};
use super::sign::Verdict;
use super::timer::Timer;
use super::unit_state::{Interval, Presence};
use super::{Engine, HearingState};

/// Stands for the default presence deadline of units that no silent rule selects.
pub(super) const NO_RULE: Leaf = Leaf { rule: RuleIx(u16::MAX), n: 0 };

/// Self-tests are daily (DESIGN §5); a silent rule on them counts missed days.
const SELFTEST_INTERVAL: Duration = Duration::from_secs(86_400);

impl Engine {
    pub(super) fn heartbeat_interval(&self, unit: UnitIx) -> Duration {
        let said = self.units[unit.index()].interval.map(Interval::span);
        said.or(self.fleet.unit(unit).heartbeat).unwrap_or(self.settings.heartbeat)
    }

    /// A sign of life at `at`.
    pub(super) fn heard(&mut self, at: Timestamp, unit: UnitIx, kind: Kind) {
        let presence_rule = self.presence_leaf(unit);
        let state = &mut self.units[unit.index()];
        let before = std::mem::replace(&mut state.presence, Presence::Present);
        let last = state.last_heard.replace(at);
        if kind != Kind::Heartbeat && self.rules.silences().len() > 1 {
            let last_of_kind = &mut state.seldom_mut().last_of_kind;
            match last_of_kind.iter_mut().find(|(k, _)| *k == kind) {
                Some((_, last)) => *last = at,
                None => last_of_kind.push((kind, at)),
            }
        }
        if state.first_heard.is_none() {
            state.first_heard = Some(at);
            self.count_heard(unit);
            self.arm_overdue_rules(at, unit);
        }
        match before {
            Presence::Present => {}
            Presence::Never => self.judge_readiness(at, unit, Some(Reason::FirstHeard)),
            Presence::Silent | Presence::Unknown => {
                let silence = at.since(last.expect("a unit that was heard before has a last time"));
                let reason = Reason::HeardAgain { silence };
                if presence_rule == NO_RULE {
                    self.judge_readiness(at, unit, Some(reason));
                } else {
                    self.take_verdict(at, unit, presence_rule, Verdict::Gone, reason.clone());
                    self.judge_readiness(at, unit, Some(reason));
                }
                self.judge_all_growing(at, unit);
            }
        }
        self.arm_silences(unit, presence_rule, kind);
    }

    /// We could not hear for a time since the unit was last heard.
    pub(super) fn was_deaf_since_heard(&self, unit: UnitIx) -> bool {
        match self.hearing {
            HearingState::Up { since: Some(since) } => {
                self.units[unit.index()].last_heard.is_some_and(|last| last < since)
            }
            HearingState::Up { since: None } | HearingState::Down { .. } => false,
        }
    }

    fn presence_leaf(&self, unit: UnitIx) -> Leaf {
        self.rules.presence_rule(unit).map_or(NO_RULE, |rule| Leaf { rule, n: 0 })
    }

    fn arm_silences(&mut self, unit: UnitIx, presence_rule: Leaf, kind: Kind) {
        if self.units[unit.index()].armed.is_none() {
            self.arm_silence(unit, presence_rule);
        }
        if self.rules.silences().len() <= 1 {
            return;
        }
        let rules = self.rules.clone();
        for leaf in rules.silences().iter().copied().filter(|l| *l != presence_rule) {
            let watched = match rules.sign(leaf, unit) {
                Some(Condition::Silent { kind: k, .. }) => *k == Kind::Heartbeat || *k == kind,
                Some(_) | None => false,
            };
            if !watched {
                continue;
            }
            if self.units[unit.index()].knows(leaf) {
                let at = self.units[unit.index()].last_heard.expect("just heard");
                self.take_verdict(at, unit, leaf, Verdict::Gone, Reason::HeardAgain { silence: Duration::ZERO });
            }
            if self.armed(unit, leaf).is_none() {
                self.arm_silence(unit, leaf);
            }
        }
    }

    fn armed(&self, unit: UnitIx, leaf: Leaf) -> Option<Timestamp> {
        let state = &self.units[unit.index()];
        if leaf == self.presence_leaf(unit) {
            return state.armed;
        }
        state.seldom().armed.iter().find(|(l, _)| *l == leaf).map(|(_, at)| *at)
    }

    fn set_armed(&mut self, unit: UnitIx, leaf: Leaf, at: Option<Timestamp>) {
        let is_presence = leaf == self.presence_leaf(unit);
        let state = self.state(unit);
        if is_presence {
            state.armed = at;
            return;
        }
        let armed = &mut state.seldom_mut().armed;
        armed.retain(|(l, _)| *l != leaf);
        armed.extend(at.map(|at| (leaf, at)));
    }

    fn arm_silence(&mut self, unit: UnitIx, leaf: Leaf) {
        if let Some(deadline) = self.silence_deadline(unit, leaf) {
            self.set_armed(unit, leaf, Some(deadline));
            self.timers.arm(deadline, Timer::Silence(unit, leaf));
        }
    }

    /// The unit said another interval: its deadline may be earlier than the one in the queue.
    pub(super) fn interval_changed(&mut self, unit: UnitIx) {
        let presence = self.presence_leaf(unit);
        let state = &mut self.units[unit.index()];
        // Taken whole: other rules may have made another leaf the presence rule's since.
        let others = state.seldom.as_mut().map(|seldom| std::mem::take(&mut seldom.armed)).unwrap_or_default();
        if state.armed.take().is_some() {
            self.arm_silence(unit, presence);
        }
        for (leaf, _) in others.into_iter().filter(|(leaf, _)| *leaf != presence) {
            self.arm_silence(unit, leaf);
        }
    }

    /// None: nothing of this kind was ever heard.
    fn silence_deadline(&self, unit: UnitIx, leaf: Leaf) -> Option<Timestamp> {
        let state = &self.units[unit.index()];
        let condition = if leaf == NO_RULE { None } else { self.rules.sign(leaf, unit) };
        let heartbeat = self.heartbeat_interval(unit);
        let (last, interval) = match condition {
            Some(Condition::Silent { kind: Kind::Heartbeat, .. }) | None => (state.last_heard?, heartbeat),
            Some(Condition::Silent { kind, .. }) => {
                let last = state.seldom().last_of_kind.iter().find(|(k, _)| k == kind)?.1;
                (last, if *kind == Kind::Selftest { SELFTEST_INTERVAL } else { heartbeat })
            }
            Some(_) => return None,
        };
        let (HearingState::Up { since: heard_from } | HearingState::Down { heard_from, .. }) = self.hearing;
        let base = heard_from.map_or(last, |since| last.max(since));
        Some(base + silence_span(condition, interval))
    }

    /// When the unit counts as silent if nothing more is heard.
    pub(super) fn silent_at(&self, unit: UnitIx) -> Option<Timestamp> {
        self.silence_deadline(unit, self.presence_leaf(unit))
    }

    pub(super) fn silence_due(&mut self, at: Timestamp, unit: UnitIx, leaf: Leaf) {
        if self.armed(unit, leaf) != Some(at) {
            return;
        }
        let deadline = self.silence_deadline(unit, leaf);
        if let Some(deadline) = deadline
            && deadline > at
        {
            self.set_armed(unit, leaf, Some(deadline));
            self.timers.arm(deadline, Timer::Silence(unit, leaf));
            return;
        }
        self.set_armed(unit, leaf, None);
        let is_presence = leaf == self.presence_leaf(unit);
        if let HearingState::Down { since, .. } = self.hearing {
            if is_presence && self.units[unit.index()].presence == Presence::Present {
                self.state(unit).presence = Presence::Unknown;
                self.feeder_changed(at, unit);
                self.judge_readiness(at, unit, Some(Reason::Deaf { since }));
            }
            return;
        }
        let last = self.units[unit.index()].last_heard.expect("a deadline follows from having been heard");
        let kind = match self.rules.sign(leaf, unit) {
            Some(Condition::Silent { kind, .. }) => *kind,
            Some(_) | None => Kind::Heartbeat,
        };
        let reason = Reason::NothingFor { kind, last, silence: at.since(last) };
        if is_presence {
            self.state(unit).presence = Presence::Silent;
            self.feeder_changed(at, unit);
            self.silent_on_battery(at, unit);
        }
        if leaf != NO_RULE {
            self.take_verdict(at, unit, leaf, Verdict::Holds, reason.clone());
        }
        if is_presence {
            self.judge_readiness(at, unit, Some(reason));
        }
    }

    pub(super) fn lose_hearing(&mut self, at: Timestamp) {
        if let HearingState::Up { since: heard_from } = self.hearing {
            self.hearing = HearingState::Down { since: at, heard_from };
        }
    }

    pub(super) fn regain_hearing(&mut self, at: Timestamp) {
        let was_down = match self.hearing {
            // Said twice: we were never deaf in between.
            HearingState::Up { since: Some(_) } => return,
            HearingState::Up { since: None } => false,
            HearingState::Down { .. } => true,
        };
        self.hearing = HearingState::Up { since: Some(at) };
        if !was_down {
            return;
        }
        for i in 0..self.units.len() {
            let unit = UnitIx(i as u32);
            match self.units[i].presence {
                Presence::Unknown => {
                    let leaf = self.presence_leaf(unit);
                    if self.units[i].armed.is_none() {
                        self.arm_silence(unit, leaf);
                    }
                    let last = self.units[i].last_heard.expect("unknown units were heard before");
                    self.note_readiness_reason(unit, Reason::DeafAndNotHeardSince { last });
                }
                Presence::Never | Presence::Present | Presence::Silent => {}
            }
            self.resume_after_deafness(at, unit);
        }
        self.resume_incident_orders(at);
    }
}
