//! A database of the oldest shape in use, made of a newer one. For tests of what people already have.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::classify::classify;
use super::db::quoted;
use super::{locks, migrate};
use crate::store::{StoreError, StoreResult};

/// Newer than the oldest shape, and ours: `kind`, name.
const NEWER: &str = "SELECT type, name FROM main.sqlite_master
     WHERE sql IS NOT NULL AND type IN ('table', 'index')
       AND (tbl_name LIKE 'updater\\_%' ESCAPE '\\'
            OR tbl_name IN ('update_logs', 'scheduled_tasks', 'schedule_execution_logs')
            OR (type = 'index' AND sql LIKE 'CREATE UNIQUE%'))
     ORDER BY type";

/// Takes away what newer databases have: our own tables, the logs of runs, schedules, unique indexes
/// and video columns. Hearings and what belongs to them stay; the journal is a rollback journal.
pub fn make_legacy(path: &Path) -> StoreResult<()> {
    if !path.is_file() {
        return Err(StoreError::Missing {
            path: path.to_path_buf(),
        });
    }
    locks::install();
    let fails = |error| classify(error, path, "making an older database");
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags).map_err(fails)?;
    take_away(&mut conn).map_err(fails)?;
    conn.close().map_err(|(_, error)| fails(error))
}

fn take_away(conn: &mut Connection) -> rusqlite::Result<()> {
    conn.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA journal_mode = DELETE;")?;
    let part = conn.transaction()?;
    let newer: Vec<(String, String)> = part
        .prepare(NEWER)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (kind, name) in newer {
        part.execute_batch(&format!("DROP {kind} IF EXISTS {}", quoted(&name)))?;
    }
    let there: Vec<String> = part
        .prepare("SELECT name FROM pragma_table_info('hearings')")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for (table, column, kind) in migrate::COLUMNS {
        if table == "hearings" && kind == "TEXT" && there.iter().any(|name| name == column) {
            part.execute_batch(&format!("ALTER TABLE hearings DROP COLUMN {column}"))?;
        }
    }
    part.commit()?;
    conn.execute_batch("VACUUM")
}

#[cfg(test)]
mod tests {
    use super::super::SqliteStore;
    use super::super::testing::{fill, legacy_db, new_db};
    use super::*;
    use crate::store::{Access, Transactions};

    fn schema(path: &Path) -> Vec<(String, Option<String>)> {
        let conn = Connection::open(path).unwrap();
        conn.prepare(
            "SELECT m.name, c.name FROM sqlite_master AS m LEFT JOIN pragma_table_info(m.name) AS c
             WHERE m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY m.name, c.name",
        )
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
    }

    #[test]
    fn it_has_the_oldest_shape_keeps_its_rows_and_can_be_brought_up_again() {
        let dir = tempfile::tempdir().unwrap();
        let (path, oldest) = (new_db(dir.path()), legacy_db(dir.path()));
        fill(&path);
        let newer = dir.path().join("newer.db");
        std::fs::copy(&path, &newer).unwrap();
        make_legacy(&path).unwrap();
        assert_eq!(schema(&path), schema(&oldest));
        let same = super::super::compare(&path, &newer, &[]).unwrap();
        assert_eq!(same.differences, []);
        // A rollback journal.
        assert_eq!(std::fs::read(&path).unwrap()[18..20], [1, 1]);
        let mut store = SqliteStore::open(&path, Access::ReadWrite).unwrap();
        assert!(!store.bring_up().unwrap().is_empty());
        make_legacy(&dir.path().join("gone.db")).unwrap_err();
    }
}
