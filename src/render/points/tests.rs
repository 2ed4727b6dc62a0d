use super::{Place, Points, field_of, message};
use crate::config::check_fleet;
use crate::domain::history::{Heard, Leading};
use crate::domain::message::{Body, Heartbeat, Message, Outcome, Power, Press, PressKind, Selftest, TestResult};
use crate::domain::{Bucket, Component, Metric, SeriesName, Timestamp, Unit};

fn unit() -> Unit {
    let csv = "unit,site,city,crew,feeder\nPSH-001,Jinnah Park,Peshawar,saddar,f-1\n";
    check_fleet("fleet.csv", csv.as_bytes()).expect("without mistakes").remove(0)
}

fn said(body: Body) -> Message {
    Message { ts: None, boot: Some(7), seq: Some(1), body, extra: vec![("lux".into(), 3.0)] }
}

/// A message that holds this metric and nothing else.
fn with(metric: Metric) -> Option<Message> {
    let (mut heartbeat, mut power) = (Heartbeat::default(), Power::default());
    let mut press = Press { kind: PressKind::Test, held_ms: None, ack: None, ack_ms: None };
    let body = match metric {
        Metric::ControllerUptime => Body::Heartbeat({
            heartbeat.uptime_s = Some(1.0);
            heartbeat
        }),
        Metric::LinkRssi => Body::Heartbeat({
            heartbeat.rssi_dbm = Some(-70.0);
            heartbeat
        }),
        Metric::EnclosureTemperature => Body::Heartbeat({
            heartbeat.temp_c = Some(1.0);
            heartbeat
        }),
        Metric::EnclosureTamper => Body::Heartbeat({
            heartbeat.tamper = Some(true);
            heartbeat
        }),
        Metric::DiskFree => Body::Heartbeat({
            heartbeat.disk_free_pct = Some(1.0);
            heartbeat
        }),
        Metric::MemoryFree => Body::Heartbeat({
            heartbeat.mem_free_pct = Some(1.0);
            heartbeat
        }),
        Metric::MainsPresent => Body::Power({
            power.mains = Some(true);
            power
        }),
        Metric::MainsVoltage => Body::Power({
            power.mains_v = Some(1.0);
            power
        }),
        Metric::BatteryVoltage => Body::Power({
            power.battery_v = Some(1.0);
            power
        }),
        Metric::BatteryCharge => Body::Power({
            power.battery_pct = Some(1.0);
            power
        }),
        Metric::BatteryTemperature => Body::Power({
            power.battery_temp_c = Some(1.0);
            power
        }),
        Metric::BatteryCurrent => Body::Power({
            power.charge_a = Some(1.0);
            power
        }),
        Metric::PowerLoad => Body::Power({
            power.load_w = Some(1.0);
            power
        }),
        Metric::PressHeld => Body::Press({
            press.held_ms = Some(1.0);
            press
        }),
        Metric::PressAck => Body::Press({
            press.ack_ms = Some(1.0);
            press
        }),
        tested if tested.is_tested() => {
            let component = tested.name().split('.').next().and_then(|c| c.parse().ok()).expect("named after it");
            let figures = vec![(tested, 1.0)];
            let result = TestResult { component, result: Outcome::Pass, code: None, mode: None, figures };
            Body::Selftest(Selftest { id: None, trigger: None, results: vec![result] })
        }
        _ => return None,
    };
    Some(said(body))
}

fn lines(points: &mut Points, bucket: Bucket) -> String {
    String::from_utf8(points.of(bucket).take().0).expect("UTF-8")
}

fn is_in(place: &Place, points: &mut Points) -> bool {
    let text = lines(points, place.bucket);
    let tag = place.component.map(|c| format!("component={c}")).unwrap_or_default();
    text.starts_with(place.measurement) && text.contains(&tag) && text.contains(&format!("{}=", place.field))
}

/// What units send and `fleet history` can be asked for, it finds again under the name it was written with.
#[test]
fn every_reading_is_found_again_where_it_was_written() {
    for metric in Metric::ALL {
        let Some(name) = SeriesName::sent(*metric) else { continue };
        let sent = with(*metric).unwrap_or_else(|| panic!("no message of this test carries {metric}"));
        let places = field_of(&name).unwrap_or_else(|| panic!("{metric} is looked for nowhere"));
        let mut points = Points::default();
        message(&unit(), &sent, &Heard { at: Timestamp::from_millis(5), ..Heard::default() }, &mut points);
        assert!(places.iter().any(|place| is_in(place, &mut points.clone())), "{metric}: {places:?} in {points:?}");
    }
    assert_eq!(field_of(&SeriesName::Heartbeats), None);
}

#[test]
fn a_vendors_own_figure_is_found_in_whatever_message_carried_it() {
    let places = field_of(&SeriesName::Vendor("lux".into())).expect("a field");
    for metric in [Metric::LinkRssi, Metric::BatteryVoltage, Metric::CameraSharpness, Metric::PressHeld] {
        let mut points = Points::default();
        message(&unit(), &with(metric).expect("a message"), &Heard::default(), &mut points);
        assert!(places.iter().any(|place| is_in(place, &mut points.clone())), "beside {metric}");
    }
}

#[test]
fn a_score_is_the_part_of_what_the_unit_had_when_it_was_new() {
    let check = |metric: Metric, value: f64, baseline: Option<f64>, result: Outcome, expected: &str| {
        let component: Component = metric.name().split('.').next().and_then(|c| c.parse().ok()).expect("a component");
        let result = TestResult { component, result, code: None, mode: None, figures: vec![(metric, value)] };
        let test = said(Body::Selftest(Selftest { id: None, trigger: None, results: vec![result] }));
        let heard = Heard { leading: vec![Leading { component, baseline, limit: None }], ..Heard::default() };
        let mut points = Points::default();
        message(&unit(), &test, &heard, &mut points);
        let text = lines(&mut points, Bucket::Events);
        let score = text.split(['\u{20}', ',']).find(|f| f.starts_with("score=")).unwrap_or("none");
        assert_eq!(score, expected, "{metric} {value} of {baseline:?}");
    };
    check(Metric::CameraSharpness, 60.0, Some(150.0), Outcome::Fail, "score=40");
    check(Metric::MicrophoneTone, 18.0, Some(24.0), Outcome::Pass, "score=50.119");
    check(Metric::SpeakerTone, 24.0, None, Outcome::Pass, "score=100");
    check(Metric::ButtonContact, 9000.0, None, Outcome::Fail, "score=0");
    check(Metric::CameraSharpness, 60.0, Some(150.0), Outcome::Inconclusive, "none");
}
