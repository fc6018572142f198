//! Who answers, through a whole turn: handed over in the middle, without money, asked for the reason, and with words that stay in the house.

use jarvis_tests::desk::Kind;
use jarvis_tests::model_server::{ModelServer, Script, Step};
use jarvisd::event::RouteKind;
use serde_json::json;

use super::{NO_GLEANING, among, cloud, conversations, local, minded, pieces};

/// A request that the rules give to a cloud.
const HARD: &str = "debug the whole business for me, old chap";
/// One that they keep in the house.
const PRIVATE: &str = "kindly ponder the prescription of grandmother";

/// An answer that breaks off after these words.
fn breaks_off(text: &str) -> Script {
    let first = pieces(text, &[]).remove(0);
    Script::stream([first, Step::Cut])
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_on_is_told_what_was_heard_and_may_still_change_something() {
    let words = "kindly see to it that vm 112 is brought back to life";
    let qwen = ModelServer::start([breaks_off("I shall see to it at once, sir. ")]).await.unwrap();
    let claude =
        ModelServer::start([cloud("It wants a yes. ", &[("guest_start", json!({"vmid": 112}))])]).await.unwrap();
    let desk = among(91, &[(Kind::Local, &qwen), (Kind::Cloud, &claude)], NO_GLEANING).await;
    desk.cluster.change(|state| state.guest_mut(112).unwrap().running = false);
    let turn = desk.ask(words).unwrap();
    let reply = minded(&turn).to_owned();
    assert_eq!(reply.matches("I shall see to it at once, sir.").count(), 1, "{reply}");
    assert!(reply.contains("It wants a yes.") && reply.contains("112"), "{reply}");
    let route = turn.route.unwrap();
    assert_eq!(route.kind, RouteKind::CloudModel);
    assert!(route.reason.contains("qwen is passed over, it failed"), "{}", route.reason);
    let asked = claude.asked().remove(0).body;
    let last = asked["messages"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["role"], "user", "{last}");
    let told = last.to_string();
    assert!(told.contains(words) && told.contains("You have already said aloud"), "{told}");
    assert!(told.contains("I shall see to it at once, sir.") && told.contains("do not repeat"), "{told}");
    assert_eq!(desk.approvals().unwrap()[0]["tier"], "YELLOW", "nothing of strangers' was read");
    let runs = desk.runs().unwrap();
    assert!(runs[1].ending.contains("broken_stream") && runs[0].ending.contains("handed_over"), "{runs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_money_the_house_answers_says_so_and_tells_why_when_asked() {
    let qwen = ModelServer::start([local("It is the cable, sir.")]).await.unwrap();
    let claude = ModelServer::start([cloud("Never asked.", &[])]).await.unwrap();
    let poor = format!("[minds.budget]\nday_usd = 0.0001\nmonth_usd = 10\n{NO_GLEANING}");
    let desk = among(92, &[(Kind::Local, &qwen), (Kind::Cloud, &claude)], &poor).await;
    let turn = desk.ask(HARD).unwrap();
    let reply = minded(&turn);
    let said = reply.strip_prefix("It is the cable, sir. ").unwrap_or_else(|| panic!("{reply}"));
    assert!(said.contains("allowance"), "it says that there was no money: {said}");
    let route = turn.route.clone().unwrap();
    assert_eq!(route.kind, RouteKind::LocalModel);
    assert!(route.reason.contains("claude is passed over, its allowance is spent"), "{}", route.reason);
    assert!(claude.asked().is_empty(), "what is not paid for is not sent");

    let why = desk.ask("why did you use qwen").unwrap();
    assert_eq!(why.route.unwrap().kind, RouteKind::Intent, "no model is asked for that");
    let because = route.reason.split("because ").nth(1).unwrap().split(';').next().unwrap().to_owned();
    let reply = why.reply.unwrap();
    assert!(reply.contains(&because) && reply.contains("allowance"), "{because}: {reply}");
}

/// An answer of Claude's that took four fifths of its prompt from the cache, and a good deal of money.
fn dear(text: &str) -> Script {
    let usage = json!({"input_tokens": 40_000, "cache_read_input_tokens": 160_000, "output_tokens": 1});
    Script::stream(
        [
            json!({"type": "message_start", "message": {"model": "claude-opus-5-5", "usage": usage}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 12}}),
            json!({"type": "message_stop"}),
        ]
        .map(|event| Step::event(&event)),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn at_four_fifths_a_word_is_said_and_what_came_from_the_cache_is_in_the_books() {
    let claude = ModelServer::start([dear("It is the cable, sir.")]).await.unwrap();
    let budget = format!("[minds.budget]\nday_usd = 0.23\nmonth_usd = 10\n{NO_GLEANING}");
    let desk = among(98, &[(Kind::Cloud, &claude)], &budget).await;
    let turn = desk.ask(HARD).unwrap();
    let reply = minded(&turn);
    let said = reply.strip_prefix("It is the cable, sir. ").unwrap_or_else(|| panic!("{reply}"));
    assert!(said.contains("four fifths of today's"), "{said}");
    let costs = desk.ctl(&["costs", "--by", "turn"]).unwrap();
    let line = &costs["lines"][0];
    assert_eq!(line["key"], json!(turn.turn_id.0.to_string()), "{costs}");
    // At 4, 0.2 and 20 dollars a million.
    let figures = ["prompt_tokens", "cached_tokens", "answer_tokens", "cost"].map(|name| line[name].as_u64().unwrap());
    assert_eq!(figures, [200_000, 160_000, 12, 160_000 + 32_000 + 240], "{costs}");
    assert_eq!(line["hit_rate_permille"], json!(800), "{costs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn private_words_stay_in_the_house_also_in_what_is_asked_after_them() {
    let qwen = ModelServer::start([local("It is in the drawer, sir.")]).await.unwrap();
    let claude = ModelServer::start([cloud("It is the cable, sir.", &[])]).await.unwrap();
    let desk = among(93, &[(Kind::Local, &qwen), (Kind::Cloud, &claude)], NO_GLEANING).await;
    let turn = desk.ask(PRIVATE).unwrap();
    assert_eq!(minded(&turn), "It is in the drawer, sir.");
    assert_eq!(turn.route.unwrap().kind, RouteKind::LocalModel);
    assert!(claude.asked().is_empty());
    let turn = desk.ask(HARD).unwrap();
    assert_eq!(turn.route.unwrap().kind, RouteKind::CloudModel);
    let told = conversations(&claude).remove(0);
    assert!(told.contains(HARD) && !told.contains("grandmother") && !told.contains("drawer"), "{told}");
    // A model in the house is told, and what it makes of it goes no further either.
    desk.ask("and what colour is it, by your leave").unwrap();
    assert!(conversations(&qwen).last().unwrap().contains("grandmother"));
    desk.ask(HARD).unwrap();
    let told = conversations(&claude).remove(1);
    assert!(told.contains("what colour") && told.contains("It is the cable, sir."), "{told}");
    assert!(!told.contains("grandmother") && !told.contains("drawer"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_request_is_answered_by_nobody_rather_than_elsewhere() {
    let broken = ModelServer::start([breaks_off("Let me see, sir. ")]).await.unwrap();
    let claude = ModelServer::start([cloud("Never asked.", &[])]).await.unwrap();
    let desk = among(94, &[(Kind::Local, &broken), (Kind::Cloud, &claude)], NO_GLEANING).await;
    let turn = desk.ask(PRIVATE).unwrap();
    assert!(minded(&turn).contains("qwen broke off"), "{turn:?}");
    // Asked after it, and given to the house first: the cloud does not go on with it either.
    let turn = desk.ask("and what colour is it, by your leave").unwrap();
    assert!(minded(&turn).contains("qwen broke off") && claude.asked().is_empty(), "{turn:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_written_without_the_tools_that_look() {
    let claude =
        ModelServer::start([cloud("It is short, sir.", &[]), cloud("It is the cable, sir.", &[])]).await.unwrap();
    let desk = among(98, &[(Kind::Cloud, &claude)], NO_GLEANING).await;
    assert_eq!(minded(&desk.ask("write me a perl script that renames my photos").unwrap()), "It is short, sir.");
    assert_eq!(minded(&desk.ask(HARD).unwrap()), "It is the cable, sir.");
    let tools = |at: usize| -> Vec<String> {
        let body = claude.asked().remove(at).body;
        let all = body["tools"].as_array().unwrap();
        all.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(tools(0), ["page_note"]);
    assert!(tools(1).len() > 20, "{:?}", tools(1));
}
