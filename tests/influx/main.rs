//! History on its way into InfluxDB, and back.

mod history;
#[path = "../servers/influx_front.rs"]
mod influx_front;
#[path = "../servers/influxdb.rs"]
mod influxdb;
#[path = "../servers/mosquitto.rs"]
mod mosquitto;
#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "../service/process.rs"]
mod process;
#[path = "../servers/program.rs"]
mod program;
mod setup;
mod sink;
#[path = "../servers/victoria.rs"]
mod victoria;
