use super::*;
use crate::domain::rule::WEATHER;

const DAY_S: f64 = 86_400.0;

/// xorshift64*: the same numbers for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    /// 0 to 1.
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }
    /// -1 to 1.
    fn even(&mut self) -> f64 {
        2.0 * self.unit() - 1.0
    }
    /// Standard deviation 1.
    fn bell(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

fn at(days: f64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + (days * DAY_S * 1000.0) as i64)
}

fn days(n: u64) -> Duration {
    Duration::from_secs(n * 86_400)
}

fn daily() -> Series {
    Series::new(days(1), days(120))
}

/// A healthy thing around 100, looked at every day of two months against limits near and far: dates are found in at most
/// `most_pct` of the looks.
fn check_no_dates(name: &str, most_pct: f64, mut value: impl FnMut(&mut Dice, usize) -> f64) {
    check_no_dates_from(0, 60, name, most_pct, &mut value);
}

fn check_no_dates_from(
    first_look: usize,
    until: usize,
    name: &str,
    most_pct: f64,
    value: &mut dyn FnMut(&mut Dice, usize) -> f64,
) {
    let (mut looks, mut dates) = (0, 0);
    for seed in 1..=120 {
        let mut dice = Dice::new(seed);
        let mut series = daily();
        let limit = [40.0, 70.0, 92.0, 130.0][seed as usize % 4];
        let side = if limit < 100.0 { Side::Below } else { Side::Above };
        for day in 0..until {
            series.push(at(day as f64 + 0.02 * dice.even()), value(&mut dice, day));
            if day >= first_look && day % 2 == 0 {
                looks += 1;
                dates += usize::from(series.forecast(limit, side, at(day as f64 + 0.1), WEATHER).is_some());
            }
        }
    }
    let pct = 100.0 * dates as f64 / looks as f64;
    println!("{name:24} {dates} of {looks} looks, {pct:.3} %");
    assert!(pct <= most_pct, "{name}: {dates} false dates in {looks} looks, {pct:.3} %");
}

#[test]
fn noise_has_no_date() {
    check_no_dates("white, 5", 0.1, |d, _| 100.0 + 5.0 * d.bell());
    check_no_dates("white, 9", 0.1, |d, _| 100.0 + 9.0 * d.bell());
    check_no_dates("even, ±10", 0.1, |d, _| 100.0 + 10.0 * d.even());
    check_no_dates("quantised", 0.1, |d, _| 100.0 + (d.bell() * 0.8).round() * 5.0);
    check_no_dates("one in ten is wild", 0.1, |d, _| {
        if d.unit() < 0.1 { 30.0 + 5.0 * d.bell() } else { 100.0 + 6.0 * d.bell() }
    });
    check_no_dates("constant", 0.0, |_, _| 100.0);
    let mut like = 0.0;
    check_no_dates("like yesterday's, 0.3", 0.2, |d, day| {
        like = if day == 0 { 0.0 } else { 0.3 * like } + 6.0 * d.bell();
        100.0 + like
    });
    check_no_dates("like yesterday's, 0.5", 0.5, |d, day| {
        like = if day == 0 { 0.0 } else { 0.5 * like } + 6.0 * d.bell();
        100.0 + like
    });
}

#[test]
fn seasons_steps_and_what_comes_to_rest_have_no_date() {
    use std::f64::consts::TAU;
    check_no_dates("market days", 0.1, |d, day| 100.0 + 12.0 * (day as f64 * TAU / 7.0).sin() + 3.0 * d.bell());
    check_no_dates("a year's season", 0.5, |d, day| 92.0 + 8.0 * (day as f64 * TAU / 365.0).cos() + 5.0 * d.bell());
    for size in [20.0, 30.0, 45.0] {
        check_no_dates(&format!("a step of {size}"), 0.6, |d, day| {
            let value = 100.0 + 5.0 * d.bell() - if day > 25 { size } else { 0.0 };
            // Away from the limits on the other side of it, which it may well have passed.
            if day > 25 { value.max(41.0) } else { value }
        });
    }
    let mut rest = |d: &mut Dice, day: usize| 110.0 + 30.0 * (-(day as f64) / 8.0).exp() + 4.0 * d.bell();
    check_no_dates_from(24, 60, "comes to rest", 3.0, &mut rest);
}

#[test]
fn a_day_and_its_night_are_one_point() {
    let mut dice = Dice::new(5);
    let mut series = daily();
    for hour in 0..24 * 40 {
        let sun = (f64::from(hour) / 24.0 * std::f64::consts::TAU).sin();
        series.push(at(f64::from(hour) / 24.0), 30.0 + 12.0 * sun + dice.bell());
        assert_eq!(series.forecast(50.0, Side::Above, at(f64::from(hour) / 24.0), WEATHER), None);
        assert_eq!(series.forecast(20.0, Side::Below, at(f64::from(hour) / 24.0), WEATHER), None);
    }
    assert!(series.len() <= 32);
}

/// ±10 % from day to day, and ten foggy days a year, up to two in a row.
struct Camera {
    dice: Dice,
    fog_days: u32,
}

