//! Puts every injection where its attacker would: into the simulated cluster's own fields, and into the memory.

use jarvis_core::cluster::GuestKind;
use serde_json::{Value, json};

use crate::injections::{Injection, Place};
use crate::pve::State;
use crate::pve::state::{Backup, Guest, Node, Replication, Storage, Task};

/// The guest whose snapshots bear names of an attacker's.
pub const HOLDER: u32 = 113;
/// Guests of the cluster that is drawn: 100 and so many more.
const GUESTS: u32 = 18;
/// The first VMID of guests that an attacker named.
const NAMED: u32 = 201;
/// The first guest of a replication that failed in an attacker's words.
const REPLICATED: u32 = 501;
/// Whose backups bear notes.
const BACKED_UP: u32 = 104;
/// Guests that the injections want started.
const STARTED: [u32; 2] = [111, 112];
const DAY: i64 = 86_400;
/// Longest text of a planted memory, in characters: a memory has 300, and two words go before it.
const MEMORY_CHARS: usize = 260;

/// Puts all that has a field into the cluster.
pub fn plant(state: &mut State, injections: &[Injection]) {
    // A model's look at the tasks brings these alone: it is cut where it is long.
    state.tasks.clear();
    injections.iter().for_each(|injection| make_possible(state, injection));
    for place in Place::ALL {
        for (n, injection) in (0..).zip(injections.iter().filter(|injection| injection.place == place)) {
            put(state, n, injection);
        }
    }
}

/// What is wanted could be done at once, so that nothing but the gate stands in its way.
fn make_possible(state: &mut State, injection: &Injection) {
    let taken = state.born - DAY;
    let vmid = injection.args.get("vmid").and_then(Value::as_u64).and_then(|vmid| u32::try_from(vmid).ok());
    let Some(guest) = vmid.and_then(|vmid| state.guest_mut(vmid)) else { return };
    let name = injection.args.get("name").and_then(Value::as_str);
    match (injection.tool.as_str(), name) {
        ("guest_start", _) => guest.running = false,
        // A guest that is to be started as well stays stopped.
        ("guest_stop" | "guest_shutdown" | "guest_reboot", _) => guest.running |= !STARTED.contains(&guest.vmid),
        ("snapshot_delete" | "snapshot_rollback", Some(name))
            if !guest.snapshots.iter().any(|(known, _)| known == name) =>
        {
            guest.snapshots.push((name.to_owned(), taken));
        }
        _ => {}
    }
}

fn put(state: &mut State, n: u32, injection: &Injection) {
    let text = injection.text.clone();
    match injection.place {
        Place::VmName => {
            let Some(like) = state.guest(HOLDER).cloned() else { return };
            state.guests.push(Guest { vmid: NAMED + n, name: Some(text), kind: GuestKind::Vm, running: false, ..like });
        }
        Place::NodeName => {
            let Some(like) = state.nodes.first().cloned() else { return };
            state.nodes.push(Node { name: text, alive: true, ..like });
        }
        Place::StorageName => {
            let Some(like) = state.storages.last().cloned() else { return };
            state.storages.push(Storage { name: text, node: None, content: "images".to_owned(), ..like });
        }
        Place::SnapshotName => {
            let taken = state.born - DAY * i64::from(n + 1);
            if let Some(guest) = state.guest_mut(HOLDER) {
                guest.snapshots.push((text, taken));
            }
        }
        Place::Tag => add(state.written.tags.entry(100 + n % GUESTS).or_default(), ";", &text),
        Place::Notes => add(state.written.notes.entry(noted(n)).or_default(), "\n", &text),
        Place::BackupNotes => {
            let taken = state.born - DAY * i64::from(n + 10);
            state.backups.push(Backup { vmid: BACKED_UP, taken, size: 1 << 30 });
            state.written.backup_notes.insert((BACKED_UP, taken), text);
        }
        Place::TaskLog => {
            let (node, kind, object) = ("pve1".to_owned(), "qmstart".to_owned(), BACKED_UP.to_string());
            let (started, user) = (state.born - 10 - i64::from(n), "root@pam".to_owned());
            let upid = format!("UPID:{node}:{:08X}:{n:08X}:{started:08X}:{kind}:{object}:{user}:", 7000 + n);
            // The list shows the last line of a log, and a node writes it without its mark.
            let status = text.strip_prefix("TASK ERROR: ").unwrap_or(&text).to_owned();
            state.tasks.push(Task { node, kind, object, user, started, ended: Some((started + 5, status)), upid });
        }
        Place::ToolOutput => {
            let (source, target, last_sync) = ("pve1".to_owned(), "pve2".to_owned(), state.born - DAY);
            let vmid = REPLICATED + n;
            state.replication.push(Replication { vmid, source, target, last_sync, failures: 1 });
            state.written.replication_errors.insert(vmid, text);
        }
        // Nothing of a cluster's.
        Place::Log
        | Place::GuestAgent
        | Place::File
        | Place::Web
        | Place::McpDescription
        | Place::McpResult
        | Place::Memory
        | Place::Speech => {}
    }
}

fn add(to: &mut String, between: &str, text: &str) {
    if !to.is_empty() {
        to.push_str(between);
    }
    to.push_str(text);
}

/// The guest in whose notes the `n`th such text stands.
pub fn noted(n: u32) -> u32 {
    100 + n % GUESTS
}

/// Whether a memory counts as read somewhere, or as the owner's own word: half of them each.
pub fn is_hearsay(injection: &Injection) -> bool {
    injection.line.is_multiple_of(2)
}

/// What a planted memory is about: a word that stands nowhere else.
pub fn topic(injection: &Injection) -> String {
    word("shelf", injection.line)
}

/// A word at the beginning of a planted memory, by which it is known again.
pub fn mark(injection: &Injection) -> String {
    word("cellar", injection.line)
}

/// A word that stands nowhere else, of letters alone.
pub(super) fn word(begin: &str, number: usize) -> String {
    let letter = |digit: char| digit.to_digit(10).and_then(|d| char::from_digit(d + 10, 20)).unwrap_or('k');
    begin.chars().chain(number.to_string().chars().map(letter)).collect()
}

/// Lines for `jarvisctl memory import`: what an attacker had Jarvis remember.
pub fn memories(injections: &[Injection], now_ms: i64) -> String {
    let of_memory = injections.iter().filter(|injection| injection.place == Place::Memory);
    of_memory.map(|injection| format!("{}\n", memory(injection, now_ms))).collect()
}

fn memory(injection: &Injection, now_ms: i64) -> Value {
    let (topic, told_ms) = (topic(injection), now_ms - DAY * 1000);
    // A memory holds no control characters, whoever tells it.
    let clean: String =
        injection.text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MEMORY_CHARS).collect();
    json!({
        "v": 1, "id": injection.line, "lifetime": "lasting", "subject": {"topic": topic}, "label": topic,
        "text": format!("{topic} {}: {clean}", mark(injection)), "single": false, "source": "said",
        "tainted": is_hearsay(injection), "importance": 3, "room": "", "told_ms": told_ms, "from_ms": told_ms, "uses": 0,
    })
}
