//! Seeded randomness of the simulated world. Never reads the system's: one seed, one history.
//!
//! Two forms: [`Chance`], a stream that is drawn from in order (SplitMix64, public domain, Steele et al. 2014), and
//! [`hash`], a value at a place (a day's weather, a feeder's cut) that is the same whoever asks first.

/// SplitMix64's finaliser: every input bit reaches every output bit.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// 53 bits: what an `f64` holds.
fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// A value in 0–1 that depends on nothing but its arguments.
pub(super) fn hash(seed: u64, what: u64, at: i64) -> f64 {
    fraction(mix(mix(mix(seed.wrapping_add(GOLDEN)) ^ what.wrapping_mul(GOLDEN)).wrapping_add(at as u64)))
}

/// −1 to 1, changing smoothly: a fresh value every `step`, cosine-free interpolation in between. For slow fading.
pub(super) fn drift(seed: u64, what: u64, at: i64, step: i64) -> f64 {
    let knot = at.div_euclid(step);
    let x = at.rem_euclid(step) as f64 / step as f64;
    let smooth = x * x * (3.0 - 2.0 * x);
    let (a, b) = (hash(seed, what, knot), hash(seed, what, knot + 1));
    (a + (b - a) * smooth) * 2.0 - 1.0
}

/// A name's number, the same on every machine (FNV-1a).
pub(super) fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

#[derive(Debug, Clone)]
pub(super) struct Chance {
    state: u64,
}

impl Chance {
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        Chance { state: mix(seed ^ mix(stream.wrapping_add(GOLDEN))) }
    }
    pub(super) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }
    /// 0 ≤ x < 1.
    pub(super) fn unit(&mut self) -> f64 {
        fraction(self.bits())
    }
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
    pub(super) fn millis(&mut self, low: i64, high: i64) -> i64 {
        if high <= low { low } else { low + (self.bits() % (high - low + 1) as u64) as i64 }
    }
    pub(super) fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { (self.bits() % n as u64) as usize }
    }
    pub(super) fn odds(&mut self, p: f64) -> bool {
        self.unit() < p
    }
    /// Mean 0, deviation 1, never past ±3.46: a sum of four, so that a healthy unit has no freak reading.
    pub(super) fn normal(&mut self) -> f64 {
        let sum: f64 = (0..4).map(|_| self.unit()).sum();
        (sum - 2.0) * 1.732_050_8
    }
    /// Time to the next of random events that come `mean` apart.
    pub(super) fn wait(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_history_and_another_seed_another() {
        let draw = |seed| {
            let mut c = Chance::new(seed, 1);
            (0..32).map(|_| c.bits()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn draws_are_even_and_centred() {
        let mut c = Chance::new(1, 2);
        let n = 20_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..n {
            let x = c.normal();
            sum += x;
            squares += x * x;
        }
        assert!((sum / f64::from(n)).abs() < 0.03);
        assert!((squares / f64::from(n) - 1.0).abs() < 0.05);
        let mean: f64 = (0..n).map(|i| hash(3, 4, i64::from(i))).sum::<f64>() / f64::from(n);
        assert!((mean - 0.5).abs() < 0.02);
    }
}
