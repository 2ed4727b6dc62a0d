//! Both ways in for units, and the observers' bus.

mod bus;
mod external;
mod gateway;
#[path = "../servers/mosquitto.rs"]
mod mosquitto;
#[path = "../servers/program.rs"]
mod program;
