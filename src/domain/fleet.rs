//! Units and the circuits they share. Immutable: a changed fleet is a new `Fleet`.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::BuildHasher;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

use super::component::words;
use super::ids::{City, CrewId, District, FeederId, GroupName, SiteId, UnitId, UplinkId};
use super::text::{Pool, SharedText};
use super::time::Timestamp;

/// One row of `fleet.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    pub unit: UnitId,
    pub name: Box<str>,
    pub site: SiteId,
    /// `market`, `bus-terminal`, `university`, `park`, …: a small-letter word of the operator's own.
    pub site_type: SharedText,
    pub city: City,
    pub district: Option<District>,
    pub address: Box<str>,
    /// Degrees, WGS 84: latitude, longitude.
    pub position: Option<(f64, f64)>,
    pub crew: CrewId,
    pub uplink: Option<UplinkId>,
    pub feeder: Option<FeederId>,
    pub model: SharedText,
    /// What the unit should keep to when it does not say so itself.
    pub heartbeat: Option<Duration>,
    /// Empty: in service from the first message on.
    pub commissioned: Option<Timestamp>,
    /// Who opens the door: name and phone, for the crew.
    pub contact: SharedText,
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

/// The same in every run; the ids are the operator's own, so nobody can choose them to collide.
fn hash(id: &str) -> u32 {
    (FixedState::default().hash_one(id.as_bytes()) >> 32) as u32
}

/// Units in the order of their ids, with their groups.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fleet {
    units: Vec<Unit>,
    /// Hash of each id and its place, sorted: every message asks, and the ids themselves lie far apart in memory.
    places: Vec<(u32, UnitIx)>,
    groups: BTreeMap<(GroupKind, GroupName), Arc<[UnitIx]>>,
}

impl Fleet {
    /// Sorts by id. Of two rows with one id the later wins; `config` has refused such files before.
    pub fn new(mut units: Vec<Unit>) -> Self {
        units.sort_by(|a, b| a.unit.cmp(&b.unit));
        units.dedup_by(|later, kept| {
            let same = later.unit == kept.unit;
            if same {
                std::mem::swap(later, kept);
            }
            same
        });
        units.shrink_to_fit();
        let mut pool = Pool::default();
        let mut groups: BTreeMap<(GroupKind, GroupName), Vec<UnitIx>> = BTreeMap::new();
        for (i, unit) in units.iter_mut().enumerate() {
            unit.share(&mut pool);
            for kind in GroupKind::ALL {
                if let Some(name) = unit.group(*kind) {
                    groups.entry((*kind, name)).or_default().push(UnitIx(i as u32));
                }
            }
        }
        // Collected anew: a tree that grew row by row is half empty.
        let groups = groups.into_iter().map(|(group, members)| (group, members.into())).collect();
        let mut places: Vec<(u32, UnitIx)> =
            units.iter().enumerate().map(|(i, u)| (hash(u.unit.as_str()), UnitIx(i as u32))).collect();
        places.sort_unstable();
        Fleet { units, places, groups }
    }

    pub fn len(&self) -> usize {
        self.units.len()
    }
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }
    /// None: not in this fleet (quarantine it).
    pub fn find(&self, id: &str) -> Option<UnitIx> {
        let hash = hash(id);
        let same = self.places[self.first_place(hash)..].iter().take_while(|(h, _)| *h == hash);
        same.map(|(_, ix)| *ix).find(|ix| self.unit(*ix).unit.as_str() == id)
    }
    /// Hashes are spread evenly, so the first guess is nearly right: halving would jump through all of a million.
    fn first_place(&self, hash: u32) -> usize {
        let len = self.places.len();
        let is_before = |at: usize| self.places[at].0 < hash;
        let (mut low, mut high) = (0, len);
        let mut at = ((u64::from(hash) * len as u64) >> 32) as usize;
        let mut step = 1;
        // Away from the guess, in growing steps, until it lies between two of them.
        while low < high && at < high {
            if is_before(at) {
                low = at + 1;
                at += step;
            } else {
                high = at;
                if at < low + step {
                    break;
                }
                at -= step;
            }
            step *= 2;
            if low > 0 && high < len {
                break;
            }
        }
        low + self.places[low..high].partition_point(|(h, _)| *h < hash)
    }
    pub fn unit(&self, ix: UnitIx) -> &Unit {
        &self.units[ix.index()]
    }
    pub fn units(&self) -> impl ExactSizeIterator<Item = (UnitIx, &Unit)> {
        self.units.iter().enumerate().map(|(i, u)| (UnitIx(i as u32), u))
    }
    pub fn groups(&self) -> &BTreeMap<(GroupKind, GroupName), Arc<[UnitIx]>> {
        &self.groups
    }
}

/// The name of the one group of its kind: asked for by every unit.
static EVERYONE: LazyLock<GroupName> = LazyLock::new(|| GroupName::parse("fleet").expect("a word is a name"));

impl Unit {
    /// None: the unit shares no such thing (its uplink is not known, say).
    pub fn group(&self, kind: GroupKind) -> Option<GroupName> {
        match kind {
            GroupKind::Uplink => self.uplink.as_ref().map(GroupName::from),
            GroupKind::Feeder => self.feeder.as_ref().map(GroupName::from),
            GroupKind::Site => Some((&self.site).into()),
            GroupKind::City => Some((&self.city).into()),
            GroupKind::Fleet => Some(EVERYONE.clone()),
        }
    }

    /// Its texts that other rows hold too become the same ones.
    fn share(&mut self, pool: &mut Pool) {
        let Unit { site, site_type, city, district, crew, uplink, feeder, model, contact, .. } = self;
        site.share(pool);
        city.share(pool);
        crew.share(pool);
        if let Some(district) = district {
            district.share(pool);
        }
        if let Some(uplink) = uplink {
            uplink.share(pool);
        }
        if let Some(feeder) = feeder {
            feeder.share(pool);
        }
        for text in [site_type, model, contact] {
            pool.share(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fleet(hashes: Vec<u32>) -> Fleet {
        let places = hashes.into_iter().enumerate().map(|(i, h)| (h, UnitIx(i as u32))).collect();
        Fleet { places, ..Fleet::default() }
    }

    proptest! {
        /// Even ones, and ones that are not: all in one place, many alike.
        #[test]
        fn the_first_place_of_a_hash_is_found_from_any_guess(
            mut hashes in prop_oneof![
                proptest::collection::vec(any::<u32>(), 0..300),
                proptest::collection::vec(0..40u32, 0..300),
                proptest::collection::vec(u32::MAX - 40..=u32::MAX, 0..300),
            ],
            other in any::<u32>(),
        ) {
            hashes.sort_unstable();
            let asked: Vec<u32> = hashes.iter().copied().chain([other, 0, u32::MAX]).collect();
            let fleet = fleet(hashes);
            for hash in asked {
                let expected = fleet.places.partition_point(|(h, _)| *h < hash);
                prop_assert_eq!(fleet.first_place(hash), expected);
            }
        }
    }
}
