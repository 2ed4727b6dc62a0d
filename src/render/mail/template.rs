//! The files that a mail's subject, text and HTML are made with: those that the program carries, or an operator's own.
//! Every value is escaped by the file's ending. Owns what a template can say and how its mistakes are told; never reads a
//! file.

use std::fmt;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, context};

use crate::domain::{Notice, NoticeKind, Order, Priority, Timestamp};

use super::page::{Block, Page, Span, Tone, place_facts, since};
use super::{LocalTime, MailContext, Mailbox, escaped, one_line, sample, text};

/// The files of a mail, and what they are when an operator has none of his own.
pub const FILES: [(&str, &str); 3] = [
    (SUBJECT, include_str!("templates/subject.txt")),
    (TEXT, include_str!("templates/mail.txt")),
    (HTML, include_str!("templates/mail.html")),
];
const SUBJECT: &str = "subject.txt";
const TEXT: &str = "mail.txt";
const HTML: &str = "mail.html";

/// No honest template takes more steps; one without end must not hold up the outbox.
const STEPS: u64 = 5_000_000;

/// Checked, and ready to render.
pub struct Templates {
    env: Environment<'static>,
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Templates")
    }
}

/// What is wrong with a template, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateProblem {
    pub file: String,
    /// None: with the file as a whole.
    pub line: Option<usize>,
    pub what: String,
}

impl fmt::Display for TemplateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

impl From<Error> for TemplateProblem {
    fn from(error: Error) -> Self {
        let what = match (error.kind(), error.detail()) {
            (ErrorKind::UndefinedError, _) => {
                "it asks for a value that does not exist; the guide lists those that do".to_owned()
            }
            (ErrorKind::OutOfFuel, _) => "it takes too many steps; look for a loop without end".to_owned(),
            (kind, Some(detail)) => format!("{kind}: {detail}"),
            (kind, None) => kind.to_string(),
        };
        TemplateProblem { file: error.name().unwrap_or("template").to_owned(), line: error.line(), what }
    }
}

impl Default for Templates {
    fn default() -> Self {
        let built_in = Templates::with(&[]);
        built_in.unwrap_or_else(|problems| unreachable!("the templates that we carry have no mistakes: {problems:?}"))
    }
}

/// What one mail says.
pub(super) struct Words {
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl Templates {
    /// `own`: name and text of the operator's files; the rest is ours. Err: every file that is wrong.
    pub fn with(own: &[(String, String)]) -> Result<Templates, Vec<TemplateProblem>> {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        env.set_fuel(Some(STEPS));
        env.set_syntax(SyntaxConfig::builder().keep_trailing_newline(true).build().expect("the usual marks differ"));
        env.set_auto_escape_callback(|name| if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None });
        env.set_formatter(|out, state, value| {
            if value.is_undefined() || value.is_none() {
                return Err(Error::new(ErrorKind::UndefinedError, "no such value"));
            }
            let text = value.to_string();
            let is_text = matches!(state.auto_escape(), AutoEscape::None) || value.is_safe();
            out.write_str(&if is_text { text } else { escaped(&text) }).map_err(Error::from)
        });
        env.add_filter("wrapped", |text: String, first: String, next: String| text::wrapped(&text, &first, &next));
        env.add_filter("plain", |spans: Vec<Value>| plain(&spans));
        let mut problems = Vec::new();
        for (name, ours) in FILES {
            let theirs = own.iter().find(|(n, _)| n == name).map(|(_, text)| text.clone());
            if let Err(e) = env.add_template_owned(name, theirs.unwrap_or_else(|| ours.to_owned())) {
                problems.push(TemplateProblem::from(e));
            }
        }
        for (name, _) in own.iter().filter(|(n, _)| FILES.iter().all(|(known, _)| known != n)) {
            let names = FILES.map(|(n, _)| n).join(", ");
            let what = format!("no mail is made with a file of this name; the names are {names}");
            problems.push(TemplateProblem { file: name.clone(), line: None, what });
        }
        if problems.is_empty() { Ok(Templates { env }) } else { Err(problems) }
    }

