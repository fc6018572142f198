//! The simulator's answers beside the official description of the API and beside recorded answers of a real cluster.
//!
//! Both lie outside the repository (`../shared/data/proxmox`). The description is right about paths and parameters; of live answers
//! about a fifth carry fields it does not declare, so a field counts as explained where a real cluster was seen to send it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jarvis_core::cluster::GuestKind;
use serde_json::{Map, Value};

use super::answers::{METHODS, Method, Request, method};
use super::changes::{CHANGES, Change, change};
use super::rights::Rights;
use super::state::State;
use super::work::Fate;

/// Where the simulator differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// `GET`, `POST`, `DELETE`.
    pub verb: &'static str,
    /// The method's path.
    pub template: &'static str,
    /// The field, `type.field` where a list holds several types.
    pub field: String,
    /// How.
    pub kind: DifferenceKind,
}

/// How an answer differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DifferenceKind {
    /// The official API has no such method.
    NoSuchPath,
    /// The official method has no such parameter.
    NoSuchParameter,
    /// The field is neither declared nor in a recorded answer.
    Invented,
    /// The field is in recorded answers, though not declared.
    Undeclared,
    /// The field is declared as always there, and is not always.
    DeclaredButMissing,
    /// Every recorded answer has the field, and ours not always.
    RecordedButMissing,
    /// The field has another JSON type than declared.
    TypeDeclared,
    /// The field has another JSON type than recorded.
    TypeRecorded,
    /// The official method asks for other privileges.
    OtherPrivileges,
    /// The method answers with something else than a task's identifier.
    NoTask,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {} {} {}", self.kind, self.verb, self.template, self.field)
    }
}

/// Fields of the answers to one method: by name, the JSON types seen and in how many of the elements.
#[derive(Debug, Default)]
struct Fields {
    elements: BTreeMap<String, usize>,
    fields: BTreeMap<(String, String), (BTreeSet<&'static str>, usize)>,
}

impl Fields {
    fn add(&mut self, data: &Value) {
        match data {
            Value::Array(elements) => elements.iter().filter_map(Value::as_object).for_each(|e| self.element(e)),
            Value::Object(object) => self.element(object),
            _ => {}
        }
    }

    fn element(&mut self, element: &Map<String, Value>) {
        // Lists that mix types of things have an `id`; elsewhere `type` is a value like any other.
        let kind = element.get("type").filter(|_| element.contains_key("id")).and_then(Value::as_str);
        let kind = match kind {
            Some(kind) if ["vzdump", "local"].contains(&kind) || element.contains_key("upid") => "",
            Some(kind) => kind,
            None => "",
        };
        *self.elements.entry(kind.to_owned()).or_default() += 1;
        for (name, value) in element {
            self.field(kind, name, value);
            if let Some(object) = value.as_object() {
                object.iter().for_each(|(inner, value)| self.field(kind, &format!("{name}/{inner}"), value));
            }
        }
    }

    fn field(&mut self, kind: &str, name: &str, value: &Value) {
        let entry = self.fields.entry((kind.to_owned(), name.to_owned())).or_default();
        entry.0.insert(json_type(value));
        entry.1 += 1;
    }

