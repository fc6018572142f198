//! Words for what went wrong with a change: the node's own, on one line and bounded, and what a person can do about it.

use jarvis_core::cluster::GuestKind;
use jarvis_core::tools::Change;

/// Longest text made here, in characters.
const CHARS_MAX: usize = 400;
/// Longest part of a text that is the node's own.
const OWN_CHARS_MAX: usize = 240;

/// `VM 104 on pve2`.
pub(super) fn guest(change: &Change) -> String {
    let kind = match change.kind {
        GuestKind::Vm => "VM",
        GuestKind::Container => "container",
    };
    format!("{kind} {} on {}", change.vmid, change.node)
}

/// `text` on one line, of bounded length.
pub(super) fn bounded(text: &str) -> String {
    cut(text, CHARS_MAX)
}

fn cut(text: &str, chars_max: usize) -> String {
    let plain = text.chars().map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c });
    let plain: String = plain.take(chars_max * 4).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(chars_max).collect()
}

/// Why a request was refused before anything ran.
pub(super) fn refusal(status: u16, complaint: &str, change: &Change) -> String {
    let own = cut(complaint, OWN_CHARS_MAX);
    bounded(&match status {
        401 => "the API token is wrong or was removed; put a new one into the token file (docs/cluster.md)".to_owned(),
        403 => match lacking(&own) {
            Some((path, privileges)) => format!(
                "the API token lacks {privileges} on {path}; give it the role JarvisChanges, as docs/cluster.md says"
            ),
            None => format!("the API token may not do that ({own}); docs/cluster.md says which role it needs"),
        },
        400 => {
            format!("{} refused the request as malformed ({own}); is its Proxmox VE newer than Jarvis?", change.node)
        }
        404 | 405 | 501 => {
            format!("{} does not know this request ({own}); is its Proxmox VE older than 8?", change.node)
        }
        595 => format!("nothing was begun: {} cannot be reached by the other nodes; see whether it is up", change.node),
        _ => named(complaint, change),
    })
}

/// `Permission check failed (/vms/104, VM.PowerMgmt)` in its parts.
fn lacking(text: &str) -> Option<(&str, String)> {
    let inner = text.split_once("Permission check failed (")?.1.split_once(')')?.0;
    let (path, privileges) = inner.split_once(',')?;
    let privileges: Vec<&str> = privileges.split('|').map(str::trim).filter(|p| !p.is_empty()).collect();
    (!privileges.is_empty()).then(|| (path.trim(), privileges.join(" or ")))
}

/// A failure in the node's words, with a remedy where one is known.
pub(super) fn named(text: &str, change: &Change) -> String {
    let own = cut(text, OWN_CHARS_MAX);
    let has = |words: &[&str]| words.iter().all(|word| own.contains(word));
    let (vmid, node) = (change.vmid, &change.node);
    let tool = match change.kind {
        GuestKind::Vm => "qm",
        GuestKind::Container => "pct",
    };
    let remedy = if has(&["is locked ("]) {
        format!("wait until that is over; if nothing works on it any more, `{tool} unlock {vmid}` on {node} frees it")
    } else if has(&["can't lock file"]) || has(&["can't acquire lock"]) {
        "another task is at work on it; try again in a minute".to_owned()
    } else if has(&["no quorum"]) {
        "bring back enough nodes for a majority first".to_owned()
    } else if has(&["snapshot '", "' does not exist"]) {
        "look at its snapshots again".to_owned()
    } else if has(&["does not exist"]) || has(&["no such VM"]) {
        format!("it was removed or moved; `{tool} list` on the nodes shows where it is")
    } else if has(&["powerdown failed"]) || (has(&["shutdown"]) && has(&["timeout"])) || has(&["lxc-stop"]) {
        "its system did not shut down in time; install or start the guest agent, or have its plug pulled".to_owned()
    } else if has(&["snapshot feature is not available"]) {
        "its storage cannot take snapshots; move its disks to one that can, such as ZFS or qcow2".to_owned()
    } else if has(&["not enough free space"]) || has(&["No space left"]) || has(&["out of space"]) {
        "make room on its storage first".to_owned()
    } else if own.is_empty() {
        return bounded(&format!("{} said no and did not say why; its journal may know", change.node));
    } else {
        return bounded(&format!("{}: {own}", guest(change)));
    };
    bounded(&format!("{}: {own}; {remedy}", guest(change)))
}

#[cfg(test)]
pub(super) mod tests {
    use jarvis_core::cluster::GuestState;
    use jarvis_core::ids::Vmid;
    use jarvis_core::tools::{Method, Wanted};

    use super::*;

    pub(in super::super) fn start() -> Change {
        Change {
            node: "pve2".into(),
            method: Method::Post,
            path: "/nodes/pve2/qemu/104/status/start".to_owned(),
            params: Vec::new(),
            wanted: Wanted::State(GuestState::Running),
            vmid: Vmid(104),
            kind: GuestKind::Vm,
            limit_s: 120,
        }
    }

    #[test]
    fn a_missing_privilege_is_named_with_its_path() {
        let change = start();
        let told = refusal(403, "Permission check failed (/vms/104, VM.PowerMgmt)\n", &change);
        assert_eq!(
            told,
            "the API token lacks VM.PowerMgmt on /vms/104; give it the role JarvisChanges, as docs/cluster.md says"
        );
        let either = refusal(403, "Permission check failed (/vms/104, VM.Snapshot|VM.Snapshot.Rollback)", &change);
        assert!(either.contains("VM.Snapshot or VM.Snapshot.Rollback on /vms/104"), "{either}");
        assert!(refusal(403, "", &change).contains("docs/cluster.md"));
    }

    #[test]
    fn known_failures_name_a_remedy() {
        let change = start();
        for (status, text, remedy) in [
            (500, "VM is locked (backup)\n", "qm unlock 104"),
            (500, "cluster not ready - no quorum?\n", "majority"),
            (500, "Configuration file 'nodes/pve2/qemu-server/104.conf' does not exist\n", "moved"),
            (500, "snapshot 'clean' does not exist", "snapshots"),
            (500, "can't lock file '/var/lock/qemu-server/lock-104.conf' - got timeout", "try again"),
            (500, "VM quit/powerdown failed - got timeout", "guest agent"),
            (500, "snapshot feature is not available", "ZFS"),
            (500, "", "journal"),
            (401, "invalid token value!", "token file"),
            (501, "Method 'POST /x' not implemented", "older"),
            (400, "Parameter verification failed.", "newer"),
            (595, "No route to host", "whether it is up"),
        ] {
            let told = refusal(status, text, &change);
            assert!(told.contains(remedy), "{status} {text}: {told}");
        }
    }

    #[test]
    fn a_nodes_words_stay_short_and_on_one_line() {
        let told = named(&format!("first\nsecond\u{1b}[2J{}", "x".repeat(5000)), &start());
        assert!(told.chars().count() <= CHARS_MAX && told.starts_with("VM 104 on pve2: first second [2J"), "{told}");
        assert!(!told.chars().any(char::is_control));
    }
}
