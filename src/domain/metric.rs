//! The metric catalogue: every reading a rule may name, with its unit, range and meaning.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::component::{Component, UnknownWord, words};

/// What a metric is: printed by `rules metrics`, used by the config checks and the screens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricFacts {
    pub name: &'static str,
    /// As written after a figure: `V`, `%`, `dBm`; empty for yes/no.
    pub unit: &'static str,
    /// Readings outside are refused at the door; limits outside are a mistake in `alerts.toml`.
    pub min: f64,
    pub max: f64,
    pub meaning: &'static str,
}

impl MetricFacts {
    pub fn origin(&self) -> Origin {
        self.name.parse::<Metric>().map_or(Origin::Sent, Metric::origin)
    }
}

macro_rules! metrics {
    ($($variant:ident $name:literal $unit:literal $min:literal $max:literal $meaning:literal;)+) => {
        /// A reading's name. `repr(u8)`: engines index arrays by it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Metric { $(#[doc = $meaning] $variant),+ }

        impl Metric {
            pub const ALL: &'static [Metric] = &[$(Metric::$variant),+];
            const FACTS: &'static [MetricFacts] = &[$(MetricFacts {
                name: $name, unit: $unit, min: $min, max: $max, meaning: $meaning,
            }),+];
        }
    };
}

metrics! {
    ControllerUptime "controller.uptime" "s" 0.0 4e9 "time since the unit started";
    LinkRssi "link.rssi" "dBm" -150.0 0.0 "strength of the radio signal";
    EnclosureTemperature "enclosure.temperature" "°C" -60.0 150.0 "temperature inside the box";
    EnclosureTamper "enclosure.tamper" "" 0.0 1.0 "1 while the box is open";
    DiskFree "controller.disk_free" "%" 0.0 100.0 "storage left on the unit";
    MemoryFree "controller.memory_free" "%" 0.0 100.0 "memory left on the unit";
    MainsPresent "mains.present" "" 0.0 1.0 "1 while there is mains, 0 in a cut";
    MainsVoltage "mains.voltage" "V" 0.0 500.0 "mains voltage";
    BatteryVoltage "battery.voltage" "V" 0.0 60.0 "voltage at the battery's terminals";
    BatteryCharge "battery.charge" "%" 0.0 100.0 "state of charge as the unit reports it";
    BatteryTemperature "battery.temperature" "°C" -60.0 150.0 "temperature of the battery";
    BatteryCurrent "battery.current" "A" -500.0 500.0 "current into the battery; negative while it discharges";
    PowerLoad "power.load" "W" 0.0 10000.0 "what the unit draws";
    CameraSharpness "camera.sharpness" "" 0.0 1e7 "sharpness of the test picture (variance of Laplacian)";
    CameraLuma "camera.luma" "" 0.0 255.0 "mean brightness of the test picture";
    CameraChanged "camera.changed" "%" 0.0 100.0 "part of the picture that differs from the commissioning view";
    CameraFrozenFrames "camera.frozen_frames" "frames" 0.0 1e6 "identical frames in a row";
    CameraFps "camera.fps" "fps" 0.0 1000.0 "pictures per second";
    MicrophoneTone "microphone.tone" "dB" -60.0 120.0 "how far the test tone stands above the noise";
    MicrophoneAmbient "microphone.ambient" "dBFS" -140.0 0.0 "noise around the unit during the test";
    MicrophoneClipping "microphone.clipping" "%" 0.0 100.0 "samples at full scale";
    MicrophoneRetries "microphone.retries" "tries" 0.0 1000.0 "tries the microphone test took";
    SpeakerTone "speaker.tone" "dB" -60.0 120.0 "how far the speaker's tone stands above the noise";
    ButtonStuck "button.stuck" "" 0.0 1.0 "1 while the contact does not open";
    ButtonContact "button.contact" "ohm" 0.0 1e7 "resistance of the closed contact";
    StreamConnect "stream.connect_ms" "ms" 0.0 3.6e6 "time to reach the control room's media server";
    StreamRate "stream.rate" "kbit/s" 0.0 1e7 "rate of the test stream";
    StreamLoss "stream.loss" "%" 0.0 100.0 "packets of the test stream that were lost";
    PressHeld "press.held_ms" "ms" 0.0 8.64e7 "how long the button was held";
    PressAck "press.ack_ms" "ms" 0.0 8.64e7 "time until the control room answered a press";
    LinkLoss "link.loss" "%" 0.0 100.0 "messages missing among the last 128, by sequence number";
    ClockSkew "clock.skew" "s" -1e10 1e10 "our time of receipt minus the unit's own time";
    SelftestAge "selftest.age" "h" 0.0 1e6 "time since the last self-test";
    PressAge "press.age" "h" 0.0 1e6 "time since the last test press that the control room answered";
    BatteryRuntime "battery.runtime" "h" 0.0 1e4 "time left until the unit switches off, at the present draw";
    BatteryMargin "battery.margin" "h" -1e4 1e4 "predicted runtime minus the feeder's expected time to mains";
    BatteryHealth "battery.health" "%" 0.0 200.0 "capacity as a part of what the battery had when it was new here";
    BatteryEstimate "battery.state" "%" 0.0 100.0 "charge as Buttonwatch estimates it from voltage and current";
    BatteryStart "battery.start" "%" 0.0 100.0 "charge at which the last mains cut began: is it filled between cuts";
    CutMinutes "power.cut_minutes" "min" 0.0 1e6 "how long the unit has been without mains; 0 with mains";
    CutRatio "power.cut_ratio" "" 0.0 1e4 "how long the feeder's present cut is, as a part of its longest usual cut";
    BatteryCarried "battery.carried" "min" 0.0 1e6 "how long the battery carried the unit in the cut that emptied it";
    CarriedRatio "battery.carried_ratio" "" 0.0 1e4 "battery.carried as a part of the feeder's longest usual cut";
    CarriedShare "battery.carried_share" "%" 0.0 1e6 "how long the battery carries the unit in a cut, as a part of what the feeder's others carry";
    FeederLit "power.feeder_lit_minutes" "min" 0.0 1e9 "how long most of the unit's feeder has had mains again";
    LocalCutMinutes "power.local_cut_minutes" "min" 0.0 1e6 "how long it has been without mains while its feeder's others had it";
    NotCharging "charger.idle_minutes" "min" 0.0 1e6 "how long a battery that is not full has had mains and no charge";
}

