//! What a model writes and nobody should hear: code blocks, its own thoughts, calls of tools, scripts, comments.
//!
//! These reach over many sentences, so they are taken out before a text is cut into sentences; [`super::speakable`] takes out what reaches
//! over one. They belong on the page.

/// Elements whose contents are not for the ear.
const SILENT: &[&str] = &[
    "think",
    "thinking",
    "thought",
    "thoughts",
    "reasoning",
    "reflection",
    "scratchpad",
    "tool_call",
    "tool_calls",
    "function_call",
    "function_calls",
    "tool_result",
    "tool_response",
    "script",
    "style",
    "svg",
    "pre",
];

/// Longest beginning or end of an aside that is waited for, in bytes; so much is held back at most.
pub const MAX_HELD_BYTES: usize = 128;

/// Most marks of a fence that count.
const MAX_MARKS: usize = MAX_HELD_BYTES / 4;

/// Takes the asides out of a text that comes in pieces.
#[derive(Debug, Clone, Default)]
pub struct Asides {
    inside: Option<Aside>,
    held: String,
    /// Nothing but white space stands before this place in its line.
    after_line: bool,
}

/// An aside that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aside {
    /// A code block, to as many such marks.
    Fence(char, usize),
    /// An element, to its end tag.
    Element(&'static str),
    /// `<!-- -->`.
    Comment,
}

/// What begins at a place.
enum Begins {
    /// What goes without a word: an aside and the bytes of its opening.
    Aside(Aside, usize),
    /// Nothing of the kind.
    Text,
    /// More must be known.
    Unknown,
}

impl Asides {
    /// Nothing has come yet.
    pub fn new() -> Self {
        Self { after_line: true, ..Self::default() }
    }

    /// Takes the next piece and gives what of it may be heard.
    pub fn push(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        self.take(false)
    }

    /// The text is over: the rest that may be heard. An aside that did not end reaches to the end.
    pub fn finish(mut self) -> String {
        self.take(true)
    }

    fn take(&mut self, whole: bool) -> String {
        let text = std::mem::take(&mut self.held);
        let (mut heard, mut at) = (String::with_capacity(text.len()), 0);
        while at < text.len() {
            let rest = &text[at..];
            match self.inside {
                Some(aside) => match end(aside, rest, whole) {
                    Ok(length) => {
                        at += length;
                        self.inside = None;
                    }
                    // What can't be the end's beginning is over with.
                    Err(kept) => {
                        at = text.len() - kept;
                        break;
                    }
                },
                None => match begins(rest, self.after_line, whole) {
                    Begins::Unknown => break,
                    Begins::Aside(aside, length) => {
                        self.inside = Some(aside);
                        self.after_line = true;
                        at += length;
                        heard.push('\n');
                    }
                    Begins::Text => {
                        let c = rest.chars().next().unwrap_or('\n');
                        self.after_line = c == '\n' || (self.after_line && c.is_whitespace());
                        heard.push(c);
                        at += c.len_utf8();
                    }
                },
            }
        }
        self.held.push_str(&text[at..]);
        heard
    }
}

/// The text without its asides.
pub fn without_asides(text: &str) -> String {
    let mut asides = Asides::new();
    let mut heard = asides.push(text);
    heard.push_str(&asides.finish());
    heard
}

fn begins(rest: &str, after_line: bool, whole: bool) -> Begins {
    let Some(first @ ('`' | '~' | '<')) = rest.chars().next() else { return Begins::Text };
    if first == '<' {
        return opening(rest, whole);
    }
    let marks = run_of(first, rest, MAX_MARKS);
    if marks == rest.len() && marks < MAX_MARKS && !whole {
        return Begins::Unknown;
    }
    // Tildes in a line strike words out; backquotes in a line quote code.
    if marks < 3 || (first == '~' && !after_line) {
        return Begins::Text;
    }
    Begins::Aside(Aside::Fence(first, marks), marks)
}

/// `<think>`, `<script type="x">`, `<!--`.
fn opening(rest: &str, whole: bool) -> Begins {
    let comment = "<!--";
    if rest.starts_with(comment) {
        return Begins::Aside(Aside::Comment, comment.len());
    }
    let name = rest[1..].bytes().take_while(|b| b.is_ascii_alphabetic() || *b == b'_').count();
    let open = rest.len() < MAX_HELD_BYTES && !whole;
    if comment.starts_with(rest) || name + 1 == rest.len() {
        return if open { Begins::Unknown } else { Begins::Text };
    }
    let Some(element) = SILENT.iter().find(|e| e.eq_ignore_ascii_case(&rest[1..1 + name])) else { return Begins::Text };
    match rest.bytes().take(MAX_HELD_BYTES).position(|b| b == b'>') {
        Some(close) if rest[..close].ends_with('/') => Begins::Text,
        Some(close) => Begins::Aside(Aside::Element(element), close + 1),
        _ if open => Begins::Unknown,
        _ => Begins::Text,
    }
}

