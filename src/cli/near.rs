//! `fleet near`: which units a crew is close to. Never knows where this machine is.

use clap::Args;

use crate::config::query::check_query;
use crate::domain::position::{bearing_deg, distance_m};
use crate::domain::query::UnitField;
use crate::domain::view::UnitRow;
use crate::render::table::{self, NearRow};

use super::ask::Done;
use super::client::Client;
use super::exit::Failure;
use super::screen::Screen;

#[derive(Debug, Args)]
pub struct Near {
    /// Latitude and longitude in degrees, as a map shows them: 34.0086,71.5743
    #[arg(value_name = "LAT,LON", value_parser = parse_place, allow_hyphen_values = true)]
    pub place: Place,
    /// Only units of which this is so: readiness!=ready crew=saddar
    #[arg(value_name = "CONDITION")]
    pub filters: Vec<String>,
    /// Only units so near: 500m, 2km
    #[arg(long, value_name = "DISTANCE", value_parser = parse_distance)]
    pub within: Option<f64>,
    /// At most so many
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
}

/// Degrees, WGS 84.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    pub lat: f64,
    pub lon: f64,
}

/// `34.0086,71.5743`, also with N, S, E, W behind the figures.
fn parse_place(text: &str) -> Result<Place, String> {
    let form = "write it as 34.0086,71.5743: latitude, a comma, longitude, in degrees with a point";
    let parts: Vec<&str> = text.split([',', ';']).map(str::trim).collect();
    let [lat, lon] = parts[..] else {
        return Err(match parts.len() {
            1 => format!("that is one figure; {form}"),
            // 34,0086,71,5743
            4 => format!("a comma parts the two figures and cannot stand in them; {form}"),
            n => format!("these are {n} figures; {form}"),
        });
    };
    let (lat, lat_side) = figure(lat).ok_or_else(|| format!("{lat:?} is no latitude; {form}"))?;
    let (lon, lon_side) = figure(lon).ok_or_else(|| format!("{lon:?} is no longitude; {form}"))?;
    let wrong_way = matches!(lat_side, Some('E' | 'W')) || matches!(lon_side, Some('N' | 'S'));
    if wrong_way || (lat.abs() > 90.0 && lon.abs() <= 90.0) {
        return Err(format!("the latitude (north) comes first: {lon},{lat}"));
    }
    if lat.abs() > 90.0 || lon.abs() > 180.0 {
        return Err(format!("a latitude is from -90 to 90 and a longitude from -180 to 180; {form}"));
    }
    Ok(Place { lat, lon })
}

/// `34.0086`, `34.0086 N`, `34.0086°N`, `-34.0`. None: no figure.
fn figure(text: &str) -> Option<(f64, Option<char>)> {
    let side = text.chars().last().map(|c| c.to_ascii_uppercase()).filter(|c| "NSEW".contains(*c));
    let digits = if side.is_some() { &text[..text.len() - 1] } else { text };
    let value: f64 = digits.trim_end().trim_end_matches('°').trim().parse().ok()?;
    match side {
        _ if !value.is_finite() => None,
        Some('S' | 'W') if value >= 0.0 => Some((-value, side)),
        // -34 S: which is it?
        Some(_) if value < 0.0 => None,
        Some(_) | None => Some((value, side)),
    }
}

/// In metres.
fn parse_distance(text: &str) -> Result<f64, String> {
    let wrong = || format!("{text:?} is not a distance: write it as 500m or 2km");
    let text = text.trim();
    let (digits, factor) = match (text.strip_suffix("km"), text.strip_suffix('m')) {
        (Some(digits), _) => (digits, 1_000.0),
        (None, Some(digits)) => (digits, 1.0),
        (None, None) => return Err(wrong()),
    };
    match digits.trim().parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value * factor),
        Ok(_) | Err(_) => Err(wrong()),
    }
}

pub fn near(client: &Client, screen: &Screen, args: &Near) -> Done {
    check_query::<UnitField>(&args.filters, None).map_err(|problems| Failure::usage(problems.join("\n")))?;
    let query: Vec<(&str, &str)> = args.filters.iter().map(|f| ("filter", f.as_str())).collect();
    let units = client.get_list::<UnitRow>("units", &query)?;
    let here = (args.place.lat, args.place.lon);
    let (mut rows, mut unplaced) = (Vec::new(), 0);
    for row in units.value {
        match row.position {
            Some(there) => rows.push((distance_m(here, there), row)),
            None => unplaced += 1,
        }
    }
    rows.retain(|(distance, _)| args.within.is_none_or(|most| *distance <= most));
    rows.sort_by(|(a, x), (b, y)| a.total_cmp(b).then_with(|| x.unit.cmp(&y.unit)));
    rows.truncate(args.limit as usize);
    let rows: Vec<NearRow> = rows
        .into_iter()
        .map(|(distance, row)| {
            let bearing = bearing_deg(here, row.position.unwrap_or(here));
            NearRow::new(row, distance, bearing)
        })
        .collect();
    screen.rows(&rows, || table::near(&rows, unplaced, &screen.look(units.now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_maps_write_it() {
        let peshawar = Place { lat: 34.0086, lon: 71.5743 };
        for text in
            ["34.0086,71.5743", " 34.0086 , 71.5743 ", "34.0086 N, 71.5743 E", "34.0086°N,71.5743°e", "34.0086;71.5743"]
        {
            assert_eq!(parse_place(text), Ok(peshawar), "{text}");
        }
        assert_eq!(parse_place("-34.5,-71"), Ok(Place { lat: -34.5, lon: -71.0 }));
        assert_eq!(parse_place("34.5S,71W"), Ok(Place { lat: -34.5, lon: -71.0 }));
        for (text, says) in [
            ("71.5743E,34.0086N", "the latitude (north) comes first: 34.0086,71.5743"),
            ("171.5,34.0", "the latitude (north) comes first: 34,171.5"),
            ("34,0086,71,5743", "a comma parts the two figures"),
            ("34.0086", "that is one figure"),
            ("34°0'31\",71°34'", "is no latitude"),
            ("100,200", "a latitude is from -90 to 90"),
            ("-34 S,71", "is no latitude"),
            ("NaN,71", "is no latitude"),
            ("", "that is one figure"),
        ] {
            let error = parse_place(text).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_distance_has_its_unit() {
        assert_eq!((parse_distance("500m"), parse_distance("2.5 km")), (Ok(500.0), Ok(2_500.0)));
        for text in ["", "2", "-1km", "km", "infkm", "2 miles"] {
            assert!(parse_distance(text).is_err(), "{text}");
        }
    }
}
