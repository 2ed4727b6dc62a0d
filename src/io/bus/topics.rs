//! The bus's topics, spelled in one place. Never decides what is published.

use crate::domain::{GroupKind, GroupName, Kind, OrderId, RuleId, UnitId};

/// See the table in [`super`].
#[derive(Debug, Clone)]
pub struct Topics {
    root: String,
}

impl Topics {
    /// `root` is the first part of every topic, without a slash at its end: `buttonwatch/v1`.
    pub fn new(root: impl Into<String>) -> Self {
        Topics { root: root.into() }
    }
    pub fn copy(&self, unit: &UnitId, kind: Kind) -> String {
        format!("{}/{unit}/{kind}", self.root)
    }
    pub fn readiness(&self, unit: &UnitId) -> String {
        format!("{}/{unit}/readiness", self.root)
    }
    pub fn alert(&self, unit: &UnitId, rule: &RuleId) -> String {
        format!("{}/alerts/{unit}/{rule}", self.root)
    }
    pub fn incident(&self, kind: GroupKind, name: &GroupName) -> String {
        format!("{}/incidents/{kind}/{}", self.root, encoded(name.as_str()))
    }
    pub fn order(&self, order: OrderId) -> String {
        format!("{}/orders/{order}", self.root)
    }
}

/// Names come in any script, topics of the bus are plain ASCII: percent-encoded as in a URL.
fn encoded(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// What may go into rumqttd: it slices topics by bytes, and a wildcard in a topic is no topic.
pub(super) fn is_ours(topic: &str) -> bool {
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'+' | b'#' | b'$');
    !topic.is_empty() && topic.len() <= 1_024 && topic.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_is_one_that_the_bus_takes() {
        let topics = Topics::new("buttonwatch/v1");
        let unit = UnitId::parse("PSH-001").expect("an id");
        let rule = RuleId::parse("battery-low").expect("a rule");
        let name = GroupName::parse("قصہ خوانی #1").expect("a name");
        let cases = [
            (topics.copy(&unit, Kind::Press), "buttonwatch/v1/PSH-001/press"),
            (topics.readiness(&unit), "buttonwatch/v1/PSH-001/readiness"),
            (topics.alert(&unit, &rule), "buttonwatch/v1/alerts/PSH-001/battery-low"),
            (
                topics.incident(GroupKind::Site, &name),
                "buttonwatch/v1/incidents/site/%D9%82%D8%B5%DB%81%20%D8%AE%D9%88%D8%A7%D9%86%DB%8C%20%231",
            ),
            (topics.order(OrderId::new(42)), "buttonwatch/v1/orders/WO-000042"),
        ];
        for (topic, expected) in cases {
            assert_eq!(topic, expected);
            assert!(is_ours(&topic), "{topic}");
        }
    }

    #[test]
    fn a_topic_that_rumqttd_would_not_survive_is_refused() {
        for topic in ["", "é/x", "a/é", "a b", "a/+/b", "#", "$SYS/x", "a\0b", &"x".repeat(1_025)] {
            assert!(!is_ours(topic), "{topic:?}");
        }
    }
}
