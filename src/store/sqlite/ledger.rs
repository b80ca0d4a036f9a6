//! Runs, logs, deferred and held events, small facts.

use super::SqliteStore;
use super::db::{Db, Pair, integer, text, utc_now};
use super::figures;
use super::survey::number;
use super::witnesses::in_step;
use crate::faults::{Point, pass};
use crate::store::{
    BatchFigures, BatchHead, BatchKind, BatchRecord, DeferKind, Deferred, Held, Ledger, PastRun,
    RunId, RunRecord, StoreError, StoreResult, Transactions, UpdateLog,
};

impl Ledger for SqliteStore {
    fn start_run(&mut self, congress: i64, mode: &str, trigger: &str) -> StoreResult<RunId> {
        self.in_some_transaction(|store| {
            let db = store.reading()?;
            // A scan of all witnesses, and normalising each where the file is new to us: not in the
            // middle of the first batch.
            in_step(db)?;
            db.insert(
                "updater_runs",
                &[
                    ("started_at", &local_now()),
                    ("congress", &congress),
                    ("mode", &mode),
                    ("trigger_source", &trigger),
                    ("pid", &std::process::id()),
                ],
            )
        })
    }

    fn expect_run(&mut self, run: RunId) -> StoreResult<()> {
        self.expect_our_run(run)
    }

    fn finish_run(
        &mut self,
        run: Option<RunId>,
        log: &UpdateLog,
        batches: &[BatchFigures],
    ) -> StoreResult<Option<i64>> {
        if self.in_transaction() {
            return Err(StoreError::Refused {
                what: "closing a run".to_owned(),
            });
        }
        self.begin(BatchHead {
            run: None,
            number: 0,
            kind: BatchKind::Bookkeeping,
        })?;
        let done = (|| {
            let db = self.reading()?;
            let log_id = write_log(db, log)?;
            pass(Point::Logged, String::new);
            if let Some(run) = run {
                self.expect_our_run(run)?;
                figures::close_run(db, run, log, log_id, batches)?;
            }
            Ok(log_id)
        })();
        let outcome = done.and_then(|log_id| self.commit().map(|_| log_id));
        if outcome.is_err() {
            self.roll_back();
        }
        outcome
    }

    fn last_success(&mut self, until: Option<&str>) -> StoreResult<Option<String>> {
        let db = self.reading()?;
        let shape = db.shape("update_logs")?;
        if !shape.has("start_time") {
            return Ok(None);
        }
        let only = if shape.has("success") {
            "success = 1 AND"
        } else {
            ""
        };
        let sql = format!(
            "SELECT max(start_time) FROM update_logs WHERE {only} (?1 IS NULL OR start_time <= ?1)"
        );
        Ok(db
            .one("update_logs", &sql, [until], |r| text(r, 0))?
            .flatten())
    }

    fn past_runs(&mut self, since: &str) -> StoreResult<Vec<PastRun>> {
        let db = self.reading()?;
        let shape = db.shape("update_logs")?;
        if !shape.has("start_time") {
            return Ok(Vec::new());
        }
        let figures = [
            "hearings_checked",
            "hearings_updated",
            "hearings_added",
            "error_count",
            "duration_seconds",
        ];
        let figures = db.select_list("update_logs", "", &figures)?;
        let only = if shape.has("success") {
            "AND success = 1"
        } else {
            ""
        };
        let sql = format!(
            "SELECT start_time, {figures} FROM update_logs WHERE start_time >= ?1 {only} \
             ORDER BY start_time"
        );
        db.all("update_logs", &sql, [since], |r| {
            let figure = |at| Ok::<_, rusqlite::Error>(number(r.get_ref(at)?).unwrap_or(f64::NAN));
            Ok(PastRun {
                start_time: text(r, 0)?.unwrap_or_default(),
                hearings_checked: figure(1)?,
                hearings_updated: figure(2)?,
                hearings_added: figure(3)?,
                error_count: figure(4)?,
                duration_seconds: figure(5)?,
            })
        })
    }

    fn run_records(&mut self, since: Option<&str>) -> StoreResult<Vec<RunRecord>> {
        figures::runs(self.reading()?, since)
    }

    fn batch_records(&mut self, since: Option<&str>) -> StoreResult<Vec<BatchRecord>> {
        figures::batches(self.reading()?, since)
    }