words!(
    /// Where a metric's value comes from.
    Origin {
        /// A field of a message.
        Sent = "sent",
        /// Worked out from what was sent.
        Derived = "derived",
        /// Worked out, and grows by itself while nothing is heard.
        Grows = "grows",
    }
);

impl Metric {
    pub fn origin(self) -> Origin {
        match self {
            Metric::ControllerUptime
            | Metric::LinkRssi
            | Metric::EnclosureTemperature
            | Metric::EnclosureTamper
            | Metric::DiskFree
            | Metric::MemoryFree
            | Metric::MainsPresent
            | Metric::MainsVoltage
            | Metric::BatteryVoltage
            | Metric::BatteryCharge
            | Metric::BatteryTemperature
            | Metric::BatteryCurrent
            | Metric::PowerLoad
            | Metric::CameraSharpness
            | Metric::CameraLuma
            | Metric::CameraChanged
            | Metric::CameraFrozenFrames
            | Metric::CameraFps
            | Metric::MicrophoneTone
            | Metric::MicrophoneAmbient
            | Metric::MicrophoneClipping
            | Metric::MicrophoneRetries
            | Metric::SpeakerTone
            | Metric::ButtonStuck
            | Metric::ButtonContact
            | Metric::StreamConnect
            | Metric::StreamRate
            | Metric::StreamLoss
            | Metric::PressHeld
            | Metric::PressAck => Origin::Sent,
            Metric::LinkLoss
            | Metric::ClockSkew
            | Metric::BatteryRuntime
            | Metric::BatteryMargin
            | Metric::BatteryHealth
            | Metric::BatteryEstimate
            | Metric::BatteryStart
            | Metric::CutRatio
            | Metric::BatteryCarried
            | Metric::CarriedRatio
            | Metric::CarriedShare
            | Metric::FeederLit => Origin::Derived,
            Metric::SelftestAge
            | Metric::PressAge
            | Metric::CutMinutes
            | Metric::LocalCutMinutes
            | Metric::NotCharging => Origin::Grows,
        }
    }
    pub fn facts(self) -> &'static MetricFacts {
        &Self::FACTS[self as usize]
    }
    pub fn name(self) -> &'static str {
        self.facts().name
    }
    /// What grows by itself from a moment on, whether a message comes or not: it has a deadline, and no noise.
    pub const GROWING: [Metric; 5] =
        [Metric::SelftestAge, Metric::PressAge, Metric::CutMinutes, Metric::LocalCutMinutes, Metric::NotCharging];

    pub fn grows(self) -> bool {
        Self::GROWING.contains(&self)
    }
    pub fn is_yes_no(self) -> bool {
        let facts = self.facts();
        facts.unit.is_empty() && facts.max == 1.0
    }
    /// A self-test's figure: what has a commissioning value.
    pub fn is_tested(self) -> bool {
        match self {
            Metric::CameraSharpness
            | Metric::CameraLuma
            | Metric::CameraChanged
            | Metric::CameraFrozenFrames
            | Metric::CameraFps
            | Metric::MicrophoneTone
            | Metric::MicrophoneAmbient
            | Metric::MicrophoneClipping
            | Metric::MicrophoneRetries
            | Metric::SpeakerTone
            | Metric::ButtonStuck
            | Metric::ButtonContact
            | Metric::StreamConnect
            | Metric::StreamRate
            | Metric::StreamLoss => true,
            Metric::ControllerUptime
            | Metric::LinkRssi
            | Metric::EnclosureTemperature
            | Metric::EnclosureTamper
            | Metric::DiskFree
            | Metric::MemoryFree
            | Metric::MainsPresent
            | Metric::MainsVoltage
            | Metric::BatteryVoltage
            | Metric::BatteryCharge
            | Metric::BatteryTemperature
            | Metric::BatteryCurrent
            | Metric::PowerLoad
            | Metric::PressHeld
            | Metric::PressAck
            | Metric::LinkLoss
            | Metric::ClockSkew
            | Metric::SelftestAge
            | Metric::PressAge
            | Metric::BatteryRuntime
            | Metric::BatteryMargin
            | Metric::BatteryHealth
            | Metric::BatteryEstimate
            | Metric::BatteryStart
            | Metric::CutMinutes
            | Metric::CutRatio
            | Metric::BatteryCarried
            | Metric::CarriedRatio
            | Metric::CarriedShare
            | Metric::FeederLit
            | Metric::LocalCutMinutes
            | Metric::NotCharging => false,
        }
    }
    /// Of a component's self-test, the figure that is compared with the commissioning value. None: it has none.
    pub fn leading(component: Component) -> Option<Metric> {
        match component {
            Component::Camera => Some(Metric::CameraSharpness),
            Component::Microphone => Some(Metric::MicrophoneTone),
            Component::Speaker => Some(Metric::SpeakerTone),
            Component::Controller
            | Component::Battery
            | Component::Charger
            | Component::Mains
            | Component::Button
            | Component::Uplink
            | Component::Stream
            | Component::Clock
            | Component::Firmware
            | Component::Enclosure => None,
        }
    }
    /// `11.42 V`, `-97 dBm`, `yes`.
    pub fn figure(self, value: f64) -> String {
        let facts = self.facts();
        if self.is_yes_no() {
            return if value >= 0.5 { "yes" } else { "no" }.to_owned();
        }
        let number = plain_number(value);
        match facts.unit {
            "" => number,
            "%" => format!("{number} %"),
            unit => format!("{number} {unit}"),
        }
    }
}

