//! The ways in: the listener's TLS files, the units' passwords, the external broker with its login, the HTTP port's lock.

use std::net::SocketAddr;
use std::time::Duration;

use crate::app::clock;
use crate::app::daemon::{http_tokens, knock_at_broker, read_passwords, words};
use crate::config::service::{ServiceConfig, TlsServer};
use crate::io::gateway::{TlsFiles, check_tls};

use super::certificate::not_after;
use super::{Finding, State, finding};

/// Let's Encrypt renews a month before the end: less than this, and the renewal did not work.
const ENDS_SOON: Duration = Duration::from_secs(21 * 86_400);

pub(super) async fn findings(config: &ServiceConfig, token: Option<&str>, is_running: bool) -> Vec<Finding> {
    let mut out = Vec::new();
    if let Some(gateway) = &config.gateway {
        out.extend(gateway.tls.as_ref().map(tls));
        if let Some(path) = &gateway.passwords {
            out.push(match read_passwords(path) {
                Ok(p) if p.is_empty() => finding(
                    State::Doubtful,
                    "units' passwords",
                    format!(
                        "{} has none yet: no unit can connect; make one with `buttonwatch fleet password UNIT --file {}`",
                        path.display(),
                        path.display()
                    ),
                ),
                Ok(p) => finding(State::Good, "units' passwords", format!("{} units", p.len())),
                Err(e) => finding(State::Bad, "units' passwords", e.to_string()),
            });
        }
    }
    if let Some(knocked) = knock_at_broker(config).await {
        out.push(match knocked {
            Ok(text) => finding(State::Good, "external broker", text),
            Err(text) => finding(State::Bad, "external broker", text),
        });
    }
    out.push(match http_tokens(&config.http.tokens, token.map(str::to_owned)) {
        // A running service may have its token from somewhere else, such as a file of systemd.
        Ok(tokens) => web(config, !tokens.is_empty() || is_running),
        Err(e) => finding(State::Bad, "web page", e.to_string()),
    });
    if let Some(folder) = &config.http.translations {
        out.push(match words(Some(folder)) {
            Ok(_) => finding(State::Good, "translations", folder.display().to_string()),
            Err(e) => finding(State::Bad, "translations", e.to_string()),
        });
    }
    out
}

fn tls(files: &TlsServer) -> Finding {
    const WHAT: &str = "units' TLS";
    let TlsServer { cert, key } = files;
    if let Err(e) = check_tls(&TlsFiles { cert_chain: cert.clone(), key: key.clone() }) {
        return finding(State::Bad, WHAT, e.to_string());
    }
    let Some(ends) = std::fs::read(cert).ok().and_then(|pem| not_after(&pem)) else {
        return finding(
            State::Doubtful,
            WHAT,
            format!("{}: when it ends cannot be read; look yourself", cert.display()),
        );
    };
    let now = clock::now();
    let day = ends.to_string()[..10].to_owned();
    if ends <= now {
        let text =
            format!("{} ended on {day}: units refuse it; renew it, then start the service again", cert.display());
        return finding(State::Bad, WHAT, text);
    }
    if ends.since(now) < ENDS_SOON {
        let text = format!("{} ends on {day}: renew it, then start the service again", cert.display());
        return finding(State::Doubtful, WHAT, text);
    }
    finding(State::Good, WHAT, format!("certificate and key belong together, good until {day}"))
}

fn web(config: &ServiceConfig, has_token: bool) -> Finding {
    const WHAT: &str = "web page";
    let listen: SocketAddr = config.http.listen;
    match (listen.ip().is_loopback(), has_token, &config.http.public_url) {
        (false, false, _) => finding(
            State::Bad,
            WHAT,
            format!(
                "{listen} can be reached by others, and there is no token: `serve` refuses that. Write a [[http.token]] \
                 block (docs/configuration.md), or listen on 127.0.0.1"
            ),
        ),
        (true, _, None) => finding(
            State::Good,
            WHAT,
            format!("{listen}, this machine only; mails have no links while public_url of [http] is not set"),
        ),
        (false, true, None) => finding(
            State::Doubtful,
            WHAT,
            format!("{listen}, with a token; mails have no links: set public_url of [http] to what browsers open"),
        ),
        (_, _, Some(url)) if url.starts_with("http://") => finding(
            State::Doubtful,
            WHAT,
            format!(
                "{url} is not encrypted, and whoever has a crew's link can move its order; put a proxy with https before it"
            ),
        ),
        (_, _, Some(url)) => finding(State::Good, WHAT, format!("links in mails start with {url}")),
    }
}
