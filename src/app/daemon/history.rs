//! How ready units were and what they measured, from the store's history and how they stand now. Never on the judge's own thread, never decides.

use std::time::Duration;

use crate::config::spelling::nearest;
use crate::domain::availability::{Because, Change, Present, stretches, times};
use crate::domain::report::UnitPeriod;
use crate::domain::series::SeriesLimit;
use crate::domain::view::{
    Answer, AskError, AvailabilityRow, FineReading, PressView, SeriesView, StretchRow, UnitCard, UnitHistory, UnitRow,
};
use crate::domain::{Fleet, Readiness, Reason, RuleSet, SeriesName, Timestamp, UnitId, span_text};
use crate::io::influx::{InfluxReader, quote_name, quote_text};
use crate::io::store::{ReadinessLine, StoreError, StoreOptions, StoreReader};
use crate::render::points::field_of;

use super::answers::{no_such_unit, unreadable};

/// What was wrong this week is asked for after the weekend.
const UNIT_SINCE: Duration = Duration::from_secs(7 * 86_400);
/// A month's report.
const FLEET_SINCE: Duration = Duration::from_secs(30 * 86_400);
/// Asked for all that is kept, by a clock that counts whole seconds, and after the way here.
const ASKED_A_MOMENT_AGO: Duration = Duration::from_secs(60);

pub(super) fn of_unit(
    store: &StoreReader,
    units: &[UnitRow],
    now: Timestamp,
    unit: &UnitId,
    since: Option<Timestamp>,
) -> Result<Answer, AskError> {
    let kept = StoreOptions::default().history_keep;
    let from = check_since(now, since, UNIT_SINCE, kept, "history is")?;
    let row = units
        .iter()
        .find(|u| u.unit == *unit)
        .ok_or_else(|| no_such_unit(unit, units.iter().map(|u| u.unit.as_str())))?;
    let lines = lines(store, unit, from).map_err(unreadable)?;
    let changes: Vec<Change> = lines.iter().map(change).collect();
    let reason = |because: Because| {
        let said = |reason: Reason| (reason.to_string(), Some(reason));
        match because {
            Because::Change(i) => (lines[i].reason.clone(), lines[i].because.clone()),
            Because::FirstChange => said(Reason::AsBefore),
            Because::Present => (row.reason.clone(), row.because.clone()),
            Because::NothingRecorded => said(Reason::NothingRecorded),
        }
    };
    let stretches = stretches(&changes, Some(present(row)), from, now);
    let stretches = stretches.into_iter().map(|s| {
        let (reason, because) = reason(s.because);
        StretchRow {
            unit: unit.clone(),
            from: s.from,
            until: s.until,
            readiness: s.readiness,
            lasted_s: s.lasted().as_secs_f64(),
            reason,
            because,
        }
    });
    let seconds = times(&changes, Some(present(row)), from, now);
    Ok(Answer::History(Box::new(UnitHistory {
        unit: unit.clone(),
        from,
        to: now,
        available_pct: seconds.availability_pct(),
        seconds,
        stretches: stretches.collect(),
    })))
}

/// The newest. A card without them is better than none.
pub(super) fn presses(store: &StoreReader, unit: &UnitId) -> Vec<PressView> {
    match store.presses_of_unit(unit, UnitCard::PRESSES_MAX) {
        Ok(lines) => lines.iter().map(PressView::from).collect(),
        Err(e) => {
            tracing::warn!("the presses of {unit} are left out: {e}");
            Vec::new()
        }
    }
}

/// One row a unit of today's fleet.
pub(super) fn of_fleet(
    store: &StoreReader,
    units: &[UnitRow],
    now: Timestamp,
    since: Option<Timestamp>,
) -> Result<Answer, AskError> {
    let kept = StoreOptions::default().history_keep;
    let from = check_since(now, since, FLEET_SINCE, kept, "history is")?;
    let units = of_period(store, units, from, now)?;
    Ok(Answer::Availability(units.into_iter().map(|u| u.row).collect()))
}

