//! The search: which pattern takes a text for the least, and what that means.
//!
//! Length: the search and its pruning are one algorithm.

use std::collections::BTreeSet;

use crate::answer::ask;
use crate::intent::machine::{BUDGET, Filling, Input, Machine, Spanned, Token, Way, Weight};
use crate::intent::pattern::SlotKind;
use crate::intent::words::{self, WORDS_MAX};
use crate::intent::{Compiled, Grammar, Intent, Slots, Understood};
use crate::names::{Entity, Names, Sort};
use crate::numbers;

/// Saying the thing first and the question after it costs this.
const TOPIC_FIRST: u16 = 8;
/// Two readings whose costs are this close are not told apart.
const MARGIN: u16 = 4;
/// Above this an exact search is followed by one for names that only sound like it.
pub(super) const SURE: u16 = 30;
/// Most polite frames one after the other.
const FRAMES_MAX: usize = 3;
/// The rest of the words as text costs this, so that a pattern that takes them as its own is preferred.
const TEXT: u16 = 10;
/// A frame costs this, so that a pattern that holds the words itself is preferred.
const FRAME: u16 = 1;

/// What a slot was filled with.
#[derive(Debug, Clone, PartialEq)]
enum Binding {
    Thing(usize),
    Percent(u8),
    /// A number that nothing bears.
    Nobody(Sort, String),
    /// All words from this one on, as text.
    Text(usize),
}

/// A pattern that takes the whole text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub(super) pattern: usize,
    pub(super) way: Way,
}

/// Everything that a search found out.
pub(super) struct Search {
    hits: Vec<Hit>,
    bindings: Vec<Binding>,
    /// Per word, the byte of the text where it begins.
    places: Vec<usize>,
}

/// The words with what was found in them.
pub(super) struct Prepared {
    words: Vec<String>,
    tokens: Vec<Token>,
    fillings: Vec<Vec<Filling>>,
    spanned: Vec<Spanned>,
    bindings: Vec<Binding>,
    pub(super) starts: Vec<Option<Way>>,
    /// Per place, what it costs to take the rest as a closing frame.
    pub(super) ends: Vec<Option<u16>>,
}

/// How far to go for a name.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Effort {
    Exact,
    Alike,
    Nobody,
}

impl Grammar {
    pub(super) fn search(&self, text: &str, names: &Names) -> Search {
        let (words, places) = self.lexis.cut_with_places(text);
        if words.is_empty() || words.len() > WORDS_MAX {
            return Search { hits: Vec::new(), bindings: Vec::new(), places };
        }
        let mut prepared = self.prepare(&words);
        let mut best: Vec<Hit> = Vec::new();
        let cost = |hits: &[Hit]| hits.first().map_or(BUDGET + 1, |hit| hit.way.cost);
        for effort in [Effort::Exact, Effort::Alike, Effort::Nobody] {
            if !self.look_up(&mut prepared, names, effort) {
                continue;
            }
            let hits = self.hits(&prepared);
            if cost(&hits) < cost(&best) {
                best = hits;
            }
            if cost(&best) <= SURE {
                break;
            }
        }
        Search { hits: best, bindings: prepared.bindings, places }
    }

    pub(super) fn prepare(&self, words: &[String]) -> Prepared {
        let tokens: Vec<Token> = words.iter().map(|w| self.token(w)).collect();
        Prepared {
            words: words.to_vec(),
            starts: self.starts(&tokens),
            ends: self.ends(&tokens),
            tokens,
            fillings: vec![Vec::new(); words.len() + 1],
            spanned: vec![Spanned::default(); words.len()],
            bindings: Vec::new(),
        }
    }

