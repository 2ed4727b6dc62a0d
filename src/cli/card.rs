//! One unit's card: what is asked for it. Never draws.

use std::time::Duration;

use crate::domain::view::{SeriesView, UnitCard};
use crate::domain::{Metric, SeriesName, UnitId};
use crate::render::table::DAY_SERIES;

use super::client::{Answered, Client};
use super::exit::Failure;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The card, and the last day of the readings that say most.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    pub card: UnitCard,
    pub days: Vec<SeriesView>,
}

pub fn fetch(client: &Client, unit: &UnitId) -> Result<Answered<Card>, Failure> {
    let Answered { value: card, now } = client.get::<UnitCard>(&format!("units/{unit}"))?;
    let since = now - DAY;
    let has = |metric: &Metric| card.readings.iter().any(|r| r.metric == metric.name());
    let wanted = DAY_SERIES.iter().copied().filter(has).map(SeriesName::Metric);
    let names = std::iter::once(SeriesName::Heartbeats).chain(wanted);
    // The card says most without them: one that cannot be had is left out.
    let days = names
        .filter_map(|name| client.get::<SeriesView>(&format!("units/{unit}/series/{name}?since={since}")).ok())
        .map(|answer| answer.value)
        .collect();
    Ok(Answered { value: Card { card, days }, now })
}
