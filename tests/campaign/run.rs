//! One world from its start to its end: what its units say goes through the real decoder into the real engine, crews take
//! the orders it writes, and every order is held against the truth. Never judges a unit.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use buttonwatch::app::simulate::{Fault, FaultKind, Lasts, Leaving, Struck, Target, What, When, World};
use buttonwatch::config::default_rules;
use buttonwatch::domain::message::{Body, Kind, Message, PressKind};
use buttonwatch::domain::{
    Action, AlertState, City, Component, Effect, EffectKind, Event, FeederId, Fleet, GroupKind, Hearing, IncidentState,
    Metric, Order, OrderId, OrderMove, OrderState, Outcome, Settings, Subject, Timestamp, UnitIx, UplinkId,
};
use buttonwatch::engine::Engine;
use buttonwatch::render::timeline::write_effect;
use buttonwatch::wire::decode::Decoder;
use buttonwatch::wire::signature::Signing;

use super::plan::{self, DAY, Dice, HOUR, MINUTE, Planned, Whom, WorldPlan};
use super::truth::{self, Case, Expect, Found};

const ROOT: &str = "buttonwatch/v1";

/// What came of one world.
pub struct Outcomes {
    pub plan: WorldPlan,
    pub cases: Vec<Case>,
    pub orders: Vec<Written>,
    /// Units that lost their power without a fault: then the world is unfair, not the engine wrong.
    pub unfair_deaths: Vec<String>,
    /// Visits that left the fault where it was, and orders that then waited until a supervisor asked.
    pub left: usize,
    pub chased: usize,
    pub messages: u64,
    pub seconds: f64,
}

/// An order that was opened, or reopened as a relapse.
pub struct Written {
    pub at: Timestamp,
    pub subject: String,
    pub component: Option<Component>,
    /// The case that explains it. None: a false order.
    pub case: Option<usize>,
    /// The case has one already.
    pub doubled: bool,
    /// No fault was made, and yet it is true: a button that was dark on the day of its test press was not tested.
    pub true_anyway: bool,
    pub text: String,
}

enum Act {
    Plan(usize),
    Look,
    Order(OrderId, OrderMove),
    /// The crew's hands.
    Fix(OrderId),
    /// A supervisor looks at an order that was said to be repaired: if it still waits, the crew goes again.
    Chase(OrderId),
    Hear {
        restart: bool,
    },
    Relapse(usize, OrderId),
    FeederBack(usize),
}

struct Due {
    at: Timestamp,
    order: u64,
    act: Act,
}
impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

struct Run {
    plan: WorldPlan,
    fleet: Fleet,
    world: World,
    engine: Engine,
    decoder: Decoder,
    topics: Vec<[String; 6]>,
    planned: Vec<Planned>,
    dice: Dice,
    agenda: BinaryHeap<Reverse<Due>>,
    ordinal: u64,
    /// Faults given to the world so far: their numbers.
    injected: usize,
    cases: Vec<Case>,
    /// By the fault's number in the world.
    case_of: BTreeMap<usize, usize>,
    orders: BTreeMap<OrderId, Known>,
    written: Vec<Written>,
    unfair: Vec<String>,
    deaf: Option<Deafness>,
    last_test_press: Vec<Timestamp>,
    messages: u64,
    traced: Option<String>,
    left: usize,
    chased: usize,
}

struct Known {
    order: Order,
    case: Option<usize>,
    /// Visits so far.
    visits: u32,
}

struct Deafness {
    restart: bool,
    case: usize,
    /// Delivered when we hear again. None: lost.
    kept: Option<VecDeque<(UnitIx, Message)>>,
    saved: Option<buttonwatch::engine::Saved>,
}

