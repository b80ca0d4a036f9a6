//! The Python updater, as the engine reads it: settings when used, metrics to count in, the database,
//! the client.

use std::time::Duration;

use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::domain::Components;
use crate::python::client::Source;
use crate::python::database::Database;
use crate::python::errors;
use crate::python::interrupts::{self, ends_the_run};
use crate::store::Handle;

/// What the lock of another program is waited for, where the database does not say.
const WAIT: Duration = Duration::from_secs(30);

/// A borrowed `DailyUpdater`.
#[derive(Clone)]
pub struct Face<'py>(pub Bound<'py, PyAny>);

impl<'py> Face<'py> {
    pub fn py(&self) -> Python<'py> {
        self.0.py()
    }

    /// A setting, read when used: callers replace `settings` whole and set single values.
    pub fn setting<T>(&self, name: &str) -> PyResult<T>
    where
        T: for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>,
    {
        self.0
            .getattr("settings")?
            .getattr(name)?
            .extract()
            .map_err(Into::into)
    }

    pub fn congress(&self) -> PyResult<i64> {
        self.0.getattr("congress")?.extract()
    }

    /// Who started the run; a caller that sets None means nobody in particular.
    pub fn trigger_source(&self) -> PyResult<String> {
        let source = self.0.getattr("trigger_source")?;
        Ok(if source.is_none() {
            "manual".to_owned()
        } else {
            source.str()?.to_string()
        })
    }

    pub fn components(&self) -> PyResult<Components> {
        let names: Vec<String> = self
            .0
            .getattr("enabled_components")?
            .try_iter()?
            .map(|name| name?.extract())
            .collect::<PyResult<_>>()?;
        Components::from_names(&names)
            .map_err(|err| errors::configuration(self.py(), err.to_string()))
    }

    pub fn database(&self) -> PyResult<Bound<'py, Database>> {
        let db = self.0.getattr("db")?;
        // Python code runs here, so that Ctrl-C may land here: only a missing attribute is the caller's.
        let native = db.getattr("native").map_err(|err| {
            if !err.is_instance_of::<PyAttributeError>(self.py()) {
                return err;
            }
            errors::database(
                self.py(),
                "updater.db must be an updaters.database.Database; \
                 point DATABASE_PATH (or settings.database_path) at the file instead"
                    .into(),
            )
        })?;
        Ok(native.cast_into::<Database>()?)
    }

    /// The database, or None where the caller put something else in its place. What ends the run is
    /// passed on.
    pub fn opened(&self) -> PyResult<Option<Bound<'py, Database>>> {
        match self.database() {
            Ok(db) => Ok(Some(db)),
            Err(err) if ends_the_run(self.py(), &err) => Err(err),
            Err(_) => Ok(None),
        }
    }

    pub fn handle(&self) -> PyResult<Handle> {
        self.database()?.get().handle(self.py())
    }

    /// How long to wait for another program's lock: as long as the database says, or as `--wait` does
    /// where that is longer.
    pub fn wait(&self) -> PyResult<Duration> {
        let asked = self
            .0
            .getattr("lock_wait_seconds")
            .and_then(|seconds| seconds.extract::<f64>())
            .ok()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .unwrap_or_default();
        let own = self.opened()?.map_or(WAIT, |db| db.get().wait());
        Ok(own.max(asked))
    }

    pub fn source(&self) -> PyResult<Source> {
        Source::of(self)
    }

    pub fn metrics(&self) -> PyResult<Bound<'py, PyAny>> {
        self.0.getattr("metrics")
    }

    pub fn count(&self, counter: &str, more: usize) -> PyResult<()> {
        if more == 0 {
            return Ok(());
        }
        let metrics = self.metrics()?;
        let before: i64 = metrics.getattr(counter)?.extract()?;
        metrics.setattr(counter, before + i64::try_from(more).unwrap_or(i64::MAX))
    }

    pub fn append(&self, list: &str, value: impl IntoPyObject<'py>) -> PyResult<()> {
        self.metrics()?
            .getattr(list)?
            .call_method1("append", (value,))?;
        Ok(())
    }

    /// The items of a `changes` dict: updates first, then additions.
    pub fn items(&self, changes: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let all = PyList::empty(self.py());
        for key in ["updates", "additions"] {
            if let Ok(list) = changes.get_item(key)
                && !list.is_none()
            {
                for item in list.try_iter()? {
                    all.append(item?)?;
                }
            }
        }
        Ok(all)
    }

    /// Splits what a seam raised: what ends the run, and the text of what ends only the batch.
    pub fn caught<T>(&self, result: PyResult<T>) -> PyResult<Result<T, String>> {
        match result {
            Ok(value) => Ok(Ok(value)),
            Err(err) if ends_the_run(self.py(), &err) => Err(err),
            Err(err) => Ok(Err(self.describe(&err))),
        }
    }

    /// The exception's name and text, or the bare text for our own exceptions; without secrets.
    pub fn describe(&self, err: &PyErr) -> String {
        let py = self.py();
        let value = err.value(py);
        let text = interrupts::tolerated(py, value.str())
            .map_or_else(String::new, |text| self.masked(&text.to_string()));
        let ours = py
            .import("updaters.errors")
            .and_then(|m| m.getattr("UpdaterError"))
            .and_then(|class| value.is_instance(&class))
            .unwrap_or(false);
        if ours {
            return text;
        }
        let name = err
            .get_type(py)
            .name()
            .map_or_else(|_| "Exception".into(), |name| name.to_string());
        if text.is_empty() {
            name
        } else {
            format!("{name}: {text}")
        }
    }

    /// `text` without the settings' secrets: an override's own may quote a request that it made.
    pub fn masked(&self, text: &str) -> String {
        let clean = self
            .py()
            .import("updaters.logs")
            .and_then(|logs| {
                let secrets = logs.call_method1("secrets_of", (self.0.getattr("settings")?,))?;
                logs.call_method1("mask", (text, secrets))
            })
            .and_then(|clean| clean.extract());
        // Rather nothing than a secret.
        interrupts::tolerated(self.py(), clean).unwrap_or_default()
    }
}

/// What the engine keeps on a checkpoint, also on one of the caller's own class.
pub fn hidden<'py>(
    checkpoint: &Bound<'py, PyAny>,
    name: &str,
    empty: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    if let Some(kept) = checkpoint.getattr_opt(name)? {
        return Ok(kept);
    }
    checkpoint.setattr(name, &empty)?;
    Ok(empty)
}
