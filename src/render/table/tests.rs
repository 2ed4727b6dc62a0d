//! Golden tests: what each list and page looks like at 80 columns, Urdu names included, and what programs get.

use crate::domain::message::{Do, PressKind};
use crate::domain::metric::Metric;
use crate::domain::on_demand::{CommandState, CommandView};
use crate::domain::view::*;
use crate::domain::*;

use super::*;

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time of this test")
}

fn look() -> Look {
    Look::plain(time("2026-11-21T09:06:30Z"))
}

fn unit_id(text: &str) -> UnitId {
    UnitId::parse(text).unwrap()
}

fn row(unit: &str, name: &str, readiness: Readiness, reason: &str) -> UnitRow {
    UnitRow {
        unit: unit_id(unit),
        name: name.to_owned(),
        site: SiteId::parse("Qissa Khwani Bazaar").unwrap(),
        site_type: "market".to_owned(),
        city: City::parse("Peshawar").unwrap(),
        crew: CrewId::parse("city-north").unwrap(),
        uplink: Some(UplinkId::parse("ptcl-qissa-1").unwrap()),
        feeder: Some(FeederId::parse("pesco-11kv-kohati").unwrap()),
        model: "SOS-4G".to_owned(),
        position: Some((34.0086, 71.5743)),
        readiness,
        reason: reason.to_owned(),
        because: None,
        since: Some(time("2026-11-21T09:00:05Z")),
        last_heard: Some(time("2026-11-21T08:58:25Z")),
        open_alerts: 1,
        open_orders: 1,
        texts: Default::default(),
        readings: Default::default(),
    }
}

fn units() -> Vec<UnitRow> {
    let mut fresh = row("PSH-004", "صدر بازار، لاہور سٹریٹ", Readiness::Unproven, "has never passed a self-test");
    fresh.last_heard = None;
    fresh.open_orders = 0;
    vec![
        row(
            "PSH-001",
            "Qissa Khwani Bazaar, north gate",
            Readiness::Silent,
            "no heartbeat for 1 min 35 s, last at 2026-11-21T08:58:25.000Z",
        ),
        row("PSH-002", "قصہ خوانی بازار", Readiness::Ready, "all alerts resolved, tests passed"),
        row("PSH-003", "中文按钮 \u{1b}[31mred", Readiness::NotReady, "camera test failed (E42), 3 times in a row"),
        fresh,
    ]
}

fn order() -> OrderView {
    let change = |at: &str, state, by: &str, why: &str| ChangeView {
        at: time(at),
        state,
        by: by.to_owned(),
        why: why.to_owned(),
        because: None,
    };
    OrderView {
        order: OrderId::new(42),
        unit: Some(unit_id("PSH-001")),
        component: Some(Component::Uplink),
        incident: None,
        priority: Priority::P1,
        state: OrderState::EnRoute,
        crew: CrewId::parse("city-north").unwrap(),
        site: Some(SiteId::parse("قصہ خوانی بازار").unwrap()),
        opened_at: time("2026-11-21T03:05:05Z"),
        due_at: Some(time("2026-11-21T07:05:05Z")),
        closed_at: None,
        summary: "no heartbeat for 1 min 35 s".to_owned(),
        action: "Check power at the pole, then the link; the key to the cabinet is with the guard of the north gate"
            .to_owned(),
        parts: vec!["SIM".to_owned(), "4G modem".to_owned()],
        suspects: vec![
            Suspect { component: Component::Uplink, certainty: 80 },
            Suspect { component: Component::Battery, certainty: 20 },
        ],
        evidence: vec!["last heartbeat at 2026-11-21T02:58:25.000Z, link.rssi -112 dBm".to_owned()],
        seen: vec![],
        rules: vec![RuleId::parse("unit-silent").unwrap()],
        units: vec![],
        relapses: 2,
        flapping: true,
        history: vec![
            change(
                "2026-11-21T03:05:05Z",
                OrderState::Opened,
                "buttonwatch",
                "no heartbeat for 1 min 35 s, last at 2026-11-21T02:58:25.000Z; alert firing for 5 min",
            ),
            change("2026-11-21T03:20:00Z", OrderState::Acknowledged, "Gul Khan", "leaving at 09:00"),
            change("2026-11-21T04:10:00Z", OrderState::EnRoute, "گل خان", "no note given"),
        ],
    }
}

