//! One battery and its charger: volts, amperes and charge over time. Never decides what the unit does about them.
//!
//! Sources. Lead-acid: makers' curves for 12 V AGM standby batteries (Yuasa NP7-12 and NP17-12: 25 mΩ at 7 Ah when full,
//! capacity at 20 h, 102 % at 40 °C, 85 % at 0 °C, discharge at 0.1 C from 12.7 V over 12.2 V half way to 11.1 V with a
//! knee after it). LiFePO4: the flat curve of four 3.2 V cells. DESIGN §5's limits (12.0, 11.6 at 20 %, 11.1, 13.8) are
//! met by these curves at the load of a unit.

/// What stores the energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chemistry {
    /// 12 V valve-regulated lead-acid.
    Lead,
    /// Four LiFePO4 cells in series.
    Lithium,
}

/// Open-circuit volts against state of charge.
const LEAD_REST: [(f64, f64); 10] = [
    (0.0, 10.9),
    (0.02, 11.3),
    (0.05, 11.5),
    (0.1, 11.64),
    (0.2, 11.82),
    (0.4, 12.10),
    (0.6, 12.36),
    (0.8, 12.60),
    (0.95, 12.80),
    (1.0, 12.88),
];
const LITHIUM_REST: [(f64, f64); 10] = [
    (0.0, 10.0),
    (0.02, 11.0),
    (0.05, 11.9),
    (0.1, 12.55),
    (0.2, 12.85),
    (0.4, 13.05),
    (0.6, 13.15),
    (0.8, 13.24),
    (0.95, 13.32),
    (1.0, 13.5),
];

fn along(curve: &[(f64, f64)], x: f64) -> f64 {
    let i = curve.iter().position(|(cx, _)| x <= *cx).unwrap_or(curve.len() - 1).max(1);
    let ((x0, y0), (x1, y1)) = (curve[i - 1], curve[i]);
    y0 + (y1 - y0) * ((x.clamp(curve[0].0, curve[curve.len() - 1].0) - x0) / (x1 - x0))
}

impl Chemistry {
    fn rest_volts(self, charge: f64) -> f64 {
        match self {
            Chemistry::Lead => along(&LEAD_REST, charge),
            Chemistry::Lithium => along(&LITHIUM_REST, charge),
        }
    }
    /// Below this the unit's protection opens: 1.85 V a cell for lead; 2.6 V a cell, the protection board's, for lithium.
    pub(super) fn disconnect_volts(self) -> f64 {
        match self {
            Chemistry::Lead => 11.1,
            Chemistry::Lithium => 10.4,
        }
    }
    fn absorption_volts(self) -> f64 {
        match self {
            Chemistry::Lead => 14.4,
            Chemistry::Lithium => 14.2,
        }
    }
    fn float_volts(self) -> f64 {
        match self {
            Chemistry::Lead => 13.8,
            Chemistry::Lithium => 13.6,
        }
    }
    /// Peukert's exponent. AGM is 1.05–1.25 in makers' tables; lithium hardly cares.
    fn peukert(self) -> f64 {
        match self {
            Chemistry::Lead => 1.2,
            Chemistry::Lithium => 1.02,
        }
    }
    /// Part of the charge current that is kept.
    fn efficiency(self) -> f64 {
        match self {
            Chemistry::Lead => 0.94,
            Chemistry::Lithium => 0.99,
        }
    }
    /// Hours: how fast the last part fills once the charger holds its voltage.
    fn taper_hours(self) -> f64 {
        match self {
            Chemistry::Lead => 1.3,
            Chemistry::Lithium => 0.25,
        }
    }
    /// Ohms of a new one-ampere-hour battery with its slow polarisation: what a load of minutes sees, not of microseconds.
    fn ohm_hours(self) -> f64 {
        match self {
            Chemistry::Lead => 1.1,
            Chemistry::Lithium => 0.45,
        }
    }
}

/// What the wires around the battery do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Flow {
    /// The charger feeds the unit and has up to so many amperes to spare.
    Charging { amps: f64 },
    /// The unit lives on the battery.
    Discharging { watts: f64 },
    /// Neither: a dead charger whose supply still feeds the unit, or a unit that has switched off.
    Resting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Filling,
    Float,
}

