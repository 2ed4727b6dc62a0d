//! What somebody asked of one unit, and how far that has come. Never sends anything.
//!
//! ```text
//!            away                     reply ok                tests' results, a new boot, a light
//!  waiting ────────▶ sent ──────────▶ accepted ─────────────▶ done
//!     │               │ reply not ok      │
//!     │               └──────▶ refused    │
//!     └── too late ───┴── too late ───────┴── nothing came ──▶ expired
//! ```
//!
//! A unit that did it after all is believed: `done` may follow `expired`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::component::{Component, words};
use super::ids::UnitId;
use super::message::{Do, Outcome};
use super::time::Timestamp;
use super::view::TestView;

words!(
    CommandState {
        /// The unit is away, or on the way to it.
        Waiting = "waiting",
        /// The unit has it, or the external broker has it for the unit; no reply yet.
        Sent = "sent",
        /// It replied that it will.
        Accepted = "accepted",
        /// It replied that it will not.
        Refused = "refused",
        Done = "done",
        /// It did not begin in time, or began and told nothing.
        Expired = "expired",
    }
);

impl CommandState {
    /// Nothing more is waited for.
    pub const fn is_final(self) -> bool {
        match self {
            CommandState::Waiting | CommandState::Sent | CommandState::Accepted => false,
            CommandState::Refused | CommandState::Done | CommandState::Expired => true,
        }
    }
}

/// One command as programs and people read it: every field is always there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CommandView {
    pub id: String,
    pub unit: UnitId,
    #[serde(rename = "do")]
    pub act: Do,
    /// Empty: all.
    pub components: Vec<Component>,
    /// `buttonwatch`, or the person; empty when it was asked before the service's last start.
    pub by: String,
    pub asked_at: Timestamp,
    /// The unit must have begun by then.
    pub expires_at: Timestamp,
    pub state: CommandState,
    pub finished: bool,
    pub sent_at: Option<Timestamp>,
    pub replied_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// A sentence: what this state means, and what to do.
    pub says: String,
    /// What kept it from the unit, when it was last tried; a part of `says`.
    #[serde(skip)]
    pub hindrance: Option<Hindrance>,
    /// Why the unit refused, in its own words.
    pub error: Option<String>,
    /// Of a self-test that is done.
    pub results: Vec<TestView>,
}

impl CommandView {
    /// None: it is not done, or it is no self-test. Inconclusive and skipped tests are neither failures nor passes.
    pub fn passed(&self) -> Option<bool> {
        if self.state != CommandState::Done || self.act != Do::Selftest {
            return None;
        }
        Some(self.results.iter().all(|test| match test.result {
            Outcome::Fail => false,
            Outcome::Pass | Outcome::Inconclusive | Outcome::Skipped => true,
        }))
    }
}

/// Why a command has not gone out yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    Away,
    TakesNoCommands,
    /// It is connected, and has acknowledged nothing for a while.
    Slow,
    BrokerAway,
    Other(String),
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hindrance::Away => f.write_str("it is not connected; it is asked as soon as it is back"),
            Hindrance::TakesNoCommands => f.write_str(
                "it is connected, but has not subscribed to its command topic: its firmware takes no commands",
            ),
            Hindrance::Slow => {
                f.write_str("it is connected, but does not acknowledge the command; it is asked again and again")
            }
            Hindrance::BrokerAway => {
                f.write_str("the external broker cannot be reached; it is asked as soon as the broker is back")
            }
            Hindrance::Other(why) => f.write_str(why),
        }
    }
}

/// The unit must have begun within these. Err of a shorter or longer one: `WITHIN_SAID`.
pub const WITHIN_MIN: Duration = Duration::from_secs(5);
pub const WITHIN_MAX: Duration = Duration::from_secs(24 * 3600);
pub const WITHIN_SAID: &str = "a command is worth 5 s to 24 h";

impl Do {
    /// When nobody says otherwise. A test an hour later is still good to have; a unit that reboots or flashes when nobody
    /// expects it any more is not.
    pub const fn worth_for(self) -> Duration {
        match self {
            Do::Selftest => Duration::from_secs(3600),
            Do::Locate | Do::Reboot => Duration::from_secs(300),
        }
    }

    /// So long after its `ok` a unit may take to tell what came of it: a microphone test tries three times; a slow
    /// controller boots and finds its network in some minutes.
    pub const fn done_within(self) -> Duration {
        match self {
            Do::Selftest => Duration::from_secs(180),
            Do::Locate => Duration::ZERO,
            Do::Reboot => Duration::from_secs(600),
        }
    }

    /// For sentences: "PSH-001 was asked for …".
    pub const fn noun(self) -> &'static str {
        match self {
            Do::Selftest => "a self-test",
            Do::Locate => "a sign where it is",
            Do::Reboot => "a reboot",
        }
    }
}
