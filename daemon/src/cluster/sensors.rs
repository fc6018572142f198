//! Temperatures: `sensors -j` over SSH, because the API has no endpoint for them.
//!
//! The key can do one thing on a node: its `authorized_keys` line forces the command (docs/cluster.md). The node's host key is
//! pinned; nothing is trusted on first use. A session is kept open between questions.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jarvis_core::ids::NodeName;
use jarvis_core::tool::GapReason;
use russh::client::{self, Handle};
use russh::keys::{Algorithm, PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{AlgorithmKind, ChannelMsg, Preferred};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::api::ApiError;
use super::{ClusterConfig, SetupError};

/// Kinds of keys that are checked and shown, in words.
const KINDS: &str = "ed25519 or ECDSA";
/// The one command; nodes whose key forces a command run that one instead.
const COMMAND: &str = "sensors -j";
/// The longest answer read; a server with 100 sensors says 20 KiB.
const ANSWER_MAX: usize = 256 << 10;
/// Degrees Celsius outside of which a sensor is taken for broken or unconnected (0, 127 and 255 are common).
const SENSIBLE: std::ops::Range<f64> = 0.1..126.0;
/// A kept session is asked for a sign of life so often.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// The longest key file read.
const KEY_FILE_MAX: u64 = 64 << 10;

/// The nodes' sensors.
pub(super) struct Sensors {
    nodes: Vec<Host>,
}

struct Host {
    name: NodeName,
    authority: String,
    user: String,
    key: Arc<PrivateKey>,
    host_key: PublicKey,
    session: Mutex<Option<Arc<Handle<Pin>>>>,
}

impl Sensors {
    /// `None` where the configuration has no `[cluster.sensors]`.
    pub(super) fn new(config: &ClusterConfig) -> Result<Option<Self>, SetupError> {
        let Some(sensors) = &config.sensors else {
            return Ok(None);
        };
        let key = Arc::new(private_key(&sensors.key_file)?);
        let mut nodes = Vec::new();
        for node in &config.nodes {
            let Some(text) = &node.ssh_host_key else {
                continue;
            };
            let host_key =
                host_key(text).map_err(|why| SetupError(format!("node {}: ssh_host_key {why}", node.name)))?;
            nodes.push(Host {
                name: NodeName(node.name.clone()),
                authority: node.ssh_authority(),
                user: sensors.user.clone(),
                key: Arc::clone(&key),
                host_key,
                session: Mutex::default(),
            });
        }
        Ok(Some(Self { nodes }))
    }

    /// Degrees Celsius of the hottest sensor of `node`; `None` where it has none.
    pub(super) async fn hottest(&self, node: &NodeName, deadline: Instant) -> Result<Option<f64>, ApiError> {
        let Some(host) = self.nodes.iter().find(|host| host.name == *node) else {
            return Err(ApiError::new(
                GapReason::NotConfigured,
                format!("{node} has no ssh_host_key in [cluster] nodes"),
            ));
        };
        match timeout_at(deadline, host.ask()).await {
            Ok(Ok(json)) => {
                hottest_in(&json).map_err(|why| ApiError::new(GapReason::Failed, format!("{node}: sensors: {why}")))
            }
            Ok(Err(error)) => {
                host.forget();
                Err(error)
            }
            Err(_) => {
                host.forget();
                Err(ApiError::new(GapReason::NodeUnknown, format!("{node} did not answer over SSH in time")))
            }
        }
    }
}

impl Host {
    async fn ask(&self) -> Result<Vec<u8>, ApiError> {
        let kept = self.kept();
        if let Some(session) = kept
            && let Ok(answer) = self.run(&session).await
        {
            return Ok(answer);
        }
        let session = Arc::new(self.connect().await?);
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&session));
        self.run(&session)
            .await
            .map_err(|error| ApiError::new(GapReason::Failed, format!("{}: `{COMMAND}` over SSH: {error}", self.name)))
    }

    fn kept(&self) -> Option<Arc<Handle<Pin>>> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.as_ref().filter(|s| !s.is_closed()).cloned()
    }

    fn forget(&self) {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn connect(&self) -> Result<Handle<Pin>, ApiError> {
        let config = client::Config {
            preferred: Preferred { key: Cow::Owned(vec![self.host_key.algorithm()]), ..Preferred::default() },
            keepalive_interval: Some(KEEPALIVE),
            nodelay: true,
            ..client::Config::default()
        };
        let pin = Pin(self.host_key.clone());
        let mut session = client::connect(Arc::new(config), self.authority.as_str(), pin)
            .await
            .map_err(|error| self.unconnected(&error))?;
        let key = PrivateKeyWithHashAlg::new(Arc::clone(&self.key), None);
        match session.authenticate_publickey(&self.user, key).await {
            Ok(result) if result.success() => Ok(session),
            Ok(_) => Err(ApiError::new(
                GapReason::Forbidden,
                format!(
                    "{}: sshd refuses {}'s key; docs/cluster.md says what its authorized_keys needs",
                    self.name, self.user
                ),
            )),
            Err(error) => Err(self.unconnected(&error)),
        }
    }

    fn unconnected(&self, error: &russh::Error) -> ApiError {
        match error {
            russh::Error::UnknownKey => ApiError::new(
                GapReason::Failed,
                format!(
                    "{}: its SSH host key is not the one in [cluster] nodes; if the node was reinstalled, put the new one there",
                    self.name
                ),
            ),
            russh::Error::NoCommonAlgo { kind: AlgorithmKind::Key, theirs, .. } => ApiError::new(
                GapReason::Failed,
                format!(
                    "{}: its SSH host keys are {}, and the one in [cluster] nodes is {}; put a line of its /etc/ssh/ssh_host_*_key.pub there, {KINDS}",
                    self.name,
                    theirs.join(", "),
                    self.host_key.algorithm()
                ),
            ),
            error => {
                ApiError::new(GapReason::NodeUnknown, format!("{} ({}) over SSH: {error}", self.name, self.authority))
            }
        }
    }

    async fn run(&self, session: &Handle<Pin>) -> Result<Vec<u8>, RunError> {
        let mut channel = session.channel_open_session().await?;
        channel.exec(true, COMMAND).await?;
        let mut answer = Vec::new();
        let mut status = None;
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Data { data } if answer.len() + data.len() > ANSWER_MAX => {
                    return Err(RunError::TooLong);
                }
                ChannelMsg::Data { data } => answer.extend_from_slice(&data),
                ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
                ChannelMsg::Failure => return Err(RunError::Refused),
                _ => {}
            }
        }
        match status {
            Some(0) => Ok(answer),
            // sensors ends with 1 where a single sensor cannot be read; what it printed still counts.
            Some(_) | None if answer.first() == Some(&b'{') => Ok(answer),
            status => Err(RunError::Status(status)),
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Ssh(#[from] russh::Error),
    #[error("more than {ANSWER_MAX} bytes")]
    TooLong,
    #[error("the node refuses to run a command for this key")]
    Refused,
    #[error("ended with status {0:?}; is lm-sensors installed there?")]
    Status(Option<u32>),
}

/// Accepts one host key and no certificate.
struct Pin(PublicKey);

impl client::Handler for Pin {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => Ok(key.key_data() == self.0.key_data()),
            PublicKeyOrCertificate::Certificate(_) => Ok(false),
        }
    }
}

