//! For `doctor`: whether the external broker lets us in and grants the topics. Never with the service's own client id: that
//! would throw a running service out.

use std::time::Duration;

use rumqttc::{AsyncClient, Event, Packet, QoS, SubscribeReasonCode};

use super::config::ExternalConfig;
use super::reason::explain;

/// Longer than any healthy broker takes for a connection and a subscription.
const WITHIN: Duration = Duration::from_secs(8);

/// Ok: what can be said of it. Err: what is wrong and who can mend it.
pub async fn knock(mut config: ExternalConfig) -> Result<String, String> {
    let address = config.address();
    config.client_id = format!("{}-doctor-{}", config.client_id, std::process::id());
    let topic = format!("{}/#", config.root);
    let mut options = config.options().map_err(|e| e.to_string())?;
    // It leaves nothing behind at the broker.
    options.set_clean_session(true);
    let (client, mut events) = AsyncClient::new(options, 8);
    let talk = async {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    let asked = client.try_subscribe(topic.as_str(), QoS::AtLeastOnce);
                    asked.map_err(|e| format!("{address}: {e}"))?;
                }
                Ok(Event::Incoming(Packet::SubAck(granted))) => {
                    let refused = granted.return_codes.contains(&SubscribeReasonCode::Failure);
                    return match refused {
                        true => Err(format!(
                            "{address} lets us in, but not read {topic}; allow it to our user at the broker"
                        )),
                        false => Ok(format!("{address} lets us in, and read {topic}")),
                    };
                }
                Ok(Event::Incoming(_) | Event::Outgoing(_)) => {}
                Err(e) => return Err(explain(&e, &config)),
            }
        }
    };
    match tokio::time::timeout(WITHIN, talk).await {
        Ok(said) => said,
        Err(_) => {
            Err(format!("{address} does not finish within {} s; check the broker and the network", WITHIN.as_secs()))
        }
    }
}
