//! One cut as it happens: stretches of volts against ampere-hours, and what they say of the capacity. Never knows mains.

use serde::{Deserialize, Serialize};

use super::curve::{Belief, Seen, Traits};
use super::learned::{DRAW_EXPONENT, Learned, warmth};

/// A stretch of a cut.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Stretch {
    /// Ampere-hours drawn in this cut, at the learned draw.
    pub(super) ah: f32,
    pub(super) volts: f32,
    pub(super) amps: f32,
    pub(super) hours: f32,
}

pub(super) const STRETCHES: usize = 8;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Cut {
    /// Ampere-hours missing when it began, and drawn since, both at `reference_amps`.
    pub(super) missing_ah: f32,
    pub(super) drawn_ah: f64,
    /// The draw that ampere-hours are counted at: the learned one, else this cut's first.
    pub(super) reference_amps: f32,
    pub(super) started: bool,
    pub(super) stretches: [Stretch; STRETCHES],
    pub(super) count: u8,
    /// Width of a stretch, hours.
    pub(super) width_h: f32,
    /// Sums of the open stretch, weighted by hours.
    pub(super) open: Stretch,
    /// Volts and draw of the last minutes, and the draw of the last hour: what is meant by "present".
    pub(super) volts: f32,
    pub(super) volts_amps: f32,
    pub(super) amps: f32,
    pub(super) celsius: Option<f32>,
    /// Ampere-hours left at the present draw: shown, and where it is heading.
    pub(super) left_ah: Option<f32>,
    pub(super) target_ah: f32,
    pub(super) fitted_ah: f32,
    pub(super) fitted_volts: f32,
    pub(super) fitted_amps: f32,
    /// Volts came in steps finer than a tenth.
    pub(super) fine_volts: bool,
    /// The draw rises as the volts fall: constant power. 0.5: not known yet.
    pub(super) power_like: f32,
}

impl Cut {
    /// Ampere-hours at the reference draw to ampere-hours at `amps`.
    pub(super) fn scale_at(&self, amps: f64) -> f64 {
        (f64::from(self.reference_amps) / amps.max(1e-3)).powf(DRAW_EXPONENT)
    }
    pub(super) fn scale(&self) -> f64 {
        self.scale_at(f64::from(self.amps))
    }
    /// Ampere-hours since full, at the present draw.
    pub(super) fn drawn_now(&self) -> f64 {
        (f64::from(self.missing_ah) + self.drawn_ah) * self.scale()
    }

    pub(super) fn mean_amps(&self) -> Option<f64> {
        let closed = self.stretches[..usize::from(self.count).min(STRETCHES)].iter();
        let (mut hours, mut sum) = (f64::from(self.open.hours), f64::from(self.open.amps));
        for s in closed {
            hours += f64::from(s.hours);
            sum += f64::from(s.hours * s.amps);
        }
        (hours > 0.0 && sum > 0.0).then(|| sum / hours)
    }

    pub(super) fn gather(&mut self, volts: f64, amps: f64, dt: f64) {
        let w = dt as f32;
        self.fine_volts |= (10.0 * volts - (10.0 * volts).round()).abs() > 0.01;
        let open = &mut self.open;
        open.hours += w;
        open.ah += w * self.drawn_ah as f32;
        open.volts += w * volts as f32;
        open.amps += w * amps as f32;
        if open.hours < self.width_h {
            return;
        }
        let h = open.hours;
        let closed = Stretch { ah: open.ah / h, volts: open.volts / h, amps: open.amps / h, hours: h };
        *open = Stretch::default();
        if usize::from(self.count) >= STRETCHES {
            for i in 0..STRETCHES / 2 {
                self.stretches[i] = self.stretches[2 * i].joined(&self.stretches[2 * i + 1]);
            }
            self.count = (STRETCHES / 2) as u8;
            self.width_h = (2.0 * self.width_h).max(self.stretches[0].hours);
        }
        self.stretches[usize::from(self.count)] = closed;
        self.count += 1;
    }