#[derive(Debug, Clone)]
pub(super) struct Battery {
    pub(super) chemistry: Chemistry,
    rated_ah: f64,
    /// Capacity now, as a part of the rated: 1.0 new, 0.6 at the end of its life.
    health: f64,
    /// 0–1 of the present capacity.
    charge: f64,
    /// Volts above rest that charging leaves behind and the first minutes of a cut take away.
    surface: f64,
    stage: Stage,
    /// Measured at the end of the last step.
    volts: f64,
    amps: f64,
}

/// Steps are cut to this: the curves are smooth over a minute.
const STEP_S: f64 = 60.0;
/// The first minutes of a cut fall from float to rest.
const SURFACE_S: f64 = 240.0;

impl Battery {
    /// Fully charged.
    pub(super) fn new(chemistry: Chemistry, rated_ah: f64, health: f64) -> Self {
        let volts = chemistry.float_volts();
        let surface = volts - chemistry.rest_volts(1.0);
        Battery { chemistry, rated_ah, health, charge: 1.0, surface, stage: Stage::Float, volts, amps: 0.0 }
    }

    pub(super) fn volts(&self) -> f64 {
        self.volts
    }
    /// Negative: discharging.
    pub(super) fn amps(&self) -> f64 {
        self.amps
    }
    pub(super) fn charge(&self) -> f64 {
        self.charge
    }
    pub(super) fn health(&self) -> f64 {
        self.health
    }
    pub(super) fn rated_ah(&self) -> f64 {
        self.rated_ah
    }

    /// What it can still give of what it could when new. A full battery that lost capacity is still full.
    pub(super) fn set_health(&mut self, health: f64) {
        self.health = health.clamp(0.001, 1.2);
    }
    pub(super) fn set_charge(&mut self, charge: f64) {
        self.charge = charge.clamp(0.0, 1.0);
        self.surface = 0.0;
        self.stage = Stage::Filling;
        self.volts = self.chemistry.rest_volts(self.charge);
    }

    /// 0.6 % a degree below 25 °C, a third of that above (NP7-12: 85 % at 0 °C, 102 % at 40 °C).
    fn capacity_ah(&self, celsius: f64) -> f64 {
        let below = (25.0 - celsius).max(0.0);
        let above = (celsius - 25.0).clamp(0.0, 15.0);
        self.rated_ah * self.health * (1.0 - 0.006 * below.min(45.0) + 0.0015 * above)
    }

    /// Rises as the battery empties (few reactants left) and as it ages (a battery at 60 % has about twice the ohms).
    fn ohms(&self, celsius: f64) -> f64 {
        let emptiness = 1.0 + 0.9 * (1.0 - self.charge) + 0.035 / (self.charge + 0.035);
        // A battery of 1 % health is a bad battery, not a small one: its plates are as large as ever.
        let age = 1.0 + 2.5 * (1.0 - self.health).clamp(0.0, 1.0);
        let cold = 1.0 + 0.01 * (25.0 - celsius).clamp(0.0, 40.0);
        self.chemistry.ohm_hours() / self.rated_ah * emptiness * age * cold
    }

    /// False: on the way the voltage fell to the disconnect voltage, and there the step stopped.
    pub(super) fn step(&mut self, seconds: f64, celsius: f64, flow: Flow) -> bool {
        let mut left = seconds;
        // A full battery at float does not change.
        if matches!(flow, Flow::Charging { .. }) && self.stage == Stage::Float && self.charge > 0.999 {
            self.float();
            return true;
        }
        loop {
            let dt = left.clamp(0.0, STEP_S);
            match flow {
                Flow::Charging { amps } => self.charge_for(dt, amps.max(0.0), celsius),
                Flow::Discharging { watts } => {
                    self.discharge_for(dt, watts.max(0.0), celsius);
                    if self.volts <= self.chemistry.disconnect_volts() {
                        return false;
                    }
                }
                Flow::Resting => {
                    self.relax(dt);
                    self.stage = Stage::Filling;
                    self.amps = 0.0;
                    self.volts = self.chemistry.rest_volts(self.charge) + self.surface;
                }
            }
            left -= dt;
            if left <= 0.0 {
                return true;
            }
        }
    }

