//! Faults that tests order at named points of the way. Nothing happens unless one is armed: a point
//! that is passed costs one load of a flag.
//!
//! `updaters.testing` arms them from Python. With the cargo feature `crash-points`, which no wheel has,
//! a process can be told to kill itself at a point (see `crash`).

#[cfg(feature = "crash-points")]
pub mod crash;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where something can be made to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// A hearing was written, with its related rows; label: its event id.
    Record,
    /// A transaction is open, nothing is written yet; label: kind and number, as in "batch 2".
    Begun,
    /// All is written and journaled, the commit comes next; label as above.
    Commit,
    /// The commit is done; label as above. For crashes only.
    Committed,
    /// A batch is committed, `_process_batch` has not answered yet; label as above.
    Applied,
    /// `_rollback_checkpoint` was called; label: the batch's number.
    RollBack,
    /// Rows were put back, the undoing is not committed yet.
    Undo,
    /// A piece of the schema was added; label: its name. For crashes only.
    Migration,
    /// Some pages of a backup were copied.
    Backup,
    /// The old left-overs are removed, the file itself is not replaced yet.
    Restore,
    /// A new database stands whole under its temporary name. For crashes only.
    Init,
    /// Between a hearing's own row and its related rows; label: its event id. This and the next ones are
    /// for crashes only.
    Hearing,
    /// The row of `update_logs` is written, the run is not closed.
    Logged,
    /// Old journal entries are gone, their batches' rows are not.
    Prune,
    /// An event was deferred; label: its event id.
    Defer,
    /// Events that were undone on purpose are held, which is not committed yet.
    Hold,
    /// Some rows that lead nowhere were removed; label: their table.
    Mend,
    /// A backup is whole, under its temporary name.
    BackupWhole,
    /// A backup was put in the database's place.
    Restored,
    /// A new database has its name, and its temporary one.
    Made,
    /// The lock of a run was taken; label: by what.
    Locked,
    /// The lock file is about to be removed.
    Unlock,
    /// The WAL is about to be folded into the file.
    WalFold,
    /// SQLite writes to a file; label: the file's name without its folder.
    Write,
    /// SQLite cuts a file; label as above.
    Truncate,
    /// SQLite removes a file (a journal); label as above.
    Delete,
}

impl Point {
    pub const ALL: [Self; 26] = [
        Self::Record,
        Self::Begun,
        Self::Commit,
        Self::Committed,
        Self::Applied,
        Self::RollBack,
        Self::Undo,
        Self::Migration,
        Self::Backup,
        Self::Restore,
        Self::Init,
        Self::Hearing,
        Self::Logged,
        Self::Prune,
        Self::Defer,
        Self::Hold,
        Self::Mend,
        Self::BackupWhole,
        Self::Restored,
        Self::Made,
        Self::Locked,
        Self::Unlock,
        Self::WalFold,
        Self::Write,
        Self::Truncate,
        Self::Delete,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Begun => "begun",
            Self::Commit => "commit",
            Self::Committed => "committed",
            Self::Applied => "applied",
            Self::RollBack => "rollback",
            Self::Undo => "undo",
            Self::Migration => "migration",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Init => "init",
            Self::Hearing => "hearing",
            Self::Logged => "logged",
            Self::Prune => "prune",
            Self::Defer => "defer",
            Self::Hold => "hold",
            Self::Mend => "mend",
            Self::BackupWhole => "backup-whole",
            Self::Restored => "restored",
            Self::Made => "made",
            Self::Locked => "locked",
            Self::Unlock => "unlock",
            Self::WalFold => "wal-fold",
            Self::Write => "write",
            Self::Truncate => "truncate",
            Self::Delete => "delete",
        }
    }

    /// Whether the work can be made to fail there; at the others a process can only be killed.
    pub fn can_fail(self) -> bool {
        matches!(
            self,
            Self::Record
                | Self::Begun
                | Self::Commit
                | Self::Applied
                | Self::RollBack
                | Self::Undo
                | Self::Backup
                | Self::Restore
                | Self::WalFold
                | Self::Write
                | Self::Truncate
                | Self::Delete
        )
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|point| point.name() == name)
    }
}

/// What an armed fault answers with where it strikes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a fault that a test ordered, at {} {label}", .point.name())]
pub struct Ordered {
    pub point: Point,
    pub label: String,
    /// The system's error number, for the points that are system calls.
    pub errno: i32,
}

/// A fault to arm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub point: Point,
    /// Counts only passages with this label.
    pub only: Option<String>,
    /// Counts only passages after the first one of this point with this label.
    pub since: Option<(Point, String)>,
    /// Strikes at this passage first; counts from 1.
    pub nth: u64,
    /// How often it strikes, one passage after the other; `None`: until it is disarmed.
    pub times: Option<u64>,
    /// For the points that are system calls: what they answer with.
    pub errno: i32,
}

struct Armed {
    id: u64,
    order: Order,
    /// What it waits for (`Order::since`) has come.
    awake: bool,
    passed: u64,
    struck: u64,
}

