//! Each scripted fault does what it says, visibly.

use super::*;

#[test]
fn a_dead_unit_says_nothing_until_it_is_repaired_and_then_starts_anew() {
    let (mut world, heard, at) = struck(FaultKind::Dead, hours(5));
    assert!(heard.after(at).said.iter().all(|s| s.unit != UnitIx(0)));
    assert!(heard.after(at).said.iter().any(|s| s.unit == UnitIx(1)));
    assert_eq!(heard.left, vec![(at, UnitIx(0), Leaving::PowerLost)]);
    assert_eq!(heard.wills.len(), 1);
    let boot = heard.of(0, Kind::Heartbeat).last().expect("it lived").boot();
    let now = world.now();
    world.repair(UnitIx(0), Component::Camera, now);
    assert!(listen(&mut world, now + HOUR).of(0, Kind::Status).is_empty(), "another part's repair changes nothing");
    let now = world.now();
    world.repair(UnitIx(0), Component::Controller, now);
    let after = listen(&mut world, now + HOUR);
    assert_eq!(after.of(0, Kind::Selftest)[0].text("/trigger"), "boot");
    assert_eq!(after.of(0, Kind::Heartbeat)[0].boot(), boot + 1);
    let truth = &world.truth()[0];
    assert_eq!((truth.component, truth.from, truth.to), (Some(Component::Controller), at, Some(now)));
    assert_eq!(truth.struck, Struck::Unit(UnitIx(0)));
}

#[test]
fn an_uplink_takes_its_units_down_and_brings_their_late_messages_back() {
    let mut scenario = slow(quiet());
    scenario.link.buffers = Some(true);
    let fleet = fleet(8);
    let text = "[[fault]]\nkind = \"uplink-down\"\nuplink = \"up-1\"\nat = \"2h\"\nlasts = \"1h\"\n";
    scenario.faults = check_scenario("x.toml", text, &fleet).expect("valid").faults;
    let mut world = World::new(&fleet, &scenario, 3, start());
    let heard = listen(&mut world, start() + hours(4));
    let down = start() + hours(2);
    let up = start() + hours(3);
    let left: BTreeSet<u32> = heard.left.iter().map(|(_, u, _)| u.0).collect();
    assert_eq!(left, BTreeSet::from([4, 5, 6, 7]));
    assert!(heard.left.iter().all(|(at, _, l)| *at == down && *l == Leaving::LinkLost));
    for unit in 4..8 {
        assert!(!heard.said.iter().any(|s| s.unit == UnitIx(unit) && s.at > down && s.at < up));
        let late = heard.said.iter().filter(|s| {
            s.unit == UnitIx(unit) && s.at > up && s.ts() < up && s.at.since(s.ts()) > Duration::from_secs(10)
        });
        assert!(late.count() >= 20, "what it said meanwhile arrives with its own time");
    }
    assert!(heard.of(0, Kind::Heartbeat).iter().any(|s| s.at > down && s.at < up), "the other uplink goes on");
    let truth = world.truth();
    assert_eq!(truth.len(), 1);
    assert_eq!((truth[0].from, truth[0].to, truth[0].units.len()), (down, Some(up), 4));
}

#[test]
fn a_feeder_cut_is_seen_by_its_units_alone() {
    let mut scenario = slow(quiet());
    let fleet = fleet(10);
    let text = "[[fault]]\nkind = \"feeder-cut\"\nfeeder = \"feed-1\"\nat = \"2h\"\nlasts = \"90m\"\n";
    scenario.faults = check_scenario("x.toml", text, &fleet).expect("valid").faults;
    let mut world = World::new(&fleet, &scenario, 3, start());
    let heard = listen(&mut world, start() + hours(5));
    for unit in 0..10 {
        let dark = heard.of(unit, Kind::Power).iter().filter(|s| s.json["mains"] == Value::Bool(false)).count();
        assert_eq!(dark > 0, unit >= 5, "unit {unit}: {dark}");
        if unit >= 5 {
            let in_cut = heard.of(unit, Kind::Power).into_iter().find(|s| s.json["mains"] == Value::Bool(false));
            let in_cut = in_cut.expect("dark");
            assert!(in_cut.number("/charge_a") < -0.3 && in_cut.number("/mains_v") == 0.0);
        }
    }
}

