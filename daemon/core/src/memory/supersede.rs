//! What a new fact does to what is known: nothing is overwritten, the older one is closed when the newer begins.
//!
//! Three things keep an older fact standing: the newer one came from where less trust is (a model, untrusted text), it ends sooner ("for
//! today the router is at ..."), or it is about an earlier time. Then both are kept, and the contradiction is said.

use super::{Draft, Memory, MemoryId, Source, Standing, UnixMillis, topic_key};

/// What is to be done with a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// It is known already, at least as well and as long.
    Known(MemoryId),
    /// It is kept. What it makes obsolete is closed; what it contradicts and may not close stays beside it.
    Keep {
        /// Closed by it.
        closes: Vec<MemoryId>,
        /// Contradicted by it.
        beside: Vec<MemoryId>,
    },
    /// It was true before something that is known: it is kept as closed by that from the start.
    History {
        /// Until when.
        until: UnixMillis,
        /// What came after it.
        by: MemoryId,
    },
}

/// Plans what becomes of `draft`, which holds from `from` on, beside what is known of the same subject.
pub fn plan(draft: &Draft, from: UnixMillis, known: &[Memory]) -> Plan {
    let same_subject = || {
        known.iter().filter(|m| {
            m.fact.subject == draft.fact.subject && m.validity.standing(m.validity.from.max(from)) == Standing::Current
        })
    };
    if let Some(same) =
        same_subject().find(|m| is_same(draft, m) && outlives(m.validity.expires, draft.expires) && !washes(draft, m))
    {
        return Plan::Known(same.id);
    }
    let rivals: Vec<&Memory> = same_subject()
        .filter(|m| draft.fact.single && draft.fact.attribute.is_some() && m.fact.attribute == draft.fact.attribute)
        .collect();
    let later = rivals.iter().filter(|m| m.validity.from > from && !is_same(draft, m)).min_by_key(|m| m.validity.from);
    if let Some(later) = later {
        return Plan::History { until: later.validity.from, by: later.id };
    }
    let same_words = same_subject().filter(|m| is_same(draft, m) && !rivals.iter().any(|r| r.id == m.id));
    let (closes, beside): (Vec<&Memory>, Vec<&Memory>) =
        rivals.iter().copied().chain(same_words).partition(|m| may_close(draft, m));
    Plan::Keep {
        closes: closes.into_iter().map(|m| m.id).collect(),
        beside: beside.into_iter().filter(|m| !is_same(draft, m)).map(|m| m.id).collect(),
    }
}

/// Whether both say the same.
fn is_same(draft: &Draft, memory: &Memory) -> bool {
    let value = |value: &Option<String>| value.as_deref().map(topic_key);
    let same_value = draft.fact.attribute.is_some()
        && draft.fact.attribute == memory.fact.attribute
        && value(&draft.fact.value) == value(&memory.fact.value);
    same_value || words(&draft.fact.text) == words(&memory.fact.text)
}

/// A text without letter case, punctuation and layout.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// Whether the owner's own word takes the place of the same from an untrusted text.
fn washes(draft: &Draft, memory: &Memory) -> bool {
    memory.fact.tainted && !draft.fact.tainted
}

/// Whether something with the first end lasts at least as long as something with the second.
fn outlives(end: Option<UnixMillis>, other: Option<UnixMillis>) -> bool {
    match (end, other) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(end), Some(other)) => end >= other,
    }
}

