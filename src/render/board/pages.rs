//! What stands on each page: the service's answers → what a template needs. Never asks, never escapes.

use std::time::Duration;

use minijinja::context;
use minijinja::value::{Serde, Value};

use crate::domain::explain::{Explained, Standing};
use crate::domain::on_demand::CommandView;
use crate::domain::overview::{Counts, Overview, Part, RulesView, WORST_FIRST, is_overdue};
use crate::domain::view::{AlertRow, IncidentRow, OrderView, ReadingView, SeriesView, UnitCard, UnitHistory, UnitRow};
use crate::domain::{
    AlertState, City, CrewId, GroupKind, OrderMove, OrderState, Outcome, Readiness, Reason, Severity, UnitId,
};
use crate::render::crew_page;
use crate::render::mail::escaped;

use super::reader::{Reader, has_chart, link};
use super::{Drawn, View, charts, map};

/// An incident's units, an uplink's siblings: more than a page can show of them.
const CHIPS_MAX: usize = 60;
const STRETCHES_MAX: usize = 100;
const COMMANDS_MAX: usize = 5;
const INCIDENTS_ON_THE_BOARD: usize = 8;

/// `/`
pub struct Home<'a> {
    pub overview: &'a Overview,
    pub incidents: &'a [IncidentRow],
    pub part: &'a Part,
}

/// `/units`
pub struct Units<'a> {
    pub rows: &'a [UnitRow],
    pub total: usize,
    pub asked: &'a AskedUnits,
    pub cities: Vec<City>,
    pub crews: &'a [CrewId],
    /// Why the filter cannot be read.
    pub mistakes: &'a [String],
    /// The nearest to it come first. Err: why it cannot be read.
    pub here: Option<Result<(f64, f64), String>>,
    /// Where the list begins and goes on.
    pub first: Option<String>,
    pub next: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct AskedUnits {
    pub city: String,
    pub crew: String,
    pub site: String,
    pub uplink: String,
    pub feeder: String,
    pub readiness: Vec<Readiness>,
    /// In the filter language.
    pub filter: String,
    /// `since`, `-since`; empty: by id.
    pub sort: String,
    /// `34.0086,71.5743`; empty: nowhere.
    pub near: String,
}

impl AskedUnits {
    /// The same list's address, ordered so and not by nearness.
    pub fn address(&self, sort: &str, more: &[(&str, &str)]) -> String {
        let mut fields = vec![
            ("city", self.city.as_str()),
            ("crew", &self.crew),
            ("site", &self.site),
            ("uplink", &self.uplink),
            ("feeder", &self.feeder),
        ];
        fields.extend(self.readiness.iter().map(|r| ("readiness", r.as_str())));
        fields.extend([("filter", self.filter.as_str()), ("sort", sort)]);
        fields.extend(more);
        link("/units", fields)
    }

    /// Each condition in a few words: what the form says while it is folded up.
    fn told(&self, reader: &Reader) -> Vec<String> {
        let readiness = self.readiness.iter().map(|r| reader.say(&format!("readiness-{r}")));
        let near = (!self.near.is_empty()).then(|| format!("{} {}", reader.say("near"), self.near));
        let all = [self.city.clone(), self.crew.clone()].into_iter().chain(readiness).chain([shown_filter(self)]);
        all.chain(near).filter(|text| !text.is_empty()).collect()
    }
}

/// `/units/{unit}`
pub struct UnitPage<'a> {
    pub card: &'a UnitCard,
    pub explained: Option<&'a Explained>,
    pub history: Option<&'a UnitHistory>,
    pub series: &'a [SeriesView],
    /// The charts show so many days.
    pub days: u32,
    /// One chart was asked for by name.
    pub metric: Option<&'a str>,
    /// What was asked of it lately.
    pub commands: &'a [CommandView],
}

