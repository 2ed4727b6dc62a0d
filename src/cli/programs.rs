//! The verbs that run a program of `app` in this process. Owns the runtime, the log and what each ending means as an
//! exit status.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write, stdin, stdout};
use std::path::Path;

use crate::app::arguments::{DemoArgs, DoctorArgs, PasswordArgs, ReplayArgs, ServeArgs, SimulateArgs};
use crate::app::daemon::read_passwords;
use crate::app::historian::Historian;
use crate::app::replay::{replay, replay_telling};
use crate::app::{clock, demo, doctor, serve, simulate, whole_file};
use crate::config::{ServiceConfig, check_service, read_text};
use crate::domain::{Bucket, Effect, Fleet, Settings};
use crate::engine::Engine;
use crate::io::gateway::passwords::{PasswordFile, generate};
use crate::render::points::Points;
use crate::render::timeline::write_effect;
use crate::wire::decode::Decoder;
use crate::wire::signature::Signing;

use super::arguments::Output;
use super::exit::Failure;
use super::progress::Progress;
use super::screen::Screen;

/// What is logged when RUST_LOG does not say: ours, and the libraries' troubles only.
const LOG: &str = "info,rumqttd=off,rumqttc=error,hyper=warn";

/// To standard error: standard output belongs to answers.
fn start_log(quiet: bool) {
    let default = if quiet { "error,rumqttd=off,rumqttc=off" } else { LOG };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A log that is there already serves as well.
    let _ = log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init();
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("no threads can be had: {e}; close other programs")))
}

pub(super) fn run_serve(args: ServeArgs) -> Result<(), Failure> {
    start_log(false);
    runtime()?.block_on(serve::serve(args)).map_err(|e| Failure::failed(e.to_string()))
}

pub(super) fn run_demo(args: DemoArgs) -> Result<(), Failure> {
    start_log(true);
    match runtime()?.block_on(demo::demo(args)) {
        Ok(true) => Ok(()),
        // The story has said why.
        Ok(false) => Err(Failure::failed(String::new())),
        Err(e) => Err(Failure::failed(e.to_string())),
    }
}

pub(super) fn run_replay(args: ReplayArgs) -> Result<(), Failure> {
    let failed = |e: String| Failure::failed(e);
    let mut problems = Vec::new();
    let fleet = serve::read_fleet(&args.fleet).map_err(|e| problems.push(e)).unwrap_or_default();
    let rules = serve::read_rules(Some(&args.rules)).map_err(|e| problems.push(e)).unwrap_or_default().1;
    let (settings, root, zone) = match &args.config {
        None => (Settings::default(), Decoder::DEFAULT_ROOT.to_owned(), ServiceConfig::default().time_zone),
        Some(path) => {
            let config = read_settings(path).map_err(|e| problems.push(e)).unwrap_or_default();
            (config.settings(), config.root, config.time_zone)
        }
    };
    if !problems.is_empty() {
        return Err(failed(problems.join("\n")));
    }
    let settings = Settings { readings: args.readings, ..settings };
    let mut points = args.points.as_deref().map(PointFiles::create).transpose().map_err(failed)?;
    let name = args.recording.display().to_string();
    let (recording, size) = open_recording(&args.recording)?;
    let progress = Progress::bytes_beside_output("replay", size);
    let recording = BufReader::new(progress.watch(recording));
    let mut engine = Engine::new(rules, Fleet::new(fleet), settings);
    // What is in a recording was believed when it was made: signatures are not asked for again.
    let decoder = Decoder::new(root, Signing::Off);
    let mut out = BufWriter::new(stdout().lock());
    let mut line = Vec::new();
    let mut broken = None;
    let mut timeline = |effects: &[Effect]| {
        line.clear();
        for effect in effects {
            write_effect(effect, &mut line);
        }
        if broken.is_none() {
            broken = out.write_all(&line).err();
        }
    };
    let passed = match &mut points {
        None => replay(&mut engine, &decoder, recording, args.until, None, timeline),
        Some(files) => {
            let mut historian = Historian::new(zone);
            replay_telling(&mut engine, &decoder, recording, args.until, &mut historian, |effects, points| {
                timeline(effects);
                files.write(&points);
            })
        }
    }
    .map_err(|e| failed(format!("{name}, {e}")))?;
    drop(progress);
    if let Some(files) = points {
        files.finish().map_err(failed)?;
    }
    let broken = broken.or_else(|| out.flush().err());
    match broken {
        None => {}
        Some(e) if e.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
        Some(e) => return Err(failed(format!("the timeline cannot be written: {e}"))),
    }
    // Standard output holds the timeline and nothing else.
    if passed.unknown_units > 0 {
        eprintln!("note: {} messages of units that are not in the fleet were passed over", passed.unknown_units);
    }
    if let Some(first) = passed.first_refusal {
        eprintln!("note: {} messages were refused, the first one: {first}", passed.refused);
    }
    Ok(())
}

/// The recording, and how long it is if that is known; `-` is standard input.
pub(super) fn open_recording(path: &Path) -> Result<(Box<dyn Read>, Option<u64>), Failure> {
    if path.as_os_str() == "-" {
        return Ok((Box::new(stdin()), None));
    }
    let cannot = |e| Failure::failed(format!("{}: {e}; name the recording you mean", path.display()));
    let file = File::open(path).map_err(cannot)?;
    let size = file.metadata().ok().filter(|m| m.is_file()).map(|m| m.len());
    Ok((Box::new(file), size))
}

