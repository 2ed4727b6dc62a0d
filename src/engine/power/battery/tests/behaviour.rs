//! What the judge says of single cuts, chargers and broken input.

use crate::domain::Timestamp;
use crate::engine::power::battery::{Battery, Changed, Chemistry, PowerSample};

/// Minutes since the start of the script.
fn at(minute: f64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + (minute * 60_000.0) as i64)
}

fn sample(minute: f64, mains: Option<bool>, volts: f64, amps: Option<f64>) -> PowerSample {
    let volts = Some(volts);
    PowerSample {
        at: at(minute),
        mains,
        volts,
        amps,
        celsius: None,
        load_w: None,
        charge_pct: None,
        rebooted: None,
        mains_back: None,
    }
}

fn run(
    judge: &mut Battery,
    minutes: std::ops::Range<i32>,
    mains: Option<bool>,
    amps: Option<f64>,
    volts: impl Fn(f64) -> f64,
) -> Vec<Changed> {
    minutes.map(|m| judge.take(&sample(f64::from(m), mains, volts(f64::from(m)), amps), None)).collect()
}

#[test]
fn the_first_cut_has_no_figure_for_ten_minutes() {
    let mut judge = Battery::default();
    assert_eq!(judge.runtime_h(), None);
    run(&mut judge, 0..30, Some(true), Some(0.0), |_| 13.7);
    assert_eq!((judge.runtime_h(), judge.health_pct(), judge.charging()), (None, None, Some(true)));
    run(&mut judge, 30..38, Some(false), Some(-0.7), |_| 12.7);
    assert_eq!(judge.runtime_h(), None);
    run(&mut judge, 38..60, Some(false), Some(-0.7), |_| 12.65);
    assert!(judge.runtime_h().is_some_and(|h| (2.0..40.0).contains(&h)), "{:?}", judge.runtime_h());
    assert!(judge.cut_minutes(at(60.0)).is_some_and(|m| (29.0..32.0).contains(&m)));
}

#[test]
fn a_cut_begins_and_ends_with_mains_or_with_the_current() {
    for mains in [true, false] {
        let told = |m: bool| mains.then_some(m);
        let mut judge = Battery::default();
        run(&mut judge, 0..10, told(true), Some(0.01), |_| 13.7);
        let changes = run(&mut judge, 10..70, told(false), Some(-0.6), |m| 12.8 - 0.003 * m);
        assert_eq!(changes.iter().filter(|c| c.cut_began).count(), 1);
        assert_eq!(judge.on_battery(), Some(true));
        let changes = run(&mut judge, 70..80, told(true), Some(0.8), |_| 13.4);
        assert!(changes[0].cut_ended && !changes[0].ended_empty);
        assert_eq!(judge.cut_began(), None);
        assert_eq!(judge.past_cut_minutes().next(), Some(60));
    }
}

#[test]
fn volts_alone_tell_a_cut() {
    let mut judge = Battery::default();
    run(&mut judge, 0..10, None, None, |_| 13.7);
    run(&mut judge, 10..100, None, None, |m| 12.75 - 0.002 * m);
    assert_eq!(judge.on_battery(), Some(true));
    assert!(judge.runtime_h().is_some());
    run(&mut judge, 100..110, None, None, |m| 13.0 + 0.05 * (m - 100.0));
    assert_eq!(judge.on_battery(), Some(false));
}

#[test]
fn a_charger_that_does_nothing_is_seen_and_a_full_battery_is_not_blamed() {
    let mut judge = Battery::default();
    run(&mut judge, 0..600, Some(true), Some(0.0), |_| 13.6);
    assert_eq!((judge.charging(), judge.no_charge_since()), (Some(true), None));
    run(&mut judge, 600..700, Some(false), Some(-0.7), |m| 12.8 - 0.004 * (m - 600.0));
    assert_eq!(judge.charging(), None);
    // The battery recovers on its own for half an hour.
    run(&mut judge, 700..900, Some(true), Some(0.0), |m| 12.5 - 0.1 * (-(m - 700.0) / 10.0).exp());
    assert_eq!(judge.charging(), Some(false));
    assert!(judge.no_charge_since().is_some_and(|t| t <= at(730.0)));
    run(&mut judge, 900..910, Some(true), Some(0.7), |_| 13.0);
    assert_eq!(judge.charging(), Some(true));
}