fn last_test(heard: &Heard) -> &Said {
    heard.said.iter().rfind(|s| s.unit == UnitIx(0) && s.kind == Kind::Selftest).expect("a self-test")
}

#[test]
fn camera_faults_show_in_the_next_self_tests() {
    let (_, heard, at) = struck(FaultKind::CameraBlocked, DAY * 2);
    let tests = heard.after(at);
    assert!(tests.of(0, Kind::Selftest).len() >= 2);
    for test in tests.of(0, Kind::Selftest).iter().filter(|t| t.json["results"].get("camera").is_some()) {
        assert_eq!(test.text("/results/camera/result"), "fail");
        assert_eq!(test.text("/results/camera/code"), "blocked");
        assert!(test.number("/results/camera/sharpness") < 10.0 && test.number("/results/camera/changed_pct") > 90.0);
    }
    assert!(tests.of(1, Kind::Selftest).iter().all(|t| t.text("/results/camera/result") != "fail"));

    let (_, heard, _) = struck(FaultKind::CameraFrozen, DAY * 2);
    assert_eq!(last_test(&heard).text("/results/camera/code"), "frozen");
    assert!(last_test(&heard).number("/results/camera/frozen_frames") > 100.0);

    let (world, heard, at) = struck(FaultKind::CameraGlitch, DAY * 4);
    let after = heard.after(at);
    let results: Vec<&str> = after
        .of(0, Kind::Selftest)
        .iter()
        .filter(|t| t.json["results"].get("camera").is_some())
        .map(|t| t.text("/results/camera/result"))
        .collect();
    assert_eq!(results[0], "fail");
    assert!(results.len() >= 3 && results[1..].iter().all(|r| *r == "pass"), "{results:?}");
    assert!(world.truth()[0].to.is_some() && world.truth()[0].component.is_none());
}

/// (at, mode, sharpness) of the first unit.
fn sharpness(heard: &Heard) -> Vec<(Timestamp, String, f64)> {
    heard
        .of(0, Kind::Selftest)
        .iter()
        .filter(|t| t.json["results"].get("camera").is_some())
        .map(|t| (t.at, t.text("/results/camera/mode").to_owned(), t.number("/results/camera/sharpness")))
        .collect()
}

#[test]
fn sharpness_holds_within_five_percent_until_dust_takes_it_down_over_weeks() {
    let mut scenario = slow(quiet());
    scenario.cadence.selftest = Some(hours(6));
    let (_, healthy, _) = struck_in(scenario.clone(), FaultKind::NoTestPresses, DAY * 20);
    for mode in ["day", "ir"] {
        let values: Vec<f64> = sharpness(&healthy).into_iter().filter(|s| s.1 == mode).map(|s| s.2).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        assert!(values.len() > 10 && values.iter().all(|v| (v / mean - 1.0).abs() < 0.07), "{mode}: {values:?}");
    }
    let kind = FaultKind::CameraDirty { over: DAY * 21, left_pct: 20.0 };
    let (mut world, dusty, at) = struck_in(scenario, kind, DAY * 22);
    let day: Vec<f64> = sharpness(&dusty).into_iter().filter(|s| s.1 == "day").map(|s| s.2).collect();
    let ratio = day[day.len() - 1] / day[0];
    assert!((0.17..0.23).contains(&ratio), "{ratio} of its sharpness after three weeks");
    assert!(day.windows(8).all(|w| w[7] < w[0]), "it falls steadily");
    assert!(dusty.after(at).of(0, Kind::Selftest).iter().all(|t| t.text("/results/camera/result") == "pass"));
    let now = world.now();
    world.repair(UnitIx(0), Component::Camera, now);
    let clean = listen(&mut world, now + DAY * 2);
    let again = sharpness(&clean).into_iter().find(|s| s.1 == "day").expect("a day test").2;
    assert!((again / day[0] - 1.0).abs() < 0.12, "wiped clean: {again} of {}", day[0]);
}

