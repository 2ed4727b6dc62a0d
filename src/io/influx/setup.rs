//! Makes InfluxDB 2 ready: buckets with their retention, mappings for InfluxQL, and the tasks that thin history out. Safe to
//! run again; it never removes a bucket, and never shortens what is kept unless it is told to.

use std::fmt;
use std::time::Duration;

use influxdb2::api::buckets::ListBucketsRequest;
use influxdb2::api::organization::ListOrganizationRequest;
use influxdb2::models::retention_rule::Type;
use influxdb2::models::{Bucket as Found, PostBucketRequest, RetentionRule};
use influxdb2::{Client, RequestError};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;

use super::downsample::{DOWNSAMPLINGS, Downsampling};
use super::verdict::{message, reason};
use super::{InfluxError, InfluxServer, build, http_client};
use crate::domain::span_text;

const DAY_SECONDS: i32 = 86_400;

/// Word of the bucket, and how long it keeps its points. The first is where InfluxQL looks when no policy is named.
const BUCKETS: [(&str, i32); 4] =
    [("raw", 30 * DAY_SECONDS), ("5m", 180 * DAY_SECONDS), ("1h", 1095 * DAY_SECONDS), ("events", 730 * DAY_SECONDS)];

#[derive(Debug, Clone, Copy, Default)]
pub struct SetupOptions {
    /// Nothing is changed.
    pub dry_run: bool,
    /// Buckets that keep their points longer than need be are shortened, which deletes points.
    pub shorten: bool,
}

/// What was done, or with `dry_run` would be done, about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// `organization`, `bucket`, `InfluxQL`, `task`.
    pub what: &'static str,
    pub name: String,
    pub done: Done,
    pub detail: String,
    pub dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Done {
    Made,
    Changed,
    AlreadyThere,
    /// Not as it would be made, but the operator may want it so.
    Left,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = match (self.done, self.dry_run) {
            (Done::Made, false) => "made",
            (Done::Made, true) => "would be made",
            (Done::Changed, false) => "changed",
            (Done::Changed, true) => "would be changed",
            (Done::AlreadyThere, _) => "there already",
            (Done::Left, _) => "left as it is",
        };
        write!(f, "{:13} {:24} {done}", self.what, self.name)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

/// Why it ended before its end. What was done until then stays.
#[derive(Debug, Error)]
pub enum SetupError {
    #[error(transparent)]
    Settings(#[from] InfluxError),
    #[error("{url} does not answer: {why}; look whether InfluxDB runs, and at the address")]
    Unreachable { url: String, why: String },
    #[error(
        "{url} does not answer as InfluxDB 2 does ({why}); InfluxDB 1 and 3 need no setup of this kind: make the database \
             and its retention policies there"
    )]
    NotInfluxDb { url: String, why: String },
    #[error(
        "InfluxDB does not know the token (401 {said}); make one in InfluxDB (Load Data, API Tokens) and put it into the \
             token file"
    )]
    UnknownToken { said: String },
    #[error(
        "the token may not {doing} (403 {said}); setup needs an All Access token of the organization. The service itself \
             needs only one that may read and write the buckets"
    )]
    NoRight { doing: String, said: String },
    #[error(
        "there is no organization {org:?}, or the token belongs to another one; `influx org list` shows their names"
    )]
    NoOrganization { org: String },
    #[error("InfluxDB answers {status} to {doing}: {said}; look at its own log")]
    Refused { doing: String, status: u16, said: String },
}

/// Tells each step when it is done.
pub async fn setup(server: &InfluxServer, options: SetupOptions, mut tell: impl FnMut(Step)) -> Result<(), SetupError> {
    let office = Office::new(server, options)?;
    let org = office.organization().await?;
    tell(office.step("organization", &server.org, Done::AlreadyThere, ""));
    for (word, seconds) in BUCKETS {
        tell(office.bucket(&org, word, seconds).await?);
    }
    for (word, _) in BUCKETS {
        tell(office.mapping(&org, word, word == BUCKETS[0].0).await?);
    }
    for task in &DOWNSAMPLINGS {
        tell(office.task(&org, task).await?);
    }
    Ok(())
}

/// InfluxDB's management.
struct Office<'a> {
    server: &'a InfluxServer,
    options: SetupOptions,
    client: Client,
    http: reqwest::Client,
    base: reqwest::Url,
}