/// `/orders`
pub struct Orders<'a> {
    pub rows: &'a [OrderView],
    pub total: usize,
    pub overdue: usize,
    pub asked: &'a AskedOrders,
    pub crews: &'a [CrewId],
    pub mistakes: &'a [String],
    pub first: Option<String>,
    pub next: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct AskedOrders {
    pub crew: String,
    /// A state, or `all`; empty: all open ones.
    pub state: String,
    pub filter: String,
}

/// `/orders/{order}`
pub struct OrderPage<'a> {
    pub order: &'a OrderView,
    /// Of its unit.
    pub card: Option<&'a UnitCard>,
    pub may_act: bool,
    pub may_cancel: bool,
    /// What was typed into a form that changed nothing.
    pub kept: Kept,
}

#[derive(Debug, Clone, Default)]
pub struct Kept {
    pub by: String,
    pub note: String,
}

/// `/incidents`
pub struct Incidents<'a> {
    pub rows: &'a [IncidentRow],
    pub page: OnePage,
    pub filter: &'a str,
    pub mistakes: &'a [String],
}

/// `/alerts`
pub struct Alerts<'a> {
    pub rows: &'a [AlertRow],
    pub page: OnePage,
    pub asked: &'a AskedAlerts,
    pub mistakes: &'a [String],
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct AskedAlerts {
    pub severity: String,
    pub state: String,
    pub rule: String,
    pub filter: String,
}

/// How many rows there are in all, and where the others are.
#[derive(Debug, Clone, Default)]
pub struct OnePage {
    pub total: usize,
    pub first: Option<String>,
    pub next: Option<String>,
}

/// `/rules`
pub struct Rules<'a> {
    pub rules: &'a RulesView,
}

/// `/sign-in`
pub struct SignIn<'a> {
    /// Where to go then.
    pub to: &'a str,
    pub by: &'a str,
    pub hours: u64,
}

/// Instead of a page.
pub struct Problem<'a> {
    pub trouble: Trouble,
    /// In the service's own words.
    pub detail: &'a str,
    pub back: Option<&'a str>,
}

/// What stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    NotFound,
    NotAllowed,
    Foreign,
    Conflict,
    Invalid,
    TooLarge,
    WrongMethod,
    Misdirected,
    Unavailable,
    Internal,
}

/// Its title, its help and its status.
pub type Said = (&'static str, &'static str, u16);

impl Trouble {
    pub fn said(self) -> Said {
        match self {
            Trouble::NotFound => ("problem-not-found", "problem-not-found-help", 404),
            Trouble::NotAllowed => ("problem-not-allowed", "problem-not-allowed-help", 403),
            Trouble::Foreign => ("problem-foreign", "problem-foreign-help", 403),
            Trouble::Conflict => ("problem-conflict", "problem-conflict-help", 409),
            Trouble::Invalid => ("problem-invalid", "problem-invalid-help", 422),
            Trouble::TooLarge => ("problem-too-large", "problem-too-large-help", 413),
            Trouble::WrongMethod => ("problem-wrong-method", "problem-wrong-method-help", 405),
            Trouble::Misdirected => ("problem-misdirected", "problem-misdirected-help", 421),
            Trouble::Unavailable => ("problem-unavailable", "problem-unavailable-help", 503),
            Trouble::Internal => ("problem-internal", "problem-internal-help", 500),
        }
    }
}

impl View<'_> {
    pub(super) fn drawn(&self, reader: &Reader) -> Drawn {
        match self {
            View::Home(page) => page.drawn(reader),
            View::Units(page) => page.drawn(reader),
            View::Unit(page) => page.drawn(reader),
            View::Orders(page) => page.drawn(reader),
            View::Order(page) => page.drawn(reader),
            View::Incidents(page) => page.drawn(reader),
            View::Alerts(page) => page.drawn(reader),
            View::Rules(page) => page.drawn(reader),
            View::SignIn(page) => {
                let help = context! { to => page.to, by => page.by, hours => page.hours };
                Drawn { template: "sign-in.html", values: help, live: String::new(), say: String::new() }
            }
            View::Problem(page) => {
                let (title, help, status) = page.trouble.said();
                let values = context! { title, help, status, detail => page.detail, back => page.back };
                Drawn { template: "problem.html", values, live: String::new(), say: String::new() }
            }
        }
    }
}

