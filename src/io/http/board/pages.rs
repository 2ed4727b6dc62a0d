//! The pages about one thing: the board, a unit, an order, the rules. Owns what each asks for. Never changes anything.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::domain::access::Role;
use crate::domain::overview::{Bounds, Part};
use crate::domain::query::Query;
use crate::domain::view::{Answer, Ask, OrderView, SeriesView, UnitCard};
use crate::domain::{City, OrderId, SeriesName, UnitId};
use crate::render::board::{Flash, Home, Kept, OrderPage, Rules, Trouble, UnitPage, View};

use super::visit::Visit;
use super::{Hall, Refusal, Rooms, other_answer};

/// What a crew looks at first; each is shown when the unit has it.
const CHARTS: [&str; 6] =
    ["battery.voltage", "heartbeats", "link.rssi", "enclosure.temperature", "mains.voltage", "battery.charge"];
const DAY: Duration = Duration::from_secs(86_400);
const INCIDENTS_SHOWN: usize = 8;

pub async fn home(State(hall): State<Hall>, visit: Visit) -> Response {
    let page = async {
        let city = match visit.field("city") {
            "" => None,
            name => Some(City::parse(name).map_err(|e| Refusal::new(Trouble::NotFound, e.to_string()))?),
        };
        let part = Part { city, within: Bounds::parse(visit.field("within")) };
        let overview = hall.overview(part.clone()).await?;
        let incidents = match overview.open_incidents {
            0 => Vec::new(),
            _ => {
                let query = Query { limit: Some(INCIDENTS_SHOWN), ..Query::default() };
                match hall.ask(Ask::Incidents(query)).await? {
                    Answer::Incidents(page) => page.items,
                    _ => return Err(other_answer()),
                }
            }
        };
        let view = View::Home(Home { overview: &overview, incidents: &incidents, part: &part });
        Ok(hall.page(&visit, StatusCode::OK, &view, None))
    };
    hall.or_refuse(&visit, page.await)
}

pub async fn unit(State(hall): State<Hall>, visit: Visit, Path(unit): Path<String>) -> Response {
    let page = async {
        let unit = unit_id(&unit)?;
        hall.unit_page(&visit, unit, StatusCode::OK, None).await
    };
    hall.or_refuse(&visit, page.await)
}

pub(super) fn unit_id(text: &str) -> Result<UnitId, Refusal> {
    UnitId::parse(text).map_err(|e| Refusal::new(Trouble::NotFound, e.to_string()))
}

pub(super) fn order_id(text: &str) -> Result<OrderId, Refusal> {
    OrderId::parse(text).map_err(|e| Refusal::new(Trouble::NotFound, e.to_string()))
}

pub async fn order(State(hall): State<Hall>, visit: Visit, Path(order): Path<String>) -> Response {
    let page = async {
        let order = hall.order(order_id(&order)?).await?;
        Ok(hall.order_page(&visit, &order, StatusCode::OK, None, Kept::default()).await)
    };
    hall.or_refuse(&visit, page.await)
}

pub async fn rules(State(hall): State<Hall>, visit: Visit) -> Response {
    let page = async {
        let Answer::Rules(rules) = hall.ask(Ask::Rules).await? else { return Err(other_answer()) };
        Ok(hall.page(&visit, StatusCode::OK, &View::Rules(Rules { rules: &rules }), None))
    };
    hall.or_refuse(&visit, page.await)
}

pub async fn events(State(hall): State<Hall>) -> Response {
    hall.events.listen(hall.service.changes())
}

impl Rooms {
    pub(super) async fn card(&self, unit: UnitId) -> Result<Box<UnitCard>, Refusal> {
        match self.ask(Ask::Unit(unit)).await? {
            Answer::Unit(card) => Ok(card),
            _ => Err(other_answer()),
        }
    }

    pub(super) async fn order(&self, order: OrderId) -> Result<OrderView, Refusal> {
        match self.ask(Ask::Order(order)).await? {
            Answer::Order(order) => Ok(*order),
            _ => Err(other_answer()),
        }
    }

    /// What the unit's page needs beside its card may fail: the rest is shown all the same.
    pub(super) async fn unit_page(
        &self,
        visit: &Visit,
        unit: UnitId,
        status: StatusCode,
        flash: Option<Flash>,
    ) -> Result<Response, Refusal> {
        let card = self.card(unit.clone()).await?;
        let now = (self.now)();
        let explained = match self.ask(Ask::Explain(unit.clone())).await {
            Ok(Answer::Explained(explained)) => Some(explained),
            Ok(_) | Err(_) => None,
        };
        let history = match self.ask(Ask::History { unit: unit.clone(), since: Some(now - 7 * DAY) }).await {
            Ok(Answer::History(history)) => Some(history),
            Ok(_) | Err(_) => None,
        };
        let commands = match self.ask(Ask::Commands(unit.clone())).await {
            Ok(Answer::Commands(commands)) => commands,
            Ok(_) | Err(_) => Vec::new(),
        };
        let days = if visit.field("days") == "7" { 7 } else { 1 };
        let asked = visit.field("metric");
        let mut series: Vec<SeriesView> = Vec::new();
        for metric in charts(asked, &card) {
            let ask = Ask::Series { unit: unit.clone(), metric, since: Some(now - days * DAY) };
            if let Ok(Answer::Series(found)) = self.ask(ask).await {
                series.push(*found);
            }
        }
        let view = UnitPage {
            card: &card,
            explained: explained.as_deref(),
            history: history.as_deref(),
            series: &series,
            days,
            metric: (!asked.is_empty()).then_some(asked),
            commands: &commands,
        };
        Ok(self.page(visit, status, &View::Unit(Box::new(view)), flash))
    }

    pub(super) async fn order_page(
        &self,
        visit: &Visit,
        order: &OrderView,
        status: StatusCode,
        flash: Option<Flash>,
        kept: Kept,
    ) -> Response {
        let card = match &order.unit {
            Some(unit) => self.card(unit.clone()).await.ok(),
            None => None,
        };
        let view = OrderPage {
            order,
            card: card.as_deref(),
            may_act: visit.may(Role::Crew),
            may_cancel: visit.may(Role::Admin),
            kept,
        };
        self.page(visit, status, &View::Order(view), flash)
    }
}

/// The one that was asked for, or the usual ones that this unit sends.
fn charts(asked: &str, card: &UnitCard) -> Vec<SeriesName> {
    if let Ok(one) = asked.parse() {
        return vec![one];
    }
    let sends = |name: &str| name == "heartbeats" || card.readings.iter().any(|r| r.metric == name);
    CHARTS.into_iter().filter(|name| sends(name)).filter_map(|name| name.parse().ok()).collect()
}
