//! Plain text on lines that every reader shows whole.

/// RFC 5322's line, less nothing: readers with 80 columns do not wrap it again.
const WIDTH: usize = 78;

/// `text` on lines of at most 78 characters, `first` before the first and `next` before the others. No line end at the end.
pub(super) fn wrapped(text: &str, first: &str, next: &str) -> String {
    let mut out = String::new();
    wrap(&mut out, text, first, next);
    out.pop();
    out
}

/// Words on lines of at most [`WIDTH`]. A link that is longer stays whole, or it would be none; any other word is split.
fn wrap(out: &mut String, text: &str, first: &str, hang: &str) {
    let mut line = first.to_owned();
    let mut used = first.chars().count();
    let mut empty = true;
    let next_line = |out: &mut String, line: &mut String, used: &mut usize| {
        out.push_str(line.trim_end());
        out.push('\n');
        *line = hang.to_owned();
        *used = hang.chars().count();
    };
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        let mut word = word;
        let mut size = word.chars().count();
        if !empty && used + 1 + size > WIDTH {
            next_line(out, &mut line, &mut used);
            empty = true;
        }
        let is_link = word.contains("://") || word.starts_with("geo:");
        while !is_link && used + size > WIDTH {
            let room = WIDTH - used;
            let split = word.char_indices().nth(room).map_or(word.len(), |(i, _)| i);
            line.push_str(&word[..split]);
            next_line(out, &mut line, &mut used);
            word = &word[split..];
            size -= room;
        }
        if !empty {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += size;
        empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::wrap;

    fn wrapped(text: &str) -> String {
        let mut out = String::new();
        wrap(&mut out, text, "  Label:  ", "          ");
        out
    }

    #[test]
    fn lines_keep_to_the_width_and_hang_under_their_label() {
        let text = wrapped(&"word ".repeat(40));
        assert!(text.lines().all(|l| l.chars().count() <= 78), "{text}");
        assert!(text.lines().skip(1).all(|l| l.starts_with("          word")), "{text}");
    }

    #[test]
    fn a_link_stays_whole_and_a_word_without_end_does_not() {
        let link = format!("https://example.org/{}", "x".repeat(90));
        assert!(wrapped(&format!("see {link} there")).lines().any(|l| l.trim() == link));
        let text = wrapped(&"ق".repeat(200));
        assert!(text.lines().all(|l| l.chars().count() <= 78), "{text}");
        assert_eq!(text.chars().filter(|c| *c == 'ق').count(), 200);
    }

    #[test]
    fn nothing_to_say_is_still_a_line() {
        assert_eq!(wrapped(""), "  Label:\n");
    }
}
