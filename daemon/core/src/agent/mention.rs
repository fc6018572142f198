//! What the owner's own words name, told to a model beside them.
//!
//! A model has never seen the cluster. So that it need not read a list of names, which strangers may have written and which would taint
//! what it then proposes, the things that the request itself names are looked up here. Beside the owner's words it is told numbers and
//! names of nodes, nothing else.

use crate::memory::{Reader, Subject};

/// Things that a request names, a line for the model; `None` where it names none.
pub fn mentioned(reader: &Reader<'_>, asked: &str) -> Option<String> {
    let known: Vec<String> = reader
        .things(asked)
        .into_iter()
        .filter_map(|(said, subject)| match subject {
            Subject::Guest(vmid) => Some(format!("\"{said}\" is the guest with vmid {vmid}")),
            Subject::Node(node) if node.check().is_ok() => Some(format!("\"{said}\" is node {node}")),
            Subject::Node(_) | Subject::Storage(_) | Subject::Topic(_) => None,
        })
        .collect();
    (!known.is_empty()).then(|| format!("[Of the words above: {}.]", known.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::testing::{NOW, reader};

    #[test]
    fn only_the_owners_words_and_checked_names_are_told() {
        let told = |asked: &str| mentioned(&reader(NOW), asked);
        assert_eq!(told("tell me a joke"), None);
        let line = told("would you kindly get vm 104 going on node two").unwrap();
        assert!(line.contains("vmid 104") && line.contains("pve2"), "{line}");
    }
}
