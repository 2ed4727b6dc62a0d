//! An external broker (Mosquitto, EMQX, HiveMQ …) as the way in, by rumqttc: persistent session, QoS 1, and an
//! acknowledgement only after the commit. Owns the one connection and its session. Never decodes, never judges.
//!
//! Design constraints
//! - **An ack is a promise.** A PUBACK leaves only after [`Acknowledge::committed`](crate::wire::ingest::Acknowledge). A
//!   packet id means nothing on another connection, so every promise carries the number of its connection (its epoch) and
//!   a stale one is thrown away; the broker sends those messages again. A chunk that is dropped uncommitted closes the
//!   connection, so that its messages come again too instead of filling the broker's in-flight window for ever.
//! - **Everything that arrives is acknowledged**, foreign and broken messages too: the decoder refuses them and the
//!   commit goes on. A message that nobody acknowledges would use up the window, and hearing would stop in silence.
//! - **Full: the broker waits.** When the ingest channel has no room, this stops reading and keeps pinging, so TCP pushes
//!   back on the broker and the connection lives. At most one chunk (1,000 messages, 4 MiB) is held here meanwhile.
//!   Nothing is dropped here; a broker drops QoS 0 by its own rules.
//! - **No deadlock by acks.** `committed` puts one note per chunk on an unbounded channel and never waits. The channel is
//!   bounded all the same: a note stands for a chunk that went through the bounded ingest channel, at most once.
//! - **What was heard stays heard.** Messages that came before a connection broke are handed on, without a promise: the
//!   broker may send them again (everything is idempotent by unit, boot and seq), or may itself have lost them.
//! - `Up` is said when the broker has granted the subscriptions, `Down` once for each loss.
//!
//! What the broker should be told: keep sessions on disk, and let a session queue more than Mosquitto's default of 1,000
//! messages (`persistence true`, `max_queued_messages 100000`), or it drops what comes while Buttonwatch is away. Mosquitto's
//! `acl_file` grants every subscription and then withholds the messages in silence: the user needs `topic read {root}/#`
//! and `topic write {root}/+/command`.

mod config;
mod intake;
mod knock;
mod link;
mod reason;

use std::fmt;

use bytes::Bytes;
use rumqttc::AsyncClient;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::domain::UnitId;
use crate::wire::ingest::Ingest;

pub use config::{ExternalConfig, ExternalError, ExternalIdentity, ExternalTls};
pub use knock::knock;
use link::{Command, Link};

/// Commands that wait for the broker. Full: [`ExternalCommands::send`] waits.
/// 1,000: one self-test each for a province's units at once, 16 MiB at the very most.
const COMMANDS_WAITING: usize = 1_000;

/// The connection to the external broker. Dropped: it ends as by [`External::stop`], unawaited.
pub struct External {
    commands: mpsc::Sender<Command>,
    state: watch::Receiver<State>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// What can be told about the connection at any moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct State {
    hearing: bool,
    trouble: Option<String>,
}

impl External {
    /// Checks the configuration, reads its TLS files and begins to connect. A broker that cannot be reached is not an
    /// error here: `Ingest::Hearing(Down)` is said, and it is tried for ever.
    pub async fn start(config: ExternalConfig, ingest: mpsc::Sender<Ingest>) -> Result<External, ExternalError> {
        let options = config.options()?;
        let (client, eventloop) = AsyncClient::new(options, link::REQUESTS);
        let (commands, waiting) = mpsc::channel(COMMANDS_WAITING);
        let (stop, stopped) = oneshot::channel();
        let (told, state) = watch::channel(State::default());
        let link = Link::new(config, client, eventloop, ingest, waiting, stopped, told);
        let task = tokio::spawn(link.run());
        Ok(External { commands, state, stop, task })
    }

    pub fn commands(&self) -> ExternalCommands {
        ExternalCommands { to_link: self.commands.clone(), state: self.state.clone() }
    }

    /// True while the broker is connected and has granted the subscriptions.
    pub fn connected(&self) -> bool {
        self.state.borrow().hearing
    }

    /// Why it is not connected, in words for the operator. None while connected, or before the first try.
    pub fn trouble(&self) -> Option<String> {
        self.state.borrow().trouble.clone()
    }

    /// Sends the acks of what is committed by now and says goodbye to the broker. What is not committed comes again at
    /// the next start with the same client id.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        if let Err(e) = self.task.await {
            tracing::error!("the connection to the MQTT broker ended badly: {e}");
        }
    }
}

/// Commands to units, by way of the external broker.
#[derive(Clone)]
pub struct ExternalCommands {
    to_link: mpsc::Sender<Command>,
    state: watch::Receiver<State>,
}

impl ExternalCommands {
    /// False: what is sent now waits for the broker.
    pub fn connected(&self) -> bool {
        self.state.borrow().hearing
    }

    /// QoS 1, not retained. Returns when the command is queued; it leaves when the broker is connected, and again after
    /// a connection that was lost before the broker had acknowledged it.
    /// Full (1,000 waiting): waits. Err: stopped, or `topic` is not a topic one can publish on.
    pub async fn send(&self, unit: &UnitId, topic: &str, payload: Bytes) -> Result<(), CommandError> {
        if !rumqttc::valid_topic(topic) || topic.is_empty() {
            return Err(CommandError::BadTopic { unit: unit.clone(), topic: topic.to_owned() });
        }
        let command = Command { topic: topic.to_owned(), payload };
        self.to_link.send(command).await.map_err(|_| CommandError::Stopped { unit: unit.clone() })
    }
}

/// A command that was not queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandError {
    BadTopic { unit: UnitId, topic: String },
    Stopped { unit: UnitId },
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandError::BadTopic { unit, topic } => {
                write!(f, "command to {unit} not sent: {topic:?} is not a topic to publish on; correct the topic root")
            }
            CommandError::Stopped { unit } => {
                write!(f, "command to {unit} not sent: the service is stopping; send it again when it runs")
            }
        }
    }
}

impl std::error::Error for CommandError {}
