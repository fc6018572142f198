//! What can be named now: nodes, guests and storages of the live cluster, and how people say them.

use crate::cluster::Cluster;

/// The names that requests may use. Built anew whenever the cluster's names change.
#[derive(Debug, Clone, Default)]
pub struct Names {}

impl Names {
    /// From what the cluster says exists.
    pub fn from_cluster(_cluster: &Cluster) -> Self {
        Self {}
    }

    /// Every word somebody may use to name something, for the recogniser's lexicon.
    pub fn words(&self) -> Vec<String> {
        Vec::new()
    }
}
