//! Looks at what the service needs and says, for each thing that is wrong, what to do. Changes nothing, and sends nothing but
//! the test mail that it is asked for.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use crate::config::service::{MailTransport, ServiceConfig};
use crate::io::store::{MailOutcome, StoreReader};

use super::arguments::DoctorArgs;
use super::clock;
use super::daemon::{
    broken_alertmanager_settings, broken_links_key, broken_mail_settings, examine_influx, read_passwords,
    send_test_mail,
};
use super::serve::gather;

/// Longer than any healthy server on the same network takes to accept.
const REACH_WITHIN: Duration = Duration::from_secs(5);
/// Less than this and a week's journal of a large fleet may not fit.
const DISK_LOW_BYTES: u64 = 1 << 30;
/// Before this program was written: the clock has lost its battery.
const CLOCK_MIN: &str = "2026-01-01T00:00:00Z";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Good,
    /// Works, but look at it.
    Doubtful,
    Bad,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub state: State,
    pub what: String,
    /// What was seen, and when it is bad what to do.
    pub text: String,
}

fn finding(state: State, what: &str, text: impl Into<String>) -> Finding {
    Finding { state, what: what.to_owned(), text: text.into() }
}

/// Everything, in the order in which a service needs it.
pub async fn examine(args: &DoctorArgs) -> Vec<Finding> {
    let mut out = vec![clock_finding()];
    let config = match gather(&args.serve) {
        Ok(parts) => {
            let rules = format!("{} rules, {} incidents", parts.rules.rules.len(), parts.rules.incidents.len());
            out.push(finding(State::Good, "settings and rules", rules));
            match &parts.fleet {
                Some(units) => out.push(finding(State::Good, "fleet file", format!("{} units", units.len()))),
                None => out.push(finding(State::Good, "fleet file", "none named: the store's units are used")),
            }
            parts.config
        }
        // The rest would be looked at by settings that are not the operator's.
        Err(e) => {
            out.push(finding(State::Bad, "settings, rules, fleet", e.to_string()));
            return out;
        }
    };
    let is_running = service_answers(&args.server).await;
    out.push(match is_running {
        true => finding(State::Good, "service", format!("answers at {}", args.server)),
        false => finding(
            State::Doubtful,
            "service",
            format!("nothing answers at {}: start it with `buttonwatch serve`", args.server),
        ),
    });
    out.extend(data_findings(&config.data, is_running));
    out.extend(broken_links_key(&config).map(|why| finding(State::Bad, "crews' links", why)));
    out.push(disk_finding(&config.data));
    if !is_running {
        out.push(port_finding("http port", config.http.listen));
        if let (None, Some(gateway)) = (&config.external, &config.gateway) {
            out.push(port_finding("units' port", gateway.listen));
        }
        if let Some(bus) = config.bus {
            out.push(port_finding("bus port", bus));
        }
    }
    if let Some(path) = config.gateway.as_ref().and_then(|g| g.passwords.as_ref()) {
        out.push(match read_passwords(path) {
            Ok(p) => finding(State::Good, "units' passwords", format!("{} units", p.len())),
            Err(e) => finding(State::Bad, "units' passwords", e.to_string()),
        });
    }
    if let Some(broker) = &config.external {
        out.push(reach("external broker", &broker.host, broker.port, "is it running, and is the port open?").await);
    }
    out.extend(examine_influx(&config).await.map(|influx| match influx {
        Ok(text) => finding(State::Good, "InfluxDB", text),
        Err(text) => finding(State::Bad, "InfluxDB", text),
    }));
    out.extend(broken_alertmanager_settings(&config).map(|why| finding(State::Bad, "Alertmanager", why)));
    out.extend(broken_mail_settings(&config).map(|why| finding(State::Bad, "mails", why)));
    out.push(match &config.mail.transport {
        MailTransport::Smtp(smtp) => {
            reach("mail server", &smtp.host, smtp.port, "check mail.smtp.host and port, and the firewall").await
        }
        MailTransport::Folder(_) => {
            let folder = config.mail_folder().map(|f| f.display().to_string()).unwrap_or_default();
            finding(
                State::Doubtful,
                "mail",
                format!("no SMTP server is set: mails are written to {folder}, nobody gets them"),
            )
        }
    });
    if let Some(to) = &args.test_mail {
        out.push(test_mail(&config, to.as_deref()).await);
    }
    out
}

async fn test_mail(config: &ServiceConfig, to: Option<&str>) -> Finding {
    const WHAT: &str = "test mail";
    let (to, outcome) = match send_test_mail(config, to).await {
        Ok(sent) => sent,
        Err(e) => return finding(State::Bad, WHAT, e.to_string()),
    };
    match (outcome, config.mail_folder()) {
        (MailOutcome::Sent, None) => {
            finding(State::Good, WHAT, format!("the mail server took it for {to}; look whether it arrives"))
        }
        (MailOutcome::Sent, Some(folder)) => {
            finding(State::Doubtful, WHAT, format!("for {to}, written to {}: nobody gets it", folder.display()))
        }
        (
            MailOutcome::PartlySent { error } | MailOutcome::TryAgain { error, .. } | MailOutcome::Refused { error },
            _,
        ) => finding(State::Bad, WHAT, format!("to {to}: {error}")),
    }
}

