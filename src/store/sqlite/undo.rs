//! Undoing whole batches from the journal, exactly.
//!
//! The entries are walked newest first, so that every state on the way was once a valid one. Before
//! anything is written, each touched row must be as the batches left it; what is not is a conflict.

use std::collections::{BTreeSet, HashMap, HashSet};

use rusqlite::config::DbConfig;

use super::SqliteStore;
use super::db::Db;
use super::journal_entries::{Catalog, Entry, Op, RowKey, current, entries, is_as, name_of};
use super::journal_image::Image;
use super::tables::Table;
use super::undo_checks::{
    changed_again_by, dangling, dependants, events_of, mark_undone, still_to_undo,
};
use super::undo_rows::{delete, insert, update};
use crate::faults::{Point, reach};
use crate::store::{
    BatchHead, BatchId, BatchKind, StoreError, StoreResult, Transactions, UndoPolicy, UndoReport,
};

pub(super) fn undo(
    store: &mut SqliteStore,
    batches: &[BatchId],
    policy: UndoPolicy,
) -> StoreResult<UndoReport> {
    in_undo(store, |db, undo_batch| {
        let wanted = still_to_undo(db, batches)?;
        let mut report = UndoReport {
            batches: batches.to_vec(),
            ..UndoReport::default()
        };
        if wanted.is_empty() {
            report.undone = true;
            return Ok(report);
        }
        let entries = entries(db, &wanted)?;
        let catalog = Catalog::read(db)?;
        report.events = events_of(db, &entries)?;
        let mut work = Work {
            db,
            catalog: &catalog,
            left: HashSet::new(),
            new: HashSet::new(),
            pending: Vec::new(),
        };
        work.find_conflicts(&entries, &wanted, &mut report)?;
        if policy == UndoPolicy::AllOrNothing && !report.conflicts.is_empty() {
            return Ok(report);
        }
        let affected = work.affected(&entries);
        let before = dangling(db, &affected)?;
        work.walk(&entries, policy, &mut report)?;
        if policy == UndoPolicy::AllOrNothing && !report.conflicts.is_empty() {
            return Ok(report);
        }
        work.delete_pending(&mut report)?;
        let worse: Vec<String> = dangling(db, &affected)?
            .into_iter()
            .filter(|d| !before.contains(d))
            .collect();
        if !worse.is_empty() {
            report.conflicts.extend(worse);
            return Ok(report);
        }
        mark_undone(db, &wanted, undo_batch)?;
        reach(Point::Undo, String::new)?;
        report.undone = true;
        Ok(report)
    })
}

/// Runs `work` in one transaction; false, or an error, and it never was.
pub(super) fn together<R>(
    store: &mut SqliteStore,
    work: impl FnOnce(&mut SqliteStore) -> StoreResult<(bool, R)>,
) -> StoreResult<R> {
    if store.in_transaction() {
        return Err(StoreError::Refused {
            what: "undoing a batch while another one is open".to_owned(),
        });
    }
    store.begin(BatchHead {
        run: None,
        number: 0,
        kind: BatchKind::Undo,
    })?;
    let outcome = work(store).and_then(|(done, told)| {
        if done {
            store.commit()?;
        }
        Ok(told)
    });
    // After a commit there is nothing to roll back.
    if store.in_transaction() {
        store.roll_back();
    }
    outcome
}

