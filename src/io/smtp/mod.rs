//! Gets a rendered mail out of the house: to an SMTP server, or as a file into a folder.
//!
//! Owns packing, the conversation with the server, and the judgement whether a failure is worth another try. Never decides
//! to send: the outbox's worker asks, and marks what came of it. Sending twice is safe: the Message-ID is the same.

mod conversation;
mod folder;
mod pack;
mod retry;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use lettre::{Address, Message};
use thiserror::Error;
use tokio::sync::Mutex;

pub use pack::{PackError, to_message};
pub use retry::RetryPace;

use conversation::Line;

/// Where mails go.
#[derive(Debug)]
pub enum Post {
    /// One `.eml` file a mail: what a service without SMTP settings does.
    Folder(PathBuf),
    Smtp(Box<SmtpPost>),
}

/// A server and at most one open line to it. Mails take turns: an outbox is short, and one line is what every server allows.
pub struct SmtpPost {
    config: SmtpConfig,
    line: Mutex<Option<Line>>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct SmtpConfig {
    pub host: String,
    /// 587 for STARTTLS, 465 for implicit TLS, 25 between servers.
    pub port: u16,
    pub tls: SmtpTls,
    /// PEM of certificates to trust beside the public ones: an office server's own.
    pub trusted_pem: Option<Vec<u8>>,
    pub login: Option<SmtpLogin>,
    /// For the whole of one mail, from the first packet to the server's last word.
    pub timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Refuses to go on when the server does not offer it.
    StartTls,
    Implicit,
    /// In the clear: the same machine, or a line that is safe by itself.
    None,
}

#[derive(Clone, PartialEq, Eq)]
pub struct SmtpLogin {
    pub user: String,
    pub password: String,
}

/// Long enough for a slow server's virus scan, short enough that the next mail is not held up for long.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

impl fmt::Debug for SmtpPost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpPost").field("config", &self.config).finish_non_exhaustive()
    }
}

impl fmt::Debug for SmtpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No password in a log.
        let user = self.login.as_ref().map(|l| l.user.as_str());
        write!(f, "SmtpConfig({}:{}, {:?}, user {user:?}, {:?})", self.host, self.port, self.tls, self.timeout)
    }
}

/// The mail is out to at least one address: to all that are not named here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivered {
    /// For good.
    pub refused: Vec<Refused>,
    /// For now: worth another try, alone.
    pub deferred: Vec<Refused>,
}

/// One address that the server did not take the mail for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub recipient: String,
    pub code: u16,
    /// The server's words.
    pub text: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} {})", self.recipient, self.code, self.text)
    }
}

/// Nobody got the mail.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct DeliveryError {
    /// False: the server refused this mail for good; trying again changes nothing until a person does. It holds for every
    /// address that is named neither in `refused` nor in `deferred`.
    pub retry: bool,
    /// The server's own, when it answered.
    pub code: Option<u16>,
    /// Whom it was about, when it was about one.
    pub recipient: Option<String>,
    /// What happened and who can mend it, in one line.
    pub text: String,
    /// Of those that the server spoke about by name: for good, and for now.
    pub refused: Vec<Refused>,
    pub deferred: Vec<Refused>,
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl DeliveryError {
    /// About the mail as a whole, and not the server's last word.
    fn try_again(text: String) -> Self {
        DeliveryError { retry: true, code: None, recipient: None, text, refused: Vec::new(), deferred: Vec::new() }
    }
}

impl Post {
    /// Err: an address or certificate in the settings that can never work.
    pub fn smtp(config: SmtpConfig) -> Result<Post, DeliveryError> {
        conversation::check(&config)?;
        Ok(Post::Smtp(Box::new(SmtpPost { config, line: Mutex::new(None) })))
    }

    /// To everyone in its To header. Ok: the server, or the disk, has it. Can be called again for the same mail, and dropped
    /// half-way.
    pub async fn deliver(&self, message: &Message) -> Result<Delivered, DeliveryError> {
        self.deliver_to(message, |_| true).await
    }

    /// Only to those of its To header for whom `is_meant`: the others have it. A file is whole all the same.
    pub async fn deliver_to(
        &self,
        message: &Message,
        is_meant: impl Fn(&str) -> bool,
    ) -> Result<Delivered, DeliveryError> {
        match self {
            Post::Folder(folder) => folder::write(folder, message).await,
            Post::Smtp(post) => {
                let meant = |address: &&Address| is_meant((*address).as_ref());
                post.deliver(message, message.envelope().to().iter().filter(meant).cloned().collect()).await
            }
        }
    }
}

impl Post {
    /// Goes as far as a mail would without any mail: connects, TLS, login, and hangs up. A folder is always well.
    pub async fn try_line(&self) -> Result<(), DeliveryError> {
        let Post::Smtp(post) = self else { return Ok(()) };
        match tokio::time::timeout(post.config.timeout, conversation::greet(&post.config)).await {
            Ok(result) => result,
            Err(_) => Err(too_slow(&post.config)),
        }
    }
}

fn too_slow(config: &SmtpConfig) -> DeliveryError {
    DeliveryError::try_again(format!(
        "{}:{} did not finish within {} s; check the server and the network",
        config.host,
        config.port,
        config.timeout.as_secs_f32()
    ))
}

impl SmtpPost {
    async fn deliver(&self, message: &Message, to: Vec<Address>) -> Result<Delivered, DeliveryError> {
        let mut held = self.line.lock().await;
        // Taken out, and put back only when all went well: whatever happens in between, a line in an unknown state is
        // closed and never used again. lettre's own pool takes back what a timeout left half-way.
        let used = held.take();
        let talk = conversation::deliver(&self.config, used, message, &to);
        match tokio::time::timeout(self.config.timeout, talk).await {
            Ok((line, result)) => {
                *held = line;
                result
            }
            Err(_) => Err(too_slow(&self.config)),
        }
    }
}
