//! The links in crews' mails: whoever has one may look at one order and move it on, until it expires. Signed, so that
//! nobody can make or alter one. Never asks who holds it: a link is a key, as a mail is.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::{OrderId, Timestamp};

/// 128 bits cannot be guessed, and a mail program breaks longer lines.
const SIGNATURE_BYTES: usize = 16;

/// Makes and checks links. The key stays in the data folder.
#[derive(Clone)]
pub struct Links {
    key: [u8; Links::KEY_BYTES],
}

/// Why a link opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadLink {
    /// Not made by us, of another order, or with something changed.
    Altered,
    Expired,
}

impl Links {
    pub const KEY_BYTES: usize = 32;

    pub fn new(key: [u8; Links::KEY_BYTES]) -> Links {
        Links { key }
    }

    /// For other things that this service signs; each names what it is for.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// `/crew/WO-000042/1796461200/0f3c…`: below the service's own address.
    pub fn path(&self, order: OrderId, expires: Timestamp) -> String {
        let seconds = expires.as_millis().div_euclid(1000);
        format!("/crew/{order}/{seconds}/{}", hex::encode(&self.code(order, seconds)[..SIGNATURE_BYTES]))
    }

    /// The parts of a path as they came. Ok: the order that it opens.
    pub fn check(&self, order: &str, expires: &str, signature: &str, now: Timestamp) -> Result<OrderId, BadLink> {
        let id = OrderId::parse(order).map_err(|_| BadLink::Altered)?;
        let seconds: i64 = expires.parse().map_err(|_| BadLink::Altered)?;
        // As we write them and no other way: one link, one address.
        if id.to_string() != order || seconds.to_string() != expires {
            return Err(BadLink::Altered);
        }
        let given = hex::decode(signature).map_err(|_| BadLink::Altered)?;
        if given.len() != SIGNATURE_BYTES || signature != hex::encode(&given) {
            return Err(BadLink::Altered);
        }
        // Its time tells a guesser nothing about how much was right.
        self.mac(id, seconds).verify_truncated_left(&given).map_err(|_| BadLink::Altered)?;
        if now.as_millis().div_euclid(1000) >= seconds { Err(BadLink::Expired) } else { Ok(id) }
    }

    fn mac(&self, order: OrderId, seconds: i64) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(format!("buttonwatch crew link\n{order}\n{seconds}").as_bytes());
        mac
    }

    fn code(&self, order: OrderId, seconds: i64) -> [u8; 32] {
        self.mac(order, seconds).finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No key in a log.
        f.write_str("Links")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(path: &str) -> (String, String, String) {
        let mut parts = path.trim_start_matches("/crew/").split('/').map(str::to_owned);
        let mut next = || parts.next().expect("three parts");
        (next(), next(), next())
    }

    #[test]
    fn a_link_opens_its_own_order_until_it_expires_and_nothing_else() {
        let links = Links::new([7; 32]);
        let now = Timestamp::from_millis(1_796_000_000_000);
        let expires = Timestamp::from_millis(1_796_000_600_000);
        let (order, seconds, signature) = parts(&links.path(OrderId::new(42), expires));
        assert_eq!(links.check(&order, &seconds, &signature, now), Ok(OrderId::new(42)));
        assert_eq!(links.check(&order, &seconds, &signature, expires), Err(BadLink::Expired));
        let altered = |o: &str, e: &str, s: &str| links.check(o, e, s, now) == Err(BadLink::Altered);
        assert!(altered("WO-000043", &seconds, &signature), "another order");
        assert!(
            altered("42", &seconds, &signature) && altered("wo-000042", &seconds, &signature),
            "one way to write it"
        );
        assert!(altered(&order, "1796999999", &signature), "longer valid");
        assert!(altered(&order, &format!("+{seconds}"), &signature) && altered(&order, "soon", &signature));
        for i in 0..signature.len() {
            let mut other = signature.clone().into_bytes();
            other[i] = if other[i] == b'0' { b'1' } else { b'0' };
            assert!(altered(&order, &seconds, std::str::from_utf8(&other).expect("ASCII")), "letter {i}");
        }
        for other in ["", &signature[..30], &signature.to_uppercase(), "é", &format!("{signature}00")] {
            assert!(altered(&order, &seconds, other), "{other:?}");
        }
        let foreign = Links::new([8; 32]).path(OrderId::new(42), expires);
        let (order, seconds, signature) = parts(&foreign);
        assert!(altered(&order, &seconds, &signature), "another service's");
    }
}
