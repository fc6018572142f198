//! Likeness of names, by letters and by sound, for what a recogniser makes of a name it never learnt.

/// Cost of the best likeness that is none.
const ALIKE: u16 = 15;
/// Cost of the whole way from alike to unlike.
const UNLIKE: f64 = 60.0;

/// Consonants in order, voiced and voiceless made one, without what English leaves unsaid.
pub(super) fn key(word: &str) -> String {
    let letters: Vec<char> = word.chars().collect();
    let at = |i: usize| letters.get(i).copied().unwrap_or(' ');
    let mut key = String::new();
    let mut i = 0;
    while i < letters.len() {
        let (here, next) = (at(i), at(i + 1));
        let (code, width) = match (here, next) {
            ('p', 'h') => ("f", 2),
            ('k', 'n') if i == 0 => ("n", 2),
            ('w', 'r') if i == 0 => ("r", 2),
            ('g', 'h') => ("", 2),
            ('s', 'h') | ('c', 'h') => ("x", 2),
            ('t', 'h') => ("t", 2),
            ('c', 'k') => ("k", 2),
            ('c', 'e' | 'i' | 'y') => ("s", 1),
            ('g', 'e' | 'i' | 'y') => ("j", 1),
            ('x', _) => ("ks", 1),
            ('c' | 'k' | 'q' | 'g', _) => ("k", 1),
            ('s' | 'z', _) => ("s", 1),
            ('d' | 't', _) => ("t", 1),
            ('b' | 'p', _) => ("p", 1),
            ('f' | 'v', _) => ("f", 1),
            ('a' | 'e' | 'i' | 'o' | 'u' | 'y', _) if i == 0 => ("a", 1),
            ('a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'h' | 'w', _) => ("", 1),
            ('j' | 'l' | 'm' | 'n' | 'r', _) => (
                match here {
                    'j' => "j",
                    'l' => "l",
                    'm' => "m",
                    'n' => "n",
                    _ => "r",
                },
                1,
            ),
            _ => ("?", 1),
        };
        if !code.is_empty() && !key.ends_with(code) {
            key.push_str(code);
        }
        i += width;
    }
    key
}

/// The cost of taking `heard` for `name`; `None` where they are not alike.
pub(super) fn unlikeness(name: &str, name_sound: &str, heard: &str, heard_sound: &str) -> Option<u16> {
    let (longer, shorter) = (name.len().max(heard.len()), name.len().min(heard.len()));
    if shorter < 3 || longer - shorter > 3 {
        return None;
    }
    let letters = strsim::normalized_damerau_levenshtein(name, heard);
    let same_sound = name_sound == heard_sound;
    let enough = match (shorter, same_sound, name_sound.len()) {
        (_, true, 3..) => 0.4,
        (_, true, _) => 0.7,
        (0..=4, false, _) => 0.8,
        _ => 0.75,
    };
    if letters < enough {
        return None;
    }
    let likeness = if same_sound { letters.max(0.95) } else { letters };
    // Truncation is harmless: a hundredth of the budget.
    Some(ALIKE + ((1.0 - likeness) * UNLIKE) as u16)
}
