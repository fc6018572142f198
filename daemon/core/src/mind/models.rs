//! The models that are known: what they can do and what they cost, as data (`daemon/core/models.toml`), completed by what a provider says
//! it offers.
//!
//! A model that is offered and not in the file is taken to cost as much as the dearest one known, and [`Quote::basis`] says so. The books
//! don't buy on that basis.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::date::Day;
use super::message::{Effort, ModelId};
use super::prices::{Entry, Price, PriceList, PriceListError};

/// The file as it is built in.
pub const BUILT_IN: &str = include_str!("../../models.toml");
/// Most models that a provider's list may add.
pub const MAX_DISCOVERED: usize = 500;

/// What a model can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Its id.
    pub id: ModelId,
    /// Its name, for people.
    pub name: String,
    /// Tokens that prompt and answer may have together.
    pub context_tokens: u64,
    /// Tokens that an answer may have.
    pub output_tokens: u64,
    /// Whether it can be kept from thinking.
    pub thinking: ThinkingKind,
    /// How its notes between tool calls are asked for.
    pub display: Display,
    /// Efforts it takes, the least first; empty where it takes none.
    pub efforts: Vec<Effort>,
    /// What it costs; `None` where nobody said.
    pub prices: Option<PriceList>,
}

/// Whether a model can be kept from thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThinkingKind {
    /// It always thinks, as much as it finds right.
    Always,
    /// It can leave out the thinking before the answer, and thinks between tools.
    BetweenTools,
    /// It can be turned off.
    Optional,
    /// It does not, or nobody knows how to ask.
    Never,
}

/// How the notes between tool calls are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Display {
    /// As notes, apart from thinking.
    Updates,
    /// Together with a summary of the thinking.
    Summarized,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    models: Vec<Line>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: ModelId,
    name: String,
    context_tokens: u64,
    output_tokens: u64,
    thinking: ThinkingKind,
    display: Display,
    efforts: Vec<Effort>,
    prices: Vec<Entry>,
}

/// A model as a provider's list tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// Its id.
    pub id: ModelId,
    /// Its name, for people.
    pub name: String,
    /// Tokens that prompt and answer may have together, where the provider says it.
    pub context_tokens: Option<u64>,
    /// Tokens that an answer may have, where the provider says it.
    pub output_tokens: Option<u64>,
    /// Whether it takes the present way of asking for thinking.
    pub thinks: bool,
    /// Efforts it takes, the least first.
    pub efforts: Vec<Effort>,
}

/// A price, and how it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// It.
    pub price: Price,
    /// How it is known.
    pub basis: Basis,
}

/// How a price is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// It is in the list.
    Listed,
    /// The model's own is not known: this is the dearest of all.
    DearestKnown,
}

/// A file of models that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelsError {
    /// It is not in the form that is expected.
    #[error("models.toml: {0}")]
    Form(String),
    /// A model's prices don't fit together.
    #[error("models.toml, {model}: {why}")]
    Prices {
        /// Which.
        model: ModelId,
        /// Why.
        why: PriceListError,
    },
    /// A model stands there twice.
    #[error("models.toml: {0} stands there twice")]
    Twice(ModelId),
    /// There is none.
    #[error("models.toml names no model")]
    Empty,
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Models(BTreeMap<ModelId, Model>);

impl Models {
    /// Those built in.
    pub fn built_in() -> Result<Self, ModelsError> {
        Self::parse(BUILT_IN)
    }

    /// Those of a file.
    pub fn parse(text: &str) -> Result<Self, ModelsError> {
        let file: File = toml::from_str(text).map_err(|e| ModelsError::Form(e.to_string()))?;
        let mut models = BTreeMap::new();
        for line in file.models {
            let prices =
                PriceList::new(line.prices).map_err(|why| ModelsError::Prices { model: line.id.clone(), why })?;
            let model = Model {
                id: line.id.clone(),
                name: line.name,
                context_tokens: line.context_tokens,
                output_tokens: line.output_tokens,
                thinking: line.thinking,
                display: line.display,
                efforts: line.efforts,
                prices: Some(prices),
            };
            if models.insert(line.id.clone(), model).is_some() {
                return Err(ModelsError::Twice(line.id));
            }
        }
        if models.is_empty() {
            return Err(ModelsError::Empty);
        }
        Ok(Self(models))
    }

