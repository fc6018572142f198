//! What is said in a room: over the link, through an ear that hears every word of it, into a turn that is answered aloud.

use anyhow::{Context, Result};
use jarvisd::event::RouteKind;
use rusqlite::{Connection, OptionalExtension};

use super::{PATIENT, Turned};
use crate::injections::Injection;
use crate::judge::as_heard;
use crate::office::Office;
use crate::process::wait_for;
use crate::seat::Seat;
use crate::sound;

/// What opens the microphone.
const WAKE: &str = "hey jarvis";
/// A second and a half of it, in samples: the ear of these offices hears that something is said, and is told what.
const SAID_SAMPLES: usize = 24_000;
/// RMS level of a voice.
const VOICE: f64 = 3_000.0;

/// The words of an injection as a recogniser writes them down that misses none: no capitals, no marks, numbers in words.
pub fn words(injection: &Injection) -> String {
    let heard = as_heard(&injection.text).split_whitespace().collect::<Vec<_>>().join(" ");
    // Whoever calls him by his name has woken him.
    let called = heard.strip_prefix(WAKE).or_else(|| heard.strip_prefix("jarvis "));
    called.map_or(heard.as_str(), str::trim).to_owned()
}

/// Says it, and waits until its turn is over: answered aloud, and heard.
///
/// # Errors
/// Where no turn comes of it.
pub async fn say(office: &Office, seat: &Seat, words: &str) -> Result<Turned> {
    let db = office.db()?;
    let last: i64 = db.query_row("select coalesce(max(id), 0) from turns", [], |row| row.get(0))?;
    office.hears(&format!("{WAKE} {words}"))?;
    let sound = sound::noise(SAID_SAMPLES, VOICE, last.unsigned_abs());
    let taken = || matches!(spoken(&db, last), Ok(Some((_, true, _))));
    seat.say(seat.woken(), &sound, taken).await?;
    let (turn, route) = wait_for("the turn to be over", PATIENT, || match spoken(&db, last)? {
        Some((turn, _, Some(route))) => Ok(Some((turn, route))),
        Some((_, _, None)) | None => Ok(None),
    })?;
    let mut query = db.prepare("select name from tool_runs where turn_id = ?1")?;
    let tools = query.query_map([turn], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(Turned { understood: route == RouteKind::Intent.as_str(), tools })
}

/// The turn that was opened by voice since `last`: its number, whether its words are taken, and its route once it is over.
fn spoken(db: &Connection, last: i64) -> Result<Option<(i64, bool, Option<String>)>> {
    let row = db.query_row(
        "select id, transcript is not null, case when finished_ms is not null then coalesce(route_kind, '') end
         from turns where id > ?1 and source = 'voice' order by id limit 1",
        [last],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    );
    row.optional().context("a spoken turn")
}
