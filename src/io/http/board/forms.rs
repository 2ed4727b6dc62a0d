//! What people send: an order moved on, maintenance, signing in and out, a choice of language and look. Owns that a form sent
//! twice, or from a page that is no longer true, changes nothing. What may follow what is the engine's.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::Response;

use crate::domain::access::Role;
use crate::domain::message::Do;
use crate::domain::view::{Answer, Ask};
use crate::domain::{MaintenanceScope, OrderMove};
use crate::render::board::{Kept, Look, SignIn, Trouble, View, newest_command};

use super::pages::{order_id, unit_id};
use super::sessions::LASTS;
use super::visit::{CHOICE_LASTS, LANGUAGE, LOOK, SESSION, Visit, fields, own_path, set_cookie};
use super::{Hall, Refusal, flash, other_answer, see_other};

const NAME_CHARS_MAX: usize = 80;
const NOTE_CHARS_MAX: usize = 2_000;
const HOUR: Duration = Duration::from_secs(3_600);

/// A form's fields.
struct Form(Vec<(String, String)>);

impl Form {
    fn of(bytes: &Bytes) -> Self {
        // Bytes that are no text become signs that stand for that: they match nothing of ours.
        Form(fields(&String::from_utf8_lossy(bytes)))
    }
    fn field(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.trim())
    }
    /// Plain text of at most so many characters.
    fn text(&self, name: &str, max: usize) -> String {
        self.field(name).chars().filter(|c| !c.is_control() || *c == '\n').take(max).collect()
    }
    /// Who does this: whoever is signed in, else the name that was typed. None: nobody said.
    fn by(&self, visit: &Visit) -> Option<String> {
        let typed = || Some(self.text("by", NAME_CHARS_MAX).replace('\n', " ")).filter(|name| !name.is_empty());
        visit.caller.as_ref().and_then(|c| c.name.clone()).or_else(typed)
    }
}

fn check_role(visit: &Visit, role: Role) -> Result<(), Refusal> {
    if visit.may(role) { Ok(()) } else { Err(Refusal::new(Trouble::NotAllowed, "")) }
}

pub async fn order(State(hall): State<Hall>, visit: Visit, Path(order): Path<String>, form: Bytes) -> Response {
    let page = async {
        let form = Form::of(&form);
        let id = order_id(&order)?;
        let to: OrderMove = form
            .field("do")
            .parse()
            .map_err(|_| Refusal::new(Trouble::Invalid, "What was sent is not what the buttons of this page send."))?;
        check_role(&visit, if to == OrderMove::Cancelled { Role::Admin } else { Role::Crew })?;
        let before = hall.order(id).await?;
        let note = form.text("note", NOTE_CHARS_MAX);
        let kept = || Kept { by: form.text("by", NAME_CHARS_MAX), note: note.clone() };
        // Sent a second time, or from a page that was open while others worked: it is shown how things stand instead.
        if form.field("seen").parse::<usize>().ok() != Some(before.history.len()) {
            let said = flash(true, "changed-meanwhile", "");
            return Ok(hall.order_page(&visit, &before, StatusCode::CONFLICT, said, kept()).await);
        }
        let Some(by) = form.by(&visit) else {
            let said = flash(true, "name-wanted", "");
            return Ok(hall.order_page(&visit, &before, StatusCode::UNPROCESSABLE_ENTITY, said, kept()).await);
        };
        match hall.ask(Ask::SetOrder { order: id, to, by, note: note.clone() }).await {
            Ok(_) => Ok(see_other(&format!("/orders/{id}?said=done-order"))),
            Err(Refusal { trouble: Trouble::Conflict, detail }) => {
                let now = hall.order(id).await.unwrap_or(before);
                let said = flash(true, "nothing-changed", &detail);
                Ok(hall.order_page(&visit, &now, StatusCode::CONFLICT, said, kept()).await)
            }
            Err(refusal) => Err(refusal),
        }
    };
    hall.or_refuse(&visit, page.await)
}

pub async fn command(State(hall): State<Hall>, visit: Visit, Path(unit): Path<String>, form: Bytes) -> Response {
    let page = async {
        let form = Form::of(&form);
        let unit = unit_id(&unit)?;
        let act: Do = form
            .field("do")
            .parse()
            .map_err(|_| Refusal::new(Trouble::Invalid, "What was sent is not what the buttons of this page send."))?;
        check_role(&visit, if act == Do::Reboot { Role::Admin } else { Role::Crew })?;
        let before = match hall.ask(Ask::Commands(unit.clone())).await? {
            Answer::Commands(commands) => commands,
            _ => return Err(other_answer()),
        };
        // Sent a second time: the unit was asked already.
        if form.field("seen") != newest_command(&before) {
            let said = flash(true, "changed-meanwhile", "");
            return hall.unit_page(&visit, unit, StatusCode::CONFLICT, said).await;
        }
        let Some(by) = form.by(&visit) else {
            let said = flash(true, "name-wanted", "");
            return hall.unit_page(&visit, unit, StatusCode::UNPROCESSABLE_ENTITY, said).await;
        };
        let ask = Ask::Command { unit: unit.clone(), act, components: Vec::new(), within: None, by };
        match hall.ask(ask).await {
            Ok(_) => Ok(see_other(&format!("/units/{unit}?said=done-command"))),
            Err(Refusal { trouble: Trouble::Conflict, detail }) => {
                hall.unit_page(&visit, unit, StatusCode::CONFLICT, flash(true, "nothing-changed", &detail)).await
            }
            Err(refusal) => Err(refusal),
        }
    };
    hall.or_refuse(&visit, page.await)
}

