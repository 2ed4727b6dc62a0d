//! Who may ask: the token, the name the request was sent to, and where it came from. Judges by the headers alone.
//! Never reads a body, never knows what is asked.
//!
//! Three ways in that are shut:
//! - *no token*: on anything but loopback, `Http::start` refuses to listen without one;
//! - *DNS rebinding*: a web page whose own name was pointed at 127.0.0.1 sends that name as `Host`;
//! - *cross-site request forgery*: a page can make a browser POST here, but not with our content types unless the
//!   browser asks first (and we never say yes), and the browser says where the page came from.

use axum::http::{HeaderMap, Method, Uri, header};
use sha2::{Digest, Sha256};

use crate::domain::{Caller, Role, Token};

use super::problem::{Header, Kind, Problem};

/// Shorter ones can be guessed over a network: 16 characters of hexadecimal are 64 bits.
pub const TOKEN_LENGTH_MIN: usize = 16;

pub struct Guard {
    /// Empty: loopback, and everyone on this machine may ask.
    tokens: Vec<([u8; 32], Caller)>,
}

impl Guard {
    pub fn new(tokens: &[Token]) -> Self {
        let caller = |t: &Token| Caller { name: t.name.clone(), role: t.role };
        Guard { tokens: tokens.iter().map(|t| (digest(&t.secret), caller(t))).collect() }
    }

    /// Whether anybody must say who they are.
    pub fn wants_token(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Who has this token, and what tells it from others.
    pub fn caller_with(&self, secret: &str) -> Option<(Caller, Seal)> {
        let given = digest(secret.trim());
        let (_, caller) = self.tokens.iter().find(|(token, _)| *token == given)?;
        Some((caller.clone(), seal(&given)))
    }

    /// Asked at every request of a session: a token that is taken back ends its sessions at once, a role that changes
    /// counts from the next click.
    pub fn caller_by_seal(&self, asked: &Seal) -> Option<Caller> {
        self.tokens.iter().find(|(token, _)| seal(token) == *asked).map(|(_, caller)| caller.clone())
    }

    /// Err: what the caller is told. `/healthz` and `/readyz` are answered without a token.
    pub fn admit(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Caller, Problem> {
        let caller = if !self.wants_token() {
            // With a token a foreign page can do nothing; without one only the name it was reached by tells.
            check_host(uri, headers)?;
            Caller::LOCAL
        } else if matches!(uri.path(), "/healthz" | "/readyz") {
            Caller { name: None, role: Role::Viewer }
        } else {
            self.check_token(headers)?
        };
        if *method != Method::GET && *method != Method::HEAD {
            check_origin(uri, headers)?;
            check_content_type(method, headers)?;
        }
        Ok(caller)
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let no = |detail: &str| {
            Problem::new(
                Kind::Unauthorized,
                detail,
                "Send `Authorization: Bearer TOKEN` with a token of this service; the command line takes it from \
                 BUTTONWATCH_TOKEN.",
            )
            .with_header(Header::WantsBearer)
        };
        let value = headers.get(header::AUTHORIZATION).ok_or_else(|| no("This service wants a token."))?;
        let given = value.to_str().ok().and_then(|v| v.split_once(' '));
        let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let (_, secret) = given.ok_or_else(|| no("The Authorization header is not `Bearer TOKEN`."))?;
        self.caller_with(secret).map(|(caller, _)| caller).ok_or_else(|| no("The token is none of this service's."))
    }
}

/// The first bytes of a token's SHA-256: tells tokens apart, opens nothing.
pub type Seal = [u8; 8];

fn seal(digest: &[u8; 32]) -> Seal {
    let mut seal = Seal::default();
    seal.copy_from_slice(&digest[..8]);
    seal
}

/// Comparing digests instead of tokens tells a guesser nothing by its timing.
fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The name of `host:port`, without brackets around an IPv6 address.
fn host_name(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    authority.rsplit_once(':').map_or(authority, |(name, _)| name)
}

fn is_loopback_name(authority: &str) -> bool {
    let name = host_name(authority);
    let name = name.strip_suffix('.').unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Where the request says it was sent: the `Host` header, or the target itself when it is a whole URL.
fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Result<Option<&'a str>, Problem> {
    if let Some(authority) = uri.authority() {
        return Ok(Some(authority.as_str()));
    }
    match headers.get(header::HOST) {
        None => Ok(None),
        Some(value) => match value.to_str() {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Problem::new(Kind::BadRequest, "The Host header is not text.", "Send the name you dialled.")),
        },
    }
}

pub fn check_host(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    match authority(uri, headers)? {
        // HTTP/1.0 without a Host: no browser.
        None => Ok(()),
        Some(name) if is_loopback_name(name) => Ok(()),
        Some(name) => Err(Problem::new(
            Kind::Misdirected,
            format!("This service answers on this machine only, and {name:?} is not a name of it."),
            "Use http://127.0.0.1:PORT or http://localhost:PORT. To serve under another name, set a token.",
        )),
    }
}

pub fn check_origin(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let foreign = |from: &str| {
        Err(Problem::new(
            Kind::Forbidden,
            format!("The request comes from a page of {from}, not from this service."),
            "Changes are taken from this service's own pages and from programs, not from other web pages.",
        ))
    };
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or("an unreadable origin");
        let own = authority(uri, headers)?;
        let from = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if from.is_none() || from != own {
            return foreign(&format!("{origin:?}"));
        }
    }
    match headers.get("sec-fetch-site").map(|v| v.as_bytes()) {
        Some(b"cross-site" | b"same-site") => foreign("another site"),
        Some(_) | None => Ok(()),
    }
}

