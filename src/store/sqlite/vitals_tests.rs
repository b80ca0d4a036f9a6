use std::path::Path;

use rusqlite::Connection;

use super::SqliteStore;
use super::snapshots::{BATCH, store, store_with};
use super::testing::{fill, new_db};
use crate::store::{
    Access, BatchFigures, BatchHead, BatchOutcome, Health, Ledger, Transactions, UpdateLog, Vitals,
};

fn log(start_time: &str) -> UpdateLog {
    UpdateLog {
        start_time: start_time.to_owned(),
        end_time: "2025-10-13 21:26:10".to_owned(),
        duration_seconds: 12.5,
        success: true,
        trigger_source: "manual".to_owned(),
        ..UpdateLog::default()
    }
}

fn figures(number: i64, outcome: BatchOutcome) -> BatchFigures {
    BatchFigures {
        number,
        outcome,
        ..BatchFigures::default()
    }
}

#[test]
fn a_sound_file_gives_no_complaint_and_a_damaged_one_does() {
    let (dir, mut store) = store();
    assert_eq!(store.integrity(false).unwrap(), [""; 0]);
    assert_eq!(store.integrity(true).unwrap(), [""; 0]);
    let page_of = |sql: &str| {
        let found: u32 = store.conn.query_row(sql, [], |row| row.get(0)).unwrap();
        usize::try_from(found).unwrap()
    };
    let root = page_of("SELECT rootpage FROM sqlite_master WHERE name = 'witnesses'");
    let size = page_of("PRAGMA page_size");
    drop(store);
    let path = dir.path().join("legacy.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[(root - 1) * size..root * size].fill(0xA5);
    std::fs::write(&path, bytes).unwrap();
    let mut store = SqliteStore::open(&path, Access::ReadOnly).unwrap();
    assert!(!store.integrity(false).unwrap().is_empty());
}

#[test]
fn only_the_full_check_finds_an_index_that_does_not_fit_its_table() {
    let (dir, store) = store();
    store
        .conn
        .execute_batch(
            "CREATE TABLE t (a, b);
             CREATE INDEX t_a ON t(a);
             CREATE INDEX t_b ON t(b);
             INSERT INTO t VALUES (1, 2), (3, 4);
             CREATE TEMP TABLE roots AS SELECT name, rootpage FROM sqlite_master;
             PRAGMA writable_schema = ON;
             UPDATE sqlite_master
                 SET rootpage = (SELECT rootpage FROM roots
                                 WHERE name = CASE sqlite_master.name WHEN 't_a' THEN 't_b' ELSE 't_a' END)
                 WHERE name IN ('t_a', 't_b');",
        )
        .unwrap();
    drop(store);
    let mut store = SqliteStore::open(&dir.path().join("legacy.db"), Access::ReadOnly).unwrap();
    assert_eq!(store.integrity(false).unwrap(), [""; 0]);
    assert!(!store.integrity(true).unwrap().is_empty());
}

#[test]
fn the_last_runs_come_with_their_batches_and_with_those_of_older_updaters() {
    let (_dir, mut store) = store_with(
        "CREATE TABLE update_logs (log_id INTEGER PRIMARY KEY, start_time TIMESTAMP,
             end_time TIMESTAMP, success BOOLEAN, error_count INTEGER);
         INSERT INTO update_logs VALUES (1, '2025-10-11T08:00:00.123456', NULL, 1, 2),
                                        (2, '2025-10-14 08:00:00', NULL, 0, 0);",
    );
    let run = store.start_run(119, "incremental", "manual").unwrap();
    store
        .begin(BatchHead {
            run: Some(run),
            ..BATCH
        })
        .unwrap();
    store.write_update_date_of_first();
    store.commit().unwrap();
    let outcome = [
        figures(2, BatchOutcome::Skipped),
        figures(3, BatchOutcome::Failed),
    ];
    store
        .finish_run(Some(run), &log("2025-10-13 21:25:58"), &outcome)
        .unwrap();
    let killed = store.start_run(119, "incremental", "manual").unwrap();
    store
        .conn
        .execute_batch(
            "UPDATE updater_runs SET started_at = '2025-10-13 21:25:58' WHERE run_id = 1;
             UPDATE updater_runs SET started_at = '2025-10-15 08:00:00' WHERE run_id = 2;",
        )
        .unwrap();

    let runs = store.last_runs(10).unwrap();
    let told: Vec<_> = runs
        .iter()
        .map(|run| (run.run, run.started_at.as_str(), run.success))
        .collect();
    assert_eq!(
        told,
        [
            (Some(killed), "2025-10-15 08:00:00", None),
            (None, "2025-10-14 08:00:00", Some(false)),
            (Some(run), "2025-10-13 21:25:58", Some(true)),
            (None, "2025-10-11T08:00:00.123456", Some(true)),
        ]
    );
    let ours = &runs[2];
    assert_eq!((ours.batches, ours.batches_failed), (3, 2));
    assert_eq!(ours.batched, Some(true));
    assert_eq!((runs[0].batched, runs[3].errors), (None, Some(2)));
    assert_eq!(store.last_runs(2).unwrap(), runs[..2]);
}