    fn relax(&mut self, dt: f64) {
        self.surface *= (-dt / SURFACE_S).exp();
    }

    fn float(&mut self) {
        self.volts = self.chemistry.float_volts();
        self.surface = self.volts - self.chemistry.rest_volts(self.charge);
        // Float current of AGM at 25 °C: about 1 mA per ampere-hour.
        self.amps = 0.001 * self.rated_ah;
    }

    fn discharge_for(&mut self, dt: f64, watts: f64, celsius: f64) {
        self.stage = Stage::Filling;
        self.relax(dt);
        let ohms = self.ohms(celsius);
        // The unit draws constant power: solve v·(e − v)/r = w for v. Past the peak the battery cannot feed it at all.
        let rest = self.chemistry.rest_volts(self.charge) + self.surface;
        let root = (rest * rest - 4.0 * ohms * watts).max(0.0).sqrt();
        self.volts = 0.5 * (rest + root);
        let amps = if self.volts > 0.0 { watts / self.volts } else { 0.0 };
        self.amps = -amps;
        let twenty_hour = self.rated_ah / 20.0;
        let costs = amps * (amps / twenty_hour).max(1.0).powf(self.chemistry.peukert() - 1.0);
        self.charge = (self.charge - costs * dt / 3600.0 / self.capacity_ah(celsius)).max(0.0);
    }

