//! `only = { site_type = ["park"] }`: for which units a rule or an override is. Never looks at a fleet.

use super::super::document::Block;
use super::super::fleet::site_type_word;
use crate::domain::rule::Selection;

const KEYS: &[&str] = &["unit", "site", "site_type", "city", "district", "crew", "uplink", "feeder", "model"];

/// Everything, where the block has no `only`. None: something was noted.
pub fn only(block: &Block<'_>) -> Option<Selection> {
    let Some(item) = block.get("only") else { return Some(Selection::default()) };
    let inner = item.block()?;
    inner.only_keys(KEYS, |_| None);
    if inner.items().is_empty() {
        item.wrong("selects nothing in particular; name something, such as { city = [\"Peshawar\"] }, or drop it");
    }
    let mut fine = true;
    let mut names = |key: &str| -> Vec<String> {
        let Some(item) = inner.get(key) else { return Vec::new() };
        let texts = item.texts();
        fine &= texts.is_some();
        let texts = texts.unwrap_or_default();
        if fine && texts.is_empty() {
            item.wrong("is an empty list; name something or drop it");
            fine = false;
        }
        texts.into_iter().map(str::to_owned).collect()
    };
    let selection = Selection {
        unit: names("unit"),
        site: names("site"),
        // Written as fleet.csv is read: "Bus Terminal" is bus-terminal.
        site_type: names("site_type").iter().map(|t| site_type_word(t)).collect(),
        city: names("city"),
        district: names("district"),
        crew: names("crew"),
        uplink: names("uplink"),
        feeder: names("feeder"),
        model: names("model"),
    };
    fine.then_some(selection)
}
