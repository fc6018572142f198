//! `[[mcp.servers]]`: another server of the owner's.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jarvis_core::foreign::{SERVER_CHARS_MAX, is_server, is_tool};
use jarvis_core::tool::Tier;
use reqwest::Url;
use serde::Deserialize;

use crate::redaction;

/// Most servers.
const SERVERS_MAX: usize = 16;
/// Longest that a call may take, in seconds.
const SECONDS_MAX: u64 = 60;
/// Longest answer of a call that may be taken, in KiB.
const ANSWER_KIB_MAX: usize = 4096;
/// Most words that call for a server.
const ABOUT_MAX: usize = 32;

/// Another server of the owner's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// What the owner calls it.
    pub name: String,
    /// Where it speaks MCP over streamable HTTP.
    pub url: Option<String>,
    /// Or else: a program and its arguments that speaks MCP on its standard input and output.
    #[serde(default)]
    pub command: Vec<String>,
    /// Words that call for it in a request, beside its name.
    #[serde(default)]
    pub about: Vec<String>,
    /// File or credential with its bearer token.
    pub token_file: Option<PathBuf>,
    /// Its tools that are looked at; all without it.
    #[serde(default)]
    pub only: Vec<String>,
    /// Tools that only look, says the owner: they run without a question.
    #[serde(default)]
    pub green: Vec<String>,
    /// Tools that are RED.
    #[serde(default)]
    pub red: Vec<String>,
    /// Tools that are never called.
    #[serde(default)]
    pub black: Vec<String>,
    /// How long a call may take, in seconds.
    #[serde(default = "default_seconds")]
    pub seconds: u64,
    /// Longest answer of a call, in KiB.
    #[serde(default = "default_answer_kib")]
    pub answer_kib: usize,
}

fn default_seconds() -> u64 {
    20
}

fn default_answer_kib() -> usize {
    256
}

impl ServerConfig {
    /// What the owner says of a tool: YELLOW where he says nothing.
    pub(super) fn tier(&self, tool: &str) -> Tier {
        let is_in = |names: &[String]| names.iter().any(|name| name == tool);
        let said = [(&self.black, Tier::Black), (&self.red, Tier::Red), (&self.green, Tier::Green)];
        said.into_iter().find(|(names, _)| is_in(names)).map_or(Tier::Yellow, |(_, tier)| tier)
    }

    /// Where it is: its URL, or its command. What was approved at one address is not approved at another.
    pub(crate) fn address(&self) -> String {
        self.url.clone().unwrap_or_else(|| format!("{:?}", self.command))
    }

