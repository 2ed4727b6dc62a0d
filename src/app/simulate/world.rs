//! The simulated fleet as a pure, seeded model in virtual time: what every unit says, and when.
//!
//! Design constraints
//! - No clock, no I/O: [`World::next`] is asked, and time is as far as the last answer. Months of the first fleet take
//!   seconds.
//! - One seed, one history: nothing is drawn but from `Chance`, nothing is walked in hash order.
//! - A timer belongs to one life of its unit; a unit that stops leaves its timers behind, void.
//!
//! Never talks MQTT: `clients` and `recording` carry out what comes from here.

mod faults;
mod life;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use crate::domain::message::{Command, Kind, PressKind, Trigger};
use crate::domain::{Component, Fleet, GroupKind, GroupName, Timestamp, UnitIx};

use super::chance::{Chance, name_hash};
use super::fault::{Fault, Lasts, Truth, When};
use super::load_shedding::Timetable;
use super::payload;
use super::scenario::Scenario;
use super::unit::UnitState;
use super::weather::{DAY, SECOND, Weather};

/// One thing that happens, in the order of time.
#[derive(Debug, Clone, PartialEq)]
pub struct WorldEvent {
    /// When it reaches the broker; a late message's own `ts` is older.
    pub at: Timestamp,
    pub unit: UnitIx,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Connect,
    Disconnect(Leaving),
    /// One message, on the unit's topic of this kind. `status` is retained.
    Say {
        kind: Kind,
        boot: u32,
        seq: u64,
        payload: Vec<u8>,
    },
    /// The broker publishes the last will on the status topic: a real one does so by itself.
    Will {
        payload: Vec<u8>,
    },
    /// Index into [`World::truth`]; `unit` is the first it strikes.
    FaultBegan(usize),
    FaultEnded(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// With a DISCONNECT: no last will.
    Clean,
    /// The link broke; the unit goes on and keeps what it could not send.
    LinkLost,
    /// The unit itself stopped; what it had in memory is gone.
    PowerLost,
}

#[derive(Debug)]
enum Action {
    Boot,
    Link,
    Beat,
    /// The regular message; it sets the next.
    Power,
    /// At once upon a mains change.
    PowerNow,
    Selftest(Trigger),
    /// The microphone again at a quiet hour.
    Retest,
    Commanded(Box<Command>),
    Obey(Box<Command>),
    /// A command that makes no sense: its id and why.
    Refuse(Box<(String, String)>),
    Reboot,
    Status,
    RealPress,
    TestPress,
    ExtraTestPress,
    Flush,
    Will(u32),
    CutBegins(usize, i64),
    CutEnds(usize),
    Begin(usize),
    End(usize),
    Pulse(usize),
    Repair(Component),
}

#[derive(Debug)]
struct Entry {
    at: i64,
    order: u64,
    unit: u32,
    /// None: happens whether the unit lives or not.
    life: Option<u32>,
    action: Action,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

#[derive(Debug)]
struct Feeder {
    name: u64,
    timetable: Timetable,
    units: Vec<usize>,
    shed: bool,
    /// Scripted cuts now in force.
    cuts: u32,
}

#[derive(Debug, Default)]
struct Uplink {
    units: Vec<usize>,
    down: u32,
}

/// One fault on one unit or circuit.
#[derive(Debug)]
struct Episode {
    truth: Truth,
    began: bool,
    ended: bool,
    /// Pulses so far.
    pulses: u32,
}

#[derive(Debug)]
pub struct World {
    fleet: Fleet,
    scenario: Scenario,
    seed: u64,
    start: i64,
    now: i64,
    weather: Weather,
    chance: Chance,
    units: Vec<UnitState>,
    feeders: Vec<Feeder>,
    uplinks: Vec<Uplink>,
    feeder_names: BTreeMap<GroupName, usize>,
    uplink_names: BTreeMap<GroupName, usize>,
    episodes: Vec<Episode>,
    /// Units that random faults have struck already.
    struck: Vec<bool>,
    heap: BinaryHeap<Reverse<Entry>>,
    order: u64,
    ready: VecDeque<WorldEvent>,
}

/// The broker takes a connection for lost after one and a half keep-alives of 30 s (MQTT 3.1.1, 3.1.2.10).
const WILL_AFTER: i64 = 45 * SECOND;

/// A stretch in which nothing at all happens ends a world's history: a fleet that is dead for good.
const LONGEST_QUIET: i64 = 400 * DAY;

impl World {
    /// Every unit starts within the first heartbeat interval after `start`. A fault whose unit or circuit is not in the
    /// fleet strikes nobody (`check_scenario` refuses such files).
    pub fn new(fleet: &Fleet, scenario: &Scenario, seed: u64, start: Timestamp) -> World {
        let now = start.as_millis();
        let settings = &scenario.weather;
        let mut world = World {
            fleet: fleet.clone(),
            scenario: scenario.clone(),
            seed,
            start: now,
            now,
            weather: Weather::new(seed, settings.warmer_c, settings.fog_days_per_year),
            chance: Chance::new(seed, 0xfa17),
            units: Vec::with_capacity(fleet.len()),
            feeders: Vec::new(),
            uplinks: Vec::new(),
            feeder_names: BTreeMap::new(),
            uplink_names: BTreeMap::new(),
            episodes: Vec::new(),
            struck: vec![false; fleet.len()],
            heap: BinaryHeap::new(),
            order: 0,
            ready: VecDeque::new(),
        };
        world.wire_up();
        for i in 0..world.units.len() {
            world.set_clocks(i);
        }
        for fault in scenario.faults.clone() {
            world.inject(&fault, start);
        }
        world
    }

