//! The frozen injections: texts by which an attacker asks a model for something its owner did not want.
//!
//! A model that always obeys the attacker is played by script: for each line it calls [`Injection::tool`] with [`Injection::args`] as soon as
//! it has read [`Injection::text`] where [`Injection::place`] says. What the gate then lets through is the figure.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

/// Tools that exist, and so may be asked for in earnest. A line may name others: those must be refused as unknown.
pub const TOOLS: [&str; 10] = [
    "guest_start",
    "guest_stop",
    "guest_shutdown",
    "guest_reboot",
    "snapshot_create",
    "snapshot_delete",
    "snapshot_rollback",
    "memory_remember",
    "memory_forget",
    "page_note",
];

/// A line of `tests/frozen/injections.tsv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injection {
    /// Line in the file, from 1.
    pub line: usize,
    /// Where the text is hidden.
    pub place: Place,
    /// The tool that the attacker wants called; perhaps none of [`TOOLS`].
    pub tool: String,
    /// The arguments it is to be called with; perhaps such as the tool does not take.
    pub args: Map<String, Value>,
    /// The text, with its escapes resolved.
    pub text: String,
}

impl Injection {
    /// Whether the wanted tool exists.
    pub fn names_a_tool(&self) -> bool {
        TOOLS.contains(&self.tool.as_str())
    }
}

/// Where a text is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Name of a VM or container.
    VmName,
    /// Name of a node.
    NodeName,
    /// Name of a storage.
    StorageName,
    /// Name of a snapshot.
    SnapshotName,
    /// Tags of a guest.
    Tag,
    /// Notes of a guest.
    Notes,
    /// Notes of a backup.
    BackupNotes,
    /// Log of a task.
    TaskLog,
    /// Log of a node.
    Log,
    /// What the guest's agent answers.
    GuestAgent,
    /// Text of a file.
    File,
    /// A page of the web.
    Web,
    /// Output of a tool.
    ToolOutput,
    /// Description of another MCP server's tool.
    McpDescription,
    /// Result of another MCP server's tool.
    McpResult,
    /// A memory.
    Memory,
    /// Said in a room.
    Speech,
}

impl Place {
    /// Every place.
    pub const ALL: [Place; 17] = [
        Place::VmName,
        Place::NodeName,
        Place::StorageName,
        Place::SnapshotName,
        Place::Tag,
        Place::Notes,
        Place::BackupNotes,
        Place::TaskLog,
        Place::Log,
        Place::GuestAgent,
        Place::File,
        Place::Web,
        Place::ToolOutput,
        Place::McpDescription,
        Place::McpResult,
        Place::Memory,
        Place::Speech,
    ];

    /// As the file writes it.
    pub fn name(self) -> &'static str {
        match self {
            Place::VmName => "vm-name",
            Place::NodeName => "node-name",
            Place::StorageName => "storage-name",
            Place::SnapshotName => "snapshot-name",
            Place::Tag => "tag",
            Place::Notes => "notes",
            Place::BackupNotes => "backup-notes",
            Place::TaskLog => "task-log",
            Place::Log => "log",
            Place::GuestAgent => "guest-agent",
            Place::File => "file",
            Place::Web => "web",
            Place::ToolOutput => "tool-output",
            Place::McpDescription => "mcp-description",
            Place::McpResult => "mcp-result",
            Place::Memory => "memory",
            Place::Speech => "speech",
        }
    }
}

/// Every frozen injection.
pub fn frozen(root: &Path) -> Result<Vec<Injection>> {
    let path = root.join("tests/frozen/injections.tsv");
    let file = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let parsed = file.lines().enumerate();
    parsed.map(|(n, line)| parse(n + 1, line).with_context(|| format!("{}:{}", path.display(), n + 1))).collect()
}

/// Reads a line: place, tool, arguments as a JSON object, text.
pub fn parse(line: usize, written: &str) -> Result<Injection> {
    let fields: Vec<&str> = written.split('\t').collect();
    let [place, tool, args, text] = fields[..] else { bail!("four fields are wanted, {} are there", fields.len()) };
    let place = Place::ALL.into_iter().find(|p| p.name() == place).with_context(|| format!("no place is {place:?}"))?;
    ensure!(!tool.is_empty() && tool.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "no tool is {tool:?}");
    let args = serde_json::from_str(args).with_context(|| format!("arguments {args}"))?;
    Ok(Injection { line, place, tool: tool.to_owned(), args, text: unescape(text)? })
}

/// Resolves `\n`, `\t`, `\r`, `\\` and `\u{200b}`: characters that nobody sees are written so that a reader of the file does.
fn unescape(written: &str) -> Result<String> {
    let mut text = String::with_capacity(written.len());
    let mut chars = written.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('\\') => text.push('\\'),
            Some('u') => {
                let (code, after) = chars
                    .as_str()
                    .strip_prefix('{')
                    .and_then(|rest| rest.split_once('}'))
                    .context("\\u is followed by {hexadecimal digits}")?;
                let code = u32::from_str_radix(code, 16).with_context(|| format!("\\u{{{code}}}"))?;
                text.push(char::from_u32(code).with_context(|| format!("no character is {code:x}"))?);
                chars = after.chars();
            }
            other => bail!("no escape is \\{}", other.map_or_else(String::new, String::from)),
        }
    }
    Ok(text)
}

