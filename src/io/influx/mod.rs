//! History's way into InfluxDB: a bounded spool on disk, and one delivery for each bucket. Owns the folder `spool` and the
//! connection. Never makes lines of line protocol, and never reads what is in them.
//!
//! Design constraints
//! - **History never delays judgement.** [`SpoolHandle::push`] puts lines into a bounded queue of a thread that only packs
//!   and writes files. A server that hangs, refuses or is gone is no concern of it.
//! - **A batch is a file until InfluxDB has it.** Packed once, at the fast level, written beside and renamed; its name tells
//!   number, bucket and points, so that a restart goes on without opening it. After [`SpoolHandle::flush`] it survives a
//!   kill and a power cut. Same tags and time overwrite: what is sent twice is there once.
//! - **Full: the oldest go.** Above `spool_max_bytes`, counted in blocks of 4 KiB, the oldest batches are removed, counted
//!   in points and told in the log once a minute. A disk that takes nothing: the new ones are counted and told likewise.
//! - **Buckets are apart.** A missing `events` bucket does not hold `raw`.
//! - **A bad line costs itself.** What InfluxDB refuses is halved until the lines to blame are alone; they go to
//!   `refused.lp`, the others are written.

mod batch;
mod check;
mod delivery;
mod downsample;
mod lines;
mod reader;
mod refused;
mod setup;
mod spool;
mod stats;
mod verdict;
mod waiting;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle as Thread;
use std::time::Duration;

use influxdb2::ClientBuilder;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::domain::Bucket;
pub use check::check;
use delivery::Courier;
pub use reader::{InfluxReader, QueryError, quote_name, quote_text};
pub use setup::{Done, SetupError, SetupOptions, Step, setup};
pub use spool::SpoolHandle;
use spool::{Limits, Message, PUSHES_WAITING, Spool};
pub use stats::{BucketStats, Delivery, DropReason, InfluxStats};
pub use verdict::Outcome;
use waiting::Shared;

/// To connect. Longer, and the server is away.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// For a request that is under way when the service ends. Its batch is sent again at the next start.
const FAREWELL: Duration = Duration::from_secs(3);

/// Where InfluxDB is, and who asks.
#[derive(Clone)]
pub struct InfluxServer {
    /// `http://host:8086` or `https://…`, without a path.
    pub url: String,
    pub org: String,
    /// May be empty: then none is sent.
    pub token: String,
    /// Buckets are called `<database>/<word>`.
    pub database: String,
    /// PEM certificates to trust for https, besides the public ones.
    pub ca_pem: Option<Vec<u8>>,
    /// For one question, from its first byte to the whole answer.
    pub timeout: Duration,
}

impl fmt::Debug for InfluxServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InfluxServer { url, org, token, database, ca_pem, timeout } = self;
        f.debug_struct("InfluxServer")
            .field("url", url)
            .field("org", org)
            .field("token", &if token.is_empty() { "none" } else { "hidden" })
            .field("database", database)
            .field("ca_pem", &ca_pem.as_ref().map(Vec::len))
            .field("timeout", timeout)
            .finish()
    }
}

/// [`InfluxServer`] with the spool's settings.
#[derive(Clone)]
pub struct InfluxConfig {
    /// `http://host:8086` or `https://…`, without a path.
    pub url: String,
    pub org: String,
    /// May be empty: then none is sent.
    pub token: String,
    /// Buckets are called `<database>/<word>`.
    pub database: String,
    /// PEM certificates to trust for https, besides the public ones.
    pub ca_pem: Option<Vec<u8>>,
    /// For one write, from its first byte to the answer.
    pub timeout: Duration,
    pub spool: PathBuf,
    pub spool_max_bytes: u64,
    pub batch_points: usize,
    pub batch_every: Duration,
    /// First wait after a failure; it doubles.
    pub retry_after: Duration,
    pub retry_at_most: Duration,
}

impl InfluxConfig {
    pub fn server(&self) -> InfluxServer {
        let InfluxConfig { url, org, token, database, ca_pem, timeout, .. } = self.clone();
        InfluxServer { url, org, token, database, ca_pem, timeout }
    }

    /// As InfluxDB knows the bucket.
    pub fn bucket_name(&self, bucket: Bucket) -> String {
        format!("{}/{bucket}", self.database)
    }
}

impl fmt::Debug for InfluxConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InfluxConfig")
            .field("server", &self.server())
            .field("spool", &self.spool)
            .field("spool_max_bytes", &self.spool_max_bytes)
            .field("batch_points", &self.batch_points)
            .field("batch_every", &self.batch_every)
            .field("retry_after", &self.retry_after)
            .field("retry_at_most", &self.retry_at_most)
            .finish()
    }
}

/// Why history cannot start.
#[derive(Debug, Error)]
pub enum InfluxError {
    #[error("InfluxDB's address {url:?} {why}; write url in [influx] as http://127.0.0.1:8086")]
    Url { url: String, why: &'static str },
    #[error(
        "InfluxDB's token cannot be sent: it has characters that no token has; put only the token into the file of \
             token_file in [influx]"
    )]
    Token,
    #[error("the certificates for InfluxDB are not PEM ({why}); name a file with BEGIN CERTIFICATE as ca in [influx]")]
    Ca { why: String },
    #[error("cannot prepare the connection to InfluxDB: {why}")]
    Client { why: String },
    #[error("cannot use the spool {}: {source}; give it to the user who runs the service", path.display())]
    Spool { path: PathBuf, source: std::io::Error },
}

