//! One newtype per identifier. Constructors validate; nothing checks again.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::text::{Pool, SharedText};

/// Why a text is not an identifier: `what` it should have been, the text, and the rule it broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidId {
    pub what: &'static str,
    pub text: String,
    pub rule: &'static str,
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a {}: {}", self.text, self.what, self.rule)
    }
}

impl std::error::Error for InvalidId {}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident($kept:ty), $what:literal, $rule:literal, $pattern:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name($kept);

        impl $name {
            /// Err: the text breaks the rule of this identifier.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok($name(text.into()))
                } else {
                    Err(InvalidId { what: $what, text: text.chars().take(80).collect(), rule: $rule })
                }
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": concat!("A ", $what, ": ", $rule), "pattern": $pattern })
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.as_str().to_owned()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

/// DESIGN §2: `[A-Za-z0-9][A-Za-z0-9_-]{0,47}`.
fn is_unit_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= 48
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// Names of places and circuits come from a spreadsheet: any script, but no control characters.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && text.chars().count() <= 120 && !text.chars().any(char::is_control)
}

/// Rule ids stand in metrics, mails and thread ids: small letters, digits and hyphens.
fn is_slug(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= 64
        && bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

const NAME_RULE: &str = "1 to 120 characters, no control characters, no space at either end";
const SLUG_RULE: &str = "small letters, digits and hyphens, a letter first, at most 64";

text_id!(
    /// One emergency button. Found by its text at every message: kept one step nearer than the shared ones.
    UnitId(Arc<str>), "unit id",
    "it must start with a letter or digit and hold only letters, digits, _ and -, at most 48", r"^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$", is_unit_id);
text_id!(
    /// The place where units stand.
    SiteId(SharedText), "site", "1 to 120 characters, no control characters, no space at either end", r"^\S(.{0,118}\S)?$", is_name);
text_id!(
    /// Who repairs.
    CrewId(SharedText), "crew", "1 to 120 characters, no control characters, no space at either end", r"^\S(.{0,118}\S)?$", is_name);
text_id!(
    /// The network circuit that units share.
    UplinkId(SharedText), "uplink", "1 to 120 characters, no control characters, no space at either end", r"^\S(.{0,118}\S)?$", is_name);
text_id!(
    /// The power feeder that units share.
    FeederId(SharedText), "feeder", "1 to 120 characters, no control characters, no space at either end", r"^\S(.{0,118}\S)?$", is_name);
text_id!(
    City(SharedText),
    "city",
    "1 to 120 characters, no control characters, no space at either end",
    r"^\S(.{0,118}\S)?$",
    is_name
);
text_id!(
    District(SharedText),
    "district",
    "1 to 120 characters, no control characters, no space at either end",
    r"^\S(.{0,118}\S)?$",
    is_name
);
text_id!(
    /// The name of an uplink, feeder, site, city, or `fleet`: whatever an incident is about.
    GroupName(SharedText), "group name", "1 to 120 characters, no control characters, no space at either end", r"^\S(.{0,118}\S)?$", is_name);
text_id!(
    /// A `[[rule]]` of alerts.toml.
    RuleId(SharedText), "rule id", "small letters, digits and hyphens, a letter first, at most 64", r"^[a-z][a-z0-9-]{0,63}$", is_slug);
text_id!(
    /// An `[[incident]]` of alerts.toml.
    IncidentRuleId(SharedText), "incident id", "small letters, digits and hyphens, a letter first, at most 64", r"^[a-z][a-z0-9-]{0,63}$", is_slug);
text_id!(
    /// A `[[diagnosis]]` of alerts.toml.
    DiagnosisId(SharedText), "diagnosis id", "small letters, digits and hyphens, a letter first, at most 64", r"^[a-z][a-z0-9-]{0,63}$", is_slug);
text_id!(
    /// RFC 5322 Message-ID with its angle brackets: `<wo-000042.1@example.org>`.
    MessageId(SharedText), "message id", "<local@domain> of printable ASCII without spaces", r"^<[!-~]*@[!-~]*>$",
    |t| t.len() <= 250 && t.starts_with('<') && t.ends_with('>') && t.contains('@')
        && t.bytes().all(|b| b.is_ascii_graphic()));

impl UnitId {
    /// For the hot path: the same rule as `parse`, without making the id.
    pub fn is_valid(text: &str) -> bool {
        is_unit_id(text)
    }
}

macro_rules! shared {
    ($($name:ident)+) => {$(
        impl $name {
            pub(super) fn share(&mut self, pool: &mut Pool) {
                pool.share(&mut self.0);
            }
        }
        /// The rule of both is the same.
        impl From<&$name> for GroupName {
            fn from(id: &$name) -> GroupName {
                GroupName(id.0.clone())
            }
        }
    )+};
}

shared!(SiteId CrewId UplinkId FeederId City District);

impl RuleId {
    pub const RULE: &'static str = SLUG_RULE;
}
impl SiteId {
    pub const RULE: &'static str = NAME_RULE;
}

impl MessageId {
    /// As people type it: with or without the `< >` that stand around it in a mail. Err: as of [`MessageId::parse`].
    pub fn parse_typed(text: &str) -> Result<Self, InvalidId> {
        Self::parse(&format!("<{}>", text.trim_matches(['<', '>'])))
    }
    /// Without the `< >`, which a shell would take for itself.
    pub fn bare(&self) -> &str {
        self.as_str().trim_matches(['<', '>'])
    }
}

/// A work order's number. Written `WO-000042`; numbers past 999999 grow wider.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrderId(u32);

impl OrderId {
    pub fn new(number: u32) -> Self {
        OrderId(number)
    }
    pub fn number(self) -> u32 {
        self.0
    }
    /// `WO-000042`, `wo-42` or `42`. Err: none of these.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let digits = match text.get(..3) {
            Some(prefix) if prefix.eq_ignore_ascii_case("wo-") => &text[3..],
            _ => text,
        };
        let invalid = || InvalidId {
            what: "work order",
            text: text.chars().take(80).collect(),
            rule: "write it as WO-000042 or 42",
        };
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(invalid());
        }
        digits.parse().map(OrderId).map_err(|_| invalid())
    }
}

impl schemars::JsonSchema for OrderId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OrderId".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "A work order's number", "pattern": "^WO-[0-9]{6,10}$" })
    }
}
impl TryFrom<String> for OrderId {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::parse(&text)
    }
}
impl From<OrderId> for String {
    fn from(id: OrderId) -> String {
        id.to_string()
    }
}
impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WO-{:06}", self.0)
    }
}
impl fmt::Debug for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_ids_follow_the_contract() {
        for good in ["PSH-001", "a", "0", "A_b-9", &"x".repeat(48)] {
            assert!(UnitId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "_a", "é", "a b", "a/b", "a+", "a#", "$SYS", &"x".repeat(49)] {
            assert!(UnitId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_order_is_found_by_any_way_people_write_its_number() {
        for text in ["WO-000042", "wo-42", "42"] {
            assert_eq!(OrderId::parse(text), Ok(OrderId::new(42)));
        }
        for text in ["", "WO-", "WO-x", "-1", "99999999999", "é42"] {
            assert!(OrderId::parse(text).is_err(), "{text}");
        }
    }
}
