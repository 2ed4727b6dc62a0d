//! Why the broker is not heard, in words for the operator. Never decides.

use std::io;

use rumqttc::{ConnectReturnCode, ConnectionError, StateError, TlsError};

use super::config::ExternalConfig;

/// What happened, and who can mend it and how.
pub(super) fn explain(error: &ConnectionError, config: &ExternalConfig) -> String {
    let at = config.address();
    match error {
        ConnectionError::ConnectionRefused(code) => refused(*code, config),
        ConnectionError::Io(e) | ConnectionError::MqttState(StateError::Io(e)) => broken(e, config),
        ConnectionError::Tls(TlsError::Io(e)) if e.kind() == io::ErrorKind::InvalidData => format!(
            "TLS with the MQTT broker at {at} failed: {e}; check the CA file, and that the certificate bears the name {}",
            config.host
        ),
        ConnectionError::Tls(e) => {
            format!("TLS with the MQTT broker at {at} failed: {e}; check that its port speaks TLS")
        }
        ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => {
            format!("the MQTT broker at {at} does not answer; check that it runs and that the network lets us through")
        }
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            format!(
                "the MQTT broker at {at} closed the connection; if this goes on, look for another program with client id {:?}",
                config.client_id
            )
        }
        ConnectionError::MqttState(StateError::AwaitPingResp) => {
            format!(
                "the MQTT broker at {at} stopped answering; check that it runs and that the network lets us through"
            )
        }
        ConnectionError::MqttState(StateError::Unsolicited(_)) => format!(
            "the MQTT broker at {at} goes on with a session that is not ours; give Buttonwatch a client id of its own \
             (now {:?})",
            config.client_id
        ),
        other @ (ConnectionError::MqttState(_) | ConnectionError::NotConnAck(_) | ConnectionError::RequestsDone) => {
            format!("the MQTT broker at {at} said something unexpected: {other}; check that the port speaks MQTT 3.1.1")
        }
    }
}

fn refused(code: ConnectReturnCode, config: &ExternalConfig) -> String {
    let at = config.address();
    match code {
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => match &config.credentials {
            Some((user, _)) => {
                format!("the MQTT broker at {at} refused user {user:?}; check the user name and password")
            }
            None => format!("the MQTT broker at {at} refused us without a login; give a user name and password"),
        },
        ConnectReturnCode::BadClientId => {
            format!("the MQTT broker at {at} refused client id {:?}; choose another", config.client_id)
        }
        ConnectReturnCode::RefusedProtocolVersion => {
            format!("the MQTT broker at {at} does not take MQTT 3.1.1; allow it in the broker's settings")
        }
        ConnectReturnCode::ServiceUnavailable => {
            format!("the MQTT broker at {at} says that it is unavailable; look into the broker's log")
        }
        // The codec returns this only as a success, which never gets here.
        ConnectReturnCode::Success => format!("the MQTT broker at {at} accepted and refused at once"),
    }
}

fn broken(e: &io::Error, config: &ExternalConfig) -> String {
    let at = config.address();
    match e.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("nothing listens at {at}; start the MQTT broker, or correct its address")
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
            format!(
                "the MQTT broker at {at} broke the connection off ({e}); if this goes on, look into the broker's log"
            )
        }
        _ => format!("the MQTT broker at {at} cannot be reached: {e}; check its address and the network"),
    }
}
