//! What can follow in a shell: units, orders, rules and fields beside the verbs and options. Asks a running service, and
//! says nothing when none answers at once: whoever presses Tab must not wait, nor read errors.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use clap::{Arg, Command, CommandFactory};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, Shell};
use serde::Deserialize;

use crate::config::alerts::{DEFAULT_ALERTS, check_alerts};
use crate::domain::query::{AlertField, Field, FieldKind, IncidentField, OrderField, UnitField};

use super::arguments::{Cli, SERVER_DEFAULT};
use super::client::Client;
use super::exit::Failure;
use super::screen::Screen;

/// The shell sets this when it asks.
const ASKED_BY: &str = "COMPLETE";
const ANSWER_WITHIN: Duration = Duration::from_millis(300);
/// More than a screen of candidates helps nobody.
const CANDIDATES: &str = "200";

/// True: it was the shell that asked, and it has its answer.
pub fn answer(arguments: &[OsString]) -> bool {
    if std::env::var_os(ASKED_BY).is_none_or(|shell| shell.is_empty()) {
        return false;
    }
    let server = server_of(arguments);
    let taught = move || teach(Cli::command(), "", &server);
    // What cannot be completed is not: an error between two keystrokes helps nobody.
    CompleteEnv::with_factory(taught)
        .var(ASKED_BY)
        .try_complete(arguments.to_vec(), std::env::current_dir().ok().as_deref())
        .unwrap_or(true)
}

/// The script that makes a shell ask.
pub fn script(screen: &Screen, shell: Shell) -> Result<(), Failure> {
    let cannot = |why: String| Failure::failed(format!("the completions of {shell} cannot be written: {why}"));
    let name = shell.to_string();
    let shells = Shells::builtins();
    let completer = shells.completer(&name).ok_or_else(|| cannot("this shell is not known".to_owned()))?;
    let mut script = Vec::new();
    completer
        .write_registration(ASKED_BY, "buttonwatch", "buttonwatch", "buttonwatch", &mut script)
        .map_err(|e| cannot(e.to_string()))?;
    screen.print(&String::from_utf8_lossy(&script))
}

/// `--server` of the line that is being typed, else that of the environment.
fn server_of(arguments: &[OsString]) -> String {
    let words: Vec<&str> = arguments.iter().filter_map(|a| a.to_str()).collect();
    let said = words.iter().enumerate().find_map(|(n, word)| match word.strip_prefix("--server") {
        Some("") => words.get(n + 1).copied(),
        Some(rest) => rest.strip_prefix('='),
        None => None,
    });
    let set = || std::env::var("BUTTONWATCH_SERVER").ok();
    said.map(str::to_owned).or_else(set).unwrap_or_else(|| SERVER_DEFAULT.to_owned())
}

/// The command line as it is, with what its values can be.
fn teach(command: Command, above: &str, server: &str) -> Command {
    let path = format!("{above} {}", command.get_name());
    let command = command.mut_args(|arg| teach_argument(arg, path.trim_start(), server));
    command.mut_subcommands(|sub| teach(sub, path.strip_prefix(" buttonwatch").unwrap_or(&path), server))
}

fn teach_argument(arg: Arg, verb: &str, server: &str) -> Arg {
    let server = server.to_owned();
    let is_list = arg.get_id() == "columns";
    let fields: Option<fn(&str, bool) -> Vec<CompletionCandidate>> = match (arg.get_id().as_str(), verb) {
        ("filters" | "sort" | "columns", "fleet list" | "top" | "fleet near" | "fleet availability") => {
            Some(field_candidates::<UnitField>)
        }
        ("filters" | "sort" | "columns", "alerts") => Some(field_candidates::<AlertField>),
        ("filters" | "sort" | "columns", "incidents") => Some(field_candidates::<IncidentField>),
        ("filters" | "sort" | "columns", "orders list") => Some(field_candidates::<OrderField>),
        _ => None,
    };
    match arg.get_id().as_str() {
        "unit" | "units" => arg.add(ArgValueCompleter::new(move |current: &OsStr| units(&server, current))),
        "order" => arg.add(ArgValueCompleter::new(move |current: &OsStr| orders(&server, current))),
        "rule" => arg.add(ArgValueCompleter::new(rules)),
        id => match fields {
            Some(fields) => {
                let condition = id == "filters";
                arg.add(ArgValueCompleter::new(move |current: &OsStr| {
                    let current = current.to_string_lossy();
                    match is_list.then(|| current.rfind(',')).flatten() {
                        // Behind the columns that stand there already.
                        Some(comma) => {
                            let (before, last) = current.split_at(comma + 1);
                            fields(last, condition).into_iter().map(|c| c.add_prefix(before)).collect()
                        }
                        None => fields(&current, condition),
                    }
                }))
            }
            None => arg,
        },
    }
}

