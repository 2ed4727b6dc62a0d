//! `fleet near`: which units a crew is close to. Never knows where this machine is.

use clap::Args;

use crate::config::place::parse_place;
use crate::config::query::check_query;
use crate::domain::position::{bearing_deg, distance_m};
use crate::domain::query::UnitField;
use crate::domain::view::UnitRow;
use crate::io::http::LIMIT_MAX;
use crate::render::table::{self, NearRow};

use super::ask::Done;
use super::client::Client;
use super::exit::Failure;
use super::screen::Screen;

#[derive(Debug, Args)]
pub struct Near {
    /// Latitude and longitude in degrees, as a map shows them: 34.0086,71.5743
    #[arg(value_name = "LAT,LON", value_parser = parse_place, allow_hyphen_values = true)]
    pub place: (f64, f64),
    /// Only units of which this is so: readiness!=ready crew=saddar
    #[arg(value_name = "CONDITION")]
    pub filters: Vec<String>,
    /// Only units so near: 500m, 2km
    #[arg(long, value_name = "DISTANCE", value_parser = parse_distance)]
    pub within: Option<f64>,
    /// At most so many
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=LIMIT_MAX as i64))]
    pub limit: u32,
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
    let here = args.place;
    let near = format!("{},{}", here.0, here.1);
    let limit = args.limit.to_string();
    let filters = || args.filters.iter().map(|f| ("filter", f.as_str()));
    let query: Vec<(&str, &str)> = filters().chain([("near", near.as_str()), ("limit", limit.as_str())]).collect();
    let (units, _) = client.get_first::<UnitRow>("units", &query)?;
    let query: Vec<(&str, &str)> = filters().chain([("filter", "lat="), ("limit", "1")]).collect();
    let (_, unplaced) = client.get_first::<UnitRow>("units", &query)?;
    let is_within = |meters: &f64| args.within.is_none_or(|most| *meters <= most);
    let seen = units.value.into_iter().filter_map(|row| {
        let there = row.position?;
        let meters = Some(distance_m(here, there)).filter(is_within)?;
        Some(NearRow::new(row, meters, bearing_deg(here, there)))
    });
    let rows: Vec<NearRow> = seen.collect();
    screen.rows(&rows, || table::near(&rows, unplaced, &screen.look(units.now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_has_its_unit() {
        assert_eq!((parse_distance("500m"), parse_distance("2.5 km")), (Ok(500.0), Ok(2_500.0)));
        for text in ["", "2", "-1km", "km", "infkm", "2 miles"] {
            assert!(parse_distance(text).is_err(), "{text}");
        }
    }
}
