//! Takes secrets out of a text before a model, a log, the memory, the page or the loudspeaker gets it.
//!
//! [`redact`] takes a whole text, [`Stream`] one that comes in pieces; both give the same result. Where a secret stood, a mark says what
//! kind it was ([`Kind::mark`]); [`spoken`] makes words of the marks. Nothing here is certain: a detector knows forms, names and
//! sentences, and a secret that looks like a word and is called nothing goes through.
//!
//! A detector is a function from a place in a text to a [`scan::Match`], one file for each family and one line for each in
//! that file's table:
//!
//! | file | knows secrets by |
//! |---|---|
//! | `block` | the lines around them: PEM, PGP, dumps of keys |
//! | `proxmox` | their form: tokens, tickets and keys of Proxmox and Ceph |
//! | `issued` | the name of their issuer: `ghp_`, `sk-ant-`, web tokens |
//! | `hash` | their scheme: `$6$`, `{SSHA}` |
//! | `address` | their place in an address |
//! | `assigned`, `key` | the name they are assigned to |
//! | `value`, `shape`, `words` | what the families say of a value: is it one, is it a word, did chance make it |
//! | `command` | the command they are given to |
//! | `lines` | the form of their line |
//! | `prose` | the sentence they stand in |
//! | `encoded` | what they decode to |
//!
//! Time is linear in the text: every place is looked at once, and no detector looks further than [`MAX_HELD_BYTES`].

mod address;
mod assigned;
mod block;
mod command;
mod context;
mod encoded;
mod hash;
mod issued;
mod key;
mod kind;
mod lines;
mod prose;
mod proxmox;
mod reader;
mod run;
mod scan;
mod shape;
mod stream;
mod value;
mod words;

use std::ops::Range;

pub use kind::{Kind, spoken};
pub use stream::Stream;

use scan::{Look, Match, Scanner};

/// Longest text that is redacted, in bytes; what is beyond is left out, since nobody looked at it.
pub const MAX_TEXT_BYTES: usize = 5 * 1024 * 1024;

/// The most that a [`Stream`] holds back, in bytes.
pub const MAX_HELD_BYTES: usize = scan::LOOK_AHEAD_BYTES;

/// A secret that was taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it was for.
    pub kind: Kind,
    /// Where it stood in the text as it came, in bytes.
    pub span: Range<usize>,
}

/// A text without its secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redacted {
    /// The text, with a mark where each secret stood.
    pub text: String,
    /// What was taken out, in order.
    pub findings: Vec<Finding>,
    /// Bytes beyond [`MAX_TEXT_BYTES`] that were left out.
    pub left_out: usize,
}

impl Redacted {
    /// The text for the ear: its marks in words.
    pub fn spoken(&self) -> String {
        spoken(&self.text)
    }
}

/// A family of detectors.
struct Family {
    /// Characters with which what it knows begins.
    starts: fn(char) -> bool,
    find: fn(&Look<'_>) -> Option<Match>,
}

/// Every family, the surer before the less sure.
const FAMILIES: &[Family] = &[
    Family { starts: |_| true, find: block::find },
    Family { starts: |c| c.is_ascii_alphanumeric(), find: proxmox::find },
    Family { starts: |c| c.is_ascii_alphanumeric(), find: issued::find },
    Family { starts: |c| c == '$' || c == '{', find: hash::find },
    Family { starts: |c| c.is_ascii_alphanumeric() || c == '-', find: command::find },
    Family { starts: |c| c == ':', find: address::find },
    Family { starts: |_| true, find: lines::find },
    Family { starts: |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'), find: assigned::find },
    Family { starts: |c| c.is_ascii_alphanumeric() || c == '+' || c == '/', find: encoded::find },
    Family { starts: |c| c.is_alphanumeric(), find: prose::find },
];

/// Takes the secrets out of a text.
///
/// ```
/// use jarvis_core::redact::{Kind, redact};
/// let redacted = redact("qm set 104 --cipassword Wint3r!Garden --ciuser debian");
/// assert_eq!(redacted.text, "qm set 104 --cipassword [secret: password] --ciuser debian");
/// assert_eq!(redacted.findings[0].kind, Kind::Password);
/// assert_eq!(redacted.spoken(), "qm set 104 --cipassword a secret --ciuser debian");
/// ```
pub fn redact(text: &str) -> Redacted {
    let kept = text.floor_char_boundary(MAX_TEXT_BYTES);
    let mut redacted = redact_at(&text[..kept], 0);
    redacted.left_out = text.len() - kept;
    redacted
}

/// The same, for a text that was found so many encodings deep.
fn redact_at(text: &str, depth: u8) -> Redacted {
    let mut out = Redacted { text: String::with_capacity(text.len()), ..Redacted::default() };
    Scanner::new(depth).scan(text, true, &mut out);
    out
}

#[cfg(test)]
mod tests;
