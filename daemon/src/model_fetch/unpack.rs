//! Unpacking an archive whose digest was right already: its names are still not trusted.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

/// Most files and folders of a model; the largest of Vosk's have fewer than 50.
const ENTRIES_MAX: usize = 1_000;

/// Bits of a Unix mode that tell what a file is, and those of a plain one.
const KIND: u32 = 0o170_000;
const PLAIN: u32 = 0o100_000;

/// Why an archive can't be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is no ZIP archive, or damaged.
    #[error("the archive can't be read: {0}")]
    Archive(#[from] ZipError),
    /// A name leads out of the model's folder, or is none.
    #[error("the archive holds {0:?}, which lies outside of the model's folder; not used")]
    Outside(String),
    /// A link, a device, or a file that is there already.
    #[error("the archive holds {0:?}, which is no plain file; not used")]
    Odd(String),
    /// It unpacks to more than the model has.
    #[error("the archive holds more than {ENTRIES_MAX} files or {0} bytes; not used")]
    Large(u64),
    /// It can't be written.
    #[error("{path}: {source}; is there room for it?")]
    Disk {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Unpacks `archive` into the new folder `to`; everything in it lies in its folder `name` and has at most `bytes_max` bytes.
pub(super) fn unpack(archive: &Path, name: &str, bytes_max: u64, to: &Path) -> Result<(), UnpackError> {
    let disk = |path: &Path| {
        let path = path.to_owned();
        move |source| UnpackError::Disk { path, source }
    };
    let file = File::open(archive).map_err(disk(archive))?;
    let mut zip = ZipArchive::new(file)?;
    if zip.len() > ENTRIES_MAX {
        return Err(UnpackError::Large(bytes_max));
    }
    fs::create_dir(to).map_err(disk(to))?;
    fs::create_dir(to.join(name)).map_err(disk(to))?;
    let mut left = bytes_max;
    for n in 0..zip.len() {
        let mut entry = zip.by_index(n)?;
        let called = entry.name().to_owned();
        let path = to.join(inside(&called, name)?);
        if entry.is_dir() {
            fs::create_dir_all(&path).map_err(disk(&path))?;
            continue;
        }
        let plain = entry.unix_mode().is_none_or(|mode| mode & KIND == PLAIN || mode & KIND == 0);
        if !plain || path.exists() {
            return Err(UnpackError::Odd(called));
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(disk(folder))?;
        }
        let mut out = File::create_new(&path).map_err(disk(&path))?;
        // What an entry says of its size is not believed: one byte more than what is left is too many.
        let written = io::copy(&mut (&mut entry).take(left + 1), &mut out).map_err(disk(&path))?;
        left = left.checked_sub(written).ok_or(UnpackError::Large(bytes_max))?;
        out.sync_all().map_err(disk(&path))?;
    }
    Ok(())
}

/// `entry` as a path beneath the folder `name`, without a step that leads elsewhere.
fn inside(entry: &str, name: &str) -> Result<PathBuf, UnpackError> {
    let outside = || UnpackError::Outside(entry.to_owned());
    if entry.contains(['\\', '\0']) {
        return Err(outside());
    }
    let path = PathBuf::from(entry);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if !plain || !path.starts_with(name) {
        return Err(outside());
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_beneath_the_models_folder_are_taken() {
        for good in ["m/a", "m/conf/b.conf", "m/", "m"] {
            assert!(inside(good, "m").is_ok(), "{good}");
        }
        for bad in ["", "/m/a", "../m/a", "m/../../a", "m/./../../a", "n/a", "mm/a", "m\\..\\a", "C:/m/a", "m/a\0b"] {
            assert!(matches!(inside(bad, "m"), Err(UnpackError::Outside(_))), "{bad}");
        }
    }
}
