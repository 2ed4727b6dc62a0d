//! How bad (X.733 severity) and how soon (priority).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::component::words;

words!(
    /// X.733 perceived severity, worst first. Cleared is a state of an alert, not a severity.
    Severity {
        Critical = "critical",
        Major = "major",
        Minor = "minor",
        Warning = "warning",
    }
);

words!(
    /// How soon a work order is due, soonest first.
    Priority {
        P1 = "P1",
        P2 = "P2",
        P3 = "P3",
        /// At the next visit: no due time of its own.
        P4 = "P4",
    }
);

impl Severity {
    /// What an order gets when its rule names no priority. A warning alone sends nobody out.
    pub fn default_priority(self) -> Option<Priority> {
        match self {
            Severity::Critical => Some(Priority::P1),
            Severity::Major => Some(Priority::P2),
            Severity::Minor => Some(Priority::P3),
            Severity::Warning => None,
        }
    }
}

/// Time allowed from opening to repair. A setting; these are DESIGN §2's figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorityTargets {
    pub p1: Duration,
    pub p2: Duration,
    pub p3: Duration,
}

impl Default for PriorityTargets {
    fn default() -> Self {
        PriorityTargets {
            p1: Duration::from_secs(4 * 3600),
            p2: Duration::from_secs(24 * 3600),
            p3: Duration::from_secs(7 * 86_400),
        }
    }
}

impl PriorityTargets {
    /// None: P4 waits for the next visit.
    pub fn target(&self, priority: Priority) -> Option<Duration> {
        match priority {
            Priority::P1 => Some(self.p1),
            Priority::P2 => Some(self.p2),
            Priority::P3 => Some(self.p3),
            Priority::P4 => None,
        }
    }
}
