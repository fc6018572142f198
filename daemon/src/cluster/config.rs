//! The `[cluster]` section of jarvisd.toml.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

use super::{Limits, sensors};

/// The API's port where an address names none.
pub const API_PORT: u16 = 8006;
/// The SSH port where an address names none.
pub const SSH_PORT: u16 = 22;
/// What a turn may be told to wait, in milliseconds: no node answers sooner, and nobody waits longer for a word.
const WAIT_MS: std::ops::RangeInclusive<u32> = 500..=30_000;
/// More nodes than this are a mistake in the file: every read asks each of them.
const NODES_MAX: usize = 64;

/// The `[cluster]` section: which nodes there are and how they prove themselves, and which token to show them.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterConfig {
    /// The nodes, in the order they are asked; none leaves every fact about the cluster unknown.
    pub nodes: Vec<NodeConfig>,
    /// File that holds the API token, `user@realm!id=secret`, on its first line. A relative path is a systemd credential's name.
    pub token_file: Option<PathBuf>,
    /// Temperatures over SSH; absent leaves them unknown.
    pub sensors: Option<SensorsConfig>,
    /// The longest a turn waits for the cluster, in milliseconds; [`super::RUN_LIMIT`] without it.
    pub wait_ms: Option<u32>,
    /// How long else is waited. Nothing of the file: a program that is killed on purpose can't wait a minute and a half each time.
    #[serde(skip)]
    pub limits: Limits,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Its name in the cluster (`pve2`).
    pub name: String,
    /// Host and port of its API: `10.0.0.12`, `10.0.0.12:8006`, `pve2.lan`, `[fd00::2]:8006`.
    pub address: String,
    /// SHA-256 of its certificate, as Proxmox VE shows it (`AB:CD:..`).
    pub fingerprint: Fingerprint,
    /// Host and port of its sshd, where they are not the API's host and 22.
    #[serde(default)]
    pub ssh_address: Option<String>,
    /// Its SSH host key as in `known_hosts`, ed25519 or ECDSA: `ssh-ed25519 AAAA...`; without one its temperature stays unknown.
    #[serde(default)]
    pub ssh_host_key: Option<String>,
}

/// The `[cluster.sensors]` section.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensorsConfig {
    /// User to log in as; its key should have one forced command (docs/cluster.md).
    pub user: String,
    /// File with the private key in OpenSSH's format, without passphrase. A relative path is a systemd credential's name.
    pub key_file: PathBuf,
}

impl ClusterConfig {
    /// What the types cannot hold: the place in `nodes` where it is one of theirs, the key, what is wrong, and a remedy.
    pub fn mistakes(&self) -> Vec<(Option<usize>, &'static str, String, &'static str)> {
        let mut wrong = Vec::new();
        if self.nodes.len() > NODES_MAX {
            wrong.push((None, "nodes", format!("{} nodes", self.nodes.len()), "name 64 at most: a read may ask each"));
        }
        if let Some(ms) = self.wait_ms.filter(|ms| !WAIT_MS.contains(ms)) {
            wrong.push((None, "wait_ms", format!("{ms} ms"), "give 500 to 30000"));
        }
        // Without sensors nobody asks for the keys.
        for (index, node) in self.nodes.iter().enumerate().filter(|_| self.sensors.is_some()) {
            if let Some(Err(what)) = node.ssh_host_key.as_deref().map(sensors::host_key) {
                wrong.push((
                    Some(index),
                    "ssh_host_key",
                    what,
                    "write what ssh-keyscan -t ed25519 shows, without the host",
                ));
            }
        }
        wrong
    }

    /// Makes relative secret files absolute within `credentials`, systemd's credentials directory.
    pub fn resolve(&mut self, credentials: &Path) {
        let paths = [self.token_file.as_mut(), self.sensors.as_mut().map(|s| &mut s.key_file)];
        for path in paths.into_iter().flatten() {
            *path = credentials.join(&*path);
        }
    }
}

impl NodeConfig {
    /// Where its API is, with a port.
    pub fn api_authority(&self) -> String {
        with_port(&self.address, API_PORT)
    }

