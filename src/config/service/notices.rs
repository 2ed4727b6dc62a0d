//! `[notices]` and the same keys of each `[crew.<name>]`: who hears what, when. A crew's own keys come before the general
//! ones.

use std::time::Duration;

use crate::domain::Priority;
use crate::domain::notice_plan::{Night, NoticePlan, Patience, TimeOfDay};

use super::super::document::{Block, Item};
use super::super::duration::{DAY, MINUTE};
use super::super::spelling::quoted;

/// Keys that a crew may have, too.
pub(super) const KEYS: &[&str] = &["at_once", "night", "digest_at", "repeat", "escalate", "fold_after"];

/// Nobody waits longer than this and means it.
const LONGEST: Duration = Duration::from_secs(60 * DAY.as_secs());

pub(super) fn remark(key: &str) -> Option<String> {
    match key {
        "quiet_hours" | "quiet" => Some("write night = { from = \"22:00\", until = \"06:00\" }".to_owned()),
        "digest" => Some("did you mean digest_at?".to_owned()),
        "reminder" | "remind" => Some("did you mean repeat?".to_owned()),
        "escalation" => Some("did you mean escalate?".to_owned()),
        _ => None,
    }
}

/// What is not written is as in `base`.
pub(super) fn plan(block: &Block<'_>, base: &NoticePlan) -> NoticePlan {
    NoticePlan {
        zone: base.zone,
        at_once: block.get("at_once").and_then(|i| priority(&i)).unwrap_or(base.at_once),
        night: block.get("night").map_or(base.night, |i| if is_off(&i) { None } else { night(&i) }),
        digest_at: block.get("digest_at").and_then(|i| time_of_day(&i)).unwrap_or(base.digest_at),
        repeat: block
            .get("repeat")
            .map_or(base.repeat, |i| if is_off(&i) { None } else { i.span(MINUTE * 5..=LONGEST) }),
        patience: block.get("escalate").map_or_else(|| base.patience.clone(), |i| patience(&i, &base.patience)),
        fold_after: block.get("fold_after").and_then(|i| i.whole(1..=1000)).map_or(base.fold_after, |n| n as usize),
        depot: block.get("depot").map_or(base.depot, |i| depot(&i)),
    }
}

fn is_off(item: &Item<'_>) -> bool {
    item.as_text() == Some("off")
}

fn priority(item: &Item<'_>) -> Option<Priority> {
    item.word()
}

pub(super) fn time_of_day(item: &Item<'_>) -> Option<TimeOfDay> {
    let text = item.words()?;
    let time = TimeOfDay::parse(text);
    if time.is_none() {
        item.wrong(format_args!("cannot be {}; write hours and minutes of the day, such as \"07:00\"", quoted(text)));
    }
    time
}

fn night(item: &Item<'_>) -> Option<Night> {
    let block = item.block()?;
    block.only_keys(&["from", "until", "at_once"], |key| match key {
        "to" | "end" => Some("did you mean until?".to_owned()),
        "start" | "begin" => Some("did you mean from?".to_owned()),
        _ => None,
    });
    let remedy = "a night has both, such as { from = \"22:00\", until = \"06:00\" }";
    let times = ["from", "until"].map(|key| block.need(key, remedy).and_then(|i| time_of_day(&i)));
    let at_once = block.get("at_once").map_or(Some(Priority::P1), |i| priority(&i))?;
    let [Some(from), Some(until)] = times else { return None };
    if from == until {
        item.wrong("begins and ends at the same time: a whole day would be night; give it two times, or write \"off\"");
        return None;
    }
    Some(Night { from, until, at_once })
}

/// `{ p1 = "1h", p2 = "off" }`, or "off".
fn patience(item: &Item<'_>, base: &Patience) -> Patience {
    let nobody = Patience { p1: None, p2: None, p3: None };
    if is_off(item) {
        return nobody;
    }
    let Some(block) = item.block() else { return nobody };
    block.only_keys(&["p1", "p2", "p3"], |key| match key {
        "p4" | "P4" => Some("P4 waits for the next visit; nobody is asked about it".to_owned()),
        "P1" | "P2" | "P3" => Some("write it with a small p".to_owned()),
        _ => None,
    });
    let span = |key: &str, base: Option<Duration>| match block.get(key) {
        Some(item) if is_off(&item) => None,
        Some(item) => item.span(MINUTE..=LONGEST),
        None => base,
    };
    Patience { p1: span("p1", base.p1), p2: span("p2", base.p2), p3: span("p3", base.p3) }
}

/// `[34.0151, 71.5249]`: latitude, longitude.
fn depot(item: &Item<'_>) -> Option<(f64, f64)> {
    let remedy = "must be latitude and longitude in degrees, such as [34.0151, 71.5249]";
    let parts = if item.is_list() { item.list() } else { Vec::new() };
    let [lat, lon] = parts.as_slice() else {
        item.wrong(remedy);
        return None;
    };
    let (lat, lon) = (lat.number_in(-90.0..=90.0), lon.number_in(-180.0..=180.0));
    lat.zip(lon)
}
