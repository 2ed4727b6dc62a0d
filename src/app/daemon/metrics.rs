//! The service's own figures for Prometheus. Owns their names; never decides by them. What each one means to an operator
//! stands in docs/metrics.md.
//!
//! A series with labels is there from the start, at 0: a rate over something that appears with its first event misses that
//! event, and a panel without a series looks like a broken one.

use std::collections::BTreeMap;

use prometheus::{
    Counter, Encoder, Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use crate::domain::message::Kind;
use crate::domain::order::OrderState;
use crate::domain::severity::{Priority, Severity};
use crate::domain::view::LinkUse;
use crate::domain::{AlertState, Timestamp};
use crate::io::influx::Outcome;
use crate::wire::refusal::RefusalKind;

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
    pub ingest_seconds: Histogram,
    pub ingest_waiting: IntGauge,
    pub ingest_room: IntGauge,
    pub commit_seconds: Histogram,
    pub last_commit: Gauge,
    pub last_checkpoint: Gauge,
    pub ack_seconds: Histogram,
    pub batch_messages: Histogram,
    pub engine_lag_seconds: Histogram,
    pub outbox_waiting: IntGauge,
    pub outbox_age_seconds: Gauge,
    pub outbox_refused: IntGauge,
    pub mails: IntCounterVec,
    pub crew_links: IntCounterVec,
    pub commands: IntCounterVec,
    pub connections: IntGauge,
    pub gateway: GatewayMetrics,
    pub bus: BusMetrics,
    pub store_bytes: IntGaugeVec,
    pub disk_free_bytes: IntGauge,
    pub disk_size_bytes: IntGauge,
    pub influx: InfluxMetrics,
    pub alertmanager: AlertmanagerMetrics,
    pub start_time_seconds: IntGauge,
}

/// What the gateway has counted since the start; 0 while only an external broker is used.
#[derive(Clone)]
pub struct GatewayMetrics {
    pub connects: IntCounter,
    pub takeovers: IntCounter,
    pub received: IntCounter,
    pub received_bytes: IntCounter,
    pub sent_bytes: IntCounter,
    pub unreported_refusals: IntCounter,
}

#[derive(Clone)]
pub struct BusMetrics {
    pub up: IntGauge,
    pub restarts: IntCounter,
    pub dropped: IntCounter,
}

/// Of the writer to InfluxDB. All 0 without `[influx]`.
#[derive(Clone)]
pub struct InfluxMetrics {
    pub configured: IntGauge,
    pub up: IntGauge,
    pub held: IntGauge,
    pub points: IntCounterVec,
    pub writes: IntCounterVec,
    pub spool_points: IntGauge,
    pub spool_bytes: IntGauge,
    pub spool_max_bytes: IntGauge,
    pub lag_seconds: Gauge,
    pub write_seconds: Counter,
}

/// Of the push to Alertmanager. All 0 without `[alertmanager]`.
#[derive(Clone)]
pub struct AlertmanagerMetrics {
    pub configured: IntGauge,
    pub up: IntGauge,
    pub alerts: IntGauge,
    pub pushes: IntCounterVec,
}

/// From a quarter of a millisecond, which a commit without a disk flush takes, to seconds, which is trouble.
const SECONDS: [f64; 13] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// Of tries to send a mail.
pub const MAIL_OUTCOMES: [&str; 4] = ["sent", "partly-sent", "retry", "refused"];
const COMMAND_OUTCOMES: [&str; 2] = ["taken", "expired"];
/// What became of a point for InfluxDB.
const POINT_OUTCOMES: [&str; 4] = ["written", "dropped", "refused", "unprocessable"];
/// What Alertmanager said to a push: it took it, it refused it, or there was no answer to count on.
pub const PUSH_OUTCOMES: [&str; 3] = ["taken", "refused", "failed"];

/// Makes figures and registers them. Every name is fixed, so nothing here can fail at run time.
struct Maker<'a>(&'a Registry);

impl Maker<'_> {
    fn registered<C: prometheus::core::Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let made = made.expect("a fixed, valid name");
        self.0.register(Box::new(made.clone())).expect("each name is registered once");
        made
    }
    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.registered(IntCounter::new(name, help))
    }
    /// One label, and all that it can say.
    fn counters(
        &self,
        name: &str,
        help: &str,
        label: &str,
        words: impl IntoIterator<Item = &'static str>,
    ) -> IntCounterVec {
        let made = self.registered(IntCounterVec::new(Opts::new(name, help), &[label]));
        for word in words {
            made.with_label_values(&[word]);
        }
        made
    }
    fn seconds(&self, name: &str, help: &str) -> Counter {
        self.registered(Counter::new(name, help))
    }
    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.registered(IntGauge::new(name, help))
    }
    fn fraction(&self, name: &str, help: &str) -> Gauge {
        self.registered(Gauge::new(name, help))
    }
    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.registered(IntGaugeVec::new(Opts::new(name, help), labels))
    }
    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.registered(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())))
    }
}

