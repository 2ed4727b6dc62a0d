//! How each rule stands for one unit, as a page for people and as rows. Never judges.

use crate::domain::Timestamp;
use crate::domain::explain::{Explained, RuleState, Says, Standing, Together, span_or_nothing};

use super::table::{Look, Record, fit, in_local_time, local_and_age, wrapped};

impl Record for RuleState {
    const FIELDS: &'static [&'static str] = &[
        "rule",
        "component",
        "severity",
        "state",
        "since",
        "due",
        "order_due",
        "order",
        "held_by",
        "not_for",
        "override",
        "asks",
        "says",
        "figures",
        "reason",
    ];
    fn values(&self) -> Vec<String> {
        let at = |t: &Option<Timestamp>| t.map(|t| t.to_string()).unwrap_or_default();
        let signs = |f: &dyn Fn(&crate::domain::explain::SignView) -> String| {
            self.signs.iter().map(f).collect::<Vec<_>>().join(";")
        };
        vec![
            self.rule.to_string(),
            self.component.to_string(),
            self.severity.to_string(),
            self.state.to_string(),
            at(&self.since),
            at(&self.due),
            at(&self.order_due),
            self.order.map(|o| o.to_string()).unwrap_or_default(),
            self.held_by.clone().unwrap_or_default(),
            self.not_for.clone().unwrap_or_default(),
            self.override_no.map(|n| n.to_string()).unwrap_or_default(),
            signs(&|s| s.asks.clone()),
            signs(&|s| s.says.to_string()),
            signs(&|s| s.figures.iter().map(|f| format!("{} {}", f.what, f.text)).collect::<Vec<_>>().join(", ")),
            self.reason.clone().unwrap_or_default(),
        ]
    }
    fn words(field: &str) -> Option<Vec<&'static str>> {
        match field {
            "state" => Some(Standing::ALL.iter().map(|w| w.as_str()).collect()),
            _ => None,
        }
    }
}

/// What stands first, then what is quiet, then what is not for this unit. `all`: quiet ones with all their figures.
pub fn explained(found: &Explained, all: bool, look: &Look) -> String {
    let mut lines = vec![fit(&format!("{}  {}", found.unit, found.readiness), look.width)];
    let text = |lines: &mut Vec<String>, lead: &str, text: &str| {
        if !text.trim().is_empty() {
            lines.extend(wrapped(lead, &in_local_time(look, text), look));
        }
    };
    text(&mut lines, "  ", &found.reason);
    if !found.hearing {
        text(&mut lines, "  ", "The monitor cannot hear its units: silence proves nothing now.");
    }
    if let Some(until) = found.maintenance_until {
        text(&mut lines, "  ", &format!("In maintenance until {}: no orders, no mails.", local_and_age(look, until)));
    }
    if !found.diagnoses.is_empty() {
        let names: Vec<String> = found.diagnoses.iter().map(|d| d.to_string()).collect();
        text(&mut lines, "  ", &format!("Diagnosis that fits now: {}", names.join(", ")));
    }
    let rank = |s: Standing| match s {
        Standing::Firing => 0,
        Standing::Held => 1,
        Standing::Clearing => 2,
        Standing::Pending => 3,
        Standing::Inactive => 4,
        Standing::NotSelected => 5,
    };
    let mut rules: Vec<&RuleState> = found.rules.iter().collect();
    rules.sort_by_key(|r| rank(r.state));
    for rule in rules {
        lines.push(String::new());
        let flapping = if rule.flapping { ", flapping" } else { "" };
        let mut head = format!("{}  {}{flapping}", rule.rule, rule.state);
        if let Some(since) = rule.since {
            head += &format!(" since {}", local_and_age(look, since));
        }
        lines.push(fit(&head, look.width));
        if let Some(why) = &rule.not_for {
            text(&mut lines, "    ", why);
            continue;
        }
        text(&mut lines, "    ", rule.reason.as_deref().unwrap_or_default());
        if let Some(incident) = &rule.held_by {
            text(&mut lines, "    ", &format!("order and mail are held by the incident {incident}"));
        }
        if rule.excused {
            text(&mut lines, "    ", "excused now (unless): bad readings do not count, good ones clear");
        }
        let word = match rule.state {
            Standing::Pending => "fires",
            Standing::Clearing => "is resolved",
            Standing::Firing | Standing::Held | Standing::Inactive | Standing::NotSelected => "changes",
        };
        if let Some(due) = rule.due {
            text(&mut lines, "    ", &format!("{word} {}", local_and_age(look, due)));
        }
        match (rule.order, rule.order_due) {
            (Some(order), _) => text(&mut lines, "    ", &format!("order {order}")),
            (None, Some(due)) => text(&mut lines, "    ", &format!("order is written {}", local_and_age(look, due))),
            (None, None) => {}
        }
        match rule.together {
            Some(Together::All) => text(&mut lines, "    ", "all of these must hold:"),
            Some(Together::Any) => text(&mut lines, "    ", "one of these is enough:"),
            Some(Together::Nested) => text(&mut lines, "    ", "all and any of these, as the file nests them:"),
            None => {}
        }
        for sign in &rule.signs {
            let spans = [("for", rule.for_s), ("clear for", rule.clear_for_s)];
            let spans: Vec<String> = spans
                .iter()
                .filter(|(_, s)| rule.together.is_none() && *s > 0.0)
                .map(|(word, s)| format!(", {word} {}", span_or_nothing(*s)))
                .collect();
            let overridden = rule.override_no.map(|n| format!(" (override {n})")).unwrap_or_default();
            text(
                &mut lines,
                &format!("    {:<8}", mark(sign.says)),
                &format!("{}{}{overridden}", sign.asks, spans.concat()),
            );
            let quiet = !all && sign.says == Says::Not && rule.state == Standing::Inactive;
            let shown =
                sign.figures.iter().filter(|f| !quiet || f.what == "now" || f.what == "in a row" || f.what == "last");
            let figures: Vec<String> = shown.map(|f| format!("{} {}", f.what, f.text)).collect();
            text(&mut lines, "            ", &figures.join(" · "));
            if let Some(due) = sign.due {
                text(&mut lines, "            ", &format!("holds {} if nothing changes", local_and_age(look, due)));
            }
        }
    }
    lines.into_iter().map(|l| l.trim_end().to_owned() + "\n").collect()
}

fn mark(says: Says) -> &'static str {
    match says {
        Says::Holds => "yes",
        Says::Between => "between",
        Says::Not => "no",
        Says::Unknown => "?",
    }
}
