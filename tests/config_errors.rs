//! What a person reads who made a mistake in one of the three files: one fixture per fault, named by it, and the exact
//! text that is answered. Then what must hold for any file: nothing panics, and what is written reads back the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use buttonwatch::config::{Problems, ServiceConfig, check_alerts, check_fleet, check_service, read_text, write_fleet};
use buttonwatch::domain::metric::Metric;
use buttonwatch::domain::rule::{Condition, MetricRef, ReadinessEffect, Side};
use buttonwatch::domain::{
    City, CrewId, District, FeederId, Fleet, GroupKind, Priority, SiteId, Timestamp, Unit, UnitId, UplinkId,
};
use proptest::prelude::*;

fn top() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn bytes(path: &str) -> Vec<u8> {
    fs::read(top().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Reads as the service would: bytes first, then what they say.
fn alerts_problems(file: &str, bytes: &[u8]) -> Option<Problems> {
    read_text(file, bytes).and_then(|text| check_alerts(file, text)).err()
}
fn service_problems(file: &str, bytes: &[u8]) -> Option<Problems> {
    read_text(file, bytes).and_then(|text| check_service(file, text)).err()
}
fn fleet_problems(file: &str, bytes: &[u8]) -> Option<Problems> {
    check_fleet(file, bytes).err()
}

/// The answer to every fixture of a folder, as one text to read through: a heading for each fault.
fn answers(folder: &str, file: &str, problems: fn(&str, &[u8]) -> Option<Problems>) -> (usize, String) {
    let folder = top().join("fixtures/bad").join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    paths.sort();
    let mut text = String::new();
    for path in &paths {
        let fault = path.file_stem().and_then(|s| s.to_str()).expect("fixtures have plain names");
        let content = fs::read(path).expect("a readable fixture");
        let found = problems(file, &content).unwrap_or_else(|| panic!("{fault}: nothing was found wrong"));
        for line in found.lines() {
            assert!(line.starts_with(&format!("{file}:")), "{fault}: not located: {line}");
            assert!(!line.contains('\n') && !line.contains("hunter2"), "{fault}: {line}");
            assert!(!line.chars().any(|c| c.is_control()), "{fault}: {line:?}");
        }
        text.push_str(&format!("## {fault}\n{found}\n\n"));
    }
    (paths.len(), text)
}

#[test]
fn every_fault_in_alerts_is_answered_with_its_line_reason_and_remedy() {
    let (count, text) = answers("alerts", "alerts.toml", alerts_problems);
    assert!(count >= 15);
    insta::assert_snapshot!(text);
}

#[test]
fn every_fault_in_a_fleet_is_answered_with_its_line_reason_and_remedy() {
    let (count, text) = answers("fleet", "fleet.csv", fleet_problems);
    assert!(count >= 12);
    insta::assert_snapshot!(text);
}

#[test]
fn every_fault_in_the_service_file_is_answered_with_its_line_reason_and_remedy() {
    let (count, text) = answers("service", "buttonwatch.toml", service_problems);
    assert!(count >= 10);
    insta::assert_snapshot!(text);
}

#[test]
fn the_design_and_the_style_guide_quote_our_messages_to_the_letter() {
    let rule = |rest: &str| {
        format!("[[rule]]\nid = \"battery-low\"\ncomponent = \"battery\"\nmetric = \"battery.voltage\"\n{rest}\n")
    };
    let text = |rest: &str| check_alerts("alerts.toml", &rule(rest)).expect_err("a mistake").to_string();
    assert_eq!(
        text("below = 11.6\nclear_above = 11.5"),
        "alerts.toml:6: rule \"battery-low\": clear_above must be above 11.6 V (got 11.5); raise it or drop it"
    );
    assert_eq!(
        text("below = 11.6\nfor = \"2s\""),
        "alerts.toml:6: rule \"battery-low\": for must be at least 10s (got 2s)"
    );
}

#[test]
fn the_shipped_alerts_are_clean_and_say_what_they_should() {
    let text = String::from_utf8(bytes("alerts.toml")).expect("UTF-8");
    let set = check_alerts("alerts.toml", &text).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(set, buttonwatch::config::default_rules());
    let rule = |id: &str| set.rules.iter().find(|r| r.id.as_str() == id).unwrap_or_else(|| panic!("{id}"));

    let silent = rule("unit-silent");
    let plan = silent.order.as_ref().expect("a silent unit sends someone out");
    assert_eq!((plan.priority, plan.after), (Priority::P1, Duration::from_secs(300)));
    assert_eq!(silent.readiness, ReadinessEffect::Unchanged, "presence itself makes readiness");

    let low = rule("battery-low");
    let voltage = MetricRef::Known(Metric::BatteryVoltage);
    let threshold = |limit, clear| Condition::Threshold {
        metric: voltage.clone(),
        side: Side::Below,
        limit,
        clear,
        consecutive: 1,
    };
    assert_eq!(low.condition, threshold(11.6, 12.6));
    assert_eq!(low.overrides[0].condition, threshold(10.8, 12.4));
    assert_eq!(low.overrides[0].for_, low.for_, "an override keeps what it does not change");
    assert_eq!(rule("camera-failed").order.as_ref().map(|o| o.priority), Some(Priority::P2));
    assert_eq!(rule("press-test-overdue").order.as_ref().map(|o| o.priority), Some(Priority::P4));
    assert_eq!(rule("press-test-overdue").readiness, ReadinessEffect::Unproven);
    assert_eq!(rule("link-loss").order, None, "a thin link sends nobody out");

    let deaf = set.incidents.iter().find(|i| i.group_by == GroupKind::Fleet).expect("the blindness guard");
    assert!(deaf.doubts_hearing && deaf.order.is_none() && deaf.within.is_some());
    assert!(!set.rules.iter().any(|r| r.id.as_str().contains("mains")), "load-shedding is no fault");
}

#[test]
fn the_shipped_fleets_are_clean() {
    let peshawar =
        check_fleet("peshawar.csv", &bytes("fixtures/fleets/peshawar.csv")).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(peshawar.len(), 68);
    assert_eq!((peshawar[0].unit.as_str(), peshawar[67].unit.as_str()), ("PSH-001", "PSH-068"));
    let kinds: BTreeSet<&str> = peshawar.iter().map(|u| u.site_type.as_str()).collect();
    for kind in ["market", "shopping-area", "bus-terminal", "university", "girls-college", "park"] {
        assert!(kinds.contains(kind), "{kind}");
    }
    assert!(peshawar.iter().any(|u| u.name.contains("قصہ خوانی")));
    assert!(peshawar.iter().all(|u| u.heartbeat == Some(Duration::from_secs(30)) && u.position.is_some()));
    let fleet = Fleet::new(peshawar);
    let sizes = |kind| fleet.groups().iter().filter(move |((k, _), _)| *k == kind).map(|(_, units)| units.len());
    assert!(sizes(GroupKind::Uplink).all(|n| (4..=8).contains(&n)));
    assert!(sizes(GroupKind::Feeder).all(|n| n >= 3));
    // Which of the two failed can only be told where they do not hold the same units.
    let members = |kind| -> BTreeSet<_> {
        fleet.groups().iter().filter(|((k, _), _)| *k == kind).map(|(_, units)| units.clone()).collect()
    };
    assert!(members(GroupKind::Uplink).is_disjoint(&members(GroupKind::Feeder)));

    let punjab = check_fleet("punjab.csv", &bytes("fixtures/fleets/punjab.csv")).unwrap_or_else(|p| panic!("{p}"));
    let count = |prefix: &str| punjab.iter().filter(|u| u.unit.as_str().starts_with(prefix)).count();
    assert_eq!((count("LHR-"), count("CMP-"), punjab.len()), (122, 450, 122 + 101 + 450));
}

#[test]
fn the_sample_service_file_is_clean_and_its_commented_lines_are_too() {
    let text = String::from_utf8(bytes("deploy/buttonwatch.toml")).expect("UTF-8");
    let config = check_service("buttonwatch.toml", &text).unwrap_or_else(|p| panic!("{p}"));
    let defaults = ServiceConfig::default();
    assert_eq!((config.gateway, config.bus, config.http), (defaults.gateway, defaults.bus, defaults.http));
    assert_eq!(config.judgement, defaults.judgement);
    // Each example that is switched off must work when an operator switches it on.
    let mut on = String::new();
    for line in text.lines() {
        let example = line
            .strip_prefix("# ")
            .filter(|l| l.starts_with('[') || l.split('#').next().is_some_and(|l| l.contains(" = ")));
        on.push_str(example.unwrap_or(line));
        on.push('\n');
    }
    let problems: Vec<String> = check_service("buttonwatch.toml", &on).map_or_else(|p| p.lines(), |_| Vec::new());
    let allowed = ["[gateway] stands beside [external]", "stands beside folder"];
    let others: Vec<&String> = problems.iter().filter(|p| !allowed.iter().any(|a| p.contains(a))).collect();
    assert!(others.is_empty() && problems.len() == allowed.len(), "{problems:#?}");
}

/// What spreadsheets and hands make of one and the same row.
#[test]
fn a_fleet_is_read_the_same_however_a_spreadsheet_writes_it() {
    let expected = check_fleet(
        "fleet.csv",
        "unit,name,site,site_type,city,crew,lat,lon\nPSH-001,\"صدر، گیٹ 2\",\"Saddar, Bazaar\",bus-terminal,Peshawar,saddar,34.01,71.54\n".as_bytes(),
    )
    .unwrap_or_else(|p| panic!("{p}"));
    let cases = [
        "\u{feff}unit,name,site,site_type,city,crew,lat,lon\r\nPSH-001,\"صدر، گیٹ 2\",\"Saddar, Bazaar\",bus-terminal,Peshawar,saddar,34.01,71.54\r\n",
        "UNIT;Name;Site;Site Type;City;Crew;LAT;Lon\r\nPSH-001;صدر، گیٹ 2;Saddar, Bazaar;Bus Terminal;Peshawar;saddar;34.01;71.54\r\n",
        "sep=;\r\nunit;name;site;site_type;city;crew;lat;lon\r\nPSH-001;صدر، گیٹ 2;Saddar, Bazaar;Bus_Terminal;Peshawar;saddar;34.01;71.54",
        "unit\tname\tsite\tsite-type\tcity\tcrew\tlat\tlon\nPSH-001\tصدر، گیٹ 2\tSaddar, Bazaar\tbus terminal\tPeshawar\tsaddar\t34.01\t71.54\n",
        "# c\n\ncrew,lon,lat,city,site_type,site,name,unit,notes,,\n,,,,,,,,,,\n saddar , 71.54,34.010,Peshawar,bus-terminal,\"Saddar, Bazaar\",\"صدر، گیٹ 2\",PSH-001,mine,,\n,,\n",
        "\"# saved, again\",,,,,,,\nunit,name,site,site_type,city,crew,lat,lon\rPSH-001,\"صدر، گیٹ 2\",\"Saddar, Bazaar\",bus-terminal,Peshawar,saddar,34.01,71.54\r",
    ];
    for text in cases {
        assert_eq!(
            check_fleet("fleet.csv", text.as_bytes()).unwrap_or_else(|p| panic!("{text:?}\n{p}")),
            expected,
            "{text:?}"
        );
    }
}

#[test]
fn a_cell_of_several_lines_becomes_one_line() {
    let text = "unit,site,city,crew,address,name\nPSH-001,S,P,c,\"12 GT Road,\r\nPeshawar\",\"East\ngate\"\n";
    let units = check_fleet("fleet.csv", text.as_bytes()).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!((&*units[0].address, &*units[0].name), ("12 GT Road, Peshawar", "East gate"));
}

#[test]
fn what_a_file_does_not_say_gets_its_default() {
    // A rule of each supported kind, all defaults: what stands where nothing is said.
    let text = "[[rule]]\nid = \"a\"\ncomponent = \"uplink\"\nsilent = { missed = 3 }\n\
                [[rule]]\nid = \"b\"\ncomponent = \"clock\"\nmetric = \"clock.skew\"\nabove = \"10m\"\n\
                [[rule]]\nid = \"c\"\ncomponent = \"camera\"\nresult = { test = \"camera\" }\n\
                [[rule]]\nid = \"d\"\ncomponent = \"controller\"\nseverity = \"warning\"\ncount = { event = \"boot\", at_least = 3, within = \"1h\" }\n\
                [[rule]]\nid = \"e\"\ncomponent = \"button\"\nseverity = \"critical\"\noverdue = { event = \"press-test\", every = \"30d\" }\n\
                [[rule]]\nid = \"f\"\ncomponent = \"enclosure\"\nmetric = \"x.humidity\"\nabove = 80\norder = false\n\
                [[incident]]\nid = \"up\"\ngroup_by = \"uplink\"\nof = \"a\"\n\
                [[incident]]\nid = \"deaf\"\ngroup_by = \"fleet\"\nof = \"a\"\n";
    let set = check_alerts("alerts.toml", text).unwrap_or_else(|p| panic!("{p}"));
    insta::assert_debug_snapshot!(set);
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9 ,;\"'=+@#_\\-]{1,20}",
        "[=+@'\\-]{1,4}[a-z]{0,4}",
        "[\u{600}-\u{6ff}a-z \u{200c}\u{200f}]{1,12}",
        "\\PC{1,40}",
    ]
    .prop_map(|s| s.trim().to_owned())
    .prop_filter("names hold something", |s| !s.is_empty() && !s.chars().any(char::is_control))
}

fn id<T>(parse: fn(&str) -> Result<T, buttonwatch::domain::InvalidId>) -> impl Strategy<Value = T>
where
    T: std::fmt::Debug,
{
    name().prop_map(move |s| parse(&s).expect("a trimmed name without control characters"))
}

prop_compose! {
    fn unit()(
        unit in "[A-Za-z0-9][A-Za-z0-9_-]{0,47}",
        name in name(), site in id(SiteId::parse), city in id(City::parse), crew in id(CrewId::parse),
        site_type in "[a-z=+-][a-z]{0,8}", address in proptest::option::of(name()), contact in proptest::option::of(name()),
        model in proptest::option::of(name()),
        shared in (proptest::option::of(id(District::parse)), proptest::option::of(id(UplinkId::parse)), proptest::option::of(id(FeederId::parse))),
        position in proptest::option::of((-90.0..90.0f64, -180.0..180.0f64))
            .prop_filter("not what looks swapped", |p| p.is_none_or(|(lat, _)| !(60.0..=78.0).contains(&lat))),
        heartbeat in proptest::option::of(1_000u64..=86_400_000),
        commissioned in proptest::option::of(prop_oneof![
            (-60_000_000_000_000i64..250_000_000_000_000).prop_map(Timestamp::from_millis),
            (0i64..40_000).prop_map(|days| Timestamp::from_millis(days * 86_400_000)),
        ]),
    ) -> Unit {
        let (district, uplink, feeder) = shared;
        Unit {
            unit: UnitId::parse(&unit).expect("made to the rule"),
            name: name.into(), site, site_type: site_type.into(), city, district,
            address: address.unwrap_or_default().into(), position, crew, uplink, feeder, model: model.unwrap_or_default().into(),
            heartbeat: heartbeat.map(Duration::from_millis), commissioned, contact: contact.unwrap_or_default().into(),
        }
    }
}

/// Something near to a real file, with damage in it: plain random bytes would not get past the first check.
fn damaged(path: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let whole = bytes(path);
    let most = whole.len();
    let damage =
        (0..most, prop_oneof![any::<u8>(), Just(b'"'), Just(b'\n'), Just(b'['), Just(b'{'), Just(b'#'), Just(b'=')]);
    (proptest::collection::vec(damage, 1..12), 0..most, any::<bool>()).prop_map(move |(damage, end, cut)| {
        let mut file = whole.clone();
        for (at, byte) in damage {
            file[at] = byte;
        }
        if cut {
            file.truncate(end);
        }
        file
    })
}

fn nothing_panics(content: &[u8]) {
    let shown = [
        alerts_problems("alerts.toml", content),
        fleet_problems("fleet.csv", content),
        service_problems("buttonwatch.toml", content),
    ];
    for line in shown.iter().flatten().flat_map(Problems::lines) {
        assert!(!line.chars().any(char::is_control), "one line of plain text: {line:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(content in proptest::collection::vec(any::<u8>(), 0..400)) {
        nothing_panics(&content);
    }

    #[test]
    fn no_text_panics(content in "(\\PC|[\\[\\]{}=\"'\n\r\t,;.#]){0,200}") {
        nothing_panics(content.as_bytes());
    }

    #[test]
    fn no_damaged_alerts_panic(content in damaged("alerts.toml")) {
        nothing_panics(&content);
    }

    #[test]
    fn no_damaged_service_file_panics(content in damaged("deploy/buttonwatch.toml")) {
        nothing_panics(&content);
    }

    #[test]
    fn no_damaged_fleet_panics(content in damaged("fixtures/fleets/peshawar.csv")) {
        nothing_panics(&content);
    }

    #[test]
    fn a_fleet_that_is_written_reads_back_the_same(units in proptest::collection::btree_map("[A-Za-z0-9]{1,6}", unit(), 1..8)) {
        let units: Vec<Unit> = units
            .into_iter()
            .map(|(id, unit)| Unit { unit: UnitId::parse(&id).expect("made to the rule"), ..unit })
            .collect();
        let text = write_fleet(&units);
        prop_assert_eq!(check_fleet("fleet.csv", text.as_bytes()).unwrap_or_else(|p| panic!("{p}\n{text}")), units.clone());
        // And through Excel's byte order mark and line ends.
        let excel = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        prop_assert_eq!(check_fleet("fleet.csv", excel.as_bytes()).unwrap_or_else(|p| panic!("{p}\n{excel}")), units);
    }

    #[test]
    fn no_cell_that_is_written_is_a_formula(units in proptest::collection::vec(unit(), 1..4)) {
        let text = write_fleet(&units);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        for record in reader.records() {
            for (column, cell) in record.expect("valid CSV").iter().enumerate() {
                let is_number = cell.parse::<f64>().is_ok();
                let is_degree = column == 7 || column == 8;
                prop_assert!(is_degree && is_number || !cell.starts_with(['=', '+', '-', '@']), "{}", cell);
            }
        }
    }
}
