//! Which discharge curve a battery follows, and how many ampere-hours it holds down to its disconnect voltage. Never
//! knows about cuts, mains or time.
//!
//! At a steady draw, volts fall from `full` to the disconnect voltage while the drawn part `x` of the capacity goes from 0
//! to 1: `v = end + (full − end)·h(x)`. The shape is `h(x) = 1 − (1 − a)·x − a·c·x/(1 + c − x)`: a straight part, and a knee
//! that takes the part `a` of the fall and lies within about `c` of the end. Straight is what a gelled battery at a low draw
//! does; the rational knee is Shepherd's (1965) and Manwell's and McGowan's (1993). Nobody knows which shape a battery has,
//! so a grid of them is held, each with its own capacity and a weight; `full` is solved inside. Early in a cut the shapes
//! disagree and the answer lies between them; as the volts fall those that do not fit lose their weight.

use serde::{Deserialize, Serialize};

use super::Chemistry;

/// Shapes held per battery.
pub(super) const SHAPES: usize = 24;

/// How much of the fall the knee takes, and how near the end it lies.
#[derive(Debug, Clone, Copy)]
struct Knee {
    a: f64,
    c: f64,
}

const ROW: usize = 4;
/// `a` and `c` of every shape.
type Knees = [[(f64, f64); ROW]; SHAPES / ROW];

/// From a straight line (a small knee's place hardly matters) to a curve that bends all along. Of the families of the tests,
/// Kinetic, Linear and Flooded are nearest to 0.4 to 0.6 and 0.05, the datasheets to 0.4 and 0.15, shelves to 0.9 and 0.2.
const LEAD: Knees = [
    [(0.10, 0.05), (0.25, 0.02), (0.25, 0.06), (0.25, 0.20)],
    [(0.40, 0.02), (0.40, 0.05), (0.40, 0.12), (0.40, 0.30)],
    [(0.55, 0.02), (0.55, 0.05), (0.55, 0.12), (0.55, 0.30)],
    [(0.70, 0.03), (0.70, 0.08), (0.70, 0.18), (0.70, 0.35)],
    [(0.85, 0.05), (0.85, 0.12), (0.85, 0.22), (0.85, 0.35)],
    [(0.97, 0.08), (0.97, 0.14), (0.97, 0.22), (0.97, 0.32)],
];
/// Four LiFePO4 cells: 13.2 to 12.9 V over nine tenths of the charge, then the cliff.
const LITHIUM: Knees = [
    [(0.75, 0.03), (0.75, 0.07), (0.75, 0.14), (0.75, 0.30)],
    [(0.80, 0.03), (0.80, 0.07), (0.80, 0.14), (0.80, 0.30)],
    [(0.85, 0.03), (0.85, 0.07), (0.85, 0.14), (0.85, 0.30)],
    [(0.89, 0.03), (0.89, 0.07), (0.89, 0.14), (0.89, 0.30)],
    [(0.93, 0.03), (0.93, 0.07), (0.93, 0.14), (0.93, 0.30)],
    [(0.97, 0.03), (0.97, 0.07), (0.97, 0.14), (0.97, 0.30)],
];

/// What distinguishes the two chemistries for the judge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traits {
    knees: &'static Knees,
    /// Log weight of a shape before anything is known: factors of `a − 0.5`, its square, of `ln(c / 0.07)`, its square, and
    /// of both. They make the error of all families of the tests smallest together: knees that take most of the fall are the
    /// likelier, as a shelf that is taken for a straight line costs far more than a line taken for a shelf.
    habits: [f64; 5],
    /// Disconnect volts: the end of every prediction.
    pub end: f64,
    /// Loaded volts of a full battery after its surface charge has gone, and how far off that may be.
    full: f64,
    full_sd: f64,
    /// Log odds of the charge that is left against those of the fall that is left: slope, offset, standard deviation. Half
    /// of the fall is left at a tenth (shelves) to four tenths of the charge in the families of the tests.
    place: Option<(f64, f64, f64)>,
    /// How far volts stray from the best shape.
    pub stray: f64,
    /// The volts hardly fall before the knee.
    pub is_flat: bool,
}

