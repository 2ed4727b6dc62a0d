//! What only the inside can show: other schemas, a full disk, damaged rows.

use rusqlite::Connection;
use tempfile::TempDir;

use crate::domain::{Timestamp, UnitId};

use super::migration::{APPLICATION_ID, STEPS, migrate};
use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_251_600_000 + seconds * 1000)
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn batch(lines: &[u8]) -> Batch<'_> {
    let mut batch = Batch::new(at(0));
    batch.journal = lines;
    batch.journal_lines = 1;
    batch
}

fn version(db: &Connection) -> i64 {
    db.pragma_query_value(None, "user_version", |r| r.get(0)).expect("a version")
}

#[test]
fn an_older_schema_is_brought_up_step_by_step_and_keeps_its_rows() {
    let dir = folder();
    let path = dir.path().join(DATABASE_FILE);
    let mut db = Connection::open(&path).expect("opens");
    let first = "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1);";
    let second = "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 7;";
    let third = "CREATE TABLE b AS SELECT x + y AS z FROM a;";
    migrate(&mut db, &path, &[first]).expect("first");
    assert_eq!(version(&db), 1);
    migrate(&mut db, &path, &[first, second, third]).expect("second and third");
    migrate(&mut db, &path, &[first, second, third]).expect("nothing to do");
    assert_eq!(version(&db), 3);
    assert_eq!(db.query_row("SELECT z FROM b", [], |r| r.get::<_, i64>(0)), Ok(8));
}

#[test]
fn a_step_that_fails_leaves_the_schema_of_the_step_before() {
    let dir = folder();
    let path = dir.path().join(DATABASE_FILE);
    let mut db = Connection::open(&path).expect("opens");
    let broken = "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1);";
    migrate(&mut db, &path, &["CREATE TABLE a (x)", broken]).expect_err("the second step is broken");
    assert_eq!(version(&db), 1);
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0)).expect("a count");
    assert_eq!(tables, 1, "the broken step's first table is gone with it");
}

#[test]
fn every_shipped_schema_version_can_be_brought_up_to_date() {
    for from in 0..=STEPS.len() {
        let dir = folder();
        let path = dir.path().join(DATABASE_FILE);
        let mut db = Connection::open(&path).expect("opens");
        migrate(&mut db, &path, &STEPS[..from]).expect("the older program's start");
        drop(db);
        let mut store = Store::open(dir.path(), StoreOptions::default()).expect("opens");
        store.commit(batch(b"{\"at\":\"2026-11-21T09:00:00.000Z\"}\n")).expect("commits");
        assert_eq!(store.load().expect("loads").tail.lines, 1);
    }
}

/// Nobody knows what was pressed before.
#[test]
fn a_store_from_before_presses_were_kept_says_from_when_they_are() {
    let dir = folder();
    let path = dir.path().join(DATABASE_FILE);
    let mut db = Connection::open(&path).expect("opens");
    migrate(&mut db, &path, &STEPS[..2]).expect("the older program's start");
    db.execute("INSERT INTO clock (one, at) VALUES (1, ?1)", [at(7).as_millis()]).expect("its last commit");
    drop(db);
    let store = Store::open(dir.path(), StoreOptions::default()).expect("opens");
    assert_eq!(store.presses_kept_since().expect("readable"), Some(at(7)));
}

#[test]
fn a_change_of_readiness_from_before_reasons_were_kept_in_their_parts_has_its_sentence() {
    let dir = folder();
    let path = dir.path().join(DATABASE_FILE);
    let mut db = Connection::open(&path).expect("opens");
    migrate(&mut db, &path, &STEPS[..7]).expect("the older program's start");
    db.execute_batch(
        "INSERT INTO readiness_history (at, unit, was, became, reason) VALUES (1000, 'PSH-001', 'ready', 'silent', 'so')",
    )
    .expect("the older program's change");
    migrate(&mut db, &path, STEPS).expect("this program's start");
    db.execute_batch(
        "INSERT INTO readiness_history (at, unit, was, became, reason, because)
         VALUES (2000, 'PSH-001', 'silent', 'ready', 'so', '\"OfTheFuture\"')",
    )
    .expect("a newer program's change");
    drop(db);
    let store = Store::open(dir.path(), StoreOptions::default()).expect("opens");
    let unit = UnitId::parse("PSH-001").expect("an id");
    let lines = store.reader().expect("opens").readiness_history(&unit, Timestamp::MIN).expect("reads");
    let told: Vec<_> = lines.iter().map(|l| (l.reason.as_str(), &l.because)).collect();
    assert_eq!(told, [("so", &None), ("so", &None)]);
}

