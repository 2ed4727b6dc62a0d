//! HTTP: health, metrics and the JSON API of `docs/api.md`. Owns the listener and who may ask.
//! Never answers from its own knowledge, never judges, never touches the store: it asks a [`Service`].

mod api;
mod board;
mod body;
mod commands;
mod crew;
mod door;
mod endpoint;
mod fleet_file;
mod guard;
mod links;
mod list;
mod openapi;
mod paths;
pub mod problem;
mod public;
mod question;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware::from_fn_with_state;
use chrono_tz::Tz;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, oneshot, watch};
use tokio::task::JoinHandle;

use crate::domain::Token;
use crate::domain::overview::Changed;
use crate::domain::view::{Answer, Ask, AskError, LinkUse};
use crate::render::board::Words;

pub use api::{AcceptBody, MaintenanceBody, RebaselineBody, RefusedMails, RetryMailsBody, SetMailBody, SetOrderBody};
use board::BoardDoor;
pub use body::CSV_BYTES_MAX;
pub use commands::CommandBody;
pub use crew::CrewDoor;
pub use links::{BadLink, Links};
pub use list::LIMIT_MAX;
pub use problem::Problem;

use board::sessions::Sessions;
use guard::{Guard, TOKEN_LENGTH_MIN};

/// The API's description, OpenAPI 3.1; as `GET /api/v1/openapi.json`.
pub fn openapi_document() -> serde_json::Value {
    openapi::document(&paths::all())
}

/// Whoever can answer. The daemon does; tests have their own.
pub trait Service: Send + Sync + 'static {
    fn ask(&self, ask: Ask) -> Pin<Box<dyn Future<Output = Result<Answer, AskError>> + Send + '_>>;
    /// Prometheus text. May block for milliseconds.
    fn metrics(&self) -> String;
    /// Somebody used a link of a mail: to be counted.
    fn link_used(&self, how: LinkUse);
    /// What each commit changes from now on. One that is too slow misses some and is told so.
    fn changes(&self) -> broadcast::Receiver<Arc<Changed>>;
    /// Err: what is missing before it can do its whole job (store open, fleet loaded, hearing).
    fn ready(&self) -> Result<(), Vec<String>>;
}

/// A request under way gets so long to end when the service stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// What the board's operator has chosen.
pub struct BoardSettings {
    pub words: Words,
    /// Whose clock the pages show.
    pub zone: Tz,
}

/// A listener that answers. Dropped: it stops taking connections.
pub struct Http {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    /// Ends what listens for changes: it would never end by itself.
    closing: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Http {
    /// Listens from here on. Err: the address cannot be had, or would be open to the network without a token.
    pub async fn start(
        listen: SocketAddr,
        service: Arc<dyn Service>,
        tokens: Vec<Token>,
        crew: CrewDoor,
        board: BoardSettings,
    ) -> Result<Http, HttpError> {
        if tokens.is_empty() && !listen.ip().is_loopback() {
            return Err(HttpError::OpenWithoutToken { listen });
        }
        for (place, token) in tokens.iter().enumerate() {
            check_token(token)?;
            if tokens[..place].iter().any(|earlier| earlier.secret == token.secret) {
                return Err(HttpError::TokenTwice { name: called(token) });
            }
        }
        let listener = TcpListener::bind(listen).await.map_err(|error| HttpError::of_bind(listen, error))?;
        let address = listener.local_addr().map_err(|error| HttpError::of_bind(listen, error))?;
        let door = door::Door::new(listener, door::PLACES, door::PATIENCE);
        let (closing, closed) = watch::channel(false);
        let guard = Arc::new(Guard::new(&tokens));
        let hall = board::hall(
            Arc::clone(&service),
            BoardDoor {
                words: board.words,
                zone: board.zone,
                sessions: Sessions::new(crew.links.clone()),
                guard: Arc::clone(&guard),
                now: crew.now,
                closing: closed,
            },
        );
        let router = api::router(Arc::clone(&service), guard)
            .merge(public::router(Arc::clone(&service)))
            .merge(board::router(&hall))
            .merge(crew::router(service, crew))
            .layer(from_fn_with_state(Arc::clone(&hall), board::people));
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(async move {
            // `stopped` also ends when the Http is dropped.
            let serve = axum::serve(door, router).with_graceful_shutdown(async {
                let _ = stopped.await;
            });
            if let Err(error) = serve.await {
                tracing::error!(%error, "HTTP stopped serving");
            }
        });
        Ok(Http { address, stop, closing, serving })
    }

    /// With the port that the system chose, when 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets requests under way end, at most for 5 s.
    pub async fn stop(self) {
        let Http { stop, closing, mut serving, address: _ } = self;
        let _ = closing.send(true);
        let _ = stop.send(());
        if tokio::time::timeout(FAREWELL, &mut serving).await.is_err() {
            serving.abort();
        }
    }
}

fn check_token(token: &Token) -> Result<(), HttpError> {
    let (secret, name) = (&token.secret, called(token));
    if secret.len() < TOKEN_LENGTH_MIN {
        return Err(HttpError::WeakToken { name, length: secret.len() });
    }
    if !secret.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(HttpError::UnusableToken { name });
    }
    Ok(())
}

