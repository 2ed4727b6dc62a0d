//! A backup while the service runs, and the way back. Owns what belongs into it: the store, and the small files of the data
//! folder without which a restored service is not the same. Whole or not at all.
//!
//! Not in it, and why: `mail/` (copies of mails that nobody waits for), `influx/` (points on their way to InfluxDB; what is
//! missing there is missing in charts only), and what stands outside of the data folder: settings, rules, the fleet file,
//! certificates and passwords.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::io::store::{
    BackupProgress, CopiedFile, Counts, DATABASE_FILE, Store, StoreError, StoreOptions, StoreReader, put_into,
};

use super::daemon::{EDITION_FILE, LINKS_KEY};
use super::whole_file;

/// Mails' links are signed with the first; the public was told the second, and must never be told it otherwise.
const BESIDE: [&str; 2] = [LINKS_KEY, EDITION_FILE];

/// What a backup holds, seen in the backup itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub bytes: u64,
    pub counts: Counts,
    /// Small files of the data folder, by name.
    pub files: Vec<String>,
}

#[derive(Debug, Error)]
pub enum BackupError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{} exists already; name a new file, or say --replace", path.display())]
    Exists { path: PathBuf },
    #[error("{}: {source}; {remedy}", path.display())]
    File { path: PathBuf, source: io::Error, remedy: &'static str },
    #[error("{} is there already; restore into an empty folder, or move that one away first", path.display())]
    NotEmpty { path: PathBuf },
    #[error("{} holds a file {name:?}, which no backup of Buttonwatch holds; name the backup that you mean", path.display())]
    Strange { path: PathBuf, name: String },
}

const CANNOT_WRITE: &str = "name a folder that this user may write, with room for the whole store";
const CANNOT_READ: &str = "run this as the user who runs the service";

fn wrong(path: &Path, remedy: &'static str) -> impl FnOnce(io::Error) -> BackupError {
    move |source| BackupError::File { path: path.to_owned(), source, remedy }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Copies what is in `data` into the file `to` while a service runs on it. The copy is read back before it gets its name;
/// `progress` hears of the copying.
pub fn back_up(
    data: &Path,
    to: &Path,
    replace: bool,
    progress: impl FnMut(BackupProgress),
) -> Result<Held, BackupError> {
    // Said before the long work, and made sure of again at its end.
    if to.exists() && !replace {
        return Err(BackupError::Exists { path: to.to_owned() });
    }
    let store = StoreReader::open(data)?;
    let files = beside(data)?;
    // Readable by its owner only from the first byte on: it tells who called for help and when.
    let workshop = tempfile::Builder::new()
        .prefix(".buttonwatch-backup-")
        .tempdir_in(folder_of(to))
        .map_err(wrong(folder_of(to), CANNOT_WRITE))?;
    let part = workshop.path().join(DATABASE_FILE);
    store.backup(&part, progress)?;
    put_into(&part, &files)?;
    fs::set_permissions(&part, fs::Permissions::from_mode(0o600)).map_err(wrong(&part, CANNOT_WRITE))?;
    let held = look_into(workshop.path(), &files)?;
    let synced = File::open(&part).and_then(|f| f.sync_all());
    synced.map_err(wrong(to, CANNOT_WRITE))?;
    if replace {
        fs::rename(&part, to).map_err(wrong(to, CANNOT_WRITE))?;
    } else {
        put_at_free_name(&part, to)?;
    }
    File::open(folder_of(to)).and_then(|f| f.sync_all()).map_err(wrong(to, CANNOT_WRITE))?;
    Ok(held)
}

/// The small files that are there.
fn beside(data: &Path) -> Result<Vec<CopiedFile>, BackupError> {
    let mut files = Vec::new();
    for name in BESIDE {
        let path = data.join(name);
        match fs::read(&path) {
            Ok(bytes) => files.push(CopiedFile { name: name.to_owned(), bytes }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(BackupError::File { path, source, remedy: CANNOT_READ }),
        }
    }
    Ok(files)
}

/// Reads every page of the copy in that folder.
fn look_into(folder: &Path, files: &[CopiedFile]) -> Result<Held, BackupError> {
    let copy = StoreReader::open(folder)?;
    copy.check()?;
    let path = folder.join(DATABASE_FILE);
    let bytes = fs::metadata(&path).map_err(wrong(&path, CANNOT_READ))?.len();
    Ok(Held { bytes, counts: copy.counts()?, files: files.iter().map(|f| f.name.clone()).collect() })
}

/// Err: the name was taken meanwhile.
fn put_at_free_name(part: &Path, to: &Path) -> Result<(), BackupError> {
    match rustix::fs::renameat_with(rustix::fs::CWD, part, rustix::fs::CWD, to, rustix::fs::RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::EXIST) => Err(BackupError::Exists { path: to.to_owned() }),
        // A file system that cannot promise it, such as a USB stick's.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if !to.exists() => {
            fs::rename(part, to).map_err(wrong(to, CANNOT_WRITE))
        }
        Err(e) => Err(wrong(to, CANNOT_WRITE)(e.into())),
    }
}

/// Makes `data` what it was when the backup was made. `data` is an empty folder, or is not there yet. An older program's
/// backup is brought up to date; a copy that was made by SQLite's own tools is taken as well.
pub fn restore(from: &Path, data: &Path) -> Result<Held, BackupError> {
    for name in [DATABASE_FILE, LINKS_KEY, EDITION_FILE] {
        let path = data.join(name);
        if path.exists() {
            return Err(BackupError::NotEmpty { path });
        }
    }
    const REMEDY: &str = "name the backup file, and a data folder that the service's user may write";
    File::open(from).map_err(wrong(from, REMEDY))?;
    fs::create_dir_all(data).map_err(wrong(data, REMEDY))?;
    let workshop = tempfile::Builder::new().prefix(".restore-").tempdir_in(data).map_err(wrong(data, REMEDY))?;
    let part = workshop.path().join(DATABASE_FILE);
    fs::copy(from, &part).map_err(wrong(data, REMEDY))?;
    fs::set_permissions(&part, fs::Permissions::from_mode(0o600)).map_err(wrong(&part, REMEDY))?;
    let mut store = Store::open(workshop.path(), StoreOptions::default()).map_err(|e| named_as(e, &part, from))?;
    let files = store.take_copied_files()?;
    if let Some(strange) = files.iter().find(|f| !BESIDE.contains(&f.name.as_str())) {
        return Err(BackupError::Strange { path: from.to_owned(), name: strange.name.clone() });
    }
    store.close()?;
    let held = look_into(workshop.path(), &files).map_err(|e| match e {
        BackupError::Store(e) => BackupError::Store(named_as(e, &part, from)),
        other => other,
    })?;
    File::open(&part).and_then(|f| f.sync_all()).map_err(wrong(data, REMEDY))?;
    for file in &files {
        let path = data.join(&file.name);
        whole_file::write(&path, &file.bytes).map_err(wrong(&path, REMEDY))?;
    }
    // Last: without it, nothing was restored.
    put_at_free_name(&part, &data.join(DATABASE_FILE))?;
    File::open(data).and_then(|f| f.sync_all()).map_err(wrong(data, REMEDY))?;
    Ok(held)
}

/// The person knows the backup by its own name, not by that of our working copy.
fn named_as(error: StoreError, part: &Path, from: &Path) -> StoreError {
    match error {
        StoreError::NotOurs { path, what } if path == part => StoreError::NotOurs { path: from.to_owned(), what },
        StoreError::Newer { path, found, known } if path == part => {
            StoreError::Newer { path: from.to_owned(), found, known }
        }
        other => other,
    }
}
