//! A period's report as a page: what a supervisor opens, prints and forwards. One file, nothing fetched, no scripts.

use chrono_tz::Tz;

use crate::domain::report::{ALARMS_A_DAY_ACCEPTABLE, ALARMS_A_DAY_MOST, Group, Report, WorkFigures};

use super::mail::{LocalTime, escaped};
use super::table::span;

pub fn page(title: &str, report: &Report, zone: Tz) -> String {
    let time = LocalTime::new(zone, report.to);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{} to {}</p>\n",
        escaped(&time.long(report.from)),
        escaped(&time.long(report.to)),
    );
    out.push_str(&headline(report));
    let fleet = std::slice::from_ref(&report.fleet);
    for (title, groups) in [("Fleet", fleet), ("City", &report.cities), ("Site type", &report.site_types)] {
        out.push_str(&buttons(title, groups));
    }
    let crews = report.crews.iter().map(|crew| (crew.availability.name.as_str(), &crew.work));
    out.push_str(&work("Crew", crews.collect()));
    out.push_str(&work("Part", report.components.iter().map(|c| (c.name.as_str(), &c.work)).collect()));
    if !report.offenders.is_empty() {
        out.push_str("<h2>Comes back</h2>\n<table><tr><th>Button</th><th>Times</th><th>Parts</th></tr>\n");
        for offender in &report.offenders {
            out.push_str(&format!(
                "<tr><td>{}</td><td class=\"n\">{}</td><td>{}</td></tr>\n",
                escaped(offender.unit.as_str()),
                offender.openings,
                escaped(&offender.components.join(", "))
            ));
        }
        out.push_str("</table>\n");
    }
    out.push_str(METHOD);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

const METHOD: &str = "<footer><p><b>Available</b>: the time in which a press would have been answered, of the time of which we know. \
Time of which nothing is known, time before a button had passed its tests, and maintenance are told apart and count neither way. \
<b>Proved</b>: the part of the time in which the button's tests were passed and recent. <b>MTBF</b>: that known time by the number \
of orders opened. <b>MTTA</b>: from an opening to a person's first word. <b>MTTR</b>: from the last opening to the repair that held. \
<b>Late</b>: of the orders due in the period, those not closed by then. Orders for press tests that are due are no failures.</p></footer>\n";

const STYLE: &str = "
:root{color-scheme:light dark;--line:rgba(128,128,128,.4)}
body{margin:0;font:16px/1.5 -apple-system,'Segoe UI',Roboto,'Noto Sans',Arial,sans-serif}
main{max-width:960px;margin:0 auto;padding:16px}
h1{font-size:24px;margin:0}
h2{font-size:18px;margin:28px 0 8px}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:12px;margin:16px 0}
.figures div{padding:10px 14px;border:1px solid var(--line);border-radius:8px}
.figures b{display:block;font-size:24px}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{padding:6px 10px;border-bottom:1px solid var(--line);text-align:start;white-space:nowrap}
th{font-size:14px}
.n{text-align:end;font-variant-numeric:tabular-nums}
.late{color:#b42318;font-weight:600}
@media (prefers-color-scheme:dark){.late{color:#f97066}}
svg{vertical-align:middle}
footer{margin:28px 0 0;font-size:14px}
";

fn headline(report: &Report) -> String {
    let fleet = &report.fleet;
    let figures = [
        ("available", percent(fleet.availability.available_pct)),
        ("orders opened", (fleet.work.opened + fleet.work.reopened).to_string()),
        ("repaired", fleet.work.verified.to_string()),
        ("open now", fleet.work.open.to_string()),
        ("late", format!("{} of {}", fleet.work.overdue, fleet.work.due)),
        ("mean time to repair", hours(fleet.work.mttr_hours)),
    ];
    let boxes: Vec<String> = figures.iter().map(|(what, figure)| format!("<div><b>{figure}</b>{what}</div>")).collect();
    format!("<div class=\"figures\">{}</div>\n", boxes.join("\n"))
}

fn buttons(title: &str, groups: &[Group]) -> String {
    if groups.is_empty() {
        return String::new();
    }
    let mut out = format!(
        "<h2>{title}</h2>\n<div class=\"wide\"><table><tr><th>{title}</th><th class=\"n\">Buttons</th>\
         <th class=\"n\">Available</th><th></th><th class=\"n\">Unknown</th><th class=\"n\">Proved</th>\
         <th class=\"n\">MTBF</th></tr>\n"
    );
    for group in groups {
        out.push_str(&format!(
            "<tr><td dir=\"auto\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
            named(&group.availability.name),
            group.availability.units,
            percent(group.availability.available_pct),
            bar(group.availability.available_pct),
            percent(group.unknown_pct()),
            percent(group.proved_pct),
            hours(group.mtbf_hours),
        ));
    }
    out.push_str("</table></div>\n");
    out
}

/// From 90 % on: below, a bar is as short as it can be and the figure says the rest.
fn bar(pct: Option<f64>) -> String {
    let Some(pct) = pct else { return String::new() };
    let width = ((pct - 90.0) / 10.0).clamp(0.02, 1.0) * 120.0;
    format!(
        "<svg width=\"120\" height=\"12\" role=\"img\" aria-label=\"{pct:.2} %\"><rect width=\"120\" height=\"12\" rx=\"3\" \
         fill=\"#808080\" opacity=\".25\"/><rect width=\"{width:.1}\" height=\"12\" rx=\"3\" fill=\"#067647\"/></svg>"
    )
}

fn work(title: &str, rows: Vec<(&str, &WorkFigures)>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut out = format!(
        "<h2>Work by {}</h2>\n<div class=\"wide\"><table><tr><th>{title}</th><th class=\"n\">Opened</th>\
         <th class=\"n\">Again</th><th class=\"n\">Repaired</th><th class=\"n\">By itself</th><th class=\"n\">Open</th>\
         <th class=\"n\">Late</th><th class=\"n\">MTTA</th><th class=\"n\">MTTR</th><th class=\"n\">A day</th></tr>\n",
        title.to_lowercase()
    );
    for (name, work) in rows {
        let late = if work.due == 0 { String::new() } else { format!("{} of {}", work.overdue, work.due) };
        let class = if work.overdue > 0 { "n late" } else { "n" };
        out.push_str(&format!(
            "<tr><td dir=\"auto\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"{class}\">{late}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
            named(name),
            work.opened,
            work.reopened,
            work.verified,
            work.cleared_by_themselves,
            work.open,
            hours(work.mtta_hours),
            hours(work.mttr_hours),
            load(work.a_day),
        ));
    }
    out.push_str("</table></div>\n");
    out
}

/// Against EEMUA 191.
fn load(a_day: f64) -> String {
    let figure = format!("{a_day:.1}");
    match a_day {
        d if d > ALARMS_A_DAY_MOST => {
            format!("<b class=\"late\">{figure}: more than anyone can follow (EEMUA 191)</b>")
        }
        d if d > ALARMS_A_DAY_ACCEPTABLE => format!("<b class=\"late\">{figure}: hard to follow (EEMUA 191)</b>"),
        _ => figure,
    }
}

fn named(name: &str) -> String {
    if name.is_empty() { "none".to_owned() } else { escaped(name) }
}

fn percent(pct: Option<f64>) -> String {
    pct.map_or("–".to_owned(), super::table::percent)
}

fn hours(hours: Option<f64>) -> String {
    hours.map_or("–".to_owned(), span)
}
