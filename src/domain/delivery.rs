//! What became of a mail for each of its addresses. Owns the words; who decides is the outbox's worker, who keeps them the
//! store.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::component::words;
use super::time::Timestamp;

words!(
    AddressState {
        /// Not tried yet, or put off by the server: tried again.
        Waiting = "waiting",
        /// The server took it for this address. Never sent there again.
        Delivered = "delivered",
        /// For good: not tried again by itself.
        Refused = "refused",
    }
);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddressOutcome {
    pub address: String,
    pub state: AddressState,
    /// When this was found out. None: not tried yet.
    pub at: Option<Timestamp>,
    /// The server's own. None: it said nothing, or what it said was about no code.
    pub code: Option<u16>,
    /// What the server, or the line to it, said. Empty: nothing that matters.
    pub text: String,
}

impl AddressOutcome {
    pub fn untried(address: String) -> Self {
        AddressOutcome { address, state: AddressState::Waiting, at: None, code: None, text: String::new() }
    }

    /// `550 5.1.1 no such user`. Empty: nothing was said.
    pub fn said(&self) -> String {
        match self.code {
            // Many texts begin with their code.
            Some(code) if !self.text.starts_with(&code.to_string()) => {
                format!("{code} {}", self.text).trim().to_owned()
            }
            Some(_) | None => self.text.clone(),
        }
    }
}

impl fmt::Display for AddressOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.address, self.state)?;
        let said = self.said();
        if said.is_empty() { Ok(()) } else { write!(f, " ({said})") }
    }
}