/// Any change may change it.
const EVERYTHING: &str = "all";

/// How it stands with all of them, in one sentence.
fn headline(counts: &Counts, reader: &Reader) -> String {
    let all = counts.total();
    let dead = counts.of(Readiness::NotReady) + counts.of(Readiness::Silent);
    let impaired = counts.of(Readiness::Impaired);
    let not_sure = counts.of(Readiness::Unknown) + counts.of(Readiness::Unproven);
    let of_all = |key: &str, n: usize| reader.say_with(key, &[("n", n.into()), ("all", all.into())]);
    match (all, dead, not_sure, impaired) {
        (0, ..) => reader.say("board-empty"),
        (_, 1.., ..) => of_all("board-dead", dead),
        (_, 0, 1.., _) => of_all("board-not-sure", not_sure),
        (_, 0, 0, 1..) => of_all("board-impaired", impaired),
        (_, 0, 0, 0) => reader.count("board-all-ready", all),
    }
}

fn broken(counts: &Counts) -> usize {
    counts.of(Readiness::NotReady) + counts.of(Readiness::Silent) + counts.of(Readiness::Impaired)
}

impl Home<'_> {
    fn drawn(&self, reader: &Reader) -> Drawn {
        let overview = self.overview;
        let city = self.part.city.as_ref().map(|c| c.as_str());
        let counts = WORST_FIRST.iter().map(|r| {
            let href = link("/units", [("city", city.unwrap_or_default()), ("readiness", r.as_str())]);
            context! { readiness => r.as_str(), units => overview.counts.of(*r), href }
        });
        let cities = overview.cities.iter().map(|c| {
            context! {
                city => c.city.as_str(), href => link("/", [("city", c.city.as_str())]), units => c.counts.total(),
                broken => broken(&c.counts), is_here => city == Some(c.city.as_str()),
            }
        });
        let broken_fields =
            [Readiness::NotReady, Readiness::Silent, Readiness::Impaired].map(|r| ("readiness", r.as_str()));
        let broken_href = link(
            "/units",
            [("city", city.unwrap_or_default())].into_iter().chain(broken_fields).chain([("sort", "since")]),
        );
        let say = headline(&overview.counts, reader);
        let values = context! {
            overview => context! {
                unplaced_units => unit_lines(&overview.unplaced_units, reader),
                broken_units => unit_lines(&overview.broken_units, reader),
                changed_units => unit_lines(&overview.changed_units, reader),
                ..data(overview)
            },
            say => say.as_str(),
            city => city,
            is_part => !self.part.is_everything(),
            counts => counts.collect::<Vec<_>>(),
            cities => cities.collect::<Vec<_>>(),
            broken_href => broken_href,
            near_href => link("/units", broken_fields) + "#near",
            map => Value::from_safe_string(map::svg(overview, self.part, reader)),
            incidents => incident_lines(self.incidents.iter().take(INCIDENTS_ON_THE_BOARD), reader),
        };
        Drawn { template: "home.html", values, live: EVERYTHING.to_owned(), say }
    }
}

fn why(reader: &Reader, because: Option<&Reason>, text: &str) -> Value {
    Value::from_safe_string(reader.why(because, text))
}

fn unit_lines(rows: &[UnitRow], reader: &Reader) -> Vec<Value> {
    rows.iter().map(|u| context! { why => why(reader, u.because.as_ref(), &u.reason), ..data(u) }).collect()
}