impl Office<'_> {
    fn new(server: &InfluxServer, options: SetupOptions) -> Result<Office<'_>, SetupError> {
        let client = build(http_client(server)?, server)?;
        let http = http_client(server)?.build();
        let http = http.map_err(|e| SetupError::Settings(InfluxError::Client { why: reason(e) }))?;
        Ok(Office { server, options, client, http, base: super::checked_url(&server.url)? })
    }

    fn step(&self, what: &'static str, name: &str, done: Done, detail: &str) -> Step {
        Step { what, name: name.to_owned(), done, detail: detail.to_owned(), dry_run: self.options.dry_run }
    }

    fn name_of(&self, word: &str) -> String {
        format!("{}/{word}", self.server.database)
    }

    /// Its id.
    async fn organization(&self) -> Result<String, SetupError> {
        let org = &self.server.org;
        let missing = || SetupError::NoOrganization { org: org.clone() };
        let asked = ListOrganizationRequest { org: Some(org.clone()), ..ListOrganizationRequest::new() };
        match self.client.list_organizations(asked).await {
            Ok(found) => {
                let one = found.orgs.into_iter().find(|o| o.name == *org);
                one.and_then(|o| o.id).ok_or_else(missing)
            }
            Err(RequestError::Http { status, text }) if status.as_u16() == 404 && text.contains("org") => {
                Err(missing())
            }
            Err(e) => Err(self.explain(e, "see the organization")),
        }
    }

    async fn find_bucket(&self, org: &str, name: &str) -> Result<Option<Found>, SetupError> {
        let asked = ListBucketsRequest {
            name: Some(name.to_owned()),
            org_id: Some(org.to_owned()),
            ..ListBucketsRequest::default()
        };
        match self.client.list_buckets(Some(asked)).await {
            Ok(found) => Ok(found.buckets.into_iter().find(|b| b.name == name)),
            // How some versions say that there is none.
            Err(RequestError::Http { status, .. }) if status.as_u16() == 404 => Ok(None),
            Err(e) => Err(self.explain(e, "list the buckets")),
        }
    }

    async fn bucket(&self, org: &str, word: &str, seconds: i32) -> Result<Step, SetupError> {
        let name = self.name_of(word);
        let wanted = RetentionRule::new(Type::Expire, seconds);
        let Some(found) = self.find_bucket(org, &name).await? else {
            if !self.options.dry_run {
                let request = PostBucketRequest {
                    retention_rules: vec![wanted],
                    description: Some("Emergency buttons, by Buttonwatch".to_owned()),
                    ..PostBucketRequest::new(org.to_owned(), name.clone())
                };
                let made = self.client.create_bucket(Some(request)).await;
                made.map_err(|e| self.explain(e, &format!("make the bucket {name}")))?;
            }
            return Ok(self.step("bucket", &name, Done::Made, &format!("keeps {}", kept(seconds))));
        };
        let now = found.retention_rules.first().map_or(0, |rule| rule.every_seconds);
        if now == seconds {
            return Ok(self.step("bucket", &name, Done::AlreadyThere, &format!("keeps {}", kept(seconds))));
        }
        let is_longer = now == 0 || now > seconds;
        if is_longer && !self.options.shorten {
            let detail = format!("keeps {}, longer than {}; --shorten would delete the rest", kept(now), kept(seconds));
            return Ok(self.step("bucket", &name, Done::Left, &detail));
        }
        if !self.options.dry_run {
            let id = found.id.unwrap_or_default();
            let body = json!({ "retentionRules": [wanted] });
            let doing = format!("change how long {name} keeps its points");
            self.ask(Method::PATCH, &format!("/api/v2/buckets/{id}"), &[], Some(&body), &doing).await?;
        }
        Ok(self.step("bucket", &name, Done::Changed, &format!("keeps {} instead of {}", kept(seconds), kept(now))))
    }

    /// So that `SELECT … FROM "word"."power"` finds the bucket. InfluxDB may know a mapping of its own for a bucket with such a
    /// name; only one that was made says which is the default.
    async fn mapping(&self, org: &str, word: &str, is_default: bool) -> Result<Step, SetupError> {
        let database = &self.server.database;
        let shown = format!("{database}.{word}");
        let detail = if is_default { "the default" } else { "" };
        let bucket = self.find_bucket(org, &self.name_of(word)).await?.and_then(|b| b.id).unwrap_or_default();
        let query = [("orgID", org), ("db", database.as_str())];
        let found = self.ask(Method::GET, "/api/v2/dbrps", &query, None, "list the mappings for InfluxQL").await?;
        let all = found["content"].as_array().cloned().unwrap_or_default();
        let ours = all.iter().find(|d| {
            d["database"] == database.as_str() && d["retention_policy"] == word && d["virtual"] != Value::Bool(true)
        });
        let doing = format!("map {shown} for InfluxQL");
        if let Some(ours) = ours {
            let id = ours["id"].as_str().unwrap_or_default();
            let path = format!("/api/v2/dbrps/{id}");
            let org_only = [("orgID", org)];
            if ours["bucketID"] != bucket.as_str() {
                if !self.options.dry_run {
                    self.ask(Method::DELETE, &path, &org_only, None, &doing).await?;
                    self.make_mapping(org, &bucket, word, is_default, &doing).await?;
                }
                return Ok(self.step("InfluxQL", &shown, Done::Changed, "it pointed to another bucket"));
            }
            if is_default && ours["default"] != Value::Bool(true) {
                if !self.options.dry_run {
                    let body = json!({ "default": true });
                    self.ask(Method::PATCH, &path, &org_only, Some(&body), &doing).await?;
                }
                return Ok(self.step("InfluxQL", &shown, Done::Changed, "now the default"));
            }
            return Ok(self.step("InfluxQL", &shown, Done::AlreadyThere, detail));
        }
        if !self.options.dry_run {
            self.make_mapping(org, &bucket, word, is_default, &doing).await?;
        }
        Ok(self.step("InfluxQL", &shown, Done::Made, detail))
    }

    async fn make_mapping(
        &self,
        org: &str,
        bucket: &str,
        word: &str,
        is_default: bool,
        doing: &str,
    ) -> Result<Value, SetupError> {
        let body = json!({
            "orgID": org, "bucketID": bucket, "database": self.server.database, "retention_policy": word,
            "default": is_default,
        });
        self.ask(Method::POST, "/api/v2/dbrps", &[], Some(&body), doing).await
    }

    async fn task(&self, org: &str, task: &Downsampling) -> Result<Step, SetupError> {
        let name = task.name(&self.server.database);
        let flux = task.flux(&self.server.database);
        let query = [("orgID", org), ("name", name.as_str())];
        let found = self.ask(Method::GET, "/api/v2/tasks", &query, None, "list the tasks").await?;
        let ours = found["tasks"].as_array().into_iter().flatten().find(|t| t["name"] == name.as_str());
        let Some(ours) = ours else {
            if !self.options.dry_run {
                let body = json!({ "orgID": org, "flux": flux, "status": "active" });
                self.ask(Method::POST, "/api/v2/tasks", &[], Some(&body), &format!("make the task {name}")).await?;
            }
            return Ok(self.step("task", &name, Done::Made, task.pace));
        };
        let is_same = ours["flux"].as_str().is_some_and(|there| there.trim() == flux.trim());
        let is_active = ours["status"].as_str().is_none_or(|s| s == "active");
        let detail = match (is_same, is_active) {
            (true, true) => return Ok(self.step("task", &name, Done::AlreadyThere, task.pace)),
            (false, true) => "its script was another one",
            (true, false) => "it was switched off",
            (false, false) => "its script was another one, and it was switched off",
        };
        if !self.options.dry_run {
            let path = format!("/api/v2/tasks/{}", ours["id"].as_str().unwrap_or_default());
            let body = json!({ "flux": flux, "status": "active" });
            self.ask(Method::PATCH, &path, &[], Some(&body), &format!("change the task {name}")).await?;
        }
        Ok(self.step("task", &name, Done::Changed, detail))
    }

    /// What the crate has no call for.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
        doing: &str,
    ) -> Result<Value, SetupError> {
        let mut url = self.base.clone();
        url.set_path(path);
        let mut request = self.http.request(method, url).query(query);
        if !self.server.token.is_empty() {
            request = request.header("Authorization", format!("Token {}", self.server.token));
        }
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.map_err(|e| self.unreachable(e))?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(|e| self.unreachable(e))?;
        match status {
            204 => Ok(Value::Null),
            200..=299 => serde_json::from_str(&text)
                .map_err(|e| SetupError::NotInfluxDb { url: self.server.url.clone(), why: e.to_string() }),
            _ => Err(refused(status, &text, doing)),
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> SetupError {
        SetupError::Unreachable { url: self.server.url.clone(), why: reason(error) }
    }

    fn explain(&self, error: RequestError, doing: &str) -> SetupError {
        match error {
            RequestError::Http { status, text } => match status.as_u16() {
                404 | 405 => SetupError::NotInfluxDb {
                    url: self.server.url.clone(),
                    why: format!("{} {}", status.as_u16(), message(&text)),
                },
                status => refused(status, &text, doing),
            },
            RequestError::ReqwestProcessing { source } if source.is_decode() => {
                SetupError::NotInfluxDb { url: self.server.url.clone(), why: reason(source) }
            }
            RequestError::ReqwestProcessing { source } => self.unreachable(source),
            RequestError::Serializing { .. } | RequestError::Deserializing { .. } => {
                SetupError::NotInfluxDb { url: self.server.url.clone(), why: error.to_string() }
            }
        }
    }
}

fn refused(status: u16, text: &str, doing: &str) -> SetupError {
    let (doing, said) = (doing.to_owned(), message(text));
    match status {
        401 => SetupError::UnknownToken { said },
        403 => SetupError::NoRight { doing, said },
        _ => SetupError::Refused { doing, status, said },
    }
}

fn kept(seconds: i32) -> String {
    match u64::try_from(seconds) {
        Ok(0) | Err(_) => "for ever".to_owned(),
        Ok(seconds) => span_text(Duration::from_secs(seconds)),
    }
}
