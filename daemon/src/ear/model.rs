//! What is known of a model folder before anything loads it.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Longest `model.toml`.
const MODEL_TOML_BYTES_MAX: u64 = 16 * 1024;

/// What is known of a model: from `model.toml` in its folder, which ours has, or else from the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarModel {
    /// For the page and `jarvisctl status`.
    pub name: String,
    /// Whether it was tried on people's voices. One that was not may open reads only, and never vetoes a wake word. Where nobody
    /// says, it was not.
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
    /// Reads the description of the model in `folder`; `owners_word` counts where there is none.
    ///
    /// # Errors
    /// The folder is missing, or its description can't be read.
    pub fn read(folder: &Path, owners_word: Option<bool>) -> Result<Self, ModelError> {
        if !folder.is_dir() {
            return Err(ModelError::Missing(folder.to_owned()));
        }
        let path = folder.join("model.toml");
        let failed = |reason: String| ModelError::Description { path: path.clone(), reason };
        match fs::metadata(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let name = folder
                    .file_name()
                    .map_or_else(|| folder.display().to_string(), |n| n.to_string_lossy().into_owned());
                return Ok(Self { name, tried_on_people: owners_word.unwrap_or(false) });
            }
            Err(e) => return Err(failed(e.to_string())),
            Ok(file) if file.len() > MODEL_TOML_BYTES_MAX => {
                return Err(failed("it is far too long".to_owned()));
            }
            Ok(_) => {}
        }
        let text = fs::read_to_string(&path).map_err(|e| failed(e.to_string()))?;
        let Description { name, tried_on_people } = toml::from_str(&text).map_err(|e| failed(e.to_string()))?;
        Ok(Self { name, tried_on_people })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_of_others_is_tried_when_its_owner_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().file_name().unwrap().to_string_lossy().into_owned();
        let read = |word| EarModel::read(folder.path(), word).unwrap();
        assert_eq!(read(None), EarModel { name: name.clone(), tried_on_people: false });
        assert_eq!(read(Some(true)), EarModel { name, tried_on_people: true });
    }

    #[test]
    fn what_a_model_says_of_itself_counts_for_more() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("model.toml"), "name = \"x\"\ntried_on_people = false\n").unwrap();
        let model = EarModel::read(folder.path(), Some(true)).unwrap();
        assert_eq!(model, EarModel { name: "x".into(), tried_on_people: false });
    }

    #[test]
    fn a_damaged_description_and_a_missing_folder_name_the_path() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("model.toml"), "name = 1").unwrap();
        let error = EarModel::read(folder.path(), None).unwrap_err().to_string();
        assert!(error.contains("model.toml"), "{error}");
        let error = EarModel::read(&folder.path().join("none"), None).unwrap_err().to_string();
        assert!(error.contains("[ear]"), "{error}");
    }
}
