//! Text as a terminal shows it: made harmless, measured in columns, cut, wrapped and painted.
//!
//! Widths are added up character by character, as terminals do. `UnicodeWidthStr` counts the Arabic lam-alef as one
//! column, terminals as two: with it every row that names Lahore in Urdu would be crooked.

use unicode_width::UnicodeWidthChar;

use super::Look;

/// More marks on one letter than any script uses are a prank that paints over the lines above.
const MARKS_MAX: usize = 6;

/// No character is wider: a Khmer sign is three columns.
const CHARACTER_MAX: usize = 3;

/// Columns of cleaned text.
pub fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// One line without anything that a terminal would obey: names come from spreadsheets, examples from anyone who can
/// open a connection.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    for c in text.chars() {
        match c {
            '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                out.push(' ');
                marks = 0;
            }
            // Escape sequences.
            c if c.is_control() => {
                out.push('·');
                marks = 0;
            }
            // Orders to the bidi algorithm can make a line read as something else. A variation selector changes a
            // sign's width in some terminals only. A byte-order mark is no text.
            '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{61c}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' => {}
            c if char_width(c) == 0 => {
                marks += 1;
                if marks <= MARKS_MAX {
                    out.push(c);
                }
            }
            c => {
                marks = 0;
                out.push(c);
            }
        }
    }
    out
}

/// Cleaned text of at most `columns` columns; what was cut off shows as `…`.
pub fn fit(text: &str, columns: usize) -> String {
    let text = clean(text);
    if width(&text) <= columns {
        return text;
    }
    if columns == 0 {
        return String::new();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += char_width(c);
        // One column is the mark's.
        if used > columns - 1 {
            break;
        }
        out.push(c);
    }
    out.truncate(out.trim_end().len());
    out.push('…');
    out
}

/// Cleaned text in lines of at most `columns` columns (at least one character), broken between words where that can be.
/// Never empty.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(CHARACTER_MAX);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in clean(text).split_whitespace() {
        let needs = width(word);
        if used > 0 && used + 1 + needs > columns {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        for c in word.chars() {
            let w = char_width(c);
            if used + w > columns {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += w;
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// How a text stands out. Without colour nothing is lost: the words say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    Plain,
    Good,
    Doubt,
    Warn,
    Bad,
    Faint,
    Strong,
}

impl Paint {
    /// SGR parameters: the 8 colours that every terminal has and lets its user choose.
    const fn code(self) -> &'static str {
        match self {
            Paint::Plain => "",
            Paint::Good => "32",
            Paint::Doubt => "36",
            Paint::Warn => "33",
            Paint::Bad => "1;31",
            Paint::Faint => "2",
            Paint::Strong => "1",
        }
    }
}

/// Cut to `columns`, painted, and filled with spaces to `columns` when `pad`.
pub fn lay(text: &str, paint: Paint, columns: usize, pad: Pad, look: &Look) -> String {
    let text = fit(text, columns);
    let fill = " ".repeat(columns.saturating_sub(width(&text)));
    let shown = show(&text, paint, look);
    match pad {
        Pad::None => shown,
        Pad::Right => shown + &fill,
        Pad::Left => fill + &shown,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pad {
    None,
    Left,
    Right,
}

/// Adds colour and fences; neither has a width.
pub fn show(text: &str, paint: Paint, look: &Look) -> String {
    let fenced = look.bidi && text.chars().any(is_right_to_left);
    let painted = look.colour && paint != Paint::Plain && !text.is_empty();
    let mut out = String::with_capacity(text.len() + 16);
    if painted {
        out.push_str("\u{1b}[");
        out.push_str(paint.code());
        out.push('m');
    }
    if fenced {
        out.push('\u{2068}');
    }
    out.push_str(text);
    if fenced {
        out.push('\u{2069}');
    }
    if painted {
        out.push_str("\u{1b}[0m");
    }
    out
}

/// Letters of Hebrew, Arabic and their neighbours.
fn is_right_to_left(c: char) -> bool {
    matches!(u32::from(c),
        0x0590..=0x08ff | 0xfb1d..=0xfdff | 0xfe70..=0xfeff | 0x10800..=0x10fff | 0x1e800..=0x1efff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urdu_and_wide_text_is_cut_by_columns_and_not_by_bytes() {
        let cases = [
            ("Jinnah Park", 11, "Jinnah Park"),
            ("Jinnah Park", 10, "Jinnah Pa…"),
            ("Jinnah Park", 8, "Jinnah…"),
            ("لاہور", 5, "لاہور"),
            ("لاہور بازار", 6, "لاہور…"),
            ("قصہ خوانی بازار", 8, "قصہ خوا…"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
            ("中文按钮", 5, "中文…"),
            ("中文按钮", 4, "中…"),
            ("x", 0, ""),
            ("xy", 1, "…"),
        ];
        for (text, columns, want) in cases {
            assert_eq!(fit(text, columns), want, "{text} in {columns}");
        }
    }

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        assert_eq!(clean("a\u{1b}[2Jb\u{7}\u{9b}31m"), "a·[2Jb··31m");
        assert_eq!(clean("two\r\nlines\tand a tab"), "two  lines and a tab");
        assert_eq!(clean("exe.\u{202e}gpj\u{2066}\u{feff}"), "exe.gpj");
        assert_eq!(clean(&format!("a{}b", "\u{301}".repeat(500))).chars().count(), 2 + MARKS_MAX);
    }

    #[test]
    fn a_right_to_left_text_is_fenced_in_only_for_a_terminal_that_turns_it() {
        let mut look = Look::plain(crate::domain::Timestamp::default());
        assert_eq!(show("صدر", Paint::Bad, &look), "صدر");
        look.bidi = true;
        assert_eq!(show("صدر", Paint::Bad, &look), "\u{2068}صدر\u{2069}");
        assert_eq!(show("Saddar", Paint::Bad, &look), "Saddar");
    }

    #[test]
    fn the_widest_character_has_a_line_however_narrow() {
        assert_eq!(width("\u{17d8}"), CHARACTER_MAX);
        for columns in 0..=CHARACTER_MAX {
            assert_eq!(wrap("\u{17d8}\u{17d8} ab", columns), ["\u{17d8}", "\u{17d8}", "ab"]);
        }
    }

    proptest! {
        #[test]
        fn a_cut_text_is_never_wider_than_its_place(text in "\\PC{0,60}|[ابلا\u{64b}中é👍🏽\u{200d}\u{fe0f} ]{0,40}", columns in 0usize..50) {
            let cut = fit(&text, columns);
            prop_assert!(width(&cut) <= columns);
            prop_assert_eq!(&fit(&cut, columns), &cut, "cutting again changes nothing");
        }

        #[test]
        fn a_wrapped_text_keeps_its_words_and_its_place(text in "\\PC{0,200}", columns in CHARACTER_MAX..50) {
            let lines = wrap(&text, columns);
            prop_assert!(!lines.is_empty());
            for line in &lines {
                prop_assert!(width(line) <= columns, "{:?}", line);
            }
            let letters = |t: &str| t.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&clean(&text)));
        }

        #[test]
        fn cleaned_text_is_one_harmless_line(text in any::<String>()) {
            let text = clean(&text);
            prop_assert!(!text.chars().any(char::is_control));
        }
    }
}
