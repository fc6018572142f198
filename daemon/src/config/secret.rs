//! Secrets: systemd credentials, or files that nobody else can read.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Config;
use crate::environment::Environment;
use crate::speech::EngineConfig;

/// What to do about a credential's name without a credentials directory.
pub(super) const REMEDY: &str =
    "start jarvisd by its unit, whose LoadCredential= provides it, or write the absolute path of a file with mode 0600";

/// Where systemd puts credentials.
const SYSTEMD_CREDENTIALS: &str = "/run/credentials";

/// Permission bits that let somebody else read or change a file.
const OTHERS: u32 = 0o077;

/// A secret file that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It is not there, or not for us.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others may read or change it.
    #[error("{path} has mode {mode:04o}: others may read or change it")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to somebody else, who could change it.
    #[error("{path} belongs to user {owner}, not to root or to jarvisd's own user {own}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its owner's number.
        owner: u32,
        /// Ours.
        own: u32,
    },
    /// A folder, a pipe, nothing at all.
    #[error("{path} is no ordinary file with something in it")]
    Odd {
        /// The file.
        path: PathBuf,
    },
}

impl SecretError {
    /// What to do.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unreadable { path, .. } if path.starts_with(SYSTEMD_CREDENTIALS) => {
                "systemd gives it to the running unit only: run the doctor as root while jarvisd runs, and see that \
                 `systemctl cat jarvisd` has its LoadCredential="
                    .to_owned()
            }
            Self::Unreadable { path, source } if source.kind() == std::io::ErrorKind::NotFound => {
                format!("write the secret into {} (mode 0600), or correct the path", path.display())
            }
            Self::Unreadable { path, .. } => format!("let jarvisd's user, and nobody else, read {}", path.display()),
            Self::Open { path, .. } => format!("chmod 0600 {}", path.display()),
            Self::Foreign { path, own, .. } => format!("chown {own} {}", path.display()),
            Self::Odd { path } => format!("put the secret on the first line of {}", path.display()),
        }
    }
}

/// The secret files that a configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secrets(Vec<(&'static str, PathBuf)>);

impl Secrets {
    /// Of `config`: what each is for, and its path.
    pub fn of(config: &Config) -> Self {
        let mut config = config.clone();
        Self(all(&mut config).into_iter().map(|secret| (secret.what, secret.path.clone())).collect())
    }

    /// Each of them: what it is for, where it is, whether it can be used.
    pub fn check(&self, environment: &Environment) -> Vec<(&'static str, &Path, Result<(), SecretError>)> {
        self.0.iter().map(|(what, path)| (*what, path.as_path(), usable(path, environment))).collect()
    }
}

/// Whether `path` holds something that only we can read. Credentials are systemd's own to guard.
fn usable(path: &Path, environment: &Environment) -> Result<(), SecretError> {
    let unreadable = |source| SecretError::Unreadable { path: path.to_owned(), source };
    let meta = fs::metadata(path).map_err(unreadable)?;
    if !meta.is_file() || meta.len() == 0 {
        return Err(SecretError::Odd { path: path.to_owned() });
    }
    let credential = environment.credentials.as_ref().is_some_and(|c| path.starts_with(c));
    if !credential {
        let mode = meta.permissions().mode() & 0o7777;
        let own = rustix::process::geteuid().as_raw();
        if mode & OTHERS != 0 {
            return Err(SecretError::Open { path: path.to_owned(), mode });
        }
        if meta.uid() != 0 && meta.uid() != own {
            return Err(SecretError::Foreign { path: path.to_owned(), owner: meta.uid(), own });
        }
    }
    fs::File::open(path).map_err(unreadable)?;
    Ok(())
}

struct Named<'a> {
    what: &'static str,
    /// Where the configuration names it.
    keys: Vec<String>,
    path: &'a mut PathBuf,
}

/// Every secret that `config` names: one line for each place in it that can name one.
fn all(config: &mut Config) -> Vec<Named<'_>> {
    let named = |what, keys: &[&str], path| Named { what, keys: keys.iter().map(|k| (*k).to_owned()).collect(), path };
    let mut found = Vec::new();
    found.extend(
        config.cluster.token_file.as_mut().map(|p| named("the cluster's API token", &["cluster", "token_file"], p)),
    );
    found.extend(
        config
            .cluster
            .sensors
            .as_mut()
            .map(|s| named("the sensors' SSH key", &["cluster", "sensors", "key_file"], &mut s.key_file)),
    );
    for (index, engine) in config.speech.engines.iter_mut().enumerate() {
        let EngineConfig::OpenAi(engine) = engine;
        let keys = ["speech", "engines", &index.to_string(), "key_file"];
        found.extend(engine.key_file.as_mut().map(|p| named("the speech server's key", &keys, p)));
    }
    for (index, provider) in config.minds.providers.iter_mut().enumerate() {
        let keys = ["minds", "providers", &index.to_string(), "key_file"];
        found.extend(provider.key_file().map(|p| named("a model provider's key", &keys, p)));
    }
    for (index, server) in config.mcp.servers.iter_mut().enumerate() {
        let keys = ["mcp", "servers", &index.to_string(), "token_file"];
        found.extend(server.token_file.as_mut().map(|p| named("another server's token", &keys, p)));
    }
    found
}

/// Makes credentials' names into paths; tells, by keys, of those that can't be.
pub(super) fn resolve(config: &mut Config, environment: &Environment) -> Vec<(Vec<String>, String)> {
    let mut wrong = Vec::new();
    for secret in all(config).into_iter().filter(|s| s.path.is_relative()) {
        match &environment.credentials {
            Some(folder) => *secret.path = folder.join(&*secret.path),
            None => {
                let what = format!("\"{}\" names a systemd credential, and there are none here", secret.path.display());
                wrong.push((secret.keys, what));
            }
        }
    }
    wrong
}
