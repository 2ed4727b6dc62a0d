//! What a mail says and in which order, before it becomes text or HTML. What to do stands above why.

use std::collections::BTreeMap;

use crate::domain::notice::{IncidentFacts, NoticeReason};
use crate::domain::order::Change;
use crate::domain::{
    Fleet, GroupKind, Notice, NoticeKind, Order, OrderId, OrderState, Priority, Reason, Subject, Timestamp, Unit,
    UnitId, span_text,
};

use super::local_time::LocalTime;
use super::{MailContext, one_line, order_url};

/// More units than a crew reads on a phone; the order's page has them all.
const UNITS_SHOWN: usize = 40;
/// The newest lines of a long history: the first one and these.
const HISTORY_SHOWN: usize = 20;
/// Of other orders at the site, open and past.
const ALSO_SHOWN: usize = 8;
const PAST_SHOWN: usize = 5;

pub(super) struct Page {
    /// `WO-000042`, or the circuit's kind.
    pub label: String,
    /// `P1`. None: nothing is asked of anyone any more.
    pub badge: Option<Priority>,
    /// `New work order`, `Closed`, …
    pub banner: String,
    pub tone: Tone,
    /// What is wrong, or why it is over, in one sentence.
    pub lead: Vec<Span>,
    pub blocks: Vec<Block>,
    pub footer: Vec<Vec<Span>>,
}

/// Decides the colour, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Wrong,
    Over,
}

pub(super) enum Block {
    Heading(Vec<Span>),
    Paragraph(Vec<Span>),
    Facts(Vec<(&'static str, Vec<Span>)>),
    List(Vec<Vec<Span>>),
    /// By its content id, and in words.
    Picture {
        cid: String,
        words: String,
    },
    /// One of several things to do, and what there is to say about it.
    Entry(Vec<Span>, Vec<Vec<Span>>),
}

pub(super) enum Span {
    /// Our own words.
    Ours(String),
    /// Someone else's words, of any script.
    Name(String),
    /// Plain text shows its address when `in_text`, else its text.
    Link { text: String, url: String, in_text: bool },
}

pub(super) fn ours(text: impl Into<String>) -> Vec<Span> {
    vec![Span::Ours(text.into())]
}

pub(super) fn name(text: &str) -> Span {
    Span::Name(one_line(text))
}

impl Page {
    pub(super) fn of(notice: &Notice, context: &MailContext<'_>, time: &LocalTime) -> Page {
        let writer = Writer { notice, context, time, blocks: Vec::new() };
        if is_list(notice.kind) {
            return writer.list();
        }
        match (notice.orders.as_slice(), &notice.incident) {
            ([first, rest @ ..], incident) => writer.orders(first, rest, incident.as_ref()),
            ([], Some(incident)) => writer.incident(incident),
            ([], None) => writer.bare(),
        }
    }
}

pub(super) struct Writer<'a> {
    pub notice: &'a Notice,
    pub context: &'a MailContext<'a>,
    pub time: &'a LocalTime,
    pub blocks: Vec<Block>,
}

impl Writer<'_> {
    pub(super) fn said(&self, text: &str) -> String {
        self.time.localise(&one_line(text))
    }

    pub(super) fn heading(&mut self, title: &str) {
        self.blocks.push(Block::Heading(ours(title)));
    }

    pub(super) fn finish(
        self,
        label: String,
        badge: Option<Priority>,
        banner: String,
        tone: Tone,
        lead: Vec<Span>,
    ) -> Page {
        let mut footer = Vec::new();
        if let Some(base) = self.context.base_url {
            let link = |text: String, url: String| Span::Link { text, url, in_text: true };
            let mut pages = ours("See also: ");
            let signed = |order: &Order| self.context.links.iter().find(|(id, _)| *id == order.id);
            match self.notice.orders.as_slice() {
                _ if is_list(self.notice.kind) => pages.push(link("Buttonwatch".into(), base.to_owned())),
                [] => pages.push(link("Buttonwatch".into(), base.to_owned())),
                orders => {
                    for order in orders.iter().filter(|order| signed(order).is_none()) {
                        pages.extend([link(order.id.to_string(), order_url(base, order.id)), Span::Ours(" ".into())]);
                    }
                }
            }
            if pages.len() > 1 {
                footer.push(pages);
            }
        }
        let zone = self.time.zone_text(self.notice.at);
        footer.push(ours(format!("You get this mail because {}.", self.said(&self.notice.why.to_string()))));
        footer.push(ours(format!("Sent by Buttonwatch. All times are {zone}.")));
        Page { label, badge, banner, tone, lead, blocks: self.blocks, footer }
    }

