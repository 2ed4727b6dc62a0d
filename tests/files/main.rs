//! What stands in files: rules, fleets, settings, recordings, messages; and the house itself.

mod config_errors;
mod recordings;
mod replay;
mod rule_tests;
mod schemas;
mod tidy;
mod wire;
