//! Fetching a recognition model that others publish, never silently: [`Published::offer`] says what would come from where, and
//! [`fetch`] takes nothing but the very bytes that were pinned.
//!
//! The archive is checked whole, by length and SHA-256, before a byte of it is unpacked; the unpacked folder takes its name only when
//! it is complete. Whoever answers at the address, or in between, can thus refuse the model but not replace it.

mod unpack;

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jarvis_core::hex::hex;
use reqwest::redirect::{Attempt, Policy};
use sha2::{Digest, Sha256};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;

pub use unpack::UnpackError;

/// The small English model of the makers of Vosk: what people who have none are offered.
pub const VOSK_SMALL_EN_US: Published<'static> = Published {
    name: "vosk-model-small-en-us-0.15",
    url: "https://alphacephei.com/vosk/models/vosk-model-small-en-us-0.15.zip",
    bytes: 41_205_931,
    sha256: "30f26242c4eb449f948e42cb302dd7a686cb29a3423a8367f99ff41780942498",
    unpacked_bytes_max: 128 << 20,
    licence: "Apache-2.0",
};

/// Longest wait for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Longest silence of a server in the middle of its answer.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);
/// Longest answer to the offer that is read.
const ANSWER_BYTES_MAX: u64 = 64;
/// Redirections that are followed.
const REDIRECTS_MAX: usize = 3;

/// A model that somebody publishes as a ZIP archive with one folder in it, pinned by its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published<'a> {
    /// Name of the model, and of the folder in the archive.
    pub name: &'a str,
    /// Where the archive is.
    pub url: &'a str,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256 in lower-case hexadecimal digits.
    pub sha256: &'a str,
    /// Bytes that its files may have in all.
    pub unpacked_bytes_max: u64,
    /// SPDX identifier of its licence.
    pub licence: &'a str,
}

/// Why a model was not installed. Nothing of it stays behind.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nobody answers, or the answer broke off.
    #[error("{url}: {reason}; is this machine on the Internet? The archive can also be unpacked by hand")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why it did not come.
        reason: String,
    },
    /// The server does not give it.
    #[error("{url}: the server says {status}; it may have moved: fetch it by hand")]
    Refused {
        /// What was asked for.
        url: String,
        /// The status, in words.
        status: String,
    },
    /// More or fewer bytes than the archive has.
    #[error("{url}: {came} bytes instead of {wanted}; not used")]
    Length {
        /// What was asked for.
        url: String,
        /// Bytes that came or were announced.
        came: u64,
        /// Bytes that the archive has.
        wanted: u64,
    },
    /// Other bytes than the pinned ones.
    #[error("{url}: SHA-256 {came} instead of {wanted}; not used")]
    Digest {
        /// What was asked for.
        url: String,
        /// Digest of what came.
        came: String,
        /// The pinned one.
        wanted: String,
    },
    /// The archive can't be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The folder can't be written.
    #[error("{path}: {source}; name a folder that you may write, with room for it")]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Published<'_> {
    /// What would be done, for people to decide on.
    pub fn offer(&self, into: &Path) -> String {
        format!(
            "{}\n  from     {}\n  size     {} bytes ({:.0} MB)\n  SHA-256  {}\n  licence  {}\n  into     {}\n",
            self.name,
            self.url,
            self.bytes,
            self.bytes as f64 / 1e6,
            self.sha256,
            self.licence,
            into.join(self.name).display()
        )
    }
}

/// Whether the next line of `input` agrees. The end of the input does not.
///
/// # Errors
/// The input can't be read.
pub fn agreed(input: &mut impl BufRead) -> io::Result<bool> {
    let mut line = String::new();
    input.take(ANSWER_BYTES_MAX).read_line(&mut line)?;
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Something that is removed unless it was finished.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let gone = match self.0.is_dir() {
            true => std::fs::remove_dir_all(&self.0),
            false => std::fs::remove_file(&self.0),
        };
        if let Err(error) = gone
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.0.display(), %error, "an unfinished download is left over");
        }
    }
}

