//! `units/{unit}/commands`: something is asked of a unit, and how far that is. Never waits for the unit: whoever wants to
//! know asks again.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::message::Do;
use crate::domain::view::Ask;
use crate::domain::{Caller, Component, Role, UnitId};

use super::api::{
    Api, Asked, Instruction, NAME_CHARS_MAX, NAME_PATTERN, OnePath, TwoPaths, UNITS, ask, ask_list, id, name, unit_and,
};
use super::endpoint::not_for;
use super::problem::Problem;
use super::question::Question;

const COMMANDS: &str = "GET /api/v1/units/{unit}/commands lists what was asked of the unit lately.";

/// `POST units/{unit}/commands`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandBody {
    #[serde(rename = "do")]
    pub act: Do,
    /// Of a self-test; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
    /// The unit must have begun by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 5, max = 86_400))]
    pub within_s: Option<u32>,
    #[schemars(extend("minLength" = 1, "maxLength" = NAME_CHARS_MAX, "pattern" = NAME_PATTERN))]
    pub by: String,
}

pub(super) async fn command(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    path: OnePath,
    uri: Uri,
    request: Instruction,
) -> Result<Response, Problem> {
    Question::of(&uri)?.end(&[])?;
    let unit = id(path, UnitId::parse, UNITS)?;
    let CommandBody { act, components, within_s, by } =
        request.json(r#"{"do":"selftest","components":["camera"],"within_s":600,"by":"name"}"#)?;
    if let (Do::Reboot, Role::Viewer | Role::Crew) = (act, caller.role) {
        return Err(not_for(caller.role, Role::Admin));
    }
    let by = name(&by)?;
    let within = within_s.map(|s| Duration::from_secs(s.into()));
    let mut response = ask(api, Ask::Command { unit, act, components, within, by }, UNITS).await;
    if response.status() == StatusCode::OK {
        // It is kept and on its way; whether the unit does it is told by its state.
        *response.status_mut() = StatusCode::ACCEPTED;
    }
    Ok(response)
}

pub(super) async fn commands(State(api): State<Api>, path: OnePath, asked: Asked) -> Result<Response, Problem> {
    Question::of(&asked.uri)?.end(&[])?;
    let unit = id(path, UnitId::parse, UNITS)?;
    Ok(ask_list(api, Ask::Commands(unit), UNITS, &asked).await)
}

pub(super) async fn state(State(api): State<Api>, path: TwoPaths, uri: Uri) -> Result<Response, Problem> {
    Question::of(&uri)?.end(&[])?;
    let (unit, command) = unit_and(path)?;
    Ok(ask(api, Ask::CommandState { unit, command }, COMMANDS).await)
}