/// And how far it is from there, in which direction, where that is known.
fn unit_lines_from(here: (f64, f64), rows: &[UnitRow], reader: &Reader) -> Vec<Value> {
    let away = |u: &UnitRow| u.position.map(|there| reader.away(here, there));
    let line = |u| context! { away => away(u), why => why(reader, u.because.as_ref(), &u.reason), ..data(u) };
    rows.iter().map(line).collect()
}

fn alert_lines(rows: &[AlertRow], reader: &Reader) -> Vec<Value> {
    rows.iter().map(|a| context! { why => why(reader, a.because.as_ref(), &a.reason), ..data(a) }).collect()
}

fn incident_lines<'a>(rows: impl Iterator<Item = &'a IncidentRow>, reader: &Reader) -> Vec<Value> {
    rows.map(|row| incident(row, reader)).collect()
}

/// Without its units: there may be a hundred thousand.
fn incident(row: &IncidentRow, reader: &Reader) -> Value {
    let name = row.name.as_str();
    let href = match row.kind {
        GroupKind::Uplink => link("/units", [("uplink", name)]),
        GroupKind::Feeder => link("/units", [("feeder", name)]),
        GroupKind::Site => link("/units", [("site", name)]),
        GroupKind::City => link("/units", [("city", name)]),
        GroupKind::Fleet => "/units".to_owned(),
    };
    context! {
        kind => row.kind.as_str(), name, href, unit_count => row.units.len(), since => row.since.to_string(),
        why => why(reader, row.because.as_ref(), &row.reason), order => row.order.map(|o| o.to_string()),
    }
}

/// As a template reads it.
fn data<T: serde::Serialize>(value: T) -> Value {
    Value::from(Serde(value))
}

fn pages(first: &Option<String>, next: &Option<String>) -> Value {
    context! { first => first.as_deref(), next => next.as_deref() }
}

fn names<T: ToString>(all: &[T]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

impl Units<'_> {
    fn drawn(&self, reader: &Reader) -> Drawn {
        let asked = self.asked;
        let here = self.here.as_ref().and_then(|here| here.as_ref().ok()).copied();
        let nearest = here.map(|_| {
            context! { href => asked.address("", &[("near", &asked.near)]), label => "sort-near", is_here => true }
        });
        let sorts = [("", "sort-name"), ("-since", "sort-since"), ("since", "sort-longest")].map(|(word, label)| {
            context! { href => asked.address(word, &[]), label, is_here => here.is_none() && asked.sort == word }
        });
        let readiness = WORST_FIRST.map(|r| context! { word => r.as_str(), is_asked => asked.readiness.contains(&r) });
        let values = context! {
            units => match here {
                Some(here) => unit_lines_from(here, self.rows, reader),
                None => unit_lines(self.rows, reader),
            },
            total => self.total,
            asked => context! {
                city => &*asked.city, crew => &*asked.crew, filter => shown_filter(asked), sort => &*asked.sort,
                near => &*asked.near,
            },
            told => asked.told(reader),
            near_mistake => self.here.as_ref().and_then(|here| here.as_ref().err()),
            cities => names(&self.cities),
            crews => names(self.crews),
            readiness => readiness.to_vec(),
            sorts => nearest.into_iter().chain(sorts).collect::<Vec<_>>(),
            mistakes => self.mistakes.to_vec(),
            pages => pages(&self.first, &self.next),
        };
        let say = reader.count("n-buttons", self.total);
        Drawn { template: "units.html", values, live: EVERYTHING.to_owned(), say }
    }
}

/// What the form has no field for stands in its filter line, so that sending it keeps it.
fn shown_filter(asked: &AskedUnits) -> String {
    let more = [("site", &asked.site), ("uplink", &asked.uplink), ("feeder", &asked.feeder)];
    let more = more.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| condition(name, value));
    more.chain([asked.filter.clone()]).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `site="Jinnah Park"`, as the filter language has it.
pub fn condition(field: &str, value: &str) -> String {
    match value.contains('"') {
        true => format!("{field}={value}"),
        false => format!("{field}=\"{value}\""),
    }
}