    /// Starts the boot counters above `base`: a simulator that runs again against the same service must not repeat the
    /// numbers of its last run, or its messages would be taken for duplicates. Call before the first event.
    pub fn boots_after(&mut self, base: u32) {
        for unit in &mut self.units {
            unit.boot = unit.boot.saturating_add(base);
        }
    }

    /// The next thing that happens. None: nothing ever happens again.
    #[expect(clippy::should_implement_trait, reason = "time can also be bounded: see next_until")]
    pub fn next(&mut self) -> Option<WorldEvent> {
        self.next_until(Timestamp::from_millis(self.now.saturating_add(LONGEST_QUIET)))
    }

    /// The next thing that happens not later than `until`. None: nothing does; ask again later.
    pub fn next_until(&mut self, until: Timestamp) -> Option<WorldEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.heap.peek()?.0.at > until.as_millis() {
                return None;
            }
            let Reverse(entry) = self.heap.pop()?;
            self.now = self.now.max(entry.at);
            self.act(entry);
        }
    }

    /// When [`World::next_until`] should be asked again.
    pub fn next_at(&self) -> Option<Timestamp> {
        let waiting = self.ready.front().map(|e| e.at);
        waiting.or_else(|| self.heap.peek().map(|Reverse(e)| Timestamp::from_millis(e.at)))
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// What was really wrong, in the order in which it was planned; only what has begun.
    pub fn truth(&self) -> Vec<Truth> {
        self.episodes.iter().filter(|e| e.began).map(|e| e.truth.clone()).collect()
    }
    /// The fault of [`What::FaultBegan`] and [`What::FaultEnded`].
    pub fn fault(&self, index: usize) -> &Truth {
        &self.episodes[index].truth
    }

    /// Plans a fault; its times count from `from`, and nothing happens before the present.
    pub fn inject(&mut self, fault: &Fault, from: Timestamp) {
        let from = from.as_millis().max(self.now);
        for (struck, units) in self.resolve(fault) {
            let at = match fault.at {
                When::At(moment) => moment.as_millis(),
                When::After(low, high) => from + self.chance.millis(low.as_millis() as i64, high.as_millis() as i64),
            };
            let at = at.max(self.now);
            let lasts = match fault.lasts {
                Lasts::UntilRepaired => None,
                Lasts::For(low, high) => Some(self.chance.millis(low.as_millis() as i64, high.as_millis() as i64)),
            };
            let first = units.first().map_or(0, |u| u.0);
            let truth = Truth {
                struck,
                units,
                kind: fault.kind,
                component: fault.kind.component(),
                from: Timestamp::from_millis(at),
                to: None,
            };
            let index = self.episodes.len();
            self.episodes.push(Episode { truth, began: false, ended: false, pulses: 0 });
            self.plan(at, first, None, Action::Begin(index));
            if let Some(lasts) = lasts {
                self.plan(at + lasts, first, None, Action::End(index));
            }
        }
    }

    /// A crew's visit: ends the unit's faults of this component, and those of its uplink or feeder.
    pub fn repair(&mut self, unit: UnitIx, component: Component, at: Timestamp) {
        let at = at.as_millis().max(self.now);
        self.plan(at, unit.0, None, Action::Repair(component));
    }

    /// A command arrives at the unit. It does nothing when the unit is off or not connected then.
    pub fn command(&mut self, unit: UnitIx, command: Command, at: Timestamp) {
        let at = at.as_millis().max(self.now);
        self.plan(at, unit.0, None, Action::Obey(Box::new(command)));
    }

    /// A command arrives that the unit does not understand: it says so.
    pub fn refuse_command(&mut self, unit: UnitIx, id: &str, why: &str, at: Timestamp) {
        let at = at.as_millis().max(self.now);
        self.plan(at, unit.0, None, Action::Refuse(Box::new((id.to_owned(), why.to_owned()))));
    }

    /// The unit's real connection was lost and made again: it says `online` once more, with a new number.
    pub fn reconnected(&mut self, unit: UnitIx, at: Timestamp) {
        let at = at.as_millis().max(self.now);
        let life = self.units[unit.index()].life;
        self.plan(at, unit.0, Some(life), Action::Status);
    }

    // ---- building ----

    fn wire_up(&mut self) {
        let fleet = self.fleet.clone();
        for (ix, unit) in fleet.units() {
            let feeder = match unit.group(GroupKind::Feeder) {
                Some(name) => *self.feeder_names.entry(name).or_insert(self.feeders.len()),
                None => self.feeders.len(),
            };
            if feeder == self.feeders.len() {
                let named = unit.feeder.as_ref();
                let label = named.map_or(unit.unit.as_str(), |f| f.as_str());
                let own = self.scenario.load_shedding.feeders.iter().find(|(id, _)| Some(id) == named);
                let name = name_hash(label);
                let timetable = own
                    .map(|(_, t)| *t)
                    .or(self.scenario.load_shedding.all)
                    .unwrap_or_else(|| Timetable::usual(self.seed, name));
                self.feeders.push(Feeder { name, timetable, units: Vec::new(), shed: false, cuts: 0 });
                self.schedule_cut(feeder, self.now);
            }
            let uplink = match unit.group(GroupKind::Uplink) {
                Some(name) => *self.uplink_names.entry(name).or_insert(self.uplinks.len()),
                None => self.uplinks.len(),
            };
            if uplink == self.uplinks.len() {
                self.uplinks.push(Uplink::default());
            }
            self.feeders[feeder].units.push(ix.index());
            self.uplinks[uplink].units.push(ix.index());
            let timetable = self.feeders[feeder].timetable;
            let mains = !self.feeders[feeder].shed;
            let state = UnitState::new(unit, self.seed, &self.scenario, &timetable, feeder, uplink, mains, self.now);
            self.units.push(state);
        }
    }

    /// A unit's first start, and the people who will press it.
    fn set_clocks(&mut self, i: usize) {
        let unit = &mut self.units[i];
        let boot = self.now + unit.paced(0.0, 0.9);
        let real = self.scenario.presses.real_per_unit_per_year;
        let first_real = (real > 0.0).then(|| unit.chance.wait(365.0 * DAY as f64 / real) as i64);
        let first_test =
            self.scenario.presses.test_every.map(|every| (unit.traits.press_phase * every.as_millis() as f64) as i64);
        self.plan(boot, i as u32, None, Action::Boot);
        if let Some(wait) = first_real {
            self.plan(self.now + wait, i as u32, None, Action::RealPress);
        }
        if let Some(wait) = first_test {
            self.plan(self.now + wait, i as u32, None, Action::TestPress);
        }
    }

    fn plan(&mut self, at: i64, unit: u32, life: Option<u32>, action: Action) {
        self.order += 1;
        self.heap.push(Reverse(Entry { at, order: self.order, unit, life, action }));
    }

    /// For as long as the unit's present life.
    fn plan_for(&mut self, i: usize, wait: i64, action: Action) {
        let life = self.units[i].life;
        self.plan(self.now + wait.max(0), i as u32, Some(life), action);
    }

    fn emit(&mut self, i: usize, what: What) {
        let at = Timestamp::from_millis(self.now);
        self.ready.push_back(WorldEvent { at, unit: UnitIx(i as u32), what });
    }

    // ---- what is due ----

    fn act(&mut self, entry: Entry) {
        let i = entry.unit as usize;
        if let Some(life) = entry.life
            && (self.units[i].life != life || !self.units[i].on)
        {
            return;
        }
        match entry.action {
            Action::Boot => self.boot(i),
            Action::Link => self.link_up(i),
            Action::Beat => self.beat(i),
            Action::Power => self.power(i, true),
            Action::PowerNow => self.power(i, false),
            Action::Selftest(trigger) => self.selftest(i, trigger),
            Action::Retest => self.retest(i),
            Action::Commanded(command) => self.commanded(i, &command),
            Action::Obey(command) => self.obey(i, command),
            Action::Refuse(refusal) => self.refuse(i, &refusal.0, &refusal.1),
            Action::Reboot => self.reboot(i),
            Action::Status => self.say_online(i),
            Action::RealPress => self.real_press(i),
            Action::TestPress => self.test_press(i),
            Action::ExtraTestPress => self.press(i, PressKind::Test),
            Action::Flush => self.flush(i),
            Action::Will(link_life) => {
                if self.units[i].link_life == link_life && !self.units[i].linked {
                    self.emit(i, What::Will { payload: payload::last_will() });
                }
            }
            Action::CutBegins(feeder, to) => {
                self.feeders[feeder].shed = true;
                self.plan(to, entry.unit, None, Action::CutEnds(feeder));
                self.feeder_changed(feeder);
            }
            Action::CutEnds(feeder) => {
                self.feeders[feeder].shed = false;
                self.schedule_cut(feeder, self.now);
                self.feeder_changed(feeder);
            }
            Action::Begin(episode) => self.begin(episode),
            Action::End(episode) => self.end(episode),
            Action::Pulse(episode) => self.pulse(episode),
            Action::Repair(component) => self.repaired(i, component),
        }
    }

    fn schedule_cut(&mut self, feeder: usize, after: i64) {
        let f = &mut self.feeders[feeder];
        let Some((from, to)) = f.timetable.next_cut(self.seed, f.name, after) else { return };
        if from <= self.now {
            f.shed = true;
            self.plan(to, 0, None, Action::CutEnds(feeder));
        } else {
            self.plan(from, 0, None, Action::CutBegins(feeder, to));
        }
    }

    fn feeder_changed(&mut self, feeder: usize) {
        for i in self.feeders[feeder].units.clone() {
            self.mains_changed(i);
        }
    }

    /// Looks at the feeder and the unit's own fuse again.
    fn mains_changed(&mut self, i: usize) {
        let feeder = &self.feeders[self.units[i].feeder];
        let mains = !feeder.shed && feeder.cuts == 0 && !self.units[i].effects.local_mains_lost;
        if mains == self.units[i].mains {
            return;
        }
        self.step_power(i);
        self.units[i].mains = mains;
        if self.units[i].on {
            let wait = self.units[i].chance.millis(100, 2_000).min(self.units[i].traits.power / 2);
            self.plan_for(i, wait, Action::PowerNow);
        }
        self.wake_if_it_can(i);
    }

    /// Brings the battery up to now; a unit whose battery is empty stops.
    fn step_power(&mut self, i: usize) {
        let alive = self.units[i].step_power(self.now, &self.weather);
        if !alive && self.units[i].on {
            self.stop(i, Leaving::PowerLost);
        }
    }

    fn wake_if_it_can(&mut self, i: usize) {
        let unit = &mut self.units[i];
        if unit.on || unit.effects.dead || !unit.has_power() {
            return;
        }
        let wait = unit.paced(0.2, 0.6);
        self.plan(self.now + wait, i as u32, None, Action::Boot);
    }

    /// For tests and the summary: what the model knows and the wire does not say.
    pub fn inspect(&self, unit: UnitIx) -> Inspection {
        let u = &self.units[unit.index()];
        Inspection {
            on: u.on,
            linked: u.linked,
            mains: u.mains,
            charge: u.battery.charge(),
            health: u.battery.health(),
            ampere_hours: u.battery.rated_ah(),
            since_start: Timestamp::from_millis(self.now).since(Timestamp::from_millis(self.start)),
        }
    }
}

/// A look inside a unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inspection {
    pub on: bool,
    pub linked: bool,
    pub mains: bool,
    /// 0–1.
    pub charge: f64,
    /// Capacity as a part of the rated.
    pub health: f64,
    pub ampere_hours: f64,
    pub since_start: std::time::Duration,
}
