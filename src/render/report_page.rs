//! A period's report as a page: what a supervisor opens, prints, forwards, or finds in a mail. Never works anything out.

use chrono::Datelike;
use chrono_tz::Tz;

use crate::domain::Timestamp;
use crate::domain::report::{
    ALARMS_A_DAY_ACCEPTABLE, ALARMS_A_DAY_MOST, CrewLoad, Group, Report, ReportPeriod, WorkFigures,
};

use super::mail::LocalTime;
use super::sheet::{Bar, Html, Row, Sheet, bar};
use super::table::{presses_told, span};

/// Dates that a page shows; JSON and CSV have them all.
const FORECASTS_SHOWN: usize = 20;

/// `Buttonwatch: week of 16 to 22 Nov 2026`. Days are those of the service's own zone.
pub fn title(report: &Report) -> String {
    let zone: Tz = report.time_zone.parse().unwrap_or(chrono_tz::UTC);
    let last_moment = report.to - std::time::Duration::from_millis(1);
    let [first, last] = [report.from, last_moment].map(|at| at.to_utc().with_timezone(&zone).date_naive());
    let day = "%-d %b %Y";
    match (report.period, report.last) {
        (ReportPeriod::Daily, true) => "Buttonwatch: the last 24 hours".to_owned(),
        (ReportPeriod::Weekly, true) => "Buttonwatch: the last 7 days".to_owned(),
        (ReportPeriod::Monthly, true) => "Buttonwatch: the last 30 days".to_owned(),
        (ReportPeriod::Daily, false) => format!("Buttonwatch: {}", first.format("%a %-d %b %Y")),
        (ReportPeriod::Weekly, false) => {
            let form = match (first.year() == last.year(), first.month() == last.month()) {
                (true, true) => "%-d",
                (true, false) => "%-d %b",
                (false, _) => day,
            };
            format!("Buttonwatch: week of {} to {}", first.format(form), last.format(day))
        }
        (ReportPeriod::Monthly, false) => format!("Buttonwatch: {}", first.format("%B %Y")),
    }
}

/// Times in `zone`.
pub fn page(report: &Report, zone: Tz) -> String {
    let time = LocalTime::new(zone, report.to);
    let mut sheet = Sheet::new(&title(report));
    let from_to = format!("{} to {}", time.long(report.from), time.long(report.to));
    sheet.paragraph(&Html::text(&from_to).small());
    if let Some(from) = report.counts_from {
        sheet.paragraph(&Html::text(&format!(
            "Nothing is kept from before {}: figures count from then.",
            time.long(from)
        )));
    }
    headline(&mut sheet, report);
    let fleet = std::slice::from_ref(&report.fleet);
    let cuts = [("All buttons", fleet), ("By city", &report.cities), ("By type of site", &report.site_types)];
    for (heading, groups) in cuts {
        buttons(&mut sheet, heading, groups);
    }
    forecasts(&mut sheet, report, &time);
    drills(&mut sheet, report, &time);
    let crews = report.crews.iter().map(|crew| (crew.availability.name.as_str(), &crew.work));
    work(&mut sheet, "crew", crews.collect());
    load(&mut sheet, &report.load, &time);
    work(&mut sheet, "part", report.components.iter().map(|c| (c.name.as_str(), &c.work)).collect());
    if !report.offenders.is_empty() {
        sheet.heading("Comes back");
        let rows: Vec<_> = report
            .offenders
            .iter()
            .map(|o| {
                let cells = vec![
                    Html::text(o.unit.as_str()),
                    Html::text(&o.components.join(", ")),
                    Html::text(&o.openings.to_string()),
                ];
                Row::of(cells)
            })
            .collect();
        sheet.table(&[("Button", false), ("Parts", false), ("Times", true)], &rows);
    }
    sheet.notes(&method(report, &time));
    sheet.finish()
}

fn headline(sheet: &mut Sheet, report: &Report) {
    let fleet = &report.fleet;
    sheet.figures(&[
        ("available", percent(fleet.availability.available_pct)),
        ("orders opened", (fleet.work.opened + fleet.work.reopened).to_string()),
        ("repaired", fleet.work.verified.to_string()),
        ("open at the end", fleet.work.open.to_string()),
        (
            "late",
            if fleet.work.due == 0 {
                "–".to_owned()
            } else {
                format!("{} of {}", fleet.work.overdue, fleet.work.due)
            },
        ),
        ("mean time to repair", hours(fleet.work.mttr_hours)),
    ]);
}