    /// A notice of neither order nor incident: its reason is all there is.
    fn bare(self) -> Page {
        let lead = ours(self.said(&self.notice.reason));
        let (banner, tone) = match self.notice.kind {
            NoticeKind::OrderOpened
            | NoticeKind::OrderReopened
            | NoticeKind::OrderRaised
            | NoticeKind::OrderReminder
            | NoticeKind::OrderEscalated
            | NoticeKind::Digest
            | NoticeKind::Summary
            | NoticeKind::IncidentOpened => ("Notice", Tone::Wrong),
            NoticeKind::MonitorTrouble => ("The monitor needs you", Tone::Wrong),
            NoticeKind::Report => ("Report", Tone::Over),
            NoticeKind::OrderClosed | NoticeKind::IncidentClosed | NoticeKind::MonitorWell => ("All clear", Tone::Over),
            NoticeKind::Test => ("Test mail", Tone::Over),
        };
        self.finish("Buttonwatch".into(), None, banner.into(), tone, lead)
    }

    fn orders(mut self, first: &Order, rest: &[Order], incident: Option<&IncidentFacts>) -> Page {
        let (banner, tone) = match (self.notice.kind, first.state) {
            (NoticeKind::OrderClosed, OrderState::Cancelled) => ("Cancelled, please do not go", Tone::Over),
            (NoticeKind::OrderClosed | NoticeKind::IncidentClosed, _) => ("Closed, nothing more to do", Tone::Over),
            (
                NoticeKind::OrderOpened
                | NoticeKind::Test
                | NoticeKind::Digest
                | NoticeKind::Summary
                | NoticeKind::MonitorTrouble
                | NoticeKind::MonitorWell
                | NoticeKind::Report,
                _,
            ) => ("New work order", Tone::Wrong),
            (NoticeKind::OrderReopened, _) => ("Open again", Tone::Wrong),
            (NoticeKind::OrderRaised, _) => ("More urgent now", Tone::Wrong),
            (NoticeKind::OrderReminder, _) => ("Still waiting for you", Tone::Wrong),
            (NoticeKind::OrderEscalated, _) if matches!(self.notice.why, NoticeReason::Overdue { .. }) => {
                ("Overdue", Tone::Wrong)
            }
            (NoticeKind::OrderEscalated, _) => ("Nobody has taken it", Tone::Wrong),
            (NoticeKind::IncidentOpened, _) => ("New work order for a common fault", Tone::Wrong),
        };
        let lead = match tone {
            Tone::Wrong => self.what_is_wrong(first),
            Tone::Over => self.why_over(first),
        };
        self.order(first, tone, incident);
        for order in rest {
            self.heading(&format!("Also {} ({})", order.id, order.priority));
            let wrong = self.what_is_wrong(order);
            self.blocks.push(Block::Paragraph(wrong));
            self.order(order, tone, None);
        }
        let badge = (tone == Tone::Wrong).then_some(first.priority);
        self.finish(first.id.to_string(), badge, banner.to_owned(), tone, lead)
    }

    fn why_over(&self, order: &Order) -> Vec<Span> {
        let cancelled = order.history.iter().rev().find(|c| c.state == OrderState::Cancelled);
        match cancelled.filter(|_| order.state == OrderState::Cancelled) {
            Some(change) => {
                let mut spans = vec![Span::Ours("Cancelled by ".into()), name(&change.by)];
                if !no_words(&change.why) {
                    spans.push(Span::Ours(": ".into()));
                    spans.push(Span::Name(self.said(&change.why.to_string())));
                }
                spans
            }
            None => ours(sentence(&self.said(&self.notice.reason))),
        }
    }