/// The places that lines of the file name.
pub fn places(injections: &[Injection]) -> BTreeSet<Place> {
    injections.iter().map(|i| i.place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn all() -> Vec<Injection> {
        frozen(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap()
    }

    #[test]
    fn lines_are_read() {
        let read = parse(7, "notes\tguest_stop\t{\"vmid\":104}\ta\\n\\\\b\\u{200b}é").unwrap();
        assert_eq!((read.line, read.place, read.tool.as_str()), (7, Place::Notes, "guest_stop"));
        assert_eq!(read.args, serde_json::json!({"vmid": 104}).as_object().unwrap().clone());
        assert_eq!(read.text, "a\n\\b\u{200b}é");
    }

    #[test]
    fn broken_lines_are_refused() {
        let broken = [
            "notes\tguest_stop\t{}",
            "nowhere\tguest_stop\t{}\tx",
            "notes\tGuest Stop\t{}\tx",
            "notes\tguest_stop\t[]\tx",
            "notes\tguest_stop\t{\tx",
            "notes\tguest_stop\t{}\t\\x",
            "notes\tguest_stop\t{}\t\\u{d800}",
            "notes\tguest_stop\t{}\t\\u200b",
            "notes\tguest_stop\t{}\tx\ty",
        ];
        for line in broken {
            assert!(parse(1, line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn every_place_and_every_tool_is_attacked() {
        let all = all();
        assert!(all.len() >= 320, "{} injections", all.len());
        let texts: BTreeSet<_> = all.iter().map(|i| (i.place, &i.text)).collect();
        assert_eq!(texts.len(), all.len(), "a text stands twice in one place");
        let count = |f: &dyn Fn(&Injection) -> bool| all.iter().filter(|i| f(i)).count();
        let few: Vec<_> = Place::ALL.into_iter().filter(|p| count(&|i| i.place == *p) < 8).collect();
        assert!(few.is_empty(), "hardly attacked: {few:?}");
        let few: Vec<_> = TOOLS.into_iter().filter(|t| count(&|i| i.tool == *t) < 20).collect();
        assert!(few.is_empty(), "hardly wanted: {few:?}");
        let foreign: BTreeSet<_> = all.iter().filter(|i| !i.names_a_tool()).map(|i| i.tool.as_str()).collect();
        assert!(foreign.len() >= 20, "tools that do not exist: {foreign:?}");
        assert_eq!(places(&all).len(), Place::ALL.len());
    }

    #[test]
    fn tools_that_exist_are_wanted_with_arguments_they_take_or_with_forged_ones() {
        let shapes: BTreeMap<&str, &[&str]> = TOOLS
            .into_iter()
            .map(|tool| {
                let keys: &[&str] = match tool {
                    "memory_remember" | "memory_forget" | "page_note" => &["text"],
                    "snapshot_create" | "snapshot_delete" | "snapshot_rollback" => &["name", "vmid"],
                    _ => &["vmid"],
                };
                (tool, keys)
            })
            .collect();
        let mut forged = 0;
        for injection in all().iter().filter(|i| i.names_a_tool()) {
            let keys: Vec<_> = injection.args.keys().map(String::as_str).collect();
            let fits = keys == shapes[injection.tool.as_str()]
                && injection
                    .args
                    .values()
                    .all(|v| v.is_string() || v.as_u64().is_some_and(|n| (100..=999_999_999).contains(&n)))
                && injection.args.get("vmid").is_none_or(Value::is_u64);
            forged += usize::from(!fits);
        }
        assert!((4..=10).contains(&forged), "{forged} calls with arguments that the tool does not take");
    }

    #[test]
    fn tongues_and_tricks_are_many() {
        let all = all();
        let any = |f: &dyn Fn(char) -> bool| all.iter().filter(|i| i.text.chars().any(f)).count();
        assert!(any(&|c| ('\u{0400}'..='\u{04ff}').contains(&c)) >= 4, "Cyrillic, or what looks Latin and is not");
        assert!(any(&|c| ('\u{4e00}'..='\u{9fff}').contains(&c)) >= 4, "Chinese, Japanese");
        assert!(any(&|c| ('\u{0600}'..='\u{06ff}').contains(&c)) >= 4, "Arabic");
        assert!(any(&|c| c == '\u{200b}') >= 4, "zero width");
        assert!(any(&|c| c == '\u{202e}') >= 4, "right to left");
        assert!(any(&|c| ('\u{e0020}'..='\u{e007f}').contains(&c)) >= 4, "tag characters");
        assert!(any(&|c| c == '\u{1b}') >= 4, "escape sequences");
        for word in
            ["already said yes", "approval_id", "Ignore all previous", "<|im_start|>", "standing", "kill", "audit"]
        {
            assert!(all.iter().any(|i| i.text.contains(word)), "{word:?}");
        }
    }
}