fn incident_order() -> OrderView {
    OrderView {
        order: OrderId::new(43),
        unit: None,
        component: None,
        incident: Some(IncidentName { kind: GroupKind::Uplink, name: GroupName::parse("ptcl-saddar-2").unwrap() }),
        state: OrderState::Opened,
        due_at: Some(time("2026-11-21T12:05:05Z")),
        summary: "5 units share the uplink ptcl-saddar-2".to_owned(),
        units: vec![unit_id("PSH-010"), unit_id("PSH-011")],
        relapses: 0,
        flapping: false,
        history: vec![],
        evidence: vec![],
        ..order()
    }
}

fn visit_order() -> OrderView {
    OrderView {
        order: OrderId::new(1_234_567),
        priority: Priority::P4,
        component: Some(Component::Microphone),
        state: OrderState::Acknowledged,
        due_at: None,
        ..order()
    }
}

fn closed_order() -> OrderView {
    OrderView {
        order: OrderId::new(7),
        state: OrderState::Closed,
        closed_at: Some(time("2026-11-20T20:00:00Z")),
        ..order()
    }
}

fn alert(unit: &str, severity: Severity, state: AlertState, flapping: bool) -> AlertRow {
    AlertRow {
        unit: unit_id(unit),
        rule: RuleId::parse("battery-low").unwrap(),
        component: Component::Battery,
        severity,
        state,
        flapping,
        since: time("2026-11-21T08:00:00Z"),
        reason: "battery.voltage 11.4 V is below 11.6 V, for 5 min".to_owned(),
        because: None,
        order: Some(OrderId::new(42)),
    }
}

fn card() -> UnitCard {
    let reading = |metric: Metric, value: f64, at: &str| ReadingView {
        metric: metric.name().to_owned(),
        value,
        text: metric.figure(value),
        at: time(at),
        limits: match metric {
            Metric::BatteryVoltage => vec![11.6, 12.0],
            Metric::BatteryTemperature => vec![40.0, 50.0],
            _ => Vec::new(),
        },
    };
    let test = |component, result, code: Option<&str>| TestView {
        component,
        result,
        at: time("2026-11-21T02:00:00Z"),
        code: code.map(str::to_owned),
    };
    let sibling = |unit: &str, shares, readiness| SiblingView { unit: unit_id(unit), shares, readiness };
    let press = |at: &str, kind, answered, answer_ms| PressView { at: time(at), kind, answered, answer_ms };
    UnitCard {
        row: units().remove(0),
        address: "North gate, beside the tea house, قصہ خوانی بازار".to_owned(),
        contact: "Rahim Shah (guard) 0300-0000000".to_owned(),
        firmware: Some("2.4.1".to_owned()),
        hardware: Some("rev C".to_owned()),
        boot: Some(7),
        loss_pct: Some(1.5625),
        silent_at: Some(time("2026-11-21T09:07:30Z")),
        readings: vec![
            reading(Metric::BatteryVoltage, 11.42, "2026-11-21T08:58:25Z"),
            reading(Metric::BatteryTemperature, 38.0, "2026-11-21T08:58:25Z"),
            reading(Metric::EnclosureTemperature, 41.3, "2026-11-21T08:58:25Z"),
            reading(Metric::LinkRssi, -97.0, "2026-11-21T08:58:25Z"),
            reading(Metric::MainsPresent, 0.0, "2026-11-21T06:00:00Z"),
            reading(Metric::CameraSharpness, 412.07, "2026-11-19T02:00:00Z"),
            reading(Metric::MicrophoneTone, 23.0, "2026-11-21T02:00:00Z"),
        ],
        tests: vec![
            test(Component::Camera, Outcome::Fail, Some("E42")),
            test(Component::Microphone, Outcome::Inconclusive, None),
            test(Component::Button, Outcome::Pass, None),
            test(Component::Stream, Outcome::Pass, None),
        ],
        presses: vec![
            press("2026-11-21T08:12:00Z", PressKind::Real, Some(true), Some(900.0)),
            press("2026-11-20T05:00:00Z", PressKind::Test, Some(false), None),
            press("2026-10-21T05:00:00Z", PressKind::Test, None, None),
            press("2026-09-21T05:00:00Z", PressKind::Test, Some(true), None),
        ],
        alerts: vec![alert("PSH-001", Severity::Critical, AlertState::Firing, false)],
        orders: vec![order()],
        siblings: vec![
            sibling("PSH-002", GroupKind::Uplink, Readiness::Ready),
            sibling("PSH-003", GroupKind::Uplink, Readiness::NotReady),
            sibling("PSH-002", GroupKind::Feeder, Readiness::Ready),
        ],
    }
}

