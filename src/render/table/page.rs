//! A page: title lines, labelled lines, sections. What `show` commands print.

use super::Look;
use super::cell::{Pad, Paint, lay, show, width, wrap};

/// Two for the margin, ten for the longest label, one between.
const LABEL: usize = 13;
/// A window narrower than this gets lines of this width: half a word a line helps nobody.
const TEXT_MIN: usize = 8;

pub struct Page<'a> {
    pub look: &'a Look,
    lines: Vec<String>,
    dense: bool,
}

impl<'a> Page<'a> {
    pub fn new(look: &'a Look) -> Self {
        Page { look, lines: Vec::new(), dense: false }
    }

    /// Without empty lines.
    pub fn dense(look: &'a Look) -> Self {
        Page { dense: true, ..Page::new(look) }
    }

    /// What it is on the left, its state at the right edge.
    pub fn title(&mut self, left: &str, right: &str, paint: Paint) {
        let right_columns = width(right).min(self.look.width / 2);
        let left_columns = self.look.width.saturating_sub(right_columns + 2);
        let left = lay(left, Paint::Strong, left_columns, Pad::Right, self.look);
        self.lines.push(left + "  " + &lay(right, paint, right_columns, Pad::None, self.look));
    }

    /// Wrapped, with a margin.
    pub fn text(&mut self, text: &str) {
        for line in wrap(text, self.room(2)) {
            self.lines.push(format!("  {}", show(&line, Paint::Plain, self.look)));
        }
    }

    /// `  Label      text`, wrapped under itself. Nothing when there is no text.
    pub fn field(&mut self, label: &str, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        self.hang(&lay(label, Paint::Faint, LABEL - 3, Pad::Right, self.look), LABEL - 3, text);
    }

    /// `  lead  text`, wrapped under itself. `lead` is as wide as `lead_columns` says, colour apart.
    pub fn hang(&mut self, lead: &str, lead_columns: usize, text: &str) {
        let mut lead = format!("  {lead} ");
        for line in wrap(text, self.room(lead_columns + 3)) {
            self.lines.push(std::mem::take(&mut lead) + &show(&line, Paint::Plain, self.look));
            lead = " ".repeat(lead_columns + 3);
        }
    }

    fn room(&self, margin: usize) -> usize {
        self.look.width.saturating_sub(margin).max(TEXT_MIN)
    }

    pub fn gap(&mut self) {
        if !self.dense {
            self.lines.push(String::new());
        }
    }

    pub fn section(&mut self, heading: &str) {
        self.gap();
        self.lines.push(lay(heading, Paint::Faint, self.look.width, Pad::None, self.look));
    }

    pub fn line(&mut self, line: String) {
        self.lines.push(line);
    }

    pub fn lines(&mut self, lines: impl IntoIterator<Item = String>) {
        self.lines.extend(lines);
    }

    pub fn end(self) -> String {
        text_of(self.lines)
    }
}

/// Every line ends with a line feed and without spaces.
pub fn text_of(lines: impl IntoIterator<Item = String>) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(line.trim_end_matches(' '));
        text.push('\n');
    }
    text
}
