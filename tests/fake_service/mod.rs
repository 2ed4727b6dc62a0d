//! A service with made-up answers behind a real HTTP listener, for the tests of the API and of the command line.
//! Times are given as seconds before now, so that ages come out the same in every run.

// Two test programs share this; neither uses all of it.
#![allow(dead_code)]

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use buttonwatch::domain::overview::{
    Bounds, Changed, CityCount, Counts, Overview, Part, Place, ROWS_MAX, RulesView, gather, is_overdue,
};
use buttonwatch::domain::position::distance_m;
use buttonwatch::domain::query::{Field, Fields, Page, Query, UnitField, Value as Said};
use buttonwatch::domain::report::{Report, ReportPeriod, ReportSpan};
use buttonwatch::domain::view::{Answer, Ask, AskError, ImportPlan, LinkUse, OrderView, UnitCard, UnitRow};
use buttonwatch::domain::{OrderId, Timestamp, Token, Unit, UnitId};
use buttonwatch::io::http::{BoardSettings, CrewDoor, Http, HttpError, Links, Service};
use buttonwatch::render::board::Words;
use buttonwatch::render::table::Record;
use serde_json::{Value, json};

/// By what the rows' CSV says; what is only known to the engine is not there.
struct Row<R>(R);

impl<R: Record, F: Field> Fields<F> for Row<R> {
    fn value(&self, field: &F) -> Said<'_> {
        match R::FIELDS.iter().position(|name| *name == field.name()) {
            Some(at) => match self.0.values().swap_remove(at) {
                text if text.is_empty() => Said::Nothing,
                text => Said::Text(text.into()),
            },
            None => Said::Nothing,
        }
    }
    fn key(&self) -> String {
        self.0.values().join("\u{1}")
    }
}

/// Also says how far away it is, as the engine does.
struct PlacedRow(Row<UnitRow>);

impl Fields<UnitField> for PlacedRow {
    fn value(&self, field: &UnitField) -> Said<'_> {
        match field {
            UnitField::Distance { from } => Said::number(self.0.0.position.map(|there| distance_m(*from, there))),
            UnitField::Column(_) | UnitField::Reading(_) | UnitField::Vendor(_) => self.0.value(field),
        }
    }
    fn key(&self) -> String {
        self.0.0.unit.to_string()
    }
}

fn picked<R: Record, F: Field>(rows: Vec<R>, query: &Query<F>) -> Page<R> {
    query.pick(rows.into_iter().map(Row), ago(0)).map(|Row(row)| row)
}

/// What a test can change about it.
pub struct Fake {
    pub asked: Mutex<Vec<Ask>>,
    pub links_used: Mutex<Vec<LinkUse>>,
    /// Answered instead of everything.
    pub refuse_with: Mutex<Option<AskError>>,
    pub not_ready: Mutex<Vec<String>>,
    pub panic: Mutex<bool>,
    pub units: Vec<UnitRow>,
    /// Tells the board's readers.
    pub changes: tokio::sync::broadcast::Sender<Arc<Changed>>,
}

impl Fake {
    pub fn new() -> Arc<Fake> {
        Fake::with_units(units())
    }

    pub fn with_units(units: Vec<UnitRow>) -> Arc<Fake> {
        Arc::new(Fake {
            asked: Mutex::default(),
            links_used: Mutex::default(),
            refuse_with: Mutex::default(),
            not_ready: Mutex::default(),
            panic: Mutex::new(false),
            units,
            changes: tokio::sync::broadcast::channel(16).0,
        })
    }

    pub fn last_ask(&self) -> Option<Ask> {
        self.asked.lock().unwrap().last().cloned()
    }

