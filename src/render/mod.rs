//! Values → mails, tables, pages. Layer 1, golden-tested. Never does I/O.
pub mod mail;
pub mod table;
pub mod timeline;
