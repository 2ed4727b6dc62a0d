//! What stands behind the `?`. A misspelt parameter is refused: `?dryrun=true` must not import.

use axum::http::Uri;

use crate::domain::Timestamp;

use super::problem::{Kind, Problem};

pub struct Question(Vec<(String, String)>);

impl Question {
    pub fn of(uri: &Uri) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(uri).map(|axum::extract::Query(pairs)| Question(pairs)).map_err(|_| {
            Problem::new(Kind::BadRequest, "The part after `?` cannot be read.", "Write it as name=value&name=value.")
        })
    }

    /// The last one counts; all of that name are taken out.
    pub fn take(&mut self, wanted: &str) -> Option<String> {
        let mut found = None;
        self.0.retain_mut(|(name, value)| {
            let hit = name == wanted;
            if hit {
                found = Some(std::mem::take(value));
            }
            !hit
        });
        found
    }

    /// All of them, in their order.
    pub fn take_all(&mut self, wanted: &str) -> Vec<String> {
        let (found, left) = std::mem::take(&mut self.0).into_iter().partition(|(name, _)| name == wanted);
        self.0 = left;
        let found: Vec<(String, String)> = found;
        found.into_iter().map(|(_, value)| value).collect()
    }

    pub fn flag(&mut self, wanted: &str) -> Result<bool, Problem> {
        match self.take(wanted).as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1" | "") => Ok(true),
            Some(other) => Err(Problem::new(
                Kind::BadRequest,
                format!("{wanted} is {other:?}."),
                format!("Write {wanted}=true or {wanted}=false."),
            )),
        }
    }

    pub fn time(&mut self, wanted: &str) -> Result<Option<Timestamp>, Problem> {
        let Some(text) = self.take(wanted) else { return Ok(None) };
        Timestamp::parse(&text).map(Some).ok_or_else(|| {
            Problem::new(
                Kind::BadRequest,
                format!("{wanted} is {text:?}, which is no time."),
                format!("Write {wanted}=2026-11-21T09:00:00Z; a + of an offset is written %2B."),
            )
        })
    }

    pub fn end(self, known: &[&str]) -> Result<(), Problem> {
        let Some((name, _)) = self.0.first() else { return Ok(()) };
        let remedy = if known.is_empty() {
            "Drop it: nothing can be set here.".to_owned()
        } else {
            format!("What can be set here: {}.", known.join(", "))
        };
        Err(Problem::new(Kind::BadRequest, format!("The query has an unknown parameter {name:?}."), remedy))
    }
}
