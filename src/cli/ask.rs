//! The commands that ask a running service and show what it says.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::query::check_query;
use crate::domain::public_report::PublicReport;
use crate::domain::query::{AlertField, Field, IncidentField, OrderField, UnitField};
use crate::domain::report::{Report, ReportPeriod};
use crate::domain::view::{
    AlertRow, AvailabilityRow, GroupAvailability, ImportPlan, IncidentRow, MailMove, MailView, OrderView, OutboxRow,
    QuarantineRow, RefusalRow, Retried, SeriesView, UnitCard, UnitHistory, UnitRow,
};
use crate::domain::{Component, MaintenanceScope, MessageId, SeriesName, Timestamp, UnitId};
use crate::io::http::{
    AcceptBody, CSV_BYTES_MAX, MaintenanceBody, RebaselineBody, RefusedMails, RetryMailsBody, SetMailBody, SetOrderBody,
};
use crate::render::table::{self, PlanLine, PublicLine, ReportLine};
use crate::render::{public_page, report_page};

use super::arguments::{
    Accept, Availability, By, Listing, Maintenance, OrdersVerb, Outbox, OutboxVerb, Output, Picking, ReportArgs,
    WhichReport, Who,
};
use super::card::{self, Card};
use super::client::{Answered, Client};
use super::exit::{Exit, Failure};
use super::filter::{Filter, pick};
use super::list;
use super::progress::Waiting;
use super::screen::Screen;

pub(super) type Done = Result<(), Failure>;

/// Mistakes are told before the service is asked.
fn listed<F: Field, T: DeserializeOwned>(
    client: &Client,
    path: &str,
    listing: &Listing,
    more: &[(&str, &str)],
) -> Result<Answered<Vec<T>>, Failure> {
    let sort = listing.sort.as_deref();
    check_query::<F>(&listing.filters, sort).map_err(|problems| Failure::usage(problems.join("\n")))?;
    let filters = listing.filters.iter().map(|f| ("filter", f.as_str()));
    let query: Vec<(&str, &str)> = filters.chain(sort.map(|s| ("sort", s))).chain(more.iter().copied()).collect();
    client.get_list(path, &query)
}

pub fn fleet_list(client: &Client, screen: &Screen, listing: &Listing) -> Done {
    let columns = listing.shown.check::<UnitRow>(screen)?;
    let also = list::also(&columns);
    let more: Vec<(&str, &str)> = also.iter().map(|(what, names)| (*what, names.as_str())).collect();
    let fetch = || listed::<UnitField, UnitRow>(client, "units", listing, &more);
    // Without a filter, no row means no fleet, and all of it is looked over.
    let table = if listing.filters.is_empty() { table::all_units } else { table::found_units };
    list::show(screen, &listing.shown, &columns, fetch, table)
}

/// `all`: also what a short terminal has no room for.
pub fn fleet_show(client: &Client, screen: &Screen, unit: &UnitId, all: bool) -> Done {
    match screen.output {
        Output::Table => {
            let Answered { value: Card { card, days }, now } = card::fetch(client, unit)?;
            let look = screen.look(now);
            screen.print(&match screen.lines().filter(|_| !all) {
                // One line is for the prompt.
                Some(lines) => {
                    let how = format!("buttonwatch fleet show {unit} --all");
                    table::unit_card_within(lines - 1, &how, &card, &days, &look)
                }
                None => table::unit_card(&card, &days, &look),
            })
        }
        Output::Json => screen.json(&client.get::<UnitCard>(&format!("units/{unit}"))?.value),
        Output::Csv => screen.csv(&[client.get::<UnitCard>(&format!("units/{unit}"))?.value]),
    }
}

pub fn fleet_history(client: &Client, screen: &Screen, unit: &UnitId, since: Duration) -> Done {
    let from = client.now()? - since;
    let history = client.get::<UnitHistory>(&format!("units/{unit}/history?since={from}"))?;
    match screen.output {
        Output::Table => screen.print(&table::unit_history(&history.value, &screen.look(history.now))),
        Output::Json => screen.json(&history.value),
        Output::Csv => screen.csv(&history.value.stretches),
    }
}

pub fn fleet_series(client: &Client, screen: &Screen, unit: &UnitId, metric: &SeriesName, since: Duration) -> Done {
    let from = client.now()? - since;
    let series = client.get::<SeriesView>(&format!("units/{unit}/series/{metric}?since={from}"))?;
    match screen.output {
        Output::Table => screen.print(&table::series(&series.value, &screen.look(series.now))),
        Output::Json => screen.json(&series.value),
        Output::Csv => screen.csv(&series.value.points),
    }
}

