//! The service: every part started, joined and stopped in the right order. The only room where the clock meets the
//! engine.
//!
//! ```text
//!  io::gateway ─┐                    ┌─▶ io::store   one commit, then the acks
//!               ├─ Ingest ─▶ judge ──┼─▶ io::bus     copies for observers
//!  io::mqtt ────┘    ▲  (own thread) ├─▶ outbox ─▶ io::smtp
//!                    │  │            └─▶ commands ─▶ the units
//!                    │  └─ Rollups ── rollups ◀── the journal
//!  io::http ── Ask ──┤      └─▶ telling ─▶ io::influx
//!                    └─ Ask ── alertmanager ─▶ io::alertmanager
//! ```

mod alertmanager;
mod answers;
mod bus_feed;
mod command_book;
mod commands;
mod delivery;
mod entry;
mod history;
mod influx_watch;
mod judge;
mod metrics;
mod on_demand;
mod outbox;
mod pace;
mod post_office;
mod report_mails;
mod reports;
mod rollups;
mod telling;
mod vitals;

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, broadcast, mpsc, oneshot};

use crate::config::alerts::check_alerts;
use crate::config::service::ServiceConfig;
use crate::domain::event::Hearing;
use crate::domain::outlook::Outlook;
use crate::domain::overview::Changed;
use crate::domain::query::Query;
use crate::domain::view::{Answer, Ask, AskError, LinkUse, UnitRow};
use crate::domain::{Effect, Fleet, Notice, Recipient, RuleSet, Timestamp, UnitId};
use crate::engine::{Engine, Saved};
use crate::io::bus::{Bus, BusConfig};
use crate::io::gateway::Gateway;
use crate::io::http::{BoardSettings, CrewDoor, Http, Links, Service};
use crate::io::influx::{Influx, InfluxConfig, InfluxReader};
use crate::io::mqtt::External;
use crate::io::store::{Loaded, MailOutcome, Store, StoreOptions, StoreReader};
use crate::render::mail::Mail;
use crate::wire::decode::Decoder;
use crate::wire::recording::{Reader, What};
use crate::wire::signature::Signing;

use super::clock;
use super::fleet_file::{AtStart, FleetFile, plan_text};
use super::historian::Historian;
use super::replay::{Passed, judge_line, judge_line_telling};
use command_book::CommandBook;
use commands::WayOut;
use judge::{Control, Fresh, Judge};
use metrics::Metrics;
use post_office::PostOffice;
use reports::Reports;
use telling::Telling;
use vitals::Vitals;

/// Sends a test mail as the service would, to the operator or to `to`. Gives the address and what became of it.
/// Err: the settings of `[mail]` name a file that cannot be read.
pub async fn send_test_mail(config: &ServiceConfig, to: Option<&str>) -> Result<(String, MailOutcome), ServeError> {
    // No link stands in it, so no key is needed.
    let office = PostOffice::new(config, Links::new([0; Links::KEY_BYTES]), None)?;
    Ok(office.send_test(to, clock::now()).await)
}

/// The mail as the service with these settings would make it, but for its links, which open nothing. `reader` None: nothing
/// else is known of the order's site. Err: what is wrong with the settings of `[mail]` or with the templates.
pub fn preview_mail(
    config: &ServiceConfig,
    reader: Option<StoreReader>,
    notice: &Notice,
    fleet: &Fleet,
) -> Result<Mail, ServeError> {
    let office = PostOffice::new(config, Links::new([0; Links::KEY_BYTES]), reader.map(Arc::new))?;
    Ok(office.render(notice, fleet))
}

/// For `doctor`: why the service would not start with what `[mail]` names: templates, a password, a certificate.
pub fn broken_mail_settings(config: &ServiceConfig) -> Option<String> {
    PostOffice::new(config, Links::new([0; Links::KEY_BYTES]), None).err().map(|e| e.to_string())
}

