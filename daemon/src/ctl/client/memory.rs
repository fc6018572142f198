//! `jarvisctl memory`: what Jarvis was told, shown, forgotten, carried away and brought back.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Control, Trouble, out, shaped, show};
use crate::ctl::protocol::{MemoryQuestion, Request};
use crate::memory::{Imported, LINE_BYTES_MAX, LINES_MAX};
use crate::past::PastMemory;

/// Mode of a file that holds what people told.
const PRIVATE: u32 = 0o600;
/// Refused lines that are shown one by one.
const REFUSED_SHOWN_MAX: usize = 20;

#[derive(Subcommand)]
pub(super) enum MemoryCommand {
    /// The newest memories.
    List {
        /// How many.
        #[arg(short, long, value_name = "N", default_value_t = 50)]
        number: u32,
        /// Superseded ones as well.
        #[arg(short, long)]
        all: bool,
    },
    /// What is known about something.
    About {
        /// The question.
        #[arg(required = true)]
        text: Vec<String>,
    },
    /// Forget one, and what it had made obsolete.
    Forget {
        /// Its number, from the list.
        id: u64,
    },
    /// Write all into a new FILE (mode 0600), one JSON object a line.
    Export {
        /// The file.
        file: PathBuf,
    },
    /// Take in what `export` wrote; what is known already is passed over.
    Import {
        /// The file.
        file: PathBuf,
    },
}

#[derive(Deserialize)]
struct Exported {
    lines: Vec<String>,
    next: Option<u64>,
}

impl Control<'_> {
    pub(super) fn memory(&self, command: &MemoryCommand) -> Result<ExitCode, Trouble> {
        let show = |what| self.show::<Vec<PastMemory>>(&Request::Memory { what }, show::memories);
        match command {
            MemoryCommand::List { number, all } => show(MemoryQuestion::List { limit: *number, all: *all }),
            MemoryCommand::About { text } => show(MemoryQuestion::About { text: text.join(" ") }),
            MemoryCommand::Forget { id } => {
                let told = self.ask(&Request::Memory { what: MemoryQuestion::Forget { id: *id } })?;
                self.print(&told, |told: Value| {
                    format!("Forgotten: memory {id}, {} in all.\n", told["forgotten"].as_u64().unwrap_or(1))
                })
            }
            MemoryCommand::Export { file } => self.export(file),
            MemoryCommand::Import { file } => self.import(file),
        }
    }

    fn export(&self, path: &Path) -> Result<ExitCode, Trouble> {
        let trouble = |e: std::io::Error| {
            Trouble::new(format!("{}: {e}", path.display()), "name a file that does not exist, in a folder of yours")
        };
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path).map_err(trouble)?;
        let (mut after, mut count) = (Some(0), 0);
        while let Some(from) = after {
            let told = self.ask(&Request::Memory { what: MemoryQuestion::Export { after: from } })?;
            let exported: Exported = shaped(&told)?;
            for line in &exported.lines {
                writeln!(file, "{line}").map_err(trouble)?;
            }
            count += exported.lines.len();
            // Numbers only grow; anything else would never end.
            after = exported.next.filter(|next| *next > from);
        }
        file.sync_all().map_err(trouble)?;
        self.print(&json!({"file": path, "memories": count}), |_: Value| {
            format!("{count} memories are in {}.\n", path.display())
        })
    }

    fn import(&self, path: &Path) -> Result<ExitCode, Trouble> {
        let trouble = |e: std::io::Error| {
            Trouble::new(format!("{}: {e}", path.display()), "name a file of `jarvisctl memory export`")
        };
        let mut reader = BufReader::new(File::open(path).map_err(trouble)?);
        let mut all = Imported::default();
        let mut before = 0;
        loop {
            let lines = chunk(&mut reader).map_err(trouble)?;
            if lines.is_empty() {
                break;
            }
            let count = lines.len();
            let told = self.ask(&Request::Memory { what: MemoryQuestion::Import { lines } })?;
            let done: Imported = shaped(&told)?;
            all.added += done.added;
            all.known += done.known;
            all.expired += done.expired;
            all.refused.extend(done.refused.into_iter().map(|(line, why)| (before + line, why)));
            before += count;
        }
        if self.arguments.json {
            out(&format!("{}\n", json!(all)))?;
        } else {
            out(&summary(&all))?;
        }
        Ok(if all.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The next lines that one request can carry. A longer line than may be is cut, and refused by the daemon for it.
fn chunk(reader: &mut impl BufRead) -> std::io::Result<Vec<String>> {
    // JSON in JSON: every quotation mark takes two bytes.
    const BYTES_MAX: usize = crate::ctl::MAX_LINE_BYTES / 4;
    let mut lines = Vec::new();
    let mut bytes = 0;
    while lines.len() < LINES_MAX && bytes < BYTES_MAX {
        let mut line = Vec::new();
        let read = reader.by_ref().take(LINE_BYTES_MAX as u64 + 2).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        if line.last() != Some(&b'\n') {
            skip_line(reader)?;
        }
        bytes += read;
        lines.push(String::from_utf8_lossy(&line).trim_end().to_owned());
    }
    Ok(lines)
}

fn skip_line(reader: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let here = reader.fill_buf()?;
        if here.is_empty() {
            return Ok(());
        }
        let end = here.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(here.len(), |at| at + 1);
        reader.consume(taken);
        if end.is_some() {
            return Ok(());
        }
    }
}

fn summary(all: &Imported) -> String {
    let mut text = format!("{} memories were new, {} known already, {} over.\n", all.added, all.known, all.expired);
    for (line, why) in all.refused.iter().take(REFUSED_SHOWN_MAX) {
        text.push_str(&format!("line {line} was refused: {}\n", show::safe(why)));
    }
    let more = all.refused.len().saturating_sub(REFUSED_SHOWN_MAX);
    if more > 0 {
        text.push_str(&format!("and {more} lines more\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_into_requests_and_a_long_line_costs_only_itself() {
        let long = "x".repeat(100_000);
        let text = format!("a\n{long}\nb\n\nlast");
        let mut reader = BufReader::with_capacity(16, text.as_bytes());
        let lines = chunk(&mut reader).unwrap();
        let lengths: Vec<usize> = lines.iter().map(String::len).collect();
        assert_eq!(lengths, [1, LINE_BYTES_MAX + 2, 1, 0, 4]);
        assert!(chunk(&mut reader).unwrap().is_empty());
        let many = "line\n".repeat(LINES_MAX + 3);
        let mut reader = BufReader::new(many.as_bytes());
        assert_eq!((chunk(&mut reader).unwrap().len(), chunk(&mut reader).unwrap().len()), (LINES_MAX, 3));
    }

    #[test]
    fn an_import_says_what_it_refused() {
        let refused = (1..=30).map(|n| (n, "it \u{1b}[31m is odd".to_owned())).collect();
        let text = summary(&Imported { added: 1, known: 2, expired: 3, refused });
        assert!(text.starts_with("1 memories were new, 2 known already, 3 over.\n"));
        assert_eq!(text.lines().count(), 2 + REFUSED_SHOWN_MAX);
        assert!(!text.contains('\u{1b}') && text.ends_with("and 10 lines more\n"));
    }
}
