//! The sheet that charts are drawn on: colours, text, lines, as SVG. Owns escaping. Never decides what is drawn where.

use std::fmt::Write;

/// What the chart will stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Mails and print.
    Light,
    Dark,
    /// The board's own pages, whose style sheet names the colours: they change with the reader's choice.
    Page,
}

/// Text stands out from the background by at least 4.5 to 1, lines that tell something by 3 to 1 (WCAG 2). No colour alone
/// tells anything: limits are dashed and named, too.
pub(super) struct Colours {
    pub background: &'static str,
    pub text: &'static str,
    pub faint: &'static str,
    pub grid: &'static str,
    pub axis: &'static str,
    pub line: &'static str,
    pub band: &'static str,
    pub limit: &'static str,
    pub mark: &'static str,
}

impl Theme {
    pub(super) fn colours(self) -> Colours {
        match self {
            Theme::Light => Colours {
                background: "#ffffff",
                text: "#1f2933",
                faint: "#52606d",
                grid: "#e4e7eb",
                axis: "#9aa5b1",
                line: "#0b5fa5",
                band: "#cfe1f1",
                limit: "#b42318",
                mark: "#6941c6",
            },
            Theme::Dark => Colours {
                background: "#111827",
                text: "#f3f4f6",
                faint: "#b6bcc8",
                grid: "#293241",
                axis: "#6b7280",
                line: "#6fb1fc",
                band: "#1e3a5f",
                limit: "#fb8a80",
                mark: "#c4b5fd",
            },
            Theme::Page => Colours {
                background: "var(--card)",
                text: "var(--text)",
                faint: "var(--faint)",
                grid: "var(--line)",
                axis: "var(--axis)",
                line: "var(--chart-line)",
                band: "var(--chart-band)",
                limit: "var(--chart-limit)",
                mark: "var(--chart-mark)",
            },
        }
    }
}

pub(super) const TITLE_PX: f64 = 14.0;
/// The smallest that there is.
pub(super) const TEXT_PX: f64 = 11.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

pub(super) struct Paper {
    out: String,
    pub colours: Colours,
}

impl Paper {
    pub fn new(width: u32, height: u32, title: &str, theme: Theme) -> Self {
        let colours = theme.colours();
        let mut out = String::new();
        let _ = write!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"'DejaVu Sans', Verdana, sans-serif\">\n\
             <title>{}</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"{}\"/>\n",
            escaped(title),
            colours.background
        );
        Paper { out, colours }
    }

    pub fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: &str, more: &str) {
        let (x1, y1, x2, y2) = (px(crisp(x1)), px(crisp(y1)), px(crisp(x2)), px(crisp(y2)));
        let _ = writeln!(self.out, "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" stroke=\"{colour}\"{more}/>");
    }

    pub fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), colour: &str) {
        let (left, top) = (crisp(x), crisp(y));
        let (width, height) = (px(crisp(x + width) - left), px(crisp(y + height) - top));
        let (x, y) = (px(left), px(top));
        let _ =
            writeln!(self.out, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{colour}\"/>");
    }

    pub fn dot(&mut self, (x, y): (f64, f64), radius: f64, colour: &str) {
        let _ =
            writeln!(self.out, "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{colour}\"/>", px(x), px(y), px(radius));
    }

    pub fn area(&mut self, corners: &[(f64, f64)], colour: &str) {
        let _ = writeln!(self.out, "<path d=\"{}Z\" fill=\"{colour}\"/>", path(corners));
    }

    pub fn stroke(&mut self, corners: &[(f64, f64)], colour: &str) {
        let _ = writeln!(
            self.out,
            "<path d=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.75\" stroke-linejoin=\"round\" \
             stroke-linecap=\"round\"/>",
            path(corners)
        );
    }

    /// `at`: where its baseline begins, has its middle, or ends.
    pub fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, size: f64, colour: &str, text: &str) {
        self.write_text((x, y), anchor, size, colour, "", text);
    }

    /// On a rim of the background's colour: it may cross lines.
    pub fn text_over(&mut self, at: (f64, f64), anchor: Anchor, colour: &str, text: &str) {
        let rim = format!(
            " stroke=\"{}\" stroke-width=\"3.5\" stroke-linejoin=\"round\" paint-order=\"stroke\"",
            self.colours.background
        );
        self.write_text(at, anchor, TEXT_PX, colour, &rim, text);
    }

    fn write_text(&mut self, (x, y): (f64, f64), anchor: Anchor, size: f64, colour: &str, more: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let (x, y, size) = (px(x), px(y), px(size));
        let text = escaped(text);
        let _ = writeln!(
            self.out,
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"{colour}\"{anchor}{more}>{text}</text>"
        );
    }

    pub fn finish(mut self) -> String {
        self.out.push_str("</svg>\n");
        self.out
    }
}

/// About as wide as the text will be: no font is asked, so that other fonts have room too.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.62
}

/// As much of the text as fits.
pub(super) fn cut_to(text: &str, size: f64, width: f64) -> String {
    let most = (width / (size * 0.62)).floor().max(1.0) as usize;
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

fn path(corners: &[(f64, f64)]) -> String {
    let mut out = String::with_capacity(corners.len() * 12);
    for (i, (x, y)) in corners.iter().enumerate() {
        let _ = write!(out, "{}{} {}", if i == 0 { 'M' } else { 'L' }, px(*x), px(*y));
    }
    out
}

/// Upright and level edges stand on whole pixels at twice the size: no grey at their sides, and smaller pictures.
fn crisp(value: f64) -> f64 {
    (value * 2.0).round() / 2.0
}

/// A tenth of a pixel is finer than anyone sees, and the same on every machine.
fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    let short = text.strip_suffix(".0").unwrap_or(&text);
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

/// XML knows no control characters, not even escaped ones.
pub(super) fn escaped(text: &str) -> String {
    let unknown = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    let known: String = text.chars().map(|c| if unknown(c) { ' ' } else { c }).collect();
    crate::render::mail::escaped(&known)
}
