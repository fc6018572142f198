//! Before: markup and characters that nobody says. After: only what an engine can say.

use super::{asides, html, math};

/// Takes asides, markdown, HTML, emoji and control characters away and writes typographic marks plainly.
pub(super) fn clean(text: &str) -> String {
    let text = asides::without_asides(&without_codes(text));
    let mut plain = String::with_capacity(text.len());
    for line in text.lines() {
        let line = line.trim();
        if is_rule(line) || line.starts_with(":::") || is_definition(line) {
            continue;
        }
        let before = plain.len();
        inline(&marks(strip_marker(line)), &mut plain);
        let ended = plain[before..].trim_end().ends_with(['.', '!', '?', ':', ';', ',']);
        // A line of a list is a clause of its own.
        plain.push_str(if ended || plain.len() == before { " " } else { ", " });
    }
    plain.trim_end_matches([' ', ',']).to_owned()
}

/// A line that only draws: `---`, `|---|---|`.
fn is_rule(line: &str) -> bool {
    line.len() >= 3 && line.chars().all(|c| matches!(c, '-' | '*' | '_' | '=' | '|' | ':' | ' '))
}

/// Where a link's name leads: `[docs]: https://docs.example.net`.
fn is_definition(line: &str) -> bool {
    let definition = line.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
    definition.is_some_and(|(name, target)| {
        !name.starts_with('^') && target.trim_start_matches('<').starts_with(['h', '/', '#'])
    }) && line.contains('/')
}

/// Without the codes that colour a terminal: ESC, `[`, numbers, a letter.
fn without_codes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut parts = text.split('\u{1b}');
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let code = part
            .strip_prefix('[')
            .map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || ";?".contains(c)));
        plain.push_str(match code {
            Some(rest) => rest.strip_prefix(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest),
            None => part,
        });
    }
    plain
}

/// The line without its list, heading or quotation marker.
fn strip_marker(line: &str) -> &str {
    let mut line = line;
    loop {
        let rest = line
            .strip_prefix("[ ] ")
            .or_else(|| line.strip_prefix("[x] "))
            .or_else(|| line.strip_prefix("[X] "))
            .or_else(|| line.strip_prefix("- "))
            .or_else(|| line.strip_prefix("* "))
            .or_else(|| line.strip_prefix("+ "))
            .or_else(|| line.strip_prefix("• "))
            .or_else(|| line.strip_prefix("> "))
            .or_else(|| {
                let rest = line.trim_start_matches('#');
                (rest.len() < line.len()).then(|| rest.strip_prefix(' '))?
            });
        match rest {
            Some(rest) => line = rest.trim_start(),
            None => return line,
        }
    }
}

/// Links, emphasis, code, formulas and HTML.
fn inline(line: &str, plain: &mut String) {
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if let Some((shown, after)) = link(rest) {
            inline(shown, plain);
            rest = after;
            continue;
        }
        let instead = html::address(rest)
            .or_else(|| html::tag(rest))
            .map(|(plain, after)| (plain.to_owned(), after))
            .or_else(|| html::entity(rest).map(|(text, after)| (marks(&text), after)))
            .or_else(|| math::formula(rest))
            .or_else(|| footnote(rest).map(|after| (String::new(), after)));
        if let Some((words, after)) = instead {
            plain.push_str(&words);
            rest = after;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '*' | '`' => {}
            '~' if rest.starts_with('~') => rest = &rest[1..],
            // Emphasis stands at the edge of a word, names hold it within.
            '_' if !plain.ends_with(char::is_alphanumeric) || !rest.starts_with(char::is_alphanumeric) => {}
            '|' => plain.push_str(" , "),
            _ => plain.push(c),
        }
    }
}

/// `[^1]`, with the colon of the note itself: what follows it.
fn footnote(text: &str) -> Option<&str> {
    let (name, after) = text.strip_prefix("[^")?.split_once(']')?;
    let named = !name.is_empty() && name.len() <= 16 && !name.contains(char::is_whitespace);
    named.then(|| after.strip_prefix(':').unwrap_or(after))
}