fn clock_finding() -> Finding {
    let now = clock::now();
    let earliest = crate::domain::Timestamp::parse(CLOCK_MIN).expect("a fixed, valid date");
    if now < earliest {
        return finding(State::Bad, "clock", format!("it says {now}: set it, and switch NTP on"));
    }
    finding(State::Good, "clock", now.to_string())
}

async fn service_answers(server: &str) -> bool {
    let url = format!("{}/healthz", server.trim_end_matches('/'));
    let ask = move || {
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(REACH_WITHIN)).build().into();
        agent.get(&url).call().is_ok()
    };
    tokio::task::spawn_blocking(ask).await.unwrap_or(false)
}

fn data_findings(dir: &Path, is_running: bool) -> Vec<Finding> {
    let name = dir.display();
    if !dir.exists() {
        return vec![finding(State::Good, "data folder", format!("{name} is not there yet: `serve` makes it"))];
    }
    let mut out = Vec::new();
    if !is_running {
        out.push(match tempfile::NamedTempFile::new_in(dir) {
            Ok(_) => finding(State::Good, "data folder", format!("{name} can be written")),
            Err(e) => {
                finding(State::Bad, "data folder", format!("{name}: {e}; give it to the user who runs the service"))
            }
        });
    }
    out.push(match StoreReader::open(dir).and_then(|store| store.check()) {
        Ok(()) => finding(State::Good, "store", "whole"),
        Err(e) => finding(State::Bad, "store", e.to_string()),
    });
    out
}

fn disk_finding(dir: &Path) -> Finding {
    let near = dir.ancestors().find(|d| d.exists()).unwrap_or(Path::new("."));
    let near = if near.as_os_str().is_empty() { Path::new(".") } else { near };
    match rustix::fs::statvfs(near) {
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let text = format!("{} MiB free", free >> 20);
            if free < DISK_LOW_BYTES {
                return finding(State::Doubtful, "disk", format!("{text}: make room, a full disk stops the service"));
            }
            finding(State::Good, "disk", text)
        }
        Err(e) => finding(State::Doubtful, "disk", format!("{}: {e}", near.display())),
    }
}

fn port_finding(what: &str, address: SocketAddr) -> Finding {
    match std::net::TcpListener::bind(address) {
        Ok(_) => finding(State::Good, what, format!("{address} is free")),
        Err(e) => finding(State::Bad, what, format!("{address}: {e}; stop the program that has it, or choose another")),
    }
}

async fn reach(what: &str, host: &str, port: u16, remedy: &str) -> Finding {
    let (host_owned, name) = (host.to_owned(), format!("{host}:{port}"));
    let look_up =
        tokio::task::spawn_blocking(move || (host_owned.as_str(), port).to_socket_addrs().map(Iterator::collect));
    let addresses: Vec<SocketAddr> = match look_up.await {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(e)) => return finding(State::Bad, what, format!("{name}: {e}; check the name")),
        Err(e) => return finding(State::Bad, what, format!("{name}: {e}")),
    };
    let connect = tokio::net::TcpStream::connect(addresses.as_slice());
    match tokio::time::timeout(REACH_WITHIN, connect).await {
        Ok(Ok(_)) => finding(State::Good, what, format!("{name} takes connections")),
        Ok(Err(e)) => finding(State::Bad, what, format!("{name}: {e}; {remedy}")),
        Err(_) => finding(State::Bad, what, format!("{name} does not answer within 5 s; {remedy}")),
    }
}

/// One line a finding; longer ones go on below, under the same column.
pub fn render(findings: &[Finding]) -> String {
    let width = findings.iter().map(|f| f.what.len()).max().unwrap_or(0);
    let mut out = String::new();
    for f in findings {
        let mark = match f.state {
            State::Good => "ok   ",
            State::Doubtful => "look ",
            State::Bad => "WRONG",
        };
        let mut lines = f.text.lines();
        out.push_str(&format!("{mark}  {:width$}  {}\n", f.what, lines.next().unwrap_or_default()));
        for line in lines {
            out.push_str(&format!("{:5}  {:width$}  {line}\n", "", ""));
        }
    }
    let bad = findings.iter().filter(|f| f.state == State::Bad).count();
    out.push_str(match bad {
        0 => "\nNothing is wrong.\n",
        _ => "\nMend what is marked WRONG, then run this again.\n",
    });
    out
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn findings_stand_in_columns_and_the_end_says_what_to_do() {
        let text = render(&[
            finding(State::Good, "clock", "2026-11-21T09:00:00.000Z"),
            finding(State::Bad, "settings", "a.toml:1: first\na.toml:2: second"),
        ]);
        assert_eq!(
            text,
            "ok     clock     2026-11-21T09:00:00.000Z\nWRONG  settings  a.toml:1: first\n                 \
             a.toml:2: second\n\nMend what is marked WRONG, then run this again.\n"
        );
    }

    #[test]
    fn a_store_that_is_no_store_is_found() {
        let dir = tempfile::tempdir().expect("scratch folder");
        fs::write(dir.path().join("buttonwatch.db"), "this is no database, and long enough to be read as one")
            .expect("writable");
        assert!(data_findings(dir.path(), false).iter().any(|f| f.state == State::Bad));
    }
}
