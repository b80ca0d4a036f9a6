//! `scripts.verify_updates`: the checks of a whole database, its repair, and the comparison of runs.

use jiff::Zoned;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict};
use serde_json::{Value, json};

use super::convert::from_json;
use super::database::{Database, in_transaction};
use super::interrupts;
use crate::store::{BatchKind, PastRun};
use crate::update::{
    Anomaly, Check, HISTORY_DAYS, calls_for_alert, compare, days_ago, statistics,
    verify as verify_store,
};

/// -> `checks` (each `name`, `title`, `issues`, `warnings`, `figures`), `mendable`, `unmendable`.
#[pyfunction]
fn verify<'py>(
    py: Python<'py>,
    database: &Database,
    min_days: usize,
    z_threshold: f64,
) -> PyResult<Bound<'py, PyAny>> {
    let handle = database.handle(py)?;
    let now = Zoned::now();
    let found = database.watch().store(py, |patience| {
        handle.with_retry(patience, |store| {
            verify_store(store, &now, min_days, z_threshold)
        })
    })?;
    let checks: Vec<Value> = found.checks.iter().map(Check::to_json).collect();
    from_json(
        py,
        &json!({"checks": checks, "mendable": found.mendable, "unmendable": found.unmendable}),
    )
}

/// Writes a backup, then removes rows that lead nowhere. -> `backup`, `removed`, `asked_again`.
#[pyfunction]
fn mend<'py>(py: Python<'py>, database: &Database) -> PyResult<Bound<'py, PyAny>> {
    let handle = database.handle(py)?;
    let (backup, mended) = database.watch().store(py, |patience| {
        let backup = handle.with_retry(patience, |store| {
            store.expect_writable()?;
            let folder = store.path().with_file_name("backups");
            store.back_up(&folder, patience.interrupted)
        })?;
        let mended = in_transaction(&handle, BatchKind::Mend, patience, |store| store.mend())?;
        // What was removed is removed, also where the WAL cannot be folded in just now.
        if let Err(err) = handle.with(patience, |store| store.checkpoint_wal()) {
            tracing::warn!(target: "updaters.store", "the WAL stays: {err}");
        }
        Ok((backup, mended))
    })?;
    from_json(
        py,
        &json!({
            "backup": backup.display().to_string(),
            "removed": mended.removed,
            "asked_again": mended.asked_again,
        }),
    )
}

/// Successful runs of the last `days` days, oldest first.
#[pyfunction]
fn past_runs<'py>(
    py: Python<'py>,
    database: &Database,
    days: i64,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let handle = database.handle(py)?;
    let since = days_ago(&Zoned::now(), days);
    let runs = database.watch().store(py, |patience| {
        handle.with_retry(patience, |store| store.past_runs(&since))
    })?;
    runs.iter()
        .map(|run| {
            from_json(
                py,
                // What is NaN becomes null.
                &json!({
                    "date": run.start_time.get(..10),
                    "start_time": run.start_time,
                    "hearings_checked": run.hearings_checked,
                    "hearings_updated": run.hearings_updated,
                    "hearings_added": run.hearings_added,
                    "error_count": run.error_count,
                    "duration_seconds": run.duration_seconds,
                }),
            )
        })
        .collect()
}

/// Figures of a run beside those of others, by their names. -> `days`, `problem`, `anomalies`, `alert`.
#[pyfunction]
fn compare_runs<'py>(
    py: Python<'py>,
    now: &Bound<'py, PyDict>,
    past: Vec<Bound<'py, PyDict>>,
    min_days: usize,
    z_threshold: f64,
) -> PyResult<Bound<'py, PyAny>> {
    let now = run_of(now)?;
    let past = runs_of(&past)?;
    let found = compare(&now, &past, min_days, z_threshold);
    let anomalies: Vec<Value> = found.anomalies.iter().map(Anomaly::to_json).collect();
    from_json(
        py,
        &json!({
            "days": found.days,
            "problem": found.problem(),
            "anomalies": anomalies,
            "alert": found.alert,
        }),
    )
}

/// -> metric -> `mean`, `std_dev`, `min`, `max`, `median`, `count`.
#[pyfunction]
fn run_statistics<'py>(
    py: Python<'py>,
    past: Vec<Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut all = serde_json::Map::new();
    for (metric, found) in statistics(&runs_of(&past)?) {
        let known = found.as_ref();
        all.insert(
            metric.to_owned(),
            json!({
                "mean": known.map(|s| s.mean),
                "std_dev": known.map(|s| s.std_dev),
                "min": known.map(|s| s.min),
                "max": known.map(|s| s.max),
                "median": known.map(|s| s.median),
                "count": known.map_or(0, |s| s.count),
            }),
        );
    }
    from_json(py, &all.into())
}

/// Whether so many anomalies, so many of them critical, call for an alert.
#[pyfunction]
fn calls_alert(anomalies: usize, critical: usize) -> bool {
    calls_for_alert(anomalies, critical)
}

fn runs_of(runs: &[Bound<'_, PyDict>]) -> PyResult<Vec<PastRun>> {
    runs.iter().map(run_of).collect()
}

fn run_of(run: &Bound<'_, PyDict>) -> PyResult<PastRun> {
    let figure = |name: &str| -> PyResult<f64> {
        Ok(run.get_item(name)?.map_or(f64::NAN, |value| number(&value)))
    };
    let start_time = run.get_item("start_time")?;
    Ok(PastRun {
        start_time: start_time
            .and_then(|text| text.extract::<String>().ok())
            .unwrap_or_default(),
        hearings_checked: figure("hearings_checked")?,
        hearings_updated: figure("hearings_updated")?,
        hearings_added: figure("hearings_added")?,
        error_count: figure("error_count")?,
        duration_seconds: figure("duration_seconds")?,
    })
}

/// Any kind of number; NaN for what is none (nor is True).
fn number(value: &Bound<'_, PyAny>) -> f64 {
    if value.is_instance_of::<PyBool>() {
        return f64::NAN;
    }
    interrupts::tolerated(value.py(), value.extract::<f64>()).unwrap_or(f64::NAN)
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("HISTORY_DAYS", HISTORY_DAYS)?;
    module.add_function(wrap_pyfunction!(verify, module)?)?;
    module.add_function(wrap_pyfunction!(mend, module)?)?;
    module.add_function(wrap_pyfunction!(past_runs, module)?)?;
    module.add_function(wrap_pyfunction!(compare_runs, module)?)?;
    module.add_function(wrap_pyfunction!(run_statistics, module)?)?;
    module.add_function(wrap_pyfunction!(calls_alert, module)?)
}
