//! Charts as they come out, and what must hold for all of them.

use chrono_tz::Asia::Karachi;
use proptest::prelude::*;
use resvg::tiny_skia::Pixmap;

use super::*;
use crate::domain::series::hour_starts;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time")
}

fn hour(first: Timestamp, n: i64) -> Timestamp {
    Timestamp::from_millis(first.as_millis() + n * 3_600_000)
}

fn named(name: &str) -> SeriesName {
    name.parse().expect("a series")
}

/// A small hash of the place, as noise: -1 to 1.
fn noise(n: i64) -> f64 {
    let mut x = n as u64 ^ 0x9e37_79b9_7f4a_7c15;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x >> 33) % 2_001) as f64 / 1_000.0 - 1.0
}

/// A week under load-shedding: cuts every few hours, a battery that holds less each day, eight hours without a link.
pub(super) fn battery() -> Chart {
    let from = at("2026-11-15T00:00:00Z");
    let to = at("2026-11-22T00:00:00Z");
    let mut volts = 13.6f64;
    let mut points = Vec::new();
    for n in 0..168 {
        let before = volts;
        let tired = 1.0 + n as f64 / 168.0;
        let in_cut = n % 8 >= 5;
        volts = if in_cut { volts - 0.42 * tired } else { (volts + 0.9).min(13.7) }.max(11.05) + noise(n) * 0.03;
        if (92..100).contains(&n) {
            continue;
        }
        let (min, max) = (before.min(volts) - 0.05, before.max(volts) + 0.05);
        points.push(SeriesPoint {
            hour: hour(from, n),
            count: 60,
            min,
            max,
            mean: (before + volts) / 2.0,
            last: volts,
        });
    }
    let limits = [("low 11.6 V".to_owned(), 11.6)];
    let chart = of_series(
        &named("battery.voltage"),
        &points,
        &limits,
        from,
        to,
        Karachi,
        "PSH-014 Qissa Khwani Bazaar: battery.voltage, 7 days",
    );
    chart.with_marks(vec![Mark { at: at("2026-11-19T10:00:00Z"), label: "battery-low".to_owned() }])
}

/// A lens that gathers dust: one test a day, two missed.
pub(super) fn sharpness() -> Chart {
    let from = at("2026-10-23T00:00:00Z");
    let points: Vec<SeriesPoint> = (0..30)
        .filter(|day| !(17..19).contains(day))
        .map(|day| {
            let value = 184.0 - day as f64 * 3.4 + noise(day) * 6.0;
            SeriesPoint { hour: hour(from, day * 24 + 3), count: 1, min: value, max: value, mean: value, last: value }
        })
        .collect();
    let limits = [("40 % of new: 74".to_owned(), 74.0)];
    let to = at("2026-11-22T00:00:00Z");
    of_series(
        &named("camera.sharpness"),
        &points,
        &limits,
        from,
        to,
        Karachi,
        "PSH-031 Jinnah Park: camera.sharpness, 30 days",
    )
}

/// A unit that hears less and less well, then nothing.
pub(super) fn heartbeats() -> Chart {
    let from = at("2026-11-20T00:00:00Z");
    let points: Vec<SeriesPoint> = (0..37)
        .map(|n| {
            let count = if n < 22 { 120 - (noise(n).abs() * 4.0) as u32 } else { 120 - (n as u32 - 21) * 6 };
            SeriesPoint { hour: hour(from, n), count, min: 1.0, max: 1.0, mean: 1.0, last: 1.0 }
        })
        .collect();
    let to = at("2026-11-22T00:00:00Z");
    of_series(
        &named("heartbeats"),
        &points,
        &[],
        from,
        to,
        Karachi,
        "MRD-002 Mardan bus terminal: heartbeats heard per hour",
    )
}

fn urdu() -> Chart {
    let Chart::Line(chart) = battery() else { unreachable!("voltage is a line") };
    Chart::Line(LineChart {
        title: "جناح پارک، شمالی گیٹ: بیٹری <V> & \u{7}".to_owned(), ..chart
    })
}

fn groups() -> Chart {
    let groups = [("saddar", 14.0), ("city-north", 9.0), ("university", 3.5), ("قصہ خوانی", 0.0)];
    let groups = groups.map(|(name, value)| (name.to_owned(), value)).to_vec();
    Chart::Bars(BarChart {
        title: "Overdue orders by crew".to_owned(),
        unit: "orders".to_owned(),
        bars: Bars::Groups(groups),
        limits: Vec::new(),
        width: 560,
        height: 140,
        theme: Theme::Light,
    })
}

