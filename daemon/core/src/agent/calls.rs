//! What becomes of a call before anything runs: read, counted, and told what is wrong with it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{CALLS_MAX, Limits};
use crate::mind::args::ToolArgs;
use crate::mind::message::ToolUse;
use crate::tools::{self, AskServer, Call, Kind};

/// What becomes of a call.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It may be carried out.
    Run(Call),
    /// The model is told why not.
    Tell(String),
    /// It was told before, and asks again.
    Stop,
}

/// The calls of a run so far, each with how often it came.
#[derive(Debug, Clone, Default)]
pub(super) struct Known(BTreeMap<(String, String), u32>);

impl Known {
    /// Judges the call at a place in its message.
    pub(super) fn judge(&mut self, call: &ToolUse, at: usize, limits: &Limits) -> Verdict {
        if at >= CALLS_MAX {
            return Verdict::Tell(format!("too many calls at once: at most {CALLS_MAX}; call again for the rest"));
        }
        let parsed = read(call);
        // The same arguments in another order or layout are the same call.
        let key = match &parsed {
            Ok(call) => (call.name().to_owned(), call.json()),
            Err(_) => (call.name.clone(), call.args.to_value().to_string()),
        };
        let count = self.0.entry(key).or_default();
        *count += 1;
        let call = match parsed {
            Ok(call) => call,
            Err(_) if *count > limits.same_call => return Verdict::Stop,
            Err(why) => return Verdict::Tell(why),
        };
        // What is no read is not done a second time in one run, whatever became of the first.
        let told_at = if call.tool().kind() == Kind::Read { limits.same_call } else { 2 };
        match *count {
            n if n < told_at => Verdict::Run(call),
            n if n == told_at => Verdict::Tell(format!(
                "{} was called with these arguments before, and its result stands above; go on with that, or answer",
                call.name()
            )),
            _ => Verdict::Stop,
        }
    }
}

fn read(call: &ToolUse) -> Result<Call, String> {
    let json = match &call.args {
        ToolArgs::Sound { json } => json,
        ToolArgs::Mended { json } => {
            let read = tools::find(&call.name).is_some_and(|tool| tool.kind() == Kind::Read);
            if !read {
                return Err("the arguments were not valid JSON, and a change is not guessed: call again".to_owned());
            }
            json
        }
        ToolArgs::Refused { fault, .. } => {
            // An unknown tool is the greater mistake.
            tools::parse(&call.name, "{}").map_or_else(unknown, |_| Ok(()))?;
            return Err(fault.to_string());
        }
    };
    tools::parse(&call.name, json).map_err(|bad| bad.to_string())
}

fn unknown(bad: tools::BadCall) -> Result<(), String> {
    match bad {
        tools::BadCall::NoTool { .. } => Err(bad.to_string()),
        tools::BadCall::TooLong { .. } | tools::BadCall::Wrong { .. } => Ok(()),
    }
}

/// What a call asks, in words that follow "asking": `pve2`, `guest 112`, `the cluster`, `notes`. Of the arguments only numbers and names
/// of nodes and servers are repeated, whose characters were checked.
pub fn asks(call: &Call) -> String {
    if let Some(AskServer { server, .. }) = call.args() {
        return server.clone();
    }
    let args: Value = serde_json::from_str(&call.json()).unwrap_or_default();
    if let Some(vmid) = args.get("vmid").and_then(Value::as_u64) {
        return format!("guest {vmid}");
    }
    let one = args.get("node").and_then(Value::as_str);
    let several = args.get("nodes").and_then(Value::as_array).and_then(|nodes| match nodes.as_slice() {
        [only] => only.as_str(),
        _ => None,
    });
    match one.or(several) {
        Some(node) => node.to_owned(),
        None if call.name().starts_with("memory_") => "my memory".to_owned(),
        None => "the cluster".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_names_what_it_asks() {
        for (tool, args, wanted) in [
            ("read_cluster", "{}", "the cluster"),
            ("read_node_status", r#"{"node":"pve2"}"#, "pve2"),
            ("read_temperatures", r#"{"nodes":["pve3"]}"#, "pve3"),
            ("read_temperatures", r#"{"nodes":["pve3","pve1"]}"#, "the cluster"),
            ("read_guest_config", r#"{"vmid":112}"#, "guest 112"),
            ("memory_about", r#"{"about":"the router"}"#, "my memory"),
            ("notes__search", r#"{"node":"pve3"}"#, "notes"),
        ] {
            assert_eq!(asks(&tools::parse(tool, args).unwrap()), wanted, "{tool} {args}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_and_nothing_is_guessed() {
        let call =
            |name: &str, args: &str| ToolUse { id: "1".into(), name: name.into(), args: ToolArgs::read(args, true) };
        let told = |call: &ToolUse| match Known::default().judge(call, 0, &Limits::default()) {
            Verdict::Tell(why) => why,
            other => panic!("{call:?}: {other:?}"),
        };
        assert!(told(&call("guest_strat", "{}")).contains("did you mean guest_start"));
        assert!(told(&call("guest_strat", "nonsense")).contains("did you mean guest_start"));
        assert!(told(&call("guest_start", "nonsense")).contains("not valid JSON"));
        assert!(told(&call("guest_start", r#"{"vmid":112,}"#)).contains("not guessed"));
        assert!(told(&call("guest_start", r#"{"vmid":112,"force":true}"#)).contains("unknown field"));
        let long = format!(r#"{{"about":"{}"}}"#, "x".repeat(200_000));
        assert!(told(&call("memory_about", &long)).contains("bytes long"));
        let mended = call("read_guest_config", r#"{"vmid":112,}"#);
        assert!(
            matches!(Known::default().judge(&mended, 0, &Limits::default()), Verdict::Run(_)),
            "a read may be mended"
        );
        assert!(matches!(Known::default().judge(&mended, CALLS_MAX, &Limits::default()), Verdict::Tell(_)));
    }
}