pub fn fleet_availability(client: &Client, screen: &Screen, args: Availability) -> Done {
    let from = client.now()? - args.since;
    let units = client.get::<Vec<AvailabilityRow>>(&format!("availability?since={from}"))?;
    let rows = pick(units.value, &args.filters).map_err(Failure::usage)?;
    let (title, name): (&str, fn(&AvailabilityRow) -> &str) = match args.by {
        By::City => ("CITY", |r| r.row.city.as_str()),
        By::SiteType => ("SITE TYPE", |r| &r.row.site_type),
        By::Crew => ("CREW", |r| r.row.crew.as_str()),
        By::Unit => ("UNIT", |r| r.row.unit.as_str()),
    };
    let mut groups: BTreeMap<&str, Vec<&AvailabilityRow>> = BTreeMap::new();
    for row in &rows {
        groups.entry(name(row)).or_default().push(row);
    }
    let groups: Vec<_> = groups.into_iter().map(|(name, rows)| GroupAvailability::sum(name, rows)).collect();
    screen.rows(&groups, || table::availability(title, &groups, args.since, &screen.look(units.now)))
}

pub fn fleet_rebaseline(
    client: &Client,
    screen: &Screen,
    unit: &UnitId,
    component: Option<Component>,
    who: &Who,
) -> Done {
    let body = RebaselineBody { component, by: name(who) };
    let done = client.post_json::<Value>(&format!("units/{unit}/rebaseline"), &body)?;
    told(screen, &done.value, || match component {
        Some(Component::Battery) => format!(
            "{unit}: what its battery showed when new is forgotten; the next power cuts and self-tests are the new measure."
        ),
        Some(one) => format!(
            "{unit}: what its {one} showed when new is forgotten; the next passing self-tests are the new measure."
        ),
        None => format!(
            "{unit}: what all its parts showed when new is forgotten; the next passing self-tests and power cuts are \
             the new measure."
        ),
    })
}

pub fn quarantine(client: &Client, screen: &Screen, picking: &Picking) -> Done {
    let all = client.get::<Vec<QuarantineRow>>("quarantine")?;
    let rows = pick(all.value, &picking.filters).map_err(Failure::usage)?;
    screen.rows(&rows, || table::quarantine(&rows, &screen.look(all.now)))
}

pub fn alerts(client: &Client, screen: &Screen, listing: &Listing) -> Done {
    let columns = listing.shown.check::<AlertRow>(screen)?;
    let fetch = || listed::<AlertField, AlertRow>(client, "alerts", listing, &[]);
    list::show(screen, &listing.shown, &columns, fetch, table::alerts)
}

pub fn incidents(client: &Client, screen: &Screen, listing: &Listing) -> Done {
    let columns = listing.shown.check::<IncidentRow>(screen)?;
    let fetch = || listed::<IncidentField, IncidentRow>(client, "incidents", listing, &[]);
    list::show(screen, &listing.shown, &columns, fetch, table::incidents)
}

pub fn refusals(client: &Client, screen: &Screen, picking: &Picking) -> Done {
    let all = client.get::<Vec<RefusalRow>>("refusals")?;
    let rows = pick(all.value, &picking.filters).map_err(Failure::usage)?;
    screen.rows(&rows, || table::refusals(&rows, &screen.look(all.now)))
}

/// `outbox` alone lists all of it.
pub fn outbox(client: &Client, screen: &Screen, outbox: &Outbox) -> Done {
    let path = |mail: &MessageId| format!("outbox/{}", utf8_percent_encode(mail.bare(), NON_ALPHANUMERIC));
    let list = |all: bool, filters: &[Filter]| {
        let rows = client.get::<Vec<OutboxRow>>("outbox")?;
        let now = rows.now;
        let shown = rows.value.into_iter().filter(|row| all || row.state != "sent").collect();
        let rows = pick(shown, filters).map_err(Failure::usage)?;
        screen.rows(&rows, || table::outbox(&rows, &screen.look(now)))
    };
    let Some(verb) = &outbox.verb else { return list(true, &outbox.filters) };
    match verb {
        OutboxVerb::List { all, picking } => list(*all, &picking.filters),
        OutboxVerb::Show { mail } => {
            let mail = client.get::<MailView>(&path(mail))?;
            screen.one(&mail.value, || table::mail(&mail.value, &screen.look(mail.now)))
        }
        OutboxVerb::Retry { mail: Some(mail), who, .. } => {
            let body = SetMailBody { set: MailMove::Waiting, by: name(who) };
            let done = client.post_json::<Value>(&path(mail), &body)?;
            told(screen, &done.value, || format!("{} is tried now; `outbox show` says what became of it.", mail.bare()))
        }
        OutboxVerb::Retry { mail: None, who, .. } => {
            let body = RetryMailsBody { retry: RefusedMails::Refused, by: name(who) };
            let done = client.post_json::<Retried>("outbox", &body)?;
            let value = serde_json::to_value(done.value).unwrap_or_default();
            told(screen, &value, || match done.value.retried {
                0 => "No mail was refused.".to_owned(),
                n => format!("{n} refused mails are tried now; `outbox list` says what became of them."),
            })
        }
        OutboxVerb::Drop { mail, who } => {
            let body = SetMailBody { set: MailMove::Dropped, by: name(who) };
            let done = client.post_json::<Value>(&path(mail), &body)?;
            told(screen, &done.value, || format!("{} is dropped: it will not be sent.", mail.bare()))
        }
    }
}

