//! `influx setup`: tells what InfluxDB 2 got, step by step. Never asks the service.

use std::path::Path;
use std::time::Duration;

use crate::app::daemon::read_secret;
use crate::config::service::{USUAL_BUCKET, USUAL_ORG, USUAL_URL};
use crate::io::influx::{Done, InfluxServer, SetupOptions, Step, setup};

use super::arguments::{InfluxSetup, Output};
use super::exit::Failure;
use super::programs::{read_settings, runtime};
use super::screen::Screen;

/// For one question. InfluxDB on a small server may be busy.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

pub(super) fn set_up(args: InfluxSetup, screen: &Screen) -> Result<(), Failure> {
    let InfluxSetup { config, url, org, token_file, bucket, ca, dry_run, shorten } = args;
    if screen.output == Output::Csv {
        return Err(Failure::usage("setup tells steps, not a table; leave --output out, or write --output json"));
    }
    let settings = match &config {
        None => None,
        Some(path) => {
            let settings = read_settings(path).map_err(Failure::failed)?.influx;
            let none = || format!("{}: has no [influx]; write it there, or leave --config out", path.display());
            Some(settings.ok_or_else(|| Failure::failed(none()))?)
        }
    };
    let settings = settings.as_ref();
    let url = url.or(settings.map(|s| s.url.clone())).unwrap_or_else(|| USUAL_URL.to_owned());
    let org = org.or(settings.map(|s| s.org.clone())).unwrap_or_else(|| USUAL_ORG.to_owned());
    let bucket = bucket.or(settings.map(|s| s.bucket.clone())).unwrap_or_else(|| USUAL_BUCKET.to_owned());
    let token_file = token_file.or(settings.and_then(|s| s.token_file.clone()));
    let ca = ca.or(settings.and_then(|s| s.ca.clone()));
    let token = token_file.as_deref().map(|path| read_secret(path, "InfluxDB's token")).transpose();
    let token = token.map_err(|e| Failure::failed(e.to_string()))?.unwrap_or_default();
    let ca_pem = ca.as_deref().map(read).transpose()?;
    let server = InfluxServer { url, org, token, database: bucket, ca_pem, timeout: ANSWERS_WITHIN };
    let mut steps = Vec::new();
    let mut shown = Ok(());
    let tell = |step: Step| {
        if screen.output == Output::Table && shown.is_ok() {
            shown = screen.print(&format!("{step}\n"));
        }
        steps.push(step);
    };
    let outcome = runtime()?.block_on(setup(&server, SetupOptions { dry_run, shorten }, tell));
    shown?;
    if screen.output == Output::Json {
        screen.json(&steps)?;
    }
    outcome.map_err(|e| Failure::failed(e.to_string()))?;
    if screen.output == Output::Table { screen.print(&format!("\n{}\n", summary(&steps, dry_run))) } else { Ok(()) }
}

fn summary(steps: &[Step], dry_run: bool) -> String {
    let count = |done: Done| steps.iter().filter(|s| s.done == done).count();
    let (made, changed) = (count(Done::Made), count(Done::Changed));
    match (made + changed, dry_run) {
        (0, _) => "InfluxDB is ready. Nothing had to be done.".to_owned(),
        (_, true) => format!("Nothing was changed. {made} would be made, {changed} changed."),
        (_, false) => format!("InfluxDB is ready: {made} made, {changed} changed."),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path)
        .map_err(|e| Failure::failed(format!("{}: {e}; name a file that this user may read", path.display())))
}
