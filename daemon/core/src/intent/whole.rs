//! Whether a text, perhaps a partial one, is a whole request: for the end of speech by meaning.

use crate::intent::pattern::SlotKind;
use crate::intent::search::{Effort, Hit, SURE};
use crate::intent::words::WORDS_MAX;
use crate::intent::{Completeness, Grammar};
use crate::names::{Names, Sort};

/// A name is thought unfinished above this cost.
const PARTLY: u16 = 15;
/// The beginning of a longer request may fit the words this much worse than the whole one; less than a skipped word costs.
const AS_CLOSE: u16 = 6;
/// What people begin with when they add a name to what they asked.
const ADDING: [&str; 4] = ["on", "of", "for", "with"];

impl Grammar {
    pub(super) fn completeness(&self, text: &str, names: &Names) -> Completeness {
        let words = self.lexis.cut(text);
        let Some(last) = words.last() else {
            return Completeness::Unknown;
        };
        if words.len() > WORDS_MAX {
            return Completeness::Unknown;
        }
        let hangs = self.lexis.hanging.contains(last);
        let search = self.search(text, names);
        if let Some(hit) = search.best() {
            // Nobody can tell from the words when a free text is over.
            if search.is_text(hit) {
                return if hangs { Completeness::Open } else { Completeness::Unknown };
            }
            let partly = hit.way.last_slot >= PARTLY;
            return if partly || (hangs && !hit.way.last_wanted && !hit.way.dropped) {
                Completeness::Open
            } else if self.extends(&words, names, hit) {
                Completeness::Extendable
            } else {
                Completeness::Complete
            };
        }
        if hangs || self.begins(&words, names) { Completeness::Open } else { Completeness::Unknown }
    }

    /// Whether a whole request goes on as another one where a name is added to it: "how many guests are there", "... on node two".
    /// Only what people add after a pause counts, which begins with a preposition; nobody pauses within "up to date".
    fn extends(&self, words: &[String], names: &Names, whole: &Hit) -> bool {
        let Some(kind) = self.patterns.get(whole.pattern).map(|pattern| &pattern.kind) else {
            return false;
        };
        let limit = whole.way.cost.saturating_add(AS_CLOSE);
        ADDING.iter().any(|adding| {
            let longer: Vec<String> = words.iter().cloned().chain([(*adding).to_owned()]).collect();
            let mut prepared = self.prepare(&longer);
            self.look_up(&mut prepared, names, Effort::Exact);
            let input = prepared.input();
            self.candidates(&prepared, longer.len()).filter(|(_, machine, _)| machine.lacks_a_name_at_most(&input)).any(
                |(pattern, machine, _)| {
                    let other = self.patterns.get(pattern).is_some_and(|pattern| pattern.kind != *kind);
                    let wanted = |(at, _, cost): &(usize, SlotKind, u16)| *at == longer.len() && *cost <= limit;
                    (other || whole.way.binding == 0) && machine.run(&input, &prepared.starts).wanted.iter().any(wanted)
                },
            )
        })
    }

    /// Whether the words may be the beginning of a request.
    fn begins(&self, words: &[String], names: &Names) -> bool {
        let mut prepared = self.prepare(words);
        if prepared.starts.last().is_some_and(Option::is_some) {
            return true;
        }
        self.look_up(&mut prepared, names, Effort::Exact);
        let sorts = [(SlotKind::Node, Sort::Node), (SlotKind::Guest, Sort::Guest), (SlotKind::Storage, Sort::Storage)];
        // Words that may be an unfinished name need not be in the pattern.
        let sorts_only = [Sort::Node, Sort::Guest, Sort::Storage];
        let unfinished = (0..words.len())
            .find(|at| sorts_only.iter().any(|sort| names.begins(words, *at, *sort)))
            .unwrap_or(words.len());
        self.candidates(&prepared, unfinished).any(|(_, machine, _)| {
            let ways = machine.run(&prepared.input(), &prepared.starts);
            ways.inside.is_some_and(|way| way.cost <= SURE)
                || ways.wanted.iter().any(|(at, slot, cost)| {
                    *cost <= SURE
                        && *at > 0
                        && *at < words.len()
                        && sorts.iter().any(|(kind, sort)| kind == slot && names.begins(words, *at, *sort))
                })
        })
    }
}
