//! Spoken sentences on disk, least recently used out first, within a limit of bytes.
//!
//! An entry is one file: a header, a hash, the samples. It is written beside its place and renamed, and its hash is checked on every
//! read, so a crash or a full disk can only cost entries, never play noise. What is not ours in the folder is left alone. Whatever goes
//! wrong here is told in [`CacheStatus`], and the sentence is spoken all the same.
//!
//! Length: the cache and the tests of every way its files can be damaged.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jarvis_core::hex::hex;
use lru::LruCache;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::RATE_HZ;

/// First bytes of an entry; the number grows with the format.
const MAGIC: &[u8; 8] = b"jarvpcm1";

/// Magic, rate, count, hash.
const HEADER: usize = 8 + 4 + 4 + 32;

/// What a file takes of a disk, at least, and in steps: a limit of bytes that ignored it would be no limit.
const BLOCK: u64 = 4096;

/// Most entries; more small files than this make a folder slow.
const ENTRIES_MAX: usize = 20_000;

/// Requests that wait for the disk. A sentence that does not fit is not kept.
const QUEUE: usize = 16;

/// What the page shows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CacheStatus {
    /// Bytes that may be used; 0 where nothing is kept.
    pub limit_bytes: u64,
    /// Bytes used, in whole blocks.
    pub bytes: u64,
    /// Sentences kept.
    pub sentences: usize,
    /// Sentences found since the start.
    pub hits: u64,
    /// Sentences not found.
    pub misses: u64,
    /// Why sentences are not kept; `None` while they are.
    pub trouble: Option<String>,
}

/// What an entry is found by: everything its sound depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key(String);

impl Key {
    pub fn new(engine: &str, manner: &str, text: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [engine, manner, text] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update(RATE_HZ.to_le_bytes());
        Self(hex(&hash.finalize()))
    }

    fn of_file(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(".pcm")?;
        let ours = stem.len() == 64 && stem.bytes().all(|b| b.is_ascii_hexdigit());
        ours.then(|| Self(stem.to_owned()))
    }

    fn file(&self) -> String {
        format!("{}.pcm", self.0)
    }
}

#[derive(Debug)]
enum Request {
    Get(Key, oneshot::Sender<Option<Vec<i16>>>),
    Put(Key, Vec<i16>),
}

/// A handle; cheap to clone. Without a folder it finds and keeps nothing.
#[derive(Debug, Clone)]
pub(super) struct Cache(Option<Place>);

/// Where sentences are kept.
#[derive(Debug, Clone)]
struct Place {
    requests: mpsc::Sender<Request>,
    /// How long a sentence waits for the disk; a slow one counts as a miss.
    wait: Duration,
}

impl Cache {
    /// The sentence, if it is kept and sound.
    pub async fn get(&self, key: &Key) -> Option<Vec<i16>> {
        let place = self.0.as_ref()?;
        let (answer, found) = oneshot::channel();
        let asked = async {
            place.requests.send(Request::Get(key.clone(), answer)).await.ok()?;
            found.await.ok()?
        };
        timeout(place.wait, asked).await.ok()?
    }

    /// Keeps a sentence, unless the disk is behind.
    pub fn put(&self, key: Key, pcm: Vec<i16>) {
        if let Some(place) = &self.0
            && place.requests.try_send(Request::Put(key, pcm)).is_err()
        {
            tracing::debug!("the disk is behind: a sentence is not kept");
        }
    }
}

/// Opens the cache on a thread of its own, joined by `tasks`; it ends with the last handle.
pub(super) fn start(
    dir: Option<PathBuf>,
    limit_bytes: u64,
    wait: Duration,
    tasks: &mut JoinSet<()>,
) -> (Cache, watch::Receiver<CacheStatus>) {
    let (status_out, status) = watch::channel(CacheStatus::default());
    let Some(dir) = dir else {
        return (Cache(None), status);
    };
    let (requests, queue) = mpsc::channel(QUEUE);
    tasks.spawn_blocking(move || serve(Disk::open(dir, limit_bytes), queue, &status_out));
    (Cache(Some(Place { requests, wait })), status)
}

fn serve(mut disk: Disk, mut queue: mpsc::Receiver<Request>, status: &watch::Sender<CacheStatus>) {
    status.send_replace(disk.status.clone());
    while let Some(request) = queue.blocking_recv() {
        match request {
            Request::Get(key, answer) => {
                if answer.send(disk.get(&key)).is_err() {
                    tracing::debug!("the disk was too slow for a sentence");
                }
            }
            Request::Put(key, pcm) => disk.put(&key, &pcm),
        }
        if *status.borrow() != disk.status {
            status.send_replace(disk.status.clone());
        }
    }
}