pub fn orders(client: &Client, screen: &Screen, verb: &OrdersVerb) -> Done {
    match verb {
        OrdersVerb::List { all, listing } => {
            let closed = [("closed", if *all { "true" } else { "false" })];
            let columns = listing.shown.check::<OrderView>(screen)?;
            let fetch = || listed::<OrderField, OrderView>(client, "orders", listing, &closed);
            list::show(screen, &listing.shown, &columns, fetch, table::order_list)
        }
        OrdersVerb::Show { order } => {
            let order = client.get::<OrderView>(&format!("orders/{order}"))?;
            screen.one(&order.value, || table::order_detail(&order.value, &screen.look(order.now)))
        }
        OrdersVerb::Set { order, state, note, who } => {
            let body = SetOrderBody { set: *state, by: name(who), note: note.clone() };
            // The service may answer with the order as it is now, or only that it is done.
            let done = client.post_json::<Value>(&format!("orders/{order}"), &body)?;
            told(screen, &done.value, || format!("{order} is now {state}."))
        }
        OrdersVerb::Preview(_) | OrdersVerb::Templates { .. } => unreachable!("`carry_out` asks no service for these"),
    }
}

pub fn report(client: &Client, screen: &Screen, args: &ReportArgs) -> Done {
    let period = match args.which {
        WhichReport::Daily => ReportPeriod::Daily,
        WhichReport::Weekly => ReportPeriod::Weekly,
        WhichReport::Monthly => ReportPeriod::Monthly,
        WhichReport::Public => return public_report(client, screen, args),
    };
    let mut path = format!("report?period={period}");
    if args.last {
        path.push_str("&last=true");
    }
    if let Some(until) = args.until {
        let until = until.resolve(screen.zone, client.now()?).map_err(Failure::usage)?;
        path.push_str(&format!("&until={until}"));
    }
    let report = client.get::<Report>(&path)?;
    if let Some(path) = &args.html {
        return write_page(screen, path, &report_page::page(&report.value, screen.zone));
    }
    match screen.output {
        Output::Table => screen.print(&table::report(&report.value, &screen.look(report.now))),
        Output::Json => screen.json(&report.value),
        Output::Csv => screen.csv(&ReportLine::of(&report.value)),
    }
}

fn public_report(client: &Client, screen: &Screen, args: &ReportArgs) -> Done {
    if args.last || args.until.is_some() {
        return Err(Failure::usage("an edition for the public has a fixed period: drop --last and --until"));
    }
    let report = client.get::<PublicReport>("report/public")?;
    if let Some(path) = &args.html {
        return write_page(screen, path, &public_page::page(&report.value));
    }
    match screen.output {
        Output::Table => screen.print(&table::public_report(&report.value, &screen.look(report.now))),
        Output::Json => screen.json(&report.value),
        Output::Csv => screen.csv(&PublicLine::of(&report.value)),
    }
}

fn write_page(screen: &Screen, path: &Path, page: &str) -> Done {
    if path.as_os_str() == "-" {
        return screen.print(page);
    }
    let failed = |e| Failure::failed(format!("{}: {e}; name a file that can be written", path.display()));
    std::fs::write(path, page).map_err(failed)
}

