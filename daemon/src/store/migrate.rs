//! Numbered migrations. A fresh database is made from `schema.sql` at once.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// The data model as it is now.
const SCHEMA: &str = include_str!("schema.sql");

/// Steps from each version to the next, in order; the first makes version 1. Append, never edit.
const MIGRATIONS: [&str; 10] = [
    include_str!("migrations/0001_turns.sql"),
    include_str!("migrations/0002_events.sql"),
    include_str!("migrations/0003_memory.sql"),
    include_str!("migrations/0004_safety.sql"),
    include_str!("migrations/0005_agent.sql"),
    include_str!("migrations/0006_costs.sql"),
    include_str!("migrations/0007_server_tools.sql"),
    include_str!("migrations/0008_seals.sql"),
    include_str!("migrations/0009_history.sql"),
    include_str!("migrations/0010_page.sql"),
];

/// The version this program writes.
pub(super) const CURRENT: i64 = MIGRATIONS.len() as i64;

/// Brings `connection` to [`CURRENT`], each step in a transaction of its own.
pub(super) fn to_current(connection: &mut Connection) -> Result<(), StoreError> {
    let found = version(connection)?;
    match found {
        0 => step(connection, SCHEMA, CURRENT),
        1..=CURRENT => climb(connection, found),
        _ => Err(StoreError::Newer { found, known: CURRENT }),
    }
}

fn climb(connection: &mut Connection, found: i64) -> Result<(), StoreError> {
    for (sql, target) in MIGRATIONS.iter().zip(1..) {
        if target > found {
            step(connection, sql, target)?;
        }
    }
    Ok(())
}

fn step(connection: &mut Connection, sql: &str, target: i64) -> Result<(), StoreError> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(sql)?;
    tx.pragma_update(None, "user_version", target)?;
    tx.commit()?;
    Ok(())
}

fn version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("pragma user_version", [], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kind, name, and SQL without comments and layout, of everything in the database.
    fn shape(connection: &Connection) -> Vec<(String, String, String)> {
        let bare = |sql: String| {
            let code: String =
                sql.lines().map(|line| line.split("--").next().unwrap_or("")).collect::<Vec<_>>().join(" ");
            let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
            // A column that was added stands right behind what was before it.
            [" ,", ", ", " (", "( ", " )", ") "].iter().fold(code, |code, loose| code.replace(loose, loose.trim()))
        };
        connection
            .prepare("select type, name, coalesce(sql, '') from sqlite_schema order by 1, 2")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, bare(row.get(2)?))))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap()
    }

    #[test]
    fn a_migrated_database_equals_a_fresh_one() {
        let mut fresh = Connection::open_in_memory().unwrap();
        to_current(&mut fresh).unwrap();
        let mut old = Connection::open_in_memory().unwrap();
        climb(&mut old, 0).unwrap();
        assert_eq!(shape(&old), shape(&fresh));
        assert_eq!(version(&old).unwrap(), version(&fresh).unwrap());
        assert!(shape(&fresh).len() > 8);
    }

    #[test]
    fn a_migration_keeps_what_was_there() {
        let mut db = Connection::open_in_memory().unwrap();
        step(&mut db, MIGRATIONS[0], 1).unwrap();
        db.execute("insert into conversations (room, started_ms, last_ms) values ('study', 1, 1)", []).unwrap();
        to_current(&mut db).unwrap();
        let rooms: i64 = db.query_row("select count(*) from conversations", [], |row| row.get(0)).unwrap();
        assert_eq!((rooms, version(&db).unwrap()), (1, CURRENT));
    }

    #[test]
    fn a_newer_database_is_left_alone() {
        let mut db = Connection::open_in_memory().unwrap();
        db.pragma_update(None, "user_version", 99).unwrap();
        let error = to_current(&mut db).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: 99, known: CURRENT }), "{error}");
    }
}
