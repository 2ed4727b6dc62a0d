//! Values → mails, tables, pages. Layer 1, golden-tested. Never does I/O.
pub mod alertmanager;
pub mod backtest;
pub mod board;
pub mod chart;
pub mod crew_page;
pub mod explain;
pub mod line_protocol;
pub mod mail;
pub mod points;
pub mod public_page;
pub mod report_page;
pub mod rule_test;
mod sheet;
pub mod table;
pub mod timeline;
