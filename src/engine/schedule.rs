use crate::domain::Timestamp;
use serde::{Deserialize, Serialize};
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Schedule;
pub struct Expectation {
    pub expected: std::time::Duration,
}
impl Schedule {
    pub fn cut_began(&mut self, _at: Timestamp) {}
    pub fn cut_ended(&mut self, _at: Timestamp) {}
    pub fn heard(&mut self, _at: Timestamp) {}
    pub fn lost(&mut self, _at: Timestamp) {}
    pub fn expected_left(&self, _now: Timestamp, _b: Timestamp) -> Option<Expectation> {
        None
    }
}
