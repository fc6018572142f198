//! A pattern as an automaton, and the cheapest way of a text through it.
//!
//! States are numbered so that every edge goes forward; one pass over words and states finds all ways. A word that decides the
//! kind must be there as it is (but for a plural); small words may be missing or too many, for a price.

use crate::intent::needs::{Need, needs};
use crate::intent::pattern::{Part, SlotKind};

/// What a request may cost, in hundredths: everything that was skipped or mended.
pub(super) const BUDGET: u16 = 70;
const PLURAL: u16 = 6;
const SKIP_FILLER: u16 = 2;
const SKIP_FUNCTION: u16 = 9;
const DROP_FILLER: u16 = 4;
const DROP_FUNCTION: u16 = 12;
/// A word that the recogniser did not know, where a small one belongs or at either end.
const UNKNOWN: u16 = 30;

/// How much a word matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Filler,
    Function,
    Decides,
}

/// A word, interned; its stem is what it is without the plural.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) word: u32,
    pub(super) stem: u32,
    pub(super) weight: Weight,
    /// The recogniser's `[unk]`.
    pub(super) unknown: bool,
}

#[derive(Debug, Clone, Copy)]
enum Edge {
    Free,
    Word(Token),
    Slot(SlotKind),
}

/// What a slot may take at a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filling {
    pub(super) slot: SlotKind,
    pub(super) end: usize,
    pub(super) cost: u16,
    /// Index into the caller's table, from 1; 0 is "nothing".
    pub(super) binding: u16,
}

/// A text ready to be matched.
pub(super) struct Input<'a> {
    pub(super) tokens: &'a [Token],
    /// Per place, what slots may take from there on.
    pub(super) fillings: &'a [Vec<Filling>],
    /// Per place, the slots of which some filling spans it.
    pub(super) spanned: &'a [Spanned],
    /// Whether place 0 is where the text begins.
    pub(super) begins: bool,
    /// Whether the last place is where the text ends.
    pub(super) finishes: bool,
}

/// A small set of slots.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spanned(u8);

impl Spanned {
    pub(super) fn add(&mut self, slot: SlotKind) {
        self.0 |= 1 << slot as u8;
    }

    pub(super) fn holds(self, slot: SlotKind) -> bool {
        self.0 & (1 << slot as u8) != 0
    }
}

/// One way that leads to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) cost: u16,
    pub(super) binding: u16,
    /// Deciding words that matched.
    pub(super) matched: u16,
    /// Whether the last word of the text was wanted, not skipped.
    pub(super) last_wanted: bool,
    /// Whether a small word of the pattern was missing: with one too many at the end it has only changed its place.
    pub(super) dropped: bool,
    /// Cost of the slot, where it ends the text.
    pub(super) last_slot: u16,
}

impl Way {
    pub(super) const START: Self =
        Self { cost: 0, binding: 0, matched: 0, last_wanted: true, dropped: false, last_slot: 0 };

    fn dearer(self, cost: u16) -> Self {
        Self { cost: self.cost.saturating_add(cost), ..self }
    }

    fn better_than(&self, other: &Self) -> bool {
        (self.cost, std::cmp::Reverse(self.matched)) < (other.cost, std::cmp::Reverse(other.matched))
    }
}

/// A compiled pattern.
#[derive(Debug, Clone, Default)]
pub(super) struct Machine {
    edges: Vec<Vec<(Edge, usize)>>,
    /// Stems of all its words, sorted.
    stems: Vec<u32>,
    slot: Option<SlotKind>,
    needs: Vec<Need>,
}

/// Where ways through a machine arrive: `reached[place]` at its end, and whether any arrived inside it at the text's end.
#[derive(Debug, Default)]
pub(super) struct Ways {
    pub(super) reached: Vec<Vec<Way>>,
    /// The best way that used up the text without reaching the end.
    pub(super) inside: Option<Way>,
    /// Places where a slot was wanted, with the cheapest cost of getting there.
    pub(super) wanted: Vec<(usize, SlotKind, u16)>,
}

impl Machine {
    pub(super) fn new(part: &Part, intern: &mut impl FnMut(&str) -> Token) -> Self {
        let mut machine = Self { edges: vec![Vec::new()], stems: Vec::new(), slot: part.slot(), needs: Vec::new() };
        machine.build(part, 0, false, intern);
        needs(part, intern, &mut machine.needs);
        machine.sort_stems();
        machine
    }

