//! The simulated fleet on real brokers.

use super::*;

mod broker {
    use std::net::TcpListener;
    use std::path::PathBuf;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    pub fn free_port() -> u16 {
        TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a loopback port").port()
    }

    fn binary() -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        folders.extend([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
        folders.into_iter().map(|f| f.join("mosquitto")).find(|p| p.is_file())
    }

    /// A Mosquitto on a loopback port; killed when dropped.
    pub struct Mosquitto {
        child: Child,
        pub port: u16,
        config: tempfile::TempDir,
    }

    impl Mosquitto {
        /// None: there is none on this machine, and the test is skipped (an error in CI).
        pub fn start(extra: &str) -> Option<Mosquitto> {
            let Some(binary) = binary() else {
                assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs mosquitto");
                println!("skipped: no mosquitto here; get it with: apt-get install mosquitto");
                return None;
            };
            let config = tempfile::tempdir().expect("a scratch folder");
            let port = free_port();
            // Started as root, Mosquitto would become another user that cannot read the folder.
            let text = format!("listener {port} 127.0.0.1\nuser root\npersistence false\n{extra}\n");
            std::fs::write(config.path().join("mosquitto.conf"), text).expect("written");
            let child = launch(&binary, &config, port);
            Some(Mosquitto { child, port, config })
        }
        pub fn url(&self) -> String {
            format!("mqtt://127.0.0.1:{}", self.port)
        }
        /// As a power cut would.
        pub fn kill(&mut self) {
            self.child.kill().expect("it runs");
            self.child.wait().expect("it ends");
        }
        pub fn restart(&mut self) {
            let binary = binary().expect("it was there");
            self.child = launch(&binary, &self.config, self.port);
        }
    }

    fn launch(binary: &PathBuf, config: &tempfile::TempDir, port: u16) -> Child {
        let child = Command::new(binary)
            .arg("-c")
            .arg(config.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto starts");
        wait_for(port);
        child
    }

    impl Drop for Mosquitto {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    pub fn wait_for(port: u16) {
        let end = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "no broker on port {port}");
            std::thread::yield_now();
        }
    }

    /// rumqttd in this process, for machines with nothing but Rust.
    pub fn rumqttd() -> u16 {
        let port = free_port();
        let text = format!(
            r#"
            id = 0
            [router]
            id = 0
            max_connections = 2000
            max_outgoing_packet_count = 1000
            max_segment_size = 10485760
            max_segment_count = 10
            [v4.1]
            name = "v4"
            listen = "127.0.0.1:{port}"
            next_connection_delay_ms = 0
            [v4.1.connections]
            connection_timeout_ms = 5000
            max_payload_size = 65536
            max_inflight_count = 100
            "#
        );
        let config: rumqttd::Config = toml::from_str(&text).expect("a valid configuration");
        std::thread::spawn(move || rumqttd::Broker::new(config).start().is_ok());
        wait_for(port);
        port
    }
}

/// Listens to everything, as the service does.
struct Observer {
    client: rumqttc::AsyncClient,
    heard: mpsc::UnboundedReceiver<(String, Value)>,
}

impl Observer {
    async fn new(port: u16) -> Observer {
        let mut options = rumqttc::MqttOptions::new("observer", "127.0.0.1", port);
        options.set_max_packet_size(1 << 20, 1 << 20);
        let (client, mut events) = rumqttc::AsyncClient::new(options, 64);
        let (out, heard) = mpsc::unbounded_channel();
        let (ready_in, ready) = tokio::sync::oneshot::channel();
        let mut ready_in = Some(ready_in);
        let subscriber = client.clone();
        tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(rumqttc::Event::Incoming(rumqttc::Packet::ConnAck(_))) => {
                        let _ = subscriber.try_subscribe("buttonwatch/v1/#", rumqttc::QoS::AtLeastOnce);
                    }
                    Ok(rumqttc::Event::Incoming(rumqttc::Packet::SubAck(_))) => {
                        if let Some(ready) = ready_in.take() {
                            let _ = ready.send(());
                        }
                    }
                    Ok(rumqttc::Event::Incoming(rumqttc::Packet::Publish(p))) => {
                        let json = serde_json::from_slice(&p.payload).unwrap_or(Value::Null);
                        if out.send((p.topic, json)).is_err() {
                            return;
                        }
                    }
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
        });
        within(ready).await.expect("subscribed");
        Observer { client, heard }
    }

    /// Hears until the test has what it wants.
    async fn until(&mut self, mut enough: impl FnMut(&str, &Value) -> bool) {
        loop {
            let (topic, json) = within(self.heard.recv()).await.expect("the observer is connected");
            if enough(&topic, &json) {
                return;
            }
        }
    }
}