pub fn maintenance(client: &Client, screen: &Screen, args: &Maintenance) -> Done {
    let now = client.now()?;
    let until = match (args.until, args.lasts) {
        (Some(until), _) => until.resolve(screen.zone, now).map_err(Failure::usage)?,
        (None, Some(span)) => now + span,
        // Before anything the service knows: over at once, whatever its clock says this second.
        (None, None) => Timestamp::MIN,
    };
    if until <= now && !args.over {
        return Err(Failure::usage(format!(
            "maintenance cannot end at {until}: that time is past. To end it now, say --over"
        )));
    }
    let (unit, site, crew) = (args.unit.clone(), args.site.clone(), args.crew.clone());
    let scope = match (&unit, &site, &crew) {
        (Some(unit), _, _) => MaintenanceScope::Unit(unit.clone()).to_string(),
        (None, Some(site), _) => MaintenanceScope::Site(site.clone()).to_string(),
        (None, None, Some(crew)) => MaintenanceScope::Crew(crew.clone()).to_string(),
        (None, None, None) => return Err(Failure::usage("say --unit, --site or --crew")),
    };
    let body = MaintenanceBody { unit, site, crew, until, by: name(&args.who) };
    let done = client.post_json::<Value>("maintenance", &body)?;
    let look = screen.look(now);
    told(screen, &done.value, || {
        if args.over {
            format!("Maintenance of {scope} is over.")
        } else {
            format!("Maintenance of {scope} until {}.", table::local_and_age(&look, until))
        }
    })
}

pub fn fleet_accept(client: &Client, screen: &Screen, accept: &Accept) -> Done {
    let Accept { unit, site, crew, city, who } = accept;
    let body = AcceptBody { site: site.clone(), crew: crew.clone(), city: city.clone(), by: name(who) };
    let done = client.post_json::<Value>(&format!("quarantine/{unit}/accept"), &body)?;
    told(screen, &done.value, || format!("{unit} is in the fleet now, at {site}, with crew {crew}."))
}

pub fn fleet_import(client: &Client, screen: &Screen, file: &Path, dry_run: bool, who: &Who) -> Done {
    let bytes = read_file(file)?;
    let by = name(who);
    let query = [("dry_run", if dry_run { "true" } else { "false" }), ("by", by.as_str())];
    let waiting = Waiting::on("the service compares and takes in the units");
    let plan = client.post::<ImportPlan>("fleet", &query, "text/csv", &bytes);
    drop(waiting);
    let plan = plan?;
    match screen.output {
        Output::Table => screen.print(&table::import_plan(&plan.value, &screen.look(plan.now))),
        Output::Json => screen.json(&plan.value),
        Output::Csv => screen.csv(&PlanLine::of(&plan.value)),
    }
}

pub fn fleet_export(client: &Client, screen: &Screen, file: &Path) -> Done {
    match screen.output {
        Output::Table | Output::Csv => {}
        Output::Json => return Err(Failure::usage("the fleet file is CSV: drop --output, or ask `fleet list`")),
    }
    let csv = client.get_text("fleet")?;
    if file.as_os_str() == "-" {
        return screen.print(&csv);
    }
    let shown = file.display();
    // The one that is there may be what somebody is working on.
    let mut new = File::create_new(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::failed(format!("{shown} is there already: name a new file")),
        _ => Failure::failed(format!("{shown}: {error}; name a file that can be written")),
    })?;
    let written = std::io::Write::write_all(&mut new, csv.as_bytes());
    written.and_then(|()| new.sync_all()).map_err(|error| Failure::failed(format!("{shown}: {error}")))
}

/// Err: it cannot be read, or is larger than the service takes.
fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let shown = path.display();
    let cannot = |error: std::io::Error| {
        let exit = if error.kind() == std::io::ErrorKind::NotFound { Exit::Usage } else { Exit::Failed };
        Failure::new(exit, format!("cannot read {shown}: {error}"))
    };
    let mut bytes = Vec::new();
    let most = CSV_BYTES_MAX as u64 + 1;
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(cannot)?;
    } else {
        File::open(path).map_err(cannot)?.take(most).read_to_end(&mut bytes).map_err(cannot)?;
    }
    if bytes.len() > CSV_BYTES_MAX {
        return Err(Failure::failed(format!("{shown} is larger than 16 MiB: is it a fleet file?")));
    }
    Ok(bytes)
}

/// A sentence for people, the service's own answer for programs.
fn told(screen: &Screen, answer: &Value, sentence: impl FnOnce() -> String) -> Done {
    match screen.output {
        Output::Table => screen.print(&(sentence() + "\n")),
        Output::Json => screen.json(answer),
        Output::Csv => Ok(()),
    }
}

pub(super) fn name(who: &Who) -> String {
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.trim().is_empty());
    who.by
        .clone()
        .or_else(|| set("BUTTONWATCH_BY"))
        .or_else(|| set("USER"))
        .or_else(|| set("LOGNAME"))
        .or_else(|| set("USERNAME"))
        .unwrap_or_else(|| "cli".to_owned())
}
