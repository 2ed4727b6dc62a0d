//! Values in HTML: escaped here, and only here.

use super::page::Span;

/// Who opens the door; the phone number can be tapped.
pub(in crate::render) fn contact(text: &str) -> String {
    let span = |span: &Span| match span {
        Span::Ours(text) => escaped(text),
        // A name of another script keeps its own direction and leaves ours alone.
        Span::Name(name) => format!("<span dir=\"auto\">{}</span>", escaped(name)),
        Span::Link { text, url, in_text: _ } => format!("<a href=\"{}\">{}</a>", escaped(url), escaped(text)),
    };
    super::page::contact(text).iter().map(span).collect()
}

pub(in crate::render) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