/// What InfluxDB would have been told, one file a bucket.
struct PointFiles {
    raw: PointFile,
    events: PointFile,
}

struct PointFile {
    name: String,
    file: BufWriter<File>,
    broken: Option<std::io::Error>,
}

impl PointFiles {
    fn create(folder: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(folder)
            .map_err(|e| format!("{}: {e}; name a folder for the points", folder.display()))?;
        Ok(PointFiles {
            raw: PointFile::create(folder, Bucket::Raw)?,
            events: PointFile::create(folder, Bucket::Events)?,
        })
    }
    fn write(&mut self, points: &Points) {
        self.raw.write(points.raw.as_bytes());
        self.events.write(points.events.as_bytes());
    }
    fn finish(self) -> Result<(), String> {
        self.raw.finish()?;
        self.events.finish()
    }
}

impl PointFile {
    /// Never over a file that is there.
    fn create(folder: &Path, bucket: Bucket) -> Result<Self, String> {
        let path = folder.join(format!("{bucket}.lp"));
        let name = path.display().to_string();
        let file = File::create_new(path).map_err(|e| format!("{name}: {e}; name an empty folder for the points"))?;
        Ok(PointFile { name, file: BufWriter::new(file), broken: None })
    }
    fn write(&mut self, lines: &[u8]) {
        if self.broken.is_none() {
            self.broken = self.file.write_all(lines).err();
        }
    }
    fn finish(mut self) -> Result<(), String> {
        let broken = self.broken.take().or_else(|| self.file.flush().err());
        broken.map_or(Ok(()), |e| Err(format!("{} cannot be written: {e}", self.name)))
    }
}

pub(super) fn read_settings(path: &Path) -> Result<ServiceConfig, String> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|e| format!("{name}: {e}; name the buttonwatch.toml that you mean"))?;
    let text = read_text(&name, &bytes).map_err(|p| p.to_string())?;
    check_service(&name, text).map_err(|p| p.to_string())
}

pub(super) fn run_simulate(args: SimulateArgs) -> Result<(), Failure> {
    start_log(false);
    let failed = |e: String| Failure::failed(e);
    let fleet = Fleet::new(serve::read_fleet(&args.fleet).map_err(failed)?);
    let mut options = simulate::SimulateOptions::new(fleet, args.broker, clock::now());
    options.speed = args.speed;
    options.seed = args.seed;
    // `--for` is simulated time; the simulator counts real time.
    options.duration = args.run_for.map(|d| d.div_f64(args.speed.max(f64::MIN_POSITIVE)));
    if let Some(path) = &args.scenario {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|e| Failure::failed(format!("{name}: {e}; name the scenario that you mean")))?;
        options.scenario = simulate::check_scenario(&name, &text, &options.fleet).map_err(|problems| {
            Failure::failed(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        })?;
    }
    let (control, controls) = tokio::sync::mpsc::channel(1);
    let summary = runtime()?.block_on(async {
        tokio::spawn(async move {
            serve::told_to_stop().await;
            // It may have ended by itself.
            let _ = control.send(simulate::Control::Stop).await;
        });
        simulate::run(options, controls, |report| eprintln!("{report}")).await
    });
    let summary = summary.map_err(|e| Failure::failed(e.to_string()))?;
    eprintln!("{summary}");
    Ok(())
}

pub(super) fn run_doctor(args: DoctorArgs, screen: &Screen) -> Result<(), Failure> {
    let findings = runtime()?.block_on(doctor::examine(&args));
    match screen.output {
        Output::Table => screen.print(&doctor::render(&findings, &screen.look(clock::now())))?,
        Output::Json => screen.json(&findings)?,
        Output::Csv => return Err(Failure::usage("doctor has no CSV to give: say --output json, or nothing")),
    }
    if findings.iter().any(|f| f.state == doctor::State::Bad) {
        return Err(Failure::failed(String::new()));
    }
    Ok(())
}

pub(super) fn run_password(args: PasswordArgs, screen: &Screen) -> Result<(), Failure> {
    let failed = |e: String| Failure::failed(e);
    let path = match (args.file, args.config) {
        (Some(file), _) => file,
        (None, Some(config)) => {
            read_settings(&config).map_err(failed)?.gateway.and_then(|g| g.passwords).ok_or_else(|| {
                failed(format!("{} names no gateway.passwords; set it, or use --file", config.display()))
            })?
        }
        (None, None) => "passwords".into(),
    };
    let mut passwords = match path.exists() {
        true => read_passwords(&path).map_err(|e| failed(e.to_string()))?,
        false => PasswordFile::default(),
    };
    let made = generate().map_err(|e| failed(e.to_string()))?;
    passwords.set(args.unit.clone(), made.hash);
    whole_file::write(&path, passwords.to_text().as_bytes())
        .map_err(|e| failed(format!("{}: {e}; choose a file that this user may write", path.display())))?;
    eprintln!("{} has a new password in {}. It is shown once: put it into the unit now.", args.unit, path.display());
    screen.print(&format!("{}\n", made.password))
}
