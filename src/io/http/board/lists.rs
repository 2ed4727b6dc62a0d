//! The pages that list: units, orders, alerts, incidents. Owns how a form's fields become a query and where the next page
//! is. Never picks rows itself.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::config::place::parse_place;
use crate::config::query::check_query;
use crate::domain::query::{Cursor, Field, Page, Query};
use crate::domain::view::{Answer, Ask};
use crate::domain::{OrderState, Readiness};
use crate::io::http::list::{cursor, cursor_text};
use crate::render::board::{
    Alerts, AskedAlerts, AskedOrders, AskedUnits, Incidents, OnePage, Orders, Units, View, condition, link,
};

use super::visit::Visit;
use super::{Hall, other_answer};

/// A page of a list: enough to scroll through, and far below 200 KB.
const ROWS: usize = 100;

/// Ok: what was asked for. Err: the same without the filter, and what is wrong with it.
fn query<F: Field>(fields: &[String], filter: &str, sort: Option<&str>, visit: &Visit) -> (Query<F>, Vec<String>) {
    let all: Vec<&str> = fields.iter().map(String::as_str).chain([filter]).collect();
    let (mut query, mistakes) = match check_query(&all, sort) {
        Ok(query) => (query, Vec::new()),
        Err(mistakes) => (check_query(fields, None).unwrap_or_default(), mistakes),
    };
    query.limit = Some(ROWS);
    query.after = match visit.field("after") {
        "" => None,
        text => cursor(text).ok(),
    };
    (query, mistakes)
}

fn status(mistakes: &[String]) -> StatusCode {
    if mistakes.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
}

/// Where the list begins, unless this is its beginning, and where it goes on.
fn around(visit: &Visit, next: Option<&Cursor>) -> (Option<String>, Option<String>) {
    let start = visit.address_without(&["after", "said", "lang"]);
    let next = next.map(|cursor| link(&start, [("after", cursor_text(cursor).as_str())]));
    ((!visit.field("after").is_empty()).then_some(start), next)
}

fn one_page<T>(visit: &Visit, page: &Page<T>) -> OnePage {
    let (first, next) = around(visit, page.next.as_ref());
    OnePage { total: page.total, first, next }
}

fn given(field: &str, value: &str) -> Option<String> {
    (!value.is_empty()).then(|| condition(field, value))
}

pub async fn units(State(hall): State<Hall>, visit: Visit) -> Response {
    let page = async {
        let field = |name: &str| visit.field(name).to_owned();
        let asked = AskedUnits {
            city: field("city"),
            crew: field("crew"),
            site: field("site"),
            uplink: field("uplink"),
            feeder: field("feeder"),
            readiness: visit.all("readiness").filter_map(|word| word.parse::<Readiness>().ok()).collect(),
            filter: field("filter"),
            sort: field("sort"),
            near: field("near"),
        };
        let places = ["city", "crew", "site", "uplink", "feeder"].into_iter().filter_map(|f| given(f, visit.field(f)));
        let readiness = asked.readiness.iter().map(|r| condition("readiness", r.as_str()));
        let fields: Vec<String> = places.chain(readiness).collect();
        let here = Some(asked.near.as_str()).filter(|near| !near.trim().is_empty()).map(parse_place);
        let sort = Some(asked.sort.as_str()).filter(|s| !s.is_empty());
        let (mut query, mistakes) = query(&fields, &asked.filter, sort, &visit);
        if let Some(Ok(place)) = here {
            query = query.near(place);
        }
        let Answer::Units(list) = hall.ask(Ask::Units(query)).await? else { return Err(other_answer()) };
        let names = hall.names().await?;
        let OnePage { total, first, next } = one_page(&visit, &list);
        let view = View::Units(Units {
            rows: &list.items,
            total,
            asked: &asked,
            cities: names.cities.clone(),
            crews: &names.crews,
            mistakes: &mistakes,
            here: here.clone(),
            first,
            next,
        });
        let status = if matches!(here, Some(Err(_))) { StatusCode::UNPROCESSABLE_ENTITY } else { status(&mistakes) };
        Ok(hall.page(&visit, status, &view, None))
    };
    hall.or_refuse(&visit, page.await)
}

pub async fn orders(State(hall): State<Hall>, visit: Visit) -> Response {
    let page = async {
        let field = |name: &str| visit.field(name).to_owned();
        let asked = AskedOrders { crew: field("crew"), state: field("state"), filter: field("filter") };
        let state = asked.state.parse::<OrderState>().ok();
        let closed_too = asked.state == "all" || state.is_some_and(|s| !s.is_open());
        let fields: Vec<String> = given("crew", &asked.crew)
            .into_iter()
            .chain(state.map(|s| condition("state", s.as_str())))
            .chain(given("site", visit.field("site")))
            .collect();
        let sort = if closed_too { "-opened_at" } else { "priority" };
        let (query, mistakes) = query(&fields, &asked.filter, Some(sort), &visit);
        let mut late = query.clone();
        let overdue: Query<_> = check_query(&["overdue=yes"], None).unwrap_or_default();
        late.clauses.extend(overdue.clauses);
        (late.limit, late.after) = (Some(1), None);
        let Answer::Orders(list) = hall.ask(Ask::Orders { closed_too, query }).await? else {
            return Err(other_answer());
        };
        let Answer::Orders(late) = hall.ask(Ask::Orders { closed_too: false, query: late }).await? else {
            return Err(other_answer());
        };
        let names = hall.names().await?;
        let OnePage { total, first, next } = one_page(&visit, &list);
        let view = View::Orders(Orders {
            rows: &list.items,
            total,
            overdue: late.total,
            asked: &asked,
            crews: &names.crews,
            mistakes: &mistakes,
            first,
            next,
        });
        Ok(hall.page(&visit, status(&mistakes), &view, None))
    };
    hall.or_refuse(&visit, page.await)
}

pub async fn alerts(State(hall): State<Hall>, visit: Visit) -> Response {
    let page = async {
        let field = |name: &str| visit.field(name).to_owned();
        let asked = AskedAlerts {
            severity: field("severity"),
            state: field("state"),
            rule: field("rule"),
            filter: field("filter"),
        };
        let fields = ["severity", "state", "rule"].into_iter().filter_map(|f| given(f, visit.field(f)));
        let fields: Vec<String> = fields.collect();
        let (query, mistakes) = query(&fields, &asked.filter, Some("-severity"), &visit);
        let Answer::Alerts(list) = hall.ask(Ask::Alerts(query)).await? else { return Err(other_answer()) };
        let page = one_page(&visit, &list);
        let view = View::Alerts(Alerts { rows: &list.items, page, asked: &asked, mistakes: &mistakes });
        Ok(hall.page(&visit, status(&mistakes), &view, None))
    };
    hall.or_refuse(&visit, page.await)
}

pub async fn incidents(State(hall): State<Hall>, visit: Visit) -> Response {
    let page = async {
        let filter = visit.field("filter");
        let (query, mistakes) = query(&[], filter, Some("-since"), &visit);
        let Answer::Incidents(list) = hall.ask(Ask::Incidents(query)).await? else { return Err(other_answer()) };
        let page = one_page(&visit, &list);
        let view = View::Incidents(Incidents { rows: &list.items, page, filter, mistakes: &mistakes });
        Ok(hall.page(&visit, status(&mistakes), &view, None))
    };
    hall.or_refuse(&visit, page.await)
}