#[test]
fn a_plain_run_is_told_from_a_batched_one() {
    let (_dir, mut store) = store();
    let run = store.start_run(119, "incremental", "manual").unwrap();
    store
        .begin(BatchHead {
            run: Some(run),
            number: 0,
            kind: crate::store::BatchKind::Plain,
        })
        .unwrap();
    store.write_update_date_of_first();
    store.commit().unwrap();
    store
        .finish_run(Some(run), &log("2025-10-13 21:25:58"), &[])
        .unwrap();
    let runs = store.last_runs(1).unwrap();
    assert_eq!((runs[0].batched, runs[0].batches), (Some(false), 0));
    assert_eq!(runs[0].seconds, Some(12.5));
}

impl SqliteStore {
    fn write_update_date_of_first(&mut self) {
        use crate::store::Hearings;
        let date = "2025-09-01 00:00:00";
        assert!(self.write_update_date("1001", date).unwrap());
    }
}

/// A database with a WAL that nobody folded in.
fn with_a_wal_left(dir: &Path) -> std::path::PathBuf {
    let path = new_db(dir);
    fill(&path);
    let left = dir.join("left");
    std::fs::create_dir(&left).unwrap();
    let writer = Connection::open(&path).unwrap();
    writer
        .execute_batch("UPDATE hearings SET title = 'Another'")
        .unwrap();
    for name in ["new.db", "new.db-wal"] {
        std::fs::copy(dir.join(name), left.join(name)).unwrap();
    }
    left.join("new.db")
}

#[test]
fn a_reader_leaves_a_wal_as_it_is_and_a_writer_folds_it_in() {
    let dir = tempfile::tempdir().unwrap();
    let path = with_a_wal_left(dir.path());
    let wal = path.with_file_name("new.db-wal");
    let before = (std::fs::read(&path).unwrap(), std::fs::read(&wal).unwrap());
    let mut store = SqliteStore::open(&path, Access::ReadOnly).unwrap();
    assert_eq!(store.integrity(true).unwrap(), [""; 0]);
    drop(store);
    let after = (std::fs::read(&path).unwrap(), std::fs::read(&wal).unwrap());
    assert!(before == after, "the reader changed a file");

    let mut store = SqliteStore::open(&path, Access::ReadOnly).unwrap();
    store.set_access(Access::ReadWrite).unwrap();
    // It could be another file's, until the database has turned out to be sound.
    assert!(store.soundness().unwrap().integrity.is_empty());
    drop(store);
    assert!(!wal.exists());
}

#[test]
fn a_reader_that_is_the_last_to_close_leaves_no_empty_wal_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = with_a_wal_left(dir.path());
    let writer = Connection::open(&path).unwrap();
    let store = SqliteStore::open(&path, Access::ReadOnly).unwrap();
    writer
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    drop(writer);
    drop(store);
    assert!(!path.with_file_name("new.db-wal").exists());
    assert!(!path.with_file_name("new.db-shm").exists());
}