/// The folder and what is in it.
#[derive(Debug)]
struct Disk {
    dir: PathBuf,
    /// Size of each entry in bytes, rounded up to blocks.
    entries: LruCache<Key, u64>,
    status: CacheStatus,
}

impl Disk {
    fn open(dir: PathBuf, limit_bytes: u64) -> Self {
        let status = CacheStatus { limit_bytes, ..CacheStatus::default() };
        let mut disk = Self { dir, entries: LruCache::unbounded(), status };
        if let Err(error) = disk.scan() {
            disk.troubled(&error);
        }
        disk.make_room(0);
        disk
    }

    /// Finds the entries, oldest use first, and removes what a crash left behind.
    fn scan(&mut self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.ends_with(".pcm.new") {
                remove(&entry.path());
            } else if let Some(key) = Key::of_file(name) {
                let meta = entry.metadata()?;
                found.push((meta.modified().unwrap_or(SystemTime::UNIX_EPOCH), key, meta.len()));
            }
        }
        found.sort_by_key(|(used, ..)| *used);
        for (_, key, length) in found {
            self.enter(key, length);
        }
        Ok(())
    }

    fn get(&mut self, key: &Key) -> Option<Vec<i16>> {
        if self.entries.get(key).is_none() {
            self.status.misses += 1;
            return None;
        }
        let path = self.dir.join(key.file());
        match read(&path) {
            Ok(pcm) => {
                self.status.hits += 1;
                Some(pcm)
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a kept sentence is damaged: removed");
                self.status.misses += 1;
                self.drop_entry(key);
                remove(&path);
                None
            }
        }
    }

    fn put(&mut self, key: &Key, pcm: &[i16]) {
        let length = (HEADER + 2 * pcm.len()) as u64;
        if blocks(length) > self.status.limit_bytes {
            return;
        }
        self.drop_entry(key);
        self.make_room(blocks(length));
        match write(&self.dir, key, pcm) {
            Ok(()) => {
                self.enter(key.clone(), length);
                self.status.trouble = None;
            }
            Err(error) => self.troubled(&error),
        }
    }

    fn enter(&mut self, key: Key, length: u64) {
        self.status.bytes += blocks(length);
        if let Some(before) = self.entries.put(key, blocks(length)) {
            self.status.bytes -= before;
        }
        self.status.sentences = self.entries.len();
    }

    fn drop_entry(&mut self, key: &Key) {
        if let Some(length) = self.entries.pop(key) {
            self.status.bytes -= length;
        }
        self.status.sentences = self.entries.len();
    }

    /// Removes what was not used for longest, until so much more fits.
    fn make_room(&mut self, bytes: u64) {
        while self.status.bytes + bytes > self.status.limit_bytes || self.entries.len() >= ENTRIES_MAX {
            let Some((key, length)) = self.entries.pop_lru() else { break };
            self.status.bytes -= length;
            remove(&self.dir.join(key.file()));
        }
        self.status.sentences = self.entries.len();
    }

    fn troubled(&mut self, error: &io::Error) {
        let trouble = format!("{}: {error}", self.dir.display());
        if self.status.trouble.as_ref() != Some(&trouble) {
            tracing::warn!(trouble, "sentences can't be kept");
        }
        self.status.trouble = Some(trouble);
    }
}

/// What so many bytes take of a disk.
fn blocks(length: u64) -> u64 {
    length.div_ceil(BLOCK) * BLOCK
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "can't remove a kept sentence");
    }
}

fn write(dir: &Path, key: &Key, pcm: &[i16]) -> io::Result<()> {
    let path = dir.join(key.file());
    let new = dir.join(format!("{}.new", key.file()));
    let body: Vec<u8> = pcm.iter().flat_map(|s| s.to_le_bytes()).collect();
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&RATE_HZ.to_le_bytes());
    bytes.extend_from_slice(&(pcm.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&Sha256::digest(&body));
    bytes.extend_from_slice(&body);
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| file.write_all(&bytes))
        .and_then(|()| fs::rename(&new, &path));
    if written.is_err() {
        remove(&new);
    }
    written
}

