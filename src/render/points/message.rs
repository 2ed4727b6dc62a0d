//! Points of messages: heartbeat, power, self-test, press.

use crate::domain::history::{Heard, PowerEstimate};
use crate::domain::message::{
    Body, CameraMode, Heartbeat, Message, Outcome, Power, Press, Selftest, TestResult, Trigger,
};
use crate::domain::{Bucket, Component, Metric, SeriesName, Unit, Version};

use super::Points;
use crate::render::line_protocol::Point;

/// One message as the engine took it. A status and a reply measure nothing.
pub fn message(unit: &Unit, message: &Message, heard: &Heard, out: &mut Points) {
    match &message.body {
        Body::Heartbeat(body) => heartbeat(unit, message, body, heard, out),
        Body::Power(body) => power(unit, message, body, heard, out),
        Body::Selftest(body) => selftest(unit, message, body, heard, out),
        Body::Press(body) => press(unit, message, body, heard, out),
        Body::Status(_) | Body::Reply(_) => {}
    }
}

fn heartbeat(unit: &Unit, message: &Message, body: &Heartbeat, heard: &Heard, out: &mut Points) {
    let point = out.raw.point("heartbeat").tag("site", unit.site.as_str()).tag("unit", unit.unit.as_str());
    let point = point
        .float("rssi_dbm", body.rssi_dbm)
        .float("temp_c", body.temp_c)
        .float("uptime_s", body.uptime_s)
        .float("loss_pct", heard.loss_pct)
        .float("skew_ms", heard.skew_s.map(|s| s * 1000.0))
        .whole("seq", message.seq.and_then(|seq| i64::try_from(seq).ok()))
        .text("fw", body.fw.as_ref().map(Version::as_str))
        .whole("boot", message.boot.map(i64::from))
        .text("hw", body.hw.as_ref().map(Version::as_str))
        .float("disk_free_pct", body.disk_free_pct)
        .float("mem_free_pct", body.mem_free_pct)
        .whole("tamper", body.tamper.map(i64::from));
    vendor(point, message).at(heard.at);
}

fn power(unit: &Unit, message: &Message, body: &Power, heard: &Heard, out: &mut Points) {
    let PowerEstimate { runtime_h, margin_h, health_pct, charge_pct, longest_cut_h } = heard.power.unwrap_or_default();
    let [runtime_h, margin_h, health_pct, charge_pct, longest_cut_h] =
        [runtime_h, margin_h, health_pct, charge_pct, longest_cut_h].map(|v| v.map(estimate));
    let feeder = unit.feeder.as_ref().map_or("", |f| f.as_str());
    let point = out.raw.point("power").tag("feeder", feeder).tag("site", unit.site.as_str());
    let point = point
        .tag("unit", unit.unit.as_str())
        .whole("mains", body.mains.map(i64::from))
        .float("mains_v", body.mains_v)
        .float("battery_v", body.battery_v)
        .float("battery_pct", body.battery_pct)
        .float("temp_c", body.battery_temp_c)
        .float("charge_a", body.charge_a)
        .float("load_w", body.load_w)
        .float("runtime_h", runtime_h)
        .float("margin_h", margin_h)
        .float("health_pct", health_pct)
        .float("charge_pct", charge_pct)
        .float("longest_cut_h", longest_cut_h);
    vendor(point, message).at(heard.at);
}

/// One point a tested component. Vendors' own figures belong to no component: they stay with the first.
fn selftest(unit: &Unit, message: &Message, body: &Selftest, heard: &Heard, out: &mut Points) {
    for (i, result) in body.results.iter().enumerate() {
        let against = heard.leading.iter().find(|l| l.component == result.component);
        let point = out.events.point("selftest").tag("component", result.component.as_str());
        let mut point = point
            .tag("site", unit.site.as_str())
            .tag("unit", unit.unit.as_str())
            .whole("passed", passed(result.result).map(i64::from))
            .float("score", score(result, against.and_then(|a| a.baseline)).map(estimate))
            .text("code", result.code.as_deref())
            .text("result", result.result.as_str())
            .text("mode", result.mode.map(CameraMode::as_str))
            .text("trigger", body.trigger.map(Trigger::as_str))
            .float("baseline", against.and_then(|a| a.baseline).map(estimate))
            .float("limit", against.and_then(|a| a.limit).map(estimate));
        for (metric, value) in &result.figures {
            if let Some(name) = figure(*metric) {
                point = point.float(name, *value);
            }
        }
        let point = if i == 0 { vendor(point, message) } else { point };
        point.at(heard.at);
    }
}

fn press(unit: &Unit, message: &Message, body: &Press, heard: &Heard, out: &mut Points) {
    let point = out.events.point("press").tag("kind", body.kind.as_str()).tag("site", unit.site.as_str());
    let point = point
        .tag("unit", unit.unit.as_str())
        .whole("ack", body.ack.map(i64::from))
        .float("ack_ms", body.ack_ms)
        .float("held_ms", body.held_ms)
        .whole("presses", 1);
    vendor(point, message).at(heard.at);
}