impl UnitPage<'_> {
    fn drawn(&self, reader: &Reader) -> Drawn {
        let card = self.card;
        let unit = &card.row.unit;
        let (orders, open): (Vec<Value>, Vec<bool>) =
            card.orders.iter().filter(|o| o.state.is_open()).map(|o| (order(o), true)).unzip();
        let charts = self.series.iter().filter_map(|s| {
            Some(context! {
                name => s.metric.to_string(),
                words => charts::words(s, reader),
                svg => Value::from_safe_string(charts::svg(s, reader)?),
            })
        });
        let address = |days: &str, metric: &str| link(&format!("/units/{unit}"), [("days", days), ("metric", metric)]);
        let asked = self.metric.unwrap_or_default();
        let spans = [(1, "charts-day"), (7, "charts-week")].map(|(days, label)| {
            context! { href => address(&days.to_string(), asked), label, is_here => self.days == days }
        });
        let days = self.days.to_string();
        let readings = card.readings.iter().map(|r| self.reading(r, &address(&days, &r.metric), reader));
        let presses = card.presses.iter().map(|p| {
            let said = match (p.answered, p.answer_ms) {
                (Some(true), Some(ms)) => {
                    let span = Duration::try_from_secs_f64(ms.max(0.0) / 1000.0).unwrap_or_default();
                    reader.say_with("press-answered-after", &[("span", reader.of_span(span))])
                }
                (Some(true), None) => reader.say("press-answered"),
                (Some(false), _) => reader.say("press-unanswered"),
                (None, _) => reader.say("press-not-known"),
            };
            context! { said, is_bad => p.answered == Some(false), ..data(p) }
        });
        let position = card.row.position;
        let maintenance = self.explained.and_then(|e| e.maintenance_until);
        let values = context! {
            unit => data(card),
            why => why(reader, card.row.because.as_ref(), &card.row.reason),
            alerts => alert_lines(&card.alerts, reader),
            explained => self.explained.map(data),
            orders => orders,
            readings => readings.collect::<Vec<_>>(),
            presses => presses.collect::<Vec<_>>(),
            charts => charts.collect::<Vec<_>>(),
            spans => spans.to_vec(),
            siblings => siblings(card),
            rules => self.explained.map(|explained| rule_groups(explained, reader)),
            history => self.history.map(|h| context! {
                from => h.from.to_string(), to => h.to.to_string(), available_pct => h.available_pct,
            }),
            strip => Value::from_safe_string(self.history.map(|h| charts::strip(h, reader)).unwrap_or_default()),
            stretches => self.history.map(|h| {
                let newest = h.stretches.iter().rev().take(STRETCHES_MAX);
                newest.map(|s| context! { why => why(reader, s.because.as_ref(), &s.reason), ..data(s) }).collect::<Vec<_>>()
            }),
            stretches_more => self.history.map_or(0, |h| h.stretches.len().saturating_sub(STRETCHES_MAX)),
            position => position.map(|(lat, lon)| format!("{lat:.5}, {lon:.5}")),
            near_href => position.map(near),
            near_units_href => position.map(|(lat, lon)| link("/units", [("near", format!("{lat:.5},{lon:.5}").as_str())])),
            maintenance_seen => maintenance.map(|at| at.to_string()).unwrap_or_default(),
            commands => newest_first(self.commands).into_iter().take(COMMANDS_MAX).map(|c| {
                context! { why => reader.command(c).map(Value::from_safe_string), ..data(c) }
            }).collect::<Vec<_>>(),
            command_seen => newest_command(self.commands),
        };
        let orders = card.orders.iter().map(|o| format!(" order:{}", o.order)).take(open.len().max(1));
        let waits = if self.commands.iter().any(|c| !c.finished) { " soon" } else { "" };
        let live = format!("unit:{unit}{}{waits}", orders.collect::<String>());
        let say = format!("{unit}: {}", reader.say(&format!("readiness-{}", card.row.readiness)));
        Drawn { template: "unit.html", values, live, say }
    }

    /// With what the rules hold it against.
    fn reading(&self, reading: &ReadingView, href: &str, reader: &Reader) -> Value {
        let rules = self.explained.map(|e| e.rules.as_slice()).unwrap_or_default();
        let signs = rules
            .iter()
            .filter(|rule| rule.not_for.is_none())
            .flat_map(|rule| rule.signs.iter().map(move |sign| (rule, sign)));
        let (mut limits, mut is_beyond): (Vec<String>, bool) = (Vec::new(), false);
        for (rule, sign) in signs {
            let Some(limit) = reader.asks_of(&reading.metric, sign) else { continue };
            if !limits.contains(&limit) {
                limits.push(limit);
            }
            is_beyond |= match rule.state {
                Standing::Pending | Standing::Firing | Standing::Clearing | Standing::Held => true,
                Standing::NotSelected | Standing::Inactive => false,
            } && sign.says == crate::domain::explain::Says::Holds;
        }
        let href = has_chart(&reading.metric).then_some(href);
        let limits: Vec<Value> = limits.into_iter().map(Value::from_safe_string).collect();
        context! { limits, is_beyond, href, value => reader.value(&reading.text), ..data(reading) }
    }
}