fn all() -> [(&'static str, Chart); 7] {
    [
        ("battery", battery()),
        ("sharpness", sharpness()),
        ("heartbeats", heartbeats()),
        ("urdu", urdu()),
        ("groups", groups()),
        ("dark", battery().with_theme(Theme::Dark)),
        (
            "empty",
            of_series(
                &named("battery.voltage"),
                &[],
                &[],
                at("2026-11-21T00:00:00Z"),
                at("2026-11-22T00:00:00Z"),
                Karachi,
                "Nothing",
            ),
        ),
    ]
}

#[test]
fn charts_come_out_as_before() {
    for (name, chart) in all() {
        insta::assert_snapshot!(name, chart.svg());
    }
}

#[test]
fn charts_in_a_terminal_come_out_as_before() {
    let mut out = String::new();
    for (_, chart) in all() {
        let lines = chart.terminal(80);
        for line in &lines {
            assert!(crate::render::table::width(line) <= 80, "{line}");
        }
        out += &(lines.join("\n") + "\n\n");
    }
    insta::assert_snapshot!("terminal", out);
}

/// `CHARTS_TO=folder` keeps the pictures, to be looked at.
#[test]
fn a_picture_for_a_mail_is_small_sharp_and_the_same_every_time() {
    for (name, chart) in all() {
        let svg = chart.svg();
        let bytes = png(&svg).expect("draws");
        if let Some(folder) = std::env::var_os("CHARTS_TO") {
            std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), &bytes).expect("writable");
        }
        assert_eq!(bytes, png(&svg).expect("draws"), "{name}");
        assert!(bytes.len() < 30_000, "{name}: {} bytes", bytes.len());
    }
    let picture = Pixmap::decode_png(&png(&battery().svg()).expect("draws")).expect("a PNG");
    assert_eq!((picture.width(), picture.height()), (1_120, 360));
}

#[test]
fn text_is_drawn_also_from_right_to_left() {
    // As dark as a title is: only letters are.
    let dark = |title: &str| {
        let Chart::Line(chart) = battery() else { unreachable!("voltage is a line") };
        let svg = LineChart { title: title.to_owned(), ..chart }.svg();
        let picture = Pixmap::decode_png(&png(&svg).expect("draws")).expect("a PNG");
        let row_bytes = picture.width() as usize * 4;
        picture.data()[..row_bytes * 52].chunks(4).filter(|p| p[0] < 60 && p[2] < 90).count()
    };
    assert!(dark("Jinnah Park") > 300);
    assert!(dark("جناح پارک") > 150);
    assert!(can_write("Jinnah Park 1–2 °C") && can_write("جناح پارک، ٹانک") && can_write(""));
    assert!(!can_write("قصہ خوانی") && !can_write("公园"), "the font has no such letter: the title goes elsewhere");
    // Shaped: letters that are joined are not as wide as letters that stand alone.
    assert_ne!(dark("جناح"), dark("ج ن ا ح"));
}

#[test]
fn a_gap_is_a_gap_and_a_missed_test_too() {
    let gaps = |chart: &Chart| match chart {
        Chart::Line(chart) => chart.points.iter().filter(|p| **p == Point::Gap).count(),
        Chart::Bars(_) => unreachable!("these are lines"),
    };
    assert_eq!((gaps(&battery()), gaps(&sharpness())), (1, 1));
    let strokes = |chart: Chart| chart.svg().matches("stroke-width=\"1.75\"").count();
    assert_eq!((strokes(battery()), strokes(sharpness())), (2, 2));
}

#[test]
fn readings_are_told_in_words() {
    let point = |n: i64, min: f64, max: f64, last: f64| SeriesPoint {
        hour: hour_starts(n),
        count: 60,
        min,
        max,
        mean: (min + max) / 2.0,
        last,
    };
    let cases = [
        (
            "battery.voltage",
            vec![point(0, 11.4, 12.0, 11.9), point(1, 12.0, 13.8, 11.5)],
            "11.4 to 13.8 V, last 11.5 V",
        ),
        ("battery.voltage", vec![point(0, 12.0, 12.0, 12.0)], "always 12 V"),
        ("mains.present", vec![point(0, 0.0, 1.0, 0.0)], "yes in 50 % of the readings, last no"),
        (
            "heartbeats",
            vec![point(0, 1.0, 1.0, 1.0), point(1, 1.0, 1.0, 1.0)],
            "usually 60 an hour, 60 in the last hour that has any",
        ),
        ("x.lux", vec![], "no readings"),
    ];
    for (name, points, want) in cases {
        assert_eq!(in_words(&named(name), &points), want);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_figures_are_it_is_a_chart(
        hours in prop::collection::vec((0i64..5_000, any::<f64>(), any::<f64>(), any::<f64>()), 0..40),
        limit in any::<f64>(),
        span in 0i64..10_000,
        title in any::<String>(),
        size in (1u32..900, 1u32..400),
        width in 0usize..200,
    ) {
        let mut points: Vec<SeriesPoint> = hours
            .iter()
            .map(|(n, min, max, mean)| {
                SeriesPoint { hour: hour_starts(*n), count: 3, min: *min, max: *max, mean: *mean, last: *mean }
            })
            .collect();
        points.sort_by_key(|p| p.hour);
        for name in ["battery.voltage", "heartbeats", "mains.present", "x.y"] {
            let limits = [(title.clone(), limit)];
            let (from, to) = (hour_starts(100), hour_starts(100 + span));
            let chart = of_series(&named(name), &points, &limits, from, to, Karachi, &title).with_size(size);
            let svg = chart.svg();
            prop_assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            prop_assert!(resvg::usvg::Tree::from_str(&svg, &resvg::usvg::Options::default()).is_ok(), "{svg}");
            let _ = chart.terminal(width);
            let _ = in_words(&named(name), &points);
        }
    }
}
