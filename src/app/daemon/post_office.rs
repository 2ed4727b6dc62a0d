//! A notice on its way out: who reads it, in whose time zone, rendered, packed and handed over. Owns the settings of
//! `[mail]`; never decides what is sent, and keeps nothing.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use lettre::address::Address;
use lettre::message::Mailbox as LettreMailbox;

use crate::config::service::{MailPace, MailTransport, ServiceConfig, SmtpTls as TlsSetting};
use crate::domain::notice::NoticeReason;
use crate::domain::{
    AddressState, Fleet, MessageId, Notice, NoticeKind, Order, OrderId, Recipient, Subject, Timestamp, span_text,
};
use crate::io::http::Links;
use crate::io::smtp::{DEFAULT_TIMEOUT, Delivered, Post, RetryPace, SmtpConfig, SmtpLogin, SmtpTls, to_message};
use crate::io::store::{DueMail, MailOutcome, StoreReader};
use crate::render::chart;
use crate::render::mail::{Mail, MailContext, Mailbox, Picture, TemplateProblem, Templates, render_notice};

use super::ServeError;
use super::delivery::{self, Before, Tried};
use super::entry::read_password;
use crate::app::clock;

pub struct PostOffice {
    config: ServiceConfig,
    from: Mailbox,
    base_url: Option<String>,
    links: Links,
    post: Post,
    templates: Templates,
    /// For what else is known of a site. None: nothing is.
    reader: Option<Arc<StoreReader>>,
}

/// A week has all hours of load-shedding in it, and a market day.
const PICTURE_SHOWS: Duration = Duration::from_secs(7 * 86_400);
/// A phone shows it at nearly its size, so that its figures can be read there.
const PICTURE_SIZE: (u32, u32) = (380, 170);
/// Fewer make no line.
const PICTURE_POINTS: usize = 3;

/// Newest first; a mail shows a few of them.
const SITE_ORDERS: u32 = 40;

/// From the decision on: an order that waits for a part for a month is told of again before.
const LINK_LASTS: Duration = Duration::from_secs(30 * 86_400);

impl PostOffice {
    /// Err: a file named in `[mail]` cannot be read.
    pub fn new(config: &ServiceConfig, links: Links, reader: Option<Arc<StoreReader>>) -> Result<Self, ServeError> {
        let templates = templates(config)?;
        let post = match (&config.mail.transport, config.mail_folder()) {
            (MailTransport::Smtp(smtp), _) => {
                let login = match &smtp.login {
                    Some(login) => Some(SmtpLogin { user: login.username.clone(), password: read_password(login)? }),
                    None => None,
                };
                let trusted_pem = match &smtp.ca {
                    Some(path) => Some(fs::read(path).map_err(|e| {
                        ServeError(format!(
                            "{}: {e}; mail.smtp.ca names a PEM file of certificates to trust",
                            path.display()
                        ))
                    })?),
                    None => None,
                };
                Post::smtp(SmtpConfig {
                    host: smtp.host.clone(),
                    port: smtp.port,
                    tls: match smtp.tls {
                        TlsSetting::StartTls => SmtpTls::StartTls,
                        TlsSetting::Implicit => SmtpTls::Implicit,
                        TlsSetting::None => SmtpTls::None,
                    },
                    trusted_pem,
                    login,
                    timeout: DEFAULT_TIMEOUT,
                })
                .map_err(ServeError::of)?
            }
            (MailTransport::Folder(_), Some(folder)) => Post::Folder(folder),
            (MailTransport::Folder(_), None) => unreachable!("mail_folder names the folder of a folder transport"),
        };
        // Only an address that people were given leads them back here; a loopback one does not.
        let base_url = config.http.public_url.as_ref().map(|_| config.public_url());
        Ok(PostOffice {
            from: mailbox(&config.mail.from, None),
            base_url,
            links,
            post,
            templates,
            reader,
            config: config.clone(),
        })
    }

    /// Whether the mail server lets us in. Nothing is sent.
    pub async fn try_line(&self) -> Result<(), String> {
        self.post.try_line().await.map_err(|e| e.text)
    }

    /// The mail, the same each time.
    pub fn render(&self, notice: &Notice, fleet: &Fleet) -> Mail {
        self.render_to(&self.config.mail_addresses(&notice.to), notice, fleet, true)
    }