/// For `doctor`: whether the mail server lets us in. Nothing is sent; without a server all is well.
pub async fn examine_mail_server(config: &ServiceConfig) -> Result<(), String> {
    PostOffice::new(config, Links::new([0; Links::KEY_BYTES]), None).map_err(|e| e.to_string())?.try_line().await
}

/// For `doctor`: whether the external broker lets us in and gives us what units send. None: there is none.
pub async fn knock_at_broker(config: &ServiceConfig) -> Option<Result<String, String>> {
    let settings = match entry::external_config(config, config.external.as_ref()?) {
        Ok(settings) => settings,
        Err(e) => return Some(Err(e.to_string())),
    };
    Some(crate::io::mqtt::knock(settings).await)
}

/// For `doctor`: why the service would not start with what `[alertmanager]` names: a password, a token, a certificate.
pub fn broken_alertmanager_settings(config: &ServiceConfig) -> Option<String> {
    config.alertmanager.as_ref().and_then(|wanted| alertmanager::clients(wanted).err()).map(|e| e.to_string())
}

/// For `doctor`: why the service would not start with the key of crews' links that is there.
pub fn broken_links_key(config: &ServiceConfig) -> Option<String> {
    entry::broken_links_key(config)
}

/// For `doctor`: whether InfluxDB takes what the service would write. None: it is not in the settings.
pub async fn examine_influx(config: &ServiceConfig) -> Option<Result<String, String>> {
    let settings = match entry::influx_config(config.influx.as_ref()?, &config.data) {
        Ok(settings) => settings,
        Err(e) => return Some(Err(e.to_string())),
    };
    Some(crate::io::influx::check(&settings).await)
}

pub use entry::{LINKS_KEY, http_tokens, read_passwords, read_secret, words};
pub(crate) use reports::EDITION_FILE;

/// Chunks between the ways in and the judge. Full: the sockets wait.
const INGEST_CHUNKS: usize = 1024;
/// Questions that wait for an answer. Full: the askers wait.
const CONTROLS: usize = 256;

/// For finer readings than the store has.
const READINGS_WITHIN: Duration = Duration::from_secs(3);

/// Effects that a listener may lag behind. Full: the slowest misses the oldest.
const DECIDED: usize = 4096;

/// Commits that a screen may lag behind. Full: it is told to look anew at everything.
const CHANGES: usize = 64;

/// What the service is made of, checked.
pub struct Parts {
    pub config: ServiceConfig,
    pub rules_toml: String,
    pub rules: RuleSet,
    /// Looked at again while the service runs. None: the rules that come with the program.
    pub rules_file: Option<PathBuf>,
    /// None: the fleet that the store holds.
    pub fleet: Option<FleetFile>,
    /// What HTTP wants from those who ask. None: only this machine may ask.
    pub token: Option<String>,
}

/// Why the service could not start, or why it stopped. One clear line each.
#[derive(Debug)]
pub struct ServeError(pub String);

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ServeError {}

impl ServeError {
    fn of(e: impl fmt::Display) -> Self {
        ServeError(e.to_string())
    }
}

/// The fleet and the rules of now, for those beside the judge: the gateway's open mode, the post office, limits in charts.
#[derive(Default)]
pub struct KnownUnits {
    fleet: RwLock<(BTreeSet<UnitId>, Arc<Fleet>)>,
    rules: RwLock<Arc<RuleSet>>,
}

impl KnownUnits {
    pub fn set(&self, fleet: &Arc<Fleet>) {
        let ids = fleet.units().map(|(_, u)| u.unit.clone()).collect();
        *self.fleet.write().unwrap_or_else(|e| e.into_inner()) = (ids, Arc::clone(fleet));
    }
    pub fn set_rules(&self, rules: &RuleSet) {
        *self.rules.write().unwrap_or_else(|e| e.into_inner()) = Arc::new(rules.clone());
    }
    pub fn contains(&self, id: &str) -> bool {
        self.fleet.read().unwrap_or_else(|e| e.into_inner()).0.contains(id)
    }
    pub fn fleet(&self) -> Arc<Fleet> {
        Arc::clone(&self.fleet.read().unwrap_or_else(|e| e.into_inner()).1)
    }
    pub fn rules(&self) -> Arc<RuleSet> {
        Arc::clone(&self.rules.read().unwrap_or_else(|e| e.into_inner()))
    }
}

