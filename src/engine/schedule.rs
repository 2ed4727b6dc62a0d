//! The load-shedding timetable of one feeder, learned from its cuts: when mains will be back, and when it goes next.
//! Never decides whether the feeder has mains now, and books hours in which nobody watched as neither.
//!
//! The distribution companies cut by lists that repeat every day or every week until a new list comes. So the present
//! cut is held against past cuts that began near the same time of the week, and near the same time of the day: each of
//! those says when *it* ended, and the present one is expected to end then. Which of the two is believed more is itself
//! learned, from how far each was off lately; that is how a new list is followed within days. Where neither knows such
//! a cut, all past cuts of at least this length speak.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;

/// Seven days of the longest lists (12 cuts a day) twice over, three weeks of the usual ones; 8 bytes each.
const CUTS: usize = 160;
/// A list that was in force six weeks ago is another season's.
const MEMORY: Duration = Duration::from_secs(42 * 86_400);
/// With fewer, one odd cut would speak for the feeder.
const MIN_CUTS: usize = 4;
/// Shorter cuts and shorter returns are flicker: no battery empties in one, none fills in the other.
const FLICKER_S: i64 = 5 * 60;
/// Cuts that begin this near each other are the same line of the list. Lines are an hour on, an hour off at the
/// closest.
const SAME_START_S: i64 = 45 * 60;
/// How long a cut that should have ended may still be only late. Lists are kept to a few minutes.
const GRACE_S: i64 = 15 * 60;
/// What a way of foretelling is taken to be off by before it was tried.
const UNTRIED_S: u32 = 15 * 60;
/// Nobody's list is kept better than this; without it a lucky day would silence every other voice.
const BEST_S: f64 = 3.0 * 60.0;
/// One breakdown must not discredit a way of foretelling for weeks.
const WORST_S: i64 = 3 * 3600;
/// Of the last tries, each counts this much less than the next: about the last seven decide.
const TRIES: i64 = 7;
/// Weeks an hour of the week remembers: each new one counts a fifth.
const WEEKS: u16 = 5;
const HOUR_S: i64 = 3600;
const DAY_S: i64 = 86_400;
const WEEK_S: i64 = 7 * DAY_S;
/// Hours of the week that must be known before a figure for a usual day is given: five days.
const MIN_HOURS: usize = 120;

/// About 2 KiB.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Schedule {
    state: State,
    /// Oldest first, apart from each other.
    cuts: Vec<Cut>,
    /// Empty until something was watched, then 168: Thursday 00:00 UTC, when Unix time began, is the first.
    hours: Vec<Hour>,
    filling: Filling,
    weekly: Skill,
    daily: Skill,
    /// Cuts ever seen from beginning to end.
    seen: u32,
}

/// ```text
///   Unwatched ──1──▶ Mains ──2──▶ Cut ──3──▶ Mains        any ──4──▶ Unwatched ──5──▶ CutPart ──3──▶ Mains
/// ```
/// 1 seen with mains · 2 mains lost while watched · 3 mains back: after Cut, one more learned cut · 4 nobody watches
/// · 5 seen in a cut that began unseen: its length teaches nothing
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
enum State {
    #[default]
    Unwatched,
    Mains {
        booked: Timestamp,
    },
    Cut {
        began: Timestamp,
        booked: Timestamp,
    },
    CutPart {
        booked: Timestamp,
    },
}

/// In seconds; 8 bytes. Began: minutes of Unix time, four thousand years either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Cut(i32, u32);

impl Cut {
    fn new(began_s: i64, length_s: i64) -> Self {
        let minutes = (began_s + 30).div_euclid(60).clamp(i64::from(i32::MIN), i64::from(i32::MAX));
        Cut(minutes as i32, u32::try_from(length_s).unwrap_or(u32::MAX))
    }
    fn began_s(self) -> i64 {
        i64::from(self.0) * 60
    }
    fn length_s(self) -> i64 {
        i64::from(self.1)
    }
    fn ended_s(self) -> i64 {
        self.began_s() + self.length_s()
    }
}

/// Share of one hour of the week without mains, in 1/10,000, and the weeks behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Hour(u16, u16);

/// The hour that is not over yet, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Filling {
    /// Hours of Unix time.
    hour: i64,
    dark_ms: i64,
    seen_ms: i64,
}

/// How far one way of foretelling the end of a cut was off lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Skill {
    off_s: Option<u32>,
}