pub fn run(plan: WorldPlan) -> Outcomes {
    let began = Instant::now();
    let fleet = plan::fleet(&plan);
    let world = World::new(&fleet, &plan::scenario(&plan), plan.seed, plan.start());
    let topics =
        fleet.units().map(|(_, u)| Kind::ALL.to_vec().iter().map(|k| format!("{ROOT}/{}/{k}", u.unit)).collect());
    let topics = topics.map(|t: Vec<String>| t.try_into().expect("six kinds")).collect();
    let mut run = Run {
        plan,
        world,
        engine: Engine::new(default_rules(), fleet.clone(), settings()),
        decoder: Decoder::new(ROOT, Signing::Off),
        topics,
        planned: plan::faults(&plan),
        dice: Dice(plan.seed ^ 0xc4e3),
        agenda: BinaryHeap::new(),
        ordinal: 0,
        injected: 0,
        cases: Vec::new(),
        case_of: BTreeMap::new(),
        orders: BTreeMap::new(),
        written: Vec::new(),
        unfair: Vec::new(),
        deaf: None,
        last_test_press: vec![plan.start(); fleet.len()],
        fleet,
        messages: 0,
        traced: std::env::var("CAMPAIGN_TRACE").ok().and_then(|t| {
            let (world, unit) = t.split_once(':')?;
            (format!("{:x}", plan.seed) == world).then(|| unit.to_owned())
        }),
        left: 0,
        chased: 0,
    };
    run.whole();
    Outcomes {
        plan,
        cases: run.cases,
        orders: run.written,
        unfair_deaths: run.unfair,
        left: run.left,
        chased: run.chased,
        messages: run.messages,
        seconds: began.elapsed().as_secs_f64(),
    }
}

/// With a trace, the battery's figures are told, too.
fn settings() -> Settings {
    let mut settings = Settings::default();
    if std::env::var_os("CAMPAIGN_TRACE").is_some() {
        settings.readings = [Metric::BatteryRuntime, Metric::BatteryHealth, Metric::BatteryMargin].into();
    }
    settings
}

impl Run {
    fn at(&mut self, at: Timestamp, act: Act) {
        self.ordinal += 1;
        self.agenda.push(Reverse(Due { at, order: self.ordinal, act }));
    }

    fn whole(&mut self) {
        let (start, end) = (self.plan.start(), self.plan.end());
        let effects = self.engine.handle(start, Event::Hearing(Hearing::Start));
        self.heed(effects);
        for n in 0..self.planned.len() {
            self.at(self.planned[n].at, Act::Plan(n));
        }
        self.at(start + HOUR, Act::Look);
        loop {
            let next = self.agenda.peek().map_or(end, |Reverse(d)| d.at.min(end));
            while let Some(event) = self.world.next_until(next) {
                self.happened(event.at, event.unit, event.what);
            }
            match self.agenda.pop() {
                Some(Reverse(due)) if due.at <= end => self.act(due.at, due.act),
                Some(_) | None => break,
            }
        }
    }

    // ---- what the units do ----

    fn happened(&mut self, at: Timestamp, unit: UnitIx, what: What) {
        match what {
            What::Say { kind, payload, .. } => self.said(at, unit, kind, &payload),
            What::Will { payload } => self.said(at, unit, Kind::Status, &payload),
            What::Connect | What::Disconnect(Leaving::Clean | Leaving::LinkLost) => {}
            What::Disconnect(Leaving::PowerLost) => self.lost_power(at, unit),
            What::FaultBegan(episode) => self.began(at, episode),
            What::FaultEnded(episode) => {
                if let Some(n) = self.case_of.get(&episode).copied() {
                    let case = &mut self.cases[n];
                    case.to = Some(at);
                    if matches!(case.kind, Some(FaultKind::UplinkDown | FaultKind::FeederCut)) {
                        let (units, from) = (case.units.clone(), case.from);
                        self.hide(&units, from, at);
                    }
                }
            }
        }
    }

    fn said(&mut self, at: Timestamp, unit: UnitIx, kind: Kind, payload: &[u8]) {
        self.messages += 1;
        let topic = &self.topics[unit.index()][kind as usize];
        let message = match self.decoder.decode(topic, payload) {
            Ok(decoded) => decoded.message,
            Err(refusal) => panic!("the simulator keeps the protocol: {}", refusal.why),
        };
        if matches!(kind, Kind::Power | Kind::Status)
            && self.traced.as_deref() == Some(self.fleet.unit(unit).unit.as_str())
        {
            println!("{at} {kind} {}", String::from_utf8_lossy(payload));
        }
        if let Some(deaf) = &mut self.deaf {
            if let Some(kept) = &mut deaf.kept {
                kept.push_back((unit, message));
            }
            return;
        }
        self.hear(at, unit, message);
    }

