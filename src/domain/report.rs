//! A period in figures: how available the buttons were, how the crews kept up, what keeps coming back. Worked out of the
//! orders and the availability of the period; never reads a clock or a store.
//!
//! - **MTTA**: from an opening (or reopening) in the period to the first word of a person. Openings that nobody answered
//!   because they cleared by themselves, or not yet, are not in it.
//! - **MTTR**: from the last opening to the "repaired" that held, of orders that were verified in the period.
//! - **MTBF**: the time in which a fault would have been seen, by the openings in it. Orders of P4 (a press test is due) are
//!   no failures.
//! - **Overdue**: of the orders that were due in the period, those not closed by then.
//! - **Tests and drills**: as they stood at the end of the period (`drills`).

mod drills;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::component::words;
use super::ids::{CrewId, UnitId};
use super::order::OrderState;
use super::outlook::{Drill, DrillRow, ForecastRow, Outlook, PressLine, Tests};
use super::readiness::Readiness;
use super::severity::Priority;
use super::time::Timestamp;
use super::view::{AvailabilityRow, GroupAvailability, OrderView};

use std::fmt;
use std::str::FromStr;

pub use drills::{DrillFigures, OverdueRow, PressFigures, StuckRow};

/// EEMUA 191: more alarms a day than this are hard to keep up with for one operator, and twice as many impossible. An order
/// to a crew is more work than an alarm on a screen, so a crew's limits lie lower still.
pub const ALARMS_A_DAY_ACCEPTABLE: f64 = 150.0;
pub const ALARMS_A_DAY_MOST: f64 = 300.0;

/// Units told by name for coming back.
const OFFENDERS: usize = 10;

words!(
    ReportPeriod {
        Daily = "daily",
        Weekly = "weekly",
        Monthly = "monthly",
    }
);

/// Which period, and up to when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportSpan {
    pub period: ReportPeriod,
    /// As if it were asked for then. None: now.
    pub until: Option<Timestamp>,
    /// The last 24 hours, 7 or 30 days up to then, instead of the last whole day, week or month of the calendar.
    pub last: bool,
}

/// What a report is worked out of.
#[derive(Debug)]
pub struct Material<'a> {
    pub period: ReportPeriod,
    pub last: bool,
    /// In which days begin.
    pub time_zone: &'a str,
    pub from: Timestamp,
    pub to: Timestamp,
    pub made_at: Timestamp,
    /// The oldest thing that is kept, where that is younger than the period.
    pub counts_from: Option<Timestamp>,
    /// When each day of the period begins.
    pub days: &'a [Timestamp],
    pub units: &'a [UnitPeriod],
    /// All that there ever were.
    pub orders: &'a [OrderView],
    pub outlook: &'a Outlook,
    /// Those of the period.
    pub presses: &'a [PressLine],
    /// The last test press of each unit before the end of the period, as far as they are kept.
    pub tested_before: &'a BTreeMap<UnitId, Timestamp>,
    /// From when presses are kept. None: from the beginning.
    pub presses_since: Option<Timestamp>,
}

/// One unit's time in the period, and how ready it was at the end.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitPeriod {
    pub row: AvailabilityRow,
    pub at_end: Readiness,
}

/// How one unit stood with its tests and drills at the end of the period.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    pub unit: &'a UnitPeriod,
    /// None: it joined the fleet since the outlook was made.
    pub facts: Option<&'a DrillRow>,
    pub tests: Tests,
    pub drill: Drill,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    pub period: ReportPeriod,
    /// Up to a moment, instead of whole days of the calendar.
    pub last: bool,
    /// In which its days begin.
    pub time_zone: String,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Forecasts, stuck buttons and what is overdue by name are as of then.
    pub made_at: Timestamp,
    /// From when figures count, where less is kept than the period.
    pub counts_from: Option<Timestamp>,
    pub fleet: Group,
    pub cities: Vec<Group>,
    pub site_types: Vec<Group>,
    pub crews: Vec<Group>,
    /// Of the orders on units.
    pub components: Vec<Work>,
    /// Most openings first.
    pub offenders: Vec<Offender>,
    pub presses: PressFigures,
    /// The worst first, a few of them; how many there are is in `fleet.drills`.
    pub overdue: Vec<OverdueRow>,
    pub stuck: Vec<StuckRow>,
    /// What will fail next, soonest first.
    pub forecasts: Vec<ForecastRow>,
    /// Openings and reopenings of each crew on each day.
    pub load: Vec<CrewLoad>,
}