/// How long until mains is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expectation {
    pub expected: Duration,
    /// Nine in ten such cuts are over by then.
    pub longest: Duration,
    /// Past cuts that this rests on.
    pub known_cuts: u32,
}

/// The next cut by the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NextCut {
    pub at: Timestamp,
    pub length: Duration,
    /// Past cuts that this rests on.
    pub known_cuts: u32,
}

/// One past cut's word: seconds and its weight.
#[derive(Debug, Clone, Copy)]
struct Voice {
    says_s: i64,
    weight: f64,
}

impl Schedule {
    /// Mains was lost at `at`, seen by us. Nothing that lies before what is already booked is believed.
    pub(super) fn cut_began(&mut self, at: Timestamp) {
        match self.state {
            State::Unwatched => {
                self.state = State::Cut { began: at, booked: at };
            }
            State::Mains { booked } => {
                let at = at.max(booked);
                self.book(booked, at, false);
                self.state = State::Cut { began: at, booked: at };
                // Back for a moment only: the cut goes on.
                if let Some(last) = self.cuts.last().copied()
                    && seconds(at) - last.ended_s() < FLICKER_S
                    && seconds(at) >= last.ended_s() - 60
                {
                    self.cuts.pop();
                    self.seen = self.seen.saturating_sub(1);
                    self.state = State::Cut { began: Timestamp::from_millis(last.began_s() * 1000), booked: at };
                }
            }
            State::Cut { .. } | State::CutPart { .. } => self.watched(at),
        }
    }

    /// Mains came back at `at`.
    pub(super) fn cut_ended(&mut self, at: Timestamp) {
        match self.state {
            State::Unwatched => self.state = State::Mains { booked: at },
            State::Mains { .. } => self.watched(at),
            State::CutPart { booked } => {
                let at = at.max(booked);
                self.book(booked, at, true);
                self.state = State::Mains { booked: at };
            }
            State::Cut { began, booked } => {
                let at = at.max(booked);
                self.book(booked, at, true);
                self.state = State::Mains { booked: at };
                self.learn(seconds(began), seconds(at));
            }
        }
    }

    /// Watched until `at`, and nothing has changed.
    pub(super) fn watched(&mut self, at: Timestamp) {
        let (booked, dark) = match &mut self.state {
            State::Unwatched => return,
            State::Mains { booked } => (booked, false),
            State::Cut { booked, .. } | State::CutPart { booked } => (booked, true),
        };
        let from = *booked;
        if at > from {
            *booked = at;
            self.book(from, at, dark);
        }
    }

    /// From `at` on nobody knows: we are deaf, or every unit of the feeder is silent. What had begun is not learned
    /// from.
    pub(super) fn lost_sight(&mut self, at: Timestamp) {
        self.watched(at);
        self.state = State::Unwatched;
    }

    /// Watched again from `at`, and this is how it stands.
    pub(super) fn in_sight(&mut self, at: Timestamp, cut: bool) {
        match self.state {
            State::Unwatched if cut => self.state = State::CutPart { booked: at },
            State::Unwatched => self.state = State::Mains { booked: at },
            State::Mains { .. } if cut => self.cut_began(at),
            State::Cut { .. } | State::CutPart { .. } if !cut => self.cut_ended(at),
            State::Mains { .. } | State::Cut { .. } | State::CutPart { .. } => self.watched(at),
        }
    }

    /// How long from `now` until mains is back, in a cut that began at `cut_began`. None: too few cuts were seen, or
    /// this one has lasted longer than what is known (one breakdown is no knowledge of breakdowns).
    pub(super) fn expected_left(&self, now: Timestamp, cut_began: Timestamp) -> Option<Expectation> {
        if self.cuts.len() < MIN_CUTS {
            return None;
        }
        let (now_s, began_s) = (seconds(now), seconds(cut_began).min(seconds(now)));
        let lasted_s = now_s - began_s;
        let mut voices = Vec::new();
        let mut off_s = 0.0_f64;
        for (skill, period_s) in [(self.weekly, WEEK_S), (self.daily, DAY_S)] {
            let ends = self.alike(began_s, period_s, lasted_s);
            let late = ends.iter().filter_map(|v| {
                let left_s = v.says_s - now_s;
                // Late by a little: it may end at any moment.
                let says_s = left_s.max((GRACE_S + left_s) / 2);
                (says_s > 0).then_some(Voice { says_s, weight: v.weight * skill.trust() })
            });
            let before = voices.len();
            voices.extend(late);
            if voices.len() > before {
                off_s = if off_s == 0.0 { skill.off() } else { off_s.min(skill.off()) };
            }
        }
        if voices.is_empty() {
            let usual = self.longest_usual_s();
            let left =
                self.cuts.iter().map(|c| c.length_s()).filter(|l| *l > lasted_s && (*l <= usual || lasted_s >= usual));
            voices.extend(left.map(|l| Voice { says_s: l - lasted_s, weight: 1.0 }));
            if voices.len() < 2 {
                return None;
            }
        }
        let known_cuts = voices.len() as u32;
        let expected_s = quantile(&mut voices, 0.5);
        // Two or three cuts do not show how late the tenth will be; how far we were off lately does.
        let longest_s = quantile(&mut voices, 0.9).max(expected_s + (2.0 * off_s) as i64);
        Some(Expectation { expected: span(expected_s), longest: span(longest_s), known_cuts })
    }

