//! Sentences and words for the language model: what the grammar understands, said at random from a seed.

use std::collections::BTreeSet;

use crate::intent::Grammar;
use crate::intent::pattern::{Part, SlotKind};
use crate::names::{Names, Sort};
use crate::numbers;

/// Give up after this many duplicates in a row: the grammar has no more to say.
const DUPLICATES_MAX: usize = 5_000;
/// Of a hundred sentences: this many begin, and this many end, with a polite frame.
const BEFORE_PERCENT: u64 = 15;
const AFTER_PERCENT: u64 = 8;
/// Of a hundred places where a contraction fits, this many take it.
const CONTRACTED_PERCENT: u64 = 65;
/// Of a hundred sentences this many say the thing first: "node two, how hot is it".
const TOPIC_PERCENT: u64 = 3;

/// SplitMix64: small, seeded, the same everywhere.
pub(super) struct Dice(u64);

impl Dice {
    /// The same seed, the same dice.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(list.len()).ok().filter(|n| *n > 0)?;
        usize::try_from(self.next() % count).ok().and_then(|i| list.get(i))
    }
}

/// What the slots may hold, in words.
struct Sayings {
    nodes: Vec<Vec<String>>,
    guests: Vec<Vec<String>>,
    storages: Vec<Vec<String>>,
    contractions: Vec<(String, String)>,
}

impl Sayings {
    fn new(grammar: &Grammar, names: &Names) -> Self {
        let contractions = grammar
            .lexis
            .rewrites
            .iter()
            .flat_map(|(first, list)| list.iter().map(move |(tail, to)| (first, tail, to)))
            .filter(|(first, tail, to)| {
                tail.is_empty() && first.contains('\'') && to.len() > 1 && !to.iter().any(|w| w == "'s")
            })
            .map(|(first, _, to)| (to.join(" "), first.clone()))
            .collect();
        Self {
            nodes: names.spoken(Sort::Node),
            guests: names.spoken(Sort::Guest),
            storages: names.spoken(Sort::Storage),
            contractions,
        }
    }

    /// "it" for every name.
    fn pronouns(&self) -> Self {
        let it = || vec![vec!["it".to_owned()]];
        Self { nodes: it(), guests: it(), storages: it(), contractions: Vec::new() }
    }

    fn slot(&self, kind: SlotKind, dice: &mut Dice) -> Option<String> {
        let list = match kind {
            SlotKind::Node => &self.nodes,
            SlotKind::Guest => &self.guests,
            SlotKind::Storage => &self.storages,
            SlotKind::Percent => {
                // Tens twice as often as the rest.
                let value = if dice.chance(66) { (dice.next() % 11) * 10 } else { dice.next() % 101 };
                let value = u32::try_from(value).unwrap_or(50);
                return dice.pick(&numbers::spoken(value)).cloned();
            }
            // A recogniser hears no words but those it knows: of free text, the names.
            SlotKind::Text => dice.pick(&[&self.nodes, &self.guests, &self.storages])?,
        };
        let ways = dice.pick(list)?;
        dice.pick(ways).cloned()
    }
}

pub(super) fn sentences(grammar: &Grammar, names: &Names, limit: usize, seed: u64) -> Vec<String> {
    let mut dice = Dice(seed);
    let sayings = Sayings::new(grammar, names);
    let mut by_kind: Vec<Vec<&Part>> = Vec::new();
    for kind in grammar.kinds() {
        let of_kind = grammar.patterns.iter().filter(|p| p.kind == kind);
        by_kind.push(of_kind.map(|p| &p.part).collect());
    }
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    // Every pattern comes once before any comes by chance.
    let every = grammar.patterns.iter().map(|p| &p.part).cycle();
    let mut every = every.take(grammar.patterns.len());
    let mut kinds = by_kind.iter().cycle();
    let mut duplicates = 0;
    while all.len() < limit && duplicates < DUPLICATES_MAX {
        let part = match every.next() {
            Some(part) => Some(part),
            None => match kinds.next() {
                Some(parts) => dice.pick(parts).copied(),
                None => break,
            },
        };
        let sentence = part.and_then(|part| sentence(grammar, &sayings, part, &mut dice));
        match sentence {
            Some(sentence) if seen.insert(sentence.clone()) => {
                duplicates = 0;
                all.push(sentence);
            }
            _ => duplicates += 1,
        }
    }
    all
}

fn sentence(grammar: &Grammar, sayings: &Sayings, part: &Part, dice: &mut Dice) -> Option<String> {
    let mut words = Vec::new();
    if dice.chance(BEFORE_PERCENT)
        && let Some(frame) = dice.pick(&grammar.frames.0)
    {
        say(frame, sayings, dice, &mut words)?;
    }
    if let Some(slot) = part.slot().filter(|slot| *slot != SlotKind::Text)
        && dice.chance(TOPIC_PERCENT)
    {
        words.push(sayings.slot(slot, dice)?);
        say(part, &sayings.pronouns(), dice, &mut words)?;
    } else {
        say(part, sayings, dice, &mut words)?;
    }
    if dice.chance(AFTER_PERCENT)
        && let Some(frame) = dice.pick(&grammar.frames.1)
    {
        say(frame, sayings, dice, &mut words)?;
    }
    let mut text = words.join(" ").replace(" 's", "'s");
    for (long, short) in &sayings.contractions {
        if text.contains(long.as_str()) && dice.chance(CONTRACTED_PERCENT) {
            let padded = format!(" {text} ");
            let replaced = padded.replacen(&format!(" {long} "), &format!(" {short} "), 1);
            text = replaced.trim().to_owned();
        }
    }
    Some(text)
}

fn say(part: &Part, sayings: &Sayings, dice: &mut Dice, words: &mut Vec<String>) -> Option<()> {
    match part {
        Part::Word(word) | Part::Must(word) => words.push(word.clone()),
        Part::Slot(kind) => words.push(sayings.slot(*kind, dice)?),
        Part::Sequence(parts) => {
            for part in parts {
                say(part, sayings, dice, words)?;
            }
        }
        Part::Either(parts) => say(dice.pick(parts)?, sayings, dice, words)?,
        Part::Optional(part) => {
            if dice.chance(50) {
                say(part, sayings, dice, words)?;
            }
        }
    }
    Some(())
}

pub(super) fn vocabulary(grammar: &Grammar, names: &Names) -> BTreeSet<String> {
    let mut words: BTreeSet<String> = grammar.interned.keys().cloned().collect();
    words.extend(
        grammar.lexis.rewrites.iter().filter(|(first, _)| first.contains('\'')).map(|(first, _)| first.clone()),
    );
    words.extend(names.words());
    for value in (0..=100).chain([1000]) {
        for way in numbers::spoken(value) {
            words.extend(way.split_whitespace().map(str::to_owned));
        }
    }
    words.extend(["percent", "hundred", "thousand", "oh"].map(str::to_owned));
    words.remove("'s");
    words
}
