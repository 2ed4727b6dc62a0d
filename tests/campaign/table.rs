//! The campaign's results as plain text, 80 columns. Judges nothing but the figures.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use buttonwatch::domain::Component;

use super::run::Outcomes;
use super::truth::Case;

/// Figures of one component or of all.
#[derive(Debug, Default, Clone)]
pub struct Figures {
    pub faults: usize,
    pub found: usize,
    pub orders: usize,
    pub right: usize,
    delays: Vec<Duration>,
}

impl Figures {
    pub fn recall(&self) -> f64 {
        if self.faults == 0 { 1.0 } else { self.found as f64 / self.faults as f64 }
    }
    pub fn precision(&self) -> f64 {
        if self.orders == 0 { 1.0 } else { self.right as f64 / self.orders as f64 }
    }
    fn delay(&self, part: f64) -> String {
        let mut sorted = self.delays.clone();
        sorted.sort_unstable();
        let at = ((sorted.len() as f64 * part) as usize).min(sorted.len().saturating_sub(1));
        sorted.get(at).map_or_else(|| "-".to_owned(), |d| short(*d))
    }
    fn take(&mut self, case: &Case) {
        self.faults += 1;
        if case.is_found() {
            self.found += 1;
            self.delays.extend(case.delay());
        }
    }
    fn add(&mut self, other: &Figures) {
        self.faults += other.faults;
        self.found += other.found;
        self.orders += other.orders;
        self.right += other.right;
        self.delays.extend(&other.delays);
    }
}

fn short(span: Duration) -> String {
    let s = span.as_secs();
    match s {
        0..60 => format!("{s} s"),
        60..5_400 => format!("{} min", s / 60),
        5_400..172_800 => format!("{:.1} h", s as f64 / 3600.0),
        _ => format!("{:.1} d", s as f64 / 86_400.0),
    }
}

#[derive(Debug, Default)]
pub struct Results {
    pub components: BTreeMap<&'static str, Figures>,
    pub all: Figures,
    kinds: BTreeMap<String, Figures>,
    /// Name, how often, false orders meanwhile.
    harmless: BTreeMap<String, (usize, u32)>,
    pub misses: Vec<String>,
    pub false_orders: Vec<String>,
    pub healthy_orders: Vec<String>,
    pub unfair: Vec<String>,
    unseen: BTreeMap<String, usize>,
    relapses: (usize, usize),
    closed: (usize, usize),
    flapping: (usize, usize),
    left: usize,
    chased: usize,
    messages: u64,
    seconds: f64,
}

fn heading(case: &Case) -> &'static str {
    case.kind.and_then(|k| k.component()).map_or("other", Component::as_str)
}

pub fn results(worlds: &[Outcomes]) -> Results {
    let mut r = Results::default();
    for world in worlds {
        let end = world.plan.end();
        let seed = world.plan.seed;
        r.left += world.left;
        r.chased += world.chased;
        r.messages += world.messages;
        r.seconds += world.seconds;
        r.unfair.extend(world.unfair_deaths.iter().map(|u| format!("world {seed:x}: {u}")));
        for (n, case) in world.cases.iter().enumerate() {
            if case.units.is_empty() || case.name.is_empty() {
                continue;
            }
            if !case.is_fault() {
                let row = r.harmless.entry(case.name.clone()).or_default();
                *row = (row.0 + 1, row.1 + case.false_orders);
                continue;
            }
            if !case.counts(end) {
                *r.unseen.entry(case.name.clone()).or_default() += 1;
                continue;
            }
            r.components.entry(heading(case)).or_default().take(case);
            r.kinds.entry(case.name.clone()).or_default().take(case);
            if !case.is_found() {
                let names: Vec<String> = case.units.iter().map(|u| format!("U-{:03}", u.0 + 1)).collect();
                let what = case.found.map_or("never".to_owned(), |f| format!("only at {}", f.at));
                let deadline = case.deadline().map_or("?".to_owned(), |d| d.to_string());
                let end = case.to.map_or("lasts".to_owned(), |t| format!("to {t}"));
                let units = if names.len() > 6 { format!("{} units", names.len()) } else { names.join(",") };
                r.misses.push(format!(
                    "world {seed:x} case {n}: {} on {units} from {} {end}, due by {deadline}, ordered {what}; {:?}",
                    case.name, case.from, case.kind
                ));
            }
            if let Some(right) = case.relapsed_right {
                r.relapses = (r.relapses.0 + usize::from(right), r.relapses.1 + 1);
            }
            if let (Some(repaired), Some(_)) = (case.repaired_at, case.to)
                && repaired + Duration::from_secs(2 * 86_400) < end
                && case.circuit.is_none()
            {
                r.closed = (r.closed.0 + usize::from(case.closed_at.is_some()), r.closed.1 + 1);
            }
            if case.name == "flapping-link" && case.is_found() {
                r.flapping = (r.flapping.0 + usize::from(case.seen_flapping), r.flapping.1 + 1);
            }
        }
        for order in &world.orders {
            let component = order.component.map_or("other", Component::as_str);
            let right = order.true_anyway || order.case.is_some() && !order.doubled;
            let row = r.components.entry(component).or_default();
            row.orders += 1;
            row.right += usize::from(right);
            if right {
                continue;
            }
            let why = if order.doubled { "a second order for one fault" } else { "no fault explains it" };
            let line = format!("world {seed:x} {} {}: {why}; {}", order.at, order.subject, order.text);
            if world.plan.faults {
                r.false_orders.push(line);
            } else {
                r.healthy_orders.push(line);
            }
        }
    }
    for figures in r.components.values() {
        r.all.add(figures);
    }
    r
}

