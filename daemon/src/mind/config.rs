//! The section `[minds]` of the configuration, and the table of providers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jarvis_core::context::Personality;
use jarvis_core::mind::prices::Price;
use jarvis_core::route::{OwnRules, Rules};
use reqwest::Url;
use serde::Deserialize;

use super::books::BudgetConfig;
use super::catalogue::Catalogue;
use super::http::Limits;
use super::{Provider, SetupError};
use crate::redaction;

/// Most providers that may be configured.
pub const MAX_PROVIDERS: usize = 16;

/// Who can be asked.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MindsConfig {
    /// Providers, in the order of preference among those of one place.
    pub providers: Vec<ProviderConfig>,
    /// How much of a butler answers.
    pub personality: Personality,
    /// `[minds.route]`: the owner's preference, private words and rules.
    pub route: OwnRules,
    /// `[minds.budget]`: the most that may be spent.
    pub budget: BudgetConfig,
}

/// A setting with which no provider can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Which provider, counted from nought; `None` for the list as a whole.
    pub index: Option<usize>,
    /// Its setting.
    pub key: &'static str,
    /// What is wrong with it.
    pub what: String,
    /// What to do.
    pub remedy: &'static str,
}

impl MindsConfig {
    /// What types can't hold.
    pub fn mistakes(&self) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        if self.providers.len() > MAX_PROVIDERS {
            let what = format!("{} providers", self.providers.len());
            wrong.push(Wrong { index: None, key: "providers", what, remedy: "configure at most 16" });
        }
        if let Err(error) = Rules::new(&self.route) {
            let remedy = "docs/minds.md has an example of rules";
            wrong.push(Wrong { index: None, key: "route", what: error.to_string(), remedy });
        }
        for (index, provider) in self.providers.iter().enumerate() {
            let mut say = |key, what: String, remedy| wrong.push(Wrong { index: Some(index), key, what, remedy });
            if self.providers[..index].iter().any(|other| other.name() == provider.name()) {
                say(
                    "name",
                    format!("there is another provider named {:?}", provider.name()),
                    "give each a name of its own",
                );
            }
            if base_url(provider.url()).is_none() {
                let shown = redaction::address(provider.url());
                say("url", format!("{shown:?} is no address of an API"), URL_REMEDY);
            }
        }
        wrong
    }

    /// Makes them all. A provider whose key can't be read is made: it says so when it is asked, and the others answer meanwhile.
    pub fn providers(&self, catalogue: &Catalogue) -> Result<Vec<Arc<dyn Provider>>, SetupError> {
        if let Some(wrong) = self.mistakes().into_iter().next() {
            let name = wrong.index.map_or("*", |index| self.providers[index].name()).to_owned();
            return Err(SetupError { name, what: wrong.what, remedy: wrong.remedy.to_owned() });
        }
        self.providers.iter().map(|provider| provider.provider(catalogue)).collect()
    }
}

