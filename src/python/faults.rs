//! Faults for `updaters.testing` to arm.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::faults::{self, Order, Point};

/// The points at which faults can be armed.
#[pyfunction]
fn fault_points() -> Vec<&'static str> {
    Point::ALL
        .into_iter()
        .filter(|point| point.can_fail())
        .map(Point::name)
        .collect()
}

/// Arms a fault for the whole process; -> its number.
#[pyfunction]
#[pyo3(
    signature = (point, *, only=None, since=None, nth=1, times=Some(1), errno=5),
    text_signature = "(point, *, only=None, since=None, nth=1, times=1, errno=5)"
)]
fn arm_fault(
    point: &str,
    only: Option<String>,
    since: Option<(String, String)>,
    nth: u64,
    times: Option<u64>,
    errno: i32,
) -> PyResult<u64> {
    let known = Point::parse(point).filter(|point| point.can_fail());
    let Some(point) = known else {
        let known = fault_points().join(", ");
        return Err(PyValueError::new_err(format!(
            "no fault can be armed at '{point}'; there are: {known}"
        )));
    };
    let since = since
        .map(|(point, label)| match Point::parse(&point) {
            Some(point) => Ok((point, label)),
            None => Err(PyValueError::new_err(format!(
                "there is no point '{point}'"
            ))),
        })
        .transpose()?;
    if nth == 0 || times == Some(0) || errno <= 0 {
        return Err(PyValueError::new_err(
            "nth and times count from 1, and errno is a number of the system's",
        ));
    }
    Ok(faults::arm(Order {
        point,
        only,
        since,
        nth,
        times,
        errno,
    }))
}

/// -> how often the fault struck; `None` where none of this number is armed.
#[pyfunction]
fn disarm_fault(fault: u64) -> Option<u64> {
    faults::disarm(fault)
}

/// -> how often the fault struck so far; `None` where none of this number is armed.
#[pyfunction]
fn fault_struck(fault: u64) -> Option<u64> {
    faults::struck(fault)
}

pub(super) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("CRASH_POINTS", cfg!(feature = "crash-points"))?;
    m.add_function(wrap_pyfunction!(fault_points, m)?)?;
    m.add_function(wrap_pyfunction!(arm_fault, m)?)?;
    m.add_function(wrap_pyfunction!(disarm_fault, m)?)?;
    m.add_function(wrap_pyfunction!(fault_struck, m)?)
}