/// A service that runs. Dropped without `stop`: as good as killed, which it survives.
pub struct Running {
    pub units: UnitsEntry,
    pub http: SocketAddr,
    pub bus: Option<SocketAddr>,
    pub mail_folder: Option<PathBuf>,
    handle: Handle,
    parts: RunningParts,
    ended: oneshot::Receiver<Result<(), ServeError>>,
}

/// Where units come in.
pub enum UnitsEntry {
    Gateway(SocketAddr),
    External(String),
    /// While the broker is lost we are half deaf: silence proves nothing then, at either door.
    Both(SocketAddr, String),
}

struct RunningParts {
    gateway: Option<Gateway>,
    external: Option<External>,
    http: Http,
    bus: Option<Bus>,
    influx: Option<Influx>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// Asks the running service; cheap to clone.
#[derive(Clone)]
pub struct Handle {
    control: mpsc::Sender<Control>,
    metrics: Metrics,
    reader: Arc<StoreReader>,
    /// Of its own: a question about a year of the fleet must not hold up the outbox. Such questions take turns.
    histories: Arc<StoreReader>,
    vitals: Arc<Vitals>,
    external: bool,
    desk: Arc<Reports>,
    decided: broadcast::Sender<Arc<Effect>>,
    changed: broadcast::Sender<Arc<Changed>>,
    known: Arc<KnownUnits>,
    book: Arc<CommandBook>,
    /// Rung when somebody looks at readings: the newest are wanted.
    rollups: Arc<Notify>,
    /// None: there is no InfluxDB to ask for finer ones.
    influx: Option<InfluxReader>,
}

impl Handle {
    /// Every effect from now on, after its commit. A listener that is too slow misses some and is told so.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Effect>> {
        self.decided.subscribe()
    }

    pub async fn ask(&self, ask: Ask) -> Result<Answer, AskError> {
        match ask {
            Ask::Series { unit, metric, since } => {
                let (store, known) = (Arc::clone(&self.histories), Arc::clone(&self.known));
                let looking = tokio::task::spawn_blocking(move || {
                    history::series(&store, &known.fleet(), &known.rules(), clock::now(), &unit, &metric, since)
                });
                self.rollups.notify_one();
                let mut answer = looking.await.map_err(unread)??;
                if let (Some(influx), Answer::Series(series)) = (&self.influx, &mut answer) {
                    history::add_readings(influx, series).await;
                }
                Ok(answer)
            }
            Ask::Unit(unit) => {
                let mut answer = self.ask_judge(Ask::Unit(unit)).await?;
                if let Answer::Unit(card) = &mut answer {
                    let (store, unit) = (Arc::clone(&self.histories), card.row.unit.clone());
                    let looking = tokio::task::spawn_blocking(move || history::presses(&store, &unit));
                    card.presses = looking.await.map_err(unread)?;
                }
                Ok(answer)
            }
            Ask::History { unit, since } => self.look_back(Some(unit), since).await,
            Ask::Availability { since } => self.look_back(None, since).await,
            // Asked again and again by those who wait for a unit: the judge need not hear of it.
            Ask::CommandState { unit, command } => self.book.answer(clock::now(), &unit, &command, &self.known.fleet()),
            Ask::Fleet => Ok(Answer::Fleet(self.known.fleet().units().map(|(_, u)| u.clone()).collect())),
            Ask::Commands(unit) => self.book.answer_all(clock::now(), &unit, &self.known.fleet()),
            Ask::Outlook => self.look_ahead(|_, _, _, outlook, _| Ok(Answer::Outlook(Box::new(outlook)))).await,
            Ask::Report(span) => {
                let report = move |store: &StoreReader, desk: &Reports, units: &[UnitRow], outlook, now| {
                    desk.report(store, units, &outlook, now, span)
                };
                self.look_ahead(report).await
            }
            Ask::PublicReport => match self.desk.edition(clock::now()) {
                Some(edition) => Ok(Answer::PublicReport(Box::new(edition))),
                None => {
                    let edition = |store: &StoreReader, desk: &Reports, units: &[UnitRow], outlook, now| {
                        desk.public_report(store, units, &outlook, now)
                    };
                    self.look_ahead(edition).await
                }
            },
            present @ (Ask::Health
            | Ask::Overview(_)
            | Ask::Rules
            | Ask::Units(_)
            | Ask::Explain(_)
            | Ask::Rebaseline { .. }
            | Ask::Command { .. }
            | Ask::Alerts(_)
            | Ask::Incidents(_)
            | Ask::Orders { .. }
            | Ask::Order(_)
            | Ask::SetOrder { .. }
            | Ask::Maintenance { .. }
            | Ask::Quarantine
            | Ask::Accept { .. }
            | Ask::ImportFleet { .. }
            | Ask::Refusals
            | Ask::Outbox
            | Ask::Mail(_)
            | Ask::SetMail { .. }
            | Ask::RetryMails { .. }) => self.ask_judge(present).await,
        }
    }

