//! One Alertmanager, spoken to over HTTP. Owns the request, its limits of time, and the reading of the answer. Never decides
//! what is told or when it is tried again. An answer's text is shown; a login never is.

use std::fmt;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Certificate, Client, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;

use crate::render::alertmanager::PushedAlert;

/// Ten round trips to another continent. A server that is slower has no use for alerts.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// More than a fleet's worst hour; a list is cut into pieces of this many.
pub const PIECE: usize = 1000;
/// Of an answer that is no success.
const SHOWN_CHARS: usize = 200;

pub enum Auth {
    None,
    Login { username: String, password: String },
    Token(String),
}

pub struct AlertmanagerConfig {
    /// As the operator wrote it: `http://127.0.0.1:9093`.
    pub url: String,
    pub auth: Auth,
    /// PEM of authorities to trust beside the web's roots.
    pub trusted_pem: Option<Vec<u8>>,
}

pub struct Alertmanager {
    push_to: Url,
    client: Client,
    auth: Auth,
}

impl fmt::Debug for Alertmanager {
    /// Without the login.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alertmanager").field("push_to", &self.push_to.as_str()).finish_non_exhaustive()
    }
}

/// The settings cannot be used.
#[derive(Debug, Error)]
pub enum BadSettings {
    #[error("[alertmanager] url cannot be used: {0}; write it as http://address:port")]
    Url(String),
    #[error("[alertmanager] token_file holds what cannot stand in a header; its first line must be the token alone")]
    Token,
    #[error("[alertmanager] ca cannot be used: {0}; name a PEM file of certificates")]
    Ca(String),
    #[error("the HTTP client for [alertmanager] cannot be made: {0}")]
    Client(String),
}

/// Why a push was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PushError {
    /// The same again will be refused again; the next picture may not.
    #[error("it answered {status}: {text}")]
    Refused { status: u16, text: String },
    #[error("{0}")]
    Failed(String),
}

impl Alertmanager {
    pub fn new(config: AlertmanagerConfig) -> Result<Self, BadSettings> {
        let push_to =
            Url::parse(&format!("{}/api/v2/alerts", config.url)).map_err(|e| BadSettings::Url(e.to_string()))?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Auth::Token(token) = &config.auth {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| BadSettings::Token)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let mut client = Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            // An alert goes where the operator said, not where a proxy's variable or an answer says.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if let Some(pem) = &config.trusted_pem {
            let blocks: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
            let blocks = blocks.map_err(|e| BadSettings::Ca(e.to_string()))?;
            if blocks.is_empty() {
                return Err(BadSettings::Ca("no certificate is in it".to_owned()));
            }
            for der in blocks {
                let one = Certificate::from_der(&der).map_err(|e| BadSettings::Ca(e.to_string()))?;
                client = client.add_root_certificate(one);
            }
        }
        let client = client.build().map_err(|e| BadSettings::Client(e.to_string()))?;
        Ok(Alertmanager { push_to, client, auth: config.auth })
    }

    /// `http://127.0.0.1:9093`, for logs.
    pub fn name(&self) -> String {
        self.push_to.as_str().trim_end_matches("/api/v2/alerts").to_owned()
    }

    /// At most [`PIECE`] of them. Takes 10 s at most.
    pub async fn push(&self, alerts: &[PushedAlert]) -> Result<(), PushError> {
        let body = serde_json::to_vec(alerts).expect("labels, texts and times are JSON");
        let mut request = self.client.post(self.push_to.clone()).body(body);
        if let Auth::Login { username, password } = &self.auth {
            request = request.basic_auth(username, Some(password));
        }
        let answer = request.send().await.map_err(|e| PushError::Failed(why(&e)))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let text: String = answer.text().await.unwrap_or_default().trim().chars().take(SHOWN_CHARS).collect();
        let text = text.replace(char::is_control, " ");
        if status.is_client_error() && status.as_u16() != 429 {
            return Err(PushError::Refused { status: status.as_u16(), text });
        }
        Err(PushError::Failed(format!("it answered {}: {text}", status.as_u16())))
    }
}

/// The innermost cause says it; what is around it repeats the address.
fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
