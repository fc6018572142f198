//! The audit log as a whole: its entries are in the database, the newest one's hash in a file beside it, so that a log cut short at
//! its end is found as well. And the key of the seals.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jarvis_core::approval::SealKey;
use jarvis_core::audit::{Broken, Hash};
use jarvis_core::tools::{self, Call};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;

use super::SafetyError;
use crate::event::{Bus, EventKind};
use crate::store::{AuditShown, Store};

/// Longest text of a call's arguments that is written down, in characters.
const ARGS_CHARS_MAX: usize = 2000;
/// Where this file lies at the start, the head is noted anew, whatever it was; it is taken away, and an entry says so.
pub const ACCEPT: &str = "audit.accept";
/// Mode of the files: the daemon's user alone.
const MODE: u32 = 0o600;

/// Number and hash of the newest entry, as they are noted in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

/// The log.
#[derive(Clone)]
pub struct Journal {
    state_dir: PathBuf,
    store: Store,
    key: SealKey,
    bus: Bus,
    new: bool,
    accepted: bool,
    /// Whoever notes the head has the file to himself.
    noted: Arc<Mutex<Noted>>,
}

/// What is known of the head that was noted last.
#[derive(Debug)]
enum Noted {
    /// It is in the log; `None` before the first entry.
    Sound(Option<Head>),
    /// It is not, or is gone: it is left as it is, so that nothing the daemon writes covers that up.
    Unsound,
}

impl Default for Noted {
    fn default() -> Self {
        Self::Sound(None)
    }
}

impl Journal {
    /// The log in `store`, its head in `state_dir`.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn open(state_dir: &Path, store: Store, key: SealKey, bus: Bus) -> Result<Self, SafetyError> {
        let newest = store.audit_head().await?;
        let new = newest.is_none() && !head_file(state_dir).exists();
        let accepted = fs::remove_file(state_dir.join(ACCEPT)).is_ok();
        let journal = Self { state_dir: state_dir.to_owned(), store, key, bus, new, accepted, noted: Arc::default() };
        if !accepted {
            let trouble = match (journal.head(), newest) {
                (Ok(None), None) => None,
                (Ok(None), Some(_)) => Some("the note of the log's newest entry is gone".to_owned()),
                (Ok(Some(head)), _) if journal.store.audit_hash(head.seq).await? == Some(head.hash) => {
                    *journal.noted.lock().await = Noted::Sound(Some(head));
                    None
                }
                (Ok(Some(head)), _) => Some(format!("entry {} is not the one that was noted, or is gone", head.seq)),
                (Err(error), _) => Some(error.to_string()),
            };
            if let Some(trouble) = trouble {
                *journal.noted.lock().await = Noted::Unsound;
                journal.tell(&trouble);
            }
        }
        Ok(journal)
    }

    /// Whether nothing was ever written, here or elsewhere.
    pub fn is_new(&self) -> bool {
        self.new
    }

    /// Whether the owner asked for the head to be noted anew, whatever it was.
    pub(super) fn is_accepted(&self) -> bool {
        self.accepted
    }

    pub(super) fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// Notes the newest entry outside the database.
    pub(super) async fn note(&self) -> Result<(), SafetyError> {
        let mut noted = self.noted.lock().await;
        let Noted::Sound(before) = &*noted else { return Ok(()) };
        let Some((seq, hash)) = self.store.audit_head().await? else { return Ok(()) };
        if let Some(before) = before
            && self.store.audit_hash(before.seq).await? != Some(before.hash)
        {
            self.tell(&format!("entry {} was changed or taken out since it was written", before.seq));
            *noted = Noted::Unsound;
            return Ok(());
        }
        let head = Head { seq, hash };
        let path = head_file(&self.state_dir);
        let text = serde_json::to_vec(&head).unwrap_or_default();
        let beside = path.with_extension("new");
        let written = write_new(&beside, &text)
            .and_then(|()| fs::rename(&beside, &path))
            .and_then(|()| fs::File::open(&self.state_dir)?.sync_all());
        written.map_err(|source| SafetyError::File { doing: "cannot write", path, source })?;
        *noted = Noted::Sound(Some(head));
        Ok(())
    }

    fn tell(&self, trouble: &str) {
        let reason = format!("the audit log does not hold: {trouble}; `jarvisctl audit verify` says what to do");
        tracing::error!("{reason}");
        self.bus.tell(EventKind::Degraded { part: "audit log".into(), reason, fallback: None });
    }

    fn head(&self) -> Result<Option<Head>, SafetyError> {
        let path = head_file(&self.state_dir);
        let read = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => Err(error),
        };
        read.map(Some).map_err(|source| SafetyError::File { doing: "cannot read", path, source })
    }

    /// Checks every entry, and that none is missing at the end.
    ///
    /// # Errors
    /// Where the store or the noted head cannot be read.
    pub async fn verify(&self) -> Result<Result<u64, Broken>, SafetyError> {
        // Nothing is noted between the look at the head and the look at the log.
        let _alone = self.noted.lock().await;
        let head = self.head()?.map(|head| (head.seq, head.hash));
        Ok(self.store.verify_audit(self.key.clone(), head).await?)
    }

    /// The newest entries, newest last, without the two words of any question: entries of older releases hold them.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn tail(&self, limit: u32) -> Result<Vec<AuditShown>, SafetyError> {
        let mut shown = self.store.audit_tail(limit).await?;
        let challenges = self.store.challenges(shown.iter().filter_map(|entry| entry.approval).collect()).await?;
        for entry in &mut shown {
            let words = entry.approval.and_then(|id| challenges.get(&id));
            if let (Some(words), Some(content)) = (words, &mut entry.content) {
                hide(content, words);
            }
        }
        Ok(shown)
    }
}

