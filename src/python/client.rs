//! The API client, as Python sees it, and what fetching goes through: the native client, or a caller's
//! replacement of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::Value;

use super::bridge;
use super::convert::{from_json, to_json, type_name};
use super::engine::Face;
use super::interrupts::ends_the_run;
use super::recording::{problem_of, row, status_of};
use super::watch::Watch;
use super::{errors, logs};
use crate::api::{
    self, ApiError, BreakerSettings, ClientSettings, Get, ListQuery, Raw, Secret,
    committee_endpoints, fetch_raw, list_meetings, meeting_endpoints,
};
use crate::domain::{Chamber, parse_datetime};

/// The native client. Built from plain settings; touches nothing until the first request.
#[pyclass(name = "Client", module = "updaters._native", frozen)]
pub struct Client {
    inner: api::Client,
}

type Params = Vec<(String, String)>;

fn params(params: Option<&Bound<'_, PyDict>>) -> PyResult<Params> {
    let Some(params) = params else {
        return Ok(Vec::new());
    };
    let given = params.iter().filter(|(_, value)| !value.is_none());
    given
        .map(|(key, value)| Ok((key.extract()?, value.str()?.to_string())))
        .collect()
}

fn seconds(py: Python<'_>, name: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| errors::configuration(py, format!("{name}: not a number of seconds: {value}")))
}

#[pymethods]
impl Client {
    /// `settings`: `base_url`, `api_key`, `rate_limit`, `connect_timeout`, `read_timeout`,
    /// `request_timeout`, `retry_attempts`, `backoff_factor`, `breaker_threshold` (None: no breaker),
    /// `breaker_timeout`, `max_concurrency`, and `allow_http` where it is.
    #[new]
    fn new(py: Python<'_>, settings: &Bound<'_, PyDict>) -> PyResult<Self> {
        let get = |name: &str| settings.as_any().get_item(name);
        let time = |name: &str, variable: &str| seconds(py, variable, get(name)?.extract()?);
        let threshold: Option<u32> = get("breaker_threshold")?.extract()?;
        let breaker = match threshold {
            Some(threshold) => {
                let timeout = time("breaker_timeout", "CIRCUIT_BREAKER_TIMEOUT")?;
                Some(BreakerSettings { threshold, timeout })
            }
            None => None,
        };
        let settings = ClientSettings {
            base_url: get("base_url")?.extract()?,
            api_key: Secret::new(get("api_key")?.extract::<String>()?),
            rate_limit: get("rate_limit")?.extract()?,
            connect_timeout: time("connect_timeout", "CONNECT_TIMEOUT")?,
            read_timeout: time("read_timeout", "READ_TIMEOUT")?,
            request_timeout: time("request_timeout", "REQUEST_TIMEOUT")?,
            retry_attempts: get("retry_attempts")?.extract()?,
            backoff_factor: get("backoff_factor")?.extract()?,
            breaker,
            max_concurrency: get("max_concurrency")?.extract()?,
            allow_insecure: match settings.get_item("allow_http")? {
                Some(allowed) => allowed.extract()?,
                None => false,
            },
            ..ClientSettings::default()
        };
        let inner = api::Client::new(settings).map_err(|err| errors::api(py, &err))?;
        Ok(Self { inner })
    }

