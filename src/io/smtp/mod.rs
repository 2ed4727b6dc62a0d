//! Gets a rendered mail out of the house: to an SMTP server, or as a file into a folder.
//!
//! Owns packing, the conversation with the server, and the judgement whether a failure is worth another try. Never decides
//! to send: the outbox's worker asks, and marks what came of it. Sending twice is safe: the Message-ID is the same.

mod conversation;
mod folder;
mod pack;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use lettre::Message;
use thiserror::Error;
use tokio::sync::Mutex;

use crate::domain::MessageId;

pub use pack::{PackError, to_message};

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

/// The mail is out. Some of its recipients may have been refused for good all the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivered {
    pub refused: Vec<Refused>,
}

/// One address that the server will not take mail for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub recipient: String,
    pub code: u16,
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
    /// False: the server refused this mail for good; trying again changes nothing until a person does.
    pub retry: bool,
    /// The server's own, when it answered.
    pub code: Option<u16>,
    /// Whom it was about, when it was about one.
    pub recipient: Option<String>,
    /// What happened and who can mend it, in one line.
    pub text: String,
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Post {
    /// Err: an address or certificate in the settings that can never work.
    pub fn smtp(config: SmtpConfig) -> Result<Post, DeliveryError> {
        conversation::check(&config)?;
        Ok(Post::Smtp(Box::new(SmtpPost { config, line: Mutex::new(None) })))
    }

    /// Ok: the server, or the disk, has it. Can be called again for the same mail, and dropped half-way.
    pub async fn deliver(&self, message: &Message) -> Result<Delivered, DeliveryError> {
        match self {
            Post::Folder(folder) => folder::write(folder, message).await,
            Post::Smtp(post) => post.deliver(message).await,
        }
    }
}

impl SmtpPost {
    async fn deliver(&self, message: &Message) -> Result<Delivered, DeliveryError> {
        let mut held = self.line.lock().await;
        // Taken out, and put back only when all went well: whatever happens in between, a line in an unknown state is
        // closed and never used again. lettre's own pool takes back what a timeout left half-way.
        let used = held.take();
        let talk = conversation::deliver(&self.config, used, message);
        match tokio::time::timeout(self.config.timeout, talk).await {
            Ok((line, result)) => {
                *held = line;
                result
            }
            Err(_) => Err(DeliveryError {
                retry: true,
                code: None,
                recipient: None,
                text: format!(
                    "{}:{} did not finish within {} s; check the server and the network",
                    self.config.host,
                    self.config.port,
                    self.config.timeout.as_secs_f32()
                ),
            }),
        }
    }
}

/// First try after a minute, then twice as long each time up to an hour.
const FIRST_RETRY: Duration = Duration::from_secs(60);
const LAST_RETRY: Duration = Duration::from_secs(3600);

/// How long to wait after the `tries`th failed try (1: the first). Up to a fifth less than the round figure, by the
/// Message-ID, so that a hundred mails that failed together do not all come back in the same second.
pub fn retry_delay(tries: u32, message_id: &MessageId) -> Duration {
    let doubled = FIRST_RETRY.saturating_mul(1 << tries.saturating_sub(1).min(16));
    let round = doubled.min(LAST_RETRY);
    // FNV-1a: the same on every machine and in every version, which std's hasher does not promise.
    let hash = message_id
        .as_str()
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01B3));
    let share = (hash.rotate_left(tries.min(63)) >> 32) as u32 % 1000;
    (round - round / 5 * share / 1000).max(FIRST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> MessageId {
        MessageId::parse(&format!("<{text}@example.org>")).expect("valid")
    }

    #[test]
    fn delays_grow_from_a_minute_to_an_hour_and_spread() {
        let mut shortest = Duration::ZERO;
        for tries in 0..200 {
            let delays: Vec<Duration> = (0..50).map(|n| retry_delay(tries, &id(&format!("wo-{n}")))).collect();
            let (least, most) = (delays.iter().min().expect("some"), delays.iter().max().expect("some"));
            assert!(*least >= FIRST_RETRY && *most <= LAST_RETRY, "{tries}: {least:?} to {most:?}");
            assert!(*least + Duration::from_secs(60) >= shortest, "{tries}: shorter than before");
            assert!(tries < 2 || most > least, "{tries}: all at once");
            shortest = *least;
        }
        assert!(retry_delay(1, &id("a")) <= Duration::from_secs(60));
        assert!(retry_delay(u32::MAX, &id("a")) >= Duration::from_secs(48 * 60));
        assert_eq!(retry_delay(5, &id("a")), retry_delay(5, &id("a")));
    }
}
