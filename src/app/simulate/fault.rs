//! What can go wrong on purpose, for whom, when and for how long; and the truth about it afterwards.
//! Never changes a unit: `world` does.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::component::words;
use crate::domain::{City, Component, FeederId, GroupName, SiteId, Timestamp, UnitId, UnitIx, UplinkId};

words!(
    /// The `kind` of a `[[fault]]`.
    FaultName {
        Dead = "dead",
        UplinkDown = "uplink-down",
        FeederCut = "feeder-cut",
        CameraBlocked = "camera-blocked",
        CameraFrozen = "camera-frozen",
        CameraGlitch = "camera-glitch",
        CameraDirty = "camera-dirty",
        Fog = "fog",
        MicrophoneDeaf = "microphone-deaf",
        Loud = "loud",
        SpeakerDead = "speaker-dead",
        StreamBroken = "stream-broken",
        ButtonStuck = "button-stuck",
        PressFlood = "press-flood",
        NoTestPresses = "no-test-presses",
        BatteryWeak = "battery-weak",
        BatteryFading = "battery-fading",
        ChargerDead = "charger-dead",
        LocalMainsLost = "local-mains-lost",
        RebootLoop = "reboot-loop",
        ClockOff = "clock-off",
        Tamper = "tamper",
        Overheat = "overheat",
        LossyLink = "lossy-link",
        FlappingLink = "flapping-link",
        ScrambledLink = "scrambled-link",
        BootReset = "boot-reset",
    }
);

/// A fault with its figures. `FaultName::usual` gives the usual ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FaultKind {
    /// The unit stops: its connection breaks without a DISCONNECT, and nothing more comes. It starts anew afterwards.
    Dead,
    /// Every unit of an uplink loses its connection; what they have to say waits in their buffers.
    UplinkDown,
    /// The feeder has no mains, timetable or not.
    FeederCut,
    /// A poster, a bag, a hand over the lens.
    CameraBlocked,
    /// One picture again and again.
    CameraFrozen,
    /// The next camera test fails, once.
    CameraGlitch,
    /// Dust: sharpness falls to `left_pct` of its own value, evenly over `over`.
    CameraDirty {
        over: Duration,
        left_pct: f64,
    },
    /// Everyone's sharpness falls to `left_pct`; nothing is broken.
    Fog {
        left_pct: f64,
    },
    /// The tone stands `db` lower than at commissioning.
    MicrophoneDeaf {
        db: f64,
    },
    /// A wedding, a generator: microphone tests are inconclusive; nothing is broken.
    Loud,
    SpeakerDead,
    /// The media server cannot be reached; heartbeats go on.
    StreamBroken,
    /// The contact does not open.
    ButtonStuck,
    /// So many real presses, evenly over the time.
    PressFlood {
        count: u32,
        within: Duration,
    },
    /// Nobody comes to press.
    NoTestPresses,
    /// Lost capacity, and the ohms that go with it. `charge_pct`: where it stands when the fault begins.
    BatteryWeak {
        capacity_pct: f64,
        charge_pct: Option<f64>,
    },
    /// Loses so many per cent of its new capacity each day.
    BatteryFading {
        per_day_pct: f64,
    },
    /// No charge current. The supply may still feed the unit, or be dead as well: then the battery empties with mains on.
    ChargerDead {
        carries_load: bool,
    },
    /// A fuse in the unit's own wiring.
    LocalMainsLost,
    RebootLoop {
        every: Duration,
    },
    /// Milliseconds; positive: the unit's clock is ahead.
    ClockOff {
        by_ms: i64,
    },
    Tamper,
    /// A dead fan, a box in the sun.
    Overheat {
        celsius: f64,
    },
    /// Heartbeats and power messages go missing, never three in a row: a thin link, not silence.
    LossyLink {
        loss_pct: f64,
    },
    /// Down for two thirds of each `every`.
    FlappingLink {
        every: Duration,
    },
    /// Messages come twice, late and out of order; nothing is broken.
    ScrambledLink,
    /// The boot counter starts again at 1: lost flash after a firmware update; nothing is broken.
    BootReset,
}

const fn hours(n: u64) -> Duration {
    Duration::from_secs(n * 3600)
}

