//! What the API lets a token change: the requests that become tasks.

use jarvis_core::cluster::GuestKind;

use super::answers::{Refusal, Reply, Request, guest_of, privileged, slots_of};
use super::state::State;
use super::work::{Deed, Fate};

/// A request that changes a guest.
pub struct Change {
    /// `POST` or `DELETE`.
    pub verb: &'static str,
    /// Its path as the official description writes it.
    pub template: &'static str,
    /// Parameters it knows, beside those of the path.
    pub parameters: &'static [&'static str],
    /// Privileges on the guest; one of them is enough.
    pub privileges: &'static [&'static str],
    deed: fn(&Request<'_>) -> Result<Deed, Refusal>,
}

const POWER: &[&str] = &["VM.PowerMgmt"];
const SNAPSHOT: &[&str] = &["VM.Snapshot"];
const ROLLBACK: &[&str] = &["VM.Snapshot", "VM.Snapshot.Rollback"];

macro_rules! change {
    ($verb:literal, $path:literal, $parameters:expr, $privileges:expr, $deed:expr) => {
        [
            Change {
                verb: $verb,
                template: concat!("/nodes/{node}/qemu/{vmid}/", $path),
                parameters: $parameters,
                privileges: $privileges,
                deed: $deed,
            },
            Change {
                verb: $verb,
                template: concat!("/nodes/{node}/lxc/{vmid}/", $path),
                parameters: $parameters,
                privileges: $privileges,
                deed: $deed,
            },
        ]
    };
}

/// The changes served, each for a VM and for a container.
pub static CHANGES: [[Change; 2]; 7] = [
    change!("POST", "status/start", &[], POWER, |_| Ok(Deed::Start)),
    change!("POST", "status/stop", &[], POWER, |_| Ok(Deed::Stop)),
    change!("POST", "status/shutdown", &["timeout", "forceStop"], POWER, |_| Ok(Deed::Shutdown)),
    change!("POST", "status/reboot", &["timeout"], POWER, |_| Ok(Deed::Reboot)),
    change!("POST", "snapshot", &["snapname", "description"], SNAPSHOT, snapshot),
    change!("DELETE", "snapshot/{snapname}", &["force"], SNAPSHOT, |request| {
        Ok(Deed::DeleteSnapshot(request.slots[2].to_owned()))
    }),
    change!("POST", "snapshot/{snapname}/rollback", &["start"], ROLLBACK, |request| {
        Ok(Deed::RollBack(request.slots[2].to_owned()))
    }),
];

/// The change of `verb` and `path`, and what stands in its slots.
pub fn change<'p>(verb: &str, path: &'p str) -> Option<(&'static Change, Vec<&'p str>)> {
    let mut of_verb = CHANGES.iter().flatten().filter(|change| change.verb == verb);
    of_verb.find_map(|change| Some((change, slots_of(change.template, path)?)))
}

fn snapshot(request: &Request<'_>) -> Result<Deed, Refusal> {
    let name = request.query.iter().find(|(name, _)| name == "snapname").map(|(_, value)| value.clone());
    // `pve-configid`, of 40 characters at most.
    let is_id = |name: &String| {
        name.len() <= 40
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    name.filter(is_id).map(Deed::Snapshot).ok_or_else(malformed)
}

fn malformed() -> Refusal {
    (400, "Parameter verification failed.\n".to_owned())
}

impl Change {
    /// Takes a request: begins its task and answers with the identifier, or refuses.
    pub fn take(&self, state: &mut State, request: &Request<'_>, now_ms: i64, fate: Fate) -> Reply {
        privileged(request, &format!("/vms/{}", request.slots[1]), self.privileges)?;
        if request.query.iter().any(|(name, _)| !self.parameters.contains(&name.as_str())) {
            return Err(malformed());
        }
        let deed = (self.deed)(request)?;
        let kind = if self.template.contains("/lxc/") { GuestKind::Container } else { GuestKind::Vm };
        let guest = guest_of(state, request, kind)?;
        if !state.quorate() {
            return Err((500, "cluster not ready - no quorum?\n".to_owned()));
        }
        let vmid = guest.vmid;
        // Some of it is looked at before the worker is forked, and more of it for containers.
        let refused = match (kind, &deed) {
            (GuestKind::Container, Deed::Start) if guest.running => Some(format!("CT {vmid} already running\n")),
            (GuestKind::Container, Deed::Stop | Deed::Shutdown | Deed::Reboot) if !guest.running => {
                Some(format!("CT {vmid} not running\n"))
            }
            (GuestKind::Vm, Deed::Reboot) if !guest.running => Some(format!("VM {vmid} not running\n")),
            (GuestKind::Container, _) => guest.lock.as_ref().map(|lock| format!("CT is locked ({lock})\n")),
            _ => None,
        };
        if let Some(why) = refused {
            return Err((500, why));
        }
        let upid = state.begin(now_ms, request.user, vmid, deed, fate);
        upid.map(Into::into).ok_or((500, "got no worker upid - start worker failed\n".to_owned()))
    }
}
