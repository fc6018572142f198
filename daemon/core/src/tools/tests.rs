//! Every tool of the table, held to what all tools promise.

use super::{ARGS_BYTES_MAX, BadCall, Call, Inverse, Kind, TOOLS, parse};
use crate::gate::{Origin, situations};
use crate::ids::Vmid;

fn vmid(call: &Call) -> Vmid {
    match call.target() {
        super::Target::Guest(vmid) => vmid,
        super::Target::Nothing => situations::PLAIN,
    }
}

#[test]
fn examples_are_of_the_tier_they_say() {
    for tool in TOOLS {
        assert!(!tool.examples().is_empty(), "{} has no example", tool.name());
        for example in tool.examples() {
            let call = tool.parse(example.args).unwrap_or_else(|error| panic!("{}: {error}", tool.name()));
            let owned = situations::named(example.situation, vmid(&call))
                .unwrap_or_else(|| panic!("{}: there is no situation {:?}", tool.name(), example.situation));
            let ruling = call.tier(&owned.situation());
            assert_eq!(ruling.tier, example.tier, "{call:?} in {:?}: {ruling:?}", example.situation);
        }
    }
}

#[test]
fn schemas_are_objects_that_allow_nothing_else() {
    for tool in TOOLS {
        let schema = tool.schema();
        assert_eq!(schema["type"], "object", "{}: {schema}", tool.name());
        assert_eq!(schema["additionalProperties"], false, "{}: {schema}", tool.name());
        assert!(schema["properties"].is_object(), "{}: {schema}", tool.name());
        for example in tool.examples() {
            let args: serde_json::Value = serde_json::from_str(example.args).unwrap();
            for name in args.as_object().unwrap().keys() {
                assert!(schema["properties"].get(name).is_some(), "{}: {name} is not in {schema}", tool.name());
            }
        }
    }
}

#[test]
fn calls_survive_their_own_bytes() {
    for tool in TOOLS {
        for example in tool.examples() {
            let call = tool.parse(example.args).unwrap();
            let again = parse(call.name(), &call.json()).unwrap();
            assert_eq!((&again, again.json()), (&call, call.json()));
        }
    }
}

#[test]
fn hostile_arguments_are_refused_in_words() {
    let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(ARGS_BYTES_MAX));
    for (tool, args, wanted) in [
        ("guest_shutdown", r#"{"vmid":104,"force":true}"#, "unknown field"),
        ("guest_shutdown", r#"{"vmid":"104; rm -rf /"}"#, "schema"),
        ("guest_shutdown", r#"{"vmid":7}"#, "100 to 999999999"),
        ("guest_shutdown", r#"{"vmid":-1}"#, "schema"),
        ("guest_shutdown", r#"{"vmid":104"#, "schema"),
        ("guest_shutdown", "[104]", "no JSON object"),
        ("guest_shutdown", "", "missing field"),
        ("guest_shutdown", r#"{"vmid":104,"vmid":100}"#, "duplicate field"),
        ("snapshot_create", r#"{"vmid":104,"name":"../../etc"}"#, "cannot be a snapshot's name"),
        ("snapshot_create", r#"{"vmid":104,"name":"current"}"#, "cannot be a snapshot's name"),
        ("snapshot_create", r#"{"vmid":104,"name":""}"#, "cannot be a snapshot's name"),
        ("read_node_status", r#"{"node":"pve1/../../access"}"#, "no node's name"),
        ("page_note", &long, "bytes long"),
    ] {
        let error = parse(tool, args).expect_err(args).to_string();
        assert!(error.contains(wanted), "{tool} {args}: {error}");
    }
    assert_eq!(
        parse("guest_shutdwon", "{}"),
        Err(BadCall::NoTool { name: "guest_shutdwon".into(), nearest: Some("guest_shutdown") })
    );
    let error = parse(&"x".repeat(10_000), "{}").unwrap_err().to_string();
    assert!(error.len() < 200, "{error}");
}

#[test]
fn every_change_names_verb_target_and_node() {
    for tool in TOOLS.iter().filter(|tool| tool.kind() == Kind::Change) {
        let call = tool.parse(tool.examples()[0].args).unwrap();
        let owned = situations::named("running guest", vmid(&call)).unwrap();
        let summary = call.summary(&owned.situation());
        let said = summary.sentence();
        assert!(!summary.verb.is_empty() && said.contains(&vmid(&call).to_string()), "{said}");
        assert!(summary.node.is_some_and(|node| said.contains(&node)), "{said}");
    }
}

#[test]
fn an_inverse_undoes_what_was_done_and_is_judged_like_any_call() {
    let owned = situations::named("stopped guest", Vmid(112)).unwrap();
    let start = parse("guest_start", r#"{"vmid":112}"#).unwrap();
    let Inverse::Call(back) = start.inverse(&owned.situation()) else { panic!("a start can be undone") };
    assert_eq!((back.name(), back.json()), ("guest_shutdown", r#"{"vmid":112}"#.to_owned()));
    let running = situations::named("protected guest", Vmid(112)).unwrap();
    let ruling = crate::gate::Gate::new().rule(&back, &Origin::Owner, &running.situation());
    assert_eq!(ruling.tier, crate::tool::Tier::Red);
    let gone = parse("snapshot_delete", r#"{"vmid":112,"name":"before-update"}"#).unwrap();
    assert!(matches!(gone.inverse(&owned.situation()), Inverse::Never(_)));
}
