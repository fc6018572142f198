//! What the documents tell people to write and to type, taken at its word: every configuration parses, every command and option exists.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use jarvis_tests::process::programs;
use jarvis_tests::trial::root;
use jarvisd::config::Config;
use jarvisd::environment::Environment;

/// In the documents' place holders' stead.
const FILLED_IN: [(&str, &str); 2] = [
    (
        "\"AB:CD:...\"",
        "\"00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:FF\"",
    ),
    ("ssh-ed25519 AAAA...", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"),
];
/// By which a configuration of the satellite is told from the daemon's.
const OF_THE_SATELLITE: &str = "# satellite.toml";
const PROGRAMS: [&str; 3] = ["jarvisd", "jarvisctl", "jarvis-satellite"];

/// What an owner reads: name and text.
fn documents() -> Vec<(String, String)> {
    let folder = std::fs::read_dir(root().join("docs")).unwrap();
    let in_folder = folder.map(|file| format!("docs/{}", file.unwrap().file_name().to_string_lossy()));
    let others = ["README.md", "CHANGELOG.md", "daemon/models/README.md", "satellite/wake/README.md"];
    let names = others.into_iter().map(str::to_owned).chain(in_folder).filter(|name| name.ends_with(".md"));
    let read = |name: String| (name.clone(), std::fs::read_to_string(root().join(name)).unwrap());
    let all: Vec<_> = names.map(read).collect();
    assert!(all.len() > 6, "only {} documents: this test looks in the wrong place", all.len());
    all
}

/// Blocks of a language (`toml`, `sh`), or those of none.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<(bool, String)> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(of), None) => open = Some((of.trim() == language, String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take().filter(|(wanted, _)| *wanted).map(|(_, block)| block)),
            (None, Some((_, block))) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// `# key = value`: a line that an owner may take in.
fn offered(line: &str) -> Option<&str> {
    let line = line.strip_prefix("# ")?;
    let (key, _) = line.split_once(" = ")?;
    key.chars().all(|c| c.is_ascii_lowercase() || c == '_').then_some(line)
}

/// The block as it stands, and with each of the lines that it offers.
fn variants(block: &str) -> Vec<String> {
    let lines: Vec<&str> = block.lines().collect();
    let with = |n: usize, line: &str| [&lines[..n], &[line], &lines[n + 1..]].concat().join("\n");
    let offers = lines.iter().enumerate().filter_map(|(n, line)| Some(with(n, offered(line)?)));
    std::iter::once(block.to_owned()).chain(offers).collect()
}

fn parsed(text: &str, name: &str) -> Result<(), String> {
    let text = FILLED_IN.iter().fold(text.to_owned(), |text, (holder, value)| text.replace(holder, value));
    if text.starts_with(OF_THE_SATELLITE) {
        return jarvis_satellite::config::Config::parse(&text, name).map(drop).map_err(|error| error.to_string());
    }
    let environment =
        Environment { credentials: Some("/run/credentials/jarvisd.service".into()), ..Environment::default() };
    Config::parse(&text, Path::new(name), &environment).map(drop).map_err(|error| error.to_string())
}

#[test]
fn every_configuration_in_the_documents_is_one() {
    let mut tried = 0;
    for (name, text) in documents() {
        for block in blocks(&text, "toml") {
            for variant in variants(&block) {
                tried += 1;
                parsed(&variant, &name).unwrap_or_else(|error| panic!("{error}\nin\n{variant}"));
            }
        }
    }
    assert!(tried > 20, "only {tried} configurations: this test looks in the wrong place");
    let wrong = parsed("[ear]\nmodle = \"x\"\n", "a.md").unwrap_err();
    assert!(wrong.contains("modle") && wrong.contains("`model`"), "{wrong}");
}

/// Everything that is set as code, whatever the lines are broken at: blocks line by line, and what stands between back quotes.
fn code(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for language in ["", "sh", "toml"] {
        let without_remarks = |line: &str| line.split(" #").next().unwrap_or_default().to_owned();
        all.extend(blocks(text, language).iter().flat_map(|block| block.lines()).map(without_remarks));
    }
    let prose: Vec<&str> = text.split("```").step_by(2).collect();
    for paragraph in prose.join("\n\n").split("\n\n") {
        all.extend(paragraph.replace('\n', " ").split('`').skip(1).step_by(2).map(str::to_owned));
    }
    all
}

/// Commands of a program as they are written somewhere in `code`: its subcommands, and its options.
fn commands(code: &str, program: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let mut found = Vec::new();
    let words: Vec<&str> = code.split_whitespace().collect();
    for (at, _) in words.iter().enumerate().filter(|(_, word)| word.rsplit('/').next() == Some(program)) {
        let rest = words[at + 1..].iter().take_while(|word| !["|", "&&", ";", "&"].contains(*word));
        let (mut subcommands, mut options, mut value) = (Vec::new(), Vec::new(), false);
        for word in rest {
            if let Some(option) = word.strip_prefix("--") {
                options.push(format!("--{}", option.trim_end_matches(|c: char| !c.is_ascii_lowercase())));
                value = true;
            } else if word.starts_with('-') {
                value = true;
            } else if !value && word.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
                subcommands.push((*word).to_owned());
            } else if !value {
                break;
            } else {
                // What follows an option is its value, as far as can be told from here.
                value = false;
            }
        }
        found.push((subcommands, options));
    }
    found
}

#[test]
fn every_command_in_the_documents_exists() {
    let mut named = BTreeSet::new();
    for (name, text) in documents() {
        for code in code(&text) {
            for program in PROGRAMS {
                for (subcommands, options) in commands(&code, program) {
                    named.insert((program, subcommands, options, name.clone()));
                }
            }
        }
    }
    assert!(named.len() > 30, "only {} commands are named: this test looks in the wrong place", named.len());
    let mut offences = Vec::new();
    for (program, subcommands, options, name) in named {
        let output = Command::new(programs().unwrap().join(program)).args(&subcommands).arg("--help").output().unwrap();
        let help = String::from_utf8_lossy(&output.stdout);
        let command = format!("{name}: {program} {}", subcommands.join(" "));
        if !output.status.success() {
            offences.push(format!("{command}: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let unknown = options.iter().filter(|option| !help.contains(option.as_str()));
        offences.extend(unknown.map(|option| format!("{command} has no {option}")));
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn commands_and_blocks_are_found() {
    let text = "Run `jarvisctl mcp\nservers`.\n\n```sh\ntarget/debug/jarvisd --config a.toml --check   # why not\n```\n\n```toml\n# x = 1\n[a]\n```\n";
    let code = code(text);
    let of = |program| code.iter().flat_map(|code| commands(code, program)).collect::<Vec<_>>();
    assert_eq!(of("jarvisctl"), [(vec!["mcp".to_owned(), "servers".to_owned()], vec![])]);
    assert_eq!(of("jarvisd"), [(vec![], vec!["--config".to_owned(), "--check".to_owned()])]);
    let block = &blocks(text, "toml")[0];
    assert_eq!(variants(block), ["# x = 1\n[a]\n", "x = 1\n[a]"]);
}
