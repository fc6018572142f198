//! HTML as models write it into answers: tags and entities.

/// Elements within a line: their tags part no words.
const INLINE: &[&str] = &[
    "b", "i", "u", "s", "em", "strong", "span", "code", "a", "sub", "sup", "small", "mark", "kbd", "font", "del",
    "ins", "tt", "var", "abbr", "q", "cite",
];

/// Entities that answers use.
const ENTITIES: &[(&str, &str)] = &[
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("ensp", " "),
    ("thinsp", " "),
    ("shy", ""),
    ("hellip", "…"),
    ("mdash", "—"),
    ("ndash", "–"),
    ("minus", "−"),
    ("deg", "°"),
    ("euro", "€"),
    ("pound", "£"),
    ("times", "×"),
    ("divide", "÷"),
    ("plusmn", "±"),
    ("le", "≤"),
    ("ge", "≥"),
    ("ne", "≠"),
    ("asymp", "≈"),
    ("rarr", "→"),
    ("micro", "µ"),
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("ldquo", "“"),
    ("rdquo", "”"),
    ("bull", "•"),
    ("frac12", "½"),
    ("frac14", "¼"),
    ("frac34", "¾"),
];

/// A tag here: what stands in its place, and what follows it. Also marks such as `<|im_end|>`.
pub(super) fn tag(text: &str) -> Option<(&'static str, &str)> {
    let inner = text.strip_prefix('<')?;
    if let Some(special) = inner.strip_prefix('|') {
        let (name, after) = special.split_once("|>")?;
        return (name.len() < 40 && !name.contains(char::is_whitespace)).then_some((" ", after));
    }
    let name = inner.strip_prefix('/').unwrap_or(inner);
    let length = name.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let (name, rest) = name.split_at(length);
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let (inside, after) = rest.split_once('>')?;
    let inline = INLINE.iter().any(|i| i.eq_ignore_ascii_case(name));
    (!inside.contains('<')).then_some((if inline { "" } else { " " }, after))
}

/// An address in brackets, `<https://nas/>`: it, and what follows it.
pub(super) fn address(text: &str) -> Option<(&str, &str)> {
    let (inside, after) = text.strip_prefix('<')?.split_once('>')?;
    let plain = !inside.contains(|c: char| c.is_whitespace() || c == '<');
    (plain && (inside.contains("://") || inside.contains('@'))).then_some((inside, after))
}

/// An entity here: what it stands for, and what follows it.
pub(super) fn entity(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('&')?;
    let (name, after) = inner.split_at_checked(inner.bytes().take(10).position(|b| b == b';')?)?;
    let after = after.strip_prefix(';')?;
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        return Some((code.ok().and_then(char::from_u32)?.to_string(), after));
    }
    ENTITIES.iter().find(|(n, _)| *n == name).map(|(_, plain)| ((*plain).to_owned(), after))
}
