//! The order in which a crew goes from place to place. Never knows what is to be done there.

use crate::domain::{Priority, SiteId};

/// One site with work.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stop {
    pub site: SiteId,
    /// Degrees, WGS 84.
    pub position: Option<(f64, f64)>,
    /// Of the most urgent work there.
    pub priority: Priority,
}

/// From the depot to the nearest, from there to the nearest of the rest, and so on. Without a depot it begins at the most
/// urgent. What has no place on the map comes last. Of equals the first by name.
pub(super) fn round_trip(depot: Option<(f64, f64)>, mut stops: Vec<Stop>) -> Vec<SiteId> {
    stops.sort_by(|a, b| (a.priority, &a.site).cmp(&(b.priority, &b.site)));
    let (mut left, lost): (Vec<Stop>, Vec<Stop>) = stops.into_iter().partition(|s| s.position.is_some());
    let mut here = depot.or_else(|| left.first().and_then(|s| s.position));
    let mut trip = Vec::new();
    while let Some(from) = here {
        let far = |s: &Stop| s.position.map_or(f64::INFINITY, |to| haversine_km(from, to));
        let nearest = (0..left.len()).min_by(|a, b| far(&left[*a]).total_cmp(&far(&left[*b])));
        let Some(next) = nearest.map(|i| left.remove(i)) else { break };
        here = next.position;
        trip.push(next.site);
    }
    trip.extend(lost.into_iter().map(|s| s.site));
    trip
}

/// Kilometres along the ground, on a sphere.
fn haversine_km((lat_a, lon_a): (f64, f64), (lat_b, lon_b): (f64, f64)) -> f64 {
    const EARTH_KM: f64 = 6371.0;
    let (a, b) = (lat_a.to_radians(), lat_b.to_radians());
    let half = |d: f64| (d.to_radians() / 2.0).sin().powi(2);
    let h = half(lat_b - lat_a) + a.cos() * b.cos() * half(lon_b - lon_a);
    2.0 * EARTH_KM * h.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop(name: &str, position: Option<(f64, f64)>, priority: Priority) -> Stop {
        Stop { site: SiteId::parse(name).expect("a name"), position, priority }
    }

    fn trip(depot: Option<(f64, f64)>, stops: Vec<Stop>) -> String {
        round_trip(depot, stops).iter().map(|s| s.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_trip_goes_to_the_nearest_each_time_and_to_unknown_places_last() {
        let stops = || {
            vec![
                stop("far", Some((34.10, 71.60)), Priority::P3),
                stop("near", Some((34.01, 71.58)), Priority::P3),
                stop("mid", Some((34.05, 71.59)), Priority::P1),
                stop("nowhere", None, Priority::P1),
            ]
        };
        assert_eq!(trip(Some((34.0, 71.58)), stops()), "near mid far nowhere");
        assert_eq!(trip(None, stops()), "mid near far nowhere", "4.5 km south is nearer than 5.6 km north");
        assert_eq!(trip(Some((34.0, 71.58)), vec![]), "");
    }

    #[test]
    fn distances_are_those_of_the_map() {
        // Peshawar to Mardan: 53 km as the crow flies.
        let km = haversine_km((34.0151, 71.5249), (34.1986, 72.0404));
        assert!((51.0..54.0).contains(&km), "{km}");
        assert_eq!(haversine_km((34.0, 71.5), (34.0, 71.5)), 0.0);
        assert!(haversine_km((90.0, 0.0), (-90.0, 0.0)) > 20_000.0);
    }
}
