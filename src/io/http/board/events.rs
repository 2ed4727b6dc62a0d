//! `/events`: tells open pages what each commit changed. Owns how many may listen and how often they are told. Never sends
//! what a page shows: the page looks for itself.
//!
//! Design constraints
//! - A connection is held for as long as the page is open, and the door has 256 places: no more than [`LISTENERS`] of them.
//!   The next one hears 503, and its page looks every now and then instead.
//! - A listener that is slow gets no queue: what it missed becomes one "look anew at everything".
//! - At most one event a second, however busy the judge is.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;

use crate::domain::overview::Changed;

pub const LISTENERS: usize = 96;
/// Well within the door's patience, and within that of most proxies.
const HEARTBEAT: Duration = Duration::from_secs(15);
const AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// One that takes nothing for so long has gone.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);
/// When a browser should come back after it was cut off.
const RETRY: Duration = Duration::from_secs(3);

/// Where pages listen.
pub struct Events {
    places: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

#[derive(Serialize)]
struct Told<'a> {
    units: Vec<&'a str>,
    orders: Vec<String>,
    incidents: Vec<String>,
    more: bool,
}

impl Events {
    /// They all end when `closing` says so, or is gone.
    pub fn new(closing: watch::Receiver<bool>) -> Self {
        Events { places: Arc::new(Semaphore::new(LISTENERS)), closing }
    }

    pub fn listen(&self, changes: broadcast::Receiver<Arc<Changed>>) -> Response {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            let full = "Too many pages listen. This one looks every now and then instead.\n";
            return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "30")], full).into_response();
        };
        let (to, from) = mpsc::channel(1);
        tokio::spawn(tell(changes, to, self.closing.clone(), place));
        let mut response = Sse::new(ReceiverStream::new(from)).into_response();
        // A proxy that gathers would keep the news.
        response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
        response
    }
}

async fn tell(
    mut changes: broadcast::Receiver<Arc<Changed>>,
    to: mpsc::Sender<Result<Event, Infallible>>,
    mut closing: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    let mut news = Changed::default();
    let mut beat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next = Instant::now();
    let mut event = Some(Event::default().retry(RETRY).comment("listening"));
    loop {
        if let Some(event) = event.take()
            && !matches!(timeout(TAKEN_WITHIN, to.send(Ok(event))).await, Ok(Ok(())))
        {
            return;
        }
        tokio::select! {
            change = changes.recv() => match change {
                Ok(change) => news.merge(&change),
                Err(RecvError::Lagged(_)) => news.and_more = true,
                Err(RecvError::Closed) => return,
            },
            _ = beat.tick() => event = Some(Event::default().comment("still here")),
            () = sleep_until(next), if !news.is_empty() => {
                event = Some(written(&std::mem::take(&mut news)));
                next = Instant::now() + AT_MOST_EVERY;
            }
            // Err: the listener of all is gone.
            _ = closing.changed() => return,
            () = to.closed() => return,
        }
    }
}

fn written(news: &Changed) -> Event {
    let told = Told {
        units: news.units.iter().map(|u| u.as_str()).collect(),
        orders: news.orders.iter().map(ToString::to_string).collect(),
        incidents: news.incidents.iter().map(|(kind, name)| format!("{kind} {name}")).collect(),
        more: news.and_more,
    };
    let json = serde_json::to_string(&told).expect("words become JSON");
    Event::default().event("changed").data(json)
}
