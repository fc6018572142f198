//! What can be named now: nodes, guests and storages of the live cluster, and how people say them.
//!
//! A name is found at a place in the words exactly (with the nouns people put around it: "vm 104", "the nas share"), or, where
//! that fails, by likeness of letters and sound. Costs are in hundredths of a request's budget; equal ones are left to be asked.

mod forms;
mod list;
mod sound;

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::Cluster;
use crate::ids::{NodeName, StorageName, Vmid};
use crate::numbers;
use forms::{Form, Piece};

/// Most names of a kind that are looked at; a cluster beyond that is told apart by numbers alone.
const NAMES_MAX: usize = 5_000;
/// Cost of a digit heard as its homophone ("node to").
const HOMOPHONE: u16 = 12;
/// Cost of a name heard as two words or one ("next cloud").
const JOINED: u16 = 3;

/// A thing that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entity {
    Node(NodeName),
    Guest(Vmid),
    Storage(StorageName),
}

/// Which sort of thing is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Sort {
    Node,
    Guest,
    Storage,
}

/// A name found in the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// Index of the thing.
    pub(crate) thing: usize,
    /// The first word after it.
    pub(crate) end: usize,
    /// 0 where it was said as it is.
    pub(crate) cost: u16,
}

/// A thing, a form of it, and where the form ends with what it cost.
type FormAt<'a> = (usize, &'a Form, Vec<(usize, u16)>);

#[derive(Debug, Clone)]
struct Thing {
    entity: Entity,
    /// As it is written.
    label: String,
    forms: Vec<Form>,
    /// Letters of the whole name without separators, its sound, and the number it ends in.
    joined: String,
    sound: String,
    number: Option<u32>,
}

/// The names that requests may use. Built anew whenever the cluster's names change.
#[derive(Debug, Clone, Default)]
pub struct Names {
    things: Vec<Thing>,
    by_word: BTreeMap<String, Vec<(usize, usize)>>,
    by_number: BTreeMap<u32, Vec<(usize, usize)>>,
}

impl Names {
    /// From what the cluster says exists.
    pub fn from_cluster(cluster: &Cluster) -> Self {
        let mut names = Self::default();
        let mut nodes: Vec<&NodeName> = cluster.nodes.iter().map(|n| &n.name).collect();
        nodes.sort();
        nodes.dedup();
        for (node, forms) in nodes.iter().zip(forms::nodes(&nodes)).take(NAMES_MAX) {
            names.add(Entity::Node((*node).clone()), node.as_str(), forms);
        }
        for guest in cluster.guests.iter().take(NAMES_MAX) {
            let name = guest.name.as_deref().unwrap_or("");
            let label = if name.is_empty() { format!("VM {}", guest.vmid) } else { name.to_owned() };
            names.add(Entity::Guest(guest.vmid), &label, forms::guest(guest.vmid.0, name));
        }
        let storages: BTreeSet<&StorageName> = cluster.storages.iter().map(|s| &s.name).collect();
        for storage in storages.into_iter().take(NAMES_MAX) {
            names.add(Entity::Storage(storage.clone()), storage.as_str(), forms::storage(storage.as_str()));
        }
        names
    }

    fn add(&mut self, entity: Entity, label: &str, forms: Vec<Form>) {
        let thing = self.things.len();
        for (index, form) in forms.iter().enumerate() {
            match form.pieces.first() {
                Some(Piece::Word(word)) => {
                    let list = self.by_word.entry(word.clone()).or_default();
                    list.push((thing, index));
                }
                Some(Piece::Number(number)) => {
                    let list = self.by_number.entry(*number).or_default();
                    list.push((thing, index));
                }
                None => {}
            }
        }
        let pieces = forms::pieces(label);
        let joined: String = pieces
            .iter()
            .filter_map(|p| match p {
                Piece::Word(word) => Some(word.as_str()),
                Piece::Number(_) => None,
            })
            .collect();
        let number = match pieces.last() {
            Some(Piece::Number(number)) => Some(*number),
            _ => None,
        };
        self.things.push(Thing { entity, label: label.to_owned(), forms, sound: sound::key(&joined), joined, number });
    }

    /// Every word somebody may use to name something, for the recogniser's lexicon.
    pub fn words(&self) -> Vec<String> {
        let mut words = BTreeSet::new();
        for thing in &self.things {
            for text in self.sayings(&thing.entity) {
                words.extend(text.split_whitespace().map(str::to_owned));
            }
        }
        words.into_iter().collect()
    }

