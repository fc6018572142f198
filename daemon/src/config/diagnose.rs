//! What is wrong with the file, in the owner's words: where, what, and the nearest right thing.

use std::fmt;
use std::path::{Path, PathBuf};

/// Least similarity, 0.0 to 1.0, at which another key is offered.
const NEAR: f64 = 0.6;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It can't be read.
    #[error("{path}: {source}\n  remedy: {}", unreadable_remedy(source))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is too long to be one.
    #[error("{path}: {size} bytes are no configuration\n  remedy: name the right file")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        size: u64,
    },
    /// It says something wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Mistake>),
}

fn unreadable_remedy(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::NotFound => "write it (the README has an example), or name it with --config",
        std::io::ErrorKind::PermissionDenied => "let the daemon's user read it",
        std::io::ErrorKind::InvalidData => "save it as UTF-8",
        _ => "let the daemon's user read it",
    }
}

/// One mistake in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1; 0 where it is about the whole file.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The line itself.
    pub source: String,
    /// How many characters of it are meant.
    pub width: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        writeln!(f, ": {}", self.what)?;
        if self.line > 0 && !self.source.is_empty() {
            let number = self.line.to_string();
            let gutter = " ".repeat(number.len());
            // Tabs before the spot stay tabs, so that the mark stands below it.
            let lead: String =
                self.source.chars().take(self.column - 1).map(|c| if c == '\t' { c } else { ' ' }).collect();
            writeln!(f, "  {number} | {}", self.source)?;
            writeln!(f, "  {gutter} | {lead}{}", "^".repeat(self.width.max(1)))?;
        }
        write!(f, "  remedy: {}", self.remedy)
    }
}

/// Puts the parser's error into our words.
pub(super) fn explain(error: &toml::de::Error, text: &str, path: &Path) -> Mistake {
    let message = error.message().trim();
    let (what, remedy) = in_words(message);
    mistake(text, path, error.span(), what, remedy)
}

/// A mistake at a range of bytes in `text`.
pub(super) fn mistake(
    text: &str,
    path: &Path,
    span: Option<std::ops::Range<usize>>,
    what: String,
    remedy: String,
) -> Mistake {
    let Some(span) = span.filter(|s| text.is_char_boundary(s.start.min(text.len()))) else {
        return Mistake { path: path.to_owned(), line: 0, column: 0, source: String::new(), width: 0, what, remedy };
    };
    let start = span.start.min(text.len());
    let before = &text[..start];
    let line_start = before.rfind('\n').map_or(0, |n| n + 1);
    let source = text[line_start..].lines().next().unwrap_or("");
    let column = before[line_start..].chars().count() + 1;
    let meant = text.get(start..span.end).unwrap_or("").lines().next().unwrap_or("");
    Mistake {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        column,
        source: source.to_owned(),
        width: meant.chars().count(),
        what,
        remedy,
    }
}

fn in_words(message: &str) -> (String, String) {
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return unknown("key", rest);
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return unknown("value", rest);
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        return (format!("{rest} is missing here"), format!("add {rest} = ..."));
    }
    if message.contains("socket address") {
        return (message.to_owned(), "write address and port, as in \"127.0.0.1:7421\" or \"[::1]:7421\"".to_owned());
    }
    if message.starts_with("invalid type") || message.starts_with("invalid value") {
        return (message.to_owned(), "write the kind of value that is expected".to_owned());
    }
    if message.contains("no SHA-256 fingerprint") {
        return (message.to_owned(), "docs/cluster.md says how to read it off the node".to_owned());
    }
    if message.contains("duplicate key") {
        return (message.to_owned(), "keep one of the two".to_owned());
    }
    (message.to_owned(), "correct this spot (strings stand in quotes, sections in [brackets])".to_owned())
}

/// From serde's "`adress`, expected one of `address`, `name`".
fn unknown(kind: &str, rest: &str) -> (String, String) {
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let given = quoted.next().unwrap_or("");
    let known: Vec<&str> = quoted.collect();
    let what = format!("unknown {kind} `{given}`");
    if known.is_empty() {
        return (what, "take it out: there is nothing to set here".to_owned());
    }
    let list = known.join(", ");
    let remedy = match nearest(given, &known) {
        Some(near) => format!("did you mean `{near}`? (known here: {list})"),
        None => format!("known here: {list}"),
    };
    (what, remedy)
}

/// The known word most like `given`, where one is like it at all.
pub(super) fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|word| (strsim::normalized_damerau_levenshtein(given, word), *word))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}