fn day(metric: SeriesName, figures: impl Fn(i64) -> Option<(u32, f64)>) -> SeriesView {
    let to = time("2026-11-21T09:06:30Z");
    let newest = crate::domain::series::hour_of(to).0;
    let points = (newest - 23..=newest).filter_map(|hour| {
        let (count, mean) = figures(hour - newest + 23)?;
        let hour = crate::domain::series::hour_starts(hour);
        Some(SeriesPoint { hour, count, min: mean, max: mean, mean, last: mean })
    });
    SeriesView {
        unit: unit_id("PSH-001"),
        measured_in: metric.measured_in().to_owned(),
        metric,
        from: time("2026-11-20T09:06:30Z"),
        to,
        limits: Vec::new(),
        points: points.collect(),
        readings: Vec::new(),
    }
}

/// Mains went at the 15th hour; nothing was heard in two hours.
fn days() -> Vec<SeriesView> {
    let silent = |hour: i64| (8..10).contains(&hour);
    vec![
        day(SeriesName::Heartbeats, |h| (!silent(h)).then_some((if h == 23 { 12 } else { 120 }, 0.0))),
        day(SeriesName::Metric(Metric::BatteryVoltage), |h| {
            (!silent(h)).then_some((12, if h < 15 { 13.7 } else { 13.7 - 0.25 * (h - 14) as f64 }))
        }),
        day(SeriesName::Metric(Metric::MainsPresent), |h| (!silent(h)).then_some((12, f64::from(h < 15)))),
        day(SeriesName::Metric(Metric::LinkRssi), |_| None),
    ]
}

fn command() -> CommandView {
    let result = |component, result, code: Option<&str>| TestView {
        component,
        result,
        at: time("2026-11-21T09:06:20Z"),
        code: code.map(str::to_owned),
    };
    CommandView {
        id: "cmd-1795251960000".to_owned(),
        unit: unit_id("PSH-001"),
        act: Do::Selftest,
        components: vec![Component::Camera, Component::Microphone],
        by: "گل خان".to_owned(),
        asked_at: time("2026-11-21T09:06:00Z"),
        expires_at: time("2026-11-21T10:06:00Z"),
        state: CommandState::Done,
        finished: true,
        sent_at: Some(time("2026-11-21T09:06:01Z")),
        replied_at: Some(time("2026-11-21T09:06:02Z")),
        finished_at: Some(time("2026-11-21T09:06:20Z")),
        says: "PSH-001 has tested itself: failed: microphone (no-tone)".to_owned(),
        hindrance: None,
        error: None,
        results: vec![
            result(Component::Camera, Outcome::Pass, None),
            result(Component::Microphone, Outcome::Fail, Some("no-tone")),
        ],
    }
}

fn waiting_command() -> CommandView {
    CommandView {
        act: Do::Reboot,
        components: vec![],
        state: CommandState::Waiting,
        finished: false,
        sent_at: None,
        replied_at: None,
        finished_at: None,
        says: "PSH-001 has not got it yet: it is not connected; it is asked as soon as it is back".to_owned(),
        results: vec![],
        ..command()
    }
}

fn incident() -> IncidentRow {
    IncidentRow {
        kind: GroupKind::Uplink,
        name: GroupName::parse("ptcl-saddar-2").unwrap(),
        state: IncidentState::Open,
        since: time("2026-11-21T09:01:35Z"),
        units: vec![unit_id("PSH-010"), unit_id("PSH-011")],
        reason: "5 of 6 units of this uplink are affected".to_owned(),
        because: None,
        order: Some(OrderId::new(43)),
    }
}

fn refusal() -> RefusalRow {
    RefusalRow {
        kind: "foreign-topic".to_owned(),
        count: 12_345,
        last_at: time("2026-11-21T09:06:00Z"),
        unit: Some("PSH-001".to_owned()),
        topic: "buttonwatch/v1/PSH-002/heartbeat".to_owned(),
        why: "a unit may publish under its own id only".to_owned(),
        example: "{\"ts\":1795251600000,\"boot\":7,\"seq\":12,\"uptime_s\":93600}\u{1b}]0;owned\u{7}".to_owned(),
    }
}