    /// The answer to `GET {endpoint}`, as plain Python.
    #[pyo3(signature = (endpoint, query = None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        endpoint: &str,
        query: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let query = params(query)?;
        let answer = Watch::plain(Duration::ZERO)
            .block_on(py, || self.inner.get_json(endpoint, &query))?
            .map_err(|err| errors::api(py, &err))?;
        from_json(py, &answer)
    }

    /// The same, awaitable; cancelling the awaiting task drops the request.
    #[pyo3(signature = (endpoint, query = None))]
    fn get_async<'py>(
        &self,
        py: Python<'py>,
        endpoint: String,
        query: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let query = params(query)?;
        let client = self.inner.clone();
        bridge::awaitable(py, async move {
            let answer = client.get_json(&endpoint, &query).await;
            Python::attach(|py| {
                logs::drain(py)?;
                let answer = answer.map_err(|err| errors::api(py, &err))?;
                from_json(py, &answer).map(Bound::unbind)
            })
        })
    }

    /// The list of a Congress since a moment, each event once: event id, the endpoints where its detail
    /// may be, the row as JSON; and what was stepped over.
    #[allow(clippy::type_complexity)] // as the stub has it
    fn list_meetings(
        &self,
        py: Python<'_>,
        congress: i64,
        since: &str,
    ) -> PyResult<(Vec<(String, Vec<String>, String)>, Vec<String>)> {
        let from = parse_datetime(since).ok_or_else(|| {
            errors::configuration(py, format!("since: {since:?} is no date and time"))
        })?;
        let query = ListQuery {
            congress,
            from: Some(from),
        };
        let listing = Watch::plain(Duration::ZERO)
            .block_on(py, || async {
                list_meetings(&self.inner, &query, &mut |_, _| {}).await
            })?
            .map_err(|err| errors::api(py, &err))?;
        let rows = listing.items.into_iter().map(|item| {
            let congress = item.congress.unwrap_or(congress);
            let endpoints = meeting_endpoints(congress, item.chamber, &item.event_id);
            let row = row(congress, &item);
            (item.event_id, endpoints, row)
        });
        Ok((rows.collect(), listing.problems))
    }

    /// Many answers as JSON, several asked for at a time; each place in `wanted` names endpoints to try
    /// in turn until one is not a 404. Of each that was answered: its place, the endpoint, the JSON or
    /// None, else the status (None: no answer came) and what was wrong. Then what ended it early, or None.
    #[allow(clippy::type_complexity)] // as the stub has it
    fn get_many(
        &self,
        py: Python<'_>,
        wanted: Vec<Vec<String>>,
    ) -> PyResult<(
        Vec<(usize, String, Option<String>, Option<u16>, String)>,
        Option<PyErr>,
    )> {
        let mut answers = Vec::with_capacity(wanted.len());
        let outcome = Watch::plain(Duration::ZERO).block_on(py, || async {
            let mut sink = |raw: Raw| {
                let (json, status, problem) = match raw.result {
                    Ok(value) => (Some(value.to_string()), Some(200), String::new()),
                    Err(error) => (None, status_of(&error), problem_of(error)),
                };
                answers.push((raw.at, raw.endpoint, json, status, problem));
            };
            fetch_raw(&self.inner, wanted, &mut sink).await
        })?;
        Ok((answers, outcome.err().map(|err| errors::api(py, &err))))
    }

    /// The endpoints where a meeting may be; `chamber` in any case, None where it is not known.
    #[staticmethod]
    fn meeting_endpoints(congress: i64, chamber: Option<&str>, event_id: &str) -> Vec<String> {
        meeting_endpoints(congress, chamber.and_then(Chamber::parse), event_id)
    }

    /// The endpoints where a committee may be.
    #[staticmethod]
    fn committee_endpoints(code: &str) -> Vec<String> {
        committee_endpoints(code)
    }

    fn check_rate_limit(&self) -> (u32, f64) {
        self.inner.check_rate_limit()
    }

    #[getter]
    fn requests(&self) -> u64 {
        self.inner.requests()
    }

    /// Seconds that the server's clock was ahead of ours; None before its first answer.
    #[getter]
    fn server_ahead(&self) -> Option<i64> {
        self.inner.server_ahead()
    }

    fn retry_stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = self.inner.retry_stats();
        let dict = PyDict::new(py);
        dict.set_item("total_retries", stats.total_retries)?;
        dict.set_item("last_retry_time", stats.last_retry_time)?;
        Ok(dict)
    }

    fn breaker_stats<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Some(stats) = self.inner.breaker_stats() else {
            return Ok(None);
        };
        let dict = PyDict::new(py);
        dict.set_item("name", stats.name)?;
        dict.set_item("state", stats.state.as_str())?;
        dict.set_item("failure_count", stats.failure_count)?;
        dict.set_item("success_count", stats.success_count)?;
        dict.set_item("total_calls", stats.total_calls)?;
        dict.set_item("total_failures", stats.total_failures)?;
        dict.set_item("total_successes", stats.total_successes)?;
        dict.set_item("times_opened", stats.times_opened)?;
        dict.set_item("last_state_change", stats.last_state_change)?;
        dict.set_item("recovery_time_remaining", stats.recovery_time_remaining)?;
        dict.set_item("failure_rate_pct", stats.failure_rate_pct)?;
        Ok(Some(dict))
    }

    fn reset_breaker(&self) {
        if let Some(breaker) = self.inner.breaker() {
            breaker.reset();
        }
    }
}

/// What fetching goes through.
#[derive(Clone)]
pub enum Source {
    Native(api::Client),
    Foreign(Arc<Foreign>),
}

/// A caller's replacement of the client: any object with a `get`.
pub struct Foreign {
    client: Py<PyAny>,
    /// Whose settings name the secrets.
    updater: Py<PyAny>,
    calls: AtomicU64,
    /// Ctrl-C and its like, raised inside the replacement.
    stop: Mutex<Option<PyErr>>,
}

impl Source {
    /// The native client behind an `ApiClient` whose `get` is its own; anything else is a replacement.
    pub fn of(face: &Face<'_>) -> PyResult<Self> {
        let client = face.0.getattr("api_client")?;
        // Asked of the class: a wrapper may pass every name on to the client that it wraps, and a mock
        // answers to every name.
        if let Ok(method) = client.get_type().getattr("native_for_fetching") {
            let native = method.call1((&client,))?;
            if let Ok(native) = native.cast::<Client>() {
                return Ok(Self::Native(native.get().inner.clone()));
            }
        }
        let foreign = Foreign {
            client: client.unbind(),
            updater: face.0.clone().unbind(),
            calls: AtomicU64::new(0),
            stop: Mutex::new(None),
        };
        Ok(Self::Foreign(Arc::new(foreign)))
    }

