//! The clock: whether it can be right, whether somebody sets it, and how far the service's is from it.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::app::clock;
use crate::domain::Timestamp;

use super::{Finding, REACH_WITHIN, State, finding};

/// Before this program was written: the clock has lost its battery.
const CLOCK_MIN: &str = "2026-01-01T00:00:00Z";
/// An HTTP date is whole seconds, and a slow answer takes some more.
const SKEW: Duration = Duration::from_secs(5);

pub(super) fn findings() -> Vec<Finding> {
    let now = clock::now();
    let earliest = Timestamp::parse(CLOCK_MIN).expect("a fixed, valid date");
    if now < earliest {
        return vec![finding(State::Bad, "clock", format!("it says {now}: set it, and switch NTP on"))];
    }
    vec![match set_by_ntp() {
        Some(true) => finding(State::Good, "clock", format!("{now}, set by NTP")),
        Some(false) => finding(
            State::Doubtful,
            "clock",
            format!(
                "{now}, and nobody sets it: the whole service goes by it; switch NTP on (timedatectl set-ntp true)"
            ),
        ),
        None => finding(State::Good, "clock", format!("{now}; whether NTP sets it is not known here")),
    }]
}

/// As systemd knows it of the kernel, whoever sets it. None: there is no systemd, or it does not say.
fn set_by_ntp() -> Option<bool> {
    let mut asked = Command::new("timedatectl");
    asked.args(["show", "--property=NTPSynchronized", "--value"]).stdin(Stdio::null()).stderr(Stdio::null());
    let answer = asked.output().ok().filter(|o| o.status.success())?;
    match String::from_utf8_lossy(&answer.stdout).trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// Of whoever answers there. None: nobody, or it does not say.
pub(super) async fn of_server(what: &'static str, url: String) -> Option<Finding> {
    let ask = move || {
        let config = ureq::Agent::config_builder().timeout_global(Some(REACH_WITHIN)).http_status_as_error(false);
        let agent: ureq::Agent = config.build().into();
        let answer = agent.get(&url).call().ok()?;
        let date = answer.headers().get("date")?.to_str().ok()?;
        let theirs = chrono::DateTime::parse_from_rfc2822(date).ok()?;
        Some(Timestamp::from_millis(theirs.timestamp_millis()))
    };
    let theirs = tokio::task::spawn_blocking(ask).await.ok().flatten()?;
    let ours = clock::now();
    let apart = ours.since(theirs).max(theirs.since(ours));
    (apart > SKEW).then(|| {
        let text = format!("{what} says {theirs}, this machine says {ours}: switch NTP on at both");
        finding(State::Doubtful, "clock", text)
    })
}
