//! The four laws and the engine's invariants, over random scripts.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::rig::*;
use crate::domain::event::{Action, Event, Hearing, MaintenanceScope};
use crate::domain::message::{Body, Heartbeat, Message, Outcome, Power, Selftest, TestResult};
use crate::domain::notice_plan::{Night, NoticePlan, NoticePlans, TimeOfDay};
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

/// A crew that sleeps at night, is told again soon, and gets few single mails: every way of telling is taken.
fn all_ways() -> Settings {
    let time = |text: &str| TimeOfDay::parse(text).expect("a time");
    let usual = NoticePlan {
        zone: chrono_tz::UTC,
        night: Some(Night { from: time("03:00"), until: time("09:00"), at_once: Priority::P1 }),
        digest_at: time("10:00"),
        repeat: Some(secs(5400)),
        fold_after: 2,
        ..NoticePlan::default()
    };
    Settings { notices: NoticePlans { usual, ..NoticePlans::default() }, ..settings() }
}

fn engine() -> Engine {
    Engine::new(rules(), fleet(), all_ways())
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
                e = Engine::restore(rules(), fleet(), all_ways(), &saved).expect("its own writing");
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
        let mut mailed: BTreeMap<(Recipient, OrderId), BTreeSet<MessageId>> = BTreeMap::new();
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
                    prop_assert!(n.incident.is_some() || !n.orders.is_empty() || !n.incidents.is_empty());
                    let answers: Vec<&MessageId> = n.in_reply_to.iter().chain(&n.references).collect();
                    for o in &n.orders {
                        let before = mailed.entry((n.to.clone(), o.id)).or_default();
                        let is_list = n.kind == NoticeKind::Digest;
                        let in_thread = before.is_empty() || answers.iter().any(|id| before.contains(*id));
                        prop_assert!(is_list || in_thread, "{:?} out of its thread", n);
                        let begins = n.kind == NoticeKind::OrderOpened;
                        prop_assert!(!begins || (before.is_empty() && answers.is_empty()), "{:?}", n);
                        before.insert(n.message_id.clone());
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

    #[test]
    fn every_open_order_is_told_and_whoever_was_told_hears_of_its_end(script in script()) {
        let mut e = engine();
        let mut effects = Vec::new();
        let mut last = 0;
        for (at, event) in events(&script, &fleet()) {
            effects.extend(e.handle(t(at), event));
            last = at;
        }
        effects.extend(e.advance(t(last + 2 * DAY)));
        let (mut orders, mut knows) = (BTreeMap::new(), BTreeMap::new());
        for effect in effects {
            match effect.kind {
                EffectKind::Order(o) | EffectKind::OrderUpdated(o) => { orders.insert(o.id, (effect.at, *o)); }
                EffectKind::Mail(n) => {
                    prop_assert!(!n.why.to_string().is_empty());
                    for o in n.orders {
                        prop_assert!(o.state.is_open() || knows.contains_key(&(n.to.clone(), o.id)), "an end of nothing");
                        knows.insert((n.to.clone(), o.id), o.state.is_open());
                    }
                }
                EffectKind::Readiness { .. } | EffectKind::Alert { .. } | EffectKind::Incident { .. }
                | EffectKind::Command { .. } | EffectKind::Reading { .. } | EffectKind::Refused { .. } => {}
            }
        }
        let long_ago = t(last + DAY);
        for (id, (at, order)) in &orders {
            let crew = Recipient::Crew(order.crew.clone());
            let waits_for_proof = matches!(order.state, OrderState::Repaired | OrderState::Verified);
            let told = knows.contains_key(&(crew, *id)) || !order.state.is_open() || waits_for_proof;
            prop_assert!(told || *at > long_ago, "{id} was never told");
        }
        for ((reader, id), thinks_open) in knows {
            let (at, order) = &orders[&id];
            prop_assert!(!thinks_open || order.state.is_open() || *at > long_ago, "{reader} was not told of the end of {id}");
        }
    }
}
