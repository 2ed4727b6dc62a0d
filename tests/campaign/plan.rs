//! What the campaign's worlds are made of: fleets, timetables, and which fault strikes whom and when. Drawn from a seed.
//! Never judges.

use std::time::Duration;

use buttonwatch::app::simulate::{FaultKind, FaultName, Scenario, Timetable};
use buttonwatch::domain::{City, CrewId, FeederId, Fleet, SiteId, Timestamp, Unit, UnitId, UplinkId};

pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(86_400);

/// SplitMix64: the campaign's own dice, apart from the world's.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
    pub fn span(&mut self, low: Duration, high: Duration) -> Duration {
        Duration::from_millis(self.between(low.as_millis() as f64, high.as_millis() as f64) as u64)
    }
    pub fn odds(&mut self, p: f64) -> bool {
        self.unit() < p
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n.max(1) as u64) as usize
    }
}

/// One simulated fleet over one stretch of time.
#[derive(Debug, Clone, Copy)]
pub struct WorldPlan {
    pub seed: u64,
    pub units: usize,
    pub days: u64,
    pub heartbeat: Duration,
    pub power: Duration,
    pub selftest: Duration,
    /// Local winter has fog, summer heat.
    pub start: &'static str,
    /// False: nothing at all is wrong, but for load-shedding.
    pub faults: bool,
}

impl WorldPlan {
    pub fn start(&self) -> Timestamp {
        Timestamp::parse(self.start).expect("the plans' own times are valid")
    }
    pub fn end(&self) -> Timestamp {
        self.start() + DAY * self.days as u32
    }
}

/// The whole campaign.
pub fn worlds() -> Vec<WorldPlan> {
    let starts = [
        "2026-02-20T00:00:00Z",
        "2026-05-01T00:00:00Z",
        "2026-07-01T00:00:00Z",
        "2026-09-10T00:00:00Z",
        "2026-11-25T00:00:00Z",
        "2027-01-05T00:00:00Z",
    ];
    let mut plans = Vec::new();
    for (n, start) in starts.into_iter().enumerate() {
        let n = n as u64;
        plans.push(WorldPlan {
            seed: 0xb0b0 + n,
            // A fast fleet says twice as much: half of it will do.
            units: if n == 0 { 36 } else { 60 },
            days: 62,
            heartbeat: Duration::from_secs(if n == 0 { 30 } else { 60 }),
            power: MINUTE * 5,
            selftest: HOUR * [8, 12, 24][n as usize % 3],
            start,
            faults: true,
        });
    }
    for (n, start) in ["2026-06-10T00:00:00Z", "2026-12-01T00:00:00Z"].into_iter().enumerate() {
        plans.push(WorldPlan {
            seed: 0x5ed + n as u64,
            units: 48,
            days: 42,
            heartbeat: MINUTE,
            power: MINUTE * [5, 10][n],
            selftest: HOUR * 24,
            start,
            faults: false,
        });
    }
    plans
}

/// What an unoptimised build can do in some seconds.
pub fn small() -> Vec<WorldPlan> {
    let minute = MINUTE;
    let world = WorldPlan {
        seed: 0x5a11,
        units: 24,
        days: 21,
        heartbeat: minute * 2,
        power: minute * 10,
        selftest: HOUR * 8,
        start: "2026-09-10T00:00:00Z",
        faults: true,
    };
    vec![world, WorldPlan { seed: 0x5a12, units: 12, faults: false, ..world }]
}

/// Units in pairs on a site, four to an uplink, six to a feeder, two cities; every fourth with a lithium battery.
pub fn fleet(plan: &WorldPlan) -> Fleet {
    let unit = |i: usize| Unit {
        unit: UnitId::parse(&format!("U-{:03}", i + 1)).expect("valid"),
        name: format!("Button {}", i + 1).into(),
        site: SiteId::parse(&format!("Site {}", i / 2)).expect("valid"),
        site_type: ["market", "park", "university", "bus-terminal"][i / 2 % 4].into(),
        city: City::parse(if i < plan.units * 2 / 3 { "Peshawar" } else { "Mardan" }).expect("valid"),
        district: None,
        address: "".into(),
        position: None,
        crew: CrewId::parse(if i < plan.units * 2 / 3 { "saddar" } else { "mardan" }).expect("valid"),
        uplink: Some(UplinkId::parse(&format!("up-{}", i / 4)).expect("valid")),
        feeder: Some(FeederId::parse(&feeder_name(i / 6)).expect("valid")),
        model: if i % 4 == 3 { "PB-2 LiFePO4" } else { "PB-1" }.into(),
        heartbeat: Some(plan.heartbeat),
        commissioned: None,
        contact: "".into(),
    };
    Fleet::new((0..plan.units).map(unit).collect())
}

fn feeder_name(n: usize) -> String {
    format!("feed-{n}")
}

/// Hours and cuts a day, feeder by feeder. The first is a feeder with a hospital on it.
const CUTS: [(f64, u32); 6] = [(0.0, 0), (4.0, 4), (6.0, 6), (8.0, 6), (12.0, 6), (5.0, 2)];

