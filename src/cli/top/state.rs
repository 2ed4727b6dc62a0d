//! What `top` shows and what its keys do. Pure: never asks the service, never draws, never reads a clock.

use std::time::Duration;

use chrono_tz::Tz;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::config::query::check_query;
use crate::domain::query::UnitField;
use crate::domain::view::{AlertRow, Health, IncidentRow, OrderView, UnitRow};
use crate::domain::{Readiness, Timestamp, UnitId};

use super::super::card::Card;

/// Without an answer for so long, what stands there may be wrong.
const STALE_AFTER: Duration = Duration::from_secs(8);
/// A filter longer than this was pasted by mistake.
const FILTER_CHARS_MAX: usize = 400;

/// What is to be asked of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub filter: String,
    pub order: Order,
    /// Ready ones too.
    pub all: bool,
    pub page: Option<Page>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    Card(UnitId),
    Orders,
    Alerts,
    Incidents,
    Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Newest,
    Longest,
    MostSilent,
    Name,
    City,
}

impl Order {
    /// As the API sorts.
    pub const fn field(self) -> &'static str {
        match self {
            Order::Newest => "-since",
            Order::Longest => "since",
            Order::MostSilent => "-silent",
            Order::Name => "unit",
            Order::City => "city",
        }
    }
    pub const fn says(self) -> &'static str {
        match self {
            Order::Newest => "newest first",
            Order::Longest => "longest first",
            Order::MostSilent => "most silent first",
            Order::Name => "by unit",
            Order::City => "by city",
        }
    }
    const fn next(self) -> Order {
        match self {
            Order::Newest => Order::Longest,
            Order::Longest => Order::MostSilent,
            Order::MostSilent => Order::Name,
            Order::Name => Order::City,
            Order::City => Order::Newest,
        }
    }
}

/// One round of answers.
#[derive(Debug, Clone)]
pub struct Fresh {
    pub wish: Wish,
    pub now: Timestamp,
    pub health: Health,
    /// Under the filter; nothing for a readiness that no unit has.
    pub counts: Vec<(Readiness, usize)>,
    pub rows: Vec<UnitRow>,
    /// How many there are, though only the first are here.
    pub rows_total: usize,
    /// Newest first.
    pub changes: Vec<UnitRow>,
    pub page: Option<Body>,
}

#[derive(Debug, Clone)]
pub enum Body {
    Card(Box<Card>),
    Orders(Vec<OrderView>, usize),
    Alerts(Vec<AlertRow>, usize),
    Incidents(Vec<IncidentRow>, usize),
    /// It is not there (any more).
    Gone(String),
}

/// A filter that is being typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Typing {
    pub text: String,
    /// What is wrong with it.
    pub wrong: Option<String>,
}

pub struct State {
    pub server: String,
    pub zone: Tz,
    pub colour: bool,
    pub wish: Wish,
    pub fresh: Option<Fresh>,
    /// Why the service did not answer the last time.
    pub trouble: Option<String>,
    /// Since the last answer.
    pub age: Duration,
    pub typing: Option<Typing>,
    pub selected: usize,
    /// The first row, and the first line of a page, that is seen. Drawing moves them so that the selected one is.
    pub first_row: usize,
    pub first_line: usize,
    /// Rows that fit, as of the last drawing: what a page up or down is.
    pub fits: usize,
    pub over: bool,
    /// Ask at once.
    pub hurry: bool,
}

impl State {
    pub fn new(server: &str, zone: Tz, colour: bool, filter: String) -> State {
        State {
            server: server.to_owned(),
            zone,
            colour,
            wish: Wish { filter, order: Order::Newest, all: false, page: None },
            fresh: None,
            trouble: None,
            age: Duration::ZERO,
            typing: None,
            selected: 0,
            first_row: 0,
            first_line: 0,
            fits: 1,
            over: false,
            hurry: false,
        }
    }

    /// The service's time, as well as it is known.
    pub fn now(&self) -> Timestamp {
        self.fresh.as_ref().map(|f| f.now + self.age).unwrap_or_default()
    }

    pub fn is_stale(&self) -> bool {
        self.trouble.is_some() || self.age > STALE_AFTER
    }

    /// The rows that the wish of now asked for.
    pub fn rows(&self) -> &[UnitRow] {
        self.fresh.as_ref().map(|f| f.rows.as_slice()).unwrap_or_default()
    }

