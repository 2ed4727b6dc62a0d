//! Judges a CONNECT: who it is, and whether it may come in.
//!
//! *Passwords*: the user name is the unit's id. *Open* (loopback only): the user name if there is one; else the client id if
//! the fleet knows a unit of that name; else the unit named by the topic of the last will or of the first PUBLISH or
//! SUBSCRIBE. So `mosquitto_pub -t buttonwatch/v1/PSH-001/heartbeat`, with no other setting, is PSH-001.
//!
//! Never touches a socket, never counts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::Semaphore;

use crate::domain::UnitId;
use crate::wire::refusal::RefusalKind;

use super::packet::{ConnectReturnCode, Fault, Hello, Will};
use super::passwords::PasswordFile;
use super::register::ClientKey;
use super::topics::{Topics, Verdict};
use super::{Identity, Known};

/// What came of a good CONNECT.
#[derive(Debug)]
pub struct Admitted {
    /// None: open mode, and nothing names the unit yet.
    pub unit: Option<UnitId>,
    pub client: ClientKey,
    pub will: Option<Will>,
    pub keep_alive_s: u16,
    /// Of the passwords it was judged by.
    pub generation: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Denied {
    pub code: ConnectReturnCode,
    pub fault: Fault,
    /// As the CONNECT claims it.
    pub unit: Option<String>,
    /// Of the last will, when that is what was wrong.
    pub topic: String,
}

pub struct Admission {
    topics: Topics,
    known: Known,
    identity: RwLock<Arc<Identity>>,
    /// Grows with each change of passwords.
    generation: AtomicU64,
    anonymous: AtomicU64,
    /// Slow hashes at a time: half the cores, so that wrong passwords never take the machine from connected units.
    slow: Semaphore,
    /// Chosen passwords that were right, by a keyed hash: after an outage thousands of units come back at once, and only the
    /// first time may cost 25 ms each. In memory only; emptied when passwords change.
    proven: Mutex<Proven>,
    key: [u8; 32],
}

#[derive(Default)]
struct Proven {
    generation: u64,
    units: HashMap<UnitId, [u8; 32]>,
}

impl Admission {
    /// MQTT promises 23 bytes; mosquitto's own are 41.
    const CLIENT_ID_MAX: usize = 128;

    /// Err: this machine gives no random numbers.
    pub fn new(topics: Topics, known: Known, identity: Identity) -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        Ok(Admission {
            topics,
            known,
            identity: RwLock::new(Arc::new(identity)),
            generation: AtomicU64::new(0),
            anonymous: AtomicU64::new(0),
            slow: Semaphore::new((cores / 2).max(1)),
            proven: Mutex::default(),
            key,
        })
    }

    fn identity(&self) -> (u64, Arc<Identity>) {
        let identity = self.identity.read().unwrap_or_else(PoisonError::into_inner);
        (self.generation.load(Ordering::Acquire), Arc::clone(&identity))
    }

    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Returns what was in force.
    pub fn set_passwords(&self, passwords: Arc<PasswordFile>) -> Arc<Identity> {
        let mut identity = self.identity.write().unwrap_or_else(PoisonError::into_inner);
        let generation = self.generation.fetch_add(1, Ordering::AcqRel) + 1;
        *self.proven.lock().unwrap_or_else(PoisonError::into_inner) = Proven { generation, units: HashMap::new() };
        std::mem::replace(&mut *identity, Arc::new(Identity::Passwords(passwords)))
    }

    pub async fn judge(&self, hello: Hello) -> Result<Admitted, Denied> {
        self.check_client_id(&hello)?;
        let (generation, identity) = self.identity();
        let (mut unit, scope) = match &*identity {
            Identity::Open => (self.open_unit(&hello)?, None),
            Identity::Passwords(file) => {
                let unit = self.check_password(generation, file, &hello).await?;
                (Some(unit.clone()), Some(unit))
            }
        };
        if let Some(will) = &hello.will {
            match self.topics.judge_publish(unit.as_ref(), &will.topic) {
                Verdict::Own => {}
                Verdict::Binds(named) => unit = Some(named),
                Verdict::Refused(fault) | Verdict::Broken(fault) => {
                    return Err(Denied {
                        code: ConnectReturnCode::NotAuthorized,
                        fault: Fault { why: format!("last will: {}", fault.why), ..fault },
                        unit: unit.map(String::from),
                        topic: will.topic.clone(),
                    });
                }
            }
        }
        let client_id = if hello.client_id.is_empty() {
            // No client can choose this one: a client id holds no slash.
            format!("/{}", self.anonymous.fetch_add(1, Ordering::Relaxed)).into()
        } else {
            hello.client_id.into()
        };
        Ok(Admitted {
            unit,
            client: ClientKey { unit: scope, client_id },
            will: hello.will,
            keep_alive_s: hello.keep_alive_s,
            generation,
        })
    }

