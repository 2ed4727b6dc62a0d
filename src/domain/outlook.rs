//! What stands ahead of each unit: tests and presses that are due, and what its trends say will fail. Rows of facts;
//! `report` makes figures of them. Never judges.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::component::Component;
use super::ids::{OrderId, RuleId, UnitId};
use super::readiness::Readiness;
use super::time::Timestamp;

/// As the engine knows it at one moment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Outlook {
    /// How long a passed self-test proves something, in seconds.
    pub selftest_valid_s: f64,
    /// One a unit, in the order of their ids.
    pub drills: Vec<DrillRow>,
    /// Soonest first.
    pub forecasts: Vec<ForecastRow>,
}

/// When one unit was last tested, and how often it should be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DrillRow {
    pub unit: UnitId,
    /// Every part that it has passed its test at some time.
    pub all_passed: bool,
    pub last_selftest: Option<Timestamp>,
    /// A test press that the control room answered.
    pub last_press_test: Option<Timestamp>,
    /// Seconds from one test press to the next, by the strictest `overdue` rule for this unit. None: no rule asks.
    pub press_every_s: Option<f64>,
    /// From when the first test press counts as due. None: not in service, or no rule asks before the first one.
    pub in_service_since: Option<Timestamp>,
    /// Since when its button is stuck, as its own test says. None: it is not, or nobody knows.
    pub stuck_since: Option<Timestamp>,
}

/// What will pass a limit, when, and by which readings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ForecastRow {
    pub unit: UnitId,
    pub component: Component,
    /// None: it is not a rule's trend, but this cut's arithmetic.
    pub rule: Option<RuleId>,
    /// `battery.health below 60 %`
    pub what: String,
    /// Never before the moment it was asked at: what has passed its limit is due now.
    pub at: Timestamp,
    /// About three in four dates fall between these two. None: it is not a trend.
    pub earliest: Option<Timestamp>,
    pub latest: Option<Timestamp>,
    pub confidence_pct: Option<u8>,
    /// `battery.health 71 % now, -0.4 % a day`
    pub from: String,
    /// The open order that this would be repaired under.
    pub order: Option<OrderId>,
}

/// One press of a button that was heard.
#[derive(Debug, Clone, PartialEq)]
pub struct PressLine {
    /// When it was heard.
    pub at: Timestamp,
    pub unit: UnitId,
    pub is_test: bool,
    /// Did the control room answer. None: the unit could not tell.
    pub answered: Option<bool>,
    pub answer_ms: Option<f64>,
}

/// Were a unit's self-tests passed and recent at a moment?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tests {
    Valid,
    /// Since when. None: it never passed them all.
    Overdue(Option<Timestamp>),
    /// It was tested later, and nothing kept tells how it stood then.
    NotKnown,
}

/// Was a unit's button pressed for a test in time?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drill {
    Done,
    /// New in service: its first one is due later.
    NotDueYet,
    Overdue(Timestamp),
    NotKnown,
    /// No rule asks for it.
    NotAsked,
}

impl DrillRow {
    /// At `at`, when the unit was `readiness`: what came later is not held in its favour.
    pub fn tests_at(&self, at: Timestamp, readiness: Readiness, valid_s: f64, drill: Drill) -> Tests {
        let valid = std::time::Duration::try_from_secs_f64(valid_s).unwrap_or_default();
        match self.last_selftest {
            Some(last) if last >= at => match readiness {
                // It is neither without tests that are passed and recent.
                Readiness::Ready | Readiness::Impaired => Tests::Valid,
                // Why it was unproven: its press test was not, so its self-tests were.
                Readiness::Unproven if !matches!(drill, Drill::Overdue(_) | Drill::NotKnown) => Tests::Overdue(None),
                Readiness::Unproven
                | Readiness::NotReady
                | Readiness::Silent
                | Readiness::Unknown
                | Readiness::Maintenance => Tests::NotKnown,
            },
            Some(_) if !self.all_passed => Tests::Overdue(None),
            Some(last) if last + valid > at => Tests::Valid,
            Some(last) => Tests::Overdue(Some(last + valid)),
            None => Tests::Overdue(None),
        }
    }

