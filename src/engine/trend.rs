use crate::domain::Timestamp;
use crate::domain::rule::Side;
use serde::{Deserialize, Serialize};
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Series;
pub struct Forecast {
    pub at: Timestamp,
    pub earliest: Timestamp,
    pub latest: Timestamp,
    pub confidence_pct: u8,
    pub level: f64,
}
impl Series {
    pub fn over(_w: std::time::Duration) -> Self {
        Series
    }
    pub fn push(&mut self, _at: Timestamp, _v: f64) {}
    pub fn slope(&self, _w: std::time::Duration, _now: Timestamp) -> Option<f64> {
        None
    }
    pub fn forecast(&self, _l: f64, _s: Side, _now: Timestamp) -> Option<Forecast> {
        None
    }
}
