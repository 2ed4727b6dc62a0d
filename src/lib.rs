//! Buttonwatch keeps a city's emergency buttons alive.
//!
//! One question rules the design: **can this button summon help right now?** That is *readiness*.
//!
//! ```text
//!  cli    L4   arguments in, text or JSON out
//!   └─ app    L3   the clock, the daemon's loop, replay, simulator, demo, doctor
//!       ├─ io      L2   gateway · bus · mqtt · store · smtp · http · alertmanager: never the engine, never each other
//!       ├─ engine  L1   every decision; pure: time and data in, effects with reasons out
//!       ├─ config  L1   buttonwatch.toml, alerts.toml, fleet.csv → values, or every problem at once
//!       ├─ wire    L1   MQTT topic and bytes ↔ domain; recordings
//!       ├─ render  L1   values → mails, tables, timelines
//!       └─ domain  L0   the words of DESIGN §2 as types
//! ```
//!
//! A heartbeat's path: socket → [`io::gateway`] (or [`io::mqtt`]), not yet acknowledged → [`app::daemon`] takes it from
//! the one ingest channel, [`wire::decode`] reads it, the daemon stamps *now* → [`engine::Engine::handle`] moves the
//! silence deadline → … silence … → the daemon wakes at [`engine::Engine::next_deadline`] → [`engine::Engine::advance`]:
//! alert → case → order → effects → [`io::store`] commits journal, alert, order and outbox in one transaction → the QoS 1
//! ack goes out → the outbox worker has [`render::mail`] write the mail and [`io::smtp`] send it.
//!
//! A restart loads the last checkpoint and judges the journal's lines after it again: a restored engine and one that never
//! stopped decide the same. `tests/files/tidy.rs` holds the layer rule.

pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod io;
pub mod render;
pub mod wire;
