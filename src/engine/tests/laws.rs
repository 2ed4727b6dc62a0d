//! The four laws and the engine's invariants, over random scripts.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::rig::*;
use crate::domain::event::{Action, Event, Hearing, MaintenanceScope};
use crate::domain::message::{Body, Heartbeat, Message, Outcome, Power, Selftest, TestResult};
use crate::domain::*;
use crate::engine::Engine;

#[derive(Debug, Clone)]
enum Act {
    Beat(usize),
    Battery(usize, f64),
    Test(usize, Outcome),
    Boot(usize),
    Late(usize),
    Again(usize),
    Hearing(Hearing),
    Set(u32, OrderMove),
    Maintain(usize, i64),
}

fn act() -> impl Strategy<Value = Act> {
    let unit = 0usize..12;
    prop_oneof![
        20 => unit.clone().prop_map(Act::Beat),
        6 => (unit.clone(), 10.5f64..13.8).prop_map(|(u, v)| Act::Battery(u, v)),
        6 => (unit.clone(), prop_oneof![Just(Outcome::Pass), Just(Outcome::Fail), Just(Outcome::Inconclusive)])
            .prop_map(|(u, o)| Act::Test(u, o)),
        2 => unit.clone().prop_map(Act::Boot),
        2 => unit.clone().prop_map(Act::Late),
        2 => unit.clone().prop_map(Act::Again),
        2 => prop_oneof![Just(Hearing::Down), Just(Hearing::Up), Just(Hearing::Up)].prop_map(Act::Hearing),
        3 => (1u32..6, prop_oneof![
            Just(OrderMove::Acknowledged), Just(OrderMove::EnRoute), Just(OrderMove::Repaired), Just(OrderMove::Cancelled),
        ]).prop_map(|(o, m)| Act::Set(o, m)),
        1 => (unit, 60i64..4000).prop_map(|(u, s)| Act::Maintain(u, s)),
    ]
}

fn script() -> impl Strategy<Value = Vec<(i64, Act)>> {
    // Steps from nothing to hours, so that whole groups fall silent and recover.
    let step = prop_oneof![4 => 0i64..20, 3 => 20i64..200, 1 => 200i64..8000];
    proptest::collection::vec((step, act()), 1..250)
}

fn events(script: &[(i64, Act)], fleet: &Fleet) -> Vec<(i64, Event)> {
    let mut now = 0;
    let mut seq = 0u64;
    let mut boots: BTreeMap<usize, u32> = BTreeMap::new();
    let mut out = Vec::new();
    for (step, act) in script {
        now += step;
        let mut message = |n: usize, ts: i64, body: Body, same: bool| {
            if !same {
                seq += 1;
            }
            let unit = fleet.find(ALL[n]).expect("known");
            let boot = Some(*boots.get(&n).unwrap_or(&1));
            let message = Message { ts: Some(t(ts)), boot, seq: Some(seq), body, extra: vec![] };
            Event::Message { unit, message, retained: false }
        };
        let beat = || Body::Heartbeat(Heartbeat::default());
        let event = match act {
            Act::Beat(n) => message(*n, now, beat(), false),
            Act::Late(n) => message(*n, now - 4000, beat(), false),
            Act::Again(n) => message(*n, now, beat(), true),
            Act::Battery(n, v) => {
                message(*n, now, Body::Power(Power { battery_v: Some(*v), ..Power::default() }), false)
            }
            Act::Test(n, result) => {
                let result = TestResult {
                    component: Component::Camera,
                    result: *result,
                    code: None,
                    mode: None,
                    figures: vec![],
                };
                message(*n, now, Body::Selftest(Selftest { id: None, trigger: None, results: vec![result] }), false)
            }
            Act::Boot(n) => {
                *boots.entry(*n).or_insert(1) += 1;
                continue;
            }
            Act::Hearing(h) => Event::Hearing(*h),
            Act::Set(order, to) => Event::Do {
                action: Action::SetOrder { order: OrderId::new(*order), to: *to, note: String::new() },
                by: "crew".into(),
            },
            Act::Maintain(n, s) => Event::Do {
                action: Action::Maintenance {
                    scope: MaintenanceScope::Unit(UnitId::parse(ALL[*n]).expect("valid")),
                    until: t(now + s),
                },
                by: "operator".into(),
            },
        };
        out.push((now, event));
    }
    out
}

fn engine() -> Engine {
    Engine::new(rules(), fleet(), settings())
}

fn run(script: &[(i64, Act)], wake_every: Option<i64>) -> Vec<Effect> {
    let mut e = engine();
    let mut out = Vec::new();
    let mut last = 0;
    for (at, event) in events(script, &fleet()) {
        if let Some(every) = wake_every {
            let mut wake = last + every;
            while wake < at {
                out.extend(e.advance(t(wake)));
                wake += every;
            }
        }
        out.extend(e.handle(t(at), event));
        last = at;
    }
    out.extend(e.advance(t(last + 20_000)));
    out
}

