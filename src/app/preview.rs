//! What a mail will look like, before it goes out: made with the settings and templates of a file, on a real order of the
//! store or on a made-up one. Never sends and never changes anything.

use std::path::{Path, PathBuf};

use crate::config::service::ServiceConfig;
use crate::domain::notice::NoticeReason;
use crate::domain::{Fleet, MessageId, Notice, NoticeKind, Order, OrderId, OrderState, Priority, Recipient, Timestamp};
use crate::io::store::{StoreError, StoreReader};
use crate::render::mail::{Mail, TEMPLATE_FILES, sample};

use super::daemon::preview_mail;
use super::whole_file;

/// `orders preview`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewArgs {
    /// None: a made-up one.
    pub order: Option<OrderId>,
    pub kind: NoticeKind,
    /// Instead of the settings' own.
    pub templates: Option<PathBuf>,
}

/// Err: one clear line about what could not be had.
pub fn preview(config: &ServiceConfig, args: &PreviewArgs, now: Timestamp) -> Result<Mail, String> {
    let mut config = config.clone();
    if let Some(folder) = &args.templates {
        config.mail.templates = Some(folder.clone());
    }
    let Some(id) = args.order else {
        let made_up = sample::notice(args.kind, now);
        return preview_mail(&config, None, &made_up, &sample::fleet()).map_err(|e| e.to_string());
    };
    let reader = StoreReader::open(&config.data).map_err(|e| match e {
        StoreError::Missing { path } => format!(
            "there is no store at {}; name the service's own settings with --config, or leave {id} out for a made-up order",
            path.display()
        ),
        other => other.to_string(),
    })?;
    let order = reader.order(id).map_err(|e| e.to_string())?;
    let Some(order) = order else { return Err(format!("there is no {id}; `orders list --all` shows those there are")) };
    let mut orders = vec![order];
    match args.kind {
        NoticeKind::Digest | NoticeKind::Summary => {
            let crew = orders[0].crew.clone();
            let open = reader.orders(false).map_err(|e| e.to_string())?;
            orders.extend(open.into_iter().filter(|o| o.crew == crew && o.id != id));
        }
        NoticeKind::OrderClosed => end(&mut orders[0], now),
        NoticeKind::OrderOpened
        | NoticeKind::OrderReopened
        | NoticeKind::OrderRaised
        | NoticeKind::OrderReminder
        | NoticeKind::OrderEscalated => {}
        NoticeKind::IncidentOpened
        | NoticeKind::IncidentClosed
        | NoticeKind::Report
        | NoticeKind::MonitorTrouble
        | NoticeKind::MonitorWell
        | NoticeKind::Test => {
            return Err(format!("a mail of kind {} is about no order; leave {id} out", args.kind));
        }
    }
    let fleet = Fleet::new(reader.fleet().map_err(|e| e.to_string())?);
    let notice = about(args.kind, orders, now);
    preview_mail(&config, Some(reader), &notice, &fleet).map_err(|e| e.to_string())
}

/// As if it had been found in order just now.
fn end(order: &mut Order, now: Timestamp) {
    if order.state.is_open() {
        order.state = OrderState::Closed;
        order.closed_at = Some(now);
    }
}

fn about(kind: NoticeKind, orders: Vec<Order>, now: Timestamp) -> Notice {
    let made_up = sample::notice(kind, now);
    let order = &orders[0];
    let crew = order.crew.clone();
    let why = match made_up.why {
        NoticeReason::AtOnce { .. } => NoticeReason::AtOnce { priority: order.priority },
        NoticeReason::Raised { .. } => NoticeReason::Raised { from: Priority::P4, to: order.priority },
        NoticeReason::Overdue { due } => NoticeReason::Overdue { due: order.due_at.unwrap_or(due) },
        other => other,
    };
    let to = match made_up.to {
        Recipient::Crew(_) => Recipient::Crew(crew),
        Recipient::Supervisor(_) => Recipient::Supervisor(crew),
        other @ (Recipient::Operator | Recipient::ReportReaders) => other,
    };
    let message_id = MessageId::parse("<preview@buttonwatch.invalid>").expect("letters");
    let reason = order.history.last().map(|c| c.why.to_string()).unwrap_or_default();
    Notice { to, why, message_id, reason, orders, ..made_up }
}

/// Writes the templates that the program carries into `folder`, for an operator to change. What is there already stays.
/// Gives the files written. Err: one clear line.
pub fn write_templates(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let name = folder.display();
    std::fs::create_dir_all(folder).map_err(|e| format!("{name}: {e}; name a folder that you may write"))?;
    let there: Vec<&str> = TEMPLATE_FILES.iter().map(|(f, _)| *f).filter(|f| folder.join(f).exists()).collect();
    if !there.is_empty() {
        return Err(format!("{name} has {} already; name an empty folder, and compare", there.join(", ")));
    }
    let mut written = Vec::new();
    for (file, text) in TEMPLATE_FILES {
        let path = folder.join(file);
        whole_file::write(&path, text.as_bytes()).map_err(|e| format!("{}: {e}", path.display()))?;
        written.push(path);
    }
    Ok(written)
}
