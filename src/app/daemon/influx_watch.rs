//! Tells the operator by mail when history does not reach InfluxDB, and when it does again. Most fleets have nobody who looks at
//! figures all day. Owns what is worth a mail; the judge commits it like any other.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::domain::{MessageId, Notice, NoticeKind, NoticeReason, Recipient, Timestamp, span_text};
use crate::io::influx::{Delivery, DropReason, SpoolHandle};
use crate::io::store::StoreReader;

use super::judge::Control;
use crate::app::clock;

const LOOK_EVERY: Duration = Duration::from_secs(15);
/// A database that is started again is no news.
const REFUSED_FOR: Duration = Duration::from_secs(120);
/// The spool holds it; but an hour is longer than any upgrade takes.
const AWAY_FOR: Duration = Duration::from_secs(3600);
/// What waits no longer than this is on its way.
const WELL_BELOW: Duration = Duration::from_secs(60);

pub(super) async fn run(
    spool: SpoolHandle,
    reader: std::sync::Arc<StoreReader>,
    mail_domain: String,
    control: mpsc::Sender<Control>,
) {
    let told = match reader.newest_mail_of(&[NoticeKind::MonitorTrouble, NoticeKind::MonitorWell]) {
        Ok(newest) => newest.filter(|(kind, _)| *kind == NoticeKind::MonitorTrouble).map(|(_, id)| id),
        Err(e) => {
            tracing::warn!("whether the operator was told of InfluxDB before is not known: {e}");
            None
        }
    };
    let mut watch = Watch { mail_domain, told, ..Watch::default() };
    loop {
        let now = clock::now();
        if let Some(notice) = watch.look(now, &seen(&spool))
            && control.send(Control::Notice(Box::new(notice))).await.is_err()
        {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// How delivery fares.
#[derive(Debug, Clone, Default, PartialEq)]
struct Seen {
    /// It took the last write of each bucket.
    takes: bool,
    /// What InfluxDB says: it refuses all, until a person mends something.
    refused: Option<String>,
    waiting_points: u64,
    oldest: Duration,
    /// Since the start.
    dropped: u64,
}

fn seen(spool: &SpoolHandle) -> Seen {
    let stats = spool.stats();
    let held = stats.buckets.values().find(|b| b.delivery == Delivery::Held);
    Seen {
        takes: stats.is_well(),
        refused: held.map(|b| b.last_error.clone().unwrap_or_default()),
        waiting_points: stats.waiting_points(),
        oldest: stats.lag(),
        dropped: DropReason::ALL.iter().map(|why| stats.dropped(*why)).sum(),
    }
}

#[derive(Debug, Default)]
struct Watch {
    mail_domain: String,
    /// The mail whose end is not told yet.
    told: Option<MessageId>,
    refused_since: Option<Timestamp>,
    dropped: u64,
}

impl Watch {
    fn look(&mut self, now: Timestamp, seen: &Seen) -> Option<Notice> {
        let refused_since = seen.refused.is_some().then(|| *self.refused_since.get_or_insert(now));
        self.refused_since = refused_since;
        let lost = seen.dropped.saturating_sub(self.dropped);
        let is_refused = refused_since.is_some_and(|since| now.since(since) >= REFUSED_FOR);
        let trouble = match &seen.refused {
            _ if lost > 0 => Some(format!(
                "{lost} points of history were dropped, the oldest first: what waits for InfluxDB has reached its bound \
                 (spool_max_mb of [influx]) or the disk is full. Orders and mails go on as before"
            )),
            Some(said) if is_refused => Some(format!(
                "InfluxDB refuses what the service writes: {said}. {} points wait on the disk, nothing is lost yet. Orders \
                 and mails go on as before. `buttonwatch doctor` says what to do",
                seen.waiting_points
            )),
            Some(_) | None if seen.oldest >= AWAY_FOR => Some(format!(
                "InfluxDB has taken nothing for {}; {} points wait on the disk, nothing is lost yet. Orders and mails go on \
                 as before. Look whether InfluxDB runs",
                span_text(seen.oldest),
                seen.waiting_points
            )),
            Some(_) | None => None,
        };
        match (trouble, &self.told) {
            (Some(trouble), None) => {
                self.dropped = seen.dropped;
                let id = self.message_id(now, "began");
                self.told = Some(id.clone());
                Some(notice(now, NoticeKind::MonitorTrouble, id, None, trouble))
            }
            (None, Some(first)) if seen.takes && seen.oldest < WELL_BELOW => {
                let also = match lost {
                    0 => String::new(),
                    lost => format!("; {lost} more points were dropped meanwhile"),
                };
                let thread = first.clone();
                let id = self.message_id(now, "over");
                self.told = None;
                let reason = format!("InfluxDB takes what the service writes again{also}");
                Some(notice(now, NoticeKind::MonitorWell, id, Some(thread), reason))
            }
            // One mail for one trouble, however it changes.
            (Some(_) | None, _) => {
                self.dropped = seen.dropped.max(self.dropped);
                None
            }
        }
    }

    fn message_id(&self, now: Timestamp, word: &str) -> MessageId {
        let id = format!("<monitor.influx.{word}.{}@{}>", now.as_millis(), self.mail_domain);
        MessageId::parse(&id).expect("the settings' domain makes an id")
    }
}

fn notice(at: Timestamp, kind: NoticeKind, id: MessageId, thread: Option<MessageId>, reason: String) -> Notice {
    let why = if thread.is_some() { NoticeReason::AllClear } else { NoticeReason::OwnTrouble };
    Notice {
        at,
        kind,
        to: Recipient::Operator,
        message_id: id,
        in_reply_to: thread,
        references: Vec::new(),
        why,
        reason,
        orders: Vec::new(),
        incident: None,
        incidents: Vec::new(),
        report: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well() -> Seen {
        Seen { takes: true, oldest: Duration::from_secs(4), waiting_points: 20, ..Seen::default() }
    }

    /// What is told when this is seen every 15 s.
    fn told(seen: &[Seen]) -> Vec<String> {
        let mut watch = Watch { mail_domain: "example.org".to_owned(), ..Watch::default() };
        let look = |(i, seen): (usize, &Seen)| {
            let notice = watch.look(Timestamp::from_millis(15_000 * i as i64), seen)?;
            let thread = if notice.in_reply_to.is_some() { " in its thread" } else { "" };
            Some(format!("{}s {}{thread}: {}", 15 * i, notice.kind, &notice.reason[..40]))
        };
        seen.iter().enumerate().filter_map(look).collect()
    }

    #[test]
    fn a_refusal_that_stays_is_one_mail_and_its_end_another() {
        let refused = Seen { takes: false, refused: Some("401 unauthorized".to_owned()), ..well() };
        let seen = [vec![well(); 2], vec![refused; 20], vec![well(); 5]].concat();
        assert_eq!(
            told(&seen),
            [
                "150s monitor-trouble: InfluxDB refuses what the service writes",
                "330s monitor-well in its thread: InfluxDB takes what the service writes a"
            ]
        );
    }

    #[test]
    fn a_database_that_is_started_again_is_no_mail() {
        let refused = Seen { takes: false, refused: Some("404 no bucket".to_owned()), ..well() };
        assert_eq!(told(&[vec![refused; 7], vec![well(); 5]].concat()), Vec::<String>::new());
        let away = |minutes: u64| Seen {
            oldest: Duration::from_secs(60 * minutes),
            waiting_points: 90_000,
            ..Seen::default()
        };
        assert_eq!(told(&[away(1), away(20), away(59), well()]), Vec::<String>::new());
        assert_eq!(told(&[away(1), away(61), away(90), well()]).len(), 2);
    }

    #[test]
    fn what_is_dropped_is_told_at_once_and_not_again_each_time() {
        // A spool that drops holds nothing old: that alone is no end.
        let drops = |n| Seen { dropped: n, oldest: Duration::from_secs(6), waiting_points: 9, ..Seen::default() };
        let over = Seen { dropped: 12, ..well() };
        let seen = [well(), drops(5), drops(12), drops(12), over.clone(), over];
        let told = told(&seen);
        assert!(told[0].starts_with("15s monitor-trouble: 5 points of history were dropped"), "{told:?}");
        assert!(told[1].starts_with("60s monitor-well in its thread"), "{told:?}");
        assert_eq!(told.len(), 2);
    }
}
