use super::*;

struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    /// -1 to 1.
    fn even(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
    fn minutes(&mut self, most: f64) -> i64 {
        (self.even() * most * 60.0) as i64
    }
}

/// 2026-09-21, a Monday.
const MONDAY_S: i64 = 1_789_948_800;

fn t(s: i64) -> Timestamp {
    Timestamp::from_millis((MONDAY_S + s) * 1000)
}

/// (begin, end) of one day in minutes after midnight, by weekday.
type List = fn(i64) -> Vec<(i64, i64)>;

fn six_a_day(_: i64) -> Vec<(i64, i64)> {
    vec![(60, 120), (300, 390), (540, 600), (780, 900), (1020, 1080), (1260, 1350)]
}
fn other_six_a_day(_: i64) -> Vec<(i64, i64)> {
    vec![(0, 120), (240, 300), (430, 560), (690, 760), (930, 1050), (1170, 1230)]
}
fn hour_on_hour_off(_: i64) -> Vec<(i64, i64)> {
    (0..12).map(|k| (k * 120, k * 120 + 60)).collect()
}
fn other_on_fridays(weekday: i64) -> Vec<(i64, i64)> {
    if weekday == 4 { vec![(60, 240), (540, 660), (1200, 1410)] } else { six_a_day(weekday) }
}
fn every_day_its_own(weekday: i64) -> Vec<(i64, i64)> {
    let shift = weekday * 37 % 170;
    (0..5).map(|k| (k * 280 + shift, k * 280 + shift + 60 + (weekday * 13 + k * 29) % 60)).collect()
}
fn eighteen_hours(_: i64) -> Vec<(i64, i64)> {
    (0..6).map(|k| (k * 240, k * 240 + 180)).collect()
}

/// Cuts of days `from..to`, each end moved by up to six minutes, in order and apart.
fn cuts(list: List, from: i64, to: i64, dice: &mut Dice) -> Vec<(i64, i64)> {
    let day = |d: i64| list(d.rem_euclid(7)).into_iter().map(move |(a, b)| (d * 86_400 + a * 60, d * 86_400 + b * 60));
    (from..to).flat_map(day).map(|(a, b)| (a + dice.minutes(6.0), b + dice.minutes(6.0))).collect()
}

fn live(schedule: &mut Schedule, cuts: &[(i64, i64)]) {
    for (from, to) in cuts {
        schedule.cut_began(t(*from));
        schedule.watched(t((from + to) / 2));
        schedule.cut_ended(t(*to));
    }
}

/// Asks a quarter, half and three quarters through each cut, then lets it happen: how far off, in minutes, in order; and
/// the share that was over by `longest`.
fn quiz(schedule: &mut Schedule, cuts: &[(i64, i64)]) -> (Vec<i64>, f64) {
    let (mut off, mut over, mut asked) = (Vec::new(), 0, 0);
    for cut in cuts {
        for quarter in 1..4 {
            let now = cut.0 + (cut.1 - cut.0) * quarter / 4;
            asked += 1;
            match schedule.expected_left(t(now), t(cut.0)) {
                Some(e) => {
                    off.push((e.expected.as_secs() as i64 - (cut.1 - now)).abs() / 60);
                    over += usize::from(e.longest.as_secs() as i64 >= cut.1 - now);
                }
                None => off.push(24 * 60),
            }
        }
        live(schedule, &[*cut]);
    }
    off.sort_unstable();
    (off, over as f64 / asked as f64)
}

fn check_quiz(name: &str, (off, over): (Vec<i64>, f64), median_min: i64, ninth_min: i64) {
    let (median, ninth) = (off[off.len() / 2], off[off.len() * 9 / 10]);
    println!("{name}: median {median} min, nine in ten within {ninth} min, over by longest {over:.2}");
    assert!(median <= median_min && ninth <= ninth_min, "{name}: {median} and {ninth} min");
    assert!(over >= 0.85, "{name}: only {over:.2} were over by `longest`");
}

const LISTS: [(&str, List); 6] = [
    ("six a day", six_a_day),
    ("an hour on, an hour off", hour_on_hour_off),
    ("other hours on Fridays", other_on_fridays),
    ("every weekday its own", every_day_its_own),
    ("eighteen hours a day", eighteen_hours),
    ("another six a day", other_six_a_day),
];

