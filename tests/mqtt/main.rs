//! Both ways in for units, and the observers' bus.

mod bus;
mod external;
mod gateway;
#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "../servers/mosquitto.rs"]
mod mosquitto;
