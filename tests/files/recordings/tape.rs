//! Writes recordings by hand: what a fleet would have said, in a firmware's own habits, and what went wrong with it. Not the
//! simulator: other arithmetic, other cadence, fields left out; so that the engine is not tuned to one writer.
//! One history per tape, on every machine: no clock, no random numbers but a hash of the place.

use std::fmt::Write;

use buttonwatch::domain::Timestamp;

pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// What the firmware writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Every field of the protocol, self-tests, last wills, a power message at once when mains changes.
    Full,
    /// Heartbeats with nothing but the common fields, power with mains, volts and amperes only.
    Plain,
    /// As plain, and no amperes: mains and volts only.
    Bare,
}

/// From, to, in ms since the start.
pub type Span = (i64, i64);

fn within(spans: &[Span], at: i64) -> bool {
    spans.iter().any(|(from, to)| (*from..*to).contains(&at))
}

/// A test that does not simply pass.
#[derive(Debug, Clone)]
pub struct Answer {
    pub span: Span,
    /// `"camera":{…}` without its key.
    pub component: &'static str,
    pub json: String,
}

#[derive(Debug, Clone)]
pub struct Button {
    pub name: &'static str,
    pub uplink: &'static str,
    pub feeder: &'static str,
    pub beat: i64,
    /// Does not run, or its power is gone: what it would say is lost.
    pub off: Vec<Span>,
    /// Runs, is not heard, and says it all later (or never: `buffers`).
    pub unlinked: Vec<Span>,
    pub buffers: bool,
    pub fuse_blown: Vec<Span>,
    /// Since when; does its supply still carry the load?
    pub charger_dead: Option<(i64, bool)>,
    /// Hours that the full battery carries the unit: at the start, and what it loses a day.
    pub hours: f64,
    pub fades: f64,
    pub lost_pct: u64,
    pub scrambled: Vec<Span>,
    /// The clock is ahead by so many ms.
    pub clock: Vec<(Span, i64)>,
    pub tamper: Vec<Span>,
    pub hot: Vec<(Span, f64)>,
    pub answers: Vec<Answer>,
    /// When, real?, held for ms.
    pub presses: Vec<(i64, bool, i64)>,
    pub reboots: Vec<i64>,
    /// The boot counter starts again.
    pub forgets: Vec<i64>,
    /// Sharpness as a part of its own at this time: 1 at the start.
    pub sharpness: fn(i64) -> f64,
}

