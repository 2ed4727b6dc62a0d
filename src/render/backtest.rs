//! What another rule set would have changed, for people and programs. Never replays anything.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::component::words;
use crate::domain::{Component, OrderId, Priority, RuleId, Timestamp, UnitId, span_text};

use super::table::{Look, Record, fit, wrapped};

use std::fmt;
use std::str::FromStr;

words!(
    /// As seen from the rules of today to the other ones.
    What {
        More = "more",
        Fewer = "fewer",
        Earlier = "earlier",
        Later = "later",
        /// The same fault, another component or priority.
        Changed = "changed",
    }
);

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backtest {
    /// None: the recording is empty.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub lines: u64,
    pub orders_now: usize,
    pub orders_then: usize,
    pub alerts_now: u64,
    pub alerts_then: u64,
    pub mails_now: u64,
    pub mails_then: u64,
    pub more: usize,
    pub fewer: usize,
    pub earlier: usize,
    pub later: usize,
    pub changed: usize,
    /// By time.
    pub differences: Vec<Difference>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// When the other rules opened the order; if they did not, when today's did.
    pub at: Timestamp,
    pub what: What,
    pub unit: Option<UnitId>,
    /// `uplink fibre-a`.
    pub incident: Option<String>,
    /// The other rules' order minus today's: negative is earlier.
    pub shift_ms: i64,
    pub now: Option<Said>,
    pub then: Option<Said>,
}

/// An order of one of the two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Said {
    pub order: OrderId,
    pub component: Option<Component>,
    pub priority: Priority,
    pub opened_at: Timestamp,
    pub rules: Vec<RuleId>,
    pub reason: String,
}

impl Difference {
    fn shown(&self) -> Option<&Said> {
        self.then.as_ref().or(self.now.as_ref())
    }
    fn subject(&self) -> String {
        match (&self.unit, &self.incident) {
            (Some(unit), _) => unit.to_string(),
            (None, incident) => incident.clone().unwrap_or_default(),
        }
    }
}

fn component(said: Option<&Said>) -> String {
    said.and_then(|s| s.component).map(|c| c.to_string()).unwrap_or_default()
}

fn rules(said: Option<&Said>) -> String {
    said.map(|s| s.rules.iter().map(RuleId::to_string).collect::<Vec<_>>().join(";")).unwrap_or_default()
}

impl Record for Difference {
    const FIELDS: &'static [&'static str] = &[
        "at",
        "what",
        "unit",
        "incident",
        "component",
        "priority",
        "rules",
        "reason",
        "shift_s",
        "now_opened_at",
        "now_component",
        "now_priority",
        "then_opened_at",
    ];
    fn values(&self) -> Vec<String> {
        let shown = self.shown();
        let at = |s: &Option<Said>| s.as_ref().map(|s| s.opened_at.to_string()).unwrap_or_default();
        let priority = |s: Option<&Said>| s.map(|s| s.priority.to_string()).unwrap_or_default();
        vec![
            self.at.to_string(),
            self.what.to_string(),
            self.unit.as_ref().map(UnitId::to_string).unwrap_or_default(),
            self.incident.clone().unwrap_or_default(),
            component(shown),
            priority(shown),
            rules(shown),
            shown.map(|s| s.reason.clone()).unwrap_or_default(),
            (self.shift_ms as f64 / 1000.0).to_string(),
            at(&self.now),
            component(self.now.as_ref()),
            priority(self.now.as_ref()),
            at(&self.then),
        ]
    }
}

/// The sum in one sentence, then each difference with its reason.
pub fn backtest(test: &Backtest, look: &Look) -> String {
    let mut lines = Vec::new();
    let (Some(from), Some(to)) = (test.from, test.to) else {
        return "The recording is empty.\n".to_owned();
    };
    let local = |at: Timestamp| at.to_utc().with_timezone(&look.zone).format("%Y-%m-%d %H:%M").to_string();
    let recorded = format!("{} to {} ({}), {} lines", local(from), local(to), span_text(to.since(from)), test.lines);
    lines.extend(wrapped("Recording   ", &recorded, look));
    lines.extend(wrapped(
        "Orders      ",
        &format!("{} now, {} then: {}", test.orders_now, test.orders_then, sum(test)),
        look,
    ));
    lines.push(fit(&format!("Alerts      {} now, {} then", test.alerts_now, test.alerts_then), look.width));
    lines.push(fit(&format!("Mails       {} now, {} then", test.mails_now, test.mails_then), look.width));
    for d in &test.differences {
        let shown = d.shown();
        let detail = match d.what {
            What::More => "+ order".to_owned(),
            What::Fewer => "- order".to_owned(),
            What::Earlier => format!("{} earlier", span(d.shift_ms)),
            What::Later => format!("{} later", span(d.shift_ms)),
            What::Changed => changed(d),
        };
        let priority = shown.map(|s| s.priority.to_string()).unwrap_or_default();
        lines.push(String::new());
        let head = format!("{}  {}  {} {priority}  {detail}", local(d.at), d.subject(), component(shown));
        lines.extend(wrapped("", &head.replace("  ", " · "), look));
        let rule = rules(shown).replace(';', ", ");
        let lead = if rule.is_empty() { String::new() } else { format!("{rule}: ") };
        lines.extend(wrapped("    ", &format!("{lead}{}", shown.map_or("", |s| &s.reason)), look));
    }
    lines.into_iter().map(|l| l.trim_end().to_owned() + "\n").collect()
}

fn changed(d: &Difference) -> String {
    let (Some(now), Some(then)) = (&d.now, &d.then) else { return String::new() };
    let mut parts = Vec::new();
    if now.component != then.component {
        parts.push(format!("was {}", component(Some(now))));
    }
    if now.priority != then.priority {
        parts.push(format!("was {}", now.priority));
    }
    match d.shift_ms {
        0 => {}
        ..0 => parts.push(format!("{} earlier", span(d.shift_ms))),
        1.. => parts.push(format!("{} later", span(d.shift_ms))),
    }
    parts.join(", ")
}

fn span(ms: i64) -> String {
    span_text(Duration::from_millis(ms.unsigned_abs()))
}

/// `+ 14 orders, - 7 orders, 3 earlier (by 2 h on average), …`
fn sum(test: &Backtest) -> String {
    if test.differences.is_empty() {
        return "no order would have been different".to_owned();
    }
    let orders = |n: usize| if n == 1 { "1 order".to_owned() } else { format!("{n} orders") };
    let by = |what: What| {
        let shifts: Vec<i64> = test.differences.iter().filter(|d| d.what == what).map(|d| d.shift_ms).collect();
        let mean = shifts.iter().map(|ms| ms.unsigned_abs()).sum::<u64>() / shifts.len().max(1) as u64;
        let average = if shifts.len() > 1 { " on average" } else { "" };
        format!("(by {}{average})", span_text(Duration::from_millis(mean)))
    };
    let mut parts = Vec::new();
    if test.more > 0 {
        parts.push(format!("+ {}", orders(test.more)));
    }
    if test.fewer > 0 {
        parts.push(format!("- {}", orders(test.fewer)));
    }
    if test.earlier > 0 {
        parts.push(format!("{} earlier {}", test.earlier, by(What::Earlier)));
    }
    if test.later > 0 {
        parts.push(format!("{} later {}", test.later, by(What::Later)));
    }
    if test.changed > 0 {
        parts.push(format!("{} changed component or priority", test.changed));
    }
    parts.join(", ")
}
