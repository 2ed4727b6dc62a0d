//! `record …`: what a service has heard, as a recording. Reads the store in the data folder beside the running service,
//! never through it: the service is not slowed down. What stands in a line is never changed.

use std::fs::File;
use std::io::{BufWriter, Write, stderr, stdout};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::app::clock;
use crate::config::ServiceConfig;
use crate::domain::{Timestamp, UnitId};
use crate::io::store::StoreReader;
use crate::wire::recording::{What, parse_line};

use super::arguments::{From, RecordVerb};
use super::exit::Failure;
use super::programs::read_settings;
use super::progress::Progress;
use super::screen::Screen;

type Done = Result<(), Failure>;

/// How often a live recording looks for new lines. The service commits several times a second.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) fn record(verb: RecordVerb, screen: &Screen) -> Done {
    match verb {
        RecordVerb::Export { from, to, units, file, store } => {
            let now = clock::now();
            let at = |t: super::times::TypedTime| t.resolve(screen.zone, now).map_err(Failure::usage);
            let from = from.map(at).transpose()?.unwrap_or(Timestamp::MIN);
            let to = to.map(at).transpose()?.unwrap_or(Timestamp::MAX);
            if to <= from {
                return Err(Failure::usage(format!("there is nothing from {from} to {to}: exchange --from and --to")));
            }
            export(&reader(&store)?, (from, to), &units, &file)
        }
        RecordVerb::Live { run_for, units, file, store } => live(&reader(&store)?, run_for, &units, &file),
    }
}

fn reader(store: &From) -> Result<StoreReader, Failure> {
    let data: PathBuf = match (&store.data, &store.config) {
        (Some(data), _) => data.clone(),
        (None, Some(config)) => read_settings(config).map_err(Failure::failed)?.data,
        (None, None) => ServiceConfig::default().data,
    };
    StoreReader::open(&data).map_err(|e| Failure::failed(e.to_string()))
}

/// Written beside its place and moved there when it is whole; `-` is standard output.
enum Target {
    Out(BufWriter<std::io::Stdout>),
    File { file: BufWriter<File>, path: PathBuf },
}

impl Target {
    fn open(path: &Path) -> Result<Self, Failure> {
        if path.as_os_str() == "-" {
            return Ok(Target::Out(BufWriter::new(stdout())));
        }
        // Presses tell who called for help and when: only its owner may read it.
        let mut options = File::options();
        options.write(true).create_new(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|e| {
            Failure::failed(format!("{}: {e}; name a new file in a folder that you may write", path.display()))
        })?;
        Ok(Target::File { file: BufWriter::new(file), path: path.to_path_buf() })
    }
    fn line(&mut self, line: &[u8]) -> std::io::Result<()> {
        match self {
            Target::Out(out) => out.write_all(line),
            Target::File { file, .. } => file.write_all(line),
        }
    }
    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Target::Out(out) => out.flush(),
            Target::File { file, .. } => file.flush(),
        }
    }
    fn failed(&self, error: &std::io::Error) -> Failure {
        match self {
            Target::Out(_) if error.kind() == std::io::ErrorKind::BrokenPipe => Failure::reader_gone(),
            Target::Out(_) => Failure::failed(format!("cannot write to standard output: {error}")),
            Target::File { path, .. } => {
                Failure::failed(format!("{}: {error}; make room, or name another folder", path.display()))
            }
        }
    }
}

/// Of these units, and everything that is of no unit: links, steps of orders, maintenance.
fn is_wanted(line: &[u8], units: &[UnitId]) -> bool {
    if units.is_empty() {
        return true;
    }
    let Some(Ok(line)) = std::str::from_utf8(line).ok().map(|t| parse_line(t.trim_end())) else { return true };
    match line.what {
        What::Publish { topic, .. } => {
            let mut parts = topic.rsplit('/');
            let unit = parts.nth(1).unwrap_or_default();
            units.iter().any(|u| u.as_str() == unit)
        }
        What::Link(_) | What::Do { .. } | What::Advance | What::Delivery { .. } => true,
    }
}

fn export(reader: &StoreReader, (from, to): (Timestamp, Timestamp), units: &[UnitId], output: &Path) -> Done {
    let mut target = Target::open(output)?;
    // How many lines there are is not known before they are read; how much time they cover is.
    let progress = Progress::of_output("export", 0, output.as_os_str() == "-");
    let until = to.min(clock::now());
    let mut first = None;
    let (mut read_lines, mut written, mut broken) = (0u64, 0u64, None);
    let read = reader.journal_between(from, to, |line| {
        if read_lines % LOOK_AT_EVERY == 0
            && let Some(at) = time_of(line)
        {
            let first = *first.get_or_insert(at);
            progress.set_total(until.since(first).as_secs());
            progress.at(at.since(first).as_secs());
            progress.say(format!("{written} lines"));
        }
        read_lines += 1;
        if !is_wanted(line, units) {
            return ControlFlow::Continue(());
        }
        if let Err(e) = target.line(line) {
            broken = Some(e);
            return ControlFlow::Break(());
        }
        written += 1;
        ControlFlow::Continue(())
    });
    drop(progress);
    read.map_err(|e| Failure::failed(e.to_string()))?;
    if let Some(e) = broken.or_else(|| target.flush().err()) {
        return Err(target.failed(&e));
    }
    let _ = writeln!(stderr(), "{written} lines");
    Ok(())
}

/// Often enough for a moving bar, seldom enough to cost nothing.
const LOOK_AT_EVERY: u64 = 2000;

/// When it was heard: every line of a recording begins with it.
fn time_of(line: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(line.strip_prefix(b"{\"at\":\"")?).ok()?;
    Timestamp::parse(text.split_once('"')?.0)
}

fn live(reader: &StoreReader, run_for: Option<Duration>, units: &[UnitId], output: &Path) -> Done {
    let mut target = Target::open(output)?;
    let failed = |e: crate::io::store::StoreError| Failure::failed(e.to_string());
    let mut cursor = reader.journal_end().map_err(failed)?;
    let began = Instant::now();
    let mut written = 0u64;
    loop {
        let ended = run_for.is_some_and(|span| began.elapsed() >= span);
        let mut broken = None;
        cursor = reader
            .journal_after(cursor, |lines| {
                for line in lines.split_inclusive(|b| *b == b'\n').filter(|l| is_wanted(l, units)) {
                    if broken.is_none() {
                        broken = target.line(line).err();
                        written += 1;
                    }
                }
            })
            .map_err(failed)?;
        if let Some(e) = broken.or_else(|| target.flush().err()) {
            return Err(target.failed(&e));
        }
        if ended {
            let _ = writeln!(stderr(), "{written} lines");
            return Ok(());
        }
        let left = run_for.map_or(LOOK_EVERY, |span| span.saturating_sub(began.elapsed()));
        std::thread::sleep(LOOK_EVERY.min(left.max(Duration::from_millis(1))));
    }
}
