//! Answers to what people and programs ask of the running service. Runs between batches, on the judge's own state:
//! an answer is never older than the last commit.

use crate::config::fleet::check_fleet;
use crate::domain::event::{Action, MaintenanceScope};
use crate::domain::view::{Answer, Ask, AskError, Health, MailMove, MailView, OrderView, Retried};
use crate::domain::{Component, EffectKind, MessageId, OrderId, SharedText, Timestamp, Unit, UnitId};
use crate::wire::recording::What;

use super::history;
use super::judge::Judge;
use crate::app::fleet_file::plan_import;

/// Two letters swapped, wrong or missing: more is another unit.
const NEAR: usize = 2;
const NEAR_TOLD: usize = 3;

impl Judge {
    pub(super) fn answer(&mut self, now: Timestamp, ask: Ask) -> Result<Answer, AskError> {
        match ask {
            Ask::Health => Ok(Answer::Health(self.health()?)),
            Ask::Overview(part) => Ok(Answer::Overview(Box::new(self.engine.overview(&part, now)))),
            Ask::Rules => Ok(Answer::Rules(Box::new(self.engine.rules_view()))),
            Ask::Units(query) => Ok(Answer::Units(self.engine.unit_page(now, &query))),
            Ask::Unit(id) => match self.engine.unit_card(&id) {
                Some(card) => Ok(Answer::Unit(Box::new(card))),
                None => Err(self.no_such_unit(&id)),
            },
            Ask::Explain(id) => match self.engine.explain_unit(&id) {
                Some(explained) => Ok(Answer::Explained(Box::new(explained))),
                None => Err(self.no_such_unit(&id)),
            },
            Ask::History { unit, since } => history::of_unit(&self.store, &self.engine.unit_rows(), now, &unit, since),
            Ask::Series { unit, metric, since } => {
                history::series(&self.store, self.engine.fleet(), self.engine.rules(), now, &unit, &metric, since)
            }
            Ask::Availability { since } => history::of_fleet(&self.store, &self.engine.unit_rows(), now, since),
            Ask::Rebaseline { unit, component, by } => {
                if self.engine.fleet().find(unit.as_str()).is_none() {
                    return Err(self.no_such_unit(&unit));
                }
                if let Some(other) = component.filter(|c| !Component::LEARNED.contains(c)) {
                    let known = Component::LEARNED.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(", ");
                    return Err(AskError::Invalid(vec![format!(
                        "nothing is learned of the {other}, so nothing can be learned anew; name one of {known}, or none for all"
                    )]));
                }
                let what = component.map_or("everything", Component::as_str);
                tracing::info!("{by} lets {unit} learn anew: {what}");
                self.instruct(now, Action::Rebaseline { unit, component }, by)?;
                Ok(Answer::Done)
            }
            Ask::Command { unit, act, components, within, by } => {
                self.command(now, &unit, act, components, within, &by)
            }
            Ask::CommandState { unit, command } => self.book.answer(now, &unit, &command, self.engine.fleet()),
            Ask::Commands(unit) => self.book.answer_all(now, &unit, self.engine.fleet()),
            Ask::Outlook => Ok(Answer::Outlook(Box::new(self.engine.prospects().outlook()))),
            Ask::Report(span) => {
                let outlook = self.engine.prospects().outlook();
                self.desk.report(&self.store, &self.engine.unit_rows(), &outlook, now, span)
            }
            Ask::PublicReport => {
                let outlook = self.engine.prospects().outlook();
                self.desk.public_report(&self.store, &self.engine.unit_rows(), &outlook, now)
            }
            Ask::Alerts(query) => Ok(Answer::Alerts(self.engine.alert_page(now, &query))),
            Ask::Incidents(query) => Ok(Answer::Incidents(self.engine.incident_page(now, &query))),
            Ask::Orders { closed_too: false, query } => {
                let orders = self.engine.open_orders().map(OrderView::from);
                Ok(Answer::Orders(self.engine.order_page(now, orders, &query)))
            }
            Ask::Orders { closed_too: true, query } => {
                let orders = self.store.orders(true).map_err(unreadable)?;
                Ok(Answer::Orders(self.engine.order_page(now, orders.iter().map(OrderView::from), &query)))
            }
            Ask::Order(id) => self.order(id),
            Ask::SetOrder { order, to, by, note } => {
                if self.engine.order(order).is_none() {
                    // Closed long ago, or never opened: the store knows which.
                    self.order(order)?;
                }
                self.instruct(now, Action::SetOrder { order, to, note }, by)?;
                self.order(order)
            }
            Ask::Maintenance { scope, until, by } => {
                let inside = |u: &Unit| match &scope {
                    MaintenanceScope::Unit(id) => u.unit == *id,
                    MaintenanceScope::Site(id) => u.site == *id,
                    MaintenanceScope::Crew(id) => u.crew == *id,
                };
                if !self.engine.fleet().units().any(|(_, u)| inside(u)) {
                    let remedy = "`fleet list` shows the units with their sites and crews";
                    return Err(AskError::NotFound(format!("no unit of the fleet belongs to {scope}; {remedy}")));
                }
                self.instruct(now, Action::Maintenance { scope, until }, by)?;
                Ok(Answer::Done)
            }
            Ask::Quarantine => Ok(Answer::Quarantine(self.fresh.quarantine.values().cloned().collect())),
            Ask::Accept { unit, site, crew, city, by } => {
                if self.engine.fleet().find(unit.as_str()).is_some() {
                    return Err(AskError::Conflict(format!("{unit} is in the fleet already")));
                }
                let mut units = self.fleet_rows();
                tracing::info!("{by} takes {unit} into the fleet");
                units.push(Unit {
                    name: unit.as_str().into(),
                    unit: unit.clone(),
                    site,
                    site_type: SharedText::default(),
                    city,
                    district: None,
                    address: Box::default(),
                    position: None,
                    crew,
                    uplink: None,
                    feeder: None,
                    model: SharedText::default(),
                    heartbeat: None,
                    commissioned: Some(now),
                    contact: SharedText::default(),
                });
                self.replace_fleet(now, units, Some(unit.clone()));
                self.answer(now, Ask::Unit(unit))
            }
            Ask::ImportFleet { csv, dry_run, by } => self.import(now, &csv, dry_run, &by),
            Ask::Fleet => Ok(Answer::Fleet(self.fleet_rows())),
            Ask::Refusals => Ok(Answer::Refusals(self.fresh.refusals.values().cloned().collect())),
            Ask::Outbox => Ok(Answer::Outbox(self.store.outbox_all().map_err(unreadable)?)),
            Ask::Mail(id) => self.mail(&id),
            Ask::SetMail { mail, to, by } => self.set_mail(&mail, to, &by),
            Ask::RetryMails { by } => {
                let retried = self.store.outbox_retry_refused().map_err(unreadable)?;
                tracing::info!("{by} has {retried} refused mails tried again");
                self.outbox.notify_one();
                Ok(Answer::Retried(Retried { retried }))
            }
        }
    }

