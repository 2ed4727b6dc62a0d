//! What can go wrong between Buttonwatch and its database: facts first, then who can mend it and how.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ffi::ErrorCode;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum StoreError {
    #[error("cannot {doing} the store's folder {}: {source}; give the service's user the right to read and write it, \
             or name another folder", path.display())]
    Folder { path: PathBuf, doing: &'static str, source: io::Error },

    #[error("the store {} is in use by {}; stop the other Buttonwatch first, or give this one another folder",
            path.display(), holder_text(*holder))]
    Locked { path: PathBuf, holder: Option<u32> },

    /// Someone holds a write transaction for longer than we wait: a database shell, a copy tool.
    #[error("another program holds {} for writing (while trying to {doing}); close it (a database shell, a sync tool) \
             and start again", path.display())]
    Busy { path: PathBuf, doing: &'static str },

    #[error("{} is not a Buttonwatch store: {what}; move that file away, or name another folder", path.display())]
    NotOurs { path: PathBuf, what: String },

    #[error("the store {} was written by a newer Buttonwatch (schema {found}, this program knows up to {known}); \
             install the newer version, or put back the backup from before the upgrade", path.display())]
    Newer { path: PathBuf, found: i64, known: i64 },

    #[error("the store {} is of an older Buttonwatch (schema {found}, this program has {known}); start the service once: \
             it brings the store up to date", path.display())]
    Older { path: PathBuf, found: i64, known: i64 },

    #[error("the store {} is damaged (while trying to {doing}: {what}); keep a copy of the folder for inspection and \
             put back the last backup", path.display())]
    Corrupt { path: PathBuf, doing: &'static str, what: String },

    #[error("no space left for the store {} (while trying to {doing}); free space on that disk and start again: \
             nothing that was acknowledged is lost", path.display())]
    DiskFull { path: PathBuf, doing: &'static str },

    #[error("the store {} cannot be written (while trying to {doing}); give the service's user the right to write the \
             folder and its files", path.display())]
    ReadOnly { path: PathBuf, doing: &'static str },

    #[error("there is no store at {}; start the service once, or name the right folder with --data", path.display())]
    Missing { path: PathBuf },

    #[error("{} exists already; name a new file for the backup, or remove the old one", path.display())]
    BackupExists { path: PathBuf },

    /// A replay over it would judge old input by new rules.
    #[error("a changed fleet or changed rules must be committed together with a checkpoint of every unit")]
    ChangeWithoutCheckpoint,

    #[error("the store {} failed (while trying to {doing}): {source}; if it happens again, check the disk and report \
             this line", path.display())]
    Sql { path: PathBuf, doing: &'static str, source: rusqlite::Error },
}

fn holder_text(holder: Option<u32>) -> String {
    match holder {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}

/// What the inner functions report; the boundary adds the path and what was being done.
#[derive(Debug)]
pub(super) enum Fault {
    Sql(rusqlite::Error),
    /// Read, but it is not what this program wrote.
    Undecodable(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Fault::Sql(error)
    }
}

impl Fault {
    pub(super) fn at(self, path: &Path, doing: &'static str) -> StoreError {
        let path = path.to_owned();
        let source = match self {
            Fault::Sql(source) => source,
            Fault::Undecodable(what) => return StoreError::Corrupt { path, doing, what },
        };
        let Some(code) = source.sqlite_error_code() else {
            // Not from SQLite but from reading its answer: a value of another type or shape than this program writes.
            return StoreError::Corrupt { path, doing, what: source.to_string() };
        };
        // The list of SQLite's codes is not ours to close.
        match code {
            ErrorCode::NotADatabase => StoreError::NotOurs { path, what: "it is not an SQLite database".to_owned() },
            ErrorCode::DatabaseCorrupt => StoreError::Corrupt { path, doing, what: source.to_string() },
            ErrorCode::DiskFull => StoreError::DiskFull { path, doing },
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy { path, doing },
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => StoreError::ReadOnly { path, doing },
            ErrorCode::CannotOpen => {
                StoreError::Folder { path, doing: "open a file in", source: io::Error::other(source.to_string()) }
            }
            _ => StoreError::Sql { path, doing, source },
        }
    }
}

/// Adds the path and the doing to whatever failed.
pub(super) trait At<T> {
    fn at(self, path: &Path, doing: &'static str) -> Result<T, StoreError>;
}

impl<T, E: Into<Fault>> At<T> for Result<T, E> {
    fn at(self, path: &Path, doing: &'static str) -> Result<T, StoreError> {
        self.map_err(|e| e.into().at(path, doing))
    }
}