/// The host key of a line as in `known_hosts`, without the host; the error goes on from the key's name in the configuration.
pub(super) fn host_key(line: &str) -> Result<PublicKey, String> {
    let key = PublicKey::from_openssh(line.trim())
        .map_err(|error| format!("is no line like `ssh-ed25519 AAAA...`: {error}"))?;
    if !is_known(&key.algorithm()) {
        return Err(format!(
            "is of kind {}, which is not checked here: take the node's other one, {KINDS}",
            key.algorithm()
        ));
    }
    Ok(key)
}

/// RSA is left out: its only pure implementation leaks by timing (RUSTSEC-2023-0071), and every sshd of the last ten years has the others.
fn is_known(kind: &Algorithm) -> bool {
    matches!(kind, Algorithm::Ed25519 | Algorithm::Ecdsa { .. })
}

fn private_key(file: &Path) -> Result<PrivateKey, SetupError> {
    let shown = file.display();
    let wrong = |why: String| SetupError(format!("[cluster.sensors] key_file {shown}: {why}"));
    let size = std::fs::metadata(file).map_err(|e| wrong(e.to_string()))?.len();
    if size > KEY_FILE_MAX {
        return Err(wrong(format!("is no key: {size} bytes long")));
    }
    let text = std::fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
    let key = PrivateKey::from_openssh(text).map_err(|e| {
        wrong(format!("is no private key in OpenSSH's format (make one with `ssh-keygen -t ed25519 -N ''`): {e}"))
    })?;
    if key.is_encrypted() {
        return Err(wrong("has a passphrase; nobody is there to type it".to_owned()));
    }
    if !is_known(&key.algorithm()) {
        return Err(wrong(format!("is of kind {}: make one with `ssh-keygen -t ed25519 -N ''`", key.algorithm())));
    }
    Ok(key)
}

