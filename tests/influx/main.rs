//! History on its way into InfluxDB, and back.

mod history;
#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "../servers/influx_front.rs"]
mod influx_front;
#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "../servers/influxdb.rs"]
mod influxdb;
#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "../servers/mosquitto.rs"]
mod mosquitto;
#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "../service/process.rs"]
mod process;
mod setup;
mod sink;
#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "../servers/victoria.rs"]
mod victoria;