/// `condition`: a sign and a value follow the field.
fn field_candidates<F: Field>(current: &str, condition: bool) -> Vec<CompletionCandidate> {
    if let (true, Some((name, typed))) = (condition, current.split_once('=')) {
        // `readiness!=`: the sign belongs to the condition, not to the name.
        let Some(field) = F::named(name.trim_end_matches('!')) else { return Vec::new() };
        let words: Vec<&str> = match field.kind() {
            FieldKind::Word { words, .. } => words,
            FieldKind::Flag => vec!["yes", "no"],
            FieldKind::Text | FieldKind::Number { .. } | FieldKind::Time | FieldKind::Span => Vec::new(),
        };
        let fits = words.into_iter().filter(|word| word.starts_with(typed));
        return fits.map(|word| CompletionCandidate::new(format!("{name}={word}"))).collect();
    }
    let sign = if condition { "=" } else { "" };
    F::known()
        .iter()
        .filter(|field| field.name().starts_with(current))
        .map(|field| {
            CompletionCandidate::new(format!("{}{sign}", field.name())).help(Some(field.meaning().to_owned().into()))
        })
        .collect()
}

#[derive(Deserialize)]
struct NamedUnit {
    unit: String,
    name: String,
}

fn units(server: &str, current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    // What has a space or a quote in it is no id, and would be another condition.
    let is_id = current.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let filter = format!("unit~{current}");
    let query: &[(&str, &str)] = if current.is_empty() { &[] } else { &[("filter", &filter)] };
    let rows = if is_id { ask::<NamedUnit>(server, "units", query) } else { Vec::new() };
    let fits = rows.into_iter().filter(|row| row.unit.to_lowercase().starts_with(&current.to_lowercase()));
    fits.map(|row| CompletionCandidate::new(row.unit).help(Some(row.name.into()))).collect()
}

#[derive(Deserialize)]
struct NamedOrder {
    order: String,
    summary: String,
}

fn orders(server: &str, current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy().to_lowercase();
    let rows = ask::<NamedOrder>(server, "orders", &[]);
    let fits = rows.into_iter().filter(|row| row.order.to_lowercase().starts_with(&current));
    fits.map(|row| CompletionCandidate::new(row.order).help(Some(row.summary.into()))).collect()
}

/// Of the rules that come with the program: the operator's own are known to the service only, unit by unit.
fn rules(current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let Ok(set) = check_alerts("alerts.toml", DEFAULT_ALERTS) else { return Vec::new() };
    let fits = set.rules.iter().filter(|rule| rule.id.as_str().starts_with(&*current));
    fits.map(|rule| CompletionCandidate::new(rule.id.as_str())).collect()
}

fn ask<T: serde::de::DeserializeOwned>(server: &str, path: &str, query: &[(&str, &str)]) -> Vec<T> {
    let token = std::env::var("BUTTONWATCH_TOKEN").ok();
    let query: Vec<(&str, &str)> = query.iter().copied().chain([("limit", CANDIDATES)]).collect();
    let client = Client::patient_for(server, token, ANSWER_WITHIN);
    client.and_then(|client| client.get_first::<T>(path, &query)).map(|(page, _)| page.value).unwrap_or_default()
}
