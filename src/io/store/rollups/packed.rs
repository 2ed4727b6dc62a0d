//! A day's or an hour's rollups as bytes.
//!
//! A format byte, then lz4 with the size in front, of this, all numbers as LEB128:
//!
//! ```text
//!  how many series, then each:
//!    name         its place in WELL_KNOWN plus 1; or 0, how many bytes, and the text
//!    how many hours, then each:
//!      hour       of the day, 0–23
//!      form       0–6: so many decimals, figures as whole numbers of that size; 7: figures as 8 bytes
//!      count, second of the last
//!      form 0–6:  min (zigzag), max − min, last − min, sum − count · min
//!      form 7:    min, max, last, sum
//! ```
//!
//! Readings have few decimals and do not move far within an hour: most figures fit into two bytes.

use std::collections::BTreeMap;

use crate::domain::series::{Figures, Rollup};
use crate::domain::{Metric, SeriesName};

const FORMAT: u8 = 1;
const RAW: u8 = 7;
/// A day of 32 vendor metrics and all of the catalogue's is a twentieth of this.
const UNPACKED_MAX: usize = 4 << 20;

/// A row's numbers mean places in this list: names are added at its end, and never moved.
const WELL_KNOWN: &[SeriesName] = &[
    SeriesName::Heartbeats,
    SeriesName::Metric(Metric::ControllerUptime),
    SeriesName::Metric(Metric::LinkRssi),
    SeriesName::Metric(Metric::EnclosureTemperature),
    SeriesName::Metric(Metric::EnclosureTamper),
    SeriesName::Metric(Metric::DiskFree),
    SeriesName::Metric(Metric::MemoryFree),
    SeriesName::Metric(Metric::MainsPresent),
    SeriesName::Metric(Metric::MainsVoltage),
    SeriesName::Metric(Metric::BatteryVoltage),
    SeriesName::Metric(Metric::BatteryCharge),
    SeriesName::Metric(Metric::BatteryTemperature),
    SeriesName::Metric(Metric::BatteryCurrent),
    SeriesName::Metric(Metric::PowerLoad),
    SeriesName::Metric(Metric::CameraSharpness),
    SeriesName::Metric(Metric::CameraLuma),
    SeriesName::Metric(Metric::CameraChanged),
    SeriesName::Metric(Metric::CameraFrozenFrames),
    SeriesName::Metric(Metric::CameraFps),
    SeriesName::Metric(Metric::MicrophoneTone),
    SeriesName::Metric(Metric::MicrophoneAmbient),
    SeriesName::Metric(Metric::MicrophoneClipping),
    SeriesName::Metric(Metric::MicrophoneRetries),
    SeriesName::Metric(Metric::SpeakerTone),
    SeriesName::Metric(Metric::ButtonStuck),
    SeriesName::Metric(Metric::ButtonContact),
    SeriesName::Metric(Metric::StreamConnect),
    SeriesName::Metric(Metric::StreamRate),
    SeriesName::Metric(Metric::StreamLoss),
    SeriesName::Metric(Metric::PressHeld),
    SeriesName::Metric(Metric::PressAck),
];

pub(super) fn pack<'a>(hours: impl IntoIterator<Item = (u8, &'a Rollup)>) -> Vec<u8> {
    // By series: like stands beside like.
    let mut series: BTreeMap<&SeriesName, Vec<(u8, &Figures)>> = BTreeMap::new();
    for (hour, rollup) in hours {
        for (name, figures) in rollup.iter() {
            series.entry(name).or_default().push((hour, figures));
        }
    }
    let mut out = Vec::new();
    put(&mut out, series.len() as u64);
    for (name, hours) in series {
        match WELL_KNOWN.iter().position(|known| known == name) {
            Some(place) => put(&mut out, place as u64 + 1),
            None => {
                let text = name.to_string();
                put(&mut out, 0);
                put(&mut out, text.len() as u64);
                out.extend_from_slice(text.as_bytes());
            }
        }
        put(&mut out, hours.len() as u64);
        for (hour, figures) in hours {
            out.push(hour);
            put_figures(&mut out, figures);
        }
    }
    let mut body = vec![FORMAT];
    body.extend(lz4_flex::block::compress_prepend_size(&out));
    body
}

