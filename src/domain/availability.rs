//! For how long a unit could summon help: its readiness changes → the time it spent in each state, and of that the
//! share in which a press would have been answered. Never reads a clock or a store.
//!
//! `impaired` counts as available: it summons help, though worse than it should. `not-ready` and `silent` count
//! against it. `unknown`, `unproven` and `maintenance` are kept apart from both sides of the fraction and told beside
//! it: time of which nothing is known was neither good nor bad.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::readiness::Readiness;
use super::time::Timestamp;

/// One change of a unit's readiness, as it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub at: Timestamp,
    pub was: Readiness,
    pub became: Readiness,
}

/// How it stands after everything recorded. `since` None: it has never been heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present {
    pub readiness: Readiness,
    pub since: Option<Timestamp>,
}

/// From `from` to before `until` in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    pub from: Timestamp,
    pub until: Timestamp,
    pub readiness: Readiness,
    pub because: Because,
}

/// What tells the state of a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// The change of this index began it.
    Change(usize),
    /// The first change says what was before it.
    FirstChange,
    /// No change tells, but its present state began before.
    Present,
    /// Nothing: before it was first heard, or while it was not in the fleet.
    NothingRecorded,
}

impl Stretch {
    pub fn lasted(&self) -> Duration {
        self.until.since(self.from)
    }
}

/// The stretches that lie in `from` to before `to`, oldest first, without a hole. Changes may come in any order; those
/// at the same time stand as they were recorded: the last of them counts, the others are stretches of no length.
pub fn stretches(changes: &[Change], present: Option<Present>, from: Timestamp, to: Timestamp) -> Vec<Stretch> {
    let starts = timeline(changes, present);
    let mut out = Vec::new();
    for (i, (start, readiness, because)) in starts.iter().enumerate() {
        let end = starts.get(i + 1).map_or(Timestamp::MAX, |(next, _, _)| *next);
        let stretch =
            Stretch { from: (*start).max(from), until: end.min(to), readiness: *readiness, because: *because };
        let is_moment = *start == end && from <= *start && *start < to;
        if stretch.from < stretch.until || is_moment {
            out.push(stretch);
        }
    }
    out
}

/// How long in each state between `from` and `to`. An empty span, or one that ends before it begins: nothing.
pub fn times(changes: &[Change], present: Option<Present>, from: Timestamp, to: Timestamp) -> Times {
    let mut times = Times::default();
    for stretch in stretches(changes, present, from, to) {
        times.add(stretch.readiness, stretch.lasted());
    }
    times
}

/// When each state begins, from the beginning of time on; the last one goes on.
fn timeline(changes: &[Change], present: Option<Present>) -> Vec<(Timestamp, Readiness, Because)> {
    let mut order: Vec<usize> = (0..changes.len()).collect();
    order.sort_by_key(|i| changes[*i].at);
    let nothing = (Timestamp::MIN, Readiness::Unknown, Because::NothingRecorded);
    let mut starts = vec![match order.first().map(|i| changes[*i].was) {
        // Every unit stands as unproven before it is first heard, and no change tells when that was.
        None | Some(Readiness::Unproven) => nothing,
        Some(was) => (Timestamp::MIN, was, Because::FirstChange),
    }];
    let mut last: Option<Readiness> = None;
    for together in order.chunk_by(|a, b| changes[*a].at == changes[*b].at) {
        if last.is_some_and(|last| !together.iter().any(|i| changes[*i].was == last)) {
            // It left the fleet and came back as a new one: when it ceased to be what it was, nobody saw.
            lose(&mut starts);
        }
        for i in together {
            starts.push((changes[*i].at, changes[*i].became, Because::Change(*i)));
            last = Some(changes[*i].became);
        }
    }
    let Some(present) = present else { return starts };
    let last_at = order.last().map(|i| changes[*i].at);
    if last == Some(present.readiness) || present.since.is_some_and(|since| Some(since) < last_at) {
        return starts;
    }
    if last.is_some() {
        lose(&mut starts);
    }
    if let Some(since) = present.since {
        starts.push((since, present.readiness, Because::Present));
    }
    starts
}