impl Results {
    pub fn text(&self) -> String {
        let mut out = String::new();
        let line = |out: &mut String, name: &str, f: &Figures| {
            let _ = writeln!(
                out,
                "{name:<18}{:>7}{:>7}{:>8.3}{:>8}{:>7}{:>10.3}{:>8}{:>7}",
                f.faults,
                f.found,
                f.recall(),
                f.orders,
                f.right,
                f.precision(),
                f.delay(0.5),
                f.delay(0.9)
            );
        };
        let _ = writeln!(
            out,
            "{:<18}{:>7}{:>7}{:>8}{:>8}{:>7}{:>10}{:>8}{:>7}",
            "component", "faults", "found", "recall", "orders", "right", "precision", "median", "p90"
        );
        for (name, f) in &self.components {
            line(&mut out, name, f);
        }
        line(&mut out, "all", &self.all);
        let _ = writeln!(
            out,
            "\n{:<18}{:>7}{:>7}{:>8}{:>10}{:>8}{:>22}",
            "fault", "faults", "found", "recall", "median", "p90", "too short to be seen"
        );
        for (name, f) in &self.kinds {
            let unseen = self.unseen.get(name).copied().unwrap_or(0);
            let (half, most) = (f.delay(0.5), f.delay(0.9));
            let _ = writeln!(
                out,
                "{name:<18}{:>7}{:>7}{:>8.3}{half:>10}{most:>8}{unseen:>22}",
                f.faults,
                f.found,
                f.recall()
            );
        }
        for (name, unseen) in self.unseen.iter().filter(|(name, _)| !self.kinds.contains_key(*name)) {
            let _ = writeln!(out, "{name:<18}{:>7}{:>7}{:>8}{:>10}{:>8}{unseen:>22}", 0, 0, "-", "-", "-");
        }
        let _ = writeln!(out, "\n{:<18}{:>7}{:>30}", "harmless", "times", "false orders meanwhile");
        for (name, (times, wrong)) in &self.harmless {
            let _ = writeln!(out, "{name:<18}{times:>7}{wrong:>30}");
        }
        let _ = writeln!(
            out,
            "\nrepaired and closed {} of {}; relapses on the same order {} of {}; marked flapping {} of {}",
            self.closed.0, self.closed.1, self.relapses.0, self.relapses.1, self.flapping.0, self.flapping.1
        );
        let _ = writeln!(
            out,
            "visits that left the fault: {}; orders that then waited in silence for a day: {}",
            self.left, self.chased
        );
        let _ = writeln!(out, "orders in healthy load-shedding: {}", self.healthy_orders.len());
        let _ = writeln!(out, "{} messages judged in {:.0} s of processor time", self.messages, self.seconds);
        out
    }

    /// The first twenty of each sort, for whoever mends the engine.
    pub fn wrongs(&self) -> String {
        let mut out = String::new();
        for (title, list) in [
            ("missed", &self.misses),
            ("false orders", &self.false_orders),
            ("orders in healthy load-shedding", &self.healthy_orders),
            ("dead without a fault: the world is unfair", &self.unfair),
        ] {
            if !list.is_empty() {
                let _ = writeln!(out, "\n{title}: {}, the first:", list.len());
                let most = std::env::var("CAMPAIGN_SHOW").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
                for line in list.iter().take(most) {
                    let _ = writeln!(out, "  {line}");
                }
            }
        }
        out
    }
}