    fn check_client_id(&self, hello: &Hello) -> Result<(), Denied> {
        let id = &hello.client_id;
        let why = if let Some(wrong) = id.chars().find(|c| matches!(c, '+' | '$' | '#' | '/') || c.is_control()) {
            format!("{wrong:?} in the client id {:?}; use letters, digits, _ and -", shortened(id))
        } else if id.len() > Self::CLIENT_ID_MAX {
            format!("a client id of {} bytes; use at most {}", id.len(), Self::CLIENT_ID_MAX)
        } else if id.is_empty() && !hello.clean_session {
            "no client id, but a session to be kept; give the unit a client id, or ask for a clean session".to_owned()
        } else {
            return Ok(());
        };
        let fault = Fault { kind: RefusalKind::BadClientId, why };
        Err(Denied {
            code: ConnectReturnCode::BadClientId,
            fault,
            unit: hello.username.as_deref().map(shortened),
            topic: String::new(),
        })
    }

    fn open_unit(&self, hello: &Hello) -> Result<Option<UnitId>, Denied> {
        match &hello.username {
            Some(name) => UnitId::parse(name).map(Some).map_err(|invalid| credentials(Some(name), invalid.to_string())),
            None if (self.known)(&hello.client_id) => Ok(UnitId::parse(&hello.client_id).ok()),
            None => Ok(None),
        }
    }

    async fn check_password(&self, generation: u64, file: &Arc<PasswordFile>, hello: &Hello) -> Result<UnitId, Denied> {
        let Some(name) = &hello.username else {
            return Err(credentials(None, "no user name; a unit gives its id and its password"));
        };
        let password = hello.password.as_deref().unwrap_or_default();
        let tag = self.tag(name, password);
        if let Ok(unit) = UnitId::parse(name)
            && self.is_proven(generation, &unit, &tag)
        {
            return Ok(unit);
        }
        let hash = file.hash_or_decoy(name, self.spread(name));
        let right = if hash.is_slow() {
            let _turn = self.slow.acquire().await.expect("this semaphore is never closed");
            let password = password.to_owned();
            let hash = hash.clone();
            tokio::task::spawn_blocking(move || hash.verify(&password)).await.unwrap_or(false)
        } else {
            hash.verify(password)
        };
        match UnitId::parse(name) {
            Ok(unit) if right => {
                if hash.is_slow() {
                    self.remember(generation, &unit, tag);
                }
                Ok(unit)
            }
            // One answer for both: whoever guesses shall not learn which units exist.
            Ok(_) | Err(_) => Err(credentials(Some(name), "unknown unit or wrong password")),
        }
    }

    fn is_proven(&self, generation: u64, unit: &UnitId, tag: &[u8; 32]) -> bool {
        let proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        // Both are keyed hashes: comparing them in the plain way tells nothing about the password.
        proven.generation == generation && proven.units.get(unit) == Some(tag)
    }

    fn remember(&self, generation: u64, unit: &UnitId, tag: [u8; 32]) {
        let mut proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        if proven.generation == generation {
            proven.units.insert(unit.clone(), tag);
        }
    }

