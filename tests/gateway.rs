//! The gateway as units meet it: real sockets, rumqttc and mosquitto_pub as units, and a daemon that commits or withholds.

#[path = "gateway/house.rs"]
mod house;

#[path = "gateway/abuse.rs"]
mod abuse;
#[path = "gateway/acks.rs"]
mod acks;
#[path = "gateway/commands.rs"]
mod commands;
#[path = "gateway/figures.rs"]
mod figures;
#[path = "gateway/identity.rs"]
mod identity;
#[path = "gateway/life.rs"]
mod life;
#[path = "gateway/mosquitto.rs"]
mod mosquitto;
#[path = "gateway/start.rs"]
mod start;
