//! A small fleet and a small rule set, driven by seconds. What the engine decides becomes one line of text each.

use std::time::Duration;

use crate::domain::event::{Action, Event, Hearing};
use crate::domain::message::{
    Body, Heartbeat, Message, Outcome, Power, Press, PressKind, Selftest, TestResult, Trigger,
};
use crate::domain::rule::{
    Condition, CountedEvent, IncidentRule, MetricRef, OrderPlan, OverdueEvent, OverdueFrom, ReadinessEffect, Rule,
    RuleSet, Selection, Side,
};
use crate::domain::*;
use crate::engine::Engine;

pub const HOUR: i64 = 3600;
pub const DAY: i64 = 86_400;

pub fn t(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

pub fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// `A1 A2 A3 A4` on uplink `a`, `B1 … B4` on `b`, `C1 … C4` on `c`; each letter is a site, all in one city.
pub fn fleet() -> Fleet {
    let mut units = Vec::new();
    for letter in ["A", "B", "C"] {
        for n in 1..=4 {
            let lower = letter.to_lowercase();
            units.push(Unit {
                unit: UnitId::parse(&format!("{letter}{n}")).expect("valid"),
                name: format!("Gate {n}").into(),
                site: SiteId::parse(&format!("Site {letter}")).expect("valid"),
                site_type: "park".into(),
                city: City::parse("Peshawar").expect("valid"),
                district: None,
                address: "".into(),
                position: None,
                crew: CrewId::parse("saddar").expect("valid"),
                uplink: Some(UplinkId::parse(&lower).expect("valid")),
                feeder: Some(FeederId::parse(&format!("f-{lower}")).expect("valid")),
                model: "m1".into(),
                heartbeat: Some(secs(30)),
                commissioned: None,
                contact: "".into(),
            });
        }
    }
    Fleet::new(units)
}

fn plan(priority: Priority, after: u64) -> Option<OrderPlan> {
    Some(OrderPlan {
        priority,
        after: secs(after),
        crew: None,
        action: "Look at it".into(),
        parts: vec![],
        suspects: vec![],
        per_site: false,
    })
}

pub fn rule(id: &str, component: Component, condition: Condition) -> Rule {
    Rule {
        id: RuleId::parse(id).expect("valid"),
        component,
        severity: Severity::Major,
        condition,
        for_: Duration::ZERO,
        clear_for: Duration::ZERO,
        summary: "{unit}: trouble for {for}".into(),
        order: plan(Priority::P2, 0),
        readiness: ReadinessEffect::Impaired,
        only: Selection::default(),
        overrides: vec![],
        unless: vec![],
    }
}

pub fn rules() -> RuleSet {
    let silent = Condition::Silent { kind: Kind::Heartbeat, missed: 3, slack: None };
    let low = Condition::Threshold {
        metric: MetricRef::Known(Metric::BatteryVoltage),
        side: Side::Below,
        limit: 11.6,
        clear: 12.2,
        consecutive: 1,
    };
    let camera = Condition::Result { test: Component::Camera, is: Outcome::Fail, consecutive: 3 };
    let boots = Condition::Count { event: CountedEvent::Boot, at_least: 3, within: secs(3600) };
    let press =
        Condition::Overdue { event: OverdueEvent::PressTest, every: secs(30 * 86_400), from: OverdueFrom::Service };
    let incident = |id: &str, group_by, fraction, order| IncidentRule {
        id: IncidentRuleId::parse(id).expect("valid"),
        group_by,
        of: vec![RuleId::parse("unit-silent").expect("valid")],
        at_least: if group_by == GroupKind::Fleet { 3 } else { 2 },
        fraction,
        within: (group_by == GroupKind::Fleet).then_some(secs(600)),
        inhibits: vec![RuleId::parse("unit-silent").expect("valid")],
        order,
        wait: None,
        one_is_enough_if: Vec::new(),
        doubts_hearing: group_by == GroupKind::Fleet,
    };
    let network = plan(Priority::P1, 120).map(|p| OrderPlan { crew: CrewId::parse("network").ok(), ..p });
    RuleSet {
        rules: vec![
            Rule {
                severity: Severity::Critical,
                readiness: ReadinessEffect::Unchanged,
                order: plan(Priority::P1, 300),
                ..rule("unit-silent", Component::Uplink, silent)
            },
            Rule { for_: secs(300), clear_for: secs(600), ..rule("battery-low", Component::Battery, low) },
            rule("camera-failed", Component::Camera, camera),
            rule("reboot-loop", Component::Controller, boots),
            Rule {
                readiness: ReadinessEffect::Unproven,
                order: plan(Priority::P4, 0),
                ..rule("press-test-overdue", Component::Button, press)
            },
        ],
        incidents: vec![
            incident("uplink-down", GroupKind::Uplink, 0.6, network),
            incident("monitor-deaf", GroupKind::Fleet, 0.5, None),
        ],
        diagnoses: vec![],
    }
}

pub fn settings() -> Settings {
    Settings { mail_domain: "example.org".into(), ..Settings::default() }
}

#[derive(Debug)]
pub struct Rig {
    pub engine: Engine,
    pub log: Vec<String>,
    seq: u64,
    pub boot: u32,
}

impl Rig {
    pub fn new() -> Self {
        Rig::with(rules())
    }
    pub fn with(rules: RuleSet) -> Self {
        Rig { engine: Engine::new(rules, fleet(), settings()), log: Vec::new(), seq: 0, boot: 1 }
    }
    pub fn ix(&self, unit: &str) -> UnitIx {
        self.engine.fleet().find(unit).expect("unit of the rig's fleet")
    }
    pub fn take(&mut self, effects: Vec<Effect>) {
        let mut last = Timestamp::MIN;
        for e in effects {
            assert!(e.at >= last, "effects come in time order");
            last = e.at;
            if let Some(line) = line(&e) {
                self.log.push(line);
            }
        }
    }
    pub fn event(&mut self, at: i64, event: Event) {
        let effects = self.engine.handle(t(at), event);
        self.take(effects);
    }
    pub fn to(&mut self, at: i64) {
        let effects = self.engine.advance(t(at));
        self.take(effects);
    }
    pub fn say_at(&mut self, at: i64, ts: i64, unit: &str, body: Body) {
        self.seq += 1;
        let message = Message { ts: Some(t(ts)), boot: Some(self.boot), seq: Some(self.seq), body, extra: vec![] };
        let unit = self.ix(unit);
        self.event(at, Event::Message { unit, message, retained: false });
    }
    pub fn say(&mut self, at: i64, unit: &str, body: Body) {
        self.say_at(at, at, unit, body);
    }
    pub fn beat(&mut self, at: i64, unit: &str) {
        self.say(at, unit, Body::Heartbeat(Heartbeat::default()));
    }
    pub fn battery(&mut self, at: i64, unit: &str, volts: f64) {
        self.say(at, unit, Body::Power(Power { battery_v: Some(volts), ..Power::default() }));
    }
    pub fn test(&mut self, at: i64, unit: &str, component: Component, result: Outcome) {
        self.test_at(at, at, unit, component, result);
    }
    /// Of a unit whose clock shows `ts`.
    pub fn test_at(&mut self, at: i64, ts: i64, unit: &str, component: Component, result: Outcome) {
        let results = vec![TestResult { component, result, code: None, mode: None, figures: vec![] }];
        self.say_at(at, ts, unit, Body::Selftest(Selftest { id: None, trigger: None, results }));
    }
    /// What a unit whose clock shows `ts` answers a command.
    pub fn answer(&mut self, at: i64, ts: i64, unit: &str, command: &str, component: Component, result: Outcome) {
        let results = vec![TestResult { component, result, code: None, mode: None, figures: vec![] }];
        let (id, trigger) = (Some(command.into()), Some(Trigger::Command));
        self.say_at(at, ts, unit, Body::Selftest(Selftest { id, trigger, results }));
    }
    pub fn press(&mut self, at: i64, unit: &str, kind: PressKind) {
        self.say(at, unit, Body::Press(Press { kind, held_ms: None, ack: Some(true), ack_ms: None }));
    }
    pub fn hearing(&mut self, at: i64, hearing: Hearing) {
        self.event(at, Event::Hearing(hearing));
    }
    pub fn set(&mut self, at: i64, order: u32, to: OrderMove) {
        let action = Action::SetOrder { order: OrderId::new(order), to, note: String::new() };
        self.event(at, Event::Do { action, by: "crew".into() });
    }
    /// Every unit named beats every 30 s from `from` to before `until`, in turn.
    pub fn beats(&mut self, units: &[&str], from: i64, until: i64) {
        for at in (from..until).step_by(30) {
            for unit in units {
                self.beat(at, unit);
            }
        }
    }
    /// The lines since the last call, joined; only those that hold `only`.
    pub fn said(&mut self, only: &str) -> String {
        let lines = std::mem::take(&mut self.log);
        lines.into_iter().filter(|l| l.contains(only)).collect::<Vec<_>>().join("\n")
    }
}

pub const ALL: [&str; 12] = ["A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4", "C1", "C2", "C3", "C4"];

fn line(e: &Effect) -> Option<String> {
    let at = e.at.as_millis() / 1000;
    Some(match &e.kind {
        EffectKind::Readiness { unit, from, to, .. } => format!("{at}s {unit} {from} -> {to}"),
        EffectKind::Alert { unit, rule, state, .. } => format!("{at}s alert {unit} {rule} {state}"),
        EffectKind::Incident { kind, name, state, units, .. } => {
            format!("{at}s incident {kind} {name} {state} {}", units.len())
        }
        EffectKind::Order(o) => {
            let about = match &o.subject {
                Subject::Unit { unit, component } => format!("{unit} {component}"),
                Subject::Incident { kind, name } => format!("{kind} {name}"),
            };
            format!("{at}s order {} {about} {} {} {}", o.id.number(), o.priority, o.crew, o.state)
        }
        EffectKind::Mail(n) => format!("{at}s mail {} to {}", n.kind, n.to),
        EffectKind::Command { unit, command } => {
            format!("{at}s command {unit} {} {:?}", command.act, command.components)
        }
        EffectKind::Reading { unit, metric, value } => format!("{at}s reading {unit} {metric} {value}"),
        EffectKind::Refused { why, .. } => format!("{at}s refused: {why}"),
        EffectKind::OrderUpdated(_) => return None,
    })
}