    fn answer(&self, ask: Ask) -> Result<Answer, AskError> {
        self.asked.lock().unwrap().push(ask.clone());
        assert!(!*self.panic.lock().unwrap(), "a mistake in the service");
        if let Some(error) = self.refuse_with.lock().unwrap().clone() {
            return Err(error);
        }
        Ok(match ask {
            Ask::Health => Answer::Health(read(json!({
                "version": "0.1.0", "started_at": ago(3600), "hearing": true, "units": 3, "open_alerts": 1,
                "open_orders": 1, "outbox_waiting": 0,
            }))),
            Ask::Units(query) => {
                let rows = self.units.iter().cloned().map(|row| PlacedRow(Row(row)));
                Answer::Units(query.pick(rows, ago(0)).map(|PlacedRow(Row(row))| row))
            }
            Ask::Unit(unit) => match self.units.iter().find(|u| u.unit == unit) {
                Some(_) => Answer::Unit(Box::new(card(&unit))),
                None => return Err(AskError::NotFound(format!("There is no unit {unit}."))),
            },
            Ask::Explain(unit) => match self.units.iter().find(|u| u.unit == unit) {
                Some(_) => Answer::Explained(Box::new(read(json!({
                    "unit": unit, "at": ago(30), "readiness": "silent", "reason": "no heartbeat for 8 min",
                    "hearing": true, "maintenance_until": null, "diagnoses": [], "rules": [{
                        "rule": "unit-silent", "component": "uplink", "severity": "critical", "state": "firing",
                        "not_for": null, "override_no": null, "for_s": 0.0, "clear_for_s": 0.0, "since": ago(400),
                        "reason": "no heartbeat for 8 min", "flapping": false, "held_by": null, "due": null,
                        "order_due": null, "order": "WO-000042", "excused": false, "together": null,
                        "signs": [{"asks": "no heartbeat for 3 intervals", "says": "holds", "due": null,
                                   "figures": [{"what": "allowed", "text": "1 min 45 s"}]}],
                    }],
                })))),
                None => return Err(AskError::NotFound(format!("There is no unit {unit}."))),
            },
            Ask::History { unit, .. } => match self.units.iter().find(|u| u.unit == unit) {
                Some(_) => Answer::History(Box::new(read(json!({
                    "unit": unit, "from": ago(7_200), "to": ago(0), "available_pct": 75.0,
                    "seconds": {"ready": 2_700, "silent": 900, "unknown": 3_600},
                    "stretches": [
                        {"unit": unit, "from": ago(7_200), "until": ago(3_600), "readiness": "unknown",
                         "lasted_s": 3_600, "reason": "nothing is recorded of this time"},
                        {"unit": unit, "from": ago(3_600), "until": ago(900), "readiness": "ready",
                         "lasted_s": 2_700, "reason": "tests passed"},
                        {"unit": unit, "from": ago(900), "until": ago(0), "readiness": "silent", "lasted_s": 900,
                         "reason": "no heartbeat for 1 min 35 s"},
                    ],
                })))),
                None => return Err(AskError::NotFound(format!("There is no unit {unit}."))),
            },
            Ask::Series { unit, metric, since } => match self.units.iter().find(|u| u.unit == unit) {
                Some(_) => {
                    let hour = |n: i64| Timestamp::from_millis((ago(0).as_millis() / 3_600_000 - n) * 3_600_000);
                    let figures = |n: i64| {
                        let mean = 13.0 - n as f64 / 10.0;
                        json!({"hour": hour(n), "count": 60, "min": mean - 0.5, "max": mean + 0.5, "mean": mean,
                               "last": mean})
                    };
                    Answer::Series(Box::new(read(json!({
                        "unit": unit, "metric": metric, "measured_in": "V", "from": since.unwrap_or(hour(24)),
                        "to": ago(0), "limits": [{"rule": "battery-low", "value": 11.6}],
                        "points": [figures(20), figures(3), figures(2), figures(1)],
                    }))))
                }
                None => return Err(AskError::NotFound(format!("There is no unit {unit}."))),
            },
            Ask::Command { unit, act, components, by, .. } => match self.units.iter().find(|u| u.unit == unit) {
                Some(_) => Answer::Command(Box::new(read(json!({
                    "id": "cmd-1", "unit": unit, "do": act, "components": components, "by": by, "asked_at": ago(0),
                    "expires_at": later(3_600), "state": "waiting", "finished": false, "sent_at": null,
                    "replied_at": null, "finished_at": null, "says": format!("{unit} is being asked"), "error": null,
                    "results": [],
                })))),
                None => return Err(AskError::NotFound(format!("There is no unit {unit}."))),
            },
            Ask::CommandState { unit, command } => match self.units.iter().find(|u| u.unit == unit) {
                Some(_) if command == "cmd-1" => Answer::Command(Box::new(read(done_command(&unit)))),
                Some(_) => return Err(AskError::NotFound(format!("There is no command {command:?}."))),
                None => return Err(AskError::NotFound(format!("There is no unit {unit}."))),
            },
            Ask::Commands(unit) => match self.units.iter().find(|u| u.unit == unit) {
                Some(_) => Answer::Commands(vec![read(done_command(&unit))]),
                None => return Err(AskError::NotFound(format!("There is no unit {unit}."))),
            },
            Ask::Availability { .. } => Answer::Availability(
                self.units
                    .iter()
                    .map(|u| {
                        let ready = if u.unit.as_str() == "PSH-001" { 900 } else { 3_600 };
                        let more = json!({
                            "from": ago(3_600), "to": ago(0), "available_pct": null,
                            "seconds": {"ready": ready, "silent": 3_600 - ready},
                        });
                        let mut row = serde_json::to_value(u).unwrap();
                        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                        read(row)
                    })
                    .collect(),
            ),
            // The board's own questions: its tests bring a service that knows a fleet.
            Ask::Overview(part) => Answer::Overview(Box::new(overview(&self.units, &part))),
            Ask::Rules => Answer::Rules(Box::new(rules())),
            Ask::Outlook => Answer::Outlook(Box::new(read(json!({
                "selftest_valid_s": 129_600.0, "drills": [], "forecasts": [forecast()],
            })))),
            Ask::Report(span) => Answer::Report(Box::new(report(span))),
            Ask::PublicReport => Answer::PublicReport(Box::new(read(public_report()))),
            Ask::Rebaseline { unit, .. } => match self.units.iter().find(|u| u.unit == unit) {
                Some(_) => Answer::Done,
                None => return Err(AskError::NotFound(format!("There is no unit {unit}."))),
            },
            Ask::Alerts(query) => Answer::Alerts(picked(vec![read(alert())], &query)),
            Ask::Incidents(query) => Answer::Incidents(picked(
                vec![read(json!({
                    "kind": "uplink", "name": "ptcl-saddar-2", "state": "open", "since": ago(270),
                    "units": ["PSH-010", "PSH-011"], "reason": "5 of 6 units of this uplink are affected",
                    "order": "WO-000043",
                }))],
                &query,
            )),
            Ask::Orders { closed_too, query } => {
                let closed = OrderView { order: OrderId::new(7), ..order("closed") };
                Answer::Orders(picked(
                    [order("opened")].into_iter().chain(closed_too.then_some(closed)).collect(),
                    &query,
                ))
            }
            Ask::Order(id) if id == OrderId::new(42) => Answer::Order(Box::new(order("opened"))),
            Ask::Order(id) => return Err(AskError::NotFound(format!("There is no order {id}."))),
            Ask::SetOrder { order: id, to, .. } if id == OrderId::new(42) => {
                Answer::Order(Box::new(order(to.as_str())))
            }
            Ask::SetOrder { order: id, .. } => return Err(AskError::Conflict(format!("{id} is closed."))),
            Ask::Maintenance { .. } | Ask::Accept { .. } => Answer::Done,
            Ask::Quarantine => Answer::Quarantine(vec![read(json!({
                "unit": "MRD-001", "first_heard": ago(90_000), "last_heard": ago(90), "messages": 2881,
                "last_topic": "buttonwatch/v1/MRD-001/heartbeat",
            }))]),
            Ask::ImportFleet { csv, dry_run, .. } if csv.contains("PSH-001") => Answer::Import(ImportPlan {
                added: vec![UnitId::parse("PSH-069").unwrap()],
                unchanged: 2,
                dry_run,
                ..ImportPlan::default()
            }),
            Ask::ImportFleet { .. } => {
                return Err(AskError::Invalid(vec![
                    "fleet.csv:2: unit: \"é\" is not a unit id".to_owned(),
                    "fleet.csv:3: crew is empty; write who repairs it".to_owned(),
                ]));
            }
            Ask::Fleet => Answer::Fleet(fleet()),
            Ask::Refusals => Answer::Refusals(vec![read(json!({
                "kind": "not-json", "count": 12, "last_at": ago(330), "unit": "PSH-001",
                "topic": "buttonwatch/v1/PSH-001/power", "why": "expected a JSON object at byte 0",
                "example": "\u{1b}[2Jhello",
            }))]),
            Ask::Outbox => Answer::Outbox(vec![
                read(json!({
                    "message_id": "<wo-000042.1@example.org>", "kind": "order-opened", "to": "city-north",
                    "orders": ["WO-000042"], "decided_at": ago(390), "state": "sent", "tries": 1,
                    "next_try_at": null, "sent_at": ago(389), "last_error": null,
                })),
                read(json!({
                    "message_id": "<wo-000043.2@example.org>", "kind": "order-opened", "to": "city-north",
                    "orders": ["WO-000043"], "decided_at": ago(300), "state": "refused", "tries": 1,
                    "next_try_at": null, "sent_at": null,
                    "last_error": "mail.example.org:587 refused every recipient: crew@example.org (550 5.1.1 no such user here); correct the addresses",
                })),
            ]),
            Ask::Mail(mail) | Ask::SetMail { mail, .. } if mail.as_str() == "<wo-000043.2@example.org>" => {
                Answer::Mail(Box::new(read(json!({
                    "message_id": mail, "kind": "order-opened", "to": "city-north", "orders": ["WO-000043"],
                    "decided_at": ago(300), "state": "waiting", "tries": 1, "next_try_at": null, "sent_at": null,
                    "last_error": "550 no such user", "reason": "no heartbeat for 8 min",
                    "to_address": "crew@example.org", "subject": "[P1] WO-000043 PSH-001 uplink",
                    "text": "PSH-001 Qissa Khwani: no heartbeat.\n\nDO: look at it.\n", "html": "<p>PSH-001</p>",
                }))))
            }
            Ask::Mail(mail) => return Err(AskError::NotFound(format!("There is no mail {mail}."))),
            Ask::SetMail { mail, .. } => return Err(AskError::Conflict(format!("{mail} was sent."))),
            Ask::RetryMails { .. } => Answer::Retried(read(json!({"retried": 1}))),
        })
    }
}

