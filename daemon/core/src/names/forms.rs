//! The ways to say a name: as written, spelled, in part, by number, by rank.

use crate::ids::NodeName;
use crate::names::Sort;
use crate::numbers;

/// Cost of a name said in part ("the mail" for mail-server).
const PART: u16 = 20;
/// Cost of a name said by what it shares with others ("pve").
const STEM: u16 = 30;
/// A noun after the name makes a part of it surer ("the mail vm").
pub(super) const NOUN_CONFIRMS: u16 = 5;
/// Longest word that people may spell.
const SPELLED_MAX: usize = 4;

/// A word or a number of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Word(String),
    Number(u32),
}

/// One way to say a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) pieces: Vec<Piece>,
    pub(super) cost: u16,
    /// Whether it counts only after a noun ("node two", not "two").
    pub(super) needs_noun: bool,
    /// Whether the language model should expect it.
    pub(super) said: bool,
}

impl Form {
    fn new(pieces: Vec<Piece>, cost: u16, said: bool) -> Self {
        Self { pieces, cost, needs_noun: false, said }
    }

    /// The form in words, once per way to say its numbers.
    pub(super) fn wordings(&self, sort: Sort) -> Vec<String> {
        let mut all = vec![String::new()];
        for piece in &self.pieces {
            let ways = match piece {
                Piece::Word(word) => vec![word.clone()],
                Piece::Number(number) => numbers::spoken(*number),
            };
            all = all.iter().flat_map(|head| ways.iter().map(move |way| format!("{head} {way}"))).collect();
        }
        let noun = if self.needs_noun { nouns_before(sort).first().copied().unwrap_or("") } else { "" };
        all.iter().map(|text| format!("{noun} {}", text.trim()).trim().to_owned()).collect()
    }
}

/// Nouns that may stand before a name.
fn nouns_before(sort: Sort) -> &'static [&'static str] {
    match sort {
        Sort::Node => &["node", "host", "server", "machine", "hypervisor"],
        Sort::Guest => &["vm", "guest", "container", "ct", "lxc", "machine", "instance"],
        Sort::Storage => &["storage", "pool", "datastore", "share", "store"],
    }
}

/// Whether a noun may follow a name of this sort.
pub(super) fn follows(sort: Sort, word: &str) -> bool {
    let nouns: &[&str] = match sort {
        Sort::Node => &["node", "host", "server", "machine", "box", "hypervisor"],
        Sort::Guest => {
            &["vm", "guest", "container", "ct", "lxc", "machine", "server", "instance", "box", "host", "service"]
        }
        Sort::Storage => &["storage", "pool", "datastore", "share", "store", "drive", "disk", "volume"],
    };
    nouns.contains(&word)
}

/// Where a name may begin when something begins at `at`: there, or after "vm", "virtual machine", "guest number".
pub(super) fn after_nouns(words: &[String], at: usize, sort: Sort) -> Vec<usize> {
    let word = |i: usize| words.get(i).map_or("", String::as_str);
    let mut starts = vec![at];
    let mut next = at;
    if sort == Sort::Guest && word(next) == "virtual" && word(next + 1) == "machine" {
        next += 2;
    } else if nouns_before(sort).contains(&word(next)) {
        next += 1;
    }
    if next > at {
        starts.push(next);
    }
    if sort != Sort::Storage && matches!(word(next), "number" | "id" | "called" | "named") {
        starts.push(next + 1);
    }
    starts
}

/// A name's words and numbers: `pve2` is "pve" and 2, `web-server` "web" and "server".
pub(super) fn pieces(name: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut run = String::new();
    let mut end_run = |run: &mut String| {
        if !run.is_empty() {
            let text = std::mem::take(run);
            pieces.push(match text.parse::<u32>() {
                Ok(number) if text.len() <= 9 => Piece::Number(number),
                _ => Piece::Word(text),
            });
        }
    };
    for c in name.chars().flat_map(char::to_lowercase) {
        let joins = run.chars().last().is_none_or(|last| last.is_ascii_digit() == c.is_ascii_digit());
        if !c.is_alphanumeric() {
            end_run(&mut run);
        } else {
            if !joins {
                end_run(&mut run);
            }
            run.push(c);
        }
    }
    end_run(&mut run);
    pieces
}

