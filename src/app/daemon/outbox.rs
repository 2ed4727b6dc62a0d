//! Sends what the judge has put into the outbox. Owns the tries and their pace; never decides what is sent. A mail goes out
//! at least once: sent first, marked after, always under its one Message-ID.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot};

use crate::domain::Fleet;
use crate::io::store::{DueMail, MailOutcome, StoreReader};

use super::judge::Control;
use super::pace::Pace;
use super::post_office::PostOffice;
use crate::app::clock;

/// Nothing rang for this long: look anyway.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A clock that was set back must not make it look without pause.
const LOOK_AT_MOST_EVERY: Duration = Duration::from_millis(20);

pub async fn run(
    reader: Arc<StoreReader>,
    office: Arc<PostOffice>,
    fleet: Arc<dyn Fn() -> Arc<Fleet> + Send + Sync>,
    control: mpsc::Sender<Control>,
    ring: Arc<Notify>,
) {
    let mut pace = office.per_minute().map(Pace::new);
    loop {
        if let Some(pace) = &mut pace {
            // Before the look: whatever is the most urgent after the wait goes first.
            let wait = pace.wait(Instant::now());
            if !wait.is_zero() {
                let seconds = wait.as_secs() + 1;
                tracing::info!("[mail.smtp] per_minute is reached: the next mail goes in {seconds} s");
                tokio::time::sleep(wait).await;
            }
        }
        let next_look = match look(&reader).await {
            Ok(Look::Due(due)) => {
                if let Some(pace) = &mut pace {
                    pace.note_try(Instant::now());
                }
                if !try_one(&office, &fleet(), &control, *due).await {
                    return;
                }
                continue;
            }
            Ok(Look::Nothing { next_in }) => next_in.clamp(LOOK_AT_MOST_EVERY, LOOK_EVERY),
            Err(why) => {
                tracing::error!("the outbox cannot be read: {why}");
                LOOK_EVERY
            }
        };
        tokio::select! {
            () = ring.notified() => {}
            () = tokio::time::sleep(next_look) => {}
        }
    }
}

/// False: the service is ending.
async fn try_one(office: &PostOffice, fleet: &Fleet, control: &mpsc::Sender<Control>, due: DueMail) -> bool {
    let tried = office.send(&due, fleet, clock::now()).await;
    let notice = due.notice;
    match &tried.outcome {
        MailOutcome::Sent => tracing::info!("mail {} to {} sent", notice.kind, notice.to),
        MailOutcome::PartlySent { error } => {
            tracing::error!("mail {} to {} reached some of its addresses only: {error}", notice.kind, notice.to);
        }
        MailOutcome::TryAgain { at, error } => {
            tracing::warn!("mail {} to {} not sent, next try at {at}: {error}", notice.kind, notice.to);
        }
        MailOutcome::Refused { error } => {
            tracing::error!("mail {} to {} was refused for good: {error}", notice.kind, notice.to);
        }
    }
    let (done, committed) = oneshot::channel();
    let told = control.send(Control::Mail { message_id: notice.message_id, tried, done }).await;
    // Marked before the next look, or the same mail would be due again.
    told.is_ok() && committed.await.is_ok()
}

enum Look {
    Due(Box<DueMail>),
    Nothing { next_in: Duration },
}

/// One at a time: a mail of higher urgency never waits for more than the one that is under way.
async fn look(reader: &Arc<StoreReader>) -> Result<Look, String> {
    let reader = Arc::clone(reader);
    let look = move || {
        let now = clock::now();
        if let Some(due) = reader.outbox_due(now, 1)?.into_iter().next() {
            return Ok(Look::Due(Box::new(due)));
        }
        let next = reader.outbox_next_try()?;
        Ok(Look::Nothing { next_in: next.map_or(LOOK_EVERY, |next| next.since(now)) })
    };
    match tokio::task::spawn_blocking(look).await {
        Ok(look) => look.map_err(|e: crate::io::store::StoreError| e.to_string()),
        Err(e) => Err(e.to_string()),
    }
}