/// Takes `words` out of every text in `content`.
fn hide(content: &mut Value, words: &str) {
    match content {
        Value::String(text) => *text = super::view::without(text, Some(words)),
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, words)),
        Value::Object(fields) => fields.values_mut().for_each(|field| hide(field, words)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn head_file(state_dir: &Path) -> PathBuf {
    state_dir.join("audit.head")
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The key in `state_dir`, drawn at the first start. A damaged one is drawn anew: what was asked before is void then, and what was written
/// down before is not known any more to be as it was. One that cannot be read is left alone.
pub(super) fn seal_key(state_dir: &Path, random: &SystemRandom) -> Result<SealKey, SafetyError> {
    let path = state_dir.join("approval.key");
    match fs::read(&path) {
        Ok(bytes) => match <[u8; 32]>::try_from(bytes.as_slice()) {
            Ok(key) => return Ok(SealKey(key)),
            Err(_) => tracing::error!("{} is damaged: it is drawn anew", path.display()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(SafetyError::File { doing: "cannot read", path, source }),
    }
    let mut key = [0; 32];
    random.fill(&mut key).map_err(|_| SafetyError::NoRandom)?;
    write_new(&path, &key).map_err(|source| SafetyError::File { doing: "cannot make", path, source })?;
    Ok(SealKey(key))
}

/// Arguments as they are written down: secrets taken out, bounded.
pub(super) fn clean(args: &str) -> String {
    jarvis_core::redact::redact(args).text.chars().take(ARGS_CHARS_MAX).collect()
}

#[derive(Serialize, Deserialize)]
struct Stored {
    tool: String,
    args: String,
}

/// A call as a row keeps it.
pub(super) fn store_call(call: &Call) -> String {
    let stored = Stored { tool: call.name().to_owned(), args: call.json() };
    serde_json::to_string(&stored).unwrap_or_default()
}

/// A call from a row; `None` where its tool changed since.
pub(super) fn stored_call(text: &str) -> Option<Call> {
    let stored: Stored = serde_json::from_str(text).ok()?;
    tools::parse(&stored.tool, &stored.args).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_and_one_that_cannot_be_read_is_no_reason_for_another() {
        let (dir, random) = (tempfile::tempdir().unwrap(), SystemRandom::new());
        let key = seal_key(dir.path(), &random).unwrap();
        assert_eq!(seal_key(dir.path(), &random).unwrap().0, key.0);
        let path = dir.path().join("approval.key");
        fs::write(&path, "short").unwrap();
        assert_ne!(seal_key(dir.path(), &random).unwrap().0, key.0);
        fs::remove_file(&path).unwrap();
        // A folder is there, and cannot be read.
        fs::create_dir(&path).unwrap();
        assert!(matches!(seal_key(dir.path(), &random), Err(SafetyError::File { .. })));
        assert!(path.is_dir());
    }
}
