//! update

mod diff;

pub use diff::{FieldDiff, diff, newer};
