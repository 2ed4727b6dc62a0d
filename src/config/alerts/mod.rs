//! alerts.toml → `RuleSet`, or every problem at once.
