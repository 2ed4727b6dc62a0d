//! `[[diagnosis]]`: signs that together point at another part than the last of them does. Never judges a sign.

use std::time::Duration;

use super::super::document::{Block, Item};
use super::super::duration::{HOUR, MINUTE};
use super::super::spelling::{nearest, quoted};
use super::incident::KnownRules;
use super::{LONGEST_WINDOW, order};
use crate::domain::DiagnosisId;
use crate::domain::rule::{Diagnosis, KnownSign, Sign};

const KEYS: &[&str] = &["id", "seen", "when", "within", "suspects", "action", "parts"];

/// A cut of load-shedding rarely lasts longer: what lies farther apart has not one cause.
const WITHIN: Duration = Duration::from_secs(6 * HOUR.as_secs());

/// None: something was noted.
pub fn diagnosis(id: Option<&str>, block: &Block<'_>, known: &KnownRules) -> Option<Diagnosis> {
    block.only_keys(KEYS, |key| match key {
        "signs" | "rules" | "of" => {
            Some("the signs, in the order in which they begin, are seen = [\"…\", \"…\"]".to_owned())
        }
        "crew" | "priority" | "after" | "order" => {
            Some("a diagnosis keeps those of the last sign's rule; only action and parts can be others".to_owned())
        }
        "component" => Some("the order is on the surest of the suspects".to_owned()),
        _ => None,
    });
    let seen = block
        .need(
            "seen",
            "say which signs, in the order in which they begin, such as seen = [\"on-battery\", \"unit-silent\"]",
        )
        .and_then(|item| seen(&item, known));
    let when = super::condition::limits(block, "when", "battery.carried_share\", above = 80");
    let within = match block.get("within") {
        Some(item) => item.span(MINUTE..=LONGEST_WINDOW),
        None => Some(WITHIN),
    };
    let remedy = "say what may be broken, such as suspects = [{ component = \"battery\", certainty = 100 }]";
    let suspects = block.need("suspects", remedy).and_then(|_| order::suspects(block));
    let action = match block.get("action") {
        Some(item) => item.words().map(|text| Some(text.to_owned())),
        None => Some(None),
    };
    let parts = match block.get("parts") {
        Some(item) => item.texts().map(|parts| Some(parts.into_iter().map(str::to_owned).collect())),
        None => Some(None),
    };
    Some(Diagnosis {
        id: DiagnosisId::parse(id?).ok()?,
        seen: seen?,
        when: when?,
        within: within?,
        suspects: suspects?,
        action: action?,
        parts: parts?,
    })
}

fn seen(item: &Item<'_>, known: &KnownRules) -> Option<Vec<Sign>> {
    let list = item.list();
    if list.len() < 2 {
        item.wrong(
            "needs at least 2 signs; what one sign points at, its rule's order says: order = { suspects = [ … ] }",
        );
    }
    let mut found: Vec<Option<Sign>> = Vec::new();
    for (i, part) in list.iter().enumerate() {
        let sign = sign(part, known);
        if sign.is_some() && found.contains(&sign) {
            part.wrong(format_args!("names {} twice; drop one", part.as_text().map(quoted).unwrap_or_default()));
        }
        if i + 1 == list.len() {
            match &sign {
                Some(Sign::Known(word)) => part.wrong(format_args!(
                    "ends with \"{word}\", which asks for no order; the last sign must be a rule, such as \"unit-silent\""
                )),
                Some(Sign::Rule(rule)) if known.orders(rule) == Some(false) => part.wrong(format_args!(
                    "ends with \"{rule}\", a rule that sends nobody; give that rule an order, or end with another"
                )),
                Some(Sign::Rule(_)) | None => {}
            }
        }
        found.push(sign);
    }
    found.into_iter().collect()
}

/// A rule of the file, or a word for what the unit does.
fn sign(item: &Item<'_>, known: &KnownRules) -> Option<Sign> {
    let text = item.words()?;
    match (known.has(text), text.parse::<KnownSign>()) {
        (true, Ok(word)) => {
            item.wrong(format_args!("names \"{word}\", which is both a rule and a sign of its own; rename the rule"));
            None
        }
        (true, Err(_)) => known.find(item).map(Sign::Rule),
        (false, Ok(word)) => Some(Sign::Known(word)),
        (false, Err(unknown)) => {
            let remedy = match nearest(text, known.ids().chain(unknown.known.iter().copied())) {
                Some(word) => format!("did you mean {}?", quoted(word)),
                None => format!(
                    "its rules are: {}; signs without a rule are: {}",
                    known.ids().collect::<Vec<_>>().join(", "),
                    unknown.known.join(", ")
                ),
            };
            item.wrong(format_args!(
                "names {}, which is no rule of this file and no other sign; {remedy}",
                quoted(text)
            ));
            None
        }
    }
}

/// The first that fits counts: notes each one behind another that fits whenever it does.
pub fn must_be_reachable(blocks: &[(Option<String>, Block<'_>)], diagnoses: &[Option<Diagnosis>]) {
    for (i, (later, (_, block))) in diagnoses.iter().zip(blocks).enumerate() {
        let (Some(later), Some(item)) = (later, block.get("seen")) else { continue };
        let earlier = diagnoses[..i].iter().zip(blocks).find_map(|(earlier, (_, block))| {
            let asks_no_more =
                |e: &&Diagnosis| e.when.is_empty() && e.within >= later.within && is_part(&e.seen, &later.seen);
            let earlier = earlier.as_ref().filter(asks_no_more)?;
            Some((earlier, block.get("id")?.line))
        });
        if let Some((earlier, line)) = earlier {
            item.wrong(format_args!(
                "can never count: diagnosis \"{}\" of line {line} asks for no more and stands first; move this one above it, or drop one",
                earlier.id
            ));
        }
    }
}

/// Is `few` in `many`, in the same order and with the same end?
fn is_part(few: &[Sign], many: &[Sign]) -> bool {
    let mut rest = many.iter();
    few.last() == many.last() && few.iter().all(|sign| rest.any(|other| other == sign))
}
