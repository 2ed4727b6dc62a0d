//! A notice → a mail that a crew on a motorbike can act on from a phone.
//!
//! Owns every word, the order of things, the thread headers. Text and HTML come from one [`page::Page`], so that they can
//! never say different things. Pure: the same notice and context give the same bytes, today and on a retry tomorrow.
//! Never sends, and never knows who is behind a role: addresses come with the context.

mod html;
mod list;
mod local_time;
mod page;
pub mod sample;
mod sheet;
mod subject;
mod template;
#[cfg(test)]
mod tests;
mod text;

use chrono_tz::Tz;

use crate::domain::report::Report;
use crate::domain::{Fleet, MessageId, Notice, NoticeKind, Order, OrderId, Priority, Timestamp};

use super::report_page;
use super::table::{self, Look, ReportLine};

pub(in crate::render) use html::{contact, escaped};
pub use local_time::LocalTime;
pub(in crate::render) use page::map_url;
pub use template::{FILES as TEMPLATE_FILES, TemplateProblem, Templates};

/// Readers of mail fold longer lines.
const WIDTH: usize = 78;

/// What the words need beside the notice itself.
#[derive(Debug, Clone, Copy)]
pub struct MailContext<'a> {
    pub fleet: &'a Fleet,
    /// The crew's own. All times of a mail are in it, and say so.
    pub zone: Tz,
    /// Where people reach the service from outside, without a slash at the end. None: mails have no links to it.
    pub base_url: Option<&'a str>,
    /// The page of each order of the notice that its reader may open and move on. Without, its plain page is named.
    pub links: &'a [(OrderId, String)],
    /// Other orders at the sites of the notice's, open and past.
    pub others: &'a [Order],
    /// The readings of its orders, drawn.
    pub pictures: &'a [Picture],
    pub from: &'a Mailbox,
    /// The people behind the notice's recipient.
    pub to: &'a [Mailbox],
    pub templates: &'a Templates,
}

/// A name for people and an address for machines. `io::smtp` checks the address when the mail goes out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mailbox {
    pub name: Option<String>,
    pub address: String,
}

/// Ready to be packed and sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Mail {
    pub message_id: MessageId,
    /// The first mail of the thread. None: this is it.
    pub in_reply_to: Option<MessageId>,
    pub references: Vec<MessageId>,
    pub from: Mailbox,
    pub to: Vec<Mailbox>,
    /// When it was decided, not when it was sent: a retry is the same mail.
    pub date: Timestamp,
    /// One line, at most 78 characters.
    pub subject: String,
    /// Complete in itself, lines of at most 78 characters but for links.
    pub text: String,
    pub html: String,
    /// Name and value of further headers, single lines.
    pub headers: Vec<(&'static str, String)>,
    /// Shown within the HTML.
    pub images: Vec<Image>,
    pub attachments: Vec<Attachment>,
}

/// A chart of the readings that tell most of an order's fault.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    pub order: OrderId,
    pub png: Vec<u8>,
    /// The same for those who see no picture.
    pub words: String,
}

/// A picture that comes with a mail, called by its content id.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    pub cid: String,
    pub png: Vec<u8>,
}

/// A file that comes with a mail.
#[derive(Debug, Clone, PartialEq)]
pub struct Attachment {
    pub name: String,
    /// As MIME writes it.
    pub content_type: &'static str,
    pub bytes: Vec<u8>,
}

/// Err: the operator's own template asks for what there is not. [`Templates::default`] always works.
pub fn render_notice(notice: &Notice, context: &MailContext<'_>) -> Result<Mail, TemplateProblem> {
    let time = LocalTime::new(context.zone, notice.at);
    if let Some(report) = &notice.report {
        return Ok(report_mail(notice, report, context));
    }
    let page = page::Page::of(notice, context, &time);
    let subject = subject::of(notice, context, &time);
    let words = context.templates.render(notice, context, &time, &page, &subject)?;
    Ok(Mail {
        message_id: notice.message_id.clone(),
        in_reply_to: notice.in_reply_to.clone(),
        // Oldest first, the one it answers last (RFC 5322).
        references: notice.references.iter().chain(&notice.in_reply_to).cloned().collect(),
        from: clean_mailbox(context.from),
        to: context.to.iter().map(clean_mailbox).collect(),
        date: notice.at,
        subject: words.subject,
        text: words.text,
        html: words.html,
        headers: headers(notice),
        images: images(notice, context),
        attachments: sheet_of(notice, context).into_iter().collect(),
    })
}

