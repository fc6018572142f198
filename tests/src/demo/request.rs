//! What the demo says: from `SAY`, `WAV` or `SCRIPT`, and what is known of it before anybody heard it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::sound;

/// Voice of `SAY` where none is given.
pub const VOICE: &str = "en-gb-x-rp";
/// What is said where nothing is given.
pub const SAY: &str = "hey jarvis, how hot is node two";
/// Longest script, in lines.
const LINES_MAX: usize = 1000;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Spoken by a synthetic voice.
    Spoken {
        /// Voice of espeak-ng.
        voice: String,
        /// Text with the wake word.
        text: String,
    },
    /// A recording.
    Recorded {
        /// A WAV file.
        path: PathBuf,
        /// What is said in it, with the wake word, where that is known.
        text: Option<String>,
    },
}

impl Request {
    /// Its sound, 16 kHz mono, as loud as a person at a metre or two.
    pub fn sound(&self) -> Result<Vec<i16>> {
        let samples = match self {
            Self::Spoken { voice, text } => sound::espeak(voice, text)?,
            Self::Recorded { path, .. } => sound::trim(&sound::read_wav(path)?),
        };
        ensure!(!samples.is_empty(), "{self}: there is no sound in it");
        Ok(sound::scaled(&samples, 9000))
    }

    /// What was asked, wake word and punctuation taken off; `None` for a recording of which nobody told what it says.
    pub fn asked(&self) -> Option<String> {
        match self {
            Self::Spoken { text, .. } => Some(plain(text)),
            Self::Recorded { text, .. } => text.as_deref().map(plain),
        }
    }
}

/// A request as a recogniser writes it, the wake word taken off.
pub(super) fn plain(text: &str) -> String {
    let plain: String =
        text.to_lowercase().chars().map(|c| if c.is_alphanumeric() || c == '\'' { c } else { ' ' }).collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    let start = usize::from(words.first() == Some(&"hey"));
    let start = start + usize::from(words.get(start) == Some(&"jarvis"));
    words[start..].join(" ")
}

impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Spoken { voice, text } => write!(f, "{voice}: \"{text}\""),
            Self::Recorded { path, text: None } => write!(f, "{}", path.display()),
            Self::Recorded { path, text: Some(text) } => write!(f, "{}: \"{text}\"", path.display()),
        }
    }
}

/// Reads a script: a line each, `voice|text`, `wav:path` or `wav:path|text`; empty lines and lines beginning with `#` are left out.
pub fn script(path: &Path) -> Result<Vec<Request>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read the script {}", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut requests = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(file) = line.strip_prefix("wav:") {
            let (file, text) = match file.split_once('|') {
                Some((file, text)) => (file.trim(), Some(text.trim().to_owned())),
                None => (file, None),
            };
            // An absolute path takes the folder's place.
            requests.push(Request::Recorded { path: folder.join(file), text });
        } else if let Some((voice, text)) = line.split_once('|') {
            requests.push(Request::Spoken { voice: voice.trim().to_owned(), text: text.trim().to_owned() });
        } else {
            bail!(
                "{}:{}: neither 'voice|text' nor 'wav:path' nor 'wav:path|text': {line:?}",
                path.display(),
                number + 1
            );
        }
        ensure!(requests.len() <= LINES_MAX, "{}: more than {LINES_MAX} requests", path.display());
    }
    ensure!(!requests.is_empty(), "{}: no request in it", path.display());
    Ok(requests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wake_word_is_taken_off() {
        let spoken = |text: &str| Request::Spoken { voice: VOICE.into(), text: text.into() }.asked().unwrap();
        assert_eq!(spoken("hey jarvis, how hot is node two"), "how hot is node two");
        assert_eq!(spoken("Hey Jarvis! What's wrong?"), "what's wrong");
        assert_eq!(spoken("how hot is node two"), "how hot is node two");
        let recorded = |text: Option<&str>| Request::Recorded { path: "a.wav".into(), text: text.map(str::to_owned) };
        assert_eq!(recorded(Some("Hey Jarvis, stop.")).asked().as_deref(), Some("stop"));
        assert_eq!(recorded(None).asked(), None, "nobody knows what a recording says");
    }

    #[test]
    fn scripts_are_read_line_by_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("s");
        std::fs::write(&file, "# a comment\n\nen-us | hey jarvis, stop\nwav:a.wav\nwav:/b.wav | hey jarvis, stop\n")
            .unwrap();
        assert_eq!(
            script(&file).unwrap(),
            vec![
                Request::Spoken { voice: "en-us".into(), text: "hey jarvis, stop".into() },
                Request::Recorded { path: dir.path().join("a.wav"), text: None },
                Request::Recorded { path: "/b.wav".into(), text: Some("hey jarvis, stop".into()) },
            ]
        );
        std::fs::write(&file, "en-us hey\n").unwrap();
        let error = script(&file).unwrap_err().to_string();
        assert!(error.contains(":1:"), "{error}");
    }
}