#[test]
fn fog_blurs_everyone_and_breaks_nothing() {
    let mut scenario = slow(quiet());
    scenario.cadence.selftest = Some(hours(1));
    let mut world = World::new(&fleet(4), &scenario, 6, start());
    let before = listen(&mut world, start() + hours(2));
    world.inject(&Fault::now(FaultName::Fog.usual(), Target::All), start() + hours(2));
    let during = listen(&mut world, start() + hours(3) + Duration::from_secs(1800));
    for unit in 0..4 {
        let figure = |h: &Heard| h.of(unit, Kind::Selftest).last().expect("a test").number("/results/camera/sharpness");
        let ratio = figure(&during) / figure(&before);
        assert!((0.15..0.7).contains(&ratio), "{ratio}");
    }
    assert!(during.said.iter().all(|s| s.text("/results/camera/result") != "fail"));
    assert!(world.truth().iter().all(|t| t.component.is_none()));
}

#[test]
fn sound_stream_and_button_faults_fail_their_own_tests_only() {
    let others = |test: &Said, own: &[&str]| {
        for (component, result) in test.json["results"].as_object().expect("results") {
            if !own.contains(&component.as_str()) {
                assert_eq!(result["result"], "pass", "{component} of {}", test.json);
            }
        }
    };
    let (_, heard, _) = struck(FaultName::MicrophoneDeaf.usual(), DAY * 2);
    let before = heard.of(0, Kind::Selftest)[0].number("/results/microphone/tone_snr_db");
    let deaf = heard.of(0, Kind::Selftest).into_iter().rfind(|t| t.text("/results/microphone/result") == "fail");
    let deaf = deaf.expect("a failed microphone test");
    assert!(before - deaf.number("/results/microphone/tone_snr_db") > 10.0);
    assert_eq!(deaf.text("/results/speaker/result"), "skipped", "a deaf microphone cannot hear the speaker");

    let mut scenario = slow(quiet());
    scenario.cadence.selftest = Some(hours(1));
    let (world, heard, at) = struck_in(scenario, FaultKind::Loud, hours(5));
    assert!(heard.after(at).of(0, Kind::Selftest).iter().all(|t| {
        t.text("/results/microphone/result") == "inconclusive" && t.number("/results/microphone/ambient_dbfs") > -40.0
    }));
    assert_eq!(world.truth()[0].component, None);

    let (_, heard, _) = struck(FaultKind::SpeakerDead, DAY * 2);
    let test = heard.of(0, Kind::Selftest).into_iter().rfind(|t| t.text("/results/speaker/result") == "fail");
    others(test.expect("a failed speaker test"), &["speaker", "microphone"]);

    let (_, heard, at) = struck(FaultKind::StreamBroken, DAY * 2);
    let test = heard.of(0, Kind::Selftest).into_iter().rfind(|t| t.text("/results/stream/result") == "fail");
    others(test.expect("a failed stream test"), &["stream", "microphone"]);
    assert!(heard.after(at).of(0, Kind::Heartbeat).len() > 500, "heartbeats go on");

    let (mut world, heard, at) = struck(FaultKind::ButtonStuck, hours(30));
    let test = heard.of(0, Kind::Selftest).into_iter().rfind(|t| t.text("/results/button/result") == "fail");
    let test = test.expect("a failed button test");
    assert_eq!(test.json["results"]["button"]["stuck"], true);
    others(test, &["button", "microphone"]);
    let held: Vec<f64> = heard.after(at).of(0, Kind::Press).iter().map(|p| p.number("/held_ms")).collect();
    assert!(held[0] < 5_000.0 && held[1] > 60_000.0 && held.windows(2).all(|w| w[1] > w[0]), "{:?}", &held[..4]);
    let now = world.now();
    world.repair(UnitIx(0), Component::Button, now);
    let after = listen(&mut world, now + HOUR);
    let presses = after.of(0, Kind::Press);
    assert_eq!(presses.len(), 1, "the crew presses once");
    assert_eq!(presses[0].text("/kind"), "test");
}