/// The name as it is, and with its abbreviations spelled.
fn whole(pieces: &[Piece]) -> Vec<Form> {
    let mut forms = vec![Form::new(pieces.to_vec(), 0, true)];
    let spell = |which: &dyn Fn(&str) -> bool| -> Vec<Piece> {
        pieces
            .iter()
            .flat_map(|piece| match piece {
                Piece::Word(word) if which(word) => word.chars().map(|c| Piece::Word(c.to_string())).collect(),
                other => vec![other.clone()],
            })
            .collect()
    };
    let short = |word: &str| word.chars().count() <= SPELLED_MAX;
    let unsayable = |word: &str| short(word) && !word.contains(['a', 'e', 'i', 'o', 'u']);
    // A short word before a number is mostly an abbreviation ("pve2"), one alone may be ("nas").
    let numbered = matches!(pieces.last(), Some(Piece::Number(_))) || pieces.len() == 1;
    for (spelled, said) in [(spell(&unsayable), true), (spell(&short), numbered && pieces.len() <= 2)] {
        if forms.iter().all(|f| f.pieces != spelled) {
            forms.push(Form::new(spelled, 0, said));
        }
    }
    forms.retain(|f| !f.pieces.is_empty());
    forms
}

/// Words of a longer name that name it alone, where they are no nouns.
fn parts(pieces: &[Piece], sort: Sort) -> Vec<Form> {
    if pieces.len() < 2 {
        return Vec::new();
    }
    pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Word(word) if word.len() > 2 && !follows(sort, word) => {
                Some(Form::new(vec![piece.clone()], PART, false))
            }
            _ => None,
        })
        .collect()
}

/// Forms of each node, in the order given (by name).
pub(super) fn nodes(nodes: &[&NodeName]) -> Vec<Vec<Form>> {
    let all: Vec<Vec<Piece>> = nodes.iter().map(|n| pieces(n.as_str())).collect();
    let number = |pieces: &Vec<Piece>| match pieces.last() {
        Some(Piece::Number(number)) => Some(*number),
        _ => None,
    };
    let all_numbered = all.iter().all(|pieces| number(pieces).is_some());
    all.iter()
        .enumerate()
        .map(|(index, pieces)| {
            let mut forms = whole(pieces);
            let rank = if all_numbered { number(pieces) } else { u32::try_from(index + 1).ok() };
            if let Some(number) = number(pieces) {
                forms.push(Form { needs_noun: true, ..Form::new(vec![Piece::Number(number)], 0, true) });
                let stem: Vec<Piece> = pieces.get(..pieces.len() - 1).unwrap_or_default().to_vec();
                if !stem.is_empty() {
                    forms.push(Form::new(stem, STEM, false));
                }
            } else {
                forms.extend(parts(pieces, Sort::Node));
            }
            if let Some(rank) = rank.and_then(numbers::ordinal) {
                let words = [rank, "node"].map(|w| Piece::Word(w.to_owned()));
                forms.push(Form::new(words.to_vec(), 0, true));
            }
            // "the node": one is meant where there is one, and is asked for where there are several.
            let cost = if nodes.len() == 1 { 0 } else { STEM };
            forms.push(Form::new(vec![Piece::Word("node".to_owned())], cost, false));
            forms
        })
        .collect()
}

/// Forms of a guest.
pub(super) fn guest(vmid: u32, name: &str) -> Vec<Form> {
    let pieces = pieces(name);
    let mut forms = whole(&pieces);
    forms.push(Form::new(vec![Piece::Number(vmid)], 0, true));
    for noun in ["vm", "container"] {
        let numbered = vec![Piece::Word(noun.to_owned()), Piece::Number(vmid)];
        forms.push(Form::new(numbered, 0, true));
    }
    let bare: Vec<Piece> =
        pieces.iter().filter(|p| !matches!(p, Piece::Word(w) if follows(Sort::Guest, w))).cloned().collect();
    if !bare.is_empty() && bare.len() > 1 && bare.len() < pieces.len() {
        forms.push(Form::new(bare, PART, true));
    }
    forms.extend(parts(&pieces, Sort::Guest));
    forms
}

/// Forms of a storage.
pub(super) fn storage(name: &str) -> Vec<Form> {
    let pieces = pieces(name);
    let mut forms = whole(&pieces);
    forms.extend(parts(&pieces, Sort::Storage));
    forms
}