fn buttons(sheet: &mut Sheet, heading: &str, groups: &[Group]) {
    if groups.is_empty() {
        return;
    }
    sheet.heading(heading);
    let row = |group: &Group| {
        let units = Html::text(&format!(" {}", counted(group.availability.units, "button"))).small();
        let available = group.availability.available_pct;
        let cells = vec![
            Html::text(&percent(available)).then(bar(available)),
            Html::text(&percent(group.unknown_pct())),
            Html::text(&percent(group.proved_pct)),
            Html::text(&hours(group.mtbf_hours)),
        ];
        Row { above: Some(named(&group.availability.name).bold().then(units)), ..Row::of(cells) }
    };
    let columns = [("Available", false), ("Unknown", true), ("Proved", true), ("MTBF", true)];
    sheet.table(&columns, &groups.iter().map(row).collect::<Vec<_>>());
}

fn forecasts(sheet: &mut Sheet, report: &Report, time: &LocalTime) {
    sheet.heading("Fails next");
    if report.forecasts.is_empty() {
        sheet.paragraph(&Html::text("No reading is on its way to a limit."));
        return;
    }
    let rows: Vec<_> = report
        .forecasts
        .iter()
        .take(FORECASTS_SHOWN)
        .map(|f| {
            let mut why = format!("{}: {}", f.what, f.from);
            if let (Some(earliest), Some(latest), Some(sure)) = (f.earliest, f.latest, f.confidence_pct) {
                why.push_str(&format!("; between {} and {}, {sure} % sure", time.date(earliest), time.date(latest)));
            }
            if let Some(order) = f.order {
                why.push_str(&format!("; {order}"));
            }
            let cells = vec![
                Html::text(f.unit.as_str()).bold(),
                Html::text(f.component.as_str()),
                Html::text(&due_text(f.at, report.made_at, time)),
            ];
            Row { below: Some(Html::text(&why)), ..Row::of(cells) }
        })
        .collect();
    sheet.table(&[("Button", false), ("Part", false), ("When", true)], &rows);
    let more = report.forecasts.len().saturating_sub(FORECASTS_SHOWN);
    if more > 0 {
        sheet.paragraph(&Html::text(&format!("And {more} later ones.")));
    }
}

fn due_text(at: Timestamp, now: Timestamp, time: &LocalTime) -> String {
    const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);
    match at {
        at if at <= now => "now".to_owned(),
        at if at.since(now) < DAY => time.short(at),
        at => time.date(at),
    }
}

fn drills(sheet: &mut Sheet, report: &Report, time: &LocalTime) {
    sheet.heading("Tests and press drills");
    let fleet = std::iter::once(&report.fleet);
    let rows: Vec<_> = fleet
        .chain(&report.crews)
        .filter(|g| g.availability.units > 0)
        .map(|group| {
            let d = &group.drills;
            let of = |done: usize, missed: usize| match done + missed {
                0 => Html::text("–"),
                all if missed > 0 => Html::text(&format!("{done} of {all}")).bad(),
                all => Html::text(&format!("{done} of {all}")),
            };
            let apart = |n: usize| Html::text(&if n == 0 { String::new() } else { n.to_string() });
            let cells = vec![
                of(d.tests_valid, d.tests_overdue),
                of(d.press_done, d.press_overdue),
                apart(d.press_not_due),
                apart(d.tests_unknown.max(d.press_unknown)),
            ];
            Row { above: Some(named(&group.availability.name).bold()), ..Row::of(cells) }
        })
        .collect();
    let columns =
        [("Self-tests passed", false), ("Pressed in time", true), ("New, not due", true), ("Not known", true)];
    sheet.table(&columns, &rows);
    sheet.paragraph(&Html::text(&presses_told(&report.presses, |at| time.long(at))));
    if !report.stuck.is_empty() {
        sheet.heading("Stuck: these cannot be pressed");
        let rows: Vec<_> = report
            .stuck
            .iter()
            .map(|s| Row::of(vec![button(s.unit.as_str(), &s.name, &s.crew), Html::text(&time.short(s.since))]))
            .collect();
        sheet.table(&[("Button", false), ("Since", true)], &rows);
    }
    if !report.overdue.is_empty() {
        sheet.heading("Overdue, the worst first");
        let rows: Vec<_> = report
            .overdue
            .iter()
            .map(|o| {
                let since = o.since.map_or("never passed".to_owned(), |at| time.short(at));
                Row::of(vec![button(o.unit.as_str(), &o.name, &o.crew), Html::text(&o.test), Html::text(&since)])
            })
            .collect();
        sheet.table(&[("Button", false), ("Test", true), ("Since", true)], &rows);
        let all = report.fleet.drills.tests_overdue + report.fleet.drills.press_overdue;
        if all > report.overdue.len() {
            let text = format!("Of {all} that were overdue at the end. What was made since is not listed.");
            sheet.paragraph(&Html::text(&text).small());
        }
    }
}

/// Who has to go stands with what to go to.
fn button(unit: &str, name: &str, crew: &str) -> Html {
    let place = Html::name(name).then(Html::text(if name.is_empty() { "" } else { ", " })).then(Html::name(crew));
    Html::text(unit).bold().below(place.small())
}

