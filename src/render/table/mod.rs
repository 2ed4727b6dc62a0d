//! Rows → tables and pages for people in a terminal, 80 columns wide or as wide as it is. Owns how lists look and how
//! they are cut to fit. Never reads a clock, a terminal or an environment: [`Look`] brings all of that.

mod availability;
mod card;
mod cell;
mod chosen;
mod command;
mod fleet;
mod grid;
mod near;
mod order;
mod page;
mod public;
mod record;
mod report;
mod series;
mod service;
#[cfg(test)]
mod tests;
mod trouble;
mod when;

use chrono_tz::Tz;

use crate::domain::Timestamp;

pub(in crate::render) use availability::percent;
pub use availability::{availability, unit_history};
pub use card::{DAY_SERIES, unit_card, unit_card_within};
pub use cell::{clean, fit, width, wrap};
pub use chosen::chosen;
pub use command::{command, commands};
pub use fleet::{all_units, found_units, import_plan, quarantine, unit_list};
pub use near::{NearRow, near};
pub use order::{order_detail, order_list};
pub use public::{PublicLine, public_report};
pub use record::{PlanLine, Record, csv, csv_of};
pub use report::{ReportLine, report};
pub(in crate::render) use report::{presses_told, span};
pub use series::series;
pub use service::{mail, metrics, outbox, refusals};
pub use trouble::{alerts, counted, incidents};
pub use when::{age, in_local_time, local_and_age};

/// What the reader has before the eyes.
#[derive(Debug, Clone)]
pub struct Look {
    /// Columns. No line of a list is wider, nor of a page from 48 columns on.
    pub width: usize,
    pub colour: bool,
    /// The reader's terminal puts Urdu in right-to-left order by itself: each such text is fenced in, so that it does
    /// not carry the figures beside it along.
    pub bidi: bool,
    pub zone: Tz,
    pub now: Timestamp,
}

/// `lead` and the text, its further lines under itself; none wider than the look, where a word can be broken.
pub fn wrapped(lead: &str, text: &str, look: &Look) -> Vec<String> {
    const LEAST: usize = 20;
    let margin = width(lead);
    let mut lead = lead.to_owned();
    let lines = cell::wrap(text, look.width.saturating_sub(margin).max(LEAST)).into_iter();
    lines.map(|line| std::mem::replace(&mut lead, " ".repeat(margin)) + &line).collect()
}

impl Look {
    /// What a file or a pipe gets.
    pub fn plain(now: Timestamp) -> Self {
        Look { width: 80, colour: false, bidi: false, zone: chrono_tz::Asia::Karachi, now }
    }
}
