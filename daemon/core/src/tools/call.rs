//! A tool's arguments, parsed and with their type erased, so that one table, one gate and one log serve all tools.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

use serde_json::Value;

use super::{ARGS_BYTES_MAX, Effect, Example, Inverse, Kind, Ruling, Summary, TOOLS, Target, Tool};
use crate::gate::Situation;
use crate::mind::message::ToolSpec;
use crate::tool::Read;

/// A tool, whatever its arguments.
pub trait AnyTool: Sync {
    /// [`Tool::NAME`].
    fn name(&self) -> &'static str;
    /// [`Tool::VERSION`].
    fn version(&self) -> u16;
    /// [`Tool::ABOUT`].
    fn about(&self) -> &'static str;
    /// [`Tool::KIND`].
    fn kind(&self) -> Kind;
    /// [`Tool::EXAMPLES`].
    fn examples(&self) -> &'static [Example];
    /// JSON schema of the arguments (draft 2020-12).
    fn schema(&self) -> Value;
    /// Reads arguments; unknown fields are refused.
    fn parse(&self, args: &str) -> Result<Call, BadCall>;

    /// As a model is told of it.
    fn spec(&self) -> ToolSpec {
        ToolSpec { name: self.name().to_owned(), about: self.about().to_owned(), schema: self.schema() }
    }
}

/// Why a call cannot be made out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCall {
    /// There is no such tool.
    #[error("there is no tool \"{name}\"{}", nearest.map_or(String::new(), |n| format!("; did you mean {n}?")))]
    NoTool {
        /// As it was asked for, bounded.
        name: String,
        /// One that is there.
        nearest: Option<&'static str>,
    },
    /// The arguments are too long.
    #[error("the arguments of {tool} are {bytes} bytes long; at most {ARGS_BYTES_MAX} are read")]
    TooLong {
        /// Whose.
        tool: &'static str,
        /// How long.
        bytes: usize,
    },
    /// The arguments are not what the schema asks for.
    #[error("the arguments of {tool} are not as its schema says: {why}")]
    Wrong {
        /// Whose.
        tool: &'static str,
        /// What is wrong.
        why: String,
    },
}

/// Longest name of a tool that is repeated in an error.
const NAME_SHOWN_MAX: usize = 60;

/// The tool of a name.
pub fn find(name: &str) -> Option<&'static dyn AnyTool> {
    TOOLS.iter().copied().find(|tool| tool.name() == name)
}

/// Reads a call: the name of a tool, and its arguments as JSON. `notes__search` is the tool `search` of the owner's server `notes`.
pub fn parse(name: &str, args: &str) -> Result<Call, BadCall> {
    let Some(tool) = find(name) else {
        if let Some(call) = super::ask_server::by_name(name, args) {
            return call;
        }
        let shown: String = name.chars().filter(|c| !c.is_control()).take(NAME_SHOWN_MAX).collect();
        let close = |tool: &&dyn AnyTool| strsim::jaro_winkler(tool.name(), &shown);
        let nearest =
            TOOLS.iter().copied().filter(|tool| close(tool) > 0.8).max_by(|a, b| close(a).total_cmp(&close(b)));
        return Err(BadCall::NoTool { name: shown, nearest: nearest.map(|tool| tool.name()) });
    };
    tool.parse(args)
}

/// Arguments that were parsed. What it says of itself, it says by its tool.
pub struct Call(Box<dyn AnyCall>);