fn first_difference(a: &[Effect], b: &[Effect]) -> String {
    let i = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    format!("effect {i} of {} and {}: {:?}\n{:?}", a.len(), b.len(), a.get(i), b.get(i))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_same_input_gives_the_same_output_at_any_wake_up_rate(script in script(), every in 1i64..700) {
        let (calm, busy) = (run(&script, None), run(&script, Some(every)));
        prop_assert!(calm == busy, "{}", first_difference(&calm, &busy));
    }

    #[test]
    fn a_restored_engine_decides_like_one_that_never_stopped(script in script(), cut in 0usize..250) {
        let whole = run(&script, None);
        let mut e = engine();
        let mut out = Vec::new();
        let mut last = 0;
        for (i, (at, event)) in events(&script, &fleet()).into_iter().enumerate() {
            if i == cut {
                let saved = e.save();
                e = Engine::restore(rules(), fleet(), settings(), &saved).expect("its own writing");
                prop_assert!(e.save() == saved, "what was restored is written differently");
            }
            out.extend(e.handle(t(at), event));
            last = at;
        }
        out.extend(e.advance(t(last + 20_000)));
        prop_assert!(whole == out, "{}", first_difference(&whole, &out));
    }

    #[test]
    fn checkpoints_of_what_changed_add_up_to_the_whole(script in script(), every in 1usize..20) {
        let mut e = engine();
        let mut kept = crate::engine::Saved::default();
        let mut units = BTreeMap::new();
        for (i, (at, event)) in events(&script, &fleet()).into_iter().enumerate() {
            let _ = e.handle(t(at), event);
            if i % every == 0 {
                let saved = e.save_dirty();
                kept.global = saved.global;
                units.extend(saved.units);
            }
        }
        let saved = e.save_dirty();
        kept.global = saved.global;
        units.extend(saved.units);
        let all = e.save();
        prop_assert_eq!(&kept.global, &all.global);
        for (unit, text) in &all.units {
            if let Some(seen) = units.get(unit) {
                prop_assert_eq!(seen, text);
            }
        }
    }

    #[test]
    fn effects_come_in_time_order_and_every_one_has_a_reason(script in script()) {
        let effects = run(&script, None);
        let mut last = Timestamp::MIN;
        for e in &effects {
            prop_assert!(e.at >= last, "{:?}", e);
            last = e.at;
            let reason = match &e.kind {
                EffectKind::Readiness { reason, .. }
                | EffectKind::Alert { reason, .. }
                | EffectKind::Incident { reason, .. } => reason.to_string(),
                EffectKind::Order(o) => o.history.last().map(|c| c.why.to_string()).unwrap_or_default(),
                EffectKind::Mail(n) => n.reason.clone(),
                EffectKind::Refused { why, .. } => why.clone(),
                EffectKind::OrderUpdated(_) | EffectKind::Command { .. } | EffectKind::Reading { .. } => continue,
            };
            prop_assert!(!reason.is_empty(), "{:?}", e);
        }
    }

    #[test]
    fn one_open_alert_per_rule_one_open_order_per_case_and_no_mail_without_either(script in script()) {
        let mut alerts: BTreeSet<(UnitId, RuleId)> = BTreeSet::new();
        let mut open: BTreeMap<Subject, OrderId> = BTreeMap::new();
        let mut mailed: BTreeMap<OrderId, usize> = BTreeMap::new();
        let mut readiness: BTreeMap<UnitId, Readiness> = BTreeMap::new();
        let mut message_ids = BTreeSet::new();
        for e in run(&script, None) {
            match e.kind {
                EffectKind::Alert { unit, rule, state, .. } => match state {
                    AlertState::Resolved => prop_assert!(alerts.remove(&(unit, rule)), "resolved but never begun"),
                    AlertState::Pending => prop_assert!(alerts.insert((unit, rule)), "begun twice"),
                    AlertState::Firing | AlertState::Inhibited => { alerts.insert((unit, rule)); }
                },
                EffectKind::Order(o) => {
                    if o.state.is_open() {
                        let other = open.insert(o.subject.clone(), o.id);
                        prop_assert!(other.is_none() || other == Some(o.id), "two open orders on one case");
                    } else {
                        prop_assert_eq!(open.remove(&o.subject), Some(o.id));
                    }
                }
                EffectKind::Mail(n) => {
                    prop_assert!(message_ids.insert(n.message_id.clone()), "one id, two mails");
                    prop_assert!(n.incident.is_some() || !n.orders.is_empty());
                    for o in &n.orders {
                        let count = mailed.entry(o.id).or_default();
                        prop_assert_eq!(*count == 0, n.in_reply_to.is_none());
                        *count += 1;
                    }
                }
                EffectKind::Readiness { unit, from, to, .. } => {
                    let before = readiness.insert(unit, to).unwrap_or(Readiness::Unproven);
                    prop_assert_eq!(before, from);
                    prop_assert_ne!(from, to);
                }
                EffectKind::Incident { .. } | EffectKind::OrderUpdated(_) | EffectKind::Command { .. }
                | EffectKind::Reading { .. } | EffectKind::Refused { .. } => {}
            }
        }
    }
}
