//! Who a connection is, and what it may say and hear.

use buttonwatch::io::gateway::passwords::{self, PasswordFile, PasswordHash};
use buttonwatch::io::gateway::{GatewayConfig, Identity};
use buttonwatch::wire::refusal::RefusalKind;
use rumqttc::mqttbytes::v4::ConnectReturnCode as Code;
use rumqttc::mqttbytes::{QoS, v4};
use std::sync::Arc;

use crate::gateway::house::*;

#[tokio::test]
async fn a_message_on_anothers_topic_is_counted_and_acknowledged_but_not_delivered() {
    let house = House::open().await;
    let mut unit = house.connect("PSH-001").await;
    let wrong = [
        (topic("PSH-002", "heartbeat"), RefusalKind::ForeignTopic),
        ("é/x".to_owned(), RefusalKind::BadTopic),
        ("somewhere/else".to_owned(), RefusalKind::BadTopic),
        (topic("PSH-001", "command"), RefusalKind::UnknownKind),
        (topic("PSH-001", "weather"), RefusalKind::UnknownKind),
    ];
    for (at, (topic, kind)) in wrong.iter().enumerate() {
        let pkid = at as u16 + 1;
        unit.send(publish(topic, QoS::AtLeastOnce, pkid, "{\"seq\":1}")).await;
        unit.expect(puback(pkid)).await;
        house.daemon.until(topic, |daemon| daemon.refusals().len() == at + 1).await;
        let refusal = house.daemon.refusals().pop().unwrap();
        assert_eq!((refusal.kind, &refusal.topic, refusal.unit.as_deref()), (*kind, topic, Some("PSH-001")));
        assert_eq!(refusal.example, b"{\"seq\":1}");
    }
    unit.send(publish(&topic("PSH-003", "press"), QoS::ExactlyOnce, 40, "{}")).await;
    unit.expect(v4::Packet::PubRec(v4::PubRec::new(40))).await;
    unit.is_served("PSH-001", 50).await;
    assert_eq!(house.daemon.messages(), ["PSH-001/heartbeat served"]);
}

#[tokio::test]
async fn acknowledgements_of_refused_messages_wait_for_their_turn() {
    let house = House::open().await;
    let mut unit = house.connect("PSH-001").await;
    house.daemon.withhold();
    unit.send(publish(&topic("PSH-001", "press"), QoS::AtLeastOnce, 1, "{}")).await;
    house.daemon.until_withheld(1).await;
    unit.send(publish(&topic("PSH-002", "press"), QoS::AtLeastOnce, 2, "{}")).await;
    house.daemon.until_refused(RefusalKind::ForeignTopic, 1).await;
    unit.expect_silence().await;
    house.daemon.commit();
    unit.expect(puback(1)).await;
    unit.expect(puback(2)).await;
}

#[tokio::test]
async fn an_open_connection_belongs_to_the_first_unit_it_names() {
    let house = House::open().await;
    let mut client = house.connect("mosq-AbCdEf").await;
    client.send(publish("é/x", QoS::AtLeastOnce, 1, "")).await;
    client.expect(puback(1)).await;
    client.is_served("KHI-9", 2).await;
    assert!(house.gateway.is_connected(&unit("KHI-9")));
    client.send(publish(&topic("PSH-001", "press"), QoS::AtLeastOnce, 3, "")).await;
    client.expect(puback(3)).await;
    house.daemon.until_refused(RefusalKind::ForeignTopic, 1).await;
    assert_eq!(house.daemon.messages(), ["KHI-9/heartbeat served"]);
    drop(client);

    // Subscribing names a unit as well.
    let mut client = house.connect("").await;
    client.send(subscribe(1, &[(&topic("PSH-002", "command"), QoS::AtLeastOnce)])).await;
    client.next().await;
    client.send(publish(&topic("PSH-001", "press"), QoS::AtLeastOnce, 2, "")).await;
    client.expect(puback(2)).await;
    house.daemon.until_refused(RefusalKind::ForeignTopic, 2).await;
}

#[tokio::test]
async fn a_client_id_that_the_fleet_knows_is_the_unit() {
    let house = House::open().await;
    let mut client = house.connect("PSH-001").await;
    assert!(house.gateway.is_connected(&unit("PSH-001")));
    client.send(publish(&topic("PSH-002", "press"), QoS::AtLeastOnce, 1, "")).await;
    client.expect(puback(1)).await;
    house.daemon.until_refused(RefusalKind::ForeignTopic, 1).await;
}

