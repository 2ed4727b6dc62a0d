//! Tells Alertmanager what is open. Owns the picture that is told, the pace and the tries; never decides what an alert is.
//!
//! Design constraints
//! - Beside the judge: it asks as the API does, and nobody waits for an Alertmanager. A dead one costs its own task a
//!   time limit, never an ack, a decision, a mail, or another Alertmanager's news.
//! - Alertmanager forgets what it is not told again. Each push says "open until four repeats from now", so what ends while
//!   either side is down ends there by itself.
//! - An end is told until it was taken, or until Alertmanager has ended it by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::config::service::{Alertmanager as Wanted, AlertmanagerAuth, ServiceConfig};
use crate::domain::query::Query;
use crate::domain::view::{Answer, Ask, AskError};
use crate::domain::{EffectKind, Timestamp, span_text};
use crate::io::alertmanager::{Alertmanager, AlertmanagerConfig, Auth, PIECE, PushError};
use crate::render::alertmanager::{Chosen, Labels, PushedAlert, Standing, standing};

use super::metrics::{AlertmanagerMetrics, PUSH_OUTCOMES};
use super::{Handle, ServeError, entry};
use crate::app::clock;

/// What belongs together comes together: a feeder's units fall silent within seconds, and one push tells them all.
const GATHER: Duration = Duration::from_millis(500);
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// How many repeats may fail before Alertmanager takes an alert for ended.
const REPEATS_UNTIL_ENDED: u32 = 4;

type Picture = Arc<BTreeMap<Labels, Standing>>;

/// One client for each Alertmanager. Err: what of `[alertmanager]` cannot be used.
pub(super) fn clients(wanted: &Wanted) -> Result<Vec<Alertmanager>, ServeError> {
    let trusted_pem = match &wanted.ca {
        Some(path) => Some(std::fs::read(path).map_err(|e| {
            ServeError(format!("{}: {e}; ca of [alertmanager] names a PEM file of certificates", path.display()))
        })?),
        None => None,
    };
    let mut clients = Vec::new();
    for url in &wanted.urls {
        let auth = match &wanted.auth {
            None => Auth::None,
            Some(AlertmanagerAuth::Login(login)) => {
                Auth::Login { username: login.username.clone(), password: entry::read_password(login)? }
            }
            Some(AlertmanagerAuth::Token(path)) => {
                Auth::Token(entry::read_secret(path, "the token of [alertmanager]")?)
            }
        };
        let config = AlertmanagerConfig { url: url.clone(), auth, trusted_pem: trusted_pem.clone() };
        clients.push(Alertmanager::new(config).map_err(ServeError::of)?);
    }
    Ok(clients)
}

/// The tasks, to be aborted at the end.
pub(super) fn run(
    config: &ServiceConfig,
    wanted: Wanted,
    clients: Vec<Alertmanager>,
    handle: Handle,
) -> Vec<JoinHandle<()>> {
    let metrics = handle.metrics.alertmanager.clone();
    metrics.configured.set(1);
    let (show, _) = watch::channel(None);
    let down = Arc::new(AtomicUsize::new(clients.len()));
    let mut tasks: Vec<JoinHandle<()>> = clients
        .into_iter()
        .map(|client| {
            let line = Line {
                client,
                repeat: wanted.repeat,
                ledger: Ledger::new(wanted.repeat * REPEATS_UNTIL_ENDED),
                metrics: metrics.clone(),
                down: Arc::clone(&down),
                state: State::Unknown,
            };
            tokio::spawn(line.run(show.subscribe()))
        })
        .collect();
    let public_url = config.public_url();
    let instance = wanted.instance.clone().unwrap_or_else(|| host_of(&public_url).to_owned());
    tasks.push(tokio::spawn(watch_engine(wanted, public_url, instance, handle, show)));
    tasks
}

fn host_of(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or(url)
}

/// Shows the newest picture after a change, and at every repeat.
async fn watch_engine(
    wanted: Wanted,
    public_url: String,
    instance: String,
    handle: Handle,
    show: watch::Sender<Option<Picture>>,
) {
    let mut decided = handle.listen();
    loop {
        let chosen = Chosen {
            severities: &wanted.severities,
            inhibited: wanted.inhibited,
            instance: &instance,
            public_url: &public_url,
        };
        match picture(&handle, &chosen).await {
            Ok(picture) => {
                handle.metrics.alertmanager.alerts.set(picture.len() as i64);
                show.send_replace(Some(Arc::new(picture)));
            }
            Err(why) => {
                tracing::debug!("Alertmanager hears nothing now: {why}");
            }
        }
        let repeat_at = Instant::now() + wanted.repeat;
        if changed(&mut decided, repeat_at).await.is_err() {
            return;
        }
    }
}