    /// How things of a sort may be said, for the language model: `(thing, wordings)`.
    pub(crate) fn spoken(&self, sort: Sort) -> Vec<Vec<String>> {
        self.things
            .iter()
            .filter(|thing| thing.entity.sort() == sort)
            .map(|thing| self.sayings(&thing.entity))
            .collect()
    }

    fn sayings(&self, entity: &Entity) -> Vec<String> {
        self.things
            .iter()
            .filter(|thing| thing.entity == *entity)
            .flat_map(|thing| thing.forms.iter().filter(|f| f.said))
            .flat_map(|form| form.wordings(entity.sort()))
            .collect()
    }

    /// The thing behind an index of [`Found`].
    pub(crate) fn entity(&self, thing: usize) -> Option<&Entity> {
        self.things.get(thing).map(|t| &t.entity)
    }

    /// Its name as written; guests of the same name are told apart by number.
    pub(crate) fn label(&self, thing: usize) -> String {
        let Some(this) = self.things.get(thing) else {
            return String::new();
        };
        let twins =
            self.things.iter().filter(|t| t.entity.sort() == this.entity.sort() && t.label == this.label).count();
        match &this.entity {
            Entity::Guest(vmid) if twins > 1 => format!("{} {vmid}", this.label),
            _ => this.label.clone(),
        }
    }

    /// What can be named, each as it is written.
    pub(crate) fn written(&self) -> impl Iterator<Item = &str> {
        self.things.iter().map(|thing| thing.label.as_str())
    }

    /// Names of every thing of a sort, as written.
    pub(crate) fn labels(&self, sort: Sort) -> Vec<String> {
        (0..self.things.len())
            .filter(|thing| self.entity(*thing).is_some_and(|e| e.sort() == sort))
            .map(|thing| self.label(thing))
            .collect()
    }

    /// Names of this sort that begin at `at`, said exactly, in part, or with the nouns people add.
    pub(crate) fn exact(&self, words: &[String], at: usize, sort: Sort) -> Vec<Found> {
        let mut found = Vec::new();
        let starts = forms::after_nouns(words, at, sort);
        for start in starts {
            let prefixed = start > at;
            for (thing, form, ends) in self.forms_at(words, start) {
                let fits =
                    self.entity(thing).is_some_and(|entity| entity.sort() == sort) && (prefixed || !form.needs_noun);
                if fits {
                    for (end, cost) in ends {
                        push_with_nouns(&mut found, words, sort, thing, end, form.cost + cost);
                    }
                }
            }
        }
        cheapest(found)
    }

