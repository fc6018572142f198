//! Changes that a model proposes: asked about, approved, run, verified, written down.

use std::time::Duration;

use jarvis_tests::desk::{Desk, Kind};
use jarvis_tests::process::wait_for;
use serde_json::{Value, json};

use super::{KINDS, calls, desk, minded, once, to, tools, with};

const START: &str = "kindly see to it that vm 112 is brought back to life";
const HALT: &str = "kindly be done with vm 112, and brutally";
/// For what must come: so long that the machine's other work decides nothing.
const PATIENT: Duration = Duration::from_secs(60);

fn start_script() -> Value {
    json!([calls(to(START), "Very good, sir.", &[("guest_start", json!({"vmid": 112}))])])
}

fn stopped(desk: &Desk) {
    desk.cluster.change(|state| state.guest_mut(112).unwrap().running = false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yellow_change_is_asked_about_and_runs_after_yes() {
    for kind in KINDS {
        let desk = desk(51, kind, start_script()).await;
        stopped(&desk);
        let asked = desk.ask(START).unwrap();
        let question = minded(&asked);
        assert!(
            question.starts_with("Very good, sir.") && question.contains("start") && question.contains("112"),
            "{question}"
        );
        assert!(question.contains("pve"), "it names the node: {question}");
        assert!(tools(&asked)[0].1.starts_with("asked"), "{asked:?}");
        assert_eq!(desk.guest(), (false, 0), "nothing ran before the yes");
        assert!(desk.runs().unwrap()[0].ending.contains("handed_over"));

        let done = desk.ask("yes").unwrap();
        assert!(done.reply.as_deref().unwrap_or_default().contains("112"), "{done:?}");
        assert_eq!(desk.guest(), (true, 1), "{kind:?}: {done:?}");
        assert_eq!(desk.approvals().unwrap()[0]["stage"], "done");
        let kinds = desk.audit().unwrap();
        for kind in ["asked", "approved", "started", "sent", "verified"] {
            assert!(kinds.iter().any(|known| known == kind), "{kind} is not in {kinds:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_runs_nothing() {
    let desk = desk(52, Kind::Local, start_script()).await;
    stopped(&desk);
    desk.ask(START).unwrap();
    desk.ask("no").unwrap();
    assert_eq!((desk.guest(), &desk.approvals().unwrap()[0]["stage"]), ((false, 0), &json!("denied")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_red_change_takes_its_words_at_the_second_channel() {
    let desk = desk(53, Kind::Local, json!([calls(to(HALT), "", &[("guest_stop", json!({"vmid": 112}))])])).await;
    desk.cluster.change(|state| state.guest_mut(112).unwrap().running = true);
    let asked = desk.ask(HALT).unwrap();
    let question = minded(&asked).to_owned();
    assert!(question.contains("which shows two words"), "{question}");
    let refused = desk.ask("yes").unwrap();
    assert!(refused.reply.as_deref().unwrap_or_default().contains("two words"), "{refused:?}");
    assert_eq!(desk.guest(), (true, 0));
    let id = desk.approvals().unwrap()[0]["id"].to_string();
    let words = desk.words(id.parse().unwrap()).await.unwrap();
    assert!(!question.contains(&words.join(" ")), "told where they are confirmed: {question}");
    let told = desk.ctl(&["approve", &id, &words[0], &words[1]]).unwrap();
    assert_eq!((told["stage"].as_str(), desk.guest()), (Some("done"), (false, 1)), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_first_raises_the_tier() {
    let script = json!([
        calls(once(START, "version"), "", &[("guest_start", json!({"vmid": 112}))]),
        calls(to(START), "", &[("read_version", json!({}))]),
    ]);
    let desk = desk(54, Kind::Local, script).await;
    stopped(&desk);
    let asked = desk.ask(START).unwrap();
    assert!(minded(&asked).contains("which shows two words"), "{asked:?}");
    let approval = desk.approvals().unwrap().remove(0);
    assert_eq!((&approval["tier"], &approval["needs_words"]), (&json!("RED"), &json!(true)));
    assert_eq!(desk.guest(), (false, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn standing_leave_is_for_the_owners_own_words_and_a_model_has_to_ask() {
    let leave = "[[safety.leave]]\ntool = \"guest_start\"\nguests = [112]\nper_hour = 1\n";
    let desk = with(55, Kind::Local, start_script(), leave).await;
    stopped(&desk);
    let asked = desk.ask(START).unwrap();
    assert!(tools(&asked)[0].1.starts_with("asked") && minded(&asked).contains("112"), "{asked:?}");
    desk.ask("no").unwrap();
    assert_eq!((desk.guest(), desk.approvals().unwrap().len()), ((false, 0), 1));
    desk.ask("start vm 112").unwrap();
    wait_for("the owner's own change", PATIENT, || Ok((desk.guest() == (true, 1)).then_some(()))).unwrap();
    let kinds = desk.audit().unwrap();
    assert!(
        kinds.iter().filter(|kind| *kind == "asked").count() == 1 && !kinds.contains(&"approved".into()),
        "{kinds:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_may_do_is_declined_in_the_gates_words() {
    let words = "switch yourself off for good";
    let desk = desk(56, Kind::Local, json!([calls(to(words), "", &[("guest_stop", json!({"vmid": 100}))])])).await;
    let turn = desk.ask(words).unwrap();
    assert!(minded(&turn).contains("I must decline"), "{turn:?}");
    assert!(desk.runs().unwrap()[0].ending.contains("declined") && desk.approvals().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_its_owner_wants_to_be_asked_about_is_put_up_after_the_yes() {
    let words = "draw up a little overview, old chap";
    let script = json!([calls(to(words), "", &[("page_note", json!({"text": "Two nodes, four cats."}))])]);
    let raised = "[[safety.raise]]\ntool = \"page_note\"\ntier = \"YELLOW\"\n";
    let desk = with(57, Kind::Local, script, raised).await;
    let asked = desk.ask(words).unwrap();
    assert!(minded(&asked).contains("put a note on the page"), "{asked:?}");
    let done = desk.ask("yes").unwrap();
    assert_eq!(done.reply.as_deref(), Some("It is on the page, sir."), "{done:?}");
    let note = desk.approvals().unwrap().remove(0);
    assert_eq!((&note["stage"], &note["outcome"]), (&json!("done"), &json!("Two nodes, four cats.")), "{note}");
}