    pub(super) fn what_is_wrong(&self, order: &Order) -> Vec<Span> {
        let mut spans = match &order.subject {
            Subject::Unit { unit, component: _ } => {
                let mut spans = ours(unit.to_string());
                if let Some(facts) = self.unit(unit).filter(|u| !u.name.trim().is_empty()) {
                    spans.push(Span::Ours(" ".into()));
                    spans.push(name(&facts.name));
                }
                spans
            }
            Subject::Incident { kind, name: circuit } => {
                vec![Span::Ours(format!("{} ", first_upper(kind.as_str()))), name(circuit.as_str())]
            }
        };
        let summary = self.said(&order.summary);
        if !summary.is_empty() {
            spans.push(Span::Ours(format!(": {}", stopped(&summary))));
        }
        spans
    }

    pub(super) fn unit(&self, id: &UnitId) -> Option<&Unit> {
        find(self.context.fleet, id)
    }

    fn order(&mut self, order: &Order, tone: Tone, incident: Option<&IncidentFacts>) {
        self.when(order, tone);
        if tone == Tone::Wrong {
            self.heading("What to do");
            let action = match one_line(&order.action) {
                empty if empty.is_empty() => format!("Inspect the {} and repair it.", self.component_word(order)),
                action => sentence(&action),
            };
            self.blocks.push(Block::Paragraph(ours(action)));
            if !order.parts.is_empty() {
                self.heading("Bring");
                self.blocks.push(Block::List(order.parts.iter().map(|p| vec![name(p)]).collect()));
            }
            if let Some((_, url)) = self.context.links.iter().find(|(id, _)| *id == order.id) {
                self.heading("Tell us");
                let text = "I take it / On my way / Repaired".to_owned();
                self.blocks.push(Block::Paragraph(vec![Span::Link { text, url: url.clone(), in_text: true }]));
            }
        }
        self.place(order, incident);
        if tone == Tone::Wrong {
            self.also_at_the_site(order);
        }
        if tone == Tone::Wrong && !order.suspects.is_empty() {
            self.heading("Likely causes");
            let line = |s: &crate::domain::Suspect| {
                format!("{}: {} ({} %)", s.component, likelihood(s.certainty), s.certainty)
            };
            self.blocks.push(Block::List(order.suspects.iter().map(|s| ours(line(s))).collect()));
        }
        if !order.evidence.is_empty() || order.flapping || order.relapses > 0 {
            self.heading(if tone == Tone::Wrong { "What was seen" } else { "What had been seen" });
            let mut lines: Vec<Vec<Span>> = order.evidence.iter().map(|e| ours(self.said(&e.to_string()))).collect();
            if order.flapping {
                lines.push(ours("The fault comes and goes."));
            }
            match order.relapses {
                0 => {}
                1 => lines.push(ours("It came back once after it was closed.")),
                n => lines.push(ours(format!("It came back {n} times after it was closed."))),
            }
            self.blocks.push(Block::List(lines));
        }
        if let Some(picture) = self.context.pictures.iter().find(|p| p.order == order.id)
            && shows_picture(self.notice, order.id)
        {
            self.blocks.push(Block::Picture { cid: super::cid(order.id), words: picture.words.clone() });
        }
        self.history(order);
        self.before(order);
    }