    pub(super) fn tell_power_from_current(&mut self) {
        let count = usize::from(self.count).min(STRETCHES);
        if count < 3 {
            return;
        }
        let (first, last) = (&self.stretches[1], &self.stretches[count - 1]);
        let (dv, di) = ((first.volts / last.volts).ln(), (last.amps / first.amps).ln());
        if dv > 0.02 {
            self.power_like = (di / dv).clamp(0.0, 1.0);
        }
    }

    /// The mean draw from now to the end: constant power draws more as the volts fall.
    pub(super) fn future_amps(&self, volts: Option<f64>) -> f64 {
        let fall = (volts.unwrap_or(12.0) / 11.3).clamp(1.0, 1.15);
        f64::from(self.amps) * (1.0 + f64::from(self.power_like) * 0.45 * (fall - 1.0))
    }
}

impl Stretch {
    pub(super) fn joined(&self, other: &Stretch) -> Stretch {
        let h = self.hours + other.hours;
        let mean = |a: f32, b: f32| (a * self.hours + b * other.hours) / h;
        Stretch {
            ah: mean(self.ah, other.ah),
            volts: mean(self.volts, other.volts),
            amps: mean(self.amps, other.amps),
            hours: h,
        }
    }
}

/// A prediction within a cut may leave what was learned this far behind: a cell can fail from one cut to the next.
pub(super) const IN_CUT_SD: f64 = 0.04;
/// The more of the fall has happened, the more this cut speaks for itself.
pub(super) const LATE_SD: f64 = 0.077;
/// How far the present volts may lie from the curve: it must end at the disconnect voltage, so it must pass here.
pub(super) const PRESENT_SD: f64 = 0.014;

/// The belief at `amps` after the stretches of this cut.
pub(super) fn fit(
    learned: Option<&Learned>,
    cut: &Cut,
    traits: &Traits,
    amps: f64,
    elapsed: f64,
    extra_sd: f64,
) -> Belief {
    let prior = learned
        .map_or_else(|| Belief::prior(traits, amps).shifted(warmth(cut.celsius), 0.0), |l| l.at(amps, cut.celsius));
    let fall = prior.full_volts() - traits.end;
    let fallen = (1.0 - (f64::from(cut.volts) - traits.end) / fall.max(0.3)).clamp(0.0, 1.0);
    let prior = prior.shifted(0.0, extra_sd + LATE_SD * fallen.powi(2));
    let capacity = prior.capacity_ah();
    let scale = cut.scale_at(amps);
    let start = f64::from(cut.missing_ah) * scale;
    let now = cut.drawn_ah * scale;
    let hours_each = elapsed / cut.drawn_ah.max(1e-6);
    let seen_of = |s: &Stretch, noise: f64| {
        let drawn = f64::from(s.ah) * scale;
        let since = f64::from(s.ah) * hours_each;
        let surface = 0.5 * (-since / 0.22).exp() + 0.03 * (-drawn / (0.04 * capacity)).exp();
        // What was long ago says less about the end than what was just now.
        let far = 0.006 * ((now - drawn) / (0.5 * capacity)).min(2.0);
        Seen {
            drawn_ah: start + drawn,
            volts: f64::from(s.volts),
            more_amps: f64::from(s.amps) - amps,
            sd: (noise * noise + surface * surface + far * far).sqrt(),
        }
    };
    // A tenth of a volt a step, and the noise too small to blur it: the mean of a stretch is off by up to half a step.
    let grain = if cut.fine_volts { 0.0 } else { 0.025 };
    let mut seen = [Seen { drawn_ah: 0.0, volts: 0.0, more_amps: 0.0, sd: 0.0 }; STRETCHES + 1];
    let mut count = 0;
    for s in &cut.stretches[..usize::from(cut.count).min(STRETCHES)] {
        seen[count] = seen_of(s, traits.stray + grain);
        count += 1;
    }
    if cut.volts > 0.0 {
        let present = Stretch { ah: cut.drawn_ah as f32, volts: cut.volts, amps: cut.volts_amps, hours: 0.0 };
        seen[count] = seen_of(&present, PRESENT_SD + grain);
        count += 1;
    }
    prior.after(traits, &seen[..count])
}
