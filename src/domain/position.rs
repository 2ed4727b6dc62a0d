//! Places on the ground: how far apart, and in which direction. Degrees, WGS 84, latitude before longitude.

/// Mean radius. The earth is not quite round: a distance is right to half a percent.
const EARTH_M: f64 = 6_371_008.8;

/// Great circle (haversine), in metres.
pub fn distance_m((lat_a, lon_a): (f64, f64), (lat_b, lon_b): (f64, f64)) -> f64 {
    let (north, east) = ((lat_b - lat_a).to_radians(), (lon_b - lon_a).to_radians());
    let across =
        (north / 2.0).sin().powi(2) + lat_a.to_radians().cos() * lat_b.to_radians().cos() * (east / 2.0).sin().powi(2);
    // Rounding can carry it a little past 1 for places on opposite sides.
    2.0 * EARTH_M * across.clamp(0.0, 1.0).sqrt().asin()
}

/// In which direction one sets out from `a` to `b`: 0 to below 360 degrees, 0 north, 90 east.
pub fn bearing_deg((lat_a, lon_a): (f64, f64), (lat_b, lon_b): (f64, f64)) -> f64 {
    let (from, to, east) = (lat_a.to_radians(), lat_b.to_radians(), (lon_b - lon_a).to_radians());
    let x = east.sin() * to.cos();
    let y = from.cos() * to.sin() - from.sin() * to.cos() * east.cos();
    x.atan2(y).to_degrees().rem_euclid(360.0)
}

pub fn compass(bearing_deg: f64) -> &'static str {
    const WORDS: [&str; 8] = ["north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"];
    let eighth = (bearing_deg.rem_euclid(360.0) / 45.0).round();
    WORDS[if eighth.is_finite() { eighth as usize % 8 } else { 0 }]
}

#[cfg(test)]
mod tests {
    use super::*;

    const QISSA_KHWANI: (f64, f64) = (34.0086, 71.5743);

    #[test]
    fn distances_are_those_of_the_map() {
        // Peshawar to Lahore, to Islamabad, to the other side of the world.
        for (there, km, word) in [
            ((31.5497, 74.3436), 377.0, "south-east"),
            ((33.6844, 73.0479), 141.0, "east"),
            ((-34.0086, -108.4257), 20_015.0, "north"),
            ((34.0186, 71.5743), 1.1, "north"),
            ((34.0086, 71.5635), 1.0, "west"),
        ] {
            let m = distance_m(QISSA_KHWANI, there);
            assert!((m / 1_000.0 - km).abs() < 0.01 * km + 0.1, "{there:?}: {m}");
            if m < 20_000_000.0 {
                assert_eq!(compass(bearing_deg(QISSA_KHWANI, there)), word, "{there:?}");
            }
        }
        assert_eq!(distance_m(QISSA_KHWANI, QISSA_KHWANI), 0.0);
    }

    #[test]
    fn across_the_date_line_is_near() {
        assert!(distance_m((0.0, 179.9), (0.0, -179.9)) < 23_000.0);
        assert_eq!(compass(bearing_deg((0.0, 179.9), (0.0, -179.9))), "east");
    }
}
