//! Asks a running service over its HTTP API, and makes of every way it can go wrong one clear line and a status.
//! Never prints.
//!
//! The time by which ages are told is the service's own (`Date`), so that a wrong clock on this machine misleads nobody.

use std::net::IpAddr;
use std::time::Duration;

use chrono::DateTime;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::{Response, Uri, header};
use ureq::{Agent, Body};

use crate::domain::Timestamp;
use crate::io::http::problem::MEDIA_TYPE;
use crate::io::http::{LIMIT_MAX, Problem};

use super::exit::{Exit, Failure};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The service itself gives up after 30 s; the rest is for a fleet file over a thin link.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);
/// 100,000 orders with their histories.
const ANSWER_BYTES_MAX: u64 = 512 * 1024 * 1024;

pub struct Client {
    agent: Agent,
    server: String,
    token: Option<String>,
}

/// What was asked for, and the service's time.
pub struct Answered<T> {
    pub value: T,
    pub now: Timestamp,
}

struct Paged<T> {
    page: Answered<T>,
    /// The next page's address.
    next: Option<String>,
    /// How many rows there are on all pages.
    total: Option<usize>,
}

impl Client {
    /// Err: `server` is not a URL that can be asked.
    pub fn new(server: &str, token: Option<String>) -> Result<Self, Failure> {
        Client::patient_for(server, token, ANSWER_WITHIN)
    }

    /// Gives up after this.
    pub fn patient_for(server: &str, token: Option<String>, patience: Duration) -> Result<Self, Failure> {
        let server = server.trim().trim_end_matches('/');
        let host = check_server(server)?;
        let token = token.filter(|t| !t.is_empty());
        if token.as_ref().is_some_and(|t| !t.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(Failure::usage(
                "BUTTONWATCH_TOKEN has characters that no token has: set it without spaces and line ends",
            ));
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_WITHIN.min(patience)))
            .timeout_global(Some(patience))
            .user_agent(concat!("buttonwatch/", env!("CARGO_PKG_VERSION")));
        if is_this_machine(&host) {
            config = config.proxy(None);
        }
        Ok(Client { agent: config.build().new_agent(), server: server.to_owned(), token })
    }

    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Answered<T>, Failure> {
        let mut request = self.agent.get(self.url(path)).header(header::ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        self.read(request.call())
    }

    /// What is no JSON.
    pub fn get_text(&self, path: &str) -> Result<String, Failure> {
        let mut request = self.agent.get(self.url(path));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let mut response = request.call().map_err(|error| self.unreachable(&error))?;
        if !response.status().is_success() {
            return self.read::<serde_json::Value>(Ok(response)).and(Err(self.foreign("it has no status of its own")));
        }
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let body = body.map_err(|error| self.unreachable(&error))?;
        String::from_utf8(body).map_err(|_| self.foreign("it is no text"))
    }

    /// A whole list, page after page.
    ///
    /// `query`: of the API's lists, `filter` several times.
    pub fn get_list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Answered<Vec<T>>, Failure> {
        let limit = LIMIT_MAX.to_string();
        let pairs = query.iter().copied().chain([("limit", limit.as_str())]);
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let mut next = format!("/api/v1/{path}?{query}");
        let mut rows = Vec::new();
        loop {
            let Paged { page, next: link, .. } = self.get_page::<Vec<T>>(&next)?;
            let now = page.now;
            rows.extend(page.value);
            match link {
                Some(link) => next = link,
                None => return Ok(Answered { value: rows, now }),
            }
        }
    }

    /// The first rows of a list, and how many there are in all.
    pub fn get_first<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<(Answered<Vec<T>>, usize), Failure> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let Paged { page, total, .. } = self.get_page::<Vec<T>>(&format!("/api/v1/{path}?{query}"))?;
        let total = total.unwrap_or(page.value.len());
        Ok((page, total))
    }

    fn get_page<T: DeserializeOwned>(&self, path: &str) -> Result<Paged<T>, Failure> {
        let mut request = self.agent.get(format!("{}{path}", self.server)).header(header::ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let response = request.call();
        let link = response.as_ref().ok().and_then(|r| r.headers().get(header::LINK)).and_then(|v| v.to_str().ok());
        let next = link.and_then(|l| l.strip_prefix('<')?.strip_suffix(">; rel=\"next\""));
        let total = response.as_ref().ok().and_then(|r| r.headers().get("x-total-count"));
        let total = total.and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
        // Only below the same server: nobody else gets the token.
        let next = next.filter(|n| n.starts_with("/api/v1/")).map(str::to_owned);
        Ok(Paged { page: self.read(response)?, next, total })
    }

    pub fn post_json<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<Answered<T>, Failure> {
        let body = serde_json::to_vec(body)
            .map_err(|e| Failure::failed(format!("the instruction cannot be written as JSON: {e}")))?;
        self.post(path, &[], "application/json", &body)
    }

    pub fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        content_type: &str,
        body: &[u8],
    ) -> Result<Answered<T>, Failure> {
        let mut request = self.agent.post(self.url(path)).header(header::CONTENT_TYPE, content_type);
        for (name, value) in query {
            request = request.query(name, value);
        }
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        self.read(request.send(body))
    }

    /// The service's own time.
    pub fn now(&self) -> Result<Timestamp, Failure> {
        match self.agent.get(format!("{}/healthz", self.server)).call() {
            Ok(response) => self.date(&response),
            Err(error) => Err(self.unreachable(&error)),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.server)
    }

    fn read<T: DeserializeOwned>(&self, result: Result<Response<Body>, ureq::Error>) -> Result<Answered<T>, Failure> {
        let mut response = result.map_err(|error| self.unreachable(&error))?;
        let now = self.date(&response);
        let status = response.status();
        let media_type = response.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let is_problem = media_type.starts_with(MEDIA_TYPE);
        let body = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_vec()
            .map_err(|error| self.unreachable(&error))?;
        if !status.is_success() {
            let problem = is_problem.then(|| serde_json::from_slice::<Problem>(&body).ok()).flatten();
            return Err(match problem {
                Some(problem) => said_no(&problem),
                None => self.foreign(&format!("status {status}")),
            });
        }
        let value = serde_json::from_slice(&body).map_err(|error| self.foreign(&error.to_string()))?;
        Ok(Answered { value, now: now? })
    }

    fn date(&self, response: &Response<Body>) -> Result<Timestamp, Failure> {
        let date = response.headers().get(header::DATE).and_then(|v| v.to_str().ok());
        let date = date.and_then(|d| DateTime::parse_from_rfc2822(d).ok());
        date.map(|d| Timestamp::from_millis(d.timestamp_millis())).ok_or_else(|| self.foreign("it has no Date"))
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        let server = &self.server;
        let elsewhere = "start it with `buttonwatch serve`, or name another with --server";
        let refused = match error {
            ureq::Error::Io(e) => e.kind() == std::io::ErrorKind::ConnectionRefused,
            ureq::Error::ConnectionFailed => true,
            _ => false,
        };
        // The resolver's error has no kind of its own.
        let unknown_name = matches!(error, ureq::Error::HostNotFound) || error.to_string().contains("lookup address");
        let text = match error {
            _ if refused => format!("nothing answers at {server}: {elsewhere}"),
            _ if unknown_name => {
                format!("the name in {server} is not known here: correct --server or BUTTONWATCH_SERVER")
            }
            ureq::Error::Timeout(_) => {
                format!("{server} did not answer in time: is it reachable from here? {elsewhere}")
            }
            other => format!("cannot ask {server}: {other}; {elsewhere}"),
        };
        Failure::new(Exit::Unreachable, text)
    }

    fn foreign(&self, what: &str) -> Failure {
        Failure::failed(format!(
            "the answer from {} is not one of this Buttonwatch ({what}): is another program, a proxy or another \
             version there?",
            self.server
        ))
    }
}

