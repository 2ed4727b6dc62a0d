//! An acknowledgement is a promise: QoS 0, 1 and 2, order, windows and back-pressure.

use std::time::Duration;

use buttonwatch::io::gateway::Gateway;
use rumqttc::mqttbytes::{QoS, v4};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet};
use tokio::sync::mpsc;

use crate::gateway::house::*;

#[tokio::test]
async fn puback_waits_for_the_commit() {
    let house = House::open().await;
    let mut unit = house.connect("PSH-001").await;
    house.daemon.withhold();
    unit.send(publish(&topic("PSH-001", "press"), QoS::AtLeastOnce, 7, "{}")).await;
    house.daemon.until_withheld(1).await;
    unit.expect_silence().await;
    house.daemon.commit();
    unit.expect(puback(7)).await;
    let said = house.daemon.publishes();
    assert_eq!(said[0].sender.as_ref().map(|unit| unit.as_str()), Some("PSH-001"));
    assert!(!said[0].retained);
}

#[tokio::test]
async fn acknowledgements_come_in_the_order_of_the_messages_whatever_the_order_of_commits() {
    let house = House::open().await;
    let mut unit = house.connect("PSH-001").await;
    house.daemon.withhold();
    for pkid in 1..=3 {
        unit.send(publish(&topic("PSH-001", "heartbeat"), QoS::AtLeastOnce, pkid, "{}")).await;
        // A chunk of its own each.
        house.daemon.until_withheld(usize::from(pkid)).await;
    }
    let mut chunks = house.daemon.withheld();
    chunks.pop().unwrap().committed();
    chunks.pop().unwrap().committed();
    unit.expect_silence().await;
    chunks.pop().unwrap().committed();
    for pkid in 1..=3 {
        unit.expect(puback(pkid)).await;
    }
}

#[tokio::test]
async fn a_dropped_chunk_is_never_acknowledged_and_ends_the_connection_without_a_will() {
    let house = House::open().await;
    let mut connect = hello("PSH-001");
    connect.last_will = Some(v4::LastWill::new(topic("PSH-001", "status"), "gone", QoS::AtLeastOnce, true));
    let mut unit = Raw::greeted(house.addr(), connect).await;
    house.daemon.withhold();
    unit.send(publish(&topic("PSH-001", "press"), QoS::AtLeastOnce, 1, "first")).await;
    house.daemon.until_withheld(1).await;
    unit.send(publish(&topic("PSH-001", "press"), QoS::AtLeastOnce, 2, "second")).await;
    house.daemon.until_withheld(2).await;
    let mut chunks = house.daemon.withheld();
    let second = chunks.pop().unwrap();
    drop(chunks);
    second.committed();
    unit.expect_end().await;
    assert_eq!(house.daemon.messages(), ["PSH-001/press first", "PSH-001/press second"]);
}

#[tokio::test]
async fn one_read_is_one_chunk_and_every_qos_gets_its_own_answer() {
    let house = House::open().await;
    let mut unit = house.connect("PSH-001").await;
    let mut bytes = Vec::new();
    for (at, qos) in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce].into_iter().enumerate() {
        let pkid = if qos == QoS::AtMostOnce { 0 } else { at as u16 };
        bytes.extend(bytes_of(publish(&topic("PSH-001", "heartbeat"), qos, pkid, &format!("m{at}"))));
    }
    house.daemon.withhold();
    unit.send_bytes(&bytes).await;
    house.daemon.until_messages(&["PSH-001/heartbeat m0", "PSH-001/heartbeat m1", "PSH-001/heartbeat m2"]).await;
    assert_eq!(house.daemon.withheld().into_iter().map(|ack| ack.committed()).count(), 1);
    unit.expect(puback(1)).await;
    unit.expect(v4::Packet::PubRec(v4::PubRec::new(2))).await;
}

#[tokio::test]
async fn a_qos_2_message_is_delivered_once_however_often_it_is_sent_before_its_release() {
    let house = House::open().await;
    let mut unit = house.connect("PSH-001").await;
    let message = |payload| publish(&topic("PSH-001", "press"), QoS::ExactlyOnce, 5, payload);
    let pubrec = v4::Packet::PubRec(v4::PubRec::new(5));
    let release = || v4::Packet::PubRel(v4::PubRel::new(5));
    let pubcomp = v4::Packet::PubComp(v4::PubComp { pkid: 5 });
    house.daemon.withhold();
    unit.send(message("once")).await;
    house.daemon.until_withheld(1).await;
    unit.send(message("once")).await;
    unit.expect_silence().await;
    house.daemon.commit_from_now_on();
    unit.expect(pubrec.clone()).await;
    unit.expect(pubrec.clone()).await;
    unit.send(release()).await;
    unit.expect(pubcomp.clone()).await;
    unit.send(release()).await;
    unit.expect(pubcomp).await;
    unit.send(message("a new one with the same id")).await;
    unit.expect(pubrec).await;
    assert_eq!(house.daemon.messages(), ["PSH-001/press once", "PSH-001/press a new one with the same id"]);
}