fn lose(starts: &mut [(Timestamp, Readiness, Because)]) {
    if let Some((_, readiness, because)) = starts.last_mut() {
        (*readiness, *because) = (Readiness::Unknown, Because::NothingRecorded);
    }
}

/// Time by state. Of several units: the sum of their times, so that a unit that was watched for a day weighs a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times([Duration; Readiness::ALL.len()]);

impl Times {
    pub fn add(&mut self, readiness: Readiness, span: Duration) {
        let sum = &mut self.0[usize::from(readiness.code())];
        *sum = sum.saturating_add(span);
    }

    pub fn of(&self, readiness: Readiness) -> Duration {
        self.0[usize::from(readiness.code())]
    }

    pub fn total(&self) -> Duration {
        self.0.iter().fold(Duration::ZERO, |sum, part| sum.saturating_add(*part))
    }

    /// In which a press would have been answered.
    pub fn available(&self) -> Duration {
        self.sum(Counts::Available)
    }

    /// In which it is known whether a press would have been answered, and in which that was wanted.
    pub fn counted(&self) -> Duration {
        self.available().saturating_add(self.sum(Counts::Against))
    }

    /// None: no time counts, so there is no share of it.
    pub fn availability_pct(&self) -> Option<f64> {
        let counted = self.counted();
        (!counted.is_zero()).then(|| self.available().as_secs_f64() / counted.as_secs_f64() * 100.0)
    }

    fn sum(&self, wanted: Counts) -> Duration {
        let parts = Readiness::ALL.iter().filter(|r| counts(**r) == wanted).map(|r| self.of(*r));
        parts.fold(Duration::ZERO, Duration::saturating_add)
    }
}

impl AddAssign<&Times> for Times {
    fn add_assign(&mut self, other: &Times) {
        for readiness in Readiness::ALL {
            self.add(*readiness, other.of(*readiness));
        }
    }
}

