//! The orders of a mail as a sheet that opens in any spreadsheet: one row an order, in the order of the visits.

use chrono_tz::Tz;

use crate::domain::{Fleet, Order, Subject, Timestamp};

use super::page::map_url;

/// Spreadsheets take a file for UTF-8 only when it begins with this; without it, Urdu becomes question marks.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

const COLUMNS: [&str; 19] = [
    "stop",
    "order",
    "priority",
    "state",
    "since",
    "due",
    "site",
    "city",
    "address",
    "latitude",
    "longitude",
    "map",
    "contact",
    "unit",
    "component",
    "what is wrong",
    "what to do",
    "bring",
    "came back",
];

pub(super) fn of(orders: &[Order], fleet: &Fleet, zone: Tz) -> Vec<u8> {
    let mut sheet = csv::Writer::from_writer(BYTE_ORDER_MARK.to_vec());
    let (mut stop, mut here) = (0, None);
    // Into memory nothing fails.
    let _ = sheet.write_record(COLUMNS);
    for order in orders {
        let (id, component) = match &order.subject {
            Subject::Unit { unit, component } => (Some(unit), component.to_string()),
            Subject::Incident { kind, name } => (order.units.first(), format!("{kind} {name}")),
        };
        let unit = id.and_then(|id| fleet.find(id.as_str())).map(|ix| fleet.unit(ix));
        let site = unit.map(|u| u.site.clone()).or_else(|| order.site.clone());
        let to_do = order.state.is_open() && !super::list::is_proving(order);
        if to_do && (stop == 0 || site != here) {
            stop += 1;
            here = site.clone();
        }
        let text = |of: fn(&crate::domain::Unit) -> String| unit.map(of).unwrap_or_default();
        let position = unit.and_then(|u| u.position);
        let degrees = |pick: fn((f64, f64)) -> f64| position.map(|p| format!("{:.5}", pick(p))).unwrap_or_default();
        let units = match &order.subject {
            Subject::Unit { unit, .. } if order.units.is_empty() => unit.to_string(),
            Subject::Unit { .. } | Subject::Incident { .. } => {
                order.units.iter().map(|u| u.as_str()).collect::<Vec<_>>().join(" ")
            }
        };
        let row = [
            if to_do { stop.to_string() } else { String::new() },
            order.id.to_string(),
            order.priority.to_string(),
            order.state.to_string(),
            local(zone, super::page::since(order)),
            order.due_at.map(|due| local(zone, due)).unwrap_or_default(),
            site.map(|s| s.to_string()).unwrap_or_default(),
            text(|u| u.city.to_string()),
            text(|u| u.address.to_string()),
            degrees(|p| p.0),
            degrees(|p| p.1),
            position.and_then(map_url).unwrap_or_default(),
            text(|u| u.contact.to_string()),
            units,
            component,
            order.summary.clone(),
            order.action.clone(),
            order.parts.join(", "),
            order.relapses.to_string(),
        ];
        let _ = sheet.write_record(row.iter().map(|cell| harmless(cell)));
    }
    sheet.into_inner().unwrap_or_default()
}

/// `2026-11-21 14:05`: what every spreadsheet knows as a time.
fn local(zone: Tz, at: Timestamp) -> String {
    at.to_utc().with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()
}

/// A cell that begins like a formula would be one: texts here come from fleet files and from people.
fn harmless(cell: &str) -> String {
    let line = super::one_line(cell);
    let is_number = line.parse::<f64>().is_ok();
    if line.starts_with(['=', '+', '-', '@']) && !is_number { format!("'{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, written) in [
            ("=HYPERLINK(\"http://x\")", "'=HYPERLINK(\"http://x\")"),
            ("+92 300 1234567", "'+92 300 1234567"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'=1"),
            ("-33.5", "-33.5"),
            ("قصہ خوانی", "قصہ خوانی"),
            ("two\nlines", "two lines"),
        ] {
            assert_eq!(harmless(cell), written);
        }
    }
}
