//! What is really broken: signs that together point at another part than the last of them does. A unit that dies with
//! an empty battery has no fault of the uplink. The rules for it are the `[[diagnosis]]` blocks of `alerts.toml`.
//! Never opens an order: `work_order` asks.

use crate::domain::order::Suspect;
use crate::domain::rule::{Diagnosis, KnownSign, Sign};
use crate::domain::{Component, Timestamp, UnitIx};

use super::Engine;
use super::compiled::RuleIx;

/// When a sign began, and when it was last seen.
#[derive(Debug, Clone, Copy)]
struct Span {
    began: Timestamp,
    last: Timestamp,
}

impl Engine {
    /// The first diagnosis whose last sign is this rule's alert, and whose others were seen before it, in order.
    pub(super) fn diagnose(&self, at: Timestamp, unit: UnitIx, rule: RuleIx) -> Option<&Diagnosis> {
        let id = &self.rules.rule(rule).id;
        self.rules.set.diagnoses.iter().find(|d| {
            d.seen.last().is_some_and(|last| matches!(last, Sign::Rule(r) if r == id))
                && self.is_seen(at, unit, d)
                && self.are_all_beyond(at, unit, &d.when)
        })
    }

    fn is_seen(&self, at: Timestamp, unit: UnitIx, diagnosis: &Diagnosis) -> bool {
        let spans: Option<Vec<Span>> = diagnosis.seen.iter().map(|sign| self.span(at, unit, sign)).collect();
        let Some(spans) = spans else { return false };
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return false };
        let in_order = spans.windows(2).all(|pair| pair[0].began <= pair[1].began);
        in_order && last.began.since(first.last) <= diagnosis.within
    }

    fn span(&self, at: Timestamp, unit: UnitIx, sign: &Sign) -> Option<Span> {
        let state = &self.units[unit.index()];
        match sign {
            Sign::Rule(id) => {
                let rule = self.rules.find(id)?;
                if let Some(alert) = state.alert(rule).filter(|a| a.is_active()) {
                    return Some(Span { began: alert.began, last: at });
                }
                let newest = state.seldom().firings.iter().rev().find(|(r, _)| *r == rule)?.1;
                Some(Span { began: newest, last: newest })
            }
            Sign::Known(KnownSign::OnBattery) => {
                let supply = state.supply.as_deref().filter(|s| s.on_battery() == Some(true))?;
                let last = state.last_heard?;
                Some(Span { began: supply.cut_began().unwrap_or(last), last })
            }
            Sign::Known(KnownSign::BatteryNearlyEmpty) => {
                let (last, died) = (state.last_heard?, self.died_by(unit)?);
                let empty = state.supply.as_deref().is_some_and(|s| s.is_nearly_empty(died));
                empty.then_some(Span { began: last, last: at })
            }
            Sign::Known(KnownSign::Boot) => state.seldom().last_boot.map(|boot| Span { began: boot, last: boot }),
        }
    }
}

/// The part that the order is on: the surest suspect, the first of equals.
pub(super) fn prime(suspects: &[Suspect]) -> Option<Component> {
    let surest = suspects.iter().map(|s| s.certainty).max()?;
    suspects.iter().find(|s| s.certainty == surest).map(|s| s.component)
}
