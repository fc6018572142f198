//! Questions that a model answers by looking.

use jarvis_tests::desk::Kind;
use jarvis_tests::pve::State;
use serde_json::json;

use super::{KINDS, calls, desk, minded, once, says, to, tools};

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_request_is_answered_with_the_figure_that_a_tool_brought() {
    for kind in KINDS {
        let words = "enlighten me about the release we are on";
        let script = json!([
            says(once(words, "9.2.11"), "We are on release 9.2.11, sir."),
            calls(to(words), "One moment, sir.", &[("read_version", json!({}))]),
        ]);
        let desk = desk(41, kind, script).await;
        let turn = desk.ask(words).unwrap();
        assert_eq!(minded(&turn), "One moment, sir. We are on release 9.2.11, sir.", "{kind:?}");
        assert_eq!(tools(&turn), [("read_version", "ok")]);
        let reason = turn.route.unwrap().reason;
        assert!(reason.contains("script"), "{reason}");
        let run = desk.runs().unwrap().remove(0);
        assert_eq!((run.state.as_str(), run.steps.as_str()), ("ended", "asked said began result asked said ended"));
        assert!(run.ending.contains("answered"), "{}", run.ending);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_reads_of_one_message_run_together_and_all_come_back() {
    let words = "give me a little of everything";
    let name = State::new(42).guest(112).unwrap().name.clone().unwrap();
    let script = json!([
        says(once(words, "vmid"), &format!("Nothing but {name}, sir.")),
        calls(
            to(words),
            "",
            &[("read_version", json!({})), ("read_tasks", json!({})), ("read_guest_config", json!({"vmid": 112}))]
        ),
    ]);
    let desk = desk(42, Kind::Local, script).await;
    let turn = desk.ask(words).unwrap();
    assert!(minded(&turn).contains(&name));
    let mut ran = tools(&turn);
    ran.sort_unstable();
    assert_eq!(ran, [("read_guest_config", "ok"), ("read_tasks", "ok"), ("read_version", "ok")]);
    let run = desk.runs().unwrap().remove(0);
    assert_eq!(run.steps, "asked said began result result result asked said ended", "one beginning for all");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_the_grammar_knows_needs_no_model_and_neither_does_a_house_without_one() {
    let desk = desk(43, Kind::Cloud, json!([says(to("never"), "never")])).await;
    let turn = desk.ask("how is the cluster").unwrap();
    assert_eq!(turn.route.unwrap().kind, jarvisd::event::RouteKind::Intent);
    assert!(desk.runs().unwrap().is_empty(), "nobody was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_goes_to_the_page_and_secrets_go_nowhere() {
    let words = "put together a little overview";
    let secret = "PVEAPIToken=root@pam!x=0f3c2a51-9d1b-4c7e-8a44-1b2c3d4e5f60";
    let script = json!([
        says(once(words, "on the page"), &format!("It is on the page, sir. The key is {secret}.")),
        calls(to(words), "", &[("page_note", json!({"text": format!("use {secret}")}))]),
    ]);
    let desk = desk(44, Kind::Local, script).await;
    let turn = desk.ask(&format!("{words} with {secret}")).unwrap();
    assert!(minded(&turn).starts_with("It is on the page, sir."), "{turn:?}");
    let page = turn.page.as_deref().unwrap_or_default();
    assert!(page.starts_with("use ") && page.contains("[secret"), "it is with its turn: {turn:?}");
    let shown = desk.page("/api/turns").unwrap();
    assert!(shown.contains("\"page\":\"use "), "and stays there: {shown}");
    let told =
        format!("{turn:?}{shown}{}{}", desk.ctl(&["turns"]).unwrap(), desk.ctl(&["audit", "-n", "200"]).unwrap());
    assert!(told.contains("[secret") && shown.contains("[secret"), "it was said, and is marked: {told}");
    // Every file that the daemon keeps, its journal included, whatever table a word would be in.
    let files = files_of(desk.dir());
    let holds = |text: &str, what: &str| text.contains(what);
    let journal = files.iter().find(|(name, _)| name.ends_with("jarvisd.0.log")).expect("the journal");
    assert!(holds(&journal.1, "turn over"), "{}", journal.1);
    let database = files.iter().filter(|(name, _)| name.contains("jarvis.db")).map(|(_, text)| text.as_str());
    assert!(database.clone().any(|text| holds(text, "[secret")), "the database was read");
    assert!(!holds(&told, "0f3c2a51"), "{told}");
    let offenders: Vec<_> = files.iter().filter(|(_, text)| holds(text, "0f3c2a51")).map(|(name, _)| name).collect();
    // The model's script is the test's own.
    let offenders: Vec<_> =
        offenders.into_iter().filter(|name| !name.ends_with("script.json") && !name.ends_with("llmock.log")).collect();
    assert!(offenders.is_empty(), "{offenders:?}");
}

/// Every file below a folder, as text.
fn files_of(folder: &std::path::Path) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(files_of(&path));
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap_or_default();
            all.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    all
}
