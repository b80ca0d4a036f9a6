//! The database: opening and bringing it up, reading and writing domain types, transactions, the
//! journal, backups. All SQL lives in this module's `sqlite` half; everything above it sees only the
//! traits and types here, so that a server database can be the second store.

mod error;
pub mod forking;
mod handle;
mod run_lock;
mod run_types;
mod survey;
mod traits;
mod types;

pub mod sqlite;

pub use error::{StoreError, StoreResult};
pub use handle::{Access, Handle, Patience, open};
pub use run_lock::{LockHolder, LockState, RunLock};
pub use run_types::*;
pub use survey::{About, Finding, LoggedRun, Mended, Survey};
pub use traits::{Health, Hearings, Journal, Ledger, Store, Transactions, Verify, Vitals};
pub use types::*;
