//! Every row of a database, for tests that compare it before and after.

use std::sync::Arc;

use super::db::{Db, quoted, sql_value};
use crate::store::{Row, StoreResult};

/// Table -> its rows in a fixed order; our own tables only with `ours`, `SQLite`'s never.
pub(super) fn dump(db: Db<'_>, ours: bool) -> StoreResult<Vec<(String, Vec<Row>)>> {
    let names = db.all(
        "sqlite_master",
        "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' \
           AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
           AND (?1 OR name NOT LIKE 'updater\\_%' ESCAPE '\\') ORDER BY name",
        [ours],
        |row| row.get::<_, String>(0),
    )?;
    names
        .into_iter()
        .map(|table| Ok((table.clone(), rows(db, &table)?)))
        .collect()
}

fn rows(db: Db<'_>, table: &str) -> StoreResult<Vec<Row>> {
    let columns: Arc<[String]> = db
        .all(
            table,
            "SELECT name FROM pragma_table_info(?1)",
            [table],
            |row| row.get(0),
        )?
        .into();
    let width = columns.len();
    // By the first columns, which are the key where there is one.
    let order: Vec<String> = (1..=width.min(3)).map(|at| at.to_string()).collect();
    let sql = format!(
        "SELECT * FROM {} ORDER BY {}",
        quoted(table),
        order.join(", ")
    );
    db.all(table, &sql, [], |row| {
        let values = (0..width)
            .map(|at| row.get_ref(at).map(sql_value))
            .collect::<rusqlite::Result<_>>()?;
        Ok(Row {
            columns: Arc::clone(&columns),
            values,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::SqliteStore;
    use super::super::testing::{fill, new_db};
    use crate::store::{Access, SqlValue, Verify};

    #[test]
    fn every_row_is_there_and_our_tables_only_when_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = new_db(dir.path());
        fill(&path);
        let mut store = SqliteStore::open(&path, Access::ReadOnly).unwrap();
        let theirs = store.dump(false).unwrap();
        assert!(theirs.iter().all(|(name, _)| !name.starts_with("updater_")));
        let (_, hearings) = theirs.iter().find(|(name, _)| name == "hearings").unwrap();
        assert!(!hearings.is_empty());
        assert!(matches!(
            hearings[0].get("event_id"),
            Some(SqlValue::Text(_))
        ));
        let all = store.dump(true).unwrap();
        assert!(all.iter().any(|(name, _)| name == "updater_journal"));
        assert!(all.len() > theirs.len());
    }
}
