//! The crew's pages behind the links in their mails. A GET shows and changes nothing; a POST of the page's own form moves
//! the order on. Owns the refusals; what may follow what is the engine's.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono_tz::Tz;

use crate::domain::view::{Answer, Ask, AskError, LinkUse, OrderView, UnitCard};
use crate::domain::{CrewId, OrderId, OrderMove, Timestamp};
use crate::render::crew_page::{self, Flash};
use crate::render::mail::LocalTime;

use super::links::{BadLink, Links};
use super::{Service, body};

/// A note of 2,000 letters, every one of them percent-encoded Urdu, and some room.
const FORM_BYTES_MAX: usize = 16 * 1024;
const NOTE_CHARS_MAX: usize = 2_000;

/// What the pages need beside the service.
pub struct CrewDoor {
    pub links: Links,
    pub zone_of: Box<dyn Fn(&CrewId) -> Tz + Send + Sync>,
    pub now: fn() -> Timestamp,
}

#[derive(Clone)]
struct Crew {
    service: Arc<dyn Service>,
    door: Arc<CrewDoor>,
}

pub(super) fn router(service: Arc<dyn Service>, door: CrewDoor) -> Router {
    let crew = Crew { service, door: Arc::new(door) };
    Router::new()
        .route("/crew/{order}/{expires}/{signature}", get(show).post(act).fallback(wrong_method))
        .layer(from_fn(receive))
        .with_state(crew)
}