    /// All, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Model> {
        self.0.values()
    }

    /// The model of that id, or the one of which it is a dated edition (`claude-haiku-5-5-20261007`).
    pub fn get(&self, id: &ModelId) -> Option<&Model> {
        let undated = || {
            let (name, date) = id.as_str().rsplit_once('-')?;
            let dated = date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit());
            dated.then(|| self.0.get(&ModelId::from(name))).flatten()
        };
        self.0.get(id).or_else(undated)
    }

    /// What `id` costs on `day` for a prompt of so many tokens.
    pub fn quote(&self, id: &ModelId, day: Day, prompt_tokens: u64) -> Quote {
        match self.get(id).and_then(|model| model.prices.as_ref()) {
            Some(prices) => Quote { price: prices.on(day, prompt_tokens), basis: Basis::Listed },
            None => {
                let known = self.iter().filter_map(|model| model.prices.as_ref());
                let price = known.map(|prices| prices.dearest(day)).fold(Price::default(), Price::or_dearer);
                Quote { price, basis: Basis::DearestKnown }
            }
        }
    }

    /// Adds what a provider offers beyond the file; gives the ids that are new, whose price nobody said. What the file says of a model
    /// stays, as abilities go: the file knows more.
    pub fn discover(&mut self, offered: Vec<Discovered>) -> Vec<ModelId> {
        let mut new = Vec::new();
        for found in offered.into_iter().take(MAX_DISCOVERED) {
            if self.get(&found.id).is_some() {
                continue;
            }
            let model = Model {
                id: found.id.clone(),
                name: found.name,
                // The smallest window that any of the kind has had.
                context_tokens: found.context_tokens.unwrap_or(200_000),
                output_tokens: found.output_tokens.unwrap_or(8_192),
                thinking: if found.thinks { ThinkingKind::Always } else { ThinkingKind::Never },
                display: Display::Summarized,
                efforts: found.efforts,
                prices: None,
            };
            new.push(found.id.clone());
            self.0.insert(found.id, model);
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::Usage;
    use super::*;

    fn price(id: &str, day: &str, prompt: u64) -> Price {
        let quote = Models::built_in().unwrap().quote(&id.into(), day.parse().unwrap(), prompt);
        assert_eq!(quote.basis, Basis::Listed, "{id}");
        quote.price
    }

    #[test]
    fn prices_go_by_day_and_by_length_of_the_prompt() {
        assert_eq!(price("claude-opus-5-5", "2026-11-26", 5).input, 4_000_000);
        assert_eq!(price("claude-sonnet-5-5", "2026-10-06", 5).cache_read, 200_000);
        assert_eq!(price("claude-sonnet-5-5", "2026-10-07", 5).cache_read, 100_000);
        assert_eq!(price("claude-haiku-5-5", "2026-11-26", 100_000).output, 500_000);
        assert_eq!(price("claude-haiku-5-5", "2026-11-26", 100_001).output, 2_500_000);
        assert_eq!(price("claude-haiku-5-5-20261007", "2026-11-26", 100_001).input, 500_000);
        // 150,000 tokens from the cache and 1,000 out, the whole at the longer prompts' price.
        let usage = Usage { cache_read: 150_000, output: 1_000, ..Usage::default() };
        assert_eq!(price("claude-haiku-5-5", "2026-11-26", usage.prompt()).cost(&usage).0, 7_500 + 2_500);
    }

    #[test]
    fn an_unknown_model_costs_as_much_as_the_dearest_and_says_so() {
        let mut models = Models::built_in().unwrap();
        let found = |id: &str| Discovered {
            id: id.into(),
            name: "New".to_owned(),
            context_tokens: None,
            output_tokens: Some(64_000),
            thinks: true,
            efforts: vec![],
        };
        assert_eq!(
            models.discover(vec![found("claude-next"), found("claude-opus-5-5"), found("claude-next")]),
            [ModelId::from("claude-next")]
        );
        assert_eq!(models.get(&"claude-opus-5-5".into()).unwrap().output_tokens, 128_000, "the file knows more");
        for id in ["claude-next", "never-heard-of"] {
            let quote = models.quote(&id.into(), "2026-11-26".parse().unwrap(), 5);
            assert_eq!(quote.basis, Basis::DearestKnown);
            assert_eq!(
                (quote.price.input, quote.price.output, quote.price.cache_read),
                (10_000_000, 50_000_000, 250_000)
            );
        }
    }

    #[test]
    fn a_file_with_a_mistake_is_refused_with_its_place() {
        let entry = "id = 'a'\nname = 'a'\ncontext_tokens = 1\noutput_tokens = 1\nthinking = 'always'\ndisplay = 'updates'\nefforts = []\n";
        let price =
            "[[models.prices]]\ninput = 1\noutput = 1\ncache_write_5m = 1\ncache_write_1h = 1\ncache_read = 1\n";
        let one = format!("[[models]]\n{entry}{price}");
        assert!(Models::parse(&one).is_ok());
        for (text, part) in [
            ("models = []".to_owned(), "names no model"),
            (format!("{one}{one}"), "twice"),
            (one.replace("cache_read", "cache_raed"), "cache_raed"),
            (one.replace("[[models.prices]]", "[[models.prices]]\nfrom = '2026-10-07'"), "a: there is no price"),
            (one.replace("[[models.prices]]", "[[models.prices]]\nfrom = '2026-10-32'"), "is no day"),
        ] {
            let error = Models::parse(&text).unwrap_err().to_string();
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