/// With a key that every test knows.
pub fn links() -> Links {
    Links::new([7; 32])
}

pub fn door() -> CrewDoor {
    CrewDoor { links: links(), zone_of: Box::new(|_| chrono_tz::Asia::Karachi), now }
}

pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(since.as_millis() as i64)
}

pub fn board() -> BoardSettings {
    BoardSettings { words: Words::default(), zone: chrono_tz::Asia::Karachi }
}

impl Service for Fake {
    fn changes(&self) -> tokio::sync::broadcast::Receiver<Arc<Changed>> {
        self.changes.subscribe()
    }
    fn ask(&self, ask: Ask) -> Pin<Box<dyn Future<Output = Result<Answer, AskError>> + Send + '_>> {
        Box::pin(async move { self.answer(ask) })
    }
    fn link_used(&self, how: LinkUse) {
        self.links_used.lock().unwrap().push(how);
    }
    fn metrics(&self) -> String {
        "# TYPE buttonwatch_units gauge\nbuttonwatch_units{readiness=\"ready\"} 1\n".to_owned()
    }
    fn ready(&self) -> Result<(), Vec<String>> {
        let missing = self.not_ready.lock().unwrap().clone();
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    }
}

/// The fake behind a listener on a free loopback port. Dropped: it stops.
pub struct Running {
    pub at: SocketAddr,
    http: Option<Http>,
    runtime: tokio::runtime::Runtime,
}

