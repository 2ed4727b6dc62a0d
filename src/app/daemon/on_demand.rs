//! What people ask of units: checked, written in the book, on its way. Never waits for the unit.

use std::time::Duration;

use crate::domain::message::{Command, Do};
use crate::domain::on_demand::{WITHIN_MAX, WITHIN_MIN, WITHIN_SAID};
use crate::domain::view::{Answer, AskError};
use crate::domain::{Component, Effect, EffectKind, Fleet, Timestamp, UnitId};

use super::answers::no_such_unit;
use super::command_book::CommandBook;
use super::judge::Judge;

impl Judge {
    pub(super) fn command(
        &mut self,
        now: Timestamp,
        unit: &UnitId,
        act: Do,
        components: Vec<Component>,
        within: Option<Duration>,
        by: &str,
    ) -> Result<Answer, AskError> {
        let Some(card) = self.engine.unit_card(unit) else {
            return Err(no_such_unit(unit, self.engine.fleet().units().map(|(_, u)| u.unit.as_str())));
        };
        check_components(act, &components).map_err(|why| AskError::Invalid(vec![why]))?;
        let within = within.unwrap_or(act.worth_for());
        if !(WITHIN_MIN..=WITHIN_MAX).contains(&within) {
            return Err(AskError::Invalid(vec![format!("{WITHIN_SAID}; {} s were asked for", within.as_secs())]));
        }
        let id = self.book.next_id(now, unit).map_err(AskError::Conflict)?;
        let command = Command { id, act, components, expires: now + within };
        tracing::info!("{by} asks {unit} for {}: {}", act.noun(), command.id);
        self.book.asked(now, unit, &command, by, card.boot);
        let view = self.book.find(now, unit, &command.id).expect("written above");
        // As if the engine had decided it: committed before we say yes, then sent.
        self.fresh.effects.push(Effect { at: now, kind: EffectKind::Command { unit: unit.clone(), command } });
        Ok(Answer::Command(Box::new(view)))
    }
}

fn check_components(act: Do, components: &[Component]) -> Result<(), String> {
    match act {
        Do::Locate | Do::Reboot if !components.is_empty() => {
            Err(format!("{} is done by the whole unit: name no component", act.noun()))
        }
        Do::Locate | Do::Reboot => Ok(()),
        Do::Selftest => match components.iter().find(|c| !Component::TESTED.contains(c)) {
            None => Ok(()),
            Some(other) => {
                let known = Component::TESTED.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(", ");
                Err(format!("no self-test tests the {other}; name one of {known}, or none for all"))
            }
        },
    }
}

impl CommandBook {
    /// Err: no such unit, or no such command of it.
    pub(super) fn answer(
        &self,
        now: Timestamp,
        unit: &UnitId,
        command: &str,
        fleet: &Fleet,
    ) -> Result<Answer, AskError> {
        match self.find(now, unit, command) {
            Some(view) => Ok(Answer::Command(Box::new(view))),
            None => {
                check_unit(unit, fleet)?;
                Err(AskError::NotFound(format!(
                    "there is no command {command:?} of {unit} any more; only the latest are remembered"
                )))
            }
        }
    }

    pub(super) fn answer_all(&self, now: Timestamp, unit: &UnitId, fleet: &Fleet) -> Result<Answer, AskError> {
        check_unit(unit, fleet)?;
        Ok(Answer::Commands(self.of_unit(now, unit)))
    }
}

fn check_unit(unit: &UnitId, fleet: &Fleet) -> Result<(), AskError> {
    match fleet.find(unit.as_str()) {
        Some(_) => Ok(()),
        None => Err(no_such_unit(unit, fleet.units().map(|(_, u)| u.unit.as_str()))),
    }
}
