//! What the public may know: figures of groups of buttons over a period that is over. Never of one button, and never of so
//! few that one could be told from them.
//!
//! Every unit of the fleet is in one city and has one type of site. Groups that are too small are put together
//! (`disclosure`); a figure that only a few buttons of a group have a part in is left out, and with it what could be
//! worked out by taking others from the total.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::availability::Times;
use super::disclosure::{Shown, shown};
use super::ids::UnitId;
use super::outlook::Drill;
use super::readiness::Readiness;
use super::report::{Material, ReportPeriod, Standing, median, repairs, standings};
use super::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PublicReport {
    pub period: ReportPeriod,
    pub from: Timestamp,
    /// As of then: nothing that happened later is in it.
    pub to: Timestamp,
    /// From when figures count, where less is kept than the period.
    pub counts_from: Option<Timestamp>,
    /// Not before then will there be another edition.
    pub next_at: Timestamp,
    /// The zone in which the period begins and ends at midnight.
    pub time_zone: String,
    pub smallest_group: usize,
    /// None: the whole fleet is smaller than the smallest group.
    pub total: Option<PublicGroup>,
    pub cities: Vec<PublicGroup>,
    pub site_types: Vec<PublicGroup>,
    pub method: Vec<String>,
}

/// A figure that is not there: nothing to tell, or only a few buttons have a part in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PublicGroup {
    pub name: String,
    /// Small groups put together.
    pub is_rest: bool,
    pub units: usize,
    /// Of the time of which it is known whether a press would have been answered.
    pub available_pct: Option<f64>,
    /// Of all the time, the part of which nothing is known.
    pub unknown_pct: Option<f64>,
    /// Of the buttons, those that were proved to work at the end. None: nobody watched yet.
    pub proved_pct: Option<f64>,
    /// Of the buttons whose test press was due, those that had it.
    pub drills_pct: Option<f64>,
    pub median_repair_hours: Option<f64>,
}

/// What is fixed for an edition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicRules {
    pub smallest_group: usize,
    pub next_at: Timestamp,
}

/// One unit's part in the figures.
struct Part<'a> {
    city: &'a str,
    site_type: &'a str,
    seconds: &'a Times,
    is_proved: bool,
    /// None: no test press was due.
    drilled: Option<bool>,
    repairs: Vec<Duration>,
}

pub fn public_report(material: &Material<'_>, rules: PublicRules) -> PublicReport {
    let standings = standings(material);
    let mut repaired: BTreeMap<&UnitId, Vec<Duration>> = BTreeMap::new();
    for (unit, took) in repairs(material.from, material.to, material.orders) {
        repaired.entry(unit).or_default().push(took);
    }
    let parts: Vec<Part<'_>> = standings.iter().map(|s| part(s, &repaired)).collect();
    // Of a period in which nobody watched there is nothing to say, not that nothing worked.
    let is_watched = material.counts_from.is_none_or(|from| from < material.to);
    let fleet = Fleet::of(&parts, rules.smallest_group, is_watched);
    PublicReport {
        period: material.period,
        from: material.from,
        to: material.to,
        counts_from: material.counts_from,
        next_at: rules.next_at,
        time_zone: material.time_zone.to_owned(),
        smallest_group: rules.smallest_group,
        total: fleet.as_ref().map(Fleet::total),
        cities: fleet.as_ref().map(|f| f.groups(Cut::City)).unwrap_or_default(),
        site_types: fleet.as_ref().map(|f| f.groups(Cut::SiteType)).unwrap_or_default(),
        method: method(rules.smallest_group),
    }
}

