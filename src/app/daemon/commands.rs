//! Commands on their way to units. Owns waiting and trying again; the engine or a person decided them, the store keeps
//! them, the book says what became of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::domain::message::Command;
use crate::domain::on_demand::Hindrance;
use crate::domain::{UnitId, span_text};
use crate::io::gateway::{CommandSender, Undelivered};
use crate::io::mqtt::ExternalCommands;
use crate::wire::payload::{command_topic, encode_command};

use super::command_book::{CommandBook, Way};
use super::judge::Control;
use super::metrics::Metrics;
use crate::app::clock;

/// A unit that is away may come back: look this often until the command expires.
const TRY_EVERY: Duration = Duration::from_secs(2);
/// A unit that took the command but does not acknowledge it is asked again after this.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Commands that wait for their units. Full: the oldest go first.
const WAITING_MAX: usize = 10_000;
/// Units that are being asked at this moment: one that is slow to acknowledge holds up nobody else.
const UNDER_WAY_MAX: usize = 256;

/// The ways to the units. A unit that is connected to the gateway is told there.
#[derive(Clone)]
pub struct WayOut {
    pub gateway: Option<CommandSender>,
    pub external: Option<ExternalCommands>,
}

impl WayOut {
    async fn send(&self, root: &str, unit: &UnitId, payload: Bytes) -> Result<Way, Hindrance> {
        match (&self.gateway, &self.external) {
            (Some(gateway), external) if external.is_none() || gateway.is_connected(unit) => {
                match gateway.send(unit, payload).await {
                    Ok(()) => Ok(Way::Gateway),
                    Err(Undelivered::Offline) => Err(Hindrance::Away),
                    Err(Undelivered::NotSubscribed) => Err(Hindrance::TakesNoCommands),
                    Err(Undelivered::Busy | Undelivered::Lost) => Err(Hindrance::Slow),
                    Err(too_long @ Undelivered::TooLong) => Err(Hindrance::Other(too_long.to_string())),
                }
            }
            // What waits in our own queue is not on its way yet, and would be forgotten by a restart.
            (_, Some(external)) if !external.connected() => Err(Hindrance::BrokerAway),
            (_, Some(external)) => {
                let sent = external.send(unit, &command_topic(root, unit.as_str()), payload).await;
                sent.map(|()| Way::Broker).map_err(|e| Hindrance::Other(e.to_string()))
            }
            (_, None) => Err(Hindrance::Other("units have no way in".to_owned())),
        }
    }
}

type Errand = (UnitId, Command);

/// Runs until the judge has gone.
pub async fn run(
    way: WayOut,
    root: String,
    metrics: Metrics,
    book: Arc<CommandBook>,
    control: mpsc::Sender<Control>,
    mut decided: mpsc::UnboundedReceiver<Errand>,
) {
    let (mut due, mut resting): (VecDeque<Errand>, Vec<Errand>) = Default::default();
    let mut under_way: JoinSet<(Errand, Result<Way, Hindrance>)> = JoinSet::new();
    let mut tick = tokio::time::interval(TRY_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            next = decided.recv() => match next {
                Some(errand) => due.push_back(errand),
                None => return,
            },
            Some(tried) = under_way.join_next(), if !under_way.is_empty() => {
                // A task that panicked took its errand with it; after a restart the store gives it back.
                let Ok(((unit, command), result)) = tried else { continue };
                let now = clock::now();
                match result {
                    Ok(way) => {
                        metrics.commands.with_label_values(&["taken"]).inc();
                        tracing::info!("{unit} was asked: {}", command.act);
                        book.sent(now, &unit, &command.id, way);
                        // The judge has stopped: after the restart it is sent once more, and the unit knows its id.
                        let _ = control.send(Control::CommandTaken { unit, command: command.id, at: now }).await;
                    }
                    Err(why) => {
                        let left = span_text(command.expires.since(now));
                        tracing::debug!("{unit} cannot be asked now ({why}); trying for {left} more");
                        book.hindered(&unit, &command.id, why);
                        resting.push((unit, command));
                    }
                }
            }
            _ = tick.tick() => due.extend(resting.drain(..)),
        }
        while let Ok(errand) = decided.try_recv() {
            due.push_back(errand);
        }
        while due.len() + resting.len() > WAITING_MAX {
            match resting.is_empty() {
                true => drop(due.pop_front()),
                false => drop(resting.remove(0)),
            }
        }
        while under_way.len() < UNDER_WAY_MAX
            && let Some((unit, command)) = due.pop_front()
        {
            if command.expires <= clock::now() {
                tracing::warn!("{unit} was away too long for its {}: it has expired", command.act);
                metrics.commands.with_label_values(&["expired"]).inc();
                continue;
            }
            let (way, root) = (way.clone(), root.clone());
            under_way.spawn(async move {
                let payload = Bytes::from(encode_command(&command));
                let sent = tokio::time::timeout(ANSWER_WITHIN, way.send(&root, &unit, payload)).await;
                let result = sent.unwrap_or(Err(Hindrance::Slow));
                ((unit, command), result)
            });
        }
    }
}