    fn mail(&self, id: &MessageId) -> Result<Answer, AskError> {
        let (row, notice) =
            (self.store.outbox_row(id).map_err(unreadable)?, self.store.notice(id).map_err(unreadable)?);
        let (Some(row), Some(notice)) = (row, notice) else {
            return Err(AskError::NotFound(format!("there is no mail {id}; `outbox list` shows those there are")));
        };
        let mail = self.office.render_words(&notice, self.engine.fleet());
        Ok(Answer::Mail(Box::new(MailView {
            row,
            reason: notice.reason,
            to_address: mail.to.iter().map(|to| to.address.as_str()).collect::<Vec<_>>().join(", "),
            subject: mail.subject,
            text: mail.text,
            html: mail.html,
        })))
    }

    fn set_mail(&mut self, id: &MessageId, to: MailMove, by: &str) -> Result<Answer, AskError> {
        let changed = match to {
            MailMove::Waiting => self.store.outbox_retry_now(id),
            MailMove::Dropped => self.store.outbox_drop(id, &format!("dropped by {by}")),
        };
        if !changed.map_err(unreadable)? {
            // It is not there, or it is out already: which of the two?
            self.mail(id)?;
            return Err(AskError::Conflict(format!("mail {id} was sent; a sent mail cannot be called back")));
        }
        tracing::info!("{by} sets mail {id} to {to}");
        self.outbox.notify_one();
        self.mail(id)
    }

