//! The world acted out: every unit its own MQTT client, in real time × speed.
//!
//! Design constraints
//! - One task drives the [`World`] and never waits for a unit; each unit has a desk (`unit_client::Desk`) with a bound.
//! - At speed 1 a payload's `ts` is the true time. At any other speed it is the world's own: start + elapsed × speed; a
//!   service will then see clocks that run ahead, and a command's expiry is not looked at.
//! - Only tokio's monotonic clock is read; the true time of the start comes from the caller.
//! - A message counts as acknowledged when its PUBACK is here, and is written to the `acked` file after that.

mod broker;
mod unit_client;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::domain::message::{Command, Do, Kind};
use crate::domain::{Component, Fleet, Timestamp, UnitId, UnitIx};

use super::fault::{Fault, Truth};
use super::scenario::Scenario;
use super::world::{Leaving, What, World, WorldEvent};
use broker::Broker;
use unit_client::{Desk, Letter, Note, UnitClient};

pub use broker::{UnitPassword, read_passwords};

/// What to simulate, and against which broker.
#[derive(Debug, Clone)]
pub struct SimulateOptions {
    pub fleet: Fleet,
    /// `mqtt://host:port` or `mqtts://host:port`.
    pub broker: String,
    /// Topic root, `buttonwatch/v1`.
    pub root: String,
    /// Virtual seconds per second.
    pub speed: f64,
    pub scenario: Scenario,
    pub seed: u64,
    /// The true time now: simulated time starts here.
    pub start: Timestamp,
    /// Lines `unit:password`; the user name is the unit's id. None: no login.
    pub password_file: Option<PathBuf>,
    /// PEM certificates to trust for `mqtts://`. None: the system's.
    pub ca_file: Option<PathBuf>,
    /// Real time until it stops by itself.
    pub duration: Option<Duration>,
    /// Gets a line `unit,boot,seq` for each acknowledged message.
    pub acked_file: Option<PathBuf>,
}

impl SimulateOptions {
    pub fn new(fleet: Fleet, broker: impl Into<String>, start: Timestamp) -> Self {
        SimulateOptions {
            fleet,
            broker: broker.into(),
            root: "buttonwatch/v1".to_owned(),
            speed: 1.0,
            scenario: Scenario::default(),
            seed: 1,
            start,
            password_file: None,
            ca_file: None,
            duration: None,
            acked_file: None,
        }
    }
}

/// What the caller may do while it runs.
#[derive(Debug, Clone)]
pub enum Control {
    /// `at` counts from now.
    Inject(Fault),
    /// A crew was there.
    Repair {
        unit: UnitId,
        component: Component,
    },
    Stop,
}

/// What happens, for a story or a log. Not every message: those are counted in [`Summary`].
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    Connected {
        unit: UnitId,
    },
    /// Broken from outside, not by the scenario. The client tries again by itself.
    ConnectionLost {
        unit: UnitId,
        why: String,
    },
    /// Said once until it succeeds.
    CannotConnect {
        unit: UnitId,
        why: String,
    },
    FaultBegan(Truth),
    FaultEnded(Truth),
    Commanded {
        unit: UnitId,
        id: String,
        act: Do,
    },
    /// A command that is no command of DESIGN §4.
    BadCommand {
        unit: UnitId,
        why: String,
    },
    /// A `Repair` for a unit that is not in the fleet.
    NoSuchUnit {
        unit: UnitId,
    },
}

/// How it went.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    pub units: usize,
    /// Units that were connected at least once.
    pub connected: usize,
    /// Messages that the world gave to its units, by kind.
    pub said: BTreeMap<Kind, u64>,
    /// PUBLISH packets handed to a connection, resent ones counted again.
    pub sent: u64,
    pub acked: u64,
    /// Thrown away because a unit's buffer was full while its broker was away.
    pub overflowed: u64,
    /// Gone with the memory of units that lost their power before the acknowledgement.
    pub forgotten: u64,
    /// Still without acknowledgement at the end.
    pub unacked: u64,
    /// Connections that broke, not counting those that the scenario broke.
    pub connections_lost: u64,
    pub commands: u64,
    pub faults: Vec<Truth>,
}