impl Camera {
    fn new(seed: u64) -> Self {
        Camera { dice: Dice::new(seed), fog_days: 0 }
    }
    fn sharpness(&mut self, clean: f64) -> f64 {
        if self.fog_days > 0 {
            self.fog_days -= 1;
        } else if self.dice.unit() < 7.0 / 365.0 {
            self.fog_days = 1 + u32::from(self.dice.unit() < 0.5);
        }
        clean * (1.0 + 0.10 * self.dice.even()) * if self.fog_days > 0 { 0.3 } else { 1.0 }
    }
}

#[test]
fn fog_on_a_healthy_camera_has_no_date() {
    let mut dates = 0;
    for seed in 1..=12 {
        let (mut camera, mut series) = (Camera::new(seed), daily());
        for day in 0..365 {
            series.push(at(f64::from(day)), camera.sharpness(100.0));
            dates += u32::from(series.forecast(40.0, Side::Below, at(f64::from(day) + 0.1), WEATHER).is_some());
        }
    }
    println!("fog: {dates} of 4380 looks");
    assert!(dates <= 1, "{dates} dates in 12 years of fog");
}

struct Found {
    never: usize,
    /// Days between the first date found and the crossing, in order.
    lead: Vec<f64>,
    /// Median distance of the date from the crossing, when first found and in the last four days.
    off_first: f64,
    off_late: f64,
    inside: f64,
}

/// A lens that goes from 100 % to 20 % over so many days, after so many clean ones.
fn dusty_lenses(over: f64, clean_days: f64, shape: impl Fn(f64) -> f64, crossing_part: f64) -> Found {
    let (mut never, mut lead, mut first_off, mut late_off, mut inside, mut looks) = (0, vec![], vec![], vec![], 0, 0);
    let crossing = clean_days + over * crossing_part;
    for seed in 1..=20 {
        let (mut camera, mut series) = (Camera::new(seed), daily());
        let mut found = false;
        for day in 0..crossing as u32 {
            let day = f64::from(day);
            series.push(at(day), camera.sharpness(100.0 * shape(((day - clean_days) / over).clamp(0.0, 1.0))));
            let Some(f) = series.forecast(40.0, Side::Below, at(day + 0.1), WEATHER) else { continue };
            assert!(f.earliest <= f.at && f.at <= f.latest && f.slope_per_day < 0.0 && f.confidence_pct >= 80, "{f:?}");
            let off = (f.at.as_millis() - at(crossing).as_millis()) as f64 / 86_400_000.0;
            if !found {
                lead.push(crossing - day);
                first_off.push(off.abs());
            }
            found = true;
            looks += 1;
            inside += usize::from(f.earliest <= at(crossing) && at(crossing) <= f.latest);
            if crossing - day <= 4.0 {
                late_off.push(off.abs());
            }
        }
        never += usize::from(!found);
    }
    lead.sort_by(f64::total_cmp);
    let inside = inside as f64 / looks as f64;
    let found = Found { never, off_first: median(&mut first_off), off_late: median(&mut late_off), lead, inside };
    println!(
        "to 20 % over {over}: never {}, lead {:.1} / {:.1} / {:.1} d, off {:.1} then {:.1} d, inside {:.2}",
        found.never,
        found.lead[0],
        found.lead[found.lead.len() / 10],
        middle(&found.lead),
        found.off_first,
        found.off_late,
        found.inside
    );
    found
}

#[test]
fn dust_over_three_weeks_is_seen_days_before_the_limit() {
    let f = dusty_lenses(21.0, 30.0, |x| 1.0 - 0.8 * x, 0.75);
    assert!(f.never <= 1 && f.lead[f.lead.len() / 10] >= 3.0 && middle(&f.lead) >= 6.0);
    assert!(f.off_late <= 1.5 && f.inside >= 0.6);
}

#[test]
fn dust_over_two_months_is_seen_half_of_the_way_before_the_limit() {
    let f = dusty_lenses(60.0, 30.0, |x| 1.0 - 0.8 * x, 0.75);
    assert!(f.never == 0 && f.lead[f.lead.len() / 10] >= 15.0 && middle(&f.lead) >= 22.5);
    assert!(f.off_late < f.off_first && f.off_late <= 2.5 && f.inside >= 0.6);
}

#[test]
fn a_fall_that_slows_down_is_seen_too() {
    // To 20 % of it, each day the same part: 40 % is reached at ln 0.4 / ln 0.2 of the way.
    let f = dusty_lenses(60.0, 10.0, |x| 0.2_f64.powf(x), 0.4_f64.ln() / 0.2_f64.ln());
    assert!(f.never == 0 && middle(&f.lead) >= 10.0 && f.off_late <= 4.0);
}

