//! Several orders in one mail: the morning's round trip, or what came together. Owns their order on the page: stop by stop,
//! what to bring, what is over. How one order reads is `page`'s.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{NoticeKind, Order, OrderState, Priority, Recipient, Subject, Unit, span_text};

use super::page::{Block, Page, Span, Tone, Writer, counted, name, ours, place_facts, since, stopped};

/// More than fits a day's trip; the sheet beside it has them all.
const ORDERS_SHOWN: usize = 40;
/// Ended ones are good news: a few lines of it are enough.
const OVER_SHOWN: usize = 20;

impl Writer<'_> {
    /// Common causes, those that are over last.
    fn incidents(mut self) -> Page {
        let (over, open): (Vec<_>, Vec<_>) = self.notice.incidents.iter().partition(|news| news.is_over);
        for (title, list) in [("Not over", &open), ("Over", &over)] {
            if list.is_empty() {
                continue;
            }
            self.heading(title);
            let mut lines: Vec<Vec<Span>> = Vec::new();
            for news in list.iter().take(ORDERS_SHOWN) {
                let facts = &news.facts;
                let since = self.time.short(facts.opened_at);
                lines.push(vec![
                    Span::Ours(format!("{} ", super::page::first_upper(facts.kind.as_str()))),
                    name(facts.name.as_str()),
                    Span::Ours(format!(
                        ", {}, since {since}: {}",
                        counted(facts.units.len(), "unit"),
                        stopped(&self.said(&news.reason))
                    )),
                ]);
            }
            if list.len() > ORDERS_SHOWN {
                lines.push(ours(format!(
                    "and {} more; `buttonwatch incidents` lists them all",
                    list.len() - ORDERS_SHOWN
                )));
            }
            self.blocks.push(Block::List(lines));
        }
        let lead = ours(stopped(&super::page::first_upper(&self.notice.reason)));
        let tone = if open.is_empty() { Tone::Over } else { Tone::Wrong };
        let banner = format!("{} together", counted(open.len() + over.len(), "common cause"));
        self.finish("Summary".to_owned(), None, banner, tone, lead)
    }

    pub(super) fn list(mut self) -> Page {
        if !self.notice.incidents.is_empty() {
            return self.incidents();
        }
        let (open, over): (Vec<&Order>, Vec<&Order>) = self.notice.orders.iter().partition(|o| o.state.is_open());
        let (proving, to_do): (Vec<&Order>, Vec<&Order>) = open.into_iter().partition(|o| is_proving(o));
        let lead = self.in_one_sentence(&to_do, &proving, &over);
        self.stops(&to_do);
        self.bag(&to_do);
        self.lines("Repaired, waiting for proof", &proving, OVER_SHOWN);
        self.lines("Over, nothing more to do", &over, OVER_SHOWN);
        let tone = if to_do.is_empty() { Tone::Over } else { Tone::Wrong };
        let badge = to_do.iter().map(|o| o.priority).min();
        let whose = match &self.notice.to {
            Recipient::Crew(crew) | Recipient::Supervisor(crew) => crew.to_string(),
            Recipient::Operator | Recipient::ReportReaders => "the operator".to_owned(),
        };
        let banner = match (self.notice.kind, &self.notice.to, to_do.len()) {
            (NoticeKind::Digest, ..) => format!("Today's work for {whose}"),
            (_, _, 0) => format!("All clear for {whose}"),
            (_, Recipient::Supervisor(_), n) => format!("{} of {whose} need you", counted(n, "order")),
            (_, _, n) => format!("{} for {whose}", counted(n, "order")),
        };
        let label = if self.notice.kind == NoticeKind::Digest { "Digest" } else { "Summary" };
        self.finish(label.to_owned(), badge, banner, tone, lead)
    }

    fn in_one_sentence(&self, to_do: &[&Order], proving: &[&Order], over: &[&Order]) -> Vec<Span> {
        let now = self.notice.at;
        let sites: BTreeSet<_> = to_do.iter().filter_map(|o| self.site_of(o).map(|u| &u.site)).collect();
        let mut parts = Vec::new();
        if !to_do.is_empty() {
            let places = if sites.len() > 1 { format!(" at {} sites", sites.len()) } else { String::new() };
            parts.push(format!("{} to do{places}", counted(to_do.len(), "order")));
        }
        let urgent: Vec<String> = [Priority::P1, Priority::P2]
            .into_iter()
            .map(|p| (p, to_do.iter().filter(|o| o.priority == p).count()))
            .filter(|(_, n)| *n > 0)
            .map(|(p, n)| format!("{n} {p}"))
            .collect();
        if !urgent.is_empty() {
            parts.push(urgent.join(" and "));
        }
        let late = to_do.iter().filter(|o| o.due_at.is_some_and(|due| due < now)).count();
        if late > 0 {
            parts.push(format!("{late} overdue"));
        }
        if !proving.is_empty() {
            parts.push(format!("{} waiting for proof", proving.len()));
        }
        if !over.is_empty() {
            parts.push(format!("{} over", over.len()));
        }
        ours(stopped(&parts.join(", ")))
    }

    /// The unit where a crew has to go: of a common cause its first.
    fn site_of(&self, order: &Order) -> Option<&Unit> {
        let id = match &order.subject {
            Subject::Unit { unit, component: _ } => Some(unit),
            Subject::Incident { kind: _, name: _ } => order.units.first(),
        };
        id.and_then(|id| self.unit(id))
    }

    /// The orders come in the order of the visits: a stop is a run of them at one site.
    fn stops(&mut self, to_do: &[&Order]) {
        let mut stop = 0;
        let mut here = None;
        for order in to_do.iter().take(ORDERS_SHOWN) {
            let unit = self.site_of(order).cloned();
            let site = unit.as_ref().map(|u| u.site.clone()).or_else(|| order.site.clone());
            if stop == 0 || site != here {
                stop += 1;
                let mut title = ours(format!("Stop {stop}: "));
                match (&unit, &site) {
                    (Some(unit), _) => {
                        title.extend([name(unit.site.as_str()), Span::Ours(", ".into()), name(unit.city.as_str())]);
                    }
                    (None, Some(site)) => title.push(name(site.as_str())),
                    (None, None) => title.extend(ours("no place in the fleet file")),
                }
                self.blocks.push(Block::Heading(title));
                let where_: Vec<_> = unit
                    .iter()
                    .flat_map(place_facts)
                    .filter(|(label, _)| matches!(*label, "Address" | "Map" | "Contact"))
                    .collect();
                if !where_.is_empty() {
                    self.blocks.push(Block::Facts(where_));
                }
                here = site;
            }
            self.one(order);
        }
        if to_do.len() > ORDERS_SHOWN {
            let more = to_do.len() - ORDERS_SHOWN;
            self.heading(&format!("And {} more", counted(more, "order")));
            self.blocks.push(Block::Paragraph(ours("All of them are in the sheet that comes with this mail.")));
        }
    }

    fn one(&mut self, order: &Order) {
        let mut lead = ours(format!("{} {} ", order.priority, order.id));
        lead.extend(self.what_is_wrong(order));
        let mut lines = vec![ours(self.due(order))];
        let action = super::one_line(&order.action);
        if !action.is_empty() {
            lines.push(ours(format!("Do: {}", stopped(&action))));
        }
        if let Some(evidence) = order.evidence.last() {
            lines.push(ours(format!("Seen: {}", stopped(&self.said(&evidence.to_string())))));
        }
        if let Some((_, url)) = self.context.links.iter().find(|(id, _)| *id == order.id) {
            let text = "I take it / On my way / Repaired".to_owned();
            lines.push(vec![Span::Link { text, url: url.clone(), in_text: true }]);
        }
        self.blocks.push(Block::Entry(lead, lines));
    }

    fn due(&self, order: &Order) -> String {
        let now = self.notice.at;
        let due = match order.due_at {
            Some(due) if due < now => format!("overdue by {}", span_text(now.since(due))),
            Some(due) => format!("due {}", self.time.short(due)),
            None => "at this visit".to_owned(),
        };
        let state = match order.state {
            OrderState::Opened => "nobody has taken it",
            OrderState::Reopened => "open again",
            OrderState::Acknowledged => "taken",
            OrderState::EnRoute => "on the way",
            OrderState::Repaired | OrderState::Verified => "repaired",
            OrderState::Closed => "closed",
            OrderState::Cancelled => "cancelled",
        };
        let since = self.time.short(since(order));
        let mut line = format!("since {since}, {due}, {state}");
        if order.relapses > 0 {
            line.push_str(&format!(", came back {}", counted(order.relapses as usize, "time")));
        }
        super::page::sentence(&line)
    }

    /// One list for the bag.
    fn bag(&mut self, to_do: &[&Order]) {
        let mut parts: BTreeMap<String, usize> = BTreeMap::new();
        for part in to_do.iter().flat_map(|o| &o.parts) {
            *parts.entry(super::one_line(part)).or_default() += 1;
        }
        parts.remove("");
        if parts.is_empty() {
            return;
        }
        self.heading("Bring");
        let lines = parts.iter().map(|(part, n)| {
            let times = if *n > 1 { format!(" (for {n} orders)") } else { String::new() };
            vec![name(part), Span::Ours(times)]
        });
        self.blocks.push(Block::List(lines.collect()));
    }

    fn lines(&mut self, title: &str, orders: &[&Order], most: usize) {
        if orders.is_empty() {
            return;
        }
        self.heading(title);
        let mut lines: Vec<Vec<Span>> = Vec::new();
        for order in orders.iter().take(most) {
            let mut line = ours(format!("{} ", order.id));
            line.extend(self.what_is_wrong(order));
            if let Some(last) = order.history.last().filter(|_| !order.state.is_open()) {
                let why = self.said(&last.why.to_string());
                line.push(Span::Ours(format!(
                    " {}, {}",
                    super::page::first_upper(last.state.as_str()),
                    self.time.short(last.at)
                )));
                if !why.is_empty() {
                    line.push(Span::Ours(": ".to_owned()));
                    line.push(name(&stopped(&why)));
                }
            }
            lines.push(line);
        }
        if orders.len() > most {
            lines.push(ours(format!("and {} more", orders.len() - most)));
        }
        self.blocks.push(Block::List(lines));
    }
}

pub(super) fn is_proving(order: &Order) -> bool {
    match order.state {
        OrderState::Repaired | OrderState::Verified => true,
        OrderState::Opened
        | OrderState::Acknowledged
        | OrderState::EnRoute
        | OrderState::Reopened
        | OrderState::Closed
        | OrderState::Cancelled => false,
    }
}