/// Reads and checks an entry, and marks it as used.
fn read(path: &Path) -> io::Result<Vec<i16>> {
    let damaged = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidData, what));
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut bytes = Vec::new();
    (&file).take(length).read_to_end(&mut bytes)?;
    let Some((header, body)) = bytes.split_at_checked(HEADER) else {
        return damaged("it is too short");
    };
    let (magic, rest) = header.split_at(MAGIC.len());
    let (rate_hz, rest) = rest.split_at(4);
    let (count, hash) = rest.split_at(4);
    if magic != MAGIC || rate_hz != RATE_HZ.to_le_bytes() {
        return damaged("its header is not ours");
    }
    if count != ((body.len() / 2) as u32).to_le_bytes() || body.len() % 2 != 0 {
        return damaged("its length is wrong");
    }
    if hash != Sha256::digest(body).as_slice() {
        return damaged("its hash is wrong");
    }
    if let Err(error) = file.set_modified(SystemTime::now()) {
        tracing::debug!(%error, "the use of a kept sentence is not noted");
    }
    Ok(body.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples that fill `blocks` blocks.
    fn sentence(blocks: usize, value: i16) -> Vec<i16> {
        vec![value; blocks * BLOCK as usize / 2 - HEADER]
    }

    fn key(n: usize) -> Key {
        Key::new("espeak-ng", "en-gb-x-rp|165|35", &format!("sentence {n}"))
    }

    fn used(dir: &Path) -> u64 {
        fs::read_dir(dir).unwrap().map(|f| blocks(f.unwrap().metadata().unwrap().len())).sum()
    }

    #[test]
    fn what_is_kept_comes_back_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = Disk::open(dir.path().join("speech"), 1 << 20);
        assert_eq!(disk.get(&key(1)), None);
        disk.put(&key(1), &[1, -2, 3]);
        assert_eq!(disk.get(&key(1)), Some(vec![1, -2, 3]));
        let mut again = Disk::open(dir.path().join("speech"), 1 << 20);
        assert_eq!(again.get(&key(1)), Some(vec![1, -2, 3]));
        assert_eq!((again.status.sentences, again.status.hits, again.status.bytes), (1, 1, BLOCK));
    }

    #[test]
    fn the_key_covers_everything_the_sound_depends_on() {
        let keys = [
            Key::new("a", "v|1|2", "text"),
            Key::new("b", "v|1|2", "text"),
            Key::new("a", "v|1|3", "text"),
            Key::new("a", "v|1|2", "texts"),
            Key::new("av", "|1|2", "text"),
        ];
        for (at, one) in keys.iter().enumerate() {
            assert!(keys[..at].iter().all(|other| other != one));
        }
    }

    #[test]
    fn the_limit_holds_and_what_was_used_stays() {
        let dir = tempfile::tempdir().unwrap();
        let limit = 10 * BLOCK;
        let mut disk = Disk::open(dir.path().to_owned(), limit);
        for n in 0..100 {
            disk.put(&key(n), &sentence(1 + n % 3, n as i16));
            assert!(disk.get(&key(0)).is_some(), "sentence 0 is used every time");
            assert!(used(dir.path()) <= limit && disk.status.bytes == used(dir.path()), "after {n}");
        }
        disk.put(&key(500), &sentence(11, 5));
        assert_eq!(disk.get(&key(500)), None, "larger than the limit");
        let mut smaller = Disk::open(dir.path().to_owned(), 3 * BLOCK);
        assert!(used(dir.path()) <= 3 * BLOCK);
        assert!(smaller.get(&key(0)).is_some(), "the last used one survives a smaller limit");
    }

    #[test]
    fn damaged_entries_are_removed_and_strangers_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = Disk::open(dir.path().to_owned(), 1 << 20);
        for n in 0..6 {
            disk.put(&key(n), &sentence(1, 7));
        }
        let path = |n| dir.path().join(key(n).file());
        let change = |n, change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = fs::read(path(n)).unwrap();
            change(&mut bytes);
            fs::write(path(n), bytes).unwrap();
        };
        change(0, &|bytes| bytes.truncate(20));
        change(1, &|bytes| bytes.truncate(1000));
        change(2, &|bytes| bytes[500] ^= 1);
        change(3, &|bytes| bytes.clear());
        fs::remove_file(path(4)).unwrap();
        fs::write(dir.path().join("notes.txt"), "mine").unwrap();
        fs::write(dir.path().join(format!("{}.new", key(9).file())), "half").unwrap();
        for n in 0..5 {
            assert_eq!(disk.get(&key(n)), None, "{n}");
            assert!(!path(n).exists(), "{n}");
        }
        assert_eq!(disk.get(&key(5)), Some(sentence(1, 7)));
        let again = Disk::open(dir.path().to_owned(), 1 << 20);
        assert_eq!(again.status.sentences, 1);
        let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
        names.sort();
        let mut wanted = vec![std::ffi::OsString::from(key(5).file()), "notes.txt".into()];
        wanted.sort();
        assert_eq!(names, wanted);
    }

    #[test]
    fn a_folder_that_cannot_be_is_told_and_costs_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let mut disk = Disk::open(file.join("speech"), 1 << 20);
        assert!(disk.status.trouble.as_ref().is_some_and(|t| t.contains("file/speech")), "{:?}", disk.status);
        disk.put(&key(1), &[1, 2]);
        assert_eq!(disk.get(&key(1)), None);
        assert!(disk.status.trouble.is_some());
        assert_eq!(disk.status.bytes, 0);
    }
}
