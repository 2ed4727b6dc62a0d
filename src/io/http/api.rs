//! Paths ↔ `domain::view::{Ask, Answer}`, one to one. Never answers from its own knowledge: the service does.

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, OriginalUri, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::spelling::{nearest, quoted};
use crate::domain::report::ReportSpan;
use crate::domain::series::NoSeries;
use crate::domain::view::{Answer, Ask, MailMove};
use crate::domain::{
    Caller, City, Component, CrewId, InvalidId, MaintenanceScope, MessageId, OrderId, OrderMove, Role, SeriesName,
    SiteId, Timestamp, UnitId,
};

use super::Service;
use super::body::{self, CSV_BYTES_MAX, JSON_BYTES_MAX};
use super::endpoint::{not_for, route};
use super::guard::{Guard, content_type};
use super::list::{self, check_also, check_list, render_page, render_whole};
use super::problem::{Header, Kind, Problem};
use super::question::Question;
use super::{openapi, paths};

/// The service answers from memory in milliseconds. Longer than this and it is stuck: better said than waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
pub(super) const NAME_CHARS_MAX: usize = 80;
/// What `name` takes, for the description.
pub(super) const NAME_PATTERN: &str = r"^[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
const NOTE_CHARS_MAX: usize = 2_000;

pub(super) const UNITS: &str = "GET /api/v1/units lists the units there are.";
const ORDERS: &str = "GET /api/v1/orders?closed=true lists the orders there are.";
const QUARANTINED: &str = "GET /api/v1/quarantine lists the units that wait to be accepted.";
const MAILS: &str = "GET /api/v1/outbox lists the mails there are.";
const PLACES: &str = "GET /api/v1/units lists the units with their sites and crews.";
pub(super) const PATHS: &str = "The paths are /healthz, /readyz, /metrics, /public, /public.json, /public.csv and, under /api/v1: units, units/{unit}, units/{unit}/rules, units/{unit}/history, units/{unit}/series/{metric}, \
                     units/{unit}/rebaseline, units/{unit}/commands, units/{unit}/commands/{command}, availability, outlook, report, report/public, alerts, incidents, \
                     orders, orders/{order}, quarantine, quarantine/{unit}/accept, refusals, outbox, outbox/{mail}, health, \
                     maintenance, fleet. docs/api.md describes them.";

#[derive(Clone)]
pub(super) struct Api {
    service: Arc<dyn Service>,
    guard: Arc<Guard>,
}

pub fn router(service: Arc<dyn Service>, guard: Arc<Guard>) -> Router {
    let api = Api { service, guard };
    let v1 = route(paths::all());
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .nest("/api/v1", v1)
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(api.clone(), receive))
        .with_state(api)
}

/// Everything goes through here: the guard first, then the whole body, then the path.
async fn receive(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let admitted = api.guard.admit(&parts.method, &parts.uri, &parts.headers);
    let max = match (&admitted, content_type(&parts.headers).as_deref()) {
        (Err(_), _) => 0,
        (Ok(_), Some("text/csv")) => CSV_BYTES_MAX,
        (Ok(_), Some(_) | None) => JSON_BYTES_MAX,
    };
    let body = body::read(body, max).await;
    let mut response = match (admitted, body) {
        (Err(problem), _) | (Ok(_), Err(problem)) => problem.into_response(),
        (Ok(caller), Ok(bytes)) => {
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, Body::from(bytes))).await
        }
    };
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn unknown_path(uri: Uri) -> Problem {
    Problem::new(Kind::NotFound, format!("There is nothing at {}.", uri.path()), PATHS)
}

async fn wrong_method(request: Request) -> Problem {
    let detail = format!("{} cannot be done at {}.", request.method(), request.uri().path());
    Problem::new(Kind::MethodNotAllowed, detail, "The Allow header of this answer says what can; see docs/api.md.")
}

async fn healthz() -> &'static str {
    "ok\n"
}

/// What `/readyz` says.
#[derive(Serialize)]
struct Ready {
    ready: bool,
    reasons: Vec<String>,
}

async fn readyz(State(api): State<Api>) -> Response {
    match on_the_side(move || api.service.ready()).await {
        Ok(Ok(())) => json(StatusCode::OK, &Ready { ready: true, reasons: Vec::new() }),
        Ok(Err(reasons)) => json(StatusCode::SERVICE_UNAVAILABLE, &Ready { ready: false, reasons }),
        Err(problem) => problem.into_response(),
    }
}

