//! Commands to units.

use buttonwatch::io::gateway::Undelivered;
use bytes::Bytes;
use rumqttc::mqttbytes::{QoS, v4};

use crate::gateway::house::*;

const LOCATE: Bytes = Bytes::from_static(b"{\"do\":\"locate\"}");

#[tokio::test]
async fn a_command_is_delivered_when_the_unit_has_acknowledged_it() {
    let house = House::open().await;
    let commands = house.gateway.commands();
    let psh1 = unit("PSH-001");
    assert_eq!(commands.send(&psh1, LOCATE).await, Err(Undelivered::Offline));
    let mut client = house.connect("PSH-001").await;
    assert_eq!(commands.send(&psh1, LOCATE).await, Err(Undelivered::NotSubscribed));
    client.send(subscribe(1, &[(&topic("PSH-001", "command"), QoS::AtLeastOnce)])).await;
    client.next().await;

    let sending = tokio::spawn({
        let (commands, psh1) = (commands.clone(), psh1.clone());
        async move { commands.send(&psh1, LOCATE).await }
    });
    let Some(v4::Packet::Publish(command)) = client.next().await else { panic!("no command came") };
    assert_eq!(
        (command.topic.as_str(), command.qos, &command.payload),
        ("buttonwatch/v1/PSH-001/command", QoS::AtLeastOnce, &LOCATE)
    );
    assert!(!sending.is_finished());
    client.send(puback(command.pkid)).await;
    assert_eq!(soon("the answer", sending).await.unwrap(), Ok(()));

    // A PUBACK for nothing harms nobody.
    client.send(puback(999)).await;
    client.ping().await;

    let mut unsubscribe = v4::Unsubscribe::new(topic("PSH-001", "command"));
    unsubscribe.pkid = 2;
    client.send(v4::Packet::Unsubscribe(unsubscribe)).await;
    client.expect(v4::Packet::UnsubAck(v4::UnsubAck { pkid: 2 })).await;
    assert_eq!(commands.send(&psh1, LOCATE).await, Err(Undelivered::NotSubscribed));
}

#[tokio::test]
async fn a_command_to_a_unit_that_goes_away_is_lost_and_says_so() {
    let house = House::open().await;
    let mut client = house.connect("PSH-001").await;
    client.send(subscribe(1, &[(&topic("PSH-001", "#"), QoS::ExactlyOnce)])).await;
    client.next().await;
    let commands = house.gateway.commands();
    let sending = tokio::spawn(async move { commands.send(&unit("PSH-001"), LOCATE).await });
    client.next().await;
    drop(client);
    assert_eq!(soon("the answer", sending).await.unwrap(), Err(Undelivered::Lost));
}

#[tokio::test]
async fn a_unit_that_never_acknowledges_commands_gets_no_more_of_them() {
    let house = House::open().await;
    let mut client = house.connect("PSH-001").await;
    client.send(subscribe(1, &[(&topic("PSH-001", "command"), QoS::AtLeastOnce)])).await;
    client.next().await;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let commands = house.gateway.commands();
        waiting.spawn(async move { commands.send(&unit("PSH-001"), LOCATE).await });
        client.next().await;
    }
    assert_eq!(house.gateway.commands().send(&unit("PSH-001"), LOCATE).await, Err(Undelivered::Busy));
    assert!(waiting.try_join_next().is_none());
}

#[tokio::test]
async fn a_unit_subscribed_with_qos_0_gets_commands_so() {
    let house = House::open().await;
    let mut client = house.connect("PSH-001").await;
    client.send(subscribe(1, &[(&topic("PSH-001", "command"), QoS::AtMostOnce)])).await;
    client.next().await;
    assert_eq!(house.gateway.commands().send(&unit("PSH-001"), LOCATE).await, Ok(()));
    let Some(v4::Packet::Publish(command)) = client.next().await else { panic!("no command came") };
    assert_eq!(command.qos, QoS::AtMostOnce);
}