    /// The same with its slot first: "node two, how hot is it". `None` where there is no slot.
    pub(super) fn topic_first(part: &Part, intern: &mut impl FnMut(&str) -> Token) -> Option<Self> {
        // Free text has no place but the end.
        let slot = part.slot().filter(|slot| *slot != SlotKind::Text)?;
        let edges = vec![vec![(Edge::Slot(slot), 1)], Vec::new()];
        let mut machine = Self { edges, stems: Vec::new(), slot: Some(slot), needs: vec![Need::Slot(slot)] };
        machine.build(part, 1, true, intern);
        needs(part, intern, &mut machine.needs);
        machine.sort_stems();
        Some(machine)
    }

    fn sort_stems(&mut self) {
        self.stems.sort_unstable();
        self.stems.dedup();
    }

    fn state(&mut self) -> usize {
        self.edges.push(Vec::new());
        self.edges.len() - 1
    }

    fn edge(&mut self, from: usize, edge: Edge, to: usize) {
        if let Some(edges) = self.edges.get_mut(from) {
            edges.push((edge, to));
        }
    }

    fn build(&mut self, part: &Part, from: usize, slots_free: bool, intern: &mut impl FnMut(&str) -> Token) -> usize {
        match part {
            Part::Word(word) | Part::Must(word) => {
                let mut token = intern(word);
                if matches!(part, Part::Must(_)) {
                    token.weight = Weight::Decides;
                }
                self.stems.push(token.stem);
                let to = self.state();
                self.edge(from, Edge::Word(token), to);
                to
            }
            Part::Slot(kind) => {
                let to = self.state();
                let edge = if slots_free { Edge::Free } else { Edge::Slot(*kind) };
                self.edge(from, edge, to);
                to
            }
            Part::Sequence(parts) => parts.iter().fold(from, |at, part| self.build(part, at, slots_free, intern)),
            Part::Either(parts) => {
                let ends: Vec<usize> = parts.iter().map(|part| self.build(part, from, slots_free, intern)).collect();
                let to = self.state();
                for end in ends {
                    self.edge(end, Edge::Free, to);
                }
                to
            }
            Part::Optional(part) => {
                let end = self.build(part, from, slots_free, intern);
                let to = self.state();
                self.edge(end, Edge::Free, to);
                self.edge(from, Edge::Free, to);
                to
            }
        }
    }

    /// Whether this pattern can take the token at a place at all; a quick no spares the search.
    pub(super) fn may_take(&self, input: &Input<'_>, at: usize) -> bool {
        let Some(token) = input.tokens.get(at) else {
            return true;
        };
        self.takes(*token) || self.slot.is_some_and(|slot| input.spanned.get(at).is_some_and(|s| s.holds(slot)))
    }

    /// Whether a token may be one of its words, or be skipped.
    pub(super) fn takes(&self, token: Token) -> bool {
        token.weight != Weight::Decides || token.unknown || self.stems.binary_search(&token.stem).is_ok()
    }

    /// Whether everything is there without which no way leads through.
    pub(super) fn has_needs(&self, input: &Input<'_>) -> bool {
        self.needs.iter().all(|need| need.is_met(input))
    }

    /// Whether nothing but a name can be missing.
    pub(super) fn lacks_a_name_at_most(&self, input: &Input<'_>) -> bool {
        self.slot.is_some() && self.needs.iter().all(|need| matches!(need, Need::Slot(_)) || need.is_met(input))
    }

    /// Whether it has a use for the token at a place, beyond skipping it.
    pub(super) fn wants(&self, input: &Input<'_>, at: usize) -> bool {
        let Some(token) = input.tokens.get(at) else {
            return false;
        };
        self.stems.binary_search(&token.stem).is_ok()
            || self.slot.is_some_and(|slot| input.spanned.get(at).is_some_and(|s| s.holds(slot)))
    }

    /// Runs the text through, begun at the places of `starts` (`None`: not there).
    pub(super) fn run(&self, input: &Input<'_>, starts: &[Option<Way>]) -> Ways {
        let places = input.tokens.len() + 1;
        let states = self.edges.len();
        let mut cells: Vec<Vec<Way>> = vec![Vec::new(); places * states];
        let mut ways = Ways::default();
        let mut first = usize::MAX;
        for at in 0..places {
            if let Some(Some(start)) = starts.get(at) {
                add(&mut cells, at * states, *start);
                first = first.min(at);
            }
            if first > at {
                continue;
            }
            for state in 0..states {
                if cells[at * states + state].is_empty() {
                    continue;
                }
                let here = std::mem::take(&mut cells[at * states + state]);
                for way in &here {
                    self.step(input, at, state, *way, &mut cells, &mut ways.wanted);
                }
                cells[at * states + state] = here;
            }
        }
        let last = states - 1;
        ways.inside = (1..last)
            .flat_map(|state| &cells[(places - 1) * states + state])
            .filter(|way| way.matched > 0 || way.binding > 0)
            .min_by_key(|way| (way.cost, std::cmp::Reverse(way.matched)))
            .copied();
        ways.reached = (0..places).map(|at| std::mem::take(&mut cells[at * states + last])).collect();
        ways
    }

