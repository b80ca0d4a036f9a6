use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::store::sqlite::testing::{fill, legacy_db, new_db};
use crate::store::{BatchKind, SqlValue};

const HEAD: BatchHead = BatchHead {
    run: None,
    number: 1,
    kind: BatchKind::Batch,
};

fn patient() -> Patience<'static> {
    Patience {
        limit: Duration::from_secs(20),
        interrupted: &|| false,
    }
}

fn hurried() -> Patience<'static> {
    Patience {
        limit: Duration::ZERO,
        interrupted: &|| false,
    }
}

fn none() -> SqlParams {
    SqlParams::Positional(Vec::new())
}

fn filled(dir: &Path) -> PathBuf {
    let path = legacy_db(dir);
    fill(&path);
    path
}

fn title(handle: &Handle) -> SqlValue {
    let answer = handle
        .execute(
            "SELECT title FROM hearings WHERE hearing_id = 1",
            &none(),
            &patient(),
        )
        .unwrap();
    answer.rows[0][0].clone()
}

fn set_title(handle: &Handle, title: &str) -> StoreResult<Answer> {
    handle.execute(
        "UPDATE hearings SET title = ? WHERE hearing_id = 1",
        &SqlParams::Positional(vec![SqlValue::Text(title.to_owned())]),
        &patient(),
    )
}

#[test]
fn a_rolled_back_transaction_never_was_and_a_committed_one_stays() {
    let dir = tempfile::tempdir().unwrap();
    let handle = open(&filled(dir.path()), Access::ReadWrite).unwrap();
    handle.begin(HEAD, &patient()).unwrap();
    assert!(handle.in_transaction());
    set_title(&handle, "gone").unwrap();
    handle.roll_back();
    assert!(!handle.in_transaction());
    assert_eq!(title(&handle), SqlValue::Text("On farms".to_owned()));
    handle.begin(HEAD, &patient()).unwrap();
    set_title(&handle, "kept").unwrap();
    handle.commit(&patient()).unwrap();
    assert_eq!(title(&handle), SqlValue::Text("kept".to_owned()));
}

#[test]
fn a_file_that_is_not_there_is_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("nowhere.db");
    assert!(matches!(
        open(&path, Access::ReadWrite),
        Err(StoreError::Missing { .. })
    ));
    assert!(!path.exists());
}

#[test]
fn what_is_no_database_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.db");
    std::fs::write(&path, "").unwrap();
    assert!(matches!(
        open(&path, Access::ReadWrite),
        Err(StoreError::Empty { .. })
    ));
    std::fs::write(
        &path,
        "a letter to the editor, long enough to be read as a header".repeat(9),
    )
    .unwrap();
    assert!(matches!(
        open(&path, Access::ReadWrite),
        Err(StoreError::NotADatabase { .. })
    ));
    let error = open(dir.path(), Access::ReadWrite)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("a folder"), "{error}");
}

#[test]
fn two_handles_on_one_file_share_the_transaction_also_by_another_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path());
    let other_name = dir.path().join("same file.db");
    std::fs::hard_link(&path, &other_name).unwrap();
    let handle = open(&path, Access::ReadWrite).unwrap();
    let other = open(&other_name, Access::ReadWrite).unwrap();
    handle.begin(HEAD, &patient()).unwrap();
    set_title(&handle, "inside").unwrap();
    assert!(other.in_transaction());
    assert_eq!(title(&other), SqlValue::Text("inside".to_owned()));
    handle.roll_back();
}

#[test]
fn a_read_only_handle_writes_nothing_even_where_another_one_may() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path());
    let before = std::fs::read(&path).unwrap();
    let reader = open(&path, Access::ReadOnly).unwrap();
    assert_eq!(title(&reader), SqlValue::Text("On farms".to_owned()));
    assert!(matches!(
        reader.begin(HEAD, &patient()),
        Err(StoreError::ReadOnly { .. })
    ));
    assert!(matches!(
        set_title(&reader, "x"),
        Err(StoreError::ReadOnly { .. })
    ));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let writer = open(&path, Access::ReadWrite).unwrap();
    set_title(&writer, "y").unwrap();
    assert_eq!(title(&reader), SqlValue::Text("y".to_owned()));
    assert!(matches!(
        set_title(&reader, "x"),
        Err(StoreError::ReadOnly { .. })
    ));
}

#[test]
fn reading_a_wal_database_leaves_nothing_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = new_db(dir.path());
    let before = std::fs::read(&path).unwrap();
    let reader = open(&path, Access::ReadOnly).unwrap();
    reader
        .execute("SELECT COUNT(*) FROM hearings", &none(), &patient())
        .unwrap();
    reader.close();
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn another_thread_waits_for_the_transaction_to_end() {
    let dir = tempfile::tempdir().unwrap();
    let handle = open(&filled(dir.path()), Access::ReadWrite).unwrap();
    handle.begin(HEAD, &patient()).unwrap();
    set_title(&handle, "by the first").unwrap();
    let (asked, was_asked) = mpsc::channel();
    let other = handle.clone();
    let thread = std::thread::spawn(move || {
        let patience = Patience {
            limit: Duration::from_secs(20),
            interrupted: &|| {
                let _ = asked.send(());
                false
            },
        };
        other
            .execute(
                "SELECT title FROM hearings WHERE hearing_id = 1",
                &none(),
                &patience,
            )
            .unwrap()
    });
    // It waits, and asks meanwhile; and asking is done with the store free for us.
    was_asked.recv().unwrap();
    set_title(&handle, "by the first, again").unwrap();
    handle.commit(&patient()).unwrap();
    let answer = thread.join().unwrap();
    assert_eq!(
        answer.rows[0][0],
        SqlValue::Text("by the first, again".to_owned())
    );
}

