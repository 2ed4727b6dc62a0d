//! What is kept for those who look back: the words that a time series database gets beside the messages themselves.
//! Never decides.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::component::{Component, words};
use super::ids::GroupName;
use super::time::Timestamp;
use super::view::UnitRow;

words!(
    /// Where a point is kept, and so for how long. Each is a bucket of its own, named `<database>/<word>`.
    Bucket {
        /// What units measure and how they stand: many points, 30 days.
        Raw = "raw",
        /// What happened: tests, presses, alerts, orders, incidents. Few points, 2 years.
        Events = "events",
    }
);

/// What is known beside a message itself when it has been judged.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heard {
    /// When its readings were taken.
    pub at: Timestamp,
    pub loss_pct: Option<f64>,
    /// Our time of receipt minus the unit's own, in seconds.
    pub skew_s: Option<f64>,
    /// None: the message waited in the unit's buffer, and what is known now is not what was then.
    pub power: Option<PowerEstimate>,
    /// One for each result of a self-test that has a leading figure.
    pub leading: Vec<Leading>,
}

/// What Buttonwatch works out of a unit's power.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PowerEstimate {
    pub runtime_h: Option<f64>,
    pub margin_h: Option<f64>,
    pub health_pct: Option<f64>,
    pub charge_pct: Option<f64>,
    /// The longest usual cut of its feeder.
    pub longest_cut_h: Option<f64>,
}

/// What a test's leading figure is held against, in the figure's own unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leading {
    pub component: Component,
    pub baseline: Option<f64>,
    pub limit: Option<f64>,
}

/// How one unit stands, with what its tests are due by.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitStatus {
    pub row: UnitRow,
    /// Hours since the last self-test.
    pub selftest_h: Option<f64>,
    /// Hours since the last test press that the control room answered.
    pub drill_h: Option<f64>,
    /// None: no rule asks for test presses.
    pub drill_every_h: Option<f64>,
}

/// For how much of each hour of the week a feeder has no mains.
#[derive(Debug, Clone, PartialEq)]
pub struct FeederWeek {
    pub feeder: GroupName,
    /// Any moment of the hour, and the percent of it. Hours that nobody watched are left out.
    pub hours: Vec<(Timestamp, f64)>,
}