    /// Adds what the slots may take, as far as the effort goes; false where that is nothing new.
    pub(super) fn look_up(&self, prepared: &mut Prepared, names: &Names, effort: Effort) -> bool {
        let known = prepared.filled();
        for at in 0..prepared.words.len() {
            for sort in [Sort::Node, Sort::Guest, Sort::Storage] {
                self.fill(prepared, names, at, sort, effort);
            }
            if effort == Effort::Exact {
                percent(prepared, at);
                // A text comes after words of the pattern.
                if at > 0 {
                    push_filling(prepared, at, SlotKind::Text, prepared.words.len(), TEXT, Binding::Text(at));
                }
            }
        }
        effort == Effort::Exact || prepared.filled() > known
    }

    fn fill(&self, prepared: &mut Prepared, names: &Names, at: usize, sort: Sort, effort: Effort) {
        let slot = match sort {
            Sort::Node => SlotKind::Node,
            Sort::Guest => SlotKind::Guest,
            Sort::Storage => SlotKind::Storage,
        };
        let found = match effort {
            Effort::Exact => names.exact(&prepared.words, at, sort),
            Effort::Alike => {
                let ours = |word: &str| self.deciding.contains(word) || self.token(word).weight != Weight::Decides;
                names.alike(&prepared.words, at, sort, &ours)
            }
            Effort::Nobody => {
                if let Some((number, end)) = names.nobody(&prepared.words, at, sort) {
                    let nobody = Binding::Nobody(sort, number);
                    push_filling(prepared, at, slot, end, 0, nobody);
                }
                Vec::new()
            }
        };
        for found in found {
            push_filling(prepared, at, slot, found.end, found.cost, Binding::Thing(found.thing));
        }
    }

    /// Where a request may begin: at the first word, and after opening frames.
    fn starts(&self, tokens: &[Token]) -> Vec<Option<Way>> {
        let mut starts: Vec<Option<Way>> = vec![None; tokens.len() + 1];
        if let Some(first) = starts.first_mut() {
            *first = Some(Way::START);
        }
        // A frame reaches no further than its words do.
        let reach = tokens.iter().take_while(|t| self.before.takes(**t)).count();
        let input = frame_input(tokens.get(..reach).unwrap_or_default(), true, reach == tokens.len());
        if self.frames.0.is_empty() || reach == 0 {
            return starts;
        }
        for _ in 0..FRAMES_MAX {
            let ways = self.before.run(&input, starts.get(..=reach).unwrap_or_default());
            let mut more = false;
            for (start, reached) in starts.iter_mut().zip(&ways.reached) {
                let cost = reached.iter().map(|w| w.cost.saturating_add(FRAME)).min();
                if let (None, Some(cost)) = (&start, cost) {
                    more = true;
                    *start = Some(Way { cost, ..Way::START });
                }
            }
            if !more {
                break;
            }
        }
        starts
    }

    /// Where a request may end: at the last word, and before closing frames.
    fn ends(&self, tokens: &[Token]) -> Vec<Option<u16>> {
        let count = tokens.len();
        let mut ends: Vec<Option<u16>> = vec![None; count + 1];
        if let Some(last) = ends.last_mut() {
            *last = Some(0);
        }
        if self.frames.1.is_empty() {
            return ends;
        }
        let reach = tokens.iter().rev().take_while(|t| self.after.takes(**t)).count();
        for at in (count - reach..count).rev() {
            let input = frame_input(tokens.get(at..).unwrap_or_default(), at == 0, true);
            let ways = self.after.run(&input, &[Some(Way::START)]);
            let cost = ways
                .reached
                .iter()
                .zip(ends.iter().skip(at))
                .filter_map(|(reached, end)| {
                    let here = reached.iter().map(|w| w.cost).min()?;
                    Some(here.saturating_add((*end)?).saturating_add(FRAME))
                })
                .min();
            if let Some(end) = ends.get_mut(at) {
                *end = cost.filter(|c| *c <= BUDGET);
            }
        }
        ends
    }

