//! Where one line of line protocol ends and the next begins. Never reads what is in them.

use std::ops::Range;

/// The lines of a body, each with its line feed. A line feed inside a quoted text does not end a line; quotes mean something
/// only among the fields: in a measurement or a tag they are letters. Empty lines are left out.
pub(super) fn lines(body: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while body.get(at) == Some(&b'\n') {
            at += 1;
        }
        if at >= body.len() {
            return None;
        }
        let begin = at;
        at += length_of_first(&body[begin..]);
        Some(begin..at)
    })
}

/// How many bytes the first line has, its line feed included.
fn length_of_first(body: &[u8]) -> usize {
    let mut among_fields = false;
    let mut in_text = false;
    let mut escaped = false;
    for (at, byte) in body.iter().enumerate() {
        if escaped {
            escaped = false;
            continue;
        }
        match byte {
            b'\\' => escaped = true,
            b' ' if !in_text => among_fields = true,
            b'"' if among_fields => in_text = !in_text,
            b'\n' if !in_text => return at + 1,
            _ => {}
        }
    }
    body.len()
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