/// The bytes to the end of the aside and over it; or, where it does not end in sight, the last bytes that may be its beginning.
fn end(aside: Aside, rest: &str, whole: bool) -> Result<usize, usize> {
    let close = match aside {
        Aside::Fence(mark, marks) => mark.to_string().repeat(marks),
        Aside::Element(name) => format!("</{name}"),
        Aside::Comment => "-->".to_owned(),
    };
    if let Some(at) = find(&close, rest) {
        let (after, half) = (at + close.len(), MAX_HELD_BYTES / 2);
        return match aside {
            Aside::Comment => Ok(after),
            // A longer fence closes, too; an end tag closes with its bracket.
            Aside::Fence(mark, _) => match run_of(mark, &rest[after..], half) {
                more if after + more == rest.len() && more < half && !whole => Err(rest.len() - at),
                more => Ok(after + more),
            },
            Aside::Element(_) => match rest[after..].bytes().take(half).position(|b| b == b'>') {
                Some(bracket) => Ok(after + bracket + 1),
                None if rest.len() - after >= half => Ok(after),
                None if whole => Ok(rest.len()),
                None => Err(rest.len() - at),
            },
        };
    }
    let kept = (1..close.len()).rev().find(|n| {
        rest.len()
            .checked_sub(*n)
            .and_then(|from| rest.get(from..))
            .is_some_and(|t| t.eq_ignore_ascii_case(&close[..*n]))
    });
    Err(if whole { 0 } else { kept.unwrap_or(0) })
}

/// Where the mark stands first, in either case.
fn find(mark: &str, text: &str) -> Option<usize> {
    let first = mark.chars().next()?;
    let stands = |at: &usize| text.get(*at..*at + mark.len()).is_some_and(|t| t.eq_ignore_ascii_case(mark));
    text.match_indices(first).map(|(at, _)| at).find(stands)
}

/// How many such marks stand here, `most` at most.
fn run_of(mark: char, text: &str, most: usize) -> usize {
    text.bytes().take(most).take_while(|b| char::from(*b) == mark).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is written, and what may be heard of it.
    const CASES: &[(&str, &str)] = &[
        ("Run this:\n```bash\nqm stop 104. Then wait.\n```\nThen it is done.", "Run this:\n\n\nThen it is done."),
        ("Run ````\n```\n```` now", "Run \n now"),
        ("~~~\nx\n~~~\nAll ~~not~~ well.", "\n\nAll ~~not~~ well."),
        ("`pct list` and ``x``", "`pct list` and ``x``"),
        ("<think>First. Let me see.</think>All is well.", "\nAll is well."),
        ("<THINK>\na\n\nb</Think >All is well.", "\nAll is well."),
        ("Well. <script type=\"x\">alert(1)</script>Fine.", "Well. \nFine."),
        ("<tool_call>{\"name\":\"guest_stop\"}</tool_call>Done.", "\nDone."),
        (
            "<!-- a > b -->All <b>is</b> well <thinker> <think/> a < b.",
            "\nAll <b>is</b> well <thinker> <think/> a < b.",
        ),
        ("All is well.<think>and then it stopped", "All is well.\n"),
        ("All is well. ```\nand then it stopped", "All is well. \n"),
        ("a < b, c <", "a < b, c <"),
        ("", ""),
    ];

    fn in_pieces(text: &str, size: usize) -> String {
        let mut asides = Asides::new();
        let chars: Vec<char> = text.chars().collect();
        let mut heard = String::new();
        for piece in chars.chunks(size) {
            heard.push_str(&asides.push(&piece.iter().collect::<String>()));
            assert!(asides.held.len() <= MAX_HELD_BYTES, "{} held", asides.held.len());
        }
        heard + &asides.finish()
    }

    #[test]
    fn asides_are_not_heard() {
        for (text, heard) in CASES {
            for size in [1, 2, 3, 7, 1000] {
                assert_eq!(in_pieces(text, size), *heard, "{text:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn an_endless_beginning_is_not_held_for_ever() {
        for beginning in ["<think ", "`", "~", "<", "<!--", "<think>", "```", "</think", "-"] {
            let text = format!("{}{}", beginning, beginning.repeat(2000));
            assert_eq!(in_pieces(&text, 1), in_pieces(&text, 997), "{beginning:?}");
        }
    }

    proptest! {
        #[test]
        fn the_pieces_do_not_matter(text in "(<think>|</think>|<script>|</script|<!--|-->|```|``|~~~|\n|a|<|>|/| |é){0,40}", size in 1usize..20) {
            prop_assert_eq!(in_pieces(&text, size), without_asides(&text));
        }
    }
}
