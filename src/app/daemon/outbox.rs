//! Sends what the judge has put into the outbox. Owns the tries; never decides what is sent. A mail goes out at least
//! once: sent first, marked after, always under its one Message-ID.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};

use crate::domain::{Fleet, Timestamp};
use crate::io::store::{DueMail, MailOutcome, StoreReader};

use super::judge::Control;
use super::post_office::PostOffice;
use crate::app::clock;

/// At a time; the rest waits for the next round.
const ROUND: u32 = 50;
/// Nothing rang for this long: look anyway, a retry may be due.
const LOOK_EVERY: Duration = Duration::from_secs(5);

pub async fn run(
    reader: Arc<StoreReader>,
    office: Arc<PostOffice>,
    fleet: Arc<dyn Fn() -> Arc<Fleet> + Send + Sync>,
    control: mpsc::Sender<Control>,
    ring: Arc<Notify>,
) {
    loop {
        let due = match due_mails(&reader, clock::now()).await {
            Ok(due) => due,
            Err(why) => {
                tracing::error!("the outbox cannot be read: {why}");
                Vec::new()
            }
        };
        let more = due.len() == ROUND as usize;
        for DueMail { notice, tries } in due {
            let outcome = office.send(&notice, &fleet(), tries, clock::now()).await;
            match &outcome {
                MailOutcome::Sent => tracing::info!("mail {} to {} sent", notice.kind, notice.to),
                MailOutcome::TryAgain { at, error } => {
                    tracing::warn!("mail {} to {} not sent, next try at {at}: {error}", notice.kind, notice.to);
                }
                MailOutcome::Refused { error } => {
                    tracing::error!("mail {} to {} was refused for good: {error}", notice.kind, notice.to);
                }
            }
            let (done, committed) = oneshot::channel();
            let told = control.send(Control::Mail { message_id: notice.message_id, outcome, done }).await;
            // Marked before the next look, or the same mail would be due again.
            if told.is_err() || committed.await.is_err() {
                return;
            }
        }
        if !more {
            tokio::select! {
                () = ring.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}

async fn due_mails(reader: &Arc<StoreReader>, now: Timestamp) -> Result<Vec<DueMail>, String> {
    let reader = Arc::clone(reader);
    match tokio::task::spawn_blocking(move || reader.outbox_due(now, ROUND)).await {
        Ok(due) => due.map_err(|e| e.to_string()),
        Err(e) => Err(e.to_string()),
    }
}
