//! Looks at what the service needs and says, for each thing that is wrong, what to do. Changes nothing, and sends nothing but
//! the test mail that it is asked for.

mod certificate;
mod doors;
mod hour;
mod units;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::config::service::{MailTransport, ServiceConfig};
use crate::domain::Unit;
use crate::io::store::{MailOutcome, StoreError, StoreReader};
use crate::render::table::{self, Look};

use super::arguments::DoctorArgs;
use super::daemon::{
    broken_alertmanager_settings, broken_links_key, broken_mail_settings, examine_influx, examine_mail_server,
    send_test_mail,
};
use super::fleet_file::{AtStart, FleetFile, plan_text};
use super::serve::{gather, overlooked};

pub use units::unwatched;

/// Longer than any healthy server on the same network takes to accept.
const REACH_WITHIN: Duration = Duration::from_secs(5);
/// Less than this and a week's journal of a large fleet may not fit.
const DISK_LOW_BYTES: u64 = 1 << 30;
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Good,
    /// Works, but look at it.
    Doubtful,
    Bad,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    let mut out = hour::findings();
    let parts = match gather(&args.serve) {
        Ok(parts) => parts,
        // The rest would be looked at by settings that are not the operator's.
        Err(e) => {
            out.push(finding(State::Bad, "settings, rules, fleet", e.to_string()));
            return out;
        }
    };
    out.extend(overlooked(&args.serve).map(|text| finding(State::Doubtful, "settings", text)));
    let (config, rules) = (parts.config, parts.rules);
    let counted = format!("{} rules, {} incidents", rules.rules.len(), rules.incidents.len());
    out.push(finding(State::Good, "settings and rules", counted));
    let stored = fleet_of_store(&config.data);
    let (fleet, units) = fleet_finding(parts.fleet, stored);
    out.push(fleet);
    out.extend(units::findings(&config, &rules, &units));
    let is_running = service_answers(&args.server).await;
    out.push(match is_running {
        true => finding(State::Good, "service", format!("answers at {}", args.server)),
        false => finding(
            State::Doubtful,
            "service",
            format!("nothing answers at {}: start it with `buttonwatch serve`", args.server),
        ),
    });
    if is_running {
        out.extend(hour::of_server("the service", format!("{}/healthz", args.server.trim_end_matches('/'))).await);
    }
    out.extend(data_findings(&config.data, is_running));
    out.extend(broken_links_key(&config).map(|why| finding(State::Bad, "crews' links", why)));
    out.push(disk_finding(&config.data));
    if !is_running {
        out.push(port_finding("http port", config.http.listen));
        if let Some(gateway) = &config.gateway {
            out.push(port_finding("units' port", gateway.listen));
        }
        if let Some(bus) = config.bus {
            out.push(port_finding("bus port", bus));
        }
    }
    out.extend(doors::findings(&config, args.serve.token.as_deref(), is_running).await);
    out.extend(examine_influx(&config).await.map(|influx| match influx {
        Ok(text) => finding(State::Good, "InfluxDB", text),
        Err(text) => finding(State::Bad, "InfluxDB", text),
    }));
    if let Some(influx) = &config.influx {
        out.extend(hour::of_server("InfluxDB", format!("{}/health", influx.url)).await);
    }
    out.extend(broken_alertmanager_settings(&config).map(|why| finding(State::Bad, "Alertmanager", why)));
    out.extend(mail_findings(&config).await);
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

async fn mail_findings(config: &ServiceConfig) -> Vec<Finding> {
    if let Some(why) = broken_mail_settings(config) {
        return vec![finding(State::Bad, "mails", why)];
    }
    vec![match &config.mail.transport {
        MailTransport::Smtp(smtp) => match examine_mail_server(config).await {
            Ok(()) => {
                let login = if smtp.login.is_some() { ", and takes our login" } else { "" };
                finding(State::Good, "mail server", format!("{}:{} answers{login}", smtp.host, smtp.port))
            }
            Err(why) => finding(State::Bad, "mail server", why),
        },
        MailTransport::Folder(_) => {
            let folder = config.mail_folder().map(|f| f.display().to_string()).unwrap_or_default();
            let text = format!("no SMTP server is set: mails are written to {folder}, nobody gets them");
            finding(State::Doubtful, "mail", text)
        }
    }]
}

/// The fleet of the last start or import, and the digest of the fleet file that was last taken over. None: there is no
/// store that can be read.
fn fleet_of_store(data: &Path) -> Option<(Vec<Unit>, Option<String>)> {
    let store = StoreReader::open(data).ok()?;
    Some((store.fleet().ok()?, store.fleet_file().ok()?))
}

/// And the fleet that the next start goes by.
fn fleet_finding(file: Option<FleetFile>, stored: Option<(Vec<Unit>, Option<String>)>) -> (Finding, Vec<Unit>) {
    let counted = |units: &[Unit]| table::counted(units.len(), "unit");
    let export = "`buttonwatch fleet export NEW.csv` writes down the fleet that the service has now";
    let (stored, taken) = stored.unwrap_or_default();
    match file {
        Some(file) => match file.at_start(&stored, taken.as_deref()) {
            AtStart::StoreStays(_) => {
                let text = format!(
                    "{}, and the service goes by a later import of {}; that stays until this file changes. {export}",
                    counted(&file.units),
                    counted(&stored)
                );
                (finding(State::Doubtful, "fleet file", text), stored)
            }
            AtStart::FileReplaces(plan) if !plan.removed.is_empty() => {
                let text = format!("it has changed; the next start replaces the fleet: {}. {export}", plan_text(&plan));
                (finding(State::Doubtful, "fleet file", text), file.units)
            }
            AtStart::FileReplaces(_) | AtStart::Same => {
                (finding(State::Good, "fleet file", counted(&file.units)), file.units)
            }
        },
        None if stored.is_empty() => {
            let text = "no units yet: fill in fleet.csv, and when the service runs: buttonwatch fleet import fleet.csv";
            (finding(State::Doubtful, "fleet", text), stored)
        }
        None => {
            let text = format!("{}, from the last import", counted(&stored));
            (finding(State::Good, "fleet", text), stored)
        }
    }
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
        Err(StoreError::Missing { .. }) => finding(State::Good, "store", "not there yet: `serve` makes it"),
        Err(e @ StoreError::Older { .. }) => finding(State::Doubtful, "store", e.to_string()),
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

/// Each finding under its mark, in columns.
pub fn render(findings: &[Finding], look: &Look) -> String {
    let width = findings.iter().map(|f| f.what.len()).max().unwrap_or(0);
    let mut out = String::new();
    for f in findings {
        let mark = match f.state {
            State::Good => "ok   ",
            State::Doubtful => "look ",
            State::Bad => "WRONG",
        };
        let mut lead = format!("{mark}  {:width$}  ", f.what);
        for text in f.text.lines() {
            for line in table::wrapped(&lead, text, look) {
                out.push_str(line.trim_end());
                out.push('\n');
            }
            lead = " ".repeat(lead.len());
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
        let text = render(
            &[
                finding(State::Good, "clock", "2026-11-21T09:00:00.000Z"),
                finding(State::Bad, "settings", "a.toml:1: first\na.toml:2: second"),
            ],
            &Look::plain(Default::default()),
        );
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