async fn metrics(State(api): State<Api>) -> Response {
    match on_the_side(move || api.service.metrics()).await {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// Not on the threads that serve connections: a gathering of 10,000 series, or a lock, would hold them up.
async fn on_the_side<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|_| broken())
}

fn broken() -> Problem {
    Problem::new(
        Kind::Internal,
        "The service failed while it answered. This is a mistake in Buttonwatch.",
        "Report it with the service's log of this minute.",
    )
}

fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(_) => broken().into_response(),
    }
}

/// An instruction was carried out and has nothing to show.
#[derive(Serialize, JsonSchema)]
pub(super) struct Done {
    done: bool,
}

pub(super) async fn ask(api: Api, ask: Ask, where_to_look: &'static str) -> Response {
    match answer(api, ask, where_to_look).await {
        Ok(answer) => answer_json(&answer),
        Err(problem) => problem.into_response(),
    }
}

/// The address and the head of a request for a list.
pub(super) struct Asked {
    pub(super) uri: Uri,
    headers: HeaderMap,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // The whole address, also below a nested router.
        let uri =
            parts.extensions.get::<OriginalUri>().map_or_else(|| parts.uri.clone(), |OriginalUri(uri)| uri.clone());
        Ok(Asked { uri, headers: parts.headers.clone() })
    }
}

pub(super) async fn ask_list(api: Api, ask: Ask, where_to_look: &'static str, asked: &Asked) -> Response {
    let page = |answer: &Answer| match answer {
        Answer::Units(page) => render_page(page, &asked.uri, &asked.headers),
        Answer::Alerts(page) => render_page(page, &asked.uri, &asked.headers),
        Answer::Incidents(page) => render_page(page, &asked.uri, &asked.headers),
        Answer::Orders(page) => render_page(page, &asked.uri, &asked.headers),
        Answer::Availability(rows) => render_whole(rows, &asked.headers),
        Answer::Quarantine(rows) => render_whole(rows, &asked.headers),
        Answer::Refusals(rows) => render_whole(rows, &asked.headers),
        Answer::Outbox(rows) => render_whole(rows, &asked.headers),
        Answer::Commands(rows) => render_whole(rows, &asked.headers),
        other => answer_json(other),
    };
    match answer(api, ask, where_to_look).await {
        Ok(answer) => page(&answer),
        Err(problem) => problem.into_response(),
    }
}

pub(super) async fn answer(api: Api, ask: Ask, where_to_look: &'static str) -> Result<Answer, Problem> {
    // A task of its own: an instruction is carried out whole though the client hangs up, and a panic stays in there.
    let asked = tokio::spawn(async move { api.service.ask(ask).await });
    match tokio::time::timeout(ANSWER_WITHIN, asked).await {
        Ok(Ok(Ok(answer))) => Ok(answer),
        Ok(Ok(Err(error))) => Err(Problem::from_refusal(error, where_to_look)),
        Ok(Err(_)) => Err(broken()),
        Err(_) => Err(Problem::new(
            Kind::Unavailable,
            format!("The service did not answer within {} s.", ANSWER_WITHIN.as_secs()),
            "It may still do what was asked: look before you ask again. The log says what it is busy with.",
        )
        .with_header(Header::RetryAfterSeconds(30))),
    }
}

pub(super) fn answer_json(answer: &Answer) -> Response {
    match answer {
        Answer::Health(a) => json(StatusCode::OK, a),
        Answer::Overview(a) => json(StatusCode::OK, a),
        Answer::Rules(a) => json(StatusCode::OK, a),
        Answer::Units(a) => json(StatusCode::OK, &a.items),
        Answer::Unit(a) => json(StatusCode::OK, a),
        Answer::Explained(a) => json(StatusCode::OK, a),
        Answer::History(a) => json(StatusCode::OK, a),
        Answer::Series(a) => json(StatusCode::OK, a),
        Answer::Availability(a) => json(StatusCode::OK, a),
        Answer::Outlook(a) => json(StatusCode::OK, a),
        Answer::Report(a) => json(StatusCode::OK, a),
        Answer::PublicReport(a) => json(StatusCode::OK, a),
        Answer::Alerts(a) => json(StatusCode::OK, &a.items),
        Answer::Incidents(a) => json(StatusCode::OK, &a.items),
        Answer::Orders(a) => json(StatusCode::OK, &a.items),
        Answer::Order(a) => json(StatusCode::OK, a),
        Answer::Quarantine(a) => json(StatusCode::OK, a),
        Answer::Import(a) => json(StatusCode::OK, a),
        Answer::Refusals(a) => json(StatusCode::OK, a),
        Answer::Outbox(a) => json(StatusCode::OK, a),
        Answer::Mail(a) => json(StatusCode::OK, a),
        Answer::Fleet(a) => json(StatusCode::OK, a),
        Answer::Command(a) => json(StatusCode::OK, a),
        Answer::Commands(a) => json(StatusCode::OK, a),
        Answer::Retried(a) => json(StatusCode::OK, a),
        Answer::Done => json(StatusCode::OK, &Done { done: true }),
    }
}

