//! A period in figures: how available the buttons were, how the crews kept up, what keeps coming back. Worked out of the
//! orders and the availability of the period; never reads a clock or a store.
//!
//! - **MTTA**: from an opening (or reopening) in the period to the first word of a person. Openings that nobody answered
//!   because they cleared by themselves, or not yet, are not in it.
//! - **MTTR**: from the last opening to the "repaired" that held, of orders that were verified in the period.
//! - **MTBF**: the time in which a fault would have been seen, by the openings in it. Orders of P4 (a press test is due) are
//!   no failures.
//! - **Overdue**: of the orders that were due in the period, those not closed by then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::UnitId;
use super::order::OrderState;
use super::readiness::Readiness;
use super::severity::Priority;
use super::time::Timestamp;
use super::view::{AvailabilityRow, GroupAvailability, OrderView};

/// EEMUA 191: more alarms a day than this are hard to keep up with for one operator, and twice as many impossible. An order
/// to a crew is more work than an alarm on a screen, so a crew's limits lie lower still.
pub const ALARMS_A_DAY_ACCEPTABLE: f64 = 150.0;
pub const ALARMS_A_DAY_MOST: f64 = 300.0;

/// Units told by name for coming back.
const OFFENDERS: usize = 10;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub from: Timestamp,
    pub to: Timestamp,
    pub fleet: Group,
    pub cities: Vec<Group>,
    pub site_types: Vec<Group>,
    pub crews: Vec<Group>,
    /// Of the orders on units.
    pub components: Vec<Work>,
    /// Most openings first.
    pub offenders: Vec<Offender>,
}

/// Units that have something in common, and the orders on them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    #[serde(flatten)]
    pub availability: GroupAvailability,
    /// Of the time in which tests could have proved it, the part in which they had. None: no such time.
    pub proved_pct: Option<f64>,
    pub mtbf_hours: Option<f64>,
    #[serde(flatten)]
    pub work: WorkFigures,
}

