//! `ask_server`: calls a tool of another server of the owner's, over MCP. A model knows each such tool under a name of its own
//! (`notes__search`), which [`by_name`] makes into this.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ARGS_BYTES_MAX, BadCall, Call, Effect, Example, Inverse, Kind, Reason, Ruling, Summary, Target, Tool};
use crate::context::fence;
use crate::foreign::{Foreign, Part, Standing, is_server, is_tool, meant_by};
use crate::gate::Situation;
use crate::redact::redact;
use crate::tool::{Read, Tier};

/// Arguments that are told with a question, in characters; all of them are shown at the second channel.
const TOLD_CHARS_MAX: usize = 160;
/// Characters of one of them.
const VALUE_CHARS_MAX: usize = 60;

/// Arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskServer {
    /// Name of the server, as the owner configured it.
    pub server: String,
    /// Name of its tool.
    pub tool: String,
    /// What the tool takes.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

/// The call of a tool that a model knows as `notes__search`; `None` where the name is none of that kind.
pub(super) fn by_name(name: &str, args: &str) -> Option<Result<Call, BadCall>> {
    let (server, tool) = meant_by(name)?;
    if args.len() > ARGS_BYTES_MAX {
        return Some(Err(BadCall::TooLong { tool: AskServer::NAME, bytes: args.len() }));
    }
    let args = if args.trim().is_empty() { "{}" } else { args };
    let wrong = |error: serde_json::Error| BadCall::Wrong { tool: AskServer::NAME, why: error.to_string() };
    let arguments: Result<Map<String, Value>, BadCall> = serde_json::from_str(args).map_err(wrong);
    Some(
        arguments
            .and_then(|arguments| Call::of(AskServer { server: server.to_owned(), tool: tool.to_owned(), arguments })),
    )
}

impl AskServer {
    fn stands<'a>(&self, situation: &Situation<'a>) -> Option<&'a Foreign> {
        situation.foreign.filter(|foreign| foreign.server == self.server && foreign.tool == self.tool)
    }

    /// How it stands, where it can be called; else why it cannot.
    fn callable<'a>(&self, situation: &Situation<'a>) -> Result<&'a Foreign, String> {
        let Self { server, tool, .. } = self;
        let stands = self.stands(situation).ok_or_else(|| format!("no server {server} with a tool {tool} is known"))?;
        Err(match &stands.standing {
            Standing::Approved => return Ok(stands),
            Standing::New => format!("{tool} of {server} was never approved; jarvisctl mcp servers shows it"),
            Standing::Changed { parts } => {
                let parts: Vec<&str> = parts.iter().copied().map(Part::words).collect();
                let what = parts.join(" and ");
                format!("{tool} of {server} is not what was approved: {what} changed; jarvisctl mcp servers shows it")
            }
            Standing::Gone => format!("{server} has no tool {tool} any more"),
        })
    }

    /// What it would be told, in short.
    fn told(&self) -> String {
        let value = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let cut = |text: String, most: usize| match text.char_indices().nth(most) {
            Some((at, _)) => format!("{}...", &text[..at]),
            None => text,
        };
        let each: Vec<String> =
            self.arguments.iter().map(|(name, of)| format!("{name}: {}", cut(value(of), VALUE_CHARS_MAX))).collect();
        let plain = fence::plain(&redact(&each.join(", ")).text).replace('\n', " ");
        if plain.is_empty() { plain } else { format!("With {}.", cut(plain, TOLD_CHARS_MAX)) }
    }
}

impl Tool for AskServer {
    const NAME: &'static str = "ask_server";
    const VERSION: u16 = 1;
    const ABOUT: &'static str = "Calls a tool of another server of the owner's.";
    const KIND: Kind = Kind::Foreign;
    const EXAMPLES: &'static [Example] = &[
        Example {
            args: r#"{"server":"notes","tool":"add","arguments":{"text":"milk"}}"#,
            situation: "running guest",
            tier: Tier::Yellow,
        },
        Example {
            args: r#"{"server":"notes","tool":"add","arguments":{"text":"milk"}}"#,
            situation: "server's tool named green",
            tier: Tier::Green,
        },
        Example { args: r#"{"server":"elsewhere","tool":"add"}"#, situation: "running guest", tier: Tier::Red },
    ];

    fn check(&self) -> Result<(), String> {
        if !is_server(&self.server) {
            return Err("that is no server's name".to_owned());
        }
        if is_tool(&self.server, &self.tool) { Ok(()) } else { Err("that is no tool's name".to_owned()) }
    }

    fn needs(&self) -> Vec<Read> {
        Vec::new()
    }

    fn target(&self) -> Target {
        Target::Nothing
    }