    /// Beside the judge, who has units to hear: it only says how things stand now.
    async fn look_back(&self, unit: Option<UnitId>, since: Option<Timestamp>) -> Result<Answer, AskError> {
        let now = clock::now();
        let Answer::Units(units) = self.ask_judge(Ask::Units(Query::default())).await? else {
            return Err(AskError::Unavailable("the service did not say its units; ask again".to_owned()));
        };
        let store = Arc::clone(&self.histories);
        let looking = tokio::task::spawn_blocking(move || match unit {
            Some(unit) => history::of_unit(&store, &units.items, now, &unit, since),
            None => history::of_fleet(&store, &units.items, now, since),
        });
        looking.await.map_err(unread)?
    }

    /// Beside the judge, too.
    async fn look_ahead(
        &self,
        make: impl FnOnce(&StoreReader, &Reports, &[UnitRow], Outlook, Timestamp) -> Result<Answer, AskError>
        + Send
        + 'static,
    ) -> Result<Answer, AskError> {
        let now = clock::now();
        let stopping = || AskError::Unavailable("the service is stopping; try again when it is back".to_owned());
        let (reply, answer) = oneshot::channel();
        self.control.send(Control::Prospects(reply)).await.map_err(|_| stopping())?;
        let (units, prospects) = answer.await.map_err(|_| stopping())?;
        let (store, desk) = (Arc::clone(&self.histories), Arc::clone(&self.desk));
        let making = tokio::task::spawn_blocking(move || make(&store, &desk, &units, prospects.outlook(), now));
        let broken = |_| AskError::Unavailable("the report could not be made; the log says why".to_owned());
        making.await.map_err(broken)?
    }

    async fn ask_judge(&self, ask: Ask) -> Result<Answer, AskError> {
        let stopping = || AskError::Unavailable("the service is stopping; try again when it is back".to_owned());
        let (reply, answer) = oneshot::channel();
        self.control.send(Control::Ask(ask, reply)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }
}

fn unread(_: tokio::task::JoinError) -> AskError {
    AskError::Unavailable("the history could not be read; the log says why".to_owned())
}

impl Service for Handle {
    fn ask(&self, ask: Ask) -> Pin<Box<dyn Future<Output = Result<Answer, AskError>> + Send + '_>> {
        Box::pin(Handle::ask(self, ask))
    }

