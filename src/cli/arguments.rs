//! The command line as clap reads it. Never does anything.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::app::arguments::BusArg;
use crate::config::spelling::nearest;
use crate::domain::series::NoSeries;
use crate::domain::{
    City, Component, CrewId, MessageId, Metric, NoticeKind, OrderId, OrderMove, RuleId, SeriesName, SiteId, Timestamp,
    UnitId,
};

use super::exit::EXIT_HELP;
use super::filter::Filter;
use super::list::Shown;
use super::near::Near;
use super::on_demand::{Locate, Reboot, SelftestVerb};
use super::times::{TypedTime, parse_instant, parse_span, parse_typed_time};
use super::top::Top;

pub const SERVER_DEFAULT: &str = "http://127.0.0.1:8680";

/// Keeps a city's emergency buttons alive: MQTT in, judgement, work orders out.
#[derive(Debug, Parser)]
#[command(name = "buttonwatch", version, after_help = EXIT_HELP, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "For all commands")]
pub struct Common {
    /// The running service to ask; its token comes from BUTTONWATCH_TOKEN
    #[arg(long, global = true, value_name = "URL", env = "BUTTONWATCH_SERVER", hide_env_values = true,
          default_value = SERVER_DEFAULT)]
    pub server: String,
    /// table for people; json and csv for programs
    #[arg(long, short, global = true, value_enum, value_name = "FORM")]
    pub output: Option<Output>,
    /// The time zone in which tables show times
    #[arg(long, global = true, value_name = "ZONE", env = "BUTTONWATCH_ZONE", hide_env_values = true, default_value = "Asia/Karachi",
          value_parser = parse_zone)]
    pub zone: Tz,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Table,
    Json,
    Csv,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show the whole thing on this machine: 68 simulated buttons, faults, orders, mails
    Demo(Demo),
    /// Run the service
    Serve(Serve),
    /// The units: list, look at, import, take in
    #[command(subcommand)]
    Fleet(FleetVerb),
    /// The alerts that are pending or firing
    Alerts(Listing),
    /// The common causes: uplinks, feeders and sites that are down
    Incidents(Listing),
    /// The work orders: list, look at, move on
    #[command(subcommand)]
    Orders(OrdersVerb),
    /// Put a unit, a site or a crew's units into maintenance, or end it
    Maintenance(Maintenance),
    /// The fleet as it is now, over the whole terminal
    Top(Top),
    /// Ask a unit to test itself, and see what came of it
    #[command(subcommand)]
    Selftest(SelftestVerb),
    /// Have a unit flash and beep for a minute, so that it can be found
    Locate(Locate),
    /// Have a unit start again
    Reboot(Reboot),
    /// Run a recording through the engine and print what would have happened, as JSON lines
    Replay(Replay),
    /// What the service has heard, as a recording for replay, backtest and bug reports
    #[command(subcommand)]
    Record(RecordVerb),
    /// Run simulated units against a broker
    Simulate(Simulate),
    /// The rules file and the metrics that rules may name
    #[command(subcommand)]
    Rules(RulesVerb),
    /// The mails: list, look at one, try again, drop
    Outbox(Outbox),
    /// How available the buttons were, how the crews kept up, what is overdue and what fails next
    Report(ReportArgs),
    /// Input that was refused, by kind, with the newest example of each
    Refusals(Picking),
    /// Check what the service needs and say what to do
    Doctor(Doctor),
    /// History in InfluxDB
    #[command(subcommand)]
    Influx(InfluxVerb),
    /// Print the completions for a shell
    Completions {
        /// bash, zsh, fish, elvish or powershell
        shell: clap_complete::Shell,
    },
    /// Write settings, rules and fleet file for a new service; asks a few questions
    Init(Box<super::init::Init>),
    /// Copy the store and what belongs to it into one file, while the service runs
    Backup(Backup),
    /// Make an empty data folder what it was when a backup was made
    Restore(Restore),
    /// Write the manual pages into a folder
    #[command(hide = true)]
    Manual {
        /// Such as /usr/local/share/man/man1
        folder: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct Backup {
    /// A new file
    pub file: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    pub replace: bool,
    #[command(flatten)]
    pub store: From,
}

#[derive(Debug, Args)]
pub struct Restore {
    /// The backup
    pub file: PathBuf,
    #[command(flatten)]
    pub store: From,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// End by itself after this long, such as 90s; the exit status tells whether the story came true
    #[arg(long = "for", value_name = "SPAN", value_parser = parse_span)]
    pub run_for: Option<Duration>,
    /// Keep the files here instead of in a scratch folder
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// buttonwatch.toml [default: every setting's own default]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// fleet.csv
    #[arg(long, value_name = "CSV")]
    pub fleet: Option<PathBuf>,
    /// alerts.toml
    #[arg(long, value_name = "TOML")]
    pub rules: Option<PathBuf>,
    /// The folder for the database and the mails
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Where units connect (MQTT)
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    pub listen: Option<SocketAddr>,
    /// Where the API, the metrics and the health checks are
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    pub http: Option<SocketAddr>,
    /// Where observers connect (MQTT), or off
    #[arg(long, value_name = "ADDR|off", value_parser = parse_bus)]
    pub bus: Option<BusArg>,
}

#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    pub serve: Serve,
    /// Also send a mail, as the service would: to the operator, or to this address
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1)]
    pub send_test_mail: Option<Option<String>>,
}