    /// At `at`. `before`: the last test press before it that is kept; `kept_since`: from when presses are kept (None:
    /// from the beginning).
    pub fn drill_at(&self, at: Timestamp, before: Option<Timestamp>, kept_since: Option<Timestamp>) -> Drill {
        let Some(every) = self.press_every_s else { return Drill::NotAsked };
        let every = std::time::Duration::try_from_secs_f64(every).unwrap_or_default();
        let last = before.max(self.last_press_test.filter(|last| *last < at));
        match (last, self.in_service_since) {
            (Some(last), _) if last + every > at => Drill::Done,
            // A later one may hide one that was made before presses were kept.
            (_, _) if self.last_press_test.is_some_and(|l| l >= at) && kept_since.is_some_and(|k| k + every > at) => {
                Drill::NotKnown
            }
            (Some(last), _) => Drill::Overdue(last + every),
            (None, Some(since)) if since + every > at => Drill::NotDueYet,
            (None, Some(since)) => Drill::Overdue(since + every),
            (None, None) => Drill::NotAsked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: f64 = 86_400.0;

    fn day(n: f64) -> Timestamp {
        Timestamp::from_millis((n * DAY * 1000.0) as i64)
    }

    fn row(selftest: Option<f64>, press: Option<f64>) -> DrillRow {
        DrillRow {
            unit: UnitId::parse("A").unwrap(),
            all_passed: selftest.is_some(),
            last_selftest: selftest.map(day),
            last_press_test: press.map(day),
            press_every_s: Some(30.0 * DAY),
            in_service_since: Some(day(0.0)),
            stuck_since: None,
        }
    }

    #[test]
    fn a_press_test_is_good_for_its_thirty_days_and_a_new_button_has_as_long() {
        assert_eq!(row(None, Some(10.0)).drill_at(day(39.9), None, None), Drill::Done);
        assert_eq!(row(None, Some(10.0)).drill_at(day(40.0), None, None), Drill::Overdue(day(40.0)));
        assert_eq!(row(None, None).drill_at(day(29.0), None, None), Drill::NotDueYet);
        assert_eq!(row(None, None).drill_at(day(31.0), None, None), Drill::Overdue(day(30.0)));
        let unasked = DrillRow { press_every_s: None, ..row(None, None) };
        assert_eq!(unasked.drill_at(day(99.0), None, None), Drill::NotAsked);
    }

    #[test]
    fn a_press_after_the_moment_does_not_count_for_it() {
        let late = row(None, Some(50.0));
        assert_eq!(late.drill_at(day(45.0), None, None), Drill::Overdue(day(30.0)), "nothing was pressed until then");
        assert_eq!(late.drill_at(day(45.0), Some(day(20.0)), None), Drill::Done, "the one before is kept");
        assert_eq!(late.drill_at(day(45.0), Some(day(9.0)), None), Drill::Overdue(day(39.0)));
        // Presses are kept from day 40 on: what was done from day 15 on would still be good, and nobody knows.
        assert_eq!(late.drill_at(day(45.0), None, Some(day(40.0))), Drill::NotKnown);
        assert_eq!(late.drill_at(day(45.0), None, Some(day(14.0))), Drill::Overdue(day(30.0)));
    }

    #[test]
    fn a_self_test_is_good_for_a_day_and_a_half() {
        let at = |row: &DrillRow, t: f64, r| row.tests_at(day(t), r, 1.5 * DAY, Drill::Done);
        assert_eq!(at(&row(Some(10.0), None), 11.4, Readiness::Silent), Tests::Valid);
        assert_eq!(at(&row(Some(10.0), None), 11.5, Readiness::Silent), Tests::Overdue(Some(day(11.5))));
        assert_eq!(at(&row(None, None), 1.0, Readiness::Unproven), Tests::Overdue(None));
        // Tested since: only how ready it was then can tell.
        assert_eq!(at(&row(Some(20.0), None), 11.0, Readiness::Ready), Tests::Valid);
        assert_eq!(at(&row(Some(20.0), None), 11.0, Readiness::Unproven), Tests::Overdue(None));
        assert_eq!(at(&row(Some(20.0), None), 11.0, Readiness::NotReady), Tests::NotKnown);
        let both = row(Some(20.0), None).tests_at(day(11.0), Readiness::Unproven, DAY, Drill::Overdue(day(1.0)));
        assert_eq!(both, Tests::NotKnown, "its press test alone may have been why");
    }
}
