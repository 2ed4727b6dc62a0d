//! The bytes of a request, whole or refused. Never looks into them.

use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, Bytes, HttpBody};

use super::problem::{Kind, Problem};

/// An instruction with the longest note is 10 KiB.
pub const JSON_BYTES_MAX: usize = 64 * 1024;
/// 50,000 units with long Urdu names and addresses.
pub const CSV_BYTES_MAX: usize = 16 * 1024 * 1024;
/// So much of a refused body is read and thrown away, so that the sender gets to read why: one that is cut off while it
/// still writes sees only a reset connection.
const DISCARD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Err: larger than `max`, or broken off.
pub async fn read(mut body: Body, max: usize) -> Result<Bytes, Problem> {
    let mut bytes = Vec::new();
    let mut seen = 0usize;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| {
            Problem::new(Kind::BadRequest, "The request's body broke off.", "Send it again over a steady connection.")
        })?;
        let Ok(data) = frame.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        if seen > DISCARD_BYTES_MAX {
            break;
        }
        if seen <= max {
            bytes.extend_from_slice(&data);
        } else {
            bytes = Vec::new();
        }
    }
    if seen > max {
        return Err(Problem::new(
            Kind::TooLarge,
            format!("The body is larger than {max} bytes."),
            "Send a smaller one. A fleet file may have 16 MiB, an instruction 64 KiB.",
        ));
    }
    Ok(bytes.into())
}