/// Made once: it says the same for as long as the program runs.
pub(super) async fn described() -> Response {
    static DOCUMENT: LazyLock<Vec<u8>> =
        LazyLock::new(|| serde_json::to_vec(&openapi::document(&paths::all())).unwrap_or_default());
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_slice()).into_response()
}

pub(super) async fn health(State(api): State<Api>, uri: Uri) -> Result<Response, Problem> {
    Question::of(&uri)?.end(&[])?;
    Ok(ask(api, Ask::Health, PATHS).await)
}
pub(super) async fn units(State(api): State<Api>, asked: Asked) -> Result<Response, Problem> {
    let mut question = Question::of(&asked.uri)?;
    let mut query = check_list(&mut question)?;
    query.also = check_also(&mut question)?;
    if let Some(place) = list::check_near(&mut question, query.sort.is_some())? {
        query = query.near(place);
    }
    question.end(&[&list::PARAMETERS[..], &["near", "readings", "texts"]].concat())?;
    Ok(ask_list(api, Ask::Units(query), PATHS, &asked).await)
}
pub(super) async fn unit(State(api): State<Api>, path: OnePath, uri: Uri) -> Result<Response, Problem> {
    Question::of(&uri)?.end(&[])?;
    let unit = id(path, UnitId::parse, UNITS)?;
    Ok(ask(api, Ask::Unit(unit), UNITS).await)
}
pub(super) async fn explain(State(api): State<Api>, path: OnePath, uri: Uri) -> Result<Response, Problem> {
    Question::of(&uri)?.end(&[])?;
    let unit = id(path, UnitId::parse, UNITS)?;
    Ok(ask(api, Ask::Explain(unit), UNITS).await)
}
pub(super) async fn history(State(api): State<Api>, path: OnePath, uri: Uri) -> Result<Response, Problem> {
    let mut query = Question::of(&uri)?;
    let since = query.time("since")?;
    query.end(&["since"])?;
    let unit = id(path, UnitId::parse, UNITS)?;
    Ok(ask(api, Ask::History { unit, since }, UNITS).await)
}
pub(super) async fn series(State(api): State<Api>, path: TwoPaths, uri: Uri) -> Result<Response, Problem> {
    let mut query = Question::of(&uri)?;
    let since = query.time("since")?;
    query.end(&["since"])?;
    let (unit, metric) = unit_and(path)?;
    let metric = metric.parse().map_err(|why| no_series(&metric, &why))?;
    Ok(ask(api, Ask::Series { unit, metric, since }, UNITS).await)
}
fn no_series(text: &str, why: &NoSeries) -> Problem {
    let known: Vec<String> = SeriesName::known().map(|name| name.to_string()).collect();
    let meant = nearest(text, known.iter().map(String::as_str));
    let remedy = match meant {
        Some(name) => format!("Did you mean {name}?"),
        None => format!("Name one of: {}, or a vendor's own, x.NAME.", known.join(", ")),
    };
    Problem::new(Kind::NotFound, format!("There are no readings of {}: {why}.", quoted(text)), remedy)
}
pub(super) async fn availability(State(api): State<Api>, asked: Asked) -> Result<Response, Problem> {
    let mut query = Question::of(&asked.uri)?;
    let since = query.time("since")?;
    query.end(&["since"])?;
    Ok(ask_list(api, Ask::Availability { since }, PATHS, &asked).await)
}
pub(super) async fn outlook(State(api): State<Api>, uri: Uri) -> Result<Response, Problem> {
    Question::of(&uri)?.end(&[])?;
    Ok(ask(api, Ask::Outlook, PATHS).await)
}
pub(super) async fn report(State(api): State<Api>, uri: Uri) -> Result<Response, Problem> {
    let mut query = Question::of(&uri)?;
    let (period, until, last) = (query.take("period"), query.time("until")?, query.flag("last")?);
    query.end(&["period", "until", "last"])?;
    let period = period.as_deref().and_then(|p| p.parse().ok()).ok_or_else(|| {
        let detail = match period {
            Some(other) => format!("period is {other:?}."),
            None => "Which period was not said.".to_owned(),
        };
        Problem::new(Kind::BadRequest, detail, "Write period=daily, period=weekly or period=monthly.")
    })?;
    Ok(ask(api, Ask::Report(ReportSpan { period, until, last }), PATHS).await)
}
pub(super) async fn public_report(State(api): State<Api>, uri: Uri) -> Result<Response, Problem> {
    Question::of(&uri)?.end(&[])?;
    Ok(ask(api, Ask::PublicReport, PATHS).await)
}
pub(super) async fn alerts(State(api): State<Api>, asked: Asked) -> Result<Response, Problem> {
    let mut question = Question::of(&asked.uri)?;
    let query = check_list(&mut question)?;
    question.end(&list::PARAMETERS)?;
    Ok(ask_list(api, Ask::Alerts(query), PATHS, &asked).await)
}
pub(super) async fn incidents(State(api): State<Api>, asked: Asked) -> Result<Response, Problem> {
    let mut question = Question::of(&asked.uri)?;
    let query = check_list(&mut question)?;
    question.end(&list::PARAMETERS)?;
    Ok(ask_list(api, Ask::Incidents(query), PATHS, &asked).await)
}
pub(super) async fn orders(State(api): State<Api>, asked: Asked) -> Result<Response, Problem> {
    let mut question = Question::of(&asked.uri)?;
    let closed_too = question.flag("closed")?;
    let query = check_list(&mut question)?;
    question.end(&[&list::PARAMETERS[..], &["closed"]].concat())?;
    Ok(ask_list(api, Ask::Orders { closed_too, query }, PATHS, &asked).await)
}
pub(super) async fn order(State(api): State<Api>, path: OnePath, uri: Uri) -> Result<Response, Problem> {
    Question::of(&uri)?.end(&[])?;
    let order = id(path, OrderId::parse, ORDERS)?;
    Ok(ask(api, Ask::Order(order), ORDERS).await)
}
pub(super) async fn quarantine(State(api): State<Api>, asked: Asked) -> Result<Response, Problem> {
    Question::of(&asked.uri)?.end(&[])?;
    Ok(ask_list(api, Ask::Quarantine, QUARANTINED, &asked).await)
}
pub(super) async fn refusals(State(api): State<Api>, asked: Asked) -> Result<Response, Problem> {
    Question::of(&asked.uri)?.end(&[])?;
    Ok(ask_list(api, Ask::Refusals, PATHS, &asked).await)
}
pub(super) async fn outbox(State(api): State<Api>, asked: Asked) -> Result<Response, Problem> {
    Question::of(&asked.uri)?.end(&[])?;
    Ok(ask_list(api, Ask::Outbox, PATHS, &asked).await)
}

