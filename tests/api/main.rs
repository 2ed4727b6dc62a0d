//! The HTTP API and the command line that asks it.

mod cli;
#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "../fake_service/mod.rs"]
mod fake_service;
mod http_api;
mod terminal;
