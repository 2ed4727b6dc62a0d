//! Brings a database to the schema that this program knows. Numbered steps, each in a transaction of its own; the number
//! of the last one stands in `user_version`. Never goes back, and never touches another program's database.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::error::{At, StoreError};

/// `BtnW`: how `file` and we tell our databases from others.
pub(super) const APPLICATION_ID: i64 = 0x4274_6E57;

/// The step at index n brings schema n to n + 1. A step that has been released is never changed: add one below.
pub(super) const STEPS: &[&str] = &[
    include_str!("schema/0001_first.sql"),
    include_str!("schema/0002_outbox_dropped.sql"),
    include_str!("schema/0003_orders_by_site.sql"),
    include_str!("schema/0004_outbox_addresses.sql"),
    include_str!("schema/0005_presses.sql"),
    include_str!("schema/0006_rollups.sql"),
    include_str!("schema/0007_commands_taken.sql"),
    include_str!("schema/0008_readiness_because.sql"),
    include_str!("schema/0009_fleet_file.sql"),
];

/// Runs the steps that are missing.
///
/// Err: `NotOurs` when the file holds another program's tables, `Newer` when it has steps that we do not know.
pub(super) fn migrate(db: &mut Connection, path: &Path, steps: &[&str]) -> Result<(), StoreError> {
    const DOING: &str = "prepare its tables";
    let found: i64 = db.pragma_query_value(None, "user_version", |r| r.get(0)).at(path, "open it")?;
    let application: i64 = db.pragma_query_value(None, "application_id", |r| r.get(0)).at(path, "open it")?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0)).at(path, "open it")?;
    if application != APPLICATION_ID && (application != 0 || found != 0 || tables != 0) {
        return Err(StoreError::NotOurs {
            path: path.to_owned(),
            what: format!("it is another program's database (application id {application}, {tables} tables)"),
        });
    }
    let known = steps.len() as i64;
    if !(0..=known).contains(&found) {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    for (number, step) in (1..).zip(steps).skip(found as usize) {
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate).at(path, DOING)?;
        change.execute_batch(step).at(path, DOING)?;
        change.pragma_update(None, "application_id", APPLICATION_ID).at(path, DOING)?;
        change.pragma_update(None, "user_version", number as i64).at(path, DOING)?;
        change.commit().at(path, DOING)?;
    }
    Ok(())
}

/// For readers, which change nothing: the schema must be exactly the one that this program knows.
pub(super) fn check_known(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let found: i64 = db.pragma_query_value(None, "user_version", |r| r.get(0)).at(path, "open it")?;
    let application: i64 = db.pragma_query_value(None, "application_id", |r| r.get(0)).at(path, "open it")?;
    let known = STEPS.len() as i64;
    if application != APPLICATION_ID {
        let what = format!("it is another program's database (application id {application})");
        return Err(StoreError::NotOurs { path: path.to_owned(), what });
    }
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    if found < known {
        return Err(StoreError::Older { path: path.to_owned(), found, known });
    }
    Ok(())
}
