//! The rows of the issue's table, and their harmless twins: what happens, and what must come of it. Never looks at a golden
//! timeline: a golden that was regenerated cannot hide a wrong judgement.

use buttonwatch::domain::{Component, GroupKind, OrderState, Readiness};

use super::tape::{Answer, Button, DAY, HOUR, MINUTE, SECOND, Style, Tape, six, twelve};
use Component as C;

/// An order that must be there.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub on: On,
    pub components: &'static [Component],
    /// Opened not before, not after: ms since the start.
    pub between: (i64, i64),
    pub flapping: bool,
    /// Its states in their order. Empty: any.
    pub states: &'static [OrderState],
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum On {
    Unit(&'static str),
    /// Any one of a site's.
    OneOf(&'static [&'static str]),
    Circuit(GroupKind, &'static str),
}

#[derive(Debug, Clone)]
pub struct Row {
    pub name: &'static str,
    pub tape: Tape,
    /// Exactly these.
    pub orders: Vec<Wanted>,
    /// The operator may be told of one common cause by an order that is not on a unit.
    pub operator_may_be_told: bool,
    /// At most so many, of any kind.
    pub incidents: usize,
    /// One of this kind must open.
    pub incident: Option<GroupKind>,
    /// Firing by the end: on this unit, for this component.
    pub alert: Option<(&'static str, Component)>,
    /// Before this unit first falls silent there must be an order.
    pub before_silence: Option<&'static str>,
    /// Something is foreseen of this unit, and not after its first order from another rule; when the limit was truly
    /// passed, if that can be said.
    pub foreseen: Option<(&'static str, Option<i64>)>,
    /// At this moment the unit stands so.
    pub readiness: Vec<(i64, &'static str, Readiness)>,
}

fn row(name: &'static str, tape: Tape) -> Row {
    Row {
        name,
        tape,
        orders: Vec::new(),
        operator_may_be_told: false,
        incidents: 0,
        incident: None,
        alert: None,
        before_silence: None,
        foreseen: None,
        readiness: Vec::new(),
    }
}

impl Row {
    fn order(mut self, on: On, components: &'static [Component], between: (i64, i64)) -> Row {
        self.orders.push(Wanted { on, components, between, flapping: false, states: &[] });
        self
    }
    fn states(mut self, states: &'static [OrderState]) -> Row {
        self.orders.last_mut().expect("an order to speak of").states = states;
        self
    }
    fn with(mut self, change: impl FnOnce(&mut Row)) -> Row {
        change(&mut self);
        self
    }
}

/// An hour or so of twelve buttons, each minute a heartbeat.
fn hours(n: i64, style: Style) -> Tape {
    let tests = (style == Style::Full).then_some(6 * HOUR);
    Tape::new(twelve(MINUTE), n * HOUR, 5 * MINUTE, tests, style)
}

/// Weeks of six buttons that speak rarely.
fn weeks(days: i64, beat: i64, power: i64, tests: Option<i64>, style: Style) -> Tape {
    Tape::new(six(beat), days * DAY, power, tests, style)
}

fn edited(mut tape: Tape, edit: impl FnOnce(&mut Tape)) -> Tape {
    edit(&mut tape);
    tape
}

fn on(name: &'static str, mut tape: Tape, edit: impl FnOnce(&mut Button)) -> Tape {
    edit(tape.on(name));
    tape
}

fn answer(span: (i64, i64), component: &'static str, json: &str) -> Answer {
    Answer { span, component, json: json.to_owned() }
}

/// A test every hour: three fails in a row fit into a short recording.
fn hourly(n: i64) -> Tape {
    Tape::new(six(2 * MINUTE), n * HOUR, 10 * MINUTE, Some(HOUR), Style::Full)
}

const NEXT_TEN: i64 = 10 * MINUTE;
const T: i64 = 30 * MINUTE;

const UPLINK: &[C] = &[C::Uplink, C::Controller];
const BATTERY: &[C] = &[C::Battery, C::Charger];

/// Off from this moment to the end.
fn gone(from: i64) -> Vec<(i64, i64)> {
    vec![(from, i64::MAX)]
}

fn silence() -> Vec<Row> {
    let one = |style| on("B2", hours(1, style), |b| b.off = gone(T));
    let circuit = |style| {
        edited(hours(2, style), |t| {
            for n in ["A1", "A2", "A3", "A4"] {
                t.on(n).unlinked = vec![(T, T + 50 * MINUTE)];
            }
        })
    };
    let half = |style, n: usize| {
        edited(hours(2, style), move |t| {
            for b in t.buttons.iter_mut().rev().take(n) {
                b.unlinked = vec![(T, T + 40 * MINUTE)];
            }
        })
    };
    let single = |r: Row| r.order(On::Unit("B2"), UPLINK, (T, T + NEXT_TEN));
    let network = |r: Row| {
        r.order(On::Circuit(GroupKind::Uplink, "fibre-a"), &[], (T, T + NEXT_TEN)).with(|r| {
            r.incidents = 1;
            r.incident = Some(GroupKind::Uplink);
        })
    };
    let operator = |r: Row| {
        r.with(|r| {
            r.incidents = 1;
            r.operator_may_be_told = true;
            r.readiness = vec![(T + 30 * MINUTE, "C1", Readiness::Unknown)];
        })
    };
    let blank = |mut t: Tape| {
        for b in &mut t.buttons {
            b.feeder = "";
            b.uplink = "";
        }
        t
    };
    vec![
        single(row("one-silent", one(Style::Full))),
        single(row("one-silent-plain", one(Style::Plain))),
        single(row("one-silent-no-circuits", blank(one(Style::Plain)))),
        network(row("uplink-silent", circuit(Style::Full))),
        network(row("uplink-silent-plain", circuit(Style::Plain))),
        operator(row("most-silent", half(Style::Full, 8))),
        operator(row("most-silent-plain", half(Style::Plain, 8))),
        operator(row("all-silent", edited(hours(2, Style::Plain), |t| t.deaf.push((T, T + 40 * MINUTE))))),
        row("link-down-20-min", {
            edited(hours(2, Style::Full), |t| {
                t.deaf.push((T, T + 20 * MINUTE));
                t.said(T, r#""link":"down""#);
                t.said(T + 20 * MINUTE, r#""link":"up""#);
            })
        })
        .with(|r| r.readiness = vec![(T + 15 * MINUTE, "A1", Readiness::Unknown)]),
        row("restart-after-2-h", {
            edited(hours(4, Style::Full), |t| {
                t.deaf.push((HOUR, 3 * HOUR));
                t.said(3 * HOUR, r#""link":"start""#);
            })
        })
        .with(|r| r.readiness = vec![(3 * HOUR - MINUTE, "A1", Readiness::Unknown)]),
        row("lossy-link", {
            edited(hours(5, Style::Full), |t| {
                t.buttons.truncate(8);
                t.on("A3").lost_pct = 20;
            })
        }),
        row("flapping-link", {
            let mut buttons = six(5 * MINUTE);
            buttons[0].beat = 30 * SECOND;
            let mut tape = Tape::new(buttons, DAY + 2 * HOUR, 30 * MINUTE, None, Style::Plain);
            tape.on("A1").unlinked =
                (0..240).map(|k| (HOUR + k * 6 * MINUTE, HOUR + k * 6 * MINUTE + 3 * MINUTE)).collect();
            tape
        })
        .order(On::Unit("A1"), UPLINK, (HOUR, 4 * HOUR))
        .with(|r| r.orders[0].flapping = true),
        row("late-messages", {
            edited(hours(3, Style::Full), |t| {
                // Too short for silence, and an hour that the broker's own queue held back for two units.
                for (n, spans) in [
                    ("A1", vec![(T, T + 2 * MINUTE), (2 * T, 2 * T + 2 * MINUTE)]),
                    ("C2", vec![(T, T + 150 * SECOND)]),
                ] {
                    t.on(n).unlinked = spans;
                    t.on(n).buffers = true;
                }
            })
        }),
        row("late-messages-after-a-silence", {
            on("A1", hours(4, Style::Full), |b| {
                b.unlinked = vec![(T, 3 * HOUR)];
                b.buffers = true;
            })
        })
        .order(On::Unit("A1"), UPLINK, (T, T + NEXT_TEN)),
        row("duplicates-and-disorder", {
            edited(hours(3, Style::Full), |t| {
                for b in &mut t.buttons {
                    b.scrambled = vec![(T, 150 * MINUTE)];
                }
            })
        }),
        row("boot-resets", {
            edited(hours(3, Style::Full), |t| {
                t.on("A1").forgets = vec![T];
                t.on("B1").forgets = vec![HOUR];
                t.on("C3").reboots = vec![2 * HOUR];
            })
        }),
        row("unit-clock-jumps", {
            edited(hours(4, Style::Full), |t| {
                t.on("A1").clock = vec![((T, T + 12 * MINUTE), -3 * DAY)];
                t.on("B1").clock = vec![((T, T + 9 * MINUTE), 40 * MINUTE)];
                t.on("C1").clock = vec![((0, i64::MAX), 90 * SECOND)];
            })
        }),
        row("our-clock-jumps", {
            edited(hours(3, Style::Full), |t| t.our_clock = vec![(HOUR, -40 * SECOND), (2 * HOUR, 70 * SECOND)])
        }),
    ]
}

fn power() -> Vec<Row> {
    let shed = |days, power, style, tests| edited(weeks(days, HOUR, power, tests, style), |t| t.load_shedding(60));
    let fuse = |style| on("B1", hours(2, style), |b| b.fuse_blown = gone(T));
    let mains = |r: Row| r.order(On::Unit("B1"), &[C::Mains], (T + 15 * MINUTE, T + 45 * MINUTE));
    let fading = |style| {
        edited(weeks(12, HOUR, 30 * MINUTE, None, style), |t| {
            t.load_shedding(75);
            for b in &mut t.buttons {
                b.hours = 5.0;
            }
            t.on("B1").fades = 0.08;
        })
    };
    let charger = |style, carries| {
        edited(weeks(3, 30 * MINUTE, 10 * MINUTE, None, style), |t| {
            t.load_shedding(45);
            t.on("C2").charger_dead = Some((DAY, carries));
        })
    };
    let empties = |style| {
        edited(
            Tape::new(twelve(2 * MINUTE), 7 * HOUR, 5 * MINUTE, (style == Style::Full).then_some(6 * HOUR), style),
            |t| {
                t.cuts.push(("f-1", (2 * HOUR, 4 * HOUR)));
                t.on("B1").hours = 0.8;
            },
        )
    };
    // B1 is on f-1 like the other odd ones; its siblings carry on.
    let emptied = |r: Row| r.order(On::Unit("B1"), BATTERY, (2 * HOUR, 3 * HOUR + 10 * MINUTE));
    vec![
        row("load-shedding-weeks", shed(14, HOUR, Style::Full, Some(DAY))),
        row("load-shedding-weeks-plain", shed(21, 30 * MINUTE, Style::Plain, None)),
        row("load-shedding-weeks-bare", shed(21, 30 * MINUTE, Style::Bare, None)),
        row("load-shedding-10-min-power", {
            edited(weeks(6, 30 * MINUTE, 10 * MINUTE, None, Style::Plain), |t| t.load_shedding(120))
        }),
        mains(row("local-mains-lost", fuse(Style::Full))),
        mains(row("local-mains-lost-plain", fuse(Style::Plain))),
        row("feeder-cut", edited(hours(3, Style::Full), |t| t.cuts.push(("f-1", (T, T + 90 * MINUTE))))),
        row("local-mains-blink", on("B1", hours(2, Style::Full), |b| b.fuse_blown = vec![(T, T + 6 * MINUTE)])),
        row("battery-fading", fading(Style::Full)).order(On::Unit("B1"), &[C::Battery], (DAY, i64::MAX)).with(|r| {
            r.before_silence = Some("B1");
            r.foreseen = Some(("B1", None));
        }),
        row("battery-fading-plain", fading(Style::Plain))
            .order(On::Unit("B1"), &[C::Battery], (DAY, i64::MAX))
            .with(|r| r.before_silence = Some("B1")),
        row("charger-dead-resting", charger(Style::Full, true)).order(On::Unit("C2"), &[C::Charger], (DAY, 2 * DAY)),
        row("charger-dead-resting-plain", charger(Style::Plain, true)).order(
            On::Unit("C2"),
            &[C::Charger],
            (DAY, 2 * DAY),
        ),
        row("charger-dead-falling", charger(Style::Full, false)).order(
            On::Unit("C2"),
            &[C::Charger],
            (DAY, DAY + 10 * HOUR),
        ),
        row("charger-dead-falling-plain", charger(Style::Plain, false)).order(
            On::Unit("C2"),
            &[C::Charger],
            (DAY, DAY + 10 * HOUR),
        ),
        row("charging-after-a-long-cut", {
            edited(weeks(2, 30 * MINUTE, 10 * MINUTE, None, Style::Plain), |t| {
                t.cuts.push(("f-1", (4 * HOUR, 10 * HOUR)));
                t.cuts.push(("f-2", (5 * HOUR, 10 * HOUR)));
            })
        }),
        emptied(row("battery-empties-in-a-cut", empties(Style::Full))),
        emptied(row("battery-empties-in-a-cut-plain", empties(Style::Plain))),
        emptied(row("battery-empties-in-a-cut-bare", empties(Style::Bare))),
        row("cut-outlasts-healthy-batteries", {
            edited(Tape::new(twelve(2 * MINUTE), 16 * HOUR, 10 * MINUTE, None, Style::Full), |t| {
                t.cuts.push(("f-1", (HOUR, 14 * HOUR)));
                for b in &mut t.buttons {
                    b.hours = 8.0 + 0.1 * b.hours;
                }
            })
        })
        .with(|r| {
            r.incidents = 1;
            r.incident = Some(GroupKind::Feeder);
            r.operator_may_be_told = true;
        }),
    ]
}

fn tests() -> Vec<Row> {
    let fail = |span, component, json: &str| answer(span, component, json);
    let three = (T, T + 3 * HOUR);
    let always = (T, i64::MAX);
    let camera = r#"{"result":"fail","code":"blocked","sharpness":4,"mode":"day"}"#;
    let dirt = |at: i64| 1.0 - 0.8 * ((at - 3 * DAY) as f64 / (21 * DAY) as f64).clamp(0.0, 1.0);
    let mut fog = Tape::new(six(30 * MINUTE), 6 * DAY, 2 * HOUR, Some(8 * HOUR), Style::Full);
    for b in &mut fog.buttons {
        b.sharpness = |at| if (3 * DAY..3 * DAY + 14 * HOUR).contains(&at) { 0.3 } else { 1.0 };
    }
    let low = |result: &str| format!(r#"{{"result":"{result}","tone_snr_db":14.5,"ambient_dbfs":-55,"retries":3}}"#);
    let loud = r#"{"result":"inconclusive","code":"ambient-noise","tone_snr_db":11,"ambient_dbfs":-28,"retries":3}"#;
    vec![
        row("camera-fails", on("A2", hourly(6), |b| b.answers.push(fail(always, "camera", camera)))).order(
            On::Unit("A2"),
            &[C::Camera],
            (2 * HOUR, 4 * HOUR),
        ),
        row("camera-fails-once", on("A2", hourly(6), |b| b.answers.push(fail((T, T + HOUR), "camera", camera)))),
        row("camera-drifts", {
            let tape = Tape::new(six(2 * HOUR), 24 * DAY, 6 * HOUR, Some(DAY), Style::Full);
            on("B1", tape, |b| b.sharpness = dirt)
        })
        .order(On::Unit("B1"), &[C::Camera], (4 * DAY, 22 * DAY))
        // Three quarters of the way down it is at 40 % of what it was.
        .with(|r| r.foreseen = Some(("B1", Some(3 * DAY + 21 * DAY * 3 / 4)))),
        row("camera-foggy-day", fog),
        row(
            "microphone-low",
            on("C1", hourly(8), |b| b.answers.push(fail((2 * HOUR, i64::MAX), "microphone", &low("fail")))),
        )
        .order(On::Unit("C1"), &[C::Microphone], (4 * HOUR, 6 * HOUR)),
        row("microphone-low-but-passes", {
            on("C1", hourly(12), |b| b.answers.push(fail((6 * HOUR, i64::MAX), "microphone", &low("pass"))))
        })
        .order(On::Unit("C1"), &[C::Microphone], (8 * HOUR, 10 * HOUR)),
        row(
            "microphone-loud-bazaar",
            on("C1", hourly(8), |b| b.answers.push(fail((2 * HOUR, i64::MAX), "microphone", loud))),
        ),
        row("stream-fails", {
            let json = r#"{"result":"fail","code":"connect-timeout","connect_ms":10000,"kbps":0,"loss_pct":100}"#;
            on("B2", hourly(6), |b| b.answers.push(fail(always, "stream", json)))
        })
        .order(On::Unit("B2"), &[C::Stream], (2 * HOUR, 4 * HOUR)),
        row(
            "speaker-fails",
            on("B2", hourly(6), |b| b.answers.push(fail(always, "speaker", r#"{"result":"fail","code":"no-tone"}"#))),
        )
        .order(On::Unit("B2"), &[C::Speaker], (2 * HOUR, 4 * HOUR)),
        row("camera-fails-three-times-then-passes", {
            on("A2", hourly(6), |b| b.answers.push(fail((three.0, three.1), "camera", camera)))
        })
        .order(On::Unit("A2"), &[C::Camera], (2 * HOUR, 4 * HOUR)),
    ]
}

fn presses_and_box() -> Vec<Row> {
    let short = |n| hours(n, Style::Plain);
    let flood = |b: &mut Button| b.presses = (0..30).map(|k| (T + k * 100 * SECOND, true, 900)).collect();
    let due = |pressed: &'static [i64]| {
        let mut tape = Tape::new(six(4 * HOUR), 36 * DAY, 12 * HOUR, None, Style::Plain);
        for (i, b) in tape.buttons.iter_mut().enumerate() {
            let i = i as i64;
            b.presses = pressed.iter().map(|d| (d * DAY + i * 7 * MINUTE + HOUR, false, 700)).collect();
        }
        // A1 and A2 stand on one site.
        for n in ["A1", "A2"] {
            tape.on(n).presses.truncate(1);
        }
        tape
    };
    vec![
        row(
            "button-held",
            on("A4", short(2), |b| b.presses = vec![(T, true, 185_000), (T + 5 * MINUTE, true, 480_000)]),
        )
        .order(On::Unit("A4"), &[C::Button], (T, T + 20 * MINUTE)),
        row(
            "button-pressed-in-danger",
            on("A4", short(2), |b| b.presses = vec![(T, true, 9_000), (T + MINUTE, true, 30_000)]),
        ),
        row("press-flood", on("C4", short(3), flood)).with(|r| r.alert = Some(("C4", C::Button))),
        row("press-test-due", due(&[2, 29])).order(On::OneOf(&["A1", "A2"]), &[C::Button], (31 * DAY, 34 * DAY)),
        row("press-tests-kept", {
            let mut tape = due(&[2, 29]);
            for n in ["A1", "A2"] {
                tape.on(n).presses = vec![(2 * DAY, false, 700), (28 * DAY, false, 800)];
            }
            tape
        }),
        row("reboot-loop", {
            let tape = hours(3, Style::Full);
            on("B4", tape, |b| b.reboots = (0..8).map(|k| T + k * 14 * MINUTE).collect())
        })
        .order(On::Unit("B4"), &[C::Controller, C::Firmware], (T, T + 45 * MINUTE)),
        row("one-reboot", on("B4", hours(3, Style::Full), |b| b.reboots = vec![T])),
        row("clock-off", {
            edited(hours(3, Style::Full), |t| {
                t.on("A1").clock = vec![((T, i64::MAX), 10 * MINUTE)];
                t.on("C4").clock = vec![((T, i64::MAX), -10 * MINUTE)];
            })
        })
        .order(On::Unit("A1"), &[C::Clock], (T, T + 70 * MINUTE))
        .order(On::Unit("C4"), &[C::Clock], (T, T + 70 * MINUTE)),
        row("tamper", on("C3", short(2), |b| b.tamper = gone(T))).order(
            On::Unit("C3"),
            &[C::Enclosure],
            (T, T + 20 * MINUTE),
        ),
        row("enclosure-hot", on("C3", short(2), |b| b.hot = vec![((T, i64::MAX), 70.0)])).order(
            On::Unit("C3"),
            &[C::Enclosure],
            (T, T + 45 * MINUTE),
        ),
        row("enclosure-warm", on("C3", short(3), |b| b.hot = vec![((T, i64::MAX), 53.0)])),
    ]
}

fn repairs() -> Vec<Row> {
    let camera = r#"{"result":"fail","code":"blocked","sharpness":4,"mode":"day"}"#;
    let broken = |until: i64| answer((T, until), "camera", camera);
    let crew = |t: &mut Tape| {
        t.order(4 * HOUR, 1, "acknowledged");
        t.order(5 * HOUR, 1, "en-route");
        t.order(6 * HOUR, 1, "repaired");
    };
    use OrderState as S;
    vec![
        row("repaired-test-fails", {
            edited(hourly(9), |t| {
                t.on("A2").answers.push(broken(i64::MAX));
                crew(t);
            })
        })
        .order(On::Unit("A2"), &[C::Camera], (2 * HOUR, 4 * HOUR))
        .states(&[S::Opened, S::Acknowledged, S::EnRoute, S::Repaired, S::Reopened]),
        row("repaired-tests-pass", {
            edited(hourly(12), |t| {
                t.on("A2").answers.push(broken(6 * HOUR - 5 * MINUTE));
                crew(t);
            })
        })
        .order(On::Unit("A2"), &[C::Camera], (2 * HOUR, 4 * HOUR))
        .states(&[S::Opened, S::Acknowledged, S::EnRoute, S::Repaired, S::Verified, S::Closed]),
        row("relapse-after-2-days", {
            let mut tape = Tape::new(six(10 * MINUTE), 60 * HOUR, HOUR, Some(HOUR), Style::Full);
            tape.on("A2").answers =
                vec![broken(6 * HOUR - 5 * MINUTE), answer((54 * HOUR, i64::MAX), "camera", camera)];
            crew(&mut tape);
            tape
        })
        .order(On::Unit("A2"), &[C::Camera], (2 * HOUR, 4 * HOUR))
        .states(&[S::Opened, S::Acknowledged, S::EnRoute, S::Repaired, S::Verified, S::Closed, S::Reopened]),
    ]
}

pub fn all() -> Vec<Row> {
    [silence(), power(), tests(), presses_and_box(), repairs()].concat()
}
