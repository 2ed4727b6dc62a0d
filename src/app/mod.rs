//! The clock, the daemon loop, replay, simulator, demo, doctor. Layer 3.

pub mod arguments;
pub mod backtest;
pub mod backup;
pub mod clock;
pub mod daemon;
pub mod demo;
pub mod doctor;
pub mod fleet_file;
pub mod historian;
pub mod init;
pub mod preview;
pub mod replay;
pub mod rule_test;
pub mod serve;
pub mod simulate;
pub mod whole_file;
