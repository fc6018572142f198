//! What is known of a model folder before anything loads it.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Longest `model.toml`.
const MODEL_TOML_BYTES_MAX: u64 = 16 * 1024;

/// What `model.toml` beside a model says. Models of others have none: they count as tried on people, for they were trained on people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarModel {
    /// For the page and `jarvisctl status`.
    pub name: String,
    /// Whether it was tried on people's voices. One that was not may open reads only, and never vetoes a wake word.
    pub tried_on_people: bool,
}

/// Why a model folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// It is not there.
    #[error("no model at {0}: give the folder of a Vosk model as `model` in the section [ear]")]
    Missing(PathBuf),
    /// `model.toml` can't be read.
    #[error("{path}: {reason}; put the model there again")]
    Description {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    name: String,
    tried_on_people: bool,
}

impl EarModel {
    /// Reads the description of the model in `folder`.
    pub fn read(folder: &Path) -> Result<Self, ModelError> {
        if !folder.is_dir() {
            return Err(ModelError::Missing(folder.to_owned()));
        }
        let path = folder.join("model.toml");
        let failed = |reason: String| ModelError::Description {
            path: path.clone(),
            reason,
        };
        match fs::metadata(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let name = folder.file_name().map_or_else(
                    || folder.display().to_string(),
                    |n| n.to_string_lossy().into_owned(),
                );
                return Ok(Self {
                    name,
                    tried_on_people: true,
                });
            }
            Err(e) => return Err(failed(e.to_string())),
            Ok(file) if file.len() > MODEL_TOML_BYTES_MAX => {
                return Err(failed("it is far too long".to_owned()));
            }
            Ok(_) => {}
        }
        let text = fs::read_to_string(&path).map_err(|e| failed(e.to_string()))?;
        let Description {
            name,
            tried_on_people,
        } = toml::from_str(&text).map_err(|e| failed(e.to_string()))?;
        Ok(Self {
            name,
            tried_on_people,
        })
    }
}
