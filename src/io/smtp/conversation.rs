//! One mail's talk with an SMTP server, step by step, so that every refusal is known by its step and its recipient.
//!
//! ```text
//!  connect ─▶ EHLO ─▶ STARTTLS? ─▶ AUTH? ─▶ MAIL ─▶ RCPT … ─▶ DATA ─▶ text ─▶ 250
//!  any failure: no one has it, try again     │        │                 │
//!                         5xx: refused ◀─────┘        │                 └▶ 5xx: refused
//!                  5xx: this one refused, others go on ┘
//! ```

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::{Address, Message};

use super::{Delivered, DeliveryError, Refused, SmtpConfig, SmtpTls};

/// An open connection that is logged in and between two mails.
pub(super) struct Line(AsyncSmtpConnection);

/// Err: settings that can never work.
pub(super) fn check(config: &SmtpConfig) -> Result<(), DeliveryError> {
    match config.tls {
        SmtpTls::StartTls | SmtpTls::Implicit => tls_parameters(config).map(|_| ()),
        SmtpTls::None => Ok(()),
    }
}

/// The line comes back when it can carry another mail.
pub(super) async fn deliver(
    config: &SmtpConfig,
    used: Option<Line>,
    message: &Message,
) -> (Option<Line>, Result<Delivered, DeliveryError>) {
    let mut line = match open(config, used).await {
        Ok(line) => line,
        Err(error) => return (None, Err(error)),
    };
    let result = send(config, &mut line.0, message).await;
    // A 5xx answer leaves the server in step with us, but what it thinks of the transaction differs from server to server.
    let line = result.is_ok().then_some(line);
    (line, result)
}

async fn open(config: &SmtpConfig, used: Option<Line>) -> Result<Line, DeliveryError> {
    if let Some(mut line) = used
        && line.0.test_connected().await
    {
        return Ok(line);
    }
    let hello = ClientId::default();
    let implicit = match config.tls {
        SmtpTls::Implicit => Some(tls_parameters(config)?),
        SmtpTls::StartTls | SmtpTls::None => None,
    };
    let address = (config.host.as_str(), config.port);
    let mut connection = AsyncSmtpConnection::connect_tokio1(address, Some(config.timeout), &hello, implicit, None)
        .await
        .map_err(|e| server_trouble(config, "cannot connect", &e))?;
    match config.tls {
        SmtpTls::StartTls => {
            if !connection.can_starttls() {
                return Err(DeliveryError {
                    retry: true,
                    code: None,
                    recipient: None,
                    text: format!(
                        "{} does not offer STARTTLS; use its TLS port (465) with implicit TLS, or mend the server",
                        place(config)
                    ),
                });
            }
            let parameters = tls_parameters(config)?;
            connection.starttls(parameters, &hello).await.map_err(|e| server_trouble(config, "TLS failed", &e))?;
        }
        SmtpTls::Implicit | SmtpTls::None => {}
    }
    if let Some(login) = &config.login {
        let credentials = Credentials::new(login.user.clone(), login.password.clone());
        // A wrong password is the settings' fault, not the mail's: mails wait until it is mended.
        connection
            .auth(DEFAULT_MECHANISMS, &credentials)
            .await
            .map_err(|e| server_trouble(config, "the login was not accepted; check user and password", &e))?;
    }
    Ok(Line(connection))
}

async fn send(
    config: &SmtpConfig,
    connection: &mut AsyncSmtpConnection,
    message: &Message,
) -> Result<Delivered, DeliveryError> {
    let envelope = message.envelope();
    let bytes = message.formatted();
    let mut options = Vec::new();
    let beyond_ascii = |a: &&Address| !AsRef::<str>::as_ref(*a).is_ascii();
    if let Some(address) = envelope.to().iter().chain(envelope.from()).find(beyond_ascii) {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            let text = format!("{} takes no addresses like {address}; use one in plain ASCII", place(config));
            return Err(DeliveryError { retry: false, code: None, recipient: Some(address.to_string()), text });
        }
        options.push(MailParameter::SmtpUtfEight);
    }
    if !bytes.is_ascii() && connection.server_info().supports_feature(Extension::EightBitMime) {
        options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let about_mail = |e: Error| judged(config, None, &e);
    connection.command(Mail::new(envelope.from().cloned(), options)).await.map_err(about_mail)?;
    let mut refused = Vec::new();
    for recipient in envelope.to() {
        match connection.command(Rcpt::new(recipient.clone(), Vec::new())).await {
            Ok(_) => {}
            Err(e) if is_refusal(&e) => refused.push(refusal(recipient, &e)),
            // One who cannot be reached now: nobody gets it now, or the others would get it twice.
            Err(e) => return Err(judged(config, Some(recipient), &e)),
        }
    }
    if refused.len() == envelope.to().len() {
        return Err(all_refused(config, refused));
    }
    connection.command(Data).await.map_err(about_mail)?;
    connection.message(&bytes).await.map_err(about_mail)?;
    Ok(Delivered { refused })
}

fn tls_parameters(config: &SmtpConfig) -> Result<TlsParameters, DeliveryError> {
    let wrong = |e: Error| DeliveryError {
        retry: true,
        code: None,
        recipient: None,
        text: format!("the TLS settings for {} do not work: {}; correct them", place(config), whole(&e)),
    };
    let mut parameters = TlsParameters::builder(config.host.clone());
    if let Some(pem) = &config.trusted_pem {
        parameters = parameters.add_root_certificate(Certificate::from_pem(pem).map_err(wrong)?);
    }
    parameters.build_rustls().map_err(wrong)
}

fn place(config: &SmtpConfig) -> String {
    format!("{}:{}", config.host, config.port)
}

/// The error and its causes in one line: lettre keeps the part that helps in the causes.
fn whole(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = inner.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn code(error: &Error) -> Option<u16> {
    error.status().map(u16::from)
}

/// Before any mail was spoken of: never the mail's fault, always worth another try.
fn server_trouble(config: &SmtpConfig, what: &str, error: &Error) -> DeliveryError {
    let text = format!("{}: {what}: {}", place(config), whole(error));
    DeliveryError { retry: true, code: code(error), recipient: None, text }
}

/// 5xx, but for those that speak of the login: the settings' fault, and mended there.
fn is_refusal(error: &Error) -> bool {
    error.is_permanent() && !matches!(code(error), Some(530 | 534 | 535 | 538))
}

fn judged(config: &SmtpConfig, recipient: Option<&Address>, error: &Error) -> DeliveryError {
    let retry = !is_refusal(error);
    let about = recipient.map_or(String::new(), |r| format!(" for {r}"));
    let verdict = if retry { "did not take the mail" } else { "refused the mail" };
    let text = format!("{} {verdict}{about}: {}", place(config), whole(error));
    DeliveryError { retry, code: code(error), recipient: recipient.map(ToString::to_string), text }
}

fn refusal(recipient: &Address, error: &Error) -> Refused {
    Refused { recipient: recipient.to_string(), code: code(error).unwrap_or(0), text: whole(error) }
}

fn all_refused(config: &SmtpConfig, refused: Vec<Refused>) -> DeliveryError {
    let list: Vec<String> = refused.iter().map(ToString::to_string).collect();
    let text = format!("{} refused every recipient: {}; correct the addresses", place(config), list.join("; "));
    let recipient = match refused.as_slice() {
        [one] => Some(one.recipient.clone()),
        _ => None,
    };
    DeliveryError { retry: false, code: refused.first().map(|r| r.code), recipient, text }
}
