//! Reading and writing hearings with their related rows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::db::{Db, integer, quoted, sql_value, text};
use super::{SqliteStore, committees, hearings_write, witnesses};
use crate::domain::{Committee, Components, Meeting};
use crate::faults::{Point, reach};
use crate::store::{
    CommitteeName, Hearings, Related, Row, StoreError, StoreResult, StoredMeeting, Transactions,
    Written,
};

impl SqliteStore {
    /// The connection for writing: a transaction must be open.
    fn writing(&self) -> StoreResult<Db<'_>> {
        if !self.in_transaction() {
            return Err(StoreError::NoTransaction);
        }
        self.reading()
    }

    /// The connection with fresh knowledge of the tables.
    pub(super) fn reading(&self) -> StoreResult<Db<'_>> {
        let db = self.db();
        db.refresh()?;
        Ok(db)
    }
}

impl Hearings for SqliteStore {
    fn hearing_row(&mut self, event_id: &str) -> StoreResult<Option<Row>> {
        row(
            self.reading()?,
            "SELECT * FROM hearings WHERE event_id = ?1",
            &event_id,
        )
    }

    fn hearing_row_by_id(&mut self, hearing_id: i64) -> StoreResult<Option<Row>> {
        row(
            self.reading()?,
            "SELECT * FROM hearings WHERE hearing_id = ?1",
            &hearing_id,
        )
    }

    fn columns(&mut self, table: &str) -> StoreResult<Vec<String>> {
        Ok(self.reading()?.shape(table)?.columns.clone())
    }

    fn committee_row(&mut self, system_code: &str) -> StoreResult<Option<Row>> {
        let db = self.reading()?;
        let Some(id) = committees::find(db, system_code)? else {
            return Ok(None);
        };
        row(db, "SELECT * FROM committees WHERE committee_id = ?1", &id)
    }

    fn stored_meeting(&mut self, event_id: &str) -> StoreResult<Option<StoredMeeting>> {
        let db = self.reading()?;
        let Some(mut meeting) = read_hearing(db, Key::Event(event_id))? else {
            return Ok(None);
        };
        super::hearings_read::related(db, &mut meeting)?;
        Ok(Some(meeting))
    }

    fn stored_meetings(&mut self, hearing_ids: &[i64]) -> StoreResult<Vec<StoredMeeting>> {
        let db = self.reading()?;
        let mut meetings = Vec::with_capacity(hearing_ids.len());
        for id in hearing_ids {
            if let Some(mut meeting) = read_hearing(db, Key::Id(*id))? {
                super::hearings_read::related(db, &mut meeting)?;
                meetings.push(meeting);
            }
        }
        Ok(meetings)
    }

    fn committee_names(&mut self) -> StoreResult<Vec<CommitteeName>> {
        committees::names(self.reading()?)
    }

    fn update_dates(&mut self, congress: i64) -> StoreResult<HashMap<String, Option<String>>> {
        let db = self.reading()?;
        let list = db.select_list("hearings", "", &["event_id", "update_date"])?;
        let rows = db.all(
            "hearings",
            &format!("SELECT {list} FROM hearings WHERE congress = ?1"),
            [congress],
            |r| Ok((text(r, 0)?.unwrap_or_default(), text(r, 1)?)),
        )?;
        Ok(rows.into_iter().collect())
    }

    fn committee_codes(&mut self) -> StoreResult<HashSet<String>> {
        let db = self.reading()?;
        if !db.exists("committees")? {
            return Ok(HashSet::new());
        }
        let codes = db.all(
            "committees",
            "SELECT lower(system_code) FROM committees",
            [],
            |r| text(r, 0),
        )?;
        Ok(codes.into_iter().flatten().collect())
    }

    fn write_meeting(
        &mut self,
        meeting: &Meeting,
        hearing_id: Option<i64>,
        components: Components,
    ) -> StoreResult<Written> {
        let written =
            hearings_write::write_meeting(self.writing()?, meeting, hearing_id, components)?;
        reach(Point::Record, || meeting.event_id.clone())?;
        Ok(written)
    }

    fn write_related(
        &mut self,
        hearing_id: i64,
        meeting: &Meeting,
        components: Components,
        how: Related,
    ) -> StoreResult<Written> {
        let db = self.writing()?;
        let mut written = Written {
            hearing_id,
            ..Written::default()
        };
        hearings_write::write_related(db, meeting, components, how, &mut written)?;
        if written.changed {
            hearings_write::touch(db, hearing_id)?;
        }
        Ok(written)
    }

