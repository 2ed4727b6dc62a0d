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

/// One of the keys of the service.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub name: Option<String>,
    pub role: Role,
    pub secret: String,
}

impl Token {
    /// The one of `BUTTONWATCH_TOKEN`.
    pub fn admin(secret: impl Into<String>) -> Token {
        Token { name: None, role: Role::Admin, secret: secret.into() }
    }
}

/// Without the secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

impl Caller {
    /// Someone on this machine, where no token is wanted.
    pub const LOCAL: Caller = Caller { name: None, role: Role::Admin };
}