/// A report has words of its own.
fn report_mail(notice: &Notice, report: &Report, context: &MailContext<'_>) -> Mail {
    let look = Look { width: WIDTH, zone: context.zone, ..Look::plain(notice.at) };
    let title = report_page::title(report);
    let why = format!("You get this mail because {}.", notice.why);
    let day = report.from.to_utc().with_timezone(&context.zone).format("%Y-%m-%d");
    Mail {
        message_id: notice.message_id.clone(),
        in_reply_to: None,
        references: Vec::new(),
        from: clean_mailbox(context.from),
        to: context.to.iter().map(clean_mailbox).collect(),
        date: notice.at,
        subject: one_line(&title),
        text: format!("{}\n-- \n{why}\n", table::report(report, &look).trim_end()),
        html: report_page::page(report, context.zone),
        headers: headers(notice),
        images: Vec::new(),
        attachments: vec![Attachment {
            name: format!("report-{}-{day}.csv", report.period),
            content_type: "text/csv; charset=utf-8",
            bytes: [sheet::BYTE_ORDER_MARK, table::csv(&ReportLine::of(report)).as_bytes()].concat(),
        }],
    }
}

fn images(notice: &Notice, context: &MailContext<'_>) -> Vec<Image> {
    let is_shown = |picture: &&Picture| page::shows_picture(notice, picture.order);
    let image = |picture: &Picture| Image { cid: cid(picture.order), png: picture.png.clone() };
    context.pictures.iter().filter(is_shown).map(image).collect()
}

/// By which the HTML calls the picture that comes with it.
fn cid(order: OrderId) -> String {
    format!("reading.{order}@buttonwatch.invalid")
}

fn sheet_of(notice: &Notice, context: &MailContext<'_>) -> Option<Attachment> {
    match notice.kind {
        NoticeKind::Digest | NoticeKind::Summary if notice.orders.is_empty() => None,
        NoticeKind::Digest | NoticeKind::Summary => {
            let day = notice.at.to_utc().with_timezone(&context.zone).format("%Y-%m-%d");
            Some(Attachment {
                name: format!("work-orders-{day}.csv"),
                content_type: "text/csv; charset=utf-8",
                bytes: sheet::of(&notice.orders, context.fleet, context.zone),
            })
        }
        NoticeKind::OrderOpened
        | NoticeKind::OrderReopened
        | NoticeKind::OrderRaised
        | NoticeKind::OrderReminder
        | NoticeKind::OrderEscalated
        | NoticeKind::OrderClosed
        | NoticeKind::Report
        | NoticeKind::MonitorTrouble
        | NoticeKind::MonitorWell
        | NoticeKind::IncidentOpened
        | NoticeKind::IncidentClosed
        | NoticeKind::Test => None,
    }
}

/// The page of an order at the service. `io::http` serves it.
pub fn order_url(base_url: &str, order: OrderId) -> String {
    format!("{}/orders/{order}", base_url.trim_end_matches('/'))
}

fn clean_mailbox(mailbox: &Mailbox) -> Mailbox {
    Mailbox {
        name: mailbox.name.as_deref().map(one_line).filter(|n| !n.is_empty()),
        address: mailbox.address.trim().to_owned(),
    }
}

fn headers(notice: &Notice) -> Vec<(&'static str, String)> {
    let id = notice.message_id.as_str().trim_matches(['<', '>']);
    let domain = id.rsplit('@').next().unwrap_or(id);
    let mut headers = vec![
        // RFC 3834: out-of-office programs do not answer it.
        ("Auto-Submitted", "auto-generated".to_owned()),
        // The same for Exchange, which does not read RFC 3834.
        ("X-Auto-Response-Suppress", "All".to_owned()),
        ("List-Id", format!("Buttonwatch work orders <work-orders.{domain}>")),
        ("X-Buttonwatch-Notice", notice.kind.to_string()),
    ];
    if !notice.orders.is_empty() {
        let ids: Vec<String> = notice.orders.iter().map(|o| o.id.to_string()).collect();
        headers.push(("X-Buttonwatch-Orders", ids.join(" ")));
    }
    if notice.orders.iter().any(|o| o.state.is_open() && o.priority == Priority::P1) {
        headers.push(("Importance", "high".to_owned()));
    }
    headers
}

/// Text from outside on one line: control characters and line ends become spaces, and marks that turn the reading
/// direction of what follows are dropped. What scripts need inside a word (U+200C, U+200D) stays.
fn one_line(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let separates = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '\u{2028}' | '\u{2029}');
    let kept: String = text.chars().filter(|c| !turns(*c)).map(|c| if separates(c) { ' ' } else { c }).collect();
    kept.split(' ').filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Of the scripts that run from right to left: Hebrew, Arabic and its extensions, Syriac, Thaana, N'Ko.
fn runs_right_to_left(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '\u{0590}'..='\u{08FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFF}'))
}

/// For plain text, where no markup keeps a right-to-left name from pulling the colon or figure behind it to its left.
fn held_in_line(name: &str) -> String {
    let mut held = one_line(name);
    if runs_right_to_left(&held) {
        held.push('\u{200E}');
    }
    held
}
