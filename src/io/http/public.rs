//! The public's edition as a page, as JSON and as CSV: for everyone, under any name, without a token. Serves nothing else,
//! takes nothing in, and never knows more than the edition says.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::domain::public_report::PublicReport;
use crate::domain::view::{Answer, Ask};
use crate::render::public_page;
use crate::render::table::{PublicLine, csv};

use super::Service;
use super::problem::{Kind, Problem};

/// An edition changes once a period; a shared cache may keep it for an hour.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=3600");
/// What went wrong may be right the next time.
const NOT_CACHED: HeaderValue = HeaderValue::from_static("no-store");

pub(super) fn router(service: Arc<dyn Service>) -> Router {
    Router::new()
        .route("/public", get(page).fallback(wrong_method))
        .route("/public.json", get(json).fallback(wrong_method))
        .route("/public.csv", get(rows).fallback(wrong_method))
        .layer(from_fn(finish))
        .with_state(service)
}

async fn finish(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let cached = if response.status().is_success() { CACHED } else { NOT_CACHED };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, cached);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"),
    );
    response
}

type Asked = State<Arc<dyn Service>>;

async fn page(State(service): Asked) -> Result<Response, Problem> {
    let edition = edition(service).await?;
    Ok(of_type("text/html; charset=utf-8", public_page::page(&edition)))
}

async fn json(State(service): Asked) -> Result<Response, Problem> {
    let edition = edition(service).await?;
    let text = serde_json::to_string(&edition).map_err(|_| unavailable())?;
    Ok(of_type("application/json", text))
}

async fn rows(State(service): Asked) -> Result<Response, Problem> {
    let edition = edition(service).await?;
    Ok(of_type("text/csv; charset=utf-8", csv(&PublicLine::of(&edition))))
}

async fn wrong_method() -> Problem {
    Problem::new(Kind::MethodNotAllowed, "The public report can only be read.", "Send GET.")
}

/// A stranger hears that there is none now, and nothing of why.
async fn edition(service: Arc<dyn Service>) -> Result<PublicReport, Problem> {
    // A task of its own: a mistake in it is not the connection's end.
    let asked = tokio::spawn(async move { service.ask(Ask::PublicReport).await }).await;
    match asked {
        Ok(Ok(Answer::PublicReport(edition))) => Ok(*edition),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the public report could not be made");
            Err(unavailable())
        }
        Ok(Ok(_)) | Err(_) => Err(unavailable()),
    }
}

fn unavailable() -> Problem {
    Problem::new(Kind::Unavailable, "The report cannot be had at the moment.", "Try again in some minutes.")
}

fn of_type(media_type: &'static str, body: String) -> Response {
    (StatusCode::OK, [(header::CONTENT_TYPE, media_type)], body).into_response()
}
