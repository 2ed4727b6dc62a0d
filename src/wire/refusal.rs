//! Why input from outside was refused: one word per kind, counted and shown with its newest example.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::component::words;

words!(
    /// The `kind` label of `buttonwatch_refused_total`. Stable.
    RefusalKind {
        /// Not `{root}/{unit}/{kind}`, or not UTF-8.
        BadTopic = "bad-topic",
        UnknownKind = "unknown-kind",
        /// A unit published under another's topic.
        ForeignTopic = "foreign-topic",
        /// Subscribed to something other than its own commands.
        ForeignSubscription = "foreign-subscription",
        /// Not in the fleet: quarantined.
        UnknownUnit = "unknown-unit",
        TooLarge = "too-large",
        NotJson = "not-json",
        MissingField = "missing-field",
        WrongType = "wrong-type",
        OutOfRange = "out-of-range",
        MissingSignature = "missing-signature",
        BadSignature = "bad-signature",
        BadClientId = "bad-client-id",
        BadCredentials = "bad-credentials",
        MalformedPacket = "malformed-packet",
        /// A protocol version that the gateway does not speak.
        UnsupportedVersion = "unsupported-version",
        /// No CONNECT in time, or a CONNECT that came too slowly.
        ConnectTimeout = "connect-timeout",
        KeepAliveTimeout = "keep-alive-timeout",
        TooManyConnections = "too-many-connections",
    }
);

/// One refused message, packet or connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub kind: RefusalKind,
    /// As far as it is known.
    pub unit: Option<String>,
    pub topic: String,
    /// What was wrong, and what it should have been.
    pub why: String,
    /// At most [`Refusal::EXAMPLE_BYTES`] of the payload.
    pub example: Vec<u8>,
}

impl Refusal {
    pub const EXAMPLE_BYTES: usize = 200;

    pub fn new(kind: RefusalKind, topic: &str, why: impl Into<String>) -> Self {
        Refusal { kind, unit: None, topic: topic.chars().take(200).collect(), why: why.into(), example: Vec::new() }
    }
    pub fn from_unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = Some(unit.into());
        self
    }
    pub fn example(mut self, payload: &[u8]) -> Self {
        self.example = payload[..payload.len().min(Self::EXAMPLE_BYTES)].to_vec();
        self
    }
}