#[test]
fn presses_flood_or_fail_to_come() {
    let (world, heard, at) = struck(FaultName::PressFlood.usual(), hours(2));
    let real = heard.after(at).of(0, Kind::Press).iter().filter(|p| p.text("/kind") == "real").count();
    assert!((28..=34).contains(&real), "{real} presses in an hour");
    assert_eq!(world.truth()[0].to, Some(at + HOUR));

    let (_, heard, at) = struck(FaultKind::NoTestPresses, DAY * 60);
    assert!(heard.after(at).of(0, Kind::Press).is_empty());
    assert!(heard.after(at).of(1, Kind::Press).len() >= 2);
}

#[test]
fn a_weak_battery_dies_in_a_cut_that_a_healthy_one_survives() {
    let mut scenario = slow(quiet());
    scenario.cadence.power = Duration::from_secs(60);
    scenario.load_shedding.all = Some(Timetable { hours: 4.0, cuts: 1, jitter_ms: 0, unannounced: 0.0 });
    let (mut world, heard, _) = struck_in(scenario, FaultName::BatteryWeak.usual(), DAY * 3);
    let died: Vec<&(Timestamp, UnitIx, Leaving)> = heard.left.iter().collect();
    assert!(!died.is_empty() && died.iter().all(|(_, u, l)| *u == UnitIx(0) && *l == Leaving::PowerLost));
    let falling: Vec<f64> = heard
        .of(0, Kind::Power)
        .into_iter()
        .filter(|s| s.json["mains"] == Value::Bool(false) && s.at < died[0].0)
        .map(|s| s.number("/battery_v"))
        .collect();
    let last = falling[falling.len() - 1];
    assert!((11.0..11.5).contains(&last), "the last word before it dies: {last} V");
    let boots: BTreeSet<u64> = heard.of(0, Kind::Heartbeat).iter().map(|s| s.boot()).collect();
    assert!(boots.len() >= 2, "it starts anew when the mains return");
    let now = world.now();
    world.repair(UnitIx(0), Component::Battery, now);
    let after = listen(&mut world, now + DAY * 3);
    assert!(after.left.is_empty(), "a new battery survives");
}

#[test]
fn a_fading_battery_falls_lower_at_each_cut_before_it_dies() {
    let mut scenario = slow(quiet());
    scenario.cadence.power = Duration::from_secs(60);
    scenario.cadence.heartbeat = Some(hours(6));
    scenario.load_shedding.all = Some(Timetable { hours: 4.0, cuts: 1, jitter_ms: 0, unannounced: 0.0 });
    let (world, heard, at) = struck_in(scenario, FaultKind::BatteryFading { per_day_pct: 4.0 }, DAY * 26);
    let died = heard.left.first().expect("it dies in the end").0;
    let mut lowest: BTreeMap<u64, f64> = BTreeMap::new();
    for said in heard.of(0, Kind::Power).iter().filter(|s| s.at < died && s.json["mains"] == Value::Bool(false)) {
        let day = said.at.since(at).as_secs() / 86_400;
        let low = lowest.entry(day).or_insert(f64::MAX);
        *low = low.min(said.number("/battery_v"));
    }
    let days: Vec<f64> = lowest.into_values().collect();
    assert!(days.len() >= 8, "{days:?}");
    assert!(days.windows(4).all(|w| w[3] < w[0]), "{days:?}");
    assert!(world.inspect(UnitIx(0)).health < 0.3);
}

#[test]
fn a_dead_charger_empties_the_battery_with_the_mains_on() {
    let (mut world, heard, at) = struck(FaultName::ChargerDead.usual(), DAY * 3);
    let after = heard.after(at);
    let power = after.of(0, Kind::Power);
    assert!(power.iter().all(|s| s.json["mains"] == Value::Bool(true) && s.number("/charge_a") < 0.0));
    assert_eq!(heard.left.len(), 1, "it empties, once");
    let now = world.now();
    world.repair(UnitIx(0), Component::Charger, now);
    let repaired = listen(&mut world, now + hours(2));
    let charging = repaired.of(0, Kind::Power);
    assert!(charging.last().expect("it is back").number("/charge_a") > 0.5);

    let (_, heard, at) = struck(FaultKind::ChargerDead { carries_load: true }, DAY * 3);
    assert!(heard.left.is_empty());
    let after = heard.after(at + HOUR);
    let resting = after.of(0, Kind::Power);
    assert!(resting.iter().all(|s| s.number("/charge_a").abs() < 0.05 && s.number("/battery_v") < 13.6));
}