async fn receive(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = match body::read(body, FORM_BYTES_MAX).await {
        Ok(bytes) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Err(_) => {
            plain(StatusCode::PAYLOAD_TOO_LARGE, "The note is too long", "Write a shorter one. Nothing was changed.")
        }
    };
    let headers = response.headers_mut();
    let fixed = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // The address is the key: it must not travel on to the map.
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

type Parts = Path<(String, String, String)>;

async fn show(State(crew): State<Crew>, Path(parts): Parts, RawQuery(query): RawQuery) -> Response {
    let order = match crew.opens(&parts) {
        Ok(order) => order,
        Err(refusal) => return refusal.into_response(),
    };
    // An address that says what to do is not ours: the buttons send a form.
    if query.as_deref().is_some_and(|q| q.split('&').any(|field| field.starts_with("do="))) {
        crew.service.link_used(LinkUse::WrongMethod);
        return nothing_by_address();
    }
    let flash = (query.as_deref() == Some("done")).then_some(Flash::Done);
    crew.page(order, flash, LinkUse::Shown).await
}

async fn act(State(crew): State<Crew>, Path(parts): Parts, form: Bytes) -> Response {
    let order = match crew.opens(&parts) {
        Ok(order) => order,
        Err(refusal) => return refusal.into_response(),
    };
    let mut fields = (None, None, String::new());
    for (name, value) in form_urlencoded::parse(&form) {
        match &*name {
            "do" => fields.0 = Some(value.into_owned()),
            "seen" => fields.1 = value.parse::<usize>().ok(),
            "note" => fields.2 = value.into_owned(),
            _ => {}
        }
    }
    let (Some(to), Some(seen), note) = (fields.0.as_deref().and_then(crew_move), fields.1, fields.2) else {
        crew.service.link_used(LinkUse::Altered);
        return plain(
            StatusCode::BAD_REQUEST,
            "Nothing was changed",
            "What was sent is not what the buttons of this page send. Open the link in your mail and use its buttons.",
        );
    };
    let view = match crew.order(order).await {
        Ok(view) => view,
        Err(refusal) => return refusal.into_response(),
    };
    // Sent a second time, or from a page that was open while others worked: it is shown how things stand instead.
    if seen != view.history.len() {
        crew.service.link_used(LinkUse::Replayed);
        return crew.page_of(view, Some(Flash::ChangedMeanwhile), StatusCode::CONFLICT).await;
    }
    let by = format!("crew {}", view.crew);
    let note: String = note.trim().chars().filter(|c| !c.is_control() || *c == '\n').take(NOTE_CHARS_MAX).collect();
    match crew.service.ask(Ask::SetOrder { order, to, by, note }).await {
        Ok(Answer::Order(_) | Answer::Done) => {
            crew.service.link_used(LinkUse::Moved);
            // A reload shows the page again and sends nothing.
            let (order, expires, signature) = &parts;
            let place = format!("/crew/{order}/{expires}/{signature}?done");
            let place = HeaderValue::from_str(&place).expect("a checked link is plain ASCII");
            (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
        }
        Ok(_) => went_wrong().into_response(),
        Err(AskError::Conflict(_)) => {
            crew.service.link_used(LinkUse::Replayed);
            crew.page_of(view, Some(Flash::ChangedMeanwhile), StatusCode::CONFLICT).await
        }
        Err(error) => refused_by_service(&error).into_response(),
    }
}

async fn wrong_method(State(crew): State<Crew>) -> Response {
    crew.service.link_used(LinkUse::WrongMethod);
    let mut response = nothing_by_address();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
    response
}

/// What the page's buttons can say.
fn crew_move(word: &str) -> Option<OrderMove> {
    match word {
        "acknowledged" => Some(OrderMove::Acknowledged),
        "en-route" => Some(OrderMove::EnRoute),
        "repaired" => Some(OrderMove::Repaired),
        _ => None,
    }
}

impl Crew {
    /// Err: the page that says why not.
    fn opens(&self, (order, expires, signature): &(String, String, String)) -> Result<OrderId, Refusal> {
        let (used, status, title, text) = match self.door.links.check(order, expires, signature, (self.door.now)()) {
            Ok(order) => return Ok(order),
            Err(BadLink::Altered) => (
                LinkUse::Altered,
                StatusCode::NOT_FOUND,
                "This link opens nothing",
                "It is not complete, or it was changed on the way. Open it from the mail itself, or copy all of it.",
            ),
            Err(BadLink::Expired) => (
                LinkUse::Expired,
                StatusCode::GONE,
                "This link is too old",
                "Open the newest mail about this order, or ask the control room.",
            ),
        };
        self.service.link_used(used);
        Err(Refusal { status, title, text: text.to_owned() })
    }

    async fn order(&self, order: OrderId) -> Result<OrderView, Refusal> {
        match self.service.ask(Ask::Order(order)).await {
            Ok(Answer::Order(view)) => Ok(*view),
            Ok(_) => Err(went_wrong()),
            Err(error) => Err(refused_by_service(&error)),
        }
    }

    async fn page(&self, order: OrderId, flash: Option<Flash>, used: LinkUse) -> Response {
        match self.order(order).await {
            Ok(view) => {
                self.service.link_used(used);
                self.page_of(view, flash, StatusCode::OK).await
            }
            Err(refusal) => refusal.into_response(),
        }
    }

    async fn page_of(&self, view: OrderView, flash: Option<Flash>, status: StatusCode) -> Response {
        let mut card: Option<Box<UnitCard>> = None;
        if let Some(unit) = &view.unit
            && let Ok(Answer::Unit(found)) = self.service.ask(Ask::Unit(unit.clone())).await
        {
            card = Some(found);
        }
        let now = (self.door.now)();
        let time = LocalTime::new((self.door.zone_of)(&view.crew), now);
        html(status, crew_page::order(&view, card.as_deref(), &time, now, flash))
    }
}

fn nothing_by_address() -> Response {
    plain(
        StatusCode::BAD_REQUEST,
        "Nothing was changed",
        "An order is moved on with the buttons of its page, never by opening an address.",
    )
}

fn refused_by_service(error: &AskError) -> Refusal {
    let status = match error {
        AskError::NotFound(_) => StatusCode::NOT_FOUND,
        AskError::Invalid(_) => StatusCode::BAD_REQUEST,
        AskError::Conflict(_) => StatusCode::CONFLICT,
        AskError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    Refusal { status, title: "Nothing was changed", text: error.to_string() }
}

fn went_wrong() -> Refusal {
    let text = "Please tell the control room.".to_owned();
    Refusal { status: StatusCode::INTERNAL_SERVER_ERROR, title: "Something went wrong", text }
}

/// A plain page instead of an order's.
struct Refusal {
    status: StatusCode,
    title: &'static str,
    text: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        html(self.status, crew_page::refusal(self.title, &self.text))
    }
}

fn plain(status: StatusCode, title: &'static str, text: &str) -> Response {
    Refusal { status, title, text: text.to_owned() }.into_response()
}

fn html(status: StatusCode, page: String) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))], page).into_response()
}
