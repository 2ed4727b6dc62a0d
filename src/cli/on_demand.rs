//! `selftest`, `locate`, `reboot`: something is asked of a unit, and what came of it. Never sends anything itself: the
//! service does, and remembers.

use std::io::{self, BufRead, IsTerminal, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::message::Do;
use crate::domain::on_demand::{CommandState, CommandView, WITHIN_MAX, WITHIN_MIN, WITHIN_SAID};
use crate::domain::{Component, UnitId};
use crate::io::http::CommandBody;
use crate::render::table;

use super::arguments::{Output, Who};
use super::ask::{Done, name};
use super::client::Client;
use super::exit::{Exit, Failure};
use super::screen::Screen;
use super::times::parse_span;

/// A test takes seconds: sooner helps nobody, later makes people wait.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// The service may be restarted while we wait: it remembers.
const SERVICE_AWAY: Duration = Duration::from_secs(15);
/// Somebody sits there and waits.
const WITHIN_WAITING: Duration = Duration::from_secs(60);

#[derive(Debug, Subcommand)]
pub enum SelftestVerb {
    /// Ask a unit to test itself now
    Run {
        /// Such as PSH-001
        #[arg(value_parser = UnitId::parse)]
        unit: UnitId,
        /// Only this one; may be given several times [default: all tests]
        #[arg(long = "component", value_parser = tested_components())]
        components: Vec<Component>,
        #[command(flatten)]
        how: How,
    },
    /// What was asked of a unit lately, and what came of it
    Show {
        /// Such as PSH-001
        #[arg(value_parser = UnitId::parse)]
        unit: UnitId,
    },
}

#[derive(Debug, Args)]
pub struct Locate {
    /// Such as PSH-001
    #[arg(value_parser = UnitId::parse)]
    pub unit: UnitId,
    #[command(flatten)]
    pub how: How,
}

#[derive(Debug, Args)]
pub struct Reboot {
    /// Such as PSH-001
    #[arg(value_parser = UnitId::parse)]
    pub unit: UnitId,
    /// Do not ask first
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub how: How,
}

#[derive(Debug, Args)]
pub struct How {
    /// Stay until it is done, and show what came of it
    #[arg(long)]
    pub wait: bool,
    /// The unit must begin within this [default: with --wait 60s, else 1h for a test and 5m for the others]
    #[arg(long, value_name = "SPAN", value_parser = parse_within)]
    pub within: Option<Duration>,
    #[command(flatten)]
    pub who: Who,
}

fn tested_components() -> impl TypedValueParser<Value = Component> {
    PossibleValuesParser::new(Component::TESTED.iter().map(|c| c.as_str()))
        .map(|word| word.parse::<Component>().expect("clap takes only the listed words"))
}

fn parse_within(text: &str) -> Result<Duration, String> {
    let span = parse_span(text)?;
    if (WITHIN_MIN..=WITHIN_MAX).contains(&span) { Ok(span) } else { Err(WITHIN_SAID.to_owned()) }
}

pub fn selftest(client: &Client, screen: &Screen, verb: &SelftestVerb) -> Done {
    match verb {
        SelftestVerb::Run { unit, components, how } => run(client, screen, unit, Do::Selftest, components, how),
        SelftestVerb::Show { unit } => {
            let all = client.get::<Vec<CommandView>>(&format!("units/{unit}/commands"))?;
            screen.rows(&all.value, || table::commands(&all.value, &screen.look(all.now)))
        }
    }
}

pub fn locate(client: &Client, screen: &Screen, args: &Locate) -> Done {
    run(client, screen, &args.unit, Do::Locate, &[], &args.how)
}

pub fn reboot(client: &Client, screen: &Screen, args: &Reboot) -> Done {
    if !args.yes {
        confirm(&args.unit)?;
    }
    run(client, screen, &args.unit, Do::Reboot, &[], &args.how)
}

/// While it starts again, a press is not heard: nobody should do this by a slip.
fn confirm(unit: &UnitId) -> Done {
    let (stdin, mut stderr) = (io::stdin(), io::stderr());
    if !stdin.is_terminal() || !stderr.is_terminal() {
        return Err(Failure::usage(format!(
            "a press is not heard while {unit} starts again, so somebody must confirm this: run it in a terminal, or say --yes"
        )));
    }
    let cannot = |e: io::Error| Failure::failed(format!("cannot ask you: {e}"));
    write!(stderr, "A press is not heard while it starts again. Type the unit's id to reboot {unit}: ")
        .map_err(cannot)?;
    stderr.flush().map_err(cannot)?;
    let mut typed = String::new();
    stdin.lock().read_line(&mut typed).map_err(cannot)?;
    if typed.trim() == unit.as_str() {
        return Ok(());
    }
    Err(Failure::failed(format!("{:?} is not {unit}: nothing was asked of it", table::clean(typed.trim()))))
}

fn run(client: &Client, screen: &Screen, unit: &UnitId, act: Do, components: &[Component], how: &How) -> Done {
    let within = how.within.or(how.wait.then_some(WITHIN_WAITING));
    let body = CommandBody {
        act,
        components: components.to_vec(),
        within_s: within.map(|w| u32::try_from(w.as_secs()).expect("parse_within takes a day at most")),
        by: name(&how.who),
    };
    let asked = client.post_json::<CommandView>(&format!("units/{unit}/commands"), &body)?;
    if how.wait {
        return tell_end(screen, follow(client, asked.value)?);
    }
    match screen.output {
        Output::Table => screen.print(&format!(
            "{unit} is asked for {} ({}). `selftest show {unit}` says what comes of it; --wait stays until then.\n",
            act.noun(),
            asked.value.id
        )),
        Output::Json => screen.json(&asked.value),
        Output::Csv => screen.csv(&[asked.value]),
    }
}

/// Until nothing more is to be expected. The service ends every command at its time, so this ends too.
fn follow(client: &Client, mut view: CommandView) -> Result<CommandView, Failure> {
    let path = format!("units/{}/commands/{}", view.unit, utf8_percent_encode(&view.id, NON_ALPHANUMERIC));
    let progress = Progress::new();
    let mut away_since: Option<Instant> = None;
    while !view.finished {
        progress.tell(&view);
        sleep(ASK_EVERY);
        match client.get::<CommandView>(&path) {
            Ok(answer) => (view, away_since) = (answer.value, None),
            Err(failure) if failure.exit == Exit::Unreachable => {
                if away_since.get_or_insert_with(Instant::now).elapsed() > SERVICE_AWAY {
                    return Err(failure);
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(view)
}

fn tell_end(screen: &Screen, view: CommandView) -> Done {
    let text = view.says.clone();
    let (exit, told) = match view.state {
        CommandState::Done if view.passed() == Some(false) => (Exit::Failed, true),
        CommandState::Done => (Exit::Fine, true),
        CommandState::Refused => (Exit::Conflict, false),
        CommandState::Expired => (Exit::NoAnswer, false),
        CommandState::Waiting | CommandState::Sent | CommandState::Accepted => {
            unreachable!("`follow` returns when it is final")
        }
    };
    match screen.output {
        Output::Table if told => screen.print(&table::command(&view, &screen.look(view.asked_at)))?,
        // What went wrong stands on standard error.
        Output::Table => {}
        Output::Json => screen.json(&view)?,
        Output::Csv => screen.csv(&[view])?,
    }
    match exit {
        Exit::Fine => Ok(()),
        other => Err(Failure::new(other, text)),
    }
}

/// On standard error, and only where somebody looks.
struct Progress(ProgressBar);

impl Progress {
    fn new() -> Progress {
        if !io::stderr().is_terminal() {
            return Progress(ProgressBar::hidden());
        }
        let bar = ProgressBar::new_spinner();
        let style = ProgressStyle::with_template("{spinner} {elapsed:>3} {wide_msg}");
        bar.set_style(style.expect("the template is right"));
        bar.enable_steady_tick(Duration::from_millis(120));
        Progress(bar)
    }

    fn tell(&self, view: &CommandView) {
        self.0.set_message(table::clean(&view.says));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
