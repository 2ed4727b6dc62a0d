//! What the programs of this layer are started with: plain data, already checked as far as one argument goes.
//! Never knows how it was written on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::{Metric, Timestamp, UnitId};

/// `serve`. None: as buttonwatch.toml says, else the default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServeArgs {
    pub config: Option<PathBuf>,
    pub fleet: Option<PathBuf>,
    pub rules: Option<PathBuf>,
    pub data: Option<PathBuf>,
    /// The gateway, for units.
    pub listen: Option<SocketAddr>,
    pub http: Option<SocketAddr>,
    pub bus: Option<BusArg>,
    /// BUTTONWATCH_TOKEN: what HTTP wants from those who ask.
    pub token: Option<String>,
}

/// The observers' bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusArg {
    Off,
    At(SocketAddr),
}

/// `demo`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DemoArgs {
    /// None: until Ctrl-C.
    pub run_for: Option<Duration>,
    /// None: a scratch folder.
    pub dir: Option<PathBuf>,
}

/// `replay`. Its only output is the timeline, as JSON lines.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayArgs {
    /// `-`: standard input.
    pub recording: PathBuf,
    pub fleet: PathBuf,
    pub rules: PathBuf,
    /// None: until the recording's last line.
    pub until: Option<Timestamp>,
    pub readings: Vec<Metric>,
    pub config: Option<PathBuf>,
    /// Where to write what InfluxDB would have been told.
    pub points: Option<PathBuf>,
}

/// `simulate`.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulateArgs {
    pub fleet: PathBuf,
    /// `mqtt://host:port`.
    pub broker: String,
    /// Simulated seconds in one second; above zero.
    pub speed: f64,
    pub scenario: Option<PathBuf>,
    pub seed: u64,
    /// In simulated time. None: until Ctrl-C.
    pub run_for: Option<Duration>,
}

/// `doctor`: what `serve` would be started with, and where the service should answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DoctorArgs {
    pub serve: ServeArgs,
    /// `http://host:port`.
    pub server: String,
    /// Some(None): to the operator.
    pub test_mail: Option<Option<String>>,
}

/// `fleet password`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordArgs {
    pub unit: UnitId,
    /// The password file. None: as buttonwatch.toml says, else the default.
    pub file: Option<PathBuf>,
    pub config: Option<PathBuf>,
}
