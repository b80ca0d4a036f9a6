//! Small helpers over the connection: cached statements, classified failures, columns by name.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ValueRef};
use rusqlite::{Connection, Params, params_from_iter};

use super::SqliteStore;
use super::classify::classify;
use super::memo::{Memo, Shape};
use crate::store::{SqlValue, StoreResult};

/// A column of a row to be written.
pub(super) type Pair<'a> = (&'a str, &'a dyn ToSql);

/// The connection with what it remembers.
#[derive(Clone, Copy)]
pub(super) struct Db<'a> {
    pub(super) conn: &'a Connection,
    pub(super) path: &'a Path,
    pub(super) memo: &'a Memo,
}

impl SqliteStore {
    pub(super) fn db(&self) -> Db<'_> {
        Db {
            conn: &self.conn,
            path: &self.path,
            memo: &self.memo,
        }
    }
}

impl Db<'_> {
    pub(super) fn fail<T>(&self, result: rusqlite::Result<T>, what: &str) -> StoreResult<T> {
        result.map_err(|e| classify(e, self.path, what))
    }

    /// -> rows changed.
    pub(super) fn exec(&self, what: &str, sql: &str, params: impl Params) -> StoreResult<usize> {
        self.fail(
            self.conn
                .prepare_cached(sql)
                .and_then(|mut s| s.execute(params)),
            what,
        )
    }

    /// The first row, if any.
    pub(super) fn one<T>(
        &self,
        what: &str,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> StoreResult<Option<T>> {
        let found = (|| {
            let mut statement = self.conn.prepare_cached(sql)?;
            let mut rows = statement.query(params)?;
            rows.next()?.map(read).transpose()
        })();
        self.fail(found, what)
    }

    pub(super) fn all<T>(
        &self,
        what: &str,
        sql: &str,
        params: impl Params,
        mut read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> StoreResult<Vec<T>> {
        let found = (|| {
            let mut statement = self.conn.prepare_cached(sql)?;
            let mut rows = statement.query(params)?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push(read(row)?);
            }
            Ok(all)
        })();
        self.fail(found, what)
    }

    /// Forgets the tables' columns where the schema changed since they were read. Called once at the
    /// start of each piece of work.
    pub(super) fn refresh(&self) -> StoreResult<()> {
        let version = self
            .one("schema", "PRAGMA main.schema_version", [], |r| r.get(0))?
            .unwrap_or(0);
        if version != self.memo.version.get() {
            self.memo.shapes.borrow_mut().clear();
            self.memo.version.set(version);
        }
        Ok(())
    }

    /// A table's columns; a shape without columns where the table is not there.
    pub(super) fn shape(&self, table: &str) -> StoreResult<Arc<Shape>> {
        if let Some(shape) = self.memo.shapes.borrow().get(table) {
            return Ok(Arc::clone(shape));
        }
        let columns = self.all(
            table,
            "SELECT name FROM pragma_table_info(?1, 'main') ORDER BY cid",
            [table],
            |r| r.get(0),
        )?;
        let shape = Arc::new(Shape::new(columns));
        self.memo
            .shapes
            .borrow_mut()
            .insert(table.to_owned(), Arc::clone(&shape));
        Ok(shape)
    }

    pub(super) fn exists(&self, table: &str) -> StoreResult<bool> {
        Ok(self.shape(table)?.exists())
    }

    /// `a, NULL, c` for the wanted columns of which the table lacks the second.
    pub(super) fn select_list(
        &self,
        table: &str,
        prefix: &str,
        wanted: &[&str],
    ) -> StoreResult<String> {
        let shape = self.shape(table)?;
        let mut list = String::new();
        for column in wanted {
            if !list.is_empty() {
                list.push_str(", ");
            }
            match shape.quoted(column) {
                Some(column) => {
                    list.push_str(prefix);
                    list.push_str(column);
                }
                None => list.push_str("NULL"),
            }
        }
        Ok(list)
    }

    /// Inserts the columns that the table has. -> row id.
    pub(super) fn insert(&self, table: &'static str, pairs: &[Pair<'_>]) -> StoreResult<i64> {
        let shape = self.shape(table)?;
        let mut sql = String::with_capacity(512);
        sql.push_str("INSERT INTO ");
        sql.push_str(table);
        let mut values: Vec<&dyn ToSql> = Vec::with_capacity(pairs.len());
        for (name, value) in pairs {
            let Some(name) = shape.quoted(name) else {
                continue;
            };
            sql.push_str(if values.is_empty() { " (" } else { ", " });
            sql.push_str(name);
            values.push(*value);
        }
        sql.push_str(") VALUES (?");
        for _ in 1..values.len() {
            sql.push_str(", ?");
        }
        sql.push(')');
        self.exec(table, &sql, params_from_iter(values))?;
        Ok(self.conn.last_insert_rowid())
    }

    /// Updates the columns that the table has, of one row. -> rows changed.
    pub(super) fn update(
        &self,
        table: &'static str,
        key: &'static str,
        id: i64,
        pairs: &[Pair<'_>],
    ) -> StoreResult<usize> {
        let shape = self.shape(table)?;
        let mut sql = String::with_capacity(512);
        sql.push_str("UPDATE ");
        sql.push_str(table);
        let mut values: Vec<&dyn ToSql> = Vec::with_capacity(pairs.len() + 1);
        for (name, value) in pairs {
            let Some(name) = shape.quoted(name) else {
                continue;
            };
            sql.push_str(if values.is_empty() { " SET " } else { ", " });
            sql.push_str(name);
            sql.push_str(" = ?");
            values.push(*value);
        }
        if values.is_empty() {
            return Ok(0);
        }
        sql.push_str(" WHERE ");
        sql.push_str(key);
        sql.push_str(" = ?");
        values.push(&id);
        self.exec(table, &sql, params_from_iter(values))
    }
}

