//! Rows and cursors, as `sqlite3` has them.

use std::sync::Arc;

use pyo3::basic::CompareOp;
use pyo3::exceptions::{PyIndexError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyList, PySlice, PyString, PyTuple};

use super::convert::from_sql;
use crate::store::{self, Answer, SqlValue};

/// A row that answers to index, to column name and to `dict(row)`, as `sqlite3.Row` does.
#[pyclass(name = "Row", module = "updaters._native", frozen, sequence)]
pub struct Row {
    columns: Arc<[String]>,
    values: Vec<SqlValue>,
}

impl Row {
    pub fn new(row: store::Row) -> Self {
        Self {
            columns: row.columns,
            values: row.values,
        }
    }

    /// The value of a column; ASCII case ignored.
    pub fn value(&self, column: &str) -> Option<&SqlValue> {
        let at = self
            .columns
            .iter()
            .position(|c| c.eq_ignore_ascii_case(column))?;
        self.values.get(at)
    }

    pub fn pairs(&self) -> impl Iterator<Item = (&String, &SqlValue)> {
        self.columns.iter().zip(&self.values)
    }

    fn tuple<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let values: PyResult<Vec<_>> = self.values.iter().map(|v| from_sql(py, v)).collect();
        PyTuple::new(py, values?)
    }
}

#[pymethods]
impl Row {
    fn keys(&self) -> Vec<String> {
        self.columns.to_vec()
    }

    fn __len__(&self) -> usize {
        self.values.len()
    }

    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(name) = key.cast::<PyString>() {
            let name = name.to_str()?;
            return match self.value(name) {
                Some(value) => from_sql(py, value),
                None => Err(PyIndexError::new_err(format!("no such column: {name}"))),
            };
        }
        if key.is_instance_of::<PyInt>() {
            let index: isize = key.extract()?;
            let length = self.values.len();
            let at = if index < 0 {
                index.checked_add_unsigned(length)
            } else {
                Some(index)
            };
            return match at.and_then(|at| self.values.get(usize::try_from(at).ok()?)) {
                Some(value) => from_sql(py, value),
                None => Err(PyIndexError::new_err("Index out of range")),
            };
        }
        if key.is_instance_of::<PySlice>() {
            return self.tuple(py)?.get_item_slice(key);
        }
        Err(PyTypeError::new_err("Index must be int or string"))
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.tuple(py)?.try_iter()?.into_any())
    }

    fn __richcmp__(&self, other: &Bound<'_, PyAny>, op: CompareOp) -> PyResult<Py<PyAny>> {
        let py = other.py();
        let Ok(other) = other.cast::<Self>() else {
            return Ok(py.NotImplemented());
        };
        let other = other.get();
        let equal = self.columns == other.columns && self.values == other.values;
        match op {
            CompareOp::Eq => Ok(equal.into_pyobject(py)?.to_owned().into_any().unbind()),
            CompareOp::Ne => Ok((!equal).into_pyobject(py)?.to_owned().into_any().unbind()),
            _ => Ok(py.NotImplemented()),
        }
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        self.tuple(py)?.hash()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let pairs: PyResult<Vec<String>> = self
            .pairs()
            .map(|(name, value)| Ok(format!("{name}={}", from_sql(py, value)?.repr()?)))
            .collect();
        Ok(format!("<Row {}>", pairs?.join(", ")))
    }
}

trait SliceItem<'py> {
    fn get_item_slice(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>;
}

impl<'py> SliceItem<'py> for Bound<'py, PyTuple> {
    fn get_item_slice(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.as_any().get_item(key)
    }
}

/// What a statement gave back.
#[pyclass(name = "Cursor", module = "updaters._native")]
pub struct Cursor {
    columns: Option<Arc<[String]>>,
    rows: std::vec::IntoIter<Vec<SqlValue>>,
    rowcount: i64,
    last_insert_id: i64,
}

impl Cursor {
    pub fn new(answer: Answer) -> Self {
        Self {
            columns: answer.columns,
            rows: answer.rows.into_iter(),
            rowcount: answer.rowcount,
            last_insert_id: answer.last_insert_id,
        }
    }

    fn next_row(&mut self) -> Option<Row> {
        let columns = self.columns.clone()?;
        Some(Row {
            columns,
            values: self.rows.next()?,
        })
    }
}

#[pymethods]
impl Cursor {
    #[getter]
    fn rowcount(&self) -> i64 {
        self.rowcount
    }

    #[getter]
    fn lastrowid(&self) -> i64 {
        self.last_insert_id
    }

    #[getter]
    fn description<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let Some(columns) = &self.columns else {
            return Ok(None);
        };
        let none = || py.None();
        let entries = columns
            .iter()
            .map(|name| (name, none(), none(), none(), none(), none(), none()));
        Ok(Some(PyTuple::new(py, entries.collect::<Vec<_>>())?))
    }

    fn fetchone(&mut self) -> Option<Row> {
        self.next_row()
    }

    #[pyo3(signature = (size = 1))]
    fn fetchmany(&mut self, size: usize) -> Vec<Row> {
        std::iter::from_fn(|| self.next_row()).take(size).collect()
    }

    fn fetchall<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        while let Some(row) = self.next_row() {
            list.append(Bound::new(py, row)?)?;
        }
        Ok(list)
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&mut self) -> Option<Row> {
        self.next_row()
    }
}