pub(super) async fn mail(State(api): State<Api>, path: OnePath, uri: Uri) -> Result<Response, Problem> {
    Question::of(&uri)?.end(&[])?;
    let mail = id(path, MessageId::parse_typed, MAILS)?;
    Ok(ask(api, Ask::Mail(mail), MAILS).await)
}

/// `POST outbox/{mail}`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetMailBody {
    pub set: MailMove,
    #[schemars(extend("minLength" = 1, "maxLength" = NAME_CHARS_MAX, "pattern" = NAME_PATTERN))]
    pub by: String,
}

pub(super) async fn set_mail(
    State(api): State<Api>,
    path: OnePath,
    uri: Uri,
    request: Instruction,
) -> Result<Response, Problem> {
    Question::of(&uri)?.end(&[])?;
    let mail = id(path, MessageId::parse_typed, MAILS)?;
    let body: SetMailBody = request.json(r#"{"set":"waiting","by":"name"}"#)?;
    let by = name(&body.by)?;
    Ok(ask(api, Ask::SetMail { mail, to: body.set, by }, MAILS).await)
}

/// `POST outbox`: all that were refused.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryMailsBody {
    pub retry: RefusedMails,
    #[schemars(extend("minLength" = 1, "maxLength" = NAME_CHARS_MAX, "pattern" = NAME_PATTERN))]
    pub by: String,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RefusedMails {
    Refused,
}

pub(super) async fn retry_mails(State(api): State<Api>, uri: Uri, request: Instruction) -> Result<Response, Problem> {
    Question::of(&uri)?.end(&[])?;
    let body: RetryMailsBody = request.json(r#"{"retry":"refused","by":"name"}"#)?;
    let by = name(&body.by)?;
    Ok(ask(api, Ask::RetryMails { by }, MAILS).await)
}

/// `POST orders/{order}`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetOrderBody {
    pub set: OrderMove,
    #[schemars(extend("minLength" = 1, "maxLength" = NAME_CHARS_MAX, "pattern" = NAME_PATTERN))]
    pub by: String,
    #[serde(default)]
    pub note: String,
}

pub(super) async fn set_order(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    path: OnePath,
    uri: Uri,
    request: Instruction,
) -> Result<Response, Problem> {
    Question::of(&uri)?.end(&[])?;
    let order = id(path, OrderId::parse, ORDERS)?;
    let body: SetOrderBody = request.json(r#"{"set":"acknowledged","by":"name","note":"optional"}"#)?;
    // A crew says what it did; that a fault need not be repaired is not a crew's to say.
    if body.set == OrderMove::Cancelled && caller.role < Role::Admin {
        return Err(not_for(caller.role, Role::Admin));
    }
    let (by, note) = (name(&body.by)?, note(body.note)?);
    Ok(ask(api, Ask::SetOrder { order, to: body.set, by, note }, ORDERS).await)
}

/// `POST maintenance`: one of `unit`, `site` and `crew`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<UnitId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crew: Option<CrewId>,
    pub until: Timestamp,
    #[schemars(extend("minLength" = 1, "maxLength" = NAME_CHARS_MAX, "pattern" = NAME_PATTERN))]
    pub by: String,
}

pub(super) async fn maintenance(State(api): State<Api>, uri: Uri, request: Instruction) -> Result<Response, Problem> {
    Question::of(&uri)?.end(&[])?;
    let example = r#"{"site":"Jinnah Park","until":"2026-11-21T14:00:00+05:00","by":"name"}"#;
    let body: MaintenanceBody = request.json(example)?;
    let by = name(&body.by)?;
    let scope = match (body.unit, body.site, body.crew) {
        (Some(unit), None, None) => MaintenanceScope::Unit(unit),
        (None, Some(site), None) => MaintenanceScope::Site(site),
        (None, None, Some(crew)) => MaintenanceScope::Crew(crew),
        (unit, site, crew) => {
            let given = usize::from(unit.is_some()) + usize::from(site.is_some()) + usize::from(crew.is_some());
            return Err(Problem::new(
                Kind::BadRequest,
                format!("Maintenance is for one unit, one site or one crew; {given} were named."),
                format!("Send one of them: {example}"),
            ));
        }
    };
    Ok(ask(api, Ask::Maintenance { scope, until: body.until, by }, PLACES).await)
}

/// `POST units/{unit}/rebaseline`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RebaselineBody {
    /// None: everything that is learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<Component>,
    #[schemars(extend("minLength" = 1, "maxLength" = NAME_CHARS_MAX, "pattern" = NAME_PATTERN))]
    pub by: String,
}