/// At most two decimals, none that say nothing: `11.5`, `12`, `-0.25`.
pub fn plain_number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_owned()
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Metric {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Metric::ALL.iter().copied().find(|m| m.name() == text).ok_or_else(|| UnknownWord {
            text: text.chars().take(80).collect(),
            known: Metric::ALL.iter().map(|m| m.name()).collect(),
        })
    }
}

impl schemars::JsonSchema for Metric {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Metric".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "A reading of the catalogue, as `rules metrics` lists it" })
    }
}

impl Serialize for Metric {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_found_by_its_name_and_has_a_sane_range() {
        for m in Metric::ALL {
            assert_eq!(m.name().parse(), Ok(*m));
            assert!(m.facts().min < m.facts().max, "{m}");
        }
    }

    #[test]
    fn what_a_self_test_measures_is_named_after_the_component_it_tests() {
        for m in Metric::ALL {
            let component = m.name().split('.').next().unwrap_or_default();
            let tested = ["camera", "microphone", "speaker", "button", "stream"].contains(&component);
            assert_eq!(m.is_tested(), tested, "{m}");
        }
    }

    #[test]
    fn figures_carry_their_unit_and_no_idle_zeros() {
        assert_eq!(Metric::BatteryVoltage.figure(11.50), "11.5 V");
        assert_eq!(Metric::LinkRssi.figure(-97.0), "-97 dBm");
        assert_eq!(Metric::EnclosureTamper.figure(1.0), "yes");
        assert_eq!(Metric::BatteryCurrent.figure(-0.001), "0 A");
    }
}