    fn tier(&self, situation: &Situation<'_>) -> Ruling {
        match self.stands(situation) {
            Some(foreign) if foreign.standing == Standing::Approved => {
                let reason = match foreign.tier {
                    Tier::Green => Reason::SaidToLook,
                    Tier::Yellow => Reason::OtherServer,
                    Tier::Red | Tier::Black => Reason::Policy,
                };
                Ruling::new(foreign.tier, reason)
            }
            _ => Ruling::new(Tier::Red, Reason::NotKnown),
        }
    }

    fn summary(&self, _situation: &Situation<'_>) -> Summary {
        Summary {
            verb: "use".to_owned(),
            target: format!("{} of your server {}", self.tool, self.server),
            node: None,
            consequence: self.told(),
        }
    }

    fn effect(&self, situation: &Situation<'_>) -> Result<Effect, String> {
        Ok(Effect::Foreign(super::ForeignCall {
            server: self.server.clone(),
            tool: self.tool.clone(),
            pin: self.callable(situation)?.pin,
            arguments: self.arguments.clone(),
        }))
    }

    fn inverse(&self, _situation: &Situation<'_>) -> Inverse {
        Inverse::Never("another server did it, and only there can it be taken back")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Call, parse};
    use super::*;
    use crate::gate::{Gate, Identity, Origin, situations};

    fn of(name: &str) -> situations::Owned {
        situations::named(name, situations::PLAIN).unwrap()
    }

    fn add() -> Call {
        parse("notes__add", r#"{"text":"milk\u202e","more":{"a":[1]}}"#).unwrap()
    }

    #[test]
    fn a_name_with_a_server_in_it_is_a_call_of_this_tool() {
        assert_eq!(add().name(), "ask_server");
        assert_eq!(parse("ask_server", &add().json()).unwrap(), add());
        assert_eq!(parse("notes__add", "").unwrap().json(), r#"{"server":"notes","tool":"add","arguments":{}}"#);
        for (name, args) in [("notes__add", "[1]"), ("notes__add", "{"), ("notes__add", "7")] {
            let error = parse(name, args).unwrap_err().to_string();
            assert!(error.contains("schema"), "{name} {args}: {error}");
        }
        for name in ["Notes__add", "__add", "notes__", "notes__a.b", "notes_add", &format!("notes__{}", "x".repeat(58))]
        {
            assert!(matches!(parse(name, "{}"), Err(BadCall::NoTool { .. })), "{name}");
        }
        let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(ARGS_BYTES_MAX));
        assert!(matches!(parse("notes__add", &long), Err(BadCall::TooLong { .. })));
    }

    #[test]
    fn only_what_was_approved_has_an_effect_and_an_approval_holds_its_pin() {
        let good = of("running guest");
        let Ok(Effect::Foreign(call)) = add().effect(&good.situation()) else { panic!("it is approved") };
        let pin = good.foreign.as_ref().unwrap().pin;
        assert_eq!((call.pin, call.tool.as_str(), call.arguments.len()), (pin, "add", 2));
        let identity = good.situation().identity(&add());
        assert_eq!(identity, Identity::Foreign { server: "notes".into(), tool: "add".into(), pin: Some(pin) });
        for (name, wanted) in [
            ("server's tool new", "never approved"),
            ("server's tool changed", "its description changed"),
            ("server's tool gone", "any more"),
            ("server unknown", "no server notes"),
        ] {
            let owned = of(name);
            let why = add().effect(&owned.situation()).unwrap_err();
            assert!(why.contains(wanted), "{name}: {why}");
            assert_eq!(add().tier(&owned.situation()).tier, Tier::Red, "{name}");
        }
        let other = parse("notes__search", "{}").unwrap();
        assert!(other.effect(&good.situation()).is_err(), "another tool's standing says nothing of this one");
    }

    #[test]
    fn what_a_model_read_of_strangers_raises_it() {
        let gate = Gate::new();
        for (situation, tier) in [("running guest", Tier::Red), ("server's tool named green", Tier::Yellow)] {
            let owned = of(situation);
            let tainted = gate.rule(&add(), &Origin::Model { tainted: true }, &owned.situation());
            assert_eq!(tainted.tier, tier, "{situation}");
        }
    }

    #[test]
    fn a_question_names_server_tool_and_arguments_in_bounds() {
        let owned = of("running guest");
        let summary = add().summary(&owned.situation());
        assert_eq!(summary.sentence(), "use add of your server notes");
        assert!(summary.consequence.contains("text: milk") && !summary.consequence.contains('\u{202e}'), "{summary:?}");
        let long = format!(r#"{{"a":"{0}","b":"{0}","c":"{0}","d":"{0}"}}"#, "y".repeat(2000));
        let told = parse("notes__add", &long).unwrap().summary(&owned.situation()).consequence;
        assert!(told.chars().count() <= TOLD_CHARS_MAX + 12, "{told}");
    }
}