    /// One visit, one list.
    fn also_at_the_site(&mut self, order: &Order) {
        let now = self.notice.at;
        let here = |other: &&Order| {
            other.site.is_some() && other.site == order.site && self.notice.orders.iter().all(|o| o.id != other.id)
        };
        let was_open = |other: &&Order| other.opened_at <= now && other.closed_at.is_none_or(|closed| closed > now);
        let open: Vec<&Order> = self.context.others.iter().filter(here).filter(was_open).collect();
        if open.is_empty() {
            return;
        }
        self.heading("Also open at this site");
        let mut lines = Vec::new();
        for other in open.iter().take(ALSO_SHOWN) {
            let mut line = ours(format!("{} {} ", other.id, other.priority));
            line.extend(self.what_is_wrong(other));
            if !other.parts.is_empty() {
                let parts: Vec<String> = other.parts.iter().map(|p| one_line(p)).collect();
                line.push(Span::Ours(format!(" Bring: {}.", parts.join(", "))));
            }
            lines.push(line);
        }
        if open.len() > ALSO_SHOWN {
            lines.push(ours(format!("and {} more", open.len() - ALSO_SHOWN)));
        }
        self.blocks.push(Block::List(lines));
    }

    /// What was done here lately, newest first: a third battery in a year is no battery's fault.
    fn before(&mut self, order: &Order) {
        let now = self.notice.at;
        let mut past: Vec<&Order> = self
            .context
            .others
            .iter()
            .filter(|o| o.id != order.id && o.site.is_some() && o.site == order.site)
            .filter(|o| o.closed_at.is_some_and(|closed| closed <= now))
            .collect();
        if past.is_empty() {
            return;
        }
        past.sort_by_key(|o| std::cmp::Reverse((o.closed_at, o.id)));
        self.heading("Orders here before");
        let mut lines = Vec::new();
        for old in past.iter().take(PAST_SHOWN) {
            let closed = old.closed_at.unwrap_or(now);
            let mut line = ours(format!("{}  {} ", self.time.date(closed), old.id));
            line.extend(self.what_is_wrong(old));
            let said = old.history.iter().rev().find(|c| c.state == OrderState::Repaired && !no_words(&c.why));
            if let Some(said) = said {
                line.push(Span::Ours(" ".into()));
                line.push(name(&stopped(&self.said(&said.why.to_string()))));
            }
            if old.relapses > 0 {
                line.push(Span::Ours(format!(" It came back {}.", counted(old.relapses as usize, "time"))));
            }
            lines.push(line);
        }
        if past.len() > PAST_SHOWN {
            lines.push(ours(format!("and {} more", past.len() - PAST_SHOWN)));
        }
        self.blocks.push(Block::List(lines));
    }

    fn component_word(&self, order: &Order) -> String {
        match &order.subject {
            Subject::Unit { unit: _, component } => component.to_string(),
            Subject::Incident { kind, name: _ } => kind.to_string(),
        }
    }

    fn when(&mut self, order: &Order, tone: Tone) {
        let now = self.notice.at;
        let mut facts = Vec::new();
        if tone == Tone::Wrong {
            let due = match order.due_at {
                Some(due) if due < now => {
                    format!("{}, overdue by {}", self.time.long(due), span_text(now.since(due)))
                }
                Some(due) if due == now => format!("{}, now", self.time.long(due)),
                Some(due) => format!("{}, in {}", self.time.long(due), span_text(due.since(now))),
                None => "at the next visit to this site".to_owned(),
            };
            facts.push(("Due", ours(due)));
            let since = since(order);
            facts.push(("Since", ours(self.time.long(since))));
            if self.notice.kind == NoticeKind::OrderReopened {
                facts.push(("Why again", ours(sentence(&self.said(&self.notice.reason)))));
            }
        } else {
            facts.push(("It was", self.what_is_wrong(order)));
            let opening = last_opening(order);
            let opened = opening.map_or(order.opened_at, |c| c.at);
            let again = opening.is_some_and(|c| c.state == OrderState::Reopened);
            facts.push((if again { "Open again" } else { "Opened" }, ours(self.time.long(opened))));
            let closed = order.closed_at.unwrap_or(now);
            let after = format!("{}, after {}", self.time.long(closed), span_text(closed.since(opened)));
            if order.state == OrderState::Cancelled {
                facts.push(("Cancelled", ours(after)));
            } else {
                let in_time = match order.due_at {
                    Some(due) if closed > due => format!(", {} after it was due", span_text(closed.since(due))),
                    Some(_) => ", in time".to_owned(),
                    None => String::new(),
                };
                facts.push(("Closed", ours(format!("{after}{in_time}"))));
            }
        }
        self.blocks.push(Block::Facts(facts));
    }

