//! Which known word a person probably meant. Never corrects anything by itself.

/// How many letters may be wrong: none in `P1`, one in `lat`, a third in long words.
fn tolerance(word: &str) -> usize {
    match word.chars().count() {
        0..=2 => 0,
        letters => (letters / 3).clamp(1, 4),
    }
}

/// The known word nearest to `text`. None: nothing is near.
pub fn nearest<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // Longer than any known word: no need to compare, and a megabyte of text stays cheap.
    if text.chars().take(200).count() == 200 {
        return None;
    }
    let written = plain(text);
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&written, &plain(word)), word))
        .filter(|(distance, word)| *distance <= tolerance(word))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Capitals and kinds of joint are no difference: `Clear-Above` is `clear_above`.
fn plain(word: &str) -> String {
    word.trim().to_lowercase().chars().map(|c| if matches!(c, '-' | ' ' | '.') { '_' } else { c }).collect()
}

/// `did you mean "x"?`, or the list of what is known.
pub fn choice(text: &str, known: &[&str]) -> String {
    match nearest(text, known.iter().copied()) {
        Some(word) => format!("did you mean \"{word}\"?"),
        None => format!("write one of: {}", known.join(", ")),
    }
}

/// What a person wrote, short enough for one line of a message.
pub fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    if text.chars().count() <= SHOWN {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(SHOWN).collect();
    format!("{start:?}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_word_and_another_word_does_not() {
        let known = ["clear_above", "clear_below", "component", "lat", "lon", "P1"];
        let cases = [
            ("clear_abvoe", Some("clear_above")),
            ("Clear-Above", Some("clear_above")),
            ("long", Some("lon")),
            ("p1", Some("P1")),
            ("P5", None),
            ("notes", None),
            ("", None),
        ];
        for (text, word) in cases {
            assert_eq!(nearest(text, known), word, "{text}");
        }
    }
}
