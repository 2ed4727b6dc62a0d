//! The parts of a report's page: for a browser, a printer and a mail alike. One column of at most 640 pixels, styles
//! inline, bars made of boxes; no scripts, no pictures, nothing fetched. Never knows what a figure means.
//!
//! Colours: text and background are the reader's own, light or dark; what is added is translucent or shows on both.

use super::mail::escaped;

const FONT: &str = "font:15px/1.45 -apple-system,'Segoe UI',Roboto,'Noto Sans',Arial,sans-serif";
/// Grey at a strength that shows on white and on black.
const LINE: &str = "rgba(128,128,128,.4)";
const SHADE: &str = "rgba(128,128,128,.22)";
const GOOD: &str = "#12805c";
const BAD: &str = "#d92d20";
/// Pixels of the tallest column of a chart.
const CHART_HEIGHT: usize = 56;

/// HTML that is finished: what comes from outside is escaped in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Html(String);

impl Html {
    pub(super) fn text(text: &str) -> Self {
        Html(escaped(text))
    }
    /// Of any script: it keeps its own direction.
    pub(super) fn name(text: &str) -> Self {
        Html(format!("<span dir=\"auto\">{}</span>", escaped(text)))
    }
    pub(super) fn bold(self) -> Self {
        Html(format!("<b>{}</b>", self.0))
    }
    pub(super) fn small(self) -> Self {
        Html(format!("<span style=\"font-size:12px;opacity:.8\">{}</span>", self.0))
    }
    pub(super) fn bad(self) -> Self {
        Html(format!("<b style=\"color:{BAD}\">{}</b>", self.0))
    }
    pub(super) fn then(self, other: Html) -> Self {
        Html(self.0 + &other.0)
    }
    pub(super) fn below(self, other: Html) -> Self {
        Html(format!("{}<br>{}", self.0, other.0))
    }
}

pub(super) struct Sheet {
    out: String,
}

/// A column's title and whether it holds figures.
pub(super) type Column = (&'static str, bool);

/// A cell for every column, and lines above and below that go over all of them.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub above: Option<Html>,
    pub cells: Vec<Html>,
    pub below: Option<Html>,
}

impl Row {
    pub(super) fn of(cells: Vec<Html>) -> Self {
        Row { cells, ..Row::default() }
    }
}

/// One column of a chart: its height, and whether it is too much.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bar {
    pub value: usize,
    pub is_too_much: bool,
}

