//! How connections end: last wills, keep-alive, takeover, the stop of the service.

use std::time::Duration;

use buttonwatch::io::gateway::GatewayConfig;
use buttonwatch::wire::refusal::RefusalKind;
use rumqttc::mqttbytes::{QoS, v4};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::gateway::house::*;

fn with_will(client_id: &str, payload: &str) -> v4::Connect {
    let mut connect = hello(client_id);
    connect.last_will = Some(v4::LastWill::new(topic("PSH-001", "status"), payload, QoS::AtLeastOnce, true));
    connect
}

#[tokio::test]
async fn a_will_is_spoken_when_the_connection_breaks_and_not_after_a_disconnect() {
    let house = House::open().await;
    let mut polite = Raw::greeted(house.addr(), with_will("a", "never said")).await;
    polite.send(v4::Packet::Disconnect).await;
    polite.expect_end().await;
    let broken = Raw::greeted(house.addr(), with_will("b", "gone")).await;
    drop(broken);
    house.daemon.until_messages(&["PSH-001/status gone"]).await;
    let will = &house.daemon.publishes()[0];
    assert_eq!(will.sender, Some(unit("PSH-001")));
    assert!(!will.retained, "it is said now");
    let mut faulty = Raw::greeted(house.addr(), with_will("c", "broke the protocol")).await;
    faulty.send_bytes(b"\xff\xff").await;
    faulty.expect_end().await;
    house.daemon.until_messages(&["PSH-001/status gone", "PSH-001/status broke the protocol"]).await;
    assert!(!house.gateway.is_connected(&unit("PSH-001")));
}

#[tokio::test]
async fn what_was_said_just_before_a_disconnect_is_heard() {
    let house = House::open().await;
    for round in 0..20 {
        let mut client = Raw::greeted(house.addr(), with_will("mosq", "never said")).await;
        let mut bytes = bytes_of(publish(&topic("PSH-001", "press"), QoS::AtLeastOnce, 1, "{}"));
        bytes.extend(bytes_of(v4::Packet::Disconnect));
        client.send_bytes(&bytes).await;
        drop(client);
        house.daemon.until(&format!("press {round}"), |daemon| daemon.messages().len() == round + 1).await;
    }
    assert!(house.daemon.messages().iter().all(|message| message == "PSH-001/press {}"));
}

#[tokio::test]
async fn a_unit_that_falls_silent_is_cut_off_after_one_and_a_half_keep_alives() {
    let house = House::open().await;
    let mut connect = with_will("PSH-001", "fell silent");
    connect.keep_alive = 1;
    let started = std::time::Instant::now();
    let mut unit = Raw::greeted(house.addr(), connect).await;
    unit.ping().await;
    unit.expect_end().await;
    assert!(started.elapsed() >= Duration::from_millis(1500));
    house.daemon.until_messages(&["PSH-001/status fell silent"]).await;
    house.daemon.until_refused(RefusalKind::KeepAliveTimeout, 1).await;
    assert_eq!(house.daemon.refusals()[0].unit.as_deref(), Some("PSH-001"));
}

#[tokio::test]
async fn pings_keep_a_connection_alive() {
    let house = House::open().await;
    let mut connect = hello("PSH-001");
    connect.keep_alive = 1;
    let mut unit = Raw::greeted(house.addr(), connect).await;
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        unit.ping().await;
    }
}

#[tokio::test]
async fn the_same_client_again_takes_the_place_and_the_old_will_comes_before_anything_new() {
    let house = House::open().await;
    let mut old = Raw::greeted(house.addr(), with_will("unit-1", "gone 0")).await;
    let mut expected = Vec::new();
    for round in 1..=20 {
        let mut new = Raw::tcp(house.addr()).await;
        // The message does not wait for the CONNACK.
        let mut bytes = bytes_of(v4::Packet::Connect(with_will("unit-1", &format!("gone {round}"))));
        bytes.extend(bytes_of(publish(&topic("PSH-001", "status"), QoS::AtLeastOnce, 1, &format!("here {round}"))));
        new.send_bytes(&bytes).await;
        new.expect(connack(v4::ConnectReturnCode::Success)).await;
        new.expect(puback(1)).await;
        old.expect_end().await;
        old = new;
        expected.extend([format!("PSH-001/status gone {}", round - 1), format!("PSH-001/status here {round}")]);
    }
    assert_eq!(house.daemon.messages(), expected);
    assert_eq!((house.gateway.connected(), house.gateway.stats().takeovers_total.get()), (1, 20));
    old.ping().await;
}