    /// The next cut to begin after `now`. None: nothing of the kind was seen a day or a week before.
    pub(super) fn next_cut(&self, now: Timestamp) -> Option<NextCut> {
        if self.cuts.len() < MIN_CUTS {
            return None;
        }
        let now_s = seconds(now);
        let mut starts = Vec::new();
        let mut lengths = Vec::new();
        let ways = [(self.weekly, WEEK_S, MEMORY.as_secs() as i64 / WEEK_S), (self.daily, DAY_S, 7)];
        for (skill, period_s, times) in ways {
            for k in 1..=times {
                let shift = k * period_s;
                let from = self.cuts.partition_point(|c| c.began_s() + shift <= now_s);
                if let Some(next) = self.cuts.get(from).filter(|c| c.began_s() + shift - now_s <= DAY_S) {
                    let weight = skill.trust() * 0.8_f64.powi(k as i32 - 1);
                    starts.push(Voice { says_s: next.began_s() + shift - now_s, weight });
                    lengths.push(Voice { says_s: next.length_s(), weight });
                }
            }
        }
        if starts.len() < 2 {
            return None;
        }
        let known_cuts = starts.len() as u32;
        let at = now + span(quantile(&mut starts, 0.5));
        Some(NextCut { at, length: span(quantile(&mut lengths, 0.5)), known_cuts })
    }

    /// Hours without mains on a usual day of these weeks. None: less than five days of the week were watched.
    pub(super) fn usual_hours_per_day(&self) -> Option<f64> {
        let known: Vec<&Hour> = self.hours.iter().filter(|h| h.1 > 0).collect();
        let dark: f64 = known.iter().map(|h| f64::from(h.0) / 10_000.0).sum();
        (known.len() >= MIN_HOURS).then(|| dark / known.len() as f64 * 24.0)
    }

    /// Share of this hour of the week that usually has no mains, 0–1. None: never watched.
    pub(super) fn usual_share(&self, at: Timestamp) -> Option<f64> {
        let hour = self.hours.get(seconds(at).div_euclid(HOUR_S).rem_euclid(168) as usize)?;
        (hour.1 > 0).then(|| f64::from(hour.0) / 10_000.0)
    }

    /// Each hour of the week that was watched: the first such hour after `from`, and the share of it without mains, 0–1.
    pub(super) fn usual_week(&self, from: Timestamp) -> impl Iterator<Item = (Timestamp, f64)> {
        let first = seconds(from).div_euclid(HOUR_S) + 1;
        let hours = (first..first + 168).map(|hour| Timestamp::from_millis(hour * HOUR_S * 1000));
        hours.filter_map(|hour| Some((hour, self.usual_share(hour)?)))
    }

    /// The longest cut that is usual here: breakdowns, which have no two like them, left out.
    pub(super) fn longest_usual(&self) -> Option<Duration> {
        (self.cuts.len() >= MIN_CUTS).then(|| span(self.longest_usual_s()))
    }

    /// Cuts that were seen from beginning to end, ever.
    pub(super) fn known_cuts(&self) -> u32 {
        self.seen
    }

    /// The third longest, or the longest but a fortieth when many are known: the long cut of each Friday is usual, two
    /// breakdowns in a month are not.
    fn longest_usual_s(&self) -> i64 {
        let mut lengths: Vec<i64> = self.cuts.iter().map(|c| c.length_s()).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.get((lengths.len() / 40).max(2)).copied().unwrap_or(0)
    }

