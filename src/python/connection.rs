//! `Connection`: SQL inside an open transaction.

use std::time::Duration;

use pyo3::prelude::*;

use super::convert::to_params;
use super::errors;
use super::row::Cursor;
use super::watch::Watch;
use crate::store::{Answer, Handle, SqlParams, StoreError};

/// The connection inside an open transaction; every row changed through it is journaled.
#[pyclass(name = "Connection", module = "updaters._native", frozen)]
pub struct Connection {
    handle: Handle,
    wait: Duration,
}

impl Connection {
    pub fn new(handle: Handle, wait: Duration) -> Self {
        Self { handle, wait }
    }

    fn answer(&self, py: Python<'_>, sql: &str, params: &SqlParams) -> PyResult<Answer> {
        if !self.handle.in_transaction() {
            return Err(errors::store(py, &StoreError::NoTransaction));
        }
        Watch::plain(self.wait).store(py, |patience| self.handle.execute(sql, params, patience))
    }
}

#[pymethods]
impl Connection {
    #[pyo3(signature = (sql, params = None))]
    fn execute(
        &self,
        py: Python<'_>,
        sql: &str,
        params: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Cursor> {
        Ok(Cursor::new(self.answer(py, sql, &to_params(params)?)?))
    }

    fn executemany(
        &self,
        py: Python<'_>,
        sql: &str,
        params: &Bound<'_, PyAny>,
    ) -> PyResult<Cursor> {
        let mut total = Answer::default();
        for one in params.try_iter()? {
            let answer = self.answer(py, sql, &to_params(Some(&one?))?)?;
            total.rowcount += answer.rowcount.max(0);
            total.last_insert_id = answer.last_insert_id;
        }
        Ok(Cursor::new(total))
    }
}