impl Metrics {
    pub fn new() -> Self {
        let registry = Registry::new();
        #[cfg(target_os = "linux")]
        registry
            .register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
            .expect("each name is registered once");
        let make = Maker(&registry);
        make.gauges("buttonwatch_build_info", "1, with the version as a label.", &["version"])
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        let metrics = Metrics {
            messages: make.counters(
                "buttonwatch_messages_total",
                "Messages judged, by kind.",
                "kind",
                Kind::ALL.iter().map(|k| k.as_str()),
            ),
            unknown_fields: make
                .counter("buttonwatch_unknown_fields_total", "Fields of messages that were not understood."),
            refused: make.counters(
                "buttonwatch_refused_total",
                "Messages and connections refused, by kind.",
                "kind",
                RefusalKind::ALL.iter().map(|k| k.as_str()),
            ),
            quarantined: make.counter("buttonwatch_quarantined_messages_total", "Messages of units not in the fleet."),
            units: make.gauges("buttonwatch_units", "Units, by readiness and city.", &["readiness", "city"]),
            alerts: make.gauges(
                "buttonwatch_alerts",
                "Alerts that are not resolved, by state and severity.",
                &["state", "severity"],
            ),
            orders: make.gauges(
                "buttonwatch_orders",
                "Open work orders, by state and priority.",
                &["state", "priority"],
            ),
            incidents: make.gauge("buttonwatch_incidents_open", "Common causes that are open now."),
            hearing: make.gauge("buttonwatch_hearing", "1 while units can be heard, 0 while the broker is lost."),
            ingest_seconds: make.histogram(
                "buttonwatch_ingest_seconds",
                "From reading a message to having judged it: the longest wait of each batch.",
                &SECONDS,
            ),
            ingest_waiting: make
                .gauge("buttonwatch_ingest_waiting_chunks", "Reads of connections that wait to be judged."),
            ingest_room: make.gauge(
                "buttonwatch_ingest_max_chunks",
                "How many reads of connections can wait; then the sockets wait.",
            ),
            commit_seconds: make.histogram("buttonwatch_commit_seconds", "Time a commit took.", &SECONDS),
            last_commit: make
                .fraction("buttonwatch_last_commit_time_seconds", "When something was last committed, Unix time."),
            last_checkpoint: make.fraction(
                "buttonwatch_last_checkpoint_time_seconds",
                "When the whole state was last committed, Unix time.",
            ),
            ack_seconds: make.histogram(
                "buttonwatch_ack_seconds",
                "Time from taking a batch of messages to having acknowledged it.",
                &SECONDS,
            ),
            batch_messages: make.histogram(
                "buttonwatch_batch_messages",
                "Messages per commit.",
                &[1.0, 10.0, 100.0, 1000.0, 2000.0, 4000.0, 8000.0],
            ),
            engine_lag_seconds: make.histogram(
                "buttonwatch_engine_lag_seconds",
                "How long after its deadline a decision was made.",
                &SECONDS,
            ),
            outbox_waiting: make.gauge("buttonwatch_outbox_waiting", "Mails decided but not yet sent."),
            outbox_age_seconds: make.fraction(
                "buttonwatch_outbox_age_seconds",
                "Age of the oldest mail that is not sent yet; 0: none waits.",
            ),
            outbox_refused: make
                .gauge("buttonwatch_outbox_refused", "Mails that were refused for good and wait for the operator."),
            mails: make.counters(
                "buttonwatch_mails_total",
                "Mails by what became of the try.",
                "outcome",
                MAIL_OUTCOMES,
            ),
            crew_links: make.counters(
                "buttonwatch_crew_links_total",
                "Links of mails that were used, by what became of it.",
                "outcome",
                LinkUse::ALL.iter().map(|u| u.as_str()),
            ),
            commands: make.counters(
                "buttonwatch_commands_total",
                "Commands to units, by outcome.",
                "outcome",
                COMMAND_OUTCOMES,
            ),
            connections: make.gauge("buttonwatch_connections", "Units connected to the gateway now."),
            gateway: GatewayMetrics {
                connects: make.counter("buttonwatch_gateway_connects_total", "Connections that were let in."),
                takeovers: make.counter(
                    "buttonwatch_gateway_takeovers_total",
                    "Connections that ended because the same unit connected again.",
                ),
                received: make.counter(
                    "buttonwatch_gateway_received_total",
                    "Messages that the gateway received, refused ones too.",
                ),
                received_bytes: make.counter("buttonwatch_gateway_received_bytes_total", "Bytes of MQTT received."),
                sent_bytes: make.counter("buttonwatch_gateway_sent_bytes_total", "Bytes of MQTT sent."),
                unreported_refusals: make.counter(
                    "buttonwatch_gateway_unreported_refusals_total",
                    "Connections turned away while there was no room to count why.",
                ),
            },
            bus: BusMetrics {
                up: make.gauge("buttonwatch_bus_up", "1 while observers can connect to the bus."),
                restarts: make
                    .counter("buttonwatch_bus_restarts_total", "How often the observers' bus was started again."),
                dropped: make
                    .counter("buttonwatch_bus_dropped_total", "Copies that the observers' bus had no room for."),
            },
            store_bytes: make.gauges("buttonwatch_store_bytes", "Size of the store's files.", &["file"]),
            disk_free_bytes: make
                .gauge("buttonwatch_disk_free_bytes", "Space left for the service on the disk of the store."),
            disk_size_bytes: make.gauge("buttonwatch_disk_size_bytes", "Size of the disk of the store."),
            influx: influx(&make),
            alertmanager: alertmanager(&make),
            start_time_seconds: make.gauge("buttonwatch_start_time_seconds", "When the service started, Unix time."),
            registry: registry.clone(),
        };
        metrics.set_alerts([]);
        metrics.set_orders([]);
        metrics
    }