    /// Forms that begin at `at`, with each end and what it cost.
    fn forms_at(&self, words: &[String], at: usize) -> Vec<FormAt<'_>> {
        let mut listed: Vec<(usize, usize)> =
            words.get(at).and_then(|word| self.by_word.get(word)).cloned().unwrap_or_default();
        let mut values: BTreeSet<u32> = numbers::readings(words, at).into_iter().map(|r| r.value).collect();
        values.extend(homophone(words, at));
        for value in values {
            listed.extend(self.by_number.get(&value).into_iter().flatten());
        }
        listed
            .into_iter()
            .filter_map(|(thing, form)| {
                let form = self.things.get(thing)?.forms.get(form)?;
                let ends = pieces_end(&form.pieces, words, at, form.needs_noun);
                (!ends.is_empty()).then_some((thing, form, ends))
            })
            .collect()
    }

    /// Whether the words from `at` to the end may be the beginning of a name of this sort.
    pub(crate) fn begins(&self, words: &[String], at: usize, sort: Sort) -> bool {
        let number = |w: &String| numbers::is_number_word(w) || w == "and" || w == "hundred";
        forms::after_nouns(words, at, sort).into_iter().any(|start| {
            let rest = words.get(start..).unwrap_or_default();
            rest.iter().all(number)
                || self.things.iter().any(|thing| {
                    thing.entity.sort() == sort
                        && thing.forms.iter().any(|form| {
                            rest.len() < form.pieces.len()
                                && form
                                    .pieces
                                    .iter()
                                    .zip(rest)
                                    .all(|(piece, word)| matches!(piece, Piece::Word(w) if w == word))
                        })
                })
        })
    }

    /// Names of this sort that sound or look like the words at `at`. `ours` tells words that mean something else to the grammar.
    pub(crate) fn alike(&self, words: &[String], at: usize, sort: Sort, ours: &impl Fn(&str) -> bool) -> Vec<Found> {
        const SPAN_MAX: usize = 3;
        let mut found = Vec::new();
        for start in forms::after_nouns(words, at, sort) {
            let mut joined = String::new();
            let mut strange = 0;
            for end in start + 1..=(start + SPAN_MAX).min(words.len()) {
                let Some(word) = words.get(end - 1) else {
                    break;
                };
                if word == "[unk]" || word == "'s" || numbers::is_number_word(word) {
                    break;
                }
                joined.push_str(word);
                if !ours(word) {
                    strange += word.len();
                }
                let strange_enough = strange * 3 >= joined.len();
                let sound = sound::key(&joined);
                for (thing, this) in self.things.iter().enumerate() {
                    if this.entity.sort() != sort {
                        continue;
                    }
                    let cost = if this.joined == joined && joined.len() > 2 {
                        JOINED
                    } else if strange_enough {
                        match sound::unlikeness(&this.joined, &this.sound, &joined, &sound) {
                            Some(cost) => cost,
                            None => continue,
                        }
                    } else {
                        continue;
                    };
                    match this.number {
                        None => push_with_nouns(&mut found, words, sort, thing, end, cost),
                        Some(number) => {
                            for reading in numbers::readings(words, end) {
                                if reading.value == number {
                                    push_with_nouns(&mut found, words, sort, thing, reading.end, cost);
                                }
                            }
                        }
                    }
                }
            }
        }
        cheapest(found)
    }

    /// A number at `at` that says a name of this sort ("node nine", "vm 999") though nothing bears it: the words and their end.
    pub(crate) fn nobody(&self, words: &[String], at: usize, sort: Sort) -> Option<(String, usize)> {
        let start = forms::after_nouns(words, at, sort).into_iter().max()?;
        let reading = numbers::readings(words, start).into_iter().max_by_key(|r| (r.end, r.value))?;
        let plausible = match sort {
            Sort::Node => start > at,
            Sort::Guest => reading.value >= 100,
            Sort::Storage => false,
        };
        plausible.then(|| (reading.value.to_string(), reading.end))
    }
}

impl Entity {
    pub(crate) fn sort(&self) -> Sort {
        match self {
            Self::Node(_) => Sort::Node,
            Self::Guest(_) => Sort::Guest,
            Self::Storage(_) => Sort::Storage,
        }
    }
}

fn push_with_nouns(found: &mut Vec<Found>, words: &[String], sort: Sort, thing: usize, end: usize, cost: u16) {
    found.push(Found { thing, end, cost });
    if words.get(end).is_some_and(|word| forms::follows(sort, word)) {
        found.push(Found { thing, end: end + 1, cost: cost.saturating_sub(forms::NOUN_CONFIRMS) });
    }
}

fn homophone(words: &[String], at: usize) -> Option<u32> {
    match words.get(at).map(String::as_str) {
        Some("won") => Some(1),
        Some("to" | "too") => Some(2),
        Some("for" | "fore") => Some(4),
        Some("ate") => Some(8),
        _ => None,
    }
}

/// Where a form ends when it begins at `at`, with what it cost.
fn pieces_end(pieces: &[Piece], words: &[String], at: usize, after_noun: bool) -> Vec<(usize, u16)> {
    let Some((first, rest)) = pieces.split_first() else {
        return vec![(at, 0)];
    };
    match first {
        Piece::Word(word) => {
            if words.get(at) == Some(word) {
                pieces_end(rest, words, at + 1, true)
            } else {
                Vec::new()
            }
        }
        Piece::Number(number) => {
            let mut ends: Vec<(usize, u16)> = numbers::readings(words, at)
                .into_iter()
                .filter(|r| r.value == *number)
                .flat_map(|r| pieces_end(rest, words, r.end, true))
                .collect();
            if ends.is_empty() && after_noun && homophone(words, at) == Some(*number) {
                ends = pieces_end(rest, words, at + 1, true)
                    .into_iter()
                    .map(|(end, cost)| (end, cost + HOMOPHONE))
                    .collect();
            }
            ends
        }
    }
}

fn cheapest(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by_key(|f| (f.thing, f.end, f.cost));
    found.dedup_by_key(|f| (f.thing, f.end));
    found
}

#[cfg(test)]
mod tests;