impl Chemistry {
    pub(super) fn traits(self) -> Traits {
        match self {
            Chemistry::Lead => Traits {
                knees: &LEAD,
                habits: [3.5, -0.3, 1.4, -1.3, -2.3],
                end: 11.1,
                full: 12.63,
                full_sd: 0.19,
                stray: 0.012,
                is_flat: false,
                place: Some((0.62, -0.46, 1.2)),
            },
            Chemistry::Lithium => Traits {
                knees: &LITHIUM,
                habits: [0.0; 5],
                end: 10.4,
                full: 13.1,
                full_sd: 0.1,
                stray: 0.025,
                is_flat: true,
                place: None,
            },
        }
    }
}

impl Traits {
    /// Log likelihood that a battery with so much of its fall left has so much of its charge left.
    fn usual_place(&self, present: Option<&Seen>, ln_ah: f64, solved: &Solved) -> f64 {
        let (Some((slope, offset, sd)), Some(seen)) = (self.place, present) else { return 0.0 };
        let volts = seen.volts + solved.ohms * seen.more_amps;
        let of_fall = (volts - self.end) / solved.fall.max(0.3);
        if of_fall > 0.96 {
            return 0.0;
        }
        let of_charge = 1.0 - seen.drawn_ah * (-ln_ah).exp();
        let odds = |part: f64| {
            let part = part.clamp(0.004, 0.99);
            (part / (1.0 - part)).ln()
        };
        -0.5 * ((odds(of_charge) - slope * odds(of_fall) - offset) / sd).powi(2)
    }

    fn knee(&self, k: usize) -> Knee {
        let (a, c) = self.knees[k / ROW][k % ROW];
        Knee { a, c }
    }

    fn habit(&self, k: usize) -> f64 {
        let Knee { a, c } = self.knee(k);
        let (u, v) = (a - 0.5, (c / 0.07).ln());
        let [ha, haa, hc, hcc, hac] = self.habits;
        ha * u + haa * u * u + hc * v + hcc * v * v + hac * u * v
    }

    /// Part of the fall that is left when the part `x` of the capacity is drawn; below zero past the end.
    fn left(Knee { a, c }: Knee, x: f64) -> f64 {
        let knee = if x < 1.0 { c * x / (1.0 + c - x) } else { 1.0 + (x - 1.0) * (1.0 + c) / c };
        1.0 - (1.0 - a) * x - a * knee
    }

    /// Drawn part at which the curve meets `volts`.
    fn drawn(knee: Knee, left: f64) -> f64 {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..12 {
            let mid = 0.5 * (low + high);
            if Self::left(knee, mid) > left { low = mid } else { high = mid }
        }
        0.5 * (low + high)
    }
}

/// One stretch of a cut: what had been drawn since full, and the volts then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Ampere-hours since full.
    pub drawn_ah: f64,
    pub volts: f64,
    /// The draw then above the draw that is asked about.
    pub more_amps: f64,
    /// Standard deviation: how far the curve itself strays from the best shape, noise, surface charge.
    pub sd: f64,
}

/// One shape's opinion.
#[derive(Debug, Clone, Copy)]
struct Opinion {
    /// Log of its weight; the greatest is 0.
    weight: f32,
    /// Log of the ampere-hours to the disconnect voltage, and its standard deviation.
    ln_ah: f32,
    sd: f32,
}

/// What is believed about one battery at one draw.
#[derive(Debug, Clone, Copy)]
pub(super) struct Belief {
    opinions: [Opinion; SHAPES],
    /// Loaded volts at full, and its standard deviation.
    full: f32,
    full_sd: f32,
    /// What a change of the draw does to the volts within minutes, and its standard deviation.
    ohms: f32,
    ohms_sd: f32,
}

/// Volt-hours of sag per ampere: the slow part of a battery's resistance times its capacity (0.175 ohmic for a new NP7-12,
/// three to five times that with what an hour of polarisation adds).
const OHM_HOURS: f64 = 0.8;

/// Weights below this part of the greatest are as good as nothing, and none may fall further: a battery can change.
const LEAST_WEIGHT: f32 = -6.0;

/// Opinions on the hours left are averaged as `t^-CAUTION`: one hour said for two is a smaller mistake than two said for one.
const CAUTION: f64 = 1.0;

/// A belief as it is kept, to about a thousandth: a city has many units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    weight: [u8; SHAPES],
    ln_ah: [i16; SHAPES],
    sd: [u8; SHAPES],
    full: f32,
    full_sd: f32,
    ohms: f32,
    ohms_sd: f32,
}

