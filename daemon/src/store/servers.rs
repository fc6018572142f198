//! What the owner approved of other servers' tools.

use jarvis_core::foreign::Pin;
use rusqlite::params;

use super::audit::{Entry, append};
use super::{Store, StoreError};

/// An approved tool of another server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolApproval {
    /// The server, as the owner configured it.
    pub server: String,
    /// Its tool.
    pub tool: String,
    /// Of what was approved.
    pub pin: Pin,
    /// What was approved: the canonical JSON of name, description and schema.
    pub text: String,
    /// Where the server was.
    pub address: String,
}

impl Store {
    /// What is approved of a server, by name of the tool.
    pub async fn approved_tools(&self, server: &str) -> Result<Vec<ToolApproval>, StoreError> {
        let server = server.to_owned();
        self.run(move |tx| {
            let mut statement = tx.prepare_cached(
                "select server, tool, pin, described, address from server_tools where server = ?1 order by tool",
            )?;
            let rows = statement.query_map([server], |row| {
                Ok(ToolApproval {
                    server: row.get(0)?,
                    tool: row.get(1)?,
                    pin: Pin(row.get(2)?),
                    text: row.get(3)?,
                    address: row.get(4)?,
                })
            })?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })
        .await
    }

    /// Approves tools; one that was approved before is approved as it is now.
    pub async fn approve_tools(&self, tools: Vec<ToolApproval>, entry: Entry) -> Result<(), StoreError> {
        self.run(move |tx| {
            for ToolApproval { server, tool, pin, text, address } in &tools {
                tx.prepare_cached(
                    "insert into server_tools (server, tool, pin, described, address) values (?1, ?2, ?3, ?4, ?5)
                     on conflict (server, tool) do update set
                       pin = excluded.pin, described = excluded.described, address = excluded.address",
                )?
                .execute(params![server, tool, pin.0, text, address])?;
            }
            append(tx, &entry).map(|_| ())
        })
        .await
    }

    /// Forgets what was approved of a server; gives how many tools that were. Nothing is written where it was none.
    pub async fn forget_tools(&self, server: &str, entry: Entry) -> Result<usize, StoreError> {
        let server = server.to_owned();
        self.run(move |tx| {
            let gone = tx.prepare_cached("delete from server_tools where server = ?1")?.execute([server])?;
            if gone > 0 {
                append(tx, &entry)?;
            }
            Ok(gone)
        })
        .await
    }
}
