use proptest::prelude::*;

use super::super::args::ArgsFault;
use super::*;

fn text(index: u32, text: &str) -> Delta {
    Delta::Text { index, text: text.to_owned() }
}

fn tool(index: u32, id: &str) -> Delta {
    Delta::ToolBegin { index, id: id.into(), name: format!("tool_{id}") }
}

fn args(index: u32, json: &str) -> Delta {
    Delta::ToolArgs { index, json: json.to_owned() }
}

fn end(index: u32) -> Delta {
    Delta::BlockEnd { index }
}

fn assemble(deltas: &[Delta]) -> Result<Assembler, AssembleError> {
    let mut assembler = Assembler::new("asked".into());
    deltas.iter().try_for_each(|delta| assembler.push(delta))?;
    Ok(assembler)
}

fn reply(deltas: &[Delta]) -> Reply {
    assemble(deltas).unwrap().finish().expect("it has ended")
}

fn call(id: &str, json: &str) -> Block {
    Block::ToolUse(ToolUse {
        id: id.into(),
        name: format!("tool_{id}"),
        args: ToolArgs::Sound { json: json.to_owned() },
    })
}

#[test]
fn interleaved_blocks_come_out_in_the_order_of_their_indexes() {
    let raw = serde_json::json!({"type": "thinking", "thinking": "Hm.", "signature": ""});
    let reply = reply(&[
        Delta::Begin { model: "answered".into() },
        Delta::Thinking { index: 0, text: "Hm.".to_owned() },
        tool(2, "b"),
        tool(1, "a"),
        args(2, "{\"y\""),
        args(1, "{\"x\":"),
        args(2, ":2}"),
        args(1, "1}"),
        end(2),
        Delta::ThinkingRaw { index: 0, raw: raw.clone() },
        end(0),
        end(1),
        Delta::Usage(Usage { input: 3, output: 1, ..Usage::default() }),
        Delta::Usage(Usage { input: 3, output: 9, ..Usage::default() }),
        Delta::Stop(StopReason::ToolUse),
    ]);
    let thinking = Thinking { model: "answered".into(), text: "Hm.".to_owned(), raw: Some(raw) };
    let blocks = vec![Block::Thinking(thinking), call("a", "{\"x\":1}"), call("b", "{\"y\":2}")];
    assert_eq!(reply.message, Message { role: Role::Assistant, blocks });
    assert_eq!((reply.usage.output, reply.model.as_str()), (9, "answered"));
}

#[test]
fn a_progress_note_stays_part_of_its_thinking_block() {
    let note = Delta::Progress { index: 0, text: "Asking pve two.".to_owned() };
    let reply = reply(&[note, end(0), text(1, "  \n"), Delta::Stop(StopReason::EndTurn)]);
    let thinking = Thinking { model: "asked".into(), text: "Asking pve two.".to_owned(), raw: None };
    assert_eq!(reply.message.blocks, [Block::Thinking(thinking)], "and blank text is left out");
}

#[test]
fn a_call_that_was_cut_off_is_not_mended() {
    let cut = |stop| {
        let reply = reply(&[tool(0, "a"), args(0, "{\"x\":\"y\","), end(0), Delta::Stop(stop)]);
        reply.message.calls().next().cloned().unwrap().args
    };
    assert_eq!(cut(StopReason::ToolUse), ToolArgs::Mended { json: "{\"x\":\"y\"}".to_owned() });
    let refused = ToolArgs::Refused { fault: ArgsFault::CutOff, begun: "{\"x\":\"y\",".to_owned() };
    assert_eq!(cut(StopReason::MaxTokens), refused);
    assert_eq!(cut(StopReason::ContextExceeded), refused);
    let never_ended = reply(&[tool(0, "a"), args(0, "{\"x\":1,"), Delta::Stop(StopReason::ToolUse)]);
    assert!(never_ended.message.calls().all(|call| call.args.json().is_none()));
}

#[test]
fn what_there_is_of_a_broken_answer_can_be_handed_over() {
    let assembler =
        assemble(&[text(0, "Node one "), tool(1, "a"), args(1, "{}"), end(1), tool(2, "b"), args(2, "{\"x\"")])
            .unwrap();
    assert_eq!(assembler.so_far().blocks, [Block::Text { text: "Node one ".to_owned() }, call("a", "{}")]);
    assert_eq!(assembler.finish(), None);
}

