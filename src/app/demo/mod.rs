//! `demo`: the whole job in one process, on free loopback ports and a scratch folder. The units are real MQTT clients, the
//! mails real files. Owns the plot; judges nothing itself.

mod story;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, mpsc};

use crate::config::alerts::check_alerts;
use crate::config::fleet::check_fleet;
use crate::config::service::ServiceConfig;
use crate::domain::event::OrderMove;
use crate::domain::query::Query;
use crate::domain::view::{Answer, Ask};
use crate::domain::{Component, Fleet, OrderId, OrderState, UnitId};

use super::arguments::DemoArgs;
use super::clock;
use super::daemon::{Handle, Parts, ServeError, UnitsEntry, start};
use super::fleet_file::FleetFile;
use super::serve::told_to_stop;
use super::simulate::{Control, Fault, FaultKind, Scenario, SimulateOptions, Target, Timetable, run};

use story::{Cast, Promise, Story};

const FLEET: &str = include_str!("../../../fixtures/fleets/peshawar.csv");
const RULES: &str = include_str!("alerts.toml");

/// Short enough that three missed beats fit into the story, long enough for a slow machine.
const HEARTBEAT: Duration = Duration::from_secs(1);
const POWER: Duration = Duration::from_secs(2);
const SELFTEST: Duration = Duration::from_secs(4);
/// How long a repair must hold here; two hours in real life.
const HOLD: Duration = Duration::from_secs(5);
/// If the units are not all ready by then, the faults begin all the same and the verdict says so.
const READY_WITHIN: Duration = Duration::from_secs(25);
/// What the crew does, so many seconds after its order was opened.
const CREW: [(u64, OrderMove); 3] = [(2, OrderMove::Acknowledged), (4, OrderMove::EnRoute), (7, OrderMove::Repaired)];

