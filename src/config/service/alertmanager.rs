//! `[alertmanager]`: who pages people by Prometheus' Alertmanager hears of alerts there, too. Never shows an URL as it was
//! written: people paste logins into them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::Severity;

use super::super::document::{Block, Item};
use super::super::duration::{HOUR, MINUTE, SECOND};
use super::Login;
use super::check::{is_loopback_host, path, secret_remedy, section};

#[derive(Debug, Clone, PartialEq)]
pub struct Alertmanager {
    /// All members of a cluster: each gets everything. Without a slash at the end.
    pub urls: Vec<String>,
    pub auth: Option<AlertmanagerAuth>,
    /// PEM file of the authority to trust beside the web's roots.
    pub ca: Option<PathBuf>,
    /// Alerts of these severities are pushed; incidents always.
    pub severities: BTreeSet<Severity>,
    /// Those that an incident holds back, too.
    pub inhibited: bool,
    /// What is open is told again this often, and ends by itself after four times as long.
    pub repeat: Duration,
    /// Tells this Buttonwatch from another one. None: the address that people know it by.
    pub instance: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertmanagerAuth {
    Login(Login),
    /// The token is the first line of the file.
    Token(PathBuf),
}

const KEYS: &[&str] = &[
    "url",
    "username",
    "password_file",
    "token_file",
    "plain_password",
    "ca",
    "severities",
    "inhibited",
    "repeat",
    "instance",
];

pub(super) fn alertmanager(root: &Block<'_>) -> Option<Alertmanager> {
    let block = section(root, "alertmanager")?;
    block.only_keys(KEYS, |key| match key {
        "urls" | "host" | "target" | "targets" => {
            Some("write url = \"http://127.0.0.1:9093\", or a list of them for a cluster".to_owned())
        }
        "token" => {
            Some("put it in a file of its own, readable only by the service, and name that in token_file".to_owned())
        }
        "severity" => Some("did you mean severities?".to_owned()),
        "interval" | "resend" => Some("did you mean repeat?".to_owned()),
        _ => secret_remedy(key),
    });
    let urls: Vec<String> = match block.need("url", "name the server, such as url = \"http://127.0.0.1:9093\"") {
        Some(item) if item.is_list() && item.list().is_empty() => {
            item.wrong("is an empty list; name a server, or take out [alertmanager]");
            Vec::new()
        }
        Some(item) => item.list().iter().filter_map(url).collect(),
        None => Vec::new(),
    };
    let severities = block.get("severities").map(|item| {
        if item.list().is_empty() {
            item.wrong("is an empty list; name severities, such as [\"critical\", \"major\"], or drop the line");
        }
        item.list().iter().filter_map(Item::word).collect()
    });
    Some(Alertmanager {
        auth: auth(&block, &urls),
        urls,
        ca: path(&block, "ca"),
        severities: severities.unwrap_or_else(|| Severity::ALL.iter().copied().collect()),
        inhibited: block.get("inhibited").and_then(|i| i.flag()).unwrap_or(false),
        // Prometheus' own is a minute.
        repeat: block.get("repeat").and_then(|i| i.span(SECOND * 5..=HOUR)).unwrap_or(MINUTE),
        instance: block.get("instance").and_then(|i| i.words()).map(str::to_owned),
    })
}

fn url(item: &Item<'_>) -> Option<String> {
    let text = item.words()?.trim_end_matches('/');
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let problem = match rest {
        None => "must begin with http:// or https://, such as \"http://127.0.0.1:9093\"",
        Some(rest) if rest.contains('@') => {
            "must not hold a login; that has keys of its own: username and password_file"
        }
        Some(rest) if rest.is_empty() || !rest.bytes().all(|b| b.is_ascii_graphic() && !b"?#\"\\".contains(&b)) => {
            "must be a server's address alone, such as \"http://127.0.0.1:9093\""
        }
        Some(rest) if rest.ends_with("/api/v2") || rest.contains("/api/v2/") || rest.contains("/api/v1") => {
            "must end before /api: Buttonwatch adds /api/v2/alerts itself"
        }
        Some(_) => return Some(text.to_owned()),
    };
    item.wrong(problem);
    None
}

fn auth(block: &Block<'_>, urls: &[String]) -> Option<AlertmanagerAuth> {
    let (username, password, token) = (block.get("username"), path(block, "password_file"), path(block, "token_file"));
    if let Some(secret) = block.get("password_file").or_else(|| block.get("token_file")) {
        let plain_is_fine = block.get("plain_password").and_then(|i| i.flag()).unwrap_or(false);
        if !plain_is_fine && urls.iter().any(|url| is_readable(url)) {
            secret.wrong(
                "would be sent readable over the network; use https://, or, inside a private network that you trust, \
                 write plain_password = true",
            );
        }
    }
    match (username, password, token) {
        (None, None, None) => None,
        (Some(name), Some(password_file), None) => {
            Some(AlertmanagerAuth::Login(Login { username: name.words()?.to_owned(), password_file }))
        }
        (None, None, Some(file)) => Some(AlertmanagerAuth::Token(file)),
        (Some(_), None, None) => {
            block.wrong("username stands without password_file; name the file that holds the password");
            None
        }
        (None, Some(_), None) => {
            block.wrong("password_file stands without username; give both or neither");
            None
        }
        (Some(_), _, Some(_)) | (None, Some(_), Some(_)) => {
            block.wrong("token_file stands beside a login; Alertmanager takes one of them: drop one");
            None
        }
    }
}

/// Plain HTTP that leaves this machine.
fn is_readable(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    !is_loopback_host(host)
}

#[cfg(test)]
mod tests {
    use super::super::check_service;
    use super::*;

    fn read(section: &str) -> Result<Option<Alertmanager>, String> {
        let text = format!("[alertmanager]\n{section}");
        check_service("buttonwatch.toml", &text).map(|c| c.alertmanager).map_err(|p| p.to_string())
    }

    #[test]
    fn one_line_is_enough_and_pushes_every_severity() {
        let found = read("url = \"http://127.0.0.1:9093/\"").expect("fine").expect("it is there");
        assert_eq!(found.urls, ["http://127.0.0.1:9093"]);
        assert_eq!((found.severities.len(), found.inhibited, found.repeat), (4, false, MINUTE));
        assert_eq!(check_service("buttonwatch.toml", "").map(|c| c.alertmanager), Ok(None));
    }

    #[test]
    fn a_cluster_is_a_list_and_each_severity_is_a_choice() {
        let found = read(
            "url = [\"https://a.example\", \"https://b.example/am\"]\nseverities = [\"critical\"]\ntoken_file = \"t\"",
        );
        let found = found.expect("fine").expect("it is there");
        assert_eq!(found.urls, ["https://a.example", "https://b.example/am"]);
        assert_eq!(found.severities, BTreeSet::from([Severity::Critical]));
        assert_eq!(found.auth, Some(AlertmanagerAuth::Token(PathBuf::from("t"))));
    }
}