pub(super) async fn rebaseline(
    State(api): State<Api>,
    path: OnePath,
    uri: Uri,
    request: Instruction,
) -> Result<Response, Problem> {
    Question::of(&uri)?.end(&[])?;
    let unit = id(path, UnitId::parse, UNITS)?;
    let RebaselineBody { component, by } = request.json(r#"{"component":"camera","by":"name"}"#)?;
    let by = name(&by)?;
    Ok(ask(api, Ask::Rebaseline { unit, component, by }, UNITS).await)
}

/// `POST quarantine/{unit}/accept`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptBody {
    pub site: SiteId,
    pub crew: CrewId,
    pub city: City,
    #[schemars(extend("minLength" = 1, "maxLength" = NAME_CHARS_MAX, "pattern" = NAME_PATTERN))]
    pub by: String,
}

pub(super) async fn accept(
    State(api): State<Api>,
    path: OnePath,
    uri: Uri,
    request: Instruction,
) -> Result<Response, Problem> {
    Question::of(&uri)?.end(&[])?;
    let unit = id(path, UnitId::parse, QUARANTINED)?;
    let example = r#"{"site":"Jinnah Park","crew":"saddar","city":"Peshawar","by":"name"}"#;
    let AcceptBody { site, crew, city, by } = request.json(example)?;
    let by = name(&by)?;
    Ok(ask(api, Ask::Accept { unit, site, crew, city, by }, QUARANTINED).await)
}

