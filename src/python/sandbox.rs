//! `updaters._native.Sandbox`: the sandbox, steered from Python. JSON crosses as text.

use std::path::PathBuf;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::sandbox::{
    DaysAgo, Kind, Options, OrderedFault, Running, SandboxError, Shares, parse_now, start,
};

/// Number, method, path, host, status, fault, where the key came in.
type Request = (
    u64,
    String,
    String,
    String,
    u16,
    Option<&'static str>,
    Option<&'static str>,
);

fn raised(error: &SandboxError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// A number that Python may have given below zero or too large.
fn number<T: TryFrom<i64>>(what: &str, value: i64) -> PyResult<T> {
    T::try_from(value)
        .map_err(|_| PyValueError::new_err(format!("{what}: {value} is out of range")))
}

fn milliseconds(what: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value / 1000.0)
        .map_err(|_| PyValueError::new_err(format!("{what}: {value} is no number of milliseconds")))
}

fn span(days_ago: Option<(f64, f64)>) -> PyResult<Option<DaysAgo>> {
    days_ago
        .map(|(one, other)| DaysAgo::new(one, other))
        .transpose()
        .map_err(|error| raised(&error))
}

fn shares(faults: Vec<(String, f64)>) -> PyResult<Shares> {
    let mut shares = Shares::default();
    for (name, share) in faults {
        let kind = Kind::parse(&name).map_err(|error| raised(&error))?;
        shares.set(kind, share).map_err(|error| raised(&error))?;
    }
    Ok(shares)
}

#[pyclass(frozen, module = "updaters._native")]
pub struct Sandbox {
    running: Running,
}

