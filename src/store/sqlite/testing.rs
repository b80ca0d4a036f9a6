//! Databases for tests.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

/// A database of the oldest shape in use: rollback journal, no video columns, no `update_logs`,
/// `scheduled_tasks` or unique indexes on documents, none of our tables. Empty.
pub(in crate::store) fn legacy_db(dir: &Path) -> PathBuf {
    let path = dir.join("legacy.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(include_str!("schema.sql")).unwrap();
    conn.execute_batch(
        "ALTER TABLE hearings DROP COLUMN video_url;
         ALTER TABLE hearings DROP COLUMN youtube_video_id;
         ALTER TABLE hearings DROP COLUMN video_type;",
    )
    .unwrap();
    path
}

/// A database as `init` makes it.
pub(in crate::store) fn new_db(dir: &Path) -> PathBuf {
    let path = dir.join("new.db");
    super::init(&path).unwrap();
    path
}

/// Two committees, three hearings, two witnesses with an appearance, a link and a document each.
pub(in crate::store) fn fill(path: &Path) {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(
        "INSERT INTO committees (committee_id, system_code, name, chamber, type, congress)
             VALUES (1, 'hsag00', 'Agriculture', 'House', 'Standing', 119),
                    (2, 'ssga00', 'Homeland Security', 'Senate', 'Standing', 119);
         INSERT INTO hearings (hearing_id, event_id, congress, chamber, title, hearing_type, status,
                               hearing_date, update_date)
             VALUES (1, '1001', 119, 'House', 'On farms', 'Hearing', 'Scheduled',
                     '2025-07-29', '2025-07-28 22:08:17'),
                    (2, '1002', 119, 'Senate', 'On ports', 'Markup', 'Postponed', NULL, NULL),
                    (3, '1003', 119, 'NoChamber', 'On both', 'Meeting', 'Scheduled', NULL, NULL);
         INSERT INTO hearing_committees (hearing_id, committee_id) VALUES (1, 1), (2, 2);
         INSERT INTO witnesses (witness_id, full_name, organization)
             VALUES (1, 'Jane Roe', 'Farm Bureau'), (2, 'John Doe', NULL);
         INSERT INTO witness_appearances (appearance_id, witness_id, hearing_id)
             VALUES (1, 1, 1), (2, 2, 2);
         INSERT INTO witness_documents (document_id, appearance_id, document_type, document_url)
             VALUES (1, 1, 'Statement', 'https://docs.house.gov/a.pdf'),
                    (2, 2, 'Biography', 'https://docs.house.gov/b.pdf');",
    )
    .unwrap();
}