    /// Every pattern and machine that could take all the words between the frames.
    pub(super) fn candidates<'a>(
        &'a self,
        prepared: &'a Prepared,
        unfinished: usize,
    ) -> impl Iterator<Item = (usize, &'a Machine, u16)> {
        let count = prepared.words.len();
        let last_start = prepared.starts.iter().rposition(Option::is_some).unwrap_or(0);
        let first_end = prepared.ends.iter().position(Option::is_some).unwrap_or(count).min(unfinished);
        let input = prepared.input();
        self.patterns
            .iter()
            .enumerate()
            .flat_map(|(index, pattern)| {
                let topic = pattern.topic_first.as_ref().map(|m| (index, m, TOPIC_FIRST));
                std::iter::once((index, &pattern.machine, 0)).chain(topic)
            })
            .filter(move |(_, machine, _)| {
                (last_start..first_end).all(|at| machine.may_take(&input, at))
                    && (0..count).any(|at| machine.wants(&input, at))
            })
    }

    fn hits(&self, prepared: &Prepared) -> Vec<Hit> {
        let mut hits = Vec::new();
        let input = prepared.input();
        let candidates = self.candidates(prepared, prepared.words.len());
        for (pattern, machine, extra) in candidates.filter(|(_, machine, _)| machine.has_needs(&input)) {
            let ways = machine.run(&input, &prepared.starts);
            for (reached, end) in ways.reached.iter().zip(&prepared.ends) {
                let Some(end) = end else {
                    continue;
                };
                for way in reached {
                    let cost = way.cost.saturating_add(*end).saturating_add(extra);
                    if cost <= allowed(way) {
                        hits.push(Hit { pattern, way: Way { cost, ..*way } });
                    }
                }
            }
        }
        hits.sort_by_key(|h| (h.way.cost, std::cmp::Reverse(h.way.matched), h.pattern));
        hits
    }
}

impl Prepared {
    pub(super) fn input(&self) -> Input<'_> {
        Input { tokens: &self.tokens, fillings: &self.fillings, spanned: &self.spanned, begins: true, finishes: true }
    }

    fn filled(&self) -> usize {
        self.fillings.iter().map(Vec::len).sum()
    }
}

/// What a way may cost: the less was said that decides, the less is forgiven.
fn allowed(way: &Way) -> u16 {
    const BASE: u16 = 20;
    const PER_WORD: u16 = 15;
    let said = way.matched + u16::from(way.binding > 0);
    BUDGET.min(BASE + PER_WORD.saturating_mul(said))
}

/// A part of the text in which frames are looked for; they hold no names.
fn frame_input(tokens: &[Token], begins: bool, finishes: bool) -> Input<'_> {
    Input { tokens, fillings: &[], spanned: &[], begins, finishes }
}

fn push_filling(prepared: &mut Prepared, at: usize, slot: SlotKind, end: usize, cost: u16, binding: Binding) {
    let known = prepared.bindings.iter().position(|b| *b == binding);
    let index = known.unwrap_or_else(|| {
        prepared.bindings.push(binding);
        prepared.bindings.len() - 1
    });
    for spanned in prepared.spanned.iter_mut().take(end).skip(at) {
        spanned.add(slot);
    }
    if let (Some(list), Ok(index)) = (prepared.fillings.get_mut(at), u16::try_from(index + 1)) {
        list.push(Filling { slot, end, cost, binding: index });
    }
}

/// "forty", "40 percent", "half", "maximum".
fn percent(prepared: &mut Prepared, at: usize) {
    let word = |i: usize| prepared.words.get(i).map_or("", String::as_str);
    let mut found: Vec<(u8, usize)> = numbers::readings(&prepared.words, at)
        .into_iter()
        .filter_map(|r| u8::try_from(r.value).ok().map(|v| (v, r.end)))
        .filter(|(value, _)| *value <= 100)
        .collect();
    match word(at) {
        "half" => found.push((50, at + 1)),
        "full" | "maximum" | "max" => found.push((100, at + 1)),
        "minimum" => found.push((10, at + 1)),
        _ => {}
    }
    let with_sign: Vec<(u8, usize)> = found
        .iter()
        .filter_map(|(value, end)| match (word(*end), word(*end + 1)) {
            ("percent", _) => Some((*value, end + 1)),
            ("per", "cent") => Some((*value, end + 2)),
            _ => None,
        })
        .collect();
    for (value, end) in found.into_iter().chain(with_sign) {
        push_filling(prepared, at, SlotKind::Percent, end, 0, Binding::Percent(value));
    }
}

