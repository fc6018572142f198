//! The models that are known: what they can do and what they cost, as data (`daemon/core/models.toml`), completed by what a provider's
//! list says of them ([`Models::completed`]).
//!
//! A model that is not in the file is taken to cost as much as the dearest one known, and [`Quote::basis`] says so. The books
//! don't buy on that basis.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Deserialize;

use super::date::Day;
use super::message::{Effort, ModelId};
use super::prices::{Entry, Price, PriceList, PriceListError};

/// The file as it is built in.
pub const BUILT_IN: &str = include_str!("../../models.toml");
/// Most models of a provider's list that are looked at.
pub const MAX_DISCOVERED: usize = 500;
/// Tokens that a window has; what a list says beyond is not believed.
pub const CONTEXT_TOKENS: RangeInclusive<u64> = 1_000..=20_000_000;
/// Tokens that an answer may have; what a list says beyond is not believed.
pub const OUTPUT_TOKENS: RangeInclusive<u64> = 256..=2_000_000;
/// Characters of a model's name that are kept.
const NAME_CHARS_MAX: usize = 80;

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
        self.0.get(id).or_else(|| self.0.get(&ModelId::from(undated(id)?)))
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

    /// What is known of `id`, completed by what its provider's list says of it: windows and efforts are the provider's where he names
    /// them, how thinking is asked for is the file's where it knows the model. Prices are the file's alone: none is ever learnt. `None`
    /// where neither knows it.
    pub fn completed(&self, id: &ModelId, said: Option<&Discovered>) -> Option<Model> {
        let Some(said) = said else { return self.get(id).cloned() };
        let mut model = self.get(id).cloned().unwrap_or_else(|| Model {
            id: id.clone(),
            name: said.name.clone(),
            // The smallest window that any of the kind has had.
            context_tokens: 200_000,
            output_tokens: 8_192,
            thinking: if said.thinks { ThinkingKind::Always } else { ThinkingKind::Never },
            display: Display::Summarized,
            efforts: Vec::new(),
            prices: None,
        });
        model.context_tokens = said.context_tokens.unwrap_or(model.context_tokens);
        model.output_tokens = said.output_tokens.unwrap_or(model.output_tokens).min(model.context_tokens);
        if !said.efforts.is_empty() {
            model.efforts.clone_from(&said.efforts);
        }
        Some(model)
    }
}

impl Discovered {
    /// Without what no model has: a window or an answer beyond all bounds is as good as not said, a name is one short line.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.context_tokens = self.context_tokens.filter(|tokens| CONTEXT_TOKENS.contains(tokens));
        self.output_tokens = self.output_tokens.filter(|tokens| OUTPUT_TOKENS.contains(tokens));
        self.name = self.name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
        self
    }

    /// Of a provider's list, what it says of the model `id`: by that name, or by the newest dated edition of it.
    pub fn of(id: &ModelId, offered: Vec<Self>) -> Option<Self> {
        let mut best: Option<Self> = None;
        for found in offered.into_iter().take(MAX_DISCOVERED) {
            let better = |best: &Self| best.id != *id && found.id.as_str() > best.id.as_str();
            let fits = found.id == *id || undated(&found.id).is_some_and(|name| name == id.as_str());
            if fits && (found.id == *id || best.as_ref().is_none_or(better)) {
                best = Some(found);
            }
        }
        best.map(Self::bounded)
    }
}

/// The name of which `id` is a dated edition (`claude-haiku-5-5-20261007`).
fn undated(id: &ModelId) -> Option<&str> {
    let (name, date) = id.as_str().rsplit_once('-')?;
    (date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit())).then_some(name)
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

    fn found(id: &str, context_tokens: Option<u64>, output_tokens: Option<u64>) -> Discovered {
        Discovered {
            id: id.into(),
            name: "New".to_owned(),
            context_tokens,
            output_tokens,
            thinks: true,
            efforts: vec![Effort::Low],
        }
    }

    #[test]
    fn an_unknown_model_costs_as_much_as_the_dearest_and_says_so() {
        let models = Models::built_in().unwrap();
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
    fn a_list_completes_what_is_known_and_never_a_price() {
        let models = Models::built_in().unwrap();
        let (opus, next) = ("claude-opus-5-5".into(), "claude-next".into());
        let file = models.completed(&opus, None).unwrap();
        let told = models.completed(&opus, Some(&found("claude-opus-5-5", Some(2_000_000), None))).unwrap();
        assert_eq!(
            (told.context_tokens, told.output_tokens),
            (2_000_000, file.output_tokens),
            "what is not said stays"
        );
        assert_eq!((told.thinking, told.display, &told.prices), (file.thinking, file.display, &file.prices));
        assert_eq!(told.efforts, [Effort::Low]);
        let small = models.completed(&opus, Some(&found("claude-opus-5-5", Some(5_000), Some(9_000)))).unwrap();
        assert_eq!(small.output_tokens, 5_000, "an answer is not longer than the window");
        assert_eq!(models.completed(&next, None), None);
        let new = models.completed(&next, Some(&found("claude-next", None, Some(64_000)))).unwrap();
        assert_eq!(
            (new.context_tokens, new.output_tokens, new.thinking, new.prices),
            (200_000, 64_000, ThinkingKind::Always, None)
        );
    }

    #[test]
    fn of_a_list_the_model_itself_or_its_newest_edition_counts_within_bounds() {
        let list = |ids: &[&str]| ids.iter().map(|id| found(id, Some(7_000), None)).collect::<Vec<_>>();
        let of = |ids: &[&str]| Discovered::of(&"claude-a".into(), list(ids)).map(|found| found.id.as_str().to_owned());
        assert_eq!(of(&["claude-b", "claude-a-x"]), None);
        assert_eq!(of(&["claude-a-20261007", "claude-a-20261107", "claude-a-20250101"]).unwrap(), "claude-a-20261107");
        assert_eq!(of(&["claude-a-20261007", "claude-a", "claude-a-20261107"]).unwrap(), "claude-a");
        for (tokens, kept) in [(0, None), (999, None), (1_000, Some(1_000)), (u64::MAX, None)] {
            let mut odd = found("claude-a", Some(tokens), Some(u64::MAX));
            odd.name = format!("a\u{1b}[2J{}", "x".repeat(5_000));
            let odd = Discovered::of(&"claude-a".into(), vec![odd]).unwrap();
            assert_eq!((odd.context_tokens, odd.output_tokens), (kept, None));
            assert!(odd.name.chars().count() <= NAME_CHARS_MAX && !odd.name.contains('\u{1b}'), "{}", odd.name);
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