    fn metrics(&self) -> String {
        self.vitals.take(&self.metrics, clock::now());
        self.metrics.text()
    }

    fn link_used(&self, how: LinkUse) {
        self.metrics.crew_links.with_label_values(&[how.as_str()]).inc();
    }

    fn changes(&self) -> broadcast::Receiver<Arc<Changed>> {
        self.changed.subscribe()
    }

    fn ready(&self) -> Result<(), Vec<String>> {
        let mut missing = Vec::new();
        if self.control.is_closed() {
            missing.push("the service is stopping".to_owned());
        }
        if self.metrics.hearing.get() == 0 {
            let remedy = if self.external { "the external broker cannot be reached" } else { "the gateway is down" };
            missing.push(format!("units cannot be heard: {remedy}"));
        }
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    }
}

/// Starts everything. Err: one clear line that names what could not be had.
pub async fn start(parts: Parts) -> Result<Running, ServeError> {
    let Parts { config, rules_toml, rules, rules_file, fleet, token } = parts;
    let http_tokens = entry::http_tokens(&config.http.tokens, token)?;
    let metrics = Metrics::new();
    let started_at = clock::now();
    metrics.start_time_seconds.set(started_at.as_millis() / 1000);
    let decoder = Decoder::new(config.root.clone(), entry::signing(&config)?);
    let store = Store::open(&config.data, StoreOptions::default()).map_err(ServeError::of)?;
    let reader = Arc::new(store.reader().map_err(ServeError::of)?);
    let histories = Arc::new(store.reader().map_err(ServeError::of)?);
    let to_roll_up = Arc::new(store.reader().map_err(ServeError::of)?);
    // What is in the journal was checked when it came in.
    let rollups_decoder = Decoder::new(config.root.clone(), Signing::Off);
    let rollups_ring = Arc::new(Notify::new());
    let links = entry::links(&config)?;
    let alertmanagers = match &config.alertmanager {
        Some(wanted) => Some((wanted.clone(), alertmanager::clients(wanted)?)),
        None => None,
    };
    let office = Arc::new(PostOffice::new(&config, links.clone(), Some(Arc::clone(&reader)))?);

    let settings = config.settings();
    let loaded = store.load().map_err(ServeError::of)?;
    let (influx, influx_reader) = match &config.influx {
        Some(settings) => {
            let settings = entry::influx_config(settings, &config.data)?;
            // Somebody waits for the answer, and the hours are there without it.
            let patience = settings.timeout.min(READINGS_WITHIN);
            let asks = InfluxConfig { timeout: patience, ..settings.clone() };
            let reader = InfluxReader::new(&asks).map_err(ServeError::of)?;
            (Some(Influx::start(settings).map_err(ServeError::of)?), Some(reader))
        }
        None => (None, None),
    };
    let mut telling = influx.as_ref().map(|i| Telling::new(Historian::new(config.time_zone), i.spool()));
    let restored = restore(loaded, &decoder, &rules_toml, rules, fleet, &settings, telling.as_mut())?;
    let known = Arc::new(KnownUnits::default());
    known.set(restored.engine.fleet());
    known.set_rules(restored.engine.rules());

    let rules_in_force = rules_toml.clone();
    let (ingest_in, ingest_out) = mpsc::channel(INGEST_CHUNKS);
    let ingest = ingest_in.downgrade();
    let (control_in, control_out) = mpsc::channel(CONTROLS);
    let (commands_in, commands_out) = mpsc::unbounded_channel();
    let live = reader.commands_live(started_at).map_err(ServeError::of)?;
    let book = Arc::new(CommandBook::restore(&live));
    for waiting in live.into_iter().filter(|c| c.taken_at.is_none()) {
        let _ = commands_in.send((waiting.unit, waiting.command));
    }

    let bus = match config.bus {
        Some(listen) => Some(Bus::start(BusConfig::new(listen)).map_err(ServeError::of)?),
        None => None,
    };
    let (decided, _) = broadcast::channel(DECIDED);
    let (changed, _) = broadcast::channel(CHANGES);
    let outbox_ring = Arc::new(Notify::new());
    let desk = Arc::new(Reports::new(&config));
    let mut judge = Judge {
        engine: restored.engine,
        store,
        decoder,
        metrics: metrics.clone(),
        bus: bus.as_ref().map(Bus::handle),
        commands: commands_in,
        book: Arc::clone(&book),
        decided: decided.clone(),
        changed: changed.clone(),
        outbox: Arc::clone(&outbox_ring),
        office: Arc::clone(&office),
        known: Arc::clone(&known),
        desk: Arc::clone(&desk),
        settings,
        rules_toml,
        started_at,
        telling,
        fresh: restored.fresh,
    };
    judge.remember_counts().map_err(ServeError::of)?;
    judge.begin(clock::now(), config.external.is_some()).map_err(ServeError::of)?;

    // The doors open last: whoever comes in finds everything in place.
    let (mut gateway, mut external) = (None, None);
    if let Some(broker) = &config.external {
        let settings = entry::external_config(&config, broker)?;
        external = Some(External::start(settings, ingest_in.clone()).await.map_err(ServeError::of)?);
    }
    if config.gateway.is_some() {
        let seen = Arc::clone(&known);
        let settings = entry::gateway_config(&config, Arc::new(move |id: &str| seen.contains(id)))?;
        gateway = Some(Gateway::start(settings, ingest_in).await.map_err(ServeError::of)?);
    }
    let broker = config.external.as_ref().map(|b| format!("{}:{}", b.host, b.port));
    let units = match (gateway.as_ref().map(Gateway::local_addr), broker) {
        (Some(address), None) => UnitsEntry::Gateway(address),
        (None, Some(broker)) => UnitsEntry::External(broker),
        (Some(address), Some(broker)) => UnitsEntry::Both(address, broker),
        (None, None) => {
            let remedy = "take out `enabled = false` of [gateway], or name a broker in [external]";
            return Err(ServeError(format!("units have no way in: {remedy}")));
        }
    };
    let way = WayOut {
        gateway: gateway.as_ref().map(Gateway::commands),
        external: external.as_ref().map(External::commands),
    };
    let vitals = Arc::new(Vitals {
        gateway: gateway.as_ref().map(|g| (g.handle(), g.stats())),
        bus: bus.as_ref().map(Bus::handle),
        influx: influx.as_ref().zip(config.influx.as_ref()).map(|(i, s)| (i.spool(), u64::from(s.spool_max_mb) << 20)),
        reader: Arc::clone(&reader),
        ingest,
        looking: Mutex::default(),
    });
    let handle = Handle {
        control: control_in.clone(),
        metrics: metrics.clone(),
        reader: Arc::clone(&reader),
        histories,
        vitals,
        external: external.is_some(),
        desk,
        decided,
        changed,
        known: Arc::clone(&known),
        book: Arc::clone(&book),
        rollups: Arc::clone(&rollups_ring),
        influx: influx_reader,
    };
    let zones = config.clone();
    let crew = CrewDoor {
        links,
        zone_of: Box::new(move |crew| zones.time_zone_of(&Recipient::Crew(crew.clone()))),
        now: clock::now,
    };
    let words = entry::words(config.http.translations.as_deref())?;
    let board = BoardSettings { words, zone: config.time_zone };
    let service = Arc::new(handle.clone());
    let http = Http::start(config.http.listen, service, http_tokens, crew, board).await.map_err(ServeError::of)?;

    let (tell_end, ended) = oneshot::channel();
    std::thread::Builder::new()
        .name("judge".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let result = match runtime {
                Ok(runtime) => runtime.block_on(judge.run(ingest_out, control_out)).map_err(ServeError::of),
                Err(e) => Err(ServeError(format!("the judge cannot start: {e}"))),
            };
            // Whoever waits for the end may be gone already.
            let _ = tell_end.send(result);
        })
        .map_err(|e| ServeError(format!("no thread can be had for the judge: {e}; close other programs")))?;

    let fleet_of = Arc::clone(&known);
    let (control, watch_control, watched) = (control_in.clone(), control_in.clone(), Arc::clone(&reader));
    let rollups = rollups::run(to_roll_up, rollups_decoder, control_in.clone(), rollups_ring);
    let mut tasks = vec![
        tokio::spawn(rollups),
        tokio::spawn(commands::run(way, config.root.clone(), metrics, book, control_in.clone(), commands_out)),
        tokio::spawn(outbox::run(reader, office, Arc::new(move || fleet_of.fleet()), control_in, outbox_ring)),
    ];
    if let Some(influx) = &influx {
        let domain = config.mail.domain.clone();
        tasks.push(tokio::spawn(influx_watch::run(influx.spool(), watched, domain, watch_control)));
    }
    tasks.push(tokio::spawn(report_mails::run(config.clone(), handle.clone())));
    if let Some((wanted, clients)) = alertmanagers {
        tasks.extend(alertmanager::run(&config, wanted, clients, handle.clone()));
    }
    if let Some(path) = rules_file {
        tasks.push(tokio::spawn(entry::follow_rules(path, rules_in_force, control)));
    }
    if let (Some(gateway), Some(path)) = (&gateway, config.gateway.as_ref().and_then(|g| g.passwords.clone())) {
        tasks.push(tokio::spawn(entry::follow_passwords(path, gateway.handle())));
    }
    Ok(Running {
        units,
        http: http.local_addr(),
        bus: bus.as_ref().map(Bus::local_addr),
        mail_folder: config.mail_folder(),
        handle,
        parts: RunningParts { gateway, external, http, bus, influx, tasks },
        ended,
    })
}

