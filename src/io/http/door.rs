//! The listener's side of a connection: how many there may be, and how long one may keep us waiting.
//! Never reads what is said.
//!
//! Design constraints
//! - Full: a new connection waits in the kernel's queue until another closes. None is dropped half-way.
//! - A connection that has taken no answer for the time of patience is closed, however busily it trickles bytes in: a
//!   hundred slow clients cannot hold the places for ever.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep_until};

/// A control room has a few screens, a scraper and some scripts; 256 is far above them and far below the limit on
/// open files that the units' connections need.
pub const PLACES: usize = 256;

/// A fleet file of 16 MiB over a 2 Mbit/s link takes 67 s.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
    patience: Duration,
}

impl Door {
    pub fn new(listener: TcpListener, places: usize, patience: Duration) -> Self {
        Door { listener, places: Arc::new(Semaphore::new(places)), patience }
    }
}

impl axum::serve::Listener for Door {
    type Io = Visitor;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visitor, SocketAddr) {
        let place = Arc::clone(&self.places).acquire_owned().await.expect("the semaphore is never closed");
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    // An answer is written in one piece: waiting to fill a packet would only delay it.
                    let _ = stream.set_nodelay(true);
                    let leave_at = Box::pin(sleep_until(Instant::now() + self.patience));
                    return (Visitor { stream, leave_at, patience: self.patience, _place: place }, peer);
                }
                Err(error) if is_the_peers_fault(&error) => {}
                Err(error) => {
                    // No file handles left, most likely. Trying again at once would only burn the processor.
                    tracing::warn!(%error, "HTTP cannot accept connections; trying again in 1 s");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

fn is_the_peers_fault(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

/// One connection and its place.
pub struct Visitor {
    stream: TcpStream,
    leave_at: Pin<Box<Sleep>>,
    patience: Duration,
    _place: OwnedSemaphorePermit,
}

impl Visitor {
    fn check_patience(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.leave_at.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer was taken in time")),
            Poll::Pending => Ok(()),
        }
    }

    fn took_some(&mut self) {
        self.leave_at.as_mut().reset(Instant::now() + self.patience);
    }
}

impl AsyncRead for Visitor {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check_patience(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Visitor {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check_patience(cx)?;
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.took_some();
        Poll::Ready(Ok(written))
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_patience(cx)?;
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs))?;
        self.took_some();
        Poll::Ready(Ok(written))
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::serve::Listener as _;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    const GENEROUS: Duration = Duration::from_secs(20);

    async fn door(places: usize, patience: Duration) -> (Door, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        (Door::new(listener, places, patience), at)
    }

    #[tokio::test]
    async fn a_client_that_trickles_bytes_is_shown_out() {
        let (mut door, at) = door(1, Duration::from_millis(100)).await;
        let mut client = TcpStream::connect(at).await.unwrap();
        let (mut visitor, _) = door.accept().await;
        let trickle = tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let mut all = Vec::new();
        let end = timeout(GENEROUS, visitor.read_to_end(&mut all)).await.expect("it ends by itself");
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(visitor);
        timeout(GENEROUS, trickle).await.expect("the client sees the close").unwrap();
    }

    #[tokio::test]
    async fn an_answer_taken_renews_the_patience() {
        let (mut door, at) = door(1, Duration::from_secs(3600)).await;
        let _client = TcpStream::connect(at).await.unwrap();
        let (mut visitor, _) = door.accept().await;
        let before = visitor.leave_at.deadline();
        tokio::time::sleep(Duration::from_millis(2)).await;
        visitor.write_all(b"answer").await.unwrap();
        assert!(visitor.leave_at.deadline() > before);
    }

    #[tokio::test]
    async fn when_every_place_is_taken_the_next_one_waits_and_then_gets_in() {
        let (mut door, at) = door(1, Duration::from_secs(3600)).await;
        let _first = TcpStream::connect(at).await.unwrap();
        let (visitor, _) = door.accept().await;
        let _second = TcpStream::connect(at).await.unwrap();
        assert!(timeout(Duration::from_millis(50), door.accept()).await.is_err(), "no place");
        drop(visitor);
        timeout(GENEROUS, door.accept()).await.expect("a place is free");
    }
}