fn vendor<'a>(point: Point<'a>, message: &Message) -> Point<'a> {
    message.extra.iter().fold(point, |point, (name, value)| point.float(&format!("x.{name}"), *value))
}

/// Worked out, not measured: more digits would only take room.
fn estimate(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// None: the test could not decide.
fn passed(outcome: Outcome) -> Option<bool> {
    match outcome {
        Outcome::Pass => Some(true),
        Outcome::Fail => Some(false),
        Outcome::Inconclusive | Outcome::Skipped => None,
    }
}

/// The leading figure in percent of what the unit had when it was new; decibels as the strength that they stand for.
fn score(result: &TestResult, baseline: Option<f64>) -> Option<f64> {
    let passed = passed(result.result)?;
    let figure = |metric: Metric| result.figures.iter().find(|(m, _)| *m == metric).map(|(_, value)| *value);
    let leading = Metric::leading(result.component).and_then(|metric| Some((metric, figure(metric)?, baseline?)));
    match leading {
        Some((Metric::CameraSharpness, value, new)) if new > 0.0 => Some(100.0 * value / new),
        Some((Metric::MicrophoneTone | Metric::SpeakerTone, value, new)) => {
            Some(100.0 * 10f64.powf((value - new) / 20.0))
        }
        Some(_) | None => Some(if passed { 100.0 } else { 0.0 }),
    }
}

/// Under its name on the wire (DESIGN §4). None: no self-test measures it.
fn figure(metric: Metric) -> Option<&'static str> {
    let name = match metric {
        Metric::CameraSharpness => "sharpness",
        Metric::CameraLuma => "luma",
        Metric::CameraChanged => "changed_pct",
        Metric::CameraFrozenFrames => "frozen_frames",
        Metric::CameraFps => "fps",
        Metric::MicrophoneTone | Metric::SpeakerTone => "tone_snr_db",
        Metric::MicrophoneAmbient => "ambient_dbfs",
        Metric::MicrophoneClipping => "clipping_pct",
        Metric::MicrophoneRetries => "retries",
        Metric::ButtonStuck => "stuck",
        Metric::ButtonContact => "contact_ohm",
        Metric::StreamConnect => "connect_ms",
        Metric::StreamRate => "kbps",
        Metric::StreamLoss => "loss_pct",
        other => {
            debug_assert!(!other.is_tested(), "{other} has no name here");
            return None;
        }
    };
    Some(name)
}

/// Where a series is found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub bucket: Bucket,
    pub measurement: &'static str,
    pub field: String,
    /// Of a self-test.
    pub component: Option<Component>,
}

/// None: it is a count, and no field.
pub fn field_of(name: &SeriesName) -> Option<Vec<Place>> {
    let raw =
        |measurement, field: &str| Place { bucket: Bucket::Raw, measurement, field: field.to_owned(), component: None };
    let metric = match name {
        SeriesName::Heartbeats => return None,
        // Whatever message carries it.
        SeriesName::Vendor(name) => {
            let name = format!("x.{name}");
            let events = |measurement| Place { bucket: Bucket::Events, ..raw(measurement, &name) };
            return Some(vec![raw("heartbeat", &name), raw("power", &name), events("selftest"), events("press")]);
        }
        SeriesName::Metric(metric) => *metric,
    };
    if let Some(field) = figure(metric) {
        let component = metric.name().split('.').next().and_then(|c| c.parse().ok());
        return Some(vec![Place {
            bucket: Bucket::Events,
            measurement: "selftest",
            field: field.to_owned(),
            component,
        }]);
    }
    let place = match metric {
        Metric::ControllerUptime => raw("heartbeat", "uptime_s"),
        Metric::LinkRssi => raw("heartbeat", "rssi_dbm"),
        Metric::EnclosureTemperature => raw("heartbeat", "temp_c"),
        Metric::EnclosureTamper => raw("heartbeat", "tamper"),
        Metric::DiskFree => raw("heartbeat", "disk_free_pct"),
        Metric::MemoryFree => raw("heartbeat", "mem_free_pct"),
        Metric::MainsPresent => raw("power", "mains"),
        Metric::MainsVoltage => raw("power", "mains_v"),
        Metric::BatteryVoltage => raw("power", "battery_v"),
        Metric::BatteryCharge => raw("power", "battery_pct"),
        Metric::BatteryTemperature => raw("power", "temp_c"),
        Metric::BatteryCurrent => raw("power", "charge_a"),
        Metric::PowerLoad => raw("power", "load_w"),
        Metric::PressHeld => Place { bucket: Bucket::Events, ..raw("press", "held_ms") },
        Metric::PressAck => Place { bucket: Bucket::Events, ..raw("press", "ack_ms") },
        _ => return None,
    };
    Some(vec![place])
}