/// Why it could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    #[error(
        "broker address {url:?}: {why}; write mqtt://HOST:PORT or mqtts://HOST:PORT, for example mqtt://127.0.0.1:1883"
    )]
    BrokerUrl { url: String, why: String },
    #[error("the fleet has no units; give a fleet file with at least one unit")]
    EmptyFleet,
    #[error("topic root {root:?} is not usable: {why}; use for example buttonwatch/v1")]
    Root { root: String, why: &'static str },
    #[error("speed must be between 0.01 and 100000 (got {speed}); 1 is real time")]
    Speed { speed: f64 },
    #[error("cannot read the password file {path}: {source}; check the path and that you may read it")]
    PasswordFile { path: PathBuf, source: io::Error },
    #[error("{}", problems.join("\n"))]
    Passwords { problems: Vec<String> },
    #[error(
        "cannot use the certificates in {path}: {why}; give a PEM file with the CA that signed the broker's certificate"
    )]
    CaFile { path: PathBuf, why: String },
    #[error("no certificates found on this system to check the broker with; give a PEM file with its CA")]
    NoSystemCerts,
    #[error("cannot write {path}: {source}; choose a file in a folder that exists and that you may write to")]
    AckedFile { path: PathBuf, source: io::Error },
    #[error("cannot start the simulator's threads: {source}; close other programs or raise the process limit")]
    Runtime { source: io::Error },
}

/// At most so many connections are being made at a time: a broker's accept queue is often 128 long.
const CONNECTING: usize = 64;

/// Events of the world that are carried out before the notes of the units are looked at again.
const BURST: usize = 2_000;

/// Notes of units that wait for the driver. Full: the unit's client waits, and with it its socket.
const NOTES: usize = 8_192;

/// At the end, outstanding acknowledgements get this long.
const FAREWELL: Duration = Duration::from_secs(5);

/// Boot numbers count tens of seconds since 2020 plus a little: a later run never repeats an earlier run's.
const BOOT_EPOCH_MS: i64 = 1_577_836_800_000;

/// Runs until `duration`, [`Control::Stop`], or an error. A closed `control` channel is no reason to stop.
pub async fn run(
    options: SimulateOptions,
    control: mpsc::Receiver<Control>,
    report: impl FnMut(Report) + Send,
) -> Result<Summary, SimulateError> {
    let broker = Broker::parse(&options.broker, options.ca_file.as_deref())?;
    if options.fleet.is_empty() {
        return Err(SimulateError::EmptyFleet);
    }
    if !(0.01..=100_000.0).contains(&options.speed) {
        return Err(SimulateError::Speed { speed: options.speed });
    }
    check_root(&options.root)?;
    let passwords = match &options.password_file {
        Some(path) => read_passwords(path, &options.fleet)?,
        None => Vec::new(),
    };
    let acked = options.acked_file.as_deref().map(AckedFile::create).transpose()?;
    let mut world = World::new(&options.fleet, &options.scenario, options.seed, options.start);
    let base = (options.start.as_millis() - BOOT_EPOCH_MS).max(0) / 10_000;
    world.boots_after(u32::try_from(base).unwrap_or(u32::MAX / 2));

    let (notes_in, notes) = mpsc::channel(NOTES);
    let gate = Arc::new(Semaphore::new(CONNECTING));
    let mut tasks = JoinSet::new();
    let mut desks = Vec::with_capacity(options.fleet.len());
    for (ix, unit) in options.fleet.units() {
        let desk = Arc::new(Desk::new());
        let password = passwords.iter().find(|p| p.unit == unit.unit).map(|p| p.password.clone());
        let client = UnitClient::new(
            ix,
            unit.unit.clone(),
            &options.root,
            broker.options(&unit.unit, password, &options.root),
            Arc::clone(&desk),
            notes_in.clone(),
            Arc::clone(&gate),
        );
        tasks.spawn(client.live());
        desks.push(desk);
    }
    drop(notes_in);
    let summary = Summary { units: options.fleet.len(), ..Summary::default() };
    let connected = vec![false; options.fleet.len()];
    let speed = options.speed;
    let began = Instant::now();
    let driver = Driver {
        fleet: options.fleet,
        start: options.start,
        speed,
        began,
        ends: options.duration.map(|d| began + d),
        world,
        desks,
        notes,
        acked,
        summary,
        connected,
        report,
    };
    driver.drive(control, tasks).await
}

/// [`run`] on a runtime of its own, for callers without one.
pub fn run_blocking(
    options: SimulateOptions,
    control: mpsc::Receiver<Control>,
    report: impl FnMut(Report) + Send,
) -> Result<Summary, SimulateError> {
    // Two threads move tens of thousands of messages a second; more would only take from the service under test.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("simulate")
        .enable_all()
        .build()
        .map_err(|source| SimulateError::Runtime { source })?;
    runtime.block_on(run(options, control, report))
}

fn check_root(root: &str) -> Result<(), SimulateError> {
    let why = if root.is_empty() {
        "it is empty"
    } else if root.starts_with('/') || root.ends_with('/') {
        "it starts or ends with a slash"
    } else if root.contains(['+', '#', '\0', '$']) {
        "it holds one of + # $"
    } else {
        return Ok(());
    };
    Err(SimulateError::Root { root: root.to_owned(), why })
}

