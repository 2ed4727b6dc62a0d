//! Were the buttons tested, and pressed for a test, when they should have been; and what came of real presses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::ids::UnitId;
use super::super::outlook::{Drill, PressLine, Tests};
use super::super::time::Timestamp;
use super::super::view::UnitRow;
use super::{Material, Standing};

/// Units told by name.
const WORST: usize = 20;

/// At the end of the period.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct DrillFigures {
    /// Self-tests passed, the last round recent enough.
    pub tests_valid: usize,
    /// Never passed, or too long ago.
    pub tests_overdue: usize,
    /// Tested since, and nothing kept tells how it stood then.
    pub tests_unknown: usize,
    pub press_done: usize,
    /// New in service.
    pub press_not_due: usize,
    pub press_overdue: usize,
    pub press_unknown: usize,
}

impl DrillFigures {
    pub(super) fn of<'a>(standings: impl IntoIterator<Item = &'a Standing<'a>>) -> Self {
        let mut figures = DrillFigures::default();
        for standing in standings {
            match standing.tests {
                Tests::Valid => figures.tests_valid += 1,
                Tests::Overdue(_) => figures.tests_overdue += 1,
                Tests::NotKnown => figures.tests_unknown += 1,
            }
            match standing.drill {
                Drill::Done => figures.press_done += 1,
                Drill::NotDueYet => figures.press_not_due += 1,
                Drill::Overdue(_) => figures.press_overdue += 1,
                Drill::NotKnown => figures.press_unknown += 1,
                Drill::NotAsked => {}
            }
        }
        figures
    }

    /// Of the units of which it is known. None: of none.
    pub fn tests_pct(&self) -> Option<f64> {
        share(self.tests_valid, self.tests_overdue)
    }

    /// Of the units that were due and of which it is known. None: of none.
    pub fn press_pct(&self) -> Option<f64> {
        share(self.press_done, self.press_overdue)
    }
}

fn share(done: usize, missed: usize) -> Option<f64> {
    (done + missed > 0).then(|| 100.0 * done as f64 / (done + missed) as f64)
}

/// Presses that were heard in the period.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct PressFigures {
    /// From when they are kept, where that is later than the period began.
    pub counts_from: Option<Timestamp>,
    pub real: usize,
    /// By the control room.
    pub real_answered: usize,
    pub real_unanswered: usize,
    /// The unit could not tell.
    pub real_not_known: usize,
    /// Of the answered ones that say how long it took.
    pub median_answer_s: Option<f64>,
    pub test: usize,
    pub test_unanswered: usize,
}

impl PressFigures {
    pub(super) fn of(material: &Material<'_>) -> Self {
        let mut figures = PressFigures {
            counts_from: material.presses_since.filter(|since| *since > material.from),
            ..PressFigures::default()
        };
        let mut answers: Vec<f64> = Vec::new();
        let inside = |p: &&PressLine| material.from <= p.at && p.at < material.to;
        for press in material.presses.iter().filter(inside) {
            if press.is_test {
                figures.test += 1;
                figures.test_unanswered += usize::from(press.answered == Some(false));
                continue;
            }
            figures.real += 1;
            match press.answered {
                Some(true) => {
                    figures.real_answered += 1;
                    answers.extend(press.answer_ms);
                }
                Some(false) => figures.real_unanswered += 1,
                None => figures.real_not_known += 1,
            }
        }
        figures.median_answer_s = super::median(&mut answers).map(|ms| ms / 1000.0);
        figures
    }
}

/// A test that was due by the end of the period and had not been made when the report was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OverdueRow {
    pub unit: UnitId,
    pub name: String,
    pub site: String,
    pub crew: String,
    /// `self-test` or `press-test`.
    pub test: String,
    /// None: it was never passed.
    pub since: Option<Timestamp>,
}

/// A button that is stuck: it cannot be pressed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StuckRow {
    pub unit: UnitId,
    pub name: String,
    pub site: String,
    pub crew: String,
    pub since: Timestamp,
}

/// Worst first: never, then the longest.
pub(super) fn overdue(standings: &[Standing<'_>], material: &Material<'_>) -> Vec<OverdueRow> {
    let row = |unit: &UnitRow, test: &str, since| OverdueRow {
        unit: unit.unit.clone(),
        name: unit.name.clone(),
        site: unit.site.to_string(),
        crew: unit.crew.to_string(),
        test: test.to_owned(),
        since,
    };
    let mut rows = Vec::new();
    for standing in standings {
        let unit = &standing.unit.row.row;
        let facts = standing.facts;
        // What was made since is nobody's errand any more.
        let tested_since = facts.is_some_and(|d| d.last_selftest.is_some_and(|t| t >= material.to));
        let pressed_since = facts.is_some_and(|d| d.last_press_test.is_some_and(|t| t >= material.to));
        if let Tests::Overdue(since) = standing.tests
            && !tested_since
        {
            rows.push(row(unit, "self-test", since));
        }
        if let Drill::Overdue(since) = standing.drill
            && !pressed_since
        {
            rows.push(row(unit, "press-test", Some(since)));
        }
    }
    rows.sort_by(|a, b| a.since.cmp(&b.since).then_with(|| a.unit.cmp(&b.unit)));
    rows.truncate(WORST);
    rows
}

pub(super) fn stuck(standings: &[Standing<'_>]) -> Vec<StuckRow> {
    let row = |standing: &Standing<'_>| {
        let unit = &standing.unit.row.row;
        Some(StuckRow {
            unit: unit.unit.clone(),
            name: unit.name.clone(),
            site: unit.site.to_string(),
            crew: unit.crew.to_string(),
            since: standing.facts?.stuck_since?,
        })
    };
    let mut rows: Vec<StuckRow> = standings.iter().filter_map(row).collect();
    rows.sort_by(|a, b| a.since.cmp(&b.since).then_with(|| a.unit.cmp(&b.unit)));
    rows
}