fn mail(state: &str, error: Option<&str>) -> OutboxRow {
    OutboxRow {
        message_id: "<wo-000042.1@example.org>".to_owned(),
        kind: "order-opened".to_owned(),
        to: "city-north".to_owned(),
        orders: vec![OrderId::new(42)],
        decided_at: time("2026-11-21T09:00:05Z"),
        state: state.to_owned(),
        tries: 3,
        next_try_at: error.map(|_| time("2026-11-21T09:10:00Z")),
        sent_at: error.is_none().then(|| time("2026-11-21T09:00:06Z")),
        last_error: error.map(str::to_owned),
        addresses: Vec::new(),
    }
}

/// One of its two addresses has it, the other is refused.
fn partly_sent_mail() -> OutboxRow {
    let at = Some(time("2026-11-21T09:00:06Z"));
    let text = "5.1.1 <bilal@crews.example>: Recipient address rejected: User unknown in virtual mailbox table";
    OutboxRow {
        last_error: Some(format!("bilal@crews.example refused (550 {text})")),
        addresses: vec![
            AddressOutcome {
                at,
                state: AddressState::Delivered,
                ..AddressOutcome::untried("imran@crews.example".to_owned())
            },
            AddressOutcome {
                address: "bilal@crews.example".to_owned(),
                state: AddressState::Refused,
                at,
                code: Some(550),
                text: text.to_owned(),
            },
        ],
        ..mail("partly-sent", None)
    }
}

fn mail_page() -> MailView {
    MailView {
        row: partly_sent_mail(),
        reason: "no heartbeat for 6 min".to_owned(),
        to_address: "imran@crews.example, bilal@crews.example".to_owned(),
        subject: "P1 WO-000042 PSH-001".to_owned(),
        text: "What to do\n  Check power at the pole\n".to_owned(),
        html: String::new(),
    }
}

fn plan() -> ImportPlan {
    let change = |field: &str, from: &str, to: &str| UnitChange {
        unit: unit_id("PSH-001"),
        field: field.to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
    };
    ImportPlan {
        added: vec![unit_id("PSH-069")],
        removed: vec![unit_id("PSH-003")],
        changed: vec![change("name", "Qissa Khwani", "قصہ خوانی"), change("crew", "city-north", "city-south")],
        unchanged: 66,
        dry_run: true,
    }
}

fn quarantined() -> QuarantineRow {
    QuarantineRow {
        unit: unit_id("MRD-001"),
        first_heard: time("2026-11-20T09:00:00Z"),
        last_heard: time("2026-11-21T09:06:25Z"),
        messages: 2_881,
        last_topic: "buttonwatch/v1/MRD-001/heartbeat".to_owned(),
    }
}

fn history() -> UnitHistory {
    let stretch = |from: &str, until: &str, readiness, reason: &str| StretchRow {
        unit: unit_id("PSH-001"),
        from: time(from),
        until: time(until),
        readiness,
        lasted_s: time(until).since(time(from)).as_secs_f64(),
        reason: reason.to_owned(),
        because: None,
    };
    let stretches = vec![
        stretch("2026-11-14T09:06:30Z", "2026-11-16T04:00:00Z", Readiness::Unknown, "nothing is recorded of this time"),
        stretch("2026-11-16T04:00:00Z", "2026-11-20T04:00:00Z", Readiness::Ready, "tests passed: camera, microphone"),
        stretch("2026-11-20T04:00:00Z", "2026-11-20T04:00:00Z", Readiness::NotReady, "camera test failed (E42)"),
        stretch(
            "2026-11-20T04:00:00Z",
            "2026-11-21T09:06:30Z",
            Readiness::Silent,
            "no heartbeat for 1 min 35 s, last at 2026-11-20T03:58:25.000Z",
        ),
    ];
    let mut seconds = crate::domain::availability::Times::default();
    for s in &stretches {
        seconds.add(s.readiness, s.until.since(s.from));
    }
    UnitHistory {
        unit: unit_id("PSH-001"),
        from: time("2026-11-14T09:06:30Z"),
        to: time("2026-11-21T09:06:30Z"),
        available_pct: seconds.availability_pct(),
        seconds,
        stretches,
    }
}

