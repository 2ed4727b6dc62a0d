//! A fleet of simulated units, each its own MQTT client.
