//! `jarvisctl mcp servers`, `approve` and `forget`: the owner's other servers, and what he allows of them.

use std::io::{self, Write};
use std::process::ExitCode;

use jarvis_core::context::fence;
use jarvis_core::foreign::{Part, Pin, Standing};
use serde_json::Value;

use super::{Control, Trouble, shaped, show};
use crate::ctl::protocol::{McpQuestion, Request};
use crate::mcp::{ServerLine, Shown, ToolLine};
use crate::model_fetch::agreed;

/// Digits of a pin that are enough to name it: 48 bits of it, beside the tool's name.
const PIN_DIGITS: usize = 12;

impl Control<'_> {
    pub(super) fn servers(&self) -> Result<ExitCode, Trouble> {
        let what = McpQuestion::Servers { look: true };
        self.show::<Vec<ServerLine>>(&Request::Mcp { what }, |all| list(&all))
    }

    /// Shows what is to be approved, asks, and names what was shown. With `pin` it was shown before, and nobody is asked.
    pub(super) fn approve_tools(
        &self,
        server: &str,
        tool: Option<&str>,
        pin: Option<&str>,
    ) -> Result<ExitCode, Trouble> {
        let what = McpQuestion::Servers { look: pin.is_none() };
        let all: Vec<ServerLine> = shaped(&self.ask(&Request::Mcp { what })?)?;
        let line = all.into_iter().find(|line| line.name == server);
        let line = line.ok_or_else(|| {
            Trouble::new(
                format!("there is no server \"{server}\""),
                "`jarvisctl mcp servers` lists those that there are",
            )
        })?;
        let waiting: Vec<&ToolLine> = line.waiting().filter(|line| tool.is_none_or(|name| line.name == name)).collect();
        if waiting.is_empty() {
            let what = match tool {
                Some(tool) => format!("{tool} of {server} does not wait for you"),
                None => format!("no tool of {server} waits for you"),
            };
            return Err(Trouble::new(what, "`jarvisctl mcp servers` shows how they stand"));
        }
        match pin {
            Some(pin) => {
                let fits = |line: &&ToolLine| pin.len() >= PIN_DIGITS && line.pin.to_string().starts_with(pin);
                if !waiting.iter().all(fits) || waiting.len() != 1 {
                    let what = format!("what waits is not {}", show::safe(pin));
                    return Err(Trouble::new(what, "`jarvisctl mcp servers` shows it; name one tool and its pin"));
                }
            }
            None => ask(&waiting)?,
        }
        let shown = waiting.iter().map(|line| Shown { tool: line.name.clone(), pin: line.pin }).collect();
        let what = McpQuestion::ApproveTools { server: server.to_owned(), shown };
        let told = self.ask(&Request::Mcp { what })?;
        let names: Vec<String> = waiting.iter().map(|line| show::safe(&line.name)).collect();
        self.print(&told, |_: Value| format!("Approved of {}: {}.\n", show::safe(server), names.join(", ")))
    }

    pub(super) fn forget_tools(&self, server: &str) -> Result<ExitCode, Trouble> {
        let what = McpQuestion::ForgetTools { server: server.to_owned() };
        let told = self.ask(&Request::Mcp { what })?;
        self.print(&told, |told: Value| {
            format!("{} tools of {} are not approved any more.\n", told["forgotten"], show::safe(server))
        })
    }
}

/// On the error output: with `--json` the other one is for the answer alone.
fn ask(waiting: &[&ToolLine]) -> Result<(), Trouble> {
    let shown: String = waiting.iter().map(|line| told(line)).collect();
    let mut out = io::stderr().lock();
    let asked = write!(out, "{shown}A model will read these texts and may ask for these tools. Approve them? [y/N] ")
        .and_then(|()| out.flush());
    let cannot =
        |error: io::Error| Trouble::new(format!("cannot ask: {error}"), "run this at a terminal, or give --pin");
    asked.map_err(cannot)?;
    if agreed(&mut io::stdin().lock()).map_err(cannot)? {
        return Ok(());
    }
    Err(Trouble::new("nothing was approved", "answer y, or give the tool's --pin"))
}

