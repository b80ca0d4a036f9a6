//! The native core of the hearing updater.
//!
//! Changed meetings flow from the API through a diff into small journaled transactions:
//! `api` → `update` → `batch` → `store`. `domain` holds the types that pass through.
#![deny(unsafe_code)]

pub mod api;
pub mod batch;
pub mod domain;
pub mod faults;
pub mod sandbox;
pub mod store;
pub mod update;

#[cfg(feature = "python")]
mod python;
