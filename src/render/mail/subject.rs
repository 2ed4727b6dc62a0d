//! The line by which a phone shows a mail. Every mail of a thread has the same, but for `Re:` — mail programs that thread
//! by subject need that — so it holds what does not change: the order's number, priority and first words.

use crate::domain::{GroupKind, Notice, NoticeKind, Order, Recipient, Subject};

use super::local_time::LocalTime;
use super::{MailContext, held_in_line, one_line};

/// What RFC 5322 asks a line to keep to, less `Re: `, so that first mail and answers are cut at the same place.
const ROOM: usize = 78 - RE.len();
const RE: &str = "Re: ";

pub(super) fn of(notice: &Notice, context: &MailContext<'_>, time: &LocalTime) -> String {
    let base = match (notice.orders.as_slice(), &notice.incident) {
        (orders, _) if matches!(notice.kind, NoticeKind::Digest | NoticeKind::Summary) => {
            return of_list(notice, orders, time);
        }
        ([order], _) if matches!(notice.to, Recipient::Supervisor(_)) => {
            of_order(order, context).replacen("] ", "] Escalated ", 1)
        }
        ([order], _) => of_order(order, context),
        ([first, more @ ..], _) => {
            let tail = format!(", and {} more", more.len());
            return finish(notice, &cut(&of_order(first, context), ROOM - tail.chars().count()), &tail);
        }
        ([], Some(incident)) => {
            let circuit = circuit(incident.kind, incident.name.as_str());
            format!("[Incident] {circuit} since {}", time.short(incident.opened_at))
        }
        // The end of a trouble keeps the line of its beginning.
        ([], None) if matches!(notice.kind, NoticeKind::MonitorTrouble | NoticeKind::MonitorWell) => {
            "[Monitor] history does not reach InfluxDB".to_owned()
        }
        ([], None) => format!("[Buttonwatch] {}", one_line(&notice.reason)),
    };
    finish(notice, &cut(&base, ROOM), "")
}

/// A list of everything is a mail of its own each time: its day and figures are what a phone should show.
fn of_list(notice: &Notice, orders: &[Order], time: &LocalTime) -> String {
    let whose = match &notice.to {
        Recipient::Crew(crew) => held_in_line(crew.as_str()),
        Recipient::Supervisor(crew) => format!("{}, for its supervisor", held_in_line(crew.as_str())),
        Recipient::Operator | Recipient::ReportReaders => "operator".to_owned(),
    };
    let open = orders.iter().filter(|o| o.state.is_open()).count();
    let count = |n: usize| if n == 1 { "1 order".to_owned() } else { format!("{n} orders") };
    let what = match (open, orders.len() - open) {
        (0, over) => format!("{} over", count(over)),
        (open, 0) => format!("{} open", count(open)),
        (open, over) => format!("{} open, {over} over", count(open)),
    };
    if !notice.incidents.is_empty() {
        let over = notice.incidents.iter().filter(|n| n.is_over).count();
        let open = notice.incidents.len() - over;
        return format!("[Summary] common causes: {open} began, {over} over, {}", time.short(notice.at));
    }
    let (label, day) = match notice.kind == NoticeKind::Digest {
        true => ("Digest", time.date(notice.at)),
        false => ("Summary", time.short(notice.at)),
    };
    let tail = format!(": {what}, {day}");
    let head = format!("[{label}] {whose}");
    format!("{}{tail}", cut(&head, ROOM - tail.chars().count()))
}

fn finish(notice: &Notice, base: &str, tail: &str) -> String {
    let re = if notice.in_reply_to.is_some() { RE } else { "" };
    format!("{re}{base}{tail}")
}

fn of_order(order: &Order, context: &MailContext<'_>) -> String {
    let about = match &order.subject {
        Subject::Unit { unit, component: _ } => match context.fleet.find(unit.as_str()) {
            Some(ix) => {
                let name = held_in_line(&context.fleet.unit(ix).name);
                if name.is_empty() { unit.to_string() } else { format!("{unit} {name}") }
            }
            None => unit.to_string(),
        },
        Subject::Incident { kind, name } => circuit(*kind, name.as_str()),
    };
    format!("[{}] {} {about}: {}", order.id, order.priority, one_line(&order.summary))
}

fn circuit(kind: GroupKind, name: &str) -> String {
    match kind {
        GroupKind::Fleet => "whole fleet".to_owned(),
        GroupKind::Uplink | GroupKind::Feeder | GroupKind::Site | GroupKind::City => {
            format!("{kind} {}", held_in_line(name))
        }
    }
}

/// At a space if there is one in the last third; three dots say that there was more.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room - 3).collect();
    let end = kept.rfind(' ').filter(|i| *i * 3 >= kept.len() * 2).unwrap_or(kept.len());
    format!("{}...", kept[..end].trim_end_matches([' ', ',', ':', ';']))
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn long_subjects_end_at_a_word_and_say_that_they_go_on() {
        assert_eq!(cut("short enough", 12), "short enough");
        assert_eq!(cut("the camera is blocked, twice", 26), "the camera is blocked...");
        assert_eq!(cut(&"x".repeat(50), 20), format!("{}...", "x".repeat(17)));
        assert_eq!(cut(&"ق".repeat(50), 20).chars().count(), 20);
    }
}