    fn place(&mut self, order: &Order, incident: Option<&IncidentFacts>) {
        match &order.subject {
            Subject::Unit { unit, component } => {
                self.heading("Where");
                let mut facts = vec![("Unit", ours(format!("{unit}, {component}")))];
                match self.unit(unit) {
                    Some(unit) => facts.extend(place_facts(unit)),
                    None => match &order.site {
                        Some(site) => facts.push(("Site", vec![name(site.as_str())])),
                        None => facts.push(("Site", ours("this unit is no longer in the fleet file"))),
                    },
                }
                self.blocks.push(Block::Facts(facts));
            }
            Subject::Incident { kind, name } => {
                let known = incident.map(|i| i.units.as_slice()).filter(|u| !u.is_empty());
                let units = known.unwrap_or(&order.units);
                self.circuit(*kind, name.as_str(), units);
            }
        }
    }

    fn circuit(&mut self, kind: GroupKind, circuit: &str, units: &[UnitId]) {
        self.heading("Where");
        let sites =
            units.iter().filter_map(|u| self.unit(u)).map(|u| &u.site).collect::<std::collections::BTreeSet<_>>();
        let count = format!("{}, {}", counted(units.len(), "unit"), counted(sites.len(), "site"));
        let mut facts = Vec::new();
        match kind {
            GroupKind::Fleet => facts.push(("What", ours("the whole fleet"))),
            GroupKind::Uplink => facts.push(("Uplink", vec![name(circuit)])),
            GroupKind::Feeder => facts.push(("Feeder", vec![name(circuit)])),
            GroupKind::Site => facts.push(("Site", vec![name(circuit)])),
            GroupKind::City => facts.push(("City", vec![name(circuit)])),
        }
        facts.push(("Affected", ours(count)));
        self.blocks.push(Block::Facts(facts));
        self.units(units);
    }

    /// Grouped by site, in the order of the sites' names.
    fn units(&mut self, units: &[UnitId]) {
        if units.is_empty() {
            return;
        }
        let mut by_site: BTreeMap<&str, (&Unit, Vec<&str>)> = BTreeMap::new();
        let mut gone = Vec::new();
        for id in units.iter().take(UNITS_SHOWN) {
            match find(self.context.fleet, id) {
                Some(unit) => by_site.entry(unit.site.as_str()).or_insert((unit, Vec::new())).1.push(id.as_str()),
                None => gone.push(id.as_str()),
            }
        }
        let mut lines = Vec::new();
        for (facts, ids) in by_site.into_values() {
            let ids_text = ids.join(", ");
            let mut spans = vec![name(facts.site.as_str())];
            spans.push(Span::Ours(", ".into()));
            spans.push(name(facts.city.as_str()));
            spans.push(Span::Ours(format!(": {ids_text}")));
            if let Some(map) = map_link(facts) {
                spans.push(Span::Ours(" ".into()));
                spans.push(map);
            }
            lines.push(spans);
        }
        if !gone.is_empty() {
            lines.push(ours(format!("no longer in the fleet file: {}", gone.join(", "))));
        }
        if units.len() > UNITS_SHOWN {
            lines.push(ours(format!("and {} more", units.len() - UNITS_SHOWN)));
        }
        self.heading("Units");
        self.blocks.push(Block::List(lines));
    }

    fn history(&mut self, order: &Order) {
        if order.history.is_empty() {
            return;
        }
        self.heading("History");
        let skipped = order.history.len().saturating_sub(HISTORY_SHOWN + 1);
        let mut lines = Vec::new();
        for (i, change) in order.history.iter().enumerate() {
            if skipped > 0 && i == 1 {
                lines.push(ours(format!("({skipped} earlier changes)")));
            }
            if (1..=skipped).contains(&i) {
                continue;
            }
            let when = format!("{}  {}", self.time.short(change.at), change.state);
            let mut spans = ours(when);
            if change.by != "buttonwatch" {
                spans.push(Span::Ours(" by ".into()));
                spans.push(name(&change.by));
            }
            if !no_words(&change.why) {
                spans.push(Span::Ours(": ".into()));
                // What a person wrote may be of any script.
                spans.push(Span::Name(self.said(&change.why.to_string())));
            }
            lines.push(spans);
        }
        self.blocks.push(Block::List(lines));
    }