fn part<'a>(standing: &Standing<'a>, repaired: &BTreeMap<&UnitId, Vec<Duration>>) -> Part<'a> {
    let row = &standing.unit.row;
    let tests_passed = matches!(standing.unit.at_end, Readiness::Ready | Readiness::Impaired);
    let pressed = matches!(standing.drill, Drill::Done | Drill::NotDueYet | Drill::NotAsked);
    Part {
        city: row.row.city.as_str(),
        site_type: &row.row.site_type,
        seconds: &row.seconds,
        is_proved: tests_passed && pressed,
        drilled: match standing.drill {
            Drill::Done => Some(true),
            Drill::Overdue(_) => Some(false),
            Drill::NotDueYet | Drill::NotKnown | Drill::NotAsked => None,
        },
        repairs: repaired.get(&row.row.unit).cloned().unwrap_or_default(),
    }
}

#[derive(Clone, Copy)]
enum Cut {
    City,
    SiteType,
}

/// Of each figure: which groups of either cut may show it.
struct Fleet<'a> {
    parts: &'a [Part<'a>],
    least: usize,
    is_watched: bool,
    cities: Names<'a>,
    site_types: Names<'a>,
    available: Option<Shown>,
    drills: Option<Shown>,
}

/// The groups of one cut, and in which of them each unit is. The last one is the rest, if there is one.
struct Names<'a> {
    groups: Vec<Option<&'a str>>,
    of: Vec<usize>,
}

impl<'a> Names<'a> {
    fn of(parts: &'a [Part<'a>], name: impl Fn(&Part<'a>) -> &'a str, shown: &BTreeSet<&'a str>) -> Self {
        let mut groups: Vec<Option<&str>> = shown.iter().copied().map(Some).collect();
        let place = |part| {
            let name = name(part);
            shown.iter().position(|s| *s == name).unwrap_or(shown.len())
        };
        let of: Vec<usize> = parts.iter().map(place).collect();
        if of.contains(&shown.len()) {
            groups.push(None);
        }
        Names { groups, of }
    }
}

impl<'a> Fleet<'a> {
    /// None: all of it is too small a group.
    fn of(parts: &'a [Part<'a>], least: usize, is_watched: bool) -> Option<Self> {
        let (cities, site_types) = (names(parts, |p| p.city), names(parts, |p| p.site_type));
        let index = |names: &[&str], name: &str| names.iter().position(|n| *n == name).unwrap_or_default();
        let cells: Vec<(usize, usize)> =
            parts.iter().map(|p| (index(&cities, p.city), index(&site_types, p.site_type))).collect();
        let groups = shown(&cells, least)?;
        let cities = Names::of(parts, |p| p.city, &groups.first.iter().map(|i| cities[*i]).collect());
        let site_types = Names::of(parts, |p| p.site_type, &groups.second.iter().map(|i| site_types[*i]).collect());
        let who = |has_part: &dyn Fn(&Part<'_>) -> bool| {
            let with_part = parts.iter().enumerate().filter(|(_, p)| has_part(p));
            let cells: Vec<_> = with_part.map(|(i, _)| (cities.of[i], site_types.of[i])).collect();
            shown(&cells, least)
        };
        let available = who(&|p| !p.seconds.counted().is_zero());
        let drills = who(&|p| is_watched && p.drilled.is_some());
        Some(Fleet { parts, least, is_watched, cities, site_types, available, drills })
    }

    fn total(&self) -> PublicGroup {
        let all: Vec<&Part<'_>> = self.parts.iter().collect();
        self.group("all", false, &all, self.available.is_some(), self.drills.is_some())
    }

    fn groups(&self, cut: Cut) -> Vec<PublicGroup> {
        let names = match cut {
            Cut::City => &self.cities,
            Cut::SiteType => &self.site_types,
        };
        // One group that is everybody says what the total says.
        if names.groups.len() == 1 && names.groups[0].is_none() {
            return Vec::new();
        }
        let may = |figure: &Option<Shown>, group: usize| {
            figure.as_ref().is_some_and(|shown| match cut {
                Cut::City => shown.first.contains(&group),
                Cut::SiteType => shown.second.contains(&group),
            })
        };
        let of = |group: usize| self.parts.iter().zip(&names.of).filter(move |(_, g)| **g == group).map(|(p, _)| p);
        let groups = names.groups.iter().enumerate().map(|(i, name)| {
            let parts: Vec<&Part<'_>> = of(i).collect();
            let (available, drills) = (may(&self.available, i), may(&self.drills, i));
            self.group(name.unwrap_or("other"), name.is_none(), &parts, available, drills)
        });
        groups.collect()
    }

    fn group(
        &self,
        name: &str,
        is_rest: bool,
        parts: &[&Part<'_>],
        may_available: bool,
        may_drills: bool,
    ) -> PublicGroup {
        let mut seconds = Times::default();
        parts.iter().for_each(|p| seconds += p.seconds);
        let share = |part: f64, of: f64| (of > 0.0).then(|| rounded_down(100.0 * part / of));
        let unknown = share(seconds.of(Readiness::Unknown).as_secs_f64(), seconds.total().as_secs_f64());
        let proved = parts.iter().filter(|p| p.is_proved).count();
        let drilled = parts.iter().filter(|p| p.drilled == Some(true)).count();
        let asked = parts.iter().filter(|p| p.drilled.is_some()).count();
        let repaired = parts.iter().filter(|p| !p.repairs.is_empty()).count();
        let mut repairs: Vec<f64> =
            parts.iter().flat_map(|p| &p.repairs).map(|took| took.as_secs_f64() / 3600.0).collect();
        PublicGroup {
            name: name.to_owned(),
            is_rest,
            units: parts.len(),
            available_pct: seconds.availability_pct().filter(|_| may_available).map(rounded_down),
            unknown_pct: unknown,
            proved_pct: share(proved as f64, parts.len() as f64).filter(|_| self.is_watched),
            drills_pct: share(drilled as f64, asked as f64).filter(|_| may_drills),
            // Medians cannot be taken from one another: each need only be of enough buttons itself.
            median_repair_hours: median(&mut repairs)
                .filter(|_| repaired >= self.least)
                .map(|hours| (hours * 10.0).round() / 10.0),
        }
    }
}