pub(super) async fn import_fleet(State(api): State<Api>, uri: Uri, request: Instruction) -> Result<Response, Problem> {
    let mut query = Question::of(&uri)?;
    let dry_run = query.flag("dry_run")?;
    let by = query.take("by");
    query.end(&["dry_run", "by"])?;
    let by = match by {
        Some(by) => name(&by)?,
        // Nothing is changed, so nobody need stand for it.
        None if dry_run => String::new(),
        None => {
            return Err(Problem::new(
                Kind::BadRequest,
                "Who changes the fleet was not said.",
                "Add by=NAME to the query: POST /api/v1/fleet?by=NAME, or try it with dry_run=true first.",
            ));
        }
    };
    let csv = request.csv()?;
    Ok(ask(api, Ask::ImportFleet { csv, dry_run, by }, PATHS).await)
}

pub(super) type OnePath = Result<Path<String>, PathRejection>;
pub(super) type TwoPaths = Result<Path<(String, String)>, PathRejection>;

/// `{unit}/…/{what}`
pub(super) fn unit_and(path: TwoPaths) -> Result<(UnitId, String), Problem> {
    let (unit, what) = match path {
        Ok(Path((unit, what))) => (Ok(Path(unit)), what),
        Err(rejection) => (Err(rejection), String::new()),
    };
    Ok((id(unit, UnitId::parse, UNITS)?, what))
}

pub(super) fn id<T>(
    path: OnePath,
    parse: impl FnOnce(&str) -> Result<T, InvalidId>,
    where_to_look: &'static str,
) -> Result<T, Problem> {
    let bad = |detail: String| Problem::new(Kind::BadRequest, detail, where_to_look);
    let Path(text) = path.map_err(|_| bad("The path is not UTF-8.".to_owned()))?;
    parse(&text).map_err(|e| bad(format!("{e}.")))
}

pub(super) fn name(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > NAME_CHARS_MAX || text.chars().any(char::is_control) {
        return Err(Problem::new(
            Kind::BadRequest,
            "`by` does not name a person.",
            format!("Write who does this in 1 to {NAME_CHARS_MAX} characters."),
        ));
    }
    Ok(text.to_owned())
}

fn note(text: String) -> Result<String, Problem> {
    let text = text.trim();
    if text.chars().count() > NOTE_CHARS_MAX || text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Err(Problem::new(
            Kind::BadRequest,
            "The note is too long, or holds control characters.",
            format!("Write at most {NOTE_CHARS_MAX} characters of plain text."),
        ));
    }
    Ok(text.to_owned())
}

/// The body of a POST, with the type it was sent as.
pub(super) struct Instruction {
    media_type: String,
    bytes: Bytes,
}

impl<S: Send + Sync> axum::extract::FromRequest<S> for Instruction {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let media_type = content_type(request.headers()).unwrap_or_default();
        let bytes = body::read(request.into_body(), CSV_BYTES_MAX).await?;
        Ok(Instruction { media_type, bytes })
    }
}

impl Instruction {
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self, example: &str) -> Result<T, Problem> {
        self.check_type("application/json")?;
        serde_json::from_slice(&self.bytes).map_err(|error| {
            Problem::new(
                Kind::BadRequest,
                format!("The body is not the JSON that belongs here: {error}."),
                format!("Send something like {example}"),
            )
        })
    }

    fn csv(self) -> Result<String, Problem> {
        self.check_type("text/csv")?;
        String::from_utf8(self.bytes.into()).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..at].iter().filter(|b| **b == b'\n').count() + 1;
            Problem::new(
                Kind::BadRequest,
                format!("The file is not UTF-8: line {line} has a byte that belongs to no character."),
                "Save the sheet as \"CSV UTF-8\" and send it again. Nothing was changed.",
            )
        })
    }

    fn check_type(&self, wanted: &str) -> Result<(), Problem> {
        if self.media_type == wanted {
            return Ok(());
        }
        Err(Problem::new(
            Kind::UnsupportedMediaType,
            format!("The body's Content-Type is {:?}.", self.media_type),
            format!("Send `Content-Type: {wanted}` here."),
        ))
    }
}
