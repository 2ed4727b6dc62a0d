//! One batch as a file of the spool: its name, which tells all without opening it, and its bytes. Never sends anything.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::waiting::Waiting;
use crate::domain::Bucket;

const ENDING: &str = ".lp.gz";
const HALF_WRITTEN: &str = ".part";

/// What a batch may be when it is unpacked: a damaged file must not fill the memory.
const UNPACKED_MAX: u64 = 256 << 20;

/// `000000000042-raw-5000.lp.gz`: the 42nd batch, 5,000 points for the bucket of that word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchFile {
    pub number: u64,
    pub bucket: Bucket,
    pub points: u32,
}

impl fmt::Display for BatchFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}-{}-{}{ENDING}", self.number, self.bucket, self.points)
    }
}

impl BatchFile {
    fn parse(name: &str) -> Option<BatchFile> {
        let (number, rest) = name.strip_suffix(ENDING)?.split_once('-')?;
        let (bucket, points) = rest.rsplit_once('-')?;
        Some(BatchFile { number: number.parse().ok()?, bucket: bucket.parse().ok()?, points: points.parse().ok()? })
    }

    pub(super) fn path(&self, spool: &Path) -> PathBuf {
        spool.join(self.to_string())
    }

    /// Whole or not there, unless the power fails before the next [`sync`].
    pub(super) fn write(&self, spool: &Path, bytes: &[u8]) -> io::Result<()> {
        let part = spool.join(format!(".{self}{HALF_WRITTEN}"));
        let written = std::fs::write(&part, bytes).and_then(|()| std::fs::rename(&part, self.path(spool)));
        if written.is_err() {
            let _ = std::fs::remove_file(&part);
        }
        written
    }

    /// It may be gone already: then it was delivered.
    pub(super) fn remove(&self, spool: &Path) -> io::Result<()> {
        match std::fs::remove_file(self.path(spool)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Safe against a power cut when it returns. Files that were delivered meanwhile need no care.
pub(super) fn sync(spool: &Path, written: &mut Vec<BatchFile>) -> io::Result<()> {
    let mut any = false;
    for file in written.drain(..) {
        match std::fs::File::open(file.path(spool)) {
            Ok(open) => {
                open.sync_data()?;
                any = true;
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    if any { std::fs::File::open(spool)?.sync_all() } else { Ok(()) }
}

/// Packs lines as they come.
pub(super) struct Packer(GzEncoder<Vec<u8>>);

impl Packer {
    /// The fast level: a third larger than the best one, at a fifth of its time.
    pub(super) fn new() -> Packer {
        Packer(GzEncoder::new(Vec::new(), Compression::fast()))
    }

    pub(super) fn add(&mut self, lines: &[u8]) {
        self.0.write_all(lines).expect("a vector takes what is written to it");
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0.finish().expect("a vector takes what is written to it")
    }
}

pub(super) fn pack(lines: &[u8]) -> Vec<u8> {
    let mut packer = Packer::new();
    packer.add(lines);
    packer.finish()
}

/// Err: damaged.
pub(super) fn unpack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    MultiGzDecoder::new(bytes).take(UNPACKED_MAX).read_to_end(&mut lines)?;
    if bytes.is_empty() || lines.len() as u64 == UNPACKED_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a batch"));
    }
    Ok(lines)
}

/// What was spooled before this start, and the next number. Half-written files are removed; others that are no batches stay.
pub(super) fn find(spool: &Path) -> io::Result<(Vec<Waiting>, u64)> {
    std::fs::create_dir_all(spool)?;
    let now = files_now(spool);
    let mut found = Vec::new();
    let mut next = 1;
    for entry in std::fs::read_dir(spool)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with('.') && name.ends_with(HALF_WRITTEN) {
            let _ = std::fs::remove_file(entry.path());
            continue;
        }
        let Some(file) = BatchFile::parse(name) else { continue };
        next = next.max(file.number.saturating_add(1));
        let facts = entry.metadata()?;
        let age = now.zip(facts.modified().ok()).and_then(|(now, then)| now.duration_since(then).ok());
        let instant = std::time::Instant::now();
        let born = age.and_then(|age| instant.checked_sub(age)).unwrap_or(instant);
        found.push(Waiting { file, bytes: facts.len(), born, restored: true });
    }
    Ok((found, next))
}

/// Now, by the clock that stamps this folder's files: a new file is asked. None: the folder cannot be written.
pub(super) fn files_now(spool: &Path) -> Option<SystemTime> {
    let probe = spool.join(format!(".now{HALF_WRITTEN}"));
    let time = std::fs::write(&probe, b"").and_then(|()| std::fs::metadata(&probe)).and_then(|m| m.modified());
    let _ = std::fs::remove_file(&probe);
    time.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_all_and_foreign_files_are_no_batches() {
        for bucket in Bucket::ALL {
            let file = BatchFile { number: 42, bucket: *bucket, points: 5000 };
            assert_eq!(BatchFile::parse(&file.to_string()), Some(file));
        }
        assert_eq!(
            BatchFile { number: 42, bucket: Bucket::Raw, points: 5000 }.to_string(),
            "000000000042-raw-5000.lp.gz"
        );
        for name in ["refused.lp", "1-raw.lp.gz", "1-other-5.lp.gz", "x-raw-5.lp.gz", "1-raw-5.lp", ""] {
            assert_eq!(BatchFile::parse(name), None, "{name}");
        }
    }

    #[test]
    fn what_is_cut_short_is_damaged_not_shorter() {
        let whole = pack(b"a b=1 1\n");
        assert_eq!(unpack(&whole).expect("whole"), b"a b=1 1\n");
        for length in 0..whole.len() {
            assert!(unpack(&whole[..length]).is_err(), "{length} bytes");
        }
    }
}
