//! Judges one unit's battery: hours left, health, charge, whether its charger works. Never reads a clock, never opens an
//! alert, and never trusts a charge percentage that the unit reports.
//!
//! **Hours left.** Ampere-hours are counted. How many the battery holds down to its disconnect voltage comes from `curve`:
//! a grid of discharge shapes, each with its own capacity and weight. What earlier cuts taught is where the next cut starts
//! from, and this cut's own volts against ampere-hours move it from there: early in a cut the past speaks, near the end the
//! volts do. The draw is the mean of up to an hour and a half of this cut, so that a lamp that switches does not swing it.
//!
//! **Health.** The capacity after each informative cut against that after the first two, shape by shape, so that a wrong
//! shape cancels out. Part of any surprise belongs to the commissioning figure for as long as that was itself uncertain.
//!
//! **Draws.** Capacity to a fixed voltage shrinks with the draw, about as `I^-0.17` (Yuasa NP and Panasonic LC tables between
//! C/20 and C/3), and with cold, 0.6 % a degree below 25 °C (NP7-12: 85 % at 0 °C, 102 % at 40 °C).
//!
//! **Where it is weak.** Two part cuts of a third say how steep the volts fall, and hardly how they bend: a steep line of a
//! smaller battery and a flat one of a larger look alike. So the answer lies between the families: batteries that are straight
//! to the end (open-circuit tables with hardly a knee) are said a fifth too short, flat ones that fall off in the last fifth
//! (flooded) a fifth too long, and of shelf-shaped ones (Shepherd's) the worst tenth still half too long until the knee shows.
//! After the knee of a curve with a late one, hours are said too long, too. `tests/accuracy.rs` prints all of it.
//!
//! ```text
//!            mains lost 1                mains back 2
//!   on mains ───────────▶ in a cut ───────────────────▶ on mains
//!                            │  silent, then mains and low volts 3: the cut ended empty
//!                            └─────────────────────────▶ on mains
//! ```

mod charger;
mod curve;
mod cut;
mod learned;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;
use charger::Charger;
use curve::{Belief, Kept, SHAPES, Traits};
use cut::{Cut, IN_CUT_SD, Stretch, fit};
use learned::{DRAW_EXPONENT, Learned};

#[cfg(test)]
mod tests;

/// What stores the energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Chemistry {
    /// 12 V lead-acid. Disconnects at 11.1 V.
    Lead,
    /// Four LiFePO4 cells in series. Disconnects at 10.4 V.
    Lithium,
}

/// One power message. Whatever the unit did not say is None.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerSample {
    pub at: Timestamp,
    pub mains: Option<bool>,
    /// At the battery.
    pub volts: Option<f64>,
    /// Negative: discharging.
    pub amps: Option<f64>,
    pub celsius: Option<f64>,
    pub load_w: Option<f64>,
    /// Never used: units without a fuel gauge send 100, and gauges that were never calibrated send anything.
    pub charge_pct: Option<f64>,
    /// The unit started anew since the last sample. Some(false): it did not, so its battery never gave out.
    pub rebooted: Option<bool>,
    /// When the feeder's others had mains again after a silence that began on battery.
    pub mains_back: Option<Timestamp>,
}

/// What one sample changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changed {
    pub cut_began: bool,
    pub cut_ended: bool,
    /// With `cut_ended`: the battery carried the unit until it could no more.
    pub ended_empty: bool,
    /// A cut was informative: `health_pct` and `health_history` have news.
    pub health: bool,
    /// `start_charge_pct` of the present or last cut is known from now on.
    pub start_charge: bool,
    /// `charging` says something else than before.
    pub charging: bool,
}

