use super::snapshots::*;
use crate::store::{
    BatchFigures, BatchOutcome, DeferKind, Hearings, Journal, Ledger, StoreError, Transactions,
    UpdateLog,
};

fn log() -> UpdateLog {
    UpdateLog {
        start_time: "2025-10-13 21:25:58".to_owned(),
        end_time: "2025-10-13 21:26:10".to_owned(),
        duration_seconds: 12.5,
        hearings_checked: 10,
        hearings_updated: 2,
        success: true,
        trigger_source: "admin_manual".to_owned(),
        errors: vec!["one \"quoted\"".to_owned()],
        ..UpdateLog::default()
    }
}

#[test]
fn a_run_is_logged_with_its_batches() {
    let (_dir, mut store) = store();
    let run = store.start_run(119, "incremental", "manual").unwrap();
    store
        .begin(crate::store::BatchHead {
            run: Some(run),
            ..BATCH
        })
        .unwrap();
    store.write_meeting(&meeting("2001"), None, ALL).unwrap();
    let batch = store.commit().unwrap();
    let figures = [
        BatchFigures {
            number: 1,
            batch,
            size: 1,
            records: 1,
            apply_ms: Some(1.5),
            ..Default::default()
        },
        BatchFigures {
            number: 2,
            size: 3,
            outcome: BatchOutcome::Skipped,
            error: Some("Validation failed".into()),
            issues: vec!["Item 1".into()],
            ..Default::default()
        },
        BatchFigures {
            number: 3,
            size: 3,
            outcome: BatchOutcome::Failed,
            error: Some("boom".into()),
            ..Default::default()
        },
    ];
    let log_id = store
        .finish_run(Some(run), &log(), &figures)
        .unwrap()
        .unwrap();
    let info = store.run(run).unwrap().unwrap();
    assert_eq!(info.success, Some(true));
    assert_eq!(info.ended_at.as_deref(), Some("2025-10-13 21:26:10"));
    let states: Vec<(i64, &str, bool)> = info
        .batches
        .iter()
        .map(|b| (b.number, b.state.as_str(), b.entries > 0))
        .collect();
    assert_eq!(
        states,
        [
            (1, "applied", true),
            (2, "skipped", false),
            (3, "failed", false)
        ]
    );
    assert_eq!(store.runs(5).unwrap(), [info]);
    let row = "SELECT update_date || '|' || start_time || '|' || error_count || '|' || errors || '|' || success FROM update_logs";
    assert_eq!(
        value(&store, row),
        "2025-10-13|2025-10-13 21:25:58|1|[\"one \\\"quoted\\\"\"]|1"
    );
    assert_eq!(
        value(&store, "SELECT log_id FROM updater_runs"),
        log_id.to_string()
    );
    assert_eq!(
        store.last_success(None).unwrap().as_deref(),
        Some("2025-10-13 21:25:58")
    );
    assert_eq!(store.run(99).unwrap(), None);
}

#[test]
fn a_source_that_the_table_does_not_know_becomes_manual() {
    let (_dir, mut store) = store_with(
        "CREATE TABLE update_logs (log_id INTEGER PRIMARY KEY, start_time TIMESTAMP, success BOOLEAN,
             trigger_source TEXT CHECK (trigger_source IN ('manual', 'test')));",
    );
    store.finish_run(None, &log(), &[]).unwrap();
    assert_eq!(
        value(&store, "SELECT trigger_source FROM update_logs"),
        "manual"
    );
}

#[test]
fn failed_runs_do_not_count_as_the_last_success() {
    let (_dir, mut store) = store();
    assert_eq!(store.last_success(None).unwrap(), None);
    store
        .finish_run(
            None,
            &UpdateLog {
                success: false,
                ..log()
            },
            &[],
        )
        .unwrap();
    assert_eq!(store.last_success(None).unwrap(), None);
}