#[pymethods]
impl Sandbox {
    #[new]
    #[pyo3(signature = (*, meetings, seed, db, recording, congress, latency_ms, slow_ms, faults, port, host,
                        rate_limit, api_key, spread_days, now))]
    #[allow(clippy::too_many_arguments)] // keywords only; the face has the defaults
    fn new(
        py: Python<'_>,
        meetings: i64,
        seed: i64,
        db: Option<PathBuf>,
        recording: Option<PathBuf>,
        congress: i64,
        latency_ms: f64,
        slow_ms: f64,
        faults: Vec<(String, f64)>,
        port: i64,
        host: String,
        rate_limit: i64,
        api_key: Option<String>,
        spread_days: i64,
        now: Option<&str>,
    ) -> PyResult<Self> {
        let options = Options {
            meetings: number("meetings", meetings)?,
            seed: seed.cast_unsigned(),
            congress,
            db,
            recording,
            host,
            port: number("port", port)?,
            latency: milliseconds("latency_ms", latency_ms)?,
            slow: milliseconds("slow_ms", slow_ms)?,
            faults: shares(faults)?,
            rate_limit: number("rate_limit", rate_limit)?,
            api_key,
            spread_days: number("spread_days", spread_days)?,
            now: now
                .map(parse_now)
                .transpose()
                .map_err(|error| raised(&error))?,
        };
        let running = py
            .detach(|| start(options))
            .map_err(|error| raised(&error))?;
        Ok(Self { running })
    }

    #[getter]
    fn url(&self) -> &str {
        self.running.url()
    }

    #[getter]
    fn port(&self) -> u16 {
        self.running.port()
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.running.stop());
    }

    fn requests(&self, py: Python<'_>) -> Vec<Request> {
        py.detach(|| self.running.requests())
            .into_iter()
            .map(|served| {
                (
                    served.number,
                    served.method,
                    served.path,
                    served.host,
                    served.status,
                    served.fault,
                    served.key_in.map(crate::sandbox::KeyPlace::as_str),
                )
            })
            .collect()
    }

    #[getter]
    fn request_count(&self) -> u64 {
        self.running.request_count()
    }

    #[getter]
    fn max_in_flight(&self) -> usize {
        self.running.max_in_flight()
    }

    fn clear_requests(&self) {
        self.running.clear_requests();
    }

    fn event_ids(&self, py: Python<'_>) -> Vec<String> {
        py.detach(|| self.running.event_ids())
    }

    /// As JSON; `None` where there is none.
    fn meeting(&self, event_id: &str) -> Option<String> {
        self.running
            .meeting(event_id)
            .map(|meeting| meeting.to_string())
    }

    /// -> the event id.
    fn set_meeting(&self, py: Python<'_>, json: &str) -> PyResult<String> {
        let meeting = serde_json::from_str(json)
            .map_err(|error| PyValueError::new_err(format!("the meeting is no JSON: {error}")))?;
        py.detach(|| self.running.set_meeting(meeting))
            .map_err(|error| raised(&error))
    }

    fn remove(&self, py: Python<'_>, event_id: &str) -> bool {
        py.detach(|| self.running.remove(event_id))
    }

    fn touch(&self, py: Python<'_>, event_id: &str) -> PyResult<()> {
        py.detach(|| self.running.touch(event_id))
            .map_err(|error| raised(&error))
    }

    /// `days_ago`: over which days before now the update dates are spread; `None` is now.
    fn change(
        &self,
        py: Python<'_>,
        count: i64,
        seed: i64,
        days_ago: Option<(f64, f64)>,
    ) -> PyResult<Vec<String>> {
        let count = number("count", count)?;
        let span = span(days_ago)?;
        py.detach(|| self.running.change(count, seed.cast_unsigned(), span))
            .map_err(|error| raised(&error))
    }

    fn add(
        &self,
        py: Python<'_>,
        count: i64,
        days_ago: Option<(f64, f64)>,
    ) -> PyResult<Vec<String>> {
        let count = number("count", count)?;
        let span = span(days_ago)?;
        py.detach(|| self.running.add(count, span))
            .map_err(|error| raised(&error))
    }

    fn faults(&self) -> Vec<(&'static str, f64)> {
        self.running
            .faults()
            .iter()
            .map(|(kind, share)| (kind.name(), share))
            .collect()
    }

    fn set_faults(&self, faults: Vec<(String, f64)>) -> PyResult<()> {
        self.running.set_faults(shares(faults)?);
        Ok(())
    }

    /// -> the order's number.
    fn fail_next(
        &self,
        kind: &str,
        times: i64,
        path: Option<String>,
        retry_after: Option<i64>,
        event_id: Option<String>,
    ) -> PyResult<u64> {
        let kind = Kind::parse(kind).map_err(|error| raised(&error))?;
        let retry_after = retry_after
            .map(|seconds| number("retry_after", seconds))
            .transpose()?;
        Ok(self.running.order(OrderedFault {
            kind,
            times: number("times", times)?,
            path,
            event_id,
            retry_after,
        }))
    }

    /// -> how many requests met it; `None` where it is not known.
    fn forget_order(&self, order: u64) -> Option<u64> {
        self.running.forget_order(order)
    }

    /// -> how many requests met it so far.
    fn order_met(&self, order: u64) -> Option<u64> {
        self.running.order_met(order)
    }

    /// How many requests met this fault since the start.
    fn fault_count(&self, kind: &str) -> PyResult<u64> {
        let kind = Kind::parse(kind).map_err(|error| raised(&error))?;
        Ok(self.running.fault_count(kind))
    }

    fn forget_orders(&self) {
        self.running.forget_orders();
    }

    fn set_latency_ms(&self, value: f64) -> PyResult<()> {
        self.running.set_latency(milliseconds("latency_ms", value)?);
        Ok(())
    }

    fn set_slow_ms(&self, value: f64) -> PyResult<()> {
        self.running.set_slow(milliseconds("slow_ms", value)?);
        Ok(())
    }

    fn set_rate_limit(&self, value: i64) -> PyResult<()> {
        self.running.set_rate_limit(number("rate_limit", value)?);
        Ok(())
    }
}

/// Pieces such as `500=0.05`, as the command line has them.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // Python strings come owned
fn parse_faults(pieces: Vec<String>) -> PyResult<Vec<(&'static str, f64)>> {
    let shares = Shares::parse(&pieces).map_err(|error| raised(&error))?;
    Ok(shares
        .iter()
        .map(|(kind, share)| (kind.name(), share))
        .collect())
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Sandbox>()?;
    module.add_function(wrap_pyfunction!(parse_faults, module)?)
}
