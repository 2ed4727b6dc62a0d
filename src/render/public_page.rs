//! The public's edition as a page. Never shows more than the edition has.

use chrono_tz::Tz;

use crate::domain::public_report::{PublicGroup, PublicReport};

use super::mail::LocalTime;
use super::sheet::{Html, Row, Sheet, bar};
use super::table::span;

const TITLE: &str = "How ready the emergency buttons were";

/// Times in the zone by which the edition's period begins and ends.
pub fn page(report: &PublicReport) -> String {
    let zone: Tz = report.time_zone.parse().unwrap_or(chrono_tz::UTC);
    let time = LocalTime::new(zone, report.to);
    let mut sheet = Sheet::new(TITLE);
    let period = format!("{} to {}", time.long(report.from), time.long(report.to));
    sheet.paragraph(&Html::text(&period));
    sheet.paragraph(&Html::text(&format!("As of {}; nothing later is in it.", time.long(report.to))).small());
    match report.counts_from {
        Some(from) if from >= report.to => {
            sheet.paragraph(&Html::text(
                "The buttons were not watched yet in this period: there is nothing to tell of it.",
            ));
        }
        Some(from) => sheet
            .paragraph(&Html::text(&format!("The watching began on {}: figures count from then.", time.long(from)))),
        None => {}
    }
    match &report.total {
        Some(total) => sheet.figures(&[
            ("buttons", total.units.to_string()),
            ("available", percent(total.available_pct)),
            ("of the time not known", percent(total.unknown_pct)),
            ("proved to work at the end", percent(total.proved_pct)),
            ("test presses made in time", percent(total.drills_pct)),
            ("median repair", hours(total.median_repair_hours)),
        ]),
        None => {
            let text =
                format!("There are fewer than {} buttons: their figures are not published.", report.smallest_group);
            sheet.paragraph(&Html::text(&text));
        }
    }
    groups(&mut sheet, "By city", &report.cities);
    groups(&mut sheet, "By type of site", &report.site_types);
    sheet.heading("How this is worked out");
    for line in &report.method {
        sheet.paragraph(&Html::text(line));
    }
    sheet.paragraph(&Html::text(
        "A dash: there is nothing to tell, or too few buttons have a part in it. Bars begin at 90 %.",
    ));
    sheet.notes(&[Html::text(&format!("The next edition: not before {}.", time.long(report.next_at)))]);
    sheet.finish()
}

fn groups(sheet: &mut Sheet, heading: &str, groups: &[PublicGroup]) {
    if groups.is_empty() {
        return;
    }
    sheet.heading(heading);
    let row = |group: &PublicGroup| {
        let units = Html::text(&format!(" {} buttons", group.units)).small();
        let name = match (group.is_rest, group.name.is_empty()) {
            (true, _) => Html::text("other"),
            (false, true) => Html::text("not said"),
            (false, false) => Html::name(&group.name),
        };
        let mut more = vec![format!("test presses in time {}", percent(group.drills_pct))];
        more.push(format!("median repair {}", hours(group.median_repair_hours)));
        let cells = vec![
            Html::text(&percent(group.available_pct)).then(bar(group.available_pct)),
            Html::text(&percent(group.unknown_pct)),
            Html::text(&percent(group.proved_pct)),
        ];
        Row {
            above: Some(name.bold().then(units)),
            below: Some(Html::text(&more.join(", ")).small()),
            ..Row::of(cells)
        }
    };
    let columns = [("Available", false), ("Not known", true), ("Proved", true)];
    sheet.table(&columns, &groups.iter().map(row).collect::<Vec<_>>());
}

/// A tenth is as exact as it is told. – : nothing to tell, or of too few.
fn percent(pct: Option<f64>) -> String {
    pct.map_or("–".to_owned(), |pct| format!("{pct:.1} %"))
}

fn hours(hours: Option<f64>) -> String {
    hours.map_or("–".to_owned(), span)
}