#[tokio::test]
async fn a_crowd_with_one_client_id_leaves_exactly_one_connection() {
    let house = House::open().await;
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let addr = house.addr();
        crowd.spawn(async move {
            let mut raw = Raw::tcp(addr).await;
            raw.send(v4::Packet::Connect(hello("crowd"))).await;
            while raw.next().await.is_some() {}
        });
    }
    // Each but the last sees its end.
    for _ in 0..49 {
        soon("the end of one of the crowd", crowd.join_next()).await.unwrap().unwrap();
    }
    assert_eq!(house.gateway.connected(), 1);
}

#[tokio::test]
async fn two_clients_of_one_unit_live_side_by_side() {
    let house = House::open().await;
    let (mut one, mut two) = (house.connect("mosq-1").await, house.connect("mosq-2").await);
    one.is_served("PSH-001", 1).await;
    two.is_served("PSH-001", 1).await;
    drop(two);
    one.is_served("PSH-001", 2).await;
    assert!(house.gateway.is_connected(&unit("PSH-001")));
}

#[tokio::test]
async fn a_stop_acknowledges_what_gets_committed_and_speaks_no_will() {
    let house = House::with(GatewayConfig { stop_grace: SOON, ..open_config() }).await;
    let addr = house.addr();
    let mut unit = Raw::greeted(addr, with_will("PSH-001", "never said")).await;
    let mut idle = Raw::greeted(addr, with_will("idle", "never said")).await;
    let mut half_open = Raw::tcp(addr).await;
    house.daemon.withhold();
    unit.send(publish(&topic("PSH-001", "press"), QoS::AtLeastOnce, 3, "{}")).await;
    house.daemon.until_withheld(1).await;
    let stopping = tokio::spawn(house.gateway.stop());
    idle.expect_end().await;
    half_open.expect_end().await;
    unit.send(publish(&topic("PSH-001", "press"), QoS::AtLeastOnce, 4, "read by no one any more")).await;
    house.daemon.commit_from_now_on();
    unit.expect(puback(3)).await;
    unit.expect_end().await;
    soon("the stop", stopping).await.unwrap();
    assert!(TcpStream::connect(addr).await.is_err());
    assert_eq!(house.daemon.messages(), ["PSH-001/press {}"]);
}

#[tokio::test]
async fn a_stop_waits_no_longer_than_its_grace() {
    let house = House::with(GatewayConfig { stop_grace: Duration::from_millis(50), ..open_config() }).await;
    let mut unit = house.connect("PSH-001").await;
    house.daemon.withhold();
    unit.send(publish(&topic("PSH-001", "press"), QoS::AtLeastOnce, 3, "{}")).await;
    house.daemon.until_withheld(1).await;
    soon("the stop", house.gateway.stop()).await;
    unit.expect_end().await;
}

#[tokio::test]
async fn a_dropped_gateway_closes_everything() {
    let house = House::open().await;
    let addr = house.addr();
    let mut unit = Raw::greeted(addr, with_will("PSH-001", "never said")).await;
    let mut half_open = TcpStream::connect(addr).await.unwrap();
    drop(house.gateway);
    unit.expect_end().await;
    assert_eq!(soon("the end", half_open.read(&mut [0])).await.unwrap_or(0), 0);
    house.daemon.until_messages(&[]).await;
}

#[tokio::test]
async fn the_figures_for_metrics_count_what_happened() {
    let house = House::open().await;
    let mut unit = house.connect("PSH-001").await;
    unit.is_served("PSH-001", 1).await;
    unit.send(publish(&topic("PSH-002", "press"), QoS::AtLeastOnce, 2, "")).await;
    unit.expect(puback(2)).await;
    let stats = house.gateway.stats();
    assert_eq!((house.gateway.connected(), stats.connects_total.get(), stats.messages_total.get()), (1, 1, 2));
    assert!(stats.bytes_in_total.get() > 50 && stats.bytes_out_total.get() >= 8);
}