/// The hottest `temp*_input` that makes sense, of chips, features and their values as lm-sensors prints them.
fn hottest_in(json: &[u8]) -> Result<Option<f64>, String> {
    let Value::Object(chips) = serde_json::from_slice(json).map_err(|e| e.to_string())? else {
        return Err("the answer is no object".to_owned());
    };
    let hottest = chips
        .values()
        .filter_map(Value::as_object)
        .flat_map(|features| features.values())
        .filter_map(Value::as_object)
        .flatten()
        .filter(|(name, _)| name.starts_with("temp") && name.ends_with("_input"))
        .filter_map(|(_, value)| value.as_f64())
        .filter(|celsius| SENSIBLE.contains(celsius))
        .max_by(f64::total_cmp);
    Ok(hottest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hottest_sensible_sensor_counts() {
        let json = br#"{
            "coretemp-isa-0000": {"Adapter": "ISA adapter", "Package id 0": {"temp1_input": 61.5, "temp1_max": 100.0, "temp1_crit": 100.0}},
            "nvme-pci-0100": {"Adapter": "PCI adapter", "Composite": {"temp1_input": 44.85, "temp1_max": 65261.85}},
            "nct6798-isa-0290": {"fan1": {"fan1_input": 1200.0}, "AUXTIN1": {"temp3_input": 127.0}, "AUXTIN2": {"temp4_input": -62.0}}
        }"#;
        assert_eq!(hottest_in(json), Ok(Some(61.5)));
        assert_eq!(hottest_in(b"{}"), Ok(None));
        assert!(hottest_in(b"ERROR: Can't get value").is_err());
        assert!(hottest_in(b"[]").is_err());
    }

    #[test]
    fn a_host_key_of_a_kind_that_is_not_checked_names_those_that_are() {
        const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDY79z4C8Py8eZ3Uk8dPoKOzwaiaQq+rN3bCK7gxEjJSLKRb9jE9En0xscB8qwJES5Bd0UtZomG7kzhYjcYmYNNuhGPFQaiU7BZ+bYEtxGG4OqbgeRhvWys7oTHON4VXLh76MSjc0nLC+Co51uHpNcmEFgQUlbJIeH22HSNLW1HLDVOI9YOPvBxXJWWpv9miJkvhzWYVHEcxAXlisWm2unS879IfpcRaHzfgIadyGzwxSmAs6eRnanVjdb2cdiaSth0UXJ/nURbbUxmC4XiaUrMzfb3UE0YNJssvbFRq3AXI92HLmPumct+5Bxib65av0fUGQAugth/W5fWiH5PPUgH";
        let error = host_key(RSA).unwrap_err();
        assert!(error.contains("ssh-rsa") && error.contains("ed25519 or ECDSA"), "{error}");
        let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBOwBcE9KEh+w4BGDJ76YqB+nP3gLfxlc3VxdVLzaVatLIXx8QAQzmtLVLMxkZdAjbL0ugP5arhdoDFQH5tKKTYI=";
        assert!(host_key(ecdsa).is_ok(), "{:?}", host_key(ecdsa));
        assert!(host_key("pve1 ssh-ed25519").unwrap_err().contains("ssh-ed25519 AAAA"));
    }

    #[test]
    fn a_key_file_that_is_none_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        assert!(private_key(&file).is_err());
        std::fs::write(&file, "not a key").unwrap();
        let error = private_key(&file).unwrap_err().to_string();
        assert!(error.contains("ssh-keygen"), "{error}");
    }
}