    fn incident(mut self, incident: &IncidentFacts) -> Page {
        let over = match self.notice.kind {
            NoticeKind::IncidentClosed
            | NoticeKind::OrderClosed
            | NoticeKind::MonitorWell
            | NoticeKind::Test
            | NoticeKind::Report => true,
            NoticeKind::IncidentOpened
            | NoticeKind::MonitorTrouble
            | NoticeKind::OrderOpened
            | NoticeKind::OrderReopened
            | NoticeKind::OrderRaised
            | NoticeKind::OrderReminder
            | NoticeKind::OrderEscalated
            | NoticeKind::Digest
            | NoticeKind::Summary => false,
        };
        let circuit = match incident.kind {
            GroupKind::Fleet => ours("The whole fleet"),
            GroupKind::Uplink | GroupKind::Feeder | GroupKind::Site | GroupKind::City => {
                vec![Span::Ours(format!("{} ", first_upper(incident.kind.as_str()))), name(incident.name.as_str())]
            }
        };
        let mut lead = circuit;
        lead.push(Span::Ours(format!(": {}", stopped(&self.said(&self.notice.reason)))));
        let mut facts = vec![("Since", ours(self.time.long(incident.opened_at)))];
        if over {
            let lasted = span_text(self.notice.at.since(incident.opened_at));
            facts.push(("Over", ours(format!("{}, after {lasted}", self.time.long(self.notice.at)))));
        }
        self.blocks.push(Block::Facts(facts));
        self.heading("What it means");
        let meaning = match (incident.kind, over) {
            (GroupKind::Fleet, false) => {
                "So many units at once: more likely the monitor cannot hear them than that all are broken. Check this \
                 server's network and broker first. Until then readiness is unknown, and no orders are sent for it."
            }
            (GroupKind::Uplink | GroupKind::Feeder | GroupKind::Site | GroupKind::City, false) => {
                "One common cause. The units' own orders and mails are held back until it is over."
            }
            (GroupKind::Fleet, true) => {
                "The monitor hears the fleet again. Every unit is judged on its own from now on."
            }
            (GroupKind::Uplink | GroupKind::Feeder | GroupKind::Site | GroupKind::City, true) => {
                "Every unit is judged on its own from now on: one that is still faulty gets its own work order."
            }
        };
        self.blocks.push(Block::Paragraph(ours(meaning)));
        self.circuit(incident.kind, incident.name.as_str(), &incident.units);
        let (banner, tone) = if over { ("Incident over", Tone::Over) } else { ("Incident", Tone::Wrong) };
        self.finish(first_upper(incident.kind.as_str()), None, banner.to_owned(), tone, lead)
    }
}

/// What is over needs no chart of how it was.
pub(super) fn shows_picture(notice: &Notice, order: OrderId) -> bool {
    match notice.kind {
        NoticeKind::OrderOpened
        | NoticeKind::OrderReopened
        | NoticeKind::OrderRaised
        | NoticeKind::OrderReminder
        | NoticeKind::OrderEscalated => notice.orders.iter().any(|o| o.id == order && o.state.is_open()),
        NoticeKind::OrderClosed
        | NoticeKind::Digest
        | NoticeKind::Summary
        | NoticeKind::Report
        | NoticeKind::MonitorTrouble
        | NoticeKind::MonitorWell
        | NoticeKind::IncidentOpened
        | NoticeKind::IncidentClosed
        | NoticeKind::Test => false,
    }
}

fn is_list(kind: NoticeKind) -> bool {
    matches!(kind, NoticeKind::Digest | NoticeKind::Summary)
}

