//! The listener for units: MQTT 3.1.1, identity, own-topic ACL, PUBACK after commit.