    /// Where its sshd is, with a port.
    pub fn ssh_authority(&self) -> String {
        match &self.ssh_address {
            Some(address) => with_port(address, SSH_PORT),
            None => with_port(without_port(&self.address), SSH_PORT),
        }
    }
}

fn without_port(address: &str) -> &str {
    if let Some(end) = address.find(']') {
        return &address[..=end];
    }
    match address.split_once(':') {
        Some((host, port)) if !port.contains(':') => host,
        _ => address,
    }
}

fn with_port(address: &str, port: u16) -> String {
    let bare_v6 = address.matches(':').count() > 1 && !address.starts_with('[');
    if bare_v6 {
        format!("[{address}]:{port}")
    } else if without_port(address) == address {
        format!("{address}:{port}")
    } else {
        address.to_owned()
    }
}

/// SHA-256 of a certificate in DER.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Reads 64 hexadecimal digits, with or without colons.
    pub fn parse(text: &str) -> Result<Self, String> {
        let digits: Vec<u8> = text.bytes().filter(|b| *b != b':').collect();
        let wrong = || {
            format!(
                "`{text}` is no SHA-256 fingerprint: 64 hexadecimal digits, as `pvenode cert info` or the node's certificate page shows them"
            )
        };
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            let colon = if i == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECTION: &str = r#"
        token_file = "proxmox-token"
        [[nodes]]
        name = "pve1"
        address = "10.0.0.11"
        fingerprint = "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:FF"
        [sensors]
        user = "jarvis-sensors"
        key_file = "/etc/jarvis/sensors"
    "#;

    #[test]
    fn a_section_is_read_and_its_credentials_resolved() {
        let mut config: ClusterConfig = toml::from_str(SECTION).unwrap();
        config.resolve(Path::new("/run/credentials/jarvisd.service"));
        assert_eq!(config.token_file.as_deref(), Some(Path::new("/run/credentials/jarvisd.service/proxmox-token")));
        let sensors = config.sensors.unwrap();
        assert_eq!(sensors.key_file, Path::new("/etc/jarvis/sensors"));
        assert!(config.nodes[0].fingerprint.to_string().starts_with("00:01:02"));
        assert_eq!(config.nodes[0].fingerprint.0[31], 0xff);
    }

    #[test]
    fn more_nodes_than_are_asked_are_a_mistake() {
        let mut config: ClusterConfig = toml::from_str(SECTION).unwrap();
        let node = config.nodes[0].clone();
        config.nodes = vec![node.clone(); NODES_MAX];
        assert!(config.mistakes().is_empty());
        config.nodes.push(node);
        let (index, key, what, _) = config.mistakes().remove(0);
        assert_eq!((index, key, what.as_str()), (None, "nodes", "65 nodes"));
    }

    #[test]
    fn a_typo_and_a_short_fingerprint_are_named() {
        let typo = SECTION.replace("address", "adress");
        let error = toml::from_str::<ClusterConfig>(&typo).unwrap_err().to_string();
        assert!(error.contains("adress"), "{error}");
        let short = SECTION.replace(":FF", "");
        let error = toml::from_str::<ClusterConfig>(&short).unwrap_err().to_string();
        assert!(error.contains("64 hexadecimal digits"), "{error}");
        assert!(Fingerprint::parse(&"é".repeat(32)).is_err());
    }

    #[test]
    fn ports_are_filled_in() {
        let cases = [
            ("10.0.0.11", "10.0.0.11:8006", "10.0.0.11:22"),
            ("pve1.lan:443", "pve1.lan:443", "pve1.lan:22"),
            ("fd00::2", "[fd00::2]:8006", "[fd00::2]:22"),
            ("[fd00::2]:443", "[fd00::2]:443", "[fd00::2]:22"),
        ];
        for (address, api, ssh) in cases {
            let node = NodeConfig {
                name: "pve1".to_owned(),
                address: address.to_owned(),
                fingerprint: Fingerprint([0; 32]),
                ssh_address: None,
                ssh_host_key: None,
            };
            assert_eq!((node.api_authority(), node.ssh_authority()), (api.to_owned(), ssh.to_owned()));
        }
    }
}