    /// Its words alone: for those who must not wait for a picture.
    pub fn render_words(&self, notice: &Notice, fleet: &Fleet) -> Mail {
        self.render_to(&self.config.mail_addresses(&notice.to), notice, fleet, false)
    }

    fn render_to(&self, addresses: &[String], notice: &Notice, fleet: &Fleet, drawn: bool) -> Mail {
        let to: Vec<Mailbox> = addresses.iter().map(|a| mailbox(a, Some(notice.to.to_string()))).collect();
        // A crew can move its orders on; whoever else hears of them only reads.
        let may_move = matches!(notice.to, Recipient::Crew(_));
        let base = self.base_url.as_deref().filter(|_| may_move).map(|base| base.trim_end_matches('/'));
        let link = |base: &str, order: &Order| {
            (order.id, format!("{base}{}", self.links.path(order.id, notice.at + LINK_LASTS)))
        };
        let open = notice.orders.iter().filter(|order| order.state.is_open());
        let links: Vec<(OrderId, String)> =
            base.map(|base| open.map(|order| link(base, order)).collect()).unwrap_or_default();
        let pictures: Vec<Picture> = if drawn { self.picture(notice).into_iter().collect() } else { Vec::new() };
        let context = MailContext {
            fleet,
            links: &links,
            others: &self.others(notice),
            pictures: &pictures,
            templates: &self.templates,
            zone: self.config.time_zone_of(&notice.to),
            base_url: self.base_url.as_deref(),
            from: &self.from,
            to: &to,
        };
        render_notice(notice, &context).unwrap_or_else(|problem| {
            // A plain mail that arrives is worth more than a fine one that does not.
            tracing::error!("{problem}; the mail is made with the template that Buttonwatch carries");
            let ours = Templates::default();
            let context = MailContext { templates: &ours, ..context };
            render_notice(notice, &context).unwrap_or_else(|p| unreachable!("ours ask for what there is: {p}"))
        })
    }

    /// The readings that tell most of the fault, as they were when the mail was decided. None: too few are known.
    fn picture(&self, notice: &Notice) -> Option<Picture> {
        let [order] = notice.orders.as_slice() else { return None };
        let (reader, reading) = (self.reader.as_ref()?, order.reading.as_ref()?);
        let Subject::Unit { unit, component: _ } = &order.subject else { return None };
        let from = notice.at - PICTURE_SHOWS;
        let points = reader.series(unit, &reading.series, from, notice.at);
        let points = points.map_err(|e| tracing::warn!("{} is told without its chart: {e}", order.id)).ok()?;
        if points.len() < PICTURE_POINTS {
            return None;
        }
        let zone = self.config.time_zone_of(&notice.to);
        let chart = chart::of_series(&reading.series, &points, &reading.limits, from, notice.at, zone, "");
        let png = chart::png(&chart.with_size(PICTURE_SIZE).svg());
        let png = png.map_err(|e| tracing::warn!("{} is told without its chart: {e}", order.id)).ok()?;
        let limits: Vec<&str> = reading.limits.iter().map(|(label, _)| label.as_str()).collect();
        let limits = if limits.is_empty() { String::new() } else { format!(" ({})", limits.join(", ")) };
        let in_words = chart::in_words(&reading.series, &points);
        let words = format!("{} in the last {}: {in_words}{limits}.", reading.series, span_text(PICTURE_SHOWS));
        Some(Picture { order: order.id, png, words })
    }

    /// What else is asked for, or was done, where a crew is sent.
    fn others(&self, notice: &Notice) -> Vec<Order> {
        let [order] = notice.orders.as_slice() else { return Vec::new() };
        let (Some(reader), Some(site)) = (&self.reader, &order.site) else { return Vec::new() };
        reader.orders_at_site(site, SITE_ORDERS).unwrap_or_else(|e| {
            tracing::warn!("{} is told without what else is known of {site}: {e}", order.id);
            Vec::new()
        })
    }