/// Ok: did the story come true? Err: it could not even begin.
pub async fn demo(args: DemoArgs) -> Result<bool, ServeError> {
    let scratch = match &args.dir {
        Some(_) => None,
        None => Some(
            tempfile::Builder::new()
                .prefix("buttonwatch-demo-")
                .tempdir()
                .map_err(|e| ServeError(format!("no scratch folder can be made: {e}; name one with --dir")))?,
        ),
    };
    // Kept after the end, so that the mails can be read.
    let dir = scratch.map(tempfile::TempDir::keep).or(args.dir).unwrap_or_else(|| PathBuf::from("buttonwatch-demo"));
    let units = check_fleet("peshawar.csv", FLEET.as_bytes()).map_err(|e| ServeError(e.to_string()))?;
    let units: Vec<_> = units.into_iter().map(|u| crate::domain::Unit { heartbeat: Some(HEARTBEAT), ..u }).collect();
    let fleet = Fleet::new(units.clone());
    let file = FleetFile::new(units, FLEET.as_bytes());
    let cast = Cast::choose(&fleet).ok_or_else(|| ServeError("the demo's fleet is too small".to_owned()))?;
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut config = ServiceConfig { data: dir.clone(), bus: Some(free), ..ServiceConfig::default() };
    config.gateway.get_or_insert_with(Default::default).listen = free;
    config.http.listen = free;
    config.judgement.hold = HOLD;
    let rules = check_alerts("the demo's alerts.toml", RULES).map_err(|e| ServeError(e.to_string()))?;
    let rules_toml = RULES.to_owned();
    let parts = Parts { config, rules_toml, rules, rules_file: None, fleet: Some(file), token: None };
    let mut running = start(parts).await?;
    let UnitsEntry::Gateway(gateway) = running.units else {
        return Err(ServeError("the demo has no external broker".to_owned()));
    };

    let began = Instant::now();
    let say = |text: &str| println!("{:>6.1} s  {text}", began.elapsed().as_secs_f64());
    let told = running.mail_folder.as_ref().map(|f| f.display().to_string()).unwrap_or_default();
    println!("Buttonwatch demo: {} buttons of Peshawar as real MQTT clients, five faults, one repair.\n", fleet.len());
    println!("  units    mqtt://{gateway}");
    if let Some(bus) = running.bus {
        println!(
            "  bus      mqtt://{bus}   (mosquitto_sub -h {} -p {} -t 'buttonwatch/v1/#' -v)",
            bus.ip(),
            bus.port()
        );
    }
    println!("  metrics  http://{}/metrics", running.http);
    println!("  mails    {told}/*.eml");
    println!("  ask it   buttonwatch fleet list --server http://{}\n", running.http);

    let (control, controls) = mpsc::channel(64);
    let mut options = SimulateOptions::new(fleet.clone(), format!("mqtt://{gateway}"), clock::now());
    options.scenario = calm();
    let simulation = tokio::spawn(run(options, controls, |_| {}));

    let handle = running.handle();
    let mut effects = handle.listen();
    let mut story = Story::new(cast, fleet.len());
    let mut plot = Plot::new(&story.cast);
    let mut crew: Option<(Instant, OrderId, usize)> = None;
    let end = args.run_for.map(|d| began + d);
    let stop = told_to_stop();
    tokio::pin!(stop);
    let cut_short = loop {
        tokio::select! {
            effect = effects.recv() => match effect {
                Ok(effect) => if let Some(line) = story.hear(&effect) { say(&line) },
                Err(broadcast::error::RecvError::Lagged(n)) => say(&format!("({n} lines were missed)")),
                Err(broadcast::error::RecvError::Closed) => break true,
            },
            ended = running.ended() => {
                ended?;
                break true;
            }
            () = &mut stop => break true,
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            break false;
        }
        if plot.began.is_none() && (story.has(Promise::AllReady) || began.elapsed() > READY_WITHIN) {
            say(&format!("          {} of {} units are ready; now five faults begin", story.ready(), fleet.len()));
            plot.began = Some(Instant::now());
        }
        for (text, fault) in plot.due() {
            say(&format!("FAULT     {text}"));
            // A simulation that has ended shows in the verdict.
            let _ = control.send(Control::Inject(fault)).await;
        }
        if let (Some(order), None) = (story.repair_order, crew) {
            crew = Some((Instant::now(), order, 0));
        }
        if let Some((since, order, step)) = crew
            && let Some((after, to)) = CREW.get(step)
            && since.elapsed() >= Duration::from_secs(*after)
        {
            if *to == OrderMove::Repaired {
                let unit: UnitId = story.cast.deaf_microphone.clone();
                say(&format!("CREW      cleans the microphone of {unit}"));
                let _ = control.send(Control::Repair { unit, component: Component::Microphone }).await;
            }
            act_as_crew(&handle, order, *to).await?;
            crew = Some((since, order, step + 1));
        }
    };
    let summary = finish(&handle, &story).await;
    let _ = control.send(Control::Stop).await;
    let messages = match simulation.await {
        Ok(Ok(summary)) => summary.acked,
        Ok(Err(_)) | Err(_) => 0,
    };
    running.stop().await?;
    print!("\n{summary}");
    let mails = count_mails(&told);
    println!("\n  {messages} messages acknowledged, {} work orders, {mails} mails in {told}", story.orders.len());
    let true_so_far = story.came_true() && mails > 0;
    match (true_so_far, cut_short) {
        (true, _) => println!("  The story came true."),
        (false, true) => println!("  The story was cut short. Let it run for 90 s: buttonwatch demo --for 90s"),
        (false, false) => println!("  The story did not come true: see the lines marked NO."),
    }
    Ok(true_so_far)
}

/// A quiet day, told fast: whatever happens is the plot's doing.
fn calm() -> Scenario {
    let mut calm = Scenario::default();
    calm.cadence.heartbeat = Some(HEARTBEAT);
    calm.cadence.power = POWER;
    calm.cadence.selftest = Some(SELFTEST);
    calm.load_shedding.all = Some(Timetable { hours: 0.0, cuts: 0, jitter_ms: 0, unannounced: 0.0 });
    calm.weather.fog_days_per_year = 0.0;
    calm.presses.real_per_unit_per_year = 0.0;
    // Lead-acid sags under load when it is nearly empty, at once and for all to see.
    calm.battery.lithium = Some(false);
    calm.battery.ampere_hours = Some(7.0);
    calm.link.loss_pct = Some(0.0);
    calm
}

/// When each fault strikes, counted from the moment that all are ready.
struct Plot {
    began: Option<Instant>,
    acts: Vec<(Duration, String, Fault)>,
}