/// Generous: eight builds may share the machine.
async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(90), what).await.expect("it happens within 90 s")
}

fn quick() -> Scenario {
    let mut scenario = quiet();
    scenario.cadence.heartbeat = Some(Duration::from_secs(1));
    scenario.cadence.power = Duration::from_secs(2);
    scenario.cadence.selftest = Some(Duration::from_secs(5));
    scenario
}

struct Running {
    control: mpsc::Sender<Control>,
    reports: mpsc::UnboundedReceiver<Report>,
    task: tokio::task::JoinHandle<Result<Summary, SimulateError>>,
}

fn simulate(options: SimulateOptions) -> Running {
    let (control, commands) = mpsc::channel(16);
    let (out, reports) = mpsc::unbounded_channel();
    let task = tokio::spawn(run(options, commands, move |report| {
        let _ = out.send(report);
    }));
    Running { control, reports, task }
}

impl Running {
    async fn until(&mut self, mut enough: impl FnMut(&Report) -> bool) {
        loop {
            let report = within(self.reports.recv()).await.expect("it runs");
            if enough(&report) {
                return;
            }
        }
    }
    async fn connected(&mut self, count: usize) {
        let mut units = BTreeSet::new();
        self.until(|report| {
            if let Report::Connected { unit } = report {
                units.insert(unit.clone());
            }
            units.len() == count
        })
        .await;
    }
    async fn stop(self) -> Summary {
        within(self.control.send(Control::Stop)).await.expect("it listens");
        within(self.task).await.expect("no panic").expect("no error")
    }
}

