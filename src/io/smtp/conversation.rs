//! One mail's talk with an SMTP server, step by step, so that every refusal is known by its step and its recipient.
//!
//! ```text
//!  connect ─▶ EHLO ─▶ STARTTLS? ─▶ AUTH? ─▶ MAIL ─▶ RCPT … ─▶ DATA ─▶ text ─▶ 250
//!  any failure: no one has it, try again     │        │                 │
//!                         5xx: refused ◀─────┘        │                 └▶ 5xx: refused
//!   5xx: this one refused, 4xx: this one later; others go on ┘
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
    to: &[Address],
) -> (Option<Line>, Result<Delivered, DeliveryError>) {
    let mut line = match open(config, used).await {
        Ok(line) => line,
        Err(error) => return (None, Err(error)),
    };
    let result = send(config, &mut line.0, message, to).await;
    // A 5xx answer leaves the server in step with us, but what it thinks of the transaction differs from server to server.
    let line = result.is_ok().then_some(line);
    (line, result)
}

/// As far as the first mail, then QUIT.
pub(super) async fn greet(config: &SmtpConfig) -> Result<(), DeliveryError> {
    let mut line = open(config, None).await?;
    // It let us in: how it says goodbye tells nothing more.
    let _ = line.0.quit().await;
    Ok(())
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
                return Err(DeliveryError::try_again(format!(
                    "{} does not offer STARTTLS; use its TLS port (465) with implicit TLS, or mend the server",
                    place(config)
                )));
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
    to: &[Address],
) -> Result<Delivered, DeliveryError> {
    let from = message.envelope().from();
    let bytes = message.formatted();
    let mut options = Vec::new();
    let beyond_ascii = |a: &&Address| !AsRef::<str>::as_ref(*a).is_ascii();
    // All of To stands in the text, whoever gets it this time.
    if let Some(address) = message.envelope().to().iter().chain(from).find(beyond_ascii) {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            let text = format!("{} takes no addresses like {address}; use one in plain ASCII", place(config));
            let recipient = Some(address.to_string());
            return Err(DeliveryError { retry: false, recipient, ..DeliveryError::try_again(text) });
        }
        options.push(MailParameter::SmtpUtfEight);
    }
    if !bytes.is_ascii() && connection.server_info().supports_feature(Extension::EightBitMime) {
        options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    connection.command(Mail::new(from.cloned(), options)).await.map_err(|e| judged(config, &e))?;
    let (mut refused, mut deferred, mut taken) = (Vec::new(), Vec::new(), Vec::new());
    for recipient in to {
        match connection.command(Rcpt::new(recipient.clone(), Vec::new())).await {
            Ok(_) => taken.push(recipient),
            Err(e) => match about_one(&e) {
                Some(code) if is_refusal(&e) => refused.push(refusal(recipient, code, &e)),
                Some(code) => deferred.push(refusal(recipient, code, &e)),
                // The line is gone, or the server has had enough: nobody has it.
                None => return Err(DeliveryError { refused, deferred, ..judged(config, &e) }),
            },
        }
    }
    if taken.is_empty() {
        return Err(taken_for_nobody(config, refused, deferred));
    }
    let sent = match connection.command(Data).await {
        Ok(_) => connection.message(&bytes).await,
        Err(e) => Err(e),
    };
    match sent {
        Ok(_) => Ok(Delivered { refused, deferred }),
        Err(e) => Err(DeliveryError { refused, deferred, ..judged(config, &e) }),
    }
}

fn tls_parameters(config: &SmtpConfig) -> Result<TlsParameters, DeliveryError> {
    let wrong = |e: Error| {
        let text = format!("the TLS settings for {} do not work: {}; correct them", place(config), whole(&e));
        DeliveryError::try_again(text)
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
    DeliveryError { code: code(error), ..DeliveryError::try_again(text) }
}

/// 5xx, but for those that speak of the login: the settings' fault, and mended there.
fn is_refusal(error: &Error) -> bool {
    error.is_permanent() && !matches!(code(error), Some(530 | 534 | 535 | 538))
}

/// The code of an answer that is about one recipient and no more. None: the line, the login or the whole server.
fn about_one(error: &Error) -> Option<u16> {
    code(error).filter(|code| !matches!(code, 421 | 530 | 534 | 535 | 538))
}

fn judged(config: &SmtpConfig, error: &Error) -> DeliveryError {
    let retry = !is_refusal(error);
    let verdict = if retry { "did not take the mail" } else { "refused the mail" };
    let text = format!("{} {verdict}: {}", place(config), whole(error));
    DeliveryError { retry, code: code(error), ..DeliveryError::try_again(text) }
}

fn refusal(recipient: &Address, code: u16, error: &Error) -> Refused {
    let text = whole(error);
    // lettre puts its own reading of the code in front of the server's words.
    let words =
        ["permanent", "transient"].iter().find_map(|kind| text.strip_prefix(&format!("{kind} error ({code}): ")));
    Refused { recipient: recipient.to_string(), code, text: words.unwrap_or(&text).to_owned() }
}

fn taken_for_nobody(config: &SmtpConfig, refused: Vec<Refused>, deferred: Vec<Refused>) -> DeliveryError {
    let list = |all: &[Refused]| all.iter().map(Refused::to_string).collect::<Vec<_>>().join("; ");
    let text = match (refused.as_slice(), deferred.as_slice()) {
        (all, []) => format!("{} refused every recipient: {}; correct the addresses", place(config), list(all)),
        ([], all) => format!("{} did not take the mail for {}", place(config), list(all)),
        (gone, later) => {
            format!("{} refused {}, and did not take the mail for {}", place(config), list(gone), list(later))
        }
    };
    let mut named = refused.iter().chain(&deferred);
    let (first, others) = (named.next(), named.next().is_some());
    let code = deferred.first().or(refused.first()).map(|r| r.code);
    let recipient = first.filter(|_| !others).map(|r| r.recipient.clone());
    DeliveryError { retry: !deferred.is_empty(), code, recipient, text, refused, deferred }
}
