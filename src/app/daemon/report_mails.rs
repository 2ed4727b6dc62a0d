//! Mails the reports that the settings ask for, when their period is over. Owns the calendar of it; what a report says is
//! `reports`', and the judge commits the mail like any other.
//!
//! A report's mail has one id for its period, whenever it is made: after a crash or a day off it is made once.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::config::service::ServiceConfig;
use crate::domain::report::{Report, ReportPeriod, ReportSpan};
use crate::domain::view::{Answer, Ask};
use crate::domain::{MessageId, Notice, NoticeKind, NoticeReason, Recipient, Timestamp};

use super::Handle;
use super::judge::Control;
use super::reports::period_over;
use crate::app::clock;

/// The clock is looked at so often: a report is not awaited to the second.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// After a longer time off, the next period's report is news, and this one is not.
const LATE: Duration = Duration::from_secs(2 * 86_400);

pub(super) async fn run(config: ServiceConfig, handle: Handle) {
    if config.report.mailed.is_empty() {
        return;
    }
    let started_at = clock::now();
    let mut done = BTreeSet::new();
    loop {
        for period in &config.report.mailed {
            let due = due(&config, *period, clock::now());
            if done.contains(&(*period, due.0)) {
                continue;
            }
            match mail(&config, &handle, *period, due, started_at).await {
                Ok(()) => {
                    done.insert((*period, due.0));
                }
                Err(why) => tracing::warn!("the {period} report is not mailed yet: {why}"),
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Nobody watched: there is nothing to tell.
fn is_empty(report: &Report) -> bool {
    report.counts_from.is_some_and(|from| from >= report.to)
}

/// The end of the newest period whose report should be out by now, and when it was to go out.
fn due(config: &ServiceConfig, period: ReportPeriod, now: Timestamp) -> (Timestamp, Timestamp) {
    let goes_out =
        |end: Timestamp| config.report.mailed_at.next_after(config.time_zone, end - Duration::from_millis(1));
    let end = period_over(period, now, config.time_zone);
    if goes_out(end) <= now {
        return (end, goes_out(end));
    }
    // The newest is over, and not to be told before breakfast.
    let before = period_over(period, end - Duration::from_millis(1), config.time_zone);
    (before, goes_out(before))
}

async fn mail(
    config: &ServiceConfig,
    handle: &Handle,
    period: ReportPeriod,
    (end, at): (Timestamp, Timestamp),
    started_at: Timestamp,
) -> Result<(), String> {
    let id = message_id(config, period, end)?;
    let known = |id: &MessageId| handle.reader.outbox_row(id).map(|row| row.is_some()).map_err(|e| e.to_string());
    if known(&id)? {
        return Ok(());
    }
    if at < started_at {
        // We were off, or this is the first start. A period that nobody watched is no news; one in a row of others is.
        let before = period_over(period, end - Duration::from_millis(1), config.time_zone);
        if started_at.since(at) > LATE || !known(&message_id(config, period, before)?)? {
            return Ok(());
        }
    }
    let span = ReportSpan { period, until: Some(end), last: false };
    let report = match handle.ask(Ask::Report(span)).await.map_err(|e| e.to_string())? {
        Answer::Report(report) => report,
        other => return Err(format!("asked for a report, the service gave {other:?}")),
    };
    if is_empty(&report) {
        return Ok(());
    }
    let notice = Box::new(notice(id, at, report));
    handle.control.send(Control::Notice(notice)).await.map_err(|_| "the service is stopping".to_owned())
}

fn message_id(config: &ServiceConfig, period: ReportPeriod, end: Timestamp) -> Result<MessageId, String> {
    MessageId::parse(&format!("<report.{period}.{}@{}>", end.as_millis(), config.mail.domain))
        .map_err(|e| e.to_string())
}

fn notice(message_id: MessageId, at: Timestamp, report: Box<Report>) -> Notice {
    Notice {
        at,
        kind: NoticeKind::Report,
        to: Recipient::ReportReaders,
        message_id,
        in_reply_to: None,
        references: Vec::new(),
        why: NoticeReason::Scheduled,
        reason: "a period is over".to_owned(),
        orders: Vec::new(),
        incident: None,
        incidents: Vec::new(),
        report: Some(report),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notice_plan::TimeOfDay;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time of this test")
    }

    #[test]
    fn a_report_goes_out_at_its_hour_after_its_period_and_not_before() {
        let mut config = ServiceConfig::default();
        config.report.mailed_at = TimeOfDay::parse("07:30").expect("a time");
        let check = |period, now: &str, end: &str, out: &str| {
            assert_eq!(due(&config, period, at(now)), (at(end), at(out)), "{period} at {now}");
        };
        // Karachi: Monday 23 November begins at 19:00 UTC on Sunday; 07:30 is 02:30 UTC.
        check(ReportPeriod::Weekly, "2026-11-23T02:30:00Z", "2026-11-22T19:00:00Z", "2026-11-23T02:30:00Z");
        check(ReportPeriod::Weekly, "2026-11-23T02:29:59Z", "2026-11-15T19:00:00Z", "2026-11-16T02:30:00Z");
        check(ReportPeriod::Daily, "2026-11-24T12:00:00Z", "2026-11-23T19:00:00Z", "2026-11-24T02:30:00Z");
        check(ReportPeriod::Monthly, "2026-11-24T12:00:00Z", "2026-10-31T19:00:00Z", "2026-11-01T02:30:00Z");
    }
}
