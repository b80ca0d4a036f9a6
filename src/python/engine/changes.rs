//! `_identify_changes`, `_hearing_needs_update`, `_extract_original_data`.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyInt, PyList, PyMapping, PyString, PyTuple};
use tracing::warn;

use super::Engine;
use super::face::Face;
use crate::domain::{Notice, Parsed};
use crate::python::convert::{from_sql, to_sql};
use crate::python::interrupts;
use crate::python::row::Row;
use crate::store::{SqlValue, Store, StoreResult, StoredMeeting};
use crate::update::{diff, newer};

/// The event id of a record in the API's shape, as text.
pub(super) fn event_id_of(record: &Bound<'_, PyAny>) -> Option<String> {
    let dict = record.cast::<PyDict>().ok()?;
    let value = dict.get_item("eventId").ok()??;
    if let Ok(text) = value.cast::<PyString>() {
        let text = text.to_str().ok()?.trim();
        return (!text.is_empty()).then(|| text.to_owned());
    }
    if value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>() {
        // Not by `str()`: that lets a signal's handler run, whose exception would be lost here.
        let id = value.extract::<i64>().map(|id| id.to_string());
        return id
            .or_else(|_| value.extract::<u64>().map(|id| id.to_string()))
            .ok();
    }
    None
}

/// A stored record as callers pass it around, as column -> value: a row, a tuple in the table's column
/// order, or a dict. Empty for anything else.
pub(super) fn columns_of(
    record: &Bound<'_, PyAny>,
    columns: impl FnOnce() -> PyResult<Vec<String>>,
) -> PyResult<Vec<(String, SqlValue)>> {
    if record.is_none() {
        return Ok(Vec::new());
    }
    if let Ok(row) = record.cast::<Row>() {
        return Ok(row
            .get()
            .pairs()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect());
    }
    if let Ok(values) = record.cast::<PyTuple>() {
        let names = columns()?;
        return names
            .into_iter()
            .zip(values.iter())
            .map(|(n, v)| Ok((n, to_sql(&v)?)))
            .collect();
    }
    // `sqlite3.Row` and the like answer to keys() and to names.
    if record.cast::<PyMapping>().is_ok() || record.hasattr("keys")? {
        let keys = record.call_method0("keys")?;
        return keys
            .try_iter()?
            .map(|key| {
                let key: String = key?.extract()?;
                let value = record.get_item(&key)?;
                let value = interrupts::tolerated(record.py(), to_sql(&value));
                Ok((key, value.unwrap_or(SqlValue::Null)))
            })
            .collect();
    }
    Ok(Vec::new())
}

pub(super) fn text_of(pairs: &[(String, SqlValue)], column: &str) -> Option<String> {
    let (_, value) = pairs
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(column))?;
    match value {
        SqlValue::Text(text) => Some(text.clone()),
        SqlValue::Integer(int) => Some(int.to_string()),
        _ => None,
    }
}

/// The hearing's own columns as a record has them; related rows come from the store.
fn overlay(stored: &mut StoredMeeting, pairs: &[(String, SqlValue)]) {
    let has = |column: &str| {
        pairs
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(column))
    };
    let set = |column: &str, into: &mut Option<String>| {
        if has(column) {
            *into = text_of(pairs, column);
        }
    };
    set("chamber", &mut stored.chamber);
    set("title", &mut stored.title);
    set("hearing_type", &mut stored.hearing_type);
    set("status", &mut stored.status);
    set("hearing_time", &mut stored.time);
    set("location", &mut stored.location);
    set("video_url", &mut stored.video_url);
    set("youtube_video_id", &mut stored.youtube_video_id);
    set("video_type", &mut stored.video_type);
    set("jacket_number", &mut stored.jacket_number);
    set("update_date", &mut stored.update_date);
    let date = text_of(pairs, "hearing_date").or_else(|| text_of(pairs, "hearing_date_only"));
    if has("hearing_date") || has("hearing_date_only") {
        stored.date = date;
    }
}