async fn picture(handle: &Handle, chosen: &Chosen<'_>) -> Result<BTreeMap<Labels, Standing>, AskError> {
    let odd = || AskError::Unavailable("the service did not say what is open; ask again".to_owned());
    let Answer::Alerts(alerts) = handle.ask(Ask::Alerts(Query::default())).await? else { return Err(odd()) };
    let Answer::Incidents(incidents) = handle.ask(Ask::Incidents(Query::default())).await? else { return Err(odd()) };
    Ok(standing(&alerts.items, &incidents.items, &handle.known.fleet(), chosen))
}

struct ServiceEnds;

/// Until an alert or incident changed and its siblings had time to follow, or until `repeat_at`.
async fn changed(
    decided: &mut broadcast::Receiver<Arc<crate::domain::Effect>>,
    repeat_at: Instant,
) -> Result<(), ServiceEnds> {
    loop {
        match timeout_at(repeat_at, decided.recv()).await {
            Err(_) => return Ok(()),
            Ok(Ok(effect)) if !concerns(&effect.kind) => {}
            // Too slow, and some were missed: look at all of it.
            Ok(Ok(_) | Err(broadcast::error::RecvError::Lagged(_))) => break,
            Ok(Err(broadcast::error::RecvError::Closed)) => return Err(ServiceEnds),
        }
    }
    sleep(GATHER).await;
    // What came meanwhile is in the picture that is asked for next.
    *decided = decided.resubscribe();
    Ok(())
}

