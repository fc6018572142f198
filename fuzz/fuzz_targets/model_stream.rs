//! Any bytes as a model's stream: at any split the same events as in one piece, and arguments that are judged without a panic.
#![no_main]

use jarvis_core::mind::args::ToolArgs;
use jarvis_core::mind::sse::{SseError, SseEvent, SseParser};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((split, bytes)) = data.split_first() else { return };
    let (events, end) = parse(bytes, usize::from(*split).max(1));
    assert_eq!((&events, &end), (&parse(bytes, usize::MAX).0, &parse(bytes, usize::MAX).1));
    for event in events {
        let args = ToolArgs::read(&event.data, split % 2 == 0);
        if let Some(json) = args.json() {
            let value: serde_json::Value = serde_json::from_str(json).expect("what was judged sound is JSON");
            assert!(value.is_object());
        }
    }
});

fn parse(bytes: &[u8], split: usize) -> (Vec<SseEvent>, Option<SseError>) {
    let (mut parser, mut events) = (SseParser::default(), Vec::new());
    for mut part in bytes.chunks(split) {
        loop {
            match parser.next(&mut part) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
    }
    (events, None)
}