impl Engine {
    /// What the API sent, parsed; each mapped value is named once a run.
    pub(super) fn parse(&self, record: &Bound<'_, PyAny>) -> Result<Arc<Parsed>, String> {
        let parsed = self.parsed(record)?;
        for notice in &parsed.notices {
            if self.state().notices.insert(notice.clone()) {
                match notice {
                    Notice::UnknownType { value, stored } => {
                        warn!(target: "updaters.update", "unknown meeting type '{value}': stored as {}", stored.as_str());
                    }
                    Notice::UnknownStatus { value } => {
                        warn!(target: "updaters.update", "unknown meeting status '{value}': stored as Scheduled");
                    }
                }
            }
        }
        Ok(parsed)
    }

    pub(super) fn identify<'py>(
        &self,
        face: &Face<'py>,
        hearings: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let py = face.py();
        let handle = face.handle()?;
        let watch = self.watch(face)?;
        let updates = PyList::empty(py);
        let additions = PyList::empty(py);
        for item in hearings.try_iter()? {
            let item = item?;
            self.stop_if_cancelled(py)?;
            let row = match event_id_of(&item) {
                Some(event_id) => watch.store(py, |patience| {
                    handle.with_retry(patience, |store| store.hearing_row(&event_id))
                })?,
                None => None,
            };
            let Some(row) = row else {
                additions.append(item)?;
                continue;
            };
            let row = Bound::new(py, Row::new(row))?;
            let needed = face
                .0
                .call_method1("_hearing_needs_update", (&row, &item))?;
            if needed.is_truthy()? {
                let update = PyDict::new(py);
                update.set_item("existing", row)?;
                update.set_item("new_data", item)?;
                updates.append(update)?;
            } else {
                self.note_date(&row, &item);
            }
        }
        let changes = PyDict::new(py);
        changes.set_item("updates", updates)?;
        changes.set_item("additions", additions)?;
        Ok(changes)
    }

    /// Nothing but `updateDate` may have moved: then the stored one follows, without an update.
    fn note_date(&self, row: &Bound<'_, Row>, item: &Bound<'_, PyAny>) {
        let Ok(parsed) = self.parse(item) else { return };
        let Some(date) = parsed.meeting.update_date else {
            return;
        };
        let stored = match row.get().value("update_date") {
            Some(SqlValue::Text(text)) => Some(text.as_str()),
            _ => None,
        };
        if newer(stored, Some(date)) {
            self.state()
                .dates
                .push((parsed.meeting.event_id.clone(), date.stored()));
        }
    }

    pub(super) fn needs_update(
        &self,
        face: &Face<'_>,
        record: &Bound<'_, PyAny>,
        item: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        // What cannot be read is for validation to refuse by name, not for this to pass over.
        let Ok(parsed) = self.parse(item) else {
            return Ok(true);
        };
        if !parsed.issues.is_empty() {
            return Ok(true);
        }
        let py = face.py();
        let handle = face.handle()?;
        let watch = self.watch(face)?;
        let pairs = self.pairs(face, record)?;
        let mut meeting = parsed.meeting.clone();
        if meeting.event_id.is_empty() {
            meeting.event_id = text_of(&pairs, "event_id").unwrap_or_default();
        }
        let stored = watch.store(py, |patience| {
            handle.with_retry(patience, |store| load(store, &meeting.event_id))
        })?;
        let mut stored = stored.unwrap_or_default();
        overlay(&mut stored, &pairs);
        Ok(!diff(&stored, &meeting, face.components()?).is_empty())
    }

    /// A stored record as callers pass it around, by column name.
    pub(super) fn pairs(
        &self,
        face: &Face<'_>,
        record: &Bound<'_, PyAny>,
    ) -> PyResult<Vec<(String, SqlValue)>> {
        columns_of(record, || {
            let handle = face.handle()?;
            self.watch(face)?.store(face.py(), |patience| {
                handle.with_retry(patience, |s| s.columns("hearings"))
            })
        })
    }

    pub(super) fn extract_original<'py>(
        &self,
        face: &Face<'py>,
        record: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(face.py());
        for (column, value) in self.pairs(face, record)? {
            dict.set_item(column, from_sql(face.py(), &value)?)?;
        }
        Ok(dict)
    }
}

fn load(store: &mut dyn Store, event_id: &str) -> StoreResult<Option<StoredMeeting>> {
    if event_id.is_empty() {
        Ok(None)
    } else {
        store.stored_meeting(event_id)
    }
}
