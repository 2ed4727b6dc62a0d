//! A day of a small fleet as the program itself would have told InfluxDB: simulated units with faults, judged by the engine with
//! the default rules, a crew that repairs, and the historian that writes it all down. The same to the letter each time: it was
//! once, and is moved to end where it is wanted.

use std::time::Duration;

use buttonwatch::app::historian::Historian;
use buttonwatch::app::replay::{Passed, judge_line, judge_line_telling};
use buttonwatch::app::simulate::{What, World, check_scenario};
use buttonwatch::config::{check_fleet, default_rules};
use buttonwatch::domain::event::{Action, Hearing, MaintenanceScope, OrderMove};
use buttonwatch::domain::message::Kind;
use buttonwatch::domain::{Effect, EffectKind, Fleet, OrderState, Settings, SiteId, Subject, Timestamp, UnitIx};
use buttonwatch::engine::Engine;
use buttonwatch::render::points::Points;
use buttonwatch::wire::decode::Decoder;
use buttonwatch::wire::recording::{Line, What as Heard};
use buttonwatch::wire::signature::Signing;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Baselines, cuts and trends are learned before the day that is told.
const DAYS: u32 = 17;

const FLEET: &str = "\
unit,name,site,site_type,city,lat,lon,crew,uplink,feeder,model,heartbeat_s
PSH-001,Kabuli Gate,Qissa Khwani Bazaar,market,Peshawar,34.0090,71.5733,saddar,psh-fibre-01,city-1,PB-1,120
PSH-002,Chowk Yadgar,Qissa Khwani Bazaar,market,Peshawar,34.0101,71.5760,saddar,psh-fibre-01,city-1,PB-2,120
PSH-003,Saddar Road,Saddar,market,Peshawar,33.9985,71.5428,saddar,psh-fibre-01,city-1,PB-1,120
PSH-004,Fowara Chowk,Saddar,market,Peshawar,33.9990,71.5410,saddar,psh-fibre-02,city-2,PB-2,120
PSH-005,Gate 2,General Bus Stand,terminal,Peshawar,34.0143,71.5918,saddar,psh-fibre-02,city-2,PB-2,120
PSH-006,Girls' college,Frontier College,university,Peshawar,34.0021,71.5300,saddar,psh-fibre-02,city-2,PB-1,120
PSH-007,Rose garden,Jinnah Park,park,Peshawar,34.0131,71.5705,saddar,psh-fibre-01,city-1,PB-1,120
MRD-001,East,Sheikh Maltoon Park,park,Mardan,34.1986,72.0404,mardan,mrd-4g-01,mardan-2,PB-1,120
MRD-002,West,Sheikh Maltoon Park,park,Mardan,34.1990,72.0390,mardan,mrd-4g-01,mardan-2,PB-2,120
MRD-003,Chowk,Bank Road,market,Mardan,34.2012,72.0510,mardan,mrd-4g-01,mardan-2,PB-2,120
";

/// Times count from the begin; the day that is told begins at 16d.
const SCENARIO: &str = r#"
[cadence]
heartbeat = "120s"
power = "5m"
selftest = "4h"

[load_shedding]
hours_per_day = 8
cuts_per_day = 4
jitter = "10m"

[presses]
real_per_unit_per_year = 500
test_every = "3d"

[[fault]]
kind = "camera-dirty"
unit = "PSH-002"
at = "2d"
over = "21d"
left_pct = 20

[[fault]]
kind = "microphone-deaf"
unit = "PSH-003"
at = "16d 1h"

[[fault]]
kind = "dead"
unit = "PSH-004"
at = "16d 20h"

[[fault]]
kind = "charger-dead"
unit = "PSH-005"
at = "15d 12h"

[[fault]]
kind = "battery-weak"
unit = "PSH-007"
at = "1d"
capacity_pct = 25

[[fault]]
kind = "tamper"
unit = "PSH-001"
at = "16d 6h"

[[fault]]
kind = "stream-broken"
unit = "MRD-003"
at = "15d 12h"

[[fault]]
kind = "uplink-down"
uplink = "mrd-4g-01"
at = "16d 22h"
lasts = "12h"
"#;

/// 2026-11-20T17:20:00Z: after dusk, so that there are pictures by day and by infrared.
const ENDED_MS: i64 = 1_795_195_200_000;

/// Its lines for `raw` and for `events`: the 24 hours before `end_ms`.
pub fn day(end_ms: i64) -> (String, String) {
    let (raw, events) = acted();
    (moved(&raw, end_ms - ENDED_MS), moved(&events, end_ms - ENDED_MS))
}

/// A line's time is its last word. Moments within (`since`, `due`, …) are integers of 13 digits.
fn moved(lines: &str, by_ms: i64) -> String {
    let later = |moment: &str| moment.parse::<i64>().expect("a moment in ms") + by_ms;
    let mut out = String::with_capacity(lines.len());
    for line in lines.lines() {
        let (point, time) = line.rsplit_once(' ').expect("a line ends with its time");
        let mut rest = point;
        while let Some((before, after)) = rest.split_once('=') {
            let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            let is_moment = digits == 13 && after[digits..].starts_with('i');
            out += before;
            out.push('=');
            if is_moment {
                out += &later(&after[..digits]).to_string();
            }
            rest = if is_moment { &after[digits..] } else { after };
        }
        out += &format!("{rest} {}\n", later(time));
    }
    out
}