fn list(all: &[ServerLine]) -> String {
    if all.is_empty() {
        return "No other server is configured; docs/mcp.md says how ([[mcp.servers]]).\n".to_owned();
    }
    all.iter().map(server).collect()
}

fn server(line: &ServerLine) -> String {
    let looked = line.looked.map_or("not looked at yet".to_owned(), |at| format!("looked at {}", show::clock(at.0)));
    let mut out = format!("{} at {}, {looked}\n", show::safe(&line.name), show::safe(&line.url));
    if let Some(why) = &line.trouble {
        out.push_str(&format!("  it cannot be asked: {}\n", show::safe(why)));
    }
    for tool in &line.tools {
        out.push_str(&if tool.standing.waits() { told(tool) } else { format!("  {}\n", head(tool)) });
    }
    for left_out in &line.left_out {
        out.push_str(&format!("  left out: {}\n", show::safe(left_out)));
    }
    if line.waiting().next().is_some() {
        out.push_str(&format!(
            "  `jarvisctl mcp approve {} [TOOL]` lets a model use what you have read\n",
            show::safe(&line.name)
        ));
    }
    out
}

fn head(tool: &ToolLine) -> String {
    let standing = match &tool.standing {
        Standing::Approved => "approved".to_owned(),
        Standing::New => "NEW".to_owned(),
        Standing::Changed { parts } => {
            let parts: Vec<&str> = parts.iter().copied().map(Part::words).collect();
            format!("CHANGED: {}", parts.join(", "))
        }
        Standing::Gone => "gone from its server".to_owned(),
    };
    format!("{}  {}, {standing}", show::safe(&tool.name), tool.tier.name())
}

/// A tool with all that its owner should read before he approves it.
fn told(tool: &ToolLine) -> String {
    let json = |schema: &serde_json::Map<String, Value>| plain(&Value::Object(schema.clone()).to_string());
    let mut out = format!("  {}\n    pin:    {}\n    says:   {}\n", head(tool), short(&tool.pin), plain(&tool.about));
    if let Some(then) = &tool.about_then {
        out.push_str(&format!("    before: {}\n", plain(then)));
    }
    out.push_str(&format!("    takes:  {}\n", json(&tool.schema)));
    if let Some(then) = &tool.schema_then {
        out.push_str(&format!("    before: {}\n", json(then)));
    }
    out
}

/// A stranger's text on one line. What nobody would see, or what would turn the order of the words about, is shown to be there.
fn plain(text: &str) -> String {
    let seen = |c: char| match c {
        '\n' => ' ',
        c if fence::plain(c.encode_utf8(&mut [0; 4])).is_empty() => '\u{fffd}',
        c => c,
    };
    show::safe(&text.chars().map(seen).collect::<String>())
}

fn short(pin: &Pin) -> String {
    pin.to_string().chars().take(PIN_DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use jarvis_core::tool::Tier;

    use super::*;

    #[test]
    fn what_waits_is_shown_whole_and_nothing_of_it_moves_the_terminal() {
        let tool = ToolLine {
            name: "add".into(),
            standing: Standing::Changed { parts: vec![Part::Description] },
            tier: Tier::Yellow,
            pin: Pin([0xab; 32]),
            about: "Adds a note.\u{1b}[2J\u{202e}".into(),
            schema: serde_json::Map::new(),
            about_then: Some("Added a note.".into()),
            schema_then: None,
        };
        let line = ServerLine {
            name: "notes".into(),
            url: "http://127.0.0.1:1/mcp".into(),
            looked: None,
            trouble: Some("nobody is there".into()),
            tools: vec![tool],
            left_out: vec!["wordy: its description is longer than 2 KiB".into()],
        };
        let out = list(&[line]);
        for part in [
            "CHANGED: its description",
            "Adds a note.",
            "Added a note.",
            "abababababab",
            "nobody is there",
            "left out: wordy",
        ] {
            assert!(out.contains(part), "{part}: {out}");
        }
        assert!(!out.contains(['\u{1b}', '\u{202e}']) && out.contains('\u{fffd}'), "{out}");
        assert!(!out.contains("abababababababab"), "{out}");
        assert!(list(&[]).contains("docs/mcp.md"));
    }
}
