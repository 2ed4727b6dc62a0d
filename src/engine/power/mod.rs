//! Power: what mains, batteries and chargers do to units. Never opens an alert: it gives figures, the rules judge them.

pub(super) mod battery;
