//! The file's ordinary tables as the journal has to know them: columns, keys, references.

use rusqlite::Connection;

/// An ordinary table of the main database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    /// Stored columns in order (generated ones come by themselves).
    pub(super) columns: Vec<String>,
    /// Columns of the primary key; empty where there is none.
    pub(super) key: Vec<String>,
    /// A name under which the row id can be had; `None` for WITHOUT ROWID tables.
    pub(super) rowid: Option<&'static str>,
}

impl Table {
    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|c| c.eq_ignore_ascii_case(column))
    }
}

/// A reference of one table's columns to another's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) child: String,
    pub(super) parent: String,
    /// Child column and the parent's column that it names.
    pub(super) columns: Vec<(String, String)>,
}

/// Every ordinary table (no views, no virtual tables, none of their shadows).
pub(super) fn tables(conn: &Connection) -> rusqlite::Result<Vec<Table>> {
    let mut list = conn.prepare(
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' ORDER BY name",
    )?;
    let found = list
        .query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, bool>(1)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut columns =
        conn.prepare("SELECT name, pk, hidden FROM pragma_table_xinfo(?1, 'main') ORDER BY cid")?;
    let mut tables = Vec::with_capacity(found.len());
    for (name, without_rowid) in found {
        let mut table = Table {
            name,
            columns: Vec::new(),
            key: Vec::new(),
            rowid: None,
        };
        let mut key: Vec<(i64, String)> = Vec::new();
        let mut names: Vec<String> = Vec::new();
        let mut rows = columns.query([&table.name])?;
        while let Some(row) = rows.next()? {
            let (column, at, hidden): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if at > 0 {
                key.push((at, column.clone()));
            }
            names.push(column.to_ascii_lowercase());
            if hidden == 0 {
                table.columns.push(column);
            }
        }
        key.sort();
        table.key = key.into_iter().map(|(_, column)| column).collect();
        if !without_rowid {
            table.rowid = ["rowid", "_rowid_", "oid"]
                .into_iter()
                .find(|alias| !names.iter().any(|n| n == alias));
        }
        tables.push(table);
    }
    Ok(tables)
}

/// Every reference between tables: the declared ones, and those that go by name only (a `witness_id`
/// without a foreign key is one to `witnesses` all the same).
pub(super) fn references(conn: &Connection, tables: &[Table]) -> rusqlite::Result<Vec<Reference>> {
    let mut declared_keys = conn.prepare(
        "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1, 'main') ORDER BY id, seq",
    )?;
    let mut all: Vec<Reference> = Vec::new();
    for table in tables {
        let mut last = None;
        let mut rows = declared_keys.query([&table.name])?;
        while let Some(row) = rows.next()? {
            let (id, named, from): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let Some(parent) = tables.iter().find(|t| t.name.eq_ignore_ascii_case(&named)) else {
                continue;
            };
            if last != Some(id) {
                last = Some(id);
                all.push(Reference {
                    child: table.name.clone(),
                    parent: parent.name.clone(),
                    columns: Vec::new(),
                });
            }
            if let Some(reference) = all.last_mut() {
                let at = reference.columns.len();
                let to = row
                    .get::<_, Option<String>>(3)?
                    .or_else(|| parent.key.get(at).cloned());
                reference.columns.extend(to.map(|to| (from, to)));
            }
        }
        for parent in tables
            .iter()
            .filter(|t| t.name != table.name && !t.name.starts_with("updater_"))
        {
            let [key] = parent.key.as_slice() else {
                continue;
            };
            let ours = table.name.starts_with("updater_");
            let shared = BY_NAME
                .iter()
                .any(|(t, k)| *t == parent.name && key.eq_ignore_ascii_case(k));
            let declared = all.iter().any(|r| {
                r.child == table.name
                    && r.columns
                        .iter()
                        .any(|(from, _)| from.eq_ignore_ascii_case(key))
            });
            if shared && !ours && !declared && table.has(key) && !is_own_key(table, key) {
                all.push(Reference {
                    child: table.name.clone(),
                    parent: parent.name.clone(),
                    columns: vec![(key.clone(), key.clone())],
                });
            }
        }
    }
    all.retain(|r| !r.columns.is_empty());
    Ok(all)
}

/// Ids that mean the same row in every table that has a column of that name.
const BY_NAME: [(&str, &str); 5] = [
    ("hearings", "hearing_id"),
    ("committees", "committee_id"),
    ("witnesses", "witness_id"),
    ("witness_appearances", "appearance_id"),
    ("bills", "bill_id"),
];

/// A table's own single id is no reference to another table.
fn is_own_key(table: &Table, column: &str) -> bool {
    matches!(table.key.as_slice(), [key] if key.eq_ignore_ascii_case(column))
}