#[test]
fn every_limit_is_named() {
    let chunk = "x".repeat(1 << 16);
    let cases: [(&str, Vec<Delta>); 6] = [
        ("text", vec![text(0, &chunk); 3]),
        ("arguments", std::iter::once(tool(0, "a")).chain(std::iter::repeat_n(args(0, &chunk), 5)).collect()),
        ("thinking", vec![Delta::Thinking { index: 0, text: chunk.clone() }; 65]),
        ("blocks", (0..65).map(|n| tool(n, "a")).collect()),
        ("name", vec![tool(0, &"a".repeat(300))]),
        ("thinking", (0..65).map(|n| Delta::Foreign { index: n, raw: Value::String(chunk.clone()) }).collect()),
    ];
    for (limit, deltas) in cases {
        match assemble(&deltas) {
            Err(AssembleError::TooMuch(told)) => assert!(told.contains(limit), "{told}, not {limit}"),
            other => panic!("{limit}: {:?}", other.map(|_| "no limit")),
        }
    }
}

#[test]
fn pieces_that_do_not_fit_are_told() {
    let cases = [
        vec![args(0, "{}")],
        vec![tool(0, "a"), end(0), args(0, "{}")],
        vec![tool(0, "a"), tool(0, "b")],
        vec![tool(0, "a"), text(0, "x")],
        vec![text(0, "x"), Delta::Thinking { index: 0, text: "y".to_owned() }],
        vec![Delta::Stop(StopReason::EndTurn), text(0, "x")],
    ];
    for deltas in cases {
        assert!(matches!(assemble(&deltas), Err(AssembleError::Confused(_))), "{deltas:?}");
    }
}

fn any_delta() -> impl Strategy<Value = Delta> {
    let index = 0u32..5;
    prop_oneof![
        (index.clone(), ".{0,9}").prop_map(|(index, text)| Delta::Text { index, text }),
        (index.clone(), ".{0,9}").prop_map(|(index, text)| Delta::Thinking { index, text }),
        (index.clone(), ".{0,9}").prop_map(|(index, text)| Delta::Progress { index, text }),
        (index.clone(), "[a-z]{0,3}").prop_map(|(index, id)| Delta::ToolBegin {
            index,
            name: id.clone(),
            id: CallId(id)
        }),
        (index.clone(), "[{}a\":1]{0,5}").prop_map(|(index, json)| Delta::ToolArgs { index, json }),
        index.clone().prop_map(|index| Delta::ThinkingRaw { index, raw: Value::Null }),
        index.clone().prop_map(|index| Delta::Foreign { index, raw: Value::Null }),
        index.prop_map(|index| Delta::BlockEnd { index }),
        Just(Delta::Stop(StopReason::EndTurn)),
    ]
}

proptest! {
    #[test]
    fn any_order_of_pieces_gives_a_message_or_an_error(deltas in prop::collection::vec(any_delta(), 0..40)) {
        if let Ok(assembler) = assemble(&deltas) {
            let stopped = deltas.iter().any(|d| matches!(d, Delta::Stop(_)));
            let part = assembler.so_far();
            prop_assert!(part.blocks.len() <= 5);
            prop_assert_eq!(assembler.finish().is_some(), stopped);
        }
    }

    /// How arguments are cut and woven together makes no difference.
    #[test]
    fn parallel_calls_in_any_pieces(pieces in prop::collection::vec((0usize..3, 1usize..6), 0..40)) {
        let wholes = ["{\"vmid\":104}", "{\"node\":\"pve2\",\"deep\":[1,2]}", "{}"];
        let mut deltas: Vec<Delta> = (0..3).map(|n| tool(n, &n.to_string())).collect();
        let mut at = [0usize; 3];
        for (block, length) in pieces.into_iter().chain((0..3).map(|block| (block, usize::MAX))) {
            let from = at[block];
            let to = from.saturating_add(length).min(wholes[block].len());
            deltas.push(args(u32::try_from(block).unwrap(), &wholes[block][from..to]));
            at[block] = to;
        }
        deltas.extend((0..3).map(end));
        deltas.push(Delta::Stop(StopReason::ToolUse));
        let blocks: Vec<_> = (0..3).map(|n| call(&n.to_string(), wholes[n])).collect();
        prop_assert_eq!(reply(&deltas).message.blocks, blocks);
    }
}