impl Plot {
    fn new(cast: &Cast) -> Plot {
        let unit = |u: &UnitId| Target::Unit(u.clone());
        let act = |s: u64, text: String, kind, target| (Duration::from_secs(s), text, Fault::now(kind, target));
        let weak = FaultKind::BatteryWeak { capacity_pct: 60.0, charge_pct: Some(30.0) };
        let deaf = FaultKind::MicrophoneDeaf { db: 18.0 };
        Plot {
            began: None,
            acts: vec![
                act(1, format!("{} dies", cast.dead), FaultKind::Dead, unit(&cast.dead)),
                act(2, format!("{} goes deaf", cast.deaf_microphone), deaf, unit(&cast.deaf_microphone)),
                act(
                    4,
                    format!("uplink {} goes down with {} units", cast.dead_uplink, cast.uplink_units.len()),
                    FaultKind::UplinkDown,
                    Target::Uplink(cast.dead_uplink.clone()),
                ),
                act(
                    6,
                    format!("something hangs before the camera of {}", cast.blocked_camera),
                    FaultKind::CameraBlocked,
                    unit(&cast.blocked_camera),
                ),
                act(
                    8,
                    format!("feeder {} is cut: load-shedding", cast.cut_feeder),
                    FaultKind::FeederCut,
                    Target::Feeder(cast.cut_feeder.clone()),
                ),
                // On mains the charger would hide it.
                act(10, format!("the weak battery of {} runs down", cast.weak_battery), weak, unit(&cast.weak_battery)),
            ],
        }
    }

    fn due(&mut self) -> Vec<(String, Fault)> {
        let Some(began) = self.began else { return Vec::new() };
        let (due, later) = std::mem::take(&mut self.acts).into_iter().partition(|(at, _, _)| began.elapsed() >= *at);
        self.acts = later;
        let due: Vec<(Duration, String, Fault)> = due;
        due.into_iter().map(|(_, text, fault)| (text, fault)).collect()
    }
}

async fn act_as_crew(handle: &Handle, order: OrderId, to: OrderMove) -> Result<(), ServeError> {
    let note = if to == OrderMove::Repaired { "cleaned the opening" } else { "" };
    let ask = Ask::SetOrder { order, to, by: "demo crew".to_owned(), note: note.to_owned() };
    handle.ask(ask).await.map(|_| ()).map_err(|e| ServeError(e.to_string()))
}

async fn finish(handle: &Handle, story: &Story) -> String {
    let mut out = String::from("What was promised:\n");
    for (kept, text) in story.verdict() {
        out.push_str(&format!("  {}  {text}\n", if kept { "yes" } else { "NO " }));
    }
    if let Ok(Answer::Orders(orders)) = handle.ask(Ask::Orders { closed_too: true, query: Query::default() }).await {
        out.push_str("\nWork orders:\n");
        for o in orders.items {
            let open = if o.state == OrderState::Closed { "closed" } else { o.state.as_str() };
            out.push_str(&format!("  {} {} {open:<12} {}\n", o.order, o.priority, o.summary));
        }
    }
    out
}

fn count_mails(folder: &str) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.flatten().filter(|e| e.path().extension().is_some_and(|x| x == "eml")).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::simulate::{What, World};
    use crate::domain::Timestamp;

    /// The volts that the weak battery reads from four seconds after its fault on, in virtual time.
    fn volts_of_the_weak_battery(start: &str) -> Vec<f64> {
        let units = check_fleet("peshawar.csv", FLEET.as_bytes()).expect("the shipped fleet is clean");
        let fleet = Fleet::new(units);
        let cast = Cast::choose(&fleet).expect("large enough");
        let start = Timestamp::parse(start).expect("valid");
        let mut world = World::new(&fleet, &calm(), 1, start);
        let began = start + Duration::from_secs(10);
        for (at, _, fault) in Plot::new(&cast).acts {
            world.inject(&fault, began + at);
        }
        let weak = fleet.find(cast.weak_battery.as_str()).expect("of this fleet");
        let low_from = began + Duration::from_secs(14);
        let mut volts = Vec::new();
        while let Some(event) = world.next_until(began + Duration::from_secs(90)) {
            let What::Say { payload, .. } = event.what else { continue };
            let json: serde_json::Value = serde_json::from_slice(&payload).expect("JSON");
            if let (true, true, Some(v)) = (event.unit == weak, event.at > low_from, json["battery_v"].as_f64()) {
                volts.push(v);
            }
        }
        volts
    }

    #[test]
    fn the_weak_battery_reads_low_but_carries_its_unit_to_the_end_by_day_and_night_all_year() {
        for month in ["01", "06"] {
            for hour in ["00", "08", "16"] {
                let start = format!("2026-{month}-21T{hour}:00:00Z");
                let volts = volts_of_the_weak_battery(&start);
                assert!(volts.len() > 30, "{start}: it went silent: {volts:?}");
                assert!(volts.iter().all(|v| (11.15..11.55).contains(v)), "{start}: {volts:?}");
            }
        }
    }
}
