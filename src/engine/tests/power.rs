//! A battery that runs empty in a cut, against batteries, links and feeders that only look like it. The default rules.

use super::rig::*;
use crate::config::default_rules;
use crate::domain::message::{Body, Heartbeat, Power};
use crate::domain::{Hearing, OrderMove};

const MINUTE: i64 = 60;

/// Two hours with mains, so that all are known, and then a cut on the first site's feeder.
struct Cut {
    rig: Rig,
    at: i64,
    /// How fast A1's volts fall, in volts a minute; the others' hardly do.
    falls: f64,
    others_fall: f64,
    boot: u32,
    dead: bool,
    /// One after the other from then on, a minute apart.
    others_die: Option<i64>,
    gone: &'static [&'static str],
}

const BEGINS: i64 = 2 * HOUR;

impl Cut {
    fn new(falls: f64) -> Cut {
        let mut rig = Rig::with(default_rules());
        rig.hearing(0, Hearing::Start);
        let mut cut = Cut { rig, at: 0, falls, others_fall: 0.001, boot: 1, dead: false, others_die: None, gone: &[] };
        cut.go(BEGINS, None);
        cut
    }

    fn a1(&mut self, body: Body) {
        let everyone = std::mem::replace(&mut self.rig.boot, self.boot);
        self.rig.say(self.at, "A1", body);
        self.rig.boot = everyone;
    }

    /// Heartbeats each half minute, power each five; `dark` since then: the feeder of site A has no mains.
    fn go(&mut self, until: i64, dark: Option<i64>) {
        while self.at < until {
            for unit in ALL {
                let nth = i64::from(unit.as_bytes()[1] - b'1');
                let gone = self.others_die.is_some_and(|from| self.at >= from + nth * MINUTE);
                if self.gone.contains(&unit) || unit == "A1" && self.dead || unit.starts_with('A') && nth > 0 && gone {
                    continue;
                }
                let power = (self.at % (5 * MINUTE) == 0 || dark == Some(self.at)).then(|| {
                    let here = dark.filter(|_| unit.starts_with('A'));
                    let minutes = here.map(|since| (self.at - since) as f64 / 60.0);
                    let fall = if unit == "A1" { self.falls } else { self.others_fall };
                    Body::Power(Power {
                        mains: Some(here.is_none()),
                        battery_v: Some(minutes.map_or(13.7, |m| 12.7 - fall * m)),
                        charge_a: Some(if here.is_some() { -0.5 } else { 0.0 }),
                        ..Power::default()
                    })
                });
                let beat = Body::Heartbeat(Heartbeat::default());
                if unit == "A1" {
                    self.a1(beat);
                    if let Some(power) = power {
                        self.a1(power);
                    }
                } else {
                    self.rig.say(self.at, unit, beat);
                    if let Some(power) = power {
                        self.rig.say(self.at, unit, power);
                    }
                }
            }
            self.at += 30;
        }
        self.rig.to(self.at);
    }
}

#[test]
fn a_battery_that_ran_empty_is_ordered_although_the_button_is_back_with_the_mains() {
    let mut cut = Cut::new(0.05);
    cut.go(BEGINS + 25 * MINUTE, Some(BEGINS));
    cut.dead = true;
    cut.go(BEGINS + 33 * MINUTE, Some(BEGINS));
    (cut.dead, cut.boot) = (false, 2);
    cut.go(BEGINS + 2 * HOUR, None);
    let said = cut.rig.said(" A1 battery");
    assert!(said.contains("alert A1 battery-ran-out firing"), "{said}");
    assert_eq!(said.matches("saddar opened").count(), 1, "{said}");
    assert!(!said.contains("saddar closed"), "the battery is as empty as before: {said}");
}

#[test]
fn a_button_that_does_not_come_back_with_its_feeder_after_a_cut_that_emptied_all_has_no_mains() {
    for comes_back in [true, false] {
        let mut cut = Cut::new(0.05);
        cut.others_fall = 0.05;
        cut.go(BEGINS + 26 * MINUTE, Some(BEGINS));
        (cut.dead, cut.others_die) = (true, Some(cut.at));
        cut.go(BEGINS + 2 * HOUR, Some(BEGINS));
        assert_eq!(cut.rig.said("order "), "", "the feeder's cut outlasts its batteries");
        (cut.others_die, cut.rig.boot) = (None, 2);
        (cut.dead, cut.boot) = (!comes_back, 2);
        cut.go(BEGINS + 4 * HOUR, None);
        let said = cut.rig.said("order ");
        match comes_back {
            true => assert_eq!(said, ""),
            false => assert!(said.contains("A1 mains P1 saddar opened") && said.lines().count() == 1, "{said}"),
        }
    }
}