/// An identifier, quoted for SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string literal.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Text of whatever a column holds: older programs left numbers and blobs where text belongs.
pub(super) struct Loose(pub(super) Option<String>);

impl FromSql for Loose {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Self(match value {
            ValueRef::Null => None,
            ValueRef::Integer(i) => Some(i.to_string()),
            ValueRef::Real(r) => Some(r.to_string()),
            ValueRef::Text(t) | ValueRef::Blob(t) => Some(String::from_utf8_lossy(t).into_owned()),
        }))
    }
}

/// Text of a column, whatever its type; `None` for NULL.
pub(super) fn text(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Option<String>> {
    row.get::<_, Loose>(at).map(|loose| loose.0)
}

/// An integer of a column, also where it is kept as text; `None` for NULL and nonsense.
pub(super) fn integer(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Option<i64>> {
    Ok(match row.get_ref(at)? {
        ValueRef::Integer(i) => Some(i),
        ValueRef::Text(t) => std::str::from_utf8(t)
            .ok()
            .and_then(|t| t.trim().parse().ok()),
        _ => None,
    })
}

/// A value of ours as SQLite gives it (text that is not UTF-8 becomes a blob).
pub(super) fn sql_value(value: ValueRef<'_>) -> SqlValue {
    match value {
        ValueRef::Null => SqlValue::Null,
        ValueRef::Integer(i) => SqlValue::Integer(i),
        ValueRef::Real(r) => SqlValue::Real(r),
        ValueRef::Text(t) => match std::str::from_utf8(t) {
            Ok(text) => SqlValue::Text(text.to_owned()),
            Err(_) => SqlValue::Blob(t.to_vec()),
        },
        ValueRef::Blob(b) => SqlValue::Blob(b.to_vec()),
    }
}

thread_local! {
    /// The last second and its text: a batch asks thousands of times in one.
    static SECOND: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
}

/// Now, UTC, as row timestamps are stored.
pub(super) fn utc_now() -> String {
    let now = jiff::Timestamp::now();
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != now.as_second() {
            *second = now.as_second();
            *text = now.strftime("%Y-%m-%d %H:%M:%S").to_string();
        }
        text.clone()
    })
}