#[test]
fn mains_lost_on_one_unit_leaves_its_feeder_alone() {
    let (_, heard, at) = struck(FaultKind::LocalMainsLost, hours(1));
    let after = heard.after(at + Duration::from_secs(5));
    assert!(after.of(0, Kind::Power).iter().all(|s| s.json["mains"] == Value::Bool(false)));
    assert!(after.of(1, Kind::Power).iter().all(|s| s.json["mains"] == Value::Bool(true)));
}

#[test]
fn reboots_clocks_lids_and_heat_show_in_the_heartbeat() {
    let (_, heard, at) = struck(FaultName::RebootLoop.usual(), hours(1));
    let after = heard.after(at);
    let boots: BTreeSet<u64> = after.of(0, Kind::Heartbeat).iter().map(|s| s.boot()).collect();
    assert!(boots.len() >= 4, "{boots:?}");

    let (_, heard, at) = struck(FaultName::ClockOff.usual(), hours(1));
    for said in heard.after(at).of(0, Kind::Heartbeat) {
        let ahead = said.ts().as_millis() - said.at.as_millis();
        assert!((595_000..605_000).contains(&ahead), "{ahead} ms");
    }
    let (_, heard, at) = struck(FaultKind::ClockOff { by_ms: -600_000 }, hours(1));
    assert!(heard.after(at).of(0, Kind::Power).iter().all(|s| s.at.since(s.ts()) > Duration::from_secs(590)));

    let (_, heard, at) = struck(FaultKind::Tamper, hours(1));
    assert!(heard.after(at).of(0, Kind::Heartbeat).iter().all(|s| s.json["tamper"] == true));
    assert!(heard.of(1, Kind::Heartbeat).iter().all(|s| s.json["tamper"] == false));

    let (_, heard, at) = struck(FaultName::Overheat.usual(), hours(1));
    assert!(heard.after(at).of(0, Kind::Heartbeat).iter().all(|s| s.number("/temp_c") >= 70.0));

    let (_, heard, at) = struck(FaultKind::BootReset, hours(1));
    assert!(heard.of(0, Kind::Heartbeat)[0].boot() > 1 && heard.after(at).of(0, Kind::Heartbeat)[0].boot() == 1);
}

#[test]
fn a_lossy_link_loses_a_fifth_and_is_never_silent() {
    let (_, heard, at) = struck_in(quiet(), FaultName::LossyLink.usual(), hours(20));
    let after = heard.after(at);
    let first = after.said.iter().find(|s| s.unit == UnitIx(0)).expect("heard").seq();
    let said: Vec<&Said> = after.said.iter().filter(|s| s.unit == UnitIx(0)).collect();
    let last = said[said.len() - 1].seq();
    let loss = 1.0 - said.len() as f64 / (last - first + 1) as f64;
    assert!((0.14..0.23).contains(&loss), "{loss}");
    let beats = after.of(0, Kind::Heartbeat);
    assert!(beats.windows(2).all(|w| w[1].at.since(w[0].at) < Duration::from_secs(93)), "never three in a row");
}

#[test]
fn a_flapping_link_goes_and_comes_every_three_minutes() {
    let (_, heard, at) = struck_in(quiet(), FaultName::FlappingLink.usual(), hours(1));
    let gone = heard.left.iter().filter(|(_, u, _)| *u == UnitIx(0)).count();
    assert!((19..=21).contains(&gone), "{gone} times in an hour");
    let back = heard.connected.iter().filter(|(t, u)| *t > at && *u == UnitIx(0)).count();
    assert!(gone - back <= 1);
}