/// Against EEMUA 191.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CrewLoad {
    pub crew: CrewId,
    pub days: Vec<DayLoad>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DayLoad {
    /// When the day begins.
    pub from: Timestamp,
    pub openings: usize,
}

/// Units that have something in common, and the orders on them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    #[serde(flatten)]
    pub availability: GroupAvailability,
    /// Of the time in which tests could have proved it, the part in which they had. None: no such time.
    pub proved_pct: Option<f64>,
    pub mtbf_hours: Option<f64>,
    pub drills: DrillFigures,
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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Work {
    pub name: String,
    #[serde(flatten)]
    pub work: WorkFigures,
}

/// What was asked of crews in the period, and what came of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
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

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Offender {
    pub unit: UnitId,
    pub openings: usize,
    pub components: Vec<String>,
}

pub fn report(material: &Material<'_>) -> Report {
    let Material { from, to, orders, .. } = *material;
    let period = Period { from, to };
    let standings = standings(material);
    let everyone: Vec<&Standing<'_>> = standings.iter().collect();
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
        period: material.period,
        last: material.last,
        time_zone: material.time_zone.to_owned(),
        from,
        to,
        made_at: material.made_at,
        counts_from: material.counts_from,
        fleet: period.group("fleet", &everyone, &all),
        cities: period.groups(&standings, &on_units, |r| r.row.city.to_string(), None),
        site_types: period.groups(&standings, &on_units, |r| r.row.site_type.clone(), None),
        // Orders on circuits have crews, too.
        crews: period.groups(&standings, &all, |r| r.row.crew.to_string(), Some(&crew_of)),
        components: components.into_iter().map(component).filter(|w| w.work != WorkFigures::default()).collect(),
        offenders: period.offenders(&on_units),
        presses: PressFigures::of(material),
        overdue: drills::overdue(&standings, material),
        stuck: drills::stuck(&standings),
        forecasts: material.outlook.forecasts.clone(),
        load: period.load(material.days, orders),
    }
}