    /// Constant current until the battery takes less than the charger could give, then constant voltage and a tapering
    /// current, then float.
    fn charge_for(&mut self, dt: f64, available: f64, celsius: f64) {
        let capacity = self.capacity_ah(celsius);
        if self.stage == Stage::Float {
            self.charge = (self.charge + 0.01 * dt / 3600.0).min(1.0);
            self.float();
            return;
        }
        let wants = capacity * (1.0 - self.charge) / self.chemistry.taper_hours();
        // A quarter of the capacity is the makers' limit of the charge current.
        let limit = available.min(0.25 * self.rated_ah);
        let amps = wants.min(limit);
        let rest = self.chemistry.rest_volts(self.charge);
        let top = self.chemistry.absorption_volts();
        self.volts = if wants > limit {
            let low = (rest + 0.35).min(top);
            low + (top - low) * (limit / wants).powi(2)
        } else {
            top
        };
        self.amps = amps;
        self.surface = (self.chemistry.float_volts() - rest).max(0.0) * (amps / (0.05 * self.rated_ah)).min(1.0);
        self.charge = (self.charge + amps * self.chemistry.efficiency() * dt / 3600.0 / capacity).min(1.0);
        // A fiftieth of the capacity: the makers' end of charge.
        if amps < 0.02 * capacity && available > 0.0 && wants <= limit {
            self.charge = self.charge.max(0.97);
            self.stage = Stage::Float;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hours from full to disconnect, and every minute's volts.
    fn discharge(mut battery: Battery, watts: f64, celsius: f64) -> (f64, Vec<f64>) {
        let mut volts = Vec::new();
        while battery.step(60.0, celsius, Flow::Discharging { watts }) {
            volts.push(battery.volts());
            assert!(volts.len() < 10_000);
        }
        (volts.len() as f64 / 60.0, volts)
    }

    #[test]
    fn seven_ampere_hours_carry_eight_watts_for_a_working_day() {
        let (hours, _) = discharge(Battery::new(Chemistry::Lead, 7.0, 1.0), 8.0, 25.0);
        assert!((8.0..9.2).contains(&hours), "{hours} h");
        let (double, _) = discharge(Battery::new(Chemistry::Lead, 7.0, 1.0), 16.0, 25.0);
        assert!(double < hours / 2.0, "Peukert: {double} h at twice the load, {hours} h at the load");
        let (eighteen, _) = discharge(Battery::new(Chemistry::Lead, 18.0, 1.0), 8.0, 25.0);
        assert!((22.0..28.0).contains(&eighteen), "{eighteen} h");
        let (lithium, _) = discharge(Battery::new(Chemistry::Lithium, 10.0, 1.0), 8.0, 25.0);
        assert!((14.0..17.5).contains(&lithium), "{lithium} h");
    }

    #[test]
    fn volts_only_fall_and_meet_the_reference_limits_on_the_way() {
        for chemistry in [Chemistry::Lead, Chemistry::Lithium] {
            for (ah, health, watts, celsius) in [(7.0, 1.0, 8.0, 25.0), (7.0, 0.5, 6.0, 5.0), (18.0, 0.8, 12.0, 40.0)] {
                let (_, volts) = discharge(Battery::new(chemistry, ah, health), watts, celsius);
                assert!(volts.windows(2).all(|w| w[1] <= w[0] + 1e-9), "{chemistry:?} {ah} {health}");
            }
        }
        let mut battery = Battery::new(Chemistry::Lead, 7.0, 1.0);
        let mut at_twenty_percent = None;
        while battery.step(60.0, 25.0, Flow::Discharging { watts: 8.0 }) {
            if battery.charge() <= 0.2 && at_twenty_percent.is_none() {
                at_twenty_percent = Some(battery.volts());
            }
        }
        let volts = at_twenty_percent.expect("it passed 20 %");
        assert!((11.5..11.75).contains(&volts), "{volts} V at 20 %: DESIGN says 11.6");
    }

    #[test]
    fn cold_and_age_shorten_the_runtime() {
        let hours = |health, celsius| discharge(Battery::new(Chemistry::Lead, 7.0, health), 8.0, celsius).0;
        assert!(hours(1.0, 0.0) < 0.92 * hours(1.0, 25.0));
        assert!(hours(0.6, 25.0) < 0.6 * hours(1.0, 25.0));
        assert!(hours(0.05, 25.0) > 0.0);
    }

    #[test]
    fn charging_goes_through_its_stages_to_float() {
        let mut battery = Battery::new(Chemistry::Lead, 7.0, 1.0);
        battery.set_charge(0.3);
        let (mut minutes, mut peak, mut last_charge) = (0, 0.0_f64, 0.0);
        while battery.stage != Stage::Float {
            battery.step(60.0, 25.0, Flow::Charging { amps: 1.2 });
            assert!(battery.charge() >= last_charge && battery.amps() >= 0.0);
            last_charge = battery.charge();
            peak = peak.max(battery.volts());
            minutes += 1;
            assert!(minutes < 3000);
        }
        assert!((14.3..14.5).contains(&peak), "{peak}");
        assert!((5 * 60..14 * 60).contains(&minutes), "{minutes} min from 30 %");
        battery.step(3600.0 * 8.0, 25.0, Flow::Charging { amps: 1.2 });
        assert!((13.7..13.9).contains(&battery.volts()), "{}", battery.volts());
    }

    #[test]
    fn a_cut_first_takes_the_surface_charge() {
        let mut battery = Battery::new(Chemistry::Lead, 7.0, 1.0);
        battery.step(1.0, 25.0, Flow::Discharging { watts: 8.0 });
        assert!(battery.volts() > 13.2, "{}", battery.volts());
        battery.step(20.0 * 60.0, 25.0, Flow::Discharging { watts: 8.0 });
        assert!((12.4..12.9).contains(&battery.volts()), "{}", battery.volts());
    }

    #[test]
    fn a_step_gives_the_same_however_it_is_cut() {
        let (mut once, mut often) = (Battery::new(Chemistry::Lead, 7.0, 1.0), Battery::new(Chemistry::Lead, 7.0, 1.0));
        once.step(3600.0, 25.0, Flow::Discharging { watts: 8.0 });
        for _ in 0..600 {
            often.step(6.0, 25.0, Flow::Discharging { watts: 8.0 });
        }
        assert!((once.volts() - often.volts()).abs() < 0.02, "{} {}", once.volts(), often.volts());
    }
}
