//! Files that are being made. They stand under a name of their process until they are whole; what a
//! killed process left is removed by the next one that makes such a file.

use std::path::{Path, PathBuf};

use super::beside;

/// What SQLite puts beside a database.
const SUFFIXES: [&str; 4] = ["", "-journal", "-wal", "-shm"];

/// Where `target` is made: `database.db.updater-new-4711` for the mark `.updater-new-`.
pub(super) fn name(target: &Path, mark: &str) -> PathBuf {
    beside(target, &format!("{mark}{}", std::process::id()))
}

/// Removes a file that is not to be, and what SQLite put beside it.
pub(super) fn remove(building: &Path) {
    for suffix in SUFFIXES {
        let _ = std::fs::remove_file(beside(building, suffix));
    }
}

/// Removes what killed processes left of files whose name begins so and has this mark.
pub(super) fn remove_left(folder: &Path, begins: &str, mark: &str) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with(begins)
            && let Some((_, rest)) = name.split_once(mark)
            && let Some(process) = process(rest)
            && !is_alive(process)
        {
            tracing::info!(
                target: "updaters.store",
                "{}: left by a process that was killed; removed", entry.path().display()
            );
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The process in what follows the mark: `4711`, `4711-wal`.
fn process(rest: &str) -> Option<u32> {
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    rest.get(..digits)?.parse().ok()
}

/// Where nothing tells, it is taken to be alive.
fn is_alive(process: u32) -> bool {
    let all = Path::new("/proc");
    !all.join("self").exists() || all.join(process.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_dead_processes_left_of_this_kind_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let here = std::process::id();
        // Beyond what the kernel gives out.
        let dead = 4_194_305;
        let gone = [
            format!("a.db.updater-new-{dead}"),
            format!("a.db.updater-new-{dead}-wal"),
        ];
        let kept = [
            format!("a.db.updater-new-{here}"),
            format!("b.db.updater-new-{dead}"),
            format!("a.db.old-{dead}"),
            "a.db.updater-new-".to_owned(),
            "a.db".to_owned(),
        ];
        for file in gone.iter().chain(&kept) {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        remove_left(dir.path(), "a.db", ".updater-new-");
        for file in &gone {
            assert!(!dir.path().join(file).exists(), "{file}");
        }
        for file in &kept {
            assert!(dir.path().join(file).exists(), "{file}");
        }
    }
}