/// Cut lengths kept.
const LENGTHS: usize = 6;
/// Everything that is known about one unit's battery.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Battery {
    last: Option<Last>,
    /// While on battery.
    cut: Option<Box<Cut>>,
    /// After the first cut.
    learned: Option<Box<Learned>>,
    /// Ampere-hours missing to full, at the learned draw, and how far off that may be as a part of the capacity.
    missing_ah: f32,
    missing_sd: f32,
    /// Above zero: cuts spoke for lithium; below: for lead.
    lithium_votes: i8,
    charger: Charger,
    began: Option<Timestamp>,
    start_charge: Option<f32>,
    /// Minutes of the last cuts, the newest first; 0: none.
    lengths: [u16; LENGTHS],
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Last {
    at: Timestamp,
    volts: Option<f32>,
    amps: Option<f32>,
    on_battery: Option<bool>,
    /// Volts an hour, while on battery: negative when they fall.
    #[serde(default)]
    slope: f32,
}

/// Hours that the present draw and the present volts are averaged over.
const PRESENT_H: f64 = 1.5;
const VOLTS_H: f64 = 0.06;
/// A silence longer than this is not a lost message.
const GAP: f64 = 0.75;
/// Hours that the fall of the volts is averaged over: short enough to see the knee, long enough for a noisy sensor.
const SLOPE_H: f64 = 0.08;
const SETTLED_V: f64 = 12.6;
/// No cut shrinks a battery below a thirtieth at once: less than that is no battery, or no figure.
const LEAST_LEFT: f64 = 1.0 / 30.0;
/// The part of its capacity that a battery may miss and still count as full.
const BEGAN_FULL: f64 = 0.12;
/// Hours from mains to a unit's first power message.
const STARTS_WITHIN: f64 = 20.0 / 60.0;
/// So many times its capacity cannot come out of a battery.
const DISPROVED: f64 = 1.3;
/// The volts of the first minutes are surface charge.
const FIRST_FIGURE_H: f64 = 10.0 / 60.0;
const START_H: f64 = 8.0 / 60.0;

fn hours(later: Timestamp, earlier: Timestamp) -> f64 {
    later.since(earlier).as_secs_f64() / 3600.0
}

fn sane(value: Option<f64>, least: f64, most: f64) -> Option<f64> {
    value.filter(|v| (least..=most).contains(v))
}

/// The volts say that far more of it is gone than was counted: the part that is gone. What was learned does not hold.
fn emptier(belief: &Belief, cut: &Cut, traits: &Traits) -> Option<f64> {
    const GONE: f64 = 0.6;
    const SURPRISE: f64 = 0.35;
    let shown = belief.drawn_part(traits, f64::from(cut.volts));
    let counted = cut.drawn_now() / belief.capacity_ah();
    (cut.started && shown > GONE && shown - counted > SURPRISE).then_some(shown)
}