pub async fn maintenance(State(hall): State<Hall>, visit: Visit, Path(unit): Path<String>, form: Bytes) -> Response {
    let page = async {
        let form = Form::of(&form);
        let unit = unit_id(&unit)?;
        check_role(&visit, Role::Crew)?;
        let Answer::Explained(before) = hall.ask(Ask::Explain(unit.clone())).await? else {
            return Err(other_answer());
        };
        let seen = before.maintenance_until.map(|at| at.to_string()).unwrap_or_default();
        if form.field("seen") != seen {
            let said = flash(true, "changed-meanwhile", "");
            return hall.unit_page(&visit, unit, StatusCode::CONFLICT, said).await;
        }
        let Some(by) = form.by(&visit) else {
            let said = flash(true, "name-wanted", "");
            return hall.unit_page(&visit, unit, StatusCode::UNPROCESSABLE_ENTITY, said).await;
        };
        let now = (hall.now)();
        let (until, word) = match form.field("for") {
            "end" => (now, "done-maintenance-ended"),
            "1h" => (now + HOUR, "done-maintenance"),
            "2h" => (now + 2 * HOUR, "done-maintenance"),
            "4h" => (now + 4 * HOUR, "done-maintenance"),
            "8h" => (now + 8 * HOUR, "done-maintenance"),
            "24h" => (now + 24 * HOUR, "done-maintenance"),
            other => {
                return Err(Refusal::new(
                    Trouble::Invalid,
                    format!("for is {other:?}; it is 1h, 2h, 4h, 8h, 24h or end."),
                ));
            }
        };
        let scope = match form.field("of") {
            "site" => MaintenanceScope::Site(hall.card(unit.clone()).await?.row.site.clone()),
            _ => MaintenanceScope::Unit(unit.clone()),
        };
        hall.ask(Ask::Maintenance { scope, until, by }).await?;
        Ok(see_other(&format!("/units/{unit}?said={word}")))
    };
    hall.or_refuse(&visit, page.await)
}

pub async fn sign_in_page(State(hall): State<Hall>, visit: Visit) -> Response {
    if visit.caller.is_some() {
        return see_other(own_path(visit.field("to")));
    }
    let view = SignIn { to: visit.field("to"), by: "", hours: LASTS.as_secs() / HOUR.as_secs() };
    hall.page(&visit, StatusCode::OK, &View::SignIn(view), None)
}

pub async fn sign_in(State(hall): State<Hall>, visit: Visit, form: Bytes) -> Response {
    let form = Form::of(&form);
    if !hall.guard.wants_token() {
        return see_other("/");
    }
    let by = form.text("by", NAME_CHARS_MAX).replace('\n', " ");
    match hall.guard.caller_with(form.field("secret")) {
        Some((_, seal)) => {
            let mut response = see_other(own_path(form.field("to")));
            let session = hall.sessions.begin(&by, &seal, (hall.now)());
            let cookie = set_cookie(SESSION, &session, LASTS, visit.is_https);
            response.headers_mut().append(header::SET_COOKIE, cookie);
            response
        }
        None => {
            let view = SignIn { to: form.field("to"), by: &by, hours: LASTS.as_secs() / HOUR.as_secs() };
            hall.page(&visit, StatusCode::FORBIDDEN, &View::SignIn(view), flash(true, "sign-in-wrong", ""))
        }
    }
}

pub async fn sign_out(visit: Visit) -> Response {
    let mut response = see_other("/sign-in?said=signed-out");
    let cookie = set_cookie(SESSION, "", Duration::ZERO, visit.is_https);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

/// `GET /look?lang=ur&theme=dark&back=/units`: changes nothing but what this browser shows.
pub async fn look(State(hall): State<Hall>, visit: Visit) -> Response {
    let mut response = see_other(own_path(visit.field("back")));
    let headers = response.headers_mut();
    if let Some(language) = hall.board.words.find(visit.field("lang")) {
        headers.append(header::SET_COOKIE, set_cookie(LANGUAGE, &language.code, CHOICE_LASTS, visit.is_https));
    }
    if let Ok(look) = visit.field("theme").parse::<Look>() {
        headers.append(header::SET_COOKIE, set_cookie(LOOK, look.as_str(), CHOICE_LASTS, visit.is_https));
    }
    response
}
