//! `_update_hearing_record`, `_add_new_hearing`, `_update_related_data`: one record into the store.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet};

use super::Engine;
use super::changes::{event_id_of, text_of};
use super::face::{Face, hidden};
use crate::domain::{Committee, Components, Meeting};
use crate::python::database::{in_transaction, in_transaction_of};
use crate::python::errors;
use crate::python::row::Row;
use crate::store::{self, BatchKind, Related, SqlValue, Store, StoreResult, Written};

/// The record in the API's shape: `new_data` of an update, the item itself of an addition.
pub(super) fn payload<'py>(item: &Bound<'py, PyAny>) -> Bound<'py, PyAny> {
    match update_parts(item) {
        Some((_, new_data)) => new_data,
        None => item.clone(),
    }
}

/// `(existing, new_data)` of an update; `None` for an addition.
pub(super) fn update_parts<'py>(
    item: &Bound<'py, PyAny>,
) -> Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let dict = item.cast::<PyDict>().ok()?;
    let existing = dict.get_item("existing").ok()??;
    let new_data = dict.get_item("new_data").ok()??;
    Some((existing, new_data))
}

/// What one record comes to in the store.
struct Wrote {
    written: Written,
    /// The row as it was, of a hearing that was stored.
    before: Option<store::Row>,
}

fn write_committees(
    store: &mut dyn Store,
    meeting: &Meeting,
    chains: &[Vec<Committee>],
    congress: i64,
) -> StoreResult<()> {
    for chain in chains {
        for committee in chain {
            store.write_committee(committee, meeting.congress.unwrap_or(congress))?;
        }
    }
    Ok(())
}

impl Engine {
    /// Reads a record strictly: what cannot be read fails it, by name.
    fn sound(
        &self,
        py: Python<'_>,
        record: &Bound<'_, PyAny>,
        fallback_id: Option<String>,
    ) -> PyResult<Meeting> {
        let parsed = self
            .parse(record)
            .map_err(|why| errors::database(py, why))?;
        let mut meeting = parsed.meeting.clone();
        if meeting.event_id.is_empty() {
            meeting.event_id = fallback_id.unwrap_or_default();
        }
        if meeting.event_id.is_empty() {
            return Err(errors::database(
                py,
                "a record without 'eventId' cannot be stored".into(),
            ));
        }
        if let Some(issue) = parsed.issues.first() {
            let text = format!(
                "event {}: {}: {}",
                meeting.event_id, issue.field, issue.message
            );
            return Err(errors::database(py, text));
        }
        Ok(meeting)
    }

    /// Committees that this meeting names, that the API resolved and that may not be stored yet.
    fn chains(&self, meeting: &Meeting, components: Components) -> Vec<Vec<Committee>> {
        if !components.committees {
            return Vec::new();
        }
        let state = self.state();
        meeting
            .committees
            .iter()
            .filter_map(|named| state.resolved.get(&named.system_code).cloned())
            .collect()
    }

    fn write(
        &self,
        face: &Face<'_>,
        mut meeting: Meeting,
        hearing_id: Option<i64>,
    ) -> PyResult<()> {
        let py = face.py();
        let congress = face.congress()?;
        let components = face.components()?;
        let chains = self.chains(&meeting, components);
        let handle = face.handle()?;
        let watch = self.watch(face)?;
        let event_id = meeting.event_id.clone();
        let wrote = watch.store(py, |patience| {
            in_transaction(&handle, BatchKind::Manual, patience, |store| {
                let before = match hearing_id {
                    Some(id) => store.hearing_row_by_id(id)?,
                    None => store.hearing_row(&meeting.event_id)?,
                };
                if before.is_none() {
                    meeting.congress.get_or_insert(congress);
                }
                write_committees(store, &meeting, &chains, congress)?;
                let id = before.as_ref().and_then(hearing_id_of);
                let written = store.write_meeting(&meeting, id, components)?;
                Ok(Wrote { written, before })
            })
        })?;
        self.track(face, &event_id, &wrote.written, wrote.before)?;
        let mut state = self.state();
        state.pending.witnesses += wrote.written.witnesses_touched;
        state.pending.committees += wrote.written.committees_touched;
        state.written.insert(event_id);
        state.last = Some(wrote.written);
        Ok(())
    }