impl Sheet {
    pub(super) fn new(title: &str) -> Self {
        let title = escaped(title);
        let mut out = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"supported-color-schemes\" content=\"light dark\">\n<title>{title}</title>\n</head>\n"
        );
        out.push_str(&format!("<body style=\"margin:0;padding:0;{FONT}\">\n"));
        out.push_str("<div style=\"max-width:640px;margin:0 auto;padding:16px;overflow-wrap:anywhere\">\n");
        out.push_str(&format!("<h1 style=\"margin:0 0 4px;font-size:21px;line-height:1.3\">{title}</h1>\n"));
        Sheet { out }
    }

    pub(super) fn finish(mut self) -> String {
        self.out.push_str("</div>\n</body>\n</html>\n");
        self.out
    }

    pub(super) fn heading(&mut self, title: &str) {
        self.out.push_str(&format!(
            "<h2 style=\"margin:26px 0 6px;font-size:16px;line-height:1.35\">{}</h2>\n",
            escaped(title)
        ));
    }

    pub(super) fn paragraph(&mut self, content: &Html) {
        self.out.push_str(&format!("<p style=\"margin:0 0 8px\">{}</p>\n", content.0));
    }

    /// Small print at the end.
    pub(super) fn notes(&mut self, lines: &[Html]) {
        self.out.push_str(&format!(
            "<div style=\"margin:28px 0 0;padding:12px 0 0;border-top:1px solid {LINE};font-size:13px\">\n"
        ));
        for line in lines {
            self.out.push_str(&format!("<p style=\"margin:0 0 8px\">{}</p>\n", line.0));
        }
        self.out.push_str("</div>\n");
    }

    /// Three in a row.
    pub(super) fn figures(&mut self, figures: &[(&str, String)]) {
        self.out.push_str(
            "<table width=\"100%\" cellspacing=\"0\" style=\"border-collapse:collapse;margin:14px 0;table-layout:fixed\">\n",
        );
        for row in figures.chunks(3) {
            self.out.push_str("<tr>");
            for (what, figure) in row {
                self.out.push_str(&format!(
                    "<td style=\"padding:8px 10px;border:1px solid {LINE};vertical-align:top;overflow-wrap:break-word\">\
                     <b style=\"font-size:19px;white-space:nowrap\">{}</b><br>\
                     <span style=\"font-size:13px;opacity:.85\">{}</span></td>",
                    escaped(figure),
                    escaped(what)
                ));
            }
            self.out.push_str("</tr>\n");
        }
        self.out.push_str("</table>\n");
    }

    pub(super) fn table(&mut self, columns: &[Column], rows: &[Row]) {
        self.out.push_str(
            "<table width=\"100%\" cellspacing=\"0\" style=\"border-collapse:collapse;font-size:14px;margin:0 0 8px\">\n<tr>",
        );
        let cell = |first: bool, figure: bool, last_line: bool| {
            let (side, wrap) = match figure {
                true => ("right", ";white-space:nowrap;font-variant-numeric:tabular-nums"),
                false => ("start", ""),
            };
            let before = if first { "0" } else { "8px" };
            let line = if last_line { format!(";border-bottom:1px solid {LINE}") } else { String::new() };
            format!(
                "padding:6px 0 {}px {before};text-align:{side};vertical-align:top{wrap}{line}",
                if last_line { 6 } else { 0 }
            )
        };
        for (i, (title, figure)) in columns.iter().enumerate() {
            let style = cell(i == 0, *figure, true)
                .replace(";white-space:nowrap", "")
                .replace("vertical-align:top", "vertical-align:bottom");
            self.out.push_str(&format!(
                "<th style=\"{style};font-size:12px;line-height:1.25;font-weight:600;overflow-wrap:normal\">{title}</th>",
            ));
        }
        self.out.push_str("</tr>\n");
        for Row { above, cells, below } in rows {
            if let Some(above) = above {
                self.out.push_str(&format!(
                    "<tr><td colspan=\"{}\" style=\"padding:6px 0 0\">{}</td></tr>\n",
                    columns.len(),
                    above.0
                ));
            }
            self.out.push_str("<tr>");
            for (i, (content, (_, figure))) in cells.iter().zip(columns).enumerate() {
                let style = cell(i == 0, *figure, below.is_none());
                self.out.push_str(&format!("<td style=\"{style}\">{}</td>", content.0));
            }
            self.out.push_str("</tr>\n");
            if let Some(below) = below {
                self.out.push_str(&format!(
                    "<tr><td colspan=\"{}\" style=\"padding:0 0 6px;border-bottom:1px solid {LINE};font-size:13px\">{}</td></tr>\n",
                    columns.len(),
                    below.0
                ));
            }
        }
        self.out.push_str("</table>\n");
    }

    /// One column a day; `of`: how many are the tallest.
    pub(super) fn chart(&mut self, title: &Html, said: &str, bars: &[Bar], of: usize) {
        self.out.push_str(&format!("<p style=\"margin:10px 0 2px;font-size:14px\">{}</p>\n", title.0));
        self.out.push_str(&format!(
            "<table width=\"100%\" cellspacing=\"0\" role=\"img\" aria-label=\"{}\" style=\"border-collapse:collapse;\
             table-layout:fixed;border-bottom:1px solid {LINE}\"><tr>",
            escaped(said)
        ));
        for bar in bars {
            let height = (bar.value * CHART_HEIGHT).div_ceil(of.max(1));
            let colour = if bar.is_too_much { BAD } else { GOOD };
            let drawn = match height {
                0 => String::new(),
                _ => format!("<div style=\"height:{height}px;background:{colour}\"></div>"),
            };
            self.out.push_str(&format!(
                "<td style=\"height:{CHART_HEIGHT}px;padding:0 1px;vertical-align:bottom\" title=\"{}\">{drawn}</td>",
                bar.value
            ));
        }
        self.out.push_str("</tr></table>\n");
    }
}

/// From 90 % on: below, a bar is as short as it can be and the figure says the rest.
pub(super) fn bar(pct: Option<f64>) -> Html {
    let Some(pct) = pct else { return Html::default() };
    let width = ((pct - 90.0) / 10.0).clamp(0.02, 1.0) * 100.0;
    Html(format!(
        "<div style=\"background:{SHADE};height:6px;min-width:56px;margin-top:3px\">\
         <div style=\"background:{GOOD};height:6px;width:{width:.0}%\"></div></div>"
    ))
}
