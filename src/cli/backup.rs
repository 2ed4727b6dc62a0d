//! `backup` and `restore`: the store and what belongs to it, on this machine, beside the running service.

use std::path::PathBuf;

use serde::Serialize;

use crate::app::backup::{Held, back_up, restore};
use crate::config::ServiceConfig;
use crate::render::table;

use super::arguments::{Backup, From, Output, Restore};
use super::exit::Failure;
use super::programs::read_settings;
use super::progress::Progress;
use super::screen::Screen;

pub(super) fn make(args: &Backup, screen: &Screen) -> Result<(), Failure> {
    let data = data_folder(&args.store)?;
    let progress = Progress::of("backup", 0);
    let made = back_up(&data, &args.file, args.replace, |now| {
        progress.set_total(u64::from(now.total));
        progress.at(u64::from(now.done));
        if now.done == now.total {
            progress.say("reading it back");
        }
    });
    drop(progress);
    let held = made.map_err(|e| Failure::failed(e.to_string()))?;
    tell(screen, &held, &args.file.display().to_string(), || {
        format!(
            "{} is a whole copy: {}.\nNot in it: buttonwatch.toml, alerts.toml, fleet.csv, passwords, keys, certificates. Keep \
             copies of them, too, and all of it on another machine.\n",
            args.file.display(),
            what(&held)
        )
    })
}

pub(super) fn put_back(args: &Restore, screen: &Screen) -> Result<(), Failure> {
    let data = data_folder(&args.store)?;
    let held = restore(&args.file, &data).map_err(|e| Failure::failed(e.to_string()))?;
    tell(screen, &held, &data.display().to_string(), || {
        format!(
            "{} is restored: {}.\nStart the service on it now. The time since the backup counts as deafness: nobody is accused \
             of silence.\n",
            data.display(),
            what(&held)
        )
    })
}

fn data_folder(store: &From) -> Result<PathBuf, Failure> {
    match (&store.data, &store.config) {
        (Some(data), _) => Ok(data.clone()),
        (None, Some(config)) => Ok(read_settings(config).map_err(Failure::failed)?.data),
        (None, None) => Ok(ServiceConfig::default().data),
    }
}

fn what(held: &Held) -> String {
    let Held { bytes, counts, files } = held;
    let size = match bytes >> 20 {
        0 => format!("{} KiB", bytes >> 10),
        mib => format!("{mib} MiB"),
    };
    let beside = if files.is_empty() { String::new() } else { format!(", with {}", files.join(" and ")) };
    format!("{size}, {} units, {} orders, {} mails{beside}", counts.units, counts.orders, counts.mails)
}

/// For programs.
#[derive(Debug, Serialize)]
struct Row<'a> {
    place: &'a str,
    bytes: u64,
    units: u64,
    orders: u64,
    mails: u64,
    files: &'a [String],
}

fn tell(screen: &Screen, held: &Held, place: &str, sentence: impl FnOnce() -> String) -> Result<(), Failure> {
    let Held { bytes, counts, files } = held;
    let row = Row { place, bytes: *bytes, units: counts.units, orders: counts.orders, mails: counts.mails, files };
    match screen.output {
        Output::Table => {
            let look = screen.look(Default::default());
            let folded = |line: &str| table::wrapped("", line, &look).join("\n") + "\n";
            screen.print(&sentence().lines().map(folded).collect::<String>())
        }
        Output::Json => screen.json(&row),
        Output::Csv => {
            Err(Failure::usage("this is one answer, not a list: it has no CSV; say --output json, or nothing"))
        }
    }
}