impl Group {
    /// Of all the time, the part of which nothing is known. None: no time.
    pub fn unknown_pct(&self) -> Option<f64> {
        let of = |r: Readiness| self.availability.seconds.of(r).as_secs_f64();
        let all: f64 = Readiness::ALL.iter().map(|r| of(*r)).sum();
        (all > 0.0).then(|| 100.0 * of(Readiness::Unknown) / all)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Work {
    pub name: String,
    #[serde(flatten)]
    pub work: WorkFigures,
}

/// What was asked of crews in the period, and what came of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WorkFigures {
    pub opened: usize,
    /// Came back after they were closed, or were found unrepaired.
    pub reopened: usize,
    /// Repaired, and proved to be.
    pub verified: usize,
    pub cleared_by_themselves: usize,
    pub cancelled: usize,
    /// At the end of the period.
    pub open: usize,
    /// Had their due time in the period.
    pub due: usize,
    pub overdue: usize,
    pub mtta_hours: Option<f64>,
    pub mttr_hours: Option<f64>,
    /// Openings and reopenings a day.
    pub a_day: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offender {
    pub unit: UnitId,
    pub openings: usize,
    pub components: Vec<String>,
}

/// `rows`: availability from `from` to `to`; `orders`: all that there ever were.
pub fn report(from: Timestamp, to: Timestamp, rows: &[AvailabilityRow], orders: &[OrderView]) -> Report {
    let period = Period { from, to };
    let everyone: Vec<&AvailabilityRow> = rows.iter().collect();
    let all: Vec<&OrderView> = orders.iter().collect();
    let on_units: Vec<&OrderView> = orders.iter().filter(|o| o.unit.is_some()).collect();
    let mut components: BTreeMap<&str, Vec<&OrderView>> = BTreeMap::new();
    for order in &on_units {
        if let Some(component) = order.component {
            components.entry(component.as_str()).or_default().push(order);
        }
    }
    let component =
        |(name, orders): (&str, Vec<&OrderView>)| Work { name: name.to_owned(), work: period.work(&orders) };
    let crew_of = |order: &OrderView| order.crew.to_string();
    Report {
        from,
        to,
        fleet: period.group("fleet", &everyone, &all),
        cities: period.groups(rows, &on_units, |r| r.row.city.to_string(), None),
        site_types: period.groups(rows, &on_units, |r| r.row.site_type.clone(), None),
        // Orders on circuits have crews, too.
        crews: period.groups(rows, &all, |r| r.row.crew.to_string(), Some(&crew_of)),
        components: components.into_iter().map(component).filter(|w| w.work != WorkFigures::default()).collect(),
        offenders: period.offenders(&on_units),
    }
}

#[derive(Clone, Copy)]
struct Period {
    from: Timestamp,
    to: Timestamp,
}

impl Period {
    fn holds(self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }

    fn days(self) -> f64 {
        self.to.since(self.from).as_secs_f64() / 86_400.0
    }

    /// `of_order` None: an order belongs to its unit's group.
    fn groups(
        self,
        rows: &[AvailabilityRow],
        orders: &[&OrderView],
        name: impl Fn(&AvailabilityRow) -> String,
        of_order: Option<&dyn Fn(&OrderView) -> String>,
    ) -> Vec<Group> {
        let of_unit: BTreeMap<&UnitId, String> = rows.iter().map(|r| (&r.row.unit, name(r))).collect();
        let of = |order: &OrderView| match of_order {
            Some(of_order) => Some(of_order(order)),
            None => of_unit.get(order.unit.as_ref()?).cloned(),
        };
        let mut units: BTreeMap<String, Vec<&AvailabilityRow>> = BTreeMap::new();
        for row in rows {
            units.entry(name(row)).or_default().push(row);
        }
        let mut theirs: BTreeMap<String, Vec<&OrderView>> = BTreeMap::new();
        for order in orders {
            if let Some(name) = of(order) {
                theirs.entry(name).or_default().push(order);
            }
        }
        let names: BTreeSet<String> = units.keys().chain(theirs.keys()).cloned().collect();
        let nothing = (Vec::new(), Vec::new());
        names
            .into_iter()
            .map(|name| {
                let rows = units.get(&name).unwrap_or(&nothing.0);
                let orders = theirs.get(&name).unwrap_or(&nothing.1);
                self.group(&name, rows, orders)
            })
            .filter(|group| group.availability.units > 0 || group.work != WorkFigures::default())
            .collect()
    }

    fn group(self, name: &str, rows: &[&AvailabilityRow], orders: &[&OrderView]) -> Group {
        let availability = GroupAvailability::sum(name, rows.iter().copied());
        let hours = |r: Readiness| availability.seconds.of(r).as_secs_f64() / 3600.0;
        let seen: f64 =
            [Readiness::Ready, Readiness::Impaired, Readiness::NotReady, Readiness::Silent].map(hours).iter().sum();
        let unproven = hours(Readiness::Unproven);
        let failures = orders.iter().filter(|o| o.unit.is_some() && o.priority != Priority::P4);
        let failures: usize = failures.map(|o| self.openings(o).count()).sum();
        Group {
            proved_pct: (seen + unproven > 0.0).then(|| 100.0 * seen / (seen + unproven)),
            mtbf_hours: (failures > 0).then(|| seen / failures as f64),
            work: self.work(orders),
            availability,
        }
    }

    /// When the order was opened or opened again, within the period: places in its history.
    fn openings(self, order: &OrderView) -> impl Iterator<Item = usize> + '_ {
        let opens = |state| matches!(state, OrderState::Opened | OrderState::Reopened);
        order.history.iter().enumerate().filter(move |(_, c)| opens(c.state) && self.holds(c.at)).map(|(i, _)| i)
    }

    fn work(self, orders: &[&OrderView]) -> WorkFigures {
        let mut figures = WorkFigures::default();
        let (mut answered, mut repaired) = (Vec::new(), Vec::new());
        for order in orders {
            for i in self.openings(order) {
                match order.history[i].state {
                    OrderState::Reopened => figures.reopened += 1,
                    _ => figures.opened += 1,
                }
                answered.extend(answer(order, i));
            }
            for (i, change) in order.history.iter().enumerate().filter(|(_, c)| self.holds(c.at)) {
                match change.state {
                    OrderState::Verified => {
                        figures.verified += 1;
                        repaired.extend(repair(order, i));
                    }
                    OrderState::Closed if !is_verified(order, i) => figures.cleared_by_themselves += 1,
                    OrderState::Cancelled => figures.cancelled += 1,
                    _ => {}
                }
            }
            figures.open += usize::from(self.is_open_at_the_end(order));
            if let Some(due) = order.due_at.filter(|due| self.holds(*due)) {
                figures.due += 1;
                figures.overdue += usize::from(order.closed_at.is_none_or(|closed| closed > due));
            }
        }
        figures.mtta_hours = mean_hours(&answered);
        figures.mttr_hours = mean_hours(&repaired);
        if figures.opened + figures.reopened > 0 {
            figures.a_day = (figures.opened + figures.reopened) as f64 / self.days().max(1.0 / 24.0);
        }
        figures
    }

    fn is_open_at_the_end(self, order: &OrderView) -> bool {
        order.history.iter().rfind(|c| c.at < self.to).is_some_and(|c| c.state.is_open())
    }

    fn offenders(self, orders: &[&OrderView]) -> Vec<Offender> {
        let mut units: BTreeMap<&UnitId, (usize, BTreeSet<String>)> = BTreeMap::new();
        for order in orders.iter().filter(|o| o.priority != Priority::P4) {
            let openings = self.openings(order).count();
            if let (Some(unit), true) = (&order.unit, openings > 0) {
                let (count, components) = units.entry(unit).or_default();
                *count += openings;
                components.extend(order.component.map(|c| c.to_string()));
            }
        }
        let mut offenders: Vec<Offender> = units
            .into_iter()
            .filter(|(_, (openings, _))| *openings > 1)
            .map(|(unit, (openings, components))| Offender {
                unit: unit.clone(),
                openings,
                components: components.into_iter().collect(),
            })
            .collect();
        // Of equals the first by name.
        offenders.sort_by(|a, b| b.openings.cmp(&a.openings).then_with(|| a.unit.cmp(&b.unit)));
        offenders.truncate(OFFENDERS);
        offenders
    }
}

/// From the opening to the first word of a person, before it ended or was opened again.
fn answer(order: &OrderView, opening: usize) -> Option<Duration> {
    let begun = &order.history[opening];
    let next = order.history[opening + 1..].iter().find(|c| match c.state {
        OrderState::Acknowledged
        | OrderState::EnRoute
        | OrderState::Repaired
        | OrderState::Closed
        | OrderState::Cancelled
        | OrderState::Reopened => true,
        OrderState::Opened | OrderState::Verified => false,
    })?;
    let by_a_person = matches!(next.state, OrderState::Acknowledged | OrderState::EnRoute | OrderState::Repaired);
    by_a_person.then(|| next.at.since(begun.at))
}

/// From the last opening before this "verified" to the last "repaired" before it.
fn repair(order: &OrderView, verified: usize) -> Option<Duration> {
    let before = &order.history[..verified];
    let repaired = before.iter().rfind(|c| c.state == OrderState::Repaired)?;
    let begun = before.iter().rfind(|c| matches!(c.state, OrderState::Opened | OrderState::Reopened))?;
    Some(repaired.at.since(begun.at))
}

/// Was this "closed" the end of a repair, and not of a fault that went by itself?
fn is_verified(order: &OrderView, closed: usize) -> bool {
    order.history[..closed].last().is_some_and(|c| c.state == OrderState::Verified)
}

fn mean_hours(spans: &[Duration]) -> Option<f64> {
    let sum: Duration = spans.iter().sum();
    (!spans.is_empty()).then(|| sum.as_secs_f64() / 3600.0 / spans.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: f64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + (hour * 3_600_000.0) as i64)
    }

