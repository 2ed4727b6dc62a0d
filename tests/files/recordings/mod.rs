//! The table as recordings: each is replayed through the real code path with the default `alerts.toml`, held to its
//! golden timeline, and, apart from that, to what its row expects.
//!
//! `UPDATE_RECORDINGS=1 cargo test --test files recordings` writes `fixtures/recordings/*.jsonl` anew, `UPDATE_GOLDEN=1` their
//! `.timeline`. What a row expects stands in `rows.rs` and is checked either way.

mod rows;
mod tape;

use std::collections::BTreeMap;
use std::path::PathBuf;

use buttonwatch::app::replay::replay;
use buttonwatch::config::{check_fleet, default_rules};
use buttonwatch::domain::{
    AlertState, Effect, EffectKind, Fleet, IncidentState, Order, OrderId, OrderState, Readiness, Reason, Settings,
    Subject, Timestamp,
};
use buttonwatch::engine::Engine;
use buttonwatch::render::timeline::write_effect;
use buttonwatch::wire::decode::Decoder;
use buttonwatch::wire::signature::Signing;

use rows::{On, Row, Wanted};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/recordings")
}

fn asked(name: &str) -> bool {
    std::env::var_os(name).is_some()
}

fn judged(fleet: &Fleet, recording: &[u8], until: Timestamp) -> Vec<Effect> {
    let mut engine = Engine::new(default_rules(), fleet.clone(), Settings::default());
    let decoder = Decoder::new("buttonwatch/v1", Signing::Off);
    let mut effects = Vec::new();
    let passed = replay(&mut engine, &decoder, recording, Some(until), None, |e| effects.extend_from_slice(e))
        .expect("the tape writes recordings");
    assert_eq!((passed.refused, passed.unknown_units), (0, 0), "{passed:?}");
    effects
}

fn ms(at: Timestamp) -> i64 {
    at.as_millis() - tape::start().as_millis()
}

/// The orders with all their states, in the order in which they were opened.
fn orders(effects: &[Effect]) -> Vec<(i64, Order, Vec<OrderState>)> {
    let mut found: BTreeMap<OrderId, (i64, Order, Vec<OrderState>)> = BTreeMap::new();
    for effect in effects {
        match &effect.kind {
            EffectKind::Order(order) => {
                let row = found.entry(order.id).or_insert_with(|| (ms(effect.at), (**order).clone(), Vec::new()));
                row.1 = (**order).clone();
                row.2.push(order.state);
            }
            EffectKind::OrderUpdated(order) => {
                if let Some(row) = found.get_mut(&order.id) {
                    row.1 = (**order).clone();
                }
            }
            EffectKind::Readiness { .. }
            | EffectKind::Alert { .. }
            | EffectKind::Incident { .. }
            | EffectKind::Mail(_)
            | EffectKind::Command { .. }
            | EffectKind::Reading { .. }
            | EffectKind::Refused { .. } => {}
        }
    }
    found.into_values().collect()
}

fn said(at: i64) -> String {
    (tape::start() + std::time::Duration::from_millis(at.max(0) as u64)).to_string()
}

fn tell((at, order, states): &(i64, Order, Vec<OrderState>)) -> String {
    let states: Vec<&str> = states.iter().map(|s| s.as_str()).collect();
    format!(
        "{} {:?} at {}: {} ({}) {:?}",
        order.id,
        order.subject,
        said(*at),
        order.summary,
        states.join(" → "),
        order.evidence.iter().map(ToString::to_string).collect::<Vec<_>>()
    )
}

