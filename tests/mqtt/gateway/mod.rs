//! The gateway as units meet it: real sockets, rumqttc and mosquitto_pub as units, and a daemon that commits or withholds.

mod house;

mod abuse;
mod acks;
mod commands;
mod figures;
mod identity;
mod life;
mod mosquitto;
mod start;
