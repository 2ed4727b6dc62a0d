//! For `doctor`: whether InfluxDB is there, knows the token, and has the buckets. Never changes anything there.

use influxdb2::api::buckets::ListBucketsRequest;
use influxdb2::models::health::Status;
use influxdb2::{Client, RequestError};

use super::verdict::{message, reason};
use super::{InfluxConfig, build, http_client};
use crate::domain::Bucket;

/// Ok: what is there. Err: what is wrong and what to do, one a line.
pub async fn check(config: &InfluxConfig) -> Result<String, String> {
    let server = config.server();
    let builder = http_client(&server).map_err(|e| e.to_string())?;
    let client = build(builder, &server).map_err(|e| e.to_string())?;
    let health = client.health().await.map_err(|e| {
        let why = explain(e);
        format!("{}: {why}; look whether InfluxDB runs, and at url in [influx]", config.url)
    })?;
    if health.status == Status::Fail {
        let why = health.message.unwrap_or_default();
        return Err(format!("{}: InfluxDB is not well: {why}; look at its own log", config.url));
    }
    let mut missing = Vec::new();
    for bucket in Bucket::ALL {
        let name = config.bucket_name(*bucket);
        if !has_bucket(&client, config, &name).await? {
            missing.push(format!("there is no bucket {name} in the organization {}", config.org));
        }
    }
    if !missing.is_empty() {
        return Err(format!("{}; run `buttonwatch influx setup`", missing.join("\n")));
    }
    let version = health.version.map(|v| format!(" {v}")).unwrap_or_default();
    Ok(format!("{}: InfluxDB{version}, the token is known, the buckets are there", config.url))
}

async fn has_bucket(client: &Client, config: &InfluxConfig, name: &str) -> Result<bool, String> {
    let one = ListBucketsRequest {
        name: Some(name.to_owned()),
        org: Some(config.org.clone()),
        ..ListBucketsRequest::default()
    };
    match client.list_buckets(Some(one)).await {
        Ok(found) => Ok(found.buckets.iter().any(|b| b.name == name)),
        Err(RequestError::Http { status, text }) => match (status.as_u16(), message(&text)) {
            (401, said) => Err(format!(
                "InfluxDB does not know the token (401 {said}); put a valid one into the file of token_file in [influx]"
            )),
            (403, said) => Err(format!(
                "the token may not see the buckets (403 {said}); give it the right to read and write them in InfluxDB"
            )),
            (404, said) if said.contains("org") => {
                Err(format!("there is no organization {} (404 {said}); correct org in [influx]", config.org))
            }
            (404, _) => Ok(false),
            (status, said) => Err(format!("InfluxDB answers {status} {said}; look at its own log")),
        },
        Err(other) => Err(format!("{}: {}; look whether that is InfluxDB 2", config.url, explain(other))),
    }
}

fn explain(error: RequestError) -> String {
    match error {
        RequestError::ReqwestProcessing { source } => reason(source),
        RequestError::Http { status, text } => format!("{} {}", status.as_u16(), message(&text)),
        RequestError::Serializing { .. } | RequestError::Deserializing { .. } => error.to_string(),
    }
}