    fn no_such_unit(&self, id: &UnitId) -> AskError {
        no_such_unit(id, self.engine.fleet().units().map(|(_, u)| u.unit.as_str()))
    }

    fn health(&self) -> Result<Health, AskError> {
        Ok(Health {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            hearing: self.engine.is_hearing(),
            units: self.engine.fleet().len(),
            open_alerts: self.engine.alert_rows().len(),
            open_orders: self.engine.open_orders().count(),
            outbox_waiting: self.store.outbox_waiting().map_err(unreadable)?,
        })
    }

    fn order(&self, id: OrderId) -> Result<Answer, AskError> {
        if let Some(order) = self.engine.order(id) {
            return Ok(Answer::Order(Box::new(order.into())));
        }
        match self.store.order(id).map_err(unreadable)? {
            Some(order) => Ok(Answer::Order(Box::new((&order).into()))),
            None => Err(AskError::NotFound(format!("there is no order {id}; `orders list --all` shows them"))),
        }
    }

    fn instruct(&mut self, now: Timestamp, action: Action, by: String) -> Result<(), AskError> {
        let before = self.fresh.effect_count();
        self.judge(now, What::Do { action, by });
        let refused = self.fresh.effects_since(before).find_map(|e| match &e.kind {
            EffectKind::Refused { why, .. } => Some(why.clone()),
            EffectKind::Readiness { .. }
            | EffectKind::Alert { .. }
            | EffectKind::Incident { .. }
            | EffectKind::Order(_)
            | EffectKind::OrderUpdated(_)
            | EffectKind::Mail(_)
            | EffectKind::Command { .. }
            | EffectKind::Reading { .. } => None,
        });
        refused.map_or(Ok(()), |why| Err(AskError::Conflict(why)))
    }

    pub(super) fn fleet_rows(&self) -> Vec<Unit> {
        self.engine.fleet().units().map(|(_, u)| u.clone()).collect()
    }

    fn import(&mut self, now: Timestamp, csv: &str, dry_run: bool, by: &str) -> Result<Answer, AskError> {
        let units = check_fleet("fleet.csv", csv.as_bytes())
            .map_err(|problems| AskError::Invalid(problems.to_string().lines().map(str::to_owned).collect()))?;
        let plan = plan_import(&self.fleet_rows(), &units, dry_run);
        if !dry_run {
            tracing::info!(
                "{by} imports a fleet of {} units: {} added, {} removed",
                units.len(),
                plan.added.len(),
                plan.removed.len()
            );
            self.replace_fleet(now, units, None);
        }
        Ok(Answer::Import(plan))
    }
}

/// Names those that are written nearly so.
pub(super) fn no_such_unit<'a>(id: &UnitId, fleet: impl Iterator<Item = &'a str>) -> AskError {
    let asked = id.as_str().to_lowercase();
    let mut near: Vec<(usize, &str)> = fleet
        .filter(|known| known.len().abs_diff(asked.len()) <= NEAR)
        .map(|known| (strsim::damerau_levenshtein(&asked, &known.to_lowercase()), known))
        .filter(|(distance, _)| *distance <= NEAR)
        .collect();
    near.sort_unstable();
    let nearest = near.first().map(|(distance, _)| *distance);
    let names = near.iter().filter(|(distance, _)| Some(*distance) == nearest).take(NEAR_TOLD);
    let names: Vec<&str> = names.map(|(_, known)| *known).collect();
    let hint = match names.is_empty() {
        true => String::new(),
        false => format!(" (did you mean {}?)", names.join(", ")),
    };
    AskError::NotFound(format!("there is no unit {id} in the fleet{hint}; `fleet list` shows them"))
}

pub(super) fn unreadable(e: crate::io::store::StoreError) -> AskError {
    AskError::Unavailable(e.to_string())
}
