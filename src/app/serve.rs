//! `serve`: settings, rules and fleet read and checked together, then the service until it is told to stop.

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::alerts::{DEFAULT_ALERTS, check_alerts};
use crate::config::fleet::check_fleet;
use crate::config::read_text;
use crate::config::service::{Gateway as GatewaySettings, ServiceConfig, check_service};
use crate::domain::{RuleSet, Unit};

use super::arguments::{BusArg, ServeArgs};
use super::daemon::{Parts, ServeError, UnitsEntry, start};
use super::fleet_file::FleetFile;

/// Runs until SIGINT or SIGTERM. Err: what could not be had at the start, or why it ended.
pub async fn serve(args: ServeArgs) -> Result<(), ServeError> {
    let parts = gather(&args)?;
    if let Some(text) = overlooked(&args) {
        tracing::warn!("{text}");
    }
    if parts.fleet.is_none() {
        tracing::info!("no fleet file was named: the units of the store are used");
    }
    let root = parts.config.root.clone();
    let data = parts.config.data.clone();
    let mut running = start(parts).await?;
    match &running.units {
        UnitsEntry::Gateway(address) => tracing::info!("units connect to mqtt://{address}, topics {root}/UNIT/…"),
        UnitsEntry::Both(address, broker) => {
            tracing::info!("units connect to mqtt://{address}, and are heard through the broker at {broker}");
        }
        UnitsEntry::External(broker) => tracing::info!("units are heard through the broker at {broker}"),
    }
    if let Some(bus) = running.bus {
        tracing::info!("observers connect to mqtt://{bus}");
    }
    tracing::info!("people and programs ask http://{}", running.http);
    match &running.mail_folder {
        Some(folder) => tracing::info!("no SMTP server is set: mails are written to {}", folder.display()),
        None => tracing::info!("mails go out by SMTP"),
    }
    tracing::info!("everything is kept in {}", data.display());
    let stopped = tokio::select! {
        ended = running.ended() => Some(ended),
        () = told_to_stop() => None,
    };
    match stopped {
        Some(ended) => ended,
        None => {
            tracing::info!("stopping: what was taken in is committed first");
            running.stop().await
        }
    }
}

/// SIGINT or SIGTERM.
pub async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        },
        // No handler can be had: the default action of the signals still ends the process.
        Err(_) => std::future::pending().await,
    }
}

/// Settings that lie where the program was started and were not named: easily thought to be read.
pub fn overlooked(args: &ServeArgs) -> Option<String> {
    let lies_here = args.config.is_none() && Path::new("buttonwatch.toml").is_file();
    lies_here.then(|| "buttonwatch.toml in this folder is not read: say --config buttonwatch.toml".to_owned())
}

/// Reads and checks every file. Err: all problems of all files at once.
pub fn gather(args: &ServeArgs) -> Result<Parts, ServeError> {
    let mut problems = Vec::new();
    let mut config = match &args.config {
        None => ServiceConfig::default(),
        Some(path) => match read_file(path, "buttonwatch.toml")
            .and_then(|text| check_service(&path.display().to_string(), &text).map_err(|p| p.to_string()))
        {
            Ok(config) => config,
            Err(e) => {
                problems.push(e);
                ServiceConfig::default()
            }
        },
    };
    override_settings(&mut config, args);
    let (rules_toml, rules) = match read_rules(config.rules.as_deref()) {
        Ok(rules) => rules,
        Err(e) => {
            problems.push(e);
            Default::default()
        }
    };
    let fleet = match &config.fleet {
        None => None,
        Some(path) => match read_fleet_file(path) {
            Ok(file) => Some(file),
            Err(e) => {
                problems.push(e);
                None
            }
        },
    };
    if !problems.is_empty() {
        return Err(ServeError(problems.join("\n")));
    }
    let rules_file = rules_path(config.rules.as_deref());
    Ok(Parts { config, rules_toml, rules, rules_file, fleet, token: args.token.clone() })
}

fn override_settings(config: &mut ServiceConfig, args: &ServeArgs) {
    if let Some(data) = &args.data {
        config.data.clone_from(data);
    }
    if args.fleet.is_some() {
        config.fleet.clone_from(&args.fleet);
    }
    if args.rules.is_some() {
        config.rules.clone_from(&args.rules);
    }
    if let Some(listen) = args.listen {
        config.gateway.get_or_insert_with(GatewaySettings::default).listen = listen;
        config.external = None;
    }
    if let Some(http) = args.http {
        config.http.listen = http;
    }
    match args.bus {
        Some(BusArg::Off) => config.bus = None,
        Some(BusArg::At(address)) => config.bus = Some(address),
        None => {}
    }
}

fn read_file(path: &Path, what: &str) -> Result<String, String> {
    let name = path.display().to_string();
    let bytes = fs::read(path).map_err(|e| format!("{name}: {e}; name the {what} that you mean"))?;
    read_text(&name, &bytes).map(str::to_owned).map_err(|p| p.to_string())
}

/// The text and its rules. None: `alerts.toml` of this folder, else the ones that come with the program.
pub fn read_rules(path: Option<&Path>) -> Result<(String, RuleSet), String> {
    let (name, text) = match &rules_path(path) {
        Some(path) => (path.display().to_string(), read_file(path, "alerts.toml")?),
        None => ("alerts.toml (built in)".to_owned(), DEFAULT_ALERTS.to_owned()),
    };
    let rules = check_alerts(&name, &text).map_err(|p| p.to_string())?;
    Ok((text, rules))
}

/// None: the rules that come with the program.
fn rules_path(named: Option<&Path>) -> Option<PathBuf> {
    let here = PathBuf::from("alerts.toml");
    named.map(Path::to_path_buf).or_else(|| here.is_file().then_some(here))
}

pub fn read_fleet(path: &Path) -> Result<Vec<Unit>, String> {
    read_fleet_file(path).map(|file| file.units)
}

fn read_fleet_file(path: &Path) -> Result<FleetFile, String> {
    let name = path.display().to_string();
    let bytes = fs::read(path).map_err(|e| format!("{name}: {e}; name the fleet.csv that you mean"))?;
    let units = check_fleet(&name, &bytes).map_err(|p| p.to_string())?;
    Ok(FleetFile::new(units, &bytes))
}
