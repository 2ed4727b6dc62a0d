//! What the engine needs from `buttonwatch.toml`. Every figure has the default that DESIGN gives.

use std::time::Duration;

use super::notice_plan::NoticePlans;
use super::severity::PriorityTargets;

#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// After "repaired", alerts must stay resolved this long before the order is verified.
    pub hold: Duration,
    /// A fault that comes back within this time reopens the same order.
    pub relapse_within: Duration,
    pub targets: PriorityTargets,
    /// How long a self-test's pass still proves something: a daily test and half a day of grace.
    pub selftest_valid: Duration,
    /// Who hears what, when.
    pub notices: NoticePlans,
    /// Right side of every Message-ID.
    pub mail_domain: String,
    /// Used when neither the unit nor the fleet file names an interval.
    pub heartbeat: Duration,
    /// Emit derived and received readings as effects, for `replay --readings`.
    pub readings: Vec<super::metric::Metric>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            hold: Duration::from_secs(2 * 3600),
            relapse_within: Duration::from_secs(7 * 86_400),
            targets: PriorityTargets::default(),
            selftest_valid: Duration::from_secs(36 * 3600),
            notices: NoticePlans::default(),
            mail_domain: "buttonwatch.invalid".to_owned(),
            heartbeat: Duration::from_secs(30),
            readings: Vec::new(),
        }
    }
}
