//! `tests/setup.sh` between stand-ins for dpkg, apt and systemctl: what it installs, and what it leaves of it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What the stand-ins do; `$FAKE` is their folder.
const PROGRAMS: [(&str, &str); 5] = [
    (
        "dpkg-query",
        "for last; do :; done\ncase $last in\n  *plugins-base) cat \"$FAKE/plugins\" 2>/dev/null ;;\n  *) grep -qxF \"$last\" \"$FAKE/missing\" && exit 1; echo installed ;;\nesac",
    ),
    (
        "apt-get",
        "echo \"$@\" >>\"$FAKE/apt.log\"\ncase \" $* \" in *' install '*) cat \"$POLICY_RC_D\" >\"$FAKE/policy.log\"; exit \"$(cat \"$FAKE/status\")\" ;; esac",
    ),
    ("apt-cache", "echo 'libfst26-plugins-base - weighted finite-state transducers library (base plugins)'"),
    ("systemctl", "echo \"$@\" >>\"$FAKE/systemctl.log\""),
    ("sudo", "exec \"$@\""),
];

/// A Debian that is made up.
struct Machine(tempfile::TempDir);

impl Machine {
    /// With everything but `missing` installed, `plugins` of OpenFst among it, and an apt whose installations end with `status`.
    fn new(missing: &[&str], plugins: &str, status: u8) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let machine = Self(dir);
        for (name, text) in PROGRAMS {
            let file = machine.path(name);
            std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        std::fs::write(machine.path("missing"), missing.join("\n")).unwrap();
        std::fs::write(machine.path("plugins"), plugins).unwrap();
        std::fs::write(machine.path("status"), status.to_string()).unwrap();
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.path(name)).ok()
    }

    fn set_up(&self) -> (bool, String) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("setup.sh");
        let path = format!("{}:{}", self.0.path().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(script);
        command.arg("demo").env("PATH", path).env("FAKE", self.0.path()).env("POLICY_RC_D", self.path("policy-rc.d"));
        let Output { status, stdout, stderr } = command.output().unwrap();
        (status.success(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
    }
}

const TRIXIE: &str = "libfst26-plugins-base installed\n";

#[test]
fn where_everything_is_there_nothing_is_asked_of_apt() {
    for plugins in [TRIXIE, "libfst22-plugins-base installed\n"] {
        let machine = Machine::new(&[], plugins, 0);
        let (success, told) = machine.set_up();
        assert!(success && told.contains("every apt package is there"), "{told}");
        assert_eq!(machine.read("apt.log"), None, "neither root nor network is needed");
    }
}

#[test]
fn what_is_missing_is_installed_by_the_name_that_this_release_has_for_it() {
    let machine = Machine::new(&["espeak-ng"], "libfst22-plugins-base not-installed\n", 0);
    let (success, told) = machine.set_up();
    assert!(success && told.contains("installing with apt: espeak-ng libfst26-plugins-base"), "{told}");
    let asked = machine.read("apt.log").unwrap();
    assert!(asked.contains("espeak-ng libfst26-plugins-base"), "{asked}");
    assert_eq!(machine.read("systemctl.log"), None, "sshd was there before: it is its owner's");
}

#[test]
fn an_sshd_that_is_installed_is_not_started_and_nothing_of_that_stays() {
    for status in [0, 100] {
        let machine = Machine::new(&["openssh-server"], TRIXIE, status);
        let (success, told) = machine.set_up();
        assert_eq!(success, status == 0, "{told}");
        assert!(machine.read("policy.log").unwrap().contains("exit 101"), "services may not be started meanwhile");
        assert_eq!(machine.read("policy-rc.d"), None, "afterwards they may");
        if success {
            assert!(machine.read("systemctl.log").unwrap().contains("disable"), "nor at the next start of the machine");
            assert!(told.contains("its own service is not wanted") && !told.contains("look at port 22"), "{told}");
        }
    }
}

#[test]
fn a_policy_that_is_there_has_the_say() {
    let machine = Machine::new(&["openssh-server"], TRIXIE, 0);
    std::fs::write(machine.path("policy-rc.d"), "the owner's\n").unwrap();
    let (success, told) = machine.set_up();
    assert!(success && told.contains("look at port 22"), "{told}");
    assert_eq!(machine.read("policy-rc.d").as_deref(), Some("the owner's\n"));
    assert_eq!(machine.read("policy.log").as_deref(), Some("the owner's\n"));
}
