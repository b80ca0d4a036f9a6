//! Damage to the file, told from rows that the rules of their table would not let in.

use rusqlite::Connection;

use super::db::text;

/// What `PRAGMA quick_check` or `integrity_check` finds.
pub(super) struct Integrity {
    pub(super) damage: Vec<String>,
    /// Rows that a CHECK or NOT NULL of their table would not let in: told of in the same breath, but
    /// an older program's work, and no damage to the file.
    pub(super) rules: Vec<String>,
}

pub(super) fn quick_check(conn: &Connection) -> rusqlite::Result<Integrity> {
    check(conn, "PRAGMA main.quick_check(100)")
}

/// The indexes, too; takes longer.
pub(super) fn full_check(conn: &Connection) -> rusqlite::Result<Integrity> {
    check(conn, "PRAGMA main.integrity_check(100)")
}

fn check(conn: &Connection, pragma: &str) -> rusqlite::Result<Integrity> {
    let found: Vec<String> = conn
        .prepare_cached(pragma)?
        .query_map([], |row| Ok(text(row, 0)?.unwrap_or_default()))?
        .collect::<Result<_, _>>()?;
    // One finding can have several lines, the first a heading.
    let (rules, damage) = found
        .iter()
        .flat_map(|text| text.lines())
        .filter(|line| *line != "ok" && !line.starts_with("***"))
        .map(str::to_owned)
        .partition(|line: &String| {
            line.starts_with("CHECK constraint failed in ") || line.starts_with("NULL value in ")
        });
    Ok(Integrity { damage, rules })
}