fn fits(wanted: &Wanted, (at, order, states): &(i64, Order, Vec<OrderState>)) -> bool {
    let on = match (&wanted.on, &order.subject) {
        (On::Unit(name), Subject::Unit { unit, component }) => {
            unit.as_str() == *name && wanted.components.contains(component)
        }
        (On::OneOf(names), Subject::Unit { unit, component }) => {
            names.contains(&unit.as_str()) && wanted.components.contains(component)
        }
        (On::Circuit(kind, name), Subject::Incident { kind: k, name: n }) => k == kind && n.as_str() == *name,
        (On::Unit(_) | On::OneOf(_), Subject::Incident { .. }) | (On::Circuit(..), Subject::Unit { .. }) => false,
    };
    on && (wanted.between.0..=wanted.between.1).contains(at)
        && (!wanted.flapping || order.flapping)
        && (wanted.states.is_empty() || wanted.states == states.as_slice())
}

/// A date must be given before the fault itself is seen, and the truth lie between its two dates, or a day beside them.
fn not_foreseen(unit: &str, truth: Option<i64>, effects: &[Effect]) -> Option<String> {
    const DAY: i64 = 86_400_000;
    fn dates(reason: &Reason) -> Option<(i64, i64)> {
        match reason {
            Reason::Foreseen { earliest, latest, .. } => Some((ms(*earliest), ms(*latest))),
            Reason::Together { reasons } => reasons.iter().find_map(dates),
            Reason::HeldFor { what, .. } => dates(what),
            _ => None,
        }
    }
    let mut firing = effects.iter().filter_map(|e| match &e.kind {
        EffectKind::Alert { unit: u, state: AlertState::Firing, reason, .. } if u.as_str() == unit => Some(reason),
        _ => None,
    });
    let Some(first) = firing.next() else { return Some(format!("nothing is foreseen of {unit}")) };
    match (dates(first), truth) {
        (None, _) => Some(format!("{unit}: the first that is said is no forecast: {first}")),
        (Some((earliest, latest)), Some(truth)) if !(earliest - DAY..=latest + DAY).contains(&truth) => {
            Some(format!("{unit}: foreseen for {} to {}, and it was {}", said(earliest), said(latest), said(truth)))
        }
        (Some(_), _) => None,
    }
}

/// What is wrong with the judgement; empty: nothing.
fn complaints(row: &Row, effects: &[Effect]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut found = orders(effects);
    for wanted in &row.orders {
        match found.iter().position(|o| fits(wanted, o)) {
            Some(n) => drop(found.remove(n)),
            None => wrong.push(format!(
                "no order as wanted: on {:?} for {:?}, opened {} to {}{}{}",
                wanted.on,
                wanted.components,
                said(wanted.between.0),
                if wanted.between.1 == i64::MAX { "the end".to_owned() } else { said(wanted.between.1) },
                if wanted.flapping { ", marked flapping" } else { "" },
                if wanted.states.is_empty() { String::new() } else { format!(", {:?}", wanted.states) },
            )),
        }
    }
    if row.operator_may_be_told
        && let Some(n) = found.iter().position(|(_, o, _)| matches!(o.subject, Subject::Incident { .. }))
    {
        found.remove(n);
    }
    wrong.extend(found.iter().map(|o| format!("an order too many: {}", tell(o))));

    wrong.extend(row.foreseen.and_then(|(unit, truth)| not_foreseen(unit, truth, effects)));
    let mut incidents = Vec::new();
    let mut silent_at = None;
    let mut alerts = Vec::new();
    let mut readiness: BTreeMap<String, Vec<(i64, Readiness)>> = BTreeMap::new();
    for effect in effects {
        let at = ms(effect.at);
        match &effect.kind {
            EffectKind::Incident { kind, name, state: IncidentState::Open, .. } => {
                incidents.push((*kind, name.clone()))
            }
            EffectKind::Alert { unit, component, state: AlertState::Firing, .. } => {
                alerts.push((unit.as_str().to_owned(), *component));
            }
            EffectKind::Readiness { unit, to, .. } => {
                if row.before_silence == Some(unit.as_str()) && *to == Readiness::Silent {
                    silent_at.get_or_insert(at);
                }
                readiness.entry(unit.as_str().to_owned()).or_default().push((at, *to));
            }
            EffectKind::Incident { .. }
            | EffectKind::Alert { .. }
            | EffectKind::Order(_)
            | EffectKind::OrderUpdated(_)
            | EffectKind::Mail(_)
            | EffectKind::Command { .. }
            | EffectKind::Reading { .. }
            | EffectKind::Refused { .. } => {}
        }
    }
    if incidents.len() > row.incidents {
        wrong.push(format!("{} incidents, at most {}: {incidents:?}", incidents.len(), row.incidents));
    }
    if let Some(kind) = row.incident
        && !incidents.iter().any(|(k, _)| *k == kind)
    {
        wrong.push(format!("no {kind} incident"));
    }
    if let Some((unit, component)) = row.alert
        && !alerts.contains(&(unit.to_owned(), component))
    {
        wrong.push(format!("no alert on {unit} for {component}"));
    }
    if let (Some(unit), Some(silent)) = (row.before_silence, silent_at) {
        let first = orders(effects).first().map(|(at, _, _)| *at);
        if first.is_none_or(|first| first >= silent) {
            wrong.push(format!("{unit} died at {} before anyone was sent", said(silent)));
        }
    }
    for (at, unit, wanted) in &row.readiness {
        let mut stood = readiness.get(*unit).into_iter().flatten().filter(|(t, _)| t <= at).map(|(_, r)| *r);
        let stands = stood.next_back();
        if stands != Some(*wanted) {
            wrong.push(format!("{unit} stands {stands:?} at {}, not {wanted}", said(*at)));
        }
    }
    wrong
}

