//! One tokio runtime a process. After a fork the child gets its own: the parent's threads are not there.

use std::any::Any;
use std::process;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use tokio::runtime::{Builder, Runtime};

use super::errors;
use crate::store::forking;

static RUNTIME: Mutex<Option<(u32, Arc<Runtime>)>> = Mutex::new(None);

/// For a fork (see `store::forking`).
pub fn hold() -> Option<Box<dyn Any>> {
    Some(Box::new(forking::soon(&RUNTIME)?))
}

/// The process's runtime. Two workers: the work is waiting.
pub fn runtime() -> PyResult<Arc<Runtime>> {
    let mut cell = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let pid = process::id();
    if let Some((owner, runtime)) = cell.as_ref()
        && *owner == pid
    {
        return Ok(Arc::clone(runtime));
    }
    // Dropping the parent's runtime would wait for threads that this process does not have.
    if let Some(inherited) = cell.take() {
        std::mem::forget(inherited);
    }
    let built = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("updaters-io")
        .enable_all()
        .build()
        .map_err(|err| errors::internal(format!("cannot start the I/O threads: {err}")))?;
    let runtime = Arc::new(built);
    *cell = Some((pid, Arc::clone(&runtime)));
    Ok(runtime)
}
