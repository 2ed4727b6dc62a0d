use std::collections::BTreeMap;

use super::rig::*;
use crate::domain::message::{Body, Heartbeat, Outcome};
use crate::domain::query::{Query, UnitColumn, UnitField};
use crate::domain::{Component, Metric};

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