impl Battery {
    /// A late sample changes nothing.
    pub fn take(&mut self, sample: &PowerSample, chemistry: Option<Chemistry>) -> Changed {
        let mut changed = Changed::default();
        if self.last.is_some_and(|l| sample.at <= l.at) {
            return changed;
        }
        // Outside of these it is a broken sensor or another battery, and no figure can come of it.
        let volts = sane(sample.volts, 6.0, 17.0);
        let mut amps = sane(sample.amps, -200.0, 200.0);
        let traits = self.chemistry(chemistry).traits();
        let on_battery = self.side(sample, volts, amps);
        if on_battery == Some(true) && amps.is_none_or(|a| a > -0.005) {
            amps = match (sane(sample.load_w, 0.05, 2000.0), volts) {
                (Some(w), Some(v)) => Some(-w / v),
                _ => amps.filter(|a| *a < 0.0),
            };
        }
        let last = self.last;
        let dt = last.map_or(0.0, |l| hours(sample.at, l.at));
        let slope = match (last, volts) {
            (Some(l), Some(v)) if on_battery == Some(true) && l.on_battery == on_battery && dt < GAP => {
                let rate = l.volts.map_or(0.0, |before| (v - f64::from(before)) / dt.max(1e-4));
                f64::from(l.slope) + (1.0 - (-dt / SLOPE_H).exp()) * (rate - f64::from(l.slope))
            }
            (_, _) => 0.0,
        };
        let (volts_now, amps_now) = (volts.map(|v| v as f32), amps.map(|a| a as f32));
        let now = Last { at: sample.at, volts: volts_now, amps: amps_now, on_battery, slope: slope as f32 };
        if let (Some(true), Some(l), Some(v)) = (on_battery, last, volts) {
            // Mains came and went while nobody heard: the volts of a discharging battery do not climb.
            let rose = l.volts.is_some_and(|before| v > f64::from(before) + 0.2);
            if self.cut.is_some() && dt > GAP && rose {
                self.end_cut(l.at, None, dt, sample, &traits, &mut changed);
                self.recharged_unseen(dt);
            }
        }
        match on_battery {
            Some(true) => {
                if self.cut.is_none() {
                    self.begin_cut(&now, last.as_ref(), dt);
                    changed.cut_began = true;
                    self.draw(&now, volts, sample.celsius, 0.0, &traits, &mut changed);
                } else {
                    self.draw(&now, volts, sample.celsius, dt, &traits, &mut changed);
                }
            }
            Some(false) => {
                if self.cut.is_some() {
                    let end = if dt > GAP { last.map_or(sample.at, |l| l.at) } else { sample.at };
                    self.end_cut(end, volts, dt, sample, &traits, &mut changed);
                } else {
                    self.recharge(volts, amps, last.as_ref(), dt);
                }
            }
            None => {}
        }
        let verdict = self.charger.verdict;
        let chemistry = self.chemistry(chemistry);
        self.charger.watch(sample.at, dt.min(GAP), on_battery, volts, amps, chemistry);
        changed.charging = verdict != self.charger.verdict;
        self.last = Some(now);
        changed
    }

    /// Hours until the disconnect voltage at the present draw; on mains: if mains went now, at the usual draw. None: nothing
    /// sensible can be said.
    pub fn runtime_h(&self) -> Option<f64> {
        let figure = match &self.cut {
            Some(cut) => f64::from(cut.left_ah?) / cut.future_amps(self.last?.volts.map(f64::from)),
            None => {
                let l = self.learned.as_ref()?;
                if l.cuts == 0 {
                    return None;
                }
                let amps = f64::from(l.usual_amps);
                let ratio = (f64::from(l.amps) / amps).powf(DRAW_EXPONENT);
                let belief = l.belief().shifted(ratio.ln(), 0.0);
                belief.left_ah(f64::from(self.missing_ah) * ratio) / amps
            }
        };
        (figure.is_finite() && figure >= 0.0).then_some(figure.min(2000.0))
    }

    /// Percent of the capacity at commissioning.
    pub fn health_pct(&self) -> Option<f64> {
        self.learned.as_ref().filter(|l| l.cuts >= 2).map(|l| f64::from(l.health))
    }