/// Steps of a log capacity: ±12 fits.
const LN_STEPS: f32 = 2700.0;
const WEIGHT_STEPS: f32 = 40.0;
/// Standard deviations from 0.005 to 0.8.
const SD_LEAST: f32 = 0.005;
const SD_STEPS: f32 = 50.0;

impl Kept {
    pub fn of(belief: &Belief) -> Kept {
        let o = &belief.opinions;
        Kept {
            weight: o.map(|o| (-o.weight * WEIGHT_STEPS).round() as u8),
            ln_ah: o.map(|o| (o.ln_ah * LN_STEPS).round() as i16),
            sd: o.map(|o| ((o.sd / SD_LEAST).max(1.0).ln() * SD_STEPS).round() as u8),
            full: belief.full,
            full_sd: belief.full_sd,
            ohms: belief.ohms,
            ohms_sd: belief.ohms_sd,
        }
    }

    pub fn belief(&self) -> Belief {
        let opinion = |k: usize| Opinion {
            weight: -f32::from(self.weight[k]) / WEIGHT_STEPS,
            ln_ah: f32::from(self.ln_ah[k]) / LN_STEPS,
            sd: SD_LEAST * (f32::from(self.sd[k]) / SD_STEPS).exp(),
        };
        Belief {
            opinions: std::array::from_fn(opinion),
            full: self.full,
            full_sd: self.full_sd,
            ohms: self.ohms,
            ohms_sd: self.ohms_sd,
        }
    }
}

impl Belief {
    /// Nothing is known but the draw: batteries are bought for 3 to 20 hours.
    pub fn prior(traits: &Traits, amps: f64) -> Self {
        let ah = 6.7 * amps.max(1e-3);
        let top = (0..SHAPES).map(|k| traits.habit(k)).fold(f64::NEG_INFINITY, f64::max);
        let opinion = |k: usize| Opinion { weight: (traits.habit(k) - top) as f32, ln_ah: ah.ln() as f32, sd: 0.49 };
        Belief {
            opinions: std::array::from_fn(opinion),
            full: traits.full as f32,
            full_sd: traits.full_sd as f32,
            ohms: (OHM_HOURS / ah) as f32,
            ohms_sd: (0.4 * OHM_HOURS / ah) as f32,
        }
    }

    /// Volts that a draw of so much more takes off, and the standard deviation.
    pub fn sag(&self, more_amps: f64) -> (f64, f64) {
        (f64::from(self.ohms) * more_amps, f64::from(self.ohms_sd) * more_amps.abs())
    }

    fn weights(&self) -> [f64; SHAPES] {
        let mut w = self.opinions.map(|o| f64::from(o.weight).exp());
        let sum: f64 = w.iter().sum();
        w.iter_mut().for_each(|w| *w /= sum);
        w
    }

    /// Ampere-hours from full to the disconnect voltage.
    pub fn capacity_ah(&self) -> f64 {
        self.weights().iter().zip(&self.opinions).map(|(w, o)| w * f64::from(o.ln_ah)).sum::<f64>().exp()
    }

    /// Standard deviation of the log of the capacity: within the shapes and between them.
    pub fn spread(&self) -> f64 {
        let mean = self.capacity_ah().ln();
        let of = |o: &Opinion| f64::from(o.sd).powi(2) + (f64::from(o.ln_ah) - mean).powi(2);
        self.weights().iter().zip(&self.opinions).map(|(w, o)| w * of(o)).sum::<f64>().sqrt()
    }

    /// Log of the capacity against `reference`, shape by shape: what a wrong shape adds to both falls out.
    pub fn change_since(&self, reference: &[i16; SHAPES]) -> f64 {
        let each = self.opinions.iter().zip(reference).map(|(o, r)| f64::from(o.ln_ah - f32::from(*r) / LN_STEPS));
        self.weights().iter().zip(each).map(|(w, d)| w * d).sum()
    }
    /// The capacities of `reference`, each as unsure as `sd`.
    pub fn as_when(mut self, reference: &[i16; SHAPES], sd: f64) -> Self {
        for (o, r) in self.opinions.iter_mut().zip(reference) {
            o.ln_ah = f32::from(*r) / LN_STEPS;
            o.sd = sd as f32;
        }
        self
    }
    pub fn reference(&self) -> [i16; SHAPES] {
        self.opinions.map(|o| (o.ln_ah * LN_STEPS).round() as i16)
    }

