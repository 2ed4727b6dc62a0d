//! What was asked of units on demand, and what came of it.

use crate::domain::Outcome;
use crate::domain::on_demand::{CommandState, CommandView};
use crate::domain::view::TestView;

use super::Look;
use super::cell::Paint;
use super::grid::{Column, Grid, cell, painted};
use super::page::{Page, text_of};
use super::when::{age, in_local_time};

fn state_paint(state: CommandState) -> Paint {
    match state {
        CommandState::Waiting => Paint::Doubt,
        CommandState::Sent | CommandState::Accepted => Paint::Plain,
        CommandState::Done => Paint::Good,
        CommandState::Refused | CommandState::Expired => Paint::Bad,
    }
}

pub(super) fn outcome_paint(result: Outcome) -> Paint {
    match result {
        Outcome::Pass => Paint::Good,
        Outcome::Fail => Paint::Bad,
        Outcome::Inconclusive | Outcome::Skipped => Paint::Doubt,
    }
}

/// `fail (no-tone)`.
pub(super) fn outcome_text(test: &TestView) -> String {
    match &test.code {
        Some(code) => format!("{} ({code})", test.result),
        None => test.result.to_string(),
    }
}

/// Newest first.
pub fn commands(rows: &[CommandView], look: &Look) -> String {
    if rows.is_empty() {
        return "Nothing was asked of it lately.\n".to_owned();
    }
    let mut grid = Grid::new([
        Column::whole("ASKED"),
        Column::whole("DO"),
        Column::whole("STATE"),
        Column::cut("BY", 10).spare(1),
        Column::cut("WHAT CAME OF IT", 30).wraps(),
    ]);
    for row in rows {
        grid.row([
            cell(age(look.now, row.asked_at)),
            cell(row.act.as_str()),
            painted(row.state.as_str(), state_paint(row.state)),
            cell(row.by.as_str()),
            cell(in_local_time(look, &row.says)),
        ]);
    }
    text_of(grid.lines(look))
}

/// One that has ended.
pub fn command(view: &CommandView, look: &Look) -> String {
    let mut page = Page::new(look);
    page.title(&format!("{}  {}", view.unit, view.act), view.state.as_str(), state_paint(view.state));
    page.text(&view.says);
    if !view.results.is_empty() {
        let mut grid = Grid::new([Column::whole("TEST"), Column::cut("RESULT", 12)]).indented(2);
        for test in &view.results {
            grid.row([cell(test.component.as_str()), painted(outcome_text(test), outcome_paint(test.result))]);
        }
        page.line(String::new());
        page.lines(grid.lines(look));
    }
    page.end()
}
