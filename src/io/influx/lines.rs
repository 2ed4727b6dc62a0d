//! Where the lines of a body lie. Never reads what is in them.

use std::ops::Range;

use crate::render::line_protocol::split;

/// Each with its line feed. Empty lines are left out.
pub(super) fn lines(body: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    split(body).filter_map(move |line| {
        let begin = at;
        at += line.len();
        (line != b"\n").then_some(begin..at)
    })
}

#[cfg(test)]
mod tests {
    use super::lines;

    fn check(body: &str, expected: &[&str]) {
        let found: Vec<&str> = lines(body.as_bytes()).map(|r| &body[r]).collect();
        assert_eq!(found, expected, "{body:?}");
    }

    #[test]
    fn a_line_ends_at_its_line_feed_but_not_inside_a_text() {
        check("", &[]);
        check("a b=1 1\n", &["a b=1 1\n"]);
        check("a b=1 1\nc d=2 2", &["a b=1 1\n", "c d=2 2"]);
        check("a b=1 1\n\n\nc d=2 2\n", &["a b=1 1\n", "c d=2 2\n"]);
        check("a b=\"x\ny\" 1\nc d=2 2\n", &["a b=\"x\ny\" 1\n", "c d=2 2\n"]);
        check("a b=\"x\\\"\ny\" 1\nc d=2 2\n", &["a b=\"x\\\"\ny\" 1\n", "c d=2 2\n"]);
        check("a,t=5\" b=1 1\nc d=2 2\n", &["a,t=5\" b=1 1\n", "c d=2 2\n"]);
        check("a,t=x\\ \" b=1 1\nc d=2 2\n", &["a,t=x\\ \" b=1 1\n", "c d=2 2\n"]);
    }
}