    /// Of every state and severity, those that are not there as 0. A scrape in between sees old and new side by side.
    pub fn set_alerts(&self, alerts: impl IntoIterator<Item = (AlertState, Severity)>) {
        let mut counts: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for state in [AlertState::Pending, AlertState::Firing, AlertState::Inhibited] {
            counts.extend(Severity::ALL.iter().map(|severity| ((state.as_str(), severity.as_str()), 0)));
        }
        for (state, severity) in alerts {
            *counts.entry((state.as_str(), severity.as_str())).or_default() += 1;
        }
        for ((state, severity), count) in counts {
            self.alerts.with_label_values(&[state, severity]).set(count);
        }
    }

    /// As [`Self::set_alerts`].
    pub fn set_orders(&self, orders: impl IntoIterator<Item = (OrderState, Priority)>) {
        let mut counts: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for state in OrderState::ALL.iter().filter(|s| s.is_open()) {
            counts.extend(Priority::ALL.iter().map(|priority| ((state.as_str(), priority.as_str()), 0)));
        }
        for (state, priority) in orders {
            *counts.entry((state.as_str(), priority.as_str())).or_default() += 1;
        }
        for ((state, priority), count) in counts {
            self.orders.with_label_values(&[state, priority]).set(count);
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

fn influx(make: &Maker<'_>) -> InfluxMetrics {
    InfluxMetrics {
        configured: make.gauge("buttonwatch_influx_configured", "1 if the settings have a section [influx]."),
        up: make.gauge("buttonwatch_influx_up", "1 if InfluxDB took the last write."),
        held: make.gauge(
            "buttonwatch_influx_held",
            "1 while InfluxDB refuses our token or a bucket is missing: an operator must act.",
        ),
        points: make.counters(
            "buttonwatch_influx_points_total",
            "Points for InfluxDB, by what became of them.",
            "outcome",
            POINT_OUTCOMES,
        ),
        writes: make.counters(
            "buttonwatch_influx_writes_total",
            "Writes to InfluxDB, by its answer.",
            "outcome",
            Outcome::ALL.map(Outcome::as_str),
        ),
        spool_points: make.gauge("buttonwatch_influx_spool_points", "Points that wait on disk for InfluxDB."),
        spool_bytes: make.gauge("buttonwatch_influx_spool_bytes", "Size of what waits on disk for InfluxDB."),
        spool_max_bytes: make.gauge(
            "buttonwatch_influx_spool_max_bytes",
            "What may wait on disk for InfluxDB; then the oldest is dropped.",
        ),
        lag_seconds: make.fraction(
            "buttonwatch_influx_lag_seconds",
            "Age of the oldest batch that InfluxDB has not taken; 0: none.",
        ),
        write_seconds: make
            .seconds("buttonwatch_influx_write_seconds_total", "Time that writes to InfluxDB took together."),
    }
}

fn alertmanager(make: &Maker<'_>) -> AlertmanagerMetrics {
    AlertmanagerMetrics {
        configured: make
            .gauge("buttonwatch_alertmanager_configured", "1 if the settings have a section [alertmanager]."),
        up: make.gauge("buttonwatch_alertmanager_up", "1 if every Alertmanager took the last push."),
        alerts: make
            .gauge("buttonwatch_alertmanager_alerts", "Alerts and incidents that are told to Alertmanager now."),
        pushes: make.counters(
            "buttonwatch_alertmanager_pushes_total",
            "Pushes to Alertmanager, by its answer.",
            "outcome",
            PUSH_OUTCOMES,
        ),
    }
}

/// Unix time with its milliseconds, as Prometheus wants it.
pub fn unix_seconds(at: Timestamp) -> f64 {
    at.as_millis() as f64 / 1000.0
}

/// A counter that somebody else counts, brought up to where it stands.
pub fn raise(counter: &IntCounter, to: u64) {
    counter.inc_by(to.saturating_sub(counter.get()));
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
