//! How the whole fleet stands, in few enough rows for one page however large it is: what the board's first page shows.
//! Owns the shapes and how places near each other become one. Never decides how a unit stands.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::component::Component;
use super::effect::AlertState;
use super::fleet::GroupKind;
use super::ids::{City, CrewId, GroupName, IncidentRuleId, OrderId, RuleId, UnitId};
use super::readiness::Readiness;
use super::rule::{Condition, ReadinessEffect};
use super::severity::{Priority, Severity};
use super::time::Timestamp;
use super::view::UnitRow;

/// Which part of the fleet.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Part {
    /// None: every city.
    pub city: Option<City>,
    /// None: wherever its units are.
    pub within: Option<Bounds>,
}

impl Part {
    pub fn is_everything(&self) -> bool {
        self.city.is_none() && self.within.is_none()
    }
}

/// A piece of the map, in degrees. Its edges belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    pub south: f64,
    pub west: f64,
    pub north: f64,
    pub east: f64,
}

impl Bounds {
    pub fn of((lat, lon): (f64, f64)) -> Self {
        Bounds { south: lat, west: lon, north: lat, east: lon }
    }
    /// `33.9,71.4,34.1,71.6`: south, west, north, east. None: it is not that, or not on this earth.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',').map(|part| part.trim().parse::<f64>().ok());
        let mut next = || parts.next().flatten().filter(|n| n.is_finite());
        let (south, west, north, east) = (next()?, next()?, next()?, next()?);
        let fits = south.abs() <= 90.0 && north.abs() <= 90.0 && west.abs() <= 180.0 && east.abs() <= 180.0;
        (fits && south <= north && west <= east && parts.next().is_none()).then_some(Bounds {
            south,
            west,
            north,
            east,
        })
    }
    pub fn contains(&self, (lat, lon): (f64, f64)) -> bool {
        (self.south..=self.north).contains(&lat) && (self.west..=self.east).contains(&lon)
    }
    pub fn and(self, other: Bounds) -> Bounds {
        Bounds {
            south: self.south.min(other.south),
            west: self.west.min(other.west),
            north: self.north.max(other.north),
            east: self.east.max(other.east),
        }
    }
    pub fn middle(&self) -> (f64, f64) {
        (f64::midpoint(self.south, self.north), f64::midpoint(self.west, self.east))
    }
    /// How many degrees of latitude a degree of longitude is as wide as, here.
    pub fn squeeze(&self) -> f64 {
        self.middle().0.to_radians().cos().max(0.01)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{},{}", self.south, self.west, self.north, self.east)
    }
}

/// How many units there are of each readiness.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts(BTreeMap<Readiness, usize>);

/// What should be looked at first.
pub const WORST_FIRST: [Readiness; 7] = [
    Readiness::NotReady,
    Readiness::Silent,
    Readiness::Impaired,
    Readiness::Unknown,
    Readiness::Unproven,
    Readiness::Maintenance,
    Readiness::Ready,
];

impl Counts {
    pub fn add(&mut self, readiness: Readiness, units: usize) {
        *self.0.entry(readiness).or_default() += units;
    }
    pub fn merge(&mut self, other: &Counts) {
        for (readiness, units) in &other.0 {
            self.add(*readiness, *units);
        }
    }
    pub fn of(&self, readiness: Readiness) -> usize {
        self.0.get(&readiness).copied().unwrap_or(0)
    }
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }
    /// None: there are no units.
    pub fn worst(&self) -> Option<Readiness> {
        WORST_FIRST.into_iter().find(|r| self.of(*r) > 0)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// False while the units cannot be heard.
    pub hearing: bool,
    /// Of the part that was asked for, like everything below but the cities and crews.
    pub counts: Counts,
    /// All of the fleet, by name.
    pub cities: Vec<CityCount>,
    pub crews: Vec<CrewId>,
    /// At most [`PLACES_MAX`]. Units near each other are one place.
    pub places: Vec<Place>,
    pub unplaced: usize,
    /// The first of those without a position.
    pub unplaced_units: Vec<UnitRow>,
    /// How many are `not-ready`, `silent` or `impaired`.
    pub broken: usize,
    /// The first of them, worst first, then the longest.
    pub broken_units: Vec<UnitRow>,
    /// The last of which the readiness changed, newest first.
    pub changed_units: Vec<UnitRow>,
    pub open_alerts: usize,
    pub open_orders: usize,
    pub overdue_orders: usize,
    pub open_incidents: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CityCount {
    pub city: City,
    pub counts: Counts,
}

/// Units that stand together, or so near that a map cannot show them apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The site's name; empty: several sites.
    pub site: String,
    pub sites: usize,
    /// None: units of several cities.
    pub city: Option<City>,
    /// None: several units.
    pub unit: Option<UnitId>,
    /// The middle of its units: latitude, longitude.
    pub position: (f64, f64),
    pub bounds: Bounds,
    pub counts: Counts,
}