    /// A mail of no importance, by the same way as all others. `to` None: the operator. Gives the address, and what the
    /// server said; a folder says nothing.
    pub async fn send_test(&self, to: Option<&str>, now: Timestamp) -> (String, MailOutcome) {
        let local = format!("<test.{}@{}>", now.as_millis(), self.config.mail.domain);
        let addresses = to.map_or_else(|| self.config.mail_addresses(&Recipient::Operator), |to| vec![to.to_owned()]);
        let shown = addresses.join(", ");
        let Ok(message_id) = MessageId::parse(&local) else {
            let error = format!("mail.domain {:?} cannot stand in a Message-ID; correct it", self.config.mail.domain);
            return (shown, MailOutcome::Refused { error });
        };
        let notice = Notice {
            at: now,
            kind: NoticeKind::Test,
            to: Recipient::Operator,
            message_id,
            in_reply_to: None,
            references: Vec::new(),
            why: NoticeReason::Asked,
            reason: "This is a test: mails of Buttonwatch reach you".to_owned(),
            orders: Vec::new(),
            incident: None,
            incidents: Vec::new(),
            report: None,
        };
        let mail = self.render_to(&addresses, &notice, &Fleet::default(), false);
        let tried = self.deliver(&mail, &Before::nothing(now), now).await;
        (shown, tried.outcome)
    }

    /// How many mails may be tried in a minute. None: as many as there are.
    pub fn per_minute(&self) -> Option<u32> {
        match &self.config.mail.transport {
            MailTransport::Smtp(smtp) => Some(smtp.pace.per_minute),
            MailTransport::Folder(_) => None,
        }
    }

    fn retry_pace(&self) -> RetryPace {
        let pace = match &self.config.mail.transport {
            MailTransport::Smtp(smtp) => smtp.pace,
            MailTransport::Folder(_) => MailPace::default(),
        };
        RetryPace { first: pace.retry_after, longest: pace.retry_at_most }
    }

    /// What became of one try, for those of its addresses that wait.
    pub async fn send(&self, due: &DueMail, fleet: &Fleet, now: Timestamp) -> Tried {
        let before = Before { tries: due.tries, since: due.since, addresses: &due.addresses };
        self.deliver(&self.render(&due.notice, fleet), &before, now).await
    }

    async fn deliver(&self, mail: &Mail, before: &Before<'_>, now: Timestamp) -> Tried {
        let addresses = delivery::addresses(&mail.to, before.addresses);
        let message = match to_message(mail) {
            Ok(message) => message,
            Err(e) => return delivery::impossible(addresses, e.to_string(), now),
        };
        let waits = |to: &str| addresses.iter().any(|a| a.address == to && a.state == AddressState::Waiting);
        let result = if addresses.iter().any(|a| a.state == AddressState::Waiting) {
            self.post.deliver_to(&message, waits).await
        } else {
            // Whoever was waiting was taken out of the settings.
            Ok(Delivered::default())
        };
        delivery::judge(addresses, result, before, self.retry_pace(), &mail.message_id, now)
    }
}

/// The operator's own, tried out, or ours.
fn templates(config: &ServiceConfig) -> Result<Templates, ServeError> {
    let Some(folder) = &config.mail.templates else { return Ok(Templates::default()) };
    let name = folder.display();
    let unread = |e: std::io::Error| {
        ServeError(format!("{name}: {e}; mail.templates names a folder; `orders templates {name}` fills one"))
    };
    let mut own = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let file = entry.file_name().to_string_lossy().into_owned();
        // Editors leave copies behind.
        if file.starts_with('.') || file.ends_with('~') || entry.path().is_dir() {
            continue;
        }
        own.push((file, fs::read_to_string(entry.path()).map_err(unread)?));
    }
    let told = |problems: Vec<TemplateProblem>| {
        let lines: Vec<String> = problems.iter().map(|p| format!("{name}/{p}")).collect();
        ServeError(lines.join("\n"))
    };
    let templates = Templates::with(&own).map_err(told)?;
    templates.check(clock::now()).map_err(told)?;
    Ok(templates)
}

/// `Name <address>` or a bare address, as the settings were checked to be.
fn mailbox(text: &str, name: Option<String>) -> Mailbox {
    match text.parse::<LettreMailbox>() {
        Ok(parsed) => Mailbox { name: parsed.name.or(name), address: parsed.email.to_string() },
        Err(_) => {
            let address = text.parse::<Address>().map_or_else(|_| text.to_owned(), |a| a.to_string());
            Mailbox { name, address }
        }
    }
}
