//! What is taken of a server's list: bounded in number and length, and said where something is left out.

use serde_json::{Map, Value};

use super::{Described, canonical, is_tool};

/// Most tools of one server.
pub const TOOLS_MAX: usize = 64;
/// Longest description, in bytes.
pub const ABOUT_BYTES_MAX: usize = 2 << 10;
/// Longest schema, in bytes of canonical JSON.
pub const SCHEMA_BYTES_MAX: usize = 8 << 10;
/// Tools that are left out by name; of the rest only their number is told.
const NAMED_MAX: usize = 8;
/// Characters of a name that cannot be used which are repeated.
const ODD_NAME_CHARS: usize = 40;

/// A tool as it stands in a server's list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// What it is said to do.
    pub about: Option<String>,
    /// JSON schema of its arguments.
    pub schema: Map<String, Value>,
}

/// What was taken.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Taken {
    /// Tools, by name; each name once.
    pub tools: Vec<Described>,
    /// What was left out, and why: a line each, bounded.
    pub left_out: Vec<String>,
}

/// Takes what is within bounds. Of too many tools those go first that `wanted` knows, so that a server cannot push out what is approved.
pub fn take(server: &str, listed: Vec<Listed>, wanted: impl Fn(&str) -> bool) -> Taken {
    let (mut tools, mut refused): (Vec<Described>, Vec<String>) = (Vec::new(), Vec::new());
    let (known, others): (Vec<Listed>, Vec<Listed>) = listed.into_iter().partition(|tool| wanted(&tool.name));
    let mut too_many = 0usize;
    for tool in known.into_iter().chain(others) {
        let odd = wrong(server, &tool)
            .or_else(|| tools.iter().any(|other| other.name == tool.name).then_some("there are two of that name"));
        match odd {
            Some(why) => refused.push(format!("{}: {why}", shown(&tool.name))),
            None if tools.len() >= TOOLS_MAX => too_many += 1,
            None => {
                let Listed { name, about, schema } = tool;
                tools.push(Described { name, about: about.unwrap_or_default(), schema });
            }
        }
    }
    tools.sort_by(|a, b| a.name.cmp(&b.name));
    let unnamed = refused.len().saturating_sub(NAMED_MAX);
    refused.truncate(NAMED_MAX);
    if unnamed > 0 {
        refused.push(format!("{unnamed} more that cannot be used"));
    }
    if too_many > 0 {
        refused.push(format!("{too_many} more: at most {TOOLS_MAX} tools of a server are looked at"));
    }
    Taken { tools, left_out: refused }
}

fn wrong(server: &str, tool: &Listed) -> Option<&'static str> {
    if !is_tool(server, &tool.name) {
        return Some("its name is too long, or has other characters than a-z, A-Z, 0-9, _ and -");
    }
    if tool.about.as_ref().is_some_and(|about| about.len() > ABOUT_BYTES_MAX) {
        return Some("its description is longer than 2 KiB");
    }
    if canonical(&Value::Object(tool.schema.clone())).len() > SCHEMA_BYTES_MAX {
        return Some("its schema is longer than 8 KiB");
    }
    (tool.schema.get("type").and_then(Value::as_str) != Some("object")).then_some("its schema is not that of an object")
}

fn shown(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() { c } else { '?' };
    name.chars().take(ODD_NAME_CHARS).map(plain).collect()
}