    /// `opened 1 by buttonwatch` …: state and hour.
    fn order(id: u32, unit: &str, priority: &str, due: Option<f64>, life: &[(&str, f64)]) -> OrderView {
        let history: Vec<_> = life
            .iter()
            .map(|(state, hour)| serde_json::json!({"at": at(*hour), "state": state, "by": "x", "why": "y"}))
            .collect();
        let closed = life.iter().rfind(|(s, _)| ["closed", "cancelled"].contains(s)).map(|(_, h)| at(*h));
        let (last, _) = life[life.len() - 1];
        serde_json::from_value(serde_json::json!({
            "order": format!("WO-{id:06}"), "unit": unit, "component": "camera", "incident": null, "priority": priority,
            "state": last, "crew": "saddar", "site": "S", "opened_at": at(life[0].1), "due_at": due.map(at),
            "closed_at": closed, "summary": "", "action": "", "parts": [], "suspects": [], "evidence": [], "rules": [],
            "units": [], "relapses": 0, "flapping": false, "history": history,
        }))
        .expect("an order")
    }

    fn row(unit: &str, seconds: serde_json::Value) -> AvailabilityRow {
        serde_json::from_value(serde_json::json!({
            "unit": unit, "name": unit, "site": "S", "site_type": "park", "city": "Peshawar", "crew": "saddar",
            "uplink": null, "feeder": null, "model": "", "position": null, "readiness": "ready", "reason": "",
            "since": null, "last_heard": null, "open_alerts": 0, "open_orders": 0, "from": at(0.0), "to": at(48.0),
            "available_pct": null, "seconds": seconds,
        }))
        .expect("a row")
    }

