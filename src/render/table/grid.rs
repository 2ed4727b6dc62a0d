//! Rows in columns, cut to a width. The columns that carry names and reasons give way; ids, states and figures do not,
//! as long as there is room for anything.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Look;
use super::cell::{Pad, Paint, clean, lay, width, wrap};

const GAP: usize = 2;

pub struct Column {
    title: Cow<'static, str>,
    /// None: as wide as its widest cell. Some: may be cut down to so many columns.
    least: Option<usize>,
    /// Zero: always there. Of the others the highest goes first when the width does not suffice.
    spare: u8,
    right: bool,
    /// What is cut by default goes on under itself.
    wraps: bool,
}

impl Column {
    pub const fn whole(title: &'static str) -> Self {
        Column { title: Cow::Borrowed(title), least: None, spare: 0, right: false, wraps: false }
    }
    pub const fn cut(title: &'static str, least: usize) -> Self {
        Column { title: Cow::Borrowed(title), least: Some(least), spare: 0, right: false, wraps: false }
    }
    /// Named by whoever asked for it.
    pub fn named(title: String, least: usize) -> Self {
        Column { title: Cow::Owned(title), least: Some(least), spare: 0, right: false, wraps: false }
    }
    pub const fn spare(mut self, rank: u8) -> Self {
        self.spare = rank;
        self
    }
    pub const fn right(mut self) -> Self {
        self.right = true;
        self
    }
    /// For what answers "why": no end of it may be missing.
    pub const fn wraps(mut self) -> Self {
        self.wraps = true;
        self
    }
}

#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    paint: Paint,
}

pub fn cell(text: impl Into<String>) -> Cell {
    painted(text, Paint::Plain)
}

pub fn painted(text: impl Into<String>, paint: Paint) -> Cell {
    Cell { text: clean(&text.into()), paint }
}

pub struct Grid {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    indent: usize,
    flat: bool,
}

impl Grid {
    pub fn new(columns: impl Into<Vec<Column>>) -> Self {
        Grid { columns: columns.into(), rows: Vec::new(), indent: 0, flat: false }
    }

    pub fn indented(mut self, by: usize) -> Self {
        self.indent = by;
        self
    }

    /// One line a row, whatever is cut for it.
    pub fn flat(mut self) -> Self {
        self.flat = true;
        self
    }

    pub fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        let cells = cells.into();
        debug_assert_eq!(cells.len(), self.columns.len(), "a row has a cell for every column");
        self.rows.push(cells);
    }

    /// A header line and the rows, none wider than the look.
    pub fn lines(&self, look: &Look) -> Vec<String> {
        let room = look.width.saturating_sub(self.indent);
        let plan = self.plan(room);
        let titles: Vec<Cell> = self.columns.iter().map(|c| painted(c.title.clone(), Paint::Faint)).collect();
        let lines = self.rows.iter().flat_map(|row| self.row_lines(row, &plan, look));
        std::iter::once(self.line(&titles, &plan, look)).chain(lines).collect()
    }

    fn row_lines(&self, row: &[Cell], plan: &[(usize, usize)], look: &Look) -> Vec<String> {
        let pieces = |index: usize, columns: usize| match self.columns[index].wraps && !self.flat {
            true => wrap(&row[index].text, columns),
            false => vec![row[index].text.clone()],
        };
        let pieces: BTreeMap<usize, Vec<String>> = plan.iter().map(|(i, columns)| (*i, pieces(*i, *columns))).collect();
        let height = pieces.values().map(Vec::len).max().unwrap_or(1);
        let piece = |index: usize, line: usize| {
            let text = pieces.get(&index).and_then(|pieces| pieces.get(line)).cloned().unwrap_or_default();
            Cell { text, paint: row[index].paint }
        };
        let cells = |line: usize| (0..row.len()).map(|index| piece(index, line)).collect::<Vec<_>>();
        (0..height).map(|line| self.line(&cells(line), plan, look)).collect()
    }

    fn line(&self, row: &[Cell], plan: &[(usize, usize)], look: &Look) -> String {
        let mut line = " ".repeat(self.indent.min(look.width));
        let mut owed = 0;
        for (place, (index, columns)) in plan.iter().enumerate() {
            let (cell, right) = (&row[*index], self.columns[*index].right);
            if cell.text.is_empty() && !right {
                owed += columns + GAP;
                continue;
            }
            line.push_str(&" ".repeat(owed));
            let shown = lay(&cell.text, cell.paint, *columns, if right { Pad::Left } else { Pad::None }, look);
            let filled = if right { *columns } else { width(&super::fit(&cell.text, *columns)) };
            line.push_str(&shown);
            owed = if place + 1 == plan.len() { 0 } else { columns - filled + GAP };
        }
        // Nothing but spaces is owed at the end of a line.
        line
    }

    /// Which columns, how wide.
    fn plan(&self, room: usize) -> Vec<(usize, usize)> {
        let natural: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(i, c)| self.rows.iter().map(|r| width(&r[i].text)).max().unwrap_or(0).max(width(&c.title)))
            .collect();
        let least = |i: usize| self.columns[i].least.map_or(natural[i], |l| l.min(natural[i]));
        let mut kept: Vec<usize> = (0..self.columns.len()).collect();
        let total = |kept: &[usize], of: &dyn Fn(usize) -> usize| -> usize {
            kept.iter().map(|i| of(*i)).sum::<usize>() + GAP * kept.len().saturating_sub(1)
        };
        while total(&kept, &least) > room {
            let spare = kept.iter().copied().filter(|i| self.columns[*i].spare > 0);
            match spare.max_by_key(|i| self.columns[*i].spare) {
                Some(out) => kept.retain(|i| *i != out),
                None => break,
            }
        }
        let mut widths: Vec<(usize, usize)> = kept.iter().map(|i| (*i, least(*i))).collect();
        let used = total(&kept, &least);
        if used <= room {
            share(&mut widths, &natural, room - used);
        } else {
            squeeze(&mut widths, room);
        }
        widths
    }
}