    fn hear(&mut self, at: Timestamp, unit: UnitIx, message: Message) {
        match &message.body {
            Body::Selftest(test) => {
                let heard = |c| test.results.iter().any(|r| r.component == c && r.result == Outcome::Inconclusive);
                let loud = heard(Component::Microphone);
                for result in &test.results {
                    // The microphone hears the speaker: amid noise neither can tell.
                    if loud && result.component == Component::Speaker {
                        continue;
                    }
                    self.tested(at, unit, result.component, result.result);
                }
            }
            Body::Press(press) if press.kind == PressKind::Test && press.ack != Some(false) => {
                self.last_test_press[unit.index()] = at
            }
            Body::Heartbeat(_) | Body::Power(_) | Body::Press(_) | Body::Status(_) | Body::Reply(_) => {}
        }
        let effects = self.engine.handle(at, Event::Message { unit, message, retained: false });
        if !effects.is_empty() {
            self.heed(effects);
        }
    }

    fn tested(&mut self, at: Timestamp, unit: UnitIx, test: Component, result: Outcome) {
        for case in self.cases.iter_mut().rev() {
            if case.to.is_some() || !case.strikes(unit) || case.kind.and_then(truth::failing_test) != Some(test) {
                continue;
            }
            match result {
                Outcome::Fail => {
                    case.fails += 1;
                    if case.fails == 3 {
                        case.visible = Some(at);
                    }
                }
                Outcome::Pass => case.fails = 0,
                Outcome::Inconclusive | Outcome::Skipped => {}
            }
        }
    }

