//! What the cuts of a battery have taught: its curve, its usual draw, and how much of its commissioned capacity is left.

use serde::{Deserialize, Serialize};

use super::curve::{Belief, Kept, SHAPES};
use crate::domain::Timestamp;

/// Health values kept: 24 of six cuts a day are four days, so older ones are thinned, not dropped.
pub(super) const HISTORY: usize = 24;
/// Values at the end of the history that thinning never touches.
pub(super) const FRESH: usize = 8;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Learned {
    /// At `amps` and 25 °C.
    pub(super) kept: Kept,
    /// What `kept` says, at `amps` and 25 °C.
    pub(super) capacity_ah: f32,
    pub(super) amps: f32,
    /// The draw of the last cuts.
    pub(super) usual_amps: f32,
    /// Log capacity at commissioning, its variance, and the variance of what changed since.
    pub(super) commissioned: [i16; SHAPES],
    pub(super) commissioned_var: f32,
    pub(super) changed_var: f32,
    /// Informative cuts so far.
    pub(super) cuts: u16,
    pub(super) health: f32,
    pub(super) history: Vec<Past>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Past {
    /// Minutes since 1970.
    pub(super) minute: u32,
    pub(super) pct: f32,
}

/// Capacity against draw.
pub(super) const DRAW_EXPONENT: f64 = 0.17;
/// Log capacity against 25 °C.
pub(super) fn warmth(celsius: Option<f32>) -> f64 {
    let Some(c) = celsius.map(|c| f64::from(c).clamp(-20.0, 40.0)) else { return 0.0 };
    let factor: f64 = if c < 25.0 { 1.0 - 0.006 * (25.0 - c) } else { 1.0 + 0.0015 * (c - 25.0) };
    factor.ln()
}

/// What a shape cannot know however many cuts it sees (log capacity), and what a battery changes from cut to cut.
pub(super) const LEAST_SD: f32 = 0.042;
pub(super) const CHANGE_SD: f64 = 0.034;
/// What a new battery of the same kind may differ by, or an old one that was only cleaned.
const RENEWED_SD: f64 = 0.3;

impl Learned {
    pub(super) fn belief(&self) -> Belief {
        self.kept.belief()
    }

    /// What is believed at another draw and warmth.
    pub(super) fn at(&self, amps: f64, celsius: Option<f32>) -> Belief {
        let ln = (amps.max(1e-3) / f64::from(self.amps)).ln();
        let belief = self.belief();
        let (sag, sag_sd) = belief.sag(amps - f64::from(self.amps));
        belief.shifted(warmth(celsius) - DRAW_EXPONENT * ln, 0.1 * ln.abs()).full_shifted(-sag, sag_sd)
    }

    pub(super) fn teach(&mut self, prior: &Belief, after: Belief, amps: f64, celsius: Option<f32>, end: Timestamp) {
        let ln = (amps.max(1e-3) / f64::from(self.amps)).ln();
        let (sag, _) = after.sag(amps - f64::from(self.amps));
        let back = after.shifted(DRAW_EXPONENT * ln - warmth(celsius), 0.0).full_shifted(sag, 0.0);
        let (before, now) = (prior.spread().powi(2), back.spread().powi(2));
        if self.cuts < 2 {
            self.commissioned = back.reference();
            self.commissioned_var = now as f32;
            self.changed_var = 0.0;
        } else {
            // The surprise is shared between "it was never that large" and "it has changed".
            let (var_c, var_d) = (f64::from(self.commissioned_var), f64::from(self.changed_var) + CHANGE_SD.powi(2));
            let share = var_c / (var_c + var_d);
            let old = self.belief().reference();
            for ((commissioned, new), old) in self.commissioned.iter_mut().zip(back.reference()).zip(old) {
                let moved = f64::from(new) - f64::from(old);
                *commissioned = commissioned.saturating_add((share * moved).round() as i16);
            }
            let told = (1.0 - now / before).clamp(0.0, 0.9);
            self.commissioned_var = (var_c * (1.0 - share * told)) as f32;
            self.changed_var = (var_d * (1.0 - (1.0 - share) * told)) as f32;
        }
        let settled = back.settled(LEAST_SD, 0.047, 0.9).shifted(0.0, CHANGE_SD);
        self.kept = Kept::of(&settled);
        self.capacity_ah = settled.capacity_ah() as f32;
        self.cuts = self.cuts.saturating_add(1);
        self.health = (100.0 * f64::exp(settled.change_since(&self.commissioned))).clamp(1.0, 150.0) as f32;
        if self.cuts >= 2 {
            let minute = u32::try_from(end.as_millis() / 60_000).unwrap_or(0);
            self.history.push(Past { minute, pct: self.health });
            self.thin();
        }
    }

    /// As large as when it was new, and unsure of it.
    pub(super) fn renew(&mut self) {
        if self.cuts < 2 {
            return;
        }
        let belief = self.belief().as_when(&self.commissioned, RENEWED_SD);
        self.capacity_ah = belief.capacity_ah() as f32;
        self.kept = Kept::of(&belief);
        self.changed_var = (RENEWED_SD * RENEWED_SD) as f32;
        self.health = 100.0;
    }

    /// Keeps the newest values and, of the older ones, those that lie widest apart.
    pub(super) fn thin(&mut self) {
        while self.history.len() > HISTORY {
            let gap = |i: usize| self.history[i + 1].minute.saturating_sub(self.history[i - 1].minute);
            let crowded = (1..self.history.len() - FRESH).min_by_key(|i| gap(*i));
            self.history.remove(crowded.unwrap_or(0));
        }
    }
}