impl FaultName {
    /// The figures a scenario gets when it gives none.
    pub fn usual(self) -> FaultKind {
        match self {
            FaultName::Dead => FaultKind::Dead,
            FaultName::UplinkDown => FaultKind::UplinkDown,
            FaultName::FeederCut => FaultKind::FeederCut,
            FaultName::CameraBlocked => FaultKind::CameraBlocked,
            FaultName::CameraFrozen => FaultKind::CameraFrozen,
            FaultName::CameraGlitch => FaultKind::CameraGlitch,
            FaultName::CameraDirty => FaultKind::CameraDirty { over: hours(21 * 24), left_pct: 20.0 },
            FaultName::Fog => FaultKind::Fog { left_pct: 30.0 },
            FaultName::MicrophoneDeaf => FaultKind::MicrophoneDeaf { db: 18.0 },
            FaultName::Loud => FaultKind::Loud,
            FaultName::SpeakerDead => FaultKind::SpeakerDead,
            FaultName::StreamBroken => FaultKind::StreamBroken,
            FaultName::ButtonStuck => FaultKind::ButtonStuck,
            FaultName::PressFlood => FaultKind::PressFlood { count: 30, within: hours(1) },
            FaultName::NoTestPresses => FaultKind::NoTestPresses,
            FaultName::BatteryWeak => FaultKind::BatteryWeak { capacity_pct: 10.0, charge_pct: None },
            FaultName::BatteryFading => FaultKind::BatteryFading { per_day_pct: 3.0 },
            FaultName::ChargerDead => FaultKind::ChargerDead { carries_load: false },
            FaultName::LocalMainsLost => FaultKind::LocalMainsLost,
            FaultName::RebootLoop => FaultKind::RebootLoop { every: Duration::from_secs(600) },
            FaultName::ClockOff => FaultKind::ClockOff { by_ms: 600_000 },
            FaultName::Tamper => FaultKind::Tamper,
            FaultName::Overheat => FaultKind::Overheat { celsius: 70.0 },
            FaultName::LossyLink => FaultKind::LossyLink { loss_pct: 20.0 },
            FaultName::FlappingLink => FaultKind::FlappingLink { every: Duration::from_secs(180) },
            FaultName::ScrambledLink => FaultKind::ScrambledLink,
            FaultName::BootReset => FaultKind::BootReset,
        }
    }
}

impl FaultKind {
    pub fn name(self) -> FaultName {
        match self {
            FaultKind::Dead => FaultName::Dead,
            FaultKind::UplinkDown => FaultName::UplinkDown,
            FaultKind::FeederCut => FaultName::FeederCut,
            FaultKind::CameraBlocked => FaultName::CameraBlocked,
            FaultKind::CameraFrozen => FaultName::CameraFrozen,
            FaultKind::CameraGlitch => FaultName::CameraGlitch,
            FaultKind::CameraDirty { .. } => FaultName::CameraDirty,
            FaultKind::Fog { .. } => FaultName::Fog,
            FaultKind::MicrophoneDeaf { .. } => FaultName::MicrophoneDeaf,
            FaultKind::Loud => FaultName::Loud,
            FaultKind::SpeakerDead => FaultName::SpeakerDead,
            FaultKind::StreamBroken => FaultName::StreamBroken,
            FaultKind::ButtonStuck => FaultName::ButtonStuck,
            FaultKind::PressFlood { .. } => FaultName::PressFlood,
            FaultKind::NoTestPresses => FaultName::NoTestPresses,
            FaultKind::BatteryWeak { .. } => FaultName::BatteryWeak,
            FaultKind::BatteryFading { .. } => FaultName::BatteryFading,
            FaultKind::ChargerDead { .. } => FaultName::ChargerDead,
            FaultKind::LocalMainsLost => FaultName::LocalMainsLost,
            FaultKind::RebootLoop { .. } => FaultName::RebootLoop,
            FaultKind::ClockOff { .. } => FaultName::ClockOff,
            FaultKind::Tamper => FaultName::Tamper,
            FaultKind::Overheat { .. } => FaultName::Overheat,
            FaultKind::LossyLink { .. } => FaultName::LossyLink,
            FaultKind::FlappingLink { .. } => FaultName::FlappingLink,
            FaultKind::ScrambledLink => FaultName::ScrambledLink,
            FaultKind::BootReset => FaultName::BootReset,
        }
    }

    /// What a crew should be sent for. None: nothing is broken, and nobody should be sent.
    pub fn component(self) -> Option<Component> {
        match self {
            FaultKind::Dead | FaultKind::RebootLoop { .. } => Some(Component::Controller),
            FaultKind::UplinkDown | FaultKind::FlappingLink { .. } => Some(Component::Uplink),
            FaultKind::FeederCut | FaultKind::LocalMainsLost => Some(Component::Mains),
            FaultKind::CameraBlocked | FaultKind::CameraFrozen | FaultKind::CameraDirty { .. } => {
                Some(Component::Camera)
            }
            FaultKind::MicrophoneDeaf { .. } => Some(Component::Microphone),
            FaultKind::SpeakerDead => Some(Component::Speaker),
            FaultKind::StreamBroken => Some(Component::Stream),
            FaultKind::ButtonStuck | FaultKind::PressFlood { .. } | FaultKind::NoTestPresses => Some(Component::Button),
            FaultKind::BatteryWeak { .. } | FaultKind::BatteryFading { .. } => Some(Component::Battery),
            FaultKind::ChargerDead { .. } => Some(Component::Charger),
            FaultKind::ClockOff { .. } => Some(Component::Clock),
            FaultKind::Tamper | FaultKind::Overheat { .. } => Some(Component::Enclosure),
            FaultKind::CameraGlitch
            | FaultKind::Fog { .. }
            | FaultKind::Loud
            | FaultKind::LossyLink { .. }
            | FaultKind::ScrambledLink
            | FaultKind::BootReset => None,
        }
    }