    fn deferred(&mut self) -> StoreResult<Vec<Deferred>> {
        let db = self.reading()?;
        if !db.exists("updater_deferred")? {
            return Ok(Vec::new());
        }
        db.all(
            "updater_deferred",
            "SELECT event_id, congress, chamber, reason, kind, tries, not_found, first_seen, \
             last_tried FROM updater_deferred ORDER BY first_seen, event_id",
            [],
            |r| {
                Ok(Deferred {
                    event_id: r.get(0)?,
                    congress: integer(r, 1)?,
                    chamber: text(r, 2)?,
                    reason: text(r, 3)?.unwrap_or_default(),
                    kind: kind_of(text(r, 4)?.as_deref()),
                    tries: r.get(5)?,
                    not_found: r.get(6)?,
                    first_seen: text(r, 7)?.unwrap_or_default(),
                    last_tried: text(r, 8)?.unwrap_or_default(),
                })
            },
        )
    }

    fn defer(
        &mut self,
        event_id: &str,
        congress: Option<i64>,
        chamber: Option<&str>,
        kind: DeferKind,
        reason: &str,
    ) -> StoreResult<()> {
        let not_found = i64::from(kind == DeferKind::NotFound);
        self.in_some_transaction(|store| {
            store
                .reading()?
                .exec(
                    "updater_deferred",
                    "INSERT INTO updater_deferred (event_id, congress, chamber, kind, reason, tries, \
                        not_found, first_seen, last_tried) \
                     VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?7) \
                     ON CONFLICT (event_id) DO UPDATE SET \
                        congress = coalesce(excluded.congress, congress), \
                        chamber = coalesce(excluded.chamber, chamber), \
                        kind = excluded.kind, reason = excluded.reason, tries = tries + 1, \
                        not_found = CASE WHEN excluded.not_found THEN not_found + 1 ELSE 0 END, \
                        last_tried = excluded.last_tried",
                    (event_id, congress, chamber, kind.as_str(), reason, not_found, utc_now()),
                )
                .map(|_| pass(Point::Defer, || event_id.to_owned()))
        })
    }

    fn undefer(&mut self, event_ids: &[&str]) -> StoreResult<usize> {
        if event_ids.is_empty() || !self.reading()?.exists("updater_deferred")? {
            return Ok(0);
        }
        if !self.in_transaction() && !any_deferred(self.db(), event_ids)? {
            return Ok(0);
        }
        self.in_some_transaction(|store| {
            let db = store.reading()?;
            let mut gone = 0;
            for event_id in event_ids {
                gone += db.exec(
                    "updater_deferred",
                    "DELETE FROM updater_deferred WHERE event_id = ?1",
                    [event_id],
                )?;
            }
            Ok(gone)
        })
    }

    fn held(&mut self) -> StoreResult<Vec<Held>> {
        let db = self.reading()?;
        if !db.exists("updater_held")? {
            return Ok(Vec::new());
        }
        db.all(
            "updater_held",
            "SELECT event_id, update_date, held_at, run_id FROM updater_held ORDER BY held_at, event_id",
            [],
            |r| {
                Ok(Held {
                    event_id: r.get(0)?,
                    update_date: text(r, 1)?,
                    held_at: text(r, 2)?.unwrap_or_default(),
                    run: integer(r, 3)?,
                })
            },
        )
    }

    fn hold(&mut self, events: &[(String, Option<String>)], run: Option<RunId>) -> StoreResult<()> {
        if events.is_empty() {
            return Ok(());
        }
        self.in_some_transaction(|store| hold(store.reading()?, events, run))
    }

    fn release(&mut self, event_id: &str) -> StoreResult<bool> {
        if !self.reading()?.exists("updater_held")? {
            return Ok(false);
        }
        self.in_some_transaction(|store| {
            let sql = "DELETE FROM updater_held WHERE event_id = ?1";
            Ok(store.reading()?.exec("updater_held", sql, [event_id])? > 0)
        })
    }

    fn fact(&mut self, key: &str) -> StoreResult<Option<String>> {
        let db = self.reading()?;
        if !db.exists("updater_facts")? {
            return Ok(None);
        }
        let sql = "SELECT value FROM updater_facts WHERE key = ?1";
        Ok(db
            .one("updater_facts", sql, [key], |r| text(r, 0))?
            .flatten())
    }

