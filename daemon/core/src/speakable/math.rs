//! Formulas as LaTeX writes them, in words as far as a sentence can carry them.

/// Commands that have a word.
const WORDS: &[(&str, &str)] = &[
    ("times", "times"),
    ("cdot", "times"),
    ("div", "divided by"),
    ("pm", "plus or minus"),
    ("le", "at most"),
    ("leq", "at most"),
    ("ge", "at least"),
    ("geq", "at least"),
    ("neq", "is not"),
    ("ne", "is not"),
    ("approx", "about"),
    ("equiv", "is"),
    ("to", "to"),
    ("rightarrow", "to"),
    ("sqrt", "the root of"),
    ("sum", "the sum of"),
    ("infty", "infinity"),
    ("degree", "degrees"),
    ("circ", "degrees"),
    ("percent", "percent"),
    ("pi", "pi"),
    ("alpha", "alpha"),
    ("beta", "beta"),
    ("gamma", "gamma"),
    ("delta", "delta"),
    ("Delta", "delta"),
    ("lambda", "lambda"),
    ("mu", "mu"),
    ("sigma", "sigma"),
    ("Omega", "ohms"),
];

/// Longest formula that is read, in bytes.
const MAX_FORMULA: usize = 300;

/// What opens a formula, and what closes it.
const DELIMITERS: &[(&str, &str)] = &[("$$", "$$"), ("\\(", "\\)"), ("\\[", "\\]"), ("$", "$")];

/// A formula here: its words, and what follows it. A single dollar opens one only where what follows is no price.
pub(super) fn formula(text: &str) -> Option<(String, &str)> {
    let (open, close) = DELIMITERS.iter().find(|(open, _)| text.starts_with(open))?;
    let (inside, after) = text[open.len()..].split_once(close)?;
    let formal = inside.contains(['\\', '^', '_', '=', '{']);
    let tight = !inside.starts_with(' ') && !inside.ends_with(' ');
    let meant = *open != "$" || (formal && tight);
    (meant && inside.len() <= MAX_FORMULA && !inside.is_empty()).then(|| (words(inside), after))
}

fn words(formula: &str) -> String {
    let mut said = String::from(" ");
    let mut rest = formula;
    while let Some(c) = rest.chars().next() {
        if let Some((words, after)) = command(rest) {
            said.push_str(&words);
            rest = after;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '^' if rest.starts_with(['2', '3']) => {
                said.push_str(if rest.starts_with('2') { " squared " } else { " cubed " });
                rest = &rest[1..];
            }
            '^' if rest.starts_with("\\circ") => {}
            '^' => said.push_str(" to the power of "),
            '=' => said.push_str(" equals "),
            '<' => said.push_str(" less than "),
            '>' => said.push_str(" more than "),
            '+' => said.push_str(" plus "),
            '-' => said.push_str(" minus "),
            '*' => said.push_str(" times "),
            '{' | '}' | '_' | '&' | '~' | '\\' | '$' => said.push(' '),
            c => said.push(c),
        }
    }
    said.push(' ');
    said
}

/// `\frac{a}{b}`, `\text{a}`, `\le`: its words, and what follows it.
fn command(text: &str) -> Option<(String, &str)> {
    let rest = text.strip_prefix('\\')?;
    let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (name, after) = rest.split_at(length);
    if name.is_empty() {
        return None;
    }
    if name == "frac" {
        let (above, after) = group(after)?;
        let (below, after) = group(after)?;
        return Some((format!("{} over {}", words(above), words(below)), after));
    }
    let word = WORDS.iter().find(|(n, _)| *n == name).map_or("", |(_, word)| word);
    Some((format!(" {word} "), after))
}

/// What stands in braces here, and what follows.
fn group(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{')?;
    let mut depth = 1;
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&inner[..at], &inner[at + 1..]));
        }
    }
    None
}