fn group(name: &str, units: usize, hours: [u64; 7]) -> GroupAvailability {
    let mut seconds = crate::domain::availability::Times::default();
    for (readiness, hours) in Readiness::ALL.iter().zip(hours) {
        seconds.add(*readiness, std::time::Duration::from_secs(hours * 3_600));
    }
    GroupAvailability { name: name.to_owned(), units, available_pct: seconds.availability_pct(), seconds }
}

fn groups() -> Vec<GroupAvailability> {
    vec![
        group("", 1, [0, 0, 0, 0, 720, 0, 0]),
        group("Mardan", 2, [1_000_000, 0, 0, 1, 0, 5, 0]),
        group("Peshawar", 68, [48_000, 60, 200, 30, 500, 100, 70]),
        group("پشاور", 3, [2_160, 0, 0, 0, 0, 0, 0]),
    ]
}

const MONTH: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);

fn near_rows() -> Vec<NearRow> {
    let places = [(275.4, 181.0), (2_430.0, 44.0), (31_000.0, 270.0), (840.0, 300.0)];
    units().into_iter().zip(places).map(|(row, (distance, bearing))| NearRow::new(row, distance, bearing)).collect()
}

/// Every text of this file, by name.
fn pages(look: &Look) -> Vec<(&'static str, String)> {
    let orders = [order(), incident_order(), visit_order(), closed_order()];
    let alerts_ = [
        alert("PSH-001", Severity::Critical, AlertState::Firing, false),
        alert("PSH-002", Severity::Warning, AlertState::Pending, true),
    ];
    vec![
        ("unit list", unit_list(&units(), look)),
        ("found units", found_units(&units(), look)),
        ("near", near(&near_rows(), 2, look)),
        ("unit card", unit_card(&card(), &days(), look)),
        ("unit card without history", unit_card(&card(), &[], look)),
        ("commands", super::commands(&[command(), waiting_command()], look)),
        ("command", super::command(&command(), look)),
        ("unit history", unit_history(&history(), look)),
        ("availability", availability("CITY", &groups(), MONTH, look)),
        ("alerts", alerts(&alerts_, look)),
        ("incidents", incidents(&[incident()], look)),
        ("order list", order_list(&orders, look)),
        ("order detail", order_detail(&order(), look)),
        ("incident order detail", order_detail(&incident_order(), look)),
        ("quarantine", quarantine(&[quarantined()], look)),
        ("refusals", refusals(&[refusal()], look)),
        ("outbox", outbox(&[mail("sent", None), mail("waiting", Some("451 4.3.0 try later"))], look)),
        ("outbox of some addresses", outbox(&[partly_sent_mail(), mail("sent", None)], look)),
        ("mail of some addresses", super::mail(&mail_page(), look)),
        ("import plan", import_plan(&plan(), look)),
        ("metrics", metrics(&[*Metric::BatteryVoltage.facts(), *Metric::LinkRssi.facts()], look)),
        (
            "nothing",
            [
                all_units(&[], look),
                found_units(&[], look),
                availability("CITY", &[], MONTH, look),
                alerts(&[], look),
                incidents(&[], look),
                order_list(&[], look),
                quarantine(&[], look),
                refusals(&[], look),
                outbox(&[], look),
                import_plan(&ImportPlan::default(), look),
            ]
            .concat(),
        ),
    ]
}

#[test]
fn every_list_and_page_at_80_columns() {
    for (name, text) in pages(&look()) {
        insta::assert_snapshot!(name.replace(' ', "_"), text);
    }
}

fn card_within(lines: usize, look: &Look) -> String {
    unit_card_within(lines, "buttonwatch fleet show PSH-001 --all", &card(), &days(), look)
}

#[test]
fn a_card_fits_a_terminal_of_24_lines_with_what_matters() {
    insta::assert_snapshot!("unit_card_within_23_lines", card_within(23, &look()));
}

