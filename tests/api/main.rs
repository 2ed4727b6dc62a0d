//! The HTTP API and the command line that asks it.

mod cli;
#[path = "../fake_service/mod.rs"]
mod fake_service;
mod http_api;
mod terminal;
