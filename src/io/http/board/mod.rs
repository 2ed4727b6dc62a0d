//! The board: pages for people, at plain addresses. Owns the routes, who is let in, and what a browser is told besides the
//! page: cookies, headers, errors as pages. Never answers from its own knowledge (it asks the [`Service`]), and never writes
//! HTML: `render::board` does.
//!
//! Without scripts everything works by links and forms. A form is taken when it comes from our own page: the browser says
//! so (`Origin`, `Sec-Fetch-Site`), and it carries a token that only a page of ours could read.

mod assets;
mod events;
mod forms;
mod lists;
mod pages;
pub mod sessions;
mod visit;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono_tz::Tz;
use tokio::sync::watch;

use crate::domain::overview::{Overview, Part};
use crate::domain::view::{Answer, Ask, AskError};
use crate::domain::{Caller, City, CrewId, Timestamp};
use crate::render::board::{Board, Flash, Frame, Look, Problem as ProblemPage, Reader, Trouble, View, Words};

use super::guard::{Guard, check_host, check_origin, content_type};
use super::{Service, body};
use events::Events;
use sessions::Sessions;
use visit::{CHOICE_LASTS, LANGUAGE, LOOK, SESSION, Visit, cookie, fields, own_path, set_cookie};

/// A note of 2,000 letters, every one of them percent-encoded Urdu, and some room.
const FORM_BYTES_MAX: usize = 32 * 1024;
/// As the API: longer than this and the service is stuck.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Names of cities and crews change when a fleet file is read: lists to choose from may lag behind.
const NAMES_LAST: Duration = Duration::from_secs(30);
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What the board needs beside the service.
pub struct BoardDoor {
    pub words: Words,
    /// Whose clock the pages show.
    pub zone: Tz,
    pub sessions: Sessions,
    /// Without tokens only this machine may look, and whoever does may do everything.
    pub guard: Arc<Guard>,
    pub now: fn() -> Timestamp,
    /// Ends what listens when the service stops.
    pub closing: watch::Receiver<bool>,
}

/// Shared by all requests.
pub(super) struct Rooms {
    service: Arc<dyn Service>,
    board: Board,
    zone: Tz,
    sessions: Sessions,
    guard: Arc<Guard>,
    now: fn() -> Timestamp,
    events: Events,
    names: Mutex<Option<(Instant, Arc<Names>)>>,
}

type Hall = Arc<Rooms>;

/// What there is to choose from.
#[derive(Default)]
struct Names {
    cities: Vec<City>,
    crews: Vec<CrewId>,
}

/// Why there is no page: what to show instead.
struct Refusal {
    trouble: Trouble,
    detail: String,
}

impl Refusal {
    fn new(trouble: Trouble, detail: impl Into<String>) -> Self {
        Refusal { trouble, detail: detail.into() }
    }
}

impl From<AskError> for Refusal {
    fn from(error: AskError) -> Self {
        let trouble = match &error {
            AskError::NotFound(_) => Trouble::NotFound,
            AskError::Invalid(_) => Trouble::Invalid,
            AskError::Conflict(_) => Trouble::Conflict,
            AskError::Unavailable(_) => Trouble::Unavailable,
        };
        Refusal::new(trouble, error.to_string())
    }
}

pub(super) fn hall(service: Arc<dyn Service>, door: BoardDoor) -> Hall {
    let BoardDoor { words, zone, sessions, guard, now, closing } = door;
    let (board, events) = (Board::new(words), Events::new(closing));
    Arc::new(Rooms { service, board, zone, sessions, guard, now, events, names: Mutex::default() })
}

pub(super) fn router(hall: &Hall) -> Router {
    Router::new()
        .route("/", get(pages::home))
        .route("/units", get(lists::units))
        .route("/units/{unit}", get(pages::unit))
        .route("/units/{unit}/command", post(forms::command))
        .route("/units/{unit}/maintenance", post(forms::maintenance))
        .route("/orders", get(lists::orders))
        .route("/orders/{order}", get(pages::order).post(forms::order))
        .route("/incidents", get(lists::incidents))
        .route("/alerts", get(lists::alerts))
        .route("/rules", get(pages::rules))
        .route("/sign-in", get(forms::sign_in_page).post(forms::sign_in))
        .route("/sign-out", post(forms::sign_out))
        .route("/look", get(forms::look))
        .route("/events", get(pages::events))
        .route("/assets/{file}", get(assets::asset))
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(hall), receive))
        .with_state(Arc::clone(hall))
}

async fn wrong_method(State(hall): State<Hall>, visit: Visit) -> Response {
    hall.refuse(&visit, &Refusal::new(Trouble::WrongMethod, ""))
}

