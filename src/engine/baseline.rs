use crate::domain::message::CameraMode;
use crate::domain::{Component, Metric, Timestamp};
use serde::{Deserialize, Serialize};
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Baselines;
impl Baselines {
    pub fn baseline(&self, _m: Metric, _mode: Option<CameraMode>) -> Option<f64> {
        None
    }
    pub fn learn(&mut self, _m: Metric, _mode: Option<CameraMode>, _v: f64, _at: Timestamp) {}
    pub fn reset(&mut self, _c: Option<Component>) {}
}
