//! The official Python client, in both revisions and over both ways in.

use jarvis_tests::mcp_clients::python;
use jarvis_tests::office::Office;
use serde_json::{Value, json};

use super::{approve, guest, question, text};

fn run(office: &Office, token: &str, mode: &str, steps: Value) -> Value {
    python(&json!({"url": office.mcp(), "token": token, "mode": mode, "steps": steps})).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_revisions_are_spoken() {
    let office = Office::start("", "").await.unwrap();
    let token = office.token("desk", true).unwrap();
    for (mode, version) in [("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28"), ("auto", "2026-07-28")] {
        let steps = json!([{"list": true}, {"call": "read_version"}, {"call": "format_disks"}, {"call": "guest_start", "args": {"vmid": "no"}}]);
        let told = run(&office, &token, mode, steps);
        assert_eq!(told["version"], version, "{mode}");
        let done = &told["done"];
        assert!(done[0]["tools"].as_array().unwrap().len() > 10, "{mode}: {done}");
        assert!(text(&done[1]).contains("version"), "{mode}: {done}");
        assert_eq!(done[2]["error"]["code"], -32602, "{mode}: an unknown tool: {done}");
        assert!(done[3]["isError"] == true && text(&done[3]).contains("as its schema says"), "{mode}: {done}");
    }
    assert_eq!(office.deeds(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_answers_is_no_approval() {
    let office = Office::start("", "").await.unwrap();
    let token = office.token("desk", true).unwrap();
    let order = json!({"url": office.mcp(), "token": token, "mode": "2026-07-28", "elicit": true,
        "steps": [{"call": "guest_start", "args": guest()}]});
    let told = python(&order).unwrap();
    let asked = &told["asked"][0];
    assert_eq!(asked["mode"], "url", "its user is sent to the page: {told}");
    assert_eq!(asked["url"], format!("{}/", office.page()));
    let result = &told["done"][0];
    assert!(text(result).contains("pending"), "{told}");
    assert_eq!((office.deeds(), office.running()), (0, false), "its eager answer approved nothing");

    let message = asked["message"].as_str().unwrap();
    approve(&office, message).await;
    let id: i64 = question(message).parse().unwrap();
    let told = run(&office, &token, "auto", json!([{"call": "change_result", "args": {"id": id}}]));
    assert!(text(&told["done"][0]).contains("is done") && office.running(), "{told}");
    let other = office.token("other", true).unwrap();
    let told = run(&office, &other, "auto", json!([{"call": "change_result", "args": {"id": id}}]));
    assert!(
        told["done"][0]["isError"] == true && !text(&told["done"][0]).contains("done"),
        "another's question: {told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_stays_undone_and_questions_cannot_pile_up() {
    let office = Office::start("", "").await.unwrap();
    let token = office.token("desk", true).unwrap();
    let start = json!({"call": "guest_start", "args": guest()});
    let told = run(&office, &token, "legacy", json!([start, start, start, start, start]));
    let done = told["done"].as_array().unwrap();
    assert!(text(&done[3]).contains("waits for the owner"), "{told}");
    assert!(text(&done[4]).contains("4 questions of yours"), "{told}");
    let id = question(text(&done[0]));
    assert!(office.ctl(&["deny", &id]).unwrap().status.success());
    let id: i64 = id.parse().unwrap();
    let told = run(
        &office,
        &token,
        "legacy",
        json!([{"call": "change_result", "args": {"id": id}}, {"call": "guest_stop", "args": {"vmid": 100}}]),
    );
    assert!(told["done"][0]["isError"] == true && text(&told["done"][0]).contains("denied"), "{told}");
    assert!(text(&told["done"][1]).contains("never does that"), "its own VM: {told}");
    assert!(office.ctl(&["stop"]).unwrap().status.success());
    let told = run(&office, &token, "legacy", json!([start, {"call": "read_version"}]));
    assert!(text(&told["done"][0]).contains("standing down"), "{told}");
    assert!(told["done"][1]["isError"] != true, "looking goes on: {told}");
    assert_eq!((office.deeds(), office.running()), (0, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_its_room_is_away_a_program_is_told_which_setting_names_it() {
    let office = Office::start("room = \"study\"", "").await.unwrap();
    let token = office.token("desk", true).unwrap();
    let told = run(&office, &token, "legacy", json!([{"call": "guest_start", "args": guest()}]));
    let told = text(&told["done"][0]);
    assert!(told.contains("the study") && told.contains("[mcp] room"), "{told}");
    let asked = office.ctl_json(&["approvals"]).unwrap();
    assert_eq!(asked, json!([]), "nobody would hear the two words, so nobody is asked");
    assert_eq!(office.deeds(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bridge_over_standard_input_takes_the_same_way() {
    let office = Office::start("", "").await.unwrap();
    let mut line = office.ctl_line().unwrap();
    line.extend(["mcp", "serve", "--changes"].map(str::to_owned));
    for mode in ["legacy", "auto"] {
        let steps = json!([{"list": true}, {"call": "read_cluster"}, {"call": "guest_start", "args": guest()}]);
        let told = python(&json!({"command": line, "mode": mode, "steps": steps})).unwrap();
        assert!(text(&told["done"][1]).contains("guests"), "{mode}: {told}");
        assert!(text(&told["done"][2]).contains("waits for the owner"), "{mode}: {told}");
    }
    assert_eq!(office.deeds(), 0);
    let log = office.ctl_json(&["audit", "-n", "50"]).unwrap().to_string();
    assert!(log.contains("\"client\":\"stdio\""), "{log}");
}
