//! Every path of the API: who may, what it takes, what it answers. docs/api.md says the same in words.

use axum::http::Method;
use axum::routing::{get, post};

use crate::domain::Role;
use crate::domain::explain::Explained;
use crate::domain::on_demand::CommandView;
use crate::domain::outlook::Outlook;
use crate::domain::public_report::PublicReport;
use crate::domain::report::Report;
use crate::domain::view::{
    AlertRow, AvailabilityRow, Health, ImportPlan, IncidentRow, MailView, OrderView, OutboxRow, QuarantineRow,
    RefusalRow, Retried, SeriesView, UnitCard, UnitHistory, UnitRow,
};

use super::api::{self, AcceptBody, Done, MaintenanceBody, RebaselineBody, RetryMailsBody, SetMailBody, SetOrderBody};
use super::commands::{self, CommandBody};
use super::endpoint::{Endpoint, Form};
use super::fleet_file;

const SINCE: &str = "From then until now";

pub fn all() -> Vec<Endpoint> {
    let look = |path, summary, handler| Endpoint::new(Method::GET, path, Role::Viewer, summary, handler);
    let work = |path, summary, handler| Endpoint::new(Method::POST, path, Role::Crew, summary, handler);
    let manage = |path, summary, handler| Endpoint::new(Method::POST, path, Role::Admin, summary, handler);
    vec![
        look("/openapi.json", "This description", get(api::described)).answers::<serde_json::Value>(),
        look("/health", "The service in figures", get(api::health)).answers::<Health>(),
        look("/units", "Units", get(api::units))
            .lists::<UnitRow>()
            .with("near", Form::Text, "Nearest to this place first: 34.0086,71.5743; then without sort")
            .with("readings", Form::Text, "Each row has these readings, too: battery.voltage,link.rssi")
            .with("texts", Form::Text, "Each row has these texts, too: district,address,firmware,alert"),
        look("/units/{unit}", "One unit, whole", get(api::unit)).answers::<UnitCard>(),
        look("/units/{unit}/rules", "How each rule stands for it", get(api::explain)).answers::<Explained>(),
        look("/units/{unit}/history", "How ready it was", get(api::history)).answers::<UnitHistory>().with(
            "since",
            Form::Time,
            SINCE,
        ),
        look("/units/{unit}/series/{metric}", "One of its readings by the hour", get(api::series))
            .answers::<SeriesView>()
            .with("since", Form::Time, SINCE),
        work("/units/{unit}/rebaseline", "Learn anew what was swapped", post(api::rebaseline))
            .takes::<RebaselineBody>()
            .answers::<Done>(),
        look("/units/{unit}/commands", "What was asked of it lately", get(commands::commands))
            .lists_all::<CommandView>(),
        work("/units/{unit}/commands", "Ask it for a self-test, a sign or (admin) a reboot", post(commands::command))
            .takes::<CommandBody>()
            .answers::<CommandView>()
            .only_begins(),
        look("/units/{unit}/commands/{command}", "How far a command is", get(commands::state)).answers::<CommandView>(),
        look("/availability", "For how long each unit was in which state", get(api::availability))
            .lists_all::<AvailabilityRow>()
            .with("since", Form::Time, SINCE),
        look("/outlook", "Which tests are due, and what will fail next", get(api::outlook)).answers::<Outlook>(),
        look("/report", "A period in figures", get(api::report))
            .answers::<Report>()
            .with_required("period", Form::Words(&["daily", "weekly", "monthly"]), "Which")
            .with("until", Form::Time, "As if it were asked then")
            .with("last", Form::Flag, "The last 24 hours, 7 or 30 days instead of whole ones"),
        look("/report/public", "The edition for the public", get(api::public_report)).answers::<PublicReport>(),
        look("/alerts", "Alerts that are pending, firing or inhibited", get(api::alerts)).lists::<AlertRow>(),
        look("/incidents", "Common causes over several units", get(api::incidents)).lists::<IncidentRow>(),
        look("/orders", "Work orders", get(api::orders)).lists::<OrderView>().with(
            "closed",
            Form::Flag,
            "Closed and cancelled ones, too",
        ),
        look("/orders/{order}", "One work order", get(api::order)).answers::<OrderView>(),
        work("/orders/{order}", "Say how far a work order is", post(api::set_order))
            .takes::<SetOrderBody>()
            .answers::<OrderView>(),
        work("/maintenance", "Maintenance of a unit, a site or a crew's units", post(api::maintenance))
            .takes::<MaintenanceBody>()
            .answers::<Done>(),
        look("/quarantine", "Units that were heard but are not in the fleet", get(api::quarantine))
            .lists_all::<QuarantineRow>(),
        manage("/quarantine/{unit}/accept", "Take one of them in", post(api::accept))
            .takes::<AcceptBody>()
            .answers::<UnitCard>(),
        look("/fleet", "The whole fleet as it can be imported", get(fleet_file::export)),
        manage("/fleet", "The whole fleet anew", post(api::import_fleet))
            .takes_csv()
            .answers::<ImportPlan>()
            .with("dry_run", Form::Flag, "Only say what would change")
            .with("by", Form::Text, "Who does it"),
        look("/refusals", "Input that was refused", get(api::refusals)).lists_all::<RefusalRow>(),
        look("/outbox", "Mails and what became of them", get(api::outbox)).lists_all::<OutboxRow>(),
        manage("/outbox", "Try again what was refused", post(api::retry_mails))
            .takes::<RetryMailsBody>()
            .answers::<Retried>(),
        // Its text holds the link with which a crew moves the order on.
        Endpoint::new(Method::GET, "/outbox/{mail}", Role::Admin, "One mail as it goes out", get(api::mail))
            .answers::<MailView>(),
        manage("/outbox/{mail}", "Try a mail now, or never", post(api::set_mail))
            .takes::<SetMailBody>()
            .answers::<MailView>(),
    ]
}
