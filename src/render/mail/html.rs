//! A page as HTML that every mail program shows: one column, styles inline, no pictures, no scripts, nothing fetched.
//!
//! Colours: text and background are the reader's own, light or dark; what we add is either translucent or carries its own
//! background. Every value is escaped here, and only here.

use crate::domain::Priority;

use super::page::{Block, Page, Span, Tone};

const FONT: &str = "font:16px/1.5 -apple-system,'Segoe UI',Roboto,'Noto Sans',Arial,sans-serif";
/// Grey at a strength that shows on white and on black.
const SHADE: &str = "rgba(128,128,128,.14)";
const LINE: &str = "rgba(128,128,128,.4)";

pub(super) fn of(page: &Page, subject: &str) -> String {
    let mut out = String::with_capacity(4096);
    out.push_str("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    out.push_str("<meta name=\"color-scheme\" content=\"light dark\">\n");
    out.push_str("<meta name=\"supported-color-schemes\" content=\"light dark\">\n");
    out.push_str(&format!("<title>{}</title>\n</head>\n", escaped(subject)));
    out.push_str(&format!("<body style=\"margin:0;padding:0;{FONT}\">\n"));
    out.push_str("<div style=\"max-width:600px;margin:0 auto;padding:16px;overflow-wrap:anywhere\">\n");
    let colour = match page.tone {
        Tone::Over => "#067647",
        Tone::Wrong => page.badge.map_or("#b42318", priority_colour),
    };
    let badge = page.badge.map_or(String::new(), |p| {
        format!(
            "<b style=\"background:#fff;color:{colour};border-radius:4px;padding:1px 8px;margin-right:8px\">{p}</b>"
        )
    });
    out.push_str(&format!(
        "<p style=\"margin:0 0 16px;padding:10px 14px;border-radius:8px;background:{colour};color:#fff\">{badge}<b>{}</b> \
         &nbsp;{}</p>\n",
        escaped(&page.label),
        escaped(&page.banner)
    ));
    out.push_str(&format!(
        "<h1 style=\"margin:0 0 16px;font-size:20px;line-height:1.35;font-weight:600\">{}</h1>\n",
        spans(&page.lead)
    ));
    for block in &page.blocks {
        render_block(&mut out, block);
    }
    out.push_str(&format!(
        "<div style=\"margin:24px 0 0;padding:12px 0 0;border-top:1px solid {LINE};font-size:14px\">\n"
    ));
    for line in &page.footer {
        out.push_str(&format!("<p style=\"margin:0 0 8px\">{}</p>\n", spans(line)));
    }
    out.push_str("</div>\n</div>\n</body>\n</html>\n");
    out
}

/// Dark enough for white text on it.
fn priority_colour(priority: Priority) -> &'static str {
    match priority {
        Priority::P1 => "#b42318",
        Priority::P2 => "#a8480b",
        Priority::P3 => "#175cd3",
        Priority::P4 => "#475467",
    }
}

fn render_block(out: &mut String, block: &Block) {
    match block {
        Block::Heading(title) => out.push_str(&format!(
            "<h2 style=\"margin:20px 0 6px;font-size:14px;line-height:1.4;font-weight:600\">{}</h2>\n",
            escaped(title)
        )),
        Block::Paragraph(content) => out.push_str(&format!("<p style=\"margin:0 0 8px\">{}</p>\n", spans(content))),
        Block::Facts(facts) => {
            out.push_str(&format!("<div style=\"padding:4px 14px;border-radius:8px;background:{SHADE}\">\n"));
            for (label, value) in facts {
                // The label hangs in the margin, so that a second line begins under the first.
                out.push_str(&format!(
                    "<p style=\"margin:6px 0;padding-left:86px\"><span style=\"display:inline-block;width:86px;\
                     margin-left:-86px;font-size:14px\">{}</span>{}</p>\n",
                    escaped(label),
                    spans(value)
                ));
            }
            out.push_str("</div>\n");
        }
        Block::List(items) => {
            out.push_str("<ul style=\"margin:0 0 8px;padding:0 0 0 20px\">\n");
            for item in items {
                out.push_str(&format!("<li style=\"margin:0 0 4px\">{}</li>\n", spans(item)));
            }
            out.push_str("</ul>\n");
        }
    }
}

/// Who opens the door; the phone number can be tapped.
pub(in crate::render) fn contact(text: &str) -> String {
    spans(&super::page::contact(text))
}

fn spans(spans: &[Span]) -> String {
    let parts: Vec<String> = spans
        .iter()
        .map(|span| match span {
            Span::Ours(text) => escaped(text),
            // A name of another script keeps its own direction and leaves ours alone.
            Span::Name(name) => format!("<span dir=\"auto\">{}</span>", escaped(name)),
            // Taller than its text: a thumb has to find it.
            Span::Link { text, url, in_text: _ } => format!(
                "<a href=\"{}\" style=\"color:inherit;font-weight:600;display:inline-block;padding:4px 0\">{}</a>",
                escaped(url),
                escaped(text)
            ),
        })
        .collect();
    parts.concat()
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
