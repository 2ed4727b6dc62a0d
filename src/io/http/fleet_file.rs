//! `GET fleet`: the whole fleet as the file from which it can be imported again. Never reads one: `POST fleet` does.

use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};

use crate::config::fleet::write_fleet;
use crate::domain::view::{Answer, Ask};

use super::api::{Api, PATHS, answer, answer_json};
use super::problem::Problem;
use super::question::Question;

pub(super) async fn export(State(api): State<Api>, uri: Uri) -> Result<Response, Problem> {
    Question::of(&uri)?.end(&[])?;
    match answer(api, Ask::Fleet, PATHS).await? {
        Answer::Fleet(units) => {
            let head = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"fleet.csv\""),
            ];
            Ok((head, write_fleet(&units)).into_response())
        }
        other => Ok(answer_json(&other)),
    }
}
