//! Who is signed in at the board: a signed cookie that says which token opened the door, in whose name, and until when. Owns
//! the cookie and the proof that a form is of our own page. Never holds a token, and never decides what a token may.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::domain::Timestamp;
use crate::domain::access::Caller;
use crate::io::http::guard::{Guard, Seal};
use crate::io::http::links::Links;

/// A shift and the way home; then the token is asked for anew.
pub const LASTS: Duration = Duration::from_secs(12 * 3_600);
/// 128 bits cannot be guessed.
const CODE_BYTES: usize = 16;
/// Longer ones are not ours.
const COOKIE_CHARS_MAX: usize = 1_024;

/// What the cookie says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    /// Who typed the token. Empty: they did not say.
    by: String,
    seal: String,
    /// Seconds since 1970.
    until: i64,
}

#[derive(Clone)]
pub struct Sessions {
    links: Links,
}

impl Sessions {
    pub fn new(links: Links) -> Self {
        Sessions { links }
    }

    /// The cookie's value for whoever typed this token.
    pub fn begin(&self, by: &str, seal: &Seal, now: Timestamp) -> String {
        let until = (now + LASTS).as_millis().div_euclid(1_000);
        let said = Said { by: by.to_owned(), seal: hex::encode(seal), until };
        let body = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&said).expect("words and a number become JSON"));
        let code = hex::encode(self.code("session", &body));
        format!("{body}.{code}")
    }

    /// None: not ours, altered, over, or its token is gone.
    pub fn caller(&self, cookie: &str, guard: &Guard, now: Timestamp) -> Option<Caller> {
        let (body, code) = cookie.split_once('.').filter(|_| cookie.len() <= COOKIE_CHARS_MAX)?;
        self.check("session", body, code)?;
        let said: Said = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()?;
        if now.as_millis().div_euclid(1_000) >= said.until {
            return None;
        }
        let seal: Seal = hex::decode(&said.seal).ok()?.try_into().ok()?;
        let caller = guard.caller_by_seal(&seal)?;
        let name = match (said.by.as_str(), caller.name) {
            ("", name) => name,
            (by, None) => Some(by.to_owned()),
            (by, Some(token)) => Some(format!("{by} ({token})")),
        };
        Some(Caller { name, ..caller })
    }

    /// Stands in every form of a page. `of`: the cookie of whoever reads it; none: nobody is signed in. A foreign page
    /// cannot read it.
    pub fn form_token(&self, of: &str) -> String {
        hex::encode(self.code("form", of))
    }

    pub fn is_form_token(&self, of: &str, given: &str) -> bool {
        self.check("form", of, given).is_some()
    }

    fn mac(&self, what: &str, text: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.links.key()).expect("HMAC takes keys of any length");
        mac.update(format!("buttonwatch board {what}\n{text}").as_bytes());
        mac
    }

    fn code(&self, what: &str, text: &str) -> [u8; CODE_BYTES] {
        let mut code = [0; CODE_BYTES];
        code.copy_from_slice(&self.mac(what, text).finalize().into_bytes()[..CODE_BYTES]);
        code
    }

    /// Its time tells a guesser nothing about how much was right.
    fn check(&self, what: &str, text: &str, given: &str) -> Option<()> {
        let given = hex::decode(given).ok().filter(|code| code.len() == CODE_BYTES)?;
        self.mac(what, text).verify_truncated_left(&given).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Role, Token};

    const TOKEN: &str = "0123456789abcdef";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_796_000_000_000 + second * 1_000)
    }

    #[test]
    fn a_session_lasts_its_time_and_ends_with_its_token() {
        let sessions = Sessions::new(Links::new([7; 32]));
        let tokens = Guard::new(&[Token::admin(TOKEN)]);
        let (caller, seal) = tokens.caller_with(TOKEN).expect("it opens");
        assert_eq!(caller.role, Role::Admin);
        assert!(tokens.caller_with("0123456789abcdeF").is_none());
        let cookie = sessions.begin("گل", &seal, at(0));
        assert_eq!(sessions.caller(&cookie, &tokens, at(0)).and_then(|c| c.name).as_deref(), Some("گل"));
        let last = LASTS.as_secs() as i64 - 1;
        assert!(sessions.caller(&cookie, &tokens, at(last)).is_some());
        assert!(sessions.caller(&cookie, &tokens, at(last + 1)).is_none(), "over");
        assert!(
            sessions.caller(&cookie, &Guard::new(&[Token::admin("another token here")]), at(0)).is_none(),
            "taken back"
        );
        assert!(Sessions::new(Links::new([8; 32])).caller(&cookie, &tokens, at(0)).is_none(), "another service's");
        assert_eq!(sessions.caller(&sessions.begin("", &seal, at(0)), &tokens, at(0)).and_then(|c| c.name), None);
    }

    #[test]
    fn nothing_about_a_session_can_be_changed() {
        let sessions = Sessions::new(Links::new([7; 32]));
        let tokens = Guard::new(&[Token::admin(TOKEN)]);
        let (_, seal) = tokens.caller_with(TOKEN).expect("it opens");
        let cookie = sessions.begin("gul", &seal, at(0));
        for i in 0..cookie.len() {
            let mut other = cookie.clone().into_bytes();
            other[i] = if other[i] == b'0' { b'1' } else { b'0' };
            let other = String::from_utf8(other).expect("ASCII");
            assert!(sessions.caller(&other, &tokens, at(0)).is_none(), "letter {i}");
        }
        for other in ["", ".", "a.b", &cookie[1..], &format!("{cookie}00"), &"x".repeat(5_000)] {
            assert!(sessions.caller(other, &tokens, at(0)).is_none(), "{other}");
        }
    }

    #[test]
    fn a_form_is_good_for_the_session_it_was_made_for() {
        let sessions = Sessions::new(Links::new([7; 32]));
        let token = sessions.form_token("cookie a");
        assert!(sessions.is_form_token("cookie a", &token));
        assert!(!sessions.is_form_token("cookie b", &token) && !sessions.is_form_token("cookie a", ""));
        assert_ne!(token, sessions.form_token(""));
    }
}
