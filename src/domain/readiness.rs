//! Can this button summon help right now?

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::component::words;

words!(
    /// DESIGN §2. The answer to the one question that rules the design.
    Readiness {
        Ready = "ready",
        /// Summons help, but worse than it should.
        Impaired = "impaired",
        NotReady = "not-ready",
        Silent = "silent",
        /// We were blind: nothing is known, so nothing is claimed.
        Unknown = "unknown",
        /// Never passed its tests, or they are overdue.
        Unproven = "unproven",
        Maintenance = "maintenance",
    }
);

impl Readiness {
    /// The number dashboards colour by (`unit_status.code`, DESIGN §6). Stable.
    pub fn code(self) -> u8 {
        match self {
            Readiness::Ready => 0,
            Readiness::Impaired => 1,
            Readiness::NotReady => 2,
            Readiness::Silent => 3,
            Readiness::Unknown => 4,
            Readiness::Unproven => 5,
            Readiness::Maintenance => 6,
        }
    }
}
