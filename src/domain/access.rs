//! Who may do what over HTTP. Never checks a token: `io::http::guard` does.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::component::words;

words!(
    /// Least first: each may do what those before it may.
    Role {
        /// Looks.
        Viewer = "viewer",
        /// Moves orders on, asks units for tests, sets maintenance.
        Crew = "crew",
        /// Everything: the fleet, the mails, cancelling, reboots.
        Admin = "admin",
    }
);

/// Whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name of the token. None: there is no token, as on loopback, or it has no name.
    pub name: Option<String>,
    pub role: Role,
}

impl Caller {
    /// Someone on this machine, where no token is wanted.
    pub const LOCAL: Caller = Caller { name: None, role: Role::Admin };
}
