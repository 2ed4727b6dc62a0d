//! What other programs make of what this one tells: Prometheus, Alertmanager, dashboards, deployment.

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "../servers/alertmanager.rs"]
mod alertmanager;
mod dashboards;
mod deploy;
#[path = "../servers/influxdb.rs"]
mod influxdb;
#[path = "../servers/mosquitto.rs"]
mod mosquitto;
#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "../service/process.rs"]
mod process;
#[path = "../servers/program.rs"]
mod program;
#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "../servers/prometheus.rs"]
mod prometheus;
mod pushed;
mod scraped;
