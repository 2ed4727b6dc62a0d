//! A unit whose camera fails its tests until somebody has been there: the test that is asked for after the repair passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rumqttc::{Client, Event, Incoming, MqttOptions, QoS};

use crate::process::millis_now;

pub struct Faulty {
    pub is_faulty: bool,
    asked: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    client: Client,
    thread: Option<JoinHandle<()>>,
}

/// It beats once, when it connects: nothing may become silent before the test is over, whatever else the machine does.
const INTERVAL_S: u32 = 1_800;

impl Faulty {
    pub fn start(port: u16, id: &str, is_faulty: bool) -> Faulty {
        let mut options = MqttOptions::new(id, "127.0.0.1", port);
        options.set_keep_alive(Duration::from_secs(30));
        let (client, mut connection) = Client::new(options, 64);
        let (asked, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let (name, sender) = (id.to_owned(), client.clone());
        let (our_asked, our_stop) = (Arc::clone(&asked), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut seq = 0;
            let mut say = |kind: &str, more: &str| {
                seq += 1;
                let payload = format!(r#"{{"ts":{},"boot":1,"seq":{seq},{more}}}"#, millis_now());
                let topic = format!("buttonwatch/v1/{name}/{kind}");
                sender.try_publish(topic, QoS::AtLeastOnce, false, payload).expect("room");
            };
            for event in connection.iter() {
                if our_stop.load(Ordering::SeqCst) {
                    return;
                }
                match event {
                    Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                        sender.try_subscribe(format!("buttonwatch/v1/{name}/command"), QoS::AtLeastOnce).expect("room");
                        say("heartbeat", &format!(r#""interval_s":{INTERVAL_S},"rssi_dbm":-71,"temp_c":31"#));
                        say("power", r#""mains":true,"mains_v":226,"battery_v":13.7,"charge_a":0.2"#);
                        say("selftest", &results("boot", "pass"));
                        let is_broken = is_faulty && our_asked.load(Ordering::SeqCst) == 0;
                        for _ in 0..if is_broken { 3 } else { 0 } {
                            say("selftest", &results("schedule", "fail"));
                        }
                    }
                    Ok(Event::Incoming(Incoming::Publish(publish))) => {
                        let command: serde_json::Value = serde_json::from_slice(&publish.payload).expect("JSON");
                        say("reply", &format!(r#""id":{},"ok":true"#, command["id"]));
                        if command["do"] == "selftest" {
                            our_asked.fetch_add(1, Ordering::SeqCst);
                            say("selftest", &format!(r#""id":{},{}"#, command["id"], results("command", "pass")));
                        }
                    }
                    Ok(_) => {}
                    Err(_) => std::thread::park_timeout(Duration::from_millis(50)),
                }
            }
        });
        Faulty { is_faulty, asked, stop, client, thread: Some(thread) }
    }

    pub fn tests_asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

fn results(trigger: &str, camera: &str) -> String {
    let well = |name: &str| format!(r#""{name}":{{"result":"pass"}}"#);
    let others = ["microphone", "speaker", "button", "stream"].map(well).join(",");
    format!(
        r#""trigger":"{trigger}","results":{{"camera":{{"result":"{camera}","sharpness":150,"mode":"day"}},{others}}}"#
    )
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = self.client.try_disconnect();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