/// Of each unit, in the order of the material.
pub fn standings<'a>(material: &Material<'a>) -> Vec<Standing<'a>> {
    let facts: BTreeMap<&UnitId, &DrillRow> = material.outlook.drills.iter().map(|d| (&d.unit, d)).collect();
    let standing = |unit: &'a UnitPeriod| {
        let Some(row) = facts.get(&unit.row.row.unit).copied() else {
            return Standing { unit, facts: None, tests: Tests::NotKnown, drill: Drill::NotAsked };
        };
        let before = material.tested_before.get(&row.unit).copied();
        let drill = row.drill_at(material.to, before, material.presses_since);
        let tests = row.tests_at(material.to, unit.at_end, material.outlook.selftest_valid_s, drill);
        Standing { unit, facts: Some(row), tests, drill }
    };
    material.units.iter().map(standing).collect()
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
        standings: &[Standing<'_>],
        orders: &[&OrderView],
        name: impl Fn(&AvailabilityRow) -> String,
        of_order: Option<&dyn Fn(&OrderView) -> String>,
    ) -> Vec<Group> {
        let of_unit: BTreeMap<&UnitId, String> =
            standings.iter().map(|s| (&s.unit.row.row.unit, name(&s.unit.row))).collect();
        let of = |order: &OrderView| match of_order {
            Some(of_order) => Some(of_order(order)),
            None => of_unit.get(order.unit.as_ref()?).cloned(),
        };
        let mut units: BTreeMap<String, Vec<&Standing<'_>>> = BTreeMap::new();
        for standing in standings {
            units.entry(name(&standing.unit.row)).or_default().push(standing);
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
                let standings = units.get(&name).unwrap_or(&nothing.0);
                let orders = theirs.get(&name).unwrap_or(&nothing.1);
                self.group(&name, standings, orders)
            })
            .filter(|group| group.availability.units > 0 || group.work != WorkFigures::default())
            .collect()
    }

    fn group(self, name: &str, standings: &[&Standing<'_>], orders: &[&OrderView]) -> Group {
        let availability = GroupAvailability::sum(name, standings.iter().map(|s| &s.unit.row));
        let hours = |r: Readiness| availability.seconds.of(r).as_secs_f64() / 3600.0;
        let seen: f64 =
            [Readiness::Ready, Readiness::Impaired, Readiness::NotReady, Readiness::Silent].map(hours).iter().sum();
        let unproven = hours(Readiness::Unproven);
        let failures = orders.iter().filter(|o| o.unit.is_some() && o.priority != Priority::P4);
        let failures: usize = failures.map(|o| self.openings(o).count()).sum();
        Group {
            proved_pct: (seen + unproven > 0.0).then(|| 100.0 * seen / (seen + unproven)),
            mtbf_hours: (failures > 0).then(|| seen / failures as f64),
            drills: DrillFigures::of(standings.iter().copied()),
            work: self.work(orders),
            availability,
        }
    }

    /// A crew without orders in the period has no load to show.
    fn load(self, days: &[Timestamp], orders: &[OrderView]) -> Vec<CrewLoad> {
        let mut crews: BTreeMap<&CrewId, Vec<usize>> = BTreeMap::new();
        for order in orders {
            for i in self.openings(order) {
                let day = days.partition_point(|from| *from <= order.history[i].at).saturating_sub(1);
                if let Some(count) = crews.entry(&order.crew).or_insert_with(|| vec![0; days.len()]).get_mut(day) {
                    *count += 1;
                }
            }
        }
        let of_days = |counts: Vec<usize>| {
            days.iter().zip(counts).map(|(from, openings)| DayLoad { from: *from, openings }).collect()
        };
        crews.into_iter().map(|(crew, counts)| CrewLoad { crew: crew.clone(), days: of_days(counts) }).collect()
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

/// The last change of the order is the first word of a person since it was opened: how long that took.
pub fn just_answered(order: &OrderView) -> Option<Duration> {
    let opening = order.history.iter().rposition(|c| matches!(c.state, OrderState::Opened | OrderState::Reopened))?;
    (opening + 2 == order.history.len()).then(|| answer(order, opening)).flatten()
}

/// The last change of the order is that it was closed after a repair which held: how long the repair took.
pub fn just_repaired(order: &OrderView) -> Option<Duration> {
    let closed = order.history.len().checked_sub(1)?;
    let is_closed = order.history[closed].state == OrderState::Closed && is_verified(order, closed);
    is_closed.then(|| repair(order, closed - 1)).flatten()
}

/// The repairs that were verified in the period: which unit's, and how long each took.
pub(super) fn repairs(from: Timestamp, to: Timestamp, orders: &[OrderView]) -> Vec<(&UnitId, Duration)> {
    let period = Period { from, to };
    let mut repairs = Vec::new();
    for order in orders {
        let Some(unit) = &order.unit else { continue };
        for (i, change) in order.history.iter().enumerate() {
            if change.state == OrderState::Verified && period.holds(change.at) {
                repairs.extend(repair(order, i).map(|took| (unit, took)));
            }
        }
    }
    repairs
}

/// None: of nothing.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[n / 2]),
        n => Some((values[n / 2 - 1] + values[n / 2]) / 2.0),
    }
}

fn mean_hours(spans: &[Duration]) -> Option<f64> {
    let sum: Duration = spans.iter().sum();
    (!spans.is_empty()).then(|| sum.as_secs_f64() / 3600.0 / spans.len() as f64)
}

#[cfg(test)]
mod tests;