trait AnyCall: fmt::Debug + Send + Sync {
    fn tool(&self) -> &'static dyn AnyTool;
    fn needs(&self) -> Vec<Read>;
    fn target(&self) -> Target;
    fn tier(&self, situation: &Situation<'_>) -> Ruling;
    fn summary(&self, situation: &Situation<'_>) -> Summary;
    fn effect(&self, situation: &Situation<'_>) -> Result<Effect, String>;
    fn inverse(&self, situation: &Situation<'_>) -> Inverse;
    fn json(&self) -> String;
    fn boxed(&self) -> Box<dyn AnyCall>;
    fn as_any(&self) -> &dyn Any;
}

impl<T: Tool> AnyCall for T {
    fn tool(&self) -> &'static dyn AnyTool {
        &Of::<T>::NEW
    }

    fn needs(&self) -> Vec<Read> {
        T::needs(self)
    }

    fn target(&self) -> Target {
        T::target(self)
    }

    fn tier(&self, situation: &Situation<'_>) -> Ruling {
        T::tier(self, situation)
    }

    fn summary(&self, situation: &Situation<'_>) -> Summary {
        T::summary(self, situation)
    }

    fn effect(&self, situation: &Situation<'_>) -> Result<Effect, String> {
        T::effect(self, situation)
    }

    fn inverse(&self, situation: &Situation<'_>) -> Inverse {
        T::inverse(self, situation)
    }

    fn json(&self) -> String {
        // Arguments are plain structs of numbers and texts: writing them cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn boxed(&self) -> Box<dyn AnyCall> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Call {
    /// Of arguments at hand; refuses what their type cannot forbid.
    pub fn of<T: Tool>(args: T) -> Result<Self, BadCall> {
        args.check().map_err(|why| BadCall::Wrong { tool: T::NAME, why })?;
        Ok(Self(Box::new(args)))
    }

    /// Its tool.
    pub fn tool(&self) -> &'static dyn AnyTool {
        self.0.tool()
    }

    /// Its tool's name.
    pub fn name(&self) -> &'static str {
        self.tool().name()
    }

    /// Its arguments as one JSON text, always the same bytes for the same arguments.
    pub fn json(&self) -> String {
        self.0.json()
    }

    /// The arguments, where they are of type `T`.
    pub fn args<T: Tool>(&self) -> Option<&T> {
        self.0.as_any().downcast_ref()
    }

    /// [`Tool::needs`].
    pub fn needs(&self) -> Vec<Read> {
        self.0.needs()
    }

    /// [`Tool::target`].
    pub fn target(&self) -> Target {
        self.0.target()
    }

    /// [`Tool::tier`].
    pub fn tier(&self, situation: &Situation<'_>) -> Ruling {
        self.0.tier(situation)
    }

    /// [`Tool::summary`].
    pub fn summary(&self, situation: &Situation<'_>) -> Summary {
        self.0.summary(situation)
    }

    /// [`Tool::effect`].
    pub fn effect(&self, situation: &Situation<'_>) -> Result<Effect, String> {
        self.0.effect(situation)
    }

    /// [`Tool::inverse`].
    pub fn inverse(&self, situation: &Situation<'_>) -> Inverse {
        self.0.inverse(situation)
    }
}

impl Clone for Call {
    fn clone(&self) -> Self {
        Self(self.0.boxed())
    }
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.json() == other.json()
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name(), self.json())
    }
}

/// The tool whose arguments are `T`.
pub(super) struct Of<T>(PhantomData<fn() -> T>);

impl<T> Of<T> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<T: Tool> AnyTool for Of<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn version(&self) -> u16 {
        T::VERSION
    }

    fn about(&self) -> &'static str {
        T::ABOUT
    }

    fn kind(&self) -> Kind {
        T::KIND
    }

    fn examples(&self) -> &'static [Example] {
        T::EXAMPLES
    }

    fn schema(&self) -> Value {
        let mut schema = schemars::schema_for!(T).to_value();
        if let Some(object) = schema.as_object_mut() {
            object.remove("title");
            object.remove("description");
            object.remove("$schema");
            object.entry("properties").or_insert_with(|| serde_json::json!({}));
        }
        schema
    }

    fn parse(&self, args: &str) -> Result<Call, BadCall> {
        if args.len() > ARGS_BYTES_MAX {
            return Err(BadCall::TooLong { tool: T::NAME, bytes: args.len() });
        }
        // A model that has nothing to say says nothing.
        let args = if args.trim().is_empty() { "{}" } else { args };
        // A list would be taken for the fields in their order.
        if !args.trim_start().starts_with('{') {
            return Err(BadCall::Wrong { tool: T::NAME, why: "they are no JSON object".to_owned() });
        }
        let parsed: T =
            serde_json::from_str(args).map_err(|error| BadCall::Wrong { tool: T::NAME, why: error.to_string() })?;
        Call::of(parsed)
    }
}
