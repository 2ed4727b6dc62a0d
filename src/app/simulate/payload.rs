//! What a unit writes on the wire: the payloads of DESIGN §4, field by field. Never reads one.

use serde::Serialize;

use crate::domain::Component;
use crate::domain::message::{CameraMode, Kind, Outcome, PressKind, Trigger};
use crate::domain::{Timestamp, UnitId};

/// Some firmwares write text, some milliseconds; the protocol takes both.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub(super) enum Ts {
    Text(Timestamp),
    Millis(i64),
}

/// Every message: the three common fields, then the kind's own.
#[derive(Debug, Serialize)]
pub(super) struct Envelope<'a, B> {
    pub(super) ts: Ts,
    pub(super) boot: u32,
    pub(super) seq: u64,
    #[serde(flatten)]
    pub(super) body: &'a B,
}

#[derive(Debug, Serialize)]
pub(super) struct Heartbeat<'a> {
    pub(super) uptime_s: u64,
    pub(super) interval_s: f64,
    pub(super) fw: &'a str,
    pub(super) hw: &'a str,
    pub(super) rssi_dbm: i32,
    pub(super) temp_c: f64,
    pub(super) disk_free_pct: f64,
    pub(super) mem_free_pct: f64,
    pub(super) tamper: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Power {
    pub(super) mains: bool,
    pub(super) mains_v: f64,
    pub(super) battery_v: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) battery_pct: Option<f64>,
    pub(super) battery_temp_c: f64,
    pub(super) charge_a: f64,
    pub(super) load_w: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Selftest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a str>,
    pub(super) trigger: Trigger,
    pub(super) results: Results,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Results {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) camera: Option<Camera>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) microphone: Option<Microphone>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) speaker: Option<Speaker>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) button: Option<Button>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stream: Option<Stream>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Plain {
    pub(super) result: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'static str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Camera {
    #[serde(flatten)]
    pub(super) verdict: Plain,
    pub(super) sharpness: f64,
    pub(super) luma: f64,
    pub(super) changed_pct: f64,
    pub(super) frozen_frames: u32,
    pub(super) fps: f64,
    pub(super) mode: CameraMode,
}

#[derive(Debug, Serialize)]
pub(super) struct Microphone {
    #[serde(flatten)]
    pub(super) verdict: Plain,
    pub(super) tone_snr_db: f64,
    pub(super) ambient_dbfs: f64,
    pub(super) clipping_pct: f64,
    pub(super) retries: u32,
}

#[derive(Debug, Serialize)]
pub(super) struct Speaker {
    #[serde(flatten)]
    pub(super) verdict: Plain,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tone_snr_db: Option<f64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Button {
    #[serde(flatten)]
    pub(super) verdict: Plain,
    pub(super) stuck: bool,
    pub(super) contact_ohm: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Stream {
    #[serde(flatten)]
    pub(super) verdict: Plain,
    pub(super) connect_ms: f64,
    pub(super) kbps: f64,
    pub(super) loss_pct: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Press {
    pub(super) kind: PressKind,
    pub(super) held_ms: i64,
    pub(super) ack: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ack_ms: Option<i64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Status<'a> {
    pub(super) online: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'a str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply<'a> {
    pub(super) id: &'a str,
    pub(super) ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<&'a str>,
}

impl Results {
    /// What a unit can test by itself.
    pub(super) const TESTS: [Component; 5] =
        [Component::Camera, Component::Microphone, Component::Speaker, Component::Button, Component::Stream];
}

pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    serde_json::to_writer(&mut bytes, value).expect("plain structs with finite numbers become JSON");
    bytes
}

/// A last will cannot carry the time or a number: it was written before the connection broke.
pub(super) fn last_will() -> Vec<u8> {
    encode(&Status { online: false, reason: Some("connection lost") })
}

pub(super) fn topic(root: &str, unit: &UnitId, kind: Kind) -> String {
    format!("{root}/{unit}/{kind}")
}

/// Two decimals: what a unit's converter can tell.
pub(super) fn figure(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// One decimal.
pub(super) fn rough(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
