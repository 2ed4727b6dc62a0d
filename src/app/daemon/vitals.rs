//! What is looked at when somebody asks for the figures: queues, files, the bus, the outbox. Never on the judge's way.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::domain::Timestamp;
use crate::io::bus::BusHandle;
use crate::io::gateway::{GatewayHandle, GatewayStats};
use crate::io::influx::{Delivery, DropReason, Outcome, SpoolHandle};
use crate::io::store::StoreReader;
use crate::wire::ingest::Ingest;

use super::metrics::{Metrics, raise};

pub struct Vitals {
    pub gateway: Option<(GatewayHandle, Arc<GatewayStats>)>,
    pub bus: Option<BusHandle>,
    /// With what may wait in it, in bytes.
    pub influx: Option<(SpoolHandle, u64)>,
    pub reader: Arc<StoreReader>,
    /// Weak: the judge ends when all who could send are gone, and looking on is not sending.
    pub ingest: mpsc::WeakSender<Ingest>,
    /// One look at a time, or two would raise the same counter twice.
    pub looking: Mutex<()>,
}

impl Vitals {
    /// What cannot be read stays as it was.
    pub fn take(&self, m: &Metrics, now: Timestamp) {
        let _one = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((handle, stats)) = &self.gateway {
            m.connections.set(handle.connected() as i64);
            raise(&m.gateway.connects, stats.connects_total.get());
            raise(&m.gateway.takeovers, stats.takeovers_total.get());
            raise(&m.gateway.received, stats.messages_total.get());
            raise(&m.gateway.received_bytes, stats.bytes_in_total.get());
            raise(&m.gateway.sent_bytes, stats.bytes_out_total.get());
            raise(&m.gateway.unreported_refusals, stats.refusals_unreported_total.get());
        }
        if let Some(bus) = &self.bus {
            let stats = bus.stats();
            m.bus.up.set(i64::from(stats.up));
            raise(&m.bus.restarts, stats.restarts);
            raise(&m.bus.dropped, stats.dropped + stats.refused);
        }
        if let Some((spool, max_bytes)) = &self.influx {
            take_influx(m, spool, *max_bytes);
        }
        if let Some(ingest) = self.ingest.upgrade() {
            m.ingest_waiting.set((ingest.max_capacity() - ingest.capacity()) as i64);
            m.ingest_room.set(ingest.max_capacity() as i64);
        }
        if let Ok(outbox) = self.reader.outbox_depth() {
            m.outbox_waiting.set(outbox.waiting);
            m.outbox_age_seconds.set(outbox.oldest.map_or(0.0, |oldest| now.since(oldest).as_secs_f64()));
            m.outbox_refused.set(outbox.refused);
        }
        let room = self.reader.room();
        m.store_bytes.with_label_values(&["database"]).set(room.database_bytes as i64);
        m.store_bytes.with_label_values(&["log"]).set(room.log_bytes as i64);
        if let Some((free, size)) = room.disk {
            m.disk_free_bytes.set(free as i64);
            m.disk_size_bytes.set(size as i64);
        }
    }
}

fn take_influx(m: &Metrics, spool: &SpoolHandle, max_bytes: u64) {
    let (stats, m) = (spool.stats(), &m.influx);
    m.configured.set(1);
    m.up.set(i64::from(stats.is_well()));
    m.held.set(i64::from(stats.buckets.values().any(|b| b.delivery == Delivery::Held)));
    let dropped = DropReason::ALL.iter().map(|why| stats.dropped(*why)).sum();
    for (outcome, points) in [
        ("written", stats.written()),
        ("dropped", dropped),
        ("refused", stats.refused()),
        ("unprocessable", stats.unprocessable()),
    ] {
        raise(&m.points.with_label_values(&[outcome]), points);
    }
    for outcome in Outcome::ALL {
        raise(&m.writes.with_label_values(&[outcome.as_str()]), stats.tries(outcome));
    }
    m.spool_points.set(stats.waiting_points() as i64);
    m.spool_bytes.set(stats.waiting_bytes() as i64);
    m.spool_max_bytes.set(max_bytes as i64);
    m.lag_seconds.set(stats.lag().as_secs_f64());
    let seconds: f64 = stats.buckets.values().map(|b| b.write_seconds_sum).sum();
    m.write_seconds.inc_by((seconds - m.write_seconds.get()).max(0.0));
}