struct AckedFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl AckedFile {
    fn create(path: &Path) -> Result<AckedFile, SimulateError> {
        let file = File::create(path).map_err(|source| SimulateError::AckedFile { path: path.to_owned(), source })?;
        Ok(AckedFile { path: path.to_owned(), file: BufWriter::new(file) })
    }
    fn failed(&self, source: io::Error) -> SimulateError {
        SimulateError::AckedFile { path: self.path.clone(), source }
    }
    fn add(&mut self, unit: &UnitId, boot: u32, seq: u64) -> Result<(), SimulateError> {
        writeln!(self.file, "{unit},{boot},{seq}").map_err(|e| self.failed(e))
    }
    fn flush(&mut self) -> Result<(), SimulateError> {
        self.file.flush().map_err(|e| self.failed(e))
    }
}

struct Driver<R> {
    fleet: Fleet,
    start: Timestamp,
    speed: f64,
    began: Instant,
    ends: Option<Instant>,
    world: World,
    desks: Vec<Arc<Desk>>,
    notes: mpsc::Receiver<Note>,
    acked: Option<AckedFile>,
    summary: Summary,
    connected: Vec<bool>,
    report: R,
}

impl<R: FnMut(Report) + Send> Driver<R> {
    fn virtual_now(&self) -> Timestamp {
        self.start + self.began.elapsed().mul_f64(self.speed)
    }

    /// When the world's next event is due. None: it has none for now.
    fn due(&self) -> Option<Instant> {
        let wait = self.world.next_at()?.since(self.start).div_f64(self.speed);
        self.began.checked_add(wait)
    }

    async fn drive(
        mut self,
        mut control: mpsc::Receiver<Control>,
        mut tasks: JoinSet<()>,
    ) -> Result<Summary, SimulateError> {
        let mut batch = Vec::with_capacity(512);
        let mut listening = true;
        // Far enough to be never, near enough for the clock.
        let never = self.began + Duration::from_secs(100 * 365 * 86_400);
        loop {
            let now = self.virtual_now();
            for _ in 0..BURST {
                match self.world.next_until(now) {
                    Some(event) => self.carry_out(event),
                    None => break,
                }
            }
            let due = self.due().unwrap_or(never);
            let ends = self.ends.unwrap_or(never);
            tokio::select! {
                () = sleep_until(ends) => break,
                told = control.recv(), if listening => match told {
                    Some(Control::Stop) => break,
                    Some(Control::Inject(fault)) => {
                        let now = self.virtual_now();
                        self.world.inject(&fault, now);
                    }
                    Some(Control::Repair { unit, component }) => match self.fleet.find(unit.as_str()) {
                        Some(ix) => {
                            let now = self.virtual_now();
                            self.world.repair(ix, component, now);
                        }
                        None => (self.report)(Report::NoSuchUnit { unit }),
                    },
                    None => listening = false,
                },
                _ = self.notes.recv_many(&mut batch, 512) => self.read_notes(&mut batch)?,
                () = sleep_until(due) => {}
            }
        }
        self.farewell(&mut tasks).await?;
        self.summary.connected = self.connected.iter().filter(|c| **c).count();
        self.summary.faults = self.world.truth();
        for desk in &self.desks {
            let counts = desk.counts();
            self.summary.overflowed += counts.overflowed;
            self.summary.forgotten += counts.forgotten;
            self.summary.sent += counts.sent;
        }
        let said: u64 = self.summary.said.values().sum();
        let settled = self.summary.acked + self.summary.overflowed + self.summary.forgotten;
        self.summary.unacked = said.saturating_sub(settled);
        Ok(self.summary)
    }

    /// Everyone says what is left to say, and leaves with a DISCONNECT.
    async fn farewell(&mut self, tasks: &mut JoinSet<()>) -> Result<(), SimulateError> {
        for desk in &self.desks {
            desk.close();
        }
        let mut batch = Vec::new();
        let end = Instant::now() + FAREWELL;
        // The channel closes when the last unit's task is gone.
        while let Ok(n) =
            timeout(end.saturating_duration_since(Instant::now()), self.notes.recv_many(&mut batch, 512)).await
        {
            if n == 0 {
                break;
            }
            self.read_notes(&mut batch)?;
        }
        tasks.shutdown().await;
        while let Ok(note) = self.notes.try_recv() {
            batch.push(note);
        }
        self.read_notes(&mut batch)
    }

