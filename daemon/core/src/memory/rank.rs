//! Which of the memories that hold some of a question's words answer it, best first; and whether any does.
//!
//! Relevance is the share of what was looked for that a memory holds, rare words counting more and words nobody ever told counting most:
//! who asks for the cat's name gets nothing from a memory that only has "name" in it. Which sort of thing is asked for ("which *port*")
//! counts by half, and to a question for yes or no a memory must hold two of its words, or name a thing of the cluster. Recency, use and
//! importance order what is relevant; they never make anything relevant.

use std::collections::HashMap;

use super::{IMPORTANCE_MAX, Memory, MemoryId, Part, Question, Standing, Subject, UnixMillis};

/// Most memories that a question gets.
pub const RECALLED_MAX: usize = 10;
/// Most candidates whose rows are read for a question.
const CANDIDATES_MAX: usize = 60;
/// Share of a question that a memory must hold.
const RELEVANT_MIN: f64 = 0.4;
/// A word nobody ever told weighs this much more than one told once: it is most likely what was asked for.
const UNKNOWN: f64 = 1.25;
/// The same of a word that by its place is what was asked for.
const UNKNOWN_NAMED: f64 = 1.75;
/// Rarity is judged as if there were at least so many memories: in a house that was told three things no word is common.
const TOTAL_MIN: usize = 100;
/// A thing of the cluster counts as if so few memories held it: its name is no common word, however much is known of it.
const THING_DF_MAX: usize = 3;
/// A word that only hints counts as if so many memories held it.
const HINT_DF: usize = 5;
/// What only says which attribute is asked, or which sort of thing, counts by half.
const HINT: f64 = 0.5;
/// Recency halves in so many milliseconds.
const RECENCY_HALF_MS: f64 = 30.0 * 86_400_000.0;
/// Uses beyond this make no difference.
const USES_FULL: u32 = 20;

const W_TEXT: f64 = 0.25;
const W_THING: f64 = 0.2;
const W_MENTION: f64 = 0.1;
const W_RECENCY: f64 = 0.06;
const W_USE: f64 = 0.04;
const W_IMPORTANCE: f64 = 0.04;

/// A memory that holds a term.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Which.
    pub id: MemoryId,
    /// FTS5's bm25 of the term in it: lower is better, as SQLite gives it.
    pub bm25: f64,
}

/// What the index brought for one term of a question.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TermHits {
    /// Current memories that hold it, the best first; the list may be cut.
    pub hits: Vec<Hit>,
}

/// What the index brought for a question: of each of its terms, in their order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Candidate {
    /// Current memories in all.
    pub total: usize,
    /// Per term.
    pub terms: Vec<TermHits>,
}

/// A memory that answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// Which.
    pub memory: Memory,
    /// Share of the question that it holds, 0.0 to 1.0.
    pub relevance: f64,
    /// What it is sorted by.
    pub score: f64,
}

/// Weights of a question's terms, by how rare they are.
fn weights(question: &Question, found: &Candidate) -> Vec<f64> {
    let total = found.total.max(TOTAL_MIN) as f64;
    let idf = |df: usize| (1.0 + (total - df as f64 + 0.5).max(0.5) / (df as f64 + 0.5)).ln();
    let weight = |(term, hits): (&super::Term, &TermHits)| {
        let rarity = match hits.hits.len() {
            _ if term.part == Part::Hint => idf(HINT_DF),
            df if term.thing.is_some() => idf(df.min(THING_DF_MAX)),
            0 if term.part == Part::Named => UNKNOWN_NAMED * idf(0),
            0 => UNKNOWN * idf(0),
            df => idf(df),
        };
        if matches!(term.part, Part::Hint | Part::Sort) { HINT * rarity } else { rarity }
    };
    question.terms.iter().zip(&found.terms).map(weight).collect()
}

/// What a memory holds of a question.
#[derive(Debug, Clone, Copy, Default)]
struct Holding {
    /// The weight of its terms.
    weight: f64,
    /// Their bm25 together; higher is better.
    bm25: f64,
    /// How many terms are more than hints.
    words: usize,
    /// Whether one of them is a thing of the cluster.
    thing: bool,
}