    /// Whose repair ends it, wanted or not: a crew that comes for the link also straightens a bad antenna.
    pub(super) fn ends_with(self, repaired: Component) -> bool {
        if matches!(self, FaultKind::LossyLink { .. } | FaultKind::ScrambledLink) {
            return repaired == Component::Uplink;
        }
        let component = self.component();
        component == Some(repaired)
            // A unit that stops or restarts is as often its firmware.
            || component == Some(Component::Controller) && repaired == Component::Firmware
    }

    /// Strikes a whole circuit, not units one by one.
    pub(super) fn circuit(self) -> Option<Circuit> {
        if self == FaultKind::UplinkDown {
            Some(Circuit::Uplink)
        } else if self == FaultKind::FeederCut {
            Some(Circuit::Feeder)
        } else {
            None
        }
    }

    /// Comes again and again while it lasts, the first time after this.
    pub(super) fn first_pulse(self) -> Option<Duration> {
        if self == FaultKind::ButtonStuck {
            // The contact closes; the unit reports the press once the debounce is over.
            return Some(Duration::from_secs(3));
        }
        let repeats = matches!(
            self,
            FaultKind::RebootLoop { .. } | FaultKind::FlappingLink { .. } | FaultKind::PressFlood { .. }
        );
        repeats.then_some(Duration::ZERO)
    }

    /// How long it lasts when a scenario does not say. None: until repaired.
    pub(super) fn usual_end(self) -> Option<Duration> {
        match self {
            FaultKind::UplinkDown => Some(hours(1)),
            FaultKind::FeederCut => Some(hours(4)),
            FaultKind::Fog { .. } | FaultKind::FlappingLink { .. } => Some(hours(24)),
            FaultKind::Loud => Some(hours(6)),
            FaultKind::LossyLink { .. } | FaultKind::ScrambledLink => Some(hours(24)),
            FaultKind::PressFlood { within, .. } => Some(within),
            // Over as soon as it has happened.
            FaultKind::CameraGlitch => Some(hours(48)),
            FaultKind::BootReset => Some(Duration::from_secs(60)),
            FaultKind::Dead
            | FaultKind::CameraBlocked
            | FaultKind::CameraFrozen
            | FaultKind::CameraDirty { .. }
            | FaultKind::MicrophoneDeaf { .. }
            | FaultKind::SpeakerDead
            | FaultKind::StreamBroken
            | FaultKind::ButtonStuck
            | FaultKind::NoTestPresses
            | FaultKind::BatteryWeak { .. }
            | FaultKind::BatteryFading { .. }
            | FaultKind::ChargerDead { .. }
            | FaultKind::LocalMainsLost
            | FaultKind::RebootLoop { .. }
            | FaultKind::ClockOff { .. }
            | FaultKind::Tamper
            | FaultKind::Overheat { .. } => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Circuit {
    Uplink,
    Feeder,
}

/// One `[[fault]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub kind: FaultKind,
    pub target: Target,
    pub at: When,
    pub lasts: Lasts,
}

impl Fault {
    /// Strikes at once and lasts until repaired, or as long as its kind usually does.
    pub fn now(kind: FaultKind, target: Target) -> Fault {
        Fault { kind, target, at: When::AFTER_NOTHING, lasts: Lasts::usual(kind) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Unit(UnitId),
    Uplink(UplinkId),
    Feeder(FeederId),
    Site(SiteId),
    City(City),
    /// So many units (for circuit faults: circuits), drawn by the seed; no unit twice while fresh ones are left.
    Random(u32),
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// After the start, at a moment between the two, drawn by the seed.
    After(Duration, Duration),
    At(Timestamp),
}

impl When {
    pub const AFTER_NOTHING: When = When::After(Duration::ZERO, Duration::ZERO);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    UntilRepaired,
    /// Between the two, drawn by the seed.
    For(Duration, Duration),
}

impl Lasts {
    pub fn usual(kind: FaultKind) -> Lasts {
        kind.usual_end().map_or(Lasts::UntilRepaired, |d| Lasts::For(d, d))
    }
}

/// What a fault struck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Struck {
    Unit(UnitIx),
    Uplink(GroupName),
    Feeder(GroupName),
}

/// What really was, for precision and recall.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    pub struck: Struck,
    /// Every unit that it touches, in order.
    pub units: Vec<UnitIx>,
    pub kind: FaultKind,
    /// None: nothing is broken; an order for it is a false alarm.
    pub component: Option<Component>,
    pub from: Timestamp,
    /// None: it still lasts, or will until repaired.
    pub to: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_name_and_back() {
        for name in FaultName::ALL {
            assert_eq!(name.usual().name(), *name);
            assert_eq!(name.as_str().parse(), Ok(*name));
        }
    }
}
