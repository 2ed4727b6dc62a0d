//! `refused.lp`: the lines that InfluxDB did not take, each below a comment with time, bucket and reason. Bounded: the
//! oldest go. Never sent again by itself; an operator may mend and send them.

use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::batch::files_now;
use crate::domain::{Bucket, Timestamp};

pub(super) const FILE: &str = "refused.lp";

/// Some thousand lines: enough to see what is wrong.
const BYTES_MAX: usize = 1 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub line: Vec<u8>,
    pub reason: String,
}

/// Appends them. Larger than its bound, the file loses its older half.
pub(super) fn set_aside(spool: &Path, bucket: Bucket, refused: &[Refused]) -> io::Result<()> {
    if refused.is_empty() {
        return Ok(());
    }
    let path = spool.join(FILE);
    let now = files_now(spool)
        .and_then(|now| now.duration_since(UNIX_EPOCH).ok())
        .map(|since| Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)).to_string())
        .unwrap_or_default();
    let mut text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(e),
    };
    for one in refused {
        text.extend_from_slice(format!("# {now} {bucket} {}\n", one.reason).as_bytes());
        text.extend_from_slice(&one.line);
        if !one.line.ends_with(b"\n") {
            text.push(b'\n');
        }
    }
    if text.len() > BYTES_MAX {
        text = newer_half(&text).to_vec();
    }
    let part = spool.join(format!(".{FILE}.part"));
    std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, &path))
}

/// From the first comment on that leaves at most half of the bound.
fn newer_half(text: &[u8]) -> &[u8] {
    let from = text.len().saturating_sub(BYTES_MAX / 2);
    match text[from..].windows(3).position(|w| w == b"\n# ") {
        Some(at) => &text[from + at + 1..],
        None => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_lines_stand_below_their_reason_and_the_oldest_go() {
        let dir = tempfile::tempdir().expect("scratch folder");
        let refuse = |line: &str| {
            let one = Refused { line: line.as_bytes().to_vec(), reason: "400 bad".to_owned() };
            set_aside(dir.path(), Bucket::Raw, &[one]).expect("writable");
            std::fs::read_to_string(dir.path().join(FILE)).expect("there")
        };
        let text = refuse("first\n");
        let (comment, line) = text.split_once('\n').expect("two lines");
        assert!(comment.starts_with("# 20") && comment.ends_with("Z raw 400 bad"), "{comment}");
        assert_eq!(line, "first\n");
        let long = format!("{}\n", "x".repeat(BYTES_MAX / 3));
        refuse(&long);
        refuse(&long);
        let text = refuse(&long);
        assert!(text.len() <= BYTES_MAX / 2 && text.starts_with("# 20") && !text.contains("first"), "{}", text.len());
        assert!(text.ends_with(&long));
    }
}
