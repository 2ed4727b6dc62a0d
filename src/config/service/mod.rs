//! buttonwatch.toml → settings of the service, or every problem at once.