struct Restored {
    engine: Engine,
    fresh: Fresh,
}

/// The engine as it was at the last commit, then on today's rules and fleet.
fn restore(
    loaded: Loaded,
    decoder: &Decoder,
    rules_toml: &str,
    rules: RuleSet,
    fleet: Option<FleetFile>,
    settings: &crate::domain::Settings,
    mut telling: Option<&mut Telling>,
) -> Result<Restored, ServeError> {
    let mut fresh = Fresh::default();
    let is_new = loaded.checkpoint.is_none() && loaded.journal_tail.is_empty();
    let taken = loaded.fleet_file.as_deref();
    let units = match &fleet {
        None => loaded.fleet.clone(),
        Some(file) if is_new => file.units.clone(),
        Some(file) => match file.at_start(&loaded.fleet, taken) {
            AtStart::Same => loaded.fleet.clone(),
            AtStart::StoreStays(_) => {
                let (kept, file) = (loaded.fleet.len(), file.units.len());
                tracing::info!(
                    "the fleet is the last import's, {kept} units; the fleet file, {file} units, is unchanged"
                );
                loaded.fleet.clone()
            }
            AtStart::FileReplaces(plan) => {
                tracing::warn!("the fleet file is new or changed and replaces the fleet: {}", plan_text(&plan));
                file.units.clone()
            }
        },
    };
    fresh.fleet_file = fleet.map(|file| file.digest().to_owned()).filter(|digest| Some(digest.as_str()) != taken);
    if is_new {
        fresh.fleet = Some(units.clone());
        return Ok(Restored { engine: Engine::new(rules, Fleet::new(units), settings.clone()), fresh });
    }
    // What happened since the checkpoint was judged by the rules of then.
    let rules_then = loaded
        .rules_toml
        .as_deref()
        .and_then(|text| check_alerts("alerts.toml of the store", text).ok())
        .unwrap_or_else(|| rules.clone());
    let saved = loaded.checkpoint.map(|c| Saved { global: c.global, units: c.units }).unwrap_or_default();
    let mut engine = Engine::restore(rules_then, Fleet::new(loaded.fleet.clone()), settings.clone(), &saved)
        .map_err(ServeError::of)?;
    if let Some(telling) = telling.as_deref_mut() {
        telling.historian().begin(&engine);
    }
    let mut passed = Passed::default();
    for line in Reader::new(loaded.journal_tail.as_slice()) {
        let line = line.map_err(|e| ServeError(format!("the store's journal is damaged: {e}; restore a backup")))?;
        // Its effects were committed with it. Whether InfluxDB was told of it, nobody knows.
        match telling.as_deref_mut() {
            None => drop(judge_line(&mut engine, decoder, line, &mut passed)),
            Some(telling) => {
                drop(judge_line_telling(&mut engine, decoder, line, &mut passed, telling.historian()));
                telling.hand_over_a_part();
            }
        }
    }
    if passed.lines > 0 {
        tracing::info!("{} messages since the last checkpoint judged again", passed.lines);
    }
    let same_rules = loaded.rules_toml.as_deref() == Some(rules_toml);
    if !same_rules || units != loaded.fleet {
        let now = engine.now().unwrap_or_default();
        let removed = loaded.fleet.iter().filter(|u| !units.iter().any(|v| v.unit == u.unit));
        fresh.removed_units = removed.map(|u| u.unit.clone()).collect();
        fresh.effects.extend(engine.reload(now, rules, Fleet::new(units.clone()), settings.clone()));
        fresh.fleet = Some(units);
        fresh.rules_changed = true;
    }
    Ok(Restored { engine, fresh })
}