/// The host's name.
fn check_server(server: &str) -> Result<String, Failure> {
    let wrong = |why: &str| Failure::usage(format!("--server {server}: {why}; write it as http://127.0.0.1:8680"));
    let uri: Uri = server.parse().map_err(|_| wrong("this is not a URL"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => {
            return Err(Failure::usage(format!(
                "--server {server}: https is not spoken here; go through an SSH tunnel \
                 (ssh -L 8680:127.0.0.1:8680 HOST) and ask http://127.0.0.1:8680"
            )));
        }
        Some(_) | None => return Err(wrong("it must begin with http://")),
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(wrong("it must end after the port"));
    }
    let host = uri.host().filter(|h| !h.is_empty()).ok_or_else(|| wrong("it names no host"))?;
    let authority = uri.authority().map(|a| a.as_str()).unwrap_or_default();
    if authority.contains('@') {
        return Err(Failure::usage(format!(
            "--server: a name and password are not used here; set BUTTONWATCH_TOKEN, and write http://{host}:8680"
        )));
    }
    if authority != host && uri.port_u16().is_none() {
        return Err(wrong("its port is not a number from 1 to 65535"));
    }
    Ok(host.to_owned())
}

fn is_this_machine(host: &str) -> bool {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn said_no(problem: &Problem) -> Failure {
    let exit = match problem.status {
        401 | 403 | 421 => Exit::NotAllowed,
        404 => Exit::NotFound,
        409 => Exit::Conflict,
        503 => Exit::Unreachable,
        _ => Exit::Failed,
    };
    let mut text = problem.detail.clone();
    if problem.problems.len() > 1 || problem.problems.first().is_some_and(|only| *only != problem.detail) {
        for line in &problem.problems {
            text.push('\n');
            text.push_str(line);
        }
    }
    // A path of the API is a remedy for programs; the sentence before it has said what to type.
    if !problem.remedy.is_empty() && !problem.remedy.contains("/api/v1") {
        text.push('\n');
        text.push_str(&problem.remedy);
    }
    Failure::new(exit, text)
}
