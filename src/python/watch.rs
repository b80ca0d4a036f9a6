//! Waiting with an ear for the caller: signals, cancellation, the progress callback's heartbeat, and
//! queued log records are seen to while native code waits.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;

use super::engine::Progress;
use super::{errors, interrupts, logs, runtime};
use crate::store::{Handle, Patience, StoreError, StoreResult};

const TICK: Duration = Duration::from_millis(100);

/// One call from Python into native code that may wait.
pub struct Watch {
    cancelled: Arc<AtomicBool>,
    /// Whom to tell that the run is alive, and the database that is never locked meanwhile.
    progress: Option<(Arc<Progress>, Option<Handle>)>,
    /// What Python raised while native code waited; raised again on the way out.
    raised: Mutex<Option<PyErr>>,
    wait: Duration,
}

impl Watch {
    pub fn new(
        cancelled: Arc<AtomicBool>,
        progress: Option<(Arc<Progress>, Option<Handle>)>,
        wait: Duration,
    ) -> Self {
        Self {
            cancelled,
            progress,
            raised: Mutex::new(None),
            wait,
        }
    }

    /// For calls outside any run.
    pub fn plain(wait: Duration) -> Self {
        Self::new(Arc::new(AtomicBool::new(false)), None, wait)
    }

    fn tick(&self, py: Python<'_>) -> PyResult<()> {
        logs::drain(py)?;
        py.check_signals()?;
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(errors::cancelled(py));
        }
        match &self.progress {
            // Callers write to the same database in their callback.
            Some((_, Some(handle))) if handle.in_transaction() => Ok(()),
            Some((progress, _)) => progress.tick(py),
            None => Ok(()),
        }
    }

    /// Asked by native code in between; true once Python raised something. Never called with the store locked.
    pub fn interrupted(&self) -> bool {
        if self.raised().is_some() {
            return true;
        }
        match Python::attach(|py| interrupts::postponed().map_or_else(|| self.tick(py), Err)) {
            Ok(()) => false,
            Err(err) => {
                self.set_raised(err);
                true
            }
        }
    }

    fn raised(&self) -> std::sync::MutexGuard<'_, Option<PyErr>> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What Python raised meanwhile, else the native error as an exception.
    pub fn raise(&self, py: Python<'_>, err: &StoreError) -> PyErr {
        self.take_raised().unwrap_or_else(|| errors::store(py, err))
    }

    pub fn take_raised(&self) -> Option<PyErr> {
        self.raised().take()
    }

    pub fn set_raised(&self, err: PyErr) {
        *self.raised() = Some(err);
    }

    /// Runs store work without the interpreter, then drains the log.
    pub fn store<R: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Patience<'_>) -> StoreResult<R> + Send,
    ) -> PyResult<R> {
        let result = py.detach(|| {
            let interrupted = || self.interrupted();
            work(&Patience {
                limit: self.wait,
                interrupted: &interrupted,
            })
        });
        let drained = logs::drain(py);
        let value = result.map_err(|err| self.raise(py, &err))?;
        // The work may have come to its end all the same.
        if let Some(err) = self.take_raised() {
            return Err(err);
        }
        drained.map(|()| value)
    }

    /// Runs work that comes to its own kind of result without the interpreter.
    pub fn quietly<R: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Patience<'_>) -> R + Send,
    ) -> R {
        py.detach(|| {
            let interrupted = || self.interrupted();
            work(&Patience {
                limit: self.wait,
                interrupted: &interrupted,
            })
        })
    }

    /// Runs a future on the caller's thread without the interpreter, ticking in between. The future is
    /// made there, so it need not be `Send`.
    pub fn block_on<R: Send, F: Future<Output = R>>(
        &self,
        py: Python<'_>,
        make: impl FnOnce() -> F + Send,
    ) -> PyResult<R> {
        let runtime = runtime::runtime()?;
        let result = py.detach(|| {
            runtime.block_on(async {
                let mut future = std::pin::pin!(make());
                let mut ticks = tokio::time::interval(TICK);
                loop {
                    tokio::select! {
                        biased;
                        result = &mut future => return Some(result),
                        // In place: a progress callback may ask the API for something itself.
                        _ = ticks.tick() => if tokio::task::block_in_place(|| self.interrupted()) {
                            return None;
                        },
                    }
                }
            })
        });
        let drained = logs::drain(py);
        match (self.take_raised(), result) {
            (Some(err), _) => Err(err),
            (None, Some(value)) => drained.map(|()| value),
            (None, None) => Err(errors::internal("interrupted")),
        }
    }
}
