//! `[influx]`: where history goes besides the store.

use std::path::PathBuf;
use std::time::Duration;

use super::super::document::{Block, Item};
use super::super::duration::{HOUR, SECOND};
use super::super::spelling::quoted;
use super::check::{is_loopback_host, path};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Influx {
    /// `http://host:port` or `https://…`, without a path.
    pub url: String,
    pub org: String,
    /// What the names of the buckets begin with; InfluxQL's database.
    pub bucket: String,
    /// Its first line is the token. None: InfluxDB asks for none.
    pub token_file: Option<PathBuf>,
    /// PEM file of the authority to trust besides the web's roots.
    pub ca: Option<PathBuf>,
    /// For one write, from its first byte to the answer.
    pub timeout: Duration,
    /// What waits for InfluxDB may take so much of the disk.
    pub spool_max_mb: u32,
}

const KEYS: &[&str] = &["url", "org", "bucket", "token_file", "plain_token", "ca", "timeout", "spool_max_mb"];

/// A day of 10,000 units that send 300 points an hour each, packed.
const SPOOL_MAX_MB: u32 = 1024;
/// A batch of 5,000 points takes a small server a second.
const TIMEOUT: Duration = SECOND.saturating_mul(10);
/// InfluxDB's own port.
pub const USUAL_URL: &str = "http://127.0.0.1:8086";
pub const USUAL_ORG: &str = "buttonwatch";
pub const USUAL_BUCKET: &str = "buttonwatch";

pub(super) fn influx(block: &Block<'_>) -> Option<Influx> {
    block.only_keys(KEYS, |key| match key {
        "token" | "password" | "secret" => {
            Some("put it in a file of its own, readable only by the service, and name that in token_file".to_owned())
        }
        "host" | "port" => Some("write url = \"http://host:8086\"".to_owned()),
        "organisation" | "organization" => Some("did you mean org?".to_owned()),
        "database" | "db" => Some("did you mean bucket?".to_owned()),
        "retention" => Some("`influx setup` sets it; docs/influxdb.md says to what".to_owned()),
        _ => None,
    });
    let url = block.need("url", "such as url = \"http://127.0.0.1:8086\"").and_then(|item| url(&item));
    let name = |key: &str, default: &str| block.get(key).map_or(Some(default.to_owned()), |item| name(&item));
    let (org, bucket) = (name("org", USUAL_ORG), name("bucket", USUAL_BUCKET));
    let token_file = path(block, "token_file");
    let plain_is_fine = block.get("plain_token").and_then(|i| i.flag()).unwrap_or(false);
    if let (Some(url), Some(item), false) = (&url, block.get("token_file"), plain_is_fine)
        && url.starts_with("http://")
        && !is_loopback_host(host_of(url))
    {
        item.wrong(
            "would send its token readable over the network; write https:// in url, or, inside a private network that \
             you trust, plain_token = true",
        );
    }
    let ca = path(block, "ca");
    let timeout = block.get("timeout").and_then(|i| i.span(SECOND..=HOUR)).unwrap_or(TIMEOUT);
    let spool_max_mb = block.get("spool_max_mb").and_then(|i| i.whole(1..=1_000_000)).unwrap_or(SPOOL_MAX_MB);
    Some(Influx { url: url?, org: org?, bucket: bucket?, token_file, ca, timeout, spool_max_mb })
}

fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    match rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        Some((six, _)) => six,
        None => rest.split(':').next().unwrap_or(rest),
    }
}

fn url(item: &Item<'_>) -> Option<String> {
    let text = item.words()?;
    let plain = text.strip_suffix('/').unwrap_or(text);
    let rest = plain.strip_prefix("https://").or_else(|| plain.strip_prefix("http://"));
    let fine = rest.is_some_and(|r| {
        !r.is_empty()
            && r.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']'))
    });
    if !fine {
        item.wrong(format_args!(
            "cannot be {}; write where InfluxDB listens and nothing more, such as \"http://127.0.0.1:8086\"",
            quoted(text)
        ));
    }
    fine.then(|| plain.to_owned())
}

/// Of an organisation, or of what buckets begin with.
fn name(item: &Item<'_>) -> Option<String> {
    let text = item.words()?;
    let fine = text.len() <= 100
        && !text.starts_with('_')
        && text.chars().all(|c| !c.is_control() && !matches!(c, '/' | '"' | '\\'));
    if !fine {
        item.wrong(format_args!("cannot be {}; write a short name without / \" and \\", quoted(text)));
    }
    fine.then(|| text.to_owned())
}
