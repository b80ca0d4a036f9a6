//! A process that kills itself at a point, as the machine's power would. Compiled in for tests only.
//!
//! `UPDATER_CRASH_AT=commit:3` kills at the third passage of `commit`, `commit@batch 2:1` at the first
//! that has this label; `write:17:torn` writes half of what it was told first.
//! `UPDATER_CRASH_LOG=FILE` writes down every passage, one `point<TAB>label` a line.

#![allow(unsafe_code)]

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Point;

#[derive(Debug, PartialEq, Eq)]
struct Plan {
    point: Point,
    label: Option<String>,
    nth: u64,
    torn: bool,
}

impl Plan {
    fn parse(text: &str) -> Option<Self> {
        let (place, rest) = text.split_once(':')?;
        let (nth, torn) = match rest.split_once(':') {
            Some((nth, "torn")) => (nth, true),
            Some(_) => return None,
            None => (rest, false),
        };
        let (point, label) = match place.split_once('@') {
            Some((point, label)) => (point, Some(label.to_owned())),
            None => (place, None),
        };
        Some(Self {
            point: Point::parse(point)?,
            label,
            nth: nth.parse().ok()?,
            torn,
        })
    }
}

static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
static PASSED: AtomicU64 = AtomicU64::new(0);

fn plan() -> Option<&'static Plan> {
    PLAN.get_or_init(|| {
        let text = std::env::var("UPDATER_CRASH_AT").ok()?;
        let plan = Plan::parse(&text);
        if plan.is_none() {
            eprintln!("UPDATER_CRASH_AT: cannot read '{text}'");
            std::process::exit(2);
        }
        plan
    })
    .as_ref()
}

/// Ends the process at once, with nothing cleaned up.
pub fn die() -> ! {
    // SAFETY: plain system calls; the process does not come back.
    unsafe {
        libc::kill(libc::getpid(), libc::SIGKILL);
        libc::_exit(137)
    }
}

/// Whether the process is to die at this passage.
fn is_the_end(point: Point, label: &dyn Fn() -> String) -> Option<&'static Plan> {
    if let Some(file) = std::env::var_os("UPDATER_CRASH_LOG")
        && let Ok(mut file) = OpenOptions::new().create(true).append(true).open(file)
    {
        let _ = writeln!(file, "{}\t{}", point.name(), label());
    }
    let plan = plan()?;
    if plan.point != point || plan.label.as_ref().is_some_and(|wanted| *wanted != label()) {
        return None;
    }
    (PASSED.fetch_add(1, Ordering::SeqCst) + 1 == plan.nth).then_some(plan)
}

/// A point is passed.
pub fn pass(point: Point, label: &dyn Fn() -> String) {
    // A write decides for itself: it may have to tear.
    if point != Point::Write && is_the_end(point, label).is_some() {
        die();
    }
}

/// SQLite is about to write: whether to die now, and if so whether after half of it.
pub fn at_write(label: &dyn Fn() -> String) -> Option<bool> {
    is_the_end(Point::Write, label).map(|plan| plan.torn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_read_or_refused() {
        assert_eq!(
            Plan::parse("commit@batch 2:1"),
            Some(Plan {
                point: Point::Commit,
                label: Some("batch 2".to_owned()),
                nth: 1,
                torn: false
            })
        );
        assert_eq!(
            Plan::parse("write:17:torn").map(|p| (p.nth, p.torn)),
            Some((17, true))
        );
        for wrong in ["", "commit", "nowhere:1", "write:x", "write:1:half"] {
            assert_eq!(Plan::parse(wrong), None, "{wrong}");
        }
    }
}