#[test]
fn a_waiting_thread_can_be_interrupted_or_lose_patience() {
    let dir = tempfile::tempdir().unwrap();
    let handle = open(&filled(dir.path()), Access::ReadWrite).unwrap();
    handle.begin(HEAD, &patient()).unwrap();
    let other = handle.clone();
    std::thread::spawn(move || {
        let patience = Patience {
            limit: Duration::from_secs(20),
            interrupted: &|| true,
        };
        assert!(matches!(
            other.begin(HEAD, &patience),
            Err(StoreError::Interrupted)
        ));
        assert!(matches!(
            other.begin(HEAD, &hurried()),
            Err(StoreError::Busy { .. })
        ));
        other.roll_back();
    })
    .join()
    .unwrap();
    assert!(
        handle.in_transaction(),
        "another thread's roll_back is not ours"
    );
}

#[test]
fn the_transaction_of_a_thread_that_ended_is_rolled_back() {
    let dir = tempfile::tempdir().unwrap();
    let handle = open(&filled(dir.path()), Access::ReadWrite).unwrap();
    let other = handle.clone();
    std::thread::spawn(move || {
        other.begin(HEAD, &patient()).unwrap();
        set_title(&other, "orphaned").unwrap();
    })
    .join()
    .unwrap();
    assert_eq!(title(&handle), SqlValue::Text("On farms".to_owned()));
    handle.begin(HEAD, &patient()).unwrap();
    handle.roll_back();
}

#[test]
fn a_panic_while_the_store_is_in_use_leaves_it_usable() {
    let dir = tempfile::tempdir().unwrap();
    let handle = open(&filled(dir.path()), Access::ReadWrite).unwrap();
    let other = handle.clone();
    let thread = std::thread::spawn(move || {
        other.with(&patient(), |_| -> StoreResult<()> { panic!("on purpose") })
    });
    assert!(thread.join().is_err());
    assert_eq!(title(&handle), SqlValue::Text("On farms".to_owned()));
}

#[test]
fn using_the_store_inside_its_own_use_is_an_answer_and_no_deadlock() {
    let dir = tempfile::tempdir().unwrap();
    let handle = open(&filled(dir.path()), Access::ReadWrite).unwrap();
    let error = handle
        .with(&patient(), |_| handle.with(&patient(), |_| Ok(())))
        .unwrap_err()
        .to_string();
    assert!(error.contains("further up"), "{error}");
}

#[test]
fn begin_waits_for_another_programs_lock_asking_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path());
    let handle = open(&path, Access::ReadWrite).unwrap();
    // Brought up first, so that only the lock is in the way.
    handle.with(&patient(), |store| store.bring_up()).unwrap();
    let outsider = std::cell::RefCell::new(Some(outside_transaction(&path)));
    let asked = AtomicUsize::new(0);
    let interrupted = || {
        if asked.fetch_add(1, Ordering::SeqCst) == 1 {
            outsider.borrow_mut().take();
        }
        false
    };
    assert!(matches!(
        handle.begin(HEAD, &hurried()),
        Err(StoreError::Busy { .. })
    ));
    handle
        .begin(
            HEAD,
            &Patience {
                limit: Duration::from_secs(20),
                interrupted: &interrupted,
            },
        )
        .unwrap();
    assert!(asked.load(Ordering::SeqCst) >= 2);
    handle.roll_back();
}

#[test]
fn a_read_waits_for_another_programs_commit_asking_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path());
    let handle = open(&path, Access::ReadOnly).unwrap();
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let outsider = std::cell::RefCell::new(Some(conn));
    let asked = AtomicUsize::new(0);
    let interrupted = || {
        if asked.fetch_add(1, Ordering::SeqCst) == 1 {
            outsider.borrow_mut().take();
        }
        false
    };
    let count = |patience: &Patience<'_>| handle.with(patience, |store| store.table_counts());
    assert!(matches!(count(&hurried()), Err(StoreError::Busy { .. })));
    count(&Patience {
        limit: Duration::from_secs(20),
        interrupted: &interrupted,
    })
    .unwrap();
}

/// A connection of its own, as another program has it (locks belong to the open file).
fn outside_transaction(path: &Path) -> rusqlite::Connection {
    let conn = rusqlite::Connection::open(path).unwrap();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    conn
}

#[test]
fn a_replaced_file_is_noticed_and_then_used() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path());
    let handle = open(&path, Access::ReadWrite).unwrap();
    set_title(&handle, "old file").unwrap();
    let copy = dir.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::rename(&copy, &path).unwrap();
    let error = handle.begin(HEAD, &patient()).unwrap_err().to_string();
    assert!(error.contains("replaced, removed"), "{error}");
    handle.begin(HEAD, &patient()).unwrap();
    set_title(&handle, "new file").unwrap();
    handle.commit(&patient()).unwrap();
    let conn = rusqlite::Connection::open(&path).unwrap();
    let title: String = conn
        .query_row("SELECT title FROM hearings WHERE hearing_id = 1", [], |r| {
            r.get(0)
        })
        .unwrap();
    assert_eq!(title, "new file");
}

#[test]
fn a_closed_handle_opens_again_when_used() {
    let dir = tempfile::tempdir().unwrap();
    let handle = open(&filled(dir.path()), Access::ReadWrite).unwrap();
    handle.begin(HEAD, &patient()).unwrap();
    set_title(&handle, "half done").unwrap();
    handle.close();
    assert!(!handle.in_transaction());
    assert_eq!(title(&handle), SqlValue::Text("On farms".to_owned()));
}
