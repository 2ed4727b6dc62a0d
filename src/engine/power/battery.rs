use crate::domain::Timestamp;
use serde::{Deserialize, Serialize};
#[derive(Debug, Clone, Copy)]
pub struct PowerSample {
    pub at: Timestamp,
    pub mains: Option<bool>,
    pub volts: Option<f64>,
    pub amps: Option<f64>,
    pub celsius: Option<f64>,
    pub load_w: Option<f64>,
    pub charge_pct: Option<f64>,
}
#[derive(Debug, Clone, Copy, Default)]
pub struct Changed {
    pub start_measured: bool,
    pub health_updated: bool,
}
#[derive(Debug, Clone, Copy)]
pub enum Chemistry {
    Lead,
    Lithium,
}
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Battery {
    mains: Option<bool>,
    began: Option<Timestamp>,
}
impl Battery {
    pub fn take(&mut self, s: &PowerSample, _c: Option<Chemistry>) -> Changed {
        if s.mains.is_some() {
            if s.mains == Some(false) && self.mains != Some(false) {
                self.began = Some(s.at)
            }
            if s.mains == Some(true) {
                self.began = None
            }
            self.mains = s.mains;
        }
        Changed::default()
    }
    pub fn on_battery(&self) -> Option<bool> {
        self.mains.map(|m| !m)
    }
    pub fn cut_began(&self) -> Option<Timestamp> {
        self.began
    }
    pub fn no_charge_since(&self) -> Option<Timestamp> {
        None
    }
    pub fn is_nearly_empty(&self, _at: Timestamp) -> bool {
        false
    }
    pub fn runtime_h(&self) -> Option<f64> {
        None
    }
    pub fn charge_pct(&self) -> Option<f64> {
        None
    }
    pub fn start_charge_pct(&self) -> Option<f64> {
        None
    }
    pub fn health_pct(&self) -> Option<f64> {
        None
    }
    pub fn forget_capacity(&mut self) {}
}