    /// Loaded volts at full.
    pub fn full_volts(&self) -> f64 {
        f64::from(self.full)
    }

    /// Every capacity is this much larger (log), and that much less certain.
    pub fn shifted(mut self, ln_ah: f64, sd: f64) -> Self {
        for o in &mut self.opinions {
            o.ln_ah += ln_ah as f32;
            o.sd = (f64::from(o.sd).hypot(sd)) as f32;
        }
        self
    }
    /// The volts at full are this much higher, and that much less certain.
    pub fn full_shifted(mut self, volts: f64, sd: f64) -> Self {
        self.full += volts as f32;
        self.full_sd = f64::from(self.full_sd).hypot(sd).min(0.2) as f32;
        self
    }
    /// What a cut taught is not as sure as its own arithmetic says: the shapes are wrong in the same way each time.
    pub fn settled(mut self, least_sd: f32, least_full_sd: f32, keep: f32) -> Self {
        for o in &mut self.opinions {
            o.sd = o.sd.max(least_sd);
            o.weight *= keep;
        }
        self.full_sd = self.full_sd.max(least_full_sd);
        // They grow as a battery empties, ages and cools.
        self.ohms_sd = self.ohms_sd.max(0.2 * self.ohms);
        self
    }

    /// Ampere-hours left. An opinion that the battery is past its end counts as nearly nothing left; those that few
    /// hold are not asked, or one of them would speak for all.
    pub fn left_ah(&self, drawn_ah: f64) -> f64 {
        const ASKED: f64 = 0.05;
        let of = |o: &Opinion| {
            let ah = f64::from(o.ln_ah).exp();
            (ah - drawn_ah).max(0.01 * ah).powf(-CAUTION)
        };
        let weights = self.weights();
        let least = ASKED * weights.iter().copied().fold(0.0, f64::max);
        let asked = || weights.iter().zip(&self.opinions).filter(|(w, _)| **w >= least);
        let total: f64 = asked().map(|(w, _)| w).sum();
        (asked().map(|(w, o)| w * of(o)).sum::<f64>() / total).powf(-1.0 / CAUTION)
    }

    /// Drawn part of the capacity that these volts at the present draw stand for.
    pub fn drawn_part(&self, traits: &Traits, volts: f64) -> f64 {
        let left = (volts - traits.end) / (self.full_volts() - traits.end).max(0.3);
        self.weights().iter().enumerate().map(|(k, w)| w * Traits::drawn(traits.knee(k), left)).sum()
    }

    /// The belief after these observations.
    pub fn after(&self, traits: &Traits, seen: &[Seen]) -> Belief {
        let mut next = *self;
        let (mut full, mut full_var, mut total) = (0.0, 0.0, 0.0);
        let mut evidence = [0.0; SHAPES];
        let mut leader = f64::NEG_INFINITY;
        let (mut ohms, mut ohms_var) = (0.0, 0.0);
        let mut solved = [Solved::default(); SHAPES];
        for k in 0..SHAPES {
            let knee = traits.knee(k);
            let o = self.opinions[k];
            let (mean, sd) = (f64::from(o.ln_ah), f64::from(o.sd));
            let step = 0.5 * sd;
            let coarse = Moments::of(mean, step, 5, |ln_ah| self.log_likelihood(traits, knee, ln_ah, mean, sd, seen));
            // Out of the running: no need to know it finely.
            let hopeless = f64::from(o.weight) + coarse.log_sum - sd.ln() < leader - 9.0;
            let m = if coarse.sd > 1.5 * step || hopeless {
                coarse
            } else {
                Moments::of(coarse.best, step / 3.0, 4, |l| self.log_likelihood(traits, knee, l, mean, sd, seen))
            };
            solved[k] = self.solve(traits, knee, m.mean, seen);
            evidence[k] = f64::from(o.weight) + m.log_sum - sd.ln();
            leader = leader.max(evidence[k]);
            next.opinions[k] = Opinion { weight: 0.0, ln_ah: m.mean as f32, sd: m.sd.max(0.01) as f32 };
        }
        let best = evidence.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for k in 0..SHAPES {
            next.opinions[k].weight = ((evidence[k] - best) as f32).max(LEAST_WEIGHT);
            let w = (evidence[k] - best).exp();
            full += w * (solved[k].fall + traits.end);
            full_var += w * solved[k].fall_var;
            ohms += w * solved[k].ohms;
            ohms_var += w * solved[k].ohms_var;
            total += w;
        }
        next.full = (full / total) as f32;
        next.full_sd = (full_var / total).sqrt() as f32;
        // Less than nothing is noise.
        next.ohms = (ohms / total).max(0.1 * f64::from(self.ohms)) as f32;
        next.ohms_sd = (ohms_var / total).sqrt() as f32;
        next
    }

