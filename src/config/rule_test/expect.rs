//! What must come of a test: `[[test.expect]]`. Never looks at what came.

use std::time::Duration;

use super::feed::given;
use super::{OFFSET, Units, read_units};
use crate::config::document::{Block, Item};
use crate::domain::component::UnknownWord;
use crate::domain::{Component, GroupKind, Metric, OrderState, Priority, Readiness, RuleId};

#[derive(Debug, Clone, PartialEq)]
pub struct Expect {
    pub line: u32,
    pub when: When,
    /// None: not said.
    pub units: Option<Units>,
    pub what: Expected,
    pub reason_contains: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    At(Duration),
    /// Both ends belong to it.
    Within {
        from: Duration,
        to: Duration,
    },
}

impl When {
    /// The last moment that the file names. None: it goes with the test.
    pub(super) fn last(self) -> Option<Duration> {
        match self {
            When::At(at) => Some(at),
            When::Within { to, .. } => Some(to).filter(|to| *to != Duration::MAX),
        }
    }
    pub(super) fn close(&mut self, until: Duration) {
        if let When::Within { to, .. } = self {
            *to = (*to).min(until);
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// At that moment, or all the time within.
    Alert {
        rule: RuleId,
        state: StandsAs,
    },
    /// One of these.
    Readiness(Vec<Readiness>),
    Incident {
        kind: GroupKind,
        name: Option<String>,
        open: bool,
    },
    /// Orders that stand at that moment.
    Order {
        which: WhichOrder,
        count: u32,
    },
    /// Orders that were opened within.
    Opened {
        which: WhichOrder,
        count: u32,
    },
    /// Mails that were decided within.
    Mails(u32),
    Reading {
        metric: Metric,
        above: Option<f64>,
        below: Option<f64>,
    },
    /// None of these came within.
    None(Vec<NothingOf>),
}

/// How an alert stands. `Inactive`: not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandsAs {
    Inactive,
    Pending,
    Firing,
    /// Firing, but an incident holds its order back.
    Inhibited,
}

impl StandsAs {
    pub const WORDS: [(&'static str, StandsAs); 4] = [
        ("inactive", StandsAs::Inactive),
        ("pending", StandsAs::Pending),
        ("firing", StandsAs::Firing),
        ("inhibited", StandsAs::Inhibited),
    ];
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, s)| *s == self).map_or("", |(word, _)| word)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NothingOf {
    /// That fire; pending ones may come and go.
    Alerts,
    Incidents,
    Orders,
    Mails,
}

impl NothingOf {
    pub const WORDS: [(&'static str, NothingOf); 4] = [
        ("alerts", NothingOf::Alerts),
        ("incidents", NothingOf::Incidents),
        ("orders", NothingOf::Orders),
        ("mails", NothingOf::Mails),
    ];
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, s)| *s == self).map_or("", |(word, _)| word)
    }
}

/// What is not said may be anything.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WhichOrder {
    pub component: Option<Component>,
    pub priority: Option<Priority>,
    /// None: any open one.
    pub state: Option<OrderState>,
    /// The name of the incident that it is on.
    pub incident: Option<String>,
    /// The surest suspect.
    pub suspect: Option<Component>,
}

const KEYS: &[&str] = &[
    "at",
    "from",
    "to",
    "unit",
    "except",
    "alert",
    "state",
    "readiness",
    "incident",
    "name",
    "order",
    "opened",
    "mails",
    "reading",
    "above",
    "below",
    "none",
    "reason_contains",
];
const WHAT: &[&str] = &["alert", "readiness", "incident", "order", "opened", "mails", "reading", "none"];
const ORDER_KEYS: &[&str] = &["component", "priority", "state", "incident", "suspect", "count"];

pub fn read(block: &Block<'_>) -> Option<Expect> {
    block.only_keys(KEYS, |key| match key {
        "rule" => Some("write alert = \"the rule's id\"".to_owned()),
        "orders" => Some("write order = { count = 1 } (standing at a moment) or opened = { count = 1 }".to_owned()),
        _ => None,
    });
    let named: Vec<&str> = WHAT.iter().copied().filter(|key| block.has(key)).collect();
    let what = match named.as_slice() {
        [one] => read_what(block, one),
        [] => {
            block.wrong(format_args!("this block expects nothing; write one of: {}", WHAT.join(", ")));
            None
        }
        several => {
            block.wrong(format_args!("{} stand in one block; make a [[test.expect]] of each", several.join(" and ")));
            None
        }
    };
    let when = read_when(block, named.first().copied().unwrap_or_default());
    let units = read_units(block);
    let reason = given(block.get("reason_contains").map(|i| i.words().map(str::to_owned)));
    for (key, goes_with) in [("state", "alert"), ("name", "incident"), ("above", "reading"), ("below", "reading")] {
        let fits = block.has(goes_with) || (key == "state" && block.has("incident"));
        if let Some(item) = block.get(key).filter(|_| !fits && !named.is_empty()) {
            item.wrong(format_args!("goes with {goes_with} only; drop it"));
        }
    }
    let (what, when, units, reason_contains) = (what?, when?, units?, reason?);
    let needs_unit = matches!(&what, Expected::Alert { .. } | Expected::Readiness(_) | Expected::Reading { .. });
    if needs_unit && units.is_none() {
        block.wrong("unit is missing; write unit = \"PSH-001\", a list of units, or \"*\" for all");
        return None;
    }
    if reason_contains.is_some() && matches!(&what, Expected::Mails(_) | Expected::Reading { .. } | Expected::None(_)) {
        block.wrong("reason_contains goes with alert, readiness, incident, order and opened; drop it");
        return None;
    }
    Some(Expect { line: block.line(), when, units, what, reason_contains })
}