/// One rule of `alerts.toml`, and how many units it concerns now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleRow {
    pub rule: RuleId,
    pub component: Component,
    pub severity: Severity,
    pub summary: String,
    /// Its condition in words, limits included.
    pub asks: String,
    /// `asks` in its parts, for a page in another language.
    #[serde(skip)]
    pub condition: Option<Condition>,
    pub for_s: f64,
    pub clear_for_s: f64,
    /// What it does to readiness while it fires.
    pub readiness: ReadinessEffect,
    /// None: nobody is sent.
    pub priority: Option<Priority>,
    pub action: Option<String>,
    /// It is for some units only.
    pub is_selective: bool,
    pub overrides: usize,
    pub pending: usize,
    pub firing: usize,
    pub inhibited: usize,
}

impl RuleRow {
    pub fn count(&mut self, state: AlertState) {
        match state {
            AlertState::Pending => self.pending += 1,
            AlertState::Firing => self.firing += 1,
            AlertState::Inhibited => self.inhibited += 1,
            AlertState::Resolved => {}
        }
    }
}

/// One `[[incident]]` of `alerts.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentRuleRow {
    pub rule: IncidentRuleId,
    pub group_by: GroupKind,
    pub of: Vec<RuleId>,
    pub inhibits: Vec<RuleId>,
    pub at_least: u32,
    /// Percent of the group's units.
    pub share_pct: f64,
    pub priority: Option<Priority>,
    pub open: usize,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RulesView {
    pub rules: Vec<RuleRow>,
    pub incidents: Vec<IncidentRuleRow>,
}

/// What one commit changed, for screens that are open.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Changed {
    pub units: Vec<UnitId>,
    pub orders: Vec<OrderId>,
    pub incidents: Vec<(GroupKind, GroupName)>,
    /// More than are named here: look anew at everything.
    pub and_more: bool,
}

/// A screen shows no more rows than this of what changed at once.
const CHANGED_MAX: usize = 64;

impl Changed {
    pub fn everything() -> Self {
        Changed { and_more: true, ..Changed::default() }
    }
    pub fn is_empty(&self) -> bool {
        !self.and_more && self.units.is_empty() && self.orders.is_empty() && self.incidents.is_empty()
    }
    pub fn unit(&mut self, unit: &UnitId) {
        self.and_more |= !add(&mut self.units, unit);
    }
    pub fn order(&mut self, order: OrderId) {
        self.and_more |= !add(&mut self.orders, &order);
    }
    pub fn incident(&mut self, kind: GroupKind, name: &GroupName) {
        self.and_more |= !add(&mut self.incidents, &(kind, name.clone()));
    }
    pub fn merge(&mut self, other: &Changed) {
        other.units.iter().for_each(|u| self.unit(u));
        other.orders.iter().for_each(|o| self.order(*o));
        other.incidents.iter().for_each(|(kind, name)| self.incident(*kind, name));
        self.and_more |= other.and_more;
    }
}

/// False: there is no room.
fn add<T: PartialEq + Clone>(to: &mut Vec<T>, one: &T) -> bool {
    if to.contains(one) {
        return true;
    }
    let fits = to.len() < CHANGED_MAX;
    if fits {
        to.push(one.clone());
    }
    fits
}

/// Columns and rows of the net that the map is laid under: more marks than this touch each other.
const NET: f64 = 18.0;
/// 18 by 18 and the edges.
pub const PLACES_MAX: usize = 361;
/// Degrees: some ten metres. Nearer places are one however far the map is magnified.
const ONE_SPOT: f64 = 0.0001;