    fn write_committee(&mut self, committee: &Committee, congress: i64) -> StoreResult<i64> {
        committees::write(self.writing()?, committee, congress)
    }

    fn write_update_date(&mut self, event_id: &str, update_date: &str) -> StoreResult<bool> {
        let changed = self.writing()?.exec(
            "hearings",
            "UPDATE hearings SET update_date = ?2 WHERE event_id = ?1 AND update_date IS NOT ?2",
            [event_id, update_date],
        )?;
        Ok(changed > 0)
    }

    fn get_or_create_witness(
        &mut self,
        full_name: &str,
        organization: Option<&str>,
        title: Option<&str>,
    ) -> StoreResult<(i64, bool)> {
        witnesses::get_or_create(self.writing()?, full_name, organization, title)
    }

    fn create_witness_appearance(
        &mut self,
        witness_id: i64,
        hearing_id: i64,
        position: Option<&str>,
        witness_type: Option<&str>,
        order: Option<i64>,
    ) -> StoreResult<(i64, bool)> {
        let db = self.writing()?;
        witnesses::appear(db, witness_id, hearing_id, position, witness_type, order)
    }

    fn link_committee(
        &mut self,
        hearing_id: i64,
        committee_id: i64,
        primary: bool,
    ) -> StoreResult<()> {
        committees::link(self.writing()?, hearing_id, committee_id, primary).map(|_| ())
    }

    fn unlink_committees(&mut self, hearing_id: i64) -> StoreResult<usize> {
        self.writing()?.exec(
            "hearing_committees",
            "DELETE FROM hearing_committees WHERE hearing_id = ?1",
            [hearing_id],
        )
    }
}

/// A whole row with its column names.
fn row(db: Db<'_>, sql: &str, key: &dyn rusqlite::ToSql) -> StoreResult<Option<Row>> {
    let found = (|| {
        let mut statement = db.conn.prepare_cached(sql)?;
        let mut rows = statement.query([key])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let columns: Arc<[String]> = row.as_ref().column_names().map(str::to_owned).collect();
        let values = (0..columns.len())
            .map(|at| row.get_ref(at).map(sql_value))
            .collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(Some(Row { columns, values }))
    })();
    db.fail(found, "reading a row")
}

/// How a hearing is found.
#[derive(Clone, Copy)]
pub(super) enum Key<'a> {
    Event(&'a str),
    Id(i64),
}

const COLUMNS: [&str; 18] = [
    "hearing_id",
    "event_id",
    "congress",
    "chamber",
    "title",
    "hearing_type",
    "status",
    "hearing_date",
    "hearing_date_only",
    "hearing_time",
    "location",
    "video_url",
    "youtube_video_id",
    "video_type",
    "jacket_number",
    "url",
    "congress_gov_url",
    "update_date",
];

/// The hearing's own row, without related rows.
pub(super) fn read_hearing(db: Db<'_>, key: Key<'_>) -> StoreResult<Option<StoredMeeting>> {
    let list = db.select_list("hearings", "", &COLUMNS)?;
    let by = match key {
        Key::Event(_) => "event_id",
        Key::Id(_) => "hearing_id",
    };
    let sql = format!("SELECT {list} FROM hearings WHERE {} = ?1", quoted(by));
    let read = |r: &rusqlite::Row<'_>| {
        Ok(StoredMeeting {
            hearing_id: r.get(0)?,
            event_id: text(r, 1)?.unwrap_or_default(),
            congress: integer(r, 2)?,
            chamber: text(r, 3)?,
            title: text(r, 4)?,
            hearing_type: text(r, 5)?,
            status: text(r, 6)?,
            date: text(r, 7)?.or(text(r, 8)?),
            time: text(r, 9)?,
            location: text(r, 10)?,
            video_url: text(r, 11)?,
            youtube_video_id: text(r, 12)?,
            video_type: text(r, 13)?,
            jacket_number: text(r, 14)?,
            url: text(r, 15)?,
            congress_gov_url: text(r, 16)?,
            update_date: text(r, 17)?,
            ..StoredMeeting::default()
        })
    };
    match key {
        Key::Event(event_id) => db.one("hearings", &sql, [event_id], read),
        Key::Id(id) => db.one("hearings", &sql, [id], read),
    }
}