#[test]
fn after_two_weeks_the_end_of_a_cut_is_known_to_a_few_minutes() {
    for (name, list) in LISTS {
        for seed in 1..=5 {
            let mut dice = Dice::new(seed);
            let mut schedule = Schedule::default();
            live(&mut schedule, &cuts(list, 0, 14, &mut dice));
            let asked = quiz(&mut schedule, &cuts(list, 14, 28, &mut dice));
            check_quiz(&format!("{name}, seed {seed}"), asked, 8, 15);
        }
    }
}

#[test]
fn a_new_list_is_known_within_a_week() {
    for (from, to) in [(0, 5), (5, 1), (1, 0), (2, 3), (0, 4), (3, 2)] {
        for seed in 1..=3 {
            let (mut dice, mut schedule) = (Dice::new(seed), Schedule::default());
            live(&mut schedule, &cuts(LISTS[from].1, 0, 28, &mut dice));
            live(&mut schedule, &cuts(LISTS[to].1, 28, 35, &mut dice));
            let asked = quiz(&mut schedule, &cuts(LISTS[to].1, 35, 42, &mut dice));
            check_quiz(&format!("{} after {}", LISTS[to].0, LISTS[from].0), asked, 15, 30);
        }
    }
}

#[test]
fn one_breakdown_of_ten_hours_changes_little() {
    for (name, list) in LISTS {
        let (mut dice, mut schedule) = (Dice::new(4), Schedule::default());
        let days = cuts(list, 0, 14, &mut dice);
        let began = days.iter().position(|c| c.0 > 11 * 86_400).expect("day 11");
        let broken = (days[began].0, days[began].0 + 10 * 3600);
        live(&mut schedule, &days[..began]);
        let usual = Duration::from_secs((0..7).flat_map(list).map(|(a, b)| b - a).max().unwrap_or(0) as u64 * 60);
        live(&mut schedule, &[broken]);
        live(&mut schedule, &days.into_iter().filter(|c| c.0 > broken.1 + 600).collect::<Vec<_>>());
        let after = schedule.longest_usual().expect("many cuts");
        assert!(after < usual + Duration::from_secs(900), "{name}: {after:?}, the longest of the list is {usual:?}");
        let asked = quiz(&mut schedule, &cuts(list, 14, 21, &mut dice));
        check_quiz(&format!("{name}, after a breakdown"), asked, 10, 20);
    }
}

#[test]
fn nobody_knows_what_was_never_seen() {
    let (mut dice, mut schedule) = (Dice::new(1), Schedule::default());
    assert_eq!(schedule.expected_left(t(0), t(0)), None);
    assert_eq!((schedule.next_cut(t(0)), schedule.usual_hours_per_day(), schedule.longest_usual()), (None, None, None));
    let days = cuts(six_a_day, 0, 14, &mut dice);
    live(&mut schedule, &days[..3]);
    assert_eq!(schedule.expected_left(t(days[3].0), t(days[3].0)), None, "three cuts");
    live(&mut schedule, &days[3..]);
    let began = 14 * 86_400 + 60 * 60;
    assert!(schedule.expected_left(t(began + 1800), t(began)).is_some());
    assert_eq!(schedule.expected_left(t(began + 3 * 3600), t(began)), None, "longer than all before");
    live(&mut schedule, &[(began, began + 10 * 3600)]);
    let next = 15 * 86_400 + 60 * 60;
    assert_eq!(schedule.expected_left(t(next + 5 * 3600), t(next)), None, "one breakdown is no knowledge");
}

#[test]
fn a_cut_at_an_odd_hour_is_expected_to_be_like_all_others() {
    let (mut dice, mut schedule) = (Dice::new(1), Schedule::default());
    live(&mut schedule, &cuts(|_| vec![(600, 660), (1200, 1260)], 0, 14, &mut dice));
    let began = 14 * 86_400 + 200 * 60;
    let e = schedule.expected_left(t(began + 600), t(began)).expect("28 cuts");
    assert!(e.expected.as_secs().abs_diff(3000) < 600 && e.known_cuts >= 20, "{e:?}");
}