#[derive(Debug, Clone)]
pub struct Tape {
    pub length: i64,
    pub power: i64,
    pub tests: Option<i64>,
    pub style: Style,
    pub buttons: Vec<Button>,
    /// Mains gone on a feeder.
    pub cuts: Vec<(&'static str, Span)>,
    /// The monitor hears nothing, and what was said meanwhile is lost.
    pub deaf: Vec<Span>,
    /// Whole lines without their `at`, as `"link":"down"`.
    pub lines: Vec<(i64, String)>,
    /// The monitor's clock jumps: from this moment on by so much.
    pub our_clock: Vec<(i64, i64)>,
}

pub fn start() -> Timestamp {
    Timestamp::parse("2026-09-14T03:00:00Z").expect("valid")
}

/// 0 to 1, from its place alone.
fn noise(unit: usize, what: u64, at: i64) -> f64 {
    let mut z = (unit as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ what.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ at as u64).wrapping_mul(0x94d0_49bb_1331_11eb);
    z = (z ^ (z >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((z ^ (z >> 32)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Twelve buttons, three uplinks of four, two feeders of six; each uplink has units of both feeders.
pub fn twelve(beat: i64) -> Vec<Button> {
    const NAMES: [&str; 12] = ["A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4", "C1", "C2", "C3", "C4"];
    NAMES
        .iter()
        .enumerate()
        .map(|(i, name)| Button {
            name,
            uplink: ["fibre-a", "fibre-b", "fibre-c"][i / 4],
            feeder: ["f-1", "f-2"][i % 2],
            beat,
            off: Vec::new(),
            unlinked: Vec::new(),
            buffers: false,
            fuse_blown: Vec::new(),
            charger_dead: None,
            hours: 9.0 + (i % 3) as f64,
            fades: 0.0,
            lost_pct: 0,
            scrambled: Vec::new(),
            clock: Vec::new(),
            tamper: Vec::new(),
            hot: Vec::new(),
            answers: Vec::new(),
            presses: Vec::new(),
            reboots: Vec::new(),
            forgets: Vec::new(),
            sharpness: |_| 1.0,
        })
        .collect()
}

/// The first of each uplink and their neighbours: six buttons, three uplinks, both feeders. For the long recordings.
pub fn six(beat: i64) -> Vec<Button> {
    twelve(beat).into_iter().enumerate().filter(|(i, _)| i % 4 < 2).map(|(_, b)| b).collect()
}

impl Tape {
    pub fn new(buttons: Vec<Button>, length: i64, power: i64, tests: Option<i64>, style: Style) -> Tape {
        Tape {
            length,
            power,
            tests,
            style,
            buttons,
            cuts: Vec::new(),
            deaf: Vec::new(),
            lines: vec![(0, r#""link":"start""#.to_owned())],
            our_clock: Vec::new(),
        }
    }

    pub fn on(&mut self, name: &str) -> &mut Button {
        self.buttons.iter_mut().find(|b| b.name == name).expect("the tape's own unit")
    }

    pub fn said(&mut self, at: i64, line: &str) {
        self.lines.push((at, line.to_owned()));
    }

    pub fn order(&mut self, at: i64, order: u32, to: &str) {
        self.lines.push((at, format!(r#""do":{{"order":"WO-{order:06}","set":"{to}","by":"crew"}}"#)));
    }

    /// Six cuts a day of `minutes`, every day a little different, on both feeders at different hours.
    pub fn load_shedding(&mut self, minutes: i64) {
        let days = self.length / DAY + 1;
        for (f, feeder) in ["f-1", "f-2"].into_iter().enumerate() {
            for day in 0..days {
                for k in 0..6 {
                    let early = (noise(f, 7, day * 10 + k) * 12.0) as i64 * MINUTE;
                    let from = day * DAY + k * 4 * HOUR + HOUR + f as i64 * 95 * MINUTE + early;
                    let to = from + minutes * MINUTE + (noise(f, 8, day * 10 + k) * 10.0) as i64 * MINUTE;
                    self.cuts.push((feeder, (from, to)));
                }
            }
        }
    }

    pub fn fleet_csv(&self) -> String {
        let mut out = "# For the recordings beside this file. Made up.\n\
                       unit,site,city,crew,uplink,feeder,heartbeat_s\n"
            .to_owned();
        for (i, b) in self.buttons.iter().enumerate() {
            let beat = b.beat / SECOND;
            let _ = writeln!(out, "{},Site {},Peshawar,saddar,{},{},{beat}", b.name, i / 2 + 1, b.uplink, b.feeder);
        }
        out
    }

    /// Tapes whose fleets are alike share one file.
    pub fn fleet_file(&self) -> String {
        let beat = self.buttons.iter().map(|b| b.beat).max().unwrap_or(MINUTE) / SECOND;
        let circuits = if self.buttons.iter().all(|b| b.uplink.is_empty()) { "-no-circuits" } else { "" };
        format!("fleet-{}-units-{beat}s{circuits}.csv", self.buttons.len())
    }

    /// The recording: JSON lines in the order in which they were heard.
    pub fn record(&self) -> String {
        let mut lines: Vec<(i64, usize, String)> = Vec::new();
        for (n, (at, line)) in self.lines.iter().enumerate() {
            lines.push((*at, n, line.clone()));
        }
        for i in 0..self.buttons.len() {
            for (at, line) in Voice::new(self, i).speak() {
                if !within(&self.deaf, at) && at <= self.length {
                    let n = lines.len();
                    lines.push((at, n, line));
                }
            }
        }
        lines.sort();
        let mut out = String::new();
        for (at, _, line) in lines {
            let jump: i64 = self.our_clock.iter().filter(|(from, _)| *from <= at).map(|(_, by)| by).sum();
            let at = Timestamp::from_millis(start().as_millis() + at + jump);
            let _ = writeln!(out, r#"{{"at":"{at}",{line}}}"#);
        }
        out
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Boot,
    Forget,
    MainsChange,
    Press(usize),
    Test,
    Power,
    Beat,
}

/// One button telling its story.
struct Voice<'t> {
    tape: &'t Tape,
    i: usize,
    button: &'t Button,
    boot: u32,
    seq: u64,
    booted: i64,
    charge: f64,
    surface: f64,
    volts: f64,
    amps: f64,
    stepped: i64,
    /// The protection opened: off until mains is back.
    empty: bool,
    was_off: bool,
    lost_in_a_row: u32,
    out: Vec<(i64, String)>,
}

/// Volts at rest of a 12 V lead-acid battery, by tenths of its charge.
const REST: [f64; 11] = [10.9, 11.6, 11.81, 11.96, 12.1, 12.23, 12.36, 12.48, 12.6, 12.72, 12.85];

fn rest(charge: f64) -> f64 {
    let x = charge.clamp(0.0, 1.0) * 10.0;
    let i = (x as usize).min(9);
    REST[i] + (REST[i + 1] - REST[i]) * (x - i as f64)
}

const DRAW_A: f64 = 0.7;
/// Hours in which a good charger fills an empty battery.
const REFILL_H: f64 = 5.0;

impl<'t> Voice<'t> {
    fn new(tape: &'t Tape, i: usize) -> Voice<'t> {
        let button = &tape.buttons[i];
        Voice {
            tape,
            i,
            button,
            boot: 3 + i as u32,
            seq: 0,
            booted: -3 * DAY,
            charge: 0.98,
            surface: 0.0,
            volts: 13.8,
            amps: 0.02,
            stepped: 0,
            empty: false,
            was_off: false,
            lost_in_a_row: 0,
            out: Vec::new(),
        }
    }

    fn mains(&self, at: i64) -> bool {
        let cut = self.tape.cuts.iter().any(|(f, s)| *f == self.button.feeder && (s.0..s.1).contains(&at));
        !cut && !within(&self.button.fuse_blown, at)
    }

    fn speak(mut self) -> Vec<(i64, String)> {
        let (b, length) = (self.button, self.tape.length);
        let phase = |what: u64, every: i64| (noise(self.i, what, 0) * every as f64) as i64;
        let mut due: Vec<(i64, Due)> = Vec::new();
        let mut every = |from: i64, step: i64, what: Due| {
            let mut at = from;
            while at <= length {
                due.push((at, what));
                at += step;
            }
        };
        every(2 * SECOND + phase(1, b.beat), b.beat, Due::Beat);
        every(3 * SECOND + phase(2, self.tape.power), self.tape.power, Due::Power);
        if let Some(tests) = self.tape.tests {
            // Each proves itself in its first minutes, then at its own hour.
            due.push((4 * SECOND + phase(3, MINUTE), Due::Test));
            let mut at = tests / 2 + phase(4, tests / 3);
            while at <= length {
                due.push((at, Due::Test));
                at += tests;
            }
        }
        due.extend(b.presses.iter().enumerate().map(|(n, p)| (p.0, Due::Press(n))));
        due.extend(b.reboots.iter().map(|at| (*at, Due::Boot)));
        due.extend(b.forgets.iter().map(|at| (*at, Due::Forget)));
        let feeder = self.tape.cuts.iter().filter(|(f, _)| *f == b.feeder).map(|(_, s)| s);
        for span in feeder.chain(&b.fuse_blown) {
            due.extend([span.0, span.1].map(|at| (at.saturating_add(400), Due::MainsChange)));
        }
        due.sort();
        for (at, what) in due {
            if at <= length {
                self.step(at);
                self.act(at, what);
            }
        }
        self.out
    }

    /// The battery up to now, minute by minute.
    fn step(&mut self, at: i64) {
        while self.stepped < at {
            let dt = (at - self.stepped).min(MINUTE);
            self.stepped += dt;
            let h = dt as f64 / HOUR as f64;
            let now = self.stepped;
            let hours = (self.button.hours * (1.0 - self.button.fades * now as f64 / DAY as f64)).max(0.2);
            let dead = self.button.charger_dead.filter(|(from, _)| *from <= now).map(|(_, carries)| carries);
            let mains = self.mains(now);
            self.surface *= (-dt as f64 / (4 * MINUTE) as f64).exp();
            match (mains, dead) {
                (true, None) => {
                    self.empty = false;
                    let wants = hours * DRAW_A * (1.0 - self.charge) / 0.8;
                    let gives = hours * DRAW_A / REFILL_H;
                    self.amps = wants.min(gives).max(0.02);
                    self.charge = (self.charge + self.amps * h / (hours * DRAW_A)).min(1.0);
                    self.volts = if wants > gives { 13.0 + 1.2 * self.charge } else { 13.8 };
                    self.surface = 0.8;
                }
                (true, Some(true)) => {
                    self.amps = 0.0;
                    self.volts = rest(self.charge) + self.surface;
                }
                (true, Some(false)) | (false, _) if !self.empty => {
                    // A tired battery sags more.
                    self.amps = -DRAW_A;
                    self.charge = (self.charge - h / hours).max(0.0);
                    self.volts = rest(self.charge) + self.surface - 0.12 - 0.8 / hours.max(1.0);
                    self.empty = self.volts <= 11.1;
                }
                (true, Some(false)) | (false, _) => {
                    self.amps = 0.0;
                    self.volts = rest(self.charge) + 0.3;
                }
            }
        }
    }

    fn act(&mut self, at: i64, what: Due) {
        let off = within(&self.button.off, at) || self.empty;
        if off {
            if !self.was_off && self.tape.style == Style::Full && !within(&self.button.unlinked, at) {
                // The broker publishes its last will.
                let will = r#"{"online":false,"reason":"connection lost"}"#;
                self.line(at + 40 * SECOND, "status", will);
            }
            self.was_off = true;
            return;
        }
        if std::mem::take(&mut self.was_off) {
            self.start_anew(at);
        }
        match what {
            Due::Boot => self.start_anew(at),
            Due::Forget => {
                self.boot = 0;
                self.start_anew(at);
            }
            Due::MainsChange => {
                if self.tape.style == Style::Full {
                    self.power(at);
                }
            }
            Due::Press(n) => {
                let (_, real, held) = self.button.presses[n];
                let kind = if real { "real" } else { "test" };
                let body = format!(r#""kind":"{kind}","held_ms":{held},"ack":true,"ack_ms":1400"#);
                self.say(at, "press", &body);
            }
            Due::Test => self.test(at, "schedule"),
            Due::Power => self.power(at),
            Due::Beat => self.beat(at),
        }
    }

    fn start_anew(&mut self, at: i64) {
        self.boot += 1;
        self.seq = 0;
        self.booted = at;
        if self.tape.style == Style::Full {
            self.say(at, "status", r#""online":true"#);
            if self.tape.tests.is_some() {
                self.test(at, "boot");
            }
        }
    }

    fn beat(&mut self, at: i64) {
        let b = self.button;
        let mut parts: Vec<String> = Vec::new();
        if self.tape.style == Style::Full {
            parts.push(format!(r#""uptime_s":{},"interval_s":{}"#, (at - self.booted) / SECOND, b.beat / SECOND));
            parts.push(format!(r#""rssi_dbm":{}"#, -80 - (noise(self.i, 20, at) * 9.0) as i64));
        }
        let hot = b.hot.iter().find(|(s, _)| within(&[*s], at)).map(|(_, c)| *c);
        if self.tape.style == Style::Full || hot.is_some() {
            let day = 31.0 + 7.0 * ((at as f64 / DAY as f64) * std::f64::consts::TAU).sin();
            parts.push(format!(r#""temp_c":{:.1}"#, hot.unwrap_or(day) + noise(self.i, 21, at)));
        }
        if self.tape.style == Style::Full || !b.tamper.is_empty() {
            parts.push(format!(r#""tamper":{}"#, within(&b.tamper, at)));
        }
        self.say(at, "heartbeat", &parts.join(","));
    }

    fn power(&mut self, at: i64) {
        let mains = self.mains(at);
        let volts = self.volts + 0.02 * (noise(self.i, 30, at) - 0.5);
        let mut body = format!(r#""mains":{mains},"battery_v":{volts:.2}"#);
        if self.tape.style != Style::Bare {
            let _ = write!(body, r#","charge_a":{:.2}"#, self.amps + 0.01 * (noise(self.i, 31, at) - 0.5));
        }
        if self.tape.style == Style::Full {
            let mains_v = if mains { 214.0 + 9.0 * noise(self.i, 32, at) } else { 0.0 };
            let pct = (100.0 * self.charge).round();
            let _ = write!(body, r#","mains_v":{mains_v:.1},"battery_pct":{pct},"battery_temp_c":29.5,"load_w":8.4"#);
        }
        self.say(at, "power", &body);
    }

    fn test(&mut self, at: i64, trigger: &str) {
        let answer = |component: &str, pass: String| {
            let own = self.button.answers.iter().find(|a| a.component == component && within(&[a.span], at));
            format!(r#""{component}":{}"#, own.map_or(pass, |a| a.json.clone()))
        };
        let figure = |base: f64, what: u64, wide: f64| base + wide * (noise(self.i, what, at) - 0.5);
        let sharpness = figure(420.0 + 40.0 * self.i as f64, 40, 12.0) * (self.button.sharpness)(at);
        let tone = figure(26.0, 41, 1.5);
        let results = [
            answer("camera", format!(r#"{{"result":"pass","sharpness":{sharpness:.1},"mode":"day"}}"#)),
            answer("microphone", format!(r#"{{"result":"pass","tone_snr_db":{tone:.1},"ambient_dbfs":-54}}"#)),
            answer("speaker", r#"{"result":"pass"}"#.to_owned()),
            answer("button", r#"{"result":"pass","stuck":false}"#.to_owned()),
            answer("stream", r#"{"result":"pass","connect_ms":310,"kbps":1500,"loss_pct":0}"#.to_owned()),
        ];
        let body = format!(r#""trigger":"{trigger}","results":{{{}}}"#, results.join(","));
        self.say(at, "selftest", &body);
    }

    /// Out of the unit: with its own time and number, through whatever its link does to it.
    fn say(&mut self, at: i64, kind: &str, body: &str) {
        self.seq += 1;
        let ahead: i64 = self.button.clock.iter().filter(|(s, _)| within(&[*s], at)).map(|(_, by)| by).sum();
        let ts = Timestamp::from_millis(start().as_millis() + at + ahead);
        // Some firmwares write text, some milliseconds.
        let ts = if self.i.is_multiple_of(2) { format!(r#""{ts}""#) } else { ts.as_millis().to_string() };
        let comma = if body.is_empty() { "" } else { "," };
        let json = format!(r#"{{"ts":{ts},"boot":{},"seq":{}{comma}{body}}}"#, self.boot, self.seq);
        if let Some((_, to)) = self.button.unlinked.iter().find(|s| within(&[**s], at)).copied() {
            if self.button.buffers {
                // All at once when the link is back, in their order.
                self.line(to + 2 * SECOND + self.seq as i64, kind, &json);
            }
            return;
        }
        let loses = matches!(kind, "heartbeat" | "power") && self.button.lost_pct > 0;
        // Never three in a row: that is silence.
        if loses && self.lost_in_a_row < 2 && noise(self.i, 50, at) * 100.0 < self.button.lost_pct as f64 {
            self.lost_in_a_row += 1;
            return;
        }
        if kind == "heartbeat" {
            self.lost_in_a_row = 0;
        }
        let here = at + 120 + (noise(self.i, 51, at) * 200.0) as i64;
        if within(&self.button.scrambled, at) {
            let draw = noise(self.i, 52, at);
            if draw < 0.3 {
                self.line(here + 4 * SECOND, kind, &json);
            } else if draw < 0.6 {
                return self.line(here + self.button.beat * 3 / 2, kind, &json);
            }
        }
        self.line(here, kind, &json);
    }

    fn line(&mut self, at: i64, kind: &str, payload: &str) {
        let name = self.button.name;
        self.out.push((at, format!(r#""topic":"buttonwatch/v1/{name}/{kind}","payload":{payload}"#)));
    }
}
