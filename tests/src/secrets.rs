//! The frozen texts with secrets and without, and how redaction did on them.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use jarvis_core::redact::redact;

/// A line of `tests/frozen/secrets.tsv` or `tests/frozen/not_secrets.tsv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What it is an example of.
    pub sort: String,
    /// The text as it would come.
    pub text: String,
    /// What must vanish, in bytes of the text; nothing, in a text without secrets.
    pub secrets: Vec<Range<usize>>,
}

/// What redaction did to a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Secrets of which any part is left.
    pub missed: Vec<String>,
    /// What went and should have stayed.
    pub taken: Vec<String>,
}

/// The frozen texts of this file.
pub fn frozen(root: &Path, name: &str) -> Result<Vec<Text>> {
    let path = root.join("tests/frozen").join(name);
    let file = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let parsed = file.lines().enumerate();
    parsed.map(|(n, line)| parse(line).with_context(|| format!("{}:{}", path.display(), n + 1))).collect()
}

/// Reads a line; the frozen README says how it is written.
pub fn parse(line: &str) -> Result<Text> {
    let (sort, written) = line.split_once('\t').context("a sort, a tab and a text are wanted")?;
    ensure!(!sort.is_empty() && !written.contains('\t'), "two fields are wanted; a tab in the text is written ⇥");
    let (mut text, mut secrets, mut open) = (String::new(), Vec::new(), None);
    for c in written.chars() {
        match (c, open) {
            ('⟦', None) => open = Some(text.len()),
            ('⟧', Some(start)) if start < text.len() => {
                secrets.push(start..text.len());
                open = None;
            }
            ('⟦' | '⟧', _) => bail!("the brackets of a secret do not match"),
            ('⏎', _) => text.push('\n'),
            ('⇥', _) => text.push('\t'),
            ('·', _) => {}
            (c, _) => text.push(c),
        }
    }
    ensure!(open.is_none(), "the brackets of a secret do not match");
    Ok(Text { sort: sort.to_owned(), text, secrets })
}

/// Redacts the text and looks at what became of its secrets.
pub fn judge(text: &Text) -> Judgement {
    let findings = redact(&text.text).findings;
    let gone = |at: &usize| findings.iter().any(|f| f.span.contains(at));
    let secret = |at: &usize| text.secrets.iter().any(|s| s.contains(at));
    let missed = text.secrets.iter().filter(|s| !Range::clone(s).all(|at| gone(&at)));
    let taken = findings.iter().filter(|f| !f.span.clone().all(|at| secret(&at)));
    Judgement {
        missed: missed.map(|s| text.text[s.clone()].to_owned()).collect(),
        taken: taken.map(|f| text.text[f.span.clone()].to_owned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    #[test]
    fn lines_are_read_as_the_readme_says() {
        let text = parse("sort\ta⏎⇥b=⟦s·3⟧ ⟦é⟧.").unwrap();
        assert_eq!((text.sort.as_str(), text.text.as_str()), ("sort", "a\n\tb=s3 é."));
        assert_eq!(text.secrets.iter().map(|s| &text.text[s.clone()]).collect::<Vec<_>>(), ["s3", "é"]);
        for broken in ["no tab", "\tno sort", "a\tb\tc", "a\t⟦b", "a\tb⟧", "a\t⟦⟧", "a\t⟦b⟦c⟧"] {
            assert!(parse(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn a_half_redacted_secret_is_missed() {
        let half = Text {
            sort: String::new(),
            text: "password=hunter2 left".to_owned(),
            secrets: std::iter::once(9..21).collect(),
        };
        assert_eq!(judge(&half).missed, ["hunter2 left"]);
        let none = Text { secrets: vec![], ..half };
        assert_eq!(judge(&none), Judgement { missed: vec![], taken: vec!["hunter2".to_owned()] });
    }

    #[test]
    fn the_corpora_are_as_large_as_was_promised() {
        let secrets = frozen(root(), "secrets.tsv").unwrap();
        assert!(secrets.len() >= 220 && secrets.iter().all(|t| !t.secrets.is_empty()));
        let others = frozen(root(), "not_secrets.tsv").unwrap();
        assert!(others.len() >= 220 && others.iter().all(|t| t.secrets.is_empty()));
    }

    #[test]
    fn every_miss_is_listed() {
        let texts = frozen(root(), "secrets.tsv").unwrap();
        let misses: Vec<_> = texts.iter().map(|t| (t, judge(t).missed)).filter(|(_, m)| !m.is_empty()).collect();
        assert!(misses.is_empty(), "{} of {} texts: {misses:#?}", misses.len(), texts.len());
    }

    #[test]
    fn everything_taken_without_need_is_listed() {
        let texts = frozen(root(), "not_secrets.tsv").unwrap();
        let taken: Vec<_> = texts.iter().map(|t| (t, judge(t).taken)).filter(|(_, t)| !t.is_empty()).collect();
        assert!(taken.is_empty(), "{} of {} texts: {taken:#?}", taken.len(), texts.len());
        // Around a secret, too much may go only where it can't be told from one: the id of a libvirt secret is a UUID under `--secret`.
        let texts = frozen(root(), "secrets.tsv").unwrap();
        let beyond: Vec<_> = texts.iter().filter(|t| !judge(t).taken.is_empty()).map(|t| t.sort.as_str()).collect();
        assert_eq!(beyond, ["ceph keyring, libvirt"]);
    }
}