/// A form, which any page may post anywhere without asking, has neither of these types.
fn check_content_type(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if *method != Method::POST {
        return Ok(());
    }
    match content_type(headers).as_deref() {
        Some("application/json" | "text/csv") => Ok(()),
        Some(other) => Err(Problem::new(
            Kind::UnsupportedMediaType,
            format!("The body's Content-Type is {other:?}."),
            "Send `Content-Type: application/json`, or `text/csv` for a fleet file.",
        )),
        None => Err(Problem::new(
            Kind::UnsupportedMediaType,
            "The body has no Content-Type.",
            "Send `Content-Type: application/json`, or `text/csv` for a fleet file.",
        )),
    }
}

/// In small letters, without parameters (`; charset=utf-8`).
pub fn content_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or("unreadable");
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn check(token: Option<&str>, method: &str, headers: &[(&'static str, &str)]) -> u16 {
        let tokens: Vec<Token> = token.map(Token::admin).into_iter().collect();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let uri: Uri = "/api/v1/units".parse().unwrap();
        match Guard::new(&tokens).admit(&method.parse().unwrap(), &uri, &map) {
            Ok(_) => 200,
            Err(problem) => problem.status,
        }
    }

    #[test]
    fn on_loopback_only_names_of_this_machine_are_answered() {
        for host in ["127.0.0.1:8680", "localhost:8680", "LocalHost", "localhost.:80", "[::1]:8680", "127.9.9.9"] {
            assert_eq!(check(None, "GET", &[("host", host)]), 200, "{host}");
        }
        for host in ["evil.example", "evil.example:8680", "127.0.0.1.evil.example", "10.0.0.1", "", ":8680", "[::2]:1"]
        {
            assert_eq!(check(None, "GET", &[("host", host)]), 421, "{host}");
        }
        assert_eq!(check(None, "GET", &[]), 200, "HTTP/1.0 without a host");
    }

    #[test]
    fn a_token_is_wanted_exactly_and_then_any_name_will_do() {
        let token = Some("0123456789abcdef");
        let host = ("host", "buttons.example");
        assert_eq!(check(token, "GET", &[host]), 401);
        for bad in ["Bearer", "Bearer ", "Bearer 0123456789abcde", "Basic 0123456789abcdef", "0123456789abcdef"] {
            assert_eq!(check(token, "GET", &[host, ("authorization", bad)]), 401, "{bad}");
        }
        for good in ["Bearer 0123456789abcdef", "bearer 0123456789abcdef"] {
            assert_eq!(check(token, "GET", &[host, ("authorization", good)]), 200, "{good}");
        }
    }

    #[test]
    fn a_token_says_who_has_it_and_what_they_may() {
        let viewer = Token { name: Some("control room".to_owned()), role: Role::Viewer, secret: "v".repeat(16) };
        let guard = Guard::new(&[Token::admin("a".repeat(16)), viewer]);
        let found = |secret: &str| guard.caller_with(secret).map(|(c, _)| (c.role, c.name));
        assert_eq!(found(&"a".repeat(16)), Some((Role::Admin, None)));
        assert_eq!(found(&"v".repeat(16)), Some((Role::Viewer, Some("control room".to_owned()))));
        assert_eq!(found(&"x".repeat(16)), None);
    }

    #[test]
    fn a_post_that_a_foreign_page_can_cause_is_refused() {
        let json = ("content-type", "application/json; charset=utf-8");
        let host = ("host", "localhost:8680");
        assert_eq!(check(None, "POST", &[host, json]), 200, "a program");
        assert_eq!(check(None, "POST", &[host, json, ("origin", "http://localhost:8680")]), 200, "our own page");
        assert_eq!(check(None, "POST", &[host, ("content-type", "text/csv")]), 200);
        for origin in ["http://evil.example", "null", "http://localhost:9999", "file://", "ftp://localhost:8680"] {
            assert_eq!(check(None, "POST", &[host, json, ("origin", origin)]), 403, "{origin}");
        }
        assert_eq!(check(None, "POST", &[host, json, ("sec-fetch-site", "cross-site")]), 403);
        assert_eq!(check(None, "POST", &[host, json, ("sec-fetch-site", "same-origin")]), 200);
        for form in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""] {
            assert_eq!(check(None, "POST", &[host, ("content-type", form)]), 415, "{form}");
        }
        assert_eq!(check(None, "POST", &[host]), 415);
        assert_eq!(check(None, "DELETE", &[host, ("origin", "http://evil.example")]), 403);
    }
}
