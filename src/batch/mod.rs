//! batch

mod validate;

pub use validate::validate;