    fn step(
        &self,
        input: &Input<'_>,
        at: usize,
        state: usize,
        way: Way,
        cells: &mut [Vec<Way>],
        wanted: &mut Vec<(usize, SlotKind, u16)>,
    ) {
        let states = self.edges.len();
        let token = input.tokens.get(at);
        let outside = (at == 0 && input.begins) || (at + 1 == input.tokens.len() && input.finishes);
        if let Some(token) = token {
            let skip = match (token.unknown, token.weight) {
                (true, _) if outside => Some(UNKNOWN),
                (false, Weight::Filler) => Some(SKIP_FILLER),
                (false, Weight::Function) => Some(SKIP_FUNCTION),
                _ => None,
            };
            // Before the first and after the last word of the pattern nothing is skipped here: the frames see to that.
            if let Some(cost) = skip {
                let skipped = Way { last_wanted: false, ..way.dearer(cost) };
                add(cells, (at + 1) * states + state, skipped);
            }
        }
        let Some(edges) = self.edges.get(state) else {
            return;
        };
        for (edge, to) in edges {
            match edge {
                Edge::Free => add(cells, at * states + to, way),
                Edge::Word(wanted_word) => {
                    if let Some(token) = token {
                        let next = input.tokens.get(at + 1);
                        if let Some(cost) = fits(*wanted_word, *token, next) {
                            let decides = u16::from(wanted_word.weight == Weight::Decides);
                            let taken = Way {
                                matched: way.matched + decides,
                                last_wanted: true,
                                last_slot: 0,
                                ..way.dearer(cost)
                            };
                            add(cells, (at + 1) * states + to, taken);
                        }
                    }
                    let drop = match wanted_word.weight {
                        Weight::Filler => DROP_FILLER,
                        Weight::Function => DROP_FUNCTION,
                        Weight::Decides => continue,
                    };
                    let dropped = way.dropped || wanted_word.weight == Weight::Function;
                    let without = Way { dropped, ..way.dearer(drop) };
                    add(cells, at * states + to, without);
                }
                Edge::Slot(slot) => {
                    wanted.push((at, *slot, way.cost));
                    let mut from = at;
                    let mut cost = 0;
                    let after_small = at
                        .checked_sub(1)
                        .and_then(|before| input.tokens.get(before))
                        .is_some_and(|t| t.weight != Weight::Decides);
                    if token.is_some_and(|t| t.unknown) && after_small {
                        from += 1;
                        cost = UNKNOWN;
                    }
                    let list = input.fillings.get(from).map_or(&[][..], Vec::as_slice);
                    for filling in list.iter().filter(|f| f.slot == *slot) {
                        let taken = Way {
                            binding: filling.binding,
                            last_wanted: true,
                            last_slot: filling.cost,
                            ..way.dearer(cost + filling.cost)
                        };
                        add(cells, filling.end * states + to, taken);
                    }
                }
            }
        }
    }
}

/// What it costs to take a token for a wanted word. `[unk]` stands for a small word only where none follows: "how [unk] is it" has
/// lost a word that decides.
fn fits(wanted: Token, token: Token, next: Option<&Token>) -> Option<u16> {
    if token.unknown {
        let small = wanted.weight != Weight::Decides;
        let followed = next.is_some_and(|t| t.weight == Weight::Function);
        return (small && !followed).then_some(UNKNOWN);
    }
    if wanted.word == token.word {
        return Some(0);
    }
    (wanted.stem == token.stem).then_some(PLURAL)
}

/// Keeps the best way per binding.
fn add(cells: &mut [Vec<Way>], cell: usize, way: Way) {
    if way.cost > BUDGET {
        return;
    }
    let Some(cell) = cells.get_mut(cell) else {
        return;
    };
    match cell.iter_mut().find(|w| w.binding == way.binding) {
        Some(known) => {
            if way.better_than(known) {
                *known = way;
            }
        }
        None => cell.push(way),
    }
}