impl Search {
    pub(super) fn best(&self) -> Option<&Hit> {
        self.hits.first()
    }

    pub(super) fn understood(self, grammar: &Grammar, names: &Names, text: &str) -> Understood {
        let nothing = || Understood::Nothing { heard: words::tidy(text) };
        let Some(best) = self.best() else {
            return nothing();
        };
        let Some(pattern) = grammar.patterns.get(best.pattern) else {
            return nothing();
        };
        if let Some(asked) = self.ambiguous(grammar, names, best, pattern) {
            return asked;
        }
        Understood::Intent {
            intent: Intent { kind: pattern.kind.clone(), slots: self.slots(best, names, text) },
            score: 1.0 - f32::from(best.way.cost) / 100.0,
            pattern: pattern.text.clone(),
        }
    }

    fn binding(&self, hit: &Hit) -> Option<&Binding> {
        usize::from(hit.way.binding).checked_sub(1).and_then(|index| self.bindings.get(index))
    }

    /// The question to ask, where several things fit alike, or none.
    fn ambiguous(&self, grammar: &Grammar, names: &Names, best: &Hit, pattern: &Compiled) -> Option<Understood> {
        let asked = |question: String, choices: Vec<String>| {
            Some(Understood::Ambiguous { question, choices, intent_kind: pattern.kind.clone() })
        };
        let thing = match self.binding(best)? {
            Binding::Percent(_) | Binding::Text(_) => return None,
            // Where nobody's name is known, whoever was named may well be there.
            Binding::Nobody(..) if names.labels(Sort::Node).is_empty() => return asked(ask::unseen(), Vec::new()),
            Binding::Nobody(sort, number) => {
                let choices = names.labels(*sort);
                return asked(ask::nobody(*sort, number, &choices), choices);
            }
            Binding::Thing(thing) => *thing,
        };
        let same_kind = |hit: &&Hit| {
            hit.way.cost <= best.way.cost + MARGIN
                && grammar.patterns.get(hit.pattern).is_some_and(|p| p.kind == pattern.kind)
        };
        let things: BTreeSet<usize> = self
            .hits
            .iter()
            .filter(same_kind)
            .filter_map(|hit| match self.binding(hit) {
                Some(Binding::Thing(thing)) => Some(*thing),
                _ => None,
            })
            .collect();
        if things.len() < 2 {
            return None;
        }
        let sort = names.entity(thing)?.sort();
        let choices: Vec<String> = things.iter().map(|t| names.label(*t)).collect();
        asked(ask::which(sort, &choices), choices)
    }

    /// Whether a hit ends in free text, of whose end the words tell nothing.
    pub(super) fn is_text(&self, hit: &Hit) -> bool {
        matches!(self.binding(hit), Some(Binding::Text(_)))
    }

    fn slots(&self, hit: &Hit, names: &Names, text: &str) -> Slots {
        let mut slots = Slots::default();
        match self.binding(hit) {
            Some(Binding::Thing(thing)) => match names.entity(*thing) {
                Some(Entity::Node(node)) => slots.node = Some(node.clone()),
                Some(Entity::Guest(guest)) => slots.guest = Some(*guest),
                Some(Entity::Storage(storage)) => slots.storage = Some(storage.clone()),
                None => {}
            },
            Some(Binding::Percent(percent)) => slots.percent = Some(*percent),
            Some(Binding::Text(word)) => {
                let rest = self.places.get(*word).and_then(|place| text.get(*place..));
                slots.text = rest.map(|rest| rest.trim().to_owned());
            }
            Some(Binding::Nobody(..)) | None => {}
        }
        slots
    }
}
