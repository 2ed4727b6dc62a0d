//! Commands on their way to units. Owns waiting and trying again; the engine decided them, the store keeps them.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::domain::message::Command;
use crate::domain::{UnitId, span_text};
use crate::io::gateway::CommandSender;
use crate::io::mqtt::ExternalCommands;
use crate::wire::payload::{command_topic, encode_command};

use super::metrics::Metrics;
use crate::app::clock;

/// A unit that is away may come back: look this often until the command expires.
const TRY_EVERY: Duration = Duration::from_secs(2);
/// A unit that took the command but does not acknowledge it is asked again after this.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// A unit is told at most this many things while it is away; the oldest go first.
const WAITING_MAX: usize = 10_000;

/// The ways to the units. A unit that is connected to the gateway is told there.
pub struct WayOut {
    pub gateway: Option<CommandSender>,
    pub external: Option<ExternalCommands>,
}

impl WayOut {
    async fn send(&self, root: &str, unit: &UnitId, payload: Bytes) -> Result<(), String> {
        match (&self.gateway, &self.external) {
            (Some(gateway), external) if external.is_none() || gateway.is_connected(unit) => {
                gateway.send(unit, payload).await.map_err(|e| e.to_string())
            }
            (_, Some(external)) => {
                external.send(unit, &command_topic(root, unit.as_str()), payload).await.map_err(|e| e.to_string())
            }
            (_, None) => Err("units have no way in".to_owned()),
        }
    }
}

/// Runs until the judge has gone.
pub async fn run(way: WayOut, root: String, metrics: Metrics, mut decided: mpsc::UnboundedReceiver<(UnitId, Command)>) {
    let mut waiting: Vec<(UnitId, Command)> = Vec::new();
    let mut tick = tokio::time::interval(TRY_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            next = decided.recv() => match next {
                Some(command) => waiting.push(command),
                None => return,
            },
            _ = tick.tick() => {}
        }
        while let Ok(command) = decided.try_recv() {
            waiting.push(command);
        }
        let excess = waiting.len().saturating_sub(WAITING_MAX);
        waiting.drain(..excess);
        let mut later = Vec::new();
        for (unit, command) in waiting.drain(..) {
            let now = clock::now();
            if command.expires <= now {
                tracing::warn!("{unit} was away too long for its {}: it has expired", command.act);
                metrics.commands.with_label_values(&["expired"]).inc();
                continue;
            }
            let payload = Bytes::from(encode_command(&command));
            match tokio::time::timeout(ANSWER_WITHIN, way.send(&root, &unit, payload)).await {
                Ok(Ok(())) => {
                    metrics.commands.with_label_values(&["taken"]).inc();
                    tracing::info!("{unit} was asked: {}", command.act);
                }
                Ok(Err(why)) => {
                    let left = span_text(command.expires.since(now));
                    tracing::debug!("{unit} cannot be asked now ({why}); trying for {left} more");
                    later.push((unit, command));
                }
                Err(_) => later.push((unit, command)),
            }
        }
        waiting = later;
    }
}
