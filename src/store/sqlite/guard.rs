//! What callers' own SQL may not do.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization, TransactionOperation};

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

    pub(super) fn watch(&self, in_transaction: bool) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = GuardState {
            foreign: true,
            in_transaction,
            refused: None,
        };
    }

    /// -> why a statement was refused, if one was.
    pub(super) fn rest(&self) -> Option<String> {
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
        TransactionOperation::Rollback => "ROLLBACK",
        // SQLite says "RELEASE" for a savepoint and "COMMIT" for a transaction, which rusqlite does not
        // know by name.
        _ => end,
    }
}

fn is_ours(name: &str) -> bool {
    name.get(..8)
        .is_some_and(|start| start.eq_ignore_ascii_case("updater_"))
}
