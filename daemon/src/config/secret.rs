//! Secrets: systemd credentials, or files that nobody else can read.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Config;
use crate::environment::Environment;

/// What to do about a credential's name without a credentials directory.
pub(super) const REMEDY: &str =
    "start jarvisd by its unit, whose LoadCredential= provides it, or write the absolute path of a file with mode 0600";

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
        let mut found = Vec::new();
        if let Some(path) = &config.cluster.token_file {
            found.push(("the cluster's API token", path.clone()));
        }
        if let Some(sensors) = &config.cluster.sensors {
            found.push(("the sensors' SSH key", sensors.key_file.clone()));
        }
        Self(found)
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

/// Makes credentials' names into paths; tells of those that can't be.
pub(super) fn resolve(config: &mut Config, environment: &Environment) -> Vec<(&'static [&'static str], String)> {
    if let Some(credentials) = &environment.credentials {
        config.cluster.resolve(credentials);
        return Vec::new();
    }
    let mut wrong: Vec<(&'static [&'static str], String)> = Vec::new();
    let mut named = |keys, path: Option<&PathBuf>| {
        if let Some(path) = path.filter(|p| p.is_relative()) {
            wrong.push((keys, format!("\"{}\" names a systemd credential, and there are none here", path.display())));
        }
    };
    named(&["cluster", "token_file"], config.cluster.token_file.as_ref());
    named(&["cluster", "sensors", "key_file"], config.cluster.sensors.as_ref().map(|s| &s.key_file));
    wrong
}
