use super::SqliteStore;
use super::snapshots::*;
use super::testing::legacy_db;
use crate::store::{
    Access, BatchCounts, BatchFigures, BatchHead, BatchKind, BatchOutcome, Hearings, Ledger,
    Transactions, UpdateLog,
};

fn log(start: &str) -> UpdateLog {
    UpdateLog {
        start_time: start.to_owned(),
        end_time: start.replace(":00", ":12"),
        duration_seconds: 12.5,
        hearings_checked: 10,
        success: true,
        trigger_source: "manual".to_owned(),
        errors: vec!["one".to_owned()],
        ..UpdateLog::default()
    }
}

#[test]
fn what_became_of_each_batch_comes_back_with_its_milliseconds() {
    let (_dir, mut store) = store();
    let run = store.start_run(119, "incremental", "manual").unwrap();
    let head = BatchHead {
        run: Some(run),
        ..BATCH
    };
    store.begin(head).unwrap();
    store.write_meeting(&meeting("2001"), None, ALL).unwrap();
    let batch = store.commit().unwrap();
    let figures = |number, batch, outcome| BatchFigures {
        number,
        batch,
        outcome,
        size: 3,
        at: "2025-10-13 21:26:00".to_owned(),
        validate_ms: Some(0.5),
        ..Default::default()
    };
    let given = [
        BatchFigures {
            records: 3,
            apply_ms: Some(1.5),
            commit_ms: Some(2.5),
            ..figures(1, batch, BatchOutcome::Applied)
        },
        BatchFigures {
            error: Some("Validation failed".into()),
            issues: vec!["Item 1".into()],
            ..figures(2, None, BatchOutcome::Skipped)
        },
        figures(3, None, BatchOutcome::Failed),
        figures(4, None, BatchOutcome::Applied),
        BatchFigures {
            kind: BatchKind::Salvage,
            ..figures(2, None, BatchOutcome::Applied)
        },
    ];
    store
        .finish_run(Some(run), &log("2025-10-13 21:26:00"), &given)
        .unwrap();
    let mut found = store.batch_records(None).unwrap();
    found.sort_by_key(|b| b.batch);
    let told: Vec<_> = found
        .iter()
        .map(|b| (b.number, b.kind.as_str(), b.state.as_str(), b.entries > 0))
        .collect();
    assert_eq!(
        told,
        [
            (Some(1), "batch", "applied", true),
            (Some(2), "batch", "skipped", false),
            (Some(3), "batch", "failed", false),
            (Some(4), "batch", "unchanged", false),
            (Some(2), "salvage", "unchanged", false),
        ]
    );
    assert!(
        found
            .iter()
            .all(|b| b.run == Some(run) && b.size == Some(3))
    );
    let ms = |at: usize| {
        (
            found[at].validate_ms,
            found[at].apply_ms,
            found[at].commit_ms,
        )
    };
    assert_eq!(ms(0), (Some(0.5), Some(1.5), Some(2.5)));
    assert_eq!(ms(1), (Some(0.5), None, None));
    assert_eq!(found[1].issues, ["Item 1"]);
    assert_eq!(found[2].at, "2025-10-13 21:26:00");
    let later = store.batch_records(Some("2025-10-13 21:26:01")).unwrap();
    assert_eq!(later.len(), 1, "only the one that was committed just now");
    let counts = BatchCounts {
        applied: 2,
        failed: 1,
        skipped: 1,
        undone: 0,
    };
    assert_eq!(store.run_records(None).unwrap()[0].batches, Some(counts));
}

#[test]
fn runs_of_both_tables_are_joined_and_those_of_one_are_there_too() {
    let (_dir, mut store) = store();
    let killed = store.start_run(119, "full", "cron").unwrap();
    let run = store.start_run(118, "incremental", "manual").unwrap();
    let log_id = store
        .finish_run(Some(run), &log("2025-10-13 21:26:00"), &[])
        .unwrap();
    store
        .finish_run(None, &log("2025-10-12T21:26:00"), &[])
        .unwrap();
    let runs = store.run_records(None).unwrap();
    let told: Vec<_> = runs
        .iter()
        .map(|r| (r.run, r.congress, r.success))
        .collect();
    assert_eq!(
        told,
        [
            (None, None, Some(true)),
            (Some(run), Some(118), Some(true)),
            (Some(killed), Some(119), None),
        ]
    );
    assert_eq!((runs[0].batches, runs[1].log_id), (None, log_id));
    assert_eq!(runs[1].started_at.as_deref(), Some("2025-10-13 21:26:00"));
    assert_eq!(runs[1].duration_seconds, Some(12.5));
    assert_eq!(runs[1].errors, ["one"]);
    assert_eq!((runs[2].log_id, runs[2].ended_at.as_deref()), (None, None));
    let mut since = |text| store.run_records(Some(text)).unwrap().len();
    assert_eq!(since("2025-10-12 21:26:00"), 3);
    assert_eq!(since("2025-10-12 21:26:01"), 2);
}

#[test]
fn batches_that_retention_removed_are_not_counted_as_none() {
    let (_dir, mut store) = store();
    let run = store.start_run(119, "incremental", "manual").unwrap();
    let stored = UpdateLog {
        hearings_updated: 2,
        ..log("2025-10-13 21:26:00")
    };
    store.finish_run(Some(run), &stored, &[]).unwrap();
    assert_eq!(store.run_records(None).unwrap()[0].batches, None);
}

/// A database of the oldest shape that is only read, so that nothing is added to it.
fn as_found(sql: &str) -> (SqliteStore, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = legacy_db(dir.path());
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(sql)
        .unwrap();
    (SqliteStore::open(&path, Access::ReadOnly).unwrap(), dir)
}

#[test]
fn a_database_without_our_tables_gives_the_runs_of_its_log() {
    let (mut store, _dir) = as_found("");
    assert!(store.run_records(None).unwrap().is_empty());
    assert!(store.batch_records(None).unwrap().is_empty());
    let (mut store, _dir) = as_found(
        "CREATE TABLE update_logs (log_id INTEGER PRIMARY KEY, start_time TEXT, errors TEXT,
             hearings_checked TEXT, success BOOLEAN);
         INSERT INTO update_logs VALUES (7, '2025-10-13 21:26:00', 'plain', '12', 0),
             (8, '2025-10-13 21:27:00', NULL, NULL, NULL);",
    );
    let runs = store.run_records(None).unwrap();
    assert_eq!((runs[0].log_id, runs[0].success), (Some(7), Some(false)));
    assert_eq!(runs[0].hearings_checked, Some(12));
    assert_eq!(runs[0].errors, ["plain"]);
    assert_eq!((runs[1].success, runs[1].errors.len()), (None, 0));
    assert_eq!(runs[0].ended_at, None);
}