/// One row a unit of today's fleet: its time from `from` to `to`, and how ready it was at the end.
pub(super) fn of_period(
    store: &StoreReader,
    units: &[UnitRow],
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<UnitPeriod>, AskError> {
    let last_moment = to - Duration::from_millis(1);
    let mut rows = Vec::with_capacity(units.len());
    for row in units {
        let changes: Vec<Change> = lines(store, &row.unit, from).map_err(unreadable)?.iter().map(change).collect();
        let seconds = times(&changes, Some(present(row)), from, to);
        let end = stretches(&changes, Some(present(row)), last_moment, to);
        rows.push(UnitPeriod {
            at_end: end.last().map_or(Readiness::Unknown, |s| s.readiness),
            row: AvailabilityRow { row: row.clone(), from, to, available_pct: seconds.availability_pct(), seconds },
        });
    }
    Ok(rows)
}

/// A unit's readings by the hour, and the limits that rules set them.
pub(super) fn series(
    store: &StoreReader,
    fleet: &Fleet,
    rules: &RuleSet,
    now: Timestamp,
    unit: &UnitId,
    metric: &SeriesName,
    since: Option<Timestamp>,
) -> Result<Answer, AskError> {
    let kept = StoreOptions::default().rollups_keep;
    let from = check_since(now, since, UNIT_SINCE, kept, "readings are")?;
    let Some(ix) = fleet.find(unit.as_str()) else {
        return Err(no_such_unit(unit, fleet.units().map(|(_, u)| u.unit.as_str())));
    };
    let points = store.series(unit, metric, from, now).map_err(unreadable)?;
    if let (true, SeriesName::Vendor(_)) = (points.is_empty(), metric) {
        // A catalogue metric exists whether or not the unit sends it. Of a vendor's own only what was sent tells.
        let sent: Vec<String> =
            store.series_metrics(unit, from).map_err(unreadable)?.iter().map(SeriesName::to_string).collect();
        if let Some(meant) = nearest(&metric.to_string(), sent.iter().map(String::as_str)) {
            return Err(AskError::NotFound(format!("{unit} has sent no {metric} in this time; did you mean {meant}?")));
        }
    }
    Ok(Answer::Series(Box::new(SeriesView {
        unit: unit.clone(),
        metric: metric.clone(),
        measured_in: metric.measured_in().to_owned(),
        from,
        to: now,
        limits: SeriesLimit::of(rules, fleet.unit(ix), metric),
        points,
        readings: Vec::new(),
    })))
}

/// As they were sent.
const FINEST: Duration = Duration::from_secs(2 * 86_400);
/// For as long as InfluxDB keeps them, by `influx setup`; of a month the means of 5 minutes are drawn.
const FINE: Duration = Duration::from_secs(30 * 86_400);

/// The finer readings of InfluxDB. It may be away: the hours are shown then.
pub(super) async fn add_readings(influx: &InfluxReader, series: &mut SeriesView) {
    let span = series.to.since(series.from);
    let Some(places) = field_of(&series.metric).filter(|_| span <= FINE + ASKED_A_MOMENT_AGO) else { return };
    for place in places {
        let field = quote_name(&place.field);
        let from = format!("{}.{}", quote_name(place.bucket.as_str()), quote_name(place.measurement));
        let of = place.component.map(|c| format!(" AND component = {}", quote_text(c.as_str()))).unwrap_or_default();
        let (what, by) = if span <= FINEST + ASKED_A_MOMENT_AGO {
            (field, "")
        } else {
            (format!("mean({field})"), " GROUP BY time(5m) fill(none)")
        };
        let query = format!(
            "SELECT {what} FROM {from} WHERE unit = {}{of} AND time >= {}ms AND time <= {}ms{by}",
            quote_text(series.unit.as_str()),
            series.from.as_millis(),
            series.to.as_millis(),
        );
        match influx.select(&query).await {
            Ok(found) => series
                .readings
                .extend(found.into_iter().map(|(at, value)| FineReading { at: Timestamp::from_millis(at), value })),
            Err(e) => {
                tracing::warn!("readings are shown by the hour: {e}");
                return;
            }
        }
    }
    series.readings.sort_by_key(|r| r.at);
}

/// `what`: "history is". Err: in the future, or older than what is kept.
pub(super) fn check_since(
    now: Timestamp,
    since: Option<Timestamp>,
    usual: Duration,
    kept: Duration,
    what: &str,
) -> Result<Timestamp, AskError> {
    let Some(since) = since else { return Ok(now - usual) };
    if since > now + ASKED_A_MOMENT_AGO {
        return Err(AskError::Invalid(vec![format!("{since} is not past yet: ask for a time before now")]));
    }
    if now.since(since) > kept + ASKED_A_MOMENT_AGO {
        let days = kept.as_secs() / 86_400;
        let asked = span_text(now.since(since));
        return Err(AskError::Invalid(vec![format!(
            "the {what} kept for {days} days and {asked} were asked for: ask for {days}d or less"
        )]));
    }
    Ok(since.min(now))
}

/// From `from` on, and the one before them, which tells how it was at `from`.
fn lines(store: &StoreReader, unit: &UnitId, from: Timestamp) -> Result<Vec<ReadinessLine>, StoreError> {
    let mut lines = Vec::from_iter(store.readiness_before(unit, from)?);
    lines.extend(store.readiness_history(unit, from)?);
    Ok(lines)
}

fn change(line: &ReadinessLine) -> Change {
    Change { at: line.at, was: line.from, became: line.to }
}

fn present(row: &UnitRow) -> Present {
    // A new row in the fleet file dates the state of a unit that was never heard, too: that tells nothing of it.
    let since = row.since.filter(|_| row.last_heard.is_some() || row.readiness != Readiness::Unproven);
    Present { readiness: row.readiness, since }
}
