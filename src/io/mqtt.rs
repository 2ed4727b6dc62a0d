//! An external broker, by rumqttc: manual acks after commit.