    /// Fills the batch's checkpoint with what was written; `before` is the row as it was, of a hearing
    /// that was stored.
    fn track(
        &self,
        face: &Face<'_>,
        event_id: &str,
        written: &Written,
        before: Option<store::Row>,
    ) -> PyResult<()> {
        let py = face.py();
        let Some(checkpoint) = self.checkpoint(py) else {
            return Ok(());
        };
        let tracked = hidden(
            &checkpoint,
            "tracked_natively",
            PySet::empty(py)?.into_any(),
        )?;
        let tracked = tracked.cast::<PySet>()?;
        // An override that does its own tracking, and then calls us, has named it already.
        let named = |list: &str| checkpoint.getattr(list)?.contains(event_id);
        if written.added {
            if !named("hearings_to_add")? {
                checkpoint.call_method1("track_addition", (event_id,))?;
            }
            tracked.add(("hearing", event_id))?;
        } else if written.changed {
            if !named("hearings_to_update")? {
                let original = match before {
                    Some(row) => face
                        .0
                        .call_method1("_extract_original_data", (Row::new(row),))?,
                    None => PyDict::new(py).into_any(),
                };
                checkpoint.call_method1("track_update", (event_id, original))?;
            }
            tracked.add(("hearing", event_id))?;
        }
        for id in &written.witnesses_added {
            checkpoint.call_method1("track_witness_addition", (*id,))?;
            tracked.add(("witness", *id))?;
        }
        for id in &written.documents_added {
            checkpoint.call_method1("track_document_addition", (*id,))?;
            tracked.add(("document", *id))?;
        }
        Ok(())
    }

    pub(super) fn add_hearing(&self, face: &Face<'_>, record: &Bound<'_, PyAny>) -> PyResult<()> {
        let meeting = self.sound(face.py(), record, None)?;
        self.write(face, meeting, None)
    }

    pub(super) fn update_hearing(
        &self,
        face: &Face<'_>,
        existing: &Bound<'_, PyAny>,
        new_data: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let pairs = self.pairs(face, existing)?;
        let meeting = self.sound(face.py(), new_data, text_of(&pairs, "event_id"))?;
        // A row that was passed around may be of another hearing; the record says which one is meant.
        let same = text_of(&pairs, "event_id").is_none_or(|known| known == meeting.event_id);
        let id = text_of(&pairs, "hearing_id")
            .and_then(|id| id.parse().ok())
            .filter(|_| same);
        self.write(face, meeting, id)
    }

    /// Fills gaps in the related rows of changes that went in; journaled as a batch of its own.
    pub(super) fn update_related(
        &self,
        face: &Face<'_>,
        changes: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = face.py();
        let components = face.components()?;
        let mut meetings = Vec::new();
        for item in face.items(changes)?.iter() {
            let record = payload(&item);
            let Some(event_id) = event_id_of(&record) else {
                continue;
            };
            let skip = {
                let state = self.state();
                state.written.contains(&event_id)
                    || state
                        .failed
                        .iter()
                        .any(|failed| failed.event_id == event_id)
            };
            if skip {
                continue;
            }
            if let Ok(meeting) = self.sound(py, &record, None) {
                let chains = self.chains(&meeting, components);
                meetings.push((meeting, chains));
            }
        }
        if meetings.is_empty() {
            return Ok(());
        }
        let congress = face.congress()?;
        let run = self.state().run;
        let handle = face.handle()?;
        let (witnesses, committees) = self.watch(face)?.store(py, |patience| {
            in_transaction_of(run, &handle, BatchKind::Related, patience, |store| {
                let mut touched = (0, 0);
                for (meeting, chains) in &meetings {
                    let Some(row) = store.hearing_row(&meeting.event_id)? else {
                        continue;
                    };
                    let Some(id) = hearing_id_of(&row) else {
                        continue;
                    };
                    write_committees(store, meeting, chains, congress)?;
                    let done = store.write_related(id, meeting, components, Related::FillGaps)?;
                    touched.0 += done.witnesses_touched;
                    touched.1 += done.committees_touched;
                }
                Ok(touched)
            })
        })?;
        self.adopt_commits(face)?;
        face.count("witnesses_updated", witnesses)?;
        face.count("committees_updated", committees)
    }

    /// One item through its seam.
    pub(super) fn write_item(
        &self,
        face: &Face<'_>,
        conn: &Bound<'_, PyAny>,
        item: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.state().last = None;
        match update_parts(item) {
            Some((existing, new_data)) => {
                face.0
                    .call_method1("_update_hearing_record", (conn, existing, new_data))?;
            }
            None => {
                face.0.call_method1("_add_new_hearing", (conn, item))?;
            }
        }
        let is_update = update_parts(item).is_some();
        let mut state = self.state();
        let (updated, added) = match &state.last {
            Some(written) => (written.changed && !written.added, written.added),
            // An override did it in its own way.
            None => (is_update, !is_update),
        };
        state.pending.updated += usize::from(updated);
        state.pending.added += usize::from(added);
        Ok(())
    }
}

fn hearing_id_of(row: &store::Row) -> Option<i64> {
    match row.get("hearing_id") {
        Some(SqlValue::Integer(id)) => Some(*id),
        _ => None,
    }
}

/// Every item of a batch as an owned reference, for crossing into code without the interpreter.
pub(super) fn owned(items: &Bound<'_, PyList>) -> Vec<Py<PyAny>> {
    items.iter().map(Bound::unbind).collect()
}