#[tokio::test]
async fn rumqttc_is_a_unit_at_every_qos() {
    let house = House::open().await;
    let mut options = MqttOptions::new("PSH-002", "127.0.0.1", house.addr().port());
    options.set_clean_session(false).set_keep_alive(Duration::from_secs(5));
    let (client, mut events) = AsyncClient::new(options, 16);
    for (payload, qos, retain) in
        [("zero", QoS::AtMostOnce, false), ("one", QoS::AtLeastOnce, true), ("two", QoS::ExactlyOnce, false)]
    {
        client.publish(topic("PSH-002", "status"), qos, retain, payload).await.unwrap();
    }
    let (mut acknowledged, mut completed) = (false, false);
    while !(acknowledged && completed) {
        match soon("an event", events.poll()).await.unwrap() {
            Event::Incoming(Packet::PubAck(_)) => acknowledged = true,
            Event::Incoming(Packet::PubComp(_)) => completed = true,
            _ => {}
        }
    }
    house.daemon.until_messages(&["PSH-002/status zero", "PSH-002/status one", "PSH-002/status two"]).await;
    assert!(
        house.daemon.publishes().iter().all(|publish| !publish.retained),
        "sent live, whatever its retain flag says"
    );
}

#[tokio::test]
async fn a_full_window_stops_the_reading_and_loses_nothing() {
    let house = House::with(buttonwatch::io::gateway::GatewayConfig { max_unacked: 10, ..open_config() }).await;
    let mut unit = house.connect("PSH-001").await;
    house.daemon.withhold();
    let mut bytes = Vec::new();
    for pkid in 1..=50 {
        bytes.extend(bytes_of(publish(&topic("PSH-001", "heartbeat"), QoS::AtLeastOnce, pkid, &pkid.to_string())));
    }
    unit.send_bytes(&bytes).await;
    house.daemon.until("a full window", |daemon| daemon.messages().len() == 10).await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(house.daemon.messages().len(), 10);
    house.daemon.commit_from_now_on();
    for pkid in 1..=50 {
        unit.expect(puback(pkid)).await;
    }
    let expected: Vec<_> = (1..=50).map(|n| format!("PSH-001/heartbeat {n}")).collect();
    assert_eq!(house.daemon.messages(), expected);
}

#[tokio::test]
async fn a_daemon_that_is_behind_costs_no_unit_its_connection() {
    let (ingest, received) = mpsc::channel(1);
    let gateway = Gateway::start(open_config(), ingest).await.unwrap();
    let mut connect = hello("PSH-001");
    connect.keep_alive = 1;
    connect.last_will = Some(v4::LastWill::new(topic("PSH-001", "status"), "gone", QoS::AtLeastOnce, true));
    let mut unit = Raw::greeted(gateway.local_addr(), connect).await;
    for pkid in 1..=3 {
        unit.send(publish(&topic("PSH-001", "heartbeat"), QoS::AtLeastOnce, pkid, "{}")).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Twice the 1.5 s after which a silent unit is cut off. The unit does all it can: its pings wait in our socket.
    for _ in 0..6 {
        unit.send(v4::Packet::PingReq).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let daemon = Daemon::start(received);
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 3 {
        match unit.next().await {
            Some(v4::Packet::PubAck(ack)) => acknowledged.push(ack.pkid),
            Some(v4::Packet::PingResp) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(acknowledged, [1, 2, 3]);
    assert_eq!(daemon.messages(), ["PSH-001/heartbeat {}"; 3]);
    assert_eq!(daemon.refusals(), []);
}

#[tokio::test]
async fn messages_split_over_many_small_writes_arrive_whole() {
    let house = House::open().await;
    let mut unit = house.connect("PSH-001").await;
    let payload = "x".repeat(16 * 1024);
    let bytes = bytes_of(publish(&topic("PSH-001", "selftest"), QoS::AtLeastOnce, 9, &payload));
    for piece in bytes.chunks(1000) {
        unit.send_bytes(piece).await;
        tokio::task::yield_now().await;
    }
    unit.expect(puback(9)).await;
    assert_eq!(house.daemon.publishes()[0].payload, payload.as_bytes());
}
