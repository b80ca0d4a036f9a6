//! Futures for asyncio, on this process's runtime. pyo3-async-runtimes keeps a tokio runtime of its own in a
//! cell that a forked child inherits without its threads; so it is given ours, which knows of forks.

use std::any::Any;
use std::cell::OnceCell;
use std::future::Future;
use std::pin::Pin;

use pyo3::prelude::*;
use pyo3_async_runtimes::TaskLocals;
use pyo3_async_runtimes::generic::{self, ContextExt, Runtime};
use tokio::task::{JoinError, JoinHandle};

use super::runtime;

tokio::task_local! {
    static LOCALS: OnceCell<TaskLocals>;
}

/// A task that ended other than by returning, or that could not be started.
struct Ended(Option<JoinError>);

impl generic::JoinError for Ended {
    fn is_panic(&self) -> bool {
        self.0.as_ref().is_some_and(JoinError::is_panic)
    }

    fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        match self.0 {
            Some(error) if error.is_panic() => error.into_panic(),
            _ => Box::new("the task was not run"),
        }
    }
}

/// Our runtime, as the bridge takes one.
struct Ours;

type Joined = Pin<Box<dyn Future<Output = Result<(), Ended>> + Send>>;

fn joined(started: PyResult<JoinHandle<()>>) -> Joined {
    Box::pin(async move {
        match started {
            Ok(handle) => handle.await.map_err(|error| Ended(Some(error))),
            Err(_) => Err(Ended(None)),
        }
    })
}

impl Runtime for Ours {
    type JoinError = Ended;
    type JoinHandle = Joined;

    fn spawn<F: Future<Output = ()> + Send + 'static>(fut: F) -> Joined {
        joined(runtime::runtime().map(|runtime| runtime.spawn(fut)))
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(f: F) -> Joined {
        joined(runtime::runtime().map(|runtime| runtime.spawn_blocking(f)))
    }
}

impl ContextExt for Ours {
    fn scope<F, R>(locals: TaskLocals, fut: F) -> Pin<Box<dyn Future<Output = R> + Send>>
    where
        F: Future<Output = R> + Send + 'static,
    {
        let cell = OnceCell::new();
        // Empty until here.
        let _ = cell.set(locals);
        Box::pin(LOCALS.scope(cell, fut))
    }

    fn get_task_locals() -> Option<TaskLocals> {
        LOCALS
            .try_with(|cell| cell.get().cloned())
            .unwrap_or_default()
    }
}

/// Whether nobody is left who could be told of a result.
fn is_closed(event_loop: &Py<PyAny>) -> bool {
    Python::attach(|py| {
        let closed = event_loop.call_method0(py, "is_closed");
        closed
            .and_then(|closed| closed.is_truthy(py))
            .unwrap_or(false)
    })
}

/// A Rust future as an awaitable of the running event loop; cancelling the awaitable drops the future.
pub fn awaitable<T>(
    py: Python<'_>,
    future: impl Future<Output = PyResult<T>> + Send + 'static,
) -> PyResult<Bound<'_, PyAny>>
where
    T: for<'py> IntoPyObject<'py> + Send + 'static,
{
    // Named here, where it can still be raised: a task that cannot be started is never awaited.
    runtime::runtime()?;
    let event_loop = pyo3_async_runtimes::get_running_loop(py)?.unbind();
    generic::future_into_py::<Ours, _, T>(py, async move {
        let result = future.await;
        if is_closed(&event_loop) {
            // The bridge would print a traceback of its own.
            return std::future::pending().await;
        }
        result
    })
}