#[test]
fn the_next_cut_is_told() {
    for (name, list) in LISTS {
        let (mut dice, mut schedule) = (Dice::new(2), Schedule::default());
        live(&mut schedule, &cuts(list, 0, 21, &mut dice));
        let mut off = Vec::new();
        let ahead = cuts(list, 21, 28, &mut dice);
        for pair in ahead.windows(2) {
            live(&mut schedule, &pair[..1]);
            let next = schedule.next_cut(t((pair[0].1 + pair[1].0) / 2)).expect("three weeks known");
            off.push(next.at.as_millis().abs_diff(t(pair[1].0).as_millis()) / 60_000);
        }
        off.sort_unstable();
        println!("{name}: next cut off by {} min, nine in ten within {}", off[off.len() / 2], off[off.len() * 9 / 10]);
        assert!(off[off.len() / 2] <= 10 && off[off.len() * 9 / 10] <= 60, "{name}: {off:?}");
    }
}

#[test]
fn a_usual_day_has_its_hours_without_mains() {
    for (list, hours) in [(six_a_day as List, 8.0), (hour_on_hour_off, 12.0), (eighteen_hours, 18.0)] {
        let (mut dice, mut schedule) = (Dice::new(3), Schedule::default());
        live(&mut schedule, &cuts(list, 0, 21, &mut dice));
        let usual = schedule.usual_hours_per_day().expect("three weeks");
        assert!((usual - hours).abs() < 0.5, "{usual} of {hours}");
    }
    let mut schedule = Schedule::default();
    live(&mut schedule, &cuts(six_a_day, 0, 21, &mut Dice::new(3)));
    assert!(schedule.usual_share(t(86_400 + 5400)).is_some_and(|s| s > 0.8), "cut from one to two");
    assert!(schedule.usual_share(t(86_400 + 9000)).is_some_and(|s| s < 0.2), "mains from two to three");
}

#[test]
fn hours_in_which_nobody_watched_are_neither_mains_nor_cut() {
    let mut schedule = Schedule::default();
    for day in 0..21 {
        let day = day * 86_400;
        schedule.in_sight(t(day), true);
        schedule.cut_ended(t(day + 6 * 3600));
        schedule.lost_sight(t(day + 12 * 3600));
    }
    assert_eq!(schedule.known_cuts(), 0, "their beginning was never seen");
    assert_eq!(schedule.usual_share(t(18 * 3600)), None);
    assert!(schedule.usual_share(t(3 * 3600)).is_some_and(|s| s > 0.99));
    assert_eq!(schedule.usual_hours_per_day(), None, "half of each day is unknown");
    schedule.in_sight(t(21 * 86_400), false);
    schedule.cut_began(t(21 * 86_400 + 60));
    schedule.lost_sight(t(21 * 86_400 + 600));
    schedule.in_sight(t(21 * 86_400 + 9000), true);
    schedule.cut_ended(t(21 * 86_400 + 12_000));
    assert_eq!(schedule.known_cuts(), 0, "mains may have been back in between");
}

#[test]
fn flicker_is_neither_a_cut_nor_the_end_of_one() {
    let mut schedule = Schedule::default();
    schedule.in_sight(t(0), false);
    live(&mut schedule, &[(1000, 1060), (2000, 2100)]);
    assert_eq!(schedule.known_cuts(), 0);
    live(&mut schedule, &[(3000, 4800), (4860, 6600), (6700, 7200)]);
    assert_eq!(schedule.cuts, [Cut::new(MONDAY_S + 3000, 4200)]);
    assert_eq!(schedule.known_cuts(), 1);
}

#[test]
fn times_out_of_order_and_jumps_of_years_do_no_harm() {
    let mut schedule = Schedule::default();
    for at in [Timestamp::MAX, Timestamp::MIN, t(0), t(-500), Timestamp::MAX, t(900)] {
        schedule.in_sight(at, false);
        schedule.cut_began(at);
        schedule.cut_began(at);
        schedule.watched(at);
        schedule.cut_ended(at);
        schedule.cut_ended(at);
        let _ = (schedule.expected_left(at, t(0)), schedule.next_cut(at), schedule.usual_hours_per_day());
        schedule.lost_sight(at);
    }
}

#[test]
fn a_schedule_is_small_and_survives_being_saved() {
    let (mut dice, mut schedule) = (Dice::new(1), Schedule::default());
    live(&mut schedule, &cuts(hour_on_hour_off, 0, 60, &mut dice));
    let bytes =
        size_of::<Schedule>() + schedule.cuts.len() * size_of::<Cut>() + schedule.hours.len() * size_of::<Hour>();
    assert!(bytes <= 2200 && schedule.cuts.len() == CUTS, "{bytes} bytes");
    let text = serde_json::to_string(&schedule).expect("plain data");
    assert_eq!(serde_json::from_str::<Schedule>(&text).expect("its own text"), schedule);
}
