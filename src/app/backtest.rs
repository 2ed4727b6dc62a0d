//! `rules backtest`: one recording under two rule sets, and what would have been different, in work orders. Owns how an
//! order of the one run is matched with its counterpart of the other. Never reads a clock or a file.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};

use crate::domain::{
    AlertState, Component, Effect, EffectKind, Fleet, GroupKind, GroupName, Order, OrderId, OrderState, RuleSet,
    Settings, Subject, Timestamp, UnitId,
};
use crate::engine::Engine;
use crate::render::backtest::{Backtest, Difference, Said, What};
use crate::wire::decode::Decoder;
use crate::wire::recording::{ReadError, Reader};

use super::replay::{Passed, judge_line};

/// What a run's orders came to.
#[derive(Debug, Default)]
struct Run {
    orders: BTreeMap<OrderId, Kept>,
    /// That fired, held back ones too.
    alerts: u64,
    mails: u64,
}

/// One order over its whole life.
#[derive(Debug)]
struct Kept {
    newest: Order,
    opened_because: String,
    /// None: open to the end of the recording.
    ended: Option<Timestamp>,
}

/// What is the same fault in both runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Unit(UnitId),
    Incident(GroupKind, GroupName),
}

/// Both rule sets hear the same lines, side by side: the recording is read once and never held. `progress` gets the
/// number of lines so far, now and then. Err: the first line that is no recording.
pub fn backtest(
    fleet: &Fleet,
    settings: &Settings,
    decoder: &Decoder,
    recording: impl Read,
    (now, other): (RuleSet, RuleSet),
    until: Option<Timestamp>,
    mut progress: impl FnMut(u64, Timestamp),
) -> Result<(Backtest, Passed), ReadError> {
    /// Often enough for a moving line, seldom enough to cost nothing.
    const TELL_EVERY: u64 = 20_000;
    let mut engines = [now, other].map(|rules| Engine::new(rules, fleet.clone(), settings.clone()));
    let mut runs = [Run::default(), Run::default()];
    let (mut passed, mut passed_again) = (Passed::default(), Passed::default());
    let (mut first, mut last) = (None, None);
    for line in Reader::new(BufReader::new(recording)) {
        let line = line?;
        if until.is_some_and(|until| line.at > until) {
            passed.later += 1;
            continue;
        }
        first.get_or_insert(line.at);
        last = last.max(Some(line.at));
        if passed.lines % TELL_EVERY == 0 {
            progress(passed.lines, line.at);
        }
        let again = line.clone();
        runs[0].take(judge_line(&mut engines[0], decoder, line, &mut passed));
        runs[1].take(judge_line(&mut engines[1], decoder, again, &mut passed_again));
    }
    if let Some(until) = until {
        last = last.max(Some(until));
        for (run, engine) in runs.iter_mut().zip(&mut engines) {
            run.take(engine.advance(until));
        }
    }
    let [a, b] = runs;
    let end = last.unwrap_or_default();
    let mut differences = compare(&a, &b, end);
    differences.sort_by(|x, y| (x.at, &x.unit, &x.incident).cmp(&(y.at, &y.unit, &y.incident)));
    let count = |what: What| differences.iter().filter(|d| d.what == what).count();
    let summary = Backtest {
        from: first,
        to: last,
        lines: passed.lines,
        orders_now: a.orders.len(),
        orders_then: b.orders.len(),
        alerts_now: a.alerts,
        alerts_then: b.alerts,
        mails_now: a.mails,
        mails_then: b.mails,
        more: count(What::More),
        fewer: count(What::Fewer),
        earlier: count(What::Earlier),
        later: count(What::Later),
        changed: count(What::Changed),
        differences,
    };
    Ok((summary, passed))
}

impl Run {
    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect.kind {
                EffectKind::Order(order) => self.take_order(effect.at, *order),
                EffectKind::OrderUpdated(order) => {
                    if let Some(kept) = self.orders.get_mut(&order.id) {
                        kept.newest = *order;
                    }
                }
                EffectKind::Alert { state: AlertState::Firing | AlertState::Inhibited, .. } => self.alerts += 1,
                EffectKind::Mail(_) => self.mails += 1,
                EffectKind::Alert { state: AlertState::Pending | AlertState::Resolved, .. }
                | EffectKind::Readiness { .. }
                | EffectKind::Incident { .. }
                | EffectKind::Command { .. }
                | EffectKind::Reading { .. }
                | EffectKind::Refused { .. } => {}
            }
        }
    }

    fn take_order(&mut self, at: Timestamp, order: Order) {
        let ended = (!order.state.is_open()).then_some(at);
        match self.orders.get_mut(&order.id) {
            Some(kept) => {
                kept.newest = order;
                kept.ended = ended;
            }
            None => {
                let opened = order.history.iter().find(|c| c.state == OrderState::Opened);
                let opened_because = opened.map(|c| c.why.to_string()).unwrap_or_default();
                self.orders.insert(order.id, Kept { newest: order, opened_because, ended });
            }
        }
    }
}

