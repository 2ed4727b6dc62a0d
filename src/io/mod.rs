//! Sockets, files, databases. Layer 2: never the engine, never each other.
pub mod alertmanager;
pub mod bus;
pub mod gateway;
pub mod http;
pub mod influx;
pub mod mqtt;
pub mod smtp;
pub mod store;