/// Err: what is wrong with the bytes.
pub(super) fn unpack(body: &[u8]) -> Result<BTreeMap<u8, Rollup>, String> {
    let (format, rest) = body.split_first().ok_or("no bytes")?;
    if *format != FORMAT {
        return Err(format!("format {format} is not known"));
    }
    let (size, rest) = lz4_flex::block::uncompressed_size(rest).map_err(|e| e.to_string())?;
    if size > UNPACKED_MAX {
        return Err(format!("{size} bytes are too many"));
    }
    let raw = lz4_flex::block::decompress(rest, size).map_err(|e| e.to_string())?;
    let mut bytes = Bytes(&raw);
    let mut all: BTreeMap<u8, Rollup> = BTreeMap::new();
    for _ in 0..bytes.number()? {
        let name = bytes.name()?;
        for _ in 0..bytes.number()? {
            let hour = bytes.byte()?;
            let figures = bytes.figures()?;
            all.entry(hour).or_default().add(name.clone(), &figures);
        }
    }
    if bytes.0.is_empty() { Ok(all) } else { Err(format!("{} bytes too many", bytes.0.len())) }
}

/// The figures as whole numbers of the smallest decimal place that all of them have. None: they have no such place.
fn whole(f: &Figures) -> Option<(u8, [i64; 3], i64)> {
    /// Above, an f64 has no ones any more.
    const EXACT: f64 = 9e15;
    (0..RAW).find_map(|places| {
        let scale = 10f64.powi(i32::from(places));
        let one = |value: f64| {
            let scaled = (value * scale).round();
            (scaled.abs() < EXACT && scaled / scale == value).then_some(scaled as i64)
        };
        let figures = [one(f.min)?, one(f.max)?, one(f.last)?];
        // A sum of decimals is a decimal, but for what adding them up in binary has put at its end: no more than this, or
        // the readings between have more places than these three.
        const BINARY_DUST: f64 = 5e-7;
        let sum = (f.sum * scale).round();
        let is_near = (sum / scale - f.sum).abs() <= BINARY_DUST && sum.abs() < EXACT;
        is_near.then_some((places, figures, sum as i64))
    })
}

fn put_figures(out: &mut Vec<u8>, f: &Figures) {
    let packed = whole(f).and_then(|(places, [min, max, last], sum)| {
        let floor = i64::from(f.count).checked_mul(min)?;
        let above = [max.checked_sub(min)?, last.checked_sub(min)?, sum.checked_sub(floor)?];
        above.iter().all(|n| *n >= 0).then_some((places, min, above))
    });
    out.push(packed.map_or(RAW, |(places, ..)| places));
    put(out, u64::from(f.count));
    put(out, u64::from(f.last_s));
    match packed {
        Some((_, min, above)) => {
            put(out, (min << 1 ^ min >> 63) as u64);
            above.iter().for_each(|n| put(out, *n as u64));
        }
        None => [f.min, f.max, f.last, f.sum].iter().for_each(|v| out.extend_from_slice(&v.to_le_bytes())),
    }
}

fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("ends too early")?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self) -> Result<u64, String> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err("a number without end".to_owned())
    }

    fn real(&mut self) -> Result<f64, String> {
        let bytes = self.take(8)?.try_into().map_err(|_| "ends too early")?;
        Ok(f64::from_le_bytes(bytes))
    }

    fn name(&mut self) -> Result<SeriesName, String> {
        let unknown = |what: String| format!("no series {what}");
        match self.number()? {
            0 => {
                let length = usize::try_from(self.number()?).map_err(|e| e.to_string())?;
                let text = std::str::from_utf8(self.take(length)?).map_err(|e| e.to_string())?;
                text.parse().map_err(|_| unknown(format!("{text:?}")))
            }
            n => {
                let known = usize::try_from(n - 1).ok().and_then(|place| WELL_KNOWN.get(place));
                known.cloned().ok_or_else(|| unknown(n.to_string()))
            }
        }
    }

    fn figures(&mut self) -> Result<Figures, String> {
        let form = self.byte()?;
        let count = u32::try_from(self.number()?).map_err(|e| e.to_string())?;
        let last_s = u16::try_from(self.number()?).map_err(|e| e.to_string())?;
        if form == RAW {
            let (min, max, last, sum) = (self.real()?, self.real()?, self.real()?, self.real()?);
            return Ok(Figures { count, min, max, sum, last, last_s });
        }
        if form > RAW {
            return Err(format!("figures of form {form}"));
        }
        let zigzag = self.number()?;
        let min = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
        let mut above = || self.number().map(|n| n as i64);
        let (max, last, sum) = (above()?, above()?, above()?);
        let scale = 10f64.powi(i32::from(form));
        let real = |n: i64| n as f64 / scale;
        let sum = min.wrapping_mul(i64::from(count)).wrapping_add(sum);
        let (max, last) = (real(min.wrapping_add(max)), real(min.wrapping_add(last)));
        Ok(Figures { count, min: real(min), max, sum: real(sum), last, last_s })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(hours: &[(u8, &str, Figures)]) -> BTreeMap<u8, Rollup> {
        let mut all: BTreeMap<u8, Rollup> = BTreeMap::new();
        for (hour, name, figures) in hours {
            all.entry(*hour).or_default().add(name.parse().expect("a series"), figures);
        }
        all
    }

    fn there_and_back(all: &BTreeMap<u8, Rollup>) -> BTreeMap<u8, Rollup> {
        unpack(&pack(all.iter().map(|(h, r)| (*h, r)))).expect("unpacks")
    }

    #[test]
    fn figures_come_back_as_they_were() {
        let volts = Figures { count: 60, min: 11.52, max: 13.8, sum: 760.14, last: 12.4, last_s: 3_540 };
        let all = day(&[
            (0, "battery.voltage", volts),
            (23, "battery.voltage", Figures { min: 11.0, ..volts }),
            (5, "battery.current", Figures { count: 2, min: -1.25, max: 0.5, sum: -0.75, last: -1.25, last_s: 0 }),
            (5, "x.lux", Figures::one(1.0 / 3.0, 17)),
            (5, "x.huge", Figures::one(-1.5e300, 17)),
            (6, "heartbeats", Figures { count: 120, min: 1.0, max: 1.0, sum: 120.0, last: 1.0, last_s: 3_599 }),
        ]);
        assert_eq!(there_and_back(&all), all);
    }

    #[test]
    fn an_hour_of_a_usual_metric_is_a_dozen_bytes() {
        let volts = Figures { count: 60, min: 11.52, max: 13.8, sum: 760.14, last: 12.4, last_s: 3_540 };
        let mut out = Vec::new();
        put_figures(&mut out, &volts);
        assert_eq!(out.len(), 11, "{out:?}");
    }

    #[test]
    fn every_metric_that_units_send_has_its_place_and_keeps_it() {
        for name in SeriesName::known() {
            assert!(WELL_KNOWN.contains(&name), "add {name} at the end of WELL_KNOWN");
        }
        let list = WELL_KNOWN.iter().map(SeriesName::to_string).collect::<Vec<_>>().join(" ");
        assert!(list.starts_with("heartbeats controller.uptime link.rssi enclosure.temperature enclosure.tamper "));
        assert!(list.ends_with(" stream.connect_ms stream.rate stream.loss press.held_ms press.ack_ms"), "{list}");
        assert_eq!(WELL_KNOWN.len(), 31);
    }

    #[test]
    fn broken_bytes_are_named_and_never_taken_for_figures() {
        let good = pack([(0, &day(&[(0, "battery.voltage", Figures::one(12.5, 1))])[&0])]);
        for cut in 0..good.len() {
            assert!(unpack(&good[..cut]).is_err(), "cut at {cut}");
        }
        let mut other = good.clone();
        other[0] = 9;
        assert_eq!(unpack(&other), Err("format 9 is not known".to_owned()));
        let huge = [&[FORMAT][..], &u32::MAX.to_le_bytes()].concat();
        assert!(unpack(&huge).is_err());
    }

    /// The smallest, largest and last have no decimals, and one between them has three.
    #[test]
    fn a_sum_keeps_the_decimals_of_every_reading_in_it() {
        let mut figures = Figures::one(-4.0, 0);
        for value in [0.001, 7.0, 3.0] {
            figures.add(&Figures::one(value, 1));
        }
        let mut all: BTreeMap<u8, Rollup> = BTreeMap::new();
        all.entry(7).or_default().add(SeriesName::Heartbeats, &figures);
        let got = *there_and_back(&all)[&7].get(&SeriesName::Heartbeats).expect("is there");
        assert!((got.sum - 6.001).abs() < 1e-6, "{}", got.sum);
    }

    proptest! {
        #[test]
        fn whatever_was_measured_comes_back(
            values in prop::collection::vec((-1_000_000i64..1_000_000, 0i32..4, 0u16..3_600), 1..50),
        ) {
            let mut all: BTreeMap<u8, Rollup> = BTreeMap::new();
            let mut figures: Option<Figures> = None;
            for (value, places, second) in values {
                let one = Figures::one(value as f64 / 10f64.powi(places), second);
                match &mut figures {
                    Some(f) => f.add(&one),
                    None => figures = Some(one),
                }
            }
            let want = figures.expect("at least one");
            all.entry(7).or_default().add(SeriesName::Heartbeats, &want);
            let got = *there_and_back(&all)[&7].get(&SeriesName::Heartbeats).expect("is there");
            prop_assert_eq!(Figures { sum: want.sum, ..got }, want);
            prop_assert!((got.sum - want.sum).abs() <= 1e-6, "{} {}", got.sum, want.sum);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&bytes);
            let mut wrapped = vec![FORMAT];
            wrapped.extend(lz4_flex::block::compress_prepend_size(&bytes));
            let _ = unpack(&wrapped);
        }
    }
}
