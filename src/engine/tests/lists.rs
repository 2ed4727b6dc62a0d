use std::collections::BTreeMap;

use super::rig::*;
use crate::domain::message::{Body, Heartbeat, Outcome};
use crate::domain::query::{Query, UnitColumn, UnitField};
use crate::domain::{Component, Fleet, Metric, Settings, Unit};
use crate::engine::Engine;

#[test]
fn rows_of_units_have_the_readings_and_texts_that_were_asked_for_and_no_others() {
    let mut r = Rig::new();
    r.test(0, "A1", Component::Camera, Outcome::Pass);
    r.battery(30, "A1", 11.9);
    for at in [60, 120, 180] {
        r.test(at, "A1", Component::Camera, Outcome::Fail);
    }
    r.say(200, "A1", Body::Heartbeat(Heartbeat { fw: Some("2.4.1".into()), ..Heartbeat::default() }));
    let texts = [UnitColumn::Alert, UnitColumn::Firmware, UnitColumn::District].map(UnitField::Column);
    let also = [&texts[..], &[UnitField::Reading(Metric::BatteryVoltage)]].concat();
    let page = r.engine.unit_page(t(210), &Query { also, ..Query::default() });
    let row = page.items.iter().find(|row| row.unit.as_str() == "A1").expect("it is in the fleet");
    let text = |name: &str, said: &str| (name.to_owned(), said.to_owned());
    assert_eq!(row.texts, BTreeMap::from([text("alert", "camera-failed"), text("firmware", "2.4.1")]));
    assert_eq!(row.readings, BTreeMap::from([("battery.voltage".to_owned(), 11.9)]));
    let plain = r.engine.unit_page(t(210), &Query::default());
    assert!(plain.items.iter().all(|row| row.texts.is_empty() && row.readings.is_empty()));
}

#[test]
fn near_a_place_the_nearest_comes_first_and_what_stands_nobody_knows_where_last() {
    let place = |unit: &str| match unit {
        "B2" => Some((34.0086, 71.5743)),
        "A1" => Some((34.0186, 71.5743)),
        "C4" => Some((34.0086, 71.5743)),
        _ => None,
    };
    let units = fleet().units().map(|(_, u)| Unit { position: place(u.unit.as_str()), ..u.clone() }).collect();
    let engine = Engine::new(rules(), Fleet::new(units), Settings::default());
    let page = |query: Query<UnitField>| {
        let page = engine.unit_page(t(0), &query.near((34.0086, 71.5743)));
        (page.items.iter().map(|row| row.unit.to_string()).collect::<Vec<_>>().join(" "), page.total, page.next)
    };
    let (whole, total, _) = page(Query::default());
    assert_eq!((whole.as_str(), total), ("B2 C4 A1 A2 A3 A4 B1 B3 B4 C1 C2 C3", 12));
    // In pages, too; two that are equally far are told apart by their ids.
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let (some, _, next) = page(Query { limit: Some(1), after, ..Query::default() });
        seen.push(some);
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen.join(" "), whole);
}
