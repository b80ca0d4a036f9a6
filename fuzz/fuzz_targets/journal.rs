//! A journal that somebody spoilt: undoing by it is exact or refused, reading it never a panic.
#![no_main]

use common::{AT_ONCE, is_an_answer, with_database};
use hearing_updater::store::UndoPolicy;
use libfuzzer_sys::fuzz_target;

/// The first line: which entry, and which of its columns; the rest: what is written there.
fuzz_target!(|data: &[u8]| {
    let Some((&at, rest)) = data.split_first() else {
        return;
    };
    with_database(|path, handle| {
        handle.close();
        let column = ["before", "after", "table_name", "op"][usize::from(at % 4)];
        let conn = rusqlite::Connection::open(path).expect("open");
        let text = String::from_utf8_lossy(rest);
        let sql = format!(
            "UPDATE updater_journal SET {column} = ?1 WHERE entry_id = \
             (SELECT entry_id FROM updater_journal ORDER BY entry_id LIMIT 1 OFFSET ?2)"
        );
        conn.execute(&sql, (text.as_ref(), i64::from(at / 4) % 8)).expect("spoil");
        drop(conn);
        let before = handle.with(&AT_ONCE, |s| s.dump(false)).expect("readable");
        let _ = handle.with(&AT_ONCE, |s| s.history("100"));
        let _ = handle.with(&AT_ONCE, |s| s.changes_since("2000-01-01 00:00:00"));
        for policy in [UndoPolicy::AllOrNothing, UndoPolicy::Force] {
            match handle.with(&AT_ONCE, |store| store.undo(&[2, 1], policy)) {
                Ok(report) if report.undone => break,
                Ok(_) => {
                    let after = handle.with(&AT_ONCE, |s| s.dump(false)).expect("readable");
                    assert!(before == after, "a refused undo changed something");
                }
                Err(error) => {
                    assert!(is_an_answer(&error), "{error}");
                    let after = handle.with(&AT_ONCE, |s| s.dump(false)).expect("readable");
                    assert!(before == after, "a failed undo changed something");
                }
            }
        }
        let sound = handle.with(&AT_ONCE, |s| s.soundness()).expect("sound");
        assert!(sound.foreign_keys.is_empty(), "{:?}", sound.foreign_keys);
    });
});
