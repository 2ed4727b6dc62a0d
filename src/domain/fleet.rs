//! Units and the circuits they share. Immutable: a changed fleet is a new `Fleet`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::component::words;
use super::ids::{City, CrewId, District, FeederId, GroupName, SiteId, UnitId, UplinkId};
use super::time::Timestamp;

/// One row of `fleet.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    pub unit: UnitId,
    pub name: String,
    pub site: SiteId,
    /// `market`, `bus-terminal`, `university`, `park`, …: a small-letter word of the operator's own.
    pub site_type: String,
    pub city: City,
    pub district: Option<District>,
    pub address: String,
    /// Degrees, WGS 84: latitude, longitude.
    pub position: Option<(f64, f64)>,
    pub crew: CrewId,
    pub uplink: Option<UplinkId>,
    pub feeder: Option<FeederId>,
    pub model: String,
    /// What the unit should keep to when it does not say so itself.
    pub heartbeat: Option<Duration>,
    /// Empty: in service from the first message on.
    pub commissioned: Option<Timestamp>,
    /// Who opens the door: name and phone, for the crew.
    pub contact: String,
}

/// A unit's place in its `Fleet`. Only meaningful with that fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitIx(pub u32);

impl UnitIx {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

words!(
    /// What units can have in common.
    GroupKind {
        Uplink = "uplink",
        Feeder = "feeder",
        Site = "site",
        City = "city",
        Fleet = "fleet",
    }
);

/// Units in the order of their ids, with their groups.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fleet {
    units: Vec<Unit>,
    groups: BTreeMap<(GroupKind, GroupName), Vec<UnitIx>>,
}

impl Fleet {
    /// Sorts by id. Of two rows with one id the later wins; `config` has refused such files before.
    pub fn new(units: Vec<Unit>) -> Self {
        let by_id: BTreeMap<UnitId, Unit> = units.into_iter().map(|u| (u.unit.clone(), u)).collect();
        let units: Vec<Unit> = by_id.into_values().collect();
        let mut groups: BTreeMap<(GroupKind, GroupName), Vec<UnitIx>> = BTreeMap::new();
        for (i, unit) in units.iter().enumerate() {
            for kind in GroupKind::ALL {
                if let Some(name) = unit.group(*kind) {
                    groups.entry((*kind, name)).or_default().push(UnitIx(i as u32));
                }
            }
        }
        Fleet { units, groups }
    }

    pub fn len(&self) -> usize {
        self.units.len()
    }
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }
    /// None: not in this fleet (quarantine it).
    pub fn find(&self, id: &str) -> Option<UnitIx> {
        self.units.binary_search_by(|u| u.unit.as_str().cmp(id)).ok().map(|i| UnitIx(i as u32))
    }
    pub fn unit(&self, ix: UnitIx) -> &Unit {
        &self.units[ix.index()]
    }
    pub fn units(&self) -> impl ExactSizeIterator<Item = (UnitIx, &Unit)> {
        self.units.iter().enumerate().map(|(i, u)| (UnitIx(i as u32), u))
    }
    pub fn groups(&self) -> &BTreeMap<(GroupKind, GroupName), Vec<UnitIx>> {
        &self.groups
    }
}

impl Unit {
    /// None: the unit shares no such thing (its uplink is not known, say).
    pub fn group(&self, kind: GroupKind) -> Option<GroupName> {
        let text = match kind {
            GroupKind::Uplink => self.uplink.as_ref()?.as_str(),
            GroupKind::Feeder => self.feeder.as_ref()?.as_str(),
            GroupKind::Site => self.site.as_str(),
            GroupKind::City => self.city.as_str(),
            GroupKind::Fleet => "fleet",
        };
        Some(GroupName::parse(text).expect("every group's own id obeys the same rule"))
    }
}