#[test]
fn a_rise_is_a_fall_in_the_mirror() {
    let (mut up, mut down) = (daily(), daily());
    let mut dice = Dice::new(9);
    for day in 0..20 {
        let value = 2.0 * f64::from(day) + dice.bell();
        up.push(at(f64::from(day)), 100.0 + value);
        down.push(at(f64::from(day)), 100.0 - value);
    }
    let up = up.forecast(160.0, Side::Above, at(20.0), WEATHER).expect("plain");
    let down = down.forecast(40.0, Side::Below, at(20.0), WEATHER).expect("plain");
    assert!((up.at.as_millis() - down.at.as_millis()).abs() < 60_000, "{up:?} {down:?}");
    assert!((up.slope_per_day - 2.0).abs() < 0.2 && (up.level - 140.0).abs() < 2.0, "{up:?}");
}

#[test]
fn what_is_beyond_the_limit_already_is_due_now_if_it_is_a_trend() {
    let mut falling = daily();
    let mut low = daily();
    let mut dice = Dice::new(3);
    for day in 0..20 {
        falling.push(at(f64::from(day)), 80.0 - 3.0 * f64::from(day) + dice.bell());
        low.push(at(f64::from(day)), 20.0 + dice.bell());
    }
    assert_eq!(falling.forecast(40.0, Side::Below, at(20.0), WEATHER).map(|f| f.at), Some(at(20.0)));
    assert_eq!(low.forecast(40.0, Side::Below, at(20.0), WEATHER), None);
}

#[test]
fn too_few_points_and_too_few_days_have_no_date() {
    let mut few = daily();
    for day in 0..6 {
        few.push(at(f64::from(day) * 3.0), 100.0 - 5.0 * f64::from(day));
    }
    assert_eq!(few.forecast(40.0, Side::Below, at(16.0), WEATHER), None);
    let mut short = Series::new(Duration::from_secs(3600), days(30));
    for hour in 0..32 {
        short.push(at(f64::from(hour) / 24.0), 100.0 - f64::from(hour));
    }
    assert_eq!(short.forecast(40.0, Side::Below, at(1.4), WEATHER), None, "a day of falling is weather");
    assert_eq!(daily().forecast(40.0, Side::Below, at(0.0), WEATHER), None);
}

#[test]
fn a_series_of_a_year_is_small_dense_at_its_end_and_reaches_back() {
    let mut series = Series::new(days(1), days(120));
    for day in 0..365 {
        series.push(at(f64::from(day)), f64::from(day));
        assert!(series.len() <= 32);
        assert_eq!(series.points.last().map(|p| p.1), Some(day as f32), "the newest is always there");
    }
    let ages: Vec<f64> = series.until(at(364.0), 1e9).iter().map(|p| -p.0 / DAY_S).collect();
    assert!(ages[0] > 75.0 && ages[0] <= 120.0, "{ages:?}");
    assert!(ages[ages.len() - 14] < 13.5, "{ages:?}");
    assert!(ages.windows(2).all(|w| w[0] > w[1]), "{ages:?}");
}

#[test]
fn many_values_of_one_slot_are_one_point_their_median() {
    let mut series = Series::new(days(1), days(30));
    let start = (at(0.0).as_millis() / 86_400_000) * 86_400_000;
    for i in 0..2880 {
        series.push(Timestamp::from_millis(start + i * 30_000), i as f64);
    }
    assert_eq!(series.len(), 1);
    assert!((f64::from(series.points[0].1) - 1440.0).abs() < 200.0, "{:?}", series.points);
    assert!(series.slot.values.len() <= SLOT_VALUES);
}

#[test]
fn a_late_point_takes_its_place_or_is_let_go() {
    let mut series = daily();
    for day in [0.0, 1.0, 3.0, 4.0] {
        series.push(at(day), day);
    }
    series.push(at(2.0), 2.0);
    series.push(at(1.1), 99.0);
    series.push(at(-5.0), 99.0);
    series.push(at(4.5), f64::NAN);
    let values: Vec<f32> = series.points.iter().map(|p| p.1).collect();
    assert_eq!(values, [0.0, 1.0, 2.0, 3.0, 4.0]);
    series.clear();
    assert!(series.is_empty());
}

#[test]
fn a_rate_needs_half_its_window_and_three_points() {
    let minute = |m: f64| at(m / 1440.0);
    let hour = Duration::from_secs(3600);
    let mut series = Series::new(hour / 16, hour);
    for i in 0..6 {
        series.push(minute(f64::from(i) * 5.0), 10.0 + f64::from(i) * 5.0);
    }
    assert_eq!(series.slope(hour, minute(25.0)), None, "25 minutes of 60");
    series.push(minute(30.0), 400.0);
    let slope = series.slope(hour, minute(31.0)).expect("half the window");
    assert!((slope * 60.0 - 1.0).abs() < 0.05, "one a minute, whatever the last says: {slope}");
    assert_eq!(series.slope(hour, minute(300.0)), None, "nothing lately");
}

#[test]
fn a_series_that_was_saved_is_the_same_series() {
    let (mut series, mut dice) = (daily(), Dice::new(1));
    for i in 0..60 {
        series.push(at(f64::from(i) / 3.0), dice.bell() / 3.0);
        let text = serde_json::to_string(&series).expect("plain data");
        assert_eq!(serde_json::from_str::<Series>(&text).expect("its own text"), series);
    }
}
