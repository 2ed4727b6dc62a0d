//! One visitor's request: who, in which language and look, and what stands behind the `?`. Owns the board's cookies. Never
//! asks the service.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};

use crate::domain::access::{Caller, Role};
use crate::render::board::{Language, Look};

pub const SESSION: &str = "buttonwatch_session";
pub const LANGUAGE: &str = "buttonwatch_language";
pub const LOOK: &str = "buttonwatch_look";
/// A year: a choice is made once.
pub const CHOICE_LASTS: Duration = Duration::from_secs(365 * 86_400);
const FIELD_CHARS_MAX: usize = 4_096;

#[derive(Clone)]
pub struct Visit {
    pub caller: Option<Caller>,
    pub is_signed_in: bool,
    /// What forms of this visitor are bound to.
    pub bound_to: String,
    pub language: Arc<Language>,
    pub look: Look,
    pub path: String,
    /// Behind the `?`, in order.
    pub fields: Vec<(String, String)>,
    /// Cookies are for encrypted connections only: a proxy says that this one is.
    pub is_https: bool,
}

impl Visit {
    /// The last one counts; empty: it is not there.
    pub fn field(&self, name: &str) -> &str {
        self.fields.iter().rfind(|(n, _)| n == name).map_or("", |(_, value)| value.trim())
    }

    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(move |(n, value)| n == name && !value.trim().is_empty()).map(|(_, v)| v.trim())
    }

    /// The page's address as it can be asked for again: without what was only said once.
    pub fn address(&self) -> String {
        self.address_without(&["said", "lang"])
    }

    pub fn address_without(&self, names: &[&str]) -> String {
        let kept = self.fields.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
        if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) }
    }

    pub fn may(&self, role: Role) -> bool {
        self.caller.as_ref().is_some_and(|c| c.role >= role)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Visit>().cloned().expect("every request of the board is received first"))
    }
}

pub fn fields(text: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(text.as_bytes())
        .filter(|(_, value)| value.len() <= FIELD_CHARS_MAX)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// The first of this name; empty: there is none.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let mut pairs = all.flat_map(|v| v.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(n, _)| *n == name).map_or("", |(_, value)| value)
}

/// `lasts` zero: it is taken away.
pub fn set_cookie(name: &str, value: &str, lasts: Duration, is_https: bool) -> HeaderValue {
    let secure = if is_https { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}", lasts.as_secs());
    HeaderValue::try_from(text).expect("a cookie of ours is plain ASCII")
}

/// A path of ours to go back to; anything else: the board.
pub fn own_path(text: &str) -> &str {
    let is_own = text.starts_with('/')
        && !text.starts_with("//")
        && !text.contains('\\')
        && text.bytes().all(|b| b.is_ascii_graphic())
        && text.len() <= FIELD_CHARS_MAX;
    if is_own { text } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_ours_is_gone_back_to() {
        for own in ["/", "/units?city=Dera+Ismail+Khan", "/orders/WO-000042"] {
            assert_eq!(own_path(own), own);
        }
        for foreign in ["", "//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nset-cookie: x", "units"]
        {
            assert_eq!(own_path(foreign), "/", "{foreign:?}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; buttonwatch_look=dark;b=2"));
        headers.append(header::COOKIE, HeaderValue::from_static("buttonwatch_language=ur"));
        assert_eq!((cookie(&headers, LOOK), cookie(&headers, LANGUAGE), cookie(&headers, "c")), ("dark", "ur", ""));
    }
}
