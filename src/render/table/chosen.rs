//! Lists in the columns that were asked for.

use super::Look;
use super::grid::{Column, Grid, cell};
use super::page::text_of;
use super::when::in_local_time;

/// Columns that hold ids, words and figures are not cut while there is room for anything.
const LEAST: usize = 12;

/// `rows`: a value for each of `columns`, as CSV has them.
pub fn chosen(columns: &[String], rows: &[Vec<String>], look: &Look) -> String {
    if rows.is_empty() {
        return "None.\n".to_owned();
    }
    let titles = columns.iter().map(|name| Column::named(name.to_uppercase().replace('_', " "), LEAST));
    let mut grid = Grid::new(titles.collect::<Vec<_>>());
    for row in rows {
        grid.row(row.iter().map(|text| cell(in_local_time(look, text))).collect::<Vec<_>>());
    }
    text_of(grid.lines(look))
}