/// 68 units on any broker: everyone is heard, obeys, dies and comes back, and what was acknowledged was heard.
async fn the_first_fleet_on(port: u16) {
    let mut observer = Observer::new(port).await;
    let folder = tempfile::tempdir().expect("a scratch folder");
    let acked = folder.path().join("acked.csv");
    let mut options = SimulateOptions::new(fleet(68), format!("mqtt://127.0.0.1:{port}"), start());
    options.scenario = quick();
    options.acked_file = Some(acked.clone());
    let mut running = simulate(options);
    running.connected(68).await;

    let mut heard: BTreeSet<(String, u64, u64)> = BTreeSet::new();
    let mut note = |topic: &str, json: &Value| {
        let unit = topic.split('/').nth(2).expect("a unit's topic").to_owned();
        if let (Some(boot), Some(seq)) = (json["boot"].as_u64(), json["seq"].as_u64()) {
            heard.insert((unit, boot, seq));
        }
    };
    let mut tested = BTreeSet::new();
    observer
        .until(|topic, json| {
            note(topic, json);
            if topic.ends_with("/selftest") {
                tested.insert(topic.to_owned());
            }
            tested.len() == 68
        })
        .await;

    let command = r#"{"id":"cmd-1","do":"selftest","expires":"2030-01-01T00:00:00Z"}"#;
    let to = "buttonwatch/v1/PSH-005/command";
    observer.client.publish(to, rumqttc::QoS::AtLeastOnce, false, command).await.expect("sent");
    observer
        .until(|topic, json| {
            note(topic, json);
            topic == "buttonwatch/v1/PSH-005/selftest" && json["id"] == "cmd-1" && json["trigger"] == "command"
        })
        .await;

    running.control.send(Control::Inject(Fault::now(FaultKind::Dead, Target::Unit(unit_id(9))))).await.expect("sent");
    observer
        .until(|topic, json| {
            note(topic, json);
            topic == "buttonwatch/v1/PSH-009/status"
                && *json == serde_json::json!({"online": false, "reason": "connection lost"})
        })
        .await;
    let repair = Control::Repair { unit: unit_id(9), component: Component::Controller };
    running.control.send(repair).await.expect("sent");
    observer
        .until(|topic, json| {
            note(topic, json);
            topic == "buttonwatch/v1/PSH-009/status" && json["online"] == true
        })
        .await;

    let summary = running.stop().await;
    assert_eq!((summary.units, summary.connected, summary.connections_lost), (68, 68, 0), "{summary:?}");
    assert_eq!((summary.unacked, summary.overflowed, summary.commands), (0, 0, 1), "{summary:?}");
    assert_eq!(summary.faults.len(), 1);

    let text = std::fs::read_to_string(acked).expect("written");
    let acked: BTreeSet<(String, u64, u64)> = text
        .lines()
        .map(|line| {
            let parts: Vec<&str> = line.split(',').collect();
            (parts[0].to_owned(), parts[1].parse().expect("boot"), parts[2].parse().expect("seq"))
        })
        .collect();
    assert_eq!(acked.len() as u64, summary.acked);
    // What was said last may still be on its way to the observer.
    let end = Instant::now() + Duration::from_secs(60);
    while !acked.is_subset(&heard) && Instant::now() < end {
        let (topic, json) = within(observer.heard.recv()).await.expect("connected");
        let unit = topic.split('/').nth(2).expect("a unit's topic").to_owned();
        if let (Some(boot), Some(seq)) = (json["boot"].as_u64(), json["seq"].as_u64()) {
            heard.insert((unit, boot, seq));
        }
    }
    assert!(acked.is_subset(&heard), "what is acknowledged was published");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_fleet_lives_on_a_mosquitto() {
    if let Some(broker) = broker::Mosquitto::start("allow_anonymous true") {
        the_first_fleet_on(broker.port).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_fleet_lives_on_a_rumqttd() {
    let port = broker::rumqttd();
    the_first_fleet_on(port).await;
}

/// How many files a process may have open, where the system says so.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|l| l.starts_with("Max open files")).unwrap_or_default();
    line.split_whitespace().nth(3).and_then(|n| n.parse().ok()).unwrap_or(1024)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_units_live_in_one_process() {
    let Some(broker) = broker::Mosquitto::start("allow_anonymous true") else { return };
    // Other tests of this process hold sockets as well.
    let units = open_files().saturating_sub(400).clamp(100, 1_000);
    println!("{units} units");
    let mut options = SimulateOptions::new(fleet(units), broker.url(), start());
    options.scenario = quiet();
    options.scenario.cadence.heartbeat = Some(Duration::from_secs(5));
    let mut running = simulate(options);
    running.connected(units).await;
    let summary = running.stop().await;
    assert_eq!((summary.connected, summary.connections_lost, summary.unacked), (units, 0, 0), "{summary:?}");
    assert!(summary.acked >= units as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brokers_death_loses_nothing_that_was_said() {
    let Some(mut broker) = broker::Mosquitto::start("allow_anonymous true") else { return };
    let mut options = SimulateOptions::new(fleet(20), broker.url(), start());
    options.scenario = quick();
    let mut running = simulate(options);
    running.connected(20).await;
    for _ in 0..2 {
        broker.kill();
        let mut lost = BTreeSet::new();
        running
            .until(|report| {
                if let Report::ConnectionLost { unit, .. } = report {
                    lost.insert(unit.clone());
                }
                lost.len() == 20
            })
            .await;
        broker.restart();
        running.connected(20).await;
    }
    // The will said `offline`; the unit says `online` again, with a number of its own.
    let mut observer = Observer::new(broker.port).await;
    let mut online = BTreeSet::new();
    observer
        .until(|topic, json| {
            if topic.ends_with("/status") && json["online"] == true {
                online.insert(topic.to_owned());
            }
            online.len() == 20
        })
        .await;
    let summary = running.stop().await;
    assert_eq!((summary.unacked, summary.overflowed, summary.forgotten), (0, 0, 0), "{summary:?}");
    assert_eq!(summary.connections_lost, 40);
    assert_eq!(summary.acked, summary.said.values().sum::<u64>());
    assert!(summary.sent >= summary.acked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_wait_for_a_broker_that_is_not_there_yet() {
    let Some(mut broker) = broker::Mosquitto::start("allow_anonymous true") else { return };
    broker.kill();
    let mut options = SimulateOptions::new(fleet(10), broker.url(), start());
    options.scenario = quick();
    let mut running = simulate(options);
    let mut refused = BTreeSet::new();
    running
        .until(|report| {
            if let Report::CannotConnect { unit, .. } = report {
                assert!(refused.insert(unit.clone()), "said once");
            }
            refused.len() == 10
        })
        .await;
    broker.restart();
    running.connected(10).await;
    let summary = running.stop().await;
    assert_eq!((summary.connected, summary.unacked, summary.connections_lost), (10, 0, 0), "{summary:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_asks_for_passwords_gets_each_units_own() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let hashed = folder.path().join("hashed");
    let plain = folder.path().join("plain");
    let lines: String = (1..=5).map(|i| format!("PSH-{i:03}:secret-{i}\n")).collect();
    std::fs::write(&plain, &lines).expect("written");
    std::fs::write(&hashed, &lines).expect("written");
    let made = std::process::Command::new("mosquitto_passwd").arg("-U").arg(&hashed).status();
    if !made.is_ok_and(|s| s.success()) {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs mosquitto_passwd");
        println!("skipped: no mosquitto_passwd here; get it with: apt-get install mosquitto");
        return;
    }
    let settings = format!("allow_anonymous false\npassword_file {}", hashed.display());
    let Some(broker) = broker::Mosquitto::start(&settings) else { return };
    let mut options = SimulateOptions::new(fleet(5), broker.url(), start());
    options.scenario = quick();
    options.password_file = Some(plain);
    let mut running = simulate(options.clone());
    running.connected(5).await;
    assert_eq!(running.stop().await.connected, 5);

    options.password_file = None;
    let mut running = simulate(options);
    running.until(|r| matches!(r, Report::CannotConnect { why, .. } if why.contains("refused"))).await;
    assert_eq!(running.stop().await.connected, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_speak_tls_to_a_broker_whose_certificate_they_trust() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let settings = format!("allow_anonymous true\ncertfile {}\nkeyfile {}", cert.display(), key.display());
    let Some(broker) = broker::Mosquitto::start(&settings) else { return };
    let mut options = SimulateOptions::new(fleet(5), format!("mqtts://localhost:{}", broker.port), start());
    options.scenario = quick();
    options.ca_file = Some(cert);
    let mut running = simulate(options.clone());
    running.connected(5).await;
    let summary = running.stop().await;
    assert_eq!((summary.connected, summary.unacked), (5, 0), "{summary:?}");

    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let wrong = folder.path().join("wrong.pem");
    std::fs::write(&wrong, other.cert.pem()).expect("written");
    options.ca_file = Some(wrong);
    let mut running = simulate(options);
    running.until(|r| matches!(r, Report::CannotConnect { why, .. } if why.contains("certificate"))).await;
    assert_eq!(running.stop().await.connected, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_speed_a_day_passes_in_seconds() {
    let port = broker::rumqttd();
    let mut options = SimulateOptions::new(fleet(5), format!("mqtt://127.0.0.1:{port}"), start());
    options.scenario = slow(quiet());
    options.speed = 20_000.0;
    options.duration = Some(Duration::from_secs(4));
    let summary = within(simulate(options).task).await.expect("no panic").expect("no error");
    // 80,000 virtual seconds at a beat of 300 s are 266 beats a unit; a slow machine does fewer.
    assert!(summary.said[&Kind::Heartbeat] > 500, "{summary:?}");
    assert_eq!(summary.unacked, 0);
}

#[test]
fn what_cannot_start_says_what_to_do() {
    let attempt = |change: &dyn Fn(&mut SimulateOptions)| {
        let mut options = SimulateOptions::new(fleet(2), "mqtt://127.0.0.1:1", start());
        options.duration = Some(Duration::ZERO);
        change(&mut options);
        let (_control, commands) = mpsc::channel(1);
        run_blocking(options, commands, |_| {}).map_err(|e| e.to_string())
    };
    assert_eq!(attempt(&|_| {}).expect("nothing to do").units, 2);
    let texts = [
        attempt(&|o| o.broker = "localhost".to_owned()),
        attempt(&|o| o.fleet = Fleet::default()),
        attempt(&|o| o.root = "a/#".to_owned()),
        attempt(&|o| o.speed = 0.0),
        attempt(&|o| o.speed = f64::NAN),
        attempt(&|o| o.acked_file = Some("no/such/folder/acked.csv".into())),
        attempt(&|o| o.password_file = Some("no-such-file".into())),
        attempt(&|o| {
            o.broker = "mqtts://x".to_owned();
            o.ca_file = Some("no-such-file".into());
        }),
    ]
    .map(|r| r.expect_err("refused"));
    insta::assert_snapshot!(texts.join("\n"));
}
