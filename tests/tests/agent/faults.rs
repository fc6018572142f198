//! Providers that refuse, break off, dribble and talk nonsense.

use jarvis_tests::desk::Kind;
use serde_json::json;

use super::{KINDS, desk, minded, says, to};

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_provider_does_the_turn_ends_in_a_word() {
    for kind in KINDS {
        let error = |message: &str| json!({"error": {"message": message, "type": "overloaded_error"}});
        let mut limited =
            json!({"match": {"userMessage": "limited", "sequenceIndex": 0}, "response": error("Slow down")});
        limited["response"]["status"] = 429.into();
        limited["response"]["retryAfter"] = 1.into();
        let mut swamped = json!({"match": to("swamped"), "response": error("Overloaded")});
        swamped["response"]["status"] = 529.into();
        // It breaks off long after its first sentence has come, and long before its end.
        let long = format!(
            "Here is a first sentence, sir. {}",
            "This answer is much longer than what comes of it. ".repeat(12)
        );
        let script = json!([
            limited,
            says(to("limited"), "Here I am again, sir."),
            swamped,
            {"match": to("truncated"), "response": {"content": long}, "chunkSize": 5, "latency": 5, "truncateAfterChunks": 9},
            {"match": to("disconnect"), "response": {"content": long}, "chunkSize": 5, "latency": 10, "disconnectAfterMs": 700},
            {"match": to("garbage"), "response": {"content": "never"}, "chaos": {"malformedRate": 1.0}},
            {"match": to("dribble"), "response": {"content": "Slowly, sir, but surely."}, "chunkSize": 2, "streamingProfile": {"ttft": 300, "tps": 40}},
        ]);
        let desk = desk(71, kind, script).await;
        let reply = |words: &str| minded(&desk.ask(words).unwrap()).to_owned();
        assert_eq!(reply("a limited question"), "Here I am again, sir.", "{kind:?}");
        assert_eq!(reply("a dribble question"), "Slowly, sir, but surely.", "{kind:?}");
        for words in ["a truncated question", "a disconnect question"] {
            let said = reply(words);
            assert!(
                said.starts_with("Here is a first sentence, sir.") && said.contains("broke off"),
                "{kind:?} {words}: {said}"
            );
        }
        for words in ["a garbage question", "a swamped question"] {
            let said = reply(words);
            assert!(said.contains("could not get an answer"), "{kind:?} {words}: {said}");
        }
        let status = desk.ctl(&["status"]).unwrap();
        assert!(status["degraded"].to_string().contains("mind script"), "{status}");
        assert_eq!(reply("a limited question once more"), "Here I am again, sir.", "{kind:?}");
        let status = desk.ctl(&["status"]).unwrap();
        assert!(!status["degraded"].to_string().contains("mind script"), "it is well again: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_never_ends_is_given_up_at_the_owners_limit() {
    let slow =
        json!([{"match": to("forever"), "response": {"content": "Never."}, "streamingProfile": {"ttft": 60_000}}]);
    let desk = super::with(72, Kind::Local, slow, "[agent]\nseconds = 5\n").await;
    let turn = desk.ask("think about it forever").unwrap();
    assert!(minded(&turn).contains("longer than I may spend"), "{turn:?}");
    assert!(desk.runs().unwrap()[0].ending.contains("time"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_stopped_takes_its_question_back_and_says_so() {
    let slow =
        json!([{"match": to("forever"), "response": {"content": "Never."}, "streamingProfile": {"ttft": 60_000}}]);
    let mut desk = super::desk(73, Kind::Cloud, slow).await;
    let asked = std::time::Instant::now();
    let stopped = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| desk.try_ask("think about it forever"));
        while desk.runs().unwrap().is_empty() {
            assert!(asked.elapsed().as_secs() < 60, "no run began");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        desk.daemon.signal(rustix::process::Signal::TERM).unwrap();
        waiting.join().unwrap()
    });
    desk.daemon.stop().unwrap();
    assert_eq!(desk.runs().unwrap()[0].state, "cancelled", "the turn ended in order: {stopped:?}");
}