impl Kept {
    fn fault(&self) -> Fault {
        match &self.newest.subject {
            Subject::Unit { unit, .. } => Fault::Unit(unit.clone()),
            Subject::Incident { kind, name } => Fault::Incident(*kind, name.clone()),
        }
    }
    fn component(&self) -> Option<Component> {
        match &self.newest.subject {
            Subject::Unit { component, .. } => Some(*component),
            Subject::Incident { .. } => None,
        }
    }
    /// How long both stood together, in milliseconds. None: never.
    fn overlap(&self, other: &Kept, end: Timestamp) -> Option<u64> {
        let from = self.newest.opened_at.max(other.newest.opened_at);
        let to = self.ended.unwrap_or(end).min(other.ended.unwrap_or(end));
        (from <= to).then(|| to.since(from).as_millis() as u64)
    }
    fn said(&self) -> Said {
        Said {
            order: self.newest.id,
            component: self.component(),
            priority: self.newest.priority,
            opened_at: self.newest.opened_at,
            rules: self.newest.rules.clone(),
            reason: self.opened_because.clone(),
        }
    }
}

/// The same fault on the same component first, the longest overlap first; then what is left of a fault, whatever the
/// component: that order has changed its component.
fn compare(now: &Run, then: &Run, end: Timestamp) -> Vec<Difference> {
    let mut left: BTreeMap<Fault, (Vec<&Kept>, Vec<&Kept>)> = BTreeMap::new();
    now.orders.values().for_each(|k| left.entry(k.fault()).or_default().0.push(k));
    then.orders.values().for_each(|k| left.entry(k.fault()).or_default().1.push(k));
    let mut found = Vec::new();
    for (fault, (mut a, mut b)) in left {
        let mut pairs = pair(&mut a, &mut b, end, |x, y| x.component() == y.component());
        pairs.extend(pair(&mut a, &mut b, end, |_, _| true));
        found.extend(pairs.into_iter().filter_map(|(x, y)| differ(&fault, x, y)));
        found.extend(a.into_iter().map(|x| difference(&fault, What::Fewer, Some(x), None)));
        found.extend(b.into_iter().map(|y| difference(&fault, What::More, None, Some(y))));
    }
    found
}

fn pair<'k>(
    a: &mut Vec<&'k Kept>,
    b: &mut Vec<&'k Kept>,
    end: Timestamp,
    fits: impl Fn(&Kept, &Kept) -> bool,
) -> Vec<(&'k Kept, &'k Kept)> {
    let mut pairs = Vec::new();
    loop {
        let candidates = a.iter().enumerate().flat_map(|(i, x)| b.iter().enumerate().map(move |(j, y)| (i, j, *x, *y)));
        let best = candidates
            .filter(|(_, _, x, y)| fits(x, y))
            .filter_map(|(i, j, x, y)| Some((x.overlap(y, end)?, std::cmp::Reverse((i, j)))))
            .max();
        let Some((_, std::cmp::Reverse((i, j)))) = best else { return pairs };
        pairs.push((a.remove(i), b.remove(j)));
    }
}

/// None: the same order at the same time.
fn differ(fault: &Fault, now: &Kept, then: &Kept) -> Option<Difference> {
    let same = now.component() == then.component() && now.newest.priority == then.newest.priority;
    let (before, after) = (now.newest.opened_at, then.newest.opened_at);
    let what = match (same, after.cmp(&before)) {
        (true, std::cmp::Ordering::Equal) => return None,
        (true, std::cmp::Ordering::Less) => What::Earlier,
        (true, std::cmp::Ordering::Greater) => What::Later,
        (false, _) => What::Changed,
    };
    Some(difference(fault, what, Some(now), Some(then)))
}

fn difference(fault: &Fault, what: What, now: Option<&Kept>, then: Option<&Kept>) -> Difference {
    let opened = |k: Option<&Kept>| k.map(|k| k.newest.opened_at);
    let (unit, incident) = match fault {
        Fault::Unit(unit) => (Some(unit.clone()), None),
        Fault::Incident(kind, name) => (None, Some(format!("{kind} {name}"))),
    };
    let shift_ms = match (opened(now), opened(then)) {
        (Some(a), Some(b)) => b.as_millis() - a.as_millis(),
        (_, _) => 0,
    };
    Difference {
        at: opened(then).or(opened(now)).expect("a difference has an order on one side at least"),
        what,
        unit,
        incident,
        shift_ms,
        now: now.map(Kept::said),
        then: then.map(Kept::said),
    }
}