    #[test]
    fn a_crews_work_is_counted_by_what_happened_in_the_period() {
        let orders = [
            // Opened before: only its end is in the period. Repaired after 5 h, in time.
            order(
                1,
                "A",
                "P2",
                Some(4.0),
                &[("opened", -3.0), ("acknowledged", -1.0), ("repaired", 2.0), ("verified", 3.0), ("closed", 3.0)],
            ),
            // Answered after 1 h, repaired after 4 h, back again, and still open.
            order(
                2,
                "A",
                "P1",
                Some(10.0),
                &[
                    ("opened", 6.0),
                    ("en-route", 7.0),
                    ("repaired", 10.0),
                    ("verified", 12.0),
                    ("closed", 12.0),
                    ("reopened", 40.0),
                ],
            ),
            order(3, "B", "P2", Some(30.0), &[("opened", 8.0), ("closed", 9.0)]),
            order(4, "B", "P4", None, &[("opened", 8.0)]),
            // After the period.
            order(5, "B", "P1", Some(60.0), &[("opened", 50.0)]),
        ];
        let rows = [
            row("A", serde_json::json!({"ready": 90_000, "silent": 54_000, "unknown": 28_800})),
            row("B", serde_json::json!({"ready": 86_400, "unproven": 86_400})),
        ];
        let report = report(at(0.0), at(48.0), &rows, &orders);
        let w = &report.fleet.work;
        assert_eq!(
            (w.opened, w.reopened, w.verified, w.cleared_by_themselves, w.cancelled, w.open),
            (3, 1, 2, 1, 0, 2)
        );
        // Due at 4, 10 and 30 h: the second was closed at 12 h, two hours late.
        assert_eq!((w.due, w.overdue), (3, 1));
        assert_eq!(w.mtta_hours, Some(1.0), "order 3 cleared by itself, 4 and the relapse wait");
        assert_eq!(w.mttr_hours, Some((5.0 + 4.0) / 2.0));
        assert_eq!(w.a_day, 2.0);
        // 25 + 15 + 24 h in which a fault would be seen; a P4 order is no failure.
        assert_eq!(report.fleet.mtbf_hours, Some(64.0 / 3.0));
        assert_eq!(report.fleet.proved_pct, Some(100.0 * 64.0 / 88.0));
        assert_eq!(report.crews.len(), 1);
        assert_eq!(report.components[0].name, "camera");
        let offenders: Vec<_> = report.offenders.iter().map(|o| (o.unit.as_str(), o.openings)).collect();
        assert_eq!(offenders, [("A", 2)]);
    }

    #[test]
    fn nothing_in_a_period_is_told_as_nothing() {
        let report = report(at(0.0), at(0.0), &[], &[]);
        assert_eq!(report.fleet.work, WorkFigures::default());
        assert_eq!((report.fleet.mtbf_hours, report.fleet.proved_pct), (None, None));
        assert!(report.cities.is_empty() && report.offenders.is_empty());
    }
}
