//! What changed in all hearings since a moment, in one pass over the journal.
//!
//! What was undone within that time is left out together with its undoing, row by row: an undo that
//! brings a row back to what an earlier entry found takes the entries in between with it. So a batch of
//! which some rows were left as they are keeps those, and the undoing of something older is told as the
//! change that it is.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};

use super::db::{Db, text};
use super::history::{ORIGIN, Origin, SILENT, Said, origin, said};
use super::history_names::{Names, RowName};
use super::journal_entries::{Catalog, ENTRY, Entry, RowKey, entry};
use super::journal_image::{Cell, Image};
use crate::store::{BatchId, BatchKind, HearingChange, StoreResult};

/// Applied and undone batches of the time, with whether they are undoings.
type Batches = HashMap<BatchId, (Origin, bool)>;

/// What is kept of an entry while the journal is read.
struct Kept {
    batch: BatchId,
    table: String,
    hearing_id: i64,
    row_id: Option<i64>,
    name: RowName,
    said: Vec<Said>,
}

/// A hearing as it is known by.
type Heading = (Option<String>, Option<String>);

/// `since` as batches have it: UTC, `2025-10-13 21:25:58`.
pub(super) fn changes_since(db: Db<'_>, since: &str) -> StoreResult<Vec<HearingChange>> {
    // One state of the file for all that is read here.
    let snapshot = db
        .conn
        .is_autocommit()
        .then(|| db.conn.unchecked_transaction());
    let snapshot = db.fail(snapshot.transpose(), "journal")?;
    let (batches, first) = batches(db, since)?;
    let mut headings: HashMap<i64, Heading> = HashMap::new();
    let kept = read(db, &batches, first, &mut headings)?;
    add_stored(db, &mut headings)?;
    let mut names = Names::new(db);
    let mut changes = Vec::with_capacity(kept.len());
    for kept in kept {
        let Some((origin, _)) = batches.get(&kept.batch) else {
            continue;
        };
        let row = names.told(&kept.name)?;
        let (event_id, title) = headings.get(&kept.hearing_id).cloned().unwrap_or_default();
        for said in kept.said {
            changes.push(HearingChange {
                hearing_id: kept.hearing_id,
                event_id: event_id.clone(),
                title: title.clone(),
                row_id: kept.row_id,
                change: said.by(origin, &kept.table, &row),
            });
        }
    }
    drop(snapshot);
    Ok(changes)
}

/// Those that left something in the journal, and the first entry among theirs.
fn batches(db: Db<'_>, since: &str) -> StoreResult<(Batches, i64)> {
    let sql = format!(
        "SELECT {ORIGIN}, batch_id, first_entry FROM updater_batches \
         WHERE created_at >= ?1 AND first_entry IS NOT NULL"
    );
    let rows = db.all("journal", &sql, [since], |r| {
        let undo = text(r, 2)?.as_deref() == Some(BatchKind::Undo.as_str());
        Ok((
            r.get::<_, BatchId>(4)?,
            (origin(r)?, undo),
            r.get::<_, i64>(5)?,
        ))
    })?;
    let first = rows.iter().map(|(.., first)| *first).min();
    let batches = rows.into_iter().map(|(id, batch, _)| (id, batch));
    Ok((batches.collect(), first.unwrap_or(i64::MAX)))
}

