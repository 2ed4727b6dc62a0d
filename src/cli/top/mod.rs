//! `top`: the fleet as it is now, over the whole terminal. Owns the terminal and gives it back whatever happens: at the
//! end, on an error, on a panic, on SIGTERM. Never judges: the service does.

mod draw;
mod feed;
mod state;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use ratatui::crossterm::event::{self, Event};

use crate::config::query::check_query;
use crate::domain::query::UnitField;

use super::arguments::Output;
use super::ask::Done;
use super::client::Client;
use super::exit::Failure;
use super::screen::Screen;
use feed::Feed;
use state::State;

/// A key is answered at once; a signal, an answer and the clock within this.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub struct Top {
    /// Only these units: city=peshawar crew=saddar battery.voltage<11.8
    #[arg(value_name = "CONDITION")]
    pub filters: Vec<String>,
}

/// Gives the terminal back.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

pub fn run(client: Client, server: &str, screen: &Screen, args: &Top) -> Done {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "top needs a terminal of its own; for a program or a file there is `fleet list --output json`",
        ));
    }
    match screen.output {
        Output::Table => {}
        Output::Json | Output::Csv => {
            return Err(Failure::usage("top draws on the terminal only: drop --output, or use `fleet list`"));
        }
    }
    check_query::<UnitField>(&args.filters, None).map_err(|problems| Failure::usage(problems.join("\n")))?;
    let cannot = |e: io::Error| Failure::failed(format!("this terminal cannot be drawn on: {e}"));
    let told_to_end = on_signals().map_err(cannot)?;
    let colour = screen.look(Default::default()).colour;
    let mut state = State::new(server, screen.zone, colour, args.filters.join(" "));
    // From here on a panic gives the terminal back too.
    let mut terminal = ratatui::try_init().map_err(cannot)?;
    let _restore = Restore;
    let feed = Feed::start(client, state.wish.clone());
    let mut answered = Instant::now();
    while !state.over && !told_to_end.load(Ordering::Relaxed) {
        state.age = answered.elapsed();
        terminal.draw(|frame| draw::draw(frame, &mut state)).map_err(cannot)?;
        let wish = state.wish.clone();
        if event::poll(LOOK_EVERY).map_err(cannot)? {
            // A change of the terminal's size needs nothing but to be drawn again.
            if let Event::Key(key) = event::read().map_err(cannot)? {
                state.key(key);
            }
        }
        if state.wish != wish || std::mem::take(&mut state.hurry) {
            feed.wish(state.wish.clone());
        }
        for answer in feed.answers.try_iter() {
            if answer.is_ok() {
                answered = Instant::now();
            }
            state.take(answer);
        }
    }
    Ok(())
}

/// True once the program is told to end: a closed window, a shutdown.
fn on_signals() -> io::Result<Arc<AtomicBool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let flag = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&flag);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let guard = runtime.enter();
    let (mut end, mut gone) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    let mut stop = signal(SignalKind::interrupt())?;
    drop(guard);
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = end.recv() => {}
                _ = gone.recv() => {}
                _ = stop.recv() => {}
            }
        });
        told.store(true, Ordering::Relaxed);
    });
    Ok(flag)
}