    /// Tries every kind of mail on a made-up order. Err: each thing that a file asks for in vain, once.
    pub fn check(&self, at: Timestamp) -> Result<(), Vec<TemplateProblem>> {
        let fleet = sample::fleet();
        let mailbox = Mailbox { name: None, address: "sample@buttonwatch.invalid".to_owned() };
        let mut problems: Vec<TemplateProblem> = Vec::new();
        for kind in NoticeKind::ALL {
            let notice = sample::notice(*kind, at);
            let links: Vec<_> = notice.orders.iter().map(|o| (o.id, "https://example.org/c/1".to_owned())).collect();
            let context = MailContext {
                fleet: &fleet,
                zone: chrono_tz::UTC,
                base_url: Some("https://example.org"),
                links: &links,
                others: &[],
                pictures: &[],
                from: &mailbox,
                to: std::slice::from_ref(&mailbox),
                templates: self,
            };
            problems.extend(super::render_notice(&notice, &context).err().filter(|p| !problems.contains(p)));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Err: the first thing that a file asks for in vain.
    pub(super) fn render(
        &self,
        notice: &Notice,
        context: &MailContext<'_>,
        time: &LocalTime,
        page: &Page,
        subject: &str,
    ) -> Result<Words, TemplateProblem> {
        let values = values(notice, context, time, page, subject);
        let fill = |name: &str| self.env.get_template(name).and_then(|t| t.render(values.clone()));
        let subject = fill(SUBJECT)?;
        Ok(Words { subject: one_line(&subject), text: fill(TEXT)?, html: fill(HTML)? })
    }
}

fn plain(spans: &[Value]) -> Result<String, Error> {
    let mut out = String::new();
    for span in spans {
        let part = |key: &str| Ok::<_, Error>(span.get_attr(key)?.as_str().unwrap_or_default().to_owned());
        let is_shown = span.get_attr("in_text")?.is_true();
        out.push_str(&match (part("kind")?.as_str(), is_shown) {
            ("name", _) => super::held_in_line(&part("text")?),
            ("link", true) => part("url")?,
            (_, _) => part("text")?,
        });
    }
    Ok(out)
}

fn values(notice: &Notice, context: &MailContext<'_>, time: &LocalTime, page: &Page, subject: &str) -> Value {
    let orders: Vec<Value> = notice.orders.iter().map(|o| order(o, notice, context, time)).collect();
    let said = |text: &str| time.localise(&one_line(text));
    context! {
        subject => subject,
        kind => notice.kind.to_string(),
        to => notice.to.to_string(),
        at => time.long(notice.at),
        zone => time.zone_text(notice.at),
        why => said(&notice.why.to_string()),
        reason => said(&notice.reason),
        // Mails of other kinds have none: a template may ask all the same, and gets nothing.
        order => orders.first().cloned().unwrap_or_else(no_order),
        orders => orders,
        page => context! {
            label => page.label.clone(),
            badge => page.badge.map(|p| p.to_string()).unwrap_or_default(),
            banner => page.banner.clone(),
            is_over => page.tone == Tone::Over,
            colour => colour(page),
            lead => spans(&page.lead),
            blocks => page.blocks.iter().map(block).collect::<Vec<_>>(),
            footer => page.footer.iter().map(|line| spans(line)).collect::<Vec<_>>(),
        },
    }
}

fn no_order() -> Value {
    let nothing = Vec::<Value>::new;
    context! {
        id => "", priority => "", state => "", is_open => false, crew => "", unit => "", name => "", component => "",
        site => "", city => "", address => "", contact => nothing(), map => "", summary => "", action => "",
        parts => nothing(), suspects => nothing(), evidence => nothing(), since => "", due => "", is_overdue => false,
        relapses => 0, link => "",
    }
}

fn order(order: &Order, notice: &Notice, context: &MailContext<'_>, time: &LocalTime) -> Value {
    let unit = match &order.subject {
        crate::domain::Subject::Unit { unit, component: _ } => context.fleet.find(unit.as_str()),
        crate::domain::Subject::Incident { kind: _, name: _ } => None,
    };
    let unit = unit.map(|ix| context.fleet.unit(ix));
    let (subject, component) = match &order.subject {
        crate::domain::Subject::Unit { unit, component } => (unit.to_string(), component.to_string()),
        crate::domain::Subject::Incident { kind, name } => {
            (format!("{kind} {}", one_line(name.as_str())), String::new())
        }
    };
    let place = |label: &str| {
        let facts = unit.map(place_facts).unwrap_or_default();
        let found = facts.into_iter().find(|(l, _)| *l == label).map(|(_, text)| spans(&text));
        found.unwrap_or_else(|| Value::from(Vec::<Value>::new()))
    };
    let link = context.links.iter().find(|(id, _)| *id == order.id).map(|(_, url)| url.clone()).unwrap_or_default();
    context! {
        id => order.id.to_string(),
        priority => order.priority.to_string(),
        state => order.state.to_string(),
        is_open => order.state.is_open(),
        crew => order.crew.to_string(),
        unit => subject,
        name => unit.map(|u| one_line(&u.name)).unwrap_or_default(),
        component => component,
        site => order.site.as_ref().map(|s| one_line(s.as_str())).unwrap_or_default(),
        city => unit.map(|u| one_line(u.city.as_str())).unwrap_or_default(),
        address => unit.map(|u| one_line(&u.address)).unwrap_or_default(),
        contact => place("Contact"),
        map => unit.and_then(|u| u.position).and_then(super::map_url).unwrap_or_default(),
        summary => time.localise(&one_line(&order.summary)),
        action => one_line(&order.action),
        parts => order.parts.iter().map(|p| one_line(p)).collect::<Vec<_>>(),
        suspects => order.suspects.iter().map(|s| context! {
            component => s.component.to_string(), certainty => s.certainty,
        }).collect::<Vec<_>>(),
        evidence => order.evidence.iter().map(|e| time.localise(&one_line(&e.to_string()))).collect::<Vec<_>>(),
        since => time.long(since(order)),
        due => order.due_at.map(|due| time.long(due)).unwrap_or_default(),
        is_overdue => order.due_at.is_some_and(|due| due < notice.at),
        relapses => order.relapses,
        link => link,
    }
}

fn spans(spans: &[Span]) -> Value {
    let list: Vec<Value> = spans
        .iter()
        .map(|span| match span {
            Span::Ours(text) => context! { kind => "ours", text => text },
            Span::Name(text) => context! { kind => "name", text => text },
            Span::Link { text, url, in_text } => {
                context! { kind => "link", text => text, url => url, in_text => in_text }
            }
        })
        .collect();
    Value::from(list)
}

fn block(block: &Block) -> Value {
    match block {
        Block::Heading(text) => context! { kind => "heading", text => spans(text) },
        Block::Paragraph(text) => context! { kind => "paragraph", text => spans(text) },
        Block::Entry(lead, lines) => context! {
            kind => "entry", text => spans(lead), items => lines.iter().map(|l| spans(l)).collect::<Vec<_>>(),
        },
        Block::Picture { cid, words } => context! { kind => "picture", cid => cid, alt => words },
        Block::List(items) => {
            context! { kind => "list", items => items.iter().map(|i| spans(i)).collect::<Vec<_>>() }
        }
        Block::Facts(facts) => {
            let widest = facts.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
            let fact = |(label, text): &(&str, Vec<Span>)| {
                context! {
                    label => *label,
                    padded_label => format!("{:<1$}", format!("{label}:"), widest + 2),
                    padding => " ".repeat(widest + 2),
                    text => spans(text),
                }
            };
            context! { kind => "facts", facts => facts.iter().map(fact).collect::<Vec<_>>() }
        }
    }
}

/// Dark enough for white text on it.
fn colour(page: &Page) -> &'static str {
    match (page.tone, page.badge) {
        (Tone::Over, _) => "#067647",
        (Tone::Wrong, None | Some(Priority::P1)) => "#b42318",
        (Tone::Wrong, Some(Priority::P2)) => "#a8480b",
        (Tone::Wrong, Some(Priority::P3)) => "#175cd3",
        (Tone::Wrong, Some(Priority::P4)) => "#475467",
    }
}