fn called(token: &Token) -> String {
    match &token.name {
        Some(name) => format!("the token {name:?}"),
        None => "the token of BUTTONWATCH_TOKEN".to_owned(),
    }
}

/// Why HTTP could not be started.
#[derive(Debug)]
pub enum HttpError {
    PortTaken { listen: SocketAddr },
    NotPermitted { listen: SocketAddr },
    NoSuchAddress { listen: SocketAddr },
    OpenWithoutToken { listen: SocketAddr },
    WeakToken { name: String, length: usize },
    UnusableToken { name: String },
    TokenTwice { name: String },
    Other { listen: SocketAddr, error: io::Error },
}

impl HttpError {
    fn of_bind(listen: SocketAddr, error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::AddrInUse {
            HttpError::PortTaken { listen }
        } else if error.kind() == io::ErrorKind::PermissionDenied {
            HttpError::NotPermitted { listen }
        } else if error.kind() == io::ErrorKind::AddrNotAvailable {
            HttpError::NoSuchAddress { listen }
        } else {
            HttpError::Other { listen, error }
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpError::PortTaken { listen } => write!(
                f,
                "HTTP cannot listen on {listen}: another program has this port (another buttonwatch?). Stop it, or \
                 choose another address with --http"
            ),
            HttpError::NotPermitted { listen } => write!(
                f,
                "HTTP cannot listen on {listen}: the system does not permit it. Ports below 1024 need rights of their \
                 own; choose a higher one with --http"
            ),
            HttpError::NoSuchAddress { listen } => write!(
                f,
                "HTTP cannot listen on {listen}: this machine does not have the address {}. Choose one it has with \
                 --http, or 127.0.0.1",
                listen.ip()
            ),
            HttpError::OpenWithoutToken { listen } => write!(
                f,
                "HTTP would be open to everyone who can reach {listen}. Set a token of at least {TOKEN_LENGTH_MIN} \
                 characters (`openssl rand -hex 16` makes one) in BUTTONWATCH_TOKEN, or name its file in [[http.token]]; or \
                 listen on 127.0.0.1"
            ),
            HttpError::TokenTwice { name } => write!(
                f,
                "{name} is the same as another one: who uses it, and what they may, could not be told. Make a new one with \
                 `openssl rand -hex 16`"
            ),
            HttpError::WeakToken { name, length } => write!(
                f,
                "{name} has {length} characters and could be guessed. Use at least {TOKEN_LENGTH_MIN}; \
                 `openssl rand -hex 16` makes a good one"
            ),
            HttpError::UnusableToken { name } => write!(
                f,
                "{name} has characters that cannot stand in a header. Use letters, digits and signs without \
                 spaces; `openssl rand -hex 16` makes a good one"
            ),
            HttpError::Other { listen, error } => write!(f, "HTTP cannot listen on {listen}: {error}"),
        }
    }
}

impl std::error::Error for HttpError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            HttpError::Other { error, .. } => Some(error),
            HttpError::PortTaken { .. }
            | HttpError::NotPermitted { .. }
            | HttpError::NoSuchAddress { .. }
            | HttpError::OpenWithoutToken { .. }
            | HttpError::WeakToken { .. }
            | HttpError::UnusableToken { .. }
            | HttpError::TokenTwice { .. } => None,
        }
    }
}