pub fn scenario(plan: &WorldPlan) -> Scenario {
    let mut scenario = Scenario::default();
    scenario.cadence.heartbeat = Some(plan.heartbeat);
    scenario.cadence.power = plan.power;
    scenario.cadence.selftest = Some(plan.selftest);
    for n in 0..plan.units.div_ceil(6) {
        let (hours, cuts) = if plan.faults { CUTS[n % CUTS.len()] } else { CUTS[2 + n % 3] };
        let table = Timetable { hours, cuts, jitter_ms: 360_000, unannounced: 2.0 };
        scenario.load_shedding.feeders.push((FeederId::parse(&feeder_name(n)).expect("valid"), table));
    }
    scenario
}

/// Is this unit's feeder cut often enough that a bad battery shows?
fn is_cut_daily(unit: usize) -> bool {
    CUTS[unit / 6 % CUTS.len()].1 > 0
}

/// Whom a planned fault strikes, by place in the fleet.
#[derive(Debug, Clone, PartialEq)]
pub enum Whom {
    Unit(usize),
    Uplink(usize),
    /// Ends some hours after the last of its units has gone dark.
    Feeder(usize),
    /// So many of the uplinks at the same moment.
    Uplinks(Vec<usize>),
    City(&'static str),
    /// Our own hearing: `restart` is off for two hours and starts from what it had saved.
    Monitor {
        restart: bool,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    pub at: Timestamp,
    pub whom: Whom,
    /// For `Whom::Monitor` it means nothing.
    pub kind: FaultKind,
    /// None: until repaired.
    pub lasts: Option<Duration>,
}

/// Between the beginnings of two faults of one unit: repair, its proof, and the week in which it could relapse.
const APART: Duration = Duration::from_secs(9 * 86_400);

/// In weights: how often a fault is drawn for a unit.
const SHORT: [(FaultName, u32); 22] = [
    (FaultName::Dead, 8),
    (FaultName::CameraBlocked, 5),
    (FaultName::CameraFrozen, 4),
    (FaultName::MicrophoneDeaf, 7),
    (FaultName::SpeakerDead, 5),
    (FaultName::StreamBroken, 6),
    (FaultName::ButtonStuck, 5),
    (FaultName::PressFlood, 3),
    (FaultName::RebootLoop, 6),
    (FaultName::ClockOff, 6),
    (FaultName::Tamper, 4),
    (FaultName::Overheat, 4),
    (FaultName::FlappingLink, 4),
    (FaultName::LocalMainsLost, 8),
    (FaultName::BatteryWeak, 7),
    (FaultName::ChargerDead, 9),
    (FaultName::CameraGlitch, 4),
    (FaultName::Loud, 4),
    (FaultName::LossyLink, 4),
    (FaultName::ScrambledLink, 4),
    (FaultName::BootReset, 4),
    (FaultName::Fog, 2),
];

fn draw_short(dice: &mut Dice, unit: usize) -> FaultName {
    loop {
        let total: u32 = SHORT.iter().map(|(_, w)| w).sum();
        let mut left = dice.below(total as usize) as u32;
        let drawn = SHORT.iter().find(|(_, w)| {
            let here = left < *w;
            left = left.saturating_sub(*w);
            here
        });
        let name = drawn.expect("the weights add up").0;
        // A weak battery shows only where there are cuts.
        if name != FaultName::BatteryWeak || is_cut_daily(unit) {
            return name;
        }
    }
}

fn figures(dice: &mut Dice, name: FaultName, plan: &WorldPlan) -> (FaultKind, Option<Duration>) {
    let usual = name.usual();
    match usual {
        FaultKind::ClockOff { by_ms } => {
            let by_ms = (by_ms as f64 * dice.between(1.0, 4.0)) as i64;
            (FaultKind::ClockOff { by_ms: if dice.odds(0.5) { by_ms } else { -by_ms } }, None)
        }
        FaultKind::ChargerDead { .. } => (FaultKind::ChargerDead { carries_load: dice.odds(0.5) }, None),
        FaultKind::MicrophoneDeaf { .. } => (FaultKind::MicrophoneDeaf { db: dice.between(13.0, 24.0) }, None),
        FaultKind::BatteryWeak { .. } => {
            (FaultKind::BatteryWeak { capacity_pct: dice.between(4.0, 9.0), charge_pct: None }, None)
        }
        FaultKind::RebootLoop { .. } => (FaultKind::RebootLoop { every: dice.span(MINUTE * 6, MINUTE * 14) }, None),
        // Long enough off to count as silent, whatever the cadence.
        FaultKind::FlappingLink { .. } => (FaultKind::FlappingLink { every: plan.heartbeat * 9 }, Some(DAY)),
        FaultKind::Loud => (usual, Some(dice.span(HOUR * 6, HOUR * 30))),
        FaultKind::Fog { .. } => (usual, Some(dice.span(HOUR * 10, HOUR * 23))),
        FaultKind::LossyLink { .. } => (FaultKind::LossyLink { loss_pct: dice.between(12.0, 25.0) }, Some(DAY * 2)),
        FaultKind::ScrambledLink => (usual, Some(DAY)),
        FaultKind::CameraGlitch => (usual, Some(DAY * 2)),
        FaultKind::BootReset => (usual, Some(MINUTE)),
        FaultKind::PressFlood { within, .. } => (usual, Some(within)),
        FaultKind::LocalMainsLost => (usual, None),
        FaultKind::Dead
        | FaultKind::UplinkDown
        | FaultKind::FeederCut
        | FaultKind::CameraBlocked
        | FaultKind::CameraFrozen
        | FaultKind::CameraDirty { .. }
        | FaultKind::SpeakerDead
        | FaultKind::StreamBroken
        | FaultKind::ButtonStuck
        | FaultKind::NoTestPresses
        | FaultKind::BatteryFading { .. }
        | FaultKind::Tamper
        | FaultKind::Overheat { .. } => (usual, None),
    }
}

/// Every fault of a world, in the order of time.
pub fn faults(plan: &WorldPlan) -> Vec<Planned> {
    let mut planned = Vec::new();
    if !plan.faults {
        return planned;
    }
    let mut dice = Dice(plan.seed ^ 0xfa17);
    let (start, end) = (plan.start(), plan.end());
    for unit in 0..plan.units {
        // Baselines and batteries are learned first.
        let mut at = start + dice.span(DAY * 4, DAY * 8);
        let slow = if plan.days >= 50 { [1, 2, 3].get(unit % 9).copied() } else { None };
        if let Some(slow) = slow {
            let (kind, lasts) = match slow {
                1 if is_cut_daily(unit) => (FaultKind::BatteryFading { per_day_pct: dice.between(2.6, 5.0) }, 42),
                1 | 2 => (FaultKind::CameraDirty { over: dice.span(DAY * 14, DAY * 24), left_pct: 20.0 }, 32),
                _ => (FaultKind::NoTestPresses, 50),
            };
            planned.push(Planned { at, whom: Whom::Unit(unit), kind, lasts: None });
            at = at + DAY * lasts;
        }
        while at + DAY * 5 < end {
            let (kind, lasts) = {
                let name = draw_short(&mut dice, unit);
                figures(&mut dice, name, plan)
            };
            planned.push(Planned { at, whom: Whom::Unit(unit), kind, lasts });
            at = at + APART + dice.span(Duration::ZERO, DAY * 2);
        }
    }
    let mut common = |planned: &mut Vec<Planned>, every: Duration, make: &mut dyn FnMut(&mut Dice) -> Planned| {
        let mut at = start + dice.span(DAY * 5, DAY * 9);
        while at + DAY * 3 < end {
            planned.push(Planned { at, ..make(&mut dice) });
            at = at + dice.span(every.mul_f64(0.6), every.mul_f64(1.4));
        }
    };
    let (uplinks, feeders) = (plan.units.div_ceil(4), plan.units.div_ceil(6));
    common(&mut planned, DAY * 5, &mut |dice| {
        let lasts = dice.odds(0.6).then(|| dice.span(MINUTE * 30, HOUR * 6));
        Planned { at: start, whom: Whom::Uplink(dice.below(uplinks)), kind: FaultKind::UplinkDown, lasts }
    });
    common(&mut planned, DAY * 14, &mut |dice| Planned {
        at: start,
        whom: Whom::Feeder(dice.below(feeders)),
        kind: FaultKind::FeederCut,
        lasts: None,
    });
    common(&mut planned, DAY * 17, &mut |dice| {
        let mut struck: Vec<usize> = (0..uplinks).collect();
        let keep = ((uplinks as f64 * dice.between(0.6, 1.0)).ceil() as usize).min(uplinks);
        while struck.len() > keep {
            struck.remove(dice.below(struck.len()));
        }
        let lasts = Some(dice.span(MINUTE * 12, MINUTE * 90));
        Planned { at: start, whom: Whom::Uplinks(struck), kind: FaultKind::UplinkDown, lasts }
    });
    common(&mut planned, DAY * 11, &mut |dice| {
        let restart = dice.odds(0.5);
        let lasts = Some(if restart { HOUR * 2 } else { dice.span(MINUTE * 15, MINUTE * 40) });
        Planned { at: start, whom: Whom::Monitor { restart }, kind: FaultKind::Loud, lasts }
    });
    common(&mut planned, DAY * 16, &mut |dice| {
        let city = if dice.odds(0.5) { "Peshawar" } else { "Mardan" };
        let kind = FaultKind::Fog { left_pct: dice.between(25.0, 40.0) };
        Planned { at: start, whom: Whom::City(city), kind, lasts: Some(dice.span(HOUR * 8, HOUR * 22)) }
    });
    planned.sort_by_key(|p| p.at);
    planned
}
