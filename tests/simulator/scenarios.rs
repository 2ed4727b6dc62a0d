//! Scenario files: all mistakes at once, and the ones in the repository.

use super::*;

#[test]
fn a_broken_scenario_shows_all_its_mistakes_with_their_remedies() {
    let text = r#"
[wether]
fog = 1

[weather]
fog_days_per_year = 400
warmer = 3

[cadence]
heartbeat = "soon"
power = "1ms"

[load_shedding]
cuts_per_day = 6

[[load_shedding.feeder]]
name = "feed-O"
hours_per_day = 6

[presses]
test_every = 30

[battery]
chemistry = "nuclear"

[[fault]]
kind = "camera-durty"
unit = "PSH-001"

[[fault]]
kind = "dead"
unit = "PSH-01"
lats = "30m"

[[fault]]
kind = "uplink-down"
unit = "PSH-001"

[[fault]]
kind = "dead"

[[fault]]
kind = "overheat"
unit = "PSH-001"
count = 3
celsius = "hot"

[[fault]]
kind = "clock-off"
at = "2h..1h"
by = "a bit"
all = false

[[fault]]
at = 2026-11-21
unit = 17
"#;
    let problems = check_scenario("broken.toml", text, &fleet(8)).expect_err("it is broken");
    let shown: Vec<String> = problems.iter().map(|p| p.to_string()).collect();
    insta::assert_snapshot!(shown.join("\n"));
    let problems = check_scenario("torn.toml", "[cadence\nheartbeat = 1s\n[[fault]]\nkind = \"dead", &fleet(8));
    let shown: Vec<String> = problems.expect_err("torn").iter().map(|p| p.to_string()).collect();
    insta::assert_snapshot!("torn_scenario", shown.join("\n"));
}

#[test]
fn the_quick_scenario_shows_its_faults_within_its_first_minute() {
    let fleet = fleet(68);
    let text = include_str!("../../fixtures/scenarios/quick.toml");
    let scenario = check_scenario("quick.toml", text, &fleet).expect("valid");
    let mut world = World::new(&fleet, &scenario, 1, start());
    let heard = listen(&mut world, start() + Duration::from_secs(60));
    let tired = fleet.find("PSH-017").expect("it is in the fleet").0;
    let low = heard.of(tired, Kind::Power).into_iter().find(|s| s.number("/battery_v") < 11.6).expect("low");
    assert!(low.at < start() + Duration::from_secs(25), "{}", low.at);
    assert_eq!(low.json["mains"], false);
    let mut kinds: Vec<FaultName> = world.truth().iter().map(|t| t.kind.name()).collect();
    kinds.sort();
    assert_eq!(kinds.len(), 6, "{kinds:?}");
    assert!(heard.said.iter().any(|s| s.text("/results/camera/code") == "blocked"));
    assert!(heard.left.iter().any(|(_, _, l)| *l == Leaving::PowerLost));
    assert!(heard.left.iter().filter(|(_, _, l)| *l == Leaving::LinkLost).count() >= 4);
}

#[test]
fn the_scenarios_in_the_repository_are_valid() {
    let fleet = fleet(68);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("readable").path();
        let text = std::fs::read_to_string(&path).expect("readable");
        if let Err(problems) = check_scenario(&path.to_string_lossy(), &text, &fleet) {
            panic!("{}", problems.iter().map(|p| p.to_string()).collect::<Vec<_>>().join("\n"));
        }
        seen += 1;
    }
    assert!(seen >= 3);
}