/// Moments for what stands, spans for what comes; both for states, which then hold all the time.
fn read_when(block: &Block<'_>, what: &str) -> Option<When> {
    let at = block.get("at").map(|i| i.span(OFFSET));
    let from = block.get("from").map(|i| i.span(OFFSET));
    let to = block.get("to").map(|i| i.span(OFFSET));
    let only_at = matches!(what, "order" | "reading");
    let only_within = matches!(what, "opened" | "mails" | "none");
    if at.is_some() && (from.is_some() || to.is_some()) {
        block.wrong("at and from … to stand in one block; keep one of them");
        return None;
    }
    match at {
        Some(at) if only_within => {
            at?;
            block.wrong(format_args!("{what} is about a span of time; write from = … and to = …, or neither"));
            None
        }
        Some(at) => Some(When::At(at?)),
        None if only_at => {
            block.wrong(format_args!("{what} is about a moment; write at = \"35m\""));
            None
        }
        None if !only_within && from.is_none() && to.is_none() && !what.is_empty() => {
            block.wrong("it says no time; write at = \"35m\", or from = \"30m\" and to = \"2h\"");
            None
        }
        None => {
            let (from, to) = (given(from)?.unwrap_or_default(), given(to)?.unwrap_or(Duration::MAX));
            if to < from {
                block.wrong("to is before from; exchange them");
                return None;
            }
            Some(When::Within { from, to })
        }
    }
}

fn read_what(block: &Block<'_>, key: &str) -> Option<Expected> {
    let item = block.get(key).expect("the caller has seen the key");
    match key {
        "alert" => {
            let rule = item.parsed(RuleId::parse);
            let words = || StandsAs::WORDS.map(|(word, _)| word);
            let state = block.need("state", &format!("write one of: {}", words().join(", ")));
            let state = state.and_then(|i| word_of(&i, &StandsAs::WORDS));
            Some(Expected::Alert { rule: rule?, state: state? })
        }
        "readiness" => {
            let list: Vec<Option<Readiness>> = item.list().iter().map(Item::word).collect();
            let list: Option<Vec<Readiness>> = list.into_iter().collect();
            Some(Expected::Readiness(list?))
        }
        "incident" => {
            let kind = item.word::<GroupKind>();
            let name = given(block.get("name").map(|i| i.words().map(str::to_owned)));
            let open = match block.get("state") {
                None => Some(true),
                Some(state) => word_of(&state, &[("open", true), ("closed", false)]),
            };
            Some(Expected::Incident { kind: kind?, name: name?, open: open? })
        }
        "order" => read_order(&item).map(|(which, count)| Expected::Order { which, count }),
        "opened" => {
            let (which, count) = read_order(&item)?;
            if which.state.is_some() {
                item.wrong("cannot say a state: an order is opened as opened; ask for the state with order and at");
                return None;
            }
            Some(Expected::Opened { which, count })
        }
        "mails" => item.whole(0..=1_000_000).map(Expected::Mails),
        "reading" => {
            let metric = item.word::<Metric>();
            let above = given(block.get("above").map(|i| i.number()));
            let below = given(block.get("below").map(|i| i.number()));
            let (metric, above, below) = (metric?, above?, below?);
            if above.is_none() && below.is_none() {
                block.wrong("a reading needs above or below, or both");
                return None;
            }
            Some(Expected::Reading { metric, above, below })
        }
        "none" => {
            const ALL: [NothingOf; 3] = [NothingOf::Alerts, NothingOf::Incidents, NothingOf::Orders];
            match item.as_flag() {
                Some(true) => Some(Expected::None(ALL.to_vec())),
                Some(false) => {
                    item.wrong("is false; write none = true, or a list such as [\"orders\", \"mails\"]");
                    None
                }
                None => {
                    let list: Vec<Option<NothingOf>> =
                        item.list().iter().map(|i| word_of(i, &NothingOf::WORDS)).collect();
                    let list: Option<Vec<NothingOf>> = list.into_iter().collect();
                    list.map(Expected::None)
                }
            }
        }
        _ => unreachable!("every expectation is read above"),
    }
}

/// `1`, or `{ component = "battery", priority = "P2" }`: one if no count is said.
fn read_order(item: &Item<'_>) -> Option<(WhichOrder, u32)> {
    const COUNT: std::ops::RangeInclusive<u32> = 0..=1_000_000;
    if item.is_number() {
        return Some((WhichOrder::default(), item.whole(COUNT)?));
    }
    let block = item.block()?;
    block.only_keys(ORDER_KEYS, |_| None);
    let component = given(block.get("component").map(|i| i.word::<Component>()));
    let priority = given(block.get("priority").map(|i| i.word::<Priority>()));
    let state = given(block.get("state").map(|i| i.word::<OrderState>()));
    let incident = given(block.get("incident").map(|i| i.words().map(str::to_owned)));
    let suspect = given(block.get("suspect").map(|i| i.word::<Component>()));
    let count = given(block.get("count").map(|i| i.whole(COUNT)));
    let which = WhichOrder {
        component: component?,
        priority: priority?,
        state: state?,
        incident: incident?,
        suspect: suspect?,
    };
    Some((which, count?.unwrap_or(1)))
}

fn word_of<T: Copy>(item: &Item<'_>, words: &[(&'static str, T)]) -> Option<T> {
    let text = item.text()?;
    match words.iter().find(|(word, _)| *word == text.trim()) {
        Some((_, value)) => Some(*value),
        None => {
            let unknown = UnknownWord { text: text.to_owned(), known: words.iter().map(|(w, _)| *w).collect() };
            item.wrong(format_args!("cannot be used: {unknown}"));
            None
        }
    }
}
