//! One try of one mail, address by address: who has it now, who is refused, who waits; and whether it is tried again.
//! Owns that judgement. Never sends, and keeps nothing.
//!
//! ```text
//!  waiting ──250 to the text──▶ delivered            all delivered ─▶ sent
//!     │  ▲                                            some waiting ─▶ tried again, for them alone
//!     │  └── 4xx, lost line: tried again              some refused ─▶ partly-sent
//!     └── 5xx, or given up ──▶ refused                 all refused ─▶ refused
//! ```

use std::time::Duration;

use crate::domain::{AddressOutcome, AddressState, MessageId, Timestamp};
use crate::io::smtp::{self, Delivered, DeliveryError, RetryPace};
use crate::io::store::MailOutcome;
use crate::render::mail::Mailbox;

/// As other mail systems: a server that was away over a long holiday is back by then.
const GIVE_UP_AFTER: Duration = Duration::from_secs(5 * 86_400);
/// A service that was off for a week has not tried for a week.
const TRIES_AT_LEAST: u32 = 10;

/// What one try made of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    pub outcome: MailOutcome,
    /// As they are now.
    pub addresses: Vec<AddressOutcome>,
}

/// Of the tries before this one.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    pub tries: u32,
    /// The decision, or when an operator last wanted it tried again.
    pub since: Timestamp,
    pub addresses: &'a [AddressOutcome],
}

impl Before<'_> {
    pub fn nothing(now: Timestamp) -> Self {
        Before { tries: 0, since: now, addresses: &[] }
    }
}

/// Whom the mail is for by the settings of today, with what is known of them. An address that was taken out of the settings
/// is forgotten, unless it has the mail.
pub fn addresses(to: &[Mailbox], before: &[AddressOutcome]) -> Vec<AddressOutcome> {
    let named = |a: &AddressOutcome| to.iter().any(|m| m.address == a.address);
    let mut all: Vec<AddressOutcome> =
        before.iter().filter(|a| a.state == AddressState::Delivered && !named(a)).cloned().collect();
    all.extend(to.iter().map(|mailbox| {
        let known = before.iter().find(|a| a.address == mailbox.address);
        known.cloned().unwrap_or_else(|| AddressOutcome::untried(mailbox.address.clone()))
    }));
    all
}

/// `addresses`: those of the mail; the waiting ones among them were tried.
pub fn judge(
    mut addresses: Vec<AddressOutcome>,
    result: Result<Delivered, DeliveryError>,
    before: &Before<'_>,
    pace: RetryPace,
    message_id: &MessageId,
    now: Timestamp,
) -> Tried {
    use AddressState::{Delivered as Has, Refused, Waiting};
    let (refused, deferred) = match &result {
        Ok(d) => (&d.refused, &d.deferred),
        Err(e) => (&e.refused, &e.deferred),
    };
    for address in addresses.iter_mut().filter(|a| a.state == Waiting) {
        let named = |list: &[smtp::Refused]| list.iter().find(|r| r.recipient == address.address).cloned();
        (address.state, address.code, address.text) = match (named(refused), named(deferred), &result) {
            (Some(r), _, _) => (Refused, Some(r.code), r.text),
            (None, Some(r), _) => (Waiting, Some(r.code), r.text),
            (None, None, Ok(_)) => (Has, None, String::new()),
            (None, None, Err(e)) => (if e.retry { Waiting } else { Refused }, e.code, e.text.clone()),
        };
        address.at = Some(now);
    }
    let is_over = before.tries >= TRIES_AT_LEAST && now >= before.since + GIVE_UP_AFTER;
    let waits = addresses.iter().any(|a| a.state == Waiting);
    let error = match &result {
        Err(e) => e.text.clone(),
        Ok(_) => {
            let missed = addresses.iter().filter(|a| a.state != Has);
            missed.map(AddressOutcome::to_string).collect::<Vec<_>>().join("; ")
        }
    };
    if waits && !is_over {
        let outcome = MailOutcome::TryAgain { at: now + pace.delay(before.tries + 1, message_id), error };
        return Tried { outcome, addresses };
    }
    for address in addresses.iter_mut().filter(|a| a.state == Waiting) {
        address.state = Refused;
    }
    let error = if waits { format!("given up after {} tries: {error}", before.tries + 1) } else { error };
    let has = addresses.iter().filter(|a| a.state == Has).count();
    let outcome = match has {
        0 => MailOutcome::Refused { error },
        n if n == addresses.len() => MailOutcome::Sent,
        _ => MailOutcome::PartlySent { error },
    };
    Tried { outcome, addresses }
}

/// It can never go out as it is, whoever it is for.
pub fn impossible(mut addresses: Vec<AddressOutcome>, error: String, now: Timestamp) -> Tried {
    for address in addresses.iter_mut().filter(|a| a.state == AddressState::Waiting) {
        *address = AddressOutcome {
            state: AddressState::Refused,
            at: Some(now),
            code: None,
            text: error.clone(),
            address: std::mem::take(&mut address.address),
        };
    }
    Tried { outcome: MailOutcome::Refused { error }, addresses }
}

#[cfg(test)]
mod tests;
