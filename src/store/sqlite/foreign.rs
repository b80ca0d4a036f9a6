//! Callers' own SQL: what it may do, and what came of it.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization, TransactionOperation};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Statement};

use super::SqliteStore;
use super::classify::classify;
use super::journal::sees_replace;
use crate::store::{
    Access, Answer, BatchHead, BatchKind, SqlParams, SqlValue, StoreError, StoreResult,
    Transactions,
};

/// Shared with the authorizer, which SQLite asks whenever a statement is compiled. It stays in place for
/// the life of the connection (setting it anew would throw away every compiled statement) and minds
/// only callers' statements.
#[derive(Debug, Clone, Default)]
pub(super) struct Guard(Arc<Mutex<GuardState>>);

#[derive(Debug, Default)]
struct GuardState {
    /// A caller's statement is being compiled or run.
    foreign: bool,
    in_transaction: bool,
    refused: Option<String>,
}

impl Guard {
    pub(super) fn install(&self, conn: &mut Connection) -> rusqlite::Result<()> {
        let guard = self.clone();
        conn.authorizer(Some(move |context: AuthContext<'_>| {
            let mut state = guard.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !state.foreign {
                return Authorization::Allow;
            }
            match judge(&context, state.in_transaction) {
                Verdict::Allow => Authorization::Allow,
                Verdict::Ignore => Authorization::Ignore,
                Verdict::Refuse(why) => {
                    state.refused.get_or_insert(why);
                    Authorization::Deny
                }
            }
        }))
    }

    fn watch(&self, in_transaction: bool) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = GuardState {
            foreign: true,
            in_transaction,
            refused: None,
        };
    }

    /// -> why a statement was refused, if one was.
    fn rest(&self) -> Option<String> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.foreign = false;
        state.refused.take()
    }
}

enum Verdict {
    Allow,
    Ignore,
    Refuse(String),
}

fn judge(context: &AuthContext<'_>, in_transaction: bool) -> Verdict {
    match context.action {
        AuthAction::Transaction { operation } => {
            let word = word(operation, "BEGIN", "COMMIT");
            Verdict::Refuse(if in_transaction {
                format!("{word} (the batch is committed or rolled back as a whole)")
            } else {
                format!("{word} as a statement of its own; use transaction()")
            })
        }
        AuthAction::Savepoint { operation, savepoint_name } => {
            let word = word(operation, "SAVEPOINT", "RELEASE");
            if !in_transaction {
                Verdict::Refuse(format!("{word} outside a transaction; use transaction()"))
            } else if is_ours(savepoint_name) {
                Verdict::Refuse(format!("{word} {savepoint_name} (a savepoint of the updater's own)"))
            } else {
                Verdict::Allow
            }
        }
        AuthAction::Attach { filename } => {
            // VACUUM attaches a file without a name.
            Verdict::Refuse(if filename.is_empty() {
                "VACUUM or ATTACH".to_owned()
            } else {
                format!("ATTACH {filename}")
            })
        }
        AuthAction::Detach { database_name } => Verdict::Refuse(format!("DETACH {database_name}")),
        AuthAction::Pragma { pragma_name, pragma_value } => judge_pragma(pragma_name, pragma_value),
        AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name }
        | AuthAction::CreateTable { table_name }
        | AuthAction::CreateTempTable { table_name }
        | AuthAction::CreateIndex { table_name, .. }
        | AuthAction::CreateTrigger { table_name, .. }
        | AuthAction::CreateTempTrigger { table_name, .. }
        | AuthAction::DropTable { table_name }
        | AuthAction::DropIndex { table_name, .. }
        | AuthAction::AlterTable { table_name, .. }
            // What a trigger writes is not the caller's doing: the journal's triggers write there.
            if is_ours(table_name) && context.accessor.is_none() =>
        {
            Verdict::Refuse(format!("changing {table_name} (a table of the updater's own)"))
        }
        AuthAction::DropTrigger { trigger_name, .. }
        | AuthAction::DropTempTrigger { trigger_name, .. }
            if is_ours(trigger_name) =>
        {
            Verdict::Refuse(format!("dropping {trigger_name} (the journal's)"))
        }
        _ => Verdict::Allow,
    }
}

fn judge_pragma(name: &str, value: Option<&str>) -> Verdict {
    let name = name.to_ascii_lowercase();
    let on = value.is_some_and(|value| {
        matches!(
            value.to_ascii_lowercase().as_str(),
            "on" | "1" | "yes" | "true"
        )
    });
    match (name.as_str(), value) {
        (
            "table_info" | "table_xinfo" | "table_list" | "index_list" | "index_info"
            | "index_xinfo" | "foreign_key_list" | "foreign_key_check" | "integrity_check"
            | "quick_check",
            _,
        ) => Verdict::Allow,
        // As it is anyway: people's code sets it on every connection.
        ("foreign_keys" | "recursive_triggers", Some(_)) if on => Verdict::Ignore,
        // Tuning, which is ours to do; no reason to fail a batch.
        (
            "busy_timeout" | "cache_size" | "mmap_size" | "temp_store" | "threads" | "synchronous"
            | "wal_autocheckpoint",
            Some(_),
        )
        | ("optimize" | "shrink_memory", _) => Verdict::Ignore,
        ("incremental_vacuum" | "wal_checkpoint", _) | (_, Some(_)) => {
            Verdict::Refuse(match value {
                Some(value) => format!("PRAGMA {name} = {value}"),
                None => format!("PRAGMA {name}"),
            })
        }
        (_, None) => Verdict::Allow,
    }
}

fn word(operation: TransactionOperation, begin: &'static str, end: &'static str) -> &'static str {
    match operation {
        TransactionOperation::Begin => begin,
        TransactionOperation::Release => end,
        TransactionOperation::Rollback => "ROLLBACK",
        _ => "a transaction statement",
    }
}

fn is_ours(name: &str) -> bool {
    name.get(..8)
        .is_some_and(|start| start.eq_ignore_ascii_case("updater_"))
}

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