    fn tag(&self, name: &str, password: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(name.as_bytes());
        mac.update(&[0]);
        mac.update(password.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// The same for the same name while the service runs, and no one outside can tell it beforehand.
    fn spread(&self, name: &str) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.tag(name, "");
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

fn credentials(name: Option<&str>, why: impl Into<String>) -> Denied {
    Denied {
        code: ConnectReturnCode::BadUserNamePassword,
        fault: Fault { kind: RefusalKind::BadCredentials, why: why.into() },
        unit: name.map(shortened),
        topic: String::new(),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::super::passwords::{PasswordHash, generate};
    use super::*;

    fn admission(identity: Identity) -> Admission {
        let known: Known = Arc::new(|name: &str| name == "PSH-001");
        Admission::new(Topics::new("buttonwatch/v1"), known, identity).unwrap()
    }

    fn hello(client_id: &str, username: Option<&str>, password: Option<&str>, will: Option<&str>) -> Hello {
        Hello {
            client_id: client_id.into(),
            clean_session: true,
            keep_alive_s: 30,
            username: username.map(Into::into),
            password: password.map(Into::into),
            will: will.map(|topic| Will { topic: topic.into(), payload: Default::default() }),
        }
    }

    async fn said(admission: &Admission, hello: Hello) -> String {
        match admission.judge(hello).await {
            Ok(admitted) => match admitted.unit {
                Some(unit) => format!("is {unit}"),
                None => "unbound".to_owned(),
            },
            Err(denied) => format!("{:?} {}", denied.code, denied.fault.kind),
        }
    }

    #[tokio::test]
    async fn in_open_mode_a_unit_is_known_by_name_or_client_id_or_will() {
        let open = admission(Identity::Open);
        let status = |unit: &str| format!("buttonwatch/v1/{unit}/status");
        for (client_id, username, will, expected) in [
            ("mosq-abc", None, None, "unbound"),
            ("", None, None, "unbound"),
            ("PSH-001", None, None, "is PSH-001"),
            ("PSH-002", None, None, "unbound"),
            ("mosq-abc", Some("PSH-002"), None, "is PSH-002"),
            ("PSH-001", Some("PSH-002"), None, "is PSH-002"),
            ("x", Some("no unit"), None, "BadUserNamePassword bad-credentials"),
            ("x", None, Some(status("PSH-003")), "is PSH-003"),
            ("PSH-001", None, Some(status("PSH-001")), "is PSH-001"),
            ("PSH-001", None, Some(status("PSH-003")), "NotAuthorized foreign-topic"),
            ("x", Some("PSH-002"), Some(status("PSH-003")), "NotAuthorized foreign-topic"),
            ("x", None, Some("é/x".to_owned()), "NotAuthorized bad-topic"),
            ("x", None, Some(String::new()), "NotAuthorized bad-topic"),
            ("a+", None, None, "BadClientId bad-client-id"),
            ("a$b", None, None, "BadClientId bad-client-id"),
            ("#", None, None, "BadClientId bad-client-id"),
            ("a/b", None, None, "BadClientId bad-client-id"),
            ("a\u{7}", None, None, "BadClientId bad-client-id"),
        ] {
            let hello = hello(client_id, username, None, will.as_deref());
            assert_eq!(said(&open, hello).await, expected, "{client_id} {username:?} {will:?}");
        }
        let long = "x".repeat(129);
        assert_eq!(said(&open, hello(&long, None, None, None)).await, "BadClientId bad-client-id");
        let kept = Hello { clean_session: false, ..hello("", None, None, None) };
        assert_eq!(said(&open, kept).await, "BadClientId bad-client-id");
    }

    #[tokio::test]
    async fn with_passwords_only_the_right_one_lets_a_unit_in() {
        let (generated, mut file) = (generate().unwrap(), PasswordFile::default());
        file.set(UnitId::parse("PSH-001").unwrap(), generated.hash.clone());
        file.set(UnitId::parse("PSH-002").unwrap(), PasswordHash::of_chosen("qissa khwani").unwrap());
        let guarded = admission(Identity::Passwords(Arc::new(file.clone())));
        let right = generated.password.as_str();
        let denied = "BadUserNamePassword bad-credentials";
        for (username, password, expected) in [
            (Some("PSH-001"), Some(right), "is PSH-001"),
            (Some("PSH-002"), Some("qissa khwani"), "is PSH-002"),
            (Some("PSH-002"), Some("qissa khwani"), "is PSH-002"),
            (Some("PSH-002"), Some("qissa khwanj"), denied),
            (Some("PSH-002"), Some(right), denied),
            (Some("PSH-001"), Some(""), denied),
            (Some("PSH-001"), None, denied),
            (Some("PSH-003"), Some(right), denied),
            (Some("../é"), Some(right), denied),
            (None, None, denied),
        ] {
            // The client id alone is nothing, even a unit's.
            let hello = hello("PSH-001", username, password, None);
            assert_eq!(said(&guarded, hello).await, expected, "{username:?} {password:?}");
        }
        file.set(UnitId::parse("PSH-002").unwrap(), PasswordHash::of_chosen("jinnah park!").unwrap());
        guarded.set_passwords(Arc::new(file));
        assert_eq!(said(&guarded, hello("x", Some("PSH-002"), Some("qissa khwani"), None)).await, denied);
        assert_eq!(said(&guarded, hello("x", Some("PSH-002"), Some("jinnah park!"), None)).await, "is PSH-002");
    }
}