/// `[shown](target)`, `![shown](target)` or `[shown][name]`: what is shown, and what follows.
fn link(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix("![").or_else(|| text.strip_prefix('['))?;
    let (shown, after) = inner.split_once(']')?;
    if shown.contains('[') {
        return None;
    }
    if let Some(target) = after.strip_prefix('(') {
        return Some((shown, after_target(target)?));
    }
    let (name, after) = after.strip_prefix('[')?.split_once(']')?;
    (!shown.is_empty() && !name.contains('[')).then_some((shown, after))
}

/// What follows the bracket that closes a link's target; targets hold brackets in pairs.
fn after_target(target: &str) -> Option<&str> {
    let mut depth = 1;
    for (at, c) in target.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&target[at + 1..]);
        }
    }
    None
}

/// Typographic marks as plain ones, symbols as words, anything else that can't be said as a space.
fn marks(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '‘' | '’' | 'ʼ' => plain.push('\''),
            '“' | '”' | '„' | '«' | '»' => plain.push('"'),
            '–' | '−' | '‐' | '‑' => {
                let figures =
                    plain.ends_with(|c: char| c.is_ascii_digit()) && chars.peek().is_some_and(char::is_ascii_digit);
                let apart = plain.ends_with(' ') && chars.peek().is_none_or(|c| *c == ' ');
                plain.push_str(match (figures, apart) {
                    (true, _) => " to ",
                    (_, true) => ", ",
                    _ => "-",
                });
            }
            '—' => plain.push_str(", "),
            '…' => plain.push_str(". "),
            '×' => plain.push_str(" times "),
            '÷' => plain.push_str(" divided by "),
            '→' | '⇒' => plain.push_str(" to "),
            '±' => plain.push_str(" plus or minus "),
            '≈' => plain.push('~'),
            '≤' => plain.push_str(" at most "),
            '≥' => plain.push_str(" at least "),
            '≠' => plain.push_str(" not "),
            '℃' => plain.push_str("°C"),
            '½' => plain.push_str(" a half "),
            '¼' => plain.push_str(" a quarter "),
            '¾' => plain.push_str(" three quarters "),
            'µ' | 'μ' => plain.push('µ'),
            '\u{00ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => {}
            '°' | '€' | '£' => plain.push(c),
            c if c.is_ascii_graphic() || sayable(c) => plain.push(c),
            _ => plain.push(' '),
        }
    }
    plain
}

/// Letters of Latin script.
fn sayable(c: char) -> bool {
    c.is_alphabetic() && c <= '\u{024f}' && c != 'ª' && c != 'º'
}

/// One space between words, one pause at a time, nothing but letters and pauses, and no longer than `limit` bytes.
pub(super) fn finish(spoken: &str, limit: usize) -> String {
    let mut words = String::with_capacity(spoken.len().min(limit));
    for c in spoken.chars() {
        if words.len() + c.len_utf8() > limit {
            let whole = words.rfind(' ').unwrap_or(0);
            words.truncate(whole);
            break;
        }
        match c {
            '.' | ',' | ';' | ':' | '!' | '?' => pause(&mut words, c),
            '\'' | '-' if words.ends_with(sayable) => words.push(c),
            c if sayable(c) => words.push(c),
            _ if words.ends_with(['\'', '-']) => {
                words.pop();
                words.push(' ');
            }
            _ if words.is_empty() || words.ends_with(' ') => {}
            _ => words.push(' '),
        }
    }
    let length = words.trim_end_matches([' ', ',', ';', ':', '\'', '-']).len();
    words.truncate(length);
    words
}

/// Adds a pause behind the last word; of two pauses the longer one stays.
fn pause(words: &mut String, mark: char) {
    let length = words.trim_end_matches([' ', '\'', '-']).len();
    words.truncate(length);
    match words.chars().next_back() {
        None => {}
        Some('.' | '!' | '?') => words.push(' '),
        Some(',' | ';' | ':') => {
            if !matches!(mark, ',' | ';' | ':') {
                words.pop();
                words.push(mark);
            }
            words.push(' ');
        }
        Some(_) => {
            words.push(mark);
            words.push(' ');
        }
    }
}