#[test]
fn a_scrambled_link_sends_twice_late_and_out_of_order() {
    let (_, heard, at) = struck_in(quiet(), FaultKind::ScrambledLink, hours(3));
    let after = heard.after(at);
    let numbers: Vec<u64> = after.said.iter().filter(|s| s.unit == UnitIx(0)).map(|s| s.seq()).collect();
    let twice = numbers.len() - numbers.iter().collect::<BTreeSet<_>>().len();
    assert!(twice > 20, "{twice} duplicates");
    let swapped = numbers.windows(2).filter(|w| w[1] < w[0]).count();
    assert!(swapped > 20, "{swapped} out of order");
    let (low, high) = (numbers.iter().min().expect("some"), numbers.iter().max().expect("some"));
    let missing = (low + 1..high - 2).filter(|n| !numbers.contains(n)).count();
    assert_eq!(missing, 0, "nothing is lost");
}

#[test]
fn a_unit_obeys_its_commands_within_seconds() {
    let mut world = World::new(&fleet(4), &quiet(), 2, start());
    let now = start() + hours(1);
    let before = listen(&mut world, now);
    let ask =
        |id: &str, act, components: Vec<Component>, expires| Command { id: id.to_owned(), act, components, expires };
    world.command(UnitIx(0), ask("a", Do::Selftest, vec![Component::Camera], Timestamp::MAX), now);
    world.command(UnitIx(1), ask("b", Do::Reboot, vec![], Timestamp::MAX), now);
    world.command(UnitIx(2), ask("c", Do::Locate, vec![], Timestamp::MAX), now);
    world.command(UnitIx(3), ask("d", Do::Selftest, vec![], now - HOUR), now);
    let heard = listen(&mut world, now + Duration::from_secs(60));
    let test = heard.of(0, Kind::Selftest);
    assert_eq!(test.len(), 1);
    assert_eq!((test[0].text("/id"), test[0].text("/trigger")), ("a", "command"));
    assert!(test[0].at.since(now) < Duration::from_secs(6));
    assert_eq!(test[0].json["results"].as_object().map(|r| r.len()), Some(1), "only the camera was asked");
    assert_eq!(heard.of(0, Kind::Reply)[0].json["ok"], true);
    assert_eq!(heard.left, vec![(heard.left[0].0, UnitIx(1), Leaving::Clean)]);
    assert_eq!(heard.of(1, Kind::Status)[0].text("/reason"), "reboot");
    let boot = before.of(1, Kind::Heartbeat)[0].boot();
    assert_eq!(heard.of(1, Kind::Heartbeat).last().expect("back").boot(), boot + 1);
    assert_eq!(heard.of(2, Kind::Reply).len(), 1);
    assert_eq!(
        (&heard.of(3, Kind::Reply)[0].json["ok"], heard.of(3, Kind::Reply)[0].text("/error")),
        (&Value::Bool(false), "expired")
    );
    assert!(heard.of(3, Kind::Selftest).is_empty());
}

#[test]
fn random_faults_strike_distinct_units_and_leave_their_truth() {
    let fleet = fleet(40);
    let text = "[[fault]]\nkind = \"dead\"\ncount = 5\nat = \"1h..20h\"\nlasts = \"30m..2h\"\n\
                [[fault]]\nkind = \"tamper\"\ncount = 5\nat = \"1h..20h\"\n";
    let mut scenario = slow(quiet());
    scenario.faults = check_scenario("x.toml", text, &fleet).expect("valid").faults;
    let mut world = World::new(&fleet, &scenario, 77, start());
    listen(&mut world, start() + DAY);
    let truth = world.truth();
    let units: BTreeSet<UnitIx> = truth.iter().flat_map(|t| t.units.clone()).collect();
    assert_eq!((truth.len(), units.len()), (10, 10), "no unit twice");
    for t in &truth {
        assert!(t.from >= start() + HOUR && t.from <= start() + hours(20));
        match t.to {
            Some(to) => {
                assert_eq!(t.component, Some(Component::Controller));
                assert!(to.since(t.from) >= HOUR / 2 && to.since(t.from) <= HOUR * 2);
            }
            None => assert_eq!(t.component, Some(Component::Enclosure)),
        }
    }
}
