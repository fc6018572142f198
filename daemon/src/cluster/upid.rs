//! A task's identifier, taken apart: `UPID:node:pid:pstart:start:type:id:user:`.

use jarvis_core::ids::{NodeName, UnixSeconds, Upid, Vmid};

/// Longest identifier that is believed; real ones have about a hundred bytes.
const BYTES_MAX: usize = 300;

/// What an identifier says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    /// Where the task runs, and nowhere else can it be asked about.
    pub(super) node: NodeName,
    /// When it began, by that node's clock.
    pub(super) started: UnixSeconds,
    /// `qmstart`, `hastart`, ...
    pub(super) kind: &'a str,
    /// What it is about, mostly a VMID.
    pub(super) object: &'a str,
    /// Who began it; a token with its name: `jarvis@pve!act`.
    pub(super) user: &'a str,
}

impl Parts<'_> {
    /// Whether the task is about this guest.
    pub(super) fn is_about(&self, vmid: Vmid) -> bool {
        self.object.parse() == Ok(vmid.0)
    }
}

/// Takes an identifier apart; `None` where it is none, or holds what no path may hold.
pub(super) fn parts(upid: &Upid) -> Option<Parts<'_>> {
    let text = upid.as_str();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b":@!._-".contains(&b);
    if text.len() > BYTES_MAX || !text.bytes().all(plain) {
        return None;
    }
    let fields: Vec<&str> = text.split(':').collect();
    let ["UPID", node, pid, pstart, start, kind, object, user, ""] = fields.as_slice() else {
        return None;
    };
    let hex = |text: &str| i64::from_str_radix(text, 16).ok();
    hex(pid).and(hex(pstart))?;
    let node = NodeName((*node).to_owned());
    node.check().ok()?;
    Some(Parts { node, started: UnixSeconds(hex(start)?), kind, object, user })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_identifier_comes_apart() {
        let upid = Upid::from("UPID:pve1:000001DA:0002755A:6B03787E:hastart:100:jarvis@pve!t1:");
        let parts = parts(&upid).unwrap();
        assert_eq!((parts.node.as_str(), parts.started), ("pve1", UnixSeconds(1_795_389_566)));
        assert_eq!((parts.kind, parts.object, parts.user), ("hastart", "100", "jarvis@pve!t1"));
        assert!(parts.is_about(Vmid(100)) && !parts.is_about(Vmid(10)));
    }

    #[test]
    fn what_would_leave_the_path_is_no_identifier() {
        for bad in [
            "",
            "UPID:pve1:1:2:3:qmstart:100:root@pam",
            "UPID:pve1:1:2:3:qmstart:../../100:root@pam:",
            "UPID:pve1:1:2:3:qmstart:1?0:root@pam:",
            "UPID:p/1:1:2:3:qmstart:100:root@pam:",
            "UPID::1:2:3:qmstart:100:root@pam:",
            "UPID:pve1:x:2:3:qmstart:100:root@pam:",
            &format!("UPID:pve1:1:2:3:qmstart:100:{}:", "r".repeat(300)),
        ] {
            assert_eq!(parts(&Upid::from(bad)), None, "{bad}");
        }
    }
}
