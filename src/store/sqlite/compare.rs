//! Two database files, row by row: what a rollback left behind, what two ways of storing differ in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};

use super::classify::classify;
use super::db::quoted;
use super::files::connect;
use super::locks;
use crate::store::{Comparison, RowDifference, StoreError, StoreResult};

/// Key -> values of the columns that are compared.
type Rows = BTreeMap<String, Vec<Value>>;

/// Compares all tables but ours (`updater_...`) and `SQLite`'s, by row id and column name. Columns in
/// `without`, and those that only one of the files has, are left out.
pub fn compare(before: &Path, after: &Path, without: &[String]) -> StoreResult<Comparison> {
    locks::install();
    let one = open(before)?;
    let other = open(after)?;
    let fails = |path: &Path| {
        let path = path.to_path_buf();
        move |error| classify(error, &path, "comparing databases")
    };
    let mut found = Comparison::default();
    let ours = tables(&one).map_err(fails(before))?;
    let theirs = tables(&other).map_err(fails(after))?;
    for table in ours.union(&theirs) {
        let had = columns(&one, table).map_err(fails(before))?;
        let have = columns(&other, table).map_err(fails(after))?;
        let shared: Vec<&String> = had
            .iter()
            .filter(|name| have.contains(name) && !without.contains(name))
            .collect();
        let mut was = Rows::new();
        if ours.contains(table) {
            was = rows(&one, table, &shared).map_err(fails(before))?;
        }
        let mut is = Rows::new();
        if theirs.contains(table) {
            is = rows(&other, table, &shared).map_err(fails(after))?;
        }
        found.tables += 1;
        found.rows += was.len().max(is.len());
        differences(table, &shared, &was, &is, &mut found.differences);
    }
    Ok(found)
}

fn open(path: &Path) -> StoreResult<Connection> {
    if !path.is_file() {
        return Err(StoreError::Missing {
            path: path.to_path_buf(),
        });
    }
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(|error| classify(error, path, "opening"))
}

fn tables(conn: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    conn.prepare(
        "SELECT lower(name) FROM main.sqlite_master
         WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
           AND name NOT LIKE 'updater\\_%' ESCAPE '\\' AND sql NOT LIKE 'CREATE VIRTUAL%'",
    )?
    .query_map([], |row| row.get(0))?
    .collect()
}

fn columns(conn: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    conn.prepare("SELECT lower(name) FROM pragma_table_info(?1, 'main')")?
        .query_map([table], |row| row.get(0))?
        .collect()
}

fn rows(conn: &Connection, table: &str, columns: &[&String]) -> rusqlite::Result<Rows> {
    let names: Vec<_> = columns.iter().map(|name| quoted(name)).collect();
    let list = names.join(", ");
    let list = if list.is_empty() {
        list
    } else {
        format!(", {list}")
    };
    let from = quoted(table);
    let by_row_id = conn.prepare(&format!("SELECT rowid{list} FROM main.{from}"));
    // A table without row ids: its rows are told apart by what is in them.
    let (mut statement, keyed) = match by_row_id {
        Ok(statement) => (statement, true),
        Err(_) => (
            conn.prepare(&format!("SELECT NULL{list} FROM main.{from}"))?,
            false,
        ),
    };
    let mut found = Rows::new();
    let mut cursor = statement.query([])?;
    while let Some(row) = cursor.next()? {
        let values: Vec<Value> = (1..=columns.len())
            .map(|at| row.get(at))
            .collect::<rusqlite::Result<_>>()?;
        let key = if keyed {
            format!("{:020}", row.get::<_, i64>(0)?)
        } else {
            format!("{values:?}")
        };
        found.insert(key, values);
    }
    Ok(found)
}

fn differences(
    table: &str,
    columns: &[&String],
    was: &Rows,
    is: &Rows,
    found: &mut Vec<RowDifference>,
) {
    let told = |key: &String| key.trim_start_matches('0').to_owned();
    let mut add = |row: &String, what, columns| {
        found.push(RowDifference {
            table: table.to_owned(),
            row: told(row),
            what,
            columns,
        });
    };
    for (key, before) in was {
        match is.get(key) {
            None => add(key, "removed", Vec::new()),
            Some(after) if before != after => {
                let changed = columns
                    .iter()
                    .zip(before.iter().zip(after))
                    .filter(|(_, (before, after))| before != after)
                    .map(|(name, _)| (*name).clone())
                    .collect();
                add(key, "changed", changed);
            }
            Some(_) => {}
        }
    }
    for key in is.keys().filter(|key| !was.contains_key(*key)) {
        add(key, "added", Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fill, legacy_db, new_db};
    use super::*;

    fn told(found: &Comparison) -> Vec<String> {
        let tell = |d: &RowDifference| {
            format!("{} {} {} {}", d.table, d.row, d.what, d.columns.join(","))
                .trim()
                .to_owned()
        };
        found.differences.iter().map(tell).collect()
    }

    #[test]
    fn a_copy_has_no_differences_and_every_row_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = new_db(dir.path());
        fill(&path);
        let copy = dir.path().join("copy.db");
        std::fs::copy(&path, &copy).unwrap();
        let found = compare(&path, &copy, &[]).unwrap();
        assert_eq!(told(&found), Vec::<String>::new());
        // Two committees, links, witnesses, appearances and documents; three hearings.
        assert_eq!(found.rows, 13);
        assert!(found.tables >= 6);
    }

    #[test]
    fn rows_added_removed_and_changed_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = new_db(dir.path());
        fill(&path);
        let other = dir.path().join("other.db");
        std::fs::copy(&path, &other).unwrap();
        let conn = Connection::open(&other).unwrap();
        conn.execute_batch(
            "UPDATE hearings SET title = 'Else', status = NULL WHERE 0;
             UPDATE hearings SET title = 'Else', location = 'Here' WHERE hearing_id = 2;
             DELETE FROM witness_documents WHERE document_id = 1;
             INSERT INTO witnesses (witness_id, full_name) VALUES (10, 'New');",
        )
        .unwrap();
        drop(conn);
        let found = compare(&path, &other, &[]).unwrap();
        assert_eq!(
            told(&found),
            [
                "hearings 2 changed title,location",
                "witness_documents 1 removed",
                "witnesses 10 added",
            ]
        );
        let found = compare(&path, &other, &["title".into(), "location".into()]).unwrap();
        assert_eq!(found.differences.len(), 2);
    }

    #[test]
    fn columns_that_only_one_has_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (legacy_db(dir.path()), new_db(dir.path()));
        fill(&old);
        fill(&new);
        // What is stamped when it is made.
        let stamps = ["created_at".to_owned(), "updated_at".to_owned()];
        let found = compare(&old, &new, &stamps).unwrap();
        assert_eq!(told(&found), Vec::<String>::new());
    }

    #[test]
    fn a_file_that_is_missing_or_no_database_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = new_db(dir.path());
        let gone = compare(&path, &dir.path().join("gone.db"), &[]).unwrap_err();
        assert!(gone.to_string().contains("gone.db"), "{gone}");
        let text = dir.path().join("notes.txt");
        std::fs::write(&text, "not a database, but long enough to be read as one").unwrap();
        let bad = compare(&path, &text, &[]).unwrap_err();
        assert!(bad.to_string().contains("notes.txt"), "{bad}");
    }
}