/// Installs `model` beneath `into` and gives its folder; one that is there already is taken as it is. `progress` is told how many
/// bytes have come.
///
/// # Errors
/// See [`FetchError`].
pub async fn fetch(model: &Published<'_>, into: &Path, progress: impl FnMut(u64)) -> Result<PathBuf, FetchError> {
    let folder = into.join(model.name);
    if folder.is_dir() {
        return Ok(folder);
    }
    let disk = |path: &Path| {
        let path = path.to_owned();
        move |source| FetchError::Disk { path, source }
    };
    fs::create_dir_all(into).await.map_err(disk(into))?;
    let hidden = |what: &str| into.join(format!(".{}.{}.{what}", model.name, std::process::id()));
    let archive = Unfinished(hidden("zip"));
    download(model, &archive.0, progress).await?;
    let unpacked = Unfinished(hidden("unpacked"));
    let (from, to) = (archive.0.clone(), unpacked.0.clone());
    let (name, bytes_max) = (model.name.to_owned(), model.unpacked_bytes_max);
    tokio::task::spawn_blocking(move || unpack::unpack(&from, &name, bytes_max, &to))
        .await
        .map_err(|panic| FetchError::Disk { path: unpacked.0.clone(), source: io::Error::other(panic) })??;
    fs::rename(unpacked.0.join(model.name), &folder).await.map_err(disk(&folder))?;
    Ok(folder)
}

/// Writes the archive to `to`, having seen that it is the pinned one.
async fn download(model: &Published<'_>, to: &Path, mut progress: impl FnMut(u64)) -> Result<(), FetchError> {
    let unreachable = |error: &reqwest::Error| FetchError::Unreachable { url: model.url.into(), reason: reason(error) };
    let length = |came| FetchError::Length { url: model.url.into(), came, wanted: model.bytes };
    let disk = |source| FetchError::Disk { path: to.to_owned(), source };
    let http = client().map_err(|error| unreachable(&error))?;
    let mut response = http.get(model.url).send().await.map_err(|error| unreachable(&error))?;
    if !response.status().is_success() {
        return Err(FetchError::Refused { url: model.url.into(), status: response.status().to_string() });
    }
    if let Some(announced) = response.content_length().filter(|announced| *announced != model.bytes) {
        return Err(length(announced));
    }
    let mut file = File::create_new(to).await.map_err(disk)?;
    let mut digest = Sha256::new();
    let mut came = 0;
    while let Some(piece) = response.chunk().await.map_err(|error| unreachable(&error))? {
        came += piece.len() as u64;
        if came > model.bytes {
            return Err(length(came));
        }
        digest.update(&piece);
        file.write_all(&piece).await.map_err(disk)?;
        progress(came);
    }
    if came != model.bytes {
        return Err(length(came));
    }
    let found = hex(&digest.finalize());
    if found != model.sha256 {
        return Err(FetchError::Digest { url: model.url.into(), came: found, wanted: model.sha256.into() });
    }
    file.sync_all().await.map_err(disk)
}

fn client() -> reqwest::Result<reqwest::Client> {
    // A process-wide provider is what reqwest looks for; whoever came first named the same one.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_LIMIT)
        .read_timeout(SILENCE_LIMIT)
        .redirect(Policy::custom(follow))
        .build()
}

/// A few redirections, and never from an encrypted address to one in the clear.
fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let was_https = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
    if attempt.previous().len() > REDIRECTS_MAX {
        attempt.error(format!("more than {REDIRECTS_MAX} redirections"))
    } else if was_https && attempt.url().scheme() != "https" {
        attempt.error("a redirection to an address without encryption")
    } else {
        attempt.follow()
    }
}

/// The innermost cause: reqwest's own words name the address and little else.
fn reason(error: &reqwest::Error) -> String {
    let mut why = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        why = inner.to_string();
        source = inner.source();
    }
    why
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_agrees_by_accident() {
        for (answer, wanted) in
            [("y\n", true), (" YES \n", true), ("", false), ("\n", false), ("n\n", false), ("yesterday\n", false)]
        {
            assert_eq!(agreed(&mut answer.as_bytes()).unwrap(), wanted, "{answer:?}");
        }
    }

    #[test]
    fn the_offer_names_address_size_and_digest() {
        let offer = VOSK_SMALL_EN_US.offer(Path::new("/models"));
        for wanted in
            [VOSK_SMALL_EN_US.url, "41205931 bytes (41 MB)", VOSK_SMALL_EN_US.sha256, "/models/vosk-model-small"]
        {
            assert!(offer.contains(wanted), "{wanted}: {offer}");
        }
        assert_eq!(VOSK_SMALL_EN_US.sha256.len(), 64);
    }
}