#[test]
fn a_shorter_screen_has_a_shorter_card_that_still_says_what_is_wrong_and_who_is_on_it() {
    let whole = unit_card(&card(), &days(), &look());
    let shortest = card_within(0, &look()).lines().count();
    let mut before = 0;
    for lines in 0..whole.lines().count() + 3 {
        let text = card_within(lines, &look());
        let drawn = text.lines().count();
        assert!(drawn <= lines.max(shortest), "{drawn} of {lines} lines:\n{text}");
        assert!(drawn >= before, "a longer screen shows less: {drawn} of {lines} lines, {before} before");
        before = drawn;
        for needed in ["no heartbeat for 1 min 35 s", "battery-low", "WO-000042", "ptcl-qissa-1", "Qissa Khwani"] {
            assert!(text.contains(needed), "{needed} is not in:\n{text}");
        }
        assert_eq!(text == whole, !text.contains("more lines: buttonwatch fleet show PSH-001 --all"));
    }
    assert_eq!(card_within(whole.lines().count(), &look()), whole);
}

#[test]
fn a_wide_window_shows_more_columns() {
    let look = Look { width: 140, ..look() };
    insta::assert_snapshot!("wide_unit_list", unit_list(&units(), &look));
    insta::assert_snapshot!("wide_availability", availability("CITY", &groups(), MONTH, &look));
    insta::assert_snapshot!("wide_order_list", order_list(&[order(), incident_order()], &look));
}

#[test]
fn no_page_is_wider_than_its_window_down_to_48_columns() {
    for columns in (48..200).step_by(3) {
        let look = Look { width: columns, ..look() };
        for (name, text) in pages(&look) {
            for line in text.lines().filter(|_| name != "nothing") {
                assert!(width(line) <= columns, "{name} at {columns}: {line:?}");
            }
        }
    }
}

#[test]
fn colours_and_fences_change_nothing_but_themselves() {
    let dressed = Look { colour: true, bidi: true, ..look() };
    for ((name, plain), (_, dressed)) in pages(&look()).into_iter().zip(pages(&dressed)) {
        let mut undressed = String::new();
        let mut rest = dressed.as_str();
        while let Some(at) = rest.find('\u{1b}') {
            undressed.push_str(&rest[..at]);
            rest = &rest[at + rest[at..].find('m').expect("every escape is a colour") + 1..];
        }
        undressed.push_str(rest);
        let undressed: String = undressed.chars().filter(|c| !matches!(c, '\u{2068}' | '\u{2069}')).collect();
        // Spaces before a colour's end are the one thing that trimming a line cannot reach.
        let trimmed: String = undressed.lines().map(|l| format!("{}\n", l.trim_end())).collect();
        assert_eq!(trimmed, plain, "{name}");
    }
}

#[test]
fn what_programs_get_as_csv() {
    let all = [
        csv(&units()),
        csv(&[card()]),
        csv(&[alert("PSH-001", Severity::Major, AlertState::Firing, true)]),
        csv(&[incident()]),
        csv(&[order(), incident_order()]),
        csv(&[quarantined()]),
        csv(&[refusal()]),
        csv(&[mail("sent", None)]),
        csv(&PlanLine::of(&plan())),
        csv(&history().stretches),
        csv(&groups()),
        csv(&[*Metric::BatteryVoltage.facts()]),
        csv::<UnitRow>(&[]),
    ]
    .join("\n");
    // Programs get every byte; this file is read on terminals.
    insta::assert_snapshot!("csv", all.replace('\u{1b}', "<ESC>").replace('\u{7}', "<BEL>"));
}

mod round_trip {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn csv_gives_back_every_text_exactly(name in any::<String>(), reason in "[\\PC\",;\r\n]{0,40}", model in "\\PC{0,20}") {
            let mut unit = row("PSH-001", &name, Readiness::Ready, &reason);
            unit.model = model;
            let text = super::csv(std::slice::from_ref(&unit));
            let mut reader = ::csv::Reader::from_reader(text.as_bytes());
            let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
            prop_assert_eq!(header, UnitRow::FIELDS);
            let rows: Vec<Vec<String>> =
                reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect()).collect();
            prop_assert_eq!(rows, vec![unit.values()]);
        }

        #[test]
        fn json_gives_back_the_same_row(name in any::<String>(), quarter_degrees in -360i32..360) {
            let mut card = card();
            card.row.name = name;
            card.row.position = Some((f64::from(quarter_degrees) / 4.0, 0.5));
            let text = serde_json::to_string(&card).unwrap();
            prop_assert_eq!(serde_json::from_str::<UnitCard>(&text).unwrap(), card);
            let order = order();
            let text = serde_json::to_string(&order).unwrap();
            prop_assert_eq!(serde_json::from_str::<OrderView>(&text).unwrap(), order);
        }
    }
}
