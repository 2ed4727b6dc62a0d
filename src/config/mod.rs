//! `buttonwatch.toml`, `alerts.toml`, `fleet.csv` → checked values, or every problem at once. Layer 1.
pub mod alerts;
pub mod fleet;
pub mod problem;
pub mod service;