fn read(
    db: Db<'_>,
    batches: &Batches,
    first: i64,
    headings: &mut HashMap<i64, Heading>,
) -> StoreResult<Vec<Kept>> {
    let catalog = Catalog::read(db)?;
    let mut rows = Rows::default();
    let mut kept: Vec<Kept> = Vec::new();
    let sql = format!(
        "SELECT {ENTRY} FROM updater_journal \
         WHERE entry_id >= ?1 AND hearing_id IS NOT NULL ORDER BY entry_id"
    );
    db.all("journal", &sql, [first], |row| {
        let Ok(entry) = entry(row)? else {
            return Ok(());
        };
        let (Some((_, undo)), Some(hearing_id)) = (batches.get(&entry.batch), entry.hearing_id)
        else {
            return Ok(());
        };
        let image = entry.after.as_ref().or(entry.before.as_ref());
        if entry.table.eq_ignore_ascii_case("hearings")
            && let Some(image) = image
        {
            headings.insert(hearing_id, (image.text("event_id"), image.text("title")));
        } else {
            headings.entry(hearing_id).or_default();
        }
        if rows.follow(&catalog, &entry, *undo, kept.len()) {
            kept.push(Kept {
                batch: entry.batch,
                hearing_id,
                row_id: image.and_then(|image| row_id(&catalog, &entry.table, image)),
                name: RowName::of(&entry),
                said: said(&entry),
                table: entry.table,
            });
        }
        Ok(())
    })?;
    let mut at = 0;
    kept.retain(|_| {
        at += 1;
        !rows.dropped.contains(&(at - 1))
    });
    Ok(kept)
}

/// What the rows were along the way, as marks of their images.
#[derive(Default)]
struct Rows {
    /// Key -> what each entry that still counts found, and its place among the kept.
    found: HashMap<String, Vec<(Option<u64>, usize)>>,
    dropped: HashSet<usize>,
}

impl Rows {
    /// Takes the next entry in; false where it undoes earlier ones, which are dropped.
    fn follow(&mut self, catalog: &Catalog, entry: &Entry, undo: bool, at: usize) -> bool {
        let key = |image: &Option<Image>| image.as_ref().map(|i| key_of(catalog, entry, i));
        let (was, is) = (key(&entry.before), key(&entry.after));
        // A row that gets another key takes its story along.
        let mut story = was
            .as_ref()
            .or(is.as_ref())
            .and_then(|key| self.found.remove(key))
            .unwrap_or_default();
        let after = entry.after.as_ref().map(mark);
        let back = story.iter().rposition(|(before, _)| *before == after);
        let counts = match back {
            Some(back) if undo => {
                self.dropped.extend(story.drain(back..).map(|(_, at)| at));
                false
            }
            _ => {
                story.push((entry.before.as_ref().map(mark), at));
                true
            }
        };
        if let Some(key) = is.or(was) {
            self.found.insert(key, story);
        }
        counts
    }
}

fn key_of(catalog: &Catalog, entry: &Entry, image: &Image) -> String {
    let table = catalog.table(&entry.table);
    match table.and_then(|table| RowKey::of(table, image)) {
        Some(key) => key.id,
        None => format!("{} {:?}", entry.table, image.0.first()),
    }
}

/// Equal for equal rows, times of writing aside.
fn mark(image: &Image) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (column, cell) in &image.0 {
        if SILENT.contains(&column.as_str()) {
            continue;
        }
        column.hash(&mut hasher);
        std::mem::discriminant(cell).hash(&mut hasher);
        match cell {
            Cell::Null => {}
            Cell::Integer(i) => i.hash(&mut hasher),
            Cell::Real(r) => r.to_bits().hash(&mut hasher),
            Cell::Text(bytes) | Cell::Blob(bytes) => bytes.hash(&mut hasher),
        }
    }
    hasher.finish()
}

/// The row's id; of a link between two tables, the other one's.
fn row_id(catalog: &Catalog, table: &str, image: &Image) -> Option<i64> {
    let key = &catalog.table(table)?.key;
    key.last().and_then(|column| image.integer(column))
}

/// What the hearings are known by now; of those that are gone, what the journal saw last stays.
fn add_stored(db: Db<'_>, headings: &mut HashMap<i64, Heading>) -> StoreResult<()> {
    let list = db.select_list("hearings", "", &["hearing_id", "event_id", "title"])?;
    let rows = db.all(
        "hearings",
        &format!("SELECT {list} FROM hearings"),
        [],
        |r| Ok((r.get::<_, Option<i64>>(0)?, text(r, 1)?, text(r, 2)?)),
    )?;
    for (id, event_id, title) in rows {
        if let Some(heading) = id.and_then(|id| headings.get_mut(&id)) {
            *heading = (event_id, title);
        }
    }
    Ok(())
}
