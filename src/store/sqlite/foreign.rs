//! Running callers' own SQL, and what came of it.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Statement};

use super::SqliteStore;
use super::classify::classify;
use super::journal::sees_replace;
use crate::store::{
    Access, Answer, BatchHead, BatchKind, SqlParams, SqlValue, StoreError, StoreResult,
    Transactions,
};

impl SqliteStore {
    pub(super) fn execute_foreign(&mut self, sql: &str, params: &SqlParams) -> StoreResult<Answer> {
        if self.in_transaction() {
            return self.execute_inside(sql, params);
        }
        if let Some(answer) = self.attempt(sql, params, false)? {
            return Ok(answer);
        }
        self.begin(BatchHead {
            run: None,
            number: 0,
            kind: BatchKind::Manual,
        })?;
        let outcome = match self.execute_inside(sql, params) {
            Ok(answer) => self.commit().map(|_| answer),
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            self.roll_back();
        }
        outcome
    }

    fn execute_inside(&mut self, sql: &str, params: &SqlParams) -> StoreResult<Answer> {
        let before = self.schema_version()?;
        let outcome = self.attempt_seeing_all(sql, params);
        if self.conn.is_autocommit() {
            return Err(match outcome {
                // SQLite gave the transaction up itself; the cause is what people can do something about.
                Err(
                    error @ (StoreError::DiskFull { .. }
                    | StoreError::Io { .. }
                    | StoreError::Corrupt { .. }),
                ) => {
                    self.roll_back();
                    error
                }
                _ => self.transaction_gone(&shortened(sql)),
            });
        }
        let answer = outcome?.unwrap_or_default();
        if self.schema_version()? != before {
            self.remake_triggers()?;
        }
        Ok(answer)
    }

    /// Where the file has triggers of its own, the journal leaves `recursive_triggers` off; a REPLACE
    /// gets it for itself, or what it deletes would go unseen.
    fn attempt_seeing_all(&mut self, sql: &str, params: &SqlParams) -> StoreResult<Option<Answer>> {
        let off = sees_replace(sql)
            && !self
                .conn
                .pragma_query_value(None, "recursive_triggers", |row| row.get::<_, bool>(0))
                .map_err(|error| classify(error, &self.path, "looking at triggers"))?;
        if !off {
            return self.attempt(sql, params, true);
        }
        self.switch_recursion(true)?;
        let outcome = self.attempt(sql, params, true);
        self.switch_recursion(false)?;
        outcome
    }

    fn switch_recursion(&self, on: bool) -> StoreResult<()> {
        self.conn
            .pragma_update(None, "recursive_triggers", on)
            .map_err(|error| classify(error, &self.path, "switching triggers"))
    }

    /// `None`: the statement writes, and `may_write` is not set.
    fn attempt(
        &mut self,
        sql: &str,
        params: &SqlParams,
        may_write: bool,
    ) -> StoreResult<Option<Answer>> {
        if first_word(sql) == "VACUUM" {
            // SQLite's own refusal would speak of a transaction that the caller knows nothing of.
            return Err(StoreError::Refused {
                what: "VACUUM (use another program)".to_owned(),
            });
        }
        self.guard.watch(self.in_transaction());
        let outcome = run(&self.conn, sql, params, may_write);
        let refused = self.guard.rest();
        match (outcome, refused) {
            (Err(_), Some(what)) => Err(StoreError::Refused { what }),
            (Err(Failure::Sqlite(error)), None) => Err(classify(error, &self.path, "")),
            (Err(Failure::Params(message)), None) => Err(StoreError::Sql { message }),
            (Ok(None), _) if self.access == Access::ReadOnly => Err(StoreError::ReadOnly {
                path: self.path.clone(),
                detail: "it was opened for reading only".to_owned(),
            }),
            (Ok(answer), _) => Ok(answer),
        }
    }
}