    pub(super) fn within(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    pub(super) fn answer_bytes(&self) -> usize {
        self.answer_kib << 10
    }

    /// What types cannot hold, of all servers: `(which, key, what is wrong, remedy)`.
    pub(crate) fn mistakes(all: &[Self]) -> Vec<(usize, &'static str, String, &'static str)> {
        let mut wrong = Vec::new();
        if all.len() > SERVERS_MAX {
            wrong.push((SERVERS_MAX, "name", format!("{} servers", all.len()), "configure at most 16"));
        }
        for (at, server) in all.iter().enumerate() {
            let mut say = |key, what: String, remedy| wrong.push((at, key, what, remedy));
            if !is_server(&server.name) {
                let what = format!("{:?} is no name of at most {SERVER_CHARS_MAX} characters", server.name);
                say("name", what, "give it one of a-z, 0-9 and -");
            }
            if all[..at].iter().any(|other| other.name == server.name) {
                say("name", format!("there is another server named {:?}", server.name), "give each a name of its own");
            }
            match (&server.url, server.command.first()) {
                (Some(url), None) => {
                    if let Err(what) = address(url) {
                        say(
                            "url",
                            what,
                            "write https://host/mcp, or http://127.0.0.1:port/mcp for one on this machine",
                        );
                    }
                }
                (None, Some(program)) if !Path::new(program).is_absolute() => {
                    let what = format!("{program:?} may be any program of that name");
                    say("command", what, "write its whole path, as `command -v NAME` prints it");
                }
                (None, Some(_)) if server.token_file.is_some() => {
                    let what = "a program is given no token".to_owned();
                    say("token_file", what, "leave it out, or name the file in its arguments");
                }
                (None, Some(_)) => {}
                (Some(_), Some(_)) => {
                    say("command", "there is a url as well".to_owned(), "leave one of them out");
                }
                (None, None) => {
                    say("name", "it has neither url nor command".to_owned(), "say where it is asked");
                }
            }
            if server.about.len() > ABOUT_MAX || server.about.iter().any(|words| !words.contains(char::is_alphanumeric))
            {
                say(
                    "about",
                    "there are too many words, or none in one of them".to_owned(),
                    "give at most 32, such as \"shopping list\"",
                );
            }
            if !(1..=SECONDS_MAX).contains(&server.seconds) {
                say("seconds", format!("{} seconds", server.seconds), "give 1 to 60");
            }
            if !(1..=ANSWER_KIB_MAX).contains(&server.answer_kib) {
                say("answer_kib", format!("{} KiB", server.answer_kib), "give 1 to 4096");
            }
            let tiers = [("green", &server.green), ("red", &server.red), ("black", &server.black)];
            for (n, (key, tools)) in tiers.iter().enumerate() {
                for tool in tools.iter() {
                    if !is_tool(&server.name, tool) {
                        say(key, format!("{tool:?} is no tool's name"), "copy it from `jarvisctl mcp servers`");
                    }
                    if tiers[..n].iter().any(|(_, others)| others.contains(tool)) {
                        say(key, format!("{tool} stands in two tiers"), "leave it in one");
                    }
                }
            }
            if let Some(tool) = server.only.iter().find(|tool| !is_tool(&server.name, tool)) {
                say("only", format!("{tool:?} is no tool's name"), "copy it from `jarvisctl mcp servers`");
            }
        }
        wrong
    }
}

/// The address, where it may be asked: over TLS, or on this machine.
fn address(text: &str) -> Result<Url, String> {
    let shown = redaction::address(text);
    let no = |why: &str| Err(format!("{shown:?} {why}"));
    let Some(url) = Url::parse(text).ok().filter(Url::has_host) else { return no("is no address") };
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return no("has more in it than host, port and path");
    }
    let here = url.host_str().is_some_and(|host| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    });
    match url.scheme() {
        "https" => Ok(url),
        "http" if here => Ok(url),
        "http" => no("would send token and answers through the network in the clear"),
        _ => no("is neither https nor http"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::McpConfig;

    fn mistakes(text: &str) -> Result<String, String> {
        let config: McpConfig = toml::from_str(text).map_err(|error| error.to_string())?;
        let told = ServerConfig::mistakes(&config.servers).into_iter();
        Ok(told.map(|(at, key, what, remedy)| format!("{at} {key}: {what}: {remedy}\n")).collect())
    }

    const GOOD: &str = "[[servers]]\nname = 'notes'\nurl = 'http://127.0.0.1:9100/mcp'\n";
    const PROGRAM: &str = "[[servers]]\nname = 'notes'\ncommand = ['/usr/bin/notes', '--list']\n";

    #[test]
    fn a_section_is_read_whole_and_tools_are_yellow_unless_their_owner_says_otherwise() {
        let text = format!(
            "{GOOD}about = ['shopping list']\ntoken_file = 'notes-token'\nonly = ['add', 'search', 'wipe', 'drop']\n\
             green = ['search']\nred = ['drop']\nblack = ['wipe']\nseconds = 5\nanswer_kib = 64\n"
        );
        assert_eq!(mistakes(&text).unwrap(), "");
        let config: McpConfig = toml::from_str(&text).unwrap();
        let tiers = ["add", "search", "drop", "wipe", "Search"].map(|tool| config.servers[0].tier(tool));
        assert_eq!(tiers, [Tier::Yellow, Tier::Green, Tier::Red, Tier::Black, Tier::Yellow]);
        for url in ["https://notes.home/mcp", "http://localhost:1/mcp", "http://[::1]:9/mcp"] {
            assert_eq!(mistakes(&GOOD.replace("http://127.0.0.1:9100/mcp", url)).unwrap(), "", "{url}");
        }
        assert_eq!(mistakes(PROGRAM).unwrap(), "");
        let addresses = [GOOD, PROGRAM, &PROGRAM.replace("--list", "--all")].map(|text| {
            let config: McpConfig = toml::from_str(text).unwrap();
            config.servers[0].address()
        });
        let wanted = ["http://127.0.0.1:9100/mcp", r#"["/usr/bin/notes", "--list"]"#, r#"["/usr/bin/notes", "--all"]"#];
        assert_eq!(addresses, wanted, "another argument is another address");
    }

    #[test]
    fn mistakes_are_told_with_a_remedy() {
        let url = |url: &str| GOOD.replace("http://127.0.0.1:9100/mcp", url);
        let many: String = (0..17).map(|n| GOOD.replace("notes", &format!("n{n}"))).collect();
        for (text, part) in [
            (GOOD.replace("notes", "My Notes"), "name: \"My Notes\" is no name"),
            (GOOD.replace("notes", "a__b"), "is no name"),
            (GOOD.repeat(2), "1 name: there is another"),
            (url("http://notes.home/mcp"), "in the clear"),
            (url("http://127.0.0.1.evil.example/mcp"), "in the clear"),
            (url("ftp://a/mcp"), "neither https nor http"),
            (format!("{GOOD}command = ['/usr/bin/notes']"), "command: there is a url as well"),
            ("[[servers]]\nname = 'notes'".to_owned(), "neither url nor command"),
            (format!("{PROGRAM}token_file = 'notes-token'"), "token_file: a program is given no token"),
            (PROGRAM.replace("/usr/bin/", ""), "command: \"notes\" may be any program"),
            (url("notes"), "no address"),
            (url("https://me:secret@notes.home/mcp"), "more in it"),
            (url("https://notes.home/mcp?key=1"), "more in it"),
            (format!("{GOOD}green = ['a.b']"), "no tool's name"),
            (format!("{GOOD}green = ['a']\nred = ['a']"), "red: a stands in two tiers"),
            (format!("{GOOD}only = ['']"), "only"),
            (format!("{GOOD}about = ['!']"), "about"),
            (format!("{GOOD}seconds = 0"), "1 to 60"),
            (format!("{GOOD}answer_kib = 5000"), "1 to 4096"),
            (many, "at most 16"),
        ] {
            let told = mistakes(&text).unwrap();
            assert!(told.contains(part) && !told.contains("secret@"), "{text}: {told}");
        }
        assert!(mistakes(&format!("{GOOD}yellow = ['a']")).is_err(), "a tier is raised, or named GREEN; nothing else");
    }
}