fn newest_first(commands: &[CommandView]) -> Vec<&CommandView> {
    let mut all: Vec<&CommandView> = commands.iter().collect();
    all.sort_by_key(|c| std::cmp::Reverse(c.asked_at));
    all
}

/// What a form about a unit's commands was made after; empty: none was given.
pub fn newest_command(commands: &[CommandView]) -> &str {
    newest_first(commands).first().map_or("", |c| c.id.as_str())
}

/// Some hundred metres around it.
fn near((lat, lon): (f64, f64)) -> String {
    const AROUND: f64 = 0.01;
    let within = format!(
        "{:.4},{:.4},{:.4},{:.4}",
        (lat - AROUND).max(-90.0),
        (lon - AROUND).max(-180.0),
        (lat + AROUND).min(90.0),
        (lon + AROUND).min(180.0)
    );
    link("/", [("within", within.as_str())])
}

fn siblings(card: &UnitCard) -> Vec<Value> {
    let groups = [
        (GroupKind::Uplink, card.row.uplink.as_ref().map(|u| u.as_str())),
        (GroupKind::Feeder, card.row.feeder.as_ref().map(|f| f.as_str())),
    ];
    groups
        .into_iter()
        .filter_map(|(kind, name)| {
            let all: Vec<_> = card.siblings.iter().filter(|s| s.shares == kind).collect();
            let more = all.len().saturating_sub(CHIPS_MAX);
            let units = all.into_iter().take(CHIPS_MAX).map(data).collect::<Vec<_>>();
            (!units.is_empty()).then(|| context! { kind => kind.as_str(), name, units, more })
        })
        .collect()
}

fn rule_groups(explained: &Explained, reader: &Reader) -> Vec<Value> {
    let group_of = |state: Standing| match state {
        Standing::Pending | Standing::Firing | Standing::Clearing | Standing::Held => "active",
        Standing::Inactive => "quiet",
        Standing::NotSelected => "not-for",
    };
    ["active", "quiet", "not-for"]
        .into_iter()
        .filter_map(|name| {
            let of_group = explained.rules.iter().filter(|r| group_of(r.state) == name);
            let rules: Vec<Value> = of_group
                .map(|r| {
                    let why = r.reason.as_ref().map(|text| why(reader, r.because.as_ref(), text));
                    let signs = r.signs.iter().map(|sign| {
                        let figures = sign.figures.iter().map(|f| Value::from_safe_string(reader.figure(f)));
                        let asks = Value::from_safe_string(reader.asks(sign.sign.as_ref(), &sign.asks));
                        context! { says => sign.says.as_str(), asks, figures => figures.collect::<Vec<_>>() }
                    });
                    let only = match (&r.only_for, &r.not_for) {
                        (Some(only), _) => reader.only_for(only),
                        (None, text) => reader.reason(text.as_deref().unwrap_or_default()),
                    };
                    let holder = match (&r.incident, &r.held_by) {
                        (Some((kind, name)), _) => escaped(&format!("{} {name}", reader.say(&format!("kind-{kind}")))),
                        (None, text) => reader.reason(text.as_deref().unwrap_or_default()),
                    };
                    let (only, holder) = (Value::from_safe_string(only), Value::from_safe_string(holder));
                    context! { why, only, holder, signs => signs.collect::<Vec<_>>(), ..data(r) }
                })
                .collect();
            (!rules.is_empty()).then(|| context! { name, is_open => name == "active", rules })
        })
        .collect()
}

