//! Reports, from the store's history and what the engine knows now. Never decides, never holds up the judge: the service
//! asks here on a thread of its own.
//!
//! An edition for the public is made once and kept in the data folder: were it made anew, a button that joined the fleet
//! or left it in between could be told by the difference.

mod calendar;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono_tz::Tz;

use crate::app::whole_file;
use crate::config::service::ServiceConfig;
use crate::domain::outlook::{Outlook, PressLine};
use crate::domain::public_report::{PublicReport, PublicRules, public_report};
use crate::domain::report::{Material, ReportPeriod, ReportSpan, UnitPeriod, report};
use crate::domain::view::{Answer, AskError, OrderView, UnitRow};
use crate::domain::{Timestamp, UnitId};
use crate::io::store::{StoreError, StoreOptions, StoreReader};

use super::answers::unreadable;
use super::history;
use calendar::Period;

pub(crate) const EDITION_FILE: &str = "public-report.json";

/// When the last day, week or month that was over by `now` ended, by the clocks of `zone`.
pub(super) fn period_over(period: ReportPeriod, now: Timestamp, zone: Tz) -> Timestamp {
    calendar::whole(period, now, zone).to
}

/// What is the same for all reports.
pub struct Reports {
    zone: Tz,
    public_period: ReportPeriod,
    public_delay: Duration,
    public_smallest_group: usize,
    edition_file: PathBuf,
    /// The newest that was made or read.
    edition: Mutex<Option<PublicReport>>,
}

impl Reports {
    pub fn new(config: &ServiceConfig) -> Self {
        Reports {
            zone: config.time_zone,
            public_period: config.report.public_period,
            public_delay: config.report.public_delay,
            public_smallest_group: config.report.public_smallest_group,
            edition_file: config.data.join(EDITION_FILE),
            edition: Mutex::new(None),
        }
    }

    pub fn report(
        &self,
        store: &StoreReader,
        units: &[UnitRow],
        outlook: &Outlook,
        now: Timestamp,
        span: ReportSpan,
    ) -> Result<Answer, AskError> {
        let kept = StoreOptions::default().history_keep;
        let until = history::check_since(now, span.until.or(Some(now)), Duration::ZERO, kept, "history is")?;
        let period = match span.last {
            true => calendar::last(span.period, until),
            false => calendar::whole(span.period, until, self.zone),
        };
        history::check_since(now, Some(period.from), Duration::ZERO, kept, "history is")?;
        let gathered = Gathered::read(store, units, &period)?;
        let material = gathered.material(self.zone, outlook, now, (span.period, span.last), &period);
        Ok(Answer::Report(Box::new(report(&material))))
    }

    /// The edition that is due, if it is at hand: for those who ask often.
    pub fn edition(&self, now: Timestamp) -> Option<PublicReport> {
        let due = self.due(now);
        self.held().as_ref().filter(|e| is_current(e, &due)).cloned()
    }

    /// The last period that was over `public_delay` ago.
    fn due(&self, now: Timestamp) -> Period {
        calendar::whole(self.public_period, now - self.public_delay, self.zone)
    }

    fn held(&self) -> MutexGuard<'_, Option<PublicReport>> {
        // A panic elsewhere left a whole edition or none.
        self.edition.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn public_report(
        &self,
        store: &StoreReader,
        units: &[UnitRow],
        outlook: &Outlook,
        now: Timestamp,
    ) -> Result<Answer, AskError> {
        let due = self.due(now);
        // Held until it is written: two who ask at once get the same edition.
        let mut held = self.held();
        if held.is_none() {
            *held = std::fs::read(&self.edition_file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        }
        if let Some(edition) = held.as_ref().filter(|e| is_current(e, &due)) {
            return Ok(Answer::PublicReport(Box::new(edition.clone())));
        }
        let gathered = Gathered::read(store, units, &due)?;
        let rules = PublicRules {
            smallest_group: self.public_smallest_group,
            next_at: calendar::next_end(self.public_period, now - self.public_delay, self.zone) + self.public_delay,
        };
        let edition =
            public_report(&gathered.material(self.zone, outlook, now, (self.public_period, false), &due), rules);
        let text = serde_json::to_vec(&edition).map_err(|e| AskError::Unavailable(e.to_string()))?;
        // What cannot be kept is not published: the next one might tell the difference.
        whole_file::write(&self.edition_file, &text).map_err(|e| {
            let path = self.edition_file.display();
            AskError::Unavailable(format!(
                "the public report cannot be kept in {path}: {e}; make room, or the folder writable"
            ))
        })?;
        *held = Some(edition.clone());
        Ok(Answer::PublicReport(Box::new(edition)))
    }
}

/// The next one begins where this one ended, or later, whatever became of the clock, the time zone and the settings
/// meanwhile: of two that overlap, the difference would be told.
fn is_current(edition: &PublicReport, due: &Period) -> bool {
    due.from < edition.to
}

/// All that the store has on a period.
struct Gathered {
    units: Vec<UnitPeriod>,
    orders: Vec<OrderView>,
    presses: Vec<PressLine>,
    tested_before: BTreeMap<UnitId, Timestamp>,
    presses_since: Option<Timestamp>,
    history_begins: Option<Timestamp>,
}

impl Gathered {
    fn read(store: &StoreReader, units: &[UnitRow], period: &Period) -> Result<Self, AskError> {
        let of_period = history::of_period(store, units, period.from, period.to)?;
        let rest = || -> Result<_, StoreError> {
            Ok((
                store.orders(true)?,
                store.presses(period.from, period.to)?,
                store.tested_before(period.to)?,
                store.presses_kept_since()?,
                store.history_begins()?,
            ))
        };
        let (orders, presses, tested_before, presses_since, history_begins) = rest().map_err(unreadable)?;
        Ok(Gathered {
            units: of_period,
            orders: orders.iter().map(OrderView::from).collect(),
            presses,
            tested_before: tested_before.into_iter().collect(),
            presses_since,
            history_begins,
        })
    }

    fn material<'a>(
        &'a self,
        zone: Tz,
        outlook: &'a Outlook,
        now: Timestamp,
        (period, last): (ReportPeriod, bool),
        days: &'a Period,
    ) -> Material<'a> {
        Material {
            period,
            last,
            time_zone: zone.name(),
            from: days.from,
            to: days.to,
            made_at: now,
            // Nothing that is kept is older: before it nobody watched.
            counts_from: self.history_begins.filter(|begins| *begins > days.from),
            days: &days.days,
            units: &self.units,
            orders: &self.orders,
            outlook,
            presses: &self.presses,
            tested_before: &self.tested_before,
            presses_since: self.presses_since,
        }
    }
}
