//! The observers' bus: rumqttd on a listener of its own, expendable.
