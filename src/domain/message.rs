//! What a unit says, already decoded and within range. `wire` makes these; the engine judges them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::component::words;
use super::time::Timestamp;
use super::{Component, Metric, Version};

words!(
    /// The last part of a unit's topic.
    Kind {
        Heartbeat = "heartbeat",
        Selftest = "selftest",
        Power = "power",
        Press = "press",
        Status = "status",
        Reply = "reply",
    }
);

/// One message of one unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The unit's own clock. A last will has none of the three: it was written before the connection broke.
    pub ts: Option<Timestamp>,
    /// Grows by one each start of the unit.
    pub boot: Option<u32>,
    /// Grows by one each message of any kind within a boot.
    pub seq: Option<u64>,
    pub body: Body,
    /// Numbers under `extra`: vendor metrics `x.<name>`, without the `x.`.
    pub extra: Vec<(Box<str>, f64)>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    Heartbeat(Heartbeat),
    Power(Power),
    Selftest(Selftest),
    Press(Press),
    Status(Status),
    Reply(Reply),
}

impl Body {
    pub fn kind(&self) -> Kind {
        match self {
            Body::Heartbeat(_) => Kind::Heartbeat,
            Body::Power(_) => Kind::Power,
            Body::Selftest(_) => Kind::Selftest,
            Body::Press(_) => Kind::Press,
            Body::Status(_) => Kind::Status,
            Body::Reply(_) => Kind::Reply,
        }
    }

    /// In the catalogue's order: every figure of this message that has a place in the metric catalogue; yes is 1, no is 0. A self-test gives the
    /// figures of all its results: whether an inconclusive one counts is the reader's judgement.
    pub fn readings(&self, mut f: impl FnMut(Metric, f64)) {
        let mut all = |figures: &[(Metric, Option<f64>)]| {
            for (metric, value) in figures {
                if let Some(value) = value {
                    f(*metric, *value);
                }
            }
        };
        match self {
            Body::Heartbeat(h) => all(&[
                (Metric::ControllerUptime, h.uptime_s),
                (Metric::LinkRssi, h.rssi_dbm),
                (Metric::EnclosureTemperature, h.temp_c),
                (Metric::EnclosureTamper, h.tamper.map(f64::from)),
                (Metric::DiskFree, h.disk_free_pct),
                (Metric::MemoryFree, h.mem_free_pct),
            ]),
            Body::Power(p) => all(&[
                (Metric::MainsPresent, p.mains.map(f64::from)),
                (Metric::MainsVoltage, p.mains_v),
                (Metric::BatteryVoltage, p.battery_v),
                (Metric::BatteryCharge, p.battery_pct),
                (Metric::BatteryTemperature, p.battery_temp_c),
                (Metric::BatteryCurrent, p.charge_a),
                (Metric::PowerLoad, p.load_w),
            ]),
            Body::Selftest(s) => {
                for (metric, value) in s.results.iter().flat_map(|r| &r.figures) {
                    f(*metric, *value);
                }
            }
            Body::Press(p) => all(&[(Metric::PressHeld, p.held_ms), (Metric::PressAck, p.ack_ms)]),
            Body::Status(_) | Body::Reply(_) => {}
        }
    }
}

/// Units are in the field names, as on the wire (DESIGN §4).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heartbeat {
    pub uptime_s: Option<f64>,
    pub interval_s: Option<f64>,
    pub fw: Option<Version>,
    pub hw: Option<Version>,
    pub rssi_dbm: Option<f64>,
    pub temp_c: Option<f64>,
    pub disk_free_pct: Option<f64>,
    pub mem_free_pct: Option<f64>,
    pub tamper: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Power {
    pub mains: Option<bool>,
    pub mains_v: Option<f64>,
    pub battery_v: Option<f64>,
    pub battery_pct: Option<f64>,
    pub battery_temp_c: Option<f64>,
    /// Negative: discharging.
    pub charge_a: Option<f64>,
    pub load_w: Option<f64>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Selftest {
    /// The command's id when it answers one.
    pub id: Option<Box<str>>,
    pub trigger: Option<Trigger>,
    /// At most one per component, in the order sent.
    pub results: Vec<TestResult>,
}

words!(
    Trigger {
        Schedule = "schedule",
        Boot = "boot",
        Command = "command",
    }
);

words!(
    /// What a test found. `inconclusive` is no failure: the bazaar was too loud to hear the tone.
    Outcome {
        Pass = "pass",
        Fail = "fail",
        Inconclusive = "inconclusive",
        Skipped = "skipped",
    }
);

#[derive(Debug, Clone, PartialEq)]
pub struct TestResult {
    pub component: Component,
    pub result: Outcome,
    pub code: Option<Box<str>>,
    /// Day and infrared pictures have baselines of their own.
    pub mode: Option<CameraMode>,
    /// The test's figures, as catalogue metrics.
    pub figures: Vec<(Metric, f64)>,
}

words!(
    CameraMode {
        Day = "day",
        Ir = "ir",
    }
);

#[derive(Debug, Clone, PartialEq)]
pub struct Press {
    pub kind: PressKind,
    pub held_ms: Option<f64>,
    /// Did the control room answer.
    pub ack: Option<bool>,
    pub ack_ms: Option<f64>,
}

words!(
    PressKind {
        Real = "real",
        Test = "test",
    }
);

#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    pub online: bool,
    pub reason: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub id: Box<str>,
    pub ok: bool,
    pub error: Option<Box<str>>,
}

words!(
    /// What Buttonwatch can ask of a unit.
    Do {
        Selftest = "selftest",
        Locate = "locate",
        Reboot = "reboot",
    }
);

/// To the unit, on `{root}/{unit}/command`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    pub id: String,
    #[serde(rename = "do")]
    pub act: Do,
    /// Empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
    pub expires: Timestamp,
}