#[test]
fn a_success_of_the_future_counts_only_where_nobody_asks_for_the_past() {
    let (_dir, mut store) = store();
    let at = |start: &str| UpdateLog {
        start_time: start.into(),
        ..log()
    };
    for start in ["2025-10-12 02:00:00", "2031-01-01 02:00:00"] {
        store.finish_run(None, &at(start), &[]).unwrap();
    }
    let mut last = |until| store.last_success(until).unwrap().unwrap();
    assert_eq!(last(None), "2031-01-01 02:00:00");
    assert_eq!(last(Some("2025-10-13 02:00:00")), "2025-10-12 02:00:00");
}

#[test]
fn a_schedule_gets_its_execution() {
    let (_dir, mut store) = store();
    let id = store
        .finish_run(
            None,
            &UpdateLog {
                schedule_id: Some(4),
                ..log()
            },
            &[],
        )
        .unwrap()
        .unwrap();
    let row = "SELECT schedule_id || '|' || log_id || '|' || success FROM schedule_execution_logs";
    assert_eq!(value(&store, row), format!("4|{id}|1"));
}

#[test]
fn deferring_counts_tries_and_consecutive_not_founds() {
    let (_dir, mut store) = store();
    store
        .defer("7", Some(119), Some("house"), DeferKind::NotFound, "404")
        .unwrap();
    store
        .defer("7", None, None, DeferKind::NotFound, "404")
        .unwrap();
    let known = &store.deferred().unwrap()[0];
    assert_eq!(
        (known.tries, known.not_found, known.kind),
        (2, 2, DeferKind::NotFound)
    );
    assert_eq!(
        (known.congress, known.chamber.as_deref()),
        (Some(119), Some("house"))
    );
    store
        .defer("7", None, None, DeferKind::Fetch, "500")
        .unwrap();
    assert_eq!(store.deferred().unwrap()[0].not_found, 0);
    assert_eq!(store.undefer(&["7", "8"]).unwrap(), 1);
    assert!(store.deferred().unwrap().is_empty());
}

#[test]
fn what_is_deferred_inside_a_batch_goes_with_it() {
    let (_dir, mut store) = store();
    store.begin(BATCH).unwrap();
    store
        .defer("7", None, None, DeferKind::Batch, "skipped")
        .unwrap();
    store.roll_back();
    assert!(store.deferred().unwrap().is_empty());
}

#[test]
fn held_events_can_be_released() {
    let (_dir, mut store) = store();
    store
        .hold(
            &[
                ("7".to_owned(), Some("2025-01-01 00:00:00".to_owned())),
                ("8".to_owned(), None),
            ],
            Some(3),
        )
        .unwrap();
    let held = store.held().unwrap();
    assert_eq!((held.len(), held[0].run), (2, Some(3)));
    assert!(store.release("7").unwrap());
    assert!(!store.release("7").unwrap());
    assert_eq!(store.held().unwrap().len(), 1);
}

#[test]
fn facts_are_kept() {
    let (_dir, mut store) = store();
    assert_eq!(store.fact("held_100").unwrap(), None);
    store.set_fact("held_100", "1").unwrap();
    store.set_fact("held_100", "2").unwrap();
    assert_eq!(store.fact("held_100").unwrap().as_deref(), Some("2"));
}

#[test]
fn bookkeeping_leaves_no_batch_behind() {
    let (_dir, mut store) = store();
    store
        .defer("7", None, None, DeferKind::Fetch, "500")
        .unwrap();
    store.set_fact("a", "b").unwrap();
    assert_eq!(value(&store, "SELECT count(*) FROM updater_batches"), "0");
}

#[test]
fn a_run_is_not_closed_inside_a_batch() {
    let (_dir, mut store) = store();
    store.begin(BATCH).unwrap();
    assert!(matches!(
        store.finish_run(None, &log(), &[]),
        Err(StoreError::Refused { .. })
    ));
}
