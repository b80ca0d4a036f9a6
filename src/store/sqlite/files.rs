//! Opening and making files by their plain names: no name means anything else to SQLite, a new file never
//! follows a link, and a copy is not more readable than its original.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// Opens the file of this name, also where it is called `:memory:` or `file:x?mode=ro`.
pub(super) fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = flags.difference(OpenFlags::SQLITE_OPEN_URI);
    if path.is_absolute() {
        Connection::open_with_flags(path, flags)
    } else {
        Connection::open_with_flags(Path::new(".").join(path), flags)
    }
}

/// The same to write it; a file that is not there is made.
pub(super) fn connect_to_make(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    connect(path, flags)
}

/// Makes a file that is not there, with this mode as far as the umask allows. Anything of that name,
/// also a link that leads nowhere, is an error (`AlreadyExists`).
pub(super) fn make_new(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

/// Makes a file that is not there, for a copy of `original`: nobody can read it who cannot read that.
pub(super) fn make_like(original: &Path, path: &Path) -> io::Result<File> {
    let Ok(facts) = std::fs::metadata(original) else {
        return make_new(path, 0o600);
    };
    // The group stays out until it is known to be the same.
    let file = make_new(path, (facts.mode() & 0o606) | 0o600)?;
    // Root gives it to whom the original belongs; others may not, and need not.
    let _ = chown(path, Some(facts.uid()), Some(facts.gid()));
    let made = file.metadata()?;
    let group = facts.mode() & 0o060;
    if made.gid() == facts.gid() && group != 0 {
        file.set_permissions(PermissionsExt::from_mode(made.mode() & 0o777 | group))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_copy_is_not_more_readable_than_its_original() {
        let dir = tempfile::tempdir().unwrap();
        let original = dir.path().join("x.db");
        File::create(&original).unwrap();
        for given in [0o600, 0o640, 0o660, 0o644, 0o400, 0o444, 0o755] {
            std::fs::set_permissions(&original, PermissionsExt::from_mode(given)).unwrap();
            let copy = dir.path().join(format!("{given:o}"));
            make_like(&original, &copy).unwrap();
            assert_eq!(
                mode(&copy) & !0o600 & !given,
                0,
                "{given:o}: {:o}",
                mode(&copy)
            );
            assert_eq!(mode(&copy) & 0o600, 0o600, "{given:o}");
        }
    }

    #[test]
    fn nothing_is_made_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (link, target) = (dir.path().join("link"), dir.path().join("target"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let refused = make_new(&link, 0o600).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert!(!target.exists());
    }

    #[test]
    fn a_name_is_a_name() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["file:x.db?mode=memory", ":memory:", "file:a%20b.db"] {
            let path = dir.path().join(name);
            let conn = connect_to_make(&path).unwrap();
            conn.execute_batch("CREATE TABLE t (a)").unwrap();
            conn.close().unwrap();
            assert!(path.is_file(), "{name}");
        }
        let missing = connect(Path::new(":memory:"), OpenFlags::SQLITE_OPEN_READ_WRITE);
        assert!(missing.is_err());
    }
}
