//! Tells a charger that does nothing from one with nothing to do. Never asks how full the battery is.

use serde::{Deserialize, Serialize};

use super::{Chemistry, hours};
use crate::domain::Timestamp;

/// Watches for a charger that does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Charger {
    /// Mains is there, no charge current flows, and the volts have not risen since.
    pub(super) idle_since: Option<Timestamp>,
    /// The highest volts since then.
    pub(super) volts: f32,
    pub(super) verdict: Option<bool>,
    /// Ampere-hours taken out since a charge current was last seen.
    #[serde(default)]
    pub(super) owed_ah: f32,
}

/// So much taken out, and any charger that works has something to do.
const WORTH_CHARGING_AH: f32 = 0.3;
/// A charger that works holds lithium cells above this. Resting, even full ones fall below it.
const LITHIUM_CHARGING_V: f64 = 13.5;

impl Charger {
    pub(super) fn watch(
        &mut self,
        at: Timestamp,
        dt: f64,
        on_battery: Option<bool>,
        volts: Option<f64>,
        amps: Option<f64>,
        chemistry: Chemistry,
    ) {
        let (float, low) = match chemistry {
            Chemistry::Lead => (13.2, 12.8),
            Chemistry::Lithium => (13.1, 13.1),
        };
        let watch = self;
        let Some(v) = volts.filter(|_| on_battery == Some(false)) else {
            // A sample without volts proves nothing; a cut ends the watch.
            if on_battery == Some(true) {
                let drawn = amps.map_or(0.0, |a| -a.min(0.0) * dt);
                *watch = Charger { owed_ah: watch.owed_ah + drawn as f32, ..Charger::default() };
            }
            return;
        };
        // Lithium rests so high that volts alone do not tell a full battery from one that nobody charges. What was
        // taken out and not put back does.
        let float = match chemistry {
            Chemistry::Lithium if amps.is_some() && watch.owed_ah > WORTH_CHARGING_AH => LITHIUM_CHARGING_V,
            Chemistry::Lead | Chemistry::Lithium => float,
        };
        if amps.is_some_and(|a| a > 0.02) || v >= float {
            *watch = Charger { verdict: Some(true), ..Charger::default() };
            return;
        }
        match watch.idle_since {
            // A battery recovers for half an hour after a cut with no charger at all, so rising only postpones the verdict.
            Some(_) if v > f64::from(watch.volts) + 0.05 => {
                watch.idle_since = Some(at);
                watch.volts = v as f32;
                watch.verdict = amps.is_none().then_some(true);
            }
            Some(since) => {
                let idle = hours(at, since);
                match amps {
                    Some(_) if idle >= 0.1 => watch.verdict = Some(false),
                    None if idle >= 1.0 && v < low => watch.verdict = Some(false),
                    Some(_) | None => {}
                }
            }
            None => {
                *watch = Charger { idle_since: Some(at), volts: v as f32, verdict: None, owed_ah: watch.owed_ah };
            }
        }
    }
}