fn work(sheet: &mut Sheet, title: &str, rows: Vec<(&str, &WorkFigures)>) {
    if rows.is_empty() {
        return;
    }
    sheet.heading(&format!("Work by {title}"));
    let row = |(name, work): &(&str, &WorkFigures)| {
        let late = match (work.overdue, work.due) {
            (_, 0) => Html::text("–"),
            (0, due) => Html::text(&format!("0 of {due}")),
            (late, due) => Html::text(&format!("{late} of {due}")).bad(),
        };
        let cells = vec![
            Html::text(&work.opened.to_string()),
            Html::text(&work.verified.to_string()),
            late,
            Html::text(&hours(work.mtta_hours)),
            Html::text(&hours(work.mttr_hours)),
        ];
        let more = [
            (work.reopened, "came again"),
            (work.cleared_by_themselves, "cleared without a repair"),
            (work.cancelled, "cancelled"),
            (work.open, "open at the end"),
        ];
        let more: Vec<String> = more.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let below = Html::text(&more.join(", ")).then(match more.is_empty() {
            true => Html::default(),
            false => Html::text("; "),
        });
        Row { above: Some(named(name).bold()), cells, below: Some(below.then(a_day(work.a_day))) }
    };
    let columns = [("Opened", false), ("Repaired", true), ("Late", true), ("MTTA", true), ("MTTR", true)];
    sheet.table(&columns, &rows.iter().map(row).collect::<Vec<_>>());
}

/// Against EEMUA 191.
fn a_day(a_day: f64) -> Html {
    let figure = format!("{a_day:.1} a day");
    match a_day {
        d if d > ALARMS_A_DAY_MOST => Html::text(&format!("{figure}: more than anyone can follow")).bad(),
        d if d > ALARMS_A_DAY_ACCEPTABLE => Html::text(&format!("{figure}: hard to follow")).bad(),
        _ => Html::text(&figure),
    }
}

/// One day makes no chart.
fn load(sheet: &mut Sheet, crews: &[CrewLoad], time: &LocalTime) {
    let most = crews.iter().flat_map(|c| &c.days).map(|d| d.openings).max().unwrap_or(0);
    if most == 0 || crews.iter().all(|c| c.days.len() < 2) {
        return;
    }
    sheet.heading("Orders a day, by crew");
    for crew in crews {
        let Some(busiest) = crew.days.iter().rev().max_by_key(|d| d.openings) else { continue };
        let said = format!(": most {} on {}", busiest.openings, time.date(busiest.from));
        let bars: Vec<Bar> = crew
            .days
            .iter()
            .map(|d| Bar { value: d.openings, is_too_much: d.openings as f64 > ALARMS_A_DAY_ACCEPTABLE })
            .collect();
        let title = Html::name(crew.crew.as_str()).bold().then(Html::text(&said));
        sheet.chart(&title, &format!("{}{said}", crew.crew), &bars, most);
    }
    let days = crews.first().map(|c| c.days.as_slice()).unwrap_or_default();
    if let (Some(first), Some(last)) = (days.first(), days.last()) {
        let text = format!(
            "One column a day, {} to {}; all crews to one scale. EEMUA 191: above {ALARMS_A_DAY_ACCEPTABLE} a day is hard \
             to follow, above {ALARMS_A_DAY_MOST} nobody can.",
            time.date(first.from),
            time.date(last.from)
        );
        sheet.paragraph(&Html::text(&text).small());
    }
}

fn method(report: &Report, time: &LocalTime) -> Vec<Html> {
    let lines = [
        (
            "Available",
            "the time in which a press would have been answered, of the time of which we know. Time of which nothing is \
             known, time before a button had passed its tests, and maintenance are told apart and count neither way. Bars \
             begin at 90 %.",
        ),
        ("Proved", "the part of the time in which the button's tests were passed and recent."),
        (
            "MTBF",
            "that known time by the number of orders opened. Orders for press tests that are due are no failures.",
        ),
        ("MTTA", "from an opening to a person's first word."),
        ("MTTR", "from the last opening to the repair that held."),
        ("Late", "of the orders due in the period, those not closed by then."),
        ("Tests and drills", "as they stood at the end of the period."),
    ];
    let mut notes: Vec<Html> =
        lines.iter().map(|(what, is)| Html::text(what).bold().then(Html::text(&format!(": {is}")))).collect();
    notes.push(Html::text(&format!(
        "What fails next, what is stuck and what is overdue by name: as of {}.",
        time.long(report.made_at)
    )));
    notes
}

fn named(name: &str) -> Html {
    if name.is_empty() { Html::text("none") } else { Html::name(name) }
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn percent(pct: Option<f64>) -> String {
    pct.map_or("–".to_owned(), super::table::percent)
}

fn hours(hours: Option<f64>) -> String {
    hours.map_or("–".to_owned(), span)
}

#[cfg(test)]
mod tests;