/// Sites → places: those that a map of all of them cannot show apart become one.
pub fn gather(sites: Vec<Place>) -> Vec<Place> {
    let Some(all) = sites.iter().map(|s| s.bounds).reduce(Bounds::and) else { return sites };
    let squeeze = all.squeeze();
    let span = ((all.east - all.west) * squeeze).max(all.north - all.south).max(ONE_SPOT);
    let cell = span / NET;
    let mut net: BTreeMap<(i64, i64), Place> = BTreeMap::new();
    for site in sites {
        let (lat, lon) = site.position;
        let at = (((lat - all.south) / cell) as i64, ((lon - all.west) * squeeze / cell) as i64);
        match net.entry(at) {
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(site);
            }
            std::collections::btree_map::Entry::Occupied(mut taken) => taken.get_mut().take_in(site),
        }
    }
    // Neighbours on both sides of a line of the net.
    let mut places: Vec<Place> = Vec::with_capacity(net.len());
    for place in net.into_values() {
        let (lat, lon) = place.position;
        let near = places.iter_mut().find(|other| {
            let (dy, dx) = (other.position.0 - lat, (other.position.1 - lon) * squeeze);
            (dy * dy + dx * dx).sqrt() < cell * 0.75
        });
        match near {
            Some(other) => other.take_in(place),
            None => places.push(place),
        }
    }
    places
}

impl Place {
    /// In the middle of both, by their units.
    fn take_in(&mut self, other: Place) {
        let (mine, theirs) = (self.counts.total() as f64, other.counts.total() as f64);
        let middle = |a: f64, b: f64| (a * mine + b * theirs) / (mine + theirs).max(1.0);
        self.position = (middle(self.position.0, other.position.0), middle(self.position.1, other.position.1));
        self.bounds = self.bounds.and(other.bounds);
        self.counts.merge(&other.counts);
        if self.site != other.site {
            self.sites += other.sites;
            self.site = String::new();
        }
        if self.city != other.city {
            self.city = None;
        }
        self.unit = None;
    }
    /// Could a nearer look show its parts?
    pub fn has_parts(&self) -> bool {
        let Bounds { south, west, north, east } = self.bounds;
        self.sites > 1 && (north - south > ONE_SPOT || east - west > ONE_SPOT)
    }
}

/// What a list of units without a place, or of broken ones, has room for.
pub const ROWS_MAX: usize = 12;

/// When it is due, if it is over.
pub fn is_overdue(due_at: Option<Timestamp>, now: Timestamp) -> bool {
    due_at.is_some_and(|due| due < now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(name: &str, lat: f64, lon: f64, readiness: Readiness) -> Place {
        let mut counts = Counts::default();
        counts.add(readiness, 1);
        Place {
            site: name.to_owned(),
            sites: 1,
            city: City::parse("Peshawar").ok(),
            unit: UnitId::parse("PSH-001").ok(),
            position: (lat, lon),
            bounds: Bounds::of((lat, lon)),
            counts,
        }
    }

    #[test]
    fn sites_too_near_for_the_map_are_one_place_and_none_is_lost() {
        let near = gather(vec![
            site("a", 34.0, 71.5, Readiness::Ready),
            site("b", 34.0001, 71.5001, Readiness::Silent),
            site("c", 34.1, 71.6, Readiness::Ready),
        ]);
        assert_eq!(near.len(), 2);
        let both = near.iter().find(|p| p.sites == 2).expect("a and b");
        assert_eq!((both.counts.total(), both.counts.worst()), (2, Some(Readiness::Silent)));
        assert!(both.unit.is_none() && both.site.is_empty() && both.has_parts());
        assert_eq!(gather(vec![site("a", 34.0, 71.5, Readiness::Ready)]).len(), 1);
        assert!(gather(Vec::new()).is_empty());
    }

    #[test]
    fn however_many_sites_there_are_the_places_stay_few() {
        let sites = (0..100_000u32).map(|i| {
            let (x, y) = (f64::from(i % 317), f64::from(i / 317));
            site(&i.to_string(), 31.0 + y * 0.009, 70.0 + x * 0.011, Readiness::Ready)
        });
        let places = gather(sites.collect());
        assert!(places.len() <= PLACES_MAX, "{}", places.len());
        assert_eq!(places.iter().map(|p| p.counts.total()).sum::<usize>(), 100_000);
    }

    #[test]
    fn bounds_are_read_as_they_are_written_or_not_at_all() {
        let bounds = Bounds { south: 33.9, west: 71.4, north: 34.1, east: 71.6 };
        assert_eq!(Bounds::parse(&bounds.to_string()), Some(bounds));
        for bad in ["", "1,2,3", "1,2,3,4,5", "2,1,1,2", "1,NaN,2,3", "-91,0,0,0", "a,b,c,d", "0,0,inf,1"] {
            assert_eq!(Bounds::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn more_changes_than_a_screen_shows_become_a_look_at_everything() {
        let mut changed = Changed::default();
        assert!(changed.is_empty());
        for i in 0..200 {
            changed.order(OrderId::new(i % 100));
        }
        assert!(changed.and_more && changed.orders.len() == CHANGED_MAX);
    }
}