fn find<'a>(fleet: &'a Fleet, id: &UnitId) -> Option<&'a Unit> {
    fleet.find(id.as_str()).map(|ix| fleet.unit(ix))
}

pub(super) fn place_facts(unit: &Unit) -> Vec<(&'static str, Vec<Span>)> {
    let mut facts = vec![("Site", vec![name(unit.site.as_str()), Span::Ours(", ".into()), name(unit.city.as_str())])];
    let mut text = |label, value: &str| {
        if !value.trim().is_empty() {
            facts.push((label, vec![name(value)]));
        }
    };
    text("Address", &unit.address);
    if let Some(map) = map_link(unit) {
        facts.push(("Map", vec![map]));
    }
    if !unit.contact.trim().is_empty() {
        facts.push(("Contact", contact(&unit.contact)));
    }
    let mut text = |label, value: Option<&str>| {
        if let Some(value) = value.filter(|v| !v.trim().is_empty()) {
            facts.push((label, vec![name(value)]));
        }
    };
    text("Model", Some(&unit.model));
    text("Uplink", unit.uplink.as_ref().map(|u| u.as_str()));
    text("Feeder", unit.feeder.as_ref().map(|f| f.as_str()));
    facts
}

/// Opens in a browser and in map apps alike. A metre is five decimals.
fn map_link(unit: &Unit) -> Option<Span> {
    let url = map_url(unit.position?)?;
    Some(Span::Link { text: "Open the map".into(), url, in_text: true })
}

/// None: no place on earth.
pub(in crate::render) fn map_url((lat, lon): (f64, f64)) -> Option<String> {
    let is_place = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon);
    is_place.then(|| format!("https://www.openstreetmap.org/?mlat={lat:.5}&mlon={lon:.5}&zoom=18"))
}

/// The first phone number in it can be tapped.
pub(super) fn contact(text: &str) -> Vec<Span> {
    let text = one_line(text);
    let Some((start, end)) = phone_number(&text) else { return vec![Span::Name(text)] };
    let number = text[start..end].to_owned();
    let dial: String = number.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
    let mut spans = Vec::new();
    // The spaces stand outside: a name of another script would carry its own to its other side.
    let around = |part: &str| Span::Name(part.trim().to_owned());
    if !text[..start].trim().is_empty() {
        spans.extend([around(&text[..start]), Span::Ours(" ".into())]);
    }
    spans.push(Span::Link { text: number, url: format!("tel:{dial}"), in_text: false });
    if !text[end..].trim().is_empty() {
        let gap = if text[end..].starts_with(' ') { " " } else { "" };
        spans.extend([Span::Ours(gap.into()), around(&text[end..])]);
    }
    spans
}

/// A run of digits, spaces, hyphens and brackets with seven to fifteen digits (ITU-T E.164).
fn phone_number(text: &str) -> Option<(usize, usize)> {
    let in_number = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '(' | ')');
    let mut from = 0;
    while let Some(offset) = text[from..].find(|c: char| c.is_ascii_digit() || c == '+') {
        let start = from + offset;
        let body = start + usize::from(text[start..].starts_with('+'));
        let end = text[body..].find(|c| !in_number(c)).map_or(text.len(), |i| body + i);
        let run = text[start..end].trim_end_matches(|c: char| !c.is_ascii_digit());
        if (7..=15).contains(&run.bytes().filter(u8::is_ascii_digit).count()) {
            return Some((start, start + run.len()));
        }
        from = end.max(body);
    }
    None
}

/// When the fault began, as far as the order's first line tells; else when the order was opened.
pub(super) fn since(order: &Order) -> Timestamp {
    last_opening(order).map_or(order.opened_at, |c| began(&c.why, c.at))
}

/// Of an order that came back: when it came back.
fn last_opening(order: &Order) -> Option<&Change> {
    order.history.iter().rev().find(|c| matches!(c.state, OrderState::Opened | OrderState::Reopened))
}