#[test]
fn mails_of_an_older_schema_are_kept_and_know_their_urgency() {
    let dir = folder();
    let path = dir.path().join(DATABASE_FILE);
    let mut db = Connection::open(&path).expect("opens");
    migrate(&mut db, &path, &STEPS[..2]).expect("the older program's start");
    let body = |priority: &str, state: &str| format!(r#"{{"orders":[{{"priority":"{priority}","state":"{state}"}}]}}"#);
    for (id, seconds, body) in [
        ("<p2@x>", 1, body("P2", "opened")),
        ("<over@x>", 2, body("P1", "closed")),
        ("<p1@x>", 3, body("P1", "en-route")),
    ] {
        db.execute(
            "INSERT INTO outbox (message_id, kind, recipient, orders, decided_at, body)
             VALUES (?1, 'order-opened', 'saddar', '[]', ?2, ?3)",
            rusqlite::params![id, at(seconds).as_millis(), body],
        )
        .expect("the older program's mail");
    }
    migrate(&mut db, &path, STEPS).expect("this program's start");
    let mut urgency = db.prepare("SELECT message_id FROM outbox ORDER BY urgent DESC, decided_at").expect("reads");
    let ids: Vec<String> = urgency.query_map([], |r| r.get(0)).expect("reads").map(|id| id.expect("an id")).collect();
    assert_eq!(ids, ["<p1@x>", "<p2@x>", "<over@x>"]);
}

#[test]
fn a_full_disk_fails_the_whole_commit_and_says_so() {
    let dir = folder();
    let mut store = Store::open(dir.path(), StoreOptions::default()).expect("opens");
    store.commit(batch(b"{\"at\":\"2026-11-21T09:00:00.000Z\"}\n")).expect("commits");
    let pages: i64 = store.db.pragma_query_value(None, "page_count", |r| r.get(0)).expect("a count");
    store.db.pragma_update(None, "max_page_count", pages + 2).expect("set");
    // lz4 finds nothing to save in these (a linear congruential generator's top bytes).
    let mut state = 1u64;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let noise: Vec<u8> = (0..200_000).map(|_| byte()).collect();
    let error = store.commit(batch(&noise)).expect_err("no room");
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
    assert!(error.to_string().contains("free space on that disk"), "{error}");
    assert_eq!(store.tail().batches, 1);
    store.db.pragma_update(None, "max_page_count", 1 << 30).expect("space again");
    store.commit(batch(&noise)).expect("commits again");
    assert_eq!(store.load().expect("loads").tail.batches, 2);
}

#[test]
fn a_damaged_journal_row_is_named_and_never_half_replayed() {
    let dir = folder();
    let mut store = Store::open(dir.path(), StoreOptions::default()).expect("opens");
    for _ in 0..3 {
        store.commit(batch(b"{\"at\":\"2026-11-21T09:00:00.000Z\",\"link\":\"up\"}\n")).expect("commits");
    }
    for damage in [
        "UPDATE journal SET body = x'FFFFFFFF00' WHERE seq = 2",
        "UPDATE journal SET body = substr(body, 1, 9) WHERE seq = 2",
        "UPDATE journal SET body = 'text' WHERE seq = 2",
        "DELETE FROM journal WHERE seq = 2",
    ] {
        let change = store.db.transaction().expect("begins");
        change.execute_batch(damage).expect("damages");
        change.commit().expect("commits");
        let error = store.load().expect_err(damage);
        assert!(matches!(error, StoreError::Corrupt { .. }), "{damage}: {error:?}");
        assert!(error.to_string().contains("put back the last backup"), "{error}");
    }
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let dir = folder();
    let path = dir.path().join(DATABASE_FILE);
    let db = Connection::open(&path).expect("opens");
    db.execute_batch("CREATE TABLE theirs (x)").expect("creates");
    drop(db);
    let before = std::fs::read(&path).expect("reads");
    let error = Store::open(dir.path(), StoreOptions::default()).err().expect("refused");
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error:?}");
    assert_eq!(std::fs::read(&path).expect("reads"), before);
}

#[test]
fn a_schema_from_the_future_is_refused_by_writer_and_reader() {
    let dir = folder();
    drop(Store::open(dir.path(), StoreOptions::default()).expect("opens"));
    let db = Connection::open(dir.path().join(DATABASE_FILE)).expect("opens");
    let application: i64 = db.pragma_query_value(None, "application_id", |r| r.get(0)).expect("an id");
    assert_eq!(application, APPLICATION_ID);
    db.pragma_update(None, "user_version", 99).expect("set");
    drop(db);
    let writer = Store::open(dir.path(), StoreOptions::default()).err().expect("refused");
    let reader = StoreReader::open(dir.path()).err().expect("refused");
    for error in [writer, reader] {
        assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error:?}");
        assert!(error.to_string().contains("install the newer version"), "{error}");
    }
}

#[test]
fn numbering_goes_on_after_every_row_was_pruned() {
    let dir = folder();
    let options = StoreOptions { journal_keep: Duration::ZERO, ..StoreOptions::default() };
    let rolled_up = RollupPiece { place: Some(1), ..RollupPiece::default() };
    let mut store = Store::open(dir.path(), options.clone()).expect("opens");
    let mut first = batch(b"{\"at\":\"2026-11-21T09:00:00.000Z\"}\n");
    let unit = UnitId::parse("PSH-001").expect("valid");
    first.checkpoint = Some(Checkpoint {
        global: "{}",
        units: Box::new([(unit, "{}".to_owned())].into_iter()),
        removed_units: Vec::new(),
    });
    first.rollups.push(&rolled_up);
    store.commit(first).expect("commits");
    assert_eq!(store.prune(at(1_000_000_000)).expect("prunes").journal_rows, 1);
    drop(store);
    let mut store = Store::open(dir.path(), options).expect("opens");
    store.commit(batch(b"{\"at\":\"2026-11-21T09:00:01.000Z\"}\n")).expect("commits");
    let loaded = store.load().expect("loads");
    assert_eq!(loaded.journal_tail, b"{\"at\":\"2026-11-21T09:00:01.000Z\"}\n");
}
