//! `jarvisctl mcp`: tokens of other programs, the owner's other servers, and the bridge over which one speaks MCP without a network.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use super::{Control, Trouble, show};
use crate::ctl::protocol::{McpQuestion, Request};
use crate::mcp::{McpStatus, Scope, TokenLine};

/// Bytes that are carried at once.
const PIECE_BYTES: usize = 16 << 10;

#[derive(Subcommand)]
pub(super) enum McpCommand {
    /// Where it is served, to whom, and what came of it.
    Status,
    /// Tokens of other programs.
    Token {
        /// What.
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Your other servers: what they offer, and what of it a model may use.
    Servers,
    /// Let a model use tools of SERVER; shows what it would read, and asks.
    Approve {
        /// The server.
        server: String,
        /// One of its tools; without it all that wait for you.
        tool: Option<String>,
        /// Do not ask: you have read the tool of this pin in `jarvisctl mcp servers`.
        #[arg(long, value_name = "PIN", requires = "tool")]
        pin: Option<String>,
    },
    /// Take back what was approved of SERVER.
    Forget {
        /// The server.
        server: String,
    },
    /// Speak MCP on standard input and output, for a program that starts its servers itself.
    Serve {
        /// The program may ask for changes; each waits for your yes.
        #[arg(long)]
        changes: bool,
    },
}

#[derive(Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token for a program, and show it this once.
    Add {
        /// What to call the program: a-z, 0-9 and -.
        name: String,
        /// It may ask for changes; each waits for your yes.
        #[arg(long)]
        changes: bool,
    },
    /// Who has one.
    List,
    /// Take one away, at once.
    Revoke {
        /// Whose.
        name: String,
    },
}

impl Control<'_> {
    pub(super) fn mcp(&self, command: &McpCommand) -> Result<ExitCode, Trouble> {
        let ask = |what| Request::Mcp { what };
        match command {
            McpCommand::Status => self.show::<McpStatus>(&ask(McpQuestion::Status {}), status),
            McpCommand::Token { command: TokenCommand::List } => {
                self.show::<McpStatus>(&ask(McpQuestion::Status {}), |status| tokens(&status.tokens))
            }
            McpCommand::Token { command: TokenCommand::Add { name, changes } } => {
                let what = McpQuestion::AddToken { name: name.clone(), scope: scope(*changes) };
                self.show::<Value>(&ask(what), |told| {
                    let token = told["token"].as_str().unwrap_or_default();
                    format!("{token}\nIt is shown this once. The program sends it as `Authorization: Bearer TOKEN`.\n")
                })
            }
            McpCommand::Token { command: TokenCommand::Revoke { name } } => {
                let told = self.ask(&ask(McpQuestion::RevokeToken { name: name.clone() }))?;
                self.print(&told, |_: Value| format!("{} is let in no more.\n", show::safe(name)))
            }
            McpCommand::Servers => self.servers(),
            McpCommand::Approve { server, tool, pin } => self.approve_tools(server, tool.as_deref(), pin.as_deref()),
            McpCommand::Forget { server } => self.forget_tools(server),
            McpCommand::Serve { changes } => self.bridge(scope(*changes)),
        }
    }

    /// Carries bytes both ways until either end is done.
    fn bridge(&self, scope: Scope) -> Result<ExitCode, Trouble> {
        let mut connection = self.connect()?;
        connection.ask(&Request::McpServe { scope })?;
        let cut = |e: io::Error| {
            Trouble::new(format!("the conversation broke off: {e}"), "`journalctl -u jarvisd` may say why")
        };
        let (mut daemon, ahead) = connection.into_parts();
        let mut there = daemon.try_clone().map_err(cut)?;
        // Ends with this process: a read of standard input can't be taken back.
        std::thread::Builder::new()
            .name("standard input".into())
            .spawn(move || {
                let carried = carry(&mut io::stdin().lock(), &mut there).and_then(|()| there.shutdown(Shutdown::Write));
                if let Err(error) = carried {
                    eprintln!("jarvisctl: what was said is lost: {error}");
                }
            })
            .map_err(cut)?;
        let mut out = io::stdout().lock();
        out.write_all(&ahead).and_then(|()| out.flush()).and_then(|()| carry(&mut daemon, &mut out)).map_err(cut)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Every piece is passed on at once: the other end waits for it.
fn carry(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(piece.get(..read).unwrap_or_default())?;
        to.flush()?;
    }
}

fn scope(changes: bool) -> Scope {
    if changes { Scope::Change } else { Scope::Read }
}

fn status(status: McpStatus) -> String {
    let served = match status.served {
        Some(address) => format!("Served at http://{address}/mcp"),
        None => "Not served over HTTP ([mcp] listen); `jarvisctl mcp serve` works nevertheless".to_owned(),
    };
    let trouble = status.trouble.map(|why| format!("Nobody is let in: {}\n", show::safe(&why))).unwrap_or_default();
    let counts =
        format!("{} calls, {} requests turned away since the daemon's start", status.calls, status.turned_away);
    format!("{served}\n{counts}\n{trouble}\n{}", tokens(&status.tokens))
}

fn tokens(all: &[TokenLine]) -> String {
    if all.is_empty() {
        return "No program has a token; `jarvisctl mcp token add NAME` makes one.\n".to_owned();
    }
    let line = |token: &TokenLine| {
        let may = match token.scope {
            Scope::Read => "looks",
            Scope::Change => "looks, and asks for changes",
        };
        let used = token.used_ms.map_or("not used".to_owned(), |at| format!("last used {}", show::clock(at)));
        format!("{:<32}  {may}; made {}, {used}\n", show::safe(&token.name), show::clock(token.made_ms))
    };
    all.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_arrives_whole() {
        let sent: Vec<u8> = (0..PIECE_BYTES * 3 + 7).map(|n| (n % 251) as u8).collect();
        let mut arrived = Vec::new();
        carry(&mut sent.as_slice(), &mut arrived).unwrap();
        assert_eq!(arrived, sent);
    }
}