fn acted() -> (String, String) {
    let fleet = Fleet::new(check_fleet("fleet.csv", FLEET.as_bytes()).expect("a clean fleet"));
    let scenario = check_scenario("scenario.toml", SCENARIO, &fleet).expect("a clean scenario");
    let end = Timestamp::from_millis(ENDED_MS);
    let start = end - 24 * DAYS * HOUR;
    let mut act = Act {
        world: World::new(&fleet, &scenario, 11, start),
        engine: Engine::new(default_rules(), fleet, Settings::default()),
        decoder: Decoder::new(Decoder::DEFAULT_ROOT.to_owned(), Signing::Off),
        historian: None,
        from: end - 24 * HOUR,
        raw: Vec::new(),
        events: Vec::new(),
    };
    act.hear(start, Heard::Link(Hearing::Start));
    let mut now = start;
    while now < end {
        now = (now + MINUTE).min(end);
        if now >= act.from && act.historian.is_none() {
            act.historian = Some(act.begin());
        }
        act.units_until(now);
        let effects = act.engine.advance(now);
        act.tell(now, &effects);
        act.people(now);
    }
    let text = |bytes| String::from_utf8(bytes).expect("lines are text");
    (text(act.raw), text(act.events))
}

struct Act {
    world: World,
    engine: Engine,
    decoder: Decoder,
    /// Before the day that is told, everything is only judged.
    historian: Option<Historian>,
    from: Timestamp,
    raw: Vec<u8>,
    events: Vec<u8>,
}

impl Act {
    fn units_until(&mut self, until: Timestamp) {
        while let Some(event) = self.world.next_until(until) {
            let (kind, payload) = match event.what {
                What::Say { kind, payload, .. } => (kind, payload),
                What::Will { payload } => (Kind::Status, payload),
                What::Connect | What::Disconnect(_) | What::FaultBegan(_) | What::FaultEnded(_) => continue,
            };
            let unit = &self.engine.fleet().unit(event.unit).unit;
            let topic = format!("{}/{unit}/{kind}", Decoder::DEFAULT_ROOT);
            self.hear(event.at, Heard::Publish { topic, payload: payload.into(), retained: false });
        }
    }

    /// As the service does after a start.
    fn begin(&self) -> Historian {
        let mut historian = Historian::new(chrono_tz::Asia::Karachi);
        historian.begin(&self.engine);
        historian
    }

    fn hear(&mut self, at: Timestamp, what: Heard) {
        let line = Line { at, what };
        let (engine, decoder, passed) = (&mut self.engine, &self.decoder, &mut Passed::default());
        let effects = match &mut self.historian {
            None => judge_line(engine, decoder, line, passed),
            Some(historian) => judge_line_telling(engine, decoder, line, passed, historian),
        };
        self.obey(at, &effects);
        self.tell(at, &[]);
    }

    fn tell(&mut self, at: Timestamp, effects: &[Effect]) {
        self.obey(at, effects);
        if let Some(historian) = &mut self.historian {
            let Points { mut raw, mut events } = historian.at(&self.engine, at, effects);
            self.raw.extend(raw.take().0);
            self.events.extend(events.take().0);
        }
    }

    fn obey(&mut self, at: Timestamp, effects: &[Effect]) {
        for effect in effects {
            if let EffectKind::Command { unit, command } = &effect.kind {
                let unit = self.engine.fleet().find(unit.as_str()).expect("of the fleet");
                self.world.command(unit, command.clone(), at);
            }
        }
    }

    /// What people do in the day that is told, by the minute.
    fn people(&mut self, now: Timestamp) {
        if now < self.from {
            return;
        }
        let minute = (now.as_millis() - self.from.as_millis()) / 60_000;
        match minute {
            // The broker is out of reach for a quarter of an hour.
            240 => self.hear(now, Heard::Link(Hearing::Down)),
            255 => self.hear(now, Heard::Link(Hearing::Up)),
            1320 => {
                let site = SiteId::parse("Frontier College").expect("a site");
                let action = Action::Maintenance { scope: MaintenanceScope::Site(site), until: now + 6 * HOUR };
                self.hear(now, Heard::Do { action, by: "supervisor".to_owned() });
            }
            _ if minute % 60 == 0 => self.crew(now),
            _ => {}
        }
    }

    /// An order of an hour is taken, one of three is repaired; some are left as they are.
    fn crew(&mut self, now: Timestamp) {
        let orders: Vec<_> = self.engine.open_orders().cloned().collect();
        for order in orders {
            let is_older = |than: Duration| order.opened_at + than < now;
            let Subject::Unit { unit, component } = &order.subject else { continue };
            if ["PSH-002", "PSH-004", "PSH-005", "PSH-007"].contains(&unit.as_str()) {
                continue;
            }
            let to = match order.state {
                OrderState::Opened if is_older(HOUR) => OrderMove::Acknowledged,
                OrderState::Acknowledged if is_older(3 * HOUR) && unit.as_str() != "PSH-003" => {
                    let unit: UnitIx = self.engine.fleet().find(unit.as_str()).expect("of the fleet");
                    self.world.repair(unit, *component, now);
                    OrderMove::Repaired
                }
                _ => continue,
            };
            let action = Action::SetOrder { order: order.id, to, note: String::new() };
            self.hear(now, Heard::Do { action, by: "crew".to_owned() });
        }
    }
}
