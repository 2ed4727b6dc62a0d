//! What a person reads who made a mistake in one of the three files: one fixture per fault, named by it, and the exact
//! text that is answered. Then what must hold for any file: nothing panics, and what is written reads back the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use buttonwatch::config::{Problems, ServiceConfig, check_alerts, check_fleet, check_service, read_text, write_fleet};
use buttonwatch::domain::metric::Metric;
use buttonwatch::domain::rule::{
    Condition, Distance, ForecastLimit, KnownSign, MetricRef, ReadinessEffect, Side, Sign,
};
use buttonwatch::domain::{
    City, CrewId, District, FeederId, Fleet, GroupKind, Priority, RuleId, SiteId, Timestamp, Unit, UnitId, UplinkId,
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
    let asks = |metric: Metric| {
        let reads =
            |c: &Condition| matches!(c, Condition::Threshold { metric: MetricRef::Known(m), .. } if *m == metric);
        set.rules.iter().any(|r| r.condition.leaves().into_iter().any(reads))
    };
    assert!(!asks(Metric::MainsPresent) && !asks(Metric::CutMinutes), "load-shedding is no fault");
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

/// The example block of DESIGN §5, to the letter.
const DESIGN: &str = r#"[[rule]]
id = "unit-silent"
component = "uplink"
severity = "critical"
silent = { kind = "heartbeat", missed = 3 }
summary = "no heartbeat for {for}"
order = { priority = "P1", after = "5m", action = "Check power at the pole, then the link", parts = ["SIM", "4G modem"] }

[[rule]]
id = "battery-low"
component = "battery"
severity = "major"
metric = "battery.voltage"
below = 11.6            # V
clear_above = 12.2
for = "5m"
clear_for = "10m"

[[rule]]
id = "camera-failed"
component = "camera"
result = { test = "camera", is = "fail", consecutive = 3 }

[[rule]]
id = "lens-dirty"
component = "camera"
metric = "camera.sharpness"
below_baseline = "40%"          # of this unit's own commissioning value, day and infrared apart
consecutive = 3

[[rule]]
id = "lens-needs-cleaning"
component = "camera"
forecast = { metric = "camera.sharpness", below_baseline = "40%", within = "14d" }

[[rule]]
id = "reboot-loop"
component = "controller"
count = { event = "boot", at_least = 3, within = "1h" }

[[rule]]
id = "press-test-overdue"
component = "button"
overdue = { event = "press-test", every = "30d" }

[[rule]]
id = "wont-survive-this-cut"
component = "battery"
metric = "battery.margin"       # predicted runtime left minus the feeder's expected time to mains
below = "0h"

[[incident]]
id = "uplink-down"
group_by = "uplink"             # uplink | feeder | site | city | fleet
of = "unit-silent"
at_least = 2
fraction = 0.6
inhibits = ["unit-silent"]
order = { crew = "network", priority = "P1", action = "Restore the uplink" }

[[diagnosis]]
id = "battery-exhausted"
seen = ["on-battery", "battery-low", "unit-silent"]   # in this order, within 6 h
suspects = [{ component = "battery", certainty = 80 }, { component = "charger", certainty = 20 }]
"#;

#[test]
fn the_designs_example_is_read_whole() {
    let set = check_alerts("alerts.toml", DESIGN).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!((set.rules.len(), set.incidents.len(), set.diagnoses.len()), (8, 1, 1));
    let rule = |id: &str| set.rules.iter().find(|r| r.id.as_str() == id).unwrap_or_else(|| panic!("{id}"));
    let share = |part| Distance::Share(part);
    let Condition::Baseline { metric, side, limit, clear, consecutive } = &rule("lens-dirty").condition else {
        panic!("{:?}", rule("lens-dirty"))
    };
    assert_eq!((*metric, *side, *limit, *consecutive), (Metric::CameraSharpness, Side::Below, share(0.4), 3));
    assert!(matches!(clear, Distance::Share(part) if (part - 0.6).abs() < 1e-9), "a third of the way back: {clear:?}");
    assert_eq!(
        rule("lens-needs-cleaning").condition,
        Condition::Forecast {
            metric: Metric::CameraSharpness,
            side: Side::Below,
            limit: ForecastLimit::Baseline(share(0.4)),
            within: Duration::from_secs(14 * 86_400),
            watch: buttonwatch::domain::rule::WEATHER,
        }
    );
    assert_eq!(rule("lens-needs-cleaning").readiness, ReadinessEffect::Unchanged, "it works today");
    let sign = |id: &str| Sign::Rule(RuleId::parse(id).expect("a rule id"));
    let diagnosis = &set.diagnoses[0];
    assert_eq!(diagnosis.seen, [Sign::Known(KnownSign::OnBattery), sign("battery-low"), sign("unit-silent")]);
    assert_eq!(diagnosis.within, Duration::from_secs(6 * 3600));
    assert_eq!(diagnosis.suspects.iter().map(|s| s.certainty).collect::<Vec<_>>(), [80, 20]);
}

#[test]
fn every_kind_of_sign_can_be_written_alone_and_as_a_part() {
    let text = r#"
[[rule]]
id = "tone-weak"
component = "microphone"
metric = "microphone.tone"
below_baseline = "9 dB"
unless = { metric = "microphone.ambient", above = "-38 dBFS" }

[[rule.override]]
only = { site_type = ["bus-terminal"] }
below_baseline = 12
clear_above_baseline = "9 dB"
consecutive = 5

[[rule]]
id = "stream-slow"
component = "stream"
metric = "stream.connect_ms"
above_baseline = "300%"
clear_below_baseline = "150%"
consecutive = 3

[[rule]]
id = "stream-slower"
component = "stream"
metric = "stream.connect_ms"
above_baseline = "3s"

[[rule]]
id = "heats-up"
component = "enclosure"
metric = "enclosure.temperature"
rate = { above = "10 °C", per = "1h", over = "30m" }

[[rule.override]]
only = { model = ["PB-2"] }
rate = { above = 15 }

[[rule]]
id = "signal-fades"
component = "uplink"
metric = "link.rssi"
rate = { below = "-6 dB", per = "1d" }

[[rule]]
id = "battery-fading"
component = "battery"
severity = "minor"
forecast = { metric = "battery.health", below = 60, within = "21d" }
summary = "worn out on {date}: {value} now"

[[rule]]
id = "tests-old"
component = "controller"
metric = "selftest.age"
above = "36h"

[[rule]]
id = "cut-here"
component = "mains"
metric = "power.local_cut_minutes"
above = "20m"
order = { priority = "P2", per_site = true }

[[rule]]
id = "all-of-them"
component = "controller"
any = [
  { silent = { missed = 3 } },
  { all = [
    { metric = "battery.margin", below = -0.25, clear_above = 0 },
    { any = [{ result = { test = "camera" } }, { metric = "camera.sharpness", below_baseline = "40%" }] },
  ] },
  { count = { event = "boot", at_least = 3, within = "1h" } },
  { overdue = { event = "selftest", every = "36h", from = "last" } },
  { forecast = { metric = "battery.health", below = 60, within = "21d" } },
  { metric = "enclosure.temperature", rate = { above = 10, per = "1h" }},
]
for = "10m"
unless = [{ metric = "power.cut_ratio", above = 1.2 }, { metric = "x.humidity", above = 95 }]

[[rule.override]]
only = { site_type = ["park"] }
for = "20m"

[[rule]]
id = "both-foreseen"
component = "battery"
all = [
  { forecast = { metric = "battery.health", below = 60, within = "21d" } },
  { forecast = { metric = "microphone.tone", below_baseline = "10 dB", within = "21d" } },
]

[[incident]]
id = "feeder-dark"
group_by = "feeder"
of = ["cut-here", "tests-old"]
wait = "45m"

[[diagnosis]]
id = "rebooted-then-cut"
seen = ["boot", "battery-nearly-empty", "tests-old", "cut-here"]
within = "1d"
suspects = [{ component = "mains", certainty = 100 }]
action = "Check the fuse"
parts = ["fuse"]
"#;
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

/// TOML that parses, of words that alerts.toml knows, in places where they may not stand.
fn jumbled_alerts() -> impl Strategy<Value = String> {
    const KEYS: &[&str] = &[
        "id",
        "component",
        "severity",
        "for",
        "clear_for",
        "unless",
        "summary",
        "order",
        "readiness",
        "only",
        "override",
        "silent",
        "missed",
        "slack",
        "kind",
        "metric",
        "below",
        "above",
        "clear_above",
        "clear_below",
        "consecutive",
        "below_baseline",
        "above_baseline",
        "clear_above_baseline",
        "clear_below_baseline",
        "rate",
        "per",
        "over",
        "forecast",
        "within",
        "result",
        "test",
        "is",
        "count",
        "event",
        "at_least",
        "overdue",
        "every",
        "from",
        "all",
        "any",
        "group_by",
        "of",
        "fraction",
        "inhibits",
        "wait",
        "seen",
        "suspects",
        "certainty",
        "parts",
        "per_site",
    ];
    const WORDS: &[&str] = &[
        "a",
        "b",
        "battery",
        "camera.sharpness",
        "microphone.tone",
        "battery.voltage",
        "stream.loss",
        "stream.connect_ms",
        "power.cut_minutes",
        "enclosure.tamper",
        "x.y",
        "40%",
        "150%",
        "-5%",
        "NaN%",
        "inf%",
        "10 dB",
        "1e308 dB",
        "-1 V",
        "1h",
        "30d",
        "0s",
        "14d",
        "service",
        "last",
        "boot",
        "on-battery",
        "press-test",
        "uplink",
        "{value}",
        "{date}",
        "",
        "é%",
        "ا %",
        "% ",
        "dB",
    ];
    let leaf = prop_oneof![
        proptest::sample::select(WORDS).prop_map(|w| format!("\"{w}\"")),
        prop_oneof![
            Just(0.4),
            Just(-10.0),
            Just(1e308),
            Just(-0.0),
            any::<f64>().prop_filter("finite", |n| n.is_finite())
        ]
        .prop_map(|n| format!("{n:?}")),
        any::<i64>().prop_map(|n| n.to_string()),
        (0i64..20).prop_map(|n| n.to_string()),
        Just("nan".to_owned()),
        Just("-inf".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
    ];
    let group =
        |inner: BoxedStrategy<String>| proptest::collection::btree_map(proptest::sample::select(KEYS), inner, 0..6);
    let value = leaf.prop_recursive(5, 40, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|parts| format!("[{}]", parts.join(", "))),
            group(inner.boxed()).prop_map(|keys| {
                let parts: Vec<String> = keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
                format!("{{ {} }}", parts.join(", "))
            }),
        ]
    });
    let block = proptest::sample::select(&["rule", "rule", "rule", "incident", "diagnosis"][..]);
    proptest::collection::vec((block, group(value.boxed())), 1..5).prop_map(|blocks| {
        let mut text = String::new();
        for (block, keys) in blocks {
            text.push_str(&format!("[[{block}]]\n"));
            for (key, value) in keys {
                text.push_str(&format!("{key} = {value}\n"));
            }
        }
        text
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
    fn no_jumble_of_known_words_panics(content in jumbled_alerts()) {
        nothing_panics(content.as_bytes());
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
