//! What a pattern cannot do without: a quick no for most patterns, before any search.

use crate::intent::machine::{Input, Token, Weight};
use crate::intent::pattern::{Part, SlotKind};

/// Something without which no way leads through.
#[derive(Debug, Clone)]
pub(super) enum Need {
    /// One of these stems.
    Words(Vec<u32>),
    /// Anything that fills the slot.
    Slot(SlotKind),
}

impl Need {
    pub(super) fn is_met(&self, input: &Input<'_>) -> bool {
        match self {
            Self::Words(stems) => input.tokens.iter().any(|t| stems.contains(&t.stem)),
            Self::Slot(slot) => input.spanned.iter().any(|s| s.holds(*slot)),
        }
    }
}

/// What a part cannot do without: of alternatives, one need of each together.
pub(super) fn needs(part: &Part, intern: &mut impl FnMut(&str) -> Token, into: &mut Vec<Need>) {
    match part {
        Part::Word(word) => {
            let token = intern(word);
            if token.weight == Weight::Decides {
                into.push(Need::Words(vec![token.stem]));
            }
        }
        Part::Must(word) => into.push(Need::Words(vec![intern(word).stem])),
        Part::Slot(kind) => into.push(Need::Slot(*kind)),
        Part::Sequence(parts) => {
            for part in parts {
                needs(part, intern, into);
            }
        }
        Part::Optional(_) => {}
        Part::Either(parts) => {
            let mut together = Vec::new();
            for part in parts {
                let mut own = Vec::new();
                needs(part, intern, &mut own);
                let words = own.into_iter().find_map(|need| match need {
                    Need::Words(stems) => Some(stems),
                    Need::Slot(_) => None,
                });
                match words {
                    Some(stems) => together.extend(stems),
                    None => return,
                }
            }
            into.push(Need::Words(together));
        }
    }
}
