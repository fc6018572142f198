//! What the tools that only look share.

use super::Summary;
use crate::ids::NodeName;

/// Why a read is not taken back.
pub(super) const NOTHING_CHANGED: &str = "nothing was changed";
/// Most nodes one call names.
const NODES_MAX: usize = 64;

pub(super) fn summary(verb: &str, target: &str) -> Summary {
    Summary { verb: verb.to_owned(), target: target.to_owned(), node: None, consequence: String::new() }
}

pub(super) fn check_nodes(nodes: &[NodeName]) -> Result<(), String> {
    if nodes.len() > NODES_MAX {
        return Err(format!("{} nodes are named; at most {NODES_MAX} are asked at once", nodes.len()));
    }
    nodes.iter().try_for_each(NodeName::check)
}

/// Whether a text is there and not too long.
pub(super) fn check_text(text: &str, chars_max: usize) -> Result<(), String> {
    let chars = text.chars().count();
    if text.trim().is_empty() || chars > chars_max {
        return Err(format!("the text has {chars} characters; give 1 to {chars_max}"));
    }
    Ok(())
}
