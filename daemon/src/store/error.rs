//! What can go wrong with the database, told apart where somebody can do something about it.

use std::io::ErrorKind;
use std::path::PathBuf;

use rusqlite::{ErrorCode, ffi};

/// Why the store could not do what was asked. Nothing was committed where one of these comes back.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it.
    #[error(
        "{path} is in use by another process ({holder}): stop it (`systemctl stop jarvisd`, or the program that has the file open), then start again"
    )]
    Locked {
        /// The database.
        path: PathBuf,
        /// Who holds it, as far as it is known.
        holder: String,
    },
    /// No room on the disk; the write was rolled back and nothing earlier is lost.
    #[error("the disk that holds the database is full: free space there (the write was not made)")]
    Full,
    /// The file is damaged, found while running.
    #[error("the database is damaged ({0}): restart jarvisd, which keeps the file aside and begins a new one")]
    Corrupt(String),
    /// Written by a newer program.
    #[error(
        "the database has schema version {found}, this jarvisd knows {known}: install the newer version again, or move the file away"
    )]
    Newer {
        /// In the file.
        found: i64,
        /// Newest known.
        known: i64,
    },
    /// Another program held SQLite's own lock for longer than a write waits.
    #[error("another program holds the database's lock: close it (`fuser jarvis.db` names it); the write was not made")]
    Busy,
    /// A turn or conversation that is not there (any more).
    #[error("the store has no turn {0}")]
    NoTurn(u64),
    /// No key was given to seal approvals with.
    #[error("the store has no key for seals: nothing is approved without one")]
    NoSealKey,
    /// The store was closed, or its thread is gone.
    #[error("the store is closed")]
    Closed,
    /// A file could not be opened, renamed or made.
    #[error("{doing} {path}: {source}")]
    File {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Anything else that SQLite says.
    #[error("the database refused: {0}")]
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            // The log's index lives in a file of its own, whose growth fails so on a full disk.
            Some(ErrorCode::SystemIoFailure)
                if error.sqlite_error().is_some_and(|e| e.extended_code == ffi::SQLITE_IOERR_SHMSIZE) =>
            {
                Self::Full
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(error.to_string()),
            _ => Self::Sqlite(error),
        }
    }
}

impl StoreError {
    /// What a file's failure means: without room it is that, whatever was being done.
    pub(super) fn of_file(doing: &'static str, path: PathBuf, source: std::io::Error) -> Self {
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::File { doing, path, source },
        }
    }

    /// Whether the file itself is to blame, so that keeping it aside helps.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Corrupt(_))
    }
}