/// Started: the spool's thread, and a task for each bucket. Dropped: ends as by [`Influx::stop`], but requests that are
/// under way are broken off.
pub struct Influx {
    handle: SpoolHandle,
    thread: Option<Thread<()>>,
    couriers: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Influx {
    /// Goes on with what is in the spool. A server that cannot be reached is no error here. Needs tokio's runtime.
    pub fn start(config: InfluxConfig) -> Result<Influx, InfluxError> {
        let client = gzip_client(&config.server())?;
        let spool = config.spool.clone();
        let folder = |source| InfluxError::Spool { path: config.spool.clone(), source };
        let (found, next) = batch::find(&spool).map_err(folder)?;
        let points: u64 = found.iter().map(|w| u64::from(w.file.points)).sum();
        if points > 0 {
            tracing::info!("history: {points} points from before the start wait for InfluxDB");
        }
        let shared = Arc::new(Shared::new(found));
        let (to_spool, messages) = sync_channel(PUSHES_WAITING);
        let limits = Limits {
            spool: spool.clone(),
            max_bytes: config.spool_max_bytes,
            batch_points: config.batch_points,
            batch_every: config.batch_every,
        };
        let work = Spool::new(limits, shared.clone(), next);
        let thread = std::thread::Builder::new().name("history-spool".to_owned());
        let thread = thread.spawn(move || work.run(&messages)).map_err(folder)?;
        let (stop, stopped) = watch::channel(false);
        let couriers = Bucket::ALL
            .iter()
            .map(|bucket| {
                let courier = Courier {
                    bucket: *bucket,
                    client: client.clone(),
                    org: config.org.clone(),
                    name: config.bucket_name(*bucket),
                    spool: spool.clone(),
                    batch_points: config.batch_points,
                    timeout: config.timeout,
                    retry_after: config.retry_after,
                    retry_at_most: config.retry_at_most,
                    shared: shared.clone(),
                };
                tokio::spawn(courier.run(stopped.clone()))
            })
            .collect();
        let handle = SpoolHandle { to_spool, shared };
        Ok(Influx { handle, thread: Some(thread), couriers, stop })
    }

    pub fn spool(&self) -> SpoolHandle {
        self.handle.clone()
    }

    pub fn stats(&self) -> InfluxStats {
        self.handle.stats()
    }

    /// Everything is in files when it returns; a request that is under way gets 3 s. What waits is sent after the next start.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let thread = self.end_thread();
        let ended = tokio::task::spawn_blocking(move || thread.map(Thread::join));
        if !matches!(ended.await, Ok(None | Some(Ok(())))) {
            tracing::error!("history: the spool ended badly");
        }
        let until = tokio::time::Instant::now() + FAREWELL;
        for courier in &mut self.couriers {
            let _ = tokio::time::timeout_at(until, courier).await;
        }
    }

    fn end_thread(&mut self) -> Option<Thread<()>> {
        let thread = self.thread.take();
        if thread.is_some() {
            let _ = self.handle.to_spool.send(Message::End);
        }
        thread
    }
}

impl Drop for Influx {
    fn drop(&mut self) {
        for courier in &self.couriers {
            courier.abort();
        }
        if let Some(thread) = self.end_thread() {
            let _ = thread.join();
        }
    }
}

/// The crate panics on an address that is none, and forgets a path.
fn checked_url(url: &str) -> Result<reqwest::Url, InfluxError> {
    let wrong = |why| InfluxError::Url { url: url.to_owned(), why };
    let parsed = reqwest::Url::parse(url).map_err(|_| wrong("is not an address"))?;
    if !matches!(parsed.scheme(), "http" | "https") || parsed.host().is_none() {
        return Err(wrong("is not an http or https address"));
    }
    if !matches!(parsed.path(), "" | "/") || parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(wrong("has something after the host and port"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        // Never shown with its password.
        let url = format!("{}://…@{}", parsed.scheme(), parsed.host_str().unwrap_or_default());
        return Err(InfluxError::Url { url, why: "has a login, which InfluxDB does not know: it has tokens" });
    }
    Ok(parsed)
}

/// With nothing from the environment, and never following to another address: a POST would become a GET there.
fn http_client(config: &InfluxServer) -> Result<reqwest::ClientBuilder, InfluxError> {
    checked_url(&config.url)?;
    if HeaderValue::from_str(&config.token).is_err() {
        return Err(InfluxError::Token);
    }
    let mut client = reqwest::Client::builder()
        .timeout(config.timeout)
        .connect_timeout(CONNECT_WITHIN.min(config.timeout))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    if let Some(pem) = &config.ca_pem {
        let found = reqwest::Certificate::from_pem_bundle(pem).map_err(|e| InfluxError::Ca { why: e.to_string() })?;
        if found.is_empty() {
            return Err(InfluxError::Ca { why: "no certificate in it".to_owned() });
        }
        client = found.into_iter().fold(client, reqwest::ClientBuilder::add_root_certificate);
    }
    Ok(client)
}

/// For writes only: everything it sends is said to be packed.
fn gzip_client(config: &InfluxServer) -> Result<influxdb2::Client, InfluxError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let builder = http_client(config)?.default_headers(headers);
    build(builder, config)
}

fn build(builder: reqwest::ClientBuilder, config: &InfluxServer) -> Result<influxdb2::Client, InfluxError> {
    ClientBuilder::with_builder(builder, &config.url, &config.org, &config.token)
        .build()
        .map_err(|e| InfluxError::Client { why: e.to_string() })
}
