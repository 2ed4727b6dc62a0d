//! What went wrong, as `application/problem+json` (RFC 9457) with a remedy: the only form in which HTTP says no.
//! Never decides whether something is wrong.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::view::AskError;

pub const MEDIA_TYPE: &str = "application/problem+json";

/// The body of every answer with a status of 400 or more, `/readyz` apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// A stable word for programs: `urn:buttonwatch:not-found`.
    #[serde(rename = "type")]
    pub kind: Box<str>,
    pub title: Box<str>,
    pub status: u16,
    /// What happened, in one sentence.
    pub detail: String,
    /// What to do about it.
    pub remedy: String,
    /// All mistakes, when there can be more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    #[serde(skip)]
    header: Option<Header>,
}

/// A header that belongs to a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    WantsBearer,
    RetryAfterSeconds(u16),
}

/// The kinds there are. Stable: programs match on the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    TooLarge,
    UnsupportedMediaType,
    Misdirected,
    Invalid,
    Internal,
    Unavailable,
}

impl Kind {
    pub const fn word(self) -> &'static str {
        match self {
            Kind::BadRequest => "urn:buttonwatch:bad-request",
            Kind::Unauthorized => "urn:buttonwatch:unauthorized",
            Kind::Forbidden => "urn:buttonwatch:forbidden",
            Kind::NotFound => "urn:buttonwatch:not-found",
            Kind::MethodNotAllowed => "urn:buttonwatch:method-not-allowed",
            Kind::Conflict => "urn:buttonwatch:conflict",
            Kind::TooLarge => "urn:buttonwatch:too-large",
            Kind::UnsupportedMediaType => "urn:buttonwatch:unsupported-media-type",
            Kind::Misdirected => "urn:buttonwatch:misdirected",
            Kind::Invalid => "urn:buttonwatch:invalid",
            Kind::Internal => "urn:buttonwatch:internal",
            Kind::Unavailable => "urn:buttonwatch:unavailable",
        }
    }

    pub const fn status(self) -> StatusCode {
        match self {
            Kind::BadRequest => StatusCode::BAD_REQUEST,
            Kind::Unauthorized => StatusCode::UNAUTHORIZED,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Kind::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl Problem {
    pub fn new(kind: Kind, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        let status = kind.status();
        Problem {
            kind: kind.word().into(),
            title: status.canonical_reason().expect("every Kind has a registered status").into(),
            status: status.as_u16(),
            detail: detail.into(),
            remedy: remedy.into(),
            problems: Vec::new(),
            header: None,
        }
    }

    /// All mistakes, where `detail` cannot tell them.
    pub fn with_problems(mut self, problems: Vec<String>) -> Self {
        self.problems = problems;
        self
    }

    pub fn with_header(mut self, header: Header) -> Self {
        self.header = Some(header);
        self
    }

    /// What the service answered with. `where_to_look` is the remedy when the thing asked for is not there.
    pub fn from_refusal(error: AskError, where_to_look: &str) -> Self {
        match error {
            AskError::NotFound(text) => Problem::new(Kind::NotFound, text, where_to_look),
            AskError::Conflict(text) => {
                Problem::new(Kind::Conflict, text, "Look at its present state and history, then ask for what fits it.")
            }
            AskError::Unavailable(text) => {
                Problem::new(Kind::Unavailable, text, "Ask again in a few seconds; GET /readyz says what is missing.")
                    .with_header(Header::RetryAfterSeconds(2))
            }
            AskError::Invalid(problems) => {
                let detail = match problems.as_slice() {
                    [] => "The service refused it without a reason.".to_owned(),
                    [one] => one.clone(),
                    many => format!("{} mistakes; nothing was changed.", many.len()),
                };
                let mut problem =
                    Problem::new(Kind::Invalid, detail, "Correct what `problems` lists, then send it again.");
                problem.problems = problems;
                problem
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        match self.header {
            None => {}
            Some(Header::WantsBearer) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Some(Header::RetryAfterSeconds(seconds)) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
        }
        let body = serde_json::to_vec(&self).expect("a problem is strings and numbers only");
        (status, headers, body).into_response()
    }
}