#[tokio::test]
async fn only_the_own_command_topic_can_be_subscribed() {
    let house = House::open().await;
    let mut client = house.connect("PSH-001").await;
    let filters = [
        (topic("PSH-001", "command"), true),
        (topic("PSH-001", "#"), true),
        (topic("PSH-001", "+"), true),
        (topic("PSH-002", "command"), false),
        ("#".to_owned(), false),
        ("é/+".to_owned(), false),
        ("$SYS/#".to_owned(), false),
        ("buttonwatch/v1/+/command".to_owned(), false),
    ];
    let asked: Vec<_> = filters.iter().map(|(filter, _)| (filter.as_str(), QoS::AtLeastOnce)).collect();
    client.send(subscribe(3, &asked)).await;
    let granted = v4::SubscribeReasonCode::Success(QoS::AtLeastOnce);
    let answer = |good: bool| if good { granted } else { v4::SubscribeReasonCode::Failure };
    let codes = filters.iter().map(|(_, good)| answer(*good)).collect();
    client.expect(v4::Packet::SubAck(v4::SubAck::new(3, codes))).await;
    house.daemon.until_refused(RefusalKind::ForeignSubscription, 5).await;
    client.is_served("PSH-001", 4).await;
}

#[tokio::test]
async fn a_will_on_anothers_topic_is_not_let_in() {
    let house = House::open().await;
    for (will, kind) in [
        (topic("PSH-002", "status"), RefusalKind::ForeignTopic),
        ("é/x".to_owned(), RefusalKind::BadTopic),
        ("#".to_owned(), RefusalKind::BadTopic),
    ] {
        let mut connect = hello("PSH-001");
        connect.last_will = Some(v4::LastWill::new(will.clone(), "gone", QoS::AtMostOnce, false));
        let mut client = Raw::tcp(house.addr()).await;
        client.send(v4::Packet::Connect(connect)).await;
        client.expect(connack(Code::NotAuthorized)).await;
        client.expect_end().await;
        let heard = |daemon: &Daemon| daemon.refusals().iter().any(|r| r.kind == kind && r.topic == will);
        house.daemon.until(&will, heard).await;
    }
    assert_eq!(house.gateway.connected(), 0);
}

#[tokio::test]
async fn passwords_decide_who_a_unit_is_and_a_new_one_counts_at_once() {
    let (first, second, new) =
        (passwords::generate().unwrap(), passwords::generate().unwrap(), passwords::generate().unwrap());
    let mut file = PasswordFile::default();
    file.set(unit("PSH-001"), first.hash);
    file.set(unit("PSH-002"), second.hash);
    file.set(unit("PSH-003"), PasswordHash::of_chosen("saddar bazaar").unwrap());
    let identity = Identity::Passwords(Arc::new(file.clone()));
    // Any address will do once there are passwords.
    let config = GatewayConfig { identity, listen: "0.0.0.0:0".parse().unwrap(), ..open_config() };
    let house = House::with(config).await;
    let addr = ([127, 0, 0, 1], house.addr().port()).into();
    let login = |client_id: &str, name: &str, password: &str| {
        let mut connect = hello(client_id);
        connect.set_login(name, password);
        connect
    };

    for (at, (name, password)) in
        [("PSH-001", "wrong"), ("nobody", "wrong"), ("PSH-001", ""), ("PSH-003", "wrong")].into_iter().enumerate()
    {
        let mut client = Raw::tcp(addr).await;
        client.send(v4::Packet::Connect(login("x", name, password))).await;
        client.expect(connack(Code::BadUserNamePassword)).await;
        client.expect_end().await;
        house.daemon.until_refused(RefusalKind::BadCredentials, at + 1).await;
        assert_eq!(house.daemon.refusals().last().unwrap().unit.as_deref(), Some(name));
    }

    // The same client id at two units: neither throws the other out.
    let mut one = Raw::greeted(addr, login("copied-image", "PSH-001", &first.password)).await;
    let mut two = Raw::greeted(addr, login("copied-image", "PSH-002", &second.password)).await;
    let mut three = Raw::greeted(addr, login("PSH-001", "PSH-003", "saddar bazaar")).await;
    one.is_served("PSH-001", 1).await;
    two.is_served("PSH-002", 1).await;
    three.is_served("PSH-003", 1).await;
    one.send(publish(&topic("PSH-002", "press"), QoS::AtLeastOnce, 2, "")).await;
    one.expect(puback(2)).await;
    house.daemon.until_refused(RefusalKind::ForeignTopic, 1).await;

    file.set(unit("PSH-001"), new.hash);
    file.remove(&unit("PSH-003"));
    house.gateway.set_passwords(file);
    one.expect_end().await;
    three.expect_end().await;
    two.is_served("PSH-002", 2).await;
    let mut client = Raw::tcp(addr).await;
    client.send(v4::Packet::Connect(login("x", "PSH-001", &first.password))).await;
    client.expect(connack(Code::BadUserNamePassword)).await;
    Raw::greeted(addr, login("x", "PSH-001", &new.password)).await.is_served("PSH-001", 1).await;
}