impl Judge {
    /// What was counted before the restart goes on.
    fn remember_counts(&mut self) -> Result<(), crate::io::store::StoreError> {
        self.fresh.quarantine = self.store.quarantine()?.into_iter().map(|r| (r.unit.clone(), r)).collect();
        for row in self.store.refusals()? {
            if let Ok(kind) = row.kind.parse() {
                self.fresh.refusals.insert(kind, row);
            }
        }
        Ok(())
    }

    /// The first commit: we are here, and were deaf until now.
    fn begin(&mut self, now: crate::domain::Timestamp, external: bool) -> Result<(), crate::io::store::StoreError> {
        self.judge(now, What::Link(Hearing::Start));
        if external {
            self.judge(now, What::Link(Hearing::Down));
        }
        self.count_all();
        self.commit(now, std::time::Instant::now(), true)?;
        if let Some(bus) = &self.bus {
            bus_feed::tell_all(bus, self.decoder.root(), &self.engine.unit_rows());
        }
        self.outbox.notify_one();
        Ok(())
    }
}

impl Running {
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Until the judge ends by itself. Err: a commit failed.
    pub async fn ended(&mut self) -> Result<(), ServeError> {
        match (&mut self.ended).await {
            Ok(result) => result,
            Err(_) => {
                Err(ServeError("the judge stopped without a word: this is a defect, please report it".to_owned()))
            }
        }
    }

    /// Everything that was taken in is committed and acknowledged; then the doors close.
    pub async fn stop(self) -> Result<(), ServeError> {
        const FAREWELL: Duration = Duration::from_secs(10);
        let RunningParts { gateway, external, http, bus, influx, tasks } = self.parts;
        if let Some(gateway) = gateway {
            gateway.stop().await;
        }
        if let Some(external) = external {
            external.stop().await;
        }
        http.stop().await;
        for task in tasks {
            task.abort();
        }
        // A judge that has ended already takes no more orders.
        let _ = self.handle.control.send(Control::Stop).await;
        let result = match tokio::time::timeout(FAREWELL, self.ended).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Ok(()),
            Err(_) => Err(ServeError("the last commit did not end within 10 s".to_owned())),
        };
        if let Some(bus) = bus {
            bus.stop();
        }
        if let Some(influx) = influx {
            influx.stop().await;
        }
        result
    }
}