    fn always(&self, kind: &str, field: &str) -> bool {
        let key = (kind.to_owned(), field.to_owned());
        let seen = self.fields.get(&key).map_or(0, |(_, seen)| *seen);
        self.elements.get(kind).is_none_or(|all| seen >= *all)
    }
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn shown(kind: &str, field: &str) -> String {
    if kind.is_empty() { field.to_owned() } else { format!("{kind}.{field}") }
}

/// Where the data lies, if it is there.
pub fn data_dir() -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/proxmox");
    dir.is_dir().then_some(dir)
}

/// Methods that answer with a map, whose keys are data.
const MAPS: [&str; 1] = ["/access/permissions"];

/// Every difference, of clusters drawn from some seeds.
pub fn differences(data: &Path) -> Result<Vec<Difference>> {
    let official = official(data)?;
    let recorded = recorded(data)?;
    let ours = ours();
    let mut found = BTreeSet::new();
    for served in METHODS {
        let template = served.template;
        let mut differ = |field: String, kind: DifferenceKind| {
            found.insert(Difference { verb: "GET", template, field, kind });
        };
        let Some(declared) = official.get(&("GET", template)) else {
            differ(String::new(), DifferenceKind::NoSuchPath);
            continue;
        };
        for parameter in served.parameters.iter().copied().chain(slots(template)) {
            if declared.pointer(&format!("/parameters/{parameter}")).is_none() {
                differ(parameter.to_owned(), DifferenceKind::NoSuchParameter);
            }
        }
        let Some(ours) = ours.get(template).filter(|_| !MAPS.contains(&template)) else { continue };
        against_declared(ours, declared, recorded.get(template), &mut differ);
        if let Some(recorded) = recorded.get(template) {
            against_recorded(ours, recorded, &mut differ);
        }
    }
    for served in CHANGES.iter().flatten() {
        let Change { verb, template, .. } = *served;
        let mut differ = |field: String, kind: DifferenceKind| {
            found.insert(Difference { verb, template, field, kind });
        };
        match official.get(&(verb, template)) {
            Some(declared) => change_against_declared(served, declared, &mut differ),
            None => differ(String::new(), DifferenceKind::NoSuchPath),
        }
    }
    Ok(found.into_iter().collect())
}

/// A change has no shape but that of a task's identifier; its parameters and privileges are compared.
fn change_against_declared(served: &Change, declared: &Value, differ: &mut impl FnMut(String, DifferenceKind)) {
    for parameter in served.parameters.iter().copied().chain(slots(served.template)) {
        if declared.pointer(&format!("/parameters/{parameter}")).is_none() {
            differ(parameter.to_owned(), DifferenceKind::NoSuchParameter);
        }
    }
    let privileges: Vec<&str> =
        declared["permissions"]["check"][2].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if privileges != served.privileges {
        differ(privileges.join("|"), DifferenceKind::OtherPrivileges);
    }
    let mut state = State::at(3, 1_795_430_000, 0);
    let kind = if served.template.contains("/lxc/") { GuestKind::Container } else { GuestKind::Vm };
    let Some(guest) = state.guests.iter_mut().find(|guest| guest.kind == kind) else { return };
    guest.running = !served.template.ends_with("start");
    let path = served
        .template
        .replace("{node}", &guest.node)
        .replace("{vmid}", &guest.vmid.to_string())
        .replace("{snapname}", "clean");
    let (rights, node) = (Rights::all(), guest.node.clone());
    let required = served.parameters.contains(&"snapname").then(|| ("snapname".to_owned(), "clean".to_owned()));
    let Some((served, slots)) = change(served.verb, &path) else { return };
    let request = Request {
        node: &node,
        now: state.born + 60,
        slots,
        query: required.into_iter().collect(),
        user: "jarvis@pve!jarvis",
        rights: &rights,
    };
    let answer = served.take(&mut state, &request, (request.now) * 1000, Fate::Usual);
    let is_task = |data: &Value| data.as_str().is_some_and(|text| text.starts_with("UPID:"));
    if declared["returns"]["type"] != "string" || !answer.as_ref().is_ok_and(is_task) {
        differ(format!("{answer:?}"), DifferenceKind::NoTask);
    }
}

fn slots(template: &'static str) -> impl Iterator<Item = &'static str> {
    template.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn against_declared(
    ours: &Fields,
    declared: &Value,
    recorded: Option<&Fields>,
    differ: &mut impl FnMut(String, DifferenceKind),
) {
    let returns = &declared["returns"];
    let element = returns.get("items").unwrap_or(returns);
    let empty = Map::new();
    let properties = element.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let declaration = |field: &str| match field.split_once('/') {
        // A property declared as a bare object may hold anything.
        Some((outer, inner)) => match properties.get(outer)?.get("properties") {
            Some(inside) => inside.get(inner),
            None => properties.get(outer),
        },
        None => properties
            .get(field)
            .or_else(|| properties.get(&format!("{}[n]", field.trim_end_matches(char::is_numeric)))),
    };
    for ((kind, field), (types, _)) in &ours.fields {
        let was_recorded = recorded.is_some_and(|r| r.fields.keys().any(|(_, known)| known == field));
        match declaration(field) {
            None if was_recorded => differ(shown(kind, field), DifferenceKind::Undeclared),
            None => differ(shown(kind, field), DifferenceKind::Invented),
            Some(declaration) if !field.contains('/') => {
                let wanted = match declaration.get("type").and_then(Value::as_str) {
                    Some("integer" | "number" | "boolean") => "number",
                    Some("string") => "string",
                    Some("array") => "array",
                    Some("object") => "object",
                    _ => continue,
                };
                if types.iter().any(|seen| *seen != wanted) {
                    differ(shown(kind, field), DifferenceKind::TypeDeclared);
                }
            }
            Some(_) => {}
        }
    }
    for (field, declaration) in properties {
        let optional = declaration.get("optional").is_some_and(|optional| optional != &Value::from(0));
        let missing = || ours.elements.keys().filter(|kind| !ours.always(kind, field));
        if !optional && !ours.elements.is_empty() {
            missing().for_each(|kind| differ(shown(kind, field), DifferenceKind::DeclaredButMissing));
        }
    }
}

fn against_recorded(ours: &Fields, recorded: &Fields, differ: &mut impl FnMut(String, DifferenceKind)) {
    for ((kind, field), (types, _)) in &recorded.fields {
        if !ours.elements.contains_key(kind) {
            continue;
        }
        match ours.fields.get(&(kind.clone(), field.clone())) {
            Some((seen, _)) if seen.is_disjoint(types) => differ(shown(kind, field), DifferenceKind::TypeRecorded),
            _ if recorded.always(kind, field) && !ours.always(kind, field) => {
                differ(shown(kind, field), DifferenceKind::RecordedButMissing);
            }
            _ => {}
        }
    }
}

/// The official methods by verb and path.
struct Official(BTreeMap<(String, String), Value>);

impl Official {
    fn get(&self, (verb, path): &(&str, &str)) -> Option<&Value> {
        self.0.get(&((*verb).to_owned(), (*path).to_owned()))
    }
}

fn official(data: &Path) -> Result<Official> {
    let text = fs::read(data.join("pve-apidata-9.2.json")).context("the official description")?;
    let mut description: Value = serde_json::from_slice(&text)?;
    let endpoints = description["endpoints"].as_array_mut().map(std::mem::take).context("its endpoints")?;
    let named = endpoints.into_iter().filter_map(|endpoint| {
        let (verb, path) = (endpoint["method"].as_str()?.to_owned(), endpoint["path"].as_str()?.to_owned());
        Some(((verb, path), endpoint))
    });
    Ok(Official(named.collect()))
}

fn recorded(data: &Path) -> Result<BTreeMap<String, Fields>> {
    let mut fields: BTreeMap<String, Fields> = BTreeMap::new();
    for file in ["cluster-get-all.json", "get-all.json"] {
        let text = fs::read(data.join("recorded/live-9.2").join(file)).with_context(|| file.to_owned())?;
        let answers: Vec<Value> = serde_json::from_slice(&text)?;
        for answer in answers.iter().filter(|answer| answer["status"] == 200) {
            if let Some(template) = answer["template"].as_str() {
                fields.entry(template.to_owned()).or_default().add(&answer["json"]["data"]);
            }
        }
    }
    fields.retain(|_, fields| !fields.elements.is_empty());
    Ok(fields)
}

fn ours() -> BTreeMap<&'static str, Fields> {
    let mut fields: BTreeMap<&'static str, Fields> = BTreeMap::new();
    let rights = Rights::all();
    for seed in 0..20 {
        let state = State::at(seed, 1_795_430_000, 0);
        for served in METHODS {
            for path in paths(served, &state) {
                let (served, slots) = method(&path).unwrap_or((served, Vec::new()));
                let request = Request {
                    node: "pve1",
                    now: state.born + 60,
                    slots,
                    query: Vec::new(),
                    user: "jarvis@pve!jarvis",
                    rights: &rights,
                };
                if let Ok(data) = served.answer(&state, &request) {
                    fields.entry(served.template).or_default().add(&data);
                }
            }
        }
    }
    fields
}

/// The paths that `served` has in `state`.
fn paths(served: &Method, state: &State) -> Vec<String> {
    let on_nodes =
        |template: &str| state.nodes.iter().map(|node| template.replace("{node}", &node.name)).collect::<Vec<_>>();
    let vmids = state.guests.iter().map(|guest| guest.vmid.to_string());
    match served.template {
        template if template.contains("{upid}") => {
            let of_task =
                |task: &super::state::Task| template.replace("{node}", &task.node).replace("{upid}", &task.upid);
            state.tasks.iter().map(of_task).collect()
        }
        template if template.contains("{vmid}") => {
            let of_guest = |vmid: String| template.replace("{vmid}", &vmid);
            vmids.flat_map(|vmid| on_nodes(&of_guest(vmid))).collect()
        }
        template => on_nodes(&template.replace("{storage}", "vault")),
    }
}

#[cfg(test)]
mod tests;
