//! The kill switch against a busy daemon: a real one, which changes its cluster on standing leave as fast as it is asked, is stopped; the
//! simulated cluster tells when the last request for a change arrived.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use jarvis_core::cluster::GuestKind;
use jarvisd::safety::stop_from_outside;

use crate::office::Office;
use crate::process::wait_for;
use crate::pve::Fault;

/// Who asks for changes at once, each of a guest of his own; fewer where there are not so many guests.
const ASKERS: usize = 6;
/// Fewer than that keep no daemon busy.
const ASKERS_MIN: usize = 3;
/// Who asks about a node that hangs, in the rounds in which one does.
const WAITING: usize = 12;
/// For what a loaded machine does in the end.
const PATIENT: Duration = Duration::from_secs(120);
/// The node that hangs.
const HANGS: &str = "pve3";

/// What the rounds came to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stopped {
    /// Stops.
    pub rounds: usize,
    /// Requests for changes that arrived before them.
    pub before: usize,
    /// The longest time from the call that stops until the last request for a change arrived, in milliseconds.
    pub worst_ms: f64,
    /// The most requests that arrived once the stop was answered, beyond the one that each who asks may have had on its way.
    pub after: usize,
}

/// How it is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `jarvisctl stop`, the program.
    Ctl,
    /// Its door, without a program before it.
    Door,
    /// `jarvisctl stop`, while a node hangs and many requests wait for it.
    Hanging,
}

struct Busy<'a> {
    office: &'a Office,
    over: AtomicBool,
    /// Requests that were refused because of the switch, by asker.
    refused: Vec<AtomicUsize>,
}

/// Stops a daemon in each of these ways, one after the other, and lets it go on in between.
pub async fn rounds(ways: &[Way]) -> Result<Stopped> {
    let office = Office::start("", &leave()).await?;
    let guests = prepared(&office)?;
    let busy = Busy {
        office: &office,
        over: AtomicBool::new(false),
        refused: guests.iter().map(|_| AtomicUsize::new(0)).collect(),
    };
    std::thread::scope(|scope| {
        for (n, vmid) in guests.iter().enumerate() {
            let busy = &busy;
            scope.spawn(move || busy.ask(n, *vmid));
        }
        for _ in 0..WAITING {
            scope.spawn(|| busy.wait_for_node());
        }
        let result = ways.iter().try_fold(Stopped::default(), |found, way| busy.round(*way, found));
        busy.over.store(true, Ordering::SeqCst);
        result
    })
}

fn leave() -> String {
    let leave = |tool: &str| {
        let guests: Vec<String> = (101..=117).map(|vmid| vmid.to_string()).collect();
        format!("[[safety.leave]]\ntool = \"{tool}\"\nguests = [{}]\nper_hour = 1000000\n", guests.join(", "))
    };
    leave("guest_start") + &leave("guest_shutdown")
}

/// Guests that may be started and shut down, on nodes that never hang.
fn prepared(office: &Office) -> Result<Vec<u32>> {
    let mut chosen = Vec::new();
    office.cluster.change(|state| {
        let free = state.guests.iter_mut().filter(|g| g.kind == GuestKind::Vm && g.vmid != 100 && g.node != HANGS);
        for guest in free.take(ASKERS) {
            (guest.running, guest.lock, guest.deaf) = (false, None, false);
            chosen.push(guest.vmid);
        }
    });
    ensure!(chosen.len() >= ASKERS_MIN, "only {} guests could be used", chosen.len());
    Ok(chosen)
}

/// `112` as it is spoken: "one one two".
fn spelled(vmid: u32) -> String {
    const DIGITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let digits = vmid.to_string();
    let words: Vec<&str> = digits.bytes().map(|digit| DIGITS[usize::from(digit - b'0')]).collect();
    words.join(" ")
}

impl Busy<'_> {
    fn say(&self, words: &str) -> Option<String> {
        let told = self.office.ctl_json(&["ask", words]).ok()?;
        told["reply"].as_str().map(str::to_owned)
    }

    /// Starts a guest and shuts it down, without end.
    fn ask(&self, n: usize, vmid: u32) {
        while !self.over.load(Ordering::SeqCst) {
            for what in ["turn on", "turn off"] {
                let told = self.say(&format!("{what} {}", spelled(vmid))).unwrap_or_default();
                if told.contains("standing down") {
                    self.refused[n].fetch_add(1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }

    /// Asks about the node that may hang, without end.
    fn wait_for_node(&self) {
        while !self.over.load(Ordering::SeqCst) {
            if self.office.cluster.is_well(HANGS) {
                std::thread::sleep(Duration::from_millis(20));
            } else {
                // It is told that nobody knows; how often does not matter.
                self.say("how busy is node three").unwrap_or_default();
            }
        }
    }

    fn round(&self, way: Way, mut found: Stopped) -> Result<Stopped> {
        let cluster = &self.office.cluster;
        if way == Way::Hanging {
            cluster.misbehave(HANGS, Fault::Hangs)?;
        }
        let begun = cluster.now_ms();
        let arrived = |since: i64| cluster.state().works.asked_since(since).collect::<Vec<_>>();
        wait_for("changes under way", PATIENT, || Ok((arrived(begun).len() >= 2 * self.refused.len()).then_some(())))?;
        let before: Vec<usize> = self.refused.iter().map(|n| n.load(Ordering::SeqCst)).collect();
        let stopped = cluster.now_ms();
        match way {
            Way::Door => {
                let how = stop_from_outside(&self.office.state_dir(), "bench")?;
                ensure!(how == "the daemon stopped", "{how}");
            }
            Way::Ctl | Way::Hanging => {
                let output = self.office.ctl(&["stop"])?;
                let told = String::from_utf8_lossy(&output.stdout);
                ensure!(output.status.success() && told.contains("the daemon stopped"), "{told}");
            }
        }
        let answered = cluster.now_ms();
        // Whoever asked before it has his answer, and is refused when he asks again.
        wait_for("everybody to be refused", PATIENT, || {
            let again = self.refused.iter().zip(&before).all(|(n, before)| n.load(Ordering::SeqCst) > before + 1);
            Ok(again.then_some(()))
        })?;
        let late = arrived(stopped).into_iter().max().map_or(0, |last| last - stopped);
        let after = arrived(answered).len().saturating_sub(self.refused.len());
        found.after = found.after.max(after);
        found.rounds += 1;
        found.before += arrived(begun).iter().filter(|at| **at < stopped).count();
        found.worst_ms = found.worst_ms.max(late as f64);
        if way == Way::Hanging {
            cluster.misbehave(HANGS, Fault::None)?;
        }
        // Those who ask without end take every place at the socket; a stop has a door of its own, and a resumption waits for a place.
        let power = wait_for("a place for the resumption", PATIENT, || match self.office.ctl_json(&["resume"]) {
            Ok(power) => Ok(Some(power)),
            Err(error) if error.to_string().contains("clients are connected") => Ok(None),
            Err(error) => Err(error),
        })?;
        ensure!(power["power"] == "on", "it was not resumed: {power}");
        Ok(found)
    }
}

/// The shares of a bench: mostly the program, some by the door, some while a node hangs.
pub fn mixed(count: usize) -> Vec<Way> {
    [Way::Ctl, Way::Door, Way::Hanging].into_iter().cycle().take(count).collect()
}