enum Failure {
    Sqlite(rusqlite::Error),
    Params(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn run(
    conn: &Connection,
    sql: &str,
    params: &SqlParams,
    may_write: bool,
) -> Result<Option<Answer>, Failure> {
    // The comment keeps callers' statements apart from ours in the cache: ours were compiled unwatched.
    let marked = format!("/*caller*/ {sql}");
    let mut statement = match conn.prepare_cached(&marked) {
        Err(rusqlite::Error::Empty) => {
            return Ok(Some(Answer {
                rowcount: -1,
                ..Answer::default()
            }));
        }
        other => other?,
    };
    if !statement.readonly() && !may_write {
        return Ok(None);
    }
    bind(&mut statement, params)?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let verb = first_word(sql);
    let changes_rows = !statement.readonly()
        && matches!(
            verb.as_str(),
            "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "WITH"
        );
    let mut rows = Vec::new();
    let mut cursor = statement.raw_query();
    while let Some(row) = cursor.next()? {
        let mut values = Vec::with_capacity(columns.len());
        for at in 0..columns.len() {
            values.push(match row.get_ref(at)? {
                ValueRef::Null => SqlValue::Null,
                ValueRef::Integer(number) => SqlValue::Integer(number),
                ValueRef::Real(number) => SqlValue::Real(number),
                ValueRef::Text(text) => SqlValue::Text(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Blob(bytes) => SqlValue::Blob(bytes.to_vec()),
            });
        }
        rows.push(values);
    }
    drop(cursor);
    let inserts = matches!(verb.as_str(), "INSERT" | "REPLACE" | "WITH") && changes_rows;
    Ok(Some(Answer {
        rowcount: if changes_rows {
            i64::try_from(conn.changes()).unwrap_or(i64::MAX)
        } else {
            -1
        },
        last_insert_id: if inserts { conn.last_insert_rowid() } else { 0 },
        columns: (!columns.is_empty()).then(|| columns.into()),
        rows,
    }))
}

fn bind(statement: &mut Statement<'_>, params: &SqlParams) -> Result<(), Failure> {
    let wanted = statement.parameter_count();
    match params {
        SqlParams::Positional(values) => {
            if values.len() != wanted {
                return Err(Failure::Params(format!(
                    "Incorrect number of bindings supplied. The current statement uses {wanted}, \
                     and there are {} supplied.",
                    values.len()
                )));
            }
            for (at, value) in values.iter().enumerate() {
                bind_one(statement, at + 1, value)?;
            }
        }
        SqlParams::Named(values) => {
            for at in 1..=wanted {
                let Some(name) = statement.parameter_name(at).map(str::to_owned) else {
                    return Err(Failure::Params(format!(
                        "Binding {at} has no name, but you supplied a dictionary (which has only names)."
                    )));
                };
                let bare = name.trim_start_matches([':', '@', '$']);
                let value = values
                    .iter()
                    .find(|(given, _)| given.trim_start_matches([':', '@', '$']) == bare);
                let Some((_, value)) = value else {
                    return Err(Failure::Params(format!(
                        "You did not supply a value for binding parameter {name}."
                    )));
                };
                bind_one(statement, at, value)?;
            }
        }
    }
    Ok(())
}

fn bind_one(statement: &mut Statement<'_>, at: usize, value: &SqlValue) -> rusqlite::Result<()> {
    match value {
        SqlValue::Null => statement.raw_bind_parameter(at, rusqlite::types::Null),
        SqlValue::Integer(number) => statement.raw_bind_parameter(at, number),
        SqlValue::Real(number) => statement.raw_bind_parameter(at, number),
        SqlValue::Text(text) => statement.raw_bind_parameter(at, text),
        SqlValue::Blob(bytes) => statement.raw_bind_parameter(at, bytes),
    }
}

/// The statement's first word in capitals, past white space and comments.
fn first_word(sql: &str) -> String {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
        } else {
            break;
        }
    }
    let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
    word.to_ascii_uppercase()
}

fn shortened(sql: &str) -> String {
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(120) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
#[path = "foreign_tests.rs"]
mod tests;