#[derive(Debug, Subcommand)]
pub enum InfluxVerb {
    /// Make InfluxDB 2 ready: buckets, mappings for InfluxQL, tasks that thin history out; safe to run again
    Setup(InfluxSetup),
}

#[derive(Debug, Args)]
pub struct InfluxSetup {
    /// buttonwatch.toml: its [influx] says what is not said here
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where InfluxDB is [default: http://127.0.0.1:8086]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// The organization's name [default: buttonwatch]
    #[arg(long, value_name = "NAME")]
    pub org: Option<String>,
    /// A file that holds an All Access token of the organization, and nothing else; the service itself needs less
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// What the names of the four buckets begin with [default: buttonwatch]
    #[arg(long, value_name = "NAME")]
    pub bucket: Option<String>,
    /// Certificates to trust for https, besides the public ones
    #[arg(long, value_name = "PEM")]
    pub ca: Option<PathBuf>,
    /// Only show what would be made or changed
    #[arg(long)]
    pub dry_run: bool,
    /// Also shorten what a bucket keeps, if it keeps more than need be; this deletes the older points
    #[arg(long)]
    pub shorten: bool,
}

#[derive(Debug, Subcommand)]
pub enum FleetVerb {
    /// Make the fleet what a CSV file says; one bad row, and nothing is changed
    Import {
        /// fleet.csv; - reads standard input
        file: PathBuf,
        /// Only show what would change
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        who: Who,
    },
    /// List the units
    List(Listing),
    /// One unit on one screen: what is wrong, who is on it, readings, tests, presses, who shares its circuits
    Show {
        /// Such as PSH-001
        #[arg(value_parser = UnitId::parse)]
        unit: UnitId,
        /// Also what a short terminal has no room for; a file and a pipe always get everything
        #[arg(long)]
        all: bool,
    },
    /// The units around a place, nearest first
    Near(Near),
    /// Write the whole fleet as the file that `fleet import` takes
    Export {
        /// A new file; - writes to standard output
        file: PathBuf,
    },
    /// Make a new password for a unit and print it once
    Password {
        /// Such as PSH-001
        #[arg(value_parser = UnitId::parse)]
        unit: UnitId,
        /// The password file
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// buttonwatch.toml, which names the password file
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// How ready a unit was: each change with its reason, how long it lasted, and its availability; or one of its readings
    History {
        /// Such as PSH-001
        #[arg(value_parser = UnitId::parse)]
        unit: UnitId,
        /// Show this reading by the hour instead, such as battery.voltage or heartbeats
        #[arg(value_parser = parse_series)]
        metric: Option<SeriesName>,
        /// From so long ago until now; 400d are kept, of readings 90d
        #[arg(long, value_name = "SPAN", default_value = "7d", value_parser = parse_span)]
        since: Duration,
    },
    /// The share of the time in which the buttons could summon help
    Availability(Availability),
    /// Learn anew what was swapped or cleaned: the next passing self-tests are the new measure
    Rebaseline {
        /// Such as PSH-001
        #[arg(value_parser = UnitId::parse)]
        unit: UnitId,
        /// Only this one [default: all of them]
        #[arg(long, value_parser = learned_components())]
        component: Option<Component>,
        #[command(flatten)]
        who: Who,
    },
    /// List the units that were heard but are not in the fleet
    Quarantine(Picking),
    /// Take a unit that was heard into the fleet
    Accept(Accept),
}

#[derive(Debug, Args)]
pub struct Availability {
    /// Only these units: city=peshawar crew!=saddar; the fields are those of fleet list
    #[arg(value_name = "CONDITION")]
    pub filters: Vec<Filter>,
    /// From so long ago until now; 400d are kept
    #[arg(long, value_name = "SPAN", default_value = "30d", value_parser = parse_span)]
    pub since: Duration,
    /// One line for each of these
    #[arg(long, value_enum, default_value = "city")]
    pub by: By,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum By {
    City,
    SiteType,
    Crew,
    Unit,
}

#[derive(Debug, Args)]
pub struct Accept {
    /// Such as PSH-069
    #[arg(value_parser = UnitId::parse)]
    pub unit: UnitId,
    /// Where it stands
    #[arg(long, value_name = "SITE", value_parser = SiteId::parse)]
    pub site: SiteId,
    /// Who repairs it
    #[arg(long, value_name = "CREW", value_parser = CrewId::parse)]
    pub crew: CrewId,
    /// In which city
    #[arg(long, value_name = "CITY", value_parser = City::parse)]
    pub city: City,
    #[command(flatten)]
    pub who: Who,
}

#[derive(Debug, Args)]
pub struct Listing {
    /// Only rows of which this is so: city=peshawar readiness!=ready silent>10m name~bazaar
    #[arg(value_name = "CONDITION")]
    pub filters: Vec<String>,
    /// In the order of this field; with a minus before it, largest first: --sort=-since
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    pub sort: Option<String>,
    #[command(flatten)]
    pub shown: Shown,
}

/// For lists that are small.
#[derive(Debug, Args)]
pub struct Picking {
    /// Only rows whose fields say so: unit=PSH-069 messages>10; the fields are those of --output csv
    #[arg(value_name = "CONDITION")]
    pub filters: Vec<Filter>,
}

/// Who gives the instruction; it stands in the order's history.
#[derive(Debug, Args)]
pub struct Who {
    /// Who does this, for the history [default: BUTTONWATCH_BY, else the user's name]
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum OrdersVerb {
    /// List the open work orders
    List {
        /// Closed and cancelled ones too
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        listing: Listing,
    },
    /// Everything about one work order, with its history
    Show {
        /// WO-000042 or 42
        #[arg(value_parser = OrderId::parse)]
        order: OrderId,
    },
    /// Say how far a work order is
    Set {
        /// WO-000042 or 42
        #[arg(value_parser = OrderId::parse)]
        order: OrderId,
        /// The new state
        #[arg(value_parser = order_moves())]
        state: OrderMove,
        /// What was found or done
        #[arg(long, default_value = "", hide_default_value = true)]
        note: String,
        #[command(flatten)]
        who: Who,
    },
    /// Show a mail as it would go out, with the settings and templates of a file; nothing is sent
    Preview(OrdersPreview),
    /// Write the templates of the mails into an empty folder, to be changed there
    Templates {
        /// Then named in buttonwatch.toml: [mail] templates = "FOLDER"
        folder: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct OrdersPreview {
    /// WO-000042 or 42 of this machine's store [default: a made-up one]
    #[arg(value_parser = OrderId::parse)]
    pub order: Option<OrderId>,
    /// Which mail about it
    #[arg(long, default_value = "order-opened", value_parser = notice_kinds())]
    pub kind: NoticeKind,
    /// buttonwatch.toml [default: every setting's own default]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Try the templates of this folder
    #[arg(long, value_name = "FOLDER")]
    pub templates: Option<PathBuf>,
    /// Write the HTML part to this file, for a browser; - writes it to standard output
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the whole mail to this file, for a mail program
    #[arg(long, value_name = "FILE")]
    pub eml: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The last whole day, week from Monday to Sunday, or month, by the service's time zone; or the public's edition
    #[arg(value_enum)]
    pub which: WhichReport,
    /// The last 24 hours, 7 days or 30 days up to now instead
    #[arg(long)]
    pub last: bool,
    /// As if it were asked for then: "2026-11-21 14:00", or with an offset as in 2026-11-21T14:00:00+05:00
    #[arg(long, value_name = "TIME", value_parser = parse_typed_time)]
    pub until: Option<TypedTime>,
    /// Write a page with charts to this file instead; - writes it to standard output
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum WhichReport {
    Daily,
    Weekly,
    Monthly,
    /// Groups only, delayed: to be published
    Public,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Outbox {
    #[command(subcommand)]
    pub verb: Option<OutboxVerb>,
    /// Only mails whose fields say so: state=refused to=saddar
    #[arg(value_name = "CONDITION", value_parser = verb_or_filter)]
    pub filters: Vec<Filter>,
}

/// What is neither was meant as a verb.
fn verb_or_filter(text: &str) -> Result<Filter, String> {
    let verbs = "the verbs are list, show, retry and drop";
    text.parse().map_err(|why| format!("{verbs}; to pick mails, {why}"))
}

#[derive(Debug, Subcommand)]
pub enum OutboxVerb {
    /// The mails that wait, were refused or dropped; with --all also those that were sent
    List {
        /// Sent ones too
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        picking: Picking,
    },
    /// One mail as it goes out, and what became of it
    Show {
        /// As `outbox list` shows it: wo-000042.1795251600000@example.org
        #[arg(value_parser = MessageId::parse_typed)]
        mail: MessageId,
    },
    /// Try a mail again now; --refused tries all that were refused
    #[command(group = clap::ArgGroup::new("which").required(true).args(["mail", "refused"]))]
    Retry {
        /// As `outbox list` shows it
        #[arg(value_parser = MessageId::parse_typed)]
        mail: Option<MessageId>,
        /// All that were refused
        #[arg(long)]
        refused: bool,
        #[command(flatten)]
        who: Who,
    },
    /// Never send a mail that was not sent yet
    Drop {
        /// As `outbox list` shows it
        #[arg(value_parser = MessageId::parse_typed)]
        mail: MessageId,
        #[command(flatten)]
        who: Who,
    },
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("scope").required(true).args(["unit", "site", "crew"]))]
#[command(group = clap::ArgGroup::new("end").required(true).args(["until", "lasts", "over"]))]
pub struct Maintenance {
    /// One unit
    #[arg(long, value_name = "UNIT", value_parser = UnitId::parse)]
    pub unit: Option<UnitId>,
    /// All units of a site
    #[arg(long, value_name = "SITE", value_parser = SiteId::parse)]
    pub site: Option<SiteId>,
    /// All units of a crew
    #[arg(long, value_name = "CREW", value_parser = CrewId::parse)]
    pub crew: Option<CrewId>,
    /// When it ends: 14:00, "2026-11-21 14:00", or with an offset as in 2026-11-21T14:00:00+05:00
    #[arg(long, value_name = "TIME", value_parser = parse_typed_time)]
    pub until: Option<TypedTime>,
    /// How long it lasts: 90m, 2h, 1d
    #[arg(long = "for", id = "lasts", value_name = "SPAN", value_parser = parse_span)]
    pub lasts: Option<Duration>,
    /// End it now
    #[arg(long = "over", id = "over")]
    pub over: bool,
    #[command(flatten)]
    pub who: Who,
}

#[derive(Debug, Args)]
pub struct Replay {
    /// The recording, JSON lines; - reads standard input
    pub file: PathBuf,
    /// fleet.csv
    #[arg(long, value_name = "CSV")]
    pub fleet: PathBuf,
    /// alerts.toml
    #[arg(long, value_name = "TOML")]
    pub rules: PathBuf,
    /// Go on to this time after the last line: 2026-11-21T14:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_instant)]
    pub until: Option<Timestamp>,
    /// Also print these readings: battery.voltage,clock.skew
    #[arg(long, value_name = "METRICS", value_delimiter = ',')]
    pub readings: Vec<Metric>,
    /// buttonwatch.toml
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Also write what InfluxDB would have been told, as line protocol: FOLDER/raw.lp and FOLDER/events.lp
    #[arg(long, value_name = "FOLDER")]
    pub points: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Simulate {
    /// fleet.csv: one MQTT client for each of its units
    #[arg(long, value_name = "CSV")]
    pub fleet: PathBuf,
    /// Where the units connect: mqtt://host:port
    #[arg(long, value_name = "URL", value_parser = parse_broker)]
    pub broker: String,
    /// Simulated seconds in one second
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_speed)]
    pub speed: f64,
    /// The faults that come
    #[arg(long, value_name = "TOML")]
    pub scenario: Option<PathBuf>,
    /// The same number gives the same readings
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// End after so much simulated time
    #[arg(long = "for", value_name = "SPAN", value_parser = parse_span)]
    pub run_for: Option<Duration>,
}

#[derive(Debug, Subcommand)]
pub enum RecordVerb {
    /// Write what was heard in a span of time
    Export {
        /// From this time on: "2026-11-21 14:00", or with an offset as in 2026-11-21T14:00:00+05:00
        #[arg(long, value_name = "TIME", value_parser = parse_typed_time)]
        from: Option<TypedTime>,
        /// Before this time
        #[arg(long, value_name = "TIME", value_parser = parse_typed_time)]
        to: Option<TypedTime>,
        /// Only messages of this unit; may be given several times
        #[arg(long = "unit", value_name = "UNIT", value_parser = UnitId::parse)]
        units: Vec<UnitId>,
        /// A new file; - writes to standard output
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        store: From,
    },
    /// Write what is heard from now on
    Live {
        /// A new file; - writes to standard output
        file: PathBuf,
        /// End after this long: 10m, 2h [default: until Ctrl-C]
        #[arg(long = "for", value_name = "SPAN", value_parser = parse_span)]
        run_for: Option<Duration>,
        /// Only messages of this unit; may be given several times
        #[arg(long = "unit", value_name = "UNIT", value_parser = UnitId::parse)]
        units: Vec<UnitId>,
        #[command(flatten)]
        store: From,
    },
}

/// Where the service keeps what it heard.
#[derive(Debug, Args)]
pub struct From {
    /// The service's data folder, on this machine
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// buttonwatch.toml, which names the data folder
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum RulesVerb {
    /// Check rules files; tells every mistake at once
    Check {
        /// alerts.toml [default: the one that serve would use]
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Also tell the rules that select no unit of this fleet, and the units that no silent rule covers
        #[arg(long, value_name = "CSV")]
        fleet: Option<PathBuf>,
    },
    /// List the metrics that a rule may name
    Metrics,
    /// How each rule stands for one unit: its limits, figures and deadlines
    Explain {
        /// Such as PSH-001
        #[arg(value_parser = UnitId::parse)]
        unit: UnitId,
        /// Only this rule
        #[arg(long, value_name = "ID", value_parser = RuleId::parse)]
        rule: Option<RuleId>,
        /// Without a service: after this recording
        #[arg(long, value_name = "FILE", requires = "fleet")]
        recording: Option<PathBuf>,
        /// fleet.csv, with --recording
        #[arg(long, value_name = "CSV", requires = "recording")]
        fleet: Option<PathBuf>,
        /// alerts.toml, with --recording [default: the one that serve would use]
        #[arg(long, value_name = "TOML", requires = "recording")]
        rules: Option<PathBuf>,
        /// As of this time: 2026-11-21T14:00:00Z [default: the recording's end]
        #[arg(long, value_name = "TIME", value_parser = parse_instant, requires = "recording")]
        until: Option<Timestamp>,
    },
    /// Replay a recording under two rules files: which orders would have been different, with dates
    Backtest {
        /// The recording, JSON lines; - reads standard input
        file: PathBuf,
        /// fleet.csv
        #[arg(long, value_name = "CSV")]
        fleet: PathBuf,
        /// The rules of today [default: the alerts.toml that serve would use]
        #[arg(long, value_name = "TOML")]
        rules: Option<PathBuf>,
        /// The rules to compare with
        #[arg(long, value_name = "TOML")]
        against: PathBuf,
        /// Go on to this time after the last line: 2026-11-21T14:00:00Z
        #[arg(long, value_name = "TIME", value_parser = parse_instant)]
        until: Option<Timestamp>,
        /// buttonwatch.toml
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Run tests of rules on the real engine, in virtual time
    Test {
        /// Files of tests (docs/rule-tests.md)
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Test these rules instead of the ones that the files name
        #[arg(long, value_name = "TOML")]
        rules: Option<PathBuf>,
    },
}

fn parse_series(text: &str) -> Result<SeriesName, String> {
    text.parse().map_err(|why: NoSeries| {
        let known: Vec<String> = SeriesName::known().map(|name| name.to_string()).collect();
        match nearest(text, known.iter().map(String::as_str)) {
            Some(name) => format!("{why} (did you mean {name}?)"),
            None => why.to_string(),
        }
    })
}

pub(super) fn parse_zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| format!("{text:?} is not a time zone: write it as Asia/Karachi or UTC"))
}

pub(super) fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is not an address: write it as 127.0.0.1:1883 or [::1]:1883"))
}

fn parse_bus(text: &str) -> Result<BusArg, String> {
    if text == "off" {
        return Ok(BusArg::Off);
    }
    parse_address(text).map(BusArg::At).map_err(|e| format!("{e}, or off"))
}

/// Only the shape: whether anything listens there shows when it connects.
fn parse_broker(text: &str) -> Result<String, String> {
    let wrong = || format!("{text:?} is not a broker: write it as mqtt://127.0.0.1:1883");
    let rest = text.strip_prefix("mqtt://").ok_or_else(wrong)?;
    let (host, port) = rest.trim_end_matches('/').rsplit_once(':').ok_or_else(wrong)?;
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err(wrong());
    }
    Ok(text.to_owned())
}

fn parse_speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed > 0.0 && speed <= 1e6 => Ok(speed),
        Ok(_) | Err(_) => Err(format!("{text:?} is not a speed: write a number above 0, at most 1000000")),
    }
}

fn learned_components() -> impl TypedValueParser<Value = Component> {
    PossibleValuesParser::new(Component::LEARNED.iter().map(|c| c.as_str()))
        .map(|word| word.parse::<Component>().expect("clap takes only the listed words"))
}

fn notice_kinds() -> impl TypedValueParser<Value = NoticeKind> {
    PossibleValuesParser::new(NoticeKind::ALL.iter().filter(|k| **k != NoticeKind::Report).map(|k| k.as_str()))
        .map(|word| word.parse::<NoticeKind>().expect("clap takes only the listed words"))
}

fn order_moves() -> impl TypedValueParser<Value = OrderMove> {
    PossibleValuesParser::new(OrderMove::ALL.iter().map(|m| m.as_str()))
        .map(|word| word.parse::<OrderMove>().expect("clap takes only the listed words"))
}