#[test]
fn without_a_current_an_hour_of_low_volts_that_do_not_rise_is_a_dead_charger() {
    let mut judge = Battery::default();
    run(&mut judge, 0..40, Some(true), None, |m| 12.6 - 0.0005 * m);
    assert_eq!(judge.charging(), None);
    run(&mut judge, 40..90, Some(true), None, |m| 12.6 - 0.0005 * m);
    assert_eq!(judge.charging(), Some(false));
    let mut judge = Battery::default();
    run(&mut judge, 0..90, Some(true), None, |m| 12.5 + 0.004 * m);
    assert_ne!(judge.charging(), Some(false));
}

#[test]
fn silence_after_low_volts_ended_empty() {
    let mut judge = Battery::default();
    run(&mut judge, 0..10, Some(true), Some(0.0), |_| 13.7);
    run(&mut judge, 10..400, Some(false), Some(-0.8), |m| 12.7 - 0.0035 * m);
    assert!(judge.is_nearly_empty(at(400.0)));
    let changed = judge.take(&sample(700.0, Some(true), 12.1, Some(1.0)), None);
    assert!(changed.cut_ended && changed.ended_empty && changed.health == (judge.health_pct().is_some()));
    assert!(judge.charge_pct().is_some_and(|c| c < 10.0), "{:?}", judge.charge_pct());
}

#[test]
fn late_and_mad_samples_change_nothing_and_break_nothing() {
    let mut judge = Battery::default();
    run(&mut judge, 0..10, Some(true), Some(0.0), |_| 13.7);
    run(&mut judge, 10..60, Some(false), Some(-0.8), |_| 12.5);
    let before = judge.clone();
    assert_eq!(judge.take(&sample(30.0, Some(true), 14.0, Some(1.0)), None), Changed::default());
    assert_eq!(judge, before);
    for (i, v) in [f64::NAN, f64::INFINITY, -5.0, 0.0, 1e300, 12.3, 16.9, 6.0].into_iter().enumerate() {
        for (j, a) in [f64::NAN, -1e300, -100.0, 0.0, -1e-9, 5.0].into_iter().enumerate() {
            for mains in [None, Some(true), Some(false)] {
                judge.take(&sample(100.0 + (i * 600 + j * 97) as f64, mains, v, Some(a)), None);
                let figures = [judge.runtime_h(), judge.charge_pct(), judge.health_pct(), judge.start_charge_pct()];
                assert!(figures.iter().flatten().all(|f| f.is_finite() && *f >= 0.0), "{figures:?}");
            }
        }
    }
}

#[test]
fn what_is_kept_survives_json_to_the_bit_and_is_small() {
    let mut judge = Battery::default();
    for cut in 0..40 {
        let from = cut * 400;
        run(&mut judge, from..from + 150, Some(true), Some(0.05), |_| 13.7);
        run(&mut judge, from + 150..from + 400, Some(false), Some(-0.61), |m| {
            12.7 - 0.0031 * (m - f64::from(from) - 150.0)
        });
        let text = serde_json::to_string(&judge).expect("it serialises");
        assert_eq!(serde_json::from_str::<Battery>(&text).expect("it parses"), judge);
    }
    assert!(judge.health_history().count() <= 24);
    let size = size_of::<Battery>() + size_of::<super::super::Learned>();
    println!(
        "{} bytes, learned {}, a cut {}",
        size_of::<Battery>(),
        size_of::<super::super::Learned>(),
        size_of::<super::super::Cut>()
    );
    assert!(size <= 480, "{size}");
}

#[test]
fn lithium_is_told_from_lead_by_its_plateau() {
    let mut judge = Battery::default();
    run(&mut judge, 0..10, Some(true), Some(0.0), |_| 13.6);
    run(&mut judge, 10..200, Some(false), Some(-0.8), |m| 13.2 - 0.0005 * m);
    run(&mut judge, 200..210, Some(true), Some(0.8), |_| 13.5);
    assert_eq!(judge.chemistry(None), Chemistry::Lithium);
}
