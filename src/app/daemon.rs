//! The service: the only place that reads the clock.