fn concerns(effect: &EffectKind) -> bool {
    match effect {
        EffectKind::Alert { .. } | EffectKind::Incident { .. } => true,
        EffectKind::Readiness { .. }
        | EffectKind::Order(_)
        | EffectKind::OrderUpdated(_)
        | EffectKind::Mail(_)
        | EffectKind::Command { .. }
        | EffectKind::Reading { .. }
        | EffectKind::Refused { .. } => false,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Unknown,
    Taken,
    Trouble(PushError),
}

/// One Alertmanager and what it was told.
struct Line {
    client: Alertmanager,
    repeat: Duration,
    ledger: Ledger,
    metrics: AlertmanagerMetrics,
    /// Of all Alertmanagers, how many did not take their last push.
    down: Arc<AtomicUsize>,
    state: State,
}

impl Line {
    async fn run(mut self, mut shown: watch::Receiver<Option<Picture>>) {
        let mut wait = FIRST_RETRY;
        let mut again = false;
        loop {
            if again {
                sleep(wait).await;
                wait = (wait * 2).min(self.repeat);
            } else if shown.changed().await.is_err() {
                return;
            }
            let Some(picture) = shown.borrow_and_update().clone() else { continue };
            let alerts = self.ledger.note(clock::now(), &picture);
            let result = self.push(&alerts).await;
            again = match &result {
                Ok(()) => {
                    self.ledger.taken();
                    wait = FIRST_RETRY;
                    false
                }
                // The next picture comes by itself.
                Err(PushError::Refused { .. }) => false,
                Err(PushError::Failed(_)) => true,
            };
            self.tell(result);
        }
    }

    async fn push(&self, alerts: &[PushedAlert]) -> Result<(), PushError> {
        // An empty list is pushed, too: somebody wants to know whether it would be taken.
        let pieces = if alerts.is_empty() { vec![alerts] } else { alerts.chunks(PIECE).collect() };
        for piece in pieces {
            let result = self.client.push(piece).await;
            let [taken, refused, failed] = PUSH_OUTCOMES;
            let outcome = match &result {
                Ok(()) => taken,
                Err(PushError::Refused { .. }) => refused,
                Err(PushError::Failed(_)) => failed,
            };
            self.metrics.pushes.with_label_values(&[outcome]).inc();
            result?;
        }
        Ok(())
    }

    /// Once for each change, not once for each try.
    fn tell(&mut self, result: Result<(), PushError>) {
        let state = result.map_or_else(State::Trouble, |()| State::Taken);
        let was_up = self.state == State::Taken;
        let down = match (was_up, &state) {
            (false, State::Taken) => self.down.fetch_sub(1, Ordering::Relaxed) - 1,
            (true, State::Trouble(_)) => self.down.fetch_add(1, Ordering::Relaxed) + 1,
            (true, State::Taken | State::Unknown) | (false, State::Trouble(_) | State::Unknown) => {
                self.down.load(Ordering::Relaxed)
            }
        };
        self.metrics.up.set(i64::from(down == 0));
        if state == self.state {
            return;
        }
        let name = self.client.name();
        match &state {
            State::Taken => tracing::info!("Alertmanager {name} takes alerts"),
            State::Trouble(why @ PushError::Refused { .. }) => tracing::error!(
                "Alertmanager {name} refuses alerts: {why}; look at url and login of [alertmanager] in buttonwatch.toml"
            ),
            State::Trouble(why @ PushError::Failed(_)) => tracing::warn!(
                "Alertmanager {name} cannot be told: {why}; tried again, at the latest every {}",
                span_text(self.repeat)
            ),
            State::Unknown => {}
        }
        self.state = state;
    }
}

/// What one Alertmanager was told, and which ends it is still to hear of.
struct Ledger {
    lasts: Duration,
    told: Picture,
    ended: BTreeMap<Labels, (Standing, Timestamp)>,
}

impl Ledger {
    /// `lasts`: after which Alertmanager ends by itself what it is not told again.
    fn new(lasts: Duration) -> Self {
        Ledger { lasts, told: Picture::default(), ended: BTreeMap::new() }
    }

    /// What to push now.
    fn note(&mut self, now: Timestamp, open: &Picture) -> Vec<PushedAlert> {
        for (labels, standing) in self.told.iter().filter(|(labels, _)| !open.contains_key(*labels)) {
            self.ended.insert(labels.clone(), (standing.clone(), now));
        }
        let lasts = self.lasts;
        self.ended.retain(|labels, (_, at)| !open.contains_key(labels) && now.since(*at) < lasts);
        self.told = Arc::clone(open);
        let until = now + lasts;
        let still_open = open.iter().map(|(labels, standing)| standing.open_until(labels, until));
        still_open.chain(self.ended.iter().map(|(labels, (standing, at))| standing.ended(labels, *at))).collect()
    }

    /// Everything of the last [`Self::note`].
    fn taken(&mut self) {
        self.ended.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(names: &[&str]) -> Picture {
        let one = |name: &&str| {
            let standing =
                Standing { since: Timestamp::from_millis(1_000), annotations: BTreeMap::new(), source: String::new() };
            (Labels::from([("alertname", (*name).to_owned())]), standing)
        };
        Arc::new(names.iter().map(one).collect())
    }

    /// Names with `-` where they ended, in seconds.
    fn texts(alerts: &[PushedAlert]) -> Vec<String> {
        alerts.iter().map(|a| format!("{} until {}", a.labels["alertname"], a.ends_at.as_millis() / 1000)).collect()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn what_is_open_ends_by_itself_four_repeats_later_unless_it_is_told_again() {
        let mut ledger = Ledger::new(Duration::from_secs(240));
        assert_eq!(texts(&ledger.note(at(100), &open(&["a"]))), ["a until 340"]);
        ledger.taken();
        assert_eq!(texts(&ledger.note(at(160), &open(&["a"]))), ["a until 400"]);
    }

    #[test]
    fn an_end_is_told_until_it_was_taken() {
        let mut ledger = Ledger::new(Duration::from_secs(240));
        ledger.note(at(100), &open(&["a", "b"]));
        ledger.taken();
        assert_eq!(texts(&ledger.note(at(110), &open(&["b"]))), ["b until 350", "a until 110"]);
        // Nobody took it.
        assert_eq!(texts(&ledger.note(at(120), &open(&["b"]))), ["b until 360", "a until 110"]);
        ledger.taken();
        assert_eq!(texts(&ledger.note(at(130), &open(&["b"]))), ["b until 370"]);
    }

    #[test]
    fn an_end_that_nobody_took_is_forgotten_when_it_has_ended_by_itself() {
        let mut ledger = Ledger::new(Duration::from_secs(240));
        ledger.note(at(100), &open(&["a"]));
        ledger.note(at(110), &open(&[]));
        assert_eq!(texts(&ledger.note(at(349), &open(&[]))), ["a until 110"]);
        assert!(ledger.note(at(350), &open(&[])).is_empty());
    }

    #[test]
    fn what_comes_back_before_its_end_was_taken_is_open() {
        let mut ledger = Ledger::new(Duration::from_secs(240));
        ledger.note(at(100), &open(&["a"]));
        ledger.note(at(110), &open(&[]));
        assert_eq!(texts(&ledger.note(at(120), &open(&["a"]))), ["a until 360"]);
    }
}
