//! Arguments in, text or JSON out. Layer 4. Owns the verbs, the exit statuses and the forms of output (docs/cli.md).
//! Never judges and never knows what a running service knows: it asks one over HTTP, or starts a program of `app`.

mod arguments;
mod ask;
mod backup;
mod card;
mod client;
mod completions;
mod exit;
mod filter;
mod influx;
mod init;
mod list;
mod manual;
mod near;
mod on_demand;
mod preview;
mod programs;
mod progress;
mod record;
mod rules;
mod screen;
mod times;
mod top;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::app::arguments::{DemoArgs, DoctorArgs, PasswordArgs, ReplayArgs, ServeArgs, SimulateArgs};
use crate::domain::Metric;
use crate::render::table;

use arguments::{
    Cli, Demo, Doctor, FleetVerb, InfluxVerb, OrdersVerb, Output, Replay, RulesVerb, Serve, Simulate, Verb,
};
use client::Client;
use exit::{Exit, Failure};
use screen::Screen;

/// The whole program. `arguments` begin with the program's own name.
pub fn run(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    if completions::answer(&arguments) {
        return Exit::Fine.into();
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; a reader who went away is none either.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Fine.into() };
        }
    };
    match carry_out(cli) {
        Ok(()) => Exit::Fine.into(),
        Err(failure) => {
            if !failure.text.is_empty() {
                let text = format!("error: {}", harmless(&failure.text));
                let _ = writeln!(std::io::stderr(), "{}", laid_out(&text, screen::width_of_errors()));
            }
            failure.exit.into()
        }
    }
}

/// An error may quote what a stranger wrote; a terminal must not obey it.
fn harmless(text: &str) -> String {
    text.lines().map(table::clean).collect::<Vec<_>>().join("\n")
}

/// Lines that are longer than the terminal are broken between words; `width` None: a file, which gets them as they are.
fn laid_out(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    let mut lines = Vec::new();
    for line in text.lines() {
        if table::width(line) <= width {
            lines.push(line.to_owned());
            continue;
        }
        let indent = " ".repeat(line.len() - line.trim_start().len());
        let parts = table::wrap(line, width.saturating_sub(indent.len() + 2));
        let deeper = |n: usize| if n == 0 { "" } else { "  " };
        lines.extend(parts.iter().enumerate().map(|(n, part)| format!("{indent}{}{part}", deeper(n))));
    }
    lines.join("\n")
}