fn may_close(draft: &Draft, memory: &Memory) -> bool {
    let trusted = !draft.fact.tainted || memory.fact.tainted;
    let of_model = draft.fact.source == Source::ByModel && memory.fact.source != Source::ByModel;
    trusted && !of_model && outlives(draft.expires, memory.validity.expires)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Closed;
    use crate::memory::testing::{NOW, memory, reader};

    const DAY_MS: i64 = 86_400_000;

    fn draft(text: &str, at: UnixMillis) -> Draft {
        reader(at).told(text).unwrap_or_else(|| panic!("{text}"))
    }

    fn keep(closes: &[u64], beside: &[u64]) -> Plan {
        let ids = |list: &[u64]| list.iter().map(|id| MemoryId(*id)).collect();
        Plan::Keep { closes: ids(closes), beside: ids(beside) }
    }

    /// What is told a day after `old` was, as memory 1.
    fn after(old: &str, new: &str) -> Plan {
        plan(&draft(new, NOW.plus(DAY_MS)), NOW.plus(DAY_MS), &[memory(1, old, NOW)])
    }

    #[test]
    fn a_newer_fact_closes_the_older_one_of_the_same_attribute() {
        for (old, new) in [
            ("the router is at 192.168.1.1", "the router is at 192.168.1.2"),
            ("the router is at 192.168.1.1", "the address of the router is 192.168.1.2"),
            ("the router's ip is 192.168.1.1", "our router has moved to 10.0.0.1"),
            ("the ups is in the garage", "the ups is now under the stairs"),
            ("grafana listens on port 3000", "the port of the grafana container is 3001"),
            ("my provider is alder", "my provider is vale"),
            ("vm 104 is called the cinema", "call the media server the theatre"),
            ("i prefer short answers", "i prefer long answers"),
            ("the database is postgres sixteen", "the database is postgres seventeen"),
            ("the budget is 600 euro", "the budget is 900 euro"),
        ] {
            assert_eq!(after(old, new), keep(&[1], &[]), "{old} / {new}");
        }
    }

    #[test]
    fn what_may_be_true_beside_it_is_left_alone() {
        for (old, new) in [
            ("the router is at 192.168.1.1", "the switch is at 192.168.1.2"),
            ("the router is at 192.168.1.1", "the router is in the hall"),
            ("the nas is noisy", "the nas is important"),
            ("home assistant needs the zigbee stick", "home assistant needs the internet"),
            ("i prefer short answers", "i prefer tea"),
            ("the database is postgres sixteen", "the database is encrypted"),
            ("i replaced the fan of pve3 today", "i replaced the fan of pve3 again yesterday"),
            ("pve2 must not be rebooted", "pve2 may be rebooted on sundays"),
        ] {
            assert_eq!(after(old, new), keep(&[], &[]), "{old} / {new}");
        }
    }

    #[test]
    fn what_is_known_is_not_kept_twice() {
        for (old, new) in [
            ("the router is at 192.168.1.1", "The router is at 192.168.1.1!"),
            ("the router is at 192.168.1.1", "the address of our router is 192.168.1.1"),
            ("pve2 must not be rebooted", "that PVE2 must not be rebooted."),
        ] {
            assert_eq!(after(old, new), Plan::Known(MemoryId(1)), "{old} / {new}");
        }
    }

    #[test]
    fn a_fact_that_ends_sooner_closes_nothing_and_one_that_lasts_longer_does() {
        let lasting = "the router is at 192.168.1.1";
        assert_eq!(after(lasting, "for today that the router is at 10.0.0.1"), keep(&[], &[1]));
        assert_eq!(after("for three days that the router is at 10.0.0.1", lasting), keep(&[1], &[]));
        assert_eq!(after("for three days that the router is at 192.168.1.1", lasting), keep(&[1], &[]));
        assert_eq!(after(lasting, "for today that the router is at 192.168.1.1"), Plan::Known(MemoryId(1)));
    }

    #[test]
    fn what_is_less_trusted_never_closes_what_the_owner_said() {
        let said = memory(1, "the router is at 192.168.1.1", NOW);
        let later = NOW.plus(DAY_MS);
        let mut new = draft("the router is at 6.6.6.6", later);
        new.fact.source = Source::ByModel;
        assert_eq!(plan(&new, later, std::slice::from_ref(&said)), keep(&[], &[1]));
        new.fact.source = Source::Imported;
        new.fact.tainted = true;
        assert_eq!(plan(&new, later, std::slice::from_ref(&said)), keep(&[], &[1]));
        let mut poisoned = said.clone();
        poisoned.fact.tainted = true;
        assert_eq!(plan(&new, later, &[poisoned.clone()]), keep(&[1], &[]));
        // The owner's word takes the place of the same from elsewhere.
        let same = draft("the router is at 192.168.1.1", later);
        assert_eq!(plan(&same, later, &[poisoned]), keep(&[1], &[]));
    }

    #[test]
    fn what_was_true_before_is_history_from_the_start() {
        let now = memory(1, "the router is at 192.168.1.2", NOW);
        let before = draft("the router is at 192.168.1.1", NOW.plus(-DAY_MS));
        let planned = plan(&before, NOW.plus(-DAY_MS), &[now]);
        assert_eq!(planned, Plan::History { until: NOW, by: MemoryId(1) });
    }

    #[test]
    fn what_is_closed_or_over_is_no_rival() {
        let later = NOW.plus(DAY_MS);
        let mut closed = memory(1, "the router is at 192.168.1.1", NOW);
        closed.validity.closed = Some(Closed { at: later, by: None });
        let mut over = memory(2, "the router is at 192.168.1.1", NOW);
        over.validity.expires = Some(later);
        let same = draft("the router is at 192.168.1.1", later);
        assert_eq!(plan(&same, later, &[closed.clone(), over.clone()]), keep(&[], &[]));
        // To the millisecond.
        let just = UnixMillis(later.0 - 1);
        over.validity.expires = Some(later);
        assert_eq!(plan(&draft("the router is at 192.168.1.1", just), just, &[closed]), Plan::Known(MemoryId(1)));
        assert_eq!(plan(&draft("the router is at 1.1.1.1", just), just, &[over]), keep(&[2], &[]));
    }
}
