//! Prints what the recogniser's language model and lexicon are made of: `requests sentences|natural|words NAMES.toml [COUNT]`.

use std::collections::BTreeMap;
use std::error::Error;

use jarvis_core::cluster::{Cluster, Guest, GuestKind, GuestState, Node, Presence, Storage};
use jarvis_core::ids::{NodeName, StorageName, Vmid};
use jarvis_core::intent::Grammar;
use jarvis_core::names::Names;

/// Sentences of patterns, where no count is given.
const SENTENCES: usize = 60_000;
/// Times an example comes, where no count is given.
const EACH: usize = 40;
/// Any; the same one gives the same model.
const SEED: u64 = 20;

/// The file.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    nodes: Vec<String>,
    storages: Vec<String>,
    /// By VMID.
    guests: BTreeMap<String, String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: requests sentences|natural|words NAMES.toml [COUNT]";
    let what = arguments.next().ok_or(usage)?;
    let named: Named = toml::from_str(&std::fs::read_to_string(arguments.next().ok_or(usage)?)?)?;
    let count = arguments.next().map(|n| n.parse()).transpose()?;
    let grammar = Grammar::embedded()?;
    let names = Names::from_cluster(&cluster(&named)?);
    let lines = match what.as_str() {
        "sentences" => grammar.sentences(&names, count.unwrap_or(SENTENCES), SEED),
        "natural" => grammar.natural(&names, &names, count.unwrap_or(EACH), SEED),
        "words" => grammar.vocabulary(&names).into_iter().collect(),
        _ => return Err(usage.into()),
    };
    println!("{}", lines.join("\n"));
    Ok(())
}

/// Of which only the names count.
fn cluster(named: &Named) -> Result<Cluster, Box<dyn Error>> {
    let home = NodeName(named.nodes.first().ok_or("no nodes")?.clone());
    let node = |name: &String| Node {
        name: NodeName(name.clone()),
        presence: Presence::Online,
        cpu: None,
        cores: None,
        memory: None,
        root: None,
        uptime_s: None,
    };
    let storage = |name: &String| Storage {
        name: StorageName(name.clone()),
        node: home.clone(),
        kind: "dir".to_owned(),
        shared: true,
        available: Some(true),
        usage: None,
    };
    let mut guests = Vec::new();
    for (vmid, name) in &named.guests {
        guests.push(Guest {
            vmid: Vmid(vmid.parse()?),
            name: Some(name.clone()),
            kind: GuestKind::Vm,
            node: home.clone(),
            state: GuestState::Running,
            cpu: None,
            cores: None,
            memory: None,
            disk: None,
            uptime_s: None,
            lock: None,
            ha: None,
        });
    }
    Ok(Cluster {
        nodes: named.nodes.iter().map(node).collect(),
        storages: named.storages.iter().map(storage).collect(),
        guests,
        ..Cluster::default()
    })
}