impl Running {
    pub fn start(service: Arc<dyn Service>, token: Option<&str>) -> Running {
        Running::on("127.0.0.1:0", service, token).expect("a free loopback port")
    }

    pub fn on(listen: &str, service: Arc<dyn Service>, token: Option<&str>) -> Result<Running, HttpError> {
        Running::with_tokens(listen, service, token.map(Token::admin).into_iter().collect())
    }

    pub fn with_tokens(listen: &str, service: Arc<dyn Service>, tokens: Vec<Token>) -> Result<Running, HttpError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let http = runtime.block_on(Http::start(listen.parse().unwrap(), service, tokens, door(), board()))?;
        Ok(Running { at: http.local_addr(), http: Some(http), runtime })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    pub fn stop(&mut self) {
        if let Some(http) = self.http.take() {
            self.runtime.block_on(http.stop());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// So many seconds before now.
fn fleet() -> Vec<Unit> {
    let csv = "unit,name,site,city,crew\nPSH-001,قصہ خوانی,Qissa Khwani Bazaar,Peshawar,city-north\n";
    buttonwatch::config::fleet::check_fleet("fleet.csv", csv.as_bytes()).expect("a fleet")
}

fn done_command(unit: &UnitId) -> Value {
    json!({
        "id": "cmd-1", "unit": unit, "do": "selftest", "components": [], "by": "Gul Khan", "asked_at": ago(20),
        "expires_at": later(3_580), "state": "done", "finished": true, "sent_at": ago(19), "replied_at": ago(18),
        "finished_at": ago(9), "says": format!("{unit} has tested itself: failed: microphone (no-tone)"),
        "error": null, "results": [
            {"component": "camera", "result": "pass", "at": ago(9), "code": null},
            {"component": "microphone", "result": "fail", "at": ago(9), "code": "no-tone"},
        ],
    })
}

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_millis(ago(0).as_millis() + seconds * 1_000)
}

pub fn ago(seconds: u64) -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(now.as_millis() as i64) - std::time::Duration::from_secs(seconds)
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the made-up answer has the right shape")
}

pub fn unit(id: &str, name: &str, readiness: &str, reason: &str) -> UnitRow {
    read(json!({
        "unit": id, "name": name, "site": "Qissa Khwani", "site_type": "market", "city": "Peshawar",
        "crew": "city-north", "uplink": "ptcl-qissa-1", "feeder": null, "model": "SOS-4G",
        "position": [34.0086, 71.5743], "readiness": readiness, "reason": reason, "since": ago(390),
        "last_heard": if readiness == "unproven" { None } else { Some(ago(510)) },
        "open_alerts": 1, "open_orders": 1,
    }))
}

pub fn units() -> Vec<UnitRow> {
    let mut mardan = unit("MRD-001", "Mardan bus terminal", "unproven", "has never passed a self-test");
    mardan.city = serde_json::from_value(json!("Mardan")).unwrap();
    vec![
        mardan,
        unit("PSH-001", "Qissa Khwani Bazaar, north gate", "silent", "no heartbeat for 1 min 35 s"),
        unit("PSH-002", "لاہور سٹریٹ، صدر بازار", "ready", "all alerts resolved, tests passed"),
    ]
}

fn forecast() -> Value {
    json!({
        "unit": "PSH-002", "component": "battery", "rule": "battery-fading", "what": "battery.health below 60 %",
        "at": ago(0) + std::time::Duration::from_secs(9 * 86_400), "earliest": null, "latest": null,
        "confidence_pct": 90, "from": "battery.health 71 % now, -1.2 % a day", "order": null,
    })
}

/// Of the last days up to a minute ago, whatever was asked for.
fn report(span: ReportSpan) -> Report {
    let days = match span.period {
        ReportPeriod::Daily => 1,
        ReportPeriod::Weekly => 7,
        ReportPeriod::Monthly => 30,
    };
    let group = |name: &str, units: usize| {
        json!({
            "name": name, "units": units, "available_pct": 75.0, "seconds": {"ready": 2_700, "silent": 900},
            "proved_pct": 100.0, "mtbf_hours": 12.5, "opened": 2, "reopened": 0, "verified": 1,
            "cleared_by_themselves": 0, "cancelled": 0, "open": 1, "due": 2, "overdue": 1, "mtta_hours": 0.5,
            "mttr_hours": 3.0, "a_day": 2.0,
            "drills": {"tests_valid": 2, "tests_overdue": 1, "tests_unknown": 0, "press_done": 1,
                       "press_not_due": 1, "press_overdue": 1, "press_unknown": 0},
        })
    };
    let work = json!({
        "name": "uplink", "opened": 2, "reopened": 0, "verified": 1, "cleared_by_themselves": 0, "cancelled": 0,
        "open": 1, "due": 2, "overdue": 1, "mtta_hours": 0.5, "mttr_hours": 3.0, "a_day": 2.0,
    });
    read(json!({
        "period": span.period, "last": span.last, "time_zone": "Asia/Karachi", "from": ago(days * 86_400),
        "to": ago(60), "made_at": ago(0), "counts_from": null, "fleet": group("fleet", 3),
        "cities": [group("Mardan", 1), group("Peshawar", 2)], "site_types": [group("market", 3)],
        "crews": [group("city-north", 3)], "components": [work],
        "offenders": [{"unit": "PSH-001", "openings": 2, "components": ["uplink"]}],
        "presses": {"counts_from": null, "real": 3, "real_answered": 2, "real_unanswered": 1, "real_not_known": 0,
                    "median_answer_s": 4.2, "test": 5, "test_unanswered": 0},
        "overdue": [{"unit": "MRD-001", "name": "Mardan bus terminal", "site": "Qissa Khwani", "crew": "city-north",
                     "test": "press-test", "since": ago(90_000)}],
        "stuck": [], "forecasts": [forecast()], "load": [],
    }))
}

/// Of October, and always the same.
fn public_report() -> Value {
    let group = |name: &str, units: usize| {
        json!({
            "name": name, "is_rest": name == "other", "units": units, "available_pct": 99.1, "unknown_pct": 0.4,
            "proved_pct": 95.5, "drills_pct": null, "median_repair_hours": 3.5,
        })
    };
    json!({
        "period": "monthly", "from": "2026-09-30T19:00:00.000Z", "to": "2026-10-31T19:00:00.000Z",
        "counts_from": null, "next_at": "2026-12-01T19:00:00.000Z", "time_zone": "Asia/Karachi", "smallest_group": 5,
        "total": group("all", 68), "cities": [group("Peshawar <b>", 60), group("other", 8)], "site_types": [],
        "method": ["No figure is about fewer than 5 buttons."],
    })
}

fn alert() -> Value {
    json!({
        "unit": "PSH-001", "rule": "unit-silent", "component": "uplink", "severity": "critical",
        "state": "firing", "flapping": false, "since": ago(390), "reason": "no heartbeat for 1 min 35 s",
        "order": "WO-000042",
    })
}

pub fn order(state: &str) -> OrderView {
    read(json!({
        "order": "WO-000042", "unit": "PSH-001", "component": "uplink", "incident": null, "priority": "P1",
        "state": state, "crew": "city-north", "site": "Qissa Khwani", "opened_at": ago(21_800),
        "due_at": ago(7_400), "closed_at": null, "summary": "no heartbeat for 1 min 35 s",
        "action": "Check power at the pole, then the link", "parts": ["SIM", "4G modem"],
        "suspects": [{"component": "uplink", "certainty": 100}], "evidence": [], "rules": ["unit-silent"],
        "units": [], "relapses": 0, "flapping": false,
        "history": [{"at": ago(21_800), "state": "opened", "by": "buttonwatch", "why": "no heartbeat"}],
    }))
}

fn card(unit_id: &UnitId) -> UnitCard {
    let mut row = serde_json::to_value(unit(
        unit_id.as_str(),
        "Qissa Khwani Bazaar, north gate",
        "silent",
        "no heartbeat for 1 min 35 s",
    ))
    .unwrap();
    let more = json!({
        "address": "North gate", "contact": "Rahim Shah", "firmware": "2.4.1", "hardware": null, "boot": 7,
        "loss_pct": 1.5, "silent_at": ago(390),
        "readings": [{"metric": "battery.voltage", "value": 11.42, "text": "11.42 V", "at": ago(510)}],
        "tests": [{"component": "camera", "result": "pass", "at": ago(7_400), "code": null}],
        "presses": [{"at": ago(86_400), "kind": "test", "answered": true, "answer_ms": 900.0}],
        "alerts": [alert()], "orders": [order("opened")],
        "siblings": [{"unit": "PSH-002", "shares": "uplink", "readiness": "ready"}],
    });
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    read(row)
}

/// As the engine would tell it, worked out from the rows.
fn overview(units: &[UnitRow], part: &Part) -> Overview {
    let is_in = |u: &&UnitRow| {
        part.city.as_ref().is_none_or(|c| u.city == *c)
            && part.within.is_none_or(|w| u.position.is_some_and(|at| w.contains(at)))
    };
    let shown: Vec<&UnitRow> = units.iter().filter(is_in).collect();
    let mut counts = Counts::default();
    let mut cities: std::collections::BTreeMap<_, Counts> = std::collections::BTreeMap::new();
    shown.iter().for_each(|u| counts.add(u.readiness, 1));
    units.iter().for_each(|u| cities.entry(u.city.clone()).or_default().add(u.readiness, 1));
    let place = |u: &&UnitRow| {
        let position = u.position?;
        let mut counts = Counts::default();
        counts.add(u.readiness, 1);
        let (site, city, unit) = (u.site.to_string(), Some(u.city.clone()), Some(u.unit.clone()));
        Some(Place { site, sites: 1, city, unit, position, bounds: Bounds::of(position), counts })
    };
    let is_broken = |u: &&&UnitRow| ["not-ready", "silent", "impaired"].contains(&u.readiness.as_str());
    let few = |rows: &mut dyn Iterator<Item = &UnitRow>| rows.take(ROWS_MAX).cloned().collect::<Vec<_>>();
    let mut crews: Vec<_> = units.iter().map(|u| u.crew.clone()).collect();
    crews.sort();
    crews.dedup();
    Overview {
        hearing: true,
        counts,
        cities: cities.into_iter().map(|(city, counts)| CityCount { city, counts }).collect(),
        crews,
        places: gather(shown.iter().filter_map(place).collect()),
        unplaced: shown.iter().filter(|u| u.position.is_none()).count(),
        unplaced_units: few(&mut shown.iter().filter(|u| u.position.is_none()).copied()),
        broken: shown.iter().filter(is_broken).count(),
        broken_units: few(&mut shown.iter().filter(is_broken).copied()),
        changed_units: few(&mut shown.iter().copied()),
        open_alerts: 1,
        open_orders: 1,
        overdue_orders: usize::from(is_overdue(order("opened").due_at, ago(0))),
        open_incidents: 1,
    }
}

fn rules() -> RulesView {
    read(json!({
        "rules": [{
            "rule": "unit-silent", "component": "uplink", "severity": "critical", "summary": "no heartbeat for {for}",
            "asks": "no heartbeat for 3 intervals", "for_s": 0.0, "clear_for_s": 60.0, "readiness": "not-ready",
            "priority": "P1", "action": "Check power at the pole", "is_selective": false, "overrides": 1,
            "pending": 0, "firing": 1, "inhibited": 0,
        }],
        "incidents": [{
            "rule": "uplink-down", "group_by": "uplink", "of": ["unit-silent"], "inhibits": ["unit-silent"],
            "at_least": 2, "share_pct": 60.0, "priority": "P1", "open": 1,
        }],
    }))
}