/// Everything of the board goes through here: the whole body, who it is, where the form comes from, then the page.
async fn receive(State(hall): State<Hall>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let visit = hall.visit(&parts.uri, &parts.headers);
    let read = body::read(body, FORM_BYTES_MAX).await;
    let admitted = match read {
        Err(_) => Err(Box::new(hall.refuse(&visit, &Refusal::new(Trouble::TooLarge, "")))),
        Ok(bytes) => hall.admit(&parts.method, &parts.uri, &parts.headers, &visit, &bytes).map(|()| bytes),
    };
    let mut response = match admitted {
        Ok(bytes) => {
            parts.extensions.insert(visit.clone());
            next.run(Request::from_parts(parts, Body::from(bytes))).await
        }
        Err(instead) => *instead,
    };
    // A language that was asked for by the address stays.
    if !visit.field("lang").is_empty() && visit.path != "/look" {
        let choice = set_cookie(LANGUAGE, &visit.language.code, CHOICE_LASTS, visit.is_https);
        response.headers_mut().append(header::SET_COOKIE, choice);
    }
    finish(response.headers_mut());
    response
}

fn finish(headers: &mut HeaderMap) {
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Other addresses that a browser asks for: an error in words, or the way to sign in. Programs get what they got.
pub(super) async fn people(State(hall): State<Hall>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_program =
        ["/api/", "/metrics", "/healthz", "/readyz", "/public", "/crew/"].iter().any(|p| path.starts_with(p));
    let wants_page =
        request.headers().get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"));
    if is_program || !wants_page {
        return next.run(request).await;
    }
    let visit = hall.visit(request.uri(), request.headers());
    let response = next.run(request).await;
    let is_ours = response.headers().contains_key(header::CONTENT_SECURITY_POLICY);
    let mut page = match response.status() {
        StatusCode::UNAUTHORIZED if visit.caller.is_none() => to_sign_in(&visit),
        StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED if !is_ours => {
            hall.refuse(&visit, &Refusal::new(Trouble::NotFound, ""))
        }
        _ => return response,
    };
    finish(page.headers_mut());
    page
}

fn to_sign_in(visit: &Visit) -> Response {
    let to = visit.address();
    see_other(&crate::render::board::link("/sign-in", [("to", if to == "/" { "" } else { to.as_str() })]))
}

fn see_other(place: &str) -> Response {
    let place = HeaderValue::try_from(place).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
}

impl Rooms {
    fn visit(&self, uri: &Uri, headers: &HeaderMap) -> Visit {
        let fields = fields(uri.query().unwrap_or_default());
        let session = cookie(headers, SESSION);
        let (caller, is_signed_in) = if self.guard.wants_token() {
            let signed_in = self.sessions.caller(session, &self.guard, (self.now)());
            let is_signed_in = signed_in.is_some();
            (signed_in.or_else(|| by_header(&self.guard, headers)), is_signed_in)
        } else {
            (Some(Caller::LOCAL), false)
        };
        let words = &self.board.words;
        let asked = fields.iter().rfind(|(name, _)| name == "lang").map_or("", |(_, code)| code.as_str());
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let language = words
            .find(asked)
            .or_else(|| words.find(cookie(headers, LANGUAGE)))
            .or_else(|| words.accepted(accepted))
            .unwrap_or_else(|| words.english());
        Visit {
            caller,
            is_signed_in,
            bound_to: if is_signed_in { session.to_owned() } else { String::new() },
            language,
            look: cookie(headers, LOOK).parse().unwrap_or(Look::Auto),
            path: uri.path().to_owned(),
            fields,
            is_https: headers.get("x-forwarded-proto").is_some_and(|v| v.as_bytes() == b"https"),
        }
    }

    /// Err: what is shown instead.
    fn admit(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        visit: &Visit,
        form: &Bytes,
    ) -> Result<(), Box<Response>> {
        let refuse = |trouble: Trouble, detail: &str| Err(Box::new(self.refuse(visit, &Refusal::new(trouble, detail))));
        if !self.guard.wants_token()
            && let Err(problem) = check_host(uri, headers)
        {
            return refuse(Trouble::Misdirected, &problem.detail);
        }
        let is_open = matches!(visit.path.as_str(), "/sign-in" | "/look") || visit.path.starts_with("/assets/");
        if visit.caller.is_none() && !is_open {
            return Err(Box::new(match visit.path.as_str() {
                "/events" => (StatusCode::UNAUTHORIZED, "Sign in first.\n").into_response(),
                _ if *method == Method::GET => to_sign_in(visit),
                // What the form wanted is lost, but nothing was done.
                _ => see_other("/sign-in"),
            }));
        }
        if *method == Method::GET || *method == Method::HEAD {
            return Ok(());
        }
        if let Err(problem) = check_origin(uri, headers) {
            return refuse(Trouble::Foreign, &problem.detail);
        }
        if content_type(headers).as_deref() != Some("application/x-www-form-urlencoded") {
            return refuse(Trouble::Invalid, "What was sent is not the form of a page.");
        }
        let given = form_urlencoded::parse(form).find(|(name, _)| name == "token");
        if given.is_some_and(|(_, token)| self.sessions.is_form_token(&visit.bound_to, &token)) {
            return Ok(());
        }
        Err(Box::new(self.refuse_with(visit, &Refusal::new(Trouble::Foreign, ""), flash(true, "form-old", ""))))
    }

    /// A task of its own: an instruction is carried out whole though the browser hangs up, and a mistake stays in there.
    async fn ask(&self, ask: Ask) -> Result<Answer, Refusal> {
        let service = Arc::clone(&self.service);
        let asked = tokio::spawn(async move { service.ask(ask).await });
        match tokio::time::timeout(ANSWER_WITHIN, asked).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(error))) => Err(error.into()),
            Ok(Err(_)) => Err(Refusal::new(Trouble::Internal, "")),
            Err(_) => Err(Refusal::new(Trouble::Unavailable, "")),
        }
    }

    async fn overview(&self, part: Part) -> Result<Overview, Refusal> {
        match self.ask(Ask::Overview(part)).await? {
            Answer::Overview(overview) => Ok(*overview),
            _ => Err(other_answer()),
        }
    }

    async fn names(&self) -> Result<Arc<Names>, Refusal> {
        let kept = self.names.lock().unwrap_or_else(|e| e.into_inner()).clone();
        if let Some((_, names)) = kept.filter(|(at, _)| at.elapsed() < NAMES_LAST) {
            return Ok(names);
        }
        let Overview { cities, crews, .. } = self.overview(Part::default()).await?;
        let names = Arc::new(Names { cities: cities.into_iter().map(|c| c.city).collect(), crews });
        *self.names.lock().unwrap_or_else(|e| e.into_inner()) = Some((Instant::now(), Arc::clone(&names)));
        Ok(names)
    }

    fn reader(&self, visit: &Visit) -> Reader {
        Reader { language: Arc::clone(&visit.language), zone: self.zone, now: (self.now)() }
    }

    fn page(&self, visit: &Visit, status: StatusCode, view: &View<'_>, flash: Option<Flash>) -> Response {
        let frame = Frame {
            reader: self.reader(visit),
            look: visit.look,
            path: visit.path.clone(),
            address: own_path(&visit.address()).to_owned(),
            caller: visit.caller.clone(),
            is_signed_in: visit.is_signed_in,
            form_token: self.sessions.form_token(&visit.bound_to),
            assets: assets::addresses(),
            flash: flash.or_else(|| said(visit.field("said"))),
        };
        match self.board.page(view, &frame) {
            Ok(html) => (status, [(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))], html)
                .into_response(),
            Err(error) => {
                tracing::error!("a page of the board could not be written: {error:#}");
                (StatusCode::INTERNAL_SERVER_ERROR, "The page could not be written; the log says why.\n")
                    .into_response()
            }
        }
    }

    fn refuse(&self, visit: &Visit, refusal: &Refusal) -> Response {
        self.refuse_with(visit, refusal, None)
    }

    fn refuse_with(&self, visit: &Visit, refusal: &Refusal, flash: Option<Flash>) -> Response {
        let (_, _, status) = refusal.trouble.said();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let page = ProblemPage { trouble: refusal.trouble, detail: &refusal.detail, back: None };
        let mut response = self.page(visit, status, &View::Problem(page), flash);
        if refusal.trouble == Trouble::Unavailable {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }

    fn or_refuse(&self, visit: &Visit, page: Result<Response, Refusal>) -> Response {
        page.unwrap_or_else(|refusal| self.refuse(visit, &refusal))
    }
}

fn other_answer() -> Refusal {
    Refusal::new(Trouble::Internal, "")
}

/// A program with a token may look at pages, too.
fn by_header(guard: &Guard, headers: &HeaderMap) -> Option<Caller> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let (caller, _) = guard.caller_with(token).filter(|_| scheme.eq_ignore_ascii_case("bearer"))?;
    Some(caller)
}

fn flash(is_bad: bool, key: &'static str, text: &str) -> Option<Flash> {
    Some(Flash { is_bad, key, text: text.to_owned() })
}

/// What a page says after a form sent the reader there. Nothing else can be put into its mouth.
fn said(word: &str) -> Option<Flash> {
    let key = ["done-order", "done-maintenance", "done-maintenance-ended", "done-command", "signed-out"]
        .into_iter()
        .find(|key| *key == word)?;
    flash(false, key, "")
}