    pub fn take(&mut self, answer: Result<Box<Fresh>, String>) {
        match answer {
            Ok(fresh) => {
                // The same unit stays selected, though others have come before it.
                let chosen = self.rows().get(self.selected).map(|r| r.unit.clone());
                let place = chosen.and_then(|unit| fresh.rows.iter().position(|r| r.unit == unit));
                self.selected = place.unwrap_or(self.selected).min(fresh.rows.len().saturating_sub(1));
                self.fresh = Some(*fresh);
                (self.trouble, self.age) = (None, Duration::ZERO);
            }
            Err(why) => self.trouble = Some(why),
        }
    }

    pub fn key(&mut self, key: KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) && matches!(key.code, KeyCode::Char('c' | 'C')) {
            self.over = true;
        } else if self.typing.is_some() {
            self.type_filter(key);
        } else {
            self.obey(key.code);
        }
    }

    fn obey(&mut self, code: KeyCode) {
        let page = self.fits.saturating_sub(1).max(1);
        match code {
            KeyCode::Char('q') => self.over = true,
            KeyCode::Esc if self.wish.page.is_none() => self.over = true,
            KeyCode::Esc | KeyCode::Backspace | KeyCode::Left => self.show(None),
            KeyCode::Enter | KeyCode::Right if self.wish.page.is_none() => {
                if let Some(row) = self.rows().get(self.selected) {
                    let unit = row.unit.clone();
                    self.show(Some(Page::Card(unit)));
                }
            }
            KeyCode::Char('o') => self.show(Some(Page::Orders)),
            KeyCode::Char('a') => self.show(Some(Page::Alerts)),
            KeyCode::Char('i') => self.show(Some(Page::Incidents)),
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.show(Some(Page::Keys)),
            KeyCode::Char('/') => {
                self.show(None);
                self.typing = Some(Typing { text: self.wish.filter.clone(), wrong: None });
            }
            KeyCode::Char('s') => {
                self.wish.order = self.wish.order.next();
                (self.selected, self.first_row) = (0, 0);
            }
            KeyCode::Char('n') => {
                self.wish.all = !self.wish.all;
                (self.selected, self.first_row) = (0, 0);
            }
            KeyCode::Char('r') => self.hurry = true,
            KeyCode::Down | KeyCode::Char('j') => self.go(1, 1),
            KeyCode::Up | KeyCode::Char('k') => self.go(-1, 1),
            KeyCode::PageDown | KeyCode::Char(' ') => self.go(1, page),
            KeyCode::PageUp => self.go(-1, page),
            KeyCode::Home | KeyCode::Char('g') => self.go(-1, usize::MAX),
            KeyCode::End | KeyCode::Char('G') => self.go(1, usize::MAX),
            // Crossterm's keys, not ours.
            _ => {}
        }
    }

    fn show(&mut self, page: Option<Page>) {
        if self.wish.page != page {
            self.first_line = 0;
            self.wish.page = page;
            if let Some(fresh) = &mut self.fresh {
                fresh.page = None;
            }
        }
    }

    fn go(&mut self, direction: i8, by: usize) {
        let last = self.rows().len().saturating_sub(1);
        let to = |place: usize| if direction < 0 { place.saturating_sub(by) } else { place.saturating_add(by) };
        match self.wish.page {
            None => self.selected = to(self.selected).min(last),
            // Drawing knows where the page ends.
            Some(_) => self.first_line = to(self.first_line),
        }
    }

    fn type_filter(&mut self, key: KeyEvent) {
        let Some(typing) = &mut self.typing else { return };
        typing.wrong = None;
        match key.code {
            KeyCode::Esc => self.typing = None,
            KeyCode::Enter => match check_query::<UnitField>(&[typing.text.trim()], None) {
                Ok(_) => {
                    self.wish.filter = typing.text.trim().to_owned();
                    (self.selected, self.first_row) = (0, 0);
                    self.typing = None;
                }
                Err(problems) => typing.wrong = Some(problems.join("; ")),
            },
            KeyCode::Backspace => drop(typing.text.pop()),
            KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => typing.text.clear(),
            KeyCode::Char('w') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                let kept = typing.text.trim_end().rfind(' ').map_or(0, |at| at + 1);
                typing.text.truncate(kept);
            }
            KeyCode::Char(c)
                if !key.modifiers.contains(KeyModifiers::CONTROL)
                    && !c.is_control()
                    && typing.text.chars().count() < FILTER_CHARS_MAX =>
            {
                typing.text.push(c);
            }
            _ => {}
        }
    }
}