    /// Requests sent so far.
    pub fn requests(&self) -> u64 {
        match self {
            Self::Native(client) => client.requests(),
            Self::Foreign(foreign) => foreign.calls.load(Ordering::Relaxed),
        }
    }

    /// A new run may wait out the breaker once again.
    pub fn begin_run(&self) {
        if let Self::Native(client) = self {
            client.begin_run();
        }
    }

    pub fn take_stop(&self) -> Option<PyErr> {
        match self {
            Self::Native(_) => None,
            Self::Foreign(foreign) => foreign
                .stop
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        }
    }
}

impl Foreign {
    fn call(&self, endpoint: &str, query: &[(String, String)]) -> Result<Value, ApiError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        // In place: a replacement that counts or spoils calls hands them on to our own `get`, which blocks
        // on the same runtime.
        tokio::task::block_in_place(|| self.call_python(endpoint, query))
    }

    fn call_python(&self, endpoint: &str, query: &[(String, String)]) -> Result<Value, ApiError> {
        Python::attach(|py| {
            let answer = (|| {
                let params = PyDict::new(py);
                for (key, value) in query {
                    params.set_item(key, value)?;
                }
                self.client.bind(py).call_method1("get", (endpoint, params))
            })();
            match answer {
                Ok(answer) if answer.cast::<PyDict>().is_ok() => {
                    to_json(&answer).map_err(|why| ApiError::Nonsense {
                        endpoint: endpoint.to_owned(),
                        detail: why,
                    })
                }
                Ok(answer) => Err(ApiError::Nonsense {
                    endpoint: endpoint.to_owned(),
                    detail: format!("expected a dict, got {}", type_name(&answer)),
                }),
                Err(err) if ends_the_run(py, &err) => {
                    *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = Some(err);
                    Err(ApiError::Interrupted)
                }
                Err(err) => {
                    let face = Face(self.updater.bind(py).clone());
                    Err(foreign_error(&face, endpoint, &err))
                }
            }
        })
    }
}

/// A replacement may raise our own exceptions to play a refused key or an open breaker.
fn foreign_error(face: &Face<'_>, endpoint: &str, err: &PyErr) -> ApiError {
    let py = face.py();
    let class = err
        .get_type(py)
        .name()
        .map_or_else(|_| String::new(), |name| name.to_string());
    let status = err
        .value(py)
        .getattr("status")
        .and_then(|s| s.extract::<Option<u16>>());
    match (class.as_str(), status.ok().flatten()) {
        ("ApiKeyError", _) => ApiError::Key {
            code: face.describe(err),
        },
        ("CircuitBreakerOpenError" | "CircuitBreakerError", _) => ApiError::CircuitOpen {
            failures: 0,
            wait_seconds: 0.0,
        },
        (_, Some(404)) => ApiError::NotFound {
            endpoint: endpoint.to_owned(),
        },
        (_, Some(status)) => ApiError::Status {
            endpoint: endpoint.to_owned(),
            status,
            detail: format!(" ({})", face.describe(err)),
        },
        _ => ApiError::Foreign(face.describe(err)),
    }
}

impl Get for Source {
    async fn get(&self, endpoint: &str, params: &[(String, String)]) -> Result<Value, ApiError> {
        match self {
            Self::Native(client) => client.get(endpoint, params).await,
            Self::Foreign(foreign) => foreign.call(endpoint, params),
        }
    }

    async fn probe(&self, endpoint: &str, params: &[(String, String)]) -> Result<Value, ApiError> {
        match self {
            Self::Native(client) => client.probe(endpoint, params).await,
            Self::Foreign(foreign) => foreign.call(endpoint, params),
        }
    }

    fn clock_ahead(&self) -> i64 {
        match self {
            Self::Native(client) => client.clock_ahead(),
            Self::Foreign(_) => 0,
        }
    }

    fn concurrency(&self) -> usize {
        match self {
            Self::Native(client) => client.concurrency(),
            Self::Foreign(_) => 1,
        }
    }

    fn refusal(&self) -> Option<ApiError> {
        match self {
            Self::Native(client) => client.refusal(),
            Self::Foreign(_) => None,
        }
    }

    fn left(&self) -> Option<u32> {
        match self {
            Self::Native(client) => client.left(),
            Self::Foreign(_) => None,
        }
    }

    fn wait_out_breaker(&self) -> bool {
        match self {
            Self::Native(client) => client.wait_out_breaker(),
            Self::Foreign(_) => false,
        }
    }
}
