//! What the targets share: a small database, made once a process and put back between inputs.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hearing_updater::domain::{Components, parse_meeting};
use hearing_updater::store::{
    Access, BatchHead, BatchKind, Handle, Patience, StoreError, StoreResult, open, sqlite,
};
use serde_json::json;

thread_local! {
    static BASE: RefCell<Option<(tempfile::TempDir, PathBuf)>> = const { RefCell::new(None) };
}

/// Nobody else is at the file: waiting would hide a lock that is kept.
pub const AT_ONCE: Patience<'static> = Patience {
    limit: Duration::from_millis(200),
    interrupted: &|| false,
};

fn meeting(event_id: &str, title: &str) -> serde_json::Value {
    json!({
        "eventId": event_id, "congress": 119, "chamber": "House", "type": "Hearing",
        "title": title, "date": "2025-09-09T18:00:00Z", "updateDate": "2025-09-01T00:00:00Z",
        "witnesses": [{"name": "Ann Lee", "organization": "River Trust"}],
    })
}

/// Two batches: two hearings, then a change of one of them.
fn fill(handle: &Handle) -> StoreResult<()> {
    let batches = [
        (1, vec![meeting("100", "First"), meeting("200", "Second")]),
        (2, vec![meeting("100", "Changed")]),
    ];
    for (number, meetings) in batches {
        let head = BatchHead { run: None, number, kind: BatchKind::Batch };
        handle.begin(head, &AT_ONCE)?;
        for one in meetings {
            handle.with(&AT_ONCE, |store| {
                let parsed = parse_meeting(&one);
                let components = Components { committees: false, ..Components::default() };
                store.write_meeting(&parsed.meeting, None, components)
            })?;
        }
        handle.commit(&AT_ONCE)?;
    }
    Ok(())
}

/// A fresh copy of the small database, and a handle on it.
pub fn with_database<R>(work: impl FnOnce(&Path, &Handle) -> R) -> R {
    BASE.with_borrow_mut(|base| {
        let (dir, made) = base.get_or_insert_with(|| {
            let dir = tempfile::tempdir().expect("a folder");
            let made = dir.path().join("base.db");
            sqlite::init(&made).expect("a database");
            let handle = open(&made, Access::ReadWrite).expect("open");
            fill(&handle).expect("fill");
            handle.close();
            (dir, made)
        });
        let path = dir.path().join("work.db");
        for suffix in ["-wal", "-shm", "-journal"] {
            let _ = std::fs::remove_file(dir.path().join(format!("work.db{suffix}")));
        }
        std::fs::copy(&*made, &path).expect("copy");
        let handle = open(&path, Access::ReadWrite).expect("open");
        let result = work(&path, &handle);
        handle.close();
        result
    })
}

/// Errors that say something about the input, not about a broken program.
pub fn is_an_answer(error: &StoreError) -> bool {
    !matches!(error, StoreError::Busy { .. } | StoreError::Closed { .. })
}