    fn log_likelihood(&self, traits: &Traits, knee: Knee, ln_ah: f64, mean: f64, sd: f64, seen: &[Seen]) -> f64 {
        let solved = self.solve(traits, knee, ln_ah, seen);
        let place = traits.usual_place(seen.last(), ln_ah, &solved);
        solved.log_likelihood - 0.5 * ((ln_ah - mean) / sd).powi(2) + place
    }

    /// With the shape and the capacity given, the fall from full and the ohms are linear unknowns.
    fn solve(&self, traits: &Traits, knee: Knee, ln_ah: f64, seen: &[Seen]) -> Solved {
        let per_ah = (-ln_ah).exp();
        let (fall, ohms) = (self.full_volts() - traits.end, f64::from(self.ohms));
        let (fall_sure, ohms_sure) = (f64::from(self.full_sd).powi(-2), f64::from(self.ohms_sd).powi(-2));
        let (mut hh, mut hd, mut dd) = (fall_sure, 0.0, ohms_sure);
        let (mut hy, mut dy) = (fall_sure * fall, ohms_sure * ohms);
        let mut yy = fall_sure * fall * fall + ohms_sure * ohms * ohms;
        for s in seen {
            let (h, d) = (Traits::left(knee, s.drawn_ah * per_ah), -s.more_amps);
            let y = s.volts - traits.end;
            let w = 1.0 / (s.sd * s.sd);
            hh += w * h * h;
            hd += w * h * d;
            dd += w * d * d;
            hy += w * h * y;
            dy += w * d * y;
            yy += w * y * y;
        }
        // Positive: both diagonal terms hold a prior.
        let det = hh * dd - hd * hd;
        let (fall, ohms) = ((dd * hy - hd * dy) / det, (hh * dy - hd * hy) / det);
        Solved {
            log_likelihood: -0.5 * (yy - fall * hy - ohms * dy) - 0.5 * (det / (fall_sure * ohms_sure)).ln(),
            fall,
            fall_var: dd / det,
            ohms,
            ohms_var: hh / det,
        }
    }
}

/// The linear part of a fit.
#[derive(Debug, Clone, Copy, Default)]
struct Solved {
    /// Integrated over the fall and the ohms.
    log_likelihood: f64,
    fall: f64,
    fall_var: f64,
    ohms: f64,
    ohms_var: f64,
}

/// Mean and spread of a posterior over a grid.
struct Moments {
    mean: f64,
    sd: f64,
    best: f64,
    /// Log of the integral.
    log_sum: f64,
}

impl Moments {
    fn of(centre: f64, step: f64, arm: i32, log_density: impl Fn(f64) -> f64) -> Moments {
        let mut values = [(0.0, 0.0); 11];
        let count = (2 * arm + 1) as usize;
        let mut top = (f64::NEG_INFINITY, centre);
        for (i, slot) in values.iter_mut().take(count).enumerate() {
            let x = centre + step * (i as f64 - f64::from(arm));
            let l = log_density(x);
            *slot = (x, l);
            if l > top.0 {
                top = (l, x);
            }
        }
        let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
        for (x, l) in values.iter().take(count) {
            let p = (l - top.0).exp();
            sum += p;
            first += p * (x - centre);
            second += p * (x - centre).powi(2);
        }
        let mean = first / sum;
        let var = (second / sum - mean * mean).max(0.0) + step * step / 12.0;
        Moments { mean: centre + mean, sd: var.sqrt(), best: top.1, log_sum: top.0 + (sum * step).ln() }
    }
}