#[test]
fn every_row_of_the_table_is_judged_as_it_says() {
    let only = std::env::var("ROW").ok();
    let mut wrong = Vec::new();
    for row in rows::all() {
        if only.as_ref().is_some_and(|only| !row.name.contains(only.as_str())) {
            continue;
        }
        let (csv, fleet_file) = (row.tape.fleet_csv(), row.tape.fleet_file());
        let path = folder().join(format!("{}.jsonl", row.name));
        if asked("UPDATE_RECORDINGS") {
            std::fs::write(folder().join(&fleet_file), &csv).expect("the folder is writable");
            std::fs::write(&path, row.tape.record()).expect("the folder is writable");
        }
        let fleet = Fleet::new(check_fleet(&fleet_file, csv.as_bytes()).expect("the tape's fleets are clean"));
        let recording = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; UPDATE_RECORDINGS=1", path.display()));
        let until = tape::start() + std::time::Duration::from_millis(row.tape.length as u64);
        let effects = judged(&fleet, &recording, until);
        wrong.extend(complaints(&row, &effects).into_iter().map(|w| format!("{}: {w}", row.name)));

        let mut timeline = Vec::new();
        for effect in &effects {
            write_effect(effect, &mut timeline);
        }
        let golden = folder().join(format!("{}.timeline", row.name));
        if asked("UPDATE_GOLDEN") {
            std::fs::write(&golden, &timeline).expect("the folder is writable");
        } else {
            let stored = std::fs::read(&golden).unwrap_or_default();
            if let Some(line) = first_difference(&stored, &timeline) {
                wrong.push(format!("{}: not its golden timeline (UPDATE_GOLDEN=1 if it is meant): {line}", row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn first_difference(stored: &[u8], now: &[u8]) -> Option<String> {
    if stored == now {
        return None;
    }
    let (stored, now) = (String::from_utf8_lossy(stored), String::from_utf8_lossy(now));
    let (mut a, mut b) = (stored.lines(), now.lines());
    for n in 1.. {
        let (x, y) = (a.next(), b.next());
        if x != y {
            return Some(format!("line {n} was {} and is {}", x.unwrap_or("not there"), y.unwrap_or("not there")));
        }
        if x.is_none() {
            break;
        }
    }
    None
}
