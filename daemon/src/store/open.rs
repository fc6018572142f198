//! Opening the database: one owner, a look at its health, the newest schema.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::{StoreError, migrate};

/// How long SQLite waits for another program's lock before it gives up.
const BUSY_WAIT: Duration = Duration::from_secs(2);
/// How long the owner lock is waited for. A process that is being started shares its parent's files until it becomes another program, so a
/// lock outlives its owner for a moment.
const OWNER_WAIT: Duration = Duration::from_millis(500);
/// How often it is tried in that time.
const OWNER_AGAIN: Duration = Duration::from_millis(10);
/// Mode of the database: words of people are in it.
const PRIVATE: u32 = 0o600;
/// Pages in the log before it is folded into the database: 4 MB, so that a commit's tail stays short.
const CHECKPOINT_PAGES: u32 = 1000;

/// Less room than this on the database's disk, in bytes, and no daemon is started on it: the log alone grows to four times as much
/// before it is folded, and what cannot be written down is neither shown nor said.
pub const ROOM_MIN_BYTES: u64 = 1 << 20;

/// Bytes that are left on the disk of `folder`; `None` where it cannot be asked.
pub fn room_left(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// An open database whose owner lock is held as long as this lives.
pub(super) struct Held {
    pub(super) connection: Connection,
    pub(super) kept_aside: Option<KeptAside>,
    /// The owner lock: whoever takes the connection keeps it beside.
    pub(super) owner: File,
}

/// A damaged database that was moved away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAside {
    /// Where it is now.
    pub path: PathBuf,
    /// What was wrong with it.
    pub reason: String,
}

/// Takes the owner lock, opens `path`, and begins a new database where the old one is damaged.
pub(super) fn open(path: &Path, stamp: &str) -> Result<Held, StoreError> {
    let owner = own(path)?;
    let (connection, kept_aside) = match try_open(path) {
        Ok(connection) => (connection, None),
        Err(error) if error.is_damage() => {
            let kept = keep_aside(path, stamp, error.to_string())?;
            (try_open(path)?, Some(kept))
        }
        Err(error) => return Err(error),
    };
    Ok(Held { connection, kept_aside, owner })
}

/// Two daemons on one database would tell two stories: the second is refused, with the first one's process id.
fn own(path: &Path) -> Result<File, StoreError> {
    let lock = suffixed(path, ".lock");
    let fail = |doing| {
        let path = lock.clone();
        move |source| StoreError::of_file(doing, path, source)
    };
    let mut file = File::options()
        .mode(PRIVATE)
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&lock)
        .map_err(fail("cannot open"))?;
    let until = Instant::now() + OWNER_WAIT;
    let mut tried = file.try_lock();
    while matches!(tried, Err(TryLockError::WouldBlock)) && Instant::now() < until {
        std::thread::sleep(OWNER_AGAIN);
        tried = file.try_lock();
    }
    match tried {
        Ok(()) => {
            file.set_len(0).map_err(fail("cannot write"))?;
            writeln!(file, "{}", std::process::id()).map_err(fail("cannot write"))?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let holder = match file.read_to_string(&mut pid) {
                Ok(_) if !pid.trim().is_empty() => format!("process {}", pid.trim()),
                _ => "unknown".to_owned(),
            };
            Err(StoreError::Locked { path: path.to_owned(), holder })
        }
        Err(TryLockError::Error(source)) => Err(fail("cannot lock")(source)),
    }
}

fn try_open(path: &Path) -> Result<Connection, StoreError> {
    // SQLite gives its log the database's mode, which is ours to choose only if we make the file.
    let made = File::options().mode(PRIVATE).create(true).append(true).open(path);
    made.map_err(|source| StoreError::of_file("cannot open", path.to_owned(), source))?;
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    prepare(connection).map_err(|error| at_start(path, error))
}

/// At the start somebody else's lock is no write that was not made: it is a file that is not ours to open.
pub(super) fn at_start(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Busy => StoreError::Locked { path: path.to_owned(), holder: "it holds SQLite's own lock".into() },
        other => other,
    }
}

fn prepare(mut connection: Connection) -> Result<Connection, StoreError> {
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is forgotten is overwritten, not merely unlinked.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    let verdict: String = connection.query_row("pragma quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(StoreError::Corrupt(verdict));
    }
    migrate::to_current(&mut connection)?;
    Ok(connection)
}

/// Moves the database and its log out of the way. The log goes along under the new name, so that what it holds can still be read.
fn keep_aside(path: &Path, stamp: &str, reason: String) -> Result<KeptAside, StoreError> {
    let aside = suffixed(path, &format!(".corrupt-{stamp}"));
    for tail in ["-wal", "-shm", ""] {
        let (from, to) = (suffixed(path, tail), suffixed(&aside, tail));
        match fs::rename(&from, &to) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !tail.is_empty() => {}
            Err(source) => {
                return Err(StoreError::of_file("cannot keep aside", from, source));
            }
        }
    }
    Ok(KeptAside { path: aside, reason })
}

/// Databases that were kept aside beside `path`, oldest first.
pub fn kept_aside_beside(path: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Vec::new();
    };
    let prefix = format!("{}.corrupt-", name.to_string_lossy());
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|p| {
            p.file_name().is_some_and(|n| {
                let n = n.to_string_lossy();
                n.starts_with(&prefix) && !n.ends_with("-wal") && !n.ends_with("-shm")
            })
        })
        .collect();
    found.sort();
    found
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
/// Whether there is room to write.
///
/// # Errors
/// What cannot be written down is neither shown nor said nor done: on a full disk nothing is left for a daemon to do.
pub fn enough_room(folder: &Path) -> anyhow::Result<()> {
    match room_left(folder) {
        Some(left) if left < ROOM_MIN_BYTES => anyhow::bail!(
            "the disk that holds {} is full ({} KiB are left): free space there, then start jarvisd again; nothing stored is lost",
            folder.display(),
            left >> 10
        ),
        Some(_) | None => Ok(()),
    }
}