impl Armed {
    /// Counts a passage; whether the fault strikes at it.
    fn strikes(&mut self, point: Point, label: &str) -> bool {
        let order = &self.order;
        self.awake |= order
            .since
            .as_ref()
            .is_some_and(|(since, at)| *since == point && at == label);
        if !self.awake
            || order.point != point
            || order.only.as_deref().is_some_and(|only| only != label)
        {
            return false;
        }
        self.passed += 1;
        let strikes =
            self.passed >= order.nth && order.times.is_none_or(|times| self.struck < times);
        self.struck += u64::from(strikes);
        strikes
    }
}

static ANY: AtomicBool = AtomicBool::new(false);
static ARMED: Mutex<(u64, Vec<Armed>)> = Mutex::new((0, Vec::new()));

fn armed() -> MutexGuard<'static, (u64, Vec<Armed>)> {
    ARMED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Arms a fault, for the whole process; -> its number, for `disarm`.
pub fn arm(order: Order) -> u64 {
    let mut armed = armed();
    armed.0 += 1;
    let id = armed.0;
    armed.1.push(Armed {
        id,
        awake: order.since.is_none(),
        order,
        passed: 0,
        struck: 0,
    });
    ANY.store(true, Ordering::SeqCst);
    id
}

/// -> how often it struck; `None` where no such fault is armed.
pub fn disarm(id: u64) -> Option<u64> {
    let mut armed = armed();
    let found = armed.1.iter().position(|one| one.id == id)?;
    let struck = armed.1.remove(found).struck;
    ANY.store(!armed.1.is_empty(), Ordering::SeqCst);
    Some(struck)
}

/// -> how often it struck so far; `None` where no such fault is armed.
pub fn struck(id: u64) -> Option<u64> {
    let armed = armed();
    armed
        .1
        .iter()
        .find(|one| one.id == id)
        .map(|one| one.struck)
}

/// A point is passed where nothing can fail any more: only crashes listen.
#[cfg_attr(not(feature = "crash-points"), allow(unused_variables))]
pub fn pass(point: Point, label: impl Fn() -> String) {
    #[cfg(feature = "crash-points")]
    crash::pass(point, &label);
}

/// A point is passed. `label` is asked only where somebody listens.
pub fn reach(point: Point, label: impl Fn() -> String) -> Result<(), Ordered> {
    pass(point, &label);
    if !ANY.load(Ordering::Relaxed) {
        return Ok(());
    }
    let label = label();
    let mut armed = armed();
    // Each counts every passage, also one at which another strikes.
    let mut errno = None;
    for one in &mut armed.1 {
        if one.strikes(point, &label) && errno.is_none() {
            errno = Some(one.order.errno);
        }
    }
    match errno {
        None => Ok(()),
        Some(errno) => Err(Ordered {
            point,
            label,
            errno,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points are of the process: tests use labels of their own.
    fn order(label: &str, nth: u64, times: Option<u64>) -> Order {
        Order {
            point: Point::Restore,
            only: Some(label.to_owned()),
            since: None,
            nth,
            times,
            errno: 0,
        }
    }

    fn passes(label: &str, count: usize) -> Vec<bool> {
        (0..count)
            .map(|_| reach(Point::Restore, || label.to_owned()).is_ok())
            .collect()
    }

    #[test]
    fn a_fault_strikes_at_its_passage_and_as_often_as_ordered() {
        let id = arm(order("a", 2, Some(2)));
        assert_eq!(struck(id), Some(0));
        assert_eq!(passes("a", 5), [true, false, false, true, true]);
        assert_eq!(struck(id), Some(2));
        assert_eq!(disarm(id), Some(2));
        assert_eq!(disarm(id), None);
        assert_eq!(passes("a", 2), [true, true]);
    }

    #[test]
    fn it_minds_its_label_and_its_point() {
        let id = arm(order("b", 1, None));
        assert_eq!(passes("c", 1), [true]);
        assert!(reach(Point::Init, || "b".to_owned()).is_ok());
        let struck = reach(Point::Restore, || "b".to_owned()).unwrap_err();
        assert_eq!(
            struck.to_string(),
            "a fault that a test ordered, at restore b"
        );
        assert_eq!(passes("b", 2), [false, false]);
        assert_eq!(disarm(id), Some(3));
    }

    #[test]
    fn it_sleeps_until_what_it_waits_for_has_come() {
        let id = arm(Order {
            since: Some((Point::Begun, "batch d".to_owned())),
            ..order("d", 2, None)
        });
        assert_eq!(passes("d", 3), [true; 3]);
        assert!(reach(Point::Begun, || "batch e".to_owned()).is_ok());
        assert_eq!(passes("d", 1), [true]);
        assert!(reach(Point::Begun, || "batch d".to_owned()).is_ok());
        assert_eq!(passes("d", 3), [true, false, false]);
        assert_eq!(disarm(id), Some(2));
        assert_eq!(struck(id), None);
    }

    #[test]
    fn every_point_has_a_name_of_its_own() {
        for point in Point::ALL {
            assert_eq!(Point::parse(point.name()), Some(point));
        }
        assert_eq!(Point::parse("elsewhere"), None);
    }
}