#[test]
fn a_button_that_does_not_come_back_after_its_battery_did_worse_than_its_feeders_has_a_bad_battery() {
    let mut cut = Cut::new(0.05);
    cut.go(BEGINS + 26 * MINUTE, Some(BEGINS));
    cut.dead = true;
    cut.go(BEGINS + 40 * MINUTE, Some(BEGINS));
    cut.go(BEGINS + 4 * HOUR, None);
    let said = cut.rig.said("order ");
    assert!(said.contains("A1 battery") && !said.contains("mains"), "{said}");
}

#[test]
fn what_emptied_a_battery_in_an_earlier_cut_makes_no_common_cause_of_this_one() {
    let mut cut = Cut::new(0.0025);
    cut.others_fall = 0.0025;
    cut.go(BEGINS + 500 * MINUTE, Some(BEGINS));
    // It carried its button for eight hours, as could be asked of it, and the button never comes back.
    cut.gone = &["A2"];
    cut.go(BEGINS + 504 * MINUTE, Some(BEGINS));
    cut.go(BEGINS + 15 * HOUR, None);
    assert!(cut.rig.said("order ").contains("A2 "), "it has an order of its own");
    let second = cut.at;
    (cut.falls, cut.others_fall) = (0.25, 0.001);
    cut.go(second + 6 * MINUTE, Some(second));
    cut.dead = true;
    cut.go(second + 70 * MINUTE, Some(second));
    let said = cut.rig.said("");
    assert!(!said.contains("incident feeder"), "{said}");
    assert!(said.contains("A1 battery P1 saddar opened") || said.contains("A1 battery P2 saddar opened"), "{said}");
}

#[test]
fn a_button_that_comes_back_without_a_new_start_had_no_empty_battery() {
    let mut cut = Cut::new(0.05);
    cut.go(BEGINS + 25 * MINUTE, Some(BEGINS));
    cut.dead = true;
    cut.go(BEGINS + 29 * MINUTE, Some(BEGINS));
    assert!(cut.rig.said("alert A1 battery-ran-out").contains("firing"));
    cut.dead = false;
    cut.go(BEGINS + 50 * MINUTE, None);
    assert!(cut.rig.said("alert A1 battery-ran-out").contains("resolved"));
    cut.go(BEGINS + 3 * HOUR, None);
    assert_eq!(cut.rig.said("A1 battery"), "", "nobody is sent for it");
}

#[test]
fn a_button_with_a_full_battery_that_falls_silent_in_a_cut_has_a_fault_of_its_link() {
    let mut cut = Cut::new(0.001);
    cut.go(BEGINS + 25 * MINUTE, Some(BEGINS));
    cut.dead = true;
    cut.go(BEGINS + 60 * MINUTE, Some(BEGINS));
    let said = cut.rig.said("order ");
    assert!(said.contains("A1 uplink P1 saddar opened") && !said.contains("battery"), "{said}");
}

#[test]
fn a_button_that_is_still_silent_two_hours_after_the_repair_is_ordered_again() {
    let mut cut = Cut::new(0.001);
    cut.dead = true;
    cut.go(BEGINS + 30 * MINUTE, None);
    assert!(cut.rig.said("order ").contains("A1 uplink P1 saddar opened"));
    cut.rig.set(cut.at, 1, OrderMove::Repaired);
    let repaired = cut.at;
    cut.go(repaired + 2 * HOUR - MINUTE, None);
    assert!(!cut.rig.said("order ").contains("reopened"), "the crew may still be at it");
    cut.go(repaired + 2 * HOUR + MINUTE, None);
    assert!(cut.rig.said("order ").contains("reopened"));
}

#[test]
fn a_rule_on_what_a_battery_carried_is_judged_when_it_ran_empty() {
    use crate::domain::rule::{Condition, MetricRef, Side};
    use crate::domain::{Component, Metric};
    for (metric, limit) in [(Metric::BatteryCarried, 60.0), (Metric::CarriedShare, 50.0)] {
        let mut cut = Cut::new(0.05);
        let mut rules = default_rules();
        let metric = MetricRef::Known(metric);
        let short = Condition::Threshold { metric, side: Side::Below, limit, clear: limit, consecutive: 1 };
        rules.rules.push(rule("short-lived", Component::Battery, short));
        cut.rig.engine = crate::engine::Engine::new(rules, fleet(), settings());
        cut.go(BEGINS + 25 * MINUTE, Some(BEGINS));
        cut.dead = true;
        cut.go(BEGINS + 40 * MINUTE, Some(BEGINS));
        let said = cut.rig.said("alert A1 short-lived");
        assert!(said.contains("firing"), "{limit}: {said}");
    }
}
