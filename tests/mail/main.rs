//! Mails, from the decision to the mailbox.

mod crash;
mod crew_pages;
mod delivery;
#[path = "../fake_service/mod.rs"]
mod fake_service;
#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "../servers/postfix.rs"]
mod postfix;
#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "../service/process.rs"]
mod process;
#[path = "../servers/program.rs"]
mod program;
mod server;
#[path = "../servers/smtp_faults.rs"]
mod smtp_faults;
mod week;