fn began(why: &Reason, at: Timestamp) -> Timestamp {
    match why {
        Reason::NothingFor { last, .. } | Reason::DeafAndNotHeardSince { last } => *last,
        Reason::Deaf { since } => *since,
        Reason::FiredFor { after, what } => began(what, at - *after),
        Reason::HeldFor { span, what } => began(what, at - *span),
        Reason::Relapsed { what, .. }
        | Reason::Flapping { what, .. }
        | Reason::Joined { what, .. }
        | Reason::Diagnosed { what, .. }
        | Reason::MaintenanceEnded { what, .. } => began(what, at),
        Reason::HeardAgain { .. }
        | Reason::FirstHeard
        | Reason::NeverHeard
        | Reason::AsBefore
        | Reason::NothingRecorded
        | Reason::NeverPassed { .. }
        | Reason::TestsPassed { .. }
        | Reason::TestsOverdue { .. }
        | Reason::IncidentDoubtsHearing { .. }
        | Reason::AlertsFiring { .. }
        | Reason::AllClear
        | Reason::MaintenanceUntil { .. }
        | Reason::MaintenanceOver
        | Reason::Beyond { .. }
        | Reason::Within { .. }
        | Reason::AgainstBaseline { .. }
        | Reason::Changing { .. }
        | Reason::Foreseen { .. }
        | Reason::NotForeseen { .. }
        | Reason::Together { .. }
        | Reason::Rebaselined
        | Reason::ClearFor { .. }
        | Reason::BackBeforeFiring { .. }
        | Reason::Tested { .. }
        | Reason::Counted { .. }
        | Reason::CountedFewer { .. }
        | Reason::Overdue { .. }
        | Reason::DoneAgain { .. }
        | Reason::InhibitedBy { .. }
        | Reason::RuleGone
        | Reason::UnitGone
        | Reason::SilentTogether { .. }
        | Reason::BackTogether { .. }
        | Reason::IncidentWidened { .. }
        | Reason::IncidentOrdered { .. }
        | Reason::IncidentOver { .. }
        | Reason::Said { .. }
        | Reason::ClearedByItself { .. }
        | Reason::Verified { .. }
        | Reason::TestFailedAfterRepair { .. }
        | Reason::StillFiringAfterRepair { .. } => at,
    }
}

fn likelihood(certainty: u8) -> &'static str {
    match certainty {
        90.. => "almost certain",
        70..90 => "very likely",
        50..70 => "likely",
        25..50 => "possible",
        0..25 => "less likely",
    }
}

/// A person changed the state and said nothing about it.
fn no_words(why: &Reason) -> bool {
    matches!(why, Reason::Said { note } if note.trim().is_empty())
}

pub(super) fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

pub(super) fn first_upper(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// With a full stop, unless it ends in a mark of its own.
pub(super) fn stopped(text: &str) -> String {
    let text = text.trim();
    let ends = text.is_empty() || text.ends_with(['.', '!', '?', '۔', '؟']);
    if ends { text.to_owned() } else { format!("{text}.") }
}

/// The same with a capital.
pub(super) fn sentence(text: &str) -> String {
    first_upper(&stopped(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phone_numbers_are_found_among_names_and_dates() {
        let cases = [
            ("Gul Khan 0300-1234567", Some("0300-1234567")),
            ("+92 (91) 921 0000 gate 3", Some("+92 (91) 921 0000")),
            ("shop 12, Bilal 0333 9876543, key at 14", Some("0333 9876543")),
            ("room 12", None),
            ("+", None),
            ("قصہ خوانی", None),
            ("", None),
            ("1234567890123456789", None),
        ];
        for (text, expected) in cases {
            assert_eq!(phone_number(text).map(|(a, b)| &text[a..b]), expected, "{text}");
        }
    }

    #[test]
    fn sentences_begin_large_and_end_once() {
        assert_eq!(sentence("no heartbeat"), "No heartbeat.");
        assert_eq!(sentence("Check it!"), "Check it!");
        assert_eq!(sentence("مرمت کریں۔"), "مرمت کریں۔");
        assert_eq!(sentence(" "), "");
    }
}
