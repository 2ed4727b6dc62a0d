//! `buttonwatch.toml`, `alerts.toml`, `fleet.csv` → checked values, or every problem at once. Layer 1.
//!
//! Each check takes the file's name (for its messages) and its contents, and returns domain values or [`Problems`]:
//! all mistakes of the file, each with its line, what is wrong and what to write instead.
//! Never opens a file, never reads a clock, never panics on any input.

pub mod alerts;
mod document;
mod duration;
mod encoding;
pub mod fleet;
pub mod place;
pub mod problem;
pub mod query;
pub mod rule_test;
pub mod service;
pub mod spelling;

pub use alerts::{check_alerts, default_rules};
pub use duration::duration_text;
pub use encoding::read_text;
pub use fleet::{check_fleet, write_fleet};
pub use problem::{Problem, Problems};
pub use rule_test::{RuleTests, check_rule_tests};
pub use service::{ServiceConfig, check_service};
