//! A unit made by hand: it connects, subscribes to its commands, and answers them in its manner. Gone when dropped.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rumqttc::{Client, Event, Incoming, MqttOptions, QoS};

use crate::process::{millis_now, wait_until};

#[derive(Clone, Copy)]
pub enum Manner {
    /// Replies yes, and does nothing.
    Obeys,
    Refuses(&'static str),
    SaysNothing,
}

pub struct HandMade {
    id: String,
    boot: u32,
    seq: Arc<AtomicU64>,
    client: Client,
    seen: Arc<Seen>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    subscribed: AtomicBool,
    stop: AtomicBool,
    commands: Mutex<Vec<String>>,
}

impl HandMade {
    pub fn start(port: u16, id: &str, boot: u32, manner: Manner) -> HandMade {
        let mut options = MqttOptions::new(id, "127.0.0.1", port);
        options.set_keep_alive(Duration::from_secs(30));
        let (client, mut connection) = Client::new(options, 16);
        let (seq, seen) = (Arc::new(AtomicU64::new(1)), Arc::new(Seen::default()));
        let (our_seen, our_seq, sender, name) = (Arc::clone(&seen), Arc::clone(&seq), client.clone(), id.to_owned());
        let thread = std::thread::spawn(move || {
            for event in connection.iter() {
                if our_seen.stop.load(Ordering::SeqCst) {
                    return;
                }
                match event {
                    Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                        our_seen.subscribed.store(false, Ordering::SeqCst);
                        sender.try_subscribe(format!("buttonwatch/v1/{name}/command"), QoS::AtLeastOnce).expect("room");
                        say(&sender, &name, boot, &our_seq, "heartbeat", r#""interval_s":60"#);
                    }
                    Ok(Event::Incoming(Incoming::SubAck(_))) => our_seen.subscribed.store(true, Ordering::SeqCst),
                    Ok(Event::Incoming(Incoming::Publish(publish))) => {
                        let command: serde_json::Value = serde_json::from_slice(&publish.payload).expect("JSON");
                        let id = command["id"].as_str().expect("an id").to_owned();
                        let answer = match manner {
                            Manner::Obeys => Some(format!(r#""id":"{id}","ok":true"#)),
                            Manner::Refuses(why) => Some(format!(r#""id":"{id}","ok":false,"error":"{why}""#)),
                            Manner::SaysNothing => None,
                        };
                        our_seen.commands.lock().expect("no panic").push(id);
                        if let Some(answer) = answer {
                            say(&sender, &name, boot, &our_seq, "reply", &answer);
                        }
                    }
                    Ok(_) => {}
                    // The service was restarted: connect again, not in a storm.
                    Err(_) => {
                        our_seen.subscribed.store(false, Ordering::SeqCst);
                        std::thread::park_timeout(Duration::from_millis(50));
                    }
                }
            }
        });
        HandMade { id: id.to_owned(), boot, seq, client, seen, thread: Some(thread) }
    }

    pub fn wait_until_subscribed(&self) {
        wait_until("the unit takes commands", || self.seen.subscribed.load(Ordering::SeqCst));
    }

    /// `more`: the fields beside ts, boot and seq.
    pub fn say(&self, kind: &str, more: &str) {
        say(&self.client, &self.id, self.boot, &self.seq, kind, more);
    }

    /// The ids of the commands that came, and none of them twice in the answer to the next question.
    pub fn commands(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.commands.lock().expect("no panic"))
    }
}

impl Drop for HandMade {
    fn drop(&mut self) {
        self.seen.stop.store(true, Ordering::SeqCst);
        let _ = self.client.try_disconnect();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn say(client: &Client, id: &str, boot: u32, seq: &AtomicU64, kind: &str, more: &str) {
    let seq = seq.fetch_add(1, Ordering::SeqCst);
    let payload = format!(r#"{{"ts":{},"boot":{boot},"seq":{seq},{more}}}"#, millis_now());
    client.try_publish(format!("buttonwatch/v1/{id}/{kind}"), QoS::AtLeastOnce, false, payload).expect("room");
}
