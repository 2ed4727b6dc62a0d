//! The service's own figures for Prometheus. Owns their names; never decides by them.

use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// Names follow `buttonwatch_*`, base units, `_total` for counters. Cheap to clone: all share the same cells.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    pub messages: IntCounterVec,
    pub unknown_fields: IntCounter,
    pub refused: IntCounterVec,
    pub quarantined: IntCounter,
    pub units: IntGaugeVec,
    pub alerts: IntGaugeVec,
    pub orders: IntGaugeVec,
    pub incidents: IntGauge,
    pub hearing: IntGauge,
    pub commit_seconds: Histogram,
    pub ack_seconds: Histogram,
    pub batch_messages: Histogram,
    pub engine_lag_seconds: Histogram,
    pub outbox_waiting: IntGauge,
    pub mails: IntCounterVec,
    pub crew_links: IntCounterVec,
    pub commands: IntCounterVec,
    pub connections: IntGauge,
    pub restarts_of_bus: IntGauge,
    pub bus_dropped: IntGauge,
    pub start_time_seconds: IntGauge,
}

/// From a quarter of a millisecond, which a commit without a disk flush takes, to seconds, which is trouble.
const SECONDS: [f64; 13] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

impl Metrics {
    pub fn new() -> Self {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let c = IntCounterVec::new(Opts::new(name, help), labels).expect("a fixed, valid name");
            registry.register(Box::new(c.clone())).expect("each name is registered once");
            c
        };
        let counter = |name: &str, help: &str| {
            let c = IntCounter::new(name, help).expect("a fixed, valid name");
            registry.register(Box::new(c.clone())).expect("each name is registered once");
            c
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let g = IntGaugeVec::new(Opts::new(name, help), labels).expect("a fixed, valid name");
            registry.register(Box::new(g.clone())).expect("each name is registered once");
            g
        };
        let gauge = |name: &str, help: &str| {
            let g = IntGauge::new(name, help).expect("a fixed, valid name");
            registry.register(Box::new(g.clone())).expect("each name is registered once");
            g
        };
        let histogram = |name: &str, help: &str, buckets: Vec<f64>| {
            let h = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets)).expect("a fixed, valid name");
            registry.register(Box::new(h.clone())).expect("each name is registered once");
            h
        };
        let build = gauges("buttonwatch_build_info", "1, with the version as a label.", &["version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Metrics {
            messages: counters("buttonwatch_messages_total", "Messages judged, by kind.", &["kind"]),
            unknown_fields: counter("buttonwatch_unknown_fields_total", "Fields of messages that were not understood."),
            refused: counters("buttonwatch_refused_total", "Messages and connections refused, by kind.", &["kind"]),
            quarantined: counter("buttonwatch_quarantined_messages_total", "Messages of units not in the fleet."),
            units: gauges("buttonwatch_units", "Units, by readiness and city.", &["readiness", "city"]),
            alerts: gauges(
                "buttonwatch_alerts",
                "Alerts that are not resolved, by state and severity.",
                &["state", "severity"],
            ),
            orders: gauges("buttonwatch_orders", "Work orders, by state and priority.", &["state", "priority"]),
            incidents: gauge("buttonwatch_incidents_open", "Common causes that are open now."),
            hearing: gauge("buttonwatch_hearing", "1 while units can be heard, 0 while the broker is lost."),
            commit_seconds: histogram("buttonwatch_commit_seconds", "Time a commit took.", SECONDS.to_vec()),
            ack_seconds: histogram(
                "buttonwatch_ack_seconds",
                "Time from taking a batch of messages to having acknowledged it.",
                SECONDS.to_vec(),
            ),
            batch_messages: histogram(
                "buttonwatch_batch_messages",
                "Messages per commit.",
                vec![1.0, 10.0, 100.0, 1000.0, 2000.0, 4000.0, 8000.0],
            ),
            engine_lag_seconds: histogram(
                "buttonwatch_engine_lag_seconds",
                "How long after its deadline a decision was made.",
                SECONDS.to_vec(),
            ),
            outbox_waiting: gauge("buttonwatch_outbox_waiting", "Mails decided but not yet sent."),
            mails: counters("buttonwatch_mails_total", "Mails by what became of the try.", &["outcome"]),
            crew_links: counters(
                "buttonwatch_crew_links_total",
                "Links of mails that were used, by what became of it.",
                &["outcome"],
            ),
            commands: counters("buttonwatch_commands_total", "Commands to units, by outcome.", &["outcome"]),
            connections: gauge("buttonwatch_connections", "Units connected to the gateway now."),
            restarts_of_bus: gauge("buttonwatch_bus_restarts", "How often the observers' bus was started again."),
            bus_dropped: gauge("buttonwatch_bus_dropped", "Copies that the observers' bus had no room for."),
            start_time_seconds: gauge("buttonwatch_start_time_seconds", "When the service started, Unix time."),
            registry,
        }
    }

    /// The Prometheus text format.
    pub fn text(&self) -> String {
        let mut out = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut out) {
            Ok(()) => String::from_utf8_lossy(&out).into_owned(),
            Err(e) => format!("# the metrics could not be written: {e}\n"),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