    fn set_fact(&mut self, key: &str, value: &str) -> StoreResult<()> {
        self.in_some_transaction(|store| {
            store
                .reading()?
                .exec(
                    "updater_facts",
                    "INSERT INTO updater_facts (key, value) VALUES (?1, ?2) \
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    [key, value],
                )
                .map(|_| ())
        })
    }

    fn forget_fact(&mut self, key: &str) -> StoreResult<()> {
        if self.fact(key)?.is_none() {
            return Ok(());
        }
        self.in_some_transaction(|store| {
            let sql = "DELETE FROM updater_facts WHERE key = ?1";
            store
                .reading()?
                .exec("updater_facts", sql, [key])
                .map(|_| ())
        })
    }
}

/// In the open transaction.
pub(super) fn hold(
    db: Db<'_>,
    events: &[(String, Option<String>)],
    run: Option<RunId>,
) -> StoreResult<()> {
    for (event_id, update_date) in events {
        db.exec(
            "updater_held",
            "INSERT INTO updater_held (event_id, update_date, run_id, held_at) \
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT (event_id) DO UPDATE SET \
                update_date = excluded.update_date, run_id = excluded.run_id, \
                held_at = excluded.held_at",
            (event_id, update_date, run, utc_now()),
        )?;
    }
    pass(Point::Hold, String::new);
    Ok(())
}

/// Naive local time, floored to the second.
fn local_now() -> String {
    jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn kind_of(text: Option<&str>) -> DeferKind {
    match text {
        Some("not_found") => DeferKind::NotFound,
        Some("batch") => DeferKind::Batch,
        Some("record") => DeferKind::Record,
        _ => DeferKind::Fetch,
    }
}

fn any_deferred(db: Db<'_>, event_ids: &[&str]) -> StoreResult<bool> {
    for event_id in event_ids {
        let sql = "SELECT 1 FROM updater_deferred WHERE event_id = ?1";
        if db
            .one("updater_deferred", sql, [event_id], |_| Ok(()))?
            .is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The row of `update_logs`, in the columns that this file's table has. -> `log_id`.
fn write_log(db: Db<'_>, log: &UpdateLog) -> StoreResult<Option<i64>> {
    let shape = db.shape("update_logs")?;
    if !shape.exists() {
        return Ok(None);
    }
    let update_date = log.start_time.get(..10).unwrap_or(&log.start_time);
    let error_count = i64::try_from(log.errors.len()).unwrap_or(i64::MAX);
    let errors = serde_json::Value::from(log.errors.clone()).to_string();
    let now = utc_now();
    let mut pairs: Vec<Pair<'_>> = vec![
        ("update_date", &update_date),
        ("start_time", &log.start_time),
        ("end_time", &log.end_time),
        ("duration_seconds", &log.duration_seconds),
        ("hearings_checked", &log.hearings_checked),
        ("hearings_updated", &log.hearings_updated),
        ("hearings_added", &log.hearings_added),
        ("committees_updated", &log.committees_updated),
        ("witnesses_updated", &log.witnesses_updated),
        ("api_requests", &log.api_requests),
        ("error_count", &error_count),
        ("errors", &errors),
        ("success", &log.success),
        ("schedule_id", &log.schedule_id),
        ("created_at", &now),
        ("trigger_source", &log.trigger_source),
    ];
    let id = match db.insert("update_logs", &pairs) {
        // A CHECK that does not know this source.
        Err(StoreError::Constraint { .. }) if shape.has("trigger_source") => {
            pairs.pop();
            pairs.push(("trigger_source", &"manual"));
            db.insert("update_logs", &pairs)?
        }
        other => other?,
    };
    if let Some(schedule_id) = log.schedule_id
        && db.exists("schedule_execution_logs")?
    {
        let message = log.errors.first();
        let logged = db.insert(
            "schedule_execution_logs",
            &[
                ("schedule_id", &schedule_id),
                ("log_id", &id),
                ("execution_time", &log.start_time),
                ("success", &log.success),
                ("error_message", &message),
                ("created_at", &now),
            ],
        );
        if let Err(error) = logged {
            tracing::warn!(
                target: "updaters.store",
                "run logged, but not as an execution of schedule {schedule_id}: {error}"
            );
        }
    }
    Ok(Some(id))
}