    /// When past cuts say that a cut which began at `began_s` ends: those that began near that time, some whole periods
    /// ago. What went far beyond the usual speaks only about a cut that has done so too.
    fn alike(&self, began_s: i64, period_s: i64, lasted_s: i64) -> Vec<Voice> {
        let usual_s = self.longest_usual_s() * 3 / 2 + 30 * 60;
        let company = self.cuts.iter().filter(|c| c.length_s() > lasted_s).count() >= 2;
        let mut voices = Vec::new();
        for cut in self.cuts.iter().rev() {
            let ago_s = began_s - cut.began_s();
            let periods = (ago_s + period_s / 2).div_euclid(period_s);
            // A list of each day is a matter of the last days; one of each week, of all we remember.
            if periods < 1 || (period_s == DAY_S && periods > 7) {
                continue;
            }
            let apart_s = (ago_s - periods * period_s).abs();
            if apart_s <= SAME_START_S && (cut.length_s() <= usual_s || (lasted_s > usual_s && company)) {
                let weight = 0.8_f64.powi(periods as i32 - 1);
                voices.push(Voice { says_s: cut.ended_s() + periods * period_s, weight });
            }
        }
        voices
    }

    fn learn(&mut self, began_s: i64, ended_s: i64) {
        let length_s = ended_s - began_s;
        if length_s < FLICKER_S {
            return;
        }
        for (period_s, weekly) in [(WEEK_S, true), (DAY_S, false)] {
            let mut ends = self.alike(began_s, period_s, 0);
            if ends.is_empty() {
                continue;
            }
            let off_s = (quantile(&mut ends, 0.5) - ended_s).abs().min(WORST_S);
            let skill = if weekly { &mut self.weekly } else { &mut self.daily };
            skill.tried(off_s);
        }
        let oldest_s = ended_s - MEMORY.as_secs() as i64;
        self.cuts.retain(|c| c.began_s() >= oldest_s);
        if self.cuts.len() >= CUTS {
            self.cuts.drain(..=self.cuts.len() - CUTS);
        }
        self.cuts.push(Cut::new(began_s, length_s));
        self.seen = self.seen.saturating_add(1);
    }

    fn book(&mut self, from: Timestamp, to: Timestamp, dark: bool) {
        let hour_ms = HOUR_S * 1000;
        let (mut at, to) = (from.as_millis(), to.as_millis());
        // A jump of the clock is not weeks of watching.
        if to - at > WEEK_S * 1000 {
            at = to - WEEK_S * 1000;
        }
        while at < to {
            let hour = at.div_euclid(hour_ms);
            if hour != self.filling.hour {
                self.close_hour();
                self.filling = Filling { hour, dark_ms: 0, seen_ms: 0 };
            }
            let end = to.min((hour + 1) * hour_ms);
            self.filling.seen_ms += end - at;
            if dark {
                self.filling.dark_ms += end - at;
            }
            at = end;
        }
    }

    fn close_hour(&mut self) {
        let Filling { hour, dark_ms, seen_ms } = self.filling;
        // Of an hour watched for minutes, the rest is unknown.
        if seen_ms < HOUR_S * 500 {
            return;
        }
        if self.hours.is_empty() {
            self.hours = vec![Hour::default(); 168];
        }
        let Some(known) = self.hours.get_mut(hour.rem_euclid(168) as usize) else { return };
        let share = dark_ms * 10_000 / seen_ms;
        known.1 = (known.1 + 1).min(WEEKS);
        let step = (share - i64::from(known.0)) / i64::from(known.1);
        known.0 = (i64::from(known.0) + step).clamp(0, 10_000) as u16;
    }
}

impl Skill {
    fn off(self) -> f64 {
        f64::from(self.off_s.unwrap_or(UNTRIED_S))
    }
    /// Twice as far off weighs a quarter.
    fn trust(self) -> f64 {
        (self.off() + BEST_S).powi(-2)
    }
    fn tried(&mut self, off_s: i64) {
        let known = i64::from(self.off_s.unwrap_or(UNTRIED_S));
        self.off_s = u32::try_from(known + (off_s - known) / TRIES).ok();
    }
}

fn seconds(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(1000)
}

fn span(seconds: i64) -> Duration {
    Duration::from_secs(seconds.max(0) as u64)
}

/// By weight; 0 for none.
fn quantile(voices: &mut [Voice], part: f64) -> i64 {
    voices.sort_by_key(|v| v.says_s);
    let mut left = part * voices.iter().map(|v| v.weight).sum::<f64>();
    for (i, v) in voices.iter().enumerate() {
        left -= v.weight;
        if left < -1e-12 || i + 1 == voices.len() {
            return v.says_s;
        }
    }
    0
}

#[cfg(test)]
mod tests;
