//! The API's paths: who may use each, what it takes and answers. The router and the OpenAPI document are made of the same
//! list, so neither can know a path that the other does not.

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::domain::{Caller, Role};

use super::api::Api;
use super::problem::{Kind, Problem};

/// One method of one path below `/api/v1`.
pub struct Endpoint {
    pub method: Method,
    pub path: &'static str,
    /// The least that may.
    pub role: Role,
    pub summary: &'static str,
    pub parameters: Vec<Parameter>,
    pub takes: Takes,
    pub answers: Answers,
    /// When it is carried out.
    pub status: StatusCode,
    handler: MethodRouter<Api>,
}

/// What stands behind the `?`.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    pub name: &'static str,
    pub meaning: &'static str,
    pub form: Form,
    pub required: bool,
}

#[derive(Debug, Clone, Copy)]
pub enum Form {
    Text,
    /// May be given several times.
    Texts,
    Flag,
    Time,
    Count {
        most: usize,
    },
    Words(&'static [&'static str]),
}

type Describe = fn(&mut SchemaGenerator) -> Schema;

pub enum Takes {
    Nothing,
    Json(Describe),
    Csv,
}

pub enum Answers {
    Json(Describe),
    /// A page of these.
    List(Describe),
    /// All of these at once.
    Whole(Describe),
    Csv,
}

impl Endpoint {
    pub fn new(
        method: Method,
        path: &'static str,
        role: Role,
        summary: &'static str,
        handler: MethodRouter<Api>,
    ) -> Endpoint {
        let (takes, answers) = (Takes::Nothing, Answers::Csv);
        Endpoint {
            method,
            path,
            role,
            summary,
            parameters: Vec::new(),
            takes,
            answers,
            status: StatusCode::OK,
            handler,
        }
    }

    pub fn answers<T: JsonSchema>(mut self) -> Self {
        self.answers = Answers::Json(|g| g.subschema_for::<T>());
        self
    }

    /// A list in pages, with the parameters of all lists.
    pub fn lists<T: JsonSchema>(mut self) -> Self {
        self.answers = Answers::List(|g| g.subschema_for::<T>());
        self.parameters.extend(super::list::described());
        self
    }

    /// A list that is never long enough for pages.
    pub fn lists_all<T: JsonSchema>(mut self) -> Self {
        self.answers = Answers::Whole(|g| g.subschema_for::<T>());
        self
    }

    /// It is begun, and goes on by itself.
    pub fn only_begins(mut self) -> Self {
        self.status = StatusCode::ACCEPTED;
        self
    }

    pub fn takes<T: JsonSchema>(mut self) -> Self {
        self.takes = Takes::Json(|g| g.subschema_for::<T>());
        self
    }

    pub fn takes_csv(mut self) -> Self {
        self.takes = Takes::Csv;
        self
    }

    pub fn with(mut self, name: &'static str, form: Form, meaning: &'static str) -> Self {
        self.parameters.push(Parameter { name, meaning, form, required: false });
        self
    }

    pub fn with_required(mut self, name: &'static str, form: Form, meaning: &'static str) -> Self {
        self.parameters.push(Parameter { name, meaning, form, required: true });
        self
    }
}

/// All of them, each open to those only who may.
pub fn route(endpoints: Vec<Endpoint>) -> Router<Api> {
    endpoints.into_iter().fold(Router::new(), |router, endpoint| {
        let least = endpoint.role;
        let guarded = endpoint.handler.layer(from_fn(move |request, next| check_role(least, request, next)));
        router.route(endpoint.path, guarded)
    })
}

async fn check_role(least: Role, request: Request, next: Next) -> Response {
    match request.extensions().get::<Caller>() {
        Some(caller) if caller.role >= least => next.run(request).await,
        Some(caller) => not_for(caller.role, least).into_response(),
        // Nobody gets here without passing the guard.
        None => Problem::new(Kind::Unauthorized, "Who asks is not known.", "Send a token.").into_response(),
    }
}

pub fn not_for(role: Role, least: Role) -> Problem {
    Problem::new(
        Kind::Forbidden,
        format!("Your token is of the role {role}; this needs {least}."),
        "Ask the operator for a token of that role: `[[http.token]]` in buttonwatch.toml says who has which.",
    )
}