impl Rules<'_> {
    fn drawn(&self, reader: &Reader) -> Drawn {
        let rules = self.rules.rules.iter().map(|rule| {
            let asks = Value::from_safe_string(reader.asks(rule.condition.as_ref(), &rule.asks));
            context! { asks, ..data(rule) }
        });
        let values = context! { rules => rules.collect::<Vec<_>>(), incidents => data(&self.rules.incidents) };
        Drawn { template: "rules.html", values, live: EVERYTHING.to_owned(), say: String::new() }
    }
}

fn order(order: &OrderView) -> Value {
    context! { is_open => order.state.is_open(), ..data(order) }
}

/// For a list: what its line does not show is not handed on.
fn order_in_list(view: &OrderView) -> Value {
    context! {
        order => view.order.to_string(), priority => view.priority.as_str(), state => view.state.as_str(),
        unit => view.unit.as_ref().map(UnitId::to_string), component => view.component.map(|c| c.as_str()),
        incident => view.incident.as_ref().map(data), summary => view.summary.as_str(),
        opened_at => view.opened_at.to_string(), due_at => view.due_at.map(|at| at.to_string()),
        is_open => view.state.is_open(), crew => view.crew.as_str(),
    }
}

impl Orders<'_> {
    fn drawn(&self, reader: &Reader) -> Drawn {
        let values = context! {
            orders => self.rows.iter().map(order_in_list).collect::<Vec<_>>(),
            total => self.total,
            overdue => self.overdue,
            asked => context! {
                crew => &*self.asked.crew, state => &*self.asked.state, filter => &*self.asked.filter,
            },
            crews => names(self.crews),
            states => names(OrderState::ALL),
            mistakes => self.mistakes.to_vec(),
            pages => pages(&self.first, &self.next),
        };
        let say = reader.count("n-orders", self.total);
        Drawn { template: "orders.html", values, live: EVERYTHING.to_owned(), say }
    }
}

/// How many of them are late.
impl Orders<'_> {
    pub fn overdue_of(rows: &[OrderView], now: crate::domain::Timestamp) -> usize {
        rows.iter().filter(|o| o.state.is_open() && is_overdue(o.due_at, now)).count()
    }
}

/// What a person can say of an order in this state, the likeliest last but for cancelling.
fn moves(state: OrderState) -> &'static [OrderMove] {
    use OrderMove::{Acknowledged, Cancelled, EnRoute, Repaired};
    match state {
        OrderState::Opened | OrderState::Reopened => &[Acknowledged, EnRoute, Repaired, Cancelled],
        OrderState::Acknowledged => &[EnRoute, Repaired, Cancelled],
        OrderState::EnRoute => &[Repaired, Cancelled],
        OrderState::Repaired | OrderState::Verified => &[Cancelled],
        OrderState::Closed | OrderState::Cancelled => &[],
    }
}

