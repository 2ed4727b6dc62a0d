//! Asks the service on a thread of its own, so that a slow answer never holds up the keys. Never decides what to ask.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crate::domain::Readiness;
use crate::domain::view::{Health, UnitRow};

use super::super::card;
use super::super::client::Client;
use super::super::exit::{Exit, Failure};
use super::state::{Body, Fresh, Page, Wish};

const ASK_EVERY: Duration = Duration::from_secs(2);
/// More rows than anybody scrolls through; the heading says how many there are.
const ROWS: &str = "1000";
const CHANGES: &str = "8";

pub type Answer = Result<Box<Fresh>, String>;

pub struct Feed {
    wishes: Sender<Wish>,
    pub answers: Receiver<Answer>,
}

impl Feed {
    /// The thread ends with this, after the answer that it waits for.
    pub fn start(client: Client, first: Wish) -> Feed {
        let (wishes, asked) = channel();
        let (told, answers) = channel();
        std::thread::spawn(move || run(&client, first, &asked, &told));
        Feed { wishes, answers }
    }

    /// Asks at once.
    pub fn wish(&self, wish: Wish) {
        // The thread has ended only if this program is ending too.
        let _ = self.wishes.send(wish);
    }
}

fn run(client: &Client, mut wish: Wish, wishes: &Receiver<Wish>, told: &Sender<Answer>) {
    loop {
        let began = Instant::now();
        if told.send(ask(client, &wish).map(Box::new).map_err(|f| f.text)).is_err() {
            return;
        }
        match wishes.recv_timeout(ASK_EVERY.saturating_sub(began.elapsed())) {
            // Only the last one counts.
            Ok(next) => wish = wishes.try_iter().last().unwrap_or(next),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn ask(client: &Client, wish: &Wish) -> Result<Fresh, Failure> {
    let health = client.get::<Health>("health")?;
    let filter = (!wish.filter.is_empty()).then_some(("filter", wish.filter.as_str()));
    let units = |more: &[(&str, &str)]| {
        let query: Vec<(&str, &str)> = filter.into_iter().chain(more.iter().copied()).collect();
        client.get_first::<UnitRow>("units", &query)
    };
    let mut counts = Vec::new();
    for readiness in Readiness::ALL {
        let condition = format!("readiness={readiness}");
        let (_, count) = units(&[("filter", &condition), ("limit", "1")])?;
        if count > 0 {
            counts.push((*readiness, count));
        }
    }
    let sort = ("sort", wish.order.field());
    let not_ready = ("filter", "readiness!=ready");
    let (rows, rows_total) =
        if wish.all { units(&[sort, ("limit", ROWS)])? } else { units(&[not_ready, sort, ("limit", ROWS)])? };
    let (changes, _) = units(&[("sort", "-since"), ("limit", CHANGES)])?;
    let page = match &wish.page {
        None | Some(Page::Keys) => None,
        Some(page) => Some(ask_page(client, page)?),
    };
    let (now, changes, rows) = (rows.now, changes.value, rows.value);
    Ok(Fresh { wish: wish.clone(), now, health: health.value, counts, rows, rows_total, changes, page })
}

fn ask_page(client: &Client, page: &Page) -> Result<Body, Failure> {
    let most = [("limit", ROWS)];
    let body = match page {
        Page::Card(unit) => card::fetch(client, unit).map(|card| Body::Card(Box::new(card.value))),
        Page::Orders => client.get_first("orders", &most).map(|(rows, total)| Body::Orders(rows.value, total)),
        Page::Alerts => client.get_first("alerts", &most).map(|(rows, total)| Body::Alerts(rows.value, total)),
        Page::Incidents => client.get_first("incidents", &most).map(|(rows, total)| Body::Incidents(rows.value, total)),
        Page::Keys => unreachable!("`ask` knows the keys by itself"),
    };
    match body {
        Err(failure) if failure.exit == Exit::NotFound => Ok(Body::Gone(failure.text)),
        other => other,
    }
}