fn names<'a>(parts: &'a [Part<'a>], name: impl Fn(&Part<'a>) -> &'a str) -> Vec<&'a str> {
    parts.iter().map(name).collect::<BTreeSet<_>>().into_iter().collect()
}

/// To a tenth. What is nearly all is not all.
fn rounded_down(pct: f64) -> f64 {
    // 99.9 in binary is a little less.
    (pct * 10.0 + 1e-6).floor() / 10.0
}

fn method(least: usize) -> Vec<String> {
    [
        "Every button sends a sign of life all the time and tests its camera, microphone, power and link every day. From \
         that it is worked out, minute by minute, whether a press would have been answered.",
        "Available: the time in which a press would have been answered, of the time of which it is known whether it \
         would. A button that works worse than it should, and still calls for help, is available. A button that is \
         silent is not.",
        "Not known: the part of all the time of which nothing is known, because the watching itself failed or the \
         button was not heard yet. It counts neither as working nor as failed, and is told beside.",
        "Maintenance that was announced, and time in which a button's tests were not passed or too old, count neither way.",
        "Proved: buttons that at the end of the period were heard, had passed their own tests lately, had no fault that \
         stops a call, and had been pressed for a test in time.",
        "Test presses: of the buttons that have to be pressed by hand for a test, those that were, and the control room \
         answered.",
        "Median repair: half of the repairs that were proved to hold took less than this, from the report of the fault.",
        "All percentages are rounded down to a tenth.",
    ]
    .iter()
    .map(|line| (*line).to_owned())
    .chain([format!(
        "No figure is about fewer than {least} buttons. Smaller groups are put together as \"other\"; a figure that fewer \
         buttons have a part in is not shown, nor one from which it could be worked out. An edition is made once and not \
         changed; periods do not overlap.",
    )])
    .collect()
}

#[cfg(test)]
mod tests;