/// What each memory holds of the question.
fn holdings(weights: &[f64], question: &Question, found: &Candidate) -> HashMap<MemoryId, Holding> {
    let mut held: HashMap<MemoryId, Holding> = HashMap::new();
    for ((weight, term), hits) in weights.iter().zip(&question.terms).zip(&found.terms) {
        for hit in &hits.hits {
            let holding = held.entry(hit.id).or_default();
            holding.weight += weight;
            holding.bm25 -= if hit.bm25.is_finite() { hit.bm25 } else { 0.0 };
            holding.words += usize::from(term.part != Part::Hint);
            holding.thing |= term.thing.is_some();
        }
    }
    // A place is no answer to a question that it has nothing but "where" in common with; and whether the sauna is hot is told neither by
    // what is hot nor by where the sauna is.
    let wanted = question.terms.iter().filter(|term| term.part != Part::Hint).count();
    let least = if question.whether { wanted.min(2) } else { 1 };
    held.retain(|_, holding| holding.words >= least || (holding.thing && holding.words > 0));
    held
}

/// The memories whose rows are worth reading, best first.
pub fn preselect(question: &Question, found: &Candidate) -> Vec<MemoryId> {
    let weights = weights(question, found);
    let all: f64 = weights.iter().sum();
    let mut held: Vec<(MemoryId, f64, f64)> = holdings(&weights, question, found)
        .into_iter()
        .map(|(id, holding)| (id, holding.weight, holding.bm25))
        .filter(|(_, weight, _)| *weight >= RELEVANT_MIN * all)
        .collect();
    held.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.2.total_cmp(&a.2)).then(b.0.cmp(&a.0)));
    held.into_iter().take(CANDIDATES_MAX).map(|(id, ..)| id).collect()
}

/// What answers the question at `now`, best first, at most [`RECALLED_MAX`]. What is not current is left out, whatever the index says.
pub fn rank(question: &Question, found: &Candidate, memories: Vec<Memory>, now: UnixMillis) -> Vec<Ranked> {
    let weights = weights(question, found);
    let all: f64 = weights.iter().sum();
    let held = holdings(&weights, question, found);
    let best = held.values().map(|holding| holding.bm25).fold(f64::MIN_POSITIVE, f64::max);
    let things: Vec<&Subject> = question.things().collect();
    let mut ranked: Vec<Ranked> = memories
        .into_iter()
        .filter(|memory| memory.validity.standing(now) == Standing::Current)
        .filter_map(|memory| {
            let Holding { weight, bm25, .. } = held.get(&memory.id)?;
            let relevance = if all > 0.0 { (weight / all).min(1.0) } else { 0.0 };
            let text = (bm25 / best).clamp(0.0, 1.0);
            let score = relevance + W_TEXT * text + thing(&memory, &things) + beside(&memory, now);
            (relevance >= RELEVANT_MIN).then_some(Ranked { memory, relevance, score })
        })
        .collect();
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.memory.id.cmp(&a.memory.id)));
    ranked.truncate(RECALLED_MAX);
    ranked
}

/// Being about a thing that was named counts more than naming it.
fn thing(memory: &Memory, things: &[&Subject]) -> f64 {
    if things.contains(&&memory.fact.subject) {
        W_THING
    } else if memory.fact.mentions.iter().any(|m| things.contains(&m)) {
        W_MENTION
    } else {
        0.0
    }
}

/// Recency, use and importance.
fn beside(memory: &Memory, now: UnixMillis) -> f64 {
    let recency = 0.5_f64.powf(now.since(memory.told) as f64 / RECENCY_HALF_MS);
    let uses = f64::from(memory.uses.min(USES_FULL)).ln_1p() / f64::from(USES_FULL).ln_1p();
    let importance = f64::from(memory.fact.importance.clamp(1, IMPORTANCE_MAX) - 1) / f64::from(IMPORTANCE_MAX - 1);
    W_RECENCY * recency + W_USE * uses + W_IMPORTANCE * importance
}

#[cfg(test)]
mod tests;
