//! Keeps a broker alive: feeds it, watches it, throws it away and starts another. Never gives up.

use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::BusConfig;
use super::backlog::Shared;
use super::broker::Broker;

/// Wait before the next start. The first fault is mended at once; a bus that breaks all the time costs little.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LONGEST: Duration = Duration::from_secs(10);

/// A broker that lived this long was a good one.
const STEADY: Duration = Duration::from_secs(60);

/// How often an observer's CONNECT is tried. Each costs two packets.
const PROBE_EVERY: Duration = Duration::from_secs(3);

/// One miss is a busy machine, two in a row are a fault.
const PROBE_MISSES: u32 = 2;

/// Copies handed over at once.
const BATCH: usize = 500;

/// While the router has not fetched what it was given.
const BREATHE: Duration = Duration::from_millis(5);

enum End {
    Stopped,
    Broken(String),
}

/// Runs until it is told to stop, or its `Bus` is gone. Reports the first start only.
pub(super) fn run(
    config: &BusConfig,
    shared: &Shared,
    mut stop: oneshot::Receiver<()>,
    ready: &SyncSender<Result<(), String>>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return report(ready, Err(e.to_string())),
    };
    runtime.block_on(async {
        let mut life = 0;
        let mut broker = match open(config, life) {
            Ok(broker) => broker,
            Err(why) => return report(ready, Err(why)),
        };
        shared.up.store(true, Ordering::Relaxed);
        report(ready, Ok(()));
        let mut retry = RETRY_FIRST;
        loop {
            let born = Instant::now();
            let end = serve(&mut broker, shared, &mut stop).await;
            shared.up.store(false, Ordering::Relaxed);
            broker.close().await;
            let why = match end {
                End::Stopped => return,
                End::Broken(why) => why,
            };
            tracing::warn!("the observers' bus broke and is started again; the units' way in is not touched: {why}");
            if born.elapsed() >= STEADY {
                retry = RETRY_FIRST;
            }
            broker = loop {
                tokio::select! {
                    biased;
                    _ = &mut stop => return,
                    () = sleep(retry) => {}
                }
                retry = (retry * 2).min(RETRY_LONGEST);
                life += 1;
                match open(config, life) {
                    Ok(broker) => break broker,
                    Err(why) => tracing::warn!("the observers' bus does not start: {why}"),
                }
            };
            let told = shared.nothing_is_told();
            shared.work.notify_one();
            shared.restarts.fetch_add(1, Ordering::Relaxed);
            shared.up.store(true, Ordering::Relaxed);
            tracing::info!("the observers' bus runs again, with {told} retained messages");
        }
    });
}

fn report(ready: &SyncSender<Result<(), String>>, first: Result<(), String>) {
    // `Bus::start` has lost patience: its `Bus` is dropped, which stops us.
    let _ = ready.send(first);
}

/// rumqttd unwraps when it cannot start a thread, and when its router dies under a link that registers.
fn open(config: &BusConfig, life: usize) -> Result<Broker, String> {
    std::panic::catch_unwind(|| Broker::open(config, life)).unwrap_or_else(|_| Err("rumqttd panicked".to_owned()))
}

async fn serve(broker: &mut Broker, shared: &Shared, stop: &mut oneshot::Receiver<()>) -> End {
    let mut probes = interval_at(Instant::now() + PROBE_EVERY, PROBE_EVERY);
    probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut probing: Option<JoinHandle<bool>> = None;
    let mut missed = 0;
    loop {
        tokio::select! {
            biased;
            _ = &mut *stop => return End::Stopped,
            why = broker.ended() => return End::Broken(why),
            succeeded = finished(&mut probing) => {
                probing = None;
                missed = if succeeded { 0 } else { missed + 1 };
                if missed >= PROBE_MISSES {
                    return End::Broken("it lets no observer in".to_owned());
                }
            }
            _ = probes.tick(), if probing.is_none() => probing = Some(tokio::spawn(broker.probe().succeeds())),
            () = shared.work.notified() => {
                if let Err(why) = feed(broker, shared).await {
                    return End::Broken(why);
                }
            }
        }
    }
}

/// One batch. What is left asks for the next turn itself, so that a stream of copies never hides the end.
async fn feed(broker: &mut Broker, shared: &Shared) -> Result<(), String> {
    if !broker.has_room() {
        sleep(BREATHE).await;
        shared.work.notify_one();
        return Ok(());
    }
    let copies = shared.take(BATCH);
    if copies.is_empty() {
        return Ok(());
    }
    shared.work.notify_one();
    broker.publish(copies).await
}

/// Whether the probe succeeded. Pending while there is none.
async fn finished(probing: &mut Option<JoinHandle<bool>>) -> bool {
    match probing {
        Some(probing) => probing.await.unwrap_or(false),
        None => std::future::pending().await,
    }
}