fn carry_out(cli: Cli) -> Result<(), Failure> {
    let Cli { common, verb } = cli;
    let token = std::env::var("BUTTONWATCH_TOKEN").ok();
    let screen = Screen::new(common.output.unwrap_or(Output::Table), common.zone);
    let client = || Client::new(&common.server, token.clone());
    match verb {
        Verb::Fleet(FleetVerb::Import { file, dry_run, who }) => {
            ask::fleet_import(&client()?, &screen, &file, dry_run, &who)
        }
        Verb::Fleet(FleetVerb::Near(args)) => near::near(&client()?, &screen, &args),
        Verb::Fleet(FleetVerb::Export { file }) => ask::fleet_export(&client()?, &screen, &file),
        Verb::Fleet(FleetVerb::List(listing)) => ask::fleet_list(&client()?, &screen, &listing),
        Verb::Fleet(FleetVerb::Show { unit, all }) => ask::fleet_show(&client()?, &screen, &unit, all),
        Verb::Fleet(FleetVerb::History { unit, metric: None, since }) => {
            ask::fleet_history(&client()?, &screen, &unit, since)
        }
        Verb::Fleet(FleetVerb::History { unit, metric: Some(metric), since }) => {
            ask::fleet_series(&client()?, &screen, &unit, &metric, since)
        }
        Verb::Fleet(FleetVerb::Availability(args)) => ask::fleet_availability(&client()?, &screen, args),
        Verb::Fleet(FleetVerb::Rebaseline { unit, component, who }) => {
            ask::fleet_rebaseline(&client()?, &screen, &unit, component, &who)
        }
        Verb::Fleet(FleetVerb::Quarantine(listing)) => ask::quarantine(&client()?, &screen, &listing),
        Verb::Fleet(FleetVerb::Accept(accept)) => ask::fleet_accept(&client()?, &screen, &accept),
        Verb::Alerts(listing) => ask::alerts(&client()?, &screen, &listing),
        Verb::Incidents(listing) => ask::incidents(&client()?, &screen, &listing),
        Verb::Orders(OrdersVerb::Preview(args)) => preview::show(args, &screen),
        Verb::Orders(OrdersVerb::Templates { folder }) => preview::templates(&folder),
        Verb::Orders(verb) => ask::orders(&client()?, &screen, &verb),
        Verb::Maintenance(args) => ask::maintenance(&client()?, &screen, &args),
        Verb::Top(args) => top::run(client()?, &common.server, &screen, &args),
        Verb::Selftest(verb) => on_demand::selftest(&client()?, &screen, &verb),
        Verb::Locate(args) => on_demand::locate(&client()?, &screen, &args),
        Verb::Reboot(args) => on_demand::reboot(&client()?, &screen, &args),
        Verb::Report(args) => ask::report(&client()?, &screen, &args),
        Verb::Outbox(outbox) => ask::outbox(&client()?, &screen, &outbox),
        Verb::Refusals(listing) => ask::refusals(&client()?, &screen, &listing),
        Verb::Rules(RulesVerb::Metrics) => rules_metrics(&screen),
        Verb::Completions { shell } => completions::script(&screen, shell),

        Verb::Serve(args) => programs::run_serve(serve_args(args, token)),
        Verb::Demo(Demo { run_for, dir }) => programs::run_demo(DemoArgs { run_for, dir }),
        Verb::Replay(args) => programs::run_replay(replay_args(args, common.output)?),
        Verb::Simulate(args) => programs::run_simulate(simulate_args(args)),
        Verb::Record(verb) => record::record(verb, &screen),
        Verb::Doctor(args) => {
            let Doctor { serve, send_test_mail: test_mail } = args;
            let args = DoctorArgs { serve: serve_args(serve, token), server: common.server, test_mail };
            programs::run_doctor(args, &screen)
        }
        Verb::Influx(InfluxVerb::Setup(args)) => influx::set_up(args, &screen),
        Verb::Fleet(FleetVerb::Password { unit, file, config }) => {
            programs::run_password(PasswordArgs { unit, file, config }, &screen)
        }
        Verb::Rules(RulesVerb::Check { files, fleet }) => rules::check(&files, fleet.as_deref(), &screen),
        Verb::Rules(RulesVerb::Explain { unit, rule, recording, fleet, rules, until }) => {
            let offline =
                recording.zip(fleet).map(|(recording, fleet)| rules::Offline { recording, fleet, rules, until });
            rules::explain(client, &unit, rule.as_ref(), offline.as_ref(), &screen)
        }
        Verb::Rules(RulesVerb::Backtest { file, fleet, rules, against, until, config }) => {
            let args = rules::BacktestArgs { file, fleet, rules, against, until, config };
            rules::backtest(&args, &screen)
        }
        Verb::Rules(RulesVerb::Test { files, rules }) => rules::test(&files, rules.as_deref(), &screen),
        Verb::Init(args) => init::init(*args, &screen),
        Verb::Backup(args) => backup::make(&args, &screen),
        Verb::Restore(args) => backup::put_back(&args, &screen),
        Verb::Manual { folder } => manual::write(&folder, &screen),
    }
}

fn rules_metrics(screen: &Screen) -> Result<(), Failure> {
    let facts: Vec<_> = Metric::ALL.iter().map(|m| *m.facts()).collect();
    match screen.output {
        // The catalogue knows no time: any will do for its look.
        Output::Table => screen.print(&table::metrics(&facts, &screen.look(Default::default()))),
        Output::Csv => screen.csv(&facts),
        Output::Json => {
            let rows: Vec<_> = facts
                .iter()
                .map(|f| {
                    serde_json::json!({
                        "metric": f.name, "unit": f.unit, "min": f.min, "max": f.max, "meaning": f.meaning,
                        "kind": f.origin(),
                    })
                })
                .collect();
            screen.json(&rows)
        }
    }
}

fn serve_args(args: Serve, token: Option<String>) -> ServeArgs {
    let Serve { config, fleet, rules, data, listen, http, bus } = args;
    ServeArgs { config, fleet, rules, data, listen, http, bus, token: token.filter(|t| !t.is_empty()) }
}

/// Err: another form of output than the timeline's own was asked for.
fn replay_args(args: Replay, output: Option<Output>) -> Result<ReplayArgs, Failure> {
    match output {
        None | Some(Output::Json) => {}
        Some(Output::Table | Output::Csv) => {
            return Err(Failure::usage("replay prints JSON lines only: drop --output, or say --output json"));
        }
    }
    let Replay { file, fleet, rules, until, readings, config, points } = args;
    Ok(ReplayArgs { recording: file, fleet, rules, until, readings, config, points })
}

fn simulate_args(args: Simulate) -> SimulateArgs {
    let Simulate { fleet, broker, speed, scenario, seed, run_for } = args;
    SimulateArgs { fleet, broker, speed, scenario, seed, run_for }
}

#[cfg(test)]
mod tests {
    use super::laid_out;

    #[test]
    fn a_long_error_is_broken_between_words_on_a_terminal_and_stays_one_line_in_a_file() {
        let text = "error: the fields are: unit, name, site, readiness\n  line 3: short\n  line 4: it says far too much for one line";
        assert_eq!(laid_out(text, None), text);
        let wanted = "error: the fields are: unit, name,\n  site, readiness\n  line 3: short\n  line 4: it says far too much for\n    one line";
        assert_eq!(laid_out(text, Some(36)), wanted);
    }
}
