//! MQTT topic + bytes ↔ domain, and recordings. Layer 1. Never judges, never does I/O.

pub mod decode;
mod fields;
pub mod ingest;
pub mod payload;
mod quick;
pub mod recording;
pub mod refusal;
mod scalar;
pub mod signature;
mod stamp;
mod usual;