/// Runs `work` in a transaction, or as a part of one of `together`, the file's own triggers off (the
/// journal's fire all the same). What it reports as not undone is rolled back.
pub(super) fn in_undo(
    store: &mut SqliteStore,
    work: impl FnOnce(Db<'_>, BatchId) -> StoreResult<UndoReport>,
) -> StoreResult<UndoReport> {
    if !store.head.is_some_and(|head| head.kind == BatchKind::Undo) {
        return together(store, |store| {
            let report = without_triggers(store, work)?;
            Ok((report.undone, report))
        })
        .map(without_rows);
    }
    store.savepoint()?;
    match without_triggers(store, work) {
        Ok(report) if report.undone => store.release_savepoint().map(|()| report),
        Ok(report) => store
            .roll_back_to_savepoint()
            .map(|()| without_rows(report)),
        Err(error) => Err(error),
    }
}

/// What was not undone restored nothing.
fn without_rows(report: UndoReport) -> UndoReport {
    UndoReport {
        rows_restored: if report.undone {
            report.rows_restored
        } else {
            0
        },
        ..report
    }
}

fn without_triggers(
    store: &SqliteStore,
    work: impl FnOnce(Db<'_>, BatchId) -> StoreResult<UndoReport>,
) -> StoreResult<UndoReport> {
    let db = store.reading()?;
    db.fail(
        db.conn.execute_batch("PRAGMA defer_foreign_keys = ON"),
        "undo",
    )?;
    let has_triggers = db
        .one(
            "undo",
            "SELECT 1 FROM main.sqlite_master WHERE type = 'trigger'",
            [],
            |_| Ok(()),
        )?
        .is_some();
    // Switching throws away every compiled statement: only where there is something to switch off.
    let switch = |on: bool| {
        if has_triggers {
            db.conn
                .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, on)
                .map(|_| ())
        } else {
            Ok(())
        }
    };
    db.fail(switch(false), "undo")?;
    let outcome = work(db, store.current_batch().unwrap_or(0));
    db.fail(switch(true), "undo")?;
    outcome
}

struct Work<'a> {
    db: Db<'a>,
    catalog: &'a Catalog,
    /// Keys of rows that stay as they are.
    left: HashSet<String>,
    /// Keys of rows that were not there before these batches.
    new: HashSet<String>,
    /// Added rows that something referred to when their turn came.
    pending: Vec<(&'a Table, RowKey, Image)>,
}

impl<'a> Work<'a> {
    fn find_conflicts(
        &mut self,
        entries: &[Entry],
        batches: &[BatchId],
        report: &mut UndoReport,
    ) -> StoreResult<()> {
        // What each key should hold now: the row's image, or nothing.
        let mut expected: HashMap<String, (&Table, RowKey, Option<&Image>, i64)> = HashMap::new();
        let mut order: Vec<String> = Vec::new();
        let mut broken: Vec<(String, String)> = Vec::new();
        for entry in entries {
            let Some(table) = self.catalog.table(&entry.table) else {
                broken.push((String::new(), format!("{}: the table is gone", entry.table)));
                continue;
            };
            let (before, after) = (entry.before.as_ref(), entry.after.as_ref());
            for (image, is_before) in [(before, true), (after, false)]
                .into_iter()
                .filter_map(|(i, b)| Some((i?, b)))
            {
                let Some(key) = RowKey::of(table, image) else {
                    broken.push((
                        String::new(),
                        format!("{}: its key is another now", entry.table),
                    ));
                    continue;
                };
                let id = key.id.clone();
                if is_before
                    && let Some((_, _, was, _)) = expected.get(&id)
                    && !was.is_some_and(|was| is_as(table, was, image))
                {
                    let name = name_of(&table.name, &key, Some(image));
                    broken.push((
                        id.clone(),
                        format!("{name}: changed in between by another batch"),
                    ));
                }
                let holds = (!is_before).then_some(image);
                if expected
                    .insert(id.clone(), (table, key, holds, entry.id))
                    .is_none()
                {
                    if !is_before {
                        self.new.insert(id.clone());
                    }
                    order.push(id);
                }
            }
        }
        for (id, line) in broken {
            self.left.insert(id);
            if !report.conflicts.contains(&line) {
                report.conflicts.push(line);
            }
        }
        for id in order {
            let Some((table, key, should, last)) = expected.get(&id) else {
                continue;
            };
            if self.left.contains(&id) {
                continue;
            }
            let now = current(self.db, table, key)?;
            let problem = match (should, &now) {
                (None, None) => continue,
                (Some(should), Some(now)) if is_as(table, now, should) => continue,
                (Some(_), Some(_)) => "changed again",
                (Some(_), None) => "removed since",
                (None, Some(_)) => "there again",
            };
            // Beyond a few, who it was is not worth reading the journal for again and again.
            let by = if report.conflicts.len() < 20 {
                changed_again_by(self.db, table, key, *last, batches)?
            } else {
                "another batch or program".to_owned()
            };
            let name = name_of(&table.name, key, now.as_ref().or(*should));
            report.conflicts.push(format!("{name}: {problem} by {by}"));
            self.left.insert(id);
        }
        Ok(())
    }

    /// Tables whose references may be hurt: those touched and those that refer to them.
    fn affected(&self, entries: &[Entry]) -> BTreeSet<String> {
        let touched: BTreeSet<String> = entries
            .iter()
            .filter_map(|e| Some(self.catalog.table(&e.table)?.name.clone()))
            .collect();
        let children = self.catalog.references.iter();
        let children = children
            .filter(|r| touched.contains(&r.parent))
            .map(|r| r.child.clone());
        children.chain(touched.iter().cloned()).collect()
    }

    fn walk(
        &mut self,
        entries: &[Entry],
        policy: UndoPolicy,
        report: &mut UndoReport,
    ) -> StoreResult<()> {
        let mut restored: HashSet<String> = HashSet::new();
        for entry in entries.iter().rev() {
            let Some(table) = self.catalog.table(&entry.table) else {
                continue;
            };
            let key = |image: &Option<Image>| image.as_ref().and_then(|i| RowKey::of(table, i));
            let (was, is) = (key(&entry.before), key(&entry.after));
            let ids: Vec<String> = was
                .iter()
                .chain(is.iter())
                .map(|key| key.id.clone())
                .collect();
            if ids.is_empty() || ids.iter().any(|id| self.left.contains(id)) {
                self.left.extend(ids);
                continue;
            }
            match self.step(table, entry, is.as_ref()) {
                Ok(()) => restored.extend(ids),
                // Something in the way that is none of these batches' rows.
                Err(StoreError::Constraint { message }) => {
                    let image = entry.before.as_ref().or(entry.after.as_ref());
                    let name = was.or(is).map(|key| name_of(&table.name, &key, image));
                    report.conflicts.push(format!(
                        "{}: {message}",
                        name.unwrap_or_else(|| table.name.clone())
                    ));
                    if policy == UndoPolicy::AllOrNothing {
                        return Ok(());
                    }
                    self.left.extend(ids);
                }
                Err(error) => return Err(error),
            }
        }
        report.rows_restored = restored.len();
        Ok(())
    }

    fn step(&mut self, table: &'a Table, entry: &Entry, is: Option<&RowKey>) -> StoreResult<()> {
        match (entry.op, &entry.before, &entry.after, is) {
            // A REPLACE: its deletion, the next entry on this way, is where the row changes back. (Gone
            // in between, it would take along what refers to it.)
            (Op::Insert, _, _, Some(key)) if !self.new.contains(&key.id) => Ok(()),
            (Op::Insert, _, Some(after), Some(key)) => {
                if dependants(self.db, self.catalog, table, after)?.is_empty() {
                    delete(self.db, table, key)
                } else {
                    self.pending.push((table, key.clone(), after.clone()));
                    Ok(())
                }
            }
            (Op::Update, Some(before), Some(after), Some(key)) => {
                update(self.db, table, key, before, after)
            }
            (Op::Delete, Some(before), ..) => {
                let now = match RowKey::of(table, before) {
                    Some(key) => current(self.db, table, &key)?.map(|now| (key, now)),
                    None => None,
                };
                match now {
                    Some((key, now)) => update(self.db, table, &key, before, &now),
                    None => insert(self.db, table, before),
                }
            }
            _ => Ok(()),
        }
    }

    /// What was referred to may be free by now; the rest stays and is named.
    fn delete_pending(&mut self, report: &mut UndoReport) -> StoreResult<()> {
        loop {
            let mut still = Vec::new();
            let before = self.pending.len();
            for (table, key, image) in std::mem::take(&mut self.pending) {
                if dependants(self.db, self.catalog, table, &image)?.is_empty() {
                    delete(self.db, table, &key)?;
                } else {
                    still.push((table, key, image));
                }
            }
            self.pending = still;
            if self.pending.is_empty() || self.pending.len() == before {
                break;
            }
        }
        for (table, key, image) in &self.pending {
            let users = dependants(self.db, self.catalog, table, image)?;
            report.rows_restored = report.rows_restored.saturating_sub(1);
            report.kept.push(format!(
                "{}: used by {}",
                name_of(&table.name, key, Some(image)),
                users.join(", ")
            ));
        }
        Ok(())
    }
}