impl OrderPage<'_> {
    fn drawn(&self, reader: &Reader) -> Drawn {
        let view = self.order;
        let shown = if self.may_act { moves(view.state) } else { &[] };
        let shown = shown.iter().filter(|to| self.may_cancel || **to != OrderMove::Cancelled);
        let moves = shown.enumerate().map(|(i, to)| {
            let class = match (i, to) {
                (_, OrderMove::Cancelled) => "quiet",
                (0, _) => "primary",
                (_, OrderMove::Acknowledged | OrderMove::EnRoute | OrderMove::Repaired) => "",
            };
            context! { word => to.as_str(), class }
        });
        let more = view.units.len().saturating_sub(CHIPS_MAX);
        let evidence = view.evidence.iter().enumerate().map(|(i, text)| {
            let line = view.seen.get(i).map_or_else(|| reader.reason(text), |seen| reader.evidence(seen));
            Value::from_safe_string(line)
        });
        let history = view.history.iter().map(|c| match &c.because {
            Some(because) => context! { why => why(reader, Some(because), &c.why), ..data(c) },
            // A person's note, as often as not.
            None => context! { why => Value::from_safe_string(reader.written(&c.why)), ..data(c) },
        });
        let values = context! {
            order => order(view),
            evidence => evidence.collect::<Vec<_>>(),
            history => history.rev().collect::<Vec<_>>(),
            card => self.card.map(data),
            moves => moves.collect::<Vec<_>>(),
            kept => context! { by => &*self.kept.by, note => &*self.kept.note },
            test => self.test(),
            units => names(&view.units[..view.units.len().min(CHIPS_MAX)]),
            units_more => more,
        };
        let live = match &view.unit {
            Some(unit) => format!("order:{} unit:{unit}", view.order),
            None => format!("order:{}", view.order),
        };
        let say = format!("{}: {}", view.order, reader.say(&format!("state-{}", view.state)));
        Drawn { template: "order.html", values, live, say }
    }

    /// What became of the test after the repair.
    fn test(&self) -> Option<Value> {
        let repaired = crew_page::repaired_at(self.order)?;
        let said = |word: &str, key: &str, tone: &str, at: Option<String>| context! { word, key, tone, at };
        Some(match crew_page::test_after(self.order, self.card, repaired) {
            Some(test) => {
                let (word, key, tone) = match test.result {
                    Outcome::Pass => ("passed", "test-passed", "good"),
                    Outcome::Fail => ("failed", "test-failed", "bad"),
                    Outcome::Inconclusive | Outcome::Skipped => ("unclear", "test-unclear", "waiting"),
                };
                said(word, key, tone, Some(test.at.to_string()))
            }
            None if crew_page::is_tested(self.order, self.card) => said("waiting", "test-waiting", "waiting", None),
            None => said("none", "said-repaired", "waiting", None),
        })
    }
}

impl Incidents<'_> {
    fn drawn(&self, reader: &Reader) -> Drawn {
        let values = context! {
            incidents => incident_lines(self.rows.iter(), reader),
            total => self.page.total,
            pages => pages(&self.page.first, &self.page.next),
            asked => context! { filter => self.filter },
            mistakes => self.mistakes.to_vec(),
        };
        let say = reader.count("n-open-incidents", self.page.total);
        Drawn { template: "incidents.html", values, live: EVERYTHING.to_owned(), say }
    }
}

impl Alerts<'_> {
    fn drawn(&self, reader: &Reader) -> Drawn {
        let states = [AlertState::Firing, AlertState::Inhibited, AlertState::Pending];
        let values = context! {
            alerts => alert_lines(self.rows, reader),
            total => self.page.total,
            pages => pages(&self.page.first, &self.page.next),
            asked => context! {
                severity => &*self.asked.severity, state => &*self.asked.state, rule => &*self.asked.rule,
                filter => &*self.asked.filter,
            },
            severities => names(Severity::ALL),
            states => names(&states),
            mistakes => self.mistakes.to_vec(),
        };
        let say = reader.count("n-open-alerts", self.page.total);
        Drawn { template: "alerts.html", values, live: EVERYTHING.to_owned(), say }
    }
}
