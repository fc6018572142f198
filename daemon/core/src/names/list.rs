//! Names written down in a file, where no cluster is asked.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Names;
use crate::cluster::{Cluster, Guest, GuestKind, GuestState, Node, Presence, Storage};
use crate::ids::{NodeName, StorageName, Vmid};

/// The names that the intent files' examples use, and that the model which comes with Jarvis hears.
const EXAMPLES: &str = include_str!("../../../models/default_names.toml");

/// A TOML file of names: `nodes` and `storages` are lists, `[guests]` names by VMID.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct NameList {
    nodes: Vec<String>,
    storages: Vec<String>,
    guests: BTreeMap<String, String>,
}

impl Names {
    /// From a file of names: `nodes` and `storages` as lists, `[guests]` by VMID.
    ///
    /// # Errors
    /// It is something else; in words.
    pub fn parse(toml: &str) -> Result<Self, String> {
        let list: NameList = toml::from_str(toml).map_err(|e| e.to_string())?;
        list.cluster().map(|cluster| Self::from_cluster(&cluster))
    }

    /// Those that the intent files' examples use.
    ///
    /// # Errors
    /// None: a test reads the embedded file.
    pub fn examples() -> Result<Self, String> {
        Self::parse(EXAMPLES)
    }
}

impl NameList {
    /// A cluster of which only the names count.
    fn cluster(&self) -> Result<Cluster, String> {
        let home = NodeName(self.nodes.first().ok_or("there are no nodes")?.clone());
        let node = |name: &String| Node {
            name: NodeName(name.clone()),
            presence: Presence::Unknown,
            cpu: None,
            cores: None,
            memory: None,
            root: None,
            uptime_s: None,
        };
        let storage = |name: &String| Storage {
            name: StorageName(name.clone()),
            node: home.clone(),
            kind: String::new(),
            shared: true,
            available: None,
            usage: None,
        };
        let guest = |(vmid, name): (&String, &String)| {
            let vmid = vmid.parse().map_err(|e| format!("{vmid} is no VMID: {e}"))?;
            Ok(Guest {
                vmid: Vmid(vmid),
                name: Some(name.clone()),
                kind: GuestKind::Vm,
                node: home.clone(),
                state: GuestState::Unknown,
                cpu: None,
                cores: None,
                memory: None,
                disk: None,
                uptime_s: None,
                lock: None,
                ha: None,
            })
        };
        Ok(Cluster {
            nodes: self.nodes.iter().map(node).collect(),
            storages: self.storages.iter().map(storage).collect(),
            guests: self.guests.iter().map(guest).collect::<Result<_, String>>()?,
            ..Cluster::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_names_are_known() {
        let words = Names::examples().unwrap().words();
        for word in ["pve", "nextcloud", "vault"] {
            assert!(words.iter().any(|w| w == word), "{word} in {words:?}");
        }
    }

    #[test]
    fn what_is_no_list_of_names_is_told() {
        let told = |text: &str| Names::parse(text).unwrap_err();
        assert!(told("nodes = []\nstorages = []\n[guests]\n").contains("no nodes"));
        assert!(told("nodes = ['a']\nstorages = []\n[guests]\nx = 'y'\n").contains("x is no VMID"));
        assert!(told("nodes = ['a']\nstorages = []\nguests = {}\nnode = 1\n").contains("node"));
    }
}