    fn carry_out(&mut self, event: WorldEvent) {
        let desk = &self.desks[event.unit.index()];
        match event.what {
            What::Connect => desk.connect(),
            What::Disconnect(leaving) => desk.leave(leaving),
            What::Say { kind, boot, seq, payload } => {
                *self.summary.said.entry(kind).or_default() += 1;
                desk.put(Letter { kind, boot, seq, payload: payload.into() });
            }
            // The real broker publishes it.
            What::Will { .. } => {}
            What::FaultBegan(index) => (self.report)(Report::FaultBegan(self.world.fault(index).clone())),
            What::FaultEnded(index) => (self.report)(Report::FaultEnded(self.world.fault(index).clone())),
        }
    }

    fn read_notes(&mut self, batch: &mut Vec<Note>) -> Result<(), SimulateError> {
        for note in batch.drain(..) {
            match note {
                Note::Connected { unit, again } => {
                    self.connected[unit.index()] = true;
                    if again {
                        let now = self.start + self.began.elapsed().mul_f64(self.speed);
                        self.world.reconnected(unit, now);
                    }
                    (self.report)(Report::Connected { unit: self.fleet.unit(unit).unit.clone() });
                }
                Note::Lost { unit, why, was_connected } => {
                    let unit = self.fleet.unit(unit).unit.clone();
                    if was_connected {
                        self.summary.connections_lost += 1;
                        (self.report)(Report::ConnectionLost { unit, why });
                    } else {
                        (self.report)(Report::CannotConnect { unit, why });
                    }
                }
                Note::Acked { unit, boot, seq } => {
                    self.summary.acked += 1;
                    if let Some(acked) = &mut self.acked {
                        acked.add(&self.fleet.unit(unit).unit, boot, seq)?;
                    }
                }
                Note::Command { unit, payload } => self.command(unit, &payload),
            }
        }
        if let Some(acked) = &mut self.acked {
            acked.flush()?;
        }
        Ok(())
    }

    fn command(&mut self, ix: UnitIx, payload: &[u8]) {
        let unit = self.fleet.unit(ix).unit.clone();
        let now = self.virtual_now();
        self.summary.commands += 1;
        match parse_command(payload) {
            Ok(mut command) => {
                if self.speed != 1.0 {
                    command.expires = Timestamp::MAX;
                }
                (self.report)(Report::Commanded { unit, id: command.id.clone(), act: command.act });
                self.world.command(ix, command, now);
            }
            Err((id, why)) => {
                if let Some(id) = id {
                    self.world.refuse_command(ix, &id, &why, now);
                }
                (self.report)(Report::BadCommand { unit, why });
            }
        }
    }
}

/// As tolerant as a good firmware: unknown fields and components are passed over; the id is told even of a bad command.
fn parse_command(payload: &[u8]) -> Result<Command, (Option<String>, String)> {
    let value: serde_json::Value =
        serde_json::from_slice(payload).map_err(|e| (None, format!("the command is not JSON: {e}")))?;
    let id = value.get("id").and_then(|v| v.as_str()).map(str::to_owned);
    let Some(known_id) = id.clone() else {
        return Err((None, "the command has no id".to_owned()));
    };
    let word = value.get("do").and_then(|v| v.as_str()).unwrap_or_default();
    let act: Do = word.parse().map_err(|e| (id.clone(), format!("do: {e}")))?;
    let listed = value.get("components").and_then(|v| v.as_array());
    let components =
        listed.into_iter().flatten().filter_map(|v| v.as_str()).filter_map(|word| word.parse().ok()).collect();
    let expires = match value.get("expires") {
        Some(serde_json::Value::String(text)) => Timestamp::parse(text),
        Some(serde_json::Value::Number(ms)) => ms.as_i64().map(Timestamp::from_millis),
        Some(_) => None,
        None => Some(Timestamp::MAX),
    };
    let expires = expires.ok_or_else(|| (id, "expires is not a time".to_owned()))?;
    Ok(Command { id: known_id, act, components, expires })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_with_and_without_their_optional_fields() {
        let full = br#"{"id":"c1","do":"selftest","components":["camera","wings"],"expires":"2026-11-21T09:00:00Z"}"#;
        let command = parse_command(full).expect("valid");
        assert_eq!(
            (command.id.as_str(), command.act, &command.components[..]),
            ("c1", Do::Selftest, &[Component::Camera][..])
        );
        assert_eq!(parse_command(br#"{"id":"c2","do":"locate"}"#).expect("valid").expires, Timestamp::MAX);
        assert_eq!(parse_command(br#"{"id":"c3","do":"dance"}"#).expect_err("unknown").0.as_deref(), Some("c3"));
        assert_eq!(parse_command(b"\xff").expect_err("not JSON").0, None);
    }

    #[test]
    fn a_root_with_wildcards_is_refused() {
        for root in ["", "/a", "a/", "a/+/b", "#", "$SYS"] {
            assert!(check_root(root).is_err(), "{root:?}");
        }
        assert!(check_root("buttonwatch/v1").is_ok());
    }
}