/// What is left goes to the columns that want it, evenly.
fn share(widths: &mut [(usize, usize)], natural: &[usize], mut left: usize) {
    loop {
        let wanting = widths.iter().filter(|(i, w)| *w < natural[*i]).count();
        if wanting == 0 || left == 0 {
            return;
        }
        let each = (left / wanting).max(1);
        for (i, w) in widths.iter_mut() {
            let more = each.min(natural[*i] - *w).min(left);
            *w += more;
            left -= more;
        }
    }
}

/// A window narrower than anyone works in: the widest columns lose first, then the last ones go.
fn squeeze(widths: &mut Vec<(usize, usize)>, room: usize) {
    loop {
        let used = widths.iter().map(|(_, w)| w).sum::<usize>() + GAP * widths.len().saturating_sub(1);
        if used <= room {
            return;
        }
        let widest = (0..widths.len()).max_by_key(|i| widths[*i].1).expect("an empty row fits any room");
        if widths[widest].1 > 4 {
            widths[widest].1 -= 1;
        } else if widths.len() > 1 {
            widths.pop();
        } else {
            widths[widest].1 = room;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use proptest::prelude::*;

    #[test]
    fn a_column_that_answers_why_goes_on_under_itself_and_loses_no_word() {
        let reason = "camera test failed (blocked), 8 times in a row";
        let mut grid = Grid::new([Column::whole("UNIT"), Column::cut("REASON", 10).wraps(), Column::whole("DUE")]);
        grid.row([cell("PSH-006"), cell(reason), cell("in 4 h")]);
        grid.row([cell("PSH-007"), cell("tamper"), cell("late")]);
        let look = Look { width: 36, ..Look::plain(Timestamp::default()) };
        let lines = [
            "UNIT     REASON               DUE",
            "PSH-006  camera test failed   in 4 h",
            "         (blocked), 8 times",
            "         in a row",
            "PSH-007  tamper               late",
        ];
        let drawn: Vec<String> = grid.lines(&look).iter().map(|line| line.trim_end().to_owned()).collect();
        assert_eq!(drawn, lines);
    }

    proptest! {
        #[test]
        fn no_line_is_ever_wider_than_the_window(
            rows in proptest::collection::vec(proptest::collection::vec("\\PC{0,40}|[لا中é ]{0,30}", 5), 0..6),
            columns in 1usize..140,
            indent in 0usize..4,
        ) {
            let mut grid = Grid::new([
                Column::whole("UNIT"),
                Column::whole("ORDERS").right(),
                Column::cut("NAME", 12),
                Column::whole("CITY").spare(1),
                Column::cut("REASON", 20).wraps(),
            ]).indented(indent);
            for row in &rows {
                grid.row(row.iter().map(|t| cell(t.as_str())).collect::<Vec<_>>());
            }
            let look = Look { width: columns, ..Look::plain(Timestamp::default()) };
            let lines = grid.lines(&look);
            prop_assert!(lines.len() > rows.len());
            for line in lines {
                prop_assert!(width(&line) <= columns, "{:?}", line);
            }
            prop_assert_eq!(grid.flat().lines(&look).len(), rows.len() + 1);
        }
    }
}