/// Does a moment of this readiness count, and for or against? None: it counts neither way.
pub fn is_available(readiness: Readiness) -> Option<bool> {
    match counts(readiness) {
        Counts::Available => Some(true),
        Counts::Against => Some(false),
        Counts::Apart => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counts {
    Available,
    Against,
    Apart,
}

fn counts(readiness: Readiness) -> Counts {
    match readiness {
        Readiness::Ready | Readiness::Impaired => Counts::Available,
        Readiness::NotReady | Readiness::Silent => Counts::Against,
        Readiness::Unknown | Readiness::Unproven | Readiness::Maintenance => Counts::Apart,
    }
}

impl schemars::JsonSchema for Times {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Times".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "object", "description": "Seconds in each readiness", "additionalProperties": { "type": "number" } })
    }
}

/// Seconds by state: `{"ready": 86400.0, …}`, every state named.
impl Serialize for Times {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(Readiness::ALL.iter().map(|r| (r, self.of(*r).as_secs_f64())))
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let mut times = Times::default();
        for (readiness, seconds) in BTreeMap::<Readiness, f64>::deserialize(d)? {
            let span = Duration::try_from_secs_f64(seconds).map_err(|_| D::Error::custom("not a span in seconds"))?;
            // Times are kept to the millisecond: what a decimal fraction adds to that is no time.
            times.add(readiness, Duration::from_millis((span.as_secs_f64() * 1_000.0).round() as u64));
        }
        Ok(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Readiness::{Impaired, Maintenance, NotReady, Ready, Silent, Unknown, Unproven};
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn change(second: i64, was: Readiness, became: Readiness) -> Change {
        Change { at: at(second), was, became }
    }

    fn present(readiness: Readiness, since: Option<i64>) -> Option<Present> {
        Some(Present { readiness, since: since.map(at) })
    }

    /// `0-10 ready, 10-20 silent`.
    fn told(changes: &[Change], present: Option<Present>, from: i64, to: i64) -> String {
        let second = |t: Timestamp| t.as_millis() / 1_000;
        let all: Vec<String> = stretches(changes, present, at(from), at(to))
            .iter()
            .map(|s| format!("{}-{} {}", second(s.from), second(s.until), s.readiness))
            .collect();
        all.join(", ")
    }

    #[test]
    fn the_states_are_those_that_the_changes_tell() {
        let changes = [change(10, Ready, Silent), change(30, Silent, Impaired)];
        assert_eq!(told(&changes, None, 0, 100), "0-10 ready, 10-30 silent, 30-100 impaired");
        assert_eq!(told(&changes, None, 20, 25), "20-25 silent", "a span between two changes");
        assert_eq!(told(&changes, None, 0, 5), "0-5 ready", "a span before the first one");
        assert_eq!(told(&changes, None, 40, 50), "40-50 impaired", "and after the last");
        assert_eq!(told(&changes, None, 10, 30), "10-30 silent", "a change at the start is in, one at the end is not");
    }

    #[test]
    fn without_changes_the_present_state_tells_as_far_as_it_goes() {
        assert_eq!(told(&[], present(Ready, Some(-50)), 0, 10), "0-10 ready");
        assert_eq!(told(&[], present(Unproven, Some(4)), 0, 10), "0-4 unknown, 4-10 unproven");
        assert_eq!(told(&[], present(Unproven, Some(40)), 0, 10), "0-10 unknown");
        assert_eq!(told(&[], present(Unproven, None), 0, 10), "0-10 unknown", "never heard");
        assert_eq!(told(&[], None, 0, 10), "0-10 unknown");
    }

    #[test]
    fn before_a_unit_was_first_heard_nothing_is_known() {
        let first = [change(5, Unproven, Ready)];
        assert_eq!(told(&first, present(Ready, Some(5)), 0, 10), "0-5 unknown, 5-10 ready");
        // Proof ran out later: the change before it tells that it was heard.
        let overdue = [change(-90, Ready, Unproven), change(5, Unproven, Ready)];
        assert_eq!(told(&overdue, None, 0, 10), "0-5 unproven, 5-10 ready");
    }

    #[test]
    fn a_unit_that_left_the_fleet_and_came_back_was_not_ready_in_between() {
        let back = [change(5, Silent, Ready), change(50, Unproven, Ready)];
        assert_eq!(told(&back, None, 0, 60), "0-5 silent, 5-50 unknown, 50-60 ready");
        let left = [change(5, Silent, Ready)];
        assert_eq!(told(&left, present(Unproven, None), 0, 60), "0-5 silent, 5-60 unknown");
        assert_eq!(told(&left, present(Unproven, Some(40)), 0, 60), "0-5 silent, 5-40 unknown, 40-60 unproven");
        // The present was asked for before the last change came.
        assert_eq!(told(&left, present(Silent, Some(1)), 0, 60), "0-5 silent, 5-60 ready");
    }

    #[test]
    fn changes_at_the_same_time_take_no_time_and_lose_none() {
        let changes = [change(5, Ready, Silent), change(5, Silent, NotReady), change(9, NotReady, Ready)];
        assert_eq!(told(&changes, None, 0, 10), "0-5 ready, 5-5 silent, 5-9 not-ready, 9-10 ready");
        assert_eq!(told(&changes, None, 5, 6), "5-5 silent, 5-6 not-ready");
        let swapped = [changes[1], changes[0], changes[2]];
        assert_eq!(times(&swapped, None, at(0), at(10)).total(), Duration::from_secs(10));
        let late_first = [changes[2], changes[0], changes[1]];
        assert_eq!(times(&late_first, None, at(0), at(10)), times(&changes, None, at(0), at(10)));
    }

    #[test]
    fn a_span_without_time_has_no_availability() {
        let changes = [change(5, Ready, Silent)];
        for (from, to) in [(5, 5), (9, 3)] {
            assert_eq!(told(&changes, None, from, to), "");
            assert_eq!(times(&changes, None, at(from), at(to)).availability_pct(), None);
        }
        // Nor has one of which nothing counts.
        assert_eq!(times(&[], present(Maintenance, Some(0)), at(0), at(10)).availability_pct(), None);
    }

    #[test]
    fn impaired_is_available_and_what_is_not_known_is_neither() {
        let mut times = Times::default();
        for (readiness, seconds) in
            [(Ready, 60), (Impaired, 15), (NotReady, 20), (Silent, 5), (Unknown, 700), (Unproven, 80), (Maintenance, 9)]
        {
            times.add(readiness, Duration::from_secs(seconds));
        }
        assert_eq!(times.availability_pct(), Some(75.0));
        assert_eq!(times.counted(), Duration::from_secs(100));
        assert_eq!(times.total(), Duration::from_secs(889));
    }

    #[test]
    fn many_units_are_summed_by_their_time_and_not_by_their_shares() {
        let (mut long, mut short) = (Times::default(), Times::default());
        long.add(Ready, Duration::from_secs(990));
        short.add(Silent, Duration::from_secs(10));
        let mut both = long;
        both += &short;
        assert_eq!(both.availability_pct(), Some(99.0), "a mean of 100 and 0 would say 50");
    }

    fn readiness() -> impl Strategy<Value = Readiness> {
        proptest::sample::select(Readiness::ALL)
    }

    fn histories() -> impl Strategy<Value = (Vec<Change>, Option<Present>)> {
        let change = (-20i64..120, readiness(), readiness()).prop_map(|(second, was, became)| Change {
            at: at(second),
            was,
            became,
        });
        let present = (readiness(), proptest::option::of(-20i64..120))
            .prop_map(|(readiness, since)| Present { readiness, since: since.map(at) });
        (proptest::collection::vec(change, 0..12), proptest::option::of(present))
    }

    proptest! {
        #[test]
        fn the_parts_add_up_to_the_span((changes, now) in histories(), from in -50i64..150, lasts in 0i64..150) {
            let (from, to) = (at(from), at(from + lasts));
            prop_assert_eq!(times(&changes, now, from, to).total(), to.since(from));
            let all = stretches(&changes, now, from, to);
            prop_assert!(all.windows(2).all(|two| two[0].until == two[1].from), "{:?}", all);
        }

        #[test]
        fn a_span_cut_anywhere_adds_up((changes, now) in histories(), mut cuts in [-50i64..150, -50i64..150, -50i64..150]) {
            cuts.sort_unstable();
            let [from, cut, to] = cuts.map(at);
            let mut sum = times(&changes, now, from, cut);
            sum += &times(&changes, now, cut, to);
            prop_assert_eq!(sum, times(&changes, now, from, to));
        }

        #[test]
        fn the_order_in_which_changes_are_given_loses_no_time((mut changes, now) in histories()) {
            let before = times(&changes, now, at(-50), at(150)).total();
            changes.reverse();
            prop_assert_eq!(times(&changes, now, at(-50), at(150)).total(), before);
        }

        #[test]
        fn availability_is_a_percentage_or_nothing((changes, now) in histories()) {
            let times = times(&changes, now, at(0), at(100));
            let pct = times.availability_pct();
            prop_assert_eq!(pct.is_none(), times.counted().is_zero());
            prop_assert!(pct.is_none_or(|p| (0.0..=100.0).contains(&p)));
        }

        #[test]
        fn times_survive_being_written_and_read(ms in proptest::collection::vec(0u64..50_000_000_000_000, 7)) {
            let mut times = Times::default();
            for (readiness, ms) in Readiness::ALL.iter().zip(ms) {
                times.add(*readiness, Duration::from_millis(ms));
            }
            let text = serde_json::to_string(&times).unwrap();
            prop_assert_eq!(serde_json::from_str::<Times>(&text).unwrap(), times);
        }
    }
}
