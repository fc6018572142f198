//! Who may use the control socket.

use std::fs;
use std::path::Path;

/// Longest `/etc/group` or `/proc/PID/status` that is looked at, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// The other end, as the kernel names it (SO_PEERCRED).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// User.
    pub uid: u32,
    /// Groups: its own and the supplementary ones.
    pub groups: Vec<u32>,
}

impl Peer {
    /// Of a connection.
    pub fn of(credentials: tokio::net::unix::UCred) -> Self {
        let mut groups = vec![credentials.gid()];
        if let Some(pid) = credentials.pid() {
            groups.extend(supplementary(&bounded(Path::new(&format!("/proc/{pid}/status")))));
        }
        Self { uid: credentials.uid(), groups }
    }
}

/// Users and the group that are let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    users: Vec<u32>,
    group: Option<u32>,
}

impl Admission {
    /// Lets in `users` and the members of `group`.
    pub fn new(users: Vec<u32>, group: Option<u32>) -> Self {
        Self { users, group }
    }

    /// Lets in root, this process's own user, and the members of `group`.
    pub fn of_daemon(group: Option<u32>) -> Self {
        Self::new(vec![0, rustix::process::geteuid().as_raw()], group)
    }

    /// Whether `peer` may.
    pub fn admits(&self, peer: &Peer) -> bool {
        self.users.contains(&peer.uid) || self.group.is_some_and(|g| peer.groups.contains(&g))
    }

    /// The group, if one was named.
    pub fn group(&self) -> Option<u32> {
        self.group
    }
}

/// A group's number, from `/etc/group`.
pub fn group_id(name: &str) -> Option<u32> {
    in_group_file(&bounded(Path::new("/etc/group")), name)
}

fn in_group_file(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1))?.and_then(|id| id.parse().ok())
    })
}

fn supplementary(status: &str) -> Vec<u32> {
    let line = status.lines().find_map(|l| l.strip_prefix("Groups:"));
    line.map(|l| l.split_whitespace().filter_map(|id| id.parse().ok()).collect()).unwrap_or_default()
}

/// A file's text; empty where it can't be read, which lets nobody in.
fn bounded(path: &Path) -> String {
    let mut text = fs::read_to_string(path).unwrap_or_default();
    if text.len() > MAX_BYTES {
        text.clear();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_users_and_members_are_let_in() {
        let door = Admission::new(vec![0, 990], Some(70));
        let peer = |uid, groups: &[u32]| Peer { uid, groups: groups.to_vec() };
        assert!(door.admits(&peer(0, &[])));
        assert!(door.admits(&peer(990, &[990])));
        assert!(door.admits(&peer(1000, &[1000, 70])));
        assert!(!door.admits(&peer(1000, &[1000, 100])));
        assert!(!Admission::new(vec![0], None).admits(&peer(1000, &[0])));
    }

    #[test]
    fn groups_are_read_as_the_system_writes_them() {
        assert_eq!(in_group_file("root:x:0:\njarvis:x:990:anna,ben\n", "jarvis"), Some(990));
        assert_eq!(in_group_file("root:x:0:\n", "jarvis"), None);
        assert_eq!(in_group_file("broken\njarvis:x:many:\n", "jarvis"), None);
        assert_eq!(supplementary("Name:\tx\nGroups:\t4 27 990 \n"), [4, 27, 990]);
        assert!(supplementary("").is_empty());
    }
}
