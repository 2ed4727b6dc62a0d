//! Debian's `mosquitto_pub` and `mosquitto_sub` as units, as an operator would try them by hand.

use std::process::{Command, Output, Stdio};

use bytes::Bytes;

use crate::gateway::house::*;

/// False: not installed, and the test is skipped. In CI that is a failure.
fn installed(program: &str) -> bool {
    let found = Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        let remedy = format!("{program} is not installed (`apt-get install mosquitto-clients`)");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{remedy}");
        println!("skipped: {remedy}");
    }
    found
}

async fn mosquitto_pub(house: &House, arguments: &[&str]) -> Output {
    let port = house.addr().port().to_string();
    let mut command = Command::new("mosquitto_pub");
    command.args(["-h", "127.0.0.1", "-p", &port]).args(arguments);
    output_of(command).await
}

#[tokio::test]
async fn mosquitto_pub_is_a_unit_with_or_without_settings_at_every_qos() {
    if !installed("mosquitto_pub") {
        return;
    }
    let house = House::open().await;
    let heartbeat = topic("PSH-001", "heartbeat");
    let status = topic("PSH-001", "status");
    let names: [&[&str]; 7] = [
        &[],
        &["-i", "PSH-001"],
        &["-i", "my-laptop"],
        &["-I", "bench-"],
        &["-u", "PSH-001"],
        &["-i", "my-laptop", "-u", "PSH-001", "-P", "whatever"],
        &["-i", "my-laptop", "-c"],
    ];
    let mut sent = Vec::new();
    for name in names {
        for qos in ["0", "1", "2"] {
            for will in [false, true] {
                let payload = format!("{} {qos} {will}", name.join(" "));
                let mut arguments = name.to_vec();
                arguments.extend(["-t", &heartbeat, "-q", qos, "-m", &payload]);
                if will {
                    arguments.extend(["-r", "--will-topic", &status, "--will-payload", "lost", "--will-qos", qos]);
                    arguments.push("--will-retain");
                }
                let output = mosquitto_pub(&house, &arguments).await;
                assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
                sent.push(format!("PSH-001/heartbeat {payload}"));
            }
        }
    }
    // QoS 0 is not waited for by anyone, so two processes' messages may change places.
    sent.sort();
    let all = |daemon: &Daemon| {
        let mut messages = daemon.messages();
        messages.sort();
        messages == sent
    };
    house.daemon.until("all of them, and no last will", all).await;
    assert_eq!(house.daemon.refusals(), []);
}

#[tokio::test]
async fn a_killed_mosquitto_client_leaves_its_last_will() {
    if !installed("mosquitto_sub") {
        return;
    }
    let house = House::open().await;
    let port = house.addr().port().to_string();
    let (command, status) = (topic("PSH-001", "command"), topic("PSH-001", "status"));
    let mut mosquitto_sub = Command::new("mosquitto_sub");
    mosquitto_sub.args(["-h", "127.0.0.1", "-p", &port, "-q", "1", "-t", &command, "-F", "%t %p"]).args([
        "--will-topic",
        &status,
        "--will-payload",
        "{\"online\":false}",
        "--will-qos",
        "1",
        "--will-retain",
    ]);
    let (unit_process, mut lines) = Program::start(&mut mosquitto_sub);
    let commands = house.gateway.commands();
    soon("a subscriber", async {
        while commands.send(&unit("PSH-001"), Bytes::from_static(b"{\"do\":\"locate\"}")).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    let line = soon("the command", lines.recv()).await;
    assert_eq!(line.as_deref(), Some("buttonwatch/v1/PSH-001/command {\"do\":\"locate\"}"));
    drop(unit_process);
    house.daemon.until_messages(&["PSH-001/status {\"online\":false}"]).await;
}
