//! Takes TCP connections in and gives each its own task. Never waits for any of them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Notify;
use tracing::warn;

use crate::wire::refusal::{Refusal, RefusalKind};

use super::{GatewayError, Shared, connection};

/// After a power cut a whole city reconnects at once. The kernel's own limit (4,096 on Linux) still applies.
const BACKLOG: u32 = 8192;

/// Out of file descriptors or memory: trying again at once would only burn the core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub(super) fn bind(listen: SocketAddr) -> Result<TcpListener, GatewayError> {
    let bound = || -> io::Result<TcpListener> {
        let socket = if listen.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A restarted service takes its port at once, though old connections linger in the kernel.
        socket.set_reuseaddr(true)?;
        // Connections inherit it: a unit that asked for no keep-alive and lost its power is noticed at last.
        socket.set_keepalive(true)?;
        socket.bind(listen)?;
        socket.listen(BACKLOG)
    };
    bound().map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => GatewayError::PortTaken { listen },
        io::ErrorKind::PermissionDenied => GatewayError::NotAllowed { listen },
        io::ErrorKind::AddrNotAvailable => GatewayError::NotOurAddress { listen },
        _ => GatewayError::Listen { listen, source },
    })
}

pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut stopping = shared.stopping.subscribe();
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                failing = false;
                let Some(seat) = Seat::take(&shared) else {
                    drop(stream);
                    let why =
                        format!("{} connections are open, the most allowed (from {peer})", shared.max_connections);
                    shared.report_now(Refusal::new(RefusalKind::TooManyConnections, "", why));
                    continue;
                };
                // Acknowledgements are small and someone waits for them. Without it they are late, not lost.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY");
                }
                tokio::spawn(connection::run(Arc::clone(&shared), stream, peer, seat));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if !failing {
                    warn!(%error, "no connection can be taken in; raise the limit of open files (ulimit -n). Trying again");
                }
                failing = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The unit went away between its SYN and our accept: nothing is wrong with the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

/// Counts open TCP connections, whether or not they have said anything yet.
#[derive(Default)]
pub(super) struct Seats {
    taken: AtomicUsize,
    emptied: Notify,
}

impl Seats {
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    pub async fn empty(&self) {
        let emptied = self.emptied.notified();
        tokio::pin!(emptied);
        loop {
            emptied.as_mut().enable();
            if self.taken() == 0 {
                return;
            }
            emptied.as_mut().await;
            emptied.set(self.emptied.notified());
        }
    }
}

pub(super) struct Seat {
    shared: Arc<Shared>,
}

impl Seat {
    /// None: all are taken. Only the accept loop takes seats, so none is taken between the look and the deed.
    fn take(shared: &Arc<Shared>) -> Option<Seat> {
        if shared.seats.taken() >= shared.max_connections {
            return None;
        }
        shared.seats.taken.fetch_add(1, Ordering::AcqRel);
        Some(Seat { shared: Arc::clone(shared) })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.shared.seats.taken.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.seats.emptied.notify_waiters();
        }
    }
}
