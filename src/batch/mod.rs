//! The batch engine: divide, validate, apply, checkpoint, roll back.
//!
//! The loop is generic over its steps, so that the same code runs with native steps and with the
//! methods of a Python object.

mod engine;
mod process;
mod validate;

pub use engine::{Numbering, Outcome, Report, Steps, Verdict, ms, run_batches};
pub use process::{Applied, Ended, apply_each, apply_one_pass};
pub use validate::{Code, validate, validate_parsed};