    fn lost_power(&mut self, at: Timestamp, unit: UnitIx) {
        let mut explained = false;
        let cut_off = |c: &Case| matches!(c.kind, Some(FaultKind::FeederCut | FaultKind::LocalMainsLost));
        let outage = self.cases.iter().any(|c| c.is_recent(at) && c.strikes(unit) && cut_off(c));
        for case in self.cases.iter_mut().filter(|c| c.strikes(unit)) {
            let Some(kind) = case.kind else { continue };
            // What emptied the battery yesterday may let it die today: it takes a day of cuts to fill it again.
            let emptied =
                matches!(kind, FaultKind::FeederCut | FaultKind::LocalMainsLost | FaultKind::ChargerDead { .. });
            explained |= emptied && case.from <= at && case.to.is_none_or(|to| at <= to + DAY);
            if !case.is_recent(at) {
                continue;
            }
            match kind {
                FaultKind::Dead | FaultKind::RebootLoop { .. } | FaultKind::BootReset => explained = true,
                FaultKind::FeederCut | FaultKind::LocalMainsLost => explained = true,
                FaultKind::BatteryWeak { .. } | FaultKind::BatteryFading { .. } | FaultKind::ChargerDead { .. } => {
                    explained = true;
                    // In an outage that empties the best of batteries, a death shows nothing.
                    if case.died.is_none() && case.to.is_none() && !outage {
                        case.died = Some(at);
                        match kind {
                            FaultKind::BatteryWeak { .. } => case.visible = Some(at),
                            // Before it dies the first time.
                            FaultKind::BatteryFading { .. } => case.by = Some(at),
                            FaultKind::ChargerDead { .. } => case.by = Some(at + MINUTE * 15),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if !explained {
            let name = &self.fleet.unit(unit).unit;
            self.unfair.push(format!("{name} at {at}"));
        }
    }

    // ---- the truth ----

    fn began(&mut self, at: Timestamp, episode: usize) {
        let Some(case) = self.case_of.get(&episode).copied() else { return };
        let truth = self.world.fault(episode).clone();
        let allowed = truth::allowed(truth.kind, &self.plan);
        let last_press = truth.units.first().map(|u| self.last_test_press[u.index()]);
        let case = &mut self.cases[case];
        case.from = at;
        case.allowed = allowed;
        case.units = truth.units;
        case.units.sort_unstable();
        case.circuit = match truth.struck {
            Struck::Unit(_) => None,
            Struck::Uplink(name) | Struck::Feeder(name) => Some(name.as_str().to_owned()),
        };
        if truth::is_visible_at_once(truth.kind) {
            case.visible = Some(at);
        }
        match truth.kind {
            // Three quarters of the way down it is at 40 % of what it was.
            FaultKind::CameraDirty { over, .. } => case.visible = Some(at + over.mul_f64(0.75)),
            FaultKind::NoTestPresses => case.visible = last_press.map(|last| at.max(last + DAY * 30)),
            _ => {}
        }
    }

    /// Gives a fault to the world.
    fn inject(&mut self, at: Timestamp, kind: FaultKind, target: Target, lasts: Option<Duration>, name: &str) -> usize {
        let lasts = lasts.map_or(Lasts::UntilRepaired, |d| Lasts::For(d, d));
        self.world.inject(&Fault { kind, target, at: When::At(at), lasts }, at);
        let mut case = Case::new(name.to_owned(), truth::expect(kind), Vec::new(), Timestamp::MAX);
        case.kind = Some(kind);
        case.episode = Some(self.injected);
        self.cases.push(case);
        self.case_of.insert(self.injected, self.cases.len() - 1);
        self.injected += 1;
        self.cases.len() - 1
    }

    fn strike(&mut self, at: Timestamp, planned: Planned) {
        let unit = |run: &Run, n: usize| run.fleet.unit(UnitIx(n as u32)).clone();
        let uplink = |n: usize| UplinkId::parse(&format!("up-{n}")).expect("valid");
        let name = planned.kind.name().as_str();
        match planned.whom {
            Whom::Unit(n) => {
                let target = Target::Unit(unit(self, n).unit);
                let name = match planned.kind {
                    FaultKind::ChargerDead { carries_load: true } => "charger-idle",
                    _ => name,
                };
                self.inject(at, planned.kind, target, planned.lasts, name);
            }
            Whom::Uplink(n) => {
                self.inject(at, planned.kind, Target::Uplink(uplink(n)), planned.lasts, name);
            }
            Whom::Feeder(n) => {
                let target = Target::Feeder(FeederId::parse(&format!("feed-{n}")).expect("valid"));
                let case = self.inject(at, planned.kind, target, planned.lasts, "feeder-outage");
                self.at(at + HOUR, Act::FeederBack(case));
            }
            Whom::Uplinks(list) => {
                let all = self.fleet.units().map(|(ix, _)| ix).collect();
                let mut whole = Case::new("half the fleet".to_owned(), Expect::Nothing, all, at);
                whole.to = planned.lasts.map(|d| at + d);
                self.cases.push(whole);
                for n in list {
                    let case = self.inject(at, planned.kind, Target::Uplink(uplink(n)), planned.lasts, "");
                    self.cases[case].expect = Expect::Nothing;
                }
            }
            Whom::City(city) => {
                let city = City::parse(city).expect("valid");
                let units: Vec<UnitIx> = self.fleet.units().filter(|(_, u)| u.city == city).map(|(ix, _)| ix).collect();
                let mut whole = Case::new("fog on a city".to_owned(), Expect::Nothing, units.clone(), at);
                whole.to = planned.lasts.map(|d| at + d);
                self.cases.push(whole);
                for ix in units {
                    let target = Target::Unit(self.fleet.unit(ix).unit.clone());
                    self.inject(at, planned.kind, target, planned.lasts, "");
                }
            }
            Whom::Monitor { restart } => {
                if self.deaf.is_some() {
                    return;
                }
                let all = self.fleet.units().map(|(ix, _)| ix).collect();
                let name = if restart { "monitor restarted" } else { "monitor deaf" };
                let mut case = Case::new(name.to_owned(), Expect::Nothing, all, at);
                let lasts = planned.lasts.unwrap_or(HOUR);
                case.to = Some(at + lasts);
                self.cases.push(case);
                if !restart {
                    let effects = self.engine.handle(at, Event::Hearing(Hearing::Down));
                    self.heed(effects);
                }
                self.deaf = Some(Deafness {
                    restart,
                    case: self.cases.len() - 1,
                    kept: self.dice.odds(0.5).then(VecDeque::new),
                    saved: restart.then(|| self.engine.save()),
                });
                self.at(at + lasts, Act::Hear { restart });
            }
        }
    }

    /// Whatever hid a fault from us gives its order more time.
    fn hide(&mut self, units: &[UnitIx], from: Timestamp, to: Timestamp) {
        for case in self.cases.iter_mut().filter(|c| c.is_fault() && c.from != Timestamp::MAX && c.to.is_none()) {
            if case.units.iter().any(|u| units.binary_search(u).is_ok()) {
                // And a beat or two until all are heard again.
                case.hidden += to.since(from.max(case.from)) + self.plan.heartbeat * 5 + MINUTE * 5;
            }
        }
    }

    // ---- what is due ----

    fn act(&mut self, at: Timestamp, act: Act) {
        match act {
            Act::Plan(n) => {
                let planned = self.planned[n].clone();
                self.strike(at, planned);
            }
            Act::Look => {
                self.look(at);
                self.at(at + MINUTE * 30, Act::Look);
            }
            Act::Order(id, to) => {
                let Some(known) = self.orders.get(&id) else { return };
                if !known.order.state.is_open() {
                    return;
                }
                if self.deaf.as_ref().is_some_and(|d| d.restart) {
                    // We are off: the crew tries again.
                    self.at(at + MINUTE * 20, Act::Order(id, to));
                    return;
                }
                let action = Action::SetOrder { order: id, to, note: String::new() };
                let effects = self.engine.handle(at, Event::Do { action, by: "crew".to_owned() });
                self.heed(effects);
            }
            Act::Fix(id) => self.fix(at, id),
            Act::Chase(id) => {
                if self.orders.get(&id).is_some_and(|k| k.order.state == OrderState::Repaired) {
                    self.chased += 1;
                    self.send_crew(at, id);
                }
            }
            Act::Hear { restart } => {
                let Some(deaf) = self.deaf.take() else { return };
                if let Some(saved) = deaf.saved {
                    let fleet = self.fleet.clone();
                    self.engine = Engine::restore(default_rules(), fleet, settings(), &saved).expect("its own saving");
                }
                let hearing = if restart { Hearing::Start } else { Hearing::Up };
                let effects = self.engine.handle(at, Event::Hearing(hearing));
                self.heed(effects);
                let (units, from) = (self.cases[deaf.case].units.clone(), self.cases[deaf.case].from);
                debug_assert_eq!(deaf.restart, restart);
                self.hide(&units, from, at);
                for (unit, message) in deaf.kept.into_iter().flatten() {
                    self.hear(at, unit, message);
                }
            }
            Act::Relapse(case, order) => {
                let Some(kind) = self.cases[case].kind else { return };
                let unit = self.cases[case].units[0];
                let target = Target::Unit(self.fleet.unit(unit).unit.clone());
                let name = self.cases[case].name.clone();
                let again = self.inject(at, kind, target, None, &name);
                self.cases[again].relapse_of = Some(order);
            }
            Act::FeederBack(case) => self.feeder_back(at, case),
        }
    }

    /// A feeder comes back an hour or three after all its units have gone dark.
    fn feeder_back(&mut self, at: Timestamp, case: usize) {
        let c = &mut self.cases[case];
        let dark = c.units.iter().filter(|u| !self.world.inspect(**u).on).count();
        if c.visible.is_none() && dark * 5 >= c.units.len() * 4 {
            c.visible = Some(at);
        }
        if dark == c.units.len() && c.visible.is_some_and(|v| at >= v + HOUR * 2) || at >= c.from + DAY * 5 {
            let unit = c.units[0];
            self.world.repair(unit, Component::Mains, at + MINUTE * 7);
            return;
        }
        self.at(at + MINUTE * 10, Act::FeederBack(case));
    }

    fn look(&mut self, at: Timestamp) {
        for case in &mut self.cases {
            let Some(kind) = case.kind.filter(|_| case.to.is_none() && case.from != Timestamp::MAX) else { continue };
            match kind {
                FaultKind::ChargerDead { .. } => {
                    let seen = self.world.inspect(case.units[0]);
                    let low = seen.mains && seen.on && seen.linked && seen.charge < 0.75;
                    if low && case.visible.is_none() {
                        case.visible = Some(at);
                    }
                }
                // While the whole feeder is cut, a blown fuse cannot be told from it; nor when nobody else is there.
                FaultKind::LocalMainsLost => {
                    let unit = case.units[0];
                    let feeder = self.fleet.unit(unit).group(GroupKind::Feeder);
                    let lit = |u: &UnitIx| *u != unit && self.world.inspect(*u).mains && self.world.inspect(*u).on;
                    let others = feeder.and_then(|name| self.fleet.groups().get(&(GroupKind::Feeder, name)));
                    if !others.is_some_and(|others| others.iter().any(lit)) {
                        case.hidden += MINUTE * 30;
                    }
                }
                _ => {}
            }
        }
    }

    // ---- what the engine decides ----

    fn heed(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let at = effect.at;
            self.trace(&effect);
            match effect.kind {
                EffectKind::Order(order) => self.order(at, *order),
                EffectKind::OrderUpdated(order) => {
                    let case = self.explain_joined(at, &order);
                    if let Some(known) = self.orders.get_mut(&order.id) {
                        known.order = *order;
                        if case.is_some() {
                            known.case = case;
                        }
                    }
                }
                EffectKind::Command { unit, command } => {
                    if let Some(ix) = self.fleet.find(unit.as_str()) {
                        let now = at.max(self.world.now());
                        self.world.command(ix, command, now + Duration::from_secs(2));
                    }
                }
                EffectKind::Incident { kind, name, state, .. } => {
                    if kind == GroupKind::Feeder && state == IncidentState::Open {
                        for case in &mut self.cases {
                            if case.expect == Expect::FeederIncident
                                && case.circuit.as_deref() == Some(name.as_str())
                                && case.is_recent(at)
                            {
                                case.found.get_or_insert(Found { at, order: None, component: None });
                            }
                        }
                    }
                }
                EffectKind::Alert { unit, rule, state, .. } => {
                    if rule.as_str() == "press-flood"
                        && state == AlertState::Firing
                        && let Some(ix) = self.fleet.find(unit.as_str())
                    {
                        for case in &mut self.cases {
                            if case.expect == Expect::FloodAlert && case.strikes(ix) && case.is_recent(at) {
                                case.found.get_or_insert(Found { at, order: None, component: None });
                            }
                        }
                    }
                }
                EffectKind::Readiness { .. }
                | EffectKind::Mail(_)
                | EffectKind::Reading { .. }
                | EffectKind::Refused { .. } => {}
            }
        }
    }

    /// `CAMPAIGN_TRACE=b0b1:U-034` prints whatever is decided on that unit, what it says of its power,
    /// and every incident.
    fn trace(&self, effect: &Effect) {
        let Some(traced) = self.traced.as_deref() else { return };
        let of = |unit: &str| unit == traced;
        let tell = match &effect.kind {
            EffectKind::Readiness { unit, .. } | EffectKind::Alert { unit, .. } | EffectKind::Reading { unit, .. } => {
                of(unit.as_str())
            }
            EffectKind::Incident { .. } => true,
            EffectKind::Order(order) | EffectKind::OrderUpdated(order) => match &order.subject {
                Subject::Unit { unit, .. } => of(unit.as_str()),
                Subject::Incident { .. } => true,
            },
            EffectKind::Mail(_) | EffectKind::Command { .. } | EffectKind::Refused { .. } => false,
        };
        if tell {
            let mut line = Vec::new();
            write_effect(effect, &mut line);
            print!("{}", String::from_utf8_lossy(&line));
        }
    }

    /// The case that an order on this subject is about: one that has none yet before one that has.
    fn explain(&self, at: Timestamp, subject: &Subject) -> Option<usize> {
        let fits = |case: &Case| match (subject, case.expect) {
            (Subject::Unit { unit, component }, Expect::Order(accepted)) => {
                let ix = self.fleet.find(unit.as_str());
                let same_site = |a: UnitIx| {
                    let site = |u: UnitIx| &self.fleet.unit(u).site;
                    ix.is_some_and(|ix| site(ix) == site(a))
                };
                let here = ix.is_some_and(|ix| case.strikes(ix))
                    // One order for the press tests of a site.
                    || case.kind == Some(FaultKind::NoTestPresses) && case.units.iter().any(|u| same_site(*u));
                here && accepted.contains(component)
            }
            (Subject::Incident { kind: GroupKind::Uplink, name }, Expect::UplinkOrder)
            | (Subject::Incident { kind: GroupKind::Feeder, name }, Expect::FeederIncident) => {
                case.circuit.as_deref() == Some(name.as_str())
            }
            (Subject::Incident { kind: GroupKind::City | GroupKind::Fleet, .. }, Expect::Nothing) => {
                matches!(case.name.as_str(), "half the fleet" | "monitor deaf" | "monitor restarted")
            }
            _ => false,
        };
        let fitting = || self.cases.iter().enumerate().rev().filter(|(_, c)| c.is_recent(at) && fits(c));
        let open = fitting().find(|(_, c)| c.found.is_none());
        open.or_else(|| fitting().next()).map(|(n, _)| n)
    }

    fn order(&mut self, at: Timestamp, order: Order) {
        let id = order.id;
        let relapsed = order.state == OrderState::Reopened
            && self.orders.get(&id).is_some_and(|k| k.order.state == OrderState::Closed);
        match order.state {
            OrderState::Opened => self.opened(at, order, false),
            OrderState::Reopened if relapsed => self.opened(at, order, true),
            OrderState::Reopened => {
                // A test failed after "repaired": the crew comes again.
                if let Some(known) = self.orders.get_mut(&id) {
                    known.order = order;
                }
                self.send_crew(at, id);
            }
            OrderState::Closed => {
                if let Some(known) = self.orders.get_mut(&id) {
                    known.order = order;
                }
                self.closed(at, id);
            }
            OrderState::Acknowledged
            | OrderState::EnRoute
            | OrderState::Repaired
            | OrderState::Verified
            | OrderState::Cancelled => {
                if let Some(known) = self.orders.get_mut(&id) {
                    known.order = order;
                }
            }
        }
    }

    /// More evidence on an order that was open already: it may be a second fault of the same component.
    fn explain_joined(&mut self, at: Timestamp, order: &Order) -> Option<usize> {
        let n = self.explain(at, &order.subject)?;
        let component = component_of(&order.subject);
        let case = &mut self.cases[n];
        case.seen_flapping |= order.flapping;
        if case.found.is_some() {
            return None;
        }
        case.found = Some(Found { at, order: Some(order.id), component });
        Some(n)
    }

    fn opened(&mut self, at: Timestamp, order: Order, relapse: bool) {
        let id = order.id;
        let component = component_of(&order.subject);
        let mut explained = self.explain(at, &order.subject);
        let mut doubled = false;
        if let Some(n) = explained {
            let case = &mut self.cases[n];
            case.seen_flapping |= order.flapping;
            match case.found {
                None => {
                    case.found = Some(Found { at, order: Some(id), component });
                    case.relapsed_right = case.relapse_of.map(|earlier| relapse && earlier == id);
                }
                // The same order again: the fault was never repaired.
                Some(found) if found.order == Some(id) => {}
                Some(_) if case.expect == Expect::FeederIncident => {}
                Some(_) => doubled = true,
            }
        } else {
            explained = None;
            for case in &mut self.cases {
                let touches = match &order.subject {
                    Subject::Unit { unit, .. } => self.fleet.find(unit.as_str()).is_some_and(|u| case.strikes(u)),
                    Subject::Incident { .. } => true,
                };
                if touches && !case.is_fault() && case.from <= at && case.to.is_none_or(|to| at <= to + DAY) {
                    case.false_orders += 1;
                }
            }
        }
        let subject = match &order.subject {
            Subject::Unit { unit, component } => format!("{unit} {component}"),
            Subject::Incident { kind, name } => format!("{kind} {name}"),
        };
        let around: Vec<String> = match &order.subject {
            Subject::Unit { unit, .. } => {
                let ix = self.fleet.find(unit.as_str());
                let near = |c: &&Case| {
                    ix.is_some_and(|u| c.strikes(u)) && c.from <= at && c.to.is_none_or(|to| at <= to + DAY * 2)
                };
                let said =
                    |c: &Case| format!("{} {}–{}", c.name, c.from, c.to.map_or("".to_owned(), |t| t.to_string()));
                self.cases.iter().filter(near).map(said).collect()
            }
            Subject::Incident { .. } => {
                let near = |c: &&Case| {
                    !c.name.is_empty()
                        && c.from <= at
                        && c.to.is_none_or(|to| at <= to + DAY)
                        && order.units.iter().any(|u| self.fleet.find(u.as_str()).is_some_and(|u| c.strikes(u)))
                };
                let said = |c: &Case| {
                    format!(
                        "{} {}–{} of {}",
                        c.name,
                        c.from,
                        c.to.map_or(String::new(), |t| t.to_string()),
                        c.units.len()
                    )
                };
                self.cases.iter().filter(near).map(said).collect()
            }
        };
        let text = format!(
            "{id} {:?} [{}] rules {}; there: {}",
            order.summary,
            order.evidence.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | "),
            order.rules.iter().map(|r| r.as_str()).collect::<Vec<_>>().join(","),
            if around.is_empty() { "nothing".to_owned() } else { around.join("; ") },
        );
        let true_anyway = self.is_untested(at, &order);
        self.written.push(Written { at, subject, component, case: explained, doubled, true_anyway, text });
        let visits = self.orders.get(&id).map_or(0, |k| k.visits);
        self.orders.insert(id, Known { order, case: explained, visits });
        self.send_crew(at, id);
    }

    /// Nobody made a test press that came through for 30 days, says what was heard.
    fn is_untested(&self, at: Timestamp, order: &Order) -> bool {
        let asks = order.rules.iter().all(|r| r.as_str() == "press-test-overdue");
        let Subject::Unit { unit, .. } = &order.subject else { return false };
        let Some(site) = self.fleet.find(unit.as_str()).map(|u| &self.fleet.unit(u).site) else { return false };
        let mut there = self.fleet.units().filter(|(_, u)| u.site == *site);
        asks && there.any(|(u, _)| at.since(self.last_test_press[u.index()]) + HOUR >= DAY * 30)
    }

    fn send_crew(&mut self, at: Timestamp, id: OrderId) {
        // Most come within hours, a few after days.
        let slow = self.dice.odds(0.08);
        let ride = if slow { self.dice.span(DAY, DAY * 2) } else { self.dice.span(HOUR, HOUR * 8) };
        let work = self.dice.span(MINUTE * 20, HOUR * 2);
        if self.dice.odds(0.8) {
            self.at(at + ride.mul_f64(0.5), Act::Order(id, OrderMove::Acknowledged));
            self.at(at + ride, Act::Order(id, OrderMove::EnRoute));
        }
        // One visit in ten leaves the fault where it is.
        let first = self.orders.get(&id).is_some_and(|k| k.visits == 0);
        if first && self.dice.odds(0.1) {
            self.left += 1;
        } else {
            self.at(at + ride + work, Act::Fix(id));
        }
        self.at(at + ride + work + MINUTE * 5, Act::Order(id, OrderMove::Repaired));
        // Two hours of hold, a daily test, and then some.
        self.at(at + ride + work + HOUR * 30, Act::Chase(id));
        if let Some(known) = self.orders.get_mut(&id) {
            known.visits += 1;
        }
    }

    fn fix(&mut self, at: Timestamp, id: OrderId) {
        let Some(known) = self.orders.get(&id) else { return };
        if !known.order.state.is_open() {
            return;
        }
        let mut components: Vec<Component> = known.order.suspects.iter().map(|s| s.component).collect();
        components.extend(component_of(&known.order.subject));
        components.sort_unstable();
        components.dedup();
        let units: Vec<UnitIx> = match &known.order.subject {
            Subject::Unit { unit, .. } => self.fleet.find(unit.as_str()).into_iter().collect(),
            Subject::Incident { kind: GroupKind::Uplink, .. } => {
                known.order.units.iter().take(1).filter_map(|u| self.fleet.find(u.as_str())).collect()
            }
            // The utility's, the carrier's or our own affair.
            Subject::Incident { .. } => Vec::new(),
        };
        for unit in units {
            for component in &components {
                self.world.repair(unit, *component, at);
            }
        }
        if let Some(case) = known.case {
            self.cases[case].repaired_at = Some(at);
        }
    }

    fn closed(&mut self, at: Timestamp, id: OrderId) {
        let Some(known) = self.orders.get(&id) else { return };
        let Some(n) = known.case else { return };
        let case = &mut self.cases[n];
        case.closed_at = Some(at);
        let Some(kind) = case.kind else { return };
        // Faults that a crew ended come back within the week now and then: the same order again.
        let comes_back = matches!(
            kind,
            FaultKind::Dead
                | FaultKind::CameraBlocked
                | FaultKind::MicrophoneDeaf { .. }
                | FaultKind::StreamBroken
                | FaultKind::SpeakerDead
                | FaultKind::Tamper
                | FaultKind::LocalMainsLost
        );
        let repaired = known.visits > 0 && case.repaired_at.is_some() && case.to.is_some();
        if comes_back && repaired && case.relapse_of.is_none() && self.dice.odds(0.15) {
            self.at(at + DAY + self.dice.clone().span(Duration::ZERO, DAY), Act::Relapse(n, id));
        }
    }
}

fn component_of(subject: &Subject) -> Option<Component> {
    match subject {
        Subject::Unit { component, .. } => Some(*component),
        Subject::Incident { kind: GroupKind::Feeder, .. } => Some(Component::Mains),
        Subject::Incident { .. } => Some(Component::Uplink),
    }
}
