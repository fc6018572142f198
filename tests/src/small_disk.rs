//! A file system of a few megabytes, for tests that fill a disk to its last byte.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::told;

/// A mounted memory file system; it goes with its owner.
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts one at `folder`, `size` and `mode` as tmpfs takes them. `None` where nothing can be mounted: then `make test` says in its last
    /// lines that `what` was not tried; `name` is that line's file.
    pub fn mount(folder: &Path, size: &str, mode: &str, name: &str, what: &str) -> Result<Option<Self>> {
        let options = format!("size={size},mode={mode}");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "jarvis-test"]).arg(folder).output();
        if done.is_ok_and(|output| output.status.success()) {
            return Ok(Some(Self { folder: folder.to_owned() }));
        }
        told::not_run(name, &format!("{what}: no file system can be mounted here (root can)"))?;
        Ok(None)
    }

    /// Its owner makes room.
    pub fn grow(&self, size: &str) -> Result<()> {
        let options = format!("remount,size={size}");
        let done = Command::new("mount").args(["-o", &options]).arg(&self.folder).status()?;
        ensure!(done.success(), "{} does not grow: {done}", self.folder.display());
        Ok(())
    }

    /// Fills it to the last byte with a file of somebody else's, and gives that file's path.
    pub fn fill(&self) -> Result<PathBuf> {
        let path = self.folder.join("holiday.mkv");
        let mut file = File::create(&path)?;
        for size in [4096, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
        Ok(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("-l").arg(&self.folder).status();
        if !done.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.folder.display());
        }
    }
}