    /// The last health values, the oldest first.
    pub fn health_history(&self) -> impl Iterator<Item = (Timestamp, f64)> + '_ {
        let past = self.learned.iter().flat_map(|l| &l.history);
        past.map(|p| (Timestamp::from_millis(i64::from(p.minute) * 60_000), f64::from(p.pct)))
    }

    /// State of charge now, percent.
    pub fn charge_pct(&self) -> Option<f64> {
        let last = self.last?;
        let part = match &self.cut {
            Some(cut) => {
                let left = f64::from(cut.left_ah?);
                left / (left + cut.drawn_now()).max(1e-6)
            }
            None => {
                let counted = self.counted_part();
                let idle = self.charger.idle_since.is_some_and(|since| hours(last.at, since) > 1.0);
                match (idle, last.volts) {
                    // Rest shows the charge better than any count.
                    (true, Some(v)) if self.lithium_votes <= 0 => (f64::from(v) - 11.6) / (12.75 - 11.6),
                    _ => counted?,
                }
            }
        };
        Some((100.0 * part).clamp(0.0, 100.0))
    }

    /// State of charge a few minutes into the present or last cut, percent; before that, what was counted.
    pub fn start_charge_pct(&self) -> Option<f64> {
        let counted = || self.cut.as_ref().and_then(|_| self.counted_part()).map(|part| 100.0 * part.clamp(0.0, 1.0));
        self.start_charge.map(f64::from).or_else(counted)
    }

    /// None: mains is there or not known, or too early to tell. Some(false): see `no_charge_since`.
    pub fn charging(&self) -> Option<bool> {
        self.charger.verdict
    }

    /// Since when mains is there, no current flows into the battery, it is below float and its volts do not rise.
    pub fn no_charge_since(&self) -> Option<Timestamp> {
        (self.charger.verdict == Some(false)).then_some(self.charger.idle_since).flatten()
    }

    /// Of the present cut.
    pub fn cut_began(&self) -> Option<Timestamp> {
        self.cut.as_ref().and(self.began)
    }
    /// Minutes of the present cut so far.
    pub fn cut_minutes(&self, now: Timestamp) -> Option<f64> {
        self.cut_began().map(|began| 60.0 * hours(now, began))
    }
    /// Minutes of the last cuts that ended, the newest first.
    pub fn past_cut_minutes(&self) -> impl Iterator<Item = u32> + '_ {
        self.lengths.iter().filter(|m| **m > 0).map(|m| u32::from(*m))
    }
    /// At the last sample. None: nothing tells.
    pub fn on_battery(&self) -> Option<bool> {
        self.last.and_then(|l| l.on_battery)
    }
    pub fn last_sample(&self) -> Option<Timestamp> {
        self.last.map(|l| l.at)
    }

    /// Could an emptied battery explain a silence that began by `at`?
    pub fn is_nearly_empty(&self, at: Timestamp) -> bool {
        let in_cut = self.on_battery() == Some(true);
        // With mains and no charger, too, the unit lives on its battery.
        let draws = |l: &Last| in_cut || self.charger.verdict == Some(false) || l.amps.is_some_and(|a| a < -0.05);
        let Some(last) = self.last.filter(draws) else { return false };
        // The knee is behind it at this voltage.
        let low = match self.chemistry(None) {
            Chemistry::Lead => 11.8,
            Chemistry::Lithium => 12.3,
        };
        let since = hours(at, last.at);
        // A fifth of the prediction and ten minutes: its own usual error.
        let over = in_cut
            && last.volts.is_none_or(|v| f64::from(v) < low + 0.6)
            && self.runtime_h().is_some_and(|h| since >= 0.8 * h - 10.0 / 60.0);
        // Near the end the volts fall ever faster; a straight line is the least they fall.
        let settled = self.began.is_some_and(|began| hours(last.at, began) > 1.5 * START_H) || !in_cut;
        let fallen = |v: f32| {
            let v = f64::from(v);
            // Before, the surface charge goes, and says nothing about the rest.
            if settled && v < SETTLED_V { v + f64::from(last.slope.min(0.0)) * since.min(GAP) } else { v }
        };
        last.volts.is_some_and(|v| fallen(v) < low) || over
    }

    /// As told, else as the volts in cuts said, else lead: most of the fleet.
    pub fn chemistry(&self, told: Option<Chemistry>) -> Chemistry {
        told.unwrap_or(if self.lithium_votes > 0 { Chemistry::Lithium } else { Chemistry::Lead })
    }

    /// The battery was replaced: nothing that was learned holds. The present cut goes on.
    pub fn replaced(&mut self) {
        self.learned = None;
        self.missing_ah = 0.0;
        self.start_charge = None;
        self.lithium_votes = 0;
    }

    /// A crew worked on it: it may be a new one, and what it holds is to be shown anew. What was held when new stays the
    /// measure of health.
    pub fn serviced(&mut self) {
        if let Some(learned) = &mut self.learned {
            learned.renew();
        }
    }

    /// In a cut, and all that was learned is wrong.
    fn swapped_unseen(&mut self) {
        self.replaced();
        if let Some(cut) = &mut self.cut {
            cut.missing_ah = 0.0;
            cut.left_ah = None;
            (cut.target_ah, cut.fitted_ah) = (0.0, 0.0);
        }
    }

    fn side(&self, sample: &PowerSample, volts: Option<f64>, amps: Option<f64>) -> Option<bool> {
        if let Some(mains) = sample.mains {
            return Some(!mains);
        }
        if let Some(a) = amps {
            return Some(a < -0.05 || (a < -0.02 && self.on_battery() == Some(true)));
        }
        let (Some(v), Some(last)) = (volts, self.last) else { return self.on_battery() };
        let before = f64::from(last.volts?);
        match last.on_battery {
            // Only a charger lifts the volts; a smaller load lifts them a little.
            Some(true) => Some(!(v >= 13.35 || v > before + 0.25)),
            Some(false) => Some(v < 13.25 && v < before - 0.15),
            None => {
                if v >= 13.35 {
                    Some(false)
                } else if v < before - 0.15 {
                    Some(true)
                } else {
                    None
                }
            }
        }
    }

    fn capacity_ah(&self) -> Option<f64> {
        self.learned.as_ref().filter(|l| l.cuts > 0).map(|l| f64::from(l.capacity_ah))
    }

    fn counted_part(&self) -> Option<f64> {
        Some(1.0 - f64::from(self.missing_ah) / self.capacity_ah()?)
    }

    fn begin_cut(&mut self, now: &Last, last: Option<&Last>, dt: f64) {
        // Mains went somewhere between the two samples.
        let began = match last {
            Some(l) if dt < GAP => l.at + Duration::from_secs_f64(1800.0 * dt),
            Some(_) | None => now.at,
        };
        self.began = Some(began);
        self.start_charge = None;
        if last.is_none() {
            // The first thing heard of it: it may have been on battery for long.
            self.missing_sd = 0.15;
        }
        let amps = now.amps.map(|a| -a).filter(|a| *a > 0.005);
        let known = self.learned.as_ref().map(|l| (l.amps, l.usual_amps));
        // Without any current, ampere-hours are hours at "the draw of this unit".
        let present = amps.or(known.map(|k| k.1)).unwrap_or(1.0);
        self.cut = Some(Box::new(Cut {
            missing_ah: self.missing_ah,
            drawn_ah: 0.0,
            reference_amps: known.map_or(present, |k| k.0),
            started: false,
            stretches: Default::default(),
            count: 0,
            width_h: 0.05,
            open: Stretch::default(),
            volts: now.volts.unwrap_or(0.0),
            volts_amps: present,
            amps: present,
            celsius: None,
            left_ah: None,
            target_ah: 0.0,
            fitted_ah: 0.0,
            fitted_volts: 0.0,
            fitted_amps: 0.0,
            power_like: 0.5,
            fine_volts: false,
        }));
    }

    /// A sample on battery, `dt` hours after the one before.
    fn draw(
        &mut self,
        now: &Last,
        volts: Option<f64>,
        celsius: Option<f64>,
        dt: f64,
        traits: &Traits,
        changed: &mut Changed,
    ) {
        let elapsed = self.began.map_or(0.0, |b| hours(now.at, b));
        let Some(cut) = self.cut.as_mut() else { return };
        let amps = now.amps.map(|a| f64::from(-a)).filter(|a| *a > 0.005).unwrap_or(f64::from(cut.amps));
        let before = self.last.and_then(|l| l.amps).map(|a| f64::from(-a)).filter(|a| *a > 0.005 && dt > 0.0);
        let mean = before.map_or(amps, |b| 0.5 * (amps + b));
        let counted = mean * dt * (mean / f64::from(cut.reference_amps)).powf(DRAW_EXPONENT);
        cut.drawn_ah += counted;
        if dt > 0.0 {
            // Loads step every hour or so (fans, infrared lamps): the hours left are those at their mean.
            cut.amps += (dt / (elapsed.min(PRESENT_H) + dt)) as f32 * (amps as f32 - cut.amps);
            cut.volts_amps += (1.0 - (-dt / VOLTS_H).exp()) as f32 * (amps as f32 - cut.volts_amps);
        }
        if let Some(c) = sane(celsius, -40.0, 90.0) {
            let old = cut.celsius.get_or_insert(c as f32);
            *old += (1.0 - (-dt / 0.5).exp()) as f32 * (c as f32 - *old);
        }
        let Some(v) = volts else { return };
        if cut.volts == 0.0 {
            cut.volts = v as f32;
        }
        cut.volts += (1.0 - (-dt / VOLTS_H).exp()) as f32 * (v as f32 - cut.volts);
        // A long silence says nothing about the volts within it.
        cut.gather(v, amps, dt.min(0.3));
        if !cut.started && elapsed >= START_H {
            self.measure_start(traits, now.at);
            changed.start_charge = true;
        }
        self.predict(traits, elapsed, mean * dt, dt);
    }

    /// Charge at the start of the cut: what was counted, against what the volts say now that the surface charge has gone.
    fn measure_start(&mut self, traits: &Traits, _at: Timestamp) {
        let missing_sd = f64::from(self.missing_sd).max(0.03);
        let Some(cut) = self.cut.as_mut() else { return };
        cut.started = true;
        let amps = f64::from(cut.amps);
        let drawn = cut.drawn_now();
        let (prior, volts_sd) = self.learned.as_ref().map_or_else(
            || (Belief::prior(traits, amps), 0.25),
            |l| (l.at(amps, cut.celsius), if l.cuts > 0 { 0.12 } else { 0.25 }),
        );
        // A lithium battery rests at nearly the same volts from nine tenths down to two.
        let volts_sd = if traits.is_flat { 0.6 } else { volts_sd };
        let capacity = prior.capacity_ah();
        let scale = cut.scale();
        let counted = (f64::from(cut.missing_ah) * scale / capacity).clamp(0.0, 1.0);
        let shown = (prior.drawn_part(traits, f64::from(cut.volts)) - drawn / capacity).clamp(0.0, 1.0);
        let (wc, wv) = (missing_sd.powi(-2), f64::powi(volts_sd, -2));
        let missing = (wc * counted + wv * shown) / (wc + wv);
        // Nothing learned and nothing counted: a new unit's battery is taken for full.
        let missing = if self.learned.is_none() && missing < 0.3 { counted } else { missing };
        cut.missing_ah = (missing * capacity / scale) as f32;
        self.start_charge = Some((100.0 * (1.0 - missing)) as f32);
    }

    fn predict(&mut self, traits: &Traits, elapsed: f64, taken: f64, dt: f64) {
        let Some(cut) = self.cut.as_mut() else { return };
        let amps = f64::from(cut.amps);
        let known = self.learned.as_ref().is_some_and(|l| l.cuts > 0);
        if !known && elapsed < FIRST_FIGURE_H {
            return;
        }
        cut.target_ah = (f64::from(cut.target_ah) - taken).max(0.0) as f32;
        if let Some(left) = &mut cut.left_ah {
            *left = (f64::from(*left) - taken).max(0.0) as f32;
        }
        let since = cut.drawn_ah as f32 - cut.fitted_ah;
        // Volts that move within a few samples may be noise: a little charge must have gone too.
        let moved = since >= 0.25 * cut.width_h * cut.amps
            || (cut.volts - cut.fitted_volts).abs() >= 0.03 && since >= 0.06 * cut.width_h * cut.amps
            || (cut.amps - cut.fitted_amps).abs() >= 0.04 * cut.fitted_amps;
        if cut.left_ah.is_none() || moved {
            let belief = fit(self.learned.as_deref(), cut, traits, amps, elapsed, IN_CUT_SD);
            cut.target_ah = match emptier(&belief, cut, traits) {
                Some(shown) => (cut.drawn_now() * (1.0 / shown - 1.0)) as f32,
                None => belief.left_ah(cut.drawn_now()) as f32,
            };
            cut.fitted_ah = cut.drawn_ah as f32;
            cut.fitted_volts = cut.volts;
            cut.fitted_amps = cut.amps;
            cut.tell_power_from_current();
        }
        // Far more was taken than it is said to hold, and the volts are still high: it is another battery.
        let held = self.learned.as_ref().map(|l| cut.scale_at(amps) / f64::from(l.capacity_ah));
        let taken_part = held.map(|h| h * (f64::from(cut.missing_ah) + cut.drawn_ah));
        if taken_part.is_some_and(|part| part > DISPROVED) && f64::from(cut.volts) > traits.end + 1.25 {
            self.swapped_unseen();
            return;
        }
        let target = f64::from(cut.target_ah);
        let shown = match cut.left_ah {
            None => target,
            Some(left) => {
                // A tenth of what is left, at most ten minutes: smooth early, quick at the end.
                let left = f64::from(left);
                let tau = (0.1 * left / amps).clamp(0.01, 0.17);
                left + (1.0 - (-dt / tau).exp()) * (target - left)
            }
        };
        cut.left_ah = Some(shown.max(0.0) as f32);
    }

    /// `volts`: the first with mains back. `dt`: hours since the last sample on battery.
    fn end_cut(
        &mut self,
        end: Timestamp,
        volts: Option<f64>,
        dt: f64,
        sample: &PowerSample,
        traits: &Traits,
        changed: &mut Changed,
    ) {
        let elapsed = self.began.map_or(0.0, |b| hours(end, b));
        if self.cut.as_ref().is_some_and(|c| !c.started && c.volts > 0.0) {
            self.measure_start(traits, end);
            changed.start_charge = true;
        }
        let Some(cut) = self.cut.take() else { return };
        changed.cut_ended = true;
        let amps = f64::from(cut.amps);
        let before = f64::from(cut.volts);
        let silent = dt > GAP;
        // A charger lifts a battery at once; one that comes back below 12.4 V had nothing left.
        let low_return = volts.is_some_and(|v| v < traits.end + 1.3);
        // A silence may outlast the cut: only its time without mains drained the battery.
        let drained = match (self.last, sample.mains_back) {
            (Some(last), Some(back)) => dt.min(hours(back, last.at)),
            (_, _) => dt,
        };
        let near_end = before < traits.end + 0.5
            || cut.left_ah.is_some_and(|left| drained > 0.8 * f64::from(left) / amps)
            || before < traits.end + 0.9 && low_return;
        // One whose battery gave out starts with the mains. One that stayed away longer had another reason.
        let with_mains = sample.mains_back.is_none_or(|back| hours(sample.at, back) < STARTS_WITHIN);
        let fallen = before + f64::from(self.last.map_or(0.0, |l| l.slope.min(0.0))) * dt.min(GAP);
        let gave_out = sample.rebooted != Some(false)
            && with_mains
            // Too short a silence to be missed, but it started anew.
            && (silent && (near_end || low_return) || sample.rebooted == Some(true) && fallen < traits.end + 0.5);
        changed.ended_empty = gave_out || before < traits.end + 0.08;

        self.lengths.rotate_right(1);
        self.lengths[0] = (60.0 * elapsed).clamp(1.0, 65_535.0) as u16;
        if elapsed > 0.3 && self.learned.is_none() || elapsed > 1.0 {
            let high = before > 12.9 && cut.drawn_ah > 0.0;
            self.lithium_votes = (self.lithium_votes + if high { 1 } else { -1 }).clamp(-3, 3);
        }

        let mean_amps = cut.mean_amps().unwrap_or(amps);
        let known = self.learned.is_some();
        let learned = self.learned.get_or_insert_with(|| {
            Box::new(Learned {
                kept: Kept::of(&Belief::prior(traits, mean_amps)),
                capacity_ah: Belief::prior(traits, mean_amps).capacity_ah() as f32,
                amps: cut.reference_amps,
                usual_amps: mean_amps as f32,
                commissioned: [0; SHAPES],
                commissioned_var: 0.0,
                changed_var: 0.0,
                cuts: 0,
                health: 100.0,
                history: Vec::new(),
            })
        });
        if known {
            let share = if elapsed > 0.3 { 0.3 } else { 0.1 };
            learned.usual_amps += share * (mean_amps as f32 - learned.usual_amps);
        }
        // What it teaches.
        let prior = learned.at(mean_amps, cut.celsius);
        let mut after = fit(Some(learned), &cut, traits, mean_amps, elapsed, 0.0);
        if changed.ended_empty && silent && before > traits.end + 0.9 {
            // It died earlier than its volts said: a cell fell over. Somewhere in the silence.
            let held = f64::from(cut.missing_ah) + cut.drawn_ah + 0.5 * amps * dt;
            let too_much = (held / after.capacity_ah()).ln();
            after = after.shifted(0.7 * too_much.clamp(-0.4, 0.0), 0.05);
        }
        if let Some(shown) = emptier(&after, &cut, traits) {
            // Something happened to it since: a cell, or another battery.
            let holds = cut.drawn_now() / shown;
            after = after.shifted((holds / after.capacity_ah()).clamp(LEAST_LEFT, 1.0).ln(), 0.2);
        }
        let depth = cut.drawn_ah * cut.scale_at(mean_amps) / after.capacity_ah();
        // Later ones must be deeper: of a shallow cut the surface charge and the noise are the larger part.
        let least_depth = if learned.cuts < 2 { 0.1 } else { 0.14 };
        // What a cut that began with a half-filled battery took says little of what it holds.
        let began_full = !known || f64::from(self.missing_ah) < BEGAN_FULL * f64::from(learned.capacity_ah);
        let informative = began_full && (changed.ended_empty || (depth > least_depth && elapsed > 0.4));
        let capacity = after.capacity_ah();
        if informative {
            learned.teach(&prior, after, mean_amps, cut.celsius, end);
            changed.health = learned.cuts >= 2;
        }
        let scale = cut.scale_at(mean_amps);
        let full = capacity / scale;
        let missing =
            if changed.ended_empty { 0.98 * full } else { (f64::from(cut.missing_ah) + cut.drawn_ah).min(full) };
        self.missing_ah = missing as f32;
        self.missing_sd = 0.04;
    }

    /// A sample on mains.
    fn recharge(&mut self, volts: Option<f64>, amps: Option<f64>, last: Option<&Last>, dt: f64) {
        // Before the first deep cut what is usual for such a draw must do.
        let Some(capacity) = self.learned.as_ref().map(|l| f64::from(l.capacity_ah)) else { return };
        let missing = f64::from(self.missing_ah);
        let float = volts.is_some_and(|v| v >= 13.3);
        let (next, sd) = match amps {
            Some(a) => {
                let mean = last.and_then(|l| l.amps).map_or(a, |b| 0.5 * (a + f64::from(b)));
                // Lead keeps 85 to 97 % of what goes in; the last part fills unseen at float.
                let kept = if mean > 0.0 { 0.93 * mean * dt } else { mean * dt };
                let counted = missing - kept;
                if float && a >= -0.02 && a < (0.02 * capacity).max(0.03) {
                    let stays = (-dt / 0.3).exp();
                    (counted * stays, f64::from(self.missing_sd) * stays)
                } else {
                    (counted, f64::from(self.missing_sd) + 0.08 * kept.abs() / capacity)
                }
            }
            // Ten hours from empty, the usual sizing of a charger.
            None if volts.is_some_and(|v| v >= 13.0) => {
                let put = (0.1 * capacity * dt).min(missing);
                (missing - put, f64::from(self.missing_sd) + 0.2 * put / capacity)
            }
            None => (missing, f64::from(self.missing_sd)),
        };
        self.missing_ah = next.clamp(0.0, capacity) as f32;
        self.missing_sd = sd.clamp(0.02, 0.15) as f32;
    }

    /// Mains came and went within a silence of `dt` hours.
    fn recharged_unseen(&mut self, dt: f64) {
        if let Some(capacity) = self.capacity_ah() {
            self.missing_ah = (f64::from(self.missing_ah) - 0.1 * capacity * dt).max(0.0) as f32;
        }
        self.missing_sd = 0.15;
    }
}
