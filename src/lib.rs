//! Buttonwatch keeps emergency buttons alive.

pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod io;
pub mod render;
pub mod wire;