/// Makes [`ProviderConfig`] from the table below: a name in the configuration, the settings' type, whose `provider()` builds it.
macro_rules! providers {
    ($($(#[$doc:meta])* $kind:literal => $variant:ident($settings:ty),)+) => {
        /// One provider of the table, told apart by `kind`.
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        #[serde(tag = "kind")]
        pub enum ProviderConfig {
            $($(#[$doc])* #[serde(rename = $kind)] $variant($settings),)+
        }

        impl ProviderConfig {
            /// Every `kind` there is, for documentation and diagnosis.
            pub const KINDS: &[&str] = &[$($kind),+];

            /// Its name.
            pub fn name(&self) -> &str {
                match self { $(Self::$variant(settings) => &settings.name,)+ }
            }

            /// Base of its API.
            pub fn url(&self) -> &str {
                match self { $(Self::$variant(settings) => &settings.url,)+ }
            }

            /// The model it asks.
            pub fn model(&self) -> &str {
                match self { $(Self::$variant(settings) => &settings.model,)+ }
            }

            /// The file of its key, if it has one: a systemd credential's name until it is resolved.
            pub fn key_file(&mut self) -> Option<&mut PathBuf> {
                match self { $(Self::$variant(settings) => settings.key_file.as_mut(),)+ }
            }

            /// What it costs, where the configuration says so instead of the table of models.
            pub fn price(&self) -> Option<Price> {
                match self { $(Self::$variant(settings) => settings.price(),)+ }
            }

            pub(super) fn provider(&self, catalogue: &Catalogue) -> Result<Arc<dyn Provider>, SetupError> {
                match self { $(Self::$variant(settings) => settings.provider(catalogue),)+ }
            }
        }
    };
}

providers! {
    /// Claude, by the Messages API.
    "claude" => Claude(super::claude::ClaudeConfig),
    /// A server that answers `POST /v1/chat/completions` as OpenAI's does: llama.cpp, vLLM, Ollama, and many in the cloud.
    "openai" => OpenAi(super::openai::OpenAiConfig),
}

/// How long a provider may let a hearer wait, in milliseconds; each may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitConfig {
    /// For the connection.
    pub connect_ms: Option<u64>,
    /// From the question to the first byte of the answer.
    pub first_byte_ms: Option<u64>,
    /// Between two bytes.
    pub idle_ms: Option<u64>,
    /// For the whole answer.
    pub total_ms: Option<u64>,
}

impl WaitConfig {
    pub(super) fn limits(self, default: Limits) -> Limits {
        let or = |ms: Option<u64>, default: Duration| ms.map_or(default, Duration::from_millis);
        Limits {
            connect: or(self.connect_ms, default.connect),
            first_byte: or(self.first_byte_ms, default.first_byte),
            idle: or(self.idle_ms, default.idle),
            total: or(self.total_ms, default.total),
        }
    }
}

/// What to do about an address that is none.
pub(super) const URL_REMEDY: &str = "write http://host:port/v1 or https://host/v1, without a name or a password in it";

/// The base of an API, with a path that ends in `/`, so that names can be joined to it.
pub(super) fn base_url(text: &str) -> Option<Url> {
    let with_slash = format!("{}/", text.trim_end_matches('/'));
    let url = Url::parse(&with_slash).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.filter(|url| url.username().is_empty() && url.password().is_none() && url.query().is_none())
}

/// The certificate authority in `path`, to be trusted beside the system's.
pub(super) fn authority(name: &str, path: &Path) -> Result<Vec<reqwest::Certificate>, SetupError> {
    let wrong = |what: String| SetupError {
        name: name.to_owned(),
        what: format!("ca_file {}: {what}", path.display()),
        remedy: "give the certificate of the authority in PEM form".to_owned(),
    };
    let pem = std::fs::read(path).map_err(|e| wrong(e.to_string()))?;
    let found = reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| wrong(e.to_string()))?;
    if found.is_empty() { Err(wrong("there is no certificate in it".to_owned())) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use jarvis_core::mind::models::Models;

    use super::*;

    fn read(text: &str) -> Result<Vec<Arc<dyn Provider>>, String> {
        let config: MindsConfig = toml::from_str(text).map_err(|e| e.to_string())?;
        config.providers(&Catalogue::new(Models::built_in().map_err(|e| e.to_string())?)).map_err(|e| e.to_string())
    }

    #[test]
    fn a_section_is_read_whole() {
        use crate::mind::{Abilities, Place};
        let text = r#"
            [[providers]]
            kind = "openai"
            name = "qwen"
            url = "http://10.0.0.7:8080/v1"
            model = "qwen3-4b"
            window_tokens = 4096
            wait = { first_byte_ms = 9000 }

            [[providers]]
            kind = "claude"
            model = "claude-sonnet-5-5"
            key_file = "claude-key"
            window_tokens = 100000
            tools = false
            "#;
        let providers = read(text).unwrap();
        let told: Vec<_> = providers.iter().map(|p| (p.name(), p.model().as_str(), p.abilities())).collect();
        let qwen = Abilities { window_tokens: 4096, tools: true, place: Place::Local };
        let claude = Abilities { window_tokens: 100_000, tools: false, place: Place::Cloud };
        assert_eq!(told, [("qwen", "qwen3-4b", qwen), ("claude", "claude-sonnet-5-5", claude)]);
        let mut config: MindsConfig = toml::from_str(text).unwrap();
        assert_eq!(config.providers[0].price(), Some(Price::default()), "a server of one's own costs nothing");
        assert_eq!(config.providers[1].price(), None, "the table of models says it");
        assert_eq!(config.providers.iter_mut().filter_map(ProviderConfig::key_file).count(), 1);
        assert_eq!(ProviderConfig::KINDS, ["claude", "openai"]);
    }

    #[test]
    fn mistakes_are_told_with_a_remedy() {
        let openai = "[[providers]]\nkind = 'openai'\nmodel = 'x'\nurl = 'http://a/v1'\n";
        let url = |url: &str| openai.replace("http://a/v1", url);
        for (text, part) in [
            ("[[providers]]\nkind = 'clod'\nmodel = 'x'".to_owned(), "clod"),
            ("[[providers]]\nkind = 'claude'".to_owned(), "model"),
            (format!("{openai}windw_tokens = 1"), "windw_tokens"),
            (format!("{openai}wait = {{ idle = 1 }}"), "idle"),
            (format!("{openai}{openai}"), "a name of its own"),
            (openai.repeat(17), "at most 16"),
            (url("10.0.0.7:8080"), "write http://host:port/v1"),
            (url("ftp://a/v1"), "write http://host:port/v1"),
            (url("http://me:secret@a/v1"), "without a name or a password"),
            (format!("{openai}ca_file = '/nonexistent'"), "PEM"),
            ("[[route.rules]]\nname = ''\nwho = 'house'\nbecause = 'x'".to_owned(), "lacks a name"),
            ("[route]\nprefer = 'cheap'".to_owned(), "cheap"),
            ("[budget]\nday_usd = '1,50'".to_owned(), "such as 2.50"),
        ] {
            let told = read(&text).map(|_| ()).unwrap_err();
            assert!(told.contains(part) && !told.contains("secret"), "{text}: {told}");
        }
    }
}
