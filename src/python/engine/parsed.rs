//! Parsing a record once. On its way through the seams a record is looked at by several of them
//! (resolving committees, validating, writing), and each has to see what an override made of it: so
//! what was parsed is found again by the record's whole content, never by which object it is.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::domain::{Parsed, parse_meeting};
use crate::python::convert::to_json;

/// More than a window of changes; a record takes a few kilobytes.
const RECORDS: usize = 1_000;

/// Deeper records are left to the conversion, which names what is wrong with them.
const MAX_DEPTH: usize = 32;

/// Records as they were spelled, and what the parser made of them.
#[derive(Default)]
pub struct Records(HashMap<Vec<u8>, Arc<Parsed>, RandomState>);

impl Records {
    pub fn find(&self, spelled: &[u8]) -> Option<Arc<Parsed>> {
        self.0.get(spelled).map(Arc::clone)
    }

    pub fn keep(&mut self, spelled: Vec<u8>, parsed: Arc<Parsed>) {
        if self.0.len() >= RECORDS {
            self.0.clear();
        }
        self.0.insert(spelled, parsed);
    }
}

impl super::Engine {
    /// What the parser makes of a record; `Err` says what in it has no JSON form.
    pub(super) fn parsed(&self, record: &Bound<'_, PyAny>) -> Result<Arc<Parsed>, String> {
        let mut spelled = Vec::with_capacity(4096);
        let plain = spell(record, 0, &mut spelled);
        if plain && let Some(parsed) = self.records().find(&spelled) {
            return Ok(parsed);
        }
        let parsed = Arc::new(parse_meeting(&to_json(record)?));
        if plain {
            self.records().keep(spelled, Arc::clone(&parsed));
        }
        Ok(parsed)
    }

    /// Keeps what was parsed already of a record that is about to go through the seams.
    pub(super) fn keep_parsed(&self, record: &Bound<'_, PyAny>, parsed: Arc<Parsed>) {
        let mut spelled = Vec::with_capacity(4096);
        if spell(record, 0, &mut spelled) {
            self.records().keep(spelled, parsed);
        }
    }
}

/// Writes a value's content so that no two different ones read the same. False: it is not made of
/// plain values only. Runs none of the record's own code.
fn spell(value: &Bound<'_, PyAny>, depth: usize, out: &mut Vec<u8>) -> bool {
    if value.is_none() {
        out.push(b'n');
        return true;
    }
    if let Ok(text) = value.cast::<PyString>() {
        return spell_text(text, out);
    }
    if let Ok(flag) = value.cast::<PyBool>() {
        out.push(if flag.is_true() { b't' } else { b'f' });
        return true;
    }
    if depth > MAX_DEPTH {
        return false;
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        spell_count(b'd', dict.len(), out);
        return dict.iter().all(|(key, item)| {
            key.cast::<PyString>().is_ok_and(|key| spell_text(key, out))
                && spell(&item, depth + 1, out)
        });
    }
    if let Ok(list) = value.cast::<PyList>() {
        spell_count(b'l', list.len(), out);
        return list.iter().all(|item| spell(&item, depth + 1, out));
    }
    if let Ok(tuple) = value.cast::<PyTuple>() {
        spell_count(b'l', tuple.len(), out);
        return tuple.iter().all(|item| spell(&item, depth + 1, out));
    }
    if value.is_exact_instance_of::<PyInt>() {
        let Ok(number) = value.extract::<i64>() else {
            return false;
        };
        out.push(b'i');
        out.extend_from_slice(&number.to_le_bytes());
        return true;
    }
    if value.is_exact_instance_of::<PyFloat>() {
        let Ok(number) = value.extract::<f64>() else {
            return false;
        };
        out.push(b'r');
        out.extend_from_slice(&number.to_bits().to_le_bytes());
        return number.is_finite();
    }
    false
}

fn spell_text(text: &Bound<'_, PyString>, out: &mut Vec<u8>) -> bool {
    let Ok(text) = text.to_str() else {
        return false;
    };
    spell_count(b's', text.len(), out);
    out.extend_from_slice(text.as_bytes());
    true
}

fn spell_count(kind: u8, count: usize, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&count.to_le_bytes());
}
